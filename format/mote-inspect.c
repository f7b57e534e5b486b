/* mote-inspect: what is in a container, and whether it is whole. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format/json_build.h"
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
	{MOTE_OPTION_FLAG, NULL, "verify", NULL, "also read all tensors and compare every checksum, and check that the receipts "
	 "speak of these tensors; exit 3 if anything does not match", AT(verify)},
	{MOTE_OPTION_TEXT, NULL, "template", "NAME", "print the chat template (the one called \"default\") and nothing else",
	 AT(template_name), .missing = "default"},
	{MOTE_OPTION_TEXT, NULL, "dump", "TENSOR", "print a tensor's values as text, a line for each row, and nothing else",
	 AT(dump)},
};

static const struct mote_tool tool = {"mote-inspect", about, epilog, options, sizeof options / sizeof *options};

/* 32 hexadecimal digits, as receipts write a hash. */
struct hex { char text[33]; };

static struct hex hex(struct mote_hash128 hash)
{
	struct hex h;

	snprintf(h.text, sizeof h.text, "%016" PRIx64 "%016" PRIx64, hash.high, hash.low);
	return h;
}

/* Where bits went: over matrices, whose weights are what quantization is about. */
struct totals {
	uint32_t tensors, vectors;
	uint64_t weights, bytes; /* of matrices */
};

static double bits_per_weight(uint64_t bytes, uint64_t weights)
{
	return weights ? 8.0 * (double)bytes / (double)weights : 0;
}

static uint64_t weights_of(const struct mote_tensor *t)
{
	return (uint64_t)t->rows * t->cols;
}

/* All matrices, or those of one type. */
static struct totals add_up(const struct mote_container *c, bool one_type, enum mote_type type)
{
	struct totals sum = { 0 };

	for (uint32_t i = 0; i < mote_container_tensor_count(c); i++) {
		const struct mote_tensor *t = mote_container_tensor(c, i);

		if (t->rank == 1) {
			sum.vectors++;
		} else if (!one_type || t->type == type) {
			sum.tensors++;
			sum.weights += weights_of(t);
			sum.bytes += t->bytes;
		}
	}
	return sum;
}

static const char *section_name(uint32_t kind)
{
	static const char *const names[] = { "unknown", "tensors", "metadata", "tokenizer", "receipts", "sensitivity" };

	return kind < sizeof names / sizeof *names ? names[kind] : names[0];
}

/* Columns of a terminal that a UTF-8 string takes, roughly: one a character. */
static int width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

/* Text from the file, without the control characters with which it could steer the terminal. */
static void pad(const char *text, int columns)
{
	mote_console_put(stdout, text, strlen(text), false);
	printf("%*s", columns > width(text) ? columns - width(text) : 0, "");
}

static void print_tensors(const struct mote_container *c)
{
	struct totals all = add_up(c, false, MOTE_F32);
	uint32_t n = mote_container_tensor_count(c);
	int columns = 10;

	printf("\ntensors (%u)\n", n);
	for (uint32_t i = 0; i < n; i++)
		if (width(mote_container_tensor(c, i)->name) > columns)
			columns = width(mote_container_tensor(c, i)->name);
	for (uint32_t i = 0; i < n; i++) {
		const struct mote_tensor *t = mote_container_tensor(c, i);
		char shape[32];

		if (t->rank == 1)
			snprintf(shape, sizeof shape, "%u", t->rows);
		else
			snprintf(shape, sizeof shape, "%u x %u", t->rows, t->cols);
		printf("  ");
		pad(t->name, columns);
		printf("  %-4s  %15s  %12" PRIu64 " bytes  %6.3f bits/weight\n", mote_type_name(t->type), shape, t->bytes,
		       bits_per_weight(t->bytes, weights_of(t)));
	}
	if (n == 0)
		return;
	printf("\ntotals\n");
	for (unsigned number = 0; number < 256; number++) {
		enum mote_type type = (enum mote_type)number;
		struct totals sum = mote_type_name(type) ? add_up(c, true, type) : (struct totals){ 0 };

		if (sum.tensors)
			printf("  %5u %-4s matrices  %13" PRIu64 " weights  %12" PRIu64 " bytes  %6.3f bits/weight\n", sum.tensors,
			       mote_type_name(type), sum.weights, sum.bytes, bits_per_weight(sum.bytes, sum.weights));
	}
	printf("  %5u all matrices   %13" PRIu64 " weights  %12" PRIu64 " bytes  %6.3f bits/weight\n", all.tensors,
	       all.weights, all.bytes, bits_per_weight(all.bytes, all.weights));
	printf("  %5u vectors\n", all.vectors);
}

