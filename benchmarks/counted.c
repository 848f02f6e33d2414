/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What callgrind counts for benchmarks/counts.py: each kernel of the protocols once, on fixed inputs and with
 * a seeded generator, in a function of its own (kernel_NAME). Preparing and checking lie outside of these. A
 * test build (VARIANT=plain), which has the door to the seed. Usage: counted FOLDER, for a list and an
 * output; prints the emulated processor's class. counted --versions prints those of the libraries in which
 * instructions are counted too.
 */
#include "party/output.h"
#include "psi/ahe.h"
#include "psi/cpu.h"
#include "psi/ecdh.h"
#include "psi/join.h"
#include "psi/mem.h"
#include "psi/oprf.h"
#include "psi/paillier.h"
#include "psi/rowhash.h"
#include "psi/shuffle.h"
#include "psi/subspace.h"
#include "psi/vole_setup.h"
#include "tests/paillier_primes.h"

#include <gmp.h>
#include <openssl/crypto.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A function of its own in the program too: its name is where callgrind begins to count. */
#define KERNEL static __attribute__((noinline))

#define POINTS 32u
#define ITEMS 128u /* of each side of ecdh, half of them on both lists */
#define WIDTH 9u
#define ACTIVE 64u
#define VOLE 4096u
#define JOINED 16384u
#define RLWE_ROWS 4096u
#define PAILLIER_ROWS 16u
#define LIST_ROWS 4096u

static void must(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "counted: %s went wrong\n", what);
        exit(70);
    }
}

static void *room(size_t count, size_t size)
{
    void *p = psi_calloc(count, size);
    must(p != NULL, "memory");
    return p;
}

static psi_sid sid = {{7}};
static psi_prg fixed;

static void count_hit(void *user, size_t own, size_t peer)
{
    size_t *hits = user;
    (void)own, (void)peer;
    ++*hits;
}

/* ---- The group ---- */

static psi_point points[POINTS];
static psi_scalar scalar[2], scalars[ITEMS];
static uint8_t messages[POINTS][32];

KERNEL void kernel_hash_to_group(void)
{
    must(!psi_hash_to_group(points, "", 0, messages[0], sizeof messages[0], POINTS,
                            (const uint8_t *)"counted", 7),
         "hashing to the group");
}

KERNEL void kernel_scalar_multiplication(void)
{
    size_t bad;
    must(!psi_group()->mul_common(points, points, POINTS, &scalar[0], &bad), "multiplication");
}

/* ---- ecdh ---- */

static psi_item items[2][VOLE];
static uint32_t orders[2][ITEMS];
static psi_point masked[2][ITEMS];
static uint8_t tags[2][VOLE * 16];

static size_t meet(size_t n, size_t width)
{
    psi_join *j;
    size_t hits = 0;
    must(!psi_join_new(&j, tags[0], n, width), "join");
    psi_join_probe(j, tags[1], n, 0, count_hit, &hits);
    psi_join_free(j);
    return hits;
}

static void mask_and_tag(void)
{
    size_t bad;
    for (int i = 0; i < 2; i++)
        must(!psi_shuffle(orders[i], ITEMS) &&
                 !psi_ecdh_mask(masked[i], items[i], orders[i], ITEMS, &sid, &scalar[i]),
             "masking");
    for (int i = 0; i < 2; i++)
        must(!psi_ecdh_tag(tags[i], WIDTH, masked[i], ITEMS, &sid, &scalar[!i], &bad), "tags");
}

KERNEL void kernel_ecdh(void)
{
    mask_and_tag();
    must(meet(ITEMS, WIDTH) == ITEMS / 2, "ecdh");
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, WIDTH);
}

/* As party/other: tags looked at for repeats, and sorted. */
KERNEL void kernel_count(void)
{
    psi_join *j;
    size_t repeats = 0;
    mask_and_tag();
    must(!psi_join_new(&j, tags[0], ITEMS, WIDTH), "join");
    psi_join_probe(j, tags[0], ITEMS, 0, count_hit, &repeats);
    psi_join_free(j);
    qsort(tags[0], ITEMS, WIDTH, by_bytes);
    must(repeats == ITEMS && meet(ITEMS, WIDTH) == ITEMS / 2, "count");
}

