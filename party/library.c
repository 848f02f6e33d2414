/* SPDX-License-Identifier: Apache-2.0 */
/* The library as a whole: its version as a number, and where its memory comes from. */
#include "party/error.h"
#include "psi/mem.h"

uint32_t tally_version_number(void)
{
    return TALLY_VERSION_NUMBER;
}

tally_status tally_set_allocator(void *(*alloc)(void *user, size_t bytes),
                                 void (*release)(void *user, void *memory), void *user, tally_error *error)
{
    if (!alloc != !release)
        return party_fail(error, TALLY_ERR_USAGE,
                          "an allocator is a function that allocates and one that frees");
    if (psi_mem_set(alloc, release, user))
        return TALLY_OK;
    party_fail(error, TALLY_ERR_USAGE, "the allocator is set too late: memory was allocated already");
    party_hint(error, "call tally_set_allocator before any other function of the library");
    return TALLY_ERR_USAGE;
}
