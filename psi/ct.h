/* SPDX-License-Identifier: Apache-2.0 */
/* Constant-time helpers and the marks of the secrecy check: where secrets are born and where they are
 * released. */
#ifndef PSI_CT_H
#define PSI_CT_H

#include <stddef.h>
#include <stdint.h>

#ifdef PSI_CTGRIND
#include <valgrind/memcheck.h>
/* Marks len bytes secret: a branch or an address that depends on them is an error under valgrind. */
#define PSI_SECRET(p, len) ((void)VALGRIND_MAKE_MEM_UNDEFINED((p), (len)))
/* Releases len bytes; the comment beside each use gives the reason. */
#define PSI_DECLASSIFY(p, len) ((void)VALGRIND_MAKE_MEM_DEFINED((p), (len)))
#else
#define PSI_SECRET(p, len) ((void)(p), (void)(len))
#define PSI_DECLASSIFY(p, len) ((void)(p), (void)(len))
#endif

/* Keeps the compiler from learning that x is 0 or all ones, so that masked selections stay selections. */
static inline uint64_t psi_ct_barrier(uint64_t x)
{
#if defined(__GNUC__)
    __asm__("" : "+r"(x));
#endif
    return x;
}

/* All ones if a[0..len) equals b[0..len), else 0; time depends on len only. */
uint64_t psi_ct_equal(const void *a, const void *b, size_t len);

#endif