KERNEL void kernel_ecdh_malicious(void)
{
    static psi_oprf_label labels[2][ACTIVE];
    static psi_point evaluated[ACTIVE];
    psi_point pk;
    psi_proof proof;
    size_t bad;
    must(!psi_oprf_public(&pk, &scalar[0]), "public key");
    must(!psi_match_blind(masked[0], scalars, items[0], orders[0], ACTIVE, &sid), "blinding");
    must(!psi_oprf_evaluate(evaluated, masked[0], ACTIVE, &scalar[0], &bad) &&
             !psi_oprf_prove(&proof, &scalar[0], &pk, masked[0], evaluated, ACTIVE, &scalar[1],
                             PSI_OPRF_VERIFIABLE),
         "evaluation");
    must(!psi_match_finish(labels[0], evaluated, masked[0], scalars, items[0], orders[0], ACTIVE, &sid, &pk,
                           &proof),
         "proof");
    must(!psi_match_labels(labels[1], items[0], orders[0], ACTIVE, &sid, &scalar[0]), "labels");
    for (size_t i = 0; i < ACTIVE; i++)
        must(memcmp(&labels[0][i], &labels[1][i], sizeof labels[0][i]) == 0, "malicious ecdh");
}

/* ---- vole ---- */

static psi_vole_sizes sizes;
static psi_vole_shared shared[2];
static psi_vole_work *work[2];
static psi_vole_entry entries[2][VOLE], unsorted[VOLE];
static uint32_t start[2][2];
static uint8_t *bin;
static psi_block *leaves[2];

KERNEL void kernel_vole_setup(void)
{
    static psi_ot_sender open;
    static uint8_t delta[PSI_CODE_COLUMNS_MAX], choices[PSI_OT_MAX / 8],
        columns[PSI_OT_BASE * PSI_OT_MAX / 8];
    static psi_block chosen[PSI_OT_MAX], strings[PSI_OT_MAX][2];
    static psi_ggm_level corrections[PSI_OT_MAX];
    size_t count = psi_vole_ots(&sizes);
    psi_point point;
    uint8_t nonce[32], points32[32];
    must(!psi_ot_open(&open, &sid) && !psi_vole_draw(&sizes, delta, choices) &&
             !psi_ot_choose(chosen, &point, columns, choices, count, open.pairs[0], &sid) &&
             !psi_ot_strings(strings, &open, &point, columns, count, &sid),
         "oblivious transfer");
    must(!psi_vole_grow(&sizes, (const psi_block(*)[2])strings, leaves[0], corrections) &&
             !psi_vole_puncture(&sizes, delta, chosen, corrections, leaves[1]),
         "trees");
    must(!psi_random(nonce, sizeof nonce) && !psi_vole_points(points32, &sid, nonce) &&
             !psi_vole_shared_init(&shared[0], &sizes, &sid, leaves[0], NULL, points32) &&
             !psi_vole_shared_init(&shared[1], &sizes, &sid, leaves[1], delta, points32),
         "leaves");
}

KERNEL void kernel_vole(void)
{
    for (int i = 0; i < 2; i++) {
        psi_vole_entries(unsorted, items[i], 0, VOLE, &sid, sizes.bins);
        psi_vole_sort(entries[i], start[i], unsorted, VOLE, sizes.bins);
    }
    must(!psi_vole_receive_bin(work[0], &shared[0], 0, entries[0], VOLE, bin, tags[0]) &&
             !psi_vole_send_bin(work[1], &shared[1], 0, bin, entries[1], VOLE, tags[1]),
         "bins");
    must(meet(VOLE, sizes.tag_width) == ITEMS / 2, "vole");
}

/* ---- Sums ---- */

typedef struct sum {
    psi_ahe_plan plan;
    psi_ahe_key *key;
    psi_ahe_adder *adder;
    uint8_t *units, *returned, *selected;
} sum;

static sum rlwe = {.plan = {.scheme = PSI_AHE_RLWE, .rows = RLWE_ROWS}};
static sum paillier = {.plan = {.scheme = PSI_AHE_PAILLIER, .rows = PAILLIER_ROWS}};
static const uint8_t show[1] = {PSI_AHE_MASKED};
static const char *why;

static void gather(void *user, size_t first, size_t n, size_t c, psi_wide *out)
{
    (void)user, (void)c;
    for (size_t i = 0; i < n; i++)
        out[i] = (psi_wide)(first + i);
}

static void sum_prepare(sum *s)
{
    psi_ahe_plan *p = &s->plan;
    p->columns = p->groups = 1;
    p->selected = p->group_max[0] = p->rows;
    p->column[0] = (psi_ahe_column){0, 1000000, 0};
    must(!psi_ahe_plan_init(p, &why), "plan");
    uint8_t *message = room(1, p->key_bytes);
    s->units = room(p->units, p->unit_bytes);
    s->returned = room(psi_ahe_sum_units(p, show), p->sum_bytes);
    s->selected = room(p->rows, 1);
    for (size_t r = 0; r < p->rows; r += 2)
        s->selected[r] = 1;
    must(!psi_ahe_key_new(&s->key, p, &sid) && !psi_ahe_key_message(s->key, message) &&
             !psi_ahe_adder_new(&s->adder, p, &sid, message, &why),
         "key");
    psi_free(message);
}

