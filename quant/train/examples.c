/* Conversations to examples: see examples.h. */
#include "quant/train/examples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/json_build.h"

enum { MAX_MESSAGES = 4096 };

struct reading {
	struct mote_examples *e;
	const struct mote_examples_options *o;
	struct mote_conversation_options conversation;
	struct mote_error *error;
};

static enum mote_status no_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for examples");
}

/* ---- collecting ---- */

static bool reserve(struct mote_examples *e, size_t ids)
{
	size_t capacity = e->ids_capacity ? e->ids_capacity : 1024;
	uint8_t *target;
	int32_t *id;

	if (e->n == e->capacity) {
		uint32_t n = e->capacity ? 2 * e->capacity : 64;
		struct mote_example *more = n > e->capacity ? realloc(e->example, n * sizeof *more) : NULL;

		if (!more)
			return false;
		e->example = more;
		e->capacity = n;
	}
	if (e->ids + ids <= e->ids_capacity)
		return true;
	while (capacity < e->ids + ids)
		capacity *= 2;
	id = realloc(e->id, capacity * sizeof *id);
	e->id = id ? id : e->id;
	target = id ? realloc(e->target, capacity) : NULL;
	e->target = target ? target : e->target;
	if (target)
		e->ids_capacity = capacity;
	return target != NULL;
}

/* Takes up to max_length ids and marks over as the next example; *kept: there is something in it to learn. */
static enum mote_status add(struct reading *r, const int32_t *id, const uint8_t *target, size_t count, bool *kept)
{
	struct mote_examples *e = r->e;
	size_t n = count < r->o->max_length ? count : r->o->max_length;
	struct mote_example example = {.at = e->ids, .length = (uint32_t)n};

	for (size_t i = 0; i < n; i++) {
		if (id[i] < 0 || (uint32_t)id[i] >= r->o->vocab)
			return mote_error_set(r->error, MOTE_ERROR_UNSUPPORTED,
					      "token id %d, and the model has rows for the ids 0 to "
					      "%u", (int)id[i], r->o->vocab - 1);
		example.targets += i > 0 && target[i];
	}
	*kept = example.targets > 0;
	if (!*kept)
		return MOTE_OK;
	if (!reserve(e, n))
		return no_memory(r->error);
	memcpy(e->id + e->ids, id, n * sizeof *id);
	memcpy(e->target + e->ids, target, n);
	e->target[e->ids] = 0;
	e->ids += n;
	e->example[e->n++] = example;
	e->longest = example.length > e->longest ? example.length : e->longest;
	return MOTE_OK;
}

static enum mote_status add_conversation(struct reading *r, const cJSON *messages, bool *kept, bool *cut)
{
	struct mote_ids ids = {0};
	uint8_t *target = NULL;
	enum mote_status status = mote_conversation_encode(&r->conversation, messages, &ids, &target, r->error);

	*cut = *cut || ids.count > r->o->max_length;
	if (status == MOTE_OK)
		status = add(r, ids.id, target, ids.count, kept);
	free(target);
	mote_ids_free(&ids);
	return status;
}

/* Every token of a text is learnt but the first; what is longer than an example goes on from its last token as the
 * next. */
static enum mote_status add_text(struct reading *r, const cJSON *text, bool *kept)
{
	const size_t most = r->o->max_length;
	struct mote_ids ids = {0};
	enum mote_status status = mote_tokenizer_encode(r->o->tokenizer, text->valuestring, strlen(text->valuestring),
							MOTE_ENCODE_ADD_SPECIAL, &ids, r->error);
	uint8_t *target = status ? NULL : malloc(most);

	if (status == MOTE_OK && !target)
		status = no_memory(r->error);
	if (status == MOTE_OK)
		memset(target, 1, most);
	for (size_t at = 0; at + 1 < ids.count && !status; at += most - 1) {
		bool any = false;

		status = add(r, ids.id + at, target, ids.count - at, &any);
		*kept = *kept || any;
	}
	free(target);
	mote_ids_free(&ids);
	return status;
}

/* ---- a record ---- */

static enum mote_status wrong(struct reading *r, const char *field, const char *expected)
{
	return mote_error_set(r->error, MOTE_ERROR_CORRUPT, "\"%s\": expected %s", field, expected);
}

/* Which answers are learnt is the method's to say, not a record's. */
static bool is_left_out(const cJSON *message)
{
	const cJSON *weight = mote_json_get(message, "weight");

	return mote_message_is_assistant(message) && (cJSON_IsFalse(mote_json_get(message, "train")) ||
						      (cJSON_IsNumber(weight) && weight->valuedouble != 1));
}

static enum mote_status check_messages(struct reading *r, const cJSON *messages, const char *field)
{
	if (!cJSON_IsArray(messages) || !messages->child)
		return wrong(r, field, "a list of messages");
	if (cJSON_GetArraySize(messages) > MAX_MESSAGES)
		return wrong(r, field, "4,096 messages at most");
	for (const cJSON *m = messages->child; m; m = m->next)
		if (!cJSON_IsObject(m) || !cJSON_IsString(mote_json_get(m, "role")))
			return wrong(r, field, "messages with a \"role\"");
		else if (!m->next && !mote_message_is_assistant(m))
			return wrong(r, field, "an answer of the assistant at the end");
		else if ((!m->next || !r->o->preferences) && is_left_out(m))
			return wrong(r, field, "no answer that is not to be learnt (\"weight\", \"train\")");
	return MOTE_OK;
}

