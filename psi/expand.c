/* SPDX-License-Identifier: Apache-2.0 */
/* The portable compression function is OpenSSL's, which is fast on every processor. Its entries that keep the
 * state within reach are legacy names. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "psi/expand_job.h"

#include "psi/cpu.h"
#include "psi/mem.h"
#include "psi/verify.h"

#include <openssl/sha.h>
#include <pthread.h>

const uint64_t psi_sha512_start[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                                      0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                                      0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

const uint64_t psi_sha512_constants[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc, 0x3956c25bf348b538,
    0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118, 0xd807aa98a3030242, 0x12835b0145706fbe,
    0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2, 0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
    0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5, 0x983e5152ee66dfab,
    0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725,
    0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed,
    0x53380d139d95b3df, 0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218,
    0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8, 0x19a4c116b8d2d0c8, 0x1e376c085141ab53,
    0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373,
    0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b, 0xca273eceea26619c,
    0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba, 0x0a637dc5a2c898a6,
    0x113f9804bef90dae, 0x1b710b35131c471b, 0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
    0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817};

static uint64_t rotate(uint64_t x, unsigned n)
{
    return x >> n | x << (64 - n);
}

void psi_sha512_schedule(uint64_t sum[80], const uint8_t block[PSI_SHA512_BLOCK])
{
    uint64_t w[80];
    for (unsigned t = 0; t < 80; t++) {
        if (t < 16) {
            w[t] = psi_sha512_load(block + 8 * t);
        } else {
            uint64_t x = w[t - 15], y = w[t - 2];
            w[t] = w[t - 16] + (rotate(x, 1) ^ rotate(x, 8) ^ x >> 7) + w[t - 7] +
                   (rotate(y, 19) ^ rotate(y, 61) ^ y >> 6);
        }
        sum[t] = w[t] + psi_sha512_constants[t];
    }
}

/* ---- The portable backend ---- */

static void many_portable(uint8_t (*out)[64], const psi_expand_job *job, psi_expand_sizes z,
                          const uint8_t *msgs, size_t n)
{
    SHA512_CTX c, start;
    uint8_t block[64 + sizeof job->tail1];
    SHA512_Init(&start);
    for (unsigned j = 0; j < 8; j++)
        start.h[j] = job->start[j];
    memcpy(block + 64, job->tail1, z.tail1);
    for (size_t i = 0; i < n; i++) {
        /* The padding is in the tails, so the state after the last block is the hash. */
        c = start;
        SHA512_Update(&c, job->prefix, z.prefix);
        SHA512_Update(&c, msgs + i * z.len, z.len);
        SHA512_Update(&c, job->tail0, z.tail0);
        for (unsigned j = 0; j < 8; j++) {
            psi_sha512_store(block + 8 * j, c.h[j]);
            c.h[j] = psi_sha512_start[j];
        }
        SHA512_Update(&c, block, 64 + z.tail1);
        for (unsigned j = 0; j < 8; j++)
            psi_sha512_store(out[i] + 8 * j, c.h[j]);
    }
    psi_wipe(&c, sizeof c);
    psi_wipe(block, sizeof block);
}

static const psi_expand_backend portable = {.name = "portable", .many = many_portable};

/* ---- Jobs ---- */

static uint64_t zero_block[8]; /* state after Z_pad, the block of zeros; set once by start */

/* Pads a tail of len bytes that ends a message of before + len bytes; returns its length. */
static size_t pad(uint8_t *tail, size_t len, size_t before)
{
    size_t total = before + len, blocks = (total + PSI_SHA512_PAD + PSI_SHA512_BLOCK - 1) / PSI_SHA512_BLOCK;
    size_t end = len + (blocks * PSI_SHA512_BLOCK - total);
    memset(tail + len, 0, end - len);
    tail[len] = 0x80;
    psi_sha512_store(tail + end - 8, 8 * (uint64_t)total);
    return end;
}

