/* SPDX-License-Identifier: Apache-2.0 */
/* tally ledger list */
#include "cli/ledger.h"

#include "cli/message.h"
#include "cli/record.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NEWEST 25 /* runs without --all */
#define COLUMNS 10
#define OTHER_WIDTH 30 /* of the other side's name */

typedef struct runs {
    tally_run *at;
    size_t count, room;
    char prefix[TALLY_FINGERPRINT_TEXT]; /* of the digest, "sha256:..."; "": any */
    int failed;
} runs;

const char *cli_ledger_outcome(int exit_status)
{
    static const struct {
        int status;
        const char *words;
    } all[] = {{-1, PARTY_TEXT("INCOMPLETE")},
               {0, PARTY_TEXT("completed")},
               {1, PARTY_TEXT("wrong option")},
               {2, PARTY_TEXT("terms differed")},
               {3, PARTY_TEXT("list not usable")},
               {4, PARTY_TEXT("refused by a rule")},
               {5, PARTY_TEXT("not authenticated")},
               {6, PARTY_TEXT("network or other side")},
               {7, PARTY_TEXT("local file")},
               {8, PARTY_TEXT("malformed message")},
               {9, PARTY_TEXT("interrupted")},
               {10, PARTY_TEXT("out of memory")},
               {11, PARTY_TEXT("verification differed")}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].status == exit_status)
            return all[i].words;
    return PARTY_TEXT("internal fault");
}

static int keep(void *user, const tally_run *run)
{
    runs *r = user;
    if (strncmp(run->agreement, r->prefix, strlen(r->prefix)) != 0)
        return 0;
    if (r->count == r->room) {
        size_t room = r->room ? 2 * r->room : 64;
        tally_run *at = reallocarray(r->at, room, sizeof *at);
        if (!at) {
            r->failed = 1;
            return 1;
        }
        r->at = at;
        r->room = room;
    }
    r->at[r->count++] = *run;
    return 0;
}

