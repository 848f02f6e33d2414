/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile peer, frame by frame: the tap of one side changes what it sends, in every conversation and at
 * every step. Both sides have to end, the one that was lied to with the category the documents promise, and
 * no row may be told by a run that failed.
 */
#include "proto/abort.h"
#include "proto/limits.h"
#include "psi/group.h"
#include "tests/support_session.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum kind {
    /* the stream */
    CUT,
    CUT_IN_HEADER,
    CUT_IN_PAYLOAD,
    GARBAGE,
    /* the header */
    LENGTH_ABOVE_LIMIT,
    LENGTH_MAX,
    LENGTH_ZERO,
    TYPE_UNKNOWN,
    TYPE_OTHER,
    RESERVED,
    SEQUENCE_AHEAD,
    SEQUENCE_BEHIND,
    /* the order */
    REPEAT,
    REPEAT_RENUMBERED,
    EXTRA,
    ABORT_CODE,
    ABORT_UNKNOWN_CODE,
    ABORT_LONG,
    /* any payload */
    PAYLOAD_SHORT,
    EVERYWHERE, /* the kinds above are tried at each frame */
    /* bulk entries */
    ENTRY_ONES = EVERYWHERE,
    ENTRY_IDENTITY,
    ENTRY_RANDOM_POINT,
    ENTRY_EXCHANGED,
    PROOF_FLIPPED,
    /* hellos */
    NONCE_SHORT,
    HELLO_ONES,
    SOFTWARE_CONTROL,
    ITEMS_2_40,
    ITEMS_ABOVE_LIMIT,
    ITEMS_LIMIT,
    ITEMS_ONE_MORE,
    ITEMS_ONE_LESS,
    ITEMS_NONE,
    /* what the receiver tells */
    MATCHED_BEYOND,
    MATCHED_TOO_MANY,
    MATCHED_FLIPPED,
    CONFIRM_FLIPPED,
    BLINDED_TOO_MANY,
    /* those that end by waiting */
    DROPPED,
    SWAPPED,
    SILENT
};

/* What has to come of it. The victim is the side that receives the changed frame, the liar the side whose
 * frame it was. */
enum expect {
    NOT_APPLICABLE,
    MALFORMED,        /* the victim sees it */
    EITHER_MALFORMED, /* whichever first gets a frame that it does not expect */
    LIAR_MALFORMED,   /* the liar's own session sees that the answer does not fit what it had sent */
    NETWORK,
    TIMEOUT,
    STOPPED,  /* an abort with its code */
    FAILS,    /* the victim ends, malformed or network, by the moment */
    RIGHT,    /* either may fail; whoever does not has the right result */
    FEWER,    /* as RIGHT, or less: the liar has chosen other items */
    UNCLAIMED /* the semi-honest form does not claim the result; both end */
};

typedef struct attack {
    pair p;
    enum kind kind;
    int liar;
    size_t index;
    enum tally_security security;
    enum tally_reveal reveal;
    enum expect expect;
    uint8_t type;   /* of the attacked frame; 0: it was never reached */
    uint32_t shift; /* added to later sequence numbers */
    int cut_after_bulk, silent;
    uint8_t *held;
    size_t held_len;
    uint8_t abort_code;
    uint64_t seed; /* random bytes of the attack: drawn beforehand, since taps run in threads of their own */
} attack;

static const uint32_t receiver_ids[] = {1, 2, 3, 4, 5}, sender_ids[] = {3, 4, 5, 6, 7, 8, 9};
enum { NX = 5, NY = 7, MATCHES = 3 };
/* Rows that match on either side, from 1. */
static const uint64_t truth[2][MATCHES] = {{3, 4, 5}, {1, 2, 3}};

/* ---- Changing a frame -------------------------------------------------------------------------------- */

