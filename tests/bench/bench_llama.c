/* How fast llama.cpp's own library is, to stand beside mote-bench: prefill of 512 tokens and decode of 48 at a depth,
 * medians.
 *
 *   bench_llama LIBRARIES MODEL.gguf THREADS DEPTH REPEATS [q8]      q8: the cache's type, with flash attention; else
 *                                                                    its default
 *
 * npm's node-llama-cpp has libraries in @node-llama-cpp/linux-x64/bins/linux-x64 (LIBRARIES) and, as a git bundle, the
 * source with their headers (llama/gitRelease.bundle, cloned to SOURCE):
 *   cc -O2 -ISOURCE/include -ISOURCE/ggml/include tests/bench/bench_llama.c -LLIBRARIES -l:libllama.v0.5.0.so
 *      -l:libggml.v0.5.0.so -l:libggml-base.so -Wl,-rpath,LIBRARIES -o bench_llama
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ggml-backend.h"
#include "llama.h"

enum { PROMPT = 512, ANSWER = 48, MOST_REPEATS = 64 };

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void quiet(enum ggml_log_level level, const char *text, void *user)
{
	(void)level;
	(void)text;
	(void)user;
}

/* n tokens from position on, in batches; logits of each batch's last. */
static void read_tokens(struct llama_context *c, int n, int position, int batch)
{
	struct llama_batch b = llama_batch_init(PROMPT, 0, 1);

	for (int at = 0; at < n; at += b.n_tokens) {
		b.n_tokens = n - at < batch ? n - at : batch;
		for (int i = 0; i < b.n_tokens; i++) {
			b.token[i] = (at + i) * 37 % 40000 + 5;
			b.pos[i] = position + at + i;
			b.n_seq_id[i] = 1;
			b.seq_id[i][0] = 0;
			b.logits[i] = i == b.n_tokens - 1;
		}
		if (llama_decode(c, b)) {
			fprintf(stderr, "llama_decode failed\n");
			exit(1);
		}
		llama_synchronize(c);
	}
	llama_batch_free(b);
}

static void print(const char *what, double *rate, int n)
{
	qsort(rate, (size_t)n, sizeof *rate, compare);
	printf("%s %.0f (%.0f to %.0f) tokens/s\n", what, rate[n / 2], rate[0], rate[n - 1]);
}

int main(int argc, char **argv)
{
	int threads, depth, repeats;
	double prefill[MOST_REPEATS], decode[MOST_REPEATS];
	struct llama_context_params options = llama_context_default_params();
	struct llama_model *model;
	struct llama_context *c;

	if (argc < 6 || (repeats = atoi(argv[5])) < 1 || repeats > MOST_REPEATS) {
		fprintf(stderr, "Usage: bench_llama LIBRARIES MODEL.gguf THREADS DEPTH REPEATS [q8]\n");
		return 2;
	}
	threads = atoi(argv[3]);
	depth = atoi(argv[4]);
	llama_log_set(quiet, NULL);
	ggml_backend_load_all_from_path(argv[1]);
	model = llama_model_load_from_file(argv[2], llama_model_default_params());
	options.n_ctx = (uint32_t)depth + 2 * PROMPT;
	options.n_batch = options.n_ubatch = PROMPT;
	options.n_threads = options.n_threads_batch = threads;
	if (argc > 6) {
		options.type_k = options.type_v = GGML_TYPE_Q8_0;
		options.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
	}
	c = model ? llama_init_from_model(model, options) : NULL;
	if (!c) {
		fprintf(stderr, "%s: cannot be opened\n", argv[2]);
		return 1;
	}
	read_tokens(c, depth, 0, PROMPT);
	for (int i = -1; i < repeats; i++) { /* the first warms up */
		double begin = seconds(), middle;

		read_tokens(c, PROMPT, depth, PROMPT);
		middle = seconds();
		if (i >= 0)
			prefill[i] = PROMPT / (middle - begin);
		llama_memory_seq_rm(llama_get_memory(c), 0, depth, -1);
		read_tokens(c, 1, depth, 1);
		begin = seconds();
		read_tokens(c, ANSWER, depth + 1, 1);
		if (i >= 0)
			decode[i] = ANSWER / (seconds() - begin);
		llama_memory_seq_rm(llama_get_memory(c), 0, depth, -1);
	}
	print("prefill", prefill, repeats);
	print("decode", decode, repeats);
	llama_free(c);
	llama_model_free(model);
	return 0;
}
