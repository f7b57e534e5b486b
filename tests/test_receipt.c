/* Receipts: made, kept, found, read and compared; each refusal by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "format/writer.h"
#include "quant/receipt/receipt.h"
#include "quant/receipt/report.h"

static char path[] = "/tmp/test_receipt_XXXXXX";

/* A container with one matrix whose first weight is `value`. */
static struct mote_container *make_container(float value)
{
	float data[16 * 3] = {0};
	struct mote_writer *w = NULL;
	struct mote_container *c = NULL;
	struct mote_error error = {0};
	cJSON *metadata = cJSON_CreateObject();

	data[0] = value;
	assert_int_equal(mote_writer_open(path, true, &w, &error), MOTE_OK);
	assert_int_equal(mote_writer_add_tensor(w, "m", 2, MOTE_F32, 2, 3, NULL, &error), MOTE_OK);
	assert_int_equal(mote_writer_write(w, data, sizeof data, &error), MOTE_OK);
	assert_int_equal(mote_writer_put_json(w, MOTE_SECTION_METADATA, metadata, &error), MOTE_OK);
	assert_int_equal(mote_writer_finish(w, &error), MOTE_OK);
	assert_int_equal(mote_writer_commit(w, &error), MOTE_OK);
	cJSON_Delete(metadata);
	if (mote_container_open(path, &c, &error) != MOTE_OK)
		fail_msg("%s", error.message);
	return c;
}

static struct mote_figures some_figures(double nll)
{
	const struct mote_score s[4] = {
		{.nll = nll, .reference_nll = 0.5, .kld = 0.1, .top1_same = true}, {.nll = 1.0 / 3.0, .kld = 1e-17},
		{.nll = 2.7, .reference_nll = 2.6, .kld = 0.2}, {.nll = 1.1, .reference_nll = 1.3, .kld = 0.3}
	};
	struct mote_figures f;

	assert_int_equal(mote_figures_from_scores(s, 4, 2, true, &f, NULL), MOTE_OK);
	return f;
}

static struct mote_text text_of(char *words, const char *name)
{
	struct mote_text t = {.data = words, .bytes = strlen(words)};
	snprintf(t.name, sizeof t.name, "%s", name);
	return t;
}

static cJSON *make_receipt(const struct mote_container *c, const struct mote_text *text, const struct mote_figures *f,
			   uint32_t context)
{
	struct mote_plan plan = {.context = context, .chunks = 2, .ids_hash = {context, 5}};
	const struct mote_hash128 reference = {0x1122334455667788u, 0x99aabbccddeeff00u};
	const struct mote_receipt_facts facts = { .tool = "test 1", .validation = text, .plan = &plan, .tensors = c,
						  .reference_hash = &reference, .figures = f };
	cJSON *receipt = NULL;

	assert_int_equal(mote_receipt_new(&facts, &receipt, NULL), MOTE_OK);
	return receipt;
}

/* Through text, as a file keeps it: by mote's own printer, as cJSON's drops last bits. */
static cJSON *reread(const cJSON *json)
{
	size_t bytes = 0;
	char *text = mote_json_print(json, &bytes);
	cJSON *again = NULL;
	struct mote_error error = {0};

	if (mote_json_parse(text, bytes, "receipt", &again, &error) != MOTE_OK)
		fail_msg("%s", error.message);
	free(text);
	return again;
}

static void a_receipt_can_be_repeated(void **state)
{
	struct mote_container *c = make_container(1.0f);
	char words[] = "some words";
	struct mote_text text = text_of(words, "words.txt");
	struct mote_figures f = some_figures(0.7), other = some_figures(0.7);
	cJSON *receipt = make_receipt(c, &text, &f, 64), *again = reread(receipt);
	struct mote_receipt_terms terms;
	struct mote_error error = {0};
	char hex[33];

	(void)state;
	assert_int_equal(mote_receipt_read(again, &terms, &error), MOTE_OK);
	assert_false(terms.generated);
	assert_string_equal(terms.text_name, "words.txt");
	/* XXH3-128 of the words, high half first: what xxhsum -H2 prints. */
	assert_string_equal(terms.text_hash, "c3ad93a47b39896a5917f663db5d0007");
	assert_string_equal(terms.reference_hash, "99aabbccddeeff001122334455667788");
	assert_int_equal(terms.options.context_tokens, 64);
	assert_int_equal(terms.options.max_chunks, 2);
	assert_false(terms.options.all_positions);
	mote_hash_to_hex(mote_container_tensors_hash(c), hex);
	assert_string_equal(mote_json_get(again, "tensors")->valuestring, hex);
	/* Every figure survives the text bit by bit. */
	assert_int_equal(mote_receipt_compare(again, &f, &error), MOTE_OK);
	/* The smallest difference is one. */
	other.kld_p99 = other.kld_p99 * (1.0 + 0x1p-52);
	assert_int_equal(mote_receipt_compare(again, &other, &error), MOTE_ERROR_QUALITY);
	assert_non_null(strstr(error.message, "kld_p99"));
	cJSON_Delete(receipt);
	cJSON_Delete(again);
	mote_container_close(c);
}

