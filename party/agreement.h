/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agreement (docs/agreement.md): takes a YAML file, gives its fields, checked one by one and together,
 * and who has signed it. Called by the command, and by party/held for sessions.
 *
 *   agreement_schema.c   the one table of fields, from which parser, template, show, diff and docs derive
 *   agreement_parse.c    the file -> fields
 *   agreement_value.c    the text of one field -> its value
 *   agreement_check.c    what goes together, by the checks a session has for its own settings
 *   agreement_words.c    what each side would learn, and every limit, in plain words
 *   agreement_show.c     fields as text and JSON, differences, the template
 *   agreement_fields.c   a digest of each field
 *   agreement_sign.c     signatures and their file
 */
#ifndef PARTY_AGREEMENT_H
#define PARTY_AGREEMENT_H

#include "party/tally.h"

/* ---- The schema ---- */

enum party_agreed_type {
    AGREED_GROUP,       /* a mapping, at most once */
    AGREED_LIST,        /* a list of mappings */
    AGREED_EDGES,       /* a list of decimals */
    AGREED_TEXT,        /* one line */
    AGREED_PROSE,       /* one or more lines */
    AGREED_COLUMN,      /* the name of a column */
    AGREED_WORD,        /* one of a few */
    AGREED_INTEGER,     /* number: itself */
    AGREED_DECIMAL,     /* read at a scale that another field says: party_agreed_decimal */
    AGREED_SHARE,       /* number: parts per million */
    AGREED_EPSILON,     /* number: millionths */
    AGREED_DATE,        /* number: yyyymmdd */
    AGREED_FINGERPRINT, /* sha256: and 64 hex digits, in lower case once read */
    AGREED_ADDRESS,
    AGREED_PROFILE,
    AGREED_ZONE
};

/* Fields in the order of the template; one that is not on top follows the field it belongs to. */
enum party_agreed_id {
    AGREED_FORMAT,
    AGREED_NAME,
    AGREED_PARTIES,
    AGREED_ORGANISATION,
    AGREED_ROLE,
    AGREED_LINK_KEY,
    AGREED_CA,
    AGREED_SUBJECT,
    AGREED_SIGNING_KEY,
    AGREED_PLACE, /* address */
    AGREED_CONTACT,
    AGREED_MAX_LIST,
    AGREED_PURPOSE,
    AGREED_LEGAL_BASIS,
    AGREED_VALID_FROM,
    AGREED_VALID_UNTIL,
    AGREED_TIME_ZONE,
    AGREED_FUNCTION,
    AGREED_PROTOCOL,
    AGREED_SECURITY,
    AGREED_REVEAL_TO,
    AGREED_KEYS,
    AGREED_KEY_RECEIVER,
    AGREED_KEY_SENDER,
    AGREED_KEY_PROFILE,
    AGREED_COLUMNS,
    AGREED_COLUMN_NAME,
    AGREED_COLUMN_WIDTH,
    AGREED_ROWS_PER_PERSON,
    AGREED_VALUES_OF,
    AGREED_VALUES,
    AGREED_VALUE_NAME,
    AGREED_VALUE_MIN,
    AGREED_VALUE_MAX,
    AGREED_VALUE_SCALE,
    AGREED_BANDS,
    AGREED_BAND_NAME,
    AGREED_BAND_OF,
    AGREED_BAND_EDGES,
    AGREED_DUPLICATES,
    AGREED_SCHEME,
    AGREED_MIN_OVERLAP,
    AGREED_NOISE,
    AGREED_MAX_SHARE,
    AGREED_PADDING,
    AGREED_QUOTAS,
    AGREED_RUNS_DAY,
    AGREED_RUNS_ALL,
    AGREED_ROWS_DAY,
    AGREED_CONSENT,
    AGREED_CONSENT_RULE,
    AGREED_CONSENT_COLUMN,
    AGREED_FIELDS
};
#define AGREED_TOP AGREED_FIELDS /* the parent of fields on top */

#define AGREED_OF_MATCH (1u << TALLY_MATCH)
#define AGREED_OF_COUNT (1u << TALLY_COUNT)
#define AGREED_OF_SUM (1u << TALLY_SUM)
#define AGREED_OF_ALL (AGREED_OF_MATCH | AGREED_OF_COUNT | AGREED_OF_SUM)

typedef struct party_agreed_field {
    const char *name;
    enum party_agreed_id parent;
    enum party_agreed_type type;
    int required;             /* in each group or entry that there is */
    unsigned functions;       /* with which it may stand */
    uint64_t min, max;        /* of a number; characters of a text; entries of a list */
    const char *const *words; /* AGREED_WORD: NULL-terminated */
    const char *fallback;     /* the value when it is left out; NULL: none */
    const char *help;         /* one or more sentences */
    const char *example; /* a value as the file has it; in <> where the template leaves it to be filled in */
    const char *leave;   /* what it means when it is left out and has no fallback */
} party_agreed_field;

extern const party_agreed_field party_agreed_fields[AGREED_FIELDS];

#define AGREED_EPSILON_DECIMALS 6u
#define AGREED_SHARE_DECIMALS 4u

/* "text, 1 to 64 characters", "receiver or sender", ...: what a value has to be; cut to size. */
void party_agreed_form(const party_agreed_field *field, char *out, size_t size);

/* ---- The fields of an agreement ---- */

