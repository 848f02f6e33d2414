/* SPDX-License-Identifier: Apache-2.0 */
#include "party/vole.h"

#include "party/error.h"
#include "psi/mem.h"

#define HASH_CHUNK 4096u

typedef struct hashing {
    const party_run *run;
    const psi_vole_sizes *sizes;
    psi_vole_entry *entries;
} hashing;

static tally_status hash_chunk(void *user, unsigned worker, size_t begin, size_t end)
{
    const hashing *h = user;
    (void)worker;
    psi_vole_entries(h->entries + begin, h->run->items, begin, end - begin, &h->run->sid, h->sizes->bins);
    return TALLY_OK;
}

static tally_status sort_items(party_bins *b, party_run *run, tally_error *error)
{
    size_t n = run->own;
    psi_vole_entry *unsorted = psi_secret_calloc(n, sizeof *unsorted);
    b->entries = psi_secret_calloc(n, sizeof *b->entries);
    b->start = psi_calloc((size_t)b->sizes.bins + 1, sizeof *b->start);
    tally_status st = TALLY_OK;
    if (!unsorted || !b->entries || !b->start) {
        st = party_no_memory(error, "the bins");
        goto done;
    }
    hashing h = {run, &b->sizes, unsorted};
    st = party_pool_run(run->pool, n, HASH_CHUNK, hash_chunk, &h);
    if (st) {
        party_fail(error, st, "hashing the items failed");
        goto done;
    }
    size_t largest = psi_vole_sort(b->entries, b->start, unsorted, n, b->sizes.bins);
    if (run->role == TALLY_RECEIVER && largest > b->sizes.load_max) {
        st = party_fail(error, TALLY_ERR_INTERNAL,
                        "the items are spread too unevenly over the bins of this session");
        party_hint(error, "this happens once in 2^41 runs; run again");
    }
done:
    psi_secret_free(unsorted);
    return st;
}

tally_status party_bins_shape(party_bins *b, party_run *run, unsigned k, tally_error *error)
{
    int receiver = run->role == TALLY_RECEIVER;
    tally_status st =
        psi_vole_sizes_init(&b->sizes, k, receiver ? run->own : run->peer, receiver ? run->peer : run->own);
    if (st)
        return party_fail(error, st, "the lists are too large for one run: at most 2^30 identifiers a side");
    b->sizes.key_width = run->form ? PSI_VOLE_KEY : 0;
    b->workers = party_pool_size(run->pool);
    b->group = 2 * b->workers < b->sizes.bins ? 2 * b->workers : b->sizes.bins;
    return TALLY_OK;
}

tally_status party_bins_sort(party_bins *b, party_run *run, tally_error *error)
{
    tally_status st = party_bins_shape(b, run, 4, error); /* the number of bins is the same for every k */
    if (!st)
        st = sort_items(b, run, error);
    if (st)
        return st;
    b->work = psi_calloc(b->workers, sizeof(psi_vole_work *));
    return b->work ? TALLY_OK : party_no_memory(error, "the work spaces");
}

psi_vole_work *party_bins_work(party_bins *b, int receiver, unsigned worker)
{
    if (!b->work[worker])
        b->work[worker] = psi_vole_work_new(&b->sizes, receiver);
    return b->work[worker];
}

void party_bins_free(party_bins *b)
{
    for (unsigned i = 0; b->work && i < b->workers; i++)
        psi_vole_work_free(b->work[i]);
    psi_free(b->work);
    psi_free(b->start);
    psi_secret_free(b->entries);
}
