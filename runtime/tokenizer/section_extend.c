/* Special tokens for a compiled tokenizer: see section_extend.h. What changes is the texts, the added tokens with their
 * patterns, a Unigram's scores, and the table of merges where ids outgrow their bits; all other parts are copied. */
#include "runtime/tokenizer/section_extend.h"

#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"
#include "runtime/tokenizer/tokenizer.h"
#include "runtime/tokenizer/tokenizer_section.h"

struct part {
	uint8_t *data;
	size_t size;
};

struct extending {
	const uint8_t *section, *old[PARTS];
	size_t old_size[PARTS];
	struct part part[PARTS];
	const char *const *token;
	uint32_t n, ids;             /* tokens to come; ids before them */
	uint32_t id_bits, bucket_bits;
	struct mote_error *error;
};

static enum mote_status no_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a tokenizer");
}

/* Room for a part of `size` bytes, of which the first are the old part's. */
static uint8_t *make(struct extending *x, enum tokenizer_part part, size_t size)
{
	const size_t same = x->old_size[part] < size ? x->old_size[part] : size;

	x->part[part] = (struct part){calloc(1, size + 1), size};
	if (!x->part[part].data) {
		(void)no_memory(x->error);
		return NULL;
	}
	if (same)
		memcpy(x->part[part].data, x->old[part], same);
	return x->part[part].data;
}

static enum mote_status extend_texts(struct extending *x)
{
	const uint32_t ids = x->ids + x->n;
	uint32_t at = (uint32_t)x->old_size[PART_TEXT];
	uint8_t *base = make(x, PART_TEXT_BASE, 4 * ((size_t)ids / 16 + 1)), *offset, *text;
	size_t size = at;

	for (uint32_t i = 0; i < x->n; i++)
		size += strlen(x->token[i]);
	if (size > UINT32_MAX / 2)
		return mote_error_set(x->error, MOTE_ERROR_LIMIT, "the texts of all tokens would be too long");
	offset = make(x, PART_TEXT_OFFSET, 2 * ((size_t)ids + 1));
	text = make(x, PART_TEXT, size);
	if (!base || !offset || !text)
		return MOTE_ERROR_MEMORY;
	for (uint32_t i = 0; i < x->n; i++) {
		const uint32_t next = x->ids + i + 1, length = (uint32_t)strlen(x->token[i]);
		uint16_t from;

		memcpy(text + at, x->token[i], length);
		at += length;
		if (next % 16 == 0)
			memcpy(base + (size_t)4 * (next / 16), &at, 4);
		from = (uint16_t)(at - load32(base + (size_t)4 * (next / 16)));
		memcpy(offset + (size_t)2 * next, &from, 2);
	}
	return MOTE_OK;
}

/* ---- added tokens */

struct sorted {
	struct tokenizer_added added;
	const char *pattern;
	uint32_t order;              /* among those that are never looked for */
};

static int by_phase_and_pattern(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	const uint32_t p = x->added.flags >> ADDED_PHASE_SHIFT, q = y->added.flags >> ADDED_PHASE_SHIFT;
	int order;

	if (p != q)
		return p < q ? -1 : 1;
	if (p == PHASE_NEVER)
		return x->order < y->order ? -1 : 1;
	order = memcmp(x->pattern, y->pattern, x->added.bytes < y->added.bytes ? x->added.bytes : y->added.bytes);
	return order ? order : (x->added.bytes > y->added.bytes) - (x->added.bytes < y->added.bytes);
}

