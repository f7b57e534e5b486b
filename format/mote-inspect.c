/* mote-inspect: what is in a container, and whether it is whole. Here are the command line, --verify, --template and
 * --dump; inspect_text.c lists a file, inspect_json.c writes it as JSON. */
#include <stdlib.h>
#include <string.h>

#include "format/inspect.h"
#include "format/json.h"
#include "format/tool/console.h"
#include "format/tool/options.h"

static const char about[] =
	"Usage: mote-inspect [OPTION]... FILE.mote\n"
	"Shows what a mote file contains: its tensors with their types and sizes, the model's\n"
	"configuration and special tokens, how the file was made, what its quantization cost.\n";

static const char epilog[] =
	"A file is checked whenever it is opened: structure, sizes, and the checksums of everything but\n"
	"the tensors. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 corrupt or refused input.\n";

struct options {
	const char *path;
	bool json, verify;
	const char *template_name; /* or NULL */
	const char *dump;          /* a tensor's name, or NULL */
};

#define AT(field) .at = offsetof(struct options, field)

static const struct mote_option options[] = {
	{MOTE_OPTION_TEXT, "m", "model", "FILE", "the file (-m may be left out)", AT(path)},
	{MOTE_OPTION_OPERAND, .argument = "FILE.mote", AT(path)},
	{MOTE_OPTION_FLAG, NULL, "json", NULL, "print everything as one JSON object instead", AT(json)},
	{MOTE_OPTION_FLAG, NULL, "verify", NULL, "also read all tensors and compare every checksum, and check that the "
	 "receipts speak of these tensors; exit 3 if anything does not match", AT(verify)},
	{MOTE_OPTION_TEXT, NULL, "template", "NAME", "print the chat template (the one called \"default\") and "
	 "nothing else", AT(template_name), .missing = "default"},
	{MOTE_OPTION_TEXT, NULL, "dump", "TENSOR", "print a tensor's values as text, a line for each row, and "
	 "nothing else", AT(dump)},
};

static const struct mote_tool tool = {"mote-inspect", about, epilog, options, sizeof options / sizeof *options};

static enum mote_status verify(const struct mote_container *c, struct mote_error *error)
{
	struct mote_console_bar bar;
	struct mote_progress progress = mote_console_progress(&bar, "verifying", "B");
	struct inspect_hex tensors = inspect_hex(mote_container_tensors_hash(c));
	const cJSON *receipts = mote_container_receipts(c);
	enum mote_status status;
	int index = 1;

	mote_console_catch_signals();
	status = mote_container_verify(c, &progress, error);
	mote_console_progress_end(&bar);
	for (const cJSON *r = receipts ? receipts->child : NULL; status == MOTE_OK && r; r = r->next, index++)
		if (!inspect_receipt_belongs(r, tensors.text))
			status = mote_error_set(error, MOTE_ERROR_CORRUPT,
						"%s: receipt %d speaks of tensors %s, but this file's are %s",
						mote_container_path(c), index, inspect_text_of(r, "tensors")
						? inspect_text_of(r, "tensors") : "(none)", tensors.text);
	return status;
}

static enum mote_status print_template(const struct mote_container *c, const char *name, struct mote_error *error)
{
	const cJSON *templates = mote_json_get(mote_container_metadata(c), "chat_templates");

	for (const cJSON *t = cJSON_IsArray(templates) ? templates->child : NULL; t; t = t->next)
		if (inspect_text_of(t, "name") && strcmp(inspect_text_of(t, "name"), name) == 0 &&
		    inspect_text_of(t, "template")) {
			mote_console_put_data(inspect_text_of(t, "template"), strlen(inspect_text_of(t, "template")));
			return MOTE_OK;
		}
	return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: has no chat template called \"%s\"",
			      mote_container_path(c), name);
}

static enum mote_status print_values(const struct mote_container *c, const char *name, struct mote_error *error)
{
	const struct mote_tensor *t = mote_container_find(c, name);
	uint32_t rows, cols;
	float *row;

	if (!t)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: has no tensor called \"%s\"",
				      mote_container_path(c), name);
	rows = t->rank == 1 ? 1 : t->rows;
	cols = t->rank == 1 ? t->rows : t->cols;
	row = malloc(cols * sizeof *row);
	if (!row)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	for (uint32_t r = 0; r < rows && !ferror(stdout); r++) {
		if (t->rank == 1)
			memcpy(row, t->vector, cols * sizeof *row);
		else
			mote_matrix_decode_row(&t->matrix, r, row);
		for (uint32_t i = 0; i < cols; i++)
			printf("%s%.9g", i ? " " : "", (double)row[i] + 0.0); /* a zero without a sign: -0 + 0 is 0 */
		putchar('\n');
	}
	free(row);
	return MOTE_OK;
}

static enum mote_status inspect(const struct options *o, struct mote_error *error)
{
	struct mote_container *c;
	enum mote_status status = mote_container_open(o->path, &c, error);

	if (status)
		mote_console_hint_model(o->path, error);
	if (status == MOTE_OK && o->verify)
		status = verify(c, error);
	if (status == MOTE_OK) {
		if (o->template_name)
			status = print_template(c, o->template_name, error);
		else if (o->dump)
			status = print_values(c, o->dump, error);
		else if (o->json)
			status = inspect_print_json(c, o->verify, error);
		else
			status = inspect_print_text(c, error);
	}
	if (status == MOTE_OK && o->verify && !o->json && !o->template_name && !o->dump)
		printf("\nverified: all checksums match%s\n",
		       mote_container_receipts(c) ? ", and every receipt speaks of these tensors" : "");
	if (status == MOTE_OK)
		status = mote_console_flush(error);
	mote_container_close(c);
	return status;
}

int main(int argc, char **argv)
{
	struct options o = {0};
	struct mote_error error = {0};
	int code = mote_options_parse(&tool, argc, argv, &o);

	if (code >= 0)
		return code;
	if (o.json + (o.template_name != NULL) + (o.dump != NULL) > 1)
		return mote_options_refuse(&tool, "--json, --template and --dump exclude each other");
	return inspect(&o, &error) == MOTE_OK ? 0 : mote_console_fail(tool.name, &error);
}
