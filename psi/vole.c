/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/vole.h"

#include "psi/ct.h"
#include "psi/mem.h"
#include "psi/okvs.h"
#include "psi/sha256.h"
#include "psi/tagsize.h"
#include "psi/verify.h"
#include "psi/xor.h"

#include <openssl/evp.h>
#include <string.h>

#define CHUNK_STRIPS                                                                                         \
    43u /* of 512 slots: half a bin, whose k * columns bit strings stay in the second cache level */
#define CHUNK_BYTES (CHUNK_STRIPS * PSI_ROW_STRIP / 8)
#define TRIES 3
#define SENDER_PIECE 4096u

struct psi_vole_work {
    EVP_CIPHER_CTX *aes;
    EVP_CIPHER *cipher;
    size_t room; /* entries that ids, rows, values hold */
    uint8_t (*ids)[16], (*first)[16], (*second)[16];
    psi_okvs_row *rows;
    psi_okvs_value *values;
    uint8_t *matrix;          /* V, W or Q of a chunk: columns * k strings of CHUNK_BYTES */
    uint8_t *short_rows;      /* slots * 32 */
    uint8_t (*dense)[16][32]; /* 16 windows of 4 bits over the dense rows */
    /* receiver */
    psi_okvs *okvs;
    psi_okvs_value *table;
    uint8_t *systematic; /* P as 80 bit strings of slots / 8 */
    psi_prg prg;
};

/* ---- Sizes ---- */

/*
 * Slots of a bin, from the expansion law of Raghuraman and Rindal (2022) at weight 3 with lambda_b = 41 +
 * log2(bins), rounded up to a multiple of 512: docs/parameters/derive.py prints this table.
 */
static const struct {
    uint64_t items; /* at most, for one bin */
    uint32_t slots;
} single[] = {{1024, 1536}, {2048, 3072}, {4096, 5632}, {8192, 10752}, {16384, 20992}, {32768, 41472}};
static const struct {
    uint32_t bins, slots, load_max;
} many[] = {{64, 43008, 34160}, {32768, 43520, 34320}};

tally_status psi_vole_sizes_init(psi_vole_sizes *s, unsigned k, uint64_t receiver_items,
                                 uint64_t sender_items)
{
    psi_code code;
    uint64_t most = (uint64_t)1 << 30;
    if (receiver_items > most || sender_items > most)
        return TALLY_ERR_USAGE;
    tally_status st = psi_code_init(&code, k);
    if (st)
        return st;
    *s = (psi_vole_sizes){.k = k, .columns = code.columns, .bins = 1};
    if (receiver_items <= 32768) {
        size_t i = 0;
        while (receiver_items > single[i].items)
            i++;
        s->slots = single[i].slots;
        s->load_max = (uint32_t)single[i].items;
    } else {
        s->bins = (uint32_t)((receiver_items + 32767) / 32768);
        size_t i = s->bins > many[0].bins;
        s->slots = many[i].slots;
        s->load_max = many[i].load_max;
    }
    s->tag_width = psi_tag_bytes(receiver_items, sender_items);
    s->bin_bytes = (size_t)s->columns * s->slots / 8;
    return TALLY_OK;
}

/* ---- Items ---- */

void psi_vole_entries(psi_vole_entry *entries, const psi_item *items, size_t first, size_t n,
                      const psi_sid *sid, uint32_t bins)
{
    enum { AT_ONCE = 64 };
    uint32_t state[8];
    uint8_t digests[AT_ONCE][32];
    psi_sha256_prefix(state, PSI_TAG_VOLE_ID, sid->b);
    for (size_t at = 0; at < n; at += AT_ONCE) {
        size_t m = n - at < AT_ONCE ? n - at : AT_ONCE;
        psi_sha256_lanes()->many(digests, state, items[first + at].b, 32, m);
        for (size_t i = 0; i < m; i++) {
            psi_vole_entry *e = &entries[at + i];
            uint32_t position;
            memcpy(e->id, digests[i], 16);
            memcpy(&position, digests[i] + 16, 4);
            e->bin = (uint32_t)((uint64_t)position * bins >> 32);
            e->item = (uint32_t)(first + at + i);
        }
    }
}

