/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants: checked in test builds (PSI_VERIFY), not compiled otherwise. Never for input or peers' bytes.
 */
#ifndef PSI_VERIFY_H
#define PSI_VERIFY_H

#ifdef PSI_VERIFY
#include <stdio.h>
#include <stdlib.h>
#define PSI_CHECK(condition)                                                                                 \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: invariant failed: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)
#else
#define PSI_CHECK(condition) ((void)0)
#endif

#endif
