/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What psi/expand.c hands to its backends, and the table of a backend. Not for others.
 *
 * With DST' = DST and one byte its length, and pad for SHA-512's own padding, a message takes two hashes:
 *
 *     b_0 = H(128 zeros, prefix, message, 0, 64, 0, DST', pad)
 *     b_1 = H(b_0, 1, DST', pad)
 *
 * What stands before the first block with message bytes is a state, once for all messages. Blocks behind the
 * last one with secret bytes are the same for all messages, too.
 */
#ifndef PSI_EXPAND_JOB_H
#define PSI_EXPAND_JOB_H

#include "psi/expand.h"
#include <string.h>

#define PSI_SHA512_BLOCK 128
#define PSI_SHA512_PAD 17 /* least length of SHA-512's padding: the one bit and 16 bytes of length */
/* Most blocks behind the last one with message bytes: 3 + 255 + 1 bytes and padding from a block's start. */
#define PSI_EXPAND_AFTER0 3
/* Most blocks of b_1 behind its first: 64 + 1 + 255 + 1 bytes and padding are 3 blocks. */
#define PSI_EXPAND_AFTER1 2

typedef struct psi_expand_job {
    uint64_t start[8];                /* state before the rest of the prefix */
    uint8_t prefix[PSI_SHA512_BLOCK]; /* rest of the prefix, shorter than a block */
    /* behind the message and behind b_0, with padding, up to the end of a block */
    uint8_t tail0[PSI_SHA512_BLOCK * (PSI_EXPAND_AFTER0 + 1)];
    uint8_t tail1[PSI_SHA512_BLOCK * (PSI_EXPAND_AFTER1 + 1) - 64];
} psi_expand_job;

/* Lengths in a job and of a message. Apart from it and passed by value: what make audit follows through
 * memory counts as secret, and arguments do not. */
typedef struct psi_expand_sizes {
    size_t prefix, len, tail0, tail1;
} psi_expand_sizes;

struct psi_expand_backend {
    const char *name;
    void (*many)(uint8_t (*out64)[64], const psi_expand_job *job, psi_expand_sizes sizes, const uint8_t *msgs,
                 size_t n);
};

extern const uint64_t psi_sha512_start[8];      /* before the first block: FIPS 180-4, section 5.3.5 */
extern const uint64_t psi_sha512_constants[80]; /* of the rounds: FIPS 180-4, section 4.2.3 */

/* 8 bytes in SHA-512's order. */
static inline uint64_t psi_sha512_load(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    return x;
}

static inline void psi_sha512_store(uint8_t *p, uint64_t x)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    memcpy(p, &x, sizeof x);
}

/* Of the bytes p[0..len), which stand at `at` in a stream, those that fall into its block at `from`. */
static inline void psi_sha512_lay(uint8_t block[PSI_SHA512_BLOCK], size_t from, const uint8_t *p, size_t at,
                                  size_t len)
{
    size_t begin = at > from ? at : from;
    size_t end = at + len < from + PSI_SHA512_BLOCK ? at + len : from + PSI_SHA512_BLOCK;
    if (begin < end)
        memcpy(block + (begin - from), p + (begin - at), end - begin);
}

/* The round's constant and the message word of all 80 rounds of one block. */
void psi_sha512_schedule(uint64_t sum[80], const uint8_t block[PSI_SHA512_BLOCK]);

#if defined(__x86_64__)
extern const psi_expand_backend psi_expand_avx2;   /* psi/expand_avx2.c: PSI_CPU_AVX2 */
extern const psi_expand_backend psi_expand_avx512; /* psi/expand_avx512.c: PSI_CPU_AVX512 */
#endif

#endif
