/* Fuzzes tasks of mote-eval: the first byte says which built-in task a file of records is read as, or that a user's own
 * definition stands before a NUL. Either refused with a message,
 * or items with the choices and answers that their kind has. */
#include "quant/eval/answer_match.h"
#include "quant/eval/task.h"
#include "quant/eval/task_json.h"
#include "tests/fuzz/fuzz_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct mote_task *t)
{
	for (uint32_t i = 0; i < t->items; i++) {
		const struct mote_item *item = &t->item[i];

		if (!item->context || !item->id || item->choices > MOTE_TASK_CHOICES)
			abort();
		if (t->row->kind == MOTE_TASK_CHOICE && (!item->choices || item->gold >= item->choices))
			abort();
		for (uint32_t k = 0; k < item->choices; k++)
			if (!item->choice[k])
				abort();
	}
}

static void read_records(const struct mote_task_row *row, const struct fuzz_part *part)
{
	const struct mote_task_options options = {.limit = 50, .few = -1};
	const char *name = row->layout == MOTE_LAYOUT_TABLES ? "records/a_test.csv" : row->layout == MOTE_LAYOUT_BBH ?
			   "records/bbh/a.json" : "records.jsonl";
	struct mote_task task = {0};
	struct mote_error error = {0};
	char path[128];

	fuzz_write(name, part->text, part->bytes);
	if (row->labels)
		fuzz_write(row->labels, "0\n1\n", 4);
	if (mote_task_read(row, fuzz_path(path, row->layout == MOTE_LAYOUT_LINES ? "records.jsonl" : "records"),
			   &options, &task, &error)) {
		if (!error.message[0])
			abort();
	} else {
		check(&task);
	}
	mote_task_free(&task);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int prepared;
	struct fuzz_part part;
	struct mote_task_file *own = NULL;
	struct mote_error error = {0};
	uint32_t rows = 0;
	char command[256];

	if (!prepared) {
		snprintf(command, sizeof command, "cd %s && mkdir -p records/bbh records/cot-prompts && echo "
			 "'x\n-----\nQ' >records/cot-prompts/a.txt", fuzz_place());
		if (system(command))
			abort();
		prepared = 1;
	}
	if (!size)
		return 0;
	while (mote_task_row_at(rows))
		rows++;
	if (data[0] % (rows + 1) < rows) {
		part = (struct fuzz_part){(const char *)data + 1, size - 1};
		read_records(mote_task_row_at(data[0] % (rows + 1)), &part);
		return 0;
	}
	data++;
	size--;
	fuzz_next(&data, &size, &part);
	if (mote_task_file_parse(part.text, part.bytes, "fuzz", &own, &error)) {
		if (!error.message[0] || own)
			abort();
		return 0;
	}
	part = (struct fuzz_part){(const char *)data, size};
	read_records(mote_task_file_row(own), &part);
	mote_task_file_close(own);
	return 0;
}
