/* Receipts: see receipt.h, and docs/receipts.md for the schema. */
#include "quant/receipt/receipt.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "format/output.h"
#include "format/writer.h"

#define SCHEMA 1u
#define LARGEST_SEED 9007199254740992.0 /* 2^53: what a JSON number holds */

void mote_hash_to_hex(struct mote_hash128 hash, char hex[33])
{
	snprintf(hex, 33, "%016llx%016llx", (unsigned long long)hash.high, (unsigned long long)hash.low);
}

static bool put_hash(cJSON *o, const char *key, struct mote_hash128 hash)
{
	char hex[33];

	mote_hash_to_hex(hash, hex);
	return cJSON_AddStringToObject(o, key, hex) != NULL;
}

static bool put_number(cJSON *o, const char *key, double value)
{
	return cJSON_AddNumberToObject(o, key, value) != NULL;
}

static bool put_text(cJSON *receipt, const char *key, const struct mote_text *t)
{
	cJSON *o;

	if (!t)
		return cJSON_AddNullToObject(receipt, key) != NULL;
	o = cJSON_AddObjectToObject(receipt, key);
	if (!o)
		return false;
	if (t->generated
	    ? !cJSON_AddTrueToObject(o, "generated") || !put_number(o, "seed", (double)t->seed) ||
	      !put_number(o, "tokens", t->generated_tokens)
	    : !cJSON_AddStringToObject(o, "name", t->name))
		return false;
	return put_number(o, "bytes", (double)t->bytes) && put_hash(o, "xxh3", mote_text_hash(t));
}

static bool put_rule(cJSON *receipt, const struct mote_plan *p)
{
	cJSON *o = cJSON_AddObjectToObject(receipt, "rule");

	return o && cJSON_AddStringToObject(o, "name", p->all_positions ? "all-positions" : "llama.cpp") &&
	       put_number(o, "context", p->context) && put_number(o, "chunks", p->chunks) &&
	       cJSON_AddBoolToObject(o, "plain", p->plain) && put_hash(o, "ids", p->ids_hash);
}

static bool put_reference(cJSON *receipt, const struct mote_receipt_facts *facts)
{
	cJSON *o;

	if (!facts->reference && !facts->reference_hash)
		return cJSON_AddNullToObject(receipt, "reference") != NULL;
	o = cJSON_AddObjectToObject(receipt, "reference");
	return o && put_hash(o, "tensors", facts->reference ? mote_container_tensors_hash(facts->reference)
							    : *facts->reference_hash);
}

enum mote_status mote_receipt_new(const struct mote_receipt_facts *facts, cJSON **out, struct mote_error *error)
{
	cJSON *r = cJSON_CreateObject(), *part = NULL;
	bool ok = r && put_number(r, "receipt", SCHEMA) && cJSON_AddStringToObject(r, "tool", facts->tool) &&
		  put_hash(r, "tensors", mote_container_tensors_hash(facts->tensors)) &&
		  put_reference(r, facts);

	if (ok) {
		part = facts->recipe ? cJSON_Duplicate(facts->recipe, true) : cJSON_CreateNull();
		ok = part && cJSON_AddItemToObject(r, "recipe", part);
	}
	if (ok && facts->calibration_record) {
		part = cJSON_Duplicate(facts->calibration_record, true);
		ok = part && cJSON_AddItemToObject(r, "calibration", part);
	} else {
		ok = ok && put_text(r, "calibration", facts->calibration);
	}
	ok = ok && put_text(r, "validation", facts->validation) &&
	     put_rule(r, facts->plan);
	if (ok) {
		part = mote_figures_to_json(facts->figures);
		ok = part && cJSON_AddItemToObject(r, "figures", part);
	}
	if (!ok) {
		cJSON_Delete(r);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for a receipt");
	}
	*out = r;
	return MOTE_OK;
}

static const char *string_at(const cJSON *o, const char *key)
{
	const cJSON *item = mote_json_get(o, key);
	return cJSON_IsString(item) ? item->valuestring : NULL;
}

