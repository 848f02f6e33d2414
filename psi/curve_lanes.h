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
 * - lanes_load, lanes_store: LANES words at any address
 * - with psi/field_fma.h: lanes_multiply32 (of the low halves), reals_set, reals_add, reals_sub,
 *   lanes_as_reals and reals_as_lanes (the bits), and lanes_product, which splits a * b as that file says and
 *   adds both parts' bits to *low and *high
 * - with psi/field_ifma.h: lanes_low, lanes_high
 *
 * and LANES_CALL, an attribute of functions that must not be inlined.
 */
#include "psi/curve_constants.h"

#include <stddef.h>

/* ---- Field, continued ---- */

LANES_CALL static void field_multiply(field *r, const field *a, const field *b)
{
    field_wide w = field_multiply_wide(a, b);
    *r = field_reduce(&w, 1);
}

/* r = a^(2^n), n > 0 */
LANES_CALL static void field_square(field *r, const field *a, unsigned n)
{
    field x = *a;
    do {
        field_wide w = field_square_wide(&x);
        x = field_reduce(&w, 1);
    } while (--n);
    *r = x;
}

LANES_CALL static void field_multiply_to(field_wide *r, const field *a, const field *b)
{
    *r = field_multiply_wide(a, b);
}

LANES_CALL static void field_square_to(field_wide *r, const field *a)
{
    *r = field_square_wide(a);
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

/* x^(2^250 - 1) and x^11, from where both exponents below start. */
static void field_power250(field *r, field *x11, const field *x)
{
    field a, b, c;
    field_square(&a, x, 1);
    field_square(&b, &a, 2);
    field_multiply(&b, &b, x); /* 9 */
    field_multiply(x11, &b, &a);
    field_square(&a, x11, 1);
    field_multiply(&a, &a, &b); /* 2^5 - 1 */
    field_square(&b, &a, 5);
    field_multiply(&a, &b, &a); /* 2^10 - 1 */
    field_square(&b, &a, 10);
    field_multiply(&b, &b, &a); /* 2^20 - 1 */
    field_square(&c, &b, 20);
    field_multiply(&b, &c, &b); /* 2^40 - 1 */
    field_square(&b, &b, 10);
    field_multiply(&a, &b, &a); /* 2^50 - 1 */
    field_square(&b, &a, 50);
    field_multiply(&b, &b, &a); /* 2^100 - 1 */
    field_square(&c, &b, 100);
    field_multiply(&b, &c, &b); /* 2^200 - 1 */
    field_square(&b, &b, 50);
    field_multiply(r, &b, &a);
}

/* 1 / x = x^(2^255 - 21), or 0. */
static void field_invert(field *r, const field *x)
{
    field a, x11;
    field_power250(&a, &x11, x);
    field_square(&a, &a, 5);
    field_multiply(r, &a, &x11);
}

/* SQRT_RATIO_M1 of RFC 9496 section 4.2: all ones where u / v is a square; *r is the root that is not
 * negative, of u / v or of sqrt(-1) u / v. u, v tight. */
LANES_CALL static lanes field_sqrt_ratio(field *r, const field *u, const field *v)
{
    field v3, uv3, a, x11, check, i_u;
    field_square(&a, v, 1);
    field_multiply(&v3, &a, v);
    field_multiply(&uv3, u, &v3);
    field_square(&a, &v3, 1);
    field_multiply(&a, &a, v);
    field_multiply(&a, &a, u); /* u v^7; to the power (p - 5) / 8 = 2^252 - 3: */
    field root = a;
    field_power250(&a, &x11, &root);
    field_square(&a, &a, 2);
    field_multiply(&a, &a, &root);
    field_multiply(&root, &a, &uv3);

    field_square(&a, &root, 1);
    field_multiply(&check, &a, v);
    field_multiply(&i_u, u, &curve_numbers[CURVE_SQRT_M1]);
    field minus_u = field_negate(u), minus_i_u = field_negate(&i_u);
    lanes correct = field_equal(&check, u);
    lanes flipped = field_equal(&check, &minus_u);
    lanes flipped_i = field_equal(&check, &minus_i_u);
    field_multiply(&a, &root, &curve_numbers[CURVE_SQRT_M1]);
    root = field_select(lanes_or(flipped, flipped_i), &root, &a);
    *r = field_absolute(&root);
    return lanes_or(correct, flipped);
}

/* ---- Points ---- */

/* Extended coordinates: x = X / Z, y = Y / Z, X Y = Z T. All tight. */
typedef struct point {
    field x, y, z, t;
} point;

/* What an addition takes of its second operand: Y + X, Y - X, 2 d T, 2 Z. All tight. */
enum { PLUS, MINUS, T2D, Z2, CACHED_PARTS };
typedef struct point_cached {
    field part[CACHED_PARTS];
} point_cached;

static point point_identity(void)
{
    const field *numbers = curve_numbers;
    return (point){numbers[CURVE_ZERO], numbers[CURVE_ONE], numbers[CURVE_ONE], numbers[CURVE_ZERO]};
}

static void point_cache(point_cached *r, const point *p)
{
    field plus = field_add(&p->y, &p->x), minus = field_subtract(&p->y, &p->x), z2 = field_add(&p->z, &p->z);
    r->part[PLUS] = field_tighten(&plus);
    r->part[MINUS] = field_tighten(&minus);
    r->part[Z2] = field_tighten(&z2);
    field_multiply(&r->part[T2D], &p->t, &curve_numbers[CURVE_2D]);
}

/*
 * r = 2 p (Hisil, Wong, Carter, Dawson 2008, section 3.3, with both signs turned). T only if wanted: the next
 * doubling does not use it.
 */
LANES_CALL static void point_double(point *r, const point *p, int with_t)
{
    field_wide a, b, c, d;
    field_square_to(&a, &p->x);
    field_square_to(&b, &p->y);
    field_square_to(&c, &p->z);
    field_multiply_to(&d, &p->x, &p->y);
    field_wide e_wide = field_wide_add(&d, &d);      /* 2 X Y */
    field_wide h_wide = field_wide_add(&a, &b);      /* X^2 + Y^2 */
    field_wide g_wide = field_wide_subtract(&b, &a); /* Y^2 - X^2 */
    field_wide c2 = field_wide_add(&c, &c);
    c2 = field_wide_add(&c2, &a);
    field_wide f_wide = field_wide_subtract(&c2, &b); /* 2 Z^2 + X^2 - Y^2 */
    field e = field_reduce(&e_wide, 2), f = field_reduce(&f_wide, 2), g = field_reduce(&g_wide, 0),
          h = field_reduce(&h_wide, 2);
    field_multiply(&r->x, &e, &f);
    field_multiply(&r->y, &g, &h);
    field_multiply(&r->z, &f, &g);
    if (with_t)
        field_multiply(&r->t, &e, &h);
}

/* r = p + q, any p and q (same paper, section 3.1, a = -1). */
LANES_CALL static void point_add(point *r, const point *p, const point_cached *q, int with_t)
{
    field_wide a, b, c, d;
    field minus = field_subtract(&p->y, &p->x), plus = field_add(&p->y, &p->x);
    field_multiply_to(&a, &minus, &q->part[MINUS]);
    field_multiply_to(&b, &plus, &q->part[PLUS]);
    field_multiply_to(&c, &p->t, &q->part[T2D]);
    field_multiply_to(&d, &p->z, &q->part[Z2]);
    field_wide e_wide = field_wide_subtract(&b, &a), f_wide = field_wide_subtract(&d, &c),
               g_wide = field_wide_add(&d, &c), h_wide = field_wide_add(&b, &a);
    field e = field_reduce(&e_wide, 0), f = field_reduce(&f_wide, 0), g = field_reduce(&g_wide, 2),
          h = field_reduce(&h_wide, 2);
    field_multiply(&r->x, &e, &f);
    field_multiply(&r->y, &g, &h);
    field_multiply(&r->z, &f, &g);
    if (with_t)
        field_multiply(&r->t, &e, &h);
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

/* Section 4.3.1. All ones where the 32 bytes in w are a canonical encoding; elsewhere *r is some point that
 * nobody may use. The identity, zero, passes. */
LANES_CALL static lanes point_decode(point *r, const lanes w[4])
{
    const field *numbers = curve_numbers;
    lanes canonical[4], same, invalid;
    field s = field_from_words(w), ss, u1, u2, u1s, u2s, v, a, root, den_x, den_y;
    field_to_words(canonical, &s);
    same = lanes_equal(canonical[0], w[0]);
    for (int i = 1; i < 4; i++)
        same = lanes_and(same, lanes_equal(canonical[i], w[i]));
    invalid = lanes_or(lanes_not(same), words_negative(w));

    field_square(&ss, &s, 1);
    u1 = field_subtract(&numbers[CURVE_ONE], &ss);
    u2 = field_add(&numbers[CURVE_ONE], &ss);
    u1 = field_tighten(&u1);
    u2 = field_tighten(&u2);
    field_square(&u1s, &u1, 1);
    field_square(&u2s, &u2, 1);
    field_multiply(&a, &numbers[CURVE_D], &u1s);
    v = field_add(&a, &u2s);
    v = field_tighten(&v);
    v = field_negate(&v); /* -(d u1^2) - u2^2 */
    field_multiply(&a, &v, &u2s);
    invalid = lanes_or(invalid, lanes_not(field_sqrt_ratio(&root, &numbers[CURVE_ONE], &a)));
    field_multiply(&den_x, &root, &u2);
    field_multiply(&a, &root, &den_x);
    field_multiply(&den_y, &a, &v);
    field_multiply(&a, &s, &den_x);
    a = field_add(&a, &a);
    a = field_tighten(&a);
    r->x = field_absolute(&a);
    field_multiply(&r->y, &u1, &den_y);
    r->z = numbers[CURVE_ONE];
    field_multiply(&r->t, &r->x, &r->y);
    invalid = lanes_or(invalid, field_negative(&r->t));
    return lanes_not(lanes_or(invalid, field_zero(&r->y)));
}

/* Section 4.3.2. */
LANES_CALL static void point_encode(lanes w[4], const point *p)
{
    const field *numbers = curve_numbers;
    field a = field_add(&p->z, &p->y), b = field_subtract(&p->z, &p->y), u1, u2, root, den1, den2, z_inverse,
          ix, iy, enchanted;
    a = field_tighten(&a);
    field_multiply(&u1, &a, &b);
    field_multiply(&u2, &p->x, &p->y);
    field_square(&a, &u2, 1);
    field_multiply(&a, &a, &u1);
    (void)field_sqrt_ratio(&root, &numbers[CURVE_ONE], &a);
    field_multiply(&den1, &root, &u1);
    field_multiply(&den2, &root, &u2);
    field_multiply(&a, &den1, &den2);
    field_multiply(&z_inverse, &a, &p->t);
    field_multiply(&ix, &p->x, &numbers[CURVE_SQRT_M1]);
    field_multiply(&iy, &p->y, &numbers[CURVE_SQRT_M1]);
    field_multiply(&enchanted, &den1, &numbers[CURVE_INVSQRT_A_MINUS_D]);
    field_multiply(&a, &p->t, &z_inverse);
    lanes rotate = field_negative(&a);
    field x = field_select(rotate, &p->x, &iy), y = field_select(rotate, &p->y, &ix);
    field den = field_select(rotate, &den2, &enchanted);
    field_multiply(&a, &x, &z_inverse);
    y = field_negate_if(field_negative(&a), &y);
    a = field_subtract(&p->z, &y);
    field_multiply(&a, &den, &a);
    a = field_absolute(&a);
    field_to_words(w, &a);
}

/* MAP of section 4.3.4 on 255 bits of w. */
LANES_CALL static void point_map(point *p, const lanes w[4])
{
    const field *numbers = curve_numbers, *one = &numbers[CURVE_ONE];
    field t = field_from_words(w), r, u, v, a, b, s, c, n;
    field_square(&a, &t, 1);
    field_multiply(&r, &a, &numbers[CURVE_SQRT_M1]);
    a = field_add(&r, one);
    field_multiply(&u, &a, &numbers[CURVE_ONE_MINUS_D_SQ]);
    field_multiply(&a, &r, &numbers[CURVE_D]);
    a = field_add(&a, one);
    a = field_tighten(&a);
    a = field_negate(&a);
    b = field_add(&r, &numbers[CURVE_D]);
    field_multiply(&v, &a, &b); /* (-1 - r d) (r + d) */
    lanes square = field_sqrt_ratio(&s, &u, &v);
    field_multiply(&a, &s, &t);
    a = field_absolute(&a);
    a = field_negate(&a);
    s = field_select(square, &a, &s);
    a = field_negate(one);
    c = field_select(square, &r, &a);
    a = field_subtract(&r, one);
    field_multiply(&n, &c, &a);
    field_multiply(&n, &n, &numbers[CURVE_D_MINUS_ONE_SQ]);
    n = field_subtract(&n, &v);
    n = field_tighten(&n);

    field w0, w1, w2, w3;
    a = field_add(&s, &s);
    field_multiply(&w0, &a, &v);
    field_multiply(&w1, &n, &numbers[CURVE_SQRT_AD_MINUS_ONE]);
    field_square(&a, &s, 1);
    w2 = field_subtract(one, &a);
    w3 = field_add(one, &a);
    w2 = field_tighten(&w2);
    w3 = field_tighten(&w3);
    field_multiply(&p->x, &w0, &w3);
    field_multiply(&p->y, &w2, &w1);
    field_multiply(&p->z, &w1, &w3);
    field_multiply(&p->t, &w0, &w2);
}

/*
 * Encodings of 2 p[i] for a batch, with one inversion for all (Hamburg's doubling formula; the product of all
 * denominators and back, Montgomery 1987). With e = 2 X Y, f = Z^2 + d T^2, g = Y^2 + X^2, h = Z^2 - d T^2
 * the double is (e f : g h : f h : e g); 1 / (e f g h) gives every quotient that section 4.3.2 takes a square
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
        field_wide xx, yy, zz, tt;
        field e, f, g, h;
        field_square(&a, &p[i].t, 1);
        field_multiply_to(&tt, &a, &numbers[CURVE_D]);
        field_square_to(&xx, &p[i].x);
        field_square_to(&yy, &p[i].y);
        field_square_to(&zz, &p[i].z);
        a = field_add(&p[i].x, &p[i].x);
        field_multiply(&e, &a, &p[i].y);
        field_wide f_wide = field_wide_add(&zz, &tt), g_wide = field_wide_add(&yy, &xx),
                   h_wide = field_wide_subtract(&zz, &tt);
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
        field e = p[i].x, f = p[i].y, g = p[i].z, h = p[i].t, eg, fh, own, z_inverse, t_inverse;
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
