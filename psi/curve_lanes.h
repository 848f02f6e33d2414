/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The curve -x^2 + y^2 = 1 + d x^2 y^2 modulo 2^255 - 19 and ristretto255 upon it (RFC 9496), one point a
 * lane, for every field in lanes: psi/field_fma.h or psi/field_ifma.h is included before. Nothing here
 * branches or chooses an address by data. docs/curve.md explains it line by line.
 *
 * The file that includes both defines, static inline:
 *
 * - lanes_set, lanes_add, lanes_sub, lanes_and, lanes_or, lanes_xor: the same number everywhere; per lane
 * - lanes_left, lanes_right: logical shifts by a constant
 * - lanes_equal: all ones where equal, else 0
 * - lanes_select: b where the mask is all ones, a where it is 0
 * - lanes_digit: LANES signed bytes as 64-bit numbers
 * - choice, a mask of lanes; choice_equal, where two are equal; choice_first(c, x): x where c, choice_next(y,
 *   c, x): x where c, else y. What is chosen by several choices, of which one holds in each lane, starts with
 *   choice_first; where its c does not hold it may be anything that choice_next replaces.
 * - lanes_load, lanes_store: LANES words at any address
 * - with psi/field_fma.h: lanes_multiply32 (of the low halves), reals_set, reals_add, reals_sub,
 *   lanes_as_reals and reals_as_lanes (the bits), and lanes_product, which splits a * b as that file says and
 *   adds both parts' bits to *low and *high; lanes_product_high sets *high instead, lanes_product_set both
 * - with psi/field_ifma.h: lanes_low, lanes_high, and lanes_factor: x, of which the bits from 52 on will not
 *   be looked at
 * - lanes_everywhere, reals_everywhere: lanes_set and reals_set of what a pointer shows
 *
 * and LANES_CALL and LANES_INLINE, attributes of functions that must not and that must be inlined.
 */
#include "psi/curve_constants.h"

#include <stddef.h>

/* ---- Field, continued ---- */

/* *a, limb by limb: what compilers copy in smaller pieces cannot be read as a vector before it has reached
 * memory. */
static LANES_INLINE field field_copy(const field *a)
{
    return field_of_limbs(field_limb(a, 0), field_limb(a, 1), field_limb(a, 2), field_limb(a, 3),
                          field_limb(a, 4));
}

/* b where mask is all ones, else a. */
static LANES_INLINE field field_select(lanes mask, const field *a, const field *b)
{
    return field_of_limbs(lanes_select(mask, field_limb(a, 0), field_limb(b, 0)),
                          lanes_select(mask, field_limb(a, 1), field_limb(b, 1)),
                          lanes_select(mask, field_limb(a, 2), field_limb(b, 2)),
                          lanes_select(mask, field_limb(a, 3), field_limb(b, 3)),
                          lanes_select(mask, field_limb(a, 4), field_limb(b, 4)));
}

LANES_CALL static void field_multiply(field *r, const field *a, const field *b)
{
    field_wide w = field_multiply_wide(a, b, 0);
    *r = field_reduce(&w, 1);
}

/* r a factor */
LANES_CALL static void field_multiply_factor(field *r, const field *a, const field *b)
{
    field_wide w = field_multiply_wide(a, b, 0);
    *r = field_reduce_factor(&w, 1);
}

/* r = a^(2^n), n > 0 */
LANES_CALL static void field_square(field *r, const field *a, unsigned n)
{
    field x = field_copy(a);
    do {
        field_wide w = field_square_wide(&x, 0);
        x = field_reduce_factor(&w, 1);
    } while (--n);
    *r = field_settle(&x);
}

/* The same of two elements side by side: a single chain of squarings waits for its own results. */
LANES_CALL static void field_square_pair(field r[2], const field a[2], unsigned n)
{
    field x = field_copy(&a[0]), y = field_copy(&a[1]);
    do {
        field_wide w = field_square_wide(&x, 0);
        x = field_reduce_factor(&w, 1);
        w = field_square_wide(&y, 0);
        y = field_reduce_factor(&w, 1);
    } while (--n);
    r[0] = field_settle(&x);
    r[1] = field_settle(&y);
}

LANES_CALL static void field_multiply_to(field_wide *r, const field *a, const field *b)
{
    *r = field_multiply_wide(a, b, 0);
}

/* Raised. */
LANES_CALL static void field_multiply_raised_to(field_wide *r, const field *a, const field *b)
{
    *r = field_multiply_wide(a, b, 1);
}

