/* SPDX-License-Identifier: Apache-2.0 */
/* What verification notices: every change of a record, of their order, of the tree, the checkpoint, receipts
 * and agreements, and of single bytes of the file. */
#include "tests/support_ledger.h"

#include "tests/support_agreement.h"
#include "tests/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STRIDE = 41 }; /* of the bytes that are changed here; tests/long_ledger.c takes every one */

/* Six runs, one of them incomplete: records 1 (the agreement) to 12. */
static const char *made(const tally_identity *id)
{
    const char *path = ledger_path();
    tally_agreement *a = ledger_agreement("# verify\n");
    tally_ledger *l = ledger_open(path, TALLY_LEDGER_WRITE);
    const ledger_run run = {.identity = id, .agreement = a, .limits = &(party_limits){0}};
    uint64_t n = 0;
    for (int i = 0; i < 5; i++)
        ledger_whole(l, &run);
    CU_ASSERT_EQUAL(ledger_begin(l, &run, &n, NULL, NULL, NULL), TALLY_OK);
    tally_ledger_free(l);
    tally_agreement_free(a);
    return path;
}

typedef struct change {
    const char *sql, *named; /* in the message */
} change;

static char *recorded[6]; /* by run, as JSON */

static const change changes[] = {
    {"UPDATE records SET items = items + 1 WHERE seq = 5", "record 5 (run 2)"},
    {"UPDATE records SET time = time + 1 WHERE seq = 2", "record 2 (run 1)"},
    {"UPDATE records SET day = day + 1 WHERE seq = 12", "record 12 (run 6)"},
    {"UPDATE records SET status = 1 WHERE seq = 3", "record 3 (run 1)"},
    {"UPDATE records SET disclosed = 0 WHERE seq = 3", "record 3 (run 1)"},
    {"UPDATE records SET peer = 'Somebody' WHERE seq = 3", "record 3 (run 1)"},
    {"UPDATE records SET peer_items = 3 WHERE seq = 3", "record 3 (run 1)"},
    {"UPDATE records SET role = 2 WHERE seq = 4", "record 4 (run 2)"},
    {"UPDATE records SET function = 0 WHERE seq = 4", "record 4 (run 2)"},
    {"UPDATE records SET agreement = '' WHERE seq = 4", "record 4 (run 2)"},
    {"UPDATE records SET body = replace(body, ':1', ':2') WHERE seq = 7", "record 7 (run 3)"},
    {"UPDATE records SET body = replace(body, 'count', 'match') WHERE seq = 1", "record 1"},
    {"UPDATE records SET sketch = x'00' WHERE seq = 2", "record 2"},
    {"UPDATE records SET kind = 3 WHERE seq = 12", "record 12 (run 6)"},
    {"UPDATE records SET run = 7 WHERE seq = 12", "record 12 (run 7)"},
    {"UPDATE records SET kind = 9 WHERE seq = 12", "record 12"},
    {"DELETE FROM records WHERE seq = 5", "record 5"},
    {"DELETE FROM records WHERE seq = 1", "record 1"},
    {"DELETE FROM records WHERE seq = 12", "last ones are missing"},
    {"DELETE FROM records WHERE seq > 3", "last ones are missing"},
    {"DELETE FROM records", "last ones are missing"},
    {"DELETE FROM records WHERE seq = 12; DELETE FROM nodes WHERE pos > 18", "checkpoint is not that of"},
    {"UPDATE records SET seq = 99 WHERE seq = 2; UPDATE records SET seq = 2 WHERE seq = 4; "
     "UPDATE records SET seq = 4 WHERE seq = 99",
     "record 2"},
    {"INSERT INTO records SELECT 13, 3, 7, time, agreement, day, function, role, items, peer_items, "
     "disclosed, status, "
     "peer, body, sketch FROM records WHERE seq = 3",
     "record 13 (run 7)"},
    {"UPDATE nodes SET hash = zeroblob(32) WHERE pos = 4", "record 4"},
    {"UPDATE nodes SET hash = zeroblob(32) WHERE pos = 2", "a node of the tree over it"},
    {"DELETE FROM nodes WHERE pos = 2", "record 2"},
    {"INSERT INTO nodes VALUES (99, zeroblob(32))", "last ones are missing"},
    {"UPDATE checkpoint SET size = 11", "checkpoint is not that of its records"},
    {"UPDATE checkpoint SET note = substr(note, 1, instr(note, char(10) || char(10)))",
     "not signed as it says"},
    {"UPDATE checkpoint SET public = x''", "not signed as it says"},
    {"UPDATE checkpoint SET public = zeroblob(32)", "signature of its checkpoint does not hold"},
    {"UPDATE checkpoint SET note = 'hello'", "checkpoint belongs to another ledger"},
    {"DELETE FROM checkpoint", "checkpoint cannot be read"},
    {"UPDATE meta SET origin = 'tally/ledger/0000000000000000'", "checkpoint belongs to another ledger"},
    {"DELETE FROM meta", "checkpoint cannot be read"},
};