static void pass(attack *a, pair_tap *tap, uint8_t *frame, size_t len)
{
    if (a->silent)
        return;
    frame_set_sequence(frame, frame_sequence(frame) + a->shift);
    tap_pass(tap, frame, len);
}

static size_t entry_bytes(uint8_t type)
{
    switch (type) {
    case WIRE_ECDH_REPLY:
        return 6; /* psi_tag_bytes(5, 7): (40 + 3 + 3) / 8 */
    case WIRE_OPRF_TAGS:
    case WIRE_CONFIRM:
        return 16;
    case WIRE_MATCHED:
        return 1;
    case WIRE_ECDH_RECEIVER:
    case WIRE_ECDH_SENDER:
    case WIRE_OPRF_KEY:
    case WIRE_OPRF_BLINDED:
    case WIRE_OPRF_EVALUATED:
        return 32;
    default:
        return 0;
    }
}

static int holds_points(uint8_t type)
{
    return entry_bytes(type) == 32;
}

static void random_point(uint8_t out[32], uint64_t seed)
{
    uint8_t uniform[1][64];
    psi_point point;
    for (size_t i = 0; i < 64; i++)
        uniform[0][i] = (uint8_t)((seed + i) * 0x9e3779b97f4a7c15u >> 40);
    if (psi_group()->from_uniform(&point, (const uint8_t(*)[64])uniform, 1))
        abort();
    memcpy(out, point.b, 32);
}

/* A frame of another type that the header check would let through, so that the state table has to refuse it.
 */
static uint8_t other_type(uint8_t type)
{
    switch (type) {
    case WIRE_HELLO1:
        return WIRE_HELLO2;
    case WIRE_HELLO2:
        return WIRE_HELLO1;
    case WIRE_DONE:
        return WIRE_ABORT; /* an empty one, which the header check refuses */
    case WIRE_ECDH_SENDER:
        return WIRE_ECDH_REPLY;
    default:
        return WIRE_ECDH_SENDER;
    }
}

static void inject(attack *a, pair_tap *tap, uint32_t sequence, uint8_t type, const uint8_t *payload,
                   size_t len)
{
    uint8_t frame[WIRE_HEADER + 8] = {0};
    frame_set_length(frame, (uint32_t)len);
    frame_set_sequence(frame, sequence + a->shift);
    frame[8] = type;
    memcpy(frame + WIRE_HEADER, payload, len);
    tap_pass(tap, frame, WIRE_HEADER + len);
}

static void send_items(attack *a, pair_tap *tap, uint8_t *frame, size_t len, uint64_t items)
{
    uint8_t out[128], *p = out + WIRE_HEADER;
    const uint8_t *old = frame + WIRE_HEADER;
    size_t n = 1;
    memcpy(out, frame, WIRE_HEADER);
    *p++ = 0x08; /* field 1, varint */
    while (items >= 128) {
        *p++ = (uint8_t)(items | 128);
        items >>= 7;
    }
    *p++ = (uint8_t)items;
    /* The rest of the old message: what follows its own field 1, which is absent for zero. */
    if (*old == 0x08)
        while (old[n++] & 128)
            ;
    else
        n = 0;
    size_t rest = len - WIRE_HEADER - n;
    memcpy(p, old + n, rest);
    p += rest;
    frame_set_length(out, (uint32_t)(p - out) - WIRE_HEADER);
    pass(a, tap, out, (size_t)(p - out));
}

/* 2^15 blinded items in one frame: the largest that fits, whose answer with its proofs would not. */
static void send_too_many_blinded(attack *a, pair_tap *tap, const uint8_t *frame)
{
    enum { MANY = 32768 };
    uint8_t *big = malloc(WIRE_HEADER + 32 * MANY);
    if (!big)
        abort();
    memcpy(big, frame, WIRE_HEADER);
    frame_set_length(big, 32 * MANY);
    for (size_t i = 0; i < MANY; i++)
        memcpy(big + WIRE_HEADER + 32 * i, frame + WIRE_HEADER, 32);
    pass(a, tap, big, WIRE_HEADER + 32 * MANY);
    free(big);
}

