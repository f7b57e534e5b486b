/* mote-bench: how fast a model runs here, and how far that is from what the machine can do. */
#include <errno.h>
#include <getopt.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "format/console.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/limits.h"
#include "runtime/kernels/pool.h"
#include "runtime/model/cost.h"
#include "runtime/text/tokenizer.h"

#define TOOL "mote-bench"
#define BATCH_ROWS 512u

enum {
	MAX_LIST = 16,
	MAX_REPEATS = 100,
	FIRST_TOKEN_PROMPT = 32,
	LIMIT_PASSES = 10
};

extern char **environ;

static const char help[] =
"Usage: mote-bench [OPTION]... MODEL.mote\n"
"\n"
"Measures how fast a model reads a prompt (prefill) and writes an answer (decode), at the\n"
"start of a text and at depth, and in the same run what the machine can do at most: the\n"
"bandwidth with which as many bytes as the model has stream from memory, in the same kind\n"
"of pages, and the peak of integer and float arithmetic with the instruction set in use.\n"
"\n"
"Each test runs once to warm up and then -r times; shown are the median and the spread\n"
"(largest minus smallest, relative to the median). A depth is reached by reading that many\n"
"tokens, which is not timed. The share of the limit is\n"
"  decode   of bandwidth / bytes that a token reads: all matrices and the KV cache so far\n"
"  prefill  of the time that the products take at the integer peak (at the float peak for\n"
"           float weights) and attention at the float peak\n"
"Time to first token is that of a whole process, from its start to the first token after a\n"
"prompt of 32 tokens; peak memory is that of a process which then reads 512 tokens more.\n"
"\n"
"  -m, --model FILE        the model (-m may be left out)\n"
"  -p, --n-prompt N,...    prefill of N tokens (default 512; 0: none)\n"
"  -n, --n-gen N,...       decode of N tokens (default 128; 0: none)\n"
"  -d, --depth N,...       at these depths (default 0)\n"
"  -t, --threads N,...     with these threads (default: the physical cores)\n"
"  -r, --repetitions N     repeats (default 5)\n"
"  -ctk, --cache-type-k T  type of the cached keys: f16 (default), q8 or f32\n"
"  -ctv, --cache-type-v T  type of the cached values: f16 (default), q8 or f32\n"
"      --isa NAME          kernels to use (default: the best, or the environment's MOTE_ISA)\n"
"      --mmap              use the file's pages instead of huge pages\n"
"      --json              one JSON object\n"
"  -h, --help, --version\n"
"\n"
"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 corrupt or refused input, 130 interrupted.\n";

struct list {
	uint32_t value[MAX_LIST], count;
};

struct arguments {
	const char *model;
	struct list prompts, predicts, depths, threads;
	uint32_t repeats;
	struct mote_session_options session;
	bool mapped, json, child; /* child: this process is the one whose start is timed */
};

struct result {
	const char *kind;
	uint32_t tokens, depth, threads;
	double rate, spread, limit; /* tokens/s; relative; tokens/s */
};

struct start {
	double first_token_ms, load_ms;
	uint64_t peak_rss_bytes;
};

/* Of all threads together; operations count a multiply and an add as two. */
struct limits {
	double bandwidth, int8_rate, float_rate; /* bytes/s, operations/s */
};

struct bench {
	struct arguments *arguments;
	struct mote_model *model;
	uint64_t weight_bytes;
	const char *isa;
	struct limits limits[MAX_LIST]; /* by index in arguments->threads */
	struct result result[MAX_LIST * MAX_LIST * MAX_LIST];
	uint32_t results;
	struct start start;
};

/* ---- arguments ---- */

static enum mote_status need_list(const char *option, const char *text, uint32_t min, uint32_t max, struct list *list,
				  struct mote_error *error)
{
	list->count = 0;
	for (const char *at = text;;) {
		char *end;
		unsigned long value;

		errno = 0;
		value = strtoul(at, &end, 10);
		if (end == at || *at == '-' || errno || value < min || value > max || list->count == MAX_LIST ||
		    (*end && *end != ','))
			return mote_error_set(error, MOTE_ERROR_ARGUMENT,
					      "%s %s: expected up to %d integers of %u to %u with commas between", option, text,
					      MAX_LIST, min, max);
		list->value[list->count++] = (uint32_t)value;
		if (!*end)
			return MOTE_OK;
		at = end + 1;
	}
}

