/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two locks. write_lock orders the ciphertext: whoever holds it may move bytes from the output BIO through
 * staged to the transport, and only the holder calls io.write. lock guards the SSL object, its BIOs and what
 * is known about a failure; nobody waits for the transport while holding it. Order: write_lock, then lock.
 * The reader never waits for write_lock: if the writer has it, the writer sends the reader's output too, so
 * both sides can send at once.
 */
#include "party/tls.h"

#include "party/error.h"
#include "party/identity.h"
#include "party/known.h"
#include "party/peer.h"
#include "party/token.h"
#include "psi/hash.h"
#include "psi/mem.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define STAGED 65536u   /* ciphertext taken from the output BIO at a time */
#define INCOMING 32768u /* ciphertext read from the transport at a time: two records */
#define PLAIN 16384u    /* one record's plaintext, RFC 8446 section 5.1 */
#define SLICE_MS 100    /* how soon a cancel or a shutdown is noticed */
#define READY 0x01

/* By purpose: what a client offers. */
static const unsigned char alpn_run[] = {7, 't', 'a', 'l', 'l', 'y', '/', '1'},
                           alpn_ping[] = {12, 't', 'a', 'l', 'l', 'y', '-', 'p', 'i', 'n', 'g', '/', '1'};

struct party_tls_context {
    SSL_CTX *ctx;
    X509_STORE *store[PARTY_RULES_MAX]; /* NULL without a CA */
    const party_peer_rule *rule[PARTY_RULES_MAX];
    size_t rules;
    const tally_identity *identity;
    int server;
    enum party_tls_purpose purpose;
};

struct party_tls {
    const party_tls_context *context; /* until the handshake is over */
    tally_transport io;
    char who[700]; /* begins messages: "the other side at 127.0.0.1:7440" */
    pthread_mutex_t write_lock;
    uint8_t *staged;
    size_t staged_at, staged_len;
    atomic_int backlog; /* 1: staged bytes wait for the transport */
    atomic_int closing; /* 1: whoever writes gives up soon */
    pthread_mutex_t lock;
    SSL *ssl;
    BIO *in, *out;     /* owned by ssl */
    uint8_t *incoming; /* the reader's */
    int alert;         /* fatal alert that came, or -1 */
    int ping;          /* agreed on by ALPN */
    int established;   /* the handshake is over; SSL forgets it after an error */
    int broken;        /* no further SSL call */
    tally_error failure;
    party_verdict verdict;
    uint64_t accepted; /* bit i: by rule i */
};

/* ---- Context ---- */

static int is_name(const unsigned char *alpn, const unsigned char *name, size_t len)
{
    return len == alpn[0] && memcmp(name, alpn + 1, len) == 0;
}

