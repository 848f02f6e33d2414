/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two parties in one process add up amounts: the court has them, the bank learns how many of its customers
 * the court's list has, the sum of their amounts and the mean, and not which customers they are. Rows from
 * memory, the bytes between the two through tally_pipe_new.
 * Build: cc sum.c $(pkg-config --cflags --libs tally) -lpthread
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <tally.h>

typedef struct row {
    const char *id;
    int64_t cents; /* what the court has on this person; the bank's rows have no number */
} row;

typedef struct party {
    const char *name;
    enum tally_role role;
    int owns_values;
    const row *rows;
    size_t count;
    tally_transport transport;
    tally_status status;
    tally_error error;
} party;

static const row court[] = {{"1007", 125000}, {"1011", 4050}, {"1013", 99999}, {"1011", 950}, {"1019", 700}};
static const row bank[] = {{"1002", 0}, {"1007", 0}, {"1011", 0}, {"1012", 0}, {"1019", 0}};

/* The court's input has a value column: amounts from 0 to 10,000.00. Its two rows of person 1011 become one
 * of 50.00, since the numbers of one identifier are added unless tally_input_set_duplicates says otherwise.
 */
static tally_status add_rows(tally_input *input, const party *p, tally_error *error)
{
    tally_status st = tally_input_add_key(input, "customer", "exact", error);
    if (!st && p->owns_values)
        st = tally_input_add_value(input, "amount", 0, 1000000, 2, error);
    for (size_t i = 0; !st && i < p->count; i++) {
        tally_text key = {p->rows[i].id, strlen(p->rows[i].id)};
        st = p->owns_values ? tally_input_add_row_numbers(input, &key, 1, &p->rows[i].cents, 1, error)
                            : tally_input_add_row(input, &key, 1, error);
    }
    return st;
}

/* Figures are exact, up to 127 bits: high * 2^64 + low. A sum of a few amounts fits the low half. */
static tally_status print_figures(const tally_session *session, const party *p)
{
    int64_t count, high;
    uint64_t low;
    tally_status st = tally_session_get_figure(session, 0, 0, 0, -1, &count, &high, &low);
    if (st || high != 0)
        return st ? st : TALLY_ERR_INTERNAL;
    printf("%s: count %" PRId64 "\n", p->name, count);
    printf("%s: sum %" PRIu64 ".%02" PRIu64 "\n", p->name, low / 100, low % 100);
    if (count > 0)
        printf("%s: mean %.2f\n", p->name, (double)low / 100 / (double)count);
    return TALLY_OK;
}

static void *run_party(void *user)
{
    party *p = (party *)user;
    tally_input *input = NULL;
    tally_session *session = NULL;
    tally_result result;

    p->status = tally_input_new(&input, &p->error);
    if (!p->status)
        p->status = add_rows(input, p, &p->error);
    if (!p->status)
        p->status = tally_session_new(&session, &p->error);
    if (!p->status) {
        tally_session_set_role(session, p->role);
        tally_session_set_function(session, TALLY_SUM);
        tally_session_set_input(session, input);
        /* No answer if fewer than two are on both lists. Both sides say the same. */
        p->status = tally_session_set_min_overlap(session, 2, &p->error);
    }
    if (!p->status) {
        /* No TLS: the bytes never leave this process, and we know who is at both ends. */
        tally_session_set_transport(session, &p->transport, 0, 0);
        tally_session_set_timeout(session, 30);
        p->status = tally_session_run(session, &p->error);
    }
    if (!p->status) {
        tally_session_get_result(session, &result);
        if (result.learns_figures)
            p->status = print_figures(session, p);
        printf("%s: %s\n", p->name, tally_session_learned(session));
    } else { /* the other party must not wait for one that never came */
        p->transport.shutdown(p->transport.user);
    }
    tally_session_free(session);
    tally_input_free(input);
    return NULL;
}

int main(void)
{
    party parties[2];
    pthread_t thread;
    tally_error error;

    memset(parties, 0, sizeof parties);
    parties[0].name = "bank";
    parties[0].role = TALLY_RECEIVER;
    parties[0].rows = bank;
    parties[0].count = sizeof bank / sizeof *bank;
    parties[1].name = "court";
    parties[1].role = TALLY_SENDER;
    parties[1].owns_values = 1;
    parties[1].rows = court;
    parties[1].count = sizeof court / sizeof *court;

    tally_status st = tally_pipe_new(&parties[0].transport, &parties[1].transport, &error);
    if (st) {
        fprintf(stderr, "sum: %s\n", error.message);
        return tally_exit_status(st);
    }
    if (pthread_create(&thread, NULL, run_party, &parties[1])) {
        fprintf(stderr, "sum: no thread\n");
        return 70;
    }
    run_party(&parties[0]);
    pthread_join(thread, NULL);
    for (int i = 0; i < 2; i++) {
        tally_pipe_free(&parties[i].transport);
        if (parties[i].status)
            fprintf(stderr, "%s: %s\n", parties[i].name, parties[i].error.message);
    }
    return tally_exit_status(parties[0].status ? parties[0].status : parties[1].status);
}
