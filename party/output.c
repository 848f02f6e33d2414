/* SPDX-License-Identifier: Apache-2.0 */
#include "party/output.h"

#include "party/error.h"
#include "party/file.h"
#include "party/input.h"
#include "party/record.h"
#include "psi/mem.h"
#include <errno.h>
#include <iconv.h>
#include <string.h>

#define LOOK_UP 1024 /* matched rows between two looks at the cancel flag */

struct party_output {
    tally_input *input;
    party_file *file;
    party_records *records;
    uint32_t *columns; /* NULL: whole rows */
    size_t column_count;
    int marked;    /* the byte order mark was written, if there is one */
    uint8_t *line; /* one row of picked columns */
    size_t line_room;
    /* the peer's columns */
    const party_opened *opened; /* NULL: none */
    iconv_t convert;            /* from UTF-8; (iconv_t)-1 for a file in UTF-8 */
    uint8_t *tail;              /* values of one row, each behind a delimiter */
    size_t tail_bytes, tail_room;
};

static const iconv_t no_convert = (iconv_t)-1;

/* Makes *buf hold at least `wanted` bytes; what was in it is gone when it grows. */
static tally_status make_room(uint8_t **buf, size_t *room, size_t wanted, tally_error *error)
{
    if (wanted <= *room)
        return TALLY_OK;
    psi_secret_free(*buf);
    *room = 0;
    *buf = psi_secret_calloc(wanted, 1);
    if (!*buf)
        return party_no_memory(error, "writing the rows");
    *room = wanted;
    return TALLY_OK;
}

/* ---- Opening ---- */

static tally_status find_columns(party_output *o, const char *const *columns, size_t count,
                                 tally_error *error)
{
    tally_status st = TALLY_OK;
    o->columns = psi_calloc(count, sizeof *o->columns);
    if (!o->columns)
        return party_no_memory(error, "the output's columns");
    o->column_count = count;
    for (size_t i = 0; !st && i < count; i++)
        st = party_records_column(o->records, columns[i], &o->columns[i], error);
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
    o->convert = no_convert;
    tally_status st = party_records_new(&o->records, input, error);
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

tally_status party_output_join(party_output *o, const party_opened *opened, tally_error *error)
{
    o->opened = opened;
    if (o->input->format.encoding == PARTY_GB18030) {
        o->convert = iconv_open("GB18030", "UTF-8");
        if (o->convert == no_convert)
            return party_fail(error, TALLY_ERR_FILE, "the system's iconv cannot convert to GB18030");
    }
    return TALLY_OK;
}

/* ---- Writing ---- */

/* The picked columns of a record as a record, in *p and *length. A lone empty column is quoted: its line
 * would otherwise be blank. */
static tally_status pick(party_output *o, const uint8_t **p, const party_csv_record *record, size_t *length,
                         tally_error *error)
{
    const party_csv_field *fields = party_derive_fields(party_records_derive(o->records));
    const party_csv_format *format = &o->input->format;
    size_t longest = 0, total = 0, n = 0, line_end = record->length - record->content;
    for (size_t i = 0; i < o->column_count; i++) {
        if (o->columns[i] >= record->fields)
            return party_records_changed(o->records, error);
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

/* Appends one value, in the encoding of the file and quoted where needed, behind a delimiter to the tail. */
static tally_status add_value(party_output *o, const tally_text *value, tally_error *error)
{
    char text[2 * WIRE_WIDTH_MAX]; /* GB18030 has at most twice the bytes of UTF-8 */
    char *in = NULL, *out = text;
    size_t left = value->len, room = sizeof text;
    memcpy(&in, &value->p, sizeof in); /* iconv's type lacks a const */
    if (o->convert == no_convert) {
        memcpy(text, value->p, value->len);
        out += value->len;
    } else if (iconv(o->convert, &in, &left, &out, &room) == (size_t)-1) {
        return party_fail(error, TALLY_ERR_INPUT, "a value of the peer's columns has no form in GB18030");
    }
    o->tail[o->tail_bytes++] = (uint8_t)o->input->format.delimiter;
    o->tail_bytes += party_csv_field_write(&o->input->format, (const uint8_t *)text, (size_t)(out - text),
                                           o->tail + o->tail_bytes);
    return TALLY_OK;
}

static tally_status make_tail(party_output *o, const tally_text *values, size_t count, tally_error *error)
{
    tally_status st = make_room(&o->tail, &o->tail_room, count * (4 * WIRE_WIDTH_MAX + 3), error);
    o->tail_bytes = 0;
    for (size_t c = 0; !st && c < count; c++)
        st = add_value(o, &values[c], error);
    return st;
}

/* Writes one record of the input, whole or its picked columns, then the tail; in front of the first one the
 * byte order mark. */
static tally_status put(party_output *o, const uint8_t *p, const party_csv_record *record, tally_error *error)
{
    static const char *const marks[] = {[PARTY_UTF8] = "\xef\xbb\xbf", [PARTY_GB18030] = "\x84\x31\x95\x33"};
    const char *line_end = record->length == record->content ? o->input->line_end : "";
    size_t length = record->length, end = record->length - record->content;
    tally_status st = TALLY_OK;
    /* A file of one record may have no line end at all, and comes out as several rows. */
    if (o->opened && !end && !*line_end)
        line_end = "\n";
    if (!o->marked && o->input->bom)
        st = party_file_add(o->file, marks[o->input->format.encoding], o->input->bom, error);
    o->marked = 1;
    if (!st && o->columns)
        st = pick(o, &p, record, &length, error);
    if (!st)
        st = party_file_add(o->file, p, length - end, error);
    if (!st && o->tail_bytes)
        st = party_file_add(o->file, o->tail, o->tail_bytes, error);
    if (!st && end)
        st = party_file_add(o->file, p + length - end, end, error);
    return st ? st : party_file_add(o->file, line_end, strlen(line_end), error);
}

static tally_status put_header(party_output *o, tally_error *error)
{
    const uint8_t *p;
    party_csv_record record;
    tally_text names[WIRE_COLUMNS_MAX];
    size_t count = o->opened ? o->opened->form->count : 0;
    for (size_t c = 0; c < count; c++) {
        const char *name = o->opened->form->columns[c].name;
        names[c] = (tally_text){name, strlen(name)};
    }
    tally_status st = make_tail(o, names, count, error);
    if (!st)
        st = party_records_header(o->records, &p, &record, error);
    return st ? st : put(o, p, &record, error);
}

/* A matching row: once, or with the peer's columns once for each of the peer's rows. */
static tally_status put_row(party_output *o, const party_row *row, tally_error *error)
{
    const uint8_t *p;
    party_csv_record record;
    tally_text values[WIRE_COLUMNS_MAX];
    tally_status st = party_records_row(o->records, row, &p, &record, error);
    if (st || !o->opened)
        return st ? st : put(o, p, &record, error);
    for (uint32_t i = 0; !st && i < o->opened->form->rows; i++) {
        if (!party_opened_row(o->opened, row->item, i, values))
            break;
        st = make_tail(o, values, o->opened->form->count, error);
        if (!st)
            st = put(o, p, &record, error);
    }
    return st;
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
    party_records_free(out->records);
    if (out->convert != no_convert)
        iconv_close(out->convert);
    psi_free(out->columns);
    psi_secret_free(out->line);
    psi_secret_free(out->tail);
    psi_free(out);
}
