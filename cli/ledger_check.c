/* SPDX-License-Identifier: Apache-2.0 */
/* tally ledger verify, checkpoint, prove, check-proof, reconcile, backup */
#include "cli/ledger.h"

#include "cli/commands.h"
#include "cli/file.h"
#include "cli/home.h"
#include "cli/message.h"
#include "cli/record.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECKPOINT_MAX 65536u /* bytes of a signed note, countersignatures too */
#define PROOF_MAX (64u << 20) /* bytes of a proof: two records, in base64 */

/* A text of the library to standard output or a file, and released. It ends with a line end. */
static tally_status put(char *text, const char *output, int overwrite, tally_error *error)
{
    size_t len = strlen(text);
    tally_status st = TALLY_OK;
    if (!output) {
        fputs(text, stdout);
    } else {
        if (len && text[len - 1] == '\n')
            text[len - 1] = 0;
        st = cli_file_check("--output", output, overwrite, error);
        if (!st)
            st = cli_file_write(output, text, error);
    }
    free(text);
    return st;
}

/* ---- verify ---- */

/* The fingerprint that the latest checkpoint has to be signed by; "": any. */
static tally_status wanted_key(const cli_ledger_options *o, char out[TALLY_FINGERPRINT_TEXT],
                               tally_error *error)
{
    cli_places places = {0};
    tally_identity *identity = NULL;
    *out = 0;
    if (o->key)
        return cli_ledger_key(o->key, out, error);
    if (!o->identity)
        return TALLY_OK;
    tally_status st = cli_places_find(&places, error);
    if (!st)
        st = cli_identity_open(&places, o->identity, o->passphrase_file, &identity, error);
    if (!st)
        snprintf(out, TALLY_FINGERPRINT_TEXT, "%s", tally_identity_signing_fingerprint(identity));
    if (!st && !*out) {
        st = cli_fail(error, TALLY_ERR_AUTH, "the identity %s has no key that signs", o->identity);
        cli_hint(error, "give the fingerprint of the key that signed instead: --key sha256:...");
    }
    tally_identity_free(identity);
    cli_places_free(&places);
    return st;
}

static tally_status check_signer(const tally_ledger_state *state, const char *wanted, tally_error *error)
{
    if (!*wanted || strcmp(state->signer, wanted) == 0)
        return TALLY_OK;
    cli_fail(error, TALLY_ERR_DIFFERS, "the latest checkpoint was signed by %s; you asked for %s",
             *state->signer ? state->signer : PARTY_WORD("nobody"), wanted);
    cli_hint(error,
             "--key takes the line \"signing key\" of tally identity show, not \"fingerprint\"; if that is "
             "not it, keep the file: somebody else may have written it");
    return TALLY_ERR_DIFFERS;
}

/* The library does not know the name of the file. */
static tally_status name_checkpoint(tally_status st, const char *path, tally_error *error)
{
    if (st != TALLY_ERR_INPUT)
        return st;
    cli_fail(error, TALLY_ERR_INPUT, "%s is not a checkpoint", path);
    cli_hint(error, "give a file that tally ledger checkpoint wrote");
    return TALLY_ERR_INPUT;
}

/* Does the ledger continue the older checkpoint? Any proof with it says so. */
static tally_status check_older(tally_ledger *ledger, const tally_ledger_state *state, const char *path,
                                tally_error *error)
{
    char *older = NULL, *proof = NULL;
    tally_status st = cli_file_read(path, CHECKPOINT_MAX, &older, error);
    if (!st && !state->runs) {
        cli_fail(error, TALLY_ERR_DIFFERS, "the ledger has no run that could continue %s", path);
        cli_hint(error, "is this the ledger that the checkpoint is of?");
        st = TALLY_ERR_DIFFERS;
    }
    if (!st)
        st = name_checkpoint(tally_ledger_prove(ledger, state->runs, older, &proof, error), path, error);
    free(proof);
    free(older);
    return st;
}

/* In what way everything could have been made anew. */
static const char help_signer[] =
    "This shows that no record was changed, taken out or put in between after it was written, unless by\n"
    "somebody who has the signing key and made everything anew; a checkpoint kept elsewhere shows that "
    "too.\n";
static const char help_anybody[] =
    "This shows that records, tree and checkpoint fit together.\n"
    "Whose key signed was not compared (--key): whoever can write the file could have made it anew.\n";
static const char help_not_shown[] =
    "It does not show that the lists of the runs were true, nor that every run was recorded.\n";

static void print_state(const tally_ledger_state *s, const cli_ledger_options *o, const char *wanted)
{
    cli_print("checked: every record, the tree over all of them, the latest checkpoint%s\n",
              o->signatures ? PARTY_WORD(", and the signatures of agreements and receipts") : "");
    cli_print("ledger: %s\nruns: %llu\nincomplete runs: %llu\nrecords: %llu\n", s->origin,
              (unsigned long long)s->runs, (unsigned long long)s->incomplete, (unsigned long long)s->records);
    if (o->signatures)
        cli_print("receipts with signatures that hold: %llu\n", (unsigned long long)s->receipts);
    else
        cli_print("signatures of receipts: not checked (--signatures)\n");
    cli_print("root: %s\n", s->root);
    if (*s->signer)
        cli_print("latest checkpoint signed by: %s%s\n", s->signer,
                  *wanted ? PARTY_WORD(", the key that was asked for") : "");
    else
        cli_print("latest checkpoint signed by: nobody\n");
    if (o->checkpoint)
        cli_print("older checkpoint: nothing that %s covers was changed since\n", o->checkpoint);
    cli_show_help(*wanted ? help_signer : help_anybody);
    cli_show_help(help_not_shown);
}

