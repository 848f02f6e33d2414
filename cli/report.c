/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report.h"

#include "cli/message.h"
#include "cli/report_html.h"
#include <stdlib.h>
#include <string.h>

/* ---- Names ---- */

/* O= of a subject as RFC 2253 has it; 0 where it is not plain. */
static int organisation_of(const char *subject, char *out, size_t size)
{
    const char *at = strncmp(subject, "O=", 2) == 0 ? subject : strstr(subject, ",O=");
    if (!at || strpbrk(subject, "\\\"+"))
        return 0;
    at += *at == ',' ? 3 : 2;
    size_t len = strcspn(at, ",");
    if (!len || len >= size)
        return 0;
    memcpy(out, at, len);
    out[len] = 0;
    return 1;
}

static void set_names(cli_page *p)
{
    const cli_record *r = p->r;
    int mine = r->side, theirs = !r->side;
    const char *other = r->other;
    if (!*other && organisation_of(cli_record_text(r->peer, "subject"), p->peer_name, sizeof p->peer_name))
        other = p->peer_name;
    p->name[mine] = *r->own ? r->own : cli_report_text(CLI_TEXT_OWN, p->language);
    p->start[mine] = *r->own ? r->own : cli_report_text(CLI_TEXT_OWN_START, p->language);
    p->name[theirs] = *other ? other : cli_report_text(CLI_TEXT_OTHER, p->language);
    p->start[theirs] = *other ? other : cli_report_text(CLI_TEXT_OTHER_START, p->language);
}

static tally_status check_receipt(cli_page *p)
{
    const json_t *kept = p->r->receipt;
    const char *signatures[2] = {cli_record_text(kept, "receiver"), cli_record_text(kept, "sender")};
    if (!kept)
        return TALLY_OK;
    tally_status st = tally_receipt_check(cli_record_text(kept, "text"), signatures, p->signed_by, NULL);
    p->receipt = st ? CLI_RECEIPT_UNREAD : CLI_RECEIPT_READ;
    return st == TALLY_ERR_DIFFERS ? TALLY_OK : st;
}

/* ---- Headline and banners ---- */

static enum cli_text cause_of(const char *status)
{
    static const struct {
        const char *status;
        enum cli_text text;
    } causes[] = {{"ok", CLI_TEXT_CAUSE_OK},
                  {"usage", CLI_TEXT_CAUSE_USAGE},
                  {"incompatible peer", CLI_TEXT_CAUSE_INCOMPATIBLE},
                  {"input data", CLI_TEXT_CAUSE_INPUT},
                  {"input changed", CLI_TEXT_CAUSE_CHANGED},
                  {"policy refused", CLI_TEXT_CAUSE_POLICY},
                  {"authentication", CLI_TEXT_CAUSE_AUTH},
                  {"network", CLI_TEXT_CAUSE_NETWORK},
                  {"timeout", CLI_TEXT_CAUSE_TIMEOUT},
                  {"peer stopped", CLI_TEXT_CAUSE_PEER},
                  {"local file", CLI_TEXT_CAUSE_FILE},
                  {"malformed peer message", CLI_TEXT_CAUSE_MALFORMED},
                  {"interrupted", CLI_TEXT_CAUSE_INTERRUPTED},
                  {"out of memory", CLI_TEXT_CAUSE_MEMORY},
                  {"verification differs", CLI_TEXT_CAUSE_DIFFERS},
                  {"internal", CLI_TEXT_CAUSE_INTERNAL},
                  {"random generator", CLI_TEXT_CAUSE_RANDOM}};
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
        if (strcmp(causes[i].status, status) == 0)
            return causes[i].text;
    return CLI_TEXT_UNKNOWN;
}

static void say_asked(const cli_page *p)
{
    static const enum cli_text asked[] = {[TALLY_MATCH] = CLI_TEXT_ASKED_MATCH,
                                          [TALLY_COUNT] = CLI_TEXT_ASKED_COUNT,
                                          [TALLY_SUM] = CLI_TEXT_ASKED_SUM};
    if (p->r->function == TALLY_MATCH && !p->r->has_role)
        cli_html_say(p, CLI_TEXT_ASKED_MATCH_EITHER, p->start[p->r->side], p->name[!p->r->side],
                     CLI_HTML_END);
    else
        cli_html_say(p, asked[p->r->function], p->start[CLI_RECEIVER], p->name[CLI_SENDER], CLI_HTML_END);
}

