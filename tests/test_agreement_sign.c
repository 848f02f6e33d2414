/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of agreements: which fit, which do not, and what their file may hold. */
#include "party/agreement.h"
#include "party/identity.h"
#include "party/io.h"
#include "psi/mem.h"
#include "tests/support_agreement.h"
#include "tests/support_cert.h"
#include "tests/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two organisations and an agreement that names their signing keys. */
typedef struct signers {
    tally_identity *bank, *agency;
    char *text;
} signers;

static tally_identity *made(const char *name)
{
    char dir[128];
    tally_identity *id = NULL;
    snprintf(dir, sizeof dir, "%s/%s", unit_tmp(), name);
    if (tally_identity_create(dir, name, NULL) || tally_identity_load(dir, &id, NULL))
        abort();
    return id;
}

/* The key whose fingerprint begins with the digit becomes another. */
static char *put_key(char *text, const char *field, char digit, const char *fingerprint)
{
    char old[40], key[100], wanted[100];
    snprintf(old, sizeof old, "%s: sha256:%c123abcd", field, digit);
    snprintf(key, sizeof key, "%.*s", (int)strlen(field) + 2 + 71, strstr(text, old));
    snprintf(wanted, sizeof wanted, "%s: %s", field, fingerprint);
    char *next = agreed_with(text, key, wanted);
    free(text);
    return next;
}

/* Both keys of a party; digit: of its signing key, that of its link key is one less. */
static char *name_key(char *text, char digit, const tally_identity *id)
{
    text = put_key(text, "link-key", (char)(digit - 1), tally_identity_fingerprint(id));
    return put_key(text, "signing-key", digit, tally_identity_signing_fingerprint(id));
}

static signers start(void)
{
    signers s = {.bank = made("bank"), .agency = made("agency")};
    s.text = agreed_with(agreed_match, "", "# signed\n");
    s.text = name_key(s.text, '1', s.bank);
    s.text = name_key(s.text, '3', s.agency);
    return s;
}

static void stop(signers *s)
{
    tally_identity_free(s->bank);
    tally_identity_free(s->agency);
    free(s->text);
}

static tally_agreement *loaded(const char *text)
{
    tally_agreement *a;
    tally_error error;
    if (agreed_load(text, &a, &error))
        fprintf(stderr, "%s\n", error.message);
    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    return a;
}

/* A path in a folder of its own, alive until the program ends. */
static const char *fresh_path(void)
{
    static char kept[32][128];
    static size_t used;
    if (used == 32)
        abort();
    snprintf(kept[used], sizeof *kept, "%s/signatures-%zu", unit_tmp(), used);
    return kept[used++];
}

