/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/hello.h"

#include "proto/budget.h"
#include "proto/tally.pb-c.h"
#include "psi/verify.h"
#include <string.h>
#include <utf8proc.h>

#define NONCE 32
#define COMMITMENT 32
#define SIGNATURE 64
#define KEY 32
#define VERSION_LIMIT 65535u

/* ---- Texts ------------------------------------------------------------------------------------------- */

static ProtobufCBinaryData text_of(char *text, size_t max)
{
    return (ProtobufCBinaryData){.len = strnlen(text, max), .data = (uint8_t *)text};
}

/* Copies 1..max printable ASCII characters and a zero; 0 if the text is anything else. */
static int take_text(char *out, size_t max, const ProtobufCBinaryData *in)
{
    if (in->len == 0 || in->len > max)
        return 0;
    for (size_t i = 0; i < in->len; i++)
        if (in->data[i] < 0x20 || in->data[i] > 0x7e)
            return 0;
    memcpy(out, in->data, in->len);
    out[in->len] = 0;
    return 1;
}

int wire_unseen(int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return 1;
    default:
        return 0;
    }
}

int wire_column_name(const char *name, size_t len)
{
    if (len == 0 || len > WIRE_NAME_MAX)
        return 0;
    for (size_t i = 0; i < len;) {
        utf8proc_int32_t c;
        ptrdiff_t n = utf8proc_iterate((const uint8_t *)name + i, (ptrdiff_t)(len - i), &c);
        if (n <= 0 || wire_unseen(c))
            return 0;
        i += (size_t)n;
    }
    return 1;
}

/* ---- Values and bands -------------------------------------------------------------------------------- */

static int take_name(char out[WIRE_NAME_MAX + 1], const ProtobufCBinaryData *in)
{
    if (!wire_column_name((const char *)in->data, in->len))
        return 0;
    memcpy(out, in->data, in->len);
    out[in->len] = 0;
    return 1;
}

static int is_value(int64_t v)
{
    const int64_t limit = (int64_t)1 << WIRE_VALUE_BITS;
    return v > -limit && v < limit;
}

static const char *take_values(wire_terms *out, const Tally__Terms *in)
{
    if (in->n_values > WIRE_VALUES_MAX)
        return "hello 1: there must be at most 16 values";
    for (size_t i = 0; i < in->n_values; i++) {
        const Tally__Value *v = in->values[i];
        wire_value *to = &out->values[i];
        if (!take_name(to->name, &v->name))
            return "hello 1: the name of a value must be 1 to 64 bytes of printable UTF-8";
        if (v->min > v->max || !is_value(v->min) || !is_value(v->max) || v->scale > WIRE_SCALE_MAX)
            return "hello 1: a value's range must be min <= max within 48 bits, its scale 0 to 9";
        to->min = v->min;
        to->max = v->max;
        to->scale = v->scale;
        for (size_t k = 0; k < i; k++)
            if (strcmp(out->values[k].name, to->name) == 0)
                return "hello 1: a value is named twice";
    }
    out->value_count = in->n_values;
    return NULL;
}

static const char *take_bands(wire_band *out, size_t *count, Tally__Band *const *in, size_t n)
{
    if (n > WIRE_BANDS_MAX)
        return "hello 1: there must be at most 4 columns with bands";
    for (size_t i = 0; i < n; i++) {
        if (!take_name(out[i].name, &in[i]->name))
            return "hello 1: the name of a column with bands must be 1 to 64 bytes of printable UTF-8";
        if (in[i]->n_edges < 2 || in[i]->n_edges > WIRE_EDGES_MAX || in[i]->scale > WIRE_SCALE_MAX)
            return "hello 1: bands must have 2 to 33 edges and a scale of 0 to 9";
        for (size_t e = 0; e < in[i]->n_edges; e++) {
            if (!is_value(in[i]->edges[e]) || (e && in[i]->edges[e] <= in[i]->edges[e - 1]))
                return "hello 1: the edges of bands must ascend, within 48 bits";
            out[i].edges[e] = in[i]->edges[e];
        }
        out[i].count = in[i]->n_edges;
        out[i].scale = in[i]->scale;
        for (size_t k = 0; k < i; k++)
            if (strcmp(out[k].name, out[i].name) == 0)
                return "hello 1: a column with bands is named twice";
    }
    *count = n;
    return NULL;
}