LANES_CALL static void field_square_to(field_wide *r, const field *a)
{
    *r = field_square_wide(a, 0);
}

LANES_CALL static void field_square_raised_to(field_wide *r, const field *a)
{
    *r = field_square_wide(a, 1);
}

static inline lanes lanes_not(lanes x)
{
    return lanes_xor(x, lanes_set(UINT64_MAX));
}

/* All ones where the lowest bit is set: "negative" in RFC 9496. */
static inline lanes words_negative(const lanes w[4])
{
    return lanes_sub(lanes_set(0), lanes_and(w[0], lanes_set(1)));
}

static inline lanes words_zero(const lanes w[4])
{
    return lanes_equal(lanes_or(lanes_or(w[0], w[1]), lanes_or(w[2], w[3])), lanes_set(0));
}

LANES_CALL static lanes field_negative(const field *a)
{
    lanes w[4];
    field_to_words(w, a);
    return words_negative(w);
}

LANES_CALL static lanes field_zero(const field *a)
{
    lanes w[4];
    field_to_words(w, a);
    return words_zero(w);
}

static inline lanes field_equal(const field *a, const field *b)
{
    field difference = field_subtract(a, b);
    return field_zero(&difference);
}

/* -a where the mask is all ones. a tight. */
static inline field field_negate_if(lanes mask, const field *a)
{
    field negative = field_negate(a);
    return field_select(mask, a, &negative);
}

/* The one of a and -a that is not negative. */
static inline field field_absolute(const field *a)
{
    return field_negate_if(field_negative(a), a);
}

static inline field field_of(const uint64_t number[4])
{
    lanes w[4];
    for (int i = 0; i < 4; i++)
        w[i] = lanes_set(number[i]);
    return field_from_words(w);
}

static field curve_numbers[CURVE_NUMBERS]; /* those of psi/curve_constants.h; filled by curve_prepare */

static void curve_prepare(void)
{
    for (int i = 0; i < CURVE_NUMBERS; i++)
        curve_numbers[i] = field_of(psi_curve_numbers[i]);
}

/* Of one element, or of two side by side. */
static void field_squares(field *r, const field *a, unsigned n, int count)
{
    if (count == 2)
        field_square_pair(r, a, n);
    else
        field_square(r, a, n);
}

static void field_products(field *r, const field *a, const field *b, int count)
{
    for (int i = 0; i < count; i++)
        field_multiply(&r[i], &a[i], &b[i]);
}

/* x^(2^250 - 1) and x^11 of one or two x, from where both exponents below start. */
static void field_power250(field *r, field *x11, const field *x, int count)
{
    field a[2], b[2], c[2];
    field_squares(a, x, 1, count);
    field_squares(b, a, 2, count);
    field_products(b, b, x, count); /* 9 */
    field_products(x11, b, a, count);
    field_squares(a, x11, 1, count);
    field_products(a, a, b, count); /* 2^5 - 1 */
    field_squares(b, a, 5, count);
    field_products(a, b, a, count); /* 2^10 - 1 */
    field_squares(b, a, 10, count);
    field_products(b, b, a, count); /* 2^20 - 1 */
    field_squares(c, b, 20, count);
    field_products(b, c, b, count); /* 2^40 - 1 */
    field_squares(b, b, 10, count);
    field_products(a, b, a, count); /* 2^50 - 1 */
    field_squares(b, a, 50, count);
    field_products(b, b, a, count); /* 2^100 - 1 */
    field_squares(c, b, 100, count);
    field_products(b, c, b, count); /* 2^200 - 1 */
    field_squares(b, b, 50, count);
    field_products(r, b, a, count);
}

/* 1 / x = x^(2^255 - 21), or 0. */
static void field_invert(field *r, const field *x)
{
    field a, x11;
    field_power250(&a, &x11, x, 1);
    field_square(&a, &a, 5);
    field_multiply(r, &a, &x11);
}

/* SQRT_RATIO_M1 of RFC 9496 section 4.2 of one or two pairs: all ones where u / v is a square; r is the root
 * that is not negative, of u / v or of sqrt(-1) u / v. u, v tight. */
