/* The conversion: see checkpoint.h.
 *
 * Two threads: a second one packs and writes the tensors in forward order; the caller's compiles the tokenizer and
 * hashes the source files, which has to go in file order. (It is the caller's because that is where the allocations
 * are: they are slower in other threads.) Each stops when the other failed. */
#include "convert/checkpoint.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "convert/gguf/gguf_checkpoint.h"
#include "convert/hf/hf_directory.h"
#include "convert/hf/hf_lora.h"
#include "convert/hf/hf_metadata.h"
#include "convert/hf/hf_weights.h"
#include "convert/checkpoint_tensors.h"
#include "convert/panel_pack.h"
#include "convert/weight_rows.h"
#include "format/writer.h"

struct conversion {
	const struct mote_checkpoint_options *options;
	struct mote_source source;
	struct mote_gguf gguf;     /* when that is what the source is */
	struct mote_hf_directory directory;
	struct mote_hf_config config;
	struct mote_hf_weights weights;
	struct mote_checkpoint_tensors plan;
	struct mote_lora *lora;    /* [options->adapters] */
	cJSON *lora_lineage;
	struct mote_writer *writer;
	uint8_t *rows;             /* as the checkpoint has them; room for one panel's at least */
	uint8_t *panels;           /* packed */
	size_t rows_bytes, panels_bytes;
	uint8_t *quants;           /* [16][quants_cols], with scales: for a panel of blocks that stay quants */
	uint16_t *scales;
	size_t quants_cols;
	uint64_t done, total;      /* source bytes of tensors */

	uint8_t *section;          /* the compiled tokenizer */
	size_t section_bytes;
	struct mote_hf_tokenizer_info info;
	struct mote_notes notes;   /* the caller's thread adds to them */

	struct mote_error tensor_error; /* the second thread's */
	_Atomic(bool) stop;        /* either thread failed */
};

static enum mote_status stopped(struct conversion *c, enum mote_status status)
{
	if (status)
		atomic_store(&c->stop, true);
	return status;
}

static enum mote_status compile_and_hash(struct conversion *c, struct mote_error *error)
{
	const struct mote_hf_directory *d = &c->directory;
	struct mote_hf_tokenizer_source source = {d->tokenizer, d->tokenizer_bytes, d->tokenizer_config_text,
						  d->tokenizer_config_bytes,
						  c->options->vocab_only ? 0 : c->config.model.vocab};
	enum mote_status status;

	status = mote_hf_tokenizer_compile(&source, &c->section, &c->section_bytes, &c->info, error);
	for (uint32_t i = 0; i < c->source.files && !status; i++)
		if (c->source.file[i].fd >= 0)
			status = mote_source_hash(&c->source.file[i], &c->stop, error);
	return stopped(c, status);
}

static enum mote_status report_progress(struct conversion *c, uint64_t bytes, struct mote_error *error)
{
	const struct mote_progress *p = &c->options->progress;

	c->done += bytes;
	if (p->update && !p->update(p->user, c->done, c->total))
		return mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	if (atomic_load(&c->stop)) /* the other thread knows why */
		return mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	return MOTE_OK;
}

static enum mote_type target_type(const struct conversion *c, const struct mote_checkpoint_tensor *t)
{
	return t->rank == 1 ? MOTE_F32 : c->options->keep_types ? t->keep : c->options->type;
}

/* What rows are read as: quants that stay quants as they are, everything else in a float type. */
static enum mote_type read_type(const struct conversion *c, const struct mote_checkpoint_tensor *t)
{
	return mote_type_is_quantized(target_type(c, t)) ? target_type(c, t) : t->from;
}

static size_t row_bytes(const struct conversion *c, const struct mote_checkpoint_tensor *t)
{
	return mote_weight_rows_bytes(t->weight, read_type(c, t), t->cols);
}

/* So many panels go through the buffers at once. */
static uint32_t batch_panels(const struct conversion *c, const struct mote_checkpoint_tensor *t)
{
	uint64_t bytes = row_bytes(c, t) * MOTE_PANEL_ROWS;

	return bytes < MOTE_SOURCE_PIECE_BYTES ? (uint32_t)(MOTE_SOURCE_PIECE_BYTES / bytes) : 1;
}

/* NULL: the target has none. */
static const uint8_t *target_codebook(const struct conversion *c, const struct mote_checkpoint_tensor *t)
{
	return mote_type_is_quantized(target_type(c, t)) ? mote_weight_rows_codebook(t->weight) : NULL;
}

