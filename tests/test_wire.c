/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/abort.h"
#include "proto/frame.h"
#include "proto/hello.h"
#include "proto/ping.h"
#include "psi/mem.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

/* ---- Header ------------------------------------------------------------------------------------------ */

static const struct {
    uint8_t type;
    uint32_t limit;
} kinds[] = {{1, 16384},
             {2, 1024},
             {3, 64},
             {4, 0},
             {5, 0},
             {6, 512},
             {16, 1u << 20},
             {7, 1u << 16},
             {8, 84},
             {17, 1u << 20},
             {18, 1u << 20},
             {24, 32},
             {25, 1u << 20},
             {26, 1u << 20},
             {27, 1u << 20},
             {32, 1u << 20},
             {33, 1u << 20},
             {40, 1 + 128 * 2 * 32},        /* k and 128 pairs of points */
             {41, 32 + 32 + 128 * 944 / 8}, /* k = 6: 157 columns need 942 OTs, rounded up to whole bytes */
             {42, 157 * 6 * 32},            /* k = 6 */
             {43, 16 + 197 * 43520 / 8},    /* k = 4: 197 columns, 43520 slots */
             {44, 1u << 20},
             {48, 1u << 20},
             {49, 1u << 20},
             {50, 1u << 20},
             {51, 4096 * 106 / 8}, /* one polynomial of 4096 coefficients of 106 bits */
             {52, 1u << 20},
             {53, 8 * 33}, /* 33 bands */
             {54, 5},      /* a bit for each of 33 bands */
             {55, 1u << 20},
             {56, 1u << 20},
             {57, 1u << 20}};
#define KINDS (sizeof kinds / sizeof *kinds)

static void raw_header(uint8_t out[WIRE_HEADER], uint32_t length, uint32_t sequence, uint8_t type)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(length >> (24 - 8 * i));
        out[4 + i] = (uint8_t)(sequence >> (24 - 8 * i));
    }
    out[8] = type;
    out[9] = out[10] = out[11] = 0;
}

/* Expects a refusal whose phrase holds `part`, and an untouched output. */
static void refused(const uint8_t raw[WIRE_HEADER], uint32_t expected, const char *part)
{
    wire_header h = {.length = 77, .sequence = 78, .type = 79};
    const char *why = NULL;
    CU_ASSERT_EQUAL(wire_header_parse(&h, raw, expected, &why), TALLY_ERR_MALFORMED);
    CU_ASSERT(why && strstr(why, part));
    CU_ASSERT(h.length == 77 && h.sequence == 78 && h.type == 79);
}

static void test_header(void)
{
    for (unsigned type = 0; type < 256; type++) {
        size_t k = 0;
        while (k < KINDS && kinds[k].type != type)
            k++;
        uint8_t t = (uint8_t)type;
        int known = k < KINDS;
        CU_ASSERT_EQUAL(wire_frame_known(t), known);
        CU_ASSERT_EQUAL(wire_frame_limit(t), known ? kinds[k].limit : 0);
        CU_ASSERT_EQUAL(strcmp(wire_frame_name(t), "unknown") == 0, !known);
        uint32_t limit = known ? kinds[k].limit : 0;
        const uint32_t lengths[] = {
            0, 1, 31, 32, 33, limit / 2, limit - (limit > 0), limit, limit + 1, 0x7fffffff, 0xffffffff};
        const uint32_t sequences[] = {0, 1, 0x01020304, 0x7fffffff, 0xffffffff};
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
            for (size_t s = 0; s < sizeof sequences / sizeof *sequences; s++) {
                uint8_t raw[WIRE_HEADER], built[WIRE_HEADER];
                raw_header(raw, lengths[l], sequences[s], t);
                int good = known && lengths[l] <= limit && (lengths[l] > 0) == (limit > 0);
                if (!good) {
                    refused(raw, sequences[s], !known ? "unknown" : lengths[l] ? "longer" : "empty");
                    continue;
                }
                wire_header h;
                const char *why = NULL;
                CU_ASSERT_EQUAL(wire_header_parse(&h, raw, sequences[s], &why), TALLY_OK);
                CU_ASSERT(h.length == lengths[l] && h.sequence == sequences[s] && h.type == t);
                wire_header_build(built, &h);
                CU_ASSERT_EQUAL(memcmp(built, raw, WIRE_HEADER), 0);
                refused(raw, sequences[s] + 1, "out of order");
                refused(raw, sequences[s] - 1, "out of order");
                for (int i = 9; i < 12; i++) {
                    raw[i] = 0x80;
                    refused(raw, sequences[s], "reserved");
                    raw[i] = 0;
                }
            }
    }
}

