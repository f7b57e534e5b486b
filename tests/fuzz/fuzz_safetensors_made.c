/* Fuzzes safetensors by files that are nearly right: of every five bytes comes a tensor, with a dtype, one or two
 * dimensions and the place that follows from those before; the fifth may spoil one thing.
 * What nothing spoiled must be read as it is. */
#include "convert/hf/safetensors.h"
#include "tests/fuzz/fuzz_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_TENSORS = 64 };

static const struct {
	const char *name;
	unsigned bytes;
} dtypes[] = {{"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8}, {"U8", 1}};

/* What a fifth byte spoils; all others nothing. */
enum { HOLE = 1, OVERLAP, SHORT, LONG, NEGATIVE, TWICE, WORD, HUGE_DIM, EXTRA, REVERSED, SPOILS };

struct made {
	char header[MOST_TENSORS * 160];
	size_t used, data;
	uint32_t tensors;
	bool spoiled;
};

static void add(struct made *m, const uint8_t *d)
{
	unsigned each = dtypes[d[0] % 5].bytes, rows = d[1] % 9, cols = d[2] % 9, spoil = d[4] % 64;
	size_t bytes = (size_t)each * rows * (d[3] & 1 ? cols : 1), begin = m->data, end = m->data + bytes;
	char shape[64];

	snprintf(shape, sizeof shape, d[3] & 1 ? "%u,%u" : "%u", rows, cols);
	begin += spoil == HOLE ? 1 : 0;
	begin -= spoil == OVERLAP && m->data ? 1 : 0;
	end += spoil == LONG ? 1 : 0;
	end -= spoil == SHORT && end ? 1 : 0;
	if (spoil == HUGE_DIM)
		snprintf(shape, sizeof shape, "4294967296,4294967296,%u", rows);
	if (spoil == REVERSED) {
		size_t swap = begin;
		begin = end;
		end = swap;
	}
	m->used += (size_t)snprintf(m->header + m->used, sizeof m->header - m->used,
				    ",\"t%02u\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%s%zu,%zu]%s}",
				    spoil == TWICE && m->tensors ? m->tensors - 1 : m->tensors,
				    spoil == WORD ? "F31" : dtypes[d[0] % 5].name, shape, spoil == NEGATIVE ? "-" : "",
				    begin, end, spoil == EXTRA ? ",\"x\":1" : "");
	m->data += bytes;
	m->tensors++;
	m->spoiled |= spoil > 0 && spoil < SPOILS;
}

static void compare(const struct mote_safetensors *s, const struct made *m, const uint8_t *data, size_t start)
{
	size_t at = start;

	if (s->tensors != m->tensors)
		abort();
	for (uint32_t i = 0; i < s->tensors; i++) {
		const uint8_t *d = data + 5 * i;
		size_t bytes = (size_t)dtypes[d[0] % 5].bytes * (d[1] % 9) * (d[3] & 1 ? d[2] % 9 : 1);
		const struct mote_safetensors_tensor *t = NULL;
		char name[16];

		snprintf(name, sizeof name, "t%02u", i);
		for (uint32_t k = 0; k < s->tensors; k++)
			t = strcmp(s->tensor[k].name, name) ? t : &s->tensor[k];
		if (!t || t->bytes != bytes || t->offset != at || strcmp(t->dtype, dtypes[d[0] % 5].name))
			abort();
		at += bytes;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct made m = {.tensors = 0};
	struct mote_safetensors s = {0};
	struct mote_error error = {0};
	uint64_t header;
	size_t start;
	uint8_t *file;

	m.used = (size_t)snprintf(m.header, sizeof m.header, "{\"__metadata__\":{\"a\":\"b\"}");
	for (size_t i = 0; i + 5 <= size && m.tensors < MOST_TENSORS; i += 5)
		add(&m, data + i);
	m.used += (size_t)snprintf(m.header + m.used, sizeof m.header - m.used, "}");
	header = m.used;
	start = 8 + m.used;
	file = calloc(1, start + m.data);
	memcpy(file, &header, 8);
	memcpy(file + 8, m.header, m.used);
	if (mote_safetensors_parse(file, start + m.data, "fuzz", &s, &error)) {
		if (!error.message[0] || !m.spoiled)
			abort();
	} else if (!m.spoiled) {
		compare(&s, &m, data, start);
	}
	mote_safetensors_free(&s);
	free(file);
	return 0;
}
