/* RoPE of config.json: theta and scaling in all their spellings, to the numbers that the runtime reads. What a kind
 * derives from others (attention factors) is derived here, with elementary functions that are the same everywhere.
 */
#include <math.h>
#include <string.h>

#include "convert/fused_weights.h"
#include "convert/hf/hf_families.h"
#include "runtime/kernels/exact.h"
#include "runtime/model/rope.h"

struct rope_reader {
	const cJSON *config, *scaling; /* scaling: the object that says the kind, or NULL */
	const char *where;
	const struct mote_hf_family *family;
	struct mote_config *c;
	struct mote_error *error;
};

static enum mote_status want(const struct rope_reader *r, const char *key, double least, double most, double absent,
			     double *out)
{
	return mote_json_want_double(r->scaling, key, least, most, absent, r->where, out, r->error);
}

/* From the scaling, or from beside it, where Phi-3 has it; else the positions that the model has. */
static enum mote_status read_original(const struct rope_reader *r)
{
	uint32_t beside;
	enum mote_status status = mote_json_want_u32(r->config, "original_max_position_embeddings", 1,
						     MOTE_MAX_POSITIONS, r->c->max_positions, MOTE_HF_WHERE, &beside,
						     r->error);

	return status ? status :
	       mote_json_want_u32(r->scaling, "original_max_position_embeddings", 1, MOTE_MAX_POSITIONS,
				  beside, r->where, &r->c->rope_original_positions, r->error);
}

/* The factor says how far beyond the original positions the model may go, whatever max_position_embeddings is. */
static void extend_positions(struct mote_config *c)
{
	double positions = c->rope_factor * (double)c->rope_original_positions;

	if (positions > (double)c->max_positions && positions <= (double)MOTE_MAX_POSITIONS)
		c->max_positions = (uint32_t)positions;
}

static enum mote_status read_llama3(const struct rope_reader *r)
{
	struct mote_config *c = r->c;
	enum mote_status status;

	if (!mote_json_get(r->scaling, "low_freq_factor") || !mote_json_get(r->scaling, "high_freq_factor"))
		return mote_error_set(r->error, MOTE_ERROR_CORRUPT,
				      "%s: kind llama3 without \"low_freq_factor\" and \"high_freq_factor\"", r->where);
	if ((status = want(r, "low_freq_factor", 1e-3, 1e6, 1, &c->rope_low_freq_factor)) ||
	    (status = want(r, "high_freq_factor", 1e-3, 1e6, 4, &c->rope_high_freq_factor)) ||
	    (status = mote_json_need_u32(r->scaling, "original_max_position_embeddings", 1, MOTE_MAX_POSITIONS,
					 r->where, &c->rope_original_positions, r->error)))
		return status;
	if (c->rope_high_freq_factor <= c->rope_low_freq_factor)
		return mote_error_set(r->error, MOTE_ERROR_CORRUPT,
				      "%s: \"high_freq_factor\" %g is not above \"low_freq_factor\" %g", r->where,
				      c->rope_high_freq_factor, c->rope_low_freq_factor);
	return MOTE_OK;
}

/* Yarn's attention temperature for a scaling factor, as a factor of q and k alike. */
static double yarn_magnitude(double factor, double weight)
{
	return factor <= 1 ? 1 : 0.1 * weight * mote_exact_log(factor) + 1;
}

static enum mote_status read_yarn(const struct rope_reader *r)
{
	struct mote_config *c = r->c;
	double scale, scale_all, truncated;
	enum mote_status status;
	bool truncate;

	if ((status = read_original(r)) || (status = want(r, "beta_fast", 1e-3, 1e6, 32, &c->rope_beta_fast)) ||
	    (status = want(r, "beta_slow", 1e-3, 1e6, 1, &c->rope_beta_slow)) ||
	    (status = want(r, "mscale", 0, 1e6, 0, &scale)) ||
	    (status = want(r, "mscale_all_dim", 0, 1e6, 0, &scale_all)) ||
	    (status = mote_json_want_bool(r->scaling, "truncate", true, r->where, &truncate, r->error)))
		return status;
	c->rope_no_truncate = !truncate;
	truncated = scale > 0 && scale_all > 0 ?
		    yarn_magnitude(c->rope_factor, scale) / yarn_magnitude(c->rope_factor, scale_all) :
		    yarn_magnitude(c->rope_factor, 1);
	if (c->rope_theta <= 1)
		return mote_error_set(r->error, MOTE_ERROR_CORRUPT, "%s: kind yarn with a theta of %g", r->where,
				      c->rope_theta);
	extend_positions(c);
	return want(r, "attention_factor", 1e-6, 1e6, truncated, &c->rope_attention_factor);
}

/* The original positions are max_position_embeddings, whatever "original_max_position_embeddings" may say:
 * transformers does not read that for this kind. */
