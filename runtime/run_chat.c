/* The chat: a conversation that grows, its commands, and what happens when it no longer fits the context. The model sees
 * all turns, but of its own answers not the reasoning.
 */
#include <stdlib.h>
#include <string.h>

#include "format/output.h"
#include "runtime/run.h"
#include "runtime/run_line.h"

#define MAX_CONVERSATION_BYTES ((size_t)64 << 20)

struct chat {
	struct run *run;
	struct run_line_reader *reader;
	cJSON *messages;
	struct run_turn last;    /* the last answer, for /stats; text and ids are those of it */
	char *pending;           /* what /edit puts into the next line, or NULL */
	bool ended;
};

static const char *const commands[] = {"/help", "/clear", "/regen", "/edit", "/system", "/set", "/show", "/save", "/load",
				       "/stats", "/think", "/bye", "/exit", "/quit", NULL};

static const char help[] =
"[/clear             begin a new conversation\n"
" /regen             answer the last message again\n"
" /edit              change the last message and send it again\n"
" /system TEXT       set the system message, or take it away without TEXT\n"
" /set OPTION VALUE  set an option of generation: /set temp 0.8\n"
" /show              the model, the settings and the system message\n"
" /think HOW         show, hide, only or off\n"
" /save FILE, /load FILE   the conversation as JSON\n"
" /stats             of the last answer\n"
" /bye               end; so do /exit, /quit and Ctrl-D\n"
" A line that ends in \\ goes on in the next; so does all between \"\"\" and \"\"\". Ctrl-C stops an answer.]\n";

static cJSON *message_at(const struct chat *c, int index)
{
	return cJSON_GetArrayItem(c->messages, index);
}

static bool has_role(const cJSON *message, const char *role)
{
	const cJSON *item = mote_json_get(message, "role");

	return cJSON_IsString(item) && !strcmp(item->valuestring, role);
}

static const char *content_of(const cJSON *message)
{
	const cJSON *item = mote_json_get(message, "content");

	return cJSON_IsString(item) ? item->valuestring : "";
}

static int count(const struct chat *c)
{
	return cJSON_GetArraySize(c->messages);
}

static void drop_last(struct chat *c)
{
	cJSON_DeleteItemFromArray(c->messages, count(c) - 1);
}

/* A system message takes the place of the one before; NULL or empty: none. */
static enum mote_status set_system(struct chat *c, const char *text, struct mote_error *error)
{
	cJSON *list = cJSON_CreateArray(), *item;
	enum mote_status status = MOTE_OK;

