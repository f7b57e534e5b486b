/* The training of a whole model: batches, steps, epochs, and a state on disk from which a training goes on with the
 * same bits. Losses are over the assistant's tokens alone (examples.h).
 *
 * Supervised, a batch's loss is the mean over its tokens. Of preferences it is the mean over its pairs, of
 *   sigmoid   -ln sigma(beta (c - r))                (Rafailov et al. 2023, DPO)
 *   apo_zero  1 - sigma(beta c) + sigma(beta r)      (D'Oosterlinck et al. 2024)
 * where c and r are by how much more likely the chosen and the rejected answer are than they were to the model at the
 * start.
 */
#ifndef MOTE_QUANT_TRAINER_H
#define MOTE_QUANT_TRAINER_H

#include "format/container.h"
#include "quant/train/adamw.h"
#include "quant/train/adapter.h"
#include "quant/train/examples.h"
#include "quant/train/passes.h"

enum mote_objective { MOTE_OBJECTIVE_NLL, MOTE_OBJECTIVE_DFT, MOTE_OBJECTIVE_SIGMOID, MOTE_OBJECTIVE_APO_ZERO };

struct mote_train_settings {
	enum mote_objective objective;
	double beta;                 /* of preferences */
	double lr, floor, warm_up;   /* highest step; what of it is left at the end;
				      * share of the steps that lead up to it */
	double weight_decay, clip;   /* of matrices; most norm of a batch's gradient, 0: any */
	uint32_t epochs, batch;      /* records a step, at most MOTE_TRAIN_MOST_BATCH */
	uint64_t seed;
	uint32_t vocab;              /* rows of the embedding and the head, at least the model's; 0: the model's */
	uint32_t first_new, new_rows; /* rows of new tokens, which begin as the mean of the rows before them */
	uint32_t lora_rank;          /* 0: all weights learn; else only the factors of an adapter */
	double lora_alpha;
	double neftune;              /* supervised: noise on what is embedded, of at most this / sqrt(length * hidden);
				      * 0: none */
	uint32_t threads, rows;      /* tokens that are computed at once,
				      * at least the longest example's (or two of them) */
	uint32_t measured;           /* tokens of the longest of other examples that are measured; 0: none are */
};

#define MOTE_TRAIN_MOST_BATCH 1024u

/* Of one step. */
struct mote_train_point {
	double loss, lr, norm;       /* the gradient's, before clipping */
	double margin;               /* preferences: mean of beta (c - r) */
	uint64_t tokens;             /* read so far */
};

/* Something that learns, and its gradient. */
struct mote_trained {
	float *w, *g;
	size_t n;
	bool decays;
};

/* Zero-initialize; close with mote_trainer_close() also after an error. */
struct mote_trainer {
	struct mote_train_settings s;
	const struct mote_model *model;
	struct mote_config config;   /* the model's, with the rows that it has now */
	const struct mote_examples *examples;
	uint32_t records, steps, step; /* of the data; in all; done */
	struct mote_parameters w;
	struct mote_adapter adapter; /* of lora_rank, hung into w */
	struct mote_passes passes;
	struct mote_trained *trained; /* [n_trained] */
	uint32_t n_trained;
	size_t floats;               /* of all that learns */
	double *squares;             /* [n_trained] of gradients */
	float *moments;              /* [2][floats], m and v */
	struct mote_train_point *curve; /* [steps] */
	double *reference;           /* [examples] ln p of the answer by the model at the start; preferences only */
	uint32_t *order;             /* [records] of the epoch under way */
	uint32_t epoch;              /* that order is of; UINT32_MAX: none yet */
	int32_t *ids, *target;       /* of what is computed at once, [rows] */
	float *weight;
	double *value;
	struct mote_train_noise *noise; /* of the sequences that are computed at once */
	uint64_t tokens;
};

/* examples and model are borrowed. MOTE_ERROR_UNSUPPORTED: no backward pass for this model; MOTE_ERROR_MEMORY. */
enum mote_status mote_trainer_open(struct mote_trainer *t, const struct mote_model *model,
				   const struct mote_examples *examples, const struct mote_train_settings *settings,
				   struct mote_error *error) MOTE_CHECKED;
void mote_trainer_close(struct mote_trainer *t);

/* Preferences: measures how likely the answers are at the start. Before the first step, once.
 * MOTE_ERROR_INTERRUPTED. */
enum mote_status mote_trainer_refer(struct mote_trainer *t, const struct mote_progress *progress,
				    struct mote_error *error)
	MOTE_CHECKED;
/* One step; *point is the curve's. MOTE_ERROR_QUALITY: the loss is not finite any more. */
enum mote_status mote_trainer_step(struct mote_trainer *t, struct mote_train_point *point,
				   struct mote_error *error) MOTE_CHECKED;

/* The mean of -ln p over the assistant's tokens of other examples, no longer than settings say; nothing is learnt.
 * MOTE_ERROR_INTERRUPTED. */
enum mote_status mote_trainer_measure(struct mote_trainer *t, const struct mote_examples *examples,
				      const struct mote_progress *progress, double *loss,
				      struct mote_error *error) MOTE_CHECKED;

/* Behind the last step: what an adapter has learnt is added to the weights. */
void mote_trainer_merge(struct mote_trainer *t);

/* trained.c, for mote_trainer_open(): lists what learns. */
enum mote_status mote_trainer_choose(struct mote_trainer *t, struct mote_error *error) MOTE_CHECKED;

/* The state as one file, which only the same data, model and recipe can go on from: identity names these.
 * load: MOTE_ERROR_CORRUPT, MOTE_ERROR_UNSUPPORTED (another training's), MOTE_ERROR_IO. */
enum mote_status mote_trainer_save(const struct mote_trainer *t, const char *path, struct mote_hash128 identity,
				   struct mote_error *error) MOTE_CHECKED;
enum mote_status mote_trainer_load(struct mote_trainer *t, const char *path, struct mote_hash128 identity,
				   struct mote_error *error) MOTE_CHECKED;

#endif
