/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger: records in and out, quotas, the differencing guard, opening, copies. */
#include "tests/support_ledger.h"

#include "psi/sketch.h"
#include "tests/unit.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NUMBER(json, key) json_integer_value(json_object_get(json, key))

static int keep_run(void *user, const tally_run *run)
{
    tally_run *runs = user;
    if (run->n <= 16)
        runs[run->n - 1] = *run;
    return run->n == 16;
}

static mode_t mode_of(const char *path)
{
    struct stat info;
    CU_ASSERT_EQUAL_FATAL(stat(path, &info), 0);
    return info.st_mode & 07777;
}

/* File and folder are private whatever the umask; what was recorded comes out as it went in. */
static void test_records(void)
{
    const char *path = ledger_path();
    char folder[128];
    tally_error error;
    tally_identity *id = ledger_identity("bank");
    tally_agreement *a = ledger_agreement("# records\n");
    ledger_run run = {.identity = id, .agreement = a, .limits = &(party_limits){0}};
    tally_run runs[16] = {{0}};
    uint64_t n = 0, count = 0;
    uint8_t root[32];
    char *text = NULL;
    mode_t before = umask(0);
    tally_ledger *l = ledger_open(path, TALLY_LEDGER_WRITE);
    umask(before);
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    CU_ASSERT_EQUAL(mode_of(path), 0600);
    CU_ASSERT_EQUAL(mode_of(folder), 0700);
    CU_ASSERT_EQUAL(tally_ledger_runs(l, &count, &error), TALLY_OK);
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT_EQUAL(ledger_whole(l, &run), 1);
    CU_ASSERT_EQUAL(ledger_refused(l, &(ledger_run){.identity = id}, &error), TALLY_OK);
    CU_ASSERT_EQUAL(ledger_begin(l, &run, &n, root, NULL, &error), TALLY_OK);
    CU_ASSERT_EQUAL(n, 3);
    CU_ASSERT_EQUAL(tally_ledger_list(l, 1, UINT64_MAX, keep_run, runs, &error), TALLY_OK);
    CU_ASSERT(runs[0].n == 1 && runs[0].ended == runs[0].began + 60 && runs[0].exit_status == 0);
    CU_ASSERT(runs[0].disclosed == 1 && runs[0].items == 100 && runs[0].peer_items == 50);
    CU_ASSERT_STRING_EQUAL(runs[0].agreement, tally_agreement_digest(a));
    CU_ASSERT_STRING_EQUAL(runs[0].peer, "Example Agency");
    CU_ASSERT(runs[1].n == 2 && runs[1].exit_status == 4 && runs[1].disclosed == 0 && runs[1].ended);
    CU_ASSERT(runs[2].n == 3 && runs[2].exit_status == -1 && runs[2].disclosed == 1 && !runs[2].ended);
    CU_ASSERT_EQUAL(tally_ledger_run_json(l, 1, &text, &error), TALLY_OK);
    json_t *json = json_loads(text, 0, NULL);
    CU_ASSERT_EQUAL(NUMBER(json, "n"), 1);
    CU_ASSERT_EQUAL(NUMBER(json, "ended"), NUMBER(json, "began") + 60);
    CU_ASSERT_EQUAL(NUMBER(json_object_get(json, "intent"), "seq"), 2);
    CU_ASSERT_EQUAL(NUMBER(json_object_get(json_object_get(json, "outcome"), "body"), "exit_status"), 0);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json_object_get(json, "agreement"), "text")),
                           a->bytes);
    json_decref(json);
    free(text);
    CU_ASSERT_EQUAL(tally_ledger_run_json(l, 4, &text, &error), TALLY_ERR_USAGE);
    CU_ASSERT(strstr(error.message, "no run 4") && *error.hint);
    /* An outcome of a run that has one, or that is not there, is a caller's bug. */
    CU_ASSERT_EQUAL(ledger_end(l, &run, 1, &error), TALLY_ERR_INTERNAL);
    CU_ASSERT_EQUAL(ledger_end(l, &run, 9, &error), TALLY_ERR_INTERNAL);
    CU_ASSERT_EQUAL(ledger_end(l, &run, 3, &error), TALLY_OK);
    tally_ledger_state state;
    CU_ASSERT_EQUAL(tally_ledger_verify(l, 0, &state, &error), TALLY_OK);
    CU_ASSERT(state.runs == 3 && state.records == 6 && state.incomplete == 0);
    CU_ASSERT_STRING_EQUAL(state.signer, tally_identity_signing_fingerprint(id));
    tally_ledger_free(l);
    tally_agreement_free(a);
    tally_identity_free(id);
}

