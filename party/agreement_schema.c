/* SPDX-License-Identifier: Apache-2.0 */
/* The table of fields. Ranges are those of the settings of a session (proto/limits.h). */
#include "party/agreement.h"

#include "party/error.h"
#include "party/rows.h"
#include "proto/limits.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const roles[] = {"receiver", "sender", NULL},
                         *const functions[] = {"match", "count", "sum", NULL},
                         *const protocols[] = {"auto", "ecdh", "vole", NULL},
                         *const models[] = {"semi-honest", "malicious", NULL},
                         *const reveals[] = {"receiver", "sender", "both", NULL},
                         *const schemes[] = {"auto", "rlwe", "paillier", NULL},
                         *const duplicates[] = {"sum", "max", "refuse", NULL},
                         *const consents[] = {"valid-until", "reference", NULL};

#define LIST_MAX WIRE_ITEMS_MAX
#define RUNS_MAX 1000000u
#define ROWS_MAX (1ull << 40)
#define MATCH AGREED_OF_MATCH
#define SUM AGREED_OF_SUM
#define FIGURES (AGREED_OF_COUNT | AGREED_OF_SUM)
#define ALL AGREED_OF_ALL
#define TOP AGREED_TOP

/* name, belongs to, type, required, functions, min, max, words, fallback, help, example, left out */
const party_agreed_field party_agreed_fields[AGREED_FIELDS] = {
    [AGREED_FORMAT] = {"tally-agreement", TOP, AGREED_INTEGER, 1, ALL, 1, 1, NULL, NULL,
                       "Version of this form. It is 1.", "1", NULL},
    [AGREED_NAME] = {"name", TOP, AGREED_TEXT, 1, ALL, 1, 64, NULL, NULL,
                     "What the two organisations call this agreement.", "<name of this agreement>", NULL},
    [AGREED_PARTIES] = {"parties", TOP, AGREED_LIST, 1, ALL, 2, 2, NULL, NULL,
                        "The two organisations, in any order.", NULL, NULL},
    [AGREED_ORGANISATION] = {"organisation", AGREED_PARTIES, AGREED_TEXT, 1, ALL, 1, 64, NULL, NULL,
                             "Name of the organisation.", "<organisation>", NULL},
    [AGREED_ROLE] = {"role", AGREED_PARTIES, AGREED_WORD, 1, ALL, 0, 0, roles, NULL,
                     "The receiver asks; the sender's list is what it asks about. One of each.", "receiver",
                     NULL},
    [AGREED_LINK_KEY] = {"link-key", AGREED_PARTIES, AGREED_FINGERPRINT, 0, ALL, 0, 0, NULL, NULL,
                         "Fingerprint of the key that this side of the link has to show: the line "
                         "\"fingerprint\" of tally identity show. A party has this, or ca and subject; with "
                         "both, both have to hold.",
                         "<sha256:... of its identity>", "ca and subject say whom to accept"},
    [AGREED_CA] = {"ca", AGREED_PARTIES, AGREED_FINGERPRINT, 0, ALL, 0, 0, NULL, NULL,
                   "SHA-256 of the public key of the authority that signed this side's certificate. Needs "
                   "subject.",
                   "sha256:3f0c2b4ed3a5c1c8dc5b8f8f64a4f2a5a2be1a3c8b7d6e5f40312233445566ff",
                   "link-key says whom to accept"},
    [AGREED_SUBJECT] = {"subject", AGREED_PARTIES, AGREED_TEXT, 0, ALL, 1, 255, NULL, NULL,
                        "Exact subject of that certificate, as tally identity show prints it. Needs ca.",
                        "\"CN=bank-id,O=Example Bank\"", "link-key says whom to accept"},
    [AGREED_SIGNING_KEY] = {"signing-key", AGREED_PARTIES, AGREED_FINGERPRINT, 1, ALL, 0, 0, NULL, NULL,
                            "Fingerprint of the key with which this party signs: the line \"signing key\" of "
                            "tally identity show.",
                            "<sha256:... of its signing key>", NULL},
    [AGREED_PLACE] = {"address", AGREED_PARTIES, AGREED_ADDRESS, 0, ALL, 0, 0, NULL, NULL,
                      "HOST:PORT where this party waits for the other, IPv6 in brackets.",
                      "agency.example:7440", "this party does not listen, or says where at each run"},
    [AGREED_CONTACT] = {"contact", AGREED_PARTIES, AGREED_TEXT, 1, ALL, 1, 200, NULL, NULL,
                        "Whom to call about this agreement: name, office, telephone or mail.",
                        "<whom to call>", NULL},
    [AGREED_MAX_LIST] = {"max-list", AGREED_PARTIES, AGREED_INTEGER, 0, ALL, 1, LIST_MAX, NULL, "1073741824",
                         "The most identifiers that this party's list may have in one run.", "1000000", NULL},
    [AGREED_PURPOSE] = {"purpose", TOP, AGREED_PROSE, 1, ALL, 1, 2000, NULL, NULL,
                        "What the result is for. It may be used for nothing else.",
                        "<what the result is for>", NULL},
    [AGREED_LEGAL_BASIS] = {"legal-basis", TOP, AGREED_PROSE, 1, ALL, 1, 2000, NULL, NULL,
                            "The law, contract or consent that allows it.", "<what allows it>", NULL},
    [AGREED_VALID_FROM] = {"valid-from", TOP, AGREED_DATE, 1, ALL, 0, 0, NULL, NULL,
                           "First day on which a run may take place, in the time zone below.", "<YYYY-MM-DD>",
                           NULL},
    [AGREED_VALID_UNTIL] = {"valid-until", TOP, AGREED_DATE, 1, ALL, 0, 0, NULL, NULL,
                            "Last day on which a run may take place.", "<YYYY-MM-DD>", NULL},
    [AGREED_TIME_ZONE] = {"time-zone", TOP, AGREED_ZONE, 0, ALL, 0, 0, NULL, "UTC",
                          "IANA name of the time zone in which days begin and end, for validity and quotas.",
                          "Asia/Shanghai", NULL},
    [AGREED_FUNCTION] = {"function", TOP, AGREED_WORD, 1, ALL, 0, 0, functions, NULL,
                         "What is asked: which rows match, how many, or what values add up to.", "match",
                         NULL},
    [AGREED_PROTOCOL] = {"protocol", TOP, AGREED_WORD, 0, ALL, 0, 0, protocols, "auto",
                         "How lists are compared; auto lets the program pick. Counts and sums use ecdh.",
                         "ecdh", NULL},
    [AGREED_SECURITY] =
        {"security", TOP, AGREED_WORD, 0, ALL, 0, 0, models, "semi-honest",
         "Against what kind of other side the run protects: one that follows the protocol, or "
         "any. Counts and sums are semi-honest.",
         "malicious", NULL},
    [AGREED_REVEAL_TO] = {"reveal-to", TOP, AGREED_WORD, 0, ALL, 0, 0, reveals, "receiver",
                          "Who learns the result. A match is revealed to the receiver or to both.", "both",
                          NULL},
    [AGREED_KEYS] = {"keys", TOP, AGREED_LIST, 1, ALL, 1, PARTY_KEYS_MAX, NULL, NULL,
                     "What identifies a person. Several keys make one identifier: all of them have to agree.",
                     NULL, NULL},
    [AGREED_KEY_RECEIVER] = {"receiver-column", AGREED_KEYS, AGREED_COLUMN, 1, ALL, 1, WIRE_NAME_MAX, NULL,
                             NULL, "Its column in the receiver's file.", "<column of the receiver's file>",
                             NULL},
    [AGREED_KEY_SENDER] = {"sender-column", AGREED_KEYS, AGREED_COLUMN, 1, ALL, 1, WIRE_NAME_MAX, NULL, NULL,
                           "Its column in the sender's file.", "<column of the sender's file>", NULL},
    [AGREED_KEY_PROFILE] = {"profile", AGREED_KEYS, AGREED_PROFILE, 0, ALL, 0, 0, NULL, "exact",
                            "How an identifier is read and checked (docs/identifiers.md).", "cn-resident-id",
                            NULL},
    [AGREED_COLUMNS] = {"columns", TOP, AGREED_LIST, 0, MATCH, 1, WIRE_COLUMNS_MAX, NULL, NULL,
                        "Columns of the sender's file, as text, that the receiver may have for each match.",
                        NULL, "no column of the sender's is revealed"},
    [AGREED_COLUMN_NAME] = {"name", AGREED_COLUMNS, AGREED_COLUMN, 1, MATCH, 1, WIRE_NAME_MAX, NULL, NULL,
                            "The column.", "court", NULL},
    [AGREED_COLUMN_WIDTH] = {"width", AGREED_COLUMNS, AGREED_INTEGER, 1, MATCH, 1, WIRE_WIDTH_MAX, NULL, NULL,
                             "The most bytes of UTF-8 that a value has; all are sent at this length.", "32",
                             NULL},
    [AGREED_ROWS_PER_PERSON] = {"rows-per-person", TOP, AGREED_INTEGER, 0, MATCH, 1, WIRE_ROWS_MAX, NULL, "1",
                                "The most rows of one identifier whose columns are revealed. Needs columns.",
                                "3", NULL},
    [AGREED_VALUES_OF] = {"values-of", TOP, AGREED_WORD, 0, SUM, 0, 0, roles, NULL,
                          "Whose file has the values: this side is their owner, the other adds them up.",
                          "sender", "there are no values; a sum needs them"},
    [AGREED_VALUES] = {"values", TOP, AGREED_LIST, 0, SUM, 1, WIRE_VALUES_MAX, NULL, NULL,
                       "Columns of numbers of the owner's file that are added up over the matches.", NULL,
                       "there is nothing to add up; a sum needs it"},
    [AGREED_VALUE_NAME] = {"name", AGREED_VALUES, AGREED_COLUMN, 1, SUM, 1, WIRE_NAME_MAX, NULL, NULL,
                           "The column.", "amount", NULL},
    [AGREED_VALUE_MIN] = {"min", AGREED_VALUES, AGREED_DECIMAL, 1, SUM, 0, 0, NULL, NULL,
                          "The least value. Without its point, and with all its decimals, a value is between "
                          "-2^48 and 2^48.",
                          "0", NULL},
    [AGREED_VALUE_MAX] = {"max", AGREED_VALUES, AGREED_DECIMAL, 1, SUM, 0, 0, NULL, NULL,
                          "The largest value; it has to hold for the sum of one person's rows too.",
                          "1000000", NULL},
    [AGREED_VALUE_SCALE] = {"scale", AGREED_VALUES, AGREED_INTEGER, 0, SUM, 0, WIRE_SCALE_MAX, NULL, "0",
                            "How many decimals a value has.", "2", NULL},
    [AGREED_BANDS] = {"bands", TOP, AGREED_LIST, 0, SUM, 1, WIRE_BANDS_MAX + 1, NULL, NULL,
                      "Columns by whose bands the figures are given: up to 4 of the owner of the values, and "
                      "one of the other side, whose sizes the owner then learns.",
                      NULL, "figures are given as a whole only"},
    [AGREED_BAND_NAME] = {"name", AGREED_BANDS, AGREED_COLUMN, 1, SUM, 1, WIRE_NAME_MAX, NULL, NULL,
                          "The column.", "amount", NULL},
    [AGREED_BAND_OF] = {"of", AGREED_BANDS, AGREED_WORD, 1, SUM, 0, 0, roles, NULL,
                        "Whose file has the column.", "sender", NULL},
    [AGREED_BAND_EDGES] = {"edges", AGREED_BANDS, AGREED_EDGES, 1, SUM, 2, WIRE_EDGES_MAX, NULL, NULL,
                           "Ascending numbers; a band holds its lower edge and not its upper one.",
                           "[0, 1000, 5000, 20000]", NULL},
    [AGREED_DUPLICATES] = {"duplicates", TOP, AGREED_WORD, 0, SUM, 0, 0, duplicates, "sum",
                           "What the numbers of several rows of one person come to.", "max", NULL},
    [AGREED_SCHEME] = {"scheme", TOP, AGREED_WORD, 0, SUM, 0, 0, schemes, "auto",
                       "How values are encrypted; auto lets the program pick.", "rlwe", NULL},
    [AGREED_MIN_OVERLAP] = {"min-overlap", TOP, AGREED_INTEGER, 0, ALL, 2, WIRE_OVERLAP_MAX, NULL, NULL,
                            "Nothing is answered below so many identifiers on both lists. With a match it is "
                            "at most 1000, and holds for columns.",
                            "20", "an overlap of any size is answered"},
    [AGREED_NOISE] = {"noise-epsilon", TOP, AGREED_EPSILON, 0, FIGURES, WIRE_EPSILON_MIN, WIRE_EPSILON_MAX,
                      NULL, NULL,
                      "Noise on every number of the answer: differential privacy with this epsilon in each "
                      "run. Smaller is more noise.",
                      "0.5", "answers are exact"},
    [AGREED_MAX_SHARE] = {"max-match-share", TOP, AGREED_SHARE, 0, ALL, 1, 1000000, NULL, NULL,
                          "The largest share of the receiver's list that may be on both lists; a run above "
                          "it is reported to both organisations.",
                          "5%", "any share"},
    [AGREED_PADDING] = {"padding-step", TOP, AGREED_INTEGER, 0, ALL, 2, LIST_MAX, NULL, NULL,
                        "List sizes are rounded up to a multiple of this before the other side sees them.",
                        "10000", "list sizes are shown as they are"},
    [AGREED_QUOTAS] = {"quotas", TOP, AGREED_GROUP, 0, ALL, 0, 0, NULL, NULL,
                       "How often and how much may be asked under this agreement.", NULL, "no quota"},
    [AGREED_RUNS_DAY] = {"runs-per-day", AGREED_QUOTAS, AGREED_INTEGER, 0, ALL, 1, RUNS_MAX, NULL, NULL,
                         "Runs on one day of the time zone.", "1", "any number"},
    [AGREED_RUNS_ALL] = {"runs-in-all", AGREED_QUOTAS, AGREED_INTEGER, 0, ALL, 1, RUNS_MAX, NULL, NULL,
                         "Runs from the first day to the last.", "250", "any number"},
    [AGREED_ROWS_DAY] = {"rows-per-day", AGREED_QUOTAS, AGREED_INTEGER, 0, ALL, 1, ROWS_MAX, NULL, NULL,
                         "Identifiers that the receiver may ask about on one day, all its runs together.",
                         "2000000", "any number"},
    [AGREED_CONSENT] = {"consent", TOP, AGREED_GROUP, 0, ALL, 0, 0, NULL, NULL,
                        "Consent of the persons on the receiver's list. Rows without it take no part.", NULL,
                        "no consent is looked for"},
    [AGREED_CONSENT_RULE] = {"rule", AGREED_CONSENT, AGREED_WORD, 1, ALL, 0, 0, consents, NULL,
                             "valid-until: the column has the last day of the consent. reference: it names "
                             "the consent, and a row with an empty cell has none.",
                             "valid-until", NULL},
    [AGREED_CONSENT_COLUMN] = {"column", AGREED_CONSENT, AGREED_COLUMN, 1, ALL, 1, WIRE_NAME_MAX, NULL, NULL,
                               "The column of the receiver's file.", "consent_until", NULL},
};

