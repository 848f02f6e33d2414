/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions held to an agreement: each of its fields, alone different on the two sides or alone violated by
 * one, ends the run on both with the field named, a record in both ledgers, and nothing on the wire but hello
 * 1 and the abort.
 */
#include "party/identity.h"
#include "party/session.h"
#include "tests/support_held.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What a refusal has to look like ---- */

static void check_refused(held_run *r, const char *field, const char *what)
{
    int refusing = 0;
    for (int i = 0; i < 2; i++) {
        const pair_side *side = &r->p.side[i];
        tally_run last = held_last(r->ledger[i]);
        /* Who only hears of the refusal may have sent its second hello before: it had nothing to refuse. */
        int named = strstr(side->error.message, field) != NULL, private = 0;
        int told = strstr(side->error.message, "the other side ended the run") != NULL;
        for (size_t f = 0; f < r->record[i].count; f++)
        private += r->record[i].frame[f].type != WIRE_HELLO1 && r->record[i].frame[f].type != WIRE_ABORT;
        if (pair_category(side) != 4 || !named || (private && !told) || last.exit_status != 4)
            printf("%s %s, side %d: %d %s\n", field, what, i, pair_category(side), side->error.message);
        CU_ASSERT_EQUAL(pair_category(side), 4);
        CU_ASSERT(named);
        CU_ASSERT(told || !private);
        refusing += !told;
        CU_ASSERT_EQUAL(side->row_count, 0);
        CU_ASSERT_EQUAL(last.exit_status, 4);
        CU_ASSERT_FALSE(last.disclosed);
        CU_ASSERT_FALSE(side->leaked);
    }
    CU_ASSERT(refusing >= 1);
}

/* ---- Fields that differ ---- */

typedef struct change {
    enum party_agreed_id field;
    const char *text, *old, *replacement;
} change;

#define OTHER                                                                                                \
    "sha256:"                                                                                                \
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddee0"
#define BANDS "  - {name: amount, of: sender, edges: [0, 10, 100]}\n"
static const change changes[] = {
    {AGREED_NAME, held_match, "name: Debtors", "name: Creditors"},
    {AGREED_ORGANISATION, held_match, "organisation: Bank", "organisation: Branch"},
    {AGREED_LINK_KEY, held_match,
     "role: receiver\n    link-key: ", "role: receiver\n    link-key: " OTHER "1\n    # "},
    {AGREED_CA, held_match, "contact: desk\n",
     "contact: desk\n    ca: " OTHER "1\n    subject: \"@BANK@\"\n"},
    {AGREED_SUBJECT, held_match, "contact: desk\n",
     "contact: desk\n    ca: " OTHER "1\n    subject: \"@BANK@\"\n"},
    {AGREED_PLACE, held_match, "contact: desk\n", "contact: desk\n    address: bank.example:7440\n"},
    {AGREED_CONTACT, held_match, "contact: desk", "contact: counter"},
    {AGREED_MAX_LIST, held_match, "max-list: 50", "max-list: 51"},
    {AGREED_PURPOSE, held_match, "purpose: debts", "purpose: other"},
    {AGREED_LEGAL_BASIS, held_match, "legal-basis: law", "legal-basis: none"},
    {AGREED_VALID_FROM, held_match, "2020-01-01", "2020-01-02"},
    {AGREED_VALID_UNTIL, held_match, "2099-12-31", "2099-12-30"},
    {AGREED_TIME_ZONE, held_match, "", "time-zone: Asia/Shanghai\n"},
    {AGREED_FUNCTION, held_match, "function: match", "function: count"},
    {AGREED_PROTOCOL, held_match, "", "protocol: ecdh\n"},
    {AGREED_SECURITY, held_match, "", "security: malicious\n"},
    {AGREED_REVEAL_TO, held_match, "", "reveal-to: both\n"},
    {AGREED_KEYS, held_match, "    profile: exact\n",
     "    profile: exact\n  - {receiver-column: a, sender-column: b}\n"},
    {AGREED_KEY_RECEIVER, held_match, "receiver-column: id", "receiver-column: number"},
    {AGREED_KEY_SENDER, held_match, "sender-column: id", "sender-column: number"},
    {AGREED_KEY_PROFILE, held_phone, "profile: phone-e164", "profile: phone-e164+86"},
    {AGREED_COLUMNS, held_match, "", "columns:\n  - {name: court, width: 20}\n"},
    {AGREED_COLUMN_NAME, held_columns, "name: court", "name: judge"},
    {AGREED_COLUMN_WIDTH, held_columns, "width: 20", "width: 21"},
    {AGREED_ROWS_PER_PERSON, held_columns, "rows-per-person: 2", "rows-per-person: 3"},
    {AGREED_VALUES_OF, held_sum, "values-of: sender", "values-of: receiver"},
    {AGREED_VALUES, held_sum, "bands:", "  - {name: fee, min: 0, max: 10}\nbands:"},
    {AGREED_VALUE_NAME, held_sum, "{name: amount, min", "{name: fee, min"},
    {AGREED_VALUE_MIN, held_sum, "min: 0", "min: 1"},
    {AGREED_VALUE_MAX, held_sum, "max: 1000", "max: 1001"},
    {AGREED_VALUE_SCALE, held_sum, "scale: 2", "scale: 3"},
    {AGREED_BANDS, held_sum, "bands:\n" BANDS, ""},
    {AGREED_BAND_NAME, held_sum, "name: amount, of", "name: age, of"},
    {AGREED_BAND_OF, held_sum, "of: sender, edges", "of: receiver, edges"},
    {AGREED_BAND_EDGES, held_sum, "10, 100", "10, 101"},
    {AGREED_DUPLICATES, held_sum, "", "duplicates: max\n"},
    {AGREED_SCHEME, held_sum, "", "scheme: rlwe\n"},
    {AGREED_MIN_OVERLAP, held_count, "", "min-overlap: 3\n"},
    {AGREED_NOISE, held_count, "", "noise-epsilon: 1\n"},
    {AGREED_MAX_SHARE, held_match, "", "max-match-share: 5%\n"},
    {AGREED_PADDING, held_match, "", "padding-step: 10\n"},
    {AGREED_QUOTAS, held_match, "", "quotas:\n  runs-per-day: 3\n"},
    {AGREED_RUNS_DAY, held_match, "", "quotas:\n  runs-per-day: 3\n"},
    {AGREED_RUNS_ALL, held_match, "", "quotas:\n  runs-in-all: 3\n"},
    {AGREED_ROWS_DAY, held_match, "", "quotas:\n  rows-per-day: 300\n"},
    {AGREED_CONSENT, held_match, "", "consent: {rule: reference, column: consent}\n"},
    {AGREED_CONSENT_RULE, held_match, "", "consent: {rule: reference, column: consent}\n"},
    {AGREED_CONSENT_COLUMN, held_match, "", "consent: {rule: reference, column: consent}\n"},
};

