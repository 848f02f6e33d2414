/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The power goes off, or the disk is full, at every call that changes the disk, while a run is recorded. What
 * the ledger said was recorded is there; what it did not say may be or not; it opens, verifies, and goes on.
 */
#include "tests/support_ledger.h"
#include "tests/support_vfs.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static tally_run last;

static int keep_last(void *user, const tally_run *run)
{
    (void)user;
    last = *run;
    return 0;
}

/* The next run, whole. */
static void goes_on(tally_ledger *l)
{
    tally_ledger_state before, after;
    tally_error error = {.message = ""};
    CU_ASSERT_EQUAL(tally_ledger_verify(l, 0, &before, &error), TALLY_OK);
    if (*error.message)
        fprintf(stderr, "%s\n", error.message);
    ledger_whole(l, &(ledger_run){0});
    CU_ASSERT_EQUAL(tally_ledger_verify(l, 0, &after, &error), TALLY_OK);
    CU_ASSERT(after.runs == before.runs + 1 && after.incomplete == before.incomplete);
}

/* What is on the disk after two runs and what became of a third. */
static void check_after(const char *path, tally_status began, tally_status ended, int read_first)
{
    uint64_t runs = 0;
    if (read_first) { /* also who only reads undoes what was half done */
        tally_ledger *r = ledger_open(path, TALLY_LEDGER_READ);
        CU_ASSERT_EQUAL(tally_ledger_verify(r, 0, NULL, NULL), TALLY_OK);
        tally_ledger_free(r);
    }
    tally_ledger *l = ledger_open(path, TALLY_LEDGER_WRITE);
    CU_ASSERT_EQUAL(tally_ledger_runs(l, &runs, NULL), TALLY_OK);
    CU_ASSERT(runs == 3 || (runs == 2 && began));
    CU_ASSERT_EQUAL(tally_ledger_list(l, 1, UINT64_MAX, keep_last, NULL, NULL), TALLY_OK);
    if (runs == 3 && began) /* not said, and yet there: incomplete, so it counts */
        CU_ASSERT(last.exit_status == -1 && last.disclosed);
    if (!began && !ended)
        CU_ASSERT_EQUAL(last.exit_status, 0);
    if (last.exit_status == -1)
        CU_ASSERT(last.n == 3 && last.disclosed && !last.ended);
    goes_on(l);
    tally_ledger_free(l);
}

static void test_cut(void)
{
    const char *path = ledger_path();
    unsigned long cuts = 0;
    vfs_install();
    for (int variant = 0; variant < VFS_KEEPS_VARIANTS; variant++)
        for (unsigned long at = 1;; at++) {
            uint64_t n = 0;
            vfs_format();
            tally_ledger *l = ledger_open(path, TALLY_LEDGER_WRITE);
            ledger_whole(l, &(ledger_run){0});
            ledger_whole(l, &(ledger_run){0});
            vfs_cut_at(at);
            tally_error error = {.message = ""};
            tally_status began = ledger_begin(l, &(ledger_run){0}, &n, NULL, NULL, &error);
            tally_status ended = began ? began : ledger_end(l, &(ledger_run){0}, n, &error);
            int was = vfs_is_cut();
            CU_ASSERT(!ended || (ended == TALLY_ERR_FILE && *error.message && *error.hint));
            tally_ledger_free(l);
            vfs_restart((enum vfs_keeps)variant);
            check_after(path, began, ended, at % 2 == 0);
            if (!was)
                break;
            cuts++;
        }
    vfs_remove();
    CU_ASSERT(cuts > 60);
}

/* While the file is made. */
static void test_cut_first(void)
{
    const char *path = ledger_path();
    unsigned long cuts = 0;
    vfs_install();
    for (int variant = 0; variant < VFS_KEEPS_VARIANTS; variant++)
        for (unsigned long at = 1;; at++) {
            tally_ledger *l = NULL;
            tally_error error;
            vfs_format();
            vfs_cut_at(at);
            tally_status st = tally_ledger_open(&l, path, TALLY_LEDGER_WRITE, &error);
            int was = vfs_is_cut();
            CU_ASSERT(!st || (st == TALLY_ERR_FILE && *error.hint));
            tally_ledger_free(l);
            vfs_restart((enum vfs_keeps)variant);
            l = ledger_open(path, TALLY_LEDGER_WRITE);
            goes_on(l);
            tally_ledger_free(l);
            if (!was)
                break;
            cuts++;
        }
    vfs_remove();
    CU_ASSERT(cuts > 15);
}

/* No room from the n-th write on, then room again: the handle goes on, and nothing half done is left. */
static void test_full(void)
{
    const char *path = ledger_path();
    unsigned long times = 0;
    vfs_install();
    for (unsigned long at = 1;; at++) {
        uint64_t n = 0, runs = 0;
        tally_error error;
        vfs_format();
        tally_ledger *l = ledger_open(path, TALLY_LEDGER_WRITE);
        ledger_whole(l, &(ledger_run){0});
        vfs_full_at(at);
        tally_status began = ledger_begin(l, &(ledger_run){0}, &n, NULL, NULL, &error);
        tally_status ended = began ? began : ledger_end(l, &(ledger_run){0}, n, &error);
        int was = vfs_was_full();
        if (ended) {
            CU_ASSERT_EQUAL(ended, TALLY_ERR_FILE);
            CU_ASSERT(strstr(error.message, "disk full") && strstr(error.message, path) && *error.hint);
        }
        vfs_full_at(0);
        CU_ASSERT_EQUAL(tally_ledger_runs(l, &runs, &error), TALLY_OK);
        CU_ASSERT_EQUAL(runs, began ? 1 : 2);
        if (!began && ended)
            CU_ASSERT_EQUAL(ledger_end(l, &(ledger_run){0}, n, &error), TALLY_OK);
        goes_on(l);
        tally_ledger_free(l);
        if (!was)
            break;
        times++;
    }
    vfs_remove();
    CU_ASSERT(times > 10);
}

