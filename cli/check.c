/* SPDX-License-Identifier: Apache-2.0 */
/* tally check: what is in a list, and what is wrong with it, before a run. */
#include "cli/commands.h"
#include "cli/file.h"
#include "cli/message.h"
#include "cli/record.h"
#include "cli/run.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 78u

const char cli_help_check[] =
    "usage: tally check --input FILE --key COL[:PROFILE] [OPTIONS]\n"
    "       tally check --input FILE --agreement FILE --role receiver|sender\n"
    "       tally check --input FILE\n"
    "\n"
    "Looks at your list as a run would read it, and sends nothing: rows, rejects and\n"
    "the lines they are on, duplicates, what the key columns are like, what went\n"
    "wrong where the list was exported, and what a run would send. No value is\n"
    "shown. Without a key it says which columns could be one.\n"
    "\n" CLI_HELP_INPUT "      --value COL:MIN..MAX[@SCALE], --band COL:E0,E1,...\n"
    "                                columns of numbers as tally sum takes them\n"
    "      --duplicates RULE         sum (default), max or refuse\n"
    "      --agreement FILE          take keys and columns from it\n"
    "      --role receiver|sender    whose columns of the agreement these are\n"
    "      --json                    print the report as JSON\n"
    "  -h, --help                    show this text\n"
    "\n"
    "Exit status: 0 if a run could use the list, 3 if it would be refused, 4 if it\n"
    "is longer than the agreement allows.\n"
    "\n"
    "example:\n"
    "  tally check --input bank.csv --key id_card:cn-resident-id\n";

/* ---- Parts of the report ---- */

static long long number(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
    return cli_record_text(object, key);
}

/* "2, 3, 7, ...": the first lines of `all`. */
static void lines_text(char out[128], const json_t *lines, long long all)
{
    size_t i, used = 0;
    const json_t *line;
    *out = 0;
    json_array_foreach(lines, i, line) used += (size_t)snprintf(
        out + used, 128 - used, "%s%lld", i ? ", " : "", (long long)json_integer_value(line));
    if ((long long)json_array_size(lines) < all && used)
        snprintf(out + used, 128 - used, ", ...");
}

/* What stays on one line: a word, or a wide character with the punctuation at it. Returns its bytes. */
static size_t unbroken(const char *words, char out[256])
{
    static const char closing[] = "\u3001\u3002\uff0c\uff1b\uff1a\uff1f\uff09\u201d",
                      opening[] = "\uff08\u201c";
    size_t n = 0;
    int was_wide = 0, was_opening = 0;
    while (words[n] && words[n] != ' ') {
        size_t len = 1;
        while (((unsigned char)words[n + len] & 0xc0) == 0x80)
            len++;
        char one[8] = "";
        if (len >= sizeof one || n + len >= 256)
            break;
        memcpy(one, words + n, len);
        int wide = cli_record_width(one) > 1;
        if (n && (wide || was_wide) && !was_opening && !(len > 1 && strstr(closing, one)))
            break;
        was_wide = wide;
        was_opening = len > 1 && strstr(opening, one);
        n += len;
    }
    memcpy(out, words, n);
    out[n] = 0;
    return n;
}

/* A text, broken where a line would be longer than a terminal's, behind `indent` blanks. */
static void print_wrapped(unsigned indent, const char *words)
{
    size_t column = indent, blank = 0;
    printf("%*s", (int)indent, "");
    while (*words) {
        char word[256];
        size_t n = unbroken(words, word), wide = cli_record_width(word);
        if (!n && *words != ' ')
            break;
        if (column > indent && column + blank + wide > WIDTH) {
            printf("\n%*s", (int)indent, "");
            column = indent;
        } else if (blank && column > indent) {
            putchar(' ');
            column++;
        }
        cli_record_print(stdout, word);
        column += wide;
        words += n;
        blank = *words == ' ';
        words += blank;
    }
    putchar('\n');
}

static double percent(long long part, long long all)
{
    return all ? 100.0 * (double)part / (double)all : 0;
}

static void bytes_text(char out[32], long long bytes)
{
    if (bytes >= 1000000)
        snprintf(out, 32, "%.1f MB", (double)bytes / 1e6);
    else
        snprintf(out, 32, "%.1f kB", (double)bytes / 1e3);
}

