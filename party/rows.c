/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the input: records out of the file, one pass; then rejects are judged and duplicates folded. */
#include "party/rows.h"

#include "party/ahead.h"
#include "party/consent.h"
#include "party/derive.h"
#include "party/error.h"
#include "party/file.h"
#include "party/fold.h"
#include "party/input.h"
#include "party/io.h"
#include "party/numbers.h"
#include "party/pool.h"
#include "psi/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define THREADS_MAX 16u   /* that read: each holds a piece and its rows */
#define FOLD_PIECE 32768u /* rows from memory that are worth a thread */

static size_t chunk = 1u << 20;       /* bytes of one read, and of a piece that a thread reads ahead */
static uint32_t highest = UINT32_MAX; /* row and line numbers are 32 bits in party_row */

#ifdef TALLY_TEST
void party_input_limits(size_t chunk_bytes, uint32_t highest_number)
{
    chunk = chunk_bytes;
    highest = highest_number;
}
#endif

typedef struct watch {
    party_cancel *cancel;
    party_rows_progress progress;
    void *user;
} watch;

/* A window of the file; buf[begin..end) is not consumed yet and begins a record. */
typedef struct reader {
    tally_input *input;
    const watch *watch;
    uint8_t *buf;
    size_t room, begin, end;
    uint64_t size; /* of the file */
    uint64_t read; /* offset in the file of buf[end] */
    uint64_t line; /* physical line of buf[begin] */
    party_csv_field *fields;
    /* the current record */
    party_csv_record record;
    const uint8_t *p;
    uint64_t at, at_line;
} reader;

static tally_status look_up(const watch *w, const tally_input *input, uint64_t done, uint64_t total,
                            tally_error *error)
{
    if (w->progress)
        w->progress(w->user, done, total);
    if (!w->cancel || !party_cancelled(w->cancel))
        return TALLY_OK;
    char name[PARTY_PATH_SHOWN];
    party_input_name(input, name, sizeof name);
    return party_fail(error, TALLY_ERR_INTERRUPTED, "interrupted while reading %s", name);
}

/* ---- Opening ---- */

/* Waits for bytes of a pipe, or for the cancel flag. */
static void wait_readable(int fd, const party_cancel *cancel)
{
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = cancel ? cancel->fd : -1, .events = POLLIN}};
    while (poll(p, 2, -1) < 0 && errno == EINTR && !(cancel && party_cancelled(cancel)))
        ;
}

/* Copies what comes from fd into an unnamed file, which becomes the input's. */
static tally_status spool(tally_input *input, int fd, const watch *w, tally_error *error)
{
    uint64_t done = 0;
    ssize_t n = -1;
    uint8_t *buf = psi_calloc(chunk, 1);
    tally_status st = buf ? TALLY_OK : party_no_memory(error, "reading the input");
    if (!st) {
        input->spooled = 1;
        input->fd = party_io_spool();
        if (input->fd >= 0) /* what came cannot be had again: it is kept for a second reading */
            input->kept = fcntl(input->fd, F_DUPFD_CLOEXEC, 3);
        if (input->fd < 0 || input->kept < 0)
            st = party_io_failed(error, "open a temporary file for", input->path, errno);
    }
    while (!st && n) {
        wait_readable(fd, w->cancel);
        st = look_up(w, input, done, 0, error);
        n = st ? 0 : party_io_read(fd, buf, chunk);
        if (n < 0)
            st = party_io_failed(error, "read", input->path, errno);
        else if (n && party_io_write(input->fd, buf, (size_t)n))
            st = party_io_failed(error, "write a temporary file for", input->path, errno);
        done += n > 0 ? (uint64_t)n : 0;
    }
    psi_free(buf);
    return st;
}

