/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/estimate.h"

#include "cli/message.h"
#include "cli/notation.h"
#include "cli/options.h"

#include <stdlib.h>
#include <string.h>

enum option {
    MINE,
    THEIRS,
    ROLE,
    FUNCTION,
    PROTOCOL,
    SECURITY,
    REVEAL_TO,
    COLUMNS,
    VALUE,
    SCHEME,
    MIN_OVERLAP,
    LINK,
    PEER,
    CORES,
    THEIR_CORES,
    SAME_MACHINE,
    ROW_BYTES,
    CALIBRATE,
    CALIBRATION,
    IDENTITY,
    PASSPHRASE_FILE,
    LISTEN,
    CONNECT,
    TIMEOUT,
    JSON,
    HELP,
    OPTIONS
};

static const cli_option all[OPTIONS] = {[MINE] = {.name = "mine", .takes_value = 1},
                                        [THEIRS] = {.name = "theirs", .takes_value = 1},
                                        [ROLE] = {.name = "role", .takes_value = 1},
                                        [FUNCTION] = {.name = "function", .takes_value = 1},
                                        [PROTOCOL] = {.name = "protocol", .takes_value = 1},
                                        [SECURITY] = {.name = "security", .takes_value = 1},
                                        [REVEAL_TO] = {.name = "reveal-to", .takes_value = 1},
                                        [COLUMNS] = {.name = "columns", .takes_value = 1},
                                        [VALUE] = {.name = "value", .takes_value = 1, .repeats = 1},
                                        [SCHEME] = {.name = "scheme", .takes_value = 1},
                                        [MIN_OVERLAP] = {.name = "min-overlap", .takes_value = 1},
                                        [LINK] = {.name = "link", .takes_value = 1},
                                        [PEER] = {.name = "peer", .takes_value = 1},
                                        [CORES] = {.name = "cores", .takes_value = 1},
                                        [THEIR_CORES] = {.name = "their-cores", .takes_value = 1},
                                        [SAME_MACHINE] = {.name = "same-machine"},
                                        [ROW_BYTES] = {.name = "row-bytes", .takes_value = 1},
                                        [CALIBRATE] = {.name = "calibrate"},
                                        [CALIBRATION] = {.name = "calibration", .takes_value = 1},
                                        [IDENTITY] = {.name = "identity", .takes_value = 1},
                                        [PASSPHRASE_FILE] = {.name = "passphrase-file", .takes_value = 1},
                                        [LISTEN] = {.name = "listen", .takes_value = 1},
                                        [CONNECT] = {.name = "connect", .takes_value = 1},
                                        [TIMEOUT] = {.name = "timeout", .takes_value = 1},
                                        [JSON] = {.name = "json"},
                                        [HELP] = {.name = "help", .letter = 'h'}};

/* A number with a unit: what is left of *text behind it. 0: none. */
static int unit_number(const char **text, double *out)
{
    char *end;
    double v = strtod(*text, &end);
    if (end == *text || !(v >= 0 && v < 1e12))
        return 0;
    *out = v;
    *text = end;
    return 1;
}

static int take_unit(const char **text, const char *unit)
{
    size_t n = strlen(unit);
    if (strncmp(*text, unit, n) != 0)
        return 0;
    *text += n;
    return 1;
}

/* "100mbit,30ms": a rate each way, and the round trip. */
static tally_status parse_link(const char *text, tally_plan *plan, tally_error *error)
{
    const char *p = text;
    double rate = 0, trip = 0, scale = 0;
    int ok = unit_number(&p, &rate) && rate > 0;
    if (ok)
        scale = take_unit(&p, "kbit") ? 1e3 : take_unit(&p, "mbit") ? 1e6 : take_unit(&p, "gbit") ? 1e9 : 0;
    ok = ok && scale > 0;
    if (ok && *p) {
        ok = *p++ == ',' && unit_number(&p, &trip);
        trip *= take_unit(&p, "ms") ? 1e-3 : take_unit(&p, "us") ? 1e-6 : take_unit(&p, "s") ? 1 : (ok = 0);
    }
    if (!ok || *p || rate * scale < 1 || rate * scale > 1e15 || trip > 60) {
        cli_fail(error, TALLY_ERR_USAGE, "--link: \"%s\" is not a rate and a round trip", text);
        cli_hint(error, "write --link 100mbit,30ms: kbit, mbit or gbit a second each way, then the time of a "
                        "round trip, as ping shows it, in us, ms or s");
        return TALLY_ERR_USAGE;
    }
    plan->bits_per_second = rate * scale;
    plan->round_trip_seconds = trip;
    return TALLY_OK;
}

