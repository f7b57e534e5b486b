/* One prompt answered: its events shown as they come and kept, the figures behind it, the answer as JSON. */
#include <stdlib.h>
#include <string.h>

#include "runtime/run.h"

enum { LOOP_TOKENS = 96, LOOP_PERIOD = 48 };

enum mote_status run_fail(const struct mote_lm_error *from, struct mote_error *error)
{
	return mote_error_set(error, (enum mote_status)from->status, "%s", from->message);
}

void run_turn_free(struct run_turn *turn)
{
	mote_lm_free(turn->prompt);
	free(turn->ids);
	free(turn->text);
	free(turn->reasoning);
	free(turn->top);
	*turn = (struct run_turn){0};
}

/* ---- prompts ---- */

enum mote_status run_encode(const struct run *r, const cJSON *messages, const cJSON *tools, bool to_be_answered,
			    struct run_turn *turn, struct mote_error *error)
{
	struct mote_lm_chat chat = MOTE_LM_CHAT_INIT;
	struct mote_lm_error failed = {0};
	size_t bytes;
	char *text = mote_json_print(messages, &bytes), *tools_text = tools ? mote_json_print(tools, &bytes) : NULL;
	enum mote_status status = MOTE_OK;

	chat.messages = text;
	chat.tools = tools_text;
	chat.variables = r->variables;
	chat.template_text = r->template_text;
	chat.no_generation_prompt = !to_be_answered;
	if (!text || (tools && !tools_text))
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the messages");
	else if (mote_lm_encode_chat(r->lm, &chat, &turn->prompt, &turn->prompt_tokens, &turn->reasoning_open, &failed))
		status = run_fail(&failed, error);
	if (status && r->arguments->template_file)
		mote_error_prefix(error, "%s", r->arguments->template_file);
	free(text);
	free(tools_text);
	return status;
}

enum mote_status run_encode_raw(const struct run *r, const char *prompt, size_t bytes, struct run_turn *turn,
				struct mote_error *error)
{
	struct mote_lm_error failed = {0};

	turn->reasoning_open = mote_lm_opens_reasoning(r->lm, prompt, bytes);
	if (mote_lm_encode(r->lm, prompt, bytes, MOTE_LM_ADD_BEFORE, &turn->prompt, &turn->prompt_tokens, &failed))
		return run_fail(&failed, error);
	return MOTE_OK;
}

/* ---- showing ---- */

/* What was printed last of the answer under way. */
struct shown {
	const struct run *run;
	enum mote_lm_event_kind part;
	bool printed, at_line_start;
};

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

static void show(struct shown *s, const struct mote_lm_event *event)
{
	const struct run *r = s->run;
	bool reasoning = event->kind == MOTE_LM_EVENT_REASONING;

	if (r->arguments->json || (reasoning && r->arguments->think == RUN_THINK_HIDE) ||
	    (!reasoning && r->arguments->think == RUN_THINK_ONLY))
		return;
	if (event->kind != s->part) {
		if (s->printed)
			fputs(s->at_line_start ? "\n" : "\n\n", stdout);
		if (r->styled)
			fputs(reasoning ? "\x1b[2m" : "\x1b[0m", stdout);
		else
			fputs(reasoning ? "[reasoning]\n" : "[answer]\n", stdout);
	}
	s->part = event->kind;
	s->printed = true;
	s->at_line_start = event->text[event->bytes - 1] == '\n';
	print_text(r, event->text, event->bytes);
}

static void show_end(const struct shown *s)
{
	if (s->run->arguments->json)
		return;
	if (s->run->styled && s->part == MOTE_LM_EVENT_REASONING)
		fputs("\x1b[0m", stdout);
	putchar('\n');
	fflush(stdout);
}

/* ---- answering ---- */

static enum mote_status keep_text(char **text, size_t *count, const struct mote_lm_event *event,
				  struct mote_error *error)
{
	char *grown = realloc(*text, *count + event->bytes + 1);

	if (!grown)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the answer");
	memcpy(grown + *count, event->text, event->bytes);
	*text = grown;
	*count += event->bytes;
	grown[*count] = 0;
	return MOTE_OK;
}

static int by_logit(const void *a, const void *b)
{
	const struct run_top *x = a, *y = b;

	return x->logit > y->logit ? -1 : x->logit < y->logit ? 1 : (x->id > y->id) - (x->id < y->id);
}

/* The first step's logits, of which the answer itself shows nothing. */
static enum mote_status keep_top(const struct run *r, struct run_turn *turn, struct mote_error *error)
{
	struct mote_lm_error failed = {0};
	const float *logits;

	if (mote_lm_logits(r->session, turn->prompt, turn->prompt_tokens, &logits, &failed))
		return run_fail(&failed, error);
	turn->top = malloc(r->info.vocab * sizeof *turn->top);
	if (!turn->top)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for %u logits", r->info.vocab);
	for (uint32_t i = 0; i < r->info.vocab; i++)
		turn->top[i] = (struct run_top){(int32_t)i, logits[i]};
	qsort(turn->top, r->info.vocab, sizeof *turn->top, by_logit);
	return MOTE_OK;
}

