/* SPDX-License-Identifier: Apache-2.0 */
#include "party/output.h"

#include "party/derive.h"
#include "party/error.h"
#include "party/file.h"
#include "party/input.h"
#include "party/io.h"
#include "psi/mem.h"
#include <errno.h>
#include <string.h>

#define WINDOW (256u << 10) /* bytes read at once; more for a longer record */
#define LOOK_UP 1024        /* matched rows between two looks at the cancel flag */

struct party_output {
    tally_input *input;
    party_file *file;
    party_derive *derive;
    uint32_t *columns; /* NULL: whole rows */
    size_t column_count;
    int marked; /* the byte order mark was written, if there is one */
    /* bytes of the input */
    uint8_t *buf;
    size_t room, used;
    uint64_t at;   /* offset of buf[0] */
    uint8_t *line; /* one row of picked columns */
    size_t line_room;
};

static tally_status changed(const party_output *o, tally_error *error)
{
    char name[PARTY_PATH_SHOWN];
    party_input_name(o->input, name, sizeof name);
    party_fail(error, TALLY_ERR_INPUT_CHANGED, "%s is no longer what was read: a row differs", name);
    party_hint(error, "run again when nothing writes to the file; export to a new file and rename it");
    return TALLY_ERR_INPUT_CHANGED;
}

/* Makes *buf hold at least `wanted` bytes; what was in it is gone when it grows. */
static tally_status make_room(uint8_t **buf, size_t *room, size_t wanted, tally_error *error)
{
    if (wanted <= *room)
        return TALLY_OK;
    psi_free(*buf);
    *room = 0;
    *buf = psi_calloc(wanted, 1);
    if (!*buf)
        return party_no_memory(error, "writing the rows");
    *room = wanted;
    return TALLY_OK;
}

/* The record of length bytes at offset. Rows are asked for in ascending order, so that each part of the file
 * is read about once. */
static tally_status read_record(party_output *o, uint64_t offset, size_t length, const uint8_t **p,
                                tally_error *error)
{
    if (offset < o->at || offset + length > o->at + o->used) {
        tally_status st = make_room(&o->buf, &o->room, length > WINDOW ? length : WINDOW, error);
        if (st)
            return st;
        o->at = offset;
        o->used = 0;
        while (o->used < length) {
            ssize_t n = party_io_pread(o->input->fd, o->buf + o->used, o->room - o->used, offset + o->used);
            if (n < 0)
                return party_io_failed(error, "read", o->input->path, errno);
            if (n == 0)
                return changed(o, error);
            o->used += (size_t)n;
        }
    }
    *p = o->buf + (offset - o->at);
    return TALLY_OK;
}

/* Splits the record again; it must still be one record of just that length. */
static tally_status parse(party_output *o, const uint8_t *p, size_t length, party_csv_record *record,
                          tally_error *error)
{
    if (party_csv_next(&o->input->format, p, length, 1, record, party_derive_fields(o->derive)) ==
            PARTY_CSV_RECORD &&
        record->length == length)
        return TALLY_OK;
    return changed(o, error);
}

/* ---- Opening
 * ------------------------------------------------------------------------------------------------------ */

static tally_status find_columns(party_output *o, const char *const *columns, size_t count,
                                 tally_error *error)
{
    const tally_input *in = o->input;
    const uint8_t *p = NULL;
    party_csv_record record = {.length = 0};
    tally_status st = TALLY_OK;
    o->columns = psi_calloc(count, sizeof *o->columns);
    if (!o->columns)
        return party_no_memory(error, "the output's columns");
    o->column_count = count;
    if (in->header_bytes) {
        st = read_record(o, in->header_at, in->header_bytes, &p, error);
        if (!st)
            st = parse(o, p, in->header_bytes, &record, error);
    }
    for (size_t i = 0; !st && i < count; i++)
        st = party_derive_column(o->derive, in, p, &record, columns[i], &o->columns[i], error);
    return st;
}

tally_status party_output_open(party_output **out, const char *path, int overwrite,
                               const char *const *columns, size_t count, tally_input *input,
                               tally_error *error)
{
    if (!input->path) {
        party_fail(error, TALLY_ERR_USAGE,
                   "an output file needs an input file, and this input has rows from memory");
        party_hint(error, "take the matching rows from the callback of tally_session_on_match");
        return TALLY_ERR_USAGE;
    }
    if (party_input_is(input, path)) {
        party_fail(error, TALLY_ERR_FILE, "the output would replace the input");
        party_hint(error, "choose another name for the output");
        return TALLY_ERR_FILE;
    }
    party_output *o = psi_calloc(1, sizeof *o);
    if (!o)
        return party_no_memory(error, "the output");
    o->input = input;
    tally_status st = party_derive_new(&o->derive, input->format.encoding, error);
    if (!st && count)
        st = find_columns(o, columns, count, error);
    if (!st)
        st = party_file_open(&o->file, path, overwrite, error);
    if (st)
        party_output_free(o);
    else
        *out = o;
    return st;
}

