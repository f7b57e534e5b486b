/* What a client asks for: a request's JSON, checked, as a job for the engine.
 *
 * Four dialects ask for the same thing: chat completions and completions (OpenAI's first APIs), responses (OpenAI's
 * later one) and messages (Anthropic's). What a request names and this server does not do is refused by name, and so is
 * a name that nobody knows, since a client that misspells max_tokens wants to hear of it.
 */
#ifndef MOTE_RUNTIME_SERVE_ASK_H
#define MOTE_RUNTIME_SERVE_ASK_H

#include "format/json_build.h"
#include "runtime/serve/engine.h"

enum mote_dialect { MOTE_DIALECT_CHAT, MOTE_DIALECT_COMPLETION, MOTE_DIALECT_RESPONSES, MOTE_DIALECT_MESSAGES };

/* Bounds of one request. As many inputs have embeddings at OpenAI. */
enum { MOTE_ASK_MAX_CHOICES = 128, MOTE_ASK_MAX_INPUTS = 2048, MOTE_ASK_MAX_COPIES = 16, MOTE_ASK_MAX_STOPS = 128,
       MOTE_ASK_MAX_BIASES = 1024, MOTE_ASK_MAX_TOKENS = 10000000 };

struct mote_ask {
	enum mote_dialect dialect;
	cJSON *json;                     /* the body; texts below are borrowed from it */
	const char *parameter;           /* on error: the one at fault, or NULL */
	bool too_long;                   /* on error: the prompt does not fit into the context */
	bool stream, usage_in_stream, echo, tools, ids_wanted;
	bool logprobs;
	uint32_t tops;
	struct mote_job job;
	struct mote_job_prompt *prompt;  /* [job.prompts] */
	const char **stop;               /* the request's [stops], then the model's own */
	uint32_t stops;
	int32_t *bias_ids;
	float *bias;
	struct mote_lm_grammar *grammar; /* of response_format, grammar or tool_choice; or NULL */
};

/* Reads a body; context_tokens is what a prompt must fit into. Without a model (lm NULL) only what is the same for all
 * of them is looked at. MOTE_ERROR_CORRUPT or _ARGUMENT: the client's mistake;
 * MOTE_ERROR_UNSUPPORTED: fine, but not done here; MOTE_ERROR_LIMIT, MOTE_ERROR_MEMORY. Free it in any case. */
enum mote_status mote_ask_read(const struct mote_lm *lm, enum mote_dialect dialect, const char *body, size_t bytes,
			       uint32_t context_tokens, struct mote_ask *ask, struct mote_error *error);
void mote_ask_free(struct mote_ask *ask);

/* For the requests that ask for no answer: the ids of a chat or a text, of which there may be `most` ("input"). */
enum mote_status mote_ask_read_input(const struct mote_lm *lm, const cJSON *input, const char *name, int most,
				     uint32_t context_tokens, struct mote_ask *ask, struct mote_error *error);

/* A chat request's messages as templates expect them: [{"role", "content": text, ...}], from any dialect.
 * NULL with an error. */
cJSON *mote_ask_messages(const struct mote_ask *ask, struct mote_error *error);
/* The template's input for a chat request, as JSON texts to be freed with mote_ask_free_chat(). */
struct mote_ask_chat {
	struct mote_lm_chat chat;
	char *messages, *tools, *variables;
};
enum mote_status mote_ask_chat(struct mote_ask *ask, struct mote_ask_chat *out, struct mote_error *error);
void mote_ask_free_chat(struct mote_ask_chat *chat);

/* MOTE_ERROR_ARGUMENT when the object has a key that is not among the words of known; one that is null is not given. */
enum mote_status mote_ask_check_keys(struct mote_ask *ask, const cJSON *object, const char *known,
				     struct mote_error *error);
/* Between the files of this room: the settings of ask->json, and a parameter that is not what is expected. */
enum mote_status mote_ask_settings(const struct mote_lm *lm, struct mote_ask *ask, struct mote_error *error);
/* MOTE_ERROR_UNSUPPORTED where the request asks for what is understood and cannot be done. */
enum mote_status mote_ask_missing(struct mote_ask *ask, struct mote_error *error);
/* What answers must look like; job.options.grammar. */
enum mote_status mote_ask_grammar(const struct mote_lm *lm, struct mote_ask *ask, struct mote_error *error);
enum mote_status mote_ask_flag(struct mote_ask *ask, const cJSON *object, const char *key, bool *value,
			       struct mote_error *error);
enum mote_status mote_ask_wrong(struct mote_ask *ask, const char *key, const char *expected, struct mote_error *error);
/* From the library's own error. */
enum mote_status mote_ask_fail(const struct mote_lm_error *from, struct mote_error *error);

#endif