/* The template's variables that a record brings: what is the record's otherwise, or a token's text, is none. */
static enum mote_status take_variables(struct reading *r, const cJSON *record)
{
	static const char field[] = "chat_template_kwargs", *const others[] = {
		"messages", "tools", "add_generation_prompt", "bos_token", "eos_token", "unk_token", "pad_token"};
	const cJSON *variables = mote_json_get(record, field);

	r->conversation.variables = cJSON_IsObject(variables) ? variables : NULL;
	if (variables && !cJSON_IsNull(variables) && !r->conversation.variables)
		return wrong(r, field, "an object");
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (mote_json_get(r->conversation.variables, others[i]))
			return wrong(r, field, "variables that are the template's only");
	return MOTE_OK;
}

/* Appends a text as a message of this role, or a list's messages. */
static bool append(struct mote_json_builder *b, cJSON *to, const cJSON *from, const char *role)
{
	if (cJSON_IsString(from)) {
		cJSON *message = mote_json_add_object(b, to, NULL);

		mote_json_add_text(b, message, "role", role);
		mote_json_add_text(b, message, "content", from->valuestring);
		return true;
	}
	for (const cJSON *m = cJSON_IsArray(from) ? from->child : NULL; m; m = m->next)
		mote_json_add_item(b, to, NULL, cJSON_Duplicate(m, true));
	return cJSON_IsArray(from);
}

static enum mote_status add_preferred(struct reading *r, const cJSON *record, const char *field, bool *kept, bool *cut)
{
	const cJSON *prompt = mote_json_get(record, "prompt"), *answer = mote_json_get(record, field);
	struct mote_json_builder b = {0};
	cJSON *messages = mote_json_new_array(&b);
	enum mote_status status = MOTE_OK;

	/* data sets name the prompt beside conversations that have it */
	if (cJSON_IsString(prompt) && cJSON_IsArray(answer) && !mote_message_is_assistant(answer->child))
		prompt = NULL;
	if (prompt && !append(&b, messages, prompt, "user"))
		status = wrong(r, "prompt", "a text or a list of messages");
	else if (!append(&b, messages, answer, "assistant") || (!prompt && cJSON_IsString(answer)))
		status = wrong(r, field, prompt ? "a text or a list of messages" : "a list of messages");
	if (status == MOTE_OK)
		status = mote_json_finish(&b, &messages, "messages", r->error);
	if (status == MOTE_OK)
		status = check_messages(r, messages, field);
	if (status == MOTE_OK)
		status = add_conversation(r, messages, kept, cut);
	cJSON_Delete(messages);
	return status;
}

static enum mote_status add_record(struct reading *r, const cJSON *record)
{
	struct mote_examples *e = r->e;
	const struct mote_examples before = *e;
	bool kept = false, cut = false;
	const cJSON *messages = mote_json_get(record, "messages"), *text = mote_json_get(record, "text");
	const cJSON *tools = mote_json_get(record, "tools");
	enum mote_status status;

	if (!cJSON_IsObject(record))
		return mote_error_set(r->error, MOTE_ERROR_CORRUPT, "expected an object");
	r->conversation.tools = cJSON_IsArray(tools) ? tools : NULL;
	status = take_variables(r, record);
	if (status)
		return status;
	if (r->o->preferences) {
		status = add_preferred(r, record, "chosen", &kept, &cut);
		if (status == MOTE_OK && kept)
			status = add_preferred(r, record, "rejected", &kept, &cut);
	} else if (text && !messages) {
		status = cJSON_IsString(text) ? add_text(r, text, &kept) : wrong(r, "text", "a text");
	} else {
		status = text ? wrong(r, "text", "nothing of it beside \"messages\"")
			      : check_messages(r, messages, "messages");
		if (status == MOTE_OK)
			status = add_conversation(r, messages, &kept, &cut);
	}
	if (status)
		return status;
	e->records++;
	e->cut += kept && cut;
	e->dropped += !kept;
	if (!kept) { /* of a pair neither */
		e->n = before.n;
		e->ids = before.ids;
	}
	return MOTE_OK;
}

enum mote_status mote_examples_read(struct mote_examples *e, const char *text, size_t bytes,
				    const struct mote_examples_options *options, struct mote_error *error)
{
	struct reading r = {.e = e, .o = options, .error = error,
			    .conversation = {.last_only = options->preferences, .metadata = options->metadata,
					     .tokenizer = options->tokenizer, .now = options->now}};
	enum mote_status status = MOTE_OK;
	char name[512];

	for (size_t at = 0, line = 1; at < bytes && !status; line++) {
		const char *newline = memchr(text + at, '\n', bytes - at);
		size_t length = newline ? (size_t)(newline - text) - at : bytes - at;
		cJSON *record = NULL;

		snprintf(name, sizeof name, "%.400s, line %zu", options->path, line);
		if (mote_without_space(text + at, 0, length)) {
			status = mote_json_parse_line(text + at, length, options->path, line, &record, error);
			if (status == MOTE_OK) {
				status = add_record(&r, record);
				if (status)
					mote_error_prefix(error, "%s", name);
			}
		}
		cJSON_Delete(record);
		at += length + 1;
	}
	if (status == MOTE_OK && e->n == 0)
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: no record has an answer within %u tokens, "
					"or a text", options->path, options->max_length);
	return status;
}

void mote_examples_free(struct mote_examples *e)
{
	free(e->example);
	free(e->id);
	free(e->target);
	*e = (struct mote_examples){0};
}
