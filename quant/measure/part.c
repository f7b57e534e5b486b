/* Parts: see part.h. */
#include "quant/measure/part.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "format/output.h"
#include "format/version.h"

/* What follows the object's other members: ,"xxh3":"32 digits"} and a newline. */
#define TAIL ",\"xxh3\":\""
enum { TAIL_BYTES = sizeof TAIL - 1 + 32 + 3 };
#define MOST_BYTES ((size_t)1 << 30)
#define MOST_VALUES ((size_t)1 << 26)

enum mote_status mote_shard_parse(const char *text, struct mote_shard *out, struct mote_error *error)
{
	unsigned index = 0, count = 0;
	int end = 0;

	if (sscanf(text, "%5u/%5u%n", &index, &count, &end) != 2 || text[end] ||
	    strspn(text, "0123456789/") != strlen(text) || index < 1 || index > count || count > MOTE_PART_SHARDS)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "expected I/N with 1 <= I <= N <= %d",
				      MOTE_PART_SHARDS);
	*out = (struct mote_shard){index, count};
	return MOTE_OK;
}

uint32_t mote_shard_end(struct mote_shard shard, uint32_t index, uint32_t n)
{
	return (uint32_t)((uint64_t)n * index / shard.count);
}

static void tail_of(const char *text, size_t bytes, char tail[TAIL_BYTES + 1])
{
	XXH128_hash_t hash = XXH3_128bits(text, bytes);

	snprintf(tail, TAIL_BYTES + 1, TAIL "%016llx%016llx\"}\n", (unsigned long long)hash.high64,
		 (unsigned long long)hash.low64);
}

void mote_part_hash_model(const struct mote_container *c, char hex[33])
{
	struct mote_hash128 hash[3] = {{0}};
	XXH128_hash_t all;

	hash[0] = mote_container_tensors_hash(c);
	for (uint32_t i = 0; i < mote_container_section_count(c); i++) {
		const struct mote_section_info *s = mote_container_section_info(c, i);

		if (s->kind == MOTE_SECTION_METADATA)
			hash[1] = s->hash;
		if (s->kind == MOTE_SECTION_TOKENIZER)
			hash[2] = s->hash;
	}
	all = XXH3_128bits(hash, sizeof hash);
	snprintf(hex, 33, "%016llx%016llx", (unsigned long long)all.high64, (unsigned long long)all.low64);
}

enum mote_status mote_part_compute(const struct mote_whole *w, struct mote_shard shard, char **text, size_t *bytes,
				   struct mote_error *error)
{
	struct mote_json_builder b = {0};
	cJSON *part = mote_json_new_object(&b);
	char *grown = NULL;
	enum mote_status status;

	*text = NULL;
	mote_json_add_text(&b, part, "part", w->tool);
	mote_json_add_text(&b, part, "version", MOTE_VERSION);
	mote_json_add_number(&b, part, "shard", shard.index);
	mote_json_add_number(&b, part, "shards", shard.count);
	mote_json_add_item(&b, part, "inputs", cJSON_Duplicate(w->inputs, true));
	status = w->compute(w->user, shard, &b, part, error);
	if (status)
		cJSON_Delete(part);
	else
		status = mote_json_finish(&b, &part, "a part", error);
	if (status)
		return status;
	*text = mote_json_print(part, bytes);
	cJSON_Delete(part);
	if (*text)
		grown = realloc(*text, *bytes + TAIL_BYTES);
	if (!grown) {
		free(*text);
		*text = NULL;
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for a part");
	}
	*text = grown;
	tail_of(grown, *bytes - 1, grown + *bytes - 1); /* the brace comes behind the hash */
	*bytes += TAIL_BYTES - 1;
	return MOTE_OK;
}

enum mote_status mote_part_store(const char *path, bool replace, const char *text, size_t bytes,
				 struct mote_error *error)
{
	struct mote_output *o = NULL;
	enum mote_status status = mote_output_open(path, replace, &o, error);

	if (status)
		return status;
	status = mote_output_write_at(o, text, bytes, 0, error);
	if (!status)
		return mote_output_commit(o, error);
	mote_output_discard(o);
	return status;
}

static enum mote_status read_stream(FILE *file, const char *path, char **text, size_t *bytes, struct mote_error *error)
{
	size_t room = 1 << 16;

	*bytes = 0;
	*text = malloc(room);
	while (*text) {
		char *more;
		size_t got = fread(*text + *bytes, 1, room - *bytes, file);

		*bytes += got;
		if (*bytes < room)
			return ferror(file) ? mote_error_set(error, MOTE_ERROR_IO, "%s: %s", path, strerror(errno))
					    : MOTE_OK;
		if (room >= MOST_BYTES)
			return mote_error_set(error, MOTE_ERROR_LIMIT, "%s: more than %zu bytes", path, MOST_BYTES);
		more = realloc(*text, room *= 2);
		if (!more)
			break;
		*text = more;
	}
	return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", path);
}

static enum mote_status check_head(const char *path, const cJSON *part, const char *tool, struct mote_shard *shard,
				   struct mote_error *error)
{
	const char *of = "", *version = "";
	enum mote_status status = mote_json_need_string(part, "part", path, &of, error);

	if (!status)
		status = mote_json_need_string(part, "version", path, &version, error);
	if (!status && strcmp(of, tool) != 0)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: is a part of %s, expected %s", path, of, tool);
	if (!status && strcmp(version, MOTE_VERSION) != 0)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: was written by version %s, this is %s",
				      path, version, MOTE_VERSION);
	if (!status)
		status = mote_json_need_u32(part, "shards", 1, MOTE_PART_SHARDS, path, &shard->count, error);
	return status ? status : mote_json_need_u32(part, "shard", 1, shard->count, path, &shard->index, error);
}

