/* SPDX-License-Identifier: Apache-2.0 */
/* Matching with columns: right for every match, nothing readable for any other, refusals by name. */
#include "party/hits.h"
#include "proto/tally.pb-c.h"
#include "psi/mem.h"
#include "psi/tagsize.h"
#include "tests/support_input.h"
#include "tests/support_session.h"
#include "tests/unit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX ((size_t)1 << 16)

/* A text that grows. */
typedef struct writer {
    char text[TEXT_MAX];
    size_t used;
} writer;

static void put(writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(writer *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    w->used += (size_t)vsnprintf(w->text + w->used, sizeof w->text - w->used, format, args);
    va_end(args);
    if (w->used >= sizeof w->text)
        abort();
}

/* ---- Two sessions over two files --------------------------------------------------------------------- */

/* "row:value|value\n" for each call. */
static int on_columns(void *user, uint64_t row, uint64_t line, const tally_text *values, size_t count)
{
    put(user, "%u:", (unsigned)row);
    for (size_t c = 0; c < count; c++)
        put(user, "%s%.*s", c ? "|" : "", (int)values[c].len, values[c].p);
    put(user, "\n");
    return line < row;
}

typedef struct runs {
    pair p;
    pair_side *r, *s;
    writer told;
    const char *out;
} runs;

static void start(runs *x, const char *receiver, const char *sender, enum tally_protocol protocol)
{
    static unsigned number;
    char name[40];
    memset(x, 0, sizeof *x);
    pair_init(&x->p, TALLY_SEMI_HONEST, TALLY_REVEAL_RECEIVER);
    x->r = &x->p.side[PAIR_RECEIVER];
    x->s = &x->p.side[PAIR_SENDER];
    const char *texts[2] = {receiver, sender};
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "in-%u.csv", number++);
        const char *path = unit_path(unit_tmp(), name);
        unit_write_text(path, texts[i]);
        CU_ASSERT_EQUAL_FATAL(tally_input_set_file(x->p.side[i].input, path, NULL), TALLY_OK);
        tally_session_set_protocol(x->p.side[i].session, protocol);
        tally_session_on_match(x->p.side[i].session, NULL, NULL);
    }
    snprintf(name, sizeof name, "out-%u.csv", number++);
    x->out = unit_path(unit_tmp(), name);
    CU_ASSERT_EQUAL_FATAL(tally_session_set_output(x->r->session, x->out, 0, NULL), TALLY_OK);
    tally_session_on_columns(x->r->session, on_columns, &x->told);
}

static void offer(runs *x, const char *column, size_t width)
{
    CU_ASSERT_EQUAL(tally_session_add_offer(x->s->session, column, width, NULL), TALLY_OK);
}

static void want(runs *x, const char *column)
{
    CU_ASSERT_EQUAL(tally_session_add_want(x->r->session, column, NULL), TALLY_OK);
}