static void sum_encrypt(sum *s)
{
    for (size_t u = 0; u < s->plan.units; u += s->plan.chunk) {
        size_t left = s->plan.units - u;
        must(!psi_ahe_encrypt(s->key, u, left < s->plan.chunk ? left : s->plan.chunk, gather, NULL,
                              s->units + u * s->plan.unit_bytes),
             "encryption");
    }
}

static void sum_add(sum *s)
{
    size_t bad;
    must(!psi_ahe_add_prepare(s->adder, 0, s->plan.units, s->selected), "selection");
    for (size_t t = 0; t < s->plan.tasks; t++)
        must(!psi_ahe_add_task(s->adder, t, s->units, &bad, &why), "addition");
}

/* What goes back, its decryption, and the mask taken off. */
static void sum_decrypt(sum *s)
{
    uint8_t plain[1][PSI_AHE_PLAIN];
    psi_wide got = -1, rows = (psi_wide)s->plan.rows;
    must(!psi_ahe_finish(s->adder, 0, show, NULL, s->returned) &&
             !psi_ahe_decrypt(s->key, show, s->returned, plain, &why) &&
             !psi_ahe_unmask(s->adder, 0, 0, plain[0], &got),
         "decryption");
    must(got == rows / 2 * (rows / 2 - 1), "a sum"); /* 0 + 2 + 4 .. */
}

KERNEL void kernel_rlwe_encrypt(void)
{
    sum_encrypt(&rlwe);
}

KERNEL void kernel_rlwe_add(void)
{
    sum_add(&rlwe);
}

KERNEL void kernel_rlwe_decrypt(void)
{
    sum_decrypt(&rlwe);
}

KERNEL void kernel_paillier_encrypt(void)
{
    sum_encrypt(&paillier);
}

KERNEL void kernel_paillier_add(void)
{
    sum_add(&paillier);
}

KERNEL void kernel_paillier_decrypt(void)
{
    sum_decrypt(&paillier);
}

/* ---- Files ---- */

static char list_path[4096], output_path[4096];
static tally_input *input;
static tally_error error;

/* Valid resident ids (GB 11643), with a name in quotes. */
static void write_list(void)
{
    static const int weights[17] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
    FILE *f = fopen(list_path, "w");
    must(f != NULL, list_path);
    fprintf(f, "id_number,name\r\n");
    for (unsigned i = 0; i < LIST_ROWS; i++) {
        char id[32];
        int check = 0;
        snprintf(id, sizeof id, "%06u19%02u%02u%02u%03u", 110101u + i / 1000, 40 + i % 60, 1 + i % 12,
                 1 + i % 28, i % 1000);
        for (int k = 0; k < 17; k++)
            check += (id[k] - '0') * weights[k];
        fprintf(f, "%s%c,\"Li, No. %u\"\r\n", id, "10X98765432"[check % 11], i);
    }
    must(fclose(f) == 0, list_path);
}

KERNEL void kernel_read_list(void)
{
    must(!tally_input_load(input, &error), error.message);
}

KERNEL void kernel_write_output(void)
{
    static uint8_t matched[LIST_ROWS / 8];
    party_output *out = NULL;
    uint64_t rows = 0;
    memset(matched, 0x55, sizeof matched);
    must(!party_output_open(&out, output_path, 0, NULL, 0, input, &error) &&
             !party_output_write(out, matched, NULL, &rows, &error) && !party_output_commit(out, &error),
         error.message);
    party_output_free(out);
    must(rows == LIST_ROWS / 2, "writing");
}

/* ---- Join ---- */

static uint8_t *join_tags;

KERNEL void kernel_join(void)
{
    psi_join *j;
    size_t hits = 0;
    must(!psi_join_new(&j, join_tags, JOINED, WIDTH), "join");
    psi_join_probe(j, join_tags + JOINED / 2 * WIDTH, JOINED, 0, count_hit, &hits);
    psi_join_free(j);
    must(hits == JOINED / 2, "join");
}

/* ---- All of it ---- */

