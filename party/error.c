/* SPDX-License-Identifier: Apache-2.0 */
#include "party/error.h"

#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

/* ---- Two languages ---- */

static const char *(*translation)(const char *text);

void tally_set_translation(const char *(*translate)(const char *text))
{
    translation = translate;
}

int party_translates(void)
{
    return translation != NULL;
}

const char *party_local(const char *text)
{
    const char *other = translation && *text ? translation(text) : NULL;
    return other ? other : text;
}

/* Appends text[0..len) to out, of which *used bytes are in use; what does not fit is cut. */
static void append(char *out, size_t size, size_t *used, const char *text, size_t len)
{
    size_t room = size - 1 - *used, n = len < room ? len : room;
    memcpy(out + *used, text, n);
    *used += n;
    out[*used] = 0;
}

/* A mark without its end is one that was cut. */
void party_read_marks(char *out, size_t size, int local, const char *text)
{
    size_t used = 0;
    *out = 0;
    for (;;) {
        size_t plain = strcspn(text, PARTY_MARK PARTY_OTHER PARTY_UNMARK);
        append(out, size, &used, text, plain);
        text += plain;
        if (!*text)
            return;
        if (*text++ != PARTY_MARK[0])
            continue;
        text += strspn(text, PARTY_MARK); /* marked once more by who passed it on */
        size_t english = strcspn(text, PARTY_OTHER PARTY_UNMARK);
        const char *other = text + english;
        if (*other == PARTY_OTHER[0]) {
            size_t len = strcspn(++other, PARTY_UNMARK);
            append(out, size, &used, local ? other : text, local ? len : english);
            text = other + len;
        } else {
            char word[1024];
            snprintf(word, sizeof word, "%.*s", (int)(english < sizeof word ? english : 0), text);
            const char *found = local ? party_local(word) : word;
            if (found == word)
                append(out, size, &used, text, english);
            else
                append(out, size, &used, found, strlen(found));
            text = other;
        }
        text += strspn(text, PARTY_UNMARK);
    }
}

void party_render(char *out, size_t size, int local, const char *format, va_list args)
{
    char text[2400];
    vsnprintf(text, sizeof text, local ? party_local(format) : format, args);
    party_read_marks(out, size, local, text);
}

void party_show(char *out, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    party_render(out, size, translation != NULL, format, args);
    va_end(args);
}

void party_both_of(char *out, size_t size, const char *format, va_list args)
{
    va_list again;
    char english[1024], local[1024];
    va_copy(again, args);
    party_render(english, sizeof english, 0, format, args);
    if (translation) {
        party_render(local, sizeof local, 1, format, again);
        snprintf(out, size, PARTY_MARK "%s" PARTY_OTHER "%s" PARTY_UNMARK, english, local);
    } else {
        snprintf(out, size, "%s", english);
    }
    va_end(again);
}

void party_both(char *out, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    party_both_of(out, size, format, args);
    va_end(args);
}

static char *buffer(size_t *size)
{
    static _Thread_local char marked[4][1100];
    static _Thread_local unsigned next;
    *size = sizeof marked[0];
    return marked[next++ % 4];
}

const char *party_word(const char *text)
{
    size_t size;
    char *out = buffer(&size);
    snprintf(out, size, PARTY_WHOLE, text);
    return out;
}

const char *party_system_text(int e)
{
#ifdef __GLIBC__
    const char *text = strerrordesc_np(e); /* strerror asks the locale */
#else
    const char *text = strerror(e);
#endif
    return party_word(text ? text : PARTY_TEXT("unknown error"));
}

static const char *both(const char *english, const char *local)
{
    size_t size;
    char *out = buffer(&size);
    snprintf(out, size, PARTY_MARK "%s" PARTY_OTHER "%s" PARTY_UNMARK, english,
             translation && *local ? local : english);
    return out;
}

const char *party_message_of(const tally_error *error)
{
    return both(error->message, error->local_message);
}

const char *party_hint_of(const tally_error *error)
{
    return both(error->hint, error->local_hint);
}

/* ---- Errors ---- */

__attribute__((format(printf, 4, 0))) static void fill(char *out, size_t size, int local, const char *format,
                                                       va_list args)
{
    char text[1024];
    va_list again;
    va_copy(again, args);
    party_render(text, sizeof text, local, format, again);
    va_end(again);
    party_printable(out, size, text);
}

tally_status party_fail_of(tally_error *error, tally_status status, const char *format, va_list args)
{
    /* An argument may lie in the error itself. */
    tally_error made = {.status = status};
    if (!error)
        return status;
    fill(made.message, sizeof made.message, 0, format, args);
    if (translation)
        fill(made.local_message, sizeof made.local_message, 1, format, args);
    *error = made;
    return status;
}

tally_status party_fail(tally_error *error, tally_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    party_fail_of(error, status, format, args);
    va_end(args);
    return status;
}

void party_hint_of_args(tally_error *error, const char *format, va_list args)
{
    char english[sizeof error->hint], local[sizeof error->local_hint] = "";
    if (!error)
        return;
    fill(english, sizeof english, 0, format, args);
    if (translation)
        fill(local, sizeof local, 1, format, args);
    memcpy(error->hint, english, sizeof english);
    memcpy(error->local_hint, local, sizeof local);
}

void party_hint(tally_error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    party_hint_of_args(error, format, args);
    va_end(args);
}

tally_status party_no_memory(tally_error *error, const char *what)
{
    return party_fail(error, TALLY_ERR_NO_MEMORY, "out of memory for %s", party_word(what));
}

/* C0, C1, and the marks that reorder a line: a name must not be able to change how the rest of a message
 * reads. */
int party_unprintable(int32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

size_t party_width(const char *text)
{
    size_t width = 0, len = strlen(text);
    for (size_t i = 0; i < len;) {
        utf8proc_int32_t c;
        ptrdiff_t n = utf8proc_iterate((const uint8_t *)text + i, (ptrdiff_t)(len - i), &c);
        width += n > 0 ? (size_t)utf8proc_charwidth(c) : 1;
        i += n > 0 ? (size_t)n : 1;
    }
    return width;
}

void party_printable(char *out, size_t out_size, const char *text)
{
    size_t used = 0, left = strlen(text);
    while (left && out_size) {
        int32_t c;
        ptrdiff_t n = utf8proc_iterate((const uint8_t *)text, (ptrdiff_t)left, &c);
        int bad = n <= 0 || party_unprintable(c);
        size_t step = n <= 0 ? 1 : (size_t)n, wide = bad ? 1 : step;
        if (used + wide >= out_size)
            break;
        if (bad)
            out[used] = '?';
        else
            memcpy(out + used, text, wide);
        used += wide;
        text += step;
        left -= step;
    }
    if (out_size)
        out[used] = 0;
}
