/* SPDX-License-Identifier: Apache-2.0 */
#include "party/derive.h"

#include "party/error.h"
#include "party/io.h"
#include "psi/mem.h"
#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define RAW_MAX                                                                                              \
    (2 * PARTY_IDENTIFIER_MAX) /* all quotes doubled; GB18030 is at most twice as long as the UTF-8 */

struct party_derive {
    psi_hash *hash;
    iconv_t convert; /* (iconv_t)-1 for UTF-8 */
    party_csv_field fields[PARTY_FIELDS_MAX];
    char raw[RAW_MAX];
    char text[PARTY_IDENTIFIER_MAX];
    char form[PARTY_KEYS_MAX][PARTY_IDENTIFIER_MAX];
};

static const iconv_t no_convert = (iconv_t)-1;

tally_status party_derive_new(party_derive **out, enum party_encoding encoding, tally_error *error)
{
    party_derive *d = psi_calloc(1, sizeof *d);
    if (!d)
        return party_no_memory(error, "reading records");
    d->convert = no_convert;
    d->hash = psi_hash_new();
    tally_status st = d->hash ? TALLY_OK : party_no_memory(error, "reading records");
    if (!st && encoding == PARTY_GB18030) {
        d->convert = iconv_open("UTF-8", "GB18030");
        if (d->convert == no_convert && errno == ENOMEM)
            st = party_no_memory(error, "the GB18030 converter");
        else if (d->convert == no_convert) {
            st = party_fail(error, TALLY_ERR_FILE, "the system's iconv cannot convert GB18030");
            party_hint(error,
                       "install the C library's gconv modules, or convert the file to UTF-8 beforehand");
        }
    }
    if (st)
        party_derive_free(d);
    else
        *out = d;
    return st;
}

void party_derive_free(party_derive *d)
{
    if (!d)
        return;
    if (d->convert != no_convert)
        iconv_close(d->convert);
    psi_hash_free(d->hash);
    psi_wipe(d->raw, sizeof d->raw);
    psi_wipe(d->text, sizeof d->text);
    psi_wipe(d->form, sizeof d->form);
    psi_free(d);
}

party_csv_field *party_derive_fields(party_derive *d)
{
    return d->fields;
}

enum party_reject party_derive_text(party_derive *d, const uint8_t *record, const party_csv_field *field,
                                    tally_text *text)
{
    size_t len = field->end - field->begin;
    if (len > RAW_MAX)
        return PARTY_REJECT_TOO_LONG;
    len = party_csv_field_text(record, field, (uint8_t *)d->raw);
    if (d->convert == no_convert) {
        *text = (tally_text){d->raw, len};
        return len > PARTY_IDENTIFIER_MAX ? PARTY_REJECT_TOO_LONG : PARTY_ACCEPTED;
    }
    char *in = d->raw, *out = d->text;
    size_t room = sizeof d->text;
    if (iconv(d->convert, &in, &len, &out, &room) == (size_t)-1) {
        int too_long = errno == E2BIG;
        iconv(d->convert, NULL, NULL, NULL, NULL);
        return too_long ? PARTY_REJECT_TOO_LONG : PARTY_REJECT_ENCODING;
    }
    *text = (tally_text){d->text, (size_t)(out - d->text)};
    return PARTY_ACCEPTED;
}

static enum party_reject apply(party_derive *d, const tally_input *input, size_t k, const tally_text *text,
                               psi_part *part)
{
    const party_key *key = &input->keys[k];
    part->p = d->form[k];
    return party_profile_apply(key->profile, key->parameter, text->p, text->len, d->form[k], &part->len);
}

static tally_status hash(party_derive *d, const tally_input *input, const psi_part *parts, psi_item *item,
                         tally_error *error)
{
    tally_status st = psi_item_from_fields(d->hash, parts, input->key_count, item);
    return st ? party_fail(error, st, "hashing an identifier failed") : TALLY_OK;
}

