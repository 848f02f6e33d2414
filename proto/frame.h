/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "frame": the 12-byte header in front of every payload. Takes and gives bytes; party/link moves them.
 *
 *   0..3   payload length, big-endian
 *   4..7   sequence number, big-endian: frames of this direction counted from 0, heartbeats included
 *   8      type
 *   9..11  zero
 */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include "psi/tally-status.h"
#include <stddef.h>
#include <stdint.h>

#define WIRE_HEADER 12

/* Frame types. Numbers are frozen. */
enum wire_type {
    WIRE_HELLO1 = 1,
    WIRE_HELLO2 = 2,
    WIRE_ABORT = 3,
    WIRE_HEARTBEAT = 4,      /* empty; at any time; carries nothing */
    WIRE_DONE = 5,           /* empty: this side has all it needs and has told everything */
    WIRE_RECEIPT = 6,        /* part of the receipt, or signature under it (proto/receipt.h) */
    WIRE_PROBE = 7,          /* measuring a line, outside any session: nothing of a list (party/line.c) */
    WIRE_PING = 8,           /* what a side of a ping says of itself, outside any session (proto/ping.h) */
    WIRE_ECDH_RECEIVER = 16, /* receiver: masked items a*H(x), 32 bytes each */
    WIRE_ECDH_REPLY = 17,    /* sender: tags of the receiver's items, in the order received, tag width each */
    WIRE_ECDH_SENDER = 18,   /* sender: masked items b*H(y), 32 bytes each */
    WIRE_OPRF_KEY = 24,      /* sender: public key, 32 bytes, before the receiver sends anything */
    WIRE_OPRF_BLINDED = 25,  /* receiver: blinded items, 32 bytes each */
    WIRE_OPRF_EVALUATED = 26, /* sender: evaluated items, 32 bytes each, then a 64-byte proof for each 256 */
    WIRE_OPRF_TAGS = 27,      /* sender: tags of its items, 16 bytes each, shuffled */
    WIRE_VOLE_OPEN = 40,   /* receiver: k (1 byte), then 128 pairs of points for the base OTs, 8193 bytes */
    WIRE_VOLE_CHOICE = 41, /* sender: point (32 bytes), nonce (32 bytes), 128 columns of the OT extension */
    WIRE_VOLE_TREES = 42,  /* receiver: corrections of all trees, 32 bytes for each level */
    WIRE_VOLE_BIN =
        43, /* receiver: a bin's seed (16 bytes) and masked table, column by column; one bin a frame */
    WIRE_VOLE_TAGS = 44,   /* sender: tags of its items, tag width each, shuffled */
    WIRE_AGG_MASKED = 48,  /* computing side: masked items, batch after batch, 32 bytes each */
    WIRE_AGG_TAGS = 49,    /* other side: their tags, each batch sorted, tag width each */
    WIRE_AGG_OTHER = 50,   /* other side: its own masked items, 32 bytes each */
    WIRE_AGG_KEY = 51,     /* owner of the values: public key with its proof */
    WIRE_AGG_VALUES = 52,  /* owner: encrypted rows in the order of its masked items */
    WIRE_AGG_COUNT = 53,   /* computing side: matches in each group, 8 bytes each */
    WIRE_AGG_MERGED = 54,  /* who saw the counts: bitmap of the cells below the minimum, merged into one */
    WIRE_AGG_SUMS = 55,    /* computing side: sums, rerandomised, open or masked */
    WIRE_AGG_FIGURES = 56, /* owner: decrypted figures, open or still masked, 64 bytes each */
    WIRE_AGG_SIZES = 57,   /* owner: sizes of its bands, decrypted and still masked, 64 bytes each */
    WIRE_MATCHED = 32,     /* receiver, reveal both: bitmap over the sender's items as sent, bit i%8 of i/8 */
    WIRE_CONFIRM = 33      /* receiver, reveal both, malicious: 16 bytes for each set bit, in order */
};

typedef struct wire_header {
    uint32_t length; /* payload bytes, at most wire_frame_limit(type) */
    uint32_t sequence;
    uint8_t type;
} wire_header;

/* Largest payload of a type in bytes, 0 for types that carry none and for unknown types. */
uint32_t wire_frame_limit(uint8_t type);
/* 1 if the type is one of enum wire_type. */
int wire_frame_known(uint8_t type);
/* Name for logs and messages, such as "hello 1"; "unknown" otherwise. */
const char *wire_frame_name(uint8_t type);

void wire_header_build(uint8_t out[WIRE_HEADER], const wire_header *h);
/*
 * TALLY_ERR_MALFORMED (out untouched) and *why a fixed phrase: unknown type, length above the type's limit,
 * empty where a payload must be, sequence other than expected, reserved bytes not zero.
 */
tally_status wire_header_parse(wire_header *out, const uint8_t in[WIRE_HEADER], uint32_t expected_sequence,
                               const char **why) TALLY_MUST_CHECK;

#endif
