/* SPDX-License-Identifier: Apache-2.0 */
#include "psi/okvs.h"

#include "psi/mem.h"
#include "psi/verify.h"

#include <string.h>

#define GAP_MAX 48u
#define NONE UINT32_MAX

/* A sparse column while peeling: how many rows are left in it, and the XOR of their numbers. */
typedef struct column {
    uint16_t degree, rows;
} column;

typedef struct peeled {
    uint16_t row, column;
} peeled;

struct psi_okvs {
    size_t rows, slots;
    column *columns;
    peeled *order;
    uint16_t *ready;               /* stack of columns that became single */
    uint8_t *removed;              /* row is peeled or in the gap */
    uint8_t *owned;                /* column is a pivot */
    uint8_t *set;                  /* columns of a gap row while it is expanded */
    psi_okvs_value tables[8][256]; /* dense part by 8-bit windows */
};

psi_okvs *psi_okvs_new(size_t rows, size_t slots)
{
    PSI_CHECK(slots <= PSI_OKVS_SLOTS_MAX && slots > PSI_OKVS_DENSE && rows <= 65535);
    psi_okvs *w = psi_secret_calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->rows = rows;
    w->slots = slots;
    w->columns = psi_secret_calloc(slots, sizeof *w->columns);
    w->order = psi_secret_calloc(rows + 1, sizeof *w->order);
    w->ready = psi_secret_calloc(slots, sizeof *w->ready);
    w->removed = psi_secret_calloc(rows + 1, 1);
    w->owned = psi_secret_calloc(slots, 1);
    w->set = psi_secret_calloc(slots, 1);
    if (!w->columns || !w->order || !w->ready || !w->removed || !w->owned || !w->set) {
        psi_okvs_free(w);
        return NULL;
    }
    return w;
}

void psi_okvs_free(psi_okvs *w)
{
    if (!w)
        return;
    psi_secret_free(w->set);
    psi_secret_free(w->owned);
    psi_secret_free(w->removed);
    psi_secret_free(w->ready);
    psi_secret_free(w->order);
    psi_secret_free(w->columns);
    psi_secret_free(w);
}

static psi_okvs_value xor2(psi_okvs_value a, psi_okvs_value b)
{
    return (psi_okvs_value){a.lo ^ b.lo, a.hi ^ b.hi};
}

/* Takes row i out of its columns other than `except`; columns that become single go on the stack. Returns the
 * new stack height. */
static size_t take_out(psi_okvs *w, const psi_okvs_row *row, size_t i, uint32_t except, size_t ready)
{
    w->removed[i] = 1;
    for (int t = 0; t < 3; t++) {
        column *c = &w->columns[row->p[t]];
        c->degree--;
        c->rows ^= (uint16_t)i;
        if (row->p[t] != except && c->degree == 1)
            w->ready[ready++] = row->p[t];
    }
    return ready;
}

/*
 * Peels until nothing single is left; where a 2-core remains, one of its rows goes to the gap and peeling
 * goes on. Returns the number of peeled rows; at most GAP_MAX gap rows are noted, *gap counts all.
 */
static size_t peel(psi_okvs *w, const psi_okvs_row *rows, size_t n, size_t sparse, uint16_t *gap_rows,
                   unsigned *gap)
{
    size_t ready = 0, done = 0, scan = 0;
    memset(w->columns, 0, sparse * sizeof *w->columns);
    memset(w->removed, 0, n);
    memset(w->owned, 0, sparse);
    *gap = 0;
    for (size_t i = 0; i < n; i++)
        for (int t = 0; t < 3; t++) {
            column *c = &w->columns[rows[i].p[t]];
            c->degree++;
            c->rows ^= (uint16_t)i;
        }
    for (size_t c = 0; c < sparse; c++)
        if (w->columns[c].degree == 1)
            w->ready[ready++] = (uint16_t)c;
    for (;;) {
        while (ready) {
            uint16_t c = w->ready[--ready];
            if (w->columns[c].degree != 1)
                continue;
            uint16_t i = w->columns[c].rows;
            w->order[done++] = (peeled){i, c};
            w->owned[c] = 1;
            ready = take_out(w, &rows[i], i, c, ready);
        }
        if (done + *gap == n)
            return done;
        /* A row with a column of degree 2 opens the core at once; any row will do when there is none. */
        size_t pick = NONE;
        for (size_t i = scan; i < n && pick == NONE; i++)
            if (!w->removed[i])
                for (int t = 0; t < 3; t++)
                    if (w->columns[rows[i].p[t]].degree == 2)
                        pick = i;
        for (; pick == NONE; scan++)
            if (!w->removed[scan])
                pick = scan;
        if (*gap < GAP_MAX)
            gap_rows[*gap] = (uint16_t)pick;
        ++*gap;
        ready = take_out(w, &rows[pick], pick, NONE, ready);
    }
}

/* A gap row with its pivot columns cancelled by their owners: what is left is an equation over the dense
 * part. */
