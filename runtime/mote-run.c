/* mote-run: answers a prompt, or chats. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "format/tool/console.h"
#include "format/tool/options.h"
#include "runtime/chat/chat.h"
#include "runtime/generate/answer.h"
#include "runtime/generate/logit_row.h"
#include "runtime/run_line.h"

#define MOTE_RUN "mote-run"
#define BATCH_ROWS 512u
#define MAX_PROMPT_BYTES ((size_t)64 << 20)
#define TOP_K_NOT_GIVEN UINT32_MAX
#define PREDICT_NOT_GIVEN UINT32_MAX /* nobody wants exactly so many */
#define MAX_STOPS 64

/* ---- command line ---- */

static const char about[] =
"Usage: mote-run [OPTION]... MODEL.mote [-p PROMPT]\n"
"\n"
"Answers a prompt with a model, or chats with it when no prompt is given and standard\n"
"input is a terminal (/clear begins a new conversation, /exit or Ctrl-D ends, Ctrl-C stops\n"
"an answer or drops a line); from a pipe, the prompt is read to its end. The prompt becomes the\n"
"user's message in the model's own chat template. The answer is written to standard output\n"
"as it comes; what the model says between <think> and </think> is shown apart, dim on a\n"
"terminal and under a heading otherwise. A line with the speed goes to standard error.\n";

/* Texts of an option that may be given several times, borrowed. */
struct texts {
	const char *text[MAX_STOPS];
	size_t count;
};

struct run_arguments {
	const char *model, *prompt, *file, *system;
	bool raw, json, hide_reasoning, mapped;
	uint32_t predict; /* 0: no limit */
	uint32_t logits, top_k;
	struct texts stop, stop_token;
	bool ignore_eos;
	uint32_t think_tokens;
	struct mote_option_seed seed;
	struct mote_session_options session;
	struct mote_sampler_options sampler; /* temperature etc. < 0: not given */
};

static enum mote_status take_kv_type(void *at, const char *text, struct mote_error *error)
{
	(void)error;
	return mote_kv_type_from_name(text, at) ? MOTE_OK : MOTE_ERROR_ARGUMENT;
}

static enum mote_status take_text(void *at, const char *text, struct mote_error *error)
{
	struct texts *t = at;

	if (t->count == MAX_STOPS)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "given more than %d times", MAX_STOPS);
	if (!*text)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "expected a text");
	t->text[t->count++] = text;
	return MOTE_OK;
}

#define AT(field) .at = offsetof(struct run_arguments, field)

