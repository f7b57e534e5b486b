/* Fuzzes what stands between a checkpoint's tensors and their names: the input is model.safetensors.index.json,
 * adapter_config.json and adapter_model.safetensors, with NULs between, beside two shards of a tiny Llama. Either
 * refused with a message, or a plan of weights and updates whose shapes agree. */
#include "convert/hf/hf_lora.h"
#include "tests/fuzz/fuzz_files.h"
#include "tests/tiny_checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void prepare(void)
{
	struct tiny t;

	tiny_init(&t, "BF16");
	t.shards = 2;
	tiny_save(&t, fuzz_place());
	tiny_free(&t);
}

static void check(const struct mote_checkpoint_tensors *plan)
{
	for (uint32_t i = 0; i < plan->tensors; i++)
		for (const struct mote_lora_update *u = plan->tensor[i].weight->lora; u; u = u->next)
			if (!u->rank || u->rows != plan->tensor[i].weight_rows || u->cols != plan->tensor[i].cols)
				abort();
}

static void apply(struct mote_source *source, struct mote_hf_weights *weights, struct mote_checkpoint_tensors *plan)
{
	cJSON *lineage = cJSON_CreateArray();
	struct mote_lora lora = {0};
	struct mote_error error = {0};
	enum mote_status status = mote_lora_apply(fuzz_place(), 0.5, source, weights, plan, lineage, &lora, &error);

	if ((status != MOTE_OK) != (error.message[0] != 0))
		abort();
	if (status == MOTE_OK)
		check(plan);
	mote_lora_free(&lora);
	cJSON_Delete(lineage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"model.safetensors.index.json", "adapter_config.json"};
	static struct mote_hf_config config;
	static int prepared;
	struct mote_source source = {.fd = -1};
	struct mote_hf_weights weights = {0};
	struct mote_checkpoint_tensors plan = {0};
	struct mote_error error = {0};
	struct fuzz_part part;
	struct mote_notes notes = {0};
	cJSON *json;

	if (!prepared) {
		prepare();
		if (mote_json_parse(tiny_config, strlen(tiny_config), "config", &json, &error) ||
		    mote_hf_config_read(json, &config, &error))
			abort();
		cJSON_Delete(json);
		prepared = 1;
	}
	for (int i = 0; i < 2; i++) {
		fuzz_next(&data, &size, &part);
		fuzz_write(names[i], part.text, part.bytes);
	}
	fuzz_write("adapter_model.safetensors", data, size);
	if (mote_source_open(fuzz_place(), &source, &error))
		abort();
	if (!mote_hf_weights_open(&source, &weights, &error) &&
	    !mote_checkpoint_tensors_match(&config, &source, &weights, &plan, &notes, &error))
		apply(&source, &weights, &plan);
	else if (!error.message[0])
		abort();
	mote_checkpoint_tensors_free(&plan);
	mote_hf_weights_close(&weights);
	mote_source_close(&source);
	mote_notes_free(&notes);
	return 0;
}
