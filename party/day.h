/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calendar day of a time zone: takes the name of a zone and a time, gives the day, by the zone files of
 * this machine, RFC 8536. For quotas, validity and consent of an agreement. Called by party/session. Nothing
 * here depends on TZ, /etc/localtime or the zone of the process, and nothing changes them.
 */
#ifndef PARTY_DAY_H
#define PARTY_DAY_H

#include "party/tally.h"

#define PARTY_ZONES "/usr/share/zoneinfo/"
#define PARTY_ZONE_MAX 64u             /* characters of a name */
#define PARTY_ZONE_FILE_MAX (1u << 18) /* bytes of a zone file; the longest have 4 KiB */

/* 1 if the text may be the IANA name of a zone, and none of this machine's own (localtime, posix/...). */
int party_zone_name(const char *name);

/*
 * The day in this zone at `seconds` since 1970 UTC (0 to the end of the year 9998), as yyyymmdd. "UTC" needs
 * no file. TALLY_ERR_USAGE: no such name, or a time out of range. TALLY_ERR_FILE: there is no file of that
 * zone, or none that can be read.
 */
tally_status party_day_in_zone(const char *zone, int64_t seconds, uint32_t *yyyymmdd,
                               tally_error *error) TALLY_MUST_CHECK;

/* Seconds east of UTC at that time by a zone file, version 2 or later; 0: it is none, or damaged. For the
 * above and tests. */
int party_zone_offset(const uint8_t *file, size_t len, int64_t seconds, int32_t *offset);

#endif