static uint8_t *find(uint8_t *frame, size_t len, const void *bytes, size_t n)
{
    uint8_t *at = memmem(frame, len, bytes, n);
    if (!at)
        abort();
    return at;
}

/* Changes the payload in place; returns the frame's new length. */
static size_t change_payload(const attack *a, uint8_t *frame, size_t len)
{
    uint8_t *payload = frame + WIRE_HEADER, *entry = payload, other[32];
    size_t n = len - WIRE_HEADER, size = entry_bytes(frame[8]);
    if (size) { /* any of them; two neighbours where they are exchanged */
        size_t entries = frame[8] == WIRE_OPRF_EVALUATED ? NX : n / size;
        entry += a->seed % (entries - (a->kind == ENTRY_EXCHANGED)) * size;
    }
    switch (a->kind) {
    case PAYLOAD_SHORT:
        len--;
        break;
    case ENTRY_ONES:
        memset(entry, 0xff, size);
        break;
    case ENTRY_IDENTITY:
        memset(entry, 0, size);
        break;
    case ENTRY_RANDOM_POINT:
        random_point(entry, a->seed);
        break;
    case ENTRY_EXCHANGED:
        memcpy(other, entry, size);
        memmove(entry, entry + size, size);
        memcpy(entry + size, other, size);
        break;
    case PROOF_FLIPPED:
        payload[n - 1 - a->seed % 64] ^= 1;
        break;
    case NONCE_SHORT: { /* field 4, 32 bytes long: now 31 */
        uint8_t *at = find(payload, n, "\x22\x20", 2);
        at[1] = 31;
        memmove(at + 33, at + 34, (size_t)(payload + n - (at + 34)));
        len--;
        break;
    }
    case HELLO_ONES:
        memset(payload, 0xff, n);
        break;
    case SOFTWARE_CONTROL:
        *find(payload, n, "tally ", 6) = 0x1b;
        break;
    case MATCHED_BEYOND:
        payload[0] |= 0x80; /* NY = 7 */
        break;
    case MATCHED_TOO_MANY:
        payload[0] = 0x7f; /* seven, and the receiver has five */
        break;
    case MATCHED_FLIPPED:
        payload[0] ^= (uint8_t)(1u << a->seed % NY);
        break;
    case CONFIRM_FLIPPED:
        payload[a->seed % n] ^= 0x10;
        break;
    default:
        abort();
    }
    frame_set_length(frame, (uint32_t)(len - WIRE_HEADER));
    return len;
}

