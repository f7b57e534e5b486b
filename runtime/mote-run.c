/* mote-run: answers a prompt, or chats. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/clock.h"
#include "format/tool/sandbox.h"
#include "format/utf8.h"
#include "runtime/run.h"

#define MAX_PROMPT_BYTES ((size_t)64 << 20)

static int proceed(void *user)
{
	(void)user;
	return !mote_console_interrupted();
}

enum mote_status run_add_message(cJSON *messages, const char *role, const char *content, struct mote_error *error)
{
	struct mote_json_builder b = {0};
	cJSON *message = mote_json_new_object(&b);

	mote_json_add_text(&b, message, "role", role);
	mote_json_add_text(&b, message, "content", content);
	if (b.failed)
		cJSON_Delete(message);
	else
		mote_json_add_item(&b, messages, NULL, message);
	return b.failed ? mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the messages") : MOTE_OK;
}

enum mote_status run_seal(const struct run *r, struct mote_error *error)
{
	return r->arguments->sandbox ? mote_sandbox_seal(error) : MOTE_OK;
}

enum mote_status run_make_variables(struct run *r, struct mote_error *error)
{
	static const char *const switches[] = {"enable_thinking", "thinking"}; /* Qwen's and most others', Granite's */
	const char *given = r->arguments->variables;
	enum mote_status status = MOTE_OK;
	struct mote_json_builder b = {0};
	cJSON *object = NULL;
	size_t bytes;

	free(r->variables);
	r->variables = NULL;
	if (!given && r->arguments->think != RUN_THINK_OFF)
		return MOTE_OK;
	if (!given)
		object = mote_json_new_object(&b);
	else if ((status = mote_json_parse(given, strlen(given), "--chat-template-kwargs", &object, error)))
		return status;
	if (object && !cJSON_IsObject(object))
		status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "--chat-template-kwargs: expected an object");
	for (int i = 0; i < 2 && status == MOTE_OK && r->arguments->think == RUN_THINK_OFF; i++)
		if (!mote_json_get(object, switches[i]))
			mote_json_add_bool(&b, object, switches[i], false);
	if (status == MOTE_OK && (b.failed || !(r->variables = mote_json_print(object, &bytes))))
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the template's variables");
	cJSON_Delete(object);
	return status;
}

/* The output of --save-session is opened first, so that one that cannot be is said before the work. */
static enum mote_status open_save(struct run *r, struct mote_error *error)
{
	const struct run_arguments *a = r->arguments;
	const char *inputs[] = {a->model, a->file, a->messages, a->template_file, a->schema, a->grammar};
	enum mote_status status = MOTE_OK;

	for (size_t i = 0; i < sizeof inputs / sizeof *inputs && status == MOTE_OK; i++)
		status = mote_output_refuse_input(a->save, inputs[i], error);
	return status ? status : mote_output_open(a->save, a->force, &r->save, error);
}

/* --json-schema or --grammar */
static enum mote_status open_grammar(struct run *r, struct mote_error *error)
{
	struct mote_lm_grammar_options o = MOTE_LM_GRAMMAR_OPTIONS_INIT;
	const char *path = r->arguments->schema ? r->arguments->schema : r->arguments->grammar;
	struct mote_lm_error failed = {0};
	enum mote_status status;
	char *text = NULL;

	if (!path)
		return MOTE_OK;
	if ((status = mote_console_read_file(path, MAX_PROMPT_BYTES, &text, &o.bytes, error)))
		return status;
	o.kind = r->arguments->schema ? MOTE_LM_GRAMMAR_JSON_SCHEMA : MOTE_LM_GRAMMAR_GBNF;
	o.text = text;
	o.name = path;
	if (mote_lm_grammar_open(r->lm, &o, &r->grammar, &failed))
		status = run_fail(&failed, error);
	free(text);
	return status;
}

static enum mote_status open_run(struct run *r, struct run_arguments *a, struct mote_error *error)
{
	struct mote_lm_options model = MOTE_LM_OPTIONS_INIT;
	struct mote_lm_session_options session = MOTE_LM_SESSION_OPTIONS_INIT;
	struct mote_lm_error failed = {0};
	double started = mote_clock_seconds();
	enum mote_status status;
	size_t bytes;

	r->arguments = a;
	if (a->save && (status = open_save(r, error)))
		return status;
	r->terminal = isatty(STDOUT_FILENO);
	r->styled = r->terminal && mote_console_styles();
	model.mapped = a->mapped;
	if (mote_lm_open(a->model, &model, &r->lm, &failed)) {
		status = run_fail(&failed, error);
		mote_console_hint_model(a->model, error);
		return status;
	}
	mote_lm_describe(r->lm, &r->info);
	if ((status = open_grammar(r, error)) || (status = run_resolve(r, error)) ||
	    (status = run_make_variables(r, error)) ||
	    (a->template_file && (status = mote_console_read_file(a->template_file, MAX_PROMPT_BYTES, &r->template_text,
								  &bytes, error))))
		return status;
	session.context_tokens = a->context;
	session.threads = a->threads;
	session.kv_keys = a->kv_keys;
	session.kv_values = a->kv_values;
	session.proceed = proceed;
	session.check = a->check;
	session.no_lookup = !a->lookup;
	if (mote_lm_session_open(r->lm, &session, &r->session, &failed))
		return run_fail(&failed, error);
	if (a->load && (status = run_session_load(r, a->load, &r->loaded, error)))
		return status;
	r->load_seconds = mote_clock_seconds() - started;
	return MOTE_OK;
}

