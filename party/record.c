/* SPDX-License-Identifier: Apache-2.0 */
#include "party/record.h"

#include "party/error.h"
#include "party/io.h"
#include "psi/mem.h"
#include <errno.h>
#include <string.h>

#define WINDOW (256u << 10) /* bytes read at once; more for a longer record */

struct party_records {
    tally_input *input;
    party_derive *derive;
    uint8_t *buf;
    size_t room, used;
    uint64_t at; /* offset of buf[0] in the file */
};

tally_status party_records_new(party_records **out, tally_input *input, tally_error *error)
{
    party_records *r = psi_calloc(1, sizeof *r);
    if (!r)
        return party_no_memory(error, "reading the rows again");
    r->input = input;
    tally_status st = party_derive_new(&r->derive, input->format.encoding, error);
    if (st)
        party_records_free(r);
    else
        *out = r;
    return st;
}

void party_records_free(party_records *r)
{
    if (!r)
        return;
    party_derive_free(r->derive);
    psi_free(r->buf);
    psi_free(r);
}

party_derive *party_records_derive(party_records *r)
{
    return r->derive;
}

tally_status party_records_changed(const party_records *r, tally_error *error)
{
    char name[PARTY_PATH_SHOWN];
    party_input_name(r->input, name, sizeof name);
    party_fail(error, TALLY_ERR_INPUT_CHANGED, "%s is no longer what was read: a row differs", name);
    party_hint(error, "run again when nothing writes to the file; export to a new file and rename it");
    return TALLY_ERR_INPUT_CHANGED;
}

/* Makes the window hold at least `wanted` bytes; what was in it is gone when it grows. */
static tally_status make_room(party_records *r, size_t wanted, tally_error *error)
{
    if (wanted <= r->room)
        return TALLY_OK;
    psi_free(r->buf);
    r->room = 0;
    r->buf = psi_calloc(wanted, 1);
    if (!r->buf)
        return party_no_memory(error, "reading the rows again");
    r->room = wanted;
    return TALLY_OK;
}

/* The record of length bytes at offset: it must still be one record of just that length. */
static tally_status read_record(party_records *r, uint64_t offset, size_t length, const uint8_t **p,
                                party_csv_record *record, tally_error *error)
{
    if (offset < r->at || offset + length > r->at + r->used) {
        tally_status st = make_room(r, length > WINDOW ? length : WINDOW, error);
        if (st)
            return st;
        r->at = offset;
        r->used = 0;
        while (r->used < length) {
            ssize_t n = party_io_pread(r->input->fd, r->buf + r->used, r->room - r->used, offset + r->used);
            if (n < 0)
                return party_io_failed(error, "read", r->input->path, errno);
            if (n == 0)
                return party_records_changed(r, error);
            r->used += (size_t)n;
        }
    }
    *p = r->buf + (offset - r->at);
    if (party_csv_next(&r->input->format, *p, length, 1, record, party_derive_fields(r->derive)) ==
            PARTY_CSV_RECORD &&
        record->length == length)
        return TALLY_OK;
    return party_records_changed(r, error);
}

tally_status party_records_header(party_records *r, const uint8_t **p, party_csv_record *record,
                                  tally_error *error)
{
    *p = NULL;
    if (!r->input->header_bytes)
        return TALLY_OK;
    return read_record(r, r->input->header_at, r->input->header_bytes, p, record, error);
}

tally_status party_records_row(party_records *r, const party_row *row, const uint8_t **p,
                               party_csv_record *record, tally_error *error)
{
    psi_item item;
    enum party_reject reject;
    tally_status st = read_record(r, row->offset, row->length, p, record, error);
    if (!st)
        st = party_derive_record(r->derive, r->input, *p, record, &item, &reject, error);
    if (st)
        return st;
    if (reject != PARTY_ACCEPTED || memcmp(item.b, r->input->items[row->item].b, sizeof item.b) != 0)
        return party_records_changed(r, error);
    return TALLY_OK;
}

tally_status party_records_column(party_records *r, const char *name, uint32_t *column, tally_error *error)
{
    const uint8_t *p;
    party_csv_record record = {.length = 0};
    tally_status st = party_records_header(r, &p, &record, error);
    return st ? st : party_derive_column(r->derive, r->input, p, &record, name, column, error);
}
