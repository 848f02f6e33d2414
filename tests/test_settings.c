/* SPDX-License-Identifier: Apache-2.0 */
/* settings.yaml: what is taken, what is refused and where, and whose word holds. */
#include "tests/unit.h"

#include "cli/message.c"
#include "cli/settings.c"
#include "cli/yaml.c"
#include "tests/support_input.h"

static tally_error error;
static const char *home_folder; /* of the last load_two */

/* Two folders of a test; NULL: no file there. */
static tally_status load_two(const char *system, const char *home, cli_settings *out)
{
    static char folders[2][256];
    const char *const text[2] = {system, home};
    for (int i = 0; i < 2; i++) {
        snprintf(folders[i], sizeof folders[i], "%s", unit_tmp());
        if (text[i])
            unit_write_text(unit_path(folders[i], "settings.yaml"), text[i]);
    }
    memset(&error, 0, sizeof error);
    home_folder = folders[1];
    const cli_places places = {.home = folders[1]};
    return cli_settings_load(out, &places, folders[0], &error);
}

static void test_taken(void)
{
    static const struct {
        const char *system, *home;
        int required, by_home;
        const char *ledger;
        int ledger_by_home;
    } rows[] = {
        {NULL, NULL, 0, 0, NULL, 0},
        {"", "", 0, 0, NULL, 0},
        {"# nothing\n", NULL, 0, 0, NULL, 0},
        {"{}\n", NULL, 0, 0, NULL, 0},
        {"require-agreement: true\n", NULL, 1, 0, NULL, 0},
        {"require-agreement: false\n", NULL, 0, 0, NULL, 0},
        {NULL, "require-agreement: true", 1, 1, NULL, 0},
        {"require-agreement: true\n", "require-agreement: false\n", 1, 0, NULL, 0},
        {"require-agreement: false\n", "require-agreement: true\n", 1, 1, NULL, 0},
        {"require-agreement: true # by the board\nledger: /a b/c.db\n", NULL, 1, 0, "/a b/c.db", 0},
        {"ledger: \"/a\"\n", "ledger: /b\n", 0, 0, "/a", 0},
        {"require-agreement: true\n", "ledger: '/b'\n", 1, 0, "/b", 1},
        {"---\nledger: /x\n...\n", NULL, 0, 0, "/x", 0},
        {"{require-agreement: true, ledger: /x}\n", NULL, 1, 0, "/x", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cli_settings s;
        CU_ASSERT_EQUAL_FATAL(load_two(rows[i].system, rows[i].home, &s), TALLY_OK);
        CU_ASSERT_EQUAL(s.require_agreement, rows[i].required);
        CU_ASSERT_EQUAL(!s.required_by, !rows[i].required);
        CU_ASSERT((s.ledger && rows[i].ledger) ? strcmp(s.ledger, rows[i].ledger) == 0
                                               : s.ledger == rows[i].ledger);
        CU_ASSERT_EQUAL(!s.ledger_by, !rows[i].ledger);
        cli_settings_free(&s);
        CU_ASSERT(!s.ledger && !s.required_by && !s.require_agreement);
    }
    /* Which of the two files it was. */
    cli_settings s;
    CU_ASSERT_EQUAL_FATAL(
        load_two("require-agreement: true\nledger: /a\n", "require-agreement: true\nledger: /b\n", &s),
        TALLY_OK);
    CU_ASSERT_EQUAL(strcmp(s.required_by, s.ledger_by), 0);
    cli_settings_free(&s);
    cli_places nowhere = {0};
    CU_ASSERT_EQUAL(cli_settings_load(&s, &nowhere, "/nowhere/at/all", &error), TALLY_OK);
    CU_ASSERT(!s.require_agreement && !s.ledger);
}

static void test_log(void)
{
    static const struct {
        const char *system, *home, *given, *log;
    } rows[] = {
        {NULL, NULL, NULL, NULL},
        {"log-file: /a.log\n", "log-file: /b.log\n", NULL, "/a.log"},
        {NULL, "ledger: /x\nlog-file: /b.log\n", NULL, "/b.log"},
        {"log-file: /a.log\n", NULL, "c.log", "c.log"},
        {NULL, NULL, "c.log", "c.log"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cli_settings s;
        char *path;
        CU_ASSERT_EQUAL_FATAL(load_two(rows[i].system, rows[i].home, &s), TALLY_OK);
        const char *want = rows[i].given ? NULL : rows[i].log;
        CU_ASSERT(want ? s.log_file && strcmp(s.log_file, want) == 0 : !s.log_file || rows[i].given);
        cli_settings_free(&s);
        CU_ASSERT(!s.log_file);
        const cli_places places = {.home = rows[i].system ? NULL : home_folder};
        if (rows[i].system && !rows[i].given)
            continue; /* the system's folder is /etc/tally there */
        CU_ASSERT_EQUAL_FATAL(cli_settings_log(&places, rows[i].given, &path, &error), TALLY_OK);
        CU_ASSERT(rows[i].log ? path && strcmp(path, rows[i].log) == 0 : !path);
        free(path);
    }
}

static void test_refused(void)
{
    static const struct {
        const char *text, *said;
    } rows[] = {
        {"require-agreements: true\n", ":1: unknown setting \"require-agreements\""},
        {"\n\nledgers: /a\n", ":3: unknown setting"},
        {"require-agreement: true\nrequire-agreement: true\n",
         ":2: require-agreement is given twice, first on line 1"},
        {"ledger: /a\nledger: /a\n", ":2: ledger is given twice"},
        {"require-agreement: yes\n", ":1: require-agreement is neither true nor false"},
        {"require-agreement: True\n", ":1: require-agreement is neither"},
        {"require-agreement: \"true\"\n", ":1: require-agreement is neither"},
        {"require-agreement: 1\n", ":1: require-agreement is neither"},
        {"require-agreement:\n", ":1: require-agreement is neither"},
        {"require-agreement: [true]\n", ":1: require-agreement has to be one value"},
        {"ledger: a/b\n", ":1: ledger is not a path that begins with /"},
        {"ledger: ~\n", ":1: ledger is not a path"},
        {"ledger:\n", ":1: ledger is not a path"},
        {"ledger: \"/a\\0b\"\n", ":1: ledger is not a path"},
        {"log-file: a.log\n", ":1: log-file is not a path that begins with /"},
        {"log-file: /a\nlog-file: /a\n", ":2: log-file is given twice"},
        {"ledger: {a: /b}\n", ":1: ledger has to be one value"},
        {"ledger: &x /a\n", ":1: anchors"},
        {"require-agreement: true\nledger: *x\n", ":2: anchors"},
        {"require-agreement: !!bool true\n", ":1: anchors"},
        {"--- &a\nrequire-agreement: true\n", ":1: anchors"},
        {"- require-agreement: true\n", ":1: settings are lines"},
        {"require-agreement\n", ":1: settings are lines"},
        {"? [a]\n: b\n", ":1: unknown setting"},
        {"ledger: /a\n---\nledger: /b\n", ":2: a second document"},
        {"{ledger: /a\n", ": not YAML"},
        {"ledger: \"/a\n", ": not YAML"},
        {"\tledger: /a\n", ": not YAML"},
        {"ledger: /\xff\n", ": not YAML"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int home = 0; home < 2; home++) {
            cli_settings s;
            tally_status st = load_two(home ? "ledger: /a\n" : rows[i].text, home ? rows[i].text : NULL, &s);
            CU_ASSERT_EQUAL(st, TALLY_ERR_USAGE);
            int good = strstr(error.message, "/settings.yaml:") && strstr(error.message, rows[i].said) &&
                       error.hint[0];
            CU_ASSERT(good);
            if (!good)
                fprintf(stderr, "'%s': %s\n", rows[i].text, error.message);
            CU_ASSERT(!s.ledger && !s.ledger_by && !s.required_by);
        }
}

static void test_files(void)
{
    cli_settings s;
    char *text = malloc(70000);
    memset(text, '#', 70000 - 1);
    text[70000 - 1] = 0;
    CU_ASSERT_EQUAL(load_two(text, NULL, &s), TALLY_ERR_USAGE);
    text[65536] = 0;
    CU_ASSERT_EQUAL(load_two(text, NULL, &s), TALLY_OK);
    free(text);
    /* What is there and cannot be read is no missing file. */
    char folder[256];
    const cli_places places = {0};
    unsigned open = unit_descriptors();
    snprintf(folder, sizeof folder, "%s", unit_tmp());
    CU_ASSERT_EQUAL(mkdir(unit_path(folder, "settings.yaml"), 0700), 0);
    CU_ASSERT_EQUAL(cli_settings_load(&s, &places, folder, &error), TALLY_ERR_FILE);
    CU_ASSERT(strstr(error.message, "settings.yaml") && error.hint[0]);
    CU_ASSERT_EQUAL(unit_descriptors(), open);
    snprintf(folder, sizeof folder, "%s", unit_tmp());
    CU_ASSERT_EQUAL(symlink("settings.yaml", unit_path(folder, "settings.yaml")), 0);
    CU_ASSERT_EQUAL(cli_settings_load(&s, &places, folder, &error), TALLY_ERR_FILE);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"taken", test_taken}, {"log", test_log}, {"refused", test_refused}, {"files", test_files}};
    return unit_main(argc, argv, "settings", tests, sizeof tests / sizeof *tests);
}
