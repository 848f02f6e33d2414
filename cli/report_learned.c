/* SPDX-License-Identifier: Apache-2.0 */
/* What each side learned: the tables of README.md, filled with the terms of the run. */
#include "cli/report.h"

#include "cli/report_html.h"
#include <stdlib.h>
#include <string.h>

/* What the entries depend on. */
typedef struct learned {
    const cli_page *p;
    int told[2]; /* the result: the receiver, the sender */
    int owner;   /* of the values; -1: not known */
    int minimum, noise;
    char *values, *bands, *bands_of_adder, *want; /* columns */
} learned;

static int is(const char *text)
{
    return text && *text;
}

static int learned_set(learned *l, const cli_page *p)
{
    const char *reveal = cli_record_text(p->r->terms, "reveal_to"),
               *owner = cli_record_text(p->r->agreed, "values-of");
    long long minimum = 0;
    if (!*reveal)
        reveal = cli_record_text(p->r->begin, "reveal_to");
    cli_record_number(p->r->terms, "min_overlap", &minimum);
    *l = (learned){
        .p = p,
        .told = {strcmp(reveal, "sender") != 0, strcmp(reveal, "sender") == 0 || strcmp(reveal, "both") == 0},
        .owner = strcmp(owner, "receiver") == 0 ? CLI_RECEIVER
                 : strcmp(owner, "sender") == 0 ? CLI_SENDER
                                                : -1,
        .minimum = minimum > 0,
        .noise = json_is_number(json_object_get(p->r->terms, "epsilon")),
        .values = cli_report_columns(p, "values"),
        .bands = cli_report_columns(p, "bands"),
        .bands_of_adder = cli_report_columns(p, "bands_of_the_adder"),
        .want = cli_report_columns(p, "want")};
    return l->values && l->bands && l->bands_of_adder && l->want;
}

static void learned_free(learned *l)
{
    free(l->values);
    free(l->bands);
    free(l->bands_of_adder);
    free(l->want);
}

/* Each returns how many entries it wrote. */

static int learned_match(const learned *l, int side)
{
    const cli_page *p = l->p;
    int said = l->told[side];
    if (l->told[side])
        cli_html_entry(p, CLI_TEXT_L_WHICH, p->name[!side], CLI_HTML_END);
    if (!is(l->want))
        return said;
    if (side == CLI_RECEIVER)
        cli_html_entry(p, CLI_TEXT_L_COLUMNS, p->name[CLI_SENDER], l->want, CLI_HTML_END);
    else
        cli_html_entry(p, CLI_TEXT_L_TAKES, p->start[CLI_RECEIVER], CLI_HTML_END);
    return said + 1;
}

static int learned_count(const learned *l, int side)
{
    /* With a minimum the side at risk counts, and releases. */
    if (!l->told[side] && !l->minimum)
        return 0;
    cli_html_entry(l->p, l->noise ? CLI_TEXT_L_COUNT_NOISE : CLI_TEXT_L_COUNT, CLI_HTML_END);
    return 1;
}

static int learned_bands(const learned *l, int side)
{
    const cli_page *p = l->p;
    int said = 0;
    if (l->told[side] && is(l->bands) && ++said)
        cli_html_entry(p, CLI_TEXT_L_BANDS, l->bands, CLI_HTML_END);
    if (l->told[side] && is(l->bands_of_adder) && ++said)
        cli_html_entry(p, CLI_TEXT_L_BANDS, l->bands_of_adder, CLI_HTML_END);
    if (l->owner < 0)
        return said;
    /* Whoever shows the owner's bands to the other hears or tells their sizes before any are merged. */
    if (is(l->bands) && l->minimum && (side != l->owner) == l->told[l->owner] && ++said)
        cli_html_entry(p, CLI_TEXT_L_BAND_COUNTS, l->bands, CLI_HTML_END);
    if (is(l->bands_of_adder) && side == l->owner && ++said)
        cli_html_entry(p, CLI_TEXT_L_BAND_SIZES, p->name[!side], l->bands_of_adder, CLI_HTML_END);
    return said;
}

static int learned_sum(const learned *l, int side)
{
    const cli_page *p = l->p;
    int said = 0;
    /* The side that adds up counts first; with a minimum the owner hears the count too. */
    if ((l->told[side] || l->minimum || (l->owner >= 0 && side != l->owner)) && ++said)
        cli_html_entry(p, l->noise ? CLI_TEXT_L_COUNT_NOISE : CLI_TEXT_L_COUNT, CLI_HTML_END);
    else if (l->owner < 0 && ++said)
        cli_html_entry(p, CLI_TEXT_L_COUNT_IF, CLI_HTML_END);
    if (l->told[side] && ++said)
        cli_html_entry(p, l->noise ? CLI_TEXT_L_SUM_NOISE : CLI_TEXT_L_SUM, l->values, CLI_HTML_END);
    return said + learned_bands(l, side);
}