static void field_sqrt_ratio(lanes *square, field *r, const field *u, const field *v, int count)
{
    field uv3[2], uv7[2], x11[2], power[2], a, b;
    for (int i = 0; i < count; i++) {
        field_square(&a, &v[i], 1);
        field_multiply(&b, &a, &v[i]);
        field_multiply(&uv3[i], &u[i], &b);
        field_square(&a, &b, 1);
        field_multiply(&a, &a, &v[i]);
        field_multiply(&uv7[i], &a, &u[i]);
    }
    field_power250(power, x11, uv7, count); /* to the power (p - 5) / 8 = 2^252 - 3: */
    field_squares(power, power, 2, count);
    field_products(power, power, uv7, count);
    for (int i = 0; i < count; i++) {
        field root, check, i_u;
        field_multiply(&root, &power[i], &uv3[i]);
        field_square(&a, &root, 1);
        field_multiply(&check, &a, &v[i]);
        field_multiply(&i_u, &u[i], &curve_numbers[CURVE_SQRT_M1]);
        field minus_u = field_negate(&u[i]), minus_i_u = field_negate(&i_u);
        lanes correct = field_equal(&check, &u[i]);
        lanes flipped = field_equal(&check, &minus_u);
        lanes flipped_i = field_equal(&check, &minus_i_u);
        field_multiply(&a, &root, &curve_numbers[CURVE_SQRT_M1]);
        root = field_select(lanes_or(flipped, flipped_i), &root, &a);
        r[i] = field_absolute(&root);
        square[i] = lanes_or(correct, flipped);
    }
}

/* ---- Points ---- */

/* Extended coordinates: x = X / Z, y = Y / Z, X Y = Z T. All factors. */
typedef struct point {
    field x, y, z, t;
} point;

/* The first operand of an addition: Y + X, Y - X, Z, T. All factors. */
typedef struct point_ready {
    field plus, minus, z, t;
} point_ready;

/* The second one: Y + X, Y - X, 2 d T, 2 Z. Factors; T2D and Z2 tight. */
enum { PLUS, MINUS, T2D, Z2, CACHED_PARTS };
typedef struct point_cached {
    field part[CACHED_PARTS];
} point_cached;

static point_ready point_identity(void)
{
    const field *numbers = curve_numbers;
    return (point_ready){numbers[CURVE_ONE], numbers[CURVE_ONE], numbers[CURVE_ONE], numbers[CURVE_ZERO]};
}

static void point_get_ready(point_ready *r, const point *p)
{
    field x = field_settle(&p->x), y = field_settle(&p->y), plus = field_add(&y, &x),
          minus = field_subtract(&y, &x);
    *r = (point_ready){field_tighten(&plus), field_tighten(&minus), p->z, p->t};
}

static void point_cache(point_cached *r, const point_ready *p)
{
    field z = field_settle(&p->z), z2 = field_add(&z, &z);
    r->part[PLUS] = p->plus;
    r->part[MINUS] = p->minus;
    r->part[Z2] = field_tighten(&z2);
    field_multiply(&r->part[T2D], &p->t, &curve_numbers[CURVE_2D]);
}

/* What doublings and additions end with: the point (e f : g h : f g : e h), all factors. */
typedef struct point_parts {
    field e, f, g, h;
} point_parts;

static LANES_INLINE void point_of_parts(point *r, const point_parts *p, int with_t)
{
    field_multiply_factor(&r->x, &p->e, &p->f);
    field_multiply_factor(&r->y, &p->g, &p->h);
    field_multiply_factor(&r->z, &p->f, &p->g);
    if (with_t)
        field_multiply_factor(&r->t, &p->e, &p->h);
}

/* The sums are taken before the carries. */
static LANES_INLINE void ready_of_parts(point_ready *r, const point_parts *p)
{
    field_wide x, y;
    field_multiply_to(&x, &p->e, &p->f);
    field_multiply_raised_to(&y, &p->g, &p->h);
    field_wide plus = field_wide_add(&y, &x), minus = field_wide_subtract(&y, &x);
    r->plus = field_reduce_factor(&plus, 2);
    r->minus = field_reduce_factor(&minus, 0);
    field_multiply_factor(&r->z, &p->f, &p->g);
    field_multiply_factor(&r->t, &p->e, &p->h);
}

/* Of 2 p (Hisil, Wong, Carter, Dawson 2008, section 3.3, with both signs turned). T is not used. */
static LANES_INLINE void double_parts(point_parts *r, const point *p)
{
    field_wide a, b, c, d;
    field_square_to(&a, &p->x);
    field_square_raised_to(&b, &p->y);
    field_square_raised_to(&c, &p->z);
    field_multiply_to(&d, &p->x, &p->y);
    field_wide g = field_wide_subtract(&b, &a); /* Y^2 - X^2 */
    r->g = field_reduce_factor(&g, 0);
    field_wide c2 = field_wide_add(&c, &c), f = field_wide_subtract(&c2, &g); /* 2 Z^2 + X^2 - Y^2 */
    r->f = field_reduce_factor(&f, 2);
    field_wide e = field_wide_add(&d, &d); /* 2 X Y */
    r->e = field_reduce_factor(&e, 2);
    field_wide h = field_wide_add(&b, &a); /* Y^2 + X^2 */
    r->h = field_reduce_factor(&h, 2);
}

