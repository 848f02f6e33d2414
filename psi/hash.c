/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/hash.h"

#include "psi/mem.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

#define BLOCK512 128 /* bytes of a SHA-512 block */
#define PARTS_MAX 8  /* parts of one message */

static const char *const texts[PSI_TAG_COUNT] = {
    [PSI_TAG_ITEM] = "tally/1 item",           [PSI_TAG_SID] = "tally/1 sid",
    [PSI_TAG_COMMIT] = "tally/1 commit",       [PSI_TAG_LIST] = "tally/1 list",
    [PSI_TAG_ECDH_INPUT] = "tally/1 input",    [PSI_TAG_ECDH_TAG] = "tally/1 ecdh",
    [PSI_TAG_OPRF_TAG] = "tally/1 oprf",       [PSI_TAG_VOLE_ID] = "tally/1 vole id",
    [PSI_TAG_VOLE_ROW] = "tally/1 volerow",    [PSI_TAG_VOLE_TAG] = "tally/1 voletag",
    [PSI_TAG_OT_SEED] = "tally/1 ot seed",     [PSI_TAG_OT_STRING] = "tally/1 ot str",
    [PSI_TAG_ROW_HASH] = "tally/1 rowhash",    [PSI_TAG_LABEL_KEY] = "tally/1 lblkey",
    [PSI_TAG_LABEL_SHARE] = "tally/1 lblshr",  [PSI_TAG_LABEL_POINT] = "tally/1 lblpnt",
    [PSI_TAG_LABEL_BOTH] = "tally/1 lblboth",  [PSI_TAG_DUMMY] = "tally/1 dummy",
    [PSI_TAG_RLWE_SEED] = "tally/1 rlwe",      [PSI_TAG_PAILLIER] = "tally/1 modulus",
    [PSI_TAG_AGREEMENT] = "tally/1 agreed",    [PSI_TAG_SIGN] = "tally/1 agrsign",
    [PSI_TAG_AGREED_FIELD] = "tally/1 agrfld", [PSI_TAG_SESSION] = "tally/1 session",
    [PSI_TAG_RESULT] = "tally/1 result",       [PSI_TAG_RECEIPT] = "tally/1 receipt",
    [PSI_TAG_LEAF] = "tally/1 leaf",           [PSI_TAG_SKETCH_KEY] = "tally/1 skchkey",
    [PSI_TAG_SKETCH] = "tally/1 sketch",       [PSI_TAG_ROTATION] = "tally/1 rotate",
};

const char *psi_tag_text(enum psi_tag tag)
{
    return texts[tag];
}

/* Made once for the process. The algorithms are shared by all threads: OpenSSL counts their references. */
static pthread_once_t openssl_once = PTHREAD_ONCE_INIT;
static OSSL_LIB_CTX *libctx;
static EVP_MD *sha256, *sha512;

static void start_openssl(void)
{
    libctx = OSSL_LIB_CTX_new();
    if (!libctx)
        return;
    sha256 = EVP_MD_fetch(libctx, "SHA256", NULL);
    sha512 = EVP_MD_fetch(libctx, "SHA512", NULL);
    if (sha256 && sha512)
        return;
    EVP_MD_free(sha512);
    EVP_MD_free(sha256);
    OSSL_LIB_CTX_free(libctx);
    libctx = NULL;
}

OSSL_LIB_CTX *psi_openssl(void)
{
    pthread_once(&openssl_once, start_openssl);
    return libctx;
}

struct psi_hash {
    EVP_MD_CTX *c256, *c512;
};

psi_hash *psi_hash_new(void)
{
    psi_hash *h = psi_openssl() ? psi_calloc(1, sizeof *h) : NULL;
    if (!h)
        return NULL;
    h->c256 = EVP_MD_CTX_new();
    h->c512 = EVP_MD_CTX_new();
    if (h->c256 && h->c512)
        return h;
    psi_hash_free(h);
    return NULL;
}

void psi_hash_free(psi_hash *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->c512); /* OpenSSL clears the states it frees */
    EVP_MD_CTX_free(h->c256);
    psi_free(h);
}

