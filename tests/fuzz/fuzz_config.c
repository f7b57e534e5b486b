/* Fuzzes what reads settings out of JSON: a checkpoint's config.json, a container's metadata and a receipt. A text is
 * given to all three, as texts of one kind are hostile to the others too. What is taken must be within the bounds on
 * which whoever computes with it relies. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "convert/hf/hf_config.h"
#include "format/json.h"
#include "quant/receipt/receipt.h"
#include "runtime/model/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Bounds that whoever computes with a config relies on. */
static void check(const struct mote_config *c)
{
	if (!c->layers || c->layers > MOTE_MAX_LAYERS || !c->heads || c->heads > MOTE_MAX_HEADS || !c->kv_heads ||
	    c->heads % c->kv_heads || !c->head_dim || c->head_dim > MOTE_MAX_HEAD_DIM || !c->hidden || !c->vocab ||
	    !c->max_positions || c->max_positions > MOTE_MAX_POSITIONS)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct mote_receipt_terms terms;
	struct mote_hf_config *hf = calloc(1, sizeof *hf);
	struct mote_config config;
	cJSON *json;

	if (hf && mote_json_parse((const char *)data, bytes, "fuzz", &json, NULL) == MOTE_OK) {
		if (mote_config_read(json, &config, NULL) == MOTE_OK)
			check(&config);
		if (mote_hf_config_read(json, hf, NULL) == MOTE_OK)
			check(&hf->model);
		if (mote_receipt_read(json, &terms, NULL) == MOTE_OK &&
		    (!terms.ids_hash || strlen(terms.ids_hash) != 32))
			abort();
		cJSON_Delete(json);
	}
	free(hf);
	return 0;
}
