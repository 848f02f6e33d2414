/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support_input.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *unit_path(const char *dir, const char *name)
{
    static char paths[8][256];
    static unsigned at;
    char *p = paths[at++ % 8];
    if ((size_t)snprintf(p, sizeof paths[0], "%s/%s", dir, name) >= sizeof paths[0])
        abort();
    return p;
}

void unit_write(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, len, f) != len || fclose(f))
        abort();
}

void unit_write_text(const char *path, const char *text)
{
    unit_write(path, text, strlen(text));
}

char *unit_read(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    size_t room = 1 << 16, n = 0;
    char *p = malloc(room);
    while (p) {
        size_t got = fread(p + n, 1, room - n - 1, f);
        n += got;
        if (!got)
            break;
        if (n + 1 == room)
            p = realloc(p, room *= 2);
    }
    fclose(f);
    if (!p)
        abort();
    p[n] = 0;
    if (len)
        *len = n;
    return p;
}

unsigned unit_entries(const char *dir)
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    if (!d)
        abort();
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static void add_key(tally_input *input, const char *key)
{
    const char *colon = strrchr(key, ':');
    char column[128];
    if (!colon || (size_t)(colon - key) >= sizeof column)
        abort();
    memcpy(column, key, (size_t)(colon - key));
    column[colon - key] = 0;
    if (tally_input_add_key(input, column, colon + 1, NULL))
        abort();
}

tally_input *unit_input(const char *path, const char *key, const char *key2)
{
    tally_input *input;
    if (tally_input_new(&input, NULL))
        abort();
    if (key)
        add_key(input, key);
    if (key2)
        add_key(input, key2);
    if (path && tally_input_set_file(input, path, NULL))
        abort();
    return input;
}

const char *unit_real_data(void)
{
    const char *dir = getenv("TALLY_REAL_DATA");
    char probe[512];
    if (!dir)
        dir = "../shared/data";
    snprintf(probe, sizeof probe, "%s/sdn-2021-09-16.csv", dir);
    if (access(probe, R_OK) == 0)
        return dir;
    printf("note: the real lists are not here (TALLY_REAL_DATA), their tests are left out\n");
    return NULL;
}

unsigned unit_descriptors(void)
{
    return unit_entries("/proc/self/fd");
}
