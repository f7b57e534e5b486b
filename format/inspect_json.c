/* mote-inspect --json: everything of a container as one object. */
#include "format/inspect.h"
#include "format/json_build.h"
#include "format/tool/console.h"

static void add_tensor(struct mote_json_builder *b, cJSON *list, const struct mote_tensor *t)
{
	cJSON *item = mote_json_add_object(b, list, NULL), *shape;

	mote_json_add_text(b, item, "name", t->name);
	mote_json_add_text(b, item, "type", mote_type_name(t->type));
	shape = mote_json_add_array(b, item, "shape");
	mote_json_add_number(b, shape, NULL, t->rows);
	if (t->rank == 2)
		mote_json_add_number(b, shape, NULL, t->cols);
	mote_json_add_number(b, item, "offset", (double)t->offset);
	mote_json_add_number(b, item, "bytes", (double)t->bytes);
	mote_json_add_number(b, item, "bits_per_weight", inspect_bits_per_weight(t->bytes, inspect_weights_of(t)));
	mote_json_add_text(b, item, "xxh3", inspect_hex(t->hash).text);
}

static void add_section(struct mote_json_builder *b, cJSON *list, const struct mote_section_info *s)
{
	cJSON *item = mote_json_add_object(b, list, NULL);

	mote_json_add_number(b, item, "kind", s->kind);
	mote_json_add_text(b, item, "name", inspect_section_name(s->kind));
	mote_json_add_number(b, item, "offset", (double)s->offset);
	mote_json_add_number(b, item, "bytes", (double)s->stored_bytes);
	mote_json_add_number(b, item, "raw_bytes", (double)s->raw_bytes);
}

static cJSON *build_json(struct mote_json_builder *b, const struct mote_container *c, bool verified)
{
	struct inspect_totals all = inspect_add_up(c, false, MOTE_F32);
	const cJSON *receipts = mote_container_receipts(c), *sensitivity = mote_container_sensitivity(c);
	cJSON *object = mote_json_new_object(b), *list;

	mote_json_add_number(b, object, "file_bytes", (double)mote_container_file_bytes(c));
	mote_json_add_number(b, object, "bits_per_weight", inspect_bits_per_weight(all.bytes, all.weights));
	mote_json_add_number(b, object, "weights", (double)all.weights);
	mote_json_add_text(b, object, "tensors_hash", inspect_hex(mote_container_tensors_hash(c)).text);
	if (verified)
		mote_json_add_bool(b, object, "verified", true);
	list = mote_json_add_array(b, object, "tensors");
	for (uint32_t i = 0; i < mote_container_tensor_count(c); i++)
		add_tensor(b, list, mote_container_tensor(c, i));
	list = mote_json_add_array(b, object, "sections");
	for (uint32_t i = 0; i < mote_container_section_count(c); i++)
		add_section(b, list, mote_container_section_info(c, i));
	/* References: what a file's JSON takes is taken once. */
	mote_json_add_item(b, object, "metadata", cJSON_CreateObjectReference(mote_container_metadata(c)->child));
	mote_json_add_item(b, object, "receipts", receipts ? cJSON_CreateArrayReference(receipts->child)
							   : cJSON_CreateArray());
	mote_json_add_item(b, object, "sensitivity", sensitivity ? cJSON_CreateObjectReference(sensitivity->child)
								 : cJSON_CreateNull());
	return object;
}

enum mote_status inspect_print_json(const struct mote_container *c, bool verified, struct mote_error *error)
{
	struct mote_json_builder b = {0};
	cJSON *object = build_json(&b, c, verified);
	enum mote_status status = mote_json_finish(&b, &object, "the file's description", error);

	if (status == MOTE_OK)
		status = mote_console_print_json(object, error);
	cJSON_Delete(object);
	return status;
}