size_t psi_vole_sort(psi_vole_entry *sorted, uint32_t *start, const psi_vole_entry *entries, size_t n,
                     uint32_t bins)
{
    size_t largest = 0;
    memset(start, 0, ((size_t)bins + 1) * sizeof *start);
    for (size_t i = 0; i < n; i++)
        start[entries[i].bin + 1]++;
    for (uint32_t b = 0; b < bins; b++) {
        largest = start[b + 1] > largest ? start[b + 1] : largest;
        start[b + 1] += start[b];
    }
    /* start[b] walks to the end of bin b while it is filled, and is moved back afterwards. */
    for (size_t i = 0; i < n; i++)
        sorted[start[entries[i].bin]++] = entries[i];
    for (uint32_t b = bins; b > 0; b--)
        start[b] = start[b - 1];
    start[0] = 0;
    return largest;
}

/* ---- What all bins share ---- */

/* offset[t][v] = Z(Delta o C(m)) for the message m with byte t = v: 80 basis messages, then sums. */
static void offset_tables(psi_vole_shared *s)
{
    unsigned k = s->sizes.k, bits = k * s->sizes.columns;
    for (unsigned i = 0; i < PSI_CODE_DIMENSION; i++) {
        uint8_t message[10] = {0}, word[32], row[128 * PSI_ROW_BLOCKS_MAX / 8] = {0};
        message[i / 8] = (uint8_t)(1u << (i % 8));
        psi_code_encode(&s->code, message, word);
        for (unsigned c = 0; c < s->sizes.columns; c++)
            for (unsigned b = 0; b < k; b++) {
                unsigned bit = ((unsigned)word[c / 8] >> (c % 8) & 1u) & ((unsigned)s->delta[c] >> b & 1u),
                         at = k * c + b;
                row[at / 8] = (uint8_t)(row[at / 8] | bit << (at % 8));
            }
        psi_row_compress(s->offset[i / 8][1u << (i % 8)], row, bits, &s->row_key);
        psi_wipe(row, sizeof row);
    }
    for (unsigned t = 0; t < 10; t++)
        for (unsigned v = 1; v < 256; v++)
            if (v & (v - 1))
                for (unsigned b = 0; b < 32; b++)
                    s->offset[t][v][b] = s->offset[t][v & (v - 1)][b] ^ s->offset[t][v & (0u - v)][b];
}

tally_status psi_vole_shared_init(psi_vole_shared *s, const psi_vole_sizes *sizes, const psi_sid *sid,
                                  const psi_block *keys, const uint8_t *delta, const uint8_t points32[32])
{
    size_t leaves = (size_t)sizes->columns << sizes->k;
    memset(s, 0, sizeof *s);
    s->sizes = *sizes;
    s->sid = *sid;
    tally_status st = psi_code_init(&s->code, sizes->k);
    if (st)
        return st;
    psi_row_key_init(&s->row_key, points32);
    psi_sha256_prefix(s->tag_state, PSI_TAG_VOLE_TAG, sid->b);
    s->leaves = psi_secret_calloc(leaves, sizeof *s->leaves);
    if (!s->leaves)
        return TALLY_ERR_NO_MEMORY;
    st = psi_subspace()->expand(s->leaves, keys, leaves);
    if (st) {
        psi_vole_shared_free(s);
        return st;
    }
    if (!delta)
        return TALLY_OK;
    s->delta = psi_secret_calloc(sizes->columns, 1);
    s->offset = psi_secret_calloc(10, sizeof *s->offset);
    if (!s->delta || !s->offset) {
        psi_vole_shared_free(s);
        return TALLY_ERR_NO_MEMORY;
    }
    memcpy(s->delta, delta, sizes->columns);
    offset_tables(s);
    return TALLY_OK;
}

