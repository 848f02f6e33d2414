/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/group.h"

#include "psi/ct.h"
#include "psi/expand.h"
#include "psi/group_backends.h"
#include "psi/mem.h"
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 64 /* items hashed at once: 4 KiB of uniform bytes on the stack */

/* ---- Choice of backend ---- */

/* Portable first, fastest last. */
static const psi_group_backend *const backends[] = {&psi_group_portable};
#define BACKENDS (sizeof backends / sizeof *backends)

static pthread_once_t chosen_once = PTHREAD_ONCE_INIT;
static const psi_group_backend *chosen;

static void choose(void)
{
    const char *wanted = getenv("TALLY_BACKEND");
    psi_sodium();
    chosen = backends[BACKENDS - 1];
    for (size_t i = 0; wanted && i < BACKENDS; i++)
        if (strcmp(wanted, backends[i]->name) == 0)
            chosen = backends[i];
}

const psi_group_backend *psi_group(void)
{
    pthread_once(&chosen_once, choose);
    return chosen;
}

const psi_group_backend *const *psi_group_backends(size_t *count)
{
    psi_sodium();
    *count = BACKENDS;
    return backends;
}

/* ---- Hashing to the group ---- */

tally_status psi_hash_to_group(psi_point *out, const void *prefix, size_t prefix_len, const uint8_t *msgs,
                               size_t len, size_t n, const uint8_t *dst, size_t dst_len)
{
    uint8_t uniform[CHUNK][64];
    tally_status st = TALLY_OK;
    for (size_t at = 0; !st && at < n; at += CHUNK) {
        size_t m = n - at < CHUNK ? n - at : CHUNK;
        st = psi_expand64(uniform, prefix, prefix_len, msgs + at * len, len, m, dst, dst_len);
        if (!st)
            st = psi_group()->from_uniform(out + at, (const uint8_t(*)[64])uniform, m);
    }
    if (st)
        psi_wipe(out, n * sizeof *out);
    psi_wipe(uniform, sizeof uniform); /* as secret as the messages */
    return st;
}

tally_status psi_hash_to_scalar(psi_hash *h, psi_scalar *out, const psi_part *msg, size_t parts,
                                const uint8_t *dst, size_t dst_len)
{
    uint8_t uniform[64];
    tally_status st = psi_expand_message_xmd(h, msg, parts, dst, dst_len, uniform, sizeof uniform);
    if (!st)
        crypto_core_ristretto255_scalar_reduce(out->b, uniform);
    psi_wipe(uniform, sizeof uniform);
    return st;
}

/* ---- Scalars ---- */

void psi_scalar_random(psi_scalar *out, psi_prg *prg)
{
    uint8_t wide[64];
    int zero;
    do {
        psi_prg_bytes(prg, wide, sizeof wide);
        PSI_SECRET(wide, sizeof wide); /* born here, whatever keyed the stream */
        crypto_core_ristretto255_scalar_reduce(out->b, wide);
        zero = sodium_is_zero(out->b, sizeof out->b);
        PSI_DECLASSIFY(&zero, sizeof zero); /* tells of a refused draw only, of probability 2^-252 */
    } while (zero);
    psi_wipe(wide, sizeof wide);
}

tally_status psi_scalar_invert(psi_scalar *out, const psi_scalar *in, size_t n)
{
    psi_scalar product, inverse;
    if (!n)
        return TALLY_OK;
    /* out[i] = in[0] * .. * in[i-1]; then, from the end, inverse = 1 / (in[0] * .. * in[i]). */
    product = in[0];
    for (size_t i = 1; i < n; i++) {
        out[i] = product;
        crypto_core_ristretto255_scalar_mul(product.b, product.b, in[i].b);
    }
    int zero = crypto_core_ristretto255_scalar_invert(inverse.b, product.b);
    PSI_DECLASSIFY(&zero, sizeof zero); /* a caller's bug, not a value of a key */
    for (size_t i = n - 1; !zero && i > 0; i--) {
        crypto_core_ristretto255_scalar_mul(out[i].b, out[i].b, inverse.b);
        crypto_core_ristretto255_scalar_mul(inverse.b, inverse.b, in[i].b);
    }
    out[0] = inverse;
    if (zero)
        psi_wipe(out, n * sizeof *out);
    psi_wipe(&product, sizeof product);
    psi_wipe(&inverse, sizeof inverse);
    return zero ? TALLY_ERR_INTERNAL : TALLY_OK;
}

int psi_scalar_is_canonical(const psi_scalar *s)
{
    /* The group order l = 2^252 + 27742317777372353535851937790883648493, little-endian (RFC 9496 section 4).
     */
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    uint32_t borrow = 0; /* of s - l, byte by byte: 1 at the end exactly if s < l */
    for (unsigned i = 0; i < sizeof order; i++)
        borrow = ((uint32_t)s->b[i] - order[i] - borrow) >> 31;
    return (int)borrow;
}

int psi_scalar_is_valid(const psi_scalar *s)
{
    return psi_scalar_is_canonical(s) & !sodium_is_zero(s->b, sizeof s->b);
}
