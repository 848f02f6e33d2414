/* SPDX-License-Identifier: Apache-2.0 */
/* Calibrations: written and read again, every refusal of the file, lines to peers, and one real measurement.
 */
#include "party/calibration.h"

#include "tests/support_estimate.h"
#include "tests/support_input.h"
#include "tests/unit.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *made_path(const char *name)
{
    return unit_path(unit_tmp(), name);
}

/* With two lines to peers. */
static void with_lines(tally_calibration *c)
{
    estimate_calibration(c);
    for (unsigned i = 0; i < 2; i++) {
        party_line *l = &c->lines[c->line_count++];
        *l = (party_line){
            .sent_bits = 9e7 + i, .received_bits = 1e7, .round_trip = 0.03125, .measured = 1790000001 + i};
        snprintf(l->peer, sizeof l->peer, "sha256:%064u", i);
    }
}

static json_t *as_json(const tally_calibration *c)
{
    char *text = tally_calibration_json(c);
    json_t *j = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(j);
    free(text);
    return j;
}

static tally_status parse(const char *text, tally_calibration **out, tally_error *error)
{
    *error = (tally_error){.message = ""};
    *out = NULL;
    return party_calibration_parse("a file", text, strlen(text), out, error);
}

static void refused_text(const char *text, const char *what)
{
    tally_calibration *c;
    tally_error error;
    tally_status st = parse(text, &c, &error);
    CU_ASSERT_EQUAL(st, TALLY_ERR_INPUT);
    CU_ASSERT_PTR_NULL(c);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "a file is no calibration of this version"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.hint, "tally estimate --calibrate"));
    if (st != TALLY_ERR_INPUT)
        printf("  taken: %s\n", what);
    tally_calibration_free(c);
}