/* A text that a file cannot have otherwise. */
static int has_no_other_value(enum party_agreed_id field)
{
    /* The only form there is; lists of what must be two; keys, which are tested by the signatures that fit or
     * not (roles exchange with them). */
    return field == AGREED_FORMAT || field == AGREED_PARTIES || field == AGREED_ROLE ||
           field == AGREED_SIGNING_KEY;
}

static void test_every_field_differs(void)
{
    unsigned char seen[AGREED_FIELDS] = {0};
    for (size_t c = 0; c < sizeof changes / sizeof *changes; c++)
        for (int which = 0; which < 2; which++) {
            held_run r;
            char path[96];
            tally_agreement *one = held_agreed(changes[c].text, "", ""),
                            *two = held_agreed(changes[c].text, changes[c].old, changes[c].replacement);
            held_begin(&r, which ? two : one, which ? one : two, 5, held_fresh());
            pair_run(&r.p);
            party_agreed_field_path(path, sizeof path, changes[c].field);
            check_refused(&r, path, changes[c].replacement);
            held_end(&r);
            tally_agreement_free(one);
            tally_agreement_free(two);
            seen[changes[c].field] = 1;
        }
    for (int f = 0; f < AGREED_FIELDS; f++)
        if (!seen[f] && !has_no_other_value((enum party_agreed_id)f))
            CU_FAIL(party_agreed_fields[f].name);
}

/* ---- Fields that one side violates ---- */

static void as_role(tally_session *s, tally_input *input)
{
    (void)input;
    tally_session_set_role(s, s->identity == held_identity[BANK] ? TALLY_SENDER : TALLY_RECEIVER);
}

static void as_function(tally_session *s, tally_input *input)
{
    (void)input;
    tally_session_set_function(s, TALLY_COUNT);
}

static void as_vole(tally_session *s, tally_input *input)
{
    (void)input;
    tally_session_set_protocol(s, TALLY_VOLE);
}

static void as_semi_honest(tally_session *s, tally_input *input)
{
    (void)input;
    tally_session_set_security(s, TALLY_SEMI_HONEST);
}

static void as_both(tally_session *s, tally_input *input)
{
    (void)input;
    tally_session_set_reveal(s, TALLY_REVEAL_BOTH);
}

static void as_paillier(tally_session *s, tally_input *input)
{
    (void)input;
    tally_session_set_scheme(s, TALLY_SCHEME_PAILLIER);
}

