/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of tally serve (docs/serve.md): takes a YAML file, gives what to listen on and the
 * entries, each field checked. Called by cli/serve. */
#ifndef CLI_SERVE_CONFIG_H
#define CLI_SERVE_CONFIG_H

#include "party/tally.h"

#define CLI_SERVE_LISTEN 16
#define CLI_SERVE_COLUMNS 256

typedef struct cli_serve_texts {
    char **at;
    size_t count;
} cli_serve_texts;

/* One agreement that is waited for. Texts are NULL where nothing is said; paths are whole ones. */
typedef struct cli_serve_entry {
    size_t line; /* where it begins */
    char *name;  /* letters, digits, - and _ */
    char *agreement, *input;
    char *encoding, *rejects, *peer_ca, *peer_crl;
    char *output, *summary; /* folders */
    char delimiter;         /* 0: the usual one */
    int no_header, has_max_rejects;
    uint64_t max_rejects, max_rejects_ppm;
    cli_serve_texts columns;
} cli_serve_entry;

typedef struct cli_serve_config {
    char *path;
    cli_serve_texts listen;
    char *identity, *passphrase_file, *ledger, *status;
    uint64_t max_sessions, threads; /* threads 0: processors divided by max_sessions */
    unsigned grace_s;
    unsigned max_duration_s; /* of a run; 0: any */
    cli_serve_entry *entry;
    size_t count;
} cli_serve_config;

/* TALLY_ERR_USAGE: "FILE:LINE: ..."; TALLY_ERR_FILE: cannot be read. *out is then empty. */
tally_status cli_serve_config_load(cli_serve_config *out, const char *path,
                                   tally_error *error) TALLY_MUST_CHECK;
void cli_serve_config_free(cli_serve_config *config);

/* A commented configuration. */
extern const char cli_serve_example[];

#endif
