/* SPDX-License-Identifier: Apache-2.0 */
/* What counts and sums add to the two hellos: every field, every limit alone. */
#include "proto/hello.h"
#include "psi/mem.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT (((int64_t)1 << 48) - 1) /* largest magnitude of a value */

/* ---- A small encoder of our own, so that messages can be wrong in one place -------------------------- */

typedef struct bytes {
    size_t len;
    uint8_t b[70000];
} bytes;

static void put_varint(bytes *o, uint64_t v)
{
    for (; v > 127; v >>= 7)
        o->b[o->len++] = (uint8_t)(v | 128);
    o->b[o->len++] = (uint8_t)v;
}

static void put_number(bytes *o, unsigned field, uint64_t v)
{
    put_varint(o, field << 3);
    put_varint(o, v);
}

static void put_signed(bytes *o, unsigned field, int64_t v)
{
    put_number(o, field, (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

static void put_bytes(bytes *o, unsigned field, const void *p, size_t len)
{
    put_varint(o, field << 3 | 2);
    put_varint(o, len);
    memcpy(o->b + o->len, p, len);
    o->len += len;
}

static void put_text(bytes *o, unsigned field, const char *text)
{
    put_bytes(o, field, text, strlen(text));
}

static void put_band(bytes *o, unsigned field, const char *name, uint64_t scale, const int64_t *edges,
                     size_t n, int packed)
{
    static bytes band, list;
    band.len = list.len = 0;
    put_text(&band, 1, name);
    put_number(&band, 2, scale);
    for (size_t i = 0; i < n; i++)
        if (packed)
            put_varint(&list, (uint64_t)edges[i] << 1 ^ (edges[i] < 0 ? UINT64_MAX : 0));
        else
            put_signed(&band, 3, edges[i]);
    if (packed)
        put_bytes(&band, 3, list.b, list.len);
    put_bytes(o, field, band.b, band.len);
}

static void put_value(bytes *o, const char *name, int64_t min, int64_t max, uint64_t scale)
{
    static bytes value;
    value.len = 0;
    put_text(&value, 1, name);
    put_signed(&value, 2, min);
    put_signed(&value, 3, max);
    put_number(&value, 4, scale);
    put_bytes(o, 14, value.b, value.len);
}

/* Good terms of a sum without anything of its own, and a hello 1 around terms. */
static void begin_terms(bytes *terms)
{
    terms->len = 0;
    put_text(terms, 1, "receiver");
    put_text(terms, 2, "sum");
    put_text(terms, 3, "ecdh");
    put_text(terms, 4, "semi-honest");
    put_text(terms, 5, "both");
    put_text(terms, 6, "exact");
}

static void wrap(bytes *o, const bytes *terms)
{
    static const uint8_t nonce[32];
    o->len = 0;
    put_number(o, 1, 1);
    put_number(o, 2, 1);
    put_text(o, 3, "0.1.0");
    put_bytes(o, 4, nonce, 32);
    put_bytes(o, 5, terms->b, terms->len);
}

static tally_status parse(const bytes *terms, wire_hello1 *h, const char **why)
{
    static bytes o;
    wrap(&o, terms);
    uint8_t *copy = malloc(o.len); /* its own block: a read past the end is seen */
    if (!copy)
        abort();
    memcpy(copy, o.b, o.len);
    tally_status st = wire_hello1_parse(h, copy, o.len, why);
    free(copy);
    return st;
}

static void accepted(const bytes *terms)
{
    wire_hello1 h;
    const char *why = "";
    CU_ASSERT_EQUAL(parse(terms, &h, &why), TALLY_OK);
    if (*why)
        printf("refused: %s\n", why);
}

static void refused(const bytes *terms, const char *phrase)
{
    wire_hello1 h, before;
    const char *why = "";
    memset(&h, 0x5a, sizeof h);
    before = h;
    CU_ASSERT_EQUAL(parse(terms, &h, &why), TALLY_ERR_MALFORMED);
    CU_ASSERT_STRING_EQUAL(why, phrase);
    CU_ASSERT_EQUAL(memcmp(&h, &before, sizeof h), 0);
}

/* ---- Round trip -------------------------------------------------------------------------------------- */

static void good(wire_hello1 *h)
{
    memset(h, 0, sizeof *h);
    h->version_min = h->version_max = 1;
    memcpy(h->software, "0.1.0", 6);
    memcpy(h->terms.role, "receiver", 9);
    memcpy(h->terms.function, "sum", 4);
    memcpy(h->terms.protocol, "ecdh", 5);
    memcpy(h->terms.security, "semi-honest", 12);
    memcpy(h->terms.reveal, "both", 5);
    h->terms.key_count = 1;
    memcpy(h->terms.keys[0], "exact", 6);
}

/* Field by field: the bytes between fields stay zero, so that hellos can be compared as a whole. */
static void set_value(wire_value *v, const char *name, int64_t min, int64_t max, uint32_t scale)
{
    memset(v, 0, sizeof *v);
    snprintf(v->name, sizeof v->name, "%s", name);
    v->min = min;
    v->max = max;
    v->scale = scale;
}

static void set_band(wire_band *b, const char *name, uint32_t scale, const int64_t *edges, size_t count)
{
    memset(b, 0, sizeof *b);
    snprintf(b->name, sizeof b->name, "%s", name);
    b->scale = scale;
    b->count = count;
    memcpy(b->edges, edges, count * sizeof *edges);
}

static size_t same_after(const wire_hello1 *h)
{
    wire_hello1 back;
    const char *why = "";
    uint8_t *out = NULL;
    size_t len = 0;
    memset(&back, 0xee, sizeof back);
    CU_ASSERT_EQUAL_FATAL(wire_hello1_build(h, &out, &len), TALLY_OK);
    CU_ASSERT(len <= WIRE_HELLO1_MAX);
    CU_ASSERT_EQUAL(wire_hello1_parse(&back, out, len, &why), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(h, &back, sizeof back), 0);
    if (*why)
        printf("refused: %s\n", why);
    psi_free(out);
    return len;
}

static int64_t random_value(void)
{
    uint64_t v = 0;
    unit_random(&v, 6);
    v >>= unit_below(48);
    return v > (uint64_t)LIMIT ? LIMIT : unit_below(2) ? (int64_t)v : -(int64_t)v;
}

static int64_t random_edge(int64_t above, size_t left)
{
    uint64_t room = (uint64_t)(LIMIT - above) / left, step = 0;
    unit_random(&step, 8);
    return above + 1 + (int64_t)(step % room);
}

static void random_bands(wire_band *bands, size_t *count)
{
    *count = unit_below(WIRE_BANDS_MAX + 1);
    for (size_t i = 0; i < *count; i++) {
        wire_band *b = &bands[i];
        snprintf(b->name, sizeof b->name, "%s%zu", unit_below(2) ? "\xe5\xb9\xb4\xe9\xbe\x84 " : "x", i);
        b->scale = unit_below(WIRE_SCALE_MAX + 1);
        b->count = 2 + unit_below(WIRE_EDGES_MAX - 1);
        int64_t at = -LIMIT - 1;
        for (size_t e = 0; e < b->count; e++)
            b->edges[e] = at = random_edge(at, b->count - e + 1);
    }
}

static void test_roundtrip(void)
{
    static const uint64_t overlaps[] = {0, 2, 3, 1000, 1001, WIRE_OVERLAP_MAX};
    static const uint64_t epsilons[] = {0, WIRE_EPSILON_MIN, 1000000, WIRE_EPSILON_MAX};
    static const uint32_t dummies[] = {1, 15, 2763, WIRE_DUMMIES_MAX};
    static const char *const schemes[] = {"", "auto", "rlwe", "paillier"}, *const duplicates[] = {
                                                                               "", "sum", "max", "refuse"};
    for (int round = 0; round < 400; round++) {
        wire_hello1 h;
        good(&h);
        wire_terms *t = &h.terms;
        unit_random(h.nonce, 32);
        t->min_overlap = overlaps[unit_below(6)];
        t->epsilon_micro = epsilons[unit_below(4)];
        t->dummies = t->epsilon_micro ? dummies[unit_below(4)] : 0;
        snprintf(t->scheme, sizeof t->scheme, "%s", schemes[unit_below(4)]);
        snprintf(t->duplicates, sizeof t->duplicates, "%s", duplicates[unit_below(4)]);
        t->value_count = unit_below(WIRE_VALUES_MAX + 1);
        for (size_t i = 0; i < t->value_count; i++) {
            int64_t a = random_value(), b = round & 1 ? random_value() : LIMIT;
            snprintf(t->values[i].name, sizeof t->values[i].name, "value %zu", i);
            t->values[i].min = a < b ? a : b;
            t->values[i].max = a < b ? b : a;
            t->values[i].scale = unit_below(WIRE_SCALE_MAX + 1);
        }
        random_bands(t->bands, &t->band_count);
        random_bands(t->peer_bands, &t->peer_band_count);
        same_after(&h);
    }
}

static void test_extremes(void)
{
    static const int64_t low[] = {-LIMIT, -LIMIT + 1}, high[] = {LIMIT - 1, LIMIT},
                         all[] = {-LIMIT, 0, LIMIT};
    wire_hello1 h;
    good(&h);
    wire_terms *t = &h.terms;
    t->value_count = 2;
    set_value(&t->values[0], "least", -LIMIT, -LIMIT, 0);
    set_value(&t->values[1], "greatest", LIMIT, LIMIT, 9);
    t->band_count = t->peer_band_count = 1;
    set_band(&t->bands[0], "least", 0, low, 2);
    set_band(&t->peer_bands[0], "least", 9, high, 2); /* the same name on the other side */
    same_after(&h);
    set_value(&t->values[0], "all", -LIMIT, LIMIT, 9);
    set_value(&t->values[1], "nothing", 0, 0, 0);
    set_band(&t->bands[0], "all", 0, all, 3);
    same_after(&h);
}

/* Names of 64 bytes everywhere, 33 edges of the longest encoding in 8 bands, all fields at their largest. */
static void largest(wire_hello1 *h)
{
    wire_terms *t = &h->terms;
    good(h);
    h->version_min = h->version_max = 65535;
    memset(h->software, 'v', WIRE_SOFTWARE_MAX);
    memset(h->nonce, 0xff, 32);
    char *const texts[] = {t->function, t->protocol, t->security, t->reveal, t->scheme, t->duplicates};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        memset(texts[i], 'x', WIRE_NAME_MAX);
    memcpy(t->role, "sender\0\0", 9);
    t->key_count = WIRE_KEYS_MAX;
    for (size_t i = 0; i < WIRE_KEYS_MAX; i++)
        memset(t->keys[i], 'k', WIRE_NAME_MAX);
    t->column_count = WIRE_COLUMNS_MAX;
    t->rows_per_person = WIRE_ROWS_MAX;
    for (size_t i = 0; i < WIRE_COLUMNS_MAX; i++) {
        memset(t->columns[i].name, 'c', WIRE_NAME_MAX);
        t->columns[i].name[i] = 'd';
        t->columns[i].width = WIRE_WIDTH_MAX;
    }
    t->min_overlap = WIRE_OVERLAP_MAX;
    t->epsilon_micro = WIRE_EPSILON_MAX;
    t->dummies = WIRE_DUMMIES_MAX;
    t->value_count = WIRE_VALUES_MAX;
    for (size_t i = 0; i < WIRE_VALUES_MAX; i++) {
        memset(t->values[i].name, 'v', WIRE_NAME_MAX);
        t->values[i].name[i] = 'w';
        t->values[i].min = -LIMIT;
        t->values[i].max = LIMIT;
        t->values[i].scale = WIRE_SCALE_MAX;
    }
    t->band_count = t->peer_band_count = WIRE_BANDS_MAX;
    for (size_t i = 0; i < 2 * WIRE_BANDS_MAX; i++) {
        wire_band *b = i < WIRE_BANDS_MAX ? &t->bands[i] : &t->peer_bands[i - WIRE_BANDS_MAX];
        memset(b->name, 'b', WIRE_NAME_MAX);
        b->name[i] = 'c';
        b->scale = WIRE_SCALE_MAX;
        b->count = WIRE_EDGES_MAX;
        for (size_t e = 0; e < WIRE_EDGES_MAX; e++)
            b->edges[e] = -LIMIT + (int64_t)e;
    }
}

/* The largest hello 1 that can be said fits the frame, and what it takes to parse it the budget; also as
 * another encoder may write it, each edge on its own. */
static void test_largest(void)
{
    static bytes terms, o;
    wire_hello1 h, back;
    const char *why = "";
    largest(&h);
    size_t len = same_after(&h);
    CU_ASSERT(len > WIRE_HELLO1_MAX / 3);
    const wire_terms *t = &h.terms;
    terms.len = 0;
    put_text(&terms, 1, t->role);
    put_text(&terms, 2, t->function);
    put_text(&terms, 3, t->protocol);
    put_text(&terms, 4, t->security);
    put_text(&terms, 5, t->reveal);
    for (size_t i = 0; i < WIRE_KEYS_MAX; i++)
        put_text(&terms, 6, t->keys[i]);
    for (size_t i = 0; i < WIRE_COLUMNS_MAX; i++) {
        o.len = 0;
        put_text(&o, 1, t->columns[i].name);
        put_number(&o, 2, WIRE_WIDTH_MAX);
        put_bytes(&terms, 7, o.b, o.len);
    }
    put_number(&terms, 8, WIRE_ROWS_MAX);
    put_number(&terms, 9, WIRE_OVERLAP_MAX);
    put_text(&terms, 10, t->scheme);
    put_text(&terms, 11, t->duplicates);
    put_number(&terms, 12, WIRE_EPSILON_MAX);
    put_number(&terms, 13, WIRE_DUMMIES_MAX);
    for (size_t i = 0; i < WIRE_VALUES_MAX; i++)
        put_value(&terms, t->values[i].name, -LIMIT, LIMIT, WIRE_SCALE_MAX);
    for (size_t i = 0; i < WIRE_BANDS_MAX; i++)
        put_band(&terms, 15, t->bands[i].name, 9, t->bands[i].edges, WIRE_EDGES_MAX, 0);
    for (size_t i = 0; i < WIRE_BANDS_MAX; i++)
        put_band(&terms, 16, t->peer_bands[i].name, 9, t->peer_bands[i].edges, WIRE_EDGES_MAX, 0);
    o.len = 0;
    put_number(&o, 1, 65535);
    put_number(&o, 2, 65535);
    put_text(&o, 3, h.software);
    put_bytes(&o, 4, h.nonce, 32);
    put_bytes(&o, 5, terms.b, terms.len);
    CU_ASSERT(o.len <= WIRE_HELLO1_MAX);
    CU_ASSERT_EQUAL(wire_hello1_parse(&back, o.b, o.len, &why), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(&h, &back, sizeof h), 0);
    if (*why)
        printf("refused: %s\n", why);
}

/* ---- Known bytes ------------------------------------------------------------------------------------- */

/* Frozen bytes from an encoder written apart from protobuf-c: fields of a sum, and hello 2 with batches. */
static void test_known(void)
{
    static bytes terms, o;
    static const int64_t own[] = {-LIMIT, -1, 0, 1, LIMIT}, peers[] = {0, 1800};
    wire_hello1 h;
    uint8_t *out = NULL;
    size_t len = 0;
    good(&h);
    wire_terms *t = &h.terms;
    t->min_overlap = 100;
    memcpy(t->scheme, "paillier", 9);
    memcpy(t->duplicates, "max", 4);
    t->epsilon_micro = 500000;
    t->dummies = 29;
    t->value_count = 2;
    set_value(&t->values[0], "amount", -100, 100, 2);
    set_value(&t->values[1], "score", 1, LIMIT, 1);
    t->band_count = t->peer_band_count = 1;
    set_band(&t->bands[0], "score", 1, own, 5);
    set_band(&t->peer_bands[0], "age", 2, peers, 2);
    begin_terms(&terms);
    put_number(&terms, 9, 100);
    put_text(&terms, 10, "paillier");
    put_text(&terms, 11, "max");
    put_number(&terms, 12, 500000);
    put_number(&terms, 13, 29);
    put_value(&terms, "amount", -100, 100, 2);
    put_value(&terms, "score", 1, LIMIT, 1);
    put_band(&terms, 15, "score", 1, own, 5, 1);
    put_band(&terms, 16, "age", 2, peers, 2, 1);
    wrap(&o, &terms);
    CU_ASSERT_EQUAL_FATAL(wire_hello1_build(&h, &out, &len), TALLY_OK);
    CU_ASSERT(len == o.len && memcmp(out, o.b, len) == 0);
    psi_free(out);

    wire_hello2 h2 = {.items = 300, .batch_count = 3, .batches = {0, 299, 1}};
    o.len = 0;
    put_number(&o, 1, 300);
    put_bytes(&o, 2, h2.commitment, 32);
    put_bytes(&o, 3, "\x00\xab\x02\x01", 4); /* 0, 299, 1 */
    CU_ASSERT_EQUAL_FATAL(wire_hello2_build(&h2, &out, &len), TALLY_OK);
    CU_ASSERT(len == o.len && memcmp(out, o.b, len) == 0);
    psi_free(out);
}

/* A match says none of the new fields: its hellos end where they ended before there were any (the frozen
 * bytes themselves: test_wire, hello_known, and tests/vectors/transcript-*.txt). */
static void test_match_says_nothing_new(void)
{
    static bytes terms, o;
    wire_hello1 h;
    wire_hello2 h2 = {.items = 0};
    uint8_t *out = NULL;
    size_t len = 0;
    good(&h);
    memcpy(h.terms.function, "match", 6);
    terms.len = 0;
    put_text(&terms, 1, "receiver");
    put_text(&terms, 2, "match");
    put_text(&terms, 3, "ecdh");
    put_text(&terms, 4, "semi-honest");
    put_text(&terms, 5, "both");
    put_text(&terms, 6, "exact");
    wrap(&o, &terms);
    CU_ASSERT_EQUAL_FATAL(wire_hello1_build(&h, &out, &len), TALLY_OK);
    CU_ASSERT(len == o.len && memcmp(out, o.b, len) == 0);
    psi_free(out);
    o.len = 0;
    put_bytes(&o, 2, h2.commitment, 32);
    CU_ASSERT_EQUAL_FATAL(wire_hello2_build(&h2, &out, &len), TALLY_OK);
    CU_ASSERT(len == o.len && memcmp(out, o.b, len) == 0);
    psi_free(out);
}

/* ---- One limit at a time ----------------------------------------------------------------------------- */

static void test_overlap_and_noise(void)
{
    static bytes terms;
    static const struct {
        uint64_t overlap, epsilon, dummies;
        const char *phrase; /* NULL: accepted */
    } cases[] = {
        {0, 0, 0, NULL},
        {2, 0, 0, NULL},
        {1ull << 30, 0, 0, NULL},
        {1, 0, 0, "hello 1: min_overlap must be 2 to 2^30, or 0"},
        {(1ull << 30) + 1, 0, 0, "hello 1: min_overlap must be 2 to 2^30, or 0"},
        {UINT64_MAX, 0, 0, "hello 1: min_overlap must be 2 to 2^30, or 0"},
        {0, 10000, 1, NULL},
        {0, 100000000, 5000, NULL},
        {0, 1, 1, "hello 1: epsilon_micro must be 10000 to 100000000, or 0"},
        {0, 9999, 1, "hello 1: epsilon_micro must be 10000 to 100000000, or 0"},
        {0, 100000001, 1, "hello 1: epsilon_micro must be 10000 to 100000000, or 0"},
        {0, UINT64_MAX, 1, "hello 1: epsilon_micro must be 10000 to 100000000, or 0"},
        {0, 10000, 0, "hello 1: dummies must be 1 to 5000 with noise, 0 without"},
        {0, 10000, 5001, "hello 1: dummies must be 1 to 5000 with noise, 0 without"},
        {0, 10000, UINT32_MAX, "hello 1: dummies must be 1 to 5000 with noise, 0 without"},
        {0, 0, 1, "hello 1: dummies must be 1 to 5000 with noise, 0 without"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin_terms(&terms);
        put_number(&terms, 9, cases[i].overlap);
        put_number(&terms, 12, cases[i].epsilon);
        put_number(&terms, 13, cases[i].dummies);
        if (cases[i].phrase)
            refused(&terms, cases[i].phrase);
        else
            accepted(&terms);
    }
}

static void test_scheme_and_duplicates(void)
{
    static const char phrase[] =
        "hello 1: scheme and duplicates must be at most 64 printable ASCII characters";
    static bytes terms;
    char longest[65], above[66];
    memset(longest, 'x', 64);
    memset(above, 'x', 65);
    longest[64] = above[65] = 0;
    for (unsigned field = 10; field <= 11; field++) {
        const char *const fine[] = {"", "a", " ~", longest}, *const bad[] = {"a\x1f", "\x7f", "\xc3\xa9",
                                                                             above};
        for (size_t i = 0; i < 4; i++) {
            begin_terms(&terms);
            put_text(&terms, field, fine[i]);
            accepted(&terms);
            begin_terms(&terms);
            put_text(&terms, field, bad[i]);
            refused(&terms, phrase);
        }
        begin_terms(&terms);
        put_bytes(&terms, field, "auto\0evil", 9);
        refused(&terms, phrase);
    }
}

static void one_value(bytes *terms, const char *name, int64_t min, int64_t max, uint64_t scale)
{
    begin_terms(terms);
    put_value(terms, name, min, max, scale);
}

static void test_values(void)
{
    static const char name_phrase[] = "hello 1: the name of a value must be 1 to 64 bytes of printable UTF-8",
                      range_phrase[] =
                          "hello 1: a value's range must be min <= max within 48 bits, its scale 0 to 9";
    static const char *const bad_names[] = {"", "a\nb", "\xc3", "\xe2\x80\xae", "\x7f"};
    static const struct {
        int64_t min, max;
        uint64_t scale;
    } bad[] = {{1, 0, 0},         {LIMIT, -LIMIT, 0}, {-LIMIT - 1, 0, 0},        {0, LIMIT + 1, 0},
               {INT64_MIN, 0, 0}, {0, INT64_MAX, 0},  {LIMIT + 1, LIMIT + 1, 0}, {-LIMIT - 1, -LIMIT - 1, 0},
               {0, 1, 10},        {0, 1, UINT32_MAX}};
    static bytes terms;
    char name[70];
    memset(name, 'x', sizeof name);
    name[65] = 0;
    one_value(&terms, name, 0, 1, 0);
    refused(&terms, name_phrase);
    name[64] = 0;
    one_value(&terms, name, 0, 1, 0);
    accepted(&terms);
    for (size_t i = 0; i < sizeof bad_names / sizeof *bad_names; i++) {
        one_value(&terms, bad_names[i], 0, 1, 0);
        refused(&terms, name_phrase);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        one_value(&terms, "v", bad[i].min, bad[i].max, bad[i].scale);
        refused(&terms, range_phrase);
        put_value(&terms, "good", 0, 1, 0);
        refused(&terms, range_phrase);
    }
    one_value(&terms, "v", -LIMIT, LIMIT, 9);
    accepted(&terms);
    for (size_t i = 1; i < 17; i++) {
        snprintf(name, sizeof name, "v%zu", i);
        put_value(&terms, name, 0, 1, 0);
        if (i < 16)
            accepted(&terms);
        else
            refused(&terms, "hello 1: there must be at most 16 values");
    }
    one_value(&terms, "same", 0, 1, 0);
    put_value(&terms, "other", 0, 1, 0);
    put_value(&terms, "same", 0, 2, 0);
    refused(&terms, "hello 1: a value is named twice");
}

static void one_band(bytes *terms, unsigned field, const char *name, uint64_t scale, const int64_t *edges,
                     size_t n)
{
    begin_terms(terms);
    put_band(terms, field, name, scale, edges, n, 1);
}

static void test_bands_of(unsigned field)
{
    static const char name_phrase[] =
        "hello 1: the name of a column with bands must be 1 to 64 bytes of printable UTF-8",
                      shape_phrase[] = "hello 1: bands must have 2 to 33 edges and a scale of 0 to 9",
                      edge_phrase[] = "hello 1: the edges of bands must ascend, within 48 bits";
    static const int64_t good_edges[] = {0, 1},
                         bad[][3] = {{0, 0, 1},         {1, 0, 2},          {0, 2, 2},
                                     {0, 2, 1},         {-LIMIT - 1, 0, 1}, {0, 1, LIMIT + 1},
                                     {INT64_MIN, 0, 1}, {0, 1, INT64_MAX}};
    static const char *const bad_names[] = {"", "a\nb", "\xc3", "\xe2\x80\xae", "\x7f"};
    static bytes terms;
    int64_t many[40];
    char name[70];
    for (int i = 0; i < 40; i++)
        many[i] = i - 20;
    for (size_t n = 0; n <= 35; n++) {
        one_band(&terms, field, "b", 0, many, n);
        if (n >= 2 && n <= 33)
            accepted(&terms);
        else
            refused(&terms, shape_phrase);
    }
    one_band(&terms, field, "b", 9, good_edges, 2);
    accepted(&terms);
    one_band(&terms, field, "b", 10, good_edges, 2);
    refused(&terms, shape_phrase);
    one_band(&terms, field, "b", UINT32_MAX, good_edges, 2);
    refused(&terms, shape_phrase);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        one_band(&terms, field, "b", 0, bad[i], 3);
        refused(&terms, edge_phrase);
    }
    for (size_t i = 0; i < sizeof bad_names / sizeof *bad_names; i++) {
        one_band(&terms, field, bad_names[i], 0, good_edges, 2);
        refused(&terms, name_phrase);
    }
    memset(name, 'x', sizeof name);
    name[65] = 0;
    one_band(&terms, field, name, 0, good_edges, 2);
    refused(&terms, name_phrase);
    name[64] = 0;
    one_band(&terms, field, name, 0, good_edges, 2);
    accepted(&terms);
    for (size_t i = 1; i < 5; i++) {
        snprintf(name, sizeof name, "b%zu", i);
        put_band(&terms, field, name, 0, good_edges, 2, 1);
        if (i < 4)
            accepted(&terms);
        else
            refused(&terms, "hello 1: there must be at most 4 columns with bands");
    }
    one_band(&terms, field, "same", 0, good_edges, 2);
    put_band(&terms, field, "same", 1, good_edges, 2, 1);
    refused(&terms, "hello 1: a column with bands is named twice");
}

static void test_bands(void)
{
    static const int64_t edges[] = {0, 1};
    static bytes terms;
    test_bands_of(15);
    test_bands_of(16);
    /* Own bands and those of the peer may have the same name, also that of a value. */
    one_value(&terms, "same", 0, 1, 0);
    put_band(&terms, 15, "same", 0, edges, 2, 1);
    put_band(&terms, 16, "same", 0, edges, 2, 1);
    accepted(&terms);
}

/* ---- Hello 2 ----------------------------------------------------------------------------------------- */

static tally_status parse2(uint64_t items, const uint64_t *batches, size_t n, int packed, wire_hello2 *h,
                           const char **why)
{
    static const uint8_t zero[32];
    static bytes o, list;
    o.len = list.len = 0;
    put_number(&o, 1, items);
    put_bytes(&o, 2, zero, 32);
    for (size_t i = 0; i < n; i++)
        if (packed)
            put_varint(&list, batches[i]);
        else
            put_number(&o, 3, batches[i]);
    if (packed && n)
        put_bytes(&o, 3, list.b, list.len);
    CU_ASSERT(o.len <= WIRE_HELLO2_MAX);
    return wire_hello2_parse(h, o.b, o.len, why);
}

static void check_batches(uint64_t items, const uint64_t *batches, size_t n, const char *phrase)
{
    for (int packed = 0; packed < 2; packed++) {
        wire_hello2 h, before;
        const char *why = "";
        memset(&h, 0x5a, sizeof h);
        before = h;
        tally_status st = parse2(items, batches, n, packed, &h, &why);
        if (phrase) {
            CU_ASSERT_EQUAL(st, TALLY_ERR_MALFORMED);
            CU_ASSERT_STRING_EQUAL(why, phrase);
            CU_ASSERT_EQUAL(memcmp(&h, &before, sizeof h), 0);
        } else {
            CU_ASSERT_EQUAL(st, TALLY_OK);
            CU_ASSERT(h.items == items && h.batch_count == n);
            CU_ASSERT(n == 0 || memcmp(h.batches, batches, n * sizeof *batches) == 0);
        }
    }
}

static void test_batches(void)
{
    static const char sum[] = "hello 2: the batches do not add up to the list",
                      number[] = "hello 2: there must be at most 33 batches";
    const uint64_t half = 1ull << 63;
    uint64_t b[40] = {0};
    check_batches(7, b, 0, NULL);
    check_batches(0, b, 1, NULL);
    check_batches(0, b, 33, NULL);
    check_batches(0, b, 34, number);
    check_batches(0, b, 40, number);
    b[0] = 7;
    check_batches(7, b, 1, NULL);
    check_batches(7, b, 33, NULL);
    check_batches(7, b, 34, number);
    check_batches(6, b, 1, sum);
    check_batches(8, b, 1, sum);
    check_batches(0, b, 1, sum);
    b[32] = 3;
    check_batches(10, b, 33, NULL);
    check_batches(9, b, 33, sum);
    check_batches(11, b, 33, sum);
    b[0] = WIRE_ITEMS_MAX - 3;
    check_batches(WIRE_ITEMS_MAX, b, 33, NULL);
    check_batches(WIRE_ITEMS_MAX + 1, b, 33, "hello 2: items is above 2^30");
    /* What adds up modulo 2^64 only. */
    const uint64_t over[][4] = {{half, half, 5, 0},    {half, half, 0, 5},    {5, half, half, 0},
                                {UINT64_MAX, 6, 0, 0}, {6, UINT64_MAX, 0, 0}, {UINT64_MAX - 4, 10, 0, 0},
                                {half - 1, half, 6, 0}};
    for (size_t i = 0; i < sizeof over / sizeof *over; i++)
        check_batches(5, over[i], 4, sum);
}

static void test_batches_roundtrip(void)
{
    for (int round = 0; round < 300; round++) {
        wire_hello2 h = {.batch_count = unit_below(WIRE_EDGES_MAX + 1)}, back;
        const char *why = "";
        uint8_t *out = NULL;
        size_t len = 0;
        memset(&back, 0xee, sizeof back);
        unit_random(h.commitment, 32);
        h.items = h.batch_count ? 0 : unit_below(1000);
        for (size_t i = 0; i < h.batch_count; i++) {
            h.batches[i] = unit_below(round & 1 ? 5 : (uint32_t)(WIRE_ITEMS_MAX / WIRE_EDGES_MAX));
            h.items += h.batches[i];
        }
        CU_ASSERT_EQUAL_FATAL(wire_hello2_build(&h, &out, &len), TALLY_OK);
        CU_ASSERT(len <= WIRE_HELLO2_MAX);
        CU_ASSERT_EQUAL(wire_hello2_parse(&back, out, len, &why), TALLY_OK);
        CU_ASSERT_EQUAL(memcmp(&h, &back, sizeof h), 0);
        psi_free(out);
    }
}

/* ---- Every allocation fails once --------------------------------------------------------------------- */

static void test_faults(void)
{
    wire_hello1 h, back, untouched;
    wire_hello2 h2 = {.items = 33, .batch_count = 33}, back2;
    const char *why = "";
    uint8_t *out = NULL;
    size_t len = 0;
    largest(&h);
    memset(&untouched, 0x33, sizeof untouched);
    CU_ASSERT_EQUAL_FATAL(wire_hello1_build(&h, &out, &len), TALLY_OK);
    psi_mem_fail_at(0);
    CU_ASSERT_EQUAL(wire_hello1_parse(&back, out, len, &why), TALLY_OK);
    unsigned long n = psi_mem_count();
    CU_ASSERT(n > 100);
    for (unsigned long i = 1; i <= n; i++) {
        back = untouched;
        psi_mem_fail_at(i);
        CU_ASSERT_EQUAL(wire_hello1_parse(&back, out, len, &why), TALLY_ERR_NO_MEMORY);
        CU_ASSERT_EQUAL(memcmp(&back, &untouched, sizeof back), 0);
    }
    psi_mem_fail_at(0);
    psi_free(out);
    for (size_t i = 0; i < 33; i++)
        h2.batches[i] = 1;
    CU_ASSERT_EQUAL_FATAL(wire_hello2_build(&h2, &out, &len), TALLY_OK);
    psi_mem_fail_at(0);
    CU_ASSERT_EQUAL(wire_hello2_parse(&back2, out, len, &why), TALLY_OK);
    n = psi_mem_count();
    for (unsigned long i = 1; i <= n; i++) {
        psi_mem_fail_at(i);
        CU_ASSERT_EQUAL(wire_hello2_parse(&back2, out, len, &why), TALLY_ERR_NO_MEMORY);
    }
    psi_mem_fail_at(0);
    psi_free(out);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"roundtrip", test_roundtrip},
        {"extremes", test_extremes},
        {"largest", test_largest},
        {"known", test_known},
        {"match_says_nothing_new", test_match_says_nothing_new},
        {"overlap_and_noise", test_overlap_and_noise},
        {"scheme_and_duplicates", test_scheme_and_duplicates},
        {"values", test_values},
        {"bands", test_bands},
        {"batches", test_batches},
        {"batches_roundtrip", test_batches_roundtrip},
        {"faults", test_faults},
    };
    return unit_main(argc, argv, "wire_sum", tests, sizeof tests / sizeof *tests);
}
