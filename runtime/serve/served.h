/* Models: those that a server knows by name, each with its engine once somebody has asked for it.
 *
 * Whoever answers a request takes a model and gives it back; what nobody has taken may be unloaded, the one that was
 * not used for longest first, when another would not fit under the limit of memory. One model is loaded at a time;
 * others go on answering meanwhile. All functions may be called on any thread, but for open, add and close.
 */
#ifndef MOTE_RUNTIME_SERVE_SERVED_H
#define MOTE_RUNTIME_SERVE_SERVED_H

#include "format/status.h"
#include "runtime/serve/engine.h"

enum { MOTE_MODELS_MAX = 256 };

struct mote_models;

struct mote_models_options {
	struct mote_engine_options engine; /* of each */
	bool mapped;
	uint64_t most_bytes;               /* files and sessions of loaded models together; 0: no limit */
};

/* A model that is loaded; what is in it does not change while it is taken. */
struct mote_served {
	char *name, *path;
	struct mote_lm *lm;
	struct mote_lm_info info;
	struct mote_engine *engine;
	uint32_t context_tokens;
	uint64_t bytes;
	unsigned users;
	double used;                       /* seconds, when it was given back last */
};

/* MOTE_ERROR_MEMORY. */
enum mote_status mote_models_open(const struct mote_models_options *options, struct mote_models **out,
				  struct mote_error *error);
/* name NULL: the file's, without its folder and .mote. MOTE_ERROR_ARGUMENT: two of one name, too many.
 * MOTE_ERROR_MEMORY. */
enum mote_status mote_models_add(struct mote_models *m, const char *path, const char *name, struct mote_error *error);
/* All files *.mote of a folder, by name. MOTE_ERROR_IO; MOTE_ERROR_ARGUMENT: there is none. */
enum mote_status mote_models_add_folder(struct mote_models *m, const char *folder, struct mote_error *error);

uint32_t mote_models_count(const struct mote_models *m);
const char *mote_models_name(const struct mote_models *m, uint32_t i);

/* The model of this name, loaded if it is not; NULL: the first. With a single model any name is its own, since clients
 * want one. NULL and MOTE_ERROR_ARGUMENT: no such model; MOTE_ERROR_LIMIT: those in use left no room for ten seconds;
 * or what opening said. What cannot be opened unloads none. */
const struct mote_served *mote_models_take(struct mote_models *m, const char *name, struct mote_error *error);
/* Model i if it is loaded, or NULL. */
const struct mote_served *mote_models_peek(struct mote_models *m, uint32_t i);
void mote_models_give_back(struct mote_models *m, const struct mote_served *served);

/* Sums over all that are or were loaded; threads, context_tokens and isa are of one of them. *loaded: how many are. */
void mote_models_look(struct mote_models *m, struct mote_engine_figures *sum, uint32_t *loaded);

/* No new requests; those under way get so many seconds to end. */
void mote_models_stop(struct mote_models *m, double seconds);
void mote_models_close(struct mote_models *m); /* NULL is fine; after all was given back */

#endif
