/* Fuzzes saved logits. The input is changes of a file that was written here, whose header is sealed again as the first
 * byte says; or, after 0, the whole file. Either refused with a message, at opening or at a portion,
 * or every row is there. */
#include <xxhash.h>
#include <zstd.h>

#include "quant/measure/logits_file.h"
#include "quant/measure/logits_header.h"
#include "tests/fuzz/fuzz_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VOCAB = 20, COLS = 32, CONTEXT = 8, CHUNKS = 2, ROWS = CHUNKS * 3, MOST = 1 << 16 };

static int32_t ids[CHUNKS * CONTEXT];
static struct mote_plan plan = {.ids = ids, .context = CONTEXT, .chunks = CHUNKS, .first = 4, .chunk_rows = 3,
				.vocab = VOCAB, .ids_hash = {5, 6}};
static uint8_t saved[MOST], changed[MOST];
static size_t saved_bytes;

static size_t add_frame(size_t at, const void *data, size_t bytes)
{
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	size_t packed;

	if (!zstd || ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1)) ||
	    ZSTD_isError(packed = ZSTD_compress2(zstd, saved + at, MOST - at, data, bytes)))
		abort();
	ZSTD_freeCCtx(zstd);
	return packed;
}

static void prepare(void)
{
	struct mote_logits_header h = {.magic = MOTE_LOGITS_MAGIC, .version = MOTE_LOGITS_VERSION, .vocab = VOCAB,
				       .cols = COLS, .type = MOTE_F32, .context = CONTEXT, .first = 4, .chunk_rows = 3,
				       .chunks = CHUNKS, .ids = {5, 6}};
	struct mote_matrix head;
	struct mote_logits portions;
	uint64_t bytes;
	size_t at = sizeof h;

	if (mote_matrix_init(&head, MOTE_F32, VOCAB, COLS, NULL, NULL, &bytes, NULL) || bytes > sizeof changed)
		abort();
	mote_logits_init(&portions, &plan);
	for (size_t i = 0; i + 4 <= bytes; i += 4)
		memcpy(changed + i, (float[1]){(float)(i % 37) / 16}, 4);
	h.portion_rows = portions.portion_rows;
	h.head_bytes = bytes;
	h.head_compressed = add_frame(at, changed, bytes);
	h.check = mote_logits_header_checksum(&h);
	at += h.head_compressed;
	memset(changed, 0, sizeof changed);
	for (uint32_t row = 0; row < ROWS; row += portions.portion_rows) {
		uint32_t rows = ROWS - row < portions.portion_rows ? ROWS - row : portions.portion_rows;
		uint32_t packed = (uint32_t)add_frame(at + 4, changed, (size_t)rows * COLS * 4);

		memcpy(saved + at, &packed, 4);
		at += 4 + packed;
	}
	memcpy(saved, &h, sizeof h);
	saved_bytes = at;
}

static void seal(uint8_t *f, size_t bytes)
{
	struct mote_logits_header h;

	if (bytes < sizeof h)
		return;
	memcpy(&h, f, sizeof h);
	h.check = mote_logits_header_checksum(&h);
	memcpy(f, &h, sizeof h);
}

/* Whether all rows were read, from what "changed" holds; and a hash of them. */
static bool read_file(size_t bytes, uint64_t *hash)
{
	struct mote_error error = {0};
	struct mote_hash128 tensors;
	struct mote_logits *s;
	const float *logits;
	char path[128];

	*hash = 0;
	fuzz_write("logits", changed, bytes);
	if (mote_logits_from_file(fuzz_path(path, "logits"), &plan, 1, "scalar", &s, &tensors, &error)) {
		if (!error.message[0])
			abort();
		return false;
	}
	for (uint32_t row = 0; row < ROWS && !error.code; row += s->portion_rows) {
		uint32_t rows = ROWS - row < s->portion_rows ? ROWS - row : s->portion_rows;

		if (s->read(s, rows, &logits, &error) && !error.message[0])
			abort();
		if (!error.code)
			*hash = XXH3_64bits_withSeed(logits, rows * VOCAB * sizeof *logits, *hash);
		s->row += rows;
	}
	s->close(s);
	return !error.code;
}

#ifdef FUZZER
/* Every length, and every bit of what was saved: either it is noticed, or (a bit that zstd has no use for) nothing is
 * different. */
#define FUZZ_SWEEP sweep
static void sweep(void)
{
	uint64_t right, hash;
	size_t same = 0;

	prepare();
	memcpy(changed, saved, saved_bytes);
	if (!read_file(saved_bytes, &right))
		abort();
	for (size_t bytes = 0; bytes < saved_bytes; bytes++)
		if (read_file(bytes, &hash))
			abort();
	for (size_t bit = 0; bit < 8 * saved_bytes; bit++) {
		changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (read_file(saved_bytes, &hash) && (hash != right || ++same > 16))
			abort();
		changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t hash;
	size_t bytes;

	if (!saved_bytes)
		prepare();
	if (!size || size > MOST)
		return 0;
	if (data[0]) {
		memcpy(changed, saved, saved_bytes);
		bytes = fuzz_change(changed, saved_bytes, data + 1, size - 1);
	} else {
		bytes = size - 1;
		memcpy(changed, data + 1, bytes);
	}
	if (!data[0] || (data[0] & 1))
		seal(changed, bytes);
	read_file(bytes, &hash);
	return 0;
}