static void say_outcome(const cli_page *p)
{
    char began[32], ended[32];
    const char *cause = cli_report_text(cause_of(cli_record_text(p->r->end, "status")), p->language);
    cli_record_time(began, p->r->began);
    cli_record_time(ended, p->r->ended);
    switch (p->r->state) {
    case CLI_RUN_DONE:
        cli_html_say(p, CLI_TEXT_CAME_DONE, began, ended, CLI_HTML_END);
        break;
    case CLI_RUN_FAILED:
        cli_html_say(p, CLI_TEXT_CAME_FAILED, began, ended, cause, CLI_HTML_END);
        break;
    case CLI_RUN_REFUSED:
        cli_html_say(p, CLI_TEXT_CAME_REFUSED, p->r->ended > 0 ? ended : began, cause, CLI_HTML_END);
        break;
    default:
        cli_html_say(p, CLI_TEXT_CAME_INCOMPLETE, began, CLI_HTML_END);
    }
}

/* The number of matches, where this side was told. */
static void say_result(const cli_page *p)
{
    char number[32];
    const char *count = cli_report_count(p, number);
    int noise = json_is_object(json_object_get(json_object_get(p->r->end, "figures"), "noise"));
    if (p->r->state != CLI_RUN_DONE || !*count)
        return;
    if (p->language == CLI_ENGLISH)
        fputc(' ', p->out);
    cli_html_say(p, noise ? CLI_TEXT_HEAD_RESULT_NOISE : CLI_TEXT_HEAD_RESULT, p->start[p->r->side], count,
                 CLI_HTML_END);
}

static void headline(const cli_page *p)
{
    static const enum cli_text kinds[] = {[TALLY_MATCH] = CLI_TEXT_KIND_MATCH,
                                          [TALLY_COUNT] = CLI_TEXT_KIND_COUNT,
                                          [TALLY_SUM] = CLI_TEXT_KIND_SUM},
                               states[] = {[CLI_RUN_DONE] = CLI_TEXT_STATE_DONE,
                                           [CLI_RUN_FAILED] = CLI_TEXT_STATE_FAILED,
                                           [CLI_RUN_REFUSED] = CLI_TEXT_STATE_REFUSED,
                                           [CLI_RUN_INCOMPLETE] = CLI_TEXT_STATE_INCOMPLETE};
    char number[32];
    cli_record_grouped(number, p->r->n);
    fputs("<header>\n<p class=\"number-of-run\">", p->out);
    cli_html_say(p, CLI_TEXT_TITLE, number, CLI_HTML_END);
    fputs("</p>\n<h1>", p->out);
    cli_html_say(p, kinds[p->r->function], CLI_HTML_END);
    fprintf(p->out, "</h1>\n<p><span class=\"state%s\">", p->r->state == CLI_RUN_DONE ? "" : " bad");
    cli_html_say(p, states[p->r->state], CLI_HTML_END);
    fputs("</span></p>\n<p class=\"lead\">", p->out);
    say_asked(p);
    if (p->language == CLI_ENGLISH)
        fputc(' ', p->out);
    say_outcome(p);
    say_result(p);
    fputs("</p>\n", p->out);
    cli_html_paragraph(p, CLI_TEXT_ALL_UTC, CLI_HTML_END);
    fputs("</header>\n", p->out);
}

static void banner(const cli_page *p, int bad, enum cli_text title, enum cli_text text, const char *said)
{
    fprintf(p->out, "<div class=\"banner%s\" role=\"note\">\n<h2>", bad ? " bad" : "");
    cli_html_say(p, title, CLI_HTML_END);
    fputs("</h2>\n", p->out);
    if (text != CLI_TEXTS)
        cli_html_paragraph(p, text, CLI_HTML_END);
    if (said && *said) {
        fputs("<p lang=\"en\">", p->out);
        cli_html_escape(p->out, said);
        fputs("</p>\n", p->out);
    }
    fputs("</div>\n", p->out);
}

static int receipt_is_bad(const cli_page *p)
{
    return p->receipt == CLI_RECEIPT_UNREAD || p->signed_by[CLI_RECEIVER].state == TALLY_SIGNATURE_BAD ||
           p->signed_by[CLI_SENDER].state == TALLY_SIGNATURE_BAD;
}

