/* mote-run's command line, and what it comes to for the model that was opened.
 * Names are llama.cpp's where it has one. */
#include <stdlib.h>
#include <string.h>

#include "format/portable.h"
#include "format/tool/options_value.h"
#include "format/word_list.h"
#include "runtime/run.h"

#define NOT_GIVEN UINT32_MAX /* nobody wants exactly so many */

static const char about[] =
"Usage: mote-run [OPTION]... MODEL.mote [PROMPT]\n"
"\n"
"Answers a prompt with a model, or chats with it when no prompt is given and standard\n"
"input is a terminal (/help lists what a chat understands, Ctrl-C stops an answer or drops\n"
"a line, Ctrl-D ends); from a pipe, the prompt is read to its end. The prompt becomes the\n"
"user's message in the model's own chat template. The answer is written to standard output\n"
"as it comes; what the model says between <think> and </think> is shown apart, dim on a\n"
"terminal and under a heading otherwise. A line with the speed goes to standard error.\n";

static enum mote_status take_text(void *at, const char *text, struct mote_error *error)
{
	struct run_texts *t = at;

	if (t->count == RUN_MAX_STOPS)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "given more than %d times", RUN_MAX_STOPS);
	if (!*text)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "expected a text");
	t->text[t->count++] = text;
	return MOTE_OK;
}

static enum mote_status take_bias(void *at, const char *text, struct mote_error *error)
{
	struct run_biases *b = at;

	if (b->count == RUN_MAX_BIASES)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "given more than %d times", RUN_MAX_BIASES);
	b->text[b->count++] = text;
	return MOTE_OK;
}

static enum mote_status take_kv_type(void *at, const char *text, struct mote_error *error)
{
	(void)error;
	*(const char **)at = text;
	return !strcmp(text, "f16") || !strcmp(text, "q8") || !strcmp(text, "q8_0") || !strcmp(text, "f32")
		? MOTE_OK : MOTE_ERROR_ARGUMENT;
}

static enum mote_status take_think(void *at, const char *text, struct mote_error *error)
{
	static const char *const names[] = {"show", "hide", "only", "off"};

	(void)error;
	for (int i = 0; i < 4; i++)
		if (!strcmp(text, names[i])) {
			*(enum run_think *)at = (enum run_think)i;
			return MOTE_OK;
		}
	return MOTE_ERROR_ARGUMENT;
}

static enum mote_status take_hide(void *at, const char *text, struct mote_error *error)
{
	(void)text;
	(void)error;
	*(enum run_think *)at = RUN_THINK_HIDE;
	return MOTE_OK;
}

/* llama.cpp's, which would be read as -s with a text right behind it. */
static enum mote_status refuse_llama(void *at, const char *text, struct mote_error *error)
{
	(void)at;
	(void)text;
	return mote_error_set(error, MOTE_ERROR_ARGUMENT,
			      "no such option: a prompt (-p, -f) is answered once, and -s takes a text");
}

#define AT(field) .at = offsetof(struct run_arguments, field)