/* Of p + q, any p and q (same paper, section 3.1, a = -1). */
static LANES_INLINE void add_parts(point_parts *r, const point_ready *p, const point_cached *q)
{
    field_wide a, b, c, d;
    field_multiply_to(&a, &p->minus, &q->part[MINUS]);
    field_multiply_raised_to(&b, &p->plus, &q->part[PLUS]);
    field_multiply_to(&c, &p->t, &q->part[T2D]);
    field_multiply_raised_to(&d, &p->z, &q->part[Z2]);
    field_wide e = field_wide_subtract(&b, &a);
    r->e = field_reduce_factor(&e, 0);
    field_wide f = field_wide_subtract(&d, &c);
    r->f = field_reduce_factor(&f, 0);
    field_wide g = field_wide_add(&d, &c);
    r->g = field_reduce_factor(&g, 2);
    field_wide h = field_wide_add(&b, &a);
    r->h = field_reduce_factor(&h, 2);
}

/* r = 2 p, without T, which the next doubling does not use. */
LANES_CALL static void point_double(point *r, const point *p)
{
    point_parts parts;
    double_parts(&parts, p);
    point_of_parts(r, &parts, 0);
}

LANES_CALL static void point_double_ready(point_ready *r, const point *p)
{
    point_parts parts;
    double_parts(&parts, p);
    ready_of_parts(r, &parts);
}

/* r = p + q, any p and q; T only if wanted. */
LANES_CALL static void point_add(point *r, const point_ready *p, const point_cached *q, int with_t)
{
    point_parts parts;
    add_parts(&parts, p, q);
    point_of_parts(r, &parts, with_t);
}

LANES_CALL static void point_add_ready(point_ready *r, const point_ready *p, const point_cached *q)
{
    point_parts parts;
    add_parts(&parts, p, q);
    ready_of_parts(r, &parts);
}

/* The same with q = -q where the mask is all ones. */
static inline void point_cached_negate_if(point_cached *q, lanes mask)
{
    field plus = field_select(mask, &q->part[PLUS], &q->part[MINUS]);
    q->part[MINUS] = field_select(mask, &q->part[MINUS], &q->part[PLUS]);
    q->part[PLUS] = plus;
    q->part[T2D] = field_negate_if(mask, &q->part[T2D]);
}

/* ---- Encodings (RFC 9496 section 4.3) ---- */

/* Section 4.3.1, of one or two vectors. good: all ones where the 32 bytes in w are a canonical encoding;
 * elsewhere r is some point that nobody may use. The identity, zero, passes. */
static void point_decode(point *r, lanes *good, const lanes (*w)[4], int count)
{
    const field *numbers = curve_numbers, *one = &numbers[CURVE_ONE], ones[2] = {*one, *one};
    field s[2], u1[2], u2[2], v[2], vu2s[2], root[2], a, b;
    lanes square[2];
    for (int i = 0; i < count; i++) {
        lanes canonical[4];
        s[i] = field_from_words(w[i]);
        field_to_words(canonical, &s[i]);
        good[i] = lanes_not(words_negative(w[i]));
        for (int j = 0; j < 4; j++)
            good[i] = lanes_and(good[i], lanes_equal(canonical[j], w[i][j]));
        field_square(&a, &s[i], 1);
        b = field_subtract(one, &a);
        u1[i] = field_tighten(&b);
        b = field_add(one, &a);
        u2[i] = field_tighten(&b);
        field_square(&a, &u1[i], 1);
        field_multiply(&a, &numbers[CURVE_D], &a);
        field_square(&b, &u2[i], 1);
        a = field_add(&a, &b);
        a = field_tighten(&a);
        v[i] = field_negate(&a); /* -(d u1^2) - u2^2 */
        field_multiply(&vu2s[i], &v[i], &b);
    }
    field_sqrt_ratio(square, root, ones, vu2s, count);
    for (int i = 0; i < count; i++) {
        field den_x, den_y;
        field_multiply(&den_x, &root[i], &u2[i]);
        field_multiply(&a, &root[i], &den_x);
        field_multiply(&den_y, &a, &v[i]);
        field_multiply(&a, &s[i], &den_x);
        a = field_add(&a, &a);
        a = field_tighten(&a);
        r[i].x = field_absolute(&a);
        field_multiply(&r[i].y, &u1[i], &den_y);
        r[i].z = *one;
        field_multiply(&r[i].t, &r[i].x, &r[i].y);
        lanes refused = lanes_or(field_negative(&r[i].t), field_zero(&r[i].y));
        good[i] = lanes_and(lanes_and(good[i], square[i]), lanes_not(refused));
    }
}

