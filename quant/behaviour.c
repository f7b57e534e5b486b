/* Behaviour of chat models: see behaviour.h. */
#include "quant/behaviour.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/text/chat.h"
#include "runtime/text/reasoning.h"
#include "runtime/text/sampler.h"

enum { SLOTS = 8, BATCH_ROWS = 512 };

static enum mote_status no_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for answers");
}

void mote_answers_free(struct mote_answers *a)
{
	for (uint32_t i = 0; i < a->n; i++) {
		free(a->prompt[i].id);
		free(a->answer[i].id);
	}
	free(a->prompt);
	free(a->answer);
	*a = (struct mote_answers){ 0 };
}

/* ---- prompts ---- */

/* The messages of a line: owned by the caller. */
static enum mote_status read_messages(const char *line, size_t bytes, const char *name, cJSON **messages,
				      struct mote_error *error)
{
	cJSON *object = NULL, *message = NULL;
	const cJSON *given;
	char *text;
	enum mote_status status = MOTE_OK;

	if (line[0] == '{')
		status = mote_json_parse(line, bytes, name, &object, error);
	if (status != MOTE_OK)
		return status;
	given = mote_json_get(object, "messages");
	if (cJSON_IsArray(given)) {
		*messages = cJSON_Duplicate(given, true);
		cJSON_Delete(object);
		return *messages ? MOTE_OK : no_memory(error);
	}
	given = mote_json_get(object, "prompt");
	if (object && !cJSON_IsString(given)) {
		cJSON_Delete(object);
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: expected \"prompt\" or \"messages\"", name);
	}
	text = given ? strdup(given->valuestring) : strndup(line, bytes);
	*messages = cJSON_CreateArray();
	message = cJSON_CreateObject();
	if (!text || !*messages || !message || !cJSON_AddStringToObject(message, "role", "user") ||
	    !cJSON_AddStringToObject(message, "content", text) || !cJSON_AddItemToArray(*messages, message)) {
		cJSON_Delete(message);
		cJSON_Delete(*messages);
		*messages = NULL;
		status = no_memory(error);
	}
	free(text);
	cJSON_Delete(object);
	return status;
}

/* Without a template, a prompt is text to go on with: the messages' contents. */
static enum mote_status encode_plainly(const struct mote_tokenizer *t, const cJSON *messages, struct mote_ids *ids,
				       struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	for (const cJSON *m = messages->child; m && status == MOTE_OK; m = m->next) {
		const cJSON *content = mote_json_get(m, "content");
		const char *text = cJSON_IsString(content) ? content->valuestring : "";

		status = mote_tokenizer_encode(t, text, strlen(text), m == messages->child ? MOTE_ENCODE_ADD_SPECIAL : 0, ids,
					       error);
	}
	return status;
}

static enum mote_status add_prompt(const struct mote_model *m, const struct mote_tokenizer *t, const cJSON *messages,
				   struct mote_answers *out, struct mote_error *error)
{
	const cJSON *metadata = mote_container_metadata(m->container);
	struct mote_chat_request request = { .messages = messages };
	struct mote_rendered rendered = { 0 };
	struct mote_ids ids = { 0 };
	struct mote_tokens *prompt, *answer;
	enum mote_status status;

	if (mote_chat_has_template(metadata)) {
		status = mote_chat_render(metadata, &request, &rendered, error);
		if (status == MOTE_OK)
			status = mote_tokenizer_encode_spans(t, rendered.text, rendered.spans, rendered.n_spans, 0, &ids, error);
		mote_rendered_free(&rendered);
	} else {
		status = encode_plainly(t, messages, &ids, error);
	}
	if (status == MOTE_OK && (ids.count == 0 || ids.count >= m->config.max_positions))
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "a prompt of %zu tokens; this model takes 1 to %u", ids.count,
					m->config.max_positions - 1);
	if (status != MOTE_OK) {
		mote_ids_free(&ids);
		return status;
	}
	prompt = realloc(out->prompt, (out->n + 1) * sizeof *prompt);
	out->prompt = prompt ? prompt : out->prompt;
	answer = realloc(out->answer, (out->n + 1) * sizeof *answer);
	out->answer = answer ? answer : out->answer;
	if (!prompt || !answer) {
		mote_ids_free(&ids);
		return no_memory(error);
	}
	prompt[out->n] = (struct mote_tokens){ ids.id, (uint32_t)ids.count };
	answer[out->n] = (struct mote_tokens){ NULL, 0 };
	out->n++;
	return MOTE_OK;
}

