#include "runtime/bench_arguments.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "format/tool/console.h"
#include "runtime/kernels/pool.h"

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
"tokens, which is not timed. The bandwidth is measured anew before each repeat of a decode.\n"
"The share of the limit is\n"
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

static enum mote_status need_list(const char *option, const char *text, uint32_t min, uint32_t max,
				  struct mote_bench_list *list, struct mote_error *error)
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

static enum mote_status set_option(struct mote_bench_arguments *a, int option, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;
	struct mote_bench_list one;

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

enum mote_status mote_bench_parse_arguments(int argc, char **argv, struct mote_bench_arguments *a, struct mote_error *error)
{
	enum mote_status status;
	int option;

	*a = (struct mote_bench_arguments){.prompts = {{512}, 1}, .predicts = {{128}, 1}, .depths = {{0}, 1}, .repeats = 5};
	while ((option = getopt_long_only(argc, argv, "m:p:n:d:t:r:h", long_options, NULL)) != -1) {
		if (option == OPTION_HELP || option == 'h' || option == OPTION_VERSION) {
			fputs(option == OPTION_VERSION ? MOTE_BENCH " " MOTE_VERSION "\n" : help, stdout);
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
		a->threads = (struct mote_bench_list){{mote_pool_physical_cores()}, 1};
	return MOTE_OK;
}
