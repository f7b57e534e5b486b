/* A conversion on its way, and its part that is about weights; for checkpoint.c alone. */
#ifndef MOTE_CONVERT_CHECKPOINT_DATA_H
#define MOTE_CONVERT_CHECKPOINT_DATA_H

#include <stdatomic.h>

#include "convert/checkpoint.h"
#include "convert/checkpoint_tensors.h"
#include "convert/gguf/gguf_read.h"
#include "convert/hf/hf_directory.h"
#include "convert/hf/hf_lora.h"
#include "convert/hf/hf_weights.h"
#include "format/writer.h"

struct conversion {
	const struct mote_checkpoint_options *options;
	struct mote_source source;
	struct mote_gguf gguf;     /* when that is what the source is */
	struct mote_hf_directory directory;
	struct mote_hf_config config;
	struct mote_hf_weights weights;
	struct mote_checkpoint_tensors plan;
	struct mote_lora *lora;    /* [options->adapters] */
	cJSON *lora_lineage;
	struct mote_writer *writer;
	uint8_t *rows;             /* as the checkpoint has them; room for one panel's at least */
	uint8_t *panels;           /* packed */
	size_t rows_bytes, panels_bytes;
	uint8_t *quants;           /* [16][quants_cols], with scales: for a panel of blocks that stay quants */
	uint16_t *scales;
	size_t quants_cols;
	uint64_t done, total;      /* source bytes of tensors */

	uint8_t *section;          /* the compiled tokenizer */
	size_t section_bytes;
	struct mote_hf_tokenizer_info info;
	struct mote_notes notes;   /* the caller's thread adds to them */

	struct mote_error tensor_error; /* the second thread's */
	_Atomic(bool) stop;        /* either thread failed */
};

/* So many more bytes of weights are done. MOTE_ERROR_INTERRUPTED: progress says so, or the other thread failed. */
enum mote_status mote_conversion_progress(struct conversion *c, uint64_t bytes, struct mote_error *error);

/* Announces the tensors of the plan to the writer, and allocates what writing them takes. MOTE_ERROR_MEMORY, and what
 * the writer refuses. */
enum mote_status mote_conversion_plan_tensors(struct conversion *c, struct mote_error *error);

/* Writes them all. MOTE_ERROR_CORRUPT, _UNSUPPORTED: a weight, by name, row and column; MOTE_ERROR_INTERRUPTED;
 * MOTE_ERROR_IO. */
enum mote_status mote_conversion_write_tensors(struct conversion *c, struct mote_error *error);

#endif
