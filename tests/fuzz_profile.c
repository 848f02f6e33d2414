/* SPDX-License-Identifier: Apache-2.0 */
/* Every profile on any bytes: what it accepts is UTF-8 in its form, and stays the same when it is given
 * again. */
#include "party/profile.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static void check_form(const char *profile, const char *out, size_t n)
{
    size_t digits = 0;
    for (size_t i = 0; i < n; i++)
        digits += out[i] >= '0' && out[i] <= '9';
    if (strncmp(profile, "phone", 5) == 0)
        must(n >= 8 && n <= 16 && out[0] == '+' && out[1] != '0' && digits == n - 1);
    else if (strcmp(profile, "cn-resident-id") == 0)
        must(n == 18 && (digits == 18 || (digits == 17 && out[17] == 'X')));
    else if (strcmp(profile, "cn-uscc") == 0)
        must(n == 18 && !memchr(out, 'I', n) && !memchr(out, 'O', n));
    else
        must(n >= 1 && n <= PARTY_IDENTIFIER_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"exact",      "cn-resident-id", "cn-uscc",
                                        "phone-e164", "phone-e164+86",  "phone-e164+39"};
    char *text = malloc(size ? size : 1), *out = malloc(PARTY_IDENTIFIER_MAX),
         *again = malloc(PARTY_IDENTIFIER_MAX);
    must(text && out && again);
    if (size)
        memcpy(text, data, size);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char parameter[8];
        size_t n = 0, m = 0;
        const party_profile *p = party_profile_find(names[i], parameter);
        must(p != NULL);
        enum party_reject r = party_profile_apply(p, parameter, text, size, out, &n);
        must(r >= PARTY_ACCEPTED && r < PARTY_REJECT_COUNT);
        if (r != PARTY_ACCEPTED)
            continue;
        check_form(names[i], out, n);
        must(party_profile_apply(p, parameter, out, n, again, &m) == PARTY_ACCEPTED);
        must(m == n && memcmp(out, again, n) == 0);
    }
    free(again);
    free(out);
    free(text);
    return 0;
}
