/* Checkpoints as they lie on people's disks: tensors under other names, indexes that disagree about what nobody needs,
 * links to nothing, and files that are something else than their names say. */
#include "tests/checkpoint_place.h"

#include "format/half.h"

static void rename_all(struct tiny *t, const char *old, const char *new)
{
	for (uint32_t i = 0; i < t->tensors; i++) {
		char name[sizeof t->tensor[i].name];

		if (strncmp(t->tensor[i].name, old, strlen(old)))
			continue;
		assert_true(snprintf(name, sizeof name, "%s%s", new, t->tensor[i].name + strlen(old)) <
			    (int)sizeof name);
		strcpy(t->tensor[i].name, name);
	}
}

static void take_hash(const struct place *p, struct mote_hash128 *hash, uint32_t notes)
{
	struct mote_checkpoint_report report;
	struct mote_error error = {0};
	struct mote_container *c;

	if (mote_checkpoint_convert(p->in, p->file, &keep, &report, &error) || mote_container_open(p->file, &c, &error))
		fail_msg("%s", error.message);
	assert_int_equal(report.notes.notes, notes);
	mote_notes_free(&report.notes);
	*hash = mote_container_tensors_hash(c);
	mote_container_close(c);
	remove(p->file);
}

static void same_tensors(const struct place *p, const struct mote_hash128 *expected, uint32_t notes)
{
	struct mote_hash128 hash;

	take_hash(p, &hash, notes);
	assert_memory_equal(&hash, expected, sizeof hash);
}

static void test_tied_head_instead_of_embedding(void **state)
{
	struct place *p = *state;
	struct mote_hash128 hash;
	struct tiny t;

	tiny_init(&t, "BF16");
	tiny_save(&t, p->in);
	take_hash(p, &hash, 0);
	strcpy(t.tensor[0].name, "lm_head.weight");
	tiny_save(&t, p->in);
	same_tensors(p, &hash, 0);
	t.metadata = ",\"model.embed_tokens.weight\":\"lm_head.weight\"";
	tiny_save(&t, p->in);
	same_tensors(p, &hash, 0);
	/* an alias of any tensor is one; what names no tensor is none */
	strcpy(t.tensor[0].name, "model.embed_tokens.weight");
	t.metadata = ",\"model.layers.1.input_layernorm.weight\":\"model.layers.1.post_attention_layernorm.weight\","
		     "\"model.norm.weight\":\"nothing\",\"extra\":\"model.norm.weight\"";
	tiny_save(&t, p->in);
	same_tensors(p, &hash, 0);
	tiny_remove(&t, "model.layers.1.input_layernorm.weight");
	tiny_save(&t, p->in);
	take_hash(p, &hash, 0);
	tiny_free(&t);
}

