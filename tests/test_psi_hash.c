/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/hash.h"
#include "psi/mem.h"
#include "tests/unit.h"
#include "tests/vectors.h"
#include <pthread.h>
#include <string.h>

/* FIPS 180-4 example values for "abc". */
static const char abc256[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char abc512[] = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                             "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

static int is_hex(const uint8_t *got, size_t n, const char *hex)
{
    uint8_t expected[1024];
    return unit_hex(expected, sizeof expected, hex) == n && memcmp(got, expected, n) == 0;
}

static void test_plain(void)
{
    uint8_t d[64];
    const psi_part parts[] = {{"a", 1}, {NULL, 0}, {"b", 1}, {"c", 1}};
    psi_hash *h = psi_hash_new();
    CU_ASSERT_FATAL(h != NULL);
    CU_ASSERT_EQUAL(psi_sha256("abc", 3, d), TALLY_OK);
    CU_ASSERT(is_hex(d, 32, abc256));
    CU_ASSERT_EQUAL(psi_sha512(h, parts, 4, d), TALLY_OK);
    CU_ASSERT(is_hex(d, 64, abc512));
    psi_hash_free(h);
    psi_hash_free(NULL);
}

static void test_tags(void)
{
    for (int i = 0; i < PSI_TAG_COUNT; i++) {
        const char *text = psi_tag_text((enum psi_tag)i);
        CU_ASSERT_FATAL(text != NULL);
        CU_ASSERT(strlen(text) > 8 && strlen(text) <= 15);
        CU_ASSERT_EQUAL(strncmp(text, "tally/1 ", 8), 0);
        for (int k = 0; k < i; k++)
            CU_ASSERT_NOT_EQUAL(strcmp(text, psi_tag_text((enum psi_tag)k)), 0);
    }
}

/* A tagged hash is plain SHA-256 over length, tag, parts; SHA-512 on the same handle does not disturb it. */
static void test_framing(void)
{
    uint8_t text[200], expected[32], got[32], d[64];
    psi_hash *h = psi_hash_new();
    CU_ASSERT_FATAL(h != NULL);
    for (int tag = 0; tag < PSI_TAG_COUNT; tag++) {
        const char *name = psi_tag_text((enum psi_tag)tag);
        size_t n = strlen(name);
        text[0] = (uint8_t)n;
        memcpy(text + 1, name, n);
        memcpy(text + 1 + n, "xyz\0\0\0\0\0\0\0\5hello", 16);
        CU_ASSERT_EQUAL(psi_sha256(text, n + 17, expected), TALLY_OK);
        const psi_part abc = {"abc", 3};
        CU_ASSERT_EQUAL(psi_hash_start(h, (enum psi_tag)tag), TALLY_OK);
        CU_ASSERT_EQUAL(psi_hash_add(h, "xyz", 3), TALLY_OK);
        CU_ASSERT_EQUAL(psi_sha512(h, &abc, 1, d), TALLY_OK);
        CU_ASSERT_EQUAL(psi_hash_add_sized(h, "hello", 5), TALLY_OK);
        CU_ASSERT_EQUAL(psi_hash_end(h, got), TALLY_OK);
        CU_ASSERT_EQUAL(memcmp(got, expected, 32), 0);
        CU_ASSERT(is_hex(d, 64, abc512));
    }
    psi_hash_free(h);
}

static void test_expand_vectors(void)
{
    vectors v;
    char dst[64] = "", msg[1024] = "";
    size_t len = 0;
    unsigned seen = 0;
    uint8_t got[256];
    psi_hash *h = psi_hash_new();
    CU_ASSERT_FATAL(h != NULL);
    vectors_open(&v, "rfc9380-expand-xmd-sha512.txt");
    while (vectors_next(&v)) {
        if (strcmp(v.name, "DST") == 0)
            snprintf(dst, sizeof dst, "%.63s", v.value);
        if (strcmp(v.name, "msg") == 0)
            snprintf(msg, sizeof msg, "%.1023s", v.value);
        if (strcmp(v.name, "len_in_bytes") == 0)
            len = strcmp(v.value, "0x20") == 0 ? 32 : 128;
        if (strcmp(v.name, "uniform_bytes") != 0)
            continue;
        size_t cut = strlen(msg) / 2; /* parts or one piece: the same */
        const psi_part parts[] = {{msg, cut}, {msg + cut, strlen(msg) - cut}};
        CU_ASSERT_EQUAL(psi_expand_message_xmd(h, parts, 2, (const uint8_t *)dst, strlen(dst), got, len),
                        TALLY_OK);
        CU_ASSERT(is_hex(got, len, v.value));
        seen++;
    }
    CU_ASSERT_EQUAL(seen, 10);
    psi_hash_free(h);
}

static void test_expand_bounds(void)
{
    static uint8_t out[16321], dst[256];
    const psi_part parts[9] = {{"m", 1}};
    psi_hash *h = psi_hash_new();
    CU_ASSERT_FATAL(h != NULL);
    CU_ASSERT_EQUAL(psi_expand_message_xmd(h, parts, 1, dst, 255, out, 16320), TALLY_OK);
    CU_ASSERT_EQUAL(psi_expand_message_xmd(h, parts, 1, dst, 1, out, 1), TALLY_OK);
    CU_ASSERT_EQUAL(psi_expand_message_xmd(h, parts, 8, dst, 1, out, 1), TALLY_OK);
    memset(out, 0xa5, sizeof out);
    CU_ASSERT_EQUAL(psi_expand_message_xmd(h, parts, 1, dst, 1, out, 16321), TALLY_ERR_INTERNAL);
    CU_ASSERT(out[0] == 0 && out[16320] == 0);
    CU_ASSERT_EQUAL(psi_expand_message_xmd(h, parts, 1, dst, 1, out, 0), TALLY_ERR_INTERNAL);
    CU_ASSERT_EQUAL(psi_expand_message_xmd(h, parts, 1, dst, 0, out, 32), TALLY_ERR_INTERNAL);
    CU_ASSERT_EQUAL(psi_expand_message_xmd(h, parts, 1, dst, 256, out, 32), TALLY_ERR_INTERNAL);
    CU_ASSERT_EQUAL(psi_expand_message_xmd(h, parts, 9, dst, 1, out, 32), TALLY_ERR_INTERNAL);
    psi_hash_free(h);
}

static void test_no_memory(void)
{
    psi_mem_fail_at(1);
    psi_hash *h = psi_hash_new();
    CU_ASSERT_PTR_NULL(h);
    psi_mem_fail_at(0);
    psi_hash_free(h);
}

static void *hash_much(void *arg)
{
    uint8_t d[64];
    const psi_part abc = {"abc", 3};
    psi_hash *h = psi_hash_new();
    for (int i = 0; i < 2000; i++)
        if (!h || psi_sha512(h, &abc, 1, d) || !is_hex(d, 64, abc512) || psi_sha256("abc", 3, d) ||
            !is_hex(d, 32, abc256))
            *(int *)arg = 1;
    psi_hash_free(h);
    return NULL;
}

static void test_threads(void)
{
    pthread_t t[2];
    int bad[2] = {0};
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&t[i], NULL, hash_much, &bad[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    CU_ASSERT(!bad[0] && !bad[1]);
    CU_ASSERT_PTR_NOT_NULL(psi_openssl());
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"threads", test_threads},
                                      {"plain", test_plain},
                                      {"tags", test_tags},
                                      {"framing", test_framing},
                                      {"expand_vectors", test_expand_vectors},
                                      {"expand_bounds", test_expand_bounds},
                                      {"no_memory", test_no_memory}};
    return unit_main(argc, argv, "psi_hash", tests, sizeof tests / sizeof *tests);
}
