/* SPDX-License-Identifier: Apache-2.0 */
/* The one error enum of the project, used by every layer and installed beside tally.h. */
#ifndef TALLY_STATUS_H
#define TALLY_STATUS_H

#if defined(__GNUC__)
#define TALLY_MUST_CHECK __attribute__((warn_unused_result))
#else
#define TALLY_MUST_CHECK
#endif

/*
 * 0 is success, failures are negative. One status is positive: TALLY_IN_PROGRESS, which tally_session_step
 * alone returns, and which is no failure. The exit status of the command is (-status) mod 100, so
 * finer codes keep the category: -106 (timeout) is of category 6 (network). Values are frozen.
 */
enum tally_status {
    TALLY_OK = 0,
    TALLY_IN_PROGRESS = 1,          /* of tally_session_step: the run goes on */
    TALLY_ERR_USAGE = -1,           /* an argument or option the caller must correct */
    TALLY_ERR_INCOMPATIBLE = -2,    /* the two sides' versions or terms do not agree */
    TALLY_ERR_INPUT = -3,           /* the input list: format, columns, too many rejects */
    TALLY_ERR_POLICY = -4,          /* refused by a rule both sides agreed to */
    TALLY_ERR_AUTH = -5,            /* certificate, fingerprint or name not accepted */
    TALLY_ERR_NETWORK = -6,         /* resolve, connect, or a broken connection */
    TALLY_ERR_FILE = -7,            /* a local file: missing, permissions, disk full */
    TALLY_ERR_MALFORMED = -8,       /* the peer sent bytes the protocol does not allow */
    TALLY_ERR_INTERRUPTED = -9,     /* cancelled by the user or by the calling program */
    TALLY_ERR_NO_MEMORY = -10,      /* out of memory */
    TALLY_ERR_DIFFERS = -11,        /* a verification or reconciliation differs */
    TALLY_ERR_INTERNAL = -70,       /* a fault of this program */
    TALLY_ERR_INPUT_CHANGED = -103, /* the input file changed while it was being used */
    TALLY_ERR_TIMEOUT = -106,       /* no peer, or a silent peer, within the deadline */
    TALLY_ERR_PEER_STOPPED = -206,  /* the peer ended the run; its own log has the reason */
    TALLY_ERR_RANDOM = -170         /* the random generator failed */
};

typedef enum tally_status tally_status;

#endif
