/* Expressions up to the unary operators: primaries, and what follows them (attributes, subscripts). Calls, filters and
 * tests are in parse_call.c, the operators in parse_operator.c; each needs the others, because an expression in
 * parentheses is a primary.
 *
 * Every function begins at its first token and ends at the first that is not its own. How deep they call each other
 * is bounded by mote_jinja_enter(), how high the tree grows by mote_jinja_grow().
 */
#include "runtime/template/parse/parser.h"

static struct jinja_expr *constant(struct jinja_parser *p, uint32_t at, struct jinja_value v)
{
	struct jinja_expr *e = mote_jinja_new_expr(p, JINJA_CONST, at);

	e->value = v;
	return e;
}

static struct jinja_value parse_number(struct jinja_parser *p, const struct jinja_token *t)
{
	char *digits = mote_jinja_alloc(p->j, t->end - t->at + 1);
	struct jinja_value v;
	size_t n = 0;
	double x;

	for (uint32_t i = t->at; i < t->end; i++)
		if (p->j->source[i] != '_')
			digits[n++] = p->j->source[i];
	if (t->type == JINJA_T_FLOAT && mote_jinja_parse_float(p->j, digits, n, &x))
		return mote_jinja_float(x);
	if (t->type == JINJA_T_INTEGER && mote_jinja_parse_int(p->j, digits, n, 0, &v))
		return v;
	mote_jinja_syntax(p, t, "invalid number");
}

static struct jinja_expr *parse_name(struct jinja_parser *p)
{
	const struct jinja_token *t = p->t++;
	struct jinja_expr *e;

	if (mote_jinja_at_name(p, t, "true") || mote_jinja_at_name(p, t, "True"))
		return constant(p, t->at, mote_jinja_bool(true));
	if (mote_jinja_at_name(p, t, "false") || mote_jinja_at_name(p, t, "False"))
		return constant(p, t->at, mote_jinja_bool(false));
	if (mote_jinja_at_name(p, t, "none") || mote_jinja_at_name(p, t, "None"))
		return constant(p, t->at, mote_jinja_none());
	e = mote_jinja_new_expr(p, JINJA_NAME, t->at);
	e->name = mote_jinja_intern(p, p->j->source + t->at, t->end - t->at);
	return e;
}

static struct jinja_expr *parse_strings(struct jinja_parser *p)
{
	uint32_t at = p->t->at;
	const struct jinja_text *t = mote_jinja_unescape(p->j, p->t->at + 1, p->t->end - 1);
	struct jinja_builder b;

	p->t++;
	if (p->t->type == JINJA_T_STRING) {
		mote_jinja_begin(&b, p->j);
		mote_jinja_put_text(&b, t);
		for (; p->t->type == JINJA_T_STRING; p->t++)
			mote_jinja_put_text(&b, mote_jinja_unescape(p->j, p->t->at + 1, p->t->end - 1));
		t = mote_jinja_end(&b);
		mote_jinja_chars(p->j, t);
	}
	return constant(p, at, mote_jinja_string(t));
}

static struct jinja_expr *parse_list(struct jinja_parser *p)
{
	struct jinja_expr *e = mote_jinja_new_expr(p, JINJA_MAKE_LIST, p->t->at);
	struct jinja_children items = {0};

	p->t++;
	while (p->t->type != JINJA_T_RBRACKET) {
		if (items.count)
			mote_jinja_expect(p, JINJA_T_COMMA);
		if (p->t->type == JINJA_T_RBRACKET)
			break;
		mote_jinja_push(p, &items, mote_jinja_parse_expression(p, true));
	}
	mote_jinja_expect(p, JINJA_T_RBRACKET);
	return mote_jinja_with_children(p, e, &items);
}

static struct jinja_expr *parse_dict(struct jinja_parser *p)
{
	struct jinja_expr *e = mote_jinja_new_expr(p, JINJA_MAKE_DICT, p->t->at);
	struct jinja_children items = {0};

