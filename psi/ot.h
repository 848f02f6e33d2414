/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Oblivious transfer: 128 base OTs over ristretto255 (Masny and Rindal 2019, "endemic"), and their extension
 * to as many as the columns need (Ishai, Kilian, Nissim, Petrank 2003, semi-honest). Takes choices, gives
 * 16-byte strings. Called by psi/vole_setup on either side.
 *
 * The extension's sender (the receiver of the match) chooses in the base OTs:
 *   extension sender  -> receiver: 128 pairs of points                   psi_ot_open
 *   extension receiver -> sender:  one point, 128 columns of count bits   psi_ot_choose
 *   extension sender:              both strings of every OT               psi_ot_strings
 */
#ifndef PSI_OT_H
#define PSI_OT_H

#include "psi/ggm.h"
#include "psi/group.h"
#include "psi/item.h"

#define PSI_OT_BASE 128u
#define PSI_OT_MAX 4096u /* strings of one extension; a multiple of 8 */

typedef struct psi_ot_sender {
    uint8_t choice[PSI_OT_BASE / 8];  /* secret: s */
    psi_scalar exponent[PSI_OT_BASE]; /* secret */
    psi_point pairs[PSI_OT_BASE][2];  /* sent: 8192 bytes */
} psi_ot_sender;

/* Draws choices and exponents and fills pairs. Wipe the struct with psi_wipe. */
tally_status psi_ot_open(psi_ot_sender *s, const psi_sid *sid) TALLY_MUST_CHECK;

/*
 * Extension receiver: count choice bits (secret, bit i in byte i/8; count a multiple of 8, at most
 * PSI_OT_MAX). Fills point (sent), columns (sent: 128 strings of count / 8 bytes) and strings[i], the string
 * of bit i's choice. TALLY_ERR_MALFORMED: a point is no valid group element. pairs: 2 * 128 points.
 */
tally_status psi_ot_choose(psi_block *strings, psi_point *point, uint8_t *columns, const uint8_t *choices,
                           size_t count, const psi_point *pairs, const psi_sid *sid) TALLY_MUST_CHECK;

/* Extension sender: both strings of every OT. TALLY_ERR_MALFORMED: point is no valid group element. */
tally_status psi_ot_strings(psi_block (*strings)[2], const psi_ot_sender *s, const psi_point *point,
                            const uint8_t *columns, size_t count, const psi_sid *sid) TALLY_MUST_CHECK;

#endif
