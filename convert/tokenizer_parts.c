/* Compiled tokenizers taken apart: see tokenizer_parts.h. */
#include "convert/tokenizer_parts.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/tokenizer/tokenizer.h"

static int by_rank(const void *a, const void *b)
{
	const struct mote_tokenizer_merge *x = a, *y = b;

	return (x->rank > y->rank) - (x->rank < y->rank);
}

static void read_merges(struct mote_tokenizer_parts *p, uint32_t w, uint32_t bucket_bits)
{
	const uint64_t id_mask = (UINT64_C(1) << w) - 1;
	const uint32_t rest_bits = 2 * w - bucket_bits;

	for (uint64_t bucket = 0; bucket < UINT64_C(1) << bucket_bits; bucket++) {
		uint32_t end = load32(p->part[PART_BUCKET] + 4 * (bucket + 1));

		for (uint32_t i = load32(p->part[PART_BUCKET] + 4 * bucket); i < end; i++) {
			uint64_t entry = load64(p->part[PART_MERGE] + (size_t)8 * i);
			struct mote_tokenizer_merge *m = &p->merge[p->merges++];

			m->result = (uint32_t)(entry & id_mask);
			m->rank = (uint32_t)(entry >> w) & ((1u << MOTE_TOKENIZER_RANK_BITS) - 1);
			merge_pair(bucket << rest_bits | entry >> (MOTE_TOKENIZER_RANK_BITS + w), w, &m->left,
				   &m->right);
		}
	}
	qsort(p->merge, p->merges, sizeof *p->merge, by_rank);
}

static enum mote_status read(const uint8_t *section, struct mote_tokenizer_parts *p, struct mote_error *error)
{
	size_t at = MOTE_TOKENIZER_HEADER_BYTES;

	for (int i = 0; i < PARTS; i++) {
		p->bytes[i] = load32(section + HEADER_PARTS + 4 * i);
		p->part[i] = section + at;
		at += ((size_t)p->bytes[i] + 7) / 8 * 8;
	}
	p->ids = load32(section + 12);
	p->model = load32(section + 16);
	p->flags = load32(section + 20);
	p->unk = load32(section + 24);
	p->prefix = (const char *)p->part[PART_STRINGS] + load32(section + 28);
	p->prefix_bytes = load32(section + 32);
	p->suffix = (const char *)p->part[PART_STRINGS] + load32(section + 36);
	p->suffix_bytes = load32(section + 40);
	p->n_added = p->bytes[PART_ADDED] / (uint32_t)sizeof *p->added;
	p->steps = p->bytes[PART_STEPS] / (uint32_t)sizeof *p->step;
	p->added = malloc(p->bytes[PART_ADDED] + 1u);
	p->step = malloc(p->bytes[PART_STEPS] + 1u);
	p->added_of = calloc(p->ids + (size_t)1, sizeof *p->added_of);
	p->merge = calloc(p->bytes[PART_MERGE] / 8 + (size_t)1, sizeof *p->merge);
	if (!p->added || !p->step || !p->added_of || !p->merge)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "tokenizer: out of memory");
	memcpy(p->added, p->part[PART_ADDED], p->bytes[PART_ADDED]);
	memcpy(p->step, p->part[PART_STEPS], p->bytes[PART_STEPS]);
	for (uint32_t i = 0; i < p->n_added; i++)
		if (p->added[i].id < p->ids)
			p->added_of[p->added[i].id] = i + 1;
	if (p->model == MODEL_BPE && p->bytes[PART_MERGE])
		read_merges(p, load32(section + 44), load32(section + 48));
	return MOTE_OK;
}

enum mote_status mote_tokenizer_parts_read(const void *section, size_t bytes, struct mote_tokenizer_parts *out,
					   struct mote_error *error)
{
	struct mote_tokenizer *opened;
	enum mote_status status;

	*out = (struct mote_tokenizer_parts){0};
	status = mote_tokenizer_open(section, bytes, &opened, error);
	if (status)
		return status;
	mote_tokenizer_close(opened);
	status = read(section, out, error);
	if (status)
		mote_tokenizer_parts_free(out);
	return status;
}

void mote_tokenizer_parts_free(struct mote_tokenizer_parts *p)
{
	free(p->added);
	free(p->added_of);
	free(p->step);
	free(p->merge);
	*p = (struct mote_tokenizer_parts){0};
}

static uint32_t text_start(const struct mote_tokenizer_parts *p, uint32_t id)
{
	return load32(p->part[PART_TEXT_BASE] + 4 * (size_t)(id / 16)) +
	       load16(p->part[PART_TEXT_OFFSET] + 2 * (size_t)id);
}

const char *mote_tokenizer_parts_text(const struct mote_tokenizer_parts *p, uint32_t id, uint32_t *bytes)
{
	uint32_t start = text_start(p, id);

	*bytes = text_start(p, id + 1) - start;
	return (const char *)p->part[PART_TEXT] + start;
}

const char *mote_tokenizer_parts_string(const struct mote_tokenizer_parts *p, uint32_t offset)
{
	return (const char *)p->part[PART_STRINGS] + offset;
}

uint32_t mote_tokenizer_parts_stage(const struct mote_tokenizer_parts *p, enum tokenizer_stage stage, uint32_t *count)
{
	uint32_t first = 0;

	while (first < p->steps && p->step[first].stage < stage)
		first++;
	*count = 0;
	while (first + *count < p->steps && p->step[first + *count].stage == stage)
		++*count;
	return first;
}