	p->t++;
	while (p->t->type != JINJA_T_RBRACE) {
		if (items.count)
			mote_jinja_expect(p, JINJA_T_COMMA);
		if (p->t->type == JINJA_T_RBRACE)
			break;
		mote_jinja_push(p, &items, mote_jinja_parse_expression(p, true));
		mote_jinja_expect(p, JINJA_T_COLON);
		mote_jinja_push(p, &items, mote_jinja_parse_expression(p, true));
	}
	mote_jinja_expect(p, JINJA_T_RBRACE);
	return mote_jinja_with_children(p, e, &items);
}

static struct jinja_expr *parse_primary(struct jinja_parser *p)
{
	const struct jinja_token *t = p->t;
	struct jinja_expr *e;
	char found[64];

	p->j->at = t->at;
	switch (t->type) {
	case JINJA_T_NAME:
		e = parse_name(p);
		if (e->op == JINJA_NAME)
			mote_jinja_note_name(p, e->name, true);
		return e;
	case JINJA_T_STRING:
		return parse_strings(p);
	case JINJA_T_INTEGER:
	case JINJA_T_FLOAT:
		p->t++;
		return constant(p, t->at, parse_number(p, t));
	case JINJA_T_LPAREN:
		p->t++;
		e = mote_jinja_parse_tuple(p, false, true, NULL, true);
		mote_jinja_expect(p, JINJA_T_RPAREN);
		return e;
	case JINJA_T_LBRACKET:
		return parse_list(p);
	case JINJA_T_LBRACE:
		return parse_dict(p);
	default:
		mote_jinja_describe(p, t, found);
		mote_jinja_syntax(p, t, "unexpected %s", found);
	}
}

/* One subscript, its bracket open: an expression, or a slice when a colon comes up. */
static struct jinja_expr *parse_subscribed(struct jinja_parser *p, struct jinja_expr *object)
{
	struct jinja_expr *e, *parts[3] = {0};
	uint32_t at = p->t->at;

	if (p->t->type != JINJA_T_COLON)
		parts[0] = mote_jinja_parse_expression(p, true);
	if (p->t->type != JINJA_T_COLON)
		return parts[0];
	for (int i = 1; i < 3 && mote_jinja_skip(p, JINJA_T_COLON); i++)
		if (p->t->type != JINJA_T_COLON && p->t->type != JINJA_T_RBRACKET && p->t->type != JINJA_T_COMMA)
			parts[i] = mote_jinja_parse_expression(p, true);
	if (p->t->type == JINJA_T_COMMA)
		mote_jinja_syntax(p, p->t, "a slice among several subscripts");
	e = mote_jinja_unary(p, JINJA_SLICE, at, object);
	e->b = parts[0];
	e->c = parts[1];
	e->d = parts[2];
	for (int i = 0; i < 3; i++)
		mote_jinja_grow(p, e, parts[i]);
	return e;
}

static struct jinja_expr *parse_subscript(struct jinja_parser *p, struct jinja_expr *node)
{
	const struct jinja_token *open = p->t++, *t = p->t;
	struct jinja_expr *e, *index;
	struct jinja_children several = {0};

	if (open->type == JINJA_T_DOT) {
		p->t++;
		if (t->type == JINJA_T_INTEGER)
			return mote_jinja_binary(p, JINJA_ITEM, open->at, node,
						 constant(p, t->at, parse_number(p, t)));
		if (t->type != JINJA_T_NAME)
			mote_jinja_syntax(p, t, "expected name or number");
		e = mote_jinja_unary(p, JINJA_ATTRIBUTE, t->at, node);
		e->value = mote_jinja_string(mote_jinja_token_text(p, t));
		return e;
	}
	while (p->t->type != JINJA_T_RBRACKET) {
		if (several.count)
			mote_jinja_expect(p, JINJA_T_COMMA);
		index = parse_subscribed(p, node);
		if (index->op == JINJA_SLICE && index->a == node && several.count)
			mote_jinja_syntax(p, t, "a slice among several subscripts");
		mote_jinja_push(p, &several, index);
	}
	mote_jinja_expect(p, JINJA_T_RBRACKET);
	if (several.count == 1 && several.at[0]->op == JINJA_SLICE && several.at[0]->a == node)
		return several.at[0];
	index = several.count == 1 ? several.at[0] :
		mote_jinja_with_children(p, mote_jinja_new_expr(p, JINJA_MAKE_TUPLE, open->at), &several);
	return mote_jinja_binary(p, JINJA_ITEM, open->at, node, index);
}