static const struct mote_option options[] = {
	{MOTE_OPTION_HEADING, .help = "Prompt"},
	{MOTE_OPTION_TEXT, "m", "model", "FILE", "the model (-m may be left out)", AT(model)},
	{MOTE_OPTION_OPERAND, .argument = "MODEL.mote", AT(model)},
	{MOTE_OPTION_OPERAND, .argument = "[PROMPT]", AT(operand)},
	{MOTE_OPTION_TEXT, "p", "prompt", "TEXT", "the prompt; standard input is not read then", AT(prompt)},
	{MOTE_OPTION_TEXT, "f", "file", "FILE", "read the prompt from a file (- for standard input); one newline at "
	 "its end is not part of it", AT(file)},
	{MOTE_OPTION_TEXT, NULL, "messages", "FILE", "a conversation as JSON, to be answered: an array of messages, or "
	 "an object with \"messages\" and \"tools\"", AT(messages)},
	{MOTE_OPTION_TEXT, "s", "system sys system-prompt", "TEXT", "a system message before it", AT(system)},
	{MOTE_OPTION_TAKE, NULL, "single-turn st sp sysf", NULL, NULL, .take = refuse_llama},
	{MOTE_OPTION_FLAG, NULL, "raw", NULL, "take the prompt as it is, without a template: text to be continued",
	 AT(raw)},
	{MOTE_OPTION_TEXT, NULL, "chat-template-file", "FILE", "a Jinja template instead of the model's own",
	 AT(template_file)},
	{MOTE_OPTION_TEXT, NULL, "chat-template-kwargs", "JSON",
	 "variables for the template: '{\"enable_thinking\": false}'", AT(variables)},

	{MOTE_OPTION_TEXT, NULL, "load-session", "FILE", "go on with what --save-session wrote: its conversation, "
	 "before the prompt, without computing it again", AT(load)},
	{MOTE_OPTION_TEXT, NULL, "save-session", "FILE", "write the conversation at the end, and what was "
	 "computed of it", AT(save)},
	{MOTE_OPTION_FLAG, NULL, "force", NULL, "replace a session, or what /save writes, where one exists", AT(force)},

	{MOTE_OPTION_HEADING, .help = "Reasoning"},
	{MOTE_OPTION_TAKE, NULL, "think", "HOW", "show it, hide it, show it only, or turn it off where the "
	 "template can (default: show)", AT(think), .choices = "show hide only off", .take = take_think},
	{MOTE_OPTION_TAKE, NULL, "hide-reasoning", NULL, "the same as --think hide", AT(think), .take = take_hide},
	{MOTE_OPTION_COUNT, NULL, "think-budget reasoning-budget", "N", "close it after N tokens (default, and -1: "
	 "never)", AT(think_budget), 1, UINT32_MAX, .minus_one = true},

	{MOTE_OPTION_HEADING, .help = "Generation; the model's own settings are the defaults, else temperature 0.6, "
	 "top-p 0.95"},
	{MOTE_OPTION_COUNT, "n", "predict n-predict", "N", "at most N tokens (default, and -1: until the model "
	 "ends or the context is full)", AT(predict), 1, NOT_GIVEN, .minus_one = true},
	{MOTE_OPTION_TAKE, NULL, "stop reverse-prompt", "TEXT", "end the answer, not its reasoning, before this text; "
	 "may be given several times", AT(stop), .take = take_text},
	{MOTE_OPTION_TAKE, NULL, "stop-id", "TOKEN", "end the answer with this token, an id or the token's text; may "
	 "be given several times", AT(stop_token), .take = take_text},
	{MOTE_OPTION_TEXT, NULL, "json-schema", "FILE", "the answer, behind its reasoning, is JSON that is valid for "
	 "this schema", AT(schema)},
	{MOTE_OPTION_TEXT, NULL, "grammar", "FILE", "the answer, behind its reasoning, is what this grammar "
	 "(GBNF) allows", AT(grammar)},
	{MOTE_OPTION_FLAG, NULL, "ignore-eos", NULL, "never let the model end its answer", AT(ignore_end)},
	{MOTE_OPTION_COUNT, "c", "ctx-size context", "N", "context in tokens, prompt and answer together (default: the "
	 "model's)", AT(context), 1, UINT32_MAX},
	{MOTE_OPTION_FLOAT, NULL, "temp temperature", "T", "temperature; 0 always takes the most probable token",
	 AT(sampling.temperature), 0, 100},
	{MOTE_OPTION_COUNT, NULL, "top-k", "K", "sample from the K most probable tokens (0, and -1: all)", AT(top_k),
	 0, NOT_GIVEN - 1, .minus_one = true},
	{MOTE_OPTION_FLOAT, NULL, "top-p", "P", "sample from the fewest tokens whose probabilities reach P (1: all)",
	 AT(sampling.top_p), 0, 1},
	{MOTE_OPTION_FLOAT, NULL, "min-p", "P", "leave out tokens less than P times as probable as the first (0: none)",
	 AT(sampling.min_p), 0, 1},
	{MOTE_OPTION_FLOAT, NULL, "typical typical-p", "P", "sample from the fewest tokens of usual surprise that "
	 "reach P (1: all)", AT(sampling.typical_p), 0, 1},
	{MOTE_OPTION_FLOAT, NULL, "repeat-penalty repetition-penalty", "X",
	 "divide the logits of tokens that occurred by X "
	 "(1: none)", AT(sampling.repeat_penalty), 0.01, 100},
	{MOTE_OPTION_FLOAT, NULL, "presence-penalty", "X", "take X off the logits of tokens that came in the answer",
	 AT(sampling.presence_penalty), -100, 100},
	{MOTE_OPTION_FLOAT, NULL, "frequency-penalty", "X", "and X for each time that they did",
	 AT(sampling.frequency_penalty), -100, 100},
	{MOTE_OPTION_COUNT, NULL, "repeat-last-n", "N", "penalties look at the last N tokens (default, and -1: at all)",
	 AT(sampling.repeat_last), 1, UINT32_MAX, .minus_one = true},
	{MOTE_OPTION_FLOAT, NULL, "dry-multiplier", "X", "penalty on going on with a repeated sequence (0: none)",
	 AT(sampling.dry_multiplier), 0, 100},
	{MOTE_OPTION_TAKE, NULL, "logit-bias", "TOKEN=X", "add X to the logit of a token, an id or its text; may be "
	 "given several times", AT(bias), .take = take_bias},
	{MOTE_OPTION_SEED, NULL, "seed", "N", "same seed, same answer, on every machine; up to 2^53 (default, and -1: "
	 "a random one)", AT(seed)},

	{MOTE_OPTION_HEADING, .help = "Machine"},
	{MOTE_OPTION_COUNT, "t", "threads", "N", "threads, 1 to 256 (default: the physical cores)", AT(threads), 1,
	 MOTE_OPTION_MAX_THREADS},
	{MOTE_OPTION_TAKE, "ctk", "cache-type-k", "TYPE", "type of the cached keys: f16 (default), q8 or f32",
	 AT(kv_keys), .choices = "f16 q8 f32", .take = take_kv_type},
	{MOTE_OPTION_TAKE, "ctv", "cache-type-v", "TYPE", "type of the cached values: f16 (default), q8 or f32",
	 AT(kv_values), .choices = "f16 q8 f32", .take = take_kv_type},
	{MOTE_OPTION_FLAG, NULL, "lookup", NULL, "guess tokens where the answer goes on as the text before it did, "
	 "and compute several at once: the same answer, sooner (default)", AT(lookup)},
	{MOTE_OPTION_CLEAR, NULL, "no-lookup", NULL, "a token at a time", AT(lookup)},
	{MOTE_OPTION_FLAG, NULL, "mmap", NULL, "use the file's pages where they lie instead of copying the weights "
	 "into huge pages: starts sooner, decodes slower", AT(mapped)},
	{MOTE_OPTION_CLEAR, NULL, "no-mmap", NULL, NULL, AT(mapped)},
	{MOTE_OPTION_FLAG, NULL, "sandbox", NULL, "once the model is loaded, give up what only an intruder needs: "
	 "files, programs, connections", AT(sandbox)},
	{MOTE_OPTION_FLAG, NULL, "check", NULL, "when something becomes infinite or NaN, say in which layer and tensor",
	 AT(check)},

	{MOTE_OPTION_HEADING, .help = "Output"},
	{MOTE_OPTION_FLAG, NULL, "json", NULL, "one JSON object: text, reasoning, ids, prompt_ids, finish_reason, "
	 "seed, timings", AT(json)},
	{MOTE_OPTION_COUNT, NULL, "logits", "K", "in it also the K largest logits of the first step", AT(logits),
	 1, 1000000},
	{MOTE_OPTION_FLAG, "q", "quiet no-perf", NULL, "no lines about the speed", AT(quiet)},
};

