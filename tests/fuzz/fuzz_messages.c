/* Fuzzes conversations and prompts: the input is a conversation as JSON, tools, variables, and behind a third NUL a
 * file of prompts as mote-perplexity reads it. Either refused with a message, or ids of the vocabulary; and no text of
 * a message becomes a control token. */
#include "quant/measure/answers.h"
#include "tests/fuzz/fuzz_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *copy(const struct fuzz_part *part)
{
	char *text = malloc(part->bytes + 1);

	memcpy(text, part->text, part->bytes);
	text[part->bytes] = 0;
	return text;
}

static void read_prompts(const struct mote_model *model, const char *text, size_t bytes)
{
	struct mote_answers answers = {0};
	struct mote_error error = {0};

	if (mote_answers_read(model, text, bytes, "fuzz", &answers, &error) && !error.message[0])
		abort();
	for (uint32_t i = 0; i < answers.n; i++)
		for (uint32_t k = 0; k < answers.item[i].prompt; k++)
			if (answers.item[i].id[k] < 0 || (uint32_t)answers.item[i].id[k] >= model->config.vocab)
				abort();
	mote_answers_free(&answers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mote_model *model;
	const struct mote_lm *lm = fuzz_lm();
	struct mote_lm_chat chat = MOTE_LM_CHAT_INIT;
	struct mote_lm_error error = {0};
	struct fuzz_part part[3] = {{"", 0}, {"", 0}, {"", 0}};
	char *text[3], *rendered = NULL;
	int32_t *ids = NULL;
	size_t count, bytes;

	if (!model && mote_model_open(fuzz_model_path(), MOTE_WEIGHTS_MAPPED, &model, NULL))
		abort();
	for (int i = 0; i < 3; i++) {
		fuzz_next(&data, &size, &part[i]);
		text[i] = copy(&part[i]);
	}
	chat.messages = text[0];
	chat.tools = *text[1] ? text[1] : NULL;
	chat.variables = *text[2] ? text[2] : NULL;
	if (mote_lm_encode_chat(lm, &chat, &ids, &count, NULL, &error) ? !error.message[0] : count && !ids)
		abort();
	error = (struct mote_lm_error){0};
	if (mote_lm_render(lm, &chat, &rendered, &bytes, &error) ? !error.message[0] : rendered[bytes])
		abort();
	mote_lm_free(ids);
	mote_lm_free(rendered);
	chat.continues_last = 1;
	error = (struct mote_lm_error){0};
	if (mote_lm_render(lm, &chat, &rendered, &bytes, &error) ? !error.message[0] : rendered[bytes])
		abort();
	mote_lm_free(rendered);
	for (int i = 0; i < 3; i++)
		free(text[i]);
	read_prompts(model, (const char *)data, size);
	return 0;
}
