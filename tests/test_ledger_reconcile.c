/* SPDX-License-Identifier: Apache-2.0 */
/* Two sides' ledgers side by side. */
#include "tests/support_ledger.h"

#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct sides {
    const char *path[2];
    tally_ledger *l[2];
    tally_identity *id[2], *third;
} sides;

static sides start(void)
{
    sides s = {.third = ledger_identity("third")};
    for (size_t i = 0; i < 2; i++) {
        s.id[i] = ledger_identity(i ? "agency" : "bank");
        s.path[i] = ledger_path();
        s.l[i] = ledger_open(s.path[i], TALLY_LEDGER_WRITE);
    }
    return s;
}

static void stop(sides *s)
{
    for (size_t i = 0; i < 2; i++) {
        tally_ledger_free(s->l[i]);
        tally_identity_free(s->id[i]);
    }
    tally_identity_free(s->third);
}

static void both(sides *s, char session, int second_ends)
{
    ledger_both(s->l[0], s->id[0], s->l[1], s->id[1], session, second_ends);
}

static void add_line(void *user, const char *line)
{
    party_text_add(user, "%s\n", line);
}

/* As many sessions and differences from either side; the words are in a line. Where nothing is compared,
 * that is an error for a side that has sessions. */
static void expect(sides *s, uint64_t sessions, uint64_t wanted, const char *words)
{
    for (size_t i = 0; i < 2; i++) {
        party_text text = {0};
        uint64_t differences = 99, compared = 99;
        tally_error error = {.message = ""};
        tally_status st =
            tally_ledger_reconcile(s->l[i], s->l[!i], add_line, &text, &compared, &differences, &error);
        CU_ASSERT(st == TALLY_OK || (st == TALLY_ERR_DIFFERS && !sessions &&
                                     strstr(error.message, "nothing was compared") && *error.hint));
        CU_ASSERT_EQUAL(compared, sessions);
        CU_ASSERT_EQUAL(differences, wanted);
        CU_ASSERT(!words || (text.at && strstr(text.at, words)));
        if (differences != wanted || (words && (!text.at || !strstr(text.at, words))))
            fprintf(stderr, "%s%s", text.at ? text.at : "no difference\n", error.message);
        party_text_drop(&text);
    }
}

static void test_same(void)
{
    sides s = start();
    tally_error error;
    expect(&s, 0, 0, NULL);
    for (char c = '1'; c < '9'; c++)
        both(&s, c, 1);
    /* Neither concerns the other side: a run with somebody else, one without session, whole or refused. */
    ledger_whole(s.l[0],
                 &(ledger_run){.identity = s.id[0], .other = s.third, .session = ledger_session('a')});
    ledger_whole(s.l[0], &(ledger_run){.identity = s.id[0], .other = s.id[1], .status = 6, .kept_back = 1});
    CU_ASSERT_EQUAL(ledger_refused(s.l[1], &(ledger_run){.identity = s.id[1], .other = s.id[0]}, &error),
                    TALLY_OK);
    uint64_t n = 0;
    CU_ASSERT_EQUAL(
        ledger_begin(s.l[0], &(ledger_run){.identity = s.id[0], .other = s.third}, &n, NULL, NULL, NULL),
        TALLY_OK);
    expect(&s, 8, 0, NULL);
    stop(&s);
}

static tally_status reconcile(tally_ledger *a, tally_ledger *b, uint64_t *compared, tally_error *error)
{
    uint64_t differences = 99;
    *compared = 99;
    return tally_ledger_reconcile(a, b, NULL, NULL, compared, &differences, error);
}

/* Itself, itself opened anew, an older copy of itself, and a ledger of people it has never run with. */
static void test_another(void)
{
    sides s = start();
    tally_error error;
    uint64_t compared;
    size_t len;
    both(&s, '1', 1);
    const char *copy = ledger_path();
    tally_ledger_free(ledger_open(copy, TALLY_LEDGER_WRITE)); /* makes its folder */
    uint8_t *bytes = ledger_bytes(s.path[0], &len);
    ledger_put(copy, bytes, len);
    both(&s, '2', 1);
    tally_ledger *again = ledger_open(s.path[0], TALLY_LEDGER_READ),
                 *older = ledger_open(copy, TALLY_LEDGER_READ),
                 *foreign = ledger_open(ledger_path(), TALLY_LEDGER_WRITE);
    tally_ledger *const own[] = {s.l[0], again, older};
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(reconcile(s.l[0], own[i], &compared, &error), TALLY_ERR_USAGE);
        CU_ASSERT(strstr(error.message, "itself, or a copy of it") && strstr(error.hint, "--checkpoint"));
    }
    CU_ASSERT_EQUAL(compared, 99);
    ledger_whole(foreign,
                 &(ledger_run){.identity = s.third, .other = s.third, .session = ledger_session('a')});
    CU_ASSERT_EQUAL(reconcile(s.l[0], foreign, &compared, &error), TALLY_ERR_DIFFERS);
    CU_ASSERT(compared == 0 && strstr(error.message, "nothing was compared") && *error.hint);
    tally_ledger_free(again);
    tally_ledger_free(older);
    tally_ledger_free(foreign);
    free(bytes);
    stop(&s);
}