static void test_prefixes(void **state)
{
	static const char *const prefixes[] = { "_orig_mod.model.", "module.model.", "base_model.model.model.",
						"language_model.model.", "model.language_model.",
						"module._orig_mod.model.", "" };
	struct place *p = *state;
	struct mote_hash128 hash;
	struct tiny t;

	tiny_init(&t, "BF16");
	tiny_save(&t, p->in);
	take_hash(p, &hash, 0);
	tiny_free(&t);
	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
		tiny_init(&t, "BF16");
		rename_all(&t, "model.", prefixes[i]);
		tiny_save(&t, p->in);
		same_tensors(p, &hash, 1);
		/* the head has the wrapper's prefix, if it has one */
		tiny_add(&t, i == 0 ? "_orig_mod.lm_head.weight" : "lm_head.weight", TINY_VOCAB, TINY_HIDDEN, "BF16");
		memcpy(t.tensor[t.tensors - 1].data, t.tensor[0].data, t.tensor[0].bytes);
		tiny_save(&t, p->in);
		same_tensors(p, &hash, 1);
		/* not everything is there: told by the names that the file has */
		tiny_remove(&t, t.tensor[5].name);
		tiny_save(&t, p->in);
		refuse(p, &keep, MOTE_ERROR_CORRUPT, "is missing; the nearest name is \"");
		tiny_free(&t);
	}
	tiny_init(&t, "BF16");
	rename_all(&t, "model.", "unheard_of.");
	tiny_save(&t, p->in);
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "the nearest name is \"unheard_of.embed_tokens.weight\"");
	tiny_free(&t);
	tiny_init(&t, "BF16");
	strcpy(tiny_find(&t, "model.layers.1.mlp.down_proj.weight")->name, "model.layers.1.mlp.dawn_proj.weight");
	tiny_save(&t, p->in);
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "\"model.layers.1.mlp.down_proj.weight\" [24, 20] is missing; the "
	       "nearest name is \"model.layers.1.mlp.dawn_proj.weight\"");
	tiny_free(&t);
	/* a letter too many or too few is one edit, and nearer than two other letters in a name that comes first */
	for (int i = 0; i < 2; i++) {
		static const char *const near[] = {"model.layers.1.mlp.down_projs.weight",
						   "model.layers.1.mlp.down_prj.weight"};
		char expected[128];

		tiny_init(&t, "BF16");
		strcpy(tiny_find(&t, "model.layers.0.mlp.down_proj.weight")->name,
		       "model.layers.1.mlp.dawm_proj.weight");
		strcpy(tiny_find(&t, "model.layers.1.mlp.down_proj.weight")->name, near[i]);
		tiny_save(&t, p->in);
		snprintf(expected, sizeof expected, "\"model.layers.0.mlp.down_proj.weight\" [24, 20] is missing; the "
			 "nearest name is \"%s\"", near[i]);
		refuse(p, &keep, MOTE_ERROR_CORRUPT, expected);
		tiny_free(&t);
	}
}

/* Puts an entry into the index, or takes it out: text is what to look for, put what stands there then. */
static void edit_index(const struct place *p, const char *text, const char *put)
{
	static char index[16384], edited[16384];
	char path[256], *at;
	size_t size;
	FILE *file;

	snprintf(path, sizeof path, "%s/model.safetensors.index.json", p->in);
	file = fopen(path, "rb");
	assert_non_null(file);
	size = fread(index, 1, sizeof index - 1, file);
	fclose(file);
	index[size] = 0;
	at = strstr(index, text);
	assert_non_null(at);
	snprintf(edited, sizeof edited, "%.*s%s%s", (int)(at - index), index, put, at + strlen(text));
	tiny_write_text(p->in, "model.safetensors.index.json", edited);
}

static void save_as(struct tiny *t, const struct place *p, const char *family, const char *more)
{
	char config[1024];

	tiny_save(t, p->in);
	snprintf(config, sizeof config, "{%s,\"hidden_size\":24,\"num_hidden_layers\":2,\"num_attention_heads\":3,"
		 "\"num_key_value_heads\":1,\"head_dim\":10,\"vocab_size\":37,\"tie_word_embeddings\":true,%s}", family,
		 more);
	tiny_write_text(p->in, "config.json", config);
}

/* Of each head of 10 rows, 0 and 5, 1 and 6, ... side by side. */
static void interleave(struct tiny_tensor *x)
{
	const size_t row = x->bytes / x->rows;
	uint8_t *data = malloc(x->bytes);

	for (uint32_t r = 0; r < x->rows; r++)
		memcpy(data + (r - r % 10 + r % 5 * 2 + r % 10 / 5) * row, x->data + r * row, row);
	free(x->data);
	x->data = data;
}

static void test_neighbours(void **state)
{
	static const char family[] = "\"architectures\":[\"Ernie4_5ForCausalLM\"],\"model_type\":\"ernie4_5\"";
	struct place *p = *state;
	struct mote_hash128 hash;
	struct tiny t;

	tiny_init(&t, "BF16");
	tiny_save(&t, p->in);
	take_hash(p, &hash, 0);
	for (uint32_t i = 0; i < t.tensors; i++)
		if (strstr(t.tensor[i].name, "q_proj") || strstr(t.tensor[i].name, "k_proj"))
			interleave(&t.tensor[i]);
	save_as(&t, p, family, "\"intermediate_size\":20");
	same_tensors(p, &hash, 0);
	tiny_free(&t);
}

