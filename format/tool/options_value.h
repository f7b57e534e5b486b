/* Values of options, each by its kind: what options.c stores once it has found which option an argument is. */
#ifndef MOTE_FORMAT_TOOL_OPTIONS_VALUE_H
#define MOTE_FORMAT_TOOL_OPTIONS_VALUE_H

#include "format/tool/options.h"

/* Reads text, what was given for the option (of a flag nothing), into the field at `at`, which stays as it was where
 * the text is refused (but for .take and lists of counts).
 * MOTE_ERROR_ARGUMENT says what was expected; what .take gives otherwise;
 * MOTE_ERROR_IO: no random number for a seed. */
enum mote_status mote_option_set(const struct mote_option *o, const char *text, void *at, struct mote_error *error);

#endif
