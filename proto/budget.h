/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of one parse by protobuf-c: all of it from psi_calloc, at most WIRE_PARSE_MAX bytes in total. */
#ifndef WIRE_BUDGET_H
#define WIRE_BUDGET_H

#include "proto/limits.h"
#include "psi/mem.h"
#include "psi/tally-status.h"
#include <protobuf-c/protobuf-c.h>

typedef struct wire_budget {
    size_t left;
    int over;  /* a request went past the limit */
    int empty; /* psi_calloc gave nothing */
    ProtobufCAllocator allocator;
} wire_budget;

/* budget stays where it is until the message is freed. */
void wire_budget_init(wire_budget *budget);
/* Why protobuf-c gave no message. */
tally_status wire_budget_failed(const wire_budget *budget, const char **why, const char *too_many,
                                const char *broken);

#endif