/* Also who looks at one run alone is not shown what was not recorded: each run is as it was, or is refused.
 */
static void expect_shown(tally_ledger *l, const char *sql)
{
    for (uint64_t n = 1; n <= 6; n++) {
        tally_error error = {.message = ""};
        char *json = NULL;
        tally_status st = tally_ledger_run_json(l, n, &json, &error);
        int as_it_was = json && recorded[n - 1] && strcmp(json, recorded[n - 1]) == 0;
        int less = json && strstr(sql, "DELETE"); /* a record that is not there is not shown */
        CU_ASSERT(st || as_it_was || less);
        if (!st && !as_it_was && !less)
            fprintf(stderr, "%s: run %d is shown\n", sql, (int)n);
        CU_ASSERT(st != TALLY_ERR_DIFFERS || (strstr(error.message, "is not what was recorded") &&
                                              strstr(error.hint, "verify --signatures")));
        free(json);
    }
}

static void test_changes(void)
{
    tally_identity *id = ledger_identity("bank");
    const char *path = made(id);
    size_t len;
    uint8_t *bytes = ledger_bytes(path, &len);
    tally_ledger *l = ledger_open(path, TALLY_LEDGER_READ);
    for (uint64_t n = 1; n <= 6; n++)
        CU_ASSERT_EQUAL(tally_ledger_run_json(l, n, &recorded[n - 1], NULL), TALLY_OK);
    tally_ledger_free(l);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        tally_error error = {.message = ""};
        tally_ledger_state state = {.runs = 77};
        ledger_put(path, bytes, len);
        ledger_sql(path, changes[i].sql);
        l = ledger_open(path, TALLY_LEDGER_READ);
        CU_ASSERT_EQUAL(tally_ledger_verify(l, 1, &state, &error), TALLY_ERR_DIFFERS);
        CU_ASSERT(strstr(error.message, changes[i].named) && *error.hint && state.runs == 77);
        expect_shown(l, changes[i].sql);
        if (!strstr(error.message, changes[i].named))
            fprintf(stderr, "%s: %s\n", changes[i].sql, error.message);
        tally_ledger_free(l);
    }
    /* A run goes on only over a tree that is the one of the checkpoint. */
    ledger_put(path, bytes, len);
    ledger_sql(path, "DELETE FROM records WHERE seq = 12");
    l = ledger_open(path, TALLY_LEDGER_WRITE);
    uint64_t n = 0;
    tally_error error;
    CU_ASSERT_EQUAL(ledger_begin(l, &(ledger_run){0}, &n, NULL, NULL, &error), TALLY_ERR_FILE);
    CU_ASSERT(strstr(error.message, "damaged") != NULL);
    tally_ledger_free(l);
    /* Nor over a checkpoint that this key did not sign. */
    ledger_put(path, bytes, len);
    ledger_sql(path, "UPDATE checkpoint SET public = zeroblob(32)");
    l = ledger_open(path, TALLY_LEDGER_WRITE);
    CU_ASSERT_EQUAL(ledger_begin(l, &(ledger_run){.identity = id}, &n, NULL, NULL, &error), TALLY_ERR_FILE);
    CU_ASSERT(strstr(error.message, "the signature of its latest checkpoint does not hold") != NULL);
    CU_ASSERT_EQUAL(ledger_end(l, &(ledger_run){.identity = id}, 6, &error), TALLY_ERR_FILE);
    tally_ledger_free(l);
    ledger_put(path, bytes, len);
    l = ledger_open(path, TALLY_LEDGER_WRITE);
    CU_ASSERT_EQUAL(ledger_end(l, &(ledger_run){.identity = id}, 6, &error), TALLY_OK);
    tally_ledger_free(l);
    free(bytes);
    for (size_t i = 0; i < 6; i++)
        free(recorded[i]);
    tally_identity_free(id);
}