static const struct mote_tool tool = {
	MOTE_RUN, about, "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 corrupt or refused input, 130 interrupted.\n",
	options, sizeof options / sizeof *options};

int run_parse_arguments(int argc, char **argv, struct run_arguments *a)
{
	int code;

	*a = (struct run_arguments){.lookup = true, .top_k = NOT_GIVEN, .predict = NOT_GIVEN,
				    .sampling = {.temperature = -1, .top_p = -1, .min_p = -1, .typical_p = -1,
						 .repeat_penalty = -1}};
	code = mote_options_parse(&tool, argc, argv, a);
	if (code >= 0)
		return code;
	if (!a->prompt)
		a->prompt = a->operand;
	else if (a->operand)
		return mote_options_refuse(&tool, "the prompt is given twice: -p %s and %s", a->prompt, a->operand);
	if (a->prompt && a->file)
		return mote_options_refuse(&tool, "-p and -f exclude each other");
	if (a->messages && (a->prompt || a->file || a->raw || a->system))
		return mote_options_refuse(&tool, "--messages is the whole conversation: no prompt, -s or --raw "
					   "beside it");
	if (a->load && (a->system || a->messages))
		return mote_options_refuse(&tool, "--load-session brings its conversation: no -s or --messages "
					   "beside it");
	if (a->sandbox && a->save)
		return mote_options_refuse(&tool, "--save-session writes a file, which --sandbox refuses");
	if (a->schema && a->grammar)
		return mote_options_refuse(&tool, "--json-schema and --grammar exclude each other");
	if (a->logits && !a->json)
		return mote_options_refuse(&tool, "--logits needs --json");
	if (a->raw && (a->system || a->template_file || a->variables))
		return mote_options_refuse(&tool, "--raw knows no template: no -s, --chat-template-file or "
					   "--chat-template-kwargs beside it");
	return -1;
}

