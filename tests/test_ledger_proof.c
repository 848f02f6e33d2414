/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints and proofs, and what a ledger that was cut short or rewritten cannot prove. */
#include "tests/support_ledger.h"

#include "party/identity.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *checkpoint(tally_ledger *l)
{
    static char *out;
    CU_ASSERT_EQUAL_FATAL(tally_ledger_checkpoint(l, &out, NULL), TALLY_OK);
    return out;
}

static char *prove(tally_ledger *l, uint64_t n, const char *older)
{
    char *out = NULL;
    tally_error error;
    CU_ASSERT_EQUAL_FATAL(tally_ledger_prove(l, n, older, &out, &error), TALLY_OK);
    return out;
}

/* The status; *shown is freed. */
static tally_status check(const char *proof, const char *note, const char *key, tally_error *error)
{
    char *shown = NULL;
    tally_status st = tally_proof_check(proof, note, key, &shown, error);
    CU_ASSERT((st == TALLY_OK) == (shown != NULL));
    free(shown);
    return st;
}

/* C2SP signed-note: what signs and what tells the key are made here once more, by hand. */
static void test_note(void)
{
    tally_identity *id = ledger_identity("bank");
    tally_ledger *l = ledger_open(ledger_path(), TALLY_LEDGER_WRITE);
    party_note note;
    char *text = checkpoint(l);
    CU_ASSERT(party_note_read(text, &note) && note.size == 0 && note.signatures == 0);
    CU_ASSERT(strstr(text, "\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n") != NULL);
    free(text);
    ledger_whole(l, &(ledger_run){.identity = id});
    text = checkpoint(l);
    CU_ASSERT_FATAL(party_note_read(text, &note) && note.size == 2 && note.signatures == 1);
    static const char start[] = "\n\xe2\x80\x94 tally/ledger/";
    CU_ASSERT(strncmp(text + note.text_len, start, sizeof start - 1) == 0);
    uint8_t bytes[68], hash[32], id_bytes[128];
    const char *digits = strrchr(text, ' ') + 1;
    CU_ASSERT(party_base64_read(bytes, 68, digits, 92));
    size_t len = strlen(note.origin);
    memcpy(id_bytes, note.origin, len);
    memcpy(id_bytes + len, "\n\x01", 2);
    memcpy(id_bytes + len + 2, id->sign_public32, 32);
    CU_ASSERT_EQUAL(psi_sha256(id_bytes, len + 34, hash), TALLY_OK);
    CU_ASSERT(memcmp(hash, bytes, 4) == 0);
    CU_ASSERT_EQUAL(party_sign_verify(id->sign_public32, text, note.text_len, bytes + 4), TALLY_OK);
    CU_ASSERT_EQUAL(party_note_verify(text, &note, id->sign_public32), TALLY_OK);
    /* One that a witness has signed too is read. */
    char both[2048];
    snprintf(both, sizeof both, "%s\xe2\x80\x94 witness.example/w1 AAAA\n", text);
    CU_ASSERT(party_note_read(both, &note) && note.signatures == 2);
    CU_ASSERT_EQUAL(party_note_verify(both, &note, id->sign_public32), TALLY_OK);
    static const char *const wrong[] = {
        "",
        "tally/ledger/0123456789abcdef\n",
        "tally/ledger/0123456789abcdef\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "tally/ledger/0123456789abcde\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "tally/ledger/0123456789abcdef\n00\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "tally/ledger/0123456789abcdef\n-1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "tally/ledger/0123456789abcdef\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n",
        "tally/ledger/0123456789abcdef\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n",
        "tally/ledger/0123456789abcdef\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nmore\n",
        "tally/ledger/0123456789abcdef\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\nmore\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CU_ASSERT(!party_note_read(wrong[i], &note));
    free(text);
    tally_ledger_free(l);
    tally_identity_free(id);
}

/* Each run of ledgers of many sizes, also with each older checkpoint; then every single character changed. */
static void test_prove(void)
{
    tally_identity *id = ledger_identity("bank"), *other = ledger_identity("agency");
    tally_ledger *l = ledger_open(ledger_path(), TALLY_LEDGER_WRITE);
    const ledger_run run = {.identity = id};
    tally_error error;
    char *notes[12], *shown = NULL, *none = NULL;
    for (int i = 0; i < 12; i++) {
        ledger_whole(l, &run);
        notes[i] = checkpoint(l);
    }
    for (uint64_t n = 1; n <= 12; n++)
        for (int older = 0; older < 12; older++) {
            char *proof = prove(l, n, older ? notes[older - 1] : NULL);
            CU_ASSERT_EQUAL(check(proof, notes[11], NULL, &error), TALLY_OK);
            CU_ASSERT_EQUAL(check(proof, notes[11], tally_identity_signing_fingerprint(id), &error),
                            TALLY_OK);
            CU_ASSERT_EQUAL(check(proof, notes[11], tally_identity_signing_fingerprint(other), &error),
                            TALLY_ERR_DIFFERS);
            CU_ASSERT_EQUAL(check(proof, notes[10], NULL, &error), TALLY_ERR_DIFFERS);
            CU_ASSERT(strstr(error.message, "another size") && *error.hint);
            free(proof);
        }
    char *proof = prove(l, 5, notes[6]);
    CU_ASSERT_EQUAL(tally_proof_check(proof, notes[11], NULL, &shown, &error), TALLY_OK);
    CU_ASSERT(strstr(shown, "of 24 records") && strstr(shown, "holds of run 5"));
    CU_ASSERT(strstr(shown, "record 9: intent, 2026-08-25") && strstr(shown, "record 10: outcome"));
    CU_ASSERT(strstr(shown, "older checkpoint of 14 records") != NULL);
    CU_ASSERT(strstr(shown, tally_identity_signing_fingerprint(id)) != NULL);
    free(shown);
    for (size_t i = 0; proof[i]; i++) {
        char keep = proof[i];
        proof[i] = keep == 'A' ? 'B' : 'A';
        CU_ASSERT_EQUAL(check(proof, notes[11], NULL, &error), TALLY_ERR_DIFFERS);
        proof[i] = 0;
        tally_status st = check(proof, notes[11], NULL, &error);
        /* One whole record of two is a proof of that one. */
        CU_ASSERT(st == TALLY_ERR_DIFFERS || (strstr(proof, "record 9\n") && proof[i - 1] == '\n'));
        proof[i] = keep;
    }
    CU_ASSERT_EQUAL(tally_ledger_prove(l, 13, NULL, &none, &error), TALLY_ERR_USAGE);
    CU_ASSERT_EQUAL(tally_ledger_prove(l, 1, "hello", &none, &error), TALLY_ERR_INPUT);
    free(proof);
    for (int i = 0; i < 12; i++)
        free(notes[i]);
    tally_ledger_free(l);
    tally_identity_free(id);
    tally_identity_free(other);
}

/* Not signed: proved, and said so; with a key it is refused. */
static void test_unsigned(void)
{
    tally_ledger *l = ledger_open(ledger_path(), TALLY_LEDGER_WRITE),
                 *m = ledger_open(ledger_path(), TALLY_LEDGER_WRITE);
    tally_error error;
    char *shown = NULL, *none = NULL;
    ledger_whole(l, &(ledger_run){0});
    ledger_whole(m, &(ledger_run){0});
    char *note = checkpoint(l), *of_m = checkpoint(m), *proof = prove(l, 1, NULL);
    CU_ASSERT_EQUAL(tally_proof_check(proof, note, NULL, &shown, &error), TALLY_OK);
    CU_ASSERT(strstr(shown, "which nobody has signed") != NULL);
    CU_ASSERT_EQUAL(check(proof, of_m, NULL, &error), TALLY_ERR_DIFFERS);
    CU_ASSERT(strstr(error.message, "another ledger") != NULL);
    CU_ASSERT_EQUAL(check(proof, note, "sha256:00", &error), TALLY_ERR_DIFFERS);
    CU_ASSERT_EQUAL(tally_ledger_prove(l, 1, of_m, &none, &error), TALLY_ERR_DIFFERS);
    free(shown);
    free(note);
    free(of_m);
    free(proof);
    tally_ledger_free(l);
    tally_ledger_free(m);
}

/* Both verify by themselves; an older checkpoint tells. */
static void test_history(void)
{
    const char *path = ledger_path(), *other = ledger_path();
    char sql[512], *none = NULL;
    tally_ledger *l = ledger_open(path, TALLY_LEDGER_WRITE);
    tally_ledger_state state;
    tally_error error;
    size_t len;
    for (int i = 0; i < 3; i++)
        ledger_whole(l, &(ledger_run){0});
    uint8_t *earlier = ledger_bytes(path, &len);
    for (int i = 0; i < 3; i++)
        ledger_whole(l, &(ledger_run){0});
    char *note = checkpoint(l);
    CU_ASSERT_EQUAL(tally_ledger_verify(l, 0, &state, &error), TALLY_OK);
    tally_ledger_free(l);
    ledger_put(path, earlier, len); /* cut short: a backup of some time ago */
    l = ledger_open(path, TALLY_LEDGER_WRITE);
    CU_ASSERT_EQUAL(tally_ledger_verify(l, 0, NULL, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_ledger_prove(l, 1, note, &none, &error), TALLY_ERR_DIFFERS);
    CU_ASSERT(strstr(error.message, "cut short") != NULL);
    for (int i = 0; i < 4; i++) /* and went on as if nothing had been */
        ledger_whole(l, &(ledger_run){.items = 5});
    CU_ASSERT_EQUAL(tally_ledger_verify(l, 0, NULL, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_ledger_prove(l, 1, note, &none, &error), TALLY_ERR_DIFFERS);
    CU_ASSERT(strstr(error.message, "rewritten") != NULL);
    tally_ledger_free(l);
    /* Made anew under the old name. */
    tally_ledger_free(ledger_open(other, TALLY_LEDGER_WRITE));
    snprintf(sql, sizeof sql,
             "UPDATE checkpoint SET note = replace(note, (SELECT origin FROM meta), '%s'); UPDATE meta SET "
             "origin = '%s'",
             state.origin, state.origin);
    ledger_sql(other, sql);
    l = ledger_open(other, TALLY_LEDGER_WRITE);
    for (int i = 0; i < 6; i++)
        ledger_whole(l, &(ledger_run){.items = 6});
    CU_ASSERT_EQUAL(tally_ledger_verify(l, 0, NULL, &error), TALLY_OK);
    CU_ASSERT_EQUAL(tally_ledger_prove(l, 1, note, &none, &error), TALLY_ERR_DIFFERS);
    tally_ledger_free(l);
    free(note);
    free(earlier);
}

/* A body in which a zero hides what follows. */
static void test_zero(void)
{
    static const char origin[] = "tally/ledger/0123456789abcdef";
    char body[] = "{\"status\":\"ok\"} ,\"matched\":1", digits[1024], note[PARTY_NOTE], proof[2048];
    tally_error error;
    for (int zero = 0; zero < 2; zero++) {
        party_record r = {
            .kind = PARTY_OUTCOME, .run = 1, .time = 1787652000, .role = TALLY_RECEIVER, .items = 1};
        party_leaf leaf;
        uint8_t hash[32], bytes[512];
        size_t used = 0;
        body[15] = zero ? 0 : ' ';
        r.body = body;
        r.body_len = sizeof body - 1;
        party_leaf_make(&leaf, &r, 1);
        psi_merkle_leaf(leaf.parts, leaf.count, hash);
        for (size_t i = 0; i < leaf.count; used += leaf.parts[i++].len)
            if (leaf.parts[i].len)
                memcpy(bytes + used, leaf.parts[i].p, leaf.parts[i].len);
        party_base64_write(digits, bytes, used);
        CU_ASSERT_EQUAL(party_note_make(NULL, origin, 1, hash, note), TALLY_OK);
        snprintf(proof, sizeof proof, "tally-ledger-proof 1\norigin %s\nrun 1\nsize 1\nrecord 1\nleaf %s\n",
                 origin, digits);
        CU_ASSERT_EQUAL(check(proof, note, NULL, &error), zero ? TALLY_ERR_DIFFERS : TALLY_OK);
    }
}

int main(int argc, char **argv)
{
    static const unit_test tests[] = {{"note", test_note},
                                      {"prove", test_prove},
                                      {"unsigned", test_unsigned},
                                      {"history", test_history},
                                      {"zero", test_zero}};
    return unit_main(argc, argv, "ledger-proof", tests, sizeof tests / sizeof *tests);
}
