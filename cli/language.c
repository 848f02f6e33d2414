/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/language.h"

#include "cli/message.h"
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * gettext's own reader wants the locale generated on the machine, and takes other folders from the
 * environment. This one takes the file beside the program, on any machine, and trusts none of its bytes.
 */

#define CATALOGUE_MAX (8u << 20)
#define FORMAT_ARGUMENTS 16

/* ---- The file ---- */

/* 4 bytes at an offset; 0 beyond the end. */
static unsigned word_at(const cli_catalogue *c, size_t at)
{
    uint32_t w;
    if (at + 4 < at || at + 4 > c->size)
        return 0;
    memcpy(&w, c->bytes + at, 4);
    return c->swapped ? __builtin_bswap32(w) : w;
}

/* Text i of a table, with its zero; NULL: not inside the file. */
static const char *text_at(const cli_catalogue *c, unsigned table, unsigned i)
{
    size_t entry = (size_t)table + 8 * (size_t)i;
    size_t len = word_at(c, entry), at = word_at(c, entry + 4);
    if (at >= c->size || len >= c->size - at || c->bytes[at + len])
        return NULL;
    return (const char *)c->bytes + at;
}

int cli_catalogue_read(cli_catalogue *out, const void *bytes, size_t size)
{
    cli_catalogue c = {.bytes = bytes, .size = (unsigned)size};
    if (size < 28 || size > CATALOGUE_MAX)
        return 0;
    unsigned magic = word_at(&c, 0);
    c.swapped = magic == 0xde120495;
    if (magic != 0x950412de && !c.swapped)
        return 0;
    if (word_at(&c, 4) >> 16) /* the major version */
        return 0;
    c.count = word_at(&c, 8);
    c.originals = word_at(&c, 12);
    c.translations = word_at(&c, 16);
    size_t room = c.count > size / 8 ? size + 1 : 8 * (size_t)c.count;
    if (room > size || c.originals > size - room || c.translations > size - room)
        return 0;
    *out = c;
    return 1;
}

/* What a conversion takes: its letter and length, "*" for a width; reads on behind it. */
static int take_conversion(const char **p, int *position, char out[FORMAT_ARGUMENTS][4], int *most)
{
    int at = 0, length = 0;
    const char *digits = *p;
    while (*digits >= '0' && *digits <= '9' && at < 100)
        at = 10 * at + (*digits++ - '0');
    if (*digits == '$' && at)
        *p = digits + 1;
    else
        at = 0;
    *p += strspn(*p, "-+#0123456789");
    for (int part = 0; part < 2; part++) {
        if (**p == '*') {
            if (at || *position >= FORMAT_ARGUMENTS)
                return 0;
            memcpy(out[(*position)++], "*", 2);
            ++*p;
        }
        if (!part && **p == '.')
            *p += 1 + strspn(*p + 1, "0123456789");
    }
    length = (int)strspn(*p, "hlzjt");
    if (length > 2 || !(*p)[length] || !strchr("diouxXcsfgeE", (*p)[length]))
        return 0;
    int slot = at ? at - 1 : (*position)++;
    if (slot >= FORMAT_ARGUMENTS)
        return 0;
    memcpy(out[slot], *p, (size_t)length + 1);
    out[slot][length + 1] = 0;
    *p += length + 1;
    if (slot >= *most)
        *most = slot + 1;
    return 1;
}

/* The conversions of a format by argument; -1: one that none of our texts has. */
static int conversions(const char *format, char out[FORMAT_ARGUMENTS][4])
{
    int position = 0, most = 0;
    memset(out, 0, FORMAT_ARGUMENTS * 4);
    while ((format = strchr(format, '%')) != NULL) {
        format++;
        if (*format == '%')
            format++;
        else if (!take_conversion(&format, &position, out, &most))
            return -1;
    }
    return most > position ? most : position;
}

int cli_format_same(const char *text, const char *other)
{
    char a[FORMAT_ARGUMENTS][4], b[FORMAT_ARGUMENTS][4];
    int count = conversions(text, a), found = conversions(other, b);
    if (count < 0) /* "5% or more" is no format */
        return 1;
    return count == found && memcmp(a, b, sizeof a) == 0;
}

