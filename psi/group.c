/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/group.h"

#include "psi/cpu.h"
#include "psi/ct.h"
#include "psi/digits.h"
#include "psi/expand.h"
#include "psi/group_backends.h"
#include "psi/mem.h"
#include <pthread.h>
#include <sodium.h>
#include <string.h>

#define CHUNK 128 /* items hashed at once: 8 KiB of uniform bytes on the stack */

/* ---- Choice of backend ---- */

/* Vector backends, fastest first, up to the one without a table; prepared when somebody first asks. */
static struct vector_backend {
    const psi_group_backend *g;
    unsigned needs; /* of enum psi_cpu */
    int state;      /* 0 not tried, 1 usable, -1 not */
} vectors[] = {
#ifdef PSI_GROUP_IFMA
    {&psi_group_ifma, PSI_CPU_AVX512 | PSI_CPU_IFMA, 0},
#endif
#ifdef PSI_GROUP_AVX2
    {&psi_group_avx2, PSI_CPU_AVX2 | PSI_CPU_FMA, 0},
#endif
    {NULL, 0, -1},
};
#define VECTORS (sizeof vectors / sizeof *vectors - 1)

static int differ(const void *a, const void *b, size_t len)
{
    return memcmp(a, b, len) != 0; /* public: of the inputs below */
}

/* A vector and one item more against the portable backend, every function that takes secrets. */
static int agrees(const psi_group_backend *g)
{
    enum { N = 9 };
    const psi_group_backend *ref = &psi_group_portable;
    uint8_t uniform[N][64];
    psi_scalar k[N];
    psi_point a[N], b[N], p[N], q[N];
    size_t at = N;
    int bad = 0;
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < 64; j++)
            uniform[i][j] = (uint8_t)(37 * i + 101 * j + i * j * j);
        crypto_core_ristretto255_scalar_reduce(k[i].b, uniform[i]);
    }
    const uint8_t(*u)[64] = (const uint8_t(*)[64])uniform;
    bad |= ref->from_uniform(p, u, N) || g->from_uniform(b, u, N) || differ(p, b, sizeof p);
    bad |= ref->mul_each(q, p, k, N, NULL) || g->mul_each(b, p, k, N, NULL) || differ(q, b, sizeof q);
    bad |= g->map_mul_each(b, u, k, N) || differ(q, b, sizeof q);
    bad |= ref->mul_common(a, p, N, k, NULL) || g->mul_common(b, p, N, k, NULL) || differ(a, b, sizeof a);
    bad |= g->map_mul_common(b, u, N, k) || differ(a, b, sizeof a);
    bad |= ref->base_mul(a, k, N) || g->base_mul(b, k, N) || differ(a, b, sizeof a);
    bad |= ref->add(a, p, q, N, NULL) || g->add(b, p, q, N, NULL) || differ(a, b, sizeof a);
    bad |= ref->subtract(a, p, q, N, NULL) || g->subtract(b, p, q, N, NULL) || differ(a, b, sizeof a);
    p[N - 1].b[0] ^= 1; /* odd: no encoding */
    bad |= g->mul_common(b, p, N, k, &at) != TALLY_ERR_MALFORMED || at != N - 1;
    return !bad;
}

/* A backend that computes anything else on this machine is not used: tally version shows what is. */
static int usable(struct vector_backend *v, unsigned cpu)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    if ((cpu & v->needs) != v->needs)
        return 0;
    pthread_mutex_lock(&lock);
    if (v->state == 0) {
        v->g->prepare();
        v->state = agrees(v->g) ? 1 : -1;
    }
    pthread_mutex_unlock(&lock);
    return v->state > 0;
}

static pthread_once_t chosen_once = PTHREAD_ONCE_INIT;
static const psi_group_backend *chosen = &psi_group_portable;

static void choose(void)
{
    psi_sodium();
    for (struct vector_backend *v = vectors; v->g && chosen == &psi_group_portable; v++)
        if (usable(v, psi_cpu()))
            chosen = v->g;
}

const psi_group_backend *psi_group(void)
{
    pthread_once(&chosen_once, choose);
    return chosen;
}

#ifdef TALLY_TEST
int psi_group_agrees(const psi_group_backend *g)
{
    return agrees(g);
}

void psi_group_use(const psi_group_backend *g)
{
    static const psi_group_backend *own;
    if (!own)
        own = psi_group();
    chosen = g ? g : own;
}
#endif

static pthread_once_t listed_once = PTHREAD_ONCE_INIT;
static const psi_group_backend *listed[VECTORS + 1] = {&psi_group_portable};
static size_t listed_count = 1;

static void list(void)
{
    psi_sodium();
    for (size_t i = VECTORS; i-- > 0;)
        if (usable(&vectors[i], psi_cpu_all()))
            listed[listed_count++] = vectors[i].g;
}

const psi_group_backend *const *psi_group_backends(size_t *count)
{
    pthread_once(&listed_once, list);
    *count = listed_count;
    return listed;
}

/* ---- Hashing to the group ---- */

/* k NULL: the points themselves; else times k[i], if each, or k. */
static tally_status hash_any(psi_point *out, const void *prefix, size_t prefix_len, const uint8_t *msgs,
                             size_t len, size_t n, const uint8_t *dst, size_t dst_len, const psi_scalar *k,
                             int each)
{
    const psi_group_backend *g = psi_group();
    uint8_t uniform[CHUNK][64];
    const uint8_t(*u)[64] = (const uint8_t(*)[64])uniform;
    tally_status st = TALLY_OK;
    for (size_t at = 0; !st && at < n; at += CHUNK) {
        size_t m = n - at < CHUNK ? n - at : CHUNK;
        st = psi_expand64(uniform, prefix, prefix_len, msgs + at * len, len, m, dst, dst_len);
        if (st)
            break;
        if (!k)
            st = g->from_uniform(out + at, u, m);
        else if (each)
            st = g->map_mul_each(out + at, u, k + at, m);
        else
            st = g->map_mul_common(out + at, u, m, k);
    }
    if (st)
        psi_wipe(out, n * sizeof *out);
    psi_wipe(uniform, sizeof uniform); /* as secret as the messages */
    return st;
}

tally_status psi_hash_to_group(psi_point *out, const void *prefix, size_t prefix_len, const uint8_t *msgs,
                               size_t len, size_t n, const uint8_t *dst, size_t dst_len)
{
    return hash_any(out, prefix, prefix_len, msgs, len, n, dst, dst_len, NULL, 0);
}

tally_status psi_hash_mul_common(psi_point *out, const void *prefix, size_t prefix_len, const uint8_t *msgs,
                                 size_t len, size_t n, const uint8_t *dst, size_t dst_len,
                                 const psi_scalar *k)
{
    return hash_any(out, prefix, prefix_len, msgs, len, n, dst, dst_len, k, 0);
}

tally_status psi_hash_mul_each(psi_point *out, const void *prefix, size_t prefix_len, const uint8_t *msgs,
                               size_t len, size_t n, const uint8_t *dst, size_t dst_len, const psi_scalar *k)
{
    return hash_any(out, prefix, prefix_len, msgs, len, n, dst, dst_len, k, 1);
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
    uint32_t borrow = 0; /* of s - l, byte by byte: 1 at the end exactly if s < l */
    for (unsigned i = 0; i < sizeof psi_group_order; i++)
        borrow = ((uint32_t)s->b[i] - psi_group_order[i] - borrow) >> 31;
    return (int)borrow;
}

int psi_scalar_is_valid(const psi_scalar *s)
{
    return psi_scalar_is_canonical(s) & !sodium_is_zero(s->b, sizeof s->b);
}