static void make_room(size_t *room, uint64_t bytes)
{
	if (bytes > *room)
		*room = (size_t)bytes;
}

static enum mote_status plan_tensors(struct conversion *c, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; i < c->plan.tensors && !status; i++) {
		const struct mote_checkpoint_tensor *t = &c->plan.tensor[i];
		uint32_t rows = t->rank == 1 ? t->rows : batch_panels(c, t) * MOTE_PANEL_ROWS;
		struct mote_matrix batch;
		uint64_t bytes;

		c->total += t->bytes;
		status = mote_matrix_init(&batch, target_type(c, t), rows, t->cols, NULL, NULL, &bytes, error);
		make_room(&c->panels_bytes, bytes);
		make_room(&c->rows_bytes, row_bytes(c, t) * rows);
		if (!status && mote_type_is_quantized(target_type(c, t)))
			make_room(&c->quants_cols, (uint64_t)batch.blocks * MOTE_BLOCK_COLS);
		if (!status)
			status = mote_writer_add_tensor(c->writer, t->name, t->rank, target_type(c, t),
							t->rows, t->cols, target_codebook(c, t), error);
	}
	if (status || c->plan.tensors == 0)
		return status;
	c->rows = malloc(c->rows_bytes);
	c->panels = aligned_alloc(64, (c->panels_bytes + 63) & ~(size_t)63);
	c->quants = malloc(c->quants_cols * MOTE_PANEL_ROWS + 1);
	c->scales = malloc(c->quants_cols / MOTE_BLOCK_COLS * MOTE_PANEL_ROWS * sizeof *c->scales + 1);
	if (!c->rows || !c->panels || !c->quants || !c->scales)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	return MOTE_OK;
}

static enum mote_status write_vector(struct conversion *c, const struct mote_checkpoint_tensor *t,
				     struct mote_error *error)
{
	float *vector = (float *)(void *)c->panels;
	enum mote_status status;

	if ((status = mote_weight_rows_read(&c->source, t->weight, t->from, t->rows, 1, 0, t->rows, c->rows, error)) ||
	    (status = mote_vector_widen(t->name, t->from, c->rows, t->rows, vector, error)))
		return status;
	for (uint32_t i = 0; i < t->rows && t->plus_one; i++)
		vector[i] += 1;
	if ((status = mote_writer_write(c->writer, c->panels, t->rows * sizeof(float), error)))
		return status;
	return report_progress(c, t->bytes, error);
}

static enum mote_status pack_rows(struct conversion *c, const struct mote_panel_pack *pack,
				  const struct mote_checkpoint_tensor *t, uint32_t panel, uint32_t n,
				  struct mote_error *error)
{
	if (mote_type_is_quantized(pack->matrix.type))
		return mote_weight_rows_pack(t->weight, &pack->matrix, c->rows, panel, n, c->quants, c->scales,
					     c->panels, error);
	return mote_panel_pack_run(pack, c->rows, panel, n, c->panels, error);
}

static enum mote_status write_panels(struct conversion *c, const struct mote_panel_pack *pack,
				     const struct mote_checkpoint_tensor *t, struct mote_error *error)
{
	const struct mote_matrix *m = &pack->matrix;
	const uint32_t batch = batch_panels(c, t);
	enum mote_status status = MOTE_OK;

	for (uint32_t panel = 0; panel < m->panels && !status; panel += batch) {
		uint32_t n = m->panels - panel < batch ? m->panels - panel : batch;
		uint32_t first = panel * MOTE_PANEL_ROWS, rows = n * MOTE_PANEL_ROWS;

		if (rows > t->rows - first)
			rows = t->rows - first;
		if (!(status = mote_weight_rows_read(&c->source, t->weight, read_type(c, t), t->weight_rows, t->cols,
						     t->first_row + first, rows, c->rows, error)) &&
		    !(status = pack_rows(c, pack, t, panel, n, error)) &&
		    !(status = mote_writer_write(c->writer, c->panels, n * m->panel_bytes, error)))
			status = report_progress(c, t->bytes / t->rows * rows, error);
	}
	return status;
}

static enum mote_status write_matrix(struct conversion *c, const struct mote_checkpoint_tensor *t,
				     struct mote_error *error)
{
	struct mote_panel_pack pack;
	struct mote_matrix matrix;
	enum mote_status status;
	uint64_t bytes;