	if (!list)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the messages");
	if (text && *text)
		status = run_add_message(list, "system", text, error);
	while (status == MOTE_OK && (item = cJSON_DetachItemFromArray(c->messages, 0))) {
		if (has_role(item, "system"))
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

static enum mote_status clear(struct chat *c, struct mote_error *error)
{
	cJSON_Delete(c->messages);
	c->messages = cJSON_CreateArray();
	if (!c->messages)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the messages");
	return set_system(c, c->run->arguments->system, error);
}

/* ---- a turn ---- */

/* The oldest turn, a user's message and what came up to the next one, leaves; the system message and the last message
 * stay. False: there is none to leave. */
static bool drop_oldest_turn(struct chat *c)
{
	int first = count(c) && has_role(message_at(c, 0), "system") ? 1 : 0, next = first + 1;

	while (next < count(c) && !has_role(message_at(c, next), "user"))
		next++;
	if (next >= count(c))
		return false;
	for (int i = first; i < next; i++)
		cJSON_DeleteItemFromArray(c->messages, first);
	return true;
}

/* The conversation as ids, without the oldest turns when they leave no room for an answer. */
static enum mote_status encode(struct chat *c, struct run_turn *turn, struct mote_error *error)
{
	struct mote_lm_session_info info;
	uint32_t room, wanted;
	int left = 0;

	mote_lm_session_describe(c->run->session, &info);
	room = info.context_tokens;
	wanted = c->run->answer.max_tokens && c->run->answer.max_tokens < room / 4 ? c->run->answer.max_tokens : room / 4;
	for (;;) {
		enum mote_status status = run_encode(c->run, c->messages, NULL, turn, error);

		if (status)
			return status;
		if (turn->prompt_tokens + wanted <= room || !drop_oldest_turn(c))
			break;
		left++;
		run_turn_free(turn);
	}
	if (left)
		fprintf(stderr, "[the context of %u tokens is full: the oldest %d turn%s of this conversation left it]\n", room, left,
			left == 1 ? "" : "s");
	if (turn->prompt_tokens <= room)
		return MOTE_OK;
	return mote_error_set(error, MOTE_ERROR_LIMIT, "%zu tokens do not fit into the context of %u", turn->prompt_tokens, room);
}

/* The answer to the last of the messages joins them. One that is not answered leaves them, because it does not fit, the
 * template refuses it, or it was interrupted before its answer began: the chat goes on without it. */
static enum mote_status take_turn(struct chat *c, struct mote_error *error)
{
	struct run_turn turn = {0};
	bool kept = false;
	enum mote_status status = encode(c, &turn, error);

	if (status && status != MOTE_ERROR_MEMORY) {
		fprintf(stderr, "[the message was not taken: %s]\n", error->message);
		*error = (struct mote_error){0};
		status = MOTE_OK;
	} else if (status == MOTE_OK) {
		status = run_answer(c->run, &turn, false, true, error);
		if (status == MOTE_OK) {
			run_print_speed(c->run, &turn);
			status = run_add_message(c->messages, "assistant", turn.text ? turn.text : "", error);
			kept = status == MOTE_OK;
		} else if (status == MOTE_ERROR_INTERRUPTED && mote_console_resume()) {
			*error = (struct mote_error){0};
			status = MOTE_OK;
		}
	}
	if (!kept)
		drop_last(c);
	if (turn.finish == MOTE_LM_FINISH_CANCELLED)
		mote_console_resume();
	run_turn_free(&c->last);
	c->last = turn;
	return status;
}

static enum mote_status say(struct chat *c, const char *text, struct mote_error *error)
{
	enum mote_status status = run_add_message(c->messages, "user", text, error);

	return status ? status : take_turn(c, error);
}

/* ---- commands ---- */

static bool drop_answer(struct chat *c)
{
	if (!count(c) || !has_role(message_at(c, count(c) - 1), "assistant")) {
		fputs("[there is no answer yet]\n", stderr);
		return false;
	}
	drop_last(c);
	return true;
}

static enum mote_status regenerate(struct chat *c, struct mote_error *error)
{
	if (!drop_answer(c))
		return MOTE_OK;
	c->run->sampling.seed = ++c->run->arguments->seed.value; /* the same seed would give the same answer */
	return take_turn(c, error);
}

static enum mote_status edit(struct chat *c, struct mote_error *error)
{
	if (!drop_answer(c))
		return MOTE_OK;
	free(c->pending);
	c->pending = strdup(content_of(message_at(c, count(c) - 1)));
	drop_last(c);
	return c->pending ? MOTE_OK : mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the message");
}

static enum mote_status set(struct chat *c, char *rest, struct mote_error *error)
{
	char *value = rest + strcspn(rest, " ");

	if (*value) {
		*value++ = 0;
		value += strspn(value, " ");
	}
	if (!*rest || !*value) {
		fputs("[/set OPTION VALUE: /set temp 0.8]\n", stderr);
		return MOTE_OK;
	}
	return run_set_option(c->run->arguments, rest, value) ? run_resolve(c->run, error) : MOTE_OK;
}

static enum mote_status think(struct chat *c, const char *how)
{
	static const char *const names[] = {"show", "hide", "only", "off"};

	for (int i = 0; i < 4; i++)
		if (!strcmp(how, names[i])) {
			c->run->arguments->think = (enum run_think)i;
			return MOTE_OK;
		}
	fputs("[/think show, hide, only or off]\n", stderr);
	return MOTE_OK;
}

static void show(const struct chat *c)
{
	const struct mote_lm_sampling *s = &c->run->sampling;
	const struct mote_lm_info *m = &c->run->info;

	fprintf(stderr, "[%s: %.1f M parameters, %.2f bits a weight, %.1f MB, up to %u tokens\n", c->run->arguments->model,
		(double)m->parameters * 1e-6, m->bits_per_weight, (double)m->file_bytes * 1e-6, m->max_tokens);
	fprintf(stderr, " temp %g, top-k %u, top-p %g, min-p %g, typical %g, repeat-penalty %g, presence-penalty %g, "
		"frequency-penalty %g, predict %u, think-budget %u, seed %llu\n", (double)s->temperature, s->top_k,
		(double)s->top_p, (double)s->min_p, (double)s->typical_p, (double)s->repeat_penalty,
		(double)s->presence_penalty, (double)s->frequency_penalty, c->run->answer.max_tokens,
		c->run->answer.think_budget, (unsigned long long)s->seed);
	fprintf(stderr, " %d messages; system: ", count(c));
	if (count(c) && has_role(message_at(c, 0), "system")) {
		const char *text = content_of(message_at(c, 0));

		mote_console_put(stderr, text, strlen(text), true);
	} else {
		fputs("none", stderr);
	}
	fputs("]\n", stderr);
}

/* What a user may repair is said, and the chat goes on. */
static enum mote_status say_failure(enum mote_status status, struct mote_error *error)
{
	if (status == MOTE_OK || status == MOTE_ERROR_MEMORY)
		return status;
	fprintf(stderr, "[%s]\n", error->message);
	*error = (struct mote_error){0};
	return MOTE_OK;
}

static enum mote_status save(struct chat *c, const char *path, struct mote_error *error)
{
	struct mote_output *out = NULL;
	size_t bytes = 0;
	char *text = mote_json_print(c->messages, &bytes);
	enum mote_status status;

	if (!text)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the messages");
	text[bytes] = '\n'; /* over its NUL */
	if ((status = mote_output_open(path, c->run->arguments->force, &out, error)) == MOTE_OK) {
		if ((status = mote_output_write_at(out, text, bytes + 1, 0, error)) == MOTE_OK)
			status = mote_output_commit(out, error);
		else
			mote_output_discard(out);
	}
	free(text);
	return say_failure(status, error);
}

static enum mote_status load(struct chat *c, const char *path, struct mote_error *error)
{
	enum mote_status status;
	cJSON *messages = NULL;
	char *text = NULL;
	size_t bytes;

	if ((status = mote_console_read_file(path, MAX_CONVERSATION_BYTES, &text, &bytes, error)) == MOTE_OK &&
	    (status = mote_json_parse(text, bytes, path, &messages, error)) == MOTE_OK && !cJSON_IsArray(messages))
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: expected an array of messages", path);
	free(text);
	if (status == MOTE_OK) {
		cJSON_Delete(c->messages);
		c->messages = messages;
		fprintf(stderr, "[%d messages]\n", count(c));
	} else {
		cJSON_Delete(messages);
	}
	return say_failure(status, error);
}

/* A line that begins with a slash. */
static enum mote_status command(struct chat *c, char *line, struct mote_error *error)
{
	size_t bytes = strlen(line);
	char *rest;

	while (bytes && (line[bytes - 1] == ' ' || line[bytes - 1] == '\t'))
		line[--bytes] = 0;
	rest = line + strcspn(line, " \t");
	if (*rest) {
		*rest++ = 0;
		rest += strspn(rest, " \t");
	}
	if (!strcmp(line, "/bye") || !strcmp(line, "/exit") || !strcmp(line, "/quit"))
		c->ended = true;
	else if (!strcmp(line, "/help") || !strcmp(line, "/?"))
		fputs(help, stderr);
	else if (!strcmp(line, "/clear"))
		return clear(c, error);
	else if (!strcmp(line, "/regen"))
		return regenerate(c, error);
	else if (!strcmp(line, "/edit"))
		return edit(c, error);
	else if (!strcmp(line, "/system"))
		return set_system(c, rest, error);
	else if (!strcmp(line, "/set"))
		return say_failure(set(c, rest, error), error);
	else if (!strcmp(line, "/show"))
		show(c);
	else if (!strcmp(line, "/think"))
		return think(c, rest);
	else if ((!strcmp(line, "/save") || !strcmp(line, "/load")) && !*rest)
		fprintf(stderr, "[%s FILE]\n", line);
	else if (!strcmp(line, "/save"))
		return save(c, rest, error);
	else if (!strcmp(line, "/load"))
		return load(c, rest, error);
	else if (!strcmp(line, "/stats"))
		run_print_speed(c->run, &c->last);
	else
		fprintf(stderr, "[%s is no command; /help lists them]\n", line);
	return MOTE_OK;
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
	status = command(c, line, error);
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
		fputc('\n', stderr);
		if (got == RUN_LINE_NO_MEMORY)
			status = mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a line");
		c->ended = got == RUN_LINE_END;
	}
	if (status == MOTE_OK && mote_console_interrupted())
		status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	return status;
}

enum mote_status run_chat(struct run *r, struct mote_error *error)
{
	struct chat c = {.run = r};
	enum mote_status status;

	if (!r->info.chat && !r->template_text)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "the model has no chat template to chat with; use -p");
	fputs("[/help lists what a chat understands, /bye ends; Ctrl-C stops an answer]\n", stderr);
	if ((status = run_line_open(commands, &c.reader, error)) == MOTE_OK && (status = clear(&c, error)) == MOTE_OK)
		status = read_lines(&c, error);
	run_line_close(c.reader);
	run_turn_free(&c.last);
	free(c.pending);
	cJSON_Delete(c.messages);
	return status;
}