/* Of a name that came: 1 a ping, 0 a run, -1 neither, or not what this context is for. */
static int judge_alpn(const party_tls_context *context, const unsigned char *name, size_t len)
{
    if (context->purpose != PARTY_TLS_PING && is_name(alpn_run, name, len))
        return 0;
    return context->purpose != PARTY_TLS_RUN && is_name(alpn_ping, name, len) ? 1 : -1;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                       unsigned in_len, void *user)
{
    const party_tls *t = SSL_get_app_data(ssl);
    (void)user;
    for (unsigned i = 0; i < in_len && in[i] < in_len - i; i += 1u + in[i]) {
        if (judge_alpn(t->context, in + i + 1, in[i]) >= 0) {
            *out = in + i + 1;
            *out_len = in[i];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* A client that names no application protocol at all would otherwise pass. */
static int need_alpn(SSL *ssl, int *alert, void *user)
{
    const unsigned char *ext;
    size_t len;
    (void)user;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &ext, &len))
        return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    ERR_raise(ERR_LIB_SSL, SSL_R_NO_APPLICATION_PROTOCOL);
    return SSL_CLIENT_HELLO_ERROR;
}

/* By all rules. A refusal by one that knows the key says more than one by a rule for somebody else. */
static int judge(party_tls *t, const party_known *known, X509 *leaf, STACK_OF(X509) * untrusted)
{
    const party_tls_context *c = t->context;
    int64_t now = (int64_t)time(NULL);
    int code = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    t->accepted = 0;
    for (size_t i = 0; i < c->rules; i++) {
        party_verdict v;
        int one =
            party_peer_judge(c->rule[i], known, c->store[i], leaf, untrusted, now, !c->server, t->who, &v);
        if (one == X509_V_OK)
            t->accepted |= (uint64_t)1 << i;
        if (!i || one == X509_V_OK ||
            (!t->accepted && code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY && one != code)) {
            t->verdict = v;
            code = one;
        }
    }
    if (c->rules > 1 && code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY) {
        char pin[TALLY_FINGERPRINT_TEXT];
        party_pin_text(pin, t->verdict.fingerprint32);
        party_fail(&t->verdict.why, TALLY_ERR_AUTH, "%s has fingerprint %s, which no agreement here names",
                   t->who, pin);
        party_hint(&t->verdict.why, "if its key was replaced, its statement of rotation is missing here: "
                                    "tally peer add-rotation FILE");
    }
    return code;
}

static int verify(X509_STORE_CTX *ctx, void *user)
{
    (void)user;
    const SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    party_tls *t = SSL_get_app_data(ssl);
    const tally_identity *id = t->context->identity;
    party_known *known = NULL;
    int code = X509_V_ERR_OUT_OF_MEM; /* whose alert says that the fault is ours */
    memset(&t->verdict, 0, sizeof t->verdict);
    if (!party_known_load(&known, id->peers, id->peers_count, &t->verdict.why))
        code = judge(t, known, X509_STORE_CTX_get0_cert(ctx), X509_STORE_CTX_get0_untrusted(ctx));
    party_known_free(known);
    X509_STORE_CTX_set_error(ctx, code);
    return code == X509_V_OK;
}

static void note_alert(const SSL *ssl, int where, int value)
{
    party_tls *t = SSL_get_app_data(ssl);
    if (t && (where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (value & 0xff) != SSL_AD_CLOSE_NOTIFY)
        t->alert = value & 0xff;
}

static int configure(SSL_CTX *ctx, const tally_identity *identity)
{
    SSL_CTX_set_security_level(ctx, 2);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, verify, NULL);
    SSL_CTX_set_info_callback(ctx, note_alert);
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
    SSL_CTX_set_client_hello_cb(ctx, need_alpn, NULL);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) &&
           SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) && SSL_CTX_set_num_tickets(ctx, 0) &&
           SSL_CTX_set_alpn_protos(ctx, alpn_run, sizeof alpn_run) == 0 &&
           SSL_CTX_use_cert_and_key(ctx, identity->cert, identity->key, identity->chain, 1);
}

tally_status party_tls_context_add(party_tls_context *c, const party_peer_rule *rule, tally_error *error)
{
    if (!rule->pin_count && !rule->ca_file)
        return party_fail(error, TALLY_ERR_USAGE, "nothing says whom to accept as the other side");
    if (rule->ca_file && (!rule->name || !*rule->name))
        return party_fail(error, TALLY_ERR_USAGE,
                          "a CA for the other side needs the other side's name as well");
    if (rule->crl_file && !rule->ca_file)
        return party_fail(error, TALLY_ERR_USAGE, "a list of revoked certificates needs its CA as well");
    if (c->rules == PARTY_RULES_MAX)
        return party_fail(error, TALLY_ERR_USAGE, "more than %d peers at one place", PARTY_RULES_MAX);
    if (rule->ca_file) {
        tally_status st = party_peer_store(&c->store[c->rules], rule, error);
        if (st)
            return st;
    }
    c->rule[c->rules++] = rule;
    return TALLY_OK;
}

tally_status party_tls_context_new(party_tls_context **out, int server, const tally_identity *identity,
                                   const party_peer_rule *rule, tally_error *error)
{
    party_tls_context *c = psi_calloc(1, sizeof *c);
    party_known *known = NULL;
    tally_status st = c && psi_openssl() ? TALLY_OK : party_no_memory(error, "TLS");
    if (st)
        goto done;
    c->server = server;
    c->identity = identity;
    st = party_tls_context_add(c, rule, error);
    if (!st)
        st = party_identity_usable(identity, error);
    if (!st) /* a damaged file is noticed before anybody is kept waiting */
        st = party_known_load(&known, identity->peers, identity->peers_count, error);
    party_known_free(known);
    if (st)
        goto done;
    c->ctx = SSL_CTX_new_ex(psi_openssl(), NULL, server ? TLS_server_method() : TLS_client_method());
    if (!c->ctx) {
        st = party_no_memory(error, "TLS");
        goto done;
    }
    if (!configure(c->ctx, identity)) {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());
        st = party_fail(error, TALLY_ERR_AUTH, "TLS cannot use our certificate: %s",
                        reason ? reason : PARTY_WORD("unknown"));
        goto done;
    }
    *out = c;
    c = NULL;