/* As take_text, but may be missing. */
static int take_optional(char *out, const ProtobufCBinaryData *in)
{
    return in->len == 0 || take_text(out, WIRE_NAME_MAX, in);
}

/* NULL, or what is wrong with what counts and sums add to the terms. */
static const char *take_aggregate(wire_terms *out, const Tally__Terms *in)
{
    if (in->min_overlap == 1 || in->min_overlap > WIRE_OVERLAP_MAX)
        return "hello 1: min_overlap must be 2 to 2^30, or 0";
    if (in->epsilon_micro && (in->epsilon_micro < WIRE_EPSILON_MIN || in->epsilon_micro > WIRE_EPSILON_MAX))
        return "hello 1: epsilon_micro must be 10000 to 100000000, or 0";
    if (in->epsilon_micro ? in->dummies < 1 || in->dummies > WIRE_DUMMIES_MAX : in->dummies != 0)
        return "hello 1: dummies must be 1 to 5000 with noise, 0 without";
    if (!take_optional(out->scheme, &in->scheme) || !take_optional(out->duplicates, &in->duplicates))
        return "hello 1: scheme and duplicates must be at most 64 printable ASCII characters";
    out->min_overlap = in->min_overlap;
    out->epsilon_micro = in->epsilon_micro;
    out->dummies = in->dummies;
    const char *wrong = take_values(out, in);
    if (!wrong)
        wrong = take_bands(out->bands, &out->band_count, in->bands, in->n_bands);
    return wrong ? wrong
                 : take_bands(out->peer_bands, &out->peer_band_count, in->peer_bands, in->n_peer_bands);
}

/* What protobuf-c wants pointers to while it packs. */
typedef struct packing {
    Tally__Value value[WIRE_VALUES_MAX], *values[WIRE_VALUES_MAX];
    Tally__Band band[2 * WIRE_BANDS_MAX], *bands[2 * WIRE_BANDS_MAX];
} packing;

static void put_band(packing *k, size_t at, wire_band *b)
{
    k->band[at] = (Tally__Band)TALLY__BAND__INIT;
    k->band[at].name = text_of(b->name, WIRE_NAME_MAX);
    k->band[at].scale = b->scale;
    k->band[at].n_edges = b->count;
    k->band[at].edges = b->edges;
    k->bands[at] = &k->band[at];
}

static void put_aggregate(Tally__Terms *out, wire_terms *t, packing *k)
{
    PSI_CHECK(t->value_count <= WIRE_VALUES_MAX && t->band_count <= WIRE_BANDS_MAX &&
              t->peer_band_count <= WIRE_BANDS_MAX);
    for (size_t i = 0; i < t->value_count; i++) {
        k->value[i] = (Tally__Value)TALLY__VALUE__INIT;
        k->value[i].name = text_of(t->values[i].name, WIRE_NAME_MAX);
        k->value[i].min = t->values[i].min;
        k->value[i].max = t->values[i].max;
        k->value[i].scale = t->values[i].scale;
        k->values[i] = &k->value[i];
    }
    for (size_t i = 0; i < t->band_count; i++)
        put_band(k, i, &t->bands[i]);
    for (size_t i = 0; i < t->peer_band_count; i++)
        put_band(k, WIRE_BANDS_MAX + i, &t->peer_bands[i]);
    out->min_overlap = t->min_overlap;
    out->scheme = text_of(t->scheme, WIRE_NAME_MAX);
    out->duplicates = text_of(t->duplicates, WIRE_NAME_MAX);
    out->epsilon_micro = t->epsilon_micro;
    out->dummies = t->dummies;
    out->n_values = t->value_count;
    out->values = k->values;
    out->n_bands = t->band_count;
    out->bands = k->bands;
    out->n_peer_bands = t->peer_band_count;
    out->peer_bands = k->bands + WIRE_BANDS_MAX;
}

/* ---- Agreement --------------------------------------------------------------------------------------- */