static void expand(psi_okvs *w, const psi_okvs_row *rows, const psi_okvs_value *values,
                   const psi_okvs_value *table, size_t sparse, size_t peeled_count, size_t i, uint64_t *mask,
                   psi_okvs_value *value)
{
    memset(w->set, 0, sparse);
    for (int t = 0; t < 3; t++)
        w->set[rows[i].p[t]] ^= 1;
    *mask = rows[i].mask;
    *value = values[i];
    /* An owner's other columns are free or owned by rows peeled later, so one pass in peeling order is
     * enough. */
    for (size_t s = 0; s < peeled_count; s++) {
        if (!w->set[w->order[s].column])
            continue;
        const psi_okvs_row *owner = &rows[w->order[s].row];
        for (int t = 0; t < 3; t++)
            w->set[owner->p[t]] ^= 1;
        *mask ^= owner->mask;
        *value = xor2(*value, values[w->order[s].row]);
    }
    for (size_t c = 0; c < sparse; c++)
        if (w->set[c])
            *value = xor2(*value, table[c]);
}

/* Gauss-Jordan over the dense columns; the dense entries that stay free keep their random values. Returns 0
 * without full rank. */
static int solve_dense(uint64_t *masks, psi_okvs_value *values, unsigned g, psi_okvs_value *dense)
{
    int pivot[GAP_MAX];
    for (unsigned i = 0; i < g; i++) {
        if (!masks[i])
            return 0;
        pivot[i] = __builtin_ctzll(masks[i]);
        for (unsigned j = 0; j < g; j++)
            if (j != i && (masks[j] >> pivot[i] & 1)) {
                masks[j] ^= masks[i];
                values[j] = xor2(values[j], values[i]);
            }
    }
    for (unsigned i = 0; i < g; i++) {
        psi_okvs_value v = values[i];
        for (unsigned b = 0; b < PSI_OKVS_DENSE; b++)
            if (b != (unsigned)pivot[i] && (masks[i] >> b & 1))
                v = xor2(v, dense[b]);
        dense[pivot[i]] = v;
    }
    return 1;
}

static void dense_tables(psi_okvs *w, const psi_okvs_value *dense)
{
    for (unsigned t = 0; t < 8; t++) {
        w->tables[t][0] = (psi_okvs_value){0, 0};
        for (unsigned v = 1; v < 256; v++)
            w->tables[t][v] = xor2(w->tables[t][v & (v - 1)], dense[8 * t + (unsigned)__builtin_ctz(v)]);
    }
}

static psi_okvs_value dense_sum(const psi_okvs *w, uint64_t mask)
{
    psi_okvs_value v = {0, 0};
    for (unsigned t = 0; t < 8; t++)
        v = xor2(v, w->tables[t][mask >> (8 * t) & 255]);
    return v;
}

tally_status psi_okvs_encode(psi_okvs *w, psi_okvs_value *table, size_t slots, const psi_okvs_row *rows,
                             const psi_okvs_value *values, size_t n, psi_prg *prg, unsigned *gap)
{
    PSI_CHECK(n <= w->rows && slots <= w->slots);
    size_t sparse = slots - PSI_OKVS_DENSE;
    uint16_t gap_rows[GAP_MAX];
    uint64_t masks[GAP_MAX];
    psi_okvs_value sums[GAP_MAX];
    unsigned g;
    size_t peeled_count = peel(w, rows, n, sparse, gap_rows, &g);
    if (gap)
        *gap = g;
    if (g > GAP_MAX)
        goto fail;
    /* Everything that no equation decides is random: the table must not show where it has holes. */
    for (size_t c = 0; c < slots; c++)
        if (c >= sparse || !w->owned[c]) {
            uint8_t fresh[10];
            psi_prg_bytes(prg, fresh, sizeof fresh);
            table[c] = (psi_okvs_value){0, 0};
            memcpy(&table[c].lo, fresh, 8);
            memcpy(&table[c].hi, fresh + 8, 2);
        }
    for (unsigned i = 0; i < g; i++)
        expand(w, rows, values, table, sparse, peeled_count, gap_rows[i], &masks[i], &sums[i]);
    int solved = solve_dense(masks, sums, g, table + sparse);
    psi_wipe(masks, sizeof masks);
    psi_wipe(sums, sizeof sums);
    if (!solved)
        goto fail;
    dense_tables(w, table + sparse);
    for (size_t s = peeled_count; s-- > 0;) {
        const psi_okvs_row *row = &rows[w->order[s].row];
        psi_okvs_value v = xor2(values[w->order[s].row], dense_sum(w, row->mask));
        table[w->order[s].column] = (psi_okvs_value){0, 0};
        v = xor2(v, xor2(table[row->p[0]], xor2(table[row->p[1]], table[row->p[2]])));
        table[w->order[s].column] = v;
    }
    return TALLY_OK;
fail:
    psi_wipe(table, slots * sizeof *table);
    return TALLY_ERR_DIFFERS;
}
