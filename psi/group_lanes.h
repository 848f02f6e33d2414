/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend contract of psi/group.h in lanes. Included after psi/curve_lanes.h by the file of a backend,
 * which then defines a psi_group_backend by GROUP_BACKEND. Items go LANES at a time; a vector that n does not
 * fill repeats its first item, and what comes of the copies is dropped. Multiplication works on batches of
 * GROUP_BATCH items, which share one inversion. What lies in memory meanwhile is wiped.
 */
#include "psi/ct.h"
#include "psi/digits.h"
#include "psi/group_backends.h"
#include "psi/mem.h"

#include <string.h>

#define GROUP_BATCH 128
#define GROUP_VECTORS (GROUP_BATCH / LANES)
#define GROUP_TABLE 8 /* multiples 1, 3, .., 15 of a point */
#define GROUP_ROWS 32 /* of the generator's table: row i holds those of 256^i times the generator */

/* ---- Bytes ---- */

/* Words at + 0, +1, .. +3 of items[i], `stride` bytes apart, for the lanes i < n; the others repeat item 0.
 */
static void words_load(lanes w[4], const uint8_t *items, size_t stride, size_t n)
{
    uint64_t t[4][LANES];
    for (size_t i = 0; i < LANES; i++)
        for (size_t j = 0; j < 4; j++)
            memcpy(&t[j][i], items + (i < n ? i : 0) * stride + 8 * j, 8);
    for (int j = 0; j < 4; j++)
        w[j] = lanes_load(t[j]);
    psi_wipe(t, sizeof t);
}

static void words_store(uint8_t *items, const lanes w[4], size_t n)
{
    uint64_t t[4][LANES];
    for (int j = 0; j < 4; j++)
        lanes_store(t[j], w[j]);
    for (size_t i = 0; i < LANES && i < n; i++)
        for (size_t j = 0; j < 4; j++)
            memcpy(items + 32 * i + 8 * j, &t[j][i], 8);
}

/* Items of the vector that starts at `at`: 0..LANES. */
static size_t group_left(size_t n, size_t at)
{
    return at >= n ? 0 : n - at < LANES ? n - at : LANES;
}

/* The first item whose mask is not all ones, or n. Whether an encoding is valid, or a product the identity,
 * is what the caller is told: for the reasons see psi/group_sodium.c. */
static size_t group_first_bad(uint64_t *good, size_t n)
{
    PSI_DECLASSIFY(good, n * sizeof *good);
    for (size_t i = 0; i < n; i++)
        if (good[i] != UINT64_MAX)
            return i;
    return n;
}

static tally_status group_refuse(psi_point *out, size_t n, size_t at, size_t *bad)
{
    psi_wipe(out, n * sizeof *out);
    if (bad)
        *bad = at;
    return TALLY_ERR_MALFORMED;
}

/*
 * The frames of what an entry point called hold coordinates before they are normalised, of H(x) or of a
 * product with a secret scalar, which tell more than the encoding does. The deepest chain takes about 10 KiB
 * of vectors with four lanes, 20 KiB with eight.
 */
LANES_CALL static void stack_wipe(void)
{
    uint8_t below[LANES * 4096];
    psi_wipe(below, sizeof below);
}

/* ---- Multiplication ---- */

/* Digits of LANES scalars, digit by digit. */
typedef struct group_digits {
    int8_t d[PSI_DIGITS][LANES];
} group_digits;

static void digits_of(int8_t digits[PSI_DIGITS], const psi_scalar *k, int halved)
{
    psi_scalar s = *k;
    if (halved)
        psi_scalar_half(&s, k);
    psi_digits(digits, &s);
    psi_wipe(&s, sizeof s);
}

/* Of k / 2 for all lanes. */
static void digits_common(group_digits *out, const psi_scalar *k)
{
    int8_t one[PSI_DIGITS];
    digits_of(one, k, 1);
    for (size_t i = 0; i < PSI_DIGITS; i++)
        for (size_t l = 0; l < LANES; l++)
            out->d[i][l] = one[i];
    psi_wipe(one, sizeof one);
}

/* Of k[i], halved or not, for the lanes i < n, and of 0 for the others. */
static void digits_each(group_digits *out, const psi_scalar *k, size_t n, int halved)
{
    static const psi_scalar none;
    int8_t one[PSI_DIGITS];
    for (size_t l = 0; l < LANES; l++) {
        digits_of(one, l < n ? &k[l] : &none, halved);
        for (size_t i = 0; i < PSI_DIGITS; i++)
            out->d[i][l] = one[i];
    }
    psi_wipe(one, sizeof one);
}

