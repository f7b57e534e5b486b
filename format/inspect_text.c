/* mote-inspect's listing for people: sections, metadata, tensors, receipts and sensitivities. No text of the file
 * reaches the terminal but through the console's filter. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format/inspect.h"
#include "format/json.h"
#include "format/tool/console.h"

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
	struct inspect_totals all = inspect_add_up(c, false, MOTE_F32);
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
		printf("  %-4s  %15s  %12" PRIu64 " bytes  %6.3f bits/weight\n", mote_type_name(t->type),
		       shape, t->bytes, inspect_bits_per_weight(t->bytes, inspect_weights_of(t)));
	}
	if (n == 0)
		return;
	printf("\ntotals\n");
	for (unsigned number = 0; number < 256; number++) {
		enum mote_type type = (enum mote_type)number;
		struct inspect_totals sum = mote_type_name(type) ? inspect_add_up(c, true, type)
								 : (struct inspect_totals){0};

		if (sum.tensors)
			printf("  %5u %-4s matrices  %13" PRIu64 " weights  %12" PRIu64 " bytes  %6.3f bits/weight\n",
			       sum.tensors, mote_type_name(type), sum.weights, sum.bytes,
			       inspect_bits_per_weight(sum.bytes, sum.weights));
	}
	printf("  %5u all matrices   %13" PRIu64 " weights  %12" PRIu64 " bytes  %6.3f bits/weight\n", all.tensors,
	       all.weights, all.bytes, inspect_bits_per_weight(all.bytes, all.weights));
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
		printf("  %zu bytes (--template prints it)\n",
		       inspect_text_of(t, "template") ? strlen(inspect_text_of(t, "template")) : 0);
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

/* What a model could do: a benchmark's figures, in per cent. */
static void print_evaluation(struct listing *to, const cJSON *evaluation)
{
	const cJSON *metrics = mote_json_get(evaluation, "metrics"), *paired = mote_json_get(evaluation, "paired");
	const cJSON *constant = mote_json_get(evaluation, "best_constant");

	printf("     %-24s ", "evaluated on");
	print_inline(to, mote_json_get(evaluation, "task"));
	printf(", items ");
	print_inline(to, mote_json_get(evaluation, "items"));
	printf(", examples ");
	print_inline(to, mote_json_get(evaluation, "few_shot"));
	printf("%s\n     %-24s ", cJSON_IsTrue(mote_json_get(evaluation, "chat")) ? ", as a chat" : "", "files");
	print_inline(to, mote_json_get(evaluation, "files_xxh3"));
	putchar('\n');
	for (const cJSON *m = cJSON_IsObject(metrics) ? metrics->child : NULL; m; m = m->next) {
		const cJSON *value = mote_json_get(m, "value"), *deviation = mote_json_get(m, "stderr");

		if (!cJSON_IsNumber(value))
			continue;
		printf("     ");
		pad(m->string, 24);
		printf(" %.2f", 100 * value->valuedouble);
		if (cJSON_IsNumber(deviation))
			printf(" ± %.2f", 100 * deviation->valuedouble);
		printf(" %%\n");
	}
	print_figure(evaluation, "chance", "chance", 100, " %");
	print_figure(constant, "value", "best constant answer", 100, " %");
	print_figure(paired, "to_wrong", "reference right, now wrong", 1, "");
	print_figure(paired, "to_right", "reference wrong, now right", 1, "");
	print_figure(paired, "p", "p by McNemar's test", 1, "");
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
		if (!inspect_receipt_belongs(r, inspect_hex(mote_container_tensors_hash(c)).text))
			printf(", OF OTHER TENSORS than this file's");
		putchar('\n');
		if (mote_json_get(r, "evaluation")) {
			print_evaluation(to, mote_json_get(r, "evaluation"));
			continue;
		}
		printf("     %-24s ", "measured on");
		print_inline(to, text);
		putchar('\n');
		print_figure(mote_json_get(r, "rule"), "context", "tokens a chunk", 1, "");
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
	printf("  KL divergence with this tensor alone at a type, as estimated; * chosen\n");
	row = row ? row->child : NULL;
	for (const cJSON *r = row; r; r = r->next)
		if (inspect_text_of(r, "tensor") && width(inspect_text_of(r, "tensor")) > columns)
			columns = width(inspect_text_of(r, "tensor"));
	for (; row; row = row->next) {
		const char *tensor = inspect_text_of(row, "tensor"), *type = inspect_text_of(row, "type");
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

enum mote_status inspect_print_text(const struct mote_container *c, struct mote_error *error)
{
	struct listing to = {0};
	const cJSON *sensitivity = mote_container_sensitivity(c);

	pad("file", 14);
	printf("%s\n", mote_container_path(c));
	pad("size", 14);
	printf("%" PRIu64 " bytes", mote_container_file_bytes(c));
	for (uint32_t i = 0; i < mote_container_section_count(c); i++) {
		const struct mote_section_info *s = mote_container_section_info(c, i);
		bool table = s->kind == MOTE_SECTION_TENSORS; /* without their values */

		printf("%s%s %" PRIu64, i ? ", " : ", of which ", table ? "table of tensors" :
		       inspect_section_name(s->kind), s->stored_bytes);
	}
	putchar('\n');
	pad("tensors hash", 14);
	printf("%s\n", inspect_hex(mote_container_tensors_hash(c)).text);
	print_metadata(&to, mote_container_metadata(c));
	print_tensors(c);
	print_receipts(&to, c);
	if (sensitivity)
		print_sensitivity(&to, sensitivity);
	return to.failed ? mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory") : MOTE_OK;
}