static void print_counts(const json_t *all)
{
    char n[5][32], lines[128];
    const json_t *duplicates = json_object_get(all, "duplicates");
    cli_record_grouped(n[0], number(all, "rows"));
    cli_record_grouped(n[1], number(all, "accepted"));
    cli_record_grouped(n[2], number(all, "rejected"));
    cli_record_grouped(n[3], number(all, "identifiers"));
    cli_record_grouped(n[4], number(duplicates, "rows"));
    cli_print("rows         %14s\n", n[0]);
    cli_print("accepted     %14s  %.1f %%\n", n[1], percent(number(all, "accepted"), number(all, "rows")));
    cli_print("rejected     %14s\n", n[2]);
    if (number(all, "without_consent"))
        cli_print("             %14lld  of them without consent\n", number(all, "without_consent"));
    if (number(all, "clipped"))
        cli_print("clipped      %14lld  numbers, to the nearest end of their range\n",
                  number(all, "clipped"));
    if (!json_is_object(duplicates))
        return;
    cli_print("identifiers  %14s  distinct\n", n[3]);
    cli_print("duplicates   %14s  rows with the identifier of an earlier one\n", n[4]);
    if (number(duplicates, "rows")) {
        lines_text(lines, json_object_get(duplicates, "lines"), number(duplicates, "rows"));
        cli_record_grouped(n[0], number(duplicates, "identifiers"));
        cli_print("             %14s  identifiers occur more than once, at most %lld times\n", n[0],
                  number(duplicates, "most_rows"));
        cli_print("             %14s  line %s\n", "", lines);
    }
}

static void print_rejects(const json_t *all)
{
    size_t i;
    const json_t *reject, *rejects = json_object_get(all, "rejects");
    if (json_array_size(rejects))
        cli_print("\nrejected rows\n");
    json_array_foreach(rejects, i, reject)
    {
        char n[32], lines[128];
        cli_record_grouped(n, number(reject, "rows"));
        lines_text(lines, json_object_get(reject, "lines"), number(reject, "rows"));
        cli_print("%14s  %s: line %s\n", n, party_word(text(reject, "reason")), lines);
    }
}

static void print_lengths(const json_t *key)
{
    size_t i, shown = 0;
    const json_t *pair;
    long long rows = number(key, "rows"), rest = 0;
    cli_print("    characters: ");
    json_array_foreach(json_object_get(key, "lengths"), i, pair)
    {
        long long n = (long long)json_integer_value(json_array_get(pair, 0)),
                  count = (long long)json_integer_value(json_array_get(pair, 1));
        if (shown >= 6) {
            rest += count;
        } else {
            printf("%s", shown ? party_local(", ") : "");
            if (n >= 64)
                cli_print("%lld and more (%.1f %%)", n, percent(count, rows));
            else
                printf("%lld (%.1f %%)", n, percent(count, rows));
        }
        shown++;
    }
    if (rest)
        cli_print(", others (%.1f %%)", percent(rest, rows));
    putchar('\n');
}

static void print_keys(const json_t *all)
{
    size_t i;
    const json_t *key, *keys = json_object_get(all, "keys");
    if (json_array_size(keys))
        cli_print("\nkey columns\n");
    json_array_foreach(keys, i, key)
    {
        long long rows = number(key, "rows"), valid = number(key, "valid");
        cli_print("  \"%s\" as %s: %.1f %% valid, %.1f %% empty, %.1f %% of the valid ones distinct\n",
                  text(key, "column"), text(key, "profile"), percent(valid, rows),
                  percent(number(key, "empty"), rows), percent(number(key, "distinct"), valid));
        print_lengths(key);
    }
}

/* Where a finding is: column, lines, how many rows. */
static void print_place(const json_t *finding)
{
    char n[32], lines[128];
    const char *column = text(finding, "column"), *weight = text(finding, "weight");
    long long rows = number(finding, "rows");
    const char *word = strcmp(weight, "rejected") == 0  ? PARTY_WORD("rejected")
                       : strcmp(weight, "warning") == 0 ? PARTY_WORD("warning")
                                                        : PARTY_WORD("taken care of");
    cli_record_grouped(n, rows);
    lines_text(lines, json_object_get(finding, "lines"), rows);
    if (json_integer_value(json_array_get(json_object_get(finding, "lines"), 0)) <= 0)
        *lines = 0;
    if (*column && *lines)
        cli_print("  %s, column \"%s\", line %s (%s in all):\n", word, column, lines, n);
    else if (*column)
        cli_print("  %s, column \"%s\":\n", word, column);
    else if (*lines)
        cli_print("  %s, line %s (%s in all):\n", word, lines, n);
    else
        cli_print("  %s:\n", word);
}

static void print_findings(const json_t *all)
{
    size_t i;
    const json_t *finding, *findings = json_object_get(all, "findings");
    if (json_array_size(findings))
        cli_print("\nfindings\n");
    json_array_foreach(findings, i, finding)
    {
        print_place(finding);
        print_wrapped(4, party_local(text(finding, "message")));
        print_wrapped(6, party_local(text(finding, "hint")));
    }
}