const char *cli_catalogue_find(const cli_catalogue *c, const char *text)
{
    for (unsigned low = 0, high = c->count; low < high;) {
        unsigned middle = low + (high - low) / 2;
        const char *here = text_at(c, c->originals, middle);
        int order = here ? strcmp(text, here) : 1;
        if (order == 0) {
            const char *found = text_at(c, c->translations, middle);
            return found && *found && cli_format_same(text, found) ? found : NULL;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* ---- Which language ---- */

/* "zh_CN" of "zh_CN.UTF-8@x"; 0: nothing that may be a file's name, or texts that would have to be in
   another encoding than ours. */
static int plain_name(char out[16], const char *text, size_t len)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
    n = n < len ? n : len;
    if (!n || n > 15 || (n < len && text[n] != '.' && text[n] != '@'))
        return 0;
    snprintf(out, 16, "%.*s", (int)n, text);
    if (strcmp(out, "zh") == 0 || strcmp(out, "zh_SG") == 0 || strcmp(out, "zh_Hans") == 0)
        memcpy(out, "zh_CN", 6);
    return 1;
}

static int is_utf8(const char *locale)
{
    const char *set = strchr(locale, '.');
    return !set || strncasecmp(set, ".utf8", 5) == 0 || strncasecmp(set, ".utf-8", 6) == 0;
}

size_t cli_language_names(const cli_locale *l, char names[][16], size_t count)
{
    const char *locale = l->all && *l->all             ? l->all
                         : l->messages && *l->messages ? l->messages
                         : l->lang                     ? l->lang
                                                       : "";
    size_t n = 0, plain = strcspn(locale, ".@");
    if (!*locale || !is_utf8(locale) || (plain == 1 && *locale == 'C') ||
        (plain == 5 && strncmp(locale, "POSIX", 5) == 0))
        return 0;
    for (const char *p = l->language ? l->language : ""; *p && n < count;) {
        size_t len = strcspn(p, ":");
        n += (size_t)plain_name(names[n], p, len);
        p += len + (p[len] == ':');
    }
    if (!n && count)
        n += (size_t)plain_name(names[n], locale, strlen(locale));
    return n;
}

static cli_catalogue catalogue;

static const char *translate(const char *text)
{
    return cli_catalogue_find(&catalogue, text);
}

static int open_file(const char *folder, const char *name)
{
    char path[PATH_MAX];
    struct stat info;
    if ((size_t)snprintf(path, sizeof path, "%s/share/locale/%s/LC_MESSAGES/tally.mo", folder, name) >=
        sizeof path)
        return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC), good = 0;
    if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 &&
        info.st_size <= CATALOGUE_MAX) {
        size_t size = (size_t)info.st_size;
        void *bytes = malloc(size);
        good = bytes && read(fd, bytes, size) == (ssize_t)size && cli_catalogue_read(&catalogue, bytes, size);
        if (!good)
            free(bytes);
    }
    if (fd >= 0)
        close(fd);
    return good;
}

/* The catalogue that was installed, or built, with this program. */
static int use(const char *name)
{
    char program[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    for (int up = 0; len > 0 && up < 2; up++) {
        while (len > 0 && program[len - 1] != '/')
            len--;
        while (len > 1 && program[len - 1] == '/')
            len--;
        program[len] = 0;
        /* Beside bin, where it was installed; in the folder of the build. */
        if (open_file(program, name)) {
            tally_set_translation(translate);
            return 1;
        }
    }
    return 0;
}

static int is_english(const char *name)
{
    return strcmp(name, "en") == 0 || strncmp(name, "en_", 3) == 0 || strcmp(name, "C") == 0;
}

void cli_language_begin(void)
{
    char names[8][16];
    const cli_locale locale = {getenv("LANGUAGE"), getenv("LC_ALL"), getenv("LC_MESSAGES"), getenv("LANG")};
    size_t count = cli_language_names(&locale, names, 8);
    for (size_t i = 0; i < count; i++)
        if (is_english(names[i]) || use(names[i]))
            return;
}

tally_status cli_language_set(const char *name, tally_error *error)
{
    char plain[16];
    int good = plain_name(plain, name, strlen(name));
    if (good && is_english(plain)) {
        tally_set_translation(NULL);
        return TALLY_OK;
    }
    if (good && use(plain))
        return TALLY_OK;
    cli_fail(error, TALLY_ERR_USAGE, "--lang: there are no messages in the language %s", name);
    cli_hint(error,
             "write en, or zh_CN where its catalogue is installed (share/locale beside the program's bin)");
    return TALLY_ERR_USAGE;
}
