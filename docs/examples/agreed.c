/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One side of a match under an agreement that both have signed (FILE, and FILE.sig beside it), recorded in a
 * ledger. Everything else is in the agreement: which side this is, keys, terms, the other side's key and
 * address. Matching rows go to OUTPUT (- is standard output); what is on record of the run follows on
 * standard error. Build: cc agreed.c $(pkg-config --cflags --libs tally) Run:   agreed AGREEMENT IDENTITY-DIR
 * LEDGER LIST [OUTPUT]
 */
#include <stdio.h>
#include <stdlib.h>
#include <tally.h>

typedef struct parts {
    tally_agreement *agreement;
    tally_identity *identity;
    tally_ledger *ledger;
    tally_input *input;
    tally_session *session;
} parts;

static tally_status open_all(parts *p, char **argv, tally_error *error)
{
    char signatures[4096];
    snprintf(signatures, sizeof signatures, "%s.sig", argv[1]);
    tally_status st = tally_agreement_load(argv[1], &p->agreement, error);
    if (!st)
        st = tally_agreement_add_signatures(p->agreement, signatures, error);
    if (!st)
        st = tally_identity_load(argv[2], &p->identity, error);
    if (!st)
        st = tally_ledger_open(&p->ledger, argv[3], TALLY_LEDGER_WRITE, error);
    if (!st)
        st = tally_input_new(&p->input, error);
    if (!st)
        st = tally_input_set_file(p->input, argv[4], error);
    return st ? st : tally_session_new(&p->session, error);
}

/* Nothing is set but what an agreement cannot say. */
static tally_status run(parts *p, const char *output, tally_error *error)
{
    tally_status st = output ? tally_session_set_output(p->session, output, 0, error) : TALLY_OK;
    if (st)
        return st;
    tally_session_set_agreement(p->session, p->agreement);
    tally_session_set_ledger(p->session, p->ledger);
    tally_session_set_identity(p->session, p->identity);
    tally_session_set_input(p->session, p->input);
    tally_session_set_timeout(p->session, 20);
    return tally_session_run(p->session, error);
}

/* The run as the ledger has it, with the receipt and its two signatures, as JSON. */
static tally_status show_record(const parts *p, tally_error *error)
{
    tally_result result;
    tally_ledger_state state;
    char *json = NULL;
    tally_session_get_result(p->session, &result);
    tally_status st = tally_ledger_run_json(p->ledger, result.run, &json, error);
    if (!st)
        st = tally_ledger_verify(p->ledger, 1, &state, error);
    if (!st)
        fprintf(stderr, "run %u, %u receipts verified: %s\n", (unsigned)result.run, (unsigned)state.receipts,
                json);
    free(json);
    return st;
}

int main(int argc, char **argv)
{
    parts p = {NULL, NULL, NULL, NULL, NULL};
    tally_error error = {TALLY_OK, "", "", "", ""};
    if (argc != 5 && argc != 6) {
        fprintf(stderr, "usage: agreed AGREEMENT IDENTITY-DIR LEDGER LIST [OUTPUT]\n");
        return 1;
    }
    tally_status st = open_all(&p, argv, &error);
    if (!st)
        st = run(&p, argc == 6 ? argv[5] : NULL, &error);
    if (!st) {
        fprintf(stderr, "%s\n", tally_session_learned(p.session));
        st = show_record(&p, &error);
    }
    if (st)
        fprintf(stderr, "agreed: %s\n%s\n", error.message, error.hint);
    tally_session_free(p.session);
    tally_input_free(p.input);
    tally_ledger_free(p.ledger);
    tally_identity_free(p.identity);
    tally_agreement_free(p.agreement);
    return tally_exit_status(st);
}