static void close_run(struct run *r)
{
	mote_output_discard(r->save);
	cJSON_Delete(r->loaded);
	mote_lm_session_close(r->session);
	mote_lm_grammar_close(r->grammar);
	mote_lm_close(r->lm);
	free(r->template_text);
	free(r->variables);
}

/* ---- one prompt ---- */

static enum mote_status answer(struct run *r, struct run_turn *turn, bool continues_text, struct mote_error *error)
{
	enum mote_status status = run_answer(r, turn, continues_text, false, error);

	if (status == MOTE_OK && r->arguments->json)
		status = run_print_json(r, turn, error);
	if (status == MOTE_OK)
		run_print_end(r, turn);
	if (status == MOTE_OK && turn->finish == MOTE_LM_FINISH_CANCELLED)
		status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	return status;
}

/* What is said first: a loaded session's conversation, or nothing but the system message. NULL with an error. */
static cJSON *first_messages(struct run *r, struct mote_error *error)
{
	cJSON *messages = r->loaded ? cJSON_DetachItemFromObjectCaseSensitive(r->loaded,
									      "messages") : cJSON_CreateArray();

	if (!messages && r->loaded)
		(void)mote_error_set(error, MOTE_ERROR_ARGUMENT, "the session is of a text: go on with --raw");
	else if (!messages)
		(void)mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the messages");
	else if (!r->loaded && r->arguments->system &&
		 run_add_message(messages, "system", r->arguments->system, error)) {
		cJSON_Delete(messages);
		return NULL;
	}
	return messages;
}

/* Messages answered; the answer joins them. */
static enum mote_status answer_messages(struct run *r, cJSON *messages, const cJSON *tools, struct mote_error *error)
{
	struct mote_output *save = r->save;
	struct run_turn turn = {0};
	enum mote_status status;

	if ((status = run_encode(r, messages, tools, true, &turn, error)) == MOTE_OK &&
	    (status = answer(r, &turn, false, error)) == MOTE_OK && save &&
	    (status = run_add_message(messages, "assistant", turn.text ? turn.text : "", error)) == MOTE_OK) {
		r->save = NULL;
		status = run_session_save(r, messages, tools, NULL, save, error);
	}
	run_turn_free(&turn);
	return status;
}

/* The loaded text, the prompt and, behind it, the answer: owned by the caller. */
static enum mote_status join_text(const struct run *r, const char *prompt, size_t bytes, char **text,
				  struct mote_error *error)
{
	const cJSON *before = mote_json_get(r->loaded, "text");
	size_t first = before ? strlen(before->valuestring) : 0;

	if (r->loaded && !before)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "the session is of a conversation, not of a text (--raw)");
	if (strlen(prompt) != bytes || mote_utf8_valid(prompt, bytes) != bytes)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "a session's text must be UTF-8 without NUL");
	*text = malloc(first + bytes + 1);
	if (!*text)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the prompt");
	if (first)
		memcpy(*text, before->valuestring, first);
	memcpy(*text + first, prompt, bytes + 1);
	return MOTE_OK;
}

static enum mote_status save_text(struct run *r, const char *text, const struct run_turn *turn,
				  struct mote_error *error)
{
	struct mote_output *save = r->save;
	enum mote_status status;
	char *whole, *answer;

	if (!save)
		return MOTE_OK;
	if ((status = run_session_text(r, turn, &answer, error)))
		return status;
	if (asprintf(&whole, "%s%s", text, answer) < 0)
		whole = NULL;
	free(answer);
	if (!whole)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the text");
	r->save = NULL;
	status = run_session_save(r, NULL, NULL, whole, save, error);
	free(whole);
	return status;
}

/* A prompt that is continued as it is. */
static enum mote_status run_text(struct run *r, const char *prompt, size_t bytes, struct mote_error *error)
{
	bool session = r->loaded || r->save;
	enum mote_status status = MOTE_OK;
	struct run_turn turn = {0};
	char *text = NULL;

	if (session)
		status = join_text(r, prompt, bytes, &text, error);
	if (status == MOTE_OK)
		status = run_encode_raw(r, text ? text : prompt, text ? strlen(text) : bytes, &turn, error);
	if (status == MOTE_OK && (status = answer(r, &turn, true, error)) == MOTE_OK && session)
		status = save_text(r, text, &turn, error);
	run_turn_free(&turn);
	free(text);
	return status;
}

