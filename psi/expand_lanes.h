/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages side by side, one source for all widths. The file that includes it defines LANES (4 or 8 words of
 * 64 bits), LANES_TARGET for whole functions, LANES_SHORT for short ones, the type lanes and the following,
 * static inline or as macros:
 *
 * - lanes_load, lanes_store: at any address
 * - lanes_set: the same word everywhere
 * - lanes_add
 * - lanes_xor3: a ^ b ^ c
 * - lanes_choose: the bits of b where a is 1, else those of c
 * - lanes_majority: of three, bit by bit
 * - LANES_RIGHT, LANES_ROTATE: to the right, by a constant
 *
 * and afterwards a psi_expand_backend of lanes_many. Functions and order of FIPS 180-4, section 6.4.2. Blocks
 * that are the same for all messages are scheduled once, which saves a third of the work on them.
 */
#include "psi/expand_job.h"
#include "psi/mem.h"
#include "psi/verify.h"

/* All that is secret and lies in memory. */
typedef struct lanes_work {
    uint64_t state[8][LANES], word[16][LANES];
    uint8_t block[PSI_SHA512_BLOCK];
} lanes_work;

/* Round t, t % 8 given: the working variables a to h stand at -t, 1 - t, .. modulo 8, so none is moved. */
LANES_SHORT static inline void lanes_round(lanes v[8], unsigned t, lanes word)
{
    lanes a = v[(8 - t) % 8], b = v[(9 - t) % 8], c = v[(10 - t) % 8], *d = &v[(11 - t) % 8];
    lanes e = v[(12 - t) % 8], f = v[(13 - t) % 8], g = v[(14 - t) % 8], *h = &v[(15 - t) % 8];
    lanes sum1 = lanes_xor3(LANES_ROTATE(e, 14), LANES_ROTATE(e, 18), LANES_ROTATE(e, 41));
    lanes sum0 = lanes_xor3(LANES_ROTATE(a, 28), LANES_ROTATE(a, 34), LANES_ROTATE(a, 39));
    lanes t1 = lanes_add(lanes_add(lanes_add(*h, word), lanes_choose(e, f, g)), sum1);
    *d = lanes_add(*d, t1);
    *h = lanes_add(t1, lanes_add(sum0, lanes_majority(a, b, c)));
}

/* The word of 16 rounds later. */
LANES_SHORT static inline lanes lanes_next(lanes w0, lanes w1, lanes w9, lanes w14)
{
    lanes s0 = lanes_xor3(LANES_ROTATE(w1, 1), LANES_ROTATE(w1, 8), LANES_RIGHT(w1, 7));
    lanes s1 = lanes_xor3(LANES_ROTATE(w14, 19), LANES_ROTATE(w14, 61), LANES_RIGHT(w14, 6));
    return lanes_add(lanes_add(w0, s0), lanes_add(w9, s1));
}

LANES_SHORT static inline void lanes_begin(lanes v[8], uint64_t state[8][LANES])
{
#pragma GCC unroll 8
    for (unsigned j = 0; j < 8; j++)
        v[j] = lanes_load(state[j]);
}

LANES_SHORT static inline void lanes_end(uint64_t state[8][LANES], const lanes v[8])
{
#pragma GCC unroll 8
    for (unsigned j = 0; j < 8; j++)
        lanes_store(state[j], lanes_add(lanes_load(state[j]), v[j]));
}

/* One block of each message. */
LANES_TARGET static void lanes_compress(uint64_t state[8][LANES], uint64_t word[16][LANES])
{
    lanes v[8];
    lanes_begin(v, state);
    for (unsigned at = 0; at < 64; at += 16)
#pragma GCC unroll 16
        for (unsigned t = 0; t < 16; t++) {
            lanes w = lanes_load(word[t]);
            lanes_round(v, t % 8, lanes_add(w, lanes_set(psi_sha512_constants[at + t])));
            lanes_store(word[t], lanes_next(w, lanes_load(word[(t + 1) % 16]), lanes_load(word[(t + 9) % 16]),
                                            lanes_load(word[(t + 14) % 16])));
        }
#pragma GCC unroll 16
    for (unsigned t = 0; t < 16; t++)
        lanes_round(v, t % 8, lanes_add(lanes_load(word[t]), lanes_set(psi_sha512_constants[64 + t])));
    lanes_end(state, v);
}

