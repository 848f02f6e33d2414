/* SPDX-License-Identifier: Apache-2.0 */
/* What has to come of an attack, and running them. */
#include "proto/abort.h"
#include "tests/support_attack.h"
#include "tests/support_count.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>

static const uint32_t receiver_ids[] = {1, 2, 3, 4, 5}, sender_ids[] = {3, 4, 5, 6, 7, 8, 9};
/* Rows that match on either side, from 1. */
static const uint64_t truth[2][MATCHES] = {{3, 4, 5}, {1, 2, 3}};

/* ---- What has to come of it -------------------------------------------------------------------------- */

static int holds_points(uint8_t type)
{
    return attack_entry_bytes(type) == 32;
}

/* What changed bytes do to subspace VOLE: points are checked, all else gives other tags. */
static enum expect expected_of_vole(const attack *a, uint8_t type)
{
    int setup = type == WIRE_VOLE_OPEN || type == WIRE_VOLE_CHOICE, tags = type == WIRE_VOLE_TAGS;
    int any = setup || tags || type == WIRE_VOLE_TREES || type == WIRE_VOLE_BIN;
    switch (a->kind) {
    case ENTRY_ONES:
    case ENTRY_IDENTITY:
        return setup ? MALFORMED : tags ? FEWER : NOT_APPLICABLE;
    case ENTRY_RANDOM_POINT:
        return setup ? FEWER : NOT_APPLICABLE;
    case ENTRY_EXCHANGED: /* the order of the tags is told back */
        return !tags ? NOT_APPLICABLE : a->reveal == TALLY_REVEAL_BOTH ? UNCLAIMED : RIGHT;
    case PAYLOAD_LONG:
        return any ? MALFORMED : NOT_APPLICABLE;
    case BYTE_FLIPPED:
        return any ? FEWER : NOT_APPLICABLE;
    case K_FIVE:
        return type == WIRE_VOLE_OPEN ? MALFORMED : NOT_APPLICABLE;
    case K_SIX: /* the answer is for k = 6 */
        return type == WIRE_VOLE_OPEN ? LIAR_MALFORMED : NOT_APPLICABLE;
    case TAGS_REPEATED:
        return tags ? FEWER : NOT_APPLICABLE;
    default:
        return NOT_APPLICABLE;
    }
}

/* What changed bytes do to a count: points and the count are checked, other tags are those of another list,
 * and the order of what is sent is nothing. */
static enum expect expected_of_count(const attack *a, uint8_t type)
{
    int points = type == WIRE_AGG_MASKED || type == WIRE_AGG_OTHER, tags = type == WIRE_AGG_TAGS;
    int told = type == WIRE_AGG_COUNT;
    switch (a->kind) {
    case ENTRY_ONES:
        return points || told ? MALFORMED : tags ? FEWER : NOT_APPLICABLE;
    case ENTRY_IDENTITY:
        return points ? MALFORMED : tags || told ? FEWER : NOT_APPLICABLE;
    case ENTRY_RANDOM_POINT:
        return points ? FEWER : NOT_APPLICABLE;
    case ENTRY_EXCHANGED:
        return points || tags ? RIGHT : NOT_APPLICABLE;
    case PAYLOAD_LONG:
        return points || tags || told ? MALFORMED : NOT_APPLICABLE;
    case BYTE_FLIPPED:
        return told ? MALFORMED : tags ? FEWER : NOT_APPLICABLE;
    case TAGS_REPEATED:
        return tags ? FEWER : NOT_APPLICABLE;
    default:
        return NOT_APPLICABLE;
    }
}

