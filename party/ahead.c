/* SPDX-License-Identifier: Apache-2.0 */
#include "party/ahead.h"

#include "party/consent.h"
#include "party/error.h"
#include "party/io.h"
#include "psi/mem.h"
#include <errno.h>
#include <string.h>

/* A record may reach so far into the next piece; a longer one is left to party/rows. */
static size_t overhang(size_t piece)
{
    return piece / 16;
}

tally_status party_ahead_init(party_ahead *a, const tally_input *input, size_t piece, tally_error *error)
{
    *a = (party_ahead){.input = input, .room = 1 + piece + overhang(piece)};
    a->taken.columns = party_numbers_per_row(input);
    a->buf = psi_calloc(a->room, 1);
    return a->buf ? party_derive_new(&a->derive, input->format.encoding, error)
                  : party_no_memory(error, "reading the input");
}

void party_ahead_free(party_ahead *a)
{
    party_derive_free(a->derive);
    party_taken_free(&a->taken);
    psi_free(a->buf);
}

static void hash_pending(party_ahead *a)
{
    psi_items_from_blocks((const uint8_t(*)[64])a->blocks, a->pending,
                          a->taken.items + a->taken.count - a->pending);
    a->pending = 0;
}

/* Takes one record; 0: it cannot be taken. */
static int take(party_ahead *a, const uint8_t *p, const party_csv_record *record, party_row row)
{
    party_taken *t = &a->taken;
    enum party_reject reject;
    psi_item item;
    party_numbers numbers;
    int one_block;
    if (party_derive_block(a->derive, a->input, p, record, a->blocks[a->pending], &one_block, &item, &reject,
                           NULL))
        return 0;
    if (reject == PARTY_ACCEPTED)
        reject = party_consent_of_record(a->derive, a->input, p);
    if (reject == PARTY_ACCEPTED && t->columns)
        reject = party_numbers_of_record(a->input, p, party_derive_fields(a->derive), &numbers);
    int accepted = reject == PARTY_ACCEPTED;
    if (!party_taken_room(t, accepted ? 1 : 0, accepted ? 0 : 1)) {
        a->status = TALLY_ERR_NO_MEMORY;
        return 0;
    }
    t->data_rows++;
    if (!accepted) {
        t->rejects[t->reject_count++] = (party_reject_row){row.line, (uint8_t)reject};
        return 1;
    }
    if (!one_block) { /* the blocks are those of the last rows: first they */
        hash_pending(a);
        t->items[t->count] = item;
    }
    if (t->columns) {
        memcpy(t->numbers + t->count * t->columns, numbers.at, t->columns * sizeof *t->numbers);
        t->clipped += numbers.clipped;
    }
    t->rows[t->count++] = row;
    a->pending += (size_t)one_block;
    if (a->pending == PARTY_AHEAD_BATCH)
        hash_pending(a);
    return 1;
}

/* Fills the buffer from offset `from`; bytes that are there, fewer than wanted if the file became shorter. */
static size_t fetch(party_ahead *a, uint64_t from, size_t wanted)
{
    size_t got = 0;
    while (got < wanted) {
        ssize_t n = party_io_pread(a->input->fd, a->buf + got, wanted - got, from + got);
        if (n < 0) {
            a->status = TALLY_ERR_FILE;
            a->fault = errno;
        }
        if (n <= 0)
            return got;
        got += (size_t)n;
    }
    return got;
}

void party_ahead_read(party_ahead *a, uint64_t from, uint64_t to, uint64_t size, int exact)
{
    size_t piece = (size_t)(to - from), at = 0;
    a->begin = a->end = from;
    a->lines = 0;
    a->pending = 0;
    a->status = TALLY_OK;
    a->taken.count = a->taken.reject_count = a->taken.data_rows = 0;
    a->taken.clipped = 0;
    if (!exact) { /* a line end just before the piece counts as well */
        from--;
        piece++;
    }
    size_t wanted = a->room < size - from ? a->room : (size_t)(size - from);
    size_t got = fetch(a, from, wanted);
    if (!exact) {
        const uint8_t *p = memchr(a->buf, '\n', got < piece ? got : piece);
        if (!p || a->status)
            return;
        at = (size_t)(p - a->buf) + 1;
    }
    a->begin = a->end = from + at;
    while (!a->status && at < piece && at < got) {
        const uint8_t *p = a->buf + at;
        party_csv_record record;
        if (party_csv_next(&a->input->format, p, got - at, from + got == size, &record,
                           party_derive_fields(a->derive)) != PARTY_CSV_RECORD)
            break;
        party_row row = {.offset = from + at,
                         .length = (uint32_t)record.length,
                         .row = a->taken.data_rows,
                         .line = a->lines};
        at += record.length;
        /* the mark of the end is for party/rows to see */
        if (record.content == 1 && p[0] == 0x1a && from + at == size)
            break;
        if (!record.blank && !take(a, p, &record, row))
            break;
        a->lines += record.lines;
        a->end = from + at;
    }
    hash_pending(a);
}
