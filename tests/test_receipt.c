/* SPDX-License-Identifier: Apache-2.0 */
/* The receipt: its text, its signatures, its messages, and a peer that plays with them. */
#include "party/identity.h"
#include "party/receipt.h"
#include "psi/mem.h"
#include "tests/support_session.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const party_receipt_run full = {
    .session = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    .agreement = "sha256:ff112233445566778899aabbccddeeff00112233445566778899aabbccddee00",
    .function = "match",
    .protocol = "vole",
    .security = "semi-honest",
    .reveal = "receiver",
    .min_overlap = 20,
    .side = {{.organisation = "Bank",
              .fingerprint = "sha256:01",
              .signs = 1,
              .public32 = {1, 2, 3},
              .items = 1u << 30,
              .commitment32 = {4},
              .facts = {.time = 1795000000,
                        .without_consent = 17,
                        .share = WIRE_SHARE_EXCEEDED,
                        .has_result = 1,
                        .result32 = {5},
                        .has_ledger = 1,
                        .ledger32 = {6}}},
             {.organisation = "Agency: none", .fingerprint = "sha256:02", .items = 3, .facts = {.time = 1}}}};

/* ---- The text ---- */

static void test_text(void)
{
    party_receipt_run least = {.session = "00", .function = "sum", .protocol = "ecdh"};
    party_receipt_run late = full;
    late.side[0].facts.time = WIRE_TIME_MAX;
    const party_receipt_run *runs[] = {&full, &least, &late};
    for (size_t i = 0; i < 3; i++) {
        party_receipt r = {.text = ""};
        party_receipt_run back;
        CU_ASSERT_EQUAL_FATAL(party_receipt_write(&r, runs[i]), TALLY_OK);
        CU_ASSERT_EQUAL_FATAL(party_receipt_read(r.text, &back), TALLY_OK);
        CU_ASSERT_STRING_EQUAL(back.session, runs[i]->session);
        CU_ASSERT_STRING_EQUAL(back.agreement, runs[i]->agreement);
        CU_ASSERT_EQUAL(back.min_overlap, runs[i]->min_overlap);
        for (int s = 0; s < 2; s++) {
            const party_receipt_side *a = &back.side[s], *b = &runs[i]->side[s];
            CU_ASSERT_STRING_EQUAL(a->organisation, b->organisation);
            CU_ASSERT(a->signs == b->signs && memcmp(a->public32, b->public32, 32) == 0);
            CU_ASSERT(a->items == b->items && memcmp(a->commitment32, b->commitment32, 32) == 0);
            CU_ASSERT(a->facts.time == b->facts.time && a->facts.share == b->facts.share);
            CU_ASSERT(a->facts.without_consent == b->facts.without_consent);
            CU_ASSERT(a->facts.has_result == b->facts.has_result &&
                      a->facts.has_ledger == b->facts.has_ledger);
            CU_ASSERT(memcmp(a->facts.ledger32, b->facts.ledger32, 32) == 0);
        }
    }
}

/* Every byte of a text counts, and nothing can be added or left out. */
static void test_other_texts(void)
{
    party_receipt r = {.text = ""};
    party_receipt_run back;
    CU_ASSERT_EQUAL_FATAL(party_receipt_write(&r, &full), TALLY_OK);
    size_t len = strlen(r.text), taken = 0;
    for (size_t i = 0; i < len; i++) {
        char was = r.text[i], other[PARTY_RECEIPT_MAX];
        r.text[i] = 0;
        CU_ASSERT_EQUAL(party_receipt_read(r.text, &back), TALLY_ERR_DIFFERS);
        r.text[i] = was == '\n' ? ' ' : '\n';
        CU_ASSERT_EQUAL(party_receipt_read(r.text, &back), TALLY_ERR_DIFFERS);
        r.text[i] = was;
        snprintf(other, sizeof other, "%.*s%c%s", (int)i, r.text, was, r.text + i); /* twice */
        if (!party_receipt_read(other, &back)) { /* a longer number or text: it says something else */
            party_receipt again;
            taken++;
            CU_ASSERT_EQUAL(party_receipt_write(&again, &back), TALLY_OK);
            CU_ASSERT_STRING_EQUAL(again.text, other);
        }
    }
    CU_ASSERT(taken > 0 && taken < len / 2);
    char *longer = calloc(1, 2 * PARTY_RECEIPT_MAX);
    if (!longer)
        abort();
    memset(longer, 'x', 2 * PARTY_RECEIPT_MAX - 1);
    CU_ASSERT_EQUAL(party_receipt_read(longer, &back), TALLY_ERR_DIFFERS);
    CU_ASSERT_EQUAL(party_receipt_read("", &back), TALLY_ERR_DIFFERS);
    free(longer);
}

