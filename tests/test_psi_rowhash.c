/* SPDX-License-Identifier: Apache-2.0 */
/* Short rows: the field against the published vector and a multiplier written out here, every backend bit by
 * bit. */
#include "psi/rowhash.h"

#include "psi/cpu.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

enum { BITS = 128 * PSI_ROW_BLOCKS_MAX, STRIDE = 128 };

static uint8_t matrix[BITS * STRIDE], rows[PSI_ROW_STRIP * 32], other[PSI_ROW_STRIP * 32];
static psi_row_key key;
static uint8_t points[32];

static void fresh(void)
{
    unit_random(matrix, sizeof matrix);
    unit_random(points, sizeof points);
    psi_row_key_init(&key, points);
}

/* Schoolbook product of bits, then reduction from the top by x^128 = x^7 + x^2 + x + 1. */
static void product(uint8_t out[16], const uint8_t a[16], const uint8_t b[16])
{
    uint8_t p[256] = {0};
    for (size_t i = 0; i < 128; i++)
        for (size_t j = 0; j < 128; j++)
            p[i + j] ^= (uint8_t)((a[i / 8] >> (i % 8) & 1) & (b[j / 8] >> (j % 8) & 1));
    for (size_t i = 255; i >= 128; i--)
        if (p[i]) {
            p[i - 128] ^= 1;
            p[i - 127] ^= 1;
            p[i - 126] ^= 1;
            p[i - 121] ^= 1;
        }
    memset(out, 0, 16);
    for (size_t i = 0; i < 128; i++)
        out[i / 8] |= (uint8_t)(p[i] << (i % 8));
}

static void xor_block(uint8_t *a, const uint8_t *b)
{
    for (size_t i = 0; i < 16; i++)
        a[i] ^= b[i];
}

/* GHASH numbers the bits of a byte from the other end. */
static void mirrored(uint8_t out[16], const char *hex)
{
    CU_ASSERT_EQUAL(unit_hex(out, 16, hex), 16);
    for (size_t i = 0; i < 16; i++) {
        unsigned b = out[i], r = 0;
        for (int j = 0; j < 8; j++)
            r |= (b >> j & 1u) << (7 - j);
        out[i] = (uint8_t)r;
    }
}