static struct jinja_expr *parse_postfix(struct jinja_parser *p, struct jinja_expr *node)
{
	for (;;) {
		if (p->t->type == JINJA_T_DOT || p->t->type == JINJA_T_LBRACKET)
			node = parse_subscript(p, node);
		else if (p->t->type == JINJA_T_LPAREN)
			node = mote_jinja_parse_call(p, node);
		else
			return node;
	}
}

struct jinja_expr *mote_jinja_parse_operand(struct jinja_parser *p)
{
	return parse_postfix(p, parse_primary(p));
}

struct jinja_expr *mote_jinja_parse_unary(struct jinja_parser *p, bool with_filter)
{
	uint32_t at = p->t->at;
	struct jinja_expr *node;

	mote_jinja_enter(p->j, JINJA_MAX_NESTING);
	if (mote_jinja_skip(p, JINJA_T_SUB))
		node = mote_jinja_unary(p, JINJA_NEG, at, mote_jinja_parse_unary(p, false));
	else if (mote_jinja_skip(p, JINJA_T_ADD))
		node = mote_jinja_unary(p, JINJA_POS, at, mote_jinja_parse_unary(p, false));
	else
		node = parse_primary(p);
	node = parse_postfix(p, node);
	for (; with_filter;) {
		if (p->t->type == JINJA_T_PIPE)
			node = mote_jinja_parse_filters(p, node, false);
		else if (mote_jinja_at_name(p, p->t, "is"))
			node = mote_jinja_parse_test(p, node);
		else if (p->t->type == JINJA_T_LPAREN)
			node = mote_jinja_parse_call(p, node);
		else
			break;
	}
	p->j->depth--;
	return node;
}

/* What is assigned to: a name, in {% set %} also the attribute of a namespace, or an expression which the caller
 * then refuses unless it is a tuple of such. */
static struct jinja_expr *parse_target(struct jinja_parser *p)
{
	struct jinja_expr *e;

	if (p->t->type != JINJA_T_NAME)
		return parse_primary(p);
	e = parse_name(p);
	if (e->op != JINJA_NAME || !p->namespace_targets || !mote_jinja_skip(p, JINJA_T_DOT))
		return e;
	e->op = JINJA_NAMESPACE_TARGET;
	e->value = mote_jinja_string(mote_jinja_token_text(p, p->t));
	mote_jinja_note_name(p, e->name, true);
	mote_jinja_expect(p, JINJA_T_NAME);
	return e;
}

struct jinja_expr *mote_jinja_parse_tuple(struct jinja_parser *p, bool simplified, bool with_condition,
					  const char *end_name, bool parenthesised)
{
	struct jinja_children items = {0};
	uint32_t at = p->t->at;
	bool is_tuple = false;
	char found[64];

	for (;;) {
		if (items.count)
			mote_jinja_expect(p, JINJA_T_COMMA);
		if (p->t->type == JINJA_T_VARIABLE_END || p->t->type == JINJA_T_BLOCK_END ||
		    p->t->type == JINJA_T_RPAREN || (end_name && mote_jinja_at_name(p, p->t, end_name)))
			break;
		mote_jinja_push(p, &items,
				simplified ? parse_target(p) : mote_jinja_parse_expression(p, with_condition));
		if (p->t->type != JINJA_T_COMMA)
			break;
		is_tuple = true;
	}
	if (!is_tuple && items.count)
		return items.at[0];
	if (!is_tuple && !parenthesised) {
		mote_jinja_describe(p, p->t, found);
		mote_jinja_syntax(p, p->t, "expected an expression, got %s", found);
	}
	return mote_jinja_with_children(p, mote_jinja_new_expr(p, JINJA_MAKE_TUPLE, at), &items);
}