done:
    ERR_clear_error();
    party_tls_context_free(c);
    return st;
}

void party_tls_context_purpose(party_tls_context *c, enum party_tls_purpose purpose)
{
    c->purpose = purpose;
    /* Fails for want of memory only: the handshake then finds no name in common. */
    if (purpose == PARTY_TLS_PING)
        (void)!SSL_CTX_set_alpn_protos(c->ctx, alpn_ping, sizeof alpn_ping);
}

void party_tls_context_free(party_tls_context *c)
{
    if (!c)
        return;
    SSL_CTX_free(c->ctx);
    for (size_t i = 0; i < c->rules; i++)
        X509_STORE_free(c->store[i]);
    psi_free(c);
}

/* ---- Failures ---- */

/* After a fatal SSL error: says once why, and that SSL must not be called again. lock is held, or only one
 * thread. */
static void break_down(party_tls *t)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    const char *text = ERR_reason_error_string(code);
    tally_error *e = &t->failure;
    ERR_clear_error();
    if (t->broken)
        return;
    t->broken = 1;
    if (t->verdict.why.status) {
        *e = t->verdict.why;
    } else if (t->context && t->context->identity->token &&
               party_token_failure(t->context->identity->token, e)) {
        /* e says it */
    } else if (t->alert >= 0) {
        party_peer_alert(t->alert, t->who, e);
    } else if (reason == ERR_R_MALLOC_FAILURE) {
        party_no_memory(e, "TLS");
    } else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        party_fail(e, TALLY_ERR_AUTH, "%s showed no certificate", t->who);
        party_hint(e, "the other side has to run tally with its identity");
    } else if (reason == SSL_R_NO_APPLICATION_PROTOCOL) {
        party_fail(e, TALLY_ERR_MALFORMED, "%s speaks TLS, but not tally/1", t->who);
        party_hint(e, "check host and port: is that the other side's tally?");
    } else if (!t->established) {
        party_fail(e, TALLY_ERR_MALFORMED, "%s does not speak TLS 1.3: %s", t->who,
                   text ? text : PARTY_WORD("unknown error"));
        party_hint(
            e,
            "check host and port: is that the other side's tally, and is nothing in between that opens TLS?");
    } else {
        party_fail(e, TALLY_ERR_MALFORMED, "%s sent a damaged TLS record: %s", t->who,
                   text ? text : PARTY_WORD("unknown error"));
        party_hint(e, "something on the way changes the data; ask the network's administrators");
    }
}

/* ---- Moving ciphertext ---- */

static int64_t left_until(int64_t until)
{
    int64_t left = until - party_now_ms();
    return left < 0 ? 0 : left;
}

/* Sends what the output BIO holds. 1 when all of it is with the transport, TALLY_IO_TIMEOUT (kept in staged
   for the next time), TALLY_IO_FAILED. write_lock is held. */
static int64_t drain(party_tls *t, int64_t until)
{
    for (;;) {
        if (t->staged_at == t->staged_len) {
            pthread_mutex_lock(&t->lock);
            int n = BIO_read(t->out, t->staged, STAGED);
            pthread_mutex_unlock(&t->lock);
            t->staged_at = 0;
            t->staged_len = n > 0 ? (size_t)n : 0;
            if (n <= 0) {
                atomic_store(&t->backlog, 0);
                return 1;
            }
        }
        int64_t left = left_until(until);
        size_t len = t->staged_len - t->staged_at;
        int64_t n =
            t->io.write(t->io.user, t->staged + t->staged_at, len, left > SLICE_MS ? SLICE_MS : (int)left);
        if (n == TALLY_IO_TIMEOUT) {
            atomic_store(&t->backlog, 1);
            if (left_until(until) == 0 || atomic_load(&t->closing))
                return TALLY_IO_TIMEOUT;
        } else if (n <= 0 || (size_t)n > len) {
            return TALLY_IO_FAILED;
        } else {
            t->staged_at += (size_t)n;
        }
    }
}

