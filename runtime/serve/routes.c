/* Routes that generate nothing: what the server has and does, tokens and templates, the page. Embeddings have a file of
 * their own. */
#include "runtime/serve/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format/portable.h"

void mote_route_json(struct mote_exchange *x, struct mote_json_builder *b, cJSON *json)
{
	struct mote_error error = {0};

	if (mote_json_finish(b, &json, "the answer", &error)) {
		mote_route_refuse(x, 500, NULL, NULL, error.message);
		return;
	}
	x->code = 200;
	mote_bytes_add_json(&x->out, json);
}

void mote_route_health(struct mote_serve *s, struct mote_exchange *x)
{
	(void)s;
	x->code = 200;
	mote_bytes_print(&x->out, "{\"status\":\"ok\"}");
}

static void add_model(struct mote_json_builder *b, cJSON *json, const struct mote_serve *s, uint32_t i)
{
	mote_json_add_text(b, json, "id", mote_models_name(s->models, i));
	mote_json_add_text(b, json, "object", "model");
	mote_json_add_number(b, json, "created", (double)s->started);
	mote_json_add_text(b, json, "owned_by", "mote");
}

void mote_route_models(struct mote_serve *s, struct mote_exchange *x)
{
	struct mote_json_builder b = {0};
	cJSON *json = mote_json_new_object(&b), *list;

	mote_json_add_text(&b, json, "object", "list");
	list = mote_json_add_array(&b, json, "data");
	for (uint32_t i = 0; i < mote_models_count(s->models); i++)
		add_model(&b, mote_json_add_object(&b, list, NULL), s, i);
	mote_route_json(x, &b, json);
}

void mote_route_model(struct mote_serve *s, struct mote_exchange *x)
{
	const char *name = x->path + strlen(MOTE_ROUTE_MODEL);
	struct mote_json_builder b = {0};
	cJSON *json;

	for (uint32_t i = 0; i < mote_models_count(s->models); i++)
		if (!strcmp(mote_models_name(s->models, i), name)) {
			json = mote_json_new_object(&b);
			add_model(&b, json, s, i);
			mote_route_json(x, &b, json);
			return;
		}
	mote_route_refuse(x, 404, "model", "model_not_found", "no model of this name is among /v1/models");
}

/* The figures of the newest receipt that has them, or null. */
static void add_receipt(struct mote_json_builder *b, cJSON *json, const struct mote_lm *lm)
{
	cJSON *receipts = NULL;
	const cJSON *figures = NULL;
	char *text = NULL;

	if (mote_lm_receipts(lm, &text, NULL) || mote_json_parse(text, strlen(text), "receipts", &receipts, NULL)) {
		b->failed = true;
		mote_lm_free(text);
		return;
	}
	for (const cJSON *r = receipts->child; r; r = r->next)
		figures = mote_json_get(r, "figures") ? mote_json_get(r, "figures") : figures;
	if (figures)
		mote_json_add_item(b, json, "receipt", cJSON_Duplicate(figures, true));
	else
		mote_json_add_null(b, json, "receipt");
	cJSON_Delete(receipts);
	mote_lm_free(text);
}

static void add_defaults(struct mote_json_builder *b, cJSON *json, const struct mote_lm *lm)
{
	cJSON *defaults = mote_json_add_object(b, json, "defaults");
	struct mote_lm_sampling s;

	mote_lm_sampling_recommended(lm, &s);
	mote_json_add_number(b, defaults, "temperature", (double)s.temperature);
	mote_json_add_number(b, defaults, "top_p", (double)s.top_p);
	mote_json_add_number(b, defaults, "top_k", s.top_k);
	mote_json_add_number(b, defaults, "min_p", (double)s.min_p);
}

