/* What both exports ask of a container's metadata before they write a model in another's words.
 */
#ifndef MOTE_CONVERT_EXPORT_MODEL_H
#define MOTE_CONVERT_EXPORT_MODEL_H

#include "format/container.h"

/* MOTE_ERROR_UNSUPPORTED: the model has a feature that the writers do not know, by its key. target: "GGUF", for messages. */
enum mote_status mote_export_check_model(const struct mote_container *c, const char *target, struct mote_error *error);

#endif