/* ---- Quotas ---- */

static tally_status try_run(tally_ledger *l, const ledger_run *run, enum party_agreed_id *broken,
                            tally_error *error, uint64_t *n)
{
    *broken = AGREED_FIELDS;
    return ledger_begin(l, run, n, NULL, broken, error);
}

static void test_quotas(void)
{
    tally_ledger *l = ledger_open(ledger_path(), TALLY_LEDGER_WRITE);
    tally_agreement *a = ledger_agreement("# quotas\n"), *b = ledger_agreement("# another\n");
    const party_limits limits = {.runs_per_day = 2, .runs_in_all = 3, .rows_per_day = 250};
    ledger_run run = {.agreement = a, .limits = &limits};
    enum party_agreed_id broken;
    tally_error error;
    uint64_t n = 0, before = 0, after = 0;
    /* A run that kept everything back does not count; one without an outcome does. */
    run.kept_back = 1;
    ledger_whole(l, &run);
    run.kept_back = 0;
    CU_ASSERT_EQUAL(try_run(l, &run, &broken, &error, &n), TALLY_OK);
    run.items = 151;
    CU_ASSERT_EQUAL(try_run(l, &run, &broken, &error, &n), TALLY_ERR_POLICY);
    CU_ASSERT_EQUAL(broken, AGREED_ROWS_DAY);
    CU_ASSERT(strstr(error.message, "250 rows a day") && strstr(error.message, "counts 100") && *error.hint);
    run.items = 150;
    ledger_whole(l, &run);
    run.items = 1;
    CU_ASSERT_EQUAL(tally_ledger_runs(l, &before, &error), TALLY_OK);
    CU_ASSERT_EQUAL(try_run(l, &run, &broken, &error, &n), TALLY_ERR_POLICY);
    CU_ASSERT_EQUAL(broken, AGREED_RUNS_DAY);
    CU_ASSERT(strstr(error.message, "2 runs a day") && strstr(error.message, "2026-08-25"));
    CU_ASSERT(strstr(error.hint, "after the end of that day") != NULL);
    CU_ASSERT_EQUAL(tally_ledger_runs(l, &after, &error), TALLY_OK);
    CU_ASSERT_EQUAL(before, after);
    run.day = 20260826;
    ledger_whole(l, &run);
    CU_ASSERT_EQUAL(try_run(l, &run, &broken, &error, &n), TALLY_ERR_POLICY);
    CU_ASSERT_EQUAL(broken, AGREED_RUNS_ALL);
    CU_ASSERT(strstr(error.message, "3 runs in all") && strstr(error.hint, "agree anew"));
    /* Another role, another agreement: counted apart. */
    run.role = TALLY_SENDER;
    CU_ASSERT_EQUAL(try_run(l, &run, &broken, &error, &n), TALLY_OK);
    run.role = TALLY_RECEIVER;
    run.agreement = b;
    CU_ASSERT_EQUAL(try_run(l, &run, &broken, &error, &n), TALLY_OK);
    CU_ASSERT_EQUAL(tally_ledger_verify(l, 0, NULL, &error), TALLY_OK);
    tally_ledger_free(l);
    tally_agreement_free(a);
    tally_agreement_free(b);
}

/* Ten at once, each with a handle of its own or all with one: three of them, and no more. */
enum { THREADS = 10 };

typedef struct racer {
    pthread_t thread;
    const char *path;
    tally_ledger *l;
    const ledger_run *run;
    tally_status status;
} racer;

static void *race(void *user)
{
    racer *r = user;
    enum party_agreed_id broken = AGREED_FIELDS;
    uint64_t n = 0;
    tally_ledger *l = r->path ? ledger_open(r->path, TALLY_LEDGER_WRITE) : r->l;
    r->status = ledger_begin(l, r->run, &n, NULL, &broken, NULL);
    if (r->path)
        tally_ledger_free(l);
    return NULL;
}

