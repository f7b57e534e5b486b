/* mote-run: answers a prompt, or chats. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "format/console.h"
#include "runtime/text/answer.h"
#include "runtime/text/chat.h"

#define TOOL "mote-run"
#define BATCH_ROWS 512u
#define MAX_PROMPT_BYTES ((size_t)64 << 20)

static const char help[] =
"Usage: mote-run [OPTION]... MODEL.mote [-p PROMPT]\n"
"\n"
"Answers a prompt with a model, or chats with it when no prompt is given and standard\n"
"input is a terminal (/clear begins a new conversation, /exit or Ctrl-D ends, Ctrl-C stops\n"
"an answer); from a pipe, the prompt is read to its end. The prompt becomes the\n"
"user's message in the model's own chat template. The answer is written to standard output\n"
"as it comes; what the model says between <think> and </think> is shown apart, dim on a\n"
"terminal and under a heading otherwise. A line with the speed goes to standard error.\n"
"\n"
"Prompt\n"
"  -m, --model FILE        the model (-m may be left out)\n"
"  -p, --prompt TEXT       the prompt\n"
"  -f, --file FILE         read the prompt from a file (- for standard input)\n"
"  -s, --system TEXT       a system message before it\n"
"      --raw               take the prompt as it is, without a template: text to be continued\n"
"      --hide-reasoning    do not show what is said between <think> and </think>\n"
"\n"
"Generation\n"
"  -n, --predict N         at most N tokens (default: until the model ends or the context is full)\n"
"  -c, --ctx-size N        context in tokens, prompt and answer together (default: the model's)\n"
"      --temp T            temperature; 0 always takes the most probable token\n"
"      --top-k K           sample from the K most probable tokens (0: all)\n"
"      --top-p P           sample from the fewest tokens whose probabilities reach P (1: all)\n"
"      --min-p P           leave out tokens less than P times as probable as the first (0: none)\n"
"      --seed N            same seed, same answer, on every machine (default: a random one)\n"
"  The model's own settings are the defaults of these; else temperature 0.6, top-p 0.95.\n"
"\n"
"Machine\n"
"  -t, --threads N         threads (default: the physical cores)\n"
"  -ctk, --cache-type-k T  type of the cached keys: f16 (default), q8 or f32\n"
"  -ctv, --cache-type-v T  type of the cached values: f16 (default), q8 or f32\n"
"      --mmap              use the file's pages where they lie instead of copying the weights\n"
"                          into huge pages: starts sooner, decodes slower\n"
"\n"
"Output\n"
"      --json              one JSON object: text, reasoning, ids, prompt_ids, finish_reason, seed,\n"
"                          timings\n"
"      --logits K          in it also the K largest logits of the first step\n"
"  -h, --help, --version\n"
"\n"
"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 corrupt or refused input, 130 interrupted.\n";

struct arguments {
	const char *model, *prompt, *file, *system;
	bool raw, json, hide_reasoning, mapped, seed_given;
	uint32_t predict; /* 0: no limit */
	uint32_t logits;
	struct mote_session_options session;
	struct mote_sampler_options sampler; /* temperature etc. < 0: not given */
	int64_t top_k;                       /* -1: not given */
};

/* One prompt and what came of it. */
struct turn {
	struct mote_ids prompt;
	struct mote_answer answer;
	struct mote_logit *top;      /* [vocab] of the first step, or NULL */
	size_t prompt_computed;      /* tokens that the cache did not hold */
	double prompt_seconds, predict_seconds;
};

struct run {
	const struct arguments *arguments;
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

/* ---- arguments ---- */

static enum mote_status need_number(const char *option, const char *text, double min, double max, double *value,
				    struct mote_error *error)
{
	char *end;

	*value = strtod(text, &end);
	if (end == text || *end || !(*value >= min && *value <= max))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s %s: expected a number of %g to %g", option, text, min,
				      max);
	return MOTE_OK;
}