/* Section 4.3.2, of one or two vectors. */
static void point_encode(lanes (*w)[4], const point *p, int count)
{
    const field *numbers = curve_numbers, *one = &numbers[CURVE_ONE], ones[2] = {*one, *one};
    field u1[2], u2[2], u1u2s[2], root[2], y[2], z[2], a, b;
    lanes square[2];
    for (int i = 0; i < count; i++) {
        y[i] = field_settle(&p[i].y);
        z[i] = field_settle(&p[i].z);
        a = field_add(&z[i], &y[i]);
        a = field_tighten(&a);
        b = field_subtract(&z[i], &y[i]);
        field_multiply(&u1[i], &a, &b);
        field_multiply(&u2[i], &p[i].x, &p[i].y);
        field_square(&a, &u2[i], 1);
        field_multiply(&u1u2s[i], &a, &u1[i]);
    }
    field_sqrt_ratio(square, root, ones, u1u2s, count);
    for (int i = 0; i < count; i++) {
        field den1, den2, z_inverse, ix, iy, enchanted;
        field_multiply(&den1, &root[i], &u1[i]);
        field_multiply(&den2, &root[i], &u2[i]);
        field_multiply(&a, &den1, &den2);
        field_multiply(&z_inverse, &a, &p[i].t);
        field_multiply(&ix, &p[i].x, &numbers[CURVE_SQRT_M1]);
        field_multiply(&iy, &p[i].y, &numbers[CURVE_SQRT_M1]);
        field_multiply(&enchanted, &den1, &numbers[CURVE_INVSQRT_A_MINUS_D]);
        field_multiply(&a, &p[i].t, &z_inverse);
        lanes rotate = field_negative(&a);
        field x = field_select(rotate, &p[i].x, &iy), own_y = field_select(rotate, &y[i], &ix);
        field den = field_select(rotate, &den2, &enchanted);
        field_multiply(&a, &x, &z_inverse);
        own_y = field_negate_if(field_negative(&a), &own_y);
        a = field_subtract(&z[i], &own_y);
        field_multiply(&a, &den, &a);
        a = field_absolute(&a);
        field_to_words(w[i], &a);
    }
}

/* MAP of section 4.3.4 on 255 bits of each w. */
static void point_map(point p[2], const lanes w[2][4])
{
    const field *numbers = curve_numbers, *one = &numbers[CURVE_ONE], minus_one = field_negate(one);
    field t[2], r[2], u[2], v[2], s[2], a, b, n;
    lanes square[2];
    for (int i = 0; i < 2; i++) {
        t[i] = field_from_words(w[i]);
        field_square(&a, &t[i], 1);
        field_multiply(&r[i], &a, &numbers[CURVE_SQRT_M1]);
        a = field_add(&r[i], one);
        field_multiply(&u[i], &a, &numbers[CURVE_ONE_MINUS_D_SQ]);
        field_multiply(&a, &r[i], &numbers[CURVE_D]);
        a = field_add(&a, one);
        a = field_tighten(&a);
        a = field_negate(&a);
        b = field_add(&r[i], &numbers[CURVE_D]);
        field_multiply(&v[i], &a, &b); /* (-1 - r d) (r + d) */
    }
    field_sqrt_ratio(square, s, u, v, 2);
    for (int i = 0; i < 2; i++) {
        field w0, w1, w2, w3;
        field_multiply(&a, &s[i], &t[i]);
        a = field_absolute(&a);
        a = field_negate(&a);
        s[i] = field_select(square[i], &a, &s[i]);
        b = field_select(square[i], &r[i], &minus_one);
        a = field_subtract(&r[i], one);
        field_multiply(&n, &b, &a);
        field_multiply(&n, &n, &numbers[CURVE_D_MINUS_ONE_SQ]);
        n = field_subtract(&n, &v[i]);
        a = field_add(&s[i], &s[i]);
        field_multiply(&w0, &a, &v[i]);
        field_multiply(&w1, &n, &numbers[CURVE_SQRT_AD_MINUS_ONE]);
        field_square(&a, &s[i], 1);
        w2 = field_subtract(one, &a);
        w2 = field_tighten(&w2);
        w3 = field_add(one, &a);
        w3 = field_tighten(&w3);
        field_multiply(&p[i].x, &w0, &w3);
        field_multiply(&p[i].y, &w2, &w1);
        field_multiply(&p[i].z, &w1, &w3);
        field_multiply(&p[i].t, &w0, &w2);
    }
}