enum mote_status mote_answers_read(const struct mote_model *m, const char *text, size_t bytes, const char *name,
				   struct mote_answers *out, struct mote_error *error)
{
	struct mote_tokenizer *t = NULL;
	size_t section_bytes = 0;
	const void *section = mote_container_section(m->container, MOTE_SECTION_TOKENIZER, &section_bytes);
	unsigned line = 1;
	enum mote_status status;

	*out = (struct mote_answers){ 0 };
	if (!section)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: has no tokenizer", mote_container_path(m->container));
	status = mote_tokenizer_open(section, section_bytes, &t, error);
	for (const char *at = text; status == MOTE_OK && at < text + bytes; line++) {
		const char *end = memchr(at, '\n', (size_t)(text + bytes - at));
		size_t length = (size_t)((end ? end : text + bytes) - at);
		cJSON *messages = NULL;

		while (length > 0 && (at[length - 1] == '\r' || at[length - 1] == ' '))
			length--;
		if (length > 0) {
			status = read_messages(at, length, name, &messages, error);
			if (status == MOTE_OK)
				status = add_prompt(m, t, messages, out, error);
			cJSON_Delete(messages);
			if (status != MOTE_OK)
				mote_error_prefix(error, "prompt of line %u", line);
		}
		at = end ? end + 1 : text + bytes;
	}
	mote_tokenizer_close(t);
	if (status == MOTE_OK && out->n == 0)
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: holds no prompt", name);
	if (status != MOTE_OK)
		mote_answers_free(out);
	return status;
}

/* ---- answers ---- */

/* Eight answers grow side by side, each in a sequence of one session. Logits do not depend on the company, so the
 * answers are those that each prompt would get alone. */
struct answering {
	const struct mote_model *model;
	struct mote_answers *answers;
	struct mote_session *session;
	uint32_t most_tokens, context;
	uint32_t slot[SLOTS];           /* the prompt answered in the sequence; UINT32_MAX: none */
	uint32_t run[SLOTS];            /* its tokens that the session has seen */
	uint32_t next, done;
	int32_t token[BATCH_ROWS];
	uint32_t position[BATCH_ROWS], sequence[BATCH_ROWS];
	uint8_t want[BATCH_ROWS];
};

static bool ends(const struct mote_config *c, int32_t id)
{
	for (uint32_t i = 0; i < c->n_eos; i++)
		if (c->eos[i] == id)
			return true;
	return false;
}

static enum mote_status step(struct answering *a, struct mote_error *error)
{
	struct mote_batch batch = { 0, a->token, a->position, a->sequence, a->want };
	uint32_t drawing[SLOTS], n_drawing = 0;
	const float *logits;
	enum mote_status status;

	for (uint32_t i = 0; i < SLOTS; i++) {
		const struct mote_tokens *prompt, *answer;

		if (a->slot[i] == UINT32_MAX)
			continue;
		prompt = &a->answers->prompt[a->slot[i]];
		answer = &a->answers->answer[a->slot[i]];
		for (uint32_t n = 0, at; n < BATCH_ROWS / SLOTS && (at = a->run[i]) < prompt->count + answer->count; n++) {
			a->token[batch.rows] = at < prompt->count ? prompt->id[at] : answer->id[at - prompt->count];
			a->position[batch.rows] = at;
			a->sequence[batch.rows] = i;
			a->want[batch.rows++] = at + 1 == prompt->count + answer->count;
			a->run[i]++;
		}
		if (a->run[i] == prompt->count + answer->count)
			drawing[n_drawing++] = i;
	}
	status = mote_session_forward(a->session, &batch, &logits, error);
	for (uint32_t j = 0; j < n_drawing && status == MOTE_OK; j++) {
		uint32_t i = drawing[j], vocab = a->model->config.vocab;
		struct mote_tokens *answer = &a->answers->answer[a->slot[i]];
		int32_t id = mote_sampler_argmax(logits + (size_t)j * vocab, vocab);

		answer->id[answer->count++] = id;
		if (ends(&a->model->config, id) || answer->count == a->most_tokens || a->run[i] + 1 > a->context - 1) {
			a->slot[i] = UINT32_MAX;
			a->done++;
		}
	}
	return status;
}

