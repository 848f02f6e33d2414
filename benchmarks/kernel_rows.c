/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels that benchmarks/kernels measures. A new one is a function here and a line in the table below;
 * benchmarks/README.md says what its operation is.
 */
#include "benchmarks/kernels.h"

#include "psi/expand.h"
#include "psi/gf128.h"
#include "psi/group_backends.h"
#include "psi/item.h"
#include "psi/mem.h"
#include "psi/pick.h"
#include "psi/rlwe_ring.h"
#include "psi/rng.h"
#include "psi/rowhash.h"
#include "psi/sha256.h"
#include "psi/subspace.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

#define N 1024u          /* points, scalars, messages, leaves, coefficients in one call */
#define FEW 16u          /* multiplications of other libraries in one call */
#define VOLE_K 4u        /* depth of a tree in the faster of vole's two shapes */
#define ROW_BITS 788u    /* of a long row at that depth */
#define FOLD_BLOCKS 172u /* of one column in one call of psi/vole: 43 strips of four */
#define SQUARES 100u     /* one after the other in one call */
#define PICKS 16u        /* look-ups of eight rows in one call */
#define ADDITIONS 16u    /* products added up in one residue; at most 1024 fit 63 bits (psi/rlwe_ring.h) */
#define FOLD_OPS ((size_t)N * FOLD_BLOCKS)
#define SQUARE_OPS ((size_t)SQUARES * N)
#define SUM_OPS ((size_t)ADDITIONS * PSI_RLWE_N)
#define PICK_OPS ((size_t)PICKS * PSI_PICK_ROWS)
#define STRIDE (PSI_ROW_STRIP / 8)
#define FOLD_STRIDE (16 * FOLD_BLOCKS)

struct bench_work {
    /* The group */
    uint8_t uniform[N][64];
    psi_point in[N + 1], out[N];
    psi_scalar k[N], inverse[N];
    uint8_t wide[N][64], numbers[N][32];
    uint8_t items[N][32], prefix[PSI_ITEM_PREFIX];
    size_t prefix_len;
    /* Other libraries' curves */
    EVP_PKEY *own, *peer;
    EVP_PKEY_CTX *derive;
    uint8_t own32[32], peer32[32], shared32[32];
    /* Hashes, streams and rows of vole */
    uint8_t blocks[N][64], digests[N][32];
    uint32_t state[8];
    psi_block keys[N];
    psi_leaf leaves[N];
    uint8_t u[FOLD_STRIDE], v[VOLE_K * FOLD_STRIDE];
    uint8_t matrix[ROW_BITS * STRIDE], rows[PSI_ROW_STRIP * PSI_ROW_BYTES];
    psi_row_key row_key;
    /* Fields, rings, tables */
    psi_gf128 coefficients[N], element;
    int64_t digits[PSI_RLWE_N], small[PSI_RLWE_N], x[PSI_RLWE_N], sum[PSI_RLWE_N];
    psi_rlwe_factor factor;
    volatile int64_t dot;
    psi_pick_entry table[PSI_PICK_MAX], picked[PSI_PICK_ROWS];
    uint64_t index[PICKS][PSI_PICK_ROWS];
};

/* ---- The group ---- */

#define UNIFORM(w) ((const uint8_t(*)[64])(w)->uniform)

static tally_status scalar_mul(const void *table, bench_work *w)
{
    const psi_group_backend *g = table;
    return g->mul_common(w->out, w->in, N, &w->k[0], NULL);
}

static tally_status scalar_mul_each(const void *table, bench_work *w)
{
    const psi_group_backend *g = table;
    return g->mul_each(w->out, w->in, w->k, N, NULL);
}

static tally_status from_uniform(const void *table, bench_work *w)
{
    const psi_group_backend *g = table;
    return g->from_uniform(w->out, UNIFORM(w), N);
}

static tally_status map_mul_common(const void *table, bench_work *w)
{
    const psi_group_backend *g = table;
    return g->map_mul_common(w->out, UNIFORM(w), N, &w->k[0]);
}