enum option_code {
	OPTION_HELP = 256, OPTION_VERSION, OPTION_TYPE_K, OPTION_TYPE_V, OPTION_ISA, OPTION_MMAP, OPTION_NO_MMAP, OPTION_JSON,
	OPTION_CHILD
};

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPTION_HELP}, {"version", no_argument, NULL, OPTION_VERSION},
	{"model", required_argument, NULL, 'm'},
	{"n-prompt", required_argument, NULL, 'p'}, {"n-gen", required_argument, NULL, 'n'},
	{"depth", required_argument, NULL, 'd'}, {"n-depth", required_argument, NULL, 'd'},
	{"threads", required_argument, NULL, 't'}, {"repetitions", required_argument, NULL, 'r'},
	{"cache-type-k", required_argument, NULL, OPTION_TYPE_K}, {"ctk", required_argument, NULL, OPTION_TYPE_K},
	{"cache-type-v", required_argument, NULL, OPTION_TYPE_V}, {"ctv", required_argument, NULL, OPTION_TYPE_V},
	{"isa", required_argument, NULL, OPTION_ISA},
	{"mmap", no_argument, NULL, OPTION_MMAP}, {"no-mmap", no_argument, NULL, OPTION_NO_MMAP},
	{"json", no_argument, NULL, OPTION_JSON}, {"first-token-of-this-process", no_argument, NULL, OPTION_CHILD},
	{NULL, 0, NULL, 0}
};

static enum mote_status set_option(struct arguments *a, int option, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;
	struct list one;

	switch (option) {
	case 'm': a->model = optarg; return MOTE_OK;
	case 'p': return need_list("-p", optarg, 0, 1u << 20, &a->prompts, error);
	case 'n': return need_list("-n", optarg, 0, 1u << 20, &a->predicts, error);
	case 'd': return need_list("-d", optarg, 0, 1u << 20, &a->depths, error);
	case 't': return need_list("-t", optarg, 1, MOTE_MAX_THREADS, &a->threads, error);
	case 'r':
		status = need_list("-r", optarg, 1, MAX_REPEATS, &one, error);
		a->repeats = one.value[0];
		return status;
	case OPTION_TYPE_K: return mote_kv_type_parse("-ctk", optarg, &a->session.kv_k, error);
	case OPTION_TYPE_V: return mote_kv_type_parse("-ctv", optarg, &a->session.kv_v, error);
	case OPTION_ISA: a->session.isa = optarg; return MOTE_OK;
	case OPTION_MMAP: a->mapped = true; return MOTE_OK;
	case OPTION_NO_MMAP: a->mapped = false; return MOTE_OK;
	case OPTION_JSON: a->json = true; return MOTE_OK;
	case OPTION_CHILD: a->child = true; return MOTE_OK;
	default: return MOTE_ERROR_ARGUMENT;
	}
}

/* As in mote-run: MOTE_OK without a model when --help or --version was answered; an empty error when getopt has
 * printed the message. */
static enum mote_status parse_arguments(int argc, char **argv, struct arguments *a, struct mote_error *error)
{
	enum mote_status status;
	int option;

	*a = (struct arguments){.prompts = {{512}, 1}, .predicts = {{128}, 1}, .depths = {{0}, 1}, .repeats = 5};
	while ((option = getopt_long_only(argc, argv, "m:p:n:d:t:r:h", long_options, NULL)) != -1) {
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
	if (!a->threads.count)
		a->threads = (struct list){{mote_pool_physical_cores()}, 1};
	return MOTE_OK;
}

static enum mote_weights weights_of(const struct arguments *a)
{
	return a->mapped ? MOTE_WEIGHTS_MAPPED : MOTE_WEIGHTS_HUGE_PAGES;
}

/* ---- limits ---- */

/* Tokens/s at which decoding is all reading. */
static double decode_limit(const struct bench *b, const struct limits *limits, uint32_t tokens, uint32_t depth)
{
	const struct mote_session_options *o = &b->arguments->session;

	return limits->bandwidth /
	       mote_cost_decode(b->model, o->kv_k, o->kv_v, (double)depth + (double)tokens / 2).bytes;
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

/* One row of the table: once to warm up, then repeats times. */
static enum mote_status measure(struct bench *b, struct stream *s, uint32_t thread_index, bool prefill,
				uint32_t tokens, uint32_t depth, struct mote_error *error)
{
	const struct limits *limits = &b->limits[thread_index];
	double rates[MAX_REPEATS];
	struct result *result = &b->result[b->results];
	enum mote_status status;

	for (uint32_t i = 0; i <= b->arguments->repeats; i++) {
		double started = mote_console_seconds();

		if (prefill) {
			if ((status = advance(s, depth, depth + tokens, error)))
				return status;
		} else {
			for (uint32_t t = 0; t < tokens; t++)
				if ((status = advance(s, depth + t, depth + t + 1, error)))
					return status;
		}
		if (i > 0)
			rates[i - 1] = tokens / (mote_console_seconds() - started);
	}
	*result = (struct result){.kind = prefill ? "prefill" : "decode", .tokens = tokens, .depth = depth,
				  .threads = b->arguments->threads.value[thread_index],
				  .rate = median(rates, b->arguments->repeats)};
	result->limit = prefill ? prefill_limit(b, limits, tokens, depth) : decode_limit(b, limits, tokens, depth);
	result->spread = (rates[b->arguments->repeats - 1] - rates[0]) / result->rate;
	b->results++;
	return MOTE_OK;
}

static uint32_t largest(const struct list *list)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < list->count; i++)
		most = list->value[i] > most ? list->value[i] : most;
	return most;
}

