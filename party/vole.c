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

tally_status party_bins_init(party_bins *b, party_run *run, unsigned k, tally_error *error)
{
    int receiver = run->role == TALLY_RECEIVER;
    *b = (party_bins){.workers = party_pool_size(run->pool)};
    tally_status st =
        psi_vole_sizes_init(&b->sizes, k, receiver ? run->own : run->peer, receiver ? run->peer : run->own);
    if (st)
        return party_fail(error, st, "the lists are too large for one run: at most 2^30 identifiers a side");
    b->sizes.key_width = run->form ? PSI_VOLE_KEY : 0;
    st = sort_items(b, run, error);
    if (st)
        return st;
    if (b->workers > b->sizes.bins)
        b->workers = b->sizes.bins;
    b->work = psi_calloc(b->workers, sizeof(psi_vole_work *));
    for (unsigned i = 0; b->work && i < b->workers; i++) {
        b->work[i] = psi_vole_work_new(&b->sizes, receiver);
        if (!b->work[i])
            return party_no_memory(error, "the work space of a thread");
    }
    return b->work ? TALLY_OK : party_no_memory(error, "the work spaces");
}

void party_bins_free(party_bins *b)
{
    for (unsigned i = 0; b->work && i < b->workers; i++)
        psi_vole_work_free(b->work[i]);
    psi_free(b->work);
    psi_free(b->start);
    psi_secret_free(b->entries);
}
