/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of packed RLWE: constants, the transform against its definition and against schoolbook products,
 * every backend, bytes, the public stream, samplers. */
#include "psi/rlwe_ring.h"
#include "tests/support_lanes.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

enum { N = PSI_RLWE_N };

static int64_t x[N], y[N], z[N], want[N], product[N], other[N];
static psi_rlwe_factor f;
static uint8_t bytes[PSI_RLWE_SHARE];

static int64_t mod(psi_wide v, int64_t q)
{
    return (int64_t)((v % q + q) % q);
}

static int64_t times(int64_t a, int64_t b, int64_t q)
{
    return mod((psi_wide)a * b, q);
}

static int64_t power(int64_t b, psi_uwide e, int64_t q)
{
    int64_t r = 1;
    for (; e; e >>= 1, b = times(b, b, q))
        if (e & 1)
            r = times(r, b, q);
    return r;
}

static uint64_t word(void)
{
    uint64_t v;
    unit_random(&v, sizeof v);
    return v;
}

/* Uniform in (-2^bits, 2^bits). */
static int64_t signed_below(unsigned bits)
{
    int64_t v = (int64_t)(word() >> (64 - bits));
    return word() & 1 ? v : -v;
}

static size_t bit_reversed(size_t k)
{
    size_t r = 0;
    for (unsigned b = 0; b < PSI_RLWE_LOG; b++)
        r |= (k >> b & 1) << (PSI_RLWE_LOG - 1 - b);
    return r;
}

/* Miller and Rabin with the first twelve primes: exact below 2^64 (Sorenson, Webster 2015). */
static int is_prime(int64_t n)
{
    static const int64_t bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
    int64_t d = n - 1;
    unsigned s = 0;
    for (; d % 2 == 0; d /= 2)
        s++;
    for (size_t i = 0; i < 12; i++) {
        int64_t v = power(bases[i], (psi_uwide)d, n);
        unsigned r = 0;
        for (; v != 1 && v != n - 1 && r + 1 < s; r++)
            v = times(v, v, n);
        if (v != n - 1 && !(v == 1 && r == 0))
            return 0;
    }
    return 1;
}

static void test_constants(void)
{
    CU_ASSERT(is_prime(1000000007) && !is_prime(3215031751) && !is_prime(4295098369)); /* 65537^2 */
    for (unsigned i = 0; i < 2; i++) {
        const psi_rlwe_prime *p = &psi_rlwe_primes[i];
        int64_t q = p->q, two32 = (int64_t)1 << 32;
        CU_ASSERT(is_prime(q));
        CU_ASSERT_EQUAL(q % (2 * N), 1);
        CU_ASSERT_EQUAL(q >> 53, 0);
        CU_ASSERT_EQUAL(power(p->root, N, q), q - 1); /* so of order 2N */
        CU_ASSERT_EQUAL(p->inverse * (uint64_t)q, 1);
        CU_ASSERT_EQUAL(p->one, times(two32, two32, q));
        CU_ASSERT_EQUAL(p->two32, times(p->one, two32, q));
        CU_ASSERT_EQUAL(p->two52, times(p->one, (int64_t)1 << 52, q));
        CU_ASSERT_EQUAL(p->two64, times(p->one, p->one, q));
        CU_ASSERT_EQUAL(times(p->n, N, q), p->one);
    }
    int64_t q0 = psi_rlwe_primes[0].q, q1 = psi_rlwe_primes[1].q;
    CU_ASSERT_EQUAL(q0, 9007199252840449);
    CU_ASSERT_EQUAL(q1, 8729336347426817);
    CU_ASSERT_EQUAL(times(PSI_RLWE_Q0_INVERSE, q0 % q1, q1), psi_rlwe_primes[1].one);
    psi_uwide q = (psi_uwide)q0 * (psi_uwide)q1;
    CU_ASSERT(q == PSI_RLWE_Q);
    CU_ASSERT(q >> 106 == 0);
    CU_ASSERT_EQUAL((uint64_t)q & (((uint64_t)1 << 48) - 1), 1);
    CU_ASSERT_EQUAL(PSI_RLWE_SHARE * 8, N * 53);
    for (int i = 0; i < 1000; i++) {
        psi_uwide v = ((psi_uwide)word() << 64 | word()) % q;
        v = i == 0 ? 0 : i == 1 ? q - 1 : v;
        const int64_t residues[2] = {mod((psi_wide)v, q0), mod((psi_wide)v, q1)};
        CU_ASSERT(psi_rlwe_join(residues) == v);
        psi_wide big = (psi_wide)signed_below(57) * ((psi_wide)1 << 56) + signed_below(56);
        CU_ASSERT_EQUAL(psi_rlwe_mod(big, &psi_rlwe_primes[i & 1]), mod(big, psi_rlwe_primes[i & 1].q));
    }
}

