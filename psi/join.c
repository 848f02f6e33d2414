/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/join.h"

#include "psi/mem.h"
#include "psi/verify.h"
#include <string.h>

/* Peer tags in flight: enough prefetches to cover a cache miss, few enough for the line buffers. */
#define BATCH 16
#define FAR_MAX 512u /* slots between a tag's home and its place, see join.h */

struct psi_join {
    const uint8_t *tags; /* the caller's */
    size_t n, width;
    uint32_t *slots; /* own index + 1, 0 is empty; 2^k >= 2n of them, so every search meets an empty slot */
    uint64_t mask;   /* 2^k - 1 */
};

/*
 * A tag as two words, so that tags compare without a loop. Tags of 8 to 16 bytes are read as their first and
 * last eight bytes, which overlap and cover all of them; shorter ones fill the first word. The words never
 * leave this process, so byte order does not matter.
 */
typedef struct tag_words {
    uint64_t first, last;
} tag_words;

static inline tag_words load(const uint8_t *tag, size_t width)
{
    tag_words w = {0, 0};
    if (width >= 8) {
        memcpy(&w.first, tag, 8);
        memcpy(&w.last, tag + width - 8, 8);
    } else {
        memcpy(&w.first, tag, width);
    }
    return w;
}

/* Where the search for a tag starts: tags are pseudorandom, so any of their bits spread them. */
static inline uint64_t home(const psi_join *j, tag_words w)
{
    return w.first & j->mask;
}

tally_status psi_join_new(psi_join **out, const uint8_t *tags, size_t n, size_t width)
{
    PSI_CHECK(width >= 1 && width <= 16 && n <= (size_t)1 << 31);
    psi_join *j = psi_calloc(1, sizeof *j);
    if (!j)
        return TALLY_ERR_NO_MEMORY;
    size_t slots = 2;
    while (slots < 2 * n)
        slots *= 2;
    *j = (psi_join){.tags = tags, .n = n, .width = width, .mask = slots - 1};
    j->slots = psi_calloc(slots, sizeof *j->slots);
    if (!j->slots) {
        psi_free(j);
        return TALLY_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t at = home(j, load(tags + i * width, width));
        unsigned far = 0;
        for (; j->slots[at]; at = (at + 1) & j->mask)
            if (++far > FAR_MAX) {
                psi_join_free(j);
                return TALLY_ERR_MALFORMED;
            }
        j->slots[at] = (uint32_t)(i + 1);
    }
    *out = j;
    return TALLY_OK;
}

/* Looks up count <= BATCH tags in three passes, so that the cache misses of one pass overlap: home slots, the
   own tags they name, the comparison. */
static void probe_batch(const psi_join *j, const uint8_t *peer, size_t count, size_t first,
                        void (*hit)(void *user, size_t own, size_t peer_index), void *user)
{
    tag_words words[BATCH];
    for (size_t i = 0; i < count; i++) {
        words[i] = load(peer + i * j->width, j->width);
        __builtin_prefetch(&j->slots[home(j, words[i])]);
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t own = j->slots[home(j, words[i])];
        if (own)
            __builtin_prefetch(j->tags + (own - 1) * j->width);
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t own;
        for (uint64_t at = home(j, words[i]); (own = j->slots[at]) != 0; at = (at + 1) & j->mask) {
            tag_words w = load(j->tags + (own - 1) * j->width, j->width);
            if (((w.first ^ words[i].first) | (w.last ^ words[i].last)) == 0)
                hit(user, own - 1, first + i);
        }
    }
}

void psi_join_probe(const psi_join *j, const uint8_t *peer, size_t count, size_t first,
                    void (*hit)(void *user, size_t own, size_t peer_index), void *user)
{
    for (size_t at = 0; at < count; at += BATCH) {
        size_t m = count - at < BATCH ? count - at : BATCH;
        probe_batch(j, peer + at * j->width, m, first + at, hit, user);
    }
}

void psi_join_free(psi_join *j)
{
    if (!j)
        return;
    psi_free(j->slots);
    psi_free(j);
}
