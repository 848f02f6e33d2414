/* SPDX-License-Identifier: Apache-2.0 */
/* Statements of rotation, the list of revoked keys, URIs of tokens, encrypted keys through the API. */
#include "party/identity.h"
#include "party/known.h"
#include "party/rotation.h"
#include "party/token.h"
#include "psi/hash.h"
#include "psi/mem.h"
#include "tests/support_cert.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DAY ((int64_t)86400)
#define NOW ((int64_t)1790000000)

static tally_identity *make(const char *name)
{
    char dir[256];
    tally_identity *id = NULL;
    tally_error error;
    snprintf(dir, sizeof dir, "%s/%s", unit_tmp(), name);
    if (tally_identity_create(dir, "A", &error) || tally_identity_load(dir, &id, &error))
        abort();
    return id;
}

static party_rotation statement(const tally_identity *id, uint8_t old, uint8_t new, int64_t from,
                                int64_t until)
{
    party_rotation r = {.from = from, .until = until};
    memset(r.old32, old, 32);
    memset(r.new32, new, 32);
    if (party_rotation_sign(&r, id))
        abort();
    return r;
}

static void test_text(void)
{
    tally_error error;
    tally_identity *id = make("text");
    party_rotation r = statement(id, 1, 2, NOW, NOW + DAY), back[PARTY_ROTATIONS_MAX];
    char text[2 * PARTY_ROTATION_TEXT], crlf[2 * PARTY_ROTATION_TEXT], again[PARTY_ROTATION_TEXT];
    size_t count = 0, len, used = 0;
    party_rotation_text(text, &r);
    len = strlen(text);
    CU_ASSERT_EQUAL_FATAL(party_rotation_parse(back, PARTY_ROTATIONS_MAX, &count, "f", text, len, &error),
                          TALLY_OK);
    CU_ASSERT_EQUAL(count, 1);
    party_rotation_text(again, &back[0]);
    CU_ASSERT_STRING_EQUAL(text, again);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n')
            crlf[used++] = '\r';
        crlf[used++] = text[i];
    }
    CU_ASSERT_EQUAL(party_rotation_parse(back, PARTY_ROTATIONS_MAX, &count, "f", crlf, used, &error),
                    TALLY_OK);
    /* No byte can be changed, and none left out at the end. */
    for (size_t i = 0; i < len; i++) {
        char was = text[i];
        text[i] = (char)(was == '3' ? '4' : '3');
        CU_ASSERT_NOT_EQUAL(party_rotation_parse(back, PARTY_ROTATIONS_MAX, &count, "f", text, len, &error),
                            TALLY_OK);
        text[i] = was;
        CU_ASSERT(i == 0 ||
                  party_rotation_parse(back, PARTY_ROTATIONS_MAX, &count, "f", text, i, &error) != TALLY_OK);
    }
    CU_ASSERT_EQUAL(party_rotation_parse(back, PARTY_ROTATIONS_MAX, &count, "f", text, 0, &error), TALLY_OK);
    CU_ASSERT_EQUAL(count, 0);
    tally_identity_free(id);
}

static enum party_pin_state judge(const party_rotation *r, size_t n, const tally_identity *id, uint8_t agreed,
                                  uint8_t shown, int64_t now, int64_t *until)
{
    uint8_t a[32], s[32];
    memset(a, agreed, 32);
    memset(s, shown, 32);
    return party_rotation_judge(r, n, tally_identity_signing_fingerprint(id), a, s, now, until);
}