static void race_all(const char *path, tally_ledger *l, const tally_agreement *a)
{
    const party_limits limits = {.runs_per_day = 3};
    const ledger_run run = {.agreement = a, .limits = &limits};
    racer racers[THREADS];
    unsigned allowed = 0, refused = 0;
    for (size_t i = 0; i < THREADS; i++) {
        racers[i] = (racer){.path = path, .l = l, .run = &run};
        if (pthread_create(&racers[i].thread, NULL, race, &racers[i]))
            abort();
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(racers[i].thread, NULL);
        allowed += racers[i].status == TALLY_OK;
        refused += racers[i].status == TALLY_ERR_POLICY;
    }
    CU_ASSERT_EQUAL(allowed, 3);
    CU_ASSERT_EQUAL(refused, THREADS - 3);
}

static void test_race(void)
{
    const char *path = ledger_path();
    tally_agreement *a = ledger_agreement("# race\n");
    race_all(path, NULL, a); /* the file is made meanwhile, too */
    tally_ledger *l = ledger_open(ledger_path(), TALLY_LEDGER_WRITE);
    race_all(NULL, l, a);
    CU_ASSERT_EQUAL(tally_ledger_verify(l, 0, NULL, NULL), TALLY_OK);
    tally_ledger_free(l);
    l = ledger_open(path, TALLY_LEDGER_READ);
    CU_ASSERT_EQUAL(tally_ledger_verify(l, 0, NULL, NULL), TALLY_OK);
    tally_ledger_free(l);
    tally_agreement_free(a);
}

/* ---- The guard ---- */

static void sketch_of(uint8_t out[PSI_SKETCH_BYTES], uint32_t first, uint32_t count)
{
    static const uint8_t key[32] = {7};
    psi_item *items = calloc(count, sizeof *items);
    if (!items)
        abort();
    for (uint32_t i = 0; i < count; i++) {
        uint32_t v = first + i;
        for (size_t b = 0; b < 4; b++) /* in order */
            items[i].b[b] = (uint8_t)(v >> (24 - 8 * b));
    }
    CU_ASSERT_EQUAL(psi_sketch_make(key, items, count, out), TALLY_OK);
    free(items);
}

static void test_guard(void)
{
    tally_ledger *l = ledger_open(ledger_path(), TALLY_LEDGER_WRITE);
    tally_agreement *a = ledger_agreement("# guard\n");
    const party_limits limits = {.least_difference = 20};
    uint8_t list[PSI_SKETCH_BYTES], nearly[PSI_SKETCH_BYTES], other[PSI_SKETCH_BYTES];
    enum party_agreed_id broken;
    tally_error error;
    uint64_t n = 0;
    sketch_of(list, 0, 1000);
    sketch_of(nearly, 1, 1000); /* one left, one came */
    sketch_of(other, 300, 1000);
    ledger_run run = {.agreement = a, .limits = &limits, .sketch = nearly, .kept_back = 1};
    ledger_whole(l, &run); /* nothing disclosed: nothing to guard */
    run = (ledger_run){.agreement = a, .limits = &limits, .sketch = list};
    ledger_whole(l, &run);
    CU_ASSERT_EQUAL(try_run(l, &run, &broken, &error, &n), TALLY_OK); /* the very same list */
    run.sketch = nearly;
    CU_ASSERT_EQUAL(try_run(l, &run, &broken, &error, &n), TALLY_ERR_POLICY);
    CU_ASSERT_EQUAL(broken, AGREED_MIN_OVERLAP);
    CU_ASSERT(strstr(error.message, "run 2 of 2026-08-25") && strstr(error.hint, "list of run 2"));
    run.sketch = other;
    CU_ASSERT_EQUAL(try_run(l, &run, &broken, &error, &n), TALLY_OK); /* and stays incomplete */
    sketch_of(nearly, 301, 1000);
    run.sketch = nearly;
    CU_ASSERT_EQUAL(try_run(l, &run, &broken, &error, &n), TALLY_ERR_POLICY);
    CU_ASSERT(strstr(error.message, "run 4 of") != NULL);
    run.sketch = NULL;
    CU_ASSERT_EQUAL(try_run(l, &run, &broken, &error, &n), TALLY_ERR_INTERNAL);
    tally_ledger_free(l);
    tally_agreement_free(a);
}

