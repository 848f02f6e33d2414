/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller sets on a session before it runs. */
#include "party/error.h"
#include "party/session.h"
#include "psi/mem.h"
#include "psi/rng.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COLUMNS_MAX 256u

static char *copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *p = psi_calloc(size, 1);
    if (p)
        memcpy(p, text, size);
    return p;
}

tally_status party_set_text(char **field, const char *text, tally_error *error)
{
    char *p = copy(text);
    if (!p)
        return party_no_memory(error, "a setting");
    psi_free(*field);
    *field = p;
    return TALLY_OK;
}

tally_status party_kept(const tally_session *s, tally_status status, tally_error *error)
{
    if (status && error)
        *error = s->last;
    return status;
}

tally_status party_other_process(tally_error *error)
{
    party_fail(error, TALLY_ERR_USAGE, "the session was made by another process, before a fork");
    party_hint(error, "make the session in the process that runs it");
    return TALLY_ERR_USAGE;
}

tally_status tally_session_new(tally_session **out, tally_error *error)
{
    if (!psi_sodium_works())
        return party_fail(error, TALLY_ERR_RANDOM, "the random generator of the system failed");
    tally_session *s = psi_calloc(1, sizeof *s);
    if (!s)
        return party_no_memory(error, "a session");
    tally_status st = party_cancel_init(&s->cancel, error);
    if (st) {
        psi_free(s);
        return st;
    }
    s->security = TALLY_SEMI_HONEST;
    s->reveal = TALLY_REVEAL_RECEIVER;
    s->timeout_s = 600;
    s->owner = getpid();
    *out = s;
    return TALLY_OK;
}

void tally_session_free(tally_session *s)
{
    if (!s)
        return;
    if (party_in_callback(s)) { /* the run stands on it */
        party_cancel_raise(&s->cancel);
        return;
    }
    if (s->owner != getpid() && s->steps) /* its thread is not in this process, and held who knows what */
        return;
    party_steps_free(s, s->steps);
    for (size_t i = 0; i < s->column_count; i++)
        psi_free(s->columns[i]);
    psi_free(s->columns);
    psi_free(s->output_path);
    psi_free(s->ca_file);
    psi_free(s->crl_file);
    psi_free(s->peer_name);
    psi_free(s->result_text);
    if (s->sketch)
        psi_wipe(s->sketch, s->sketch_len);
    psi_free(s->sketch);
    psi_wipe(s->list_digest, sizeof s->list_digest);
    psi_wipe(s->list_opening, sizeof s->list_opening);
    psi_wipe(s->result_opening, sizeof s->result_opening);
    psi_free(s->matched.bits);
    party_sealed_free(&s->matched.sealed);
    party_opened_free(&s->opened);
    party_offer_free(s->offer);
    party_aggregate_free(&s->aggregate);
    party_cancel_close(&s->cancel);
    tally_connection_free(s->connection);
    psi_free(s);
}

void tally_session_set_role(tally_session *s, enum tally_role role)
{
    s->role = role;
}

void tally_session_set_agreement(tally_session *s, const tally_agreement *agreement)
{
    s->agreement = agreement;
}

void tally_session_set_ledger(tally_session *s, tally_ledger *ledger)
{
    s->ledger = ledger;
    s->bypass_ledger = 0;
}

void tally_session_bypass_ledger(tally_session *s)
{
    s->ledger = NULL;
    s->bypass_ledger = 1;
}

void tally_session_set_connection(tally_session *s, tally_connection *connection)
{
    tally_connection_free(s->connection);
    s->connection = connection;
}

void tally_session_set_identity(tally_session *s, const tally_identity *identity)
{
    s->identity = identity;
}

void tally_session_set_input(tally_session *s, tally_input *input)
{
    s->input = input;
}

void tally_session_set_protocol(tally_session *s, enum tally_protocol protocol)
{
    s->protocol = protocol;
}

void tally_session_set_security(tally_session *s, enum tally_security security)
{
    s->security = security;
    s->security_given = 1;
}

void tally_session_set_reveal(tally_session *s, enum tally_reveal reveal)
{
    s->reveal = reveal;
    s->reveal_given = 1;
}

tally_status tally_session_add_peer_pin(tally_session *s, const char *pin, tally_error *error)
{
    if (s->rule.pin_count == PARTY_PINS_MAX)
        return party_kept(
            s, party_fail(&s->last, TALLY_ERR_USAGE, "more than %d peer fingerprints", PARTY_PINS_MAX),
            error);
    tally_status st = party_pin_parse(s->rule.pins[s->rule.pin_count], pin, &s->last);
    if (!st)
        s->rule.pin_count++;
    return party_kept(s, st, error);
}

