/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/budget.h"

static void *budget_alloc(void *data, size_t size)
{
    wire_budget *b = data;
    if (size > b->left) {
        b->over = 1;
        return NULL;
    }
    b->left -= size;
    void *p = psi_calloc(1, size);
    b->empty |= !p;
    return p;
}

static void budget_free(void *data, void *p)
{
    (void)data;
    psi_free(p);
}

void wire_budget_init(wire_budget *b)
{
    *b = (wire_budget){.left = WIRE_PARSE_MAX,
                       .allocator = {.alloc = budget_alloc, .free = budget_free, .allocator_data = b}};
}

tally_status wire_budget_failed(const wire_budget *b, const char **why, const char *too_many,
                                const char *broken)
{
    if (b->empty)
        return TALLY_ERR_NO_MEMORY;
    *why = b->over ? too_many : broken;
    return TALLY_ERR_MALFORMED;
}
