/* SPDX-License-Identifier: Apache-2.0 */
#include "party/columns.h"

#include "party/error.h"
#include "party/input.h"
#include "party/record.h"
#include "psi/mem.h"
#include <inttypes.h>
#include <string.h>
#include <utf8proc.h>

#define LOOK_UP 1024 /* rows between two looks at the cancel flag */

/* Bytes of one row's slot. */
static size_t slot_bytes(const wire_column *columns, size_t count)
{
    size_t n = 1;
    for (size_t c = 0; c < count; c++)
        n += 2 + columns[c].width;
    return n;
}

tally_status party_form_init(party_form *form, const wire_terms *offer, const wire_terms *want, size_t *bad)
{
    party_form f = {.count = want->column_count, .rows = want->rows_per_person};
    for (size_t c = 0; c < f.count; c++) {
        uint32_t from = 0;
        while (from < offer->column_count && strcmp(offer->columns[from].name, want->columns[c].name) != 0)
            from++;
        if (from == offer->column_count) {
            *bad = c;
            return TALLY_ERR_DIFFERS;
        }
        f.columns[c] = offer->columns[from];
        f.from[c] = from;
    }
    if (f.count) {
        f.label = f.rows * slot_bytes(f.columns, f.count);
        f.sealed = f.label + PSI_LABEL_TAG;
        if (want->min_overlap >= PSI_SHAMIR_MIN) {
            f.minimum = want->min_overlap <= PSI_SHAMIR_MAX ? (uint32_t)want->min_overlap : UINT32_MAX;
            f.sealed += PARTY_SHARE;
        }
    }
    *form = f;
    return f.sealed > WIRE_SEALED_MAX || f.minimum > PSI_SHAMIR_MAX ? TALLY_ERR_USAGE : TALLY_OK;
}

/* Strict UTF-8 without zero bytes. */
static int is_text(const char *p, size_t len)
{
    utf8proc_int32_t c;
    for (size_t i = 0; i < len;) {
        ptrdiff_t n = utf8proc_iterate((const uint8_t *)p + i, (ptrdiff_t)(len - i), &c);
        if (n <= 0 || c == 0)
            return 0;
        i += (size_t)n;
    }
    return 1;
}

/* ---- The sender ---- */

struct party_offer {
    const wire_column *columns;
    size_t count;
    uint32_t rows;
    size_t at[WIRE_COLUMNS_MAX]; /* of a column's length in a slot */
    size_t slot;                 /* bytes */
    uint8_t *values;             /* items * rows slots */
};

void party_offer_free(party_offer *o)
{
    if (!o)
        return;
    psi_secret_free(o->values);
    psi_free(o);
}

/* One value into its place: 2 bytes of length, then the text. */
static tally_status put_value(const wire_column *column, const party_row *row, enum party_reject reject,
                              const tally_text *text, uint8_t *to, tally_error *error)
{
    if (reject == PARTY_REJECT_ENCODING || (reject == PARTY_ACCEPTED && !is_text(text->p, text->len)))
        return party_fail(error, TALLY_ERR_INPUT, "column '%s' at line %" PRIu32 " is not of the encoding",
                          column->name, row->line);
    if (reject != PARTY_ACCEPTED)
        party_fail(error, TALLY_ERR_INPUT,
                   "column '%s' at line %" PRIu32 " has more than %u bytes, more than the offered %" PRIu32,
                   column->name, row->line, PARTY_IDENTIFIER_MAX, column->width);
    else if (text->len > column->width)
        party_fail(error, TALLY_ERR_INPUT,
                   "column '%s' at line %" PRIu32 " has %zu bytes, more than the offered %" PRIu32,
                   column->name, row->line, text->len, column->width);
    else {
        to[0] = (uint8_t)(text->len >> 8);
        to[1] = (uint8_t)text->len;
        memcpy(to + 2, text->p, text->len);
        return TALLY_OK;
    }
    party_hint(error, "offer the column with a larger width (in bytes of UTF-8), up to %u", WIRE_WIDTH_MAX);
    return TALLY_ERR_INPUT;
}

static tally_status put_row(party_offer *o, party_records *records, const uint32_t *index,
                            const party_row *row, tally_error *error)
{
    const uint8_t *p;
    party_csv_record record;
    uint8_t *slot = o->values + (size_t)row->item * o->rows * o->slot;
    uint32_t used = 0;
    while (used < o->rows && slot[0]) {
        slot += o->slot;
        used++;
    }
    if (used == o->rows) {
        party_fail(error, TALLY_ERR_INPUT,
                   "line %" PRIu32 " is row %" PRIu32 " of its identifier, more than the agreed %" PRIu32
                   " per identifier",
                   row->line, used + 1, o->rows);
        party_hint(error, "agree on more rows per person with the other side, or leave one row of each");
        return TALLY_ERR_INPUT;
    }
    slot[0] = 1;
    tally_status st = party_records_row(records, row, &p, &record, error);
    party_derive *d = party_records_derive(records);
    for (size_t c = 0; !st && c < o->count; c++) {
        tally_text text = {NULL, 0};
        enum party_reject reject = party_derive_text(d, p, &party_derive_fields(d)[index[c]], &text);
        st = put_value(&o->columns[c], row, reject, &text, slot + o->at[c], error);
    }
    return st;
}

