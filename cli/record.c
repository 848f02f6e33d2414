/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/record.h"

#include "cli/message.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utf8proc.h>

const char *cli_record_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

int cli_record_number(const json_t *object, const char *key, long long *out)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return 0;
    *out = json_integer_value(value);
    return 1;
}

void cli_record_time(char out[32], long long seconds)
{
    time_t t = (time_t)seconds;
    struct tm tm;
    if (seconds <= 0 || !gmtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", &tm))
        snprintf(out, 32, "unknown");
}

void cli_record_grouped(char out[32], long long number)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%lld", number), used = 0;
    for (int i = 0; i < n; i++) {
        int left = n - i;
        if (i > (digits[0] == '-') && left % 3 == 0)
            out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = 0;
}

/* ---- For a terminal ---- */

int cli_record_unseen(int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return 1;
    default:
        return 0;
    }
}

/* The next character of text, its bytes and columns; returns where to go on. */
static const char *next(const char *text, const char **bytes, size_t *len, size_t *columns)
{
    utf8proc_int32_t c;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)strlen(text), &c);
    int bad = n <= 0 || cli_record_unseen(c);
    *bytes = bad ? "?" : text;
    *len = bad ? 1 : (size_t)n;
    *columns = bad ? 1 : (size_t)utf8proc_charwidth(c);
    return text + (n > 0 ? n : 1);
}

void cli_record_print(FILE *out, const char *text)
{
    const char *bytes;
    size_t len, columns;
    while (*text) {
        text = next(text, &bytes, &len, &columns);
        fwrite(bytes, 1, len, out);
    }
}

size_t cli_record_width(const char *text)
{
    const char *bytes;
    size_t len, columns, all = 0;
    while (*text) {
        text = next(text, &bytes, &len, &columns);
        all += columns;
    }
    return all;
}

void cli_record_fit(char *out, size_t size, const char *text, size_t width)
{
    const char *bytes;
    size_t len, columns, used = 0, all = 0, most = cli_record_width(text) > width ? width - 2 : width;
    int cut = most < width;
    while (*text) {
        text = next(text, &bytes, &len, &columns);
        if (all + columns > most || used + len + 3 > size) {
            cut = 1;
            break;
        }
        memcpy(out + used, bytes, len);
        used += len;
        all += columns;
    }
    memcpy(out + used, cut ? ".." : "", cut ? 3 : 1);
}

/* ---- The record ---- */

static enum tally_function function_of(const char *name)
{
    return strcmp(name, "count") == 0 ? TALLY_COUNT : strcmp(name, "sum") == 0 ? TALLY_SUM : TALLY_MATCH;
}

/* The agreement with its signatures, for its fields. What is wrong with it is said, and the rest is shown. */
static tally_status read_agreement(cli_record *r, const json_t *kept)
{
    tally_error problem = {.message = ""};
    const char *text = cli_record_text(kept, "text"), *signatures = cli_record_text(kept, "signatures");
    tally_status st = tally_agreement_parse("agreement", text, strlen(text), &r->agreement, &problem);
    if (!st && *signatures)
        st = tally_agreement_parse_signatures(r->agreement, "signatures", signatures, strlen(signatures),
                                              &problem);
    if (!st && *r->digest && strcmp(tally_agreement_digest(r->agreement), r->digest) != 0)
        st = cli_fail(&problem, TALLY_ERR_DIFFERS,
                      "the text that is kept is not the one of the run: its digest is %s",
                      tally_agreement_digest(r->agreement));
    if (st == TALLY_ERR_NO_MEMORY)
        return st;
    if (st)
        snprintf(r->problem, sizeof r->problem, "%s", problem.message);
    if (!r->agreement)
        return TALLY_OK;
    char *json = tally_agreement_json(r->agreement);
    json_t *all = json ? json_loads(json, 0, NULL) : NULL;
    free(json);
    r->agreed = json_incref(json_object_get(all, "fields"));
    json_decref(all);
    return r->agreed ? TALLY_OK : TALLY_ERR_NO_MEMORY;
}

static void read_state(cli_record *r, const json_t *refused)
{
    long long status = 0;
    const json_t *disclosed = json_object_get(r->end, "disclosed");
    if (refused)
        r->state = CLI_RUN_REFUSED;
    else if (!r->end)
        r->state = CLI_RUN_INCOMPLETE;
    else if (!cli_record_number(r->end, "exit_status", &status) || status != 0)
        r->state = CLI_RUN_FAILED;
    else
        r->state = CLI_RUN_DONE;
    /* What is not known to be kept back counts as disclosed. */
    r->disclosed = refused ? json_is_true(disclosed) : !json_is_false(disclosed);
}

/* The body of a record, also where it stands beside the time of the record. */
static const json_t *body_of(const json_t *root, const char *kind)
{
    const json_t *record = json_object_get(root, kind), *body = json_object_get(record, "body");
    const json_t *found = json_is_object(body) ? body : record;
    return json_is_object(found) ? found : NULL;
}

static const json_t *first_object(const json_t *a, const json_t *b)
{
    return json_is_object(a) ? a : json_is_object(b) ? b : NULL;
}

static void read_fields(cli_record *r)
{
    const json_t *refused = body_of(r->root, "refused");
    r->begin = refused ? refused : body_of(r->root, "intent");
    r->end = refused ? refused : body_of(r->root, "outcome");
    r->terms = first_object(json_object_get(r->end, "terms"), json_object_get(r->begin, "terms"));
    r->input = first_object(json_object_get(r->begin, "input"), NULL);
    r->peer = first_object(json_object_get(r->end, "peer"), json_object_get(r->begin, "peer"));
    r->receipt = first_object(json_object_get(r->end, "receipt"), NULL);
    r->function = function_of(cli_record_text(r->begin, "function"));
    r->side = strcmp(cli_record_text(r->begin, "role"), "sender") == 0 ? CLI_SENDER : CLI_RECEIVER;
    r->has_role = r->side == CLI_SENDER || strcmp(cli_record_text(r->begin, "role"), "receiver") == 0;
    r->bypassed = strcmp(cli_record_text(r->begin, "ledger"), "bypassed") == 0;
    r->identity = cli_record_text(r->begin, "identity");
    r->digest = cli_record_text(r->begin, "agreement");
    r->own = cli_record_text(r->begin, "organisation");
    r->other = cli_record_text(r->peer, "organisation");
    r->other_unknown = *r->digest && !*r->own && !*r->other && !*cli_record_text(r->peer, "subject");
    cli_record_number(r->root, "n", &r->n);
    cli_record_number(r->root, "began", &r->began);
    cli_record_number(r->root, "ended", &r->ended);
    read_state(r, refused);
}

tally_status cli_record_read(const char *json, cli_record *out, tally_error *error)
{
    cli_record r = {.root = json_loads(json, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL)};
    tally_status st = TALLY_OK;
    if (json_is_object(r.root))
        read_fields(&r);
    if (!r.begin) {
        cli_record_free(&r);
        cli_fail(error, TALLY_ERR_FILE, "the record of the run cannot be read");
        cli_hint(error, "tally ledger verify tells whether the ledger is damaged");
        return TALLY_ERR_FILE;
    }
    const json_t *kept = json_object_get(r.root, "agreement");
    if (json_is_object(kept))
        st = read_agreement(&r, kept);
    if (st) {
        cli_record_free(&r);
        return cli_fail(error, st, "out of memory");
    }
    *out = r;
    return TALLY_OK;
}

void cli_record_free(cli_record *r)
{
    json_decref(r->agreed);
    tally_agreement_free(r->agreement);
    json_decref(r->root);
    *r = (cli_record){.root = NULL};
}
