/* SPDX-License-Identifier: Apache-2.0 */
/* Carry-less products by PCLMULQDQ, with one reduction for the eight terms of a block. */
#include "psi/gf128.h"

#if defined(__x86_64__)

#include "psi/verify.h"

#include <immintrin.h>

#define TARGET __attribute__((target("pclmul")))

enum { BLOCK = 8 };

/* Unreduced sum of products: low, middle (shifted by 64) and high 128 bits. */
typedef struct sums {
    __m128i low, middle, high;
} sums;

TARGET static inline __m128i load(const psi_gf128 *a)
{
    return _mm_loadu_si128((const void *)a);
}

TARGET static inline void add_product(sums *s, __m128i a, __m128i b)
{
    s->low = _mm_xor_si128(s->low, _mm_clmulepi64_si128(a, b, 0x00));
    s->high = _mm_xor_si128(s->high, _mm_clmulepi64_si128(a, b, 0x11));
    s->middle = _mm_xor_si128(
        s->middle, _mm_xor_si128(_mm_clmulepi64_si128(a, b, 0x01), _mm_clmulepi64_si128(a, b, 0x10)));
}

/* The high half times 0x87, and what that pushes over x^128 (7 bits) once more. */
TARGET static inline __m128i reduce(const sums *s)
{
    const __m128i poly = _mm_set_epi64x(0, 0x87);
    __m128i low = _mm_xor_si128(s->low, _mm_slli_si128(s->middle, 8));
    __m128i high = _mm_xor_si128(s->high, _mm_srli_si128(s->middle, 8));
    __m128i upper = _mm_clmulepi64_si128(high, poly, 0x01);
    low = _mm_xor_si128(low, _mm_clmulepi64_si128(high, poly, 0x00));
    low = _mm_xor_si128(low, _mm_slli_si128(upper, 8));
    return _mm_xor_si128(low, _mm_clmulepi64_si128(upper, poly, 0x01));
}

TARGET static inline __m128i product(__m128i a, __m128i b)
{
    const __m128i zero = _mm_setzero_si128();
    sums s = {zero, zero, zero};
    add_product(&s, a, b);
    return reduce(&s);
}

TARGET static inline psi_gf128 element(__m128i a)
{
    psi_gf128 out;
    _mm_storeu_si128((void *)&out, a);
    return out;
}

TARGET static psi_gf128 product_clmul(psi_gf128 a, psi_gf128 b)
{
    return element(product(load(&a), load(&b)));
}

/* Horner's rule block by block: value = value * x^8 + (c[j] + c[j + 1] x + .. + c[j + 7] x^7). */
TARGET static psi_gf128 value_clmul(psi_gf128 x, const psi_gf128 *c, size_t count)
{
    const __m128i zero = _mm_setzero_si128();
    __m128i power[BLOCK + 1];
    size_t whole = count / BLOCK * BLOCK, powers = whole ? BLOCK : count - 1;
    PSI_CHECK(count >= 1);
    power[0] = _mm_set_epi64x(0, 1);
    power[1] = load(&x);
    for (size_t r = 2; r <= powers; r++)
        power[r] = product(power[r / 2], power[r - r / 2]);
    sums s = {zero, zero, zero};
    for (size_t r = 0; r < count - whole; r++)
        add_product(&s, load(c + whole + r), power[r]);
    __m128i value = reduce(&s);
    for (size_t j = whole; j > 0;) {
        j -= BLOCK;
        s = (sums){load(c + j), zero, zero};
        add_product(&s, value, power[BLOCK]);
        for (size_t r = 1; r < BLOCK; r++)
            add_product(&s, load(c + j + r), power[r]);
        value = reduce(&s);
    }
    return element(value);
}

const psi_gf128_backend psi_gf128_clmul = {.name = "clmul", .product = product_clmul, .value = value_clmul};

#else
typedef int psi_gf128_clmul_not_built; /* a translation unit is never empty */
#endif