static tally_status checked(int openssl_ok)
{
    return openssl_ok == 1 ? TALLY_OK : TALLY_ERR_INTERNAL;
}

tally_status psi_hash_start(psi_hash *h, enum psi_tag tag)
{
    const char *text = psi_tag_text(tag);
    uint8_t len = (uint8_t)strlen(text);
    if (EVP_DigestInit_ex2(h->c256, sha256, NULL) != 1 || EVP_DigestUpdate(h->c256, &len, 1) != 1)
        return TALLY_ERR_INTERNAL;
    return psi_hash_add(h, text, len);
}

tally_status psi_hash_add(psi_hash *h, const void *p, size_t len)
{
    return checked(EVP_DigestUpdate(h->c256, p, len));
}

tally_status psi_hash_add_sized(psi_hash *h, const void *p, size_t len)
{
    uint8_t size[8];
    for (unsigned i = 0; i < 8; i++)
        size[i] = (uint8_t)((uint64_t)len >> (56 - 8 * i));
    tally_status st = psi_hash_add(h, size, sizeof size);
    return st ? st : psi_hash_add(h, p, len);
}

tally_status psi_hash_end(psi_hash *h, uint8_t out32[32])
{
    return checked(EVP_DigestFinal_ex(h->c256, out32, NULL));
}

tally_status psi_sha512(psi_hash *h, const psi_part *parts, size_t count, uint8_t out64[64])
{
    int ok = EVP_DigestInit_ex2(h->c512, sha512, NULL) == 1;
    for (size_t i = 0; ok && i < count; i++)
        ok = EVP_DigestUpdate(h->c512, parts[i].p, parts[i].len) == 1;
    return checked(ok && EVP_DigestFinal_ex(h->c512, out64, NULL) == 1);
}

tally_status psi_sha256(const void *p, size_t len, uint8_t out32[32])
{
    if (!psi_openssl())
        return TALLY_ERR_NO_MEMORY;
    return checked(EVP_Digest(p, len, out32, NULL, sha256, NULL));
}

tally_status psi_expand_message_xmd(psi_hash *h, const psi_part *msg, size_t msg_parts, const uint8_t *dst,
                                    size_t dst_len, uint8_t *out, size_t out_len)
{
    static const uint8_t z_pad[BLOCK512];
    uint8_t b0[64], block[64], tail[3 + 256]; /* two bytes length, zero, DST, one byte its length */
    psi_part parts[PARTS_MAX + 2] = {{z_pad, sizeof z_pad}};
    tally_status st = TALLY_ERR_INTERNAL;
    if (msg_parts > PARTS_MAX || !dst_len || dst_len > 255 || !out_len || out_len > 255 * sizeof block)
        goto done;
    tail[0] = (uint8_t)(out_len >> 8);
    tail[1] = (uint8_t)out_len;
    tail[2] = 0;
    memcpy(tail + 3, dst, dst_len);
    tail[3 + dst_len] = (uint8_t)dst_len;
    for (size_t i = 0; i < msg_parts; i++)
        parts[1 + i] = msg[i];
    parts[1 + msg_parts] = (psi_part){tail, 4 + dst_len};
    st = psi_sha512(h, parts, msg_parts + 2, b0);
    memset(block, 0, sizeof block);
    for (size_t done = 0, i = 1; !st && done < out_len; i++) {
        /* b_i = H(b_0 xor b_(i-1), i, DST'), where b_0 stands alone in b_1: the block is all zero then. i <=
         * 255. */
        uint8_t index = (uint8_t)i;
        for (size_t k = 0; k < sizeof block; k++)
            block[k] ^= b0[k];
        const psi_part next[] = {{block, sizeof block}, {&index, 1}, {tail + 3, dst_len + 1}};
        st = psi_sha512(h, next, 3, block);
        size_t n = out_len - done < sizeof block ? out_len - done : sizeof block;
        memcpy(out + done, block, n);
        done += n;
    }
done:
    if (st)
        psi_wipe(out, out_len);
    psi_wipe(b0, sizeof b0);
    psi_wipe(block, sizeof block);
    return st;
}