static void test_judge(void)
{
    int64_t until;
    tally_identity *id = make("one"), *other = make("other");
    /* 1 -> 2 -> 3, told in any order; 1 -> 9 by a stranger; 7 -> 8 leads nowhere. */
    party_rotation r[] = {statement(id, 2, 3, NOW + 10 * DAY, NOW + 20 * DAY),
                          statement(other, 1, 9, NOW, NOW + DAY), statement(id, 7, 8, NOW, NOW + DAY),
                          statement(id, 1, 2, NOW, NOW + 5 * DAY)};
    const size_t n = sizeof r / sizeof *r;
    CU_ASSERT_EQUAL(judge(NULL, 0, id, 1, 1, NOW, &until), PARTY_PIN_CURRENT);
    CU_ASSERT_EQUAL(judge(NULL, 0, id, 1, 2, NOW, &until), PARTY_PIN_OTHER);
    CU_ASSERT_EQUAL(judge(r, n, id, 1, 1, NOW, &until), PARTY_PIN_CURRENT);
    CU_ASSERT_EQUAL(until, NOW + 5 * DAY);
    CU_ASSERT_EQUAL(judge(r, n, id, 1, 2, NOW, &until), PARTY_PIN_CURRENT);
    CU_ASSERT_EQUAL(until, NOW + 20 * DAY);
    CU_ASSERT_EQUAL(judge(r, n, id, 1, 2, NOW - 301, &until), PARTY_PIN_EARLY);
    CU_ASSERT_EQUAL(judge(r, n, id, 1, 2, NOW - 300, &until), PARTY_PIN_CURRENT);
    CU_ASSERT_EQUAL(judge(r, n, id, 1, 1, NOW + 5 * DAY + 300, &until), PARTY_PIN_CURRENT);
    CU_ASSERT_EQUAL(judge(r, n, id, 1, 1, NOW + 5 * DAY + 301, &until), PARTY_PIN_RETIRED);
    CU_ASSERT_EQUAL(judge(r, n, id, 1, 3, NOW, &until), PARTY_PIN_EARLY);
    CU_ASSERT_EQUAL(judge(r, n, id, 1, 3, NOW + 11 * DAY, &until), PARTY_PIN_CURRENT);
    CU_ASSERT_EQUAL(until, 0);
    CU_ASSERT_EQUAL(judge(r, n, id, 1, 9, NOW, &until), PARTY_PIN_OTHER);
    CU_ASSERT_EQUAL(judge(r, n, id, 1, 8, NOW, &until), PARTY_PIN_OTHER);
    CU_ASSERT_EQUAL(judge(r, n, other, 1, 2, NOW, &until), PARTY_PIN_OTHER);
    /* An agreement that names the second key does not follow back. */
    CU_ASSERT_EQUAL(judge(r, n, id, 2, 1, NOW, &until), PARTY_PIN_OTHER);
    /* A circle ends. */
    party_rotation circle[] = {statement(id, 1, 2, NOW, NOW + DAY), statement(id, 2, 1, NOW, NOW + DAY)};
    CU_ASSERT_EQUAL(judge(circle, 2, id, 1, 1, NOW, &until), PARTY_PIN_CURRENT);
    CU_ASSERT_EQUAL(judge(circle, 2, id, 1, 1, NOW + 2 * DAY, &until), PARTY_PIN_RETIRED);
    tally_identity_free(id);
    tally_identity_free(other);
}

static void test_times(void)
{
    int64_t seconds;
    char text[32];
    party_utc_text(text, NOW);
    CU_ASSERT_STRING_EQUAL(text, "2026-09-21T14:13:20Z");
    CU_ASSERT(party_utc_parse(text, 20, &seconds) && seconds == NOW);
    CU_ASSERT(!party_utc_parse("2026-02-30T00:00:00Z", 20, &seconds));
    CU_ASSERT(!party_utc_parse("2026-09-21 14:13:20Z", 20, &seconds));
    CU_ASSERT(!party_utc_parse("2026-09-21T14:13:20", 19, &seconds));
}

static void test_revoked(void)
{
    static const char good[] =
        "sha256:0101010101010101010101010101010101010101010101010101010101010101 2026-09-21T14:13:20Z \n"
        "sha256:0202020202020202020202020202020202020202020202020202020202020202 2026-09-21T14:13:20Z a b\n";
    tally_error error;
    party_known known = {.revoked = NULL};
    uint8_t pin[32];
    memset(pin, 2, sizeof pin);
    CU_ASSERT_EQUAL(party_revoked_parse(&known, "f", good, sizeof good - 1, &error), TALLY_OK);
    CU_ASSERT_EQUAL(known.revoked_count, 2);
    CU_ASSERT_STRING_EQUAL(party_known_revoked(&known, pin)->reason, "a b");
    pin[31] = 3;
    CU_ASSERT_PTR_NULL(party_known_revoked(&known, pin));
    CU_ASSERT_EQUAL(party_revoked_parse(&known, "f", good, sizeof good - 2, &error), TALLY_ERR_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "f:2"));
    CU_ASSERT_EQUAL(party_revoked_parse(&known, "f", "\n", 1, &error), TALLY_ERR_INPUT);
    CU_ASSERT_EQUAL(known.revoked_count, 2);
    psi_free(known.revoked);
}