static tally_status map_mul_each(const void *table, bench_work *w)
{
    const psi_group_backend *g = table;
    return g->map_mul_each(w->out, UNIFORM(w), w->k, N);
}

static tally_status base_mul(const void *table, bench_work *w)
{
    const psi_group_backend *g = table;
    return g->base_mul(w->out, w->k, N);
}

static tally_status point_add(const void *table, bench_work *w)
{
    const psi_group_backend *g = table;
    return g->add(w->out, w->in, w->in + 1, N, NULL);
}

static tally_status sum_var(const void *table, bench_work *w)
{
    const psi_group_backend *g = table;
    return g->sum_var(w->out, w->in, w->k, N, NULL);
}

/* In place, so that each call goes on from the last. */
static tally_status field_square(const void *table, bench_work *w)
{
    const psi_field_backend *f = table;
    f->square(w->numbers, (const uint8_t(*)[32])w->numbers, N, SQUARES);
    return TALLY_OK;
}

static const char dst[] = "TALLY-V01-CS01-ECDH-ristretto255_XMD:SHA-512_R255MAP_RO_"; /* psi/ecdh's */

static tally_status expand(const void *table, bench_work *w)
{
    return psi_expand64_by(table, w->wide, w->prefix, w->prefix_len, w->items[0], sizeof w->items[0], N,
                           (const uint8_t *)dst, sizeof dst - 1);
}

/* Hashed by the lanes in use, mapped by each backend. */
static tally_status hash_to_group(const void *table, bench_work *w)
{
    const psi_group_backend *g = table;
    tally_status st = psi_expand64(w->wide, w->prefix, w->prefix_len, w->items[0], sizeof w->items[0], N,
                                   (const uint8_t *)dst, sizeof dst - 1);
    return st ? st : g->from_uniform(w->out, (const uint8_t(*)[64])w->wide, N);
}

static tally_status scalar_invert(const void *table, bench_work *w)
{
    (void)table;
    return psi_scalar_invert(w->inverse, w->k, N);
}

/* ---- Other libraries' curves ---- */

static tally_status openssl_x25519(const void *table, bench_work *w)
{
    (void)table;
    for (unsigned i = 0; i < FEW; i++) {
        size_t len = sizeof w->shared32;
        if (EVP_PKEY_derive(w->derive, w->shared32, &len) != 1)
            return TALLY_ERR_INTERNAL;
    }
    return TALLY_OK;
}

static tally_status sodium_x25519(const void *table, bench_work *w)
{
    (void)table;
    for (unsigned i = 0; i < FEW; i++)
        if (crypto_scalarmult(w->shared32, w->own32, w->peer32))
            return TALLY_ERR_INTERNAL;
    return TALLY_OK;
}

static tally_status sodium_ristretto255(const void *table, bench_work *w)
{
    (void)table;
    for (unsigned i = 0; i < FEW; i++)
        if (crypto_scalarmult_ristretto255(w->out[i].b, w->k[0].b, w->in[i].b))
            return TALLY_ERR_INTERNAL;
    return TALLY_OK;
}

/* ---- Hashes, streams and rows of vole ---- */

static tally_status sha256_many(const void *table, bench_work *w)
{
    const psi_sha256_backend *b = table;
    b->many(w->digests, w->state, w->items[0], sizeof w->items[0], N);
    return TALLY_OK;
}

static tally_status sha256_blocks(const void *table, bench_work *w)
{
    const psi_sha256_backend *b = table;
    b->blocks(w->digests, (const uint8_t(*)[64])w->blocks, N);
    return TALLY_OK;
}

static tally_status subspace_expand(const void *table, bench_work *w)
{
    const psi_subspace_backend *b = table;
    return b->expand(w->leaves, w->keys, N);
}