static tally_status open_file(tally_input *input, const watch *w, tally_error *error)
{
    tally_status st = TALLY_OK;
    if (input->kept >= 0) {
        input->spooled = 1;
        input->fd = fcntl(input->kept, F_DUPFD_CLOEXEC, 3);
        if (input->fd < 0)
            st = party_io_failed(error, "open", input->path, errno);
    } else if (strcmp(input->path, "-") == 0) {
        st = spool(input, STDIN_FILENO, w, error);
    } else {
        int fd = party_io_open(input->path, O_RDONLY);
        if (fd < 0 || fstat(fd, &input->seen))
            st = party_io_failed(error, "open", input->path, errno);
        else if (S_ISFIFO(input->seen.st_mode))
            st = spool(input, fd, w, error);
        else if (!S_ISREG(input->seen.st_mode))
            st = party_io_failed(error, "read", input->path, S_ISDIR(input->seen.st_mode) ? EISDIR : EINVAL);
        if (!st && !input->spooled)
            input->fd = fd;
        else if (fd >= 0)
            close(fd);
    }
    if (!st && fstat(input->fd, &input->seen))
        st = party_io_failed(error, "open", input->path, errno);
    return st;
}

/* ---- Records ---- */

static tally_status changed(const tally_input *input, tally_error *error)
{
    char name[PARTY_PATH_SHOWN];
    party_input_name(input, name, sizeof name);
    party_fail(error, TALLY_ERR_INPUT_CHANGED, "%s became shorter while it was read", name);
    party_hint(error, "run again when nothing writes to the file");
    return TALLY_ERR_INPUT_CHANGED;
}

/* Reads on: moves what is not consumed to the front, and doubles the window when a record fills it. */
static tally_status fill(reader *r, tally_error *error)
{
    tally_status st = look_up(r->watch, r->input, r->read, r->size, error);
    if (st)
        return st;
    size_t rest = r->end - r->begin;
    if (!r->buf || rest == r->room) {
        size_t room = r->room ? 2 * r->room : chunk;
        uint8_t *buf = psi_calloc(room, 1);
        if (!buf)
            return party_no_memory(error, "reading the input");
        if (rest)
            memcpy(buf, r->buf + r->begin, rest);
        psi_free(r->buf);
        r->buf = buf;
        r->room = room;
    } else {
        memmove(r->buf, r->buf + r->begin, rest);
    }
    r->begin = 0;
    r->end = rest;
    while (r->end < r->room && r->read < r->size) {
        uint64_t left = r->size - r->read;
        size_t wanted = left < r->room - r->end ? (size_t)left : r->room - r->end;
        ssize_t n = party_io_pread(r->input->fd, r->buf + r->end, wanted, r->read);
        if (n < 0)
            return party_io_failed(error, "read", r->input->path, errno);
        if (n == 0)
            return changed(r->input, error);
        r->end += (size_t)n;
        r->read += (uint64_t)n;
    }
    return TALLY_OK;
}

static tally_status broken(const reader *r, enum party_csv_result result, tally_error *error)
{
    char name[PARTY_PATH_SHOWN];
    party_input_name(r->input, name, sizeof name);
    party_fail(error, TALLY_ERR_INPUT, "%s, line %" PRIu64 ": %s", name, r->line,
               party_word(party_csv_result_text(result)));
    if (result == PARTY_CSV_NUL)
        party_hint(error, "if this is UTF-16 or a spreadsheet file, save it as \"CSV UTF-8\"");
    else if (result == PARTY_CSV_TOO_MANY)
        party_hint(error, "is another --delimiter needed?");
    else
        party_hint(error, "the record starts at this line: a quote inside a quoted field is written twice, "
                          "and a field that "
                          "begins with one must end with one");
    return TALLY_ERR_INPUT;
}

/* Next record that is neither blank nor the end-of-file mark of old systems, 1A alone at the very end. *found
 * = 0: no more. */
static tally_status next_record(reader *r, int *found, tally_error *error)
{
    for (;;) {
        int last = r->read == r->size;
        enum party_csv_result result = party_csv_next(&r->input->format, r->buf + r->begin, r->end - r->begin,
                                                      last, &r->record, r->fields);
        if (result == PARTY_CSV_MORE) {
            tally_status st = fill(r, error);
            if (st)
                return st;
            continue;
        }
        *found = result == PARTY_CSV_RECORD;
        if (result == PARTY_CSV_END)
            return TALLY_OK;
        if (result != PARTY_CSV_RECORD)
            return broken(r, result, error);
        r->p = r->buf + r->begin;
        r->at = r->read - (r->end - r->begin);
        r->at_line = r->line;
        r->begin += r->record.length;
        r->line += r->record.lines;
        if (!r->input->line_end[0])
            memcpy(r->input->line_end, r->p + r->record.content, r->record.length - r->record.content);
        if (r->record.content == 1 && r->p[0] == 0x1a && r->at + r->record.length == r->size)
            *found = 0;
        if (!r->record.blank)
            return TALLY_OK;
    }
}

