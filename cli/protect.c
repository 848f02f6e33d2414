/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/protect.h"

#include <openssl/crypto.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Bytes locked; psi/mem.c takes an eighth at most, OpenSSL some kB for each connection and key. */
#define HEAP (1u << 20)

void cli_protect(void)
{
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    /* Blocks of 32 bytes and more. It stands without locks too, where RLIMIT_MEMLOCK is below its size. */
    CRYPTO_secure_malloc_init(HEAP, 32);
}
