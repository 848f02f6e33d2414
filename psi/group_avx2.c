/* SPDX-License-Identifier: Apache-2.0 */
/* The group over four lanes of double precision: AVX2 and FMA. */
#if defined(__x86_64__) && !defined(PSI_WITHOUT_AVX2)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "psi/ct.h"
#include "psi/digits.h"
#include "psi/group_backends.h"
#include "psi/mem.h"

#ifdef __FAST_MATH__
#error "psi/field_fma.h needs sums of doubles as they are written: no -ffast-math"
#endif

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

#define LANES 4
#define LANES_CALL __attribute__((noinline))
#define LANES_INLINE inline __attribute__((always_inline))

typedef __m256i lanes;
typedef __m256d reals;

static inline lanes lanes_set(uint64_t x)
{
    return _mm256_set1_epi64x((long long)x);
}

static inline lanes lanes_add(lanes a, lanes b)
{
    return _mm256_add_epi64(a, b);
}

static inline lanes lanes_sub(lanes a, lanes b)
{
    return _mm256_sub_epi64(a, b);
}

static inline lanes lanes_and(lanes a, lanes b)
{
    return _mm256_and_si256(a, b);
}

static inline lanes lanes_or(lanes a, lanes b)
{
    return _mm256_or_si256(a, b);
}

static inline lanes lanes_xor(lanes a, lanes b)
{
    return _mm256_xor_si256(a, b);
}

static inline lanes lanes_left(lanes a, int n)
{
    return _mm256_slli_epi64(a, n);
}

static inline lanes lanes_right(lanes a, int n)
{
    return _mm256_srli_epi64(a, n);
}

static inline lanes lanes_multiply32(lanes a, lanes b)
{
    return _mm256_mul_epu32(a, b);
}

static inline lanes lanes_equal(lanes a, lanes b)
{
    return _mm256_cmpeq_epi64(a, b);
}

static inline lanes lanes_select(lanes mask, lanes a, lanes b)
{
    return _mm256_blendv_epi8(a, b, mask);
}

/* One of several of which the others are 0. */
typedef lanes choice;

static inline choice choice_equal(lanes a, lanes b)
{
    return lanes_equal(a, b);
}

static inline lanes choice_first(choice c, lanes x)
{
    return lanes_and(c, x);
}

static inline lanes choice_next(lanes y, choice c, lanes x)
{
    return lanes_or(y, lanes_and(c, x));
}

static inline lanes lanes_digit(const int8_t *p)
{
    return _mm256_cvtepi8_epi64(_mm_loadu_si32(p));
}

static inline lanes lanes_load(const uint64_t *p)
{
    return _mm256_loadu_si256((const void *)p);
}

static inline void lanes_store(uint64_t *p, lanes x)
{
    _mm256_storeu_si256((void *)p, x);
}

static inline reals reals_set(double x)
{
    return _mm256_set1_pd(x);
}

static inline reals reals_add(reals a, reals b)
{
    return _mm256_add_pd(a, b);
}

static inline reals reals_sub(reals a, reals b)
{
    return _mm256_sub_pd(a, b);
}

static inline reals lanes_as_reals(lanes a)
{
    return _mm256_castsi256_pd(a);
}

static inline lanes reals_as_lanes(reals a)
{
    return _mm256_castpd_si256(a);
}

/* The same number in all lanes, read where it is needed: compilers would make it of general registers. */
static inline lanes lanes_everywhere(const uint64_t *x)
{
    lanes r;
    __asm__("vpbroadcastq %1, %0" : "=x"(r) : "m"(*x));
    return r;
}

static inline reals reals_everywhere(const double *x)
{
    reals r;
    __asm__("vbroadcastsd %1, %0" : "=x"(r) : "m"(*x));
    return r;
}

/*
 * h = a b + C, l = a b + (C + 3 * 2^51 - h); low and high get both added, or one of them or both are set. In
 * assembly since compilers gather the sums of a whole product at its end and run out of registers.
 */
#define LANES_SPLIT                                                                                          \
    "vfmadd231pd %[b], %[a], %[h]\n\t"                                                                       \
    "vsubpd %[h], %[both], %[l]\n\t"                                                                         \
    "vfmadd231pd %[b], %[a], %[l]\n\t"

static inline void lanes_product_set(reals a, const reals *b, reals split, reals both, lanes *low,
                                     lanes *high)
{
    reals h = split, l;
    __asm__(LANES_SPLIT : [h] "+&x"(h), [l] "=&x"(l) : [a] "x"(a), [b] "m"(*b), [both] "x"(both));
    *low = _mm256_castpd_si256(l);
    *high = _mm256_castpd_si256(h);
}

static inline void lanes_product_high(reals a, const reals *b, reals split, reals both, lanes *low,
                                      lanes *high)
{
    reals h = split, l;
    __asm__(LANES_SPLIT "vpaddq %[l], %[low], %[low]"
            : [h] "+&x"(h), [l] "=&x"(l), [low] "+&x"(*low)
            : [a] "x"(a), [b] "m"(*b), [both] "x"(both));
    *high = _mm256_castpd_si256(h);
}

static inline void lanes_product(reals a, const reals *b, reals split, reals both, lanes *low, lanes *high)
{
    reals h = split, l;
    __asm__("vfmadd231pd %[b], %[a], %[h]\n\t"
            "vsubpd %[h], %[both], %[l]\n\t"
            "vpaddq %[h], %[high], %[high]\n\t"
            "vfmadd231pd %[b], %[a], %[l]\n\t"
            "vpaddq %[l], %[low], %[low]"
            : [h] "+&x"(h), [l] "=&x"(l), [low] "+&x"(*low), [high] "+&x"(*high)
            : [a] "x"(a), [b] "m"(*b), [both] "x"(both));
}

#include "psi/field_fma.h"

#include "psi/curve_lanes.h"

#include "psi/group_lanes.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

const psi_group_backend psi_group_avx2 = GROUP_BACKEND("avx2");

#else
typedef int psi_group_avx2_not_built; /* a translation unit is never empty */
#endif
