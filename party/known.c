/* SPDX-License-Identifier: Apache-2.0 */
#include "party/known.h"

#include "party/error.h"
#include "party/file.h"
#include "party/identity.h"
#include "party/summary.h"
#include "party/tls.h"
#include "psi/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utf8proc.h>

#define PIN_LENGTH 71u /* "sha256:" and 64 digits */
#define TIME_LENGTH 20u
#define REVOKED_LINE (PIN_LENGTH + 1 + TIME_LENGTH + 1 + PARTY_REASON_MAX + 1)

/* ---- Reading ---- */

static int reason_ok(const char *text, size_t len)
{
    if (len > PARTY_REASON_MAX)
        return 0;
    for (size_t at = 0; at < len;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(len - at), &c);
        if (n <= 0 || party_unprintable(c))
            return 0;
        at += (size_t)n;
    }
    return 1;
}

/* One line without its end. */
static int parse_line(party_revoked *out, const char *line, size_t len)
{
    char pin[PIN_LENGTH + 1];
    const size_t reason = PIN_LENGTH + 1 + TIME_LENGTH + 1;
    if (len < reason || line[PIN_LENGTH] != ' ' || line[reason - 1] != ' ' ||
        !reason_ok(line + reason, len - reason) || memchr(line, 0, len))
        return 0;
    memcpy(pin, line, PIN_LENGTH);
    pin[PIN_LENGTH] = 0;
    if (party_pin_parse(out->pin32, pin, NULL) ||
        !party_utc_parse(line + PIN_LENGTH + 1, TIME_LENGTH, &out->when))
        return 0;
    memcpy(out->reason, line + reason, len - reason);
    out->reason[len - reason] = 0;
    return 1;
}

tally_status party_revoked_parse(party_known *known, const char *name, const char *text, size_t len,
                                 tally_error *error)
{
    const char *p = text, *end = text + len;
    size_t lines = 0;
    for (const char *c = text; c < end; c++)
        lines += *c == '\n';
    if (lines > PARTY_REVOKED_MAX)
        return party_fail(error, TALLY_ERR_INPUT, "%s: more than %d lines", name, PARTY_REVOKED_MAX);
    party_revoked *all = psi_calloc(known->revoked_count + lines + 1, sizeof *all);
    if (!all)
        return party_no_memory(error, "the list of revoked keys");
    size_t n = known->revoked_count;
    if (n)
        memcpy(all, known->revoked, n * sizeof *all);
    for (unsigned line = 1; p < end; line++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        if (!stop || !parse_line(&all[n], p, (size_t)(stop - p))) {
            psi_free(all);
            party_fail(error, TALLY_ERR_INPUT, "%s:%u: not a line of the list of revoked keys", name, line);
            party_hint(error, "put the file back from a backup; until then no peer is accepted. tally peer "
                              "revoke writes such lines");
            return TALLY_ERR_INPUT;
        }
        n++;
        p = stop + 1;
    }
    psi_free(known->revoked);
    known->revoked = all;
    known->revoked_count = n;
    return TALLY_OK;
}

/* A whole file, ended by a zero. *out NULL: there is none. own: one of the home. */
static tally_status read_whole(char **out, size_t *len, const char *path, size_t max, int own,
                               tally_error *error)
{
    struct stat info;
    char *bytes = NULL;
    size_t used = 0;
    tally_status st = TALLY_OK;
    *out = NULL;
    *len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return TALLY_OK;
    if (fd < 0 || fstat(fd, &info)) {
        st = party_fail(error, TALLY_ERR_FILE, "%s: %s", path, party_system_text(errno));
        party_hint(error, "without it nobody knows which keys are revoked, so no peer is accepted");
        goto done;
    }
    if (!S_ISREG(info.st_mode) || (own && (info.st_mode & 022))) {
        st = party_fail(error, TALLY_ERR_FILE, "%s: not a regular file that only its owner may write", path);
        party_hint(error, "look at what it says, then run: chmod go-w '%s'", path);
        goto done;
    }
    bytes = psi_calloc(max + 2, 1);
    if (!bytes) {
        st = party_no_memory(error, "what is known of peers");
        goto done;
    }
    for (ssize_t n = 1; !st && n != 0;) {
        n = used <= max ? read(fd, bytes + used, max + 1 - used) : 0;
        if (n < 0 && errno != EINTR)
            st = party_fail(error, TALLY_ERR_FILE, "%s: %s", path, party_system_text(errno));
        used += n > 0 ? (size_t)n : 0;
    }
    if (!st && used > max)
        st = party_fail(error, TALLY_ERR_INPUT, "%s: longer than %zu bytes", path, max);
    if (!st) {
        *out = bytes;
        *len = used;
        bytes = NULL;
    }
done:
    psi_free(bytes);
    if (fd >= 0)
        close(fd);
    return st;
}

