/* mote-convert: a Hugging Face directory or a GGUF file becomes one file, and such a file one of those. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert/checkpoint.h"
#include "convert/gguf/gguf_write.h"
#include "convert/hf/hf_write.h"
#include "convert/source.h"
#include "format/clock.h"
#include "format/json_build.h"
#include "format/output.h"
#include "format/portable.h"
#include "format/tool/console.h"
#include "format/tool/options.h"
#include "runtime/template/template.h"

static const char about[] =
	"Usage: mote-convert [OPTION]... DIR -o FILE.mote\n"
	"       mote-convert [OPTION]... FILE.gguf -o FILE.mote\n"
	"       mote-convert [OPTION]... FILE.mote -o FILE.gguf\n"
	"       mote-convert [OPTION]... FILE.mote -o DIR/\n"
	"\n"
	"Puts a checkpoint as Hugging Face's transformers saves it (config.json, model.safetensors or its shards,\n"
	"tokenizer.json, chat template) into one file that every other mote tool reads. A GGUF file (of a split one:\n"
	"the first part) becomes the same file as the directory that it was made of. And back: to a GGUF file, or,\n"
	"where the output ends in '/', to a directory for transformers, in which quantized matrices become floats.\n";

static const char epilog[] =
	"What the file would not reproduce exactly is refused by name: an architecture other than Llama, Mistral,\n"
	"Ministral, Qwen2, Qwen3, SmolLM3, Phi-3, Granite 3 and 4 (dense), Gemma 1 to 3, EXAONE 4, ERNIE 4.5 (dense),\n"
	"Hunyuan (dense), Helium, OLMo 2 and 3, StableLM and MiniCPM, unknown RoPE kinds, tensors that are missing,\n"
	"superfluous or misshapen, NaN and infinity. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 corrupt or\n"
	"refused input, 130 interrupted; unless it is 0, nothing was left behind.\n";

enum { MAX_ADAPTERS = 16 };

struct arguments {
	const char *directory, *output;
	struct mote_checkpoint_options convert;
	struct mote_checkpoint_adapter adapter[MAX_ADAPTERS];
	char *folder[MAX_ADAPTERS]; /* of adapters given as DIR:SCALE, owned */
	uint32_t threads;
	bool json, quiet;
};

/* "DIR" or "DIR:0.5"; what is no number behind the last colon belongs to the directory's name. */
static enum mote_status take_adapter(void *at, const char *text, struct mote_error *error)
{
	struct arguments *a = at;
	const char *colon = strrchr(text, ':');
	struct mote_checkpoint_adapter *adapter = &a->adapter[a->convert.adapters];
	char **folder = &a->folder[a->convert.adapters], *end = NULL;

	if (a->convert.adapters == MAX_ADAPTERS)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "more than %d adapters", MAX_ADAPTERS);
	*adapter = (struct mote_checkpoint_adapter){text, 1};
	if (colon && colon[1]) {
		adapter->factor = strtod(colon + 1, &end);
		if (*end || !(adapter->factor > -1e6 && adapter->factor < 1e6))
			adapter->factor = 1;
		else
			adapter->directory = *folder = strndup(text, (size_t)(colon - text));
	}
	if (!adapter->directory)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	a->convert.adapter = a->adapter;
	a->convert.adapters++;
	return MOTE_OK;
}

static enum mote_status take_dtype(void *at, const char *name, struct mote_error *error)
{
	struct mote_checkpoint_options *o = at;

	(void)error;
	o->keep_types = strcmp(name, "keep") == 0;
	return o->keep_types || (mote_type_from_name(name, &o->type) && !mote_type_is_quantized(o->type))
	       ? MOTE_OK : MOTE_ERROR_ARGUMENT;
}

#define AT(field) .at = offsetof(struct arguments, field)

