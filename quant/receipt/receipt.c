/* Receipts: see receipt.h, and docs/receipts.md for the schema. */
#include "quant/receipt/receipt.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "format/json_build.h"
#include "format/output.h"
#include "format/writer.h"

#define SCHEMA 1u
#define LARGEST_SEED 9007199254740992.0 /* 2^53: what a JSON number holds */

void mote_hash_to_hex(struct mote_hash128 hash, char hex[33])
{
	snprintf(hex, 33, "%016llx%016llx", (unsigned long long)hash.high, (unsigned long long)hash.low);
}

static void put_hash(struct mote_json_builder *b, cJSON *o, const char *key, struct mote_hash128 hash)
{
	char hex[33];

	mote_hash_to_hex(hash, hex);
	mote_json_add_text(b, o, key, hex);
}

static void put_text(struct mote_json_builder *b, cJSON *receipt, const char *key, const struct mote_text *t)
{
	cJSON *o;

	if (!t) {
		mote_json_add_null(b, receipt, key);
		return;
	}
	o = mote_json_add_object(b, receipt, key);
	if (t->generated) {
		mote_json_add_bool(b, o, "generated", true);
		mote_json_add_number(b, o, "seed", (double)t->seed);
		mote_json_add_number(b, o, "tokens", t->generated_tokens);
	} else {
		mote_json_add_text(b, o, "name", t->name);
	}
	mote_json_add_number(b, o, "bytes", (double)t->bytes);
	put_hash(b, o, "xxh3", mote_text_hash(t));
}

static void put_rule(struct mote_json_builder *b, cJSON *receipt, const struct mote_plan *p)
{
	cJSON *o = mote_json_add_object(b, receipt, "rule");

	mote_json_add_text(b, o, "name", p->all_positions ? "all-positions" : "llama.cpp");
	mote_json_add_number(b, o, "context", p->context);
	mote_json_add_number(b, o, "chunks", p->chunks);
	mote_json_add_bool(b, o, "plain", p->plain);
	put_hash(b, o, "ids", p->ids_hash);
}

/* What every receipt begins with. */
static cJSON *begin(struct mote_json_builder *b, const struct mote_receipt_facts *facts, struct mote_hash128 tensors)
{
	cJSON *r = mote_json_new_object(b);

	mote_json_add_number(b, r, "receipt", SCHEMA);
	mote_json_add_text(b, r, "tool", facts->tool);
	put_hash(b, r, "tensors", tensors);
	if (facts->reference)
		put_hash(b, mote_json_add_object(b, r, "reference"), "tensors",
			 mote_container_tensors_hash(facts->reference));
	else if (facts->reference_hash)
		put_hash(b, mote_json_add_object(b, r, "reference"), "tensors", *facts->reference_hash);
	else
		mote_json_add_null(b, r, "reference");
	mote_json_add_item(b, r, "recipe", facts->recipe ? cJSON_Duplicate(facts->recipe, true) : cJSON_CreateNull());
	return r;
}

enum mote_status mote_receipt_new(const struct mote_receipt_facts *facts, cJSON **out, struct mote_error *error)
{
	struct mote_json_builder b = {0};
	cJSON *r = begin(&b, facts, mote_container_tensors_hash(facts->tensors));

	if (facts->calibration_record)
		mote_json_add_item(&b, r, "calibration", cJSON_Duplicate(facts->calibration_record, true));
	else
		put_text(&b, r, "calibration", facts->calibration);
	put_text(&b, r, "validation", facts->validation);
	put_rule(&b, r, facts->plan);
	mote_json_add_item(&b, r, "figures", mote_figures_to_json(facts->figures));
	*out = r;
	return mote_json_finish(&b, out, "a receipt", error);
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
	       same_number(mote_json_get(a, "rule"), mote_json_get(b, "rule"), "context") &&
	       same_string(string_at(mote_json_get(a, "rule"), "ids"), string_at(mote_json_get(b, "rule"), "ids"));
}

enum mote_status mote_receipts_append(const cJSON *existing, struct mote_hash128 tensors, cJSON *receipt, cJSON **out,
				      struct mote_error *error)
{
	struct mote_json_builder b = {0};
	char hex[33];

	mote_hash_to_hex(tensors, hex);
	*out = mote_json_new_array(&b);
	for (const cJSON *r = existing ? existing->child : NULL; r; r = r->next)
		if (same_string(string_at(r, "tensors"), hex) && !repeats(r, receipt))
			mote_json_add_item(&b, *out, NULL, cJSON_Duplicate(r, true));
	mote_json_add_item(&b, *out, NULL, receipt);
	return mote_json_finish(&b, out, "receipts", error);
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
	const cJSON *earlier = mote_receipt_find(facts->tensors, NULL, true);
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
	struct mote_json_builder b = {0};
	struct mote_container *c = NULL;
	const cJSON *earlier;
	cJSON *r;
	enum mote_status status = mote_container_open(path, &c, error);

	if (status) {
		cJSON_Delete(evaluation);
		return status;
	}
	earlier = mote_receipt_find(c, NULL, true);
	facts.recipe = earlier ? mote_json_get(earlier, "recipe") : last_quantization(c);
	r = begin(&b, &facts, tensors);
	mote_json_add_item(&b, r, "evaluation", evaluation);
	mote_container_close(c);
	status = mote_json_finish(&b, &r, "a receipt", error);
	return status ? status : add_to_file(path, tensors, r, error);
}

const cJSON *mote_receipt_find(const struct mote_container *c, const char *text_hash, bool compared)
{
	const cJSON *receipts = mote_container_receipts(c), *found = NULL;
	bool fits = false;
	char hex[33];

	mote_hash_to_hex(mote_container_tensors_hash(c), hex);
	for (const cJSON *r = receipts ? receipts->child : NULL; r; r = r->next)
		if (same_string(string_at(r, "tensors"), hex) && !mote_json_get(r, "evaluation") &&
		    (!text_hash || same_string(string_at(mote_json_get(r, "validation"), "xxh3"), text_hash)) &&
		    (!fits || cJSON_IsObject(mote_json_get(r, "reference")) == compared)) {
			found = r;
			fits = cJSON_IsObject(mote_json_get(r, "reference")) == compared;
		}
	return found;
}

/* A hash as put_hash() writes it. */
static enum mote_status need_hash(const cJSON *object, const char *key, const char *where, const char **out,
				  struct mote_error *error)
{
	enum mote_status status = mote_json_need_string(object, key, where, out, error);

	if (status == MOTE_OK && (strlen(*out) != 32 || strspn(*out, "0123456789abcdef") != 32))
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: \"%s\" is not 32 hexadecimal digits", where,
					key);
	return status;
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
		status = need_hash(validation, "xxh3", "receipt, validation", &out->text_hash, error);
	if (status == MOTE_OK && reference && !cJSON_IsNull(reference))
		status = need_hash(reference, "tensors", "receipt, reference", &out->reference_hash, error);
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
		status = need_hash(rule, "ids", "receipt, rule", &out->ids_hash, error);
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
