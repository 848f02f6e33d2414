/* SPDX-License-Identifier: Apache-2.0 */
/* A session's inside: settings, and what the run has come to know. Shared by party/session, settings,
 * greeting, summary. */
#ifndef PARTY_SESSION_H
#define PARTY_SESSION_H

#include "party/aggregate.h"
#include "party/connect.h"
#include "party/hits.h"
#include "party/output.h"
#include "party/receipt.h"
#include "party/step.h"
#include "proto/hello.h"
#include <sys/types.h>

#define PARTY_WARNINGS 8

enum party_phase { PARTY_READING, PARTY_WAITING, PARTY_MATCHING, PARTY_WRITING, PARTY_PHASES };

struct tally_session {
    /* settings */
    enum tally_role role;
    enum tally_protocol protocol; /* as set; chosen: what the run uses, after hello 2 */
    enum tally_protocol chosen;
    enum tally_security security;
    enum tally_reveal reveal;
    enum tally_function function;
    enum tally_scheme scheme;
    uint64_t min_overlap, epsilon_micro;
    wire_band peer_bands[WIRE_BANDS_MAX];
    size_t peer_band_count;
    const tally_identity *identity;
    tally_input *input;
    party_peer_rule rule;
    char *ca_file, *crl_file, *peer_name;
    party_address address;
    int has_listen, has_connect;
    const tally_transport *transport;
    int transport_tls, transport_tls_server;
    tally_connection *connection; /* owned; of a server: the link is there already */
    unsigned timeout_s, threads;
    tally_executor executor;              /* submit NULL: threads of the library */
    uint64_t memory_limit;                /* bytes; 0: none */
    const tally_calibration *calibration; /* NULL: nothing is predicted */
    unsigned vole_k;                      /* 4 or 6; 0: by the line */
    char *output_path;
    int output_overwrite;
    char **columns;
    size_t column_count;
    wire_column offers[WIRE_COLUMNS_MAX], wants[WIRE_COLUMNS_MAX];
    size_t offer_count, want_count;
    unsigned rows_per_person; /* 0: not set */
    tally_match_columns_callback on_columns;
    void *on_columns_user;
    tally_match_callback on_match;
    void *on_match_user;
    tally_progress_callback on_progress;
    void *on_progress_user;
    tally_log_callback on_log;
    void *on_log_user;
    party_cancel cancel;
    const tally_agreement *agreement; /* NULL: none */
    tally_ledger *ledger;             /* NULL: none */
    int bypass_ledger;                /* the caller asked for none, also under an agreement */
    int function_given, security_given, reveal_given;

    pid_t owner;        /* the process that made it */
    party_steps *steps; /* of a session that was started; NULL */
    tally_error last;   /* of the caller's calls and the run: the last that failed */

    /* the run */
    int ran;
    int64_t began;       /* seconds since 1970, UTC */
    uint32_t today;      /* yyyymmdd in the time zone of the agreement, else UTC */
    size_t own_party;    /* of the agreement; PARTY_SIGNATURES: of neither */
    uint64_t padding;    /* the list's size is made a multiple of it; 0: as it is */
    uint8_t breached;    /* field of the agreement that does not allow the run, + 1; 0: none */
    uint64_t run_number; /* in the ledger, once the intent is there; 0: not yet */
    char run_id[33];
    int committed;           /* list_opening and list_commitment are there */
    uint8_t list_digest[32]; /* of the list without padding */
    char session_number[65]; /* 64 hex digits, from the session id; "" before */
    uint8_t list_opening[32], list_commitment[32], peer_commitment[32];
    uint8_t *sketch;            /* of the list before it was padded; NULL: not needed */
    size_t sketch_len;          /* PSI_SKETCH_BYTES, or twice that with numbers */
    uint8_t ledger_root[32];    /* of the tree with the intent in it */
    char *result_text;          /* what this side learned, as it is committed to; NULL: nothing */
    uint8_t result_opening[32]; /* of the commitment to it */
    enum wire_share share;      /* whether the agreed share was exceeded, as far as either side says */
    party_receipt_run receipt_run;
    party_receipt receipt;
    party_traffic traffic; /* of the link, at its end */
    int recorded;          /* the outcome is in the ledger */
    party_channel channel;
    party_link *link;
    party_pool *pool;
    party_output *output;
    wire_terms terms;
    wire_hello1 peer_hello;
    uint64_t peer_items;
    psi_sid sid;
    int greeted; /* hello 2 was sent: from here on the peer sees one generic failure */
    party_offer *offer;
    party_form form;
    party_overlap *overlap;    /* sender, with a minimum */
    party_run run;             /* what the spines work on */
    party_hits hits;           /* receiver: what its spine found */
    party_aggregate aggregate; /* counts and sums */
    party_matched matched;
    party_opened opened;
    uint64_t matched_rows;
    enum party_phase phase;
    int64_t phase_began, progress_told;
    double seconds[PARTY_PHASES];
    double cpu_began, cpu_seconds[PARTY_PHASES]; /* processor time of the whole process */
    uint64_t bytes_sent, bytes_received;
    double round_trip; /* of the line, seconds; 0: not known */
    int on_this_machine;
    char peer_pin[TALLY_FINGERPRINT_TEXT], peer_subject[256]; /* empty without TLS */
    char warnings[PARTY_WARNINGS][256];                       /* for the summary */
    size_t warning_count;
    tally_error outcome;
    char learned[2048], learned_local[3072]; /* in English; as it is shown, empty without translation */
};