void mote_route_props(struct mote_serve *s, struct mote_exchange *x)
{
	struct mote_engine_figures f;
	struct mote_json_builder b = {0};
	cJSON *json = mote_json_new_object(&b);

	mote_engine_look(s->engine, &f, NULL);
	mote_json_add_text(&b, json, "model", s->model);
	mote_json_add_text(&b, json, "version", mote_version());
	mote_json_add_number(&b, json, "parameters", (double)s->info.parameters);
	mote_json_add_number(&b, json, "bits_per_weight", s->info.bits_per_weight);
	mote_json_add_number(&b, json, "file_bytes", (double)s->info.file_bytes);
	mote_json_add_number(&b, json, "vocab", s->info.vocab);
	mote_json_add_bool(&b, json, "chat", s->info.chat);
	mote_json_add_bool(&b, json, "reasons", s->info.reasons);
	add_receipt(&b, json, s->lm);
	add_defaults(&b, json, s->lm);
	mote_json_add_number(&b, json, "context_tokens", f.context_tokens);
	mote_json_add_number(&b, json, "total_slots", f.sequences);
	mote_json_add_number(&b, json, "threads", f.threads);
	mote_json_add_text(&b, json, "isa", f.isa);
	mote_json_add_number(&b, json, "session_bytes", (double)f.bytes);
	mote_json_add_number(&b, json, "max_body_bytes", MOTE_HTTP_MAX_BODY);
	mote_json_add_number(&b, json, "max_connections", MOTE_HTTP_MAX_CONNECTIONS);
	mote_route_json(x, &b, json);
}

/* The places of a model that is loaded. */
static void add_places(struct mote_json_builder *b, cJSON *json, const struct mote_served *served)
{
	struct mote_engine_figures f;
	struct mote_place *place;

	mote_engine_look(served->engine, &f, NULL);
	place = calloc(f.sequences, sizeof *place);
	b->failed |= !place;
	if (place)
		mote_engine_look(served->engine, &f, place);
	for (uint32_t i = 0; place && i < f.sequences; i++) {
		cJSON *item = mote_json_add_object(b, json, NULL);

		mote_json_add_number(b, item, "id", i);
		mote_json_add_text(b, item, "model", served->name);
		mote_json_add_bool(b, item, "is_processing", place[i].busy);
		mote_json_add_number(b, item, "n_ctx", f.context_tokens);
		mote_json_add_number(b, item, "request", (double)place[i].number);
		mote_json_add_number(b, item, "prompt_tokens", (double)place[i].prompt_tokens);
		mote_json_add_number(b, item, "tokens", (double)place[i].tokens);
	}
	free(place);
}

void mote_route_slots(struct mote_serve *s, struct mote_exchange *x)
{
	struct mote_json_builder b = {0};
	cJSON *json = mote_json_new_array(&b);

	for (uint32_t i = 0; i < mote_models_count(s->models); i++) {
		const struct mote_served *served = mote_models_peek(s->models, i);

		if (!served)
			continue;
		add_places(&b, json, served);
		mote_models_give_back(s->models, served);
	}
	mote_route_json(x, &b, json);
}

static void metric(struct mote_bytes *out, const char *name, const char *type, const char *help, double value)
{
	mote_bytes_print(out, "# HELP mote_%s %s\n# TYPE mote_%s %s\nmote_%s %.15g\n", name, help, name, type, name,
			 value);
}

void mote_route_metrics(struct mote_serve *s, struct mote_exchange *x)
{
	struct mote_engine_figures f;
	uint32_t loaded;

	mote_models_look(s->models, &f, &loaded);
	x->code = 200;
	x->type = "text/plain; version=0.0.4";
	metric(&x->out, "models_loaded", "gauge", "Models that are loaded.", loaded);
	metric(&x->out, "requests_total", "counter", "Requests taken in.", (double)f.jobs);
	metric(&x->out, "requests_refused_total", "counter", "Requests refused because the queue was full.",
	       (double)f.refused);
	metric(&x->out, "requests_abandoned_total", "counter", "Requests whose clients went away.", (double)f.gone);
	metric(&x->out, "requests_late_total", "counter", "Requests whose time was up.", (double)f.late);
	metric(&x->out, "choices_failed_total", "counter", "Choices that ended with an error.", (double)f.failed);
	metric(&x->out, "prompt_tokens_total", "counter", "Tokens of prompts computed.", (double)f.prompt_tokens);
	metric(&x->out, "prompt_tokens_cached_total", "counter", "Tokens of prompts that the cache held.",
	       (double)f.cached_tokens);
	metric(&x->out, "tokens_total", "counter", "Tokens generated.", (double)f.tokens);
	metric(&x->out, "guessed_tokens_total", "counter", "Tokens guessed by lookup.", (double)f.guessed);
	metric(&x->out, "guessed_right_total", "counter", "Of these, those that came.", (double)f.guessed_right);
	metric(&x->out, "prompt_seconds_total", "counter", "Seconds until first tokens, over all answers.",
	       f.prompt_seconds);
	metric(&x->out, "predict_seconds_total", "counter", "Seconds behind first tokens, over all answers.",
	       f.predict_seconds);
	metric(&x->out, "busy_seconds_total", "counter", "Seconds of forward passes.", f.busy_seconds);
	metric(&x->out, "places", "gauge", "Answers that can run side by side.", f.sequences);
	metric(&x->out, "places_busy", "gauge", "Answers that run.", f.running);
	metric(&x->out, "queue", "gauge", "Requests that wait.", f.waiting);
	metric(&x->out, "session_bytes", "gauge", "KV cache and workspace.", (double)f.bytes);
}

