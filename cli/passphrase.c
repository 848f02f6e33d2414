/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/passphrase.h"

#include "cli/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* ---- Credentials ---- */

int cli_is_credential(const char *path)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    char *whole = folder && *folder ? realpath(folder, NULL) : NULL,
         *real = whole ? realpath(path, NULL) : NULL;
    size_t len = whole ? strlen(whole) : 0;
    int is = real && len > 1 && strncmp(real, whole, len) == 0 && (real[len] == '/' || real[len] == 0);
    free(whole);
    free(real);
    return is;
}

/* The credential of this identity, else that of all; to be freed. NULL: there is none. */
static char *find_credential(const char *name)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY"), *slash = name ? strrchr(name, '/') : NULL;
    char *path = NULL;
    if (!folder || !*folder)
        return NULL;
    if (name && asprintf(&path, "%s/tally-passphrase.%s", folder, slash ? slash + 1 : name) >= 0) {
        if (access(path, F_OK) == 0)
            return path;
        free(path);
    }
    if (asprintf(&path, "%s/tally-passphrase", folder) < 0)
        return NULL;
    if (access(path, F_OK) == 0)
        return path;
    free(path);
    return NULL;
}

/* ---- Files ---- */

/* The first line. A longer file is refused, since it is most likely another one. */
static long take_line(char *out, size_t len, const char *path, tally_error *error)
{
    size_t used = len;
    if (used && out[used - 1] == '\n')
        used--;
    if (used && out[used - 1] == '\r')
        used--;
    if (used && used <= TALLY_PASSPHRASE_MAX && !memchr(out, '\n', used) && !memchr(out, 0, used))
        return (long)used;
    cli_fail(error, TALLY_ERR_FILE, "%s does not hold a passphrase: one line of up to %d bytes", path,
             TALLY_PASSPHRASE_MAX);
    cli_hint(error, "write the passphrase alone into the file, without an empty line after it");
    return -1;
}

static long read_file(const cli_passphrase *p, const char *path, char *out, size_t size, tally_error *error)
{
    struct stat info;
    size_t used = 0;
    long n = -1;
    char bytes[TALLY_PASSPHRASE_MAX + 2];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info)) {
        cli_fail(error, TALLY_ERR_FILE, "%s: %s: %s", p->option, path, party_system_text(errno));
        cli_hint(error, "write the passphrase into a file that only you may read, and name that file");
        goto done;
    }
    if (info.st_mode & (cli_is_credential(path) ? 037 : 077)) {
        cli_fail(error, TALLY_ERR_FILE, "%s: %s: others may read the passphrase (mode %04o)", p->option, path,
                 (unsigned)(info.st_mode & 07777));
        cli_hint(error, "run: chmod 600 '%s'; if others could have read it, change the passphrase", path);
        goto done;
    }
    (void)!fcntl(fd, F_SETFL, 0); /* a pipe of the shell, <(command), is waited for */
    for (ssize_t got = 1; got != 0;) {
        got = used < sizeof bytes ? read(fd, bytes + used, sizeof bytes - used) : 0;
        if (got < 0 && errno != EINTR) {
            cli_fail(error, TALLY_ERR_FILE, "%s: %s: %s", p->option, path, party_system_text(errno));
            goto done;
        }
        used += got > 0 ? (size_t)got : 0;
    }
    n = take_line(bytes, used, path, error);
    if (n > (long)size)
        n = -1;
    if (n > 0)
        memcpy(out, bytes, (size_t)n);
done:
    explicit_bzero(bytes, sizeof bytes);
    if (fd >= 0)
        close(fd);
    return n;
}

/* ---- The terminal ---- */

/* One line, key by key, since an interrupt while echo is off would leave the terminal silent. -1: given up.
 */
static long read_keys(int fd, char *out, size_t size)
{
    size_t used = 0;
    for (;;) {
        char c;
        ssize_t n = read(fd, &c, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || c == 3 || c == 4 || c == 28) /* ^C, ^D, ^\ */
            return -1;
        if (c == '\n' || c == '\r')
            return (long)used;
        if (c == 21) { /* ^U */
            used = 0;
        } else if (c == 8 || c == 127) {
            while (used && (out[--used] & 0xc0) == 0x80)
                ; /* all bytes of a character */
        } else if (used == size) {
            return -1;
        } else {
            out[used++] = c;
        }
    }
}

static long ask(int fd, const char *prompt, char *out, size_t size)
{
    struct termios was, silent;
    if (tcgetattr(fd, &was))
        return -1;
    silent = was;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
    silent.c_cc[VMIN] = 1;
    silent.c_cc[VTIME] = 0;
    if (tcsetattr(fd, TCSAFLUSH, &silent))
        return -1;
    dprintf(fd, "%s", prompt);
    long n = read_keys(fd, out, size);
    tcsetattr(fd, TCSAFLUSH, &was);
    dprintf(fd, "\n");
    return n;
}

static long ask_twice(int fd, const cli_passphrase *p, char *out, size_t size, tally_error *error)
{
    char prompt[256], again[TALLY_PASSPHRASE_MAX];
    if (!p->is_new)
        snprintf(prompt, sizeof prompt, "passphrase, or PIN of the token, for %.100s: ", p->name);
    else
        snprintf(prompt, sizeof prompt, "new passphrase for %.100s: ", p->name);
    long n = ask(fd, prompt, out, size);
    if (n > 0 && p->is_new) {
        snprintf(prompt, sizeof prompt, "the same once more: ");
        long m = ask(fd, prompt, again, sizeof again);
        if (m != n || memcmp(out, again, (size_t)n) != 0) {
            n = -1;
            cli_fail(error, TALLY_ERR_USAGE, "the two passphrases are not the same");
            cli_hint(error, "repeat the command; nothing was changed");
        }
        explicit_bzero(again, sizeof again);
    }
    if (n <= 0 && !error->status) {
        cli_fail(error, TALLY_ERR_INTERRUPTED, "no passphrase was entered");
        cli_hint(error, "repeat the command; nothing was changed");
    }
    return n > 0 ? n : -1;
}

int64_t cli_passphrase_ask(void *user, const char *what, char *out, size_t size)
{
    cli_passphrase *p = user;
    if (p->kept_len && p->kept_len <= size) {
        memcpy(out, p->kept, p->kept_len);
        return (long)p->kept_len;
    }
    char *credential = p->file || p->is_new ? NULL : find_credential(p->name);
    long n = -1;
    (void)what;
    if (p->file || credential) {
        n = read_file(p, p->file ? p->file : credential, out, size, &p->error);
    } else {
        int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
        if (fd >= 0 && tcgetpgrp(fd) == getpgrp()) /* in the background nobody would see the question */
            n = ask_twice(fd, p, out, size, &p->error);
        if (fd >= 0)
            close(fd);
    }
    free(credential);
    if (n > 0) {
        memcpy(p->kept, out, (size_t)n);
        p->kept_len = (size_t)n;
    }
    return n;
}

void cli_passphrase_forget(cli_passphrase *p)
{
    explicit_bzero(p->kept, sizeof p->kept);
    p->kept_len = 0;
}

tally_status cli_passphrase_reason(const cli_passphrase *p, tally_status st, tally_error *error)
{
    if (!st || !p->error.status)
        return st;
    *error = p->error;
    return error->status;
}
