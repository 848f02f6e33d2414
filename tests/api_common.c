/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/api_common.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static tally_identity *identities[2];

static void must(tally_status st, const tally_error *error)
{
    if (st) {
        fprintf(stderr, "cannot prepare the test: %s\n", error->message);
        abort();
    }
}

void api_identities_new(const char *dir)
{
    static const char *const names[] = {"bank", "court"};
    tally_error error;
    char path[200];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        must(tally_identity_create(path, names[i], &error), &error);
        must(tally_identity_load(path, &identities[i], &error), &error);
    }
}

void api_identities_free(void)
{
    for (int i = 0; i < 2; i++) {
        tally_identity_free(identities[i]);
        identities[i] = NULL;
    }
}

/* ---- A pair ---- */

static void note_caller(api_side *side)
{
    if (side->check_caller && !pthread_equal(side->caller, pthread_self()))
        side->wrong_caller = 1;
}

static int on_match(void *user, uint64_t row, uint64_t line)
{
    api_side *side = user;
    note_caller(side);
    side->rows++;
    return row != line;
}

static void on_progress(void *user, const char *phase, uint64_t done, uint64_t total)
{
    api_side *side = user;
    note_caller(side);
    side->progress += *phase && (!total || done <= total);
}

static void on_log(void *user, int level, const char *line)
{
    api_side *side = user;
    note_caller(side);
    side->lines += level <= 2 && *line;
}

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || getsockname(fd, (struct sockaddr *)&a, &len))
        abort();
    close(fd);
    return ntohs(a.sin_port);
}

static void set_link(api_pair *p, enum api_link link)
{
    tally_error error;
    char address[40];
    if (link == API_TCP)
        snprintf(address, sizeof address, "127.0.0.1:%d", free_port());
    else
        must(tally_pipe_new(&p->side[0].pipe, &p->side[1].pipe, &error), &error);
    for (int i = 0; i < 2; i++) {
        tally_session *s = p->side[i].session;
        if (link == API_TCP)
            must((i ? tally_session_set_listen : tally_session_set_connect)(s, address, &error), &error);
        else
            tally_session_set_transport(s, &p->side[i].pipe, link == API_PIPE_TLS, i);
        if (link != API_PIPE) {
            tally_session_set_identity(s, identities[i]);
            must(tally_session_add_peer_pin(s, tally_identity_fingerprint(identities[!i]), &error), &error);
        }
    }
}

void api_pair_new(api_pair *p, size_t n, enum tally_function function, enum tally_protocol protocol,
                  enum api_link link)
{
    tally_error error;
    char id[32];
    memset(p, 0, sizeof *p);
    p->n = n;
    for (int i = 0; i < 2; i++) {
        api_side *side = &p->side[i];
        must(tally_input_new(&side->input, &error), &error);
        must(tally_input_add_key(side->input, "id", "exact", &error), &error);
        if (i && function == TALLY_SUM)
            must(tally_input_add_value(side->input, "amount", 0, 1000, 0, &error), &error);
        for (size_t k = 0; k < n; k += i ? 2 : 1) {
            int64_t amount = 1;
            tally_text key = {id, (size_t)snprintf(id, sizeof id, "person-%zu", k)};
            must(i && function == TALLY_SUM
                     ? tally_input_add_row_numbers(side->input, &key, 1, &amount, 1, &error)
                     : tally_input_add_row(side->input, &key, 1, &error),
                 &error);
        }
        must(tally_session_new(&side->session, &error), &error);
        tally_session_set_role(side->session, i ? TALLY_SENDER : TALLY_RECEIVER);
        tally_session_set_function(side->session, function);
        tally_session_set_protocol(side->session, protocol);
        tally_session_set_input(side->session, side->input);
        tally_session_set_timeout(side->session, 120);
        tally_session_set_threads(side->session, 2);
        tally_session_on_match(side->session, on_match, side);
        tally_session_on_progress(side->session, on_progress, side);
        tally_session_on_log(side->session, on_log, side);
    }
    set_link(p, link);
}

void api_pair_free(api_pair *p)
{
    for (int i = 0; i < 2; i++) {
        tally_session_free(p->side[i].session);
        tally_input_free(p->side[i].input);
    }
    for (int i = 0; i < 2; i++)
        tally_pipe_free(&p->side[i].pipe);
}

static void *run_side(void *user)
{
    api_side *side = user;
    side->status = tally_session_run(side->session, &side->error);
    if (side->status && side->pipe.shutdown)
        side->pipe.shutdown(side->pipe.user);
    return NULL;
}

void api_run(api_side *side)
{
    if (pthread_create(&side->thread, NULL, run_side, side))
        abort();
}

void api_join(api_side *side)
{
    pthread_join(side->thread, NULL);
}

