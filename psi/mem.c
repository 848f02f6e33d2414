/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/mem.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef TALLY_TEST
#include <stdatomic.h>

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

void *psi_secret_calloc(size_t count, size_t size)
{
    size_t bytes = total(count, size);
    if (!bytes || bytes > SIZE_MAX - sizeof(secret_head) || must_fail())
        return NULL;
    secret_head *head = calloc(1, sizeof *head + bytes);
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
    psi_wipe(p, head->bytes);
    free(head);
}

void psi_wipe(void *p, size_t len)
{
    if (len)
        explicit_bzero(p, len);
}
