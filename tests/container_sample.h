/* A good container in memory, for tests that damage it: made once, copied by every test. */
#ifndef MOTE_TESTS_CONTAINER_SAMPLE_H
#define MOTE_TESTS_CONTAINER_SAMPLE_H

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/tool/console.h"
#include "format/writer.h"
#include "tests/container_seal.h"

/* A vector whose size is no multiple of 64, matrices of three types, all sections. */
struct file {
	uint8_t *data;
	size_t bytes;
};

static inline void must(enum mote_status status, const struct mote_error *error)
{
	if (status != MOTE_OK)
		fail_msg("%s", error->message);
}

static inline void write_sample(const char *path)
{
	static const struct { const char *name; uint32_t rank; enum mote_type type; uint32_t rows, cols; } plan[] = {
		{"norm", 1, MOTE_F32, 5, 1}, {"a.weight", 2, MOTE_Q4, 17, 33},
		{"b.weight", 2, MOTE_Q8, 3, 31}, {"\xc3\xbc", 2, MOTE_F16, 1, 3}, {"last", 1, MOTE_F32, 1, 1},
	};
	static const uint8_t codebook[16] = {1, 20, 40, 60, 80, 100, 110, 120, 128, 136, 150, 170, 190, 210, 230, 255};
	struct mote_error error = {0};
	struct mote_writer *w;
	cJSON *json;

	must(mote_writer_open(path, true, &w, &error), &error);
	for (size_t i = 0; i < 5; i++)
		must(mote_writer_add_tensor(w, plan[i].name, plan[i].rank, plan[i].type, plan[i].rows, plan[i].cols,
					    codebook, &error), &error);
	for (size_t i = 0; i < 5; i++) {
		struct mote_matrix m;
		uint64_t bytes = plan[i].rows * 4;
		uint8_t *data;

		if (plan[i].rank == 2)
			mote_matrix_init(&m, plan[i].type, plan[i].rows, plan[i].cols, NULL, NULL, &bytes, NULL);
		data = malloc(bytes);
		for (uint64_t j = 0; j < bytes; j++)
			data[j] = (uint8_t)(j * 7 + i);
		must(mote_writer_write(w, data, bytes / 3, &error), &error); /* in pieces */
		must(mote_writer_write(w, data + bytes / 3, bytes - bytes / 3, &error), &error);
		free(data);
	}
	json = cJSON_Parse("{\"format\":\"mote\",\"list\":[1,2,3]}");
	must(mote_writer_put_json(w, MOTE_SECTION_METADATA, json, &error), &error);
	must(mote_writer_put_json(w, MOTE_SECTION_SENSITIVITY, json, &error), &error);
	cJSON_Delete(json);
	must(mote_writer_put_section(w, MOTE_SECTION_TOKENIZER, "tokens", 6, &error), &error);
	json = cJSON_Parse("[{\"receipt\":1}]");
	must(mote_writer_put_json(w, MOTE_SECTION_RECEIPTS, json, &error), &error);
	cJSON_Delete(json);
	must(mote_writer_finish(w, &error), &error);
	must(mote_writer_commit(w, &error), &error);
}

static struct file sample; /* made once, copied by every test */
static char folder[] = "/tmp/test_container.XXXXXX";

static inline int make_sample(void **state)
{
	char path[64];
	struct mote_error error = {0};
	char *data;

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/sample.mote", folder);
	write_sample(path);
	must(mote_console_read_file(path, 1 << 20, &data, &sample.bytes, &error), &error);
	sample.data = (uint8_t *)data;
	unlink(path);
	return 0;
}

static inline int remove_folder(void **state)
{
	(void)state;
	free(sample.data);
	return rmdir(folder); /* fails when a test left something behind */
}

static inline struct file copy_sample(void)
{
	struct file f = {malloc(sample.bytes), sample.bytes};
	memcpy(f.data, sample.data, f.bytes);
	return f;
}

/* Opens a copy that is exactly so long, for the address sanitizer. Closes c unless out wants it. */
static inline enum mote_status open_exactly(const uint8_t *data, size_t bytes, struct mote_error *error)
{
	struct mote_container *c;
	void *copy;
	enum mote_status status;

	assert_int_equal(posix_memalign(&copy, 64, bytes ? bytes : 1), 0);
	memcpy(copy, data, bytes);
	status = mote_container_open_memory(copy, bytes, "test", &c, error);
	assert_true((status == MOTE_OK) == (c != NULL));
	mote_container_close(c);
	free(copy);
	return status;
}

/* Records of the sample. */
enum where { HEADER, DIRECTORY, TENSOR_0, TENSOR_1, TENSOR_4, NAMES, SECTION_0, SECTION_1, SECTION_2, SECTION_3,
	     SECTION_4, FILE_AT };

static inline uint8_t *place(const struct file *f, enum where where)
{
	struct mote_layout_header h;
	struct mote_layout_section sections[5];
	uint8_t *directory;

	memcpy(&h, f->data, sizeof h);
	memcpy(sections, f->data + h.table_offset, sizeof sections);
	directory = f->data + sections[0].offset;
	switch (where) {
	case HEADER: case FILE_AT: return f->data;
	case DIRECTORY: return directory;
	case TENSOR_0: return directory + 8;
	case TENSOR_1: return directory + 8 + 72;
	case TENSOR_4: return directory + 8 + 4 * 72;
	case NAMES: return directory + 8 + 5 * 72;
	default: return f->data + h.table_offset + (size_t)(where - SECTION_0) * 48;
	}
}

#endif