static void test_uri(void)
{
    static const char *const bad[] = {"",
                                      "pkcs11:",
                                      "pkcs11:token=a",
                                      "pkcs11:object=",
                                      "pkcs11:object=%zz",
                                      "pkcs11:object=%4",
                                      "pkcs11:object=a%00",
                                      "pkcs11:object=a;object=b",
                                      "pkcs11:object=a;type=cert",
                                      "pkcs11:object=a;x=y",
                                      "pkcs11:object=a?pin-value=1",
                                      "file:object=a"};
    tally_error error;
    party_token_uri u;
    CU_ASSERT_EQUAL_FATAL(
        party_token_uri_parse(
            &u,
            "pkcs11:token=My%20token;object=k;id=%01%ff;type=private?module-path=/m.so&pin-source=file:/p",
            "w", &error),
        TALLY_OK);
    CU_ASSERT_STRING_EQUAL(u.token, "My token");
    CU_ASSERT_STRING_EQUAL(u.object, "k");
    CU_ASSERT_STRING_EQUAL(u.module, "/m.so");
    CU_ASSERT_STRING_EQUAL(u.pin_source, "/p");
    CU_ASSERT(u.id_len == 2 && u.id[0] == 1 && u.id[1] == 0xff);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_EQUAL(party_token_uri_parse(&u, bad[i], "w", &error), TALLY_ERR_INPUT);
}

typedef struct given {
    const char *text;
    int calls;
} given;

static int64_t give(void *user, const char *what, char *out, size_t size)
{
    given *g = user;
    (void)what;
    g->calls++;
    size_t len = g->text ? strlen(g->text) : 0;
    if (!len || len > size)
        return -1;
    memcpy(out, g->text, len);
    return (long)len;
}

