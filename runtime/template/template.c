/* Chat templates: opening, rendering, and the way from a JSON context to values and from text to spans. The
 * interpreter itself is in the rooms value, parse, run and library, each of which knows those before it; here they
 * are put together, and here are the two setjmps that every failure in them unwinds to. A template owns its tree and
 * is never written to after it was opened; a rendering owns all that it makes, and hands out copies.
 */
#include "runtime/template/template.h"

#include <stdlib.h>

#include "format/plain_locale.h"
#include "format/utf8.h"
#include "runtime/template/library/library.h"
#include "runtime/template/parse/parser.h"
#include "runtime/template/run/attribute.h"
#include "runtime/template/run/execute.h"
#include "runtime/template/value/container_value.h"

#define MAX_SOURCE (4u << 20) /* bytes of a template */

#define DEFAULT_STEPS 20000000u
#define DEFAULT_OUTPUT (16u << 20)
#define DEFAULT_MEMORY (256u << 20)
#define PARSE_STEPS 100000000u

struct mote_template {
	struct jinja parse; /* owns the tree's memory; a rendering only reads it */
	const struct jinja_stmt *body;
	const struct jinja_text **names;
	uint32_t n_names;
	struct jinja_missing missing;
};

struct mote_template_options mote_template_options_default(void)
{
	return (struct mote_template_options){.trim_blocks = true, .lstrip_blocks = true};
}

/* ---- opening ---- */

/* Line ends become \n, and one at the end of the text goes unless it is to be kept. */
static void normalise(struct jinja *j, const char *text, size_t bytes, bool keep_trailing_newline)
{
	char *out = mote_jinja_alloc(j, bytes + 1);
	size_t n = 0;

	for (size_t i = 0; i < bytes; i++) {
		if (text[i] == '\r' && i + 1 < bytes && text[i + 1] == '\n')
			continue;
		out[n++] = text[i] == '\r' ? '\n' : text[i];
	}
	if (!keep_trailing_newline && n && out[n - 1] == '\n')
		n--;
	out[n] = 0;
	j->source = out;
	j->source_bytes = n;
}

static void parse(struct mote_template *t, const char *text, size_t bytes,
		  const struct mote_template_options *options)
{
	struct jinja *j = &t->parse;
	struct jinja_parser *p;
	struct jinja_stmt *body;
	struct jinja_tokens tokens = {0};

	if (bytes > MAX_SOURCE)
		mote_jinja_fail_bare(j, MOTE_ERROR_LIMIT, "template of %zu bytes, at most %u are allowed",
				     bytes, MAX_SOURCE);
	if (mote_utf8_valid(text, bytes) != bytes)
		mote_jinja_fail_bare(j, MOTE_ERROR_CORRUPT, "template is not valid UTF-8");
	normalise(j, text, bytes, options->keep_trailing_newline);
	mote_jinja_lex(j, options->trim_blocks, options->lstrip_blocks, &tokens);
	p = mote_jinja_alloc(j, sizeof *p);
	p->j = j;
	p->t = tokens.tokens;
	t->body = body = mote_jinja_parse(p);
	t->names = p->names;
	t->n_names = p->n_names;
	mote_jinja_analyse(j, body, p->n_names, &t->missing);
}

enum mote_status mote_template_open(const char *text, size_t bytes, const struct mote_template_options *options,
				    struct mote_template **out, struct mote_error *error)
{
	struct mote_template_options defaults = mote_template_options_default();
	struct mote_template *t = calloc(1, sizeof *t);
	struct mote_plain_locale locale;

	*out = NULL;
	if (!t || !mote_plain_locale_begin(&locale)) {
		free(t);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "template: out of memory");
	}
	t->parse.error = error;
	t->parse.library = &mote_jinja_library;
	t->parse.steps = PARSE_STEPS;
	t->parse.memory = DEFAULT_MEMORY;
	if (setjmp(t->parse.unwind)) {
		enum mote_status status = t->parse.status;

		mote_plain_locale_end(&locale);
		mote_template_close(t);
		return status;
	}
	parse(t, text, bytes, options ? options : &defaults);
	mote_plain_locale_end(&locale);
	*out = t;
	return MOTE_OK;
}

