/* See serve.h: the table of routes, and the four that generate. */
#include "runtime/serve/serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/serve/reply.h"
#include "runtime/serve/routes.h"

enum { SENDING_SECONDS = 5 }; /* for the last bytes of answers when the server stops */

/* ---- refusing ---- */

static const char *type_of(unsigned http)
{
	return http == 401 ? "authentication_error" : http == 403 ? "permission_error" :
	       http == 404 ? "not_found_error" : http == 413 ? "request_too_large" :
	       http == 429 ? "rate_limit_error" : http >= 500 ? "server_error" :
	       "invalid_request_error";
}

void mote_route_refuse(struct mote_exchange *x, unsigned http, const char *parameter, const char *code,
		       const char *message)
{
	struct mote_json_builder b = {0};
	cJSON *json = mote_json_new_object(&b), *error;
	bool anthropic = !strncmp(x->path, MOTE_ROUTE_MESSAGES, strlen(MOTE_ROUTE_MESSAGES));

	if (anthropic)
		mote_json_add_text(&b, json, "type", "error");
	error = mote_json_add_object(&b, json, "error");
	mote_json_add_text(&b, error, "message", message);
	mote_json_add_text(&b, error, "type", anthropic && http >= 500 ? "api_error" : type_of(http));
	if (parameter)
		mote_json_add_text(&b, error, "param", parameter);
	else
		mote_json_add_null(&b, error, "param");
	if (code)
		mote_json_add_text(&b, error, "code", code);
	else
		mote_json_add_null(&b, error, "code");
	mote_bytes_free(&x->out);
	x->code = http;
	mote_bytes_add_json(&x->out, json);
	x->out.failed |= b.failed;
	x->header[0][0] = http == 429 ? "Retry-After" : http == 401 ? "WWW-Authenticate" : NULL;
	x->header[0][1] = http == 429 ? "1" : "Bearer";
}

void mote_route_fail(struct mote_exchange *x, const struct mote_ask *ask, const struct mote_error *error)
{
	bool ours = error->code == MOTE_ERROR_MEMORY || error->code == MOTE_ERROR_IO;

	mote_route_refuse(x, ours ? 500 : 400, ask->parameter, ask->too_long ? "context_length_exceeded" :
			  error->code == MOTE_ERROR_UNSUPPORTED ? "unsupported" : NULL, error->message);
}

void mote_route_failed(struct mote_exchange *x, int status, const char *message)
{
	mote_route_refuse(x, status == MOTE_LM_LIMIT ? 504 : status == MOTE_LM_INTERRUPTED ? 503 : 500, NULL,
			  status == MOTE_LM_LIMIT ? "timeout" : NULL, message);
}

bool mote_route_submit(struct mote_serve *s, struct mote_exchange *x, struct mote_job *job)
{
	enum mote_engine_entry entry;

	job->fd = x->fd;
	job->seconds = s->seconds;
	entry = mote_engine_submit(s->engine, job);
	if (entry == MOTE_ENTRY_FULL)
		mote_route_refuse(x, 429, NULL, "queue_full", "too many requests wait already; try again in a second");
	else if (entry == MOTE_ENTRY_STOPPING)
		mote_route_refuse(x, 503, NULL, "stopping", "the server is stopping");
	else if (entry == MOTE_ENTRY_MEMORY)
		mote_route_refuse(x, 500, NULL, NULL, "no memory for the request");
	return entry == MOTE_ENTRY_TAKEN;
}

/* ---- generating ---- */

static void answer_whole(struct mote_exchange *x, struct mote_reply *r)
{
	struct mote_json_builder b = {0};

	if (mote_reply_gather(r))
		mote_route_json(x, &b, r->words->whole(r, &b));
	else
		mote_route_failed(x, r->failed_status, r->message);
	mote_reply_close(r);
}

static void close_reply(void *reply)
{
	mote_reply_close(reply);
}

static void generate(struct mote_serve *s, struct mote_exchange *x, enum mote_dialect dialect)
{
	struct mote_error error = {0};
	struct mote_reply *r = NULL;
	struct mote_ask ask;

	if (mote_ask_read(s->lm, dialect, x->body, x->bytes, s->context_tokens, &ask, &error)) {
		mote_route_fail(x, &ask, &error);
	} else if (!(r = mote_reply_open(s->lm, s->engine, s->model, &ask))) {
		mote_route_refuse(x, 500, NULL, NULL, "no memory for an answer");
	} else if (!mote_route_submit(s, x, &r->ask.job)) {
		mote_reply_close(r);
	} else if (!r->ask.stream) {
		answer_whole(x, r);
	} else {
		x->code = 200;
		x->type = "text/event-stream";
		x->header[0][0] = "Cache-Control";
		x->header[0][1] = "no-cache";
		x->next = mote_reply_next;
		x->end = close_reply;
		x->user = r;
	}
	mote_ask_free(&ask);
}

/* ---- routing ---- */