/* Small models get stuck: the last LOOP_TOKENS ids repeat with a period of at most LOOP_PERIOD. */
static bool goes_round(const int32_t *ids, size_t n)
{
	for (size_t period = 1; n >= LOOP_TOKENS + LOOP_PERIOD && period <= LOOP_PERIOD; period++) {
		size_t same = 0;

		while (same < LOOP_TOKENS && ids[n - 1 - same] == ids[n - 1 - same - period])
			same++;
		if (same == LOOP_TOKENS)
			return true;
	}
	return false;
}

/* A thought that goes round in circles is closed, an answer that does is ended. */
static void mind_loops(struct mote_lm_answer *a, enum mote_lm_event_kind part, size_t *since, struct run_turn *turn)
{
	struct mote_lm_answer_info info;

	mote_lm_answer_describe(a, &info);
	if (!goes_round(info.ids + *since, info.tokens - *since))
		return;
	if (part == MOTE_LM_EVENT_REASONING) {
		mote_lm_answer_close_reasoning(a);
		turn->said = "the thought went round in circles and was closed";
		*since = info.tokens;
	} else {
		mote_lm_answer_cancel(a);
		turn->said = "the answer went round in circles and was ended";
	}
}

static enum mote_status read_events(const struct run *r, struct mote_lm_answer *a, bool chat, struct run_turn *turn,
				    struct mote_error *error)
{
	struct shown shown = {.run = r, .part = MOTE_LM_EVENT_TEXT};
	enum mote_status status = MOTE_OK;
	struct mote_lm_error failed = {0};
	struct mote_lm_event event = {0};
	size_t since = 0;

	while (status == MOTE_OK) {
		if (mote_lm_answer_next(a, &event, &failed)) {
			if (failed.status != MOTE_LM_INTERRUPTED) {
				status = run_fail(&failed, error);
				break;
			}
			mote_lm_answer_cancel(a);
			failed = (struct mote_lm_error){0};
			continue;
		}
		if (event.kind == MOTE_LM_EVENT_END)
			break;
		show(&shown, &event);
		status = event.kind == MOTE_LM_EVENT_TEXT
			? keep_text(&turn->text, &turn->text_bytes, &event, error)
			: keep_text(&turn->reasoning, &turn->reasoning_bytes, &event, error);
		if (chat)
			mind_loops(a, event.kind, &since, turn);
	}
	turn->finish = event.finish;
	if (status == MOTE_OK && (turn->text || turn->reasoning || event.finish != MOTE_LM_FINISH_CANCELLED))
		show_end(&shown);
	return status;
}

/* White space at the end of the reasoning only separates it from its closing tag. */
static void trim_reasoning(struct run_turn *turn)
{
	size_t n = turn->reasoning_bytes;

	while (n && (turn->reasoning[n - 1] == '\n' || turn->reasoning[n - 1] == ' '))
		turn->reasoning[--n] = 0;
	turn->reasoning_bytes = n;
}

static enum mote_status keep_figures(const struct run *r, struct mote_lm_answer *a, struct run_turn *turn,
				     struct mote_error *error)
{
	struct mote_lm_answer_info info;
	int stop = mote_lm_answer_stop_text(a);

	mote_lm_answer_describe(a, &info);
	turn->stop = stop >= 0 ? r->answer.stop[stop] : NULL;
	turn->prompt_computed = info.prompt_computed;
	turn->prompt_seconds = info.prompt_seconds;
	turn->predict_seconds = info.predict_seconds;
	turn->tokens = info.tokens;
	mote_lm_answer_guesses(a, &turn->guessed, &turn->guessed_right);
	turn->ids = malloc((info.tokens + 1) * sizeof *turn->ids);
	if (!turn->ids)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the answer");
	if (info.tokens)
		memcpy(turn->ids, info.ids, info.tokens * sizeof *turn->ids);
	return MOTE_OK;
}

enum mote_status run_answer(struct run *r, struct run_turn *turn, bool continues_text, bool chat,
			    struct mote_error *error)
{
	struct mote_lm_answer_options options = r->answer;
	struct mote_lm_error failed = {0};
	struct mote_lm_answer *a = NULL;
	enum mote_status status = MOTE_OK, kept;

	options.prompt = turn->prompt;
	options.prompt_tokens = turn->prompt_tokens;
	options.continues_text = continues_text;
	options.reasoning_open = turn->reasoning_open;
	if (mote_lm_answer_open(r->session, &options, &a, &failed))
		return run_fail(&failed, error);
	status = read_events(r, a, chat, turn, error);
	kept = keep_figures(r, a, turn, error);
	mote_lm_answer_close(a);
	trim_reasoning(turn);
	if (status == MOTE_OK)
		status = kept;
	if (status == MOTE_OK && turn->tokens == 0)
		return mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	if (status == MOTE_OK && r->arguments->logits)
		status = keep_top(r, turn, error);
	return status ? status : mote_console_flush(error);
}

