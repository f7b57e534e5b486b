/* A chat of mote-run: run_chat.c has the conversation and its turns, run_commands.c what a line with a slash does. */
#ifndef MOTE_RUNTIME_RUN_CHAT_H
#define MOTE_RUNTIME_RUN_CHAT_H

#include "runtime/run.h"
#include "runtime/run_line.h"

struct chat {
	struct run *run;
	struct run_line_reader *reader;
	cJSON *messages;
	struct run_turn last;    /* the last answer, for /stats; text and ids are those of it */
	char *pending;           /* what /edit puts into the next line, or NULL */
	bool ended;
};

/* ---- the conversation ---- */

int run_chat_count(const struct chat *c); /* messages */
cJSON *run_chat_message(const struct chat *c, int index);
bool run_chat_has_role(const cJSON *message, const char *role);
const char *run_chat_content(const cJSON *message);
void run_chat_drop_last(struct chat *c);
/* A system message takes the place of the one before; NULL or empty: none. */
enum mote_status run_chat_set_system(struct chat *c, const char *text, struct mote_error *error);
/* Nothing but the system message stays. */
void run_chat_clear(struct chat *c);
/* The answer to the last of the messages joins them. Where there is none, because they do not fit, the template refuses
 * them, or it was interrupted before it began, that is said behind `otherwise`, and the chat goes on. */
enum mote_status run_chat_take_turn(struct chat *c, const char *otherwise, bool *answered, struct mote_error *error);

/* ---- commands ---- */

extern const char *const run_chat_commands[]; /* up to NULL */
/* Does a line that begins with a slash; it is cut up. */
enum mote_status run_chat_command(struct chat *c, char *line, struct mote_error *error);

#endif
