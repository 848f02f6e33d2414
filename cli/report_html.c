/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report_html.h"

#include <stdarg.h>
#include <string.h>
#include <utf8proc.h>

#define TEXT_ARGS 6

/* ---- Escaping ---- */

static const char *entity(utf8proc_int32_t c)
{
    return c == '&'    ? "&amp;"
           : c == '<'  ? "&lt;"
           : c == '>'  ? "&gt;"
           : c == '"'  ? "&quot;"
           : c == '\'' ? "&#39;"
                       : NULL;
}

void cli_html_escape(FILE *out, const char *text)
{
    const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text;
    size_t left = strlen(text);
    while (left) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate(at, (utf8proc_ssize_t)left, &c);
        size_t step = n > 0 ? (size_t)n : 1;
        const char *e = n > 0 ? entity(c) : NULL;
        if (e)
            fputs(e, out);
        else if (n <= 0 || (cli_record_unseen(c) && c != '\n' && c != '\t'))
            fputs("\xef\xbf\xbd", out);
        else
            fwrite(at, 1, step, out);
        at += step;
        left -= step;
    }
}

static void say(const cli_page *p, enum cli_text text, const char *const *args, size_t count)
{
    const char *at = cli_report_text(text, p->language);
    for (const char *open; (open = strchr(at, '{')) != NULL; at = open + 3) {
        size_t i = (size_t)(open[1] - '1');
        fwrite(at, 1, (size_t)(open - at), p->out);
        fputs("<bdi>", p->out);
        cli_html_escape(p->out, i < count ? args[i] : "");
        fputs("</bdi>", p->out);
    }
    cli_html_escape(p->out, at);
}

void cli_html_say(const cli_page *p, enum cli_text text, ...)
{
    const char *args[TEXT_ARGS];
    size_t count = 0;
    va_list list;
    va_start(list, text);
    for (const char *a; count < TEXT_ARGS && (a = va_arg(list, const char *)) != NULL;)
        args[count++] = a;
    va_end(list);
    say(p, text, args, count);
}

/* ---- Sections and tables ---- */

void cli_html_section(const cli_page *p, const char *id, enum cli_text heading)
{
    fprintf(p->out, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">", id, id);
    cli_html_say(p, heading, CLI_HTML_END);
    fputs("</h2>\n", p->out);
}

void cli_html_section_end(const cli_page *p)
{
    fputs("</section>\n", p->out);
}

void cli_html_heading3(const cli_page *p, enum cli_text heading)
{
    fputs("<h3>", p->out);
    cli_html_say(p, heading, CLI_HTML_END);
    fputs("</h3>\n", p->out);
}

void cli_html_facts(const cli_page *p, enum cli_text name)
{
    fputs("<table class=\"facts\" aria-label=\"", p->out);
    cli_html_escape(p->out, cli_report_text(name, p->language));
    fputs("\">\n<tbody>\n", p->out);
}

void cli_html_row_begin(const cli_page *p, enum cli_text label)
{
    fputs("<tr><th scope=\"row\">", p->out);
    cli_html_say(p, label, CLI_HTML_END);
    fputs("</th><td>", p->out);
}

void cli_html_row_end(const cli_page *p)
{
    fputs("</td></tr>\n", p->out);
}

void cli_html_row(const cli_page *p, enum cli_text label, const char *value)
{
    cli_html_row_begin(p, label);
    if (*value) {
        fputs("<bdi>", p->out);
        cli_html_escape(p->out, value);
        fputs("</bdi>", p->out);
    } else {
        cli_html_say(p, CLI_TEXT_UNKNOWN, CLI_HTML_END);
    }
    cli_html_row_end(p);
}

void cli_html_row_code(const cli_page *p, enum cli_text label, const char *value)
{
    cli_html_row_begin(p, label);
    if (*value) {
        fputs("<code>", p->out);
        cli_html_escape(p->out, value);
        fputs("</code>", p->out);
    } else {
        cli_html_say(p, CLI_TEXT_UNKNOWN, CLI_HTML_END);
    }
    cli_html_row_end(p);
}

void cli_html_row_number(const cli_page *p, enum cli_text label, long long value)
{
    char digits[32];
    cli_record_grouped(digits, value);
    cli_html_row(p, label, digits);
}

