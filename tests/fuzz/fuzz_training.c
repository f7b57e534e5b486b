/* Fuzzes records for training: the first byte says whether they are conversations or preferences, the rest is the file.
 * Either refused with a message, or examples that lie within the ids and have something to learn. */
#include "quant/train/examples.h"
#include "tests/fuzz/fuzz_model.h"

#include "runtime/model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LENGTH = 300 };

static void check(const struct mote_examples *e, uint32_t vocab, bool preferences)
{
	size_t at = 0;

	if (!e->n || (preferences && e->n % 2))
		abort();
	for (uint32_t i = 0; i < e->n; i++) {
		const struct mote_example *x = &e->example[i];
		uint32_t targets = 0;

		if (x->at != at || x->length < 2 || x->length > LENGTH || x->at + x->length > e->ids || e->target[at] ||
		    x->length > e->longest)
			abort();
		for (uint32_t k = 0; k < x->length; k++) {
			targets += e->target[at + k];
			if (e->id[at + k] < 0 || (uint32_t)e->id[at + k] >= vocab || e->target[at + k] > 1)
				abort();
		}
		if (!targets || targets != x->targets)
			abort();
		at += x->length;
	}
	if (at != e->ids)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mote_model *model;
	static struct mote_tokenizer *tokenizer;
	struct mote_examples_options options = {.path = "fuzz", .max_length = LENGTH};
	struct mote_examples examples = {0};
	struct mote_error error = {0};
	const void *section;
	size_t bytes;

	if (!tokenizer) {
		if (mote_model_open(fuzz_model_path(), MOTE_WEIGHTS_MAPPED, &model, NULL) ||
		    !(section = mote_container_section(model->container, MOTE_SECTION_TOKENIZER, &bytes)) ||
		    mote_tokenizer_open(section, bytes, &tokenizer, NULL))
			abort();
	}
	if (!size || size > 8192)
		return 0;
	options.preferences = data[0] & 1;
	options.metadata = mote_container_metadata(model->container);
	options.tokenizer = tokenizer;
	options.vocab = model->config.vocab;
	if (mote_examples_read(&examples, (const char *)data + 1, size - 1, &options, &error) == MOTE_OK)
		check(&examples, model->config.vocab, options.preferences);
	else if (!error.message[0])
		abort();
	mote_examples_free(&examples);
	return 0;
}