/* A journal that says: put page 1 back from nothing, then delete the file of this name. */
static void put_journal(const char *path, const char *deletes, size_t pages)
{
    static const uint8_t magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    uint8_t bytes[1024] = {0};
    char journal[160];
    size_t len = strlen(deletes), at = 512;
    uint32_t sum = 0;
    const uint32_t numbers[5] = {0, 0, (uint32_t)pages, 512, 8192};
    memcpy(bytes, magic, 8);
    for (size_t i = 0; i < 20; i++)
        bytes[8 + i] = (uint8_t)(numbers[i / 4] >> (24 - 8 * (i % 4)));
    for (size_t i = 0; i < len; i++)
        sum += (uint8_t)deletes[i];
    const uint32_t name[3] = {0x40000000 / 8192 + 1, (uint32_t)len, sum};
    for (size_t i = 0; i < 4; i++)
        bytes[at + i] = (uint8_t)(name[0] >> (24 - 8 * i));
    memcpy(bytes + at + 4, deletes, len);
    for (size_t i = 0; i < 8; i++)
        bytes[at + 4 + len + i] = (uint8_t)(name[1 + i / 4] >> (24 - 8 * (i % 4)));
    memcpy(bytes + at + 12 + len, magic, 8);
    snprintf(journal, sizeof journal, "%s-journal", path);
    ledger_put(journal, bytes, at + 20 + len);
}

/* What lies beside a file from elsewhere is neither played back nor touched. */
static void test_copy(void)
{
    const char *path = ledger_path();
    char victim[160], journal[160], log[160];
    tally_error error;
    tally_ledger *l = ledger_open(path, TALLY_LEDGER_WRITE), *copy = NULL;
    size_t len, now_len;
    ledger_whole(l, &(ledger_run){0});
    copy = ledger_open(path, TALLY_LEDGER_COPY); /* while it is written */
    ledger_whole(l, &(ledger_run){0});
    CU_ASSERT_EQUAL(tally_ledger_verify(copy, 0, NULL, &error), TALLY_OK);
    uint64_t n = 0;
    CU_ASSERT(ledger_begin(copy, &(ledger_run){0}, &n, NULL, NULL, &error) == TALLY_ERR_FILE);
    tally_ledger_free(copy);
    tally_ledger_free(l);
    uint8_t *bytes = ledger_bytes(path, &len);
    snprintf(victim, sizeof victim, "%s-victim", path);
    snprintf(journal, sizeof journal, "%s-journal", path);
    snprintf(log, sizeof log, "%s-wal", path);
    ledger_put(victim, (const uint8_t *)"here", 4);
    put_journal(path, victim, len / 8192);
    CU_ASSERT_EQUAL(tally_ledger_open(&copy, path, TALLY_LEDGER_COPY, &error), TALLY_ERR_FILE);
    CU_ASSERT(strstr(error.message, "copied while a run was writing") && strstr(error.hint, "backup"));
    CU_ASSERT(access(victim, F_OK) == 0 && access(journal, F_OK) == 0);
    uint8_t *now = ledger_bytes(path, &now_len);
    CU_ASSERT(now_len == len && memcmp(now, bytes, len) == 0);
    free(now);
    ledger_put(path, bytes, 0); /* SQLite takes the journal of an empty file for a leftover */
    CU_ASSERT_EQUAL(tally_ledger_open(&copy, path, TALLY_LEDGER_COPY, &error), TALLY_ERR_FILE);
    CU_ASSERT(access(victim, F_OK) == 0 && access(journal, F_OK) == 0);
    ledger_put(path, bytes, len);
    tally_ledger_free(ledger_open(path, TALLY_LEDGER_READ)); /* one's own: undone, so the journal is one */
    CU_ASSERT(access(victim, F_OK) != 0 && access(journal, F_OK) != 0);
    ledger_put(path, bytes, len);
    ledger_put(log, bytes, 0);
    CU_ASSERT_EQUAL(tally_ledger_open(&copy, path, TALLY_LEDGER_COPY, &error), TALLY_ERR_FILE);
    unlink(log);
    bytes[18] = bytes[19] = 2;
    ledger_put(path, bytes, len);
    CU_ASSERT_EQUAL(tally_ledger_open(&copy, path, TALLY_LEDGER_COPY, &error), TALLY_ERR_FILE);
    CU_ASSERT(access(log, F_OK) != 0);
    free(bytes);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"cut", test_cut}, {"cut-first", test_cut_first}, {"full", test_full}, {"copy", test_copy}};
    return unit_main(argc, argv, "ledger-crash", tests, sizeof tests / sizeof *tests);
}
