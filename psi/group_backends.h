/* SPDX-License-Identifier: Apache-2.0 */
/* The tables that psi/group.c chooses from, one line for each backend. Not for others: call psi_group(). */
#ifndef PSI_GROUP_BACKENDS_H
#define PSI_GROUP_BACKENDS_H

#include "psi/group.h"

extern const psi_group_backend psi_group_portable; /* psi/group_sodium.c */

#endif
