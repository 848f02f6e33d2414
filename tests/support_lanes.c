/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support_lanes.h"

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

static inline lanes lanes_load(const int64_t *p)
{
    EACH((uint64_t)p[l]);
}

static inline void lanes_store(int64_t *p, lanes x)
{
    memcpy(p, x.v, sizeof x.v);
}

static inline lanes lanes_set(int64_t x)
{
    EACH((uint64_t)x);
}

static inline lanes lanes_add(lanes a, lanes b)
{
    EACH(a.v[l] + b.v[l]);
}

static inline lanes lanes_sub(lanes a, lanes b)
{
    EACH(a.v[l] - b.v[l]);
}

static inline lanes lanes_and(lanes a, lanes b)
{
    EACH(a.v[l] & b.v[l]);
}

static inline lanes lanes_mul(lanes a, lanes b)
{
    EACH((uint64_t)((int64_t)(int32_t)(uint32_t)a.v[l] * (int32_t)(uint32_t)b.v[l]));
}

static inline lanes lanes_high(lanes x)
{
    EACH(x.v[l] >> 32);
}

static inline lanes lanes_down(lanes x)
{
    EACH((uint64_t)((int64_t)x.v[l] >> 32));
}

static inline lanes lanes_sign(lanes x)
{
    EACH(0 - (x.v[l] >> 63));
}

static inline void lanes_split(lanes a, lanes b, size_t t, lanes *u, lanes *w)
{
    for (size_t l = 0; l < LANES; l++) {
        u->v[l] = l & t ? b.v[l - t] : a.v[l];
        w->v[l] = l & t ? b.v[l] : a.v[l + t];
    }
}

#include "psi/rlwe_lanes.h"

const psi_rlwe_backend unit_lanes8 = LANES_BACKEND("eight lanes in C");

size_t unit_rings(const psi_rlwe_backend *out[UNIT_RINGS_MAX])
{
    size_t count;
    const psi_rlwe_backend *const *all = psi_rlwe_rings(&count);
    for (size_t i = 0; i < count; i++)
        out[i] = all[i];
    unit_lanes8.prepare();
    out[count] = &unit_lanes8;
    return count + 1;
}