static void put_agreement(Tally__Agreement *out, wire_agreement *a, ProtobufCBinaryData signatures[2])
{
    PSI_CHECK(a->field_count <= WIRE_FIELDS_MAX);
    for (size_t i = 0; i < 2; i++)
        signatures[i] = (ProtobufCBinaryData){.len = SIGNATURE, .data = a->signatures[i]};
    out->digest = (ProtobufCBinaryData){.len = sizeof a->digest32, .data = a->digest32};
    out->n_signatures = 2;
    out->signatures = signatures;
    out->fields = (ProtobufCBinaryData){.len = a->field_count * WIRE_FIELD_DIGEST, .data = a->fields[0]};
}

/* NULL, or what is wrong with it. */
static const char *take_agreement(wire_agreement *out, const Tally__Agreement *in)
{
    if (in->digest.len != sizeof out->digest32)
        return "hello 1: the digest of an agreement must be 32 bytes";
    if (in->n_signatures != 2 || in->signatures[0].len != SIGNATURE || in->signatures[1].len != SIGNATURE)
        return "hello 1: an agreement must have two signatures of 64 bytes";
    if (!in->fields.len || in->fields.len > sizeof out->fields || in->fields.len % WIRE_FIELD_DIGEST)
        return "hello 1: the fields of an agreement must be 1 to 96 times 8 bytes";
    memcpy(out->digest32, in->digest.data, sizeof out->digest32);
    for (size_t i = 0; i < 2; i++)
        memcpy(out->signatures[i], in->signatures[i].data, SIGNATURE);
    out->field_count = in->fields.len / WIRE_FIELD_DIGEST;
    memcpy(out->fields, in->fields.data, in->fields.len);
    return NULL;
}

/* ---- Hello 1 ----------------------------------------------------------------------------------------- */

tally_status wire_hello1_build(const wire_hello1 *hello, uint8_t **out, size_t *len)
{
    wire_hello1 h = *hello; /* protobuf-c wants pointers to what may be changed */
    wire_terms *t = &h.terms;
    ProtobufCBinaryData keys[WIRE_KEYS_MAX];
    PSI_CHECK(t->key_count >= 1 && t->key_count <= WIRE_KEYS_MAX);
    for (size_t i = 0; i < t->key_count; i++)
        keys[i] = text_of(t->keys[i], WIRE_NAME_MAX);

    Tally__Terms terms = TALLY__TERMS__INIT;
    terms.role = text_of(t->role, WIRE_NAME_MAX);
    terms.function = text_of(t->function, WIRE_NAME_MAX);
    terms.protocol = text_of(t->protocol, WIRE_NAME_MAX);
    terms.security = text_of(t->security, WIRE_NAME_MAX);
    terms.reveal = text_of(t->reveal, WIRE_NAME_MAX);
    terms.n_keys = t->key_count;
    terms.keys = keys;

    Tally__Column columns[WIRE_COLUMNS_MAX], *column_list[WIRE_COLUMNS_MAX];
    PSI_CHECK(t->column_count <= WIRE_COLUMNS_MAX);
    for (size_t i = 0; i < t->column_count; i++) {
        columns[i] = (Tally__Column)TALLY__COLUMN__INIT;
        columns[i].name = text_of(t->columns[i].name, WIRE_NAME_MAX);
        columns[i].width = t->columns[i].width;
        column_list[i] = &columns[i];
    }
    terms.n_columns = t->column_count;
    terms.columns = column_list;
    terms.rows_per_person = t->rows_per_person;
    packing aggregate;
    put_aggregate(&terms, t, &aggregate);

    Tally__Hello1 message = TALLY__HELLO1__INIT;
    message.version_min = h.version_min;
    message.version_max = h.version_max;
    message.software = text_of(h.software, WIRE_SOFTWARE_MAX);
    message.nonce = (ProtobufCBinaryData){.len = NONCE, .data = h.nonce};
    message.terms = &terms;
    Tally__Agreement agreement = TALLY__AGREEMENT__INIT;
    ProtobufCBinaryData signatures[2];
    put_agreement(&agreement, &h.agreement, signatures);
    if (h.has_agreement)
        message.agreement = &agreement;
    if (h.signs)
        message.signing_key = (ProtobufCBinaryData){.len = KEY, .data = h.signing_key32};
    message.keeps_ledger = h.keeps_ledger != 0;

    /* At most 80 texts of 64 bytes, 264 edges and 32 ends of ranges of 10 bytes, 1 KiB of agreement, some
     * numbers and tags: below WIRE_HELLO1_MAX. */
    size_t size = tally__hello1__get_packed_size(&message);
    PSI_CHECK(size <= WIRE_HELLO1_MAX);
    uint8_t *buffer = psi_calloc(size, 1);
    if (!buffer)
        return TALLY_ERR_NO_MEMORY;
    *len = tally__hello1__pack(&message, buffer);
    *out = buffer;
    return TALLY_OK;
}

