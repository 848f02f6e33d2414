/* SPDX-License-Identifier: Apache-2.0 */
/* Every backend of the look-ups gives the entries asked for, and the portable one is among them. */
#include "psi/pick.h"
#include "tests/unit.h"

#include <string.h>

static void test_rows(void)
{
    static psi_pick_entry table[PSI_PICK_MAX], out[PSI_PICK_ROWS];
    size_t count, wrong = 0;
    const psi_pick_backend *const *all = psi_pick_backends(&count);
    CU_ASSERT_STRING_EQUAL(all[0]->name, "portable");
    for (size_t b = 0; b < count; b++)
        for (size_t entries = 1; entries <= PSI_PICK_MAX; entries++) {
            uint64_t index[PSI_PICK_ROWS];
            unit_random(table, sizeof table);
            unit_random(out, sizeof out);
            for (size_t u = 0; u < PSI_PICK_ROWS; u++)
                index[u] = unit_below((uint32_t)entries);
            index[0] = 0;
            index[PSI_PICK_ROWS - 1] = entries - 1;
            all[b]->rows(out, (const psi_pick_entry *)table, entries, index);
            for (size_t u = 0; u < PSI_PICK_ROWS; u++)
                wrong += memcmp(out[u], table[index[u]], sizeof out[u]) != 0;
        }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(psi_pick() == all[0] || psi_pick() == all[count - 1]);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"rows", test_rows}};
    return unit_main(argc, argv, "psi_pick", tests, sizeof tests / sizeof *tests);
}