static void table_make(point_cached table[GROUP_TABLE], const point *p)
{
    point_ready multiple, twice;
    point_cached step;
    point_double_ready(&twice, p);
    point_cache(&step, &twice);
    point_get_ready(&multiple, p);
    point_cache(&table[0], &multiple);
    for (int i = 1; i < GROUP_TABLE; i++) {
        point_add_ready(&multiple, &multiple, &step);
        point_cache(&table[i], &multiple);
    }
    psi_wipe(&multiple, sizeof multiple);
    psi_wipe(&twice, sizeof twice);
    psi_wipe(&step, sizeof step);
}

/* A digit: its sign as a mask, and which of 1, 3, .., 15 its magnitude is. */
typedef struct digit_choice {
    lanes sign;
    choice is[GROUP_TABLE];
} digit_choice;

static LANES_INLINE digit_choice choice_of(const int8_t *digit)
{
    lanes d = lanes_digit(digit), sign = lanes_sub(lanes_set(0), lanes_right(d, 63));
    lanes size = lanes_sub(lanes_xor(d, sign), sign);
    return (digit_choice){sign,
                          {choice_equal(size, lanes_set(1)), choice_equal(size, lanes_set(3)),
                           choice_equal(size, lanes_set(5)), choice_equal(size, lanes_set(7)),
                           choice_equal(size, lanes_set(9)), choice_equal(size, lanes_set(11)),
                           choice_equal(size, lanes_set(13)), choice_equal(size, lanes_set(15))}};
}

static LANES_INLINE lanes choice_mix(const digit_choice *c, lanes x0, lanes x1, lanes x2, lanes x3, lanes x4,
                                     lanes x5, lanes x6, lanes x7)
{
    lanes x = choice_first(c->is[0], x0);
    x = choice_next(x, c->is[1], x1);
    x = choice_next(x, c->is[2], x2);
    x = choice_next(x, c->is[3], x3);
    x = choice_next(x, c->is[4], x4);
    x = choice_next(x, c->is[5], x5);
    x = choice_next(x, c->is[6], x6);
    return choice_next(x, c->is[7], x7);
}

static LANES_INLINE lanes table_limb(const digit_choice *c, const point_cached *t, int part, int i)
{
    return choice_mix(c, field_limb(&t[0].part[part], i), field_limb(&t[1].part[part], i),
                      field_limb(&t[2].part[part], i), field_limb(&t[3].part[part], i),
                      field_limb(&t[4].part[part], i), field_limb(&t[5].part[part], i),
                      field_limb(&t[6].part[part], i), field_limb(&t[7].part[part], i));
}

static LANES_INLINE field table_part(const digit_choice *c, const point_cached *t, int part)
{
    return field_of_limbs(table_limb(c, t, part, 0), table_limb(c, t, part, 1), table_limb(c, t, part, 2),
                          table_limb(c, t, part, 3), table_limb(c, t, part, 4));
}

/* r = digit times the point of the table: every entry is read, whatever the digit. */
LANES_CALL static void table_pick(point_cached *r, const point_cached table[GROUP_TABLE], const int8_t *digit)
{
    const digit_choice c = choice_of(digit);
    const field plus = table_part(&c, table, PLUS), minus = table_part(&c, table, MINUS),
                t2d = table_part(&c, table, T2D);
    r->part[PLUS] = field_select(c.sign, &plus, &minus);
    r->part[MINUS] = field_select(c.sign, &minus, &plus);
    r->part[T2D] = field_negate_if(c.sign, &t2d);
    r->part[Z2] = table_part(&c, table, Z2);
}

/* r = 2^count p, count > 0 */
static void point_doubles(point_ready *r, point *p, int count)
{
    while (--count)
        point_double(p, p);
    point_double_ready(r, p);
}

/* acc = the sum over tables of scalar * point, from the highest digit down. count > 0. T of the result is
 * set. */
