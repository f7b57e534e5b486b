/* Saved reference logits: what --save-logits writes and --reference-logits reads.
 *
 * Logits are a product: head matrix times final hidden state, in some families scaled or softly capped. The file keeps
 * the factors instead, which are small (TRLM: 2.3 KB a row instead of 197 KB), and reading it multiplies them again
 * with the kernels that a forward pass uses. So nothing is rounded, and the figures are those of a run of the
 * reference, bit for bit.
 *
 * Layout, little-endian: struct header of logits_file.c, with a checksum of its own; the head's panels as one zstd
 * frame; then for each portion of rows u32 compressed bytes and a zstd frame of the states, f32 [rows][cols] as four
 * planes of bytes (all lowest bytes first), which compresses better. Frames carry zstd's checksum.
 */
#ifndef MOTE_QUANT_LOGITS_FILE_H
#define MOTE_QUANT_LOGITS_FILE_H

#include "format/output.h"
#include "quant/measure/logits.h"

/* Runs m over the plan and writes the file, which is committed, or on error discarded: output is taken over.
 * MOTE_ERROR_IO, _MEMORY, _INTERRUPTED: nothing is left behind. */
enum mote_status mote_logits_save(const struct mote_model *m, const struct mote_plan *p, uint32_t threads,
				  const char *isa, const struct mote_progress *progress, struct mote_output *output,
				  struct mote_error *error) MOTE_CHECKED;

/* A source that reads the file, and the hash of the tensors whose logits these are. MOTE_ERROR_ARGUMENT: the file
 * was made from other token ids than the plan's (another text, context, rule or tokenizer); MOTE_ERROR_CORRUPT,
 * with the place; MOTE_ERROR_UNSUPPORTED: of a later version. */
enum mote_status mote_logits_from_file(const char *path, const struct mote_plan *p, uint32_t threads, const char *isa,
				       struct mote_logits **out, struct mote_hash128 *tensors,
				       struct mote_error *error) MOTE_CHECKED;

#endif
