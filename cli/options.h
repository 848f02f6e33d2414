/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: one table of options per command, one iterator over the arguments, and the values'
 * notations. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "party/tally.h"

typedef struct cli_option {
    const char *name; /* without the dashes */
    char letter;      /* short form, or 0 */
    char takes_value; /* 1: --name VALUE or --name=VALUE */
    char repeats;     /* 1: may be given more than once */
} cli_option;

#define CLI_OPTIONS_MAX 64 /* options of one table */

typedef struct cli_args {
    const cli_option *options;
    size_t count;
    char *const *argv;   /* NULL-terminated */
    const char *cluster; /* rest of "-qv" */
    int words_only;      /* after "--" */
    uint64_t seen;       /* bit i: option i was given; CLI_OPTIONS_MAX */
} cli_args;

enum { CLI_WORD = -1, CLI_END = -2, CLI_BAD = -3 };

/* argv: the first argument to look at. */
void cli_args_init(cli_args *args, const cli_option *options, size_t count, char *const *argv);
/*
 * Index of the next option (its value, if it takes one, in *value), CLI_WORD (a word, in *value), CLI_END, or
 * CLI_BAD with the error filled: unknown option (hint: the nearest), value missing or not wanted, given
 * twice.
 */
int cli_args_next(cli_args *args, const char **value, tally_error *error);
/* 1 if option i was given. */
int cli_args_seen(const cli_args *args, int i);

/* The name of the list (NULL-terminated) that text most likely meant, or NULL. */
const char *cli_nearest(const char *text, const char *const *names);

/* The values. option is "--timeout" and the like, for the message. All TALLY_ERR_USAGE. */

/* "10m", "90s", "2h", "90" (seconds); 1 s to 24 h. */
tally_status cli_parse_duration(const char *option, const char *text, unsigned *seconds,
                                tally_error *error) TALLY_MUST_CHECK;
/* "250", "10k", "10M" (10^7), "1G", "2^20"; between min and max. */
tally_status cli_parse_count(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *out,
                             tally_error *error) TALLY_MUST_CHECK;
/* A count, or "1%", "0.25%" (up to 4 decimals): the one given in *rows or *ppm, UINT64_MAX in the other. */
tally_status cli_parse_limit(const char *option, const char *text, uint64_t *rows, uint64_t *ppm,
                             tally_error *error) TALLY_MUST_CHECK;
/* One character, or "tab". */
tally_status cli_parse_delimiter(const char *option, const char *text, char *out,
                                 tally_error *error) TALLY_MUST_CHECK;
/* Index of text in names (NULL-terminated). */
tally_status cli_parse_choice(const char *option, const char *text, const char *const *names, int *index,
                              tally_error *error) TALLY_MUST_CHECK;
/* "COL[:PROFILE]": what follows the last colon is the profile unless it is empty. *column is to be freed;
 *profile points into text, NULL if none. */
tally_status cli_split_key(const char *text, char **column, const char **profile,
                           tally_error *error) TALLY_MUST_CHECK;

#endif