/* How long the list of the other is, as it said. */
static void learned_size(const cli_page *p, int side)
{
    const cli_record *r = p->r;
    long long items = 0, declared = 0;
    int known, padded;
    char number[32];
    if (side == r->side) {
        known = cli_record_number(r->end, "peer_items", &declared) && declared > 0;
        padded = json_object_get(r->agreed, "padding-step") != NULL;
    } else {
        known = cli_record_number(r->input, "declared", &declared) ||
                cli_record_number(r->input, "items", &declared);
        padded = cli_record_number(r->input, "items", &items) && items != declared;
    }
    cli_record_grouped(number, declared);
    cli_html_entry(p, padded ? CLI_TEXT_L_SIZE_PADDED : CLI_TEXT_L_SIZE, p->name[!side],
                   known ? number : cli_report_text(CLI_TEXT_UNKNOWN, p->language), CLI_HTML_END);
}

/* Whether too much matched, where the agreement sets a share: both sides are told. Returns how many entries.
 */
static int learned_share(const cli_page *p)
{
    const json_t *exceeded = json_object_get(p->r->end, "share_exceeded");
    enum cli_text value = json_is_true(exceeded)    ? CLI_TEXT_YES
                          : json_is_false(exceeded) ? CLI_TEXT_NO
                                                    : CLI_TEXT_UNKNOWN;
    if (value == CLI_TEXT_UNKNOWN && !is(cli_record_text(p->r->agreed, "max-match-share")) &&
        !json_is_number(json_object_get(p->r->agreed, "max-match-share")))
        return 0;
    cli_html_entry(p, CLI_TEXT_L_SHARE, p->name[CLI_RECEIVER], cli_report_text(value, p->language),
                   CLI_HTML_END);
    return 1;
}

/* Rows of the receiver without consent: the receipt tells the sender. */
static int learned_consent(const cli_page *p, int side)
{
    static const char line[] = "\nreceiver-without-consent: ";
    const char *at = strstr(cli_record_text(p->r->receipt, "text"), line);
    int agreed = json_is_object(json_object_get(p->r->agreed, "consent")), known = p->r->receipt != NULL;
    long long rows = at ? strtoll(at + sizeof line - 1, NULL, 10) : 0;
    char number[32];
    if (!at && p->r->side == CLI_RECEIVER && cli_record_number(p->r->input, "without_consent", &rows))
        known = 1;
    if (side != CLI_SENDER || (!agreed && rows <= 0))
        return 0;
    cli_record_grouped(number, rows);
    cli_html_entry(p, CLI_TEXT_L_CONSENT, p->name[CLI_RECEIVER],
                   known ? number : cli_report_text(CLI_TEXT_UNKNOWN, p->language), CLI_HTML_END);
    return 1;
}

static void learned_side(const learned *l, int side)
{
    const cli_page *p = l->p;
    int done = p->r->state == CLI_RUN_DONE, said;
    fputs("<div class=\"side\">\n<h3>", p->out);
    cli_html_say(p, done ? CLI_TEXT_LEARNED_BY : CLI_TEXT_LEARNED_MAYBE_BY, p->start[side],
                 cli_report_text(side == CLI_RECEIVER ? CLI_TEXT_RECEIVER : CLI_TEXT_SENDER, p->language),
                 CLI_HTML_END);
    fputs("</h3>\n<ul>\n", p->out);
    if (p->r->function == TALLY_MATCH)
        said = learned_match(l, side);
    else if (p->r->function == TALLY_COUNT)
        said = learned_count(l, side);
    else
        said = learned_sum(l, side);
    learned_size(p, side);
    said += learned_share(p) + learned_consent(p, side);
    if (!said)
        cli_html_entry(p, CLI_TEXT_L_NOTHING, CLI_HTML_END);
    fputs("</ul>\n</div>\n", p->out);
}

static void learned_nothing(const cli_page *p)
{
    fputs("<p>", p->out);
    cli_html_say(p, CLI_TEXT_LEARNED_NOT, CLI_HTML_END);
    if (p->r->state != CLI_RUN_REFUSED) {
        fputs(p->language == CLI_ENGLISH ? " " : "", p->out);
        cli_html_say(p, CLI_TEXT_LEARNED_SIZES, CLI_HTML_END);
    }
    fputs("</p>\n", p->out);
}

static void learned_sides(const cli_page *p)
{
    learned l;
    int done = p->r->state == CLI_RUN_DONE;
    if (!done)
        cli_html_paragraph(p, CLI_TEXT_LEARNED_MAY, CLI_HTML_END);
    if (learned_set(&l, p)) {
        fputs("<div class=\"sides\">\n", p->out);
        learned_side(&l, CLI_RECEIVER);
        learned_side(&l, CLI_SENDER);
        fputs("</div>\n", p->out);
    }
    learned_free(&l);
    if (done)
        cli_html_paragraph(p, CLI_TEXT_LEARNED_INTRO, CLI_HTML_END);
}

void cli_report_learned(const cli_page *p)
{
    const char *recorded = cli_record_text(p->r->end, "learned");
    cli_html_section(p, "learned", CLI_TEXT_S_LEARNED);
    if (p->r->state != CLI_RUN_DONE && !p->r->disclosed)
        learned_nothing(p);
    else
        learned_sides(p);
    if (*recorded) {
        cli_html_paragraph(p, CLI_TEXT_LEARNED_RECORDED, CLI_HTML_END);
        fputs("<blockquote lang=\"en\"><p>", p->out);
        cli_html_escape(p->out, recorded);
        fputs("</p></blockquote>\n", p->out);
    }
    cli_html_section_end(p);
}
