/* mote-run: answers a prompt, or chats. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "format/tool/console.h"
#include "runtime/run_arguments.h"
#include "runtime/generate/answer.h"
#include "runtime/chat/chat.h"

#define BATCH_ROWS 512u
#define MAX_PROMPT_BYTES ((size_t)64 << 20)

/* One prompt and what came of it. */
struct turn {
	struct mote_ids prompt;
	struct mote_answer answer;
	struct mote_logit *top;      /* [vocab] of the first step, or NULL */
	size_t prompt_computed;      /* tokens that the cache did not hold */
	double prompt_seconds, predict_seconds;
};

struct run {
	const struct mote_run_arguments *arguments;
	struct mote_model *model;
	struct mote_tokenizer *tokenizer;
	struct mote_session *session;
	struct mote_context *context;
	struct mote_sampler *sampler;
	double load_seconds;
	bool terminal;                  /* standard output is one */
	enum mote_reasoning_part shown; /* of what was printed last */
	bool printed;                   /* something of this answer */
	bool at_line_start;
};

/* ---- opening ---- */

/* What is not given comes from the model's generation settings, else from ours. */
static void resolve_sampler(struct mote_run_arguments *a, const cJSON *metadata)
{
	struct mote_sampler_options recommended = mote_sampler_recommended(mote_json_get(metadata, "generation"));
	struct mote_sampler_options *o = &a->sampler;

	o->temperature = o->temperature < 0 ? recommended.temperature : o->temperature;
	o->top_p = o->top_p < 0 ? recommended.top_p : o->top_p;
	o->min_p = o->min_p < 0 ? recommended.min_p : o->min_p;
	o->top_k = a->top_k < 0 ? recommended.top_k : (uint32_t)a->top_k;
	if (!a->seed_given && getrandom(&o->seed, sizeof o->seed, 0) == sizeof o->seed)
		o->seed >>= 32; /* short enough to be typed again */
}

static enum mote_status open_run(struct run *r, struct mote_run_arguments *a, struct mote_error *error)
{
	double started = mote_console_seconds();
	enum mote_status status;
	const void *section;
	size_t bytes;

	r->arguments = a;
	r->terminal = isatty(STDOUT_FILENO);
	a->session.batch_rows = BATCH_ROWS;
	if ((status = mote_model_open(a->model, a->mapped ? MOTE_WEIGHTS_MAPPED : MOTE_WEIGHTS_DEFAULT, &r->model, error)))
		return status;
	section = mote_container_section(r->model->container, MOTE_SECTION_TOKENIZER, &bytes);
	if (!section)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: the file has no tokenizer", a->model);
	resolve_sampler(a, mote_container_metadata(r->model->container));
	if ((status = mote_tokenizer_open(section, bytes, &r->tokenizer, error)) ||
	    (status = mote_session_open(r->model, &a->session, &r->session, error)) ||
	    (status = mote_context_open(r->session, 0, BATCH_ROWS, &r->context, error)) ||
	    (status = mote_sampler_open(&a->sampler, r->model->config.vocab, &r->sampler, error)))
		return status;
	r->load_seconds = mote_console_seconds() - started;
	return MOTE_OK;
}

static void close_run(struct run *r)
{
	mote_sampler_close(r->sampler);
	mote_context_close(r->context);
	mote_session_close(r->session);
	mote_tokenizer_close(r->tokenizer);
	mote_model_close(r->model);
}

/* ---- showing ---- */

/* A model's text cannot steer the terminal: control characters other than tab and newline are left out there,
 * those of U+0080 to U+009F too. Pieces of text are whole characters. */
static void print_text(const struct run *r, const char *text, size_t bytes)
{
	const unsigned char *c = (const unsigned char *)text;

	for (size_t i = 0; i < bytes; i++) {
		if (r->terminal && c[i] == 0xc2 && c[i + 1] < 0xa0)
			i++;
		else if (!r->terminal || (c[i] >= 0x20 && c[i] != 0x7f) || c[i] == '\n' || c[i] == '\t')
			putchar(c[i]);
	}
	fflush(stdout);
}

