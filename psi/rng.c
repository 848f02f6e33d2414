/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/rng.h"

#include "psi/ct.h"
#include "psi/mem.h"
#include "psi/verify.h"
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <sys/random.h>

static pthread_once_t sodium_once = PTHREAD_ONCE_INIT;

static int sodium_works;

static void start_sodium(void)
{
    sodium_works = sodium_init() >= 0;
}

void psi_sodium(void)
{
    pthread_once(&sodium_once, start_sodium);
}

int psi_sodium_works(void)
{
    psi_sodium();
    return sodium_works;
}

#ifdef TALLY_TEST
#include <stdatomic.h>

static atomic_ulong drawn, fail_at;
static _Thread_local psi_prg seeded;
static _Thread_local int is_seeded;

void psi_rng_fail_at(unsigned long n)
{
    atomic_store(&drawn, 0);
    atomic_store(&fail_at, n);
}

unsigned long psi_rng_count(void)
{
    return atomic_load(&drawn);
}

void psi_rng_set_seed(const uint8_t seed32[32])
{
    is_seeded = seed32 != NULL;
    if (seed32)
        psi_prg_init_key(&seeded, seed32);
    else
        psi_prg_wipe(&seeded);
}

static int must_fail(void)
{
    return atomic_fetch_add(&drawn, 1) + 1 == atomic_load(&fail_at);
}

static int from_seed(void *out, size_t len)
{
    if (is_seeded)
        psi_prg_bytes(&seeded, out, len);
    return is_seeded;
}
#else
static inline int must_fail(void)
{
    return 0;
}

static inline int from_seed(void *out, size_t len)
{
    (void)out, (void)len;
    return 0;
}
#endif

tally_status psi_random(void *out, size_t len)
{
    uint8_t *p = out;
    size_t got = 0;
    if (must_fail())
        goto failed;
    if (from_seed(out, len))
        return TALLY_OK;
    while (got < len) { /* the system may give fewer bytes than asked for */
        ssize_t n = getrandom(p + got, len - got, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            goto failed;
        got += (size_t)n;
    }
    return TALLY_OK;
failed:
    psi_wipe(out, len);
    return TALLY_ERR_RANDOM;
}

tally_status psi_prg_init(psi_prg *prg)
{
    uint8_t key[32];
    tally_status st = psi_random(key, sizeof key);
    /* Born here: what the stream gives becomes keys, blinds and orders of items. */
    PSI_SECRET(key, sizeof key);
    if (st)
        psi_prg_wipe(prg);
    else
        psi_prg_init_key(prg, key);
    psi_wipe(key, sizeof key);
    return st;
}

void psi_prg_init_key(psi_prg *prg, const uint8_t key32[32])
{
    psi_sodium();
    memcpy(prg->key32, key32, sizeof prg->key32);
    prg->block = 0;
    prg->used = sizeof prg->buf;
}

static void refill(psi_prg *prg)
{
    static const uint8_t nonce[crypto_stream_chacha20_ietf_NONCEBYTES];
    memset(prg->buf, 0, sizeof prg->buf);
    crypto_stream_chacha20_ietf_xor_ic(prg->buf, prg->buf, sizeof prg->buf, nonce, prg->block, prg->key32);
    prg->block += (uint32_t)(sizeof prg->buf / 64);
    PSI_CHECK(prg->block != 0); /* one key ends before its 2^32nd block */
    prg->used = 0;
}

void psi_prg_bytes(psi_prg *prg, void *out, size_t len)
{
    uint8_t *p = out;
    while (len) {
        if (prg->used == sizeof prg->buf)
            refill(prg);
        size_t n = sizeof prg->buf - prg->used;
        n = n < len ? n : len;
        memcpy(p, prg->buf + prg->used, n);
        psi_wipe(prg->buf + prg->used, n); /* what was given out is not kept twice */
        prg->used += (unsigned)n;
        p += n;
        len -= n;
    }
}

uint32_t psi_prg_below(psi_prg *prg, uint32_t bound)
{
    PSI_CHECK(bound >= 1);
    /* Multiply and shift (Lemire 2019): x*bound / 2^32 is uniform once the 2^32 mod bound lowest fractions
       are refused. Every kept fraction is at or above the limit, so the branch tells of refused draws only.
     */
    uint32_t limit = (0 - bound) % bound;
    for (;;) {
        uint8_t b[4];
        psi_prg_bytes(prg, b, sizeof b);
        uint32_t x = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        uint64_t product = (uint64_t)x * bound;
        int keep = (uint32_t)product >= limit;
        PSI_DECLASSIFY(&keep, sizeof keep);
        if (keep)
            return (uint32_t)(product >> 32);
    }
}

void psi_prg_wipe(psi_prg *prg)
{
    psi_wipe(prg, sizeof *prg);
    prg->used = sizeof prg->buf;
}
