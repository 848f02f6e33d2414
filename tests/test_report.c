/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a run. The command is no library, so its files are included. With TALLY_PAGES=FOLDER the
 * samples are written there too, for tests/report_pages.py. */
#include "tests/support_report.h"
#include "tests/unit.h"

#include "cli/message.c"
#include "cli/record.c"
#include "cli/report.c"
#include "cli/report_html.c"
#include "cli/report_learned.c"
#include "cli/report_numbers.c"
#include "cli/report_receipt.c"
#include "cli/report_text.c"

#define MADE 1795689000LL

/* ---- A strict reader of the page ---- */

#define DEEP 32
static const char *const empty_elements[] = {"meta", "br", "hr", NULL};

static int is_empty(const char *name)
{
    for (size_t i = 0; empty_elements[i]; i++)
        if (strcmp(name, empty_elements[i]) == 0)
            return 1;
    return 0;
}

/* Past the attributes of a start tag, each name="value" with no < in it; NULL if it is not so. */
static const char *past_attributes(const char *at)
{
    while (*at == ' ') {
        at += 1 + strspn(at + 1, "abcdefghijklmnopqrstuvwxyz-");
        if (at[0] != '=' || at[1] != '"')
            return NULL;
        at += 2 + strcspn(at + 2, "\"<>");
        if (*at++ != '"')
            return NULL;
    }
    return *at == '>' ? at + 1 : NULL;
}

/* Every element is closed in its turn, nothing else looks like one, no element that could run or load. */
static int is_well_formed(const char *page)
{
    char open[DEEP][16];
    size_t depth = 0;
    const char *at = page;
    if (strncmp(at, "<!DOCTYPE html>\n", 16) != 0)
        return 0;
    for (at = strchr(at + 1, '<'); at; at = strchr(at, '<')) {
        int closing = at[1] == '/';
        size_t len = strspn(at + 1 + closing, "abcdefghijklmnopqrstuvwxyz0123456789");
        char name[16] = "";
        if (!len || len >= sizeof name)
            return 0;
        memcpy(name, at + 1 + closing, len);
        at += 1 + (size_t)closing + len;
        if (strcmp(name, "script") == 0 || strcmp(name, "img") == 0 || strcmp(name, "link") == 0)
            return 0;
        if (closing) {
            if (*at != '>' || !depth || strcmp(open[--depth], name) != 0)
                return 0;
        } else {
            at = past_attributes(at);
            if (!at || depth == DEEP)
                return 0;
            if (!is_empty(name))
                memcpy(open[depth++], name, sizeof name);
        }
    }
    return depth == 0;
}

/* NULL where none could be made. */
static char *page_of(const json_t *run, enum cli_language language)
{
    char *text = json_dumps(run, 0), *out = NULL;
    tally_error error;
    CU_ASSERT_FATAL(text != NULL);
    if (cli_report_make(text, "tally/ledger/0123456789abcdef", language, MADE, &out, &error))
        out = NULL;
    free(text);
    return out;
}

static char *sample_page(enum sample which, enum cli_language language)
{
    json_t *run = sample_run(which);
    char *out = page_of(run, language);
    json_decref(run);
    CU_ASSERT_FATAL(out != NULL);
    return out;
}

/* ---- Tests ---- */

static void test_texts(void)
{
    for (int t = 0; t < CLI_TEXTS; t++) {
        const char *first = cli_report_text((enum cli_text)t, CLI_ENGLISH);
        for (int l = 0; l < CLI_LANGUAGES; l++) {
            const char *text = cli_report_text((enum cli_text)t, (enum cli_language)l);
            CU_ASSERT_FATAL(text != NULL && *text);
            for (char mark[] = "{1}"; mark[1] <= '9'; mark[1]++)
                CU_ASSERT((strstr(text, mark) != NULL) == (strstr(first, mark) != NULL));
            for (const char *open = text; (open = strchr(open, '{')) != NULL; open++)
                CU_ASSERT(open[1] >= '1' && open[1] <= '0' + TEXT_ARGS && open[2] == '}');
        }
    }
}

static void test_escape(void)
{
    static const struct {
        const char *text, *html;
    } cases[] = {{"a<b>&\"'", "a&lt;b&gt;&amp;&quot;&#39;"},
                 {"\xe2\x80\xae"
                  "x",
                  "\xef\xbf\xbdx"}, /* RLO */
                 {"\x1b[2J\x7f", "\xef\xbf\xbd[2J\xef\xbf\xbd"},
                 {"a\n\tb\r", "a\n\tb\xef\xbf\xbd"},
                 {"\xc0\xaf\xff", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
                 {"\xe4\xb8\xad", "\xe4\xb8\xad"},
                 {"\xe4\xb8", "\xef\xbf\xbd\xef\xbf\xbd"},
                 {"\xe2\x80\x8b\xef\xbb\xbf", "\xef\xbf\xbd\xef\xbf\xbd"}}; /* zero width, byte order mark */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *got = NULL;
        size_t size;
        FILE *out = open_memstream(&got, &size);
        cli_html_escape(out, cases[i].text);
        fclose(out);
        CU_ASSERT_STRING_EQUAL(got, cases[i].html);
        free(got);
    }
}

