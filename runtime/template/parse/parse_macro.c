/* Macros, call blocks and {% generation %}: bodies that are called. */
#include "runtime/template/parse/parser.h"

static void parse_signature(struct jinja_parser *p, struct jinja_signature *out)
{
	struct jinja_expr **defaults;
	uint32_t *names;
	bool any_default = false;

	mote_jinja_expect(p, JINJA_T_LPAREN);
	while (p->t->type != JINJA_T_RPAREN) {
		if (out->count)
			mote_jinja_expect(p, JINJA_T_COMMA);
		if (!(out->count & (out->count - 1))) {
			names = mote_jinja_alloc_array(p->j, out->count ? 2 * out->count : 1, sizeof *names);
			defaults = mote_jinja_alloc_array(p->j, out->count ? 2 * out->count : 1, sizeof *defaults);
			if (out->count) {
				memcpy(names, out->names, out->count * sizeof *names);
				memcpy(defaults, out->defaults, out->count * sizeof *defaults);
			}
			out->names = names;
			out->defaults = defaults;
		}
		out->names[out->count] = mote_jinja_parse_plain_name(p);
		mote_jinja_charge(p->j, out->count);
		for (uint32_t i = 0; i < out->count; i++)
			if (out->names[i] == out->names[out->count])
				mote_jinja_syntax(p, p->t - 1, "duplicate argument in a definition");
		if (mote_jinja_skip(p, JINJA_T_ASSIGN)) {
			out->defaults[out->count] = mote_jinja_parse_expression(p, true);
			any_default = true;
		} else if (any_default) {
			mote_jinja_syntax(p, p->t, "non-default argument follows default argument");
		}
		out->count++;
	}
	p->t++;
}

static struct jinja_stmt *parse_macro_body(struct jinja_parser *p, const char *const *ends, const char *tag,
					   struct jinja_stmt *s)
{
	struct jinja_enclosing here = {.outer = p->enclosing, .signature = &s->signature};
	struct jinja_enclosing *e;

	for (e = p->enclosing; e; e = e->outer)
		if (e->captures)
			*e->captures = true;
	p->enclosing = &here;
	s->body = mote_jinja_parse_scoped(p, ends, tag, s->at);
	p->enclosing = here.outer;
	p->t++;
	for (uint32_t i = 0; i < s->signature.count; i++) {
		if (s->signature.names[i] == JINJA_NAME_VARARGS)
			s->signature.uses_varargs = false;
		if (s->signature.names[i] == JINJA_NAME_KWARGS)
			s->signature.uses_kwargs = false;
		if (s->signature.names[i] != JINJA_NAME_CALLER || !s->signature.uses_caller)
			continue;
		if (!s->signature.defaults[i]) {
			p->j->at = s->at;
			mote_jinja_fail(p->j, MOTE_ERROR_CORRUPT,
					"the special argument \"caller\" must be omitted or be given a default");
		}
		s->signature.uses_caller = false; /* an argument like others */
	}
	return s;
}

struct jinja_stmt *mote_jinja_parse_macro(struct jinja_parser *p)
{
	static const char *const ends[] = {"endmacro", NULL};
	struct jinja_stmt *s = mote_jinja_new_stmt(p, JINJA_MACRO_DEF, p->t++->at);

	s->name = mote_jinja_parse_plain_name(p);
	parse_signature(p, &s->signature);
	return parse_macro_body(p, ends, "macro", s);
}

struct jinja_stmt *mote_jinja_parse_call_block(struct jinja_parser *p)
{
	static const char *const ends[] = {"endcall", NULL};
	struct jinja_stmt *s = mote_jinja_new_stmt(p, JINJA_CALL_BLOCK, p->t->at);
	const struct jinja_token *start = p->t++;

	if (p->t->type == JINJA_T_LPAREN)
		parse_signature(p, &s->signature);
	s->expr = mote_jinja_parse_expression(p, true);
	if (s->expr->op != JINJA_CALL)
		mote_jinja_syntax(p, start, "expected call");
	return parse_macro_body(p, ends, "call", s);
}

/* transformers' tag around an assistant's answer: a call block whose caller is called at once. */
struct jinja_stmt *mote_jinja_parse_generation(struct jinja_parser *p)
{
	static const char *const ends[] = {"endgeneration", NULL};
	struct jinja_stmt *s = mote_jinja_new_stmt(p, JINJA_GENERATION, p->t++->at);

	return parse_macro_body(p, ends, "generation", s);
}
