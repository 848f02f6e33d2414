/* SPDX-License-Identifier: Apache-2.0 */
/* tally ledger show, report */
#include "cli/ledger.h"

#include "cli/file.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/report.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void fact(const char *name, const char *value)
{
    fputs(party_local(name), stdout);
    fputs(party_local(": "), stdout);
    cli_record_print(stdout, *value ? value : party_local("not recorded"));
    putchar('\n');
}

static void fact_if(const char *name, const char *value)
{
    if (*value)
        fact(name, value);
}

static void number_if(const json_t *object, const char *name, const char *key)
{
    long long number;
    if (cli_record_number(object, key, &number))
        printf("%s%s%lld\n", party_local(name), party_local(": "), number);
}

/* ---- How it ended ---- */

static void show_outcome(const cli_record *r)
{
    static const char *const functions[] = {
        [TALLY_MATCH] = PARTY_WORD("match: which identifiers are on both lists"),
        [TALLY_COUNT] = PARTY_WORD("count: how many identifiers are on both lists"),
        [TALLY_SUM] = PARTY_WORD("sum: values over the identifiers on both lists")};
    char began[32], ended[32];
    long long status = 70;
    cli_record_time(began, r->began);
    cli_record_time(ended, r->ended);
    cli_print("run: %lld\nfunction: %s\nbegan: %s\n", r->n, functions[r->function], began);
    cli_print("ended: %s\n", r->state == CLI_RUN_INCOMPLETE ? PARTY_WORD("no end is recorded") : ended);
    cli_record_number(r->end, "exit_status", &status);
    if (r->state == CLI_RUN_INCOMPLETE)
        cli_print("outcome: INCOMPLETE: still running, or stopped without an end\n");
    else
        cli_print("outcome: %s%s (exit status %lld)\n", party_word(cli_ledger_outcome((int)(status & 127))),
                  r->state == CLI_RUN_REFUSED
                      ? PARTY_WORD(", before anything that derives from the list was sent")
                      : "",
                  status);
    fact_if("message", cli_record_text(r->end, "message"));
    fact_if("hint", cli_record_text(r->end, "hint"));
    cli_print(r->disclosed ? "disclosed: yes, a side may have learned something of the result\n"
                           : "disclosed: no, no side can have learned anything of the result\n");
}

/* ---- Who, and under what ---- */

static void show_parties(const cli_record *r)
{
    static const char *const roles[] = {[CLI_RECEIVER] = PARTY_TEXT(", the receiver"),
                                        [CLI_SENDER] = PARTY_TEXT(", the sender"),
                                        PARTY_TEXT(", role not known")};
    int mine = r->has_role ? r->side : 2, theirs = r->has_role ? !r->side : 2;
    cli_print("this side: ");
    cli_record_print(stdout, *r->own ? r->own : party_local(PARTY_TEXT("not named")));
    printf("%s\n", party_local(roles[mine]));
    fact("this side's link key", r->identity);
    cli_print("other side: ");
    cli_record_print(stdout, r->other_unknown ? party_local(PARTY_TEXT("not known"))
                             : *r->other      ? r->other
                                              : party_local(PARTY_TEXT("not named by an agreement")));
    printf("%s\n", party_local(roles[theirs]));
    fact("other side's link key", cli_record_text(r->peer, "fingerprint"));
    fact_if("other side's certificate", cli_record_text(r->peer, "subject"));
    fact_if("other side's software", cli_record_text(r->peer, "software"));
}

