/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "expand": takes messages of one length, gives for each the 64 uniform bytes that are mapped to the
 * group (RFC 9380 section 5.3.1 with SHA-512). Called by psi/group.
 */
#ifndef PSI_EXPAND_H
#define PSI_EXPAND_H

#include "psi/tally-status.h"
#include <stddef.h>
#include <stdint.h>

/* SHA-512 by OpenSSL, or of several messages side by side. Its table is in psi/expand_job.h. */
typedef struct psi_expand_backend psi_expand_backend;

/*
 * out64[i] = expand_message_xmd(message i, dst, 64), message i being prefix (public, may be empty) and the
 * len bytes at msgs + i*len (secret). n == 0 is fine; out64 and msgs do not overlap. Time depends on the
 * sizes only. dst_len 1..255, anything else is TALLY_ERR_INTERNAL, and out64 is wiped as a whole.
 */
tally_status psi_expand64(uint8_t (*out64)[64], const void *prefix, size_t prefix_len, const uint8_t *msgs,
                          size_t len, size_t n, const uint8_t *dst, size_t dst_len) TALLY_MUST_CHECK;
/* The same by a backend of one's choice: for tests and benchmarks. */
tally_status psi_expand64_by(const psi_expand_backend *backend, uint8_t (*out64)[64], const void *prefix,
                             size_t prefix_len, const uint8_t *msgs, size_t len, size_t n, const uint8_t *dst,
                             size_t dst_len) TALLY_MUST_CHECK;

/* The backend in use, chosen once by psi_cpu(); a message or two go the portable way. */
const psi_expand_backend *psi_expand(void);
const char *psi_expand_name(const psi_expand_backend *backend);
/* All that this machine can run, portable first. */
const psi_expand_backend *const *psi_expand_backends(size_t *count);

#endif
