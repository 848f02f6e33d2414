/* SPDX-License-Identifier: Apache-2.0 */
/* The digests of the fields of agreements: each moves with its own field, and with nothing else. */
#include "party/agreement.h"
#include "psi/mem.h"
#include "tests/support_agreement.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define M agreed_match
#define S agreed_sum

/* Digests of a text that is to be taken. */
static void digests_of(const char *text, uint8_t out[AGREED_FIELDS][8])
{
    tally_agreement *a;
    tally_error error;
    if (agreed_load(text, &a, &error))
        fprintf(stderr, "%s\n", error.message);
    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    CU_ASSERT_EQUAL_FATAL(party_agreed_field_digests(a, out, &error), TALLY_OK);
    tally_agreement_free(a);
}

/* Paths of the fields in which two texts differ, each followed by a blank. */
static void differences(const char *a, const char *b, char *out, size_t size)
{
    static uint8_t in_a[AGREED_FIELDS][8], in_b[AGREED_FIELDS][8];
    size_t used = 0;
    char path[96];
    digests_of(a, in_a);
    digests_of(b, in_b);
    out[0] = 0;
    for (int f = 0; f < AGREED_FIELDS; f++)
        if (memcmp(in_a[f], in_b[f], 8) != 0) {
            party_agreed_field_path(path, sizeof path, (enum party_agreed_id)f);
            used += (size_t)snprintf(out + used, size - used, "%s ", path);
        }
}

typedef struct change {
    const char *base, *old, *replacement, *said;
} change;

static void check(const change *rows, size_t count)
{
    char said[600];
    for (size_t i = 0; i < count; i++) {
        char *text = agreed_with(rows[i].base, rows[i].old, rows[i].replacement);
        differences(rows[i].base, text, said, sizeof said);
        CU_ASSERT_STRING_EQUAL(said, rows[i].said);
        if (strcmp(said, rows[i].said) != 0)
            fprintf(stderr, "'%s' -> '%s': %s\n", rows[i].old, rows[i].replacement, said);
        free(text);
    }
}

/* Every field, changed, added or taken away. */
static void test_each(void)
{
    static const change rows[] = {
        {M, "Court debtors", "Other", "name "},
        {M, "Example Bank", "Other Bank", "parties[].organisation "},
        {M, "Example Agency", "Other Agency", "parties[].organisation "},
        {M, "link-key: sha256:0", "link-key: sha256:4", "parties[].link-key "},
        {M, "    contact: \"desk",
         "    ca: sha256:0123abcd0123abcd0123abcd0123abcd0123abcd0123abcd0123abcd0123abcd\n"
         "    subject: \"CN=a\"\n    contact: \"desk",
         "parties[].ca parties[].subject "},
        {M, "signing-key: sha256:1", "signing-key: sha256:4", "parties[].signing-key "},
        {M, "    contact: \"desk", "    address: a:1\n    contact: \"desk", "parties[].address "},
        {M, "desk of the bank", "another desk", "parties[].contact "},
        {M, "    contact: \"desk", "    max-list: 7\n    contact: \"desk", "parties[].max-list "},
        {M, "finding debtors", "finding more", "purpose "},
        {M, "the law", "a contract", "legal-basis "},
        {M, "2026-01-01", "2026-01-02", "valid-from "},
        {M, "2026-12-31", "2026-12-30", "valid-until "},
        {M, "", "time-zone: Asia/Shanghai\n", "time-zone "},
        {M, "", "protocol: ecdh\n", "protocol "},
        {M, "", "security: malicious\nprotocol: ecdh\n", "protocol security "},
        {M, "", "reveal-to: both\n", "reveal-to "},
        {M, "id_card", "card", "keys[].receiver-column "},
        {M, "id_number", "number", "keys[].sender-column "},
        {M, "cn-resident-id", "exact", "keys[].profile "},
        {M, "function:", "  - {receiver-column: a, sender-column: b}\nfunction:",
         "keys keys[].receiver-column keys[].sender-column keys[].profile "},
        {M, "", "columns:\n  - {name: c, width: 3}\n",
         "columns columns[].name columns[].width rows-per-person "},
        {S, "values-of: sender", "values-of: receiver", "values-of "},
        {S, "{name: amount", "{name: other", "values[].name "},
        {S, "min: 0,", "min: -1,", "values[].min "},
        {S, "max: 1000000.50", "max: 1000000.51", "values[].max "},
        {S, "scale: 2", "scale: 3", "values[].scale "},
        {S, "", "  - {name: b, min: 0, max: 1}\n",
         "values values[].name values[].min values[].max values[].scale "},
        {S, "", "bands:\n  - {name: x, of: sender, edges: [1, 2]}\n",
         "bands bands[].name bands[].of bands[].edges "},
        {S, "", "duplicates: max\n", "duplicates "},
        {S, "", "scheme: rlwe\n", "scheme "},
        {S, "", "min-overlap: 20\n", "min-overlap "},
        {S, "", "noise-epsilon: 0.5\n", "noise-epsilon "},
        {M, "", "max-match-share: 5%\n", "max-match-share "},
        {M, "", "padding-step: 10\n", "padding-step "},
        {M, "", "quotas:\n  runs-per-day: 1\n", "quotas quotas.runs-per-day "},
        {M, "", "quotas:\n  runs-in-all: 1\n", "quotas quotas.runs-in-all "},
        {M, "", "quotas:\n  rows-per-day: 1\n", "quotas quotas.rows-per-day "},
        {M, "", "consent:\n  rule: reference\n  column: c\n", "consent consent.rule consent.column "},
    };
    check(rows, sizeof rows / sizeof *rows);
    char said[600];
    differences(M, agreed_count, said, sizeof said);
    CU_ASSERT_STRING_EQUAL(said, "function ");
}