static const struct mote_option options[] = {
	{MOTE_OPTION_OPERAND, .argument = "SOURCE", AT(directory)},
	{MOTE_OPTION_TEXT, "o", "output", "FILE", "the file to write (DIR/: the directory); it appears when it is "
	 "complete, or not at all", AT(output)},
	{MOTE_OPTION_FLAG, "f", "force", NULL, "replace FILE if it exists", AT(convert.force)},
	{MOTE_OPTION_TAKE, NULL, "dtype", "TYPE", "keep: each matrix stays what it is in the checkpoint (the "
	 "default; of GGUF's types Q8_0, Q4_0 and IQ4_NL stay quantized, the others are decoded to f32); f16, f32, "
	 "bf16: all are converted, rounding to nearest, ties to even. Norm weights are always f32, which is exact",
	 AT(convert), .choices = "keep f16 f32 bf16", .take = take_dtype},
	{MOTE_OPTION_TAKE, NULL, "lora", "DIR[:SCALE]", "merge the LoRA adapter in DIR (adapter_config.json and "
	 "adapter_model.safetensors, as PEFT saves them) into the weights, SCALE times as strongly; may be repeated",
	 .take = take_adapter},
	{MOTE_OPTION_FLAG, NULL, "vocab-only", NULL, "the tokenizer and the chat template, without weights: the "
	 "directory needs nothing but tokenizer.json", AT(convert.vocab_only)},
	{MOTE_OPTION_COUNT, "t", "threads", "N", "1: everything in turn; 2 to 256 (the default): tokenizer and "
	 "checksums of the source beside the weights. The file is the same", AT(threads), 1, MOTE_OPTION_MAX_THREADS},
	{MOTE_OPTION_FLAG, NULL, "json", NULL, "print what was written as one JSON object", AT(json)},
	{MOTE_OPTION_FLAG, "q", "quiet", NULL, "no progress bar, no summary; warnings are printed all the same",
	 AT(quiet)},
};

static const struct mote_tool tool = {"mote-convert", about, epilog, options, sizeof options / sizeof *options};

static void warn_notes(const struct mote_notes *notes)
{
	for (uint32_t i = 0; i < notes->notes; i++)
		mote_console_warn(tool.name, "%s", notes->note[i]);
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
		struct mote_error error = {0};
		struct mote_template *t;

		if (mote_template_open(text, strlen(text), NULL, &t, &error))
			mote_console_warn(tool.name, "chat template \"%s\": %s",
					  mote_json_get(item, "name")->valuestring, error.message);
		else
			mote_template_close(t);
	}
}

/* What both reports begin with. */
static cJSON *begin_report(struct mote_json_builder *b, const struct arguments *a, uint64_t bytes,
			   uint64_t source_bytes, uint32_t tensors)
{
	cJSON *json = mote_json_new_object(b);

	mote_json_add_text(b, json, "file", a->output);
	mote_json_add_number(b, json, "file_bytes", (double)bytes);
	mote_json_add_number(b, json, "source_bytes", (double)source_bytes);
	mote_json_add_number(b, json, "tensors", tensors);
	return json;
}

static enum mote_status end_report(struct mote_json_builder *b, cJSON *json, double seconds, struct mote_error *error)
{
	enum mote_status status;

	mote_json_add_number(b, json, "seconds", seconds);
	status = mote_json_finish(b, &json, "a report", error);
	if (!status)
		status = mote_console_print_json(json, error);
	cJSON_Delete(json);
	return status;
}

static enum mote_status print_report(const struct arguments *a, const struct mote_checkpoint_report *r,
				     uint64_t file_bytes, double seconds, struct mote_error *error)
{
	struct mote_json_builder b = {0};
	cJSON *json;

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
	json = begin_report(&b, a, file_bytes, r->source_bytes, r->tensors);
	mote_json_add_number(&b, json, "parameters", (double)r->parameters);
	mote_json_add_number(&b, json, "vocab_size", r->tokenizer.vocab_size);
	mote_json_add_number(&b, json, "inexpressible_bytes", r->tokenizer.n_inexpressible);
	return end_report(&b, json, seconds, error);
}