static void multiply(point *acc, point_cached (*tables)[GROUP_TABLE], const group_digits *digits,
                     size_t count)
{
    point_ready sum = point_identity();
    point_cached q;
    for (size_t i = PSI_DIGITS; i-- > 0;) {
        if (i != PSI_DIGITS - 1)
            point_doubles(&sum, acc, 4);
        for (size_t j = 0; j + 1 < count; j++) {
            table_pick(&q, tables[j], digits[j].d[i]);
            point_add_ready(&sum, &sum, &q);
        }
        table_pick(&q, tables[count - 1], digits[count - 1].d[i]);
        point_add(acc, &sum, &q, i == 0);
    }
    psi_wipe(&sum, sizeof sum);
    psi_wipe(&q, sizeof q);
}

typedef struct group_work {
    point points[GROUP_VECTORS];
    field products[GROUP_VECTORS];
    point_cached table[1][GROUP_TABLE];
    lanes words[GROUP_VECTORS][4];
    group_digits digits;
    uint64_t good[GROUP_BATCH];
} group_work;

/* Encodes 2 * points, n items, and counts an identity among them as bad. */
static void batch_encode(group_work *w, psi_point *out, size_t n)
{
    size_t vectors = (n + LANES - 1) / LANES;
    point_encode_doubles(w->words, w->points, w->products, vectors);
    for (size_t v = 0; v < vectors; v++) {
        uint64_t good[LANES];
        lanes_store(good, lanes_not(words_zero(w->words[v])));
        for (size_t i = 0; i < group_left(n, v * LANES); i++)
            w->good[v * LANES + i] &= good[i];
        words_store(out[v * LANES].b, w->words[v], group_left(n, v * LANES));
    }
}

/* One or two vectors of items in[0..n), 0 < n <= 2 LANES: points, and all ones where an item is a valid
 * encoding and not the identity.
 */
static void points_decode(point *p, lanes *good, const psi_point *in, size_t n)
{
    lanes words[2][4];
    const size_t count = n > LANES ? 2 : 1;
    for (size_t i = 0; i < count; i++)
        words_load(words[i], in[i * LANES].b, sizeof *in, group_left(n, i * LANES));
    point_decode(p, good, (const lanes(*)[4])words, (int)count);
    for (size_t i = 0; i < count; i++)
        good[i] = lanes_and(good[i], lanes_not(words_zero(words[i])));
    psi_wipe(words, sizeof words);
}

/* One vector of uniform bytes: the sum of the points that both halves map to. */
static void points_map(point *r, const uint8_t (*uniform)[64], size_t n)
{
    lanes words[2][4];
    point p[2];
    point_ready ready[2];
    point_cached cached;
    words_load(words[0], uniform[0], 64, n);
    words_load(words[1], uniform[0] + 32, 64, n);
    point_map(p, (const lanes(*)[4])words);
    point_get_ready(&ready[0], &p[0]);
    point_get_ready(&ready[1], &p[1]);
    point_cache(&cached, &ready[1]);
    point_add(r, &ready[0], &cached, 1);
    psi_wipe(words, sizeof words);
    psi_wipe(p, sizeof p);
    psi_wipe(ready, sizeof ready);
    psi_wipe(&cached, sizeof cached);
}

/* Encodings of one or two vectors to out[0..n); where they are the identity, good becomes 0. */
static void points_encode(psi_point *out, lanes *good, const point *p, size_t n)
{
    lanes words[2][4];
    const size_t count = n > LANES ? 2 : 1;
    point_encode(words, p, (int)count);
    for (size_t i = 0; i < count; i++) {
        good[i] = lanes_and(good[i], lanes_not(words_zero(words[i])));
        words_store(out[i * LANES].b, words[i], group_left(n, i * LANES));
    }
    psi_wipe(words, sizeof words);
}

/* The masks of n items in two vectors, one number an item. */
static void good_store(uint64_t *out, const lanes *good, size_t n)
{
    uint64_t each[2 * LANES];
    lanes_store(each, good[0]);
    if (n > LANES)
        lanes_store(each + LANES, good[1]);
    memcpy(out, each, n * sizeof *out);
}

