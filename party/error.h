/* SPDX-License-Identifier: Apache-2.0 */
/* Filling a tally_error: every failure of party/ passes here once, where it is noticed. And texts in two
 * languages: English, which is recorded, and the one of tally_set_translation, which is shown. */
#ifndef PARTY_ERROR_H
#define PARTY_ERROR_H

#include "party/tally.h"
#include <stdarg.h>

/*
 * An argument of a text that is itself English to be translated carries marks: PARTY_WORD round a literal,
 * party_word and the functions below it round what is known only when it runs. Every function here that takes
 * a format looks the format up in the other language, and what is between marks. PARTY_TEXT: found by
 * `make messages`, as the formats are, to be looked up later.
 */
#define PARTY_MARK "\035" /* what follows is English */
#define PARTY_OTHER                                                                                          \
    "\036" /* and what follows this is the same in the other language, else it is looked up                  \
            */
#define PARTY_UNMARK "\037"
#define PARTY_TEXT(text) text
#define PARTY_WORD(text) PARTY_MARK text PARTY_UNMARK
/* A format for one text that is a message as it stands, and one for such a text behind a name. */
#define PARTY_WHOLE PARTY_MARK "%s" PARTY_UNMARK
#define PARTY_OF_WHOLE "%s: " PARTY_WHOLE

/* text in the language of tally_set_translation. */
const char *party_local(const char *text) __attribute__((format_arg(1)));
/* 1 if there is one. */
int party_translates(void);
/* Words that are marked, as vsnprintf: in English, or (local) in the other language. */
void party_render(char *out, size_t size, int local, const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));
/* The same of a text that is put together already. */
void party_read_marks(char *out, size_t size, int local, const char *text);
/* A text for people that is no error, in the language that is shown. */
void party_show(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A text in both languages, marked, to be an argument of another. Takes twice the bytes. */
void party_both(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
void party_both_of(char *out, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
/* A text, what the system says of errno e, the message and the hint of an error: marked, in a buffer of the
 * thread that the fourth call after takes again. */
const char *party_word(const char *text);
const char *party_system_text(int e);
const char *party_message_of(const tally_error *error);
const char *party_hint_of(const tally_error *error);

/* Sets status and message (printf form), clears the hint, returns status. error may be NULL. No identifier,
   key or masked item may be an argument. */
tally_status party_fail(tally_error *error, tally_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
tally_status party_fail_of(tally_error *error, tally_status status, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
/* Sets the hint of an error that party_fail has just filled. */
void party_hint(tally_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
void party_hint_of_args(tally_error *error, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Out of memory, with the place named. Returns TALLY_ERR_NO_MEMORY. */
tally_status party_no_memory(tally_error *error, const char *what);
/* C0, C1, and the marks that hide or reorder text: nothing that may stand in a line. */
int party_unprintable(int32_t c);
/* Columns that a text takes on a terminal: two for a wide character, none for a combining mark. */
size_t party_width(const char *text);
/* Copies text so that it is safe on a terminal: control characters become '?', cut to fit out_size with its
 * zero. */
void party_printable(char *out, size_t out_size, const char *text);

#endif
