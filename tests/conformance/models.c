/* Holds a converted model against its golden.json, which a float64 evaluator made:
 *   models M.mote golden.json
 * per-token negative log-likelihood within 1e-4, the last position's ten largest logits within 1e-3, the greedy
 * text identical; and with 1 and 2 threads, in one batch, in batches of 7 and token by token the same bits.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/tool/console.h"
#include "runtime/model/session.h"
#include "runtime/generate/answer.h"

static unsigned passed, failed;

static void check(bool ok, const char *what, double worst)
{
	printf("%s  %s (%g)\n", ok ? "ok  " : "FAIL", what, worst);
	*(ok ? &passed : &failed) += 1;
}

static void must(enum mote_status status, const struct mote_error *error)
{
	if (status) {
		fprintf(stderr, "%s\n", error->message);
		exit(1);
	}
}

/* logits[n][vocab] of a golden's ids. */
static float *run(const struct mote_model *m, const int32_t *ids, uint32_t n, uint32_t threads, uint32_t batch)
{
	size_t vocab = m->config.vocab;
	float *all = malloc(n * vocab * sizeof *all);
	uint32_t *position = malloc(n * sizeof *position);
	uint8_t *want = malloc(n);
	struct mote_error error = {0};
	struct mote_session *s;

	must(mote_session_open(m, &(struct mote_session_options){.threads = threads, .batch_rows = batch,
								 .logit_rows = batch,
		.kv_k = MOTE_KV_F32, .kv_v = MOTE_KV_F32}, &s, &error), &error);
	memset(want, 1, n);
	for (uint32_t i = 0; i < n; i++)
		position[i] = i;
	for (uint32_t i = 0; i < n; i += batch) {
		struct mote_batch b = {.rows = n - i < batch ? n - i : batch, .token = ids + i,
				       .position = position + i, .want_logits = want};
		const float *logits;

		must(mote_session_forward(s, &b, &logits, &error), &error);
		memcpy(all + i * vocab, logits, b.rows * vocab * sizeof *all);
	}
	mote_session_close(s);
	free(position);
	free(want);
	return all;
}

static double negative_log_likelihood(const float *logits, size_t vocab, int32_t id)
{
	double max = -1e300, sum = 0;

	for (size_t i = 0; i < vocab; i++)
		max = (double)logits[i] > max ? (double)logits[i] : max;
	for (size_t i = 0; i < vocab; i++)
		sum += exp((double)logits[i] - max);
	return log(sum) + max - (double)logits[id];
}

/* Its ten largest logits, in order: indices and values. */
static bool top_ten(const float *logits, size_t vocab, const cJSON *indices, const cJSON *values, double *worst)
{
	double before = INFINITY;
	bool same = true;

	for (int i = 0; i < 10; i++) {
		int64_t id = -1;
		double difference;
		size_t larger = 0;

		same = mote_json_integer(cJSON_GetArrayItem(indices, i), &id) && id >= 0 && (size_t)id < vocab && same;
		if (!same)
			return false;
		difference = fabs((double)logits[id] - cJSON_GetArrayItem(values, i)->valuedouble);
		*worst = difference > *worst ? difference : *worst;
		for (size_t j = 0; j < vocab; j++)
			larger += (double)logits[j] > (double)logits[id];
		same = larger == (size_t)i && (double)logits[id] <= before;
		before = (double)logits[id];
	}
	return same;
}