static void strike(attack *a, pair_tap *tap, uint8_t *frame, size_t len)
{
    static const uint8_t bytes[8] = {0, 99, 0};
    const uint8_t code[2] = {0, a->abort_code};
    uint8_t noise[100];
    uint32_t sequence = frame_sequence(frame);
    a->type = frame[8];
    switch (a->kind) {
    case CUT:
        tap_close(tap);
        break;
    case CUT_IN_HEADER:
        tap_pass(tap, frame, 6);
        tap_close(tap);
        break;
    case CUT_IN_PAYLOAD:
        tap_pass(tap, frame, WIRE_HEADER + (len - WIRE_HEADER) / 2);
        tap_close(tap);
        break;
    case GARBAGE:
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t)(0x80 | (a->seed + 37 * i)); /* no frame type has its high bit set */
        tap_pass(tap, noise, sizeof noise);
        tap_close(tap);
        break;
    case LENGTH_ABOVE_LIMIT:
        frame_set_length(frame, wire_frame_limit(frame[8]) + 1);
        pass(a, tap, frame, len);
        break;
    case LENGTH_MAX:
        frame_set_length(frame, UINT32_MAX);
        pass(a, tap, frame, len);
        break;
    case LENGTH_ZERO:
        frame_set_length(frame, 0);
        pass(a, tap, frame, WIRE_HEADER);
        break;
    case TYPE_UNKNOWN:
        frame[8] = 99;
        pass(a, tap, frame, len);
        break;
    case TYPE_OTHER:
        frame[8] = other_type(frame[8]);
        pass(a, tap, frame, len);
        break;
    case RESERVED:
        frame[9 + a->seed % 3] = 1;
        pass(a, tap, frame, len);
        break;
    case SEQUENCE_AHEAD:
        frame_set_sequence(frame, sequence + 1);
        pass(a, tap, frame, len);
        break;
    case SEQUENCE_BEHIND:
        frame_set_sequence(frame, sequence - 1);
        pass(a, tap, frame, len);
        break;
    case REPEAT:
    case REPEAT_RENUMBERED:
        pass(a, tap, frame, len);
        a->shift += a->kind == REPEAT_RENUMBERED;
        frame_set_sequence(frame, sequence);
        pass(a, tap, frame, len);
        break;
    case EXTRA:
        pass(a, tap, frame, len);
        a->shift++;
        inject(a, tap, sequence, WIRE_HELLO1, bytes, 4);
        break;
    case ABORT_CODE:
        inject(a, tap, sequence, WIRE_ABORT, code, 2);
        break;
    case ABORT_UNKNOWN_CODE:
        inject(a, tap, sequence, WIRE_ABORT, bytes, 2);
        break;
    case ABORT_LONG:
        inject(a, tap, sequence, WIRE_ABORT, code, 1);
        break;
    case ITEMS_2_40:
        send_items(a, tap, frame, len, 1ull << 40);
        break;
    case ITEMS_ABOVE_LIMIT:
        send_items(a, tap, frame, len, WIRE_ITEMS_MAX + 1);
        break;
    case ITEMS_LIMIT:
    case ITEMS_ONE_MORE:
        a->cut_after_bulk = 1;
        send_items(a, tap, frame, len,
                   a->kind == ITEMS_LIMIT     ? WIRE_ITEMS_MAX
                   : a->liar == PAIR_RECEIVER ? NX + 1
                                              : NY + 1);
        break;
    case ITEMS_ONE_LESS:
        send_items(a, tap, frame, len, a->liar == PAIR_RECEIVER ? NX - 1 : NY - 1);
        break;
    case ITEMS_NONE:
        send_items(a, tap, frame, len, 0);
        break;
    case BLINDED_TOO_MANY:
        send_too_many_blinded(a, tap, frame);
        break;
    case DROPPED:
        break;
    case SWAPPED:
        a->held = malloc(len);
        if (!a->held)
            abort();
        memcpy(a->held, frame, len);
        a->held_len = len;
        break;
    case SILENT:
        a->silent = 1;
        break;
    default:
        pass(a, tap, frame, change_payload(a, frame, len));
    }
}

static void on_frame(pair_tap *tap, size_t index, uint8_t *frame, size_t len)
{
    attack *a = tap->user;
    int heartbeat = frame[8] == WIRE_HEARTBEAT;
    if (index == a->index && !heartbeat && !a->type) {
        strike(a, tap, frame, len);
        return;
    }
    /* Hello 2 has to announce the list that is too long for one answer. */
    if (a->kind == BLINDED_TOO_MANY && frame[8] == WIRE_HELLO2) {
        send_items(a, tap, frame, len, 32768);
        return;
    }
    uint8_t type = frame[8];
    pass(a, tap, frame, len);
    if (a->held) {
        uint8_t *held = a->held;
        a->held = NULL;
        tap_pass(tap, held, a->held_len);
        free(held);
    }
    if (a->cut_after_bulk && (type == WIRE_ECDH_RECEIVER || type == WIRE_ECDH_SENDER ||
                              type == WIRE_OPRF_BLINDED || type == WIRE_OPRF_TAGS))
        tap_close(tap);
}

