/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/ot.h"

#include "psi/ct.h"
#include "psi/mem.h"
#include "psi/verify.h"

#include <string.h>

static const char hash_dst[] = "TALLY-V01-CS02-OT-ristretto255_XMD:SHA-512_R255MAP_RO_";

/* What H_i hashes after the session id: index (2 bytes), which point of the pair is hashed (1
 * byte), the point. */
typedef struct place {
    uint8_t b[3 + sizeof(psi_point)];
} place;

static void set_place(place *m, unsigned i, unsigned which, const psi_point *p)
{
    m->b[0] = (uint8_t)(i >> 8);
    m->b[1] = (uint8_t)i;
    m->b[2] = (uint8_t)which;
    memcpy(m->b + 3, p->b, sizeof p->b);
}

/* H_i(point) of n places. */
static tally_status hash_points(psi_point *out, const psi_sid *sid, const place *places, size_t n)
{
    return psi_hash_to_group(out, sid->b, sizeof sid->b, (const uint8_t *)places, sizeof *places, n,
                             (const uint8_t *)hash_dst, sizeof hash_dst - 1);
}

static void swap_masked(psi_point *a, psi_point *b, uint8_t mask)
{
    for (int i = 0; i < 32; i++) {
        uint8_t t = (uint8_t)((a->b[i] ^ b->b[i]) & mask);
        a->b[i] ^= t;
        b->b[i] ^= t;
    }
}

static unsigned bit_of(const uint8_t *bits, size_t i)
{
    return (unsigned)bits[i / 8] >> (i % 8) & 1u;
}

static uint8_t mask_of(unsigned bit)
{
    return (uint8_t)psi_ct_barrier((uint64_t)0 - bit);
}

/*
 * Pair i: the point of the bit that is not chosen is random, the chosen one is g^e - H_i(other). The hash is
 * told which place its argument has, so both candidates are computed and the right one is taken under a mask.
 */
static tally_status make_pairs(psi_ot_sender *s, const psi_sid *sid, psi_prg *prg)
{
    const psi_group_backend *group = psi_group();
    uint8_t uniform[PSI_OT_BASE][64];
    place places[2 * PSI_OT_BASE];
    psi_point power[PSI_OT_BASE], other[PSI_OT_BASE], hashed[2 * PSI_OT_BASE], right[PSI_OT_BASE] = {{{0}}};
    psi_prg_bytes(prg, uniform, sizeof uniform);
    tally_status st = group->base_mul(power, s->exponent, PSI_OT_BASE);
    if (!st)
        st = group->from_uniform(other, (const uint8_t(*)[64])uniform, PSI_OT_BASE);
    for (unsigned i = 0; !st && i < PSI_OT_BASE; i++) {
        set_place(&places[2 * i], i, 0, &other[i]);
        set_place(&places[2 * i + 1], i, 1, &other[i]);
    }
    if (!st)
        st = hash_points(hashed, sid, places, 2 * PSI_OT_BASE);
    for (unsigned i = 0; !st && i < PSI_OT_BASE; i++) {
        /* choice 0: the other is point 1, and so is its hash after no exchange */
        swap_masked(&hashed[2 * i], &hashed[2 * i + 1], mask_of(bit_of(s->choice, i)));
        right[i] = hashed[2 * i + 1];
    }
    if (!st)
        st = group->subtract(right, power, right, PSI_OT_BASE, NULL);
    for (unsigned i = 0; !st && i < PSI_OT_BASE; i++) {
        s->pairs[i][0] = right[i];
        s->pairs[i][1] = other[i];
        swap_masked(&s->pairs[i][0], &s->pairs[i][1], mask_of(bit_of(s->choice, i)));
    }
    if (!st)
        PSI_DECLASSIFY(s->pairs, sizeof s->pairs); /* sent: both points are uniform whatever was chosen */
    psi_wipe(uniform, sizeof uniform);
    psi_wipe(places, sizeof places);
    psi_wipe(power, sizeof power);
    psi_wipe(other, sizeof other);
    psi_wipe(hashed, sizeof hashed);
    psi_wipe(right, sizeof right);
    return st;
}