static void keep(const char *folder, enum sample which, enum cli_language language, const char *page)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s-%s.html", folder, sample_names[which], language ? "zh" : "en");
    FILE *out = fopen(path, "w");
    CU_ASSERT_FATAL(out != NULL);
    fputs(page, out);
    CU_ASSERT(fclose(out) == 0);
}

static void test_samples(void)
{
    const char *folder = getenv("TALLY_PAGES");
    for (int s = 0; s < SAMPLES; s++)
        for (int l = 0; l < CLI_LANGUAGES; l++) {
            char *page = sample_page((enum sample)s, (enum cli_language)l);
            CU_ASSERT(is_well_formed(page));
            CU_ASSERT(!strstr(page, "http:") && !strstr(page, "https:") && !strstr(page, "url("));
            CU_ASSERT(!strchr(strstr(page, "</style>"), '{'));
            CU_ASSERT(!strstr(page, "(null)"));
            if (folder)
                keep(folder, (enum sample)s, (enum cli_language)l, page);
            free(page);
        }
}

/* What a sample has to say, in English, or must not. */
static void test_says(void)
{
    static const struct {
        enum sample which;
        int says;
        const char *text;
    } cases[] = {{SAMPLE_MATCH, 1, "was completed on"},
                 {SAMPLE_MATCH, 1, "4,127"},
                 {SAMPLE_MATCH, 1, "Enforcement Act, section 7"},
                 {SAMPLE_MATCH, 1, "signed, the signature holds"},
                 {SAMPLE_MATCH, 1, "tally/1 receipt\nsession: 000"},
                 {SAMPLE_MATCH, 1, "fits the key that the agreement names"},
                 {SAMPLE_MATCH, 1, "verify --signatures --key sha256:FINGERPRINT\n"},
                 {SAMPLE_MATCH, 1, "checkpoint.txt --key sha256:FINGERPRINT<"},
                 {SAMPLE_MATCH, 1, "base-uri 'none'; form-action 'none'"},
                 {SAMPLE_MATCH, 1, "of the ledger <bdi>tally/ledger/0123456789abcdef</bdi>"},
                 {SAMPLE_MATCH, 1, "-signing-key is the public key itself"},
                 {SAMPLE_MATCH, 1, "left out for want of consent: <bdi>12</bdi>"},
                 {SAMPLE_MATCH, 0, "than the agreed share"},
                 {SAMPLE_MATCH, 0, "not known"},
                 {SAMPLE_MATCH, 0, "does not hold"},
                 {SAMPLE_MATCH, 0, "Trial"},
                 {SAMPLE_MATCH, 0, "nothing else"},
                 {SAMPLE_MATCH, 0, "class=\"banner"},
                 {SAMPLE_SENDER, 1, "This side was not told the result"},
                 {SAMPLE_SENDER, 0, "4,127"},
                 {SAMPLE_SENDER, 1, "left out for want of consent: <bdi>70</bdi>"},
                 {SAMPLE_TRIAL, 1, "Trial: no agreement"},
                 {SAMPLE_TRIAL, 1, "<bdi>Example Agency</bdi> did not record this run"},
                 {SAMPLE_TRIAL, 1, "Neither side signed it"},
                 {SAMPLE_TRIAL, 1, "<bdi>Example Agency</bdi>"},
                 {SAMPLE_TRIAL, 1, "nothing else"},
                 {SAMPLE_FAILED, 1, "It counts as disclosed"},
                 {SAMPLE_FAILED, 1, "the peer ended the run: it could not go on"},
                 {SAMPLE_FAILED, 1, "There is none: the run ended"},
                 {SAMPLE_INCOMPLETE, 1, "No end of it is recorded"},
                 {SAMPLE_INCOMPLETE, 1, "It counts as disclosed"},
                 {SAMPLE_REFUSED, 1, "It does not count as disclosed"},
                 {SAMPLE_REFUSED, 1, "Neither side learned anything of the result"},
                 {SAMPLE_SUM, 1, "1231925.46"},
                 {SAMPLE_SUM, 1, "5000</bdi> to below"},
                 {SAMPLE_SUM, 1, "epsilon <bdi>0.5</bdi>"},
                 {SAMPLE_COUNT, 1, "More matches than agreed"},
                 {SAMPLE_COUNT, 1, "than the agreed share: <bdi>yes</bdi>"},
                 {SAMPLE_SIGNATURE, 1, "A signature under the receipt does not hold"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *page = sample_page(cases[i].which, CLI_ENGLISH);
        int says = strstr(page, cases[i].text) != NULL;
        if (says != cases[i].says)
            fprintf(stderr, "%s: %s\n", sample_names[cases[i].which], cases[i].text);
        CU_ASSERT(says == cases[i].says);
        free(page);
    }
}

/* Refused before it was known which side this is, or by an agreement that does not have it. */
static void test_unknown_side(void)
{
    static const char *const unknown[] = {"not known", "\xe6\x9c\xaa\xe7\x9f\xa5"};
    for (int l = 0; l < CLI_LANGUAGES; l++) {
        json_t *run = sample_run(SAMPLE_REFUSED), *body = json_object_get(run, "refused"),
               *peer = json_object_get(body, "peer");
        json_object_set_new(body, "role", json_string(""));
        char *page = page_of(run, (enum cli_language)l);
        CU_ASSERT_FATAL(page != NULL);
        CU_ASSERT(strstr(page, unknown[l]) && strstr(page, "Example Agency"));
        CU_ASSERT(is_well_formed(page) && !strstr(page, " asked which identifiers"));
        free(page);
        json_object_set_new(body, "organisation", json_string(""));
        json_object_set_new(peer, "organisation", json_string(""));
        json_object_set_new(peer, "subject", json_string(""));
        page = page_of(run, (enum cli_language)l);
        CU_ASSERT_FATAL(page != NULL);
        const char *row = strstr(page, cli_report_text(CLI_TEXT_R_ORGANISATION, (enum cli_language)l));
        CU_ASSERT_FATAL(row != NULL);
        const char *cell = strstr(row, unknown[l]);
        CU_ASSERT(cell && cell < strstr(row, "</tr>"));
        free(page);
        json_decref(run);
    }
}

/* The signatures fit a key; whose it is, only the agreement of the run says. */
static void test_whose_key(void)
{
    json_t *run = sample_run(SAMPLE_MATCH), *other = sample_run(SAMPLE_COUNT);
    const char *text = json_string_value(json_object_get(json_object_get(other, "agreement"), "text"));
    json_object_set_new(json_object_get(run, "agreement"), "text", json_string(text));
    for (int round = 0; round < 2; round++) {
        char *page = page_of(run, CLI_ENGLISH);
        CU_ASSERT_FATAL(page != NULL);
        CU_ASSERT(strstr(page, "fits the key named in the receipt") != NULL);
        CU_ASSERT(!strstr(page, "fits the key that the agreement names"));
        free(page);
        json_object_set_new(run, "agreement", json_null());
    }
    json_decref(other);
    json_decref(run);
}

/* Both sides are told the share, and that nothing is above it; the sender how many rows had no consent. */
static void test_share_and_consent(void)
{
    static const char *const says[CLI_LANGUAGES][2] = {
        {"than the agreed share: <bdi>no</bdi>", "for want of consent: <bdi>12</bdi>"},
        {"\xe8\xb6\x85\xe8\xbf\x87\xe7\xba\xa6\xe5\xae\x9a\xe4\xb8\x8a\xe9\x99\x90\xef\xbc\x9a<bdi>"
         "\xe5\x90\xa6</bdi>",
         "\xe6\xaf\x94\xe5\xaf\xb9\xe7\x9a\x84\xe8\xa1\x8c\xe6\x95\xb0\xef\xbc\x9a<bdi>12</bdi>"}};
    json_t *run = sample_run(SAMPLE_MATCH);
    json_object_set_new(json_object_get(run, "outcome"), "share_exceeded", json_false());
    for (int l = 0; l < CLI_LANGUAGES; l++) {
        char *page = page_of(run, (enum cli_language)l);
        CU_ASSERT_FATAL(page != NULL);
        const char *first = strstr(page, says[l][0]), *consent = strstr(page, says[l][1]);
        CU_ASSERT(first && strstr(first + 1, says[l][0]));
        CU_ASSERT(consent && !strstr(consent + 1, says[l][1]) && consent > first);
        free(page);
    }
    json_decref(run);
}

#define HOSTILE "\"><script>alert(1)</script><a href='x' \xe2\x80\xae &lt;"

/* Every text in it, names of fields aside. role, function and the like may then be none that we know. */
static void make_hostile(json_t *j, int percent)
{
    const char *key;
    void *next;
    json_t *value;
    size_t i;
    json_object_foreach_safe(j, next, key, value)
    {
        if (json_is_string(value) && unit_below(100) < (uint32_t)percent)
            json_object_set_new(j, key, json_string(HOSTILE));
        else
            make_hostile(value, percent);
    }
    json_array_foreach(j, i, value)
    {
        if (json_is_string(value) && unit_below(100) < (uint32_t)percent)
            json_array_set_new(j, i, json_string(HOSTILE));
        else
            make_hostile(value, percent);
    }
}

static void look_at(const json_t *run)
{
    for (int l = 0; l < CLI_LANGUAGES; l++) {
        char *page = page_of(run, (enum cli_language)l);
        if (!page)
            continue;
        CU_ASSERT(is_well_formed(page));
        CU_ASSERT(!strstr(page, "<script") && !strstr(page, "<a ") && !strstr(page, "\xe2\x80\xae"));
        free(page);
    }
}

static void test_hostile(void)
{
    for (int s = 0; s < SAMPLES; s++)
        for (int round = 0; round < 6; round++) {
            json_t *run = sample_run((enum sample)s);
            make_hostile(run, round ? 50 : 100);
            char *page = page_of(run, CLI_ENGLISH);
            CU_ASSERT(page && strstr(page, "&lt;script&gt;alert(1)"));
            free(page);
            look_at(run);
            json_decref(run);
        }
}

/* Takes fields away, or puts another type or number in their place. */
static void damage(json_t *j, unsigned percent)
{
    const char *key;
    void *next;
    json_t *value;
    size_t i;
    json_object_foreach_safe(j, next, key, value)
    {
        json_t *other[] = {
            NULL,        json_null(),     json_integer(-5), json_integer(INT64_MAX), json_real(1e300),
            json_true(), json_string(""), json_array(),     json_object(),           json_pack("[[{}], 1]")};
        size_t n = sizeof other / sizeof *other, pick = unit_below((uint32_t)n);
        if (unit_below(100) >= percent)
            damage(value, percent);
        else if (pick)
            json_object_set(j, key, other[pick]);
        else
            json_object_del(j, key);
        for (i = 0; i < n; i++)
            json_decref(other[i]);
    }
    json_array_foreach(j, i, value) damage(value, percent);
}

static void test_missing(void)
{
    for (int s = 0; s < SAMPLES; s++)
        for (unsigned round = 0; round < 120; round++) {
            json_t *run = sample_run((enum sample)s);
            damage(run, 1 + round / 2);
            look_at(run);
            json_decref(run);
        }
}

static void test_nothing(void)
{
    static const char *const texts[] = {
        "", "{}", "[]", "null", "{\"intent\": 1}", "{\"n\": 1, \"outcome\": {}}", "{"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *out = NULL;
        tally_error error = {.hint = ""};
        CU_ASSERT_EQUAL(cli_report_make(texts[i], "", CLI_ENGLISH, MADE, &out, &error), TALLY_ERR_FILE);
        CU_ASSERT(!out && error.message[0] && error.hint[0]);
    }
    json_t *run = json_pack("{s:{}}", "intent");
    look_at(run);
    json_decref(run);
}

static void test_numbers(void)
{
    static const struct {
        long long number;
        const char *text;
    } cases[] = {{0, "0"},
                 {999, "999"},
                 {1000, "1,000"},
                 {-1, "-1"},
                 {-999, "-999"},
                 {-1000, "-1,000"},
                 {1234567, "1,234,567"},
                 {INT64_MAX, "9,223,372,036,854,775,807"},
                 {INT64_MIN, "-9,223,372,036,854,775,808"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[32];
        cli_record_grouped(text, cases[i].number);
        CU_ASSERT_STRING_EQUAL(text, cases[i].text);
    }
    char text[32];
    cli_record_time(text, 1795688449);
    CU_ASSERT_STRING_EQUAL(text, "2026-11-26 10:20:49 UTC");
    cli_record_time(text, INT64_MAX);
    CU_ASSERT_STRING_EQUAL(text, "unknown");
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"texts", test_texts},
                                      {"escape", test_escape},
                                      {"samples", test_samples},
                                      {"says", test_says},
                                      {"unknown-side", test_unknown_side},
                                      {"whose-key", test_whose_key},
                                      {"share-and-consent", test_share_and_consent},
                                      {"hostile", test_hostile},
                                      {"missing", test_missing},
                                      {"nothing", test_nothing},
                                      {"numbers", test_numbers}};
    return unit_main(argc, argv, "report", tests, sizeof tests / sizeof *tests);
}