	if ((status = mote_matrix_init(&matrix, target_type(c, t), t->rows, t->cols, NULL, target_codebook(c, t),
				       &bytes, error)) ||
	    (status = mote_panel_pack_init(&pack, t->name, t->from, &matrix, error)))
		return status;
	status = write_panels(c, &pack, t, error);
	mote_panel_pack_free(&pack);
	return status;
}

/* A tied checkpoint may hold its head all the same, provided that it is the embedding. */
static enum mote_status check_tied_copy(struct conversion *c, struct mote_error *error)
{
	const struct mote_hf_weight *head = c->plan.tied_copy, *embedding;
	const size_t half = c->rows_bytes / 2;
	enum mote_status status;
	bool same;

	if (!head)
		return MOTE_OK;
	embedding = c->plan.tensor[0].weight;
	if (head->tensor == embedding->tensor) /* one is the other's alias */
		return MOTE_OK;
	same = strcmp(head->tensor->dtype, embedding->tensor->dtype) == 0;
	for (uint64_t at = 0; same && at < head->tensor->bytes; at += half) {
		size_t n = head->tensor->bytes - at < half ? (size_t)(head->tensor->bytes - at) : half;

		if ((status = mote_source_read_at(&c->source.file[head->file], head->tensor->offset + at, c->rows, n,
						  error)) ||
		    (status = mote_source_read_at(&c->source.file[embedding->file], embedding->tensor->offset + at,
						  c->rows + half, n, error)) ||
		    (status = report_progress(c, 0, error)))
			return status;
		same = memcmp(c->rows, c->rows + half, n) == 0;
	}
	if (same)
		return MOTE_OK;
	return mote_error_set(error, MOTE_ERROR_CORRUPT,
			      "tensor \"%s\" differs from \"%s\", but config.json says \"tie_word_embeddings\": true",
			      head->name, embedding->name);
}

static enum mote_status write_tensors(struct conversion *c, struct mote_error *error)
{
	enum mote_status status = check_tied_copy(c, error);

	for (uint32_t i = 0; i < c->plan.tensors && !status; i++) {
		const struct mote_checkpoint_tensor *t = &c->plan.tensor[i];

		status = t->rank == 1 ? write_vector(c, t, error) : write_matrix(c, t, error);
	}
	return status;
}

static void *tensor_thread(void *user)
{
	struct conversion *c = user;

	(void)stopped(c, write_tensors(c, &c->tensor_error)); /* tensor_error says it */
	return NULL;
}

static enum mote_status write_data(struct conversion *c, struct mote_error *error)
{
	pthread_t thread;
	bool threaded = !c->options->one_thread && !c->options->vocab_only &&
			pthread_create(&thread, NULL, tensor_thread, c) == 0;

	(void)compile_and_hash(c, error); /* error says it, once both are done */
	if (threaded)
		pthread_join(thread, NULL);
	else if (error->code == MOTE_OK)
		tensor_thread(c);
	/* when one thread was stopped because of the other, the other's error is the one to tell */
	if (c->tensor_error.code != MOTE_OK && (error->code == MOTE_OK || error->code == MOTE_ERROR_INTERRUPTED))
		*error = c->tensor_error;
	return error->code;
}

static enum mote_status write_metadata(struct conversion *c, struct mote_error *error)
{
	struct mote_hf_metadata_inputs in = { .source = &c->source, .directory = &c->directory,
					      .tokenizer_info = &c->info, .tool = c->options->tool,
					      .dtype = c->options->keep_types ? "keep"
									      : mote_type_name(c->options->type) };
	struct mote_tokenizer *tokenizer;
	enum mote_status status;
	cJSON *metadata = NULL;

	status = mote_tokenizer_open(c->section, c->section_bytes, &tokenizer, error);
	if (status)
		return status;
	in.tokenizer = tokenizer;
	in.notes = &c->notes;
	in.lora = c->lora_lineage;
	in.config = c->options->vocab_only ? NULL : &c->config;
	if (!(status = mote_hf_metadata_build(&in, &metadata, error)) &&
	    !(status = mote_writer_put_json(c->writer, MOTE_SECTION_METADATA, metadata, error)))
		status = mote_writer_put_section(c->writer, MOTE_SECTION_TOKENIZER, c->section, c->section_bytes,
						 error);
	cJSON_Delete(metadata);
	mote_tokenizer_close(tokenizer);
	return status;
}

/* A directory, or a GGUF file in one. */
static enum mote_status open_source(struct conversion *c, const char *path, struct mote_error *error)
{
	const bool vocab_only = c->options->vocab_only;
	enum mote_status status;
	char *folder;

