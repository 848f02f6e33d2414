/* SPDX-License-Identifier: Apache-2.0 */
/* tally_input_*: settings, and rows from memory. Reading a file is party/rows. */
#include "party/input.h"

#include "party/consent.h"
#include "party/derive.h"
#include "party/error.h"
#include "party/io.h"
#include "psi/mem.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

tally_status tally_input_new(tally_input **out, tally_error *error)
{
    tally_input *input = psi_calloc(1, sizeof *input);
    if (!input)
        return party_no_memory(error, "an input");
    input->fd = input->kept = -1;
    input->header = 1;
    input->format = (party_csv_format){',', PARTY_UTF8};
    input->max_rejects = input->max_rejects_ppm = UINT64_MAX;
    input->duplicates = TALLY_DUPLICATES_SUM;
    *out = input;
    return TALLY_OK;
}

void party_input_reset(tally_input *input)
{
    if (input->fd >= 0)
        close(input->fd);
    input->fd = -1;
    input->spooled = 0;
    input->bom = input->header_bytes = input->columns = 0;
    input->header_at = 0;
    input->line_end[0] = 0;
    if (input->separator_line && !input->delimiter_given)
        input->format.delimiter = ',';
    input->separator_line = 0;
    psi_free(input->rows);
    psi_free(input->items);
    psi_secret_free(input->numbers);
    psi_secret_free(input->item_numbers);
    psi_free(input->rejects);
    input->rows = NULL;
    input->items = NULL;
    input->numbers = input->item_numbers = NULL;
    input->rejects = NULL;
    input->row_count = input->row_room = input->item_count = input->item_room = 0;
    input->number_room = input->reject_count = input->reject_room = 0;
    input->stats = (tally_input_stats){.rows = 0};
    memset(input->reject_lines, 0, sizeof input->reject_lines);
    input->counted = input->folded = input->loaded = 0;
}

static void drop_kept(tally_input *input)
{
    if (input->kept >= 0)
        close(input->kept);
    input->kept = -1;
}

void tally_input_free(tally_input *input)
{
    if (!input)
        return;
    party_input_reset(input);
    drop_kept(input);
    party_derive_free(input->derive);
    psi_free(input->rejects_path);
    psi_free(input->path);
    for (size_t k = 0; k < input->key_count; k++)
        psi_free(input->keys[k].column);
    for (size_t v = 0; v < input->value_count; v++)
        psi_free(input->values[v].column);
    for (size_t b = 0; b < input->band_count; b++)
        psi_free(input->bands[b].column);
    psi_free(input->consent.column);
    psi_free(input);
}

static char *copy(const char *text)
{
    size_t len = strlen(text);
    char *p = psi_calloc(len + 1, 1);
    if (p)
        memcpy(p, text, len);
    return p;
}

/* Replaces *slot by a copy of text. */
static tally_status set_text(char **slot, const char *text, tally_error *error)
{
    char *p = copy(text);
    if (!p)
        return party_no_memory(error, "a setting of the input");
    psi_free(*slot);
    *slot = p;
    return TALLY_OK;
}

static tally_status too_late(const tally_input *input, const char *what, tally_error *error)
{
    if (input->loaded || input->folded)
        return party_fail(error, TALLY_ERR_USAGE, "%s cannot change after the input was loaded",
                          party_word(what));
    if (!input->path && input->stats.rows)
        return party_fail(error, TALLY_ERR_USAGE, "%s cannot change after rows were added", party_word(what));
    return TALLY_OK;
}

tally_status tally_input_add_key(tally_input *input, const char *column, const char *profile,
                                 tally_error *error)
{
    tally_status st = too_late(input, "keys", error);
    if (st)
        return st;
    if (!column || !*column)
        return party_fail(error, TALLY_ERR_USAGE, "a key needs the name of a column");
    if (input->key_count == PARTY_KEYS_MAX)
        return party_fail(error, TALLY_ERR_USAGE, "more than %u keys", PARTY_KEYS_MAX);
    party_key key = {.index = 0};
    key.profile = party_profile_find(profile ? profile : "exact", key.parameter);
    if (!key.profile) {
        char shown[64];
        party_printable(shown, sizeof shown, profile);
        party_fail(error, TALLY_ERR_USAGE, "unknown profile \"%s\"", shown);
        party_hint(
            error,
            "profiles: exact, cn-resident-id, cn-uscc, phone-e164, phone-e164+CC with a country code such as "
            "+86");
        return TALLY_ERR_USAGE;
    }
    st = set_text(&key.column, column, error);
    if (!st)
        input->keys[input->key_count++] = key;
    return st;
}

