/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/mem.h"

#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef TALLY_TEST
static atomic_ulong made, fail_at;

void psi_mem_fail_at(unsigned long n)
{
    atomic_store(&made, 0);
    atomic_store(&fail_at, n);
}

unsigned long psi_mem_count(void)
{
    return atomic_load(&made);
}

static int must_fail(void)
{
    return atomic_fetch_add(&made, 1) + 1 == atomic_load(&fail_at);
}
#else
static inline int must_fail(void)
{
    return 0;
}
#endif

/* Bytes of the array, with one byte for an empty one so that the pointer is valid; 0 on overflow. */
static size_t total(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return 0;
    return bytes ? bytes : 1;
}

/*
 * Stands before every block: its size for the account and the wipe, and the account. Aligned so that the
 * block is, for any type.
 */
typedef struct head {
    _Alignas(max_align_t) size_t bytes; /* of the block, without this head */
    psi_account *account;
} head;

/* ---- Accounts ---- */

struct psi_account {
    atomic_size_t used; /* 1 for the owner, and the bytes of all blocks with their heads; 0: freed */
    size_t limit;       /* for `used` */
    atomic_int refused;
};

static _Thread_local psi_account *current;

static psi_mem_alloc own_alloc; /* NULL: calloc and free */
static psi_mem_release own_release;
static void *own_user;
static atomic_int begun; /* something was allocated: the allocator stays */

static void *raw_calloc(size_t bytes)
{
    if (!atomic_load_explicit(&begun, memory_order_relaxed))
        atomic_store_explicit(&begun, 1, memory_order_relaxed);
    if (!own_alloc)
        return calloc(1, bytes);
    void *p = own_alloc(own_user, bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

/* OpenSSL's secure heap, if the program has set one up: memory that is not swapped and not dumped. Keys fit,
 * lists do not; OpenSSL fails where the heap is full, so it is not filled from here. */
#define LOCKED_EACH 4096u
#define LOCKED_ALL (1u << 17)
static atomic_size_t locked;

static void *raw_secret(size_t bytes)
{
    void *p = NULL;
    if (bytes <= LOCKED_EACH && CRYPTO_secure_malloc_initialized()) {
        if (atomic_fetch_add(&locked, bytes) + bytes <= LOCKED_ALL)
            p = OPENSSL_secure_zalloc(bytes);
        if (!p)
            atomic_fetch_sub(&locked, bytes);
    }
    return p ? p : raw_calloc(bytes);
}

static void raw_free(void *p, size_t bytes)
{
    if (bytes <= LOCKED_EACH && CRYPTO_secure_malloc_initialized() && CRYPTO_secure_allocated(p)) {
        OPENSSL_secure_free(p);
        atomic_fetch_sub(&locked, bytes);
        return;
    }
    if (own_release)
        own_release(own_user, p);
    else
        free(p);
}

int psi_mem_set(psi_mem_alloc alloc, psi_mem_release release, void *user)
{
    if (atomic_load(&begun))
        return 0;
    own_alloc = alloc;
    own_release = release;
    own_user = user;
    return 1;
}

psi_account *psi_account_new(uint64_t limit)
{
    psi_account *a = raw_calloc(sizeof *a);
    if (a) {
        atomic_init(&a->used, 1);
        a->limit = limit < SIZE_MAX ? (size_t)limit : SIZE_MAX;
    }
    return a;
}

/* Who brings it to 0 is the last: neither the owner nor a block is left. */
static void give_back(psi_account *a, size_t bytes)
{
    if (a && atomic_fetch_sub_explicit(&a->used, bytes, memory_order_acq_rel) == bytes)
        raw_free(a, sizeof *a);
}

/* Compared before it is added: a refusal leaves no trace that another thread could trip over. */
static int take(psi_account *a, size_t bytes)
{
    size_t used = a ? atomic_load_explicit(&a->used, memory_order_relaxed) : 0;
    do {
        if (a && (used > a->limit || bytes > a->limit - used)) {
            atomic_store_explicit(&a->refused, 1, memory_order_relaxed);
            return 0;
        }
    } while (a && !atomic_compare_exchange_weak_explicit(&a->used, &used, used + bytes, memory_order_relaxed,
                                                         memory_order_relaxed));
    return 1;
}

void psi_account_release(psi_account *account)
{
    give_back(account, 1);
}

psi_account *psi_account_enter(psi_account *account)
{
    psi_account *before = current;
    current = account;
    return before;
}

psi_account *psi_account_current(void)
{
    return current;
}

int psi_account_refused(const psi_account *account)
{
    return account && atomic_load_explicit(&account->refused, memory_order_relaxed);
}

uint64_t psi_account_used(const psi_account *account)
{
    return account ? atomic_load_explicit(&account->used, memory_order_relaxed) - 1 : 0;
}

/* ---- Blocks ---- */

static void *charged(size_t count, size_t size, void *(*raw)(size_t bytes))
{
    size_t bytes = total(count, size), with_head;
    if (!bytes || __builtin_add_overflow(bytes, sizeof(head), &with_head) || must_fail())
        return NULL;
    psi_account *account = current;
    if (!take(account, with_head))
        return NULL;
    head *h = raw(with_head);
    if (!h) {
        give_back(account, with_head);
        return NULL;
    }
    h->bytes = bytes;
    h->account = account;
    return h + 1;
}

void *psi_calloc(size_t count, size_t size)
{
    return charged(count, size, raw_calloc);
}

void psi_free(void *p)
{
    if (!p)
        return;
    head *h = (head *)p - 1;
    psi_account *account = h->account;
    size_t with_head = h->bytes + sizeof *h;
    raw_free(h, with_head);
    give_back(account, with_head);
}

void *psi_grow(void *p, size_t count, size_t size)
{
    const head *from = p ? (const head *)p - 1 : NULL;
    void *to = psi_calloc(count, size);
    if (!to || !from)
        return to;
    size_t bytes = ((const head *)to - 1)->bytes;
    memcpy(to, p, from->bytes < bytes ? from->bytes : bytes);
    psi_free(p);
    return to;
}

void *psi_secret_calloc(size_t count, size_t size)
{
    return charged(count, size, raw_secret);
}

void psi_secret_free(void *p)
{
    if (p)
        psi_wipe(p, ((const head *)p - 1)->bytes);
    psi_free(p);
}

void psi_wipe(void *p, size_t len)
{
    if (len)
        explicit_bzero(p, len);
}
