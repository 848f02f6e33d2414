/* SPDX-License-Identifier: Apache-2.0 */
#include "party/survey.h"

#include "party/derive.h"
#include "party/error.h"
#include "party/profile_impl.h"
#include "psi/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#define KEPT_DIGITS 15u /* that a spreadsheet keeps of a number */
#define LONG_DIGITS 8u  /* of numbers that are not counted up from 1 */
#define LENGTHS 20u
#define MARKS_ALL ((size_t)1 << 24)
#define MARKS_SAMPLE ((size_t)1 << 18) /* when only the first rows are looked at */

/* Beside what is told: what a verdict on the whole column needs. */
typedef struct column {
    party_surveyed told;
    const party_profile *profile;
    const char *parameter;
    uint8_t *marks;                 /* a bit for each hash of a value: linear counting */
    uint64_t set;                   /* bits that are set */
    uint64_t leading_zero;          /* of the cells of digits only */
    double rounded_by_chance;       /* long numbers that end as if rounded, as many as chance gives */
    party_lines rounded;            /* and as they are */
    party_lines of_length[LENGTHS]; /* cells of digits only, by how many; the last: 19 and more */
    party_lines crosses;            /* cells with X side by side: masked, or a code that has them by chance */
} column;

struct party_survey {
    tally_input *input;
    column *columns;
    size_t count, marks; /* bits of a column's marks */
    uint64_t most, rows;
    uint64_t high, high_utf8; /* records with bytes above 7F, and those of them that are UTF-8 */
    int wide; /* and one of these has a character of three bytes, which two-byte text seldom forms */
    uint64_t pairs, lone; /* of cells that are not UTF-8: bytes above 7F in pairs, and before others */
    party_lines file[PARTY_TRAPS];
    int begun, header, failed;
    char delimiter;
    char form[PARTY_IDENTIFIER_MAX];
    char folded[PARTY_IDENTIFIER_MAX];
};

static const char *const guesses[PARTY_GUESSES] = {"cn-resident-id", "cn-uscc", "phone-e164",
                                                   "phone-e164+86"};

const char *party_survey_guess(size_t i)
{
    return guesses[i];
}

/* ---- The first record ---- */

/* A name that may be shown: not one that holds many digits, which could be a person's. */
static void take_name(char out[64], const tally_text *text)
{
    char raw[60];
    size_t n = text->len < sizeof raw - 1 ? text->len : sizeof raw - 1, digits = 0;
    for (size_t i = 0; i < text->len; i++)
        digits += text->p[i] >= '0' && text->p[i] <= '9';
    if (!text->len || digits >= 6 || digits == text->len)
        return;
    memcpy(raw, text->p, n);
    raw[n] = 0;
    party_printable(out, 64, raw);
}

static int add_column(party_survey *s, party_derive *d, const uint8_t *p, uint32_t at)
{
    column *c = &s->columns[s->count++];
    tally_text text;
    c->told.column = at;
    if (s->input->header && party_derive_text(d, p, &party_derive_fields(d)[at], &text) == PARTY_ACCEPTED)
        take_name(c->told.name, &text);
    c->marks = psi_calloc(s->marks / 8, 1);
    return c->marks != NULL;
}

/* 0: nothing is to be looked at. */
static int begin(party_survey *s, party_derive *d, const uint8_t *p, const party_csv_record *record)
{
    tally_input *input = s->input;
    s->begun = 1;
    s->delimiter = input->format.delimiter;
    size_t count = input->key_count                        ? input->key_count
                   : record->fields < PARTY_SURVEY_COLUMNS ? record->fields
                                                           : PARTY_SURVEY_COLUMNS;
    s->columns = psi_calloc(count, sizeof *s->columns);
    s->failed = !s->columns;
    for (size_t k = 0; !s->failed && k < count; k++) {
        uint32_t at = (uint32_t)k;
        if (input->key_count && (party_derive_column(d, input, p, record, input->keys[k].column, &at, NULL) ||
                                 at >= record->fields))
            return 0;
        s->failed = !add_column(s, d, p, at);
        column *c = &s->columns[k];
        if (input->key_count) {
            c->profile = input->keys[k].profile;
            c->parameter = input->keys[k].parameter;
            party_printable(c->told.name, sizeof c->told.name, input->keys[k].column);
        } else {
            char none[8];
            c->profile = party_profile_find("exact", none);
            c->parameter = "";
        }
        c->told.exact = strcmp(party_profile_name(c->profile), "exact") == 0;
    }
    s->header = input->header;
    return !s->failed;
}

