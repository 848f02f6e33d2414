/* SPDX-License-Identifier: Apache-2.0 */
/* One run from start to end: read, connect, greet, match, confirm, write. The order of these calls is the
 * session. */
#include "party/session.h"
#include "party/expiry.h"

#include "party/agreement.h"
#include "party/check.h"
#include "party/day.h"
#include "party/entry.h"
#include "party/error.h"
#include "party/held.h"
#include "party/hits.h"
#include "party/identity.h"
#include "party/input.h"
#include "party/peer.h"
#include "party/server.h"
#include "party/settle.h"
#include "party/usage.h"
#include "psi/mem.h"
#include "psi/rng.h"
#include "psi/tagsize.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOTICE_MS 2000    /* how long a side that cannot read its own list looks for its peer, to tell it */
#define SILENCE_MAX_S 30u /* longest silence of a connected peer */

int party_learns_matches(const tally_session *s)
{
    return s->function == TALLY_MATCH && (s->role == TALLY_RECEIVER || s->reveal == TALLY_REVEAL_BOTH);
}

/* ---- Progress ---- */

static const char *const phase_names[PARTY_PHASES] = {"reading", "waiting", "matching", "writing"};

static void end_phase(tally_session *s)
{
    int64_t now = party_now_ms();
    double cpu = party_cpu_seconds();
    s->seconds[s->phase] += (double)(now - s->phase_began) / 1000;
    s->cpu_seconds[s->phase] += cpu - s->cpu_began;
    s->phase_began = now;
    s->cpu_began = cpu;
}

static void tell_progress(void *user, uint64_t done, uint64_t total)
{
    tally_session *s = user;
    int64_t now = party_now_ms();
    if (!s->on_progress || (now - s->progress_told < 100 && done != total))
        return;
    s->progress_told = now;
    party_tell_progress(s, phase_names[s->phase], done, total);
}

static void begin_phase(tally_session *s, enum party_phase phase)
{
    end_phase(s);
    s->phase = phase;
    s->progress_told = 0;
    tell_progress(s, 0, 0);
}

/* ---- Before the link ---- */

static tally_status usage(tally_error *error, const char *what)
{
    return party_fail(error, TALLY_ERR_USAGE, PARTY_WHOLE, what);
}

static tally_status check_columns(const tally_session *s, tally_error *error)
{
    if (s->offer_count && s->role != TALLY_SENDER)
        return usage(error, "the sender offers columns; the receiver says which it wants");
    if (s->want_count && s->role != TALLY_RECEIVER)
        return usage(error, "the receiver wants columns; the sender says which it offers");
    if (s->want_count && !s->output_path && !s->on_columns) {
        usage(error,
              "columns of the other side are wanted, but there is neither an output nor a callback for them");
        party_hint(error, "give a file for the matching rows with these columns: --output FILE");
        return TALLY_ERR_USAGE;
    }
    if (s->rows_per_person && !s->offer_count && !s->want_count)
        return usage(error, "rows per person are set, but no column is offered or wanted");
    return TALLY_OK;
}

/* Is it known whom to accept? An authority alone signs many. */
int party_session_knows_peer(const tally_session *s)
{
    return s->rule.ca_file ? s->rule.name != NULL : s->rule.pin_count > 0;
}

static tally_status check_settings(const tally_session *s, tally_error *error)
{
    int tls = !s->transport || s->transport_tls;
    if (s->security != TALLY_SEMI_HONEST && s->security != TALLY_MALICIOUS)
        return usage(error, "the security model is neither semi-honest nor malicious");
    if (s->protocol == TALLY_VOLE && s->security == TALLY_MALICIOUS) {
        usage(error,
              "the malicious model needs the protocol ecdh: vole protects against semi-honest peers only");
        party_hint(error, "take the protocol ecdh or auto, or agree on the semi-honest model");
        return TALLY_ERR_USAGE;
    }
    if (s->has_listen + s->has_connect + (s->transport != NULL) + (s->connection != NULL) != 1)
        return usage(error, "exactly one of listen, connect, transport and connection is needed");
    if (tls && !s->identity)
        return usage(error, "no identity was set");
    if (tls && !party_session_knows_peer(s))
        return usage(error, "whom to accept is not set: a peer fingerprint, or a CA and a name");
    if (s->timeout_s < 1 || s->timeout_s > 7 * 86400)
        return usage(error, "the timeout has to be between 1 second and 7 days");
    if (s->threads > 256)
        return usage(error, "more than 256 threads");
    if (s->function == TALLY_MATCH && s->output_path && !party_learns_matches(s))
        return usage(error, "an output was set, but this side does not learn which rows match");
    tally_status st = party_terms_check(s, error);
    return st ? st : check_columns(s, error);
}