static void banner_of_state(const cli_page *p)
{
    const cli_record *r = p->r;
    enum cli_text disclosed = r->disclosed ? CLI_TEXT_DISCLOSED_YES : CLI_TEXT_DISCLOSED_NO;
    if (r->state == CLI_RUN_FAILED)
        banner(p, 1, CLI_TEXT_BANNER_FAILED, disclosed, NULL);
    else if (r->state == CLI_RUN_REFUSED)
        banner(p, 0, CLI_TEXT_BANNER_REFUSED, disclosed, NULL);
    else if (r->state == CLI_RUN_INCOMPLETE) {
        fputs("<div class=\"banner bad\" role=\"note\">\n<h2>", p->out);
        cli_html_say(p, CLI_TEXT_BANNER_INCOMPLETE, CLI_HTML_END);
        fputs("</h2>\n", p->out);
        cli_html_paragraph(p, CLI_TEXT_BANNER_INCOMPLETE_TEXT, CLI_HTML_END);
        cli_html_paragraph(p, disclosed, CLI_HTML_END);
        fputs("</div>\n", p->out);
    }
}

/* As this side recorded of itself, or the receipt says of either. */
static int bypassed(const cli_page *p, int side)
{
    static const char *const lines[] = {
        [CLI_RECEIVER] = "\nreceiver-ledger: none\n", [CLI_SENDER] = "\nsender-ledger: none\n"};
    return (p->r->bypassed && side == p->r->side) ||
           strstr(cli_record_text(p->r->receipt, "text"), lines[side]) != NULL;
}

static void banner_of_bypass(const cli_page *p, int side)
{
    fputs("<div class=\"banner\" role=\"note\">\n<h2>", p->out);
    cli_html_say(p, CLI_TEXT_BANNER_BYPASSED, CLI_HTML_END);
    fputs("</h2>\n", p->out);
    cli_html_paragraph(p, CLI_TEXT_BANNER_BYPASSED_TEXT, p->start[side], CLI_HTML_END);
    fputs("</div>\n", p->out);
}

static void banners(const cli_page *p)
{
    const cli_record *r = p->r;
    banner_of_state(p);
    if (receipt_is_bad(p))
        banner(p, 1, CLI_TEXT_BANNER_RECEIPT, CLI_TEXT_BANNER_RECEIPT_TEXT, NULL);
    if (*r->problem)
        banner(p, 1, CLI_TEXT_BANNER_AGREEMENT, CLI_TEXTS, r->problem);
    if (json_is_true(json_object_get(r->end, "share_exceeded")))
        banner(p, 1, CLI_TEXT_BANNER_SHARE, CLI_TEXT_BANNER_SHARE_TEXT, NULL);
    if (!*r->digest)
        banner(p, 0, CLI_TEXT_BANNER_TRIAL, CLI_TEXT_BANNER_TRIAL_TEXT, NULL);
    for (int side = 0; side < 2; side++)
        if (bypassed(p, side))
            banner_of_bypass(p, side);
}

/* What the program said when it did not go well; in English, as it was recorded. */
static void said(const cli_page *p)
{
    const char *message = cli_record_text(p->r->end, "message"), *hint = cli_record_text(p->r->end, "hint");
    if (!*message && !*hint)
        return;
    cli_html_facts(p, CLI_TEXT_SAID);
    if (*message)
        cli_html_row(p, CLI_TEXT_SAID, message);
    if (*hint)
        cli_html_row(p, CLI_TEXT_HINT, hint);
    cli_html_table_end(p);
}

/* ---- What was asked ---- */

/* One line of the table of parties: what, of this side, of the other. */
static void party_row(const cli_page *p, enum cli_text label, const char *own, const char *other, int code)
{
    const char *value[2] = {own, other};
    fputs("<tr><th scope=\"row\">", p->out);
    cli_html_say(p, label, CLI_HTML_END);
    fputs("</th>", p->out);
    for (size_t i = 0; i < 2; i++) {
        fputs(code && *value[i] ? "<td><code>" : "<td><bdi>", p->out);
        cli_html_escape(p->out, *value[i] ? value[i] : cli_report_text(CLI_TEXT_UNKNOWN, p->language));
        fputs(code && *value[i] ? "</code></td>" : "</bdi></td>", p->out);
    }
    fputs("</tr>\n", p->out);
}