static void rows(runs *x, unsigned n)
{
    CU_ASSERT_EQUAL(tally_session_set_rows_per_person(x->r->session, n, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_set_rows_per_person(x->s->session, n, NULL), TALLY_OK);
}

static void run_well(runs *x)
{
    pair_run(&x->p);
    CU_ASSERT_EQUAL(x->r->status, TALLY_OK);
    CU_ASSERT_EQUAL(x->s->status, TALLY_OK);
    if (x->r->status || x->s->status)
        printf("receiver: %s; sender: %s\n", x->r->error.message, x->s->error.message);
    CU_ASSERT_FALSE(x->r->leaked || x->s->leaked);
}

static void same_file(const char *path, const char *text)
{
    size_t len = 0;
    char *got = unit_read(path, &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(got);
    CU_ASSERT_STRING_EQUAL(got, text);
    free(got);
}

/* ---- Right for every match --------------------------------------------------------------------------- */

#define N 240u /* identifiers of the sender: 0 .. N-1; the receiver has N/2 .. 3N/2-1 */

/* Lists in which identifier i has 1 + i % copies rows at the sender, and every fifth two rows at the
 * receiver; what has to come out. */
static void lists(unsigned copies, writer *receiver, writer *sender, writer *expected, writer *expected_told)
{
    receiver->used = sender->used = expected->used = expected_told->used = 0;
    expected_told->text[0] = 0;
    unsigned row = 0;
    put(sender, "id,court,x,amount\n");
    for (unsigned c = 0; c < copies; c++)
        for (unsigned i = 0; i < N; i++)
            if (c <= i % copies)
                put(sender, PAIR_MARK "%u,\"court, %u\",no,%u\n", i, c, i * 10 + c);
    put(receiver, "name,id\n");
    put(expected, "name,id,amount,court\n");
    for (unsigned t = 0; t < 2; t++)
        for (unsigned i = N / 2; i < N + N / 2; i++) {
            if (t && i % 5)
                continue;
            row++;
            put(receiver, "n%u," PAIR_MARK "%u\n", row, i);
            for (unsigned c = 0; i < N && c <= i % copies; c++) {
                put(expected, "n%u," PAIR_MARK "%u,%u,\"court, %u\"\n", row, i, i * 10 + c, c);
                put(expected_told, "%u:%u|court, %u\n", row, i * 10 + c, c);
            }
        }
}

static void check_right(enum tally_protocol protocol, enum tally_security security, enum tally_reveal reveal,
                        unsigned copies)
{
    static writer receiver, sender, expected, expected_told;
    static runs x;
    lists(copies, &receiver, &sender, &expected, &expected_told);
    start(&x, receiver.text, sender.text, protocol);
    for (int i = 0; i < 2; i++) {
        tally_session_set_security(x.p.side[i].session, security);
        tally_session_set_reveal(x.p.side[i].session, reveal);
        tally_session_set_threads(x.p.side[i].session, 2);
    }
    offer(&x, "court", 20);
    offer(&x, "x", 2);
    offer(&x, "amount", 4);
    want(&x, "amount");
    want(&x, "court");
    if (copies > 1)
        rows(&x, copies);
    run_well(&x);
    same_file(x.out, expected.text);
    CU_ASSERT_STRING_EQUAL(x.told.text, expected_told.text);
    CU_ASSERT_EQUAL(x.r->result.matched_items, N / 2);
    CU_ASSERT_EQUAL(x.r->result.matched_rows, N / 2 + N / 10);
    CU_ASSERT_EQUAL(x.s->result.matched_items, reveal == TALLY_REVEAL_BOTH ? N / 2 : 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(tally_session_learned(x.r->session), "received columns of the other"));
    CU_ASSERT_PTR_NOT_NULL(strstr(tally_session_learned(x.s->session), ": amount, court."));
    pair_free(&x.p);
}

static void test_right(void)
{
    const enum tally_reveal one = TALLY_REVEAL_RECEIVER, both = TALLY_REVEAL_BOTH;
    check_right(TALLY_ECDH, TALLY_SEMI_HONEST, one, 1);
    check_right(TALLY_ECDH, TALLY_SEMI_HONEST, both, 3);
    check_right(TALLY_ECDH, TALLY_MALICIOUS, both, 3);
    check_right(TALLY_VOLE, TALLY_SEMI_HONEST, one, 1);
    check_right(TALLY_VOLE, TALLY_SEMI_HONEST, one, 3);
    check_right(TALLY_VOLE, TALLY_SEMI_HONEST, both, 3);
}

/* Labels of nearly 64 KiB: few entries to a frame. */
static void test_large(void)
{
    static writer sender;
    static runs x;
    put(&sender, "id,v\n");
    for (unsigned i = 0; i < 40; i++)
        put(&sender, "%u,v%u\n", i, i);
    for (int vole = 0; vole < 2; vole++) {
        start(&x, "id\n7\n39\n40\n", sender.text, vole ? TALLY_VOLE : TALLY_ECDH);
        offer(&x, "v", 1000);
        want(&x, "v");
        rows(&x, 64);
        run_well(&x);
        same_file(x.out, "id,v\n7,v7\n39,v39\n");
        CU_ASSERT(x.s->result.bytes_sent > 40u * 64u * 1003u);
        pair_free(&x.p);
    }
}

/* ---- Nothing readable for any other ------------------------------------------------------------------ */

typedef struct view {
    uint8_t *keys;
    size_t own, width;
    party_form form;
    psi_sid sid;
} view;

static void see_keys(void *user, const party_run *run, const uint8_t *keys)
{
    view *v = user;
    v->own = run->own;
    v->form = *run->form;
    v->sid = run->sid;
    v->keys = malloc(run->own * PSI_LABEL_KEY);
    if (!v->keys)
        abort();
    memcpy(v->keys, keys, run->own * PSI_LABEL_KEY);
    v->width = run->protocol == TALLY_VOLE ? psi_tag_bytes(run->own, run->peer) : PSI_MALICIOUS_TAG;
}

/* Opens whatever of a frame any key opens; also with the bytes of the tag as key. */
static size_t open_all(const view *v, const uint8_t *payload, size_t length, size_t *entries)
{
    psi_label *l = psi_label_new();
    uint8_t plain[256];
    size_t opened = 0, stride = v->width + v->form.sealed;
    *entries = length / stride;
    CU_ASSERT_EQUAL(length % stride, 0);
    CU_ASSERT_FATAL(l && v->form.label <= sizeof plain);
    for (size_t e = 0; e < *entries; e++) {
        const uint8_t *sealed = payload + e * stride + v->width;
        size_t before = opened;
        for (size_t k = 0; k < v->own; k++)
            opened += !psi_label_open(l, plain, v->keys + k * PSI_LABEL_KEY, &v->sid, sealed, v->form.label);
        CU_ASSERT(opened - before <= 1);
        uint8_t key[PSI_LABEL_KEY] = {0};
        memcpy(key, payload + e * stride, v->width);
        CU_ASSERT_EQUAL(psi_label_open(l, plain, key, &v->sid, sealed, v->form.label), TALLY_ERR_MALFORMED);
    }
    psi_label_free(l);
    return opened;
}

static void test_nothing_else(void)
{
    static writer receiver, sender, expected, expected_told;
    static runs x;
    lists(1, &receiver, &sender, &expected, &expected_told);
    for (int vole = 0; vole < 2; vole++) {
        view v = {0};
        pair_record record;
        start(&x, receiver.text, sender.text, vole ? TALLY_VOLE : TALLY_ECDH);
        offer(&x, "court", 20);
        offer(&x, "amount", 4);
        want(&x, "court");
        pair_record_start(&record, &x.s->tap);
        party_hits_watch(see_keys, &v);
        run_well(&x);
        party_hits_watch(NULL, NULL);
        CU_ASSERT_EQUAL(v.own, N);
        CU_ASSERT_EQUAL(v.form.sealed, 1 + 2 + 20 + 16);
        size_t seen = 0, opened = 0, entries = 0;
        for (size_t f = 0; f < record.count; f++) {
            const uint8_t *payload = record.frame[f].payload;
            size_t length = record.frame[f].length;
            /* No value goes in the clear, in whatever frame. */
            for (size_t i = 0; i + 6 <= length && record.frame[f].type != WIRE_HELLO1; i++)
                if (memcmp(payload + i, "court,", 6) == 0)
                    seen++;
            if (record.frame[f].type != WIRE_VOLE_TAGS && record.frame[f].type != WIRE_OPRF_TAGS)
                continue;
            size_t n;
            opened += open_all(&v, payload, length, &n);
            entries += n;
        }
        CU_ASSERT_EQUAL(seen, 0);
        CU_ASSERT_EQUAL(entries, N);
        CU_ASSERT_EQUAL(opened, N / 2);
        free(v.keys);
        pair_record_free(&record);
        pair_free(&x.p);
    }
}

/* ---- Altered on the way ------------------------------------------------------------------------------ */

/* The last byte of each frame of tags belongs to a label. */
static void spoil(pair_tap *tap, size_t index, uint8_t *frame, size_t len)
{
    size_t stride = *(size_t *)tap->user;
    (void)index;
    if (frame[8] == WIRE_VOLE_TAGS || frame[8] == WIRE_OPRF_TAGS)
        for (size_t end = len; end > WIRE_HEADER + stride - 1; end -= stride)
            frame[end - 1] ^= 1;
    tap_pass(tap, frame, len);
}

static void test_altered(void)
{
    static runs x;
    for (int vole = 0; vole < 2; vole++)
        for (int common = 0; common < 2; common++) {
            start(&x, common ? "id\na\nb\n" : "id\nc\nd\n", "id,v\na,1\nb,2\n",
                  vole ? TALLY_VOLE : TALLY_ECDH);
            size_t stride = (vole ? psi_tag_bytes(2, 2) : 16) + 1 + 2 + 5 + 16;
            offer(&x, "v", 5);
            want(&x, "v");
            x.s->tap.on_frame = spoil;
            x.s->tap.user = &stride;
            pair_run(&x.p);
            CU_ASSERT_EQUAL(x.r->status, common ? TALLY_ERR_MALFORMED : TALLY_OK);
            CU_ASSERT_EQUAL(x.told.used, 0);
            char *written = unit_read(x.out, &stride);
            CU_ASSERT_EQUAL(written != NULL, !common);
            free(written);
            /* Who spoils labels must not learn whether one was opened: both runs look alike to the sender. */
            CU_ASSERT_EQUAL(x.s->status, TALLY_OK);
            pair_free(&x.p);
        }
}

/* ---- Refusals ---------------------------------------------------------------------------------------- */

static void check_input(const char *sender, const char *column, size_t width, unsigned copies,
                        const char *says)
{
    static runs x;
    pair_record record;
    start(&x, "id\na\n", sender, TALLY_AUTO);
    offer(&x, column, width);
    want(&x, column);
    rows(&x, copies);
    pair_record_start(&record, &x.s->tap);
    pair_run(&x.p);
    CU_ASSERT_EQUAL(x.s->status, TALLY_ERR_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(x.s->error.message, says));
    if (!strstr(x.s->error.message, says))
        printf("got: %s\n", x.s->error.message);
    CU_ASSERT_PTR_NULL(strstr(x.s->error.message, "secret"));
    CU_ASSERT_EQUAL(x.r->status, TALLY_ERR_PEER_STOPPED);
    for (size_t i = 0; i < record.count; i++)
        CU_ASSERT_EQUAL(record.frame[i].type, WIRE_ABORT);
    pair_record_free(&record);
    pair_free(&x.p);
}

static void test_input(void)
{
    check_input("id,v\na,1\n", "w", 5, 1, "has no column \"w\"; its columns: id, v");
    check_input("id,v\na,12345\nb,\n\nc,secret\n", "v", 5, 1,
                "column 'v' at line 5 has 6 bytes, more than the offered 5");
    check_input("id,v\na,\xc3\xa4\xc3\xb6\n", "v", 3, 1, "column 'v' at line 2 has 4 bytes");
    check_input("id,v\na,1\nb,\xff\n", "v", 3, 1, "column 'v' at line 3 is not of the encoding");
    check_input("id,v\na,1\nb,2\na,secret\n", "v", 9, 1,
                "line 4 is row 2 of its identifier, more than the agreed 1");
    check_input("id,v\na,1\na,1\na,2\na,3\n", "v", 9, 3, "line 5 is row 4 of its identifier");
}

static void check_terms(void (*set)(runs *x), const char *receiver_says, const char *sender_says)
{
    static runs x;
    pair_record record;
    start(&x, "id\na\n", "id,court,v\na,1,2\n", TALLY_AUTO);
    set(&x);
    pair_record_start(&record, &x.s->tap);
    pair_run(&x.p);
    CU_ASSERT_EQUAL(x.r->status, TALLY_ERR_INCOMPATIBLE);
    CU_ASSERT_EQUAL(x.s->status, TALLY_ERR_INCOMPATIBLE);
    int said = strstr(x.r->error.message, receiver_says) && strstr(x.s->error.message, sender_says);
    CU_ASSERT(said);
    if (!said)
        printf("receiver: %s; sender: %s\n", x.r->error.message, x.s->error.message);
    CU_ASSERT_EQUAL(record.count, 1); /* hello 1, in which nothing is of the list */
    pair_record_free(&record);
    pair_free(&x.p);
}

static void set_not_offered(runs *x)
{
    offer(x, "court", 5);
    want(x, "court");
    want(x, "v");
}

static void set_offer_only(runs *x)
{
    offer(x, "court", 5);
    offer(x, "v", 5);
}

static void set_want_only(runs *x)
{
    want(x, "v");
}

static void set_rows(runs *x)
{
    offer(x, "v", 5);
    want(x, "v");
    CU_ASSERT_EQUAL(tally_session_set_rows_per_person(x->s->session, 3, NULL), TALLY_OK);
}

static void set_too_large(runs *x)
{
    offer(x, "v", 1024);
    want(x, "v");
    rows(x, 64);
}

static void test_terms(void)
{
    check_terms(set_not_offered, "column 'v': here wanted, there not offered",
                "column 'v': here not offered, there wanted");
    check_terms(set_offer_only, "columns: here none wanted, there court, v offered",
                "columns: here court, v offered, there none wanted");
    check_terms(set_want_only, "columns: here v wanted, there none offered",
                "columns: here none offered, there v wanted");
    check_terms(set_rows, "rows per person: here 1, there 3", "rows per person: here 3, there 1");
    check_terms(set_too_large, "65744 bytes for each identifier, more than 65536",
                "65744 bytes for each identifier, more than 65536");
}

static void test_settings(void)
{
    static runs x;
    tally_error e;
    char name[70];
    start(&x, "id\na\n", "id\na\n", TALLY_AUTO);
    tally_session *s = x.s->session, *r = x.r->session;
    memset(name, 'x', sizeof name);
    name[65] = 0;
    CU_ASSERT_EQUAL(tally_session_add_offer(s, name, 5, &e), TALLY_ERR_USAGE);
    name[64] = 0;
    CU_ASSERT_EQUAL(tally_session_add_offer(s, name, 5, &e), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_add_offer(s, name, 5, &e), TALLY_ERR_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "named twice"));
    CU_ASSERT_EQUAL(tally_session_add_offer(s, "", 5, &e), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_add_offer(s, "a\nb", 5, &e), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_add_offer(s, "a\xe2\x80\xae", 5, &e), TALLY_ERR_USAGE); /* U+202E */
    CU_ASSERT_EQUAL(tally_session_add_offer(s, "\xff", 5, &e), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_add_offer(s, "a", 0, &e), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_add_offer(s, "a", 1025, &e), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_add_offer(s, "\xe6\xb3\x95\xe9\x99\xa2", 1024, &e), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_set_rows_per_person(s, 0, &e), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_set_rows_per_person(s, 65, &e), TALLY_ERR_USAGE);
    for (int i = 0; i < 32; i++) {
        snprintf(name, sizeof name, "c%d", i);
        CU_ASSERT_EQUAL(tally_session_add_want(r, name, &e), TALLY_OK);
    }
    CU_ASSERT_EQUAL(tally_session_add_want(r, "more", &e), TALLY_ERR_USAGE);
    tally_session_set_role(r, TALLY_SENDER);
    CU_ASSERT_EQUAL(tally_session_run(r, &e), TALLY_ERR_USAGE);
    tally_session_set_role(s, TALLY_RECEIVER);
    CU_ASSERT_EQUAL(tally_session_run(s, &e), TALLY_ERR_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "the sender offers columns"));
    pair_free(&x.p);
    /* Rows from memory have no columns. */
    pair p;
    pair_init(&p, TALLY_SEMI_HONEST, TALLY_REVEAL_RECEIVER);
    pair_add(&p.side[PAIR_SENDER], (const uint32_t[]){1}, 1);
    CU_ASSERT_EQUAL(tally_session_add_offer(p.side[PAIR_SENDER].session, "v", 5, &e), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_run(p.side[PAIR_SENDER].session, &e), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_session_set_rows_per_person(p.side[PAIR_RECEIVER].session, 2, &e), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_run(p.side[PAIR_RECEIVER].session, &e), TALLY_ERR_USAGE);
    pair_free(&p);
}