static unsigned rows_per_person(const tally_session *s)
{
    return s->rows_per_person ? s->rows_per_person : 1;
}

static tally_status read_input(tally_session *s, tally_error *error)
{
    begin_phase(s, PARTY_READING);
    party_input_threads(s->input, s->threads);
    party_input_executor(s->input, &s->executor);
    tally_status st = party_input_load(s->input, &s->cancel, tell_progress, s, error);
    party_input_executor(s->input, NULL);
    if (!st)
        st = party_hold_list(s, error);
    if (!st && s->output_path)
        st = party_output_open(&s->output, s->output_path, s->output_overwrite,
                               (const char *const *)s->columns, s->column_count, s->input, error);
    if (!st && s->offer_count)
        st = party_offer_load(&s->offer, s->input, s->offers, s->offer_count, rows_per_person(s), &s->cancel,
                              error);
    if (st)
        return st;
    tally_input_stats stats;
    tally_input_get_stats(s->input, &stats);
    party_log(s, 1, "read %llu rows: %llu identifiers, %llu duplicates, %llu rejected",
              (unsigned long long)stats.rows, (unsigned long long)stats.items,
              (unsigned long long)(stats.accepted - stats.items), (unsigned long long)stats.rejected);
    if (stats.without_consent)
        party_log(s, 1, "left out %llu rows for want of consent", (unsigned long long)stats.without_consent);
    if (stats.clipped)
        party_log(s, 1, "cut %llu values to their range", (unsigned long long)stats.clipped);
    st = party_warn_list(s, error);
    if (st)
        return st;
    size_t count;
    party_input_items(s->input, &count);
    if (count > stats.items)
        party_log(s, 1, "padded the list to %zu", count);
    if (count > WIRE_ITEMS_MAX)
        return party_fail(error, TALLY_ERR_INPUT, "the list has %zu identifiers; at most 2^30 fit one run",
                          count);
    return TALLY_OK;
}

static void forward_log(void *user, int level, const char *line)
{
    party_log(user, level, "%s", line);
}

/* Without an error to fill, nobody is to hear of the attempts either. */
static tally_status open_channel(tally_session *s, int ping, int64_t deadline_ms, tally_error *error)
{
    party_connect_options options = {.listen = s->has_listen ? &s->address : NULL,
                                     .connect = s->has_connect ? &s->address : NULL,
                                     .transport = s->transport,
                                     .transport_tls = s->transport_tls,
                                     .transport_tls_server = s->transport_tls_server,
                                     .identity = s->identity,
                                     .rule = &s->rule,
                                     .ping = ping,
                                     .deadline_ms = deadline_ms,
                                     .cancel = &s->cancel,
                                     .log = error ? forward_log : NULL,
                                     .log_user = s};
    return s->connection ? party_connection_take(s->connection, &s->channel, error)
                         : party_channel_open(&s->channel, &options, error);
}

static tally_status open_link(tally_session *s, int64_t deadline_ms, tally_error *error)
{
    tally_status st = open_channel(s, 0, deadline_ms, error);
    return st ? st : party_session_link(s, error);
}

tally_status party_session_listen(tally_session *s, int64_t deadline_ms, tally_error *error)
{
    return open_channel(s, 1, deadline_ms, error);
}

