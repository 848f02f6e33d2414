/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/ecdh.h"
#include "psi/mem.h"
#include "psi/tagsize.h"
#include "tests/support_curve.h"
#include "tests/unit.h"
#include <string.h>

enum { N = 150 };

static psi_item items[N];
static uint32_t order[N], straight[N];
static psi_sid sid;
static psi_scalar a, b;

static void start(void)
{
    psi_prg prg;
    CU_ASSERT_EQUAL_FATAL(psi_prg_init(&prg), TALLY_OK);
    psi_scalar_random(&a, &prg);
    psi_scalar_random(&b, &prg);
    psi_prg_wipe(&prg);
    unit_random(items, sizeof items);
    unit_random(&sid, sizeof sid);
    for (uint32_t i = 0; i < N; i++) {
        uint32_t j = unit_below(i + 1);
        straight[i] = i;
        order[i] = order[j];
        order[j] = i;
    }
}

static int is_wiped(const void *p, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= ((const uint8_t *)p)[i];
    return any == 0;
}

/* tag(b*(a*H(x))) = tag(a*(b*H(x))), in each party's own order, for every width. */
static void test_commutes(void)
{
    static psi_point ma[N], mb[N];
    static uint8_t ta[N * 16], tb[N * 16];
    start();
    CU_ASSERT_EQUAL(psi_ecdh_mask(ma, items, order, N, &sid, &a), TALLY_OK);
    CU_ASSERT_EQUAL(psi_ecdh_mask(mb, items, straight, N, &sid, &b), TALLY_OK);
    for (size_t width = 1; width <= PSI_TAG_MAX; width++) {
        CU_ASSERT_EQUAL(psi_ecdh_tag(ta, width, ma, N, &sid, &b, NULL), TALLY_OK);
        CU_ASSERT_EQUAL(psi_ecdh_tag(tb, width, mb, N, &sid, &a, NULL), TALLY_OK);
        size_t equal = 0, others = 0;
        for (size_t i = 0; i < N; i++) {
            equal += memcmp(ta + i * width, tb + order[i] * width, width) == 0;
            others += memcmp(ta + i * width, tb + (order[i] + 1) % N * width, width) == 0;
        }
        CU_ASSERT_EQUAL(equal, N);
        CU_ASSERT(width < 4 || others == 0);
    }
}

