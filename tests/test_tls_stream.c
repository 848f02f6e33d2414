/* SPDX-License-Identifier: Apache-2.0 */
/* The TLS stream after the handshake: full duplex, ends, truncation, damage, timeouts, shutdown. */
#include "psi/hash.h"
#include "tests/support_tls.h"
#include "tests/unit.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct flow {
    const tally_transport *io;
    uint8_t *bytes;
    size_t len;
    int ok;
};

static void *flow_out(void *arg)
{
    struct flow *f = arg;
    for (size_t at = 0; at < f->len;) {
        size_t part = f->len - at < 50000 ? f->len - at : 50000;
        long n = f->io->write(f->io->user, f->bytes + at, part, 50);
        if (n <= 0 && n != TALLY_IO_TIMEOUT)
            return NULL;
        at += n > 0 ? (size_t)n : 0;
    }
    f->ok = 1;
    return NULL;
}

static void *flow_in(void *arg)
{
    struct flow *f = arg;
    for (size_t at = 0; at < f->len;) {
        long n = f->io->read(f->io->user, f->bytes + at, f->len - at, 50);
        if (n <= 0 && n != TALLY_IO_TIMEOUT)
            return NULL;
        at += n > 0 ? (size_t)n : 0;
    }
    f->ok = 1;
    return NULL;
}

/* Both sides send at once, and nobody reads more than the other side's buffers let through. */
static void duplex(const tally_transport *a, const tally_transport *b, size_t len)
{
    struct flow f[4] = {{.io = a}, {.io = b}, {.io = b}, {.io = a}};
    pthread_t thread[4];
    for (int i = 0; i < 4; i++) {
        f[i].len = len;
        f[i].bytes = malloc(len);
        if (i < 2)
            unit_random(f[i].bytes, len);
    }
    for (int i = 0; i < 4; i++)
        pthread_create(&thread[i], NULL, i < 2 ? flow_out : flow_in, &f[i]);
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        CU_ASSERT(f[i].ok);
    }
    CU_ASSERT(memcmp(f[0].bytes, f[2].bytes, len) == 0);
    CU_ASSERT(memcmp(f[1].bytes, f[3].bytes, len) == 0);
    for (int i = 0; i < 4; i++)
        free(f[i].bytes);
}

static void test_duplex(void)
{
    struct side s[2];
    sides_connect(s);
    duplex(&s[CLIENT].io, &s[SERVER].io, 32u << 20);
    sides_free(s);
}

/* A transport that takes and gives a few bytes at a time, and now and then nothing. */
struct drip {
    tally_transport below;
    unsigned reads, writes;
};

static long drip_read(void *user, void *buf, size_t cap, int timeout_ms)
{
    struct drip *d = user;
    return ++d->reads % 5 ? d->below.read(d->below.user, buf, cap < 977 ? cap : 977, timeout_ms)
                          : TALLY_IO_TIMEOUT;
}

static long drip_write(void *user, const void *buf, size_t len, int timeout_ms)
{
    struct drip *d = user;
    return ++d->writes % 5 ? d->below.write(d->below.user, buf, len < 613 ? len : 613, timeout_ms)
                           : TALLY_IO_TIMEOUT;
}

static void drip_shutdown(void *user)
{
    struct drip *d = user;
    d->below.shutdown(d->below.user);
}

static void test_dripping_transport(void)
{
    struct side s[2];
    struct drip d[2] = {{.reads = 0}, {.reads = 0}};
    sides_prepare(s, bank, court);
    tally_transport pipe[2] = {s[0].below, s[1].below};
    for (int i = 0; i < 2; i++) {
        d[i].below = pipe[i];
        s[i].below = (tally_transport){
            .user = &d[i], .read = drip_read, .write = drip_write, .shutdown = drip_shutdown};
    }
    sides_run(s);
    CU_ASSERT_EQUAL_FATAL(s[0].status | s[1].status, TALLY_OK);
    duplex(&s[CLIENT].io, &s[SERVER].io, 1u << 20);
    for (int i = 0; i < 2; i++) {
        s[i].io.shutdown(s[i].io.user);
        s[i].below = pipe[i];
    }
    sides_free(s);
}

