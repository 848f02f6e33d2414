/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/ct.h"
#include "psi/mem.h"
#include "tests/unit.h"
#include <openssl/crypto.h>
#include <stdalign.h>
#include <string.h>

static int all_zero(const uint8_t *p, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= p[i];
    return any == 0;
}

static void test_zeroed(void)
{
    for (size_t n = 1; n < 5000; n = n * 3 + 1) {
        uint8_t *p = psi_calloc(n, 3), *q = psi_secret_calloc(n, 3);
        CU_ASSERT_FATAL(p && q);
        CU_ASSERT(all_zero(p, 3 * n) && all_zero(q, 3 * n));
        CU_ASSERT_EQUAL((uintptr_t)q % alignof(max_align_t), 0);
        memset(p, 0xa5, 3 * n);
        memset(q, 0xa5, 3 * n);
        psi_free(p);
        psi_secret_free(q);
    }
}

static void test_sizes(void)
{
    void *p = psi_calloc(0, 16), *q = psi_secret_calloc(16, 0);
    CU_ASSERT(p && q);
    psi_free(p);
    psi_secret_free(q);
    CU_ASSERT_PTR_NULL(psi_calloc(SIZE_MAX / 2 + 1, 2));
    CU_ASSERT_PTR_NULL(psi_secret_calloc(SIZE_MAX / 2 + 1, 2));
    CU_ASSERT_PTR_NULL(psi_secret_calloc(SIZE_MAX, 1)); /* no room for the head */
    CU_ASSERT_PTR_NULL(psi_calloc((size_t)1 << 33, (size_t)1 << 31));
    psi_free(NULL);
    psi_secret_free(NULL);
}

static void test_fail_at(void)
{
    for (unsigned long n = 1; n <= 4; n++) {
        void *p[4];
        psi_mem_fail_at(n);
        for (unsigned i = 0; i < 4; i++) {
            p[i] = i % 2 ? psi_calloc(1, 8) : psi_secret_calloc(1, 8);
            CU_ASSERT_EQUAL(p[i] == NULL, i + 1 == n);
        }
        CU_ASSERT_EQUAL(psi_mem_count(), 4);
        for (unsigned i = 0; i < 4; i++)
            (i % 2 ? psi_free : psi_secret_free)(p[i]);
    }
    psi_mem_fail_at(0);
    CU_ASSERT_EQUAL(psi_mem_count(), 0);
}

static void test_account(void)
{
    psi_account *a = psi_account_new(1000), *before = psi_account_enter(a);
    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    CU_ASSERT_PTR_EQUAL(psi_account_current(), a);
    uint8_t *p = psi_calloc(1, 400), *secret = psi_secret_calloc(1, 400);
    CU_ASSERT(p && secret && (uintptr_t)p % _Alignof(max_align_t) == 0);
    CU_ASSERT_EQUAL(psi_account_used(a), 832);
    CU_ASSERT_EQUAL(psi_account_refused(a), 0);
    CU_ASSERT_PTR_NULL(psi_calloc(1, 200));
    CU_ASSERT_PTR_NULL(psi_calloc(1, SIZE_MAX - 16));
    CU_ASSERT_EQUAL(psi_account_refused(a), 1);
    psi_free(p);
    CU_ASSERT_EQUAL(psi_account_used(a), 416);
    p = psi_calloc(1, 200);
    CU_ASSERT_PTR_NOT_NULL(p);
    psi_account_enter(before);
    psi_account_release(a);
    psi_secret_free(secret); /* blocks may outlive their account */
    psi_free(p);
    CU_ASSERT_EQUAL(psi_account_used(NULL), 0);
    CU_ASSERT_EQUAL(psi_account_refused(NULL), 0);
}