/* ---- The file that comes out ------------------------------------------------------------------------- */

static void test_output(void)
{
    static runs x;
    /* Quoting, a last row without line end, picked columns first, values that are empty. */
    start(&x, "id,n\r\na,1\r\nb,2", "id,v,w\na,\"x \"\"y\"\"\",\nb,\"two\nlines\",z\n", TALLY_ECDH);
    offer(&x, "v", 30);
    offer(&x, "w", 1);
    want(&x, "w");
    want(&x, "v");
    CU_ASSERT_EQUAL(tally_session_add_output_column(x.r->session, "n", NULL), TALLY_OK);
    run_well(&x);
    same_file(x.out, "n,w,v\r\n1,,\"x \"\"y\"\"\"\r\n2,z,\"two\nlines\"\r\n");
    pair_free(&x.p);
    /* One record without header or line end, as several rows. */
    start(&x, "a", "id,v\na,1\na,2\n", TALLY_VOLE);
    tally_input_free(x.r->input);
    const char *single = unit_path(unit_tmp(), "single.csv");
    unit_write_text(single, "a");
    x.r->input = unit_input(single, "1:exact", NULL);
    tally_input_set_header(x.r->input, 0);
    tally_session_set_input(x.r->session, x.r->input);
    offer(&x, "v", 3);
    want(&x, "v");
    rows(&x, 2);
    run_well(&x);
    same_file(x.out, "a,1\na,2\n");
    pair_free(&x.p);
    /* A sender in UTF-8, a receiver in GB18030: U+6CD5 U+9662 is B7A8 D4BA there, U+1F600 9439FC36. */
    start(&x, "id\na\n", "id,\xe6\xb3\x95\xe9\x99\xa2\na,\xe6\xb3\x95\xf0\x9f\x98\x80\n", TALLY_VOLE);
    CU_ASSERT_EQUAL(tally_input_set_encoding(x.r->input, "gb18030", NULL), TALLY_OK);
    offer(&x, "\xe6\xb3\x95\xe9\x99\xa2", 7);
    want(&x, "\xe6\xb3\x95\xe9\x99\xa2");
    run_well(&x);
    same_file(x.out, "id,\xb7\xa8\xd4\xba\na,\xb7\xa8\x94\x39\xfc\x36\n");
    CU_ASSERT_STRING_EQUAL(x.told.text, "1:\xe6\xb3\x95\xf0\x9f\x98\x80\n");
    pair_free(&x.p);
}