	if (!mote_source_is_gguf(path)) {
		status = mote_source_open(path, &c->source, error);
		return status ? status : mote_hf_directory_read(&c->source, vocab_only, &c->directory, error);
	}
	folder = mote_source_folder(path);
	if (!folder)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	status = mote_source_open(folder, &c->source, error);
	if (!status)
		status = mote_gguf_checkpoint_open(&c->source, mote_source_base(path), vocab_only, &c->gguf,
						   &c->directory, &c->weights, &c->notes, error);
	free(folder);
	return status;
}

static enum mote_status apply_adapters(struct conversion *c, struct mote_error *error)
{
	const struct mote_checkpoint_options *o = c->options;
	enum mote_status status = MOTE_OK;

	if (!o->adapters)
		return MOTE_OK;
	c->lora = calloc(o->adapters, sizeof *c->lora);
	c->lora_lineage = cJSON_CreateArray();
	if (!c->lora || !c->lora_lineage)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	for (uint32_t i = 0; i < o->adapters && !status; i++) {
		status = mote_lora_apply(o->adapter[i].directory, o->adapter[i].factor, &c->source,
					 &c->weights, &c->plan, c->lora_lineage, &c->lora[i], error);
		if (status)
			mote_error_prefix(error, "%s", o->adapter[i].directory);
	}
	return status;
}

static enum mote_status convert(struct conversion *c, const char *path, const char *output, struct mote_error *error)
{
	enum mote_status status = open_source(c, path, error);

	if (!status && !c->options->vocab_only) {
		status = mote_hf_config_read(c->directory.config, &c->config, error);
		if (c->source.gguf) /* whose norms hold the sum */
			c->config.norm_plus_one = false;
		if (!status && !c->source.gguf)
			status = mote_hf_weights_open(&c->source, &c->weights, error);
		if (!status)
			status = mote_checkpoint_tensors_match(&c->config, &c->source, &c->weights, &c->plan,
							       &c->notes, error);
		if (!status)
			status = apply_adapters(c, error);
	}
	if (status)
		return status;
	if ((status = mote_writer_open(output, c->options->force, &c->writer, error)) ||
	    (status = plan_tensors(c, error)) || (status = write_data(c, error)) ||
	    (status = write_metadata(c, error)) || (status = mote_writer_finish(c->writer, error)))
		return status;
	/* Whoever asked to stop since the last tensor must not find a new file: this is the last moment to look. */
	if ((status = report_progress(c, 0, error)))
		return status;
	status = mote_writer_commit(c->writer, error);
	c->writer = NULL;
	return status;
}

static void fill_report(struct conversion *c, struct mote_checkpoint_report *report)
{
	*report = (struct mote_checkpoint_report){.tokenizer = c->info, .tensors = c->plan.tensors, .notes = c->notes};
	c->notes = (struct mote_notes){0};
	for (uint32_t i = 0; i < c->plan.tensors; i++)
		report->parameters += (uint64_t)c->plan.tensor[i].rows * c->plan.tensor[i].cols;
	for (uint32_t i = 0; i < c->source.files; i++)
		report->source_bytes += c->source.file[i].bytes;
}

enum mote_status mote_checkpoint_convert(const char *directory, const char *output,
					 const struct mote_checkpoint_options *options,
					 struct mote_checkpoint_report *report, struct mote_error *error)
{
	struct conversion c = {.options = options, .source = {.fd = -1}};
	struct mote_error own = {0}; /* the two threads compare errors, so there has to be one, and an empty one */
	enum mote_status status;

	if (report)
		*report = (struct mote_checkpoint_report){0};
	status = convert(&c, directory, output, &own);
	if (status)
		(void)mote_error_set(error, status, "%s", own.message);
	else if (report)
		fill_report(&c, report);
	mote_notes_free(&c.notes);
	mote_writer_discard(c.writer);
	for (uint32_t i = 0; i < options->adapters && c.lora; i++)
		mote_lora_free(&c.lora[i]);
	free(c.lora);
	cJSON_Delete(c.lora_lineage);
	free(c.rows);
	free(c.panels);
	free(c.quants);
	free(c.scales);
	free(c.section);
	mote_checkpoint_tensors_free(&c.plan);
	mote_hf_weights_close(&c.weights);
	mote_hf_directory_free(&c.directory);
	mote_gguf_close(&c.gguf);
	mote_source_close(&c.source);
	return status;
}
