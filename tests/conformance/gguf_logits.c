/* What a converted model makes of a text, for comparison with llama.cpp:
 *   gguf_logits M.mote TEXT_FILE N OUT
 * OUT.ids: the text's ids, without special ones, as a JSON list; OUT.logits: f32 [N][vocabulary] of the first N.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/container.h"
#include "runtime/model/session.h"
#include "runtime/tokenizer/tokenizer.h"

static void must(enum mote_status status, const struct mote_error *error)
{
	if (status) {
		fprintf(stderr, "%s\n", error->message);
		exit(1);
	}
}

static FILE *create(const char *path, const char *end)
{
	char name[4096];
	FILE *file;

	snprintf(name, sizeof name, "%s%s", path, end);
	file = fopen(name, "wb");
	if (!file)
		exit(1);
	return file;
}

int main(int argc, char **argv)
{
	static char text[1 << 20];
	struct mote_container *c;
	struct mote_tokenizer *t;
	struct mote_model *m;
	struct mote_session *s;
	struct mote_error error = {0};
	struct mote_ids ids = {0};
	size_t bytes, n = argc == 5 ? (size_t)atoi(argv[3]) : 0;
	const void *section;
	FILE *file;

	if (argc != 5 || !(file = fopen(argv[2], "rb")))
		return 2;
	bytes = fread(text, 1, sizeof text, file);
	fclose(file);
	must(mote_container_open(argv[1], &c, &error), &error);
	section = mote_container_section(c, MOTE_SECTION_TOKENIZER, &n);
	must(mote_tokenizer_open(section, n, &t, &error), &error);
	must(mote_tokenizer_encode(t, text, bytes, MOTE_ENCODE_PLAIN, &ids, &error), &error);
	file = create(argv[4], ".ids");
	for (size_t i = 0; i < ids.count; i++)
		fprintf(file, "%s%d", i ? "," : "[", ids.id[i]);
	fprintf(file, "]");
	fclose(file);
	n = (size_t)atoi(argv[3]);
	n = n < ids.count ? n : ids.count;
	must(mote_model_open(argv[1], MOTE_WEIGHTS_MAPPED, &m, &error), &error);
	must(mote_session_open(m, &(struct mote_session_options){.threads = 2, .batch_rows = 1, .logit_rows = 1,
		.context_tokens = (uint32_t)n, .kv_k = MOTE_KV_F16, .kv_v = MOTE_KV_F16}, &s, &error), &error);
	file = create(argv[4], ".logits");
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t want = 1;
		const struct mote_batch b = {.rows = 1, .token = &ids.id[i], .position = &i, .want_logits = &want};
		const float *logits;

		must(mote_session_forward(s, &b, &logits, &error), &error);
		fwrite(logits, sizeof *logits, m->config.vocab, file);
	}
	fclose(file);
	mote_session_close(s);
	mote_model_close(m);
	mote_ids_free(&ids);
	mote_tokenizer_close(t);
	mote_container_close(c);
	return 0;
}