/* Every type has a name of its own. */
static void test_names(void)
{
    static const struct {
        uint8_t type;
        const char *name;
    } sums[] = {{48, "masked items of the side that adds up"},
                {49, "tags of the side that adds up"},
                {50, "masked items of the other side"},
                {51, "key of the values"},
                {52, "encrypted values"},
                {53, "counts"},
                {54, "merged bands"},
                {55, "encrypted sums"},
                {56, "figures"},
                {57, "sizes of bands"}};
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        CU_ASSERT_STRING_EQUAL(wire_frame_name(sums[i].type), sums[i].name);
    for (size_t i = 0; i < KINDS; i++)
        for (size_t k = 0; k < i; k++)
            CU_ASSERT_STRING_NOT_EQUAL(wire_frame_name(kinds[i].type), wire_frame_name(kinds[k].type));
}

static void test_header_known(void)
{
    static const uint8_t expected[WIRE_HEADER] = {0, 2, 0, 0, 0x01, 0x02, 0x03, 0x04, 18, 0, 0, 0};
    uint8_t raw[WIRE_HEADER];
    wire_header_build(raw,
                      &(wire_header){.length = 131072, .sequence = 0x01020304, .type = WIRE_ECDH_SENDER});
    CU_ASSERT_EQUAL(memcmp(raw, expected, sizeof raw), 0);
}

/* ---- Abort ------------------------------------------------------------------------------------------- */

static void test_abort(void)
{
    for (unsigned hi = 0; hi < 256; hi++)
        for (unsigned lo = 0; lo < 256; lo++) {
            const uint8_t in[2] = {(uint8_t)hi, (uint8_t)lo};
            wire_abort word = {WIRE_ABORT_LOCAL, 7};
            int good = hi == 0 && lo <= 7;
            CU_ASSERT_EQUAL(wire_abort_parse(&word, in, 2), good ? TALLY_OK : TALLY_ERR_MALFORMED);
            CU_ASSERT_EQUAL((unsigned)word.code, good ? lo : WIRE_ABORT_LOCAL);
            CU_ASSERT_EQUAL(word.field, good ? 0 : 7);
        }
    /* A field goes with one code only. */
    for (unsigned code = 0; code < 256; code++)
        for (unsigned field = 0; field < 256; field++) {
            const uint8_t in[4] = {0, (uint8_t)code, (uint8_t)field, 0};
            wire_abort word = {WIRE_ABORT_INPUT, 0};
            int good = code == WIRE_ABORT_POLICY && field;
            CU_ASSERT_EQUAL(wire_abort_parse(&word, in, 3), good ? TALLY_OK : TALLY_ERR_MALFORMED);
            CU_ASSERT(word.code == (good ? WIRE_ABORT_POLICY : WIRE_ABORT_INPUT) &&
                      word.field == (good ? field : 0));
            CU_ASSERT_EQUAL(wire_abort_parse(&word, in, 4), TALLY_ERR_MALFORMED);
            CU_ASSERT_EQUAL(wire_abort_parse(&word, in, 1), TALLY_ERR_MALFORMED);
            CU_ASSERT_EQUAL(wire_abort_parse(&word, in, 0), TALLY_ERR_MALFORMED);
        }
    for (int i = 0; i < 8; i++) {
        uint8_t out[WIRE_ABORT_BYTES] = {9, 9, 9};
        CU_ASSERT_EQUAL(wire_abort_build(out, (wire_abort){(enum wire_abort_code)i, 0}), 2);
        CU_ASSERT(out[0] == 0 && out[1] == i);
        CU_ASSERT(wire_abort_text((enum wire_abort_code)i) && *wire_abort_text((enum wire_abort_code)i));
    }
    uint8_t out[WIRE_ABORT_BYTES];
    CU_ASSERT_EQUAL(wire_abort_build(out, (wire_abort){WIRE_ABORT_POLICY, 12}), 3);
    CU_ASSERT(out[0] == 0 && out[1] == WIRE_ABORT_POLICY && out[2] == 12);
    CU_ASSERT_PTR_NULL(wire_abort_text((enum wire_abort_code)8));
    CU_ASSERT_STRING_EQUAL(wire_abort_text(WIRE_ABORT_TERMS), "the terms of the run differ");
}

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

