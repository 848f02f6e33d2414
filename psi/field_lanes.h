/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in bytes through the field of psi/curve_lanes.h: the table psi_field_backend, for tests and
 * benchmarks. Included by psi/group_lanes.h, whose loads and stores it uses. */
static void number_load(field *r, const uint8_t (*in)[32], size_t n)
{
    lanes w[4];
    words_load(w, in[0], 32, n);
    *r = field_from_words(w);
}

static void number_store(uint8_t (*out)[32], const field *a, size_t n)
{
    lanes w[4];
    field_to_words(w, a);
    words_store(out[0], w, n);
}

static void number_mix(uint8_t (*out)[32], const uint8_t (*in_a)[32], const uint8_t (*in_b)[32],
                       const uint8_t (*in_c)[32], size_t n)
{
    for (size_t at = 0; at < n; at += LANES) {
        field a, b, c, sum, difference, r;
        number_load(&a, in_a + at, group_left(n, at));
        number_load(&b, in_b + at, group_left(n, at));
        number_load(&c, in_c + at, group_left(n, at));
        sum = field_add(&a, &b);
        difference = field_subtract(&b, &c);
        field_wide x = field_multiply_wide(&sum, &c, 1), y = field_multiply_wide(&difference, &a, 0),
                   z = field_square_wide(&b, 0);
        x = field_wide_subtract(&x, &y);
        x = field_wide_add(&x, &z);
        r = field_reduce(&x, 1);
        number_store(out + at, &r, group_left(n, at));
    }
}

static void number_add(uint8_t (*out)[32], const uint8_t (*in_a)[32], const uint8_t (*in_b)[32], size_t n)
{
    for (size_t at = 0; at < n; at += LANES) {
        field a, b;
        number_load(&a, in_a + at, group_left(n, at));
        number_load(&b, in_b + at, group_left(n, at));
        a = field_add(&a, &b);
        number_store(out + at, &a, group_left(n, at));
    }
}

static void number_subtract(uint8_t (*out)[32], const uint8_t (*in_a)[32], const uint8_t (*in_b)[32],
                            size_t n)
{
    for (size_t at = 0; at < n; at += LANES) {
        field a, b;
        number_load(&a, in_a + at, group_left(n, at));
        number_load(&b, in_b + at, group_left(n, at));
        a = field_subtract(&a, &b);
        a = field_tighten(&a);
        number_store(out + at, &a, group_left(n, at));
    }
}

static void number_multiply(uint8_t (*out)[32], const uint8_t (*in_a)[32], const uint8_t (*in_b)[32],
                            size_t n)
{
    for (size_t at = 0; at < n; at += LANES) {
        field a, b;
        number_load(&a, in_a + at, group_left(n, at));
        number_load(&b, in_b + at, group_left(n, at));
        field_multiply(&a, &a, &b);
        number_store(out + at, &a, group_left(n, at));
    }
}

static void number_square(uint8_t (*out)[32], const uint8_t (*in)[32], size_t n, unsigned count)
{
    for (size_t at = 0; at < n; at += LANES) {
        field a;
        number_load(&a, in + at, group_left(n, at));
        field_square(&a, &a, count);
        number_store(out + at, &a, group_left(n, at));
    }
}

static void number_invert(uint8_t (*out)[32], const uint8_t (*in)[32], size_t n)
{
    for (size_t at = 0; at < n; at += LANES) {
        field a;
        number_load(&a, in + at, group_left(n, at));
        field_invert(&a, &a);
        number_store(out + at, &a, group_left(n, at));
    }
}

static void number_sqrt_ratio(uint8_t (*out)[32], uint8_t *was_square, const uint8_t (*in_u)[32],
                              const uint8_t (*in_v)[32], size_t n)
{
    for (size_t at = 0; at < n; at += LANES) {
        field u[1], v[1], r[1];
        lanes square[1];
        uint64_t each[LANES];
        number_load(&u[0], in_u + at, group_left(n, at));
        number_load(&v[0], in_v + at, group_left(n, at));
        field_sqrt_ratio(square, r, u, v, 1);
        lanes_store(each, square[0]);
        number_store(out + at, &r[0], group_left(n, at));
        for (size_t i = 0; i < group_left(n, at); i++)
            was_square[at + i] = (uint8_t)(each[i] & 1);
    }
}

static void number_encode_doubles(psi_point *out, const uint8_t (*in_x)[32], const uint8_t (*in_y)[32],
                                  const uint8_t (*in_z)[32], const uint8_t (*in_t)[32], size_t n)
{
    group_work w;
    for (size_t at = 0; at < n; at += LANES) {
        point *p = &w.points[at / LANES];
        number_load(&p->x, in_x + at, group_left(n, at));
        number_load(&p->y, in_y + at, group_left(n, at));
        number_load(&p->z, in_z + at, group_left(n, at));
        number_load(&p->t, in_t + at, group_left(n, at));
    }
    memset(w.good, 0, sizeof w.good); /* not asked for */
    batch_encode(&w, out, n);
}

static const psi_field_backend group_field = {.mix = number_mix,
                                              .add = number_add,
                                              .subtract = number_subtract,
                                              .multiply = number_multiply,
                                              .square = number_square,
                                              .invert = number_invert,
                                              .sqrt_ratio = number_sqrt_ratio,
                                              .encode_doubles = number_encode_doubles};
