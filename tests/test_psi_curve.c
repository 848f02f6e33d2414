/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every function of every group backend, the portable one too, against libsodium, bit for bit: random items,
 * special ones in every lane, every number of items left over, encodings at both ends of the range.
 * TALLY_LONG=N: N random items for each backend of the machine instead of 2,000, and all encodings also for
 * those in C, which get a tenth of the items.
 */
#include "psi/digits.h"
#include "tests/support_curve.h"
#include "tests/unit.h"
#include "tests/vectors.h"
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

enum { CHUNK = 1000, MULTIPLES = 16, SPECIAL_SCALARS = 40, LANES_MAX = 8, TWO_VECTORS = 2 * LANES_MAX + 1 };

/* Two points and a scalar for each item, and what libsodium makes of them. */
static uint8_t uniform[CHUNK][64];
static psi_scalar k[CHUNK];
static psi_point p[CHUNK], q[CHUNK], product[CHUNK], common[CHUNK], base[CHUNK], sum[CHUNK],
    difference[CHUNK], got[CHUNK];

static size_t setting(size_t standard)
{
    const char *wanted = getenv("TALLY_LONG");
    return wanted ? strtoull(wanted, NULL, 0) : standard;
}

/* From uniform[i], k[i] and, unless own, q[i]. The common scalar is k[0]. */
static void expect(size_t n, int own)
{
    for (size_t i = 0; i < n; i++)
        crypto_core_ristretto255_from_hash(p[i].b, uniform[i]);
    for (size_t i = 0; own && i < n; i++)
        q[i] = p[(i + 1) % n];
    for (size_t i = 0; i < n; i++) {
        int bad = crypto_scalarmult_ristretto255(product[i].b, k[i].b, p[i].b);
        bad |= crypto_scalarmult_ristretto255(common[i].b, k[0].b, p[i].b);
        bad |= crypto_scalarmult_ristretto255_base(base[i].b, k[i].b);
        bad |= crypto_core_ristretto255_add(sum[i].b, p[i].b, q[i].b);
        bad |= crypto_core_ristretto255_sub(difference[i].b, p[i].b, q[i].b);
        CU_ASSERT_EQUAL(bad, 0);
    }
}

static void equal(tally_status st, const psi_point *wanted, size_t n)
{
    CU_ASSERT(st == TALLY_OK && memcmp(got, wanted, n * sizeof *got) == 0);
    memset(got, 0xa5, n * sizeof *got);
}

/* The items from `at` on, n of them; the common scalar stays k[0]. */
static void compare(const psi_group_backend *g, size_t at, size_t n)
{
    const uint8_t(*u)[64] = (const uint8_t(*)[64])uniform + at;
    psi_point total = {{0}};
    for (size_t i = at; i < at + n; i++)
        crypto_core_ristretto255_add(total.b, total.b, product[i].b);
    equal(g->from_uniform(got, u, n), p + at, n);
    equal(g->mul_common(got, p + at, n, k, NULL), common + at, n);
    equal(g->mul_each(got, p + at, k + at, n, NULL), product + at, n);
    equal(g->map_mul_common(got, u, n, k), common + at, n);
    equal(g->map_mul_each(got, u, k + at, n), product + at, n);
    equal(g->base_mul(got, k + at, n), base + at, n);
    equal(g->add(got, p + at, q + at, n, NULL), sum + at, n);
    equal(g->subtract(got, p + at, q + at, n, NULL), difference + at, n);
    equal(g->sum_var(got, p + at, k + at, n, NULL), &total, 1);
}

static void random_items(size_t n)
{
    uint8_t wide[64];
    unit_random(uniform, n * sizeof *uniform);
    for (size_t i = 0; i < n; i++) {
        unit_random(wide, sizeof wide);
        crypto_core_ristretto255_scalar_reduce(k[i].b, wide);
    }
}

static void test_random(void)
{
    const psi_group_backend *all[UNIT_GROUPS_MAX];
    size_t count = unit_groups(all), items = setting(2000);
    for (size_t at = 0, n; at < items; at += n) {
        n = items - at < CHUNK ? items - at : CHUNK;
        random_items(n);
        expect(n, 1);
        for (size_t b = 0; b < count; b++)
            compare(all[b], 0, b < count - UNIT_GROUPS_IN_C ? n : (n + 9) / 10);
    }
}