static enum expect expected_of_entry(const attack *a, uint8_t type)
{
    int malicious = a->security == TALLY_MALICIOUS;
    if (a->count)
        return expected_of_count(a, type);
    if (a->protocol == TALLY_VOLE && type != WIRE_MATCHED)
        return expected_of_vole(a, type);
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

enum expect attack_expected(const attack *a, uint8_t type)
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
    case PAYLOAD_LONG:
    case BYTE_FLIPPED:
    case K_FIVE:
    case K_SIX:
    case TAGS_REPEATED:
        return expected_of_entry(a, type);
    case NONCE_SHORT:
    case SOFTWARE_CONTROL:
        return type == WIRE_HELLO1 ? MALFORMED : NOT_APPLICABLE;
    case HELLO_ONES:
        return type == WIRE_HELLO1 || type == WIRE_HELLO2 ? MALFORMED : NOT_APPLICABLE;
    case ITEMS_2_40:
    case ITEMS_ABOVE_LIMIT:
        return type == WIRE_HELLO2 ? MALFORMED : NOT_APPLICABLE;
    case ITEMS_ONE_LESS: /* tags are counted; a bin says nothing about how many items are in it */
        if (type == WIRE_HELLO2 && a->protocol == TALLY_VOLE && a->liar == PAIR_RECEIVER)
            return FEWER;
        return type == WIRE_HELLO2 ? MALFORMED : NOT_APPLICABLE;
    case ITEMS_NONE:
        if (type == WIRE_HELLO2 && a->protocol == TALLY_VOLE && a->liar == PAIR_RECEIVER)
            return FEWER;
        return type == WIRE_HELLO2 ? EITHER_MALFORMED : NOT_APPLICABLE;
    case ITEMS_LIMIT:
        return type == WIRE_HELLO2 ? FAILS : NOT_APPLICABLE;
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

/* The count told to a side that ended well: 1 right, 0 less, -1 neither. */
static int judge_count(const attack *a, int side)
{
    const tally_result *r = &a->p.side[side].result;
    int learns = count_learns(side, a->reveal, 0);
    uint64_t want = learns ? MATCHES : 0;
    if (r->matched_items > want || r->learns_figures != learns || a->p.side[side].row_count)
        return -1;
    return r->matched_items == want;
}

/* Rows told by a side that ended well: 1 right, 0 a subset, -1 neither. */
static int judge(const attack *a, int side)
{
    const pair_side *s = &a->p.side[side];
    if (a->count)
        return judge_count(a, side);
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

const char *attack_verdict(const attack *a)
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
        /* A liar that counts with a peer who takes its list for empty is told so. */
        int fewer = a->expect == FEWER || (a->count && a->kind == ITEMS_NONE && i == a->liar);
        if (!s->status && a->expect != UNCLAIMED && judge(a, i) < !fewer)
            return "a wrong result";
    }
    /* The sender may be done by then: it sent the last frame of all, or one that the receiver looks at after
     * its own last. */
    int after = a->kind == REPEAT || a->kind == REPEAT_RENUMBERED || a->kind == EXTRA;
    int liar_may_be_done =
        a->liar == PAIR_SENDER &&
        (a->type == WIRE_DONE ||
         (after && (a->type == WIRE_ECDH_SENDER || a->type == WIRE_OPRF_TAGS || a->type == WIRE_VOLE_TAGS ||
                    a->type == WIRE_AGG_MASKED || a->type == WIRE_AGG_OTHER)));
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
        /* A sender that learns nothing, or has heard a count, is done when the receiver says so. */
        return ls || (a->liar == PAIR_SENDER && (a->count || a->reveal == TALLY_REVEAL_RECEIVER))
                   ? NULL
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
    pair_set_protocol(&a->p, a->protocol);
    for (int i = 0; a->count && i < 2; i++)
        tally_session_set_function(a->p.side[i].session, TALLY_COUNT);
    pair_add(&a->p.side[PAIR_RECEIVER], receiver_ids, NX);
    pair_add(&a->p.side[PAIR_SENDER], sender_ids, NY);
    a->p.side[a->liar].tap.on_frame = attack_on_frame;
    a->p.side[a->liar].tap.user = a;
    for (int i = 0; a->kind == SILENT && i < 2; i++)
        tally_session_set_timeout(a->p.side[i].session, 3);
    pair_start(&a->p);
}