/* NULL, or what is wrong with the columns; out->role is known. */
static const char *take_columns(wire_terms *out, const Tally__Terms *in)
{
    int sender = strcmp(out->role, "sender") == 0;
    if (in->n_columns > WIRE_COLUMNS_MAX)
        return "hello 1: there must be at most 32 columns";
    for (size_t i = 0; i < in->n_columns; i++) {
        const Tally__Column *c = in->columns[i];
        wire_column *to = &out->columns[i];
        if (!take_name(to->name, &c->name))
            return "hello 1: the name of a column must be 1 to 64 bytes of printable UTF-8";
        if (sender ? c->width < 1 || c->width > WIRE_WIDTH_MAX : c->width != 0)
            return "hello 1: the width of an offered column must be 1 to 1024, of a wanted one 0";
        to->width = c->width;
        for (size_t k = 0; k < i; k++)
            if (strcmp(out->columns[k].name, to->name) == 0)
                return "hello 1: a column is named twice";
    }
    if (in->n_columns ? in->rows_per_person < 1 || in->rows_per_person > WIRE_ROWS_MAX
                      : in->rows_per_person != 0)
        return "hello 1: rows_per_person must be 1 to 64 with columns, 0 without";
    out->column_count = in->n_columns;
    out->rows_per_person = in->rows_per_person;
    return NULL;
}

/* NULL, or what is wrong with the terms. */
static const char *take_terms(wire_terms *out, const Tally__Terms *in)
{
    if (!in)
        return "hello 1: the terms are missing";
    if (!take_text(out->role, WIRE_NAME_MAX, &in->role))
        return "hello 1: role must be 1 to 64 printable ASCII characters";
    if (!take_text(out->function, WIRE_NAME_MAX, &in->function))
        return "hello 1: function must be 1 to 64 printable ASCII characters";
    if (!take_text(out->protocol, WIRE_NAME_MAX, &in->protocol))
        return "hello 1: protocol must be 1 to 64 printable ASCII characters";
    if (!take_text(out->security, WIRE_NAME_MAX, &in->security))
        return "hello 1: security must be 1 to 64 printable ASCII characters";
    if (!take_text(out->reveal, WIRE_NAME_MAX, &in->reveal))
        return "hello 1: reveal must be 1 to 64 printable ASCII characters";
    if (in->n_keys < 1 || in->n_keys > WIRE_KEYS_MAX)
        return "hello 1: there must be 1 to 8 keys";
    for (size_t i = 0; i < in->n_keys; i++)
        if (!take_text(out->keys[i], WIRE_NAME_MAX, &in->keys[i]))
            return "hello 1: each key must be 1 to 64 printable ASCII characters";
    out->key_count = in->n_keys;
    const char *wrong = take_columns(out, in);
    return wrong ? wrong : take_aggregate(out, in);
}

/* NULL, or what is wrong with the message. */
static const char *take_hello1(wire_hello1 *out, const Tally__Hello1 *in)
{
    if (in->version_min < 1 || in->version_min > in->version_max || in->version_max > VERSION_LIMIT)
        return "hello 1: versions must be 1 <= version_min <= version_max <= 65535";
    out->version_min = in->version_min;
    out->version_max = in->version_max;
    if (!take_text(out->software, WIRE_SOFTWARE_MAX, &in->software))
        return "hello 1: software must be 1 to 64 printable ASCII characters";
    if (in->nonce.len != NONCE)
        return "hello 1: nonce must be 32 bytes";
    memcpy(out->nonce, in->nonce.data, NONCE);
    if (in->signing_key.len && in->signing_key.len != KEY)
        return "hello 1: signing_key must be 32 bytes or none";
    out->signs = in->signing_key.len == KEY;
    if (out->signs)
        memcpy(out->signing_key32, in->signing_key.data, KEY);
    out->keeps_ledger = in->keeps_ledger;
    const char *wrong = in->agreement ? take_agreement(&out->agreement, in->agreement) : NULL;
    out->has_agreement = in->agreement != NULL;
    return wrong ? wrong : take_terms(&out->terms, in->terms);
}

