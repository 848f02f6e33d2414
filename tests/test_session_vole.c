/* SPDX-License-Identifier: Apache-2.0 */
/* Whole sessions by subspace VOLE against a plain join, and how both sides choose the protocol. */
#include "tests/support_match.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

#define SEMI TALLY_SEMI_HONEST
#define MALICIOUS TALLY_MALICIOUS
#define ONE TALLY_REVEAL_RECEIVER
#define BOTH TALLY_REVEAL_BOTH

static void check(const uint32_t *x, size_t nx, const uint32_t *y, size_t ny, enum tally_reveal reveal)
{
    match_check(x, nx, y, ny, TALLY_VOLE, TALLY_VOLE, SEMI, reveal, 1);
}

/* n identifiers from first on, each `step` after the one before, in an order that is not theirs. */
static uint32_t *list(uint32_t n, uint32_t first, uint32_t step)
{
    uint32_t *ids = malloc((n + 1) * sizeof *ids);
    if (!ids)
        abort();
    for (uint32_t i = 0; i < n; i++)
        ids[i] = first + step * i;
    for (uint32_t i = n; i > 1; i--) {
        uint32_t k = unit_below(i), kept = ids[i - 1];
        ids[i - 1] = ids[k];
        ids[k] = kept;
    }
    return ids;
}

static void test_small_sizes(void)
{
    static const uint32_t a[] = {5, 9}, b[] = {9, 5}, c[] = {9, 4}, d[] = {7, 7};
    for (size_t nx = 0; nx <= 2; nx++)
        for (size_t ny = 0; ny <= 2; ny++) {
            check(a, nx, b, ny, BOTH);
            check(a, nx, c, ny, ONE);
        }
    check(d, 2, d, 1, BOTH);
    check(d, 1, d, 2, ONE);
}

static void test_equal_and_disjoint(void)
{
    uint32_t *x = list(1000, 1000, 1), *y = list(1000, 2000, 1);
    check(x, 1000, x, 1000, BOTH);
    check(x, 1000, y, 1000, BOTH);
    free(x);
    free(y);
}

static void test_long_against_short(void)
{
    uint32_t *x = list(3000, 0, 3), *y = list(10, 0, 301); /* every third of them is on the long list */
    for (int both = 0; both < 2; both++) {
        check(x, 3000, y, 10, both ? BOTH : ONE);
        check(y, 10, x, 3000, both ? BOTH : ONE);
    }
    free(x);
    free(y);
}

/* Identifiers from a small range, so that both lists have duplicates and they overlap by chance. */
static void test_random_overlaps(void)
{
    for (int round = 0; round < 8; round++) {
        static uint32_t x[800], y[800];
        size_t nx = unit_below(801), ny = unit_below(801);
        uint32_t range = 1 + unit_below(2000);
        for (size_t i = 0; i < nx; i++)
            x[i] = unit_below(range);
        for (size_t i = 0; i < ny; i++)
            y[i] = unit_below(range);
        check(x, nx, y, ny, round & 1 ? BOTH : ONE);
    }
}

/* Three bins on two threads: a group of two and a group of one; both lists longer than one bin, tags in
 * several frames. */
static void test_several_bins(void)
{
    enum { N = 70000 };
    uint32_t *x = list(N, 0, 1), *y = list(N, N / 2 + 1, 1);
    match_check(x, N, y, N, TALLY_VOLE, TALLY_VOLE, SEMI, BOTH, 2);
    free(x);
    free(y);
}

/* More threads than there are bins. */
static void test_more_threads(void)
{
    uint32_t *x = list(700, 0, 1), *y = list(33000, 350, 1);
    match_check(x, 700, y, 33000, TALLY_VOLE, TALLY_VOLE, SEMI, BOTH, 5);
    match_check(y, 33000, x, 700, TALLY_VOLE, TALLY_VOLE, SEMI, BOTH, 5); /* two bins, five threads */
    free(x);
    free(y);
}

