/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attack of a hostile peer: the tap of one side changes one frame of what it sends. Both sides have to
 * end, the one that was lied to with the category the documents promise, and no row may be told by a run that
 * failed. Shared by the tests of hostile peers, one for each protocol.
 */
#ifndef TESTS_SUPPORT_ATTACK_H
#define TESTS_SUPPORT_ATTACK_H

#include "tests/support_session.h"

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
    /* VOLE: lengths and content */
    PAYLOAD_LONG,
    BYTE_FLIPPED,
    K_FIVE,
    K_SIX,
    TAGS_REPEATED,
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
    enum tally_protocol protocol;
    enum tally_security security;
    enum tally_reveal reveal;
    int count; /* the function: a count instead of a match */
    enum expect expect;
    uint8_t type;   /* of the attacked frame; 0: it was never reached */
    uint32_t shift; /* added to later sequence numbers */
    int cut_after_bulk, silent;
    uint8_t *held;
    size_t held_len;
    uint8_t abort_code;
    uint64_t seed; /* random bytes of the attack: drawn beforehand, since taps run in threads of their own */
} attack;

enum { NX = 5, NY = 7, MATCHES = 3 };

/* Bytes of an entry of a bulk frame, 0 for other frames. */
size_t attack_entry_bytes(uint8_t type);
/* Sees each frame of the liar; the tap's user is the attack. */
void attack_on_frame(pair_tap *tap, size_t index, uint8_t *frame, size_t len);
/* What has to come of a->kind at a frame of this type, by docs/wire-format.md section 8. */
enum expect attack_expected(const attack *a, uint8_t type);
/* One line on the first thing that is wrong, NULL if all is well. */
const char *attack_verdict(const attack *a);

/* Runs the kinds [from, to) at every frame of a conversation where they apply, at_once of them side by side.
 * Returns how many. */
size_t attack_all(enum tally_protocol protocol, enum tally_security security, enum tally_reveal reveal,
                  int from, int to, size_t at_once);
/* The same for conversations like this one. */
size_t attack_all_like(const attack *like, int from, int to, size_t at_once);
/* Runs these, all side by side. */
void attack_run(attack *a, size_t count);

#endif
