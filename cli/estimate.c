/* SPDX-License-Identifier: Apache-2.0 */
/* tally estimate: what a run will take, before it. */
#include "cli/estimate.h"

#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/message.h"
#include "cli/record.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char cli_help_estimate[] =
    "usage: tally estimate --mine N --theirs N [--link RATE,RTT] [OPTIONS]\n"
    "       tally estimate --calibrate\n"
    "       tally estimate --calibrate --listen|--connect HOST:PORT --identity NAME\n"
    "             --peer sha256:... [--passphrase-file FILE]\n"
    "\n"
    "Says before a run how long it will take, how many bytes it will send and how\n"
    "much memory it needs, for every protocol. The figures are of this machine,\n"
    "which is measured once (--calibrate, about 30 seconds; done by itself the first\n"
    "time) and kept in the home. With --listen on one side and --connect on the\n"
    "other it measures the line between the two instead; nothing of a list is sent.\n"
    "\n"
    "the run:\n"
    "      --mine N            identifiers on your list: 250000, 10M, 2^20\n"
    "      --theirs N          identifiers on the other side's list\n"
    "      --role ROLE         receiver (default) or sender\n"
    "      --function F        match (default), count or sum\n"
    "      --columns N         of a sum: value columns, each 0 to 10^9\n"
    "      --value COL:MIN..MAX[@SCALE]\n"
    "                          of a sum: a value column as tally sum takes it\n"
    "      --scheme S          of a sum: rlwe or paillier; both if left out\n"
    "      --protocol P        vole or ecdh; both if left out\n"
    "      --security MODEL    semi-honest (default) or malicious\n"
    "      --reveal-to WHO     receiver (default), sender or both\n"
    "      --min-overlap K     as in the run\n"
    "      --row-bytes N       bytes of a row of the file (default 64)\n"
    "\n"
    "line and machines:\n"
    "      --link RATE,RTT     such as 100mbit,30ms: each way, and the round trip as\n"
    "                          ping shows it; left out: both on one machine\n"
    "      --peer sha256:...   the line that was measured with that side\n"
    "      --cores N           processors here (default: those of this machine)\n"
    "      --their-cores N     processors there (default: as many as here)\n"
    "      --same-machine      both sides share the processors of this machine\n"
    "      --calibration FILE  another calibration, such as that of the server\n"
    "\n"
    "others:\n"
    "      --calibrate         measure this machine; with the next ones the line\n"
    "      --listen|--connect HOST:PORT, --identity NAME, --passphrase-file FILE\n"
    "                          as in a run, and --peer\n"
    "      --timeout TIME      how long to wait for the other side (default 10m)\n"
    "      --json              as JSON\n"
    "  -h, --help              show this text\n"
    "\n"
    "examples:\n"
    "  tally estimate --mine 10M --theirs 8M --link 100mbit,30ms --cores 8\n"
    "  tally estimate --mine 2^20 --theirs 2^20 --function sum --columns 2\n";

/* ---- Words for figures ---- */

static void seconds_text(char out[24], double s)
{
    if (s < 0.995)
        snprintf(out, 24, "%.2f s", s);
    else if (s < 9.95)
        snprintf(out, 24, "%.1f s", s);
    else if (s < 99.5)
        snprintf(out, 24, "%.0f s", s);
    else if (s < 5970)
        snprintf(out, 24, s < 597 ? "%.1f min" : "%.0f min", s / 60);
    else
        snprintf(out, 24, "%.1f h", s / 3600);
}

static void bytes_text(char out[24], double b)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    size_t u = 0;
    for (; b >= 999.5 && u < 4; u++)
        b /= 1000;
    snprintf(out, 24, b < 9.95 && u ? "%.1f %s" : "%.0f %s", b, units[u]);
}

static double number(const json_t *object, const char *group, const char *name)
{
    return json_number_value(json_object_get(group ? json_object_get(object, group) : object, name));
}

static const char *text(const json_t *object, const char *name)
{
    return cli_record_text(object, name);
}

/* ---- The table ---- */

static void print_head(const json_t *all, const cli_estimate *e, const char *mine)
{
    char n[2][32];
    const tally_plan *p = &e->plan;
    cli_record_grouped(n[0], (long long)p->own_items);
    cli_record_grouped(n[1], (long long)p->peer_items);
    cli_print("%s, this side is the %s: %s identifiers here, %s there\n", party_word(text(all, "function")),
              party_word(mine), n[0], n[1]);
    if (p->bits_per_second > 0) {
        cli_print("line: %.4g Mbit/s there", p->bits_per_second / 1e6);
        if (p->received_bits_per_second > 0)
            cli_print(", %.4g Mbit/s back", p->received_bits_per_second / 1e6);
        else
            cli_print(" and back");
        cli_print(", round trip %.3g ms\n", p->round_trip_seconds * 1e3);
    } else {
        cli_print("line: none that limits; give one with --link 100mbit,30ms\n");
    }
    cli_print("processor: %s\n\n", text(json_object_get(all, "calibration"), "processor"));
}