static void print_proposals(const json_t *all)
{
    size_t i;
    const json_t *p, *proposals = json_object_get(all, "proposals");
    cli_print("\nno key was named, so no identifier was read\n");
    json_array_foreach(proposals, i, p)
    {
        const char *column = text(p, "column");
        long long rows = number(p, "rows"), valid = number(p, "valid");
        if (i == 0)
            cli_print("columns that could be a key\n");
        if (*column)
            cli_print("  --key \"%s:%s\": %.1f %% valid, %.1f %% of the rows distinct\n", column,
                      text(p, "profile"), percent(valid, rows), percent(number(p, "distinct"), rows));
        else
            cli_print("  column %lld as %s: %.1f %% valid, %.1f %% of the rows distinct\n",
                      number(p, "number"), text(p, "profile"), percent(valid, rows),
                      percent(number(p, "distinct"), rows));
    }
    if (!json_array_size(proposals))
        cli_print("no column looks like resident numbers, credit codes or telephone numbers;\n"
                  "name the one that identifies a row: --key COLUMN\n");
}

static void print_sent(const json_t *all)
{
    char n[2][32], b[2][32];
    const json_t *sent = json_object_get(all, "sent"), *bytes = json_object_get(sent, "match_bytes");
    if (!json_is_object(sent))
        return;
    cli_record_grouped(n[0], number(sent, "padded_to"));
    bytes_text(b[0], number(bytes, "receiver"));
    bytes_text(b[1], number(bytes, "sender"));
    cli_print("\nwhat a run would send\n");
    if (number(sent, "padding_step"))
        cli_print("  the other side learns that the list has at most %s identifiers (padded)\n", n[0]);
    else
        cli_print("  the other side learns that the list has %s identifiers\n", n[0]);
    cli_print("  a match with a list of the same size: about %s as receiver, %s as sender\n", b[0], b[1]);
    cli_print("nothing was sent now\n");
}

static void print_report(const json_t *all)
{
    const json_t *format = json_object_get(all, "format");
    const char *delimiter = text(format, "delimiter");
    delimiter = *delimiter == '\t' ? PARTY_WORD("tab") : delimiter;
    if (json_is_true(json_object_get(format, "header")))
        cli_print("%s: %s, delimiter %s, with a header\n\n", text(all, "file"), text(format, "encoding"),
                  delimiter);
    else
        cli_print("%s: %s, delimiter %s, without a header\n\n", text(all, "file"), text(format, "encoding"),
                  delimiter);
    if (json_array_size(json_object_get(all, "keys")))
        print_counts(all);
    print_rejects(all);
    print_keys(all);
    print_findings(all);
    print_sent(all);
}

/* ---- The command ---- */

static tally_status take_agreement(cli_run *r, tally_error *error)
{
    if (!r->agreement_path)
        return TALLY_OK;
    tally_status st = tally_agreement_load(r->agreement_path, &r->agreement, error);
    return st ? st
              : tally_input_set_agreement(r->input, r->agreement, r->sender ? TALLY_SENDER : TALLY_RECEIVER,
                                          error);
}

static tally_status check(cli_run *r, tally_error *error)
{
    char *json = NULL;
    tally_status st = r->rejects ? cli_file_check("--rejects", r->rejects, 1, error) : TALLY_OK;
    if (!st)
        st = take_agreement(r, error);
    if (st)
        return st;
    st = tally_input_check_json(r->input, &json, error);
    if (!json)
        return st;
    json_t *all = json_loads(json, 0, NULL);
    if (cli_run_given(r, CLI_JSON))
        printf("%s\n", json);
    else if (all && (number(all, "rows") || !st))
        print_report(all);
    if (!st && !cli_run_given(r, CLI_JSON)) {
        if (!json_array_size(json_object_get(all, "keys")))
            print_proposals(all);
        else
            cli_print("\na run can use this list\n");
    }
    json_decref(all);
    free(json);
    fflush(stdout);
    return st;
}

int cli_check(char *const *argv)
{
    static const enum cli_run_option options[] = {
        CLI_INPUT, CLI_KEY,  CLI_ENCODING,   CLI_DELIMITER, CLI_NO_HEADER, CLI_REJECTS, CLI_MAX_REJECTS,
        CLI_VALUE, CLI_BAND, CLI_DUPLICATES, CLI_AGREEMENT, CLI_ROLE,      CLI_JSON,    CLI_HELP};
    static const cli_command command = {
        "check", cli_help_check, TALLY_MATCH, options, sizeof options / sizeof *options, CLI_KIND_CHECK};
    cli_run r = {.command = &command};
    tally_error error = {0};
    int help = 0;
    tally_status st = tally_session_new(&r.session, &error);
    if (!st)
        st = tally_input_new(&r.input, &error);
    if (!st)
        st = cli_run_parse(&r, argv, &help, &error);
    if (!st && help)
        cli_show_help(cli_help_check);
    else if (!st)
        st = check(&r, &error);
    if (st)
        cli_report(&error);
    tally_session_free(r.session);
    tally_input_free(r.input);
    tally_agreement_free(r.agreement);
    return tally_exit_status(st);
}
