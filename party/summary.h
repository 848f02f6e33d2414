/* SPDX-License-Identifier: Apache-2.0 */
/* What a run reports, for the summary and the ledger. */
#ifndef PARTY_SUMMARY_H
#define PARTY_SUMMARY_H

#include "party/session.h"
#include <jansson.h>

/* The terms of the run as docs/summary.md has them; NULL when memory is short. */
json_t *party_terms_json(const tally_session *s);
/* Implementations in use, as `tally version` has them. NULL when memory is short. */
json_t *party_backends_json(void);
/* Indented text of j, which is released; free(). NULL for NULL, or when memory is short. */
char *party_json_text(json_t *j);

#endif
