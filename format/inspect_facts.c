/* mote-inspect: what the listing, the JSON and the checks take from a container in the same words. */
#include "format/inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/json.h"

struct inspect_hex inspect_hex(struct mote_hash128 hash)
{
	struct inspect_hex h;

	snprintf(h.text, sizeof h.text, "%016" PRIx64 "%016" PRIx64, hash.high, hash.low);
	return h;
}

double inspect_bits_per_weight(uint64_t bytes, uint64_t weights)
{
	return weights ? 8.0 * (double)bytes / (double)weights : 0;
}

uint64_t inspect_weights_of(const struct mote_tensor *t)
{
	return (uint64_t)t->rows * t->cols;
}

/* All matrices, or those of one type. */
struct inspect_totals inspect_add_up(const struct mote_container *c, bool one_type, enum mote_type type)
{
	struct inspect_totals sum = {0};

	for (uint32_t i = 0; i < mote_container_tensor_count(c); i++) {
		const struct mote_tensor *t = mote_container_tensor(c, i);

		if (t->rank == 1) {
			sum.vectors++;
		} else if (!one_type || t->type == type) {
			sum.tensors++;
			sum.weights += inspect_weights_of(t);
			sum.bytes += t->bytes;
		}
	}
	return sum;
}

const char *inspect_section_name(uint32_t kind)
{
	static const char *const names[] = {"unknown", "tensors", "metadata", "tokenizer", "receipts", "sensitivity"};

	return kind < sizeof names / sizeof *names ? names[kind] : names[0];
}

const char *inspect_text_of(const cJSON *object, const char *key)
{
	const cJSON *item = mote_json_get(object, key);
	return cJSON_IsString(item) ? item->valuestring : NULL;
}

bool inspect_receipt_belongs(const cJSON *receipt, const char *tensors)
{
	const char *named = inspect_text_of(receipt, "tensors");
	return named && strcmp(named, tensors) == 0;
}
