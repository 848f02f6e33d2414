/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a list of made-up people or companies as CSV to standard output; `lists --help` has the options.
 * Entry i of a kind is the same on every side and for every seed, so a known range of entries is a known
 * overlap, and --only writes the rows that a plain join over it gives. The seed decides the order of the rows
 * and how each is spelled. Memory does not grow with the list.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAYS 25567u /* 1940-01-01 .. 2009-12-31 */
#define REGIONS 3000u
#define PEOPLE (REGIONS * (uint64_t)DAYS * 1000)
#define COMPANIES (REGIONS * (uint64_t)887503681) /* 31^6 numbers in a region */
#define PERCENT 10000u                            /* shares are in millionths; this many are one percent */
#define SPELLING_MAX 192

static const char usage[] =
    "usage: lists --count N [options]\n"
    "  --first N        number of the first entry (0); entries N .. N + count - 1\n"
    "  --count N        number of different entries\n"
    "  --seed N         order of the rows and their spellings (1)\n"
    "  --kind KIND      person (default): id_number is a resident id; company: credit_code is a unified "
    "credit code\n"
    "  --messy P%       share of the rows whose number is spelled in another way\n"
    "  --duplicates P%  for this share of the entries a second row, with a spelling and amounts of its own\n"
    "  --rejects P%     for this share of the entries another row, with a number that is not valid\n"
    "  --only A..B      only rows of the entries A .. B - 1 with a valid number: what a plain join gives\n"
    "  --totals         instead of the rows: number of entries and of rows, and the sum of each column of "
    "amounts\n";

typedef struct options {
    uint64_t first, count, seed, only_first, only_end;
    uint64_t messy, duplicates, rejects; /* millionths */
    int company, totals;
} options;

static _Noreturn void die(const char *option, const char *why)
{
    fprintf(stderr, "lists: %s: %s; see lists --help\n", option, why);
    exit(1);
}

/* ---- Numbers that look random ---- */

__extension__ typedef unsigned __int128 wide;

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

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

/* The finalizer of SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* What decides about one row: one draw for each purpose. */
enum purpose { MESSY = 1, WHICH_SPELLING, DUPLICATE, REJECT, WHICH_REJECT };

static uint64_t draw(const options *o, uint64_t entry, unsigned copy, enum purpose purpose)
{
    return mix(mix(mix(o->seed * 0x9e3779b97f4a7c15u + entry) + copy) + purpose);
}

static int falls_in(uint64_t drawn, uint64_t share)
{
    return drawn % (100 * PERCENT) < share;
}

/* ---- Valid numbers ---- */

/* Civil date of day d counted from 1970-01-01 (d may be negative). */
static void date_text(long d, char out[9])
{
    time_t t = (time_t)d * 86400;
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(out, 9, "%Y%m%d", &tm);
}

/* GB 11643-1999: region, date of birth, number of the day, check character. */
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

/* GB 32100-2015: 91 (a company), region, organisation code (GB 11714-1997), check character. */
static void credit_code(uint64_t company, char out[19])
{
    static const char alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    static const int weights[8] = {3, 7, 9, 10, 5, 8, 4, 2};
    uint64_t x = permute(company, 48271999997u, 11400714819u, COMPANIES);
    snprintf(out, 19, "91%06" PRIu64 "MA", 110100 + x % REGIONS);
    x /= REGIONS;
    for (int i = 15; i >= 10; i--, x /= 31)
        out[i] = alphabet[x % 31];
    int sum = 0;
    for (int i = 0; i < 8; i++) {
        char c = out[8 + i];
        sum += (c <= '9' ? c - '0' : c - 'A' + 10) * weights[i];
    }
    out[16] = "0X987654321"[sum % 11];
    sum = 0;
    for (int i = 0, weight = 1; i < 17; i++, weight = weight * 3 % 31)
        sum += (int)(strchr(alphabet, out[i]) - alphabet) * weight;
    out[17] = alphabet[(31 - sum % 31) % 31];
    out[18] = 0;
}

/* ---- Other spellings, and numbers that are not valid ---- */

static void lower_case(char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
}

/* U+FF10 + digit and so on: ASCII plus 0xFEE0, three bytes of UTF-8. */
static void full_width(const char *number, size_t from, char *out)
{
    memcpy(out, number, from);
    out += from;
    for (number += from; *number; number++) {
        unsigned point = (unsigned char)*number + 0xfee0u;
        *out++ = (char)(0xe0 | point >> 12);
        *out++ = (char)(0x80 | (point >> 6 & 0x3f));
        *out++ = (char)(0x80 | (point & 0x3f));
    }
    *out = 0;
}