/* Records that were wrong when they were written, in a tree that is right. */
static void test_order(void)
{
    static const struct {
        const char *before, *named;
    } cases[] = {{"UPDATE records SET run = 3 WHERE kind = 1", "the run before it was number 3"},
                 {"UPDATE records SET kind = 2 WHERE kind = 1", "record 1 (run 1)"}};
    tally_error error = {.message = ""};
    const char *path = ledger_path();
    tally_ledger *l = ledger_open(path, TALLY_LEDGER_WRITE);
    uint64_t n = 0;
    CU_ASSERT_EQUAL(ledger_begin(l, &(ledger_run){0}, &n, NULL, NULL, NULL), TALLY_OK);
    tally_ledger_free(l);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ledger_sql(path, cases[i].before);
        l = ledger_open(path, TALLY_LEDGER_READ);
        CU_ASSERT_EQUAL(tally_ledger_verify(l, 0, NULL, &error), TALLY_ERR_DIFFERS);
        tally_ledger_free(l);
    }
}

/* ---- Receipts and agreements ---- */

static tally_status with_receipt(const char *receipt, const char *session, int status, tally_error *error)
{
    tally_ledger *l = ledger_open(ledger_path(), TALLY_LEDGER_WRITE);
    ledger_run run = {.receipt = receipt, .session = session, .status = status};
    tally_ledger_state state;
    ledger_whole(l, &run);
    CU_ASSERT_EQUAL(tally_ledger_verify(l, 0, &state, error), TALLY_OK);
    CU_ASSERT_EQUAL(state.receipts, 0);
    tally_status st = tally_ledger_verify(l, 1, &state, error);
    tally_ledger_free(l);
    return st;
}

static void test_receipts(void)
{
    tally_identity *a = ledger_identity("bank"), *b = ledger_identity("agency");
    tally_ledger *l = ledger_open(ledger_path(), TALLY_LEDGER_WRITE),
                 *m = ledger_open(ledger_path(), TALLY_LEDGER_WRITE);
    tally_ledger_state state;
    tally_error error;
    ledger_both(l, a, m, b, '1', 1);
    ledger_both(l, a, m, b, '2', 1);
    CU_ASSERT_EQUAL(tally_ledger_verify(l, 1, &state, &error), TALLY_OK);
    CU_ASSERT_EQUAL(state.receipts, 2);
    CU_ASSERT_EQUAL(tally_ledger_verify(m, 1, &state, &error), TALLY_OK);
    CU_ASSERT_EQUAL(state.receipts, 2);
    tally_ledger_free(l);
    tally_ledger_free(m);
    /* Wrong ones, recorded so. */
    const uint8_t root[32] = {1};
    char *receipt = ledger_receipt(a, b, ledger_session('3'), root, root);
    CU_ASSERT_EQUAL(with_receipt(receipt, ledger_session('3'), 0, &error), TALLY_ERR_DIFFERS);
    CU_ASSERT(strstr(error.message, "another ledger") && strstr(error.message, "record 2 (run 1)"));
    CU_ASSERT_EQUAL(with_receipt(receipt, ledger_session('4'), 0, &error), TALLY_ERR_DIFFERS);
    CU_ASSERT(strstr(error.message, "another session") != NULL);
    char *digit = strstr(receipt, "\"sender\":\"") + 10;
    *digit = *digit == '0' ? '1' : '0';
    CU_ASSERT_EQUAL(with_receipt(receipt, ledger_session('3'), 0, &error), TALLY_ERR_DIFFERS);
    CU_ASSERT(strstr(error.message, "signature of the sender") != NULL);
    CU_ASSERT_EQUAL(with_receipt(NULL, ledger_session('3'), 0, &error), TALLY_ERR_DIFFERS);
    CU_ASSERT(strstr(error.message, "completed, and has no receipt") != NULL);
    CU_ASSERT_EQUAL(with_receipt("{\"text\":\"hello\"}", ledger_session('3'), 0, &error), TALLY_ERR_DIFFERS);
    free(receipt);
    tally_identity_free(a);
    tally_identity_free(b);
}