tally_status party_session_link(tally_session *s, tally_error *error)
{
    unsigned silence_s = s->timeout_s < SILENCE_MAX_S ? s->timeout_s : SILENCE_MAX_S;
    s->on_this_machine = s->channel.owns_raw && party_tcp_is_local(&s->channel.raw);
    if (s->channel.tls) {
        party_pin_text(s->peer_pin, s->channel.peer_fingerprint);
        party_printable(s->peer_subject, sizeof s->peer_subject, s->channel.peer_subject);
        if (error)
            party_expiry_peer(s);
    }
    tally_status st = party_link_new(&s->link, &s->channel.io, silence_s * 1000, &s->cancel, error);
    if (st)
        party_channel_close(&s->channel);
    return st;
}

static void close_link(tally_session *s, int graceful)
{
    if (!s->link)
        return;
    party_link_traffic(s->link, &s->traffic);
    party_link_close(s->link, graceful);
    s->link = NULL;
    party_channel_bytes(&s->channel, &s->bytes_sent, &s->bytes_received);
    if (s->channel.owns_raw)
        s->round_trip = party_tcp_round_trip_us(&s->channel.raw) * 1e-6;
    party_channel_close(&s->channel);
}

tally_status party_may_run(const tally_session *s, tally_error *error)
{
    if (s->owner != getpid())
        return party_other_process(error);
    if (party_in_callback(s))
        return usage(error, "a session is not run from one of its callbacks");
    if (s->steps || s->ran) /* in this order: the run of one that was started sets ran */
        return usage(error, "a session runs once; make a new one");
    return TALLY_OK;
}

tally_status party_session_open(tally_session *s, tally_error *error)
{
    tally_status st = party_may_run(s, error);
    if (st)
        return st;
    if (s->timeout_s < 1 || s->timeout_s > 7 * 86400)
        return usage(error, "the timeout has to be between 1 second and 7 days");
    if (s->has_listen + s->has_connect != 1 || s->transport || !s->identity || !party_session_knows_peer(s))
        return usage(error, "to measure a line an identity, an address and a peer's fingerprint are needed");
    s->ran = 1;
    return open_link(s, party_now_ms() + (int64_t)s->timeout_s * 1000, error);
}

void party_session_close(tally_session *s, int graceful)
{
    close_link(s, graceful);
}

/* ---- Failing ---- */

/* What a peer may hear before hello 2; after it there is only one code. */
static wire_abort abort_word(const tally_session *s, tally_status status)
{
    if (s->greeted)
        return (wire_abort){WIRE_ABORT_FAILED, 0};
    switch (tally_exit_status(status)) {
    case -TALLY_ERR_INPUT:
        return (wire_abort){WIRE_ABORT_INPUT, 0};
    case -TALLY_ERR_POLICY:
        return (wire_abort){WIRE_ABORT_POLICY, s->breached};
    case -TALLY_ERR_MALFORMED:
        return (wire_abort){WIRE_ABORT_MALFORMED, 0};
    case -TALLY_ERR_INTERRUPTED:
        return (wire_abort){WIRE_ABORT_INTERRUPTED, 0};
    default:
        return (wire_abort){WIRE_ABORT_LOCAL, 0};
    }
}

/* This side cannot use its own list, or may not run: if the peer can be reached at once, or is there already,
 * it hears so instead of waiting for nobody. */
static void notify_peer(tally_session *s, tally_status status)
{
    if (!s->link && (tally_exit_status(status) == -TALLY_ERR_USAGE || party_cancelled(&s->cancel)))
        return;
    /* An agreement may be broken before all of these are known. */
    int tls = !s->transport || s->transport_tls,
        link = s->has_listen || s->has_connect || s->transport || s->connection;
    if (!link || (tls && !s->connection && (!s->identity || !party_session_knows_peer(s))))
        return;
    if (!s->link && open_link(s, party_now_ms() + NOTICE_MS, NULL))
        return;
    party_link_abort(s->link, abort_word(s, status));
    close_link(s, 1);
}

/* ---- After the match ---- */

