/* SPDX-License-Identifier: Apache-2.0 */
/* Agreements: what is taken, what is refused and where, what is shown, and the reference page. */
#include "party/agreement.h"
#include "psi/mem.h"
#include "tests/support_agreement.h"
#include "tests/unit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_accepted(void)
{
    static const char *const texts[] = {agreed_match, agreed_count, agreed_sum};
    for (size_t i = 0; i < 3; i++) {
        tally_agreement *a;
        tally_error error;
        CU_ASSERT_EQUAL_FATAL(agreed_load(texts[i], &a, &error), TALLY_OK);
        CU_ASSERT_EQUAL(strlen(tally_agreement_digest(a)), 71);
        CU_ASSERT_STRING_EQUAL(tally_agreement_organisation(a, 1), "Example Agency");
        CU_ASSERT_STRING_EQUAL(tally_agreement_valid_until(a), "2026-12-31");
        CU_ASSERT_EQUAL(tally_agreement_signed(a, 0), TALLY_UNSIGNED);
        CU_ASSERT_EQUAL(tally_agreement_signed(a, 7), TALLY_UNSIGNED);
        tally_agreement_free(a);
    }
    tally_agreement_free(NULL);
}

/* One change to a good agreement, which makes it a bad one. */
typedef struct change {
    const char *base, *old, *replacement;
    const char *said; /* begins behind the path: ":LINE: FIELD: ..." */
} change;

#define M agreed_match
#define C agreed_count
#define S agreed_sum

static void check_refused(const change *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        tally_agreement *a;
        tally_error error;
        char *text = agreed_with(rows[i].base, rows[i].old, rows[i].replacement);
        tally_status st = agreed_load(text, &a, &error);
        const char *said = strstr(error.message, ".yaml:");
        int good = st == TALLY_ERR_INPUT && error.status == st && !a && said && error.hint[0] &&
                   strncmp(said + 5, rows[i].said, strlen(rows[i].said)) == 0;
        CU_ASSERT(good);
        if (!good)
            fprintf(stderr, "'%s' -> '%s': %d %s | %s\n", rows[i].old, rows[i].replacement, (int)st,
                    error.message, error.hint);
        tally_agreement_free(a);
        free(text);
    }
}

/* Every field that has to be there, alone missing. */
static void test_missing(void)
{
    static const change rows[] = {
        {M, "tally-agreement: 1\n", "", ":1: missing, or still to be filled in: tally-agreement (line 1)"},
        {M, "name: Court debtors\n", "", ":1: missing, or still to be filled in: name (line 1)"},
        {M, "organisation: Example Bank\n    ", "",
         ":4: missing, or still to be filled in: parties[1].organisation"},
        {M, "    role: sender\n", "", ":9: missing, or still to be filled in: parties[2].role (line 9)"},
        {M, "    contact: desk of the bank\n", "",
         ":4: missing, or still to be filled in: parties[1].contact"},
        {M, "    signing-key: sha256:1", "    # 1",
         ":4: missing, or still to be filled in: parties[1].signing-key"},
        {M, "    link-key: sha256:0", "    # 0",
         ":4: parties[1].organisation: there is neither link-key nor ca"},
        {M, "purpose: finding debtors\n", "", ":1: missing, or still to be filled in: purpose"},
        {M, "legal-basis: the law\n", "", ":1: missing, or still to be filled in: legal-basis"},
        {M, "valid-from: 2026-01-01\n", "", ":1: missing, or still to be filled in: valid-from"},
        {M, "valid-until: 2026-12-31\n", "", ":1: missing, or still to be filled in: valid-until"},
        {M, "function: match\n", "", ":1: missing, or still to be filled in: function"},
        {M, "receiver-column: id_card\n    ", "",
         ":19: missing, or still to be filled in: keys[1].receiver-column"},
        {M, "    sender-column: id_number\n", "",
         ":19: missing, or still to be filled in: keys[1].sender-column"},
        {M, "", "columns:\n  - width: 3\n",
         ":24: missing, or still to be filled in: columns[1].name (line 24)"},
        {M, "", "columns:\n  - name: x\n",
         ":24: missing, or still to be filled in: columns[1].width (line 24)"},
        {M, "", "consent:\n  rule: reference\n", ":24: missing, or still to be filled in: consent.column"},
        {M, "", "consent:\n  column: x\n", ":24: missing, or still to be filled in: consent.rule"},
        {S, "name: amount, ", "", ":25: missing, or still to be filled in: values[1].name"},
        {S, "min: 0, ", "", ":25: missing, or still to be filled in: values[1].min"},
        {S, "max: 1000000.50, ", "", ":25: missing, or still to be filled in: values[1].max"},
        {S, "values-of: sender\n", "", ":22: function: a sum needs values-of"},
        {S, "values:\n  - {name: amount, min: 0, max: 1000000.50, scale: 2}\n", "",
         ":22: function: a sum needs values"},
        {S, "", "bands:\n  - {of: sender, edges: [1, 2]}\n",
         ":27: missing, or still to be filled in: bands[1].name"},
        {S, "", "bands:\n  - {name: x, edges: [1, 2]}\n",
         ":27: missing, or still to be filled in: bands[1].of"},
        {S, "", "bands:\n  - {name: x, of: sender}\n",
         ":27: missing, or still to be filled in: bands[1].edges"},
        {M, "finding debtors", "<what for>", ":14: missing, or still to be filled in: purpose (line 14)"},
        {M, "2026-01-01", "<YYYY-MM-DD>", ":16: missing, or still to be filled in: valid-from (line 16)"},
    };
    check_refused(rows, sizeof rows / sizeof *rows);
}