/* The agreement as a file, or the first digits of its digest. */
static tally_status set_prefix(runs *r, const char *agreement, tally_error *error)
{
    tally_agreement *a = NULL;
    if (!agreement)
        return TALLY_OK;
    if (access(agreement, F_OK) == 0) {
        tally_status st = tally_agreement_load(agreement, &a, error);
        if (!st)
            snprintf(r->prefix, sizeof r->prefix, "%s", tally_agreement_digest(a));
        tally_agreement_free(a);
        return st;
    }
    const char *digits = strncmp(agreement, "sha256:", 7) == 0 ? agreement + 7 : agreement;
    size_t len = strspn(digits, "0123456789abcdefABCDEF");
    if (digits[len] || len < 4 || len > 64) {
        cli_fail(error, TALLY_ERR_USAGE, "--agreement: %s is no file, and not the beginning of a digest",
                 agreement);
        cli_hint(error,
                 "give the file of the agreement, or 4 to 64 hex digits as tally agreement show prints them");
        return TALLY_ERR_USAGE;
    }
    snprintf(r->prefix, sizeof r->prefix, "sha256:%s", digits);
    for (char *p = r->prefix; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return TALLY_OK;
}

/* ---- As a table ---- */

typedef struct row {
    char cell[COLUMNS][128];
} row;

static void size_text(char out[128], uint64_t items)
{
    char number[32] = "-";
    if (items)
        cli_record_grouped(number, items <= INT64_MAX ? (long long)items : INT64_MAX);
    snprintf(out, 128, "%s", number);
}

/* NULL: refused before it was known. */
static const char *role_of(const tally_run *run)
{
    return run->role == TALLY_SENDER ? "sender" : run->role == TALLY_RECEIVER ? "receiver" : NULL;
}

static void fill(row *out, const tally_run *run)
{
    static const char *const functions[] = {
        [TALLY_MATCH] = "match", [TALLY_COUNT] = "count", [TALLY_SUM] = "sum"};
    char when[32];
    snprintf(out->cell[0], 128, "%llu", (unsigned long long)run->n);
    cli_record_time(when, run->began);
    when[strcspn(when, "U")] = 0; /* the head says UTC */
    snprintf(out->cell[1], 128, "%.19s", when);
    snprintf(out->cell[2], 128, "%s", functions[run->function]);
    snprintf(out->cell[3], 128, "%s", party_local(role_of(run) ? role_of(run) : "not known"));
    if (*run->agreement)
        snprintf(out->cell[4], 128, "%.8s", run->agreement + strlen("sha256:"));
    else
        snprintf(out->cell[4], 128, "%s", party_local(PARTY_TEXT("trial")));
    if (strncmp(run->peer, "sha256:", 7) == 0)
        snprintf(out->cell[5], 128, "%.15s..", run->peer);
    else
        cli_record_fit(out->cell[5], 128, *run->peer ? run->peer : party_local(PARTY_TEXT("not known")),
                       OTHER_WIDTH);
    size_text(out->cell[6], run->items);
    size_text(out->cell[7], run->peer_items);
    snprintf(out->cell[8], 128, "%s", party_local(cli_ledger_outcome(run->exit_status)));
    snprintf(out->cell[9], 128, "%s",
             run->disclosed ? party_local(PARTY_TEXT("yes")) : party_local(PARTY_TEXT("no")));
}

static void print_row(const row *r, const size_t width[COLUMNS])
{
    for (size_t c = 0; c < COLUMNS; c++) {
        int right = c == 0 || c == 6 || c == 7;
        int pad = (int)(width[c] - cli_record_width(r->cell[c]));
        if (right)
            printf("%*s%s", pad, "", r->cell[c]);
        else
            printf("%s%*s", r->cell[c], c + 1 < COLUMNS ? pad : 0, "");
        printf("%s", c + 1 < COLUMNS ? "  " : "\n");
    }
}

static tally_status print_table(const runs *r, size_t first, tally_error *error)
{
    static const char *const heads[COLUMNS] = {
        PARTY_TEXT("run"),       PARTY_TEXT("began (UTC)"), PARTY_TEXT("function"), PARTY_TEXT("role"),
        PARTY_TEXT("agreement"), PARTY_TEXT("other side"),  PARTY_TEXT("our list"), PARTY_TEXT("their list"),
        PARTY_TEXT("outcome"),   PARTY_TEXT("disclosed")};
    row head;
    size_t width[COLUMNS], count = r->count - first;
    row *rows = calloc(count, sizeof *rows);
    if (!rows)
        return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
    for (size_t c = 0; c < COLUMNS; c++) {
        snprintf(head.cell[c], sizeof head.cell[c], "%s", party_local(heads[c]));
        width[c] = cli_record_width(head.cell[c]);
    }
    for (size_t i = 0; i < count; i++) {
        fill(&rows[i], &r->at[first + i]);
        for (size_t c = 0; c < COLUMNS; c++)
            if (cli_record_width(rows[i].cell[c]) > width[c])
                width[c] = cli_record_width(rows[i].cell[c]);
    }
    print_row(&head, width);
    for (size_t i = 0; i < count; i++)
        print_row(&rows[i], width);
    free(rows);
    return TALLY_OK;
}

/* ---- As JSON ---- */

static json_t *run_json(const tally_run *run)
{
    static const char *const functions[] = {
        [TALLY_MATCH] = "match", [TALLY_COUNT] = "count", [TALLY_SUM] = "sum"};
    json_t *j = json_pack("{s:I, s:I, s:s, s:s?, s:I, s:I, s:b, s:s, s:s, s:s}", "run", (json_int_t)run->n,
                          "began", (json_int_t)run->began, "function", functions[run->function], "role",
                          role_of(run), "items", (json_int_t)run->items, "peer_items",
                          (json_int_t)run->peer_items, "disclosed", run->disclosed != 0, "outcome",
                          run->exit_status < 0 ? "incomplete" : cli_ledger_outcome(run->exit_status),
                          "agreement", run->agreement, "peer", run->peer);
    json_object_set_new(j, "ended", run->ended ? json_integer((json_int_t)run->ended) : json_null());
    json_object_set_new(j, "exit_status",
                        run->exit_status >= 0 ? json_integer(run->exit_status) : json_null());
    return j;
}

static tally_status print_json(const runs *r, size_t first, uint64_t all, tally_error *error)
{
    json_t *list = json_array();
    for (size_t i = first; i < r->count; i++)
        json_array_append_new(list, run_json(&r->at[i]));
    json_t *j = json_pack("{s:I, s:o}", "runs_in_all", (json_int_t)all, "runs", list);
    char *text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
    if (text)
        printf("%s\n", text);
    json_decref(j);
    tally_status st = text ? TALLY_OK : cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
    free(text);
    return st;
}

/* first: of those kept; left: others there are. */
static void say_rest(const runs *r, size_t first, uint64_t all, uint64_t left)
{
    size_t incomplete = 0;
    for (size_t i = first; i < r->count; i++)
        incomplete += r->at[i].exit_status < 0;
    if (!r->count)
        cli_note(all ? "the ledger has no run under this agreement" : "the ledger has no run yet");
    else if (left)
        cli_note("the newest %zu runs; --all shows %llu more", r->count - first, (unsigned long long)left);
    if (incomplete)
        cli_note(
            incomplete == 1
                ? "%zu run is incomplete: still running, or stopped without an end; counts as disclosed"
                : "%zu runs are incomplete: still running, or stopped without an end; counts as disclosed",
            incomplete);
}

tally_status cli_ledger_list(tally_ledger *ledger, const cli_ledger_options *o, tally_error *error)
{
    runs r = {.at = NULL};
    uint64_t all = 0;
    tally_status st = set_prefix(&r, o->agreement, error);
    if (!st)
        st = tally_ledger_runs(ledger, &all, error);
    uint64_t from = o->all || *r.prefix || all <= NEWEST ? 1 : all - NEWEST + 1;
    if (!st && all)
        st = tally_ledger_list(ledger, from, all, keep, &r, error);
    if (!st && r.failed)
        st = cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
    size_t first = o->all || r.count <= NEWEST ? 0 : r.count - NEWEST;
    if (!st && o->json)
        st = print_json(&r, first, all, error);
    else if (!st && r.count)
        st = print_table(&r, first, error);
    if (!st && !o->json)
        say_rest(&r, first, all, from - 1 + first);
    free(r.at);
    return st;
}