/* ---- what they come to ---- */

/* The id of a token by its text, as the vocabulary spells it or as it reads; -1: there is none. */
static int32_t token_id_of_text(const struct run *r, const char *text, size_t bytes)
{
	int32_t id = mote_lm_token_id(r->lm, text, bytes), *ids = NULL;
	size_t count = 0;

	if (id < 0 && mote_lm_encode(r->lm, text, bytes, MOTE_LM_PLAIN, &ids, &count, NULL) == MOTE_LM_OK && count == 1)
		id = ids[0];
	mote_lm_free(ids);
	return id;
}

/* The same of one that is given as its number or its text. */
static int32_t token_id(const struct run *r, const char *text, size_t bytes)
{
	char *end;
	long id = strtol(text, &end, 10);

	if (bytes == 0 || end != text + bytes)
		return token_id_of_text(r, text, bytes);
	return id >= 0 && id < (long)r->info.vocab ? (int32_t)id : -1;
}

/* "TOKEN=X", or llama.cpp's "ID+X" and "ID-X". */
static enum mote_status read_bias(struct run *r, const char *text, uint32_t i, struct mote_error *error)
{
	const char *sign = strrchr(text, '=');
	char *end;

	if (!sign)
		sign = text + strspn(text, "0123456789");
	r->bias_id[i] = token_id(r, text, (size_t)(sign - text));
	r->bias[i] = strtof(sign + (*sign == '='), &end);
	if (r->bias_id[i] < 0 || *end || end == sign + (*sign == '=') || !(r->bias[i] < 1e30f))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "--logit-bias %s: expected a token of the model, '=' and a number", text);
	return MOTE_OK;
}

