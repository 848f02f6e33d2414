/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/mem.h"
#include "psi/rng.h"
#include "tests/unit.h"
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* RFC 8439, appendix A.1, test vectors 1 and 2: key and nonce zero, blocks 0 and 1. */
static const char keystream[] = "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
                                "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
                                "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
                                "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f";

static void test_stream(void)
{
    static const uint8_t key[32];
    uint8_t expected[128], got[128], whole[3000], parts[3000];
    psi_prg prg;
    unit_hex(expected, sizeof expected, keystream);
    psi_prg_init_key(&prg, key);
    psi_prg_bytes(&prg, got, sizeof got);
    CU_ASSERT_EQUAL(memcmp(got, expected, sizeof got), 0);
    /* However it is cut, the stream is the same, across several refills. */
    psi_prg_init_key(&prg, key);
    psi_prg_bytes(&prg, whole, sizeof whole);
    psi_prg_init_key(&prg, key);
    for (size_t at = 0, n; at < sizeof parts; at += n) {
        n = unit_below(700);
        n = n < sizeof parts - at ? n : sizeof parts - at;
        psi_prg_bytes(&prg, parts + at, n);
    }
    CU_ASSERT_EQUAL(memcmp(whole, parts, sizeof whole), 0);
    CU_ASSERT_EQUAL(memcmp(whole, expected, sizeof expected), 0);
    psi_prg_wipe(&prg);
    CU_ASSERT_EQUAL(memcmp(prg.key32, key, sizeof key), 0);
}

static void test_random(void)
{
    uint8_t a[32] = {0}, b[32] = {0};
    CU_ASSERT_EQUAL(psi_random(a, sizeof a), TALLY_OK);
    CU_ASSERT_EQUAL(psi_random(b, sizeof b), TALLY_OK);
    CU_ASSERT_NOT_EQUAL(memcmp(a, b, sizeof a), 0);
    CU_ASSERT_EQUAL(psi_random(a, 0), TALLY_OK);
}

static void on_alarm(int signal)
{
    (void)signal;
}

/* Signals cut long reads short: every millisecond here, and older systems give at most 2^25 - 1 bytes anyway.
 */
/* A child draws other numbers than its parent does, and than another child. */
static void test_forked(void)
{
    uint8_t drawn[3][32];
    CU_ASSERT_EQUAL_FATAL(psi_random(drawn[0], 32), TALLY_OK); /* so that whatever is kept is there before */
    for (int i = 0; i < 2; i++) {
        int ends[2], status = 1;
        CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            uint8_t own[32];
            int good = psi_random(own, 32) == TALLY_OK && write(ends[1], own, 32) == 32;
            _exit(!good);
        }
        CU_ASSERT_EQUAL(read(ends[0], drawn[i], 32), 32);
        CU_ASSERT(waitpid(child, &status, 0) == child && status == 0);
        close(ends[0]);
        close(ends[1]);
    }
    CU_ASSERT_EQUAL_FATAL(psi_random(drawn[2], 32), TALLY_OK);
    CU_ASSERT(memcmp(drawn[0], drawn[1], 32) && memcmp(drawn[0], drawn[2], 32) &&
              memcmp(drawn[1], drawn[2], 32));
}

static void test_partial(void)
{
    size_t n = ((size_t)1 << 25) + 4096;
    uint8_t *big = psi_calloc(n, 1);
    CU_ASSERT_FATAL(big != NULL);
    struct sigaction action = {.sa_handler = on_alarm}, before;
    const struct itimerval tick = {{0, 1000}, {0, 1000}}, off = {{0, 0}, {0, 0}};
    CU_ASSERT_EQUAL(sigaction(SIGALRM, &action, &before), 0);
    CU_ASSERT_EQUAL(setitimer(ITIMER_REAL, &tick, NULL), 0);
    tally_status st = psi_random(big, n);
    CU_ASSERT_EQUAL(setitimer(ITIMER_REAL, &off, NULL), 0);
    CU_ASSERT_EQUAL(sigaction(SIGALRM, &before, NULL), 0);
    CU_ASSERT_EQUAL(st, TALLY_OK);
    size_t empty = 0; /* stretches of 64 zero bytes: what a short read leaves */
    static const uint8_t zero[64];
    for (size_t at = 0; at < n; at += sizeof zero)
        empty += memcmp(big + at, zero, sizeof zero) == 0;
    CU_ASSERT_EQUAL(empty, 0);
    psi_free(big);
}

