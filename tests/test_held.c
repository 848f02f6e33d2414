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

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BANK PAIR_RECEIVER
#define AGENCY PAIR_SENDER

/* Fields that every agreement here has: %s are link and signing keys of the bank, then of the agency. */
#define HEAD_OF(column, profile)                                                                             \
    "tally-agreement: 1\n"                                                                                   \
    "name: Debtors\n"                                                                                        \
    "parties:\n"                                                                                             \
    "  - organisation: Bank\n"                                                                               \
    "    role: receiver\n"                                                                                   \
    "    link-key: @1@\n"                                                                                    \
    "    signing-key: @2@\n"                                                                                 \
    "    contact: desk\n"                                                                                    \
    "    max-list: 50\n"                                                                                     \
    "  - organisation: Agency\n"                                                                             \
    "    role: sender\n"                                                                                     \
    "    link-key: @3@\n"                                                                                    \
    "    signing-key: @4@\n"                                                                                 \
    "    contact: office\n"                                                                                  \
    "    max-list: 60\n"                                                                                     \
    "purpose: debts\n"                                                                                       \
    "legal-basis: law\n"                                                                                     \
    "valid-from: 2020-01-01\n"                                                                               \
    "valid-until: 2099-12-31\n"                                                                              \
    "keys:\n"                                                                                                \
    "  - receiver-column: " column "\n"                                                                      \
    "    sender-column: " column "\n"                                                                        \
    "    profile: " profile "\n"
#define HEAD HEAD_OF("id", "exact")
static const char match_text[] = HEAD "function: match\n";
static const char phone_text[] = HEAD_OF("a", "phone-e164") "function: match\n";
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
static const char *folder;

static tally_identity *made(const char *name)
{
    char dir[160];
    tally_identity *id = NULL;
    snprintf(dir, sizeof dir, "%s/%s", folder, name);
    if (tally_identity_create(dir, name, NULL) || tally_identity_load(dir, &id, NULL))
        abort();
    return id;
}

/* text with what stands in @ @ filled in. */
static char *filled(const char *text)
{
    const struct {
        const char *place, *value;
    } places[] = {{"@1@", identity[BANK]->fingerprint},
                  {"@2@", identity[BANK]->sign_fingerprint},
                  {"@3@", identity[AGENCY]->fingerprint},
                  {"@4@", identity[AGENCY]->sign_fingerprint},
                  {"@BANK@", identity[BANK]->subject}};
    char *out = agreed_with(text, "", "");
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (!strstr(out, places[i].place))
            continue;
        char *next = agreed_with(out, places[i].place, places[i].value);
        free(out);
        out = next;
    }
    return out;
}

/* Signs also what names another link key, which no honest side would. */
static tally_status sign(tally_agreement *a, tally_identity *id, tally_error *error)
{
    const tally_identity was = *id;
    size_t p = party_agreed_number(a, AGREED_ROLE, 0) == (id == identity[AGENCY]) ? 0 : 1;
    snprintf(id->fingerprint, sizeof id->fingerprint, "%s", party_agreed_text(a, AGREED_LINK_KEY, p));
    tally_status st = tally_agreement_sign(a, id, error);
    memcpy(id->fingerprint, was.fingerprint, sizeof id->fingerprint);
    return st;
}

