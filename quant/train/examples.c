/* Conversations to examples: see examples.h. */
#include "quant/train/examples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/json_build.h"
#include "runtime/chat/chat.h"

enum { MAX_MESSAGES = 4096 };

/* One conversation on its way. */
struct reading {
	struct mote_examples *e;
	const struct mote_examples_options *o;
	const cJSON *tools;
	struct mote_error *error;

	struct mote_rendered whole;
	struct mote_text_range *answer;      /* [n_answers] of its text, ascending */
	size_t n_answers, room;
	struct mote_text_span *spans;        /* [n_spans] of its text, for the tokenizer */
	size_t n_spans;
};

static enum mote_status no_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for examples");
}

/* ---- which text is the assistant's ---- */

static enum mote_status render(struct reading *r, const cJSON *messages, bool prompt, struct mote_rendered *out)
{
	const struct mote_chat_request request = {.messages = messages, .tools = r->tools, .no_generation_prompt = !prompt,
						  .now = r->o->now};

	return mote_chat_render(r->o->metadata, &request, out, r->error);
}

/* White space that a template puts behind the end of a turn is never generated. */
static size_t without_space(const char *text, size_t begin, size_t end)
{
	while (end > begin && strchr(" \t\r\n", text[end - 1]))
		end--;
	return end;
}

static enum mote_status add_answer(struct reading *r, size_t begin, size_t end)
{
	end = without_space(r->whole.text, begin, end);
	if (r->n_answers == r->room) {
		size_t room = r->room ? 2 * r->room : 8;
		struct mote_text_range *more = realloc(r->answer, room * sizeof *more);

		if (!more)
			return no_memory(r->error);
		r->answer = more;
		r->room = room;
	}
	if (begin < end)
		r->answer[r->n_answers++] = (struct mote_text_range){begin, end};
	return MOTE_OK;
}

/* A list of copies of the first n messages; NULL: no memory. */
static cJSON *first_messages(const cJSON *messages, int n)
{
	struct mote_json_builder b = {0};
	cJSON *list = mote_json_new_array(&b);
	const cJSON *item = messages->child;

	for (int i = 0; i < n && item; i++, item = item->next)
		mote_json_add_item(&b, list, NULL, cJSON_Duplicate(item, true));
	if (!b.failed)
		return list;
	cJSON_Delete(list);
	return NULL;
}

static bool is_assistant(const cJSON *message)
{
	const cJSON *role = mote_json_get(message, "role");

	return cJSON_IsString(role) && !strcmp(role->valuestring, "assistant");
}

static bool begins_with(const struct mote_rendered *whole, const struct mote_rendered *part)
{
	return part->bytes <= whole->bytes && !memcmp(whole->text, part->text, part->bytes);
}

/* Where a message's own text begins in a part of the whole; end when it is not there. */
static size_t find_content(const struct mote_rendered *whole, size_t begin, size_t end, const cJSON *message)
{
	const cJSON *content = mote_json_get(message, "content");
	const char *text = cJSON_IsString(content) ? content->valuestring : "";
	const char *found;
	size_t bytes;

	text += strspn(text, " \t\r\n"); /* templates may trim it */
	bytes = without_space(text, 0, strlen(text));
	found = bytes ? memmem(whole->text + begin, end - begin, text, bytes) : NULL;
	return found ? (size_t)(found - whole->text) : end;
}

/* What the template writes for message `index`: from the end of its prompt for an answer to where the text with the message
 * ends. Some templates put other white space into the prompt than into the message; then it begins with the message's own
 * text. An earlier answer that is written differently once others follow (its thought is left out, say) is passed over. */
static enum mote_status add_message(struct reading *r, const cJSON *messages, int index, const cJSON *message)
{
	struct mote_rendered prompt = {0}, plain = {0}, upto = {0};
	cJSON *before = first_messages(messages, index), *with = first_messages(messages, index + 1);
	enum mote_status status = before && with ? MOTE_OK : no_memory(r->error);
	size_t begin = 0, end = 0;

