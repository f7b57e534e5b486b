/* What tensors are called when they are not called as they should be: wrappers' prefixes, and the nearest name.
 */
#ifndef MOTE_CONVERT_CHECKPOINT_NAMES_H
#define MOTE_CONVERT_CHECKPOINT_NAMES_H

#include "convert/hf/hf_weights.h"

/* What stands in the weights' names where "model." belongs, when that is made of prefixes which wrappers are known to
 * add (torch.compile, DataParallel, PEFT, multimodal models) or is nothing, as in a bare base model. NULL: the names
 * are as they should be, or nothing that is known, or memory is gone. The caller frees it. */
char *mote_checkpoint_names_wrapper(const struct mote_hf_weights *w);

/* Of the weights that are not used yet, the name that is fewest edits away; NULL when none is near. Borrowed. */
const char *mote_checkpoint_names_nearest(const struct mote_hf_weights *w, const char *name);

#endif
