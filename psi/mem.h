/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: one allocate/free pair for everything in psi/, one that wipes for secrets. No step of the data
 * path. */
#ifndef PSI_MEM_H
#define PSI_MEM_H

#include <stddef.h>
#include <stdint.h>

/*
 * psi_calloc: zeroed array of count elements of size bytes, NULL on overflow or when memory is short.
 * count == 0 returns a valid pointer. Released by psi_free (NULL allowed).
 */
void *psi_calloc(size_t count, size_t size);
void psi_free(void *p);
/* As psi_calloc, with what is in the block p (NULL allowed) at its beginning, as far as it fits; p is
 * released. NULL: p is as it was. */
void *psi_grow(void *p, size_t count, size_t size);

/* As psi_calloc, for keys, blinds and permutations: psi_secret_free wipes all bytes before release.
 * Arrays of up to 4 KiB, 128 KiB in all, come from OpenSSL's secure heap where the program has set one up
 * (CRYPTO_secure_malloc_init): they are then neither swapped nor dumped. */
void *psi_secret_calloc(size_t count, size_t size);
void psi_secret_free(void *p);

/*
 * An account of what is allocated for somebody, with a limit in bytes: blocks are charged, with 16 bytes more
 * for each, to the account that the allocating thread has entered, and given back when they are freed, by
 * whichever thread. Above the limit psi_calloc returns NULL. Blocks may outlive psi_account_release.
 */
typedef struct psi_account psi_account;
psi_account *psi_account_new(uint64_t limit); /* NULL when memory is short */
void psi_account_release(psi_account *account);
/* This thread's allocations go to account (NULL: to none) from now on. Returns the one before. */
psi_account *psi_account_enter(psi_account *account);
psi_account *psi_account_current(void);
/* Was an allocation refused for the limit? NULL: no. */
int psi_account_refused(const psi_account *account);
/* Bytes charged now. NULL: 0. */
uint64_t psi_account_used(const psi_account *account);

/*
 * Memory of the caller's in place of calloc and free; alloc need not zero it, but has to align it for any
 * type. Before the first allocation only: 0 afterwards.
 */
typedef void *(*psi_mem_alloc)(void *user, size_t bytes);
typedef void (*psi_mem_release)(void *user, void *p);
int psi_mem_set(psi_mem_alloc alloc, psi_mem_release release, void *user);

/* Overwrites len bytes at p with zero in a way the compiler keeps. */
void psi_wipe(void *p, size_t len);

#ifdef TALLY_TEST
/* Test builds only: the n-th allocation from now (1 = the next) fails, once; 0 turns it off. */
void psi_mem_fail_at(unsigned long n);
/* Allocations made since the last call of psi_mem_fail_at. */
unsigned long psi_mem_count(void);
#endif

#endif
