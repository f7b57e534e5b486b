/* The name under which llama.cpp cuts texts as a compiled tokenizer does: see gguf_put.h. */
#include <stdlib.h>
#include <string.h>

#include "convert/gguf/gguf_put.h"
#include "convert/gguf/gguf_vocabulary.h"
#include "convert/hf/hf_tokenizer.h"

static bool same_argument(const struct mote_tokenizer_parts *t, uint32_t at, uint32_t bytes,
			  const struct mote_tokenizer_parts *u, uint32_t other, uint32_t other_bytes)
{
	return bytes == other_bytes &&
	       memcmp(mote_tokenizer_parts_string(t, at), mote_tokenizer_parts_string(u, other), bytes) == 0;
}

static bool same_stage(const struct mote_tokenizer_parts *t, const struct mote_tokenizer_parts *u,
		       enum tokenizer_stage stage)
{
	uint32_t n, m, first = mote_tokenizer_parts_stage(t, stage, &n);
	uint32_t other = mote_tokenizer_parts_stage(u, stage, &m);
	bool same = n == m;

	for (uint32_t i = 0; i < n && same; i++) {
		const struct tokenizer_step *a = &t->step[first + i], *b = &u->step[other + i];

		same = a->kind == b->kind && a->mode == b->mode && a->flags == b->flags && a->number == b->number &&
		       same_argument(t, a->a, a->a_bytes, u, b->a, b->a_bytes) &&
		       same_argument(t, a->b, a->b_bytes, u, b->b, b->b_bytes);
	}
	return same;
}

/* A tokenizer of one letter that cuts texts as the name says; the caller frees section. */
static enum mote_status compile_pre(const struct mote_gguf_pre *pre, uint8_t **section, size_t *bytes,
				    struct mote_error *error)
{
	struct mote_text_buffer b = {0};
	enum mote_status status;

	mote_text_buffer_print(&b, "{\"version\":\"1.0\",\"added_tokens\":[],\"normalizer\":%s,\"pre_tokenizer\":",
			       pre->normalizer);
	mote_text_buffer_add(&b, pre->pre_tokenizer, strlen(pre->pre_tokenizer));
	mote_text_buffer_print(&b,
			       ",\"post_processor\":null,\"decoder\":{\"type\":\"ByteLevel\"},\"model\":"
			       "{\"type\":\"BPE\",\"ignore_merges\":%s,\"vocab\":{\"a\":0},\"merges\":[]}}",
			       pre->ignore_merges ? "true" : "false");
	if (b.failed)
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "tokenizer: out of memory");
	else
		status = mote_hf_tokenizer_compile(&(struct mote_hf_tokenizer_source){.json = b.text, .bytes = b.bytes},
						   section, bytes, NULL, error);
	free(b.text);
	return status;
}

enum mote_status mote_gguf_find_pre(const struct mote_tokenizer_parts *t, const char **name, struct mote_error *error)
{
	const struct mote_gguf_pre *pre;
	enum mote_status status = MOTE_OK;

	*name = NULL;
	for (size_t i = 0; !status && !*name && (pre = mote_gguf_pre_at(i)); i++) {
		struct mote_tokenizer_parts u;
		uint8_t *section = NULL;
		size_t bytes;

		status = compile_pre(pre, &section, &bytes, error);
		if (!status && !(status = mote_tokenizer_parts_read(section, bytes, &u, error))) {
			if ((t->flags & MODEL_IGNORE_MERGES) == (u.flags & MODEL_IGNORE_MERGES) &&
			    same_stage(t, &u, STAGE_NORMALIZE) && same_stage(t, &u, STAGE_SPLIT))
				*name = pre->name;
			mote_tokenizer_parts_free(&u);
		}
		free(section);
	}
	return status;
}