/* Reads from the transport into the input BIO. 1, or one of the three codes. Only the reader calls it. */
static int64_t feed(party_tls *t, int timeout_ms)
{
    int64_t n = t->io.read(t->io.user, t->incoming, INCOMING, timeout_ms);
    if (n == TALLY_IO_TIMEOUT || n == TALLY_IO_END)
        return n;
    if (n < 0 || (size_t)n > INCOMING)
        return TALLY_IO_FAILED;
    pthread_mutex_lock(&t->lock);
    int put = BIO_write(t->in, t->incoming, (int)n);
    if (put != n && !t->broken) {
        t->broken = 1;
        party_no_memory(&t->failure, "TLS");
    }
    pthread_mutex_unlock(&t->lock);
    return put == n ? 1 : TALLY_IO_FAILED;
}

/* ---- Handshake ---- */

static tally_status stream_gone(const party_tls *t, int64_t code, tally_error *error)
{
    return party_fail(error, TALLY_ERR_NETWORK,
                      code == TALLY_IO_END
                          ? "%s closed the connection during the handshake"
                          : "%s cannot be reached any more: it broke off during the handshake",
                      t->who);
}

static tally_status check_time(const party_tls *t, int64_t deadline_ms, const party_cancel *cancel,
                               tally_error *error)
{
    if (party_cancelled(cancel))
        return party_fail(error, TALLY_ERR_INTERRUPTED, "interrupted during the handshake");
    if (left_until(deadline_ms) == 0)
        return party_fail(error, TALLY_ERR_TIMEOUT, "%s did not finish the handshake in time", t->who);
    return TALLY_OK;
}

static int64_t next_slice(int64_t deadline_ms)
{
    int64_t until = party_now_ms() + SLICE_MS;
    return until < deadline_ms ? until : deadline_ms;
}

static tally_status send_all(party_tls *t, int64_t deadline_ms, const party_cancel *cancel,
                             tally_error *error)
{
    for (;;) {
        pthread_mutex_lock(&t->write_lock);
        int64_t n = drain(t, next_slice(deadline_ms));
        pthread_mutex_unlock(&t->write_lock);
        if (n == 1)
            return TALLY_OK;
        tally_status st =
            n == TALLY_IO_FAILED ? stream_gone(t, n, error) : check_time(t, deadline_ms, cancel, error);
        if (st)
            return st;
    }
}

/* One step of the handshake, then of the ready byte. 1 done, 0 needs input, -1 broken (failure says why), -2
 * closed. */
static int step(party_tls *t)
{
    unsigned char byte = READY;
    size_t n = 0;
    int rc = 1;
    pthread_mutex_lock(&t->lock);
    ERR_clear_error();
    if (!t->established) {
        rc = SSL_do_handshake(t->ssl);
        t->established = rc == 1;
    }
    if (rc == 1)
        rc = SSL_is_server(t->ssl) ? SSL_write_ex(t->ssl, &byte, 1, &n) : SSL_read_ex(t->ssl, &byte, 1, &n);
    int why = rc == 1 ? SSL_ERROR_NONE : SSL_get_error(t->ssl, rc);
    int result = why == SSL_ERROR_NONE          ? 1
                 : why == SSL_ERROR_WANT_READ   ? 0
                 : why == SSL_ERROR_ZERO_RETURN ? -2
                                                : -1;
    if (result == -1)
        break_down(t);
    if (result == 1 && byte != READY) {
        t->broken = 1;
        party_fail(&t->failure, TALLY_ERR_MALFORMED, "%s did not begin with the ready byte", t->who);
        result = -1;
    }
    pthread_mutex_unlock(&t->lock);
    return result;
}