static const struct mote_option options[] = {
	{MOTE_OPTION_HEADING, .help = "Prompt"},
	{MOTE_OPTION_TEXT, "m", "model", "FILE", "the model (-m may be left out)", AT(model)},
	{MOTE_OPTION_OPERAND, .argument = "MODEL.mote", AT(model)},
	{MOTE_OPTION_TEXT, "p", "prompt", "TEXT", "the prompt; standard input is not read then", AT(prompt)},
	{MOTE_OPTION_TEXT, "f", "file", "FILE", "read the prompt from a file (- for standard input); one newline at its end is "
	 "not part of it", AT(file)},
	{MOTE_OPTION_TEXT, "s", "system sys system-prompt", "TEXT", "a system message before it", AT(system)},
	{MOTE_OPTION_FLAG, NULL, "raw", NULL, "take the prompt as it is, without a template: text to be continued", AT(raw)},
	{MOTE_OPTION_FLAG, NULL, "hide-reasoning", NULL, "do not show what is said between <think> and </think>",
	 AT(hide_reasoning)},

	{MOTE_OPTION_HEADING, .help = "Generation; the model's own settings are the defaults, else temperature 0.6, top-p 0.95"},
	{MOTE_OPTION_COUNT, "n", "predict n-predict", "N", "at most N tokens (default, and -1: until the model ends or the "
	 "context is full)", AT(predict), 1, UINT32_MAX, .minus_one = true},
	{MOTE_OPTION_TAKE, NULL, "stop reverse-prompt", "TEXT", "end the answer before this text; may be given several times",
	 AT(stop), .take = take_text},
	{MOTE_OPTION_TAKE, NULL, "stop-id", "TOKEN", "end the answer with this token, an id or the token's text; may be given "
	 "several times", AT(stop_token), .take = take_text},
	{MOTE_OPTION_FLAG, NULL, "ignore-eos", NULL, "never let the model end its answer", AT(ignore_eos)},
	{MOTE_OPTION_COUNT, NULL, "reasoning-budget", "N", "close the reasoning after N tokens", AT(think_tokens), 1,
	 UINT32_MAX},
	{MOTE_OPTION_COUNT, "c", "ctx-size context", "N", "context in tokens, prompt and answer together (default: the model's)",
	 AT(session.context_tokens), 1, UINT32_MAX},
	{MOTE_OPTION_FLOAT, NULL, "temp temperature", "T", "temperature; 0 always takes the most probable token",
	 AT(sampler.temperature), 0, 100},
	{MOTE_OPTION_COUNT, NULL, "top-k", "K", "sample from the K most probable tokens (0: all)", AT(top_k), 0,
	 TOP_K_NOT_GIVEN - 1},
	{MOTE_OPTION_FLOAT, NULL, "top-p", "P", "sample from the fewest tokens whose probabilities reach P (1: all)",
	 AT(sampler.top_p), 0, 1},
	{MOTE_OPTION_FLOAT, NULL, "min-p", "P", "leave out tokens less than P times as probable as the first (0: none)",
	 AT(sampler.min_p), 0, 1},
	{MOTE_OPTION_FLOAT, NULL, "typical typical-p", "P", "sample from the fewest tokens of usual surprise that reach P (1: all)",
	 AT(sampler.typical_p), 0, 1},
	{MOTE_OPTION_FLOAT, NULL, "repeat-penalty repetition-penalty", "X", "divide the logits of tokens that occurred by X "
	 "(1: none)", AT(sampler.penalties.repetition), 0.01, 100},
	{MOTE_OPTION_FLOAT, NULL, "presence-penalty", "X", "take X off the logits of tokens that occurred",
	 AT(sampler.penalties.presence), -100, 100},
	{MOTE_OPTION_FLOAT, NULL, "frequency-penalty", "X", "and X for each time that they did",
	 AT(sampler.penalties.frequency), -100, 100},
	{MOTE_OPTION_COUNT, NULL, "repeat-last-n", "N", "penalties look at the last N tokens (default: at all)",
	 AT(sampler.penalties.window), 1, UINT32_MAX},
	{MOTE_OPTION_SEED, NULL, "seed", "N", "same seed, same answer, on every machine; up to 2^53 (default, and -1: a random "
	 "one)", AT(seed)},

	{MOTE_OPTION_HEADING, .help = "Machine"},
	{MOTE_OPTION_COUNT, "t", "threads", "N", "threads, 1 to 256 (default: the physical cores)", AT(session.threads), 1,
	 MOTE_OPTION_MAX_THREADS},
	{MOTE_OPTION_TAKE, "ctk", "cache-type-k", "TYPE", "type of the cached keys: f16 (default), q8 or f32", AT(session.kv_k),
	 .choices = "f16 q8 f32", .take = take_kv_type},
	{MOTE_OPTION_TAKE, "ctv", "cache-type-v", "TYPE", "type of the cached values: f16 (default), q8 or f32",
	 AT(session.kv_v), .choices = "f16 q8 f32", .take = take_kv_type},
	{MOTE_OPTION_FLAG, NULL, "mmap", NULL, "use the file's pages where they lie instead of copying the weights into huge "
	 "pages: starts sooner, decodes slower", AT(mapped)},
	{MOTE_OPTION_CLEAR, NULL, "no-mmap", NULL, NULL, AT(mapped)},

	{MOTE_OPTION_HEADING, .help = "Output"},
	{MOTE_OPTION_FLAG, NULL, "json", NULL, "one JSON object: text, reasoning, ids, prompt_ids, finish_reason, seed, timings",
	 AT(json)},
	{MOTE_OPTION_COUNT, NULL, "logits", "K", "in it also the K largest logits of the first step", AT(logits), 1, 1000000},
};

static const struct mote_tool tool = {
	MOTE_RUN, about, "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 corrupt or refused input, 130 interrupted.\n",
	options, sizeof options / sizeof *options};