/* The row with each of the peer's rows; not 0 when the caller stops. */
static int tell_columns(const tally_session *s, const party_row *row)
{
    tally_text values[WIRE_COLUMNS_MAX];
    int stop = 0;
    if (!s->on_columns || !s->opened.form)
        return 0;
    for (uint32_t i = 0; !stop && i < s->form.rows && party_opened_row(&s->opened, row->item, i, values); i++)
        stop = s->on_columns(s->on_columns_user, row->row, row->line, values, s->form.count);
    return stop;
}

/* Where telling the caller of matching rows stands. */
typedef struct rows_told {
    tally_session *session;
    const party_row *rows;
    size_t count, next;
} rows_told;

static enum party_told tell_some(void *user, size_t most)
{
    rows_told *t = user;
    tally_session *s = t->session;
    for (size_t told = 0; t->next < t->count;) {
        const party_row *row = &t->rows[t->next];
        if (told == most)
            return PARTY_TOLD_SOME;
        if (party_cancelled(&s->cancel))
            return PARTY_TOLD_CANCELLED;
        t->next++;
        if (!party_get_bit(s->matched.bits, row->item))
            continue;
        s->matched_rows++;
        told++;
        if ((s->on_match && s->on_match(s->on_match_user, row->row, row->line)) || tell_columns(s, row))
            return PARTY_TOLD_STOP;
    }
    return party_cancelled(&s->cancel) ? PARTY_TOLD_CANCELLED : PARTY_TOLD_ALL;
}

static tally_status tell_caller(tally_session *s, tally_error *error)
{
    rows_told t = {.session = s};
    t.rows = party_input_rows(s->input, &t.count);
    s->matched_rows = 0;
    switch (party_tell_rows(s, tell_some, &t)) {
    case PARTY_TOLD_STOP:
        return party_fail(error, TALLY_ERR_INTERRUPTED, "the calling program stopped at a matching row");
    case PARTY_TOLD_CANCELLED:
        return party_fail(error, TALLY_ERR_INTERRUPTED, "interrupted");
    case PARTY_TOLD_ALL:
    case PARTY_TOLD_SOME: /* not returned */
        break;
    }
    return TALLY_OK;
}

/*
 * Bits of Delta in a column: 6 sends a fifth less and computes a third more than 4, which pays below about 1
 * Gbit/s. The line's speed is not known beforehand; a round trip above 2 ms is taken for a line beyond the
 * own network.
 */
unsigned party_vole_k(double round_trip)
{
    return round_trip > 0.002 ? 6 : 4;
}

static unsigned vole_k(const tally_session *s)
{
    if (s->vole_k)
        return s->vole_k;
    return party_vole_k(s->channel.owns_raw ? party_tcp_round_trip_us(&s->channel.raw) * 1e-6 : 0);
}

static party_run *new_run(tally_session *s, const party_state *state)
{
    size_t own;
    const psi_item *items = party_input_items(s->input, &own);
    s->run = (party_run){.link = s->link,
                         .pool = s->pool,
                         .state = *state,
                         .role = s->role,
                         .protocol = s->chosen,
                         .security = s->security,
                         .both = s->reveal == TALLY_REVEAL_BOTH,
                         .items = items,
                         .own = own,
                         .peer = (size_t)s->peer_items,
                         .sid = s->sid,
                         .form = s->form.count ? &s->form : NULL,
                         .offer = s->offer,
                         .vole_k = vole_k(s),
                         .hits = &s->hits,
                         .progress = tell_progress,
                         .progress_user = s};
    return &s->run;
}

