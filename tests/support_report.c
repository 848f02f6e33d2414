/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support_report.h"

#include "party/identity.h"
#include "party/receipt.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGAN 1795688449LL /* 2026-11-26 10:20:49 UTC */
#define RECEIVER "上海示例银行 (Example Bank)"
#define SENDER "Example Agency"

const char *const sample_names[SAMPLES] = {"match",   "sender", "trial", "failed",   "incomplete",
                                           "refused", "sum",    "count", "signature"};

static void must(int holds)
{
    if (!holds)
        abort();
}

static json_t *made(json_t *j)
{
    must(j != NULL);
    return j;
}

/* One identity for each side, made once. */
static const tally_identity *identity_of(size_t side)
{
    static tally_identity *made_once[2];
    char path[512];
    if (!made_once[side]) {
        snprintf(path, sizeof path, "%s/%s", unit_tmp(), side ? "agency" : "bank");
        must(!tally_identity_create(path, side ? SENDER : RECEIVER, NULL));
        must(!tally_identity_load(path, &made_once[side], NULL));
    }
    return made_once[side];
}

/* ---- The agreement ---- */

static const char *lines_of(enum sample which)
{
    return which == SAMPLE_SUM     ? "function: sum\nvalues-of: sender\n"
                                     "values: [{name: amount, min: 0, max: 1000000, scale: 2}]\n"
                                     "bands: [{name: amount, of: sender, edges: [0, 1000, 5000, 20000]}]\n"
           : which == SAMPLE_COUNT ? "function: count\n"
                                   : "function: match\ncolumns: [{name: court, width: 32}]\n";
}

static json_t *agreement_of(enum sample which, char digest[TALLY_FINGERPRINT_TEXT])
{
    char *text = NULL, path[512], signatures[TALLY_AGREEMENT_SIGNATURES_MAX + 1] = "";
    tally_agreement *a = NULL;
    must(asprintf(
             &text,
             "tally-agreement: 1\nname: Judgment debtors among customers, 2026\nparties:\n"
             "- {organisation: \"" RECEIVER "\", role: receiver, link-key: %s, signing-key: %s, "
             "contact: \"Compliance desk\"}\n"
             "- {organisation: " SENDER ", role: sender, link-key: %s, signing-key: %s, contact: c}\n"
             "purpose: Finding customers against whom there is a judgment, to stop the payments that the "
             "judgment forbids\nlegal-basis: \"Enforcement Act, section 7: duty of banks to assist\"\n"
             "valid-from: 2026-01-01\nvalid-until: 2026-12-31\ntime-zone: Asia/Shanghai\n"
             "quotas: {runs-per-day: 1, runs-in-all: 250}\n"
             "keys: [{receiver-column: id_card, sender-column: id_number, profile: cn-resident-id}]\n"
             "min-overlap: 20\n%s",
             tally_identity_fingerprint(identity_of(0)), tally_identity_signing_fingerprint(identity_of(0)),
             tally_identity_fingerprint(identity_of(1)), tally_identity_signing_fingerprint(identity_of(1)),
             lines_of(which)) > 0);
    must(!tally_agreement_parse("sample", text, strlen(text), &a, NULL));
    for (size_t i = 0; i < 2; i++)
        must(!tally_agreement_sign(a, identity_of(i), NULL));
    snprintf(path, sizeof path, "%s/sample.sig", unit_tmp());
    must(!tally_agreement_write_signatures(a, path, NULL));
    FILE *in = fopen(path, "r");
    must(in && fread(signatures, 1, sizeof signatures - 1, in) > 0 && fclose(in) == 0);
    snprintf(digest, TALLY_FINGERPRINT_TEXT, "%s", tally_agreement_digest(a));
    json_t *kept = made(json_pack("{s:s, s:s}", "text", text, "signatures", signatures));
    tally_agreement_free(a);
    free(text);
    return kept;
}

/* ---- The receipt ---- */

static void hex_of(char out[129], const uint8_t bytes64[64])
{
    for (size_t i = 0; i < 64; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes64[i]);
}

