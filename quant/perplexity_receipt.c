/* Receipts: repeated (--check) and written (--stamp); of one text. */
#include <string.h>

#include "quant/perplexity.h"

/* The receipt of one model for the text, if there is one already, and its terms; the reference that it speaks of must
 * be at hand. */
static enum mote_status read_receipt(struct perplexity_run *r, uint32_t i, struct mote_receipt_terms *terms,
				     struct mote_error *error)
{
	const struct mote_text *t = &r->text[0].text;
	const char *path = r->model[i].path;
	bool compared = r->reference.path != NULL;
	char text[33], tensors[33];
	enum mote_status status;

	mote_hash_to_hex(mote_text_hash(t), text);
	r->receipt[i] = mote_receipt_find(r->model[i].model->container, t->data ? text : NULL, compared);
	if (!r->receipt[i])
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: holds no receipt for its tensors%s", path,
				      t->data ? " and this text" : "");
	status = mote_receipt_read(r->receipt[i], terms, error);
	if (status != MOTE_OK)
		return status;
	if (!terms->reference_hash != !compared)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, compared ? "%s: was measured without a reference"
				      : "%s: was measured against a reference; give it with --reference", path);
	if (r->reference.model) {
		mote_hash_to_hex(mote_container_tensors_hash(r->reference.model->container), tensors);
		if (strcmp(tensors, terms->reference_hash) != 0)
			return mote_error_set(error, MOTE_ERROR_ARGUMENT,
					      "%s: was measured against other tensors than those of %s", path,
					      r->reference.path);
	}
	return MOTE_OK;
}

enum mote_status perplexity_read_receipts(struct perplexity_run *r, struct mote_plan_options *plan,
					  struct mote_error *error)
{
	struct mote_receipt_terms *first = &r->terms, terms;
	enum mote_status status = read_receipt(r, 0, first, error);

	for (uint32_t i = 1; i < r->models && status == MOTE_OK; i++) {
		status = read_receipt(r, i, &terms, error);
		if (status == MOTE_OK && strcmp(first->ids_hash, terms.ids_hash) != 0)
			status = mote_error_set(error, MOTE_ERROR_ARGUMENT,
						"%s and %s were measured on other tokens: check them one "
						"by one", r->model[0].path, r->model[i].path);
	}
	if (status != MOTE_OK)
		return status;
	*plan = first->options;
	if (r->text[0].text.data)
		return MOTE_OK;
	if (!first->generated)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "the receipt speaks of the text %s; give it with -f",
				      first->text_name);
	return perplexity_generate(r, first->seed, first->generated_tokens, error);
}

enum mote_status perplexity_check_terms(const struct perplexity_run *r, struct mote_error *error)
{
	char hex[33];

	mote_hash_to_hex(r->text[0].plan.ids_hash, hex);
	if (strcmp(hex, r->terms.ids_hash) != 0)
		return mote_error_set(error, MOTE_ERROR_QUALITY, "%s: its text is now read as other tokens than when "
				      "the receipt was made", r->model[0].path);
	mote_hash_to_hex(r->reference_hash, hex);
	if (r->terms.reference_hash && strcmp(hex, r->terms.reference_hash) != 0)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "%s: was measured against other tensors than those of %s", r->model[0].path,
				      r->reference.path);
	return MOTE_OK;
}

enum mote_status perplexity_compare_receipts(struct perplexity_run *r, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; i < r->models && status == MOTE_OK; i++) {
		status = mote_receipt_compare(r->receipt[i], &r->text[0].figures[i], error);
		mote_error_prefix(error, "%s", r->model[i].path);
	}
	return status;
}

enum mote_status perplexity_stamp(struct perplexity_run *r, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; i < r->models && status == MOTE_OK; i++) {
		const struct mote_receipt_facts facts = {
			.tool = PERPLEXITY " " MOTE_VERSION, .validation = &r->text[0].text, .plan = &r->text[0].plan,
			.tensors = r->model[i].model->container, .figures = &r->text[0].figures[i],
			.reference_hash = r->reference.path ? &r->reference_hash : NULL
		};

		status = mote_receipt_stamp(r->model[i].path, &facts, error);
	}
	return status;
}
