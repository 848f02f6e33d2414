/* SPDX-License-Identifier: Apache-2.0 */
/* Subspace-VOLE matching from OTs to tags, both sides in one thread, against a plain comparison of the items.
 */
#include "psi/join.h"
#include "psi/mem.h"
#include "psi/vole_setup.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* One side's list in the order of its bins, and its tags. */
typedef struct list {
    psi_item *items;
    size_t n;
    psi_vole_entry *entries;
    uint32_t *start;
    uint8_t *tags;
} list;

static void list_init(list *l, size_t n)
{
    l->n = n;
    l->items = psi_calloc(n, sizeof *l->items);
    unit_random(l->items, n * sizeof *l->items);
}

static size_t list_sort(list *l, const psi_vole_sizes *z, const psi_sid *sid)
{
    psi_vole_entry *unsorted = psi_calloc(l->n, sizeof *unsorted);
    l->entries = psi_calloc(l->n, sizeof *l->entries);
    l->start = psi_calloc((size_t)z->bins + 1, sizeof *l->start);
    l->tags = psi_calloc(l->n, z->tag_width);
    psi_vole_entries(unsorted, l->items, 0, l->n, sid, z->bins);
    size_t largest = psi_vole_sort(l->entries, l->start, unsorted, l->n, z->bins);
    psi_free(unsorted);
    return largest;
}

static void list_free(list *l)
{
    psi_free(l->tags);
    psi_free(l->start);
    psi_free(l->entries);
    psi_free(l->items);
}