static const struct route {
	const char *method, *path;
	mote_route *handle; /* NULL: it generates, in a dialect */
	bool open; /* no key is asked for */
	bool asks; /* a model */
	enum mote_dialect dialect;
} routes[] = {
	{"GET", "/health", mote_route_health, true, false, 0},
	{"GET", "/", mote_route_page, true, false, 0},
	{"GET", "/v1/models", mote_route_models, false, false, 0},
	{"GET", MOTE_ROUTE_MODEL, mote_route_model, false, false, 0},
	{"POST", "/v1/chat/completions", NULL, false, true, MOTE_DIALECT_CHAT},
	{"POST", "/v1/completions", NULL, false, true, MOTE_DIALECT_COMPLETION},
	{"POST", "/v1/responses", NULL, false, true, MOTE_DIALECT_RESPONSES},
	{"POST", MOTE_ROUTE_MESSAGES, NULL, false, true, MOTE_DIALECT_MESSAGES},
	{"POST", MOTE_ROUTE_MESSAGES "/count_tokens", mote_route_count_tokens, false, true, 0},
	{"POST", "/v1/embeddings", mote_route_embeddings, false, true, 0},
	{"POST", "/tokenize", mote_route_tokenize, false, true, 0},
	{"POST", "/detokenize", mote_route_detokenize, false, true, 0},
	{"POST", "/apply-template", mote_route_apply_template, false, true, 0},
	{"GET", "/props", mote_route_props, false, true, 0},
	{"GET", "/slots", mote_route_slots, false, false, 0},
	{"GET", "/metrics", mote_route_metrics, false, false, 0},
};

/* A stream that keeps its model. */
struct held {
	struct mote_models *models;
	const struct mote_served *served;
	bool (*next)(void *user, struct mote_bytes *out);
	void (*end)(void *user);
	void *user;
};

static bool next_held(void *user, struct mote_bytes *out)
{
	struct held *h = user;

	return h->next(h->user, out);
}

static void end_held(void *user)
{
	struct held *h = user;

	h->end(h->user);
	mote_models_give_back(h->models, h->served);
	free(h);
}

/* The model that a body names; owned. NULL: none. False: no model need be loaded to refuse it, and it was. */
static bool named_model(struct mote_exchange *x, char **name)
{
	struct mote_ask none = {0};
	struct mote_error error = {0};
	const cJSON *model;
	cJSON *json = NULL;

	*name = NULL;
	if (x->bytes || !strcmp(x->method, "POST"))
		(void)mote_json_parse(x->body, x->bytes, "the request", &json, &error);
	model = mote_json_get(json, "model");
	if (cJSON_IsString(model) && !(*name = strdup(model->valuestring)))
		(void)mote_error_set(&error, MOTE_ERROR_MEMORY, "no memory for a request");
	cJSON_Delete(json);
	if (error.code)
		mote_route_fail(x, &none, &error);
	return !error.code;
}

/* False: what is wrong with it whichever model answers was said, and none need be loaded for that. */
static bool is_sound(struct mote_exchange *x, const struct route *route)
{
	struct mote_error error = {0};
	struct mote_ask ask = {0};

	if (!route->handle && mote_ask_read(NULL, route->dialect, x->body, x->bytes, 0, &ask, &error))
		mote_route_fail(x, &ask, &error);
	mote_ask_free(&ask);
	return !error.code;
}

static void refuse_model(struct mote_exchange *x, const struct mote_error *error)
{
	if (error->code == MOTE_ERROR_ARGUMENT)
		mote_route_refuse(x, 404, "model", "model_not_found", error->message);
	else if (error->code == MOTE_ERROR_LIMIT)
		mote_route_refuse(x, 503, "model", "models_busy", error->message);
	else
		mote_route_refuse(x, 500, "model", NULL, error->message);
}

/* Answers with the model that is asked for, which a stream keeps until its end. */
static void handle_with_model(const struct mote_serve *s, struct mote_exchange *x, const struct route *route)
{
	char *name = NULL;
	struct held *held;
	struct mote_error error = {0};
	struct mote_serve view = {.models = s->models, .guard = s->guard, .seconds = s->seconds, .started = s->started};

	if (mote_models_count(s->models) > 1 && !(is_sound(x, route) && named_model(x, &name)))
		return;
	held = calloc(1, sizeof *held);
	if (!held)
		(void)mote_error_set(&error, MOTE_ERROR_MEMORY, "no memory for a request");
	else if ((held->served = mote_models_take(s->models, name, &error))) {
		view.lm = held->served->lm;
		view.info = held->served->info;
		view.engine = held->served->engine;
		view.model = held->served->name;
		view.context_tokens = held->served->context_tokens;
		if (route->handle)
			route->handle(&view, x);
		else
			generate(&view, x, route->dialect);
	}
	free(name);
	if (error.code) {
		refuse_model(x, &error);
	} else if (x->next) {
		*held = (struct held){s->models, held->served, x->next, x->end, x->user};
		x->next = next_held;
		x->end = end_held;
		x->user = held;
		return;
	} else {
		mote_models_give_back(s->models, held->served);
	}
	free(held);
}