/* Text of two bytes a character without a byte order mark: every other byte is zero. */
static int like_utf16(const uint8_t *p, size_t len)
{
    size_t zero[2] = {0, 0}, n = len < 512 ? len / 2 * 2 : 512;
    for (size_t i = 0; i < n; i++)
        zero[i % 2] += p[i] == 0;
    return n >= 8 && ((zero[0] == 0 && zero[1] * 4 > n) || (zero[1] == 0 && zero[0] * 4 > n));
}

/* Files that are no text in bytes. */
static tally_status check_kind(const tally_input *input, const uint8_t *p, size_t len, tally_error *error)
{
    char name[PARTY_PATH_SHOWN];
    const struct {
        const char *bytes;
        size_t len;
    } marks[] = {{"\xff\xfe", 2},         {"\xfe\xff", 2}, {"PK\3\4", 4},
                 {"\xd0\xcf\x11\xe0", 4}, {"%PDF-", 5},    {"\x1f\x8b", 2}};
    size_t i = 0;
    while (i < sizeof marks / sizeof *marks &&
           (len < marks[i].len || memcmp(p, marks[i].bytes, marks[i].len) != 0))
        i++;
    if (i == sizeof marks / sizeof *marks && like_utf16(p, len))
        i = 0;
    party_input_name(input, name, sizeof name);
    switch (i) {
    case 0:
    case 1:
        party_fail(error, TALLY_ERR_INPUT, "%s looks like UTF-16 text, not like CSV", name);
        party_hint(error, "save it as \"CSV UTF-8\", or convert it with iconv -f UTF-16 -t UTF-8");
        break;
    case 2:
        party_fail(error, TALLY_ERR_INPUT, "%s looks like an .xlsx workbook or a zip archive, not like CSV",
                   name);
        party_hint(error, "export the sheet as CSV (\"CSV UTF-8\")");
        break;
    case 3:
        party_fail(error, TALLY_ERR_INPUT, "%s looks like an .xls workbook, not like CSV", name);
        party_hint(error, "export the sheet as CSV (\"CSV UTF-8\")");
        break;
    case 4:
        party_fail(error, TALLY_ERR_INPUT, "%s looks like a PDF document, not like CSV", name);
        party_hint(error, "export the list as CSV from where it is kept");
        break;
    case 5:
        party_fail(error, TALLY_ERR_INPUT, "%s looks like a file compressed by gzip, not like CSV", name);
        party_hint(error, "uncompress it: gunzip, or zcat FILE | tally ... --input -");
        break;
    default:
        return TALLY_OK;
    }
    return TALLY_ERR_INPUT;
}

/* "sep=;" as the first line tells a spreadsheet the delimiter: no record, and the delimiter unless another
 * was set. */
static tally_status separator_line(reader *r, tally_error *error)
{
    tally_input *input = r->input;
    const uint8_t *p = r->buf + r->begin;
    size_t len = r->end - r->begin, n = 5;
    if (len < 6 || strncasecmp((const char *)p, "sep=", 4) != 0 || (p[5] != '\n' && p[5] != '\r'))
        return TALLY_OK;
    n += p[5] == '\r' && len > 6 && p[6] == '\n' ? 2 : 1;
    if (input->delimiter_given && input->format.delimiter != (char)p[4]) {
        char name[PARTY_PATH_SHOWN];
        party_input_name(input, name, sizeof name);
        party_fail(error, TALLY_ERR_INPUT,
                   "the first line of %s is sep= with another delimiter than the one that was given", name);
        party_hint(error, "leave out --delimiter: it is then taken from that line");
        return TALLY_ERR_INPUT;
    }
    if (!party_csv_delimiter((char)p[4]))
        return TALLY_OK;
    input->format.delimiter = (char)p[4];
    input->separator_line = 1;
    r->begin += n;
    r->line++;
    return TALLY_OK;
}