/* ---- Pieces ------------------------------------------------------------------------------------------ */

static void test_label(void)
{
    /* Ciphertext of test case 2 of McGrew and Viega, "The Galois/Counter Mode of Operation": key, nonce and
     * text are zero. Additional data changes only the tag. */
    uint8_t key[16] = {0}, text[33] = {0}, sealed[33 + 16], plain[33], want[16];
    psi_sid sid = {{1}}, other = {{2}};
    psi_label *l = psi_label_new();
    CU_ASSERT_FATAL(l != NULL);
    unit_hex(want, sizeof want, "0388dace60b6a392f328c2b971b2fe78");
    CU_ASSERT_EQUAL(psi_label_seal(l, sealed, key, &sid, text, 16), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(sealed, want, 16), 0);
    unit_random(key, sizeof key);
    unit_random(text, sizeof text);
    CU_ASSERT_EQUAL(psi_label_seal(l, sealed, key, &sid, text, sizeof text), TALLY_OK);
    CU_ASSERT_EQUAL(psi_label_open(l, plain, key, &sid, sealed, sizeof text), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(plain, text, sizeof text), 0);
    CU_ASSERT_EQUAL(psi_label_open(l, plain, key, &other, sealed, sizeof text), TALLY_ERR_MALFORMED);
    CU_ASSERT_EQUAL(psi_label_open(l, plain, key, &sid, sealed, sizeof text - 1), TALLY_ERR_MALFORMED);
    for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
        sealed[bit / 8] = (uint8_t)(sealed[bit / 8] ^ 1u << (bit % 8));
        CU_ASSERT_EQUAL(psi_label_open(l, plain, key, &sid, sealed, sizeof text), TALLY_ERR_MALFORMED);
        CU_ASSERT_EQUAL(plain[bit % sizeof plain], 0);
        sealed[bit / 8] = (uint8_t)(sealed[bit / 8] ^ 1u << (bit % 8));
    }
    key[15] ^= 0x80;
    CU_ASSERT_EQUAL(psi_label_open(l, plain, key, &sid, sealed, sizeof text), TALLY_ERR_MALFORMED);
    psi_label_free(l);
}

