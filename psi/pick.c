/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/pick.h"

#include "psi/cpu.h"
#include "psi/ct.h"
#include "psi/mem.h"
#include "psi/verify.h"
#include <pthread.h>
#include <string.h>

enum { ROWS = PSI_PICK_ROWS, LIMBS = PSI_PICK_LIMBS };

/* Two limbs: any 64-bit processor's vectors hold them. */
typedef mp_limb_t pair __attribute__((vector_size(16)));

static void rows_portable(psi_pick_entry *out, const psi_pick_entry *table, size_t entries,
                          const uint64_t *index)
{
    pair mask[PSI_PICK_MAX][ROWS];
    PSI_CHECK(entries <= PSI_PICK_MAX);
    for (size_t e = 0; e < entries; e++)
        for (size_t u = 0; u < ROWS; u++)
            mask[e][u] = (pair){0, 0} + psi_ct_barrier(0 - (((e ^ index[u]) - 1) >> 63));
    for (size_t k = 0; k < LIMBS; k += 2) {
        pair x[ROWS] = {{0}};
        for (size_t e = 0; e < entries; e++) {
            pair entry;
            memcpy(&entry, table[e] + k, sizeof entry);
            for (size_t u = 0; u < ROWS; u++)
                x[u] |= entry & mask[e][u];
        }
        for (size_t u = 0; u < ROWS; u++)
            memcpy(out[u] + k, &x[u], sizeof x[u]);
    }
    psi_wipe(mask, sizeof mask);
}

static const psi_pick_backend portable = {"portable", rows_portable};

static const psi_pick_backend *backends[2] = {&portable};
static size_t backend_count = 1;
static const psi_pick_backend *chosen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void choose(void)
{
    chosen = &portable;
#if defined(__x86_64__)
    if (psi_cpu_all() & PSI_CPU_AVX2)
        backends[backend_count++] = &psi_pick_avx2;
    if (psi_cpu() & PSI_CPU_AVX2)
        chosen = &psi_pick_avx2;
#endif
}

const psi_pick_backend *psi_pick(void)
{
    pthread_once(&once, choose);
    return chosen;
}

const psi_pick_backend *const *psi_pick_backends(size_t *count)
{
    pthread_once(&once, choose);
    *count = backend_count;
    return backends;
}
