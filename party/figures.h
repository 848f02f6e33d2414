/* SPDX-License-Identifier: Apache-2.0 */
/* What a count or a sum came to, for the caller, the summary and the closing sentence. Takes the
 * party_aggregate of a session that has ended; called by party/summary. */
#ifndef PARTY_FIGURES_H
#define PARTY_FIGURES_H

#include "party/session.h"
#include <jansson.h>

/* 1 if this side learned the figures. */
int party_figures_learned(const tally_session *s);
/* The count, with noise a noisy one. */
int64_t party_figures_count(const party_aggregate *a);
/* Appends the closing sentence of a count or a sum. */
void party_figures_sentence(const tally_session *session, party_sentence *s);
/* The figures, or NULL when this side learned none. */
json_t *party_figures_json(const tally_session *s);

#endif