/* Replaces a text of the settings by a copy. */
tally_status party_set_text(char **field, const char *text, tally_error *error) TALLY_MUST_CHECK;

/* Keeps s->last, which the caller has just filled, as the status of a call: copies it to error if it failed.
 * Returns status. */
tally_status party_kept(const tally_session *s, tally_status status, tally_error *error);
/* May the session be run or started here and now? TALLY_ERR_USAGE. */
tally_status party_may_run(const tally_session *s, tally_error *error) TALLY_MUST_CHECK;
/* A session that a parent process made: TALLY_ERR_USAGE. */
tally_status party_other_process(tally_error *error);
/* The run itself, on whichever thread. error is filled, also with TALLY_OK. */
tally_status party_session_run(tally_session *s, tally_error *error) TALLY_MUST_CHECK;

/* The link to the peer without a run, by the settings of the session; closed by party_session_close. For
 * party/line. */
tally_status party_session_open(tally_session *s, tally_error *error) TALLY_MUST_CHECK;
/* What tls and link of an open channel are for the session: shared by a run and a ping. */
tally_status party_session_link(tally_session *s, tally_error *error) TALLY_MUST_CHECK;
void party_session_close(tally_session *s, int graceful);
/* Waits for a ping of the peer, and leaves its channel in the session. */
tally_status party_session_listen(tally_session *s, int64_t deadline_ms, tally_error *error) TALLY_MUST_CHECK;
/* Is it known whom to accept? */
int party_session_knows_peer(const tally_session *s);

/* Does this party learn which of its rows match? */
int party_learns_matches(const tally_session *s);

/* Hello 1 of both sides alone, of a session whose terms are filled: for a ping. */
tally_status party_greet_terms(tally_session *s, tally_error *error) TALLY_MUST_CHECK;
/* Both hellos: compares versions and terms, fills peer_hello, peer_items and sid. Sets greeted when hello 2
 * goes out. */
tally_status party_greet(tally_session *s, party_state *state, tally_error *error) TALLY_MUST_CHECK;

/* The terms of the run from the settings and the loaded input. TALLY_ERR_USAGE: more figures than one run
 * has. */
tally_status party_terms_fill(tally_session *s, tally_error *error) TALLY_MUST_CHECK;
/* Of these the words that every run has. */
void party_terms_words(wire_terms *t, enum tally_function function, enum tally_security security,
                       enum tally_reveal reveal, enum tally_scheme scheme);
/* Settings that do not go together: TALLY_ERR_USAGE. */
tally_status party_terms_check(const tally_session *s, tally_error *error) TALLY_MUST_CHECK;

/* What `auto` comes to, which both sides find alike; *why: a fixed phrase. */
enum tally_protocol party_choose(enum tally_protocol asked, enum tally_function function, int active,
                                 uint64_t own, uint64_t peer, const char **why);

/* Bits of Delta in a column of VOLE for a line of this round trip, seconds. */
unsigned party_vole_k(double round_trip);

/* "auto", "ecdh" or "vole": as in the terms. */
const char *party_protocol_name(enum tally_protocol protocol);

/* Sentences one behind the other, cut where the room ends; local: in the language that is shown. */
typedef struct party_sentence {
    char *text;
    size_t size, used;
    int local;
} party_sentence;
void party_say(party_sentence *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The closing sentence into s->learned and s->learned_local. */
void party_learned_sentence(tally_session *s);

/* One log line (printf form), if the caller listens. */
void party_log(const tally_session *s, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