enum { RANDOM, HIGHEST, LOWEST, ALTERNATING, ONE, LAST, FILLS };

/* |x| < 2^bits */
static void fill(int64_t *out, int how, unsigned bits)
{
    int64_t top = ((int64_t)1 << bits) - 1;
    for (size_t j = 0; j < N; j++)
        out[j] = how == RANDOM        ? signed_below(bits)
                 : how == HIGHEST     ? top
                 : how == LOWEST      ? -top
                 : how == ALTERNATING ? (j & 1 ? top : -top)
                 : how == ONE         ? j == 0
                                      : j == N - 1;
}

static void test_definition(void)
{
    const psi_rlwe_backend *rings[UNIT_RINGS_MAX];
    size_t count = unit_rings(rings);
    CU_ASSERT_STRING_EQUAL(rings[0]->name, "portable");
    for (unsigned i = 0; i < 2; i++)
        for (int how = 0; how < FILLS; how++) {
            int64_t q = psi_rlwe_primes[i].q;
            fill(x, how, 54);
            for (size_t at = 0; at < 64; at++) { /* Horner at some points; all are compared below */
                size_t k = at < 8 ? at : unit_below(N);
                int64_t point = power(psi_rlwe_primes[i].root, 2 * bit_reversed(k) + 1, q), sum = 0;
                for (size_t j = N; j-- > 0;)
                    sum = mod((psi_wide)sum * point + x[j], q);
                memcpy(y, x, sizeof y);
                rings[0]->ntt(y, i);
                rings[0]->reduce(y, i);
                CU_ASSERT_EQUAL(y[k], sum);
            }
            for (size_t b = 1; b < count; b++) {
                int64_t most = 0;
                memcpy(z, x, sizeof z);
                rings[b]->ntt(z, i);
                for (size_t j = 0; j < N; j++)
                    most |= llabs(z[j]);
                CU_ASSERT_EQUAL(most >> 57, 0);
                rings[b]->reduce(z, i);
                CU_ASSERT_EQUAL(memcmp(z, y, sizeof z), 0);
            }
        }
}

/* The way back by the definition, for this test only: the transposed sum over all points, divided by N. */
static void test_inverse(void)
{
    const psi_rlwe_backend *ring = psi_rlwe_ring();
    for (unsigned i = 0; i < 2; i++) {
        int64_t q = psi_rlwe_primes[i].q, n = power(N, (psi_uwide)q - 2, q);
        fill(x, RANDOM, 53);
        memcpy(y, x, sizeof y);
        ring->ntt(y, i);
        ring->reduce(y, i);
        for (size_t at = 0; at < 32; at++) {
            size_t j = at == 0 ? 0 : at == 1 ? N - 1 : unit_below(N);
            int64_t sum = 0;
            for (size_t k = 0; k < N; k++) {
                size_t exponent = (2 * bit_reversed(k) + 1) * (2 * N - j) % (2 * N);
                sum = mod((psi_wide)y[k] * power(psi_rlwe_primes[i].root, exponent, q) + sum, q);
            }
            CU_ASSERT_EQUAL(times(sum, n, q), mod(x[j], q));
        }
    }
}