static tally_status match(tally_session *s, party_run *run, tally_error *error)
{
    /* Keys for columns come out of the protocol that also holds against an active peer. */
    if (s->form.count && s->chosen == TALLY_ECDH)
        run->security = TALLY_MALICIOUS;
    if (s->role == TALLY_SENDER && s->form.minimum) {
        tally_status made = party_overlap_new(&s->overlap, s->form.minimum, &s->sid);
        if (made)
            return party_fail(error, made, "the key of the columns could not be made");
        run->overlap = s->overlap;
    }
    /* Work: the receiver masks (and in the malicious form finishes) its own items, then looks up the peer's;
       the sender answers for the peer's, then masks its own. By vole the sender works on its own only. */
    run->total = run->own + run->peer;
    if (s->role == TALLY_RECEIVER && run->security == TALLY_MALICIOUS)
        run->total += run->own;
    if (s->role == TALLY_SENDER && s->chosen == TALLY_VOLE)
        run->total = run->own;
    party_state_sizes(&run->state, s->role, s->chosen, run->security, run->both, run->own, s->peer_items,
                      psi_tag_bytes(run->own, s->peer_items));
    party_state_sealed(&run->state, s->form.sealed);
    return s->role == TALLY_RECEIVER ? party_receiver(run, error) : party_sender(run, &s->matched, error);
}

/* A count or a sum. Work: each side masks its own items and tags those of the other. */
static tally_status aggregate(tally_session *s, party_run *run, tally_error *error)
{
    party_aggregate *a = &s->aggregate;
    a->numbers = party_input_numbers(s->input, &a->number_columns);
    run->total = a->masked + a->others;
    party_aggregate_state(a, &run->state, psi_tag_bytes(a->masked, a->others));
    return a->computing ? party_computing(run, a, error) : party_other(run, a, error);
}

static tally_status work(tally_session *s, const party_state *state, tally_error *error)
{
    party_run *run = new_run(s, state);
    tally_status st = s->function == TALLY_MATCH ? match(s, run, error) : aggregate(s, run, error);
    if (!st)
        st = party_input_unchanged(s->input, error);
    if (!st)
        st = party_settle(s, run, error);
    if (st == TALLY_ERR_PEER_STOPPED && s->function != TALLY_MATCH && s->min_overlap)
        party_hint(error, "the messages and the ledger of the other side have the reason; one is an overlap "
                          "below the agreed minimum");
    return st;
}

static tally_status open_columns(tally_session *s, tally_error *error)
{
    size_t own;
    const psi_item *items = party_input_items(s->input, &own);
    if (s->role != TALLY_RECEIVER || !s->form.count)
        return TALLY_OK;
    tally_status st = party_open(&s->opened, &s->form, &s->matched.sealed, items, own, &s->sid, error);
    party_sealed_free(&s->matched.sealed);
    return st || !s->output ? st : party_output_join(s->output, &s->opened, error);
}

/* After both sides are done: how long it takes depends on the matches, so nothing is sent any more. */
static tally_status make_result(tally_session *s, tally_error *error)
{
    tally_status st = TALLY_OK;
    if (!party_learns_matches(s))
        return TALLY_OK;
    begin_phase(s, PARTY_WRITING);
    if (s->role == TALLY_RECEIVER)
        st = party_hits_collect(&s->hits, &s->matched, error);
    if (!st)
        st = open_columns(s, error);
    if (!st && s->output)
        st = party_output_write(s->output, s->matched.bits, &s->cancel, &s->matched_rows, error);
    return st;
}

static tally_status give_result(tally_session *s, tally_error *error)
{
    if (!party_learns_matches(s))
        return TALLY_OK;
    tally_status st = tell_caller(s, error);
    return st || !s->output ? st : party_output_commit(s->output, error);
}

/* Nothing of the result is given before its disclosure is on record. */
static tally_status finish(tally_session *s, tally_error *error)
{
    tally_error good = {.status = TALLY_OK};
    tally_status st = make_result(s, error);
    if (st)
        return st;
    end_phase(s);
    s->aggregate.done = 1;
    party_learned_sentence(s);
    s->recorded = 1;
    st = party_entry_end(s, &good, error);
    if (!st)
        st = give_result(s, error);
    if (!st)
        party_warn_result(s);
    if (st) { /* nothing of it is told, in no form */
        *s->learned = *s->learned_local = 0;
        s->aggregate.done = 0;
    }
    return st;
}

/* ---- The run ---- */