static void parties(const cli_page *p)
{
    const cli_record *r = p->r;
    int mine = r->side, theirs = !r->side;
    const char *not_known = cli_report_text(CLI_TEXT_NOT_KNOWN, p->language),
               *role[2] = {r->has_role ? cli_report_text(CLI_TEXT_RECEIVER, p->language) : not_known,
                           r->has_role ? cli_report_text(CLI_TEXT_SENDER, p->language) : not_known};
    fputs("<table class=\"parties\">\n<thead>\n<tr>", p->out);
    cli_html_head(p, CLI_TEXT_R_SIDE);
    cli_html_head(p, CLI_TEXT_PARTY_OWN);
    cli_html_head(p, CLI_TEXT_PARTY_OTHER);
    fputs("</tr>\n</thead>\n<tbody>\n", p->out);
    party_row(p, CLI_TEXT_R_ORGANISATION, *r->own ? r->own : p->start[mine],
              r->other_unknown ? not_known
              : *r->other      ? r->other
                               : p->start[theirs],
              0);
    party_row(p, CLI_TEXT_R_ROLE, role[mine], role[theirs], 0);
    party_row(p, CLI_TEXT_R_KEY, r->identity, cli_record_text(r->peer, "fingerprint"), 1);
    fputs("</tbody>\n</table>\n", p->out);
}

/* "a, b": the texts of a list, or the columns of its objects; to be freed. */
static char *joined(const cli_page *p, const json_t *list)
{
    char *text = NULL;
    size_t size, i;
    const json_t *entry;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    json_array_foreach(list, i, entry)
    {
        const char *name =
            json_is_string(entry) ? json_string_value(entry) : cli_record_text(entry, "column");
        fprintf(out, "%s%s", i ? cli_report_text(CLI_TEXT_LIST_COMMA, p->language) : "", name);
    }
    if (fclose(out)) {
        free(text);
        return NULL;
    }
    return text;
}

char *cli_report_columns(const cli_page *p, const char *list)
{
    return joined(p, json_object_get(p->r->terms, list));
}

static void row_list(const cli_page *p, enum cli_text label, const char *list)
{
    char *text = cli_report_columns(p, list);
    if (text && *text)
        cli_html_row(p, label, text);
    free(text);
}

static void rows_of_values(const cli_page *p)
{
    const json_t *value;
    size_t i;
    json_array_foreach(json_object_get(p->r->terms, "values"), i, value)
    {
        char scale[32] = "0";
        long long decimals;
        if (cli_record_number(value, "scale", &decimals))
            snprintf(scale, sizeof scale, "%lld", decimals);
        cli_html_row_begin(p, CLI_TEXT_R_VALUES);
        cli_html_say(p, CLI_TEXT_VALUE_RANGE, cli_record_text(value, "column"), cli_record_text(value, "min"),
                     cli_record_text(value, "max"), scale, CLI_HTML_END);
        cli_html_row_end(p);
    }
}

static void rows_of_bands(const cli_page *p, const char *list)
{
    const json_t *band;
    size_t i;
    json_array_foreach(json_object_get(p->r->terms, list), i, band)
    {
        char *edges = joined(p, json_object_get(band, "edges"));
        cli_html_row_begin(p, CLI_TEXT_R_BANDS);
        cli_html_say(p, CLI_TEXT_BAND_EDGES, cli_record_text(band, "column"), edges ? edges : "",
                     CLI_HTML_END);
        cli_html_row_end(p);
        free(edges);
    }
}

/* A word of the terms in this language; as it is where it is none we know. */
static void row_word(const cli_page *p, enum cli_text label, const char *key)
{
    static const struct {
        const char *key, *word;
        enum cli_text text;
    } known[] = {{"reveal_to", "receiver", CLI_TEXT_REVEAL_RECEIVER},
                 {"reveal_to", "sender", CLI_TEXT_REVEAL_SENDER},
                 {"reveal_to", "both", CLI_TEXT_REVEAL_BOTH},
                 {"protocol", "ecdh", CLI_TEXT_PROTOCOL_ECDH},
                 {"protocol", "vole", CLI_TEXT_PROTOCOL_VOLE},
                 {"security", "semi-honest", CLI_TEXT_SECURITY_SEMI},
                 {"security", "malicious", CLI_TEXT_SECURITY_MALICIOUS}};
    /* What was used stands in the outcome, what was asked for before it. */
    const char *word = cli_record_text(p->r->end, key);
    if (!*word)
        word = cli_record_text(p->r->terms, key);
    if (!*word)
        word = cli_record_text(p->r->begin, key);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].key, key) == 0 && strcmp(known[i].word, word) == 0) {
            cli_html_row_text(p, label, known[i].text);
            return;
        }
    cli_html_row(p, label, word);
}

