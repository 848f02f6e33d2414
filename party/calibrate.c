/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures this machine: runs each protocol between two threads of this process over made-up lists of a few
 * sizes, with nothing between them, and takes the processor time of either side; then what TLS and a socket
 * cost, a list is read, all processors work at once. Nothing of a real list is touched.
 */
#include "party/calibration.h"

#include "party/error.h"
#include "party/estimate.h"
#include "party/input.h"
#include "party/pool.h"
#include "party/session.h"
#include "party/sizes.h"
#include "party/usage.h"
#include "psi/ecdh.h"
#include "psi/mem.h"
#include "psi/rng.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- A run between two threads ---- */

typedef struct setup {
    enum tally_function function;
    enum tally_protocol protocol;
    int active;
    unsigned k;
    unsigned columns;                        /* of a sum, up to COLUMNS_MAX */
    const tally_identity *const *identities; /* two: with TLS over a TCP connection; NULL: neither */
} setup;

typedef struct side {
    tally_session *session;
    tally_input *input;
    tally_transport io;
    pthread_t thread;
    int started;
    double cpu; /* of the thread that runs the session */
    tally_status status;
    tally_error error;
} side;

static void *run_side(void *user)
{
    side *s = user;
    double began = seconds(CLOCK_THREAD_CPUTIME_ID);
    s->status = tally_session_run(s->session, &s->error);
    s->cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - began;
    if (s->status) /* so that the other side does not wait */
        s->io.shutdown(s->io.user);
    return NULL;
}

static tally_status make_input(side *s, size_t rows, size_t first, tally_error *error)
{
    tally_status st = tally_input_new(&s->input, error);
    if (!st)
        st = tally_input_add_key(s->input, "id", "exact", error);
    for (size_t i = 0; !st && i < rows; i++) {
        char id[24];
        tally_text key = {id, (size_t)snprintf(id, sizeof id, "%018zu", first + i)};
        st = tally_input_add_row(s->input, &key, 1, error);
    }
    return st ? st : tally_input_load(s->input, error);
}

static tally_status make_side(side *s, const setup *what, int sender, size_t rows, tally_error *error)
{
    tally_status st = make_input(s, rows, sender ? (size_t)1 << 40 : 0, error);
    if (!st)
        st = tally_session_new(&s->session, error);
    if (st)
        return st;
    tally_session *x = s->session;
    tally_session_set_role(x, sender ? TALLY_SENDER : TALLY_RECEIVER);
    tally_session_set_input(x, s->input);
    tally_session_set_function(x, what->function);
    tally_session_set_protocol(x, what->protocol);
    tally_session_set_security(x, what->active ? TALLY_MALICIOUS : TALLY_SEMI_HONEST);
    tally_session_set_threads(x, 1);
    x->vole_k = what->k;
    tally_session_set_transport(x, &s->io, what->identities != NULL, sender);
    if (!what->identities)
        return TALLY_OK;
    tally_session_set_identity(x, what->identities[sender]);
    return tally_session_add_peer_pin(x, tally_identity_fingerprint(what->identities[!sender]), error);
}

/* A TCP connection with itself on the loopback address. */
static tally_status make_connection(tally_transport *a, tally_transport *b, tally_error *error)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), far = -1;
    int near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener >= 0 && near >= 0 && bind(listener, (struct sockaddr *)&at, sizeof at) == 0 &&
        getsockname(listener, (struct sockaddr *)&at, &len) == 0 && listen(listener, 1) == 0 &&
        connect(near, (struct sockaddr *)&at, sizeof at) == 0)
        far = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    int why = errno;
    if (listener >= 0)
        close(listener);
    if (far < 0) {
        if (near >= 0)
            close(near);
        return party_fail(error, TALLY_ERR_NETWORK, "no connection over the loopback address: %s",
                          party_system_text(why));
    }
    tally_status st = party_tcp_from_fd(near, a, error);
    if (st) {
        close(far);
        return st;
    }
    st = party_tcp_from_fd(far, b, error);
    if (st)
        party_tcp_free(a);
    return st;
}