static void test_field(void)
{
    uint8_t a[16], b[16], got[16], want[16];
    unsigned wrong = 0;
    for (int n = 0; n < 200; n++) {
        unit_random(a, 16);
        unit_random(b, 16);
        psi_gf128_mul(got, a, b);
        product(want, a, b);
        wrong += memcmp(got, want, 16) != 0;
        psi_gf128_mul(got, b, a);
        wrong += memcmp(got, want, 16) != 0;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    static const uint8_t top[16] = {[15] = 0x80}, x[16] = {2}, folded[16] = {0x87}, one[16] = {1}, zero[16];
    psi_gf128_mul(got, top, x);
    CU_ASSERT_EQUAL(memcmp(got, folded, 16), 0);
    psi_gf128_mul(got, a, one);
    CU_ASSERT_EQUAL(memcmp(got, a, 16), 0);
    psi_gf128_mul(got, a, zero);
    CU_ASSERT_EQUAL(memcmp(got, zero, 16), 0);
    psi_gf128_mul(a, a, a); /* in place */
    product(want, b, b);
    psi_gf128_mul(b, b, b);
    CU_ASSERT_EQUAL(memcmp(b, want, 16), 0);
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test case 2: X1 = C * H, GHASH = (X1
 * + len) * H. */
static void test_ghash_vector(void)
{
    uint8_t h[16], c[16], x1[16], len[16], hash[16], got[16];
    mirrored(h, "66e94bd4ef8a2c3b884cfa59ca342b2e");
    mirrored(c, "0388dace60b6a392f328c2b971b2fe78");
    mirrored(x1, "5e2ec746917062882c85b0685353deb7");
    mirrored(len, "00000000000000000000000000000080");
    mirrored(hash, "f38cbb1ad69223dcc3457ae5b6b0f885");
    psi_gf128_mul(got, c, h);
    CU_ASSERT_EQUAL(memcmp(got, x1, 16), 0);
    xor_block(got, len);
    psi_gf128_mul(got, got, h);
    CU_ASSERT_EQUAL(memcmp(got, hash, 16), 0);
}

static void test_powers(void)
{
    fresh();
    for (size_t p = 0; p < 2; p++) {
        uint8_t z[16], power[16], next[16];
        memcpy(z, points + 16 * p, 16);
        memcpy(power, z, 16);
        for (size_t i = 0; i < PSI_ROW_BLOCKS_MAX; i++) {
            CU_ASSERT_EQUAL(memcmp(key.power[p][i], power, 16), 0);
            product(next, power, z);
            memcpy(power, next, 16);
        }
    }
}

/* The bits of one slot as bytes. */
static void gather(uint8_t row[BITS / 8], size_t slot, size_t bits)
{
    memset(row, 0, BITS / 8);
    for (size_t r = 0; r < bits; r++)
        row[r / 8] |= (uint8_t)((matrix[r * STRIDE + slot / 8] >> (slot % 8) & 1) << (r % 8));
}

/* Z by its definition. */
static void reference(uint8_t out[32], const uint8_t *row, size_t bits)
{
    memset(out, 0, 32);
    for (size_t p = 0; p < 2; p++) {
        uint8_t power[16], next[16], term[16];
        memcpy(power, points + 16 * p, 16);
        for (size_t i = 0; 128 * i < bits; i++) {
            product(term, row + 16 * i, power);
            xor_block(out + 16 * p, term);
            product(next, power, points + 16 * p);
            memcpy(power, next, 16);
        }
    }
}

static void test_backends(void)
{
    static const size_t widths[] = {1, 8, 127, 128, 129, 788, 942, 1273, 1280};
    size_t count;
    const psi_rowhash_backend *const *all = psi_rowhash_backends(&count);
    CU_ASSERT_FATAL(count >= 1);
    CU_ASSERT_STRING_EQUAL(all[0]->name, "portable");
    for (size_t n = 0; n < sizeof widths / sizeof *widths; n++) {
        size_t bits = widths[n];
        fresh();
        for (size_t t = 0; t < count; t++) {
            unsigned wrong = 0;
            memset(t ? other : rows, 0x33, sizeof rows);
            all[t]->strip(t ? other : rows, matrix, STRIDE, bits, &key);
            if (t)
                CU_ASSERT_EQUAL(memcmp(rows, other, sizeof rows), 0);
            for (size_t s = t; s < PSI_ROW_STRIP; s += 37) {
                uint8_t row[BITS / 8], want[32], compressed[32];
                gather(row, s, bits);
                reference(want, row, bits);
                wrong += memcmp((t ? other : rows) + 32 * s, want, 32) != 0;
                psi_row_compress(compressed, row, bits, &key);
                wrong += memcmp(compressed, want, 32) != 0;
            }
            CU_ASSERT_EQUAL(wrong, 0);
        }
    }
}

/* Every slot of a strip, against psi_row_compress: no slot is mixed up with another. */
static void test_slots(void)
{
    size_t count;
    const psi_rowhash_backend *const *all = psi_rowhash_backends(&count);
    fresh();
    for (size_t t = 0; t < count; t++) {
        unsigned wrong = 0;
        all[t]->strip(rows, matrix, STRIDE, 200, &key);
        for (size_t s = 0; s < PSI_ROW_STRIP; s++) {
            uint8_t row[BITS / 8], want[32];
            gather(row, s, 200);
            psi_row_compress(want, row, 200, &key);
            wrong += memcmp(rows + 32 * s, want, 32) != 0;
        }
        CU_ASSERT_EQUAL(wrong, 0);
    }
}

/* Strings that lie at any address, with nothing behind the last; rows likewise. */
static void test_edges(void)
{
    size_t count;
    const psi_rowhash_backend *const *all = psi_rowhash_backends(&count);
    fresh();
    for (size_t bits = 1; bits <= BITS; bits += bits < 136 ? 5 : 127) {
        size_t bytes = bits * PSI_ROW_STRIP / 8;
        uint8_t *strings = malloc(bytes + 1), *out = malloc(sizeof rows + 1);
        CU_ASSERT_FATAL(strings && out);
        memcpy(strings + 1, matrix, bytes);
        all[0]->strip(rows, matrix, PSI_ROW_STRIP / 8, bits, &key);
        for (size_t t = 1; t < count; t++) {
            memset(out, 0x33, sizeof rows + 1);
            all[t]->strip(out + 1, strings + 1, PSI_ROW_STRIP / 8, bits, &key);
            CU_ASSERT_EQUAL(memcmp(out + 1, rows, sizeof rows), 0);
        }
        free(strings);
        free(out);
    }
}

static void test_linear(void)
{
    static uint8_t a[BITS * STRIDE];
    size_t count;
    const psi_rowhash_backend *const *all = psi_rowhash_backends(&count);
    for (size_t t = 0; t < count; t++) {
        unsigned wrong = 0;
        static uint8_t sum[PSI_ROW_STRIP * 32];
        fresh();
        memcpy(a, matrix, sizeof a);
        all[t]->strip(rows, matrix, STRIDE, 942, &key);
        unit_random(matrix, sizeof matrix);
        all[t]->strip(other, matrix, STRIDE, 942, &key);
        for (size_t i = 0; i < sizeof a; i++)
            matrix[i] ^= a[i];
        all[t]->strip(sum, matrix, STRIDE, 942, &key);
        for (size_t i = 0; i < sizeof sum; i++)
            wrong += sum[i] != (rows[i] ^ other[i]);
        CU_ASSERT_EQUAL(wrong, 0);
        memset(matrix, 0, sizeof matrix);
        all[t]->strip(sum, matrix, STRIDE, 942, &key);
        for (size_t i = 0; i < sizeof sum; i++)
            wrong += sum[i];
        CU_ASSERT_EQUAL(wrong, 0);
    }
}

/* The fastest that the processor runs, unless TALLY_BACKEND says otherwise: `make unit` runs this test under
 * each of its values. */
static void test_chosen(void)
{
    const char *wanted = getenv("TALLY_BACKEND"), *name = "portable";
    unsigned cpu = psi_cpu_all(), avx2 = PSI_CPU_AVX2 | PSI_CPU_CLMUL, wide = avx2 | PSI_CPU_VPCLMUL;
    size_t count, runnable = 1;
    if (wanted && (strcmp(wanted, "avx512") == 0 || strcmp(wanted, "ifma") == 0))
        wanted = NULL;
    runnable += (cpu & avx2) == avx2;
    runnable += (cpu & wide) == wide;
    runnable += (cpu & PSI_CPU_AVX512) != 0;
    psi_rowhash_backends(&count);
    CU_ASSERT_EQUAL(count, runnable);
    if (!wanted || !*wanted || strcmp(wanted, "avx2") == 0)
        name = (cpu & wide) == wide ? "vpclmul256" : (cpu & avx2) == avx2 ? "avx2" : name;
    if ((!wanted || !*wanted) && (cpu & PSI_CPU_AVX512))
        name = "avx512";
    CU_ASSERT_STRING_EQUAL(psi_rowhash()->name, name);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"field", test_field},   {"ghash", test_ghash_vector},
                                      {"powers", test_powers}, {"backends", test_backends},
                                      {"slots", test_slots},   {"edges", test_edges},
                                      {"linear", test_linear}, {"chosen", test_chosen}};
    return unit_main(argc, argv, "psi_rowhash", tests, sizeof tests / sizeof *tests);
}