/* Either in or uniform; a scalar for each, or one for all. */
static tally_status mul_any(psi_point *out, const psi_point *in, const uint8_t (*uniform)[64],
                            const psi_scalar *k, int each, size_t n, size_t *bad)
{
    group_work w;
    tally_status st = TALLY_OK;
    if (n && !each)
        digits_common(&w.digits, k);
    for (size_t at = 0; !st && at < n; at += GROUP_BATCH) {
        size_t m = n - at < GROUP_BATCH ? n - at : GROUP_BATCH, first;
        memset(w.good, 0xff, sizeof w.good);
        for (size_t i = 0; in && i < m; i += 2 * LANES) {
            size_t here = m - i < 2 * LANES ? m - i : 2 * LANES;
            lanes good[2];
            points_decode(&w.points[i / LANES], good, in + at + i, here);
            good_store(w.good + i, good, here);
        }
        for (size_t i = 0; i < m; i += LANES) {
            point *p = &w.points[i / LANES];
            if (uniform)
                points_map(p, uniform + at + i, group_left(m, i));
            if (each)
                digits_each(&w.digits, k + at + i, group_left(m, i), 1);
            table_make(w.table[0], p);
            multiply(p, w.table, &w.digits, 1);
        }
        batch_encode(&w, out + at, m);
        first = group_first_bad(w.good, m);
        if (first < m)
            st = group_refuse(out, n, at + first, bad);
        if (st && uniform) /* nothing of a peer's is in it */
            st = TALLY_ERR_INTERNAL;
    }
    psi_wipe(&w, sizeof w);
    stack_wipe();
    return st;
}

static tally_status mul_common(psi_point *out, const psi_point *in, size_t n, const psi_scalar *k,
                               size_t *bad)
{
    return mul_any(out, in, NULL, k, 0, n, bad);
}

static tally_status mul_each(psi_point *out, const psi_point *in, const psi_scalar *k, size_t n, size_t *bad)
{
    return mul_any(out, in, NULL, k, 1, n, bad);
}

static tally_status map_mul_common(psi_point *out, const uint8_t (*uniform64)[64], size_t n,
                                   const psi_scalar *k)
{
    return mul_any(out, NULL, uniform64, k, 0, n, NULL);
}

static tally_status map_mul_each(psi_point *out, const uint8_t (*uniform64)[64], const psi_scalar *k,
                                 size_t n)
{
    return mul_any(out, NULL, uniform64, k, 1, n, NULL);
}

static tally_status from_uniform(psi_point *out, const uint8_t (*uniform64)[64], size_t n)
{
    point p[2];
    lanes good[2] = {lanes_set(0), lanes_set(0)}; /* not asked for: the identity is a point like any other */
    for (size_t at = 0; at < n; at += 2 * LANES) {
        size_t here = n - at < 2 * LANES ? n - at : 2 * LANES;
        points_map(&p[0], uniform64 + at, group_left(here, 0));
        if (here > LANES)
            points_map(&p[1], uniform64 + at + LANES, group_left(here, LANES));
        points_encode(out + at, good, p, here);
    }
    psi_wipe(p, sizeof p);
    stack_wipe();
    return TALLY_OK;
}

/* ---- Multiples of the generator ---- */

/* Entry j of row i: (2 j + 1) * 256^i times the generator with Z = 1, as plus, minus and t2d of point_cached,
 * each of five limbs as they stand in a lane. */
static uint64_t base_table[GROUP_ROWS][GROUP_TABLE][3][5];

static void lane_of(uint64_t out[5], const field *a)
{
    uint64_t all[5][LANES];
    memcpy(all, a, sizeof all);
    for (int i = 0; i < 5; i++)
        out[i] = all[i][0];
}

static void base_prepare(void)
{
    lanes words[1][4], good[1];
    point p;
    point_ready first, twice, multiples[GROUP_TABLE];
    point_cached step;
    field before[GROUP_TABLE], inverse, z, a;
    for (int i = 0; i < 4; i++)
        words[0][i] = lanes_set(psi_curve_generator[i]);
    point_decode(&p, good, (const lanes(*)[4])words, 1);
    point_get_ready(&first, &p);
    for (int row = 0; row < GROUP_ROWS; row++) {
        point_double_ready(&twice, &p);
        point_cache(&step, &twice);
        multiples[0] = first;
        before[0] = curve_numbers[CURVE_ONE];
        for (int j = 1; j < GROUP_TABLE; j++) {
            field_multiply(&before[j], &before[j - 1], &multiples[j - 1].z);
            point_add_ready(&multiples[j], &multiples[j - 1], &step);
        }
        field_multiply(&inverse, &before[GROUP_TABLE - 1], &multiples[GROUP_TABLE - 1].z);
        field_invert(&inverse, &inverse);
        for (int j = GROUP_TABLE; j-- > 0;) {
            field_multiply(&z, &inverse, &before[j]); /* 1 / Z */
            field_multiply(&inverse, &inverse, &multiples[j].z);
            field_multiply(&a, &multiples[j].plus, &z);
            lane_of(base_table[row][j][PLUS], &a);
            field_multiply(&a, &multiples[j].minus, &z);
            lane_of(base_table[row][j][MINUS], &a);
            field_multiply(&a, &multiples[j].t, &z);
            field_multiply(&a, &a, &curve_numbers[CURVE_2D]);
            lane_of(base_table[row][j][T2D], &a);
        }
        for (int i = 0; i < 7; i++)
            point_double(&p, &p);
        point_double_ready(&first, &p);
        point_double(&p, &p);
    }
}

