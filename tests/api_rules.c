/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tally.h promises a program, by the public interface: the state of the process is not touched by runs
 * that succeed and fail; steps, callbacks and errors behave as written; cancel works from a thread and from a
 * signal handler; a handle from before a fork is refused.
 */
#include "tests/api_common.h"
#include "tests/unit.h"

#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

extern char **environ;

static void pause_ms(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* ---- What is around the library ---- */

typedef struct world {
    struct sigaction action[65];
    sigset_t blocked;
    mode_t mask;
    char folder[512], locale[512];
    uint64_t environment; /* a sum over all of it */
    off_t written;        /* to standard output and error */
    size_t files;
} world;

static void look(world *w)
{
    struct stat s;
    memset(w, 0, sizeof *w);
    for (int i = 1; i < 65; i++)
        sigaction(i, NULL, &w->action[i]);
    pthread_sigmask(SIG_SETMASK, NULL, &w->blocked);
    w->mask = umask(0);
    umask(w->mask);
    CU_ASSERT_PTR_NOT_NULL(getcwd(w->folder, sizeof w->folder));
    snprintf(w->locale, sizeof w->locale, "%s", setlocale(LC_ALL, NULL));
    for (char **e = environ; *e; e++)
        for (const char *c = *e; *c; c++)
            w->environment = w->environment * 31 + (uint8_t)*c;
    fflush(stdout);
    fflush(stderr);
    for (int fd = 1; fd <= 2; fd++)
        w->written += fstat(fd, &s) ? -1 : s.st_size;
    w->files = api_open_files();
}

/* A failure of each kind that needs no peer: settings, files, an address, a peer that breaks off. */
static void fail_in_all_ways(const char *dir)
{
    api_pair p;
    char path[200];
    tally_error error;
    tally_identity *identity;
    CU_ASSERT_EQUAL(tally_identity_load("/nonexistent", &identity, &error), TALLY_ERR_FILE);
    api_pair_new(&p, 4, TALLY_MATCH, TALLY_VOLE, API_PIPE);
    tally_session_set_security(p.side[0].session, TALLY_MALICIOUS);
    CU_ASSERT_EQUAL(tally_session_run(p.side[0].session, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_add_peer_pin(p.side[0].session, "sha256:0", &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_set_connect(p.side[0].session, "nowhere", &error), TALLY_ERR_USAGE);
    api_pair_free(&p);
    api_pair_new(&p, 4, TALLY_MATCH, TALLY_ECDH, API_PIPE);
    p.side[1].pipe.shutdown(p.side[1].pipe.user);
    CU_ASSERT_NOT_EQUAL(tally_session_run(p.side[0].session, &error), TALLY_OK);
    api_pair_free(&p);
    api_pair_new(&p, 4, TALLY_MATCH, TALLY_ECDH, API_PIPE);
    snprintf(path, sizeof path, "%s/no/such/folder", dir);
    CU_ASSERT_EQUAL(tally_session_set_output(p.side[0].session, path, 0, NULL), TALLY_OK);
    CU_ASSERT_NOT_EQUAL(tally_session_run(p.side[0].session, &error), TALLY_OK);
    api_pair_free(&p);
    api_pair_new(&p, 4, TALLY_MATCH, TALLY_ECDH, API_TCP); /* a broken socket: no SIGPIPE */
    tally_session_set_timeout(p.side[0].session, 1);
    CU_ASSERT_EQUAL(tally_session_run(p.side[0].session, &error), TALLY_ERR_TIMEOUT);
    api_pair_free(&p);
}

static void test_world(void)
{
    static world before, after;
    char *dir = strdup(unit_tmp());
    char out[200];
    int kept[2];
    snprintf(out, sizeof out, "%s/printed", dir);
    CU_ASSERT_PTR_NOT_NULL(setlocale(LC_ALL, ""));
    fflush(stdout);
    int file = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    for (int i = 0; i < 2; i++) {
        kept[i] = fcntl(i + 1, F_DUPFD_CLOEXEC, 10);
        dup2(file, i + 1);
    }
    signal(SIGPIPE, SIG_DFL); /* would end this program */
    look(&before);
    for (enum api_link link = API_PIPE; link <= API_TCP; link++)
        for (int f = TALLY_MATCH; f <= TALLY_SUM; f++) {
            api_pair p;
            api_pair_new(&p, 20, (enum tally_function)f, TALLY_AUTO, link);
            api_pair_run(&p);
            CU_ASSERT(!p.side[0].status && !p.side[1].status);
            api_pair_free(&p);
        }
    fail_in_all_ways(dir);
    look(&after);
    for (int i = 0; i < 2; i++) {
        dup2(kept[i], i + 1);
        close(kept[i]);
    }
    close(file);
    for (int i = 1; i < 65; i++) {
        CU_ASSERT(before.action[i].sa_handler == after.action[i].sa_handler);
        CU_ASSERT_EQUAL(before.action[i].sa_flags, after.action[i].sa_flags);
        CU_ASSERT_EQUAL(sigismember(&before.blocked, i), sigismember(&after.blocked, i));
    }
    CU_ASSERT_EQUAL(before.mask, after.mask);
    CU_ASSERT_STRING_EQUAL(before.folder, after.folder);
    CU_ASSERT_STRING_EQUAL(before.locale, after.locale);
    CU_ASSERT_EQUAL(before.environment, after.environment);
    CU_ASSERT_EQUAL(before.written, 0);
    CU_ASSERT_EQUAL(after.written, 0);
    CU_ASSERT_EQUAL(before.files, after.files);
    free(dir);
}

/* ---- Steps ---- */

static void test_steps(void)
{
    api_pair p;
    tally_error error;
    api_pair_new(&p, 2000, TALLY_MATCH, TALLY_ECDH, API_PIPE);
    tally_session *s = p.side[0].session;
    CU_ASSERT_EQUAL(tally_session_poll_fd(s), -1);
    CU_ASSERT_EQUAL(tally_session_deadline_ms(s), -1);
    CU_ASSERT_EQUAL(tally_session_step(s, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_start(s, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_start(s, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_run(s, &error), TALLY_ERR_USAGE);
    api_run(&p.side[1]);
    struct pollfd ready = {.fd = tally_session_poll_fd(s), .events = POLLIN};
    uint64_t most = 0, steps = 0;
    do {
        CU_ASSERT_EQUAL_FATAL(poll(&ready, 1, 20000), 1);
        CU_ASSERT_EQUAL(tally_session_deadline_ms(s), 0);
        uint64_t rows = p.side[0].rows;
        p.side[0].status = tally_session_step(s, &error);
        most = p.side[0].rows - rows > most ? p.side[0].rows - rows : most;
        steps++;
    } while (p.side[0].status == TALLY_IN_PROGRESS);
    CU_ASSERT(most > 0 && most <= 256 && steps >= 1000 / 256);
    api_join(&p.side[1]);
    CU_ASSERT(api_pair_good(&p));
    CU_ASSERT_EQUAL(tally_session_step(s, &error), TALLY_OK); /* once more: the same */
    CU_ASSERT_EQUAL(tally_session_deadline_ms(s), 0);
    CU_ASSERT_EQUAL(poll(&ready, 1, 0), 1);
    api_pair_free(&p);
    CU_ASSERT_STRING_EQUAL(tally_status_name(TALLY_IN_PROGRESS), "in progress");
}

/* Nobody steps for a while: the run waits, and neither side gives up. */
static void test_back_pressure(void)
{
    api_pair p;
    api_side *sides[] = {&p.side[0]};
    api_pair_new(&p, 600, TALLY_MATCH, TALLY_ECDH, API_PIPE);
    CU_ASSERT_EQUAL_FATAL(tally_session_start(p.side[0].session, NULL), TALLY_OK);
    api_run(&p.side[1]);
    pause_ms(300);
    CU_ASSERT_EQUAL(p.side[0].rows, 0);
    api_loop(sides, 1);
    api_join(&p.side[1]);
    CU_ASSERT(api_pair_good(&p));
    api_pair_free(&p);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Freed while it runs, at every moment; and while it waits for steps that never come. */
static void test_free_started(void)
{
    size_t threads = api_threads(), files = api_open_files();
    for (int i = 0; i < 12; i++) {
        api_pair p;
        api_pair_new(&p, 400, TALLY_MATCH, TALLY_ECDH, i % 2 ? API_TCP : API_PIPE);
        CU_ASSERT_EQUAL_FATAL(tally_session_start(p.side[0].session, NULL), TALLY_OK);
        if (i != 1)
            api_run(&p.side[1]);
        pause_ms(i * 7);
        int64_t began = now_ms();
        tally_session_free(p.side[0].session);
        CU_ASSERT(now_ms() - began < 3000);
        p.side[0].session = NULL;
        tally_session_cancel(p.side[1].session);
        if (i != 1)
            api_join(&p.side[1]);
        api_pair_free(&p);
    }
    CU_ASSERT_EQUAL(api_threads(), threads);
    CU_ASSERT_EQUAL(api_open_files(), files);
}

/* ---- Callbacks ---- */

typedef struct inside {
    tally_session *session;
    enum { STOP, CANCEL, FREE, RUN } what;
    int calls;
    tally_status status;
} inside;

static int act(void *user, uint64_t row, uint64_t line)
{
    inside *in = user;
    (void)row, (void)line;
    in->calls++;
    switch (in->what) {
    case STOP:
        return 1;
    case CANCEL:
        tally_session_cancel(in->session);
        break;
    case FREE:
        tally_session_free(in->session);
        break;
    case RUN:
        CU_ASSERT_EQUAL(tally_session_run(in->session, NULL), TALLY_ERR_USAGE);
        CU_ASSERT_EQUAL(tally_session_start(in->session, NULL), TALLY_ERR_USAGE);
        CU_ASSERT_EQUAL(tally_session_step(in->session, NULL), TALLY_ERR_USAGE);
        break;
    }
    return 0;
}

static int act_columns(void *user, uint64_t row, uint64_t line, const tally_text *values, size_t count)
{
    CU_ASSERT(count == 1 && values[0].len == 4 && memcmp(values[0].p, "Oslo", 4) == 0);
    return act(user, row, line);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    if (!f || fputs(text, f) < 0 || fclose(f))
        abort();
}

/* With columns and an output, so that a file could be left behind. */
static void run_inside(int what, int stepped, int columns, tally_status want, int calls)
{
    api_pair p;
    char list[200], own[200], out[200];
    api_side *sides[] = {&p.side[0]};
    snprintf(list, sizeof list, "%s/list.csv", unit_tmp());
    snprintf(own, sizeof own, "%s/own.csv", unit_tmp());
    snprintf(out, sizeof out, "%s/out.csv", unit_tmp());
    write_file(list, "id,city\n1,Oslo\n2,Oslo\n");
    write_file(own, "id\n1\n2\n3\n");
    api_pair_new(&p, 0, TALLY_MATCH, TALLY_ECDH, API_PIPE);
    inside in = {.session = p.side[0].session, .what = what};
    CU_ASSERT_EQUAL(tally_input_set_file(p.side[0].input, own, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_set_file(p.side[1].input, list, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_set_output(in.session, out, 0, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_add_offer(p.side[1].session, "city", 10, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_add_want(in.session, "city", NULL), TALLY_OK);
    if (columns) {
        tally_session_on_match(in.session, NULL, NULL);
        tally_session_on_columns(in.session, act_columns, &in);
    } else {
        tally_session_on_match(in.session, act, &in);
    }
    api_run(&p.side[1]);
    if (stepped) {
        CU_ASSERT_EQUAL_FATAL(tally_session_start(in.session, NULL), TALLY_OK);
        api_loop(sides, 1);
    } else {
        p.side[0].status = tally_session_run(in.session, &p.side[0].error);
    }
    api_join(&p.side[1]);
    CU_ASSERT_EQUAL(p.side[0].status, want);
    CU_ASSERT_EQUAL(p.side[0].error.status, want);
    CU_ASSERT_EQUAL(in.calls, calls);
    CU_ASSERT_EQUAL(access(out, F_OK) == 0, want == TALLY_OK);
    if (want) {
        const tally_error *last = tally_session_error(in.session);
        CU_ASSERT(last->status == want && strcmp(last->message, p.side[0].error.message) == 0);
    }
    unlink(out);
    api_pair_free(&p);
}

static void test_callbacks(void)
{
    for (int stepped = 0; stepped < 2; stepped++)
        for (int columns = 0; columns < 2; columns++) {
            run_inside(STOP, stepped, columns, TALLY_ERR_INTERRUPTED, 1);
            run_inside(CANCEL, stepped, columns, TALLY_ERR_INTERRUPTED, 1);
            run_inside(FREE, stepped, columns, TALLY_ERR_INTERRUPTED, 1);
            run_inside(RUN, stepped, columns, TALLY_OK, 2);
        }
}

/* ---- Errors ---- */

static void test_error(void)
{
    tally_session *s = NULL;
    CU_ASSERT_EQUAL_FATAL(tally_session_new(&s, NULL), TALLY_OK);
    const tally_error *last = tally_session_error(s);
    CU_ASSERT(last && last->status == TALLY_OK && !*last->message && !*last->hint);
    CU_ASSERT_EQUAL(tally_session_set_min_overlap(s, 1, NULL), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(last->status, TALLY_ERR_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(last->message, "minimum overlap"));
    CU_ASSERT_EQUAL(tally_session_set_min_overlap(s, 2, NULL), TALLY_OK); /* keeps the last failure */
    CU_ASSERT_PTR_NOT_NULL(strstr(last->message, "minimum overlap"));
    CU_ASSERT_EQUAL(tally_session_run(s, NULL), TALLY_ERR_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(tally_session_error(s)->message, "input"));
    tally_session_free(s);
    CU_ASSERT_EQUAL(tally_version_number(), TALLY_VERSION_NUMBER);
    CU_ASSERT_EQUAL(TALLY_VERSION_NUMBER, TALLY_VERSION_MAJOR * 10000 + TALLY_VERSION_MINOR * 100);
}

/* ---- Cancel ---- */

static tally_session *volatile to_cancel;

static void on_alarm(int number)
{
    (void)number;
    tally_session_cancel(to_cancel);
}

static void *cancel_soon(void *user)
{
    pause_ms(50);
    tally_session_cancel(user);
    return NULL;
}

/* Its abort is waited for until the peer closes, or for 2 s. */
static void *hang_up(void *user)
{
    const api_side *peer = user;
    pause_ms(300);
    peer->pipe.shutdown(peer->pipe.user);
    return NULL;
}

/* A session that waits for a peer who never comes, or who says nothing over the pipe. */
static void test_cancel(void)
{
    for (int i = 1; i < 4; i++) {
        api_pair p;
        api_side *sides[] = {&p.side[i / 2]};
        pthread_t thread, peer;
        api_pair_new(&p, 4, TALLY_MATCH, TALLY_ECDH, i / 2 ? API_TCP : API_PIPE);
        to_cancel = sides[0]->session;
        int64_t began = now_ms();
        if (i == 1)
            pthread_create(&peer, NULL, hang_up, &p.side[1]);
        if (i % 2) {
            struct sigaction a = {.sa_handler = on_alarm};
            sigaction(SIGALRM, &a, NULL);
            timer_t timer;
            const struct itimerspec t = {.it_value.tv_nsec = 50000000};
            CU_ASSERT_EQUAL(timer_create(CLOCK_MONOTONIC, NULL, &timer), 0);
            timer_settime(timer, 0, &t, NULL);
            sides[0]->status = tally_session_run(sides[0]->session, &sides[0]->error);
            timer_delete(timer);
        } else {
            pthread_create(&thread, NULL, cancel_soon, sides[0]->session);
            CU_ASSERT_EQUAL(tally_session_start(sides[0]->session, NULL), TALLY_OK);
            api_loop(sides, 1);
            pthread_join(thread, NULL);
        }
        CU_ASSERT_EQUAL(sides[0]->status, TALLY_ERR_INTERRUPTED);
        CU_ASSERT(now_ms() - began >= 45 && now_ms() - began < 2000);
        if (i == 1)
            pthread_join(peer, NULL);
        api_pair_free(&p);
    }
}

/* ---- Executors ---- */

/* Of the whole of a run's work: with threads, refusing some, refusing all, and taking all without running
 * any. */
static void test_executor(void)
{
    const unsigned threads[] = {3, 3, 1, 0}, refuse[] = {0, 2, 1, 0};
    for (int i = 0; i < 4; i++) {
        api_pair p;
        tally_executor x;
        api_executor *executor = api_executor_new(threads[i], refuse[i], &x);
        size_t before = api_threads();
        api_pair_new(&p, 3000, TALLY_MATCH, TALLY_ECDH, API_PIPE);
        for (int k = 0; k < 2; k++) {
            tally_session_set_executor(p.side[k].session, &x);
            tally_session_set_threads(p.side[k].session, 4);
        }
        api_pair_run(&p);
        CU_ASSERT(api_pair_good(&p));
        CU_ASSERT_EQUAL(api_executor_jobs(executor) > 0, i < 2);
        api_pair_free(&p); /* before the jobs that are still in the queue */
        CU_ASSERT_EQUAL(api_threads(), before);
        api_executor_free(executor);
    }
}

/* ---- Fork ---- */

/* In a child: status 0 if all is as it should be. */
static int in_child(api_pair *p, api_side *running, tally_ledger *ledger)
{
    uint64_t runs;
    tally_error error;
    int good = tally_session_run(p->side[0].session, &error) == TALLY_ERR_USAGE &&
               strstr(error.message, "fork") && tally_session_start(p->side[0].session, NULL) &&
               tally_session_step(running->session, NULL) == TALLY_ERR_USAGE;
    good = good && tally_ledger_runs(ledger, &runs, &error) == TALLY_ERR_USAGE &&
           strstr(error.message, "fork") &&
           tally_ledger_backup(ledger, "/nonexistent/copy", &error) == TALLY_ERR_USAGE;
    tally_ledger_free(ledger);
    tally_session_cancel(running->session); /* not the parent's */
    tally_session_free(running->session);
    api_pair_free(p);
    api_pair_new(p, 10, TALLY_MATCH, TALLY_ECDH, API_PIPE_TLS); /* with identities of before the fork */
    api_pair_run(p);
    good = good && api_pair_good(p);
    api_pair_free(p);
    return !good;
}

static void test_fork(void)
{
    api_pair p, running;
    api_side *sides[] = {&running.side[0]};
    int status = -1;
    char path[200];
    uint64_t runs = 1;
    tally_ledger *ledger = NULL;
    snprintf(path, sizeof path, "%s/ledger.db", unit_tmp());
    CU_ASSERT_EQUAL_FATAL(tally_ledger_open(&ledger, path, TALLY_LEDGER_WRITE, NULL), TALLY_OK);
    api_pair_new(&p, 4, TALLY_MATCH, TALLY_ECDH, API_PIPE);
    api_pair_new(&running, 4, TALLY_MATCH, TALLY_ECDH, API_PIPE);
    CU_ASSERT_EQUAL_FATAL(tally_session_start(running.side[0].session, NULL), TALLY_OK);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) /* ThreadSanitizer cannot run a child with threads of its own */
        _exit(SANITIZED ? 0 : in_child(&p, &running.side[0], ledger));
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CU_ASSERT(tally_ledger_runs(ledger, &runs, NULL) == TALLY_OK && runs == 0);
    tally_ledger_free(ledger);
    api_run(&running.side[1]); /* the parent's goes on */
    api_loop(sides, 1);
    api_join(&running.side[1]);
    CU_ASSERT(api_pair_good(&running));
    api_pair_free(&running);
    api_pair_free(&p);
}

/* Keys made in parent and child, after both drew from the same state. */
static void test_fork_random(void)
{
    char dir[2][200], texts[2][TALLY_FINGERPRINT_TEXT] = {{0}};
    int fds[2];
    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    for (int i = 0; i < 2; i++)
        snprintf(dir[i], sizeof dir[i], "%s/forked%d", unit_tmp(), i);
    fflush(stdout);
    pid_t child = fork();
    tally_identity *identity = NULL;
    int me = child != 0;
    if (tally_identity_create(dir[me], "org", NULL) || tally_identity_load(dir[me], &identity, NULL))
        abort();
    snprintf(texts[me], sizeof texts[me], "%s", tally_identity_fingerprint(identity));
    tally_identity_free(identity);
    if (!me)
        _exit(write(fds[1], texts[0], sizeof texts[0]) != sizeof texts[0]);
    CU_ASSERT_EQUAL(read(fds[0], texts[0], sizeof texts[0]), (ssize_t)sizeof texts[0]);
    waitpid(child, NULL, 0);
    close(fds[0]);
    close(fds[1]);
    CU_ASSERT_EQUAL(strlen(texts[0]), 71);
    CU_ASSERT_STRING_NOT_EQUAL(texts[0], texts[1]);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"world", test_world},
                                      {"steps", test_steps},
                                      {"back_pressure", test_back_pressure},
                                      {"free_started", test_free_started},
                                      {"callbacks", test_callbacks},
                                      {"error", test_error},
                                      {"cancel", test_cancel},
                                      {"executor", test_executor},
                                      {"fork", test_fork},
                                      {"fork_random", test_fork_random}};
    api_identities_new(unit_tmp());
    int status = unit_main(argc, argv, "api_rules", tests, sizeof tests / sizeof *tests);
    api_identities_free();
    return status;
}
