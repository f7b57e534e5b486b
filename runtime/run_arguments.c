#include "runtime/run_arguments.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "format/tool/console.h"

static const char help[] =
"Usage: mote-run [OPTION]... MODEL.mote [-p PROMPT]\n"
"\n"
"Answers a prompt with a model, or chats with it when no prompt is given and standard\n"
"input is a terminal (/clear begins a new conversation, /exit or Ctrl-D ends, Ctrl-C stops\n"
"an answer); from a pipe, the prompt is read to its end. The prompt becomes the\n"
"user's message in the model's own chat template. The answer is written to standard output\n"
"as it comes; what the model says between <think> and </think> is shown apart, dim on a\n"
"terminal and under a heading otherwise. A line with the speed goes to standard error.\n"
"\n"
"Prompt\n"
"  -m, --model FILE        the model (-m may be left out)\n"
"  -p, --prompt TEXT       the prompt\n"
"  -f, --file FILE         read the prompt from a file (- for standard input)\n"
"  -s, --system TEXT       a system message before it\n"
"      --raw               take the prompt as it is, without a template: text to be continued\n"
"      --hide-reasoning    do not show what is said between <think> and </think>\n"
"\n"
"Generation\n"
"  -n, --predict N         at most N tokens (default: until the model ends or the context is full)\n"
"  -c, --ctx-size N        context in tokens, prompt and answer together (default: the model's)\n"
"      --temp T            temperature; 0 always takes the most probable token\n"
"      --top-k K           sample from the K most probable tokens (0: all)\n"
"      --top-p P           sample from the fewest tokens whose probabilities reach P (1: all)\n"
"      --min-p P           leave out tokens less than P times as probable as the first (0: none)\n"
"      --seed N            same seed, same answer, on every machine (default: a random one)\n"
"  The model's own settings are the defaults of these; else temperature 0.6, top-p 0.95.\n"
"\n"
"Machine\n"
"  -t, --threads N         threads (default: the physical cores)\n"
"  -ctk, --cache-type-k T  type of the cached keys: f16 (default), q8 or f32\n"
"  -ctv, --cache-type-v T  type of the cached values: f16 (default), q8 or f32\n"
"      --mmap              use the file's pages where they lie instead of copying the weights\n"
"                          into huge pages: starts sooner, decodes slower\n"
"\n"
"Output\n"
"      --json              one JSON object: text, reasoning, ids, prompt_ids, finish_reason, seed,\n"
"                          timings\n"
"      --logits K          in it also the K largest logits of the first step\n"
"  -h, --help, --version\n"
"\n"
"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 corrupt or refused input, 130 interrupted.\n";

static enum mote_status need_number(const char *option, const char *text, double min, double max, double *value,
				    struct mote_error *error)
{
	char *end;

	*value = strtod(text, &end);
	if (end == text || *end || !(*value >= min && *value <= max))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s %s: expected a number of %g to %g", option, text, min,
				      max);
	return MOTE_OK;
}

static enum mote_status need_count(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *value,
				   struct mote_error *error)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (end == text || *end || *text == '-' || errno || *value < min || *value > max)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s %s: expected an integer of %llu to %llu", option, text,
				      (unsigned long long)min, (unsigned long long)max);
	return MOTE_OK;
}

enum option_code {
	OPTION_HELP = 256, OPTION_VERSION, OPTION_RAW, OPTION_HIDE, OPTION_TEMP, OPTION_TOP_K, OPTION_TOP_P, OPTION_MIN_P,
	OPTION_SEED, OPTION_TYPE_K, OPTION_TYPE_V, OPTION_MMAP, OPTION_NO_MMAP, OPTION_JSON, OPTION_LOGITS
};

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPTION_HELP}, {"version", no_argument, NULL, OPTION_VERSION},
	{"model", required_argument, NULL, 'm'},
	{"prompt", required_argument, NULL, 'p'}, {"file", required_argument, NULL, 'f'},
	{"system", required_argument, NULL, 's'}, {"sys", required_argument, NULL, 's'},
	{"system-prompt", required_argument, NULL, 's'},
	{"raw", no_argument, NULL, OPTION_RAW}, {"hide-reasoning", no_argument, NULL, OPTION_HIDE},
	{"predict", required_argument, NULL, 'n'}, {"n-predict", required_argument, NULL, 'n'},
	{"ctx-size", required_argument, NULL, 'c'}, {"context", required_argument, NULL, 'c'},
	{"temp", required_argument, NULL, OPTION_TEMP}, {"temperature", required_argument, NULL, OPTION_TEMP},
	{"top-k", required_argument, NULL, OPTION_TOP_K}, {"top-p", required_argument, NULL, OPTION_TOP_P},
	{"min-p", required_argument, NULL, OPTION_MIN_P}, {"seed", required_argument, NULL, OPTION_SEED},
	{"threads", required_argument, NULL, 't'},
	{"cache-type-k", required_argument, NULL, OPTION_TYPE_K}, {"ctk", required_argument, NULL, OPTION_TYPE_K},
	{"cache-type-v", required_argument, NULL, OPTION_TYPE_V}, {"ctv", required_argument, NULL, OPTION_TYPE_V},
	{"mmap", no_argument, NULL, OPTION_MMAP}, {"no-mmap", no_argument, NULL, OPTION_NO_MMAP},
	{"json", no_argument, NULL, OPTION_JSON}, {"logits", required_argument, NULL, OPTION_LOGITS},
	{NULL, 0, NULL, 0}
};