/* ---- What has to come of it -------------------------------------------------------------------------- */

static enum expect expected_of_entry(const attack *a, uint8_t type)
{
    int malicious = a->security == TALLY_MALICIOUS;
    switch (a->kind) {
    case ENTRY_ONES:
    case ENTRY_IDENTITY:
        if (holds_points(type) || (type == WIRE_CONFIRM && malicious))
            return MALFORMED;
        if (type == WIRE_MATCHED)
            return a->kind == ENTRY_ONES ? MALFORMED : malicious ? MALFORMED : UNCLAIMED;
        return type == WIRE_ECDH_REPLY || type == WIRE_OPRF_TAGS ? FEWER : NOT_APPLICABLE;
    case ENTRY_RANDOM_POINT:
        if (!holds_points(type))
            return NOT_APPLICABLE;
        if (type == WIRE_OPRF_KEY || type == WIRE_OPRF_EVALUATED)
            return MALFORMED;
        return type == WIRE_OPRF_BLINDED ? LIAR_MALFORMED : FEWER;
    case ENTRY_EXCHANGED:
        if (type == WIRE_OPRF_EVALUATED || type == WIRE_CONFIRM)
            return MALFORMED;
        if (type == WIRE_OPRF_BLINDED)
            return LIAR_MALFORMED;
        if (type == WIRE_OPRF_TAGS)
            return RIGHT; /* their order is nothing; where it is told back, the confirmations show it */
        return type == WIRE_ECDH_RECEIVER || type == WIRE_ECDH_SENDER || type == WIRE_ECDH_REPLY
                   ? UNCLAIMED
                   : NOT_APPLICABLE;
    default:
        return type == WIRE_OPRF_EVALUATED ? MALFORMED : NOT_APPLICABLE;
    }
}

static enum expect expected(const attack *a, uint8_t type)
{
    int malicious = a->security == TALLY_MALICIOUS;
    switch (a->kind) {
    case CUT:
    case CUT_IN_HEADER:
        return NETWORK;
    case CUT_IN_PAYLOAD:
        return type == WIRE_DONE ? NOT_APPLICABLE : NETWORK;
    case GARBAGE:
    case LENGTH_ABOVE_LIMIT:
    case LENGTH_MAX:
    case TYPE_UNKNOWN:
    case TYPE_OTHER:
    case RESERVED:
    case SEQUENCE_AHEAD:
    case SEQUENCE_BEHIND:
    case ABORT_UNKNOWN_CODE:
    case ABORT_LONG:
        return MALFORMED;
    case LENGTH_ZERO:
    case PAYLOAD_SHORT:
        return type == WIRE_DONE ? NOT_APPLICABLE : MALFORMED;
    case REPEAT:
    case REPEAT_RENUMBERED:
    case EXTRA:
        return type == WIRE_DONE ? RIGHT : MALFORMED; /* nobody has to read behind the last frame */
    case ABORT_CODE:
        return STOPPED;
    case ENTRY_ONES:
    case ENTRY_IDENTITY:
    case ENTRY_RANDOM_POINT:
    case ENTRY_EXCHANGED:
    case PROOF_FLIPPED:
        return expected_of_entry(a, type);
    case NONCE_SHORT:
    case SOFTWARE_CONTROL:
        return type == WIRE_HELLO1 ? MALFORMED : NOT_APPLICABLE;
    case HELLO_ONES:
        return type == WIRE_HELLO1 || type == WIRE_HELLO2 ? MALFORMED : NOT_APPLICABLE;
    case ITEMS_2_40:
    case ITEMS_ABOVE_LIMIT:
    case ITEMS_ONE_LESS:
        return type == WIRE_HELLO2 ? MALFORMED : NOT_APPLICABLE;
    case ITEMS_NONE:
        return type == WIRE_HELLO2 ? EITHER_MALFORMED : NOT_APPLICABLE;
    case ITEMS_LIMIT:
    case ITEMS_ONE_MORE:
        return type == WIRE_HELLO2 ? FAILS : NOT_APPLICABLE;
    case MATCHED_BEYOND:
    case MATCHED_TOO_MANY:
        return type == WIRE_MATCHED ? MALFORMED : NOT_APPLICABLE;
    case MATCHED_FLIPPED:
        return type != WIRE_MATCHED ? NOT_APPLICABLE : malicious ? MALFORMED : UNCLAIMED;
    case CONFIRM_FLIPPED:
        return type == WIRE_CONFIRM ? MALFORMED : NOT_APPLICABLE;
    case BLINDED_TOO_MANY:
        return type == WIRE_OPRF_BLINDED ? MALFORMED : NOT_APPLICABLE;
    case DROPPED:
    case SWAPPED:
        return FAILS;
    case SILENT:
        return TIMEOUT;
    }
    abort();
}