/* NULL: there is none, or *status. */
static const struct dirent *next_entry(DIR *folder, const char *path, enum mote_status *status,
				       struct mote_error *error)
{
	const struct dirent *entry;

	errno = 0;
	entry = readdir(folder);
	if (!entry && errno)
		*status = mote_error_set(error, MOTE_ERROR_IO, "%s: %s", path, strerror(errno));
	return entry;
}

/* The output replaces no file of the checkpoint's directory, whatever it is called; an older container that lies among
 * them, it may. (What is read is known later: mote_source_refuse_output().) */
static enum mote_status refuse_inputs(const struct arguments *a, struct mote_error *error)
{
	enum mote_status status = mote_output_refuse_input(a->output, a->directory, error);
	DIR *folder = status ? NULL : opendir(a->directory);
	const struct dirent *entry;
	char path[PATH_MAX];

	if (!status && !folder && errno != ENOENT && errno != ENOTDIR) /* a file has none beside it */
		status = mote_error_set(error, MOTE_ERROR_IO, "%s: %s", a->directory, strerror(errno));
	while (folder && status == MOTE_OK && (entry = next_entry(folder, a->directory, &status, error))) {
		const char *ending = strrchr(entry->d_name, '.');

		if ((ending && !strcmp(ending, ".mote")) ||
		    snprintf(path, sizeof path, "%s/%s", a->directory, entry->d_name) >= (int)sizeof path)
			continue;
		status = mote_output_refuse_input(a->output, path, error);
	}
	if (folder)
		closedir(folder);
	return status;
}

/* What is told of a file that stands could not be told: as a result that was asked for (--json) it is missed; else a
 * warning is enough. */
static enum mote_status untold(const struct arguments *a, enum mote_status status, struct mote_error *error)
{
	if (!status || a->json) {
		mote_error_prefix(error, "%s is complete; only its report is missing", a->output);
		return status;
	}
	mote_console_warn("mote-convert", "%s is complete, but cannot be described: %s", a->output, error->message);
	*error = (struct mote_error){0};
	return MOTE_OK;
}

static enum mote_status print_export(const struct arguments *a, const struct mote_container *c, uint64_t bytes,
				     double seconds, struct mote_error *error)
{
	struct mote_json_builder b = {0};

	if (!a->json) {
		if (!a->quiet)
			fprintf(stderr, "%s: %u tensors, %.1f MB, %.2f s\n", a->output, mote_container_tensor_count(c),
				(double)bytes * 1e-6, seconds);
		return MOTE_OK;
	}
	return end_report(&b, begin_report(&b, a, bytes, mote_container_file_bytes(c), mote_container_tensor_count(c)),
			  seconds, error);
}

