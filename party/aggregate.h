/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts and sums over the overlap (docs/protocol-count.md, docs/protocol-sum.md): who does what, who learns
 * what, every size, and the figures that come of it. Settled by party/session before and after the hellos,
 * worked on by the two spines party/computing and party/other.
 *
 *   the computing side   finds how many match, and adds up what the other side has encrypted
 *   the other side       answers for its items; at a sum it owns the values: encrypts, and decrypts the sums
 */
#ifndef PARTY_AGGREGATE_H
#define PARTY_AGGREGATE_H

#include "party/run.h"
#include "proto/hello.h"
#include "psi/aggregate.h"
#include "psi/ahe.h"
#include "psi/rng.h"

typedef struct party_aggregate {
    /* agreed in hello 1 */
    int sum;                            /* 1: sum, 0: count */
    int computing;                      /* this side's part */
    int computing_learns, other_learns; /* the figures; at a count the computing side always does */
    uint64_t minimum;                   /* overlap, 0: none */
    uint64_t epsilon_micro;             /* noise, 0: none */
    uint32_t dummies;                   /* tau of a batch */
    const wire_terms *owner, *adder;    /* terms of the other side and of the computing side */
    psi_aggregate form;                 /* sum: columns of the owner */
    size_t columns;                     /* psi_agg_columns */
    size_t groups;                      /* batches of the computing side: bands of its own column, or 1 */
    unsigned parts;                     /* enum party_part */

    /* known after hello 2 */
    uint64_t batch[PSI_AHE_GROUPS_MAX]; /* identifiers of the computing side in each group, without dummies */
    size_t masked, others;              /* entries of the two sides, dummies included */
    psi_ahe_plan plan;                  /* sum */

    /* the run */
    const int64_t *numbers; /* own, per item; the owner's values and bands, the computing side's one band */
    size_t number_columns;

    /* what came of it, where this side learns it */
    psi_wide count[PSI_AHE_GROUPS_MAX]; /* of each group; with noise a noisy one */
    uint8_t merged[PSI_AGG_CELLS_MAX]; /* cells that are shown together only: groups, or bands of the owner */
    psi_wide *figures;                 /* groups * columns; 0 where not known */
    uint8_t *known;                    /* columns: 1 where figures hold */
    int done;
} party_aggregate;

/*
 * From terms that party_terms_compare has found to agree; mine and theirs are borrowed. Called for functions
 * other than match.
 */
void party_aggregate_agree(party_aggregate *a, const wire_terms *mine, const wire_terms *theirs);
/* Does the receiver's side add up? From the terms of one side, which for this say what both say. */
int party_aggregate_receiver_computes(const char *function, const char *reveal, uint64_t minimum,
                                      int receiver_has_values);
/* tau and the share of epsilon, in millionths, that hides the count from the computing side; the rest is for
 * the figures. */
uint64_t party_aggregate_padding(const char *function, int other_learns, uint64_t epsilon_micro);

/* The computing side with bands of its own: how many of its items lie in each, for hello 2. */
void party_aggregate_batches(const int64_t *numbers, size_t items, uint64_t batch[PSI_AHE_GROUPS_MAX]);
/*
 * After hello 2: all sizes; picks the scheme. batch: the computing side's, groups of them.
 * TALLY_ERR_INCOMPATIBLE, on both sides alike: the figures asked for do not fit a scheme.
 * TALLY_ERR_MALFORMED: batches that are not those of the terms.
 */
tally_status party_aggregate_size(party_aggregate *a, uint64_t own, uint64_t peer, const uint64_t *batch,
                                  size_t batches, tally_error *error) TALLY_MUST_CHECK;
/* Rows of the state table; for the run's state. */
void party_aggregate_state(const party_aggregate *a, party_state *state, size_t tag_width);
void party_aggregate_free(party_aggregate *a); /* wipes */

/* The two spines, from hello 2 to the last protocol message. */
tally_status party_computing(party_run *run, party_aggregate *a, tally_error *error) TALLY_MUST_CHECK;
tally_status party_other(party_run *run, party_aggregate *a, tally_error *error) TALLY_MUST_CHECK;

/* ---- Shared by the two spines ---- */

/* The own items with the dummies behind them, batch after batch (docs/protocol-count.md); psi_secret_free.
 * pool[g]: how many dummies of the pool of batch g; the rest of the 2 tau of a batch are drawn at random and
 * match nothing. */
tally_status party_dummies_add(psi_item **items, const party_run *run, const party_aggregate *a,
                               const uint32_t *pool, tally_error *error) TALLY_MUST_CHECK;
/* What each column becomes when sums go to the owner: enum psi_ahe_show, by the agreed rules and a->merged.
 * first: the sizes of bands beforehand. */
void party_aggregate_show(const party_aggregate *a, int first, uint8_t show[PSI_AHE_COLUMNS_MAX]);
/* Columns shown. */
size_t party_aggregate_shown(const party_aggregate *a, const uint8_t *show);
/* 1 if sums of the group are sent: it is not merged, or is where the merged ones are. */
int party_aggregate_live(const party_aggregate *a, size_t group);
/* Number of those. */
size_t party_aggregate_groups(const party_aggregate *a);
/* Cells that the minimum overlap looks at: groups, or bands of the owner's column; 1: there are none. */
size_t party_aggregate_cells(const party_aggregate *a);
/* Noise for every column of a group, of one side, into noise (a->columns). */
void party_aggregate_noise(const party_aggregate *a, psi_prg *prg, psi_wide *noise);
/* Scale of the noise of column c. */
psi_uwide party_aggregate_scale(const party_aggregate *a, size_t c);
/* Are the figures ones that the counts allow? Exact runs only. TALLY_ERR_MALFORMED. */
tally_status party_aggregate_check(const party_aggregate *a, tally_error *error) TALLY_MUST_CHECK;
/* The refusal below the minimum overlap: to the user of this side; the peer sees a failure like any other. */
tally_status party_below_minimum(const party_aggregate *a, tally_error *error);
/* Sends one frame of len bytes. */
tally_status party_send_whole(party_run *run, uint8_t type, const void *bytes, size_t len,
                              tally_error *error) TALLY_MUST_CHECK;
/* The bitmap of WIRE_AGG_MERGED: its bytes; read with every check. */
size_t party_merged_bytes(const party_aggregate *a);
void party_merged_put(const party_aggregate *a, uint8_t *out);
tally_status party_merged_take(party_aggregate *a, const party_frame *frame,
                               tally_error *error) TALLY_MUST_CHECK;

#endif