static void refused(const json_t *j, const char *what)
{
    char *text = json_dumps(j, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    refused_text(text, what);
    free(text);
}

static tally_calibration *taken(const json_t *j)
{
    tally_calibration *c;
    tally_error error;
    char *text = json_dumps(j, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL(parse(text, &c, &error), TALLY_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    free(text);
    return c;
}

/* ---- There and back ---- */

/* A number that decimals came between. */
static int near(double a, double b)
{
    return fabs(a - b) <= 1e-12 * fabs(a);
}

static void same(const tally_calibration *a, const tally_calibration *b)
{
    char *x = tally_calibration_json(a), *y = tally_calibration_json(b);
    CU_ASSERT_FATAL(x && y);
    CU_ASSERT_STRING_EQUAL(x, y);
    free(x);
    free(y);
    CU_ASSERT_EQUAL(a->measured, b->measured);
    CU_ASSERT_EQUAL(a->processors, b->processors);
    CU_ASSERT_STRING_EQUAL(a->processor, b->processor);
    CU_ASSERT_STRING_EQUAL(a->backends, b->backends);
    CU_ASSERT(near(a->read_row, b->read_row));
    CU_ASSERT(near(a->read_byte, b->read_byte));
    CU_ASSERT(near(a->read_number, b->read_number));
    CU_ASSERT(near(a->start, b->start));
    CU_ASSERT(near(a->link_byte, b->link_byte));
    CU_ASSERT(near(a->sync, b->sync));
    CU_ASSERT(near(a->speedup, b->speedup));
    CU_ASSERT(near(a->base_bytes, b->base_bytes));
    CU_ASSERT(near(a->session_bytes, b->session_bytes));
    for (unsigned w = 0; w < PARTY_WORKS; w++)
        for (unsigned s = 0; s < 2; s++) {
            CU_ASSERT(near(a->cost[w].fixed[s], b->cost[w].fixed[s]));
            CU_ASSERT(near(a->cost[w].own[s], b->cost[w].own[s]));
            CU_ASSERT(near(a->cost[w].peer[s], b->cost[w].peer[s]));
        }
    CU_ASSERT_EQUAL(a->line_count, b->line_count);
}

static void test_there_and_back(void)
{
    tally_calibration c, *again = NULL;
    tally_error error;
    struct stat file;
    const char *path = made_path("there.json");
    with_lines(&c);
    CU_ASSERT_EQUAL_FATAL(tally_calibration_save(&c, path, &error), TALLY_OK);
    CU_ASSERT_EQUAL(stat(path, &file), 0);
    CU_ASSERT_EQUAL(file.st_mode & 07777, 0600);
    CU_ASSERT_EQUAL_FATAL(tally_calibration_load(path, &again, &error), TALLY_OK);
    same(&c, again);
    for (unsigned i = 0; i < 2; i++) {
        const party_line *l = party_calibration_line(again, c.lines[i].peer);
        CU_ASSERT_PTR_NOT_NULL_FATAL(l);
        CU_ASSERT_STRING_EQUAL(l->peer, c.lines[i].peer);
        CU_ASSERT_EQUAL(l->round_trip, c.lines[i].round_trip);
        CU_ASSERT_EQUAL(l->received_bits, c.lines[i].received_bits);
        CU_ASSERT_EQUAL(l->measured, c.lines[i].measured);
    }
    /* Over the file that is there. */
    c.line_count = 0;
    CU_ASSERT_EQUAL(tally_calibration_save(&c, path, &error), TALLY_OK);
    tally_calibration_free(again);
    CU_ASSERT_EQUAL_FATAL(tally_calibration_load(path, &again, &error), TALLY_OK);
    CU_ASSERT_EQUAL(again->line_count, 0);
    tally_calibration_free(again);
}

/* Of numbers six digits are kept; a second round changes none. */
static void test_random_numbers(void)
{
    for (int round = 0; round < 200; round++) {
        tally_calibration c, *once, *twice;
        estimate_calibration(&c);
        c.read_row = pow(10, -(double)unit_below(12)) * (1 + unit_below(1000000) / 7.0);
        c.cost[PARTY_WORK_VOLE6].own[1] = unit_below(2) ? unit_below(1000000) / 3e9 : 0;
        c.base_bytes = 1e6 + unit_below(1u << 30);
        json_t *j = as_json(&c);
        once = taken(j);
        json_decref(j);
        CU_ASSERT(fabs(once->read_row / c.read_row - 1) < 1e-5);
        CU_ASSERT(fabs(once->base_bytes / c.base_bytes - 1) < 1e-5);
        j = as_json(once);
        twice = taken(j);
        json_decref(j);
        same(once, twice);
        tally_calibration_free(once);
        tally_calibration_free(twice);
    }
}

/* ---- Refusals of the file ---- */

/* Any names may be in it. */
static int is_free(const char *key)
{
    return strcmp(key, "backends") == 0;
}

static void try_in_place(json_t *all, json_t *object, const char *key, const char *value)
{
    char what[120];
    json_t *kept = json_incref(json_object_get(object, key));
    snprintf(what, sizeof what, "%s is %s", key, value ? value : "missing");
    if (value)
        json_object_set_new(object, key, json_loads(value, JSON_DECODE_ANY, NULL));
    else
        json_object_del(object, key);
    refused(all, what);
    json_object_set_new(object, key, kept);
}

static unsigned spoil_every(json_t *all, json_t *at);

/* Each field in turn is missing, then everything that it must not be. */
static unsigned spoil_object(json_t *all, json_t *object)
{
    static const char *const wrong[] = {"-1",   "-1e-300", "\"NaN\"", "1e300", "1e18",
                                        "null", "true",    "[]",      "\"1\""};
    unsigned tried = 0;
    const char *keys[64];
    size_t count = 0;
    for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
        CU_ASSERT_FATAL(count < 64);
        keys[count++] = json_object_iter_key(i);
    }
    for (size_t k = 0; k < count; k++) {
        json_t *value = json_object_get(object, keys[k]);
        char key[64];
        snprintf(key, sizeof key, "%s", keys[k]);
        try_in_place(all, object, key, NULL);
        tried++;
        for (size_t w = 0; json_is_number(value) && w < sizeof wrong / sizeof *wrong; w++)
            try_in_place(all, object, key, wrong[w]);
        if (json_is_string(value))
            try_in_place(all, object, key, "7");
        if (json_is_object(value) || json_is_array(value))
            try_in_place(all, object, key, "5");
        if (!is_free(key))
            tried += spoil_every(all, json_object_get(object, key));
        for (size_t again = k + 1; again < count; again++) /* the keys are as they were */
            CU_ASSERT_PTR_NOT_NULL(json_object_get(object, keys[again]));
    }
    return tried;
}

static unsigned spoil_every(json_t *all, json_t *at)
{
    unsigned tried = 0;
    if (json_is_object(at))
        return spoil_object(all, at);
    for (size_t i = 0; i < json_array_size(at); i++)
        tried += spoil_every(all, json_array_get(at, i));
    return tried;
}

static void test_every_field(void)
{
    tally_calibration c;
    with_lines(&c);
    json_t *all = as_json(&c);
    tally_calibration_free(taken(all));
    unsigned tried = spoil_every(all, all);
    /* 10 at the top, 9 numbers, 7 works of 2 sides of 3 costs, 5 of either line. */
    CU_ASSERT_EQUAL(tried, 10 + 9 + 7 * (1 + 2 * (1 + 3)) + 2 * 5);
    tally_calibration_free(taken(all));
    json_decref(all);
}

static void test_formats(void)
{
    static const char *const texts[] = {"",
                                        " ",
                                        "{",
                                        "[]",
                                        "{}",
                                        "5",
                                        "null",
                                        "\"tally-calibration-1\"",
                                        "format: tally-calibration-1\n",
                                        "\xff\xfe{}"};
    tally_calibration c;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        refused_text(texts[i], texts[i]);
    estimate_calibration(&c);
    json_t *all = as_json(&c);
    json_object_set_new(all, "format", json_string("tally-calibration-2"));
    refused(all, "another format");
    json_decref(all);

    char *good = tally_calibration_json(&c);
    size_t len = strlen(good);
    char *text = calloc(len + 100, 1);
    CU_ASSERT_FATAL(text && good[len - 1] == '}');
    if (!text) /* the compiler does not see that the test has ended */
        return;
    good[len - 1] = 0;
    snprintf(text, len + 100, "%s, \"measured\": 5}", good);
    refused_text(text, "a key twice");
    snprintf(text, len + 100, "%s, \"more\": 5}", good);
    tally_calibration *later;
    tally_error error;
    CU_ASSERT_EQUAL(parse(text, &later, &error), TALLY_OK); /* of a later version: stepped over */
    tally_calibration_free(later);
    snprintf(text, len + 100, "%s, \"more\": NaN}", good);
    refused_text(text, "NaN");
    snprintf(text, len + 100, "%s} {}", good);
    refused_text(text, "two of them");
    for (size_t cut = 0; cut < len; cut += 1 + unit_below(40)) {
        memcpy(text, good, cut);
        text[cut] = 0;
        refused_text(text, "a part");
    }
    free(text);
    free(good);
}

static void test_bounds(void)
{
    tally_calibration c, *got;
    estimate_calibration(&c);
    json_t *all = as_json(&c), *speed = json_object_get(all, "all_processors");
    json_object_set_new(all, "processors", json_integer(0));
    refused(all, "no processor");
    json_object_set_new(all, "processors", json_integer(65537));
    refused(all, "too many processors");
    json_object_set_new(all, "processors", json_integer(65536));
    json_object_set_new(speed, "speedup", json_real(0.999));
    refused(all, "a speedup below one");
    json_object_set_new(speed, "speedup", json_integer(1));
    got = taken(all);
    CU_ASSERT_EQUAL(got->processors, 65536);
    CU_ASSERT_EQUAL(got->speedup, 1);
    tally_calibration_free(got);
    json_decref(all);
}

/* ---- Texts ---- */

static void test_texts(void)
{
    char text[400];
    tally_calibration c, *got;
    estimate_calibration(&c);
    json_t *all = as_json(&c);
    /* What a terminal would obey is not kept. */
    json_object_set_new(all, "processor", json_string("a\x07z\x1b[2J\n\xe2\x80\xae"));
    got = taken(all);
    CU_ASSERT(got->processor[0] == 'a');
    for (const char *p = got->processor; *p; p++)
        CU_ASSERT(*p >= ' ' && *p < 127);
    tally_calibration_free(got);
    memset(text, 'x', sizeof text);
    text[127] = 0;
    json_object_set_new(all, "processor", json_string(text));
    got = taken(all);
    CU_ASSERT_STRING_EQUAL(got->processor, text);
    tally_calibration_free(got);
    text[127] = 'x';
    text[128] = 0;
    json_object_set_new(all, "processor", json_string(text));
    refused(all, "a long name");
    json_object_set_new(all, "processor", json_string("x"));
    /* {"k":"..."} in 255 bytes. */
    for (size_t n = 247; n <= 248; n++) {
        memset(text, 'x', sizeof text);
        text[n] = 0;
        json_object_set_new(all, "backends", json_pack("{s:s}", "k", text));
        if (n == 248) {
            refused(all, "long backends");
        } else {
            got = taken(all);
            json_t *again = as_json(got);
            CU_ASSERT(json_equal(json_object_get(again, "backends"), json_object_get(all, "backends")));
            json_decref(again);
            tally_calibration_free(got);
        }
    }
    json_decref(all);
}

/* ---- Files ---- */

static void refused_file(const char *path, tally_status wanted, const char *says)
{
    tally_calibration *c = NULL;
    tally_error error = {.message = ""};
    unsigned open = unit_descriptors();
    CU_ASSERT_EQUAL(tally_calibration_load(path, &c, &error), wanted);
    CU_ASSERT_PTR_NULL(c);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, says));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, path));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.hint, "tally estimate --calibrate"));
    CU_ASSERT_EQUAL(unit_descriptors(), open);
}

