/* SPDX-License-Identifier: Apache-2.0 */
/* CSV records out of any bytes. First byte: encoding, delimiter, and where the data are cut in pieces. */
#include "party/csv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static party_csv_field fields[PARTY_FIELDS_MAX], others[PARTY_FIELDS_MAX];

static void must(int holds)
{
    if (!holds)
        abort();
}

static void check_record(const party_csv_format *format, const uint8_t *p, size_t len,
                         const party_csv_record *r)
{
    must(r->length > 0 && r->length <= len && r->content <= r->length && r->length - r->content <= 2);
    must(r->lines >= 1 && r->fields >= 1 && r->fields <= PARTY_FIELDS_MAX);
    must(r->blank == (r->content == 0));
    must(format->encoding == PARTY_GB18030 || !r->bad_encoding);
    uint8_t *text = malloc(r->length), *out = malloc(2 * r->length + 3);
    must(text && out);
    size_t before = 0;
    for (uint32_t f = 0; f < r->fields; f++) {
        must(fields[f].begin >= before && fields[f].begin <= fields[f].end && fields[f].end <= r->content);
        before = fields[f].end;
        size_t n = party_csv_field_text(p, &fields[f], text);
        must(n <= fields[f].end - fields[f].begin);
        must(fields[f].quoted || n == fields[f].end - fields[f].begin);
        /* A field that is written reads as itself, alone and with a line end. In a broken encoding a
         * character may take a quote in. */
        if (r->bad_encoding)
            continue;
        party_csv_record again;
        size_t written = party_csv_field_write(format, text, n, out);
        must(written <= 2 * n + 2);
        out[written] = '\n';
        must(party_csv_next(format, out, written + 1, 1, &again, others) == PARTY_CSV_RECORD);
        must(again.length == written + 1 && again.fields == 1 && !again.bad_encoding);
        uint8_t *back = malloc(written + 1);
        must(back && party_csv_field_text(out, &others[0], back) == n && memcmp(back, text, n) == 0);
        free(back);
    }
    free(out);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char delimiters[] = ",;|\t~@`^";
    if (size < 2)
        return 0;
    const party_csv_format format = {delimiters[data[0] & 7], data[0] & 8 ? PARTY_GB18030 : PARTY_UTF8};
    size_t cut = data[0] >> 4, left = size - 1, at = 1;
    for (;;) {
        party_csv_record r, part;
        enum party_csv_result whole = party_csv_next(&format, data + at, left, 1, &r, fields);
        must(whole != PARTY_CSV_MORE && (whole == PARTY_CSV_END) == (left == 0));
        if (whole == PARTY_CSV_RECORD)
            check_record(&format, data + at, left, &r);
        /* A piece says MORE, or what the whole says. */
        for (size_t n = cut; n <= left; n += cut + 1 + left / 16) {
            uint8_t *piece = malloc(n + 1);
            must(piece != NULL);
            memcpy(piece, data + at, n);
            enum party_csv_result p = party_csv_next(&format, piece, n, 0, &part, others);
            must(p == PARTY_CSV_MORE || p == whole);
            if (p == PARTY_CSV_RECORD) {
                must(part.length == r.length && part.fields == r.fields && part.lines == r.lines);
                must(part.bad_encoding == r.bad_encoding);
            }
            free(piece);
        }
        if (whole != PARTY_CSV_RECORD)
            return 0;
        at += r.length;
        left -= r.length;
    }
}