/* Canonical forms of the keys of a record. */
static enum party_reject forms(party_derive *d, const tally_input *input, const uint8_t *p,
                               const party_csv_record *record, psi_part parts[PARTY_KEYS_MAX])
{
    tally_text text;
    /* A broken GB18030 character may have swallowed a delimiter: the columns are then not to be trusted. */
    enum party_reject reject = record->bad_encoding               ? PARTY_REJECT_ENCODING
                               : record->fields != input->columns ? PARTY_REJECT_COLUMNS
                                                                  : PARTY_ACCEPTED;
    for (size_t k = 0; reject == PARTY_ACCEPTED && k < input->key_count; k++) {
        reject = party_derive_text(d, p, &d->fields[input->keys[k].index], &text);
        if (reject == PARTY_ACCEPTED)
            reject = apply(d, input, k, &text, &parts[k]);
    }
    return reject;
}

tally_status party_derive_record(party_derive *d, const tally_input *input, const uint8_t *p,
                                 const party_csv_record *record, psi_item *item, enum party_reject *reject,
                                 tally_error *error)
{
    psi_part parts[PARTY_KEYS_MAX];
    *reject = forms(d, input, p, record, parts);
    return *reject == PARTY_ACCEPTED ? hash(d, input, parts, item, error) : TALLY_OK;
}

tally_status party_derive_block(party_derive *d, const tally_input *input, const uint8_t *p,
                                const party_csv_record *record, uint8_t block[64], int *one_block,
                                psi_item *item, enum party_reject *reject, tally_error *error)
{
    psi_part parts[PARTY_KEYS_MAX];
    *reject = forms(d, input, p, record, parts);
    *one_block = *reject == PARTY_ACCEPTED && psi_item_block(parts, input->key_count, block);
    return *reject == PARTY_ACCEPTED && !*one_block ? hash(d, input, parts, item, error) : TALLY_OK;
}

tally_status party_derive_texts(party_derive *d, const tally_input *input, const tally_text *texts,
                                psi_item *item, enum party_reject *reject, tally_error *error)
{
    psi_part parts[PARTY_KEYS_MAX];
    *reject = PARTY_ACCEPTED;
    for (size_t k = 0; *reject == PARTY_ACCEPTED && k < input->key_count; k++)
        *reject = apply(d, input, k, &texts[k], &parts[k]);
    return *reject == PARTY_ACCEPTED ? hash(d, input, parts, item, error) : TALLY_OK;
}

/* ---- Columns by name ---- */

/* What a list of the columns comes to: its text, and whether the record is a header at all. */
typedef struct column_list {
    char text[240];
    int like_data; /* holds a number, an empty name or many digits in a row: perhaps a person's data, not to
                      be shown */
    int not_utf8;
} column_list;

static int like_data(const tally_text *t)
{
    size_t run = 0, digits = 0;
    for (size_t i = 0; i < t->len; i++) {
        int digit = t->p[i] >= '0' && t->p[i] <= '9';
        run = digit ? run + 1 : 0;
        digits += (size_t)digit;
        if (run >= 6)
            return 1;
    }
    return digits == t->len;
}

static int valid_utf8(const tally_text *t)
{
    int32_t c;
    for (size_t i = 0; i < t->len;) {
        ptrdiff_t n = utf8proc_iterate((const uint8_t *)t->p + i, (ptrdiff_t)(t->len - i), &c);
        if (n <= 0)
            return 0;
        i += (size_t)n;
    }
    return 1;
}

static int ascii(const tally_text *t)
{
    for (size_t i = 0; i < t->len; i++)
        if ((unsigned char)t->p[i] >= 0x80)
            return 0;
    return 1;
}

static void list_columns(party_derive *d, const uint8_t *p, const party_csv_record *record, column_list *list)
{
    size_t used = 0, shown = 0;
    tally_text text;
    *list = (column_list){.like_data = 0};
    for (uint32_t f = 0; f < record->fields; f++) {
        if (party_derive_text(d, p, &d->fields[f], &text) != PARTY_ACCEPTED)
            continue;
        list->like_data |= like_data(&text);
        list->not_utf8 |= !valid_utf8(&text);
        char raw[64], name[40];
        size_t n = text.len < sizeof raw - 1 ? text.len : sizeof raw - 1;
        memcpy(raw, text.p, n);
        raw[n] = 0;
        party_printable(name, sizeof name, raw);
        n = strlen(name);
        if (used + n + 2 < sizeof list->text - 24 && shown == f) {
            used +=
                (size_t)snprintf(list->text + used, sizeof list->text - used, "%s%s", f ? ", " : "", name);
            shown++;
        }
    }
    if (shown < record->fields)
        snprintf(list->text + used, sizeof list->text - used, "%s%u more", shown ? " and " : "",
                 record->fields - (unsigned)shown);
}

