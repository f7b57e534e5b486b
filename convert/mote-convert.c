/* mote-convert: a Hugging Face directory or a GGUF file becomes one file. */
#include <getopt.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "convert/checkpoint.h"
#include "format/tool/console.h"
#include "runtime/template/template.h"

static const char usage[] =
	"Usage: mote-convert [OPTION]... DIR -o FILE.mote\n"
	"       mote-convert [OPTION]... FILE.gguf -o FILE.mote\n"
	"\n"
	"Puts a checkpoint as Hugging Face's transformers saves it (config.json, model.safetensors or its shards,\n"
	"tokenizer.json, chat template) into one file that every other mote tool reads. A GGUF file (of a split one:\n"
	"the first part) becomes the same file as the directory that it was made of.\n"
	"\n"
	"  -o, --output FILE      the file to write; it appears when it is complete, or not at all\n"
	"      --dtype TYPE       keep: each matrix stays what it is in the checkpoint (the default; of GGUF's types\n"
	"                         Q8_0, Q4_0 and IQ4_NL stay quantized, the others are decoded to f32);\n"
	"                         f16, f32, bf16: all are converted, rounding to nearest, ties to even.\n"
	"                         Norm weights are always f32, which is exact\n"
	"      --vocab-only       the tokenizer and the chat template, without weights: the directory needs\n"
	"                         nothing but tokenizer.json\n"
	"      --force            replace FILE if it exists\n"
	"  -t, --threads N        1: everything in turn; 2 or more (the default): tokenizer and checksums\n"
	"                         of the source beside the weights. The file is the same\n"
	"      --json             print what was written as one JSON object\n"
	"  -q, --quiet            no progress bar, no summary; warnings are printed all the same\n"
	"  -h, --help             print this text\n"
	"      --version          print the version\n"
	"\n"
	"What the file would not reproduce exactly is refused by name: an architecture other than Llama and\n"
	"Mistral, RoPE kinds other than default, linear and llama3, tensors that are missing, superfluous or\n"
	"misshapen, NaN and infinity. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 corrupt or refused input,\n"
	"130 interrupted; unless it is 0, nothing was left behind.\n";

struct arguments {
	const char *directory, *output;
	struct mote_checkpoint_options convert;
	bool json, quiet;
};

static void warn_notes(const struct mote_notes *notes)
{
	for (uint32_t i = 0; i < notes->notes; i++)
		fprintf(stderr, "mote-convert: warning: %s\n", notes->note[i]);
}

static void warn_inexpressible(const struct mote_hf_tokenizer_info *info)
{
	if (!info->n_inexpressible)
		return;
	fputs("mote-convert: warning: the vocabulary cannot express these bytes, and drops them from text:", stderr);
	for (uint32_t i = 0; i < info->n_inexpressible; i++)
		fprintf(stderr, " %02X", info->inexpressible[i]);
	fputc('\n', stderr);
}

/* A template that does not parse spoils nothing but the chat: better said now than at the first message. */
static void warn_templates(const struct mote_container *written)
{
	const cJSON *list = mote_json_get(mote_container_metadata(written), "chat_templates");

	for (const cJSON *item = list ? list->child : NULL; item; item = item->next) {
		const char *text = mote_json_get(item, "template")->valuestring;
		struct mote_error error = { 0 };
		struct mote_template *t;

		if (mote_template_open(text, strlen(text), NULL, &t, &error))
			fprintf(stderr, "mote-convert: warning: chat template \"%s\": %s\n",
				mote_json_get(item, "name")->valuestring, error.message);
		else
			mote_template_close(t);
	}
}

static enum mote_status print_report(const struct arguments *a, const struct mote_checkpoint_report *r,
				     uint64_t file_bytes, double seconds, struct mote_error *error)
{
	cJSON *json;
	enum mote_status status;

	if (!a->json) {
		if (a->quiet)
			return MOTE_OK;
		if (a->convert.vocab_only)
			fprintf(stderr, "%s: %u tokens, no weights, %.1f MB, %.2f s\n", a->output,
				r->tokenizer.vocab_size, (double)file_bytes * 1e-6, seconds);
		else
			fprintf(stderr, "%s: %u tensors, %.1f M parameters, %.1f MB, %.2f s\n", a->output, r->tensors,
				(double)r->parameters * 1e-6, (double)file_bytes * 1e-6, seconds);
		return MOTE_OK;
	}
	json = cJSON_CreateObject();
	if (!cJSON_AddStringToObject(json, "file", a->output) ||
	    !cJSON_AddNumberToObject(json, "file_bytes", (double)file_bytes) ||
	    !cJSON_AddNumberToObject(json, "source_bytes", (double)r->source_bytes) ||
	    !cJSON_AddNumberToObject(json, "tensors", r->tensors) ||
	    !cJSON_AddNumberToObject(json, "parameters", (double)r->parameters) ||
	    !cJSON_AddNumberToObject(json, "vocab_size", r->tokenizer.vocab_size) ||
	    !cJSON_AddNumberToObject(json, "inexpressible_bytes", r->tokenizer.n_inexpressible) ||
	    !cJSON_AddNumberToObject(json, "seconds", seconds))
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	else
		status = mote_console_print_json(json, error);
	cJSON_Delete(json);
	return status;
}