/* Greedy text from "Once upon a time", with as many tokens as it takes to be as long as the golden. */
static bool greedy(const struct mote_model *m, const char *golden)
{
	static const char prompt_text[] = "Once upon a time";
	struct mote_error error = {0};
	struct mote_tokenizer *tokenizer;
	struct mote_session *session;
	struct mote_scheduler *scheduler;
	struct mote_sampler *sampler;
	struct mote_answer answer = {0};
	struct mote_ids prompt = {0};
	size_t bytes, length = strlen(golden);
	const void *section = mote_container_section(m->container, MOTE_SECTION_TOKENIZER, &bytes);
	char text[4096];
	bool same;

	must(mote_tokenizer_open(section, bytes, &tokenizer, &error), &error);
	must(mote_session_open(m,
			       &(struct mote_session_options){.threads = 2, .kv_k = MOTE_KV_F32, .kv_v = MOTE_KV_F32},
			       &session, &error), &error);
	must(mote_scheduler_open(session, NULL, &scheduler, &error), &error);
	must(mote_sampler_open(&(struct mote_sampler_options){.temperature = 0, .top_p = 1}, m->config.vocab,
			       &sampler, &error),
	     &error);
	must(mote_tokenizer_encode(tokenizer, prompt_text, strlen(prompt_text), MOTE_ENCODE_ADD_SPECIAL,
				   &prompt, &error),
	     &error);
	{
		struct mote_answer_options options = {.config = &m->config, .tokenizer = tokenizer, .sampler = sampler,
						      .prompt = &prompt, .most_tokens = 100, .continues_text = true};

		must(mote_answer_generate(scheduler, &options, &answer, &error), &error);
	}
	/* The golden begins with the space that the tokenizer put before the prompt. */
	snprintf(text, sizeof text, " %s%s", prompt_text, answer.text);
	same = !strncmp(text, golden, length);
	if (!same)
		printf("found    \"%s\"\nexpected \"%s\"\n", text, golden);
	mote_answer_free(&answer);
	mote_ids_free(&prompt);
	mote_sampler_close(sampler);
	mote_scheduler_close(scheduler);
	mote_session_close(session);
	mote_tokenizer_close(tokenizer);
	return same;
}

int main(int argc, char **argv)
{
	struct mote_error error = {0};
	struct mote_model *m;
	cJSON *golden;
	char *text;
	size_t bytes, vocab;
	int32_t ids[1024];
	uint32_t n = 0;
	float *logits;
	double worst = 0;
	bool same;

	if (argc != 3)
		return 2;
	must(mote_console_read_file(argv[2], 1 << 20, &text, &bytes, &error), &error);
	must(mote_json_parse(text, bytes, argv[2], &golden, &error), &error);
	must(mote_model_open(argv[1], MOTE_WEIGHTS_DEFAULT, &m, &error), &error);
	vocab = m->config.vocab;
	for (const cJSON *item = mote_json_get(golden, "input_ids")->child; item && n < 1024; item = item->next)
		ids[n++] = (int32_t)item->valuedouble;

	logits = run(m, ids, n, 1, n);
	for (uint32_t i = 1; i < n; i++) {
		double nll = negative_log_likelihood(logits + (i - 1) * vocab, vocab, ids[i]);
		double expected = cJSON_GetArrayItem(mote_json_get(golden, "nll_per_token"), (int)i - 1)->valuedouble;

		worst = fabs(nll - expected) > worst || nll != nll ? fabs(nll - expected) : worst;
	}
	check(worst <= 1e-4, "negative log-likelihood of every token", worst);
	worst = 0;
	same = top_ten(logits + (size_t)mote_json_get(golden, "logits_position")->valuedouble * vocab, vocab,
		       mote_json_get(golden, "last_logits_top10_indices"),
		       mote_json_get(golden, "last_logits_top10_values"), &worst);
	check(same && worst <= 1e-3, "ten largest logits", worst);
	check(greedy(m, mote_json_get(golden, "greedy_once_upon_a_time")->valuestring), "greedy text", 0);
	for (uint32_t threads = 1; threads <= 2; threads++) {
		static const uint32_t batches[] = {1, 7, 64, 1024};

		for (int i = 0; i < 4; i++) {
			float *other = run(m, ids, n, threads, batches[i] < n ? batches[i] : n);
			char what[80];

			snprintf(what, sizeof what, "same bits with %u threads in batches of %u", threads, batches[i]);
			check(!memcmp(other, logits, n * vocab * sizeof *logits), what, 0);
			free(other);
		}
	}
	free(logits);
	free(text);
	cJSON_Delete(golden);
	mote_model_close(m);
	printf("%u passed, %u failed\n", passed, failed);
	return failed ? 1 : 0;
}
