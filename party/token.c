/* SPDX-License-Identifier: Apache-2.0 */
#include "party/error.h"
#include "party/token_impl.h"
#include "psi/hash.h"
#include "psi/mem.h"
#include "psi/rng.h"

#include <dlfcn.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define SLOTS_MAX 64
#define URI_MAX 2048
/* A token that another program is logging in to is out of sight for a moment (SoftHSM): it is looked for
 * again, by a module that starts anew. */
#define TRIES 8
#define PAUSE_MS 100

/* ---- Modules ---- */

/* A module is loaded once and stays: some crash when they are unloaded. It is initialised while it has users.
 */
struct party_token_module {
    struct party_token_module *next;
    char *path;
    CK_FUNCTION_LIST *f;
    unsigned users;
    int ours; /* we initialised it, and not the program around us */
};

static pthread_mutex_t modules_lock = PTHREAD_MUTEX_INITIALIZER;
static struct party_token_module *modules;

/* modules_lock is held. */
static struct party_token_module *find_module(const char *path, tally_error *error)
{
    struct party_token_module *m = modules;
    while (m && strcmp(m->path, path) != 0)
        m = m->next;
    if (m)
        return m;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CK_C_GetFunctionList get = NULL;
    if (handle) {
        void *symbol = dlsym(handle, "C_GetFunctionList");
        memcpy(&get, &symbol, sizeof get); /* ISO C has no cast from an object to a function */
    }
    CK_FUNCTION_LIST *f = NULL;
    if (!get || get(&f) != CKR_OK || !f) {
        party_fail(error, TALLY_ERR_FILE, "%s: no PKCS#11 module can be loaded from there", path);
        party_hint(error, "name the module of your token: module-path=FILE in the URI; without one "
                          "p11-kit-proxy.so of the package p11-kit is taken");
        return NULL;
    }
    m = psi_calloc(1, sizeof *m);
    if (m)
        m->path = psi_calloc(strlen(path) + 1, 1);
    if (!m || !m->path) {
        psi_free(m);
        party_no_memory(error, "a PKCS#11 module");
        return NULL;
    }
    memcpy(m->path, path, strlen(path));
    m->f = f;
    m->next = modules;
    modules = m;
    return m;
}

static struct party_token_module *use_module(const char *path, tally_error *error)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    pthread_mutex_lock(&modules_lock);
    struct party_token_module *m = find_module(path, error);
    if (m && !m->users) {
        CK_RV rv = m->f->C_Initialize(&args);
        m->ours = rv == CKR_OK;
        if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
            party_fail(error, TALLY_ERR_FILE, "%s: the PKCS#11 module cannot start (0x%lx)", path, rv);
            party_hint(error, "check the module's own settings, and that this user may read them");
            m = NULL;
        }
    }
    if (m)
        m->users++;
    pthread_mutex_unlock(&modules_lock);
    return m;
}

static void leave_module(struct party_token_module *m)
{
    if (!m)
        return;
    pthread_mutex_lock(&modules_lock);
    if (--m->users == 0 && m->ours)
        m->f->C_Finalize(NULL);
    pthread_mutex_unlock(&modules_lock);
}

/* ---- Finding the token and the key ---- */

/* A field of fixed width, filled with blanks. */
static int field_is(const unsigned char *field, size_t width, const char *text)
{
    size_t len = strlen(text);
    if (!len)
        return 1;
    if (len > width || memcmp(field, text, len) != 0)
        return 0;
    for (size_t i = len; i < width; i++)
        if (field[i] != ' ' && field[i] != 0)
            return 0;
    return 1;
}

static tally_status find_token(party_token *t, const party_token_uri *u, const char *where, CK_SLOT_ID *slot,
                               CK_TOKEN_INFO *out, tally_error *error)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = SLOTS_MAX;
    unsigned found = 0;
    if (t->f->C_GetSlotList(CK_TRUE, slots, &count) != CKR_OK)
        count = 0;
    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO info;
        if (t->f->C_GetTokenInfo(slots[i], &info) != CKR_OK ||
            !field_is(info.label, sizeof info.label, u->token) ||
            !field_is(info.serialNumber, sizeof info.serialNumber, u->serial) ||
            !field_is(info.manufacturerID, sizeof info.manufacturerID, u->manufacturer) ||
            !field_is(info.model, sizeof info.model, u->model) || !(info.flags & CKF_TOKEN_INITIALIZED))
            continue;
        found++;
        *slot = slots[i];
        *out = info;
    }
    if (found == 1) {
        char label[33];
        memcpy(label, out->label, 32);
        label[32] = 0;
        for (size_t i = 32; i && label[i - 1] == ' '; i--)
            label[i - 1] = 0;
        party_printable(t->name, sizeof t->name, label);
        return TALLY_OK;
    }
    if (found) {
        party_fail(error, TALLY_ERR_FILE, "%s: %u tokens are of this description", where, found);
        party_hint(error, "add its serial to the URI: ;serial=...");
    } else {
        party_fail(error, TALLY_ERR_FILE, "%s: the token is not there", where);
        party_hint(error, "put it in, or check token= in the URI; pkcs11-tool --list-token-slots shows what "
                          "the module sees");
    }
    return TALLY_ERR_FILE;
}