void mote_template_close(struct mote_template *t)
{
	if (!t)
		return;
	mote_jinja_free_all(&t->parse);
	free(t);
}

/* ---- context ---- */

/* A tree that was built, not parsed, may hold any bytes: ill-formed parts become U+FFFD, as in the tokenizer. */
static struct jinja_value text_value(struct jinja *j, const char *text, bool plain)
{
	size_t bytes = strlen(text), valid = mote_utf8_valid(text, bytes), bad;
	struct jinja_builder b;

	if (valid == bytes)
		return mote_jinja_string(mote_jinja_text(j, text, bytes, plain));
	for (mote_jinja_begin(&b, j); bytes; valid = mote_utf8_valid(text, bytes)) {
		mote_jinja_put(&b, text, valid, plain);
		text += valid;
		bytes -= valid;
		if (!bytes)
			break;
		mote_utf8_step(text, bytes, &bad);
		mote_jinja_put_string(&b, "\xef\xbf\xbd", plain);
		bad = bad ? bad : bytes;
		text += bad;
		bytes -= bad;
	}
	return mote_jinja_string(mote_jinja_end(&b));
}

static struct jinja_value from_json(struct jinja *j, const cJSON *item, bool plain)
{
	struct jinja_value v = {.kind = JINJA_NONE}, key;
	struct jinja_list *l;
	const cJSON *child;

	mote_jinja_charge(j, 1);
	mote_jinja_enter(j, JINJA_MAX_DEPTH);
	if (cJSON_IsBool(item)) {
		v = mote_jinja_bool(cJSON_IsTrue(item));
	} else if (cJSON_IsNumber(item) && item->valuestring) {
		v = mote_jinja_number(j, item->valuestring, plain);
	} else if (cJSON_IsNumber(item)) { /* a tree that was built, not parsed: integral numbers are integers */
		double x = item->valuedouble;

		v = x > -1e15 && x < 1e15 && x == (double)(int64_t)x ? mote_jinja_int((int64_t)x)
								     : mote_jinja_float(x);
	} else if (cJSON_IsString(item)) {
		v = text_value(j, item->valuestring, plain);
	} else if (cJSON_IsArray(item)) {
		l = mote_jinja_new_list(j, 0);
		cJSON_ArrayForEach(child, item)
			mote_jinja_append(j, l, from_json(j, child, plain));
		v = mote_jinja_list(l);
	} else if (cJSON_IsObject(item)) {
		v = mote_jinja_dict(mote_jinja_new_dict(j));
		cJSON_ArrayForEach(child, item) {
			key = text_value(j, child->string, plain);
			mote_jinja_set(j, v.dict, key, from_json(j, child, plain));
		}
	}
	v.plain = plain;
	j->depth--;
	return v;
}

static bool is_trusted(const char *const *trusted, const char *name)
{
	for (; trusted && *trusted; trusted++)
		if (!strcmp(*trusted, name))
			return true;
	return false;
}

static void bind_context(struct jinja *j, const struct mote_template *t, const cJSON *context,
			 const char *const *trusted)
{
	const cJSON *item;

	j->root = mote_jinja_alloc_array(j, t->n_names, sizeof *j->root);
	mote_jinja_charge(j, (uint64_t)t->n_names * (uint64_t)cJSON_GetArraySize(context) / 8); /* the search below */
	for (uint32_t i = 0; i < t->n_names; i++) {
		item = mote_json_get(context, t->names[i]->at);
		j->root[i] = item ? from_json(j, item, !is_trusted(trusted, t->names[i]->at)) :
				    mote_jinja_global(j, t->names[i]);
	}
	for (uint32_t i = 0; i < t->missing.count; i++)
		j->root[t->missing.names[i]].kind = JINJA_ABSENT;
}