static tally_status load_folder(party_known *known, const char *folder, tally_error *error)
{
    char *text = NULL, path[4096];
    size_t len;
    tally_status st;
    if (snprintf(path, sizeof path, "%s/revoked", folder) >= (int)sizeof path - 8)
        return party_fail(error, TALLY_ERR_FILE, "the folder's name is too long");
    st = read_whole(&text, &len, path, PARTY_REVOKED_MAX * REVOKED_LINE, 1, error);
    if (!st && text)
        st = party_revoked_parse(known, path, text, len, error);
    psi_free(text);
    if (st)
        return st;
    snprintf(path, sizeof path, "%s/rotations", folder);
    st = read_whole(&text, &len, path, PARTY_ROTATIONS_TEXT, 1, error);
    size_t n = 0;
    if (!st && text)
        st = party_rotation_parse(known->rotations + known->rotation_count,
                                  PARTY_ROTATIONS_ALL - known->rotation_count, &n, path, text, len, error);
    known->rotation_count += n;
    psi_free(text);
    return st;
}

tally_status party_known_load(party_known **out, char *const *folders, size_t count, tally_error *error)
{
    party_known *known = psi_calloc(1, sizeof *known);
    tally_status st = TALLY_OK;
    if (known)
        known->rotations = psi_calloc(PARTY_ROTATIONS_ALL, sizeof *known->rotations);
    if (!known || !known->rotations)
        st = party_no_memory(error, "what is known of peers");
    for (size_t i = 0; !st && i < count; i++)
        st = load_folder(known, folders[i], error);
    if (!st) {
        *out = known;
        known = NULL;
    }
    party_known_free(known);
    return st;
}

void party_known_free(party_known *known)
{
    if (!known)
        return;
    psi_free(known->revoked);
    psi_free(known->rotations);
    psi_free(known);
}

const party_revoked *party_known_revoked(const party_known *known, const uint8_t pin32[32])
{
    for (size_t i = 0; known && i < known->revoked_count; i++)
        if (memcmp(known->revoked[i].pin32, pin32, 32) == 0)
            return &known->revoked[i];
    return NULL;
}

/* ---- The identity uses them ---- */

tally_status tally_identity_add_peers(tally_identity *identity, const char *folder, tally_error *error)
{
    size_t size = strlen(folder) + 1;
    char *copy = psi_calloc(size, 1);
    if (!copy)
        return party_no_memory(error, "a folder's name");
    if (identity->peers_count == PARTY_PEERS_MAX) {
        psi_free(copy);
        return party_fail(error, TALLY_ERR_USAGE, "more than %d folders of peers", PARTY_PEERS_MAX);
    }
    memcpy(copy, folder, size);
    identity->peers[identity->peers_count++] = copy;
    return TALLY_OK;
}

/* ---- Changing ---- */

static void put_line(char out[REVOKED_LINE + 1], const party_revoked *r)
{
    char pin[TALLY_FINGERPRINT_TEXT], when[32];
    party_pin_text(pin, r->pin32);
    party_utc_text(when, r->when);
    snprintf(out, REVOKED_LINE + 1, "%.71s %.20s %s\n", pin, when, r->reason);
}

/* Both files are written as a whole, so that a crash leaves the old one or the new one. lock keeps a second
 * command out meanwhile. */
