/* What a tokenizer looks tokens up in: the table of merges, the texts by id, the trie over them. */
#include <stdlib.h>
#include <string.h>

#include "convert/hf/hf_tokenizer_build.h"
#include "format/utf8.h"
#include "runtime/tokenizer/unicode_class.h"

struct merge {
	uint64_t key; /* merge_key() of the pair */
	uint32_t rank, result;
};

static int compare_merges(const void *a, const void *b)
{
	const struct merge *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->rank > y->rank) - (x->rank < y->rank);
}

/* "a b", or ["a", "b"]; left and right are borrowed. */
static bool split_merge(const cJSON *item, const char **left, size_t *left_bytes, const char **right)
{
	const char *space;

	if (cJSON_IsArray(item)) {
		const cJSON *second = item->child ? item->child->next : NULL;

		if (!cJSON_IsString(item->child) || !cJSON_IsString(second) || second->next)
			return false;
		*left = item->child->valuestring;
		*left_bytes = strlen(*left);
		*right = second->valuestring;
		return true;
	}
	space = cJSON_IsString(item) ? strchr(item->valuestring, ' ') : NULL;
	if (!space || strchr(space + 1, ' '))
		return false;
	*left = item->valuestring;
	*left_bytes = (size_t)(space - *left);
	*right = space + 1;
	return true;
}

static enum mote_status read_merge(struct builder *b, const cJSON *item, uint32_t rank, struct merge *merge)
{
	char joined[2 * MOTE_TOKENIZER_MAX_TOKEN_BYTES + 1];
	size_t left_bytes, right_bytes, affix = strlen(b->prefix);
	const char *left, *right;
	int64_t a, c, result;

	if (!split_merge(item, &left, &left_bytes, &right))
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT,
				      MODEL_KEY ": merges[%u] is neither \"a b\" nor [\"a\", \"b\"]", rank);
	right_bytes = strlen(right);
	a = mote_hf_find_token(b, left, left_bytes);
	c = mote_hf_find_token(b, right, right_bytes);
	if (a < 0 || c < 0)
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT,
				      MODEL_KEY ": merges[%u]: \"%.60s\" is not in the vocabulary", rank,
				      a < 0 ? left : right);
	if (affix > right_bytes)
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT,
				      MODEL_KEY ": merges[%u]: \"%.60s\" is shorter than "
						"continuing_subword_prefix",
				      rank, right);
	memcpy(joined, left, left_bytes);
	memcpy(joined + left_bytes, right + affix, right_bytes - affix);
	result = mote_hf_find_token(b, joined, left_bytes + right_bytes - affix);
	if (result < 0)
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT,
				      MODEL_KEY ": merges[%u]: \"%.*s\" is not in the vocabulary", rank,
				      (int)(left_bytes + right_bytes - affix), joined);
	*merge = (struct merge){
		.key = merge_key((uint32_t)a, (uint32_t)c, b->id_bits), .rank = rank, .result = (uint32_t)result};
	return MOTE_OK;
}

/* One bucket for one to two merges; more where ids are so wide that a key must lose more of its bits. */
static void size_table(struct builder *b, uint32_t merges)
{
	b->id_bits = 1;
	b->bucket_bits = 0;
	while ((b->n_ids - 1) >> b->id_bits)
		b->id_bits++;
	while (b->bucket_bits < b->id_bits && (2u << b->bucket_bits <= merges ||
	       3 * b->id_bits + MOTE_TOKENIZER_RANK_BITS - b->bucket_bits > 64))
		b->bucket_bits++;
}

static enum mote_status write_merges(struct builder *b, const struct merge *merge, uint32_t count)
{
	uint32_t rest_bits = 2 * b->id_bits - b->bucket_bits, at = 0, kept = 0;
	enum mote_status status = MOTE_OK;

