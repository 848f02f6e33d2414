/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "peer": is this certificate the peer's? The one place where certificates are judged, and where TLS
 * alerts are put into words. Called by party/tls from inside the handshake.
 */
#ifndef PARTY_PEER_H
#define PARTY_PEER_H

#include "party/known.h"
#include "party/tls.h"
#include <openssl/x509.h>

#define PARTY_CLOCK_TOLERANCE_S 300

/* A certificate as it came, and why it was refused (why.status 0: accepted). */
typedef struct party_verdict {
    uint8_t fingerprint32[32];
    char subject[256];
    int64_t not_after, key_until; /* of an accepted one; key_until 0: its key is not being replaced */
    tally_error why;
} party_verdict;

/*
 * Judges leaf, sent with the certificates of untrusted, by rule: validity at now (seconds since 1970) with
 * 300 s of tolerance, strength of the key, what known (NULL: nothing) says is revoked, pins and what they
 * were replaced by, then chain to store (NULL without ca_file) and exact subject. peer_is_server picks the
 * purpose a CA must have allowed. who ("the peer at ...") begins the message. Returns X509_V_OK or the code
 * whose alert tells the peer the right thing: certificate_expired, bad_certificate (not yet valid, too weak),
 * certificate_revoked, or unknown_ca (not the one that was asked for).
 */
int party_peer_judge(const party_peer_rule *rule, const party_known *known, X509_STORE *store, X509 *leaf,
                     STACK_OF(X509) * untrusted, int64_t now, int peer_is_server, const char *who,
                     party_verdict *out);

/* Of that what concerns the key alone: revoked, pinned, replaced. *until as key_until above. */
int party_peer_judge_key(const party_peer_rule *rule, const party_known *known, const uint8_t pin32[32],
                         int64_t now, const char *who, int64_t *until, tally_error *why);

/* The CA's certificates of rule->ca_file, and the lists of revoked certificates of rule->crl_file.
 * TALLY_ERR_FILE, TALLY_ERR_NO_MEMORY. */
tally_status party_peer_store(X509_STORE **out, const party_peer_rule *rule,
                              tally_error *error) TALLY_MUST_CHECK;

/* A fatal alert from the peer, in words: TALLY_ERR_AUTH when it is about our certificate, else
 * TALLY_ERR_MALFORMED. */
tally_status party_peer_alert(int alert, const char *who, tally_error *error);

#endif
