/* Six threads, each with a session of its own over one model: everyone gets the answer that it gets alone. */
#include <mote.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 6, ROUNDS = 3 };

struct work {
	const struct mote_lm *lm;
	char question[128];
	char text[ROUNDS][4096];
	struct mote_lm_error error;
	int status;
};

static int answer(struct work *w, struct mote_lm_session *session, char *text, size_t room)
{
	struct mote_lm_answer_options options = MOTE_LM_ANSWER_OPTIONS_INIT;
	struct mote_lm_chat chat = MOTE_LM_CHAT_INIT;
	struct mote_lm_answer *a = NULL;
	struct mote_lm_sampling sampling;
	struct mote_lm_event event;
	int32_t *prompt = NULL;
	size_t used = 0;
	int status;

	mote_lm_sampling_recommended(w->lm, &sampling);
	sampling.seed = 7;
	options.sampling = &sampling;
	options.max_tokens = 300;
	chat.messages = w->question;
	status = mote_lm_encode_chat(w->lm, &chat, &prompt, &options.prompt_tokens, &options.reasoning_open,
				     &w->error);
	options.prompt = prompt;
	if (!status)
		status = mote_lm_answer_open(session, &options, &a, &w->error);
	while (!status && !(status = mote_lm_answer_next(a, &event, &w->error)) && event.kind != MOTE_LM_EVENT_END)
		if (used + event.bytes < room) {
			memcpy(text + used, event.text, event.bytes);
			used += event.bytes;
			text[used] = 0;
		}
	mote_lm_answer_close(a);
	mote_lm_free(prompt);
	return status;
}

static void *work(void *user)
{
	struct mote_lm_session_options options = MOTE_LM_SESSION_OPTIONS_INIT;
	struct mote_lm_session *session = NULL;
	struct work *w = user;

	options.threads = 2;
	options.context_tokens = 512;
	w->status = mote_lm_session_open(w->lm, &options, &session, &w->error);
	for (int i = 0; i < ROUNDS && !w->status; i++)
		w->status = answer(w, session, w->text[i], sizeof w->text[i]);
	mote_lm_session_close(session);
	return NULL;
}

int main(int argc, char **argv)
{
	static struct work alone[THREADS], together[THREADS];
	struct mote_lm_error error = {0, ""};
	struct mote_lm *lm = NULL;
	pthread_t thread[THREADS];
	int failed = 0;

	if (argc != 2 || mote_lm_open(argv[1], NULL, &lm, &error)) {
		printf("%s\n", error.message);
		return 1;
	}
	for (int i = 0; i < THREADS; i++) {
		snprintf(alone[i].question, sizeof alone[i].question,
			 "[{\"role\": \"user\", \"content\": \"What is %d + %d?\"}]", 100 + 37 * i, 911 - 53 * i);
		alone[i].lm = lm;
		together[i] = alone[i];
		work(&alone[i]);
	}
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, work, &together[i]))
			return 1;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		for (int k = 0; k < ROUNDS; k++)
			if (together[i].status || alone[i].status || !alone[i].text[k][0] ||
			    strcmp(alone[i].text[0], together[i].text[k])) {
				printf("thread %d, round %d: '%s' alone, '%s' beside others (%s)\n", i, k,
				       alone[i].text[0], together[i].text[k], together[i].error.message);
				failed++;
			}
	}
	mote_lm_close(lm);
	printf("%d passed, %d failed\n", THREADS * ROUNDS - failed, failed);
	return failed != 0;
}
