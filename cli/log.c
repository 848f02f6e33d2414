/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/log.h"

#include "cli/message.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1600 /* a message of 1200 and what stands before it */

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER; /* of the three below */
static char *log_path;
static int log_fd = -1;
static int log_incomplete; /* it was said that a line was lost */
static _Thread_local unsigned long long run_number;

/* ---- The file ---- */

static int open_file(const char *path)
{
    struct stat st;
    /* O_NONBLOCK: a pipe that nobody reads must not hold a run up before it is refused. */
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
        return fd;
    close(fd);
    errno = EINVAL;
    return -1;
}

tally_status cli_log_open(const char *path, const char *command, tally_error *error)
{
    char text[128];
    if (strcmp(path, "-") == 0) {
        cli_fail(error, TALLY_ERR_USAGE, "--log-file needs the name of a file");
        cli_hint(error, "messages are on standard error already: leave it out, or give a file's name");
        return TALLY_ERR_USAGE;
    }
    char *copy = strdup(path);
    int fd = copy ? open_file(path) : -1;
    if (fd < 0) {
        int e = errno;
        free(copy);
        if (!copy)
            return cli_fail(error, TALLY_ERR_NO_MEMORY, "out of memory");
        if (e == ELOOP || e == EINVAL || e == ENXIO || e == EISDIR)
            cli_fail(error, TALLY_ERR_FILE, "the log %s is not a regular file", path);
        else
            cli_fail(error, TALLY_ERR_FILE, "the log %s cannot be opened: %s", path, party_system_text(e));
        cli_hint(error, "give a file in a folder you may write to; links and devices are not written to");
        return TALLY_ERR_FILE;
    }
    pthread_mutex_lock(&log_lock);
    log_path = copy;
    log_fd = fd;
    pthread_mutex_unlock(&log_lock);
    cli_message_to(cli_log_line);
    snprintf(text, sizeof text, "command=%s version=%s", command, tally_version());
    cli_log_line(CLI_INFO, "start", text);
    return TALLY_OK;
}

void cli_log_close(int exit)
{
    char text[32];
    snprintf(text, sizeof text, "status=%d", exit);
    cli_log_line(exit ? CLI_ERROR : CLI_INFO, "end", text);
    pthread_mutex_lock(&log_lock);
    if (log_fd >= 0)
        close(log_fd);
    free(log_path);
    log_fd = -1;
    log_path = NULL;
    log_incomplete = 0;
    pthread_mutex_unlock(&log_lock);
}

/* What logrotate has moved away is not written to any more. If there cannot be a new file, the old one goes
 * on.
 */
static void follow_rename(void)
{
    struct stat ours, named;
    if (fstat(log_fd, &ours) ||
        (stat(log_path, &named) == 0 && named.st_dev == ours.st_dev && named.st_ino == ours.st_ino))
        return;
    int fd = open_file(log_path);
    if (fd < 0)
        return;
    close(log_fd);
    log_fd = fd;
}

void cli_log_set_run(unsigned long long run)
{
    run_number = run;
}

void cli_log_line(enum cli_level level, const char *event, const char *text)
{
    static const char *const names[] = {"ERROR", "WARNING", "INFO"};
    char line[LINE_MAX_BYTES], date[32], run[24] = "-";
    struct timespec now;
    struct tm utc;
    int e = 0, saved = errno;
    pthread_mutex_lock(&log_lock);
    if (log_fd >= 0) {
        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &utc);
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
        if (run_number)
            snprintf(run, sizeof run, "%llu", run_number);
        int n = snprintf(line, sizeof line, "%s.%03ldZ %s tally[%ld]: run=%s event=%s %s\n", date,
                         now.tv_nsec / 1000000, names[level], (long)getpid(), run, event, text);
        size_t len = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
        line[len - 1] = '\n';
        follow_rename();
        errno = 0;
        /* One write: lines of two processes do not mix. */
        if (write(log_fd, line, len) != (ssize_t)len && !log_incomplete) {
            e = errno ? errno : ENOSPC;
            log_incomplete = 1;
        }
    }
    pthread_mutex_unlock(&log_lock);
    /* The run goes on: its record is the ledger. What the log lacks is said, with --quiet too. */
    if (e) {
        cli_message_log_alone(0);
        cli_note("warning: the log %s is not complete: %s", log_path, party_system_text(e));
    }
    errno = saved;
}
