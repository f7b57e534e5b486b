/* The chat: a conversation that grows, its commands, and what happens when it no longer fits the context. The model
 * sees all turns, but of its own answers not the reasoning.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/run_chat.h"

cJSON *run_chat_message(const struct chat *c, int index)
{
	return cJSON_GetArrayItem(c->messages, index);
}

bool run_chat_has_role(const cJSON *message, const char *role)
{
	const cJSON *item = mote_json_get(message, "role");

	return cJSON_IsString(item) && !strcmp(item->valuestring, role);
}

const char *run_chat_content(const cJSON *message)
{
	const cJSON *item = mote_json_get(message, "content");

	return cJSON_IsString(item) ? item->valuestring : "";
}

int run_chat_count(const struct chat *c)
{
	return cJSON_GetArraySize(c->messages);
}

void run_chat_drop_last(struct chat *c)
{
	cJSON_DeleteItemFromArray(c->messages, run_chat_count(c) - 1);
}

enum mote_status run_chat_set_system(struct chat *c, const char *text, struct mote_error *error)
{
	cJSON *list = cJSON_CreateArray(), *item;
	enum mote_status status = MOTE_OK;

	if (!list)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the messages");
	if (text && *text)
		status = run_add_message(list, "system", text, error);
	while (status == MOTE_OK && (item = cJSON_DetachItemFromArray(c->messages, 0))) {
		if (run_chat_has_role(item, "system"))
			cJSON_Delete(item);
		else if (!cJSON_AddItemToArray(list, item)) {
			cJSON_Delete(item);
			status = mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the messages");
		}
	}
	cJSON_Delete(c->messages);
	c->messages = list;
	return status;
}

void run_chat_clear(struct chat *c)
{
	while (run_chat_count(c) > (run_chat_has_role(run_chat_message(c, 0), "system") ? 1 : 0))
		run_chat_drop_last(c);
}

/* ---- a turn ---- */

/* The oldest turn, a user's message and what came up to the next one, leaves; the system message and the last message
 * stay. False: there is none to leave. */
static bool drop_oldest_turn(struct chat *c)
{
	int first = run_chat_count(c) && run_chat_has_role(run_chat_message(c, 0), "system") ? 1 : 0, next = first + 1;

	while (next < run_chat_count(c) && !run_chat_has_role(run_chat_message(c, next), "user"))
		next++;
	if (next >= run_chat_count(c))
		return false;
	for (int i = first; i < next; i++)
		cJSON_DeleteItemFromArray(c->messages, first);
	return true;
}

/* The conversation as ids, without the oldest turns, *left many, when they leave no room for an answer. */
static enum mote_status encode_what_fits(struct chat *c, uint32_t room, struct run_turn *turn, int *left,
					 struct mote_error *error)
{
	const cJSON *tools = mote_json_get(c->run->loaded, "tools");
	uint32_t wanted = c->run->answer.max_tokens;
	enum mote_status status;

	wanted = wanted && wanted < room / 4 ? wanted : room / 4;
	for (*left = 0; (status = run_encode(c->run, c->messages, tools, true, turn, error)) == MOTE_OK; ++*left) {
		if (turn->prompt_tokens + wanted <= room || !drop_oldest_turn(c))
			break;
		run_turn_free(turn);
	}
	if (status == MOTE_OK && turn->prompt_tokens > room)
		status = mote_error_set(error, MOTE_ERROR_LIMIT, "%zu tokens do not fit into the context of %u",
					turn->prompt_tokens, room);
	return status;
}

/* The same; where the last message does not fit alone either, no turn leaves. */
static enum mote_status encode(struct chat *c, struct run_turn *turn, struct mote_error *error)
{
	cJSON *before = cJSON_Duplicate(c->messages, true);
	struct mote_lm_session_info info;
	enum mote_status status;
	int left;

	if (!before)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the messages");
	mote_lm_session_describe(c->run->session, &info);
	status = encode_what_fits(c, info.context_tokens, turn, &left, error);
	if (status && left) {
		cJSON_Delete(c->messages);
		c->messages = before;
		return status;
	}
	cJSON_Delete(before);
	if (left)
		fprintf(stderr,
			"[the context of %u tokens is full: the oldest %d turn%s of this conversation left it]\n",
			info.context_tokens, left, left == 1 ? "" : "s");
	return status;
}

