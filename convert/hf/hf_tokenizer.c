/* Compiles tokenizer.json: reads its parts, puts the section together, and opens it as a reader would. */
#include "convert/hf/hf_tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/hf/hf_tokenizer_build.h"
#include "format/utf8.h"
#include "runtime/tokenizer/tokenizer.h"
#include "runtime/tokenizer/unicode_class.h"

/* Tokens, and three values a merge: twice as many as the largest vocabulary known (262,144 tokens) takes. */
#define MAX_VALUES ((size_t)1 << 22)
/* Of all added tokens together, as the normalizer writes them: as much as a tokenizer.json may have. */
#define MAX_PATTERN_BYTES ((size_t)1 << 26)

static const char *pattern_of(const struct added_token *added, size_t *bytes)
{
	*bytes = added->pattern ? added->pattern_bytes : strlen(added->content);
	return added->pattern ? added->pattern : added->content;
}

static enum tokenizer_phase phase_of(const struct added_token *added)
{
	return added->normalized ? PHASE_NORMALIZED : PHASE_RAW;
}

/* By phase and pattern; of equal ones special tokens come first, as they do in the reference. */
static int compare_added(const void *a, const void *b)
{
	struct added_token *const *x = a, *const *y = b;
	size_t x_bytes, y_bytes;
	const char *x_text = pattern_of(*x, &x_bytes), *y_text = pattern_of(*y, &y_bytes);
	int order;

	if (phase_of(*x) != phase_of(*y))
		return phase_of(*x) < phase_of(*y) ? -1 : 1;
	order = memcmp(x_text, y_text, x_bytes < y_bytes ? x_bytes : y_bytes);
	if (!order)
		order = (x_bytes > y_bytes) - (x_bytes < y_bytes);
	if (!order)
		order = (*y)->special - (*x)->special;
	return order ? order : (*x > *y) - (*x < *y); /* addresses in one array: the order of the file */
}

static enum mote_status write_added_token(struct builder *b, const struct added_token *added,
					  enum tokenizer_phase phase)
{
	struct tokenizer_added record = {.id = added->id};
	size_t bytes;
	const char *pattern = pattern_of(added, &bytes);

	record.flags = (added->special ? ADDED_SPECIAL : 0) | (added->single_word ? ADDED_SINGLE_WORD : 0) |
		       (added->lstrip ? ADDED_LSTRIP : 0) | (added->rstrip ? ADDED_RSTRIP : 0) |
		       (added->in_model ? 0 : ADDED_NOT_IN_MODEL) | (uint32_t)phase << ADDED_PHASE_SHIFT;
	record.offset = (uint32_t)b->part[PART_STRINGS].size;
	record.bytes = (uint32_t)bytes;
	if (mote_hf_bytes_add(&b->part[PART_STRINGS], pattern, bytes, b->error) ||
	    mote_hf_bytes_add(&b->part[PART_ADDED], &record, sizeof record, b->error))
		return MOTE_ERROR_MEMORY;
	return MOTE_OK;
}

static enum mote_status write_added(struct builder *b)
{
	struct added_token **sorted = malloc((b->n_added + 1) * sizeof *sorted);
	enum mote_status status = MOTE_OK;
	uint32_t kept = 0;

	if (!sorted)
		return mote_error_set(b->error, MOTE_ERROR_MEMORY, TOKENIZER_JSON ": out of memory");
	for (uint32_t i = 0; i < b->n_added; i++)
		sorted[i] = &b->added[i];
	qsort(sorted, b->n_added, sizeof *sorted, compare_added);
	for (uint32_t i = 0; i < b->n_added && !status; i++) {
		size_t bytes, last_bytes;
		const char *text = pattern_of(sorted[i], &bytes);
		const char *last = kept ? pattern_of(sorted[kept - 1], &last_bytes) : NULL;

		sorted[i]->looked_for = !last || phase_of(sorted[i]) != phase_of(sorted[kept - 1]) ||
					bytes != last_bytes || memcmp(text, last, bytes);
		if (!sorted[i]->looked_for)
			continue;
		sorted[kept++] = sorted[i];
		status = write_added_token(b, sorted[i], phase_of(sorted[i]));
	}
	for (uint32_t i = 0; i < b->n_added && !status; i++)
		if (!b->added[i].looked_for)
			status = write_added_token(b, &b->added[i], PHASE_NEVER);
	free(sorted);
	return status;
}

