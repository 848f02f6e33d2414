/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support_curve.h"

#include <stdlib.h>
#include <string.h>

#define LIMBS 5

size_t unit_groups(const psi_group_backend *out[UNIT_GROUPS_MAX])
{
    static int ready;
    size_t count;
    const psi_group_backend *const *all = psi_group_backends(&count);
    for (size_t i = 0; i < count; i++)
        out[i] = all[i];
    if (!ready) {
        unit_group_fma4.prepare();
        unit_group_ifma8.prepare();
    }
    ready = 1;
    out[count] = &unit_group_fma4;
    out[count + 1] = &unit_group_ifma8;
    return count + UNIT_GROUPS_IN_C;
}

void unit_each_group(void (*test)(void))
{
    const psi_group_backend *all[UNIT_GROUPS_MAX];
    size_t count = unit_groups(all);
    for (size_t i = 0; i < count; i++) {
        psi_group_use(all[i]);
        test();
    }
    psi_group_use(NULL);
}

/* Five limbs of `width` bits as 32 bytes; what lies above 2^255 is cut off. */
static void pack(uint8_t out[32], const uint64_t limbs[LIMBS], unsigned width)
{
    memset(out, 0, 32);
    for (unsigned i = 0; i < LIMBS * width && i < 255; i++)
        out[i / 8] |= (uint8_t)((limbs[i / width] >> (i % width) & 1) << (i % 8));
}

size_t unit_numbers(uint8_t out[UNIT_NUMBERS_MAX][32])
{
    static const uint8_t low[] = {0, 1, 2, 18, 19, 38};
    static const uint8_t high[] = {0xda, 0xdb, 0xeb, 0xec, 0xed, 0xee, 0xff}; /* p - 19, .., p - 1, p, .. */
    size_t n = 0;
    for (size_t i = 0; i < sizeof low; i++, n++) {
        memset(out[n], 0, 32);
        out[n][0] = low[i];
    }
    for (size_t i = 0; i < sizeof high; i++, n++) {
        memset(out[n], 0xff, 32);
        out[n][0] = high[i];
        out[n][31] = 0x7f;
    }
    for (int byte = 0x55; byte <= 0xaa; byte += 0x55, n++) {
        memset(out[n], byte, 32);
        out[n][31] &= 0x7f;
    }
    for (unsigned width = 51; width <= 52; width++) {
        const uint64_t max = ((uint64_t)1 << width) - 1, half = (uint64_t)1 << 50;
        const uint64_t bounds[] = {half - 1, half, half + 1, half + half - 1, max};
        uint64_t limbs[LIMBS];
        for (unsigned b = 0; b < sizeof bounds / sizeof *bounds; b++) {
            for (unsigned alone = 0; alone < 2 * LIMBS; alone++) {
                for (unsigned i = 0; i < LIMBS; i++)
                    limbs[i] = i == alone / 2 ? bounds[b] : alone % 2 ? max : 0;
                pack(out[n++], limbs, width);
            }
            for (unsigned odd = 0; odd < 3; odd++) { /* even limbs, odd ones, all */
                for (unsigned i = 0; i < LIMBS; i++)
                    limbs[i] = odd == 2 || i % 2 == odd ? bounds[b] : max - bounds[b];
                pack(out[n++], limbs, width);
            }
        }
    }
    if (n > UNIT_NUMBERS_MAX)
        abort();
    return n;
}
