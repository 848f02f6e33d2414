/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/file.h"

#include "cli/message.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folder of path, to be freed; NULL when memory is short. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return strdup(".");
    return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* A new file of mode 0600 beside path; its name in *name, to be freed. -1 with errno. */
static int open_beside(const char *path, char **name)
{
    char *folder = folder_of(path), *temporary = NULL;
    int fd = -1;
    if (!folder || asprintf(&temporary, "%s/.tally-XXXXXX", folder) < 0) {
        temporary = NULL;
        errno = ENOMEM;
    } else {
        fd = mkostemp(temporary, O_CLOEXEC);
    }
    free(folder);
    if (fd < 0)
        free(temporary);
    else
        *name = temporary;
    return fd;
}

tally_status cli_file_check(const char *option, const char *path, int overwrite, tally_error *error)
{
    struct stat st;
    char *name = NULL;
    if (stat(path, &st) == 0) {
        if (!S_ISREG(st.st_mode))
            return cli_fail(error, TALLY_ERR_FILE, "%s: %s is not a regular file", option, path);
        if (!overwrite) {
            cli_fail(error, TALLY_ERR_FILE, "%s: %s exists already", option, path);
            cli_hint(error, "give another name, or --force to replace it");
            return TALLY_ERR_FILE;
        }
    }
    if (!*last_name(path))
        return cli_fail(error, TALLY_ERR_FILE, "%s: %s is not the name of a file", option, path);
    int fd = open_beside(path, &name);
    if (fd < 0) {
        cli_fail(error, TALLY_ERR_FILE, "%s: %s cannot be written: %s", option, path,
                 party_system_text(errno));
        cli_hint(error, "the folder must exist, be yours to write to, and have room");
        return TALLY_ERR_FILE;
    }
    close(fd);
    unlink(name);
    free(name);
    return TALLY_OK;
}

static int write_all(int fd, const char *p, size_t length)
{
    while (length) {
        ssize_t n = write(fd, p, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        p += n;
        length -= (size_t)n;
    }
    return 0;
}

/* The rename itself must survive a power cut, so the folder is synced too. Not every file system can. */
static void sync_folder(const char *path)
{
    char *folder = folder_of(path);
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(folder);
}

tally_status cli_file_write(const char *path, const char *text, tally_error *error)
{
    char *name = NULL;
    int fd = open_beside(path, &name);
    int failed = fd < 0;
    if (!failed)
        failed = write_all(fd, text, strlen(text)) || write_all(fd, "\n", 1) || fsync(fd);
    int cause = errno;
    if (fd >= 0 && close(fd) && !failed) {
        failed = 1;
        cause = errno;
    }
    if (!failed && rename(name, path)) {
        failed = 1;
        cause = errno;
    }
    if (failed && name)
        unlink(name);
    free(name);
    if (failed)
        return cli_fail(error, TALLY_ERR_FILE, "%s cannot be written: %s", path, party_system_text(cause));
    sync_folder(path);
    return TALLY_OK;
}

/* Up to max + 1 bytes and a zero. */
static int read_all(FILE *in, size_t max, char **out, size_t *len)
{
    size_t room = 0, got;
    *out = NULL;
    *len = 0;
    do {
        room = room ? 2 * room : 4096;
        char *longer = realloc(*out, room + 1);
        if (!longer)
            return -1;
        *out = longer;
        got = fread(*out + *len, 1, room - *len, in);
        *len += got;
    } while (got && *len == room && *len <= max);
    (*out)[*len] = 0;
    return ferror(in) ? -1 : 0;
}

tally_status cli_file_read(const char *path, size_t max, char **out, tally_error *error)
{
    char *text = NULL;
    size_t len = 0;
    FILE *in = fopen(path, "re");
    int failed = !in || read_all(in, max, &text, &len);
    int cause = errno;
    if (in)
        fclose(in);
    if (!failed && len <= max && strlen(text) == len) {
        *out = text;
        return TALLY_OK;
    }
    free(text);
    if (failed)
        return cli_fail(error, TALLY_ERR_FILE, "%s cannot be read: %s", path, party_system_text(cause));
    return cli_fail(
        error, TALLY_ERR_INPUT,
        len > max ? "%s is not such a file: it is too long" : "%s is not such a file: it is no text", path);
}

int cli_file_same(const char *a, const char *b)
{
    struct stat sa, sb;
    if (strcmp(a, b) == 0)
        return 1;
    int has_a = stat(a, &sa) == 0, has_b = stat(b, &sb) == 0;
    if (has_a || has_b)
        return has_a && has_b && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
    if (strcmp(last_name(a), last_name(b)) != 0)
        return 0;
    char *fa = folder_of(a), *fb = folder_of(b);
    int same = fa && fb && stat(fa, &sa) == 0 && stat(fb, &sb) == 0 && sa.st_dev == sb.st_dev &&
               sa.st_ino == sb.st_ino;
    free(fa);
    free(fb);
    return same;
}