/* Every number of items up to two pairs of vectors, and around a batch of 128, of which those in C take some;
 * in place. */
static void test_ragged(void)
{
    const psi_group_backend *all[UNIT_GROUPS_MAX];
    size_t count = unit_groups(all);
    random_items(CHUNK);
    expect(CHUNK, 1);
    for (size_t b = 0; b < count; b++) {
        for (size_t n = 0; n <= 130; n += n == 4 * LANES_MAX + 1 ? 94 : 1)
            if (n <= LANES_MAX + 1 || n / 2 == LANES_MAX || n == 129 || b < count - UNIT_GROUPS_IN_C)
                compare(all[b], n, n);
        for (size_t n = 1; n <= 130; n += 43) {
            memcpy(got, p, n * sizeof *got);
            equal(all[b]->mul_common(got, got, n, k, NULL), common, n);
            memcpy(got, p, n * sizeof *got);
            equal(all[b]->mul_each(got, got, k, n, NULL), product, n);
            memcpy(got, p, n * sizeof *got);
            equal(all[b]->add(got, got, q, n, NULL), sum, n);
            memcpy(got, q, n * sizeof *got);
            equal(all[b]->subtract(got, p, got, n, NULL), difference, n);
        }
    }
}

/* Whatever the program has set for doubles: rounding, and denormal numbers as zeros. */
static void test_modes(void)
{
#if defined(__x86_64__)
    enum { ITEMS = LANES_MAX + 1 };
    const psi_group_backend *all[UNIT_GROUPS_MAX];
    size_t count = unit_groups(all);
    const unsigned before = _mm_getcsr();
    random_items(ITEMS);
    expect(ITEMS, 1);
    for (unsigned mode = 0; mode < 8; mode++) {
        const unsigned zeros = mode & 4 ? 0x8040 : 0;           /* flush to zero, denormals are zero */
        for (size_t b = 0; b < count - UNIT_GROUPS_IN_C; b++) { /* fma() in C follows the mode, too */
            _mm_setcsr((before & ~0xe040u) | (mode & 3) << 13 | zeros);
            tally_status st = all[b]->map_mul_each(got, (const uint8_t(*)[64])uniform, k, ITEMS);
            _mm_setcsr(before);
            equal(st, product, ITEMS);
            _mm_setcsr((before & ~0xe040u) | (mode & 3) << 13 | zeros);
            st = all[b]->mul_common(got, p, ITEMS, k, NULL);
            _mm_setcsr(before);
            equal(st, common, ITEMS);
            _mm_setcsr((before & ~0xe040u) | (mode & 3) << 13 | zeros);
            st = all[b]->base_mul(got, k, ITEMS);
            _mm_setcsr(before);
            equal(st, base, ITEMS);
            _mm_setcsr((before & ~0xe040u) | (mode & 3) << 13 | zeros);
            st = all[b]->add(got, p, q, ITEMS, NULL);
            _mm_setcsr(before);
            equal(st, sum, ITEMS);
        }
    }
#endif
}

/* ---- Special values ---- */

/* Around 0, l and l / 2, powers of 2, digits that carry all the way. */
static size_t special_scalars(psi_scalar out[SPECIAL_SCALARS])
{
    const psi_scalar zero = {{0}};
    psi_scalar s;
    size_t n = 0;
    for (uint8_t i = 1; i < 10; i++) {
        s = zero;
        s.b[0] = i;
        out[n++] = s;
        crypto_core_ristretto255_scalar_negate(out[n++].b, s.b);
        if (i < 5) {
            psi_scalar_half(&out[n], &s);
            n++;
        }
    }
    for (unsigned bit = 8; bit < 253; bit += 49) {
        out[n] = zero;
        out[n++].b[bit / 8] = (uint8_t)(1 << bit % 8);
    }
    for (unsigned byte = 0x77; byte <= 0xff; byte += 0x11, n++) {
        memset(&out[n], (int)byte, sizeof *out);
        out[n].b[31] = 0x0f;
    }
    return n;
}