/* What is printed in many pieces: one that could not be made is remembered, for the end. */
struct listing {
	bool failed; /* memory ran out */
};

/* A value on one line, as JSON: so that no string of the file can control the terminal. */
static void print_inline(struct listing *to, const cJSON *item)
{
	size_t bytes;
	char *text = mote_json_print(item, &bytes);

	if (text)
		mote_console_put(stdout, text, bytes, false); /* \u202e in JSON is what it escapes */
	to->failed |= !text;
	free(text);
}

static bool is_flat(const cJSON *item)
{
	for (const cJSON *child = item->child; child; child = child->next)
		if (cJSON_IsObject(child) || cJSON_IsArray(child))
			return false;
	return true;
}

/* A JSON tree as indented lines "key  value". */
static void print_tree(struct listing *to, const cJSON *item, int indent)
{
	enum { SHORT = 8 };
	int columns = 0, index = 1;

	for (const cJSON *child = item->child; child; child = child->next)
		if (child->string && width(child->string) > columns)
			columns = width(child->string);
	for (const cJSON *child = item->child; child; child = child->next, index++) {
		bool nested = (cJSON_IsObject(child) || cJSON_IsArray(child)) &&
			!(is_flat(child) && cJSON_GetArraySize(child) <= SHORT);

		printf("%*s", indent, "");
		if (child->string)
			pad(child->string, nested ? 0 : columns);
		else
			printf("%d.", index);
		if (nested) {
			putchar('\n');
			print_tree(to, child, indent + 2);
			continue;
		}
		printf("  ");
		print_inline(to, child);
		putchar('\n');
	}
}

static const char *text_of(const cJSON *object, const char *key)
{
	const cJSON *item = mote_json_get(object, key);
	return cJSON_IsString(item) ? item->valuestring : NULL;
}

/* Everything in the metadata but the templates' texts, which --template prints. */
static void print_metadata(struct listing *to, const cJSON *metadata)
{
	const cJSON *templates = mote_json_get(metadata, "chat_templates");

	for (const cJSON *item = metadata->child; item; item = item->next) {
		if (item == templates || ((cJSON_IsObject(item) || cJSON_IsArray(item)) && !item->child))
			continue;
		if (cJSON_IsObject(item) || cJSON_IsArray(item)) {
			putchar('\n');
			pad(item->string, 0);
			putchar('\n');
			print_tree(to, item, 2);
		} else {
			pad(item->string, 14);
			print_inline(to, item);
			putchar('\n');
		}
	}
	printf("\nchat templates\n");
	if (!cJSON_IsArray(templates) || !templates->child)
		printf("  none\n");
	for (const cJSON *t = cJSON_IsArray(templates) ? templates->child : NULL; t; t = t->next) {
		printf("  ");
		print_inline(to, mote_json_get(t, "name"));
		printf("  %zu bytes (--template prints it)\n", text_of(t, "template") ? strlen(text_of(t, "template")) : 0);
	}
}

/* One figure of a receipt with its standard error. */
static void print_figure(const cJSON *figures, const char *key, const char *label, double factor, const char *unit)
{
	const cJSON *value = mote_json_get(figures, key), *deviation;
	char name[64];

	if (!cJSON_IsNumber(value))
		return;
	snprintf(name, sizeof name, "%s_error", key);
	deviation = mote_json_get(figures, name);
	printf("     %-24s %.6g", label, value->valuedouble * factor);
	if (cJSON_IsNumber(deviation))
		printf(" ± %.2g", deviation->valuedouble * factor);
	printf("%s\n", unit);
}

static bool receipt_belongs(const cJSON *receipt, const char *tensors)
{
	const char *named = text_of(receipt, "tensors");
	return named && strcmp(named, tensors) == 0;
}