static void test_shared_mlp(void **state)
{
	static const char family[] = "\"architectures\":[\"GraniteMoeHybridForCausalLM\"],"
				     "\"model_type\":\"granitemoehybrid\"";
	struct place *p = *state;
	struct mote_hash128 hash;
	struct tiny t;

	tiny_init(&t, "BF16");
	tiny_save(&t, p->in);
	take_hash(p, &hash, 0);
	for (int i = 0; i < 2; i++) {
		char name[64];
		struct tiny_tensor *gate, *up;

		snprintf(name, sizeof name, "model.layers.%d.mlp.down_proj.weight", i);
		snprintf(tiny_find(&t, name)->name, sizeof name, "model.layers.%d.shared_mlp.output_linear.weight", i);
		snprintf(name, sizeof name, "model.layers.%d.mlp.gate_proj.weight", i);
		gate = tiny_find(&t, name);
		snprintf(name, sizeof name, "model.layers.%d.mlp.up_proj.weight", i);
		up = tiny_find(&t, name);
		gate->data = realloc(gate->data, gate->bytes + up->bytes);
		memcpy(gate->data + gate->bytes, up->data, up->bytes);
		gate->bytes += up->bytes;
		gate->rows += up->rows;
		snprintf(gate->name, sizeof gate->name, "model.layers.%d.shared_mlp.input_linear.weight", i);
		tiny_remove(&t, name);
	}
	save_as(&t, p, family, "\"shared_intermediate_size\":20,\"num_local_experts\":0,"
			       "\"layer_types\":[\"attention\",\"attention\"]");
	same_tensors(p, &hash, 0);
	tiny_free(&t);
}

static void test_what_sees_images(void **state)
{
	static const char *const more[] = {"self_attn.q_norm", "self_attn.k_norm", "pre_feedforward_layernorm",
					   "post_feedforward_layernorm"};
	static const char layers[] = "\"intermediate_size\":20";
	struct place *p = *state;
	struct mote_hash128 hash;
	char name[64];
	struct tiny t;

	tiny_init(&t, "BF16");
	for (uint32_t i = 0; i < 8; i++) {
		snprintf(name, sizeof name, "model.layers.%u.%s.weight", i / 4, more[i % 4]);
		tiny_add(&t, name, i % 4 < 2 ? TINY_HEAD_DIM : TINY_HIDDEN, 0, "BF16");
	}
	save_as(&t, p, "\"architectures\":[\"Gemma3ForCausalLM\"],\"model_type\":\"gemma3_text\"", layers);
	take_hash(p, &hash, 0);
	tiny_add(&t, "vision_tower.encoder.layers.0.self_attn.q_proj.weight", 4, 4, "BF16");
	tiny_add(&t, "multi_modal_projector.mm_soft_emb_norm.weight", 4, 0, "BF16");
	save_as(&t, p, "\"architectures\":[\"Gemma3ForCausalLM\"],\"model_type\":\"gemma3_text\"", layers);
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "is superfluous");
	for (int old = 0; old < 2; old++) { /* the names of transformers 4 and 5 */
		if (old) {
			rename_all(&t, "model.", "language_model.model.");
		} else {
			rename_all(&t, "vision_tower.", "model.vision_tower.");
			rename_all(&t, "multi_modal_projector.", "model.multi_modal_projector.");
			rename_all(&t, "model.layers.", "model.language_model.layers.");
			rename_all(&t, "model.embed_tokens.", "model.language_model.embed_tokens.");
			rename_all(&t, "model.norm.", "model.language_model.norm.");
		}
		save_as(&t, p, "\"architectures\":[\"Gemma3ForConditionalGeneration\"],\"text_config\":{"
			       "\"model_type\":\"gemma3_text\"", "\"intermediate_size\":20},\"model_type\":\"gemma3\"");
		same_tensors(p, &hash, 1);
		if (!old) {
			rename_all(&t, "model.language_model.", "model.");
			rename_all(&t, "model.vision_tower.", "vision_tower.");
			rename_all(&t, "model.multi_modal_projector.", "multi_modal_projector.");
		}
	}
	tiny_free(&t);
}