static void show_agreement(const cli_record *r)
{
    static const char *const states[] = {[TALLY_UNSIGNED] = PARTY_WORD("not signed"),
                                         [TALLY_SIGNED] = PARTY_WORD("signed, the signature holds"),
                                         [TALLY_SIGNATURE_BAD] = PARTY_WORD("THE SIGNATURE DOES NOT HOLD")};
    if (!*r->digest) {
        cli_print("agreement: none, a trial\n");
        return;
    }
    fact("agreement", cli_record_text(r->begin, "agreement_name"));
    fact("digest", r->digest);
    fact_if("agreement does not hold", r->problem);
    if (!r->agreed)
        return;
    fact("purpose", cli_record_text(r->agreed, "purpose"));
    fact("legal basis", cli_record_text(r->agreed, "legal-basis"));
    cli_print("valid: from %s to %s\n", tally_agreement_valid_from(r->agreement),
              tally_agreement_valid_until(r->agreement));
    for (size_t i = 0; i < 2; i++) {
        cli_print("signature of ");
        cli_record_print(stdout, tally_agreement_organisation(r->agreement, i));
        cli_print("%s%s\n", party_local(": "), states[tally_agreement_signed(r->agreement, i)]);
    }
}

/* ---- The terms ---- */

/* "name: a, b": texts, or columns of objects; nothing for an empty list. */
static void list_if(const json_t *object, const char *name, const char *key)
{
    const json_t *entry, *list = json_object_get(object, key);
    size_t i;
    if (!json_array_size(list))
        return;
    printf("%s%s", party_local(name), party_local(": "));
    json_array_foreach(list, i, entry)
    {
        const char *edge;
        size_t k;
        const json_t *one;
        fputs(i ? ", " : "", stdout);
        cli_record_print(stdout,
                         json_is_string(entry) ? json_string_value(entry) : cli_record_text(entry, "column"));
        json_array_foreach(json_object_get(entry, "edges"), k, one)
        {
            edge = json_string_value(one);
            fputs(k ? "|" : " ", stdout);
            cli_record_print(stdout, edge ? edge : "?");
        }
    }
    putchar('\n');
}

static const char *term(const cli_record *r, const char *key)
{
    const char *used = cli_record_text(r->end, key), *asked = cli_record_text(r->terms, key);
    return *used ? used : *asked ? asked : cli_record_text(r->begin, key);
}

static void show_terms(const cli_record *r)
{
    const json_t *epsilon = json_object_get(r->terms, "epsilon");
    long long minimum = 0;
    fact("result is told to", term(r, "reveal_to"));
    list_if(r->terms, "matched by", "keys");
    list_if(r->terms, "columns to the receiver", "want");
    list_if(r->terms, "values", "values");
    list_if(r->terms, "bands of the owner", "bands");
    list_if(r->terms, "bands of the side that adds up", "bands_of_the_adder");
    if (cli_record_number(r->terms, "min_overlap", &minimum) && !minimum)
        cli_print("minimum overlap: none\n");
    else
        number_if(r->terms, "minimum overlap", "min_overlap");
    if (json_is_number(epsilon))
        cli_print("noise: epsilon %g\n", json_number_value(epsilon));
    fact("protocol", term(r, "protocol"));
    fact("security", term(r, "security"));
}

/* ---- Numbers ---- */

static void show_lists(const cli_record *r)
{
    static const char *const rows[][2] = {{PARTY_TEXT("rows read"), "rows"},
                                          {PARTY_TEXT("rows rejected"), "rejected"},
                                          {PARTY_TEXT("rows without consent"), "without_consent"},
                                          {PARTY_TEXT("rows accepted"), "accepted"},
                                          {PARTY_TEXT("rows that repeat an identifier"), "duplicates"},
                                          {PARTY_TEXT("values taken as the end of their range"), "clipped"},
                                          {PARTY_TEXT("identifiers"), "items"},
                                          {PARTY_TEXT("identifiers told, padding included"), "declared"}};
    long long theirs = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (r->function == TALLY_SUM || strcmp(rows[i][1], "clipped") != 0)
            number_if(r->input, rows[i][0], rows[i][1]);
    if (cli_record_number(r->end, "peer_items", &theirs) && theirs)
        cli_print("identifiers of the other side, as told: %lld\n", theirs);
}