/* The server has judged the peer by its rules for one agreement, and found it to be a side of that one: this
 * session has to be for it too, and of the same identity. And is the peer's key not revoked since? */
static tally_status check_connected(const tally_session *s, tally_error *error)
{
    const tally_connection *connection = s->connection;
    party_known *known = NULL;
    tally_error why = {0};
    char who[700];
    int64_t until;
    if (!connection)
        return TALLY_OK;
    const party_channel *c = &connection->arrival.channel;
    if (!s->agreement || strcmp(s->agreement->digest, connection->digest) != 0 ||
        memcmp(s->identity->fingerprint32, c->own_fingerprint, 32) != 0)
        return party_fail(error, TALLY_ERR_AUTH, "the connection is that of another peer");
    tally_status st = party_known_load(&known, s->identity->peers, s->identity->peers_count, error);
    if (st)
        return st;
    party_both(who, sizeof who, "the other side at %s", connection->arrival.from);
    if (party_peer_judge_key(&s->rule, known, c->peer_fingerprint, (int64_t)time(NULL), who, &until, &why)) {
        if (error)
            *error = why;
        st = why.status;
    }
    party_known_free(known);
    return st;
}

static tally_status run_session(tally_session *s, tally_error *error)
{
    party_state state;
    tally_status known = check_connected(s, error);
    if (known)
        return known;
    /* A peer that is there already: its link's heartbeats keep it patient while the list is read. */
    tally_status st = s->connection ? open_link(s, 0, error) : TALLY_OK;
    if (st)
        return st;
    st = read_input(s, error);
    if (!st) /* which may have waited for its turn */
        st = check_connected(s, error);
    if (!st)
        st = party_terms_fill(s, error);
    if (!st)
        st = party_pool_new_on(&s->pool, party_pool_threads(s->threads), &s->executor, error);
    if (st) {
        notify_peer(s, st);
        return st;
    }
    party_pool_set_cancel(s->pool, &s->cancel);
    begin_phase(s, PARTY_WAITING);
    if (!s->link)
        st = open_link(s, party_now_ms() + (int64_t)s->timeout_s * 1000, error);
    if (st)
        return st;
    begin_phase(s, PARTY_MATCHING);
    party_state_init(&state);
    st = party_greet(s, &state, error);
    if (!st)
        st = work(s, &state, error);
    /* A difference in versions or terms is seen by both sides in the other's hello 1, which names the fields:
       an abort could only overtake it. */
    int seen_by_both = tally_exit_status(st) == -TALLY_ERR_INCOMPATIBLE;
    if (st && !seen_by_both)
        party_link_abort(s->link, abort_word(s, st));
    close_link(s, !st || seen_by_both);
    return st ? st : finish(s, error);
}

/* When the run begins, and its name in the ledger. */
static tally_status name_run(tally_session *s, tally_error *error)
{
    uint8_t id[16];
    if (s->ledger && psi_random(id, sizeof id))
        return party_fail(error, TALLY_ERR_RANDOM, "the random generator of the system failed");
    for (size_t i = 0; s->ledger && i < sizeof id; i++)
        snprintf(s->run_id + 2 * i, 3, "%02x", id[i]);
    s->began = (int64_t)time(NULL);
    return party_day_in_zone("UTC", s->began, &s->today, error);
}

/* Settings that name nothing there is; a role may still come from the agreement. */
static tally_status check_words(const tally_session *s, tally_error *error)
{
    if (s->role != TALLY_RECEIVER && s->role != TALLY_SENDER && !(s->agreement && s->role == 0))
        return usage(error, "no role was set: receiver or sender");
    if (s->function != TALLY_MATCH && s->function != TALLY_COUNT && s->function != TALLY_SUM)
        return usage(error, "the function is neither match nor count nor sum");
    if (s->protocol != TALLY_AUTO && s->protocol != TALLY_ECDH && s->protocol != TALLY_VOLE)
        return usage(error, "the protocol is neither ecdh nor vole nor auto");
    return TALLY_OK;
}