/* Every field alone out of its range, or of another kind. */
static void test_values(void)
{
    static const change rows[] = {
        {M, "tally-agreement: 1", "tally-agreement: 2", ":1: tally-agreement: \"2\" is not the number 1"},
        {M, "tally-agreement: 1", "tally-agreement: \"1\"", ":1: tally-agreement: text in quotes is not"},
        {M, "Court debtors", "\"\"", ":2: name: \"\" is not text, 1 to 64"},
        {M, "Court debtors", "0123456789012345678901234567890123456789012345678901234567890123x",
         ":2: name: "},
        {M, "Court debtors", "2026", ":2: name: \"2026\" is not text"},
        {M, "Court debtors", "no", ":2: name: \"no\" is not text"},
        {M, "Court debtors", "~", ":2: name: \"~\" is not text"},
        {M, "Court debtors", "2026-01-01", ":2: name: "},
        {M, "Court debtors", "12:30", ":2: name: \"12:30\" is not text"},
        {M, "Court debtors", "1:20.5", ":2: name: "},
        {M, "Court debtors", ".inf", ":2: name: "},
        {M, "Court debtors", "-.INF", ":2: name: "},
        {M, "Court debtors", ".NaN", ":2: name: "},
        {M, "Court debtors", "=", ":2: name: "},
        {M, "Court debtors", "<<", ":2: name: "},
        {M, "Court debtors", "2026-01-01T10:00:00Z", ":2: name: "},
        {M, "Court debtors", "2026-01-01 10:00:00.5 -5", ":2: name: "},
        {M, "    contact: desk", "    address: 12:30\n    contact: desk",
         ":8: parties[1].address: \"12:30\""},
        {M, "id_card", "12:30", ":19: keys[1].receiver-column: "},
        {M, "Court debtors", "[a]", ":2: name: has to be text"},
        {M, "Court debtors", "{a: b}", ":2: name: has to be text"},
        {M, "Court debtors", "\"two\\nlines\"", ":2: name: "},
        {M, "Court debtors", "\"bell\\a\"", ":2: name: "},
        {M, "Court debtors", "\"zero\\0\"", ":2: name: "},
        {M, "Court debtors", "\"turned \\u202e\"", ":2: name: "},
        {M, "Court debtors", "\"mark \\u061c\"", ":2: name: "},
        {M, "Court debtors", "\"soft\\u00ad\"", ":2: name: "},
        {M, "Court debtors", "\"filler \\u3164\"", ":2: name: "},
        {M, "Court debtors", "\"tag\\U000e0041\"", ":2: name: "},
        {M, "Court debtors", "\"\\u00a0\"", ":2: name: "},
        {M, "Court debtors", "\"  two blanks\"", ":2: name: "},
        {M, "Court debtors", "soft\xc2\xad", ":2: the character U+00AD"},
        {M, "role: receiver", "role: third", ":5: parties[1].role: \"third\" is not receiver or sender"},
        {M, "role: sender", "role: receiver", ":10: parties[2].role: both parties have this role"},
        {M, "Example Agency", "Example Bank", ":9: parties[2].organisation: both parties have this name"},
        {M, "link-key: sha256:2", "link-key: sha256:0",
         ":11: parties[2].link-key: both parties have this key"},
        {M, "signing-key: sha256:3", "signing-key: sha256:33", ":12: parties[2].signing-key: "},
        {M, "signing-key: sha256:3123", "signing-key: sha256:1123", ":12: parties[2].signing-key: "},
        {M, "link-key: sha256:0", "link-key: md5:0", ":6: parties[1].link-key: "},
        {M, "link-key: sha256:0", "link-key: sha256:g", ":6: parties[1].link-key: "},
        {M, "    contact: desk of", "    subject: CN=x\n    contact: desk of",
         ":8: parties[1].subject: needs ca"},
        {M, "    contact: desk of", "    address: nowhere\n    contact: desk of",
         ":8: parties[1].address: address"},
        {M, "    contact: desk of", "    address: x:0\n    contact: desk of",
         ":8: parties[1].address: address"},
        {M, "    contact: desk of", "    max-list: 0\n    contact: desk of",
         ":8: parties[1].max-list: \"0\" is not"},
        {M, "    contact: desk of", "    max-list: 1073741825\n    contact: desk of",
         ":8: parties[1].max-list: "},
        {M, "finding debtors", "yes", ":14: purpose: \"yes\" is not text"},
        {M, "2026-01-01", "2026-02-29", ":16: valid-from: \"2026-02-29\" is not a date"},
        {M, "2026-01-01", "2026-1-1", ":16: valid-from: "},
        {M, "2026-01-01", "\"2026-01-01\"", ":16: valid-from: text in quotes"},
        {M, "2026-01-01", "1999-12-31", ":16: valid-from: "},
        {M, "2026-12-31", "2025-12-31", ":17: valid-until: is before valid-from"},
        {M, "function: match", "function: query", ":22: function: \"query\" is not match, count or sum"},
        {M, "", "time-zone: Asia/Nowhere\n", ":23: time-zone: "},
        {M, "", "time-zone: ../../etc/passwd\n", ":23: time-zone: "},
        {M, "", "time-zone: /UTC\n", ":23: time-zone: "},
        {M, "", "time-zone: localtime\n", ":23: time-zone: "},
        {M, "", "time-zone: posix/UTC\n", ":23: time-zone: "},
        {M, "", "protocol: dh\n", ":23: protocol: \"dh\" is not auto, ecdh or vole"},
        {M, "", "security: none\n", ":23: security: "},
        {M, "", "reveal-to: all\n", ":23: reveal-to: "},
        {M, "profile: cn-resident-id", "profile: cn-driver",
         ":21: keys[1].profile: \"cn-driver\" is not a profile"},
        {M, "receiver-column: id_card", "receiver-column: 2", ":19: keys[1].receiver-column: "},
        {M, "keys:\n  - receiver", "keys: []\nname2:\n  - receiver",
         ":18: keys: has to be a list of 1 to 8 entries, not 0"},
        {M, "keys:\n  - receiver", "keys: x\nname2:\n  - receiver", ":18: keys: has to be a list"},
        {M, "", "columns: [court]\n", ":23: columns[1]: has to be a group of fields"},
        {M, "", "columns:\n  - {name: c, width: 0}\n", ":24: columns[1].width: "},
        {M, "", "columns:\n  - {name: c, width: 1025}\n", ":24: columns[1].width: "},
        {M, "", "columns:\n  - {name: c, width: 3.0}\n",
         ":24: columns[1].width: \"3.0\" is not a whole number"},
        {M, "", "columns:\n  - {name: \"\", width: 3}\n", ":24: columns[1].name: "},
        {M, "", "columns:\n  - {name: c, width: 3}\n  - {name: c, width: 3}\n",
         ":25: columns[2].name: column 'c' is named"},
        {M, "", "rows-per-person: 65\n", ":23: rows-per-person: \"65\" is not"},
        {M, "", "rows-per-person: 2\n", ":23: rows-per-person: needs columns"},
        {M, "", "min-overlap: 1\n", ":23: min-overlap: \"1\" is not"},
        {M, "", "max-match-share: 101%\n", ":23: max-match-share: "},
        {M, "", "max-match-share: 5\n", ":23: max-match-share: "},
        {M, "", "max-match-share: 0%\n", ":23: max-match-share: "},
        {M, "", "max-match-share: 0.00001%\n", ":23: max-match-share: "},
        {M, "", "padding-step: 1\n", ":23: padding-step: "},
        {M, "", "quotas: 3\n", ":23: quotas: has to be a group"},
        {M, "", "quotas: {}\n", ":23: quotas: says no number"},
        {M, "", "quotas:\n  runs-per-day: 0\n", ":24: quotas.runs-per-day: "},
        {M, "", "quotas:\n  runs-in-all: -1\n", ":24: quotas.runs-in-all: "},
        {M, "", "quotas:\n  rows-per-day: 9999999999999\n", ":24: quotas.rows-per-day: "},
        {M, "", "consent: {rule: maybe, column: x}\n", ":23: consent.rule: "},
        {C, "", "noise-epsilon: 0.001\n", ":23: noise-epsilon: "},
        {C, "", "noise-epsilon: 0.1234567\n", ":23: noise-epsilon: "},
        {S, "values-of: sender", "values-of: both", ":23: values-of: "},
        {S, "min: 0", "min: zero", ":25: values[1].min: \"zero\" is not a number"},
        {S, "min: 0", "min: 0.001", ":25: values[1].min: has more decimals than the scale"},
        {S, "min: 0", "min: 1000001", ":25: values[1].max: is below min"},
        {S, "max: 1000000.50", "max: 2814749767106.56", ":25: values[1].name: "},
        {S, "scale: 2", "scale: 10", ":25: values[1].scale: "},
        {S, "", "duplicates: first\n", ":26: duplicates: "},
        {S, "", "scheme: ckks\n", ":26: scheme: "},
        {S, "", "bands:\n  - {name: x, of: sender, edges: [1]}\n",
         ":27: bands[1].edges: has to be a list of 2 to 33"},
        {S, "", "bands:\n  - {name: x, of: sender, edges: [2, 1]}\n", ":27: bands[1].edges: "},
        {S, "", "bands:\n  - {name: x, of: sender, edges: [1, x]}\n", ":27: bands[1].edges[2]: "},
        {S, "", "bands:\n  - {name: x, of: sender, edges: [1, [2]]}\n", ":27: bands[1].edges[2]: "},
        {S, "", "bands:\n  - {name: x, of: nobody, edges: [1, 2]}\n", ":27: bands[1].of: "},
    };
    check_refused(rows, sizeof rows / sizeof *rows);
}