	for (uint64_t bucket = 0; bucket <= UINT64_C(1) << b->bucket_bits && !status; bucket++) {
		status = mote_hf_bytes_add(&b->part[PART_BUCKET], &kept, 4, b->error);
		for (; at < count && merge[at].key >> rest_bits == bucket && !status; at++) {
			uint64_t entry = (merge[at].key & ((UINT64_C(1) << rest_bits) - 1))
					 << MOTE_TOKENIZER_RANK_BITS;

			if (at + 1 < count && merge[at + 1].key == merge[at].key)
				continue; /* of a pair that is listed twice the later rank counts */
			entry = (entry | merge[at].rank) << b->id_bits | merge[at].result;
			status = mote_hf_bytes_add(&b->part[PART_MERGE], &entry, 8, b->error);
			kept++;
		}
	}
	return status;
}

static bool has_all_bytes(const struct builder *b)
{
	char symbol[4];

	for (unsigned byte = 0; byte < 256; byte++) {
		size_t bytes = mote_utf8_encode(mote_tokenizer_byte_to_char((uint8_t)byte), symbol);

		if (mote_hf_find_token(b, symbol, bytes) < 0)
			return false;
	}
	return true;
}

enum mote_status mote_hf_read_merges(struct builder *b)
{
	const cJSON *model = mote_json_get(b->json, "model"), *list = mote_json_get(model, "merges");
	uint32_t count = 0, rank = 0;
	struct merge *merge;
	enum mote_status status = MOTE_OK;
	const char *unk;
	int64_t id;

	if (b->model != MODEL_BPE)
		return MOTE_OK;
	if (!cJSON_IsArray(list))
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT, MODEL_KEY ": \"merges\" is not a list");
	status = mote_json_want_string(model, "unk_token", "", MODEL_KEY, &unk, b->error);
	if (status)
		return status;
	id = *unk ? mote_hf_find_token(b, unk, strlen(unk)) : -1;
	if (*unk && id < 0 && !has_all_bytes(b)) /* with all bytes it is never asked for */
		return mote_error_set(b->error, MOTE_ERROR_CORRUPT,
				      MODEL_KEY ": unk_token \"%.60s\" is not in the vocabulary", unk);
	b->unk = id < 0 ? MOTE_TOKENIZER_NONE : (uint32_t)id;
	for (const cJSON *item = list->child; item; item = item->next)
		count++;
	if (count > MOTE_TOKENIZER_MAX_MERGES)
		return mote_error_set(b->error, MOTE_ERROR_UNSUPPORTED,
				      MODEL_KEY ": %u merges, at most %u are supported", count,
				      MOTE_TOKENIZER_MAX_MERGES);
	size_table(b, count);
	merge = malloc((count + 1) * sizeof *merge);
	if (!merge)
		return mote_hf_out_of_memory(b);
	for (const cJSON *item = list->child; item && !status; item = item->next) {
		if (cJSON_IsString(item) && !strncmp(item->valuestring, "#version", 8))
			continue;
		status = read_merge(b, item, rank, &merge[rank]);
		rank++;
	}
	if (status == MOTE_OK) {
		qsort(merge, rank, sizeof *merge, compare_merges);
		status = write_merges(b, merge, rank);
	}
	free(merge);
	return status;
}

/* ---- texts and trie */

static enum mote_status write_texts(struct builder *b)
{
	enum mote_status status = MOTE_OK;

	for (uint32_t id = 0; id <= b->n_ids && !status; id++) {
		uint32_t at = (uint32_t)b->part[PART_TEXT].size, base;
		uint16_t offset;

		if (id % 16 == 0)
			status = mote_hf_bytes_add(&b->part[PART_TEXT_BASE], &at, 4, b->error);
		if (status)
			return status;
		memcpy(&base, b->part[PART_TEXT_BASE].data + 4 * (size_t)(id / 16), 4);
		offset = (uint16_t)(at - base);
		status = mote_hf_bytes_add(&b->part[PART_TEXT_OFFSET], &offset, 2, b->error);
		if (status == MOTE_OK && id < b->n_ids)
			status = mote_hf_bytes_add(&b->part[PART_TEXT], b->token[id].text, b->token[id].bytes,
						   b->error);
	}
	return status;
}

