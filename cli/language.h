/* SPDX-License-Identifier: Apache-2.0 */
/* The language of messages, help and tables: which one, and its catalogue (docs/messages.md). */
#ifndef CLI_LANGUAGE_H
#define CLI_LANGUAGE_H

#include "party/tally.h"

/*
 * Takes the first language of LANGUAGE, or that of LC_ALL, LC_MESSAGES or LANG, that is English or has a
 * catalogue; a locale that this machine has not generated will do. Says nothing: without a catalogue texts
 * are English.
 */
void cli_language_begin(void);
/* The same with a language by name ("zh_CN", "en"). TALLY_ERR_USAGE: there is no catalogue of it. */
tally_status cli_language_set(const char *name, tally_error *error) TALLY_MUST_CHECK;

/* A catalogue as msgfmt writes it, in memory that has to stay; the bytes are not trusted. 0: it is none. */
typedef struct cli_catalogue {
    const unsigned char *bytes;
    unsigned size, count, originals, translations;
    int swapped;
} cli_catalogue;
int cli_catalogue_read(cli_catalogue *out, const void *bytes, size_t size);
/* The translation of text, or NULL. */
const char *cli_catalogue_find(const cli_catalogue *c, const char *text);
/* 1 if both formats take the same arguments. */
int cli_format_same(const char *text, const char *other);
/* The names to try, in order, most wanted first, by the rules of gettext; at most count of them. */
typedef struct cli_locale {
    const char *language, *all, *messages, *lang; /* LANGUAGE, LC_ALL, LC_MESSAGES, LANG; NULL: not set */
} cli_locale;
size_t cli_language_names(const cli_locale *locale, char names[][16], size_t count);

#endif