static bool same_string(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_number(const cJSON *a, const cJSON *b, const char *key)
{
	const cJSON *x = mote_json_get(a, key), *y = mote_json_get(b, key);

	return !x || !y ? x == y : x->type == y->type &&
	       (!cJSON_IsNumber(x) || !(x->valuedouble < y->valuedouble || x->valuedouble > y->valuedouble));
}

/* Two receipts' evaluations: of the same task, asked in the same way; or neither has one. */
static bool same_evaluation(const cJSON *a, const cJSON *b)
{
	static const char *const terms[] = {"items", "few_shot", "seed", "limit", "max_tokens", "chat"};
	bool same = (a != NULL) == (b != NULL) && same_string(string_at(a, "task"), string_at(b, "task")) &&
		    same_string(string_at(a, "files_xxh3"), string_at(b, "files_xxh3"));

	for (size_t i = 0; i < sizeof terms / sizeof *terms; i++)
		same = same && same_number(a, b, terms[i]);
	return same;
}

/* Whether b was measured as a was, so that its figures replace a's. */
static bool repeats(const cJSON *a, const cJSON *b)
{
	return same_evaluation(mote_json_get(a, "evaluation"), mote_json_get(b, "evaluation")) &&
	       same_string(string_at(mote_json_get(a, "validation"), "xxh3"),
			   string_at(mote_json_get(b, "validation"), "xxh3")) &&
	       same_string(string_at(mote_json_get(a, "reference"), "tensors"),
			   string_at(mote_json_get(b, "reference"), "tensors")) &&
	       same_string(string_at(mote_json_get(a, "rule"), "name"), string_at(mote_json_get(b, "rule"), "name")) &&
	       same_string(string_at(mote_json_get(a, "rule"), "ids"), string_at(mote_json_get(b, "rule"), "ids"));
}

enum mote_status mote_receipts_append(const cJSON *existing, struct mote_hash128 tensors, cJSON *receipt, cJSON **out,
				      struct mote_error *error)
{
	cJSON *array = cJSON_CreateArray();
	char hex[33];
	bool ok = array != NULL;

	mote_hash_to_hex(tensors, hex);
	for (const cJSON *r = existing ? existing->child : NULL; r && ok; r = r->next) {
		cJSON *copy;

		if (!same_string(string_at(r, "tensors"), hex) || repeats(r, receipt))
			continue;
		copy = cJSON_Duplicate(r, true);
		ok = copy && cJSON_AddItemToArray(array, copy);
	}
	if (!ok || !cJSON_AddItemToArray(array, receipt)) {
		cJSON_Delete(receipt);
		cJSON_Delete(array);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for receipts");
	}
	*out = array;
	return MOTE_OK;
}

/* How the tensors came about, for a file that holds no receipt yet: its last step of quantization. */
static const cJSON *last_quantization(const struct mote_container *c)
{
	const cJSON *steps = mote_json_get(mote_container_metadata(c), "lineage"), *found = NULL;

	for (const cJSON *s = steps ? steps->child : NULL; s; s = s->next)
		if (same_string(string_at(s, "step"), "quantize"))
			found = s;
	return found;
}

static bool same_hash(struct mote_hash128 a, struct mote_hash128 b)
{
	return a.low == b.low && a.high == b.high;
}

/* Takes receipt over, also on error. */
static enum mote_status add_to_file(const char *path, struct mote_hash128 tensors, cJSON *receipt,
				    struct mote_error *error)
{
	struct mote_container *now = NULL;
	cJSON *receipts = NULL;
	int lock = -1;
	/* Others may have stamped the file since it was opened: theirs stay. */
	enum mote_status status = mote_output_lock(path, &lock, error);

	if (status == MOTE_OK)
		status = mote_container_open(path, &now, error);
	if (status == MOTE_OK && !same_hash(mote_container_tensors_hash(now), tensors))
		status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: other tensors have come to be there while "
					"these were measured", path);
	if (status == MOTE_OK) {
		status = mote_receipts_append(mote_container_receipts(now), tensors, receipt, &receipts, error);
		receipt = NULL;
	}
	if (status == MOTE_OK)
		status = mote_container_stamp(path, MOTE_SECTION_RECEIPTS, receipts, error);
	mote_container_close(now);
	if (lock >= 0)
		close(lock);
	cJSON_Delete(receipt);
	cJSON_Delete(receipts);
	return status;
}

enum mote_status mote_receipt_stamp(const char *path, const struct mote_receipt_facts *facts, struct mote_error *error)
{
	const cJSON *earlier = mote_receipt_find(facts->tensors, NULL);
	struct mote_receipt_facts all = *facts;
	cJSON *receipt = NULL;
	enum mote_status status;

	all.recipe = earlier ? mote_json_get(earlier, "recipe") : last_quantization(facts->tensors);
	all.calibration_record = mote_json_get(earlier, "calibration");
	status = mote_receipt_new(&all, &receipt, error);
	return status ? status : add_to_file(path, mote_container_tensors_hash(facts->tensors), receipt, error);
}

enum mote_status mote_receipt_stamp_evaluation(const char *path, const char *tool, struct mote_hash128 tensors,
					       const struct mote_hash128 *reference, cJSON *evaluation,
					       struct mote_error *error)
{
	struct mote_receipt_facts facts = {.tool = tool, .reference_hash = reference};
	cJSON *r = cJSON_CreateObject(), *recipe = NULL;
	struct mote_container *c = NULL;
	const cJSON *earlier;
	enum mote_status status = mote_container_open(path, &c, error);