/* ---- Which protocol ---------------------------------------------------------------------------------- */

static void chosen(enum tally_security security, uint32_t nx, uint32_t ny, enum tally_protocol used)
{
    uint32_t *x = list(nx, 0, 1), *y = list(ny, nx / 2, 1);
    match_check(x, nx, y, ny, TALLY_AUTO, used, security, ONE, 1);
    free(x);
    free(y);
}

static void test_auto(void)
{
    chosen(SEMI, 0, 0, TALLY_ECDH);
    chosen(SEMI, 3, 4, TALLY_ECDH);
    chosen(SEMI, 511, 511, TALLY_ECDH);
    chosen(SEMI, 512, 511, TALLY_VOLE);
    chosen(SEMI, 511, 512, TALLY_VOLE);
    chosen(SEMI, 512, 512, TALLY_VOLE);
    chosen(SEMI, 0, 512, TALLY_VOLE);
    chosen(MALICIOUS, 512, 512, TALLY_ECDH);
}

/* Distinct identifiers count, since only their number is known to both. */
static void test_auto_counts_identifiers(void)
{
    static uint32_t x[600];
    for (uint32_t i = 0; i < 600; i++)
        x[i] = i % 511;
    match_check(x, 600, x, 600, TALLY_AUTO, TALLY_ECDH, SEMI, BOTH, 1);
}

/* Each side's setting, what comes of it for two lists of one identifier and for two of 600; 0: they differ.
 */
static void test_one_side_asks(void)
{
    static const struct {
        enum tally_protocol receiver, sender, few, many;
    } all[] = {{TALLY_AUTO, TALLY_AUTO, TALLY_ECDH, TALLY_VOLE},
               {TALLY_AUTO, TALLY_ECDH, TALLY_ECDH, TALLY_ECDH},
               {TALLY_AUTO, TALLY_VOLE, TALLY_VOLE, TALLY_VOLE},
               {TALLY_ECDH, TALLY_AUTO, TALLY_ECDH, TALLY_ECDH},
               {TALLY_VOLE, TALLY_AUTO, TALLY_VOLE, TALLY_VOLE},
               {TALLY_ECDH, TALLY_ECDH, TALLY_ECDH, TALLY_ECDH},
               {TALLY_VOLE, TALLY_VOLE, TALLY_VOLE, TALLY_VOLE},
               {TALLY_ECDH, TALLY_VOLE, 0, 0},
               {TALLY_VOLE, TALLY_ECDH, 0, 0}};
    uint32_t *ids = list(600, 0, 1);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int many = 0; many < 2; many++) {
            pair p;
            size_t n = many ? 600 : 1;
            enum tally_protocol want = many ? all[i].many : all[i].few;
            pair_init(&p, SEMI, BOTH);
            tally_session_set_protocol(p.side[PAIR_RECEIVER].session, all[i].receiver);
            tally_session_set_protocol(p.side[PAIR_SENDER].session, all[i].sender);
            pair_add(&p.side[PAIR_RECEIVER], ids, n);
            pair_add(&p.side[PAIR_SENDER], ids, n);
            pair_run(&p);
            for (int s = 0; s < 2; s++) {
                CU_ASSERT_EQUAL(p.side[s].status, want ? TALLY_OK : TALLY_ERR_INCOMPATIBLE);
                CU_ASSERT_EQUAL(p.side[s].row_count, want ? n : 0);
                if (want)
                    CU_ASSERT_EQUAL(match_protocol(p.side[s].session), want);
            }
            if (!want) {
                static const char *const differ[] = {"protocol: here ecdh, there vole",
                                                     "protocol: here vole, there ecdh"};
                int vole_here = all[i].receiver == TALLY_VOLE;
                CU_ASSERT(strstr(p.side[PAIR_RECEIVER].error.message, differ[vole_here]) != NULL);
                CU_ASSERT(strstr(p.side[PAIR_SENDER].error.message, differ[!vole_here]) != NULL);
            }
            pair_free(&p);
        }
    free(ids);
}

