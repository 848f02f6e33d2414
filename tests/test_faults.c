/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault sweep: each allocation, each random read and each file call of a small session fails in
 * turn. The side it hits ends with the very code, the other hears of it, no row is told and no file is left;
 * leaks show under ASan.
 */
#include "party/io.h"
#include "psi/mem.h"
#include "psi/rng.h"
#include "tests/support_session.h"
#include "tests/unit.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 6, STEPS_MAX = 2000 };
static const uint32_t receiver_ids[N] = {1, 2, 3, 4, 5, 6}, sender_ids[N] = {4, 5, 6, 7, 8, 9};

/* A counter of calls that can be told to fail at one: allocations, random reads, file calls. */
typedef struct fault {
    void (*fail_at)(unsigned long n);
    unsigned long (*count)(void);
    tally_status status;
    tally_status otherwise; /* or this, where the cause is lost on the way; equal to status if nowhere */
} fault;

static void io_fail_at(unsigned long n)
{
    party_io_fail_at(n, ENOSPC);
}

static const fault memory = {psi_mem_fail_at, psi_mem_count, TALLY_ERR_NO_MEMORY, TALLY_ERR_NO_MEMORY};
static const fault randomness = {psi_rng_fail_at, psi_rng_count, TALLY_ERR_RANDOM, TALLY_ERR_RANDOM};
/* A thread's work space whose stream gets no seed counts as one that could not be made. */
static const fault randomness_of_vole = {psi_rng_fail_at, psi_rng_count, TALLY_ERR_RANDOM,
                                         TALLY_ERR_NO_MEMORY};
static const fault files = {io_fail_at, party_io_count, TALLY_ERR_FILE, TALLY_ERR_FILE};

/* What a test puts on top of the pair before each run, and checks after it. */
typedef struct setting {
    enum tally_protocol protocol; /* auto: ecdh for lists this small */
    enum tally_security security;
    int count; /* the function: a count of at least 2 instead of a match */
    uint64_t epsilon_micro;
    tally_identity *identity[2]; /* TLS when set */
    const char *dir;             /* CSV input and output of the receiver there, when set */
} setting;

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f))
        abort();
}

static size_t files_in(const char *dir)
{
    size_t count = 0;
    DIR *d = opendir(dir);
    if (!d)
        abort();
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        count += e->d_name[0] != '.' || (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0);
    closedir(d);
    return count;
}

static void prepare(pair *p, const setting *s)
{
    char path[200];
    pair_init(p, s->security, TALLY_REVEAL_BOTH);
    pair_set_protocol(p, s->protocol);
    for (int i = 0; s->count && i < 2; i++) {
        tally_session_set_function(p->side[i].session, TALLY_COUNT);
        CU_ASSERT_EQUAL(tally_session_set_noise(p->side[i].session, s->epsilon_micro, NULL), TALLY_OK);
        if (!s->epsilon_micro)
            CU_ASSERT_EQUAL(tally_session_set_min_overlap(p->side[i].session, 2, NULL), TALLY_OK);
    }
    pair_add(&p->side[PAIR_SENDER], sender_ids, N);
    if (s->dir) {
        tally_session *receiver = p->side[PAIR_RECEIVER].session;
        snprintf(path, sizeof path, "%s/in.csv", s->dir);
        CU_ASSERT_EQUAL(tally_input_set_file(p->side[PAIR_RECEIVER].input, path, NULL), TALLY_OK);
        snprintf(path, sizeof path, "%s/out.csv", s->dir);
        CU_ASSERT_EQUAL(tally_session_set_output(receiver, path, 0, NULL), TALLY_OK);
        tally_session_on_match(receiver, NULL, NULL);
    } else {
        pair_add(&p->side[PAIR_RECEIVER], receiver_ids, N);
    }
    for (int i = 0; s->identity[0] && i < 2; i++) {
        tally_session_set_transport(p->side[i].session, &p->side[i].pipe, 1, i);
        tally_session_set_identity(p->side[i].session, s->identity[i]);
        CU_ASSERT_EQUAL(
            tally_session_add_peer_pin(p->side[i].session, tally_identity_fingerprint(s->identity[!i]), NULL),
            TALLY_OK);
    }
}

