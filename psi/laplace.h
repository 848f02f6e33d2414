/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Noise for counts and sums: takes a stream and a scale, gives an integer Z with P(Z = z) proportional to
 * exp(-|z| / scale), and the sizes that go with it. Canonne, Kamath, Steinke, "The Discrete Gaussian for
 * Differential Privacy" (2020), algorithms 1 and 2, integers only: rounding floating-point noise gives the
 * data away (Mironov 2012). Called by party.
 */
#ifndef PSI_LAPLACE_H
#define PSI_LAPLACE_H

#include "psi/rng.h"
#include "psi/wide.h"

#define PSI_LAPLACE_SCALE_MAX ((psi_uwide)1 << 112)
#define PSI_EPSILON_MIN 1000u      /* in millionths: 0.001 */
#define PSI_EPSILON_MAX 100000000u /* 100 */

/*
 * *out: Z under the condition |Z| <= bound, 1 <= scale <= PSI_LAPLACE_SCALE_MAX, bound >= 0. Drawn again
 * otherwise: bound >= 28 * scale makes that a matter of 2^-40. The distance to the exact distribution is
 * below 2^-100. Time depends on scale, bound and discarded draws only. Secret, as what comes of a psi_prg.
 */
void psi_laplace(psi_wide *out, psi_prg *prg, psi_uwide scale, psi_wide bound);

/*
 * ceil(sensitivity * parts * 10^6 / epsilon_micro), at least 1: the scale that makes one of `parts` results
 * private, when they share an epsilon. sensitivity < 2^97, 1 <= parts <= 2^10, epsilon_micro within the
 * limits above. Saturates: PSI_LAPLACE_SCALE_MAX stands for any larger scale too, whose noise psi_laplace
 * does not give, so the caller refuses it.
 */
psi_uwide psi_laplace_scale(psi_uwide sensitivity, uint64_t parts, uint64_t epsilon_micro);

/*
 * Number of dummies tau that hides a count but for delta = 10^-6, with psi_laplace(.., psi_laplace_scale(1,
 * 1, epsilon_micro), tau) of them used: ceil(ln(2 / (delta (1 + e^-eps))) / eps), where eps = 1 / scale is
 * what the rounded scale gives, at most the epsilon asked for. Public, and the same on both sides.
 */
unsigned psi_dummies(uint64_t epsilon_micro);

#endif