static int is_number(const char *name)
{
    return *name && strspn(name, "0123456789") == strlen(name);
}

static tally_status no_such_column(party_derive *d, const tally_input *input, const uint8_t *p,
                                   const party_csv_record *record, const char *name, tally_error *error)
{
    char file[PARTY_PATH_SHOWN], shown[64];
    column_list list;
    party_input_name(input, file, sizeof file);
    party_printable(shown, sizeof shown, name);
    list_columns(d, p, record, &list);
    if (list.like_data)
        party_fail(error, TALLY_ERR_INPUT,
                   "%s has no column \"%s\"; its first record does not look like a header", file, shown);
    else
        party_fail(error, TALLY_ERR_INPUT, "%s has no column \"%s\"; its columns: %s", file, shown,
                   list.text);
    tally_text all = {(const char *)p, record->content};
    if (list.not_utf8)
        party_hint(error, "the header is not UTF-8: if the file is GB18030, say --encoding gb18030");
    else if (input->format.encoding == PARTY_GB18030 && !ascii(&all) && valid_utf8(&all))
        party_hint(error, "the header is UTF-8, not GB18030: leave out --encoding gb18030");
    else if (list.like_data || is_number(name))
        party_hint(error,
                   "for a file without header use --no-header and the column's number, such as --key 2");
    else if (record->fields == 1 && memchr(p, ';', record->content))
        party_hint(error, "there is one column only, and ; is in the header: say --delimiter ';'");
    else if (record->fields == 1 && memchr(p, '\t', record->content))
        party_hint(error, "there is one column only, and tabs are in the header: say --delimiter tab");
    else if (record->fields == 1 && memchr(p, '|', record->content))
        party_hint(error, "there is one column only, and | is in the header: say --delimiter '|'");
    else if (record->fields == 1)
        party_hint(error, "there is one column only: is another --delimiter needed?");
    else
        party_hint(error, "names are compared exactly: capitals and blanks count");
    return TALLY_ERR_INPUT;
}

static tally_status column_by_number(const tally_input *input, const char *name, uint32_t *column,
                                     tally_error *error)
{
    char file[PARTY_PATH_SHOWN], shown[64];
    party_input_name(input, file, sizeof file);
    party_printable(shown, sizeof shown, name);
    unsigned long n = is_number(name) && strlen(name) < 9 ? strtoul(name, NULL, 10) : 0;
    if (n >= 1 && n <= (input->columns ? input->columns : PARTY_FIELDS_MAX)) {
        *column = (uint32_t)(n - 1);
        return TALLY_OK;
    }
    if (!is_number(name)) {
        party_fail(error, TALLY_ERR_INPUT, "\"%s\" is no column number, and %s is read without a header",
                   shown, file);
        party_hint(error, "count columns from 1, or leave out --no-header if the first record names them");
    } else {
        party_fail(error, TALLY_ERR_INPUT, "there is no column %s in %s: it has %u", shown, file,
                   input->columns);
        party_hint(error, "columns count from 1; is another --delimiter needed?");
    }
    return TALLY_ERR_INPUT;
}

tally_status party_derive_column(party_derive *d, const tally_input *input, const uint8_t *p,
                                 const party_csv_record *record, const char *name, uint32_t *column,
                                 tally_error *error)
{
    if (!input->header)
        return column_by_number(input, name, column, error);
    uint32_t found = 0, at = 0;
    tally_text text;
    for (uint32_t f = 0; f < record->fields; f++)
        if (party_derive_text(d, p, &d->fields[f], &text) == PARTY_ACCEPTED && text.len == strlen(name) &&
            memcmp(text.p, name, text.len) == 0) {
            at = f;
            found++;
        }
    if (found == 1) {
        *column = at;
        return TALLY_OK;
    }
    if (found == 0)
        return no_such_column(d, input, p, record, name, error);
    char file[PARTY_PATH_SHOWN], shown[64];
    party_input_name(input, file, sizeof file);
    party_printable(shown, sizeof shown, name);
    party_fail(error, TALLY_ERR_INPUT, "%s has %u columns called \"%s\"", file, found, shown);
    party_hint(error, "rename all but one of them in the first record");
    return TALLY_ERR_INPUT;
}
