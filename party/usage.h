/* SPDX-License-Identifier: Apache-2.0 */
/* What the whole process has used so far: processor time and memory. Called by party/session and by the
 * calibration. */
#ifndef PARTY_USAGE_H
#define PARTY_USAGE_H

#include <stdint.h>

/* Processor time of all threads, seconds. */
double party_cpu_seconds(void);
/* Most memory that was resident at once, and what is resident now, bytes; 0 where the kernel does not say. */
uint64_t party_peak_bytes(void);
uint64_t party_resident_bytes(void);

#endif