typedef struct measured {
    double cpu[2]; /* of the sessions' own threads */
    double link;   /* of all others */
    double wall;
    uint64_t bytes, beyond; /* transported one way or the other; of these, not the protocol's */
    double units[2];        /* that the costs are linear in */
} measured;

static tally_status take(measured *out, side s[2], enum party_job work, double began, double cpu,
                         tally_error *error)
{
    party_sizes sizes;
    double used = party_cpu_seconds() - cpu;
    *out = (measured){.wall = seconds(CLOCK_MONOTONIC) - began, .link = used - s[0].cpu - s[1].cpu};
    for (int i = 0; i < 2; i++) {
        const tally_session *x = s[i].session;
        out->cpu[i] = s[i].cpu;
        out->bytes += x->bytes_sent;
        out->beyond += x->bytes_sent - x->traffic.sent[PARTY_PROTOCOL];
    }
    tally_status st = party_sizes_of(&sizes, s[0].session, error);
    for (unsigned i = 0; !st && i < 2; i++)
        out->units[i] = party_work_units(work, &sizes, i);
    party_sizes_free(&sizes);
    return st;
}

/* n[0] rows at the receiver, n[1] others at the sender. */
static tally_status run_pair(const setup *what, enum party_job work, const size_t n[2], measured *out,
                             tally_error *error)
{
    side s[2] = {{0}};
    int tls = what->identities != NULL;
    tally_status st =
        tls ? make_connection(&s[0].io, &s[1].io, error) : tally_pipe_new(&s[0].io, &s[1].io, error);
    if (st)
        return st;
    for (int i = 0; !st && i < 2; i++)
        st = make_side(&s[i], what, i, n[i], error);
    double began = seconds(CLOCK_MONOTONIC), cpu = party_cpu_seconds();
    for (int i = 0; !st && i < 2; i++) {
        s[i].started = pthread_create(&s[i].thread, NULL, run_side, &s[i]) == 0;
        if (!s[i].started)
            st = party_fail(error, TALLY_ERR_INTERNAL, "no thread could be started");
    }
    if (st && s[0].started)
        s[0].io.shutdown(s[0].io.user);
    for (int i = 0; i < 2; i++)
        if (s[i].started)
            pthread_join(s[i].thread, NULL);
    for (int i = 0; !st && i < 2; i++)
        if (s[i].status)
            st = party_fail(error, s[i].status, "a run of the calibration failed: %s",
                            party_message_of(&s[i].error));
    if (!st)
        st = take(out, s, work, began, cpu, error);
    for (int i = 0; i < 2; i++) {
        tally_session_free(s[i].session);
        tally_input_free(s[i].input);
        if (tls)
            party_tcp_free(&s[i].io);
        else
            tally_pipe_free(&s[i].io);
    }
    return st;
}

/* ---- Costs of the protocols ---- */

#define FEW 64u

static const struct work {
    setup what;
    size_t many;
} works[PARTY_WORK_RLWE] = {
    [PARTY_WORK_ECDH] = {{.function = TALLY_MATCH, .protocol = TALLY_ECDH}, 8192},
    [PARTY_WORK_ACTIVE] = {{.function = TALLY_MATCH, .protocol = TALLY_ECDH, .active = 1}, 8192},
    [PARTY_WORK_VOLE4] = {{.function = TALLY_MATCH, .protocol = TALLY_VOLE, .k = 4}, 65536},
    [PARTY_WORK_VOLE6] = {{.function = TALLY_MATCH, .protocol = TALLY_VOLE, .k = 6}, 65536},
    [PARTY_WORK_COUNT] = {{.function = TALLY_COUNT}, 8192},
};

/* Three runs give a side's three costs: few against few, many of the receiver's, many of the sender's. */
enum { FEW_RUN, RECEIVERS_RUN, SENDERS_RUN, RUNS };

#define PASSES 5u /* over everything, so that a slow minute of the machine is in one of them */

typedef struct passes {
    measured of[PARTY_WORK_RLWE][RUNS][PASSES];
    struct values {
        double cpu[4]; /* key, taking it, a unit encrypted, a unit added */
    } values[2][PASSES];
} passes;