/* Modulo X^N + 1 by pencil. */
static void schoolbook(int64_t *out, const int64_t *a, const int64_t *b, int64_t q)
{
    static psi_wide sum[N];
    memset(sum, 0, sizeof sum);
    for (size_t j = 0; j < N; j++)
        if (a[j])
            for (size_t k = 0; k < N; k++) {
                psi_wide t = (psi_wide)a[j] * b[k];
                sum[(j + k) % N] += j + k < N ? t : -t;
            }
    for (size_t j = 0; j < N; j++)
        out[j] = mod(sum[j], q);
}

static void test_product(void)
{
    const psi_rlwe_backend *rings[UNIT_RINGS_MAX];
    size_t count = unit_rings(rings);
    for (unsigned i = 0; i < 2; i++)
        for (int how = 0; how < FILLS; how++) {
            const psi_rlwe_prime *p = &psi_rlwe_primes[i];
            fill(x, how, 52); /* sums of 4096 products below 2^(52 + 54) stay below 2^118 */
            fill(y, how == ONE ? RANDOM : how, 54);
            schoolbook(want, x, y, p->q);
            rings[0]->ntt(want, i);
            rings[0]->reduce(want, i);
            for (size_t b = 0; b < count; b++) {
                memcpy(z, x, sizeof z);
                memcpy(other, y, sizeof other);
                rings[b]->ntt(z, i);
                rings[b]->ntt(other, i);
                rings[b]->factor(&f, z, i);
                memset(product, 0, sizeof product);
                rings[b]->add(product, other, &f, 0, 2048, i);
                rings[b]->add(product, other + 2048, &f, 2048, 1024, i);
                rings[b]->add(product, other + 3072, &f, 3072, 1024, i);
                rings[b]->reduce(product, i);
                CU_ASSERT_EQUAL(memcmp(product, want, sizeof want), 0);
                int64_t sum = 0, all = 0;
                for (size_t at = 0; at < N; at += PSI_RLWE_PIECE)
                    sum += psi_rlwe_canonical(rings[b]->dot(other + at, &f, at, PSI_RLWE_PIECE, i), p);
                for (size_t j = 0; j < N; j++)
                    all = mod((psi_wide)all + product[j], p->q);
                CU_ASSERT_EQUAL(mod(sum, p->q), all);
            }
        }
}

/* Bounds that the header states, at their edges. */
static void test_edges(void)
{
    const psi_rlwe_backend *rings[UNIT_RINGS_MAX];
    size_t count = unit_rings(rings);
    for (unsigned i = 0; i < 2; i++)
        for (size_t b = 0; b < count; b++) {
            const psi_rlwe_prime *p = &psi_rlwe_primes[i];
            for (int how = 0; how < FILLS; how++) {
                fill(x, how, 61);
                memcpy(y, x, sizeof y);
                rings[b]->reduce(y, i);
                for (size_t j = 0; j < N; j++)
                    if (y[j] != mod(x[j], p->q)) {
                        CU_FAIL("reduce");
                        break;
                    }
                int64_t delta = how == 0 ? p->q - 1 : how == 1 ? 0 : mod((psi_wide)word(), p->q);
                fill(x, how, 47);
                fill(y, how, 50);
                for (size_t j = 0; j < N; j++)
                    x[j] = llabs(x[j]);
                rings[b]->encode(z, x, y, delta, i);
                for (size_t j = 0; j < N; j++)
                    if (mod(z[j], p->q) != mod((psi_wide)x[j] * delta + y[j], p->q) || llabs(z[j]) >> 54) {
                        CU_FAIL("encode");
                        break;
                    }
                /* 128 products on top of each other, as the adder does it, of the largest lazy numbers */
                fill(x, how, 57);
                fill(y, how == ONE ? RANDOM : how, 57);
                rings[b]->factor(&f, x, i);
                memset(z, 0, sizeof z);
                int64_t last = 0, step = 0;
                for (int k = 0; k < 128; k++) {
                    rings[b]->add(z, y, &f, 0, N, i);
                    step |= llabs(z[7] - last);
                    last = z[7];
                }
                CU_ASSERT_EQUAL(step >> 53, 0);
                rings[b]->reduce(z, i);
                for (size_t j = 0; j < N; j++)
                    if (z[j] != mod((psi_wide)times(mod(x[j], p->q), mod(y[j], p->q), p->q) * 128, p->q)) {
                        CU_FAIL("add");
                        break;
                    }
                int64_t dot = rings[b]->dot(y, &f, 0, PSI_RLWE_PIECE, i), sum = 0;
                CU_ASSERT(llabs(dot) < ((int64_t)1 << 62) - ((int64_t)1 << 58));
                for (size_t j = 0; j < PSI_RLWE_PIECE; j++)
                    sum = mod((psi_wide)sum + times(mod(x[j], p->q), mod(y[j], p->q), p->q), p->q);
                CU_ASSERT_EQUAL(psi_rlwe_canonical(dot, p), sum);
            }
        }
}

