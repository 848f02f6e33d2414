/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/tagsize.h"

unsigned psi_log2_ceil(uint64_t n)
{
    return n <= 1 ? 0 : 64u - (unsigned)__builtin_clzll(n - 1);
}

size_t psi_tag_bytes(uint64_t nx, uint64_t ny)
{
    size_t bytes = (PSI_STAT_BITS + psi_log2_ceil(nx) + psi_log2_ceil(ny) + 7) / 8;
    return bytes < PSI_TAG_MAX ? bytes : PSI_TAG_MAX;
}
