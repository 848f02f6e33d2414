/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/label.h"

#include "psi/hash.h"
#include "psi/mem.h"

#include <openssl/evp.h>
#include <string.h>

#define NONCE 12 /* bytes, the size GCM uses without hashing */

struct psi_label {
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *aes;
};

psi_label *psi_label_new(void)
{
    psi_label *l = psi_openssl() ? psi_calloc(1, sizeof *l) : NULL;
    if (!l)
        return NULL;
    l->cipher = EVP_CIPHER_fetch(psi_openssl(), "AES-128-GCM", NULL);
    l->aes = EVP_CIPHER_CTX_new();
    if (l->cipher && l->aes)
        return l;
    psi_label_free(l);
    return NULL;
}

void psi_label_free(psi_label *l)
{
    if (!l)
        return;
    EVP_CIPHER_CTX_free(l->aes); /* wipes the key schedule */
    EVP_CIPHER_free(l->cipher);
    psi_free(l);
}

static const uint8_t nonce[NONCE] = {0};

tally_status psi_label_seal(psi_label *l, uint8_t *sealed, const uint8_t key[PSI_LABEL_KEY],
                            const psi_sid *sid, const uint8_t *label, size_t len)
{
    int n;
    if (EVP_EncryptInit_ex2(l->aes, l->cipher, key, nonce, NULL) &&
        EVP_EncryptUpdate(l->aes, NULL, &n, sid->b, sizeof sid->b) &&
        EVP_EncryptUpdate(l->aes, sealed, &n, label, (int)len) &&
        EVP_EncryptFinal_ex(l->aes, sealed + len, &n) &&
        EVP_CIPHER_CTX_ctrl(l->aes, EVP_CTRL_AEAD_GET_TAG, PSI_LABEL_TAG, sealed + len))
        return TALLY_OK;
    psi_wipe(sealed, len + PSI_LABEL_TAG);
    return TALLY_ERR_INTERNAL;
}

tally_status psi_label_open(psi_label *l, uint8_t *label, const uint8_t key[PSI_LABEL_KEY],
                            const psi_sid *sid, const uint8_t *sealed, size_t len)
{
    int n;
    uint8_t tag[PSI_LABEL_TAG];
    memcpy(tag, sealed + len, sizeof tag);
    tally_status st = TALLY_ERR_INTERNAL;
    if (EVP_DecryptInit_ex2(l->aes, l->cipher, key, nonce, NULL) &&
        EVP_DecryptUpdate(l->aes, NULL, &n, sid->b, sizeof sid->b) &&
        EVP_DecryptUpdate(l->aes, label, &n, sealed, (int)len) &&
        EVP_CIPHER_CTX_ctrl(l->aes, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag))
        st = EVP_DecryptFinal_ex(l->aes, label + len, &n) ? TALLY_OK : TALLY_ERR_MALFORMED;
    if (st)
        psi_wipe(label, len);
    return st;
}
