/* Fuzzes a whole container whose sections are hostile and whose checksums are right: the input is the metadata,
 * receipts and sensitivities as JSON, with NULs between, around a tiny model's tensors and tokenizer. Either refused
 * with a message, or a model that describes itself, renders, and computes a token. */
#include "format/inspect.h"
#include "format/writer.h"
#include "quant/receipt/receipt.h"
#include "tests/fuzz/fuzz_files.h"
#include "convert/checkpoint.h"
#include "runtime/api/mote.h"
#include "tests/tiny_checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mote_container *base(void)
{
	static struct mote_container *c;
	struct mote_checkpoint_options options = {.tool = "fuzz", .keep_types = true, .one_thread = true};
	struct tiny t;
	char path[128];

	if (c)
		return c;
	tiny_init(&t, "BF16");
	tiny_save(&t, fuzz_place());
	tiny_free(&t);
	if (mote_checkpoint_convert(fuzz_place(), fuzz_path(path, "base.mote"), &options, NULL, NULL) ||
	    mote_container_open(path, &c, NULL))
		abort();
	return c;
}

static void copy_tensors(struct mote_writer *w, const struct mote_container *c)
{
	for (uint32_t i = 0; i < mote_container_tensor_count(c); i++) {
		const struct mote_tensor *t = mote_container_tensor(c, i);

		if (mote_writer_add_tensor(w, t->name, t->rank, t->rank == 1 ? MOTE_F32 : t->matrix.type, t->rows,
					   t->cols, NULL, NULL))
			abort();
	}
	for (uint32_t i = 0; i < mote_container_tensor_count(c); i++) {
		const struct mote_tensor *t = mote_container_tensor(c, i);

		if (t->rank == 1 ? mote_writer_write(w, t->vector, t->rows * sizeof(float), NULL)
				 : mote_writer_write(w, t->matrix.data, t->matrix.panels * t->matrix.panel_bytes, NULL))
			abort();
	}
}

static void use(const struct mote_lm *lm)
{
	struct mote_lm_session_options options = MOTE_LM_SESSION_OPTIONS_INIT;
	struct mote_lm_chat chat = MOTE_LM_CHAT_INIT;
	struct mote_lm_error error = {0};
	struct mote_lm_session *session;
	struct mote_lm_info info;
	const float *logits;
	int32_t *ids = NULL;
	size_t count = 0;

	mote_lm_describe(lm, &info);
	chat.messages = "[{\"role\":\"user\",\"content\":\"ab\"}]";
	if (mote_lm_encode_chat(lm, &chat, &ids, &count, NULL, &error) && !error.message[0])
		abort();
	mote_lm_free(ids);
	options.context_tokens = 8;
	options.threads = 1;
	error = (struct mote_lm_error){0};
	if (mote_lm_session_open(lm, &options, &session, &error)) {
		if (!error.message[0])
			abort();
		return;
	}
	if (mote_lm_logits(session, (int32_t[]){1, 2}, 2, &logits, &error))
		abort();
	mote_lm_session_close(session);
}

static void open(const char *path)
{
	struct mote_container *c;
	struct mote_lm_error error = {0};
	struct mote_lm *lm;

	if (mote_container_open(path, &c, NULL) == MOTE_OK) {
		for (const cJSON *r = mote_container_receipts(c) ? mote_container_receipts(c)->child : NULL; r;
		     r = r->next) {
			struct mote_receipt_terms terms;

			(void)!mote_receipt_read(r, &terms, NULL);
		}
		(void)!mote_receipt_find(c, NULL, true);
	}
	mote_container_close(c);
	if (mote_lm_open(path, NULL, &lm, &error)) {
		if (!error.message[0] || lm)
			abort();
		return;
	}
	use(lm);
	mote_lm_close(lm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum mote_section kinds[] = {MOTE_SECTION_METADATA, MOTE_SECTION_RECEIPTS,
						  MOTE_SECTION_SENSITIVITY};
	const struct mote_container *c = base();
	struct mote_writer *w;
	struct fuzz_part part;
	const void *tokenizer;
	size_t bytes;
	char path[128];

	unlink(fuzz_path(path, "made.mote"));
	if (mote_writer_open(path, false, &w, NULL))
		abort();
	copy_tensors(w, c);
	tokenizer = mote_container_section(c, MOTE_SECTION_TOKENIZER, &bytes);
	if (mote_writer_put_section(w, MOTE_SECTION_TOKENIZER, tokenizer, bytes, NULL))
		abort();
	for (int i = 0; i < 3 && fuzz_next(&data, &size, &part); i++) {
		cJSON *json;

		if (mote_json_parse(part.text, part.bytes, "fuzz", &json, NULL))
			continue;
		(void)!mote_writer_put_json(w, kinds[i], json, NULL);
		cJSON_Delete(json);
	}
	if (mote_writer_finish(w, NULL) == MOTE_OK)
		open(mote_writer_temp_path(w));
	mote_writer_discard(w);
	return 0;
}