/* The tag is what the contract says, computed from the parts. */
static void test_definition(void)
{
    static const uint8_t dst[] = "TALLY-V01-CS01-ECDH-ristretto255_XMD:SHA-512_R255MAP_RO_";
    uint8_t prefix[PSI_ITEM_PREFIX], text[1 + 12 + 32 + 32], digest[32], tag[16];
    psi_point p, masked;
    start();
    size_t len = psi_item_prefix(prefix, &sid);
    CU_ASSERT_EQUAL(psi_hash_to_group(&p, prefix, len, items[5].b, 32, 1, dst, sizeof dst - 1), TALLY_OK);
    CU_ASSERT_EQUAL(psi_group()->mul_common(&p, &p, 1, &a, NULL), TALLY_OK);
    const uint32_t fifth = 5;
    CU_ASSERT_EQUAL(psi_ecdh_mask(&masked, items, &fifth, 1, &sid, &a), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(&p, &masked, sizeof p), 0);
    CU_ASSERT_EQUAL(psi_group()->mul_common(&p, &p, 1, &b, NULL), TALLY_OK);
    memcpy(text, "\14tally/1 ecdh", 13);
    memcpy(text + 13, &sid, 32);
    memcpy(text + 45, &p, 32);
    CU_ASSERT_EQUAL(psi_sha256(text, sizeof text, digest), TALLY_OK);
    CU_ASSERT_EQUAL(psi_ecdh_tag(tag, 16, &masked, 1, &sid, &b, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(memcmp(tag, digest, 16), 0);
}

/* Another session, key or item gives other points and tags. */
static void test_binding(void)
{
    psi_point m[3];
    uint8_t t[2][16];
    psi_sid other;
    start();
    other = sid;
    other.b[31] ^= 1;
    CU_ASSERT_EQUAL(psi_ecdh_mask(&m[0], items, straight, 1, &sid, &a), TALLY_OK);
    CU_ASSERT_EQUAL(psi_ecdh_mask(&m[1], items, straight, 1, &other, &a), TALLY_OK);
    CU_ASSERT_EQUAL(psi_ecdh_mask(&m[2], items, straight, 1, &sid, &b), TALLY_OK);
    CU_ASSERT(memcmp(&m[0], &m[1], 32) && memcmp(&m[0], &m[2], 32) && memcmp(&m[1], &m[2], 32));
    CU_ASSERT_EQUAL(psi_ecdh_tag(t[0], 16, m, 1, &sid, &b, NULL), TALLY_OK);
    CU_ASSERT_EQUAL(psi_ecdh_tag(t[1], 16, m, 1, &other, &b, NULL), TALLY_OK);
    CU_ASSERT_NOT_EQUAL(memcmp(t[0], t[1], 16), 0);
}

/* A bad point anywhere in a batch of several chunks: its index, and no tag left. */
static void test_malformed(void)
{
    static psi_point m[N];
    static uint8_t tags[N * 10];
    start();
    CU_ASSERT_EQUAL(psi_ecdh_mask(m, items, straight, N, &sid, &a), TALLY_OK);
    static const size_t places[] = {0, 1, 63, 64, 65, 127, 128, N - 1};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        for (int kind = 0; kind < 3; kind++) {
            psi_point keep = m[places[i]];
            size_t bad = 9999;
            if (kind == 0)
                memset(&m[places[i]], 0, 32); /* the identity */
            else if (kind == 1)
                memset(&m[places[i]], 0xff, 32); /* not canonical */
            else
                m[places[i]].b[0] |= 1; /* negative */
            CU_ASSERT_EQUAL(psi_ecdh_tag(tags, 10, m, N, &sid, &b, &bad), TALLY_ERR_MALFORMED);
            CU_ASSERT_EQUAL(bad, places[i]);
            CU_ASSERT(is_wiped(tags, sizeof tags));
            memset(tags, 0xa5, sizeof tags);
            CU_ASSERT_EQUAL(psi_ecdh_tag(tags, 10, m, N, &sid, &b, NULL), TALLY_ERR_MALFORMED);
            CU_ASSERT(is_wiped(tags, sizeof tags));
            m[places[i]] = keep;
        }
    size_t bad = 7;
    CU_ASSERT_EQUAL(psi_ecdh_tag(tags, 10, m, N, &sid, &b, &bad), TALLY_OK);
    CU_ASSERT_EQUAL(bad, 7);
    CU_ASSERT_EQUAL(psi_ecdh_tag(tags, 10, m, 0, &sid, &b, &bad), TALLY_OK);
    CU_ASSERT_EQUAL(psi_ecdh_mask(m, items, straight, 0, &sid, &a), TALLY_OK);
}

static void test_no_memory(void)
{
    static psi_point m[N];
    static uint8_t tags[N * 10];
    start();
    psi_mem_fail_at(1);
    CU_ASSERT_EQUAL(psi_ecdh_mask(m, items, straight, N, &sid, &a), TALLY_OK);
    CU_ASSERT_EQUAL(psi_mem_count(), 0); /* masking takes none */
    memset(tags, 0xa5, sizeof tags);
    psi_mem_fail_at(1);
    CU_ASSERT_EQUAL(psi_ecdh_tag(tags, 10, m, N, &sid, &b, NULL), TALLY_ERR_NO_MEMORY);
    CU_ASSERT(is_wiped(tags, sizeof tags));
    psi_mem_fail_at(0);
}

UNIT_EACH_GROUP(test_definition)

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"commutes", test_commutes},
                                      {"definition", test_definition_each},
                                      {"binding", test_binding},
                                      {"malformed", test_malformed},
                                      {"no_memory", test_no_memory}};
    return unit_main(argc, argv, "psi_ecdh", tests, sizeof tests / sizeof *tests);
}