/* What the first bytes say. */
static tally_status begin(reader *r, tally_error *error)
{
    tally_status st = fill(r, error);
    if (!st)
        st = check_kind(r->input, r->buf, r->end, error);
    if (st)
        return st;
    int gb = r->input->format.encoding == PARTY_GB18030;
    const char *bom = gb ? "\x84\x31\x95\x33" : "\xef\xbb\xbf";
    if (r->end >= strlen(bom) && memcmp(r->buf, bom, strlen(bom)) == 0)
        r->begin = r->input->bom = (uint32_t)strlen(bom);
    return separator_line(r, error);
}

static tally_status too_many(const tally_input *input, tally_error *error)
{
    char name[PARTY_PATH_SHOWN];
    party_input_name(input, name, sizeof name);
    party_fail(error, TALLY_ERR_INPUT, "%s has more than %" PRIu32 " lines", name, highest);
    party_hint(error, "split the list into several files and run them one by one");
    return TALLY_ERR_INPUT;
}

/* The first record: number of columns, header if there is one, and where keys, values and bands are. */
static tally_status first_record(reader *r, party_derive *d, int found, tally_error *error)
{
    tally_input *input = r->input;
    if (!found && input->header) {
        char name[PARTY_PATH_SHOWN];
        party_input_name(input, name, sizeof name);
        party_fail(error, TALLY_ERR_INPUT, "%s is empty: there is no header", name);
        party_hint(error, "an empty list has a header and no rows; for files without header use --no-header");
        return TALLY_ERR_INPUT;
    }
    input->columns = found ? r->record.fields : 0;
    if (input->header) {
        input->header_at = r->at;
        input->header_bytes = (uint32_t)r->record.length;
    }
    tally_status st = TALLY_OK;
    for (size_t k = 0; !st && k < input->key_count; k++)
        st = party_derive_column(d, input, r->p, &r->record, input->keys[k].column, &input->keys[k].index,
                                 error);
    for (size_t v = 0; !st && v < input->value_count; v++)
        st = party_derive_column(d, input, r->p, &r->record, input->values[v].column, &input->values[v].index,
                                 error);
    for (size_t b = 0; !st && b < input->band_count; b++)
        st = party_derive_column(d, input, r->p, &r->record, input->bands[b].column, &input->bands[b].index,
                                 error);
    if (!st && input->consent.column)
        st = party_derive_column(d, input, r->p, &r->record, input->consent.column, &input->consent.index,
                                 error);
    return st;
}

static tally_status one_row(reader *r, party_derive *d, tally_error *error)
{
    psi_item item;
    party_numbers numbers;
    enum party_reject reject;
    if (r->input->stats.rows >= highest || r->at_line > highest)
        return too_many(r->input, error);
    party_row row = {.offset = r->at,
                     .length = (uint32_t)r->record.length,
                     .row = (uint32_t)(r->input->stats.rows + 1),
                     .line = (uint32_t)r->at_line};
    tally_status st = party_derive_record(d, r->input, r->p, &r->record, &item, &reject, error);
    if (!st && reject == PARTY_ACCEPTED)
        reject = party_consent_of_record(d, r->input, r->p);
    if (!st && reject == PARTY_ACCEPTED && party_numbers_per_row(r->input))
        reject = party_numbers_of_record(r->input, r->p, r->fields, &numbers);
    return st ? st : party_input_take(r->input, &row, &item, &numbers, reject, error);
}

/* ---- Reading by several threads ---- */

/*
 * The threads read pieces of the file ahead and hand in what they found in the order of the file. A piece
 * that begins where the one before ended is taken as it is; what was not found, or was guessed wrongly, is
 * read record by record as if there were one thread. So rows, numbers and errors are those of one thread.
 */
typedef struct crew {
    reader *reader; /* of whoever's turn it is, as are all up to the lock */
    party_derive *derive;
    party_ahead *aheads; /* one for each thread */
    watch quiet;         /* for threads that are not the caller's: progress is told by that one */
    uint64_t base;       /* the pieces begin here */
    int done;            /* the end of the data was seen */
    tally_status status;
    tally_error *error;

    pthread_mutex_t lock;
    pthread_cond_t next;
    size_t turn; /* piece to be handed in */
} crew;

