/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support_held.h"

#include "party/identity.h"
#include "party/session.h"
#include "tests/support_agreement.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
const char held_match[] = HEAD "function: match\n";
const char held_phone[] = HEAD_OF("a", "phone-e164") "function: match\n";
const char held_columns[] = HEAD "function: match\n"
                                 "columns:\n"
                                 "  - {name: court, width: 20}\n"
                                 "rows-per-person: 2\n";
const char held_count[] = HEAD "function: count\n";
const char held_sum[] = HEAD "function: sum\n"
                             "values-of: sender\n"
                             "values:\n"
                             "  - {name: amount, min: 0, max: 1000, scale: 2}\n"
                             "bands:\n"
                             "  - {name: amount, of: sender, edges: [0, 10, 100]}\n";

tally_identity *held_identity[2];
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
    } places[] = {{"@1@", held_identity[BANK]->fingerprint},
                  {"@2@", held_identity[BANK]->sign_fingerprint},
                  {"@3@", held_identity[AGENCY]->fingerprint},
                  {"@4@", held_identity[AGENCY]->sign_fingerprint},
                  {"@BANK@", held_identity[BANK]->subject}};
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
    size_t p = party_agreed_number(a, AGREED_ROLE, 0) == (id == held_identity[AGENCY]) ? 0 : 1;
    snprintf(id->fingerprint, sizeof id->fingerprint, "%s", party_agreed_text(a, AGREED_LINK_KEY, p));
    tally_status st = tally_agreement_sign(a, id, error);
    memcpy(id->fingerprint, was.fingerprint, sizeof id->fingerprint);
    return st;
}

/* The agreement of the text with `old` replaced, signed by both. */
tally_agreement *held_agreed(const char *text, const char *old, const char *replacement)
{
    tally_agreement *a = NULL;
    tally_error error = {.message = ""};
    char *changed = agreed_with(text, old, replacement), *whole = filled(changed);
    tally_status st = agreed_load(whole, &a, &error);
    for (int i = 0; !st && i < 2; i++)
        st = sign(a, held_identity[i], &error);
    if (st) {
        printf("%s: %s\n", replacement, error.message);
        abort();
    }
    free(whole);
    free(changed);
    return a;
}

/* A list of the identifiers from..from+n-1, with the columns that agreements here name; the first `other` of
 * them have another amount than they would. */
static void write_list(const char *path, unsigned from, unsigned n, unsigned other)
{
    FILE *f = fopen(path, "w");
    int good = f && fputs("id,number,court,judge,amount,fee,age,consent,a,b\n", f) > 0;
    for (unsigned i = from; good && i < from + n; i++)
        good = fprintf(f, PAIR_MARK "%u,%u,north,k,%u.%s,1,%u,%s,+861380013%04u,2\n", i, i, i,
                       i - from < other ? "75" : "50", i % 90, i % 2 ? "2099-01-01" : "", i) > 0;
    if (!good || fclose(f))
        abort();
}

void held_list_with(pair_side *side, unsigned from, unsigned n, unsigned other)
{
    char path[200];
    static unsigned used;
    snprintf(path, sizeof path, "%s/list-%u.csv", folder, used++);
    write_list(path, from, n, other);
    tally_input_free(side->input);
    if (tally_input_new(&side->input, NULL) || tally_input_set_file(side->input, path, NULL))
        abort();
    tally_session_set_input(side->session, side->input);
}

void held_list(pair_side *side, unsigned from, unsigned n)
{
    held_list_with(side, from, n, 0);
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
void held_begin(held_run *r, tally_agreement *bank, tally_agreement *agency, unsigned n,
                const char *const paths[2])
{
    *r = (held_run){.agreement = {bank, agency}};
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
        tally_session_set_identity(s, held_identity[i]);
        tally_session_set_agreement(s, r->agreement[i]);
        tally_session_set_ledger(s, r->ledger[i]);
        pair_record_start(&r->record[i], &side->tap);
        held_list(side, i == BANK ? 1 : 3, n);
        tally_session_on_columns(s, no_columns, NULL);
        tally_session_on_match(s, NULL, NULL);
    }
}

void held_end(held_run *r)
{
    for (int i = 0; i < 2; i++) {
        pair_record_free(&r->record[i]);
        tally_ledger_free(r->ledger[i]);
    }
    pair_free(&r->p);
}

/* Paths of two fresh ledgers. */
const char *const *held_fresh(void)
{
    static char path[2][160];
    static const char *const paths[2] = {path[0], path[1]};
    static unsigned used;
    used++;
    for (int i = 0; i < 2; i++)
        snprintf(path[i], sizeof path[i], "%s/%u-%d/ledger.db", folder, used, i);
    return paths;
}

static int take_last(void *user, const tally_run *seen)
{
    *(tally_run *)user = *seen;
    return 0;
}

tally_run held_last(tally_ledger *ledger)
{
    tally_run last = {.n = 0};
    uint64_t n = 0;
    CU_ASSERT_EQUAL(tally_ledger_runs(ledger, &n, NULL), TALLY_OK);
    CU_ASSERT(n > 0);
    CU_ASSERT_EQUAL(tally_ledger_list(ledger, n, n, take_last, &last, NULL), TALLY_OK);
    return last;
}

void held_start(void)
{
    folder = unit_tmp();
    held_identity[BANK] = made("bank");
    held_identity[AGENCY] = made("agency");
}