/* A script of an allowed page may read the answer. */
static void allow_origin(struct mote_exchange *x)
{
	const char *origin = mote_exchange_header(x, "Origin");
	size_t i = 0;

	if (!origin || !*origin || strpbrk(origin, "\t\r\n")) /* what no header of an answer can say */
		return;
	while (i < 5 && x->header[i][0])
		i++;
	x->header[i][0] = "Access-Control-Allow-Origin";
	x->header[i][1] = origin;
	x->header[i + 1][0] = "Vary";
	x->header[i + 1][1] = "Origin";
}

static void preflight(struct mote_exchange *x)
{
	x->code = 204;
	x->header[0][0] = "Access-Control-Allow-Methods";
	x->header[0][1] = "GET, POST";
	x->header[1][0] = "Access-Control-Allow-Headers";
	x->header[1][1] = "*, Authorization";
}

/* The route of a path; *method is the path's, if it is not this one, or NULL. */
static int find_route(const struct mote_exchange *x, const char **method)
{
	const char *asked = strcmp(x->method, "HEAD") ? x->method : "GET";
	const char *path = strncmp(x->path, MOTE_ROUTE_MODEL, strlen(MOTE_ROUTE_MODEL)) ? x->path : MOTE_ROUTE_MODEL;

	*method = NULL;
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
		if (strcmp(routes[i].path, path))
			continue;
		*method = routes[i].method;
		if (!strcmp(*method, asked))
			return (int)i;
	}
	return -1;
}

static void admit(void *user, struct mote_exchange *x)
{
	const char *host = mote_exchange_header(x, "Host"), *origin = mote_exchange_header(x, "Origin");
	struct mote_serve *s = user;
	const char *method, *wrong;
	int route = find_route(x, &method);
	unsigned code;

	if (!mote_guard_host(s->guard, host))
		mote_route_refuse(x, 403, NULL, "host",
				  "the Host header names a machine that this server does not answer for");
	else if (!mote_guard_origin(s->guard, origin, host))
		mote_route_refuse(x, 403, NULL, "origin", "pages of this origin may not use this server");
	else if (strcmp(x->method, "OPTIONS") && (route < 0 || !routes[route].open) &&
		 !mote_guard_key(s->guard, mote_exchange_header(x, "Authorization"),
				 mote_exchange_header(x, "X-Api-Key"))) {
		mote_route_refuse(x, 401, NULL, "invalid_api_key", "a key is needed: Authorization: Bearer KEY");
		allow_origin(x);
	} else if ((wrong = mote_guard_body(mote_exchange_header(x, "Content-Encoding"),
					    mote_exchange_header(x, "Transfer-Encoding"),
					    mote_exchange_header(x, "Content-Length"), &code))) {
		mote_route_refuse(x, code, NULL, NULL, wrong);
		allow_origin(x);
	}
}

static void handle(void *user, struct mote_exchange *x)
{
	struct mote_serve *s = user;
	const char *method;
	int route = find_route(x, &method);

	if (!strcmp(x->method, "OPTIONS"))
		preflight(x);
	else if (route >= 0 && routes[route].asks)
		handle_with_model(s, x, &routes[route]);
	else if (route >= 0)
		routes[route].handle(s, x);
	else
		mote_route_refuse(x, method ? 405 : 404, NULL, NULL,
				  method ? "this path knows another method" : "no such path");
	if (x->code == 405) {
		x->header[0][0] = "Allow";
		x->header[0][1] = method;
	}
	allow_origin(x);
}

static void refuse(void *user, struct mote_exchange *x, const char *message)
{
	(void)user;
	mote_route_refuse(x, x->code, NULL, NULL, message);
	allow_origin(x);
}

/* ---- opening and closing ---- */

enum mote_status mote_serve_open(const struct mote_serve_options *options, struct mote_serve **out,
				 struct mote_error *error)
{
	struct mote_http_options http = {.host = options->host, .port = options->port, .socket = options->socket,
					 .header_seconds = options->header_seconds,
					 .handle = handle, .admit = admit, .refuse = refuse};
	struct mote_serve *s = calloc(1, sizeof *s);
	enum mote_status status;

	*out = NULL;
	if (!s)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a server");
	*s = (struct mote_serve){.models = options->models, .guard = options->guard, .seconds = options->seconds,
				 .started = (int64_t)time(NULL)};
	http.user = s;
	status = mote_http_open(&http, &s->http, error);
	if (status)
		mote_serve_close(s);
	else
		*out = s;
	return status;
}

uint16_t mote_serve_port(const struct mote_serve *s)
{
	return mote_http_port(s->http);
}

void mote_serve_stop(struct mote_serve *s, double seconds)
{
	mote_http_quiet(s->http);
	mote_models_stop(s->models, seconds);
	mote_http_finish(s->http, SENDING_SECONDS);
}

void mote_serve_close(struct mote_serve *s)
{
	if (!s)
		return;
	mote_models_stop(s->models, 0);
	mote_http_close(s->http);
	free(s);
}