/* Labels that open and are none: an active sender can seal what it likes. */
static void test_no_label(void)
{
    static const uint8_t bad[][2 * 6] = {
        {0, 0, 0, 0, 0, 0},                  /* no row at all */
        {2, 0, 0, 0, 0, 0},                  /* neither there nor not */
        {1, 0, 4, 'a', 'b', 'c'},            /* longer than its width */
        {1, 0, 1, 0xff, 0, 0},               /* not UTF-8 */
        {1, 0, 2, 'a', 0, 0},                /* a zero byte */
        {1, 1, 0, 'a', 0, 0},                /* 256 bytes */
        {1, 0, 0, 0, 0, 0, 1, 0, 9, 0, 0, 0} /* the second row */
    };
    static const uint8_t good[2 * 6] = {1, 0, 2, 'h', 'i', 0, 1, 0, 0, 0, 0, 0};
    wire_terms t = {.column_count = 1, .columns = {{"v", 3}}, .rows_per_person = 2};
    party_form form;
    party_opened opened;
    tally_error e;
    size_t none;
    uint32_t item = 4;
    uint8_t key[16], sealed[12 + 16];
    psi_sid sid = {{7}};
    psi_label *l = psi_label_new();
    party_sealed one = {1, &item, key, sealed};
    tally_text value;
    unit_random(key, sizeof key);
    CU_ASSERT_EQUAL_FATAL(party_form_init(&form, &t, &t, &none), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(form.label, 12);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_EQUAL(psi_label_seal(l, sealed, key, &sid, bad[i], 12), TALLY_OK);
        CU_ASSERT_EQUAL(party_open(&opened, &form, &one, NULL, 5, &sid, &e), TALLY_ERR_MALFORMED);
        party_opened_free(&opened);
    }
    CU_ASSERT_EQUAL(psi_label_seal(l, sealed, key, &sid, good, 12), TALLY_OK);
    CU_ASSERT_EQUAL(party_open(&opened, &form, &one, NULL, 5, &sid, &e), TALLY_OK);
    CU_ASSERT(party_opened_row(&opened, 4, 0, &value) && value.len == 2 && memcmp(value.p, "hi", 2) == 0);
    CU_ASSERT(party_opened_row(&opened, 4, 1, &value) && value.len == 0);
    CU_ASSERT_FALSE(party_opened_row(&opened, 3, 0, &value));
    party_opened_free(&opened);
    psi_label_free(l);
}

