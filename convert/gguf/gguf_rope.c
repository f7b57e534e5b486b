/* RoPE of GGUF files, as config.json says it: see gguf_keys.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "convert/gguf/gguf_keys.h"
#include "runtime/kernels/exact.h"
#include "runtime/model/config.h"

struct rope {
	struct mote_gguf_reading *r;
	const struct mote_source *source;
	double theta;
	uint32_t rotated, positions;
	cJSON *scaling;            /* "rope_scaling"; empty: none */
};

static void put_number(const struct rope *p, const char *key, double x)
{
	if (!p->r->status && !cJSON_AddNumberToObject(p->scaling, key, x))
		p->r->status = mote_error_set(p->r->error, MOTE_ERROR_MEMORY, "%s: out of memory", p->r->g->name);
}

static void put_kind(const struct rope *p, const char *kind)
{
	if (!p->r->status && !cJSON_AddStringToObject(p->scaling, "rope_type", kind))
		p->r->status = mote_error_set(p->r->error, MOTE_ERROR_MEMORY, "%s: out of memory", p->r->g->name);
}

/* A number for each pair of dimensions that RoPE turns. */
static bool read_table(const struct rope *p, const struct mote_gguf_tensor *t, float table[MOTE_MAX_HEAD_DIM / 2])
{
	const uint32_t n = p->rotated / 2;
	struct mote_gguf_reading *r = p->r;

	if (r->status)
		return false;
	if (t->type->number != MOTE_GGUF_F32 || t->rank != 1 || t->shape[0] != n || n > MOTE_MAX_HEAD_DIM / 2)
		r->status = mote_error_set(r->error, MOTE_ERROR_CORRUPT, "%s: tensor \"%.*s\": expected F32 [%u]",
					   r->g->name, (int)t->name.bytes, t->name.text, n);
	else
		r->status = mote_source_read_at(&p->source->file[t->file], t->offset, table, n * sizeof *table,
						r->error);
	return !r->status;
}

/* The table of a "llama3" RoPE, which llama.cpp's files hold instead of the numbers that it follows from: by how much
 * each frequency is divided. Its largest divisor is the factor. The other numbers are those of the models that use it;
 * where one has others, they are looked for: how many positions there were at first, in powers of two. */
static double llama3_divisor(const struct rope *p, uint32_t i, double factor, double original)
{
	const double low = 1, high = 4, wavelength = 2 * 3.14159265358979323846 * pow(p->theta, 2.0 * i / p->rotated);
	double smooth = (original / wavelength - low) / (high - low);

	return wavelength < original / high ? 1 : wavelength > original / low ? factor :
	       1 / ((1 - smooth) / factor + smooth);
}

static bool is_llama3(const struct rope *p, const float *table, double factor, double original)
{
	for (uint32_t i = 0; i < p->rotated / 2; i++)
		if (!(fabs(table[i] / llama3_divisor(p, i, factor, original) - 1) < 1e-5))
			return false;
	return true;
}

static void read_llama3(const struct rope *p)
{
	const struct mote_gguf_tensor *t = mote_gguf_find_tensor(p->r->g, "rope_freqs.weight");
	double factor = 1, original = 8192;
	float table[MOTE_MAX_HEAD_DIM / 2];

	if (!t || !read_table(p, t, table))
		return;
	for (uint32_t i = 0; i < p->rotated / 2; i++)
		factor = table[i] > factor ? table[i] : factor;
	factor = mote_gguf_shortest(factor);
	if (factor == 1)
		return;
	for (double other = 16; other <= MOTE_MAX_POSITIONS && !is_llama3(p, table, factor, original); other *= 2)
		original = other;
	if (!is_llama3(p, table, factor, original)) {
		p->r->status = mote_error_set(p->r->error, MOTE_ERROR_UNSUPPORTED,
					      "%s: tensor \"rope_freqs.weight\" is none of the "
					      "RoPE kind \"llama3\" with factors 1 and 4", p->r->g->name);
		return;
	}
	put_kind(p, "llama3");
	put_number(p, "factor", factor);
	put_number(p, "low_freq_factor", 1);
	put_number(p, "high_freq_factor", 4);
	put_number(p, "original_max_position_embeddings", original);
}

static void put_factors(const struct rope *p, const char *key, const float *table)
{
	cJSON *list = cJSON_AddArrayToObject(p->scaling, key);

	for (uint32_t i = 0; i < p->rotated / 2 && list; i++)
		if (!cJSON_AddItemToArray(list, cJSON_CreateNumber(mote_gguf_shortest(table[i]))))
			list = NULL;
	if (!list && !p->r->status)
		p->r->status = mote_error_set(p->r->error, MOTE_ERROR_MEMORY, "%s: out of memory", p->r->g->name);
}