static void test_failure(void)
{
    uint8_t a[32];
    static const uint8_t zero[sizeof(psi_prg)];
    memset(a, 0xa5, sizeof a);
    psi_rng_fail_at(2);
    CU_ASSERT_EQUAL(psi_random(a, 16), TALLY_OK);
    CU_ASSERT_EQUAL(psi_random(a, sizeof a), TALLY_ERR_RANDOM);
    CU_ASSERT_EQUAL(memcmp(a, zero, sizeof a), 0);
    CU_ASSERT_EQUAL(psi_random(a, sizeof a), TALLY_OK);
    CU_ASSERT_EQUAL(psi_rng_count(), 3);
    psi_prg prg;
    memset(&prg, 0xa5, sizeof prg);
    psi_rng_fail_at(1);
    CU_ASSERT_EQUAL(psi_prg_init(&prg), TALLY_ERR_RANDOM);
    CU_ASSERT_EQUAL(memcmp(prg.key32, zero, sizeof prg.key32), 0);
    CU_ASSERT_EQUAL(memcmp(prg.buf, zero, sizeof prg.buf), 0);
    psi_rng_fail_at(0);
    CU_ASSERT_EQUAL(psi_prg_init(&prg), TALLY_OK);
    CU_ASSERT_NOT_EQUAL(memcmp(prg.key32, zero, sizeof prg.key32), 0);
    psi_prg_wipe(&prg);
}

static void test_seed(void)
{
    static const uint8_t seed[32] = {7}, other[32] = {8};
    uint8_t a[48], b[48], c[48];
    psi_rng_set_seed(seed);
    CU_ASSERT_EQUAL(psi_random(a, sizeof a), TALLY_OK);
    psi_rng_set_seed(seed);
    CU_ASSERT_EQUAL(psi_random(b, 20), TALLY_OK);
    CU_ASSERT_EQUAL(psi_random(b + 20, 28), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(a, b, sizeof a), 0);
    psi_rng_set_seed(other);
    CU_ASSERT_EQUAL(psi_random(c, sizeof c), TALLY_OK);
    CU_ASSERT_NOT_EQUAL(memcmp(a, c, sizeof a), 0);
    psi_rng_set_seed(NULL);
    CU_ASSERT_EQUAL(psi_random(b, sizeof b), TALLY_OK);
    CU_ASSERT_NOT_EQUAL(memcmp(a, b, sizeof a), 0);
}

/* The refused draws are exactly those whose low product is below 2^32 mod bound, and the rest is x*bound
 * >> 32. */
static void test_below_reference(void)
{
    static const uint32_t bounds[] = {1, 2, 3, 5, 10, 1000, 65536, 3u << 30, 0x80000001u, UINT32_MAX};
    uint8_t key[32], b[4];
    for (unsigned i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        psi_prg tested, reference;
        unit_random(key, sizeof key);
        psi_prg_init_key(&tested, key);
        psi_prg_init_key(&reference, key);
        uint64_t refused = ((uint64_t)1 << 32) % bounds[i];
        unsigned equal = 0;
        for (unsigned k = 0; k < 500; k++) {
            uint64_t product;
            do {
                psi_prg_bytes(&reference, b, 4);
                uint32_t word = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
                product = (uint64_t)word * bounds[i];
            } while (product % ((uint64_t)1 << 32) < refused);
            uint32_t x = psi_prg_below(&tested, bounds[i]);
            equal += x == product >> 32 && x < bounds[i];
        }
        CU_ASSERT_EQUAL(equal, 500);
    }
}

/* With a bound of 3*2^30 a plain remainder or product would favour one third of the values 2:1. */
static void test_below_bias(void)
{
    static const uint8_t key[32] = {1};
    enum { DRAWS = 30000 };
    unsigned third[3] = {0}, mod3[3] = {0};
    psi_prg prg;
    psi_prg_init_key(&prg, key);
    for (unsigned i = 0; i < DRAWS; i++) {
        uint32_t x = psi_prg_below(&prg, 3u << 30);
        third[x >> 30]++;
        mod3[x % 3]++;
    }
    for (unsigned i = 0; i < 3; i++) { /* standard deviation 82; six of them */
        CU_ASSERT(third[i] > DRAWS / 3 - 490 && third[i] < DRAWS / 3 + 490);
        CU_ASSERT(mod3[i] > DRAWS / 3 - 490 && mod3[i] < DRAWS / 3 + 490);
    }
    for (unsigned i = 0; i < 50; i++)
        CU_ASSERT_EQUAL(psi_prg_below(&prg, 1), 0);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"stream", test_stream},
                                      {"random", test_random},
                                      {"forked", test_forked},
                                      {"partial", test_partial},
                                      {"failure", test_failure},
                                      {"seed", test_seed},
                                      {"below_reference", test_below_reference},
                                      {"below_bias", test_below_bias}};
    return unit_main(argc, argv, "psi_rng", tests, sizeof tests / sizeof *tests);
}