tally_status wire_hello1_parse(wire_hello1 *out, const uint8_t *in, size_t len, const char **why)
{
    if (len > WIRE_HELLO1_MAX) {
        *why = "hello 1: longer than 16384 bytes";
        return TALLY_ERR_MALFORMED;
    }
    wire_budget b;
    wire_budget_init(&b);
    Tally__Hello1 *message = tally__hello1__unpack(&b.allocator, len, in);
    if (!message)
        return wire_budget_failed(&b, why, "hello 1: too many fields",
                                  "hello 1: not a protocol buffer of this kind");
    wire_hello1 hello = {.version_min = 0};
    const char *wrong = take_hello1(&hello, message);
    tally__hello1__free_unpacked(message, &b.allocator);
    if (wrong) {
        *why = wrong;
        return TALLY_ERR_MALFORMED;
    }
    *out = hello;
    return TALLY_OK;
}

/* ---- Hello 2 ----------------------------------------------------------------------------------------- */

tally_status wire_hello2_build(const wire_hello2 *hello, uint8_t **out, size_t *len)
{
    wire_hello2 h = *hello;
    PSI_CHECK(h.items <= WIRE_ITEMS_MAX);
    Tally__Hello2 message = TALLY__HELLO2__INIT;
    message.items = h.items;
    message.commitment = (ProtobufCBinaryData){.len = COMMITMENT, .data = h.commitment};
    PSI_CHECK(h.batch_count <= WIRE_EDGES_MAX);
    message.n_batches = h.batch_count;
    message.batches = h.batches;
    uint8_t *buffer = psi_calloc(tally__hello2__get_packed_size(&message), 1);
    if (!buffer)
        return TALLY_ERR_NO_MEMORY;
    *len = tally__hello2__pack(&message, buffer);
    *out = buffer;
    return TALLY_OK;
}

/* Identifiers of each batch, that add up to the list. */
static const char *take_batches(wire_hello2 *out, const Tally__Hello2 *in)
{
    uint64_t sum = 0;
    if (in->n_batches > WIRE_EDGES_MAX)
        return "hello 2: there must be at most 33 batches";
    for (size_t i = 0; i < in->n_batches; i++) {
        if (in->batches[i] > in->items - sum)
            return "hello 2: the batches do not add up to the list";
        sum += in->batches[i];
        out->batches[i] = in->batches[i];
    }
    if (in->n_batches && sum != in->items)
        return "hello 2: the batches do not add up to the list";
    out->batch_count = in->n_batches;
    return NULL;
}

tally_status wire_hello2_parse(wire_hello2 *out, const uint8_t *in, size_t len, const char **why)
{
    if (len > WIRE_HELLO2_MAX) {
        *why = "hello 2: longer than 1024 bytes";
        return TALLY_ERR_MALFORMED;
    }
    wire_budget b;
    wire_budget_init(&b);
    Tally__Hello2 *message = tally__hello2__unpack(&b.allocator, len, in);
    if (!message)
        return wire_budget_failed(&b, why, "hello 2: too many fields",
                                  "hello 2: not a protocol buffer of this kind");
    wire_hello2 hello = {.items = message->items};
    const char *wrong = NULL;
    if (message->items > WIRE_ITEMS_MAX)
        wrong = "hello 2: items is above 2^30";
    else if (message->commitment.len != COMMITMENT)
        wrong = "hello 2: commitment must be 32 bytes";
    else
        wrong = take_batches(&hello, message);
    if (!wrong)
        memcpy(hello.commitment, message->commitment.data, COMMITMENT);
    tally__hello2__free_unpacked(message, &b.allocator);
    if (wrong) {
        *why = wrong;
        return TALLY_ERR_MALFORMED;
    }
    *out = hello;
    return TALLY_OK;
}

/* ---- Versions ---------------------------------------------------------------------------------------- */

uint32_t wire_version_pick(uint32_t min_a, uint32_t max_a, uint32_t min_b, uint32_t max_b)
{
    uint32_t low = min_a > min_b ? min_a : min_b, high = max_a < max_b ? max_a : max_b;
    return low <= high ? high : 0;
}
