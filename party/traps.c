/* SPDX-License-Identifier: Apache-2.0 */
#include "party/traps.h"

#include "party/error.h"

#include <stdio.h>
#include <string.h>

void party_lines_add(party_lines *lines, uint32_t line)
{
    if (lines->count < PARTY_LINES)
        lines->first[lines->count] = line;
    lines->count++;
}

void party_lines_join(party_lines *to, const party_lines *from)
{
    party_lines all = {.count = to->count + from->count};
    size_t a = 0, b = 0, n = 0;
    size_t as = to->count < PARTY_LINES ? (size_t)to->count : PARTY_LINES,
           bs = from->count < PARTY_LINES ? (size_t)from->count : PARTY_LINES;
    while (n < PARTY_LINES && (a < as || b < bs))
        all.first[n++] =
            b == bs || (a < as && to->first[a] <= from->first[b]) ? to->first[a++] : from->first[b++];
    *to = all;
}

void party_lines_text(char out[PARTY_LINES_TEXT], const party_lines *lines)
{
    size_t used = 0; /* ten numbers of ten digits and their commas: 120 */
    *out = 0;
    for (size_t i = 0; i < PARTY_LINES && i < lines->count; i++)
        used += (size_t)snprintf(out + used, PARTY_LINES_TEXT - used, "%s%u", i ? ", " : "", lines->first[i]);
    if (lines->count > PARTY_LINES)
        snprintf(out + used, PARTY_LINES_TEXT - used, ", ...");
}

const char *party_trap_name(enum party_trap trap)
{
    static const char *const names[] = {[PARTY_TRAP_SCIENTIFIC] = "scientific-notation",
                                        [PARTY_TRAP_DIGITS_LOST] = "digits-lost",
                                        [PARTY_TRAP_ZEROS_LOST] = "leading-zeros-lost",
                                        [PARTY_TRAP_MASKED] = "masked",
                                        [PARTY_TRAP_APOSTROPHE] = "leading-apostrophe",
                                        [PARTY_TRAP_FORMULA] = "formula-quotes",
                                        [PARTY_TRAP_BLANKS] = "blanks",
                                        [PARTY_TRAP_SEPARATOR_LINE] = "separator-line",
                                        [PARTY_TRAP_IS_GB18030] = "encoding-gb18030",
                                        [PARTY_TRAP_IS_WESTERN] = "encoding-western",
                                        [PARTY_TRAP_IS_UTF8] = "encoding-utf-8",
                                        [PARTY_TRAP_HEADER_READ] = "header-read-as-row",
                                        [PARTY_TRAP_COLUMNS] = "columns",
                                        [PARTY_TRAP_COUNTRY_CODE] = "country-code",
                                        [PARTY_TRAP_EMPTY] = "empty",
                                        [PARTY_TRAP_KIND] = "not-of-the-profile",
                                        [PARTY_TRAP_CONSTANT] = "constant-column",
                                        [PARTY_TRAP_DUPLICATES] = "mostly-duplicates"};
    return names[trap];
}

const char *party_weight_name(enum party_weight weight)
{
    static const char *const names[] = {"rejected", "warning", "handled"};
    return names[weight];
}

int party_trap_of_reject(int reason)
{
    switch (reason) {
    case PARTY_REJECT_EMPTY:
        return PARTY_TRAP_EMPTY;
    case PARTY_REJECT_COLUMNS:
        return PARTY_TRAP_COLUMNS;
    case PARTY_REJECT_LENGTH:
    case PARTY_REJECT_CHARACTER:
    case PARTY_REJECT_CHECK_DIGIT:
    case PARTY_REJECT_DATE:
        return PARTY_TRAP_KIND;
    case PARTY_REJECT_MASKED:
        return PARTY_TRAP_MASKED;
    case PARTY_REJECT_SCIENTIFIC:
        return PARTY_TRAP_SCIENTIFIC;
    case PARTY_REJECT_DIGITS_LOST:
        return PARTY_TRAP_DIGITS_LOST;
    case PARTY_REJECT_COUNTRY_CODE:
        return PARTY_TRAP_COUNTRY_CODE;
    default:
        return -1;
    }
}

