/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libtally: two-party private set intersection.
 *
 * Conventions
 * - Arguments: the handle, then inputs (each length follows its buffer), then outputs, then the error. A
 * callback is followed by the user pointer that it gets first.
 * - Returns: a function that can fail returns a tally_status, TALLY_OK (0) or a negative TALLY_ERR_ code, and
 * nothing else; tally_session_step alone also TALLY_IN_PROGRESS (1). On failure outputs are untouched, or
 * wiped where the text says so; a failed run leaves no output file. A yes or no is an int, 1 or 0.
 * - Errors: if the caller gave a tally_error, a failed call fills it: the status, one sentence (what, where)
 * and a hint (what to do), never a key, an identifier or a masked item. tally_session_error has the last one
 * of a session, also where none was given.
 * - NULL is allowed for the error, for an optional output or callback, and in _free; elsewhere only where the
 * text says so. Other arguments that break a contract (a freed handle, a length that is not the buffer's) are
 * not checked.
 * - Aliasing: outputs, inputs and the error are different objects.
 * - Handles are opaque, made by _new, _load, _open or _create and released by _free. What a session borrows
 * (identity, input, agreement, ledger, transport, calibration) outlives it. Strings are UTF-8 with a zero at
 * their end and copied by the call unless the text says otherwise. A text the library returns as char * is
 * released with free(), a const char * lives as long as its handle.
 * - Threads: a handle belongs to one thread at a time, a ledger's excepted. tally_session_cancel may be
 * called from any thread and from a signal handler until the session is freed. Any number of sessions may run
 * at once, and share an identity, an agreement, a calibration that nobody changes, and a ledger; an input
 * belongs to one run at a time.
 * - Callbacks: one at a time for a session, from the thread that called tally_session_run or
 * tally_session_step. What they are given lives until they return. From one, of its own session only
 * tally_session_cancel may be called; to run, start or step it is TALLY_ERR_USAGE, to free it only cancels
 * it. Other handles are free to use. Callbacks must not throw, longjmp or end the thread. A match or columns
 * callback that returns not 0 stops the run: TALLY_ERR_INTERRUPTED, no output file.
 * - Fork: sessions and ledgers belong to the process that made them. In a child, to run, start or step such a
 * session and to use such a ledger is TALLY_ERR_USAGE, to cancel does nothing, and to free is allowed (a
 * started session and a ledger are left as they are). Identities, agreements, and inputs may be used. Fork
 * while no other thread is in a call of the library, or exec at once in the child. Random numbers do not
 * repeat: each comes from the system, or from a stream that one run has keyed from it.
 * - The process: the library prints nothing, raises no SIGPIPE, installs no signal handlers, ends no process,
 * changes neither locale, umask, folder nor environment, and uses an OpenSSL context of its own. Of the
 * environment it reads TALLY_BACKEND, and TMPDIR for a list that comes or a result that goes through a pipe.
 * - Memory: tally_set_allocator gives the library another allocator, tally_session_set_memory_limit a session
 * its limit. Short memory is TALLY_ERR_NO_MEMORY, never the end of the process.
 * - Secret: the private keys of an identity and everything read from an input. Memory for keys is wiped on
 * release.
 */
#ifndef TALLY_H
#define TALLY_H

#include "tally-status.h"
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TALLY_VERSION_MAJOR 0
#define TALLY_VERSION_MINOR 1
#define TALLY_VERSION_PATCH 0
#define TALLY_VERSION "0.1.0"
/* One number that grows with the version, to compare: 0.1.0 is 100. */
#define TALLY_VERSION_NUMBER (TALLY_VERSION_MAJOR * 10000 + TALLY_VERSION_MINOR * 100 + TALLY_VERSION_PATCH)

#if defined(__GNUC__)
#define TALLY_API __attribute__((visibility("default")))
#else
#define TALLY_API
#endif

/* Version of the library in use, such as "0.1.0". */
TALLY_API const char *tally_version(void);
/* The same as TALLY_VERSION_NUMBER has it. A library fits a program that was compiled against an older or
 * equal version with the same major, and while that is 0 the same minor number. */
TALLY_API uint32_t tally_version_number(void);
/* Versions of Tally, of the wire protocol and of the libraries in use, and the chosen backends, as one JSON
   object. The caller releases it with free(). NULL when memory is short. */
TALLY_API char *tally_version_json(void);
/* English name of a status, such as "network"; "unknown" for a number outside the enum. */
TALLY_API const char *tally_status_name(tally_status status);
/* Exit status a command should end with for this status: 0, 1..11 or 70 (docs/exit-status.md). */
TALLY_API int tally_exit_status(tally_status status);

typedef struct tally_error {
    tally_status status;
    char message[512]; /* what went wrong and where, one line, lower case, no full stop */
    char hint[384];    /* what to do about it, or empty */
    /* The same in the language of tally_set_translation; empty without one. Not for programs to compare. */
    char local_message[512];
    char local_hint[384];
} tally_error;

/*
 * Takes memory from the caller in place of calloc and free, for everything that Tally's own code allocates.
 * alloc: aligned for any type, NULL when there is none; any thread; not in a call of the other two. Both
 * NULL: calloc and free. Texts that are released with free() stay the system's. TALLY_ERR_USAGE: only one of
 * the two, or Tally has allocated already: call it before anything else.
 */
TALLY_API tally_status tally_set_allocator(void *(*alloc)(void *user, size_t bytes),
                                           void (*release)(void *user, void *memory), void *user,
                                           tally_error *error) TALLY_MUST_CHECK;

/*
 * Texts for people in another language. translate gets an English text of the library, a printf format with
 * its conversions or a whole word, and returns it in the other language with the same conversions, or text
 * itself; what it returns lives as long as the process. It is called by any thread. NULL: English. To be set
 * before any other call, for the whole process; the library asks no locale and changes none. Translated are
 * local_message, local_hint, log lines, what tally_ledger_reconcile and tally_proof_check say,
 * tally_session_learned, tally_session_figures_text and tally_agreement_learns. What is signed, recorded,
 * sent or JSON stays English, and so do message, hint and the names of statuses and reject reasons.
 */
TALLY_API void tally_set_translation(const char *(*translate)(const char *text));

#include "tally-identity.h"

/* ---- Agreement: what two organisations allow each other to ask, signed by both ---- */

/*
 * A YAML file of one document (docs/agreement.md has every field). A run that is given one is held to it.
 */
typedef struct tally_agreement tally_agreement;

#define TALLY_AGREEMENT_MAX 65536           /* bytes of an agreement */
#define TALLY_AGREEMENT_SIGNATURES_MAX 2048 /* bytes of a file of signatures */

enum tally_signature_state {
    TALLY_UNSIGNED = 0,     /* there is no signature of this party */
    TALLY_SIGNED = 1,       /* there is one, it fits the text, and the key is the one the agreement names */
    TALLY_SIGNATURE_BAD = 2 /* there is one that does not fit: of another text, or damaged */
};

/* A commented agreement in which everything in <> is to be filled in. Release with free(). NULL when memory
   is short. */
TALLY_API char *tally_agreement_template(void);
/*
 * Reads and checks a file. Every field is there that has to be, each is in its range, and together they are
 * what a run can do. TALLY_ERR_INPUT: "FILE:LINE: FIELD: what is wrong", and what to do in the hint; also for
 * a file above TALLY_AGREEMENT_MAX. TALLY_ERR_FILE: cannot be read. TALLY_ERR_NO_MEMORY.
 */
TALLY_API tally_status tally_agreement_load(const char *path, tally_agreement **out,
                                            tally_error *error) TALLY_MUST_CHECK;
/*
 * The same of a text in memory, such as a ledger keeps: name stands for FILE in messages. *out has no
 * signatures yet.
 */
TALLY_API tally_status tally_agreement_parse(const char *name, const char *text, size_t len,
                                             tally_agreement **out, tally_error *error) TALLY_MUST_CHECK;
TALLY_API void tally_agreement_free(tally_agreement *agreement);
/* "sha256:<64 hex>" over the text with line ends normalised (docs/agreement.md): CRLF and CR are LF, the last
   line ends. Lives as long as the agreement, as the next three do. */
TALLY_API const char *tally_agreement_digest(const tally_agreement *agreement);
/* First and last day, "YYYY-MM-DD", in the time zone of the agreement. */
TALLY_API const char *tally_agreement_valid_from(const tally_agreement *agreement);
TALLY_API const char *tally_agreement_valid_until(const tally_agreement *agreement);
/* Name of party 0 or 1, in the order of the file. */
TALLY_API const char *tally_agreement_organisation(const tally_agreement *agreement, size_t party);

/*
 * In plain words, for people: what each side would learn, and every limit, in lines ended by \n. Release with
 * free(), like the next three. NULL when memory is short.
 */
TALLY_API char *tally_agreement_learns(const tally_agreement *agreement);
/* The same as one JSON object: "learns" (organisation, role, learns) and "limits", texts. */
TALLY_API char *tally_agreement_learns_json(const tally_agreement *agreement);
/* Every field with what was filled in, the digest, and who has signed: lines ended by \n. */
TALLY_API char *tally_agreement_fields(const tally_agreement *agreement);
/* The same as one JSON object (docs/agreement.md). */
TALLY_API char *tally_agreement_json(const tally_agreement *agreement);
/*
 * The fields in which two agreements differ, "field: in A, in B", filled-in values included; json = 1: a JSON
 * object. *report is released with free(). TALLY_OK: every field is the same (the texts may still differ in
 * comments and layout, as the digests say). TALLY_ERR_DIFFERS: at least one is not; *report is set, error is
 * not. TALLY_ERR_NO_MEMORY.
 */
TALLY_API tally_status tally_agreement_diff(const tally_agreement *a, const tally_agreement *b, int json,
                                            char **report, tally_error *error) TALLY_MUST_CHECK;

/*
 * Takes the signatures of a file (docs/agreement.md, signatures) over into the agreement, each verified.
 * All are looked at; the first failure is reported. TALLY_ERR_FILE: cannot be read. TALLY_ERR_INPUT: not such
 * a file, or above TALLY_AGREEMENT_SIGNATURES_MAX; nothing was taken over. TALLY_ERR_AUTH: the agreement does
 * not name the key, or not for that organisation. TALLY_ERR_DIFFERS: a signature does not fit; its state is
 * then TALLY_SIGNATURE_BAD, unless one that fits had been there.
 */
TALLY_API tally_status tally_agreement_add_signatures(tally_agreement *agreement, const char *path,
                                                      tally_error *error) TALLY_MUST_CHECK;
/* The same of a file of signatures in memory; name stands for its path in messages. */
TALLY_API tally_status tally_agreement_parse_signatures(tally_agreement *agreement, const char *name,
                                                        const char *text, size_t len,
                                                        tally_error *error) TALLY_MUST_CHECK;
/*
 * Signs with the identity's signing key. TALLY_ERR_AUTH: it has none, or not one that the agreement names, or
 * its certificate has not the link-key or subject that the agreement names for that party.
 */
TALLY_API tally_status tally_agreement_sign(tally_agreement *agreement, const tally_identity *identity,
                                            tally_error *error) TALLY_MUST_CHECK;
/* Writes the signatures that fit to path: by temporary file, mode 0600, fsync and rename. TALLY_ERR_FILE. */
TALLY_API tally_status tally_agreement_write_signatures(const tally_agreement *agreement, const char *path,
                                                        tally_error *error) TALLY_MUST_CHECK;
/* Of party 0 or 1. */
TALLY_API enum tally_signature_state tally_agreement_signed(const tally_agreement *agreement, size_t party);

/* ---- What a run is ---- */

enum tally_role { TALLY_RECEIVER = 1, TALLY_SENDER = 2 };
/*
 * What is asked. TALLY_COUNT: how many identifiers are on both lists. TALLY_SUM: how many, and over these the
 * sums, means and variances of the value columns of one side, as a whole and by bands. Counts and sums are
 * semi-honest and by ECDH; nobody learns which rows match.
 */
enum tally_function { TALLY_MATCH = 0, TALLY_COUNT = 1, TALLY_SUM = 2 };

/* ---- Ledger: what was run ---- */

/* One file (docs/ledger.md). A handle may be used by several sessions and threads at once. */
typedef struct tally_ledger tally_ledger;

enum tally_ledger_mode { TALLY_LEDGER_READ = 0, TALLY_LEDGER_WRITE = 1, TALLY_LEDGER_COPY = 2 };
/*
 * READ undoes what a crash of this machine left half done beside the file. COPY is for a file that came from
 * elsewhere: nothing is written or deleted, and TALLY_ERR_FILE if what lies beside it would have to be undone
 * first. WRITE makes the file (mode 0600) and its folder (0700) if they are not there, and brings an older
 * schema to this version's. TALLY_ERR_FILE: not there, not a ledger, of a newer version, or damaged.
 */
TALLY_API tally_status tally_ledger_open(tally_ledger **out, const char *path, enum tally_ledger_mode mode,
                                         tally_error *error) TALLY_MUST_CHECK;
TALLY_API void tally_ledger_free(tally_ledger *ledger);

/* One run, as tally ledger list shows it. */
typedef struct tally_run {
    uint64_t n;           /* from 1 */
    int64_t began, ended; /* seconds since 1970, UTC; ended 0: there is no outcome, the run is incomplete */
    enum tally_function function;
    enum tally_role role;
    uint64_t items, peer_items; /* list sizes as the sides told each other; 0: not known */
    int disclosed;              /* may have shown this or the other side something of the result */
    int exit_status;            /* -1: incomplete */
    char agreement[TALLY_FINGERPRINT_TEXT]; /* its digest, "" for a run without */
    char peer[256];                         /* organisation or fingerprint of the other side, "" if unknown */
} tally_run;

/* Number of runs. */
TALLY_API tally_status tally_ledger_runs(tally_ledger *ledger, uint64_t *out,
                                         tally_error *error) TALLY_MUST_CHECK;
/* Runs first..last in order, until each returns not 0. */
TALLY_API tally_status tally_ledger_list(tally_ledger *ledger, uint64_t first, uint64_t last,
                                         int (*each)(void *user, const tally_run *run), void *user,
                                         tally_error *error) TALLY_MUST_CHECK;
/* All that is recorded of run n, and the agreement's text and signatures, as one JSON object
   (docs/ledger.md); free(). TALLY_ERR_USAGE: there is no such run; TALLY_ERR_DIFFERS: a record is not what
   the latest checkpoint covers. */
TALLY_API tally_status tally_ledger_run_json(tally_ledger *ledger, uint64_t n, char **out,
                                             tally_error *error) TALLY_MUST_CHECK;

typedef struct tally_receipt_signature {
    enum tally_signature_state state;
    char key[TALLY_FINGERPRINT_TEXT]; /* signing key that the receipt names for this side; "": none */
} tally_receipt_signature;
/*
 * A receipt as the record of a run has it: its text, and the signatures of receiver and sender, 128 hex
 * digits, "" or NULL for none. out: of the receiver, of the sender. Whose keys these are, agreement and
 * fingerprints have to say. TALLY_ERR_DIFFERS: not the text of a receipt.
 */
TALLY_API tally_status tally_receipt_check(const char *text, const char *const signatures[2],
                                           tally_receipt_signature out[2],
                                           tally_error *error) TALLY_MUST_CHECK;

typedef struct tally_ledger_state {
    uint64_t runs, records;
    uint64_t incomplete;
    uint64_t receipts;                   /* whose signatures were checked */
    char root[65];                       /* of the tree, 64 hex digits */
    char origin[64];                     /* name of the ledger in its checkpoints */
    char signer[TALLY_FINGERPRINT_TEXT]; /* key of the latest checkpoint; "": it is not signed */
} tally_ledger_state;
/*
 * Recomputes the file, the tree and the latest checkpoint; signatures: of all receipts and agreements too.
 * TALLY_ERR_DIFFERS: message names the first record that does not hold.
 */
TALLY_API tally_status tally_ledger_verify(tally_ledger *ledger, int signatures, tally_ledger_state *out,
                                           tally_error *error) TALLY_MUST_CHECK;
/* The latest checkpoint as a signed note (C2SP); free(). */
TALLY_API tally_status tally_ledger_checkpoint(tally_ledger *ledger, char **out,
                                               tally_error *error) TALLY_MUST_CHECK;
/*
 * A file that shows, to whoever has the latest checkpoint, that the records of run n are in the ledger; with
 * an older checkpoint (NULL: none) also that nothing it covers was changed since. free().
 */
TALLY_API tally_status tally_ledger_prove(tally_ledger *ledger, uint64_t n, const char *older_checkpoint,
                                          char **out, tally_error *error) TALLY_MUST_CHECK;
/*
 * Such a file against a checkpoint, without the ledger. key: fingerprint of whose checkpoint it has to be,
 * NULL: any. TALLY_ERR_DIFFERS. *shown: what was proved, in plain words; free().
 */
TALLY_API tally_status tally_proof_check(const char *proof, const char *checkpoint, const char *key,
                                         char **shown, tally_error *error) TALLY_MUST_CHECK;
/* A consistent copy into a new file; runs may go on meanwhile. */
TALLY_API tally_status tally_ledger_backup(tally_ledger *ledger, const char *path,
                                           tally_error *error) TALLY_MUST_CHECK;
/*
 * The two sides' ledgers: each session that only one of them has, or whose receipts differ, is told in one
 * line. *differences: how many; *compared: sessions that both have. Neither ledger is verified.
 * TALLY_ERR_USAGE: theirs is mine itself, or a copy of it; TALLY_ERR_DIFFERS: mine has sessions, and theirs
 * has none of them, so nothing was compared; both numbers are then set, too.
 */
TALLY_API tally_status tally_ledger_reconcile(tally_ledger *mine, tally_ledger *theirs,
                                              void (*each)(void *user, const char *line), void *user,
                                              uint64_t *compared, uint64_t *differences,
                                              tally_error *error) TALLY_MUST_CHECK;

/* ---- Input: one party's list ---- */

typedef struct tally_input tally_input;

/* An identifier as the caller has it: UTF-8, raw, to be normalised by its profile. */
typedef struct tally_text {
    const char *p;
    size_t len;
} tally_text;

TALLY_API tally_status tally_input_new(tally_input **out, tally_error *error) TALLY_MUST_CHECK;
TALLY_API void tally_input_free(tally_input *input);
/*
 * Adds a key: column name (or number from 1 without a header), and profile: "exact", "cn-resident-id",
 * "cn-uscc", "phone-e164" or "phone-e164+CC" (CC = country code assumed for national numbers). NULL: "exact".
 * 1 to 8 keys; several make a composite. TALLY_ERR_USAGE: unknown profile.
 */
TALLY_API tally_status tally_input_add_key(tally_input *input, const char *column, const char *profile,
                                           tally_error *error) TALLY_MUST_CHECK;
/* A CSV file (RFC 4180); "-" is standard input. Read when the session runs, or by tally_input_load. */
TALLY_API tally_status tally_input_set_file(tally_input *input, const char *path,
                                            tally_error *error) TALLY_MUST_CHECK;
/* "utf-8" (default, byte order mark allowed) or "gb18030". */
TALLY_API tally_status tally_input_set_encoding(tally_input *input, const char *encoding,
                                                tally_error *error) TALLY_MUST_CHECK;
/* One ASCII character; default ','. Not a quote, CR, LF, NUL, letter or digit. */
TALLY_API tally_status tally_input_set_delimiter(tally_input *input, char delimiter,
                                                 tally_error *error) TALLY_MUST_CHECK;
/* 1 (default): the first record names the columns. 0: columns are numbered from 1. */
TALLY_API void tally_input_set_header(tally_input *input, int has_header);
/* File for the rejected rows: "line,reason" each, never a value. Mode 0600, replaced when the file has been
 * read. */
TALLY_API tally_status tally_input_set_rejects_file(tally_input *input, const char *path,
                                                    tally_error *error) TALLY_MUST_CHECK;
/* Refuse the input when more than this many rows, or more than this share (parts per million), are rejected.
   Default: no limit. Either may be UINT64_MAX for none. */
TALLY_API void tally_input_set_max_rejects(tally_input *input, uint64_t rows, uint64_t ppm);
/*
 * Adds one row from memory instead of a file: one text per key, in order of the keys. Rows count from 1 as
 * "lines". A row its profile rejects is counted as a reject; the call then still returns TALLY_OK.
 */
TALLY_API tally_status tally_input_add_row(tally_input *input, const tally_text *keys, size_t count,
                                           tally_error *error) TALLY_MUST_CHECK;

/*
 * Columns of numbers, for sums. A cell is [+-]digits[.digits], blanks around it
 * ignored; anything else is a reject, and so are more decimals than declared (docs/input.md). Numbers here
 * are integers with the decimals declared: with scale 2, -1.50 is -150.
 *
 * Adds a value column: integers or fixed-point decimals with `scale` decimals (0..9) that lie in [min, max],
 * given at that scale; |min|, |max| < 2^48. At most 16. TALLY_ERR_USAGE: scale or range, or a column that is
 * a value already.
 */
TALLY_API tally_status tally_input_add_value(tally_input *input, const char *column, int64_t min, int64_t max,
                                             uint32_t scale, tally_error *error) TALLY_MUST_CHECK;
/*
 * Adds a band column: bands [e0, e1), [e1, e2), ... and what lies outside of all. edges: count (2..33) of
 * them, ascending, at `scale` decimals (0..9), below 2^48 in magnitude. At most 4. A column may be both: its
 * band is then that of its value. TALLY_ERR_USAGE as above.
 */
TALLY_API tally_status tally_input_add_band(tally_input *input, const char *column, const int64_t *edges,
                                            size_t count, uint32_t scale,
                                            tally_error *error) TALLY_MUST_CHECK;
enum tally_duplicates { TALLY_DUPLICATES_SUM = 1, TALLY_DUPLICATES_MAX = 2, TALLY_DUPLICATES_REFUSE = 3 };
/*
 * What the numbers of the rows of one identifier come to, column by column: their sum (default; it must stay
 * in the range of its column from row to row) or the largest. REFUSE: loading such an input is
 * TALLY_ERR_INPUT and names the line of the second row. No effect after loading.
 */
TALLY_API void tally_input_set_duplicates(tally_input *input, enum tally_duplicates rule);
/*
 * 0 (default): a row with a value outside its range is rejected, and a sum outside it is TALLY_ERR_INPUT. 1:
 * values, and then sums, are taken as the nearest end of their range and counted. No effect after loading or
 * once rows were added.
 */
TALLY_API void tally_input_set_clip(tally_input *input, int clip);
/*
 * As tally_input_add_row, for an input with columns of numbers: one number per value column in the order they
 * were added, then one per band column, at their scales. Bands of a value column go by its value: their
 * number is not looked at.
 */
TALLY_API tally_status tally_input_add_row_numbers(tally_input *input, const tally_text *keys, size_t count,
                                                   const int64_t *numbers, size_t number_count,
                                                   tally_error *error) TALLY_MUST_CHECK;

#define TALLY_REJECT_REASONS 24
typedef struct tally_input_stats {
    uint64_t rows;     /* data rows read, without header and blank lines */
    uint64_t items;    /* distinct identifiers among the accepted rows: what the peer learns as list size */
    uint64_t accepted; /* rows accepted; accepted - items are duplicates */
    uint64_t rejected; /* rows rejected; sum of by_reason */
    uint64_t by_reason[TALLY_REJECT_REASONS];  /* index: reason, see tally_reject_name */
    uint64_t first_line[TALLY_REJECT_REASONS]; /* physical line of the first such row, 0 if none */
    uint64_t clipped;                          /* values and sums taken as the nearest end of their range */
    uint64_t without_consent; /* of the rejected: left out by the agreement's rule of consent;
                                 tally_input_set_max_rejects does not count them */
} tally_input_stats;

/* Name of reject reason i, such as "bad check digit"; NULL from the first unused index on. */
TALLY_API const char *tally_reject_name(size_t i);
/*
 * Reads, normalises and folds the input now; a session does it by itself otherwise.
 * TALLY_ERR_FILE, TALLY_ERR_INPUT (message names file, line and column), TALLY_ERR_NO_MEMORY.
 */
TALLY_API tally_status tally_input_load(tally_input *input, tally_error *error) TALLY_MUST_CHECK;
/*
 * Loads a file's list as a run would, and tells what is in it as one JSON object (docs/input.md): rows,
 * rejects, duplicates, what the key columns are like, what often goes wrong with exports, what a run would
 * send; without a key, which columns could be one. No value is in it, and nothing is sent. *out: free(); set
 * also when the list cannot be used, NULL after TALLY_ERR_NO_MEMORY and TALLY_ERR_USAGE. Returns what loading
 * does, and TALLY_ERR_POLICY if the list is longer than the agreement of tally_input_set_agreement allows.
 */
TALLY_API tally_status tally_input_check_json(tally_input *input, char **out,
                                              tally_error *error) TALLY_MUST_CHECK;
/*
 * Takes from an agreement what the input of that role has and this one does not: keys, values, bands,
 * duplicates, consent as of today, and the padding of which a check tells. A session does it by itself: this
 * is for a check.
 */
TALLY_API tally_status tally_input_set_agreement(tally_input *input, const tally_agreement *agreement,
                                                 enum tally_role role, tally_error *error) TALLY_MUST_CHECK;
/* Zero before the input is loaded. */
TALLY_API void tally_input_get_stats(const tally_input *input, tally_input_stats *out);

/* ---- Session: one run with one peer ---- */

typedef struct tally_session tally_session;

enum tally_security { TALLY_SEMI_HONEST = 1, TALLY_MALICIOUS = 2 };
/* TALLY_AUTO: subspace VOLE, or ECDH for the malicious model and for lists so small that setting up costs
 * more. */
enum tally_protocol { TALLY_AUTO = 0, TALLY_ECDH = 1, TALLY_VOLE = 2 };
/* TALLY_REVEAL_SENDER is for counts and sums only. */
enum tally_reveal { TALLY_REVEAL_RECEIVER = 1, TALLY_REVEAL_SENDER = 2, TALLY_REVEAL_BOTH = 3 };
/* How values are encrypted; auto: packed RLWE, or Paillier where that cannot hold what is asked. */
enum tally_scheme { TALLY_SCHEME_AUTO = 0, TALLY_SCHEME_RLWE = 1, TALLY_SCHEME_PAILLIER = 2 };

TALLY_API tally_status tally_session_new(tally_session **out, tally_error *error) TALLY_MUST_CHECK;
/* A session that was started and is not over is cancelled and waited for, a moment. From one of its callbacks
 * it only cancels; free it again when the run has returned. */
TALLY_API void tally_session_free(tally_session *session);

/* Required: role, identity (unless an authenticated transport is given), input. The session borrows identity
 * and input. */
TALLY_API void tally_session_set_role(tally_session *session, enum tally_role role);
TALLY_API void tally_session_set_identity(tally_session *session, const tally_identity *identity);
TALLY_API void tally_session_set_input(tally_session *session, tally_input *input);
/* Terms of the run; both sides must say the same. Defaults: auto, semi-honest, receiver.
   Auto on one side goes with anything on the other; VOLE with the malicious model is TALLY_ERR_USAGE. */
TALLY_API void tally_session_set_protocol(tally_session *session, enum tally_protocol protocol);
TALLY_API void tally_session_set_security(tally_session *session, enum tally_security security);
TALLY_API void tally_session_set_reveal(tally_session *session, enum tally_reveal reveal);

/*
 * Holds the session to an agreement (borrowed until the session is freed): what was not set is taken from it
 * - role, function, keys, columns, values, bands, peer, address, all terms -, and what was set may narrow it.
 * Both signatures have to be in it, the identity has to be one of its parties, and a ledger has to be set or
 * bypassed. The peer has to run under the same one. TALLY_ERR_POLICY from the run names the field.
 */
TALLY_API void tally_session_set_agreement(tally_session *session, const tally_agreement *agreement);
/*
 * Records the run (borrowed): an intent before the first byte that derives from the list leaves, and the
 * outcome. Quotas and the differencing guard of the agreement count by it. Without an agreement a ledger may
 * be set too; none is the default.
 */
TALLY_API void tally_session_set_ledger(tally_session *session, tally_ledger *ledger);
/*
 * Runs under an agreement without a ledger: nothing is recorded here, and quotas and the differencing guard
 * do not count this run. Said to the peer, and marked in the receipt that both sides sign. For a caller that
 * keeps such records itself.
 */
TALLY_API void tally_session_bypass_ledger(tally_session *session);

/* Terms of counts and sums; both sides must say the same. Defaults: match, auto. The values and bands of a
   sum are those of the input (tally_input_add_value, tally_input_add_band): one side has values, the other
   none. */
TALLY_API void tally_session_set_function(tally_session *session, enum tally_function function);
TALLY_API void tally_session_set_scheme(tally_session *session, enum tally_scheme scheme);
/*
 * Nothing is answered below k identifiers on both lists, 2..2^30; 0: no minimum. For a count, the side whose
 * list is at risk counts and releases, so both sides learn the count. For a sum see docs/protocol-sum.md:
 * small bands are merged, and at most one column may have bands. For a match only with columns (k up to
 * 1000): fewer matches and no column can be opened. TALLY_ERR_USAGE: out of bounds.
 */
TALLY_API tally_status tally_session_set_min_overlap(tally_session *session, uint64_t k,
                                                     tally_error *error) TALLY_MUST_CHECK;
/* Noise on counts and sums, differential privacy with this epsilon in millionths, 10000..100000000, and delta
   10^-6 for the count that the computing side sees; 0: none. TALLY_ERR_USAGE: out of bounds. */
TALLY_API tally_status tally_session_set_noise(tally_session *session, uint64_t epsilon_micro,
                                               tally_error *error) TALLY_MUST_CHECK;
/* The owner of the values accepts that the other side has these bands of a column of its own (their sizes are
   then known to this side). As tally_input_add_band; at most one. */
TALLY_API tally_status tally_session_add_peer_band(tally_session *session, const char *column,
                                                   const int64_t *edges, size_t count, uint32_t scale,
                                                   tally_error *error) TALLY_MUST_CHECK;

/* The peer, at least one of the two; with both, both must hold. pin: "sha256:<64 hex>" (may repeat: any of up
 * to 8 pins). */
TALLY_API tally_status tally_session_add_peer_pin(tally_session *session, const char *pin,
                                                  tally_error *error) TALLY_MUST_CHECK;
/* ca_file: PEM certificates trusted to sign the peer's; name: the peer's exact subject, RFC 2253;
 * NULL: the one that the agreement names. */
TALLY_API tally_status tally_session_set_peer_ca(tally_session *session, const char *ca_file,
                                                 const char *name, tally_error *error) TALLY_MUST_CHECK;

/* Lists of revoked certificates of that CA, PEM; a peer is then refused too when there is no list in force.
 */
TALLY_API tally_status tally_session_set_peer_crl(tally_session *session, const char *crl_file,
                                                  tally_error *error) TALLY_MUST_CHECK;

/* The link, exactly one of the three. "HOST:PORT", IPv6 in brackets. */
TALLY_API tally_status tally_session_set_listen(tally_session *session, const char *address,
                                                tally_error *error) TALLY_MUST_CHECK;
TALLY_API tally_status tally_session_set_connect(tally_session *session, const char *address,
                                                 tally_error *error) TALLY_MUST_CHECK;

/*
 * The caller's own byte stream. read and write run in two threads of the library, each in one at a time;
 * shutdown may come from any thread, more than once, and must make both return. timeout_ms bounds how long
 * one call may block; -1 is never given.
 */
#define TALLY_IO_END 0        /* read: the peer closed its side */
#define TALLY_IO_FAILED (-1)  /* broken for good */
#define TALLY_IO_TIMEOUT (-2) /* nothing happened within timeout_ms; will be called again */
typedef struct tally_transport {
    void *user;
    /* Up to cap bytes into buf; returns how many (>= 1), or one of the three codes above. */
    int64_t (*read)(void *user, void *buf, size_t cap, int timeout_ms);
    /* Writes up to len bytes; returns how many (>= 1), TALLY_IO_FAILED or TALLY_IO_TIMEOUT. */
    int64_t (*write)(void *user, const void *buf, size_t len, int timeout_ms);
    void (*shutdown)(void *user);
} tally_transport;

/*
 * tls = 1: TLS 1.3 with both identities runs over the stream; tls_server says which end this is. tls = 0: the
 * caller vouches that the stream is confidential and that the peer is who it should be (both ends in one
 * process, a channel of its own); no identity or pin is then used. The session borrows the struct's pointers
 * until tally_session_run returns.
 */
TALLY_API void tally_session_set_transport(tally_session *session, const tally_transport *transport, int tls,
                                           int tls_server);
/* Both ends of an in-memory byte stream, for tests and for two parties in one process. Free both ends. */
TALLY_API tally_status tally_pipe_new(tally_transport *a, tally_transport *b,
                                      tally_error *error) TALLY_MUST_CHECK;
TALLY_API void tally_pipe_free(tally_transport *end);

/* Or a connection that a server has accepted, taken over in place of the link; its run begins at once. */
typedef struct tally_connection tally_connection;
TALLY_API void tally_session_set_connection(tally_session *session, tally_connection *connection);

/* How long to wait for the peer to appear, seconds (default 600). A connected peer may be silent for at most
   min(timeout, 30) seconds; one that computes is not silent. */
TALLY_API void tally_session_set_timeout(tally_session *session, uint32_t seconds);
/* Threads that compute, the one that runs the session included; 0 (default): as many as the affinity mask and
 * the cgroup allow. At most 256. */
TALLY_API void tally_session_set_threads(tally_session *session, uint32_t threads);
/*
 * The caller's threads in place of those the session would start to compute. submit hands a job over: 0, and
 * job(arg) is called exactly once, on any thread and at any time, also within submit or after the session was
 * freed; or not 0, refused, and job must not be called. The session never waits for a job that was not
 * called: its own thread does the work that nobody takes. So an executor that is busy or refuses makes it
 * slower, and one whose threads all run sessions is no deadlock. job returns when its share is done, and
 * calls nothing of the caller's. submit is called by the thread that runs the session, up to threads - 1 jobs
 * outstanding.
 */
typedef struct tally_executor {
    void *user;
    int (*submit)(void *user, void (*job)(void *arg), void *arg);
} tally_executor;
/* Copied; NULL: threads of the library, the default. What user points to has to live until the last job was
 * called. */
TALLY_API void tally_session_set_executor(tally_session *session, const tally_executor *executor);
/*
 * The most memory that the session may hold at once, bytes; 0 (default): no limit. Counted is what Tally
 * allocates for the run, on all its threads, the list included if the session loads it (docs/api.md says what
 * is not). TALLY_ERR_NO_MEMORY from the run: more is needed. That is noticed before the own list's size is
 * told if the own list alone is too large; when the peer has told the size of its list and the estimate for
 * both is above the limit; or else when the limit is hit.
 */
TALLY_API void tally_session_set_memory_limit(tally_session *session, uint64_t bytes);

/*
 * Output of the matching rows: the header (if the input has one), then the rows, byte for byte and in input
 * order. "-" is standard output. Without add_output_column whole rows, otherwise those columns, re-quoted.
 * Written to a temporary file beside path, synced, and renamed when the run has succeeded. An existing file
 * is TALLY_ERR_FILE unless overwrite. For the receiver; for a sender only with TALLY_REVEAL_BOTH.
 */
TALLY_API tally_status tally_session_set_output(tally_session *session, const char *path, int overwrite,
                                                tally_error *error) TALLY_MUST_CHECK;
TALLY_API tally_status tally_session_add_output_column(tally_session *session, const char *column,
                                                       tally_error *error) TALLY_MUST_CHECK;

/*
 * Matching with columns (docs/protocol-columns.md): the receiver also gets values of the sender's rows for
 * each match. The sender offers columns of its file, each with a width: the most bytes of UTF-8 a value has,
 * 1..1024; all values are sent at this length. The receiver wants columns by name, a part of the offer, and
 * gets those and no others, appended to its output. Up to 32 columns; a name has 1..64 bytes of printable
 * UTF-8. Both sides agree on the most rows of the sender with one identifier, 1..64 (default 1); a matching
 * row comes out once for each of them. TALLY_ERR_USAGE: name, width or number out of bounds.
 */
TALLY_API tally_status tally_session_add_offer(tally_session *session, const char *column, size_t width_bytes,
                                               tally_error *error) TALLY_MUST_CHECK;
TALLY_API tally_status tally_session_add_want(tally_session *session, const char *column,
                                              tally_error *error) TALLY_MUST_CHECK;
TALLY_API tally_status tally_session_set_rows_per_person(tally_session *session, uint32_t rows,
                                                         tally_error *error) TALLY_MUST_CHECK;
/*
 * Called for each output row, in input order, when columns are wanted: a matching row once for each of the
 * sender's rows. values: as many as were wanted, in that order, UTF-8, valid during the call. row, line and
 * the result as with tally_match_callback.
 */
typedef int (*tally_match_columns_callback)(void *user, uint64_t row, uint64_t line, const tally_text *values,
                                            size_t count);
TALLY_API void tally_session_on_columns(tally_session *session, tally_match_columns_callback callback,
                                        void *user);

/*
 * Called for each matching row in input order after the peer has confirmed the end of the run. row: number
 * from 1 among data rows; line: physical line where it starts (= row for rows from memory). Non-zero stops
 * the run: TALLY_ERR_INTERRUPTED.
 */
typedef int (*tally_match_callback)(void *user, uint64_t row, uint64_t line);
TALLY_API void tally_session_on_match(tally_session *session, tally_match_callback callback, void *user);

/* phase: "reading", "waiting", "matching", "writing"; done of total rows (total 0: unknown). At most about
   ten calls a second, from the thread that runs the session. */
typedef void (*tally_progress_callback)(void *user, const char *phase, uint64_t done, uint64_t total);
TALLY_API void tally_session_on_progress(tally_session *session, tally_progress_callback callback,
                                         void *user);

/* One line without line end; level 0 is a warning, 1 information, 2 detail. From the thread that runs the
 * session. */
typedef void (*tally_log_callback)(void *user, int level, const char *line);
TALLY_API void tally_session_on_log(tally_session *session, tally_log_callback callback, void *user);

/*
 * In place of tally_session_run, on both sides at once, or on one while the other's run waits: goes the steps
 * to a run one by one and says how each went, by the settings of the session. No input is read, none is
 * needed but for its keys and columns, and nothing of a list is sent. Terms are compared when both sides have
 * a role or an agreement. A listening run that is pinged answers and waits on.
 */
enum tally_ping_step {
    TALLY_PING_RESOLVE = 0, /* the name of the host, of the side that connects */
    TALLY_PING_CONNECT = 1, /* TCP; of the side that listens: somebody authenticated */
    TALLY_PING_AUTHENTICATE = 2,
    TALLY_PING_VERSIONS = 3,
    TALLY_PING_CLOCKS = 4,
    TALLY_PING_TERMS = 5,
    TALLY_PING_LINE = 6
};
enum tally_ping_state {
    TALLY_PING_OK = 0,
    TALLY_PING_WARNED = 1,
    TALLY_PING_SKIPPED = 2,
    TALLY_PING_FAILED = 3
};
/* detail: its message says in one line how it went, also where nothing failed; valid during the call. From
 * the calling thread. */
typedef void (*tally_ping_callback)(void *user, enum tally_ping_step step, enum tally_ping_state state,
                                    const tally_error *detail);
typedef struct tally_ping {
    char peer[TALLY_FINGERPRINT_TEXT], peer_subject[256]; /* "" before they are known */
    int64_t own_not_after,
        peer_not_after;         /* validity of the certificates, seconds since 1970 UTC; 0: not known */
    double clock_ahead_seconds; /* the peer's clock against this one's */
    double round_trip_seconds;  /* 0: not measured, as the next two */
    double sent_bits_per_second, received_bits_per_second;
    int met_run; /* 1: a run waits there */
} tally_ping;
/* Status as of a run. The step that failed was told to the callback before; *out holds what was found. */
TALLY_API tally_status tally_session_ping(tally_session *session, tally_ping_callback callback, void *user,
                                          tally_ping *out, tally_error *error) TALLY_MUST_CHECK;

/*
 * Runs the session to its end: connects, authenticates, compares terms, matches, confirms, writes the output.
 * Blocks. A session runs once. Status codes as in docs/exit-status.md.
 */
TALLY_API tally_status tally_session_run(tally_session *session, tally_error *error) TALLY_MUST_CHECK;
/*
 * The same without blocking. start checks nothing but that the session can still be run, and lets a thread of
 * the library run it. From then on tally_session_step calls the callbacks, on the thread that steps; nothing
 * else does. step never waits: it delivers up to 64 progress and log calls and 256 rows, and returns
 * TALLY_IN_PROGRESS; or, when all is delivered and the run is over, its status, as tally_session_run would
 * have, then and each time after. Step when the descriptor is readable (poll, epoll: POLLIN), and when
 * deadline_ms says so at the latest. The library keeps up to 64 progress and log calls that were not
 * delivered, progress brought up to date; then the run waits for a step, as it does for rows, while
 * heartbeats keep the peer. Between start and the final status of step: step, poll_fd, deadline_ms, cancel
 * and free alone may be called. start: TALLY_ERR_USAGE as tally_session_run; TALLY_ERR_NO_MEMORY,
 * TALLY_ERR_INTERNAL: no thread or descriptor, and the session may be started again. step: TALLY_ERR_USAGE:
 * not started, or called from a callback.
 */
TALLY_API tally_status tally_session_start(tally_session *session, tally_error *error) TALLY_MUST_CHECK;
TALLY_API tally_status tally_session_step(tally_session *session, tally_error *error) TALLY_MUST_CHECK;
/* Readable when step has something to do, and from the end of the run on; -1 before start. The session's: not
 * to be read or closed; closed by tally_session_free. */
TALLY_API int tally_session_poll_fd(const tally_session *session);
/* Milliseconds until step is due, 0: now, -1: when the descriptor is readable. */
TALLY_API int tally_session_deadline_ms(const tally_session *session);
/*
 * In place of tally_session_run: what it looks at before it reads the list. Settings, identity, and of an
 * agreement signatures, days and every field. Nothing is sent or recorded. The session is then over.
 */
TALLY_API tally_status tally_session_check(tally_session *session, tally_error *error) TALLY_MUST_CHECK;
/* Makes a running session end with TALLY_ERR_INTERRUPTED; the peer is told. Any thread, signal handlers too.
 */
TALLY_API void tally_session_cancel(tally_session *session);
/* The last call on this session that failed, or its run: status, message and hint. TALLY_OK and empty if none
 * did. Never NULL; lives until the session is freed, and changes with the next failure. */
TALLY_API const tally_error *tally_session_error(const tally_session *session);

/* What a run did; valid after tally_session_run, also a failed one, as far as it came. */
typedef struct tally_result {
    uint64_t own_items;     /* distinct identifiers, ours */
    uint64_t peer_items;    /* distinct identifiers, the peer's (0 until known) */
    uint64_t matched_items; /* 0 for a party that does not learn it; of a count or sum: the count */
    uint64_t matched_rows;
    uint64_t bytes_sent; /* on the transport, TLS included */
    uint64_t bytes_received;
    int learns_matches; /* 1: this party learnt which of its rows matched */
    int learns_figures; /* 1: it learnt the figures of a count or a sum */
    uint64_t run;       /* its number in the ledger; 0: not there */
    int disclosed; /* 1: this or the other side may have learned of the result; it then counts in quotas */
    int share_exceeded; /* 1: more matched than the agreement's max-match-share */
} tally_result;
TALLY_API void tally_session_get_result(const tally_session *session, tally_result *out);
/*
 * Counts and sums: what this side learned, as one JSON object (docs/summary.md): "count", "values" with sums,
 * means and variances as decimal strings at the declared scale, "bands", "groups". Release with free(). NULL
 * when memory is short, for a match, and for a side that learns nothing.
 */
TALLY_API char *tally_session_figures_json(const tally_session *session);
/* The same as a table for people, lines ended by \n. Release with free(). */
TALLY_API char *tally_session_figures_text(const tally_session *session);
/*
 * One sum. group: 0..; value: index of the value; band: 0.. of the band column band_column, or -1 for all
 * rows. *count and the sum, exact, as high * 2^64 + low in two's complement, at the value's scale.
 * TALLY_ERR_USAGE: there is no such figure, or it is merged with others, or this side does not learn it.
 */
TALLY_API tally_status tally_session_get_figure(const tally_session *session, size_t group, size_t value,
                                                size_t band_column, int64_t band, int64_t *count,
                                                int64_t *high, uint64_t *low) TALLY_MUST_CHECK;
/* One plain sentence: what each side learned. Lives as long as the session; empty before a successful end. */
TALLY_API const char *tally_session_learned(const tally_session *session);
/* Sizes, result, bytes, seconds per phase, rejects by reason, terms, versions, as one JSON object
   (docs/summary.md). Release with free(). NULL when memory is short. */
TALLY_API char *tally_session_summary_json(const tally_session *session);

#ifdef __cplusplus
}
#endif

#include "tally-server.h"
#include "tally-sizing.h"

#endif