/* The first line of a file that only we may read. */
static tally_status read_pin(party_passphrase *pin, const char *path, tally_error *error)
{
    BIO *bio = NULL;
    tally_status st = party_identity_read(&bio, path, 1, TALLY_IDENTITY_CREDENTIAL, error);
    if (st)
        return st;
    int n = BIO_gets(bio, pin->text, TALLY_PASSPHRASE_MAX);
    BIO_free(bio);
    while (n > 0 && (pin->text[n - 1] == '\n' || pin->text[n - 1] == '\r'))
        n--;
    if (n <= 0)
        return party_fail(error, TALLY_ERR_FILE, "%s: there is no PIN in it", path);
    pin->text[n] = 0;
    pin->len = (size_t)n;
    return TALLY_OK;
}

static tally_status log_in(party_token *t, const party_token_uri *u, const char *where,
                           const CK_TOKEN_INFO *info, party_passphrase *p, tally_error *error)
{
    CK_SESSION_INFO state;
    if (!(info->flags & CKF_LOGIN_REQUIRED) ||
        (t->f->C_GetSessionInfo(t->session, &state) == CKR_OK && state.state == CKS_RO_USER_FUNCTIONS))
        return TALLY_OK;
    if (info->flags & (CKF_USER_PIN_LOCKED | CKF_USER_PIN_FINAL_TRY)) {
        if (info->flags & CKF_USER_PIN_LOCKED)
            party_fail(error, TALLY_ERR_AUTH, "%s: the PIN of the token %s is locked", where, t->name);
        else
            party_fail(error, TALLY_ERR_AUTH,
                       "%s: one more wrong PIN would lock the token %s, so none is tried", where, t->name);
        party_hint(error,
                   "log in once with the token's own tools, which resets the count, or unlock it there");
        return TALLY_ERR_AUTH;
    }
    party_passphrase *own = psi_secret_calloc(1, sizeof *own), *pin = *u->pin_source ? own : p;
    if (!own)
        return party_no_memory(error, "a PIN");
    tally_status st =
        *u->pin_source ? read_pin(own, u->pin_source, error) : party_passphrase_get(p, where, error);
    CK_RV rv = CKR_OK;
    if (!st)
        rv = t->f->C_Login(t->session, CKU_USER, (CK_UTF8CHAR *)pin->text, pin->len);
    psi_secret_free(own);
    if (st || rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
        return st;
    if (rv == CKR_PIN_INCORRECT || rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE) {
        party_fail(error, TALLY_ERR_AUTH, "%s: the token %s does not take the PIN", where, t->name);
        party_hint(error,
                   "check it before you try again: tokens lock after a few wrong ones; it was tried once");
    } else if (rv == CKR_PIN_LOCKED) {
        party_fail(error, TALLY_ERR_AUTH, "%s: the PIN of the token %s is locked", where, t->name);
        party_hint(error, "unlock it with the token's own tools");
    } else {
        party_fail(error, TALLY_ERR_AUTH, "%s: no login at the token %s (0x%lx)", where, t->name, rv);
        party_hint(error, "check it with the token's own tools: pkcs11-tool --login --list-objects");
    }
    return TALLY_ERR_AUTH;
}

static tally_status find_key(party_token *t, party_token_uri *u, const char *where, tally_error *error)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted[3] = {{CKA_CLASS, &class, sizeof class}};
    CK_ULONG n = 1, found = 0;
    CK_OBJECT_HANDLE keys[2];
    if (*u->object)
        wanted[n++] = (CK_ATTRIBUTE){CKA_LABEL, u->object, strlen(u->object)};
    if (u->id_len)
        wanted[n++] = (CK_ATTRIBUTE){CKA_ID, u->id, u->id_len};
    if (t->f->C_FindObjectsInit(t->session, wanted, n) == CKR_OK) {
        if (t->f->C_FindObjects(t->session, keys, 2, &found) != CKR_OK)
            found = 0;
        t->f->C_FindObjectsFinal(t->session);
    }
    if (found == 1) {
        t->key = keys[0];
        return TALLY_OK;
    }
    if (found) {
        party_fail(error, TALLY_ERR_FILE, "%s: several private keys of the token %s are of this description",
                   where, t->name);
        party_hint(error, "add the key's id to the URI: ;id=%%01");
    } else {
        party_fail(error, TALLY_ERR_FILE, "%s: the token %s has no such private key", where, t->name);
        party_hint(error, "check object= and id= in the URI: pkcs11-tool --login --list-objects");
    }
    return TALLY_ERR_FILE;
}