static void test_bytes(void)
{
    for (unsigned i = 0; i < 2; i++) {
        int64_t q = psi_rlwe_primes[i].q;
        for (size_t j = 0; j < N; j++)
            x[j] = j == 0 ? q - 1 : j == 1 ? 0 : mod((psi_wide)word(), q);
        x[N - 1] = q - 1;
        memset(bytes, 0xaa, sizeof bytes);
        psi_rlwe_pack(bytes, x);
        size_t wrong = 0;
        for (size_t j = 0; j < N; j++)
            for (unsigned b = 0; b < 53; b++) {
                size_t bit = 53 * j + b;
                wrong += (bytes[bit / 8] >> (bit % 8) & 1) != (x[j] >> b & 1);
            }
        CU_ASSERT_EQUAL(wrong, 0);
        CU_ASSERT_EQUAL(psi_rlwe_unpack(y, bytes, 0, N, i), 0);
        CU_ASSERT_EQUAL(memcmp(x, y, sizeof x), 0);
        memset(y, 0, sizeof y);
        for (size_t at = 0; at < N; at += 512)
            CU_ASSERT_EQUAL(psi_rlwe_unpack(y + at, bytes, at, 512, i), 0);
        CU_ASSERT_EQUAL(memcmp(x, y, sizeof x), 0);
        for (size_t at = 0; at < N; at += unit_below(300) + 1) { /* each place is looked at */
            int64_t was = x[at];
            x[at] = at & 1 ? q : ((int64_t)1 << 53) - 1;
            psi_rlwe_pack(bytes, x);
            CU_ASSERT_NOT_EQUAL(psi_rlwe_unpack(y, bytes, 0, N, i), 0);
            x[at] = was;
        }
    }
}

static void test_stream(void)
{
    uint8_t key[16] = {1, 2, 3};
    psi_rlwe_stream s;
    CU_ASSERT_EQUAL_FATAL(psi_rlwe_stream_open(&s, key), TALLY_OK);
    for (unsigned i = 0; i < 2; i++) {
        unsigned bins[64] = {0};
        int64_t q = psi_rlwe_primes[i].q;
        size_t out = 0;
        for (uint64_t number = 0; number < 16; number++) {
            CU_ASSERT_EQUAL(psi_rlwe_stream_seek(&s, number, i), TALLY_OK);
            for (size_t at = 0; at < N; at += 512)
                CU_ASSERT_EQUAL(psi_rlwe_stream_read(&s, x + at, 512), TALLY_OK);
            for (size_t j = 0; j < N; j++) {
                out += x[j] < 0 || x[j] >= q;
                bins[((psi_uwide)x[j] * 64) / (psi_uwide)q]++;
            }
            /* the same in odd pieces; another number, another polynomial */
            CU_ASSERT_EQUAL(psi_rlwe_stream_seek(&s, number, i), TALLY_OK);
            for (size_t at = 0, n; at < N; at += n) {
                n = 1 + unit_below(500);
                n = n < N - at ? n : N - at;
                CU_ASSERT_EQUAL(psi_rlwe_stream_read(&s, y + at, n), TALLY_OK);
            }
            CU_ASSERT_EQUAL(memcmp(x, y, sizeof x), 0);
            CU_ASSERT(number == 0 || memcmp(x, z, 64) != 0);
            memcpy(z, x, sizeof z);
        }
        CU_ASSERT_EQUAL(out, 0);
        /* chi-square, 63 degrees: 131 is passed once in 10^6 */
        double chi = 0;
        for (int b = 0; b < 64; b++)
            chi += ((double)bins[b] - 1024) * ((double)bins[b] - 1024) / 1024;
        CU_ASSERT(chi < 131);
    }
    CU_ASSERT_EQUAL(psi_rlwe_stream_seek(&s, 15, 0), TALLY_OK);
    CU_ASSERT_EQUAL(psi_rlwe_stream_read(&s, x, 512), TALLY_OK);
    CU_ASSERT_NOT_EQUAL(memcmp(x, z, 64), 0); /* primes differ */
    psi_rlwe_stream_close(&s);
    key[0]++;
    CU_ASSERT_EQUAL_FATAL(psi_rlwe_stream_open(&s, key), TALLY_OK);
    CU_ASSERT_EQUAL(psi_rlwe_stream_seek(&s, 15, 0), TALLY_OK);
    CU_ASSERT_EQUAL(psi_rlwe_stream_read(&s, y, 512), TALLY_OK);
    CU_ASSERT_NOT_EQUAL(memcmp(x, y, 64), 0);
    psi_rlwe_stream_close(&s);
}

