/* SPDX-License-Identifier: Apache-2.0 */
/* Agreements for tests: texts, and files of them. Everything aborts on failure. */
#ifndef TESTS_SUPPORT_AGREEMENT_H
#define TESTS_SUPPORT_AGREEMENT_H

#include "party/tally.h"

/* 22 lines, a match; agreed_count and agreed_sum are the same with other last lines. */
extern const char agreed_match[], agreed_count[], agreed_sum[];

/* text with the first `old` replaced, to be freed; old "" appends. */
char *agreed_with(const char *text, const char *old, const char *replacement);
/* A file of these bytes in a folder of its own; the path lives until the program ends. */
const char *agreed_file(const void *bytes, size_t len);
const char *agreed_text_file(const char *text);
/* Loads the text; *out NULL on failure. */
tally_status agreed_load(const char *text, tally_agreement **out, tally_error *error);

#endif