static void as_overlap(tally_session *s, tally_input *input)
{
    (void)input;
    CU_ASSERT_EQUAL(tally_session_set_min_overlap(s, 2, NULL), TALLY_OK);
}

static void as_noise(tally_session *s, tally_input *input)
{
    (void)input;
    CU_ASSERT_EQUAL(tally_session_set_noise(s, 2000000, NULL), TALLY_OK);
}

static void as_judge(tally_session *s, tally_input *input)
{
    (void)input;
    CU_ASSERT_EQUAL(s->identity == held_identity[BANK] ? tally_session_add_want(s, "judge", NULL)
                                                       : tally_session_add_offer(s, "judge", 5, NULL),
                    TALLY_OK);
}

static void as_wide(tally_session *s, tally_input *input)
{
    (void)input;
    CU_ASSERT_EQUAL(tally_session_add_offer(s, "court", 21, NULL), TALLY_OK);
}

static void as_rows(tally_session *s, tally_input *input)
{
    (void)input;
    CU_ASSERT_EQUAL(tally_session_set_rows_per_person(s, 3, NULL), TALLY_OK);
}

static void as_keys(tally_session *s, tally_input *input)
{
    (void)s;
    CU_ASSERT_EQUAL(tally_input_add_key(input, "id", "exact", NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_input_add_key(input, "a", "exact", NULL), TALLY_OK);
}

static void as_column(tally_session *s, tally_input *input)
{
    (void)s;
    CU_ASSERT_EQUAL(tally_input_add_key(input, "number", "exact", NULL), TALLY_OK);
}

static void as_profile(tally_session *s, tally_input *input)
{
    (void)s;
    CU_ASSERT_EQUAL(tally_input_add_key(input, "id", "cn-uscc", NULL), TALLY_OK);
}

static void value(tally_input *input, const char *column, int64_t min, int64_t max, unsigned scale)
{
    CU_ASSERT_EQUAL(tally_input_add_value(input, column, min, max, scale, NULL), TALLY_OK);
}

static void as_fee(tally_session *s, tally_input *input)
{
    (void)s;
    value(input, "fee", 0, 100, 2);
}

static void as_min(tally_session *s, tally_input *input)
{
    (void)s;
    value(input, "amount", -1, 100000, 2);
}

static void as_max(tally_session *s, tally_input *input)
{
    (void)s;
    value(input, "amount", 0, 100001, 2);
}

static void as_scale(tally_session *s, tally_input *input)
{
    (void)s;
    value(input, "amount", 0, 100, 1);
}

static void as_band(tally_session *s, tally_input *input)
{
    const int64_t edges[] = {0, 10};
    (void)s;
    CU_ASSERT_EQUAL(tally_input_add_band(input, "age", edges, 2, 0, NULL), TALLY_OK);
}

static void as_edges(tally_session *s, tally_input *input)
{
    const int64_t edges[] = {0, 10, 20, 100};
    (void)s;
    CU_ASSERT_EQUAL(tally_input_add_band(input, "amount", edges, 4, 0, NULL), TALLY_OK);
}

static void as_largest(tally_session *s, tally_input *input)
{
    (void)s;
    tally_input_set_duplicates(input, TALLY_DUPLICATES_MAX);
}

static void as_nothing(tally_session *s, tally_input *input)
{
    (void)s;
    (void)input;
}

static void as_other_identity(tally_session *s, tally_input *input)
{
    (void)input;
    tally_session_set_identity(s, s->identity == held_identity[BANK] ? held_identity[AGENCY]
                                                                     : held_identity[BANK]);
}

static const struct violation {
    enum party_agreed_id field;
    const char *text, *add;
    void (*set)(tally_session *, tally_input *);
    int sides; /* bit i: side i can */
    unsigned n;
} violations[] = {
    {AGREED_ROLE, held_match, "", as_role, 3, 5},
    {AGREED_SIGNING_KEY, held_match, "", as_other_identity, 3, 5},
    {AGREED_FUNCTION, held_match, "", as_function, 3, 5},
    {AGREED_PROTOCOL, held_match, "protocol: ecdh\n", as_vole, 3, 5},
    {AGREED_SECURITY, held_match, "security: malicious\n", as_semi_honest, 3, 5},
    {AGREED_REVEAL_TO, held_match, "", as_both, 3, 5},
    {AGREED_SCHEME, held_sum, "scheme: rlwe\n", as_paillier, 3, 5},
    {AGREED_MIN_OVERLAP, held_count, "min-overlap: 3\n", as_overlap, 3, 5},
    {AGREED_NOISE, held_count, "noise-epsilon: 1\n", as_noise, 3, 5},
    {AGREED_COLUMN_NAME, held_columns, "", as_judge, 3, 5},
    {AGREED_COLUMN_WIDTH, held_columns, "", as_wide, 2, 5},
    {AGREED_ROWS_PER_PERSON, held_columns, "", as_rows, 3, 5},
    {AGREED_KEYS, held_match, "", as_keys, 3, 5},
    {AGREED_KEY_RECEIVER, held_match, "", as_column, 1, 5},
    {AGREED_KEY_SENDER, held_match, "", as_column, 2, 5},
    {AGREED_KEY_PROFILE, held_match, "", as_profile, 3, 5},
    {AGREED_VALUE_NAME, held_sum, "", as_fee, 2, 5},
    {AGREED_VALUE_MIN, held_sum, "", as_min, 2, 5},
    {AGREED_VALUE_MAX, held_sum, "", as_max, 2, 5},
    {AGREED_VALUE_SCALE, held_sum, "", as_scale, 2, 5},
    {AGREED_BAND_NAME, held_sum, "", as_band, 2, 5},
    {AGREED_BAND_EDGES, held_sum, "", as_edges, 2, 5},
    {AGREED_DUPLICATES, held_sum, "", as_largest, 2, 5},
    {AGREED_MAX_LIST, held_match, "", as_nothing, 1, 55},
    {AGREED_ROWS_DAY, held_match, "quotas:\n  rows-per-day: 9\n", as_nothing, 1, 10},
};

static void test_every_violation(void)
{
    for (size_t v = 0; v < sizeof violations / sizeof *violations; v++)
        for (int side = 0; side < 2; side++) {
            const struct violation *w = &violations[v];
            held_run r;
            char path[96];
            if (!(w->sides >> side & 1))
                continue;
            tally_agreement *a = held_agreed(w->text, "", w->add);
            held_begin(&r, a, a, 5, held_fresh());
            if (w->n != 5)
                held_list(&r.p.side[side], 1, w->n);
            w->set(r.p.side[side].session, r.p.side[side].input);
            pair_run(&r.p);
            party_agreed_field_path(path, sizeof path, w->field);
            check_refused(&r, path, "violated");
            held_end(&r);
            tally_agreement_free(a);
        }
}

/* Over by one side's clock only if the other's is off: both say it. */
static void test_days(void)
{
    static const struct {
        enum party_agreed_id field;
        const char *old, *replacement;
    } days[] = {{AGREED_VALID_FROM, "2020-01-01", "2098-01-01"},
                {AGREED_VALID_UNTIL, "2099-12-31", "2020-01-02"}};
    for (size_t d = 0; d < sizeof days / sizeof *days; d++) {
        held_run r;
        char path[96];
        tally_agreement *a = held_agreed(held_match, days[d].old, days[d].replacement);
        held_begin(&r, a, a, 5, held_fresh());
        pair_run(&r.p);
        party_agreed_field_path(path, sizeof path, days[d].field);
        check_refused(&r, path, "days");
        held_end(&r);
        tally_agreement_free(a);
    }
}

/* Signed by one side only, here or there; and a peer whose signatures are of another text. */
static void test_signatures(void)
{
    for (int side = 0; side < 2; side++)
        for (int missing = 0; missing < 2; missing++) {
            held_run r;
            tally_agreement *good = held_agreed(held_match, "", ""), *bad = held_agreed(held_match, "", "");
            if (missing)
                bad->signatures[side].state = TALLY_UNSIGNED;
            else
                bad->signatures[side].signature64[5] ^= 1;
            held_begin(&r, side ? good : bad, side ? bad : good, 5, held_fresh());
            pair_run(&r.p);
            check_refused(&r, "parties[].signing-key", missing ? "missing" : "forged");
            held_end(&r);
            tally_agreement_free(good);
            tally_agreement_free(bad);
        }
}

static void test_one_side_without(void)
{
    for (int side = 0; side < 2; side++) {
        held_run r;
        tally_agreement *a = held_agreed(held_match, "", "");
        held_begin(&r, side ? a : NULL, side ? NULL : a, 5, held_fresh());
        pair_side *free_side = &r.p.side[!side ? BANK : AGENCY];
        tally_session_set_role(free_side->session, side ? TALLY_SENDER : TALLY_RECEIVER);
        CU_ASSERT_EQUAL(tally_input_add_key(free_side->input, "id", "exact", NULL), TALLY_OK);
        pair_run(&r.p);
        check_refused(&r, "agreement", "one side without");
        held_end(&r);
        tally_agreement_free(a);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"every_field_differs", test_every_field_differs},
        {"every_violation", test_every_violation},
        {"days", test_days},
        {"signatures", test_signatures},
        {"one_side_without", test_one_side_without},
    };
    held_start();
    return unit_main(argc, argv, "held", tests, sizeof tests / sizeof *tests);
}