/* Of cells that a program changed before they came here. */
static int say_changed(enum party_trap trap, int exact, tally_error *e)
{
    switch (trap) {
    case PARTY_TRAP_SCIENTIFIC:
        party_fail(e, TALLY_ERR_INPUT,
                   "numbers in scientific notation, as 1.1E+17: a spreadsheet took the identifiers for "
                   "numbers, and their last digits are gone from this file");
        party_hint(e, "export again from where the list is kept; if it has to pass a spreadsheet, import the "
                      "column as text");
        return 1;
    case PARTY_TRAP_DIGITS_LOST:
        party_fail(e, TALLY_ERR_INPUT,
                   "long numbers that end in zeros: a spreadsheet keeps 15 digits of a number and writes 0 "
                   "for the others, which are gone from this file");
        party_hint(e, "export again from where the list is kept; if it has to pass a spreadsheet, import the "
                      "column as text");
        return 1;
    case PARTY_TRAP_ZEROS_LOST:
        party_fail(e, TALLY_ERR_INPUT,
                   "numbers shorter than the others, and none that begins with 0: a spreadsheet may have cut "
                   "off leading zeros, and these rows would then not match");
        party_hint(e, "compare the lines with where the list is kept; import the column as text, or export "
                      "without a spreadsheet");
        return 1;
    case PARTY_TRAP_MASKED:
        party_fail(e, TALLY_ERR_INPUT,
                   "masked identifiers, with * or X in place of characters: they cannot match anything");
        party_hint(e, "ask for the export with full identifiers: they do not leave this house in a run");
        return 1;
    case PARTY_TRAP_APOSTROPHE:
        if (exact)
            party_fail(e, TALLY_ERR_INPUT,
                       "values that begin with an apostrophe, which spreadsheets use to mark text: with the "
                       "profile exact it is part of the identifier");
        else
            party_fail(e, TALLY_ERR_INPUT,
                       "values that begin with an apostrophe, which spreadsheets use to mark text: it is "
                       "left out");
        party_hint(e, "export the column as text without the apostrophe; both sides have to write it alike");
        return 1;
    case PARTY_TRAP_FORMULA:
        if (exact)
            party_fail(e, TALLY_ERR_INPUT,
                       "values written as a formula, =\"...\", which spreadsheets read as text: with the "
                       "profile exact the signs are part of the identifier");
        else
            party_fail(e, TALLY_ERR_INPUT,
                       "values written as a formula, =\"...\", which spreadsheets read as text: the signs "
                       "around the value are left out");
        party_hint(e, "export plain values; the program that wrote the file has a setting for spreadsheets");
        return 1;
    case PARTY_TRAP_BLANKS:
        party_fail(e, TALLY_ERR_INPUT,
                   "blanks at the ends, or characters that cannot be seen: with the profile exact they are "
                   "part of the identifier, and such rows would not match");
        party_hint(e, "trim the column where it is exported; the profiles of numbers leave blanks out");
        return 1;
    default:
        return 0;
    }
}

/* Of the file, or of the options it is read with. */
static int say_file(enum party_trap trap, tally_error *e)
{
    switch (trap) {
    case PARTY_TRAP_SEPARATOR_LINE:
        party_fail(e, TALLY_ERR_INPUT,
                   "the first line is sep=, by which a program tells a spreadsheet the delimiter: it is left "
                   "out, and the delimiter is taken from it");
        party_hint(e, "nothing has to be done");
        return 1;
    case PARTY_TRAP_IS_GB18030:
        party_fail(e, TALLY_ERR_INPUT, "text that is not UTF-8 and looks like GB18030 (GBK, GB 2312)");
        party_hint(e, "say --encoding gb18030, or save the file as \"CSV UTF-8\"");
        return 1;
    case PARTY_TRAP_IS_WESTERN:
        party_fail(e, TALLY_ERR_INPUT,
                   "text that is neither UTF-8 nor GB18030: it looks like Latin-1 or Windows-1252");
        party_hint(e, "save the file as \"CSV UTF-8\", or convert it: iconv -f WINDOWS-1252 -t UTF-8");
        return 1;
    case PARTY_TRAP_IS_UTF8:
        party_fail(e, TALLY_ERR_INPUT,
                   "all text is valid UTF-8, but it is read as GB18030: other characters come out, and these "
                   "rows would not match");
        party_hint(e, "leave out --encoding gb18030");
        return 1;
    case PARTY_TRAP_HEADER_READ:
        party_fail(e, TALLY_ERR_INPUT,
                   "the first row is rejected and most others are not: it may be a header, read as a row");
        party_hint(e, "leave out --no-header, and name the columns as the header does");
        return 1;
    case PARTY_TRAP_COLUMNS:
        party_fail(e, TALLY_ERR_INPUT, "rows with another number of columns than the first");
        party_hint(e, "a delimiter inside a value needs quotes around the value; look at the lines named");
        return 1;
    default:
        return 0;
    }
}

void party_trap_say(enum party_trap trap, int exact, tally_error *e)
{
    if (say_changed(trap, exact, e) || say_file(trap, e))
        return;
    switch (trap) {
    case PARTY_TRAP_COUNTRY_CODE:
        party_fail(e, TALLY_ERR_INPUT, "telephone numbers without a country code");
        party_hint(e, "say which country national numbers are of, such as phone-e164+86");
        break;
    case PARTY_TRAP_EMPTY:
        party_fail(e, TALLY_ERR_INPUT, "rows without an identifier");
        party_hint(e, "if there should be one, look at the export; is --key the right column?");
        break;
    case PARTY_TRAP_KIND:
        party_fail(e, TALLY_ERR_INPUT,
                   "values that are no identifiers of the profile: wrong length, character, date or check "
                   "digit");
        party_hint(e, "is --key the right column and profile? A few are often typing errors: correct them "
                      "at the source");
        break;
    case PARTY_TRAP_CONSTANT:
        party_fail(e, TALLY_ERR_INPUT,
                   "every row has the same value: this column identifies nobody and adds nothing to a key");
        party_hint(e, "is --key the right column?");
        break;
    case PARTY_TRAP_DUPLICATES:
    default:
        party_fail(e, TALLY_ERR_INPUT,
                   "most rows repeat the identifier of another row: the column may not be one that "
                   "identifies, such as a region or a branch");
        party_hint(e, "is --key the right column? If rows are events of the same people, all is well");
        break;
    }
}
