/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Columns over vectors of AES blocks, one source for both widths: four leaf streams at a time at several
 * counters, folded before they ever reach memory. The file that includes it defines LANES (blocks of a
 * vector: 1 or 2), LANES_TARGET for the processor, the type lanes and the following:
 *
 * - lanes_counter: the number given, and the next one in a second block, of 128 bits each
 * - lanes_key: the same 16 bytes, at any address, in every block
 * - lanes_store: at any address
 * - lanes_xor
 * - lanes_round, lanes_last: AES's rounds, with the round key as second argument
 *
 * and afterwards a psi_subspace_backend with lanes_fold.
 */
#include "psi/mem.h"
#include "psi/verify.h"
#include "psi/vole_backends.h"

#define STREAMS 4u
#define WIDE 2u /* vectors of each stream: a round key is loaded once for them */
_Static_assert(4 % (WIDE * LANES) == 0, "a range is a multiple of four blocks");

LANES_TARGET static inline void lanes_streams(lanes s[STREAMS][WIDE], const psi_leaf *leaves,
                                              const lanes counter[WIDE])
{
#pragma GCC unroll 4
    for (unsigned j = 0; j < STREAMS; j++)
#pragma GCC unroll 2
        for (unsigned w = 0; w < WIDE; w++)
            s[j][w] = lanes_xor(counter[w], lanes_key(leaves[j].round[0]));
#pragma GCC unroll 9
    for (unsigned r = 1; r < 10; r++)
#pragma GCC unroll 4
        for (unsigned j = 0; j < STREAMS; j++)
#pragma GCC unroll 2
            for (unsigned w = 0; w < WIDE; w++)
                s[j][w] = lanes_round(s[j][w], lanes_key(leaves[j].round[r]));
#pragma GCC unroll 4
    for (unsigned j = 0; j < STREAMS; j++)
#pragma GCC unroll 2
        for (unsigned w = 0; w < WIDE; w++)
            s[j][w] = lanes_last(s[j][w], lanes_key(leaves[j].round[10]));
}

LANES_TARGET static tally_status lanes_fold(uint8_t *u, uint8_t *v, size_t stride, const psi_leaf *leaves,
                                            unsigned k, uint64_t first, size_t blocks)
{
    lanes sums[PSI_SUBSPACE_K_MAX][WIDE], all[WIDE];
    PSI_CHECK(blocks % 4 == 0 && k >= PSI_SUBSPACE_K_MIN && k <= PSI_SUBSPACE_K_MAX);
    for (size_t c = 0; c < blocks; c += WIDE * LANES) {
        lanes counter[WIDE];
        for (unsigned w = 0; w < WIDE; w++) {
            counter[w] = lanes_counter(first + c + w * LANES);
            all[w] = (lanes){0};
        }
/* Unrolled, or gcc makes it a string instruction that takes a fifth of the time. */
#pragma GCC unroll 8
        for (unsigned b = 0; b < PSI_SUBSPACE_K_MAX; b++)
#pragma GCC unroll 2
            for (unsigned w = 0; w < WIDE; w++)
                sums[b][w] = (lanes){0};
        for (unsigned g = 0; g < 1u << k; g += STREAMS) {
            lanes s[STREAMS][WIDE];
            lanes_streams(s, leaves + g, counter);
            lanes sum[WIDE];
#pragma GCC unroll 2
            for (unsigned w = 0; w < WIDE; w++) {
                lanes odd = lanes_xor(s[1][w], s[3][w]), upper = lanes_xor(s[2][w], s[3][w]);
                sum[w] = lanes_xor(lanes_xor(s[0][w], s[1][w]), upper);
                sums[0][w] = lanes_xor(sums[0][w], odd);
                sums[1][w] = lanes_xor(sums[1][w], upper);
                all[w] = lanes_xor(all[w], sum[w]);
            }
            /* The first bound is for gcc, which unrolls a step beyond the array, never taken, over the
             * canary. */
            for (unsigned b = 2; b < PSI_SUBSPACE_K_MAX && b < k; b++)
                if (g >> b & 1)
#pragma GCC unroll 2
                    for (unsigned w = 0; w < WIDE; w++)
                        sums[b][w] = lanes_xor(sums[b][w], sum[w]);
        }
        for (unsigned w = 0; w < WIDE; w++) {
            size_t at = 16 * (c + w * LANES);
            if (u)
                lanes_store(u + at, all[w]);
            for (unsigned b = 0; b < PSI_SUBSPACE_K_MAX && b < k; b++)
                lanes_store(v + b * stride + at, sums[b][w]);
        }
    }
    psi_wipe(sums, sizeof sums);
    psi_wipe(all, sizeof all);
    return TALLY_OK;
}