/* ---- The state table ---------------------------------------------------------------------------------- */

static tally_status take(party_state *s, uint8_t type, size_t length, uint64_t *units)
{
    party_frame frame = {.type = type, .length = (uint32_t)length};
    uint64_t first;
    return party_state_take(s, &frame, &first, units, NULL);
}

/* Entries of tags grow by what is sealed, in both protocols; no other frame does. */
static void test_state(void)
{
    party_state s;
    uint64_t units = 0;
    for (int vole = 0; vole < 2; vole++) {
        enum tally_protocol protocol = vole ? TALLY_VOLE : TALLY_ECDH;
        size_t entry = (vole ? 6 : 16) + 20;
        uint8_t tags = vole ? WIRE_VOLE_TAGS : WIRE_OPRF_TAGS;
        party_state_init(&s);
        party_state_sizes(&s, TALLY_RECEIVER, protocol, vole ? TALLY_SEMI_HONEST : TALLY_MALICIOUS, 0, 1, 3,
                          6);
        party_state_sealed(&s, 20);
        if (vole) {
            CU_ASSERT_EQUAL(take(&s, WIRE_VOLE_CHOICE, 100, &units), TALLY_OK);
        } else {
            CU_ASSERT_EQUAL(take(&s, WIRE_OPRF_KEY, 32, &units), TALLY_OK);
            CU_ASSERT_EQUAL(take(&s, WIRE_OPRF_EVALUATED, 32 + 64, &units), TALLY_OK);
        }
        CU_ASSERT_EQUAL(take(&s, tags, entry - 20, &units), TALLY_ERR_MALFORMED);
        CU_ASSERT_EQUAL(take(&s, tags, entry + 1, &units), TALLY_ERR_MALFORMED);
        CU_ASSERT_EQUAL(take(&s, tags, 2 * entry, &units), TALLY_OK);
        CU_ASSERT_EQUAL(units, 2);
        CU_ASSERT_EQUAL(take(&s, tags, 2 * entry, &units), TALLY_ERR_MALFORMED);
        CU_ASSERT_EQUAL(take(&s, tags, entry, &units), TALLY_OK);
        CU_ASSERT_EQUAL(take(&s, WIRE_RECEIPT, 40, &units), TALLY_OK);
        CU_ASSERT_EQUAL(take(&s, WIRE_DONE, 0, &units), TALLY_OK);
    }
}