static tally_status shake_hands(party_tls *t, int64_t deadline_ms, const party_cancel *cancel,
                                tally_error *error)
{
    for (;;) {
        int done = step(t);
        if (done == -1) {
            /* The alert goes out if the transport takes it within a moment; our own reason stands in any
             * case. */
            (void)!send_all(t, party_now_ms() + 500, cancel, NULL);
            if (error)
                *error = t->failure;
            return t->failure.status;
        }
        tally_status st =
            done == -2 ? stream_gone(t, TALLY_IO_END, error) : send_all(t, deadline_ms, cancel, error);
        if (st || done == 1)
            return st;
        st = check_time(t, deadline_ms, cancel, error);
        if (st)
            return st;
        int64_t n = feed(t, (int)left_until(next_slice(deadline_ms)));
        if (n == TALLY_IO_END || n == TALLY_IO_FAILED)
            return stream_gone(t, n, error);
    }
}

static tally_status prepare(party_tls *t, const party_tls_context *context, tally_error *error)
{
    t->staged = psi_calloc(STAGED, 1);
    t->incoming = psi_calloc(INCOMING, 1);
    t->ssl = SSL_new(context->ctx);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (!t->staged || !t->incoming || !t->ssl || !t->in || !t->out) {
        BIO_free(t->in);
        BIO_free(t->out);
        ERR_clear_error();
        return party_no_memory(error, "a TLS connection");
    }
    SSL_set_bio(t->ssl, t->in, t->out);
    SSL_set_app_data(t->ssl, t);
    if (context->server)
        SSL_set_accept_state(t->ssl);
    else
        SSL_set_connect_state(t->ssl);
    return TALLY_OK;
}

tally_status party_tls_open(party_tls **out, const party_tls_context *context, const tally_transport *io,
                            const char *where, int64_t deadline_ms, party_cancel *cancel, tally_error *error)
{
    const unsigned char *name = NULL;
    unsigned name_len = 0;
    party_tls *t = psi_calloc(1, sizeof *t);
    if (!t)
        return party_no_memory(error, "a TLS connection");
    pthread_mutex_init(&t->write_lock, NULL);
    pthread_mutex_init(&t->lock, NULL);
    t->context = context;
    t->io = *io;
    t->alert = -1;
    if (where)
        party_both(t->who, sizeof t->who, "the other side at %s", where);
    else
        party_both(t->who, sizeof t->who, "the other side");
    tally_status st = prepare(t, context, error);
    if (!st)
        st = shake_hands(t, deadline_ms, cancel, error);
    if (!st) {
        SSL_get0_alpn_selected(t->ssl, &name, &name_len);
        t->ping = judge_alpn(context, name ? name : (const unsigned char *)"", name_len);
        if (t->ping < 0)
            st = party_fail(error, TALLY_ERR_MALFORMED, "%s speaks TLS, but not tally/1", t->who);
    }
    t->context = NULL;
    if (st)
        party_tls_free(t);
    else
        *out = t;
    return st;
}

/* ---- The stream ---- */

static int64_t tls_read(void *user, void *buf, size_t cap, int timeout_ms)
{
    party_tls *t = user;
    int64_t until = party_now_ms() + timeout_ms;
    for (int fed = 0;; fed = 1) {
        size_t got = 0;
        int why = SSL_ERROR_SSL;
        pthread_mutex_lock(&t->lock);
        if (!t->broken) {
            ERR_clear_error();
            int rc = SSL_read_ex(t->ssl, buf, cap, &got);
            why = rc == 1 ? SSL_ERROR_NONE : SSL_get_error(t->ssl, rc);
            if (why != SSL_ERROR_NONE && why != SSL_ERROR_WANT_READ && why != SSL_ERROR_ZERO_RETURN)
                break_down(t);
        }
        int waiting = BIO_ctrl_pending(t->out) > 0 || atomic_load(&t->backlog);
        pthread_mutex_unlock(&t->lock);
        if (waiting && pthread_mutex_trylock(&t->write_lock) == 0) {
            (void)!drain(t, 0);
            pthread_mutex_unlock(&t->write_lock);
        }
        if (why == SSL_ERROR_NONE)
            return (int64_t)got;
        if (why == SSL_ERROR_ZERO_RETURN)
            return TALLY_IO_END;
        if (why != SSL_ERROR_WANT_READ)
            return TALLY_IO_FAILED;
        int64_t left = left_until(until);
        if (fed && left == 0) /* whatever still comes: records without data are no reason to stay */
            return TALLY_IO_TIMEOUT;
        int slice = atomic_load(&t->backlog) && left > SLICE_MS ? SLICE_MS : (int)left;
        int64_t n = feed(t, slice);
        if (n == TALLY_IO_TIMEOUT && left_until(until) == 0)
            return TALLY_IO_TIMEOUT;
        if (n == TALLY_IO_END || n == TALLY_IO_FAILED)
            return TALLY_IO_FAILED; /* an end without close_notify is a truncation */
    }
}