/* Everything that is sent, in the order of the protocol. */
static void run_setup(const psi_vole_sizes *z, const psi_sid *sid, psi_vole_shared *receiver,
                      psi_vole_shared *sender)
{
    size_t ots = psi_vole_ots(z), leaves = (size_t)z->columns << z->k;
    static psi_ot_sender open;
    psi_point point;
    uint8_t nonce[32], points[32], delta[PSI_CODE_COLUMNS_MAX], choices[PSI_OT_MAX / 8];
    uint8_t *columns = psi_calloc(PSI_OT_BASE, ots / 8);
    psi_block *chosen = psi_calloc(ots, sizeof *chosen), *keys_r = psi_calloc(leaves, 16),
              *keys_s = psi_calloc(leaves, 16);
    psi_block(*strings)[2] = psi_calloc(ots, sizeof *strings);
    psi_ggm_level *corrections = psi_calloc(psi_vole_levels(z), sizeof *corrections);
    CU_ASSERT_EQUAL_FATAL(psi_ot_open(&open, sid), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_vole_draw(z, delta, choices), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_ot_choose(chosen, &point, columns, choices, ots, open.pairs[0], sid), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_ot_strings(strings, &open, &point, columns, ots, sid), TALLY_OK);
    unsigned wrong = 0;
    for (size_t i = 0; i < ots; i++) {
        unsigned c = (unsigned)choices[i / 8] >> (i % 8) & 1u;
        wrong += memcmp(&chosen[i], &strings[i][c], 16) != 0;
        wrong += memcmp(&chosen[i], &strings[i][c ^ 1], 16) == 0;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL_FATAL(psi_vole_grow(z, (const psi_block(*)[2])strings, keys_r, corrections), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_vole_puncture(z, delta, chosen, corrections, keys_s), TALLY_OK);
    for (size_t c = 0; c < z->columns; c++)
        for (size_t j = 0; j < (size_t)1 << z->k; j++) {
            const psi_block *s = &keys_s[(c << z->k) + (j ^ delta[c])];
            static const psi_block zero;
            wrong += memcmp(s, j == delta[c] ? &zero : &keys_r[(c << z->k) + j], 16) != 0;
        }
    CU_ASSERT_EQUAL(wrong, 0);
    unit_random(nonce, sizeof nonce);
    CU_ASSERT_EQUAL_FATAL(psi_vole_points(points, sid, nonce), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_vole_shared_init(receiver, z, sid, keys_r, NULL, points), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(psi_vole_shared_init(sender, z, sid, keys_s, delta, points), TALLY_OK);
    psi_free(corrections);
    psi_free(strings);
    psi_free(keys_s);
    psi_free(keys_r);
    psi_free(chosen);
    psi_free(columns);
}

/* One run: both lists with their tags, and all that the receiver sent in its bins. */
typedef struct match {
    list x, y;
    psi_sid sid;
    psi_vole_sizes z;
    psi_vole_shared receiver, sender;
    uint8_t *messages;
} match;

static uint8_t *bin_message(const match *m, uint32_t b)
{
    return m->messages + b * (PSI_VOLE_SEED + m->z.bin_bytes);
}

static void send_all(match *m)
{
    psi_vole_work *w = psi_vole_work_new(&m->z, 0);
    CU_ASSERT_FATAL(w != NULL);
    for (uint32_t b = 0; b < m->z.bins; b++) {
        uint32_t from = m->y.start[b];
        CU_ASSERT_EQUAL_FATAL(psi_vole_send_bin(w, &m->sender, b, bin_message(m, b), m->y.entries + from,
                                                m->y.start[b + 1] - from, m->y.tags + from * m->z.tag_width),
                              TALLY_OK);
    }
    psi_vole_work_free(w);
}

/* width: bytes of a tag, 0 for the proper one. */
static void match_run(match *m, unsigned k, size_t nx, size_t ny, size_t overlap, size_t width)
{
    memset(m, 0, sizeof *m);
    unit_random(m->sid.b, sizeof m->sid.b);
    list_init(&m->x, nx);
    list_init(&m->y, ny);
    for (size_t i = 0; i < overlap; i++)
        m->y.items[ny - 1 - i] = m->x.items[i];
    CU_ASSERT_EQUAL_FATAL(psi_vole_sizes_init(&m->z, k, nx, ny), TALLY_OK);
    if (width)
        m->z.tag_width = width;
    run_setup(&m->z, &m->sid, &m->receiver, &m->sender);
    CU_ASSERT(list_sort(&m->x, &m->z, &m->sid) <= m->z.load_max);
    list_sort(&m->y, &m->z, &m->sid);
    m->messages = psi_calloc(m->z.bins, PSI_VOLE_SEED + m->z.bin_bytes);
    psi_vole_work *w = psi_vole_work_new(&m->z, 1);
    CU_ASSERT_FATAL(w && m->messages);
    for (uint32_t b = 0; b < m->z.bins; b++) {
        uint32_t from = m->x.start[b];
        CU_ASSERT_EQUAL_FATAL(psi_vole_receive_bin(w, &m->receiver, b, m->x.entries + from,
                                                   m->x.start[b + 1] - from, bin_message(m, b),
                                                   m->x.tags + from * m->z.tag_width),
                              TALLY_OK);
    }
    psi_vole_work_free(w);
    send_all(m);
}

static void match_free(match *m)
{
    psi_free(m->messages);
    psi_vole_shared_free(&m->sender);
    psi_vole_shared_free(&m->receiver);
    list_free(&m->y);
    list_free(&m->x);
}

typedef struct met {
    const match *m;
    size_t hits, wrong;
} met;

static void hit(void *user, size_t own, size_t peer)
{
    met *t = user;
    const list *x = &t->m->x, *y = &t->m->y;
    t->hits++;
    t->wrong += memcmp(&x->items[x->entries[own].item], &y->items[y->entries[peer].item], 32) != 0;
}

static met join(const match *m)
{
    met t = {.m = m};
    psi_join *j = NULL;
    CU_ASSERT_EQUAL_FATAL(psi_join_new(&j, m->x.tags, m->x.n, m->z.tag_width), TALLY_OK);
    psi_join_probe(j, m->y.tags, m->y.n, 0, hit, &t);
    psi_join_free(j);
    return t;
}

static void check(unsigned k, size_t nx, size_t ny, size_t overlap)
{
    match m;
    match_run(&m, k, nx, ny, overlap, 0);
    met t = join(&m);
    CU_ASSERT_EQUAL(t.hits, overlap);
    CU_ASSERT_EQUAL(t.wrong, 0);
    match_free(&m);
}

static void test_sizes(void)
{
    static const size_t sizes[] = {0, 1, 2, 1000, 1025};
    for (unsigned k = 4; k <= 6; k += 2)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            check(k, sizes[i], sizes[i], sizes[i] / 3);
    check(4, 3000, 3000, 3000);
    check(4, 10, 5000, 10);
    check(6, 5000, 10, 7);
    check(4, 0, 5, 0);
    check(6, 5, 0, 0);
}

static void test_bins(void)
{
    check(4, 70000, 50000, 12345);
    check(6, 40000, 100, 100);
}

static void test_parameters(void)
{
    static const struct {
        uint64_t n;
        uint32_t bins, slots, load_max;
    } table[] = {{0, 1, 1536, 1024},
                 {1, 1, 1536, 1024},
                 {1024, 1, 1536, 1024},
                 {1025, 1, 3072, 2048},
                 {4096, 1, 5632, 4096},
                 {8192, 1, 10752, 8192},
                 {16384, 1, 20992, 16384},
                 {32768, 1, 41472, 32768},
                 {32769, 2, 43008, 34160},
                 {1 << 20, 32, 43008, 34160},
                 {1 << 21, 64, 43008, 34160},
                 {(1 << 21) + 1, 65, 43520, 34320},
                 {100000000, 3052, 43520, 34320},
                 {1 << 30, 32768, 43520, 34320}};
    psi_vole_sizes z;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        CU_ASSERT_EQUAL(psi_vole_sizes_init(&z, 6, table[i].n, 1), TALLY_OK);
        CU_ASSERT_EQUAL(z.bins, table[i].bins);
        CU_ASSERT_EQUAL(z.slots, table[i].slots);
        CU_ASSERT_EQUAL(z.load_max, table[i].load_max);
        CU_ASSERT(z.slots % 512 == 0 && table[i].n <= (uint64_t)z.bins * z.load_max);
        CU_ASSERT_EQUAL(z.bin_bytes, (size_t)157 * z.slots / 8);
    }
    CU_ASSERT_EQUAL(psi_vole_sizes_init(&z, 4, 1 << 20, 1 << 20), TALLY_OK);
    CU_ASSERT_EQUAL(z.columns, 197);
    CU_ASSERT_EQUAL(z.tag_width, 10);
    CU_ASSERT_EQUAL(psi_vole_ots(&z), 792);
    CU_ASSERT_EQUAL(psi_vole_levels(&z), 788);
    CU_ASSERT_EQUAL(z.bins * z.bin_bytes, 33890304);
    CU_ASSERT_EQUAL(psi_vole_sizes_init(&z, 6, 1 << 20, 1 << 20), TALLY_OK);
    CU_ASSERT_EQUAL(psi_vole_ots(&z), 944);
    CU_ASSERT_EQUAL(psi_vole_levels(&z), 942);
    CU_ASSERT_EQUAL(z.bins * z.bin_bytes, 27009024);
    for (unsigned k = 0; k <= 9; k++)
        CU_ASSERT_EQUAL(psi_vole_sizes_init(&z, k, 1, 1), k == 4 || k == 6 ? TALLY_OK : TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(psi_vole_sizes_init(&z, 4, ((uint64_t)1 << 30) + 1, 1), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(psi_vole_sizes_init(&z, 4, 1, ((uint64_t)1 << 30) + 1), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(psi_vole_sizes_init(&z, 4, (uint64_t)1 << 30, (uint64_t)1 << 30), TALLY_OK);
}

/* Ids and bins by their definition, in pieces as at once; sorted, nothing is lost, bins are about even. */
static void test_entries(void)
{
    enum { N = 5000, BINS = 7 };
    static psi_item items[N];
    static psi_vole_entry e[N], pieces[N], sorted[N];
    uint32_t start[BINS + 1];
    psi_sid sid;
    unsigned wrong = 0;
    unit_random(items, sizeof items);
    unit_random(&sid, sizeof sid);
    psi_vole_entries(e, items, 0, N, &sid, BINS);
    psi_vole_entries(pieces, items, 0, 70, &sid, BINS);
    psi_vole_entries(pieces + 70, items, 70, N - 70, &sid, BINS);
    CU_ASSERT_EQUAL(memcmp(e, pieces, sizeof e), 0);
    const char *tag = psi_tag_text(PSI_TAG_VOLE_ID);
    for (uint32_t i = 0; i < N; i += 41) {
        uint8_t block[96] = {0}, d[32];
        block[0] = (uint8_t)strlen(tag);
        memcpy(block + 1, tag, strlen(tag));
        memcpy(block + 1 + strlen(tag), sid.b, 32);
        memcpy(block + 64, items[i].b, 32);
        CU_ASSERT_EQUAL_FATAL(psi_sha256(block, sizeof block, d), TALLY_OK);
        uint32_t p = (uint32_t)d[16] | (uint32_t)d[17] << 8 | (uint32_t)d[18] << 16 | (uint32_t)d[19] << 24;
        wrong += memcmp(e[i].id, d, 16) != 0 || e[i].item != i || e[i].bin != (uint64_t)p * BINS >> 32;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    size_t largest = psi_vole_sort(sorted, start, e, N, BINS), most = 0;
    static uint8_t seen[N];
    CU_ASSERT_EQUAL(start[0], 0);
    CU_ASSERT_EQUAL(start[BINS], N);
    for (uint32_t b = 0; b < BINS; b++) {
        uint32_t load = start[b + 1] - start[b];
        most = load > most ? load : most;
        CU_ASSERT(load > 714 - 200 && load < 714 + 200); /* 714 +- 8 standard deviations */
        for (uint32_t i = start[b]; i < start[b + 1]; i++) {
            wrong += sorted[i].bin != b || seen[sorted[i].item]++;
            wrong += memcmp(&sorted[i], &e[sorted[i].item], sizeof *e) != 0;
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(largest, most);
}

/* Byte chi-square, 255 degrees of freedom: deviation 22.6; seven deviations either way. */
static int bytes_are_uniform(const uint8_t *p, size_t n)
{
    double count[256] = {0}, chi = 0, mean = (double)n / 256;
    for (size_t i = 0; i < n; i++)
        count[p[i]]++;
    for (int b = 0; b < 256; b++)
        chi += (count[b] - mean) * (count[b] - mean) / mean;
    return chi > 255 - 7 * 22.6 && chi < 255 + 7 * 22.6;
}

/* Two lists of one size, a full one of random items and one of near-equal items: what is sent has one length
 * and looks the same, column for column; so do the tags. The code's redundancy does not show either: as a
 * word of the code, a row of D would have its parities right. */
static void test_masked(void)
{
    for (unsigned k = 4; k <= 6; k += 2) {
        size_t bytes[2];
        for (int input = 0; input < 2; input++) {
            match m;
            match_run(&m, k, 900, 1500, input ? 900 : 0, 0);
            bytes[input] = m.z.bins * m.z.bin_bytes;
            const uint8_t *d = m.messages + PSI_VOLE_SEED;
            CU_ASSERT(bytes_are_uniform(d, bytes[input]));
            CU_ASSERT(bytes_are_uniform(m.y.tags, m.y.n * m.z.tag_width));
            CU_ASSERT(bytes_are_uniform(m.x.tags, m.x.n * m.z.tag_width));
            size_t stride = m.z.slots / 8, outliers = 0, right = 0, checked = 0;
            for (unsigned c = 0; c < m.z.columns; c++) {
                size_t ones = 0;
                for (size_t i = 0; i < stride; i++)
                    ones += (size_t)__builtin_popcount(d[c * stride + i]);
                /* 768 +- 19.6 of 1536 */
                outliers += ones < 768 - 6 * 20 || ones > 768 + 6 * 20;
            }
            CU_ASSERT_EQUAL(outliers, 0);
            for (size_t s = 0; s < m.z.slots; s++) {
                uint8_t message[10] = {0}, word[32] = {0};
                for (size_t c = 0; c < 80; c++)
                    message[c / 8] |= (uint8_t)((d[c * stride + s / 8] >> (s % 8) & 1) << (c % 8));
                psi_code_encode(&m.receiver.code, message, word);
                for (size_t c = 80; c < m.z.columns; c++, checked++)
                    right += (word[c / 8] >> (c % 8) & 1) == (d[c * stride + s / 8] >> (s % 8) & 1);
            }
            double over = (double)right - (double)checked / 2; /* variance checked / 4; six deviations */
            CU_ASSERT(over * over < 36 * (double)checked / 4);
            match_free(&m);
        }
        CU_ASSERT_EQUAL(bytes[0], bytes[1]);
    }
}

/* No item in common: at two bytes tags meet as often as chance has it, n_x n_y / 2^16 times; at the proper
 * width never. */
static void test_others(void)
{
    match m;
    size_t pairs = 0;
    double expected = 0;
    for (unsigned k = 4; k <= 6; k += 2) {
        static uint32_t at[65536];
        match_run(&m, k, 4000, 8000, 0, 2);
        memset(at, 0, sizeof at);
        for (size_t i = 0; i < m.x.n; i++)
            at[m.x.tags[2 * i] | (size_t)m.x.tags[2 * i + 1] << 8]++;
        for (size_t i = 0; i < m.y.n; i++)
            pairs += at[m.y.tags[2 * i] | (size_t)m.y.tags[2 * i + 1] << 8];
        expected += 4000.0 * 8000 / 65536;
        match_free(&m);
    }
    double over = (double)pairs - expected; /* variance as the mean; six deviations */
    CU_ASSERT(over * over < 36 * expected);
    check(4, 20000, 20000, 0);
    check(6, 20000, 20000, 0);
}

/* An honest sender answers any message: a flipped column, a wrong seed, a wrong session cost matches, no
 * more. */
static void test_altered(void)
{
    match m;
    match_run(&m, 4, 500, 500, 500, 0);
    CU_ASSERT_EQUAL(join(&m).hits, 500);
    size_t stride = m.z.slots / 8;
    unsigned c = 0;
    while (!m.sender.delta[c])
        c++;
    uint8_t *column = m.messages + PSI_VOLE_SEED + c * stride;
    for (size_t i = 0; i < stride; i++)
        column[i] ^= 0xff;
    send_all(&m);
    /* a row is the sum of 3 entries and of the dense ones of its mask: it changes where their number is odd
     */
    size_t hits = join(&m).hits;
    CU_ASSERT(hits > 150 && hits < 350);
    for (size_t i = 0; i < stride; i++)
        column[i] ^= 0xff;
    m.messages[0] ^= 1;
    send_all(&m);
    CU_ASSERT_EQUAL(join(&m).hits, 0);
    m.messages[0] ^= 1;
    m.sender.delta[c] ^= 1;
    send_all(&m);
    hits = join(&m).hits; /* likewise */
    CU_ASSERT(hits > 150 && hits < 350);
    m.sender.delta[c] ^= 1;
    m.sender.sid.b[0] ^= 1;
    send_all(&m);
    CU_ASSERT_EQUAL(join(&m).hits, 0);
    m.sender.sid.b[0] ^= 1;
    m.sender.row_key.power[1][0][3] ^= 1;
    send_all(&m);
    CU_ASSERT_EQUAL(join(&m).hits, 0);
    m.sender.row_key.power[1][0][3] ^= 1;
    send_all(&m);
    CU_ASSERT_EQUAL(join(&m).hits, 500);
    CU_ASSERT_EQUAL(join(&m).wrong, 0);
    match_free(&m);
}

/* The same list in the same bin twice: another seed, another table, other bytes. Bins do not share streams.
 */
static void test_fresh(void)
{
    match m;
    match_run(&m, 6, 700, 10, 5, 0);
    psi_vole_work *w = psi_vole_work_new(&m.z, 1);
    size_t length = PSI_VOLE_SEED + m.z.bin_bytes, stride = m.z.slots / 8, same = 0;
    uint8_t *again = psi_calloc(1, length), *tags = psi_calloc(m.x.n, m.z.tag_width);
    CU_ASSERT_FATAL(w && again && tags);
    CU_ASSERT_EQUAL(psi_vole_receive_bin(w, &m.receiver, 0, m.x.entries, m.x.n, again, tags), TALLY_OK);
    CU_ASSERT_NOT_EQUAL(memcmp(again, m.messages, PSI_VOLE_SEED), 0);
    for (unsigned c = 0; c < m.z.columns; c++)
        same +=
            memcmp(again + PSI_VOLE_SEED + c * stride, m.messages + PSI_VOLE_SEED + c * stride, stride) == 0;
    CU_ASSERT_EQUAL(same, 0);
    CU_ASSERT_NOT_EQUAL(memcmp(tags, m.x.tags, m.x.n * m.z.tag_width), 0);
    psi_free(tags);
    psi_free(again);
    psi_vole_work_free(w);
    match_free(&m);
}

static void test_faults(void)
{
    match m;
    match_run(&m, 6, 50, 50, 20, 0);
    psi_vole_shared s;
    psi_block *keys = psi_calloc((size_t)m.z.columns << m.z.k, sizeof *keys);
    uint8_t points[32] = {1}, *message = psi_calloc(1, PSI_VOLE_SEED + m.z.bin_bytes);
    CU_ASSERT_FATAL(keys && message);
    for (unsigned long n = 1; n <= 3; n++) {
        psi_mem_fail_at(n);
        CU_ASSERT_EQUAL(psi_vole_shared_init(&s, &m.z, &m.sid, keys, m.sender.delta, points),
                        TALLY_ERR_NO_MEMORY);
        CU_ASSERT_PTR_NULL(s.leaves); /* nothing is left to free */
    }
    psi_mem_fail_at(0);
    psi_vole_work *w = psi_vole_work_new(&m.z, 1);
    unsigned long most = psi_mem_count();
    CU_ASSERT(w && most >= 18);
    for (unsigned long n = 1; n <= most; n++) {
        psi_mem_fail_at(n);
        CU_ASSERT_PTR_NULL(psi_vole_work_new(&m.z, 1));
    }
    psi_mem_fail_at(0);
    psi_rng_fail_at(1);
    CU_ASSERT_PTR_NULL(psi_vole_work_new(&m.z, 1));
    psi_rng_fail_at(1);
    CU_ASSERT_EQUAL(psi_vole_receive_bin(w, &m.receiver, 0, m.x.entries, m.x.n, message, m.x.tags),
                    TALLY_ERR_RANDOM);
    psi_rng_fail_at(0);
    /* an id twice, as no list has it: no seed can help, and it says so after three */
    psi_vole_entry twice[2] = {m.x.entries[0], m.x.entries[0]};
    unsigned long drawn = psi_rng_count();
    CU_ASSERT_EQUAL(psi_vole_receive_bin(w, &m.receiver, 0, twice, 2, message, m.x.tags), TALLY_ERR_INTERNAL);
    CU_ASSERT_EQUAL(psi_rng_count() - drawn, 3);
    psi_vole_work_free(w);
    psi_vole_work_free(NULL);
    psi_free(message);
    psi_free(keys);
    match_free(&m);
}

/* With all randomness from one seed: a digest of everything sent and computed, for test_backends below. */
static void test_transcript(void)
{
    uint8_t digest[32], seed[32] = "backends agree on every byte.";
    const char *path = getenv("VOLE_TEST_DIGEST");
    psi_hash *h = psi_hash_new();
    CU_ASSERT_FATAL(h != NULL);
    CU_ASSERT_EQUAL_FATAL(psi_hash_start(h, PSI_TAG_SID), TALLY_OK);
    psi_rng_set_seed(seed);
    for (unsigned k = 4; k <= 6; k += 2) {
        match m;
        match_run(&m, k, k == 4 ? 33000 : 3000, 3000, 1000, 0);
        CU_ASSERT_EQUAL(join(&m).hits, 1000);
        CU_ASSERT_EQUAL(psi_hash_add(h, m.messages, m.z.bins * (PSI_VOLE_SEED + m.z.bin_bytes)), TALLY_OK);
        CU_ASSERT_EQUAL(psi_hash_add(h, m.x.tags, m.x.n * m.z.tag_width), TALLY_OK);
        CU_ASSERT_EQUAL(psi_hash_add(h, m.y.tags, m.y.n * m.z.tag_width), TALLY_OK);
        match_free(&m);
    }
    psi_rng_set_seed(NULL);
    CU_ASSERT_EQUAL(psi_hash_end(h, digest), TALLY_OK);
    psi_hash_free(h);
    if (path) {
        FILE *f = fopen(path, "wb");
        CU_ASSERT_FATAL(f != NULL);
        CU_ASSERT_EQUAL(fwrite(digest, 1, 32, f), 32);
        fclose(f);
    }
}

#if defined(__x86_64__)
/* This program once more, for one test and one backend. */
static void run_again(const char *backend, uint8_t digest[32])
{
    char path[128];
    int status = -1;
    snprintf(path, sizeof path, "%s/digest", unit_tmp());
    pid_t pid = fork();
    if (pid == 0) {
        unsetenv("TALLY_RESULTS");
        setenv("VOLE_TEST_DIGEST", path, 1);
        setenv("TALLY_BACKEND", backend, 1);
        if (freopen("/dev/null", "w", stdout))
            execl("/proc/self/exe", "test_psi_vole", "--seed", "7", "transcript", (char *)NULL);
        _exit(127);
    }
    CU_ASSERT_FATAL(pid > 0 && waitpid(pid, &status, 0) == pid);
    CU_ASSERT_EQUAL(status, 0);
    FILE *f = fopen(path, "rb");
    CU_ASSERT_FATAL(f != NULL);
    CU_ASSERT_EQUAL(fread(digest, 1, 32, f), 32);
    fclose(f);
}

static void test_backends(void)
{
    uint8_t best[32] = {1}, avx2[32] = {2}, portable[32] = {3};
    run_again("", best);
    run_again("avx2", avx2);
    run_again("portable", portable);
    CU_ASSERT_EQUAL(memcmp(best, portable, 32), 0);
    CU_ASSERT_EQUAL(memcmp(avx2, portable, 32), 0);
}
#else
/* One backend only: nothing to compare, and an emulator cannot start this program again. */
static void test_backends(void)
{
    CU_ASSERT_STRING_EQUAL(psi_subspace()->name, "portable");
}
#endif

/* Random small sizes and overlaps, each run with keys of its own: 20, or as many as TALLY_LONG says
 * (check-long: 1000). */
static void test_many(void)
{
    const char *wanted = getenv("TALLY_LONG");
    unsigned long runs = wanted ? strtoul(wanted, NULL, 10) : 20;
    for (unsigned long r = 0; r < runs; r++) {
        uint32_t nx = unit_below(300), ny = unit_below(300), least = nx < ny ? nx : ny;
        check(unit_below(2) ? 4 : 6, nx, ny, unit_below(least + 1));
    }
}

/* Powers of two up to 2^14, or with TALLY_LONG up to 2^20; very lopsided lists. */
static void test_powers(void)
{
    for (unsigned e = 10; e <= (getenv("TALLY_LONG") ? 20 : 14); e++)
        check(4, (size_t)1 << e, (size_t)1 << e, ((size_t)1 << e) / 10);
    check(4, 100000, 10, 7);
    check(4, 10, 100000, 10);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"parameters", test_parameters}, {"entries", test_entries},
                                      {"sizes", test_sizes},           {"bins", test_bins},
                                      {"masked", test_masked},         {"others", test_others},
                                      {"altered", test_altered},       {"fresh", test_fresh},
                                      {"faults", test_faults},         {"transcript", test_transcript},
                                      {"backends", test_backends},     {"many", test_many},
                                      {"powers", test_powers}};
    return unit_main(argc, argv, "psi_vole", tests, sizeof tests / sizeof *tests);
}
