/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support_ledger.h"

#include "party/identity.h"
#include "party/receipt.h"
#include "psi/sketch.h"
#include "tests/support_agreement.h"
#include "tests/unit.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

tally_identity *ledger_identity(const char *name)
{
    char dir[160];
    tally_identity *id = NULL;
    snprintf(dir, sizeof dir, "%s/%s", unit_tmp(), name);
    if (tally_identity_create(dir, name, NULL) || tally_identity_load(dir, &id, NULL))
        abort();
    return id;
}

tally_agreement *ledger_agreement(const char *more)
{
    tally_agreement *a = NULL;
    tally_error error;
    char *text = agreed_with(agreed_count, "", more);
    if (agreed_load(text, &a, &error)) {
        fprintf(stderr, "%s\n", error.message);
        abort();
    }
    free(text);
    return a;
}

const char *ledger_path(void)
{
    static char kept[64][128];
    static size_t used;
    if (used == 64)
        abort();
    snprintf(kept[used], sizeof *kept, "%s/home/ledger/ledger.db", unit_tmp());
    return kept[used++];
}

tally_ledger *ledger_open(const char *path, enum tally_ledger_mode mode)
{
    tally_ledger *l = NULL;
    tally_error error;
    if (tally_ledger_open(&l, path, mode, &error)) {
        fprintf(stderr, "%s\n", error.message);
        abort();
    }
    return l;
}

static void fill(party_record *out, const ledger_run *run)
{
    *out = (party_record){.kind = PARTY_INTENT,
                          .time = 1787652000,
                          .day = run->day ? run->day : 20260825,
                          .function = TALLY_COUNT,
                          .role = run->role ? run->role : TALLY_RECEIVER,
                          .items = run->items ? run->items : 100,
                          .sketch = run->sketch,
                          .sketch_len =
                              run->sketch ? (run->sketches == 2 ? 2 : 1) * (size_t)PSI_SKETCH_BYTES : 0};
    if (run->agreement)
        snprintf(out->agreement, sizeof out->agreement, "%s", tally_agreement_digest(run->agreement));
    snprintf(out->peer, sizeof out->peer, "%s", "Example Agency");
}

static void set_body(party_record *r, const ledger_run *run, char *body, size_t size)
{
    const char *own = run->identity ? tally_identity_fingerprint(run->identity) : "";
    const char *other = run->other ? tally_identity_fingerprint(run->other) : "";
    int len = 0;
    if (r->kind != PARTY_OUTCOME)
        len = snprintf(body, size,
                       "{\"disclosed\":%s,\"exit_status\":%d,\"function\":\"count\",\"identity\":\"%s\","
                       "\"list\":null,\"peer\":{\"fingerprint\":\"%s\"},\"peer_items\":%d,\"role\":\"%s\","
                       "\"v\":1}",
                       r->disclosed ? "true" : "false", r->status, own, other, (int)r->peer_items,
                       r->role == TALLY_SENDER ? "sender" : "receiver");
    else
        len = snprintf(body, size,
                       "{\"disclosed\":%s,\"exit_status\":%d,\"peer\":{\"fingerprint\":\"%s\"},\"peer_"
                       "items\":%d,\"receipt\":%s,"
                       "\"session\":%s%s%s,\"v\":1}",
                       r->disclosed ? "true" : "false", r->status, other, (int)r->peer_items,
                       run->receipt ? run->receipt : "null", run->session ? "\"" : "",
                       run->session ? run->session : "null", run->session ? "\"" : "");
    if (len < 0 || (size_t)len >= size)
        abort();
    r->body = body;
    r->body_len = (size_t)len;
}

tally_status ledger_begin(tally_ledger *l, const ledger_run *run, uint64_t *n, uint8_t root32[32],
                          enum party_agreed_id *broken, tally_error *error)
{
    char body[1024];
    uint8_t root[32];
    enum party_agreed_id field;
    party_record r;
    fill(&r, run);
    set_body(&r, run, body, sizeof body);
    return party_ledger_begin(l, run->identity, run->agreement, run->limits, &r, n, root32 ? root32 : root,
                              broken ? broken : &field, error);
}

tally_status ledger_end(tally_ledger *l, const ledger_run *run, uint64_t n, tally_error *error)
{
    static _Thread_local char body[16384];
    party_record r;
    fill(&r, run);
    r.kind = PARTY_OUTCOME;
    r.run = n;
    r.time += 60;
    r.peer_items = run->receipt ? 100 : 50; /* as receipts of tests have it */
    r.disclosed = !run->kept_back;
    r.status = run->status;
    set_body(&r, run, body, sizeof body);
    return party_ledger_end(l, run->identity, &r, error);
}

tally_status ledger_refused(tally_ledger *l, const ledger_run *run, tally_error *error)
{
    char body[1024];
    party_record r;
    fill(&r, run);
    r.kind = PARTY_REFUSED;
    r.status = 4;
    set_body(&r, run, body, sizeof body);
    return party_ledger_end(l, run->identity, &r, error);
}

uint64_t ledger_whole(tally_ledger *l, const ledger_run *run)
{
    uint64_t n = 0;
    tally_error error;
    if (ledger_begin(l, run, &n, NULL, NULL, &error) || ledger_end(l, run, n, &error)) {
        fprintf(stderr, "%s\n", error.message);
        abort();
    }
    return n;
}