/* ---- Signing ---- */

int party_token_sign(party_token *t, CK_MECHANISM *mechanism, const unsigned char *data, size_t data_len,
                     unsigned char *out, size_t *len)
{
    CK_ULONG got = *len;
    unsigned char *copy = psi_calloc(data_len + 1, 1); /* modules take no const */
    if (!copy)
        return 0;
    memcpy(copy, data, data_len);
    pthread_mutex_lock(&t->lock);
    CK_RV rv = t->f->C_SignInit(t->session, mechanism, t->key);
    if (rv == CKR_OK)
        rv = t->f->C_Sign(t->session, copy, data_len, out, &got);
    t->failed = rv;
    pthread_mutex_unlock(&t->lock);
    psi_free(copy);
    if (rv == CKR_OK)
        *len = got;
    return rv == CKR_OK;
}

tally_status party_token_failure(party_token *t, tally_error *error)
{
    pthread_mutex_lock(&t->lock);
    CK_RV rv = t->failed;
    pthread_mutex_unlock(&t->lock);
    if (rv == CKR_OK)
        return TALLY_OK;
    party_fail(error, TALLY_ERR_FILE,
               "the token %s did not sign (0x%lx): it was removed, or does not allow it", t->name, rv);
    party_hint(error,
               "put it in again and repeat the run; if it never signed, ask the token's vendor whether "
               "it has RSA-PSS, ECDSA or EdDSA for this key");
    return TALLY_ERR_FILE;
}

/* Does the key in the token belong to the certificate? It signs once, which also shows that it can. */
static tally_status try_key(party_token *t, EVP_PKEY *key, const char *where, tally_error *error)
{
    uint8_t text[64] = "tally: is this the key of the certificate? ", signature[1024];
    size_t len = sizeof signature, said = strlen((char *)text);
    const char *digest = t->kind == PARTY_TOKEN_ED25519 ? NULL : "SHA256";
    tally_status st = psi_random(text + said, sizeof text - said);
    if (st)
        return party_fail(error, st, "the random generator failed");
    EVP_MD_CTX *s = EVP_MD_CTX_new(), *v = EVP_MD_CTX_new();
    EVP_PKEY_CTX *settings = NULL;
    int made =
        s && v && EVP_DigestSignInit_ex(s, &settings, digest, psi_openssl(), NULL, key, NULL) == 1 &&
        (t->kind != PARTY_TOKEN_RSA || EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) > 0) &&
        EVP_DigestSign(s, signature, &len, text, sizeof text) == 1;
    int good =
        made &&
        EVP_DigestVerifyInit_ex(v, &settings, digest, psi_openssl(), NULL, t->public_key, NULL) == 1 &&
        (t->kind != PARTY_TOKEN_RSA || EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) > 0) &&
        EVP_DigestVerify(v, signature, len, text, sizeof text) == 1;
    EVP_MD_CTX_free(s);
    EVP_MD_CTX_free(v);
    ERR_clear_error();
    if (good)
        return TALLY_OK;
    if (!made) {
        st = party_token_failure(t, error);
        return st ? st : party_fail(error, TALLY_ERR_INTERNAL, "%s: the key cannot sign", where);
    }
    party_fail(error, TALLY_ERR_AUTH, "%s: the certificate is not of this key", where);
    party_hint(error, "put back the certificate that was made for the key, or name another key in the URI");
    return TALLY_ERR_AUTH;
}

/* ---- The whole ---- */

static tally_status find_kind(party_token *t, const char *where, tally_error *error)
{
    CK_KEY_TYPE type = 0;
    CK_ATTRIBUTE wanted = {CKA_KEY_TYPE, &type, sizeof type};
    if (t->f->C_GetAttributeValue(t->session, t->key, &wanted, 1) == CKR_OK) {
        static const struct {
            CK_KEY_TYPE type;
            const char *name;
            enum party_token_kind kind;
        } kinds[] = {{CKK_RSA, "RSA", PARTY_TOKEN_RSA},
                     {CKK_EC, "EC", PARTY_TOKEN_EC},
                     {CKK_EC_EDWARDS, "ED25519", PARTY_TOKEN_ED25519}};
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
            if (type == kinds[i].type && EVP_PKEY_is_a(t->public_key, kinds[i].name)) {
                t->kind = kinds[i].kind;
                return TALLY_OK;
            }
        }
    }
    party_fail(error, TALLY_ERR_AUTH,
               "%s: the certificate is not of this key, or it is of a kind that cannot "
               "be used in a token",
               where);
    party_hint(error, "keys in a token are RSA, EC or Ed25519; name another key in the URI");
    return TALLY_ERR_AUTH;
}