void api_pair_run(api_pair *p)
{
    api_run(&p->side[1]);
    run_side(&p->side[0]);
    api_join(&p->side[1]);
}

int api_pair_good(const api_pair *p)
{
    tally_result r;
    tally_session_get_result(p->side[0].session, &r);
    return !p->side[0].status && !p->side[1].status && !p->side[0].wrong_caller && !p->side[1].wrong_caller &&
           r.matched_items == (p->n + 1) / 2 && p->side[0].rows == r.matched_rows && p->side[1].rows == 0;
}

/* ---- The loop ---- */

static void step(api_side *side, int epoll, size_t *left)
{
    side->status = tally_session_step(side->session, &side->error);
    if (side->status == TALLY_IN_PROGRESS)
        return;
    if (side->status && side->pipe.shutdown)
        side->pipe.shutdown(side->pipe.user);
    epoll_ctl(epoll, EPOLL_CTL_DEL, tally_session_poll_fd(side->session), NULL);
    (*left)--;
}

void api_loop(api_side **sides, size_t count)
{
    struct epoll_event ready[16];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    size_t left = count;
    for (size_t i = 0; i < count; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = sides[i]};
        if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, tally_session_poll_fd(sides[i]->session), &e))
            abort();
    }
    while (left) {
        int n = epoll_wait(epoll, ready, 16, 60000);
        if (n <= 0) {
            fprintf(stderr, "%zu sessions are stuck\n", left);
            abort();
        }
        for (int i = 0; i < n; i++)
            step(ready[i].data.ptr, epoll, &left);
    }
    close(epoll);
}

/* ---- An executor ---- */

#define JOBS 4096u

struct api_executor {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct {
        void (*job)(void *);
        void *arg;
    } ring[JOBS];
    size_t first, used;
    unsigned threads, refuse, asked;
    int stop;
    atomic_ullong jobs;
    pthread_t thread[16];
};

static int submit(void *user, void (*job)(void *), void *arg)
{
    api_executor *x = user;
    pthread_mutex_lock(&x->lock);
    int refused = x->used == JOBS || (x->refuse && ++x->asked % x->refuse == 0);
    if (!refused) {
        size_t at = (x->first + x->used++) % JOBS;
        x->ring[at].job = job;
        x->ring[at].arg = arg;
        pthread_cond_signal(&x->changed);
    }
    pthread_mutex_unlock(&x->lock);
    return refused;
}

static void *work(void *user)
{
    api_executor *x = user;
    pthread_mutex_lock(&x->lock);
    for (;;) {
        while (!x->used && !x->stop)
            pthread_cond_wait(&x->changed, &x->lock);
        if (!x->used)
            break;
        void (*job)(void *) = x->ring[x->first].job;
        void *arg = x->ring[x->first].arg;
        x->first = (x->first + 1) % JOBS;
        x->used--;
        pthread_mutex_unlock(&x->lock);
        job(arg);
        atomic_fetch_add(&x->jobs, 1);
        pthread_mutex_lock(&x->lock);
    }
    pthread_mutex_unlock(&x->lock);
    return NULL;
}

api_executor *api_executor_new(unsigned threads, unsigned refuse, tally_executor *out)
{
    api_executor *x = calloc(1, sizeof *x);
    if (!x || threads > 16)
        abort();
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->changed, NULL);
    x->threads = threads;
    x->refuse = refuse;
    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&x->thread[i], NULL, work, x))
            abort();
    *out = (tally_executor){x, submit};
    return x;
}

uint64_t api_executor_jobs(const api_executor *x)
{
    return atomic_load(&x->jobs);
}

void api_executor_free(api_executor *x)
{
    pthread_mutex_lock(&x->lock);
    x->stop = 1;
    pthread_cond_broadcast(&x->changed);
    pthread_mutex_unlock(&x->lock);
    for (unsigned i = 0; i < x->threads; i++)
        pthread_join(x->thread[i], NULL);
    while (x->used) { /* without threads: jobs that nobody ran are late ones */
        void (*job)(void *) = x->ring[x->first].job;
        void *arg = x->ring[x->first].arg;
        x->first = (x->first + 1) % JOBS;
        x->used--;
        job(arg);
    }
    pthread_cond_destroy(&x->changed);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

/* ---- What a process has ---- */

static size_t entries(const char *path)
{
    size_t n = 0;
    DIR *d = opendir(path);
    if (!d)
        abort();
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

size_t api_open_files(void)
{
    return entries("/proc/self/fd");
}

size_t api_threads(void)
{
    return entries("/proc/self/task");
}

size_t api_resident_kib(void)
{
    char line[128];
    size_t kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtoul(line + 6, NULL, 10);
    if (f)
        fclose(f);
    return kib;
}