static void test_files(void)
{
    tally_calibration c, *got = NULL;
    tally_error error = {.message = ""};
    const char *path = made_path("file.json");
    refused_file(path, TALLY_ERR_FILE, "No such file");
    refused_file(unit_tmp(), TALLY_ERR_INPUT, "is no calibration");
    unit_write_text(path, "");
    refused_file(path, TALLY_ERR_INPUT, "is no calibration");
    unit_write_text(path, "id,amount\n1,2\n");
    refused_file(path, TALLY_ERR_INPUT, "is no calibration");

    /* A good one in 1 MiB less a byte, and in 1 MiB. */
    const size_t most = (size_t)1 << 20;
    estimate_calibration(&c);
    char *text = tally_calibration_json(&c), *large = malloc(most);
    CU_ASSERT_FATAL(text && large);
    memset(large, ' ', most);
    memcpy(large, text, strlen(text));
    unit_write(path, large, most - 1);
    CU_ASSERT_EQUAL(tally_calibration_load(path, &got, &error), TALLY_OK);
    tally_calibration_free(got);
    unit_write(path, large, most);
    refused_file(path, TALLY_ERR_INPUT, "is no calibration");
    free(text);
    free(large);

    path = made_path("none/file.json");
    CU_ASSERT_EQUAL(tally_calibration_save(&c, path, &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "none"));
}