/* A line of the table. */
static void print_columns(const char *const cells[9])
{
    static const int widths[9] = {15, -9, 0, -9, -9, -10, -9, -10, -9};
    for (size_t c = 0; c < 9; c++) {
        if (c == 2) {
            fputs("  ", stdout);
            cli_column(cells[c], 19);
        } else {
            cli_column(cells[c], widths[c]);
        }
    }
    putchar('\n');
}

static void print_row(const json_t *row, const char *mine, const char *theirs)
{
    char t[3][24], sent[2][24], memory[2][24], cpu[2][24], name[40], range[52];
    static const char *const times[] = {"expected", "low", "high"};
    const char *const sides[] = {mine, theirs};
    for (int i = 0; i < 3; i++)
        seconds_text(t[i], number(row, "wall_seconds", times[i]));
    for (int i = 0; i < 2; i++) {
        bytes_text(sent[i], number(row, sides[i], "sent_bytes"));
        bytes_text(memory[i], number(row, sides[i], "peak_bytes"));
        seconds_text(cpu[i], number(row, sides[i], "cpu_seconds"));
    }
    const char *scheme = text(row, "scheme");
    snprintf(name, sizeof name, "%s%s%s", text(row, "protocol"), *scheme ? ", " : "", scheme);
    party_show(range, sizeof range, "%s to %s", t[1], t[2]);
    print_columns(
        (const char *const[]){name, t[0], range, sent[0], sent[1], memory[0], memory[1], cpu[0], cpu[1]});
}

/* The row of what `auto` picks, or the first. */
static const json_t *chosen_row(const json_t *all)
{
    size_t i;
    const json_t *row, *rows = json_object_get(all, "protocols");
    json_array_foreach(rows, i, row) if (strcmp(text(row, "protocol"), text(all, "auto")) == 0) return row;
    return json_array_get(rows, 0);
}

static void print_stages(const json_t *row)
{
    size_t i;
    const json_t *stage;
    const char *scheme = text(row, "scheme");
    cli_print("\nwhere the time of %s%s%s goes:\n", text(row, "protocol"), *scheme ? ", " : "", scheme);
    json_array_foreach(json_object_get(row, "stages"), i, stage)
    {
        char t[24];
        seconds_text(t, number(stage, NULL, "seconds"));
        fputs("  ", stdout);
        cli_column(party_local(text(stage, "stage")), 36);
        printf(" %8s   %s\n", t, party_local(text(stage, "waits_for")));
    }
}

/* What would make it faster: what the longest stages wait for. */
static void print_hint(const json_t *row, int same_machine)
{
    static const struct {
        const char *waits_for, *says;
    } hints[] = {
        {"the line", "Most of the time the line is what it waits for: more processors would not help."},
        {"the delay of the line",
         "Most of the time is the delay of the line; a faster line or machine would not help."},
        {"the disk", "Most of the time is waiting for the disk."}};
    size_t i;
    const json_t *stage;
    double total = number(row, "wall_seconds", "expected"), by[4] = {0, 0, 0, 0};
    json_array_foreach(json_object_get(row, "stages"), i, stage)
    {
        size_t h = 0;
        while (h < 3 && strcmp(text(stage, "waits_for"), hints[h].waits_for) != 0)
            h++;
        by[h] += number(stage, NULL, "seconds");
    }
    for (size_t h = 0; h < 3; h++)
        if (by[h] > 0.5 * total)
            puts(party_local(hints[h].says));
    if (by[3] > 0.5 * total)
        puts(party_local(same_machine
                             ? "Most of the time is computing, and both sides share the processors."
                             : "Most of the time is computing: more processors (--cores) shorten it."));
}

static void print_advice(const json_t *all, const json_t *row, const cli_estimate *e, const char *mine)
{
    size_t i;
    const json_t *other;
    double total = number(row, "wall_seconds", "expected");
    cli_print("\nauto picks %s: %s.\n", text(all, "auto"), party_word(text(all, "because")));
    json_array_foreach(json_object_get(all, "protocols"), i, other)
    {
        double t = number(other, "wall_seconds", "expected");
        const char *scheme = text(other, "scheme");
        if (t < 0.8 * total)
            cli_print("Here %s should be faster: %.1f times.\n", *scheme ? scheme : text(other, "protocol"),
                      total / t);
    }
    print_hint(row, e->plan.same_machine);
    if (number(row, mine, "disk_bytes") > 0) {
        char disk[24];
        bytes_text(disk, number(row, mine, "disk_bytes"));
        cli_print("Rows that match are taken as a tenth of the shorter list: %s to be written.\n", disk);
    }
}

