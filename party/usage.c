/* SPDX-License-Identifier: Apache-2.0 */
#include "party/usage.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

double party_cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A line of /proc/self/status, "VmHWM:   1234 kB". getrusage would count what the process was before exec. */
static uint64_t status_bytes(const char *name)
{
    char line[256];
    unsigned long long kib = 0;
    size_t len = strlen(name);
    FILE *f = fopen("/proc/self/status", "re");
    if (!f)
        return 0;
    while (fgets(line, sizeof line, f))
        if (strncmp(line, name, len) == 0 && sscanf(line + len, ": %llu", &kib) == 1)
            break;
    fclose(f);
    return (uint64_t)kib * 1024;
}

uint64_t party_peak_bytes(void)
{
    return status_bytes("VmHWM");
}

uint64_t party_resident_bytes(void)
{
    return status_bytes("VmRSS");
}