/* What a run would refuse, by the session's own checks, at the field that is to change. */
static void test_together(void)
{
    static const change rows[] = {
        {M, "", "values-of: sender\n", ":23: values-of: has no meaning with the function match"},
        {M, "", "noise-epsilon: 1\n", ":23: noise-epsilon: has no meaning"},
        {M, "", "scheme: rlwe\n", ":23: scheme: has no meaning"},
        {C, "", "columns:\n  - {name: c, width: 3}\n",
         ":24: columns: has no meaning with the function count"},
        {M, "", "protocol: vole\nsecurity: malicious\n", ":23: protocol: vole protects"},
        {M, "", "reveal-to: sender\n", ":23: reveal-to: the result of a match"},
        {M, "", "min-overlap: 5\n", ":23: min-overlap: a minimum overlap of a match holds for columns"},
        {M, "", "columns:\n  - {name: c, width: 3}\nmin-overlap: 1001\n",
         ":25: min-overlap: a minimum overlap on columns"},
        {M, "", "rows-per-person: 64\ncolumns:\n  - {name: c, width: 1024}\n",
         ":25: columns: the terms of the run differ: "},
        {C, "", "security: malicious\n", ":23: security: counts and sums hold against semi-honest"},
        {C, "", "protocol: vole\n", ":23: protocol: counts and sums need the protocol ecdh"},
        {S, "", "security: malicious\n", ":26: security: "},
        {S, "",
         "min-overlap: 20\nbands:\n  - {name: x, of: sender, edges: [1, 2]}\n  - {name: z, of: receiver, "
         "edges: [1, 2]}\n",
         ":26: min-overlap: with a minimum overlap at most one column"},
        {S, "", "min-overlap: 20\nnoise-epsilon: 1\n", ":26: min-overlap: a minimum overlap and noise"},
        {S, "",
         "bands:\n  - {name: x, of: receiver, edges: [1, 2]}\n  - {name: z, of: receiver, edges: [1, 2]}\n",
         ":28: bands"},
    };
    check_refused(rows, sizeof rows / sizeof *rows);
}

