/* Statements: what stands between {% and %}, and the data and expressions around it. One function a tag, which begins
 * at the tag's name and ends before its closing %}.
 *
 * Left out, by name: template inheritance and inclusion (a chat template is one file), autoescape.
 */
#include "runtime/template/parse/parser.h"

static struct jinja_stmt *parse_body(struct jinja_parser *p, const char *const *ends, const char *tag, uint32_t at);

/* ---- variables ---- */

static void check_target(struct jinja_parser *p, const struct jinja_expr *e)
{
	p->j->at = e->at;
	if (e->op == JINJA_NAME) {
		for (const struct jinja_enclosing *in = p->enclosing; in; in = in->outer)
			if (in->captures && e->name == JINJA_NAME_LOOP)
				mote_jinja_fail(p->j, MOTE_ERROR_CORRUPT,
						"can't assign to the special variable 'loop'");
		mote_jinja_note_name(p, e->name, false);
	} else if (e->op == JINJA_MAKE_TUPLE) {
		for (uint32_t i = 0; i < e->n_list; i++)
			check_target(p, e->list[i]);
	} else if (e->op != JINJA_NAMESPACE_TARGET) {
		mote_jinja_fail(p->j, MOTE_ERROR_CORRUPT, "can't assign to this expression");
	}
}

static struct jinja_expr *parse_assign_target(struct jinja_parser *p, const char *end_name, bool with_namespace)
{
	bool outer = p->namespace_targets;
	struct jinja_expr *e;

	p->namespace_targets = with_namespace;
	e = mote_jinja_parse_tuple(p, true, true, end_name, false);
	p->namespace_targets = outer;
	check_target(p, e);
	return e;
}

uint32_t mote_jinja_parse_plain_name(struct jinja_parser *p)
{
	const struct jinja_token *t = p->t;
	uint32_t name;

	mote_jinja_expect(p, JINJA_T_NAME);
	name = mote_jinja_intern(p, p->j->source + t->at, t->end - t->at);
	if (mote_jinja_at_name(p, t, "true") || mote_jinja_at_name(p, t, "false") ||
	    mote_jinja_at_name(p, t, "none") || mote_jinja_at_name(p, t, "True") ||
	    mote_jinja_at_name(p, t, "False") || mote_jinja_at_name(p, t, "None"))
		mote_jinja_syntax(p, t, "can't assign to a constant");
	mote_jinja_note_name(p, name, false);
	return name;
}

/* ---- statements ---- */

struct jinja_stmt *mote_jinja_new_stmt(struct jinja_parser *p, enum jinja_statement op, uint32_t at)
{
	struct jinja_stmt *s = mote_jinja_alloc(p->j, sizeof *s);

	s->op = (uint8_t)op;
	s->at = at;
	return s;
}

struct jinja_stmt *mote_jinja_parse_scoped(struct jinja_parser *p, const char *const *ends, const char *tag,
					   uint32_t at)
{
	bool soft = p->soft;
	struct jinja_stmt *body;

	p->soft = false;
	body = parse_body(p, ends, tag, at);
	p->soft = soft;
	return body;
}

static struct jinja_stmt *parse_for(struct jinja_parser *p)
{
	static const char *const ends[] = {"endfor", "else", NULL}, *const last[] = {"endfor", NULL};
	struct jinja_stmt *s = mote_jinja_new_stmt(p, JINJA_FOR, p->t++->at);
	struct jinja_enclosing here = {.outer = p->enclosing, .captures = &s->captures};

	p->enclosing = &here;
	s->target = parse_assign_target(p, "in", false);
	p->enclosing = here.outer;
	mote_jinja_expect_name(p, "in");
	s->expr = mote_jinja_parse_tuple(p, false, false, "recursive", false);
	if (mote_jinja_at_name(p, p->t, "if")) {
		p->t++;
		s->test = mote_jinja_parse_expression(p, true);
	}
	if (mote_jinja_at_name(p, p->t, "recursive")) {
		p->t++;
		s->recursive = s->captures = true;
	}
	p->enclosing = &here;
	s->body = mote_jinja_parse_scoped(p, ends, "for", s->at);
	p->enclosing = here.outer;
	if (mote_jinja_at_name(p, p->t++, "else")) {
		s->orelse = mote_jinja_parse_scoped(p, last, "for", s->at);
		p->t++;
	}
	return s;
}

