/* SPDX-License-Identifier: Apache-2.0 */
/* The number parser on any bytes: what it takes is what 128 bits make of the same digits, at every scale, and
 * comes back when it is written out. */
#include "party/numbers.h"
#include "psi/wide.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

/* floor(number * 10^scale), cut at 10^18, and whether decimals were lost, of text with one sign at most. */
static psi_wide plain(const uint8_t *text, size_t size, unsigned scale, int *lost)
{
    psi_wide n = 0;
    int negative = 0, point = 0;
    *lost = 0;
    for (size_t i = 0; i < size; i++) {
        negative |= text[i] == '-';
        point |= text[i] == '.';
        if (text[i] < '0' || text[i] > '9')
            continue;
        if (point && scale == 0) {
            *lost |= text[i] != '0';
            continue;
        }
        scale -= (unsigned)point;
        n = n > PARTY_NUMBER_MOST ? n : n * 10 + (text[i] - '0');
    }
    for (; scale; scale--)
        n = n > PARTY_NUMBER_MOST ? n : n * 10;
    n = negative ? -n - *lost : n;
    return n > PARTY_NUMBER_MOST ? PARTY_NUMBER_MOST : n < -PARTY_NUMBER_MOST ? -PARTY_NUMBER_MOST : n;
}

/* n at the scale, written out, is n again. */
static void check_back(int64_t n, unsigned scale)
{
    char text[64];
    uint64_t power = 1, m = (uint64_t)(n < 0 ? -n : n);
    int64_t again = 0;
    for (unsigned s = 0; s < scale; s++)
        power *= 10;
    int len = snprintf(text, sizeof text, "%s%" PRIu64 ".%0*" PRIu64, n < 0 ? "-" : "", m / power,
                       scale ? (int)scale : 1, m % power);
    must(party_number_parse((const uint8_t *)text, (size_t)len, scale, 0, &again) == PARTY_ACCEPTED);
    must(again == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *text = malloc(size ? size : 1);
    must(text != NULL);
    if (size)
        memcpy(text, data, size);
    for (unsigned scale = 0; scale <= PARTY_SCALE_MAX; scale++) {
        int64_t n = 77, floored = 77;
        int lost;
        enum party_reject r = party_number_parse(text, size, scale, 0, &n),
                          f = party_number_parse(text, size, scale, 1, &floored);
        must(r == PARTY_ACCEPTED || (n == 77 && r >= PARTY_REJECT_NO_VALUE && r <= PARTY_REJECT_DECIMALS));
        must(f == (r == PARTY_REJECT_DECIMALS ? PARTY_ACCEPTED : r));
        if (f != PARTY_ACCEPTED)
            continue;
        must(floored == plain(text, size, scale, &lost));
        must(lost == (r == PARTY_REJECT_DECIMALS));
        must(lost || n == floored);
        check_back(floored, scale);
    }
    free(text);
    return 0;
}
