/* What answers which path. Handlers run on the threads of connections. */
#ifndef MOTE_RUNTIME_SERVE_ROUTES_H
#define MOTE_RUNTIME_SERVE_ROUTES_H

#include "runtime/serve/ask.h"
#include "runtime/serve/http.h"
#include "runtime/serve/serve.h"

/* The server; a route that asks a model gets a copy in which the fields from lm on are that model's, without http:
 * requests come on other threads before opening it has returned what it is, so that they leave it alone. */
struct mote_serve {
	struct mote_http *http;
	struct mote_models *models;
	struct mote_guard *guard;
	double seconds;
	int64_t started;
	const struct mote_lm *lm;
	struct mote_lm_info info;
	struct mote_engine *engine;
	const char *model;
	uint32_t context_tokens;
};

/* Refuses a request in its dialect's form; code NULL: a word for the HTTP code. */
void mote_route_refuse(struct mote_exchange *x, unsigned http, const char *parameter, const char *code,
		       const char *message);
/* For an error of reading a request. */
void mote_route_fail(struct mote_exchange *x, const struct mote_ask *ask, const struct mote_error *error);
/* For a job that failed: its time was up, it was interrupted, or something else happened. */
void mote_route_failed(struct mote_exchange *x, int status, const char *message);
/* Answers with a tree, which is freed; what could not be built becomes an error. */
void mote_route_json(struct mote_exchange *x, struct mote_json_builder *b, cJSON *json);
/* Reads a body that has no keys but the known ones; false: it was refused. */
bool mote_route_read_body(struct mote_exchange *x, const char *known, struct mote_ask *ask);
/* Hands the job in, or refuses it. */
bool mote_route_submit(struct mote_serve *s, struct mote_exchange *x, struct mote_job *job);

/* Behind it stands the model's name. */
#define MOTE_ROUTE_MODEL "/v1/models/"

/* Anthropic's API, here and below. */
#define MOTE_ROUTE_MESSAGES "/v1/messages"

typedef void mote_route(struct mote_serve *s, struct mote_exchange *x);
mote_route mote_route_embeddings, mote_route_tokenize, mote_route_detokenize, mote_route_apply_template,
	mote_route_count_tokens, mote_route_models, mote_route_model, mote_route_props, mote_route_slots,
	mote_route_metrics, mote_route_health, mote_route_page;

/* The chat page, made from page.html: MOTE_NONCE stands where its policy's nonce goes. */
extern const char mote_page[];

#endif
