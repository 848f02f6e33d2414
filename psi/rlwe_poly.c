/* SPDX-License-Identifier: Apache-2.0 */
/* Polynomials from and to bytes, from the public stream, and from coins. */
#include "psi/rlwe_ring.h"

#include "psi/hash.h"
#include "psi/mem.h"
#include "psi/verify.h"

#include <openssl/evp.h>
#include <string.h>

#define N PSI_RLWE_N
#define MASK (((uint64_t)1 << PSI_RLWE_RESIDUE) - 1)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are copied as they lie");

/* Eight residues are 53 bytes: six words and five bytes. */
void psi_rlwe_pack(uint8_t out[PSI_RLWE_SHARE], const int64_t x[N])
{
    for (size_t j = 0; j < N; j += 8, out += PSI_RLWE_RESIDUE) {
        uint64_t v[8];
        for (unsigned i = 0; i < 8; i++)
            v[i] = (uint64_t)x[j + i];
        const uint64_t words[7] = {v[0] | v[1] << 53,
                                   v[1] >> 11 | v[2] << 42,
                                   v[2] >> 22 | v[3] << 31,
                                   v[3] >> 33 | v[4] << 20,
                                   v[4] >> 44 | v[5] << 9 | v[6] << 62,
                                   v[6] >> 2 | v[7] << 51,
                                   v[7] >> 13};
        memcpy(out, words, PSI_RLWE_RESIDUE);
    }
}

uint64_t psi_rlwe_unpack(int64_t *x, const uint8_t in[PSI_RLWE_SHARE], size_t at, size_t n, unsigned prime)
{
    uint64_t bad = 0, top = (uint64_t)psi_rlwe_primes[prime].q - 1;
    PSI_CHECK(at % 8 == 0 && n % 8 == 0 && at + n <= N);
    in += at / 8 * PSI_RLWE_RESIDUE;
    for (size_t j = 0; j < n; j += 8, in += PSI_RLWE_RESIDUE) {
        uint64_t w[7] = {0};
        memcpy(w, in, PSI_RLWE_RESIDUE);
        const uint64_t v[8] = {w[0],
                               w[0] >> 53 | w[1] << 11,
                               w[1] >> 42 | w[2] << 22,
                               w[2] >> 31 | w[3] << 33,
                               w[3] >> 20 | w[4] << 44,
                               w[4] >> 9,
                               w[4] >> 62 | w[5] << 2,
                               w[5] >> 51 | w[6] << 13};
        for (unsigned i = 0; i < 8; i++) {
            bad |= (top - (v[i] & MASK)) >> 63;
            x[j + i] = (int64_t)(v[i] & MASK);
        }
    }
    return bad;
}

/* ---- Public polynomials ---- */

tally_status psi_rlwe_stream_open(psi_rlwe_stream *s, const uint8_t key16[16])
{
    OSSL_LIB_CTX *library = psi_openssl();
    s->ctx = NULL;
    s->aes = library ? EVP_CIPHER_fetch(library, "AES-128-CTR", NULL) : NULL;
    if (!s->aes || !(s->ctx = EVP_CIPHER_CTX_new()))
        return TALLY_ERR_NO_MEMORY;
    return EVP_EncryptInit_ex2(s->ctx, s->aes, key16, NULL, NULL) == 1 ? TALLY_OK : TALLY_ERR_INTERNAL;
}

void psi_rlwe_stream_close(psi_rlwe_stream *s)
{
    EVP_CIPHER_CTX_free(s->ctx);
    EVP_CIPHER_free(s->aes);
    s->ctx = NULL;
    s->aes = NULL;
}

tally_status psi_rlwe_stream_seek(psi_rlwe_stream *s, uint64_t number, unsigned prime)
{
    uint8_t nonce[16] = {0}; /* number, prime, and four bytes that count blocks: 2^32 of them */
    for (unsigned i = 0; i < 8; i++)
        nonce[i] = (uint8_t)(number >> (56 - 8 * i));
    nonce[8] = (uint8_t)prime;
    s->prime = prime;
    s->next = PSI_RLWE_PIECE;
    return EVP_EncryptInit_ex2(s->ctx, NULL, NULL, nonce, NULL) == 1 ? TALLY_OK : TALLY_ERR_INTERNAL;
}

tally_status psi_rlwe_stream_read(psi_rlwe_stream *s, int64_t *out, size_t n)
{
    static const uint64_t zero[PSI_RLWE_PIECE];
    uint64_t q = (uint64_t)psi_rlwe_primes[s->prime].q;
    size_t done = 0;
    PSI_CHECK(n <= PSI_RLWE_PIECE);
    while (done < n) {
        if (s->next == PSI_RLWE_PIECE) {
            int len;
            if (EVP_EncryptUpdate(s->ctx, (void *)s->buf, &len, (const void *)zero, sizeof zero) != 1)
                return TALLY_ERR_INTERNAL;
            s->next = 0;
        }
        /* As many words as are wanted, so that a residue left out never costs one that is kept. */
        size_t end = s->next + (n - done);
        end = end < PSI_RLWE_PIECE ? end : PSI_RLWE_PIECE;
        for (; s->next < end; s->next++) {
            uint64_t word = s->buf[s->next] & MASK;
            out[done] = (int64_t)word;
            done += word < q;
        }
    }
    return TALLY_OK;
}

/* ---- Samplers ---- */

/* One level of a bit-sliced count: the sum of n words of weight 1 gives one word of weight 1 (returned) and
 * words of weight 2, written over the first ones. */
static inline uint64_t count_level(uint64_t *w, size_t *n)
{
    uint64_t ones = w[0];
    size_t carries = 0, i = 1;
    for (; i + 1 < *n; i += 2) {
        uint64_t a = w[i], b = w[i + 1], half = ones ^ a;
        w[carries++] = (ones & a) | (half & b);
        ones = half ^ b;
    }
    if (i < *n) {
        uint64_t a = w[i];
        w[carries++] = ones & a;
        ones ^= a;
    }
    *n = carries;
    return ones;
}

void psi_rlwe_errors(psi_prg *prg, int64_t out[N])
{
    const uint64_t low = 0x0101010101010101;
    uint64_t coins[PSI_RLWE_COINS];
    for (size_t at = 0; at < N; at += 64) {
        psi_prg_bytes(prg, coins, sizeof coins);
        uint64_t plane[6]; /* bit b of 64 sums of 42 coins, sum below 2^6 */
        size_t n = PSI_RLWE_COINS;
        for (unsigned b = 0; b < 6; b++)
            plane[b] = count_level(coins, &n);
        for (unsigned i = 0; i < 8; i++) {
            uint64_t sums = 0; /* bits i, 8 + i, .. of the planes: eight sums, one in a byte */
            for (unsigned b = 0; b < 6; b++)
                sums |= (plane[b] >> i & low) << b;
            for (unsigned k = 0; k < 8; k++)
                out[at + 8 * i + k] = (int64_t)(sums >> (8 * k) & 0xff) - (int64_t)(PSI_RLWE_COINS / 2);
        }
        psi_wipe(plane, sizeof plane);
    }
    psi_wipe(coins, sizeof coins);
}

void psi_rlwe_ternary(psi_prg *prg, int64_t out[N])
{
    uint64_t words[64];
    for (size_t at = 0; at < N; at += 64) {
        psi_prg_bytes(prg, words, sizeof words);
        for (size_t j = 0; j < 64; j++)
            out[at + j] = (int64_t)(((psi_uwide)words[j] * 3) >> 64) - 1;
    }
    psi_wipe(words, sizeof words);
}
