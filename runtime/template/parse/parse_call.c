/* Calls, filters and tests: what takes arguments. See parse_expression.c for how deep these functions call each
 * other, and where each begins and ends. */
#include "runtime/template/parse/parser.h"

static struct jinja_call_args *parse_args(struct jinja_parser *p, struct jinja_expr *owner)
{
	struct jinja_call_args *args = mote_jinja_alloc(p->j, sizeof *args);
	const struct jinja_token *open = p->t;
	struct jinja_children values = {0}, keywords = {0};
	const struct jinja_text **names;
	struct jinja_expr *value;
	bool valid = true;

	mote_jinja_expect(p, JINJA_T_LPAREN);
	while (p->t->type != JINJA_T_RPAREN) {
		if (p->t != open + 1) {
			mote_jinja_expect(p, JINJA_T_COMMA);
			if (p->t->type == JINJA_T_RPAREN)
				break;
		}
		if (mote_jinja_skip(p, JINJA_T_MUL)) {
			valid = !args->star && !args->star_star;
			value = args->star = mote_jinja_parse_expression(p, true);
		} else if (mote_jinja_skip(p, JINJA_T_POW)) {
			valid = !args->star_star;
			value = args->star_star = mote_jinja_parse_expression(p, true);
		} else if (p->t->type == JINJA_T_NAME && p->t[1].type == JINJA_T_ASSIGN) {
			const struct jinja_token *name = p->t;

			valid = !args->star_star;
			p->t += 2;
			value = mote_jinja_parse_expression(p, true);
			if (!(keywords.count & (keywords.count - 1))) { /* 0, 1, 2, 4, ...: room for twice as many */
				names = mote_jinja_alloc_array(p->j, keywords.count ? 2 * keywords.count : 1,
							       sizeof *names);
				if (keywords.count)
					memcpy(names, args->keyword_names, keywords.count * sizeof *names);
				args->keyword_names = names;
			}
			args->keyword_names[keywords.count] = mote_jinja_token_text(p, name);
			for (uint32_t i = 0; i < keywords.count; i++)
				if (args->keyword_names[i]->bytes == name->end - name->at &&
				    !memcmp(args->keyword_names[i]->at, p->j->source + name->at,
					    name->end - name->at))
					mote_jinja_syntax(p, name, "keyword argument repeated");
			mote_jinja_charge(p->j, keywords.count);
			mote_jinja_push(p, &keywords, value);
		} else {
			valid = !args->star && !args->star_star && !keywords.count;
			value = mote_jinja_parse_expression(p, true);
			mote_jinja_push(p, &values, value);
		}
		if (!valid)
			mote_jinja_syntax(p, open, "invalid syntax for function call expression");
		mote_jinja_grow(p, owner, value);
	}
	mote_jinja_expect(p, JINJA_T_RPAREN);
	args->values = values.at;
	args->count = values.count;
	args->keywords = keywords.at;
	args->n_keywords = keywords.count;
	return args;
}

struct jinja_expr *mote_jinja_parse_call(struct jinja_parser *p, struct jinja_expr *callee)
{
	struct jinja_expr *e = mote_jinja_unary(p, JINJA_CALL, p->t->at, callee);

	e->args = parse_args(p, e);
	return e;
}

/* A filter's or test's name, dots included. */
static struct jinja_value parse_builtin_name(struct jinja_parser *p)
{
	const struct jinja_token *first = p->t;
	struct jinja_builder b;

	mote_jinja_expect(p, JINJA_T_NAME);
	mote_jinja_begin(&b, p->j);
	mote_jinja_put(&b, p->j->source + first->at, first->end - first->at, false);
	while (mote_jinja_skip(p, JINJA_T_DOT)) {
		mote_jinja_put(&b, ".", 1, false);
		mote_jinja_put(&b, p->j->source + p->t->at, p->t->end - p->t->at, false);
		mote_jinja_expect(p, JINJA_T_NAME);
	}
	return mote_jinja_string(mote_jinja_text(p->j, b.at, b.bytes, false));
}

static void note_unknown(struct jinja_parser *p, const struct jinja_expr *e)
{
	if (!e->builtin && !p->unknown && !p->soft)
		p->unknown = e;
}

struct jinja_expr *mote_jinja_parse_filters(struct jinja_parser *p, struct jinja_expr *node, bool inline_first)
{
	struct jinja_expr *e;

	while (inline_first || p->t->type == JINJA_T_PIPE) {
		if (!inline_first)
			p->t++;
		inline_first = false;
		e = mote_jinja_unary(p, JINJA_FILTER, p->t->at, node);
		e->value = parse_builtin_name(p);
		e->builtin = p->j->library->find_filter(e->value.text->at, e->value.text->bytes);
		note_unknown(p, e);
		if (p->t->type == JINJA_T_LPAREN)
			e->args = parse_args(p, e);
		node = e;
	}
	return node;
}

struct jinja_expr *mote_jinja_parse_test(struct jinja_parser *p, struct jinja_expr *node)
{
	const struct jinja_token *start = p->t++;
	struct jinja_expr *e = mote_jinja_unary(p, JINJA_TEST, start->at, node);
	struct jinja_call_args *args;
	bool negated = mote_jinja_at_name(p, p->t, "not");

	if (negated)
		p->t++;
	e->value = parse_builtin_name(p);
	e->builtin = p->j->library->find_test(e->value.text->at, e->value.text->bytes);
	note_unknown(p, e);
	switch (p->t->type) {
	case JINJA_T_LPAREN:
		e->args = parse_args(p, e);
		break;
	case JINJA_T_NAME:
		if (mote_jinja_at_name(p, p->t, "else") || mote_jinja_at_name(p, p->t, "or") ||
		    mote_jinja_at_name(p, p->t, "and"))
			break;
		if (mote_jinja_at_name(p, p->t, "is"))
			mote_jinja_syntax(p, p->t, "You cannot chain multiple tests with is");
		/* fall through */
	case JINJA_T_STRING:
	case JINJA_T_INTEGER:
	case JINJA_T_FLOAT:
	case JINJA_T_LBRACKET:
	case JINJA_T_LBRACE:
		args = mote_jinja_alloc(p->j, sizeof *args);
		args->values = mote_jinja_alloc_array(p->j, 1, sizeof *args->values);
		args->values[0] = mote_jinja_parse_operand(p);
		args->count = 1;
		mote_jinja_grow(p, e, args->values[0]);
		e->args = args;
		break;
	default:
		break;
	}
	return negated ? mote_jinja_unary(p, JINJA_NOT, start->at, e) : e;
}
