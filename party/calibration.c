/* SPDX-License-Identifier: Apache-2.0 */
#include "party/calibration.h"

#include "party/error.h"
#include "party/output.h"
#include "party/summary.h"
#include "psi/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "tally-calibration-1"
#define FILE_MAX_BYTES (1u << 20)

void tally_calibration_free(tally_calibration *c)
{
    psi_free(c);
}

const party_line *party_calibration_line(const tally_calibration *c, const char *peer)
{
    for (size_t i = 0; i < c->line_count; i++)
        if (strcmp(c->lines[i].peer, peer) == 0)
            return &c->lines[i];
    return NULL;
}

tally_status tally_calibration_get_line(const tally_calibration *c, const char *peer, tally_line *out,
                                        tally_error *error)
{
    uint8_t pin[32];
    char text[TALLY_FINGERPRINT_TEXT];
    tally_status st = party_pin_parse(pin, peer, error);
    if (st)
        return st;
    party_pin_text(text, pin);
    const party_line *l = party_calibration_line(c, text);
    if (!l) {
        party_fail(error, TALLY_ERR_USAGE, "the line to the peer %.80s was not measured", peer);
        party_hint(error, "measure it on both sides at once: tally estimate --calibrate with --listen or "
                          "--connect, --identity and --peer");
        return TALLY_ERR_USAGE;
    }
    *out = (tally_line){.sent_bits_per_second = l->sent_bits,
                        .received_bits_per_second = l->received_bits,
                        .round_trip_seconds = l->round_trip};
    snprintf(out->peer, sizeof out->peer, "%s", l->peer);
    return TALLY_OK;
}

void party_machine(char processor[128], char backends[256])
{
    static const char name[] = "model name";
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "re");
    snprintf(processor, 128, "unknown");
    while (f && fgets(line, sizeof line, f)) {
        char *value = strchr(line, ':');
        if (strncmp(line, name, sizeof name - 1) != 0 || !value)
            continue;
        value += 1 + (value[1] == ' ');
        value[strcspn(value, "\n")] = 0;
        party_printable(processor, 128, value);
        break;
    }
    if (f)
        fclose(f);
    json_t *used = party_backends_json();
    char *text = used ? json_dumps(used, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    snprintf(backends, 256, "%s", text ? text : "{}");
    free(text);
    json_decref(used);
}

int tally_calibration_fits(const tally_calibration *c)
{
    char processor[128], backends[256];
    party_machine(processor, backends);
    return strcmp(processor, c->processor) == 0 && strcmp(backends, c->backends) == 0;
}

/* ---- As JSON: one table of numbers for both directions ---- */

typedef struct number {
    const char *group, *name;
    double *at;
} number;

#define NUMBERS_MAX 64u

static const char *const work_names[PARTY_WORKS] = {"ecdh",  "ecdh malicious", "vole 4",         "vole 6",
                                                    "count", "sum by rlwe",    "sum by paillier"};
static const char *const side_names[2] = {"receiver", "sender"};

static size_t numbers_of(tally_calibration *c, number out[NUMBERS_MAX])
{
    const number seconds[] = {{"seconds", "start", &c->start},
                              {"seconds", "sync", &c->sync},
                              {"seconds", "row", &c->read_row},
                              {"seconds", "byte_of_row", &c->read_byte},
                              {"seconds", "number", &c->read_number},
                              {"seconds", "byte_on_link", &c->link_byte},
                              {"all_processors", "speedup", &c->speedup},
                              {"bytes", "process", &c->base_bytes},
                              {"bytes", "session", &c->session_bytes}};
    memcpy(out, seconds, sizeof seconds);
    return sizeof seconds / sizeof *seconds;
}

static json_t *costs_json(const party_cost *cost, int side)
{
    return json_pack("{s:f, s:f, s:f}", "fixed", cost->fixed[side], "own", cost->own[side], "peer",
                     cost->peer[side]);
}

static json_t *work_json(const tally_calibration *c)
{
    json_t *work = json_object();
    for (size_t w = 0; w < PARTY_WORKS; w++)
        json_object_set_new(work, work_names[w],
                            json_pack("{s:o, s:o}", side_names[0], costs_json(&c->cost[w], 0), side_names[1],
                                      costs_json(&c->cost[w], 1)));
    return work;
}

static json_t *lines_json(const tally_calibration *c)
{
    json_t *lines = json_array();
    for (size_t i = 0; i < c->line_count; i++) {
        const party_line *l = &c->lines[i];
        json_array_append_new(
            lines, json_pack("{s:s, s:f, s:f, s:f, s:I}", "peer", l->peer, "sent_bits_per_second",
                             l->sent_bits, "received_bits_per_second", l->received_bits, "round_trip_seconds",
                             l->round_trip, "measured", (json_int_t)l->measured));
    }
    return lines;
}

char *tally_calibration_json(const tally_calibration *c)
{
    number numbers[NUMBERS_MAX];
    tally_calibration copy = *c;
    size_t count = numbers_of(&copy, numbers);
    json_t *all =
        json_pack("{s:s, s:I, s:s, s:i, s:o, s:o, s:o}", "format", FORMAT, "measured",
                  (json_int_t)c->measured, "processor", c->processor, "processors", (int)c->processors,
                  "backends", json_loads(c->backends, 0, NULL), "work", work_json(c), "lines", lines_json(c));
    for (size_t i = 0; all && i < count; i++) {
        json_t *group = json_object_get(all, numbers[i].group);
        if (!group) {
            group = json_object();
            json_object_set_new(all, numbers[i].group, group);
        }
        json_object_set_new(group, numbers[i].name, json_real(*numbers[i].at));
    }
    return party_json_text(all);
}

