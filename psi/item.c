/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/item.h"

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
    if (!count || count > FIELDS_MAX)
        return TALLY_ERR_INTERNAL;
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