static tally_status read_values(party_offer *o, tally_input *input, party_cancel *cancel, tally_error *error)
{
    uint32_t index[WIRE_COLUMNS_MAX];
    size_t rows;
    const party_row *row = party_input_rows(input, &rows);
    party_records *records = NULL;
    tally_status st = party_records_new(&records, input, error);
    for (size_t c = 0; !st && c < o->count; c++)
        st = party_records_column(records, o->columns[c].name, &index[c], error);
    for (size_t r = 0; !st && r < rows; r++) {
        if (r % LOOK_UP == 0 && cancel && party_cancelled(cancel))
            st = party_fail(error, TALLY_ERR_INTERRUPTED, "interrupted while reading the offered columns");
        else
            st = put_row(o, records, index, &row[r], error);
    }
    if (!st)
        st = party_input_unchanged(input, error);
    party_records_free(records);
    return st;
}

tally_status party_offer_load(party_offer **out, tally_input *input, const wire_column *columns, size_t count,
                              uint32_t rows_per_person, party_cancel *cancel, tally_error *error)
{
    if (!input->path)
        return party_fail(error, TALLY_ERR_USAGE,
                          "columns can be offered of an input file, not of rows from memory");
    party_offer *o = psi_calloc(1, sizeof *o);
    if (!o)
        return party_no_memory(error, "the offered columns");
    *o = (party_offer){.columns = columns, .count = count, .rows = rows_per_person};
    o->slot = 1;
    for (size_t c = 0; c < count; c++) {
        o->at[c] = o->slot;
        o->slot += 2 + columns[c].width;
    }
    o->values = psi_secret_calloc(input->item_count, o->rows * o->slot);
    tally_status st = o->values ? read_values(o, input, cancel, error)
                                : party_no_memory(error, "the values of the offered columns");
    if (st)
        party_offer_free(o);
    else
        *out = o;
    return st;
}

struct party_sealer {
    const party_form *form;
    const party_offer *offer;
    const party_overlap *overlap;
    const psi_item *items;
    const psi_sid *sid;
    psi_label *label;
    uint8_t *plain; /* form->label bytes */
};

party_sealer *party_sealer_new(const party_form *form, const party_offer *offer, const party_overlap *overlap,
                               const psi_item *items, const psi_sid *sid)
{
    party_sealer *s = psi_calloc(1, sizeof *s);
    if (!s)
        return NULL;
    *s = (party_sealer){form, offer, overlap, items, sid, psi_label_new(), psi_secret_calloc(form->label, 1)};
    if (s->label && s->plain)
        return s;
    party_sealer_free(s);
    return NULL;
}

void party_sealer_free(party_sealer *s)
{
    if (!s)
        return;
    psi_secret_free(s->plain);
    psi_label_free(s->label);
    psi_free(s);
}

tally_status party_seal(party_sealer *s, uint32_t item, const uint8_t key[PSI_LABEL_KEY], uint8_t *out)
{
    const party_form *f = s->form;
    const party_offer *o = s->offer;
    const uint8_t *slot = o->values + (size_t)item * o->rows * o->slot;
    uint8_t *to = s->plain;
    for (uint32_t i = 0; i < f->rows; i++, slot += o->slot) {
        *to++ = slot[0];
        for (size_t c = 0; c < f->count; c++) {
            size_t n = 2 + f->columns[c].width;
            memcpy(to, slot + o->at[f->from[c]], n);
            to += n;
        }
    }
    if (!f->minimum)
        return psi_label_seal(s->label, out, key, s->sid, s->plain, f->label);
    uint8_t label_key[PSI_LABEL_KEY];
    party_overlap_share(s->overlap, out, &s->items[item], key);
    party_overlap_key(s->overlap, label_key, key);
    tally_status st = psi_label_seal(s->label, out + PARTY_SHARE, label_key, s->sid, s->plain, f->label);
    psi_wipe(label_key, sizeof label_key);
    return st;
}

/* ---- The receiver ---- */

void party_sealed_free(party_sealed *s)
{
    psi_free(s->sealed);
    psi_secret_free(s->keys);
    psi_free(s->items);
    *s = (party_sealed){.count = 0};
}

void party_opened_free(party_opened *o)
{
    psi_secret_free(o->labels);
    psi_free(o->place);
    *o = (party_opened){.form = NULL};
}