static enum mote_status measure_limits(const struct bench *b, uint32_t threads, struct limits *limits,
				       struct mote_error *error)
{
	struct mote_kernels kernels;
	struct mote_pool *pool = NULL;
	enum mote_status status;

	if ((status = mote_kernels_select(b->arguments->session.isa, &kernels, error)) ||
	    (status = mote_pool_open(threads, &pool, error)))
		return status;
	status = mote_limits_bandwidth(pool, b->weight_bytes, !b->arguments->mapped, LIMIT_PASSES, &limits->bandwidth,
				       error);
	limits->int8_rate = mote_limits_int8(pool, &kernels);
	limits->float_rate = mote_limits_f32(pool, &kernels);
	mote_pool_close(pool);
	return status;
}

static enum mote_status measure_threads(struct bench *b, uint32_t thread_index, struct mote_error *error)
{
	const struct arguments *a = b->arguments;
	uint32_t prompt = largest(&a->prompts), predict = largest(&a->predicts), room;
	enum mote_status status;
	struct stream s;

	room = largest(&a->depths) + (prompt > predict ? prompt : predict);
	if ((status = open_stream(&s, b->model, &a->session, a->threads.value[thread_index], room ? room : 1, error)))
		goto end;
	b->isa = mote_session_isa(s.session);
	if ((status = measure_limits(b, a->threads.value[thread_index], &b->limits[thread_index], error)))
		goto end;
	for (uint32_t d = 0; d < a->depths.count; d++) {
		uint32_t depth = a->depths.value[d];

		if ((status = advance(&s, 0, depth, error)))
			goto end;
		for (uint32_t i = 0; i < a->prompts.count; i++)
			if (a->prompts.value[i] &&
			    (status = measure(b, &s, thread_index, true, a->prompts.value[i], depth, error)))
				goto end;
		for (uint32_t i = 0; i < a->predicts.count; i++)
			if (a->predicts.value[i] &&
			    (status = measure(b, &s, thread_index, false, a->predicts.value[i], depth, error)))
				goto end;
	}
end:
	close_stream(&s);
	return status;
}

/* ---- the start of a process ---- */

/* The child: opens all that mote-run opens, reads a short prompt, reports, then fills memory as a longer one does. */
static enum mote_status run_child(struct arguments *a, struct mote_error *error)
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

/* 0 where no limit could be measured: the scalar table has none. */
static double share_of_limit(const struct result *r)
{
	return r->limit > 0 ? r->rate / r->limit : 0;
}

static void print_table(const struct bench *b)
{
	const struct arguments *a = b->arguments;

	printf("%s: %.1f MB of weights, %s, %s\n\n", a->model, (double)b->weight_bytes / 1e6, b->isa,
	       a->mapped ? "mapped from the file" : "in huge pages");
	printf("test       tokens   depth  threads  tokens/s   spread  of limit\n");
	for (uint32_t i = 0; i < b->results; i++) {
		const struct result *r = &b->result[i];

		printf("%-9s %7u %7u %8u %9.1f %6.1f %% %7.1f %%\n", r->kind, r->tokens, r->depth, r->threads, r->rate,
		       r->spread * 100, share_of_limit(r) * 100);
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
	const struct arguments *a = b->arguments;
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
		cJSON_AddNumberToObject(item, "share_of_limit", share_of_limit(r));
		cJSON_AddNumberToObject(item, "limit_tokens_per_second", r->limit);
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

static enum mote_status run(struct arguments *a, int argc, char **argv, struct mote_error *error)
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

int main(int argc, char **argv)
{
	struct mote_error error = {0};
	struct arguments arguments;
	char **given = malloc((size_t)argc * sizeof *given); /* getopt reorders argv */
	enum mote_status status;

	if (!given)
		return 1;
	memcpy(given, argv, (size_t)argc * sizeof *given);
	status = parse_arguments(argc, argv, &arguments, &error);
	if (status == MOTE_OK && arguments.model) {
		mote_console_catch_signals();
		status = arguments.child ? run_child(&arguments, &error) : run(&arguments, argc, given, &error);
	}
	free(given);
	if (status && !error.code) /* getopt has said what is wrong */
		return mote_status_exit_code(status);
	return status ? mote_console_fail(TOOL, &error) : 0;
}