tally_status psi_ot_open(psi_ot_sender *s, const psi_sid *sid)
{
    psi_prg prg;
    tally_status st = psi_prg_init(&prg);
    if (st)
        return st;
    psi_prg_bytes(&prg, s->choice, sizeof s->choice);
    PSI_SECRET(s->choice, sizeof s->choice);
    for (unsigned i = 0; i < PSI_OT_BASE; i++)
        psi_scalar_random(&s->exponent[i], &prg);
    st = make_pairs(s, sid, &prg);
    psi_prg_wipe(&prg);
    if (st)
        psi_wipe(s, sizeof *s);
    return st;
}

/* Seed of base OT i for one bit: SHA-256(tag OT_SEED, sid, i, bit, pair, point, shared point). */
static tally_status seed(uint8_t out32[32], psi_hash *h, const psi_sid *sid, unsigned i, unsigned bit,
                         const psi_point pair[2], const psi_point *point, const psi_point *shared)
{
    const uint8_t where[3] = {(uint8_t)(i >> 8), (uint8_t)i, (uint8_t)bit};
    tally_status st = psi_hash_start(h, PSI_TAG_OT_SEED);
    if (!st)
        st = psi_hash_add(h, sid->b, sizeof sid->b);
    if (!st)
        st = psi_hash_add(h, where, sizeof where);
    if (!st)
        st = psi_hash_add(h, pair, 2 * sizeof *pair);
    if (!st)
        st = psi_hash_add(h, point, sizeof *point);
    if (!st)
        st = psi_hash_add(h, shared, sizeof *shared);
    return st ? st : psi_hash_end(h, out32);
}

