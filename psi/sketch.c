/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/sketch.h"

#include "psi/mem.h"
#include "psi/sha256.h"
#include <string.h>

#define DIGEST 32u
#define BATCH 256u       /* items that are hashed at once */
#define FIVE_ERRORS 227u /* 5 sqrt(2 / 1024), in parts of 1024, rounded up */
#define MEETING 6u       /* what a few items in one counter add: three of one sign come to 9 */

static tally_status list_digest(const uint8_t key32[32], const psi_item *items, size_t count,
                                uint8_t out32[32])
{
    uint8_t size[8];
    psi_hash *h = psi_hash_new();
    tally_status st = h ? psi_hash_start(h, PSI_TAG_SKETCH) : TALLY_ERR_NO_MEMORY;
    for (unsigned i = 0; i < 8; i++)
        size[i] = (uint8_t)((uint64_t)count >> (56 - 8 * i));
    if (!st)
        st = psi_hash_add(h, key32, 32);
    if (!st)
        st = psi_hash_add(h, size, sizeof size);
    if (!st && count)
        st = psi_hash_add(h, items, count * sizeof *items);
    if (!st)
        st = psi_hash_end(h, out32);
    psi_hash_free(h);
    return st;
}

static void count_items(const uint8_t key32[32], const psi_item *items, size_t count,
                        uint16_t counters[PSI_SKETCH_COUNTERS])
{
    const psi_sha256_backend *lanes = psi_sha256_lanes();
    uint8_t hashes[BATCH][32];
    uint32_t state[8];
    psi_sha256_prefix(state, PSI_TAG_SKETCH, key32);
    for (size_t at = 0; at < count; at += BATCH) {
        size_t n = count - at < BATCH ? count - at : BATCH;
        lanes->many(hashes, state, items[at].b, sizeof *items, n);
        for (size_t i = 0; i < n; i++) {
            uint16_t *c = &counters[((unsigned)hashes[i][0] << 8 | hashes[i][1]) % PSI_SKETCH_COUNTERS];
            *c = (uint16_t)(*c + 1u - 2u * (hashes[i][2] & 1u)); /* modulo 2^16 */
        }
    }
    psi_wipe(state, sizeof state);
    psi_wipe(hashes, sizeof hashes);
}

tally_status psi_sketch_make(const uint8_t key32[32], const psi_item *items, size_t count,
                             uint8_t out[PSI_SKETCH_BYTES])
{
    uint16_t counters[PSI_SKETCH_COUNTERS] = {0};
    tally_status st = list_digest(key32, items, count, out);
    if (st)
        return st;
    count_items(key32, items, count, counters);
    for (size_t c = 0; c < PSI_SKETCH_COUNTERS; c++) {
        out[DIGEST + 2 * c] = (uint8_t)(counters[c] >> 8);
        out[DIGEST + 2 * c + 1] = (uint8_t)counters[c];
    }
    psi_wipe(counters, sizeof counters);
    return TALLY_OK;
}

/* A counter's difference, of the smallest magnitude that it can be: lists of 2^30 items that have none in
 * common come to 2^11 in a counter, by sqrt(2 * 2^30 / 1024). */
static int64_t counter_difference(const uint8_t *a, const uint8_t *b)
{
    unsigned d = (((unsigned)a[0] << 8 | a[1]) - ((unsigned)b[0] << 8 | b[1])) & 0xffff;
    return d < 0x8000 ? (int64_t)d : (int64_t)d - 0x10000;
}

uint64_t psi_sketch_difference(const uint8_t a[PSI_SKETCH_BYTES], const uint8_t b[PSI_SKETCH_BYTES])
{
    uint64_t sum = 0;              /* at most 1024 * 2^30 */
    if (memcmp(a, b, DIGEST) == 0) /* public: keyed digests, as two ledger records have them */
        return 0;
    for (size_t at = DIGEST; at < PSI_SKETCH_BYTES; at += 2) {
        int64_t d = counter_difference(a + at, b + at);
        sum += (uint64_t)(d * d);
    }
    return sum ? sum : 1;
}

int psi_sketch_near(const uint8_t a[PSI_SKETCH_BYTES], const uint8_t b[PSI_SKETCH_BYTES], uint64_t least)
{
    uint64_t difference = psi_sketch_difference(a, b);
    if (!difference || least < 2) /* lists that are not equal differ in one item at least */
        return 0;
    if (least > (1ull << 40)) /* more than any two lists can differ in */
        return 1;
    /* least - 1 items can come to no more than (least - 1)^2. */
    uint64_t meeting = least < 4 ? (least - 1) * (least - 2) : MEETING;
    return difference * 1024 < least * (1024 + FIVE_ERRORS) + meeting * 1024;
}
