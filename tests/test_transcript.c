/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Known-answer transcripts: with fixed randomness every frame of a run is the frozen one.
 * With TALLY_WRITE_VECTORS=1 in the environment the files are written instead, which is right only when the
 * wire format changes on purpose.
 */
#include "psi/hash.h"
#include "psi/rng.h"
#include "tests/support_session.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEX_MAX 2 /* up to this n payloads are in the file, not only their hashes */

static uint8_t seeds[2][32];

static void fixed_randomness(void *user)
{
    psi_rng_set_seed(user);
}

static void system_randomness(void *user)
{
    (void)user;
    psi_rng_set_seed(NULL);
}

static void print_hex(FILE *out, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        fprintf(out, "%02x", p[i]);
}

static void print_frames(FILE *out, const char *who, const pair_record *record, int whole)
{
    for (size_t f = 0; f < record->count; f++) {
        uint8_t hash[32];
        const uint8_t *payload = record->frame[f].payload;
        uint32_t length = record->frame[f].length;
        if (psi_sha256(payload, length, hash))
            abort();
        fprintf(out, "%s %zu type %u length %u", who, f, record->frame[f].type, (unsigned)length);
        if (record->frame[f].type == WIRE_RECEIPT) { /* tells the time */
            fprintf(out, "\n");
            continue;
        }
        fprintf(out, " sha256 ");
        print_hex(out, hash, sizeof hash);
        if (whole && length) {
            fprintf(out, " payload ");
            print_hex(out, payload, length);
        }
        fprintf(out, "\n");
    }
}

/* Receiver 0 .. n-1, sender n/2 .. n/2 + n-1. */
static void run_and_print(FILE *out, enum tally_protocol protocol, enum tally_security security, uint32_t n)
{
    pair p;
    pair_record record[2];
    uint32_t *ids = calloc(2 * (size_t)n, sizeof *ids);
    if (!ids)
        abort();
    for (uint32_t i = 0; i < 2 * n; i++)
        ids[i] = i;
    pair_init(&p, security, TALLY_REVEAL_BOTH);
    pair_set_protocol(&p, protocol);
    pair_add(&p.side[PAIR_RECEIVER], ids, n);
    pair_add(&p.side[PAIR_SENDER], ids + n / 2, n);
    for (int i = 0; i < 2; i++) {
        pair_record_start(&record[i], &p.side[i].tap);
        p.side[i].before = fixed_randomness;
        p.side[i].after = system_randomness;
        p.side[i].hook_user = seeds[i];
    }
    pair_run(&p);
    fprintf(out, "n %u\n", (unsigned)n);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(p.side[i].status, TALLY_OK);
        CU_ASSERT_EQUAL(p.side[i].row_count, n - n / 2);
        print_frames(out, i == PAIR_RECEIVER ? "receiver" : "sender", &record[i],
                     n <= HEX_MAX && protocol == TALLY_ECDH);
        pair_record_free(&record[i]);
    }
    pair_free(&p);
    free(ids);
}

static char *transcript(enum tally_protocol protocol, enum tally_security security, const char *name)
{
    static const uint32_t sizes[] = {1, 2, 100, 1024};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        abort();
    for (uint8_t i = 0; i < 32; i++) {
        seeds[PAIR_RECEIVER][i] = i;
        seeds[PAIR_SENDER][i] = (uint8_t)(0x80 | i);
    }
    fprintf(
        out,
        "# SPDX-License-Identifier: Apache-2.0\n"
        "# Transcripts of wire version 1, %s, result revealed to both: this project's own, frozen.\n"
        "# Made by tests/test_transcript.c (TALLY_WRITE_VECTORS=1). No TLS: fingerprints and exporter are "
        "zero.\n"
        "# Hello 1 carries the software text \"tally %s\", and everything behind it depends on both hellos.\n"
        "# Lists: receiver \"" PAIR_MARK
        "0\" to n-1, sender from n/2 on, n of them; one key of profile exact.\n"
        "# Randomness: one ChaCha20 stream a side (psi_rng_set_seed), key 000102..1f receiver, 808182..9f "
        "sender.\n"
        "# A line is: who sent it, number of the frame, type, bytes of its payload, their SHA-256 (not of a "
        "receipt, which tells the time)",
        name, tally_version());
    if (protocol == TALLY_ECDH)
        fprintf(out, ", for n <= %d the bytes", HEX_MAX);
    fprintf(out, ".\n");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        run_and_print(out, protocol, security, sizes[i]);
    fclose(out);
    return text;
}

/* Compares line by line, so that the first frame that differs is named. */
static void compare(char *have, FILE *want, const char *path)
{
    static char line[1 << 16];
    char *at = have;
    unsigned lines = 0, wrong = 0;
    while (fgets(line, sizeof line, want)) {
        size_t len = strlen(line);
        lines++;
        if (strncmp(at, line, len) != 0) {
            if (!wrong++)
                printf("%s:%u differs\n  frozen %.100s\n  now    %.100s\n", path, lines, line, at);
        }
        at = strchr(at, '\n');
        if (!at)
            break;
        at++;
    }
    CU_ASSERT(lines > 40);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(at && *at == 0);
}

static void check(enum tally_protocol protocol, enum tally_security security, const char *name)
{
    char path[100];
    snprintf(path, sizeof path, "tests/vectors/transcript-%s.txt", name);
    char *text = transcript(protocol, security, name);
    int write = getenv("TALLY_WRITE_VECTORS") != NULL;
    FILE *f = fopen(path, write ? "w" : "r");
    CU_ASSERT_PTR_NOT_NULL(f);
    if (f && write)
        CU_ASSERT(fputs(text, f) >= 0);
    if (f && !write)
        compare(text, f, path);
    if (f)
        fclose(f);
    free(text);
}

static void test_semi_honest(void)
{
    check(TALLY_ECDH, TALLY_SEMI_HONEST, "semi-honest");
}

static void test_malicious(void)
{
    check(TALLY_ECDH, TALLY_MALICIOUS, "malicious");
}

static void test_vole(void)
{
    check(TALLY_VOLE, TALLY_SEMI_HONEST, "vole");
}

/* The same frames from the portable backends: this program once more. */
static void test_portable(void)
{
    int status = -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        unsetenv("TALLY_RESULTS");
        unsetenv("TALLY_WRITE_VECTORS");
        setenv("TALLY_BACKEND", "portable", 1);
        execl("/proc/self/exe", "test_transcript", "semi_honest", "malicious", "vole", (char *)NULL);
        _exit(127);
    }
    CU_ASSERT_FATAL(pid > 0 && waitpid(pid, &status, 0) == pid);
    CU_ASSERT_EQUAL(status, 0);
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"semi_honest", test_semi_honest},
                                      {"malicious", test_malicious},
                                      {"vole", test_vole},
                                      {"portable", test_portable}};
    return unit_main(argc, argv, "transcript", tests, sizeof tests / sizeof *tests);
}
