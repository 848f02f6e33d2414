/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terms of a run: takes what both sides said in hello 1, gives every difference by name. Nothing here
 * derives from a list. Called by party/greeting.
 */
#ifndef PARTY_TERMS_H
#define PARTY_TERMS_H

#include "party/columns.h"

/* Where they agree on columns, *form. TALLY_ERR_INCOMPATIBLE: the message names each field that differs. */
tally_status party_terms_compare(const wire_terms *mine, const wire_terms *theirs, party_form *form,
                                 tally_error *error) TALLY_MUST_CHECK;

#endif
