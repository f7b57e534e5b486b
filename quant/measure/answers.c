/* Behaviour of chat models: see answers.h. */
#include "quant/measure/answers.h"

#include <stdlib.h>
#include <string.h>

#include "format/json_build.h"
#include "runtime/chat/chat.h"
#include "runtime/chat/reasoning.h"
#include "runtime/generate/logit_row.h"
#include "runtime/generate/scheduler.h"
#include "runtime/model/rope.h"

static enum mote_status no_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for answers");
}

void mote_answers_free(struct mote_answers *a)
{
	for (uint32_t i = 0; i < a->n; i++)
		free(a->item[i].id);
	free(a->item);
	*a = (struct mote_answers){0};
}

/* ---- prompts ---- */

/* The messages of a line: owned by the caller. */
static enum mote_status read_messages(const char *line, size_t bytes, const char *name, unsigned number,
				      cJSON **messages, struct mote_error *error)
{
	cJSON *object = NULL, *message = NULL;
	const cJSON *given;
	char *text;
	enum mote_status status = MOTE_OK;

	if (line[0] == '{')
		status = mote_json_parse_line(line, bytes, name, number, &object, error);
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
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s, line %u: expected \"prompt\" or "
				      "\"messages\"", name, number);
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

		status = mote_tokenizer_encode(t, text, strlen(text),
					       m == messages->child ? MOTE_ENCODE_ADD_BEFORE : 0, ids, error);
	}
	return status;
}

static enum mote_status add_prompt(const struct mote_model *m, const struct mote_tokenizer *t, const cJSON *messages,
				   struct mote_answers *out, struct mote_error *error)
{
	const cJSON *metadata = mote_container_metadata(m->container);
	struct mote_chat_request request = {.messages = messages};
	struct mote_ids ids = {0};
	struct mote_dialogue *grown;
	bool reasoning_open = false;
	enum mote_status status;