static struct jinja_stmt *parse_if(struct jinja_parser *p)
{
	static const char *const ends[] = {"elif", "else", "endif", NULL}, *const last[] = {"endif", NULL};
	struct jinja_stmt *first = NULL, *s = NULL, *next;
	uint32_t at = p->t->at;
	bool soft = p->soft;

	do {
		next = mote_jinja_new_stmt(p, JINJA_IF, p->t++->at);
		next->is_elif = s != NULL;
		if (s)
			s->orelse = next;
		else
			first = next;
		s = next;
		p->soft = true;
		s->expr = mote_jinja_parse_tuple(p, false, false, NULL, false);
		s->body = parse_body(p, ends, "if", at);
	} while (mote_jinja_at_name(p, p->t, "elif"));
	if (mote_jinja_at_name(p, p->t++, "else")) {
		s->orelse = parse_body(p, last, "if", at);
		p->t++;
	}
	p->soft = soft;
	return first;
}

static struct jinja_stmt *parse_set(struct jinja_parser *p)
{
	static const char *const ends[] = {"endset", NULL};
	struct jinja_stmt *s = mote_jinja_new_stmt(p, JINJA_SET, p->t++->at);

	s->target = parse_assign_target(p, NULL, true);
	if (mote_jinja_skip(p, JINJA_T_ASSIGN)) {
		s->expr = mote_jinja_parse_tuple(p, false, true, NULL, false);
		return s;
	}
	s->op = JINJA_SET_BLOCK;
	s->expr = mote_jinja_parse_filters(p, NULL, false);
	s->body = mote_jinja_parse_scoped(p, ends, "set", s->at);
	p->t++;
	return s;
}

static struct jinja_stmt *parse_filter_block(struct jinja_parser *p)
{
	static const char *const ends[] = {"endfilter", NULL};
	struct jinja_stmt *s = mote_jinja_new_stmt(p, JINJA_FILTER_BLOCK, p->t++->at);

	s->expr = mote_jinja_parse_filters(p, NULL, true);
	s->body = mote_jinja_parse_scoped(p, ends, "filter", s->at);
	p->t++;
	return s;
}

static struct jinja_stmt *parse_with(struct jinja_parser *p)
{
	static const char *const ends[] = {"endwith", NULL};
	struct jinja_stmt *s = mote_jinja_new_stmt(p, JINJA_WITH, p->t++->at);
	struct jinja_expr **targets, **values;

	while (p->t->type != JINJA_T_BLOCK_END) {
		if (s->n_list)
			mote_jinja_expect(p, JINJA_T_COMMA);
		if (!(s->n_list & (s->n_list - 1))) {
			targets = mote_jinja_alloc_array(p->j, s->n_list ? 2 * s->n_list : 1, sizeof *targets);
			values = mote_jinja_alloc_array(p->j, s->n_list ? 2 * s->n_list : 1, sizeof *values);
			if (s->n_list) {
				memcpy(targets, s->targets, s->n_list * sizeof *targets);
				memcpy(values, s->values, s->n_list * sizeof *values);
			}
			s->targets = targets;
			s->values = values;
		}
		s->targets[s->n_list] = parse_assign_target(p, NULL, false);
		mote_jinja_expect(p, JINJA_T_ASSIGN);
		s->values[s->n_list++] = mote_jinja_parse_expression(p, true);
	}
	s->body = mote_jinja_parse_scoped(p, ends, "with", s->at);
	p->t++;
	return s;
}

static struct jinja_stmt *parse_print(struct jinja_parser *p)
{
	struct jinja_stmt *first = NULL, **link = &first;

	p->t++;
	while (p->t->type != JINJA_T_BLOCK_END) {
		if (first)
			mote_jinja_expect(p, JINJA_T_COMMA);
		*link = mote_jinja_new_stmt(p, JINJA_OUTPUT, p->t->at);
		(*link)->expr = mote_jinja_parse_expression(p, true);
		link = &(*link)->next;
	}
	return first;
}

static struct jinja_stmt *parse_jump(struct jinja_parser *p)
{
	bool is_break = mote_jinja_at_name(p, p->t, "break");

	/* A macro's body is a function of its own, and no loop. */
	if (!p->enclosing || p->enclosing->signature)
		mote_jinja_syntax(p, p->t, "'%s' outside of a loop", is_break ? "break" : "continue");
	return mote_jinja_new_stmt(p, is_break ? JINJA_BREAK : JINJA_CONTINUE, p->t++->at);
}