static void show_figures(const char *of, const json_t *figures);

static void show_band(const char *column, const json_t *band)
{
    char *of = NULL;
    if (json_object_get(band, "of")) {
        if (asprintf(&of, party_local("%s, bands put together"), column) < 0)
            of = NULL;
    } else if (json_is_true(json_object_get(band, "outside"))) {
        if (asprintf(&of, party_local("%s outside all bands"), column) < 0)
            of = NULL;
    } else if (asprintf(&of, party_local("%s from %s to below %s"), column, cli_record_text(band, "from"),
                        cli_record_text(band, "to")) < 0) {
        of = NULL;
    }
    show_figures(of ? of : column, band);
    free(of);
}

static void show_bands(const json_t *all)
{
    const json_t *band, *merged = json_object_get(all, "merged");
    size_t i;
    json_array_foreach(json_object_get(all, "bands"), i, band)
        show_band(cli_record_text(all, "column"), band);
    if (json_is_object(merged))
        show_band(cli_record_text(all, "column"), merged);
}

static void show_figures(const char *of, const json_t *figures)
{
    static const char *const names[] = {PARTY_TEXT("sum"), PARTY_TEXT("mean"), PARTY_TEXT("variance")};
    const json_t *value, *count = json_object_get(figures, "count");
    size_t i;
    if (json_is_integer(count)) {
        cli_record_print(stdout, of);
        printf("%s%lld\n", party_local(": "), (long long)json_integer_value(count));
    }
    json_array_foreach(json_object_get(figures, "values"), i, value)
    {
        for (size_t k = 0; k < 3; k++) {
            if (!*cli_record_text(value, names[k]))
                continue;
            cli_record_print(stdout, of);
            cli_print(", %s of ", party_word(names[k]));
            cli_record_print(stdout, cli_record_text(value, "column"));
            fact("", cli_record_text(value, names[k]));
        }
    }
    json_array_foreach(json_object_get(figures, "bands"), i, value) if (json_object_get(value, "column"))
        show_bands(value);
    show_bands(json_object_get(figures, "groups"));
}

static void show_result(const cli_record *r)
{
    const json_t *figures = json_object_get(r->end, "figures"),
                 *exceeded = json_object_get(r->end, "share_exceeded");
    long long matched;
    if (json_is_object(figures))
        show_figures(party_local("identifiers on both lists"), figures);
    else if (cli_record_number(r->end, "matched", &matched))
        cli_print("identifiers on both lists: %lld\n", matched);
    else
        cli_print(r->state == CLI_RUN_DONE ? "identifiers on both lists: this side was not told\n"
                                           : "identifiers on both lists: there is no result\n");
    if (json_is_boolean(exceeded))
        cli_print(json_is_true(exceeded) ? "more matches than the agreed share: yes\n"
                                         : "more matches than the agreed share: no\n");
    fact_if("learned", cli_record_text(r->end, "learned"));
}

static void show_cost(const cli_record *r)
{
    static const char *const phases[] = {PARTY_TEXT("greeting"), PARTY_TEXT("protocol"),
                                         PARTY_TEXT("receipt"), PARTY_TEXT("total")},
                             *const parts[] = {PARTY_TEXT("reading"), PARTY_TEXT("waiting"),
                                               PARTY_TEXT("matching"), PARTY_TEXT("writing")};
    const json_t *bytes = json_object_get(r->end, "bytes"), *seconds = json_object_get(r->end, "seconds");
    for (size_t i = 0; i < 4; i++) {
        long long sent = 0, received = 0;
        const json_t *phase = json_object_get(bytes, phases[i]);
        if (cli_record_number(phase, "sent", &sent) && cli_record_number(phase, "received", &received))
            cli_print("bytes, %s: %lld sent, %lld received\n", party_word(phases[i]), sent, received);
    }
    for (size_t i = 0; i < 4; i++)
        if (json_is_number(json_object_get(seconds, parts[i])))
            cli_print("seconds, %s: %.3f\n", party_word(parts[i]),
                      json_number_value(json_object_get(seconds, parts[i])));
}

