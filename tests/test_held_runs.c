/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions held to an agreement that go through: receipts, records, narrower options, padding, consent; and
 * what counts over several of them. */
#include "tests/support_agreement.h"
#include "tests/support_held.h"
#include "tests/unit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Runs that are allowed ---- */

/* What intent and outcome of run n say. */
static json_t *record(tally_ledger *ledger, uint64_t n)
{
    char *text = NULL;
    CU_ASSERT_EQUAL_FATAL(tally_ledger_run_json(ledger, n, &text, NULL), TALLY_OK);
    json_t *j = json_loads(text, 0, NULL), *both = json_object();
    CU_ASSERT_PTR_NOT_NULL_FATAL(j);
    CU_ASSERT_PTR_NULL(strstr(text, PAIR_MARK));
    CU_ASSERT_EQUAL(json_object_update(both, json_object_get(json_object_get(j, "intent"), "body")), 0);
    CU_ASSERT_EQUAL(json_object_update(both, json_object_get(json_object_get(j, "outcome"), "body")), 0);
    json_decref(j);
    free(text);
    return both;
}

static const char *word(const json_t *j, const char *group, const char *name)
{
    const char *found = json_string_value(json_object_get(group ? json_object_get(j, group) : j, name));
    return found ? found : "";
}

static int64_t number(const json_t *j, const char *group, const char *name)
{
    return json_integer_value(json_object_get(group ? json_object_get(j, group) : j, name));
}

static int is_null(const json_t *j, const char *name)
{
    return json_is_null(json_object_get(j, name));
}

/* Both went well, and both ledgers hold the same receipt, with both signatures. */
static void check_settled(held_run *r)
{
    json_t *j[2];
    for (int i = 0; i < 2; i++) {
        tally_ledger_state state;
        tally_run last = held_last(r->ledger[i]);
        if (r->p.side[i].status)
            printf("side %d: %s\n", i, r->p.side[i].error.message);
        CU_ASSERT_EQUAL(r->p.side[i].status, TALLY_OK);
        CU_ASSERT_EQUAL(last.exit_status, 0);
        CU_ASSERT(last.disclosed && last.ended >= last.began);
        CU_ASSERT_STRING_EQUAL(last.peer, i == BANK ? "Agency" : "Bank");
        CU_ASSERT_EQUAL(r->p.side[i].result.run, last.n);
        CU_ASSERT_FALSE(r->p.side[i].leaked);
        CU_ASSERT_EQUAL(tally_ledger_verify(r->ledger[i], 1, &state, &r->p.side[i].error), TALLY_OK);
        CU_ASSERT(state.receipts > 0);
        j[i] = record(r->ledger[i], last.n);
    }
    CU_ASSERT(strlen(word(j[0], "receipt", "text")) > 500);
    CU_ASSERT_STRING_EQUAL(word(j[0], "receipt", "text"), word(j[1], "receipt", "text"));
    CU_ASSERT(strlen(word(j[0], "receipt", "receiver")) == 128 &&
              strlen(word(j[0], "receipt", "sender")) == 128);
    CU_ASSERT_STRING_EQUAL(word(j[0], "receipt", "receiver"), word(j[1], "receipt", "receiver"));
    CU_ASSERT_STRING_EQUAL(word(j[0], NULL, "session"), word(j[1], NULL, "session"));
    json_decref(j[0]);
    json_decref(j[1]);
}

static void test_match(void)
{
    held_run r;
    tally_agreement *a = held_agreed(held_columns, "", "max-match-share: 10%\n");
    held_begin(&r, a, a, 20, held_fresh());
    pair_run(&r.p);
    check_settled(&r);
    CU_ASSERT_EQUAL(r.p.side[BANK].result.matched_items, 18);
    CU_ASSERT(r.p.side[BANK].result.share_exceeded && r.p.side[AGENCY].result.share_exceeded);
    json_t *bank = record(r.ledger[BANK], 1), *agency = record(r.ledger[AGENCY], 1);
    CU_ASSERT_EQUAL(number(bank, NULL, "matched"), 18);
    CU_ASSERT_STRING_EQUAL(word(bank, "result", "value"), "matched 18");
    /* The sender's record says nothing of how many, in no form. */
    CU_ASSERT(is_null(agency, "matched") && is_null(agency, "result") && is_null(agency, "figures"));
    CU_ASSERT_PTR_NULL(strstr(word(agency, "receipt", "text"), "matched"));
    CU_ASSERT_PTR_NOT_NULL(strstr(word(agency, "receipt", "text"), "receiver-share-exceeded: yes"));
    CU_ASSERT(json_is_true(json_object_get(agency, "share_exceeded")));
    json_decref(bank);
    json_decref(agency);
    held_end(&r);
    tally_agreement_free(a);
}

