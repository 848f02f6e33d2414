/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support_agreement.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEVEN(x) x x x x x x x
#define KEY(first) "sha256:" first "123abcd" SEVEN("0123abcd")
#define HEAD                                                                                                 \
    "tally-agreement: 1\n"                                                                                   \
    "name: Court debtors\n"                                                                                  \
    "parties:\n"                                                                                             \
    "  - organisation: Example Bank\n"                                                                       \
    "    role: receiver\n"                                                                                   \
    "    link-key: " KEY("0") "\n"                                                                           \
                              "    signing-key: " KEY(                                                       \
                                  "1") "\n"                                                                  \
                                       "    contact: desk of the bank\n"                                     \
                                       "  - organisation: Example Agency\n"                                  \
                                       "    role: sender\n"                                                  \
                                       "    link-key: " KEY("2") "\n"                                        \
                                                                 "    signing-key: " KEY(                    \
                                                                     "3") "\n"                               \
                                                                          "    contact: \"desk: agency\"\n"  \
                                                                          "purpose: finding debtors\n"       \
                                                                          "legal-basis: the law\n"           \
                                                                          "valid-from: 2026-01-01\n"         \
                                                                          "valid-until: 2026-12-31\n"        \
                                                                          "keys:\n"                          \
                                                                          "  - receiver-column: id_card\n"   \
                                                                          "    sender-column: id_number\n"   \
                                                                          "    profile: cn-resident-id\n"

const char agreed_match[] = HEAD "function: match\n";
const char agreed_count[] = HEAD "function: count\n";
const char agreed_sum[] = HEAD "function: sum\n"
                               "values-of: sender\n"
                               "values:\n"
                               "  - {name: amount, min: 0, max: 1000000.50, scale: 2}\n";

char *agreed_with(const char *text, const char *old, const char *replacement)
{
    char *out = NULL;
    const char *at = *old ? strstr(text, old) : text + strlen(text);
    if (!at) {
        fprintf(stderr, "the text has no \"%s\"\n", old);
        abort();
    }
    if (asprintf(&out, "%.*s%s%s", (int)(at - text), text, replacement, at + strlen(old)) < 0)
        abort();
    return out;
}

const char *agreed_file(const void *bytes, size_t len)
{
    static char path[64][128];
    static size_t used;
    static const char *folder;
    if (!folder)
        folder = unit_tmp();
    char *p = path[used++ % 64];
    snprintf(p, sizeof *path, "%s/agreement-%zu.yaml", folder, used);
    FILE *f = fopen(p, "wb");
    if (!f || fwrite(bytes, 1, len, f) != len || fclose(f))
        abort();
    return p;
}

const char *agreed_text_file(const char *text)
{
    return agreed_file(text, strlen(text));
}

tally_status agreed_load(const char *text, tally_agreement **out, tally_error *error)
{
    *out = NULL;
    memset(error, 0, sizeof *error);
    return tally_agreement_load(agreed_text_file(text), out, error);
}