static void put_bytes(bytes *o, unsigned field, const void *p, size_t len)
{
    put_varint(o, field << 3 | 2);
    put_varint(o, len);
    memcpy(o->b + o->len, p, len);
    o->len += len;
}

/* What differs from a good hello 1. A field that is left NULL or zero is taken from the good one. */
typedef struct twist {
    uint64_t version_min, version_max;
    const char *text[6]; /* software, role, function, protocol, security, reveal */
    size_t text_len[6];  /* 0: strlen */
    size_t nonce;        /* length, 0: 32 */
    const char *key;     /* last key */
    size_t keys;         /* number of keys, 0: 2 */
    int no_terms, no_keys, no_nonce, no_text, unknown;
} twist;

static void encode_hello1(bytes *o, const twist *t)
{
    static const char *const good[6] = {"0.1.0", "receiver", "match", "ecdh", "semi-honest", "both"};
    uint8_t nonce[64];
    for (int i = 0; i < 64; i++)
        nonce[i] = (uint8_t)i;
    static bytes terms;
    terms.len = 0;
    for (unsigned i = 1; i < 6; i++)
        if (t->no_text != (int)i)
            put_bytes(&terms, i, t->text[i] ? t->text[i] : good[i],
                      t->text_len[i] ? t->text_len[i] : strlen(t->text[i] ? t->text[i] : good[i]));
    size_t keys = t->no_keys ? 0 : t->keys ? t->keys : 2;
    for (size_t i = 0; i < keys; i++) {
        const char *key = i + 1 < keys ? "cn-resident-id" : t->key ? t->key : "exact";
        put_bytes(&terms, 6, key, strlen(key));
    }
    o->len = 0;
    put_number(o, 1, t->version_min ? t->version_min : 1);
    put_number(o, 2, t->version_max ? t->version_max : 3);
    if (t->no_text != -1)
        put_bytes(o, 3, t->text[0] ? t->text[0] : good[0], strlen(t->text[0] ? t->text[0] : good[0]));
    if (!t->no_nonce)
        put_bytes(o, 4, nonce, t->nonce ? t->nonce : 32);
    if (!t->no_terms)
        put_bytes(o, 5, terms.b, terms.len);
    if (t->unknown) {
        put_bytes(o, 100, "later", 5);
        put_number(o, 101, 7);
    }
}

static void good_hello1(wire_hello1 *h)
{
    memset(h, 0, sizeof *h);
    h->version_min = 1;
    h->version_max = 3;
    for (int i = 0; i < 32; i++)
        h->nonce[i] = (uint8_t)i;
    memcpy(h->software, "0.1.0", 6);
    memcpy(h->terms.role, "receiver", 9);
    memcpy(h->terms.function, "match", 6);
    memcpy(h->terms.protocol, "ecdh", 5);
    memcpy(h->terms.security, "semi-honest", 12);
    memcpy(h->terms.reveal, "both", 5);
    h->terms.key_count = 2;
    memcpy(h->terms.keys[0], "cn-resident-id", 15);
    memcpy(h->terms.keys[1], "exact", 6);
}