static void other_spelling(const options *o, const char number[19], uint64_t drawn, char out[SPELLING_MAX])
{
    static const char wide_blank[] = "\xe3\x80\x80", no_break[] = "\xc2\xa0";
    unsigned which = (unsigned)(drawn % 8);
    int fifteen = !o->company && memcmp(number + 6, "19", 2) == 0;
    switch (which) {
    case 0: /* the older 15 digits, where the person has them */
        if (fifteen)
            snprintf(out, SPELLING_MAX, "%.6s%.9s", number, number + 8);
        else
            snprintf(out, SPELLING_MAX, " %s", number);
        break;
    case 1:
        full_width(number, 0, out);
        break;
    case 2: /* typed in two ways */
        full_width(number, 6 + (size_t)(drawn >> 8) % 12, out);
        break;
    case 3:
        snprintf(out, SPELLING_MAX, "%.6s %.8s %s", number, number + 6, number + 14);
        break;
    case 4:
        snprintf(out, SPELLING_MAX, " %s\t", number);
        break;
    case 5:
        snprintf(out, SPELLING_MAX, "%s%.6s%s%s", wide_blank, number, no_break, number + 6);
        break;
    case 6:
        snprintf(out, SPELLING_MAX, "'%s", number);
        break;
    default:
        snprintf(out, SPELLING_MAX, "%s ", number);
        break;
    }
    if (drawn >> 16 & 1 || which == 7)
        lower_case(out); /* letters in full width stay: they are no ASCII */
}

static void not_valid(const options *o, const char number[19], uint64_t drawn, char out[SPELLING_MAX])
{
    switch (drawn % (o->company ? 3 : 4)) {
    case 0: /* another check character, a digit: never two X, which would be masked */
        snprintf(out, SPELLING_MAX, "%.17s%c", number, number[17] == '7' ? '4' : '7');
        break;
    case 1:
        snprintf(out, SPELLING_MAX, "%.6s********%s", number, number + 14);
        break;
    case 2:
        snprintf(out, SPELLING_MAX, "%c.%.5sE+17", number[0], number + 1);
        break;
    default: /* one digit short */
        snprintf(out, SPELLING_MAX, "%.17s", number);
        break;
    }
}

/* ---- Rows ---- */

static const char *const given_names[][2] = {{"Wei", "伟"},  {"Fang", "芳"}, {"Na", "娜"},    {"Min", "敏"},
                                             {"Jing", "静"}, {"Lei", "磊"},  {"Qiang", "强"}, {"Yan", "艳"},
                                             {"Jun", "军"},  {"Xia", "霞"}};
static const char *const family_names[][2] = {
    {"Wang", "王"}, {"Li", "李"},   {"Zhang", "张"}, {"Liu", "刘"},  {"Chen", "陈"},
    {"Yang", "杨"}, {"Zhao", "赵"}, {"Huang", "黄"}, {"Zhou", "周"}, {"Wu", "吴"}};
static const char *const trades[] = {"商贸", "科技", "建筑", "食品", "物流"};

#define COLUMNS 4 /* amount_fen, score, days, balance_fen */

static void amounts(uint64_t entry, unsigned copy, uint64_t out[COLUMNS])
{
    uint64_t x = entry + copy * 1000003u;
    out[0] = x * 7919 % 5000000;
    out[1] = 350 + x * 31 % 600;
    out[2] = x * 17 % 3650;
    out[3] = x * 104729 % 100000000;
}

typedef struct totals {
    uint64_t entries, rows, sums[COLUMNS];
} totals;

static void row(const options *o, uint64_t entry, unsigned copy, const char *spelling, totals *t)
{
    uint64_t v[COLUMNS];
    amounts(entry, copy, v);
    t->entries += copy == 0;
    t->rows++;
    for (size_t i = 0; i < COLUMNS; i++)
        t->sums[i] += v[i];
    if (o->totals)
        return;
    const char *const *family = family_names[entry / 10 % 10], *const *given = given_names[entry % 10];
    char name[64];
    if (o->company)
        snprintf(name, sizeof name, "%s%s%s有限公司", family[1], given[1], trades[entry / 100 % 5]);
    else if (entry & 1)
        snprintf(name, sizeof name, "%s%s", family[1], given[1]);
    else
        snprintf(name, sizeof name, "\"%s, %s\"", family[0], given[0]);
    printf("%s,%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n", spelling, name, v[0], v[1], v[2], v[3]);
}