void cli_html_row_text(const cli_page *p, enum cli_text label, enum cli_text value)
{
    cli_html_row_begin(p, label);
    cli_html_say(p, value, CLI_HTML_END);
    cli_html_row_end(p);
}

void cli_html_table_end(const cli_page *p)
{
    fputs("</tbody>\n</table>\n", p->out);
}

void cli_html_grid(const cli_page *p, enum cli_text name, const char *first, const char *second)
{
    fputs("<table class=\"grid\">\n<caption>", p->out);
    cli_html_say(p, name, first, second, CLI_HTML_END);
    fputs("</caption>\n<thead>\n<tr>", p->out);
}

void cli_html_head(const cli_page *p, enum cli_text head)
{
    fputs("<th scope=\"col\">", p->out);
    cli_html_say(p, head, CLI_HTML_END);
    fputs("</th>", p->out);
}

void cli_html_head_number(const cli_page *p, enum cli_text head)
{
    fputs("<th scope=\"col\" class=\"number\">", p->out);
    cli_html_say(p, head, CLI_HTML_END);
    fputs("</th>", p->out);
}

void cli_html_cell(const cli_page *p, const char *value, int is_number)
{
    fputs(is_number ? "<td class=\"number\">" : "<td>", p->out);
    cli_html_escape(p->out, *value ? value : "\xe2\x80\x93");
    fputs("</td>", p->out);
}

void cli_html_grid_end(const cli_page *p)
{
    fputs("</tbody>\n</table>\n", p->out);
}

void cli_html_verbatim(const cli_page *p, const char *text)
{
    fputs("<pre>", p->out);
    /* A first line end in <pre> is swallowed by the reader. */
    if (*text == '\n')
        fputc('\n', p->out);
    cli_html_escape(p->out, text);
    fputs("</pre>\n", p->out);
}

/* ---- The page ---- */

