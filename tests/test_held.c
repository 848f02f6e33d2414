/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions held to an agreement: each of its fields, alone different on the two sides or alone violated by
 * one, ends the run on both with the field named, a record in both ledgers, and nothing on the wire but hello
 * 1 and the abort.
 */
#include "party/agreement.h"
#include "party/identity.h"
#include "party/input.h"
#include "party/session.h"
#include "tests/support_agreement.h"
#include "tests/support_session.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BANK PAIR_RECEIVER
#define AGENCY PAIR_SENDER

/* Fields that every agreement here has: %s are link and signing keys of the bank, then of the agency. */
#define HEAD                                                                                                 \
    "tally-agreement: 1\n"                                                                                   \
    "name: Debtors\n"                                                                                        \
    "parties:\n"                                                                                             \
    "  - organisation: Bank\n"                                                                               \
    "    role: receiver\n"                                                                                   \
    "    link-key: %s\n"                                                                                     \
    "    signing-key: %s\n"                                                                                  \
    "    contact: desk\n"                                                                                    \
    "    max-list: 50\n"                                                                                     \
    "  - organisation: Agency\n"                                                                             \
    "    role: sender\n"                                                                                     \
    "    link-key: %s\n"                                                                                     \
    "    signing-key: %s\n"                                                                                  \
    "    contact: office\n"                                                                                  \
    "    max-list: 60\n"                                                                                     \
    "purpose: debts\n"                                                                                       \
    "legal-basis: law\n"                                                                                     \
    "valid-from: 2020-01-01\n"                                                                               \
    "valid-until: 2099-12-31\n"                                                                              \
    "keys:\n"                                                                                                \
    "  - receiver-column: id\n"                                                                              \
    "    sender-column: id\n"                                                                                \
    "    profile: exact\n"
static const char match_text[] = HEAD "function: match\n";
static const char columns_text[] = HEAD "function: match\n"
                                        "columns:\n"
                                        "  - {name: court, width: 20}\n"
                                        "rows-per-person: 2\n";
static const char count_text[] = HEAD "function: count\n";
static const char sum_text[] = HEAD "function: sum\n"
                                    "values-of: sender\n"
                                    "values:\n"
                                    "  - {name: amount, min: 0, max: 1000, scale: 2}\n"
                                    "bands:\n"
                                    "  - {name: amount, of: sender, edges: [0, 10, 100]}\n";

static tally_identity *identity[2];
static char *folder;

static tally_identity *made(const char *name)
{
    char dir[160];
    tally_identity *id = NULL;
    snprintf(dir, sizeof dir, "%s/%s", folder, name);
    if (tally_identity_create(dir, name, NULL) || tally_identity_load(dir, &id, NULL))
        abort();
    return id;
}

/* The agreement of the text with `old` replaced, signed by both. */
static tally_agreement *agreed(const char *text, const char *old, const char *replacement)
{
    char *named = NULL;
    tally_agreement *a = NULL;
    tally_error error = {.message = ""};
    if (asprintf(&named, text, identity[BANK]->fingerprint, identity[BANK]->sign_fingerprint,
                 identity[AGENCY]->fingerprint, identity[AGENCY]->sign_fingerprint) < 0)
        abort();
    char *changed = agreed_with(named, old, replacement);
    if (strstr(changed, "@BANK@")) {
        char *with = agreed_with(changed, "@BANK@", identity[BANK]->subject);
        free(changed);
        changed = with;
    }
    tally_status st = agreed_load(changed, &a, &error);
    for (int i = 0; !st && i < 2; i++) {
        st = tally_agreement_sign(a, identity[i], &error);
        if (st == TALLY_ERR_AUTH) /* a text that names another key */
            st = TALLY_OK;
    }
    if (st) {
        printf("%s: %s\n", replacement, error.message);
        abort();
    }
    free(changed);
    free(named);
    return a;
}

