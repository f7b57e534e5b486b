/* Which table: what the machine can run, capped by name. */
#include <stdlib.h>
#include <string.h>

#include "runtime/kernels/tables.h"

/* All tables that exist, in ascending order, each with the test whether this machine can run it. */
struct table {
	const char *name;
	void (*init)(struct mote_kernels *k);
	bool (*can_run)(void);
};

static bool always(void)
{
	return true;
}

static const struct table tables[] = {
	{ "scalar", mote_kernels_init_scalar, always },
};

enum { N_TABLES = sizeof tables / sizeof *tables };

/* Each table builds on the ones before it that the machine can run. */
static void build(struct mote_kernels *k, size_t last)
{
	memset(k, 0, sizeof *k);
	for (size_t i = 0; i <= last; i++)
		if (tables[i].can_run())
			tables[i].init(k);
}

enum mote_status mote_kernels_select(const char *isa, struct mote_kernels *out, struct mote_error *error)
{
	size_t i = N_TABLES;

	if (!isa)
		isa = getenv("MOTE_ISA");
	if (!isa || !*isa) {
		build(out, N_TABLES - 1);
		return MOTE_OK;
	}
	while (i > 0 && strcmp(tables[i - 1].name, isa) != 0)
		i--;
	if (i == 0) {
		char names[128] = "";
		for (size_t j = 0; j < N_TABLES; j++) {
			strcat(names, j ? ", " : "");
			strcat(names, tables[j].name);
		}
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "instruction set \"%s\": unknown, expected one of %s",
				      isa, names);
	}
	if (!tables[i - 1].can_run())
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "instruction set \"%s\": this machine lacks it", isa);
	build(out, i - 1);
	return MOTE_OK;
}

uint32_t mote_kernels_list(struct mote_kernels list[MOTE_MAX_TABLES])
{
	uint32_t n = 0;

	for (size_t i = 0; i < N_TABLES; i++)
		if (tables[i].can_run())
			build(&list[n++], i);
	return n;
}
