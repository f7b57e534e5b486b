/* mote-bench: how fast a model runs here, and how far that is from what the machine can do. */
#include <stdlib.h>
#include <string.h>

#include "format/clock.h"
#include "format/tool/console.h"
#include "runtime/bench.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/limits.h"
#include "runtime/kernels/pool.h"
#include "runtime/model/cost.h"

#define MOTE_BENCH "mote-bench"

enum { LIMIT_PASSES = 5 };

enum mote_weights bench_weights(const struct bench_arguments *a)
{
	return a->mapped ? MOTE_WEIGHTS_MAPPED : MOTE_WEIGHTS_HUGE_PAGES;
}

static int by_value(const void *left, const void *right)
{
	const double *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

double bench_median(double *values, uint32_t n)
{
	qsort(values, n, sizeof *values, by_value);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
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

/* Tokens/s of all streams at which decoding is all reading, the matrices once for all of them; or all arithmetic, where
 * that takes longer. */
static double decode_limit(const struct bench *b, const struct limits *limits, double bandwidth, const struct result *r)
{
	const struct mote_session_options *o = &b->arguments->session;
	double depth = r->depth + ((double)r->tokens - 1) / 2; /* the mean token's */
	struct mote_cost cost = mote_cost_decode(b->model, o->kv_k, o->kv_v, depth);
	double cache = cost.bytes - (double)b->weight_bytes;
	double reading = ((double)b->weight_bytes + r->streams * cache) / bandwidth, computing = 0;

	if (limits->int8_rate > 0)
		computing = r->streams * (cost.int8_ops / limits->int8_rate + cost.float_ops / limits->float_rate);
	return r->streams / (reading > computing ? reading : computing);
}

/* Tokens/s at which prefill is all arithmetic, each kind at its peak. */
static double prefill_limit(const struct bench *b, const struct limits *limits, uint32_t tokens, uint32_t depth)
{
	const struct mote_session_options *o = &b->arguments->session;
	struct mote_cost cost = mote_cost_prefill(b->model, o->kv_k, o->kv_v, depth, tokens);

	return tokens / (cost.int8_ops / limits->int8_rate + cost.float_ops / limits->float_rate);
}

/* ---- measuring ---- */

static enum mote_status time_once(struct texts *s, const struct result *r, bool prefill, double *rate,
				  struct mote_error *error)
{
	double started = mote_clock_seconds();
	enum mote_status status = prefill ? bench_advance(s, 0, r->depth, r->depth + r->tokens, error) :
					    bench_decode(s, r->streams, r->depth, r->depth + r->tokens, error);

	*rate = (double)r->tokens * r->streams / (mote_clock_seconds() - started);
	return status;
}

/* One row of the table, which says what: once to warm up, then repeats times; a decode's limit is measured beside each
 * repeat. */
static enum mote_status measure(struct bench *b, struct texts *s, struct mote_pool *pool, struct limits *limits,
				struct result *result, struct mote_error *error)
{
	double rates[MAX_REPEATS], shares[MAX_REPEATS], rate, bandwidth = 0, limit;
	bool prefill = !strcmp(result->kind, "prefill");
	uint32_t n = b->arguments->repeats;
	enum mote_status status;

	if ((status = time_once(s, result, prefill, &rate, error)))
		return status;
	for (uint32_t i = 0; i < n; i++) {
		if ((!prefill && (status = sample_bandwidth(b, pool, limits, &bandwidth, error))) ||
		    (status = time_once(s, result, prefill, &rates[i], error)))
			return status;
		limit = prefill ? prefill_limit(b, limits, result->tokens, result->depth) :
				  decode_limit(b, limits, bandwidth, result);
		shares[i] = limit > 0 ? rates[i] / limit : 0; /* 0: the scalar table has no limit of products */
	}
	result->rate = bench_median(rates, n);
	result->share = bench_median(shares, n);
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
	size_t samples = 1 + (size_t)a->depths.count * a->predicts.count * a->streams.count * a->repeats;
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

/* All tests at one depth. Texts are read to that depth when a test first needs them: so many `deep` are there. */
static enum mote_status measure_depth(struct bench *b, struct texts *s, struct mote_pool *pool, struct limits *limits,
				      struct result next, struct mote_error *error)
{
	const struct bench_arguments *a = b->arguments;
	enum mote_status status = bench_advance(s, 0, 0, next.depth, error);
	uint32_t deep = 1;

	next.kind = "prefill";
	next.streams = 1;
	for (uint32_t i = 0; i < a->prompts.count && status == MOTE_OK; i++) {
		next.tokens = a->prompts.value[i];
		if (next.tokens) {
			b->result[b->results] = next;
			status = measure(b, s, pool, limits, &b->result[b->results++], error);
		}
	}
	next.kind = "decode";
	for (uint32_t k = 0; k < a->predicts.count * a->streams.count && status == MOTE_OK; k++) {
		next.tokens = a->predicts.value[k % a->predicts.count];
		next.streams = a->streams.value[k / a->predicts.count];
		for (; next.tokens && deep < next.streams && status == MOTE_OK; deep++)
			status = bench_advance(s, deep, 0, next.depth, error);
		if (next.tokens && status == MOTE_OK) {
			b->result[b->results] = next;
			status = measure(b, s, pool, limits, &b->result[b->results++], error);
		}
	}
	return status;
}

static enum mote_status measure_threads(struct bench *b, uint32_t thread_index, struct mote_error *error)
{
	const struct bench_arguments *a = b->arguments;
	uint32_t prompt = largest(&a->prompts), predict = largest(&a->predicts), room;
	struct result next = {.threads = a->threads.value[thread_index]};
	struct limits *limits = &b->limits[thread_index];
	struct mote_session_options options = a->session;
	struct mote_pool *pool = NULL; /* that measures limits */
	enum mote_status status;
	struct texts s;

	options.threads = next.threads;
	options.sequences = largest(&a->streams);
	room = largest(&a->depths) + (prompt > predict ? prompt : predict);
	if ((status = bench_open_texts(&s, b->model, &options, room ? room : 1, error)))
		goto end;
	b->isa = mote_session_isa(s.session);
	if ((status = mote_pool_open(next.threads, &pool, error)) || (status = measure_limits(b, pool, limits, error)))
		goto end;
	for (uint32_t d = 0; d < a->depths.count; d++) {
		next.depth = a->depths.value[d];
		if ((status = measure_depth(b, &s, pool, limits, next, error)))
			goto end;
	}
	limits->bandwidth = bench_median(limits->sample, limits->samples);
end:
	free(limits->sample);
	mote_pool_close(pool);
	bench_close_texts(&s);
	return status;
}

static enum mote_status run(struct bench_arguments *a, int argc, char **argv, struct mote_error *error)
{
	struct bench *b = calloc(1, sizeof *b);
	struct mote_kernels kernels;
	enum mote_status status;

	if (b)
		b->result = calloc((size_t)a->threads.count * a->depths.count *
				   (a->prompts.count + a->predicts.count * a->streams.count), sizeof *b->result);
	if (!b || !b->result) {
		free(b);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory");
	}
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
	if ((status = bench_measure_start(b, argc, argv, error)) ||
	    (status = mote_model_open(a->model, bench_weights(a), &b->model, error)))
		goto end;
	/* Depth -1 leaves no position in the cache: the weights alone. */
	b->weight_bytes = (uint64_t)mote_cost_decode(b->model, a->session.kv_k, a->session.kv_v, -1).bytes;
	for (uint32_t i = 0; i < a->threads.count; i++)
		if ((status = measure_threads(b, i, error)))
			goto end;
	status = bench_print(b, error);
end:
	mote_model_close(b->model);
	free(b->result);
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
"  decode   of bandwidth / bytes that a token reads: all matrices, once for all texts, and\n"
"           each text's KV cache so far; with many texts at the peaks if that takes longer\n"
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
	{MOTE_OPTION_COUNTS, "p", "n-prompt", "N,...", "prefill of N tokens (default 512; 0: none)", AT(prompts),
	 0, 1 << 20},
	{MOTE_OPTION_COUNTS, "n", "n-gen", "N,...", "decode of N tokens (default 128; 0: none)", AT(predicts),
	 0, 1 << 20},
	{MOTE_OPTION_COUNTS, "d", "depth n-depth", "N,...", "at these depths (default 0)", AT(depths), 0, 1 << 20},
	{MOTE_OPTION_COUNTS, "np", "parallel", "N,...", "decode of N texts at once, each 1 to 256 (default 1)",
	 AT(streams), 1, MAX_STREAMS},
	{MOTE_OPTION_COUNTS, "t", "threads", "N,...", "with these threads, each 1 to 256 (default: the physical cores)",
	 AT(threads), 1, MOTE_OPTION_MAX_THREADS},
	{MOTE_OPTION_COUNT, "r", "repetitions", "N", "repeats (default 5)", AT(repeats), 1, MAX_REPEATS},
	{MOTE_OPTION_TAKE, "ctk", "cache-type-k", "TYPE", "type of the cached keys: f16 (default), q8 or f32",
	 AT(session.kv_k), .choices = "f16 q8 f32", .take = take_kv_type},
	{MOTE_OPTION_TAKE, "ctv", "cache-type-v", "TYPE", "type of the cached values: f16 (default), q8 or f32",
	 AT(session.kv_v), .choices = "f16 q8 f32", .take = take_kv_type},
	{MOTE_OPTION_TEXT, NULL, "isa", "NAME", "kernels to use (default: the best, or the environment's MOTE_ISA)",
	 AT(session.isa)},
	{MOTE_OPTION_FLAG, NULL, "mmap", NULL, "use the file's pages instead of huge pages", AT(mapped)},
	{MOTE_OPTION_CLEAR, NULL, "no-mmap", NULL, NULL, AT(mapped)},
	{MOTE_OPTION_FLAG, NULL, "json", NULL, "one JSON object", AT(json)},
	{MOTE_OPTION_FLAG, NULL, "markdown", NULL, "the table in Markdown", AT(markdown)},
	{MOTE_OPTION_FLAG, NULL, "first-token-of-this-process", NULL, NULL, AT(child)},
};

static const struct mote_tool tool = {
	MOTE_BENCH, about, "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 corrupt or refused input, 130 "
	"interrupted.\n", options, sizeof options / sizeof *options};

int main(int argc, char **argv)
{
	struct mote_error error = {0};
	struct bench_arguments arguments = {.prompts = {{512}, 1}, .predicts = {{128}, 1}, .depths = {{0}, 1},
					    .streams = {{1}, 1}, .repeats = 5};
	char **given = malloc(((size_t)argc + 1) * sizeof *given); /* parsing reorders argv */
	enum mote_status status;
	int code;

	if (!given)
		return 1;
	memcpy(given, argv, ((size_t)argc + 1) * sizeof *given);
	code = mote_options_parse(&tool, argc, argv, &arguments);
	if (code < 0 && arguments.json && arguments.markdown)
		code = mote_options_refuse(&tool, "--json and --markdown exclude each other");
	if (code < 0) {
		if (!arguments.threads.count)
			arguments.threads = (struct mote_option_counts){{mote_pool_physical_cores()}, 1};
		mote_console_catch_signals();
		status = arguments.child ? bench_run_child(&arguments, &error) : run(&arguments, argc, given, &error);
		code = status ? mote_console_fail(MOTE_BENCH, &error) : 0;
	}
	free(given);
	return code;
}