/* Takes j over; NULL: memory was short. */
static tally_status print_json(json_t *j, tally_error *error)
{
    char *text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
    json_decref(j);
    if (!text)
        return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
    printf("%s\n", text);
    free(text);
    return TALLY_OK;
}

static tally_status print_state_json(const tally_ledger_state *s, const cli_ledger_options *o,
                                     tally_error *error)
{
    json_t *j = json_pack("{s:b, s:s, s:I, s:I, s:I, s:s, s:b, s:b}", "holds", 1, "ledger", s->origin, "runs",
                          (json_int_t)s->runs, "incomplete", (json_int_t)s->incomplete, "records",
                          (json_int_t)s->records, "root", s->root, "signatures_checked", o->signatures,
                          "older_checkpoint_checked", o->checkpoint != NULL);
    json_object_set_new(j, "receipts", o->signatures ? json_integer((json_int_t)s->receipts) : json_null());
    json_object_set_new(j, "signer", *s->signer ? json_string(s->signer) : json_null());
    return print_json(j, error);
}

tally_status cli_ledger_verify(tally_ledger *ledger, const cli_ledger_options *o, tally_error *error)
{
    tally_ledger_state state = {.runs = 0};
    char wanted[TALLY_FINGERPRINT_TEXT];
    tally_status st = wanted_key(o, wanted, error);
    if (!st)
        st = tally_ledger_verify(ledger, o->signatures, &state, error);
    if (!st)
        st = check_signer(&state, wanted, error);
    if (!st && o->checkpoint)
        st = check_older(ledger, &state, o->checkpoint, error);
    if (st)
        return st;
    if (o->json)
        return print_state_json(&state, o, error);
    print_state(&state, o, wanted);
    return TALLY_OK;
}

/* ---- Proofs ---- */

/* "sha256:" and 64 hex digits, in lower case. */
tally_status cli_ledger_key(const char *text, char out[TALLY_FINGERPRINT_TEXT], tally_error *error)
{
    size_t len = strlen(text);
    int is =
        len == 71 && strncmp(text, "sha256:", 7) == 0 && strspn(text + 7, "0123456789abcdefABCDEF") == 64;
    if (!is) {
        cli_fail(error, TALLY_ERR_USAGE, "--key: %s is not a fingerprint", text);
        cli_hint(error, "it is sha256: and 64 hex digits, the signing key of tally identity show");
        return TALLY_ERR_USAGE;
    }
    for (size_t i = 0; i <= len; i++)
        out[i] = (char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] - 'A' + 'a' : text[i]);
    return TALLY_OK;
}

tally_status cli_ledger_checkpoint(tally_ledger *ledger, const cli_ledger_options *o, tally_error *error)
{
    char *text = NULL;
    tally_status st = tally_ledger_checkpoint(ledger, &text, error);
    (void)o;
    return st ? st : put(text, NULL, 0, error);
}

tally_status cli_ledger_prove(tally_ledger *ledger, const cli_ledger_options *o, tally_error *error)
{
    char *older = NULL, *proof = NULL;
    tally_status st = TALLY_OK;
    if (o->output)
        st = cli_file_check("--output", o->output, o->force, error);
    if (!st && o->since)
        st = cli_file_read(o->since, CHECKPOINT_MAX, &older, error);
    if (!st)
        st = name_checkpoint(tally_ledger_prove(ledger, o->n, older, &proof, error), o->since, error);
    free(older);
    if (!st)
        st = put(proof, o->output, o->force, error);
    if (!st && o->output)
        cli_advise("it goes with the checkpoint as it is now: tally ledger checkpoint > FILE");
    return st;
}

tally_status cli_ledger_check_proof(tally_ledger *ledger, const cli_ledger_options *o, tally_error *error)
{
    char *proof = NULL, *checkpoint = NULL, *shown = NULL, key[TALLY_FINGERPRINT_TEXT];
    tally_status st = o->key ? cli_ledger_key(o->key, key, error) : TALLY_OK;
    (void)ledger;
    if (!st)
        st = cli_file_read(o->word, PROOF_MAX, &proof, error);
    if (!st)
        st = cli_file_read(o->checkpoint, CHECKPOINT_MAX, &checkpoint, error);
    if (!st)
        st = tally_proof_check(proof, checkpoint, o->key ? key : NULL, &shown, error);
    free(checkpoint);
    free(proof);
    if (st)
        return st;
    st = put(shown, NULL, 0, error);
    if (!o->key)
        cli_note("the key that signed the checkpoint was not compared: --key sha256:... does");
    return st;
}