static uint64_t position(const reader *r)
{
    return r->read - (r->end - r->begin);
}

static void seek(reader *r, uint64_t to)
{
    if (to <= r->read && r->read - to <= r->end) {
        r->begin = r->end - (size_t)(r->read - to);
    } else {
        r->begin = r->end = 0;
        r->read = to;
    }
}

/* Rows of the whole file if it goes on like this, and a little more: how much memory is asked for at once, no
 * limit. */
static size_t expected_rows(const reader *r, const party_ahead *a)
{
    double rows = (double)(r->input->row_count + a->taken.count);
    return (size_t)(rows * 1.02 * (double)r->size / (double)a->end);
}

/* Hands in a piece that ends at `to`. */
static void hand_in(crew *c, const party_ahead *a, uint64_t to)
{
    reader *r = c->reader;
    tally_input *input = r->input;
    tally_status st = look_up(r->watch, input, position(r), r->size, c->error);
    if (!st && a->status == TALLY_ERR_FILE)
        st = party_io_failed(c->error, "read", input->path, a->fault);
    else if (!st && a->status)
        st = party_no_memory(c->error, "the rows of the input");
    while (!st && !c->done && position(r) < to) {
        int found = 0;
        if (position(r) == a->begin && a->end > a->begin &&
            highest - input->stats.rows >= a->taken.data_rows && r->line + a->lines <= highest) {
            st = party_input_take_all(input, &a->taken, r->line, expected_rows(r, a), c->error);
            r->line += a->lines;
            seek(r, a->end);
            continue;
        }
        st = next_record(r, &found, c->error);
        if (!st && found)
            st = one_row(r, c->derive, c->error);
        c->done = !found;
    }
    c->status = st;
}

static tally_status one_piece(void *user, unsigned worker, size_t begin, size_t end)
{
    crew *c = user;
    party_ahead *a = &c->aheads[worker];
    size_t piece = begin / chunk;
    party_ahead_read(a, c->base + begin, c->base + end, c->reader->size, begin == 0);
    pthread_mutex_lock(&c->lock);
    while (c->turn != piece)
        pthread_cond_wait(&c->next, &c->lock);
    pthread_mutex_unlock(&c->lock);
    const watch *own = c->reader->watch;
    if (worker)
        c->reader->watch = &c->quiet;
    if (!c->status && !c->done)
        hand_in(c, a, c->base + end);
    c->reader->watch = own;
    tally_status st = c->status;
    pthread_mutex_lock(&c->lock);
    c->turn++;
    pthread_cond_broadcast(&c->next);
    pthread_mutex_unlock(&c->lock);
    return st;
}

/* All rows behind what the reader has consumed. */
static tally_status read_rows(reader *r, party_derive *d, party_pool *pool, tally_error *error)
{
    crew c = {.reader = r, .derive = d, .quiet = *r->watch, .base = position(r), .error = error};
    unsigned threads = party_pool_size(pool), made = 0;
    tally_status st = TALLY_OK;
    c.quiet.progress = NULL;
    c.aheads = psi_calloc(threads, sizeof *c.aheads);
    if (!c.aheads)
        return party_no_memory(error, "reading the input");
    while (!st && made < threads)
        st = party_ahead_init(&c.aheads[made++], r->input, chunk, error);
    if (!st) {
        pthread_mutex_init(&c.lock, NULL);
        pthread_cond_init(&c.next, NULL);
        st = party_pool_run(pool, (size_t)(r->size - c.base), chunk, one_piece, &c);
        pthread_cond_destroy(&c.next);
        pthread_mutex_destroy(&c.lock);
    }
    for (unsigned i = 0; i < made; i++)
        party_ahead_free(&c.aheads[i]);
    psi_free(c.aheads);
    return st;
}

/* A thread for each piece of work, up to what is allowed and of use: from a few on, memory is the limit. */
static tally_status make_pool(const tally_input *input, uint64_t pieces, party_pool **pool,
                              tally_error *error)
{
    unsigned threads = party_pool_threads(input->threads);
    threads = threads < THREADS_MAX ? threads : THREADS_MAX;
    threads = threads < pieces ? threads : pieces ? (unsigned)pieces : 1;
    return party_pool_new_on(pool, threads, input->executor, error);
}

