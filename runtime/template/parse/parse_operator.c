/* Operators of expressions, by Jinja2's grammar, from the tightest: **, * / // %, ~, + -, comparisons, not, and, or,
 * the inline if. One function a level, which calls the next tighter one for its operands and loops over its own
 * operators, so that they bind to the left.
 */
#include "runtime/template/parse/parser.h"
#include "runtime/template/value/compare.h"

/* Unlike Python's, Jinja2's ** binds to the left. */
static struct jinja_expr *parse_power(struct jinja_parser *p)
{
	struct jinja_expr *left = mote_jinja_parse_unary(p, true);
	uint32_t at;

	while (p->t->type == JINJA_T_POW) {
		at = p->t++->at;
		left = mote_jinja_binary(p, JINJA_POW, at, left, mote_jinja_parse_unary(p, true));
	}
	return left;
}

static struct jinja_expr *parse_product(struct jinja_parser *p)
{
	struct jinja_expr *left = parse_power(p);
	int op;
	uint32_t at;

	for (;;) {
		switch (p->t->type) {
		case JINJA_T_MUL: op = JINJA_MUL; break;
		case JINJA_T_DIV: op = JINJA_DIV; break;
		case JINJA_T_FLOORDIV: op = JINJA_FLOORDIV; break;
		case JINJA_T_MOD: op = JINJA_MOD; break;
		default: return left;
		}
		at = p->t++->at;
		left = mote_jinja_binary(p, op, at, left, parse_power(p));
	}
}

static struct jinja_expr *parse_concat(struct jinja_parser *p)
{
	struct jinja_expr *first = parse_product(p);
	struct jinja_children parts = {0};
	uint32_t at = p->t->at;

	if (p->t->type != JINJA_T_TILDE)
		return first;
	mote_jinja_push(p, &parts, first);
	while (mote_jinja_skip(p, JINJA_T_TILDE))
		mote_jinja_push(p, &parts, parse_product(p));
	return mote_jinja_with_children(p, mote_jinja_new_expr(p, JINJA_CONCAT, at), &parts);
}

static struct jinja_expr *parse_sum(struct jinja_parser *p)
{
	struct jinja_expr *left = parse_concat(p);
	const struct jinja_token *t;

	while (p->t->type == JINJA_T_ADD || p->t->type == JINJA_T_SUB) {
		t = p->t++;
		left = mote_jinja_binary(p, t->type == JINJA_T_ADD ? JINJA_ADD : JINJA_SUB, t->at, left,
					 parse_concat(p));
	}
	return left;
}

static bool comparison(struct jinja_parser *p, enum jinja_compare *how)
{
	switch (p->t->type) {
	case JINJA_T_EQ: *how = JINJA_EQ; break;
	case JINJA_T_NE: *how = JINJA_NE; break;
	case JINJA_T_LT: *how = JINJA_LT; break;
	case JINJA_T_LE: *how = JINJA_LE; break;
	case JINJA_T_GT: *how = JINJA_GT; break;
	case JINJA_T_GE: *how = JINJA_GE; break;
	default:
		if (mote_jinja_at_name(p, p->t, "in")) {
			*how = JINJA_IN;
		} else if (mote_jinja_at_name(p, p->t, "not") && mote_jinja_at_name(p, p->t + 1, "in")) {
			*how = JINJA_NOT_IN;
			p->t++;
		} else {
			return false;
		}
	}
	p->t++;
	return true;
}

/* a < b < c: the list of operands, each but the first wrapped with how it is compared. */
static struct jinja_expr *parse_comparison(struct jinja_parser *p)
{
	uint32_t at = p->t->at;
	struct jinja_expr *first = parse_sum(p), *operand;
	struct jinja_children operands = {0};
	enum jinja_compare how;

	while (comparison(p, &how)) {
		if (!operands.count)
			mote_jinja_push(p, &operands, first);
		operand = mote_jinja_unary(p, JINJA_COMPARE, p->t->at, parse_sum(p));
		operand->compare = (uint8_t)how;
		mote_jinja_push(p, &operands, operand);
	}
	return operands.count
		       ? mote_jinja_with_children(p, mote_jinja_new_expr(p, JINJA_COMPARE, at), &operands)
		       : first;
}

static struct jinja_expr *parse_not(struct jinja_parser *p)
{
	uint32_t at = p->t->at;
	struct jinja_expr *e;

	if (!mote_jinja_at_name(p, p->t, "not"))
		return parse_comparison(p);
	mote_jinja_enter(p->j, JINJA_MAX_NESTING);
	p->t++;
	e = mote_jinja_unary(p, JINJA_NOT, at, parse_not(p));
	p->j->depth--;
	return e;
}

static struct jinja_expr *parse_and(struct jinja_parser *p)
{
	struct jinja_expr *left = parse_not(p);
	uint32_t at;

	while (mote_jinja_at_name(p, p->t, "and")) {
		at = p->t++->at;
		left = mote_jinja_binary(p, JINJA_AND, at, left, parse_not(p));
	}
	return left;
}

static struct jinja_expr *parse_or(struct jinja_parser *p)
{
	struct jinja_expr *left = parse_and(p);
	uint32_t at;

	while (mote_jinja_at_name(p, p->t, "or")) {
		at = p->t++->at;
		left = mote_jinja_binary(p, JINJA_OR, at, left, parse_and(p));
	}
	return left;
}

struct jinja_expr *mote_jinja_parse_expression(struct jinja_parser *p, bool with_condition)
{
	const struct jinja_expr *unknown = p->unknown;
	struct jinja_expr *value, *e;
	uint32_t at = p->t->at;

	mote_jinja_enter(p->j, JINJA_MAX_NESTING);
	value = parse_or(p);
	while (with_condition && mote_jinja_at_name(p, p->t, "if")) {
		p->t++;
		e = mote_jinja_binary(p, JINJA_COND, at, parse_or(p), value);
		if (mote_jinja_at_name(p, p->t, "else")) {
			p->t++;
			e->c = mote_jinja_parse_expression(p, true);
			mote_jinja_grow(p, e, e->c);
		}
		p->unknown = unknown; /* in a condition, an unknown filter is an error only when it is reached */
		value = e;
	}
	p->j->depth--;
	return value;
}