/* Runs with the n-th call failing. 1 while there was an n-th call. */
static int run_with_fault(const setting *s, const fault *f, unsigned long n)
{
    pair p;
    prepare(&p, s);
    f->fail_at(n);
    pair_start(&p);
    for (int i = 0; i < 2; i++)
        pthread_join(p.side[i].thread, NULL);
    int struck = f->count() >= n;
    f->fail_at(0);
    const pair_side *r = &p.side[PAIR_RECEIVER], *t = &p.side[PAIR_SENDER];
    if (struck) {
        int hit = r->status == f->status || r->status == f->otherwise ? PAIR_RECEIVER : PAIR_SENDER;
        const pair_side *side = &p.side[hit], *other = &p.side[!hit];
        CU_ASSERT(side->status == f->status || side->status == f->otherwise);
        CU_ASSERT_EQUAL(side->error.status, side->status);
        CU_ASSERT(side->error.message[0] != 0);
        CU_ASSERT_EQUAL(side->row_count, 0);
        tally_result result;
        tally_session_get_result(side->session, &result);
        CU_ASSERT(result.matched_items == 0 && !result.learns_figures);
        /* The other side hears of it; or it had sent the last frame, or the fault came when the run was over
         * for both. */
        CU_ASSERT(other->status == TALLY_ERR_PEER_STOPPED || other->status == TALLY_ERR_NETWORK ||
                  (other->status == TALLY_OK && hit == PAIR_RECEIVER));
        if ((side->status != f->status && side->status != f->otherwise) || other->status == f->status)
            printf("call %lu: receiver %d (%s), sender %d (%s)\n", n, r->status, r->error.message, t->status,
                   t->error.message);
    } else {
        CU_ASSERT_EQUAL(r->status, TALLY_OK);
        CU_ASSERT_EQUAL(t->status, TALLY_OK);
        CU_ASSERT_EQUAL(t->row_count, s->count ? 0 : N / 2);
        CU_ASSERT_EQUAL(r->row_count, s->dir || s->count ? 0 : N / 2);
        for (int i = 0; s->count && i < 2; i++) {
            tally_result result;
            tally_session_get_result(p.side[i].session, &result);
            CU_ASSERT(result.learns_figures && (s->epsilon_micro || result.matched_items == N / 2));
        }
    }
    if (s->dir)
        CU_ASSERT_EQUAL(files_in(s->dir), struck ? 1 : 2);
    pair_free(&p);
    return struck;
}

static unsigned long sweep(const setting *s, const fault *f)
{
    unsigned long n = 1;
    while (n < STEPS_MAX && run_with_fault(s, f, n))
        n++;
    CU_ASSERT(n < STEPS_MAX);
    return n - 1;
}

static void test_memory(void)
{
    setting s = {.security = TALLY_SEMI_HONEST};
    CU_ASSERT(sweep(&s, &memory) > 20);
    s.security = TALLY_MALICIOUS;
    CU_ASSERT(sweep(&s, &memory) > 20);
}

static void test_memory_of_vole(void)
{
    setting s = {.protocol = TALLY_VOLE, .security = TALLY_SEMI_HONEST};
    CU_ASSERT(sweep(&s, &memory) > 100);
}

static void test_randomness(void)
{
    setting s = {.security = TALLY_SEMI_HONEST};
    /* each side: nonce, opening of the list, order, key, opening of the result */
    CU_ASSERT_EQUAL(sweep(&s, &randomness), 10);
    s.security = TALLY_MALICIOUS;
    CU_ASSERT_EQUAL(sweep(&s, &randomness), 11); /* and the nonce of one proof */
    s = (setting){.protocol = TALLY_VOLE, .security = TALLY_SEMI_HONEST};
    /* each side: nonce, openings of list and result; receiver: OTs, trees, work space, seed of the bin; sender: Delta, choices,
     * nonce, OTs, order */
    CU_ASSERT_EQUAL(sweep(&s, &randomness_of_vole), 15);
}

/* A count, then one with noise. */
static void test_memory_of_counts(void)
{
    setting s = {.security = TALLY_SEMI_HONEST, .count = 1};
    CU_ASSERT(sweep(&s, &memory) > 20);
    s.epsilon_micro = 10000000;
    CU_ASSERT(sweep(&s, &memory) > 20);
}

static void test_randomness_of_counts(void)
{
    setting s = {.security = TALLY_SEMI_HONEST, .count = 1};
    /* each side: nonce, openings of list and result, dummies, order, key */
    CU_ASSERT_EQUAL(sweep(&s, &randomness), 12);
    s.epsilon_micro = 10000000;
    /* and the number of dummies on one side, noise on the other */
    CU_ASSERT_EQUAL(sweep(&s, &randomness), 14);
}

