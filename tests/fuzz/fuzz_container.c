/* Fuzzes the container's reader. The checksums of the input are made right first, or nothing would get past
 * them. Whatever opens must be safe to read to its last byte. */
#include <stdint.h>
#include <stdlib.h>

#include "tests/container_seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void read_everything(const struct mote_container *c)
{
	for (uint32_t i = 0; i < mote_container_tensor_count(c); i++) {
		const struct mote_tensor *t = mote_container_tensor(c, i);
		uint32_t values = t->rank == 1 ? t->rows : t->cols;
		float *row = malloc(values * sizeof *row);

		if (mote_container_find(c, t->name) != t)
			abort();
		if (t->rank == 1) {
			memcpy(row, t->vector, values * sizeof *row);
		} else {
			mote_matrix_decode_row(&t->matrix, 0, row);
			mote_matrix_decode_row(&t->matrix, t->rows - 1, row);
		}
		free(row);
	}
	for (uint32_t i = 0; i < mote_container_section_count(c); i++) {
		size_t n;
		const void *section = mote_container_section(c,
							     (enum mote_section)mote_container_section_info(c, i)->kind,
							     &n);

		if (mote_layout_hash(section, n).low != mote_container_section_info(c, i)->hash.low)
			abort();
	}
	mote_container_verify(c, NULL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct mote_container *c;
	void *copy;

	if (posix_memalign(&copy, 64, bytes ? bytes : 1) != 0)
		return 0;
	memcpy(copy, data, bytes);
	seal_container(copy, bytes);
	if (mote_container_open_memory(copy, bytes, "fuzz", &c, NULL) == MOTE_OK)
		read_everything(c);
	mote_container_close(c);
	free(copy);
	return 0;
}
