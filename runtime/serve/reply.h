/* Replies: what came of a job, in the words of the dialect in which it was asked.
 *
 * A reply gathers pieces into choices. A dialect is a table of functions: whole() makes one JSON of all, the others the
 * events of a stream as they come. Each lies in a file of its own.
 */
#ifndef MOTE_RUNTIME_SERVE_REPLY_H
#define MOTE_RUNTIME_SERVE_REPLY_H

#include "runtime/serve/ask.h"
#include "runtime/serve/tool_call.h"

/* Text or thought as the model wrote them in turn: bytes of a choice's text, or of its reasoning. */
struct mote_part {
	bool reasoning;
	size_t begin, end;
};

struct mote_choice {
	struct mote_bytes text, reasoning;
	struct mote_part *part;
	size_t parts;
	struct mote_bytes rest;          /* of the text, without the calls, where there are some */
	size_t shown, thought_shown;     /* bytes of the text, and of the thought, that a stream has given */
	size_t offset;                   /* characters of the tokens whose scores it has given */
	struct mote_scored *scored, *prompt;
	size_t n_scored, n_prompt;
	int32_t *ids;
	size_t tokens, prompt_tokens, cached_tokens;
	size_t reasoning_tokens;         /* of the tokens: its thought's */
	double prompt_seconds, predict_seconds;
	uint64_t guessed, guessed_right;
	enum mote_lm_finish finish;
	int stop_text;
	bool ended;
	struct mote_tool_call call[MOTE_TOOL_CALLS_MAX];
	size_t calls;
};

struct mote_reply;

struct mote_dialect_words {
	cJSON *(*whole)(struct mote_reply *r, struct mote_json_builder *b);
	void (*begin)(struct mote_reply *r, struct mote_bytes *out);
	/* text [bytes] of the choice's answer or reasoning; n tokens of its scores go with it */
	void (*text)(struct mote_reply *r, uint32_t choice, bool reasoning, const char *text, size_t bytes,
		     const struct mote_scored *scored, size_t n, struct mote_bytes *out);
	void (*choice_end)(struct mote_reply *r, uint32_t choice, struct mote_bytes *out);
	void (*end)(struct mote_reply *r, struct mote_bytes *out);
	void (*failed)(struct mote_reply *r, int status, const char *message, struct mote_bytes *out);
};
extern const struct mote_dialect_words mote_words_chat, mote_words_completion, mote_words_responses,
	mote_words_messages;

struct mote_reply {
	const struct mote_lm *lm;
	struct mote_engine *engine;
	const char *model;
	struct mote_ask ask;
	const struct mote_dialect_words *words;
	char id[32];                     /* behind its prefix */
	int64_t created;                 /* seconds since 1970 */
	struct mote_choice *choice;      /* [choices] */
	uint32_t choices;
	bool begun, finished, failed;
	int failed_status;
	char message[1000];              /* why it failed */
	/* of dialects whose events are counted and whose texts lie in blocks */
	uint64_t events;
	int block, blocks;               /* 0: none open, 1: reasoning, 2: text; how many were opened */
};

/* NULL: no memory. The ask becomes the reply's. */
struct mote_reply *mote_reply_open(const struct mote_lm *lm, struct mote_engine *engine, const char *model,
				   struct mote_ask *ask);
/* Gives up the job, too. */
void mote_reply_close(struct mote_reply *r);
/* Takes all pieces until the end. False: it failed, message says why. */
bool mote_reply_gather(struct mote_reply *r);
/* For mote_exchange.next: the events of the next pieces. */
bool mote_reply_next(void *reply, struct mote_bytes *out);

/* ---- for dialects ---- */

/* "data: JSON\n\n"; with an event's name, its line before. The tree is freed. */
void mote_reply_event(struct mote_json_builder *b, const char *event, cJSON *json, struct mote_bytes *out);
/* Sums over choices. */
size_t mote_reply_prompt_tokens(const struct mote_reply *r);
size_t mote_reply_cached_tokens(const struct mote_reply *r);
size_t mote_reply_tokens(const struct mote_reply *r);
size_t mote_reply_reasoning_tokens(const struct mote_reply *r);
/* The text that is left when calls are taken out. */
const char *mote_choice_text(const struct mote_choice *c);
const char *mote_choice_reasoning(const struct mote_choice *c);
/* A part's text, without the white space behind a thought; nothing beyond the last one. */
void mote_choice_part(const struct mote_choice *c, size_t i, struct mote_bytes *out);
/* Whether token i of the answer is the end of the turn, which leaves no text and no score. */
bool mote_choice_is_end(const struct mote_reply *r, const struct mote_scored *s);

#endif
