/* SPDX-License-Identifier: Apache-2.0 */
/* How an attack changes a frame. */
#include "tests/support_attack.h"

#include "proto/limits.h"
#include "psi/group.h"

#include <stdlib.h>
#include <string.h>

static void pass(attack *a, pair_tap *tap, uint8_t *frame, size_t len)
{
    if (a->silent)
        return;
    frame_set_sequence(frame, frame_sequence(frame) + a->shift);
    tap_pass(tap, frame, len);
}

size_t attack_entry_bytes(uint8_t type)
{
    switch (type) {
    case WIRE_ECDH_REPLY:
    case WIRE_VOLE_TAGS:
    case WIRE_AGG_TAGS:
        return 6; /* psi_tag_bytes(5, 7): (40 + 3 + 3) / 8 */
    case WIRE_OPRF_TAGS:
    case WIRE_CONFIRM:
        return 16;
    case WIRE_MATCHED:
        return 1;
    case WIRE_AGG_COUNT:
        return 8;
    case WIRE_AGG_MASKED:
    case WIRE_AGG_OTHER:
    case WIRE_ECDH_RECEIVER:
    case WIRE_ECDH_SENDER:
    case WIRE_OPRF_KEY:
    case WIRE_OPRF_BLINDED:
    case WIRE_OPRF_EVALUATED:
    case WIRE_VOLE_OPEN:
    case WIRE_VOLE_CHOICE:
        return 32;
    default:
        return 0;
    }
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

static void send_longer(attack *a, pair_tap *tap, const uint8_t *frame, size_t len)
{
    uint8_t *longer = calloc(1, len + 1);
    if (!longer)
        abort();
    memcpy(longer, frame, len);
    frame_set_length(longer, (uint32_t)(len + 1 - WIRE_HEADER));
    pass(a, tap, longer, len + 1);
    free(longer);
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
    size_t n = len - WIRE_HEADER, size = attack_entry_bytes(frame[8]);
    if (size) { /* any of them; two neighbours where they are exchanged */
        size_t entries = n / size;
        if (frame[8] == WIRE_OPRF_EVALUATED)
            entries = NX;
        else if (frame[8] == WIRE_VOLE_CHOICE)
            entries = 1;                     /* then a nonce and bits */
        entry += frame[8] == WIRE_VOLE_OPEN; /* points behind k */
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
    case BYTE_FLIPPED:
        payload[a->seed % n] ^= 0x40;
        break;
    case K_FIVE:
        payload[0] = 5;
        break;
    case K_SIX:
        payload[0] = 6;
        break;
    case TAGS_REPEATED:
        for (size_t at = size; at < n; at += size)
            memcpy(payload + at, payload, size);
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
    case PAYLOAD_LONG:
        send_longer(a, tap, frame, len);
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

void attack_on_frame(pair_tap *tap, size_t index, uint8_t *frame, size_t len)
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
                              type == WIRE_OPRF_BLINDED || type == WIRE_OPRF_TAGS || type == WIRE_VOLE_BIN ||
                              type == WIRE_VOLE_TAGS || type == WIRE_AGG_MASKED || type == WIRE_AGG_OTHER))
        tap_close(tap);
}
