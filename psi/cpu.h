/* SPDX-License-Identifier: Apache-2.0 */
/* What this processor and operating system can run: asked once. Backends of every primitive choose by it. */
#ifndef PSI_CPU_H
#define PSI_CPU_H

enum psi_cpu {
    PSI_CPU_SHA = 1,       /* SHA extensions with SSE4.1 */
    PSI_CPU_AVX512 = 2,    /* F, BW, VL, DQ with saved ZMM state, VAES, GFNI, VPCLMULQDQ */
    PSI_CPU_CLMUL = 4,     /* PCLMULQDQ */
    PSI_CPU_AVX2 = 8,      /* with saved YMM state */
    PSI_CPU_FMA = 16,      /* with saved YMM state */
    PSI_CPU_IFMA = 32,     /* AVX-512's, with saved ZMM state */
    PSI_CPU_AES = 64,      /* AES-NI */
    PSI_CPU_VAES = 128,    /* of AVX2's width, with saved YMM state */
    PSI_CPU_VPCLMUL = 256, /* of AVX2's width, with saved YMM state */
};

/* Set of enum psi_cpu. Zero on other architectures. TALLY_BACKEND=avx2 in the environment takes the AVX-512
 * ones out, "ifma" and "avx512" none; any other value, "portable" being the one to use, takes all out: who
 * sets it wants less than there is. */
unsigned psi_cpu(void);
/* The same without a look at the environment: what tests may run. */
unsigned psi_cpu_all(void);

#endif