static void test_end_and_truncation(void)
{
    struct side s[2];
    char got[8] = "";
    tally_error error;
    sides_connect(s);
    CU_ASSERT_EQUAL(s[CLIENT].io.write(s[CLIENT].io.user, "bye", 3, 1000), 3);
    s[CLIENT].io.shutdown(s[CLIENT].io.user);
    s[CLIENT].io.shutdown(s[CLIENT].io.user);
    CU_ASSERT_EQUAL(s[SERVER].io.read(s[SERVER].io.user, got, sizeof got, 1000), 3);
    CU_ASSERT_EQUAL(s[SERVER].io.read(s[SERVER].io.user, got, sizeof got, 1000), TALLY_IO_END);
    CU_ASSERT_EQUAL(s[SERVER].io.read(s[SERVER].io.user, got, sizeof got, 1000), TALLY_IO_END);
    CU_ASSERT_EQUAL(s[CLIENT].io.read(s[CLIENT].io.user, got, sizeof got, 1000), TALLY_IO_FAILED);
    CU_ASSERT_EQUAL(s[CLIENT].io.write(s[CLIENT].io.user, got, 1, 1000), TALLY_IO_FAILED);
    sides_free(s);
    /* The stream below ends without close_notify. */
    sides_connect(s);
    CU_ASSERT_EQUAL(s[CLIENT].io.write(s[CLIENT].io.user, "bye", 3, 1000), 3);
    s[CLIENT].below.shutdown(s[CLIENT].below.user);
    CU_ASSERT_EQUAL(s[SERVER].io.read(s[SERVER].io.user, got, sizeof got, 1000), 3);
    CU_ASSERT_EQUAL(s[SERVER].io.read(s[SERVER].io.user, got, sizeof got, 1000), TALLY_IO_FAILED);
    CU_ASSERT_EQUAL(party_tls_failure(s[SERVER].tls, &error), TALLY_OK);
    sides_free(s);
}

static void test_damaged_record(void)
{
    struct side s[2];
    char got[8];
    tally_error error = {.status = TALLY_OK};
    static const uint8_t record[] = {0x17, 3,  3,  0,  20, 1,  2,  3,  4,  5,  6,  7, 8,
                                     9,    10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
    sides_connect(s);
    CU_ASSERT_EQUAL(s[CLIENT].below.write(s[CLIENT].below.user, record, sizeof record, 1000),
                    (long)sizeof record);
    CU_ASSERT_EQUAL(s[SERVER].io.read(s[SERVER].io.user, got, sizeof got, 1000), TALLY_IO_FAILED);
    CU_ASSERT_EQUAL(party_tls_failure(s[SERVER].tls, &error), TALLY_ERR_MALFORMED);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "damaged TLS record"));
    CU_ASSERT_EQUAL(s[SERVER].io.write(s[SERVER].io.user, got, 1, 1000), TALLY_IO_FAILED);
    /* The other side is told by an alert. */
    CU_ASSERT_EQUAL(s[CLIENT].io.read(s[CLIENT].io.user, got, sizeof got, 1000), TALLY_IO_FAILED);
    CU_ASSERT_EQUAL(party_tls_failure(s[CLIENT].tls, &error), TALLY_ERR_MALFORMED);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "TLS alert"));
    sides_free(s);
}

struct blocked {
    const tally_transport *io;
    int writes;
    long result;
    int64_t ended;
};

static void *blocked_call(void *arg)
{
    struct blocked *b = arg;
    static uint8_t block[65536];
    char got[8];
    do
        b->result = b->writes ? b->io->write(b->io->user, block, sizeof block, 20000)
                              : b->io->read(b->io->user, got, sizeof got, 20000);
    while (b->result > 0);
    b->ended = party_now_ms();
    return NULL;
}

/* The session's cancel ends in a shutdown: a blocked read and a blocked write return soon. */
static void test_shutdown_unblocks(void)
{
    struct side s[2];
    pthread_t thread[2];
    struct blocked b[2];
    sides_connect(s);
    for (int i = 0; i < 2; i++) {
        b[i] = (struct blocked){.io = &s[CLIENT].io, .writes = i};
        pthread_create(&thread[i], NULL, blocked_call, &b[i]);
    }
    usleep(50000);
    int64_t at = party_now_ms();
    s[CLIENT].io.shutdown(s[CLIENT].io.user);
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
        CU_ASSERT(b[i].result < 0);
        CU_ASSERT(b[i].ended - at < 1500);
    }
    sides_free(s);
}