/* One block that is the same for all. */
LANES_TARGET static void lanes_compress_known(uint64_t state[8][LANES], const uint64_t sum[80])
{
    lanes v[8];
    lanes_begin(v, state);
    for (unsigned at = 0; at < 80; at += 8)
#pragma GCC unroll 8
        for (unsigned t = 0; t < 8; t++)
            lanes_round(v, t, lanes_set(sum[at + t]));
    lanes_end(state, v);
}

static void lanes_fill(uint64_t row[][LANES], const uint64_t *value, size_t count)
{
    for (size_t j = 0; j < count; j++)
        for (size_t l = 0; l < LANES; l++)
            row[j][l] = value[j];
}

/* The words of the block at `from` of n <= LANES messages: prefix, message, tail. Words of other lanes are
 * whatever was there. */
static void lanes_words(lanes_work *x, const psi_expand_job *job, psi_expand_sizes z, size_t from,
                        const uint8_t *msgs, size_t n)
{
    psi_sha512_lay(x->block, from, job->prefix, 0, z.prefix);
    psi_sha512_lay(x->block, from, job->tail0, z.prefix + z.len, z.tail0);
    for (size_t l = 0; l < n; l++) {
        psi_sha512_lay(x->block, from, msgs + l * z.len, z.prefix, z.len);
        for (size_t t = 0; t < 16; t++)
            x->word[t][l] = psi_sha512_load(x->block + 8 * t);
    }
}

static void lanes_many(uint8_t (*out)[64], const psi_expand_job *job, psi_expand_sizes z, const uint8_t *msgs,
                       size_t n)
{
    lanes_work x = {0};
    uint64_t after0[PSI_EXPAND_AFTER0][80], after1[PSI_EXPAND_AFTER1][80], second[8];
    size_t until = z.prefix + z.len; /* where message bytes end */
    size_t blocks = until ? (until + PSI_SHA512_BLOCK - 1) / PSI_SHA512_BLOCK : 1;
    size_t count0 = (until + z.tail0) / PSI_SHA512_BLOCK - blocks;
    size_t count1 = (64 + z.tail1) / PSI_SHA512_BLOCK - 1;
    PSI_CHECK(count0 <= PSI_EXPAND_AFTER0 && count1 <= PSI_EXPAND_AFTER1);
    for (size_t b = 0; b < count0; b++)
        psi_sha512_schedule(after0[b], job->tail0 + ((blocks + b) * PSI_SHA512_BLOCK - until));
    for (size_t b = 0; b < count1; b++)
        psi_sha512_schedule(after1[b], job->tail1 + (64 + b * PSI_SHA512_BLOCK));
    for (size_t j = 0; j < 8; j++)
        second[j] = psi_sha512_load(job->tail1 + 8 * j);
    for (size_t at = 0; at < n; at += LANES) {
        size_t m = n - at < LANES ? n - at : LANES;
        lanes_fill(x.state, job->start, 8);
        for (size_t b = 0; b < blocks; b++) {
            lanes_words(&x, job, z, b * PSI_SHA512_BLOCK, msgs + at * z.len, m);
            lanes_compress(x.state, x.word);
        }
        for (size_t b = 0; b < count0; b++)
            lanes_compress_known(x.state, after0[b]);
        memcpy(x.word, x.state, sizeof x.state); /* b_0 */
        lanes_fill(x.word + 8, second, 8);
        lanes_fill(x.state, psi_sha512_start, 8);
        lanes_compress(x.state, x.word);
        for (size_t b = 0; b < count1; b++)
            lanes_compress_known(x.state, after1[b]);
        for (size_t l = 0; l < m; l++)
            for (size_t j = 0; j < 8; j++)
                psi_sha512_store(out[at + l] + 8 * j, x.state[j][l]);
    }
    psi_wipe(&x, sizeof x);
}
