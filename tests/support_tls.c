/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support_tls.h"

#include "tests/support_cert.h"
#include "tests/unit.h"

#include <pthread.h>
#include <string.h>

tally_identity *bank, *court, *stranger;

void identities_new(void)
{
    bank = cert_identity(&(cert_spec){.organisation = "示例银行", .common = "bank"});
    court = cert_identity(&(cert_spec){.organisation = "Example Court", .common = "court"});
    stranger = cert_identity(&(cert_spec){.organisation = "Stranger", .common = "stranger"});
}

void identities_free(void)
{
    tally_identity_free(bank);
    tally_identity_free(court);
    tally_identity_free(stranger);
}

party_peer_rule pin_of(const tally_identity *id)
{
    party_peer_rule rule = {.pin_count = 1};
    memcpy(rule.pins[0], id->fingerprint32, 32);
    return rule;
}

void *side_handshake(void *arg)
{
    struct side *s = arg;
    s->status = party_tls_context_new(&s->context, s->server, s->identity, &s->rule, &s->error);
    if (!s->status)
        s->status = party_tls_open(&s->tls, s->context, &s->below, s->server ? NULL : "127.0.0.1:7440",
                                   party_now_ms() + s->timeout_ms, &s->cancel, &s->error);
    if (!s->status)
        party_tls_io(s->tls, &s->io);
    else
        s->below.shutdown(s->below.user);
    return NULL;
}

void sides_prepare(struct side s[2], const tally_identity *client, const tally_identity *server)
{
    memset(s, 0, 2 * sizeof *s);
    CU_ASSERT_EQUAL_FATAL(tally_pipe_new(&s[CLIENT].below, &s[SERVER].below, NULL), TALLY_OK);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(party_cancel_init(&s[i].cancel, NULL), TALLY_OK);
        s[i].server = i;
        s[i].timeout_ms = 5000;
        s[i].identity = i ? server : client;
        s[i].rule = pin_of(i ? client : server);
    }
}

void sides_run(struct side s[2])
{
    pthread_t thread;
    pthread_create(&thread, NULL, side_handshake, &s[SERVER]);
    side_handshake(&s[CLIENT]);
    pthread_join(thread, NULL);
}

void sides_free(struct side s[2])
{
    for (int i = 0; i < 2; i++) {
        if (s[i].tls)
            s[i].io.shutdown(s[i].io.user);
        party_tls_free(s[i].tls);
        party_tls_context_free(s[i].context);
        party_cancel_close(&s[i].cancel);
    }
    tally_pipe_free(&s[0].below);
    tally_pipe_free(&s[1].below);
}

void sides_connect(struct side s[2])
{
    sides_prepare(s, bank, court);
    sides_run(s);
    CU_ASSERT_EQUAL_FATAL(s[CLIENT].status, TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(s[SERVER].status, TALLY_OK);
}
