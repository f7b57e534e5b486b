/* The commands of a chat. */
#include <stdlib.h>
#include <string.h>

#include "format/output.h"
#include "runtime/run_chat.h"

#define MAX_CONVERSATION_BYTES ((size_t)64 << 20)

const char *const run_chat_commands[] = {
	"/help", "/clear", "/regen", "/edit", "/system", "/set", "/show", "/save", "/load", "/stats", "/think", "/bye",
		"/exit",
	"/quit", NULL};

static const char help[] =
"[/clear             begin a new conversation; the system message stays\n"
" /regen             answer the last message again\n"
" /edit              change the last message and send it again\n"
" /system TEXT       set the system message, or take it away without TEXT\n"
" /set OPTION VALUE  set an option of generation: /set temp 0.8\n"
" /show              the model, the settings and the system message\n"
" /think HOW         show, hide, only or off\n"
" /save FILE, /load FILE   the conversation as JSON; FILE.session keeps what was\n"
"                    computed of it, too\n"
" /stats             of the last answer\n"
" /bye               end; so do /exit, /quit and Ctrl-D\n"
" A line that ends in \\ goes on in the next; so does all between \"\"\" and \"\"\". Ctrl-C stops an answer.]\n";

static bool has_answer(const struct chat *c)
{
	if (run_chat_count(c) && run_chat_has_role(run_chat_message(c, run_chat_count(c) - 1), "assistant"))
		return true;
	fputs("[there is no answer yet]\n", stderr);
	return false;
}

static enum mote_status regenerate(struct chat *c, struct mote_error *error)
{
	enum mote_status status;
	bool answered;
	cJSON *answer;

	if (!has_answer(c))
		return MOTE_OK;
	answer = cJSON_DetachItemFromArray(c->messages, run_chat_count(c) - 1);
	c->run->sampling.seed = ++c->run->arguments->seed.value; /* the same seed would give the same answer */
	status = run_chat_take_turn(c, "the answer stays as it is", &answered, error);
	if (answered || !cJSON_AddItemToArray(c->messages, answer))
		cJSON_Delete(answer);
	return status;
}

static enum mote_status edit(struct chat *c, struct mote_error *error)
{
	const cJSON *message = run_chat_message(c, run_chat_count(c) - 2);

	if (!has_answer(c))
		return MOTE_OK;
	if (!run_line_edits(c->reader) || !run_chat_has_role(message, "user") ||
	    !cJSON_IsString(mote_json_get(message, "content"))) {
		fputs(run_line_edits(c->reader) ? "[the message before the answer is no text of yours]\n"
						: "[lines cannot be edited on this terminal]\n", stderr);
		return MOTE_OK;
	}
	free(c->pending);
	c->pending = strdup(run_chat_content(message));
	if (!c->pending)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the message");
	run_chat_drop_last(c);
	run_chat_drop_last(c);
	return MOTE_OK;
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

static enum mote_status think(struct chat *c, const char *how, struct mote_error *error)
{
	static const char *const names[] = {"show", "hide", "only", "off"};