static int compare_tokens(const void *a, const void *b)
{
	const struct token *const *x = a, *const *y = b;
	size_t common = (*x)->bytes < (*y)->bytes ? (*x)->bytes : (*y)->bytes;
	int order = memcmp((*x)->text, (*y)->text, common);

	return order ? order : ((*x)->bytes > (*y)->bytes) - ((*x)->bytes < (*y)->bytes);
}

struct trie_node {
	uint32_t low, high, depth; /* the tokens below it, in the sorted order, agree up to depth */
	uint8_t label;
};

/* Breadth first over the sorted tokens; nodes has room for all bytes of all tokens and the root. */
static enum mote_status write_nodes(struct builder *b, const struct token **sorted, uint32_t count,
				    struct trie_node *nodes)
{
	enum mote_status status = MOTE_OK;
	uint32_t n_nodes = 1;

	nodes[0] = (struct trie_node){.high = count};
	for (uint32_t i = 0; i < n_nodes && !status; i++) {
		struct trie_node node = nodes[i];
		uint32_t id = MOTE_TOKENIZER_NONE, low = node.low;

		status = mote_hf_bytes_add(&b->part[PART_TRIE_FIRST], &n_nodes, 4, b->error);
		for (; low < node.high && sorted[low]->bytes == node.depth; low++)
			id = (uint32_t)mote_hf_find_token(b, sorted[low]->text, sorted[low]->bytes);
		if (status == MOTE_OK)
			status = mote_hf_bytes_add(&b->part[PART_TRIE_ID], &id, 4, b->error);
		if (status == MOTE_OK)
			status = mote_hf_bytes_add(&b->part[PART_TRIE_LABEL], &node.label, 1, b->error);
		while (low < node.high) {
			uint8_t label = (uint8_t)sorted[low]->text[node.depth];
			uint32_t high = low + 1;

			while (high < node.high && (uint8_t)sorted[high]->text[node.depth] == label)
				high++;
			nodes[n_nodes++] = (struct trie_node){
				.low = low, .high = high, .depth = node.depth + 1, .label = label};
			low = high;
		}
	}
	return status ? status : mote_hf_bytes_add(&b->part[PART_TRIE_FIRST], &n_nodes, 4, b->error);
}

static enum mote_status write_trie(struct builder *b)
{
	const struct token **sorted = malloc((b->n_ids + 1) * sizeof *sorted);
	struct trie_node *nodes = NULL;
	enum mote_status status;
	size_t bytes = 1;
	uint32_t count = 0;

	for (uint32_t id = 0; sorted && id < b->n_ids; id++)
		if (b->token[id].in_model && b->token[id].bytes) {
			sorted[count++] = &b->token[id];
			bytes += b->token[id].bytes;
		}
	nodes = malloc(bytes * sizeof *nodes);
	if (!sorted || !nodes) {
		status = mote_hf_out_of_memory(b);
	} else {
		qsort(sorted, count, sizeof *sorted, compare_tokens);
		status = write_nodes(b, sorted, count, nodes);
	}
	free(sorted);
	free(nodes);
	return status;
}

enum mote_status mote_hf_write_vocab(struct builder *b)
{
	enum mote_status status = write_texts(b);
	double none = 0;

	if (status == MOTE_OK &&
	    (b->model == MODEL_UNIGRAM || b->flags & MODEL_IGNORE_MERGES || *b->prefix || *b->suffix))
		status = write_trie(b);
	if (b->part[PART_SCORE].size > 8 * (size_t)b->n_ids) /* of tokens that were dropped */
		b->part[PART_SCORE].size = 8 * (size_t)b->n_ids;
	while (status == MOTE_OK && b->model == MODEL_UNIGRAM && b->part[PART_SCORE].size < 8 * (size_t)b->n_ids)
		status = mote_hf_bytes_add(&b->part[PART_SCORE], &none, 8, b->error); /* added tokens have no score */
	return status;
}
