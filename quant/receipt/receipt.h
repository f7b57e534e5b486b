/* Receipts: what a quantized file says about its own quality, and how to repeat it.
 * docs/receipts.md is the schema. A receipt names the tensors it speaks of by hash, so it cannot be
 * carried over to others by mistake; XXH3 finds mistakes, not forgery.
 *
 *   mote_validate(...)  ->  mote_receipt_new(...)  ->  mote_receipts_append(...)
 *   ->  mote_writer_put_json(w, MOTE_SECTION_RECEIPTS, ...)  or  mote_container_stamp(...)
 */
#ifndef MOTE_QUANT_RECEIPT_H
#define MOTE_QUANT_RECEIPT_H

#include "quant/measure/figures.h"
#include "quant/measure/plan.h"

/* Everything is borrowed during the call. */
struct mote_receipt_facts {
	const char *tool;                         /* "mote-quantize 0.1.0" */
	const cJSON *recipe;                      /* how the tensors were made; object, or NULL */
	const struct mote_text *calibration;      /* NULL: none was used */
	const cJSON *calibration_record;          /* or what an earlier receipt says about it */
	const struct mote_text *validation;
	const struct mote_plan *plan;
	const struct mote_container *tensors;     /* the file that the receipt speaks of, after finish */
	const struct mote_container *reference;   /* what it was measured against, or NULL */
	const struct mote_hash128 *reference_hash;/* or only its tensors' hash, when its logits were kept in a file */
	const struct mote_figures *figures;
};

/* A new receipt object; the caller owns it. MOTE_ERROR_MEMORY. */
enum mote_status mote_receipt_new(const struct mote_receipt_facts *facts, cJSON **out,
				  struct mote_error *error) MOTE_CHECKED;

/* A new array: those of existing (may be NULL) that still speak of these tensors, less those which receipt
 * repeats (same text, reference and rule), then receipt, which it takes over (also on error). The caller owns the
 * array. */
enum mote_status mote_receipts_append(const cJSON *existing, struct mote_hash128 tensors, cJSON *receipt, cJSON **out,
				      struct mote_error *error) MOTE_CHECKED;

/* Adds a receipt to the file at path, which facts->tensors has open; recipe and calibration are those that an earlier
 * receipt or the file's lineage tells. The file is written anew and renamed; what is open stays as it was. */
enum mote_status mote_receipt_stamp(const char *path, const struct mote_receipt_facts *facts,
				    struct mote_error *error) MOTE_CHECKED;

/* Adds a receipt about a benchmark to the file at path, which must still hold these tensors; it replaces one about the
 * same task, asked in the same way. reference: tensors of the model that items were paired with, or NULL. Takes
 * evaluation over, also on error: docs/receipts.md has its fields. */
enum mote_status mote_receipt_stamp_evaluation(const char *path, const char *tool, struct mote_hash128 tensors,
					       const struct mote_hash128 *reference, cJSON *evaluation,
					       struct mote_error *error) MOTE_CHECKED;

/* What a measurement that repeats a receipt needs. Strings are borrowed from it. */
struct mote_receipt_terms {
	bool generated;                           /* else the text named and hashed here */
	uint64_t seed;
	uint32_t generated_tokens;
	const char *text_name, *text_hash;
	const char *reference_hash;               /* NULL: measured alone */
	const char *ids_hash;
	struct mote_plan_options options;
};
/* MOTE_ERROR_CORRUPT names the key; MOTE_ERROR_UNSUPPORTED: a receipt of a later schema. */
enum mote_status mote_receipt_read(const cJSON *receipt, struct mote_receipt_terms *out,
				   struct mote_error *error) MOTE_CHECKED;

/* The newest receipt of losses that speaks of c's tensors and, when text_hash is not NULL, of that text; or NULL. Of
 * those that were compared with a reference, or were not, if there are any. Borrowed from c. */
const cJSON *mote_receipt_find(const struct mote_container *c, const char *text_hash, bool compared);

/* A hash as 32 hexadecimal digits, high half first. */
void mote_hash_to_hex(struct mote_hash128 hash, char hex[33]);

/* Compares every figure of a stored receipt with figures measured anew: equal bit for bit, or
 * MOTE_ERROR_QUALITY naming the first figure that differs with both values. */
enum mote_status mote_receipt_compare(const cJSON *receipt, const struct mote_figures *figures,
				      struct mote_error *error) MOTE_CHECKED;

#endif
