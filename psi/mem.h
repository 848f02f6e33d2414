/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: one allocate/free pair for everything in psi/, one that wipes for secrets. No step of the data
 * path. */
#ifndef PSI_MEM_H
#define PSI_MEM_H

#include <stddef.h>

/*
 * psi_calloc: zeroed array of count elements of size bytes, NULL on overflow or when memory is short.
 * count == 0 returns a valid pointer. Released by psi_free (NULL allowed).
 */
void *psi_calloc(size_t count, size_t size);
void psi_free(void *p);

/* As psi_calloc, for keys, blinds and permutations: psi_secret_free wipes all bytes before release.
 * Arrays of up to 4 KiB, 128 KiB in all, come from OpenSSL's secure heap where the program has set one up
 * (CRYPTO_secure_malloc_init): they are then neither swapped nor dumped. */
void *psi_secret_calloc(size_t count, size_t size);
void psi_secret_free(void *p);

/* Overwrites len bytes at p with zero in a way the compiler keeps. */
void psi_wipe(void *p, size_t len);

#ifdef TALLY_TEST
/* Test builds only: the n-th allocation from now (1 = the next) fails, once; 0 turns it off. */
void psi_mem_fail_at(unsigned long n);
/* Allocations made since the last call of psi_mem_fail_at. */
unsigned long psi_mem_count(void);
#endif

#endif
