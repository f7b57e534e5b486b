/* The conversion: see checkpoint.h.
 *
 * Two threads: a second one packs and writes the tensors in forward order (checkpoint_data.c); the caller's compiles
 * the tokenizer and hashes the source files, which has to go in file order. (It is the caller's because that is where
 * the allocations are: they are slower in other threads.) Each stops when the other failed. */
#include "convert/checkpoint.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "convert/checkpoint_data.h"
#include "convert/gguf/gguf_checkpoint.h"
#include "convert/hf/hf_metadata.h"

static enum mote_status stopped(struct conversion *c, enum mote_status status)
{
	if (status)
		atomic_store(&c->stop, true);
	return status;
}

static enum mote_status compile_and_hash(struct conversion *c, struct mote_error *error)
{
	const struct mote_hf_directory *d = &c->directory;
	struct mote_hf_tokenizer_source source = { .json = d->tokenizer, .bytes = d->tokenizer_bytes,
						   .config = d->tokenizer_config_text,
						   .config_bytes = d->tokenizer_config_bytes,
						   .map = d->special_tokens_map, .added = d->added_tokens };
	enum mote_status status = mote_hf_special_token(d, "bos_token", &source.bos, error);

	source.model_ids = c->options->vocab_only ? 0 : c->config.model.vocab;
	if (!status)
		status = mote_hf_special_token(d, "eos_token", &source.eos, error);
	if (!status)
		status = mote_hf_tokenizer_compile(&source, &c->section, &c->section_bytes, &c->info, error);
	for (uint32_t i = 0; i < c->source.files && !status; i++)
		if (c->source.file[i].fd >= 0)
			status = mote_source_hash(&c->source.file[i], &c->stop, error);
	return stopped(c, status);
}

static void *tensor_thread(void *user)
{
	struct conversion *c = user;

	(void)stopped(c, mote_conversion_write_tensors(c, &c->tensor_error)); /* tensor_error says it */
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
	char *folder;
	bool gguf;
	enum mote_status status = mote_source_is_gguf(path, &gguf, error);

	if (status)
		return status;
	if (!gguf) {
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
	if (c->config.neighbours)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "adapters for this architecture are not merged: "
				      "its RoPE turns neighbours");
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
	if ((status = mote_source_refuse_output(&c->source, output, error)) ||
	    (status = mote_writer_open(output, c->options->force, &c->writer, error)) ||
	    (status = mote_conversion_plan_tensors(c, error)) || (status = write_data(c, error)) ||
	    (status = write_metadata(c, error)) || (status = mote_writer_finish(c->writer, error)))
		return status;
	/* Whoever asked to stop since the last tensor must not find a new file: this is the last moment to look. */
	if ((status = mote_conversion_progress(c, 0, error)))
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
