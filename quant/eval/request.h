/* Requests: what is asked of a model about an item, as token ids.
 *
 * A continuation is the delimiter (one blank, none behind a chat template) and a choice. Its ids are those of
 * encode(context + continuation) behind the first len(encode(context)); white space at the context's end moves to the
 * continuation first. The tokenizer puts before the text what it puts before any (a bos, where the model has one).
 */
#ifndef MOTE_QUANT_REQUEST_H
#define MOTE_QUANT_REQUEST_H

#include "quant/eval/task.h"
#include "runtime/tokenizer/tokenizer.h"

struct mote_request_options {
	bool chat;               /* the context is the user's turn of the model's template */
	uint32_t context_tokens; /* longer requests lose their beginning, and a continuation that is longer still its
				  * own; 0: no limit */
};

/* A choice: ids[context .. count) are the continuation. */
struct mote_request {
	int32_t *id;             /* owned */
	uint32_t context, count;
	bool truncated;
	char *continuation;      /* owned */
};

/* An item's: of CHOICE a request a choice; of others one, which is all context. Zero-initialize; free with
 * mote_requests_free(). */
struct mote_requests {
	struct mote_request request[MOTE_TASK_CHOICES];
	uint32_t count;
	char *context;                /* text, owned */
	struct mote_hash128 hash;     /* of the context's text */
	bool reasoning_open;          /* with chat: the template has opened reasoning */
};
void mote_requests_free(struct mote_requests *r);

/* metadata: of the model, for its template. MOTE_ERROR_ARGUMENT: chat without a template; MOTE_ERROR_CORRUPT: a
 * continuation that adds no token; statuses as the tokenizer's and the template's. */
enum mote_status mote_requests_make(const struct mote_task *task, const struct mote_item *item, const cJSON *metadata,
				    const struct mote_tokenizer *tokenizer, const struct mote_request_options *options,
				    struct mote_requests *out, struct mote_error *error) MOTE_CHECKED;

#endif