static json_t *receipt_of(enum sample which, const char *digest, const char *function)
{
    party_receipt_run run = {.min_overlap = *digest ? 20 : 0};
    party_receipt *receipt = calloc(1, sizeof *receipt);
    char hex[2][129] = {"", ""};
    must(receipt != NULL);
    snprintf(run.session, sizeof run.session, "%064x", 0xabcdu);
    snprintf(run.agreement, sizeof run.agreement, "%s", digest);
    snprintf(run.function, sizeof run.function, "%s", function);
    snprintf(run.protocol, sizeof run.protocol, "vole");
    snprintf(run.security, sizeof run.security, "semi-honest");
    snprintf(run.reveal, sizeof run.reveal, "receiver");
    for (size_t i = 0; i < 2; i++) {
        party_receipt_side *s = &run.side[i];
        s->signs = *digest != 0;
        if (s->signs) {
            memcpy(s->public32, identity_of(i)->sign_public32, 32);
            snprintf(s->organisation, sizeof s->organisation, "%s", i ? SENDER : RECEIVER);
        }
        snprintf(s->fingerprint, sizeof s->fingerprint, "%s", tally_identity_fingerprint(identity_of(i)));
        s->items = i ? 300000 : 1200000;
        s->facts.has_ledger = which != SAMPLE_TRIAL || i == 0;
        if (s->facts.has_ledger)
            unit_random(s->facts.ledger32, 32);
        s->facts.time = BEGAN + 3;
        if (!i && *digest)
            s->facts.without_consent = which == SAMPLE_SENDER ? 70 : 12;
        unit_random(s->commitment32, 32);
    }
    must(!party_receipt_write(receipt, &run));
    for (size_t i = 0; i < 2 && *digest; i++) {
        must(!party_receipt_sign(receipt, i, identity_of(i)));
        hex_of(hex[i], receipt->signature64[i]);
    }
    if (which == SAMPLE_SIGNATURE)
        hex[1][0] = hex[1][0] == '0' ? '1' : '0';
    json_t *kept =
        made(json_pack("{s:s, s:s, s:s}", "text", receipt->text, "receiver", hex[0], "sender", hex[1]));
    free(receipt);
    return kept;
}

/* ---- Bodies ---- */

static const char figures[] =
    "{\"count\": 179, \"values\": [{\"column\": \"amount\", \"sum\": \"1231925.46\", \"mean\": "
    "\"6882.265140\","
    "\"variance\": \"1288017852.75958579\"}], \"bands\": [{\"column\": \"amount\", \"bands\": [{\"count\": "
    "29,"
    "\"values\": [{\"column\": \"amount\", \"sum\": \"27508.33\"}], \"from\": \"0\", \"to\": \"1000\"},"
    "{\"count\": 121, \"values\": [{\"column\": \"amount\", \"sum\": \"223984.22\"}], \"from\": \"1000\","
    "\"to\": \"5000\"}], \"merged\": {\"count\": 29, \"values\": [{\"column\": \"amount\", \"sum\": "
    "\"980432.91\"}],"
    "\"of\": [{\"from\": \"5000\", \"to\": \"20000\"}, {\"outside\": true}]}}],"
    "\"groups\": {\"column\": \"score\", \"bands\": [{\"count\": 80, \"values\": [{\"column\": \"amount\","
    "\"sum\": \"731925.46\", \"mean\": \"9149.068250\", \"variance\": \"88017852.75958579\"}], \"from\": "
    "\"350\","
    "\"to\": \"600\"}]}, \"noise\": {\"epsilon\": 0.5, \"delta\": 1e-06}}";

static const char *learned_of(enum sample which)
{
    return which == SAMPLE_SENDER
               ? "The other side learned which of its 1200000 identifiers are on this side's list and that "
                 "this "
                 "list has 300000; this side learned only that the other list has 1200000."
               : "This side learned which of its 1200000 identifiers are on the other side's list (4127) and "
                 "that "
                 "the other list has 300000; the other side learned only that this list has 1200000.";
}

static json_t *terms_of(enum sample which, int agreed)
{
    json_t *terms = made(json_pack("{s:s, s:s, s:[s], s:[], s:[], s:i, s:i}", "protocol",
                                   which == SAMPLE_MATCH || which == SAMPLE_SENDER ? "vole" : "ecdh",
                                   "security", "semi-honest", "keys", "cn-resident-id", "offer", "want",
                                   "rows_per_person", 0, "min_overlap", agreed ? 20 : 0));
    json_object_set_new(terms, "reveal_to", json_string("receiver"));
    if (which == SAMPLE_MATCH || which == SAMPLE_SENDER)
        json_array_append_new(json_object_get(terms, "want"), json_string("court"));
    if (which != SAMPLE_SUM)
        return terms;
    json_object_set_new(terms, "values",
                        made(json_pack("[{s:s, s:s, s:s, s:i}]", "column", "amount", "min", "0", "max",
                                       "1000000", "scale", 2)));
    json_object_set_new(
        terms, "bands",
        made(json_pack("[{s:s, s:[s,s,s,s]}]", "column", "amount", "edges", "0", "1000", "5000", "20000")));
    json_object_set_new(terms, "bands_of_the_adder",
                        made(json_pack("[{s:s, s:[s,s]}]", "column", "score", "edges", "350", "600")));
    json_object_set_new(terms, "epsilon", json_real(0.5));
    return terms;
}

static json_t *peer_of(int agreed, size_t side)
{
    return made(json_pack("{s:s, s:s, s:s, s:s}", "organisation",
                          !agreed ? ""
                          : side  ? SENDER
                                  : RECEIVER,
                          "fingerprint", tally_identity_fingerprint(identity_of(side)), "subject",
                          side ? "CN=agency-id,O=" SENDER : "CN=bank-id,O=" RECEIVER, "software",
                          "tally 0.1.0"));
}