static void test_alone(void)
{
    sides s = start();
    both(&s, '1', 1);
    ledger_whole(s.l[0],
                 &(ledger_run){.identity = s.id[0], .other = s.id[1], .session = ledger_session('2')});
    expect(&s, 1, 1, "session 2222222222222222: only in one ledger");
    stop(&s);
    s = start(); /* the receipt was lost on one side: that run is incomplete there */
    both(&s, '1', 1);
    both(&s, '2', 0);
    expect(&s, 1, 2, "run 2 is incomplete");
    stop(&s);
}

static void test_receipts(void)
{
    sides s = start();
    both(&s, '1', 1);
    uint8_t roots[2][32];
    uint64_t n[2];
    ledger_run a = {.identity = s.id[0], .other = s.id[1]},
               b = {.identity = s.id[1], .other = s.id[0], .role = TALLY_SENDER};
    CU_ASSERT_EQUAL(ledger_begin(s.l[0], &a, &n[0], roots[0], NULL, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(ledger_begin(s.l[1], &b, &n[1], roots[1], NULL, NULL), TALLY_OK);
    char *receipt = ledger_receipt(s.id[0], s.id[1], ledger_session('2'), roots[0], roots[1]);
    a.session = b.session = ledger_session('2');
    a.receipt = receipt;
    CU_ASSERT_EQUAL(ledger_end(s.l[0], &a, n[0], NULL), TALLY_OK);
    char *digit = strstr(receipt, "\"receiver\":\"") + 12; /* another signature under the same text */
    *digit = *digit == '0' ? '1' : '0';
    b.receipt = receipt;
    CU_ASSERT_EQUAL(ledger_end(s.l[1], &b, n[1], NULL), TALLY_OK);
    expect(&s, 2, 1, "differ");
    free(receipt);
    stop(&s);
    s = start();
    a = (ledger_run){.identity = s.id[0], .other = s.id[1], .session = ledger_session('1')};
    b = (ledger_run){
        .identity = s.id[1], .other = s.id[0], .role = TALLY_SENDER, .session = ledger_session('1')};
    uint8_t root[32] = {0};
    receipt = ledger_receipt(s.id[0], s.id[1], ledger_session('1'), root, root);
    ledger_whole(s.l[0], &a);
    b.receipt = receipt;
    ledger_whole(s.l[1], &b);
    expect(&s, 1, 2, "has a receipt"); /* and the root in it is none of the first ledger's */
    free(receipt);
    stop(&s);
}

/* One side puts back an old copy, which verifies; the other side's receipts tell. */
static void test_history(void)
{
    sides s = start();
    size_t len;
    both(&s, '1', 1);
    uint8_t *earlier = ledger_bytes(s.path[0], &len);
    both(&s, '2', 1);
    both(&s, '3', 1);
    tally_ledger_free(s.l[0]);
    ledger_put(s.path[0], earlier, len);
    s.l[0] = ledger_open(s.path[0], TALLY_LEDGER_WRITE);
    CU_ASSERT_EQUAL(tally_ledger_verify(s.l[0], 1, NULL, NULL), TALLY_OK);
    expect(&s, 1, 2, "cut short or rewritten");
    /* Written anew: the same sessions, in another history. */
    tally_ledger_free(s.l[0]);
    s.path[0] = ledger_path();
    s.l[0] = ledger_open(s.path[0], TALLY_LEDGER_WRITE);
    for (char c = '1'; c < '4'; c++)
        ledger_whole(
            s.l[0],
            &(ledger_run){.identity = s.id[0], .other = s.id[1], .session = ledger_session(c), .items = 3});
    expect(&s, 3, 6, "was rewritten");
    free(earlier);
    stop(&s);
}

/* One of them holds nothing at all. */
static void test_empty(void)
{
    sides s = start();
    both(&s, '1', 1);
    tally_ledger_free(s.l[1]);
    s.l[1] = ledger_open(ledger_path(), TALLY_LEDGER_WRITE);
    expect(&s, 0, 1, "session 1111111111111111");
    stop(&s);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"same", test_same},       {"another", test_another},
                                      {"alone", test_alone},     {"receipts", test_receipts},
                                      {"history", test_history}, {"empty", test_empty}};
    return unit_main(argc, argv, "ledger-reconcile", tests, sizeof tests / sizeof *tests);
}
