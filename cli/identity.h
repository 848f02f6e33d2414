/* SPDX-License-Identifier: Apache-2.0 */
/* Between cli/identity and cli/identity_show. */
#ifndef CLI_IDENTITY_H
#define CLI_IDENTITY_H

#include "cli/home.h"

/* Prints an identity, with the agreements of places that name it; organisation (NULL: not new) goes into the
 * JSON of a new one. TALLY_ERR_NO_MEMORY. */
tally_status cli_identity_print(const cli_places *places, const char *name, const char *dir,
                                const char *organisation, int json, const tally_identity *identity,
                                tally_error *error) TALLY_MUST_CHECK;

#endif
