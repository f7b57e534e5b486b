/* A container's tensors as one safetensors file.
 */
#ifndef MOTE_CONVERT_SAFETENSORS_WRITE_H
#define MOTE_CONVERT_SAFETENSORS_WRITE_H

#include "convert/hf/hf_config.h"
#include "convert/hf/hf_write.h"
#include "format/output.h"

/* Fused matrices and norms are written as the family has them. Errors as mote_hf_write(). */
enum mote_status mote_safetensors_write(const struct mote_container *c, const struct mote_hf_config *family,
					const struct mote_hf_write_options *options, struct mote_output *file,
					uint64_t *bytes, struct mote_error *error);

#endif
