/* mote-bench: how fast a model runs here, and how far that is from what the machine can do. */
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "format/tool/console.h"
#include "format/tool/options.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/limits.h"
#include "runtime/kernels/pool.h"
#include "runtime/model/cost.h"
#include "runtime/tokenizer/tokenizer.h"

#define MOTE_BENCH "mote-bench"
#define BATCH_ROWS 512u

enum {
	MAX_LIST = MOTE_OPTION_MAX_COUNTS,
	MAX_REPEATS = 100,
	FIRST_TOKEN_PROMPT = 32,
	LIMIT_PASSES = 5
};

extern char **environ;

struct bench_arguments {
	const char *model;
	struct mote_option_counts prompts, predicts, depths, threads;
	uint32_t repeats;
	struct mote_session_options session;
	bool mapped, json, child; /* child: this process is the one whose start is timed */
};

struct result {
	const char *kind;
	uint32_t tokens, depth, threads;
	double rate, spread, share; /* tokens/s; relative; of the limit, 0 where none could be measured */
};

struct start {
	double first_token_ms, load_ms;
	uint64_t peak_rss_bytes;
};

/* Of all threads together; operations count a multiply and an add as two. */
struct limits {
	double bandwidth, int8_rate, float_rate; /* bytes/s, operations/s */
	double *sample;                          /* of the bandwidth, which varies while others use the memory */
	uint32_t samples;
};

struct bench {
	struct bench_arguments *arguments;
	struct mote_model *model;
	uint64_t weight_bytes;
	const char *isa;
	struct limits limits[MAX_LIST]; /* by index in arguments->threads */
	struct result result[MAX_LIST * MAX_LIST * MAX_LIST];
	uint32_t results;
	struct start start;
};

static enum mote_weights weights_of(const struct bench_arguments *a)
{
	return a->mapped ? MOTE_WEIGHTS_MAPPED : MOTE_WEIGHTS_HUGE_PAGES;
}

/* ---- limits ---- */

static enum mote_status sample_bandwidth(const struct bench *b, struct mote_pool *pool, struct limits *limits,
					 double *bandwidth, struct mote_error *error)
{
	enum mote_status status = mote_limits_bandwidth(pool, b->weight_bytes, !b->arguments->mapped, LIMIT_PASSES,
							bandwidth, error);

	limits->sample[limits->samples++] = *bandwidth;
	return status;
}

/* Tokens/s at which decoding is all reading. */
static double decode_limit(const struct bench *b, double bandwidth, uint32_t tokens, uint32_t depth)
{
	const struct mote_session_options *o = &b->arguments->session;

	return bandwidth / mote_cost_decode(b->model, o->kv_k, o->kv_v, (double)depth + (double)tokens / 2).bytes;
}

/* Tokens/s at which prefill is all arithmetic, each kind at its peak. */
static double prefill_limit(const struct bench *b, const struct limits *limits, uint32_t tokens, uint32_t depth)
{
	const struct mote_session_options *o = &b->arguments->session;
	struct mote_cost cost = mote_cost_prefill(b->model, o->kv_k, o->kv_v, depth, tokens);

	return tokens / (cost.int8_ops / limits->int8_rate + cost.float_ops / limits->float_rate);
}

/* ---- measuring ---- */

struct stream {
	struct mote_session *session;
	int32_t *token;      /* [room] any ids: the time does not depend on them */
	uint32_t *position;  /* [room] 0, 1, 2 ... */
	uint8_t *want;       /* [BATCH_ROWS] zeros */
	uint32_t room;
};

/* Computes positions [begin, end), with the logits of the last only. */
static enum mote_status advance(struct stream *s, uint32_t begin, uint32_t end, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;
	const float *logits;

	while (begin < end && status == MOTE_OK) {
		uint32_t rows = end - begin < BATCH_ROWS ? end - begin : BATCH_ROWS;
		struct mote_batch batch = {.rows = rows, .token = s->token + begin, .position = s->position + begin,
					   .want_logits = s->want};

		if (mote_console_interrupted())
			return mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
		s->want[rows - 1] = begin + rows == end;
		status = mote_session_forward(s->session, &batch, &logits, error);
		s->want[rows - 1] = 0;
		begin += rows;
	}
	return status;
}