static void test_signature(void)
{
    char dir[160];
    tally_identity *id = NULL;
    party_receipt r = {.text = ""};
    party_receipt_run run = full;
    snprintf(dir, sizeof dir, "%s/signer", unit_tmp());
    CU_ASSERT_EQUAL_FATAL(tally_identity_create(dir, "signer", NULL), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(tally_identity_load(dir, &id, NULL), TALLY_OK);
    memcpy(run.side[1].public32, id->sign_public32, 32);
    run.side[1].signs = 1;
    CU_ASSERT_EQUAL(party_receipt_write(&r, &run), TALLY_OK);
    CU_ASSERT_EQUAL(party_receipt_sign(&r, 1, id), TALLY_OK);
    CU_ASSERT(r.has_signature[1] && !r.has_signature[0]);
    CU_ASSERT_EQUAL(party_receipt_verify(r.text, &run.side[1], r.signature64[1]), TALLY_OK);
    CU_ASSERT_EQUAL(party_receipt_verify(r.text, &run.side[0], r.signature64[1]), TALLY_ERR_DIFFERS);
    size_t wrong = 0;
    for (size_t i = 0; i < 64; i++) {
        r.signature64[1][i] ^= 4;
        wrong += party_receipt_verify(r.text, &run.side[1], r.signature64[1]) != TALLY_ERR_DIFFERS;
        r.signature64[1][i] ^= 4;
    }
    for (size_t i = 0; r.text[i]; i++) {
        r.text[i] ^= 1;
        wrong += party_receipt_verify(r.text, &run.side[1], r.signature64[1]) != TALLY_ERR_DIFFERS;
        r.text[i] ^= 1;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    run.side[1].signs = 0;
    CU_ASSERT_EQUAL(party_receipt_verify(r.text, &run.side[1], r.signature64[1]), TALLY_ERR_DIFFERS);
    tally_identity_free(id);
}

/* ---- The messages ---- */

static int parses(const void *bytes, size_t len, const char *part)
{
    wire_receipt r = {.has_facts = 7};
    const char *why = NULL;
    tally_status st = wire_receipt_parse(&r, bytes, len, &why);
    if (st == TALLY_OK)
        return 1;
    CU_ASSERT(st == TALLY_ERR_MALFORMED && r.has_facts == 7);
    CU_ASSERT(why && part && strstr(why, part));
    return 0;
}

static void test_messages(void)
{
    const wire_receipt whole = {1, full.side[0].facts, 1, {1, 2}, 1, {3, 4}};
    wire_receipt back;
    const char *why = NULL;
    uint8_t *out = NULL;
    size_t len = 0;
    CU_ASSERT_EQUAL_FATAL(wire_receipt_build(&whole, &out, &len), TALLY_OK);
    CU_ASSERT(len < 256);
    CU_ASSERT_EQUAL(wire_receipt_parse(&back, out, len, &why), TALLY_OK);
    CU_ASSERT(back.has_facts && back.has_digest && back.has_signature &&
              back.facts.share == WIRE_SHARE_EXCEEDED);
    CU_ASSERT(memcmp(back.signature64, whole.signature64, 64) == 0);
    for (size_t cut = 1; cut < len; cut++) {
        const char *cut_why = NULL;
        tally_status st =
            wire_receipt_parse(&back, out, cut, &cut_why); /* fields end where they end, or it is none */
        CU_ASSERT(st == TALLY_OK || st == TALLY_ERR_MALFORMED);
    }
    psi_free(out);
    /* facts: time, without_consent, share out of range; result, ledger of 31 bytes */
    CU_ASSERT_FALSE(parses("\x0a\x07\x08\x81\x80\x80\x80\x80\x40", 9, "time"));
    CU_ASSERT_FALSE(parses("\x0a\x06\x10\x81\x80\x80\x80\x10", 8, "without_consent"));
    CU_ASSERT_FALSE(parses("\x0a\x02\x18\x03", 4, "share"));
    CU_ASSERT_FALSE(parses("\x0a\x03\x22\x01x", 5, "result"));
    CU_ASSERT_FALSE(parses("\x0a\x03\x2a\x01x", 5, "ledger"));
    CU_ASSERT_FALSE(parses("\x12\x01x", 3, "digest"));
    CU_ASSERT_FALSE(parses("\x1a\x01x", 3, "signature"));
    CU_ASSERT_FALSE(parses("\x0a\x7fx", 3, "protocol buffer"));
    static const uint8_t many[WIRE_RECEIPT_MAX + 1];
    CU_ASSERT_FALSE(parses(many, sizeof many, "longer"));
    psi_mem_fail_at(0);
    CU_ASSERT_EQUAL(wire_receipt_build(&whole, &out, &len), TALLY_OK);
    unsigned long n = 0;
    psi_mem_fail_at(0);
    CU_ASSERT_EQUAL(wire_receipt_parse(&back, out, len, &why), TALLY_OK);
    n = psi_mem_count();
    for (unsigned long i = 1; i <= n; i++) {
        psi_mem_fail_at(i);
        CU_ASSERT_EQUAL(wire_receipt_parse(&back, out, len, &why), TALLY_ERR_NO_MEMORY);
    }
    psi_mem_fail_at(0);
    psi_free(out);
}

/* ---- A peer that plays with it ---- */

typedef struct trick {
    int which; /* receipt frame of this direction, from 0 */
    void (*play)(pair_tap *tap, uint8_t *frame, size_t len);
    int seen;
} trick;

static void on_receipt(pair_tap *tap, size_t index, uint8_t *frame, size_t len)
{
    trick *t = tap->user;
    (void)index;
    if (frame[8] == WIRE_RECEIPT && t->seen++ == t->which)
        t->play(tap, frame, len);
    else
        tap_pass(tap, frame, len);
}

static void flip_last(pair_tap *tap, uint8_t *frame, size_t len)
{
    frame[len - 1] ^= 1;
    tap_pass(tap, frame, len);
}

static void close_it(pair_tap *tap, uint8_t *frame, size_t len)
{
    (void)frame;
    (void)len;
    tap_close(tap);
}

static void twice(pair_tap *tap, uint8_t *frame, size_t len)
{
    tap_pass(tap, frame, len);
    frame_set_sequence(frame, frame_sequence(frame) + 1);
    tap_pass(tap, frame, len);
}

static void empty(pair_tap *tap, uint8_t *frame, size_t len)
{
    (void)len;
    frame_set_length(frame, 0);
    tap_pass(tap, frame, WIRE_HEADER);
}

/* A result that is not there: of a match that is for the receiver alone, the sender cannot have one. */
static void test_tricks(void)
{
    static const struct {
        int from, which; /* who sends it */
        void (*play)(pair_tap *, uint8_t *, size_t);
        int fails[2]; /* must not end well: receiver, sender */
    } tricks[] = {
        {PAIR_RECEIVER, 0, flip_last, {1, 1}}, {PAIR_RECEIVER, 0, close_it, {1, 1}},
        {PAIR_RECEIVER, 0, twice, {1, 1}},     {PAIR_RECEIVER, 0, empty, {1, 1}},
        {PAIR_SENDER, 0, flip_last, {1, 1}},   {PAIR_SENDER, 0, close_it, {1, 1}},
        {PAIR_SENDER, 0, twice, {1, 0}},       {PAIR_RECEIVER, 1, flip_last, {1, 1}},
        {PAIR_RECEIVER, 1, close_it, {1, 1}},  {PAIR_RECEIVER, 1, twice, {1, 1}},
    };
    uint32_t ids[] = {1, 2, 3, 4};
    for (size_t i = 0; i < sizeof tricks / sizeof *tricks; i++) {
        pair p;
        trick t = {.which = tricks[i].which, .play = tricks[i].play};
        pair_init(&p, TALLY_SEMI_HONEST, TALLY_REVEAL_RECEIVER);
        pair_add(&p.side[PAIR_RECEIVER], ids, 3);
        pair_add(&p.side[PAIR_SENDER], ids + 1, 3);
        p.side[tricks[i].from].tap.on_frame = on_receipt;
        p.side[tricks[i].from].tap.user = &t;
        pair_run(&p);
        for (int s = 0; s < 2; s++)
            if (tricks[i].fails[s]) {
                if (!p.side[s].status)
                    printf("trick %zu: side %d ended well\n", i, s);
                CU_ASSERT_NOT_EQUAL(p.side[s].status, TALLY_OK);
                CU_ASSERT_EQUAL(p.side[s].row_count, 0); /* nothing of the result */
            }
        CU_ASSERT(t.seen > t.which);
        pair_free(&p);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"text", test_text},         {"other_texts", test_other_texts}, {"signature", test_signature},
        {"messages", test_messages}, {"tricks", test_tricks},
    };
    return unit_main(argc, argv, "receipt", tests, sizeof tests / sizeof *tests);
}
