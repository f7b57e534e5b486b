/* Keys of an architecture: see gguf_keys.h. */
#include "convert/gguf/gguf_keys.h"

#include <stdio.h>
#include <stdlib.h>

double mote_gguf_shortest_factor(double product, double factor)
{
	char text[32];

	for (int digits = 1; digits < 9; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, product / factor);
		if ((float)(strtod(text, NULL) * factor) == (float)product)
			return strtod(text, NULL);
	}
	return product / factor;
}

double mote_gguf_shortest(double x)
{
	return mote_gguf_shortest_factor(x, 1);
}

void mote_gguf_add(struct mote_gguf_reading *r, const char *key, cJSON *item)
{
	if (!r->status && item && cJSON_AddItemToObject(r->out, key, item))
		return;
	cJSON_Delete(item);
	if (!r->status)
		r->status = mote_error_set(r->error, MOTE_ERROR_MEMORY, "%s: out of memory", r->g->name);
}

static const char *full_key(const struct mote_gguf_reading *r, const char *name, char key[96])
{
	snprintf(key, 96, "%s.%s", r->family->name, name);
	return key;
}

bool mote_gguf_has(const struct mote_gguf_reading *r, const char *name)
{
	char key[96];

	return mote_gguf_find(r->g, full_key(r, name, key)) != NULL;
}

uint32_t mote_gguf_copy_u32(struct mote_gguf_reading *r, const char *name, const char *key, uint32_t fallback)
{
	uint32_t x = fallback;
	char full[96];

	if (!r->status)
		r->status = mote_gguf_want_u32(r->g, full_key(r, name, full), fallback, &x, r->error);
	if (!r->status && key)
		mote_gguf_add(r, key, cJSON_CreateNumber(x));
	return x;
}

uint32_t mote_gguf_need_own_u32(struct mote_gguf_reading *r, const char *name, const char *key)
{
	uint32_t x = 0;
	char full[96];

	if (!r->status)
		r->status = mote_gguf_need_u32(r->g, full_key(r, name, full), &x, r->error);
	if (!r->status)
		mote_gguf_add(r, key, cJSON_CreateNumber(x));
	return x;
}

double mote_gguf_copy_double(struct mote_gguf_reading *r, const char *name, const char *key, double fallback)
{
	double x = fallback;
	char full[96];

	if (r->status)
		return x;
	r->status = mote_gguf_want_double(r->g, full_key(r, name, full), fallback, &x, r->error);
	x = mote_gguf_shortest(x);
	if (!r->status && key)
		mote_gguf_add(r, key, cJSON_CreateNumber(x));
	return x;
}

bool mote_gguf_own_bool(struct mote_gguf_reading *r, const char *name, bool fallback)
{
	bool x = fallback;
	char full[96];

	if (!r->status)
		r->status = mote_gguf_want_bool(r->g, full_key(r, name, full), fallback, &x, r->error);
	return x;
}

void mote_gguf_refuse(struct mote_gguf_reading *r, const char *name, const char *why)
{
	if (!r->status)
		r->status = mote_error_set(r->error, MOTE_ERROR_UNSUPPORTED, "%s: \"%s.%s\": %s", r->g->name,
					   r->family->name, name, why);
}