/* ---- Writing
 * ------------------------------------------------------------------------------------------------------ */

/* The picked columns of a record as a record, in *p and *length. A lone empty column is quoted: its line
 * would otherwise be blank. */
static tally_status pick(party_output *o, const uint8_t **p, const party_csv_record *record, size_t *length,
                         tally_error *error)
{
    const party_csv_field *fields = party_derive_fields(o->derive);
    const party_csv_format *format = &o->input->format;
    size_t longest = 0, total = 0, n = 0, line_end = record->length - record->content;
    for (size_t i = 0; i < o->column_count; i++) {
        if (o->columns[i] >= record->fields)
            return changed(o, error);
        size_t len = fields[o->columns[i]].end - fields[o->columns[i]].begin;
        longest = len > longest ? len : longest;
        total += 2 * len + 3; /* quotes and delimiter */
    }
    /* The text of one field stands behind the line that is being made. */
    tally_status st = make_room(&o->line, &o->line_room, total + line_end + longest, error);
    if (st)
        return st;
    uint8_t *text = o->line + total + line_end;
    for (size_t i = 0; i < o->column_count; i++) {
        size_t len = party_csv_field_text(*p, &fields[o->columns[i]], text);
        if (i)
            o->line[n++] = (uint8_t)format->delimiter;
        n += party_csv_field_write(format, text, len, o->line + n);
    }
    if (n == 0) {
        memcpy(o->line, "\"\"", 2);
        n = 2;
    }
    memcpy(o->line + n, *p + record->content, line_end);
    *p = o->line;
    *length = n + line_end;
    return TALLY_OK;
}

/* Writes one record of the input, whole or its picked columns; in front of the first one the byte order mark.
 */
static tally_status put(party_output *o, const uint8_t *p, const party_csv_record *record, tally_error *error)
{
    static const char *const marks[] = {[PARTY_UTF8] = "\xef\xbb\xbf", [PARTY_GB18030] = "\x84\x31\x95\x33"};
    const char *line_end = record->length == record->content ? o->input->line_end : "";
    size_t length = record->length;
    tally_status st = TALLY_OK;
    if (!o->marked && o->input->bom)
        st = party_file_add(o->file, marks[o->input->format.encoding], o->input->bom, error);
    o->marked = 1;
    if (!st && o->columns)
        st = pick(o, &p, record, &length, error);
    if (!st)
        st = party_file_add(o->file, p, length, error);
    return st ? st : party_file_add(o->file, line_end, strlen(line_end), error);
}

static tally_status put_header(party_output *o, tally_error *error)
{
    const uint8_t *p;
    party_csv_record record;
    tally_status st = read_record(o, o->input->header_at, o->input->header_bytes, &p, error);
    if (!st)
        st = parse(o, p, o->input->header_bytes, &record, error);
    return st ? st : put(o, p, &record, error);
}

static tally_status put_row(party_output *o, const party_row *row, tally_error *error)
{
    const uint8_t *p;
    party_csv_record record;
    psi_item item;
    enum party_reject reject;
    tally_status st = read_record(o, row->offset, row->length, &p, error);
    if (!st)
        st = parse(o, p, row->length, &record, error);
    if (!st)
        st = party_derive_record(o->derive, o->input, p, &record, &item, &reject, error);
    if (st)
        return st;
    if (reject != PARTY_ACCEPTED || memcmp(item.b, o->input->items[row->item].b, sizeof item.b) != 0)
        return changed(o, error);
    return put(o, p, &record, error);
}

tally_status party_output_write(party_output *out, const uint8_t *matched, party_cancel *cancel,
                                uint64_t *rows, tally_error *error)
{
    const tally_input *in = out->input;
    uint64_t written = 0;
    tally_status st = party_input_unchanged(in, error);
    if (!st && in->header_bytes)
        st = put_header(out, error);
    for (size_t r = 0; !st && r < in->row_count; r++) {
        uint32_t item = in->rows[r].item;
        if (!(matched[item / 8] >> (item % 8) & 1))
            continue;
        if (written++ % LOOK_UP == 0 && cancel && party_cancelled(cancel))
            return party_fail(error, TALLY_ERR_INTERRUPTED, "interrupted while writing the matching rows");
        st = put_row(out, &in->rows[r], error);
    }
    if (!st)
        st = party_input_unchanged(in, error);
    if (!st)
        *rows = written;
    return st;
}

tally_status party_output_commit(party_output *out, tally_error *error)
{
    return party_file_commit(out->file, error);
}

void party_output_free(party_output *out)
{
    if (!out)
        return;
    party_file_free(out->file);
    party_derive_free(out->derive);
    psi_free(out->columns);
    psi_free(out->line);
    psi_free(out->buf);
    psi_free(out);
}
