/* Which tokens of a conversation the assistant wrote: see marked_conversation.h. */
#include "quant/train/marked_conversation.h"

#include <stdlib.h>
#include <string.h>

#include "format/json_build.h"
#include "runtime/chat/chat.h"

/* One conversation on its way. */
struct reading {
	const struct mote_conversation_options *o;
	struct mote_error *error;

	struct mote_rendered whole;
	struct mote_text_range *answer;      /* [n_answers] of its text, ascending */
	size_t n_answers, room;
	struct mote_text_span *spans;        /* [n_spans] of its text, for the tokenizer */
	size_t n_spans;
};

static enum mote_status no_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for a conversation");
}

/* ---- which text is the assistant's ---- */

static enum mote_status render(struct reading *r, const cJSON *messages, bool prompt, struct mote_rendered *out)
{
	const struct mote_chat_request request = {.messages = messages, .tools = r->o->tools,
						  .context = r->o->variables,
						  .no_generation_prompt = !prompt, .now = r->o->now};

	return mote_chat_render(r->o->metadata, &request, out, r->error);
}

size_t mote_without_space(const char *text, size_t begin, size_t end)
{
	while (end > begin && text[end - 1] && strchr(" \t\r\n", text[end - 1]))
		end--;
	return end;
}

static enum mote_status add_answer(struct reading *r, size_t begin, size_t end)
{
	end = mote_without_space(r->whole.text, begin, end);
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

bool mote_message_is_assistant(const cJSON *message)
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
	bytes = mote_without_space(text, 0, strlen(text));
	found = bytes ? memmem(whole->text + begin, end - begin, text, bytes) : NULL;
	return found ? (size_t)(found - whole->text) : end;
}

/* What the template writes for message `index`: from the end of its prompt for an answer to where the text with the
 * message ends. Some templates put other white space into the prompt than into the message; then it begins with the
 * message's own text. An earlier answer that is written differently once others follow (its thought is left out,
 * say) is passed over. */
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
		begin = !plain.text ? prompt.bytes : begins_with(&upto, &plain)
			? find_content(&r->whole, plain.bytes, end, message) : end;
	}
	if (status == MOTE_OK && begin < end)
		status = add_answer(r, begin, end);
	else if (status == MOTE_OK && !message->next)
		status = mote_error_set(r->error, MOTE_ERROR_UNSUPPORTED,
					"the last answer cannot be found in what the template makes "
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

	for (size_t k = r->o->last_only && w->n_generated ? w->n_generated - 1 : 0; k < w->n_generated && !status; k++)
		status = add_answer(r, w->generated[k].begin, w->generated[k].end);
	if (w->n_generated)
		return status;
	for (const cJSON *m = messages->child; m && !status; m = m->next, i++)
		if (mote_message_is_assistant(m) && (!r->o->last_only || !m->next))
			status = add_message(r, messages, i, m);
	return status;
}

/* ---- which tokens ---- */

/* The template's spans, but what the assistant wrote counts as the template's own: a thought's tags are tokens in
 * it. */
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

enum mote_status mote_conversation_encode(const struct mote_conversation_options *options, const cJSON *messages,
					  struct mote_ids *ids, uint8_t **target, struct mote_error *error)
{
	struct reading r = {.o = options, .error = error};
	enum mote_status status = render(&r, messages, false, &r.whole);

	*target = NULL;
	if (status == MOTE_OK)
		status = find_answers(&r, messages);
	if (status == MOTE_OK)
		status = cut_spans(&r);
	if (status == MOTE_OK)
		status = encode_up_to(&r, r.whole.bytes, ids);
	if (status == MOTE_OK && !(*target = calloc(ids->count + 1, 1)))
		status = no_memory(error);
	if (status == MOTE_OK)
		status = mark_answers(&r, ids, *target);
	free(r.answer);
	free(r.spans);
	mote_rendered_free(&r.whole);
	return status;
}
