/* The AMX products against the AVX-512 table, bit by bit, on any machine that has AVX-512: the tile instructions are
 * played in plain C, after their description in the Intel SDM, and with what the processor would refuse refused here.
 * Where the machine has the instructions, test_kernels runs them. */
#include <stdio.h>

#if defined(__x86_64__)

#include <immintrin.h>

#include "tests/kernel_inputs.h"

static struct {
	bool configured;
	uint8_t rows[16];
	uint16_t row_bytes[16];
	uint8_t tile[8][16][64];
} played;

static void must(bool ok, const char *what)
{
	check(ok, "amx", what);
}

static void play_loadconfig(const uint8_t *memory)
{
	must(memory[0] == 1 && memory[1] == 0, "palette or start row");
	for (int i = 2; i < 16; i++)
		must(memory[i] == 0, "a reserved byte of the configuration is set");
	for (int i = 0; i < 16; i++) {
		memcpy(&played.row_bytes[i], memory + 16 + 2 * i, 2);
		played.rows[i] = memory[48 + i];
		must(played.row_bytes[i] <= 64 && played.rows[i] <= 16 &&
		     (i < 8 || played.rows[i] + played.row_bytes[i] == 0), "the configuration is beyond palette 1");
		must((played.row_bytes[i] == 0) == (played.rows[i] == 0), "half a tile");
	}
	memset(played.tile, 0, sizeof played.tile);
	played.configured = true;
}

static void play_release(void)
{
	must(played.configured, "released twice");
	played.configured = false;
}

static void in_use(int t)
{
	must(played.configured && t < 8 && played.rows[t], "a tile that is not configured");
}

static void play_zero(int t)
{
	in_use(t);
	memset(played.tile[t], 0, sizeof played.tile[t]);
}

static void play_load(int t, const void *memory, size_t stride)
{
	in_use(t);
	memset(played.tile[t], 0, sizeof played.tile[t]);
	for (size_t r = 0; r < played.rows[t]; r++)
		memcpy(played.tile[t][r], (const uint8_t *)memory + r * stride, played.row_bytes[t]);
}

static void play_store(int t, void *memory, size_t stride)
{
	in_use(t);
	for (size_t r = 0; r < played.rows[t]; r++)
		memcpy((uint8_t *)memory + r * stride, played.tile[t][r], played.row_bytes[t]);
}

static void play_dpbssd(int c, int a, int b)
{
	in_use(a);
	in_use(b);
	in_use(c);
	must(played.rows[c] == played.rows[a] && played.row_bytes[c] == played.row_bytes[b] &&
	     played.row_bytes[a] == 4 * played.rows[b], "shapes of a product do not match");
	for (size_t m = 0; m < played.rows[c]; m++)
		for (size_t k = 0; k < played.rows[b]; k++)
			for (size_t n = 0; n < played.row_bytes[c] / 4; n++) {
				int32_t sum;

				memcpy(&sum, played.tile[c][m] + 4 * n, 4);
				for (size_t i = 0; i < 4; i++)
					sum += (int8_t)played.tile[a][m][4 * k + i] *
					       (int8_t)played.tile[b][k][4 * n + i];
				memcpy(played.tile[c][m] + 4 * n, &sum, 4);
			}
}

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbssd
#define _tile_loadconfig(memory) play_loadconfig((const uint8_t *)(memory))
#define _tile_release() play_release()
#define _tile_zero(t) play_zero(t)
#define _tile_loadd(t, memory, stride) play_load(t, memory, stride)
#define _tile_stored(t, memory, stride) play_store(t, memory, stride)
#define _tile_dpbssd(c, a, b) play_dpbssd(c, a, b)
#define mote_kernels_init_amx_matmul played_init
#include "runtime/kernels/x86/amx_matmul.c"

static void test_case(const struct mote_kernels *avx512, const struct mote_kernels *amx, uint32_t index)
{
	static const enum mote_type types[] = { MOTE_Q8, MOTE_Q6, MOTE_Q5, MOTE_Q4, MOTE_Q3,
						MOTE_Q8B, MOTE_Q6B, MOTE_Q5B, MOTE_Q4B, MOTE_Q3B };
	const enum mote_type type = types[index % 10];
	/* short rows, rows of usual length, and more blocks than are unpacked at once */
	const uint32_t cols = index % 3 == 0 ? random_between(1, 100) : index % 3 == 1 ? random_between(500, 700) :
			      random_between(32 * CHUNK - 40, 32 * CHUNK + 200);
	const uint32_t rows = random_between(1, 100), a_rows = random_between(1, 50);
	enum values kind = random_u32() % VALUE_KINDS;
	struct guarded_activations a = activations_new(a_rows, cols, true);
	struct guarded data, codebook = guarded_new(16, 1, true), out[2];
	struct mote_kernels scalar;
	struct mote_matrix m;
	uint32_t first, n_panels, row, n_rows;
	uint64_t bytes;
	size_t stride;

	snprintf(shape, sizeof shape, "case %u: %s, %u x %u, %u activations, values %d", index, mote_type_name(type),
		 rows, cols, a_rows, (int)kind);
	for (int i = 0; i < 16; i++)
		((uint8_t *)codebook.data)[i] = (uint8_t)random_u32();
	must(!mote_kernels_select("scalar", &scalar, NULL), "no scalar table");
	must(!mote_matrix_init(&m, type, rows, cols, NULL, codebook.data, &bytes, NULL), "no matrix");
	data = guarded_new(bytes, 64, true);
	m.data = data.data;
	fill_matrix(&m, data.data, kind);
	activations_fill(&scalar, &a.a, kind);
	first = random_between(0, m.panels - 1);
	n_panels = random_between(1, m.panels - first);
	row = random_between(0, a_rows - 1);
	n_rows = random_between(1, a_rows - row);
	stride = (size_t)n_panels * 16 + random_between(0, 20);
	for (int i = 0; i < 2; i++)
		out[i] = guarded_new(((n_rows - 1) * stride + (size_t)n_panels * 16) * 4, 4, true);
	avx512->multiply[type](&m, first, n_panels, &a.a, row, n_rows, out[0].data, stride);
	amx->multiply[type](&m, first, n_panels, &a.a, row, n_rows, out[1].data, stride);
	must(!memcmp(out[0].data, out[1].data, out[0].bytes), "differs from AVX-512, or wrote beside its rows");
	must(!played.configured, "the tiles were not released");
	guarded_free(&out[0]);
	guarded_free(&out[1]);
	guarded_free(&data);
	guarded_free(&codebook);
	activations_free(&a);
}

int main(void)
{
	const uint32_t cases = 600;
	struct mote_kernels avx512, amx;

	if (mote_kernels_select("avx512", &avx512, NULL)) {
		printf("this machine has no AVX-512, which the rest of the products are written with\n1 passed, 0 "
		       "failed\n");
		return 0;
	}
	amx = avx512;
	played_init(&amx);
	for (uint32_t i = 0; i < cases; i++) {
		begin_case("amx", i);
		test_case(&avx512, &amx, i);
	}
	printf("%u passed, 0 failed\n", cases);
	return 0;
}

#else

int main(void)
{
	printf("not an x86 machine\n1 passed, 0 failed\n");
	return 0;
}

#endif