tally_status party_token_open(party_token **out, EVP_PKEY **key, const char *uri, const char *where,
                              X509 *cert, party_passphrase *p, tally_error *error)
{
    party_token_uri u;
    CK_SLOT_ID slot = 0;
    CK_TOKEN_INFO info = {.flags = 0};
    party_token *t = NULL;
    EVP_PKEY *made = NULL;
    tally_status st = party_token_uri_parse(&u, uri, where, error);
    if (st)
        return st;
    t = psi_calloc(1, sizeof *t);
    if (!t)
        return party_no_memory(error, "a token");
    pthread_mutex_init(&t->lock, NULL);
    t->public_key = X509_get_pubkey(cert);
    if (!t->public_key) {
        st = party_fail(error, TALLY_ERR_AUTH, "%s: the certificate has no readable key", where);
        goto done;
    }
    for (int left = TRIES; left > 0; left--) {
        t->module = use_module(*u.module ? u.module : "p11-kit-proxy.so", error);
        t->f = t->module ? t->module->f : NULL;
        st = t->module ? find_token(t, &u, where, &slot, &info, error) : TALLY_ERR_FILE;
        if (!st || !t->module || left == 1)
            break;
        leave_module(t->module);
        t->module = NULL;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
    }
    if (st)
        goto done;
    CK_RV rv = t->f->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &t->session);
    t->has_session = rv == CKR_OK;
    if (rv != CKR_OK) {
        st = party_fail(error, TALLY_ERR_FILE, "%s: the token %s cannot be used (0x%lx)", where, t->name, rv);
        goto done;
    }
    st = log_in(t, &u, where, &info, p, error);
    if (!st)
        st = find_key(t, &u, where, error);
    if (!st)
        st = find_kind(t, where, error);
    if (!st && !(made = party_token_key(t)))
        st = party_fail(error, TALLY_ERR_INTERNAL, "%s: OpenSSL does not take the key of a token", where);
    if (!st)
        st = try_key(t, made, where, error);
    if (st)
        goto done;
    *out = t;
    *key = made;
    t = NULL;
    made = NULL;
done:
    EVP_PKEY_free(made);
    party_token_free(t);
    ERR_clear_error();
    return st;
}

/* key.uri: the URI and nothing else. */
static tally_status read_uri(char uri[URI_MAX + 1], const char *path, tally_error *error)
{
    struct stat info;
    BIO *bio = NULL;
    if (stat(path, &info) == 0 && (info.st_mode & 022)) {
        party_fail(error, TALLY_ERR_FILE, "%s: others may write to it (mode %04o)", path,
                   (unsigned)(info.st_mode & 07777));
        party_hint(error, "it says which module is loaded: look at what it says, then run: chmod go-w '%s'",
                   path);
        return TALLY_ERR_FILE;
    }
    tally_status st = party_identity_read(&bio, path, 0, 0, error);
    if (st)
        return st;
    int n = BIO_read(bio, uri, URI_MAX);
    if (n == URI_MAX) /* longer than any that can be read */
        n = 0;
    BIO_free(bio);
    while (n > 0 && (uri[n - 1] == '\n' || uri[n - 1] == '\r' || uri[n - 1] == ' '))
        n--;
    uri[n > 0 ? n : 0] = 0;
    return TALLY_OK;
}

tally_status party_token_read(party_token **out, EVP_PKEY **key, const char *path, X509 *cert,
                              party_passphrase *p, tally_error *error)
{
    char uri[URI_MAX + 1];
    tally_status st = read_uri(uri, path, error);
    return st ? st : party_token_open(out, key, uri, path, cert, p, error);
}

tally_status party_token_named(char out[PARTY_TOKEN_TEXT], const char *path, tally_error *error)
{
    char uri[URI_MAX + 1];
    party_token_uri u;
    tally_status st = read_uri(uri, path, error);
    if (!st)
        st = party_token_uri_parse(&u, uri, path, error);
    if (!st)
        party_printable(out, PARTY_TOKEN_TEXT, u.token);
    return st;
}

void party_token_free(party_token *t)
{
    if (!t)
        return;
    if (t->has_session)
        t->f->C_CloseSession(t->session);
    leave_module(t->module);
    EVP_PKEY_free(t->public_key);
    pthread_mutex_destroy(&t->lock);
    psi_free(t);
}

const char *party_token_name(const party_token *t)
{
    return t->name;
}