static size_t later(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* Where what affixes and steps point to ends in the strings. */
static size_t end_of_arguments(const struct extending *x)
{
	const size_t prefix = load32(x->section + 28) + (size_t)load32(x->section + 32);
	const size_t suffix = load32(x->section + 36) + (size_t)load32(x->section + 40);
	size_t end = later(prefix, suffix);

	for (size_t at = 0; at < x->old_size[PART_STEPS]; at += sizeof(struct tokenizer_step)) {
		struct tokenizer_step step;

		memcpy(&step, x->old[PART_STEPS] + at, sizeof step);
		end = later(end, later(step.a + (size_t)step.a_bytes, step.b + (size_t)step.b_bytes));
	}
	return end;
}

/* Patterns lie behind the arguments, in the order of the tokens. */
static enum mote_status write_added(struct extending *x, struct sorted *all, uint32_t n)
{
	const size_t kept = end_of_arguments(x);
	size_t size = kept;
	uint8_t *strings, *added;

	for (uint32_t i = 0; i < n; i++)
		size += all[i].added.bytes;
	strings = make(x, PART_STRINGS, size);
	added = make(x, PART_ADDED, n * sizeof(struct tokenizer_added));
	if (!strings || !added)
		return MOTE_ERROR_MEMORY;
	size = kept;
	for (uint32_t i = 0; i < n; i++) {
		memcpy(strings + size, all[i].pattern, all[i].added.bytes);
		all[i].added.offset = (uint32_t)size;
		memcpy(added + i * sizeof(struct tokenizer_added), &all[i].added, sizeof(struct tokenizer_added));
		size += all[i].added.bytes;
	}
	return MOTE_OK;
}

static enum mote_status extend_added(struct extending *x)
{
	const uint32_t old = (uint32_t)(x->old_size[PART_ADDED] / sizeof(struct tokenizer_added)), n = old + x->n;
	struct sorted *all = calloc(n + (size_t)1, sizeof *all);
	enum mote_status status;

	if (!all)
		return no_memory(x->error);
	for (uint32_t i = 0; i < n; i++) {
		struct sorted *s = &all[i];

		s->order = i;
		if (i < old) {
			memcpy(&s->added, x->old[PART_ADDED] + i * sizeof s->added, sizeof s->added);
			s->pattern = (const char *)x->old[PART_STRINGS] + s->added.offset;
		} else {
			s->pattern = x->token[i - old];
			s->added = (struct tokenizer_added){.id = x->ids + i - old,
							    .bytes = (uint32_t)strlen(s->pattern),
							    .flags = ADDED_SPECIAL | ADDED_NOT_IN_MODEL |
							    PHASE_RAW << ADDED_PHASE_SHIFT};
		}
	}
	qsort(all, n, sizeof *all, by_phase_and_pattern);
	status = write_added(x, all, n);
	free(all);
	return status;
}

/* ---- merges */

struct merge {
	uint64_t key;
	uint32_t rank, result;
};

static int by_key(const void *a, const void *b)
{
	const struct merge *x = a, *y = b;

	return (x->key > y->key) - (x->key < y->key);
}

/* The old table's merges under the keys of the new width; *ranks: one more than the highest. */
static void read_merges(const struct extending *x, struct merge *merge, uint32_t new_bits, uint32_t *ranks)
{
	const uint32_t w = x->id_bits, rest_bits = 2 * w - x->bucket_bits;
	uint32_t n = 0;

	*ranks = 0;
	for (uint64_t bucket = 0; bucket < UINT64_C(1) << x->bucket_bits; bucket++)
		for (; n < load32(x->old[PART_BUCKET] + 4 * (bucket + 1)); n++) {
			uint64_t entry = load64(x->old[PART_MERGE] + (size_t)8 * n);
			uint32_t left, right;

			merge_pair(bucket << rest_bits | entry >> (MOTE_TOKENIZER_RANK_BITS + w), w, &left, &right);
			merge[n].key = merge_key(left, right, new_bits);
			merge[n].result = (uint32_t)(entry & ((UINT64_C(1) << w) - 1));
			merge[n].rank = (uint32_t)(entry >> w) & ((1u << MOTE_TOKENIZER_RANK_BITS) - 1);
			*ranks = merge[n].rank >= *ranks ? merge[n].rank + 1 : *ranks;
		}
}

static void write_merges(const struct extending *x, const struct merge *merge, uint32_t n)
{
	const uint32_t rest_bits = 2 * x->id_bits - x->bucket_bits;
	uint32_t at = 0;

	for (uint64_t bucket = 0; bucket <= UINT64_C(1) << x->bucket_bits; bucket++) {
		memcpy(x->part[PART_BUCKET].data + 4 * bucket, &at, 4);
		for (; at < n && merge[at].key >> rest_bits == bucket; at++) {
			uint64_t entry = (merge[at].key & ((UINT64_C(1) << rest_bits) - 1)) << MOTE_TOKENIZER_RANK_BITS;

			entry = (entry | merge[at].rank) << x->id_bits | merge[at].result;
			memcpy(x->part[PART_MERGE].data + (size_t)8 * at, &entry, 8);
		}
	}
}

/* The table stays as it is as long as all ids fit into its bits. */
static enum mote_status extend_merges(struct extending *x)
{
	const uint32_t n = (uint32_t)(x->old_size[PART_MERGE] / 8);
	uint32_t bits = 1, bucket_bits = 0, ranks;
	struct merge *merge;

	while ((x->ids + x->n - 1) >> bits)
		bits++;
	if (load32(x->section + 16) != MODEL_BPE || bits <= x->id_bits)
		return MOTE_OK;
	merge = calloc(n + (size_t)1, sizeof *merge);
	if (!merge)
		return no_memory(x->error);
	read_merges(x, merge, bits, &ranks);
	while (bucket_bits < bits &&
	       (2u << bucket_bits <= ranks || 3 * bits + MOTE_TOKENIZER_RANK_BITS - bucket_bits > 64))
		bucket_bits++;
	x->id_bits = bits;
	x->bucket_bits = bucket_bits;
	if (!make(x, PART_BUCKET, 4 * ((size_t)1 + (UINT64_C(1) << bucket_bits))) ||
	    !make(x, PART_MERGE, (size_t)8 * n)) {
		free(merge);
		return MOTE_ERROR_MEMORY;
	}
	qsort(merge, n, sizeof *merge, by_key);
	write_merges(x, merge, n);
	free(merge);
	return MOTE_OK;
}

/* ---- the whole */

static enum mote_status check(const struct extending *x, const struct mote_tokenizer *t)
{
	if (x->n > MOTE_TOKENIZER_MAX_IDS - x->ids)
		return mote_error_set(x->error, MOTE_ERROR_LIMIT, "%u tokens more than %u are more than a tokenizer "
				      "may have (%u)", x->n, x->ids, MOTE_TOKENIZER_MAX_IDS);
	for (uint32_t i = 0; i < x->n; i++) {
		const size_t bytes = strlen(x->token[i]);

		if (bytes < 1 || bytes > MOTE_TOKENIZER_MAX_TOKEN_BYTES || mote_utf8_valid(x->token[i], bytes) != bytes)
			return mote_error_set(x->error, MOTE_ERROR_ARGUMENT,
					      "token \"%.60s\": expected 1 to %u bytes of UTF-8", x->token[i],
					      MOTE_TOKENIZER_MAX_TOKEN_BYTES);
		if (mote_tokenizer_find(t, x->token[i], bytes) >= 0)
			return mote_error_set(x->error, MOTE_ERROR_ARGUMENT,
					      "token \"%.60s\" is in the vocabulary already (id %d)", x->token[i],
					      (int)mote_tokenizer_find(t, x->token[i], bytes));
		for (uint32_t k = 0; k < i; k++)
			if (!strcmp(x->token[k], x->token[i]))
				return mote_error_set(x->error, MOTE_ERROR_ARGUMENT, "token \"%.60s\" is given twice",
						      x->token[i]);
	}
	return MOTE_OK;
}

/* Of parts that were not made anew the old ones. */
static enum mote_status join(const struct extending *x, uint8_t **out, size_t *out_bytes)
{
	size_t total = MOTE_TOKENIZER_HEADER_BYTES, at = total;
	uint32_t value;

	for (int i = 0; i < PARTS; i++)
		total += ((x->part[i].data ? x->part[i].size : x->old_size[i]) + 7) / 8 * 8;
	*out = total <= UINT32_MAX ? calloc(1, total) : NULL;
	if (!*out)
		return no_memory(x->error);
	memcpy(*out, x->section, MOTE_TOKENIZER_HEADER_BYTES);
	value = (uint32_t)total;
	memcpy(*out + 8, &value, 4);
	value = x->ids + x->n;
	memcpy(*out + 12, &value, 4);
	memcpy(*out + 44, &x->id_bits, 4);
	memcpy(*out + 48, &x->bucket_bits, 4);
	for (int i = 0; i < PARTS; i++) {
		const struct part *p = &x->part[i];
		const size_t size = p->data ? p->size : x->old_size[i];

		value = (uint32_t)size;
		memcpy(*out + HEADER_PARTS + 4 * i, &value, 4);
		if (size)
			memcpy(*out + at, p->data ? p->data : x->old[i], size);
		at += (size + 7) / 8 * 8;
	}
	*out_bytes = total;
	return MOTE_OK;
}

static void read_header(struct extending *x)
{
	size_t at = MOTE_TOKENIZER_HEADER_BYTES;

	x->ids = load32(x->section + 12);
	x->id_bits = load32(x->section + 44);
	x->bucket_bits = load32(x->section + 48);
	for (int i = 0; i < PARTS; i++) {
		x->old[i] = x->section + at;
		x->old_size[i] = load32(x->section + HEADER_PARTS + 4 * i);
		at += (x->old_size[i] + 7) / 8 * 8;
	}
}

enum mote_status mote_tokenizer_section_extend(const void *section, size_t bytes, const char *const *token, uint32_t n,
					       uint8_t **out, size_t *out_bytes, struct mote_error *error)
{
	struct extending x = {.section = section, .token = token, .n = n, .error = error};
	struct mote_tokenizer *t = NULL;
	enum mote_status status = mote_tokenizer_open(section, bytes, &t, error);

	*out = NULL;
	if (status)
		return status;
	read_header(&x);
	status = check(&x, t);
	mote_tokenizer_close(t);
	if (status == MOTE_OK)
		status = extend_texts(&x);
	if (status == MOTE_OK)
		status = extend_added(&x);
	if (status == MOTE_OK)
		status = extend_merges(&x);
	if (status == MOTE_OK && x.old_size[PART_SCORE] && !make(&x, PART_SCORE, 8 * ((size_t)x.ids + n)))
		status = MOTE_ERROR_MEMORY; /* the new tokens' scores are zero: they have none */
	if (status == MOTE_OK)
		status = join(&x, out, out_bytes);
	for (int i = 0; i < PARTS; i++)
		free(x.part[i].data);
	return status;
}