/* A peer in the malicious model never gets to vole: auto here, and vole there with semi-honest, differ in
 * security. */
static void test_malicious_never_by_vole(void)
{
    static const uint32_t ids[] = {1, 2};
    pair p;
    pair_init(&p, MALICIOUS, ONE);
    tally_session_set_protocol(p.side[PAIR_RECEIVER].session, TALLY_AUTO);
    tally_session_set_protocol(p.side[PAIR_SENDER].session, TALLY_VOLE);
    tally_session_set_security(p.side[PAIR_SENDER].session, SEMI);
    pair_add(&p.side[PAIR_RECEIVER], ids, 2);
    pair_add(&p.side[PAIR_SENDER], ids, 2);
    pair_run(&p);
    CU_ASSERT_EQUAL(p.side[PAIR_RECEIVER].status, TALLY_ERR_INCOMPATIBLE);
    CU_ASSERT_EQUAL(p.side[PAIR_SENDER].status, TALLY_ERR_INCOMPATIBLE);
    CU_ASSERT(strstr(p.side[PAIR_RECEIVER].error.message, "security: here malicious, there semi-honest") !=
              NULL);
    pair_free(&p);
}

/* What a dishonest side would send: hello 1 with vole in place of auto, which its own settings would not
 * allow. */
static void say_vole(pair_tap *tap, size_t index, uint8_t *frame, size_t len)
{
    (void)index;
    for (size_t i = WIRE_HEADER; frame[8] == WIRE_HELLO1 && i + 4 <= len; i++)
        if (memcmp(frame + i, "auto", 4) == 0)
            memcpy(frame + i, "vole", 4);
    tap_pass(tap, frame, len);
}

static void test_dishonest_side_asks_for_vole(void)
{
    static const uint32_t ids[] = {1, 2};
    for (int liar = 0; liar < 2; liar++) {
        pair p;
        pair_side *victim = &p.side[1 - liar];
        pair_init(&p, MALICIOUS, ONE);
        for (int i = 0; i < 2; i++) {
            tally_session_set_protocol(p.side[i].session, TALLY_AUTO);
            pair_add(&p.side[i], ids, 2);
        }
        p.side[liar].tap.on_frame = say_vole;
        pair_run(&p);
        CU_ASSERT_EQUAL(victim->status, TALLY_ERR_INCOMPATIBLE);
        CU_ASSERT(strstr(victim->error.message, "protocol: here auto, there vole") != NULL);
        CU_ASSERT_EQUAL(victim->row_count, 0);
        pair_free(&p);
    }
}

/* Two bins and more threads than bins: any thread may get any bin. */
static void test_threads_above_bins(void)
{
    enum { N = 33000 };
    static uint32_t x[N], y[100];
    for (uint32_t i = 0; i < N; i++)
        x[i] = i;
    for (uint32_t i = 0; i < 100; i++)
        y[i] = 500 * i;
    for (int repeat = 0; repeat < 3; repeat++)
        match_check(x, N, y, 100, TALLY_VOLE, TALLY_VOLE, SEMI, BOTH, 8);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"small_sizes", test_small_sizes},
        {"equal_and_disjoint", test_equal_and_disjoint},
        {"long_against_short", test_long_against_short},
        {"random_overlaps", test_random_overlaps},
        {"several_bins", test_several_bins},
        {"more_threads", test_more_threads},
        {"auto", test_auto},
        {"auto_counts_identifiers", test_auto_counts_identifiers},
        {"one_side_asks", test_one_side_asks},
        {"malicious_never_by_vole", test_malicious_never_by_vole},
        {"dishonest_side_asks_for_vole", test_dishonest_side_asks_for_vole},
        {"threads_above_bins", test_threads_above_bins},
    };
    return unit_main(argc, argv, "session_vole", tests, sizeof tests / sizeof *tests);
}