enum mote_status mote_part_read(const char *path, const char *tool, cJSON **out, struct mote_shard *shard,
				struct mote_error *error)
{
	FILE *file = fopen(path, "rb");
	char tail[TAIL_BYTES + 1], *text = NULL;
	size_t bytes = 0;
	enum mote_status status;

	*out = NULL;
	if (!file)
		return mote_error_set(error, MOTE_ERROR_IO, "%s: %s", path, strerror(errno));
	status = read_stream(file, path, &text, &bytes, error);
	fclose(file);
	if (!status && bytes > TAIL_BYTES)
		tail_of(text, bytes - TAIL_BYTES, tail);
	if (!status && (bytes <= TAIL_BYTES || memcmp(text + bytes - TAIL_BYTES, tail, TAIL_BYTES) != 0))
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: is no whole part: its last %d bytes of %zu are "
					"not the hash of the rest", path, TAIL_BYTES, bytes);
	if (!status)
		status = mote_json_parse_large(text, bytes, path, MOST_VALUES, out, error);
	if (!status)
		status = check_head(path, *out, tool, shard, error);
	if (status) {
		cJSON_Delete(*out);
		*out = NULL;
	}
	free(text);
	return status;
}

/* The first key of a that b has not with the same value. */
static const char *other_key(const cJSON *a, const cJSON *b)
{
	const cJSON *item = a->child;

	while (item && cJSON_Compare(item, mote_json_get(b, item->string), true))
		item = item->next;
	return item && item->string ? item->string : "inputs";
}

enum mote_status mote_part_match(const char *path, const cJSON *part, const cJSON *inputs, const char *other,
				 struct mote_error *error)
{
	const cJSON *own = mote_json_get(part, "inputs");
	size_t bytes = 0;
	char *a, *b;
	enum mote_status status = MOTE_OK;

	if (!own || !inputs)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: \"inputs\" is missing", own ? other : path);
	a = mote_json_print(own, &bytes);
	b = mote_json_print(inputs, &bytes);
	if (!a || !b)
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", path);
	else if (strcmp(a, b) != 0)
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: is a part of other inputs than %s: "
					"\"%s\" differs", path, other, other_key(own, inputs));
	free(a);
	free(b);
	return status;
}

enum mote_status mote_part_find(const struct mote_whole *w, struct mote_shard shard, const char *path, bool replace,
				bool *there, struct mote_error *error)
{
	struct mote_shard found = {0};
	cJSON *part = NULL;
	struct mote_output *o = NULL;
	struct mote_error other = {0};
	bool exists = false;
	enum mote_status status = mote_output_open(path, replace, &o, &other);

	*there = false;
	mote_output_discard(o);
	if (!status)
		return MOTE_OK;
	if (status != MOTE_ERROR_ARGUMENT) /* of what is at path */
		return mote_error_set(error, status, "%s", other.message);
	status = mote_output_exists(path, &exists, error);
	if (status || !exists)
		return status ? status : mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s", other.message);
	status = mote_part_read(path, w->tool, &part, &found, error);
	if (!status)
		status = mote_part_match(path, part, w->inputs, "this run", error);
	if (!status && (found.index != shard.index || found.count != shard.count))
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: is shard %u/%u, not %u/%u", path, found.index,
					found.count, shard.index, shard.count);
	cJSON_Delete(part);
	*there = !status;
	return status;
}

enum mote_status mote_part_make(const struct mote_whole *w, struct mote_shard shard, const char *path, bool replace,
				bool *there, struct mote_error *error)
{
	char *text = NULL;
	size_t bytes = 0;
	enum mote_status status = mote_part_find(w, shard, path, replace, there, error);

	if (status || *there)
		return status;
	status = mote_part_compute(w, shard, &text, &bytes, error);
	if (!status) {
		struct mote_error late = {0};

		status = mote_part_store(path, replace, text, bytes, &late);
		/* another process was faster: the same part, or an error */
		if (status == MOTE_ERROR_ARGUMENT && !replace)
			status = mote_part_find(w, shard, path, false, there, error);
		else if (status)
			(void)mote_error_set(error, status, "%s", late.message);
	}
	free(text);
	return status;
}

/* Reads path into its place of part; paths [n] says whose each place is. */
static enum mote_status place(char *path, uint32_t n, const char *tool, cJSON **part, char **paths,
			      struct mote_error *error)
{
	struct mote_shard shard = {0};
	cJSON *read = NULL;
	enum mote_status status = mote_part_read(path, tool, &read, &shard, error);

	if (status)
		return status;
	for (uint32_t i = 0; i < n && !status; i++)
		if (part[i]) { /* each is compared with one that is there, so all are alike */
			status = mote_part_match(path, read, mote_json_get(part[i], "inputs"), paths[i], error);
			break;
		}
	if (!status && shard.index <= n && part[shard.index - 1])
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: is shard %u/%u, as is %s", path, shard.index,
					shard.count, paths[shard.index - 1]);
	if (!status && shard.count != n)
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: is one of %u shards, but %u are given", path,
					shard.count, n);
	if (status) {
		cJSON_Delete(read);
		return status;
	}
	part[shard.index - 1] = read;
	paths[shard.index - 1] = path;
	return MOTE_OK;
}

enum mote_status mote_parts_read(char *const *path, uint32_t n, const char *tool, cJSON **part,
				 struct mote_error *error)
{
	char **paths = calloc(n + 1u, sizeof *paths);
	enum mote_status status = paths ? MOTE_OK : mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for parts");

	for (uint32_t i = 0; i < n; i++)
		part[i] = NULL;
	/* n different shards of n leave no gap. */
	for (uint32_t i = 0; i < n && !status; i++)
		status = place(path[i], n, tool, part, paths, error);
	free(paths);
	return status;
}
