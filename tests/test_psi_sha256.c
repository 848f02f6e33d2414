/* SPDX-License-Identifier: Apache-2.0 */
/* Many short messages behind one block: every backend against SHA-256 of the whole by OpenSSL. */
#include "psi/sha256.h"
#include "tests/unit.h"

#include <openssl/evp.h>
#include <string.h>

enum { MOST = 9 };

static void whole(uint8_t out[32], enum psi_tag tag, const uint8_t sid[32], const uint8_t *message,
                  size_t len)
{
    const char *text = psi_tag_text(tag);
    uint8_t all[64 + 55] = {0};
    all[0] = (uint8_t)strlen(text);
    memcpy(all + 1, text, strlen(text));
    memcpy(all + 1 + strlen(text), sid, 32);
    memcpy(all + 64, message, len);
    CU_ASSERT_FATAL(EVP_Digest(all, 64 + len, out, NULL, EVP_sha256(), NULL) == 1);
}

static void test_lengths(void)
{
    static const enum psi_tag tags[] = {PSI_TAG_VOLE_ID, PSI_TAG_VOLE_ROW, PSI_TAG_VOLE_TAG};
    size_t count;
    const psi_sha256_backend *const *all = psi_sha256_backends(&count);
    CU_ASSERT_FATAL(count >= 1);
    CU_ASSERT_STRING_EQUAL(all[0]->name, "portable");
    for (size_t t = 0; t < count; t++)
        for (size_t len = 0; len <= 55; len++) {
            unsigned wrong = 0;
            for (size_t n = 0; n <= MOST; n++) {
                uint8_t sid[32], messages[MOST * 55 + 1], out[MOST + 1][32], want[32];
                uint32_t state[8];
                enum psi_tag tag = tags[(len + n) % 3];
                unit_random(sid, sizeof sid);
                unit_random(messages, sizeof messages);
                memset(out, 0x77, sizeof out);
                psi_sha256_prefix(state, tag, sid);
                all[t]->many(out, state, messages, len, n);
                for (size_t i = 0; i < n; i++) {
                    whole(want, tag, sid, messages + i * len, len);
                    wrong += memcmp(out[i], want, 32) != 0;
                }
                for (size_t b = 0; b < 32; b++) /* and no digest more */
                    wrong += out[n][b] != 0x77;
            }
            CU_ASSERT_EQUAL(wrong, 0);
        }
}

/* Whole messages of one block, padded by hand: every number of lanes. */
static void test_blocks(void)
{
    size_t count;
    const psi_sha256_backend *const *all = psi_sha256_backends(&count);
    for (size_t t = 0; t < count; t++)
        for (size_t n = 0; n <= MOST; n++) {
            uint8_t blocks[MOST + 1][64] = {{0}}, out[MOST + 1][32], want[32];
            unsigned wrong = 0;
            size_t len[MOST + 1];
            memset(out, 0x77, sizeof out);
            for (size_t i = 0; i < n; i++) {
                len[i] = unit_below(56);
                unit_random(blocks[i], len[i]);
                blocks[i][len[i]] = 0x80;
                blocks[i][62] = (uint8_t)(8 * len[i] >> 8);
                blocks[i][63] = (uint8_t)(8 * len[i]);
            }
            all[t]->blocks(out, (const uint8_t(*)[64])blocks, n);
            for (size_t i = 0; i < n; i++) {
                CU_ASSERT_FATAL(EVP_Digest(blocks[i], len[i], want, NULL, EVP_sha256(), NULL) == 1);
                wrong += memcmp(out[i], want, 32) != 0;
            }
            for (size_t b = 0; b < 32; b++)
                wrong += out[n][b] != 0x77;
            CU_ASSERT_EQUAL(wrong, 0);
        }
}

/* Tag and session id both enter. */
static void test_prefix(void)
{
    uint8_t sid[32];
    uint32_t a[8], b[8], c[8], d[8];
    unit_random(sid, sizeof sid);
    psi_sha256_prefix(a, PSI_TAG_VOLE_TAG, sid);
    psi_sha256_prefix(b, PSI_TAG_VOLE_ID, sid);
    psi_sha256_prefix(d, PSI_TAG_VOLE_TAG, sid);
    sid[31] ^= 1;
    psi_sha256_prefix(c, PSI_TAG_VOLE_TAG, sid);
    CU_ASSERT_EQUAL(memcmp(a, d, sizeof a), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(a, b, sizeof a), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(a, c, sizeof a), 0);
}

static void test_choice(void)
{
    size_t count;
    unsigned known = 0;
    const psi_sha256_backend *const *all = psi_sha256_backends(&count);
    for (size_t t = 0; t < count; t++)
        known += all[t] == psi_sha256_lanes();
    CU_ASSERT_EQUAL(known, 1);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"lengths", test_lengths}, {"blocks", test_blocks}, {"prefix", test_prefix}, {"choice", test_choice}};
    return unit_main(argc, argv, "psi_sha256", tests, sizeof tests / sizeof *tests);
}