static enum mote_status read_dynamic(const struct rope_reader *r)
{
	r->c->rope_original_positions = r->c->max_positions;
	if (mote_rope_half(r->c) < 2)
		return mote_error_set(r->error, MOTE_ERROR_UNSUPPORTED, "%s: dynamic RoPE of 2 dimensions", r->where);
	extend_positions(r->c);
	return MOTE_OK;
}

static enum mote_status read_factors(const struct rope_reader *r, const char *key, double *out)
{
	const cJSON *list = mote_json_get(r->scaling, key), *item;
	uint32_t n = mote_rope_half(r->c), count = 0;

	cJSON_ArrayForEach(item, list)
	{
		if (!cJSON_IsNumber(item) || !(item->valuedouble >= 1e-3 && item->valuedouble <= 1e6) || count == n)
			break;
		out[count++] = item->valuedouble;
	}
	if (!cJSON_IsArray(list) || item || count != n)
		return mote_error_set(r->error, MOTE_ERROR_CORRUPT, "%s: \"%s\" is no list of %u positive numbers",
				      r->where, key, n);
	return MOTE_OK;
}

static enum mote_status read_longrope(const struct rope_reader *r)
{
	struct mote_config *c = r->c;
	double factor, magnitude = 1;
	enum mote_status status;

	if ((status = read_original(r)) || (status = read_factors(r, "short_factor", c->rope_short_factor)) ||
	    (status = read_factors(r, "long_factor", c->rope_long_factor)))
		return status;
	factor = (double)c->max_positions / (double)c->rope_original_positions;
	if (c->rope_original_positions == c->max_positions && (status = want(r, "factor", 1e-3, 1e6, 1, &factor)))
		return status;
	if (factor > 1)
		magnitude = sqrt(1 + mote_exact_log(factor) / mote_exact_log((double)c->rope_original_positions));
	status = want(r, "attention_factor", 1e-6, 1e6, magnitude, &c->rope_attention_factor);
	if (!status && !isfinite(c->rope_attention_factor)) /* the logarithm of one position divided */
		return mote_error_set(r->error, MOTE_ERROR_CORRUPT, "%s: kind longrope with %u original positions and "
				      "no \"attention_factor\"", r->where, c->rope_original_positions);
	return status;
}

/* HunYuan: a dynamic kind with "alpha" enlarges theta once, for every length; *alpha 0: there is none. */
static enum mote_status read_alpha(const struct rope_reader *r, const char *type, double *alpha)
{
	const double dim = r->c->head_dim, most = 1e12;
	enum mote_status status;

	*alpha = 0;
	if (!(r->family->takes & MOTE_HF_ALPHA) || strcmp(type, "dynamic"))
		return MOTE_OK;
	if ((status = want(r, "alpha", 0, 1e6, 0, alpha)) || !(*alpha > 0))
		return status;
	if (dim > 2)
		r->c->rope_theta *= mote_exact_pow(*alpha, dim / (dim - 2));
	if (dim <= 2 || !(r->c->rope_theta >= 1 && r->c->rope_theta <= most))
		return mote_error_set(r->error, MOTE_ERROR_CORRUPT, "%s: \"alpha\" %g makes a theta of %g; %g is "
				      "the most", r->where, *alpha, r->c->rope_theta, most);
	return MOTE_OK;
}

static enum mote_status read_kind(const struct rope_reader *r, const char *type)
{
	static const struct {
		const char *name;
		enum mote_rope_kind kind;
		bool factor; /* must be given */
		enum mote_status (*read)(const struct rope_reader *r);
	} kinds[] = {
		{"default", MOTE_ROPE_DEFAULT, false, NULL},
		{"linear", MOTE_ROPE_LINEAR, true, NULL},
		{"llama3", MOTE_ROPE_LLAMA3, true, read_llama3},
		{"yarn", MOTE_ROPE_YARN, true, read_yarn},
		{"dynamic", MOTE_ROPE_DYNAMIC, true, read_dynamic},
		{"longrope", MOTE_ROPE_LONGROPE, false, read_longrope},
		{"su", MOTE_ROPE_LONGROPE, false, read_longrope}, /* its first name */
	};
	enum mote_status status;
	double alpha;

	if ((status = read_alpha(r, type, &alpha)))
		return status;
	if (alpha > 0)
		type = "default";
	/* what early Phi-3 files call longrope */
	if (strcmp(type, "yarn") == 0 && r->family->stored & MOTE_STORED_FUSED)
		type = "longrope";
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(type, kinds[i].name))
			continue;
		r->c->rope_kind = kinds[i].kind;
		if (kinds[i].factor && mote_hf_is_neutral(mote_json_get(r->scaling, "factor"), false))
			return mote_error_set(r->error, MOTE_ERROR_CORRUPT, "%s: kind %s without \"factor\"",
					      r->where, type);
		if (kinds[i].factor && (status = want(r, "factor", 1, 1e6, 1, &r->c->rope_factor)))
			return status;
		return kinds[i].read ? kinds[i].read(r) : MOTE_OK;
	}
	return mote_error_set(r->error, MOTE_ERROR_UNSUPPORTED,
			      "%s: RoPE kind \"%s\" is not supported; default, linear, "
			      "llama3, yarn, dynamic and longrope are", r->where, type);
}