/* Counts against the binomial law and the uniform one; reproducible by the seed. */
static void test_samplers(void)
{
    enum { ROUNDS = 64 };
    static const uint8_t seed[32] = {7};
    double total = (double)ROUNDS * N, chance[43], chi = 0;
    unsigned seen[43] = {0}, ternary[3] = {0}, rare = 0;
    psi_prg prg;
    psi_prg_init_key(&prg, seed);
    int64_t together = 0;
    for (int r = 0; r < ROUNDS; r++) {
        psi_rlwe_errors(&prg, x);
        for (size_t j = 0; j < N; j++) {
            CU_ASSERT_FATAL(x[j] >= -21 && x[j] <= 21);
            seen[x[j] + 21]++;
            together += j ? x[j] * x[j - 1] : 0; /* neighbours are independent: sum near 0 */
        }
        psi_rlwe_ternary(&prg, x);
        for (size_t j = 0; j < N; j++) {
            CU_ASSERT_FATAL(x[j] >= -1 && x[j] <= 1);
            ternary[x[j] + 1]++;
        }
    }
    chance[0] = 1 / 4398046511104.0; /* 2^-42 */
    for (int k = 1; k <= 42; k++)
        chance[k] = chance[k - 1] * (43 - k) / k;
    double expected_rare = 0;
    unsigned degrees = 0;
    for (int k = 0; k <= 42; k++) {
        double e = chance[k] * total;
        if (e < 50) {
            expected_rare += e;
            rare += seen[k];
        } else {
            chi += ((double)seen[k] - e) * ((double)seen[k] - e) / e;
            degrees++;
        }
    }
    CU_ASSERT(degrees > 20 && degrees < 30);
    CU_ASSERT(chi < 80); /* 30 degrees pass it once in 10^6 */
    CU_ASSERT((double)rare < expected_rare + 60);
    CU_ASSERT(llabs(together) < 5 * 11 * 512);
    for (int k = 0; k < 3; k++)
        CU_ASSERT((double)ternary[k] > total / 3 - 1500 &&
                  (double)ternary[k] < total / 3 + 1500); /* 6 sigma */
}

static void test_choice(void)
{
    size_t count, known = 0;
    const psi_rlwe_backend *const *all = psi_rlwe_rings(&count);
    for (size_t b = 0; b < count; b++)
        known += all[b] == psi_rlwe_ring();
    CU_ASSERT_EQUAL(known, 1);
    const char *wanted = getenv("TALLY_BACKEND");
    if (wanted && strcmp(wanted, "portable") == 0)
        CU_ASSERT_STRING_EQUAL(psi_rlwe_ring()->name, "portable");
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"constants", test_constants}, {"definition", test_definition}, {"inverse", test_inverse},
        {"product", test_product},     {"edges", test_edges},           {"bytes", test_bytes},
        {"stream", test_stream},       {"samplers", test_samplers},     {"choice", test_choice}};
    return unit_main(argc, argv, "psi_ntt", tests, sizeof tests / sizeof *tests);
}