/* ---- Hello 1 ----------------------------------------------------------------------------------------- */

static tally_status parse_columns(const char *role, Tally__Column **columns, size_t count, uint32_t rows_each)
{
    uint8_t nonce[32] = {0}, key[] = "exact", buffer[8192];
    const char *why = NULL;
    wire_hello1 out;
    uint8_t text[16];
    size_t len = strlen(role);
    memcpy(text, role, len);
    ProtobufCBinaryData word = {5, key}, keys[] = {{5, key}};
    Tally__Terms t = TALLY__TERMS__INIT;
    t.role = (ProtobufCBinaryData){len, text};
    t.function = t.protocol = t.security = t.reveal = word;
    t.n_keys = 1;
    t.keys = keys;
    t.n_columns = count;
    t.columns = columns;
    t.rows_per_person = rows_each;
    Tally__Hello1 h = TALLY__HELLO1__INIT;
    h.version_min = h.version_max = 1;
    h.software = word;
    h.nonce = (ProtobufCBinaryData){32, nonce};
    h.terms = &t;
    CU_ASSERT_FATAL(tally__hello1__get_packed_size(&h) <= sizeof buffer);
    tally_status st = wire_hello1_parse(&out, buffer, tally__hello1__pack(&h, buffer), &why);
    CU_ASSERT_EQUAL(st == TALLY_ERR_MALFORMED, why != NULL);
    if (!st) {
        CU_ASSERT_EQUAL(out.terms.column_count, count);
        CU_ASSERT_EQUAL(out.terms.rows_per_person, rows_each);
        for (size_t i = 0; i < out.terms.column_count; i++) {
            CU_ASSERT_EQUAL(out.terms.columns[i].width, columns[i]->width);
            CU_ASSERT_EQUAL(memcmp(out.terms.columns[i].name, columns[i]->name.data, columns[i]->name.len),
                            0);
        }
    }
    return st;
}

