/* How many cores a process may use: the default number of threads. Linux tells in /sys. */
#include "runtime/kernels/cores.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "runtime/kernels/pool.h"

/* A core counts once, at the lowest of its hyper-threads that the affinity mask allows: true when an earlier CPU
 * of the mask is a sibling of this one. The file's text is like "0,4" or "0-1". */
static bool has_earlier_sibling(const char *root, const cpu_set_t *allowed, unsigned cpu)
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
			found = found || CPU_ISSET(i, allowed);
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

uint32_t mote_cores_count(const char *root, const cpu_set_t *allowed)
{
	uint32_t cores = 0, quota = quota_cores(root);

	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, allowed) && !has_earlier_sibling(root, allowed, cpu))
			cores++;
	if (quota > 0 && quota < cores)
		cores = quota;
	if (cores > MOTE_MAX_THREADS)
		cores = MOTE_MAX_THREADS;
	return cores > 0 ? cores : 1;
}

uint32_t mote_pool_physical_cores(void)
{
	cpu_set_t allowed;

	return sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? mote_cores_count("", &allowed) : 1;
}