/* ---- tokens and templates ---- */

bool mote_route_read_body(struct mote_exchange *x, const char *known, struct mote_ask *ask)
{
	struct mote_error error = {0};

	enum mote_status status;

	*ask = (struct mote_ask){.dialect = MOTE_DIALECT_CHAT};
	status = mote_json_parse(x->body, x->bytes, "the request", &ask->json, &error);
	if (status == MOTE_OK)
		status = cJSON_IsObject(ask->json) ? mote_ask_check_keys(ask, ask->json, known, &error) :
			mote_error_set(&error, MOTE_ERROR_ARGUMENT, "the request: expected an object");
	if (status == MOTE_OK)
		return true;
	mote_route_fail(x, ask, &error);
	mote_ask_free(ask);
	return false;
}

void mote_route_tokenize(struct mote_serve *s, struct mote_exchange *x)
{
	struct mote_json_builder b = {0};
	struct mote_lm_error error = {0};
	const cJSON *text, *special;
	int32_t *ids = NULL;
	size_t count = 0;
	struct mote_ask ask;
	cJSON *json, *list;

	if (!mote_route_read_body(x, "model content add_special parse_special", &ask))
		return;
	text = mote_json_get(ask.json, "content");
	special = mote_json_get(ask.json, "parse_special");
	if (!cJSON_IsString(text)) {
		mote_route_refuse(x, 400, "content", NULL, "content: expected a text");
	} else if (mote_lm_encode(s->lm, text->valuestring, strlen(text->valuestring),
				  (cJSON_IsTrue(mote_json_get(ask.json, "add_special")) ? MOTE_LM_ADD_SPECIAL : 0) |
				  (cJSON_IsFalse(special) ? MOTE_LM_PLAIN : 0), &ids, &count, &error)) {
		mote_route_refuse(x, 500, NULL, NULL, error.message);
	} else {
		json = mote_json_new_object(&b);
		list = mote_json_add_array(&b, json, "tokens");
		for (size_t i = 0; i < count; i++)
			mote_json_add_number(&b, list, NULL, ids[i]);
		mote_route_json(x, &b, json);
	}
	mote_lm_free(ids);
	mote_ask_free(&ask);
}

void mote_route_detokenize(struct mote_serve *s, struct mote_exchange *x)
{
	struct mote_json_builder b = {0};
	struct mote_error error = {0};
	struct mote_bytes content = {0};
	struct mote_ask ask;
	const cJSON *list;
	char *text = NULL;
	size_t bytes;
	cJSON *json;

	if (!mote_route_read_body(x, "model tokens", &ask))
		return;
	list = mote_json_get(ask.json, "tokens");
	if (!cJSON_IsArray(list) || (list->child && !cJSON_IsNumber(list->child))) {
		mote_route_refuse(x, 400, "tokens", NULL, "tokens: expected a list of ids");
	} else if (mote_ask_read_input(s->lm, list, "tokens", 1, UINT32_MAX, &ask, &error)) {
		mote_route_fail(x, &ask, &error);
	} else if (mote_lm_decode(s->lm, ask.prompt->ids, ask.prompt->count, 1, &text, &bytes, NULL)) {
		mote_route_refuse(x, 500, NULL, NULL, "no memory for the text");
	} else {
		json = mote_json_new_object(&b);
		mote_bytes_add_text(&content, text, bytes);
		mote_json_add_text(&b, json, "content", content.text ? content.text : "");
		b.failed |= content.failed;
		mote_route_json(x, &b, json);
	}
	mote_bytes_free(&content);
	mote_lm_free(text);
	mote_ask_free(&ask);
}