/* ---- reconcile, backup ---- */

typedef struct lines {
    json_t *list; /* NULL: to standard output */
    int failed;
} lines;

static void tell(void *user, const char *line)
{
    lines *l = user;
    if (l->list) {
        l->failed |= json_array_append_new(l->list, json_string(line));
        return;
    }
    cli_record_print(stdout, line);
    putchar('\n');
}

/* What was compared with what. */
typedef struct comparison {
    uint64_t compared, left, differences; /* sessions that both have; own runs that are not among them */
    char own[64], theirs[64];             /* names of the ledgers */
} comparison;

static tally_status print_differences(const lines *l, const comparison *c, int same, tally_error *error)
{
    json_t *j = json_pack("{s:b, s:s, s:s, s:I, s:I, s:I, s:O}", "same", same, "ledger", c->own, "other",
                          c->theirs, "compared", (json_int_t)c->compared, "not_compared", (json_int_t)c->left,
                          "count", (json_int_t)c->differences, "differences", l->list);
    if (l->failed) {
        json_decref(j);
        j = NULL;
    }
    return print_json(j, error);
}

/* The first line of its checkpoint. */
static tally_status name_of(tally_ledger *ledger, char out[64], tally_error *error)
{
    char *text = NULL;
    tally_status st = tally_ledger_checkpoint(ledger, &text, error);
    if (!st)
        snprintf(out, 64, "%.*s", (int)strcspn(text, "\n"), text);
    free(text);
    return st;
}

/* The other ledger is looked at as a whole first: what does not verify is not worth comparing. */
static tally_status compare(tally_ledger *ledger, tally_ledger *other, lines *l, comparison *c,
                            tally_error *error)
{
    tally_ledger_state state = {.runs = 0};
    uint64_t runs = 0;
    tally_status st = tally_ledger_verify(other, 1, &state, error);
    if (!st)
        st = name_of(ledger, c->own, error);
    if (!st)
        st = tally_ledger_runs(ledger, &runs, error);
    if (st)
        return st;
    memcpy(c->theirs, state.origin, sizeof c->theirs);
    st = tally_ledger_reconcile(ledger, other, tell, l, &c->compared, &c->differences, error);
    c->left = runs > c->compared ? runs - c->compared : 0;
    return st;
}

static void say_the_same(const comparison *c)
{
    char left[600] = "";
    if (c->left)
        party_both(left, sizeof left,
                   c->left == 1 ? "; %llu of your runs has no session there and was not compared"
                                : "; %llu of your runs have no session there and were not compared",
                   (unsigned long long)c->left);
    cli_note(c->compared == 1
                 ? "compared %llu session of %s (yours) with %s (theirs): both record the same%s"
                 : "compared %llu sessions of %s (yours) with %s (theirs): both record the same%s",
             (unsigned long long)c->compared, c->own, c->theirs, left);
}

tally_status cli_ledger_reconcile(tally_ledger *ledger, const cli_ledger_options *o, tally_error *error)
{
    tally_ledger *other = NULL;
    tally_error ignored;
    lines l = {.list = o->json ? json_array() : NULL};
    comparison c = {.differences = 0};
    tally_status st = tally_ledger_open(&other, o->word, TALLY_LEDGER_COPY, error);
    if (!st)
        st = compare(ledger, other, &l, &c, error);
    int read = !st || (st == TALLY_ERR_DIFFERS && *c.theirs); /* its lines are told */
    if (read && o->json) {
        tally_status printed = print_differences(&l, &c, !st && !c.differences, st ? &ignored : error);
        st = st ? st : printed;
    }
    tally_ledger_free(other);
    json_decref(l.list);
    if (st)
        return st;
    if (!c.differences) {
        say_the_same(&c);
        return TALLY_OK;
    }
    cli_fail(error, TALLY_ERR_DIFFERS,
             c.differences == 1 ? "the two ledgers differ in %llu place"
                                : "the two ledgers differ in %llu places",
             (unsigned long long)c.differences);
    cli_hint(
        error,
        "a run that went on while the other ledger was copied is one; otherwise show both runs, and ask the "
        "other side");
    return TALLY_ERR_DIFFERS;
}

tally_status cli_ledger_backup(tally_ledger *ledger, const cli_ledger_options *o, tally_error *error)
{
    tally_ledger *copy = NULL;
    tally_ledger_state state = {.runs = 0};
    tally_status st = tally_ledger_backup(ledger, o->word, error);
    if (!st)
        st = tally_ledger_open(&copy, o->word, TALLY_LEDGER_READ, error);
    if (!st)
        st = tally_ledger_verify(copy, 0, &state, error);
    tally_ledger_free(copy);
    if (st == TALLY_ERR_DIFFERS) { /* of a ledger that does not hold a backup would be trusted later on */
        unlink(o->word);
        cli_note("the ledger does not verify, so %s was removed: there is no copy", o->word);
    }
    if (!st)
        cli_note("%s is a copy of the ledger %s: %llu runs, %llu records, all verified", o->word,
                 state.origin, (unsigned long long)state.runs, (unsigned long long)state.records);
    return st;
}