static void close_stream(struct stream *s)
{
	mote_session_close(s->session);
	free(s->token);
	free(s->position);
	free(s->want);
}

static enum mote_status open_stream(struct stream *s, const struct mote_model *m,
				    const struct mote_session_options *options, uint32_t threads, uint32_t room,
				    struct mote_error *error)
{
	struct mote_session_options o = *options;

	*s = (struct stream){.room = room, .token = malloc(room * sizeof *s->token),
			     .position = malloc(room * sizeof *s->position), .want = calloc(BATCH_ROWS, 1)};
	if (!s->token || !s->position || !s->want)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for %u tokens", room);
	for (uint32_t i = 0; i < room; i++) {
		s->token[i] = (int32_t)(i * 7919u % m->config.vocab);
		s->position[i] = i;
	}
	o.threads = threads;
	o.context_tokens = room;
	o.batch_rows = BATCH_ROWS;
	return mote_session_open(m, &o, &s->session, error);
}

static int by_value(const void *left, const void *right)
{
	const double *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

static double median(double *values, uint32_t n)
{
	qsort(values, n, sizeof *values, by_value);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static enum mote_status time_once(struct stream *s, bool prefill, uint32_t tokens, uint32_t depth, double *rate,
				  struct mote_error *error)
{
	uint32_t step = prefill ? tokens : 1;
	double started = mote_console_seconds();
	enum mote_status status = MOTE_OK;

	for (uint32_t t = 0; t < tokens && status == MOTE_OK; t += step)
		status = advance(s, depth + t, depth + t + step, error);
	*rate = tokens / (mote_console_seconds() - started);
	return status;
}

/* One row of the table: once to warm up, then repeats times; a decode's limit is measured beside each repeat. */
static enum mote_status measure(struct bench *b, struct stream *s, struct mote_pool *pool, uint32_t thread_index,
				bool prefill, uint32_t tokens, uint32_t depth, struct mote_error *error)
{
	struct limits *limits = &b->limits[thread_index];
	double rates[MAX_REPEATS], shares[MAX_REPEATS], rate, bandwidth = 0, limit;
	struct result *result = &b->result[b->results++];
	uint32_t n = b->arguments->repeats;
	enum mote_status status;

	if ((status = time_once(s, prefill, tokens, depth, &rate, error)))
		return status;
	for (uint32_t i = 0; i < n; i++) {
		if ((!prefill && (status = sample_bandwidth(b, pool, limits, &bandwidth, error))) ||
		    (status = time_once(s, prefill, tokens, depth, &rates[i], error)))
			return status;
		limit = prefill ? prefill_limit(b, limits, tokens, depth) : decode_limit(b, bandwidth, tokens, depth);
		shares[i] = limit > 0 ? rates[i] / limit : 0; /* 0: the scalar table has no limit of products */
	}
	*result = (struct result){.kind = prefill ? "prefill" : "decode", .tokens = tokens, .depth = depth,
				  .threads = b->arguments->threads.value[thread_index], .rate = median(rates, n),
				  .share = median(shares, n)};
	result->spread = (rates[n - 1] - rates[0]) / result->rate;
	return MOTE_OK;
}

static uint32_t largest(const struct mote_option_counts *list)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < list->count; i++)
		most = list->value[i] > most ? list->value[i] : most;
	return most;
}

static enum mote_status measure_limits(const struct bench *b, struct mote_pool *pool, struct limits *limits,
				       struct mote_error *error)
{
	const struct bench_arguments *a = b->arguments;
	size_t samples = 1 + (size_t)a->depths.count * a->predicts.count * a->repeats;
	struct mote_kernels kernels;
	enum mote_status status;