/* A run of a and b whose receipt is right but for one thing that is not as the run has it. */
static void expect_other(const ledger_run *run, const tally_identity *receiver, const tally_identity *sender,
                         const char *named)
{
    tally_ledger *l = ledger_open(ledger_path(), TALLY_LEDGER_WRITE);
    ledger_run r = *run;
    tally_error error = {.message = ""};
    uint8_t roots[2][32] = {{0}};
    uint64_t n = 0;
    int own = r.role == TALLY_SENDER;
    CU_ASSERT_EQUAL(ledger_begin(l, &r, &n, roots[own], NULL, &error), TALLY_OK);
    char *receipt = ledger_receipt(receiver, sender, ledger_session('5'), roots[0], roots[1]);
    r.receipt = receipt;
    r.session = ledger_session('5');
    CU_ASSERT_EQUAL(ledger_end(l, &r, n, &error), TALLY_OK);
    tally_status st = tally_ledger_verify(l, 1, NULL, &error);
    CU_ASSERT_EQUAL(st, named ? TALLY_ERR_DIFFERS : TALLY_OK);
    CU_ASSERT(!named || strstr(error.message, named));
    if (st && (!named || !strstr(error.message, named)))
        fprintf(stderr, "%s: %s\n", named ? named : "good", error.message);
    free(receipt);
    tally_ledger_free(l);
}

static void test_receipt_of_run(void)
{
    tally_identity *a = ledger_identity("bank"), *b = ledger_identity("agency"),
                   *c = ledger_identity("other");
    const ledger_run as_a = {.identity = a, .other = b},
                     as_b = {.identity = b, .other = a, .role = TALLY_SENDER};
    ledger_run run = as_a;
    expect_other(&as_a, a, b, NULL);
    expect_other(&as_b, a, b, NULL);
    expect_other(&as_a, a, c, "another link key of the sender");
    expect_other(&as_a, c, b, "another link key of the receiver");
    expect_other(&as_b, c, b, "another link key of the receiver");
    expect_other(&as_b, a, c, "another link key of the sender");
    run.items = 99;
    expect_other(&run, a, b, "another list size of the receiver");
    run = as_a;
    run.kept_back = 1;
    expect_other(&run, a, b, "nothing was disclosed, and has a receipt");
    tally_identity_free(a);
    tally_identity_free(b);
    tally_identity_free(c);
}

/* text with another key of the name, whose digits begin with this one. */
static char *name_one(char *text, const char *name, char digit, const char *fingerprint)
{
    char start[40], old[100], wanted[100];
    /* As support_agreement.c writes them; a real key may begin with the same digit. */
    int len = snprintf(start, sizeof start, "%s: sha256:%c123abcd", name, digit);
    snprintf(old, sizeof old, "%.*s", len + 56, strstr(text, start));
    snprintf(wanted, sizeof wanted, "%s: %s", name, fingerprint);
    char *out = agreed_with(text, old, wanted);
    free(text);
    return out;
}

/* text with the keys of a party ("0" and "1" the receiver's, "2" and "3" the sender's) named. */
static char *name_key(char *text, char digit, const tally_identity *id)
{
    text = name_one(text, "signing-key", digit, tally_identity_signing_fingerprint(id));
    return name_one(text, "link-key", (char)(digit - 1), tally_identity_fingerprint(id));
}

/* Under an agreement, the keys that it names sign. */
static void test_agreed_keys(void)
{
    tally_identity *a = ledger_identity("bank"), *b = ledger_identity("agency");
    static const char *const named[2] = {"names for the receiver", "names for the sender"};
    for (int wrong = 0; wrong < 3; wrong++) {
        tally_agreement *agreement = NULL;
        tally_error error = {.message = ""};
        char *text = agreed_with(agreed_count, "", "# keys\n");
        text = wrong == 1 ? text : name_key(text, '1', a);
        text = wrong == 2 ? text : name_key(text, '3', b);
        CU_ASSERT_EQUAL_FATAL(agreed_load(text, &agreement, &error), TALLY_OK);
        ledger_run run = {.identity = a, .other = b, .agreement = agreement, .limits = &(party_limits){0}};
        tally_ledger *l = ledger_open(ledger_path(), TALLY_LEDGER_WRITE);
        uint8_t roots[2][32] = {{0}};
        uint64_t n = 0;
        CU_ASSERT_EQUAL(ledger_begin(l, &run, &n, roots[0], NULL, &error), TALLY_OK);
        char *receipt = ledger_receipt_under(agreement, a, b, ledger_session('5'), roots[0], roots[1]);
        run.receipt = receipt;
        run.session = ledger_session('5');
        CU_ASSERT_EQUAL(ledger_end(l, &run, n, &error), TALLY_OK);
        tally_status st = tally_ledger_verify(l, 1, NULL, &error);
        CU_ASSERT_EQUAL(st, wrong ? TALLY_ERR_DIFFERS : TALLY_OK);
        CU_ASSERT(!wrong || strstr(error.message, named[wrong - 1]));
        free(receipt);
        free(text);
        tally_ledger_free(l);
        tally_agreement_free(agreement);
    }
    tally_identity_free(a);
    tally_identity_free(b);
}