/* Negative: go on; else the exit code. */
static int parse_arguments(int argc, char **argv, struct run_arguments *a)
{
	int code;

	*a = (struct run_arguments){.top_k = TOP_K_NOT_GIVEN, .predict = PREDICT_NOT_GIVEN,
				     .sampler = {.temperature = -1, .top_p = -1, .min_p = -1, .typical_p = -1}};
	code = mote_options_parse(&tool, argc, argv, a);
	if (code >= 0)
		return code;
	if (a->prompt && a->file)
		return mote_options_refuse(&tool, "-p and -f exclude each other");
	if (a->logits && !a->json)
		return mote_options_refuse(&tool, "--logits needs --json");
	if (a->raw && a->system)
		return mote_options_refuse(&tool, "--raw knows no system message (-s)");
	return -1;
}

/* One prompt and what came of it. */
struct turn {
	struct mote_ids prompt;
	bool reasoning_open;         /* the prompt ends inside reasoning */
	struct mote_answer answer;
	struct mote_logit *top;      /* [vocab] of the first step, or NULL */
	size_t prompt_computed;      /* tokens that the cache did not hold */
	double prompt_seconds, predict_seconds;
};

struct run {
	const struct run_arguments *arguments;
	struct mote_model *model;
	struct mote_tokenizer *tokenizer;
	struct mote_session *session;
	struct mote_scheduler *scheduler;
	struct mote_sampler *sampler;
	int32_t stop_id[MAX_STOPS];
	double load_seconds;
	bool terminal;                  /* standard output is one */
	bool styled;                    /* ... and shows reasoning dim */
	enum mote_reasoning_part shown; /* of what was printed last */
	bool printed;                   /* something of this answer */
	bool at_line_start;
};

/* ---- opening ---- */

/* What is not given comes from the model's generation settings, else from ours. */
static void resolve_sampler(struct run_arguments *a, const cJSON *metadata)
{
	struct mote_sampler_options recommended = mote_sampler_recommended(mote_json_get(metadata, "generation"));
	struct mote_sampler_options *o = &a->sampler;

	o->temperature = o->temperature < 0 ? recommended.temperature : o->temperature;
	o->top_p = o->top_p < 0 ? recommended.top_p : o->top_p;
	o->min_p = o->min_p < 0 ? recommended.min_p : o->min_p;
	o->typical_p = o->typical_p < 0 ? recommended.typical_p : o->typical_p;
	if (o->penalties.repetition == 0)
		o->penalties.repetition = recommended.penalties.repetition;
	o->top_k = a->top_k == TOP_K_NOT_GIVEN ? recommended.top_k : a->top_k;
	o->seed = a->seed.value;
	if (!a->seed.given && getrandom(&o->seed, sizeof o->seed, 0) == sizeof o->seed)
		o->seed >>= 32; /* short enough to be typed again */
}

/* How many tokens, and what ends an answer: the options, and what the model's makers set. */
static enum mote_status resolve_ends(struct run *r, struct run_arguments *a, struct mote_error *error)
{
	const cJSON *generation = mote_json_get(mote_container_metadata(r->model->container), "generation");
	const cJSON *most = mote_json_get(generation, "max_new_tokens"), *stop = mote_json_get(generation, "stop_strings");

	if (a->predict == PREDICT_NOT_GIVEN)
		a->predict = cJSON_IsNumber(most) && most->valuedouble >= 1 && most->valuedouble < UINT32_MAX
			? (uint32_t)most->valuedouble : 0;
	for (const cJSON *text = cJSON_IsArray(stop) ? stop->child : stop; text && a->stop.count < MAX_STOPS;
	     text = cJSON_IsArray(stop) ? text->next : NULL)
		if (cJSON_IsString(text) && *text->valuestring)
			a->stop.text[a->stop.count++] = text->valuestring;
	for (size_t i = 0; i < a->stop_token.count; i++) {
		const char *text = a->stop_token.text[i];
		char *end;
		long id = strtol(text, &end, 10);

		if (*end)
			id = mote_tokenizer_find(r->tokenizer, text, strlen(text));
		if (id < 0 || id >= (long)r->model->config.vocab)
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "--stop-id %s: the model has no such token", text);
		r->stop_id[i] = (int32_t)id;
	}
	return MOTE_OK;
}