/* One field that is there, or was filled in. */
typedef struct party_agreed {
    enum party_agreed_id field;
    uint32_t item; /* entry of the list it belongs to, or of the list itself; 0 elsewhere */
    uint32_t sub;  /* AGREED_EDGES: which edge */
    uint32_t line; /* physical line, from 1 */
    int given;     /* 0: filled in */
    char *text;    /* the value; NULL for groups and entries of lists */
    int64_t number;
} party_agreed;

#define PARTY_SIGNATURES 2 /* one of each party */

typedef struct party_signature {
    enum tally_signature_state state;
    uint8_t public32[32], signature64[64];
} party_signature;

struct tally_agreement {
    char *path;  /* as messages show it */
    char *bytes; /* line ends normalised; zero after them */
    size_t len;
    party_agreed *at;
    size_t count, room;
    char digest[TALLY_FINGERPRINT_TEXT];
    party_signature signatures[PARTY_SIGNATURES]; /* in the order of the parties */
};

/* NULL when it is not there. */
const party_agreed *party_agreed_find(const tally_agreement *a, enum party_agreed_id field, size_t item,
                                      size_t sub);
/* How many entries the list, or how many edges entry `item` has. */
size_t party_agreed_count(const tally_agreement *a, enum party_agreed_id list, size_t item);
/* Text and number of a field that is there or has a fallback; "" and 0 when it is not. */
const char *party_agreed_text(const tally_agreement *a, enum party_agreed_id field, size_t item);
int64_t party_agreed_number(const tally_agreement *a, enum party_agreed_id field, size_t item);
/* The entry of the party in this role, 0 or 1. */
size_t party_agreed_party(const tally_agreement *a, enum tally_role role);
/* "parties[2].role", entries counted from 1. */
void party_agreed_path(char *out, size_t size, enum party_agreed_id field, size_t item);

/* "parties[].role", "quotas.runs-per-day": the field in whichever entry. */
void party_agreed_field_path(char *out, size_t size, enum party_agreed_id field);
/*
 * The first 8 bytes of SHA-256 over each field: equal for two agreements if and only if the field is the same
 * in all entries. What was filled in equals what was given, 1.50 equals 1.5, and the order of the parties
 * does not count. Of a list: how many entries it has. They are no secret from who has the agreement, and hide
 * short values from nobody else. TALLY_ERR_NO_MEMORY; out is then untouched.
 *
 *   tag, path (sized), number of entries, for each entry, the receiver's first: number of values, each
 * (sized)
 */
tally_status party_agreed_field_digests(const tally_agreement *a, uint8_t out[AGREED_FIELDS][8],
                                        tally_error *error) TALLY_MUST_CHECK;

/* "FILE:LINE: FIELD: message". TALLY_ERR_INPUT. */
tally_status party_agreed_fail(const tally_agreement *a, uint32_t line, const char *path, tally_error *error,
                               const char *format, ...) __attribute__((format(printf, 5, 6)));

/* A whole file of at most max bytes, with room for two more and a zero; psi_free. TALLY_ERR_INPUT: longer. */
tally_status party_agreed_read(const char *path, size_t max, char **out, size_t *len,
                               tally_error *error) TALLY_MUST_CHECK;
/* The same of len bytes of text; name stands for the path in messages. */
tally_status party_agreed_copy(const char *name, const char *text, size_t len, size_t max, char **out,
                               tally_error *error) TALLY_MUST_CHECK;
/* tally_agreement_load of what party_agreed_read has read; bytes are taken over, also on failure. */
tally_status party_agreed_take(const char *path, char *bytes, size_t len, tally_agreement **out,
                               tally_error *error) TALLY_MUST_CHECK;
/* tally_agreement_add_signatures of len bytes, which are changed; there is room for a zero behind them. */
tally_status party_agreed_signatures(tally_agreement *a, const char *path, char *bytes, size_t len,
                                     tally_error *error) TALLY_MUST_CHECK;
/* The file of the signatures that fit, as it is written; its length, 0 and "" when there are none. */
size_t party_agreed_signature_text(const tally_agreement *a, char out[TALLY_AGREEMENT_SIGNATURES_MAX]);
/* Is it a signature under the agreement's text? TALLY_ERR_DIFFERS, without a message: it is not. */
tally_status party_agreed_verify(const tally_agreement *a, const uint8_t public32[32],
                                 const uint8_t signature64[64], tally_error *error) TALLY_MUST_CHECK;
/* a holds path, bytes and len. On failure a is still to be freed. */
tally_status party_agreed_parse(tally_agreement *a, tally_error *error) TALLY_MUST_CHECK;
/* 1 if a character hides or reorders what is read: none may stand in an agreement, but for line ends and
 * tabs. */
int party_agreed_hidden(int32_t c);
/*
 * The value of one scalar into *number; text (zero-terminated, may be shortened in place) is what was
 * written. plain: not in quotes. TALLY_ERR_INPUT, with the hint.
 */
tally_status party_agreed_value(const tally_agreement *a, const party_agreed_field *field, const char *path,
                                uint32_t line, char *text, size_t len, int plain, int64_t *number,
                                tally_error *error) TALLY_MUST_CHECK;
/* [-]digits[.digits] at the scale (0..9): 1, or 0 if it is none or needs more decimals. */
int party_agreed_decimal(const char *text, unsigned scale, int64_t *out);
/* Decimals that it is written with. */
unsigned party_agreed_decimals(const char *text);
/* Everything that concerns more than one field. */
tally_status party_agreed_check(const tally_agreement *a, tally_error *error) TALLY_MUST_CHECK;

#endif