/* What sines and cosines are multiplied by, unless it is what follows from the lengths anyway. */
static void put_longrope_factor(const struct rope *p, uint32_t original)
{
	double given = mote_gguf_copy_double(p->r, "rope.scaling.attn_factor", NULL, 1), longer, own = 1;

	longer = (double)p->positions / original;
	if (longer > 1)
		own = sqrt(1 + mote_exact_log(longer) / mote_exact_log((double)original));
	if ((float)own != (float)given)
		put_number(p, "attention_factor", given);
}

/* Longrope: both tables are there, or none. */
static void read_longrope(const struct rope *p)
{
	static const char *const names[2][2] = { {"rope_factors_short.weight", "short_factor"},
						 {"rope_factors_long.weight", "long_factor"} };
	float table[MOTE_MAX_HEAD_DIM / 2];
	uint32_t original;

	if (!(p->r->family->flags & MOTE_GGUF_FACTORS) ||
	    (!mote_gguf_find_tensor(p->r->g, names[0][0]) && !mote_gguf_find_tensor(p->r->g, names[1][0])))
		return;
	put_kind(p, "longrope");
	for (int i = 0; i < 2; i++) {
		const struct mote_gguf_tensor *t = mote_gguf_find_tensor(p->r->g, names[i][0]);

		if (!t && !p->r->status)
			p->r->status = mote_error_set(p->r->error, MOTE_ERROR_CORRUPT, "%s: tensor \"%s\" is missing",
						      p->r->g->name, names[i][0]);
		else if (t && read_table(p, t, table))
			put_factors(p, names[i][1], table);
	}
	original = mote_gguf_copy_u32(p->r, "rope.scaling.original_context_length", NULL, p->positions);
	put_number(p, "original_max_position_embeddings", original);
	if (original)
		put_longrope_factor(p, original);
}

/* Yarn's attention factor: relative to the usual one, as llama.cpp computes; or as the checkpoint had it, which
 * llama.cpp's converter writes, but 1, which stands for none in what llama.cpp saves. */
static void read_yarn(const struct rope *p, double factor)
{
	const double usual = factor > 1 ? 0.1 * mote_exact_log(factor) + 1 : 1;
	double relative, own, extrapolated, fast, slow;

	put_kind(p, "yarn");
	put_number(p, "factor", factor);
	put_number(p, "original_max_position_embeddings",
		   mote_gguf_copy_u32(p->r, "rope.scaling.original_context_length", NULL, p->positions));
	relative = mote_gguf_copy_double(p->r, "rope.scaling.attn_factor", NULL, 1);
	own = mote_gguf_copy_double(p->r, "rope.scaling.yarn_attn_factor", NULL, 1);
	if (relative != 1)
		put_number(p, "attention_factor", mote_gguf_shortest_factor(relative, 1 / usual));
	else if (own != 1)
		put_number(p, "attention_factor", own);
	extrapolated = mote_gguf_copy_double(p->r, "rope.scaling.yarn_ext_factor", NULL, 1);
	if (extrapolated != 1 && extrapolated != -1) /* -1 stands for none, too */
		mote_gguf_refuse(p->r, "rope.scaling.yarn_ext_factor", "only 1 is supported");
	fast = mote_gguf_copy_double(p->r, "rope.scaling.yarn_beta_fast", NULL, 32);
	slow = mote_gguf_copy_double(p->r, "rope.scaling.yarn_beta_slow", NULL, 1);
	put_number(p, "beta_fast", fast);
	put_number(p, "beta_slow", slow);
	if (mote_gguf_copy_double(p->r, "rope.scaling.yarn_log_multiplier", NULL, 0) != 0)
		mote_gguf_refuse(p->r, "rope.scaling.yarn_log_multiplier", "mote does not compute that");
}

