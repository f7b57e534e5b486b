/* Any bytes as a GGUF file: either refused with a message, or every tensor lies inside the file, and what is read of
 * its key-values is refused with a message or a whole text. */
#include <stdlib.h>
#include <string.h>

#include "convert/gguf/gguf_config.h"
#include "convert/gguf/gguf_names.h"
#include "convert/gguf/gguf_read.h"
#include "convert/gguf/gguf_vocabulary.h"
#include "convert/hf/hf_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_tokenizer(const struct mote_gguf *g)
{
	struct mote_hf_directory directory = {0};
	struct mote_gguf_vocabulary v;
	struct mote_error error = {0};
	size_t bytes;
	char *json;

	if (mote_gguf_vocabulary_read(g, &v, &error)) {
		if (!error.message[0] || v.token)
			abort();
		return;
	}
	if (mote_gguf_vocabulary_write(g, &v, &json, &bytes, &error) == MOTE_OK) {
		cJSON *tree;

		/* duplicate tokens are found by who reads it; malformed it is not */
		if (mote_json_parse_large(json, bytes, "written", bytes, &tree, &error) &&
		    !strstr(error.message, "duplicate key"))
			abort();
		cJSON_Delete(tree);
	} else if (!error.message[0] || json) {
		abort();
	}
	free(json);
	error.code = MOTE_OK;
	if (mote_gguf_tokens_read(g, &v, &directory, &error) && !error.message[0])
		abort();
	mote_hf_directory_free(&directory);
	mote_gguf_vocabulary_free(&v);
}

static void read_config(const struct mote_gguf *g)
{
	const struct mote_gguf_family *family;
	struct mote_source source = {.fd = -1};
	struct mote_error error = {0};
	struct mote_hf_config model;
	cJSON *config = NULL;

	if (mote_gguf_find_tensor(g, "rope_freqs.weight") || mote_gguf_find_tensor(g, "rope_factors_short.weight") ||
	    mote_gguf_find_tensor(g, "rope_factors_long.weight")) /* would be read from the file */
		return;
	if (mote_gguf_family_read(g, &family, &error) || mote_gguf_config_read(g, &source, family, &config, &error)) {
		if (!error.message[0] || config)
			abort();
		return;
	}
	if (mote_hf_config_read(config, &model, &error) && !error.message[0])
		abort();
	cJSON_Delete(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mote_gguf g = {0};
	struct mote_error error = {0};
	char name[MOTE_GGUF_NAME_ROOM], file[] = "fuzz";
	uint32_t part, parts;
	bool more;

	if (mote_gguf_parse(data, size, size, "fuzz", &g, &more, &part, &parts, &error)) {
		if (!error.message[0] || g.tensor || g.value || more)
			abort();
		return 0;
	}
	for (uint32_t i = 0; i < g.tensors; i++) {
		const struct mote_gguf_tensor *t = &g.tensor[i];

		if (t->offset > size || t->bytes > size - t->offset)
			abort();
		mote_gguf_name_to_hf(mote_gguf_family_of(i % 2 ? "phi3" : "gemma2"), t->name.text, t->name.bytes, name);
	}
	g.name = file;
	read_tokenizer(&g);
	read_config(&g);
	g.name = NULL;
	mote_gguf_close(&g);
	return 0;
}
