/* Answers a question with a model, by the library alone.
 *
 *   cc ask.c $(pkg-config --cflags --libs mote) -o ask
 *   ./ask model.mote "What is 478 + 256?"
 */
#include <mote.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* [{"role": "user", "content": question}]; the caller frees. */
static char *make_messages(const char *question)
{
	static const char head[] = "[{\"role\": \"user\", \"content\": \"", tail[] = "\"}]";
	char *messages = malloc(sizeof head + 6 * strlen(question) + sizeof tail), *to;

	if (!messages)
		return NULL;
	to = messages + sprintf(messages, "%s", head);
	for (const char *c = question; *c; c++)
		if (*c == '"' || *c == '\\' || (unsigned char)*c < 0x20)
			to += sprintf(to, "\\u%04x", (unsigned)*c);
		else
			*to++ = *c;
	sprintf(to, "%s", tail);
	return messages;
}

/* The answer as it comes; of the reasoning, nothing. */
static int print_answer(struct mote_lm_answer *answer, struct mote_lm_error *error)
{
	struct mote_lm_event event;
	int status;

	while ((status = mote_lm_answer_next(answer, &event, error)) == 0 && event.kind != MOTE_LM_EVENT_END)
		if (event.kind == MOTE_LM_EVENT_TEXT) {
			fwrite(event.text, 1, event.bytes, stdout);
			fflush(stdout);
		}
	putchar('\n');
	return status;
}

static int ask(const struct mote_lm *lm, const char *messages, struct mote_lm_error *error)
{
	struct mote_lm_answer_options options = MOTE_LM_ANSWER_OPTIONS_INIT;
	struct mote_lm_chat chat = MOTE_LM_CHAT_INIT;
	struct mote_lm_session *session = NULL;
	struct mote_lm_answer *answer = NULL;
	int32_t *prompt = NULL;
	int status;

	/* The messages through the model's own template; a session that holds all that the model can, with a thread for
	 * each core; an answer as the model's makers recommend to sample it. */
	chat.messages = messages;
	options.max_tokens = 2000;
	if ((status = mote_lm_encode_chat(lm, &chat, &prompt, &options.prompt_tokens, &options.reasoning_open,
					  error)) == 0 &&
	    (status = mote_lm_session_open(lm, NULL, &session, error)) == 0) {
		options.prompt = prompt;
		status = mote_lm_answer_open(session, &options, &answer, error);
	}
	if (status == 0)
		status = print_answer(answer, error);
	mote_lm_answer_close(answer);
	mote_lm_session_close(session);
	mote_lm_free(prompt);
	return status;
}

int main(int argc, char **argv)
{
	struct mote_lm_error error = {0, ""};
	struct mote_lm *lm = NULL;
	char *messages;
	int status;

	if (argc != 3) {
		fprintf(stderr, "usage: ask MODEL.mote QUESTION\n");
		return 2;
	}
	messages = make_messages(argv[2]);
	if (!messages)
		return 1;
	status = mote_lm_open(argv[1], NULL, &lm, &error);
	if (status == 0)
		status = ask(lm, messages, &error);
	mote_lm_close(lm);
	free(messages);
	if (status)
		fprintf(stderr, "%s\n", error.message);
	return mote_lm_exit_code(status);
}
