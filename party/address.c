/* SPDX-License-Identifier: Apache-2.0 */
#include "party/error.h"
#include "party/transport.h"
#include "psi/mem.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static tally_status bad(tally_error *error, const char *text, const char *what)
{
    char shown[128];
    party_printable(shown, sizeof shown, text);
    party_fail(error, TALLY_ERR_USAGE, "address \"%s\": %s", shown, party_word(what));
    party_hint(error, "write HOST:PORT, such as psi.example.org:7440 or [2001:db8::1]:7440");
    return TALLY_ERR_USAGE;
}

/* Decimal 1..65535 without sign, blank or leading zero. */
static int port_ok(const char *port)
{
    size_t len = strlen(port);
    if (len < 1 || len > 5 || port[0] == '0' || strspn(port, "0123456789") != len)
        return 0;
    return len < 5 || strcmp(port, "65535") <= 0;
}

static int host_ok(const char *host, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)host[i] <= ' ' || host[i] == 0x7f || strchr("[]/@*\"'\\", host[i]))
            return 0;
    return 1;
}

tally_status party_address_parse(party_address *out, const char *text, int listening, tally_error *error)
{
    const char *host = text, *colon = strrchr(text, ':');
    if (!colon)
        return bad(error, text, "there is no port");
    size_t len = (size_t)(colon - text);
    if (*text == '[') {
        if (len < 3 || text[len - 1] != ']')
            return bad(error, text, "the brackets do not enclose an address");
        host++;
        len -= 2;
        if (!memchr(host, ':', len))
            return bad(error, text, "only an IPv6 address goes in brackets");
    } else if (memchr(host, ':', len)) {
        return bad(error, text, "an IPv6 address goes in brackets");
    }
    if (len == 1 && *host == '*')
        len = 0;
    if (len == 0 && !listening)
        return bad(error, text, "there is no host to connect to");
    if (len >= sizeof out->host)
        return bad(error, text, "the host is longer than 255 bytes");
    if (!host_ok(host, len))
        return bad(error, text, "the host holds a character no host has");
    if (!port_ok(colon + 1))
        return bad(error, text, "the port is not a number from 1 to 65535");
    memset(out, 0, sizeof *out);
    memcpy(out->host, host, len);
    memcpy(out->port, colon + 1, strlen(colon + 1));
    return TALLY_OK;
}

void party_address_text(char out[PARTY_ADDRESS_TEXT], const party_address *address)
{
    int v6 = strchr(address->host, ':') != NULL;
    snprintf(out, PARTY_ADDRESS_TEXT, "%s%s%s:%s", v6 ? "[" : "", *address->host ? address->host : "*",
             v6 ? "]" : "", address->port);
}

/* A name lookup shared by the asking thread and its helper; whoever drops it last frees it. */
struct lookup {
    atomic_int holders;
    int fd; /* eventfd: readable when the answer is there */
    party_address address;
    int flags, answer;
    struct addrinfo *list;
};

static int look_up(const party_address *a, int flags, struct addrinfo **list)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    return getaddrinfo(*a->host ? a->host : NULL, a->port, &hints, list);
}

static void drop(struct lookup *l)
{
    if (atomic_fetch_sub(&l->holders, 1) != 1)
        return;
    if (l->list)
        freeaddrinfo(l->list);
    close(l->fd);
    psi_free(l);
}

static void *look_up_thread(void *arg)
{
    struct lookup *l = arg;
    const uint64_t one = 1;
    l->answer = look_up(&l->address, l->flags, &l->list);
    ssize_t n = write(l->fd, &one, sizeof one);
    (void)n;
    drop(l);
    return NULL;
}

/* Returns a getaddrinfo code; *given_up when the deadline or cancel came first. */
static int look_up_patiently(const party_address *a, int flags, int64_t deadline_ms,
                             const party_cancel *cancel, struct addrinfo **list, int *given_up)
{
    pthread_t thread;
    sigset_t all, old;
    uint64_t count;
    struct lookup *l = psi_calloc(1, sizeof *l);
    if (!l)
        return EAI_MEMORY;
    l->address = *a;
    l->flags = flags;
    l->fd = eventfd(0, EFD_CLOEXEC);
    if (l->fd < 0) {
        psi_free(l);
        return EAI_SYSTEM;
    }
    atomic_init(&l->holders, 2);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&thread, NULL, look_up_thread, l);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed) {
        atomic_store(&l->holders, 1);
        drop(l);
        return EAI_MEMORY;
    }
    pthread_detach(thread);
    int answered = 0;
    while (!answered) {
        int64_t left = deadline_ms - party_now_ms();
        struct pollfd p[2] = {{.fd = l->fd, .events = POLLIN},
                              {.fd = cancel ? cancel->fd : -1, .events = POLLIN}};
        if (left <= 0 || (cancel && party_cancelled(cancel)))
            break;
        poll(p, 2, left > 1000 ? 1000 : (int)left);
        answered = (p[0].revents & POLLIN) && read(l->fd, &count, sizeof count) == sizeof count;
    }
    int answer = EAI_AGAIN;
    if (answered) {
        answer = l->answer;
        *list = l->list;
        l->list = NULL;
    }
    *given_up = !answered;
    drop(l);
    return answer;
}

tally_status party_resolve(const party_address *address, int listening, int64_t deadline_ms,
                           party_cancel *cancel, struct addrinfo **out, int *retry, tally_error *error)
{
    int flags = listening ? AI_PASSIVE : 0, given_up = 0;
    struct addrinfo *list = NULL;
    /* A numeric host needs no name server and no thread. */
    int answer = look_up(address, flags | AI_NUMERICHOST, &list);
    if (answer == EAI_NONAME && *address->host)
        answer = look_up_patiently(address, flags, deadline_ms, cancel, &list, &given_up);
    if (retry)
        *retry = answer == EAI_AGAIN;
    if (!answer) {
        *out = list;
        return TALLY_OK;
    }
    if (answer == EAI_MEMORY)
        return party_no_memory(error, "a name lookup");
    if (given_up && cancel && party_cancelled(cancel))
        return party_fail(error, TALLY_ERR_INTERRUPTED, "interrupted while looking up %s", address->host);
    if (answer == EAI_AGAIN) {
        party_fail(error, TALLY_ERR_NETWORK, "no name server answered for host %s", address->host);
        return TALLY_ERR_NETWORK;
    }
    party_fail(error, TALLY_ERR_NETWORK, "unknown host %s: %s", address->host,
               party_word(gai_strerror(answer)));
    party_hint(error, "check the spelling of the host name, or give its numeric address");
    return TALLY_ERR_NETWORK;
}
