/* SPDX-License-Identifier: Apache-2.0 */
/* Calibrations out of any bytes. First byte: the bytes alone, or in place of the value of one field of a good
 * one. What is taken can be written and read again, and an estimate comes of it. */
#include "party/calibration.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static tally_calibration *parse(const char *text, size_t len)
{
    tally_calibration *c = NULL;
    tally_error error = {.message = ""};
    tally_status st = party_calibration_parse("a.json", text, len, &c, &error);
    must(st == TALLY_OK ? c != NULL : st == TALLY_ERR_INPUT && !c && error.message[0] && error.hint[0]);
    return c;
}

static void look_at(const tally_calibration *c)
{
    static const uint64_t items[] = {0, 5000, 1u << 30};
    must(c->processors >= 1 && c->speedup >= 1 && isfinite(c->speedup) && c->line_count <= PARTY_LINES_MAX);
    for (size_t i = 0; i < 3; i++) {
        tally_plan plan = {.role = TALLY_RECEIVER,
                           .own_items = items[i],
                           .peer_items = items[i],
                           .round_trip_seconds = 0.01,
                           .threads = 3};
        char *text = tally_estimate_json(c, &plan, NULL);
        must(text != NULL && strstr(text, "wall_seconds") != NULL);
        free(text);
    }
    (void)tally_calibration_fits(c);
}

static void try_text(const char *text, size_t len)
{
    tally_calibration *c = parse(text, len);
    if (!c)
        return;
    look_at(c);
    char *once = tally_calibration_json(c);
    must(once != NULL);
    tally_calibration *again = parse(once, strlen(once));
    must(again != NULL);
    free(once);
    tally_calibration_free(again);
    tally_calibration_free(c);
}

/* A good one; every number is 1. */
static char *good_text(void)
{
    tally_calibration c = {.measured = 1, .processors = 1, .line_count = 1};
    double *const numbers[] = {&c.read_row,
                               &c.read_byte,
                               &c.read_number,
                               &c.start,
                               &c.link_byte,
                               &c.sync,
                               &c.speedup,
                               &c.base_bytes,
                               &c.session_bytes,
                               &c.lines[0].sent_bits,
                               &c.lines[0].received_bits,
                               &c.lines[0].round_trip};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        *numbers[i] = 1;
    snprintf(c.processor, sizeof c.processor, "p");
    snprintf(c.backends, sizeof c.backends, "{\"b\":\"c\"}");
    snprintf(c.lines[0].peer, sizeof c.lines[0].peer, "s");
    char *text = tally_calibration_json(&c);
    must(text != NULL);
    return text;
}

/* The bytes in place of value number `field`, counted by the colons before them. */
static void try_field(unsigned field, const uint8_t *data, size_t size)
{
    char *good = good_text(), *value = good, *end;
    for (unsigned f = 0; f <= field; f++) {
        char *next = strstr(value, ": ");
        if (!next)
            break;
        value = next + 2;
    }
    end = value + strcspn(value, ",\n");
    size_t before = (size_t)(value - good), after = strlen(end);
    char *text = malloc(before + size + after);
    must(text != NULL);
    memcpy(text, good, before);
    memcpy(text + before, data, size);
    memcpy(text + before + size, end, after);
    try_text(text, before + size + after);
    free(text);
    free(good);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (data[0])
        try_field(data[0] - 1u, data + 1, size - 1);
    else
        try_text((const char *)data + 1, size - 1);
    return 0;
}