/* Frozen bytes of protocol version 1, from an encoder written apart from protobuf-c. */
static const char hello1_hex[] =
    "080110031a05302e312e302220000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    "2a410a08726563656976657212056d617463681a0465636468220b73656d692d686f6e6573742a04626f7468"
    "320e636e2d7265736964656e742d696432056578616374";
static const char hello2_hex[] =
    "088080401220a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf";

static void test_hello_known(void)
{
    uint8_t expected[256], *out = NULL;
    size_t n = unit_hex(expected, sizeof expected, hello1_hex), len = 0;
    wire_hello1 h, back;
    const char *why = NULL;
    good_hello1(&h);
    CU_ASSERT_EQUAL_FATAL(wire_hello1_build(&h, &out, &len), TALLY_OK);
    CU_ASSERT(len == n && memcmp(out, expected, n) == 0);
    psi_free(out);
    memset(&back, 0xff, sizeof back);
    CU_ASSERT_EQUAL(wire_hello1_parse(&back, expected, n, &why), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(&back, &h, sizeof h), 0);

    n = unit_hex(expected, sizeof expected, hello2_hex);
    wire_hello2 h2 = {.items = 1 << 20}, back2;
    for (int i = 0; i < 32; i++)
        h2.commitment[i] = (uint8_t)(0xa0 + i);
    CU_ASSERT_EQUAL_FATAL(wire_hello2_build(&h2, &out, &len), TALLY_OK);
    CU_ASSERT(len == n && memcmp(out, expected, n) == 0);
    psi_free(out);
    CU_ASSERT_EQUAL(wire_hello2_parse(&back2, expected, n, &why), TALLY_OK);
    CU_ASSERT(back2.items == h2.items && memcmp(back2.commitment, h2.commitment, 32) == 0);
}

static void random_text(char *out, size_t max)
{
    size_t n = 1 + unit_below((uint32_t)max);
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(0x20 + unit_below(0x7f - 0x20));
    out[n] = 0;
}

static void test_hello_roundtrip(void)
{
    for (int round = 0; round < 300; round++) {
        wire_hello1 h = {0}, back;
        const char *why = NULL;
        uint8_t *out = NULL;
        size_t len = 0;
        h.version_min = 1 + unit_below(65535);
        h.version_max = h.version_min + unit_below(65536 - h.version_min);
        unit_random(h.nonce, 32);
        random_text(h.software, WIRE_SOFTWARE_MAX);
        random_text(h.terms.role, WIRE_NAME_MAX);
        random_text(h.terms.function, WIRE_NAME_MAX);
        random_text(h.terms.protocol, WIRE_NAME_MAX);
        random_text(h.terms.security, WIRE_NAME_MAX);
        random_text(h.terms.reveal, WIRE_NAME_MAX);
        h.terms.key_count = 1 + unit_below(WIRE_KEYS_MAX);
        for (size_t i = 0; i < h.terms.key_count; i++)
            random_text(h.terms.keys[i], WIRE_NAME_MAX);
        CU_ASSERT_EQUAL_FATAL(wire_hello1_build(&h, &out, &len), TALLY_OK);
        CU_ASSERT(len <= WIRE_HELLO1_MAX);
        CU_ASSERT_EQUAL(wire_hello1_parse(&back, out, len, &why), TALLY_OK);
        CU_ASSERT_EQUAL(memcmp(&h, &back, sizeof h), 0);
        psi_free(out);

        const uint64_t sizes[] = {0, 1, 127, 128, unit_below(UINT32_MAX) >> 2, WIRE_ITEMS_MAX};
        wire_hello2 h2 = {.items = sizes[round % 6]}, back2 = {.items = 5};
        unit_random(h2.commitment, 32);
        CU_ASSERT_EQUAL_FATAL(wire_hello2_build(&h2, &out, &len), TALLY_OK);
        CU_ASSERT_EQUAL(wire_hello2_parse(&back2, out, len, &why), TALLY_OK);
        CU_ASSERT(back2.items == h2.items && memcmp(back2.commitment, h2.commitment, 32) == 0);
        psi_free(out);
    }
}

