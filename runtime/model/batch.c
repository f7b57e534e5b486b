/* What a batch asks for: checked in one pass over its rows, then cut into blocks of attention. */
#include "runtime/model/architecture.h"
#include "runtime/model/workspace.h"

uint32_t mote_batch_sequence(const struct mote_batch *batch, uint32_t row)
{
	return batch->sequence ? batch->sequence[row] : 0;
}

static enum mote_status check_layers(struct mote_session *s, const struct mote_batch *batch, struct mote_error *error)
{
	uint32_t layers = s->model->config.layers;

	if (batch->first_layer >= layers || batch->layers > layers - batch->first_layer)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%u layers from layer %u on; the model has %u",
				      batch->layers, batch->first_layer, layers);
	s->first_layer = batch->first_layer;
	s->end_layer = batch->layers ? batch->first_layer + batch->layers : layers;
	if (!batch->token == !batch->x)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "a batch of %s; expected tokens or states",
				      batch->x ? "tokens and states" : "neither tokens nor states");
	if (batch->token && batch->first_layer)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "tokens begin at layer 0, not at layer %u",
				      batch->first_layer);
	if (batch->x && batch->x_stride < s->model->config.hidden)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "states of %zu floats a row; the model's have %u",
				      batch->x_stride, s->model->config.hidden);
	if (batch->until > MOTE_IN_DOWN + 1u || (batch->after_attention && !batch->x) ||
	    (batch->after_attention && s->end_layer == s->first_layer + 1 && batch->until &&
	     batch->until <= MOTE_IN_OUT + 1u))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "a pass that begins %s a layer's attention and ends "
				      "at input %u", batch->after_attention ? "after" : "with", batch->until);
	s->to_the_end = s->end_layer == layers && !batch->until;
	if (batch->hidden && batch->until)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "final hidden states of a pass that ends at input %u",
				      batch->until);
	if (batch->hidden && s->end_layer < layers)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "final hidden states come from layer %u; the last "
				      "one run is %u", layers - 1, s->end_layer - 1);
	return MOTE_OK;
}

static enum mote_status check_row(struct mote_session *s, const struct mote_batch *batch, uint32_t row,
				  struct mote_error *error)
{
	uint32_t sequence = mote_batch_sequence(batch, row), position = batch->position[row];
	int32_t token = batch->token ? batch->token[row] : 0;
	struct mote_reach *reach;

	if (token < 0 || (uint32_t)token >= s->model->config.vocab)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "row %u: token %d; the vocabulary has %u", row, token,
				      s->model->config.vocab);
	if (sequence >= s->options.sequences)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "row %u: sequence %u; the session has %u", row,
				      sequence, s->options.sequences);
	if (position >= s->options.context_tokens)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "row %u: position %u; the context has %u", row,
				      position, s->options.context_tokens);
	reach = &s->reach[sequence];
	if (reach->end == 0) {
		if (position > s->cache.filled[sequence])
			return mote_error_set(error, MOTE_ERROR_ARGUMENT,
					      "row %u: position %u, but sequence %u holds only %u", row, position,
					      sequence, s->cache.filled[sequence]);
		reach->begin = position;
		s->present[s->n_present++] = sequence;
	} else if (position != reach->end) {
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "row %u: position %u; expected %u, the next of "
				      "sequence %u", row, position, reach->end, sequence);
	}
	reach->end = position + 1;
	return MOTE_OK;
}

static enum mote_status check_wanted(struct mote_session *s, const struct mote_batch *batch, uint32_t row,
				     struct mote_error *error)
{
	if (batch->want_logits ? !batch->want_logits[row] : !s->to_the_end || row + 1 < batch->rows)
		return MOTE_OK;
	if (batch->until)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "logits of a pass that ends at input %u",
				      batch->until);
	if (!s->to_the_end)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "logits come from layer %u; the last one run is %u",
				      s->model->config.layers - 1, s->end_layer - 1);
	if (s->n_wanted == s->options.logit_rows)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "logits of more than %u rows are wanted",
				      s->options.logit_rows);
	s->wanted[s->n_wanted++] = row;
	return MOTE_OK;
}

/* Cuts the batch into blocks. Smaller ones when there would not be enough for the threads to share. */
static void make_blocks(struct mote_session *s, const struct mote_batch *batch)
{
	uint32_t pieces = 4 * s->options.threads / s->model->config.kv_heads + 1;
	uint32_t most = batch->rows / pieces;
	struct mote_block *b = NULL;

	most = batch->rows <= MOTE_FEW_ROWS || most > MOTE_BLOCK_ROWS ? MOTE_BLOCK_ROWS : most ? most : 1;
	s->blocks = 0;
	for (uint32_t row = 0; row < batch->rows; row++) {
		uint32_t sequence = mote_batch_sequence(batch, row), position = batch->position[row];

		if (b && b->rows < most && b->sequence == sequence && b->position + b->rows == position &&
		    position % s->cache.page_positions != 0) {
			b->rows++;
			continue;
		}
		b = &s->block[s->blocks++];
		*b = (struct mote_block){.row = row, .rows = 1, .sequence = sequence, .position = position,
					 .segments = mote_attention_segments(position)};
	}
	s->n_parts = 0;
	for (b = s->block; b < s->block + s->blocks; b++) {
		b->first_part = s->n_parts;
		s->n_parts += (size_t)b->segments * b->rows * s->model->config.heads;
	}
}

enum mote_status mote_batch_begin(struct mote_session *s, const struct mote_batch *batch, struct mote_error *error)
{
	enum mote_status status;

	for (uint32_t i = 0; i < s->n_present; i++) /* the batch before is forgotten */
		s->reach[s->present[i]].end = 0;
	s->n_present = s->n_wanted = 0;
	if (batch->rows == 0 || batch->rows > s->options.batch_rows)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "a batch of %u rows; expected 1 to %u", batch->rows,
				      s->options.batch_rows);
	if ((status = check_layers(s, batch, error)))
		return status;
	for (uint32_t row = 0; row < batch->rows; row++)
		if ((status = check_row(s, batch, row, error)) || (status = check_wanted(s, batch, row, error)))
			return status;
	make_blocks(s, batch);
	return MOTE_OK;
}
