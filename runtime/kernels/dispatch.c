/* Which table: what the machine can run, capped by name. */
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "format/portable.h"
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

#if defined(__x86_64__)

/* What cpuid and XCR0 allow: an instruction set counts when the processor has it and the operating system saves
 * its registers. Bits from the Intel SDM, volume 2, CPUID, and volume 1, 13.3. */
struct x86 {
	bool avx2, avxvnni, avx512, amx;
};

static struct x86 detect_x86(void)
{
	unsigned a, b, c, d, low, high, one_c, seven_b, seven_c, seven_d, max_subleaf;
	struct x86 cpu = {false, false, false, false};
	bool ymm, zmm;

	if (!__get_cpuid(1, &a, &b, &one_c, &d) || !(one_c & bit_OSXSAVE) ||
	    !__get_cpuid_count(7, 0, &max_subleaf, &seven_b, &seven_c, &seven_d))
		return cpu;
	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	ymm = (low & 0x06) == 0x06; /* SSE and AVX state */
	zmm = (low & 0xe6) == 0xe6; /* and opmask, upper ZMM halves, ZMM16-31 */
	cpu.avx2 = ymm && (one_c & bit_AVX) && (one_c & bit_FMA) && (one_c & bit_F16C) && (seven_b & bit_AVX2);
	if (cpu.avx2 && max_subleaf >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
		cpu.avxvnni = a >> 4 & 1;
	cpu.avx512 = cpu.avx2 && zmm && (seven_b & bit_AVX512F) && (seven_b & bit_AVX512BW) &&
		     (seven_b & bit_AVX512VL) && (seven_b & bit_AVX512DQ) && (seven_c >> 11 & 1 /* VNNI */);
	cpu.amx = cpu.avx512 && (low >> 17 & 3) == 3 /* tile configuration and data */ &&
		  (seven_d >> 24 & 1) && (seven_d >> 25 & 1); /* AMX-TILE, AMX-INT8 */
	return cpu;
}

static bool can_avx2(void)
{
	return detect_x86().avx2;
}

static bool can_avxvnni(void)
{
	return detect_x86().avxvnni;
}

static bool can_avx512(void)
{
	return detect_x86().avx512;
}

/* Linux gives a process the tiles' 8 KiB of state only when it asks. */
static bool can_amx(void)
{
	return detect_x86().amx && mote_portable_ask_for_tiles();
}

static void init_avx2(struct mote_kernels *k)
{
	k->name = "avx2";
	mote_kernels_init_avx2_matmul(k);
	mote_kernels_init_avx2_vector(k);
	mote_kernels_init_avx2_train(k);
}

static void init_avxvnni(struct mote_kernels *k)
{
	k->name = "avxvnni";
	mote_kernels_init_avxvnni_matmul(k);
}

static void init_avx512(struct mote_kernels *k)
{
	k->name = "avx512";
	mote_kernels_init_avx512_matmul(k);
	mote_kernels_init_avx512_vector(k);
	mote_kernels_init_avx512_train(k);
}

static void init_amx(struct mote_kernels *k)
{
	k->name = "amx";
	mote_kernels_init_amx_matmul(k);
}

#elif defined(__aarch64__)

static void init_neon(struct mote_kernels *k)
{
	k->name = "neon";
	mote_kernels_init_neon_matmul(k);
	mote_kernels_init_neon_vector(k);
	mote_kernels_init_neon_train(k);
}

static void init_dotprod(struct mote_kernels *k)
{
	k->name = "dotprod";
	mote_kernels_init_dotprod_matmul(k);
}

#endif

static const struct table tables[] = {
	{"scalar", mote_kernels_init_scalar, always},
#if defined(__x86_64__)
	{"avx2", init_avx2, can_avx2},
	{"avxvnni", init_avxvnni, can_avxvnni},
	{"avx512", init_avx512, can_avx512},
	{"amx", init_amx, can_amx},
#elif defined(__aarch64__)
	{"neon", init_neon, always},
	{"dotprod", init_dotprod, mote_portable_has_dotprod},
#endif
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
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "instruction set \"%s\": this machine lacks it",
				      isa);
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