/* ---- One limit at a time ----------------------------------------------------------------------------- */

static void refused1(const uint8_t *in, size_t len, const char *part)
{
    wire_hello1 h, before;
    const char *why = "";
    memset(&h, 0x5a, sizeof h);
    before = h;
    CU_ASSERT_EQUAL(wire_hello1_parse(&h, in, len, &why), TALLY_ERR_MALFORMED);
    CU_ASSERT(strncmp(why, "hello 1: ", 9) == 0 && strstr(why, part));
    CU_ASSERT_EQUAL(memcmp(&h, &before, sizeof h), 0);
}

static void refused2(const bytes *in, const char *part)
{
    wire_hello2 h, before;
    const char *why = "";
    memset(&h, 0x5a, sizeof h);
    before = h;
    CU_ASSERT_EQUAL(wire_hello2_parse(&h, in->b, in->len, &why), TALLY_ERR_MALFORMED);
    CU_ASSERT(strncmp(why, "hello 2: ", 9) == 0 && strstr(why, part));
    CU_ASSERT_EQUAL(memcmp(&h, &before, sizeof h), 0);
}

static int accepted(const twist *t)
{
    static bytes o;
    wire_hello1 h;
    const char *why = NULL;
    encode_hello1(&o, t);
    return wire_hello1_parse(&h, o.b, o.len, &why) == TALLY_OK;
}

static void test_hello1_limits(void)
{
    static const char *const names[6] = {"software", "role", "function", "protocol", "security", "reveal"};
    static bytes o;
    char at_limit[65], above[66];
    memset(at_limit, 'x', 64);
    memset(above, 'x', 65);
    at_limit[64] = above[65] = 0;

    CU_ASSERT(accepted(&(twist){0}));
    CU_ASSERT(accepted(&(twist){.unknown = 1}));
    CU_ASSERT(accepted(&(twist){.version_max = 65535}));
    CU_ASSERT(accepted(&(twist){.keys = 8}));
    CU_ASSERT(accepted(&(twist){.key = at_limit}));
    for (int i = 0; i < 6; i++) {
        twist t = {0};
        t.text[i] = at_limit;
        CU_ASSERT(accepted(&t));
        t.text[i] = " ~";
        CU_ASSERT(accepted(&t));
        static const char *const bad[] = {"", "a\x1f", "\x7f", "\xc3\xa9", "tab\t", "line\n"};
        for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
            t.text[i] = bad[k];
            encode_hello1(&o, &t);
            refused1(o.b, o.len, names[i]);
        }
        t.text[i] = above;
        encode_hello1(&o, &t);
        refused1(o.b, o.len, names[i]);
        t.text[i] = NULL;
        t.no_text = i ? i : -1;
        encode_hello1(&o, &t);
        refused1(o.b, o.len, names[i]);
    }
    /* A zero byte must not hide what follows it. */
    twist hidden = {.text[2] = "match\0evil"};
    hidden.text_len[2] = 10;
    encode_hello1(&o, &hidden);
    refused1(o.b, o.len, "function");

    const struct {
        twist t;
        const char *part;
    } cases[] = {
        {{.version_min = 4}, "version_min"},
        {{.version_max = 65536}, "version_max"},
        {{.nonce = 31}, "nonce"},
        {{.nonce = 33}, "nonce"},
        {{.no_nonce = 1}, "nonce"},
        {{.no_terms = 1}, "terms"},
        {{.no_keys = 1}, "keys"},
        {{.keys = 9}, "keys"},
        {{.key = ""}, "key must"},
        {{.key = "a\nb"}, "key must"},
        {{.key = above}, "key must"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        encode_hello1(&o, &cases[i].t);
        refused1(o.b, o.len, cases[i].part);
    }
    encode_hello1(&o, &(twist){0});
    o.b[1] = 0; /* version_min */
    refused1(o.b, o.len, "version_min");
    o.b[1] = 1;
    for (size_t cut = 0; cut < o.len; cut++) {
        uint8_t *copy = malloc(cut + 1); /* its own block: a read past the end is seen */
        CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
        memcpy(copy, o.b, cut);
        refused1(copy, cut, "");
        free(copy);
    }
    /* Filled up to the limit by an unknown field: accepted; one byte more is not. */
    static const uint8_t padding[WIRE_HELLO1_MAX];
    size_t base = o.len;
    put_bytes(&o, 100, padding, WIRE_HELLO1_MAX - base - 4);
    CU_ASSERT_EQUAL(o.len, WIRE_HELLO1_MAX);
    wire_hello1 h;
    const char *why = NULL;
    CU_ASSERT_EQUAL(wire_hello1_parse(&h, o.b, o.len, &why), TALLY_OK);
    o.b[o.len++] = 0;
    refused1(o.b, o.len, "longer");
    /* Thousands of tiny unknown fields would cost far more memory than they have bytes. */
    encode_hello1(&o, &(twist){0});
    while (o.len + 3 <= WIRE_HELLO1_MAX)
        put_number(&o, 100, 1);
    refused1(o.b, o.len, "too many");
}

