/* Writing a trained model: see trained_file.h. */
#include "quant/train/trained_file.h"

#include <math.h>
#include <stdlib.h>

#include "format/json_build.h"
#include "format/writer.h"
#include "quant/receipt/receipt.h"

enum { LINEAGE_POINTS = 100 };

static enum mote_status check(const struct mote_parameter *p, enum mote_type type, struct mote_error *error)
{
	const float most = p->cols > 1 && type == MOTE_F16 ? 65504 : 3.38e38f; /* bf16's largest, rounded down */
	size_t n = (size_t)p->rows * p->cols;

	for (size_t i = 0; i < n; i++)
		if (!(fabsf(p->w[i]) <= most))
			return mote_error_set(error, MOTE_ERROR_QUALITY,
					      "tensor \"%s\": weight [%zu, %zu] became %g, which %s cannot "
					      "hold", p->name, i / p->cols, i % p->cols, (double)p->w[i],
					      p->cols > 1 ? mote_type_name(type) : "f32");
	return MOTE_OK;
}

static enum mote_status write_matrix(struct mote_writer *w, const struct mote_parameter *p, enum mote_type type,
				     struct mote_error *error)
{
	struct mote_matrix m;
	uint64_t bytes;
	enum mote_status status = mote_matrix_init(&m, type, p->rows, p->cols, NULL, NULL, &bytes, error);
	uint8_t *panel = status ? NULL : aligned_alloc(64, (size_t)(m.panel_bytes + 63) / 64 * 64);

	if (status == MOTE_OK && !panel)
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "tensor \"%s\": out of memory", p->name);
	for (uint32_t first = 0; first < p->rows && !status; first += MOTE_PANEL_ROWS) {
		uint32_t n = p->rows - first < MOTE_PANEL_ROWS ? p->rows - first : MOTE_PANEL_ROWS;

		mote_panel_pack_floats(&m, p->w + (size_t)first * p->cols, n, panel);
		status = mote_writer_write(w, panel, m.panel_bytes, error);
	}
	free(panel);
	return status;
}

static enum mote_status write_tensors(const struct mote_trainer *t, struct mote_writer *w, enum mote_type type,
				      struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; i < t->w.n && !status; i++) {
		const struct mote_parameter *p = &t->w.parameter[i];
		bool matrix = p->cols > 1;

		status = check(p, type, error);
		if (status == MOTE_OK)
			status = mote_writer_add_tensor(w, p->name, matrix ? 2 : 1, matrix ? type : MOTE_F32, p->rows,
							p->cols, NULL, error);
	}
	for (uint32_t i = 0; i < t->w.n && !status; i++) {
		const struct mote_parameter *p = &t->w.parameter[i];

		status = p->cols > 1 ? write_matrix(w, p, type, error)
				     : mote_writer_write(w, p->w, p->rows * sizeof *p->w, error);
	}
	return status;
}

/* Evenly spaced points of the curve, the last among them. */
static void add_curve(const struct mote_trainer *t, struct mote_json_builder *b, cJSON *step)
{
	cJSON *list = mote_json_add_array(b, step, "loss");
	uint32_t n = t->step < LINEAGE_POINTS ? t->step : LINEAGE_POINTS;

	for (uint32_t i = 1; i <= n; i++) {
		uint32_t at = (uint32_t)((uint64_t)i * t->step / n) - 1;
		cJSON *point = mote_json_add_array(b, list, NULL);

		mote_json_add_number(b, point, NULL, at + 1);
		mote_json_add_number(b, point, NULL, t->curve[at].loss);
	}
}

static enum mote_status put_metadata(const struct mote_trainer *t, struct mote_writer *w,
				     const struct mote_trained_by *by, struct mote_error *error)
{
	const struct mote_container *source = t->model->container;
	struct mote_json_builder b = {0};
	cJSON *metadata = cJSON_Duplicate(by->vocabulary->metadata, true), *lineage, *step;
	char tensors[33], data[33];
	enum mote_status status;

	b.failed = !metadata;
	mote_hash_to_hex(mote_container_tensors_hash(source), tensors);
	mote_hash_to_hex(by->data, data);
	lineage = metadata ? cJSON_GetObjectItemCaseSensitive(metadata, "lineage") : NULL;
	if (!cJSON_IsArray(lineage)) /* a file that others made may have none */
		lineage = mote_json_add_array(&b, metadata, "lineage");
	step = mote_json_add_object(&b, lineage, NULL);
	mote_json_add_text(&b, step, "step", "train");
	mote_json_add_text(&b, step, "tool", by->tool);
	mote_json_add_text(&b, step, "source_tensors", tensors);
	mote_json_add_item(&b, step, "recipe", cJSON_Duplicate(by->recipe, true));
	mote_json_add_text(&b, step, "data", data);
	mote_json_add_number(&b, step, "records", t->records);
	mote_json_add_number(&b, step, "tokens", (double)t->tokens);
	mote_json_add_number(&b, step, "steps", t->step);
	add_curve(t, &b, step);
	status = mote_json_finish(&b, &metadata, "metadata", error);
	if (status == MOTE_OK)
		status = mote_writer_put_json(w, MOTE_SECTION_METADATA, metadata, error);
	cJSON_Delete(metadata);
	return status;
}

enum mote_status mote_trained_file_write(const struct mote_trainer *t, const char *path, bool force,
					 enum mote_type type, const struct mote_trained_by *by,
					 struct mote_error *error)
{
	struct mote_writer *w = NULL;
	const struct mote_vocabulary *v = by->vocabulary;
	enum mote_status status = mote_writer_open(path, force, &w, error);

	if (status == MOTE_OK)
		status = write_tensors(t, w, type, error);
	if (status == MOTE_OK)
		status = mote_writer_put_section(w, MOTE_SECTION_TOKENIZER, v->section, v->section_bytes, error);
	if (status == MOTE_OK)
		status = put_metadata(t, w, by, error);
	if (status == MOTE_OK)
		status = mote_writer_finish(w, error);
	if (status == MOTE_OK)
		return mote_writer_commit(w, error);
	mote_writer_discard(w);
	return status;
}
