/* What mote-bench prints: a table to read, the same in Markdown, or JSON. */
#include "runtime/bench.h"

#include "format/json_build.h"
#include "format/tool/console.h"

enum { FIGURE_ROOM = 32 };

/* A dash stands for what has not been measured: the scalar kernels have no peak. */
static const char *figure(char text[FIGURE_ROOM], double x, int digits, const char *unit)
{
	if (x > 0)
		snprintf(text, FIGURE_ROOM, "%.*f%s", digits, x, unit);
	return x > 0 ? text : "-";
}

static void print_start(const struct bench *b)
{
	printf("\nload %.0f ms (at worst %.0f), first token after %.0f ms (at worst %.0f; whole process, prompt of %d "
	       "tokens), peak memory %.1f MB\n", b->start.load_ms, b->start.load_worst_ms, b->start.first_token_ms,
	       b->start.first_token_worst_ms, FIRST_TOKEN_PROMPT, (double)b->start.peak_rss_bytes / 1e6);
}

static void print_table(const struct bench *b)
{
	const struct bench_arguments *a = b->arguments;
	char share[FIGURE_ROOM], int8[FIGURE_ROOM], f32[FIGURE_ROOM];

	printf("%s: %.1f MB of weights, %s, %s\n\n", a->model, (double)b->weight_bytes / 1e6, b->isa,
	       a->mapped ? "mapped from the file" : "in huge pages");
	printf("test       tokens   depth  texts  threads  tokens/s   spread  of limit\n");
	for (uint32_t i = 0; i < b->results; i++) {
		const struct result *r = &b->result[i];

		printf("%-9s %7u %7u %6u %8u %9.1f %6.1f %% %9s\n", r->kind, r->tokens, r->depth, r->streams,
		       r->threads, r->rate, r->spread * 100, figure(share, r->share * 100, 1, " %"));
	}
	printf("\nthreads  bandwidth GB/s  int8 Gop/s  f32 Gop/s\n");
	for (uint32_t i = 0; i < a->threads.count; i++)
		printf("%7u %15.1f %11s %10s\n", a->threads.value[i], b->limits[i].bandwidth / 1e9,
		       figure(int8, b->limits[i].int8_rate / 1e9, 0, ""),
		       figure(f32, b->limits[i].float_rate / 1e9, 0, ""));
	print_start(b);
}

static void print_markdown(const struct bench *b)
{
	const struct bench_arguments *a = b->arguments;
	char share[FIGURE_ROOM], int8[FIGURE_ROOM], f32[FIGURE_ROOM];

	printf("`%s`: %.1f MB of weights, %s, %s\n\n", a->model, (double)b->weight_bytes / 1e6, b->isa,
	       a->mapped ? "mapped from the file" : "in huge pages");
	printf("| test | tokens | depth | texts | threads | tokens/s | spread | of limit "
	       "|\n|---|--:|--:|--:|--:|--:|--:|--:|\n");
	for (uint32_t i = 0; i < b->results; i++) {
		const struct result *r = &b->result[i];

		printf("| %s | %u | %u | %u | %u | %.1f | %.1f %% | %s |\n", r->kind, r->tokens, r->depth,
		       r->streams, r->threads, r->rate, r->spread * 100, figure(share, r->share * 100, 1, " %"));
	}
	printf("\n| threads | bandwidth GB/s | int8 Gop/s | f32 Gop/s |\n|--:|--:|--:|--:|\n");
	for (uint32_t i = 0; i < a->threads.count; i++)
		printf("| %u | %.1f | %s | %s |\n", a->threads.value[i], b->limits[i].bandwidth / 1e9,
		       figure(int8, b->limits[i].int8_rate / 1e9, 0, ""),
		       figure(f32, b->limits[i].float_rate / 1e9, 0, ""));
	print_start(b);
}

static void add_result(struct mote_json_builder *to, cJSON *list, const struct bench *b, const struct result *r)
{
	cJSON *item = mote_json_add_object(to, list, NULL);

	mote_json_add_text(to, item, "kind", r->kind);
	mote_json_add_number(to, item, "tokens", r->tokens);
	mote_json_add_number(to, item, "depth", r->depth);
	mote_json_add_number(to, item, "threads", r->threads);
	mote_json_add_number(to, item, "tokens_per_second", r->rate);
	mote_json_add_number(to, item, "spread", r->spread);
	mote_json_add_number(to, item, "share_of_limit", r->share);
	mote_json_add_number(to, item, "limit_tokens_per_second", r->share > 0 ? r->rate / r->share : 0);
	mote_json_add_number(to, item, "streams", r->streams);
	mote_json_add_text(to, item, "isa", b->isa);
}

static void add_limits(struct mote_json_builder *to, cJSON *list, uint32_t threads, const struct limits *l)
{
	cJSON *item = mote_json_add_object(to, list, NULL);

	mote_json_add_number(to, item, "threads", threads);
	mote_json_add_number(to, item, "bandwidth_gb_s", l->bandwidth / 1e9);
	mote_json_add_number(to, item, "int8_gop_s", l->int8_rate / 1e9);
	mote_json_add_number(to, item, "f32_gop_s", l->float_rate / 1e9);
}

static enum mote_status print_json(const struct bench *b, struct mote_error *error)
{
	const struct bench_arguments *a = b->arguments;
	struct mote_json_builder to = {0};
	cJSON *json = mote_json_new_object(&to), *part;
	enum mote_status status;

	mote_json_add_text(&to, json, "isa", b->isa);
	mote_json_add_text(&to, json, "pages", a->mapped ? "mapped" : "huge");
	mote_json_add_number(&to, json, "weight_bytes", (double)b->weight_bytes);
	part = mote_json_add_array(&to, json, "results");
	for (uint32_t i = 0; i < b->results; i++)
		add_result(&to, part, b, &b->result[i]);
	mote_json_add_number(&to, json, "load_ms", b->start.load_ms);
	mote_json_add_number(&to, json, "first_token_ms", b->start.first_token_ms);
	mote_json_add_number(&to, json, "load_worst_ms", b->start.load_worst_ms);
	mote_json_add_number(&to, json, "first_token_worst_ms", b->start.first_token_worst_ms);
	mote_json_add_number(&to, json, "peak_rss_bytes", (double)b->start.peak_rss_bytes);
	part = mote_json_add_array(&to, json, "limits");
	for (uint32_t i = 0; i < a->threads.count; i++)
		add_limits(&to, part, a->threads.value[i], &b->limits[i]);
	status = mote_json_finish(&to, &json, "the results", error);
	if (status == MOTE_OK)
		status = mote_console_print_json(json, error);
	cJSON_Delete(json);
	return status;
}

enum mote_status bench_print(const struct bench *b, struct mote_error *error)
{
	if (b->arguments->json)
		return print_json(b, error);
	if (b->arguments->markdown)
		print_markdown(b);
	else
		print_table(b);
	return mote_console_flush(error);
}