	if (mote_chat_has_template(metadata)) {
		status = mote_chat_encode(metadata, &request, t, &ids, &reasoning_open, error);
	} else {
		status = encode_plainly(t, messages, &ids, error);
	}
	if (status == MOTE_OK && (ids.count == 0 || ids.count >= m->config.max_positions))
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "a prompt of %zu tokens; this model takes 1 to %u",
					ids.count, m->config.max_positions - 1);
	if (status != MOTE_OK) {
		mote_ids_free(&ids);
		return status;
	}
	grown = realloc(out->item, (out->n + 1) * sizeof *grown);
	if (!grown) {
		mote_ids_free(&ids);
		return no_memory(error);
	}
	out->item = grown;
	out->item[out->n++] = (struct mote_dialogue){ids.id, (uint32_t)ids.count, (uint32_t)ids.count, reasoning_open};
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

	*out = (struct mote_answers){.open = -1, .close = -1};
	if (!section)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: has no tokenizer",
				      mote_container_path(m->container));
	status = mote_tokenizer_open(section, section_bytes, &t, error);
	if (status == MOTE_OK) {
		struct mote_reasoning_tags tags = mote_reasoning_tags_read(mote_container_metadata(m->container), t);

		out->open = tags.open_id;
		out->close = tags.close_id;
	}
	for (const char *at = text; status == MOTE_OK && at < text + bytes; line++) {
		const char *end = memchr(at, '\n', (size_t)(text + bytes - at));
		size_t length = (size_t)((end ? end : text + bytes) - at);
		cJSON *messages = NULL;

		while (length > 0 && (at[length - 1] == '\r' || at[length - 1] == ' '))
			length--;
		if (length > 0) {
			status = read_messages(at, length, name, line, &messages, error);
			if (status == MOTE_OK && (status = add_prompt(m, t, messages, out, error)))
				mote_error_prefix(error, "%s, line %u", name, line);
			cJSON_Delete(messages);
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

/* What a dialogue needs of the others while it is answered. */
struct answering {
	const struct mote_model *model;
	uint32_t most_tokens, context, done;
	struct mote_error error; /* of what the scheduler's call of take() did */
};

struct answered {
	struct answering *all;
	struct mote_dialogue *dialogue;
};

static bool ends(const struct mote_config *c, int32_t id)
{
	for (uint32_t i = 0; i < c->n_eos; i++)
		if (c->eos[i] == id)
			return true;
	return false;
}

static int32_t take(void *user, const float *logits)
{
	struct answered *one = user;
	struct answering *a = one->all;
	struct mote_dialogue *d = one->dialogue;
	int32_t id = mote_logit_row_argmax(logits, a->model->config.vocab);

	if (mote_logit_row_check(logits, a->model->config.vocab, &a->error))
		return MOTE_ENDED;
	d->id[d->count++] = id;
	if (!ends(&a->model->config, id) && d->count - d->prompt < a->most_tokens && d->count < a->context)
		return id;
	a->done++;
	return MOTE_ENDED;
}

/* Hands a prompt to the scheduler, with room for the answer behind it. */
static enum mote_status begin(struct answered *one, struct mote_scheduler *scheduler, struct mote_error *error)
{
	struct mote_dialogue *d = one->dialogue;
	int32_t *grown = realloc(d->id, ((size_t)d->prompt + one->all->most_tokens) * sizeof *grown);

	if (!grown)
		return no_memory(error);
	d->id = grown;
	return mote_scheduler_add(scheduler, d->id, d->prompt, (struct mote_taker){take, one}, NULL, error);
}

static uint32_t context_of(const struct answering *a, const struct mote_dialogue *d)
{
	uint32_t most = a->model->config.max_positions;

	return d->prompt < most && a->most_tokens < most - d->prompt ? d->prompt + a->most_tokens : most;
}

/* Answers n dialogues of one session. */
static enum mote_status run(struct answering *a, struct mote_dialogue *d, uint32_t n, uint32_t all,
			    struct mote_scheduler *scheduler, const struct mote_progress *progress,
			    struct mote_error *error)
{
	struct answered *one = calloc(n, sizeof *one);
	uint32_t end = a->done + n;
	enum mote_status status = one ? MOTE_OK : no_memory(error);

	for (uint32_t i = 0; i < n && status == MOTE_OK; i++) {
		one[i] = (struct answered){a, &d[i]};
		status = begin(&one[i], scheduler, error);
	}
	while (status == MOTE_OK && a->done < end) {
		status = mote_scheduler_step(scheduler, error);
		if (status == MOTE_OK && a->error.code)
			status = mote_error_set(error, a->error.code, "%s", a->error.message);
		if (status == MOTE_OK && progress && !progress->update(progress->user, a->done, all))
			status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	}
	free(one);
	return status;
}

/* Where RoPE follows the context, a dialogue has the frequencies of its own length, whatever stands beside it: then
 * only neighbours that have the same share a session. */
enum mote_status mote_answers_fill(struct mote_answers *answers, const struct mote_model *m, uint32_t most_tokens,
				   uint32_t threads, const struct mote_progress *progress, struct mote_error *error)
{
	struct answering a = {.model = m, .most_tokens = most_tokens};
	enum mote_status status = MOTE_OK;

	while (status == MOTE_OK && a.done < answers->n) {
		struct mote_session_options options = { .sequences = MOTE_SIDE_BY_SIDE, .logit_rows = MOTE_SIDE_BY_SIDE,
							.threads = threads };
		struct mote_dialogue *first = &answers->item[a.done];
		uint32_t n = 0, kin = mote_rope_kin(&m->config, context_of(&a, first));
		struct mote_session *session = NULL;
		struct mote_scheduler *scheduler = NULL;

		for (; a.done + n < answers->n && mote_rope_kin(&m->config, context_of(&a, &first[n])) == kin; n++)
			if (context_of(&a, &first[n]) > options.context_tokens)
				options.context_tokens = context_of(&a, &first[n]);
		a.context = options.context_tokens;
		status = mote_session_open(m, &options, &session, error);
		if (status == MOTE_OK)
			status = mote_scheduler_open(session, NULL, &scheduler, error);
		if (status == MOTE_OK)
			status = run(&a, first, n, answers->n, scheduler, progress, error);
		mote_scheduler_close(scheduler);
		mote_session_close(session);
	}
	return status;
}

/* ---- comparison ---- */

static void compare_answers(const struct mote_answers *model, const struct mote_answers *reference,
			    struct mote_behaviour *out)
{
	uint64_t same_tokens = 0, reference_tokens = 0;

	for (uint32_t i = 0; i < model->n; i++) {
		const struct mote_dialogue *d = &model->item[i], *e = &reference->item[i];
		const int32_t *a = d->id + d->prompt, *b = e->id + e->prompt;
		uint32_t n_a = d->count - d->prompt, n_b = e->count - e->prompt, same = 0;

		while (same < n_a && same < n_b && a[same] == b[same])
			same++;
		out->identical += same == n_a && same == n_b;
		same_tokens += same;
		reference_tokens += n_b;
	}
	out->mean_identical_tokens = (double)same_tokens / model->n;
	out->identical_share = reference_tokens ? (double)same_tokens / (double)reference_tokens : 1.0;
}

void mote_behaviour_compare(const struct mote_model *m, const struct mote_answers *model,
			    const struct mote_answers *reference, struct mote_behaviour *out)
{
	uint64_t tokens = 0;

	*out = (struct mote_behaviour){.prompts = model->n, .compared = reference != NULL};
	for (uint32_t i = 0; i < model->n; i++) {
		const struct mote_dialogue *d = &model->item[i];
		const int32_t *a = d->id + d->prompt;
		uint32_t n_a = d->count - d->prompt;
		struct mote_reasoning r = {model->open, model->close, d->reasoning_open};
		bool thinking = r.inside;

		for (uint32_t t = 0; t < n_a; t++) {
			mote_reasoning_next(&r, a[t]);
			thinking = thinking || r.inside;
		}
		out->thinking += thinking;
		out->closed += thinking && !r.inside;
		out->ended += n_a > 0 && ends(&m->config, a[n_a - 1]);
		tokens += n_a;
	}
	out->mean_tokens = (double)tokens / model->n;
	if (reference)
		compare_answers(model, reference, out);
}

/* A figure, or null where there is none. */
static void add_where(struct mote_json_builder *b, cJSON *o, const char *key, bool there, double value)
{
	if (there)
		mote_json_add_number(b, o, key, value);
	else
		mote_json_add_null(b, o, key);
}

cJSON *mote_behaviour_to_json(const struct mote_behaviour *b)
{
	struct mote_json_builder builder = {0};
	cJSON *o = mote_json_new_object(&builder);

	mote_json_add_number(&builder, o, "prompts", b->prompts);
	add_where(&builder, o, "identical_answers", b->compared, (double)b->identical / b->prompts);
	add_where(&builder, o, "mean_identical_tokens", b->compared, b->mean_identical_tokens);
	add_where(&builder, o, "identical_token_share", b->compared, b->identical_share);
	mote_json_add_number(&builder, o, "mean_tokens", b->mean_tokens);
	mote_json_add_number(&builder, o, "ended", (double)b->ended / b->prompts);
	add_where(&builder, o, "closed_thinking", b->thinking > 0, (double)b->closed / b->thinking);
	return mote_json_finish(&builder, &o, "behaviour", NULL) == MOTE_OK ? o : NULL;
}