typedef struct run {
    pair p;
    pair_record record[2];
    tally_agreement *agreement[2];
    tally_ledger *ledger[2];
} run;

/* A list of the identifiers from..from+n-1, with the columns that agreements here name. */
static void write_list(const char *path, unsigned from, unsigned n)
{
    FILE *f = fopen(path, "w");
    int good = f && fputs("id,number,court,judge,amount,fee,age,consent,a,b\n", f) > 0;
    for (unsigned i = from; good && i < from + n; i++)
        good = fprintf(f, PAIR_MARK "%u,%u,north,k,%u.50,1,%u,%s,1,2\n", i, i, i, i % 90,
                       i % 2 ? "2099-01-01" : "") > 0;
    if (!good || fclose(f))
        abort();
}

static void set_list(pair_side *side, unsigned from, unsigned n)
{
    char path[200];
    static unsigned used;
    snprintf(path, sizeof path, "%s/list-%u.csv", folder, used++);
    write_list(path, from, n);
    tally_input_free(side->input);
    if (tally_input_new(&side->input, NULL) || tally_input_set_file(side->input, path, NULL))
        abort();
    tally_session_set_input(side->session, side->input);
}

/* The lists are 1..n and 3..n+2, the ledgers those of these paths. */
static void begin(run *r, tally_agreement *bank, tally_agreement *agency, unsigned n,
                  const char *const paths[2])
{
    *r = (run){.agreement = {bank, agency}};
    pair_init(&r->p, TALLY_SEMI_HONEST, TALLY_REVEAL_RECEIVER);
    for (int i = 0; i < 2; i++) {
        pair_side *side = &r->p.side[i];
        tally_session *s = side->session;
        /* Only what a test sets is set. */
        s->function_given = s->security_given = s->reveal_given = 0;
        s->protocol = TALLY_AUTO;
        s->role = 0;
        if (tally_ledger_open(&r->ledger[i], paths[i], TALLY_LEDGER_WRITE, &side->error))
            abort();
        tally_session_set_identity(s, identity[i]);
        tally_session_set_agreement(s, r->agreement[i]);
        tally_session_set_ledger(s, r->ledger[i]);
        pair_record_start(&r->record[i], &side->tap);
        set_list(side, i == BANK ? 1 : 3, n);
    }
}

static void end(run *r)
{
    for (int i = 0; i < 2; i++) {
        pair_record_free(&r->record[i]);
        tally_ledger_free(r->ledger[i]);
    }
    pair_free(&r->p);
}

/* Paths of two fresh ledgers. */
static const char *const *fresh(void)
{
    static char path[2][160];
    static const char *const paths[2] = {path[0], path[1]};
    static unsigned used;
    used++;
    for (int i = 0; i < 2; i++)
        snprintf(path[i], sizeof path[i], "%s/%u-%d/ledger.db", folder, used, i);
    return paths;
}

/* ---- What a refusal has to look like ---- */

static int take_last(void *user, const tally_run *seen)
{
    *(tally_run *)user = *seen;
    return 0;
}

static tally_run last_run(tally_ledger *ledger)
{
    tally_run last = {.n = 0};
    uint64_t n = 0;
    CU_ASSERT_EQUAL(tally_ledger_runs(ledger, &n, NULL), TALLY_OK);
    CU_ASSERT(n > 0);
    CU_ASSERT_EQUAL(tally_ledger_list(ledger, n, n, take_last, &last, NULL), TALLY_OK);
    return last;
}

