/* SPDX-License-Identifier: Apache-2.0 */
/* The HTML of a report: everything goes out escaped. */
#ifndef CLI_REPORT_HTML_H
#define CLI_REPORT_HTML_H

#include "cli/report.h"

/*
 * Text for an element or a quoted attribute: & < > " ' as entities. What cannot be seen or steers the order
 * of reading, and bytes that are no UTF-8, come out as U+FFFD; line ends and tabs stay.
 */
void cli_html_escape(FILE *out, const char *text);

#define CLI_HTML_END ((const char *)NULL) /* after the arguments of a text */
/* A text, {1}.. filled with the arguments in turn, each isolated against the direction of others; the last
   one is NULL. */
void cli_html_say(const cli_page *p, enum cli_text text, ...) __attribute__((sentinel));
/* The same as a paragraph, as an entry of a list. */
#define cli_html_paragraph(p, ...)                                                                           \
    (fputs("<p>", (p)->out), cli_html_say(p, __VA_ARGS__), fputs("</p>\n", (p)->out))
#define cli_html_entry(p, ...)                                                                               \
    (fputs("<li>", (p)->out), cli_html_say(p, __VA_ARGS__), fputs("</li>\n", (p)->out))

/* <section> with its heading; id is ours. */
void cli_html_section(const cli_page *p, const char *id, enum cli_text heading);
void cli_html_section_end(const cli_page *p);
void cli_html_heading3(const cli_page *p, enum cli_text heading);

/* A table of facts: what, how it is. */
void cli_html_facts(const cli_page *p, enum cli_text name);
void cli_html_row(const cli_page *p, enum cli_text label, const char *value);
void cli_html_row_code(const cli_page *p, enum cli_text label, const char *value);
void cli_html_row_number(const cli_page *p, enum cli_text label, long long value);
void cli_html_row_text(const cli_page *p, enum cli_text label, enum cli_text value);
void cli_html_row_begin(const cli_page *p, enum cli_text label);
void cli_html_row_end(const cli_page *p);
void cli_html_table_end(const cli_page *p);

/* A table with heads. name: what it shows, filled with the two texts. */
void cli_html_grid(const cli_page *p, enum cli_text name, const char *first, const char *second);
void cli_html_head(const cli_page *p, enum cli_text head);
void cli_html_head_number(const cli_page *p, enum cli_text head);
void cli_html_cell(const cli_page *p, const char *value, int is_number);
void cli_html_grid_end(const cli_page *p);

/* Text of others as it is, line ends too. */
void cli_html_verbatim(const cli_page *p, const char *text);

void cli_html_begin(const cli_page *p, const char *title_number);
void cli_html_end(const cli_page *p);

#endif