/* ---- Two sides ---- */

static void fill_side(party_receipt_side *s, const tally_identity *id, const uint8_t root32[32])
{
    snprintf(s->fingerprint, sizeof s->fingerprint, "%s", tally_identity_fingerprint(id));
    s->signs = 1;
    memcpy(s->public32, id->sign_public32, 32);
    s->items = 100;
    s->facts = (wire_facts){.time = 1787652000, .has_ledger = 1};
    memcpy(s->facts.ledger32, root32, 32);
}

char *ledger_receipt(const tally_identity *receiver, const tally_identity *sender, const char *session,
                     const uint8_t receiver32[32], const uint8_t sender32[32])
{
    return ledger_receipt_under(NULL, receiver, sender, session, receiver32, sender32);
}

char *ledger_receipt_under(const tally_agreement *agreement, const tally_identity *receiver,
                           const tally_identity *sender, const char *session, const uint8_t receiver32[32],
                           const uint8_t sender32[32])
{
    static const char *const words[4] = {"count", "ecdh", "semi-honest", "receiver"};
    party_receipt_run run = {.min_overlap = 0};
    party_receipt r = {.text = ""};
    char signatures[2][129];
    snprintf(run.session, sizeof run.session, "%s", session);
    if (agreement)
        snprintf(run.agreement, sizeof run.agreement, "%s", tally_agreement_digest(agreement));
    snprintf(run.function, sizeof run.function, "%s", words[0]);
    snprintf(run.protocol, sizeof run.protocol, "%s", words[1]);
    snprintf(run.security, sizeof run.security, "%s", words[2]);
    snprintf(run.reveal, sizeof run.reveal, "%s", words[3]);
    fill_side(&run.side[0], receiver, receiver32);
    fill_side(&run.side[1], sender, sender32);
    if (party_receipt_write(&r, &run) || party_receipt_sign(&r, 0, receiver) ||
        party_receipt_sign(&r, 1, sender))
        abort();
    for (size_t i = 0; i < 2; i++)
        party_hex_write(signatures[i], r.signature64[i], 64);
    json_t *json =
        json_pack("{s:s, s:s, s:s}", "text", r.text, "receiver", signatures[0], "sender", signatures[1]);
    char *out = json ? json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
    json_decref(json);
    if (!out)
        abort();
    return out;
}

const char *ledger_session(char digit)
{
    static char text[65];
    memset(text, digit, 64);
    return text;
}

void ledger_both(tally_ledger *a, const tally_identity *of_a, tally_ledger *b, const tally_identity *of_b,
                 char session, int b_ends)
{
    ledger_run one = {.identity = of_a, .other = of_b},
               two = {.identity = of_b, .other = of_a, .role = TALLY_SENDER};
    uint8_t roots[2][32];
    uint64_t n[2] = {0};
    if (ledger_begin(a, &one, &n[0], roots[0], NULL, NULL) ||
        ledger_begin(b, &two, &n[1], roots[1], NULL, NULL))
        abort();
    char *receipt = ledger_receipt(of_a, of_b, ledger_session(session), roots[0], roots[1]);
    one.receipt = two.receipt = receipt;
    one.session = two.session = ledger_session(session);
    if (ledger_end(a, &one, n[0], NULL) || (b_ends && ledger_end(b, &two, n[1], NULL)))
        abort();
    free(receipt);
}

/* ---- Texts and files ---- */

static int list_one(void *user, const tally_run *r)
{
    party_text_add(user, "%" PRIu64 " %" PRId64 " %" PRId64 " %d %d %" PRIu64 " %" PRIu64 " %d %d %s %s\n",
                   r->n, r->began, r->ended, (int)r->function, (int)r->role, r->items, r->peer_items,
                   r->disclosed, r->exit_status, r->agreement, r->peer);
    return 0;
}

char *ledger_dump(tally_ledger *l, tally_status *status)
{
    party_text text = {0};
    uint64_t runs = 0;
    char *one = NULL;
    tally_status st = tally_ledger_runs(l, &runs, NULL);
    if (!st)
        st = tally_ledger_list(l, 1, UINT64_MAX, list_one, &text, NULL);
    for (uint64_t n = 1; !st && n <= runs; n++) {
        st = tally_ledger_run_json(l, n, &one, NULL);
        if (!st)
            party_text_add(&text, "%s\n", one);
        free(st ? NULL : one);
    }
    if (!st)
        st = tally_ledger_checkpoint(l, &one, NULL);
    if (!st) {
        party_text_add(&text, "%s", one);
        free(one);
    }
    *status = st;
    if (st)
        party_text_drop(&text);
    return st ? NULL : party_text_take(&text);
}

uint8_t *ledger_bytes(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END))
        abort();
    *len = (size_t)ftell(f);
    uint8_t *out = malloc(*len + 1);
    rewind(f);
    if (!out || fread(out, 1, *len, f) != *len || fclose(f))
        abort();
    return out;
}

void ledger_put(const char *path, const uint8_t *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, len, f) != len || fclose(f))
        abort();
}

void ledger_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    char *message = NULL;
    if (sqlite3_open(path, &db) || sqlite3_exec(db, sql, NULL, NULL, &message)) {
        fprintf(stderr, "%s: %s\n", sql, message ? message : "cannot be opened");
        abort();
    }
    sqlite3_close(db);
}