static json_t *begin_of(enum sample which, const char *function, const char *digest)
{
    int agreed = *digest != 0, sender = which == SAMPLE_SENDER;
    json_t *body = made(json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "v", 1, "run_id", "00112233445566778899aabbccddeeff",
        "role", sender ? "sender" : "receiver", "function", function, "reveal_to", "receiver", "organisation",
        !agreed  ? ""
        : sender ? SENDER
                 : RECEIVER,
        "identity", tally_identity_fingerprint(identity_of((size_t)sender)), "ledger", "kept"));
    json_object_set_new(body, "agreement", agreed ? json_string(digest) : json_null());
    json_object_set_new(body, "terms", terms_of(which, agreed));
    json_object_set_new(body, "peer", peer_of(agreed, !sender));
    json_object_set_new(
        body, "input",
        made(json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "rows", 1201330, "accepted", 1200417,
                       "items", 1198004, "declared", 1200000, "duplicates", 2413, "rejected", 913,
                       "without_consent", 12, "clipped", 0)));
    return body;
}

static json_t *phase(int sent, int received)
{
    return made(json_pack("{s:i, s:i}", "sent", sent, "received", received));
}

static json_t *end_of(enum sample which, const char *digest, const char *function)
{
    int failed = which == SAMPLE_FAILED || which == SAMPLE_REFUSED;
    json_t *body = made(json_pack(
        "{s:s, s:i, s:s, s:s, s:i, s:b, s:s}", "status",
        which == SAMPLE_REFUSED ? "policy refused"
        : failed                ? "peer stopped"
                                : "ok",
        "exit_status",
        which == SAMPLE_REFUSED ? 4
        : failed                ? 6
                                : 0,
        "message",
        which == SAMPLE_REFUSED ? "the agreement allows 1 run on one day, and there was one"
        : failed                ? "the peer ended the run: it could not go on"
                                : "",
        "hint", failed ? "the peer's own log has the reason" : "", "peer_items", 300000, "disclosed",
        which != SAMPLE_REFUSED, "learned", failed || which >= SAMPLE_SUM ? "" : learned_of(which)));
    json_object_set_new(body, "matched",
                        which == SAMPLE_SENDER || failed ? json_null()
                                                         : json_integer(which == SAMPLE_SUM ? 179 : 4127));
    json_object_set_new(body, "figures",
                        which == SAMPLE_SUM     ? made(json_loads(figures, 0, NULL))
                        : which == SAMPLE_COUNT ? made(json_pack("{s:i}", "count", 4127))
                                                : json_null());
    json_object_set_new(body, "share_exceeded", which == SAMPLE_COUNT ? json_true() : json_null());
    json_object_set_new(body, "bytes",
                        made(json_pack("{s:o, s:o, s:o, s:o}", "greeting", phase(4096, 4210), "protocol",
                                       phase(58231044, 21544002), "receipt", phase(611, 611), "total",
                                       phase(58235751, 21548823))));
    json_object_set_new(body, "seconds",
                        made(json_pack("{s:f, s:f, s:f, s:f}", "reading", 1.204, "waiting", 12.5, "matching",
                                       3.871, "writing", 0.44)));
    json_object_set_new(body, "receipt", failed ? json_null() : receipt_of(which, digest, function));
    json_object_set_new(body, "peer", peer_of(*digest != 0, which != SAMPLE_SENDER));
    return body;
}

static json_t *run_of(enum sample which)
{
    const char *function = which == SAMPLE_SUM ? "sum" : which == SAMPLE_COUNT ? "count" : "match";
    char digest[TALLY_FINGERPRINT_TEXT] = "";
    json_t *agreement = which == SAMPLE_TRIAL ? json_null() : agreement_of(which, digest);
    json_t *run =
        made(json_pack("{s:i, s:I, s:o}", "n", 12, "began", (json_int_t)BEGAN, "agreement", agreement));
    json_t *begin = begin_of(which, function, digest);
    json_object_set_new(run, "ended", which == SAMPLE_INCOMPLETE ? json_integer(0) : json_integer(BEGAN + 5));
    if (which == SAMPLE_REFUSED) {
        json_t *end = end_of(which, digest, function);
        must(!json_object_update(begin, end));
        json_decref(end);
        json_object_set_new(run, "refused", begin);
        return run;
    }
    json_object_set_new(run, "intent", begin);
    if (which != SAMPLE_INCOMPLETE)
        json_object_set_new(run, "outcome", end_of(which, digest, function));
    return run;
}

json_t *sample_run(enum sample which)
{
    static json_t *once[SAMPLES];
    if (!once[which])
        once[which] = run_of(which);
    return made(json_deep_copy(once[which]));
}
