/* What mote-quantize's files share: mote-quantize.c has the command line and the order of things, quantize_parts.c
 * measures sensitivities in parts, quantize_result.c prints.
 */
#ifndef MOTE_QUANT_QUANTIZE_COMMAND_H
#define MOTE_QUANT_QUANTIZE_COMMAND_H

#include "format/tool/console.h"
#include "format/tool/options.h"
#include "quant/pipeline.h"
#include "quant/team/share.h"

#define QUANTIZE "mote-quantize"

struct quantize_command {
	struct mote_pipeline_options options;
	struct mote_text calibration, validation;
	const char *calibrate_path, *validate_path;
	struct mote_rule *rules;
	struct mote_option_seed seed;
	bool have_type, have_encoder, json, quiet;
	struct mote_shard shard;
	bool merge;
	const char *output;                  /* of the model, or with a shard of the part */
	struct mote_option_operands parts;   /* --merge */
	const char *parts_folder;            /* --parts */
	struct mote_team *team;
	struct mote_share share;             /* zero: the sensitivities are not shared */
	struct mote_progress piece_progress;
	bool sharing;                        /* progress is counted in pieces now */
};


/* Sets how the pipeline has sensitivities measured. False: there is nothing to do for this rank of a team. */
bool quantize_share(struct quantize_command *c);

/* --shard: that the part's place is not the source's, and can be written where nothing is. */
enum mote_status quantize_check_part(const struct quantize_command *c, struct mote_error *error);

enum mote_status quantize_print_json(const struct quantize_command *c, const struct mote_pipeline_result *r,
				     double seconds, bool passed, struct mote_error *error);
void quantize_print_text(const struct quantize_command *c, const struct mote_pipeline_result *r, double seconds);

#endif