static bool ends_in(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

static enum mote_status export(const struct arguments *a, const struct mote_container *c, struct mote_notes *notes,
			       uint64_t *bytes, struct mote_error *error)
{
	const struct mote_checkpoint_options *o = &a->convert;
	const struct mote_gguf_write_options gguf = {o->keep_types, o->type, o->force, o->progress};
	const struct mote_hf_write_options hf = {o->keep_types, o->type, o->force, o->progress};
	enum mote_status status = mote_output_refuse_input(a->output, a->directory, error);

	if (status)
		return status;
	if (ends_in(a->output, "/"))
		return mote_hf_write(c, a->output, &hf, bytes, error);
	return mote_gguf_write(c, a->output, &gguf, notes, bytes, error);
}

/* From a container: to a GGUF file or a directory. */
static int run_export(struct arguments *a)
{
	struct mote_container *c = NULL;
	struct mote_notes notes = {0};
	struct mote_console_bar bar;
	struct mote_error error = {0};
	double started = mote_clock_seconds();
	enum mote_status status;
	uint64_t bytes = 0;

	mote_console_catch_signals();
	a->convert.progress = mote_console_progress(&bar, "writing", "B");
	if (a->quiet)
		bar.terminal = false;
	status = mote_container_open(a->directory, &c, &error);
	if (!status)
		status = export(a, c, &notes, &bytes, &error);
	mote_console_progress_end(&bar);
	warn_notes(&notes);
	if (!status)
		status = untold(a, print_export(a, c, bytes, mote_clock_seconds() - started, &error), &error);
	mote_notes_free(&notes);
	mote_container_close(c);
	mote_console_hint_force(a->convert.force, &error);
	return status ? mote_console_fail("mote-convert", &error) : 0;
}

static int run(struct arguments *a)
{
	struct mote_checkpoint_report report = {0};
	struct mote_container *written = NULL;
	struct mote_console_bar bar;
	struct mote_error error = {0};
	double started = mote_clock_seconds();
	enum mote_status status, told;

	/* A tokenizer's JSON is a tree of small pieces: let the heap grow in large steps (8 % of the CPU time). */
	mote_portable_heap_step(32 << 20);
	mote_console_catch_signals();
	a->convert.progress = mote_console_progress(&bar, "converting", "B");
	if (a->quiet)
		bar.terminal = false;
	status = refuse_inputs(a, &error);
	if (!status)
		status = mote_checkpoint_convert(a->directory, a->output, &a->convert, &report, &error);
	mote_console_progress_end(&bar);
	if (!status) {
		warn_notes(&report.notes);
		warn_inexpressible(&report.tokenizer);
		told = mote_container_open(a->output, &written, &error); /* as its reader sees it */
		if (!told) {
			warn_templates(written);
			told = print_report(a, &report, mote_container_file_bytes(written),
					    mote_clock_seconds() - started, &error);
		}
		status = untold(a, told, &error);
	}
	mote_notes_free(&report.notes);
	mote_container_close(written);
	mote_console_hint_force(a->convert.force, &error);
	return status ? mote_console_fail("mote-convert", &error) : 0;
}

/* What could not be opened; "owner/name" is how models are called where they are fetched from. */
static int fail_source(const char *source, struct mote_error *error)
{
	const char *slash = strchr(source, '/');
	size_t used = strlen(error->message);

	if (access(source, F_OK) && slash && slash > source && slash[1] && !strchr(slash + 1, '/') && *source != '.')
		snprintf(error->message + used, sizeof error->message - used,
			 " (nothing is fetched: give the folder into which the checkpoint was downloaded)");
	return mote_console_fail("mote-convert", error);
}

static int run_what_was_asked(struct arguments *a)
{
	struct mote_error error = {0};
	bool container;

	if (!a->output)
		return mote_options_refuse(&tool, "no output: give -o FILE.mote");
	if (mote_source_is_container(a->directory, &container, &error))
		return fail_source(a->directory, &error);
	if (a->convert.adapters && (a->convert.vocab_only || container))
		return mote_options_refuse(&tool, "--lora: only when a checkpoint's weights are converted");
	a->convert.one_thread = a->threads == 1;
	if (container) {
		if (!ends_in(a->output, "/") && !ends_in(a->output, ".gguf"))
			return mote_options_refuse(&tool, "%s is a file of mote's: give -o FILE.gguf or -o DIR/",
						   a->directory);
		if (a->convert.vocab_only)
			return mote_options_refuse(&tool, "--vocab-only: only for what becomes a file of mote's");
		return run_export(a);
	}
	if (ends_in(a->output, "/") || ends_in(a->output, ".gguf"))
		return mote_options_refuse(&tool, "%s is no file of mote's: convert it to one first", a->directory);
	return run(a);
}

int main(int argc, char **argv)
{
	struct arguments a = {.convert = {.tool = "mote-convert " MOTE_VERSION, .keep_types = true}};
	int code = mote_options_parse(&tool, argc, argv, &a);

	if (code < 0)
		code = run_what_was_asked(&a);
	for (int i = 0; i < MAX_ADAPTERS; i++)
		free(a.folder[i]);
	return code;
}
