/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/file.h"
#include "cli/message.h"
#include "cli/serve.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* ---- The status file ---- */

static json_t *time_json(int64_t seconds)
{
    char text[32];
    time_t t = (time_t)seconds;
    struct tm tm;
    if (!seconds || !gmtime_r(&t, &tm) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm))
        return json_null();
    return json_string(text);
}

static json_t *entry_json(const cli_serve *s, size_t i)
{
    const cli_serve_setup *u = s->setup;
    const cli_serve_slot *slot = s->slots;
    json_t *last = json_null();
    while (slot && strcmp(slot->name, u->config.entry[i].name) != 0)
        slot = slot->next;
    if (slot && slot->last_exit >= 0)
        last = json_pack("{s:I, s:i, s:o, s:o, s:s}", "run", (json_int_t)slot->last_run, "exit_status",
                         slot->last_exit, "began", time_json(slot->last_began), "ended",
                         time_json(slot->last_ended), "message", slot->last_message);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:I, s:I, s:o}", "name", u->config.entry[i].name,
                     "agreement", tally_agreement_digest(u->agreed[i].agreement), "other_side",
                     u->agreed[i].peer, "function", u->agreed[i].function, "valid_until",
                     tally_agreement_valid_until(u->agreed[i].agreement), "running", slot ? slot->busy : 0,
                     "waiting", slot ? (int)slot->waiting : 0, "done", (json_int_t)(slot ? slot->done : 0),
                     "failed", (json_int_t)(slot ? slot->failed : 0), "last", last);
}

/* What ends first: the certificate, or an agreement. */
static json_t *expiry_json(const cli_serve_setup *u)
{
    char day[16] = "";
    const char *what = "certificate", *entry = NULL;
    time_t t = (time_t)tally_identity_not_after(u->identity);
    struct tm tm;
    if (gmtime_r(&t, &tm))
        strftime(day, sizeof day, "%Y-%m-%d", &tm);
    for (size_t i = 0; i < u->config.count; i++)
        if (strcmp(tally_agreement_valid_until(u->agreed[i].agreement), day) < 0) {
            snprintf(day, sizeof day, "%s", tally_agreement_valid_until(u->agreed[i].agreement));
            what = "agreement";
            entry = u->config.entry[i].name;
        }
    return json_pack("{s:s, s:s, s:s?}", "what", what, "day", day, "entry", entry);
}

/* The lock is held. */
static char *status_text(const cli_serve *s)
{
    json_t *entries = json_array(), *listen = json_array();
    for (size_t i = 0; i < s->setup->config.count; i++)
        json_array_append_new(entries, entry_json(s, i));
    for (size_t i = 0; i < s->setup->config.listen.count; i++)
        json_array_append_new(listen, json_string(s->setup->config.listen.at[i]));
    json_t *all = json_pack(
        "{s:s, s:i, s:o, s:o, s:o, s:{s:i, s:i, s:I}, s:o, s:o}", "state",
        s->stopping == 2 ? "stopped"
        : s->stopping    ? "stopping"
                         : "serving",
        "pid", (int)getpid(), "since", time_json(s->began), "updated", time_json((int64_t)time(NULL)),
        "listen", listen, "sessions", "running", (int)s->running, "waiting", (int)s->waiting, "max",
        (json_int_t)s->setup->config.max_sessions, "next_expiry", expiry_json(s->setup), "entries", entries);
    char *text = all ? json_dumps(all, JSON_INDENT(2)) : NULL;
    json_decref(all);
    return text;
}

void cli_serve_write_status(cli_serve *s)
{
    tally_error error = {.message = ""};
    pthread_mutex_lock(&s->writing); /* so that an older text never replaces a newer one */
    pthread_mutex_lock(&s->lock);
    const char *path = s->status_path ? s->status_path : s->setup->config.status;
    char *to = path ? strdup(path) : NULL, *text = path ? status_text(s) : NULL;
    pthread_mutex_unlock(&s->lock);
    if (path && (!to || !text))
        cli_note("serve: event=warning: the status could not be written: out of memory");
    else if (path && cli_file_write(to, text, &error))
        cli_note("serve: event=warning: %s", cli_shown(&error));
    pthread_mutex_unlock(&s->writing);
    free(text);
    free(to);
}

/* ---- The service manager, sd_notify(3) ---- */

void cli_serve_notify(const char *word)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    if (len < 2 || len >= sizeof to.sun_path || (*path != '/' && *path != '@'))
        return;
    memcpy(to.sun_path, path, len);
    if (*path == '@') /* of the abstract name space */
        to.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    const struct timeval most = {.tv_usec =
                                     200000}; /* nobody waits long for a manager that does not listen */
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
    (void)!sendto(fd, word, strlen(word), MSG_NOSIGNAL, (const struct sockaddr *)&to,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}

/* How often it wants to hear from us, milliseconds; 0: never. */
static unsigned watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    unsigned long long n = usec ? strtoull(usec, NULL, 10) : 0;
    if (pid && strtoll(pid, NULL, 10) != (long long)getpid())
        return 0;
    return n / 2000 > 3600000 ? 3600000
                              : (unsigned)(n / 2000); /* half of it, as sd_watchdog_enabled advises */
}

unsigned cli_serve_alive(void)
{
    static int64_t told;
    struct timespec now;
    unsigned often = watchdog_ms();
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (often && ms - told >= often / 2) {
        cli_serve_notify("WATCHDOG=1");
        told = ms;
    }
    return often;
}