static tally_status begin_change(int *lock, const char *folder, party_known **known, tally_error *error)
{
    char *const folders[] = {(char *)(uintptr_t)folder};
    char path[4096];
    *lock = -1;
    if (mkdir(folder, 0700) && errno != EEXIST)
        return party_fail(error, TALLY_ERR_FILE, "%s: %s", folder, party_system_text(errno));
    snprintf(path, sizeof path, "%s/.lock", folder);
    *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*lock < 0 || flock(*lock, LOCK_EX))
        return party_fail(error, TALLY_ERR_FILE, "%s: %s", path, party_system_text(errno));
    return party_known_load(known, folders, 1, error);
}

/* A folder that others may read, such as one of /etc/tally, is for all users: so are its files. */
static tally_status commit(party_file *f, const char *folder, const char *path, tally_error *error)
{
    struct stat info;
    tally_status st = party_file_commit(f, error);
    if (!st && stat(folder, &info) == 0 && (info.st_mode & 05) == 05 && chmod(path, 0644))
        st = party_fail(error, TALLY_ERR_FILE, "%s: %s", path, party_system_text(errno));
    return st;
}

static tally_status write_revoked(const char *folder, const party_known *known, tally_error *error)
{
    char path[4096], line[REVOKED_LINE + 1];
    party_file *f = NULL;
    snprintf(path, sizeof path, "%s/revoked", folder);
    tally_status st = party_file_open(&f, path, 1, error);
    for (size_t i = 0; !st && i < known->revoked_count; i++) {
        put_line(line, &known->revoked[i]);
        st = party_file_add(f, line, strlen(line), error);
    }
    if (!st)
        st = commit(f, folder, path, error);
    party_file_free(f);
    return st;
}

tally_status tally_peers_revoke(const char *folder, const char *pin, const char *reason, tally_error *error)
{
    party_known *known = NULL;
    party_revoked r = {.when = (int64_t)time(NULL)};
    int lock = -1;
    tally_status st = party_pin_parse(r.pin32, pin, error);
    if (st)
        return st;
    if (reason && !reason_ok(reason, strlen(reason)))
        return party_fail(error, TALLY_ERR_USAGE,
                          "the reason has to be one line of up to %d bytes of printable UTF-8",
                          PARTY_REASON_MAX);
    snprintf(r.reason, sizeof r.reason, "%s", reason ? reason : "");
    st = begin_change(&lock, folder, &known, error);
    if (!st && known->revoked_count >= PARTY_REVOKED_MAX) {
        st = party_fail(error, TALLY_ERR_INPUT, "%s: there are %d revoked keys already", folder,
                        PARTY_REVOKED_MAX);
        party_hint(error, "tally peer restore takes back those that nothing names any more");
    }
    if (!st && !party_known_revoked(known, r.pin32)) {
        char line[REVOKED_LINE + 1];
        put_line(line, &r);
        st = party_revoked_parse(known, folder, line, strlen(line), error);
        if (!st)
            st = write_revoked(folder, known, error);
    }
    party_known_free(known);
    if (lock >= 0)
        close(lock);
    return st;
}

tally_status tally_peers_restore(const char *folder, const char *pin, tally_error *error)
{
    party_known *known = NULL;
    uint8_t pin32[32];
    int lock = -1;
    tally_status st = party_pin_parse(pin32, pin, error);
    if (st)
        return st;
    st = begin_change(&lock, folder, &known, error);
    if (!st && !party_known_revoked(known, pin32)) {
        st = party_fail(error, TALLY_ERR_USAGE, "%s: this key is not revoked here", folder);
        party_hint(error, "tally peer list shows the keys that are");
    }
    if (!st) {
        size_t kept = 0;
        for (size_t i = 0; i < known->revoked_count; i++)
            if (memcmp(known->revoked[i].pin32, pin32, 32) != 0)
                known->revoked[kept++] = known->revoked[i];
        known->revoked_count = kept;
        st = write_revoked(folder, known, error);
    }
    party_known_free(known);
    if (lock >= 0)
        close(lock);
    return st;
}

