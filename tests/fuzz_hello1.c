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
    /* What was accepted survives being built and parsed again. */
    if (wire_hello1_build(&hello, &out, &len) || wire_hello1_parse(&back, out, len, &why) ||
        memcmp(&hello, &back, sizeof hello) != 0)
        abort();
    psi_free(out);
    return 0;
}
