/* Fuzzes saved logits. The input is changes of a file that was written here, whose header is sealed again as the first byte
 * says; or, after 0, the whole file. Either refused with a message, at opening or at a portion, or every row is there. */
#include <xxhash.h>
#include <zstd.h>

#include "quant/measure/logits_file.h"
#include "quant/measure/logits_header.h"
#include "tests/fuzz/fuzz_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VOCAB = 20, COLS = 32, CONTEXT = 8, CHUNKS = 2, ROWS = CHUNKS * 3, MOST = 1 << 16 };

static int32_t ids[CHUNKS * CONTEXT];
static struct mote_plan plan = {.ids = ids, .context = CONTEXT, .chunks = CHUNKS, .first = 4, .chunk_rows = 3, .vocab = VOCAB,
				.ids_hash = {5, 6}};
static uint8_t saved[MOST], changed[MOST];
static size_t saved_bytes;

static size_t add_frame(size_t at, const void *data, size_t bytes)
{
	size_t packed = ZSTD_compress(saved + at, MOST - at, data, bytes, 1);

	if (ZSTD_isError(packed))
		abort();
	return packed;
}

static void prepare(void)
{
	struct mote_logits_header h = {.magic = MOTE_LOGITS_MAGIC, .version = MOTE_LOGITS_VERSION, .vocab = VOCAB, .cols = COLS,
				       .type = MOTE_F32, .context = CONTEXT, .first = 4, .chunk_rows = 3, .chunks = CHUNKS, .ids = {5, 6}};
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

static void read_rows(struct mote_logits *s)
{
	struct mote_error error = {0};
	const float *logits;
	volatile float sum = 0;

	for (uint32_t row = 0; row < ROWS; row += s->portion_rows) {
		uint32_t rows = ROWS - row < s->portion_rows ? ROWS - row : s->portion_rows;

		if (s->read(s, rows, &logits, &error)) {
			if (!error.message[0])
				abort();
			return;
		}
		for (uint32_t i = 0; i < rows * VOCAB; i++)
			sum += logits[i];
		s->row += rows;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mote_error error = {0};
	struct mote_hash128 tensors;
	struct mote_logits *s;
	size_t bytes;
	char path[128];

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
	fuzz_write("logits", changed, bytes);
	if (mote_logits_from_file(fuzz_path(path, "logits"), &plan, 1, "scalar", &s, &tensors, &error)) {
		if (!error.message[0])
			abort();
		return 0;
	}
	read_rows(s);
	s->close(s);
	return 0;
}
