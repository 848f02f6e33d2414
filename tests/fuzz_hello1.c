/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hello 1. Of the first byte, the low bits choose an allocation that fails, if any; the highest puts a good
 * message in front, whose fields later ones replace or join, so that what lies behind the first checks is
 * reached.
 */
#include "proto/hello.h"
#include "psi/mem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t max)
{
    size_t n = strnlen(text, max + 1);
    if (n < 1 || n > max)
        abort();
    for (size_t i = 0; i < n; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            abort();
}

static void check_name(const char *name)
{
    size_t n = strnlen(name, WIRE_NAME_MAX + 1);
    if (n > WIRE_NAME_MAX || !wire_column_name(name, n))
        abort();
}

static int is_value(int64_t v)
{
    return v < 1ll << WIRE_VALUE_BITS && v > -(1ll << WIRE_VALUE_BITS);
}

static void check_bands(const wire_band *bands, size_t count)
{
    if (count > WIRE_BANDS_MAX)
        abort();
    for (size_t i = 0; i < count; i++) {
        const wire_band *b = &bands[i];
        check_name(b->name);
        if (b->count < 2 || b->count > WIRE_EDGES_MAX || b->scale > WIRE_SCALE_MAX)
            abort();
        for (size_t e = 0; e < b->count; e++)
            if (!is_value(b->edges[e]) || (e && b->edges[e] <= b->edges[e - 1]))
                abort();
        for (size_t k = 0; k < i; k++)
            if (strcmp(bands[k].name, b->name) == 0)
                abort();
    }
}

/* What counts and sums add. */
static void check_aggregate(const wire_terms *t)
{
    if (t->min_overlap == 1 || t->min_overlap > WIRE_OVERLAP_MAX || t->value_count > WIRE_VALUES_MAX ||
        (t->epsilon_micro && (t->epsilon_micro < WIRE_EPSILON_MIN || t->epsilon_micro > WIRE_EPSILON_MAX)) ||
        !t->epsilon_micro != !t->dummies || t->dummies > WIRE_DUMMIES_MAX)
        abort();
    if (*t->scheme)
        check_text(t->scheme, WIRE_NAME_MAX);
    if (*t->duplicates)
        check_text(t->duplicates, WIRE_NAME_MAX);
    for (size_t i = 0; i < t->value_count; i++) {
        const wire_value *v = &t->values[i];
        check_name(v->name);
        if (v->min > v->max || !is_value(v->min) || !is_value(v->max) || v->scale > WIRE_SCALE_MAX)
            abort();
    }
    check_bands(t->bands, t->band_count);
    check_bands(t->peer_bands, t->peer_band_count);
}

static const uint8_t good[] = {
    0x08, 1,    0x10, 3,   0x1a, 1,  'v', 0x22, 32, 1,   2,    3,  4,   5,    6,  7,   8,    9,  10, 11, 12,
    13,   14,   15,   16,  17,   18, 19,  20,   21, 22,  23,   24, 25,  26,   27, 28,  29,   30, 31, 32, 0x2a,
    18,   0x0a, 1,    'r', 0x12, 1,  'm', 0x1a, 1,  'e', 0x22, 1,  's', 0x2a, 1,  'b', 0x32, 1,  'k'};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t joined[sizeof good + WIRE_HELLO1_MAX + 1];
    wire_hello1 hello, back;
    const char *why = NULL;
    uint8_t *out = NULL;
    size_t len = 0;
    if (size < 1 || size > WIRE_HELLO1_MAX + 1)
        return 0;
    size_t front = data[0] & 0x80 ? sizeof good : 0;
    memcpy(joined, good, front);
    memcpy(joined + front, data + 1, size - 1);
    psi_mem_fail_at(data[0] & 0x1f);
    memset(&hello, 0xee, sizeof hello);
    tally_status status = wire_hello1_parse(&hello, joined, front + size - 1, &why);
    psi_mem_fail_at(0);
    if (status == TALLY_ERR_NO_MEMORY && (data[0] & 0x1f))
        return 0;
    if (status == TALLY_ERR_MALFORMED && why && strncmp(why, "hello 1: ", 9) == 0)
        return 0;
    if (status)
        abort();
    if (hello.version_min < 1 || hello.version_min > hello.version_max || hello.version_max > 65535 ||
        hello.terms.key_count < 1 || hello.terms.key_count > WIRE_KEYS_MAX)
        abort();
    check_text(hello.software, WIRE_SOFTWARE_MAX);
    check_text(hello.terms.role, WIRE_NAME_MAX);
    check_text(hello.terms.function, WIRE_NAME_MAX);
    check_text(hello.terms.protocol, WIRE_NAME_MAX);
    check_text(hello.terms.security, WIRE_NAME_MAX);
    check_text(hello.terms.reveal, WIRE_NAME_MAX);
    for (size_t i = 0; i < hello.terms.key_count; i++)
        check_text(hello.terms.keys[i], WIRE_NAME_MAX);
    check_aggregate(&hello.terms);
    /* What was accepted survives being built and parsed again. */
    if (wire_hello1_build(&hello, &out, &len) || wire_hello1_parse(&back, out, len, &why) ||
        memcmp(&hello, &back, sizeof hello) != 0)
        abort();
    psi_free(out);
    return 0;
}