static tally_status choose(enum option o, const char *value, tally_plan *plan, tally_error *error)
{
    static const char *const roles[] = {"receiver", "sender", NULL},
                             *const functions[] = {"match", "count", "sum", NULL},
                             *const protocols[] = {"auto", "ecdh", "vole", NULL},
                             *const models[] = {"semi-honest", "malicious", NULL},
                             *const reveals[] = {"receiver", "sender", "both", NULL},
                             *const schemes[] = {"auto", "rlwe", "paillier", NULL};
    const struct {
        const char *name;
        const char *const *choices;
    } of[OPTIONS] = {[ROLE] = {"--role", roles},
                     [FUNCTION] = {"--function", functions},
                     [PROTOCOL] = {"--protocol", protocols},
                     [SECURITY] = {"--security", models},
                     [REVEAL_TO] = {"--reveal-to", reveals},
                     [SCHEME] = {"--scheme", schemes}};
    int i;
    tally_status st = cli_parse_choice(of[o].name, value, of[o].choices, &i, error);
    if (st)
        return st;
    if (o == ROLE)
        plan->role = i ? TALLY_SENDER : TALLY_RECEIVER;
    else if (o == FUNCTION)
        plan->function = (enum tally_function)(TALLY_MATCH + i);
    else if (o == PROTOCOL)
        plan->protocol = (enum tally_protocol)i;
    else if (o == SECURITY)
        plan->security = i ? TALLY_MALICIOUS : TALLY_SEMI_HONEST;
    else if (o == REVEAL_TO)
        plan->reveal = (enum tally_reveal)(TALLY_REVEAL_RECEIVER + i);
    else
        plan->scheme = (enum tally_scheme)i;
    return TALLY_OK;
}

static tally_status add_value(const char *value, tally_plan *plan, tally_error *error)
{
    char *column = NULL;
    int64_t min, max;
    unsigned scale;
    if (plan->value_count == TALLY_PLAN_VALUES)
        return cli_fail(error, TALLY_ERR_USAGE, "a sum has at most %d values", TALLY_PLAN_VALUES);
    tally_status st = cli_parse_value("--value", value, &column, &min, &max, &scale, error);
    free(column);
    if (st)
        return st;
    plan->values[plan->value_count].min = min;
    plan->values[plan->value_count++].max = max;
    return TALLY_OK;
}

/* Columns whose range is not known yet: 0 to 10^9. */
static tally_status add_columns(const char *value, tally_plan *plan, tally_error *error)
{
    uint64_t n;
    tally_status st = cli_parse_count("--columns", value, 1, TALLY_PLAN_VALUES, &n, error);
    for (uint64_t i = 0; !st && i < n; i++) {
        plan->values[i].min = 0;
        plan->values[i].max = 1000000000;
    }
    if (!st)
        plan->value_count = (size_t)n;
    return st;
}

static tally_status take_number(enum option o, const char *value, cli_estimate *e, tally_error *error)
{
    static const struct {
        const char *name;
        uint64_t min, max;
    } of[OPTIONS] = {[MINE] = {"--mine", 0, 1ull << 30},
                     [THEIRS] = {"--theirs", 0, 1ull << 30},
                     [MIN_OVERLAP] = {"--min-overlap", 2, 1ull << 30},
                     [CORES] = {"--cores", 1, 256},
                     [THEIR_CORES] = {"--their-cores", 1, 256},
                     [ROW_BYTES] = {"--row-bytes", 1, 1000000}};
    uint64_t n;
    tally_status st = cli_parse_count(of[o].name, value, of[o].min, of[o].max, &n, error);
    if (st)
        return st;
    switch (o) {
    case MINE:
        e->plan.own_items = n;
        break;
    case THEIRS:
        e->plan.peer_items = n;
        break;
    case MIN_OVERLAP:
        e->plan.min_overlap = n;
        break;
    case CORES:
        e->plan.threads = (unsigned)n;
        break;
    case THEIR_CORES:
        e->plan.peer_threads = (unsigned)n;
        break;
    default:
        e->plan.row_bytes = (double)n;
    }
    return TALLY_OK;
}

