/* SPDX-License-Identifier: Apache-2.0 */
#include "party/expiry.h"

#include "party/error.h"
#include "party/identity.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define DAY_S 86400

void party_warn(tally_session *s, int say, const char *format, ...)
{
    char line[1024];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    if (s->warning_count < PARTY_WARNINGS)
        party_render(s->warnings[s->warning_count++], sizeof s->warnings[0], 0, format, again);
    if (say && s->on_log) {
        party_render(line, sizeof line, 1, format, args);
        s->on_log(s->on_log_user, 0, line);
    }
    va_end(again);
    va_end(args);
}

/* Days from now, 0 when less than one is left; 1 when that is soon. */
static int is_soon(int64_t until, int *days)
{
    int64_t left = until - (int64_t)time(NULL);
    *days = left > 0 ? (int)(left / DAY_S) : 0;
    return left < (int64_t)PARTY_EXPIRY_DAYS * DAY_S;
}

/* Days between two days of the calendar, yyyymmdd. */
static int days_between(uint32_t from, uint32_t to)
{
    struct tm a = {.tm_year = (int)(from / 10000) - 1900,
                   .tm_mon = (int)(from / 100 % 100) - 1,
                   .tm_mday = (int)(from % 100)},
              b = {.tm_year = (int)(to / 10000) - 1900,
                   .tm_mon = (int)(to / 100 % 100) - 1,
                   .tm_mday = (int)(to % 100)};
    return (int)((timegm(&b) - timegm(&a)) / DAY_S);
}

static void warn_agreement(tally_session *s)
{
    unsigned y, m, d;
    const char *until = tally_agreement_valid_until(s->agreement);
    if (!s->today || sscanf(until, "%4u-%2u-%2u", &y, &m, &d) != 3)
        return;
    int days = days_between(s->today, y * 10000 + m * 100 + d);
    if (days >= 0 && days < PARTY_EXPIRY_DAYS)
        party_warn(s, 1, "the agreement ends on %s, in %d days: a new one has to be signed", until, days);
}

void party_expiry_own(tally_session *s)
{
    char when[32];
    int days;
    if (s->identity && is_soon(s->identity->not_after, &days)) {
        party_time_text(when, s->identity->not_after);
        party_warn(s, 0, "our own certificate expires on %s, in %d days", when, days);
    }
    int64_t overlap = s->identity ? tally_identity_overlap_until(s->identity) : 0;
    if (overlap && is_soon(overlap, &days)) {
        party_time_text(when, overlap);
        party_warn(s, 0, "our own key is accepted until %s, for %d days; the new one is to be put in place",
                   when, days);
    }
    if (s->agreement)
        warn_agreement(s);
}

void party_expiry_peer(tally_session *s)
{
    char when[32];
    int days;
    if (is_soon(s->channel.peer_until, &days)) {
        party_time_text(when, s->channel.peer_until);
        party_warn(s, 1, "the other side's certificate expires on %s, in %d days: it has to renew it", when,
                   days);
    }
    if (s->channel.peer_key_until && is_soon(s->channel.peer_key_until, &days)) {
        party_time_text(when, s->channel.peer_key_until);
        party_warn(
            s, 1,
            "the other side's key was replaced and is accepted until %s, for %d days: it has to use its new "
            "key",
            when, days);
    }
}