static void end(attack *a)
{
    pair_join(&a->p);
    const char *wrong = a->type ? attack_verdict(a) : "the frame was not reached";
    if (wrong)
        printf("%s%s, %s, %s, liar %s, frame %zu (%s), kind %d: %s\n  receiver %d: %s\n  sender %d: %s\n",
               a->count ? "count by " : "", a->protocol == TALLY_VOLE ? "vole" : "ecdh",
               a->security == TALLY_MALICIOUS ? "malicious" : "semi-honest",
               a->reveal == TALLY_REVEAL_BOTH     ? "both"
               : a->reveal == TALLY_REVEAL_SENDER ? "sender"
                                                  : "receiver",
               a->liar == PAIR_RECEIVER ? "receiver" : "sender", a->index, wire_frame_name(a->type),
               (int)a->kind, wrong, a->p.side[0].status, a->p.side[0].error.message, a->p.side[1].status,
               a->p.side[1].error.message);
    CU_ASSERT_PTR_NULL(wrong);
    pair_free(&a->p);
    free(a->held);
}

void attack_run(attack *a, size_t count)
{
    for (size_t i = 0; i < count; i++)
        begin(&a[i]);
    for (size_t i = 0; i < count; i++)
        end(&a[i]);
}

/* Frames of a conversation in one direction, by their types. */
static size_t frames_of(uint8_t types[8], const attack *a)
{
    size_t n = 0;
    int malicious = a->security == TALLY_MALICIOUS, vole = a->protocol == TALLY_VOLE;
    types[n++] = WIRE_HELLO1;
    types[n++] = WIRE_HELLO2;
    if (a->count && a->liar == count_computing(a->reveal, 0)) {
        types[n++] = WIRE_AGG_MASKED;
        if (a->reveal == TALLY_REVEAL_BOTH)
            types[n++] = WIRE_AGG_COUNT;
    } else if (a->count) {
        types[n++] = WIRE_AGG_TAGS;
        types[n++] = WIRE_AGG_OTHER;
    } else if (a->liar == PAIR_RECEIVER) {
        if (vole) {
            types[n++] = WIRE_VOLE_OPEN;
            types[n++] = WIRE_VOLE_TREES;
            types[n++] = WIRE_VOLE_BIN;
        } else {
            types[n++] = malicious ? WIRE_OPRF_BLINDED : WIRE_ECDH_RECEIVER;
        }
        if (a->reveal == TALLY_REVEAL_BOTH)
            types[n++] = WIRE_MATCHED;
        if (a->reveal == TALLY_REVEAL_BOTH && malicious)
            types[n++] = WIRE_CONFIRM;
    } else if (vole) {
        types[n++] = WIRE_VOLE_CHOICE;
        types[n++] = WIRE_VOLE_TAGS;
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

size_t attack_all_like(const attack *like, int from, int to, size_t at_once)
{
    enum { ATTACKS_MAX = 400 };
    static attack attacks[ATTACKS_MAX];
    size_t count = 0;
    for (int liar = 0; liar < 2; liar++) {
        uint8_t types[8];
        attack a = *like;
        a.liar = liar;
        size_t frames = frames_of(types, &a);
        for (a.index = 0; a.index < frames; a.index++)
            for (int kind = from; kind < to; kind++) {
                a.kind = (enum kind)kind;
                a.expect = attack_expected(&a, types[a.index]);
                if (a.expect == NOT_APPLICABLE)
                    continue;
                if (count == ATTACKS_MAX)
                    abort();
                attacks[count++] = a;
            }
    }
    for (size_t i = 0; i < count; i += at_once)
        attack_run(attacks + i, at_once < count - i ? at_once : count - i);
    return count;
}

size_t attack_all(enum tally_protocol protocol, enum tally_security security, enum tally_reveal reveal,
                  int from, int to, size_t at_once)
{
    attack like = {.protocol = protocol, .security = security, .reveal = reveal};
    return attack_all_like(&like, from, to, at_once);
}
