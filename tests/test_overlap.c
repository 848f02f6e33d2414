/* SPDX-License-Identifier: Apache-2.0 */
/* Columns under a minimum overlap: below it no label opens, from it on all of the matches do. */
#include "party/columns.h"
#include "party/overlap.h"
#include "party/session.h"
#include "psi/mem.h"
#include "psi/rng.h"
#include "psi/tagsize.h"
#include "tests/support_input.h"
#include "tests/support_session.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Labels without a run ----------------------------------------------------------------------------- */

#define SPARE 20u
#define MOST (PSI_SHAMIR_MAX + SPARE)

/* A sender's list with sealed labels, and the same items in the receiver's order, which is the reverse. */
typedef struct sealed_list {
    size_t n;
    party_form form;
    psi_sid sid;
    tally_input *input;
    psi_item theirs[MOST];
    uint8_t keys[MOST][PSI_LABEL_KEY];
    uint8_t *sealed; /* form.sealed each */
} sealed_list;

static const char *value_of(uint32_t item)
{
    static char text[16];
    snprintf(text, sizeof text, "v%u", (unsigned)item);
    return text;
}

static wire_terms terms(uint64_t minimum)
{
    return (wire_terms){
        .column_count = 1, .columns = {{"v", 6}}, .rows_per_person = 1, .min_overlap = minimum};
}

/* Rows whose value is the number of their item. */
static void write_list(const char *path, const psi_item *items, size_t n, const party_row *rows)
{
    FILE *f = fopen(path, "w");
    CU_ASSERT_FATAL(f != NULL);
    fputs("id,v\n", f);
    for (size_t r = 0; r < n; r++)
        fprintf(f, "%u,%s\n", (unsigned)r + 10000, items ? value_of(rows[r].item) : "v0000");
    fclose(f);
}

/* A loaded file in which each item's value is its index: written twice, as the order comes from loading. */
static void load(sealed_list *l)
{
    size_t count;
    char name[2][24];
    static unsigned number;
    snprintf(name[0], sizeof name[0], "a-%u.csv", number);
    snprintf(name[1], sizeof name[1], "b-%u.csv", number++);
    const char *path = unit_path(unit_tmp(), name[0]);
    write_list(path, NULL, l->n, NULL);
    tally_input *first = unit_input(path, "id:exact", NULL);
    CU_ASSERT_EQUAL_FATAL(tally_input_load(first, NULL), TALLY_OK);
    path = unit_path(unit_tmp(), name[1]);
    write_list(path, party_input_items(first, &count), l->n, party_input_rows(first, &count));
    tally_input_free(first);
    l->input = unit_input(path, "id:exact", NULL);
    CU_ASSERT_EQUAL_FATAL(tally_input_load(l->input, NULL), TALLY_OK);
}