static tally_status take(enum option o, const char *value, cli_estimate *e, tally_error *error)
{
    switch (o) {
    case ROLE:
    case FUNCTION:
    case PROTOCOL:
    case SECURITY:
    case REVEAL_TO:
    case SCHEME:
        return choose(o, value, &e->plan, error);
    case COLUMNS:
        return add_columns(value, &e->plan, error);
    case VALUE:
        return add_value(value, &e->plan, error);
    case LINK:
        e->has_link = 1;
        return parse_link(value, &e->plan, error);
    case PEER:
        e->peer = value;
        break;
    case SAME_MACHINE:
        e->plan.same_machine = 1;
        break;
    case CALIBRATE:
        e->calibrate = 1;
        break;
    case CALIBRATION:
        e->file = value;
        break;
    case IDENTITY:
        e->identity = value;
        break;
    case PASSPHRASE_FILE:
        e->passphrase_file = value;
        break;
    case LISTEN:
        e->listen = value;
        break;
    case CONNECT:
        e->connect = value;
        break;
    case TIMEOUT:
        return cli_parse_duration("--timeout", value, &e->timeout_s, error);
    case JSON:
        e->json = 1;
        break;
    case HELP:
        e->help = 1;
        break;
    default:
        return take_number(o, value, e, error);
    }
    return TALLY_OK;
}

static tally_status refuse(tally_error *error, const char *message, const char *hint)
{
    cli_fail(error, TALLY_ERR_USAGE, PARTY_WHOLE, message);
    cli_hint(error, PARTY_WHOLE, hint);
    return TALLY_ERR_USAGE;
}

/* What goes together. */
static tally_status check(const cli_args *args, cli_estimate *e, tally_error *error)
{
    int line = e->listen || e->connect;
    if (line && !e->calibrate)
        return refuse(error, "--listen and --connect measure a line", "add --calibrate, on both sides");
    if (line && (e->listen && e->connect))
        return refuse(error, "--listen and --connect exclude each other",
                      "one side listens, the other connects");
    if (line && (!e->identity || !e->peer))
        return refuse(error, "a line is measured with the peer of a run",
                      "give --identity NAME and --peer sha256:... as for tally match");
    if (!line && e->identity)
        return refuse(error, "--identity is for measuring a line", "add --listen or --connect");
    if (e->calibrate && !line && (e->peer || cli_args_seen(args, TIMEOUT)))
        return refuse(error, "--peer and --timeout are for measuring a line", "add --listen or --connect");
    for (int o = 0; e->calibrate && o < CALIBRATE; o++)
        if (o != PEER && cli_args_seen(args, o)) {
            cli_fail(error, TALLY_ERR_USAGE, "--%s is for an estimate, not for --calibrate", all[o].name);
            cli_hint(error, "leave out what belongs to a run: a calibration knows all of them");
            return TALLY_ERR_USAGE;
        }
    if (e->calibrate)
        return TALLY_OK;
    if (!cli_args_seen(args, MINE) || !cli_args_seen(args, THEIRS))
        return refuse(error, "the sizes of the lists are missing",
                      "write --mine 10M --theirs 8M: how many identifiers each list has");
    if (e->has_link && e->peer)
        return refuse(error, "--link and --peer both say what line it is", "leave one of them out");
    if (e->plan.function != TALLY_SUM && e->plan.value_count)
        return refuse(error, "--columns and --value are for a sum", "add --function sum");
    if (cli_args_seen(args, COLUMNS) && cli_args_seen(args, VALUE))
        return refuse(error, "--columns and --value both say what is added up", "leave --columns out");
    if (e->plan.function == TALLY_SUM && !e->plan.value_count)
        return refuse(error, "a sum needs its values",
                      "write --columns 2, or --value amount:0..1e6@2 for each");
    return tally_plan_check(&e->plan, error);
}

tally_status cli_estimate_parse(char *const *argv, cli_estimate *out, tally_error *error)
{
    cli_args args;
    const char *value;
    int o;
    *out = (cli_estimate){.plan = {.role = TALLY_RECEIVER, .function = TALLY_MATCH}, .timeout_s = 600};
    cli_args_init(&args, all, OPTIONS, argv);
    while ((o = cli_args_next(&args, &value, error)) != CLI_END) {
        if (o == CLI_BAD)
            return error->status;
        if (o == CLI_WORD)
            return cli_fail(error, TALLY_ERR_USAGE, "unexpected argument %s", value);
        tally_status st = take((enum option)o, value, out, error);
        if (st || out->help)
            return st;
    }
    return check(&args, out, error);
}