void mote_route_apply_template(struct mote_serve *s, struct mote_exchange *x)
{
	struct mote_ask_chat chat = {0};
	struct mote_json_builder b = {0};
	struct mote_lm_error own = {0};
	struct mote_error error = {0};
	struct mote_ask ask;
	char *text = NULL;
	size_t bytes;
	cJSON *json;

	if (!mote_route_read_body(x, "messages tools tool_choice chat_template_kwargs reasoning_effort "
				      "add_generation_prompt continue_final_message model", &ask))
		return;
	if (mote_ask_chat(&ask, &chat, &error) == MOTE_OK && mote_lm_render(s->lm, &chat.chat, &text, &bytes, &own))
		(void)mote_ask_fail(&own, &error);
	if (error.code) {
		mote_route_fail(x, &ask, &error);
	} else {
		json = mote_json_new_object(&b);
		mote_json_add_text(&b, json, "prompt", text);
		mote_route_json(x, &b, json);
	}
	mote_lm_free(text);
	mote_ask_free_chat(&chat);
	mote_ask_free(&ask);
}

void mote_route_count_tokens(struct mote_serve *s, struct mote_exchange *x)
{
	struct mote_ask_chat chat = {0};
	struct mote_json_builder b = {0};
	struct mote_lm_error own = {0};
	struct mote_error error = {0};
	struct mote_ask ask;
	int32_t *ids = NULL;
	size_t count = 0;
	cJSON *json;

	if (!mote_route_read_body(x, "model messages system thinking tools tool_choice", &ask))
		return;
	ask.dialect = MOTE_DIALECT_MESSAGES;
	if (mote_ask_missing(&ask, &error) == MOTE_OK && mote_ask_chat(&ask, &chat, &error) == MOTE_OK &&
	    mote_lm_encode_chat(s->lm, &chat.chat, &ids, &count, NULL, &own))
		(void)mote_ask_fail(&own, &error);
	if (error.code) {
		mote_route_fail(x, &ask, &error);
	} else {
		json = mote_json_new_object(&b);
		mote_json_add_number(&b, json, "input_tokens", (double)count);
		mote_route_json(x, &b, json);
	}
	mote_lm_free(ids);
	mote_ask_free_chat(&chat);
	mote_ask_free(&ask);
}

/* ---- the page ---- */

void mote_route_page(struct mote_serve *s, struct mote_exchange *x)
{
	static const char mark[] = "MOTE_NONCE";
	uint64_t number[2];
	const char *at = mote_page, *next;
	char nonce[40];
	(void)s;

	if (!mote_portable_random(number, sizeof number)) {
		mote_route_refuse(x, 500, NULL, NULL, "no random numbers");
		return;
	}
	snprintf(nonce, sizeof nonce, "%016llx%016llx", (unsigned long long)number[0], (unsigned long long)number[1]);
	x->code = 200;
	x->type = "text/html; charset=utf-8";
	for (; (next = strstr(at, mark)); at = next + sizeof mark - 1) {
		mote_bytes_add(&x->out, at, (size_t)(next - at));
		mote_bytes_add(&x->out, nonce, strlen(nonce));
	}
	mote_bytes_add(&x->out, at, strlen(at));
	snprintf(x->policy, sizeof x->policy,
		 "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; connect-src 'self'; "
		 "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", nonce, nonce);
	x->header[0][0] = "Content-Security-Policy";
	x->header[0][1] = x->policy;
	x->header[1][0] = "Referrer-Policy";
	x->header[1][1] = "no-referrer";
	x->header[2][0] = "Cache-Control";
	x->header[2][1] = "no-store";
}