static void what_a_reader_cannot_know_is_refused(void **state)
{
	struct mote_container *c = make_container(1.0f);
	char words[] = "some words";
	struct mote_text text = text_of(words, "words.txt");
	struct mote_figures f = some_figures(0.7);
	static const char *const needed[] = {"receipt", "validation", "rule"};
	struct mote_receipt_terms terms;

	(void)state;
	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
		cJSON *receipt = make_receipt(c, &text, &f, 64);
		struct mote_error error = {0};

		cJSON_DeleteItemFromObject(receipt, needed[i]);
		assert_int_equal(mote_receipt_read(receipt, &terms, &error), MOTE_ERROR_CORRUPT);
		assert_non_null(strstr(error.message, i ? needed[i] : "receipt"));
		cJSON_Delete(receipt);
	}
	{
		cJSON *later = NULL;
		struct mote_error error = {0};
		static const char json[] = "{\"receipt\":2}";

		assert_int_equal(mote_json_parse(json, sizeof json - 1, "r", &later, &error), MOTE_OK);
		assert_int_equal(mote_receipt_read(later, &terms, &error), MOTE_ERROR_UNSUPPORTED);
		cJSON_Delete(later);
	}
	mote_container_close(c);
}

/* What is stored: a second measurement of the same kind replaces the first, one of another kind stands beside it,
 * and those of tensors that are no more go. */
static void receipts_of_other_tensors_go(void **state)
{
	struct mote_container *c = make_container(1.0f), *changed;
	char words[] = "some words", others[] = "other words";
	struct mote_text text = text_of(words, "words.txt"), other = text_of(others, "others.txt");
	struct mote_figures f = some_figures(0.7), g = some_figures(0.8);
	struct mote_hash128 hash = mote_container_tensors_hash(c);
	cJSON *first, *second, *third, *fourth;
	const cJSON *found;
	char hex[33];

	(void)state;
	assert_int_equal(mote_receipts_append(NULL, hash, make_receipt(c, &text, &f, 64), &first, NULL), MOTE_OK);
	assert_int_equal(cJSON_GetArraySize(first), 1);
	assert_int_equal(mote_receipts_append(first, hash, make_receipt(c, &other, &f, 64), &second, NULL), MOTE_OK);
	assert_int_equal(cJSON_GetArraySize(second), 2);
	assert_int_equal(mote_receipts_append(second, hash, make_receipt(c, &text, &g, 64), &third, NULL), MOTE_OK);
	assert_int_equal(cJSON_GetArraySize(third), 2);
	assert_int_equal(mote_receipt_compare(cJSON_GetArrayItem(third, 1), &g, NULL), MOTE_OK);

	assert_null(mote_receipt_find(c, NULL, false));
	mote_container_close(c);
	assert_int_equal(mote_container_stamp(path, MOTE_SECTION_RECEIPTS, third, NULL), MOTE_OK);
	assert_int_equal(mote_container_open(path, &c, NULL), MOTE_OK);
	found = mote_receipt_find(c, NULL, false);
	assert_non_null(found);
	assert_int_equal(mote_receipt_compare(found, &g, NULL), MOTE_OK);
	mote_hash_to_hex(mote_text_hash(&other), hex);
	found = mote_receipt_find(c, hex, true);
	assert_non_null(found);
	assert_string_equal(mote_json_get(mote_json_get(found, "validation"), "name")->valuestring, "others.txt");
	mote_hash_to_hex((struct mote_hash128){1, 2}, hex);
	assert_string_equal(hex, "00000000000000020000000000000001");
	assert_null(mote_receipt_find(c, hex, true));
	mote_container_close(c);

	changed = make_container(2.0f);
	assert_int_equal(mote_receipts_append(third, mote_container_tensors_hash(changed),
					      make_receipt(changed, &text, &f, 64), &fourth, NULL), MOTE_OK);
	assert_int_equal(cJSON_GetArraySize(fourth), 1);
	mote_container_close(changed);
	cJSON_Delete(first);
	cJSON_Delete(second);
	cJSON_Delete(third);
	cJSON_Delete(fourth);
}

