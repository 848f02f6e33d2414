/* SPDX-License-Identifier: Apache-2.0 */
/* One short digest for each field: two sides whose agreements differ tell each other by these in which
 * fields, without showing a word of either. */
#include "party/agreement.h"

#include "party/error.h"
#include "psi/hash.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void party_agreed_field_path(char *out, size_t size, enum party_agreed_id field)
{
    const party_agreed_field *f = &party_agreed_fields[field];
    if (f->parent == AGREED_TOP)
        snprintf(out, size, "%s", f->name);
    else
        snprintf(out, size, "%s%s.%s", party_agreed_fields[f->parent].name,
                 party_agreed_fields[f->parent].type == AGREED_LIST ? "[]" : "", f->name);
}

static int is_entry(enum party_agreed_id field)
{
    enum party_agreed_id parent = party_agreed_fields[field].parent;
    return parent != AGREED_TOP && party_agreed_fields[parent].type == AGREED_LIST;
}

/* The receiver comes first, whatever the order in the file; other entries keep theirs. */
static size_t place(const tally_agreement *a, enum party_agreed_id field, size_t item)
{
    return party_agreed_fields[field].parent == AGREED_PARTIES
               ? party_agreed_party(a, item ? TALLY_SENDER : TALLY_RECEIVER)
               : item;
}

static tally_status add_number(psi_hash *h, uint64_t n)
{
    uint8_t bytes8[8];
    for (unsigned i = 0; i < 8; i++)
        bytes8[i] = (uint8_t)(n >> (56 - 8 * i));
    return psi_hash_add(h, bytes8, sizeof bytes8);
}

/* A decimal without the zeros behind its point, and without the sign of a zero: 1.50 is 1.5, -0.0 is 0. */
static tally_status add_decimal(psi_hash *h, const char *text)
{
    size_t len = strlen(text);
    if (strchr(text, '.')) {
        while (text[len - 1] == '0')
            len--;
        len -= text[len - 1] == '.';
    }
    if (len == 2 && memcmp(text, "-0", 2) == 0) {
        text++;
        len--;
    }
    return psi_hash_add_sized(h, text, len);
}

/* One value, so that what is the same is the same however it is written. */
static tally_status add_value(psi_hash *h, const party_agreed *node)
{
    const char *text = node->text ? node->text : "";
    char number[24];
    switch (party_agreed_fields[node->field].type) {
    case AGREED_DECIMAL:
    case AGREED_EDGES:
        return add_decimal(h, text);
    case AGREED_INTEGER:
    case AGREED_SHARE:
    case AGREED_EPSILON:
    case AGREED_DATE:
    case AGREED_WORD:
        snprintf(number, sizeof number, "%" PRId64, node->number);
        return psi_hash_add_sized(h, number, strlen(number));
    default:
        return psi_hash_add_sized(h, text, strlen(text));
    }
}

/* How many values an entry has, and each of them. */
static tally_status add_entry(psi_hash *h, const tally_agreement *a, enum party_agreed_id field, size_t item)
{
    size_t values = party_agreed_fields[field].type == AGREED_EDGES
                        ? party_agreed_count(a, field, item)
                        : party_agreed_find(a, field, item, 0) != NULL;
    tally_status st = add_number(h, values);
    for (size_t i = 0; !st && i < values; i++)
        st = add_value(h, party_agreed_find(a, field, item, i));
    return st;
}

static tally_status digest(psi_hash *h, const tally_agreement *a, enum party_agreed_id field,
                           uint8_t out32[32])
{
    enum party_agreed_type type = party_agreed_fields[field].type;
    size_t entries = type == AGREED_LIST ? party_agreed_count(a, field, 0)
                     : is_entry(field)   ? party_agreed_count(a, party_agreed_fields[field].parent, 0)
                                         : 1;
    char path[96];
    party_agreed_field_path(path, sizeof path, field);
    tally_status st = psi_hash_start(h, PSI_TAG_AGREED_FIELD);
    if (!st)
        st = psi_hash_add_sized(h, path, strlen(path));
    if (!st)
        st = add_number(h, entries);
    for (size_t i = 0; !st && type != AGREED_LIST && i < entries; i++)
        st = add_entry(h, a, field, place(a, field, i));
    return st ? st : psi_hash_end(h, out32);
}

tally_status party_agreed_field_digests(const tally_agreement *a, uint8_t out[AGREED_FIELDS][8],
                                        tally_error *error)
{
    uint8_t all[AGREED_FIELDS][8], whole32[32];
    psi_hash *h = psi_hash_new();
    tally_status st = TALLY_OK;
    if (!h)
        return party_no_memory(error, "comparing agreements");
    for (int f = 0; !st && f < AGREED_FIELDS; f++) {
        st = digest(h, a, (enum party_agreed_id)f, whole32);
        if (!st)
            memcpy(all[f], whole32, sizeof all[f]);
    }
    psi_hash_free(h);
    if (st)
        return party_fail(error, st, "hashing the fields of an agreement failed");
    memcpy(out, all, sizeof all);
    return TALLY_OK;
}