static tally_status write_rotations(const char *folder, const party_known *known, tally_error *error)
{
    char path[4096], text[PARTY_ROTATION_TEXT];
    party_file *f = NULL;
    snprintf(path, sizeof path, "%s/rotations", folder);
    tally_status st = party_file_open(&f, path, 1, error);
    for (size_t i = 0; !st && i < known->rotation_count; i++) {
        party_rotation_text(text, &known->rotations[i]);
        st = party_file_add(f, text, strlen(text), error);
    }
    if (!st)
        st = commit(f, folder, path, error);
    party_file_free(f);
    return st;
}

static int same_rotation(const party_rotation *a, const party_rotation *b)
{
    return memcmp(a->signature64, b->signature64, 64) == 0 && memcmp(a->signing32, b->signing32, 32) == 0;
}

tally_status tally_peers_add_rotation(const char *folder, const char *path, tally_error *error)
{
    party_known *known = NULL;
    char *text = NULL;
    size_t len, n = 0;
    int lock = -1;
    party_rotation *more = psi_calloc(PARTY_ROTATIONS_ALL, sizeof *more);
    tally_status st = more ? TALLY_OK : party_no_memory(error, "a statement of rotation");
    if (!st)
        st = read_whole(&text, &len, path, PARTY_ROTATIONS_TEXT, 0, error);
    if (!st && !text)
        st = party_fail(error, TALLY_ERR_FILE, "%s: %s", path, party_system_text(ENOENT));
    if (!st)
        st = party_rotation_parse(more, PARTY_ROTATIONS_ALL, &n, path, text, len, error);
    if (!st && !n)
        st = party_fail(error, TALLY_ERR_INPUT, "%s: there is no statement of rotation in it", path);
    if (!st)
        st = begin_change(&lock, folder, &known, error);
    for (size_t i = 0; !st && i < n; i++) {
        int there = 0;
        for (size_t k = 0; k < known->rotation_count; k++)
            there |= same_rotation(&known->rotations[k], &more[i]);
        if (!there && known->rotation_count == PARTY_ROTATIONS_ALL) {
            st = party_fail(error, TALLY_ERR_INPUT, "%s: there are %d statements of rotation already", folder,
                            PARTY_ROTATIONS_ALL);
            party_hint(error, "remove those of agreements that have ended from the file rotations");
        } else if (!there) {
            known->rotations[known->rotation_count++] = more[i];
        }
    }
    if (!st)
        st = write_rotations(folder, known, error);
    party_known_free(known);
    psi_free(text);
    psi_free(more);
    if (lock >= 0)
        close(lock);
    return st;
}

/* ---- Showing ---- */

json_t *party_rotation_json(const party_rotation *r)
{
    char signing[TALLY_FINGERPRINT_TEXT], old[TALLY_FINGERPRINT_TEXT], new[TALLY_FINGERPRINT_TEXT], from[32],
        until[32];
    if (party_sign_fingerprint(r->signing32, signing))
        return NULL;
    party_pin_text(old, r->old32);
    party_pin_text(new, r->new32);
    party_utc_text(from, r->from);
    party_utc_text(until, r->until);
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "signing_key", signing, "old_key", old, "new_key", new,
                     "from", from, "old_key_until", until);
}

tally_status tally_peers_json(const char *folder, char **out, tally_error *error)
{
    char *const folders[] = {(char *)(uintptr_t)folder};
    party_known *known = NULL;
    tally_status st = party_known_load(&known, folders, 1, error);
    if (st)
        return st;
    json_t *revoked = json_array(), *rotations = json_array();
    for (size_t i = 0; i < known->revoked_count; i++) {
        char pin[TALLY_FINGERPRINT_TEXT], when[32];
        party_pin_text(pin, known->revoked[i].pin32);
        party_utc_text(when, known->revoked[i].when);
        json_array_append_new(revoked, json_pack("{s:s, s:s, s:s}", "key", pin, "since", when, "reason",
                                                 known->revoked[i].reason));
    }
    for (size_t i = 0; i < known->rotation_count; i++)
        json_array_append_new(rotations, party_rotation_json(&known->rotations[i]));
    char *text = party_json_text(json_pack("{s:o, s:o}", "revoked", revoked, "rotations", rotations));
    party_known_free(known);
    if (!text)
        return party_no_memory(error, "what is known of peers");
    *out = text;
    return TALLY_OK;
}
