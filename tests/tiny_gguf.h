/* Builds GGUF files in memory, field by field, so that a test can make any of them wrong; and the file that holds the
 * same model as tiny_checkpoint.h's directory. */
#ifndef MOTE_TESTS_TINY_GGUF_H
#define MOTE_TESTS_TINY_GGUF_H

#include "tests/tiny_checkpoint.h"

struct tiny_gguf { /* zero-initialize */
	uint8_t bytes[1 << 18];
	size_t size;
};

static inline void tiny_put(struct tiny_gguf *g, const void *data, size_t n)
{
	if (g->size + n > sizeof g->bytes)
		abort();
	memcpy(g->bytes + g->size, data, n);
	g->size += n;
}

static inline void tiny_put32(struct tiny_gguf *g, uint32_t x)
{
	tiny_put(g, &x, 4);
}

static inline void tiny_put64(struct tiny_gguf *g, uint64_t x)
{
	tiny_put(g, &x, 8);
}

static inline void tiny_put_text(struct tiny_gguf *g, const char *text)
{
	tiny_put64(g, strlen(text));
	tiny_put(g, text, strlen(text));
}

static inline void tiny_put_string(struct tiny_gguf *g, const char *key, const char *text)
{
	tiny_put_text(g, key);
	tiny_put32(g, 8);
	tiny_put_text(g, text);
}

static inline void tiny_put_u32(struct tiny_gguf *g, const char *key, uint32_t x)
{
	tiny_put_text(g, key);
	tiny_put32(g, 4);
	tiny_put32(g, x);
}

static inline void tiny_put_f32(struct tiny_gguf *g, const char *key, float x)
{
	tiny_put_text(g, key);
	tiny_put32(g, 6);
	tiny_put(g, &x, 4);
}

static inline void tiny_put_array(struct tiny_gguf *g, const char *key, uint32_t kind, uint64_t count)
{
	tiny_put_text(g, key);
	tiny_put32(g, 9);
	tiny_put32(g, kind);
	tiny_put64(g, count);
}

static inline void tiny_put_header(struct tiny_gguf *g, uint32_t version, uint64_t tensors, uint64_t values)
{
	tiny_put(g, "GGUF", 4);
	tiny_put32(g, version);
	tiny_put64(g, tensors);
	tiny_put64(g, values);
}

static inline void tiny_put_tensor(struct tiny_gguf *g, const char *name, uint32_t rows, uint32_t cols, uint32_t type,
				   uint64_t offset)
{
	tiny_put_text(g, name);
	tiny_put32(g, cols ? 2 : 1);
	if (cols)
		tiny_put64(g, cols);
	tiny_put64(g, rows);
	tiny_put32(g, type);
	tiny_put64(g, offset);
}

static inline void tiny_pad(struct tiny_gguf *g)
{
	while (g->size % 32)
		tiny_put(g, "", 1);
}

enum { TINY_GGUF_VALUES = 16 };

static inline void tiny_put_values(struct tiny_gguf *g)
{
	static const char *const tokens[7] = {"<|end|>", "<s>", "</s>", "a", "b", "c", "ab"};

	tiny_put_string(g, "general.architecture", "llama");
	tiny_put_u32(g, "llama.context_length", 64);
	tiny_put_u32(g, "llama.embedding_length", TINY_HIDDEN);
	tiny_put_u32(g, "llama.block_count", TINY_LAYERS);
	tiny_put_u32(g, "llama.feed_forward_length", TINY_FFN);
	tiny_put_u32(g, "llama.attention.head_count", TINY_HEADS);
	tiny_put_u32(g, "llama.attention.head_count_kv", TINY_KV_HEADS);
	tiny_put_u32(g, "llama.attention.key_length", TINY_HEAD_DIM);
	tiny_put_f32(g, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
	tiny_put_string(g, "tokenizer.ggml.model", "gpt2");
	tiny_put_string(g, "tokenizer.ggml.pre", "gpt-2");
	tiny_put_array(g, "tokenizer.ggml.tokens", 8, 7);
	for (int i = 0; i < 7; i++)
		tiny_put_text(g, tokens[i]);
	tiny_put_array(g, "tokenizer.ggml.token_type", 5, 7);
	for (uint32_t i = 0; i < 7; i++)
		tiny_put32(g, i < 3 ? 3 : 1);
	tiny_put_array(g, "tokenizer.ggml.merges", 8, 1);
	tiny_put_text(g, "a b");
	tiny_put_u32(g, "tokenizer.ggml.bos_token_id", 1);
	tiny_put_u32(g, "tokenizer.ggml.eos_token_id", 2);
}

static inline const char *tiny_gguf_name(const char *name, char out[64])
{
	static const char *const names[][2] = {
		{"input_layernorm", "attn_norm"}, {"self_attn.q_proj", "attn_q"}, {"self_attn.k_proj", "attn_k"},
		{"self_attn.v_proj", "attn_v"}, {"self_attn.o_proj", "attn_output"},
		{"post_attention_layernorm", "ffn_norm"}, {"mlp.gate_proj", "ffn_gate"}, {"mlp.up_proj", "ffn_up"},
		{"mlp.down_proj", "ffn_down"},
	};

	if (strcmp(name, "model.embed_tokens.weight") == 0)
		return "token_embd.weight";
	if (strcmp(name, "model.norm.weight") == 0)
		return "output_norm.weight";
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strstr(name, names[i][0]))
			snprintf(out, 64, "blk.%c.%s.weight", name[13], names[i][1]);
	return out;
}

/* The tensors' rows of a checkpoint as llama.cpp has them: the two halves of each head interleaved. */
static inline void tiny_put_rows(struct tiny_gguf *g, const struct tiny_tensor *x)
{
	const uint32_t heads = strstr(x->name, "q_proj") ? TINY_HEADS : strstr(x->name, "k_proj") ? TINY_KV_HEADS : 0;
	const size_t row = x->bytes / x->rows;

	for (uint32_t r = 0; r < x->rows; r++) {
		uint32_t head = r / TINY_HEAD_DIM, at = r % TINY_HEAD_DIM;
		uint32_t from = heads ? head * TINY_HEAD_DIM + at % 2 * (TINY_HEAD_DIM / 2) + at / 2 : r;

		tiny_put(g, x->data + from * row, row);
	}
}

static inline void tiny_gguf_build(struct tiny_gguf *g, const struct tiny *t)
{
	uint64_t at = 0;
	char name[64];

	g->size = 0;
	tiny_put_header(g, 3, t->tensors, TINY_GGUF_VALUES);
	tiny_put_values(g);
	for (uint32_t i = 0; i < t->tensors; i++) {
		const struct tiny_tensor *x = &t->tensor[i];
		uint32_t type = strcmp(x->dtype, "F32") == 0 ? 0 : strcmp(x->dtype, "F16") == 0 ? 1 : 30;

		tiny_put_tensor(g, tiny_gguf_name(x->name, name), x->rows, x->cols, type, at);
		at += (x->bytes + 31) / 32 * 32;
	}
	for (uint32_t i = 0; i < t->tensors; i++) {
		tiny_pad(g);
		tiny_put_rows(g, &t->tensor[i]);
	}
	tiny_pad(g);
}

#endif