static tally_identity *new_identity(void)
{
    tally_identity *identity = NULL;
    char dir[200];
    snprintf(dir, sizeof dir, "%s/id", unit_tmp());
    CU_ASSERT_EQUAL(tally_identity_create(dir, "Example", NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_identity_load(dir, &identity, NULL), TALLY_OK);
    return identity;
}

static void test_memory_over_tls(void)
{
    setting s = {.security = TALLY_SEMI_HONEST, .identity = {new_identity(), new_identity()}};
    CU_ASSERT(sweep(&s, &memory) > 20);
    for (int i = 0; i < 2; i++)
        tally_identity_free(s.identity[i]);
}

static void prepare_dir(setting *s)
{
    char path[200];
    s->dir = unit_tmp();
    snprintf(path, sizeof path, "%s/in.csv", s->dir);
    write_text(path, "id,name\n" PAIR_MARK "3,a\n" PAIR_MARK "4,b\n" PAIR_MARK "5,c\n" PAIR_MARK "6,d\n");
}

/* The disk is full, or whatever: at every call on the input and the output. The last run succeeds and shows
 * the right rows. */
static void test_files(void)
{
    static char dir[200];
    setting s = {.security = TALLY_SEMI_HONEST};
    char path[220], text[200] = "";
    prepare_dir(&s);
    snprintf(dir, sizeof dir, "%s", s.dir);
    s.dir = dir;
    CU_ASSERT(sweep(&s, &files) >= 6); /* open, read, open, write, sync, rename at least */
    snprintf(path, sizeof path, "%s/out.csv", dir);
    FILE *f = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL(f);
    if (f) {
        text[fread(text, 1, sizeof text - 1, f)] = 0;
        fclose(f);
    }
    CU_ASSERT_STRING_EQUAL(text, "id,name\n" PAIR_MARK "4,b\n" PAIR_MARK "5,c\n" PAIR_MARK "6,d\n");
}

static void test_memory_with_files(void)
{
    static char dir[200];
    setting s = {.security = TALLY_SEMI_HONEST};
    prepare_dir(&s);
    snprintf(dir, sizeof dir, "%s", s.dir);
    s.dir = dir;
    CU_ASSERT(sweep(&s, &memory) > 20);
}

/* Making and setting up, one allocation after the other. */
static tally_status set_up(void)
{
    tally_session *session = NULL;
    tally_input *input = NULL;
    tally_transport a = {0}, b = {0};
    tally_text key = {"x", 1};
    tally_error error = {.status = TALLY_OK};
    tally_status st = tally_pipe_new(&a, &b, &error);
    if (!st)
        st = tally_session_new(&session, &error);
    if (!st)
        st = tally_session_set_output(session, "out.csv", 0, &error);
    if (!st)
        st = tally_session_add_output_column(session, "name", &error);
    if (!st)
        st = tally_session_set_peer_ca(session, "ca.pem", "CN=Example", &error);
    if (!st)
        st = tally_input_new(&input, &error);
    if (!st)
        st = tally_input_add_key(input, "id", "exact", &error);
    if (!st)
        st = tally_input_add_row(input, &key, 1, &error);
    if (!st)
        st = tally_input_load(input, &error);
    CU_ASSERT_EQUAL(error.status, st);
    tally_input_free(input);
    tally_session_free(session);
    tally_pipe_free(&a);
    tally_pipe_free(&b);
    return st;
}

static void test_setting_up(void)
{
    unsigned long n = 0;
    tally_status st;
    do {
        psi_mem_fail_at(++n);
        st = set_up();
        CU_ASSERT(st == (psi_mem_count() >= n ? TALLY_ERR_NO_MEMORY : TALLY_OK));
        psi_mem_fail_at(0);
    } while (st && n < STEPS_MAX);
    CU_ASSERT_EQUAL(st, TALLY_OK);
    CU_ASSERT(n > 8);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"memory", test_memory},
                                      {"memory_of_vole", test_memory_of_vole},
                                      {"randomness", test_randomness},
                                      {"memory_over_tls", test_memory_over_tls},
                                      {"files", test_files},
                                      {"memory_with_files", test_memory_with_files},
                                      {"memory_of_counts", test_memory_of_counts},
                                      {"randomness_of_counts", test_randomness_of_counts},
                                      {"setting_up", test_setting_up}};
    return unit_main(argc, argv, "faults", tests, sizeof tests / sizeof *tests);
}