static void show(void *user, enum mote_reasoning_part part, const char *text, size_t bytes)
{
	struct run *r = user;

	if (r->arguments->json || (part == MOTE_PART_REASONING && r->arguments->hide_reasoning))
		return;
	if (part != r->shown) {
		bool reasoning = part == MOTE_PART_REASONING;

		if (r->printed)
			fputs(r->at_line_start ? "\n" : "\n\n", stdout);
		if (r->terminal)
			fputs(reasoning ? "\x1b[2m" : "\x1b[0m", stdout);
		else
			fputs(reasoning ? "[reasoning]\n" : "[answer]\n", stdout);
	}
	r->shown = part;
	r->printed = true;
	r->at_line_start = text[bytes - 1] == '\n';
	print_text(r, text, bytes);
}

static void show_end(struct run *r)
{
	if (r->arguments->json)
		return;
	if (r->terminal && r->shown == MOTE_PART_REASONING)
		fputs("\x1b[0m", stdout);
	putchar('\n');
	fflush(stdout);
}

static double rate(size_t tokens, double seconds)
{
	return seconds > 0 ? (double)tokens / seconds : 0;
}

/* Tokens/s of the answer. Its first token comes with the prompt; only those after it are decoded. */
static double decode_rate(const struct turn *turn)
{
	return turn->answer.ids.count ? rate(turn->answer.ids.count - 1, turn->predict_seconds) : 0;
}

static void print_speed(const struct run *r, const struct turn *turn)
{
	double decode = decode_rate(turn);

	fprintf(stderr, "\n[prompt %zu tokens, %.0f tokens/s; answer %zu tokens, %.*f tokens/s; load %.0f ms; seed %llu; %s]\n",
		turn->prompt.count, rate(turn->prompt_computed, turn->prompt_seconds), turn->answer.ids.count,
		decode < 1000 ? 1 : 0, decode, r->load_seconds * 1e3,
		(unsigned long long)r->arguments->sampler.seed, mote_finish_name(turn->answer.finish));
}

static enum mote_status print_json(const struct run *r, struct turn *turn, struct mote_error *error)
{
	cJSON *json = mote_answer_json(&turn->answer, &turn->prompt), *timings, *logits;
	enum mote_status status;

	cJSON_AddNumberToObject(json, "seed", (double)r->arguments->sampler.seed);
	timings = cJSON_AddObjectToObject(json, "timings");
	cJSON_AddNumberToObject(timings, "load_ms", r->load_seconds * 1e3);
	cJSON_AddNumberToObject(timings, "prompt_tokens", (double)turn->prompt.count);
	cJSON_AddNumberToObject(timings, "prompt_ms", turn->prompt_seconds * 1e3);
	cJSON_AddNumberToObject(timings, "prompt_tokens_per_second", rate(turn->prompt_computed, turn->prompt_seconds));
	cJSON_AddNumberToObject(timings, "predicted_tokens", (double)turn->answer.ids.count);
	cJSON_AddNumberToObject(timings, "predicted_ms", turn->predict_seconds * 1e3);
	cJSON_AddNumberToObject(timings, "predicted_tokens_per_second", decode_rate(turn));
	cJSON_AddNumberToObject(timings, "threads", mote_session_threads(r->session));
	cJSON_AddStringToObject(timings, "isa", mote_session_isa(r->session));
	if (r->arguments->logits) {
		logits = cJSON_AddArrayToObject(json, "logits");
		for (uint32_t i = 0; i < r->arguments->logits && i < r->model->config.vocab; i++) {
			cJSON *item = cJSON_CreateObject();

			cJSON_AddNumberToObject(item, "id", turn->top[i].id);
			cJSON_AddNumberToObject(item, "logit", (double)turn->top[i].logit);
			cJSON_AddItemToArray(logits, item);
		}
	}
	status = mote_console_print_json(json, error);
	cJSON_Delete(json);
	return status;
}

/* ---- answering ---- */

static bool proceed(void)
{
	return !mote_console_interrupted();
}