/* "receiver, sender or both" */
static void words_text(const char *const *words, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; words[i] && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s",
                                 !i             ? ""
                                 : words[i + 1] ? ", "
                                                : " or ",
                                 words[i]);
}

void party_agreed_form(const party_agreed_field *f, char *out, size_t size)
{
    switch (f->type) {
    case AGREED_GROUP:
        party_both(out, size, "a group of fields");
        break;
    case AGREED_LIST:
        if (f->min == f->max)
            party_both(out, size, "a list of %" PRIu64 " entries", f->max);
        else
            party_both(out, size, "a list of %" PRIu64 " to %" PRIu64 " entries", f->min, f->max);
        break;
    case AGREED_EDGES:
        party_both(out, size, "a list of %" PRIu64 " to %" PRIu64 " numbers", f->min, f->max);
        break;
    case AGREED_TEXT:
    case AGREED_PROSE:
        party_both(out, size, "text, %" PRIu64 " to %" PRIu64 " characters%s", f->min, f->max,
                   f->type == AGREED_TEXT ? PARTY_WORD(" in one line") : "");
        break;
    case AGREED_COLUMN:
        party_both(out, size, "the name of a column, %" PRIu64 " to %" PRIu64 " bytes of UTF-8", f->min,
                   f->max);
        break;
    case AGREED_WORD:
        words_text(f->words, out, size);
        break;
    case AGREED_INTEGER:
        if (f->min == f->max)
            party_both(out, size, "the number %" PRIu64, f->max);
        else
            party_both(out, size, "a whole number from %" PRIu64 " to %" PRIu64, f->min, f->max);
        break;
    case AGREED_DECIMAL:
        party_both(out, size, "a number such as -12.50");
        break;
    case AGREED_SHARE:
        party_both(out, size, "a share from 0.0001%% to 100%%, up to 4 decimals");
        break;
    case AGREED_EPSILON:
        party_both(out, size, "a number from 0.01 to 100, up to 6 decimals");
        break;
    case AGREED_DATE:
        party_both(out, size, "a date, YYYY-MM-DD");
        break;
    case AGREED_FINGERPRINT:
        party_both(out, size, "sha256: and 64 hex digits");
        break;
    case AGREED_ADDRESS:
        party_both(out, size, "HOST:PORT");
        break;
    case AGREED_PROFILE:
        party_both(out, size, "a profile: exact, cn-resident-id, cn-uscc, phone-e164 or phone-e164+CC");
        break;
    case AGREED_ZONE:
        party_both(out, size, "the IANA name of a time zone");
        break;
    }
}

