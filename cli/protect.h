/* SPDX-License-Identifier: Apache-2.0 */
/* What keeps keys of this process in this process. Called once by main, before anything else. */
#ifndef CLI_PROTECT_H
#define CLI_PROTECT_H

/*
 * No core dumps, no debugger of the same user, and for keys memory that is not swapped and not dumped:
 * OpenSSL's secure heap, which psi_secret_calloc uses too. What the system does not allow is left out without
 * a word: with a small RLIMIT_MEMLOCK keys are in memory as any other.
 */
void cli_protect(void);

#endif