/* Which object says it, or none. */
static enum mote_status find_scaling(struct rope_reader *r)
{
	const cJSON *scaling = mote_json_get(r->config, "rope_scaling"), *parameters;
	uint64_t steps = 100000; /* they have twenty members or so */

	parameters = mote_json_get(r->config, "rope_parameters");
	if (cJSON_IsNull(scaling))
		scaling = NULL;
	if (cJSON_IsNull(parameters))
		parameters = NULL;
	if (scaling && parameters && !mote_json_equal(scaling, parameters, &steps))
		return mote_error_set(r->error, MOTE_ERROR_CORRUPT,
				      MOTE_HF_WHERE ": \"rope_scaling\" and \"rope_parameters\" say different things");
	r->where = parameters ? "config.json: \"rope_parameters\"" : "config.json: \"rope_scaling\"";
	r->scaling = parameters ? parameters : scaling;
	if (r->scaling && !cJSON_IsObject(r->scaling))
		return mote_error_set(r->error, MOTE_ERROR_CORRUPT, "%s is no object", r->where);
	return MOTE_OK;
}

/* Gemma 3: layers with a window have a RoPE of their own, spelled as a key or, later, as an object for each kind. */
static enum mote_status read_local(struct rope_reader *r)
{
	const cJSON *local = mote_json_get(r->scaling, "sliding_attention"), *global;
	const char *type;
	enum mote_status status;
	bool any = false;

	for (uint32_t i = 0; i < r->c->layers; i++)
		any = any || (r->c->layer_kind[i] & MOTE_LAYER_LOCAL_ROPE);
	global = mote_json_get(r->scaling, "full_attention");
	if (r->scaling && cJSON_IsObject(r->scaling->child) &&
	    (!any || !cJSON_IsObject(local) || !cJSON_IsObject(global)))
		return mote_error_set(r->error, MOTE_ERROR_UNSUPPORTED,
				      "%s: one RoPE for each kind of layer is not supported for this architecture",
				      r->where);
	if (!any)
		return MOTE_OK;
	status = mote_json_want_double(r->config, "rope_local_base_freq", 1, 1e12, 10000, MOTE_HF_WHERE,
				       &r->c->rope_local_theta, r->error);
	if (status || !local)
		return status;
	if ((status = mote_json_want_string(local, "rope_type", "default", r->where, &type, r->error)) ||
	    (status = mote_json_want_double(local, "rope_theta", 1, 1e12, r->c->rope_local_theta, r->where,
					    &r->c->rope_local_theta, r->error)))
		return status;
	if (strcmp(type, "default"))
		return mote_error_set(r->error, MOTE_ERROR_UNSUPPORTED,
				      "%s: \"sliding_attention\" of kind \"%s\"; only default is supported",
				      r->where, type);
	r->scaling = global;
	return MOTE_OK;
}

enum mote_status mote_hf_rope_read(const cJSON *config, const struct mote_hf_family *family, struct mote_config *c,
				   struct mote_error *error)
{
	struct rope_reader r = {.config = config, .family = family, .c = c, .error = error};
	const double theta = family->theta > 0 ? family->theta : 10000;
	const char *type, *old_type;
	enum mote_status status;

	c->rope_factor = c->rope_low_freq_factor = c->rope_high_freq_factor = 1;
	/* theta belongs into rope_parameters; files in transition have it beside them */
	if ((status = find_scaling(&r)) || (status = read_local(&r)) ||
	    (status = mote_json_want_double(config, "rope_theta", 1, 1e12, theta, MOTE_HF_WHERE, &c->rope_theta,
					    error)) ||
	    (status = want(&r, "rope_theta", 1, 1e12, c->rope_theta, &c->rope_theta)) ||
	    (status = mote_json_want_string(r.scaling, "type", "default", r.where, &old_type, error)) ||
	    (status = mote_json_want_string(r.scaling, "rope_type", old_type, r.where, &type, error)))
		return status;
	if (family->local_unscaled)
		c->rope_local_theta = c->rope_theta;
	if (mote_hf_is_neutral(mote_json_get(r.scaling, "type"), false) &&
	    mote_hf_is_neutral(mote_json_get(r.scaling, "rope_type"), false) &&
	    !mote_hf_is_neutral(mote_json_get(r.scaling, "factor"), true))
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      "%s: a \"factor\" without a \"rope_type\": which kind of RoPE it scales is not "
				      "said", r.where);
	return read_kind(&r, type);
}