	if (status == MOTE_OK) {
		earlier = mote_receipt_find(c, NULL);
		facts.recipe = earlier ? mote_json_get(earlier, "recipe") : last_quantization(c);
		recipe = facts.recipe ? cJSON_Duplicate(facts.recipe, true) : cJSON_CreateNull();
		if (!r || !put_number(r, "receipt", SCHEMA) || !cJSON_AddStringToObject(r, "tool", tool) ||
		    !put_hash(r, "tensors", tensors) || !put_reference(r, &facts) || !recipe ||
		    !cJSON_AddItemToObject(r, "recipe", recipe))
			status = mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for a receipt");
		else
			recipe = NULL;
	}
	if (status == MOTE_OK && !cJSON_AddItemToObject(r, "evaluation", evaluation))
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for a receipt");
	else if (status == MOTE_OK)
		evaluation = NULL;
	mote_container_close(c);
	cJSON_Delete(evaluation);
	cJSON_Delete(recipe);
	if (status == MOTE_OK)
		return add_to_file(path, tensors, r, error);
	cJSON_Delete(r);
	return status;
}

const cJSON *mote_receipt_find(const struct mote_container *c, const char *text_hash)
{
	const cJSON *receipts = mote_container_receipts(c), *found = NULL;
	char hex[33];

	mote_hash_to_hex(mote_container_tensors_hash(c), hex);
	for (const cJSON *r = receipts ? receipts->child : NULL; r; r = r->next)
		if (same_string(string_at(r, "tensors"), hex) && !mote_json_get(r, "evaluation") &&
		    (!text_hash || same_string(string_at(mote_json_get(r, "validation"), "xxh3"), text_hash)))
			found = r;
	return found;
}

enum mote_status mote_receipt_read(const cJSON *receipt, struct mote_receipt_terms *out, struct mote_error *error)
{
	const cJSON *validation = mote_json_get(receipt, "validation"), *rule = mote_json_get(receipt, "rule");
	const cJSON *reference = mote_json_get(receipt, "reference");
	const char *name;
	uint32_t schema;
	double seed = 0.0;
	enum mote_status status = mote_json_need_u32(receipt, "receipt", 1, UINT32_MAX, "receipt", &schema, error);

	*out = (struct mote_receipt_terms){0};
	if (status == MOTE_OK && schema != SCHEMA)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "receipt: schema %u; this program knows %u",
				      schema, SCHEMA);
	if (status == MOTE_OK)
		status = mote_json_want_bool(validation, "generated", false, "receipt, validation", &out->generated,
					     error);
	if (status == MOTE_OK && out->generated) {
		status = mote_json_want_double(validation, "seed", 0.0, LARGEST_SEED, 0.0, "receipt, validation",
					       &seed, error);
		if (status == MOTE_OK)
			status = mote_json_need_u32(validation, "tokens", 1, UINT32_MAX, "receipt, validation",
						    &out->generated_tokens, error);
		out->seed = (uint64_t)seed;
	} else if (status == MOTE_OK) {
		status = mote_json_need_string(validation, "name", "receipt, validation", &out->text_name, error);
	}
	if (status == MOTE_OK)
		status = mote_json_need_string(validation, "xxh3", "receipt, validation", &out->text_hash, error);
	if (status == MOTE_OK && reference && !cJSON_IsNull(reference))
		status = mote_json_need_string(reference, "tensors", "receipt, reference", &out->reference_hash, error);
	if (status == MOTE_OK)
		status = mote_json_need_string(rule, "name", "receipt, rule", &name, error);
	if (status == MOTE_OK && strcmp(name, "llama.cpp") != 0 && strcmp(name, "all-positions") != 0)
		status = mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "receipt: unknown rule \"%s\"", name);
	if (status == MOTE_OK) {
		out->options.all_positions = strcmp(name, "all-positions") == 0;
		status = mote_json_need_u32(rule, "context", 2, UINT32_MAX, "receipt, rule",
					    &out->options.context_tokens, error);
	}
	if (status == MOTE_OK)
		status = mote_json_need_u32(rule, "chunks", 1, UINT32_MAX, "receipt, rule", &out->options.max_chunks,
					    error);
	if (status == MOTE_OK)
		status = mote_json_want_bool(rule, "plain", false, "receipt, rule", &out->options.plain, error);
	if (status == MOTE_OK)
		status = mote_json_need_string(rule, "ids", "receipt, rule", &out->ids_hash, error);
	return status;
}

enum mote_status mote_receipt_compare(const cJSON *receipt, const struct mote_figures *figures,
				      struct mote_error *error)
{
	const cJSON *stored = mote_json_get(receipt, "figures");
	cJSON *measured = mote_figures_to_json(figures);
	enum mote_status status = MOTE_OK;

	if (!measured)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for figures");
	for (const cJSON *m = measured->child; m && status == MOTE_OK; m = m->next) {
		const cJSON *s = mote_json_get(stored, m->string);

		if (!s || cJSON_IsNull(s) != cJSON_IsNull(m) ||
		    (cJSON_IsNumber(m) && memcmp(&s->valuedouble, &m->valuedouble, sizeof m->valuedouble) != 0))
			status = mote_error_set(error, MOTE_ERROR_QUALITY,
						"%s: the receipt says %.17g, measured now %.17g", m->string,
						s ? s->valuedouble : 0.0, m->valuedouble);
	}
	cJSON_Delete(measured);
	return status;
}