static void test_agreements(void)
{
    tally_identity *a = ledger_identity("bank"), *b = ledger_identity("agency");
    tally_agreement *agreement = NULL;
    tally_error error;
    char *text = name_key(name_key(agreed_with(agreed_count, "", "# signed\n"), '1', a), '3', b),
         *json = NULL;
    CU_ASSERT_EQUAL_FATAL(agreed_load(text, &agreement, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_agreement_sign(agreement, a, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_agreement_sign(agreement, b, &error), TALLY_OK);
    for (int wrong = 0; wrong < 2; wrong++) {
        tally_ledger *l = ledger_open(ledger_path(), TALLY_LEDGER_WRITE);
        agreement->signatures[1].signature64[5] ^= (uint8_t)wrong;
        ledger_whole(l, &(ledger_run){.agreement = agreement, .limits = &(party_limits){0}, .status = 5});
        CU_ASSERT_EQUAL(tally_ledger_verify(l, 0, NULL, &error), TALLY_OK);
        CU_ASSERT_EQUAL(tally_ledger_verify(l, 1, NULL, &error), wrong ? TALLY_ERR_DIFFERS : TALLY_OK);
        CU_ASSERT(!wrong ||
                  (strstr(error.message, "record 1") && strstr(error.message, "signature of the agreement")));
        CU_ASSERT_EQUAL(tally_ledger_run_json(l, 1, &json, &error), TALLY_OK);
        CU_ASSERT(strstr(json, "tally-agreement-signatures 1") != NULL);
        free(json);
        tally_ledger_free(l);
    }
    free(text);
    tally_agreement_free(agreement);
    tally_identity_free(a);
    tally_identity_free(b);
}

/* ---- Single bytes ---- */

static void test_bytes(void)
{
    const char *path = ledger_path();
    tally_ledger *l = ledger_open(path, TALLY_LEDGER_WRITE);
    tally_status st;
    size_t len, noticed = 0, same = 0;
    CU_ASSERT_EQUAL(party_ledger_bulk(l, 1, NULL), TALLY_OK);
    for (int i = 0; i < 100; i++)
        ledger_whole(l, &(ledger_run){0});
    CU_ASSERT_EQUAL(party_ledger_bulk(l, 0, NULL), TALLY_OK);
    char *dump = ledger_dump(l, &st);
    tally_ledger_free(l);
    uint8_t *bytes = ledger_bytes(path, &len);
    int fd = open(path, O_RDWR);
    for (size_t at = unit_below(STRIDE); at < len; at += at < 100 ? 1 : STRIDE) {
        uint8_t byte = bytes[at] ^ (uint8_t)(1u << at % 8);
        CU_ASSERT_EQUAL(pwrite(fd, &byte, 1, (off_t)at), 1);
        st = tally_ledger_open(&l, path, TALLY_LEDGER_READ, NULL);
        if (!st) {
            st = tally_ledger_verify(l, 0, NULL, NULL);
            char *now = st ? NULL : ledger_dump(l, &st);
            CU_ASSERT(st || strcmp(now, dump) == 0);
            if (!st && strcmp(now, dump) != 0)
                fprintf(stderr, "byte %zu\n", at);
            free(now);
            tally_ledger_free(l);
        }
        noticed += st != TALLY_OK;
        same += st == TALLY_OK;
        CU_ASSERT_EQUAL(pwrite(fd, &bytes[at], 1, (off_t)at), 1);
    }
    close(fd);
    CU_ASSERT(4 * noticed > same); /* most of a small ledger is room for more */
    size_t len_after;
    uint8_t *after = ledger_bytes(path, &len_after);
    CU_ASSERT(len == len_after && memcmp(bytes, after, len) == 0);
    free(after);
    free(bytes);
    free(dump);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"changes", test_changes},
                                      {"order", test_order},
                                      {"receipts", test_receipts},
                                      {"receipt-of-run", test_receipt_of_run},
                                      {"agreed-keys", test_agreed_keys},
                                      {"agreements", test_agreements},
                                      {"bytes", test_bytes}};
    return unit_main(argc, argv, "ledger-verify", tests, sizeof tests / sizeof *tests);
}