static void print_receipts(struct listing *to, const struct mote_container *c)
{
	const cJSON *receipts = mote_container_receipts(c);
	int index = 1;

	printf("\nreceipts\n");
	if (!receipts || !receipts->child)
		printf("  none: nobody has measured these tensors and stamped the result\n");
	for (const cJSON *r = receipts ? receipts->child : NULL; r; r = r->next, index++) {
		const cJSON *figures = mote_json_get(r, "figures"), *text = mote_json_get(r, "validation");

		printf("  %d. by ", index);
		print_inline(to, mote_json_get(r, "tool"));
		if (!receipt_belongs(r, hex(mote_container_tensors_hash(c)).text))
			printf(", OF OTHER TENSORS than this file's");
		printf("\n     %-24s ", "measured on");
		print_inline(to, text);
		putchar('\n');
		print_figure(figures, "tokens_scored", "tokens scored", 1, "");
		print_figure(figures, "perplexity", "perplexity", 1, "");
		print_figure(figures, "reference_perplexity", "reference perplexity", 1, "");
		print_figure(figures, "perplexity_ratio", "perplexity ratio", 1, "");
		print_figure(figures, "kld_mean", "mean KL divergence", 1, "");
		print_figure(figures, "kld_p999", "99.9 % KL divergence", 1, "");
		print_figure(figures, "top1_agreement", "same top token", 100, " %");
		print_figure(figures, "delta_p_rms", "RMS of delta p", 100, " %");
	}
}

/* The table of sensitivities, a line a tensor and a column a type; * is what was chosen. Rows come tensor by tensor. */
static void print_sensitivity(struct listing *to, const cJSON *sensitivity)
{
	const cJSON *row = mote_json_get(sensitivity, "rows");
	const char *name = NULL;
	int columns = 10;

	printf("\nsensitivities\n");
	for (const cJSON *item = sensitivity->child; item; item = item->next)
		if (!cJSON_IsArray(item) && item->string) {
			printf("  ");
			pad(item->string, 15);
			putchar(' ');
			print_inline(to, item);
			putchar('\n');
		}
	printf("  KL divergence with this tensor alone at a type; * chosen\n");
	row = row ? row->child : NULL;
	for (const cJSON *r = row; r; r = r->next)
		if (text_of(r, "tensor") && width(text_of(r, "tensor")) > columns)
			columns = width(text_of(r, "tensor"));
	for (; row; row = row->next) {
		const char *tensor = text_of(row, "tensor"), *type = text_of(row, "type");
		const cJSON *kld = mote_json_get(row, "kld");
		bool chosen = cJSON_IsTrue(mote_json_get(row, "chosen"));
		char figure[32];

		if (!tensor || !type || !cJSON_IsNumber(kld))
			continue;
		if (!name || strcmp(name, tensor) != 0) {
			printf("%s  ", name ? "\n" : "");
			pad(tensor, columns);
		}
		name = tensor;
		snprintf(figure, sizeof figure, "%.2g%s", kld->valuedouble, chosen ? "*" : "");
		printf("  ");
		pad(type, 2);
		printf(" %-8s", figure);
	}
	if (name)
		putchar('\n');
}

static enum mote_status print_text(const struct mote_container *c, struct mote_error *error)
{
	struct listing to = {0};
	const cJSON *sensitivity = mote_container_sensitivity(c);

	pad("file", 14);
	printf("%s\n", mote_container_path(c));
	pad("size", 14);
	printf("%" PRIu64 " bytes (", mote_container_file_bytes(c));
	for (uint32_t i = 0; i < mote_container_section_count(c); i++) {
		const struct mote_section_info *s = mote_container_section_info(c, i);
		printf("%s%s %" PRIu64, i ? ", " : "", section_name(s->kind), s->stored_bytes);
	}
	printf(")\n");
	pad("tensors hash", 14);
	printf("%s\n", hex(mote_container_tensors_hash(c)).text);
	print_metadata(&to, mote_container_metadata(c));
	print_tensors(c);
	print_receipts(&to, c);
	if (sensitivity)
		print_sensitivity(&to, sensitivity);
	return to.failed ? mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory") : MOTE_OK;
}

static void add_tensor(struct mote_json_builder *b, cJSON *list, const struct mote_tensor *t)
{
	cJSON *item = mote_json_add_object(b, list, NULL), *shape;

	mote_json_add_text(b, item, "name", t->name);
	mote_json_add_text(b, item, "type", mote_type_name(t->type));
	shape = mote_json_add_array(b, item, "shape");
	mote_json_add_number(b, shape, NULL, t->rows);
	if (t->rank == 2)
		mote_json_add_number(b, shape, NULL, t->cols);
	mote_json_add_number(b, item, "offset", (double)t->offset);
	mote_json_add_number(b, item, "bytes", (double)t->bytes);
	mote_json_add_number(b, item, "bits_per_weight", bits_per_weight(t->bytes, weights_of(t)));
	mote_json_add_text(b, item, "xxh3", hex(t->hash).text);
}