static tally_status run_work(passes *p, enum party_job w, unsigned pass, tally_error *error)
{
    const size_t many = works[w].many, sizes[RUNS][2] = {{FEW, FEW}, {many, FEW}, {FEW, many}};
    tally_status st = TALLY_OK;
    for (int run = 0; !st && run < RUNS; run++)
        st = run_pair(&works[w].what, w, sizes[run], &p->of[w][run][pass], error);
    return st;
}

static int by_number(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double middle_number(double values[PASSES])
{
    qsort(values, PASSES, sizeof *values, by_number);
    return values[PASSES / 2];
}

/* The run in the middle, side by side. */
static measured middle(const measured runs[PASSES])
{
    measured m = runs[0];
    for (int s = 0; s < 2; s++) {
        double cpu[PASSES];
        for (size_t i = 0; i < PASSES; i++)
            cpu[i] = runs[i].cpu[s];
        m.cpu[s] = middle_number(cpu);
    }
    return m;
}

static double slope(double at, double at_few, double n, double few)
{
    return n > few && at > at_few ? (at - at_few) / (n - few) : 0;
}

static void solve(tally_calibration *c, const passes *p, enum party_job w)
{
    party_cost *cost = &c->cost[w];
    measured few = middle(p->of[w][FEW_RUN]);
    const measured own[2] = {middle(p->of[w][RECEIVERS_RUN]), middle(p->of[w][SENDERS_RUN])};
    for (int s = 0; s < 2; s++) {
        cost->own[s] = slope(own[s].cpu[s], few.cpu[s], own[s].units[s], few.units[s]);
        cost->peer[s] = slope(own[!s].cpu[s], few.cpu[s], own[!s].units[!s], few.units[!s]);
        double rest = few.cpu[s] - cost->own[s] * few.units[s] - cost->peer[s] * few.units[!s];
        cost->fixed[s] = rest > 0 ? rest : 0;
    }
}

/* ---- The values of a sum: what they take would drown in the rest of it, and a Paillier key takes as long as
 * chance has it ---- */

enum { KEY, TAKING, ENCRYPTING, ADDING, PARTS };
#define RLWE_ROWS 8192u
#define PAILLIER_ROWS 256u

typedef struct summing {
    psi_ahe_plan plan;
    psi_ahe_key *key;
    psi_ahe_adder *adder;
    uint8_t *message, *units, *group;
} summing;

static void any_value(void *user, size_t first, size_t n, size_t c, psi_wide *out)
{
    (void)user;
    for (size_t i = 0; i < n; i++)
        out[i] = (psi_wide)((first + i) * 1009 % 1000000000 + c);
}

static double cpu_now(void)
{
    return seconds(CLOCK_THREAD_CPUTIME_ID);
}

static tally_status sum_once(summing *m, double cpu[PARTS])
{
    const psi_ahe_plan *p = &m->plan;
    const psi_sid sid = {{0}};
    const char *why = "";
    size_t bad, batch = party_batch(WIRE_AGG_VALUES, p->unit_bytes);
    double at = cpu_now();
    tally_status st = psi_ahe_key_new(&m->key, p, &sid);
    if (!st)
        st = psi_ahe_key_message(m->key, m->message);
    cpu[KEY] = cpu_now() - at;
    at = cpu_now();
    if (!st)
        st = psi_ahe_adder_new(&m->adder, p, &sid, m->message, &why);
    cpu[TAKING] = cpu_now() - at;
    at = cpu_now();
    if (!st)
        st = psi_ahe_encrypt(m->key, 0, p->units, any_value, NULL, m->units);
    cpu[ENCRYPTING] = (cpu_now() - at) / (double)p->units;
    at = cpu_now();
    for (size_t first = 0; !st && first < p->units; first += batch) {
        size_t n = p->units - first < batch ? p->units - first : batch;
        st = psi_ahe_add_prepare(m->adder, first, n, m->group);
        for (size_t t = 0; !st && t < p->tasks; t++)
            st = psi_ahe_add_task(m->adder, t, m->units + first * p->unit_bytes, &bad, &why);
    }
    cpu[ADDING] = (cpu_now() - at) / (double)p->units;
    return st;
}

/* Two values, so as many columns as they have with their squares; a tenth of the rows is added. */
static tally_status run_sum(struct values *out, enum psi_ahe_scheme scheme, tally_error *error)
{
    const char *why = "";
    size_t rows = scheme == PSI_AHE_RLWE ? RLWE_ROWS : PAILLIER_ROWS;
    summing m = {.plan = {.scheme = scheme, .columns = 4, .groups = 1, .rows = rows, .selected = rows}};
    m.plan.group_max[0] = rows;
    for (size_t c = 0; c < m.plan.columns; c++)
        m.plan.column[c].max = c % 2 ? (psi_wide)1000000000 * 1000000000 : 1000000000;
    tally_status st = psi_ahe_plan_init(&m.plan, &why);
    if (!st) {
        m.message = psi_calloc(m.plan.key_bytes, 1);
        m.units = psi_calloc(m.plan.units, m.plan.unit_bytes);
        m.group = psi_calloc(rows, 1);
        st = m.message && m.units && m.group ? TALLY_OK : TALLY_ERR_NO_MEMORY;
    }
    for (size_t i = 0; !st && i < rows; i++)
        m.group[i] = i % 10 == 0;
    if (!st)
        st = sum_once(&m, out->cpu);
    psi_ahe_adder_free(m.adder);
    psi_ahe_key_free(m.key);
    psi_free(m.group);
    psi_free(m.units);
    psi_free(m.message);
    return st ? party_fail(error, st, "encrypted values could not be measured%s%s", *why ? ": " : "",
                           party_word(why))
              : TALLY_OK;
}

static double middle_part(const struct values runs[PASSES], int part)
{
    double cpu[PASSES];
    for (size_t i = 0; i < PASSES; i++)
        cpu[i] = runs[i].cpu[part];
    return middle_number(cpu);
}

static void solve_sum(party_cost *cost, const struct values runs[PASSES])
{
    *cost = (party_cost){.fixed = {middle_part(runs, TAKING), middle_part(runs, KEY)},
                         .own = {0, middle_part(runs, ENCRYPTING)},
                         .peer = {middle_part(runs, ADDING), 0}};
}

/* ---- TLS and the socket ---- */

static void remove_identity(const char *dir)
{
    static const char *const names[] = {"key.pem", "cert.pem", "sign.pem"};
    char path[4200];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

/* Two runs with TLS over a connection of this machine with itself. The first of them is the first run of the
 * process, if this is the first that is called: it has in it what a process makes once. */
static tally_status measure_link(tally_calibration *c, const tally_identity *const identities[2],
                                 tally_error *error)
{
    const size_t two[2] = {2, 2}, many[2] = {262144, 262144};
    setup tiny = works[PARTY_WORK_ECDH].what, large = works[PARTY_WORK_VOLE4].what;
    measured m;
    double so_far = party_cpu_seconds(); /* loading the program */
    tiny.identities = large.identities = identities;
    tally_status st = run_pair(&tiny, PARTY_WORK_ECDH, two, &m, error);
    if (st)
        return st;
    c->start = m.wall + so_far;
    c->session_bytes = (double)m.beyond / 2;
    c->base_bytes = (double)party_resident_bytes();
    st = run_pair(&large, PARTY_WORK_VOLE4, many, &m, error);
    if (!st) /* each byte is sent once and received once */
        c->link_byte = m.link > 0 ? m.link / (2 * (double)m.bytes) : 0;
    return st;
}

/* An identity that is on the disk only while it is made. */
static tally_status make_identity(tally_identity **out, const char *folder, tally_error *error)
{
    char dir[4096];
    int n = snprintf(dir, sizeof dir, "%s/calibrate-XXXXXX", folder);
    if (n < 0 || (size_t)n >= sizeof dir || !mkdtemp(dir))
        return party_fail(error, TALLY_ERR_FILE, "no folder can be made in %s: %s", folder,
                          party_system_text(errno));
    tally_status st = tally_identity_create(dir, "Calibration", error);
    if (!st)
        st = tally_identity_load(dir, out, error);
    remove_identity(dir);
    return st;
}

static tally_status with_identities(tally_calibration *c, const char *folder, tally_error *error)
{
    tally_identity *identities[2] = {NULL, NULL};
    tally_status st = make_identity(&identities[0], folder, error);
    if (!st)
        st = make_identity(&identities[1], folder, error);
    if (!st)
        st = measure_link(c, (const tally_identity *const *)identities, error);
    tally_identity_free(identities[0]);
    tally_identity_free(identities[1]);
    return st;
}

/* ---- Reading ---- */

#define ROWS 131072u

/* A list in memory, each row with so many bytes more and so many numbers. */
static int write_list(FILE *f, unsigned more, unsigned numbers)
{
    fputs("phone,text", f);
    for (unsigned k = 0; k < numbers; k++)
        fprintf(f, ",n%u", k);
    for (unsigned i = 0; i < ROWS; i++) {
        fprintf(f, "\n+86139%08u,%*s", i * 7919u % 100000000u, (int)more, "x");
        for (unsigned k = 0; k < numbers; k++)
            fprintf(f, ",%u", i % 5000000u);
    }
    fputs("\n", f);
    return !ferror(f);
}

static tally_status read_list(int fd, unsigned numbers, double *cpu, tally_error *error)
{
    char path[32];
    tally_input *input = NULL;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    tally_status st = tally_input_new(&input, error);
    if (!st)
        st = tally_input_set_file(input, path, error);
    if (!st)
        st = tally_input_add_key(input, "phone", "phone-e164", error);
    for (unsigned k = 0; !st && k < numbers; k++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", k);
        st = tally_input_add_value(input, name, 0, 1000000000, 0, error);
    }
    if (!st) {
        party_input_threads(input, 1);
        double began = party_cpu_seconds();
        st = tally_input_load(input, error);
        *cpu = party_cpu_seconds() - began;
    }
    tally_input_free(input);
    return st;
}

static tally_status time_reading(unsigned more, unsigned numbers, double *cpu, tally_error *error)
{
    int fd = memfd_create("tally-calibrate", MFD_CLOEXEC);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f || !write_list(f, more, numbers) || fflush(f)) {
        if (f)
            fclose(f);
        else if (fd >= 0)
            close(fd);
        return party_no_memory(error, "a list to read");
    }
    tally_status st = TALLY_OK;
    double once[PASSES];
    for (size_t i = 0; !st && i < PASSES; i++)
        st = read_list(fd, numbers, &once[i], error);
    if (!st)
        *cpu = middle_number(once);
    fclose(f);
    return st;
}

static tally_status measure_reading(tally_calibration *c, tally_error *error)
{
    double narrow = 0, wide = 0, numbers = 0;
    const unsigned bytes[2] = {16, 144}, columns = 2;
    tally_status st = time_reading(bytes[0], 0, &narrow, error);
    if (!st)
        st = time_reading(bytes[1], 0, &wide, error);
    if (!st)
        st = time_reading(bytes[0], columns, &numbers, error);
    if (st)
        return st;
    c->read_byte = slope(wide, narrow, bytes[1], bytes[0]) / ROWS;
    /* On a busy machine a difference can come out below zero, which no cost is. */
    c->read_row = slope(narrow, c->read_byte * (15 + bytes[0] + 1) * ROWS, ROWS, 0);
    c->read_number = slope(numbers, narrow, columns, 0) / ROWS;
    return TALLY_OK;
}

/* ---- All processors, and the disk ---- */

typedef struct masking {
    psi_item *items;
    uint32_t *order;
    psi_point *points;
    psi_sid sid;
    psi_scalar key;
} masking;

static tally_status mask(void *user, unsigned worker, size_t begin, size_t end)
{
    const masking *m = user;
    (void)worker;
    return psi_ecdh_mask(m->points + begin, m->items, m->order + begin, end - begin, &m->sid, &m->key);
}

static tally_status time_masking(masking *m, size_t n, party_pool *pool, double *wall)
{
    double began = seconds(CLOCK_MONOTONIC);
    tally_status st = party_pool_run(pool, n, PARTY_CHUNK, mask, m);
    *wall = seconds(CLOCK_MONOTONIC) - began;
    return st;
}

/* One thread and all of them in turn; the ratio in the middle. */
static tally_status time_both(masking *m, size_t n, unsigned processors, double *speedup, tally_error *error)
{
    party_pool *one = NULL, *all = NULL;
    double ratio[PASSES], alone = 0, together = 0;
    tally_status st = party_pool_new(&one, 1, error);
    if (!st)
        st = party_pool_new(&all, processors, error);
    for (size_t i = 0; !st && i < PASSES; i++) {
        st = time_masking(m, n, one, &alone);
        if (!st)
            st = time_masking(m, n, all, &together);
        ratio[i] = together > 0 ? alone / together : 1;
    }
    party_pool_free(one);
    party_pool_free(all);
    if (st)
        return st;
    double r = middle_number(ratio);
    *speedup = r < 1 ? 1 : r > processors ? processors : r;
    return TALLY_OK;
}

static tally_status measure_speedup(tally_calibration *c, tally_error *error)
{
    size_t n = (size_t)PARTY_CHUNK * 32 * c->processors;
    psi_prg prg;
    masking m = {psi_calloc(n, sizeof *m.items),
                 psi_calloc(n, sizeof *m.order),
                 psi_calloc(n, sizeof *m.points),
                 {{0}},
                 {{0}}};
    tally_status st = m.items && m.order && m.points ? psi_prg_init(&prg) : TALLY_ERR_NO_MEMORY;
    if (st) {
        party_fail(error, st, "memory or random numbers for the calibration are not to be had");
    } else {
        psi_scalar_random(&m.key, &prg);
        psi_prg_bytes(&prg, m.items->b, n * sizeof *m.items);
        psi_prg_wipe(&prg);
        for (size_t i = 0; i < n; i++)
            m.order[i] = (uint32_t)i;
        st = time_both(&m, n, c->processors, &c->speedup, error);
    }
    psi_free(m.items);
    psi_free(m.order);
    psi_free(m.points);
    return st;
}

static tally_status measure_sync(tally_calibration *c, const char *folder, tally_error *error)
{
    char path[4200];
    double once[PASSES];
    snprintf(path, sizeof path, "%s/calibrate-sync.%ld", folder, (long)getpid());
    for (size_t i = 0; i < PASSES; i++) {
        double began = seconds(CLOCK_MONOTONIC);
        tally_status st = party_file_write(path, "x", 1, error);
        if (st) {
            unlink(path);
            return st;
        }
        once[i] = seconds(CLOCK_MONOTONIC) - began;
    }
    unlink(path);
    c->sync = middle_number(once);
    return TALLY_OK;
}

tally_status tally_calibration_measure(const char *folder, tally_calibration_progress progress, void *user,
                                       tally_calibration **out, tally_error *error)
{
    tally_calibration *c = psi_calloc(1, sizeof *c);
    unsigned done = 0, total = PASSES * PARTY_WORK_RLWE + 2;
    if (!c)
        return party_no_memory(error, "a calibration");
    c->measured = (int64_t)time(NULL);
    c->processors = party_pool_threads(0);
    party_machine(c->processor, c->backends);
    passes *p = psi_calloc(1, sizeof *p);
    tally_status st = p ? with_identities(c, folder, error) : party_no_memory(error, "a calibration");
    for (unsigned pass = 0; !st && pass < PASSES; pass++) {
        for (enum party_job w = 0; !st && w < PARTY_WORK_RLWE; w++) {
            if (progress)
                progress(user, ++done, total);
            st = run_work(p, w, pass, error);
        }
        if (!st)
            st = run_sum(&p->values[0][pass], PSI_AHE_RLWE, error);
        if (!st)
            st = run_sum(&p->values[1][pass], PSI_AHE_PAILLIER, error);
    }
    for (enum party_job w = 0; !st && w < PARTY_WORK_RLWE; w++)
        solve(c, p, w);
    if (!st) {
        solve_sum(&c->cost[PARTY_WORK_RLWE], p->values[0]);
        solve_sum(&c->cost[PARTY_WORK_PAILLIER], p->values[1]);
    }
    psi_free(p);
    if (progress)
        progress(user, ++done, total);
    if (!st)
        st = measure_reading(c, error);
    if (!st)
        st = measure_speedup(c, error);
    if (!st)
        st = measure_sync(c, folder, error);
    if (progress)
        progress(user, total, total);
    if (st)
        tally_calibration_free(c);
    else
        *out = c;
    return st;
}