static size_t value_length(const uint8_t *value)
{
    return (size_t)value[0] << 8 | value[1];
}

/* 1 if the bytes that came out are a label: rows first, then none; lengths within widths, texts UTF-8. */
static int is_label(const party_form *f, const uint8_t *p)
{
    for (uint32_t i = 0, before = 1; i < f->rows; i++) {
        uint32_t present = *p++;
        if (present > before || (i == 0 && !present))
            return 0;
        before = present;
        for (size_t c = 0; c < f->count; c++) {
            size_t len = value_length(p);
            if (len > f->columns[c].width || !is_text((const char *)p + 2, len))
                return 0;
            p += 2 + f->columns[c].width;
        }
    }
    return 1;
}

/* The key of all columns, from the first matches of `minimum` different items. */
static tally_status join_shares(party_overlap **overlap, const party_form *form, const party_sealed *sealed,
                                const psi_item *items, size_t own, const psi_sid *sid, tally_error *error)
{
    size_t different = 0;
    uint8_t *seen = psi_calloc(own, 1);
    party_share *shares = psi_secret_calloc(form->minimum, sizeof *shares);
    tally_status st = seen && shares ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    for (size_t i = 0; !st && i < sealed->count; i++) {
        uint32_t item = sealed->items[i];
        if (!seen[item] && different < form->minimum)
            shares[different] = (party_share){&items[item], sealed->keys + i * PSI_LABEL_KEY,
                                              sealed->sealed + i * form->sealed};
        different += !seen[item];
        seen[item] = 1;
    }
    if (!st && different < form->minimum)
        st = party_fail(error, TALLY_ERR_POLICY,
                        different == 1
                            ? "only %zu identifier matches, fewer than the minimum overlap of %" PRIu32
                              ": the columns stay sealed"
                            : "only %zu identifiers match, fewer than the minimum overlap of %" PRIu32
                              ": the columns stay sealed",
                        different, form->minimum);
    else if (!st)
        st = party_overlap_join(overlap, shares, form->minimum, sid);
    if (st == TALLY_ERR_NO_MEMORY)
        party_no_memory(error, "the columns of the matches");
    else if (st == TALLY_ERR_MALFORMED)
        party_fail(error, st, "two identifiers have one share of the columns' key");
    psi_secret_free(shares);
    psi_free(seen);
    return st;
}

static tally_status open_label(psi_label *label, uint8_t *plain, const party_form *form,
                               const party_overlap *overlap, const uint8_t *key, const psi_sid *sid,
                               const uint8_t *sealed)
{
    if (!overlap)
        return psi_label_open(label, plain, key, sid, sealed, form->label);
    uint8_t label_key[PSI_LABEL_KEY];
    party_overlap_key(overlap, label_key, key);
    tally_status st = psi_label_open(label, plain, label_key, sid, sealed + PARTY_SHARE, form->label);
    psi_wipe(label_key, sizeof label_key);
    return st;
}

tally_status party_open(party_opened *o, const party_form *form, const party_sealed *sealed,
                        const psi_item *items, size_t own, const psi_sid *sid, tally_error *error)
{
    party_overlap *overlap = NULL;
    psi_label *label = psi_label_new();
    tally_status st = TALLY_OK;
    *o = (party_opened){form, psi_calloc(own, sizeof *o->place),
                        psi_secret_calloc(sealed->count, form->label)};
    if (!label || !o->place || !o->labels)
        st = party_no_memory(error, "the columns of the matches");
    else if (form->minimum)
        st = join_shares(&overlap, form, sealed, items, own, sid, error);
    for (size_t i = 0; !st && i < sealed->count; i++) {
        uint8_t *plain = o->labels + i * form->label;
        st = open_label(label, plain, form, overlap, sealed->keys + i * PSI_LABEL_KEY, sid,
                        sealed->sealed + i * form->sealed);
        if (!st && !is_label(form, plain))
            st = TALLY_ERR_MALFORMED;
        if (st)
            party_fail(error, st, "the peer's columns of a match cannot be read: they do not belong to it");
        o->place[sealed->items[i]] = (uint32_t)(i + 1);
    }
    psi_label_free(label);
    party_overlap_free(overlap);
    return st;
}

int party_opened_row(const party_opened *o, uint32_t item, uint32_t i, tally_text *values)
{
    const party_form *f = o->form;
    size_t slot = f->label / f->rows;
    const uint8_t *p;
    if (!o->place[item])
        return 0;
    p = o->labels + (o->place[item] - 1) * f->label + i * slot;
    if (!*p++)
        return 0;
    for (size_t c = 0; c < f->count; c++) {
        values[c] = (tally_text){(const char *)p + 2, value_length(p)};
        p += 2 + f->columns[c].width;
    }
    return 1;
}