static void test_index_disagrees(void **state)
{
	static const char first[] = "\"weight_map\":{";
	struct place *p = *state;
	struct mote_hash128 hash;
	char path[256];
	struct tiny t;

	tiny_init(&t, "BF16");
	tiny_save(&t, p->in);
	take_hash(p, &hash, 0);
	tiny_add(&t, "model.layers.0.self_attn.rotary_emb.inv_freq", 5, 0, "F32");
	tiny_add(&t, "lm_head.weight", TINY_VOCAB, TINY_HIDDEN, "BF16");
	memcpy(t.tensor[t.tensors - 1].data, t.tensor[0].data, t.tensor[0].bytes);
	t.shards = 2;
	snprintf(path, sizeof path, "%s/model.safetensors", p->in);
	remove(path);
	tiny_save(&t, p->in);
	same_tensors(p, &hash, 0);
	/* listed and absent */
	edit_index(p, first, "\"weight_map\":{\"model.layers.1.self_attn.rotary_emb.inv_freq\":"
		   "\"model-00001-of-00002.safetensors\",");
	same_tensors(p, &hash, 0);
	/* there and not listed; listed elsewhere */
	edit_index(p, ",\"lm_head.weight\":\"model-00002-of-00002.safetensors\"", "");
	same_tensors(p, &hash, 0);
	edit_index(p, "\"model.layers.0.self_attn.rotary_emb.inv_freq\":\"model-00001",
		   "\"model.layers.0.self_attn.rotary_emb.inv_freq\":\"model-00002");
	same_tensors(p, &hash, 0);
	/* needed tensors have to be where they are said to be */
	edit_index(p, "\"model.norm.weight\":\"model-00002", "\"model.norm.weight\":\"model-00001");
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "puts tensor \"model.norm.weight\" into model-00001-of-00002.safetensors, "
	       "which lacks it");
	edit_index(p, "\"model.norm.weight\":\"model-00001-of-00002.safetensors\",", "");
	refuse(p, &keep, MOTE_ERROR_CORRUPT, "does not list tensor \"model.norm.weight\", which "
	       "model-00002-of-00002.safetensors holds");
	tiny_remove(&t, "lm_head.weight");
	tiny_remove(&t, "model.norm.weight");
	tiny_save(&t, p->in);
	edit_index(p, first, "\"weight_map\":{\"model.norm.weight\":\"model-00001-of-00002.safetensors\",");
	refuse(p, &keep, MOTE_ERROR_CORRUPT,
	       "\"model.norm.weight\" [24] is missing: model.safetensors.index.json puts it into "
	       "model-00001-of-00002.safetensors");
	tiny_free(&t);
}

static void test_links_to_nothing(void **state)
{
	static const char *const names[] = { "config.json", "generation_config.json", "tokenizer.json",
					     "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja",
					     "additional_chat_templates", "model.safetensors" };
	struct place *p = *state;
	char path[256], message[128];
	struct tiny t;

	tiny_init(&t, "BF16");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		tiny_save(&t, p->in);
		snprintf(path, sizeof path, "%s/%s", p->in, names[i]);
		remove(path);
		assert_int_equal(symlink("../../blobs/0123", path), 0);
		snprintf(message, sizeof message, "%s is a symbolic link to \"../../blobs/0123\", which is not there",
			 names[i]);
		refuse(p, &keep, MOTE_ERROR_CORRUPT, message);
		remove(path);
	}
	tiny_free(&t);
}

