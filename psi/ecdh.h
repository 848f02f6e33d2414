/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ECDH private set intersection, semi-honest form (docs/protocol-ecdh.md; Huberman, Franklin, Hogg 1999;
 * Meadows 1986). Receiver key a, sender key b, both fresh for every session: receiver -> sender: a*H(x)
 * psi_ecdh_mask sender -> receiver: tag(b*(a*H(x)))   psi_ecdh_tag, in the order received sender -> receiver:
 * b*H(y)            psi_ecdh_mask receiver:           tag(a*(b*H(y)))   psi_ecdh_tag, joined with the tags of
 * its own items H(x) = hash_to_ristretto255 of (tag ECDH_INPUT, sid, item). Called by party/receiver and
 * party/sender, batch by batch, each batch by one thread. Keys are secret; points and tags are what the peer
 * sees.
 */
#ifndef PSI_ECDH_H
#define PSI_ECDH_H

#include "psi/group.h"
#include "psi/item.h"

/* out[i] = k * H(items[order[i]]) for i in [0, n). order is a slice of a secret permutation. */
tally_status psi_ecdh_mask(psi_point *out, const psi_item *items, const uint32_t *order, size_t n,
                           const psi_sid *sid, const psi_scalar *k) TALLY_MUST_CHECK;

/*
 * tags[i*width .. ) = first width bytes of SHA-256(tag ECDH_TAG, sid, k * in[i]). in comes from the peer:
 * TALLY_ERR_MALFORMED and *bad when an encoding is not canonical or is the identity; tags is then wiped.
 */
tally_status psi_ecdh_tag(uint8_t *tags, size_t width, const psi_point *in, size_t n, const psi_sid *sid,
                          const psi_scalar *k, size_t *bad) TALLY_MUST_CHECK;

#endif