static tally_status status_of_abort(uint8_t code)
{
    if (code == WIRE_ABORT_VERSION || code == WIRE_ABORT_TERMS)
        return TALLY_ERR_INCOMPATIBLE;
    return code == WIRE_ABORT_POLICY ? TALLY_ERR_POLICY : TALLY_ERR_PEER_STOPPED;
}

/* Rows told by a side that ended well: 1 right, 0 a subset, -1 neither. */
static int judge(const attack *a, int side)
{
    const pair_side *s = &a->p.side[side];
    int all = side == PAIR_RECEIVER || a->reveal == TALLY_REVEAL_BOTH;
    size_t want = all ? MATCHES : 0, found = 0;
    for (size_t i = 0; i < want; i++)
        for (size_t k = 0; k < s->row_count; k++)
            found += s->rows[k] == truth[side][i];
    if (found != s->row_count)
        return -1;
    return found == want;
}

static int peer_ended(tally_status st)
{
    return st == TALLY_ERR_PEER_STOPPED || st == TALLY_ERR_NETWORK;
}

/* One line on the first thing that is wrong, NULL if all is well. */
static const char *verdict(const attack *a)
{
    const pair_side *victim = &a->p.side[!a->liar], *liar = &a->p.side[a->liar];
    tally_status vs = victim->status, ls = liar->status;
    for (int i = 0; i < 2; i++) {
        const pair_side *s = &a->p.side[i];
        int category = pair_category(s);
        if (s->leaked)
            return "an identifier was told";
        if (s->status && (s->row_count || s->result.matched_items || s->result.matched_rows))
            return "a failed run told a result";
        if (s->status != s->error.status)
            return "the error and the status differ";
        if (s->status && !s->error.message[0])
            return "no message";
        if (category != 0 && category != 2 && category != 4 && category != 6 && category != 8)
            return "a category that no peer may cause";
        if (!s->status && a->expect != UNCLAIMED && judge(a, i) < (a->expect != FEWER))
            return "a wrong result";
    }
    /* The sender may be done by then: it sent the last frame of all, or one that the receiver looks at after
     * its own last. */
    int after = a->kind == REPEAT || a->kind == REPEAT_RENUMBERED || a->kind == EXTRA;
    int liar_may_be_done =
        a->liar == PAIR_SENDER &&
        (a->type == WIRE_DONE || (after && (a->type == WIRE_ECDH_SENDER || a->type == WIRE_OPRF_TAGS)));
    int liar_ended = peer_ended(ls) || (liar_may_be_done && !ls);
    switch (a->expect) {
    case MALFORMED:
        if (vs != TALLY_ERR_MALFORMED)
            return "the victim should have said malformed";
        /* A lie about sizes lets the two sides differ in more than one place. */
        if (a->kind >= ITEMS_2_40 && a->kind <= ITEMS_NONE)
            return ls ? NULL : "the liar ended well";
        return liar_ended ? NULL : "the liar should have been told";
    case EITHER_MALFORMED:
        if (!vs || (vs != TALLY_ERR_MALFORMED && ls != TALLY_ERR_MALFORMED))
            return "a side should have noticed";
        /* A sender that learns nothing is done when the receiver says so. */
        return ls || (a->liar == PAIR_SENDER && a->reveal == TALLY_REVEAL_RECEIVER) ? NULL
                                                                                    : "the liar ended well";
    case LIAR_MALFORMED:
        return ls == TALLY_ERR_MALFORMED && peer_ended(vs) ? NULL
                                                           : "the liar's own session should have noticed";
    case NETWORK:
        if (vs != TALLY_ERR_NETWORK)
            return "the victim should have said network";
        return liar_ended ? NULL : "a cut off side should have noticed";
    case TIMEOUT:
        if (vs != TALLY_ERR_TIMEOUT)
            return "the victim should have timed out";
        return liar_ended ? NULL : "the silent side should have been told";
    case STOPPED:
        if (vs != status_of_abort(a->abort_code))
            return "the abort has another status";
        return liar_ended ? NULL : "the liar should have been told";
    case FAILS:
        if (vs != TALLY_ERR_MALFORMED && vs != TALLY_ERR_NETWORK)
            return "the victim should have failed";
        return ls || liar_may_be_done ? NULL : "the liar ended well";
    case RIGHT:
    case FEWER:
    case UNCLAIMED:
    case NOT_APPLICABLE:
        break;
    }
    return NULL;
}

