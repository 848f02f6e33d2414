/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/vectors.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void vectors_open(vectors *v, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "tests/vectors/%s", name);
    memset(v, 0, sizeof *v);
    v->file = fopen(path, "r");
    if (!v->file) {
        fprintf(stderr, "%s: not found; run from the root of the source\n", path);
        exit(2);
    }
}

/* The next line without blanks around it in v->line; 0 at the end of the file. */
static int read_line(vectors *v)
{
    char raw[sizeof v->line];
    v->line[0] = 0;
    if (!fgets(raw, sizeof raw, v->file))
        return 0;
    char *p = raw + strspn(raw, " \t");
    size_t n = strlen(p);
    while (n && isspace((unsigned char)p[n - 1]))
        n--;
    memcpy(v->line, p, n);
    v->line[n] = 0;
    return 1;
}

static void append(vectors *v, const char *text)
{
    size_t have = strlen(v->value), n = strlen(text);
    if (have + n >= sizeof v->value)
        abort();
    memcpy(v->value + have, text, n + 1);
}

int vectors_next(vectors *v)
{
    v->value[0] = 0;
    while (!v->line[0] || (v->line[0] == '#' && v->line[1] != '#'))
        if (!read_line(v)) {
            fclose(v->file);
            return 0;
        }
    char *separator = strpbrk(v->line, "=:");
    int heading = v->line[0] == '#', named = !heading && separator;
    v->name[0] = 0;
    if (heading) {
        snprintf(v->name, sizeof v->name, "##");
        append(v, v->line + strspn(v->line, "# "));
    } else if (named) {
        size_t n = (size_t)(separator - v->line);
        while (n && v->line[n - 1] == ' ')
            n--;
        if (n >= sizeof v->name)
            abort();
        memcpy(v->name, v->line, n);
        v->name[n] = 0;
        append(v, separator + 1 + strspn(separator + 1, " "));
    } else {
        append(v, v->line);
    }
    v->line[0] = 0;
    while (read_line(v) && named && v->line[0] && v->line[0] != '#' && !strpbrk(v->line, "=:"))
        append(v, v->line);
    return 1;
}