/* Lists with numbers have two sketches: each is guarded. */
static void test_guard_numbers(void)
{
    static uint8_t one[2 * PSI_SKETCH_BYTES], two[2 * PSI_SKETCH_BYTES], bad[PSI_SKETCH_BYTES];
    tally_ledger *l = ledger_open(ledger_path(), TALLY_LEDGER_WRITE);
    tally_agreement *a = ledger_agreement("# guard\n");
    const party_limits limits = {.least_difference = 20};
    enum party_agreed_id broken;
    tally_error error;
    uint64_t n = 0;
    sketch_of(one, 0, 1000);
    sketch_of(one + PSI_SKETCH_BYTES, 5000, 1000);
    ledger_run run = {.agreement = a, .limits = &limits, .sketch = one, .sketches = 2};
    ledger_whole(l, &run);
    CU_ASSERT_EQUAL(try_run(l, &run, &broken, &error, &n), TALLY_OK); /* the very same */
    memcpy(two, one, sizeof two);
    sketch_of(two + PSI_SKETCH_BYTES, 5001, 1000); /* the same people, one with another number */
    run.sketch = two;
    CU_ASSERT_EQUAL(try_run(l, &run, &broken, &error, &n), TALLY_ERR_POLICY);
    CU_ASSERT(broken == AGREED_MIN_OVERLAP && strstr(error.message, "identifiers with their numbers"));
    sketch_of(two, 1, 1000); /* another person, all numbers others */
    sketch_of(two + PSI_SKETCH_BYTES, 9000, 1000);
    CU_ASSERT_EQUAL(try_run(l, &run, &broken, &error, &n), TALLY_ERR_POLICY);
    CU_ASSERT(!strstr(error.message, "numbers"));
    memcpy(two, one,
           PSI_SKETCH_BYTES); /* the same people, all numbers others: an answer to another question */
    CU_ASSERT_EQUAL(try_run(l, &run, &broken, &error, &n), TALLY_OK);
    sketch_of(bad, 1, 1000); /* one sketch is compared with the first of two */
    run.sketch = bad;
    run.sketches = 1;
    CU_ASSERT_EQUAL(try_run(l, &run, &broken, &error, &n), TALLY_ERR_POLICY);
    CU_ASSERT_EQUAL(tally_ledger_verify(l, 0, NULL, &error), TALLY_OK);
    tally_ledger_free(l);
    tally_agreement_free(a);
}

/* ---- Opening ---- */

static tally_status opened(const char *path, enum tally_ledger_mode mode, tally_error *error)
{
    tally_ledger *l = NULL;
    tally_status st = tally_ledger_open(&l, path, mode, error);
    CU_ASSERT((st == TALLY_OK) == (l != NULL));
    tally_ledger_free(l);
    return st;
}