/* A finite number that is not below zero. */
static int read_number(const json_t *object, const char *name, double *out)
{
    const json_t *j = json_object_get(object, name);
    double v = json_number_value(j);
    if (!json_is_number(j) || !(v >= 0 && v < 1e18))
        return 0;
    *out = v;
    return 1;
}

static int read_text(const json_t *object, const char *name, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (!text || strlen(text) >= size)
        return 0;
    party_printable(out, size, text);
    return 1;
}

static int read_work(tally_calibration *c, const json_t *work)
{
    int ok = 1;
    for (size_t w = 0; w < PARTY_WORKS; w++)
        for (int s = 0; s < 2; s++) {
            const json_t *of = json_object_get(json_object_get(work, work_names[w]), side_names[s]);
            ok &= read_number(of, "fixed", &c->cost[w].fixed[s]) &
                  read_number(of, "own", &c->cost[w].own[s]) & read_number(of, "peer", &c->cost[w].peer[s]);
        }
    return ok;
}

static int read_lines(tally_calibration *c, const json_t *lines)
{
    size_t i;
    const json_t *j;
    int ok = json_is_array(lines);
    json_array_foreach(lines, i, j)
    {
        party_line line;
        double when;
        ok &= read_text(j, "peer", line.peer, sizeof line.peer) &
              read_number(j, "sent_bits_per_second", &line.sent_bits) &
              read_number(j, "received_bits_per_second", &line.received_bits) &
              read_number(j, "round_trip_seconds", &line.round_trip) & read_number(j, "measured", &when);
        if (!ok || c->line_count == PARTY_LINES_MAX)
            return 0;
        line.measured = (int64_t)when;
        c->lines[c->line_count++] = line;
    }
    return ok;
}

/* All of it has to fit: a text that was cut is no JSON. */
static int read_backends(tally_calibration *c, const json_t *backends)
{
    char *text = json_is_object(backends) ? json_dumps(backends, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    int fits = text && strlen(text) < sizeof c->backends;
    if (fits)
        memcpy(c->backends, text, strlen(text) + 1);
    free(text);
    return fits;
}

static int read_all(tally_calibration *c, const json_t *all)
{
    number numbers[NUMBERS_MAX];
    double measured, processors;
    const char *format = json_string_value(json_object_get(all, "format"));
    if (!format || strcmp(format, FORMAT) != 0 || !read_number(all, "measured", &measured) ||
        !read_number(all, "processors", &processors) || processors < 1 || processors > 65536 ||
        !read_text(all, "processor", c->processor, sizeof c->processor))
        return 0;
    c->measured = (int64_t)measured;
    c->processors = (unsigned)processors;
    size_t count = numbers_of(c, numbers);
    for (size_t i = 0; i < count; i++)
        if (!read_number(json_object_get(all, numbers[i].group), numbers[i].name, numbers[i].at))
            return 0;
    return c->speedup >= 1 && read_backends(c, json_object_get(all, "backends")) &&
           read_work(c, json_object_get(all, "work")) && read_lines(c, json_object_get(all, "lines"));
}

tally_status party_calibration_parse(const char *name, const char *text, size_t len, tally_calibration **out,
                                     tally_error *error)
{
    tally_calibration *c = psi_calloc(1, sizeof *c);
    if (!c)
        return party_no_memory(error, "a calibration");
    json_t *all = len < FILE_MAX_BYTES ? json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    int good = all && read_all(c, all);
    json_decref(all);
    if (good) {
        *out = c;
        return TALLY_OK;
    }
    tally_calibration_free(c);
    party_fail(error, TALLY_ERR_INPUT, "%s is no calibration of this version", name);
    party_hint(error, "measure this machine again: tally estimate --calibrate");
    return TALLY_ERR_INPUT;
}

tally_status tally_calibration_load(const char *path, tally_calibration **out, tally_error *error)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        party_fail(error, TALLY_ERR_FILE, "cannot read the calibration %s: %s", path,
                   party_system_text(errno));
        party_hint(error, "measure this machine: tally estimate --calibrate");
        return TALLY_ERR_FILE;
    }
    char *text = psi_calloc(FILE_MAX_BYTES, 1);
    size_t len = text ? fread(text, 1, FILE_MAX_BYTES, f) : 0;
    tally_status st =
        text ? party_calibration_parse(path, text, len, out, error) : party_no_memory(error, "a calibration");
    psi_free(text);
    fclose(f);
    return st;
}

tally_status tally_calibration_save(const tally_calibration *c, const char *path, tally_error *error)
{
    char *text = tally_calibration_json(c);
    if (!text)
        return party_no_memory(error, "a calibration");
    tally_status st = party_file_write(path, text, strlen(text), error);
    free(text);
    return st;
}

void tally_calibration_keep_lines(tally_calibration *c, const tally_calibration *older)
{
    memcpy(c->lines, older->lines, sizeof c->lines);
    c->line_count = older->line_count;
}
