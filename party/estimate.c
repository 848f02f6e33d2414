/* SPDX-License-Identifier: Apache-2.0 */
#include "party/estimate.h"

#include "proto/limits.h"

#include <math.h>
#include <string.h>

#define RECORD 16384.0   /* bytes in a TLS record */
#define RECORD_ADDS 22.0 /* its header, type and tag */
#define SEGMENT 1448.0   /* bytes of TCP payload in a packet of 1500 */
#define PACKET 1500.0
#define FIRST_WINDOW (10 * SEGMENT) /* TCP's first flight (RFC 6928) */

double party_work_units(enum party_job work, const party_sizes *sizes, unsigned side)
{
    if ((work == PARTY_WORK_VOLE4 || work == PARTY_WORK_VOLE6) && side == 0)
        return (double)sizes->vole.bins * sizes->vole.slots;
    return (double)sizes->items[side];
}

/* ---- A stage: steps that a run passes through chunk by chunk ---- */

enum kind { AT, TO, DISK }; /* computing at a side, sending to a side, waiting for a disk */

typedef struct step {
    enum kind kind;
    unsigned side;
    double parallel, serial; /* AT: processor seconds; DISK: serial */
    double bytes;            /* TO: on the transport */
} step;

typedef struct model {
    const party_sizes *sizes;
    const party_place *place;
    const tally_calibration *c;
    party_forecast *out;
    double window[2]; /* TCP's, towards a side: bytes that it has grown to */
} model;

/* How much faster than one thread a side is on all its own. */
static double speed(const model *m, unsigned side)
{
    double more = m->c->processors > 1 ? (m->c->speedup - 1) / (m->c->processors - 1) : 1;
    double n = m->place->threads[side];
    return 1 + (n - 1) * (more > 0 ? more : 0);
}

/* What both can do together when they share the processors. */
static double speed_of_machine(const model *m)
{
    return fmax(speed(m, 0), speed(m, 1));
}

/* Seconds to send bytes to a side, without the delay: packets add their headers, and a connection begins with
 * a small window that doubles with each round trip it is filled in. */
static double line_seconds(model *m, unsigned side, double bytes)
{
    double rate = m->place->bits_to[side] / 8 * SEGMENT / PACKET, trip = m->place->round_trip, lost = 0;
    double full = rate > 0 ? bytes / rate : 0, *window = &m->window[side];
    for (double left = bytes; trip > 0 && left > *window; *window *= 2) {
        double sending = rate > 0 ? *window / rate : 0;
        if (sending >= trip)
            break;
        lost += trip - sending;
        left -= *window;
    }
    return full + lost;
}

static double on_transport(double payload)
{
    return payload * (1 + RECORD_ADDS / RECORD);
}

/*
 * Steps side by side, each chunk passing through them in order. While the first chunk is on its way nothing
 * overlaps; from then on the busiest of the two sides and the two directions sets the pace.
 */