	if (status == MOTE_OK)
		status = render(r, before, true, &prompt);
	if (status == MOTE_OK)
		status = render(r, with, false, &upto);
	if (status == MOTE_OK && !begins_with(&r->whole, &prompt))
		status = render(r, before, false, &plain);
	if (status == MOTE_OK && begins_with(&r->whole, &upto)) {
		end = upto.bytes;
		begin = !plain.text ? prompt.bytes : begins_with(&upto, &plain) ? find_content(&r->whole, plain.bytes, end, message) : end;
	}
	if (status == MOTE_OK && begin < end)
		status = add_answer(r, begin, end);
	else if (status == MOTE_OK && !message->next)
		status = mote_error_set(r->error, MOTE_ERROR_UNSUPPORTED, "the last answer cannot be found in what the template makes "
					"of it, and it marks none by {%% generation %%}");
	mote_rendered_free(&prompt);
	mote_rendered_free(&plain);
	mote_rendered_free(&upto);
	cJSON_Delete(before);
	cJSON_Delete(with);
	return status;
}

static enum mote_status find_answers(struct reading *r, const cJSON *messages)
{
	const struct mote_rendered *w = &r->whole;
	enum mote_status status = MOTE_OK;
	int i = 0;

	for (size_t k = r->o->preferences && w->n_generated ? w->n_generated - 1 : 0; k < w->n_generated && !status; k++)
		status = add_answer(r, w->generated[k].begin, w->generated[k].end);
	if (w->n_generated)
		return status;
	for (const cJSON *m = messages->child; m && !status; m = m->next, i++)
		if (is_assistant(m) && (!r->o->preferences || !m->next))
			status = add_message(r, messages, i, m);
	return status;
}

/* ---- which tokens ---- */

/* The template's spans, but what the assistant wrote counts as the template's own: a thought's tags are tokens in it. */
static enum mote_status cut_spans(struct reading *r)
{
	const struct mote_rendered *w = &r->whole;
	size_t k = 0;

	r->spans = malloc((w->n_spans + 2 * r->n_answers + 1) * sizeof *r->spans);
	if (!r->spans)
		return no_memory(r->error);
	for (size_t i = 0; i < w->n_spans; i++)
		for (size_t at = w->spans[i].begin, end; at < w->spans[i].end; at = end) {
			bool inside;

			while (k < r->n_answers && r->answer[k].end <= at)
				k++;
			inside = k < r->n_answers && r->answer[k].begin <= at;
			end = k == r->n_answers ? w->spans[i].end : inside ? r->answer[k].end : r->answer[k].begin;
			end = end < w->spans[i].end ? end : w->spans[i].end;
			r->spans[r->n_spans++] = (struct mote_text_span){at, end, w->spans[i].plain && !inside};
		}
	return MOTE_OK;
}

/* Ids of the text up to a place. */
static enum mote_status encode_up_to(struct reading *r, size_t end, struct mote_ids *ids)
{
	struct mote_text_span last;
	enum mote_status status;
	size_t n = 0;

	while (n < r->n_spans && r->spans[n].begin < end)
		n++;
	if (n == 0)
		return MOTE_OK;
	last = r->spans[n - 1];
	r->spans[n - 1].end = last.end < end ? last.end : end;
	status = mote_tokenizer_encode_spans(r->o->tokenizer, r->whole.text, r->spans, n, 0, ids, r->error);
	r->spans[n - 1] = last;
	return status;
}

/* The first token that is not wholly before this place of the text: up to it the ids are those of the text before. */
static enum mote_status token_at(struct reading *r, const struct mote_ids *whole, size_t place, size_t *token)
{
	struct mote_ids before = {0};
	enum mote_status status = encode_up_to(r, place, &before);

	*token = 0;
	while (!status && *token < before.count && *token < whole->count && before.id[*token] == whole->id[*token])
		++*token;
	mote_ids_free(&before);
	return status;
}

static enum mote_status mark_answers(struct reading *r, const struct mote_ids *ids, uint8_t *target)
{
	enum mote_status status = MOTE_OK;

