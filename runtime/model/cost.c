#include "runtime/model/cost.h"

#include "runtime/model/architecture.h"

static void add_product(struct mote_cost *c, const struct mote_matrix *w, double rows)
{
	double ops = 2 * (double)w->rows * w->cols * rows;

	c->bytes += (double)w->panels * (double)w->panel_bytes;
	if (mote_type_is_quantized(w->type))
		c->int8_ops += ops;
	else
		c->float_ops += ops;
}

static double bytes_per_value(enum mote_kv_type type)
{
	return type == MOTE_KV_F32 ? 4 : type == MOTE_KV_F16 ? 2 : 1.0625; /* q8: 32 bytes and an f16 scale */
}

/* Of so many positions those that a window leaves. */
static double positions_held(double positions, uint32_t window)
{
	return window && positions > window ? window : positions;
}

/* Positions that the tokens see, each its own and those before it, summed. */
static double positions_seen(double depth, double tokens, uint32_t window)
{
	double seen = tokens * depth + tokens * (tokens + 1) / 2, beyond = depth + tokens - window;

	if (window == 0 || beyond <= 0)
		return seen;
	/* The last token sees `beyond` too many, the one before it one less, and so on. */
	if (beyond <= tokens)
		return seen - beyond * (beyond + 1) / 2;
	return tokens * window;
}

struct mote_cost mote_cost_prefill(const struct mote_model *m, enum mote_kv_type k, enum mote_kv_type v, double depth,
				   double tokens)
{
	const struct mote_config *config = &m->config;
	double dims = (double)config->heads * config->head_dim, kv_dims = (double)config->kv_heads * config->head_dim;
	struct mote_cost c = {0};

	for (uint32_t i = 0; i < config->layers; i++) {
		/* Scores, and the mix of values: for each position seen a multiply and an add a dimension. */
		c.float_ops += 4 * positions_seen(depth, tokens, m->layer[i].window) * dims;
		c.bytes += positions_held(depth + tokens, m->layer[i].window) * kv_dims *
			   (bytes_per_value(k) + bytes_per_value(v));
		for (enum mote_input in = MOTE_IN_QKV; in < MOTE_IN_HEAD; in++)
			for (const struct mote_weight *w = NULL; (w = mote_weight_of_input(in, w));)
				add_product(&c,
					    (const struct mote_matrix *)(const void *)((const char *)&m->layer[i] +
										       w->offset), tokens);
	}
	add_product(&c, &m->head, 1);
	return c;
}

struct mote_cost mote_cost_decode(const struct mote_model *m, enum mote_kv_type k, enum mote_kv_type v, double depth)
{
	return mote_cost_prefill(m, k, v, depth, 1);
}