/* YAML that programs read differently, and what hides. */
static void test_yaml(void)
{
    static const change rows[] = {
        {M, "purpose:", "purpse:", ":14: unknown field \"purpse\""},
        {M, "    role: receiver", "    rolle: receiver", ":5: parties[1]: unknown field \"rolle\""},
        {M, "purpose: finding debtors\n", "purpose: a\npurpose: b\n",
         ":15: purpose: is given twice, first on line 14"},
        {M, "    role: receiver\n", "    role: receiver\n    role: receiver\n",
         ":6: parties[1].role: is given twice, first on line 5"},
        {M, "purpose: finding", "purpose: &x finding", ":14: purpose: anchors"},
        {M, "purpose: finding debtors", "purpose: *x", ":14: purpose: anchors"},
        {M, "parties:\n", "parties: &p\n", ":3: parties: anchors"},
        {M, "purpose: finding", "purpose: !!str finding", ":14: purpose: tags"},
        {M, "purpose: finding", "purpose: ! finding", ":14: purpose: tags"},
        {M, "tally-agreement: 1\n", "<<: {a: b}\ntally-agreement: 1\n", ":1: merge keys"},
        {M, "tally-agreement: 1\n", "? [a]\n: b\ntally-agreement: 1\n",
         ":1: a field has to begin with its name"},
        {M, "", "---\na: b\n", ":23: a second document"},
        {M, "tally-agreement: 1\n", "%YAML 1.1\n---\ntally-agreement: 1\n", ":1: directives"},
        {M, "tally-agreement: 1\n", "- 1\n", ":1: an agreement is a list of fields"},
        {M, "", "padding-step: 010\n", ":23: padding-step: \"010\""},
        {M, "", "padding-step: 0x10\n", ":23: padding-step: \"0x10\""},
        {M, "", "padding-step: 0o10\n", ":23: padding-step: \"0o10\""},
        {M, "", "padding-step: 1_000\n", ":23: padding-step: \"1_000\""},
        {M, "", "padding-step: 1,000\n", ":23: padding-step: \"1,000\""},
        {M, "", "padding-step: 1e3\n", ":23: padding-step: \"1e3\""},
        {M, "", "padding-step: 10k\n", ":23: padding-step: \"10k\""},
        {M, "", "padding-step: 10.0\n", ":23: padding-step: \"10.0\""},
        {M, "", "padding-step: +10\n", ":23: padding-step: \"+10\""},
        {M, "", "padding-step: '10'\n", ":23: padding-step: text in quotes"},
        {M, "", "padding-step:\n", ":23: padding-step: \"\""},
        {M, "", "padding-step: [[[[[[[[1]]]]]]]]\n", ":23: padding-step: has to be"},
        {M, "purpose: finding", "purpose: finding: the", ":14: not YAML: "},
        {M, "purpose: finding", "\tpurpose: finding", ":14: "},
        {M, "purpose: finding", "purpose: \xc3(", ":14: not UTF-8 at byte "},
        {M, "purpose: finding", "purpose: \xed\xa0\x80", ":14: not UTF-8"},
        {M, "purpose: finding", "purpose: \x07", ":14: the character U+0007"},
        {M, "purpose: finding", "purpose: \xe2\x80\xae", ":14: the character U+202E"},
        {M, "purpose: finding", "purpose: \xc2\x85", ":14: the character U+0085"},
        {M, "purpose: finding", "purpose: \xe2\x80\xa8", ":14: the character U+2028"},
        {M, "tally-agreement", "\xef\xbb\xbftally-agreement", ":1: the character U+FEFF"},
    };
    check_refused(rows, sizeof rows / sizeof *rows);
}