void psi_vole_shared_free(psi_vole_shared *s)
{
    psi_secret_free(s->offset);
    psi_secret_free(s->delta);
    psi_secret_free(s->leaves);
    psi_wipe(s, sizeof *s);
}

/* ---- Work space ---- */

void psi_vole_work_free(psi_vole_work *w)
{
    if (!w)
        return;
    psi_secret_free(w->systematic);
    psi_secret_free(w->table);
    psi_okvs_free(w->okvs);
    psi_secret_free(w->dense);
    psi_secret_free(w->short_rows);
    psi_secret_free(w->matrix);
    psi_secret_free(w->values);
    psi_secret_free(w->rows);
    psi_secret_free(w->second);
    psi_secret_free(w->first);
    psi_secret_free(w->ids);
    EVP_CIPHER_free(w->cipher);
    EVP_CIPHER_CTX_free(w->aes);
    psi_secret_free(w);
}

/* Entries that are worked on at once: a whole bin at the receiver, pieces of one at the sender. */
static int make_room(psi_vole_work *w, size_t n)
{
    w->room = n;
    w->ids = psi_secret_calloc(n, 16);
    w->first = psi_secret_calloc(n, 16);
    w->second = psi_secret_calloc(n, 16);
    w->rows = psi_secret_calloc(n, sizeof *w->rows);
    w->values = psi_secret_calloc(n, sizeof *w->values);
    return w->ids && w->first && w->second && w->rows && w->values;
}

psi_vole_work *psi_vole_work_new(const psi_vole_sizes *sizes, int receiver)
{
    psi_vole_work *w = psi_secret_calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->cipher = EVP_CIPHER_fetch(psi_openssl(), "AES-128-ECB", NULL);
    w->aes = EVP_CIPHER_CTX_new();
    w->matrix = psi_secret_calloc((size_t)sizes->columns * sizes->k, CHUNK_BYTES);
    w->short_rows = psi_secret_calloc(sizes->slots, PSI_ROW_BYTES);
    w->dense = psi_secret_calloc(16, sizeof *w->dense);
    int ok = w->cipher && w->aes && w->matrix && w->short_rows && w->dense &&
             make_room(w, receiver ? sizes->load_max : SENDER_PIECE);
    if (ok && receiver) {
        w->okvs = psi_okvs_new(sizes->load_max, sizes->slots);
        w->table = psi_secret_calloc(sizes->slots, sizeof *w->table);
        w->systematic = psi_secret_calloc(PSI_CODE_DIMENSION, sizes->slots / 8);
        ok = w->okvs && w->table && w->systematic && psi_prg_init(&w->prg) == TALLY_OK;
    }
    if (ok)
        return w;
    psi_vole_work_free(w);
    return NULL;
}

/* ---- Rows and values of a bin's items ---- */

static tally_status aes_all(psi_vole_work *w, const uint8_t key[16], uint8_t (*out)[16], size_t n)
{
    int len, bytes = (int)(16 * n); /* n is at most the room: a bin of the receiver, or SENDER_PIECE */
    if (!EVP_EncryptInit_ex2(w->aes, w->cipher, key, NULL, NULL) || !EVP_CIPHER_CTX_set_padding(w->aes, 0) ||
        !EVP_EncryptUpdate(w->aes, out[0], &len, w->ids[0], bytes) || len != bytes)
        return TALLY_ERR_INTERNAL;
    return TALLY_OK;
}

static uint32_t below(uint32_t random, uint32_t bound)
{
    return (uint32_t)((uint64_t)random * bound >> 32);
}

/*
 * The bin's seed keys two AES permutations (K1, K2 = SHA-256(block of tag VOLE_ROW and sid, seed, bin));
 * AES_K1(id) and AES_K2(id) give three distinct positions (32 bits each), the dense mask (64 bits) and
 * H_B(id) (80 bits).
 */
