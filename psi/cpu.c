/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/cpu.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

static int bits(unsigned value, unsigned wanted)
{
    return (value & wanted) == wanted;
}

unsigned psi_cpu_all(void)
{
    unsigned a, b, c, d, found = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return 0;
    int sse41 = bits(c, bit_SSE4_1), osxsave = bits(c, bit_OSXSAVE), avx = bits(c, bit_AVX);
    if (bits(c, bit_PCLMUL))
        found |= PSI_CPU_CLMUL;
    if (bits(c, bit_AES))
        found |= PSI_CPU_AES;
    int fma = bits(c, bit_FMA);
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return found;
    if (sse41 && bits(b, bit_SHA))
        found |= PSI_CPU_SHA;
    if (!osxsave)
        return found;
    /* XCR0: SSE, AVX, opmask, upper halves and upper registers of ZMM are saved by the operating system. */
    unsigned lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    int ymm = bits(lo, 0x06) && avx, zmm = bits(lo, 0xe6);
    if (ymm && bits(b, bit_AVX2))
        found |= PSI_CPU_AVX2;
    if (ymm && fma)
        found |= PSI_CPU_FMA;
    if (ymm && bits(c, bit_VAES))
        found |= PSI_CPU_VAES;
    if (ymm && bits(c, bit_VPCLMULQDQ))
        found |= PSI_CPU_VPCLMUL;
    if (zmm && bits(b, bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ) &&
        bits(c, bit_VAES | bit_GFNI | bit_VPCLMULQDQ))
        found |= PSI_CPU_AVX512;
    if (zmm && bits(b, bit_AVX512F | bit_AVX512IFMA))
        found |= PSI_CPU_IFMA;
    return found;
}
#else
unsigned psi_cpu_all(void)
{
    return 0;
}
#endif

unsigned psi_cpu(void)
{
    const char *wanted = getenv("TALLY_BACKEND");
    if (!wanted || !*wanted || strcmp(wanted, "ifma") == 0 || strcmp(wanted, "avx512") == 0)
        return psi_cpu_all();
    if (strcmp(wanted, "avx2") == 0)
        return psi_cpu_all() & ~(unsigned)(PSI_CPU_AVX512 | PSI_CPU_IFMA);
    return 0;
}
