/* Rows of a weight as they are read: every form of them, any first row, and not one byte beyond the last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "convert/gguf/gguf_types.h"
#include "convert/hf/hf_lora.h"
#include "convert/hf/safetensors.h"
#include "convert/weight_rows.h"
#include "format/half.h"

enum { ROWS = 12, COLS = 64, BEFORE = 24, AROUND = 8 };

static struct mote_source_file file;

/* The file's rows behind some other bytes: each element says where it is. */
static float element(uint32_t row, uint32_t col)
{
	return (float)row + (float)col / 64;
}

static void make_file(size_t element_bytes, bool blocks)
{
	char path[] = "/tmp/test_weight_rows.XXXXXX";
	uint8_t bytes[BEFORE + ROWS * COLS * 4] = {0};
	size_t used = BEFORE;

	for (uint32_t r = 0; r < ROWS; r++)
		for (uint32_t c = 0; c < COLS; c++) {
			float x = element(r, c);
			uint16_t half = mote_f16_from_f32(x);

			if (blocks && c % 32 == 0) { /* Q8_0: a scale of 1 + row, then the column */
				half = mote_f16_from_f32((float)(1 + r));
				memcpy(bytes + used, &half, 2);
				used += 2;
			}
			if (blocks)
				bytes[used] = (uint8_t)c;
			else
				memcpy(bytes + used, element_bytes == 2 ? (void *)&half : (void *)&x, element_bytes);
			used += element_bytes;
		}
	file.fd = mkstemp(path);
	assert_true(file.fd >= 0);
	unlink(path);
	assert_int_equal(write(file.fd, bytes, used), (ssize_t)used);
	file.bytes = used;
}

/* Reads rows first..first + n; what lies around them stays. */
static const float *read_rows(struct mote_hf_weight *weight, uint32_t first, uint32_t n)
{
	static float out[ROWS * COLS + 2 * AROUND];
	static char name[] = "f";
	const struct mote_source source = {.file = &file, .files = 1};
	struct mote_error error = {0};

	file.name = name;
	memset(out, 0x77, sizeof out);
	if (mote_weight_rows_read(&source, weight, MOTE_F32, ROWS, COLS, first, n, (uint8_t *)(out + AROUND), &error))
		fail_msg("%s", error.message);
	for (size_t i = 0; i < AROUND * sizeof(float); i++) {
		assert_int_equal(((uint8_t *)out)[i], 0x77);
		assert_int_equal(((uint8_t *)(out + AROUND + n * COLS))[i], 0x77);
	}
	return out + AROUND;
}

static void check_rows(struct mote_hf_weight *weight, bool blocks)
{
	for (uint32_t first = 0; first < ROWS; first++)
		for (uint32_t n = 1; first + n <= ROWS; n++) {
			const float *got = read_rows(weight, first, n);

			for (uint32_t i = 0; i < n * COLS; i++) {
				uint32_t row = first + i / COLS, from = row;

				if (weight->permuted_heads) { /* neighbours are a head's first half and its second */
					uint32_t head = ROWS / weight->permuted_heads, at = row % head, half = head / 2;

					from = row - at + (at < half ? 2 * at : 2 * (at - half) + 1);
				}
				assert_true(got[i] == (blocks ? (float)(1 + from) * (float)(i % COLS)
							      : element(from, i % COLS)));
			}
		}
}

static void test_rows(void **state)
{
	static const struct {
		const char *dtype;
		size_t bytes;
		bool lora, blocks;
	} cases[] = {{"F32", 4, false, false}, {"F32", 4, true, false}, {"F16", 2, true, false},
		     {"Q8_0", 1, false, true}, {"Q8_0", 1, true, true}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (uint32_t heads = 0; heads < 4; heads++) {
			struct mote_lora_update nothing = {.rows = ROWS, .cols = COLS}; /* an adapter of rank 0 */
			struct mote_safetensors_tensor tensor = {.dtype = cases[i].dtype, .offset = BEFORE};
			struct mote_hf_weight weight = {.name = "w", .tensor = &tensor, .permuted_heads = heads};

			make_file(cases[i].bytes, cases[i].blocks);
			tensor.bytes = file.bytes - BEFORE;
			weight.lora = cases[i].lora ? &nothing : NULL;
			weight.blocks = cases[i].blocks ? mote_gguf_type_find(MOTE_GGUF_Q8_0) : NULL;
			check_rows(&weight, cases[i].blocks);
			close(file.fd);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