static void add_section(struct mote_json_builder *b, cJSON *list, const struct mote_section_info *s)
{
	cJSON *item = mote_json_add_object(b, list, NULL);

	mote_json_add_number(b, item, "kind", s->kind);
	mote_json_add_text(b, item, "name", section_name(s->kind));
	mote_json_add_number(b, item, "offset", (double)s->offset);
	mote_json_add_number(b, item, "bytes", (double)s->stored_bytes);
	mote_json_add_number(b, item, "raw_bytes", (double)s->raw_bytes);
}

static cJSON *build_json(struct mote_json_builder *b, const struct mote_container *c, bool verified)
{
	struct totals all = add_up(c, false, MOTE_F32);
	const cJSON *receipts = mote_container_receipts(c), *sensitivity = mote_container_sensitivity(c);
	cJSON *object = mote_json_new_object(b), *list;

	mote_json_add_number(b, object, "file_bytes", (double)mote_container_file_bytes(c));
	mote_json_add_number(b, object, "bits_per_weight", bits_per_weight(all.bytes, all.weights));
	mote_json_add_number(b, object, "weights", (double)all.weights);
	mote_json_add_text(b, object, "tensors_hash", hex(mote_container_tensors_hash(c)).text);
	if (verified)
		mote_json_add_bool(b, object, "verified", true);
	list = mote_json_add_array(b, object, "tensors");
	for (uint32_t i = 0; i < mote_container_tensor_count(c); i++)
		add_tensor(b, list, mote_container_tensor(c, i));
	list = mote_json_add_array(b, object, "sections");
	for (uint32_t i = 0; i < mote_container_section_count(c); i++)
		add_section(b, list, mote_container_section_info(c, i));
	/* References: what a file's JSON takes is taken once. */
	mote_json_add_item(b, object, "metadata", cJSON_CreateObjectReference(mote_container_metadata(c)->child));
	mote_json_add_item(b, object, "receipts", receipts ? cJSON_CreateArrayReference(receipts->child) : cJSON_CreateArray());
	mote_json_add_item(b, object, "sensitivity", sensitivity ? cJSON_CreateObjectReference(sensitivity->child) : cJSON_CreateNull());
	return object;
}

static enum mote_status print_json(const struct mote_container *c, bool verified, struct mote_error *error)
{
	struct mote_json_builder b = {0};
	cJSON *object = build_json(&b, c, verified);
	enum mote_status status = mote_json_finish(&b, &object, "the file's description", error);

	if (status == MOTE_OK)
		status = mote_console_print_json(object, error);
	cJSON_Delete(object);
	return status;
}

static enum mote_status verify(const struct mote_container *c, struct mote_error *error)
{
	struct mote_console_bar bar;
	struct mote_progress progress = mote_console_progress(&bar, "verifying", "B");
	struct hex tensors = hex(mote_container_tensors_hash(c));
	const cJSON *receipts = mote_container_receipts(c);
	enum mote_status status;
	int index = 1;

	mote_console_catch_signals();
	status = mote_container_verify(c, &progress, error);
	mote_console_progress_end(&bar);
	for (const cJSON *r = receipts ? receipts->child : NULL; status == MOTE_OK && r; r = r->next, index++)
		if (!receipt_belongs(r, tensors.text))
			status = mote_error_set(error, MOTE_ERROR_CORRUPT,
						"%s: receipt %d speaks of tensors %s, but this file's are %s",
						mote_container_path(c), index, text_of(r, "tensors") ? text_of(r, "tensors") : "(none)",
						tensors.text);
	return status;
}

static enum mote_status print_template(const struct mote_container *c, const char *name, struct mote_error *error)
{
	const cJSON *templates = mote_json_get(mote_container_metadata(c), "chat_templates");

	for (const cJSON *t = cJSON_IsArray(templates) ? templates->child : NULL; t; t = t->next)
		if (text_of(t, "name") && strcmp(text_of(t, "name"), name) == 0 && text_of(t, "template")) {
			mote_console_put_data(text_of(t, "template"), strlen(text_of(t, "template")));
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
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: has no tensor called \"%s\"", mote_container_path(c),
				      name);
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
			status = print_json(c, o->verify, error);
		else
			status = print_text(c, error);
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
	struct options o = { 0 };
	struct mote_error error = { 0 };
	int code = mote_options_parse(&tool, argc, argv, &o);

	if (code >= 0)
		return code;
	if (o.json + (o.template_name != NULL) + (o.dump != NULL) > 1)
		return mote_options_refuse(&tool, "--json, --template and --dump exclude each other");
	return inspect(&o, &error) == MOTE_OK ? 0 : mote_console_fail(tool.name, &error);
}
