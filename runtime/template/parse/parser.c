/* What the parser's files share: tokens looked at and described, variables' names made numbers, nodes of expressions.
 *
 * The parser stands at p->t, and the token list ends with one of type EOF that nobody steps over, so looking at p->t
 * is always allowed, and at p->t[1] unless p->t is that last one. Names are interned: a variable is a number from
 * here on, an index into the template's names.
 */
#include "runtime/template/parse/parser.h"

#include <stdarg.h>
#include <stdio.h>

#define MAX_HEIGHT 400u /* of an expression, chains included */

_Noreturn void mote_jinja_syntax(struct jinja_parser *p, const struct jinja_token *t, const char *format, ...)
{
	char message[400];
	va_list list;

	va_start(list, format);
	vsnprintf(message, sizeof message, format, list);
	va_end(list);
	p->j->at = t->at;
	mote_jinja_fail(p->j, MOTE_ERROR_CORRUPT, "%s", message);
}

const struct jinja_text *mote_jinja_token_text(struct jinja_parser *p, const struct jinja_token *t)
{
	return mote_jinja_text(p->j, p->j->source + t->at, t->end - t->at, false);
}

void mote_jinja_describe(const struct jinja_parser *p, const struct jinja_token *t, char out[64])
{
	size_t n = t->end - t->at;
	const char *more = "";

	if (t->type == JINJA_T_EOF || t->type == JINJA_T_DATA) {
		snprintf(out, 64, "%s", t->type == JINJA_T_EOF ? "end of template" : "template text");
		return;
	}
	if (n > 40) {
		n = 40;
		while (((unsigned char)p->j->source[t->at + n] & 0xc0) == 0x80)
			n--;
		more = "...";
	}
	snprintf(out, 64, "'%.*s%s'", (int)n, p->j->source + t->at, more);
}

bool mote_jinja_skip(struct jinja_parser *p, enum jinja_token_type type)
{
	if (p->t->type != type)
		return false;
	p->t++;
	return true;
}

void mote_jinja_expect(struct jinja_parser *p, enum jinja_token_type type)
{
	static const char *const names[] = {
		"end of template", "template text", "'{{'", "'}}'", "'{%'", "'%}'", "a name", "a string",
		"an integer", "a float", "'+'", "'-'", "'/'", "'//'", "'*'", "'%'", "'**'", "'~'", "'['",
		"']'", "'('", "')'", "'{'", "'}'", "'=='", "'!='", "'>'", "'>='", "'<'", "'<='", "'='", "'.'",
		"':'", "'|'", "','", "';'"
	};
	char found[64];

	if (p->t->type == type) {
		p->t++;
		return;
	}
	mote_jinja_describe(p, p->t, found);
	mote_jinja_syntax(p, p->t, "expected %s, got %s", names[type], found);
}

bool mote_jinja_at_name(const struct jinja_parser *p, const struct jinja_token *t, const char *name)
{
	return t->type == JINJA_T_NAME && strlen(name) == t->end - t->at &&
	       !memcmp(p->j->source + t->at, name, t->end - t->at);
}

void mote_jinja_expect_name(struct jinja_parser *p, const char *name)
{
	char found[64];

	if (mote_jinja_at_name(p, p->t, name)) {
		p->t++;
		return;
	}
	mote_jinja_describe(p, p->t, found);
	mote_jinja_syntax(p, p->t, "expected '%s', got %s", name, found);
}

/* ---- variables ---- */

static uint32_t name_hash(const char *at, size_t bytes)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < bytes; i++)
		h = (h ^ (unsigned char)at[i]) * 16777619u;
	return h;
}

static void grow_names(struct jinja_parser *p)
{
	const struct jinja_text **grown;
	uint32_t slot;

	p->names_capacity = p->names_capacity ? p->names_capacity * 2 : 64;
	grown = mote_jinja_alloc_array(p->j, p->names_capacity, sizeof *grown);
	if (p->n_names)
		memcpy(grown, p->names, p->n_names * sizeof *grown);
	p->names = grown;
	p->n_name_slots = p->names_capacity * 2;
	p->name_slots = mote_jinja_alloc_array(p->j, p->n_name_slots, sizeof *p->name_slots);
	for (uint32_t i = 0; i < p->n_names; i++) {
		slot = name_hash(grown[i]->at, grown[i]->bytes) & (p->n_name_slots - 1);
		while (p->name_slots[slot])
			slot = (slot + 1) & (p->n_name_slots - 1);
		p->name_slots[slot] = i + 1;
	}
}