static tally_status read_file(tally_input *input, const watch *w, party_pool **pool, tally_error *error)
{
    reader r = {.input = input, .watch = w, .line = 1};
    party_derive *d = NULL;
    int found = 0;
    tally_status st = open_file(input, w, error);
    if (!st)
        st = party_derive_new(&d, input->format.encoding, error);
    if (!st) {
        r.size = (uint64_t)input->seen.st_size;
        r.fields = party_derive_fields(d);
        st = begin(&r, error);
    }
    if (!st)
        st = next_record(&r, &found, error);
    if (!st)
        st = first_record(&r, d, found, error);
    if (!st && found && !input->header)
        st = one_row(&r, d, error);
    if (!st && found)
        st = make_pool(input, r.size / chunk, pool, error);
    if (!st && found)
        st = read_rows(&r, d, *pool, error);
    if (!st)
        st = look_up(w, input, r.size, r.size, error);
    if (!st)
        st = party_input_unchanged(input, error);
    party_derive_free(d);
    psi_free(r.buf);
    return st;
}

tally_status party_rows_each(tally_input *input, party_cancel *cancel, party_rows_record each, void *user,
                             tally_error *error)
{
    const watch w = {cancel, NULL, NULL};
    reader r = {.input = input, .watch = &w, .line = 1};
    party_derive *d = NULL;
    int found = 1, on = 1, opened = input->fd < 0;
    tally_status st = opened ? open_file(input, &w, error) : TALLY_OK;
    if (!st)
        st = party_derive_new(&d, input->format.encoding, error);
    if (!st) {
        r.size = (uint64_t)input->seen.st_size;
        r.fields = party_derive_fields(d);
        st = begin(&r, error);
    }
    while (!st && on && found) {
        st = next_record(&r, &found, error);
        if (!st && found)
            on = each(user, d, r.p, &r.record, (uint32_t)(r.at_line < highest ? r.at_line : highest));
    }
    party_derive_free(d);
    psi_free(r.buf);
    if (opened)
        party_input_reset(input);
    return st;
}

/* ---- Rejects ---- */

static tally_status write_rejects(const tally_input *input, tally_error *error)
{
    static const char head[] = "line,reason\n";
    party_file *f = NULL;
    if (party_input_is(input, input->rejects_path))
        return party_fail(error, TALLY_ERR_FILE, "the file of rejects is the input itself");
    tally_status st = party_file_open(&f, input->rejects_path, 1, error);
    if (!st)
        st = party_file_add(f, head, sizeof head - 1, error);
    for (size_t i = 0; !st && i < input->reject_count; i++) {
        char line[64];
        int n = snprintf(line, sizeof line, "%" PRIu32 ",%s\n", input->rejects[i].line,
                         party_reject_name(input->rejects[i].reason));
        st = party_file_add(f, line, (size_t)n, error);
    }
    if (!st)
        st = party_file_commit(f, error);
    party_file_free(f);
    return st;
}

/* Adds what is known of a reason of rejects as the hint. */
static void advise_on(size_t reason, tally_error *error)
{
    tally_error e;
    int trap = party_trap_of_reject((int)reason);
    if (trap >= 0) {
        party_trap_say((enum party_trap)trap, 0, &e);
        party_hint(error, "%s; %s", party_message_of(&e), party_hint_of(&e));
    }
}