/* ---- Cells ---- */

/* FNV-1a and a final mix: for counting, not for hiding. */
static uint64_t mix(const char *p, size_t len)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (uint8_t)p[i]) * 0x100000001b3u;
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
    return h ^ (h >> 31);
}

static void mark(column *c, size_t marks, const char *p, size_t len)
{
    size_t bit = (size_t)mix(p, len) % marks;
    c->set += !(c->marks[bit / 8] >> (bit % 8) & 1);
    c->marks[bit / 8] = (uint8_t)(c->marks[bit / 8] | 1u << (bit % 8));
}

static size_t characters(const tally_text *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->len; i++)
        n += ((uint8_t)t->p[i] & 0xc0) != 0x80;
    return n;
}

/* Of a cell that is not UTF-8: are its high bytes those of characters of two bytes? */
static void look_at_bytes(party_survey *s, const tally_text *t)
{
    for (size_t i = 0; i < t->len; i++) {
        if ((uint8_t)t->p[i] < 0x80)
            continue;
        int pair = i + 1 < t->len && (uint8_t)t->p[i + 1] >= 0x80;
        s->pairs += (uint64_t)pair;
        s->lone += (uint64_t)!pair;
        i += (size_t)pair;
    }
}

/* Blanks at an end, or anything unseen inside. */
static int has_blanks(const tally_text *t)
{
    int32_t c = 0;
    for (size_t i = 0; i < t->len;) {
        ptrdiff_t n = utf8proc_iterate((const uint8_t *)t->p + i, (ptrdiff_t)(t->len - i), &c);
        if (n <= 0)
            return 0;
        int space = c == ' ' || c == 0x3000;
        if (c < ' ' || c == 0xa0 || (c >= 0x200b && c <= 0x200f) || c == 0x2060 || c == 0xfeff ||
            (space && (i == 0 || i + (size_t)n == t->len)))
            return 1;
        i += (size_t)n;
    }
    return 0;
}

static void look_at_digits(column *c, const char *p, size_t len, uint32_t line)
{
    size_t zeros = 0;
    party_lines_add(&c->of_length[len < LENGTHS ? len : LENGTHS - 1], line);
    c->leading_zero += p[0] == '0';
    if (len > KEPT_DIGITS) {
        while (zeros < len && p[len - 1 - zeros] == '0')
            zeros++;
        c->rounded_by_chance += pow(10, -(double)(len - KEPT_DIGITS));
        if (zeros >= len - KEPT_DIGITS)
            party_lines_add(&c->rounded, line);
    }
}

/* `n` of the character c side by side. */
static int has_run(const char *p, size_t len, char c, size_t n)
{
    size_t run = 0;
    for (size_t i = 0; i < len; i++) {
        run = p[i] == c ? run + 1 : 0;
        if (run == n)
            return 1;
    }
    return 0;
}

/* A number behind the mark, not a name that is written with an apostrophe in front. */
static int marked_number(const tally_text *t)
{
    size_t digits = 0;
    for (size_t i = 1; i < t->len; i++)
        digits += t->p[i] >= '0' && t->p[i] <= '9';
    return t->len > 1 && t->p[0] == '\'' && digits * 2 >= t->len - 1;
}

