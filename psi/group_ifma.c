/* SPDX-License-Identifier: Apache-2.0 */
/* The group over eight lanes of 52-bit multiply-add: AVX-512 F, DQ and IFMA. */
#if defined(__x86_64__) && !defined(PSI_WITHOUT_IFMA)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "psi/ct.h"
#include "psi/digits.h"
#include "psi/group_backends.h"
#include "psi/mem.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512ifma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512ifma")
#endif

#define LANES 8
#define LANES_CALL __attribute__((noinline))
#define LANES_INLINE inline __attribute__((always_inline))

typedef __m512i lanes;

static inline lanes lanes_set(uint64_t x)
{
    return _mm512_set1_epi64((long long)x);
}

static inline lanes lanes_add(lanes a, lanes b)
{
    return _mm512_add_epi64(a, b);
}

static inline lanes lanes_sub(lanes a, lanes b)
{
    return _mm512_sub_epi64(a, b);
}

static inline lanes lanes_and(lanes a, lanes b)
{
    return _mm512_and_si512(a, b);
}

static inline lanes lanes_or(lanes a, lanes b)
{
    return _mm512_or_si512(a, b);
}

static inline lanes lanes_xor(lanes a, lanes b)
{
    return _mm512_xor_si512(a, b);
}

static inline lanes lanes_left(lanes a, unsigned n)
{
    return _mm512_slli_epi64(a, n);
}

static inline lanes lanes_right(lanes a, unsigned n)
{
    return _mm512_srli_epi64(a, n);
}

static inline lanes lanes_equal(lanes a, lanes b)
{
    return _mm512_movm_epi64(_mm512_cmpeq_epi64_mask(a, b));
}

/* mask ? b : a, bit by bit. */
static inline lanes lanes_select(lanes mask, lanes a, lanes b)
{
    return _mm512_ternarylogic_epi64(mask, b, a, 0xca);
}

typedef __mmask8 choice;

static inline choice choice_equal(lanes a, lanes b)
{
    return _mm512_cmpeq_epi64_mask(a, b);
}

static inline lanes choice_first(choice c, lanes x)
{
    (void)c; /* where it does not hold another does */
    return x;
}

static inline lanes choice_next(lanes y, choice c, lanes x)
{
    return _mm512_mask_mov_epi64(y, c, x);
}

static inline lanes lanes_digit(const int8_t *p)
{
    return _mm512_cvtepi8_epi64(_mm_loadl_epi64((const void *)p));
}

static inline lanes lanes_load(const uint64_t *p)
{
    return _mm512_loadu_si512(p);
}

static inline void lanes_store(uint64_t *p, lanes x)
{
    _mm512_storeu_si512(p, x);
}

/* Read where it is needed: compilers would make it of general registers, by a port that additions want. */
static inline lanes lanes_everywhere(const uint64_t *x)
{
    lanes r;
    __asm__("vpbroadcastq %1, %0" : "=v"(r) : "m"(*x));
    return r;
}

static inline lanes lanes_low(lanes r, lanes a, lanes b)
{
    return _mm512_madd52lo_epu64(r, a, b);
}

static inline lanes lanes_high(lanes r, lanes a, lanes b)
{
    return _mm512_madd52hi_epu64(r, a, b);
}

static inline lanes lanes_factor(lanes x)
{
    return x;
}

#include "psi/field_ifma.h"

#include "psi/curve_lanes.h"

#include "psi/group_lanes.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

const psi_group_backend psi_group_ifma = GROUP_BACKEND("ifma");

#else
typedef int psi_group_ifma_not_built; /* a translation unit is never empty */
#endif
