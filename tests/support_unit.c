/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit.h"

#include <CUnit/Basic.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t state;
static char tmp[64];

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next64(void)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void unit_random(void *out, size_t len)
{
    uint8_t *p = out;
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)(next64() >> 32);
}

uint32_t unit_below(uint32_t bound)
{
    return (uint32_t)(((next64() >> 32) * bound) >> 32);
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

size_t unit_hex(uint8_t *out, size_t cap, const char *hex)
{
    size_t n = 0;
    while (*hex) {
        if (*hex == ' ' || *hex == '\n') {
            hex++;
            continue;
        }
        int hi = nibble(hex[0]), lo = hi < 0 ? -1 : nibble(hex[1]);
        if (lo < 0 || n == cap)
            abort();
        out[n++] = (uint8_t)(hi << 4 | lo);
        hex += 2;
    }
    return n;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void remove_tmp(void)
{
    nftw(tmp, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *unit_tmp(void)
{
    static char sub[96];
    static unsigned count;
    if (!*tmp) {
        snprintf(tmp, sizeof tmp, "/tmp/tally-test-XXXXXX");
        if (!mkdtemp(tmp))
            abort();
        atexit(remove_tmp);
    }
    snprintf(sub, sizeof sub, "%s/%u", tmp, count++);
    if (mkdir(sub, 0700))
        abort();
    return sub;
}

int unit_main(int argc, char **argv, const char *suite, const unit_test *tests, size_t count)
{
    uint64_t seed = 1;
    int first_name = 1;
    if (argc > 2 && strcmp(argv[1], "--seed") == 0) {
        seed = strtoull(argv[2], NULL, 0);
        first_name = 3;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 2;
    CU_pSuite s = CU_add_suite(suite, NULL, NULL);
    unsigned chosen = 0;
    for (size_t i = 0; i < count; i++) {
        int wanted = first_name >= argc;
        for (int a = first_name; a < argc; a++)
            wanted |= strcmp(argv[a], tests[i].name) == 0;
        if (wanted && (!s || !CU_add_test(s, tests[i].name, tests[i].run)))
            return 2;
        chosen += (unsigned)wanted;
    }
    state = seed;
    CU_run_all_tests();
    unsigned failed = CU_get_number_of_tests_failed();
    if (failed)
        CU_basic_show_failures(CU_get_failure_list());
    printf("%s%-24s %u tests, %u failed, %u assertions (seed %" PRIu64 ")\n", failed ? "\n" : "", suite,
           chosen, failed, CU_get_number_of_asserts(), seed);
    const char *results = getenv("TALLY_RESULTS");
    FILE *f = results && *results ? fopen(results, "a") : NULL;
    if (f) {
        fprintf(f, "%s %u %u\n", suite, chosen - failed, failed);
        fclose(f);
    }
    CU_cleanup_registry();
    return failed != 0;
}
