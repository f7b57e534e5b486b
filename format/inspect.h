/* What the files of mote-inspect share.
 *
 *   inspect_text.c  the listing     inspect_json.c  --json     inspect_facts.c  figures and names for both
 */
#ifndef MOTE_FORMAT_INSPECT_H
#define MOTE_FORMAT_INSPECT_H

#include "format/container.h"

/* 32 hexadecimal digits, as receipts write a hash. */
struct inspect_hex { char text[33]; };
struct inspect_hex inspect_hex(struct mote_hash128 hash);

/* Where bits went: over matrices, whose weights are what quantization is about. */
struct inspect_totals {
	uint32_t tensors, vectors;
	uint64_t weights, bytes; /* of matrices */
};
/* All matrices, or those of one type. */
struct inspect_totals inspect_add_up(const struct mote_container *c, bool one_type, enum mote_type type);
double inspect_bits_per_weight(uint64_t bytes, uint64_t weights); /* 0 without weights */
uint64_t inspect_weights_of(const struct mote_tensor *t);

const char *inspect_section_name(uint32_t kind); /* never NULL */

/* A string member, borrowed, or NULL. */
const char *inspect_text_of(const cJSON *object, const char *key);
/* Whether a receipt names these tensors. */
bool inspect_receipt_belongs(const cJSON *receipt, const char *tensors);

/* To standard output, without flushing a listing. MOTE_ERROR_MEMORY; --json also what a write failed with. */
enum mote_status inspect_print_text(const struct mote_container *c, struct mote_error *error);
enum mote_status inspect_print_json(const struct mote_container *c, bool verified, struct mote_error *error);

#endif