/* The columns of all leaves, one after the other, as the receiver folds them. */
static tally_status subspace_fold(const void *table, bench_work *w)
{
    const psi_subspace_backend *b = table;
    tally_status st = TALLY_OK;
    for (size_t j = 0; !st && j < N; j += 1u << VOLE_K)
        st = b->fold(w->u, w->v, FOLD_STRIDE, w->leaves + j, VOLE_K, 0, FOLD_BLOCKS);
    return st;
}

static tally_status row_strip(const void *table, bench_work *w)
{
    const psi_rowhash_backend *b = table;
    b->strip(w->rows, w->matrix, STRIDE, ROW_BITS, &w->row_key);
    return TALLY_OK;
}

/* ---- Fields, rings, tables ---- */

/* One after the other: the time until a product is there. */
static tally_status gf128_product(const void *table, bench_work *w)
{
    const psi_gf128_backend *b = table;
    for (size_t i = 0; i < N; i++)
        w->element = b->product(w->element, w->coefficients[i]);
    return TALLY_OK;
}

static tally_status gf128_value(const void *table, bench_work *w)
{
    const psi_gf128_backend *b = table;
    w->element = b->value(w->coefficients[0], w->coefficients, N);
    return TALLY_OK;
}

/* With a copy of the input, some hundredths of the time. */
static tally_status rlwe_ntt(const void *table, bench_work *w)
{
    const psi_rlwe_backend *b = table;
    memcpy(w->x, w->small, sizeof w->x);
    b->ntt(w->x, 0);
    return TALLY_OK;
}

static tally_status rlwe_factor(const void *table, bench_work *w)
{
    const psi_rlwe_backend *b = table;
    b->factor(&w->factor, w->small, 0);
    return TALLY_OK;
}

static tally_status rlwe_encode(const void *table, bench_work *w)
{
    const psi_rlwe_backend *b = table;
    b->encode(w->x, w->digits, w->small, 1234567890123456, 0); /* delta: any residue */
    return TALLY_OK;
}

static tally_status rlwe_add(const void *table, bench_work *w)
{
    const psi_rlwe_backend *b = table;
    memset(w->sum, 0, sizeof w->sum);
    b->factor(&w->factor, w->small, 0); /* each backend has a form of its own */
    for (unsigned i = 0; i < ADDITIONS; i++)
        b->add(w->sum, w->digits, &w->factor, 0, PSI_RLWE_N, 0);
    return TALLY_OK;
}

static tally_status rlwe_dot(const void *table, bench_work *w)
{
    const psi_rlwe_backend *b = table;
    b->factor(&w->factor, w->small, 0);
    for (unsigned i = 0; i < ADDITIONS; i++)
        for (size_t at = 0; at < PSI_RLWE_N; at += PSI_RLWE_PIECE)
            w->dot = b->dot(w->digits + at, &w->factor, at, PSI_RLWE_PIECE, 0);
    return TALLY_OK;
}

static tally_status rlwe_reduce(const void *table, bench_work *w)
{
    const psi_rlwe_backend *b = table;
    b->reduce(w->x, 0); /* in place; once canonical, they stay so, and the time is the same */
    return TALLY_OK;
}

static tally_status pick_rows(const void *table, bench_work *w)
{
    const psi_pick_backend *b = table;
    for (unsigned i = 0; i < PICKS; i++)
        b->rows(w->picked, (const psi_pick_entry *)w->table, PSI_PICK_MAX, w->index[i]);
    return TALLY_OK;
}

/* ---- The table ---- */

typedef struct choice {
    const char *name;
    const void *table;
} choice;

#define CHOICES_MAX 8u

/* A function that lists the backends of one kind; all name themselves. */
#define BACKENDS(function, type, all)                                                                        \
    static size_t function(choice out[CHOICES_MAX])                                                          \
    {                                                                                                        \
        size_t count;                                                                                        \
        const type *const *list = all(&count);                                                               \
        for (size_t i = 0; i < count && i < CHOICES_MAX; i++)                                                \
            out[i] = (choice){list[i]->name, list[i]};                                                       \
        return count < CHOICES_MAX ? count : CHOICES_MAX;                                                    \
    }
