/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The group ristretto255 (RFC 9496) as a batch contract: arrays of encoded points, one common secret scalar
 * or one scalar each. Backends fill the table psi_group_backend; libsodium is the portable one and the
 * reference. Called by psi/ecdh and psi/oprf. Scalars are secret, points are public once encoded.
 *
 * Common rules: out and in may be the same array, otherwise they do not overlap. n == 0 is fine. A batch is
 * one thread's work; callers split batches over threads. Time depends on n only, and on where an input is
 * refused. On failure out is wiped as a whole and *bad, if not NULL, holds the first offending index.
 */
#ifndef PSI_GROUP_H
#define PSI_GROUP_H

#include "psi/hash.h"
#include "psi/rng.h"
#include <stddef.h>
#include <stdint.h>

typedef struct psi_point {
    uint8_t b[32]; /* canonical encoding, RFC 9496 section 4.3.2 */
} psi_point;

typedef struct psi_scalar {
    uint8_t b[32]; /* little-endian, < l = 2^252 + 27742317777372353535851937790883648493 */
} psi_scalar;

typedef struct psi_field_backend psi_field_backend; /* psi/group_backends.h */

typedef struct psi_group_backend {
    const char *name;
    /* Once, before any other: fills tables. */
    void (*prepare)(void);
    /* out[i] = k * in[i]. TALLY_ERR_MALFORMED: in[*bad] is not canonical, or is the identity. k must not be
     * 0. */
    tally_status (*mul_common)(psi_point *out, const psi_point *in, size_t n, const psi_scalar *k,
                               size_t *bad);
    /* out[i] = k[i] * in[i], as above. */
    tally_status (*mul_each)(psi_point *out, const psi_point *in, const psi_scalar *k, size_t n, size_t *bad);
    /* out[i] = map(uniform[i]): the one-way map of RFC 9496 section 4.3.4 on 64 uniform bytes. */
    tally_status (*from_uniform)(psi_point *out, const uint8_t (*uniform64)[64], size_t n);
    /* out[i] = k * map(uniform[i]) and k[i] * map(uniform[i]), without an encoding in between.
     * TALLY_ERR_INTERNAL: a product is the identity, that is a scalar is 0 (or 64 bytes were drawn that occur
     * once in 2^252). */
    tally_status (*map_mul_common)(psi_point *out, const uint8_t (*uniform64)[64], size_t n,
                                   const psi_scalar *k);
    tally_status (*map_mul_each)(psi_point *out, const uint8_t (*uniform64)[64], const psi_scalar *k,
                                 size_t n);
    /* out[i] = k[i] * generator. TALLY_ERR_INTERNAL: a k[i] is 0. */
    tally_status (*base_mul)(psi_point *out, const psi_scalar *k, size_t n);
    /* out[i] = a[i] + b[i] and a[i] - b[i]. Inputs as for mul_common; TALLY_ERR_MALFORMED also when the
     * result is the identity. */
    tally_status (*add)(psi_point *out, const psi_point *a, const psi_point *b, size_t n, size_t *bad);
    tally_status (*subtract)(psi_point *out, const psi_point *a, const psi_point *b, size_t n, size_t *bad);
    /* *out = sum of k[i] * in[i]; in as for mul_common except that scalars may be 0 and the sum may be the
       identity. Variable time allowed: only public scalars are given (weights of a batch proof). */
    tally_status (*sum_var)(psi_point *out, const psi_point *in, const psi_scalar *k, size_t n, size_t *bad);
    const psi_field_backend *field; /* NULL for the portable backend */
} psi_group_backend;

/* The backend in use. The choice is made once, by psi_cpu(); a backend that disagrees with the portable one
 * at that moment is not offered. Never NULL. */
const psi_group_backend *psi_group(void);
/* All backends that this machine can run, portable first; *count is set. For tests and benchmarks. */
const psi_group_backend *const *psi_group_backends(size_t *count);
#ifdef TALLY_TEST
/* Test builds only, while no other thread runs: psi_group() gives g, after prepare(), until called with NULL.
 */
void psi_group_use(const psi_group_backend *g);
/* Test builds only: what is asked of a vector backend before it is used, 1 if it agrees with the portable
 * one. */
int psi_group_agrees(const psi_group_backend *g);
#endif

/*
 * hash_to_ristretto255 (RFC 9380 appendix B, expand_message_xmd with SHA-512): out[i] from the message made
 * of prefix (public, may be empty) and the len bytes at msgs + i*len (secret). dst_len 1..255.
 */
tally_status psi_hash_to_group(psi_point *out, const void *prefix, size_t prefix_len, const uint8_t *msgs,
                               size_t len, size_t n, const uint8_t *dst, size_t dst_len) TALLY_MUST_CHECK;
/* k and k[i] times that, k not 0, at less cost than one after the other: no point is encoded in between. */
tally_status psi_hash_mul_common(psi_point *out, const void *prefix, size_t prefix_len, const uint8_t *msgs,
                                 size_t len, size_t n, const uint8_t *dst, size_t dst_len,
                                 const psi_scalar *k) TALLY_MUST_CHECK;
tally_status psi_hash_mul_each(psi_point *out, const void *prefix, size_t prefix_len, const uint8_t *msgs,
                               size_t len, size_t n, const uint8_t *dst, size_t dst_len,
                               const psi_scalar *k) TALLY_MUST_CHECK;

/* HashToScalar of RFC 9497 section 4.1: expand_message_xmd to 64 bytes, little-endian, mod l. */
tally_status psi_hash_to_scalar(psi_hash *h, psi_scalar *out, const psi_part *msg, size_t parts,
                                const uint8_t *dst, size_t dst_len) TALLY_MUST_CHECK;

/* Uniform non-zero scalar from the stream (64 bytes mod l, drawn again if zero). */
void psi_scalar_random(psi_scalar *out, psi_prg *prg);
/* out[i] = 1 / in[i] for all i with one inversion (Montgomery's trick). out != in.
   TALLY_ERR_INTERNAL with out wiped if some in[i] is 0. */
tally_status psi_scalar_invert(psi_scalar *out, const psi_scalar *in, size_t n) TALLY_MUST_CHECK;
/* 1 if s < l: for scalars read from peers, where 0 may stand. Time does not depend on s. */
int psi_scalar_is_canonical(const psi_scalar *s);
/* 1 if s is canonical and not 0: for keys and blinds. */
int psi_scalar_is_valid(const psi_scalar *s);

#endif