/* ---- Value and band columns ---- */

/* Name, and how many decimals, of a column of numbers. */
static tally_status check_numbers(const tally_input *input, const char *column, unsigned scale,
                                  const char *kind, tally_error *error)
{
    tally_status st = too_late(input, "columns", error);
    if (!st && (!column || !*column))
        st = party_fail(error, TALLY_ERR_USAGE, "a %s needs the name of a column", kind);
    if (!st && scale > PARTY_SCALE_MAX)
        st = party_fail(error, TALLY_ERR_USAGE, "a %s has at most %u decimals", kind, PARTY_SCALE_MAX);
    return st;
}

static tally_status given_twice(const char *column, const char *kind, tally_error *error)
{
    char shown[64];
    party_printable(shown, sizeof shown, column);
    party_fail(error, TALLY_ERR_USAGE, "column \"%s\" is a %s twice", shown, kind);
    party_hint(error, "name each column once; one column may be both a value and a band");
    return TALLY_ERR_USAGE;
}

static tally_status beyond_bound(const char *what, tally_error *error)
{
    party_fail(error, TALLY_ERR_USAGE, "%s is not between -2^48 and 2^48, decimals included",
               party_word(what));
    party_hint(error, "declare fewer decimals or a smaller range: 2^48 is 281474976710656");
    return TALLY_ERR_USAGE;
}

static int within_bound(int64_t n)
{
    return n > -PARTY_VALUE_BOUND && n < PARTY_VALUE_BOUND;
}

tally_status tally_input_add_value(tally_input *input, const char *column, int64_t min, int64_t max,
                                   unsigned scale, tally_error *error)
{
    tally_status st = check_numbers(input, column, scale, "value", error);
    if (st)
        return st;
    if (input->value_count == PARTY_VALUES_MAX)
        return party_fail(error, TALLY_ERR_USAGE, "more than %u value columns", PARTY_VALUES_MAX);
    for (size_t v = 0; v < input->value_count; v++)
        if (strcmp(input->values[v].column, column) == 0)
            return given_twice(column, "value", error);
    if (!within_bound(min) || !within_bound(max))
        return beyond_bound("an end of the range of a value", error);
    if (min > max) {
        party_fail(error, TALLY_ERR_USAGE, "the range of a value ends before it begins");
        party_hint(error, "the lower end comes first, such as balance:-100..5000");
        return TALLY_ERR_USAGE;
    }
    party_value value = {.min = min, .max = max, .scale = scale};
    st = set_text(&value.column, column, error);
    if (st)
        return st;
    input->values[input->value_count++] = value;
    party_numbers_bind(input);
    return TALLY_OK;
}

tally_status tally_input_add_band(tally_input *input, const char *column, const int64_t *edges, size_t count,
                                  unsigned scale, tally_error *error)
{
    tally_status st = check_numbers(input, column, scale, "band", error);
    if (st)
        return st;
    if (input->band_count == PARTY_BANDS_MAX)
        return party_fail(error, TALLY_ERR_USAGE, "more than %u band columns", PARTY_BANDS_MAX);
    for (size_t b = 0; b < input->band_count; b++)
        if (strcmp(input->bands[b].column, column) == 0)
            return given_twice(column, "band", error);
    if (count < 2 || count > PARTY_EDGES_MAX) {
        party_fail(error, TALLY_ERR_USAGE, "bands have 2 to %u edges, not %zu", PARTY_EDGES_MAX, count);
        party_hint(error, "two edges make one band, such as score:350,950, and what lies outside");
        return TALLY_ERR_USAGE;
    }
    party_band band = {.count = count, .scale = scale};
    for (size_t e = 0; e < count; e++) {
        band.edges[e] = edges[e];
        if (!within_bound(edges[e]))
            return beyond_bound("an edge of a band", error);
        if (e && edges[e] <= edges[e - 1]) {
            party_fail(error, TALLY_ERR_USAGE, "edge %zu of a band is not above the one before it", e + 1);
            party_hint(error, "edges ascend, such as score:350,550,650,750,950");
            return TALLY_ERR_USAGE;
        }
    }
    st = set_text(&band.column, column, error);
    if (st)
        return st;
    input->bands[input->band_count++] = band;
    party_numbers_bind(input);
    return TALLY_OK;
}

void tally_input_set_duplicates(tally_input *input, enum tally_duplicates rule)
{
    if (input->loaded)
        return;
    input->duplicates = rule;
    input->duplicates_given = 1;
}

