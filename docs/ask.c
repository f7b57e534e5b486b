/* Answers a question with a model, by the library alone.
 *
 *   cc ask.c $(pkg-config --cflags --libs mote) -o ask
 *   ./ask model.mote "What is 478 + 256?"
 */
#include <mote.h>
#include <stdio.h>

/* Pieces of the answer as they come; of the reasoning, nothing. */
static void show(void *user, enum mote_reasoning_part part, const char *text, size_t bytes)
{
	if (part == MOTE_PART_ANSWER)
		fwrite(text, 1, bytes, user);
}

static enum mote_status ask(const struct mote_model *model, const char *question, struct mote_error *error)
{
	const cJSON *metadata = mote_container_metadata(model->container);
	struct mote_sampler_options sampling = mote_sampler_recommended(mote_json_get(metadata, "generation"));
	struct mote_session_options machine = { 0 }; /* all that the model can hold, a thread for each core */
	struct mote_answer_options options = { .config = &model->config, .most_tokens = 2000, .show = show,
					       .user = stdout };
	struct mote_scheduler *scheduler = NULL;
	struct mote_tokenizer *tokenizer = NULL;
	struct mote_session *session = NULL;
	struct mote_answer answer = { 0 };
	struct mote_ids prompt = { 0 };
	cJSON *messages = cJSON_CreateArray(), *message = cJSON_CreateObject();
	struct mote_chat_request request = { .messages = messages };
	const void *section;
	size_t bytes;
	enum mote_status status;

	cJSON_AddStringToObject(message, "role", "user");
	cJSON_AddStringToObject(message, "content", question);
	cJSON_AddItemToArray(messages, message);
	section = mote_container_section(model->container, MOTE_SECTION_TOKENIZER, &bytes);

	/* The messages through the model's own template; then token after token. */
	if ((status = mote_tokenizer_open(section, bytes, &tokenizer, error)) ||
	    (status = mote_chat_encode(metadata, &request, tokenizer, &prompt, &options.reasoning_open, error)) ||
	    (status = mote_session_open(model, &machine, &session, error)) ||
	    (status = mote_scheduler_open(session, NULL, &scheduler, error)) ||
	    (status = mote_sampler_open(&sampling, model->config.vocab, &options.sampler, error)))
		goto end;
	options.tokenizer = tokenizer;
	options.metadata = metadata;
	options.prompt = &prompt;
	options.context_tokens = mote_session_context(session);
	status = mote_answer_generate(scheduler, &options, &answer, error);
	putchar('\n');
end:
	mote_answer_free(&answer);
	mote_sampler_close(options.sampler);
	mote_scheduler_close(scheduler);
	mote_session_close(session);
	mote_ids_free(&prompt);
	mote_tokenizer_close(tokenizer);
	cJSON_Delete(messages);
	return status;
}

int main(int argc, char **argv)
{
	struct mote_error error = { 0 };
	struct mote_model *model = NULL;
	enum mote_status status;

	if (argc != 3) {
		fprintf(stderr, "usage: ask MODEL.mote QUESTION\n");
		return 2;
	}
	status = mote_model_open(argv[1], MOTE_WEIGHTS_DEFAULT, &model, &error);
	if (status == MOTE_OK)
		status = ask(model, argv[2], &error);
	mote_model_close(model);
	if (status != MOTE_OK)
		fprintf(stderr, "%s\n", error.message);
	return mote_status_exit_code(status);
}