static enum mote_status open_sampler(struct run *r, struct run_arguments *a, struct mote_error *error)
{
	const struct mote_config *config = &r->model->config;
	struct mote_logit_bias no_end[MOTE_MAX_EOS];

	for (uint32_t i = 0; i < config->n_eos; i++)
		no_end[i] = (struct mote_logit_bias){config->eos[i], -INFINITY};
	resolve_sampler(a, mote_container_metadata(r->model->container));
	a->sampler.bias = no_end;
	a->sampler.biases = a->ignore_eos ? config->n_eos : 0;
	return mote_sampler_open(&a->sampler, config->vocab, &r->sampler, error);
}

static bool proceed(void *user)
{
	(void)user;
	return !mote_console_interrupted();
}

static enum mote_status open_run(struct run *r, struct run_arguments *a, struct mote_error *error)
{
	const struct mote_scheduler_options scheduling = {.proceed = proceed};
	double started = mote_console_seconds();
	enum mote_status status;
	const void *section;
	size_t bytes;

	r->arguments = a;
	r->terminal = isatty(STDOUT_FILENO);
	r->styled = r->terminal && mote_console_styles();
	a->session.batch_rows = BATCH_ROWS;
	if ((status = mote_model_open(a->model, a->mapped ? MOTE_WEIGHTS_MAPPED : MOTE_WEIGHTS_DEFAULT, &r->model, error))) {
		mote_console_hint_model(a->model, error);
		return status;
	}
	section = mote_container_section(r->model->container, MOTE_SECTION_TOKENIZER, &bytes);
	if (!section)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: the file has no tokenizer", a->model);
	if ((status = mote_tokenizer_open(section, bytes, &r->tokenizer, error)) ||
	    (status = mote_session_open(r->model, &a->session, &r->session, error)) ||
	    (status = mote_scheduler_open(r->session, &scheduling, &r->scheduler, error)) ||
	    (status = resolve_ends(r, a, error)) || (status = open_sampler(r, a, error)))
		return status;
	r->load_seconds = mote_console_seconds() - started;
	return MOTE_OK;
}

static void close_run(struct run *r)
{
	mote_sampler_close(r->sampler);
	mote_scheduler_close(r->scheduler);
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
		if (r->styled)
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
	if (r->styled && r->shown == MOTE_PART_REASONING)
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
	struct mote_json_builder b = {0};
	cJSON *json = mote_json_new_object(&b), *timings, *logits;
	enum mote_status status;

	mote_answer_add_json(&b, json, &turn->answer, &turn->prompt);
	mote_json_add_number(&b, json, "seed", (double)r->arguments->sampler.seed);
	timings = mote_json_add_object(&b, json, "timings");
	mote_json_add_number(&b, timings, "load_ms", r->load_seconds * 1e3);
	mote_json_add_number(&b, timings, "prompt_tokens", (double)turn->prompt.count);
	mote_json_add_number(&b, timings, "prompt_ms", turn->prompt_seconds * 1e3);
	mote_json_add_number(&b, timings, "prompt_tokens_per_second", rate(turn->prompt_computed, turn->prompt_seconds));
	mote_json_add_number(&b, timings, "predicted_tokens", (double)turn->answer.ids.count);
	mote_json_add_number(&b, timings, "predicted_ms", turn->predict_seconds * 1e3);
	mote_json_add_number(&b, timings, "predicted_tokens_per_second", decode_rate(turn));
	mote_json_add_number(&b, timings, "threads", mote_session_threads(r->session));
	mote_json_add_text(&b, timings, "isa", mote_session_isa(r->session));
	if (r->arguments->logits) {
		logits = mote_json_add_array(&b, json, "logits");
		for (uint32_t i = 0; i < r->arguments->logits && i < r->model->config.vocab; i++) {
			cJSON *item = mote_json_add_object(&b, logits, NULL);

			mote_json_add_number(&b, item, "id", turn->top[i].id);
			mote_json_add_number(&b, item, "logit", (double)turn->top[i].logit);
		}
	}
	if ((status = mote_json_finish(&b, &json, "the answer as JSON", error)) == MOTE_OK)
		status = mote_console_print_json(json, error);
	cJSON_Delete(json);
	return status;
}

/* ---- answering ---- */

/* What gets the logits of the answer under way. */
struct asking {
	const struct run *run;
	struct turn *turn;
	double started; /* the prompt, then the answer */
	bool no_memory;
};