enum mote_status mote_answers_fill(struct mote_answers *answers, const struct mote_model *m, uint32_t most_tokens,
				   uint32_t threads, const struct mote_progress *progress, struct mote_error *error)
{
	struct mote_session_options options = { .sequences = SLOTS, .batch_rows = BATCH_ROWS, .logit_rows = SLOTS,
						.threads = threads };
	struct answering *a = calloc(1, sizeof *a);
	uint32_t longest = 0;
	enum mote_status status = a ? MOTE_OK : no_memory(error);

	for (uint32_t i = 0; i < answers->n; i++)
		longest = answers->prompt[i].count > longest ? answers->prompt[i].count : longest;
	if (a) {
		uint64_t context = (uint64_t)longest + most_tokens;

		a->model = m;
		a->answers = answers;
		a->most_tokens = most_tokens;
		a->context = context < m->config.max_positions ? (uint32_t)context : m->config.max_positions;
		options.context_tokens = a->context;
		for (uint32_t i = 0; i < SLOTS; i++)
			a->slot[i] = UINT32_MAX;
		status = mote_session_open(m, &options, &a->session, error);
	}
	while (status == MOTE_OK && a->done < answers->n) {
		for (uint32_t i = 0; i < SLOTS && a->next < answers->n && status == MOTE_OK; i++) {
			if (a->slot[i] != UINT32_MAX)
				continue;
			answers->answer[a->next].id = malloc(most_tokens * sizeof(int32_t));
			if (!answers->answer[a->next].id)
				status = no_memory(error);
			a->run[i] = 0;
			a->slot[i] = a->next++;
		}
		if (status == MOTE_OK)
			status = step(a, error);
		if (status == MOTE_OK && progress && !progress->update(progress->user, a->done, answers->n))
			status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	}
	if (a)
		mote_session_close(a->session);
	free(a);
	return status;
}

/* ---- comparison ---- */

static int32_t special_id(const struct mote_model *m, const char *text)
{
	const cJSON *id = mote_json_get(mote_json_get(mote_json_get(mote_container_metadata(m->container), "tokens"), "special"),
					text);
	return cJSON_IsNumber(id) ? (int32_t)id->valuedouble : -1;
}

void mote_behaviour_compare(const struct mote_model *m, const struct mote_answers *model,
			    const struct mote_answers *reference, struct mote_behaviour *out)
{
	int32_t open = special_id(m, "<think>"), close = special_id(m, "</think>");
	uint64_t same_tokens = 0, reference_tokens = 0, tokens = 0;

	*out = (struct mote_behaviour){ .prompts = model->n };
	for (uint32_t i = 0; i < model->n; i++) {
		const struct mote_tokens *a = &model->answer[i], *b = &reference->answer[i], *prompt = &model->prompt[i];
		struct mote_reasoning r = mote_reasoning_start(open, close, prompt->id, prompt->count);
		uint32_t same = 0;
		bool thinking = r.inside;

		while (same < a->count && same < b->count && a->id[same] == b->id[same])
			same++;
		for (uint32_t t = 0; t < a->count; t++) {
			mote_reasoning_next(&r, a->id[t]);
			thinking = thinking || r.inside;
		}
		out->identical += same == a->count && same == b->count;
		out->thinking += thinking;
		out->closed += thinking && !r.inside;
		out->ended += a->count > 0 && ends(&m->config, a->id[a->count - 1]);
		same_tokens += same;
		reference_tokens += b->count;
		tokens += a->count;
	}
	out->mean_identical_tokens = (double)same_tokens / model->n;
	out->identical_share = reference_tokens ? (double)same_tokens / (double)reference_tokens : 1.0;
	out->mean_tokens = (double)tokens / model->n;
}

cJSON *mote_behaviour_to_json(const struct mote_behaviour *b)
{
	cJSON *o = cJSON_CreateObject();

	if (o && cJSON_AddNumberToObject(o, "prompts", b->prompts) &&
	    cJSON_AddNumberToObject(o, "identical_answers", (double)b->identical / b->prompts) &&
	    cJSON_AddNumberToObject(o, "mean_identical_tokens", b->mean_identical_tokens) &&
	    cJSON_AddNumberToObject(o, "identical_token_share", b->identical_share) &&
	    cJSON_AddNumberToObject(o, "mean_tokens", b->mean_tokens) &&
	    cJSON_AddNumberToObject(o, "ended", (double)b->ended / b->prompts) &&
	    (b->thinking ? cJSON_AddNumberToObject(o, "closed_thinking", (double)b->closed / b->thinking)
			 : cJSON_AddNullToObject(o, "closed_thinking")))
		return o;
	cJSON_Delete(o);
	return NULL;
}