static void test_passphrase(void)
{
    char dir[256];
    tally_error error;
    tally_identity *id = NULL;
    given right = {.text = "right"}, wrong = {.text = "wrong"}, none = {.text = NULL};
    snprintf(dir, sizeof dir, "%s/sealed", unit_tmp());
    CU_ASSERT_EQUAL(tally_identity_create_with(dir, "A", 10, give, &none, &error), TALLY_ERR_FILE);
    struct stat info;
    CU_ASSERT_NOT_EQUAL(stat(dir, &info), 0);
    CU_ASSERT_EQUAL(tally_identity_create_with(dir, "A", 0, give, &right, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL_FATAL(tally_identity_create_with(dir, "A", 10, give, &right, &error), TALLY_OK);
    right.calls = 0;
    CU_ASSERT_EQUAL(tally_identity_load(dir, &id, &error), TALLY_ERR_FILE);
    CU_ASSERT_EQUAL(tally_identity_load_with(dir, 0, give, &none, &id, &error), TALLY_ERR_FILE);
    CU_ASSERT_EQUAL(none.calls, 2);
    CU_ASSERT_EQUAL(tally_identity_load_with(dir, 0, give, &wrong, &id, &error), TALLY_ERR_AUTH);
    CU_ASSERT_PTR_NULL(strstr(error.message, "wrong"));
    CU_ASSERT_EQUAL_FATAL(tally_identity_load_with(dir, 0, give, &right, &id, &error), TALLY_OK);
    CU_ASSERT_EQUAL(right.calls, 1);
    CU_ASSERT(id->key_encrypted && id->sign_encrypted);
    tally_identity_free(id);
}

/* Without the passphrase: all that is public, and no use of a key. */
static void test_public(void)
{
    char dir[256];
    tally_error error;
    tally_identity *id = NULL, *whole = NULL;
    given right = {.text = "right"};
    uint8_t signature[64];
    snprintf(dir, sizeof dir, "%s/shown", unit_tmp());
    CU_ASSERT_EQUAL_FATAL(tally_identity_create_with(dir, "A", 10, give, &right, &error), TALLY_OK);
    right.calls = 0;
    CU_ASSERT_EQUAL_FATAL(tally_identity_load_with(dir, TALLY_IDENTITY_PUBLIC, give, &right, &id, &error),
                          TALLY_OK);
    CU_ASSERT_EQUAL(right.calls, 0);
    CU_ASSERT_EQUAL_FATAL(tally_identity_load_with(dir, 0, give, &right, &whole, &error), TALLY_OK);
    char *a = tally_identity_json(id), *b = tally_identity_json(whole);
    CU_ASSERT_STRING_EQUAL(a, b);
    free(a);
    free(b);
    CU_ASSERT(id->key == NULL && id->sign == NULL);
    CU_ASSERT_EQUAL(party_identity_usable(id, &error), TALLY_ERR_USAGE);
    CU_ASSERT_NOT_EQUAL(party_sign(id, "x", 1, signature), TALLY_OK);
    tally_identity_free(id);
    tally_identity_free(whole);
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    if (!f || fputs(text, f) < 0 || fclose(f))
        abort();
}

/* An interrupted rotation: a key in next/ that no statement names is not put in place. */
static void test_finish(void)
{
    char dir[256], path[300];
    tally_error error;
    struct stat info;
    snprintf(dir, sizeof dir, "%s/halfway", unit_tmp());
    CU_ASSERT_EQUAL_FATAL(tally_identity_create(dir, "A", &error), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(tally_identity_rotate(dir, 5, 10, NULL, NULL, NULL, &error), TALLY_OK);
    snprintf(path, sizeof path, "%s/rotations", dir);
    put(path, "");
    CU_ASSERT_EQUAL(tally_identity_rotate_finish(dir, &error), TALLY_ERR_FILE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "no statement"));
    snprintf(path, sizeof path, "%s/next/key.pem", dir);
    CU_ASSERT_EQUAL(stat(path, &info), 0);
}

/* A home knows more statements than one identity makes; its files follow who may read the folder. */
static void test_home(void)
{
    char dir[256], path[300], text[PARTY_ROTATION_TEXT];
    char *const folders[] = {dir};
    tally_error error;
    struct stat info;
    party_known *known = NULL;
    tally_identity *id = make("home");
    snprintf(path, sizeof path, "%s/many", unit_tmp());
    FILE *f = fopen(path, "we");
    for (unsigned i = 0; f && i < PARTY_ROTATIONS_MAX + 8; i++) {
        party_rotation r = statement(id, (uint8_t)i, (uint8_t)(i + 1), NOW, NOW + DAY);
        party_rotation_text(text, &r);
        fputs(text, f);
    }
    if (!f || fclose(f))
        abort();
    snprintf(dir, sizeof dir, "%s/peers", unit_tmp());
    CU_ASSERT_EQUAL(tally_peers_add_rotation(dir, path, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_peers_add_rotation(dir, path, &error), TALLY_OK);
    CU_ASSERT_EQUAL_FATAL(party_known_load(&known, folders, 1, &error), TALLY_OK);
    CU_ASSERT_EQUAL(known->rotation_count, PARTY_ROTATIONS_MAX + 8);
    int64_t until;
    CU_ASSERT_EQUAL(
        judge(known->rotations, known->rotation_count, id, 0, PARTY_ROTATIONS_MAX + 8, NOW, &until),
        PARTY_PIN_CURRENT);
    party_known_free(known);
    snprintf(path, sizeof path, "%s/rotations", dir);
    CU_ASSERT(stat(path, &info) == 0 && (info.st_mode & 0777) == 0600);
    CU_ASSERT_EQUAL(chmod(dir, 0755), 0);
    CU_ASSERT_EQUAL(tally_peers_revoke(dir, tally_identity_fingerprint(id), NULL, &error), TALLY_OK);
    snprintf(path, sizeof path, "%s/revoked", dir);
    CU_ASSERT(stat(path, &info) == 0 && (info.st_mode & 0777) == 0644);
    /* As many revoked keys as the list holds, and one more. */
    f = fopen(path, "we");
    for (unsigned i = 0; f && i < PARTY_REVOKED_MAX; i++)
        fprintf(f, "sha256:%064x 2026-09-21T14:13:20Z \n", i);
    if (!f || fclose(f))
        abort();
    CU_ASSERT_EQUAL(tally_peers_revoke(dir, tally_identity_fingerprint(id), NULL, &error), TALLY_ERR_INPUT);
    CU_ASSERT_EQUAL(party_known_load(&known, folders, 1, &error), TALLY_OK);
    party_known_free(known);
    tally_identity_free(id);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"text", test_text},       {"judge", test_judge},   {"times", test_times},
        {"revoked", test_revoked}, {"uri", test_uri},       {"passphrase", test_passphrase},
        {"public", test_public},   {"finish", test_finish}, {"home", test_home}};
    return unit_main(argc, argv, "rotation", tests, sizeof tests / sizeof *tests);
}