static int32_t take(void *user, const float *logits)
{
	struct asking *a = user;
	uint32_t vocab = a->run->model->config.vocab;

	if (a->turn->answer.ids.count == 0) {
		a->turn->prompt_seconds = mote_console_seconds() - a->started;
		a->started += a->turn->prompt_seconds;
		if (a->run->arguments->logits && !(a->turn->top = mote_logit_row_sorted(logits, vocab))) {
			a->no_memory = true;
			return MOTE_ENDED;
		}
	}
	return mote_answer_take(&a->turn->answer, logits);
}

/* Answers the ids in turn->prompt. */
static enum mote_status answer_turn(struct run *r, struct turn *turn, bool continues_text, struct mote_error *error)
{
	struct mote_answer_options wanted = {.config = &r->model->config, .tokenizer = r->tokenizer, .sampler = r->sampler,
					      .prompt = &turn->prompt, .most_tokens = r->arguments->predict,
					      .context_tokens = mote_session_context(r->session),
					      .continues_text = continues_text, .reasoning_open = turn->reasoning_open,
					     .stop_text = r->arguments->stop.text, .stop_texts = r->arguments->stop.count,
					     .stop_id = r->stop_id, .stop_ids = r->arguments->stop_token.count,
					     .ignore_eos = r->arguments->ignore_eos,
					     .think_tokens = r->arguments->think_tokens,
					     .metadata = mote_container_metadata(r->model->container), .show = show, .user = r};
	struct asking asking = {.run = r, .turn = turn, .started = mote_console_seconds()};
	uint64_t held = mote_scheduler_counts(r->scheduler).shared_rows, ticket;
	enum mote_status status;

	r->shown = MOTE_PART_ANSWER;
	r->printed = false;
	if ((status = mote_answer_open(&wanted, &turn->answer, error)) ||
	    (status = mote_scheduler_add(r->scheduler, turn->prompt.id, turn->prompt.count,
					 (struct mote_taker){take, &asking}, &ticket, error)))
		return status;
	while (status == MOTE_OK && mote_scheduler_answers(r->scheduler) && proceed(NULL)) {
		struct mote_error step = {0};

		status = mote_scheduler_step(r->scheduler, &step);
		if (status == MOTE_ERROR_INTERRUPTED) /* within a pass, like between two */
			status = MOTE_OK;
		else if (status)
			mote_error_set(error, status, "%s", step.message);
	}
	mote_scheduler_cancel(r->scheduler, ticket);
	mote_answer_end(&turn->answer);
	turn->predict_seconds = mote_console_seconds() - asking.started;
	turn->prompt_computed = turn->prompt.count - (size_t)(mote_scheduler_counts(r->scheduler).shared_rows - held);
	if (asking.no_memory)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for %u logits", r->model->config.vocab);
	if (status == MOTE_OK && turn->answer.error.code)
		status = mote_error_set(error, turn->answer.error.code, "%s", turn->answer.error.message);
	if (status == MOTE_OK && turn->answer.ids.count == 0)
		return mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
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
	struct mote_json_builder b = {0};
	cJSON *message = mote_json_new_object(&b);

	mote_json_add_text(&b, message, "role", role);
	mote_json_add_text(&b, message, "content", content);
	if (b.failed)
		cJSON_Delete(message);
	else
		mote_json_add_item(&b, messages, NULL, message);
	return !b.failed;
}

static enum mote_status encode_chat(const struct run *r, const cJSON *messages, struct turn *turn,
				    struct mote_error *error)
{
	return mote_chat_encode(mote_container_metadata(r->model->container),
				&(struct mote_chat_request){.messages = messages, .now = (int64_t)time(NULL)}, r->tokenizer,
				&turn->prompt, &turn->reasoning_open, error);
}

/* A prompt that is taken as it is may end inside reasoning, too. */
static enum mote_status encode_raw(const struct run *r, const char *prompt, size_t bytes, struct turn *turn,
				   struct mote_error *error)
{
	struct mote_reasoning_tags tags =
		mote_reasoning_tags_read(mote_container_metadata(r->model->container), r->tokenizer);

	turn->reasoning_open = mote_reasoning_is_open(&tags, prompt, bytes);
	return mote_tokenizer_encode(r->tokenizer, prompt, bytes, MOTE_ENCODE_ADD_SPECIAL, &turn->prompt, error);
}