static void look_at_text(party_survey *s, column *c, const tally_text *t, enum party_reject reject,
                         uint32_t line)
{
    party_lines *traps = c->told.traps;
    size_t len = 0;
    if (c->told.exact ? marked_number(t) : t->len && t->p[0] == '\'')
        party_lines_add(&traps[PARTY_TRAP_APOSTROPHE], line);
    if (t->len >= 3 && memcmp(t->p, "=\"", 2) == 0 && t->p[t->len - 1] == '"')
        party_lines_add(&traps[PARTY_TRAP_FORMULA], line);
    if (!c->told.exact || party_fold(t->p, t->len, s->folded, &len) != PARTY_ACCEPTED)
        return;
    if (party_fold_scientific(s->folded, len))
        party_lines_add(&traps[PARTY_TRAP_SCIENTIFIC], line);
    else if (has_run(s->folded, len, '*', 2))
        party_lines_add(&traps[PARTY_TRAP_MASKED], line);
    else if (has_run(s->folded, len, 'X', 3))
        party_lines_add(&c->crosses, line);
    if (reject == PARTY_ACCEPTED && has_blanks(t))
        party_lines_add(&traps[PARTY_TRAP_BLANKS], line);
    if (len && party_fold_digits(s->folded, len) == len)
        look_at_digits(c, s->folded, len, line);
}

/* A national number of the kind that most lists hold; phone-e164+86 takes many others. */
static int mobile(const char *form, size_t len)
{
    return len == 14 && memcmp(form, "+861", 4) == 0 && form[4] >= '3';
}

static void guess(party_survey *s, column *c, const tally_text *t)
{
    for (size_t i = 0; i < PARTY_GUESSES; i++) {
        char parameter[8];
        size_t len;
        const party_profile *p = party_profile_find(guesses[i], parameter);
        int valid = party_profile_apply(p, parameter, t->p, t->len, s->form, &len) == PARTY_ACCEPTED;
        c->told.guess[i] += (uint64_t)(valid && (i < 3 || mobile(s->form, len)));
    }
}

static void look_at_cell(party_survey *s, column *c, party_derive *d, const uint8_t *p, uint32_t line)
{
    tally_text text;
    size_t len = 0;
    c->told.rows++;
    enum party_reject reject = party_derive_text(d, p, &party_derive_fields(d)[c->told.column], &text);
    if (reject != PARTY_ACCEPTED)
        return;
    size_t n = characters(&text);
    c->told.lengths[n < PARTY_SURVEY_LENGTHS ? n : PARTY_SURVEY_LENGTHS - 1]++;
    reject = party_profile_apply(c->profile, c->parameter, text.p, text.len, s->form, &len);
    if (reject == PARTY_REJECT_EMPTY)
        c->told.empty++;
    if (reject == PARTY_REJECT_ENCODING)
        look_at_bytes(s, &text);
    if (reject == PARTY_ACCEPTED) {
        c->told.valid++;
        mark(c, s->marks, s->form, len);
    }
    look_at_text(s, c, &text, reject, line);
    if (!s->input->key_count)
        guess(s, c, &text);
}

static void look_at_record(party_survey *s, const uint8_t *p, const party_csv_record *record)
{
    int high = 0;
    for (size_t i = 0; !high && i < record->content; i++)
        high = p[i] >= 0x80;
    if (!high)
        return;
    int32_t c;
    ptrdiff_t n = 1;
    int wide = 0;
    for (size_t i = 0; n > 0 && i < record->content; i += (size_t)n)
        if ((n = utf8proc_iterate(p + i, (ptrdiff_t)(record->content - i), &c)) >= 3)
            wide = 1;
    s->high++;
    s->high_utf8 += n > 0;
    s->wide |= wide && n > 0;
}

static int each(void *user, party_derive *d, const uint8_t *p, const party_csv_record *record, uint32_t line)
{
    party_survey *s = user;
    if (!s->begun && !begin(s, d, p, record))
        return 0;
    if (s->header) {
        s->header = 0;
        return 1;
    }
    s->rows++;
    if (s->input->format.encoding == PARTY_GB18030)
        look_at_record(s, p, record);
    for (size_t k = 0; k < s->count; k++)
        if (s->columns[k].told.column < record->fields && !record->bad_encoding)
            look_at_cell(s, &s->columns[k], d, p, line);
    return !s->most || s->rows < s->most;
}

