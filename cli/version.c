/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/message.h"
#include "cli/options.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

const char cli_help_version[] =
    "usage: tally version [--json]\n"
    "\n"
    "Shows the versions of tally, of the protocol it speaks and of its libraries.\n"
    "\n"
    "options:\n"
    "      --json    as JSON\n"
    "  -h, --help    show this text\n";

int cli_show_version(void)
{
    printf("tally %s\n", tally_version());
    return CLI_EXIT_OK;
}

static void print_members(json_t *object, const char *label)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) if (json_is_string(value))
        printf("%s%s %s\n", label, key, json_string_value(value));
}

static int print_plain(const char *text)
{
    json_t *all = json_loads(text, 0, NULL), *libraries, *backends;
    int min, max;
    if (json_unpack(all, "{s:{s:i, s:i}, s:o, s:o}", "protocol", "min", &min, "max", &max, "libraries",
                    &libraries, "backends", &backends)) {
        json_decref(all);
        return CLI_EXIT_INTERNAL;
    }
    cli_show_version();
    if (min == max)
        printf("protocol %d\n", max);
    else
        printf("protocol %d to %d\n", min, max);
    print_members(libraries, "");
    print_members(backends, "backend ");
    json_decref(all);
    return CLI_EXIT_OK;
}

int cli_version(char *const *argv)
{
    enum { JSON, HELP };
    static const cli_option options[] = {[JSON] = {.name = "json"}, [HELP] = {.name = "help", .letter = 'h'}};
    cli_args args;
    tally_error error;
    const char *value;
    int o, exit = CLI_EXIT_OK;
    cli_args_init(&args, options, sizeof options / sizeof *options, argv);
    while ((o = cli_args_next(&args, &value, &error)) != CLI_END) {
        if (o == HELP)
            return cli_show_help(cli_help_version);
        if (o == CLI_WORD) {
            cli_fail(&error, TALLY_ERR_USAGE, "unexpected argument %s", value);
            o = CLI_BAD;
        }
        if (o == CLI_BAD)
            return cli_report(&error);
    }
    char *text = tally_version_json();
    if (!text) {
        cli_fail(&error, TALLY_ERR_NO_MEMORY, "out of memory");
        return cli_report(&error);
    }
    if (cli_args_seen(&args, JSON))
        printf("%s\n", text);
    else
        exit = print_plain(text);
    if (exit != CLI_EXIT_OK)
        cli_note("the versions could not be read from the library");
    free(text);
    return exit;
}