static struct jinja_stmt *parse_statement(struct jinja_parser *p)
{
	static const struct {
		const char *name;
		struct jinja_stmt *(*parse)(struct jinja_parser *p);
	} tags[] = {
		{"if", parse_if}, {"for", parse_for}, {"set", parse_set}, {"macro", mote_jinja_parse_macro},
		{"call", mote_jinja_parse_call_block}, {"filter", parse_filter_block}, {"with", parse_with},
		{"generation", mote_jinja_parse_generation}, {"break", parse_jump}, {"continue", parse_jump},
		{"print", parse_print},
	};
	static const char *const left_out[] = {"autoescape", "block", "extends", "import", "include", "from"};
	char found[64];

	if (p->t->type != JINJA_T_NAME)
		mote_jinja_syntax(p, p->t, "tag name expected");
	for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
		if (mote_jinja_at_name(p, p->t, tags[i].name))
			return tags[i].parse(p);
	p->j->at = p->t->at;
	for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++)
		if (mote_jinja_at_name(p, p->t, left_out[i]))
			mote_jinja_fail(p->j, MOTE_ERROR_UNSUPPORTED, "tag '%s' is not supported", left_out[i]);
	mote_jinja_describe(p, p->t, found);
	if (p->innermost)
		mote_jinja_syntax(p, p->t, "unknown tag %s; looking for %s to close '%s'", found,
				  p->waiting_for, p->innermost);
	mote_jinja_syntax(p, p->t, "unknown tag %s", found);
}

/* Statements up to one of the end tags, at whose name the parser then stands, or to the end (ends NULL). */
static struct jinja_stmt *parse_statements(struct jinja_parser *p, const char *const *ends)
{
	struct jinja_stmt *first = NULL, **link = &first;

	for (;;) {
		switch (p->t->type) {
		case JINJA_T_EOF:
			return first;
		case JINJA_T_DATA:
			*link = mote_jinja_new_stmt(p, JINJA_DATA, p->t->at);
			(*link)->data = mote_jinja_text(p->j, p->j->source + p->t->at, p->t->end - p->t->at, false);
			p->t++;
			break;
		case JINJA_T_VARIABLE_BEGIN:
			p->t++;
			*link = mote_jinja_new_stmt(p, JINJA_OUTPUT, p->t->at);
			(*link)->expr = mote_jinja_parse_tuple(p, false, true, NULL, false);
			mote_jinja_expect(p, JINJA_T_VARIABLE_END);
			break;
		default: /* block begin */
			p->t++;
			for (size_t i = 0; ends && ends[i]; i++)
				if (mote_jinja_at_name(p, p->t, ends[i]))
					return first;
			*link = parse_statement(p);
			mote_jinja_expect(p, JINJA_T_BLOCK_END);
			break;
		}
		if (p->unknown) {
			p->j->at = p->unknown->at;
			mote_jinja_fail(p->j, MOTE_ERROR_CORRUPT, "no %s named '%s'",
					p->unknown->op == JINJA_FILTER ? "filter" : "test",
					p->unknown->value.text->at);
		}
		while (*link)
			link = &(*link)->next;
	}
}

static struct jinja_stmt *parse_body(struct jinja_parser *p, const char *const *ends, const char *tag, uint32_t at)
{
	const char *innermost = p->innermost, *waiting_for = p->waiting_for;
	struct jinja_stmt *body;

	mote_jinja_enter(p->j, JINJA_MAX_NESTING);
	mote_jinja_skip(p, JINJA_T_COLON); /* allowed, as in Python */
	mote_jinja_expect(p, JINJA_T_BLOCK_END);
	p->innermost = tag;
	p->waiting_for = ends[0];
	body = parse_statements(p, ends);
	if (p->t->type == JINJA_T_EOF) {
		p->j->at = at;
		mote_jinja_fail(p->j, MOTE_ERROR_CORRUPT, "unexpected end of template: '%s' is not closed", tag);
	}
	p->innermost = innermost;
	p->waiting_for = waiting_for;
	p->j->depth--;
	return body;
}

struct jinja_stmt *mote_jinja_parse(struct jinja_parser *p)
{
	static const char *const special[] = {"loop", "caller", "varargs", "kwargs"};

	for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
		mote_jinja_intern(p, special[i], strlen(special[i]));
	return parse_statements(p, NULL);
}