/* One prompt, one answer. */
static enum mote_status run_prompt(struct run *r, const char *prompt, size_t bytes, struct mote_error *error)
{
	const struct run_arguments *a = r->arguments;
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
			status = encode_chat(r, messages, &turn, error);
	} else if (status == MOTE_OK) {
		status = encode_raw(r, prompt, bytes, &turn, error);
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

/* The answer to the last of the messages joins them. One that is not answered leaves them, because it does not fit, the
 * template refuses it, or it was interrupted before its answer began: the chat goes on without it. */
static enum mote_status chat_turn(struct run *r, cJSON *messages, struct mote_error *error)
{
	uint32_t context = mote_session_context(r->session);
	struct turn turn = {0};
	bool kept = false;
	enum mote_status status = encode_chat(r, messages, &turn, error);

	if (status && status != MOTE_ERROR_MEMORY) {
		fprintf(stderr, "[the message was not taken: %s]\n", error->message);
		*error = (struct mote_error){0};
		status = MOTE_OK;
	} else if (status == MOTE_OK && turn.prompt.count > context) {
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

/* Blanks behind a command are nothing. */
static bool is_command(const char *line, const char *command)
{
	size_t bytes = strlen(command);

	return !strncmp(line, command, bytes) && line[bytes + strspn(line + bytes, " \t\r")] == 0;
}

/* One line of the user; false ends the chat. */
static bool chat_line(struct run *r, cJSON **messages, const char *line, enum mote_status *status,
		      struct mote_error *error)
{
	if (is_command(line, "/exit") || is_command(line, "/bye") || is_command(line, "/quit"))
		return false;
	if (is_command(line, "/clear")) {
		cJSON_Delete(*messages);
		*messages = new_chat(r);
	} else if (*line) {
		*status = add_message(*messages, "user", line)
			? chat_turn(r, *messages, error)
			: mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the messages");
	}
	return *status == MOTE_OK && *messages;
}

/* Lines from the terminal until its end; the model sees all turns, but of its own answers not the reasoning. Ctrl-C takes
 * back the line that is being typed. */
static enum mote_status run_chat(struct run *r, struct mote_error *error)
{
	cJSON *messages = new_chat(r);
	struct mote_line_reader reader;
	enum mote_status status = MOTE_OK;
	enum mote_line line = MOTE_LINE;
	bool goes_on = messages != NULL;

	if (!mote_chat_has_template(mote_container_metadata(r->model->container))) {
		cJSON_Delete(messages);
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "the model has no chat template to chat with; use -p");
	}
	fputs("[/clear begins a new conversation, /exit ends; Ctrl-C stops an answer]\n", stderr);
	mote_line_begin(&reader);
	while (goes_on && (!mote_console_interrupted() || mote_console_resume())) {
		line = mote_line_read(&reader, "> ");
		if (line == MOTE_LINE)
			goes_on = chat_line(r, &messages, reader.text, &status, error);
		else
			fputc('\n', stderr);
		if (line == MOTE_LINE_END || line == MOTE_LINE_NO_MEMORY)
			break;
	}
	mote_line_end(&reader);
	if (!messages || line == MOTE_LINE_NO_MEMORY)
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the messages");
	else if (status == MOTE_OK && mote_console_interrupted())
		status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	cJSON_Delete(messages);
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

static enum mote_status run(struct run *r, struct run_arguments *a, struct mote_error *error)
{
	enum mote_status status;
	char *text = NULL;
	size_t bytes = 0;

	if (!a->prompt && (a->file || !isatty(STDIN_FILENO))) {
		if ((status = mote_console_read_file(a->file ? a->file : "-", MAX_PROMPT_BYTES, &text, &bytes, error)))
			return status;
		if (bytes > 0 && text[bytes - 1] == '\n') /* the editor's, as llama.cpp takes it */
			text[--bytes] = 0;
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
	int code = parse_arguments(argc, argv, &arguments);
	enum mote_status status;

	if (code >= 0)
		return code;
	mote_console_catch_signals();
	status = run(&r, &arguments, &error);
	close_run(&r);
	return status ? mote_console_fail(MOTE_RUN, &error) : 0;
}
