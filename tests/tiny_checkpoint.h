/* Writes a tiny Llama checkpoint of random weights as transformers would save it, with one thing wrong when a test
 * asks for it. The weights are kept in memory for comparison. */
#ifndef MOTE_TESTS_TINY_CHECKPOINT_H
#define MOTE_TESTS_TINY_CHECKPOINT_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TINY_HIDDEN 24u
#define TINY_LAYERS 2u
#define TINY_HEADS 3u
#define TINY_KV_HEADS 1u
#define TINY_HEAD_DIM 10u
#define TINY_FFN 20u
#define TINY_VOCAB 37u
#define TINY_MAX_TENSORS 128u

struct tiny_tensor {
	char name[96];
	uint32_t rows, cols;  /* cols 0: a vector */
	const char *dtype;
	uint8_t *data;
	size_t bytes;
	uint32_t shard;
};

struct tiny {
	struct tiny_tensor tensor[TINY_MAX_TENSORS];
	uint32_t tensors;
	uint32_t shards;      /* 1: model.safetensors */
	const char *metadata; /* further members of "__metadata__", with a comma before them; NULL: none */
};

static const char tiny_config[] =
	"{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"hidden_size\":24,\"num_hidden_layers\":2,"
	"\"num_attention_heads\":3,\"num_key_value_heads\":1,\"head_dim\":10,\"intermediate_size\":20,"
	"\"vocab_size\":37,"
	"\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5,\"rope_theta\":10000.0,\"tie_word_embeddings\":true,"
	"\"bos_token_id\":1,\"eos_token_id\":2}";

/* Byte-level, three letters and a merge: most bytes cannot be expressed. */
static const char tiny_tokenizer[] =
	"{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":["
	"{\"id\":0,\"content\":\"<|end|>\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
	"\"normalized\":false,"
	"\"special\":true},"
	"{\"id\":1,\"content\":\"<s>\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
	"\"special\":true},"
	"{\"id\":2,\"content\":\"</s>\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
	"\"special\":true}],"
	"\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
	"\"trim_offsets\":true,"
	"\"use_regex\":true},\"post_processor\":null,\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
	"\"trim_offsets\":true,\"use_regex\":true},\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,"
	"\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":false,\"byte_fallback\":false,"
	"\"vocab\":{\"<|end|>\":0,\"<s>\":1,\"</s>\":2,\"a\":3,\"b\":4,\"c\":5,\"ab\":6},\"merges\":[\"a b\"]}}";

static void tiny_write(const char *folder, const char *name, const void *bytes, size_t size)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "wb");
	if (!file || fwrite(bytes, 1, size, file) != size || fclose(file))
		abort();
}

static void tiny_write_text(const char *folder, const char *name, const char *text)
{
	tiny_write(folder, name, text, strlen(text));
}

static size_t tiny_element_bytes(const char *dtype)
{
	return strcmp(dtype, "F32") == 0 ? 4 : strcmp(dtype, "I8") == 0 ? 1 : 2;
}

static inline struct tiny_tensor *tiny_find(struct tiny *t, const char *name)
{
	for (uint32_t i = 0; i < t->tensors; i++)
		if (strcmp(t->tensor[i].name, name) == 0)
			return &t->tensor[i];
	return NULL;
}

/* Finite in every type: random mantissas, exponents around 1. */
static void tiny_add(struct tiny *t, const char *name, uint32_t rows, uint32_t cols, const char *dtype)
{
	struct tiny_tensor *tensor = &t->tensor[t->tensors++];
	size_t element = tiny_element_bytes(dtype), count = (size_t)rows * (cols ? cols : 1);
	uint64_t random = t->tensors * 77777u;

	snprintf(tensor->name, sizeof tensor->name, "%s", name);
	tensor->rows = rows;
	tensor->cols = cols;
	tensor->dtype = dtype;
	tensor->bytes = count * element;
	tensor->data = malloc(tensor->bytes);
	for (size_t i = 0; i < count; i++) {
		uint32_t bits;
		uint16_t half;

		random = random * 6364136223846793005u + 1442695040888963407u;
		bits = (uint32_t)(random >> 32);
		if (element == 4) {
			bits = (bits & 0x807fffffu) | (120 + bits % 10) << 23;
			memcpy(tensor->data + i * 4, &bits, 4);
		} else if (element == 2) {
			half = (uint16_t)(strcmp(dtype, "F16") ? (bits & 0x807fu) | (120 + (bits >> 16) % 10) << 7 :
								 (bits & 0x83ffu) | (10 + (bits >> 16) % 10) << 10);
			memcpy(tensor->data + i * 2, &half, 2);
		} else {
			tensor->data[i] = (uint8_t)bits;
		}
	}
}

