/* SPDX-License-Identifier: Apache-2.0 */
/* What this processor and operating system can run: asked once. Backends of every primitive choose by it. */
#ifndef PSI_CPU_H
#define PSI_CPU_H

enum psi_cpu {
    PSI_CPU_SHA = 1,    /* SHA extensions with SSE4.1 */
    PSI_CPU_AVX2 = 4,   /* with saved YMM state */
    PSI_CPU_AVX512 = 2, /* F, BW, VL, DQ with saved ZMM state, VAES, GFNI, VPCLMULQDQ */
};

/* Set of enum psi_cpu. Zero on other architectures, and when TALLY_BACKEND=portable is in the environment. */
unsigned psi_cpu(void);
/* The same without a look at the environment: what tests may run. */
unsigned psi_cpu_all(void);

#endif