	limits->sample = malloc(samples * sizeof *limits->sample);
	if (!limits->sample)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for %zu measurements", samples);
	if ((status = mote_kernels_select(a->session.isa, &kernels, error)) ||
	    (status = sample_bandwidth(b, pool, limits, &limits->bandwidth, error)))
		return status;
	limits->int8_rate = mote_limits_int8(pool, &kernels);
	limits->float_rate = mote_limits_f32(pool, &kernels);
	return MOTE_OK;
}

static enum mote_status measure_threads(struct bench *b, uint32_t thread_index, struct mote_error *error)
{
	const struct bench_arguments *a = b->arguments;
	uint32_t prompt = largest(&a->prompts), predict = largest(&a->predicts), room;
	uint32_t threads = a->threads.value[thread_index];
	struct limits *limits = &b->limits[thread_index];
	struct mote_pool *pool = NULL; /* that measures limits */
	enum mote_status status;
	struct stream s;

	room = largest(&a->depths) + (prompt > predict ? prompt : predict);
	if ((status = open_stream(&s, b->model, &a->session, threads, room ? room : 1, error)))
		goto end;
	b->isa = mote_session_isa(s.session);
	if ((status = mote_pool_open(threads, &pool, error)) || (status = measure_limits(b, pool, limits, error)))
		goto end;
	for (uint32_t d = 0; d < a->depths.count; d++) {
		uint32_t depth = a->depths.value[d];

		if ((status = advance(&s, 0, depth, error)))
			goto end;
		for (uint32_t i = 0; i < a->prompts.count; i++)
			if (a->prompts.value[i] &&
			    (status = measure(b, &s, pool, thread_index, true, a->prompts.value[i], depth, error)))
				goto end;
		for (uint32_t i = 0; i < a->predicts.count; i++)
			if (a->predicts.value[i] &&
			    (status = measure(b, &s, pool, thread_index, false, a->predicts.value[i], depth, error)))
				goto end;
	}
	limits->bandwidth = median(limits->sample, limits->samples);
end:
	free(limits->sample);
	mote_pool_close(pool);
	close_stream(&s);
	return status;
}

/* ---- the start of a process ---- */

/* The child: opens all that mote-run opens, reads a short prompt, reports, then fills memory as a longer one does. */
static enum mote_status run_child(struct bench_arguments *a, struct mote_error *error)
{
	double started = mote_console_seconds(), loaded;
	struct mote_tokenizer *tokenizer = NULL;
	struct mote_model *m = NULL;
	struct stream s = {0};
	enum mote_status status;
	const void *section;
	size_t bytes;

	if ((status = mote_model_open(a->model, weights_of(a), &m, error)))
		goto end;
	section = mote_container_section(m->container, MOTE_SECTION_TOKENIZER, &bytes);
	if (section && (status = mote_tokenizer_open(section, bytes, &tokenizer, error)))
		goto end;
	if ((status = open_stream(&s, m, &a->session, a->threads.value[0], m->config.max_positions, error)))
		goto end;
	loaded = mote_console_seconds();
	if ((status = advance(&s, 0, FIRST_TOKEN_PROMPT < s.room ? FIRST_TOKEN_PROMPT : s.room, error)))
		goto end;
	printf("%.6f\n", loaded - started);
	fflush(stdout);
	status = advance(&s, 0, BATCH_ROWS < s.room ? BATCH_ROWS : s.room, error);
end:
	close_stream(&s);
	mote_tokenizer_close(tokenizer);
	mote_model_close(m);
	return status;
}