/* What would be cut off text is refused, wherever it would be; comments elsewhere are taken. */
static void test_comments(void)
{
    static const change bad[] = {
        {M, "finding debtors", "finding debtors # of the court",
         ":14: purpose: the text is followed by a comment"},
        {M, "finding debtors", "finding debtors \t#of the court", ":14: purpose: the text is followed"},
        {M, "finding debtors", "d\u00e9biteurs \u503a\u52a1\u4eba # 3", ":14: purpose: the text is followed"},
        {M, "finding debtors", "finding\n  debtors # of the court", ":15: purpose: the text is followed"},
        {M, "Court debtors", "No # 12", ":2: name: the text is followed"},
        {M, "desk of the bank", "desk # 4", ":8: parties[1].contact: the text is followed"},
        {M, "id_card\n", "id # 2\n", ":19: keys[1].receiver-column: the text is followed"},
        {S, "{name: amount,", "{name: amount # x\n    ,", ":25: values[1].name: the text is followed"},
    };
    static const change good[] = {
        {M, "finding debtors", "\"finding debtors\" # by the board", NULL},
        {M, "finding debtors", "\"finding debtors # 3\"", NULL},
        {M, "finding debtors", "finding debtors#3", NULL},
        {M, "finding debtors", "finding d\u00e9biteurs\n# \u503a on its own\n", NULL},
        {M, "finding debtors", ">  # folded\n  finding # debtors\n", NULL},
        {M, "2026-01-01", "2026-01-01 # a day", NULL},
        {M, "role: receiver", "role: receiver # asks", NULL},
        {M, "    contact: desk", "    max-list: 5 # few\n    address: \"12:30\"\n    contact: desk", NULL},
        {M, "    contact: desk", "    address: 10.0.0.1:7440 # port\n    contact: desk", NULL},
        {M, "Court debtors", "\"12:30\"", NULL},
        {M, "Court debtors", "at 12:30", NULL},
        {M, "Court debtors", "a = b", NULL},
    };
    check_refused(bad, sizeof bad / sizeof *bad);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        tally_agreement *a;
        tally_error error;
        char *text = agreed_with(good[i].base, good[i].old, good[i].replacement);
        tally_status st = agreed_load(text, &a, &error);
        CU_ASSERT_EQUAL(st, TALLY_OK);
        if (st)
            fprintf(stderr, "'%s': %s\n", good[i].replacement, error.message);
        tally_agreement_free(a);
        free(text);
    }
}

static void test_files(void)
{
    tally_agreement *a = NULL;
    tally_error error;
    CU_ASSERT_EQUAL(agreed_load("", &a, &error), TALLY_ERR_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "the file is empty"));
    CU_ASSERT_EQUAL(agreed_load("# nothing\n", &a, &error), TALLY_ERR_INPUT);
    CU_ASSERT_EQUAL(tally_agreement_load(agreed_file("a: \0b\n", 6), &a, &error), TALLY_ERR_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, ":1: the character U+0000"));
    CU_ASSERT_EQUAL(tally_agreement_load("/nowhere/a.yaml", &a, &error), TALLY_ERR_FILE);
    CU_ASSERT_EQUAL(tally_agreement_load("/", &a, &error), TALLY_ERR_FILE);
    /* At the limit with comments, and one byte above it. */
    char *big = calloc(TALLY_AGREEMENT_MAX + 2, 1);
    size_t len = strlen(agreed_match);
    memcpy(big, agreed_match, len);
    memset(big + len, '#', TALLY_AGREEMENT_MAX - len);
    CU_ASSERT_EQUAL(agreed_load(big, &a, &error), TALLY_OK);
    tally_agreement_free(a);
    big[TALLY_AGREEMENT_MAX] = '#';
    CU_ASSERT_EQUAL(agreed_load(big, &a, &error), TALLY_ERR_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "more than 65536 bytes"));
    /* Deeper than the schema. */
    memset(big, '[', 60000);
    big[60000] = 0;
    CU_ASSERT_EQUAL(agreed_load(big, &a, &error), TALLY_ERR_INPUT);
    memcpy(big, "name: ", 6);
    CU_ASSERT_EQUAL(agreed_load(big, &a, &error), TALLY_ERR_INPUT);
    CU_ASSERT_PTR_NULL(a);
    free(big);
}

/* The digest is of the text, whatever its line ends. */
static void test_line_ends(void)
{
    tally_agreement *a, *b;
    tally_error error;
    CU_ASSERT_EQUAL_FATAL(agreed_load(agreed_match, &a, &error), TALLY_OK);
    size_t len = strlen(agreed_match);
    for (int kind = 0; kind < 3; kind++) {
        char *text = calloc(2 * len + 1, 1), *p = text;
        for (size_t i = 0; i < len; i++) {
            if (agreed_match[i] == '\n' && kind == 2 && i == len - 1)
                break;
            if (agreed_match[i] == '\n' && kind < 2)
                *p++ = '\r';
            if (agreed_match[i] != '\n' || kind != 1)
                *p++ = agreed_match[i];
        }
        CU_ASSERT_EQUAL_FATAL(agreed_load(text, &b, &error), TALLY_OK);
        CU_ASSERT_STRING_EQUAL(tally_agreement_digest(a), tally_agreement_digest(b));
        tally_agreement_free(b);
        free(text);
    }
    char *text = agreed_with(agreed_match, "", "\n");
    CU_ASSERT_EQUAL_FATAL(agreed_load(text, &b, &error), TALLY_OK);
    CU_ASSERT_STRING_NOT_EQUAL(tally_agreement_digest(a), tally_agreement_digest(b));
    tally_agreement_free(b);
    free(text);
    tally_agreement_free(a);
}