static void seal_all(sealed_list *l, size_t n, uint64_t minimum)
{
    wire_terms t = terms(minimum);
    size_t bad, count;
    party_offer *offer;
    party_overlap *overlap = NULL;
    memset(l, 0, sizeof *l);
    l->n = n;
    load(l);
    unit_random(&l->sid, sizeof l->sid);
    unit_random(l->keys, sizeof l->keys);
    CU_ASSERT_EQUAL_FATAL(party_form_init(&l->form, &t, &t, &bad), TALLY_OK);
    CU_ASSERT_EQUAL(l->form.sealed, 1 + 2 + 6 + 16 + 16);
    const psi_item *items = party_input_items(l->input, &count);
    CU_ASSERT_EQUAL_FATAL(count, n);
    for (size_t i = 0; i < n; i++)
        l->theirs[i] = items[n - 1 - i];
    CU_ASSERT_EQUAL_FATAL(party_offer_load(&offer, l->input, t.columns, 1, 1, NULL, NULL), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(party_overlap_new(&overlap, (size_t)minimum, &l->sid), TALLY_OK);
    party_sealer *s = party_sealer_new(&l->form, offer, overlap, items, &l->sid);
    l->sealed = malloc(n * l->form.sealed);
    CU_ASSERT_FATAL(s && l->sealed);
    for (uint32_t i = 0; i < n; i++)
        CU_ASSERT_EQUAL(party_seal(s, i, l->keys[i], l->sealed + i * l->form.sealed), TALLY_OK);
    party_sealer_free(s);
    party_overlap_free(overlap);
    party_offer_free(offer);
}

static void free_list(sealed_list *l)
{
    free(l->sealed);
    tally_input_free(l->input);
}

/* The receiver has matched the sender's items pick[0 .. m - 1], in that order. */
static tally_status open_some(const sealed_list *l, const uint32_t *pick, size_t m, tally_error *e)
{
    party_sealed s = {m, psi_calloc(m, sizeof *s.items), psi_secret_calloc(m, PSI_LABEL_KEY),
                      psi_calloc(m, l->form.sealed)};
    party_opened o;
    tally_error local;
    CU_ASSERT_FATAL(s.items && s.keys && s.sealed);
    for (size_t i = 0; i < m; i++) {
        s.items[i] = (uint32_t)(l->n - 1 - pick[i]);
        memcpy(s.keys + i * PSI_LABEL_KEY, l->keys[pick[i]], PSI_LABEL_KEY);
        memcpy(s.sealed + i * l->form.sealed, l->sealed + pick[i] * l->form.sealed, l->form.sealed);
    }
    tally_status st = party_open(&o, &l->form, &s, l->theirs, l->n, &l->sid, e ? e : &local);
    for (size_t i = 0; !st && i < m; i++) {
        tally_text v = {NULL, 0};
        CU_ASSERT(party_opened_row(&o, s.items[i], 0, &v));
        CU_ASSERT(v.len == strlen(value_of(pick[i])) && memcmp(v.p, value_of(pick[i]), v.len) == 0);
    }
    party_opened_free(&o);
    party_sealed_free(&s);
    return st;
}

static void draw(uint32_t *pick, size_t n)
{
    for (uint32_t i = 0; i < n; i++)
        pick[i] = i;
    for (size_t i = n; i-- > 1;) {
        uint32_t j = unit_below((uint32_t)i + 1), t = pick[i];
        pick[i] = pick[j];
        pick[j] = t;
    }
}

static void test_counts(void)
{
    static const unsigned minimum[] = {2, 3, 10, 1000};
    static sealed_list l;
    static uint32_t pick[MOST];
    for (unsigned k = 0; k < 4; k++) {
        size_t t = minimum[k], n = t + SPARE;
        tally_error e;
        char says[100];
        seal_all(&l, n, t);
        draw(pick, n);
        CU_ASSERT_EQUAL(open_some(&l, pick, 0, &e), TALLY_ERR_POLICY);
        CU_ASSERT_EQUAL(open_some(&l, pick, t - 1, &e), TALLY_ERR_POLICY);
        snprintf(says, sizeof says,
                 "only %zu identifier%s, fewer than the minimum overlap of %zu: the columns stay sealed",
                 t - 1, t == 2 ? " matches" : "s match", t);
        CU_ASSERT_STRING_EQUAL(e.message, says);
        CU_ASSERT_EQUAL(open_some(&l, pick, t, &e), TALLY_OK);
        CU_ASSERT_EQUAL(open_some(&l, pick + 3, t + 1, &e), TALLY_OK);
        CU_ASSERT_EQUAL(open_some(&l, pick, n, &e), TALLY_OK);
        free_list(&l);
    }
}

/* The key of an item opens its label neither alone nor with a key of all columns that T - 1 matches and a
 * wrong one give. */
static void test_key_alone(void)
{
    static sealed_list l;
    uint8_t plain[16], key[PSI_LABEL_KEY];
    psi_label *label = psi_label_new();
    CU_ASSERT_FATAL(label != NULL);
    seal_all(&l, 30, 3);
    for (size_t i = 0; i < l.n; i++) {
        const uint8_t *at = l.sealed + i * l.form.sealed;
        CU_ASSERT_EQUAL(psi_label_open(label, plain, l.keys[i], &l.sid, at + PARTY_SHARE, l.form.label),
                        TALLY_ERR_MALFORMED);
        CU_ASSERT_EQUAL(psi_label_open(label, plain, l.keys[i], &l.sid, at, l.form.label),
                        TALLY_ERR_MALFORMED);
        /* as the share as it came, taken for the key */
        CU_ASSERT_EQUAL(psi_label_open(label, plain, at, &l.sid, at + PARTY_SHARE, l.form.label),
                        TALLY_ERR_MALFORMED);
    }
    party_share shares[3];
    for (size_t i = 0; i < 3; i++)
        shares[i] = (party_share){&l.theirs[l.n - 1 - i], l.keys[i], l.sealed + i * l.form.sealed};
    party_overlap *o = NULL;
    for (unsigned wrong = 0; wrong < 4; wrong++) {
        party_share some[3];
        memcpy(some, shares, sizeof some);
        if (wrong == 1)
            some[2].key = l.keys[9]; /* a non-match, whose pad is not known */
        if (wrong == 2)
            some[2].item = &l.theirs[0];
        if (wrong == 3)
            some[2].share = l.sealed + 7 * l.form.sealed;
        CU_ASSERT_EQUAL_FATAL(party_overlap_join(&o, some, 3, &l.sid), TALLY_OK);
        party_overlap_key(o, key, l.keys[0]);
        tally_status st = psi_label_open(label, plain, key, &l.sid, l.sealed + PARTY_SHARE, l.form.label);
        CU_ASSERT_EQUAL(st, wrong ? TALLY_ERR_MALFORMED : TALLY_OK);
        party_overlap_free(o);
    }
    psi_label_free(label);
    free_list(&l);
}

/* One share altered: as a label that does not open. Altered where it is not needed, it does not matter. */
static void test_altered(void)
{
    static sealed_list l;
    uint32_t pick[25];
    seal_all(&l, 25, 4);
    draw(pick, 25);
    for (unsigned bit = 0; bit < 128; bit += 7) {
        uint8_t *first = l.sealed + pick[bit % 4] * l.form.sealed,
                *fifth = l.sealed + pick[4] * l.form.sealed;
        first[bit / 8] = (uint8_t)(first[bit / 8] ^ 1u << bit % 8);
        CU_ASSERT_EQUAL(open_some(&l, pick, 4, NULL), TALLY_ERR_MALFORMED);
        CU_ASSERT_EQUAL(open_some(&l, pick, 20, NULL), TALLY_ERR_MALFORMED);
        first[bit / 8] = (uint8_t)(first[bit / 8] ^ 1u << bit % 8);
        fifth[bit / 8] = (uint8_t)(fifth[bit / 8] ^ 1u << bit % 8);
        CU_ASSERT_EQUAL(open_some(&l, pick, 5, NULL), TALLY_OK);
        fifth[bit / 8] = (uint8_t)(fifth[bit / 8] ^ 1u << bit % 8);
    }
    /* A label altered, its share not; another session. */
    l.sealed[pick[2] * l.form.sealed + PARTY_SHARE] ^= 1;
    CU_ASSERT_EQUAL(open_some(&l, pick, 4, NULL), TALLY_ERR_MALFORMED);
    l.sealed[pick[2] * l.form.sealed + PARTY_SHARE] ^= 1;
    CU_ASSERT_EQUAL(open_some(&l, pick, 4, NULL), TALLY_OK);
    l.sid.b[5] ^= 1;
    CU_ASSERT_EQUAL(open_some(&l, pick, 4, NULL), TALLY_ERR_MALFORMED);
    free_list(&l);
}

/* An entry that comes twice is one match. */
static void test_repeated(void)
{
    static sealed_list l;
    static const uint32_t three[] = {5, 9, 5, 1}, four[] = {5, 9, 5, 1, 8};
    seal_all(&l, 25, 4);
    CU_ASSERT_EQUAL(open_some(&l, three, 4, NULL), TALLY_ERR_POLICY);
    CU_ASSERT_EQUAL(open_some(&l, four, 5, NULL), TALLY_OK);
    free_list(&l);
}

/* The form with, without and beyond. */
static void test_form(void)
{
    party_form f, g;
    size_t bad;
    wire_terms t = terms(0);
    CU_ASSERT_EQUAL(party_form_init(&f, &t, &t, &bad), TALLY_OK);
    CU_ASSERT_EQUAL(f.sealed, 9 + 16);
    t = terms(1);
    CU_ASSERT_EQUAL(party_form_init(&g, &t, &t, &bad), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(&f, &g, sizeof f), 0);
    t = terms(1000);
    CU_ASSERT_EQUAL(party_form_init(&g, &t, &t, &bad), TALLY_OK);
    CU_ASSERT(g.minimum == 1000 && g.sealed == 9 + 32 && g.label == 9);
    static const uint64_t beyond[] = {1001, UINT32_MAX, (uint64_t)1 << 32, ((uint64_t)1 << 32) + 5,
                                      UINT64_MAX};
    for (unsigned i = 0; i < 5; i++) {
        t = terms(beyond[i]);
        CU_ASSERT_EQUAL(party_form_init(&g, &t, &t, &bad), TALLY_ERR_USAGE);
    }
    t = terms(5);
    t.column_count = 0;
    CU_ASSERT_EQUAL(party_form_init(&g, &t, &t, &bad), TALLY_OK);
    CU_ASSERT(g.minimum == 0 && g.sealed == 0);
    /* The share counts towards the largest sealed label: 65,536 bytes. */
    t = terms(0);
    t.rows_per_person = 64;
    t.columns[0].width = 1018;
    CU_ASSERT_EQUAL(party_form_init(&g, &t, &t, &bad), TALLY_OK);
    CU_ASSERT_EQUAL(g.sealed, 64 * 1021 + 16);
    t.columns[0].width = 1020;
    CU_ASSERT_EQUAL(party_form_init(&g, &t, &t, &bad), TALLY_OK);
    CU_ASSERT_EQUAL(g.sealed, 64 * 1023 + 16);
    t.min_overlap = 2;
    CU_ASSERT_EQUAL(party_form_init(&g, &t, &t, &bad), TALLY_OK);
    CU_ASSERT_EQUAL(g.sealed, 64 * 1023 + 32);
}

/* Below two: today's bytes, whatever else is given. */
static void test_unchanged(void)
{
    static sealed_list l;
    wire_terms t = terms(1);
    party_form form;
    party_offer *offer;
    uint8_t got[9 + 16], want[9 + 16], plain[9] = {1, 0, 2, 'v', '3'};
    size_t bad;
    l.n = 5;
    load(&l);
    CU_ASSERT_EQUAL_FATAL(party_form_init(&form, &t, &t, &bad), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(party_offer_load(&offer, l.input, t.columns, 1, 1, NULL, NULL), TALLY_OK);
    party_sealer *s = party_sealer_new(&form, offer, NULL, NULL, &l.sid);
    psi_label *label = psi_label_new();
    CU_ASSERT_FATAL(s && label);
    CU_ASSERT_EQUAL(party_seal(s, 3, l.keys[3], got), TALLY_OK);
    CU_ASSERT_EQUAL(psi_label_seal(label, want, l.keys[3], &l.sid, plain, 9), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(got, want, sizeof got), 0);
    psi_label_free(label);
    party_sealer_free(s);
    party_offer_free(offer);
    tally_input_free(l.input);
}

/* What is hashed, in so many bytes; the polynomial of degree 1 through two of its own shares. */
static void test_bytes(void)
{
    psi_sid sid = {{3}};
    psi_item item = {{4}};
    uint8_t key[16] = {5}, share[16], got[16], block[64 + 48] = {0}, digest[32];
    party_overlap *o = NULL;
    CU_ASSERT_EQUAL_FATAL(party_overlap_new(&o, 2, &sid), TALLY_OK);
    /* Two items of the same share formula give the column key, by which a label key is checked. */
    psi_item other = {{6}};
    party_overlap *joined = NULL;
    uint8_t share2[16], again[16];
    party_overlap_share(o, share, &item, key);
    party_overlap_share(o, share2, &other, key);
    party_share two[2] = {{&item, key, share}, {&other, key, share2}};
    CU_ASSERT_EQUAL_FATAL(party_overlap_join(&joined, two, 2, &sid), TALLY_OK);
    party_overlap_key(o, got, key);
    party_overlap_key(joined, again, key);
    CU_ASSERT_EQUAL(memcmp(got, again, 16), 0);
    /* By hand: pads and points from plain SHA-256 of a first block of tag and sid. */
    static const char *const tags[3] = {"tally/1 lblshr", "tally/1 lblpnt", "tally/1 lblboth"};
    uint8_t pad[16] = {0}, points[32] = {0}, plain[32], secret[16];
    for (unsigned h = 0; h < 2; h++)
        for (unsigned i = 0; i < 2; i++) {
            const void *message = h == 0 ? (const void *)key : i ? (const void *)&other : (const void *)&item;
            size_t len = h == 0 ? 16 : 32;
            memset(block, 0, sizeof block);
            block[0] = (uint8_t)strlen(tags[h]);
            memcpy(block + 1, tags[h], block[0]);
            memcpy(block + 1 + block[0], sid.b, 32);
            memcpy(block + 64, message, len);
            CU_ASSERT_EQUAL(psi_sha256(block, 64 + len, digest), TALLY_OK);
            memcpy(h == 0 ? pad : points + 16 * i, digest, 16);
        }
    for (unsigned b = 0; b < 16; b++) {
        plain[b] = share[b] ^ pad[b];
        plain[16 + b] = share2[b] ^ pad[b];
    }
    CU_ASSERT_EQUAL(psi_shamir_join(secret, points, plain, 2), TALLY_OK);
    memset(block, 0, sizeof block);
    block[0] = (uint8_t)strlen(tags[2]);
    memcpy(block + 1, tags[2], block[0]);
    memcpy(block + 1 + block[0], sid.b, 32);
    memcpy(block + 64, secret, 16);
    memcpy(block + 80, key, 16);
    CU_ASSERT_EQUAL(psi_sha256(block, 96, digest), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(digest, got, 16), 0);
    /* One item twice is one point. */
    two[1].item = &item;
    party_overlap_free(joined);
    joined = NULL;
    CU_ASSERT_EQUAL(party_overlap_join(&joined, two, 2, &sid), TALLY_ERR_MALFORMED);
    CU_ASSERT_PTR_NULL(joined);
    party_overlap_free(o);
}

static void test_failures(void)
{
    static sealed_list l;
    static const uint32_t pick[] = {5, 9, 2, 1};
    psi_sid sid = {{1}};
    party_overlap *o = NULL;
    psi_rng_fail_at(1);
    CU_ASSERT_EQUAL(party_overlap_new(&o, 3, &sid), TALLY_ERR_RANDOM);
    psi_rng_fail_at(0);
    for (unsigned long n = 1; n <= 2; n++) {
        psi_mem_fail_at(n);
        CU_ASSERT_EQUAL(party_overlap_new(&o, 3, &sid), TALLY_ERR_NO_MEMORY);
        psi_mem_fail_at(0);
    }
    CU_ASSERT_PTR_NULL(o);
    party_overlap_free(NULL);
    seal_all(&l, 25, 4);
    unsigned long n = 4; /* after the three lists of open_some */
    for (;; n++) {
        psi_mem_fail_at(n);
        tally_status st = open_some(&l, pick, 4, NULL);
        int failed = psi_mem_count() >= n;
        psi_mem_fail_at(0);
        CU_ASSERT_EQUAL(st, failed ? TALLY_ERR_NO_MEMORY : TALLY_OK);
        if (!failed)
            break;
    }
    CU_ASSERT(n >= 4 + 9);
    free_list(&l);
}

/* ---- Two sessions ------------------------------------------------------------------------------------- */

typedef struct agreed {
    size_t entry; /* bytes of an entry of tags */
    size_t spoil; /* byte of each entry that is altered, counted from its end; 0: none */
} agreed;

static void spoil(pair_tap *tap, size_t index, uint8_t *frame, size_t len)
{
    const agreed *a = tap->user;
    (void)index;
    if (a->spoil && (frame[8] == WIRE_VOLE_TAGS || frame[8] == WIRE_OPRF_TAGS))
        for (size_t end = len; end > WIRE_HEADER + a->entry - 1; end -= a->entry)
            frame[end - a->spoil] ^= 1;
    tap_pass(tap, frame, len);
}

/* The sender has 0..99, the receiver 60..159: 40 match. */
static void check_run(enum tally_protocol protocol, enum tally_reveal reveal, unsigned minimum,
                      size_t altered, tally_status wanted)
{
    static char texts[2][4096], expected[4096];
    static unsigned number;
    size_t used[2] = {0, 0}, length = 0;
    char name[24];
    pair p;
    agreed a[2];
    pair_init(&p, TALLY_SEMI_HONEST, reveal);
    used[PAIR_RECEIVER] = (size_t)snprintf(texts[PAIR_RECEIVER], sizeof texts[0], "id\n");
    used[PAIR_SENDER] = (size_t)snprintf(texts[PAIR_SENDER], sizeof texts[0], "id,v\n");
    length = (size_t)snprintf(expected, sizeof expected, "id,v\n");
    for (unsigned i = 0; i < 100; i++) {
        used[PAIR_SENDER] += (size_t)snprintf(texts[PAIR_SENDER] + used[PAIR_SENDER], 40, "%u,v%u\n", i, i);
        used[PAIR_RECEIVER] +=
            (size_t)snprintf(texts[PAIR_RECEIVER] + used[PAIR_RECEIVER], 40, "%u\n", i + 60);
        if (i >= 60)
            length += (size_t)snprintf(expected + length, 40, "%u,v%u\n", i, i);
    }
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "run-%u.csv", number++);
        const char *path = unit_path(unit_tmp(), name);
        unit_write_text(path, texts[i]);
        CU_ASSERT_EQUAL_FATAL(tally_input_set_file(p.side[i].input, path, NULL), TALLY_OK);
        tally_session_set_protocol(p.side[i].session, protocol);
        tally_session_on_match(p.side[i].session, NULL, NULL);
        tally_session_set_threads(p.side[i].session, 2);
        size_t tag = protocol == TALLY_VOLE ? psi_tag_bytes(100, 100) : PSI_MALICIOUS_TAG;
        a[i] = (agreed){tag + 1 + 2 + 5 + 32, i == PAIR_SENDER ? altered : 0};
        CU_ASSERT_EQUAL(tally_session_set_min_overlap(p.side[i].session, minimum, NULL), TALLY_OK);
        p.side[i].tap.on_frame = spoil;
        p.side[i].tap.user = &a[i];
    }
    snprintf(name, sizeof name, "out-%u.csv", number++);
    const char *out = unit_path(unit_tmp(), name);
    tally_session *r = p.side[PAIR_RECEIVER].session, *s = p.side[PAIR_SENDER].session;
    CU_ASSERT_EQUAL(tally_session_set_output(r, out, 0, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_add_offer(s, "v", 5, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(tally_session_add_want(r, "v", NULL), TALLY_OK);
    pair_run(&p);
    CU_ASSERT_EQUAL(p.side[PAIR_RECEIVER].status, wanted);
    if (p.side[PAIR_RECEIVER].status != wanted)
        printf("receiver: %s\n", p.side[PAIR_RECEIVER].error.message);
    /* The sender's run is the same in any case. */
    CU_ASSERT_EQUAL(p.side[PAIR_SENDER].status, TALLY_OK);
    CU_ASSERT_EQUAL(p.side[PAIR_SENDER].result.matched_items, reveal == TALLY_REVEAL_BOTH ? 40 : 0);
    char *got = unit_read(out, &length);
    CU_ASSERT_EQUAL(got != NULL, wanted == TALLY_OK);
    if (got && !wanted)
        CU_ASSERT_STRING_EQUAL(got, expected);
    free(got);
    if (wanted == TALLY_ERR_POLICY)
        CU_ASSERT_STRING_EQUAL(p.side[PAIR_RECEIVER].error.message,
                               "only 40 identifiers match, fewer than the minimum overlap of 41: the columns "
                               "stay sealed");
    pair_free(&p);
}

static void test_runs(void)
{
    static const enum tally_protocol protocols[] = {TALLY_ECDH, TALLY_VOLE};
    const enum tally_reveal one = TALLY_REVEAL_RECEIVER, both = TALLY_REVEAL_BOTH;
    for (unsigned i = 0; i < 2; i++) {
        check_run(protocols[i], one, 2, 0, TALLY_OK);
        check_run(protocols[i], one, 39, 0, TALLY_OK);
        check_run(protocols[i], both, 40, 0, TALLY_OK);
        check_run(protocols[i], one, 41, 0, TALLY_ERR_POLICY);
        check_run(protocols[i], both, 41, 0, TALLY_ERR_POLICY);
        /* a bit of every share, then of every label: as if there were no minimum */
        check_run(protocols[i], one, 40, 1 + 2 + 5 + 32, TALLY_ERR_MALFORMED);
        check_run(protocols[i], one, 40, 1, TALLY_ERR_MALFORMED);
        check_run(protocols[i], one, 41, 1, TALLY_ERR_POLICY);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"counts", test_counts},     {"key_alone", test_key_alone}, {"altered", test_altered},
        {"repeated", test_repeated}, {"form", test_form},           {"unchanged", test_unchanged},
        {"bytes", test_bytes},       {"failures", test_failures},   {"runs", test_runs},
    };
    return unit_main(argc, argv, "overlap", tests, sizeof tests / sizeof *tests);
}
