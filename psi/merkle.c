/* SPDX-License-Identifier: Apache-2.0 */
/* Millions of short hashes: OpenSSL's one-shot state is a legacy name, and many times faster than a handle.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "psi/merkle.h"

#include "psi/verify.h"

#include <openssl/sha.h>
#include <string.h>

void psi_merkle_empty(uint8_t out32[32])
{
    psi_merkle_node(NULL, NULL, out32);
}

void psi_merkle_leaf(const psi_part *parts, size_t count, uint8_t out32[32])
{
    static const uint8_t prefix = 0;
    SHA256_CTX c;
    SHA256_Init(&c);
    SHA256_Update(&c, &prefix, 1);
    for (size_t i = 0; i < count; i++)
        SHA256_Update(&c, parts[i].p, parts[i].len);
    SHA256_Final(out32, &c);
}

void psi_merkle_node(const uint8_t left32[32], const uint8_t right32[32], uint8_t out32[32])
{
    static const uint8_t prefix = 1;
    SHA256_CTX c;
    SHA256_Init(&c);
    if (left32) {
        SHA256_Update(&c, &prefix, 1);
        SHA256_Update(&c, left32, 32);
        SHA256_Update(&c, right32, 32);
    }
    SHA256_Final(out32, &c);
}

/* ---- A tree that grows ---- */

/*
 * Complete subtrees of len leaves from start on, largest first; start is a multiple of the power of two that
 * is at least len, so that each is a subtree of the whole. Their hashes into at, by level.
 */
static tally_status gather(uint8_t at[PSI_MERKLE_LEVELS][32], uint64_t start, uint64_t len,
                           psi_merkle_get get, void *user)
{
    for (unsigned level = PSI_MERKLE_LEVELS; level-- > 0;)
        if (len >> level & 1) {
            tally_status st = get(user, level, start >> level, at[level]);
            if (st)
                return st;
            start += (uint64_t)1 << level;
        }
    return TALLY_OK;
}

void psi_merkle_root(const psi_merkle *m, uint8_t root32[32])
{
    int any = 0;
    for (unsigned level = 0; level < PSI_MERKLE_LEVELS; level++) {
        if (!(m->size >> level & 1))
            continue;
        if (any)
            psi_merkle_node(m->at[level], root32, root32);
        else
            memcpy(root32, m->at[level], 32);
        any = 1;
    }
    if (!any)
        psi_merkle_empty(root32);
}

tally_status psi_merkle_load(psi_merkle *m, uint64_t size, psi_merkle_get get, void *user)
{
    if (size > PSI_MERKLE_MAX)
        return TALLY_ERR_INTERNAL;
    tally_status st = gather(m->at, 0, size, get, user);
    m->size = st ? 0 : size;
    return st;
}

tally_status psi_merkle_add(psi_merkle *m, const uint8_t leaf32[32], psi_merkle_put put, void *user)
{
    uint8_t hash[32];
    unsigned level = 0;
    PSI_CHECK(m->size < PSI_MERKLE_MAX);
    memcpy(hash, leaf32, 32);
    for (;; level++) {
        tally_status st = put ? put(user, level, m->size >> level, hash) : TALLY_OK;
        if (st)
            return st;
        if (!(m->size >> level & 1))
            break;
        psi_merkle_node(m->at[level], hash, hash);
    }
    memcpy(m->at[level], hash, 32);
    m->size++;
    return TALLY_OK;
}

/* ---- Proofs ---- */

/* The root over len >= 1 leaves from start on, as gather wants them. */
static tally_status range(uint64_t start, uint64_t len, psi_merkle_get get, void *user, uint8_t out32[32])
{
    psi_merkle m = {.size = len};
    tally_status st = gather(m.at, start, len, get, user);
    if (!st)
        psi_merkle_root(&m, out32);
    return st;
}

/* The largest power of two below len, which is at least 2. */
static uint64_t split(uint64_t len)
{
    uint64_t k = 1;
    while (k < len - k)
        k <<= 1;
    return k;
}

static void reverse(uint8_t (*proof)[32], size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        uint8_t keep[32];
        memcpy(keep, proof[i], 32);
        memcpy(proof[i], proof[count - 1 - i], 32);
        memcpy(proof[count - 1 - i], keep, 32);
    }
}