static tally_status derive_rows(psi_vole_work *w, const psi_vole_shared *s, uint32_t bin,
                                const uint8_t seed[PSI_VOLE_SEED], const psi_vole_entry *entries, size_t n)
{
    uint32_t sparse = s->sizes.slots - PSI_OKVS_DENSE;
    uint8_t keys[1][32], message[PSI_VOLE_SEED + 4];
    uint32_t state[8];
    if (n == 0)
        return TALLY_OK;
    for (size_t i = 0; i < n; i++)
        memcpy(w->ids[i], entries[i].id, 16);
    memcpy(message, seed, PSI_VOLE_SEED);
    for (unsigned b = 0; b < 4; b++)
        message[PSI_VOLE_SEED + b] = (uint8_t)(bin >> (24 - 8 * b));
    psi_sha256_prefix(state, PSI_TAG_VOLE_ROW, s->sid.b);
    psi_sha256_lanes()->many(keys, state, message, sizeof message, 1);
    tally_status st = aes_all(w, keys[0], w->first, n);
    if (!st)
        st = aes_all(w, keys[0] + 16, w->second, n);
    if (st)
        return st;
    for (size_t i = 0; i < n; i++) {
        uint32_t r[4];
        uint64_t hi;
        memcpy(r, w->first[i], 16);
        memcpy(&w->rows[i].mask, w->second[i], 8);
        memcpy(&hi, w->second[i] + 8, 8);
        uint32_t a = below(r[0], sparse), b = below(r[1], sparse - 1), c = below(r[2], sparse - 2);
        b += b >= a;
        uint32_t low = a < b ? a : b, high = a < b ? b : a;
        c += c >= low;
        c += c >= high;
        w->rows[i].p[0] = (uint16_t)a;
        w->rows[i].p[1] = (uint16_t)b;
        w->rows[i].p[2] = (uint16_t)c;
        w->values[i].lo = (hi & 0xffffffffffff) | (uint64_t)(r[3] & 0xffff) << 48;
        w->values[i].hi = r[3] >> 16;
    }
    return TALLY_OK;
}

/* ---- Decoding ---- */

static void dense_windows(psi_vole_work *w, const uint8_t *dense_rows)
{
    for (unsigned t = 0; t < 16; t++) {
        memset(w->dense[t][0], 0, 32);
        for (unsigned v = 1; v < 16; v++) {
            memcpy(w->dense[t][v], w->dense[t][v & (v - 1)], 32);
            psi_xor32(w->dense[t][v], dense_rows + 32 * (4 * t + (unsigned)__builtin_ctz(v)));
        }
    }
}

static inline void decode(const psi_vole_work *w, const psi_okvs_row *row, uint8_t out[32])
{
    psi_vec low = {0, 0}, high = {0, 0};
    for (int t = 0; t < 3; t++) {
        const uint8_t *r = w->short_rows + 32 * (size_t)row->p[t];
        low ^= psi_load(r);
        high ^= psi_load(r + 16);
    }
    for (unsigned t = 0; t < 16; t++) {
        const uint8_t *r = w->dense[t][row->mask >> (4 * t) & 15];
        low ^= psi_load(r);
        high ^= psi_load(r + 16);
    }
    psi_store(out, low);
    psi_store(out + 16, high);
}

/*
 * tag = leading bytes of SHA-256(block of tag VOLE_TAG and sid, id, short row): 48 bytes, one compression.
 * Behind it, if wanted, the key: the last 16 bytes. Tags have at most 16, so the two are apart.
 * Decodes `at` onwards, TAGS_AT_ONCE at most; the sender adds its offset for H_B(id).
 */
#define TAGS_AT_ONCE 64u