static void test_open(void)
{
    const char *path = ledger_path();
    tally_error error;
    uint64_t n = 0;
    CU_ASSERT_EQUAL(opened(path, TALLY_LEDGER_READ, &error), TALLY_ERR_FILE);
    CU_ASSERT_EQUAL(opened("", TALLY_LEDGER_WRITE, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(opened("/proc/nowhere/ledger.db", TALLY_LEDGER_WRITE, &error), TALLY_ERR_FILE);
    CU_ASSERT(strstr(error.message, "/proc/nowhere") != NULL);
    CU_ASSERT_EQUAL(opened("/dev/null", TALLY_LEDGER_WRITE, &error), TALLY_ERR_FILE);
    tally_ledger *l = ledger_open(path, TALLY_LEDGER_WRITE);
    ledger_whole(l, &(ledger_run){0});
    tally_ledger_free(l);
    chmod(path, 0400); /* root may write anyway; the handle does not */
    l = ledger_open(path, TALLY_LEDGER_READ);
    CU_ASSERT_EQUAL(tally_ledger_verify(l, 0, NULL, &error), TALLY_OK);
    CU_ASSERT_EQUAL(ledger_begin(l, &(ledger_run){0}, &n, NULL, NULL, &error), TALLY_ERR_FILE);
    tally_ledger_free(l);
    chmod(path, 0600);
    ledger_sql(path, "PRAGMA user_version = 2");
    CU_ASSERT_EQUAL(opened(path, TALLY_LEDGER_READ, &error), TALLY_ERR_FILE);
    CU_ASSERT(strstr(error.message, "newer version") != NULL);
    ledger_sql(path, "PRAGMA user_version = 1; CREATE TABLE more(a)");
    CU_ASSERT_EQUAL(opened(path, TALLY_LEDGER_WRITE, &error), TALLY_ERR_FILE);
    CU_ASSERT(strstr(error.message, "schema") != NULL);
    const char *text = ledger_path();
    ledger_put(strrchr(unit_tmp(), '/') ? path : text, (const uint8_t *)"this is no database, but a text",
               31);
    CU_ASSERT_EQUAL(opened(path, TALLY_LEDGER_WRITE, &error), TALLY_ERR_FILE);
    ledger_put(path, (const uint8_t *)"", 0);
    CU_ASSERT_EQUAL(opened(path, TALLY_LEDGER_READ, &error), TALLY_ERR_FILE);
    ledger_sql(path, "CREATE TABLE somebody(s)");
    CU_ASSERT_EQUAL(opened(path, TALLY_LEDGER_WRITE, &error), TALLY_ERR_FILE);
    CU_ASSERT(strstr(error.message, "is not a ledger") != NULL);
}

/* A step that a later version may have, and one that fails on its way. */
static tally_status refuse_step(tally_ledger *l, tally_error *error)
{
    return party_ledger_damaged(l, "as the test wants it", error);
}

static void test_upgrade(void)
{
    const char *path = ledger_path();
    static const char *const nothing[] = {NULL};
    static const char *const more[] = {"ALTER TABLE meta ADD COLUMN made INTEGER NOT NULL DEFAULT 7",
                                       "CREATE INDEX records_time ON records(time)", NULL};
    const party_ledger_step good[] = {{nothing, refuse_step}, {more, NULL}},
                            bad[] = {{nothing, NULL}, {more, refuse_step}};
    tally_error error;
    tally_status st;
    tally_ledger *l = ledger_open(path, TALLY_LEDGER_WRITE);
    for (int i = 0; i < 5; i++)
        ledger_whole(l, &(ledger_run){0});
    char *before = ledger_dump(l, &st);
    CU_ASSERT_EQUAL(party_ledger_upgrade(l, good, 1, &error), TALLY_OK); /* nothing to be done */
    CU_ASSERT_EQUAL(party_ledger_upgrade(l, bad, 2, &error), TALLY_ERR_FILE);
    CU_ASSERT_EQUAL(tally_ledger_verify(l, 0, NULL, &error), TALLY_OK); /* the half of a step is undone */
    CU_ASSERT_EQUAL(party_ledger_upgrade(l, good, 2, &error), TALLY_OK);
    char *after = ledger_dump(l, &st);
    CU_ASSERT(before && after && strcmp(before, after) == 0);
    ledger_whole(l, &(ledger_run){0});
    free(before);
    free(after);
    tally_ledger_free(l);
    CU_ASSERT_EQUAL(opened(path, TALLY_LEDGER_WRITE, &error), TALLY_ERR_FILE);
    CU_ASSERT(strstr(error.message, "newer version: schema 2") != NULL);
}

/* ---- Copies ---- */

static void test_backup(void)
{
    char path[128];
    tally_error error;
    tally_status st;
    tally_ledger *l = ledger_open(ledger_path(), TALLY_LEDGER_WRITE);
    for (int i = 0; i < 20; i++)
        ledger_whole(l, &(ledger_run){0});
    snprintf(path, sizeof path, "%s/copy.db", unit_tmp());
    CU_ASSERT_EQUAL(tally_ledger_backup(l, path, &error), TALLY_OK);
    CU_ASSERT_EQUAL(mode_of(path), 0600);
    char *a = ledger_dump(l, &st);
    tally_ledger *copy = ledger_open(path, TALLY_LEDGER_READ);
    char *b = ledger_dump(copy, &st);
    CU_ASSERT(a && b && strcmp(a, b) == 0);
    CU_ASSERT_EQUAL(tally_ledger_verify(copy, 0, NULL, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_ledger_backup(l, path, &error), TALLY_ERR_FILE);
    CU_ASSERT(strstr(error.message, "already exists") != NULL);
    CU_ASSERT_EQUAL(tally_ledger_backup(l, "/proc/nowhere/copy.db", &error), TALLY_ERR_FILE);
    free(a);
    free(b);
    tally_ledger_free(copy);
    tally_ledger_free(l);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"records", test_records},
                                      {"quotas", test_quotas},
                                      {"race", test_race},
                                      {"guard", test_guard},
                                      {"guard-numbers", test_guard_numbers},
                                      {"open", test_open},
                                      {"upgrade", test_upgrade},
                                      {"backup", test_backup}};
    return unit_main(argc, argv, "ledger", tests, sizeof tests / sizeof *tests);
}