/* Options that narrow: fewer columns, narrower ones, a named protocol, the receiver alone. */
static void test_narrower(void)
{
    held_run r;
    tally_agreement *a =
        held_agreed(held_columns, "{name: court, width: 20}",
                    "{name: court, width: 20}\n  - {name: judge, width: 9}\nreveal-to: both");
    held_begin(&r, a, a, 20, held_fresh());
    for (int i = 0; i < 2; i++) {
        tally_session *s = r.p.side[i].session;
        tally_session_set_reveal(s, TALLY_REVEAL_RECEIVER);
        tally_session_set_protocol(s, TALLY_ECDH);
        CU_ASSERT_EQUAL(tally_session_set_rows_per_person(s, 1, NULL), TALLY_OK);
    }
    CU_ASSERT_EQUAL(tally_session_add_want(r.p.side[BANK].session, "judge", NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_add_offer(r.p.side[AGENCY].session, "judge", 5, NULL), TALLY_OK);
    pair_run(&r.p);
    check_settled(&r);
    CU_ASSERT_FALSE(r.p.side[AGENCY].result.learns_matches);
    held_end(&r);
    tally_agreement_free(a);
}

/* Padded lists, and rows without consent: what the other side and the ledger see of them. */
static void test_padding_and_consent(void)
{
    held_run r;
    tally_agreement *a =
        held_agreed(held_match, "", "padding-step: 16\nconsent: {rule: valid-until, column: consent}\n");
    held_begin(&r, a, a, 20, held_fresh());
    pair_run(&r.p);
    check_settled(&r);
    CU_ASSERT_EQUAL(r.p.side[BANK].result.matched_items, 9); /* of 18 every second one consents */
    CU_ASSERT_EQUAL(r.p.side[BANK].result.own_items, 10);
    CU_ASSERT_EQUAL(r.p.side[BANK].result.peer_items, 32);
    CU_ASSERT_EQUAL(r.p.side[AGENCY].result.peer_items, 16);
    json_t *bank = record(r.ledger[BANK], 1);
    CU_ASSERT_EQUAL(number(bank, "input", "without_consent"), 10);
    CU_ASSERT_EQUAL(number(bank, "input", "rejected"), 0);
    CU_ASSERT_EQUAL(number(bank, "input", "items"), 10);
    CU_ASSERT_EQUAL(number(bank, "input", "declared"), 16);
    CU_ASSERT_PTR_NOT_NULL(strstr(word(bank, "receipt", "text"), "receiver-without-consent: 10\n"));
    json_decref(bank);
    held_end(&r);
    tally_agreement_free(a);
}

static void test_count_and_sum(void)
{
    for (int sum = 0; sum < 2; sum++) {
        held_run r;
        tally_agreement *a = held_agreed(sum ? held_sum : held_count, "", "min-overlap: 3\n");
        held_begin(&r, a, a, 20, held_fresh());
        pair_run(&r.p);
        check_settled(&r);
        CU_ASSERT_EQUAL(r.p.side[BANK].result.matched_items, 18);
        json_t *bank = record(r.ledger[BANK], 1), *agency = record(r.ledger[AGENCY], 1);
        CU_ASSERT_EQUAL(number(bank, "figures", "count"), 18);
        CU_ASSERT(is_null(agency, "figures") == sum); /* of a count the side at risk counts */
        json_decref(bank);
        json_decref(agency);
        held_end(&r);
        tally_agreement_free(a);
    }
}

/* ---- Over several runs ---- */

/* One run on the same two ledgers, with lists from..from+n-1 of the bank and 3..22 of the agency; its
 * category. */
static int again(tally_agreement *a, const char *const *paths, unsigned from, unsigned n)
{
    held_run r;
    held_begin(&r, a, a, 20, paths);
    held_list(&r.p.side[BANK], from, n);
    pair_run(&r.p);
    int category = pair_category(&r.p.side[BANK]);
    CU_ASSERT_EQUAL(pair_category(&r.p.side[AGENCY]), category);
    if (category == 4)
        for (int i = 0; i < 2; i++)
            CU_ASSERT_FALSE(held_last(r.ledger[i]).disclosed);
    held_end(&r);
    return category;
}

static void test_quotas(void)
{
    static const char *const quotas[] = {"runs-per-day: 2", "runs-in-all: 2", "rows-per-day: 40"};
    for (size_t q = 0; q < 3; q++) {
        char text[60];
        snprintf(text, sizeof text, "quotas:\n  %s\n", quotas[q]);
        tally_agreement *a = held_agreed(held_match, "", text);
        const char *const *paths = held_fresh();
        CU_ASSERT_EQUAL(again(a, paths, 1, 20), 0);
        CU_ASSERT_EQUAL(again(a, paths, 1, 20), 0); /* an identical run counts */
        CU_ASSERT_EQUAL(again(a, paths, 1, 20), 4);
        CU_ASSERT_EQUAL(again(a, paths, 1, 20), 4);
        tally_agreement_free(a);
    }
}

/* A receiver whose ledger is fresh each time: the sender's own counts what it was asked about. */
static void test_rows_of_the_other_side(void)
{
    tally_agreement *a = held_agreed(held_match, "", "quotas:\n  rows-per-day: 45\n");
    char *agency = strdup(held_fresh()[AGENCY]);
    for (int i = 0; i < 3; i++) {
        held_run r;
        char *bank = strdup(held_fresh()[BANK]);
        const char *paths[2] = {bank, agency};
        held_begin(&r, a, a, 20, paths);
        pair_run(&r.p);
        CU_ASSERT_EQUAL(pair_category(&r.p.side[AGENCY]), i < 2 ? 0 : 4);
        CU_ASSERT_EQUAL(pair_category(&r.p.side[BANK]), i < 2 ? 0 : 6);
        CU_ASSERT_EQUAL(strstr(r.p.side[AGENCY].error.message, "rows-per-day") != NULL, i == 2);
        CU_ASSERT_EQUAL(held_last(r.ledger[AGENCY]).disclosed, i < 2);
        held_end(&r);
        free(bank);
    }
    free(agency);
    tally_agreement_free(a);
}

/* A list with one person less would single that person out; the next day's list is another list. */
static void test_differencing(void)
{
    char *wide = agreed_with(held_count, "max-list: 50", "max-list: 200");
    tally_agreement *a = held_agreed(wide, "", "min-overlap: 5\n");
    free(wide);
    const char *const *paths = held_fresh();
    CU_ASSERT_EQUAL(again(a, paths, 1, 60), 0);
    CU_ASSERT_EQUAL(again(a, paths, 1, 60), 0); /* the same question again */
    CU_ASSERT_EQUAL(again(a, paths, 1, 59), 4); /* without one */
    CU_ASSERT_EQUAL(again(a, paths, 2, 60), 4); /* one for another */
    CU_ASSERT_EQUAL(again(a, paths, 1, 62), 4);
    CU_ASSERT_EQUAL(again(a, paths, 10, 60), 0); /* nine left, nine came */
    CU_ASSERT_EQUAL(again(a, paths, 10, 61), 4);
    tally_agreement_free(a);
}

/* One person given another value, on the very same list of identifiers. */
static void test_numbers(void)
{
    tally_agreement *a = held_agreed(held_sum, "", "min-overlap: 5\n");
    const char *const *paths = held_fresh();
    static const unsigned other[] = {0, 0, 1, 20}; /* how many have another amount than at first */
    for (size_t i = 0; i < 4; i++) {
        held_run r;
        held_begin(&r, a, a, 20, paths);
        held_list_with(&r.p.side[AGENCY], 3, 20, other[i]);
        pair_run(&r.p);
        CU_ASSERT_EQUAL(pair_category(&r.p.side[AGENCY]), other[i] == 1 ? 4 : 0);
        CU_ASSERT_EQUAL(pair_category(&r.p.side[BANK]), other[i] == 1 ? 4 : 0);
        held_end(&r);
    }
    tally_agreement_free(a);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"match", test_match},
        {"narrower", test_narrower},
        {"padding_and_consent", test_padding_and_consent},
        {"count_and_sum", test_count_and_sum},
        {"quotas", test_quotas},
        {"rows_of_the_other_side", test_rows_of_the_other_side},
        {"differencing", test_differencing},
        {"numbers", test_numbers},
    };
    held_start();
    return unit_main(argc, argv, "held_runs", tests, sizeof tests / sizeof *tests);
}
