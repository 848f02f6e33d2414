/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing what belongs to an item: takes the item's key of one session and its columns, gives bytes that
 * nobody can read or change without the key. AES-128-GCM (NIST SP 800-38D) by OpenSSL; each key seals one
 * label, so the nonce is zero. Called by party/columns.
 */
#ifndef PSI_LABEL_H
#define PSI_LABEL_H

#include "psi/item.h"

#define PSI_LABEL_KEY 16u /* bytes of a key */
#define PSI_LABEL_TAG 16u /* bytes a sealed label is longer than the label */

/* A handle for one thread; what it holds of a key is wiped by _free. NULL when memory is short. */
typedef struct psi_label psi_label;
psi_label *psi_label_new(void);
void psi_label_free(psi_label *l); /* NULL allowed */

/* sealed: len + PSI_LABEL_TAG bytes; 1 <= len < 2^31. sid is authenticated with it. */
tally_status psi_label_seal(psi_label *l, uint8_t *sealed, const uint8_t key[PSI_LABEL_KEY],
                            const psi_sid *sid, const uint8_t *label, size_t len) TALLY_MUST_CHECK;
/* label: len bytes. TALLY_ERR_MALFORMED, label wiped: another key, session, length, or a changed byte. */
tally_status psi_label_open(psi_label *l, uint8_t *label, const uint8_t key[PSI_LABEL_KEY],
                            const psi_sid *sid, const uint8_t *sealed, size_t len) TALLY_MUST_CHECK;

#endif