static void test_read_timeout(void)
{
    struct side s[2];
    char got[8];
    sides_connect(s);
    int64_t began = party_now_ms();
    CU_ASSERT_EQUAL(s[CLIENT].io.read(s[CLIENT].io.user, got, sizeof got, 0), TALLY_IO_TIMEOUT);
    CU_ASSERT_EQUAL(s[CLIENT].io.read(s[CLIENT].io.user, got, sizeof got, 60), TALLY_IO_TIMEOUT);
    CU_ASSERT(party_now_ms() - began >= 55 && party_now_ms() - began < 1000);
    /* Writes that nobody reads: TIMEOUT in the end, and what was taken arrives whole once somebody reads. */
    static uint8_t block[16384];
    size_t sent = 0, arrived = 0;
    memset(block, 7, sizeof block);
    long n;
    while ((n = s[CLIENT].io.write(s[CLIENT].io.user, block, sizeof block, 20)) > 0)
        sent += (size_t)n;
    CU_ASSERT_EQUAL(n, TALLY_IO_TIMEOUT);
    CU_ASSERT(sent >= 65536);
    /* The client's reader alone pushes the rest on. */
    while (arrived < sent) {
        n = s[SERVER].io.read(s[SERVER].io.user, block, sizeof block, 20);
        if (n == TALLY_IO_TIMEOUT)
            n = s[CLIENT].io.read(s[CLIENT].io.user, got, sizeof got, 0) == TALLY_IO_TIMEOUT ? 0 : -1;
        if (n < 0)
            break;
        arrived += (size_t)n;
    }
    CU_ASSERT_EQUAL(arrived, sent);
    sides_free(s);
}

/* ---- A peer that changes its keys ---- */

static int any_certificate(X509_STORE_CTX *ctx, void *user)
{
    (void)ctx, (void)user;
    return 1;
}

/* Everything ssl has to say goes to io; then, if wanted, one read from io to ssl. */
static int pump(SSL *ssl, const tally_transport *io, int wanted)
{
    uint8_t buf[32768];
    for (int n; (n = BIO_read(SSL_get_wbio(ssl), buf, sizeof buf)) > 0;)
        for (long at = 0, w; at < n; at += w)
            if ((w = io->write(io->user, buf + at, (size_t)(n - at), 2000)) <= 0)
                return 0;
    long n = wanted ? io->read(io->user, buf, sizeof buf, 2000) : 0;
    return n > 0 ? BIO_write(SSL_get_rbio(ssl), buf, (int)n) == n : !wanted;
}

/* One byte from the peer; 0 when the stream ends. */
static int raw_get(SSL *ssl, const tally_transport *io, char *byte)
{
    while (SSL_read(ssl, byte, 1) != 1)
        if (SSL_get_error(ssl, -1) == SSL_ERROR_SSL || !pump(ssl, io, 1))
            return 0;
    return 1;
}

/* The other end is OpenSSL itself: it asks for new keys in both directions, again and again. Our reader then
   has something to send although nobody writes. */
static void test_key_update(void)
{
    struct side s[2];
    pthread_t thread;
    char byte = 0;
    sides_prepare(s, bank, court);
    const tally_transport *io = &s[CLIENT].below;
    SSL_CTX *ctx = SSL_CTX_new_ex(psi_openssl(), NULL, TLS_client_method());
    SSL_CTX_set_cert_verify_callback(ctx, any_certificate, NULL);
    SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\007tally/1", 8);
    CU_ASSERT_EQUAL_FATAL(SSL_CTX_use_cert_and_key(ctx, bank->cert, bank->key, NULL, 1), 1);
    SSL *ssl = SSL_new(ctx);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl);
    pthread_create(&thread, NULL, side_handshake, &s[SERVER]);
    while (SSL_do_handshake(ssl) != 1 && pump(ssl, io, 1))
        ;
    CU_ASSERT(raw_get(ssl, io, &byte));
    CU_ASSERT_EQUAL(byte, 1); /* the ready byte */
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL_FATAL(s[SERVER].status, TALLY_OK);
    for (char i = 10; i < 14; i++) {
        CU_ASSERT_EQUAL(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        CU_ASSERT_EQUAL(SSL_write(ssl, &i, 1), 1);
        CU_ASSERT(pump(ssl, io, 0));
        CU_ASSERT_EQUAL(s[SERVER].io.read(s[SERVER].io.user, &byte, 1, 1000), 1);
        CU_ASSERT_EQUAL(byte, i);
        CU_ASSERT_EQUAL(s[SERVER].io.write(s[SERVER].io.user, &i, 1, 1000), 1);
        byte = 0;
        CU_ASSERT(raw_get(ssl, io, &byte));
        CU_ASSERT_EQUAL(byte, i);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    ERR_clear_error();
    sides_free(s);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"duplex", test_duplex},
        {"dripping_transport", test_dripping_transport},
        {"end_and_truncation", test_end_and_truncation},
        {"damaged_record", test_damaged_record},
        {"key_update", test_key_update},
        {"shutdown_unblocks", test_shutdown_unblocks},
        {"read_timeout", test_read_timeout},
    };
    identities_new();
    int status = unit_main(argc, argv, "tls_stream", tests, sizeof tests / sizeof *tests);
    identities_free();
    return status;
}