static void put32(uint8_t *header, size_t at, size_t value)
{
	uint32_t x = (uint32_t)value;

	memcpy(header + at, &x, 4);
}

static enum mote_status write_section(struct builder *b, struct bytes *out)
{
	static const uint8_t zero[8] = {0};
	uint8_t header[MOTE_TOKENIZER_HEADER_BYTES] = {0};
	size_t strings = b->part[PART_STRINGS].size, total = sizeof header;
	enum mote_status status;

	out->size = 0;
	b->part[PART_ADDED].size = 0;
	put32(header, 28, strings);
	put32(header, 32, strlen(b->prefix));
	put32(header, 36, strings + strlen(b->prefix));
	put32(header, 40, strlen(b->suffix));
	status = mote_hf_bytes_add(&b->part[PART_STRINGS], b->prefix, strlen(b->prefix), b->error);
	if (status == MOTE_OK)
		status = mote_hf_bytes_add(&b->part[PART_STRINGS], b->suffix, strlen(b->suffix), b->error);
	if (status == MOTE_OK)
		status = write_added(b);
	for (int i = 0; i < PARTS; i++) {
		put32(header, HEADER_PARTS + 4 * (size_t)i, b->part[i].size);
		total += (b->part[i].size + 7) / 8 * 8;
	}
	if (status == MOTE_OK && total > UINT32_MAX)
		status = mote_error_set(b->error, MOTE_ERROR_UNSUPPORTED,
					TOKENIZER_JSON ": larger than 4 GiB when compiled");
	put32(header, 0, MOTE_TOKENIZER_MAGIC);
	put32(header, 4, MOTE_TOKENIZER_VERSION);
	put32(header, 8, total);
	put32(header, 12, b->n_ids);
	put32(header, 16, b->model);
	put32(header, 20, b->flags);
	put32(header, 24, b->unk);
	put32(header, 44, b->id_bits);
	put32(header, 48, b->bucket_bits);
	if (status == MOTE_OK)
		status = mote_hf_bytes_add(out, header, sizeof header, b->error);
	for (int i = 0; i < PARTS && !status; i++) {
		status = mote_hf_bytes_add(out, b->part[i].data, b->part[i].size, b->error);
		if (status == MOTE_OK)
			status = mote_hf_bytes_add(out, zero, (8 - b->part[i].size % 8) % 8, b->error);
	}
	b->part[PART_STRINGS].size = strings;
	return status;
}

/* Tokens that are looked for in normalized text are looked for as the normalizer writes them. */
static enum mote_status normalize_patterns(struct builder *b, const struct mote_tokenizer *t)
{
	size_t all = 0;

	for (uint32_t i = 0; i < b->n_added; i++) {
		struct added_token *added = &b->added[i];
		enum mote_status status;

		if (!added->normalized)
			continue;
		status = mote_tokenizer_normalize_text(t, added->content, strlen(added->content), &added->pattern,
						       &added->pattern_bytes, b->error);
		if (status)
			return status;
		if (!added->pattern_bytes || added->pattern_bytes > MOTE_TOKENIZER_MAX_TOKEN_BYTES)
			return mote_error_set(
				b->error, MOTE_ERROR_UNSUPPORTED,
				TOKENIZER_JSON
				": added token \"%.60s\" normalizes to %zu bytes (1 to %u are supported)",
				added->content, added->pattern_bytes, MOTE_TOKENIZER_MAX_TOKEN_BYTES);
		all += added->pattern_bytes;
		if (all > MAX_PATTERN_BYTES)
			return mote_error_set(b->error, MOTE_ERROR_LIMIT,
					      TOKENIZER_JSON ": added tokens normalize to more than %zu bytes",
					      MAX_PATTERN_BYTES);
	}
	return MOTE_OK;
}

