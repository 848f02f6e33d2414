/* SPDX-License-Identifier: Apache-2.0 */
/* The binary codes: systematic, linear, of full dimension, with the roots that give the distance, and with no
 * word lighter than it. */
#include "psi/code.h"
#include "tests/unit.h"

#include <string.h>

enum { WORD = (PSI_CODE_COLUMNS_MAX + 7) / 8 };

static const struct {
    unsigned k, columns, distance;
} kinds[] = {{4, 197, 32}, {6, 157, 22}};

static unsigned bit_of(const uint8_t *b, size_t i)
{
    return (unsigned)b[i / 8] >> (i % 8) & 1u;
}

static unsigned weight(const uint8_t *word)
{
    unsigned sum = 0;
    for (size_t i = 0; i < WORD; i++)
        sum += (unsigned)__builtin_popcount(word[i]);
    return sum;
}

static void encode(const psi_code *code, const uint8_t message[10], uint8_t word[WORD])
{
    memset(word, 0, WORD);
    psi_code_encode(code, message, word);
}

static void test_shape(void)
{
    psi_code code;
    for (size_t t = 0; t < 2; t++) {
        CU_ASSERT_EQUAL_FATAL(psi_code_init(&code, kinds[t].k), TALLY_OK);
        CU_ASSERT_EQUAL(code.k, kinds[t].k);
        CU_ASSERT_EQUAL(code.columns, kinds[t].columns);
        CU_ASSERT_EQUAL(code.parity, kinds[t].columns - 80);
        CU_ASSERT(kinds[t].k * kinds[t].distance >= 128);
    }
    for (unsigned k = 0; k < 10; k++)
        if (k != 4 && k != 6)
            CU_ASSERT_EQUAL(psi_code_init(&code, k), TALLY_ERR_USAGE);
}

/* Rank of the 80 words of the unit messages, by elimination. */
static void test_dimension(void)
{
    psi_code code;
    for (size_t t = 0; t < 2; t++) {
        CU_ASSERT_EQUAL_FATAL(psi_code_init(&code, kinds[t].k), TALLY_OK);
        uint8_t rows[80][WORD];
        for (size_t i = 0; i < 80; i++) {
            uint8_t m[10] = {0};
            m[i / 8] = (uint8_t)(1u << (i % 8));
            encode(&code, m, rows[i]);
        }
        unsigned rank = 0;
        /* From the last column on, so that the systematic part does not decide at once. */
        for (size_t c = code.columns; c-- > 0;) {
            size_t p = rank;
            while (p < 80 && !bit_of(rows[p], c))
                p++;
            if (p == 80)
                continue;
            uint8_t pivot[WORD];
            memcpy(pivot, rows[p], WORD);
            memcpy(rows[p], rows[rank], WORD);
            memcpy(rows[rank], pivot, WORD);
            for (size_t i = 0; i < 80; i++)
                if (i != rank && bit_of(rows[i], c))
                    for (size_t b = 0; b < WORD; b++)
                        rows[i][b] ^= pivot[b];
            rank++;
        }
        CU_ASSERT_EQUAL(rank, 80);
    }
}

static void test_linear(void)
{
    psi_code code;
    for (size_t t = 0; t < 2; t++) {
        unsigned wrong = 0;
        CU_ASSERT_EQUAL_FATAL(psi_code_init(&code, kinds[t].k), TALLY_OK);
        for (int n = 0; n < 1000; n++) {
            uint8_t a[10], b[10], sum[10], wa[WORD], wb[WORD], ws[WORD];
            unit_random(a, 10);
            unit_random(b, 10);
            for (size_t i = 0; i < 10; i++)
                sum[i] = a[i] ^ b[i];
            encode(&code, a, wa);
            encode(&code, b, wb);
            encode(&code, sum, ws);
            for (size_t i = 0; i < WORD; i++)
                wrong += ws[i] != (wa[i] ^ wb[i]);
            wrong += memcmp(wa, a, 10) != 0; /* systematic */
        }
        CU_ASSERT_EQUAL(wrong, 0);
    }
}

/*
 * The bound itself: as a polynomial (parity bit j at x^j, message bit i at x^(degree + i)) a word vanishes at
 * a^1 .. a^(distance - 2) in GF(2^8) = F_2[x]/0x11d, a = x, and its weight is even. Linear, so the 80 unit
 * messages suffice.
 */