/* Signed by those given (NULL: not); the file's path. */
static const char *signed_file(const char *text, const tally_identity *one, const tally_identity *two)
{
    tally_error error;
    tally_agreement *a = loaded(text);
    const char *path = fresh_path();
    if (one)
        CU_ASSERT_EQUAL(tally_agreement_sign(a, one, &error), TALLY_OK);
    if (two)
        CU_ASSERT_EQUAL(tally_agreement_sign(a, two, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_agreement_write_signatures(a, path, &error), TALLY_OK);
    tally_agreement_free(a);
    return path;
}

static char *contents(const char *path)
{
    char *bytes = calloc(TALLY_AGREEMENT_SIGNATURES_MAX + 1, 1);
    FILE *f = fopen(path, "rb");
    if (!f || fread(bytes, 1, TALLY_AGREEMENT_SIGNATURES_MAX, f) == 0 || fclose(f))
        abort();
    return bytes;
}

static void test_both(void)
{
    tally_error error;
    signers s = start();
    tally_agreement *a = loaded(s.text);
    const char *of_bank = signed_file(s.text, s.bank, NULL), *of_agency = signed_file(s.text, NULL, s.agency);
    struct stat info;
    CU_ASSERT(stat(of_bank, &info) == 0 && (info.st_mode & 07777) == 0600);
    CU_ASSERT_EQUAL(tally_agreement_add_signatures(a, of_agency, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_agreement_signed(a, 0), TALLY_UNSIGNED);
    CU_ASSERT_EQUAL(tally_agreement_signed(a, 1), TALLY_SIGNED);
    CU_ASSERT_EQUAL(tally_agreement_add_signatures(a, of_bank, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_agreement_signed(a, 0), TALLY_SIGNED);
    /* The order in which they came does not matter. */
    const char *merged = fresh_path(), *at_once = signed_file(s.text, s.agency, s.bank);
    CU_ASSERT_EQUAL(tally_agreement_write_signatures(a, merged, &error), TALLY_OK);
    char *one = contents(merged), *two = contents(at_once);
    CU_ASSERT_STRING_EQUAL(one, two);
    free(one);
    free(two);
    tally_agreement_free(a);
    stop(&s);
}

/* No byte of an agreement can change and keep the signature: the text is not an agreement any more, or it
 * does not fit, or, for a key of the agreement, the key is not named. */
static void test_every_byte(void)
{
    signers s = start();
    const char *path = signed_file(s.text, s.bank, s.agency);
    size_t len = strlen(s.text), parsed = 0;
    char *text = calloc(len + 1, 1);
    for (size_t i = 0; i < len; i++) {
        tally_agreement *a;
        tally_error error;
        memcpy(text, s.text, len);
        text[i] = (char)(text[i] ^ 1);
        if (agreed_load(text, &a, &error))
            continue;
        parsed++;
        tally_status st = tally_agreement_add_signatures(a, path, &error);
        CU_ASSERT(st == TALLY_ERR_DIFFERS || st == TALLY_ERR_AUTH);
        CU_ASSERT(tally_agreement_signed(a, 0) != TALLY_SIGNED &&
                  tally_agreement_signed(a, 1) != TALLY_SIGNED);
        tally_agreement_free(a);
    }
    CU_ASSERT(parsed > 100);
    free(text);
    stop(&s);
}

static void test_line_ends(void)
{
    tally_error error;
    signers s = start();
    const char *path = signed_file(s.text, s.bank, s.agency);
    size_t len = strlen(s.text), used = 0;
    char *text = calloc(2 * len + 1, 1);
    for (size_t i = 0; i < len; i++) {
        if (s.text[i] == '\n')
            text[used++] = '\r';
        text[used++] = s.text[i];
    }
    tally_agreement *a = loaded(text);
    CU_ASSERT_EQUAL(tally_agreement_add_signatures(a, path, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_agreement_signed(a, 0), TALLY_SIGNED);
    CU_ASSERT_EQUAL(tally_agreement_signed(a, 1), TALLY_SIGNED);
    tally_agreement_free(a);
    /* The file of signatures too. */
    char *bytes = contents(path), *with_cr = calloc(2 * strlen(bytes), 1);
    for (size_t i = 0, k = 0; bytes[i]; i++) {
        if (bytes[i] == '\n')
            with_cr[k++] = '\r';
        with_cr[k++] = bytes[i];
    }
    a = loaded(s.text);
    CU_ASSERT_EQUAL(tally_agreement_add_signatures(a, agreed_text_file(with_cr), &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_agreement_signed(a, 0), TALLY_SIGNED);
    tally_agreement_free(a);
    free(bytes);
    free(with_cr);
    free(text);
    stop(&s);
}

static void test_wrong_keys(void)
{
    tally_error error;
    signers s = start();
    tally_identity *stranger = made("stranger");
    tally_agreement *a = loaded(s.text);
    CU_ASSERT_EQUAL(tally_agreement_sign(a, stranger, &error), TALLY_ERR_AUTH);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "names no party with the signing key"));
    CU_ASSERT_EQUAL(tally_agreement_signed(a, 0), TALLY_UNSIGNED);
    /* An identity of before. */
    cert_made old = cert_make(&(cert_spec){.common = "old"});
    const char *dir = unit_tmp();
    cert_write_identity(&old, NULL, dir);
    tally_identity *without = NULL;
    CU_ASSERT_EQUAL_FATAL(tally_identity_load(dir, &without, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_agreement_sign(a, without, &error), TALLY_ERR_AUTH);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.hint, "add-signing-key"));
    tally_identity_free(without);
    cert_free(&old);
    /* A good signature by a key that this text does not name. */
    char *theirs = name_key(agreed_with(agreed_match, "", "# signed\n"), '1', stranger);
    theirs = name_key(theirs, '3', s.agency);
    const char *path = signed_file(theirs, stranger, NULL);
    CU_ASSERT_EQUAL(tally_agreement_add_signatures(a, path, &error), TALLY_ERR_AUTH);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "which the agreement does not name"));
    /* The right key under the other's name. */
    char *bytes = contents(signed_file(s.text, s.bank, NULL)),
         *renamed = agreed_with(bytes, "Example Bank", "Example Agency");
    CU_ASSERT_EQUAL(tally_agreement_add_signatures(a, agreed_text_file(renamed), &error), TALLY_ERR_AUTH);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "its key is that of Example Bank"));
    CU_ASSERT_EQUAL(tally_agreement_signed(a, 0), TALLY_UNSIGNED);
    free(bytes);
    free(renamed);
    /* One that fits, and then another that does not: the first stays, the failure is told. */
    char *other = agreed_with(s.text, "finding", "Finding");
    CU_ASSERT_EQUAL(tally_agreement_sign(a, s.bank, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_agreement_add_signatures(a, signed_file(other, s.bank, s.agency), &error),
                    TALLY_ERR_DIFFERS);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "the signature of Example Bank does not fit"));
    CU_ASSERT_EQUAL(tally_agreement_signed(a, 0), TALLY_SIGNED);
    CU_ASSERT_EQUAL(tally_agreement_signed(a, 1), TALLY_SIGNATURE_BAD);
    /* What does not fit is not written. */
    const char *kept = fresh_path();
    CU_ASSERT_EQUAL(tally_agreement_write_signatures(a, kept, &error), TALLY_OK);
    bytes = contents(kept);
    CU_ASSERT(strstr(bytes, "Example Bank") && !strstr(bytes, "Example Agency"));
    free(bytes);
    free(other);
    free(theirs);
    tally_agreement_free(a);
    tally_identity_free(stranger);
    stop(&s);
}