/* ---- Fields of an agreement ---- */

const party_agreed *party_agreed_find(const tally_agreement *a, enum party_agreed_id field, size_t item,
                                      size_t sub)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->at[i].field == field && a->at[i].item == item && a->at[i].sub == sub)
            return &a->at[i];
    return NULL;
}

size_t party_agreed_count(const tally_agreement *a, enum party_agreed_id list, size_t item)
{
    int edges = party_agreed_fields[list].type == AGREED_EDGES;
    size_t n = 0;
    while (party_agreed_find(a, list, edges ? item : n, edges ? n : 0))
        n++;
    return n;
}

const char *party_agreed_text(const tally_agreement *a, enum party_agreed_id field, size_t item)
{
    const party_agreed *f = party_agreed_find(a, field, item, 0);
    return f && f->text ? f->text : "";
}

int64_t party_agreed_number(const tally_agreement *a, enum party_agreed_id field, size_t item)
{
    const party_agreed *f = party_agreed_find(a, field, item, 0);
    return f ? f->number : 0;
}

size_t party_agreed_party(const tally_agreement *a, enum tally_role role)
{
    int64_t sender = role == TALLY_SENDER;
    return party_agreed_number(a, AGREED_ROLE, 0) == sender ? 0 : 1;
}

void party_agreed_path(char *out, size_t size, enum party_agreed_id field, size_t item)
{
    const party_agreed_field *f = &party_agreed_fields[field];
    if (f->parent == AGREED_TOP)
        snprintf(out, size, "%s", f->name);
    else if (party_agreed_fields[f->parent].type == AGREED_GROUP)
        snprintf(out, size, "%s.%s", party_agreed_fields[f->parent].name, f->name);
    else
        snprintf(out, size, "%s[%zu].%s", party_agreed_fields[f->parent].name, item + 1, f->name);
}
