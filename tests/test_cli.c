/* SPDX-License-Identifier: Apache-2.0 */
/* The command line's parts that need no peer. The command is no library, so its files are included. */
#include "tests/unit.h"

#include "cli/exit.h"
#include "cli/file.c"
#include "cli/home.c"
#include "cli/log.c"
#include "cli/message.c"
#include "cli/options.c"
#include "cli/passphrase.c"
#include "cli/progress.c"

#include <dirent.h>

enum { INPUT, KEY, FORCE, VERBOSE, IDENTITY, INPUTS };
static const cli_option table[INPUTS] = {
    [INPUT] = {.name = "input", .letter = 'i', .takes_value = 1},
    [KEY] = {.name = "key", .takes_value = 1, .repeats = 1},
    [FORCE] = {.name = "force"},
    [VERBOSE] = {.name = "verbose", .letter = 'v'},
    [IDENTITY] = {.name = "identity", .takes_value = 1},
};

static tally_error error;

static char **words(const char *w0, const char *w1, const char *w2, const char *w3)
{
    static char text[4][64], *argv[5];
    const char *w[4] = {w0, w1, w2, w3};
    size_t n = 0;
    for (; n < 4 && w[n]; n++) {
        snprintf(text[n], sizeof text[n], "%s", w[n]);
        argv[n] = text[n];
    }
    argv[n] = NULL;
    return argv;
}

/* ---- Options ---- */

static void test_long_and_short(void)
{
    static const char *const forms[][2] = {
        {"--input", "a.csv"}, {"--input=a.csv", NULL}, {"-i", "a.csv"}, {"-ia.csv", NULL}};
    for (size_t i = 0; i < 4; i++) {
        cli_args args;
        const char *value = NULL;
        cli_args_init(&args, table, INPUTS, words("-vv", forms[i][0], forms[i][1], NULL));
        CU_ASSERT_EQUAL(cli_args_next(&args, &value, &error), VERBOSE);
        CU_ASSERT_EQUAL(cli_args_next(&args, &value, &error), VERBOSE);
        CU_ASSERT_EQUAL(cli_args_next(&args, &value, &error), INPUT);
        CU_ASSERT_STRING_EQUAL(value, "a.csv");
        CU_ASSERT_EQUAL(cli_args_next(&args, &value, &error), CLI_END);
        CU_ASSERT(cli_args_seen(&args, INPUT) && cli_args_seen(&args, VERBOSE) &&
                  !cli_args_seen(&args, FORCE));
    }
}

static void test_cluster(void)
{
    cli_args args;
    const char *value = NULL;
    cli_args_init(&args, table, INPUTS, words("-vi", "x", NULL, NULL));
    CU_ASSERT_EQUAL(cli_args_next(&args, &value, &error), VERBOSE);
    CU_ASSERT_EQUAL(cli_args_next(&args, &value, &error), INPUT);
    CU_ASSERT_STRING_EQUAL(value, "x");
    cli_args_init(&args, table, INPUTS, words("-vz", NULL, NULL, NULL));
    CU_ASSERT_EQUAL(cli_args_next(&args, &value, &error), VERBOSE);
    CU_ASSERT_EQUAL(cli_args_next(&args, &value, &error), CLI_BAD);
    CU_ASSERT_STRING_EQUAL(error.message, "unknown option -z");
}

static void test_words(void)
{
    cli_args args;
    const char *value = NULL;
    cli_args_init(&args, table, INPUTS, words("-", "--input=-", "--", "--force"));
    CU_ASSERT_EQUAL(cli_args_next(&args, &value, &error), CLI_WORD);
    CU_ASSERT_STRING_EQUAL(value, "-");
    CU_ASSERT_EQUAL(cli_args_next(&args, &value, &error), INPUT);
    CU_ASSERT_STRING_EQUAL(value, "-");
    CU_ASSERT_EQUAL(cli_args_next(&args, &value, &error), CLI_WORD);
    CU_ASSERT_STRING_EQUAL(value, "--force");
    CU_ASSERT_EQUAL(cli_args_next(&args, &value, &error), CLI_END);
    CU_ASSERT(!cli_args_seen(&args, FORCE));
    cli_args_init(&args, table, INPUTS, words("--", NULL, NULL, NULL));
    CU_ASSERT_EQUAL(cli_args_next(&args, &value, &error), CLI_END);
}

