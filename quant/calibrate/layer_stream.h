/* Ways through a model layer by layer: what calibration looks at. Each holds the residual stream of every token before
 * one layer, and runs that layer alone from there, by the very forward pass that users will run.
 */
#ifndef MOTE_QUANT_LAYER_STREAM_H
#define MOTE_QUANT_LAYER_STREAM_H

#include "quant/measure/plan.h"
#include "runtime/model/architecture.h"

static inline size_t mote_layer_round_up(size_t n, size_t multiple)
{
	return (n + multiple - 1) / multiple * multiple;
}

/* What all streams of a calibration share. Arrays of activations are [tokens][stride of their width]. */
struct mote_layer_walk {
	const struct mote_model *source;
	const struct mote_plan *text;
	const struct mote_progress *progress; /* or NULL */
	uint64_t done, total;                 /* chunks that were run, and that will be */
	size_t tokens;
	uint32_t context, width[MOTE_INPUTS];
	uint32_t layer;                       /* under way */
	size_t stride[MOTE_INPUTS], hidden_stride;
	float *final;                         /* [context][hidden] the head's inputs */
	uint32_t *position;                   /* [context] 0, 1, 2 ... */
	uint8_t *no_logits;                   /* [context] 0 */
};

struct mote_layer_stream {
	struct mote_model model;              /* the source's */
	struct mote_layer *layer;             /* [layers] the source's, to be replaced by what has been encoded */
	struct mote_session *session;
	float *before, *middle, *after;       /* the residual stream before the layer, after its attention, after it */
	float *input[MOTE_INPUTS];            /* what a run is to keep, owned; NULL: not wanted */
	bool whole;                           /* input[] has room for all tokens, else for one chunk */
	bool half_done;                       /* middle is that of the layer under way: runs begin there */
	size_t at;                            /* first token of the chunk under way */
};

/* Zero-initialize; close also after an error. MOTE_ERROR_MEMORY. */
enum mote_status mote_layer_walk_open(struct mote_layer_walk *w, const struct mote_model *source,
				      const struct mote_plan *text, struct mote_error *error) MOTE_CHECKED;
void mote_layer_walk_close(struct mote_layer_walk *w);

/* Before the first layer, with this embedding. Likewise. */
enum mote_status mote_layer_stream_open(const struct mote_layer_walk *w, struct mote_layer_stream *s,
					const struct mote_matrix *embedding, uint32_t threads,
					struct mote_error *error) MOTE_CHECKED;
void mote_layer_stream_close(struct mote_layer_stream *s);

/* Runs the layer under way over one chunk as far as this input, or to its end (any from MOTE_IN_HEAD on), and keeps
 * what is wanted. MOTE_ERROR_INTERRUPTED. */
enum mote_status mote_layer_stream_run_chunk(struct mote_layer_walk *w, struct mote_layer_stream *s, enum mote_input to,
					     uint32_t chunk, struct mote_error *error) MOTE_CHECKED;
/* The same over all chunks, to the end. */
enum mote_status mote_layer_stream_run(struct mote_layer_walk *w, struct mote_layer_stream *s,
				       struct mote_error *error) MOTE_CHECKED;
/* The layer is done: what came out of it goes into the next. */
void mote_layer_stream_advance(struct mote_layer_stream *s);

#endif