/* What is written in another way and is the same. */
static void test_same(void)
{
    static const change rows[] = {
        {M, "", "protocol: auto\n", ""},
        {M, "", "time-zone: UTC\n", ""},
        {M, "", "security: semi-honest\nreveal-to: receiver\n", ""},
        {M, "", "# comment\n", ""},
        {M, "finding debtors", "\"finding debtors\"", ""},
        {M, "link-key: sha256:0123abcd", "link-key: sha256:0123ABCD", ""},
        {M, "    contact: \"desk", "    max-list: 1073741824\n    contact: \"desk", ""},
        {S, "1000000.50", "1000000.5", ""},
        {S, "min: 0,", "min: -0.00,", ""},
        {S, "", "duplicates: sum\nscheme: auto\n", ""},
    };
    check(rows, sizeof rows / sizeof *rows);
}

/* Pairs that both add to the texts. */
static void test_pairs(void)
{
    static const struct {
        const char *base, *a, *b, *said;
    } rows[] = {
        {S, "bands:\n  - {name: x, of: sender, edges: [1.0, 2]}\n",
         "bands:\n  - {name: x, of: sender, edges: [1, 2.00]}\n", ""},
        {S, "bands:\n  - {name: x, of: sender, edges: [1, 20]}\n",
         "bands:\n  - {name: x, of: sender, edges: [10, 20]}\n", "bands[].edges "},
        {S, "bands:\n  - {name: x, of: sender, edges: [1, 2, 3]}\n  - {name: w, of: sender, edges: [4, 5]}\n",
         "bands:\n  - {name: x, of: sender, edges: [1, 2]}\n  - {name: w, of: sender, edges: [3, 4, 5]}\n",
         "bands[].edges "},
        {M, "max-match-share: 5%\n", "max-match-share: 5.00%\n", ""},
        {S, "noise-epsilon: 0.5\n", "noise-epsilon: 0.50\n", ""},
        {M, "columns:\n  - {name: ab, width: 3}\n  - {name: c, width: 3}\n",
         "columns:\n  - {name: a, width: 3}\n  - {name: bc, width: 3}\n", "columns[].name "},
        {M, "columns:\n  - {name: a, width: 3}\n  - {name: b, width: 3}\n",
         "columns:\n  - {name: b, width: 3}\n  - {name: a, width: 3}\n", "columns[].name "},
        {M, "quotas:\n  runs-per-day: 1\n", "quotas:\n  runs-in-all: 1\n",
         "quotas.runs-per-day quotas.runs-in-all "},
    };
    char said[600];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *a = agreed_with(rows[i].base, "", rows[i].a), *b = agreed_with(rows[i].base, "", rows[i].b);
        differences(a, b, said, sizeof said);
        CU_ASSERT_STRING_EQUAL(said, rows[i].said);
        free(b);
        free(a);
    }
}

/* The parties in the other order are the same parties; roles exchanged are others. */
static void test_order(void)
{
    const char *first = strstr(M, "  - organisation: Example Bank"),
               *second = strstr(M, "  - organisation: Example Agency"), *behind = strstr(M, "purpose:");
    char *turned, said[600];
    if (asprintf(&turned, "%.*s%.*s%.*s%s", (int)(first - M), M, (int)(behind - second), second,
                 (int)(second - first), first, behind) < 0)
        abort();
    differences(M, turned, said, sizeof said);
    CU_ASSERT_STRING_EQUAL(said, "");
    free(turned);
    char *once = agreed_with(M, "role: receiver", "role: s"),
         *twice = agreed_with(once, "role: sender", "role: receiver"),
         *exchanged = agreed_with(twice, "role: s\n", "role: sender\n");
    differences(M, exchanged, said, sizeof said);
    CU_ASSERT_STRING_EQUAL(said, "parties[].organisation parties[].link-key parties[].signing-key "
                                 "parties[].contact ");
    free(exchanged);
    free(twice);
    free(once);
}

static void test_faults(void)
{
    tally_agreement *a;
    tally_error error;
    uint8_t out[AGREED_FIELDS][8] = {{0}}, zero[AGREED_FIELDS][8] = {{0}};
    CU_ASSERT_EQUAL_FATAL(agreed_load(M, &a, &error), TALLY_OK);
    psi_mem_fail_at(1);
    CU_ASSERT_EQUAL(party_agreed_field_digests(a, out, &error), TALLY_ERR_NO_MEMORY);
    psi_mem_fail_at(0);
    CU_ASSERT_EQUAL(memcmp(out, zero, sizeof out), 0);
    tally_agreement_free(a);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"each", test_each},
                                      {"same", test_same},
                                      {"pairs", test_pairs},
                                      {"order", test_order},
                                      {"faults", test_faults}};
    return unit_main(argc, argv, "agreement_fields", tests, sizeof tests / sizeof *tests);
}
