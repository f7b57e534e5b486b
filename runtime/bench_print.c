/* What mote-bench prints: a table to read, the same in Markdown, or JSON. */
#include "runtime/bench.h"

#include "format/json.h"
#include "format/tool/console.h"

static void print_start(const struct bench *b)
{
	printf("\nload %.0f ms (at worst %.0f), first token after %.0f ms (at worst %.0f; whole process, prompt of %d tokens), "
	       "peak memory %.1f MB\n", b->start.load_ms, b->start.load_worst_ms, b->start.first_token_ms,
	       b->start.first_token_worst_ms, FIRST_TOKEN_PROMPT, (double)b->start.peak_rss_bytes / 1e6);
}

static void print_table(const struct bench *b)
{
	const struct bench_arguments *a = b->arguments;

	printf("%s: %.1f MB of weights, %s, %s\n\n", a->model, (double)b->weight_bytes / 1e6, b->isa,
	       a->mapped ? "mapped from the file" : "in huge pages");
	printf("test       tokens   depth  texts  threads  tokens/s   spread  of limit\n");
	for (uint32_t i = 0; i < b->results; i++) {
		const struct result *r = &b->result[i];

		printf("%-9s %7u %7u %6u %8u %9.1f %6.1f %% %7.1f %%\n", r->kind, r->tokens, r->depth, r->streams, r->threads,
		       r->rate, r->spread * 100, r->share * 100);
	}
	printf("\nthreads  bandwidth GB/s  int8 Gop/s  f32 Gop/s\n");
	for (uint32_t i = 0; i < a->threads.count; i++)
		printf("%7u %15.1f %11.0f %10.0f\n", a->threads.value[i], b->limits[i].bandwidth / 1e9,
		       b->limits[i].int8_rate / 1e9, b->limits[i].float_rate / 1e9);
	print_start(b);
}

static void print_markdown(const struct bench *b)
{
	const struct bench_arguments *a = b->arguments;

	printf("`%s`: %.1f MB of weights, %s, %s\n\n", a->model, (double)b->weight_bytes / 1e6, b->isa,
	       a->mapped ? "mapped from the file" : "in huge pages");
	printf("| test | tokens | depth | texts | threads | tokens/s | spread | of limit |\n|---|--:|--:|--:|--:|--:|--:|--:|\n");
	for (uint32_t i = 0; i < b->results; i++) {
		const struct result *r = &b->result[i];

		printf("| %s | %u | %u | %u | %u | %.1f | %.1f %% | %.1f %% |\n", r->kind, r->tokens, r->depth, r->streams,
		       r->threads, r->rate, r->spread * 100, r->share * 100);
	}
	printf("\n| threads | bandwidth GB/s | int8 Gop/s | f32 Gop/s |\n|--:|--:|--:|--:|\n");
	for (uint32_t i = 0; i < a->threads.count; i++)
		printf("| %u | %.1f | %.0f | %.0f |\n", a->threads.value[i], b->limits[i].bandwidth / 1e9,
		       b->limits[i].int8_rate / 1e9, b->limits[i].float_rate / 1e9);
	print_start(b);
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
		cJSON_AddNumberToObject(item, "streams", r->streams);
		cJSON_AddStringToObject(item, "isa", b->isa);
		cJSON_AddItemToArray(results, item);
	}
	cJSON_AddNumberToObject(json, "load_ms", b->start.load_ms);
	cJSON_AddNumberToObject(json, "first_token_ms", b->start.first_token_ms);
	cJSON_AddNumberToObject(json, "load_worst_ms", b->start.load_worst_ms);
	cJSON_AddNumberToObject(json, "first_token_worst_ms", b->start.first_token_worst_ms);
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