static void multiples(psi_point b[MULTIPLES])
{
    vectors v;
    size_t n = 0;
    vectors_open(&v, "rfc9496-ristretto255.txt");
    while (vectors_next(&v))
        if (strncmp(v.name, "B[", 2) == 0 && n < MULTIPLES)
            CU_ASSERT_EQUAL(unit_hex(b[n++].b, 32, v.value), 32);
    CU_ASSERT_EQUAL_FATAL(n, MULTIPLES);
}

/* Half of uniform bytes; bit 255, which the map ignores, is set or not. */
static void set_half(uint8_t *out, const uint8_t number[32], size_t high)
{
    memcpy(out, number, 32);
    out[31] |= (uint8_t)(high % 2 << 7);
}

/* All special numbers through the map, with scalars of all kinds, from each lane on; those in C take every
 * item once only. The first items come again at the end, where a later start cuts them off. */
static void test_special(void)
{
    static uint8_t numbers[UNIT_NUMBERS_MAX][32];
    const psi_group_backend *all[UNIT_GROUPS_MAX];
    psi_scalar scalars[SPECIAL_SCALARS];
    size_t count = unit_groups(all), many = unit_numbers(numbers), kinds = special_scalars(scalars), n = 0;
    for (size_t i = 0; i < many; i++) { /* two at a time: the map of the RFC adds up two points */
        psi_point image;
        set_half(uniform[n], numbers[i], i);
        set_half(uniform[n] + 32, numbers[(7 * i + 3) % many], i / 2);
        crypto_core_ristretto255_from_hash(image.b, uniform[n]);
        n += !sodium_is_zero(image.b, sizeof image); /* the identity is for test_identity */
    }
    CU_ASSERT(n + 4 > many);
    for (size_t i = 0; i < n + LANES_MAX; i++) {
        if (i >= n)
            memcpy(uniform[i], uniform[i - n], sizeof *uniform);
        k[i] = scalars[(11 * i + 5) % kinds];
    }
    expect(n + LANES_MAX, 1);
    for (size_t b = 0; b < count; b++)
        for (size_t lane = 0; lane < LANES_MAX; lane++)
            if (b < count - UNIT_GROUPS_IN_C || getenv("TALLY_LONG"))
                compare(all[b], lane, n);
            else
                compare(all[b], n / LANES_MAX * lane + lane, n / LANES_MAX + 1);
}

/* Small and large multiples of the generator by special scalars, and sums of them among themselves. */
static void test_multiples(void)
{
    const psi_group_backend *all[UNIT_GROUPS_MAX];
    psi_scalar scalars[SPECIAL_SCALARS];
    psi_point b[MULTIPLES], want[MULTIPLES], same[MULTIPLES], out[MULTIPLES];
    size_t count = unit_groups(all), kinds = special_scalars(scalars);
    multiples(b);
    for (size_t s = 0; s < kinds; s++) {
        psi_scalar each[MULTIPLES];
        for (size_t i = 1; i < MULTIPLES; i++) {
            each[i] = scalars[(s + i) % kinds];
            CU_ASSERT_EQUAL(crypto_scalarmult_ristretto255(want[i].b, each[i].b, b[i].b), 0);
        }
        for (size_t i = 1; i < MULTIPLES; i++)
            CU_ASSERT_EQUAL(crypto_scalarmult_ristretto255(same[i].b, scalars[s].b, b[i].b), 0);
        for (size_t g = 0; g < count; g++) {
            psi_point turned[MULTIPLES];
            for (size_t i = 1; i < MULTIPLES; i++) /* each multiple in each lane */
                turned[i] = b[1 + (i - 1 + s) % (MULTIPLES - 1)];
            CU_ASSERT_EQUAL(all[g]->mul_common(out + 1, turned + 1, MULTIPLES - 1, &scalars[s], NULL),
                            TALLY_OK);
            for (size_t i = 1; i < MULTIPLES; i++)
                CU_ASSERT_EQUAL(memcmp(&out[i], &same[1 + (i - 1 + s) % (MULTIPLES - 1)], sizeof *out), 0);
            CU_ASSERT_EQUAL(all[g]->mul_each(out + 1, b + 1, each + 1, MULTIPLES - 1, NULL), TALLY_OK);
            CU_ASSERT_EQUAL(memcmp(out + 1, want + 1, (MULTIPLES - 1) * sizeof *out), 0);
        }
    }
    for (size_t shift = 0; shift + 1 < MULTIPLES; shift++) { /* all pairs: equal, neighbours, far apart */
        psi_point right[MULTIPLES];
        for (size_t i = 1; i < MULTIPLES; i++) {
            right[i] = b[1 + (i - 1 + shift) % (MULTIPLES - 1)];
            CU_ASSERT_EQUAL(crypto_core_ristretto255_add(want[i].b, b[i].b, right[i].b), 0);
        }
        for (size_t g = 0; g < count; g++) {
            CU_ASSERT_EQUAL(all[g]->add(out + 1, b + 1, right + 1, MULTIPLES - 1, NULL), TALLY_OK);
            CU_ASSERT_EQUAL(memcmp(out + 1, want + 1, (MULTIPLES - 1) * sizeof *out), 0);
        }
    }
}

