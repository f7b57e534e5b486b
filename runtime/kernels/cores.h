/* How many cores there are, from what Linux tells below a folder: pool.h has the question, this is for its test. */
#ifndef MOTE_RUNTIME_KERNELS_CORES_H
#define MOTE_RUNTIME_KERNELS_CORES_H

#include <stdint.h>

#include "format/portable.h"

/* Cores of the allowed CPUs: siblings that root/sys/devices/system/cpu names count once, and the quota in
 * root/sys/fs/cgroup/cpu.max, in whole cores, is the most. 1 to MOTE_MAX_THREADS. root: "" for this machine. */
uint32_t mote_cores_count(const char *root, const struct mote_cpus *allowed);

#endif