static enum mote_status need_count(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *value,
				   struct mote_error *error)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (end == text || *end || *text == '-' || errno || *value < min || *value > max)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s %s: expected an integer of %llu to %llu", option, text,
				      (unsigned long long)min, (unsigned long long)max);
	return MOTE_OK;
}

enum option_code {
	OPTION_HELP = 256, OPTION_VERSION, OPTION_RAW, OPTION_HIDE, OPTION_TEMP, OPTION_TOP_K, OPTION_TOP_P, OPTION_MIN_P,
	OPTION_SEED, OPTION_TYPE_K, OPTION_TYPE_V, OPTION_MMAP, OPTION_NO_MMAP, OPTION_JSON, OPTION_LOGITS
};

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPTION_HELP}, {"version", no_argument, NULL, OPTION_VERSION},
	{"model", required_argument, NULL, 'm'},
	{"prompt", required_argument, NULL, 'p'}, {"file", required_argument, NULL, 'f'},
	{"system", required_argument, NULL, 's'}, {"sys", required_argument, NULL, 's'},
	{"system-prompt", required_argument, NULL, 's'},
	{"raw", no_argument, NULL, OPTION_RAW}, {"hide-reasoning", no_argument, NULL, OPTION_HIDE},
	{"predict", required_argument, NULL, 'n'}, {"n-predict", required_argument, NULL, 'n'},
	{"ctx-size", required_argument, NULL, 'c'}, {"context", required_argument, NULL, 'c'},
	{"temp", required_argument, NULL, OPTION_TEMP}, {"temperature", required_argument, NULL, OPTION_TEMP},
	{"top-k", required_argument, NULL, OPTION_TOP_K}, {"top-p", required_argument, NULL, OPTION_TOP_P},
	{"min-p", required_argument, NULL, OPTION_MIN_P}, {"seed", required_argument, NULL, OPTION_SEED},
	{"threads", required_argument, NULL, 't'},
	{"cache-type-k", required_argument, NULL, OPTION_TYPE_K}, {"ctk", required_argument, NULL, OPTION_TYPE_K},
	{"cache-type-v", required_argument, NULL, OPTION_TYPE_V}, {"ctv", required_argument, NULL, OPTION_TYPE_V},
	{"mmap", no_argument, NULL, OPTION_MMAP}, {"no-mmap", no_argument, NULL, OPTION_NO_MMAP},
	{"json", no_argument, NULL, OPTION_JSON}, {"logits", required_argument, NULL, OPTION_LOGITS},
	{NULL, 0, NULL, 0}
};

static enum mote_status set_option(struct arguments *a, int option, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;
	uint64_t count = 0;
	double number = 0;

	switch (option) {
	case 'm': a->model = optarg; break;
	case 'p': a->prompt = optarg; break;
	case 'f': a->file = optarg; break;
	case 's': a->system = optarg; break;
	case OPTION_RAW: a->raw = true; break;
	case OPTION_HIDE: a->hide_reasoning = true; break;
	case OPTION_MMAP: a->mapped = true; break;
	case OPTION_NO_MMAP: a->mapped = false; break;
	case OPTION_JSON: a->json = true; break;
	case 'n':
		if (!strcmp(optarg, "-1")) { /* llama.cpp's spelling of "no limit" */
			a->predict = 0;
			break;
		}
		status = need_count("-n", optarg, 1, UINT32_MAX, &count, error);
		a->predict = (uint32_t)count;
		break;
	case 'c':
		status = need_count("-c", optarg, 1, UINT32_MAX, &count, error);
		a->session.context_tokens = (uint32_t)count;
		break;
	case 't':
		status = need_count("-t", optarg, 1, 256, &count, error);
		a->session.threads = (uint32_t)count;
		break;
	case OPTION_TEMP:
		status = need_number("--temp", optarg, 0, 100, &number, error);
		a->sampler.temperature = (float)number;
		break;
	case OPTION_TOP_K:
		status = need_count("--top-k", optarg, 0, UINT32_MAX, &count, error);
		a->top_k = (int64_t)count;
		break;
	case OPTION_TOP_P:
		status = need_number("--top-p", optarg, 0, 1, &number, error);
		a->sampler.top_p = (float)number;
		break;
	case OPTION_MIN_P:
		status = need_number("--min-p", optarg, 0, 1, &number, error);
		a->sampler.min_p = (float)number;
		break;
	case OPTION_SEED:
		status = need_count("--seed", optarg, 0, UINT64_MAX, &a->sampler.seed, error);
		a->seed_given = true;
		break;
	case OPTION_TYPE_K: status = mote_kv_type_parse("-ctk", optarg, &a->session.kv_k, error); break;
	case OPTION_TYPE_V: status = mote_kv_type_parse("-ctv", optarg, &a->session.kv_v, error); break;
	case OPTION_LOGITS:
		status = need_count("--logits", optarg, 1, 1000000, &count, error);
		a->logits = (uint32_t)count;
		break;
	default:
		return MOTE_ERROR_ARGUMENT;
	}
	return status;
}

