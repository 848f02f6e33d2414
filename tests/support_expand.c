/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support_expand.h"

#include <string.h>

#define LANES 8
#define LANES_TARGET
#define LANES_SHORT

typedef struct lanes {
    uint64_t v[LANES];
} lanes;

#define EACH(expression)                                                                                     \
    lanes r;                                                                                                 \
    for (unsigned l = 0; l < LANES; l++)                                                                     \
        r.v[l] = (expression);                                                                               \
    return r

static inline lanes lanes_load(const uint64_t *p)
{
    EACH(p[l]);
}

static inline void lanes_store(uint64_t *p, lanes x)
{
    memcpy(p, x.v, sizeof x.v);
}

static inline lanes lanes_set(uint64_t x)
{
    EACH(x);
}

static inline lanes lanes_add(lanes a, lanes b)
{
    EACH(a.v[l] + b.v[l]);
}

static inline lanes lanes_xor3(lanes a, lanes b, lanes c)
{
    EACH(a.v[l] ^ b.v[l] ^ c.v[l]);
}

static inline lanes lanes_choose(lanes a, lanes b, lanes c)
{
    EACH((a.v[l] & b.v[l]) | (~a.v[l] & c.v[l]));
}

static inline lanes lanes_majority(lanes a, lanes b, lanes c)
{
    EACH((a.v[l] & b.v[l]) | (a.v[l] & c.v[l]) | (b.v[l] & c.v[l]));
}

static inline lanes lanes_right(lanes x, unsigned n)
{
    EACH(x.v[l] >> n);
}

static inline lanes lanes_rotate(lanes x, unsigned n)
{
    EACH(x.v[l] >> n | x.v[l] << (64 - n));
}

#define LANES_RIGHT lanes_right
#define LANES_ROTATE lanes_rotate

#include "psi/expand_lanes.h"

static const psi_expand_backend lanes8 = {.name = "eight lanes in C", .many = lanes_many};

size_t unit_expands(const psi_expand_backend *out[UNIT_EXPANDS_MAX])
{
    size_t count;
    const psi_expand_backend *const *all = psi_expand_backends(&count);
    for (size_t i = 0; i < count; i++)
        out[i] = all[i];
    out[count] = &lanes8;
    return count + 1;
}