static inline void tiny_init(struct tiny *t, const char *dtype)
{
	static const struct {
		const char *name;
		uint32_t rows, cols;
	} layer[] = { /* sorted by name, as save_file() leaves them */
		{"input_layernorm", TINY_HIDDEN, 0},
		{"mlp.down_proj", TINY_HIDDEN, TINY_FFN},
		{"mlp.gate_proj", TINY_FFN, TINY_HIDDEN},
		{"mlp.up_proj", TINY_FFN, TINY_HIDDEN},
		{"post_attention_layernorm", TINY_HIDDEN, 0},
		{"self_attn.k_proj", TINY_KV_HEADS * TINY_HEAD_DIM, TINY_HIDDEN},
		{"self_attn.o_proj", TINY_HIDDEN, TINY_HEADS * TINY_HEAD_DIM},
		{"self_attn.q_proj", TINY_HEADS * TINY_HEAD_DIM, TINY_HIDDEN},
		{"self_attn.v_proj", TINY_KV_HEADS * TINY_HEAD_DIM, TINY_HIDDEN},
	};
	char name[64];

	*t = (struct tiny){.shards = 1};
	tiny_add(t, "model.embed_tokens.weight", TINY_VOCAB, TINY_HIDDEN, dtype);
	for (uint32_t i = 0; i < TINY_LAYERS; i++)
		for (size_t j = 0; j < sizeof layer / sizeof *layer; j++) {
			snprintf(name, sizeof name, "model.layers.%u.%s.weight", i, layer[j].name);
			tiny_add(t, name, layer[j].rows, layer[j].cols, dtype);
		}
	tiny_add(t, "model.norm.weight", TINY_HIDDEN, 0, dtype);
}

static inline void tiny_free(struct tiny *t)
{
	for (uint32_t i = 0; i < t->tensors; i++)
		free(t->tensor[i].data);
}

static inline void tiny_remove(struct tiny *t, const char *name)
{
	struct tiny_tensor *tensor = tiny_find(t, name);

	free(tensor->data);
	memmove(tensor, tensor + 1, (size_t)(&t->tensor[--t->tensors] - tensor) * sizeof *tensor);
}

static void tiny_write_shard(const struct tiny *t, uint32_t shard, const char *folder, const char *name)
{
	static char header[16384];
	static uint8_t file[1 << 17];
	size_t used = (size_t)snprintf(header, sizeof header, "{\"__metadata__\":{\"format\":\"pt\"%s}",
				      t->metadata ? t->metadata : ""), at = 0;

	for (uint32_t i = 0; i < t->tensors; i++) {
		const struct tiny_tensor *x = &t->tensor[i];
		char cols[16] = "";

		if (x->shard != shard)
			continue;
		if (x->cols)
			snprintf(cols, sizeof cols, ",%u", x->cols);
		used += (size_t)snprintf(header + used, sizeof header - used,
					 ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%u%s],\"data_offsets\":[%zu,%zu]}",
					 x->name, x->dtype, x->rows, cols, at, at + x->bytes);
		at += x->bytes;
	}
	used += (size_t)snprintf(header + used, sizeof header - used, "}");
	for (int i = 0; i < 8; i++)
		file[i] = (uint8_t)((uint64_t)used >> 8 * i);
	memcpy(file + 8, header, used);
	at = 8 + used;
	for (uint32_t i = 0; i < t->tensors; i++)
		if (t->tensor[i].shard == shard) {
			memcpy(file + at, t->tensor[i].data, t->tensor[i].bytes);
			at += t->tensor[i].bytes;
		}
	tiny_write(folder, name, file, at);
}

/* Weights (dealt out over the shards), config and tokenizer. */
static inline void tiny_save(struct tiny *t, const char *folder)
{
	static char index[16384];
	size_t used;
	char name[64];

	tiny_write_text(folder, "config.json", tiny_config);
	tiny_write_text(folder, "tokenizer.json", tiny_tokenizer);
	if (t->shards == 1) {
		tiny_write_shard(t, 0, folder, "model.safetensors");
		return;
	}
	used = (size_t)snprintf(index, sizeof index, "{\"metadata\":{\"total_size\":1},\"weight_map\":{");
	for (uint32_t i = 0; i < t->tensors; i++) {
		t->tensor[i].shard = i % t->shards;
		used += (size_t)snprintf(index + used, sizeof index - used,
					 "%s\"%s\":\"model-%05u-of-%05u.safetensors\"", i ? "," : "", t->tensor[i].name,
					 t->tensor[i].shard + 1, t->shards);
	}
	snprintf(index + used, sizeof index - used, "}}");
	tiny_write_text(folder, "model.safetensors.index.json", index);
	for (uint32_t s = 0; s < t->shards; s++) {
		snprintf(name, sizeof name, "model-%05u-of-%05u.safetensors", s + 1, t->shards);
		tiny_write_shard(t, s, folder, name);
	}
}

#endif