/* ---- rendering ---- */

static void fill_spans(const struct jinja_text *t, struct mote_rendered *out, size_t *n)
{
	size_t begin = 0, end;
	bool plain;

	for (; begin < t->bytes; begin = end, (*n)++) {
		plain = mote_jinja_plain_at(t, begin);
		for (end = begin + 1; end < t->bytes && mote_jinja_plain_at(t, end) == plain; end++)
			;
		if (out)
			out->spans[*n] = (struct mote_text_span){.begin = begin, .end = end, .plain = plain};
	}
}

static void fill_generated(const struct jinja_text *t, struct mote_rendered *out, size_t *n)
{
	size_t begin = 0, end;

	for (; t->map && begin < t->bytes; begin = end) {
		end = begin + 1;
		if (!mote_jinja_generated_at(t, begin))
			continue;
		while (end < t->bytes && mote_jinja_generated_at(t, end))
			end++;
		if (out)
			out->generated[*n] = (struct mote_text_range){.begin = begin, .end = end};
		(*n)++;
	}
}

static enum mote_status export(const struct jinja_text *t, struct mote_rendered *out, struct mote_error *error)
{
	size_t n = 0, n_generated = 0;

	fill_spans(t, NULL, &n);
	fill_generated(t, NULL, &n_generated);
	out->text = malloc(t->bytes + 1);
	out->spans = calloc(n ? n : 1, sizeof *out->spans);
	out->generated = n_generated ? calloc(n_generated, sizeof *out->generated) : NULL;
	if (!out->text || !out->spans || (n_generated && !out->generated)) {
		mote_rendered_free(out);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "template: out of memory");
	}
	if (t->bytes)
		memcpy(out->text, t->at, t->bytes);
	out->text[t->bytes] = 0;
	out->bytes = t->bytes;
	fill_spans(t, out, &out->n_spans);
	fill_generated(t, out, &out->n_generated);
	return MOTE_OK;
}

/* Everything between the setjmp and its jumps, so that no variable of either lives across. */
static enum mote_status render(struct jinja *j, const struct mote_template *t, const cJSON *context,
			       const char *const *trusted, size_t output_bytes, struct mote_rendered *out)
{
	struct jinja_builder builder;

	if (setjmp(j->unwind))
		return j->status;
	bind_context(j, t, context, trusted);
	mote_jinja_begin(&builder, j);
	builder.limit = output_bytes;
	j->out = &builder;
	mote_jinja_run(j, t->body);
	return export(mote_jinja_end(&builder), out, j->error);
}

enum mote_status mote_template_render(const struct mote_template *t, const cJSON *context, const char *const *trusted,
				      const struct mote_template_limits *limits, struct mote_rendered *out,
				      struct mote_error *error)
{
	static const struct mote_template_limits defaults;
	const struct mote_template_limits *l = limits ? limits : &defaults;
	struct jinja *j = calloc(1, sizeof *j);
	struct mote_plain_locale locale;
	enum mote_status status;

	*out = (struct mote_rendered){0};
	if (!j || !mote_plain_locale_begin(&locale)) {
		free(j);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "template: out of memory");
	}
	j->error = error;
	j->library = &mote_jinja_library;
	j->put_object = mote_jinja_put_object;
	j->source = t->parse.source;
	j->source_bytes = t->parse.source_bytes;
	j->names = t->names;
	j->n_names = t->n_names;
	j->steps = l->steps ? l->steps : DEFAULT_STEPS;
	j->memory = l->memory_bytes ? l->memory_bytes : DEFAULT_MEMORY;
	j->now = l->now;
	status = render(j, t, context, trusted, l->output_bytes ? l->output_bytes : DEFAULT_OUTPUT, out);
	mote_plain_locale_end(&locale);
	mote_jinja_free_all(j);
	free(j);
	return status;
}

void mote_rendered_free(struct mote_rendered *r)
{
	free(r->text);
	free(r->spans);
	free(r->generated);
	*r = (struct mote_rendered){0};
}