static LANES_INLINE lanes row_limb(const digit_choice *c, uint64_t (*row)[3][5], int part, int i)
{
    return choice_mix(c, lanes_everywhere(&row[0][part][i]), lanes_everywhere(&row[1][part][i]),
                      lanes_everywhere(&row[2][part][i]), lanes_everywhere(&row[3][part][i]),
                      lanes_everywhere(&row[4][part][i]), lanes_everywhere(&row[5][part][i]),
                      lanes_everywhere(&row[6][part][i]), lanes_everywhere(&row[7][part][i]));
}

static LANES_INLINE field row_part(const digit_choice *c, uint64_t (*row)[3][5], int part)
{
    return field_of_limbs(row_limb(c, row, part, 0), row_limb(c, row, part, 1), row_limb(c, row, part, 2),
                          row_limb(c, row, part, 3), row_limb(c, row, part, 4));
}

/* As table_pick, from a row that is the same in every lane, with Z = 1. */
LANES_CALL static void row_pick(point_cached *r, uint64_t (*row)[3][5], const int8_t *digit)
{
    const digit_choice c = choice_of(digit);
    const field plus = row_part(&c, row, PLUS), minus = row_part(&c, row, MINUS),
                t2d = row_part(&c, row, T2D);
    r->part[PLUS] = field_select(c.sign, &plus, &minus);
    r->part[MINUS] = field_select(c.sign, &minus, &plus);
    r->part[T2D] = field_negate_if(c.sign, &t2d);
    r->part[Z2] = curve_numbers[CURVE_TWO];
}

/* r = sum and digit * 256^row * generator for each row, the even digits or the odd ones; sum is overwritten.
 * T of r only for the even ones. */
static void base_add(point *r, point_ready *sum, const group_digits *digits, size_t odd)
{
    point_cached q;
    for (size_t row = 0; row + 1 < GROUP_ROWS; row++) {
        row_pick(&q, base_table[row], digits->d[2 * row + odd]);
        point_add_ready(sum, sum, &q);
    }
    row_pick(&q, base_table[GROUP_ROWS - 1], digits->d[2 * (GROUP_ROWS - 1) + odd]);
    point_add(r, sum, &q, !odd);
    psi_wipe(&q, sizeof q);
}

/* Odd digits weigh 16 * 256^i, even ones 256^i: the odd ones are added up first and multiplied by 16. */
static void base_multiply(point *acc, const group_digits *digits)
{
    point_ready sum = point_identity();
    base_add(acc, &sum, digits, 1);
    point_doubles(&sum, acc, 4);
    base_add(acc, &sum, digits, 0);
    psi_wipe(&sum, sizeof sum);
}

static tally_status base_mul(psi_point *out, const psi_scalar *k, size_t n)
{
    group_work w;
    tally_status st = TALLY_OK;
    for (size_t at = 0; !st && at < n; at += GROUP_BATCH) {
        size_t m = n - at < GROUP_BATCH ? n - at : GROUP_BATCH;
        for (size_t i = 0; i < m; i += LANES) {
            digits_each(&w.digits, k + at + i, group_left(m, i), 1);
            base_multiply(&w.points[i / LANES], &w.digits);
        }
        memset(w.good, 0xff, sizeof w.good);
        batch_encode(&w, out + at, m);
        if (group_first_bad(w.good, m) < m) { /* a caller's bug: keys and blinds are never 0 */
            psi_wipe(out, n * sizeof *out);
            st = TALLY_ERR_INTERNAL;
        }
    }
    psi_wipe(&w, sizeof w);
    stack_wipe();
    return st;
}

/* ---- Sums ---- */