/* Answers the ids in turn->prompt. */
static enum mote_status answer_turn(struct run *r, struct turn *turn, bool continues_text, struct mote_error *error)
{
	double started = mote_console_seconds();
	struct mote_answer_job job = {.config = &r->model->config, .tokenizer = r->tokenizer, .sampler = r->sampler,
				      .context = r->context, .prompt = &turn->prompt, .most_tokens = r->arguments->predict,
				      .continues_text = continues_text, .proceed = proceed, .show = show, .user = r};
	enum mote_status status;

	r->shown = MOTE_PART_ANSWER;
	r->printed = false;
	if ((status = mote_context_set(r->context, turn->prompt.id, turn->prompt.count, proceed, &job.logits,
				       &turn->prompt_computed, error)))
		return status;
	turn->prompt_seconds = mote_console_seconds() - started;
	if (r->arguments->logits && !(turn->top = mote_sampler_sorted(job.logits, r->model->config.vocab)))
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for %u logits", r->model->config.vocab);
	started = mote_console_seconds();
	status = mote_answer_generate(&job, &turn->answer, error);
	turn->predict_seconds = mote_console_seconds() - started;
	show_end(r);
	return status ? status : mote_console_flush(error);
}

static void free_turn(struct turn *turn)
{
	mote_ids_free(&turn->prompt);
	mote_answer_free(&turn->answer);
	free(turn->top);
	*turn = (struct turn){0};
}

static bool add_message(cJSON *messages, const char *role, const char *content)
{
	cJSON *message = cJSON_CreateObject();

	return message && cJSON_AddStringToObject(message, "role", role) &&
	       cJSON_AddStringToObject(message, "content", content) && cJSON_AddItemToArray(messages, message);
}

static enum mote_status encode_chat(const struct run *r, const cJSON *messages, struct mote_ids *ids,
				    struct mote_error *error)
{
	return mote_chat_encode(mote_container_metadata(r->model->container),
				&(struct mote_chat_request){.messages = messages, .now = (int64_t)time(NULL)}, r->tokenizer,
				ids, error);
}

/* One prompt, one answer. */
static enum mote_status run_prompt(struct run *r, const char *prompt, size_t bytes, struct mote_error *error)
{
	const struct mote_run_arguments *a = r->arguments;
	bool chat = !a->raw && mote_chat_has_template(mote_container_metadata(r->model->container));
	cJSON *messages = cJSON_CreateArray();
	enum mote_status status = MOTE_OK;
	struct turn turn = {0};

	if (!a->raw && !chat) {
		fprintf(stderr, MOTE_RUN ": the model has no chat template: continuing the prompt as it is (--raw)\n");
		if (a->system)
			status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "-s: the model has no chat template");
	}
	if (status == MOTE_OK && chat) {
		if ((a->system && !add_message(messages, "system", a->system)) || !add_message(messages, "user", prompt))
			status = mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the messages");
		else
			status = encode_chat(r, messages, &turn.prompt, error);
	} else if (status == MOTE_OK) {
		status = mote_tokenizer_encode(r->tokenizer, prompt, bytes, MOTE_ENCODE_ADD_SPECIAL, &turn.prompt, error);
	}
	if (status == MOTE_OK)
		status = answer_turn(r, &turn, !chat, error);
	if (status == MOTE_OK) {
		if (a->json)
			status = print_json(r, &turn, error);
		print_speed(r, &turn);
	}
	if (status == MOTE_OK && turn.answer.finish == MOTE_FINISH_INTERRUPTED)
		status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	free_turn(&turn);
	cJSON_Delete(messages);
	return status;
}

/* Messages of a new conversation; NULL when out of memory. */
static cJSON *new_chat(const struct run *r)
{
	cJSON *messages = cJSON_CreateArray();

	if (!messages || !r->arguments->system || add_message(messages, "system", r->arguments->system))
		return messages;
	cJSON_Delete(messages);
	return NULL;
}

/* The answer to the last of the messages joins them; one that cannot be answered, because it fills the context or was
 * interrupted before its answer began, leaves them. */
