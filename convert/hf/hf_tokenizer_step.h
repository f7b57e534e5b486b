/* One component of tokenizer.json on its way to steps of the section. */
#ifndef MOTE_CONVERT_HF_TOKENIZER_STEP_H
#define MOTE_CONVERT_HF_TOKENIZER_STEP_H

#include "convert/hf/hf_tokenizer_build.h"

/* Where a component stands, for messages and for the stage of its steps. */
struct place {
	struct builder *b;
	enum tokenizer_stage stage;
	const char *name; /* "tokenizer.json: normalizer" */
};

/* Errors that name the component: a setting that is not supported, or one that makes no sense. */
enum mote_status mote_hf_step_unsupported(const struct place *p, const char *what, const char *name);
enum mote_status mote_hf_step_wrong(const struct place *p, const char *what);

/* Appends a string to the section; *at receives its place there. */
enum mote_status mote_hf_step_add_string(const struct place *p, const char *text, size_t bytes, uint32_t *at);
/* Appends a step with up to two strings (NULL: none). */
enum mote_status mote_hf_step_add(const struct place *p, struct tokenizer_step step, const char *a, const char *b);
enum mote_status mote_hf_step_add_kind(const struct place *p, enum tokenizer_step_kind kind);

enum mote_status mote_hf_step_bool(const struct place *p, const cJSON *item, const char *key, bool fallback,
				   bool *value);
/* {"String": ..}, {"Regex": ..}, or (of old) a plain string. */
enum mote_status mote_hf_step_pattern(const struct place *p, const cJSON *item, const char **text, bool *regex);
/* fallback NULL: the setting must be there. */
enum mote_status mote_hf_step_behavior(const struct place *p, const cJSON *item, const char *fallback,
				       uint8_t *behavior);
/* Metaspace's replacement and scheme, whose spelling changed with the reference's age. */
enum mote_status mote_hf_step_metaspace(const struct place *p, const cJSON *item, const char **replacement,
					uint8_t *scheme);

/* A Split, by a text or a pattern (hf_tokenizer_split.c). */
enum mote_status mote_hf_step_split(const struct place *p, const cJSON *item);

#endif