/* Uniform bytes whose image is the identity: encoded as zeros; a product of it is refused. */
static void test_identity(void)
{
    const psi_group_backend *all[UNIT_GROUPS_MAX];
    size_t count = unit_groups(all), found = 0;
    psi_point negative;
    random_items(LANES_MAX + 1);
    memset(uniform[0], 0, sizeof uniform[0]);
    for (size_t candidate = 0; candidate < 4; candidate++) {
        memset(uniform[3], 0, sizeof uniform[3]);
        uniform[3][0] = (uint8_t)(candidate & 1);
        uniform[3][32] = (uint8_t)(candidate >> 1);
        crypto_core_ristretto255_from_hash(negative.b, uniform[3]);
        if (!sodium_is_zero(negative.b, sizeof negative))
            continue;
        found++;
        for (size_t b = 0; b < count; b++) {
            const uint8_t(*u)[64] = (const uint8_t(*)[64])uniform;
            CU_ASSERT_EQUAL(all[b]->from_uniform(got, u, LANES_MAX + 1), TALLY_OK);
            CU_ASSERT_EQUAL(memcmp(&got[3], &negative, sizeof negative), 0);
            CU_ASSERT_EQUAL(all[b]->map_mul_common(got, u + 1, LANES_MAX, k), TALLY_ERR_INTERNAL);
            CU_ASSERT_EQUAL(all[b]->map_mul_each(got, u + 1, k, LANES_MAX), TALLY_ERR_INTERNAL);
        }
    }
    CU_ASSERT(found > 0);
}

/* ---- Encodings ---- */

enum { ENDS = 1 << 12, NEAR = 16 };

/* Whether libsodium takes e. Its releases before 1.0.19 ignore bit 255. */
static int valid(const psi_point *e)
{
    return !(e->b[31] >> 7) && crypto_core_ristretto255_is_valid_point(e->b) &&
           !sodium_is_zero(e->b, sizeof *e);
}

/* x + d, 256 bits. */
static psi_point moved(const psi_point *x, int d)
{
    psi_point r;
    for (size_t i = 0; i < 32; i++) {
        d += x->b[i];
        r.b[i] = (uint8_t)d;
        d >>= 8;
    }
    return r;
}

/* All numbers from p, another name of the identity, to 2^255 - 1, in each lane of two vectors, of either
 * operand. */