static void rows_of(const options *o, uint64_t entry, totals *t)
{
    char number[19], spelling[SPELLING_MAX];
    if (o->company)
        credit_code(entry, number);
    else
        resident_id(entry, number);
    int wanted = entry >= o->only_first && entry < o->only_end;
    unsigned copies = 1 + (unsigned)falls_in(draw(o, entry, 0, DUPLICATE), o->duplicates);
    for (unsigned copy = 0; wanted && copy < copies; copy++) {
        if (falls_in(draw(o, entry, copy, MESSY), o->messy)) {
            other_spelling(o, number, draw(o, entry, copy, WHICH_SPELLING), spelling);
            row(o, entry, copy, spelling, t);
        } else {
            row(o, entry, copy, number, t);
        }
    }
    int all = o->only_first == 0 && o->only_end == UINT64_MAX;
    if (all && !o->totals && falls_in(draw(o, entry, 0, REJECT), o->rejects)) {
        not_valid(o, number, draw(o, entry, 0, WHICH_REJECT), spelling);
        row(o, entry, 0, spelling, t);
    }
}

/* ---- Options ---- */

static uint64_t number_of(const char *option, const char *text, char **end)
{
    errno = 0;
    uint64_t n = strtoull(text, end, 10);
    if (errno || *end == text || *text == '-')
        die(option, "not a whole number");
    return n;
}

static uint64_t whole(const char *option, const char *text)
{
    char *end;
    uint64_t n = number_of(option, text, &end);
    if (*end)
        die(option, "not a whole number");
    return n;
}

static uint64_t share(const char *option, const char *text)
{
    char *end;
    double percent = strtod(text, &end);
    if (end == text || strcmp(end, "%") != 0 || !(percent >= 0 && percent <= 100))
        die(option, "not a share such as 5% (0% to 100%)");
    return (uint64_t)(percent * PERCENT + 0.5);
}

static void range(options *o, const char *text)
{
    char *end;
    o->only_first = number_of("--only", text, &end);
    if (strncmp(end, "..", 2) != 0)
        die("--only", "not a range such as 100..200");
    o->only_end = whole("--only", end + 2);
}

static options parse(int argc, char **argv)
{
    enum { FIRST, COUNT, SEED, KIND, MESSY_SHARE, DUPLICATES, REJECTS, ONLY, TOTALS, HELP };
    static const struct option known[] = {{"first", 1, NULL, FIRST},
                                          {"count", 1, NULL, COUNT},
                                          {"seed", 1, NULL, SEED},
                                          {"kind", 1, NULL, KIND},
                                          {"messy", 1, NULL, MESSY_SHARE},
                                          {"duplicates", 1, NULL, DUPLICATES},
                                          {"rejects", 1, NULL, REJECTS},
                                          {"only", 1, NULL, ONLY},
                                          {"totals", 0, NULL, TOTALS},
                                          {"help", 0, NULL, HELP},
                                          {NULL, 0, NULL, 0}};
    options o = {.seed = 1, .only_end = UINT64_MAX, .count = UINT64_MAX};
    int c;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case FIRST:
            o.first = whole("--first", optarg);
            break;
        case COUNT:
            o.count = whole("--count", optarg);
            break;
        case SEED:
            o.seed = whole("--seed", optarg);
            break;
        case KIND:
            if (strcmp(optarg, "person") != 0 && strcmp(optarg, "company") != 0)
                die("--kind", "person or company");
            o.company = optarg[0] == 'c';
            break;
        case MESSY_SHARE:
            o.messy = share("--messy", optarg);
            break;
        case DUPLICATES:
            o.duplicates = share("--duplicates", optarg);
            break;
        case REJECTS:
            o.rejects = share("--rejects", optarg);
            break;
        case ONLY:
            range(&o, optarg);
            break;
        case TOTALS:
            o.totals = 1;
            break;
        case HELP:
            fputs(usage, stdout);
            exit(fflush(stdout) || ferror(stdout));
        default:
            fputs(usage, stderr);
            exit(1);
        }
    }
    if (optind < argc)
        die(argv[optind], "not an option");
    if (o.count == UINT64_MAX)
        die("--count", "is missing");
    uint64_t most = o.company ? COMPANIES : PEOPLE;
    if (o.count > most || o.first > most - o.count)
        die("--first and --count", "there are not that many entries of this kind");
    return o;
}

int main(int argc, char **argv)
{
    options o = parse(argc, argv);
    totals t = {0};
    uint64_t a = o.count ? coprime(o.count / 3 * 2 + 7919 + 2 * (o.seed % 1000000007), o.count) : 1;
    uint64_t b = o.seed * 104729;
    if (!o.totals)
        printf("%s,name,amount_fen,score,days,balance_fen\n", o.company ? "credit_code" : "id_number");
    for (uint64_t i = 0; i < o.count; i++)
        rows_of(&o, o.first + permute(i, a, b, o.count), &t);
    if (o.totals)
        printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", t.entries, t.rows,
               t.sums[0], t.sums[1], t.sums[2], t.sums[3]);
    return fflush(stdout) || ferror(stdout);
}