/* Who signs has to be who is named for the link: by key, by subject, or by both. */
static void test_link_keys(void)
{
    tally_error error;
    signers s = start();
    char *base = agreed_with(agreed_match, "", "# signed\n");
    base = put_key(base, "signing-key", '1', tally_identity_signing_fingerprint(s.bank));
    tally_agreement *a = loaded(base);
    CU_ASSERT_EQUAL(tally_agreement_sign(a, s.bank, &error), TALLY_ERR_AUTH);
    CU_ASSERT_EQUAL(error.status, TALLY_ERR_AUTH);
    CU_ASSERT(strstr(error.message, ":6: parties[1].link-key: ") && strstr(error.message, "sha256:") &&
              strstr(error.hint, "fingerprint"));
    CU_ASSERT_EQUAL(tally_agreement_sign(a, s.bank, NULL), TALLY_ERR_AUTH);
    CU_ASSERT_EQUAL(tally_agreement_signed(a, 0), TALLY_UNSIGNED);
    tally_agreement_free(a);
    for (int i = 0; i < 4; i++) { /* right or wrong subject, with or without the right key */
        char line[400], *text, *with_ca;
        snprintf(line, sizeof line, "    ca: sha256:%s%s\n    subject: \"%s%s\"\n    contact: desk",
                 "0123abcd0123abcd0123abcd0123abcd", "0123abcd0123abcd0123abcd0123abcd",
                 tally_identity_subject(s.bank), i & 1 ? "x" : "");
        text = agreed_with(s.text, "", "");
        if (i & 2) {
            char key[100];
            snprintf(key, sizeof key, "    link-key: %s\n", tally_identity_fingerprint(s.bank));
            char *without = agreed_with(text, key, "");
            free(text);
            text = without;
        }
        with_ca = agreed_with(text, "    contact: desk", line);
        a = loaded(with_ca);
        CU_ASSERT_EQUAL(tally_agreement_sign(a, s.bank, &error), i & 1 ? TALLY_ERR_AUTH : TALLY_OK);
        CU_ASSERT(!(i & 1) || strstr(error.message, "parties[1].subject: "));
        tally_agreement_free(a);
        free(with_ca);
        free(text);
    }
    free(base);
    stop(&s);
}