static void test_something_else(void **state)
{
	static const char lfs[] = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 269062856\n";
	static const struct {
		const char *content, *is;
	} kinds[] = {
		{lfs, "is a Git LFS pointer, not the file itself: fetch it with \"git lfs pull\""},
		{"\n <!DOCTYPE html><html>", "is an HTML page: a download went wrong"},
		{"<html lang=en>", "is an HTML page"},
		{"PK\3\4 and more", "is a ZIP archive"},
		{"GGUF\3", "is a GGUF file: give that file itself"},
		{"\x1f\x8b\x08", "is a gzip archive"},
		{"\x28\xb5\x2f\xfd", "is a zstd archive: unpack it"}, /* and nothing behind what says so */
	};
	static const char *const names[] = {"model.safetensors", "config.json", "tokenizer.json",
					    "tokenizer_config.json"};
	struct mote_checkpoint_options options = keep;
	struct place *p = *state;
	char message[256], in[80];
	struct tiny t;

	tiny_init(&t, "BF16");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
			tiny_save(&t, p->in);
			tiny_write_text(p->in, names[i], kinds[k].content);
			snprintf(message, sizeof message, "%s %s", names[i], kinds[k].is);
			refuse(p, &options, MOTE_ERROR_UNSUPPORTED, message);
		}
		snprintf(message, sizeof message, "%s/%s", p->in, names[i]);
		remove(message);
	}
	tiny_save(&t, p->in);
	tiny_write_text(p->in, "chat_template.jinja", "<html>{{ messages }}</html>"); /* odd, but a template */
	assert_int_equal(convert(p, &options, &(struct mote_error){0}), MOTE_OK);
	remove(p->file);
	tiny_write_text(p->in, "chat_template.jinja", lfs);
	refuse(p, &options, MOTE_ERROR_UNSUPPORTED, "chat_template.jinja is a Git LFS pointer");

	/* files where a directory belongs */
	assert_true(snprintf(in, sizeof in, "%s", p->in) < (int)sizeof in);
	snprintf(p->in, sizeof p->in, "%s/model.safetensors", in);
	refuse(p, &options, MOTE_ERROR_UNSUPPORTED, "is a single file; expected the directory");
	snprintf(p->in, sizeof p->in, "%s/chat_template.jinja", in);
	refuse(p, &options, MOTE_ERROR_UNSUPPORTED, "is a Git LFS pointer, not the file itself; expected a "
	       "checkpoint's directory");
	strcpy(p->in, in);
	tiny_free(&t);
}

static void test_other_directories(void **state)
{
	static const char *const tokenizers[] = {"tekken.json", "tokenizer.model", "vocab.json"};
	struct place *p = *state;
	char path[256], message[128];
	struct tiny t;

	tiny_init(&t, "BF16");
	for (size_t i = 0; i < sizeof tokenizers / sizeof *tokenizers; i++) {
		tiny_save(&t, p->in);
		snprintf(path, sizeof path, "%s/tokenizer.json", p->in);
		remove(path);
		tiny_write_text(p->in, tokenizers[i], "{}");
		snprintf(message, sizeof message, "holds %s%s but no tokenizer.json", tokenizers[i],
			 i == 2 ? " and merges.txt" : "");
		refuse(p, &keep, MOTE_ERROR_UNSUPPORTED, message);
		snprintf(path, sizeof path, "%s/%s", p->in, tokenizers[i]);
		remove(path);
	}
	snprintf(path, sizeof path, "%s/config.json", p->in);
	remove(path);
	tiny_write_text(p->in, "adapter_config.json", "{\"base_model_name_or_path\":\"some/base\"}");
	refuse(p, &keep, MOTE_ERROR_UNSUPPORTED, "holds an adapter (adapter_config.json), not a model: it belongs to "
	       "\"some/base\"");
	tiny_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tied_head_instead_of_embedding, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_prefixes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_neighbours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_shared_mlp, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_sees_images, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_index_disagrees, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_links_to_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_something_else, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_directories, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
