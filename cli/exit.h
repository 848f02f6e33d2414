/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of exit codes. docs/exit-status.md and tally(1) explain each; tally_exit_status maps to them.
 */
#ifndef CLI_EXIT_H
#define CLI_EXIT_H

enum cli_exit {
    CLI_EXIT_OK = 0,
    CLI_EXIT_USAGE = 1,        /* a wrong or missing option */
    CLI_EXIT_INCOMPATIBLE = 2, /* versions or terms of the two sides differ */
    CLI_EXIT_INPUT = 3,        /* the list: format, columns, too many rejects, changed while in use */
    CLI_EXIT_POLICY = 4,       /* refused by a rule both sides agreed to */
    CLI_EXIT_AUTH = 5,         /* certificate, fingerprint or name not accepted */
    CLI_EXIT_NETWORK = 6,      /* connect, time-out, broken connection, the peer stopped */
    CLI_EXIT_FILE = 7,         /* a local file, or standard output */
    CLI_EXIT_MALFORMED = 8,    /* the peer sent what the protocol does not allow */
    CLI_EXIT_INTERRUPTED = 9,  /* stopped by a signal */
    CLI_EXIT_NO_MEMORY = 10,
    CLI_EXIT_DIFFERS = 11, /* a verification or reconciliation differs */
    CLI_EXIT_INTERNAL = 70 /* a fault of this program */
};

#endif