/* What has to be right before there is a run at all: TALLY_ERR_USAGE, of which the ledger hears nothing. */
static tally_status prepare(tally_session *s, tally_error *error)
{
    if (!s->input)
        return usage(error, "no input was set");
    tally_status known = check_words(s, error);
    if (known)
        return known;
    if (s->agreement && !s->ledger && !s->bypass_ledger) {
        usage(error, "an agreement needs a ledger, by which its quotas count");
        party_hint(error, "set a ledger, or bypass it, which the receipt then says");
        return TALLY_ERR_USAGE;
    }
    tally_status st = name_run(s, error);
    if (!st)
        st = party_hold(s, error);
    if (!st)
        st = check_settings(s, error);
    if (!st)
        party_expiry_own(s);
    return st;
}

tally_status tally_session_check(tally_session *s, tally_error *error)
{
    tally_error e = {.status = TALLY_OK};
    tally_status st = party_may_run(s, &e);
    if (!st) {
        st = prepare(s, &e);
        s->ran = 1;
    }
    if (st)
        s->last = e;
    if (error)
        *error = e;
    return st;
}

/* A failed run is on record too; without its outcome it counts as incomplete. */
static void record_failure(tally_session *s, const tally_error *outcome)
{
    tally_error why = {.status = TALLY_OK};
    if (!s->recorded && party_entry_end(s, outcome, &why))
        party_log(s, 0, "the end of this run is not in the ledger: %s", party_message_of(&why));
}

/* What a limit was hit by matters less to the caller than that it was the limit. */
static tally_status name_limit(const tally_session *s, const psi_account *account, tally_status st,
                               tally_error *e)
{
    if (st != TALLY_ERR_NO_MEMORY || !psi_account_refused(account))
        return st;
    party_fail(e, TALLY_ERR_NO_MEMORY, "the run needs more memory than the limit of this session, %llu bytes",
               (unsigned long long)s->memory_limit);
    party_hint(e, "raise the limit, use fewer threads, or split the list");
    return TALLY_ERR_NO_MEMORY;
}

static tally_status run_to_end(tally_session *s, const psi_account *account, tally_error *e)
{
    tally_status st = prepare(s, e);
    if (tally_exit_status(st) == -TALLY_ERR_USAGE)
        return st;
    s->ran = 1;
    s->phase_began = party_now_ms();
    s->cpu_began = party_cpu_seconds();
    if (st)
        notify_peer(s, st);
    else
        st = run_session(s, e);
    /* Whatever the cancelled step said of itself, this is why it ended. */
    if (st && party_cancelled(&s->cancel))
        st = party_fail(e, TALLY_ERR_INTERRUPTED, "interrupted");
    st = name_limit(s, account, st, e);
    end_phase(s);
    party_hits_free(&s->hits);
    s->hits = (party_hits){0};
    party_output_free(s->output);
    s->output = NULL;
    party_pool_free(s->pool);
    s->pool = NULL;
    party_overlap_free(s->overlap);
    s->overlap = NULL;
    psi_wipe(&s->sid, sizeof s->sid);
    tally_connection_free(s->connection);
    s->connection = NULL;
    s->outcome = *e;
    s->outcome.status = st;
    if (st)
        record_failure(s, &s->outcome);
    return st;
}

tally_status party_session_run(tally_session *s, tally_error *error)
{
    psi_account *account = s->memory_limit ? psi_account_new(s->memory_limit) : NULL;
    *error = (tally_error){.status = TALLY_OK};
    if (s->memory_limit && !account)
        return party_no_memory(error, "a session");
    psi_account *before = psi_account_enter(account);
    tally_status st = run_to_end(s, account, error);
    psi_account_enter(before);
    if (account)
        psi_account_release(account);
    return st;
}

tally_status tally_session_run(tally_session *s, tally_error *error)
{
    tally_error outcome = {.status = TALLY_OK};
    tally_status st = party_may_run(s, &outcome);
    if (!st)
        st = party_session_run(s, &outcome);
    if (st)
        s->last = outcome;
    if (error) {
        *error = outcome;
        error->status = st;
    }
    return st;
}
