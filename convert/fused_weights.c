/* Matrices that are one elsewhere: see fused_weights.h. */
#include "convert/fused_weights.h"

#include <stdio.h>
#include <string.h>

static const struct fused {
	const char *name;
	uint32_t place, parts;     /* which of how many */
	const char *in;            /* the whole's name */
} table[] = {
	{"self_attn.q_proj.weight", 0, 3, "self_attn.qkv_proj.weight"},
	{"self_attn.k_proj.weight", 1, 3, NULL},
	{"self_attn.v_proj.weight", 2, 3, NULL},
	{"mlp.gate_proj.weight", 0, 2, "mlp.gate_up_proj.weight"},
	{"mlp.up_proj.weight", 1, 2, NULL},
};

static const struct fused *find(const char *name)
{
	const size_t n = strlen(name);

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const size_t m = strlen(table[i].name);

		if (n > m && strcmp(name + n - m, table[i].name) == 0)
			return &table[i];
	}
	return NULL;
}

enum mote_status mote_fused_weights_find(const struct mote_container *c, const struct mote_tensor *t, bool fused,
					 struct mote_fused_weights *out, struct mote_error *error)
{
	const struct fused *f = fused ? find(t->name) : NULL;
	int layer;

	*out = (struct mote_fused_weights){.part = {t}, .parts = 1, .rows = t->rows};
	snprintf(out->name, sizeof out->name, "%s", t->name);
	if (!f)
		return MOTE_OK;
	if (f->place) {
		out->parts = 0;
		return MOTE_OK;
	}
	layer = (int)(strlen(t->name) - strlen(f->name));
	for (uint32_t i = 1; i < f->parts; i++) {
		snprintf(out->name, sizeof out->name, "%.*s%s", layer, t->name, f[i].name);
		out->part[i] = mote_container_find(c, out->name);
		if (!out->part[i] || out->part[i]->rank != 2 || out->part[i]->cols != t->cols)
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      "tensor \"%s\" is missing, or not as wide as \"%s\"", out->name, t->name);
		out->rows += out->part[i]->rows;
	}
	out->parts = f->parts;
	snprintf(out->name, sizeof out->name, "%.*s%s", layer, t->name, f->in);
	return MOTE_OK;
}