/* Starts one child and reads when its first token came, how long it loaded, and its peak memory. */
static bool time_child(char **argv, struct start *start)
{
	posix_spawn_file_actions_t actions;
	double started, load = 0;
	struct rusage usage;
	int fd[2], status = -1;
	FILE *from;
	pid_t pid;
	bool ok;

	if (pipe(fd))
		return false;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, fd[0]);
	posix_spawn_file_actions_addclose(&actions, fd[1]);
	started = mote_console_seconds();
	ok = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ) == 0;
	posix_spawn_file_actions_destroy(&actions);
	close(fd[1]);
	from = fdopen(fd[0], "r");
	ok = from && fscanf(from, "%lf", &load) == 1 && ok;
	*start = (struct start){.first_token_ms = (mote_console_seconds() - started) * 1e3, .load_ms = load * 1e3};
	if (from)
		fclose(from);
	else
		close(fd[0]);
	if (pid <= 0 || wait4(pid, &status, 0, &usage) != pid)
		return false;
	start->peak_rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
	return ok && status == 0;
}

static enum mote_status measure_start(struct bench *b, int argc, char **argv, struct mote_error *error)
{
	static char flag[] = "--first-token-of-this-process";
	double first[MAX_REPEATS], load[MAX_REPEATS];
	char **child = calloc((size_t)argc + 2, sizeof *child);
	uint32_t n = b->arguments->repeats;

	if (!child)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for arguments");
	memcpy(child, argv, (size_t)argc * sizeof *child);
	child[argc] = flag;
	for (uint32_t i = 0; i <= n; i++) { /* the first only brings the file into the page cache */
		if (!time_child(child, &b->start)) {
			free(child);
			return mote_error_set(error, MOTE_ERROR_IO, "the process that times the first token failed");
		}
		if (i > 0) {
			first[i - 1] = b->start.first_token_ms;
			load[i - 1] = b->start.load_ms;
		}
	}
	free(child);
	b->start.first_token_ms = median(first, n);
	b->start.load_ms = median(load, n);
	return MOTE_OK;
}

/* ---- results ---- */

static void print_table(const struct bench *b)
{
	const struct bench_arguments *a = b->arguments;

	printf("%s: %.1f MB of weights, %s, %s\n\n", a->model, (double)b->weight_bytes / 1e6, b->isa,
	       a->mapped ? "mapped from the file" : "in huge pages");
	printf("test       tokens   depth  threads  tokens/s   spread  of limit\n");
	for (uint32_t i = 0; i < b->results; i++) {
		const struct result *r = &b->result[i];

		printf("%-9s %7u %7u %8u %9.1f %6.1f %% %7.1f %%\n", r->kind, r->tokens, r->depth, r->threads, r->rate,
		       r->spread * 100, r->share * 100);
	}
	printf("\nthreads  bandwidth GB/s  int8 Gop/s  f32 Gop/s\n");
	for (uint32_t i = 0; i < a->threads.count; i++)
		printf("%7u %15.1f %11.0f %10.0f\n", a->threads.value[i], b->limits[i].bandwidth / 1e9,
		       b->limits[i].int8_rate / 1e9, b->limits[i].float_rate / 1e9);
	printf("\nload %.0f ms, first token after %.0f ms (whole process, prompt of %d tokens), peak memory %.1f MB\n",
	       b->start.load_ms, b->start.first_token_ms, FIRST_TOKEN_PROMPT, (double)b->start.peak_rss_bytes / 1e6);
}

static enum mote_status print_json(const struct bench *b, struct mote_error *error)
{
	const struct bench_arguments *a = b->arguments;
	cJSON *json = cJSON_CreateObject(), *results, *limits;
	uint32_t most = 0;
	enum mote_status status;