/* ---- What it comes to ---- */

static uint64_t distinct(const column *c, size_t marks)
{
    double free_share = (double)(marks - c->set) / (double)marks;
    double n = c->set < marks ? -log(free_share) * (double)marks : (double)c->told.valid;
    uint64_t about = (uint64_t)(n + 0.5);
    return about < c->told.valid ? about : c->told.valid;
}

/* A tail of zeros in more long numbers than chance gives, by four standard deviations. */
static int rounded(const column *c)
{
    double by_chance = c->rounded_by_chance;
    return (double)c->rounded.count > by_chance + 4 * sqrt(by_chance) + 2;
}

/*
 * Most numbers have one length, none is longer or begins with 0, and a share is a digit or two shorter: about
 * a tenth of all numbers begin with 0.
 */
static int zeros_lost(const column *c, party_lines *shorter)
{
    size_t usual = 0, longest = 0;
    uint64_t all = 0;
    for (size_t i = 0; i < LENGTHS; i++) {
        uint64_t n = c->of_length[i].count;
        all += n;
        usual = n > c->of_length[usual].count ? i : usual;
        longest = n ? i : longest;
    }
    if (usual < LONG_DIGITS || longest > usual || all < 20 || all * 10 < c->told.valid * 9 || c->leading_zero)
        return 0;
    *shorter = c->of_length[usual - 1];
    party_lines_join(shorter, &c->of_length[usual - 2]);
    return shorter->count * 50 >= all && shorter->count * 10 <= all * 3;
}

static void judge_column(column *c, size_t marks)
{
    party_surveyed *t = &c->told;
    party_lines shorter;
    t->distinct = distinct(c, marks);
    if (rounded(c))
        t->traps[PARTY_TRAP_DIGITS_LOST] = c->rounded;
    if (zeros_lost(c, &shorter))
        t->traps[PARTY_TRAP_ZEROS_LOST] = shorter;
    if (c->crosses.count * 100 >= t->valid)
        party_lines_join(&t->traps[PARTY_TRAP_MASKED], &c->crosses);
    if (t->valid >= 10 && t->distinct == 1)
        t->traps[PARTY_TRAP_CONSTANT].count = t->valid;
}

static void judge(party_survey *s)
{
    for (size_t k = 0; k < s->count; k++)
        judge_column(&s->columns[k], s->marks);
    if (s->wide && s->high == s->high_utf8)
        s->file[PARTY_TRAP_IS_UTF8].count = s->high;
    if (s->pairs + s->lone)
        s->file[s->lone > s->pairs ? PARTY_TRAP_IS_WESTERN : PARTY_TRAP_IS_GB18030].count = 1;
}

tally_status party_survey_new(party_survey **out, tally_input *input, uint64_t most, party_cancel *cancel,
                              tally_error *error)
{
    party_survey *s = *out = psi_calloc(1, sizeof *s);
    if (!s)
        return party_no_memory(error, "a look at the list");
    s->input = input;
    s->delimiter = input->format.delimiter;
    s->most = most;
    s->marks = most ? MARKS_SAMPLE : MARKS_ALL;
    tally_status st = party_rows_each(input, cancel, each, s, error);
    if (s->failed)
        st = party_no_memory(error, "a look at the list");
    judge(s);
    return st;
}

void party_survey_free(party_survey *s)
{
    if (!s)
        return;
    for (size_t k = 0; k < s->count; k++)
        psi_free(s->columns[k].marks);
    psi_free(s->columns);
    psi_wipe(s->form, sizeof s->form);
    psi_wipe(s->folded, sizeof s->folded);
    psi_free(s);
}

const party_surveyed *party_survey_column(const party_survey *s, size_t i)
{
    return i < s->count ? &s->columns[i].told : NULL;
}

char party_survey_delimiter(const party_survey *s)
{
    return s->delimiter;
}

uint64_t party_survey_rows(const party_survey *s)
{
    return s->rows;
}

const party_lines *party_survey_file(const party_survey *s, enum party_trap trap)
{
    return &s->file[trap];
}