static void test_repeating(void)
{
    cli_args args;
    const char *value = NULL;
    cli_args_init(&args, table, INPUTS, words("--key", "a", "--key=b,c", NULL));
    CU_ASSERT_EQUAL(cli_args_next(&args, &value, &error), KEY);
    CU_ASSERT_EQUAL(cli_args_next(&args, &value, &error), KEY);
    CU_ASSERT_STRING_EQUAL(value, "b,c");
    cli_args_init(&args, table, INPUTS, words("-i", "a", "--input", "b"));
    CU_ASSERT_EQUAL(cli_args_next(&args, &value, &error), INPUT);
    CU_ASSERT_EQUAL(cli_args_next(&args, &value, &error), CLI_BAD);
    CU_ASSERT_STRING_EQUAL(error.message, "--input was given twice");
}

/* Arguments, the message, the hint (NULL: not looked at). */
static void test_misuse(void)
{
    static const struct {
        const char *a, *b, *message, *hint;
    } cases[] = {
        {"--inptu", NULL, "unknown option --inptu", "did you mean --input?"},
        {"--inp=x", NULL, "unknown option --inp", "did you mean --input?"},
        {"--identify", "x", "unknown option --identify", "did you mean --identity?"},
        {"--zzzzzzzz", NULL, "unknown option --zzzzzzzz", "--help lists the options"},
        {"--input", NULL, "--input needs a value", NULL},
        {"--input=", NULL, "--input needs a value", NULL},
        {"--input", "--force", "--input needs a value", "write --input VALUE or --input=VALUE"},
        {"-i", NULL, "--input needs a value", NULL},
        {"--force=1", NULL, "--force takes no value", NULL},
        {"--in\aput", NULL, "unknown option --in?put", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cli_args args;
        const char *value = NULL;
        cli_args_init(&args, table, INPUTS, words(cases[i].a, cases[i].b, NULL, NULL));
        CU_ASSERT_EQUAL(cli_args_next(&args, &value, &error), CLI_BAD);
        CU_ASSERT_EQUAL(error.status, TALLY_ERR_USAGE);
        CU_ASSERT_STRING_EQUAL(error.message, cases[i].message);
        if (cases[i].hint)
            CU_ASSERT_STRING_EQUAL(error.hint, cases[i].hint);
    }
}

static void test_nearest(void)
{
    static const char *const names[] = {"connect", "columns", "role", "rejects", "max-rejects", NULL};
    static const char *const pairs[][2] = {{"conect", "connect"}, {"column", "columns"},
                                           {"co", "connect"},     {"rol", "role"},
                                           {"reject", "rejects"}, {"maxrejects", "max-rejects"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const char *near = cli_nearest(pairs[i][0], names);
        CU_ASSERT(near && strcmp(near, pairs[i][1]) == 0);
    }
    CU_ASSERT_PTR_NULL(cli_nearest("zebra", names));
    CU_ASSERT_PTR_NULL(cli_nearest("", names));
    CU_ASSERT_PTR_NULL(cli_nearest("x", names));
    CU_ASSERT_PTR_NULL(cli_nearest("a-word-that-is-longer-than-any-option-can-be", names));
    CU_ASSERT_EQUAL(distance("kitten", "sitting"), 3);
    CU_ASSERT_EQUAL(distance("", "abc"), 3);
    CU_ASSERT_EQUAL(distance("role", "role"), 0);
}

/* ---- Values ---- */

static void test_duration(void)
{
    static const struct {
        const char *text;
        unsigned seconds;
    } good[] = {{"1", 1},     {"90", 90},     {"90s", 90},      {"10m", 600},
                {"2h", 7200}, {"24h", 86400}, {"1440m", 86400}, {"86400", 86400}};
    static const char *const bad[] = {"",
                                      "0",
                                      "0m",
                                      "-5s",
                                      "+5",
                                      " 5",
                                      "5 ",
                                      "5d",
                                      "m",
                                      "1.5h",
                                      "25h",
                                      "86401",
                                      "10ms",
                                      "1441m",
                                      "5ss",
                                      "soon",
                                      "99999999999999999999"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        unsigned seconds = 0;
        CU_ASSERT_EQUAL(cli_parse_duration("--timeout", good[i].text, &seconds, &error), TALLY_OK);
        CU_ASSERT_EQUAL(seconds, good[i].seconds);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        unsigned seconds = 77;
        CU_ASSERT_EQUAL(cli_parse_duration("--timeout", bad[i], &seconds, &error), TALLY_ERR_USAGE);
        CU_ASSERT_EQUAL(seconds, 77);
        CU_ASSERT(strncmp(error.message, "--timeout: ", 11) == 0 && error.hint[0]);
    }
}

static void test_count(void)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"0", 0},
                {"250", 250},
                {"10k", 10000},
                {"10K", 10000},
                {"10M", 10000000},
                {"1G", 1000000000},
                {"2^20", 1048576},
                {"2^0", 1},
                {"2^63", (uint64_t)1 << 63},
                {"18446744073709551615", UINT64_MAX},
                {"18446744073M", UINT64_C(18446744073000000)}};
    static const char *const bad[] = {"",
                                      "-1",
                                      "1.5",
                                      "10m",
                                      "M",
                                      "1kk",
                                      "2^",
                                      "2^64",
                                      "3^2",
                                      "1 0",
                                      "0x10",
                                      "2^1M",
                                      "18446744073709551616",
                                      "18446744074G"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t value = 77;
        CU_ASSERT_EQUAL(cli_parse_count("--n", good[i].text, 0, UINT64_MAX, &value, &error), TALLY_OK);
        CU_ASSERT_EQUAL(value, good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t value = 77;
        CU_ASSERT_EQUAL(cli_parse_count("--n", bad[i], 0, UINT64_MAX, &value, &error), TALLY_ERR_USAGE);
        CU_ASSERT_EQUAL(value, 77);
    }
    uint64_t value = 77;
    CU_ASSERT_EQUAL(cli_parse_count("--threads", "256", 1, 256, &value, &error), TALLY_OK);
    CU_ASSERT_EQUAL(value, 256);
    CU_ASSERT_EQUAL(cli_parse_count("--threads", "0", 1, 256, &value, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(cli_parse_count("--threads", "257", 1, 256, &value, &error), TALLY_ERR_USAGE);
    CU_ASSERT_STRING_EQUAL(error.message, "--threads: 257 is not between 1 and 256");
}

static void test_limit(void)
{
    static const struct {
        const char *text;
        uint64_t rows, ppm;
    } good[] = {{"1%", UINT64_MAX, 10000}, {"0.25%", UINT64_MAX, 2500},   {"0.0001%", UINT64_MAX, 1},
                {"0%", UINT64_MAX, 0},     {"100%", UINT64_MAX, 1000000}, {"100.0%", UINT64_MAX, 1000000},
                {"0", 0, UINT64_MAX},      {"10k", 10000, UINT64_MAX}};
    static const char *const bad[] = {"",         "%",   "101%", "100.1%", "1.%", ".5%",
                                      "0.00001%", "-1%", "1%%",  "many",   "1.5"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t rows = 77, ppm = 77;
        CU_ASSERT_EQUAL(cli_parse_limit("--max-rejects", good[i].text, &rows, &ppm, &error), TALLY_OK);
        CU_ASSERT_EQUAL(rows, good[i].rows);
        CU_ASSERT_EQUAL(ppm, good[i].ppm);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t rows = 77, ppm = 77;
        CU_ASSERT_EQUAL(cli_parse_limit("--max-rejects", bad[i], &rows, &ppm, &error), TALLY_ERR_USAGE);
        CU_ASSERT(rows == 77 && ppm == 77);
    }
}

static void test_delimiter(void)
{
    char c = 0;
    CU_ASSERT_EQUAL(cli_parse_delimiter("--delimiter", ";", &c, &error), TALLY_OK);
    CU_ASSERT_EQUAL(c, ';');
    CU_ASSERT_EQUAL(cli_parse_delimiter("--delimiter", "tab", &c, &error), TALLY_OK);
    CU_ASSERT_EQUAL(c, '\t');
    CU_ASSERT_EQUAL(cli_parse_delimiter("--delimiter", "\t", &c, &error), TALLY_OK);
    c = 'u';
    CU_ASSERT_EQUAL(cli_parse_delimiter("--delimiter", "ab", &c, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(cli_parse_delimiter("--delimiter", "\xef\xbc\x8c", &c, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(c, 'u');
}

static void test_choice(void)
{
    static const char *const three[] = {"ecdh", "auto", "other", NULL};
    int i = 9;
    CU_ASSERT_EQUAL(cli_parse_choice("--protocol", "auto", three, &i, &error), TALLY_OK);
    CU_ASSERT_EQUAL(i, 1);
    CU_ASSERT_EQUAL(cli_parse_choice("--protocol", "au", three, &i, &error), TALLY_ERR_USAGE);
    CU_ASSERT_STRING_EQUAL(error.message, "--protocol is ecdh, auto or other, not \"au\"");
    CU_ASSERT_EQUAL(i, 1);
}

static void test_key(void)
{
    static const struct {
        const char *text, *column, *profile;
    } good[] = {{"id", "id", NULL},
                {"id:exact", "id", "exact"},
                {"2:cn-resident-id", "2", "cn-resident-id"},
                {"a:b:exact", "a:b", "exact"},
                {"a:", "a:", NULL},
                {"a::exact", "a:", "exact"},
                {"tel:phone-e164+86", "tel", "phone-e164+86"},
                {"\xe8\xaf\x81\xe4\xbb\xb6\xe5\x8f\xb7", "\xe8\xaf\x81\xe4\xbb\xb6\xe5\x8f\xb7", NULL}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char *column = NULL;
        const char *profile = "unset";
        CU_ASSERT_EQUAL(cli_split_key(good[i].text, &column, &profile, &error), TALLY_OK);
        CU_ASSERT(column && strcmp(column, good[i].column) == 0);
        CU_ASSERT(good[i].profile ? profile && strcmp(profile, good[i].profile) == 0 : !profile);
        free(column);
    }
    char *column = NULL;
    const char *profile = NULL;
    CU_ASSERT_EQUAL(cli_split_key(":exact", &column, &profile, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(cli_split_key("", &column, &profile, &error), TALLY_ERR_USAGE);
    CU_ASSERT_PTR_NULL(column);
}

/* ---- Home ---- */

static void test_places(void)
{
    cli_places p;
    CU_ASSERT_EQUAL(cli_places_from(&p, "/srv/t", "/home/u", "/etc/tally", &error), TALLY_OK);
    CU_ASSERT(strcmp(p.home, "/srv/t") == 0 && !p.system);
    cli_places_free(&p);
    CU_ASSERT_EQUAL(cli_places_from(&p, "", "/home/u", "/etc/tally", &error), TALLY_OK);
    CU_ASSERT(strcmp(p.home, "/home/u/.config/tally") == 0 && strcmp(p.system, "/etc/tally") == 0);
    cli_places_free(&p);
    CU_ASSERT_EQUAL(cli_places_from(&p, NULL, NULL, "/etc/tally", &error), TALLY_OK);
    CU_ASSERT(!p.home && strcmp(p.system, "/etc/tally") == 0);
    char *dir = NULL;
    CU_ASSERT_EQUAL(cli_identity_fresh(&p, "bank-id", &dir, &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NULL(dir);
    cli_places_free(&p);
}

static void expect_dir(const cli_places *p, const char *name, const char *parent)
{
    char *dir = NULL, want[200];
    snprintf(want, sizeof want, "%s%s%s", parent, *parent ? "/" : "", name);
    CU_ASSERT_EQUAL(cli_identity_existing(p, name, &dir, &error), TALLY_OK);
    CU_ASSERT(dir && strcmp(dir, want) == 0);
    free(dir);
}

static void make(const char *a, const char *b)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", a, b);
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
}

static void test_identity_existing(void)
{
    char home[120], etc[120], path[200];
    snprintf(home, sizeof home, "%s", unit_tmp());
    snprintf(etc, sizeof etc, "%s", unit_tmp());
    cli_places p = {.home = home, .system = etc};
    make(home, "mine"), make(home, "two"), make(etc, "two"), make(etc, "ours");
    expect_dir(&p, "mine", home);
    expect_dir(&p, "two", home);
    expect_dir(&p, "ours", etc);
    snprintf(path, sizeof path, "%s/ours", etc);
    expect_dir(&p, path, "");
    char *dir = NULL;
    CU_ASSERT_EQUAL(cli_identity_existing(&p, "theirs", &dir, &error), TALLY_ERR_FILE);
    CU_ASSERT(strstr(error.message, home) && strstr(error.message, etc) && strstr(error.message, "theirs"));
    CU_ASSERT_EQUAL(cli_identity_existing(&p, "./mine", &dir, &error), TALLY_ERR_FILE);
    static const char *const no_names[] = {"", ".", ".."};
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(cli_identity_existing(&p, no_names[i], &dir, &error), TALLY_ERR_USAGE);
    CU_ASSERT_PTR_NULL(dir);
}

static void test_identity_fresh(void)
{
    char user[120], want[240], home[200];
    struct stat st;
    snprintf(user, sizeof user, "%s", unit_tmp());
    snprintf(home, sizeof home, "%s/.config/tally", user);
    snprintf(want, sizeof want, "%s/bank-id", home);
    cli_places p;
    char *dir = NULL;
    CU_ASSERT_EQUAL(cli_places_from(&p, NULL, user, "/etc/tally", &error), TALLY_OK);
    for (int twice = 0; twice < 2; twice++) {
        CU_ASSERT_EQUAL(cli_identity_fresh(&p, "bank-id", &dir, &error), TALLY_OK);
        CU_ASSERT(dir && strcmp(dir, want) == 0);
        free(dir);
        dir = NULL;
    }
    CU_ASSERT(stat(home, &st) == 0 && (st.st_mode & 0777) == 0700);
    CU_ASSERT(stat(want, &st) != 0); /* that one is the library's to make */
    CU_ASSERT_EQUAL(cli_identity_fresh(&p, "./x/y", &dir, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(dir, "./x/y");
    free(dir);
    cli_places_free(&p);
}

/* ---- Files ---- */

static size_t files_in(const char *folder)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    for (const struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (d)
        closedir(d);
    return n;
}

static void test_file_check(void)
{
    char folder[120], path[200];
    snprintf(folder, sizeof folder, "%s", unit_tmp());
    snprintf(path, sizeof path, "%s/out.csv", folder);
    CU_ASSERT_EQUAL(cli_file_check("--output", path, 0, &error), TALLY_OK);
    CU_ASSERT_EQUAL(files_in(folder), 0);
    CU_ASSERT_EQUAL(cli_file_write(path, "{}", &error), TALLY_OK);
    CU_ASSERT_EQUAL(cli_file_check("--output", path, 0, &error), TALLY_ERR_FILE);
    CU_ASSERT(strstr(error.message, "--output: ") == error.message && strstr(error.hint, "--force"));
    CU_ASSERT_EQUAL(cli_file_check("--output", path, 1, &error), TALLY_OK);
    CU_ASSERT_EQUAL(cli_file_check("--output", folder, 1, &error), TALLY_ERR_FILE);
    CU_ASSERT_EQUAL(cli_file_check("--output", "/dev/null", 1, &error), TALLY_ERR_FILE);
    snprintf(path, sizeof path, "%s/missing/out.csv", folder);
    CU_ASSERT_EQUAL(cli_file_check("--output", path, 1, &error), TALLY_ERR_FILE);
    snprintf(path, sizeof path, "%s/missing/", folder);
    CU_ASSERT_EQUAL(cli_file_check("--output", path, 1, &error), TALLY_ERR_FILE);
    CU_ASSERT_EQUAL(files_in(folder), 1);
}

static void test_file_write(void)
{
    char folder[120], path[200], text[16] = "";
    struct stat st;
    snprintf(folder, sizeof folder, "%s", unit_tmp());
    snprintf(path, sizeof path, "%s/s.json", folder);
    for (int twice = 0; twice < 2; twice++) {
        CU_ASSERT_EQUAL(cli_file_write(path, twice ? "second" : "first", &error), TALLY_OK);
        FILE *f = fopen(path, "r");
        CU_ASSERT_PTR_NOT_NULL_FATAL(f);
        CU_ASSERT(fgets(text, sizeof text, f) && strcmp(text, twice ? "second\n" : "first\n") == 0);
        fclose(f);
        CU_ASSERT(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    }
    CU_ASSERT_EQUAL(files_in(folder), 1);
    snprintf(path, sizeof path, "%s/missing/s.json", folder);
    CU_ASSERT_EQUAL(cli_file_write(path, "x", &error), TALLY_ERR_FILE);
}

static void test_file_same(void)
{
    char folder[120], a[200], b[200], c[200];
    snprintf(folder, sizeof folder, "%s", unit_tmp());
    snprintf(a, sizeof a, "%s/a", folder);
    snprintf(b, sizeof b, "%s/./a", folder);
    snprintf(c, sizeof c, "%s/c", folder);
    CU_ASSERT(cli_file_same("x", "x"));
    CU_ASSERT(cli_file_same(a, b)); /* neither exists yet */
    CU_ASSERT(!cli_file_same(a, c));
    CU_ASSERT_EQUAL(cli_file_write(a, "", &error), TALLY_OK);
    CU_ASSERT(cli_file_same(a, b));
    CU_ASSERT(!cli_file_same(a, c));
    CU_ASSERT_EQUAL(symlink(a, c), 0);
    CU_ASSERT(cli_file_same(a, c));
}

/* ---- Progress, messages, exit status ---- */

static void test_render(void)
{
    char line[200];
    cli_progress_render(line, sizeof line, 120, "matching", 524288, 1048576, 4);
    CU_ASSERT_STRING_EQUAL(
        line, "matching  [##########..........]   50%  524288/1048576 rows  131.1k/s  0:04 left");
    cli_progress_render(line, sizeof line, 120, "reading", 1, 4, 10); /* bytes, so no figures of rows */
    CU_ASSERT_STRING_EQUAL(line, "reading   [#####...............]   25%  0:30 left");
    cli_progress_render(line, sizeof line, 120, "matching", 7, 5, 0); /* never above 100 % */
    CU_ASSERT_STRING_EQUAL(line, "matching  [####################]  100%  5/5 rows");
    cli_progress_render(line, sizeof line, 120, "matching", 1, 10000, 1);
    CU_ASSERT_STRING_EQUAL(line, "matching  [....................]    0%  1/10000 rows  1/s  2:46:39 left");
    cli_progress_render(line, sizeof line, 120, "writing", 0, 0, 9);
    CU_ASSERT_STRING_EQUAL(line, "writing ");
    for (unsigned width = 0; width < 100; width++) {
        cli_progress_render(line, sizeof line, width, "matching", UINT64_MAX / 2, UINT64_MAX, 1e9);
        CU_ASSERT(strlen(line) <= width);
    }
}

static void test_messages(void)
{
    tally_error e;
    CU_ASSERT_EQUAL(cli_fail(&e, TALLY_ERR_FILE, "a\nb %d", 7), TALLY_ERR_FILE);
    CU_ASSERT(e.status == TALLY_ERR_FILE && strcmp(e.message, "a?b 7") == 0 && !e.hint[0]);
    cli_prefix(&e, "--peer");
    CU_ASSERT_STRING_EQUAL(e.message, "--peer: a?b 7");
    memset(e.message, 'm', sizeof e.message - 1);
    e.message[sizeof e.message - 1] = 0;
    cli_prefix(&e, "--peer");
    CU_ASSERT(strlen(e.message) == sizeof e.message - 1 && strncmp(e.message, "--peer: mmm", 11) == 0);
    cli_hint(&e, "try %s", "it\x1b[2J");
    CU_ASSERT_STRING_EQUAL(e.hint, "try it?[2J");
}

static void test_exit_status(void)
{
    static const struct {
        tally_status status;
        enum cli_exit exit;
    } pairs[] = {{TALLY_OK, CLI_EXIT_OK},
                 {TALLY_ERR_USAGE, CLI_EXIT_USAGE},
                 {TALLY_ERR_INCOMPATIBLE, CLI_EXIT_INCOMPATIBLE},
                 {TALLY_ERR_INPUT, CLI_EXIT_INPUT},
                 {TALLY_ERR_INPUT_CHANGED, CLI_EXIT_INPUT},
                 {TALLY_ERR_POLICY, CLI_EXIT_POLICY},
                 {TALLY_ERR_AUTH, CLI_EXIT_AUTH},
                 {TALLY_ERR_NETWORK, CLI_EXIT_NETWORK},
                 {TALLY_ERR_TIMEOUT, CLI_EXIT_NETWORK},
                 {TALLY_ERR_PEER_STOPPED, CLI_EXIT_NETWORK},
                 {TALLY_ERR_FILE, CLI_EXIT_FILE},
                 {TALLY_ERR_MALFORMED, CLI_EXIT_MALFORMED},
                 {TALLY_ERR_INTERRUPTED, CLI_EXIT_INTERRUPTED},
                 {TALLY_ERR_NO_MEMORY, CLI_EXIT_NO_MEMORY},
                 {TALLY_ERR_DIFFERS, CLI_EXIT_DIFFERS},
                 {TALLY_ERR_INTERNAL, CLI_EXIT_INTERNAL},
                 {TALLY_ERR_RANDOM, CLI_EXIT_INTERNAL}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        CU_ASSERT_EQUAL(tally_exit_status(pairs[i].status), (int)pairs[i].exit);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"long_and_short", test_long_and_short},
                                      {"cluster", test_cluster},
                                      {"words", test_words},
                                      {"repeating", test_repeating},
                                      {"misuse", test_misuse},
                                      {"nearest", test_nearest},
                                      {"duration", test_duration},
                                      {"count", test_count},
                                      {"limit", test_limit},
                                      {"delimiter", test_delimiter},
                                      {"choice", test_choice},
                                      {"key", test_key},
                                      {"places", test_places},
                                      {"identity_existing", test_identity_existing},
                                      {"identity_fresh", test_identity_fresh},
                                      {"file_check", test_file_check},
                                      {"file_write", test_file_write},
                                      {"file_same", test_file_same},
                                      {"render", test_render},
                                      {"messages", test_messages},
                                      {"exit_status", test_exit_status}};
    return unit_main(argc, argv, "cli", tests, sizeof tests / sizeof *tests);
}