/* The agreement of the text with `old` replaced, signed by both. */
static tally_agreement *agreed(const char *text, const char *old, const char *replacement)
{
    tally_agreement *a = NULL;
    tally_error error = {.message = ""};
    char *changed = agreed_with(text, old, replacement), *whole = filled(changed);
    tally_status st = agreed_load(whole, &a, &error);
    for (int i = 0; !st && i < 2; i++)
        st = sign(a, identity[i], &error);
    if (st) {
        printf("%s: %s\n", replacement, error.message);
        abort();
    }
    free(whole);
    free(changed);
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
        good = fprintf(f, PAIR_MARK "%u,%u,north,k,%u.50,1,%u,%s,+861380013%04u,2\n", i, i, i, i % 90,
                       i % 2 ? "2099-01-01" : "", i) > 0;
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

static int no_columns(void *user, uint64_t row, uint64_t line, const tally_text *values, size_t count)
{
    (void)user;
    (void)row;
    (void)line;
    (void)values;
    (void)count;
    return 0;
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
        tally_session_on_columns(s, no_columns, NULL);
        tally_session_on_match(s, NULL, NULL);
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
        if (pair_category(side) != 4 || !named || private || last.exit_status != 4)
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
    {AGREED_KEY_PROFILE, phone_text, "profile: phone-e164", "profile: phone-e164+86"},
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
static void check_settled(run *r)
{
    json_t *j[2];
    for (int i = 0; i < 2; i++) {
        tally_ledger_state state;
        tally_run last = last_run(r->ledger[i]);
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
    run r;
    tally_agreement *a = agreed(columns_text, "", "max-match-share: 10%\n");
    begin(&r, a, a, 20, fresh());
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
    end(&r);
    tally_agreement_free(a);
}

/* Options that narrow: fewer columns, narrower ones, a named protocol, the receiver alone. */
static void test_narrower(void)
{
    run r;
    tally_agreement *a = agreed(columns_text, "{name: court, width: 20}",
                                "{name: court, width: 20}\n  - {name: judge, width: 9}\nreveal-to: both");
    begin(&r, a, a, 20, fresh());
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
    end(&r);
    tally_agreement_free(a);
}

/* Padded lists, and rows without consent: what the other side and the ledger see of them. */
static void test_padding_and_consent(void)
{
    run r;
    tally_agreement *a =
        agreed(match_text, "", "padding-step: 16\nconsent: {rule: valid-until, column: consent}\n");
    begin(&r, a, a, 20, fresh());
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
    end(&r);
    tally_agreement_free(a);
}

static void test_count_and_sum(void)
{
    for (int sum = 0; sum < 2; sum++) {
        run r;
        tally_agreement *a = agreed(sum ? sum_text : count_text, "", "min-overlap: 3\n");
        begin(&r, a, a, 20, fresh());
        pair_run(&r.p);
        check_settled(&r);
        CU_ASSERT_EQUAL(r.p.side[BANK].result.matched_items, 18);
        json_t *bank = record(r.ledger[BANK], 1), *agency = record(r.ledger[AGENCY], 1);
        CU_ASSERT_EQUAL(number(bank, "figures", "count"), 18);
        CU_ASSERT(is_null(agency, "figures") == sum); /* of a count the side at risk counts */
        json_decref(bank);
        json_decref(agency);
        end(&r);
        tally_agreement_free(a);
    }
}

/* ---- Over several runs ---- */

/* One run on the same two ledgers, with lists from..from+n-1 of the bank and 3..22 of the agency; its
 * category. */
static int again(tally_agreement *a, const char *const *paths, unsigned from, unsigned n)
{
    run r;
    begin(&r, a, a, 20, paths);
    set_list(&r.p.side[BANK], from, n);
    pair_run(&r.p);
    int category = pair_category(&r.p.side[BANK]);
    CU_ASSERT_EQUAL(pair_category(&r.p.side[AGENCY]), category);
    if (category == 4)
        for (int i = 0; i < 2; i++)
            CU_ASSERT_FALSE(last_run(r.ledger[i]).disclosed);
    end(&r);
    return category;
}

static void test_quotas(void)
{
    static const char *const quotas[] = {"runs-per-day: 2", "runs-in-all: 2", "rows-per-day: 40"};
    for (size_t q = 0; q < 3; q++) {
        char text[60];
        snprintf(text, sizeof text, "quotas:\n  %s\n", quotas[q]);
        tally_agreement *a = agreed(match_text, "", text);
        const char *const *paths = fresh();
        CU_ASSERT_EQUAL(again(a, paths, 1, 20), 0);
        CU_ASSERT_EQUAL(again(a, paths, 1, 20), 0); /* an identical run counts */
        CU_ASSERT_EQUAL(again(a, paths, 1, 20), 4);
        CU_ASSERT_EQUAL(again(a, paths, 1, 20), 4);
        tally_agreement_free(a);
    }
}

/* A list with one person less would single that person out; the next day's list is another list. */
static void test_differencing(void)
{
    char *wide = agreed_with(count_text, "max-list: 50", "max-list: 200");
    tally_agreement *a = agreed(wide, "", "min-overlap: 5\n");
    free(wide);
    const char *const *paths = fresh();
    CU_ASSERT_EQUAL(again(a, paths, 1, 60), 0);
    CU_ASSERT_EQUAL(again(a, paths, 1, 60), 0); /* the same question again */
    CU_ASSERT_EQUAL(again(a, paths, 1, 59), 4); /* without one */
    CU_ASSERT_EQUAL(again(a, paths, 2, 60), 4); /* one for another */
    CU_ASSERT_EQUAL(again(a, paths, 1, 62), 4);
    CU_ASSERT_EQUAL(again(a, paths, 10, 60), 0); /* nine left, nine came */
    CU_ASSERT_EQUAL(again(a, paths, 10, 61), 4);
    tally_agreement_free(a);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"every_field_differs", test_every_field_differs},
        {"every_violation", test_every_violation},
        {"days", test_days},
        {"signatures", test_signatures},
        {"one_side_without", test_one_side_without},
        {"match", test_match},
        {"narrower", test_narrower},
        {"padding_and_consent", test_padding_and_consent},
        {"count_and_sum", test_count_and_sum},
        {"quotas", test_quotas},
        {"differencing", test_differencing},
    };
    folder = unit_tmp();
    identity[BANK] = made("bank");
    identity[AGENCY] = made("agency");
    return unit_main(argc, argv, "held", tests, sizeof tests / sizeof *tests);
}