/* ---- The receipt ---- */

static void show_receipt(const cli_record *r)
{
    static const char *const sides[] = {PARTY_TEXT("receiver"), PARTY_TEXT("sender")},
                             *const states[] = {[TALLY_UNSIGNED] = PARTY_WORD("none"),
                                                [TALLY_SIGNED] = PARTY_WORD("holds"),
                                                [TALLY_SIGNATURE_BAD] = PARTY_WORD("DOES NOT HOLD")};
    const char *text = cli_record_text(r->receipt, "text");
    const char *signatures[2] = {cli_record_text(r->receipt, "receiver"),
                                 cli_record_text(r->receipt, "sender")};
    tally_receipt_signature found[2];
    if (!r->receipt) {
        cli_print("receipt: none\n");
        return;
    }
    if (tally_receipt_check(text, signatures, found, NULL)) {
        cli_print("receipt: THE TEXT THAT IS KEPT IS NONE\n");
        return;
    }
    for (size_t i = 0; i < 2; i++)
        cli_print("signature of the %s: %s%s%s\n", party_word(sides[i]), states[found[i].state],
                  *found[i].key ? PARTY_WORD(", of the key ") : "", found[i].key);
    cli_print("receipt:\n");
    for (const char *line = text; *line;) {
        size_t len = strcspn(line, "\n");
        char *one = strndup(line, len);
        printf("  ");
        cli_record_print(stdout, one ? one : "");
        putchar('\n');
        free(one);
        line += len + (line[len] == '\n');
    }
}

tally_status cli_ledger_show(tally_ledger *ledger, const cli_ledger_options *o, tally_error *error)
{
    cli_record r;
    char *json = NULL;
    tally_status st = tally_ledger_run_json(ledger, o->n, &json, error);
    if (!st && o->json) {
        printf("%s\n", json);
        free(json);
        return TALLY_OK;
    }
    if (!st)
        st = cli_record_read(json, &r, error);
    free(json);
    if (st)
        return st;
    show_outcome(&r);
    show_parties(&r);
    show_agreement(&r);
    show_terms(&r);
    show_lists(&r);
    show_result(&r);
    show_cost(&r);
    show_receipt(&r);
    cli_record_free(&r);
    return TALLY_OK;
}

/* "tally/ledger/...": the first line of its checkpoint. To be freed. */
static tally_status name_of(tally_ledger *ledger, char **out, tally_error *error)
{
    tally_status st = tally_ledger_checkpoint(ledger, out, error);
    if (!st)
        (*out)[strcspn(*out, "\n")] = 0;
    return st;
}

tally_status cli_ledger_report(tally_ledger *ledger, const cli_ledger_options *o, tally_error *error)
{
    static const char *const languages[] = {
        [CLI_ENGLISH] = "en", [CLI_CHINESE] = "zh", [CLI_LANGUAGES] = NULL};
    int language = CLI_ENGLISH;
    char *json = NULL, *page = NULL, *name = NULL;
    tally_status st =
        o->language ? cli_parse_choice("--lang", o->language, languages, &language, error) : TALLY_OK;
    if (!st)
        st = cli_file_check("--output", o->output, o->force, error);
    if (!st)
        st = tally_ledger_run_json(ledger, o->n, &json, error);
    if (!st)
        st = name_of(ledger, &name, error);
    if (!st)
        st = cli_report_make(json, name, (enum cli_language)language, (long long)time(NULL), &page, error);
    if (!st) {
        size_t len = strlen(page);
        if (len)
            page[len - 1] = 0; /* the line end is written */
        st = cli_file_write(o->output, page, error);
    }
    free(page);
    free(name);
    free(json);
    if (!st)
        cli_note("%s is the report of run %llu", o->output, o->n);
    return st;
}
