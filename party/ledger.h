/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger (docs/ledger.md): every run with a peer, before and after, in one SQLite file that is only ever
 * added to. Called by party/session for runs, by the command for everything else.
 *
 *   ledger.c             opening, schema and its upgrades, transactions
 *   ledger_append.c      records in: intent with its quotas and the differencing guard, outcome, refusal
 *   ledger_read.c        records out: list, one run as JSON, the agreements
 *   ledger_verify.c      everything recomputed; the first bad record named
 *   ledger_proof.c       checkpoints, inclusion and consistency proofs as files, checked without the ledger
 *   ledger_note.c        the text of a checkpoint
 *   ledger_reconcile.c   two ledgers of the two sides of runs
 *
 * Records. A run has a number n, from 1. Its records are PARTY_INTENT, on disk before the first byte that
 * derives from the list leaves, then PARTY_OUTCOME; or PARTY_REFUSED alone, when it ended before an intent.
 * An intent without an outcome is an incomplete run: it counts as disclosed. The text and signatures of an
 * agreement stand once, in a PARTY_AGREED record, before the first run under it.
 *
 * The tree is that of RFC 6962: its leaves are the records in order, each as ledger_append.c encodes all of
 * its columns. After every record the checkpoint (C2SP tlog-checkpoint, signed note) is made anew, signed if
 * the identity has a signing key.
 *
 * Bodies are JSON objects, keys sorted, without blanks. They hold no identifier, no key, no file's content.
 *   intent, refused: v 1, run_id (32 hex digits), role, function, protocol, security, reveal_to, organisation
 *     ("" without agreement), identity (own link fingerprint), agreement (digest or null), agreement_name,
 *     zone, peer {organisation, fingerprint, subject, software}, terms (as in docs/summary.md), input {rows,
 *     accepted, items, declared (with padding), duplicates, rejected, without_consent, clipped}, list
 *     {commitment, opening} (64 hex digits each; null when refused), ledger ("kept" or "bypassed")
 *   outcome, refused: status (text), exit_status, message, hint, session (64 hex digits or null), peer,
 *     peer_items, disclosed (true or false), matched (number or null), share_exceeded (true, false or null),
 *     result {commitment, opening} or null, figures (as in docs/summary.md) or null, bytes {greeting,
 *     protocol, receipt, total: {sent, received}}, seconds {reading, waiting, matching, writing}, learned,
 * receipt {text, receiver, sender} or null: signatures as 128 hex digits, "" where that side has no signing
 * key agreed: text, signatures (the .sig file)
 */
#ifndef PARTY_LEDGER_H
#define PARTY_LEDGER_H

#include "party/agreement.h"
#include "party/tally.h"

enum party_record_kind { PARTY_INTENT = 1, PARTY_OUTCOME = 2, PARTY_REFUSED = 3, PARTY_AGREED = 4 };

#define PARTY_PEER_MAX 256 /* bytes of a peer's name in a record, zero included */

/* One record. Columns that a kind does not have are 0 or "". */
typedef struct party_record {
    enum party_record_kind kind;
    uint64_t run;                           /* n; 0 of PARTY_AGREED */
    int64_t time;                           /* seconds since 1970, UTC */
    char agreement[TALLY_FINGERPRINT_TEXT]; /* its digest; "": none */
    uint32_t day;                           /* yyyymmdd in the time zone of the agreement, else UTC */
    enum tally_function function;
    enum tally_role role;       /* 0: of a refusal before it was known */
    uint64_t items, peer_items; /* list sizes as declared; what rows-per-day counts is items */
    int disclosed;              /* of an outcome: this side or the other may have learned of the result */
    int status;                 /* of an outcome or refusal: tally_exit_status */
    char peer[PARTY_PEER_MAX];  /* organisation, else fingerprint, else "" */
    const char *body;           /* UTF-8, zero-terminated */
    size_t body_len;
    /* Of an intent with a guard: PSI_SKETCH_BYTES of its identifiers, then, where they have numbers,
     * PSI_SKETCH_BYTES of the identifiers with their numbers; else NULL. */
    const uint8_t *sketch;
    size_t sketch_len;
} party_record;

/* What the agreement allows over several runs. */
typedef struct party_limits {
    uint64_t runs_per_day, runs_in_all, rows_per_day; /* 0: any number */
    uint64_t least_difference; /* of a count or sum: no list that differs from one of an earlier disclosed run
                                  in fewer identifiers, or identifiers with their numbers, unless in none;
                                  0: no guard */
} party_limits;

/*
 * In one transaction, synced before the call returns: counts what was and may have been disclosed under
 * record->agreement (own role alike), and appends the agreement if it is not there yet, then the intent.
 * *run: its number; root32: of the tree with the intent in it. a, limits: NULL without agreement.
 * TALLY_ERR_POLICY with *broken the field that does not allow it (AGREED_RUNS_DAY, AGREED_RUNS_ALL,
 * AGREED_ROWS_DAY, AGREED_MIN_OVERLAP), and nothing was appended; TALLY_ERR_FILE: disk full, locked, damaged.
 */
tally_status party_ledger_begin(tally_ledger *ledger, const tally_identity *identity,
                                const tally_agreement *a, const party_limits *limits,
                                const party_record *record, uint64_t *run, uint8_t root32[32],
                                enum party_agreed_id *broken, tally_error *error) TALLY_MUST_CHECK;
/* As sender: how many identifiers the other side has asked about on that day, in runs that have an outcome
 * and may have disclosed. */
tally_status party_ledger_asked(tally_ledger *ledger, const char *agreement, uint32_t day, uint64_t *rows,
                                tally_error *error) TALLY_MUST_CHECK;
/* PARTY_OUTCOME of record->run, whose agreement, day, function, role and items are those of its intent
 * whatever record says; or PARTY_REFUSED (its number is made, record->run is not looked at). */
tally_status party_ledger_end(tally_ledger *ledger, const tally_identity *identity,
                              const party_record *record, tally_error *error) TALLY_MUST_CHECK;

#endif