/* Replaces every open place of the template. */
static char *filled(void)
{
    static const char *const values[] = {
        "Court debtors",
        "Bank",
        "sha256:0000000000000000000000000000000000000000000000000000000000000000",
        "sha256:1111111111111111111111111111111111111111111111111111111111111111",
        "desk",
        "Court",
        "sha256:2222222222222222222222222222222222222222222222222222222222222222",
        "sha256:3333333333333333333333333333333333333333333333333333333333333333",
        "desk",
        "Finding debtors",
        "The law",
        "2026-01-01",
        "2026-12-31",
        "id_card",
        "id_number"};
    char *text = tally_agreement_template();
    for (size_t i = 0; text && i < sizeof values / sizeof *values; i++) {
        char open[128], *next;
        const char *at = strstr(text, ": <"), *end = at ? strchr(at, '>') : NULL;
        if (!end)
            abort();
        snprintf(open, sizeof open, "%.*s", (int)(end + 1 - at), at);
        char value[100];
        snprintf(value, sizeof value, ": %s", values[i]);
        next = agreed_with(text, open, value);
        free(text);
        text = next;
    }
    return text;
}

static void test_template(void)
{
    tally_agreement *a, *b;
    tally_error error;
    char *text = tally_agreement_template();
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL(agreed_load(text, &a, &error), TALLY_ERR_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "still to be filled in: name"));
    for (int f = 0; f < AGREED_FIELDS; f++)
        CU_ASSERT_PTR_NOT_NULL(strstr(text, party_agreed_fields[f].name));
    for (const char *p = text; *p; p += strcspn(p, "\n") + 1)
        CU_ASSERT(strcspn(p, "\n") <= 110);
    free(text);
    text = filled();
    CU_ASSERT_EQUAL_FATAL(agreed_load(text, &a, &error), TALLY_OK);
    /* Each optional field may be taken in by itself where the function allows it. */
    static const char *const taken[] = {"# time-zone",   "# protocol",        "# security",
                                        "# reveal-to",   "# max-match-share", "# padding-step",
                                        "    # address", "    # max-list",    "    # profile"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        const char *name = strchr(taken[i], '#') + 2;
        char changed[64];
        snprintf(changed, sizeof changed, "\n%.*s%s:", (int)(strchr(taken[i], '#') - taken[i]), "        ",
                 name);
        char old[64];
        snprintf(old, sizeof old, "\n%s:", taken[i]);
        char *more = agreed_with(text, old, changed);
        tally_status st = agreed_load(more, &b, &error);
        if (st)
            fprintf(stderr, "%s: %s\n", taken[i], error.message);
        CU_ASSERT_EQUAL(st, TALLY_OK);
        tally_agreement_free(b);
        free(more);
    }
    tally_agreement_free(a);
    free(text);
}