	cJSON_AddStringToObject(json, "isa", b->isa);
	cJSON_AddStringToObject(json, "pages", a->mapped ? "mapped" : "huge");
	cJSON_AddNumberToObject(json, "weight_bytes", (double)b->weight_bytes);
	results = cJSON_AddArrayToObject(json, "results");
	for (uint32_t i = 0; i < b->results; i++) {
		const struct result *r = &b->result[i];
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "kind", r->kind);
		cJSON_AddNumberToObject(item, "tokens", r->tokens);
		cJSON_AddNumberToObject(item, "depth", r->depth);
		cJSON_AddNumberToObject(item, "threads", r->threads);
		cJSON_AddNumberToObject(item, "tokens_per_second", r->rate);
		cJSON_AddNumberToObject(item, "spread", r->spread);
		cJSON_AddNumberToObject(item, "share_of_limit", r->share);
		cJSON_AddNumberToObject(item, "limit_tokens_per_second", r->share > 0 ? r->rate / r->share : 0);
		cJSON_AddItemToArray(results, item);
	}
	cJSON_AddNumberToObject(json, "load_ms", b->start.load_ms);
	cJSON_AddNumberToObject(json, "first_token_ms", b->start.first_token_ms);
	cJSON_AddNumberToObject(json, "peak_rss_bytes", (double)b->start.peak_rss_bytes);
	for (uint32_t i = 0; i < a->threads.count; i++)
		most = a->threads.value[i] > a->threads.value[most] ? i : most;
	limits = cJSON_AddObjectToObject(json, "limits"); /* of the most threads */
	cJSON_AddNumberToObject(limits, "bandwidth_gb_s", b->limits[most].bandwidth / 1e9);
	cJSON_AddNumberToObject(limits, "int8_gop_s", b->limits[most].int8_rate / 1e9);
	cJSON_AddNumberToObject(limits, "f32_gop_s", b->limits[most].float_rate / 1e9);
	status = mote_console_print_json(json, error);
	cJSON_Delete(json);
	return status;
}

static enum mote_status run(struct bench_arguments *a, int argc, char **argv, struct mote_error *error)
{
	struct bench *b = calloc(1, sizeof *b);
	struct mote_kernels kernels;
	enum mote_status status;

	if (!b)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory");
	b->arguments = a;
	/* What is wrong with the file or the arguments is said here, once; the children could only fail. */
	status = mote_model_open(a->model, MOTE_WEIGHTS_MAPPED, &b->model, error);
	mote_model_close(b->model);
	b->model = NULL;
	if (status)
		mote_console_hint_model(a->model, error);
	if (status || (status = mote_kernels_select(a->session.isa, &kernels, error)))
		goto end;
	/* First, while this process is small: a child's peak memory begins with what its parent has. */
	if ((status = measure_start(b, argc, argv, error)) ||
	    (status = mote_model_open(a->model, weights_of(a), &b->model, error)))
		goto end;
	/* Depth -1 leaves no position in the cache: the weights alone. */
	b->weight_bytes = (uint64_t)mote_cost_decode(b->model, a->session.kv_k, a->session.kv_v, -1).bytes;
	for (uint32_t i = 0; i < a->threads.count; i++)
		if ((status = measure_threads(b, i, error)))
			goto end;
	if (a->json) {
		status = print_json(b, error);
	} else {
		print_table(b);
		status = mote_console_flush(error);
	}
end:
	mote_model_close(b->model);
	free(b);
	return status;
}

/* ---- command line ---- */

static const char about[] =
"Usage: mote-bench [OPTION]... MODEL.mote\n"
"\n"
"Measures how fast a model reads a prompt (prefill) and writes an answer (decode), at the\n"
"start of a text and at depth, and in the same run what the machine can do at most: the\n"
"bandwidth with which as many bytes as the model has stream from memory, in the same kind\n"
"of pages, and the peak of integer and float arithmetic with the instruction set in use.\n"
"\n"
"Each test runs once to warm up and then -r times; shown are the median and the spread\n"
"(largest minus smallest, relative to the median). A depth is reached by reading that many\n"
"tokens, which is not timed. The bandwidth is measured anew before each repeat of a decode.\n"
"The share of the limit is\n"
"  decode   of bandwidth / bytes that a token reads: all matrices and the KV cache so far\n"
"  prefill  of the time that the products take at the integer peak (at the float peak for\n"
"           float weights) and attention at the float peak\n"
"Time to first token is that of a whole process, from its start to the first token after a\n"
"prompt of 32 tokens; peak memory is that of a process which then reads 512 tokens more.\n";

