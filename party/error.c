/* SPDX-License-Identifier: Apache-2.0 */
#include "party/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

tally_status party_fail(tally_error *error, tally_status status, const char *format, ...)
{
    if (error) {
        char text[1024];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        error->status = status;
        party_printable(error->message, sizeof error->message, text);
        error->hint[0] = 0;
    }
    return status;
}

void party_hint(tally_error *error, const char *format, ...)
{
    if (error) {
        char text[1024];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        party_printable(error->hint, sizeof error->hint, text);
    }
}

tally_status party_no_memory(tally_error *error, const char *what)
{
    return party_fail(error, TALLY_ERR_NO_MEMORY, "out of memory for %s", what);
}

/* C0, C1, and the marks that reorder a line: a name must not be able to change how the rest of a message
 * reads. */
int party_unprintable(int32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
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