static void rows_of_limits(const cli_page *p)
{
    long long minimum, rows;
    const json_t *epsilon = json_object_get(p->r->terms, "epsilon");
    char number[40];
    if (cli_record_number(p->r->terms, "rows_per_person", &rows) && rows)
        cli_html_row_number(p, CLI_TEXT_R_ROWS, rows);
    cli_html_row_begin(p, CLI_TEXT_R_MINIMUM);
    if (cli_record_number(p->r->terms, "min_overlap", &minimum) && minimum) {
        cli_record_grouped(number, minimum);
        cli_html_say(p, CLI_TEXT_MINIMUM, number, CLI_HTML_END);
    } else {
        cli_html_say(p, CLI_TEXT_NONE, CLI_HTML_END);
    }
    cli_html_row_end(p);
    if (json_is_number(epsilon)) {
        snprintf(number, sizeof number, "%g", json_number_value(epsilon));
        cli_html_row_begin(p, CLI_TEXT_R_NOISE);
        cli_html_say(p, CLI_TEXT_NOISE, number, CLI_HTML_END);
        cli_html_row_end(p);
    } else if (p->r->function != TALLY_MATCH) {
        cli_html_row_text(p, CLI_TEXT_R_NOISE, CLI_TEXT_NONE);
    }
}

static void asked(const cli_page *p)
{
    static const enum cli_text functions[] = {[TALLY_MATCH] = CLI_TEXT_FUNCTION_MATCH,
                                              [TALLY_COUNT] = CLI_TEXT_FUNCTION_COUNT,
                                              [TALLY_SUM] = CLI_TEXT_FUNCTION_SUM};
    cli_html_section(p, "asked", CLI_TEXT_S_ASKED);
    parties(p);
    cli_html_facts(p, CLI_TEXT_S_ASKED);
    cli_html_row_text(p, CLI_TEXT_R_FUNCTION, functions[p->r->function]);
    row_word(p, CLI_TEXT_R_REVEAL, "reveal_to");
    row_list(p, CLI_TEXT_R_KEYS, "keys");
    row_list(p, CLI_TEXT_R_WANT, "want");
    rows_of_values(p);
    rows_of_bands(p, "bands");
    rows_of_bands(p, "bands_of_the_adder");
    rows_of_limits(p);
    row_word(p, CLI_TEXT_R_PROTOCOL, "protocol");
    row_word(p, CLI_TEXT_R_SECURITY, "security");
    if (*cli_record_text(p->r->peer, "subject"))
        cli_html_row(p, CLI_TEXT_R_SUBJECT, cli_record_text(p->r->peer, "subject"));
    if (*cli_record_text(p->r->peer, "software"))
        cli_html_row(p, CLI_TEXT_R_SOFTWARE, cli_record_text(p->r->peer, "software"));
    cli_html_table_end(p);
    cli_html_section_end(p);
}

/* ---- The agreement ---- */

static void quotas(const cli_page *p)
{
    static const struct {
        const char *key;
        enum cli_text text;
    } all[] = {{"runs-per-day", CLI_TEXT_QUOTA_DAY},
               {"runs-in-all", CLI_TEXT_QUOTA_ALL},
               {"rows-per-day", CLI_TEXT_QUOTA_ROWS}};
    const json_t *agreed = json_object_get(p->r->agreed, "quotas");
    int some = 0;
    cli_html_row_begin(p, CLI_TEXT_R_QUOTAS);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        long long limit;
        char number[32];
        if (!cli_record_number(agreed, all[i].key, &limit))
            continue;
        cli_record_grouped(number, limit);
        if (some++)
            cli_html_say(p, CLI_TEXT_LIST_COMMA, CLI_HTML_END);
        cli_html_say(p, all[i].text, number, CLI_HTML_END);
    }
    if (!some)
        cli_html_say(p, CLI_TEXT_QUOTA_NONE, CLI_HTML_END);
    cli_html_row_end(p);
}