static int64_t tls_write(void *user, const void *buf, size_t len, int timeout_ms)
{
    party_tls *t = user;
    int64_t until = party_now_ms() + timeout_ms;
    size_t taken = 0;
    pthread_mutex_lock(&t->write_lock);
    int64_t n = atomic_load(&t->closing) ? TALLY_IO_FAILED : drain(t, until);
    if (n == 1) {
        pthread_mutex_lock(&t->lock);
        if (!t->broken) {
            ERR_clear_error();
            if (SSL_write_ex(t->ssl, buf, len < PLAIN ? len : PLAIN, &taken) != 1)
                break_down(t);
        }
        if (t->broken)
            n = TALLY_IO_FAILED;
        pthread_mutex_unlock(&t->lock);
        int64_t sent = drain(t, until);
        if (sent == TALLY_IO_FAILED)
            n = sent;
    }
    pthread_mutex_unlock(&t->write_lock);
    return n == 1 ? (int64_t)taken : n;
}

static void tls_shutdown(void *user)
{
    party_tls *t = user;
    struct timespec until;
    int first = !atomic_exchange(&t->closing, 1);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 3L * SLICE_MS * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    /* A writer that holds the lock notices closing within one slice, unless its transport ignores timeouts.
     */
    if (first && pthread_mutex_timedlock(&t->write_lock, &until) == 0) {
        pthread_mutex_lock(&t->lock);
        if (!t->broken)
            SSL_shutdown(t->ssl);
        ERR_clear_error();
        pthread_mutex_unlock(&t->lock);
        int64_t end = party_now_ms() + 500;
        int64_t n;
        do
            n = drain(t, end);
        while (n == TALLY_IO_TIMEOUT && left_until(end) > 0);
        pthread_mutex_unlock(&t->write_lock);
    }
    t->io.shutdown(t->io.user);
}

void party_tls_io(party_tls *tls, tally_transport *out)
{
    *out = (tally_transport){.user = tls, .read = tls_read, .write = tls_write, .shutdown = tls_shutdown};
}

tally_status party_tls_failure(party_tls *tls, tally_error *error)
{
    pthread_mutex_lock(&tls->lock);
    tally_status st = tls->failure.status;
    if (st && error)
        *error = tls->failure;
    pthread_mutex_unlock(&tls->lock);
    return st;
}

void party_tls_free(party_tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    pthread_mutex_destroy(&tls->lock);
    pthread_mutex_destroy(&tls->write_lock);
    psi_free(tls->staged);
    psi_free(tls->incoming);
    psi_free(tls);
}

/* ---- What the handshake established ---- */

void party_tls_peer(const party_tls *tls, uint8_t fingerprint32[32], char *subject, size_t subject_size)
{
    memcpy(fingerprint32, tls->verdict.fingerprint32, 32);
    snprintf(subject, subject_size, "%s", tls->verdict.subject);
}

int party_tls_is_ping(const party_tls *tls)
{
    return tls->ping;
}

void party_tls_peer_until(const party_tls *tls, int64_t *certificate, int64_t *key)
{
    *certificate = tls->verdict.not_after;
    *key = tls->verdict.key_until;
}

uint64_t party_tls_accepted(const party_tls *tls)
{
    return tls->accepted;
}

tally_status party_tls_binding(party_tls *tls, uint8_t binding32[32])
{
    static const char label[] = "EXPORTER-tally-session";
    pthread_mutex_lock(&tls->lock);
    int ok = SSL_export_keying_material(tls->ssl, binding32, 32, label, sizeof label - 1, NULL, 0, 0);
    ERR_clear_error();
    pthread_mutex_unlock(&tls->lock);
    if (ok == 1)
        return TALLY_OK;
    psi_wipe(binding32, 32);
    return TALLY_ERR_INTERNAL;
}