static psi_expand_sizes prepare(psi_expand_job *job, const uint8_t *prefix, size_t prefix_len, size_t len,
                                const uint8_t *dst, size_t dst_len)
{
    psi_expand_sizes z;
    SHA512_CTX c;
    size_t whole = prefix_len - prefix_len % PSI_SHA512_BLOCK;
    uint8_t *p = job->tail0;
    SHA512_Init(&c);
    for (unsigned j = 0; j < 8; j++)
        c.h[j] = zero_block[j];
    SHA512_Update(&c, prefix, whole);
    for (unsigned j = 0; j < 8; j++)
        job->start[j] = c.h[j];
    z.prefix = prefix_len - whole;
    z.len = len;
    if (z.prefix)
        memcpy(job->prefix, prefix + whole, z.prefix);
    *p++ = 0;
    *p++ = 64; /* bytes that are wanted */
    *p++ = 0;
    memcpy(p, dst, dst_len);
    p[dst_len] = (uint8_t)dst_len;
    job->tail1[0] = 1; /* number of the block */
    memcpy(job->tail1 + 1, p, dst_len + 1);
    z.tail0 = pad(job->tail0, 3 + dst_len + 1, PSI_SHA512_BLOCK + prefix_len + len);
    z.tail1 = pad(job->tail1, 1 + dst_len + 1, 64);
    PSI_CHECK(z.tail0 <= sizeof job->tail0 && z.tail1 <= sizeof job->tail1);
    return z;
}

static tally_status expand_by(const psi_expand_backend *backend, uint8_t (*out64)[64], const void *prefix,
                              size_t prefix_len, const uint8_t *msgs, size_t len, size_t n,
                              const uint8_t *dst, size_t dst_len)
{
    psi_expand_job job; /* all public */
    if (!dst_len || dst_len > 255) {
        psi_wipe(out64, n * sizeof *out64);
        return TALLY_ERR_INTERNAL;
    }
    psi_expand_sizes sizes = prepare(&job, prefix, prefix_len, len, dst, dst_len);
    backend->many(out64, &job, sizes, msgs, n);
    return TALLY_OK;
}

/* ---- Choice ---- */

static const psi_expand_backend *backends[3] = {&portable};
static size_t backend_count = 1;
static const psi_expand_backend *chosen = &portable;
static pthread_once_t once = PTHREAD_ONCE_INIT;

#if defined(__x86_64__)
/* A vector and one message more, of several lengths, against the portable way. */
static int agrees(const psi_expand_backend *b)
{
    enum { COUNT = 9, LEN = 150 };
    static const uint8_t dst[] = "check at start";
    uint8_t msgs[COUNT * LEN], here[COUNT][64], there[COUNT][64];
    int same = 1;
    for (size_t i = 0; i < sizeof msgs; i++)
        msgs[i] = (uint8_t)(i * i + 7 * i);
    for (size_t len = LEN; len > 0; len /= 8) {
        same &= !expand_by(b, here, "prefix", 6, msgs, len, COUNT, dst, sizeof dst - 1) &&
                !expand_by(&portable, there, "prefix", 6, msgs, len, COUNT, dst, sizeof dst - 1);
        same &= memcmp(here, there, sizeof here) == 0; /* public: of the messages above */
    }
    return same;
}

/* One that computes anything else on this machine is not used. */
static void offer(const psi_expand_backend *b, unsigned needs)
{
    if (!(psi_cpu_all() & needs) || !agrees(b))
        return;
    backends[backend_count++] = b;
    if (psi_cpu() & needs)
        chosen = b;
}
#endif

static void start(void)
{
    static const uint8_t z_pad[PSI_SHA512_BLOCK];
    SHA512_CTX c;
    SHA512_Init(&c);
    SHA512_Transform(&c, z_pad);
    for (unsigned j = 0; j < 8; j++)
        zero_block[j] = c.h[j];
#if defined(__x86_64__)
    offer(&psi_expand_avx2, PSI_CPU_AVX2);
    offer(&psi_expand_avx512, PSI_CPU_AVX512);
#endif
}

const psi_expand_backend *psi_expand(void)
{
    pthread_once(&once, start);
    return chosen;
}

const char *psi_expand_name(const psi_expand_backend *backend)
{
    return backend->name;
}

const psi_expand_backend *const *psi_expand_backends(size_t *count)
{
    pthread_once(&once, start);
    *count = backend_count;
    return backends;
}

tally_status psi_expand64_by(const psi_expand_backend *backend, uint8_t (*out64)[64], const void *prefix,
                             size_t prefix_len, const uint8_t *msgs, size_t len, size_t n, const uint8_t *dst,
                             size_t dst_len)
{
    pthread_once(&once, start);
    return expand_by(backend, out64, prefix, prefix_len, msgs, len, n, dst, dst_len);
}

tally_status psi_expand64(uint8_t (*out64)[64], const void *prefix, size_t prefix_len, const uint8_t *msgs,
                          size_t len, size_t n, const uint8_t *dst, size_t dst_len)
{
    /* A vector takes the time of two to three messages by OpenSSL, whatever it carries. */
    const psi_expand_backend *backend = n > 2 ? psi_expand() : &portable;
    return psi_expand64_by(backend, out64, prefix, prefix_len, msgs, len, n, dst, dst_len);
}
