/* SPDX-License-Identifier: Apache-2.0 */
/* YAML files of the command, event by event: settings.yaml and the configuration of serve. */
#ifndef CLI_YAML_H
#define CLI_YAML_H

#include "party/tally.h"
#include <yaml.h>

typedef struct cli_yaml {
    const char *path; /* for messages */
    const char *form; /* hint for a file that is no YAML */
    yaml_parser_t parser;
    yaml_event_t event;
    int held; /* event is to be deleted */
    tally_error *error;
} cli_yaml;

/* Begins to read the bytes, which are borrowed; path, form and error are set. */
tally_status cli_yaml_open(cli_yaml *y, const unsigned char *bytes, size_t len) TALLY_MUST_CHECK;
void cli_yaml_close(cli_yaml *y);
/* The next event; anchors, aliases and tags are none that may come. */
tally_status cli_yaml_next(cli_yaml *y) TALLY_MUST_CHECK;
/* Line of the event. */
size_t cli_yaml_line(const cli_yaml *y);
/* TALLY_ERR_USAGE: what is wrong on a line, and what to do; what is a message of its own, or party_both's. */
tally_status cli_yaml_refuse(const cli_yaml *y, size_t line, const char *what, const char *hint);

#endif