/* ---- Lines ---- */

static void test_lines(void)
{
    tally_calibration c, *got;
    tally_line line;
    tally_error error = {.message = ""};
    with_lines(&c);
    json_t *all = as_json(&c), *lines = json_object_get(all, "lines"), *one = json_array_get(lines, 1);
    while (json_array_size(lines) < PARTY_LINES_MAX)
        json_array_append_new(lines, json_deep_copy(one));
    got = taken(all);
    CU_ASSERT_EQUAL(got->line_count, PARTY_LINES_MAX);
    json_array_append_new(lines, json_deep_copy(one));
    refused(all, "a line too many");
    json_array_remove(lines, 0);
    json_array_set_new(lines, 3, json_integer(7));
    refused(all, "a line that is a number");
    json_decref(all);

    CU_ASSERT_EQUAL_FATAL(tally_calibration_get_line(got, c.lines[0].peer, &line, &error), TALLY_OK);
    CU_ASSERT_STRING_EQUAL(line.peer, c.lines[0].peer);
    CU_ASSERT_EQUAL(line.sent_bits_per_second, 9e7);
    CU_ASSERT_EQUAL(line.received_bits_per_second, 1e7);
    CU_ASSERT_EQUAL(line.round_trip_seconds, 0.03125);
    char unknown[TALLY_FINGERPRINT_TEXT];
    snprintf(unknown, sizeof unknown, "sha256:%064u", 99u);
    CU_ASSERT_EQUAL(tally_calibration_get_line(got, unknown, &line, &error), TALLY_ERR_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "99 was not measured"));
    CU_ASSERT_EQUAL(tally_calibration_get_line(got, "sha256:0", &line, &error), TALLY_ERR_USAGE);
    CU_ASSERT_PTR_NULL(strstr(error.message, "was not measured")); /* but no fingerprint */
    CU_ASSERT_PTR_NULL(party_calibration_line(got, ""));

    /* The machine is measured again; its lines stay. */
    tally_calibration fresh;
    estimate_calibration(&fresh);
    fresh.start = 0.5;
    tally_calibration_keep_lines(&fresh, got);
    CU_ASSERT_EQUAL(fresh.line_count, PARTY_LINES_MAX);
    CU_ASSERT_EQUAL(fresh.start, 0.5);
    CU_ASSERT_PTR_NOT_NULL(party_calibration_line(&fresh, c.lines[1].peer));
    tally_calibration_free(got);
}