static enum mote_status chat_turn(struct run *r, cJSON *messages, struct mote_error *error)
{
	uint32_t context = mote_session_context(r->session);
	struct turn turn = {0};
	bool kept = false;
	enum mote_status status = encode_chat(r, messages, &turn.prompt, error);

	if (status == MOTE_OK && turn.prompt.count > context) {
		fprintf(stderr, "[%zu tokens do not fit into the context of %u; /clear begins a new conversation]\n",
			turn.prompt.count, context);
	} else if (status == MOTE_OK && (status = answer_turn(r, &turn, false, error)) == MOTE_OK) {
		print_speed(r, &turn);
		kept = add_message(messages, "assistant", turn.answer.text ? turn.answer.text : "");
		if (!kept)
			status = mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the messages");
	} else if (status == MOTE_ERROR_INTERRUPTED && mote_console_resume()) {
		*error = (struct mote_error){0};
		status = MOTE_OK;
	}
	if (!kept)
		cJSON_DeleteItemFromArray(messages, cJSON_GetArraySize(messages) - 1);
	if (turn.answer.finish == MOTE_FINISH_INTERRUPTED)
		mote_console_resume();
	free_turn(&turn);
	return status;
}

/* Lines from the terminal until its end; the model sees all turns, but of its own answers not the reasoning. */
static enum mote_status run_chat(struct run *r, struct mote_error *error)
{
	cJSON *messages = new_chat(r);
	enum mote_status status = MOTE_OK;
	char *line = NULL;
	size_t room = 0;
	ssize_t bytes;

	if (!mote_chat_has_template(mote_container_metadata(r->model->container)))
		status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "the model has no chat template to chat with; use -p");
	else
		fputs("[/clear begins a new conversation, /exit ends; Ctrl-C stops an answer]\n", stderr);
	while (status == MOTE_OK && messages && !mote_console_interrupted()) {
		fputs("> ", stderr);
		if ((bytes = getline(&line, &room, stdin)) < 0) {
			fputc('\n', stderr);
			break;
		}
		line[bytes - (bytes > 0 && line[bytes - 1] == '\n')] = 0;
		if (!strcmp(line, "/exit") || !strcmp(line, "/bye") || !strcmp(line, "/quit"))
			break;
		if (!strcmp(line, "/clear")) {
			cJSON_Delete(messages);
			messages = new_chat(r);
		} else if (*line) {
			status = add_message(messages, "user", line)
				? chat_turn(r, messages, error)
				: mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the messages");
		}
	}
	if (!messages)
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the messages");
	else if (status == MOTE_OK && mote_console_interrupted())
		status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	free(line);
	cJSON_Delete(messages);
	return status;
}

static enum mote_status run(struct run *r, struct mote_run_arguments *a, struct mote_error *error)
{
	enum mote_status status;
	char *text = NULL;
	size_t bytes = 0;

	if (!a->prompt && (a->file || !isatty(STDIN_FILENO))) {
		if ((status = mote_console_read_file(a->file ? a->file : "-", MAX_PROMPT_BYTES, &text, &bytes, error)))
			return status;
		if (!a->raw && strlen(text) != bytes) {
			free(text);
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "the prompt holds a NUL byte");
		}
	}
	if ((status = open_run(r, a, error)) == MOTE_OK) {
		if (a->prompt || text)
			status = run_prompt(r, text ? text : a->prompt, text ? bytes : strlen(a->prompt), error);
		else if (a->json || a->raw)
			status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "a prompt is needed (-p or -f)");
		else
			status = run_chat(r, error);
	}
	free(text);
	return status;
}

int main(int argc, char **argv)
{
	struct mote_error error = {0};
	struct mote_run_arguments arguments;
	struct run r = {0};
	enum mote_status status = mote_run_parse_arguments(argc, argv, &arguments, &error);

	if (status == MOTE_OK && arguments.model) {
		mote_console_catch_signals();
		status = run(&r, &arguments, &error);
		close_run(&r);
	}
	if (status && !error.code) /* getopt has said what is wrong */
		return mote_status_exit_code(status);
	return status ? mote_console_fail(MOTE_RUN, &error) : 0;
}
