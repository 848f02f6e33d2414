/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a list of made-up people as CSV to standard output: valid resident ids (GB 11643), names, amounts.
 * Person i is the same for every seed and side, so a known range of persons is a known overlap; rows come in
 * an order of their own for each seed. Usage: lists FIRST COUNT [SEED]      persons FIRST .. FIRST + COUNT -
 * 1
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DAYS 25567u /* 1940-01-01 .. 2009-12-31 */
#define REGIONS 3000u
#define PEOPLE (REGIONS * (uint64_t)DAYS * 1000)

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

__extension__ typedef unsigned __int128 wide;

/* x -> (a x + b) mod m is a permutation of 0..m-1 when a and m have no common factor. */
static uint64_t permute(uint64_t x, uint64_t a, uint64_t b, uint64_t m)
{
    return (uint64_t)(((wide)x * a + b) % m);
}

static uint64_t coprime(uint64_t start, uint64_t m)
{
    while (gcd(start, m) != 1)
        start++;
    return start;
}

/* Civil date of day d counted from 1970-01-01 (d may be negative). */
static void date_text(long d, char out[9])
{
    time_t t = (time_t)d * 86400;
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(out, 9, "%Y%m%d", &tm);
}

static void resident_id(uint64_t person, char out[19])
{
    static const int weights[17] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
    uint64_t x = permute(person, 48271999997u, 11400714819u, PEOPLE);
    char date[9];
    date_text((long)(x / 1000 % DAYS) - 10957, date); /* 10957 days from 1940-01-01 to 1970-01-01 */
    snprintf(out, 19, "%06" PRIu64 "%s%03" PRIu64, 110100 + x / 1000 / DAYS, date, x % 1000);
    int sum = 0;
    for (int i = 0; i < 17; i++)
        sum += (out[i] - '0') * weights[i];
    out[17] = "10X98765432"[sum % 11];
    out[18] = 0;
}

int main(int argc, char **argv)
{
    static const char *const given[] = {"Wei", "Fang",  "Na",  "Min", "Jing",
                                        "Lei", "Qiang", "Yan", "Jun", "Xia"};
    static const char *const family[] = {"Wang", "Li",   "Zhang", "Liu",  "Chen",
                                         "Yang", "Zhao", "Huang", "Zhou", "Wu"};
    if (argc < 3) {
        fprintf(stderr, "usage: lists FIRST COUNT [SEED]\n");
        return 1;
    }
    uint64_t first = strtoull(argv[1], NULL, 10), count = strtoull(argv[2], NULL, 10);
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    uint64_t a = count ? coprime(count / 3 * 2 + 7919 + 2 * seed, count) : 1;
    printf("id_number,name,amount_fen,score\n");
    for (uint64_t i = 0; i < count; i++) {
        char id[19];
        uint64_t person = first + permute(i, a, seed * 104729, count);
        resident_id(person, id);
        printf("%s,\"%s, %s\",%" PRIu64 ",%" PRIu64 "\n", id, family[person / 10 % 10], given[person % 10],
               person * 7919 % 5000000, 350 + person * 31 % 600);
    }
    return fflush(stdout) || ferror(stdout);
}