void tally_input_set_clip(tally_input *input, int clip)
{
    if (!too_late(input, "", NULL))
        input->clip = clip != 0;
}

tally_status party_input_set_consent(tally_input *input, const char *column, int reference, uint32_t today,
                                     tally_error *error)
{
    tally_status st = too_late(input, "the rule of consent", error);
    if (!st && (!column || !*column))
        st = party_fail(error, TALLY_ERR_USAGE, "consent needs the name of a column");
    if (!st && !today)
        st = party_fail(error, TALLY_ERR_USAGE, "consent is looked for without knowing what day it is");
    if (!st)
        st = set_text(&input->consent.column, column, error);
    if (!st) {
        input->consent.reference = reference != 0;
        input->consent.today = today;
    }
    return st;
}

tally_status tally_input_set_file(tally_input *input, const char *path, tally_error *error)
{
    tally_status st = too_late(input, "the file", error);
    if (!st && (!path || !*path))
        st = party_fail(error, TALLY_ERR_USAGE, "the path of the input is empty");
    if (st)
        return st;
    drop_kept(input);
    return set_text(&input->path, path, error);
}

tally_status tally_input_set_encoding(tally_input *input, const char *encoding, tally_error *error)
{
    tally_status st = too_late(input, "the encoding", error);
    if (st)
        return st;
    if (encoding && strcasecmp(encoding, "utf-8") == 0)
        input->format.encoding = PARTY_UTF8;
    else if (encoding && strcasecmp(encoding, "gb18030") == 0)
        input->format.encoding = PARTY_GB18030;
    else {
        char shown[64];
        party_printable(shown, sizeof shown, encoding ? encoding : "");
        st = party_fail(error, TALLY_ERR_USAGE, "unknown encoding \"%s\"", shown);
        party_hint(error, "encodings: utf-8, gb18030 (which includes GBK and GB 2312)");
    }
    return st;
}

tally_status tally_input_set_delimiter(tally_input *input, char delimiter, tally_error *error)
{
    tally_status st = too_late(input, "the delimiter", error);
    if (st)
        return st;
    if (!party_csv_delimiter(delimiter)) {
        st = party_fail(error, TALLY_ERR_USAGE, "the delimiter must be one ASCII character");
        party_hint(error, "not a quote, a letter, a digit or a line end; often , or ; or | or a tab");
        return st;
    }
    input->format.delimiter = delimiter;
    input->delimiter_given = 1;
    return TALLY_OK;
}

void tally_input_set_header(tally_input *input, int has_header)
{
    if (!input->loaded)
        input->header = has_header != 0;
}

tally_status tally_input_set_rejects_file(tally_input *input, const char *path, tally_error *error)
{
    if (input->loaded)
        return too_late(input, "the file of rejects", error);
    if (!path || !*path)
        return party_fail(error, TALLY_ERR_USAGE, "the path of the file of rejects is empty");
    return set_text(&input->rejects_path, path, error);
}

void tally_input_set_max_rejects(tally_input *input, uint64_t rows, uint64_t ppm)
{
    input->max_rejects = rows;
    input->max_rejects_ppm = ppm;
}

tally_status tally_input_add_row(tally_input *input, const tally_text *keys, size_t count, tally_error *error)
{
    return tally_input_add_row_numbers(input, keys, count, NULL, 0, error);
}

tally_status tally_input_add_row_numbers(tally_input *input, const tally_text *keys, size_t count,
                                         const int64_t *numbers, size_t number_count, tally_error *error)
{
    if (input->loaded || input->folded)
        return too_late(input, "rows", error);
    if (input->path)
        return party_fail(error, TALLY_ERR_USAGE, "rows cannot be added to an input that reads a file");
    if (!count || count != input->key_count)
        return party_fail(error, TALLY_ERR_USAGE, "a row of %zu texts for an input with %zu keys", count,
                          input->key_count);
    if (number_count != input->value_count + input->band_count)
        return party_fail(error, TALLY_ERR_USAGE,
                          "a row of %zu numbers for an input with %zu value and %zu band columns",
                          number_count, input->value_count, input->band_count);
    if (!input->derive) {
        tally_status made = party_derive_new(&input->derive, PARTY_UTF8, error);
        if (made)
            return made;
    }
    psi_item item;
    party_numbers row_numbers;
    enum party_reject reject;
    party_row row = {.row = (uint32_t)(input->stats.rows + 1), .line = (uint32_t)(input->stats.rows + 1)};
    if (input->stats.rows >= UINT32_MAX)
        return party_fail(error, TALLY_ERR_INPUT, "more than 2^32 - 1 rows");
    tally_status st = party_derive_texts(input->derive, input, keys, &item, &reject, error);
    if (!st && reject == PARTY_ACCEPTED && number_count)
        reject = party_numbers_of_row(input, numbers, &row_numbers);
    return st ? st : party_input_take(input, &row, &item, &row_numbers, reject, error);
}