static int make_path(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

static void numbers_for_people(void **state)
{
	static const struct {
		double value;
		int digits;
		const char *text;
	} numbers[] = { {3.80904, 4, "3.8090"}, {-0.5, 6, "-0.500000"}, {123456.75, 4, "123456.7500"},
			{1.5e60, 4, "1.50000e+60"}, {-2e9, 2, "-2.00000e+09"}, {(double)__builtin_nanf(""), 4, ""},
			{(double)__builtin_inff(), 4, "inf"}};
	char text[MOTE_REPORT_NUMBER_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		assert_string_equal(mote_report_number(text, numbers[i].value, numbers[i].digits), numbers[i].text);
}

/* An evaluation replaces one of the same task, asked in the same way, and no other. */
static void an_evaluation_replaces_its_like(void **state)
{
	static const char base[] = "{\"task\":\"t\",\"files_xxh3\":\"f\",\"items\":5,\"few_shot\":2,\"seed\":1,"
				   "\"chat\":true}";
	static const struct {
		const char *evaluation;
		int receipts;
	} second[] = {
		{base, 1},
		{"{\"task\":\"t\",\"files_xxh3\":\"f\",\"items\":5,\"few_shot\":2,\"seed\":1,\"chat\":true,"
		 "\"score\":0.5}", 1},
		{"{\"task\":\"u\",\"files_xxh3\":\"f\",\"items\":5,\"few_shot\":2,\"seed\":1,\"chat\":true}", 2},
		{"{\"task\":\"t\",\"files_xxh3\":\"g\",\"items\":5,\"few_shot\":2,\"seed\":1,\"chat\":true}", 2},
		{"{\"task\":\"t\",\"files_xxh3\":\"f\",\"items\":6,\"few_shot\":2,\"seed\":1,\"chat\":true}", 2},
		{"{\"task\":\"t\",\"files_xxh3\":\"f\",\"items\":5,\"few_shot\":1,\"seed\":1,\"chat\":true}", 2},
		{"{\"task\":\"t\",\"files_xxh3\":\"f\",\"items\":5,\"few_shot\":2,\"seed\":0,\"chat\":true}", 2},
		{"{\"task\":\"t\",\"files_xxh3\":\"f\",\"items\":5,\"few_shot\":2,\"seed\":1,\"chat\":false}", 2},
		{"{\"task\":\"t\",\"files_xxh3\":\"f\",\"items\":5,\"few_shot\":2,\"seed\":1}", 2},
		{"{\"task\":\"t\",\"files_xxh3\":\"f\",\"items\":5,\"few_shot\":2,\"seed\":1,\"chat\":true,"
		 "\"limit\":9}", 2},
		{"{\"task\":\"t\",\"files_xxh3\":\"f\",\"items\":5,\"few_shot\":2,\"seed\":1,\"chat\":true,"
		 "\"max_tokens\":9}", 2},
		{NULL, 2},
	};
	struct mote_hash128 tensors = {1, 2};
	char hex[33];

	(void)state;
	mote_hash_to_hex(tensors, hex);
	for (size_t i = 0; i < sizeof second / sizeof *second; i++) {
		cJSON *one, *both, *receipt[2];

		for (int k = 0; k < 2; k++) {
			const char *evaluation = k ? second[i].evaluation : base;

			receipt[k] = cJSON_CreateObject();
			cJSON_AddStringToObject(receipt[k], "tensors", hex);
			if (evaluation)
				cJSON_AddItemToObject(receipt[k], "evaluation", cJSON_Parse(evaluation));
		}
		assert_int_equal(mote_receipts_append(NULL, tensors, receipt[0], &one, NULL), MOTE_OK);
		assert_int_equal(mote_receipts_append(one, tensors, receipt[1], &both, NULL), MOTE_OK);
		if (cJSON_GetArraySize(both) != second[i].receipts)
			fail_msg("%s: %d receipts", second[i].evaluation, cJSON_GetArraySize(both));
		cJSON_Delete(one);
		cJSON_Delete(both);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_receipt_can_be_repeated),
		cmocka_unit_test(what_a_reader_cannot_know_is_refused),
		cmocka_unit_test(receipts_of_other_tensors_go),
		cmocka_unit_test(numbers_for_people),
		cmocka_unit_test(an_evaluation_replaces_its_like),
	};
	return cmocka_run_group_tests(tests, make_path, remove_path);
}
