/* Which tensors a GGUF file gets, in which type and where: see gguf_writing.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/gguf/gguf_writing.h"
#include "convert/tensor_rows.h"
#include "runtime/model/rope.h"

static enum mote_gguf_type type_of(const struct mote_gguf_writing *w, const struct mote_tensor *t)
{
	if (t->rank == 1 || w->options->keep_types)
		return mote_tensor_rows_exact(t);
	return w->options->type == MOTE_F16 ? MOTE_GGUF_F16 : w->options->type == MOTE_BF16 ? MOTE_GGUF_BF16 :
	       MOTE_GGUF_F32;
}

/* The one type that holds all parts' values: theirs if it is the same; every quantized one fits into Q8_0,
 * anything into F32. */
static enum mote_gguf_type common_type(const struct mote_gguf_writing *w, const struct mote_fused_weights *m)
{
	enum mote_gguf_type type = type_of(w, m->part[0]);

	for (uint32_t i = 1; i < m->parts; i++) {
		const enum mote_gguf_type other = type_of(w, m->part[i]);

		if (other != type)
			type = mote_gguf_type_find(type)->decode && mote_gguf_type_find(other)->decode
				       ? MOTE_GGUF_Q8_0 : MOTE_GGUF_F32;
	}
	return type;
}

static void place(struct mote_gguf_writing *w, struct mote_gguf_planned *p)
{
	p->offset = w->total;
	w->total += (p->bytes + MOTE_GGUF_ALIGNMENT - 1) / MOTE_GGUF_ALIGNMENT * MOTE_GGUF_ALIGNMENT;
}

static enum mote_status plan_tensor(struct mote_gguf_writing *w, const struct mote_tensor *t)
{
	struct mote_gguf_planned *p = &w->plan[w->tensors];
	char what[300];
	enum mote_status status;

	status = mote_fused_weights_find(w->c, t, mote_gguf_family_stored(w->family), &p->weights, w->error);
	if (status || !p->weights.parts)
		return status;
	if (!mote_gguf_name_from_hf(w->family, p->weights.name, p->name)) {
		snprintf(what, sizeof what, "tensor \"%s\"", p->weights.name);
		return mote_gguf_not_written(w, what);
	}
	p->type = common_type(w, &p->weights);
	p->heads = !(w->family->flags & MOTE_GGUF_PERMUTED) ? 0 : mote_gguf_name_is_query(t->name) ? w->config.heads :
		   mote_gguf_name_is_key(t->name) ? w->config.kv_heads : 0;
	if (p->heads && t->rows != p->heads * w->config.head_dim)
		return mote_error_set(w->error, MOTE_ERROR_CORRUPT, "tensor \"%s\": %u rows for %u heads of %u",
				      t->name, t->rows, p->heads, w->config.head_dim);
	p->bytes = (uint64_t)mote_tensor_rows_bytes(t, p->type) * p->weights.rows;
	place(w, p);
	w->tensors++;
	return MOTE_OK;
}

enum mote_status mote_gguf_plan(struct mote_gguf_writing *w)
{
	const uint32_t n = mote_container_tensor_count(w->c);
	const char *const tables[2] = { w->rope[1] ? "rope_factors_short.weight" : "rope_freqs.weight",
					"rope_factors_long.weight" };
	enum mote_status status = MOTE_OK;

	w->plan = calloc(n + (size_t)2, sizeof *w->plan);
	if (!w->plan)
		return mote_error_set(w->error, MOTE_ERROR_MEMORY, "out of memory");
	for (uint32_t i = 0; i < n && !status; i++)
		status = plan_tensor(w, mote_container_tensor(w->c, i));
	for (uint32_t i = 0; i < 2 && w->rope[i] && !status; i++) {
		struct mote_gguf_planned *p = &w->plan[w->tensors++];

		snprintf(p->name, sizeof p->name, "%s", tables[i]);
		p->type = MOTE_GGUF_F32;
		p->table = i;
		p->weights = (struct mote_fused_weights){.rows = mote_rope_half(&w->config)};
		p->bytes = p->weights.rows * sizeof(float);
		place(w, p);
	}
	return status;
}

enum mote_status mote_gguf_note_types(const struct mote_gguf_writing *w, struct mote_notes *notes)
{
	uint32_t larger = 0, floats = 0;

	for (uint32_t i = 0; i < w->tensors && w->options->keep_types; i++) {
		const struct mote_gguf_planned *p = &w->plan[i];

		for (uint32_t k = 0; k < p->weights.parts; k++) {
			const enum mote_type type = p->weights.part[k]->type;
			const bool quantized = mote_type_is_quantized(type);

			larger += quantized && type != MOTE_Q8 && p->type == MOTE_GGUF_Q8_0;
			floats += quantized && p->type == MOTE_GGUF_F32;
		}
	}
	if (larger && mote_notes_add(notes, w->error, "%u tensors are of types that GGUF does not have: they are "
				     "written as Q8_0, which has the same values in more room (mote-quantize --for "
				     "gguf makes blocks that GGUF has)", larger))
		return MOTE_ERROR_MEMORY;
	if (floats)
		return mote_notes_add(notes, w->error, "%u tensors whose rows are no multiple of 32, or whose scales "
				      "f16 cannot hold, are written as F32, which is exact", floats);
	return MOTE_OK;
}
