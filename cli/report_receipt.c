/* SPDX-License-Identifier: Apache-2.0 */
/* The receipt, how to check it, and the words of the page. */
#include "cli/report.h"

#include "cli/report_html.h"
#include <string.h>

/* Whether the agreement of the run has the key that signed for this side. */
static int is_agreed_key(const cli_page *p, int side)
{
    const char *key = p->signed_by[side].key, *const roles[2] = {"receiver", "sender"};
    const json_t *party;
    size_t i;
    json_array_foreach(json_object_get(p->r->agreed, "parties"), i,
                       party) if (*key && !*p->r->problem &&
                                  strcmp(cli_record_text(party, "role"), roles[side]) == 0 &&
                                  strcmp(cli_record_text(party, "signing-key"), key) == 0) return 1;
    return 0;
}

static enum cli_text verdict(const cli_page *p, int side)
{
    static const enum cli_text states[] = {[TALLY_UNSIGNED] = CLI_TEXT_VERDICT_NONE,
                                           [TALLY_SIGNED] = CLI_TEXT_VERDICT_HOLDS,
                                           [TALLY_SIGNATURE_BAD] = CLI_TEXT_VERDICT_BAD};
    if (p->receipt == CLI_RECEIPT_READ && p->signed_by[side].state == TALLY_SIGNED && is_agreed_key(p, side))
        return CLI_TEXT_VERDICT_AGREED;
    return p->receipt == CLI_RECEIPT_READ ? states[p->signed_by[side].state] : CLI_TEXT_VERDICT_UNREAD;
}

/* A cell for each side: receiver, sender. */
static void row_of_sides(const cli_page *p, enum cli_text label, const char *const text[2], int code)
{
    fputs("<tr><th scope=\"row\">", p->out);
    cli_html_say(p, label, CLI_HTML_END);
    fputs("</th>", p->out);
    for (int s = 0; s < 2; s++) {
        fputs(code ? "<td><code>" : "<td><bdi>", p->out);
        cli_html_escape(p->out, *text[s] ? text[s] : "\xe2\x80\x93");
        fputs(code ? "</code></td>" : "</bdi></td>", p->out);
    }
    fputs("</tr>\n", p->out);
}

static void signatures(const cli_page *p)
{
    const json_t *kept = p->r->receipt;
    const char *const signature[2] = {cli_record_text(kept, "receiver"), cli_record_text(kept, "sender")},
                      *const verdicts[2] = {cli_report_text(verdict(p, CLI_RECEIVER), p->language),
                                            cli_report_text(verdict(p, CLI_SENDER), p->language)},
                      *const keys[2] = {p->signed_by[CLI_RECEIVER].key, p->signed_by[CLI_SENDER].key};
    fputs("<table class=\"parties\">\n<thead>\n<tr>", p->out);
    cli_html_head(p, CLI_TEXT_R_SIDE);
    cli_html_head(p, CLI_TEXT_RECEIVER);
    cli_html_head(p, CLI_TEXT_SENDER);
    fputs("</tr>\n</thead>\n<tbody>\n", p->out);
    row_of_sides(p, CLI_TEXT_R_ORGANISATION, p->start, 0);
    row_of_sides(p, CLI_TEXT_R_SIGNING_KEY, keys, 1);
    row_of_sides(p, CLI_TEXT_R_VERDICT, verdicts, 0);
    row_of_sides(p, CLI_TEXT_R_SIGNATURE, signature, 1);
    fputs("</tbody>\n</table>\n", p->out);
}

void cli_report_receipt(const cli_page *p)
{
    const json_t *kept = p->r->receipt;
    cli_html_section(p, "receipt", CLI_TEXT_S_RECEIPT);
    if (!kept) {
        cli_html_paragraph(p, CLI_TEXT_RECEIPT_NONE, CLI_HTML_END);
        cli_html_section_end(p);
        return;
    }
    cli_html_paragraph(p, CLI_TEXT_RECEIPT_INTRO, CLI_HTML_END);
    if (p->receipt == CLI_RECEIPT_READ && !*p->signed_by[0].key && !*p->signed_by[1].key)
        cli_html_paragraph(p, CLI_TEXT_RECEIPT_UNSIGNED, CLI_HTML_END);
    else {
        signatures(p);
        cli_html_paragraph(p, CLI_TEXT_RECEIPT_KEYS, CLI_HTML_END);
    }
    cli_html_verbatim(p, cli_record_text(kept, "text"));
    fputs("<ul>\n", p->out);
    cli_html_entry(p, CLI_TEXT_SHOWS, CLI_HTML_END);
    cli_html_entry(p, CLI_TEXT_SHOWS_NOT, CLI_HTML_END);
    fputs("</ul>\n", p->out);
    cli_html_section_end(p);
}

/* ---- How to check, and the words ---- */

static void words(const cli_page *p)
{
    static const enum cli_text all[][2] = {{CLI_TEXT_W_IDENTIFIER, CLI_TEXT_W_IDENTIFIER_TEXT},
                                           {CLI_TEXT_W_RECEIVER, CLI_TEXT_W_RECEIVER_TEXT},
                                           {CLI_TEXT_W_DISCLOSED, CLI_TEXT_W_DISCLOSED_TEXT},
                                           {CLI_TEXT_W_LEDGER, CLI_TEXT_W_LEDGER_TEXT}};
    cli_html_section(p, "words", CLI_TEXT_S_WORDS);
    fputs("<dl>\n", p->out);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        fputs("<div><dt>", p->out);
        cli_html_say(p, all[i][0], CLI_HTML_END);
        fputs("</dt><dd>", p->out);
        cli_html_say(p, all[i][1], CLI_HTML_END);
        fputs("</dd></div>\n", p->out);
    }
    fputs("</dl>\n", p->out);
    cli_html_section_end(p);
}

void cli_report_check(const cli_page *p)
{
    long long n = p->r->n;
    const char *key = cli_report_text(CLI_TEXT_CHECK_KEY, p->language);
    cli_html_section(p, "check", CLI_TEXT_S_CHECK);
    cli_html_paragraph(p, CLI_TEXT_CHECK_INTRO, key, CLI_HTML_END);
    fprintf(p->out,
            "<pre>tally ledger verify --signatures --key %s\ntally ledger show %lld\n"
            "tally ledger report %lld -o run-%lld.html --lang %s</pre>\n",
            key, n, n, n, p->language == CLI_CHINESE ? "zh" : "en");
    cli_html_paragraph(p, CLI_TEXT_CHECK_PROOF, CLI_HTML_END);
    fprintf(
        p->out,
        "<pre>tally ledger prove %lld -o run-%lld.proof\ntally ledger checkpoint &gt; checkpoint.txt</pre>\n",
        n, n);
    cli_html_paragraph(p, CLI_TEXT_CHECK_OFFLINE, CLI_HTML_END);
    fprintf(p->out,
            "<pre>tally ledger check-proof run-%lld.proof --checkpoint checkpoint.txt --key %s</pre>\n", n,
            key);
    cli_html_paragraph(p, CLI_TEXT_CHECK_OTHER, CLI_HTML_END);
    fprintf(p->out,
            "<pre>tally ledger verify --signatures --key %s --ledger OTHER.db\n"
            "tally ledger reconcile OTHER.db</pre>\n",
            cli_report_text(CLI_TEXT_CHECK_THEIR_KEY, p->language));
    cli_html_section_end(p);
    words(p);
}
