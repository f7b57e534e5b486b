/* A Hugging Face directory becomes a container: the whole conversion, streaming. Memory is one buffer of rows
 * and one of panels, whatever the model's size; the source's hashes and the tokenizer are computed beside the weights,
 * by another thread.
 */
#ifndef MOTE_CONVERT_CHECKPOINT_H
#define MOTE_CONVERT_CHECKPOINT_H

#include "convert/hf/hf_config.h"
#include "convert/hf/hf_tokenizer.h"
#include "convert/notes.h"
#include "format/container.h"

struct mote_checkpoint_adapter {
	const char *directory;
	double factor;             /* by which it is multiplied, 1: as it was trained */
};

struct mote_checkpoint_options {
	const char *tool;          /* for the lineage: "mote-convert 0.1.0" */
	bool keep_types;           /* each matrix in its own type; else all in .type */
	enum mote_type type;       /* f32, f16 or bf16 */
	bool vocab_only;           /* tokenizer and templates; the directory need not hold a model */
	bool force;                /* replace an existing output */
	bool one_thread;
	const struct mote_checkpoint_adapter *adapter; /* [adapters], merged in this order */
	uint32_t adapters;
	struct mote_progress progress; /* in source bytes of tensors; called from one thread, which is not the
					* caller's unless .one_thread; .update may be NULL */
};

struct mote_checkpoint_report {
	struct mote_hf_tokenizer_info tokenizer;
	uint32_t tensors;
	uint64_t parameters;
	uint64_t source_bytes;     /* of all files read */
	struct mote_notes notes;   /* for the user; the caller frees them */
};

/* Converts the directory into the file at output. Until all is done and synced there is no file of that name
 * (or the old one, with .force); whatever goes wrong, nothing stays behind.
 * MOTE_ERROR_CORRUPT, _UNSUPPORTED, _LIMIT: the directory, by file, key or tensor; MOTE_ERROR_IO;
 * MOTE_ERROR_ARGUMENT: output exists; MOTE_ERROR_INTERRUPTED: progress.update said so. report may be NULL;
 * on error it is zeroed. */
enum mote_status mote_checkpoint_convert(const char *directory, const char *output,
					 const struct mote_checkpoint_options *options,
					 struct mote_checkpoint_report *report, struct mote_error *error);

#endif