static void signers(const cli_page *p)
{
    static const enum cli_text states[] = {[TALLY_UNSIGNED] = CLI_TEXT_SIGNED_NOT,
                                           [TALLY_SIGNED] = CLI_TEXT_SIGNED_BY,
                                           [TALLY_SIGNATURE_BAD] = CLI_TEXT_SIGNED_BAD};
    cli_html_row_begin(p, CLI_TEXT_R_SIGNED);
    fputs("<ul>\n", p->out);
    for (size_t i = 0; i < 2; i++)
        cli_html_entry(p, states[tally_agreement_signed(p->r->agreement, i)],
                       tally_agreement_organisation(p->r->agreement, i), CLI_HTML_END);
    fputs("</ul>", p->out);
    cli_html_row_end(p);
}

static void agreement(const cli_page *p)
{
    const cli_record *r = p->r;
    const char *name = cli_record_text(r->agreed, "name");
    cli_html_section(p, "agreement", CLI_TEXT_S_AGREEMENT);
    if (!*r->digest) {
        cli_html_paragraph(p, CLI_TEXT_AGREEMENT_NONE, CLI_HTML_END);
        cli_html_section_end(p);
        return;
    }
    cli_html_facts(p, CLI_TEXT_S_AGREEMENT);
    cli_html_row(p, CLI_TEXT_R_NAME, *name ? name : cli_record_text(r->begin, "agreement_name"));
    cli_html_row_code(p, CLI_TEXT_R_DIGEST, r->digest);
    if (r->agreed) {
        cli_html_row(p, CLI_TEXT_R_PURPOSE, cli_record_text(r->agreed, "purpose"));
        cli_html_row(p, CLI_TEXT_R_BASIS, cli_record_text(r->agreed, "legal-basis"));
        cli_html_row_begin(p, CLI_TEXT_R_VALID);
        cli_html_say(p, CLI_TEXT_VALID, cli_record_text(r->agreed, "valid-from"),
                     cli_record_text(r->agreed, "valid-until"), cli_record_text(r->agreed, "time-zone"),
                     CLI_HTML_END);
        cli_html_row_end(p);
        quotas(p);
        signers(p);
    }
    cli_html_table_end(p);
    cli_html_section_end(p);
}

/* ---- All of it ---- */

static void footer(const cli_page *p, long long made)
{
    char when[32], number[32];
    cli_record_time(when, made);
    cli_record_grouped(number, p->r->n);
    fputs("<footer>\n", p->out);
    if (*p->ledger)
        cli_html_paragraph(p, CLI_TEXT_MADE_NAMED, when, tally_version(), number, p->ledger, CLI_HTML_END);
    else
        cli_html_paragraph(p, CLI_TEXT_MADE, when, tally_version(), number, CLI_HTML_END);
    fputs("</footer>\n", p->out);
}

static void page(const cli_page *p, long long made)
{
    char number[32];
    cli_record_grouped(number, p->r->n);
    cli_html_begin(p, number);
    headline(p);
    banners(p);
    said(p);
    asked(p);
    agreement(p);
    cli_report_learned(p);
    cli_report_numbers(p);
    cli_report_receipt(p);
    cli_report_check(p);
    footer(p, made);
    cli_html_end(p);
}

tally_status cli_report_make(const char *run_json, const char *ledger, enum cli_language language,
                             long long made, char **out, tally_error *error)
{
    cli_record record;
    char *text = NULL;
    size_t size;
    tally_status st = cli_record_read(run_json, &record, error);
    if (st)
        return st;
    cli_page p = {.language = language, .r = &record, .ledger = ledger};
    set_names(&p);
    st = check_receipt(&p);
    p.out = st ? NULL : open_memstream(&text, &size);
    int failed = !p.out;
    if (p.out) {
        page(&p, made);
        failed = ferror(p.out) != 0;
        failed |= fclose(p.out) != 0;
    }
    cli_record_free(&record);
    if (!failed) {
        *out = text;
        return TALLY_OK;
    }
    free(text);
    return cli_fail(error, st ? st : TALLY_ERR_NO_MEMORY,
                    st && st != TALLY_ERR_NO_MEMORY ? "the receipt of the run could not be checked"
                                                    : "out of memory");
}