uint32_t mote_jinja_intern(struct jinja_parser *p, const char *at, size_t bytes)
{
	uint32_t slot, found;

	if (p->n_names == p->names_capacity)
		grow_names(p);
	slot = name_hash(at, bytes) & (p->n_name_slots - 1);
	while ((found = p->name_slots[slot])) {
		mote_jinja_charge(p->j, 1);
		if (p->names[found - 1]->bytes == bytes && !memcmp(p->names[found - 1]->at, at, bytes))
			return found - 1;
		slot = (slot + 1) & (p->n_name_slots - 1);
	}
	p->names[p->n_names] = mote_jinja_text(p->j, at, bytes, false);
	p->name_slots[slot] = ++p->n_names;
	return p->n_names - 1;
}

/* A macro gets caller, varargs and kwargs only where its body reads them before it assigns to them. */
void mote_jinja_note_name(struct jinja_parser *p, uint32_t name, bool load)
{
	struct jinja_enclosing *e;
	bool *hidden, *used;

	if (name != JINJA_NAME_CALLER && name != JINJA_NAME_VARARGS && name != JINJA_NAME_KWARGS)
		return;
	for (e = p->enclosing; e; e = e->outer) {
		if (!e->signature)
			continue;
		hidden = name == JINJA_NAME_CALLER ? &e->caller_hidden :
			 name == JINJA_NAME_VARARGS ? &e->varargs_hidden : &e->kwargs_hidden;
		used = name == JINJA_NAME_CALLER ? &e->signature->uses_caller :
		       name == JINJA_NAME_VARARGS ? &e->signature->uses_varargs : &e->signature->uses_kwargs;
		if (!load)
			*hidden = true;
		else if (!*hidden)
			*used = true;
	}
}

/* ---- nodes ---- */

struct jinja_expr *mote_jinja_new_expr(struct jinja_parser *p, int op, uint32_t at)
{
	struct jinja_expr *e = mote_jinja_alloc(p->j, sizeof *e);

	e->op = (uint8_t)op;
	e->at = at;
	e->height = 1;
	return e;
}

/* Chains like a.b.c or x|f|g are trees as high as they are long: bounds the recursion over them. */
void mote_jinja_grow(struct jinja_parser *p, struct jinja_expr *e, const struct jinja_expr *child)
{
	if (!child || child->height < e->height)
		return;
	if (child->height >= MAX_HEIGHT) {
		p->j->at = e->at;
		mote_jinja_fail(p->j, MOTE_ERROR_LIMIT, "expression nested deeper than %u", MAX_HEIGHT);
	}
	e->height = (uint16_t)(child->height + 1);
}

struct jinja_expr *mote_jinja_unary(struct jinja_parser *p, int op, uint32_t at, struct jinja_expr *a)
{
	struct jinja_expr *e = mote_jinja_new_expr(p, op, at);

	e->a = a;
	mote_jinja_grow(p, e, a);
	return e;
}

struct jinja_expr *mote_jinja_binary(struct jinja_parser *p, int op, uint32_t at, struct jinja_expr *a,
				 struct jinja_expr *b)
{
	struct jinja_expr *e = mote_jinja_unary(p, op, at, a);

	e->b = b;
	mote_jinja_grow(p, e, b);
	return e;
}

void mote_jinja_push(struct jinja_parser *p, struct jinja_children *c, struct jinja_expr *e)
{
	struct jinja_expr **grown;

	if (c->count == c->capacity) {
		c->capacity = c->capacity ? c->capacity * 2 : 4;
		grown = mote_jinja_alloc_array(p->j, c->capacity, sizeof *grown);
		if (c->count)
			memcpy(grown, c->at, c->count * sizeof *grown);
		c->at = grown;
	}
	c->at[c->count++] = e;
}

struct jinja_expr *mote_jinja_with_children(struct jinja_parser *p, struct jinja_expr *e,
					    const struct jinja_children *c)
{
	e->list = c->at;
	e->n_list = c->count;
	for (uint32_t i = 0; i < c->count; i++)
		mote_jinja_grow(p, e, c->at[i]);
	return e;
}
