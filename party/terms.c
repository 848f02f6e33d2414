/* SPDX-License-Identifier: Apache-2.0 */
#include "party/terms.h"

#include "party/error.h"

#include <stdio.h>
#include <string.h>

/* Appends "field: here A, there B" to the list of differences. */
static void differ(char *list, size_t size, const char *field, const char *here, const char *there)
{
    size_t used = strlen(list);
    /* What does not fit is cut. */
    if (snprintf(list + used, size - used, "%s%s: here %s, there %s", used ? "; " : "", field, here, there) <
        0)
        list[used] = 0;
}

/* "none" or "court, amount and 3 more". */
static const char *column_names(char text[160], const wire_terms *t)
{
    size_t used = 0, i = 0;
    snprintf(text, 160, "none");
    for (; i < t->column_count && used + strlen(t->columns[i].name) + 20 < 160; i++)
        used += (size_t)snprintf(text + used, 160 - used, "%s%s", i ? ", " : "", t->columns[i].name);
    if (i < t->column_count)
        snprintf(text + used, 160 - used, " and %zu more", t->column_count - i);
    return text;
}

/* What is offered and what is wanted; where they agree, *form. */
static void compare_columns(const wire_terms *mine, const wire_terms *theirs, party_form *form, char *list,
                            size_t size)
{
    int sender = strcmp(mine->role, "sender") == 0;
    const wire_terms *offer = sender ? mine : theirs, *want = sender ? theirs : mine;
    char here[192], there[192], names[160];
    if (strcmp(mine->role, theirs->role) == 0 || (!mine->column_count && !theirs->column_count))
        return;
    if (!mine->column_count || !theirs->column_count) {
        snprintf(here, sizeof here, "%s %s", column_names(names, mine), sender ? "offered" : "wanted");
        snprintf(there, sizeof there, "%s %s", column_names(names, theirs), sender ? "wanted" : "offered");
        differ(list, size, "columns", here, there);
        return;
    }
    if (mine->rows_per_person != theirs->rows_per_person) {
        snprintf(here, sizeof here, "%u", mine->rows_per_person);
        snprintf(there, sizeof there, "%u", theirs->rows_per_person);
        differ(list, size, "rows per person", here, there);
    }
    size_t bad = 0;
    tally_status st = party_form_init(form, offer, want, &bad);
    if (st == TALLY_ERR_DIFFERS) {
        snprintf(names, sizeof names, "column '%s'", want->columns[bad].name);
        differ(list, size, names, sender ? "not offered" : "wanted", sender ? "wanted" : "not offered");
    } else if (st) {
        size_t used = strlen(list);
        snprintf(list + used, size - used, "%sthe columns take %zu bytes for each identifier, more than %u",
                 used ? "; " : "", form->sealed, WIRE_SEALED_MAX);
    }
}

/*
 * Auto goes with every protocol this version knows, but not with vole in the malicious model: an honest side
 * never asks for that, and one that does must not get it.
 */
static int protocols_agree(const wire_terms *mine, const wire_terms *theirs)
{
    const char *asked = strcmp(mine->protocol, "auto") != 0 ? mine->protocol : theirs->protocol;
    int vole = strcmp(asked, "vole") == 0;
    if (strcmp(asked, "auto") != 0 && strcmp(asked, "ecdh") != 0 && !vole)
        return 0;
    if (vole && strcmp(mine->security, "malicious") == 0)
        return 0;
    return strcmp(asked, theirs->protocol) == 0 || strcmp(theirs->protocol, "auto") == 0;
}

tally_status party_terms_compare(const wire_terms *mine, const wire_terms *theirs, party_form *form,
                                 tally_error *error)
{
    char list[400] = "";
    if (strcmp(mine->role, theirs->role) == 0)
        differ(list, sizeof list, "role", mine->role, theirs->role);
    if (strcmp(mine->function, theirs->function) != 0)
        differ(list, sizeof list, "function", mine->function, theirs->function);
    if (!protocols_agree(mine, theirs))
        differ(list, sizeof list, "protocol", mine->protocol, theirs->protocol);
    if (strcmp(mine->security, theirs->security) != 0)
        differ(list, sizeof list, "security", mine->security, theirs->security);
    if (strcmp(mine->reveal, theirs->reveal) != 0)
        differ(list, sizeof list, "reveal-to", mine->reveal, theirs->reveal);
    size_t keys = mine->key_count > theirs->key_count ? mine->key_count : theirs->key_count;
    for (size_t k = 0; k < keys; k++) {
        const char *here = k < mine->key_count ? mine->keys[k] : "none";
        const char *there = k < theirs->key_count ? theirs->keys[k] : "none";
        char field[32];
        snprintf(field, sizeof field, "key %zu", k + 1);
        if (strcmp(here, there) != 0)
            differ(list, sizeof list, field, here, there);
    }
    compare_columns(mine, theirs, form, list, sizeof list);
    if (!*list)
        return TALLY_OK;
    party_fail(error, TALLY_ERR_INCOMPATIBLE, "the terms of the run differ: %s", list);
    party_hint(error,
               "both sides have to say the same (and opposite roles); agree on the options and run again");
    return TALLY_ERR_INCOMPATIBLE;
}