static const char style[] =
    ":root{--page:#fff;--text:#1c2127;--quiet:#525b66;--line:#d3d9e0;--box:#f5f7f9;--good:#14532d;"
    "--good-box:#e2f3e6;--bad:#7a1710;--bad-box:#fdebe9;--warn:#5a4000;--warn-box:#fff3d1}\n"
    "@media screen and (prefers-color-scheme:dark){:root{--page:#14181c;--text:#e7eaed;--quiet:#aab4bf;"
    "--line:#39424c;--box:#1e242a;--good:#a5e0b4;--good-box:#17301f;--bad:#ffb8b0;--bad-box:#3c1815;"
    "--warn:#f6d98a;--warn-box:#352a0c}}\n"
    "*{box-sizing:border-box}\n"
    "html{-webkit-text-size-adjust:100%;text-size-adjust:100%}\n"
    "body{margin:0;background:var(--page);color:var(--text);font:1rem/1.55 system-ui,-apple-system,"
    "\"Segoe UI\",\"Noto Sans\",\"PingFang SC\",\"Microsoft YaHei\",\"Noto Sans CJK SC\",\"DejaVu "
    "Sans\",sans-serif}\n"
    "main{max-width:56rem;margin:0 auto;padding:2rem 1.25rem 3rem;overflow-wrap:anywhere}\n"
    "h1{font-size:1.75rem;line-height:1.25;margin:.15rem 0 .75rem}\n"
    "h2{font-size:1.25rem;line-height:1.3;margin:2.25rem 0 .75rem;padding-top:1rem;border-top:1px solid "
    "var(--line)}\n"
    "h3{font-size:1.05rem;margin:1.5rem 0 .5rem}\n"
    "h4{font-size:1rem;margin:1.25rem 0 0}\n"
    "p,ul,dl,pre{margin:.5rem 0}\n"
    "ul{padding-left:1.25rem}\n"
    ".number-of-run,footer{color:var(--quiet)}\n"
    ".lead{font-size:1.15rem;line-height:1.5}\n"
    ".state{display:inline-block;padding:.1rem .7rem;border-radius:1rem;font-weight:600;color:var(--good);"
    "background:var(--good-box)}\n"
    ".state.bad{color:var(--bad);background:var(--bad-box)}\n"
    ".banner{margin:1rem 0;padding:.6rem 1rem;border-left:.35rem solid var(--warn);color:var(--warn);"
    "background:var(--warn-box)}\n"
    ".banner.bad{border-color:var(--bad);color:var(--bad);background:var(--bad-box)}\n"
    ".banner h2{font-size:1.05rem;margin:0;padding:0;border:0}\n"
    ".banner p{margin:.2rem 0}\n"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0;font-variant-numeric:tabular-nums}\n"
    "th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;border-bottom:1px solid var(--line)}\n"
    ".facts th{width:32%;font-weight:400;color:var(--quiet);padding-left:0}\n"
    ".facts td ul{margin:0}\n"
    ".grid{table-layout:fixed}\n"
    ".grid thead th:first-child{width:40%}\n"
    "thead th{overflow-wrap:break-word;color:var(--quiet);font-weight:600}\n"
    ".grid th[scope=row]{font-weight:400}\n"
    ".grid .number,.grid thead th.number{text-align:right}\n"
    ".parties{table-layout:fixed}\n"
    ".parties th[scope=row]{font-weight:400;color:var(--quiet)}\n"
    ".parties thead th{width:34%}\n"
    ".parties thead th:first-child{width:32%}\n"
    ".parties th:first-child,.grid th:first-child{padding-left:0}\n"
    "caption{text-align:left;font-weight:600;padding:.6rem 0 .2rem}\n"
    ".sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:1rem;margin:.75rem 0}\n"
    ".side{background:var(--box);border:1px solid var(--line);border-radius:.4rem;padding:.75rem 1rem}\n"
    ".side h3{margin:0 0 .35rem}\n"
    ".side ul{margin:0}\n"
    "blockquote{margin:.5rem 0;padding:.1rem 0 .1rem 1rem;border-left:.25rem solid var(--line)}\n"
    "code,pre{font-family:ui-monospace,\"SF Mono\",Consolas,\"DejaVu Sans Mono\",\"Noto Sans Mono CJK "
    "SC\",monospace;"
    "font-size:.85em}\n"
    "pre{background:var(--box);border:1px solid var(--line);border-radius:.4rem;padding:.75rem 1rem;"
    "white-space:pre-wrap;overflow-wrap:anywhere;font-size:.82rem;line-height:1.5}\n"
    "dt{font-weight:600;margin-top:.5rem}\n"
    "dd{margin:0}\n"
    "footer{margin-top:2rem;padding-top:1rem;border-top:1px solid var(--line);font-size:.9rem}\n"
    "@media (max-width:34rem){main{padding:1.25rem .9rem 2rem}h1{font-size:1.45rem}.lead{font-size:1.05rem}"
    "th,td{padding:.35rem .4rem}.sides{grid-template-columns:1fr}.grid,.parties{font-size:.88rem}.facts "
    "th{width:40%}}\n"
    "@page{size:A4;margin:17mm 16mm}\n"
    "@media "
    "print{body{font-size:10pt}pre{font-size:7.5pt}code{font-size:8pt}main{max-width:none;padding:0}section,."
    "side,.banner,tr,dl>div{"
    "break-inside:avoid}h2,h3,caption{break-after:avoid}.banner,.side,pre,.state{background:none}"
    ".state{border:1px solid currentColor}.banner{border:1px solid;border-left:.35rem "
    "solid}a{color:inherit}}\n";

void cli_html_begin(const cli_page *p, const char *title_number)
{
    const char *language = cli_report_text(CLI_TEXT_LANGUAGE, p->language),
               *title = cli_report_text(CLI_TEXT_TITLE, p->language), *open = strchr(title, '{');
    fprintf(p->out,
            "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            "<meta name=\"color-scheme\" content=\"light dark\">\n"
            "<meta name=\"robots\" content=\"noindex\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
            "'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n<title>",
            language);
    /* No element may stand in a title. */
    if (open)
        fprintf(p->out, "%.*s%s%s", (int)(open - title), title, title_number, open + 3);
    else
        cli_html_escape(p->out, title);
    fprintf(p->out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n", style);
}

void cli_html_end(const cli_page *p)
{
    fputs("</main>\n</body>\n</html>\n", p->out);
}