static void test_roots(void)
{
    uint8_t power[255];
    unsigned x = 1;
    for (size_t i = 0; i < 255; i++) {
        power[i] = (uint8_t)x;
        x <<= 1;
        if (x & 0x100)
            x ^= 0x11d;
    }
    CU_ASSERT_EQUAL(x, 1);
    psi_code code;
    for (size_t t = 0; t < 2; t++) {
        unsigned wrong = 0;
        CU_ASSERT_EQUAL_FATAL(psi_code_init(&code, kinds[t].k), TALLY_OK);
        unsigned degree = code.parity - 1;
        for (size_t i = 0; i < 80; i++) {
            uint8_t m[10] = {0}, word[WORD];
            m[i / 8] = (uint8_t)(1u << (i % 8));
            encode(&code, m, word);
            for (unsigned s = 1; s <= kinds[t].distance - 2; s++) {
                uint8_t value = power[s * (degree + i) % 255];
                for (unsigned j = 0; j < degree; j++)
                    if (bit_of(word, 80 + j))
                        value ^= power[s * j % 255];
                wrong += value != 0;
            }
            wrong += weight(word) % 2 != 0;
        }
        CU_ASSERT_EQUAL(wrong, 0);
    }
}

static void test_distance(void)
{
    psi_code code;
    for (size_t t = 0; t < 2; t++) {
        uint8_t unit[80][WORD], word[WORD], m[10];
        unsigned least = WORD * 8;
        CU_ASSERT_EQUAL_FATAL(psi_code_init(&code, kinds[t].k), TALLY_OK);
        for (size_t i = 0; i < 80; i++) {
            memset(m, 0, sizeof m);
            m[i / 8] = (uint8_t)(1u << (i % 8));
            encode(&code, m, unit[i]);
            unsigned w = weight(unit[i]);
            least = w < least ? w : least;
            for (size_t j = 0; j < i; j++) {
                for (size_t b = 0; b < WORD; b++)
                    word[b] = unit[i][b] ^ unit[j][b];
                w = weight(word);
                least = w < least ? w : least;
            }
        }
        for (int n = 0; n < 100000; n++) {
            unit_random(m, sizeof m);
            encode(&code, m, word);
            unsigned w = weight(word);
            least = w < least ? w : least;
        }
        CU_ASSERT(least >= kinds[t].distance);
        CU_ASSERT(least < 64); /* and the sample does reach light words */
    }
}

/* Column by column it is the same code; what was in the parity columns is kept under it. */
static void test_columns(void)
{
    enum { STRIDE = 256, PARITY_STRIDE = 320 };
    static uint8_t systematic[80 * STRIDE], parity[117 * PARITY_STRIDE], before[117 * PARITY_STRIDE];
    psi_code code;
    for (size_t t = 0; t < 2; t++)
        for (size_t len = 64; len <= 192; len += 64) {
            unsigned wrong = 0;
            CU_ASSERT_EQUAL_FATAL(psi_code_init(&code, kinds[t].k), TALLY_OK);
            unit_random(systematic, sizeof systematic);
            unit_random(before, sizeof before);
            memcpy(parity, before, sizeof parity);
            psi_code_add_parity(&code, systematic, STRIDE, parity, PARITY_STRIDE, len);
            for (size_t s = 0; s < 8 * len; s++) {
                uint8_t m[10] = {0}, word[WORD];
                for (size_t i = 0; i < 80; i++)
                    m[i / 8] |= (uint8_t)(bit_of(systematic + i * STRIDE, s) << (i % 8));
                encode(&code, m, word);
                for (size_t j = 0; j < code.parity; j++)
                    wrong += (bit_of(parity + j * PARITY_STRIDE, s) ^
                              bit_of(before + j * PARITY_STRIDE, s)) != bit_of(word, 80 + j);
            }
            for (size_t j = 0; j < 117; j++) /* nothing beyond len, no column too many */
                for (size_t b = j < code.parity ? len : 0; b < PARITY_STRIDE; b++)
                    wrong += parity[j * PARITY_STRIDE + b] != before[j * PARITY_STRIDE + b];
            CU_ASSERT_EQUAL(wrong, 0);
        }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"shape", test_shape},       {"dimension", test_dimension},
                                      {"linear", test_linear},     {"roots", test_roots},
                                      {"distance", test_distance}, {"columns", test_columns}};
    return unit_main(argc, argv, "psi_code", tests, sizeof tests / sizeof *tests);
}
