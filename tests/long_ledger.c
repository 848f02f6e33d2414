/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger at length, for `make check-long`: every byte of a ledger of 100 sessions changed once; what a
 * session costs in syncs and processor time; a ledger of a million sessions, timed. The records are as long
 * as those of real runs. Usage: long_ledger [SESSIONS], 1000000 unless said otherwise; status 1 when a check
 * fails.
 */
#include "tests/support_ledger.h"
#include "tests/support_vfs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { INTENT = 1100, OUTCOME = 3100, SYNCED = 200 };

static unsigned passed, failed;

static void check(int good, const char *what)
{
    passed += good != 0;
    failed += !good;
    if (!good)
        printf("failed: %s\n", what);
}

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static char bodies[2][OUTCOME + 64];

/* A record of this length. */
static party_record record(enum party_record_kind kind, uint64_t n)
{
    char *body = bodies[kind == PARTY_OUTCOME];
    size_t len = kind == PARTY_OUTCOME ? OUTCOME : INTENT;
    int used = snprintf(body, OUTCOME, "{\"n\":%" PRIu64 ",\"text\":\"", n);
    memset(body + used, 'x', len - (size_t)used);
    memcpy(body + len, "\"}", 3);
    return (party_record){.kind = kind,
                          .run = n,
                          .time = 1787652000 + (int64_t)n,
                          .day = 20260825,
                          .function = TALLY_COUNT,
                          .role = TALLY_RECEIVER,
                          .items = 1000,
                          .peer_items = kind == PARTY_OUTCOME ? 1000 : 0,
                          .disclosed = kind == PARTY_OUTCOME,
                          .peer = "Example Agency",
                          .body = body,
                          .body_len = len + 2};
}

static void session(tally_ledger *l, const tally_identity *id)
{
    uint8_t root[32];
    uint64_t n = 0;
    enum party_agreed_id broken;
    tally_error error = {.message = ""};
    party_record r = record(PARTY_INTENT, 1);
    tally_status st = party_ledger_begin(l, id, NULL, NULL, &r, &n, root, &broken, &error);
    r = record(PARTY_OUTCOME, n);
    if (!st)
        st = party_ledger_end(l, id, &r, &error);
    if (st) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
}

static void every_byte(void)
{
    const char *path = ledger_path();
    tally_ledger *l = ledger_open(path, TALLY_LEDGER_WRITE);
    tally_status st;
    size_t len, noticed = 0, wrong = 0;
    double start = now(CLOCK_MONOTONIC);
    if (party_ledger_bulk(l, 1, NULL))
        exit(1);
    for (int i = 0; i < 100; i++)
        ledger_whole(l, &(ledger_run){0});
    if (party_ledger_bulk(l, 0, NULL))
        exit(1);
    char *dump = ledger_dump(l, &st);
    tally_ledger_free(l);
    uint8_t *bytes = ledger_bytes(path, &len);
    int fd = open(path, O_RDWR);
    for (size_t at = 0; at < len; at++) {
        uint8_t byte = bytes[at] ^ (uint8_t)(1 + at * 37 % 255);
        if (pwrite(fd, &byte, 1, (off_t)at) != 1)
            exit(1);
        st = tally_ledger_open(&l, path, TALLY_LEDGER_READ, NULL);
        if (!st) {
            st = tally_ledger_verify(l, 0, NULL, NULL);
            char *again = st ? NULL : ledger_dump(l, &st);
            wrong += !st && strcmp(again, dump) != 0;
            free(again);
            tally_ledger_free(l);
        }
        noticed += st != TALLY_OK;
        if (pwrite(fd, &bytes[at], 1, (off_t)at) != 1)
            exit(1);
    }
    close(fd);
    printf("bytes: %zu changed, one at a time: %zu noticed, %zu say the same as before, %zu wrong (%.0f s)\n",
           len, noticed, len - noticed - wrong, wrong, now(CLOCK_MONOTONIC) - start);
    check(!wrong, "a changed byte was not noticed");
    free(bytes);
    free(dump);
}

static void cost(const tally_identity *id)
{
    vfs_install();
    tally_ledger *l = ledger_open(ledger_path(), TALLY_LEDGER_WRITE);
    session(l, id);
    unsigned long syncs = vfs_syncs();
    double start = now(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < SYNCED; i++)
        session(l, id);
    double cpu = now(CLOCK_PROCESS_CPUTIME_ID) - start;
    double each = (double)(vfs_syncs() - syncs) / SYNCED;
    printf("session: %.1f syncs, %.0f us of processor time, two signed checkpoints in it (disk in memory)\n",
           each, 1e6 * cpu / SYNCED);
    check(each < 12, "a session syncs too often");
    tally_ledger_free(l);
    vfs_remove();
}

static uint64_t listed;

static int count(void *user, const tally_run *run)
{
    (void)user, (void)run;
    listed++;
    return 0;
}

static void timed(const char *what, double *since, int good)
{
    double t = now(CLOCK_MONOTONIC);
    printf("  %-28s %9.3f s\n", what, t - *since);
    check(good, what);
    *since = now(CLOCK_MONOTONIC);
}

static void many(const tally_identity *id, uint64_t sessions)
{
    const char *path = ledger_path();
    tally_ledger *l = ledger_open(path, TALLY_LEDGER_WRITE);
    tally_ledger_state state = {.runs = 0};
    struct stat info = {.st_size = 0};
    char *note = NULL, *proof = NULL, *older = NULL, *shown = NULL, *json = NULL;
    double t = now(CLOCK_MONOTONIC);
    if (party_ledger_bulk(l, 1, NULL))
        exit(1);
    for (uint64_t i = 0; i < sessions; i++)
        session(l, NULL);
    int good = !party_ledger_bulk(l, 0, NULL) && !stat(path, &info);
    printf("%" PRIu64 " sessions, %.2f GB:\n", sessions, 1e-9 * (double)info.st_size);
    timed("made, in one transaction", &t, good);
    timed("older checkpoint", &t, !tally_ledger_checkpoint(l, &older, NULL));
    session(l, id);
    timed("one more session, synced", &t, 1);
    timed("list", &t, !tally_ledger_list(l, 1, UINT64_MAX, count, NULL, NULL) && listed == sessions + 1);
    timed("list of the last hundred", &t,
          !tally_ledger_list(l, sessions - 98, UINT64_MAX, count, NULL, NULL));
    timed("show", &t, !tally_ledger_run_json(l, sessions / 2, &json, NULL));
    timed("checkpoint", &t, !tally_ledger_checkpoint(l, &note, NULL));
    timed("prove", &t, !tally_ledger_prove(l, sessions / 3, older, &proof, NULL));
    timed("check-proof", &t, !tally_proof_check(proof, note, NULL, &shown, NULL));
    timed("verify", &t, !tally_ledger_verify(l, 0, &state, NULL) && state.runs == sessions + 1);
    free(json);
    free(shown);
    free(older);
    free(proof);
    free(note);
    tally_ledger_free(l);
}

int main(int argc, char **argv)
{
    uint64_t sessions = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    tally_identity *id = ledger_identity("bank");
    setvbuf(stdout, NULL, _IOLBF, 0);
    cost(id);
    many(id, sessions < 200 ? 200 : sessions);
    every_byte();
    tally_identity_free(id);
    const char *results = getenv("TALLY_RESULTS");
    FILE *f = results && *results ? fopen(results, "a") : NULL;
    if (f) {
        fprintf(f, "long_ledger %u %u\n", passed, failed);
        fclose(f);
    }
    return failed != 0;
}