static tally_status combine(psi_point *out, const psi_point *a, const psi_point *b, size_t n, size_t *bad,
                            int negative)
{
    point p[2], q[2];
    point_ready ready;
    point_cached cached;
    lanes good[2], good_b[2];
    tally_status st = TALLY_OK;
    for (size_t at = 0; !st && at < n; at += 2 * LANES) {
        size_t here = n - at < 2 * LANES ? n - at : 2 * LANES, first;
        uint64_t each[2 * LANES];
        points_decode(p, good, a + at, here);
        points_decode(q, good_b, b + at, here);
        for (size_t i = 0; i * LANES < here; i++) {
            point_get_ready(&ready, &q[i]);
            point_cache(&cached, &ready);
            point_cached_negate_if(&cached, lanes_set(negative ? UINT64_MAX : 0));
            point_get_ready(&ready, &p[i]);
            point_add(&p[i], &ready, &cached, 1);
            good[i] = lanes_and(good[i], good_b[i]);
        }
        points_encode(out + at, good, p, here);
        good_store(each, good, here);
        first = group_first_bad(each, here);
        if (first < here)
            st = group_refuse(out, n, at + first, bad);
    }
    psi_wipe(p, sizeof p);
    psi_wipe(q, sizeof q);
    psi_wipe(&ready, sizeof ready);
    psi_wipe(&cached, sizeof cached);
    stack_wipe();
    return st;
}

static tally_status add(psi_point *out, const psi_point *a, const psi_point *b, size_t n, size_t *bad)
{
    return combine(out, a, b, n, bad, 0);
}

static tally_status subtract(psi_point *out, const psi_point *a, const psi_point *b, size_t n, size_t *bad)
{
    return combine(out, a, b, n, bad, 1);
}

/* The sum over all lanes, in lane 0: half of them after another half. */
static void lanes_sum(point *r, point_ready *p)
{
    for (size_t half = LANES / 2; half > 0; half /= 2) {
        uint64_t all[20][LANES];
        point_ready other;
        point_cached cached;
        memcpy(all, p, sizeof all);
        for (int i = 0; i < 20; i++)
            for (size_t l = 0; l < half; l++)
                all[i][l] = all[i][l + half];
        memcpy(&other, all, sizeof other);
        point_cache(&cached, &other);
        if (half > 1)
            point_add_ready(p, p, &cached);
        else
            point_add(r, p, &cached, 1);
    }
}

#define GROUP_SUM 4 /* vectors whose doublings are shared */

typedef struct group_sum {
    point_cached table[GROUP_SUM][GROUP_TABLE];
    group_digits digits[GROUP_SUM];
} group_sum;

/* A lane beyond n gets the scalar 0. */
static tally_status sum_var(psi_point *out, const psi_point *in, const psi_scalar *k, size_t n, size_t *bad)
{
    group_sum w;
    point part, pair[2];
    point_ready sum = point_identity(), ready;
    point_cached cached;
    lanes good[2] = {lanes_set(0), lanes_set(0)};
    for (size_t at = 0; at < n; at += GROUP_SUM * LANES) {
        size_t m = n - at < GROUP_SUM * LANES ? n - at : GROUP_SUM * LANES;
        for (size_t i = 0; i < m; i += 2 * LANES) {
            size_t here = m - i < 2 * LANES ? m - i : 2 * LANES, first;
            uint64_t each[2 * LANES];
            points_decode(pair, good, in + at + i, here);
            good_store(each, good, here);
            first = group_first_bad(each, here);
            if (first < here)
                return group_refuse(out, 1, at + i + first, bad);
            for (size_t v = 0; v * LANES < here; v++)
                table_make(w.table[i / LANES + v], &pair[v]);
        }
        for (size_t i = 0; i < m; i += LANES)
            digits_each(&w.digits[i / LANES], k + at + i, group_left(m, i), 0);
        multiply(&part, w.table, w.digits, (m + LANES - 1) / LANES);
        point_get_ready(&ready, &part);
        point_cache(&cached, &ready);
        point_add_ready(&sum, &sum, &cached);
    }
    lanes_sum(&part, &sum);
    points_encode(out, good, &part, 1);
    return TALLY_OK;
}

#include "psi/field_lanes.h"

static void group_prepare(void)
{
    curve_prepare();
    base_prepare();
}

#define GROUP_BACKEND(backend_name)                                                                          \
    {                                                                                                        \
        .name = backend_name, .prepare = group_prepare, .mul_common = mul_common, .mul_each = mul_each,      \
        .from_uniform = from_uniform, .map_mul_common = map_mul_common, .map_mul_each = map_mul_each,        \
        .base_mul = base_mul, .add = add, .subtract = subtract, .sum_var = sum_var, .field = &group_field    \
    }