static void test_grow(void)
{
    psi_account *account = psi_account_new(4096);
    CU_ASSERT_PTR_NOT_NULL_FATAL(account);
    psi_account_enter(account);
    uint8_t *p = psi_grow(NULL, 10, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    memset(p, 7, 10);
    CU_ASSERT_PTR_NULL(psi_grow(p, 8192, 1)); /* above the limit: as it was */
    CU_ASSERT_PTR_NULL(psi_grow(p, SIZE_MAX, 2));
    CU_ASSERT(p[0] == 7 && p[9] == 7);
    p = psi_grow(p, 100, 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    for (size_t i = 0; i < 200; i++)
        CU_ASSERT_EQUAL(p[i], i < 10 ? 7 : 0);
    p = psi_grow(p, 5, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    CU_ASSERT(p[0] == 7 && p[4] == 7);
    psi_free(p);
    CU_ASSERT_EQUAL(psi_account_used(account), 0);
    psi_account_enter(NULL);
    psi_account_release(account);
}

static void test_wipe(void)
{
    uint8_t b[66];
    memset(b, 0xa5, sizeof b);
    psi_wipe(b + 1, 64);
    CU_ASSERT(all_zero(b + 1, 64));
    CU_ASSERT(b[0] == 0xa5 && b[65] == 0xa5);
    psi_wipe(NULL, 0);
}

/* Last: the secure heap stays. */
static void test_locked(void)
{
    enum { EACH = 4000, MANY = 100 };
    uint8_t *p[MANY], *before = psi_secret_calloc(EACH, 1), *large;
    CU_ASSERT(!CRYPTO_secure_malloc_initialized());
    CU_ASSERT_FATAL(CRYPTO_secure_malloc_init(1 << 20, 32) != 0);
    for (unsigned round = 0; round < 3; round++) {
        size_t inside = 0;
        for (unsigned i = 0; i < MANY; i++) {
            p[i] = psi_secret_calloc(EACH, 1);
            CU_ASSERT_FATAL(p[i] && all_zero(p[i], EACH));
            CU_ASSERT_EQUAL((uintptr_t)p[i] % alignof(max_align_t), 0);
            memset(p[i], 0xa5, EACH);
            inside += (size_t)CRYPTO_secure_allocated(p[i] - 16);
        }
        /* Some, and not so many that nothing is left for OpenSSL. */
        CU_ASSERT_EQUAL(inside, (1 << 17) / (EACH + 16));
        CU_ASSERT(CRYPTO_secure_used() <= 1 << 18);
        large = psi_secret_calloc(5000, 1);
        CU_ASSERT(large && !CRYPTO_secure_allocated(large - 16));
        psi_secret_free(large);
        for (unsigned i = 0; i < MANY; i++)
            psi_secret_free(p[i]);
        CU_ASSERT_EQUAL(CRYPTO_secure_used(), 0);
    }
    psi_secret_free(before);
}

static void test_equal(void)
{
    uint8_t a[40], b[40];
    unit_random(a, sizeof a);
    memcpy(b, a, sizeof a);
    CU_ASSERT_EQUAL(psi_ct_equal(a, b, sizeof a), UINT64_MAX);
    CU_ASSERT_EQUAL(psi_ct_equal(a, b, 0), UINT64_MAX);
    for (unsigned i = 0; i < 8 * sizeof a; i++) { /* every single bit counts */
        b[i / 8] ^= (uint8_t)(1u << i % 8);
        CU_ASSERT_EQUAL(psi_ct_equal(a, b, sizeof a), 0);
        b[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    b[39] ^= 0xff;
    CU_ASSERT_EQUAL(psi_ct_equal(a, b, 39), UINT64_MAX);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"zeroed", test_zeroed}, {"sizes", test_sizes}, {"fail_at", test_fail_at}, {"account", test_account},
        {"wipe", test_wipe},     {"equal", test_equal}, {"locked", test_locked},   {"grow", test_grow}};
    return unit_main(argc, argv, "psi_mem", tests, sizeof tests / sizeof *tests);
}
