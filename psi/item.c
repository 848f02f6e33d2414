/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/item.h"

#include "psi/sha256.h"
#include <string.h>

#define FIELDS_MAX 8
#define FIELD_MAX 4096 /* bytes */

size_t psi_item_prefix(uint8_t out[PSI_ITEM_PREFIX], const psi_sid *sid)
{
    const char *text = psi_tag_text(PSI_TAG_ECDH_INPUT);
    size_t len = strlen(text);
    out[0] = (uint8_t)len;
    memcpy(out + 1, text, len);
    memcpy(out + 1 + len, sid->b, sizeof sid->b);
    return 1 + len + sizeof sid->b;
}

tally_status psi_item_from_fields(psi_hash *h, const psi_part *fields, size_t count, psi_item *out)
{
    uint8_t block[1][64];
    if (!count || count > FIELDS_MAX)
        return TALLY_ERR_INTERNAL;
    if (psi_item_block(fields, count, block[0])) {
        psi_items_from_blocks((const uint8_t(*)[64])block, 1, out);
        return TALLY_OK;
    }
    uint8_t n = (uint8_t)count;
    tally_status st = psi_hash_start(h, PSI_TAG_ITEM);
    if (!st)
        st = psi_hash_add(h, &n, 1);
    for (size_t i = 0; !st && i < count; i++) {
        size_t len = fields[i].len;
        uint8_t size[4] = {0, 0, (uint8_t)(len >> 8), (uint8_t)len}; /* len <= FIELD_MAX */
        if (len > FIELD_MAX)
            return TALLY_ERR_INTERNAL;
        st = psi_hash_add(h, size, sizeof size);
        if (!st)
            st = psi_hash_add(h, fields[i].p, len);
    }
    return st ? st : psi_hash_end(h, out->b);
}

int psi_item_block(const psi_part *fields, size_t count, uint8_t block[64])
{
    static const char head[] = "\14tally/1 item"; /* tag length and tag, as psi_hash_start writes them */
    size_t total = 0, at = sizeof head - 1;
    if (!count || count > FIELDS_MAX)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (fields[i].len > PSI_ITEM_ONE_BLOCK)
            return 0;
        total += 4 + fields[i].len;
    }
    if (total > PSI_ITEM_ONE_BLOCK)
        return 0;
    memset(block, 0, 64);
    memcpy(block, head, sizeof head - 1);
    block[at++] = (uint8_t)count;
    for (size_t i = 0; i < count; i++) {
        block[at + 3] = (uint8_t)fields[i].len;
        if (fields[i].len)
            memcpy(block + at + 4, fields[i].p, fields[i].len);
        at += 4 + fields[i].len;
    }
    block[at] = 0x80;
    block[62] = (uint8_t)(8 * at >> 8);
    block[63] = (uint8_t)(8 * at);
    return 1;
}

void psi_items_from_blocks(const uint8_t (*blocks)[64], size_t n, psi_item *out)
{
    size_t count;
    _Static_assert(sizeof *out == 32, "items are digests, one after the other");
    /* One block alone takes half the time outside the lanes. */
    const psi_sha256_backend *backend = n > 1 ? psi_sha256_lanes() : psi_sha256_backends(&count)[0];
    backend->blocks((uint8_t(*)[32])(void *)out, blocks, n);
}

tally_status psi_list_digest(psi_hash *h, const psi_item *sorted, size_t count, uint8_t out32[32])
{
    tally_status st = psi_hash_start(h, PSI_TAG_LIST);
    uint8_t n[8];
    for (unsigned i = 0; i < 8; i++)
        n[i] = (uint8_t)((uint64_t)count >> (56 - 8 * i));
    if (!st)
        st = psi_hash_add(h, n, sizeof n);
    if (!st)
        st = psi_hash_add(h, sorted, count * sizeof *sorted);
    return st ? st : psi_hash_end(h, out32);
}

tally_status psi_list_commit(psi_hash *h, const uint8_t opening32[32], const uint8_t digest32[32],
                             uint8_t out32[32])
{
    tally_status st = psi_hash_start(h, PSI_TAG_COMMIT);
    if (!st)
        st = psi_hash_add(h, opening32, 32);
    if (!st)
        st = psi_hash_add(h, digest32, 32);
    return st ? st : psi_hash_end(h, out32);
}