static void test_hello2_limits(void)
{
    static const uint8_t zero[40];
    static bytes o;
    wire_hello2 h;
    const char *why = NULL;
    put_number(&o, 1, 1ull << 30);
    put_bytes(&o, 2, zero, 32);
    put_number(&o, 9, 1);
    CU_ASSERT_EQUAL(wire_hello2_parse(&h, o.b, o.len, &why), TALLY_OK);
    CU_ASSERT_EQUAL(h.items, 1ull << 30);
    const uint64_t sizes[] = {(1ull << 30) + 1, 1ull << 40, UINT64_MAX};
    for (int i = 0; i < 3; i++) {
        o.len = 0;
        put_number(&o, 1, sizes[i]);
        put_bytes(&o, 2, zero, 32);
        refused2(&o, "items");
    }
    for (size_t n = 0; n <= 40; n++) {
        if (n == 32)
            continue;
        o.len = 0;
        put_bytes(&o, 2, zero, n);
        refused2(&o, "commitment");
    }
    o.len = 0;
    put_number(&o, 1, 3);
    refused2(&o, "commitment");
    put_bytes(&o, 2, zero, 32);
    o.len--;
    refused2(&o, "protocol buffer");
    o.len = 1025;
    refused2(&o, "longer");
}

static void test_version_pick(void)
{
    static const uint32_t t[][5] = {{1, 1, 1, 1, 1}, {1, 3, 2, 5, 3}, {2, 5, 1, 3, 3},
                                    {1, 1, 2, 2, 0}, {3, 4, 1, 2, 0}, {1, 9, 4, 4, 4},
                                    {4, 4, 1, 9, 4}, {1, 2, 2, 3, 2}, {1, 65535, 7, 65535, 65535}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        CU_ASSERT_EQUAL(wire_version_pick(t[i][0], t[i][1], t[i][2], t[i][3]), t[i][4]);
}

/* ---- Every allocation fails once --------------------------------------------------------------------- */

/* ---- Ping --------------------------------------------------------------------------------------------- */

static void test_ping(void)
{
    static const uint8_t known[] = {1, 1, 1, 0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 0,   0,  0,
                                    0, 1, 0, 0, 0, 2, 5,    't',  'a',  'l',  'l', 'y'};
    static const struct {
        size_t at;
        uint8_t byte;
    } bad[] = {{0, 2},  {1, 0},  {1, 3},  {2, 2},     {3, 1},    {4, 0x40},
               {14, 3}, {19, 4}, {19, 6}, {20, 0x1f}, {24, 0x7f}};
    wire_ping ping = {.waits = WIRE_WAITS_PING,
                      .has_terms = 1,
                      .clock_ms = 1700000000000,
                      .version_min = 1,
                      .version_max = 2,
                      .software = "tally"},
              back = {.clock_ms = 0};
    uint8_t form[WIRE_PING_MAX];
    const char *why = NULL;
    CU_ASSERT_EQUAL(wire_ping_build(&ping, form), sizeof known);
    CU_ASSERT_EQUAL(memcmp(form, known, sizeof known), 0);
    CU_ASSERT_EQUAL(wire_ping_parse(&back, known, sizeof known, &why), TALLY_OK);
    CU_ASSERT(back.waits == ping.waits && back.has_terms && back.clock_ms == ping.clock_ms &&
              back.version_min == 1 && back.version_max == 2 && strcmp(back.software, "tally") == 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memcpy(form, known, sizeof known);
        form[bad[i].at] = bad[i].byte;
        back = (wire_ping){.clock_ms = 7};
        why = NULL;
        CU_ASSERT_EQUAL(wire_ping_parse(&back, form, sizeof known, &why), TALLY_ERR_MALFORMED);
        CU_ASSERT(why && back.clock_ms == 7);
    }
    for (size_t len = 0; len < sizeof known; len++)
        CU_ASSERT_EQUAL(wire_ping_parse(&back, known, len, &why), TALLY_ERR_MALFORMED);
    memset(ping.software, 'x', WIRE_SOFTWARE_MAX);
    ping.software[WIRE_SOFTWARE_MAX] = 0;
    CU_ASSERT_EQUAL(wire_ping_build(&ping, form), WIRE_PING_MAX);
    CU_ASSERT_EQUAL(wire_ping_parse(&back, form, WIRE_PING_MAX, &why), TALLY_OK);
}

static void test_faults(void)
{
    static bytes o;
    wire_hello1 good, h, untouched;
    wire_hello2 h2;
    const char *why = NULL;
    uint8_t *out = NULL;
    size_t len = 0;
    good_hello1(&good);
    memset(&untouched, 0x33, sizeof untouched);
    encode_hello1(&o, &(twist){.keys = 8, .unknown = 1});

    psi_mem_fail_at(0);
    CU_ASSERT_EQUAL(wire_hello1_parse(&h, o.b, o.len, &why), TALLY_OK);
    unsigned long n = psi_mem_count();
    CU_ASSERT(n > 10);
    for (unsigned long i = 1; i <= n; i++) {
        h = untouched;
        psi_mem_fail_at(i);
        CU_ASSERT_EQUAL(wire_hello1_parse(&h, o.b, o.len, &why), TALLY_ERR_NO_MEMORY);
        CU_ASSERT_EQUAL(memcmp(&h, &untouched, sizeof h), 0);
    }
    psi_mem_fail_at(1);
    CU_ASSERT_EQUAL(wire_hello1_build(&good, &out, &len), TALLY_ERR_NO_MEMORY);
    psi_mem_fail_at(1);
    CU_ASSERT_EQUAL(wire_hello2_build(&(wire_hello2){.items = 1}, &out, &len), TALLY_ERR_NO_MEMORY);
    CU_ASSERT(out == NULL && len == 0);

    uint8_t raw[64];
    size_t raw_len = unit_hex(raw, sizeof raw, hello2_hex);
    psi_mem_fail_at(0);
    CU_ASSERT_EQUAL(wire_hello2_parse(&h2, raw, raw_len, &why), TALLY_OK);
    n = psi_mem_count();
    for (unsigned long i = 1; i <= n; i++) {
        psi_mem_fail_at(i);
        CU_ASSERT_EQUAL(wire_hello2_parse(&h2, raw, raw_len, &why), TALLY_ERR_NO_MEMORY);
    }
    psi_mem_fail_at(0);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"header", test_header},
        {"header_known", test_header_known},
        {"names", test_names},
        {"abort", test_abort},
        {"hello_known", test_hello_known},
        {"hello_roundtrip", test_hello_roundtrip},
        {"hello1_limits", test_hello1_limits},
        {"hello2_limits", test_hello2_limits},
        {"version_pick", test_version_pick},
        {"ping", test_ping},
        {"faults", test_faults},
    };
    return unit_main(argc, argv, "wire", tests, sizeof tests / sizeof *tests);
}