	for (int i = 0; i < 4; i++)
		if (!strcmp(how, names[i])) {
			c->run->arguments->think = (enum run_think)i;
			return run_make_variables(c->run, error);
		}
	fputs("[/think show, hide, only or off]\n", stderr);
	return MOTE_OK;
}

/* As it is typed: -1 where there is no limit. */
static long typed(uint32_t limit)
{
	return limit ? (long)limit : -1;
}

static void show(const struct chat *c)
{
	const struct mote_lm_sampling *s = &c->run->sampling;
	const struct mote_lm_info *m = &c->run->info;

	fprintf(stderr, "[%s: %.1f M parameters, %.2f bits a weight, %.1f MB, up to %u tokens\n",
		c->run->arguments->model,
		(double)m->parameters * 1e-6, m->bits_per_weight, (double)m->file_bytes * 1e-6, m->max_tokens);
	fprintf(stderr, " temp %g, top-k %u, top-p %g, min-p %g, typical %g, repeat-penalty %g, presence-penalty %g, "
		"frequency-penalty %g, repeat-last-n %ld, dry-multiplier %g, predict %ld, think-budget %ld, "
		"seed %llu\n",
		(double)s->temperature, s->top_k, (double)s->top_p, (double)s->min_p, (double)s->typical_p,
		(double)s->repeat_penalty, (double)s->presence_penalty, (double)s->frequency_penalty,
		typed(s->repeat_last), (double)s->dry_multiplier, typed(c->run->answer.max_tokens),
		typed(c->run->answer.think_budget),
		(unsigned long long)s->seed);
	fprintf(stderr, " %d messages; system: ", run_chat_count(c));
	if (run_chat_count(c) && run_chat_has_role(run_chat_message(c, 0), "system")) {
		const char *text = run_chat_content(run_chat_message(c, 0));

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

static bool names_session(const char *path)
{
	static const char end[] = ".session";
	size_t bytes = strlen(path);

	return bytes >= sizeof end && !strcmp(path + bytes - (sizeof end - 1), end);
}

static enum mote_status save_session(struct chat *c, const char *path, struct mote_error *error)
{
	struct mote_output *out = NULL;
	enum mote_status status = mote_output_open(path, c->run->arguments->force, &out, error);

	if (status == MOTE_OK)
		status = run_session_save(c->run, c->messages, mote_json_get(c->run->loaded, "tools"), NULL, out,
					  error);
	return say_failure(status, error);
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

/* The conversation of a session takes the place of the one before. */
static enum mote_status load_session(struct chat *c, const char *path, struct mote_error *error)
{
	cJSON *session = NULL, *messages;
	enum mote_status status = run_session_load(c->run, path, &session, error);

	if (status)
		return say_failure(status, error);
	messages = cJSON_DetachItemFromObjectCaseSensitive(session, "messages");
	if (messages) {
		cJSON_Delete(c->messages);
		c->messages = messages;
		cJSON_Delete(c->run->loaded);
		c->run->loaded = session;
		fprintf(stderr, "[%d messages]\n", run_chat_count(c));
		return MOTE_OK;
	}
	cJSON_Delete(session);
	fprintf(stderr, "[%s: a session of a text, not of a conversation]\n", path);
	return MOTE_OK;
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
		fprintf(stderr, "[%d messages]\n", run_chat_count(c));
	} else {
		cJSON_Delete(messages);
	}
	return say_failure(status, error);
}

enum mote_status run_chat_command(struct chat *c, char *line, struct mote_error *error)
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
		run_chat_clear(c);
	else if (!strcmp(line, "/regen"))
		return regenerate(c, error);
	else if (!strcmp(line, "/edit"))
		return edit(c, error);
	else if (!strcmp(line, "/system"))
		return run_chat_set_system(c, rest, error);
	else if (!strcmp(line, "/set"))
		return say_failure(set(c, rest, error), error);
	else if (!strcmp(line, "/show"))
		show(c);
	else if (!strcmp(line, "/think"))
		return think(c, rest, error);
	else if ((!strcmp(line, "/save") || !strcmp(line, "/load")) && !*rest)
		fprintf(stderr, "[%s FILE]\n", line);
	else if (!strcmp(line, "/save"))
		return names_session(rest) ? save_session(c, rest, error) : save(c, rest, error);
	else if (!strcmp(line, "/load"))
		return run_session_is(rest) ? load_session(c, rest, error) : load(c, rest, error);
	else if (!strcmp(line, "/stats") && c->last.tokens)
		run_print_speed(c->run, &c->last);
	else if (!strcmp(line, "/stats"))
		fputs("[there is no answer yet]\n", stderr);
	else
		fprintf(stderr, "[%s is no command; /help lists them]\n", line);
	return MOTE_OK;
}