static enum mote_status take_kv_type(void *at, const char *text, struct mote_error *error)
{
	(void)error;
	return mote_kv_type_from_name(text, at) ? MOTE_OK : MOTE_ERROR_ARGUMENT;
}

#define AT(field) .at = offsetof(struct bench_arguments, field)

static const struct mote_option options[] = {
	{MOTE_OPTION_TEXT, "m", "model", "FILE", "the model (-m may be left out)", AT(model)},
	{MOTE_OPTION_OPERAND, .argument = "MODEL.mote", AT(model)},
	{MOTE_OPTION_COUNTS, "p", "n-prompt", "N,...", "prefill of N tokens (default 512; 0: none)", AT(prompts), 0, 1 << 20},
	{MOTE_OPTION_COUNTS, "n", "n-gen", "N,...", "decode of N tokens (default 128; 0: none)", AT(predicts), 0, 1 << 20},
	{MOTE_OPTION_COUNTS, "d", "depth n-depth", "N,...", "at these depths (default 0)", AT(depths), 0, 1 << 20},
	{MOTE_OPTION_COUNTS, "t", "threads", "N,...", "with these threads, each 1 to 256 (default: the physical cores)",
	 AT(threads), 1, MOTE_OPTION_MAX_THREADS},
	{MOTE_OPTION_COUNT, "r", "repetitions", "N", "repeats (default 5)", AT(repeats), 1, MAX_REPEATS},
	{MOTE_OPTION_TAKE, "ctk", "cache-type-k", "TYPE", "type of the cached keys: f16 (default), q8 or f32", AT(session.kv_k),
	 .choices = "f16 q8 f32", .take = take_kv_type},
	{MOTE_OPTION_TAKE, "ctv", "cache-type-v", "TYPE", "type of the cached values: f16 (default), q8 or f32",
	 AT(session.kv_v), .choices = "f16 q8 f32", .take = take_kv_type},
	{MOTE_OPTION_TEXT, NULL, "isa", "NAME", "kernels to use (default: the best, or the environment's MOTE_ISA)",
	 AT(session.isa)},
	{MOTE_OPTION_FLAG, NULL, "mmap", NULL, "use the file's pages instead of huge pages", AT(mapped)},
	{MOTE_OPTION_CLEAR, NULL, "no-mmap", NULL, NULL, AT(mapped)},
	{MOTE_OPTION_FLAG, NULL, "json", NULL, "one JSON object", AT(json)},
	{MOTE_OPTION_FLAG, NULL, "first-token-of-this-process", NULL, NULL, AT(child)},
};

static const struct mote_tool tool = {
	MOTE_BENCH, about, "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 corrupt or refused input, 130 interrupted.\n",
	options, sizeof options / sizeof *options};

int main(int argc, char **argv)
{
	struct mote_error error = {0};
	struct bench_arguments arguments = {.prompts = {{512}, 1}, .predicts = {{128}, 1}, .depths = {{0}, 1}, .repeats = 5};
	char **given = malloc(((size_t)argc + 1) * sizeof *given); /* parsing reorders argv */
	enum mote_status status;
	int code;

	if (!given)
		return 1;
	memcpy(given, argv, ((size_t)argc + 1) * sizeof *given);
	code = mote_options_parse(&tool, argc, argv, &arguments);
	if (code < 0) {
		if (!arguments.threads.count)
			arguments.threads = (struct mote_option_counts){{mote_pool_physical_cores()}, 1};
		mote_console_catch_signals();
		status = arguments.child ? run_child(&arguments, &error) : run(&arguments, argc, given, &error);
		code = status ? mote_console_fail(MOTE_BENCH, &error) : 0;
	}
	free(given);
	return code;
}