static void test_hello(void)
{
    static uint8_t names[33][4];
    Tally__Column c[33], *list[33];
    for (unsigned i = 0; i < 33; i++) {
        names[i][0] = 'c';
        names[i][1] = (uint8_t)('A' + i);
        tally__column__init(&c[i]);
        c[i].name = (ProtobufCBinaryData){2, names[i]};
        c[i].width = 1 + 31 * i;
        list[i] = &c[i];
    }
    const tally_status bad = TALLY_ERR_MALFORMED;
    CU_ASSERT_EQUAL(parse_columns("sender", list, 32, 64), TALLY_OK);
    CU_ASSERT_EQUAL(parse_columns("sender", list, 33, 64), bad);
    CU_ASSERT_EQUAL(parse_columns("sender", list, 1, 0), bad);
    CU_ASSERT_EQUAL(parse_columns("sender", list, 1, 65), bad);
    CU_ASSERT_EQUAL(parse_columns("sender", list, 0, 1), bad);
    CU_ASSERT_EQUAL(parse_columns("sender", list, 0, 0), TALLY_OK);
    CU_ASSERT_EQUAL(parse_columns("receiver", list, 1, 1), bad);
    c[0].width = 0;
    CU_ASSERT_EQUAL(parse_columns("sender", list, 1, 1), bad);
    CU_ASSERT_EQUAL(parse_columns("receiver", list, 1, 1), TALLY_OK);
    c[0].width = 1025;
    CU_ASSERT_EQUAL(parse_columns("sender", list, 1, 1), bad);
    c[0].width = 1024;
    CU_ASSERT_EQUAL(parse_columns("sender", list, 1, 1), TALLY_OK);
    names[0][1] = 0;
    CU_ASSERT_EQUAL(parse_columns("sender", list, 1, 1), bad);
    names[0][1] = 0x7f;
    CU_ASSERT_EQUAL(parse_columns("sender", list, 1, 1), bad);
    names[0][1] = 0xc3;
    CU_ASSERT_EQUAL(parse_columns("sender", list, 1, 1), bad);
    memcpy(names[0], names[1], 2);
    CU_ASSERT_EQUAL(parse_columns("sender", list, 1, 1), TALLY_OK);
    CU_ASSERT_EQUAL(parse_columns("sender", list, 2, 1), bad);
    c[0].name.len = 0;
    CU_ASSERT_EQUAL(parse_columns("sender", list, 1, 1), bad);
}

/* Each allocation of a run fails once, in steps: neither side says anything but that, or that the other one
 * stopped; nothing is written. */
static void check_memory(enum tally_protocol protocol, unsigned long step)
{
    static runs x;
    unsigned long n = 1, failures = 0;
    for (;; n += step) {
        start(&x, "id\na\nb\n", "id,v\na,1\nb,2\na,3\n", protocol);
        offer(&x, "v", 5);
        want(&x, "v");
        rows(&x, 2);
        psi_mem_fail_at(n);
        pair_run(&x.p);
        int failed = psi_mem_count() >= n;
        psi_mem_fail_at(0);
        failures += (unsigned long)failed;
        CU_ASSERT(!failed || x.r->status == TALLY_ERR_NO_MEMORY || x.s->status == TALLY_ERR_NO_MEMORY);
        CU_ASSERT(failed || (!x.r->status && !x.s->status));
        if (!x.r->status)
            same_file(x.out, "id,v\na,1\na,3\nb,2\n");
        pair_free(&x.p);
        if (!failed)
            break;
    }
    CU_ASSERT(failures > 10);
}

static void test_memory(void)
{
    check_memory(TALLY_ECDH, 1);
    check_memory(TALLY_VOLE, 5);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"right", test_right},       {"large", test_large},   {"nothing_else", test_nothing_else},
        {"altered", test_altered},   {"input", test_input},   {"terms", test_terms},
        {"settings", test_settings}, {"output", test_output}, {"label", test_label},
        {"no_label", test_no_label}, {"hello", test_hello},   {"memory", test_memory},
        {"state", test_state},
    };
    return unit_main(argc, argv, "columns", tests, sizeof tests / sizeof *tests);
}
