/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit on what a peer may make us read or hold. A length is compared with one of these before memory
 * is taken. */
#ifndef WIRE_LIMITS_H
#define WIRE_LIMITS_H

#define WIRE_VERSION_MIN 1 /* protocol versions this code speaks */
#define WIRE_VERSION_MAX 1

#define WIRE_HELLO1_MAX 16384u /* bytes of a hello 1 message */
#define WIRE_HELLO2_MAX 1024u  /* bytes of a hello 2 message */
#define WIRE_PARSE_MAX 65536u  /* bytes of memory that parsing one hello may take */
#define WIRE_PROBE_MAX 65536u  /* bytes of a probe of the line */
#define WIRE_PING_MAX 84u      /* bytes of what a side of a ping says of itself */
#define WIRE_RECEIPT_MAX 512u  /* bytes of a receipt message */
#define WIRE_FIELDS_MAX 96u    /* fields of an agreement's schema */
#define WIRE_FIELD_DIGEST 8u   /* bytes that stand for one field of an agreement */
#define WIRE_ABORT_MAX 64u     /* bytes of an abort message */
#define WIRE_BULK_MAX                                                                                        \
    (1u << 20)                /* bytes of a bulk payload: a frame is never larger than 1 MiB and its header */
#define WIRE_BIN_MAX 1071696u /* bytes of a VOLE bin: a 16-byte seed and 197 columns of 43520 bits */
#define WIRE_KEY_MAX 54272u   /* bytes of the key of the values: one polynomial of 4096 times 106 bits */
#define WIRE_PAYLOAD_MAX WIRE_BIN_MAX /* bytes of the largest payload of any frame */
#define WIRE_ITEMS_MAX (1ull << 30)   /* items of a list that a peer may declare: indices stay below 2^31 */
#define WIRE_KEYS_MAX 8u              /* keys of a composite identifier */
#define WIRE_NAME_MAX 64u             /* bytes of a profile, function or protocol name */
#define WIRE_COLUMNS_MAX 32u          /* columns offered or wanted; a name has at most WIRE_NAME_MAX bytes */
#define WIRE_WIDTH_MAX 1024u          /* bytes of a value of a column */
#define WIRE_ROWS_MAX 64u             /* rows of one identifier whose columns are sent */
#define WIRE_SEALED_MAX 65536u        /* bytes of the sealed columns of one identifier */
#define WIRE_VALUES_MAX 16u           /* value columns of a sum */
#define WIRE_BANDS_MAX 4u             /* band columns */
#define WIRE_EDGES_MAX 33u            /* edges of a band column: with what lies outside as many bands */
#define WIRE_SCALE_MAX 9u             /* decimals of a value */
#define WIRE_VALUE_BITS 48u           /* |value| < 2^48: the square of 2^30 of them fits 126 bits */
#define WIRE_OVERLAP_MAX (1ull << 30) /* a minimum overlap; with columns at most WIRE_SHARED_MAX */
#define WIRE_SHARED_MAX 1000u         /* minimum overlap by shared key: the sender works n times this much */
#define WIRE_EPSILON_MIN 10000u       /* of noise, in millionths: 0.01 .. 100 */
#define WIRE_EPSILON_MAX 100000000u
#define WIRE_DUMMIES_MAX 5000u /* tau of a batch: 2,763 at half of epsilon 0.01 */
#define WIRE_SOFTWARE_MAX 64u  /* bytes of the software version string */

#endif