static bool maps_bytes(const struct builder *b)
{
	bool maps = false;

	for (size_t at = 0; at < b->part[PART_STEPS].size; at += sizeof(struct tokenizer_step)) {
		uint8_t kind = b->part[PART_STEPS].data[at + 1];

		maps |= kind == SPLIT_BYTES || kind == NORMALIZE_BYTES;
	}
	return maps;
}

static void fill_info(const struct builder *b, struct mote_hf_tokenizer_info *info)
{
	memset(info, 0, sizeof *info);
	info->vocab_size = b->n_ids;
	info->added_tokens = b->n_added;
	for (uint32_t i = 0; i < b->n_added; i++)
		info->special_tokens += b->added[i].special;
	info->adds_bos = b->part[PART_BEFORE].size > 0;
	info->adds_eos = b->part[PART_AFTER].size > 0;
	info->n_dropped = b->n_dropped;
	if (b->n_dropped) {
		info->dropped_id = b->dropped.id;
		snprintf(info->dropped_text, sizeof info->dropped_text, "%s", b->dropped.content);
	}
	info->unk = b->unk == MOTE_TOKENIZER_NONE ? -1 : (int32_t)b->unk;
	for (unsigned byte = 0; byte < 256 && maps_bytes(b) && b->unk == MOTE_TOKENIZER_NONE; byte++) {
		char symbol[4];
		size_t bytes = mote_utf8_encode(mote_tokenizer_byte_to_char((uint8_t)byte), symbol);

		/* No UTF-8 holds c0, c1 or f5 to ff. */
		if (mote_hf_find_token(b, symbol, bytes) < 0 && byte != 0xc0 && byte != 0xc1 && byte < 0xf5)
			info->inexpressible[info->n_inexpressible++] = (uint8_t)byte;
	}
}

static enum mote_status compile(struct builder *b, struct bytes *out)
{
	struct mote_tokenizer *t = NULL;
	enum mote_status status = mote_hf_read_vocab(b);

	if (status == MOTE_OK)
		status = mote_hf_read_added(b);
	if (status == MOTE_OK)
		status = mote_hf_read_merges(b);
	if (status == MOTE_OK)
		status = mote_hf_read_steps(b);
	if (status == MOTE_OK)
		status = mote_hf_read_post_processor(b);
	if (status == MOTE_OK)
		status = mote_hf_write_vocab(b);
	if (status == MOTE_OK)
		status = write_section(b, out);
	if (status == MOTE_OK)
		status = mote_tokenizer_open(out->data, out->size, &t, b->error);
	if (status == MOTE_OK)
		status = normalize_patterns(b, t);
	mote_tokenizer_close(t);
	return status ? status : write_section(b, out);
}

enum mote_status mote_hf_tokenizer_compile(const struct mote_hf_tokenizer_source *source, uint8_t **section,
					   size_t *section_bytes,
					   struct mote_hf_tokenizer_info *info, struct mote_error *error)
{
	struct builder b = {.model_ids = source->model_ids, .bos = source->bos, .eos = source->eos, .error = error};
	cJSON *root = NULL, *config_root = NULL;
	struct bytes out = {0};
	enum mote_status status = mote_json_parse_large(source->json, source->bytes, TOKENIZER_JSON, MAX_VALUES, &root,
							error);

	*section = NULL;
	*section_bytes = 0;
	if (status == MOTE_OK && source->config)
		status = mote_json_parse(source->config, source->config_bytes, "tokenizer_config.json", &config_root,
					 error);
	b.json = root;
	b.config = config_root;
	if (!mote_json_get(config_root, "added_tokens_decoder")) {
		b.map = source->map;
		b.more_added = source->added;
	}
	if (status == MOTE_OK)
		status = compile(&b, &out);
	if (status == MOTE_OK) {
		*section = out.data;
		*section_bytes = out.size;
		out.data = NULL;
		if (info)
			fill_info(&b, info);
	}
	free(out.data);
	for (int i = 0; i < PARTS; i++)
		free(b.part[i].data);
	for (uint32_t i = 0; i < b.n_added; i++)
		free(b.added[i].pattern);
	free(b.added);
	free(b.token);
	free(b.slot);
	cJSON_Delete(config_root);
	cJSON_Delete(root);
	return status;
}