/*
 * Encodings of 2 p[i] for a batch, with one inversion for all (Hamburg's doubling formula; the product of all
 * denominators and back, Montgomery 1987). With e = 2 X Y, f = Z^2 + d T^2, g = Y^2 + X^2, h = Z^2 - d T^2
 * the double is (e h : f g : f h : e g); 1 / (e f g h) gives every quotient that section 4.3.2 takes a square
 * root for. Where e f g h = 0 the double is the identity or its coset: the product takes 1 instead, its
 * inverse is taken as 0, and the encoding is 0. p[i] holds e, f, g, h afterwards.
 */
static void point_encode_doubles(lanes (*w)[4], point *p, field *product, size_t n)
{
    const field *numbers = curve_numbers;
    field inverse = numbers[CURVE_ONE], a, b, all;
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        field_wide xx, yy, zz, tt, xy;
        field e, f, g, h;
        field_square(&a, &p[i].t, 1);
        field_multiply_to(&tt, &a, &numbers[CURVE_D]);
        field_square_to(&xx, &p[i].x);
        field_square_to(&yy, &p[i].y);
        field_square_raised_to(&zz, &p[i].z);
        field_multiply_to(&xy, &p[i].x, &p[i].y);
        field_wide e_wide = field_wide_add(&xy, &xy), f_wide = field_wide_add(&zz, &tt),
                   g_wide = field_wide_add(&yy, &xx), h_wide = field_wide_subtract(&zz, &tt);
        e = field_reduce(&e_wide, 2);
        f = field_reduce(&f_wide, 2);
        g = field_reduce(&g_wide, 2);
        h = field_reduce(&h_wide, 0);
        p[i] = (point){e, f, g, h};
        field_multiply(&a, &e, &g);
        field_multiply(&b, &f, &h);
        field_multiply(&all, &a, &b);
        all = field_select(field_zero(&all), &all, &numbers[CURVE_ONE]);
        product[i] = inverse; /* of all before i */
        field_multiply(&inverse, &inverse, &all);
    }
    field_invert(&inverse, &inverse);
    for (size_t i = n; i-- > 0;) {
        field e = field_copy(&p[i].x), f = field_copy(&p[i].y), g = field_copy(&p[i].z),
              h = field_copy(&p[i].t), eg, fh, own, z_inverse, t_inverse;
        field_multiply(&eg, &e, &g);
        field_multiply(&fh, &f, &h);
        field_multiply(&all, &eg, &fh);
        lanes zero = field_zero(&all);
        all = field_select(zero, &all, &numbers[CURVE_ONE]);
        field_multiply(&own, &inverse, &product[i]);
        field_multiply(&inverse, &inverse, &all);
        own = field_select(zero, &own, &numbers[CURVE_ZERO]);
        field_multiply(&z_inverse, &eg, &own); /* 1 / (f h) */
        field_multiply(&t_inverse, &fh, &own); /* 1 / (e g) */

        field_multiply(&a, &eg, &z_inverse);
        lanes rotate = field_negative(&a); /* of T / Z = x y */
        field minus_e = field_negate(&e), f_i;
        field_multiply(&f_i, &f, &numbers[CURVE_SQRT_M1]);
        field x = field_select(rotate, &e, &g), y = field_select(rotate, &g, &minus_e);
        h = field_select(rotate, &h, &f_i);
        field magic = field_select(rotate, &numbers[CURVE_INVSQRT_A_MINUS_D], &numbers[CURVE_SQRT_M1]);
        field_multiply(&a, &h, &x);
        field_multiply(&a, &a, &z_inverse);
        y = field_negate_if(field_negative(&a), &y);
        field_multiply(&a, &y, &t_inverse);
        field_multiply(&b, &a, &magic);
        a = field_subtract(&h, &y);
        field_multiply(&a, &a, &b);
        a = field_absolute(&a);
        field_to_words(w[i], &a);
    }
}