static void print_table(const json_t *all, const cli_estimate *e)
{
    size_t i;
    const json_t *row;
    const char *mine = text(all, "role"), *theirs = strcmp(mine, "sender") == 0 ? "receiver" : "sender";
    print_head(all, e, mine);
    cli_column("", 43);
    cli_column(party_local(PARTY_TEXT("sends")), -20);
    cli_column(party_local(PARTY_TEXT("memory")), -19);
    cli_column(party_local(PARTY_TEXT("processor time")), -19);
    putchar('\n');
    const char *here = party_local(PARTY_TEXT("here")), *there = party_local(PARTY_TEXT("there"));
    print_columns((const char *const[]){party_local(PARTY_TEXT("protocol")), party_local(PARTY_TEXT("time")),
                                        party_local(PARTY_TEXT("range")), here, there, here, there, here,
                                        there});
    json_array_foreach(json_object_get(all, "protocols"), i, row) print_row(row, mine, theirs);
    const json_t *chosen = chosen_row(all);
    print_stages(chosen);
    print_advice(all, chosen, e, mine);
}

/* ---- The command ---- */

static tally_status use_line(const tally_calibration *c, cli_estimate *e, tally_error *error)
{
    tally_line line;
    tally_status st = tally_calibration_get_line(c, e->peer, &line, error);
    if (st)
        return st;
    e->plan.bits_per_second = line.sent_bits_per_second;
    e->plan.received_bits_per_second = line.received_bits_per_second;
    e->plan.round_trip_seconds = line.round_trip_seconds;
    return TALLY_OK;
}

static tally_status answer(const tally_calibration *c, cli_estimate *e, tally_error *error)
{
    if (!tally_calibration_fits(c) && !e->file) {
        cli_note("this machine was measured with another processor or other backends");
        cli_advise("measure it again: tally estimate --calibrate");
    }
    tally_status st = e->peer ? use_line(c, e, error) : TALLY_OK;
    if (st)
        return st;
    if (!e->has_link && !e->peer)
        e->plan.same_machine = 1;
    char *json = tally_estimate_json(c, &e->plan, error);
    if (!json)
        return error->status;
    if (e->json) {
        puts(json);
    } else {
        json_t *all = json_loads(json, 0, NULL);
        print_table(all, e);
        json_decref(all);
    }
    free(json);
    return TALLY_OK;
}

static void print_line(const tally_line *line)
{
    cli_print("line to %s\nsent: %.1f Mbit/s\nreceived: %.1f Mbit/s\nround trip: %.2f ms\n", line->peer,
              line->sent_bits_per_second / 1e6, line->received_bits_per_second / 1e6,
              line->round_trip_seconds * 1e3);
}

/* The machine, unless only a line is asked for and the machine is known; then the line. */
static tally_status calibrate(const cli_estimate *e, const char *path, tally_calibration **c,
                              tally_error *error)
{
    tally_line line;
    tally_status st = TALLY_OK;
    int wants_line = e->listen || e->connect;
    if (wants_line && access(path, F_OK) == 0)
        st = tally_calibration_load(path, c, error);
    else
        st = cli_calibration_measure(path, c, error);
    if (!st && wants_line)
        st = cli_calibration_line(e, *c, path, &line, error);
    if (st)
        return st;
    if (e->json) {
        char *json = tally_calibration_json(*c);
        if (!json)
            return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
        puts(json);
        free(json);
    } else if (wants_line) {
        print_line(&line);
    }
    return TALLY_OK;
}

/* The calibration that was named, or that of a home; if there is none, this machine is measured. */
static tally_status find(const cli_estimate *e, tally_calibration **c, tally_error *error)
{
    char *path = NULL;
    tally_status st = e->file ? tally_calibration_load(e->file, c, error) : cli_calibration_find(c, error);
    if (st || *c)
        return st;
    st = cli_calibration_path(&path, error);
    if (!st)
        st = cli_calibration_measure(path, c, error);
    free(path);
    return st;
}

int cli_estimate_run(char *const *argv)
{
    cli_estimate e;
    tally_calibration *c = NULL;
    tally_error error = {0};
    char *path = NULL;
    tally_status st = cli_estimate_parse(argv, &e, &error);
    if (!st && e.help)
        return cli_show_help(cli_help_estimate);
    if (!st && e.calibrate) {
        if (!e.file)
            st = cli_calibration_path(&path, &error);
        if (!st)
            st = calibrate(&e, e.file ? e.file : path, &c, &error);
    } else if (!st) {
        st = find(&e, &c, &error);
        if (!st)
            st = answer(c, &e, &error);
    }
    free(path);
    tally_calibration_free(c);
    return st ? cli_report(&error) : CLI_EXIT_OK;
}