	for (size_t k = 0; k < r->n_answers && !status; k++) {
		size_t from, to = 0;

		status = token_at(r, ids, r->answer[k].begin, &from);
		if (status == MOTE_OK)
			status = token_at(r, ids, r->answer[k].end, &to);
		for (size_t i = from; i < to && !status; i++)
			target[i] = 1;
	}
	return status;
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

/* Takes ids and marks over as the next example; *kept: there is something in it to learn. */
static enum mote_status add(struct reading *r, const struct mote_ids *ids, const uint8_t *target, bool *kept)
{
	struct mote_examples *e = r->e;
	size_t n = ids->count < r->o->max_length ? ids->count : r->o->max_length;
	struct mote_example example = {.at = e->ids, .length = (uint32_t)n};

	for (size_t i = 0; i < n; i++) {
		if (ids->id[i] < 0 || (uint32_t)ids->id[i] >= r->o->vocab)
			return mote_error_set(r->error, MOTE_ERROR_UNSUPPORTED, "token id %d, and the model has rows for the ids 0 to "
					      "%u", (int)ids->id[i], r->o->vocab - 1);
		example.targets += i > 0 && target[i];
	}
	*kept = example.targets > 0;
	if (!*kept)
		return MOTE_OK;
	if (!reserve(e, n))
		return no_memory(r->error);
	memcpy(e->id + e->ids, ids->id, n * sizeof *ids->id);
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
	enum mote_status status = render(r, messages, false, &r->whole);

	r->n_answers = r->n_spans = 0;
	if (status == MOTE_OK)
		status = find_answers(r, messages);
	if (status == MOTE_OK)
		status = cut_spans(r);
	if (status == MOTE_OK)
		status = encode_up_to(r, r->whole.bytes, &ids);
	if (status == MOTE_OK && !(target = calloc(ids.count + 1, 1)))
		status = no_memory(r->error);
	if (status == MOTE_OK)
		status = mark_answers(r, &ids, target);
	*cut = *cut || ids.count > r->o->max_length;
	if (status == MOTE_OK)
		status = add(r, &ids, target, kept);
	free(target);
	free(r->spans);
	r->spans = NULL;
	mote_ids_free(&ids);
	mote_rendered_free(&r->whole);
	r->whole = (struct mote_rendered){0};
	return status;
}

/* ---- a record ---- */

static enum mote_status wrong(struct reading *r, const char *field, const char *expected)
{
	return mote_error_set(r->error, MOTE_ERROR_CORRUPT, "\"%s\": expected %s", field, expected);
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
		else if (!m->next && !is_assistant(m))
			return wrong(r, field, "an answer of the assistant at the end");
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
	const cJSON *messages = mote_json_get(record, "messages");
	enum mote_status status;

	if (!cJSON_IsObject(record))
		return mote_error_set(r->error, MOTE_ERROR_CORRUPT, "expected an object");
	r->tools = mote_json_get(record, "tools");
	r->tools = cJSON_IsArray(r->tools) ? r->tools : NULL;
	if (r->o->preferences) {
		status = add_preferred(r, record, "chosen", &kept, &cut);
		if (status == MOTE_OK && kept)
			status = add_preferred(r, record, "rejected", &kept, &cut);
	} else {
		status = check_messages(r, messages, "messages");
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
	struct reading r = {.e = e, .o = options, .error = error};
	enum mote_status status = MOTE_OK;
	char name[512];

	for (size_t at = 0, line = 1; at < bytes && !status; line++) {
		const char *newline = memchr(text + at, '\n', bytes - at);
		size_t length = newline ? (size_t)(newline - text) - at : bytes - at;
		cJSON *record = NULL;

		snprintf(name, sizeof name, "%.400s, line %zu", options->path, line);
		if (without_space(text + at, 0, length)) {
			status = mote_json_parse(text + at, length, name, &record, error);
			if (status == MOTE_OK) {
				status = add_record(&r, record);
				if (status)
					mote_error_prefix(error, "%s", name);
			}
		}
		cJSON_Delete(record);
		at += length + 1;
	}
	free(r.answer);
	if (status == MOTE_OK && e->n == 0)
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: no record has an answer within %u tokens", options->path,
					options->max_length);
	return status;
}

void mote_examples_free(struct mote_examples *e)
{
	free(e->example);
	free(e->id);
	free(e->target);
	*e = (struct mote_examples){0};
}