static void stage(model *m, const char *name, double chunks, double delays, const step *steps, size_t count)
{
    double busy[2] = {0, 0}, line[2] = {0, 0}, first = 0, most = 0, all = 0, disk = 0;
    enum party_bound bound = PARTY_BY_RECEIVER;
    chunks = chunks < 1 ? 1 : chunks;
    for (size_t i = 0; i < count; i++) {
        const step *s = &steps[i];
        if (s->kind == DISK) {
            disk += s->serial;
            continue;
        }
        if (s->kind == TO) {
            double t = line_seconds(m, s->side, s->bytes), work = s->bytes * m->c->link_byte;
            line[s->side] += t;
            first += t / chunks;
            for (unsigned at = 0; at < 2; at++) {
                busy[at] += work / speed(m, at);
                m->out->side[at].cpu += work;
                all += work;
            }
            continue;
        }
        double t = s->parallel / speed(m, s->side) + s->serial;
        busy[s->side] += t;
        first += t / chunks;
        m->out->side[s->side].cpu += s->parallel + s->serial;
        all += s->parallel + s->serial;
    }
    const struct {
        double t;
        enum party_bound bound;
    } limits[] = {{busy[0], PARTY_BY_RECEIVER},
                  {busy[1], PARTY_BY_SENDER},
                  {line[0], PARTY_BY_LINE},
                  {line[1], PARTY_BY_LINE}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (limits[i].t > most) {
            most = limits[i].t;
            bound = limits[i].bound;
        }
    double t = first + (chunks - 1) / chunks * most;
    t = t < most ? most : t;
    if (m->place->same_machine && all / speed_of_machine(m) > t)
        t = all / speed_of_machine(m);
    double delay = delays * m->place->round_trip;
    if (delay > t || disk > t)
        bound = delay > disk ? PARTY_BY_DELAY : PARTY_BY_DISK;
    m->out->stage[m->out->stages++] = (party_forecast_stage){name, t + delay + disk, bound};
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

static step at(unsigned side, double parallel)
{
    return (step){AT, side, parallel, 0, 0};
}

static step on_disk(double seconds)
{
    return (step){DISK, 0, 0, seconds, 0};
}

static step alone(unsigned side, double serial)
{
    return (step){AT, side, 0, serial, 0};
}

/* The messages of a type. */
static step to(const model *m, uint8_t type, unsigned side)
{
    return (step){TO, side, 0, 0, on_transport((double)party_sizes_bytes(m->sizes, type))};
}

/* Not rounded: a run of one item more than fills a chunk does not overlap all of the first one. */
static double chunks_of(double items)
{
    return items / PARTY_BATCH;
}

/* ---- The protocols ---- */

enum { R = PARTY_AT_RECEIVER, S = PARTY_AT_SENDER };

/* What a side does for its own items, or the peer's. */
static double own(const model *m, enum party_job w, unsigned side, unsigned of)
{
    return m->c->cost[w].own[side] * party_work_units(w, m->sizes, of);
}

static double peer(const model *m, enum party_job w, unsigned side, unsigned of)
{
    return m->c->cost[w].peer[side] * party_work_units(w, m->sizes, of);
}

static void ecdh(model *m, enum party_job w)
{
    int active = w == PARTY_WORK_ACTIVE;
    const step receivers[] = {
        at(R, own(m, w, R, R)), to(m, active ? WIRE_OPRF_BLINDED : WIRE_ECDH_RECEIVER, S),
        at(S, peer(m, w, S, R)), to(m, active ? WIRE_OPRF_EVALUATED : WIRE_ECDH_REPLY, R)};
    stage(m, "the receiver's items", chunks_of((double)m->sizes->items[R]), 1, receivers, COUNT(receivers));
    const step senders[] = {at(S, own(m, w, S, S)), to(m, active ? WIRE_OPRF_TAGS : WIRE_ECDH_SENDER, R),
                            at(R, peer(m, w, R, S))};
    stage(m, "the sender's items", chunks_of((double)m->sizes->items[S]), 0.5, senders, COUNT(senders));
}

/* The result of a match to both: which of its items match, told to the sender. */
static void tell(model *m)
{
    const step told[] = {to(m, WIRE_MATCHED, S)};
    if (m->sizes->both && m->sizes->function == TALLY_MATCH)
        stage(m, "telling the sender", 1, 0.5, told, COUNT(told));
}

/* Base OTs and trees take what a run of few items takes beyond one by ECDH. */
static double vole_setup(const model *m, enum party_job w, unsigned side)
{
    double t = m->c->cost[w].fixed[side] - m->c->cost[PARTY_WORK_ECDH].fixed[side];
    return t > 0 ? t : 0;
}

static enum party_job vole_work(const party_sizes *sizes)
{
    return sizes->k == 6 ? PARTY_WORK_VOLE6 : PARTY_WORK_VOLE4;
}

static void vole(model *m)
{
    const enum party_job w = vole_work(m->sizes);
    double bins = m->sizes->vole.bins, group = 2.0 * m->place->threads[R];
    const step setup[] = {alone(R, vole_setup(m, w, R)), to(m, WIRE_VOLE_OPEN, S),
                          alone(S, vole_setup(m, w, S)), to(m, WIRE_VOLE_CHOICE, R),
                          to(m, WIRE_VOLE_TREES, S)};
    stage(m, "setting up", 1, 1.5, setup, COUNT(setup));
    const step receivers[] = {at(R, own(m, w, R, R)), to(m, WIRE_VOLE_BIN, S),
                              at(S, peer(m, w, S, R) + own(m, w, S, S))};
    stage(m, "the receiver's items", bins / group, 0.5, receivers, COUNT(receivers));
    const step senders[] = {to(m, WIRE_VOLE_TAGS, R), at(R, peer(m, w, R, S))};
    stage(m, "the sender's items", chunks_of((double)m->sizes->items[S] / 8), 0.5, senders, COUNT(senders));
}

static const party_cost *values_cost(const model *m)
{
    int paillier = m->sizes->aggregate.plan.scheme == PSI_AHE_PAILLIER;
    return &m->c->cost[paillier ? PARTY_WORK_PAILLIER : PARTY_WORK_RLWE];
}

static void sum(model *m)
{
    const party_aggregate *a = &m->sizes->aggregate;
    unsigned c = m->sizes->computing, o = !c;
    const party_cost *cost = values_cost(m);
    double units = (double)a->plan.units;
    size_t batch = party_batch(WIRE_AGG_VALUES, a->plan.unit_bytes);
    const step values[] = {to(m, WIRE_AGG_KEY, c), at(o, cost->own[1] * units), to(m, WIRE_AGG_VALUES, c),
                           alone(c, cost->fixed[0]), at(c, cost->peer[0] * units)};
    stage(m, "encrypted values", units / (double)batch, 0.5, values, COUNT(values));
    const step sums[] = {to(m, WIRE_AGG_SUMS, o), to(m, WIRE_AGG_FIGURES, c)};
    stage(m, "sums", 1, party_sizes_bytes(m->sizes, WIRE_AGG_FIGURES) ? 1 : 0.5, sums, COUNT(sums));
}

/* Costs are those of the side that computes (0) and of the other (1); dummies count as items. */
static void count_or_sum(model *m)
{
    const party_aggregate *a = &m->sizes->aggregate;
    unsigned c = m->sizes->computing, o = !c;
    const party_cost *cost = &m->c->cost[PARTY_WORK_COUNT];
    double masked = (double)a->masked, others = (double)a->others;
    /* The other side makes its key while the first items are masked. */
    const step first[] = {at(c, cost->own[0] * masked), to(m, WIRE_AGG_MASKED, o),
                          alone(o, a->sum ? values_cost(m)->fixed[1] : 0), at(o, cost->peer[1] * masked)};
    stage(m, "items of the side that computes", chunks_of(masked), 0.5, first, COUNT(first));
    const step second[] = {to(m, WIRE_AGG_TAGS, c), at(o, cost->own[1] * others), to(m, WIRE_AGG_OTHER, c),
                           at(c, cost->peer[0] * others)};
    stage(m, "items of the other side", chunks_of(others), 0.5, second, COUNT(second));
    if (a->sum)
        sum(m);
}

/* ---- Memory ---- */

/* Tables of psi/join: 4 bytes a slot, a power of two of them that is at least twice the items. */
static double join_bytes(double n)
{
    return n > 0 ? 4 * exp2(ceil(log2(2 * n))) : 0;
}

#define MIB 1048576.0

/* Of a thread that works on bins: its work space (psi_vole_work_new) with half a bin of the columns' bit
 * strings, short rows, and for each item, at the receiver those of a whole bin, 140 bytes of rows and values;
 * at the receiver also 64 bytes a slot of tables. And two frames (party/vole). */
static double bin_bytes(const psi_vole_sizes *z, unsigned side)
{
    double matrix = (double)z->columns * z->k * 43 * 512 / 8, rows = 32.0 * z->slots;
    double items = side == R ? (double)z->load_max * 140 + 64.0 * z->slots : 4096.0 * 140;
    return matrix + rows + items + 2 * (double)z->bin_bytes;
}

/* Keys and tables of a sum's scheme, measured: they do not grow with the lists. */
static double scheme_bytes(const party_sizes *z, unsigned side)
{
    int adds = side == z->computing;
    if (!z->aggregate.sum)
        return 0;
    if (z->aggregate.plan.scheme == PSI_AHE_PAILLIER)
        return adds ? 1.5 * MIB : 5 * MIB;
    return adds ? 2 * MIB : 1.5 * MIB;
}

static double matching_bytes(const model *m, unsigned side)
{
    const party_sizes *z = m->sizes;
    double n = (double)z->items[side], peers = (double)z->items[!side];
    double held = 24 * (double)m->place->rows[side] + 32 * n + 8 * (double)m->place->numbers[side] * n;
    double tag = (double)z->tag,
           found = 0.8 * fmin(n, peers); /* 8 for each match, a tenth of the shorter list */
    if (z->function != TALLY_MATCH) {
        if (side == z->computing)
            return held + (32 + 4 + tag + 0.125) * n + join_bytes(n) + 5 * peers;
        return held + (32 + 4) * n + tag * peers + join_bytes(peers);
    }
    if (z->protocol == TALLY_VOLE) {
        double sorting = held + 48 * n, bins = m->place->threads[side] * bin_bytes(&z->vole, side);
        double work = held + (24 + tag + 4) * n + bins;
        if (side == R)
            work += join_bytes(n) + 0.125 * n + found;
        return sorting > work ? sorting : work;
    }
    if (side == S)
        return held + 4 * n;
    return held + (4 + tag + 0.125) * n + join_bytes(n) + found + (z->active ? 32 + 32 + 16 : 0) * n;
}

uint64_t party_matching_bytes(const party_sizes *sizes, const party_place *place, unsigned side)
{
    const model m = {.sizes = sizes, .place = place};
    /* What has come and is not read yet. Values by RLWE come faster than they are added. */
    double waiting = (double)party_sizes_to(sizes, side), most = 2 * MIB;
    if (sizes->aggregate.sum && sizes->aggregate.plan.scheme == PSI_AHE_RLWE)
        most = 4 * MIB;
    return (uint64_t)(matching_bytes(&m, side) + scheme_bytes(sizes, side) +
                      (waiting < most ? waiting : most));
}

/* The most of two moments: duplicates being folded, and the protocol at its end. */
static void memory(model *m)
{
    for (unsigned side = 0; side < 2; side++) {
        double rows = (double)m->place->rows[side], threads = m->place->threads[side];
        double folding = (88 + 8 * (double)m->place->numbers[side]) * rows + threads * MIB;
        double matching = (double)party_matching_bytes(m->sizes, m->place, side);
        m->out->side[side].peak = (uint64_t)(m->c->base_bytes + (folding > matching ? folding : matching));
    }
}

/* ---- The run ---- */

static step reading(const model *m, unsigned side)
{
    const party_place *p = m->place;
    double row =
        m->c->read_row + m->c->read_byte * p->row_bytes[side] + m->c->read_number * (double)p->numbers[side];
    return at(side, row * (double)p->rows[side]);
}

/* Rows that come out are taken as a tenth of the shorter list: how many match is not known. */
static double rows_out(const model *m, unsigned side)
{
    const uint64_t *n = m->sizes->items;
    return m->place->output[side] ? 0.1 * (double)(n[0] < n[1] ? n[0] : n[1]) : 0;
}

static double take_stages(const party_forecast *f, size_t from, size_t to_before)
{
    double t = 0;
    for (size_t i = from; i < to_before; i++)
        t += f->stage[i].seconds;
    return t;
}

void party_forecast_run(party_forecast *out, const party_sizes *sizes, const party_place *place,
                        const tally_calibration *c)
{
    model m = {sizes, place, c, out, {FIRST_WINDOW, FIRST_WINDOW}};
    int match = sizes->function == TALLY_MATCH;
    *out = (party_forecast){.stages = 0};
    for (unsigned side = 0; side < 2; side++) {
        const step one[] = {reading(&m, side)};
        stage(&m, "reading", 1, 0, one, COUNT(one));
        out->side[side].reading = out->stage[side].seconds;
    }
    /* Both read at the same time, and the one that is done first waits. */
    party_forecast_stage *both = out->stage;
    both[0] = both[0].seconds > both[1].seconds ? both[0] : both[1];
    double shared = (out->side[R].cpu + out->side[S].cpu) / speed_of_machine(&m);
    if (place->same_machine && shared > both[0].seconds)
        both[0].seconds = shared;
    out->stages = 1;
    /* A record of a ledger is put on the disk like two small files: intent, outcome. */
    double record = place->ledger[R] || place->ledger[S] ? 2 * c->sync : 0;
    const step start[] = {alone(R, c->start), on_disk(record)}, end[] = {on_disk(record)};
    stage(&m, "connecting", 1, 3, start, COUNT(start));
    out->side[S].cpu += c->start; /* both at the same time */
    if (match && sizes->protocol == TALLY_VOLE)
        vole(&m);
    else if (match)
        ecdh(&m, sizes->active ? PARTY_WORK_ACTIVE : PARTY_WORK_ECDH);
    else
        count_or_sum(&m);
    tell(&m);
    stage(&m, "receipts and end", 1, 2.5, end, COUNT(end));
    out->matching = take_stages(out, 1, out->stages);
    /* Both write at the same time. */
    size_t before = out->stages;
    for (unsigned side = 0; side < 2; side++) {
        double rows = rows_out(&m, side), row = c->read_row + c->read_byte * place->row_bytes[side];
        const step writing[] = {alone(side, rows * row), on_disk(place->output[side] ? 2 * c->sync : 0)};
        stage(&m, "writing", 1, 0, writing, COUNT(writing));
        out->side[side].writing = out->stage[before + side].seconds;
        out->side[side].disk = (uint64_t)(rows * place->row_bytes[side]);
    }
    if (out->stage[before + 1].seconds > out->stage[before].seconds)
        out->stage[before] = out->stage[before + 1];
    out->stages = before + (place->output[R] || place->output[S]);
    out->seconds = take_stages(out, 0, out->stages);
    out->low = 0.85 * out->seconds;
    out->high = 1.2 * out->seconds + 0.05;
    for (unsigned side = 0; side < 2; side++) {
        out->side[side].protocol = party_sizes_to(sizes, !side);
        out->side[side].sent = (uint64_t)(c->session_bytes + on_transport((double)out->side[side].protocol));
    }
    memory(&m);
}