/* MOTE_OK with a->model NULL: --help or --version was answered. MOTE_ERROR_ARGUMENT with an empty error: getopt
 * has printed the message. */
static enum mote_status parse_arguments(int argc, char **argv, struct arguments *a, struct mote_error *error)
{
	enum mote_status status;
	int option;

	*a = (struct arguments){.top_k = -1, .sampler = {.temperature = -1, .top_p = -1, .min_p = -1}};
	while ((option = getopt_long_only(argc, argv, "m:p:f:s:n:c:t:h", long_options, NULL)) != -1) {
		if (option == OPTION_HELP || option == 'h') {
			fputs(help, stdout);
			a->model = NULL;
			return mote_console_flush(error);
		}
		if (option == OPTION_VERSION) {
			puts(TOOL " " MOTE_VERSION);
			a->model = NULL;
			return mote_console_flush(error);
		}
		if ((status = set_option(a, option, error)))
			return status;
	}
	if (!a->model && optind < argc)
		a->model = argv[optind++];
	if (!a->model || optind < argc)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "expected one model file; see --help");
	if (a->prompt && a->file)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "-p and -f exclude each other");
	if (a->logits && !a->json)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "--logits needs --json");
	if (a->raw && a->system)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "--raw knows no system message (-s)");
	return MOTE_OK;
}

/* ---- opening ---- */

/* What is not given comes from the model's generation settings, else from ours. */
static void resolve_sampler(struct arguments *a, const cJSON *metadata)
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

static enum mote_status open_run(struct run *r, struct arguments *a, struct mote_error *error)
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
	fprintf(stderr, "\n[prompt %zu tokens, %.0f tokens/s; answer %zu tokens, %.1f tokens/s; load %.0f ms; seed %llu; %s]\n",
		turn->prompt.count, rate(turn->prompt_computed, turn->prompt_seconds), turn->answer.ids.count,
		decode_rate(turn), r->load_seconds * 1e3,
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
	const struct arguments *a = r->arguments;
	bool chat = !a->raw && mote_chat_has_template(mote_container_metadata(r->model->container));
	cJSON *messages = cJSON_CreateArray();
	enum mote_status status = MOTE_OK;
	struct turn turn = {0};

	if (!a->raw && !chat) {
		fprintf(stderr, TOOL ": the model has no chat template: continuing the prompt as it is (--raw)\n");
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

static enum mote_status run(struct run *r, struct arguments *a, struct mote_error *error)
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
	struct arguments arguments;
	struct run r = {0};
	enum mote_status status = parse_arguments(argc, argv, &arguments, &error);

	if (status == MOTE_OK && arguments.model) {
		mote_console_catch_signals();
		status = run(&r, &arguments, &error);
		close_run(&r);
	}
	if (status && !error.code) /* getopt has said what is wrong */
		return mote_status_exit_code(status);
	return status ? mote_console_fail(TOOL, &error) : 0;
}