void party_input_threads(tally_input *input, unsigned threads)
{
    input->threads = threads;
}

void party_input_executor(tally_input *input, const tally_executor *executor)
{
    input->executor = executor;
}

const char *tally_reject_name(size_t i)
{
    return i < PARTY_REJECT_COUNT ? party_reject_name((int)i) : NULL;
}

tally_status tally_input_load(tally_input *input, tally_error *error)
{
    return party_input_load(input, NULL, NULL, NULL, error);
}

void tally_input_get_stats(const tally_input *input, tally_input_stats *out)
{
    *out = input->counted ? input->stats : (tally_input_stats){.rows = 0};
}

/* ---- Taking rows ---- */

#define HUGE_PAGE (2u << 20)
#define HUGE_FROM (16u << 20) /* bytes of a list from which on huge pages are asked for */
#define GROWTH 16             /* times the room of before, at most */

void party_input_huge_pages(void *p, size_t bytes)
{
    uintptr_t begin = ((uintptr_t)p + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    uintptr_t end = ((uintptr_t)p + bytes) / HUGE_PAGE * HUGE_PAGE;
    if (bytes >= HUGE_FROM)
        (void)madvise((char *)p + (begin - (uintptr_t)p), end - begin, MADV_HUGEPAGE);
}

/*
 * Makes room for `more` entries of `size` bytes behind the first `count`: doubles, or more if more are
 * expected. secret = 1: the list is wiped when it is released.
 */
static int grow(void **list, size_t count, size_t more, size_t expected, size_t *room, size_t size,
                int secret)
{
    if (more <= *room - count)
        return 1;
    size_t least = *room ? *room : 64, wanted = expected < GROWTH * least ? expected : GROWTH * least;
    wanted = wanted < 2 * least ? 2 * least : wanted;
    wanted = wanted < count + more ? count + more : wanted;
    void *p = secret ? psi_secret_calloc(wanted, size) : psi_calloc(wanted, size);
    if (!p)
        return 0;
    party_input_huge_pages(p, wanted * size);
    if (count)
        memcpy(p, *list, count * size);
    if (secret)
        psi_secret_free(*list);
    else
        psi_free(*list);
    *list = p;
    *room = wanted;
    return 1;
}

static int grow_rows(tally_input *input, size_t more, size_t expected)
{
    void *rows = input->rows, *items = input->items, *numbers = input->numbers;
    size_t n = input->row_count;
    int good = grow(&items, n, more, expected, &input->item_room, sizeof *input->items, 0) &&
               grow(&rows, n, more, expected, &input->row_room, sizeof *input->rows, 0) &&
               (!input->row_numbers || grow(&numbers, n, more, expected, &input->number_room,
                                            input->row_numbers * sizeof *input->numbers, 1));
    input->rows = rows;
    input->items = items;
    input->numbers = numbers;
    return good;
}

static int grow_rejects(tally_input *input, size_t more)
{
    void *rejects = input->rejects;
    int good = grow(&rejects, input->reject_count, more, 0, &input->reject_room, sizeof *input->rejects, 0);
    input->rejects = rejects;
    return good;
}

int party_taken_room(party_taken *t, size_t accepted, size_t rejected)
{
    void *rows = t->rows, *items = t->items, *numbers = t->numbers, *rejects = t->rejects;
    int good = grow(&items, t->count, accepted, 0, &t->item_room, sizeof *t->items, 0) &&
               grow(&rows, t->count, accepted, 0, &t->row_room, sizeof *t->rows, 0) &&
               (!t->columns ||
                grow(&numbers, t->count, accepted, 0, &t->number_room, t->columns * sizeof *t->numbers, 1)) &&
               grow(&rejects, t->reject_count, rejected, 0, &t->reject_room, sizeof *t->rejects, 0);
    t->rows = rows;
    t->items = items;
    t->numbers = numbers;
    t->rejects = rejects;
    return good;
}

void party_taken_free(party_taken *t)
{
    psi_free(t->rows);
    psi_free(t->items);
    psi_secret_free(t->numbers);
    psi_free(t->rejects);
}

static void take_reject(tally_input *input, uint32_t line, uint8_t reason)
{
    input->rejects[input->reject_count++] = (party_reject_row){line, reason};
    input->stats.rejected++;
    input->stats.without_consent += (uint64_t)party_consent_reason(reason);
    if (input->stats.by_reason[reason]++ == 0)
        input->stats.first_line[reason] = line;
    party_lines_add(&input->reject_lines[reason], line);
}

tally_status party_input_take(tally_input *input, const party_row *row, const psi_item *item,
                              const party_numbers *numbers, enum party_reject reject, tally_error *error)
{
    if (reject == PARTY_ACCEPTED ? !grow_rows(input, 1, 0) : !grow_rejects(input, 1))
        return party_no_memory(error, "the rows of the input");
    input->stats.rows++;
    if (reject == PARTY_ACCEPTED) {
        if (input->row_numbers) {
            memcpy(input->numbers + input->row_count * input->row_numbers, numbers->at,
                   input->row_numbers * sizeof *input->numbers);
            input->stats.clipped += numbers->clipped;
        }
        input->items[input->row_count] = *item;
        input->rows[input->row_count++] = *row;
        input->stats.accepted++;
    } else {
        take_reject(input, row->line, (uint8_t)reject);
    }
    return TALLY_OK;
}

tally_status party_input_take_all(tally_input *input, const party_taken *t, uint64_t line, size_t expected,
                                  tally_error *error)
{
    if (!grow_rows(input, t->count, expected) || !grow_rejects(input, t->reject_count))
        return party_no_memory(error, "the rows of the input");
    uint32_t first_row = (uint32_t)(input->stats.rows + 1), first_line = (uint32_t)line;
    party_row *rows = input->rows ? input->rows + input->row_count : NULL;
    for (size_t i = 0; i < t->count; i++) {
        rows[i] = t->rows[i];
        rows[i].row += first_row;
        rows[i].line += first_line;
    }
    if (t->count)
        memcpy(input->items + input->row_count, t->items, t->count * sizeof *t->items);
    if (t->count && t->columns)
        memcpy(input->numbers + input->row_count * t->columns, t->numbers,
               t->count * t->columns * sizeof *t->numbers);
    input->stats.clipped += t->clipped;
    for (size_t i = 0; i < t->reject_count; i++)
        take_reject(input, first_line + t->rejects[i].line, t->rejects[i].reason);
    input->row_count += t->count;
    input->stats.accepted += t->count;
    input->stats.rows += t->data_rows;
    return TALLY_OK;
}

/* ---- Questions ---- */

size_t party_input_keys(const tally_input *input)
{
    return input->key_count;
}

const char *party_input_key_profile(const tally_input *input, size_t k)
{
    return party_profile_name(input->keys[k].profile);
}

const psi_item *party_input_items(const tally_input *input, size_t *count)
{
    *count = input->item_count;
    return input->items;
}

const party_row *party_input_rows(const tally_input *input, size_t *count)
{
    *count = input->loaded ? input->row_count : 0;
    return input->rows;
}

uint64_t party_input_bytes(const tally_input *input)
{
    return input->fd >= 0 ? (uint64_t)input->seen.st_size : 0;
}

void party_input_name(const tally_input *input, char *out, size_t size)
{
    if (!input->path)
        party_printable(out, size, "the rows");
    else
        party_printable(out, size, strcmp(input->path, "-") == 0 ? "standard input" : input->path);
}

int party_input_is(const tally_input *input, const char *path)
{
    struct stat st;
    return input->fd >= 0 && !input->spooled && stat(path, &st) == 0 && st.st_dev == input->seen.st_dev &&
           st.st_ino == input->seen.st_ino;
}

tally_status party_input_unchanged(const tally_input *input, tally_error *error)
{
    struct stat now, there;
    const struct stat *seen = &input->seen;
    if (input->fd < 0 || input->spooled)
        return TALLY_OK;
    if (fstat(input->fd, &now) == 0 && stat(input->path, &there) == 0 && there.st_dev == seen->st_dev &&
        there.st_ino == seen->st_ino && now.st_size == seen->st_size &&
        now.st_mtim.tv_sec == seen->st_mtim.tv_sec && now.st_mtim.tv_nsec == seen->st_mtim.tv_nsec)
        return TALLY_OK;
    char name[PARTY_PATH_SHOWN];
    party_input_name(input, name, sizeof name);
    party_fail(error, TALLY_ERR_INPUT_CHANGED, "%s changed while it was in use", name);
    party_hint(error, "run again when nothing writes to the file; export to a new file and rename it");
    return TALLY_ERR_INPUT_CHANGED;
}