static void check_refused(run *r, const char *field, const char *what)
{
    for (int i = 0; i < 2; i++) {
        const pair_side *side = &r->p.side[i];
        tally_run last = last_run(r->ledger[i]);
        int named = strstr(side->error.message, field) != NULL, private = 0;
        for (size_t f = 0; f < r->record[i].count; f++)
        private += r->record[i].frame[f].type != WIRE_HELLO1 && r->record[i].frame[f].type != WIRE_ABORT;
        if (pair_category(side) != 4 || !named || private)
            printf("%s %s, side %d: %d %s\n", field, what, i, pair_category(side), side->error.message);
        CU_ASSERT_EQUAL(pair_category(side), 4);
        CU_ASSERT(named);
        CU_ASSERT_EQUAL(private, 0);
        CU_ASSERT_EQUAL(side->row_count, 0);
        CU_ASSERT_EQUAL(last.exit_status, 4);
        CU_ASSERT_FALSE(last.disclosed);
        CU_ASSERT_FALSE(side->leaked);
    }
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
    {AGREED_NAME, match_text, "name: Debtors", "name: Creditors"},
    {AGREED_ORGANISATION, match_text, "organisation: Bank", "organisation: Branch"},
    {AGREED_LINK_KEY, match_text,
     "role: receiver\n    link-key: ", "role: receiver\n    link-key: " OTHER "1\n    # "},
    {AGREED_CA, match_text, "contact: desk\n",
     "contact: desk\n    ca: " OTHER "1\n    subject: \"@BANK@\"\n"},
    {AGREED_SUBJECT, match_text, "contact: desk\n",
     "contact: desk\n    ca: " OTHER "1\n    subject: \"@BANK@\"\n"},
    {AGREED_PLACE, match_text, "contact: desk\n", "contact: desk\n    address: bank.example:7440\n"},
    {AGREED_CONTACT, match_text, "contact: desk", "contact: counter"},
    {AGREED_MAX_LIST, match_text, "max-list: 50", "max-list: 51"},
    {AGREED_PURPOSE, match_text, "purpose: debts", "purpose: other"},
    {AGREED_LEGAL_BASIS, match_text, "legal-basis: law", "legal-basis: none"},
    {AGREED_VALID_FROM, match_text, "2020-01-01", "2020-01-02"},
    {AGREED_VALID_UNTIL, match_text, "2099-12-31", "2099-12-30"},
    {AGREED_TIME_ZONE, match_text, "", "time-zone: Asia/Shanghai\n"},
    {AGREED_FUNCTION, match_text, "function: match", "function: count"},
    {AGREED_PROTOCOL, match_text, "", "protocol: ecdh\n"},
    {AGREED_SECURITY, match_text, "", "security: malicious\n"},
    {AGREED_REVEAL_TO, match_text, "", "reveal-to: both\n"},
    {AGREED_KEYS, match_text, "    profile: exact\n",
     "    profile: exact\n  - {receiver-column: a, sender-column: b}\n"},
    {AGREED_KEY_RECEIVER, match_text, "receiver-column: id", "receiver-column: number"},
    {AGREED_KEY_SENDER, match_text, "sender-column: id", "sender-column: number"},
    {AGREED_KEY_PROFILE, match_text, "profile: exact", "profile: cn-uscc"},
    {AGREED_COLUMNS, match_text, "", "columns:\n  - {name: court, width: 20}\n"},
    {AGREED_COLUMN_NAME, columns_text, "name: court", "name: judge"},
    {AGREED_COLUMN_WIDTH, columns_text, "width: 20", "width: 21"},
    {AGREED_ROWS_PER_PERSON, columns_text, "rows-per-person: 2", "rows-per-person: 3"},
    {AGREED_VALUES_OF, sum_text, "values-of: sender", "values-of: receiver"},
    {AGREED_VALUES, sum_text, "bands:", "  - {name: fee, min: 0, max: 10}\nbands:"},
    {AGREED_VALUE_NAME, sum_text, "{name: amount, min", "{name: fee, min"},
    {AGREED_VALUE_MIN, sum_text, "min: 0", "min: 1"},
    {AGREED_VALUE_MAX, sum_text, "max: 1000", "max: 1001"},
    {AGREED_VALUE_SCALE, sum_text, "scale: 2", "scale: 3"},
    {AGREED_BANDS, sum_text, "bands:\n" BANDS, ""},
    {AGREED_BAND_NAME, sum_text, "name: amount, of", "name: age, of"},
    {AGREED_BAND_OF, sum_text, "of: sender, edges", "of: receiver, edges"},
    {AGREED_BAND_EDGES, sum_text, "10, 100", "10, 101"},
    {AGREED_DUPLICATES, sum_text, "", "duplicates: max\n"},
    {AGREED_SCHEME, sum_text, "", "scheme: rlwe\n"},
    {AGREED_MIN_OVERLAP, count_text, "", "min-overlap: 3\n"},
    {AGREED_NOISE, count_text, "", "noise-epsilon: 1\n"},
    {AGREED_MAX_SHARE, match_text, "", "max-match-share: 5%\n"},
    {AGREED_PADDING, match_text, "", "padding-step: 10\n"},
    {AGREED_QUOTAS, match_text, "", "quotas:\n  runs-per-day: 3\n"},
    {AGREED_RUNS_DAY, match_text, "", "quotas:\n  runs-per-day: 3\n"},
    {AGREED_RUNS_ALL, match_text, "", "quotas:\n  runs-in-all: 3\n"},
    {AGREED_ROWS_DAY, match_text, "", "quotas:\n  rows-per-day: 300\n"},
    {AGREED_CONSENT, match_text, "", "consent: {rule: reference, column: consent}\n"},
    {AGREED_CONSENT_RULE, match_text, "", "consent: {rule: reference, column: consent}\n"},
    {AGREED_CONSENT_COLUMN, match_text, "", "consent: {rule: reference, column: consent}\n"},
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
            run r;
            char path[96];
            tally_agreement *one = agreed(changes[c].text, "", ""),
                            *two = agreed(changes[c].text, changes[c].old, changes[c].replacement);
            begin(&r, which ? two : one, which ? one : two, 5, fresh());
            pair_run(&r.p);
            party_agreed_field_path(path, sizeof path, changes[c].field);
            check_refused(&r, path, changes[c].replacement);
            end(&r);
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
    tally_session_set_role(s, s->identity == identity[BANK] ? TALLY_SENDER : TALLY_RECEIVER);
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
    CU_ASSERT_EQUAL(s->identity == identity[BANK] ? tally_session_add_want(s, "judge", NULL)
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
    tally_session_set_identity(s, s->identity == identity[BANK] ? identity[AGENCY] : identity[BANK]);
}

static const struct violation {
    enum party_agreed_id field;
    const char *text, *add;
    void (*set)(tally_session *, tally_input *);
    int sides; /* bit i: side i can */
    unsigned n;
} violations[] = {
    {AGREED_ROLE, match_text, "", as_role, 3, 5},
    {AGREED_SIGNING_KEY, match_text, "", as_other_identity, 3, 5},
    {AGREED_FUNCTION, match_text, "", as_function, 3, 5},
    {AGREED_PROTOCOL, match_text, "protocol: ecdh\n", as_vole, 3, 5},
    {AGREED_SECURITY, match_text, "security: malicious\n", as_semi_honest, 3, 5},
    {AGREED_REVEAL_TO, match_text, "", as_both, 3, 5},
    {AGREED_SCHEME, sum_text, "scheme: rlwe\n", as_paillier, 3, 5},
    {AGREED_MIN_OVERLAP, count_text, "min-overlap: 3\n", as_overlap, 3, 5},
    {AGREED_NOISE, count_text, "noise-epsilon: 1\n", as_noise, 3, 5},
    {AGREED_COLUMN_NAME, columns_text, "", as_judge, 3, 5},
    {AGREED_COLUMN_WIDTH, columns_text, "", as_wide, 2, 5},
    {AGREED_ROWS_PER_PERSON, columns_text, "", as_rows, 3, 5},
    {AGREED_KEYS, match_text, "", as_keys, 3, 5},
    {AGREED_KEY_RECEIVER, match_text, "", as_column, 1, 5},
    {AGREED_KEY_SENDER, match_text, "", as_column, 2, 5},
    {AGREED_KEY_PROFILE, match_text, "", as_profile, 3, 5},
    {AGREED_VALUE_NAME, sum_text, "", as_fee, 2, 5},
    {AGREED_VALUE_MIN, sum_text, "", as_min, 2, 5},
    {AGREED_VALUE_MAX, sum_text, "", as_max, 2, 5},
    {AGREED_VALUE_SCALE, sum_text, "", as_scale, 2, 5},
    {AGREED_BAND_NAME, sum_text, "", as_band, 2, 5},
    {AGREED_BAND_EDGES, sum_text, "", as_edges, 2, 5},
    {AGREED_DUPLICATES, sum_text, "", as_largest, 2, 5},
    {AGREED_MAX_LIST, match_text, "", as_nothing, 1, 55},
    {AGREED_ROWS_DAY, match_text, "quotas:\n  rows-per-day: 9\n", as_nothing, 3, 10},
};

static void test_every_violation(void)
{
    for (size_t v = 0; v < sizeof violations / sizeof *violations; v++)
        for (int side = 0; side < 2; side++) {
            const struct violation *w = &violations[v];
            run r;
            char path[96];
            if (!(w->sides >> side & 1))
                continue;
            tally_agreement *a = agreed(w->text, "", w->add);
            begin(&r, a, a, 5, fresh());
            if (w->n != 5)
                set_list(&r.p.side[side], 1, w->n);
            w->set(r.p.side[side].session, r.p.side[side].input);
            pair_run(&r.p);
            party_agreed_field_path(path, sizeof path, w->field);
            check_refused(&r, path, "violated");
            end(&r);
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
        run r;
        char path[96];
        tally_agreement *a = agreed(match_text, days[d].old, days[d].replacement);
        begin(&r, a, a, 5, fresh());
        pair_run(&r.p);
        party_agreed_field_path(path, sizeof path, days[d].field);
        check_refused(&r, path, "days");
        end(&r);
        tally_agreement_free(a);
    }
}

/* Signed by one side only, here or there; and a peer whose signatures are of another text. */
static void test_signatures(void)
{
    for (int side = 0; side < 2; side++)
        for (int missing = 0; missing < 2; missing++) {
            run r;
            tally_agreement *good = agreed(match_text, "", ""), *bad = agreed(match_text, "", "");
            if (missing)
                bad->signatures[side].state = TALLY_UNSIGNED;
            else
                bad->signatures[side].signature64[5] ^= 1;
            begin(&r, side ? good : bad, side ? bad : good, 5, fresh());
            pair_run(&r.p);
            check_refused(&r, "parties[].signing-key", missing ? "missing" : "forged");
            end(&r);
            tally_agreement_free(good);
            tally_agreement_free(bad);
        }
}

static void test_one_side_without(void)
{
    for (int side = 0; side < 2; side++) {
        run r;
        tally_agreement *a = agreed(match_text, "", "");
        begin(&r, side ? a : NULL, side ? NULL : a, 5, fresh());
        pair_side *free_side = &r.p.side[!side ? BANK : AGENCY];
        tally_session_set_role(free_side->session, side ? TALLY_SENDER : TALLY_RECEIVER);
        CU_ASSERT_EQUAL(tally_input_add_key(free_side->input, "id", "exact", NULL), TALLY_OK);
        pair_run(&r.p);
        check_refused(&r, "agreement", "one side without");
        end(&r);
        tally_agreement_free(a);
    }
}

/* ---- Runs that are allowed ---- */

static json_t *record(tally_ledger *ledger, uint64_t n)
{
    char *text = NULL;
    CU_ASSERT_EQUAL_FATAL(tally_ledger_run_json(ledger, n, &text, NULL), TALLY_OK);
    json_t *j = json_loads(text, 0, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(j);
    CU_ASSERT_PTR_NULL(strstr(text, PAIR_MARK));
    free(text);
    return j;
}