/* ---- Running attacks --------------------------------------------------------------------------------- */

static void begin(attack *a)
{
    a->seed = unit_below(UINT32_MAX);
    a->abort_code = (uint8_t)(a->seed % 8);
    pair_init(&a->p, a->security, a->reveal);
    pair_add(&a->p.side[PAIR_RECEIVER], receiver_ids, NX);
    pair_add(&a->p.side[PAIR_SENDER], sender_ids, NY);
    a->p.side[a->liar].tap.on_frame = on_frame;
    a->p.side[a->liar].tap.user = a;
    for (int i = 0; a->kind == SILENT && i < 2; i++)
        tally_session_set_timeout(a->p.side[i].session, 3);
    pair_start(&a->p);
}

static unsigned ran;

static void end(attack *a)
{
    pair_join(&a->p);
    const char *wrong = a->type ? verdict(a) : "the frame was not reached";
    ran++;
    if (wrong)
        printf("%s, %s, liar %s, frame %zu (%s), kind %d: %s\n  receiver %d: %s\n  sender %d: %s\n",
               a->security == TALLY_MALICIOUS ? "malicious" : "semi-honest",
               a->reveal == TALLY_REVEAL_BOTH ? "both" : "receiver",
               a->liar == PAIR_RECEIVER ? "receiver" : "sender", a->index, wire_frame_name(a->type),
               (int)a->kind, wrong, a->p.side[0].status, a->p.side[0].error.message, a->p.side[1].status,
               a->p.side[1].error.message);
    CU_ASSERT_PTR_NULL(wrong);
    pair_free(&a->p);
    free(a->held);
}

/* Frames of a conversation in one direction, by their types. */
static size_t frames_of(uint8_t types[8], enum tally_security security, enum tally_reveal reveal, int side)
{
    size_t n = 0;
    int malicious = security == TALLY_MALICIOUS, both = reveal == TALLY_REVEAL_BOTH;
    types[n++] = WIRE_HELLO1;
    types[n++] = WIRE_HELLO2;
    if (side == PAIR_RECEIVER) {
        types[n++] = malicious ? WIRE_OPRF_BLINDED : WIRE_ECDH_RECEIVER;
        if (both)
            types[n++] = WIRE_MATCHED;
        if (both && malicious)
            types[n++] = WIRE_CONFIRM;
    } else if (malicious) {
        types[n++] = WIRE_OPRF_KEY;
        types[n++] = WIRE_OPRF_EVALUATED;
        types[n++] = WIRE_OPRF_TAGS;
    } else {
        types[n++] = WIRE_ECDH_REPLY;
        types[n++] = WIRE_ECDH_SENDER;
    }
    types[n++] = WIRE_DONE;
    return n;
}

