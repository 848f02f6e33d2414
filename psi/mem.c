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

void *psi_calloc(size_t count, size_t size)
{
    size_t bytes = total(count, size);
    return bytes && !must_fail() ? calloc(1, bytes) : NULL;
}

void psi_free(void *p)
{
    free(p);
}

/* Stands before a secret array and keeps its length for the wipe; the union keeps the array aligned for any
 * type. */
typedef union secret_head {
    size_t bytes;
    max_align_t align;
} secret_head;

/* OpenSSL's secure heap, if the program has set one up: memory that is not swapped and not dumped. Keys fit,
 * lists do not; OpenSSL fails where the heap is full, so it is not filled from here. */
#define LOCKED_EACH 4096u
#define LOCKED_ALL (1u << 17)
static atomic_size_t locked;

static secret_head *take(size_t bytes)
{
    secret_head *head = NULL;
    if (bytes <= LOCKED_EACH && CRYPTO_secure_malloc_initialized()) {
        if (atomic_fetch_add(&locked, bytes) + bytes <= LOCKED_ALL)
            head = OPENSSL_secure_zalloc(bytes);
        if (!head)
            atomic_fetch_sub(&locked, bytes);
    }
    return head ? head : calloc(1, bytes);
}

static void give_back(secret_head *head, size_t bytes)
{
    if (CRYPTO_secure_malloc_initialized() && CRYPTO_secure_allocated(head)) {
        OPENSSL_secure_free(head);
        atomic_fetch_sub(&locked, bytes);
    } else {
        free(head);
    }
}

void *psi_secret_calloc(size_t count, size_t size)
{
    size_t bytes = total(count, size);
    if (!bytes || bytes > SIZE_MAX - sizeof(secret_head) || must_fail())
        return NULL;
    secret_head *head = take(sizeof *head + bytes);
    if (!head)
        return NULL;
    head->bytes = bytes;
    return head + 1;
}

void psi_secret_free(void *p)
{
    if (!p)
        return;
    secret_head *head = (secret_head *)p - 1;
    size_t bytes = head->bytes;
    psi_wipe(p, bytes);
    give_back(head, sizeof *head + bytes);
}

void psi_wipe(void *p, size_t len)
{
    if (len)
        explicit_bzero(p, len);
}