static void read_scaling(const struct rope *p)
{
	struct mote_gguf_reading *r = p->r;
	struct mote_gguf_text type = {0};
	char full[96];
	double factor;

	snprintf(full, sizeof full, "%s.rope.scaling.type", r->family->name);
	if (!r->status)
		r->status = mote_gguf_want_text(r->g, full, &type, r->error);
	factor = mote_gguf_copy_double(r, "rope.scaling.factor", NULL,
				       mote_gguf_copy_double(r, "rope.scale_linear", NULL, 1));
	if (r->status || (type.bytes == 4 && !memcmp(type.text, "none", 4)) ||
	    (type.bytes == 8 && !memcmp(type.text, "longrope", 8)))
		return;
	if (type.bytes == 4 && !memcmp(type.text, "yarn", 4)) {
		read_yarn(p, factor);
	} else if (type.text && (type.bytes != 6 || memcmp(type.text, "linear", 6))) {
		mote_gguf_refuse(r, "rope.scaling.type", "only \"linear\", \"yarn\" and \"longrope\" are supported");
	} else if (factor != 1 && factor != 0) { /* some writers say 0 for none */
		put_kind(p, "linear");
		put_number(p, "factor", factor);
	}
}

/* What no kind above took. A table of one kind beside the numbers of another would be computed by llama.cpp. */
static void refuse_rest(const struct rope *p)
{
	static const struct {
		const char *name, *kind;
	} tables[] = { {"rope_factors_short.weight", "longrope"}, {"rope_factors_long.weight", "longrope"},
		       {"rope_freqs.weight", "llama3"} };
	const cJSON *item = mote_json_get(p->scaling, "rope_type");
	const char *kind = cJSON_IsString(item) ? item->valuestring : "";
	struct mote_gguf_reading *r = p->r;

	for (size_t i = 0; i < sizeof tables / sizeof *tables && !r->status; i++)
		if (strcmp(kind, tables[i].kind) && mote_gguf_find_tensor(r->g, tables[i].name) &&
		    (*kind || strcmp(tables[i].kind, "llama3"))) /* a table of ones scales nothing */
			r->status = mote_error_set(r->error, MOTE_ERROR_UNSUPPORTED,
						   "%s: tensor \"%s\" beside RoPE of the kind \"%s\" of the "
						   "architecture \"%s\"", r->g->name, tables[i].name,
						   *kind ? kind : "default", r->family->name);
	if (strcmp(kind, "yarn") && strcmp(kind, "longrope") &&
	    mote_gguf_copy_double(r, "rope.scaling.attn_factor", NULL, 1) != 1)
		mote_gguf_refuse(r, "rope.scaling.attn_factor", "only yarn and longrope have one");
	if (!(r->family->flags & MOTE_GGUF_LOCAL_ROPE) &&
	    mote_gguf_copy_double(r, "rope.freq_base_swa", NULL, p->theta) != p->theta)
		mote_gguf_refuse(r, "rope.freq_base_swa", "mote does not compute that");
	if (mote_gguf_copy_u32(r, "rope.dimension_count_swa", NULL, p->rotated) != p->rotated)
		mote_gguf_refuse(r, "rope.dimension_count_swa", "mote does not compute that");
}

void mote_gguf_rope_read(struct mote_gguf_reading *r, const struct mote_source *source, uint32_t head_dim,
			 uint32_t positions)
{
	struct rope p = {.r = r, .source = source, .positions = positions, .scaling = cJSON_CreateObject()};

	p.theta = mote_gguf_copy_double(r, "rope.freq_base", "rope_theta", 10000);
	p.rotated = mote_gguf_copy_u32(r, "rope.dimension_count", NULL, head_dim);
	if (r->family->flags & MOTE_GGUF_LOCAL_ROPE)
		mote_gguf_copy_double(r, "rope.freq_base_swa", "rope_local_base_freq", 10000);
	if (p.rotated > head_dim || (p.rotated != head_dim && !(r->family->flags & MOTE_GGUF_PARTIAL)))
		mote_gguf_refuse(r, "rope.dimension_count", "it is not the heads' length, which is not supported");
	/* a part of a dimension more, so that rounding down gives the number again */
	if (r->family->flags & MOTE_GGUF_PARTIAL && head_dim)
		mote_gguf_add(r, "partial_rotary_factor",
			      cJSON_CreateNumber(p.rotated == head_dim ? 1 : (p.rotated + 0.25) / head_dim));
	if (!p.scaling && !r->status)
		r->status = mote_error_set(r->error, MOTE_ERROR_MEMORY, "%s: out of memory", r->g->name);
	if (!r->status)
		read_scaling(&p);
	if (!r->status && !p.scaling->child)
		read_longrope(&p);
	if (!r->status && !p.scaling->child)
		read_llama3(&p);
	if (!r->status)
		refuse_rest(&p);
	if (!r->status && p.scaling->child)
		mote_gguf_add(r, "rope_scaling", p.scaling);
	else
		cJSON_Delete(p.scaling);
}