static void resolve_sampling(struct run *r)
{
	struct run_arguments *a = r->arguments;
	struct mote_lm_sampling *s = &r->sampling, model;

	mote_lm_sampling_recommended(r->lm, &model);
	*s = a->sampling;
	s->struct_bytes = sizeof *s;
	s->temperature = s->temperature < 0 ? model.temperature : s->temperature;
	s->top_p = s->top_p < 0 ? model.top_p : s->top_p;
	s->min_p = s->min_p < 0 ? model.min_p : s->min_p;
	s->typical_p = s->typical_p < 0 ? model.typical_p : s->typical_p;
	s->repeat_penalty = s->repeat_penalty < 0 ? model.repeat_penalty : s->repeat_penalty;
	s->top_k = a->top_k == NOT_GIVEN ? model.top_k : a->top_k;
	if (!a->seed.given && mote_portable_random(&a->seed.value, sizeof a->seed.value))
		a->seed.value >>= 32; /* short enough to be typed again */
	a->seed.given = true;
	s->seed = a->seed.value;
	s->bias_ids = r->bias_id;
	s->bias = r->bias;
	s->biases = a->bias.count;
}

enum mote_status run_resolve(struct run *r, struct mote_error *error)
{
	const struct mote_lm_answer_options none = MOTE_LM_ANSWER_OPTIONS_INIT;
	struct mote_lm_answer_options *o = &r->answer;
	struct run_arguments *a = r->arguments;
	enum mote_status status;

	*o = none;
	mote_lm_answer_recommended(r->lm, o);
	if (a->predict != NOT_GIVEN)
		o->max_tokens = a->predict;
	for (uint32_t i = 0; i < a->bias.count; i++)
		if ((status = read_bias(r, a->bias.text[i], i, error)))
			return status;
	resolve_sampling(r);
	for (uint32_t i = 0; i < o->stops && i < RUN_MAX_STOPS; i++)
		r->stop[a->stop.count + i] = o->stop[i];
	memcpy(r->stop, a->stop.text, a->stop.count * sizeof *r->stop);
	o->stops = a->stop.count + (o->stops < RUN_MAX_STOPS ? o->stops : RUN_MAX_STOPS);
	o->stop = r->stop;
	for (uint32_t i = 0; i < a->stop_token.count; i++) {
		const char *text = a->stop_token.text[i];

		r->stop_id[i] = token_id(r, text, strlen(text));
		if (r->stop_id[i] < 0)
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "--stop-id %s: the model has no such token",
					      text);
	}
	o->stop_ids = r->stop_id;
	o->n_stop_ids = a->stop_token.count;
	o->ignore_end = a->ignore_end;
	o->think_budget = a->think_budget;
	o->grammar = r->grammar;
	o->sampling = &r->sampling;
	return MOTE_OK;
}

bool run_set_option(struct run_arguments *a, const char *name, const char *value)
{
	static const char *const settable[] = {"temp", "top-k", "top-p", "min-p", "typical", "repeat-penalty",
					       "presence-penalty", "frequency-penalty", "repeat-last-n",
					       "dry-multiplier", "predict", "seed", "think-budget"};
	const struct mote_option *option = NULL;
	struct mote_error error = {0};

	for (size_t i = 0; i < sizeof settable / sizeof *settable; i++)
		for (size_t k = 0; k < tool.count && !strcmp(name, settable[i]); k++)
			if (options[k].names && mote_words_have(options[k].names, name))
				option = &options[k];
	if (!option) {
		fputs("[/set knows", stderr);
		for (size_t i = 0; i < sizeof settable / sizeof *settable; i++)
			fprintf(stderr, " %s", settable[i]);
		fputs("]\n", stderr);
		return false;
	}
	if (mote_option_set(option, value, (char *)a + option->at, &error) == MOTE_OK)
		return true;
	fprintf(stderr, "[/set %s: %s]\n", name, error.message);
	return false;
}
