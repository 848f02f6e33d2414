/* SPDX-License-Identifier: Apache-2.0 */
/* Texts in another language: marks, errors in both, the catalogue, which language, widths. */
#include "tests/unit.h"

#include "cli/language.c"
#include "cli/message.c"

static const char *other(const char *text)
{
    static const char *const words[][2] = {{"cannot %s %s: %s", "%2$s / %1$s / %3$s"},
                                           {"open", "OPEN"},
                                           {"No such file or directory", "NONE"},
                                           {"out of memory for %s", "MEMORY %s"},
                                           {"a plain text", "EIN TEXT"},
                                           {"it is %s", "ES IST %s"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i][0], text) == 0)
            return words[i][1];
    return NULL;
}

static void test_both(void)
{
    tally_error e, copy;
    tally_set_translation(other);
    party_fail(&e, TALLY_ERR_FILE, "cannot %s %s: %s", PARTY_WORD("open"), "a.csv",
               party_system_text(ENOENT));
    CU_ASSERT_STRING_EQUAL(e.message, "cannot open a.csv: No such file or directory");
    CU_ASSERT_STRING_EQUAL(e.local_message, "a.csv / OPEN / NONE");
    CU_ASSERT_STRING_EQUAL(e.hint, "");
    party_hint(&e, PARTY_WHOLE, "a plain text");
    CU_ASSERT_STRING_EQUAL(e.hint, "a plain text");
    CU_ASSERT_STRING_EQUAL(e.local_hint, "EIN TEXT");
    copy = e;
    party_fail(&e, TALLY_ERR_INPUT, "it is %s", party_message_of(&copy));
    CU_ASSERT_STRING_EQUAL(e.message, "it is cannot open a.csv: No such file or directory");
    CU_ASSERT_STRING_EQUAL(e.local_message, "ES IST a.csv / OPEN / NONE");
    party_fail(&e, TALLY_ERR_INPUT, PARTY_WHOLE,
               party_message_of(&e)); /* its own message, and marked twice */
    CU_ASSERT_STRING_EQUAL(e.local_message, "ES IST a.csv / OPEN / NONE");
    party_no_memory(&e, "a list");
    CU_ASSERT_STRING_EQUAL(e.message, "out of memory for a list");
    CU_ASSERT_STRING_EQUAL(e.local_message, "MEMORY a list");
    char both[200];
    party_both(both, sizeof both, "it is %s", PARTY_WORD("open"));
    party_fail(&e, TALLY_ERR_INPUT, "%s, %s", both, both);
    CU_ASSERT_STRING_EQUAL(e.message, "it is open, it is open");
    CU_ASSERT_STRING_EQUAL(e.local_message, "ES IST OPEN, ES IST OPEN");
    tally_set_translation(NULL);
    party_fail(&e, TALLY_ERR_INPUT, "%s, %s", both, PARTY_WORD("open"));
    CU_ASSERT_STRING_EQUAL(e.message, "it is open, open");
    CU_ASSERT_STRING_EQUAL(e.local_message, "");
}

/* Marks that were cut, or that a name brings along, are no harm. */
static void test_marks(void)
{
    char out[64];
    tally_error e;
    const char *const texts[] = {"a\035",     "a\035b",   "a\035b\036",          "a\035b\036c",
                                 "\036\037a", "\037\037", "\035\035open\037\037"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        party_read_marks(out, sizeof out, 1, texts[i]);
        CU_ASSERT_PTR_NULL(strpbrk(out, "\035\036\037"));
        party_fail(&e, TALLY_ERR_INPUT, "%s", texts[i]);
        CU_ASSERT_PTR_NULL(strpbrk(e.message, "\035\036\037"));
    }
    party_read_marks(out, 4, 0, "\035abcdef\037");
    CU_ASSERT_STRING_EQUAL(out, "abc");
}