enum mote_status run_chat_take_turn(struct chat *c, const char *otherwise, bool *answered, struct mote_error *error)
{
	struct run_turn turn = {0};
	enum mote_status status = encode(c, &turn, error);
	bool encoded = status == MOTE_OK;

	*answered = false;
	if (encoded && (status = run_answer(c->run, &turn, false, true, error)) == MOTE_OK) {
		run_print_end(c->run, &turn);
		status = run_add_message(c->messages, "assistant", turn.text ? turn.text : "", error);
		*answered = status == MOTE_OK;
	} else if (encoded ? status == MOTE_ERROR_INTERRUPTED && mote_console_resume() : status != MOTE_ERROR_MEMORY) {
		fprintf(stderr, "[%s: %s]\n", otherwise, error->message);
		*error = (struct mote_error){0};
		status = MOTE_OK;
	}
	if (turn.finish == MOTE_LM_FINISH_CANCELLED)
		mote_console_resume();
	if (*answered) {
		run_turn_free(&c->last);
		c->last = turn;
	} else {
		run_turn_free(&turn);
	}
	return status;
}

static enum mote_status say(struct chat *c, const char *text, struct mote_error *error)
{
	enum mote_status status = run_add_message(c->messages, "user", text, error);
	bool answered;

	if (status)
		return status;
	status = run_chat_take_turn(c, "the message was not taken", &answered, error);
	if (!answered)
		run_chat_drop_last(c);
	return status;
}

/* Text that begins with a slash but is no word of letters is for the model: a path, say. */
static bool is_command(const char *line)
{
	size_t word = 1;

	if (line[0] != '/')
		return false;
	while ((line[word] >= 'a' && line[word] <= 'z') || line[word] == '?')
		word++;
	return word > 1 && (line[word] == 0 || line[word] == ' ' || line[word] == '\t') && !strchr(line, '\n');
}

static enum mote_status take_line(struct chat *c, const char *text, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;
	char *line;

	if (text[strspn(text, " \t\n")] == 0)
		return MOTE_OK;
	if (!is_command(text))
		return say(c, text, error);
	line = strdup(text);
	if (!line)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a command");
	status = run_chat_command(c, line, error);
	free(line);
	return status;
}

static enum mote_status read_lines(struct chat *c, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	while (status == MOTE_OK && !c->ended && (!mote_console_interrupted() || mote_console_resume())) {
		const char *text;
		enum run_line got = run_line_read(c->reader, "> ", c->pending, &text);

		free(c->pending);
		c->pending = NULL;
		if (got == RUN_LINE) {
			status = take_line(c, text, error);
			continue;
		}
		if (got == RUN_LINE_FAILED)
			status = mote_error_set(error, MOTE_ERROR_IO, "standard input: %s", strerror(errno));
		fputc('\n', stderr);
		c->ended = got == RUN_LINE_END;
	}
	if (status == MOTE_OK && mote_console_interrupted())
		status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	return status;
}

/* With the messages of --load-session, or a new conversation. */
static enum mote_status begin(struct chat *c, struct mote_error *error)
{
	cJSON *messages = cJSON_DetachItemFromObjectCaseSensitive(c->run->loaded, "messages");

	if (!c->run->loaded) {
		c->messages = cJSON_CreateArray();
		if (!c->messages)
			return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the messages");
		return run_chat_set_system(c, c->run->arguments->system, error);
	}
	if (!messages)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "the session is of a text (--raw), not of a conversation");
	c->messages = messages;
	fprintf(stderr, "[%d messages]\n", run_chat_count(c));
	return MOTE_OK;
}

enum mote_status run_chat(struct run *r, struct mote_error *error)
{
	struct chat c = {.run = r};
	enum mote_status status;

	if (!r->info.chat && !r->template_text)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "the model has no chat template to chat with; use -p");
	fputs("[/help lists what a chat understands, /bye ends; Ctrl-C stops an answer]\n", stderr);
	if ((status = run_line_open(run_chat_commands, &c.reader, error)) == MOTE_OK &&
	    (status = run_seal(r, error)) == MOTE_OK && (status = begin(&c, error)) == MOTE_OK &&
	    (status = read_lines(&c, error)) == MOTE_OK && r->save) {
		status = run_session_save(r, c.messages, mote_json_get(r->loaded, "tools"), NULL, r->save, error);
		r->save = NULL;
	}
	run_line_close(c.reader);
	run_turn_free(&c.last);
	free(c.pending);
	cJSON_Delete(c.messages);
	return status;
}