static int run(struct arguments *a)
{
	struct mote_checkpoint_report report;
	struct mote_container *written = NULL;
	struct mote_console_bar bar;
	struct mote_error error = { 0 };
	double started = mote_console_seconds();
	enum mote_status status;

	/* A tokenizer's JSON is a tree of small pieces: let the heap grow in large steps (8 % of the CPU time). */
	mallopt(M_TOP_PAD, 32 << 20);
	mote_console_catch_signals();
	a->convert.progress = mote_console_progress(&bar, "converting");
	if (a->quiet)
		bar.terminal = false;
	status = mote_checkpoint_convert(a->directory, a->output, &a->convert, &report, &error);
	mote_console_progress_end(&bar);
	if (!status) {
		warn_notes(&report.notes);
		warn_inexpressible(&report.tokenizer);
		status = mote_container_open(a->output, &written, &error); /* as its reader sees it */
	}
	if (!status)
		warn_templates(written);
	if (!status)
		status = print_report(a, &report, mote_container_file_bytes(written), mote_console_seconds() - started,
				      &error);
	mote_notes_free(&report.notes);
	mote_container_close(written);
	return status ? mote_console_fail("mote-convert", &error) : 0;
}

static int usage_error(const char *what, const char *detail)
{
	fprintf(stderr, "mote-convert: %s%s\nTry 'mote-convert --help'.\n", what, detail);
	return 2;
}

static bool parse_type(const char *name, struct mote_checkpoint_options *o)
{
	o->keep_types = strcmp(name, "keep") == 0;
	return o->keep_types || (mote_type_from_name(name, &o->type) && !mote_type_is_quantized(o->type));
}

static bool parse_threads(const char *text, struct mote_checkpoint_options *o)
{
	char *end;
	long n = strtol(text, &end, 10);

	o->one_thread = n == 1;
	return *text && !*end && n >= 1 && n <= 4096;
}

int main(int argc, char **argv)
{
	enum { DTYPE = 256, VOCAB_ONLY, FORCE, JSON, HELP, VERSION };
	static const struct option long_options[] = {
		{ "output", required_argument, NULL, 'o' },  { "dtype", required_argument, NULL, DTYPE },
		{ "vocab-only", no_argument, NULL, VOCAB_ONLY }, { "force", no_argument, NULL, FORCE },
		{ "threads", required_argument, NULL, 't' }, { "json", no_argument, NULL, JSON },
		{ "quiet", no_argument, NULL, 'q' },	     { "help", no_argument, NULL, HELP },
		{ "version", no_argument, NULL, VERSION },   { NULL, 0, NULL, 0 }
	};
	struct arguments a = { .convert = { .tool = "mote-convert " MOTE_VERSION, .keep_types = true } };
	int c;

	while ((c = getopt_long(argc, argv, "o:t:qh", long_options, NULL)) != -1)
		switch (c) {
		case 'o': a.output = optarg; break;
		case 't':
			if (!parse_threads(optarg, &a.convert))
				return usage_error("--threads: expected a number from 1 to 4096, found ", optarg);
			break;
		case 'q': a.quiet = true; break;
		case DTYPE:
			if (!parse_type(optarg, &a.convert))
				return usage_error("--dtype: expected keep, f16, f32 or bf16, found ", optarg);
			break;
		case VOCAB_ONLY: a.convert.vocab_only = true; break;
		case FORCE: a.convert.force = true; break;
		case JSON: a.json = true; break;
		case HELP:
		case 'h': return mote_console_print("mote-convert", usage);
		case VERSION: return mote_console_print("mote-convert", "mote-convert " MOTE_VERSION "\n");
		default: fputs("Try 'mote-convert --help'.\n", stderr); return 2;
		}
	if (optind + 1 != argc)
		return usage_error("expected one directory or GGUF file", "");
	if (!a.output)
		return usage_error("no output: give -o FILE.mote", "");
	a.directory = argv[optind];
	return run(&a);
}