static enum mote_status set_option(struct mote_run_arguments *a, int option, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;
	uint64_t count = 0;
	double number = 0;

	switch (option) {
	case 'm': a->model = optarg; break;
	case 'p': a->prompt = optarg; break;
	case 'f': a->file = optarg; break;
	case 's': a->system = optarg; break;
	case OPTION_RAW: a->raw = true; break;
	case OPTION_HIDE: a->hide_reasoning = true; break;
	case OPTION_MMAP: a->mapped = true; break;
	case OPTION_NO_MMAP: a->mapped = false; break;
	case OPTION_JSON: a->json = true; break;
	case 'n':
		if (!strcmp(optarg, "-1")) { /* llama.cpp's spelling of "no limit" */
			a->predict = 0;
			break;
		}
		status = need_count("-n", optarg, 1, UINT32_MAX, &count, error);
		a->predict = (uint32_t)count;
		break;
	case 'c':
		status = need_count("-c", optarg, 1, UINT32_MAX, &count, error);
		a->session.context_tokens = (uint32_t)count;
		break;
	case 't':
		status = need_count("-t", optarg, 1, 256, &count, error);
		a->session.threads = (uint32_t)count;
		break;
	case OPTION_TEMP:
		status = need_number("--temp", optarg, 0, 100, &number, error);
		a->sampler.temperature = (float)number;
		break;
	case OPTION_TOP_K:
		status = need_count("--top-k", optarg, 0, UINT32_MAX, &count, error);
		a->top_k = (int64_t)count;
		break;
	case OPTION_TOP_P:
		status = need_number("--top-p", optarg, 0, 1, &number, error);
		a->sampler.top_p = (float)number;
		break;
	case OPTION_MIN_P:
		status = need_number("--min-p", optarg, 0, 1, &number, error);
		a->sampler.min_p = (float)number;
		break;
	case OPTION_SEED:
		status = need_count("--seed", optarg, 0, UINT64_MAX, &a->sampler.seed, error);
		a->seed_given = true;
		break;
	case OPTION_TYPE_K: status = mote_kv_type_parse("-ctk", optarg, &a->session.kv_k, error); break;
	case OPTION_TYPE_V: status = mote_kv_type_parse("-ctv", optarg, &a->session.kv_v, error); break;
	case OPTION_LOGITS:
		status = need_count("--logits", optarg, 1, 1000000, &count, error);
		a->logits = (uint32_t)count;
		break;
	default:
		return MOTE_ERROR_ARGUMENT;
	}
	return status;
}

enum mote_status mote_run_parse_arguments(int argc, char **argv, struct mote_run_arguments *a, struct mote_error *error)
{
	enum mote_status status;
	int option;

	*a = (struct mote_run_arguments){.top_k = -1, .sampler = {.temperature = -1, .top_p = -1, .min_p = -1}};
	while ((option = getopt_long_only(argc, argv, "m:p:f:s:n:c:t:h", long_options, NULL)) != -1) {
		if (option == OPTION_HELP || option == 'h' || option == OPTION_VERSION) {
			fputs(option == OPTION_VERSION ? MOTE_RUN " " MOTE_VERSION "\n" : help, stdout);
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
	if (a->prompt && a->file)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "-p and -f exclude each other");
	if (a->logits && !a->json)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "--logits needs --json");
	if (a->raw && a->system)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "--raw knows no system message (-s)");
	return MOTE_OK;
}
