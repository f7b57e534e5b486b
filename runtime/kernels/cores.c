/* How many cores a process may use: the default number of threads. Linux tells in /sys; elsewhere all that are
 * online count. */
#include "runtime/kernels/cores.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "format/portable.h"
#include "runtime/kernels/pool.h"

static bool is_allowed(const struct mote_cpus *cpus, unsigned cpu)
{
	return cpus->mask[cpu / 64] >> cpu % 64 & 1;
}

/* A core counts once, at the lowest of its hyper-threads that the affinity mask allows: true when an earlier CPU
 * of the mask is a sibling of this one. The file's text is like "0,4" or "0-1". */
static bool has_earlier_sibling(const char *root, const struct mote_cpus *allowed, unsigned cpu)
{
	char path[256];
	FILE *f;
	unsigned first, last;
	bool found = false;

	snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", root, cpu);
	f = fopen(path, "r");
	if (!f)
		return false;
	while (fscanf(f, "%u", &first) == 1) {
		int separator = fgetc(f);
		last = first;
		if (separator == '-') {
			if (fscanf(f, "%u", &last) != 1)
				break;
			separator = fgetc(f);
		}
		for (unsigned i = first; i <= last && i < cpu; i++)
			found = found || is_allowed(allowed, i);
		if (separator != ',')
			break;
	}
	fclose(f);
	return found;
}

/* Whole cores of the control group's quota ("max 100000" or "150000 100000"); 0: no limit known. */
static uint32_t quota_cores(const char *root)
{
	char path[256];
	long quota = 0, period = 0;
	FILE *f;

	snprintf(path, sizeof path, "%s/sys/fs/cgroup/cpu.max", root);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fscanf(f, "%ld %ld", &quota, &period) != 2 || quota <= 0 || period <= 0)
		quota = 0, period = 1;
	fclose(f);
	return (uint32_t)((quota + period - 1) / period);
}

uint32_t mote_cores_count(const char *root, const struct mote_cpus *allowed)
{
	uint32_t cores = 0, quota = quota_cores(root);

	for (unsigned cpu = 0; cpu < MOTE_MAX_CPUS; cpu++)
		if (is_allowed(allowed, cpu) && !has_earlier_sibling(root, allowed, cpu))
			cores++;
	if (quota > 0 && quota < cores)
		cores = quota;
	if (cores > MOTE_MAX_THREADS)
		cores = MOTE_MAX_THREADS;
	return cores > 0 ? cores : 1;
}

uint32_t mote_pool_physical_cores(void)
{
	struct mote_cpus allowed;
	long online;

	if (mote_cpus_allowed(&allowed))
		return mote_cores_count("", &allowed);
	online = sysconf(_SC_NPROCESSORS_ONLN);
	return online < 1 ? 1 : online > MOTE_MAX_THREADS ? MOTE_MAX_THREADS : (uint32_t)online;
}