static void emit_tags(const psi_vole_work *w, const psi_vole_shared *s, const psi_vole_entry *entries,
                      size_t n, uint8_t *tags)
{
    uint8_t messages[TAGS_AT_ONCE][48], digests[TAGS_AT_ONCE][32];
    size_t width = s->sizes.tag_width;
    for (size_t at = 0; at < n; at += TAGS_AT_ONCE) {
        size_t m = n - at < TAGS_AT_ONCE ? n - at : TAGS_AT_ONCE;
        for (size_t i = 0; i < m; i++) {
            uint8_t *row = messages[i] + 16;
            const psi_okvs_value *v = &w->values[at + i];
            memcpy(messages[i], entries[at + i].id, 16);
            decode(w, &w->rows[at + i], row);
            if (!s->offset)
                continue;
            for (unsigned t = 0; t < 8; t++)
                psi_xor32(row, s->offset[t][v->lo >> (8 * t) & 255]);
            psi_xor32(row, s->offset[8][v->hi & 255]);
            psi_xor32(row, s->offset[9][v->hi >> 8]);
        }
        psi_sha256_lanes()->many(digests, s->tag_state, messages[0], 48, m);
        for (size_t i = 0; i < m; i++, tags += width + s->sizes.key_width) {
            memcpy(tags, digests[i], width);
            memcpy(tags + width, digests[i] + 32 - PSI_VOLE_KEY, s->sizes.key_width);
        }
    }
    psi_wipe(digests, sizeof digests);
    psi_wipe(messages, sizeof messages);
}

/* ---- A bin ---- */

/* 64 x 64 bit transposition in place: bit j of word i <-> bit i of word j (Hacker's Delight, section 7-3). */
static void transpose64(uint64_t a[64])
{
    uint64_t m = 0x00000000ffffffff;
    for (unsigned j = 32; j; j >>= 1, m ^= m << j)
        for (unsigned i = 0; i < 64; i = (i + j + 1) & ~j) {
            uint64_t t = (a[i] >> j ^ a[i + j]) & m;
            a[i] ^= t << j;
            a[i + j] ^= t;
        }
}

/* The table's 80-bit values as 80 bit strings. */
static void table_columns(psi_vole_work *w, size_t slots)
{
    size_t stride = slots / 8;
    for (size_t at = 0; at < slots; at += 64) {
        uint64_t lo[64], hi[64];
        for (size_t i = 0; i < 64; i++) {
            lo[i] = w->table[at + i].lo;
            hi[i] = w->table[at + i].hi;
        }
        transpose64(lo);
        transpose64(hi);
        for (size_t i = 0; i < PSI_CODE_DIMENSION; i++)
            memcpy(w->systematic + i * stride + at / 8, i < 64 ? &lo[i] : &hi[i - 64], 8);
    }
}

/* Short rows of the chunk whose bit strings are in the matrix. */
static void chunk_rows(psi_vole_work *w, const psi_vole_shared *s, size_t first_strip, size_t strips)
{
    for (size_t t = 0; t < strips; t++)
        psi_rowhash()->strip(w->short_rows + (first_strip + t) * PSI_ROW_STRIP * PSI_ROW_BYTES,
                             w->matrix + t * PSI_ROW_STRIP / 8, CHUNK_BYTES,
                             (size_t)s->sizes.columns * s->sizes.k, &s->row_key);
}

