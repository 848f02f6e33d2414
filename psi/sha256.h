/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 of many short messages behind one common block, one compression each: for tags by the million.
 * Takes a domain tag and a session id, which fill the first block, then messages of one length, at most 55
 * bytes; or whole messages of one block. Called by psi/vole, psi/item.
 */
#ifndef PSI_SHA256_H
#define PSI_SHA256_H

#include "psi/hash.h"

/* State after the 64-byte block: tag length (1 byte), tag, sid (32 bytes), zeros. */
void psi_sha256_prefix(uint32_t state[8], enum psi_tag tag, const uint8_t sid32[32]);

typedef struct psi_sha256_backend {
    const char *name;
    /* out[i] = SHA-256 of that block and the len <= 55 bytes at messages + i*len. Time depends on len and n
     * only. */
    void (*many)(uint8_t (*out)[32], const uint32_t state[8], const uint8_t *messages, size_t len, size_t n);
    /* out[i] = SHA-256 of the message that is blocks[i] with its padding: nothing stands in front. */
    void (*blocks)(uint8_t (*out)[32], const uint8_t (*blocks)[64], size_t n);
} psi_sha256_backend;

/* The backend in use: the processor's SHA instructions in lanes, or OpenSSL. */
const psi_sha256_backend *psi_sha256_lanes(void);
const psi_sha256_backend *const *psi_sha256_backends(size_t *count);

#endif