/* Both go down from the root, and note the subtree they leave aside; a proof lists them from below. */
tally_status psi_merkle_include(uint64_t index, uint64_t size, psi_merkle_get get, void *user,
                                uint8_t proof[PSI_MERKLE_PROOF][32], size_t *count)
{
    uint64_t start = 0, len = size;
    size_t used = 0;
    if (index >= size || size > PSI_MERKLE_MAX)
        return TALLY_ERR_INTERNAL;
    while (len > 1) {
        uint64_t k = split(len);
        int left = index - start < k;
        tally_status st =
            range(left ? start + k : start, left ? len - k : k, get, user, proof[used++]); /* < 64 levels */
        if (st)
            return st;
        start += left ? 0 : k;
        len = left ? k : len - k;
    }
    reverse(proof, used);
    *count = used;
    return TALLY_OK;
}

tally_status psi_merkle_extend(uint64_t older, uint64_t size, psi_merkle_get get, void *user,
                               uint8_t proof[PSI_MERKLE_PROOF][32], size_t *count)
{
    uint64_t start = 0, len = size, rest = older;
    size_t used = 0;
    tally_status st = TALLY_OK;
    if (older > size || size > PSI_MERKLE_MAX)
        return TALLY_ERR_INTERNAL;
    while (older && rest != len && !st) {
        uint64_t k = split(len);
        int left = rest <= k;
        st = range(left ? start + k : start, left ? len - k : k, get, user, proof[used++]);
        start += left ? 0 : k;
        rest -= left ? 0 : k;
        len = left ? k : len - k;
    }
    if (!st &&
        start) /* what is left of the older tree is not the whole of it: its verifier does not have it */
        st = range(start, len, get, user, proof[used++]);
    if (st)
        return st;
    reverse(proof, used);
    *count = used;
    return TALLY_OK;
}

/* ---- Their checks ---- */

static int same(const uint8_t a32[32], const uint8_t b32[32])
{
    return memcmp(a32, b32, 32) == 0; /* public: nodes of the tree, as proofs show them */
}

int psi_merkle_included(uint64_t index, uint64_t size, const uint8_t leaf32[32], const uint8_t *proof,
                        size_t count, const uint8_t root32[32])
{
    uint64_t fn = index, sn = size - 1;
    uint8_t r[32];
    if (index >= size || size > PSI_MERKLE_MAX)
        return 0;
    memcpy(r, leaf32, 32);
    for (size_t i = 0; i < count; i++) {
        if (!sn)
            return 0;
        if ((fn & 1) || fn == sn) {
            psi_merkle_node(proof + 32 * i, r, r);
            while (fn && !(fn & 1)) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            psi_merkle_node(r, proof + 32 * i, r);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return !sn && same(r, root32);
}

/* 0 < older < size, count >= 1. */
static int extends(uint64_t older, uint64_t size, const uint8_t older32[32], const uint8_t root32[32],
                   const uint8_t *proof, size_t count)
{
    uint64_t fn = older - 1, sn = size - 1;
    uint8_t fr[32], sr[32];
    size_t i =
        older & (older - 1) ? 1 : 0; /* of a power of two, the older tree is a complete subtree itself */
    while (fn & 1) {
        fn >>= 1;
        sn >>= 1;
    }
    memcpy(fr, i ? proof : older32, 32);
    memcpy(sr, fr, 32);
    for (; i < count; i++) {
        if (!sn)
            return 0;
        if ((fn & 1) || fn == sn) {
            psi_merkle_node(proof + 32 * i, fr, fr);
            psi_merkle_node(proof + 32 * i, sr, sr);
            while (fn && !(fn & 1)) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            psi_merkle_node(sr, proof + 32 * i, sr);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return !sn && same(fr, older32) && same(sr, root32);
}

int psi_merkle_extends(uint64_t older, uint64_t size, const uint8_t older32[32], const uint8_t root32[32],
                       const uint8_t *proof, size_t count)
{
    uint8_t empty[32];
    psi_merkle_empty(empty);
    if (older > size || size > PSI_MERKLE_MAX)
        return 0;
    if (!older && !same(older32, empty))
        return 0;
    if (!older || older == size)
        return !count && (older != size || same(older32, root32));
    return count && extends(older, size, older32, root32, proof, count);
}