tally_status tally_session_set_peer_ca(tally_session *s, const char *ca_file, const char *name,
                                       tally_error *error)
{
    tally_status st = party_set_text(&s->ca_file, ca_file, &s->last);
    if (!st && name)
        st = party_set_text(&s->peer_name, name, &s->last);
    s->rule.ca_file = s->ca_file;
    s->rule.name = s->peer_name;
    return party_kept(s, st, error);
}

tally_status tally_session_set_peer_crl(tally_session *s, const char *crl_file, tally_error *error)
{
    tally_status st = party_set_text(&s->crl_file, crl_file, error);
    s->rule.crl_file = s->crl_file;
    return st;
}

tally_status tally_session_set_listen(tally_session *s, const char *address, tally_error *error)
{
    tally_status st = party_address_parse(&s->address, address, 1, &s->last);
    s->has_listen = s->has_listen || !st;
    return party_kept(s, st, error);
}

tally_status tally_session_set_connect(tally_session *s, const char *address, tally_error *error)
{
    tally_status st = party_address_parse(&s->address, address, 0, &s->last);
    s->has_connect = s->has_connect || !st;
    return party_kept(s, st, error);
}

void tally_session_set_calibration(tally_session *s, const tally_calibration *calibration)
{
    s->calibration = calibration;
}

void tally_session_set_transport(tally_session *s, const tally_transport *transport, int tls, int tls_server)
{
    s->transport = transport;
    s->transport_tls = tls;
    s->transport_tls_server = tls_server;
}

void tally_session_set_timeout(tally_session *s, uint32_t seconds)
{
    s->timeout_s = seconds;
}

void tally_session_set_threads(tally_session *s, uint32_t threads)
{
    s->threads = threads;
}

void tally_session_set_executor(tally_session *s, const tally_executor *executor)
{
    s->executor = executor ? *executor : (tally_executor){.submit = NULL};
}

void tally_session_set_memory_limit(tally_session *s, uint64_t bytes)
{
    s->memory_limit = bytes;
}

tally_status tally_session_set_output(tally_session *s, const char *path, int overwrite, tally_error *error)
{
    s->output_overwrite = overwrite;
    return party_kept(s, party_set_text(&s->output_path, path, &s->last), error);
}

tally_status tally_session_add_output_column(tally_session *s, const char *column, tally_error *error)
{
    if (!s->columns) {
        s->columns = psi_calloc(COLUMNS_MAX, sizeof *s->columns);
        if (!s->columns)
            return party_kept(s, party_no_memory(&s->last, "the output columns"), error);
    }
    if (s->column_count == COLUMNS_MAX)
        return party_kept(
            s, party_fail(&s->last, TALLY_ERR_USAGE, "more than %u output columns", COLUMNS_MAX), error);
    tally_status st = party_set_text(&s->columns[s->column_count], column, &s->last);
    s->column_count += !st;
    return party_kept(s, st, error);
}

static tally_status add_column(wire_column *list, size_t *count, const char *name, size_t width,
                               const char *what, tally_error *error)
{
    size_t len = name ? strlen(name) : 0;
    if (!name || !wire_column_name(name, len))
        return party_fail(error, TALLY_ERR_USAGE,
                          "the name of %s column has to be 1 to %u bytes of printable UTF-8",
                          party_word(what), WIRE_NAME_MAX);
    if (*count == WIRE_COLUMNS_MAX)
        return party_fail(error, TALLY_ERR_USAGE, "more than %u columns", WIRE_COLUMNS_MAX);
    for (size_t i = 0; i < *count; i++)
        if (strcmp(list[i].name, name) == 0)
            return party_fail(error, TALLY_ERR_USAGE, "column '%s' is named twice", name);
    memcpy(list[*count].name, name, len + 1);
    list[(*count)++].width = (uint32_t)width;
    return TALLY_OK;
}

tally_status tally_session_add_offer(tally_session *s, const char *column, size_t width, tally_error *error)
{
    if (width < 1 || width > WIRE_WIDTH_MAX)
        return party_kept(s,
                          party_fail(&s->last, TALLY_ERR_USAGE,
                                     "the width of an offered column is 1 to %u bytes", WIRE_WIDTH_MAX),
                          error);
    return party_kept(s, add_column(s->offers, &s->offer_count, column, width, "an offered", &s->last),
                      error);
}