/* Every other form of the file is refused whole. */
static void test_forms(void)
{
    static const struct {
        const char *old, *replacement, *said;
    } rows[] = {
        {"tally-agreement-signatures 1", "tally-agreement-signatures 2", ":1: not a file of signatures"},
        {"tally-agreement-signatures 1\n", "", ":1: not a file of signatures"},
        {"ed25519 ", "rsa2048 ", ":2: not a signature"},
        {"ed25519 ", "ed25519  ", ":2: not a signature"},
        {"= Example", "A Example", ":2: not a signature"},
        {" Example Bank", "", ":2: not a signature"},
        {"Example Bank", "", ":2: not a signature"},
        {"Example Agency\n", "Example Agency", ":3: the line does not end"},
        {"", "ed25519 x y z\n", ":4: more than two"},
        {"\ned25519", "\n\ned25519", ":2: not a signature"},
    };
    tally_error error;
    signers s = start();
    tally_agreement *a = loaded(s.text);
    char *bytes = contents(signed_file(s.text, s.bank, s.agency));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *bad = agreed_with(bytes, rows[i].old, rows[i].replacement);
        CU_ASSERT_EQUAL(tally_agreement_add_signatures(a, agreed_text_file(bad), &error), TALLY_ERR_INPUT);
        CU_ASSERT(strstr(error.message, rows[i].said) != NULL && error.hint[0]);
        free(bad);
    }
    CU_ASSERT_EQUAL(tally_agreement_signed(a, 0), TALLY_UNSIGNED);
    CU_ASSERT_EQUAL(
        tally_agreement_add_signatures(a, agreed_text_file("tally-agreement-signatures 1\n"), &error),
        TALLY_ERR_INPUT);
    CU_ASSERT_EQUAL(tally_agreement_add_signatures(a, agreed_text_file(""), &error), TALLY_ERR_INPUT);
    CU_ASSERT_EQUAL(tally_agreement_add_signatures(a, "/nowhere", &error), TALLY_ERR_FILE);
    char *big = calloc(TALLY_AGREEMENT_SIGNATURES_MAX + 2, 1);
    memset(big, 'a', TALLY_AGREEMENT_SIGNATURES_MAX + 1);
    CU_ASSERT_EQUAL(tally_agreement_add_signatures(a, agreed_text_file(big), &error), TALLY_ERR_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "more than 2048 bytes"));
    free(big);
    /* Any single byte. */
    size_t len = strlen(bytes);
    for (size_t i = 0; i < len; i++) {
        tally_agreement *b = loaded(s.text);
        bytes[i] = (char)(bytes[i] ^ 1);
        tally_status st = tally_agreement_add_signatures(b, agreed_text_file(bytes), &error);
        CU_ASSERT(st == TALLY_ERR_INPUT || st == TALLY_ERR_AUTH || st == TALLY_ERR_DIFFERS);
        bytes[i] = (char)(bytes[i] ^ 1);
        tally_agreement_free(b);
    }
    free(bytes);
    tally_agreement_free(a);
    stop(&s);
}

static void test_faults(void)
{
    tally_error error;
    signers s = start();
    tally_agreement *a = loaded(s.text);
    const char *path = signed_file(s.text, s.bank, s.agency);
    for (unsigned long n = 1; n < 20; n++) {
        psi_mem_fail_at(n);
        tally_status st = tally_agreement_add_signatures(a, path, &error);
        if (psi_mem_count() < n)
            break;
        CU_ASSERT_EQUAL(st, TALLY_ERR_NO_MEMORY);
        CU_ASSERT_EQUAL(tally_agreement_signed(a, 0), TALLY_UNSIGNED);
    }
    psi_mem_fail_at(0);
    tally_agreement_free(a);
    a = loaded(s.text);
    psi_mem_fail_at(1);
    CU_ASSERT_EQUAL(tally_agreement_sign(a, s.bank, &error), TALLY_ERR_NO_MEMORY);
    CU_ASSERT_EQUAL(tally_agreement_signed(a, 0), TALLY_UNSIGNED);
    psi_mem_fail_at(0);
    /* A file that cannot be written leaves the one of before. */
    CU_ASSERT_EQUAL(tally_agreement_sign(a, s.bank, &error), TALLY_OK);
    char *was = contents(path);
    party_io_fail_at(0, 0);
    CU_ASSERT_EQUAL(tally_agreement_write_signatures(a, agreed_text_file(""), &error), TALLY_OK);
    unsigned long calls = party_io_count();
    for (unsigned long n = 1; n < calls;
         n++) { /* the last call syncs the folder: the file has its name then */
        party_io_fail_at(n, ENOSPC);
        CU_ASSERT_EQUAL(tally_agreement_write_signatures(a, path, &error), TALLY_ERR_FILE);
        party_io_fail_at(0, 0);
        if (access(path, F_OK) == 0) {
            char *now = contents(path);
            CU_ASSERT_STRING_EQUAL(now, was);
            free(now);
        }
    }
    free(was);
    tally_agreement_free(a);
    stop(&s);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {
        {"both", test_both},           {"every_byte", test_every_byte},
        {"line_ends", test_line_ends}, {"wrong_keys", test_wrong_keys},
        {"link_keys", test_link_keys}, {"forms", test_forms},
        {"faults", test_faults},
    };
    return unit_main(argc, argv, "agreement_sign", tests, sizeof tests / sizeof *tests);
}