/* String i of the extension: leading 16 bytes of SHA-256(tag OT_STRING, sid, i, the 128-bit row). */
static tally_status string(psi_block *out, psi_hash *h, const psi_sid *sid, size_t i, const uint8_t row[16])
{
    const uint8_t where[4] = {(uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
    uint8_t digest[32];
    tally_status st = psi_hash_start(h, PSI_TAG_OT_STRING);
    if (!st)
        st = psi_hash_add(h, sid->b, sizeof sid->b);
    if (!st)
        st = psi_hash_add(h, where, sizeof where);
    if (!st)
        st = psi_hash_add(h, row, 16);
    if (!st)
        st = psi_hash_end(h, digest);
    if (!st)
        memcpy(out->b, digest, sizeof out->b);
    psi_wipe(digest, sizeof digest);
    return st;
}

static void expand_seed(const uint8_t seed32[32], uint8_t *out, size_t len)
{
    psi_prg prg;
    psi_prg_init_key(&prg, seed32);
    psi_prg_bytes(&prg, out, len);
    psi_prg_wipe(&prg);
}

/* Row i of 128 columns of len bytes: bit j of the row is bit i of column j. */
static void take_row(uint8_t row[16], const uint8_t *columns, size_t len, size_t i)
{
    memset(row, 0, 16);
    for (unsigned j = 0; j < PSI_OT_BASE; j++)
        row[j / 8] = (uint8_t)(row[j / 8] | bit_of(columns + j * len, i) << (j % 8));
}

/* What the seeds of all base OTs hash at the extension's receiver: shared[2 i + bit], with the common
 * exponent b. */
static tally_status share_both(psi_point *shared, const psi_sid *sid, const psi_point *pairs,
                               const psi_scalar *b)
{
    const psi_group_backend *group = psi_group();
    place places[2 * PSI_OT_BASE];
    for (unsigned i = 0; i < PSI_OT_BASE; i++)
        for (unsigned bit = 0; bit < 2; bit++)
            set_place(&places[2 * i + bit], i, bit ^ 1, &pairs[2 * i + (bit ^ 1)]);
    tally_status st = hash_points(shared, sid, places, 2 * PSI_OT_BASE);
    if (!st)
        st = group->add(shared, pairs, shared, 2 * PSI_OT_BASE, NULL);
    return st ? st : group->mul_common(shared, shared, 2 * PSI_OT_BASE, b, NULL);
}

tally_status psi_ot_choose(psi_block *strings, psi_point *point, uint8_t *columns, const uint8_t *choices,
                           size_t count, const psi_point *pairs, const psi_sid *sid)
{
    PSI_CHECK(count % 8 == 0 && count <= PSI_OT_MAX);
    size_t len = count / 8;
    psi_prg prg;
    psi_scalar b;
    psi_point shared[2 * PSI_OT_BASE];
    uint8_t seeds[2][32], row[16];
    psi_hash *h = psi_hash_new();
    uint8_t *t = psi_secret_calloc(PSI_OT_BASE, len);
    tally_status st = h && t ? psi_prg_init(&prg) : TALLY_ERR_NO_MEMORY;
    if (st)
        goto done;
    psi_scalar_random(&b, &prg);
    psi_prg_wipe(&prg);
    st = psi_group()->base_mul(point, &b, 1);
    if (!st)
        st = share_both(shared, sid, pairs, &b);
    for (unsigned j = 0; !st && j < PSI_OT_BASE; j++) {
        uint8_t *column = columns + j * len;
        for (unsigned bit = 0; !st && bit < 2; bit++)
            st = seed(seeds[bit], h, sid, j, bit, pairs + 2 * j, point, &shared[2 * j + bit]);
        if (st)
            break;
        expand_seed(seeds[0], t + j * len, len);
        expand_seed(seeds[1], column, len);
        for (size_t i = 0; i < len; i++)
            column[i] ^= (uint8_t)(t[j * len + i] ^ choices[i]);
    }
    for (size_t i = 0; !st && i < count; i++) {
        take_row(row, t, len, i);
        st = string(&strings[i], h, sid, i, row);
    }
    PSI_DECLASSIFY(columns,
                   PSI_OT_BASE *
                       len); /* sent: each masked by a stream of a seed that the peer did not choose */
done:
    psi_wipe(&b, sizeof b);
    psi_wipe(shared, sizeof shared);
    psi_wipe(seeds, sizeof seeds);
    psi_wipe(row, sizeof row);
    psi_secret_free(t);
    psi_hash_free(h);
    return st;
}

tally_status psi_ot_strings(psi_block (*strings)[2], const psi_ot_sender *s, const psi_point *point,
                            const uint8_t *columns, size_t count, const psi_sid *sid)
{
    PSI_CHECK(count % 8 == 0 && count <= PSI_OT_MAX);
    size_t len = count / 8;
    uint8_t seed32[2][32], row[16];
    psi_point shared[PSI_OT_BASE], points[PSI_OT_BASE];
    psi_hash *h = psi_hash_new();
    uint8_t *q = psi_secret_calloc(PSI_OT_BASE, len);
    tally_status st = h && q ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    for (unsigned j = 0; j < PSI_OT_BASE; j++)
        points[j] = *point;
    if (!st)
        st = psi_group()->mul_each(shared, points, s->exponent, PSI_OT_BASE, NULL);
    for (unsigned j = 0; !st && j < PSI_OT_BASE; j++) {
        /* The seed's hash takes the bit in; both are computed and the chosen one is used under a mask. */
        uint8_t mask = mask_of(bit_of(s->choice, j));
        for (unsigned bit = 0; !st && bit < 2; bit++)
            st = seed(seed32[bit], h, sid, j, bit, s->pairs[j], point, &shared[j]);
        if (st)
            break;
        for (size_t i = 0; i < 32; i++)
            seed32[0][i] ^= (uint8_t)((seed32[0][i] ^ seed32[1][i]) & mask);
        expand_seed(seed32[0], q + j * len, len);
        for (size_t i = 0; i < len; i++)
            q[j * len + i] ^= (uint8_t)(columns[j * len + i] & mask);
    }
    for (size_t i = 0; !st && i < count; i++) {
        take_row(row, q, len, i);
        st = string(&strings[i][0], h, sid, i, row);
        for (size_t b = 0; b < 16; b++)
            row[b] ^= s->choice[b];
        if (!st)
            st = string(&strings[i][1], h, sid, i, row);
    }
    psi_wipe(shared, sizeof shared);
    psi_wipe(seed32, sizeof seed32);
    psi_wipe(row, sizeof row);
    psi_secret_free(q);
    psi_hash_free(h);
    return st;
}