BACKENDS(groups, psi_group_backend, psi_group_backends)
BACKENDS(hashes, psi_sha256_backend, psi_sha256_backends)
BACKENDS(streams, psi_subspace_backend, psi_subspace_backends)
BACKENDS(strips, psi_rowhash_backend, psi_rowhash_backends)
BACKENDS(fields, psi_gf128_backend, psi_gf128_backends)
BACKENDS(rings, psi_rlwe_backend, psi_rlwe_rings)
BACKENDS(picks, psi_pick_backend, psi_pick_backends)

/* The field below each backend of the group that shows it. */
static size_t group_fields(choice out[CHOICES_MAX])
{
    size_t count, n = 0;
    const psi_group_backend *const *list = psi_group_backends(&count);
    for (size_t i = 0; i < count && n < CHOICES_MAX; i++)
        if (list[i]->field)
            out[n++] = (choice){list[i]->name, list[i]->field};
    return n;
}

static size_t expanders(choice out[CHOICES_MAX])
{
    size_t count;
    const psi_expand_backend *const *list = psi_expand_backends(&count);
    for (size_t i = 0; i < count && i < CHOICES_MAX; i++)
        out[i] = (choice){psi_expand_name(list[i]), list[i]};
    return count < CHOICES_MAX ? count : CHOICES_MAX;
}

/* The group's backend in use, without a say in it. */
static size_t no_choice(choice out[CHOICES_MAX])
{
    out[0] = (choice){"portable", NULL};
    return 1;
}

static size_t openssl(choice out[CHOICES_MAX])
{
    out[0] = (choice){"openssl", NULL};
    return 1;
}

static size_t libsodium(choice out[CHOICES_MAX])
{
    out[0] = (choice){"libsodium", NULL};
    return 1;
}

static const struct {
    const char *name;
    size_t (*backends)(choice out[CHOICES_MAX]);
    size_t ops;
    tally_status (*run)(const void *table, bench_work *w);
} kernels[] = {
    {"scalar_mul", groups, N, scalar_mul},
    {"openssl_x25519", openssl, FEW, openssl_x25519},
    {"sodium_x25519", libsodium, FEW, sodium_x25519},
    {"sodium_ristretto255", libsodium, FEW, sodium_ristretto255},
    {"scalar_mul_each", groups, N, scalar_mul_each},
    {"map_mul_common", groups, N, map_mul_common},
    {"map_mul_each", groups, N, map_mul_each},
    {"base_mul", groups, N, base_mul},
    {"from_uniform", groups, N, from_uniform},
    {"expand", expanders, N, expand},
    {"hash_to_group", groups, N, hash_to_group},
    {"point_add", groups, N, point_add},
    {"sum_var", groups, N, sum_var},
    {"field_square", group_fields, SQUARE_OPS, field_square},
    {"scalar_invert", no_choice, N, scalar_invert},
    {"sha256_many", hashes, N, sha256_many},
    {"sha256_blocks", hashes, N, sha256_blocks},
    {"subspace_expand", streams, N, subspace_expand},
    {"subspace_fold", streams, FOLD_OPS, subspace_fold},
    {"row_strip", strips, PSI_ROW_STRIP, row_strip},
    {"gf128_product", fields, N, gf128_product},
    {"gf128_value", fields, N, gf128_value},
    {"rlwe_ntt", rings, 1, rlwe_ntt},
    {"rlwe_factor", rings, PSI_RLWE_N, rlwe_factor},
    {"rlwe_encode", rings, PSI_RLWE_N, rlwe_encode},
    {"rlwe_add", rings, SUM_OPS, rlwe_add},
    {"rlwe_dot", rings, SUM_OPS, rlwe_dot},
    {"rlwe_reduce", rings, PSI_RLWE_N, rlwe_reduce},
    {"pick_rows", picks, PICK_OPS, pick_rows},
};

#define KERNELS (sizeof kernels / sizeof *kernels)
_Static_assert(KERNELS <= BENCH_ROWS_MAX / CHOICES_MAX, "every row has its place");

