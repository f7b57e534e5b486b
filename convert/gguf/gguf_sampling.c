/* "general.sampling.…" of GGUF files: what generation_config.json asks for. See gguf_config.h and gguf_put.h. */
#include <math.h>
#include <stdio.h>

#include "convert/gguf/gguf_config.h"
#include "convert/gguf/gguf_keys.h"
#include "convert/gguf/gguf_put.h"

#define KEY "general.sampling."
#define MAX_SUPPRESSED 4096u

/* What mote does not do is read all the same, so that it is told of. */
static const struct {
	const char *gguf, *hf;
	bool written, integer;
} settings[] = {
	{"temp", "temperature", true, false}, {"top_k", "top_k", true, true}, {"top_p", "top_p", true, false},
	{"min_p", "min_p", true, false}, {"penalty_repeat", "repetition_penalty", true, false},
	{"xtc_probability", "xtc_probability", false, false}, {"mirostat", "mirostat", false, true},
};

/* Tokens that never come, which mote does not do either. */
static enum mote_status read_suppressed(const struct mote_gguf *g, cJSON *generation, struct mote_error *error)
{
	static const char key[] = "tokenizer.ggml.suppress_tokens";
	const struct mote_gguf_value *ids;
	enum mote_status status = mote_gguf_want_array(g, key, MOTE_GGUF_INT32, &ids, error);
	cJSON *list = !status && ids && ids->count ? cJSON_AddArrayToObject(generation, "suppress_tokens") : NULL;

	if (status || !ids || !ids->count)
		return status;
	if (ids->count > MAX_SUPPRESSED)
		return mote_error_set(error, MOTE_ERROR_LIMIT, "%s: \"%s\": more than %u tokens", g->name, key,
				      MAX_SUPPRESSED);
	for (uint32_t i = 0; i < ids->count && list; i++)
		if (!cJSON_AddItemToArray(list, cJSON_CreateNumber((double)mote_gguf_integer_at(ids, i))))
			list = NULL;
	return list ? MOTE_OK : mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", g->name);
}

enum mote_status mote_gguf_sampling_read(const struct mote_gguf *g, cJSON *generation, struct mote_error *error)
{
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		char key[64];
		const struct mote_gguf_value *v;
		double x;

		snprintf(key, sizeof key, KEY "%s", settings[i].gguf);
		v = mote_gguf_find(g, key);
		if (!v || v->array || v->kind == MOTE_GGUF_STRING || v->kind == MOTE_GGUF_BOOL)
			continue;
		x = v->kind == MOTE_GGUF_FLOAT32 || v->kind == MOTE_GGUF_FLOAT64 ? mote_gguf_number_at(v, 0) :
		    (double)mote_gguf_integer_at(v, 0);
		if (isfinite(x) && !cJSON_AddNumberToObject(generation, settings[i].hf, mote_gguf_shortest(x)))
			return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", g->name);
	}
	return read_suppressed(g, generation, error);
}

void mote_gguf_put_sampling(struct mote_gguf_put *p, const cJSON *generation)
{
	const bool greedy = cJSON_IsFalse(mote_json_get(generation, "do_sample"));

	if (greedy)
		mote_gguf_put_f32(p, KEY "temp", 0);
	for (size_t i = greedy; i < sizeof settings / sizeof *settings; i++) {
		const cJSON *item = mote_json_get(generation, settings[i].hf);
		char key[64];

		if (!settings[i].written || !cJSON_IsNumber(item))
			continue;
		snprintf(key, sizeof key, KEY "%s", settings[i].gguf);
		if (!settings[i].integer)
			mote_gguf_put_f32(p, key, item->valuedouble);
		else if (item->valuedouble >= 0 && item->valuedouble <= INT32_MAX)
			mote_gguf_put_u32(p, key, (uint32_t)item->valuedouble);
	}
}