static void test_shown(void)
{
    tally_agreement *a;
    tally_error error;
    char *text = agreed_with(agreed_sum, "",
                             "bands:\n  - {name: amount, of: sender, edges: [0, 1000.5]}\n"
                             "  - {name: score, of: receiver, edges: [350, 550]}\n"
                             "purpose2: x\n");
    char *good = agreed_with(text, "purpose2: x\n", "quotas:\n  runs-per-day: 1\n");
    CU_ASSERT_EQUAL_FATAL(agreed_load(good, &a, &error), TALLY_OK);
    char *shown = tally_agreement_fields(a), *json = tally_agreement_json(a),
         *words = tally_agreement_learns(a), *words_json = tally_agreement_learns_json(a);
    CU_ASSERT_PTR_NOT_NULL(strstr(shown, "parties[2].contact: desk: agency\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(shown, "values[1].max: 1000000.50\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(shown, "bands[1].edges: [0, 1000.5]\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(shown, "duplicates: sum   (filled in)\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(shown, "quotas.runs-per-day: 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(shown, "signature of Example Bank: not signed\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(words, "Example Bank, the receiver, learns\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(words, "sum, mean and variance of amount over them"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(words, "how many identifiers of the whole list of Example Bank lie in each band of score"));
    CU_ASSERT_PTR_NOT_NULL(strstr(words, "At most 1 run on one day."));
    json_t *j = json_loads(json, 0, NULL), *fields = json_object_get(j, "fields");
    CU_ASSERT_EQUAL(
        json_integer_value(json_object_get(json_array_get(json_object_get(fields, "values"), 0), "scale")),
        2);
    CU_ASSERT_EQUAL(
        json_array_size(json_object_get(json_array_get(json_object_get(fields, "bands"), 0), "edges")), 2);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(j, "digest")), tally_agreement_digest(a));
    CU_ASSERT_EQUAL(json_array_size(json_object_get(j, "signatures")), 2);
    json_decref(j);
    j = json_loads(words_json, 0, NULL);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(j, "learns")), 2);
    CU_ASSERT(json_array_size(json_object_get(j, "limits")) > 8);
    json_decref(j);
    free(shown);
    free(json);
    free(words);
    free(words_json);
    tally_agreement_free(a);
    free(good);
    free(text);
}

/* Who learns what: the tables of README.md. */
static void test_learns(void)
{
    static const struct {
        const char *base, *more;
        const char *receiver, *sender; /* a sentence that is there */
        const char *never;             /* a text that is nowhere */
    } rows[] = {
        {M, "", "- which identifiers of its own list", "- nothing else", "- which of the columns"},
        {M, "reveal-to: both\n", "- which identifiers of its own list", "- which identifiers of its own list",
         "nothing else"},
        {M, "columns:\n  - {name: court, width: 9}\n",
         "- for each of these, court as the file of Example Agency has it, from at most 1 row\n",
         "- which of the columns Example Bank takes", "nothing else"},
        {C, "", "- how many identifiers are on both lists, and not which", "- nothing else", "noise"},
        {C, "reveal-to: sender\n", "- nothing else",
         "- how many identifiers are on both lists, and not which", "noise"},
        {C, "min-overlap: 20\n", "- how many identifiers are on both lists",
         "- how many identifiers are on both lists", "nothing else"},
        {C, "noise-epsilon: 1\n", "with noise on the number", "- nothing else", "Exact answers"},
        {M, "max-match-share: 0.5%\n",
         "- whether more than 0.5% of the list of Example Bank are on both lists",
         "- whether more than 0.5% of the list of Example Bank are on both lists", "does not hold"},
        {M, "max-match-share: 5%\n", "- which identifiers", "- nothing else", "Exact answers"},
        {C, "padding-step: 1000\n", "Example Agency has, rounded up to a multiple of 1000",
         "Example Bank has, rounded up", "noise"},
        {S, "", "- sum, mean and variance of amount", "- nothing else", "bands"},
        {S, "min-overlap: 20\n", "- sum, mean and variance of amount",
         "- how many identifiers are on both lists", "nothing else"},
        {S, "reveal-to: sender\n", "- how many identifiers are on both lists",
         "- sum, mean and variance of amount", "nothing else"},
        {S, "min-overlap: 20\nbands:\n  - {name: x, of: sender, edges: [1, 2]}\n",
         "in each band of x; bands with fewer", "- how many of them lie in each band of x", "whole list"},
        {S, "reveal-to: sender\nmin-overlap: 20\nbands:\n  - {name: x, of: sender, edges: [1, 2]}\n",
         "- how many of them lie in each band of x", "in each band of x; bands with fewer", "whole list"},
        {S, "bands:\n  - {name: z, of: receiver, edges: [1, 2]}\n",
         "the number and the sum of amount in each band of z",
         "- how many identifiers of the whole list of Example Bank lie in each band of z", "of them lie"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tally_agreement *a;
        tally_error error;
        char *text = agreed_with(rows[i].base, "", rows[i].more);
        CU_ASSERT_EQUAL_FATAL(agreed_load(text, &a, &error), TALLY_OK);
        char *words = tally_agreement_learns(a), *sender = strstr(words, "Example Agency, the sender"),
             *limits = strstr(words, "\nLimits"), *r = strstr(words, rows[i].receiver),
             *s = strstr(sender, rows[i].sender);
        int good = r && r < sender && s && s < limits && !strstr(words, rows[i].never);
        CU_ASSERT(good);
        if (!good)
            fprintf(stderr, "row %zu: %s\n", i, words);
        free(words);
        tally_agreement_free(a);
        free(text);
    }
}

/* The longest list of edges stands there whole. */
static void test_long_edges(void)
{
    enum { EDGES = 33 };
    char edges[EDGES * 24] = "", more[sizeof edges + 100];
    size_t used = 0;
    for (int e = 0; e < EDGES; e++)
        used += (size_t)snprintf(edges + used, sizeof edges - used, "%s%d.900000000", e ? ", " : "",
                                 -265474 + 1000 * e);
    snprintf(more, sizeof more, "min-overlap: 20\nbands:\n  - {name: x, of: sender, edges: [%s]}\n", edges);
    tally_agreement *a;
    tally_error error;
    char *text = agreed_with(S, "", more);
    CU_ASSERT_EQUAL_FATAL(agreed_load(text, &a, &error), TALLY_OK);
    char *words = tally_agreement_learns(a);
    CU_ASSERT(words && strstr(words, edges) != NULL);
    free(words);
    tally_agreement_free(a);
    free(text);
}

static void test_diff(void)
{
    static const struct {
        const char *base, *old, *replacement, *said; /* said "": no difference */
    } rows[] = {
        {M, "name: Court debtors", "name: Other", "name: Court debtors | Other\n"},
        {M, "", "protocol: auto\n", ""},
        {M, "", "# comment\n", ""},
        {M, "", "protocol: ecdh\n", "protocol: auto | ecdh\n"},
        {M, "", "padding-step: 10\n", "padding-step: (none) | 10\n"},
        {M, "    contact: desk of", "    address: a:1\n    contact: desk of",
         "parties[receiver].address: (none) | a:1\n"},
        {M, "", "columns:\n  - {name: c, width: 3}\n", "columns[1].name: (none) | c\n"},
        {S, "", "bands:\n  - {name: x, of: sender, edges: [1, 2]}\n", "bands[1].edges: (none) | [1, 2]\n"},
        {S, "max: 1000000.50", "max: 1000000", "values[1].max: 1000000.50 | 1000000\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tally_agreement *a, *b;
        tally_error error;
        char *report = NULL, *text = agreed_with(rows[i].base, rows[i].old, rows[i].replacement);
        CU_ASSERT_EQUAL_FATAL(agreed_load(rows[i].base, &a, &error), TALLY_OK);
        CU_ASSERT_EQUAL_FATAL(agreed_load(text, &b, &error), TALLY_OK);
        tally_status st = tally_agreement_diff(a, b, 0, &report, &error);
        CU_ASSERT_EQUAL(st, *rows[i].said ? TALLY_ERR_DIFFERS : TALLY_OK);
        CU_ASSERT(*rows[i].said ? strstr(report, rows[i].said) != NULL : *report == 0);
        free(report);
        CU_ASSERT_EQUAL(tally_agreement_diff(a, b, 1, &report, &error), st);
        json_t *j = json_loads(report, 0, NULL);
        CU_ASSERT_EQUAL(json_is_true(json_object_get(j, "same")), !*rows[i].said);
        json_decref(j);
        free(report);
        tally_agreement_free(b);
        tally_agreement_free(a);
        free(text);
    }
}

/* ---- The reference page ---- */

/* The part of docs/agreement.md that is made of the schema. */
static char *reference(void)
{
    static const char *const functions[] = {"match", "count", "sum"};
    char *text = NULL, form[256], path[96];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (int f = 0; f < AGREED_FIELDS; f++) {
        const party_agreed_field *field = &party_agreed_fields[f];
        party_agreed_form(field, form, sizeof form);
        party_agreed_path(path, sizeof path, (enum party_agreed_id)f, 0);
        char *one = strstr(path, "[1]");
        if (one)
            memmove(one + 1, one + 2, strlen(one + 2) + 1); /* parties[].role */
        fprintf(out, "### `%s`\n\n%s\n\n- is: %s\n", path, field->help, form);
        if (field->required)
            fprintf(out, "- required%s\n",
                    field->parent == AGREED_TOP ? "" : ", where its list or group is given");
        else
            fprintf(out, "- left out: %s%s%s\n", field->fallback ? "`" : "",
                    field->fallback ? field->fallback : field->leave, field->fallback ? "`" : "");
        if (field->functions != AGREED_OF_ALL) {
            fputs("- only with:", out);
            for (int i = 0, said = 0; i < 3; i++)
                if (field->functions >> i & 1)
                    fprintf(out, "%s `%s`", said++ ? "," : "", functions[i]);
            fputc('\n', out);
        }
        if (field->example)
            fprintf(out, "- example: `%s`\n", field->example);
        fputc('\n', out);
    }
    fclose(out);
    return text;
}

static void test_reference(void)
{
    static const char begin[] = "<!-- fields -->\n", end[] = "<!-- end of fields -->\n";
    char *page = calloc(1 << 17, 1), *wanted = reference();
    FILE *f = fopen("docs/agreement.md", "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT(fread(page, 1, (1 << 17) - 1, f) > 0);
    fclose(f);
    char *from = strstr(page, begin), *to = strstr(page, end);
    CU_ASSERT_FATAL(from && to);
    from += strlen(begin);
    int same = strlen(wanted) == (size_t)(to - from) && memcmp(from, wanted, strlen(wanted)) == 0;
    CU_ASSERT(same);
    if (!same && (f = fopen("build/agreement-fields.md", "w")) != NULL) {
        fputs(wanted, f);
        fclose(f);
        fprintf(stderr, "the fields in docs/agreement.md are not those of the schema: "
                        "build/agreement-fields.md has them\n");
    }
    free(wanted);
    free(page);
}

/* The complete examples of the page are agreements. */
static void test_page_examples(void)
{
    char *page = calloc(1 << 17, 1), text[8192];
    int found = 0;
    FILE *f = fopen("docs/agreement.md", "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT(fread(page, 1, (1 << 17) - 1, f) > 0);
    fclose(f);
    for (const char *p = page; (p = strstr(p, "```yaml\n")) != NULL; found++) {
        tally_agreement *a;
        tally_error error;
        const char *end = strstr(p += 8, "```");
        snprintf(text, sizeof text, "%.*s", (int)(end - p), p);
        tally_status st = agreed_load(text, &a, &error);
        CU_ASSERT_EQUAL(st, TALLY_OK);
        if (st)
            fprintf(stderr, "%s\n", error.message);
        tally_agreement_free(a);
    }
    CU_ASSERT(found >= 2);
    free(page);
}

static void test_faults(void)
{
    tally_agreement *a;
    tally_error error;
    char *text = agreed_with(agreed_sum, "",
                             "bands:\n  - {name: x, of: sender, edges: [1, 2]}\nquotas:\n  runs-in-all: 3\n");
    const char *path = agreed_text_file(text);
    psi_mem_fail_at(0);
    CU_ASSERT_EQUAL_FATAL(tally_agreement_load(path, &a, &error), TALLY_OK);
    unsigned long count = psi_mem_count();
    tally_agreement_free(a);
    CU_ASSERT(count > 30 && count < 1000);
    for (unsigned long n = 1; n <= count; n++) {
        a = NULL;
        psi_mem_fail_at(n);
        CU_ASSERT_EQUAL(tally_agreement_load(path, &a, &error), TALLY_ERR_NO_MEMORY);
        CU_ASSERT_EQUAL(error.status, TALLY_ERR_NO_MEMORY);
        CU_ASSERT_PTR_NULL(a);
    }
    psi_mem_fail_at(0);
    free(text);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"accepted", test_accepted}, {"missing", test_missing},     {"values", test_values},
        {"together", test_together}, {"yaml", test_yaml},           {"comments", test_comments},
        {"files", test_files},       {"line_ends", test_line_ends}, {"template", test_template},
        {"shown", test_shown},       {"learns", test_learns},       {"long_edges", test_long_edges},
        {"diff", test_diff},         {"reference", test_reference}, {"page_examples", test_page_examples},
        {"faults", test_faults},
    };
    return unit_main(argc, argv, "agreement", tests, sizeof tests / sizeof *tests);
}