static enum mote_status run_prompt(struct run *r, const char *prompt, size_t bytes, struct mote_error *error)
{
	const struct run_arguments *a = r->arguments;
	enum mote_status status = run_seal(r, error);
	cJSON *messages;

	if (status)
		return status;
	if (a->raw)
		return run_text(r, prompt, bytes, error);
	if (!r->info.chat && !r->template_text) {
		if (a->system)
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "-s: the model has no chat template");
		fprintf(stderr, MOTE_RUN ": the model has no chat template: continuing the prompt as it is (--raw)\n");
		return run_text(r, prompt, bytes, error);
	}
	messages = first_messages(r, error);
	if (!messages)
		return error->code;
	status = run_add_message(messages, "user", prompt, error);
	if (status == MOTE_OK)
		status = answer_messages(r, messages, mote_json_get(r->loaded, "tools"), error);
	cJSON_Delete(messages);
	return status;
}

/* --messages: an array of messages, or an object that has one. */
static enum mote_status run_messages(struct run *r, struct mote_error *error)
{
	const char *path = r->arguments->messages;
	const cJSON *tools = NULL;
	enum mote_status status;
	cJSON *tree = NULL, *messages;
	char *text = NULL;
	size_t bytes;

	if ((status = mote_console_read_file(path, MAX_PROMPT_BYTES, &text, &bytes, error)) == MOTE_OK &&
	    (status = run_seal(r, error)) == MOTE_OK)
		status = mote_json_parse(text, bytes, path, &tree, error);
	free(text);
	messages = cJSON_IsObject(tree) ? cJSON_GetObjectItemCaseSensitive(tree, "messages") : tree;
	if (cJSON_IsObject(tree))
		tools = mote_json_get(tree, "tools");
	if (status == MOTE_OK && !cJSON_IsArray(messages))
		status = mote_error_set(error, MOTE_ERROR_CORRUPT,
					"%s: expected an array of messages, or an object with one",
					path);
	else if (status == MOTE_OK && tools && !cJSON_IsArray(tools))
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: tools: expected an array", path);
	if (status == MOTE_OK)
		status = answer_messages(r, messages, tools, error);
	cJSON_Delete(tree);
	return status;
}

/* Whoever pipes something in expects it to be read: with a prompt it is not, which is said when there is something. */
static void say_what_is_not_read(void)
{
	struct stat st;
	off_t at = lseek(STDIN_FILENO, 0, SEEK_CUR);
	int waiting = 0;

	if (fstat(STDIN_FILENO, &st) || !(S_ISREG(st.st_mode) ? st.st_size > at
				: S_ISFIFO(st.st_mode) && !ioctl(STDIN_FILENO, FIONREAD, &waiting) && waiting > 0))
		return;
	fprintf(stderr, MOTE_RUN ": standard input was not read, because the prompt was given\n");
}

static enum mote_status read_prompt(const struct run_arguments *a, char **text, size_t *bytes, struct mote_error *error)
{
	enum mote_status status = mote_console_read_file(a->file ? a->file : "-", MAX_PROMPT_BYTES, text, bytes, error);

	if (status)
		return status;
	if (*bytes > 0 && (*text)[*bytes - 1] == '\n') /* the editor's, as llama.cpp takes it */
		(*text)[--*bytes] = 0;
	if (!a->raw && strlen(*text) != *bytes)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "the prompt holds a NUL byte");
	return MOTE_OK;
}

static enum mote_status run(struct run *r, struct run_arguments *a, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;
	char *text = NULL;
	size_t bytes = 0;

	if (a->sandbox && (status = mote_sandbox_begin(error)))
		return status;
	if (!a->prompt && !a->messages && (a->file || !isatty(STDIN_FILENO)))
		status = read_prompt(a, &text, &bytes, error);
	if (status == MOTE_OK && (status = open_run(r, a, error)) == MOTE_OK) {
		if (a->messages)
			status = run_messages(r, error);
		else if (a->prompt || text)
			status = run_prompt(r, text ? text : a->prompt, text ? bytes : strlen(a->prompt), error);
		else if (a->json || a->raw)
			status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "a prompt is needed (-p or -f)");
		else
			status = run_chat(r, error);
		if (a->prompt)
			say_what_is_not_read();
	}
	free(text);
	return status;
}

int main(int argc, char **argv)
{
	struct mote_error error = {0};
	struct run_arguments arguments;
	struct run r = {0};
	int code = run_parse_arguments(argc, argv, &arguments);
	enum mote_status status;

	if (code >= 0)
		return code;
	mote_console_catch_signals();
	status = run(&r, &arguments, &error);
	close_run(&r);
	mote_console_hint_force(arguments.force, &error);
	return status ? mote_console_fail(MOTE_RUN, &error) : 0;
}