/* ---- telling ---- */

static double rate(size_t tokens, double seconds)
{
	return seconds > 0 ? (double)tokens / seconds : 0;
}

/* Tokens/s of the answer. Its first token comes with the prompt; only those after it are decoded. */
static double decode_rate(const struct run_turn *turn)
{
	return turn->tokens ? rate(turn->tokens - 1, turn->predict_seconds) : 0;
}

static const char *finish_name(enum mote_lm_finish finish)
{
	return finish == MOTE_LM_FINISH_STOP ? "stop" : finish == MOTE_LM_FINISH_LENGTH ? "length" : "interrupted";
}

/* Where nothing was timed there is no rate: of an answer of one token, or of a prompt that a session held. */
static void print_count(const char *what, size_t tokens, double tokens_a_second, int places)
{
	fprintf(stderr, "%s %zu tokens", what, tokens);
	if (tokens_a_second > 0)
		fprintf(stderr, ", %.*f tokens/s", places, tokens_a_second);
	fputs("; ", stderr);
}

void run_print_speed(const struct run *r, const struct run_turn *turn)
{
	double decode = decode_rate(turn);

	print_count("\n[prompt", turn->prompt_tokens, rate(turn->prompt_computed, turn->prompt_seconds), 0);
	print_count("answer", turn->tokens, decode, decode < 1000 ? 1 : 0);
	fprintf(stderr, "load %.0f ms; seed %llu; %s]\n", r->load_seconds * 1e3,
		(unsigned long long)r->sampling.seed, finish_name(turn->finish));
	if (turn->guessed)
		fprintf(stderr, "[lookup: %llu tokens guessed, %llu of them came]\n", (unsigned long long)turn->guessed,
			(unsigned long long)turn->guessed_right);
}

void run_print_end(const struct run *r, const struct run_turn *turn)
{
	if (!r->arguments->quiet)
		run_print_speed(r, turn);
	if (turn->said)
		fprintf(stderr, "[%s]\n", turn->said);
}

static void add_ids(struct mote_json_builder *b, cJSON *json, const char *key, const int32_t *ids, size_t count)
{
	cJSON *array = mote_json_add_array(b, json, key);

	for (size_t i = 0; i < count; i++)
		mote_json_add_number(b, array, NULL, ids[i]);
}

static void add_timings(struct mote_json_builder *b, cJSON *json, const struct run *r, const struct run_turn *turn)
{
	cJSON *timings = mote_json_add_object(b, json, "timings");
	struct mote_lm_session_info info;

	mote_lm_session_describe(r->session, &info);
	mote_json_add_number(b, timings, "load_ms", r->load_seconds * 1e3);
	mote_json_add_number(b, timings, "prompt_tokens", (double)turn->prompt_tokens);
	mote_json_add_number(b, timings, "prompt_computed", (double)turn->prompt_computed);
	mote_json_add_number(b, timings, "prompt_ms", turn->prompt_seconds * 1e3);
	mote_json_add_number(b, timings, "prompt_tokens_per_second", rate(turn->prompt_computed, turn->prompt_seconds));
	mote_json_add_number(b, timings, "predicted_tokens", (double)turn->tokens);
	mote_json_add_number(b, timings, "predicted_ms", turn->predict_seconds * 1e3);
	mote_json_add_number(b, timings, "predicted_tokens_per_second", decode_rate(turn));
	mote_json_add_number(b, timings, "guessed_tokens", (double)turn->guessed);
	mote_json_add_number(b, timings, "guessed_right", (double)turn->guessed_right);
	mote_json_add_number(b, timings, "threads", info.threads);
	mote_json_add_text(b, timings, "isa", info.isa);
}

enum mote_status run_print_json(const struct run *r, const struct run_turn *turn, struct mote_error *error)
{
	struct mote_json_builder b = {0};
	cJSON *json = mote_json_new_object(&b), *logits;
	enum mote_status status;

	mote_json_add_text(&b, json, "text", turn->text ? turn->text : "");
	mote_json_add_text(&b, json, "reasoning", turn->reasoning ? turn->reasoning : "");
	add_ids(&b, json, "ids", turn->ids, turn->tokens);
	add_ids(&b, json, "prompt_ids", turn->prompt, turn->prompt_tokens);
	mote_json_add_text(&b, json, "finish_reason", finish_name(turn->finish));
	mote_json_add_number(&b, json, "seed", (double)r->sampling.seed);
	add_timings(&b, json, r, turn);
	if (turn->top) {
		logits = mote_json_add_array(&b, json, "logits");
		for (uint32_t i = 0; i < r->arguments->logits && i < r->info.vocab; i++) {
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