static tally_status judge_rejects(const tally_input *input, tally_error *error)
{
    const tally_input_stats *s = &input->stats;
    char name[PARTY_PATH_SHOWN], list[1600] = "", one[320];
    size_t used = 0, most = 0;
    /* Below 2^32, so that times 10^6 fits; a share of 100 % or more allows everything. */
    uint64_t faulty = s->rejected - s->without_consent;
    int too_many_rows = faulty > input->max_rejects;
    int too_large_share =
        input->max_rejects_ppm < 1000000 && faulty * 1000000 > input->max_rejects_ppm * s->rows;
    int all = s->rows && !s->accepted;
    if (!too_many_rows && !too_large_share && !all)
        return TALLY_OK;
    for (size_t i = 0; i < PARTY_REJECT_COUNT; i++) {
        most = s->by_reason[i] > s->by_reason[most] ? i : most;
        if (!s->by_reason[i] || party_consent_reason((int)i))
            continue;
        party_both(one, sizeof one, "%" PRIu64 " %s (first on line %" PRIu64 ")", s->by_reason[i],
                   party_word(party_reject_name((int)i)), s->first_line[i]);
        if (used + strlen(one) + sizeof PARTY_WORD(", ") < sizeof list)
            used +=
                (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? PARTY_WORD(", ") : "", one);
    }
    party_input_name(input, name, sizeof name);
    if (all) {
        party_fail(error, TALLY_ERR_INPUT,
                   "every row of %s is rejected (%" PRIu64 "), most for: %s, first on line %" PRIu64, name,
                   s->rows, party_word(party_reject_name((int)most)), s->first_line[most]);
        if (most == PARTY_REJECT_MASKED || most == PARTY_REJECT_SCIENTIFIC ||
            most == PARTY_REJECT_DIGITS_LOST || most == PARTY_REJECT_COUNTRY_CODE)
            advise_on(most, error);
        else if (party_consent_reason((int)most))
            party_hint(error,
                       "nobody on the list has consent: check the consent column that the agreement names");
        else if (most >= PARTY_REJECT_NO_VALUE)
            party_hint(error, "check that --value and --band name the right columns, with the range and the "
                              "decimals of what is in them");
        else
            party_hint(error, "check that --key names the right column and profile, and --encoding and "
                              "--delimiter the file's");
        return TALLY_ERR_INPUT;
    }
    party_fail(error, TALLY_ERR_INPUT,
               "%s: %" PRIu64 " of %" PRIu64 " rows are rejected, more than allowed: %s", name, faulty,
               s->rows, list);
    party_hint(error, "correct the list (--rejects FILE writes the lines), or allow more with --max-rejects");
    return TALLY_ERR_INPUT;
}

tally_status party_input_load(tally_input *input, party_cancel *cancel, party_rows_progress progress,
                              void *user, tally_error *error)
{
    const watch w = {cancel, progress, user};
    party_pool *pool = NULL;
    tally_status st = TALLY_OK;
    if (input->loaded)
        return TALLY_OK;
    if (!input->key_count)
        return party_fail(error, TALLY_ERR_USAGE, "the input has no key: which column identifies a row?");
    if (!input->path && !input->stats.rows)
        return party_fail(error, TALLY_ERR_USAGE, "the input has neither a file nor rows");
    if (!input->path && input->consent.column) {
        party_fail(error, TALLY_ERR_USAGE,
                   "consent is looked for in a column, and rows from memory have none");
        party_hint(error, "give the list as a file with the consent column");
        return TALLY_ERR_USAGE;
    }
    if (input->duplicates < TALLY_DUPLICATES_SUM || input->duplicates > TALLY_DUPLICATES_REFUSE)
        return party_fail(error, TALLY_ERR_USAGE, "no such rule for duplicates: %d", (int)input->duplicates);
    if (input->path) {
        party_input_reset(input);
        st = read_file(input, &w, &pool, error);
    }
    int complete = !st;
    if (!st && input->rejects_path)
        st = write_rejects(input, error);
    if (!st)
        st = judge_rejects(input, error);
    if (!st && !pool)
        st = make_pool(input, input->row_count / FOLD_PIECE, &pool, error);
    if (!st && !input->folded) {
        st = party_rows_fold(input, pool, error);
        input->folded = !st;
    }
    if (!st)
        st = party_numbers_fold(input, pool, error);
    party_pool_free(pool);
    input->counted = complete;
    input->loaded = !st;
    if (st && input->path) {
        tally_input_stats stats = input->stats;
        party_lines lines[PARTY_REJECT_COUNT];
        memcpy(lines, input->reject_lines, sizeof lines);
        party_input_reset(input);
        input->counted = complete;
        if (complete) {
            input->stats = stats;
            memcpy(input->reject_lines, lines, sizeof lines);
        }
    }
    return st;
}
