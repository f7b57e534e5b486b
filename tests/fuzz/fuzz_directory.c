/* Fuzzes the small files of a Hugging Face directory: the input is config.json, generation_config.json,
 * tokenizer_config.json, special_tokens_map.json and chat_template.jinja, with NULs between. Either refused with a
 * message, or metadata that whoever opens the model can read. */
#include "convert/hf/hf_chat.h"
#include "convert/hf/hf_metadata.h"
#include "runtime/chat/reasoning.h"
#include "tests/fuzz/fuzz_files.h"
#include "tests/tiny_checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(enum mote_status status, const struct mote_error *error)
{
	if ((status != MOTE_OK) != (error->message[0] != 0))
		abort();
}

static void build(struct mote_source *source, const struct mote_hf_directory *d, const struct mote_hf_config *config)
{
	struct mote_hf_tokenizer_source from = { .json = d->tokenizer, .bytes = d->tokenizer_bytes,
						 .config = d->tokenizer_config_text,
						 .config_bytes = d->tokenizer_config_bytes,
						 .map = d->special_tokens_map, .added = d->added_tokens,
						 .model_ids = config ? config->model.vocab : 0 };
	struct mote_hf_tokenizer_info info;
	struct mote_notes notes = {0};
	struct mote_tokenizer *tokenizer = NULL;
	struct mote_error error = {0};
	uint8_t *section = NULL;
	cJSON *metadata = NULL;
	size_t bytes;
	enum mote_status status = mote_hf_tokenizer_compile(&from, &section, &bytes, &info, &error);

	must(status, &error);
	if (status == MOTE_OK && mote_tokenizer_open(section, bytes, &tokenizer, &error))
		abort();
	if (status == MOTE_OK) {
		const struct mote_hf_metadata_inputs in = {.source = source, .directory = d, .config = config,
							   .tokenizer = tokenizer, .tokenizer_info = &info,
							   .tool = "fuzz", .dtype = config ? "keep" : NULL,
							   .notes = &notes};
		struct mote_config model;

		status = mote_hf_metadata_build(&in, &metadata, &error);
		must(status, &error);
		if (status == MOTE_OK && config && mote_config_read(metadata, &model, &error) &&
		    error.code != MOTE_ERROR_UNSUPPORTED)
			abort();
		if (status == MOTE_OK)
			mote_reasoning_tags_read(metadata, tokenizer);
	}
	cJSON_Delete(metadata);
	mote_notes_free(&notes);
	mote_tokenizer_close(tokenizer);
	free(section);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"config.json", "generation_config.json", "tokenizer_config.json",
					    "special_tokens_map.json", "chat_template.jinja"};
	static const char *const tokens[] = {"bos_token", "eos_token", "unk_token", "pad_token"};
	static struct mote_hf_config config;
	struct mote_source source = {.fd = -1};
	struct mote_hf_directory d = {0};
	struct mote_error error = {0};
	struct fuzz_part part;
	enum mote_status status;
	char path[128];

	fuzz_write("tokenizer.json", tiny_tokenizer, strlen(tiny_tokenizer));
	for (int i = 0; i < 5; i++)
		if (fuzz_next(&data, &size, &part))
			fuzz_write(names[i], part.text, part.bytes);
		else
			unlink(fuzz_path(path, names[i]));
	if (mote_source_open(fuzz_place(), &source, &error))
		abort();
	status = mote_hf_directory_read(&source, false, &d, &error);
	must(status, &error);
	for (int i = 0; i < 4 && status == MOTE_OK; i++) {
		struct mote_error own = {0};
		const char *text;

		must(mote_hf_special_token(&d, tokens[i], &text, &own), &own);
	}
	if (status == MOTE_OK) {
		struct mote_error own = {0};
		bool model = mote_hf_config_read(d.config, &config, &own) == MOTE_OK;

		must(own.code, &own);
		build(&source, &d, model ? &config : NULL);
	}
	mote_hf_directory_free(&d);
	mote_source_close(&source);
	return 0;
}