size_t bench_rows(bench_row rows[BENCH_ROWS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < KERNELS; i++) {
        choice c[CHOICES_MAX];
        size_t n = kernels[i].backends(c);
        for (size_t j = 0; j < n; j++)
            rows[count++] = (bench_row){.kernel = kernels[i].name,
                                        .backend = c[j].name,
                                        .table = c[j].table,
                                        .ops = kernels[i].ops,
                                        .run = kernels[i].run};
    }
    return count;
}

/* ---- Inputs ---- */

static int make_keys(bench_work *w)
{
    w->own = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    w->peer = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    w->derive = w->own ? EVP_PKEY_CTX_new(w->own, NULL) : NULL;
    return w->peer && w->derive && EVP_PKEY_derive_init(w->derive) == 1 &&
           EVP_PKEY_derive_set_peer(w->derive, w->peer) == 1;
}

static tally_status fill(bench_work *w)
{
    psi_prg prg;
    psi_sid sid;
    uint8_t extra[1][64], points[32];
    tally_status st = psi_prg_init(&prg);
    if (st)
        return st;
    psi_prg_bytes(&prg, w->uniform, sizeof w->uniform);
    psi_prg_bytes(&prg, extra, sizeof extra);
    psi_prg_bytes(&prg, w->numbers, sizeof w->numbers);
    psi_prg_bytes(&prg, w->items, sizeof w->items);
    psi_prg_bytes(&prg, sid.b, sizeof sid.b);
    psi_prg_bytes(&prg, w->own32, sizeof w->own32);
    psi_prg_bytes(&prg, w->peer32, sizeof w->peer32);
    psi_prg_bytes(&prg, w->blocks, sizeof w->blocks);
    psi_prg_bytes(&prg, w->keys, sizeof w->keys);
    psi_prg_bytes(&prg, w->matrix, sizeof w->matrix);
    psi_prg_bytes(&prg, points, sizeof points);
    psi_prg_bytes(&prg, w->coefficients, sizeof w->coefficients);
    psi_prg_bytes(&prg, w->table, sizeof w->table);
    for (size_t i = 0; i < N; i++)
        psi_scalar_random(&w->k[i], &prg);
    for (size_t i = 0; i < PSI_RLWE_N; i++) {
        psi_prg_bytes(&prg, &w->digits[i], sizeof w->digits[i]);
        psi_prg_bytes(&prg, &w->small[i], sizeof w->small[i]);
        w->digits[i] &= ((int64_t)1 << 47) - 1; /* what encode takes; less than the others' bounds */
        w->small[i] &= ((int64_t)1 << 49) - 1;
    }
    for (size_t i = 0; i < PICKS; i++)
        for (size_t r = 0; r < PSI_PICK_ROWS; r++)
            w->index[i][r] = psi_prg_below(&prg, PSI_PICK_MAX);
    psi_prg_wipe(&prg);
    w->element = 2;
    w->prefix_len = psi_item_prefix(w->prefix, &sid);
    psi_sha256_prefix(w->state, PSI_TAG_VOLE_ID, sid.b);
    psi_row_key_init(&w->row_key, points);
    st = psi_subspace()->expand(w->leaves, w->keys, N);
    if (!st)
        st = psi_group()->from_uniform(w->in, UNIFORM(w), N);
    if (!st)
        st = psi_group()->from_uniform(w->in + N, (const uint8_t(*)[64])extra, 1);
    return st;
}

bench_work *bench_work_new(void)
{
    bench_work *w = psi_calloc(1, sizeof *w);
    if (w && (fill(w) || !make_keys(w))) {
        bench_work_free(w);
        return NULL;
    }
    return w;
}

void bench_work_free(bench_work *w)
{
    if (!w)
        return;
    EVP_PKEY_CTX_free(w->derive);
    EVP_PKEY_free(w->peer);
    EVP_PKEY_free(w->own);
    psi_free(w);
}
