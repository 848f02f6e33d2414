/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support_curve.h"

size_t unit_groups(const psi_group_backend *out[UNIT_GROUPS_MAX])
{
    static int ready;
    size_t count;
    const psi_group_backend *const *all = psi_group_backends(&count);
    for (size_t i = 0; i < count; i++)
        out[i] = all[i];
    if (!ready) {
        unit_group_fma4.prepare();
        unit_group_ifma8.prepare();
    }
    ready = 1;
    out[count] = &unit_group_fma4;
    out[count + 1] = &unit_group_ifma8;
    return count + UNIT_GROUPS_IN_C;
}