static void prepare(const char *folder)
{
    uint8_t bytes[PSI_PAILLIER_P * 8];
    mp_limb_t p[PSI_PAILLIER_P], q[PSI_PAILLIER_P];
    psi_group(); /* these compare their backends, once */
    psi_subspace();
    psi_rowhash();
    psi_prg_bytes(&fixed, messages, sizeof messages);
    psi_prg_bytes(&fixed, items, sizeof items);
    memcpy(items[1], items[0], ITEMS / 2 * sizeof items[0][0]);
    for (int i = 0; i < 2; i++)
        psi_scalar_random(&scalar[i], &fixed);
    for (size_t i = 0; i < ITEMS; i++)
        psi_scalar_random(&scalars[i], &fixed);
    join_tags = room(JOINED * 3 / 2, WIDTH);
    psi_prg_bytes(&fixed, join_tags, JOINED * 3 / 2 * WIDTH);

    must(!psi_vole_sizes_init(&sizes, 4, VOLE, VOLE) && sizes.bins == 1, "sizes");
    bin = room(1, PSI_VOLE_SEED + sizes.bin_bytes);
    for (int i = 0; i < 2; i++) {
        work[i] = psi_vole_work_new(&sizes, i == 0);
        leaves[i] = room((size_t)sizes.columns << sizes.k, sizeof *leaves[i]);
        must(work[i] != NULL, "memory");
    }

    must(
        !sodium_hex2bin(bytes, sizeof bytes, paillier_prime_p, sizeof paillier_prime_p - 1, NULL, NULL, NULL),
        "prime");
    psi_limbs_read(p, PSI_PAILLIER_P, bytes);
    must(
        !sodium_hex2bin(bytes, sizeof bytes, paillier_prime_q, sizeof paillier_prime_q - 1, NULL, NULL, NULL),
        "prime");
    psi_limbs_read(q, PSI_PAILLIER_P, bytes);
    psi_paillier_set_primes(p, q);
    sum_prepare(&rlwe);
    sum_prepare(&paillier);

    snprintf(list_path, sizeof list_path, "%s/list.csv", folder);
    snprintf(output_path, sizeof output_path, "%s/output.csv", folder);
    write_list();
    must(!tally_input_new(&input, &error) && !tally_input_set_file(input, list_path, &error) &&
             !tally_input_add_key(input, "id_number", "cn-resident-id", &error),
         error.message);
    party_input_threads(input, 1);
}

static void release(void)
{
    tally_input_free(input);
    sum *const sums[] = {&rlwe, &paillier};
    for (int i = 0; i < 2; i++) {
        psi_ahe_adder_free(sums[i]->adder);
        psi_ahe_key_free(sums[i]->key);
        psi_free(sums[i]->units);
        psi_free(sums[i]->returned);
        psi_free(sums[i]->selected);
        psi_vole_shared_free(&shared[i]);
        psi_vole_work_free(work[i]);
        psi_free(leaves[i]);
    }
    psi_free(bin);
    psi_free(join_tags);
}

static int print_versions(void)
{
    char libc[64] = "another C library";
    confstr(_CS_GNU_LIBC_VERSION, libc, sizeof libc);
    return printf("OpenSSL %s, GMP %s, libsodium %s, %s\n", OpenSSL_version(OPENSSL_VERSION_STRING),
                  gmp_version, sodium_version_string(), libc) < 0 ||
           fflush(stdout);
}

int main(int argc, char **argv)
{
    static void (*const kernels[])(void) = {kernel_hash_to_group,
                                            kernel_scalar_multiplication,
                                            kernel_ecdh,
                                            kernel_count,
                                            kernel_ecdh_malicious,
                                            kernel_vole_setup,
                                            kernel_vole,
                                            kernel_rlwe_encrypt,
                                            kernel_rlwe_add,
                                            kernel_rlwe_decrypt,
                                            kernel_paillier_encrypt,
                                            kernel_paillier_add,
                                            kernel_paillier_decrypt,
                                            kernel_read_list,
                                            kernel_write_output,
                                            kernel_join};
    static const uint8_t seed[32] = {1};
    if (argc != 2) {
        fprintf(stderr, "usage: counted FOLDER\n       counted --versions\n");
        return 1;
    }
    if (strcmp(argv[1], "--versions") == 0)
        return print_versions();
    psi_rng_set_seed(seed);
    psi_prg_init_key(&fixed, seed);
    prepare(argv[1]);
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        kernels[i]();
    release();
    psi_rng_set_seed(NULL);
    printf("%s %zu\n", psi_cpu_all() & PSI_CPU_AVX2 ? "avx2" : "base", sizeof kernels / sizeof *kernels);
    return 0;
}