tally_status psi_vole_receive_bin(psi_vole_work *w, const psi_vole_shared *s, uint32_t b,
                                  const psi_vole_entry *entries, size_t n, uint8_t *message, uint8_t *tags)
{
    const psi_vole_sizes *z = &s->sizes;
    size_t stride = z->slots / 8, strips = z->slots / PSI_ROW_STRIP;
    uint8_t *d = message + PSI_VOLE_SEED;
    tally_status st = TALLY_ERR_DIFFERS;
    PSI_CHECK(n <= z->load_max);
    for (int i = 0; i < TRIES && st == TALLY_ERR_DIFFERS; i++) {
        st = psi_random(message, PSI_VOLE_SEED);
        if (!st)
            st = derive_rows(w, s, b, message, entries, n);
        if (!st)
            st = psi_okvs_encode(w->okvs, w->table, z->slots, w->rows, w->values, n, &w->prg, NULL);
    }
    if (st)
        return st == TALLY_ERR_DIFFERS ? TALLY_ERR_INTERNAL : st;
    table_columns(w, z->slots);
    for (size_t at = 0; at < strips; at += CHUNK_STRIPS) {
        size_t count = strips - at < CHUNK_STRIPS ? strips - at : CHUNK_STRIPS;
        size_t offset = at * PSI_ROW_STRIP / 8;
        for (size_t c = 0; c < z->columns; c++) {
            st = psi_subspace()->fold(d + c * stride + offset, w->matrix + c * z->k * CHUNK_BYTES,
                                      CHUNK_BYTES, s->leaves + (c << z->k), z->k,
                                      ((uint64_t)b * z->slots + at * PSI_ROW_STRIP) / 128,
                                      count * PSI_ROW_STRIP / 128);
            if (st) {
                psi_wipe(message, PSI_VOLE_SEED + z->bin_bytes); /* columns of u */
                return st;
            }
        }
        chunk_rows(w, s, at, count);
    }
    /* D = u ^ C(P): u is there already; P onto the systematic columns, its parities onto the rest. */
    psi_xor_masked(d, w->systematic, PSI_CODE_DIMENSION * stride, ~(uint64_t)0);
    psi_code_add_parity(&s->code, w->systematic, stride, d + PSI_CODE_DIMENSION * stride, stride, stride);
    PSI_DECLASSIFY(message,
                   PSI_VOLE_SEED +
                       z->bin_bytes); /* masked by u, of which the peer lacks one stream in each column */
    dense_windows(w, w->short_rows + (size_t)(z->slots - PSI_OKVS_DENSE) * 32);
    emit_tags(w, s, entries, n, tags);
    return TALLY_OK;
}

tally_status psi_vole_send_bin(psi_vole_work *w, const psi_vole_shared *s, uint32_t b, const uint8_t *message,
                               const psi_vole_entry *entries, size_t n, uint8_t *tags)
{
    const psi_vole_sizes *z = &s->sizes;
    size_t stride = z->slots / 8, strips = z->slots / PSI_ROW_STRIP;
    const uint8_t *d = message + PSI_VOLE_SEED;
    tally_status st = TALLY_OK;
    for (size_t at = 0; at < strips; at += CHUNK_STRIPS) {
        size_t count = strips - at < CHUNK_STRIPS ? strips - at : CHUNK_STRIPS;
        size_t offset = at * PSI_ROW_STRIP / 8, bytes = count * PSI_ROW_STRIP / 8;
        for (size_t c = 0; c < z->columns; c++) {
            uint8_t *q = w->matrix + c * z->k * CHUNK_BYTES;
            st = psi_subspace()->fold(NULL, q, CHUNK_BYTES, s->leaves + (c << z->k), z->k,
                                      ((uint64_t)b * z->slots + at * PSI_ROW_STRIP) / 128,
                                      count * PSI_ROW_STRIP / 128);
            if (st)
                return st;
            for (unsigned bit = 0; bit < z->k; bit++)
                psi_xor_masked(q + bit * CHUNK_BYTES, d + c * stride + offset, bytes,
                               psi_ct_barrier((uint64_t)0 - ((unsigned)s->delta[c] >> bit & 1u)));
        }
        chunk_rows(w, s, at, count);
    }
    dense_windows(w, w->short_rows + (size_t)(z->slots - PSI_OKVS_DENSE) * 32);
    /* A small receiver makes few bins, each with much of the sender's list: in pieces, so that the work space
     * stays small. */
    for (size_t at = 0; !st && at < n; at += w->room) {
        size_t piece = n - at < w->room ? n - at : w->room;
        st = derive_rows(w, s, b, message, entries + at, piece);
        if (!st)
            emit_tags(w, s, entries + at, piece, tags + at * (z->tag_width + z->key_width));
    }
    return st;
}