/* Fills every attack of the kinds [from, to) on one conversation that applies; returns how many. */
static size_t attacks_on(attack *out, enum tally_security security, enum tally_reveal reveal, int from,
                         int to)
{
    size_t count = 0;
    for (int liar = 0; liar < 2; liar++) {
        uint8_t types[8];
        size_t frames = frames_of(types, security, reveal, liar);
        for (size_t f = 0; f < frames; f++)
            for (int kind = from; kind < to; kind++) {
                attack a = {.kind = (enum kind)kind,
                            .liar = liar,
                            .index = f,
                            .security = security,
                            .reveal = reveal};
                a.expect = expected(&a, types[f]);
                if (a.expect != NOT_APPLICABLE)
                    out[count++] = a;
            }
    }
    return count;
}

enum { ATTACKS_MAX = 1000 };
static attack attacks[ATTACKS_MAX];

static void each_conversation(int from, int to, int at_once)
{
    ran = 0;
    size_t count = 0;
    for (int m = 0; m < 4; m++)
        count += attacks_on(attacks + count, m & 1 ? TALLY_MALICIOUS : TALLY_SEMI_HONEST,
                            m & 2 ? TALLY_REVEAL_BOTH : TALLY_REVEAL_RECEIVER, from, to);
    for (size_t i = 0; i < count; i += (size_t)at_once) {
        size_t last = i + (size_t)at_once < count ? i + (size_t)at_once : count;
        for (size_t k = i; k < last; k++)
            begin(&attacks[k]);
        for (size_t k = i; k < last; k++)
            end(&attacks[k]);
    }
    CU_ASSERT_EQUAL(ran, count);
    CU_ASSERT(count >= 8);
}

static void test_stream_header_order(void)
{
    each_conversation(CUT, EVERYWHERE, 2);
}

static void test_entries(void)
{
    each_conversation(EVERYWHERE, NONCE_SHORT, 2);
}

static void test_hellos(void)
{
    each_conversation(NONCE_SHORT, MATCHED_BEYOND, 2);
}

static void test_claims(void)
{
    each_conversation(MATCHED_BEYOND, DROPPED, 2);
}

/* These wait for a heartbeat, which shows the gap in the numbers: all side by side. */
static void test_dropped_and_swapped(void)
{
    each_conversation(DROPPED, SILENT, 42);
}

/* From some frame on not even heartbeats come. */
static void test_silent(void)
{
    attack a[8];
    size_t count = 0;
    for (int m = 0; m < 2; m++)
        for (int liar = 0; liar < 2; liar++)
            for (size_t index = 0; index < 3; index += 2)
                a[count++] = (attack){.kind = SILENT,
                                      .liar = liar,
                                      .index = index,
                                      .security = m ? TALLY_MALICIOUS : TALLY_SEMI_HONEST,
                                      .reveal = m ? TALLY_REVEAL_BOTH : TALLY_REVEAL_RECEIVER,
                                      .expect = TIMEOUT};
    ran = 0;
    for (size_t i = 0; i < count; i++)
        begin(&a[i]);
    for (size_t i = 0; i < count; i++)
        end(&a[i]);
    CU_ASSERT_EQUAL(ran, 8);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"stream_header_order", test_stream_header_order},
        {"entries", test_entries},
        {"hellos", test_hellos},
        {"claims", test_claims},
        {"dropped_and_swapped", test_dropped_and_swapped},
        {"silent", test_silent},
    };
    alarm(300); /* a side that never ends is a failure, not a hang */
    return unit_main(argc, argv, "hostile", tests, sizeof tests / sizeof *tests);
}