static void test_formats(void)
{
    static const struct {
        const char *text, *translation;
        int same;
    } all[] = {{"no conversion", "nothing", 1},
               {"%s of %u", "%2$u %1$s", 1},
               {"%s of %u", "%u %s", 0},
               {"%s", "%s %s", 0},
               {"%s", "", 0},
               {"%llu", "%lu", 0},
               {"%.*s", "%.*s", 1},
               {"%.*s", "%s", 0},
               {"%s", "%n", 0},
               {"%s%%", "%%%s", 1},
               {"%zu", "%1$zu", 1},
               {"%zu", "%9$zu", 0},
               {"%u", "%99999999999$u", 0},
               {"5% or more", "5% oder", 1},
               {"plain", "%s", 0},
               {"%s %s %s %s %s %s %s %s %s %s %s %s %s %s %s %s %s", "x", 1}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        CU_ASSERT_EQUAL(cli_format_same(all[i].text, all[i].translation), all[i].same);
}

static void test_names(void)
{
    static const struct {
        cli_locale from;
        const char *first, *second;
    } all[] = {{{NULL, NULL, NULL, NULL}, NULL, NULL},
               {{NULL, "zh_CN.UTF-8", "en_US.UTF-8", "de"}, "zh_CN", NULL},
               {{NULL, "", "zh_CN.utf8@x", "de"}, "zh_CN", NULL},
               {{NULL, NULL, NULL, "zh_CN"}, "zh_CN", NULL},
               {{NULL, NULL, NULL, "zh"}, "zh_CN", NULL},
               {{NULL, NULL, NULL, "zh_CN.GBK"}, NULL, NULL},
               {{"zh_CN", "C", NULL, NULL}, NULL, NULL},
               {{"zh_CN", "C.UTF-8", NULL, NULL}, NULL, NULL},
               {{"zh_CN", "POSIX", NULL, NULL}, NULL, NULL},
               {{"fr:zh_CN:en", "de_DE.UTF-8", NULL, NULL}, "fr", "zh_CN"},
               {{"../x:/etc:zh_CN", "de_DE.UTF-8", NULL, NULL}, "zh_CN", NULL},
               {{":::", "de_DE.UTF-8", NULL, NULL}, "de_DE", NULL},
               {{"averyveryverylongname", "de_DE.UTF-8", NULL, NULL}, "de_DE", NULL}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char names[2][16] = {"", ""};
        size_t n = cli_language_names(&all[i].from, names, 2);
        CU_ASSERT_EQUAL(n, (size_t)(all[i].first != NULL) + (all[i].second != NULL));
        CU_ASSERT_STRING_EQUAL(names[0], all[i].first ? all[i].first : "");
        CU_ASSERT_STRING_EQUAL(names[1], all[i].second ? all[i].second : "");
    }
}

static void put(uint8_t *at, uint32_t v)
{
    memcpy(at, &v, 4);
}

/* A catalogue of "a" -> "A" and "b %s" -> "B %s". */
static size_t build(uint8_t out[128])
{
    static const char *const texts[] = {"a", "b %s", "A", "B %s"};
    size_t at = 28 + 4 * 8;
    memset(out, 0, 128);
    put(out, 0x950412de);
    put(out + 8, 2);
    put(out + 12, 28);
    put(out + 16, 28 + 16);
    for (size_t i = 0; i < 4; i++) {
        put(out + 28 + 8 * i, (uint32_t)strlen(texts[i]));
        put(out + 28 + 8 * i + 4, (uint32_t)at);
        memcpy(out + at, texts[i], strlen(texts[i]) + 1);
        at += strlen(texts[i]) + 1;
    }
    return at;
}

static void look_up(const cli_catalogue *c)
{
    static const char *const texts[] = {"", "a", "b %s", "c", "aaaa"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *found = cli_catalogue_find(c, texts[i]);
        if (found)
            CU_ASSERT(strlen(found) < 128);
    }
}

static void test_catalogue(void)
{
    uint8_t good[128];
    cli_catalogue c;
    size_t size = build(good);
    CU_ASSERT_FATAL(cli_catalogue_read(&c, good, size));
    CU_ASSERT_STRING_EQUAL(cli_catalogue_find(&c, "a"), "A");
    CU_ASSERT_STRING_EQUAL(cli_catalogue_find(&c, "b %s"), "B %s");
    CU_ASSERT_PTR_NULL(cli_catalogue_find(&c, "c"));
    /* Any one byte changed to anything, and cut anywhere: in a block of its own, so that a sanitizer sees. */
    for (size_t i = 0; i < size; i++)
        for (unsigned v = 0; v < 256; v += 5) {
            uint8_t *bad = malloc(size);
            CU_ASSERT_FATAL(bad != NULL);
            memcpy(bad, good, size);
            bad[i] = (uint8_t)v;
            if (cli_catalogue_read(&c, bad, size))
                look_up(&c);
            free(bad);
        }
    for (size_t n = 0; n < size; n++) {
        uint8_t *bad = malloc(n + 1);
        CU_ASSERT_FATAL(bad != NULL);
        memcpy(bad, good, n);
        if (cli_catalogue_read(&c, bad, n))
            look_up(&c);
        free(bad);
    }
}

static void test_width(void)
{
    CU_ASSERT_EQUAL(party_width("bank"), 4);
    CU_ASSERT_EQUAL(party_width("示例银行"), 8);
    CU_ASSERT_EQUAL(party_width("Ｆｕｌｌ"), 8);
    CU_ASSERT_EQUAL(party_width("Cafe\xcc\x81"), 4); /* a combining accent */
    CU_ASSERT_EQUAL(party_width("\xff\xfe"), 2);
    CU_ASSERT_EQUAL(party_width(""), 0);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"both", test_both},           {"marks", test_marks},
                                      {"formats", test_formats},     {"names", test_names},
                                      {"catalogue", test_catalogue}, {"width", test_width}};
    return unit_main(argc, argv, "language", tests, sizeof tests / sizeof *tests);
}