/* ---- The machine ---- */

static void test_fits(void)
{
    tally_calibration c, *got;
    estimate_calibration(&c);
    CU_ASSERT_FALSE(tally_calibration_fits(&c));
    party_machine(c.processor, c.backends);
    CU_ASSERT(c.processor[0] != 0);
    CU_ASSERT(tally_calibration_fits(&c));
    json_t *all = as_json(&c); /* backends are whole JSON */
    got = taken(all);
    CU_ASSERT(tally_calibration_fits(got));
    tally_calibration_free(got);
    json_decref(all);
    c.processor[0]++;
    CU_ASSERT_FALSE(tally_calibration_fits(&c));
    c.processor[0]--;
    snprintf(c.backends, sizeof c.backends, "{}");
    CU_ASSERT_FALSE(tally_calibration_fits(&c));
}

static void no_folder(void)
{
    tally_calibration *c = NULL;
    tally_error error = {.message = ""};
    const char *folder = made_path("no-folder");
    CU_ASSERT_EQUAL(tally_calibration_measure(folder, NULL, NULL, &c, &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NULL(c);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, folder));
}

static void count_parts(void *user, unsigned done, unsigned total)
{
    unsigned *last = user;
    CU_ASSERT(done > *last && done <= total);
    *last = done;
}

/* 20 s: check-long, which sets TALLY_LONG. The command's test measures too. */
static void test_measure(void)
{
    tally_calibration *c = NULL, *again;
    tally_error error = {.message = ""};
    unsigned parts = 0, open = unit_descriptors();
    no_folder();
    if (!getenv("TALLY_LONG"))
        return;
    CU_ASSERT_EQUAL_FATAL(tally_calibration_measure(unit_tmp(), count_parts, &parts, &c, &error), TALLY_OK);
    CU_ASSERT(parts > PARTY_WORKS);
    CU_ASSERT_EQUAL(unit_entries(unit_tmp()), 0);
    CU_ASSERT_EQUAL(unit_descriptors(), open);
    CU_ASSERT(tally_calibration_fits(c));
    CU_ASSERT_EQUAL(c->line_count, 0);
    CU_ASSERT(c->start > 0 && c->sync > 0 && c->link_byte > 0 && c->speedup >= 1);
    CU_ASSERT(c->base_bytes > 1e6 && c->session_bytes > 100);
    CU_ASSERT(c->read_row >= 0 && c->read_byte >= 0 && c->read_number >= 0);
    for (unsigned w = 0; w <= PARTY_WORK_COUNT; w++)
        for (unsigned s = 0; s < 2; s++)
            CU_ASSERT(c->cost[w].own[s] > 0 && c->cost[w].own[s] < 1e-2);
    CU_ASSERT(c->cost[PARTY_WORK_PAILLIER].own[1] > c->cost[PARTY_WORK_ECDH].own[1]);
    json_t *all = as_json(c);
    again = taken(all); /* what is measured can be kept */
    tally_calibration_free(again);
    json_decref(all);
    tally_calibration_free(c);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"there and back", test_there_and_back},
        {"random numbers", test_random_numbers},
        {"every field", test_every_field},
        {"formats", test_formats},
        {"bounds", test_bounds},
        {"texts", test_texts},
        {"files", test_files},
        {"lines", test_lines},
        {"fits", test_fits},
        {"measure", test_measure},
    };
    return unit_main(argc, argv, "calibration", tests, sizeof tests / sizeof *tests);
}
