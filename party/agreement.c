/* SPDX-License-Identifier: Apache-2.0 */
#include "party/agreement.h"

#include "party/error.h"
#include "party/io.h"
#include "party/tls.h"
#include "psi/hash.h"
#include "psi/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* At most max bytes of a file into out (max + 1); *len > max when there are more. */
static tally_status read_file(const char *path, char *out, size_t max, size_t *len, tally_error *error)
{
    int fd = party_io_open(path, O_RDONLY);
    if (fd < 0)
        return party_io_failed(error, "open", path, errno);
    *len = 0;
    for (ssize_t n = 1; n != 0 && *len <= max; *len += n > 0 ? (size_t)n : 0) {
        n = party_io_read(fd, out + *len, max + 1 - *len);
        if (n < 0) {
            tally_status st = party_io_failed(error, "read", path, errno);
            close(fd);
            return st;
        }
    }
    close(fd);
    return TALLY_OK;
}

tally_status party_agreed_read(const char *path, size_t max, char **out, size_t *len, tally_error *error)
{
    char shown[PARTY_PATH_SHOWN];
    char *bytes = psi_calloc(max + 2, 1);
    tally_status st =
        bytes ? read_file(path, bytes, max, len, error) : party_no_memory(error, "an agreement");
    if (!st && *len > max) {
        party_printable(shown, sizeof shown, path);
        st = party_fail(error, TALLY_ERR_INPUT, "%s: has more than %zu bytes", shown, max);
        party_hint(error, "this is not such a file, or far too long: refer to other documents for details");
    }
    if (st) {
        psi_free(bytes);
        return st;
    }
    *out = bytes;
    return TALLY_OK;
}

tally_status party_agreed_copy(const char *name, const char *text, size_t len, size_t max, char **out,
                               tally_error *error)
{
    if (len > max) {
        party_fail(error, TALLY_ERR_INPUT, "%s: has more than %zu bytes", name, max);
        party_hint(error, "this is not what it should be: take it from where it was kept once more");
        return TALLY_ERR_INPUT;
    }
    char *bytes = psi_calloc(len + 2, 1);
    if (!bytes)
        return party_no_memory(error, "an agreement");
    if (len)
        memcpy(bytes, text, len);
    *out = bytes;
    return TALLY_OK;
}

/* CRLF and CR become LF, and the last line ends: len + 1 bytes are room enough. */
static size_t normalise(char *bytes, size_t len)
{
    size_t used = 0;
    for (size_t at = 0; at < len; at++) {
        if (bytes[at] == '\r' && at + 1 < len && bytes[at + 1] == '\n')
            continue;
        bytes[used++] = bytes[at] == '\r' ? '\n' : bytes[at];
    }
    if (used && bytes[used - 1] != '\n')
        bytes[used++] = '\n';
    bytes[used] = 0;
    return used;
}

static tally_status set_digest(tally_agreement *a, tally_error *error)
{
    uint8_t digest[32];
    psi_hash *h = psi_hash_new();
    tally_status st = h ? psi_hash_start(h, PSI_TAG_AGREEMENT) : TALLY_ERR_NO_MEMORY;
    if (!st)
        st = psi_hash_add(h, a->bytes, a->len);
    if (!st)
        st = psi_hash_end(h, digest);
    psi_hash_free(h);
    if (st)
        return st == TALLY_ERR_NO_MEMORY ? party_no_memory(error, "an agreement")
                                         : party_fail(error, st, "the digest of an agreement failed");
    party_pin_text(a->digest, digest);
    return TALLY_OK;
}

tally_status party_agreed_take(const char *path, char *bytes, size_t len, tally_agreement **out,
                               tally_error *error)
{
    tally_agreement *a = psi_calloc(1, sizeof *a);
    tally_status st = a ? TALLY_OK : party_no_memory(error, "an agreement");
    if (st) {
        psi_free(bytes);
        return st;
    }
    a->bytes = bytes;
    a->len = normalise(bytes, len);
    a->path = psi_calloc(PARTY_PATH_SHOWN, 1);
    if (a->path)
        party_printable(a->path, PARTY_PATH_SHOWN, path);
    else
        st = party_no_memory(error, "an agreement");
    if (!st)
        st = party_agreed_parse(a, error);
    if (!st)
        st = party_agreed_check(a, error);
    if (!st)
        st = set_digest(a, error);
    if (!st)
        *out = a;
    else
        tally_agreement_free(a);
    return st;
}

tally_status tally_agreement_load(const char *path, tally_agreement **out, tally_error *error)
{
    char *bytes = NULL;
    size_t len = 0;
    tally_status st = party_agreed_read(path, TALLY_AGREEMENT_MAX, &bytes, &len, error);
    return st ? st : party_agreed_take(path, bytes, len, out, error);
}

tally_status tally_agreement_parse(const char *name, const char *text, size_t len, tally_agreement **out,
                                   tally_error *error)
{
    char *bytes = NULL;
    tally_status st = party_agreed_copy(name, text, len, TALLY_AGREEMENT_MAX, &bytes, error);
    return st ? st : party_agreed_take(name, bytes, len, out, error);
}

void tally_agreement_free(tally_agreement *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->count; i++)
        psi_free(a->at[i].text);
    psi_free(a->at);
    psi_free(a->bytes);
    psi_free(a->path);
    psi_free(a);
}

const char *tally_agreement_digest(const tally_agreement *a)
{
    return a->digest;
}

const char *tally_agreement_valid_from(const tally_agreement *a)
{
    return party_agreed_text(a, AGREED_VALID_FROM, 0);
}

const char *tally_agreement_valid_until(const tally_agreement *a)
{
    return party_agreed_text(a, AGREED_VALID_UNTIL, 0);
}

const char *tally_agreement_organisation(const tally_agreement *a, size_t party)
{
    return party_agreed_text(a, AGREED_ORGANISATION, party);
}

enum tally_signature_state tally_agreement_signed(const tally_agreement *a, size_t party)
{
    return party < PARTY_SIGNATURES ? a->signatures[party].state : TALLY_UNSIGNED;
}