tally_status tally_session_add_want(tally_session *s, const char *column, tally_error *error)
{
    return party_kept(s, add_column(s->wants, &s->want_count, column, 0, "a wanted", &s->last), error);
}

tally_status tally_session_set_rows_per_person(tally_session *s, uint32_t rows, tally_error *error)
{
    if (rows < 1 || rows > WIRE_ROWS_MAX)
        return party_kept(
            s, party_fail(&s->last, TALLY_ERR_USAGE, "rows per person are 1 to %u", WIRE_ROWS_MAX), error);
    s->rows_per_person = rows;
    return TALLY_OK;
}

void tally_session_set_function(tally_session *s, enum tally_function function)
{
    s->function = function;
    s->function_given = 1;
}

void tally_session_set_scheme(tally_session *s, enum tally_scheme scheme)
{
    s->scheme = scheme;
}

tally_status tally_session_set_min_overlap(tally_session *s, uint64_t k, tally_error *error)
{
    if (k == 1 || k > WIRE_OVERLAP_MAX)
        return party_kept(
            s, party_fail(&s->last, TALLY_ERR_USAGE, "a minimum overlap is 2 to 2^30 identifiers"), error);
    s->min_overlap = k;
    return TALLY_OK;
}

tally_status tally_session_set_noise(tally_session *s, uint64_t epsilon_micro, tally_error *error)
{
    if (epsilon_micro && (epsilon_micro < WIRE_EPSILON_MIN || epsilon_micro > WIRE_EPSILON_MAX))
        return party_kept(s, party_fail(&s->last, TALLY_ERR_USAGE, "the epsilon of noise is 0.01 to 100"),
                          error);
    s->epsilon_micro = epsilon_micro;
    return TALLY_OK;
}

tally_status tally_session_add_peer_band(tally_session *s, const char *column, const int64_t *edges,
                                         size_t count, uint32_t scale, tally_error *error)
{
    const int64_t limit = (int64_t)1 << WIRE_VALUE_BITS;
    if (s->peer_band_count)
        return party_kept(
            s, party_fail(&s->last, TALLY_ERR_USAGE, "the other side has bands of one column at most"),
            error);
    if (!column || !wire_column_name(column, strlen(column)))
        return party_kept(
            s,
            party_fail(&s->last, TALLY_ERR_USAGE,
                       "the name of a column with bands has to be 1 to %u bytes of printable UTF-8",
                       WIRE_NAME_MAX),
            error);
    int good = count >= 2 && count <= WIRE_EDGES_MAX && scale <= WIRE_SCALE_MAX;
    for (size_t i = 0; good && i < count; i++)
        good = edges[i] > -limit && edges[i] < limit && (!i || edges[i] > edges[i - 1]);
    if (!good)
        return party_kept(
            s,
            party_fail(&s->last, TALLY_ERR_USAGE,
                       "bands have 2 to %u ascending edges within 48 bits and up to %u decimals",
                       WIRE_EDGES_MAX, WIRE_SCALE_MAX),
            error);
    wire_band *b = &s->peer_bands[s->peer_band_count++];
    memcpy(b->name, column, strlen(column) + 1);
    memcpy(b->edges, edges, count * sizeof *edges);
    b->count = count;
    b->scale = scale;
    return TALLY_OK;
}

void tally_session_on_columns(tally_session *s, tally_match_columns_callback callback, void *user)
{
    s->on_columns = callback;
    s->on_columns_user = user;
}

void tally_session_on_match(tally_session *s, tally_match_callback callback, void *user)
{
    s->on_match = callback;
    s->on_match_user = user;
}

void tally_session_on_progress(tally_session *s, tally_progress_callback callback, void *user)
{
    s->on_progress = callback;
    s->on_progress_user = user;
}

void tally_session_on_log(tally_session *s, tally_log_callback callback, void *user)
{
    s->on_log = callback;
    s->on_log_user = user;
}

void tally_session_cancel(tally_session *s)
{
    if (s->owner == getpid()) /* the descriptor is the parent's too */
        party_cancel_raise(&s->cancel);
}

const tally_error *tally_session_error(const tally_session *s)
{
    return &s->last;
}

void party_log(const tally_session *s, int level, const char *format, ...)
{
    char line[1024];
    va_list args;
    if (!s->on_log)
        return;
    va_start(args, format);
    party_render(line, sizeof line, 1, format, args);
    va_end(args);
    party_tell_log(s, level, line);
}