static void test_not_reduced(void)
{
    const psi_group_backend *all[UNIT_GROUPS_MAX];
    psi_point b[MULTIPLES], high, in[TWO_VECTORS], good[TWO_VECTORS], out[TWO_VECTORS];
    size_t count = unit_groups(all);
    multiples(b);
    memset(&high, 0xff, sizeof high);
    high.b[31] = 0x7f;
    for (int i = 0; i < 19; i++)
        for (size_t at = 0; at < TWO_VECTORS; at++) {
            for (size_t j = 0; j < TWO_VECTORS; j++) {
                in[j] = b[1 + j % (MULTIPLES - 1)];
                good[j] = b[1 + (j + 1) % (MULTIPLES - 1)];
            }
            in[at] = moved(&high, -i);
            for (size_t g = 0; g < count; g++) {
                size_t bad = TWO_VECTORS;
                if (g >= count - UNIT_GROUPS_IN_C && (at + (size_t)i) % 4 != 0)
                    continue;
                CU_ASSERT_EQUAL(all[g]->add(out, in, good, TWO_VECTORS, &bad), TALLY_ERR_MALFORMED);
                CU_ASSERT_EQUAL(bad, at);
                bad = TWO_VECTORS;
                CU_ASSERT_EQUAL(all[g]->subtract(out, good, in, TWO_VECTORS, &bad), TALLY_ERR_MALFORMED);
                CU_ASSERT_EQUAL(bad, at);
            }
        }
}

/* The valid ones gather in p; each of the others goes among good points and must be found. */
static void candidate(const psi_group_backend *const *all, size_t count, const psi_point *e, size_t number,
                      size_t *accepted)
{
    enum { M = TWO_VECTORS };
    psi_point in[M], out[M];
    if (valid(e)) {
        p[(*accepted)++] = *e;
        return;
    }
    size_t at = number % M;
    for (size_t i = 0; i < M; i++)
        in[i] = q[i];
    in[at] = *e;
    for (size_t b = 0; b < count; b++) {
        size_t bad = M;
        if (b >= count - UNIT_GROUPS_IN_C && number % 32 != 0 && !getenv("TALLY_LONG"))
            continue;
        CU_ASSERT_EQUAL(all[b]->add(out, in, q + M, M, &bad), TALLY_ERR_MALFORMED);
        CU_ASSERT_EQUAL(bad, at);
    }
}

static void test_encodings(void)
{
    const psi_group_backend *all[UNIT_GROUPS_MAX];
    const psi_point zero = {{0}};
    psi_point b[MULTIPLES], high, e;
    size_t count = unit_groups(all), number = 0, accepted = 0;
    multiples(b);
    for (size_t i = 0; i < CHUNK; i++)
        q[i] = b[1 + i % (MULTIPLES - 1)];
    memset(&high, 0xff, sizeof high);
    high.b[31] = 0x7f; /* 2^255 - 1 = p + 18 */
    size_t total = 0;
    for (int i = 0; i <= ENDS; i++) {
        e = moved(&zero, i);
        candidate(all, count, &e, number++, &accepted);
        e = moved(&high, -i);
        candidate(all, count, &e, number++, &accepted);
        if (i < 64) { /* with bit 255 set */
            e.b[31] |= 0x80;
            candidate(all, count, &e, number++, &accepted);
        }
        if (i < MULTIPLES * (2 * NEAR + 1)) {
            e = moved(&b[i / (2 * NEAR + 1)], i % (2 * NEAR + 1) - NEAR);
            candidate(all, count, &e, number++, &accepted);
        }
        if (accepted >= CHUNK / 2 || i == ENDS) { /* what is valid is also what libsodium takes it for */
            random_items(accepted);
            for (size_t j = 0; j < accepted; j++)
                CU_ASSERT_EQUAL(crypto_scalarmult_ristretto255(common[j].b, k[0].b, p[j].b), 0);
            for (size_t g = 0; g < count; g++) {
                size_t n = g < count - UNIT_GROUPS_IN_C ? accepted : accepted / 5;
                equal(all[g]->mul_common(got, p, n, k, NULL), common, n);
            }
            total += accepted;
            accepted = 0;
        }
    }
    CU_ASSERT(total > ENDS / 8 && total < ENDS / 2); /* about 1 of 8 */
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"random", test_random},     {"ragged", test_ragged},
                                      {"modes", test_modes},       {"not_reduced", test_not_reduced},
                                      {"special", test_special},   {"multiples", test_multiples},
                                      {"identity", test_identity}, {"encodings", test_encodings}};
    return unit_main(argc, argv, "psi_curve", tests, sizeof tests / sizeof *tests);
}
