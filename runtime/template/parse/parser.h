/* What the parser's files share: the state of a parsing, the tokens it looks at, nodes it makes. */
#ifndef MOTE_RUNTIME_TEMPLATE_PARSE_PARSER_H
#define MOTE_RUNTIME_TEMPLATE_PARSE_PARSER_H

#include "runtime/template/parse/token.h"
#include "runtime/template/parse/tree.h"

/* A macro, call block or loop around the statements being parsed: whether its body uses the special names. */
struct jinja_enclosing {
	struct jinja_enclosing *outer;
	struct jinja_signature *signature; /* NULL: a loop */
	bool caller_hidden, varargs_hidden, kwargs_hidden; /* assigned to before they were used */
	bool *captures;                    /* of a loop */
};

struct jinja_parser {
	struct jinja *j;
	const struct jinja_token *t;        /* current */
	const struct jinja_text **names;    /* interned variables */
	uint32_t n_names, names_capacity;
	uint32_t *name_slots, n_name_slots;
	struct jinja_enclosing *enclosing;
	bool namespace_targets;             /* ns.a may be assigned to */
	bool soft;                          /* in an "if": unknown filters fail when they are reached, not before */
	const struct jinja_expr *unknown;   /* the first unknown filter or test outside of conditions */
	const char *innermost;              /* tag of the block that waits for its end */
	const char *waiting_for;            /* the tags that may end it, for messages */
};
/* A list of children that grows while it is parsed. */
struct jinja_children {
	struct jinja_expr **at;
	uint32_t count, capacity;
};
void mote_jinja_push(struct jinja_parser *p, struct jinja_children *c, struct jinja_expr *e);
struct jinja_expr *mote_jinja_with_children(struct jinja_parser *p, struct jinja_expr *e,
					    const struct jinja_children *c);
/* Makes e higher than its child, within bounds. */
void mote_jinja_grow(struct jinja_parser *p, struct jinja_expr *e, const struct jinja_expr *child);
struct jinja_expr *mote_jinja_unary(struct jinja_parser *p, int op, uint32_t at, struct jinja_expr *a);
struct jinja_expr *mote_jinja_binary(struct jinja_parser *p, int op, uint32_t at, struct jinja_expr *a,
				     struct jinja_expr *b);
struct jinja_expr *mote_jinja_new_expr(struct jinja_parser *p, int op, uint32_t at);
uint32_t mote_jinja_intern(struct jinja_parser *p, const char *at, size_t bytes);
void mote_jinja_note_name(struct jinja_parser *p, uint32_t name, bool load);
void mote_jinja_expect(struct jinja_parser *p, enum jinja_token_type type);
bool mote_jinja_skip(struct jinja_parser *p, enum jinja_token_type type);
bool mote_jinja_at_name(const struct jinja_parser *p, const struct jinja_token *t, const char *name);
_Noreturn void mote_jinja_syntax(struct jinja_parser *p, const struct jinja_token *t, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
const struct jinja_text *mote_jinja_token_text(struct jinja_parser *p, const struct jinja_token *t);
void mote_jinja_describe(const struct jinja_parser *p, const struct jinja_token *t, char out[64]);
void mote_jinja_expect_name(struct jinja_parser *p, const char *name);

/* parse_statement.c, and parse_macro.c for bodies that are called */
struct jinja_stmt *mote_jinja_parse(struct jinja_parser *p);
struct jinja_stmt *mote_jinja_new_stmt(struct jinja_parser *p, enum jinja_statement op, uint32_t at);
/* The body of a block that has its own scope: unknown filters in it are errors at once, wherever it stands. */
struct jinja_stmt *mote_jinja_parse_scoped(struct jinja_parser *p, const char *const *ends, const char *tag,
					   uint32_t at);
uint32_t mote_jinja_parse_plain_name(struct jinja_parser *p); /* that is assigned to */
struct jinja_stmt *mote_jinja_parse_macro(struct jinja_parser *p);
struct jinja_stmt *mote_jinja_parse_call_block(struct jinja_parser *p);
struct jinja_stmt *mote_jinja_parse_generation(struct jinja_parser *p);

/* parse_operator.c, parse_expression.c, and parse_call.c for what has arguments */
struct jinja_expr *mote_jinja_parse_expression(struct jinja_parser *p, bool with_condition);
struct jinja_expr *mote_jinja_parse_unary(struct jinja_parser *p, bool with_filter);
struct jinja_expr *mote_jinja_parse_tuple(struct jinja_parser *p, bool simplified, bool with_condition,
					  const char *end_name, bool parenthesised);
struct jinja_expr *mote_jinja_parse_operand(struct jinja_parser *p); /* a primary and what follows it */
struct jinja_expr *mote_jinja_parse_call(struct jinja_parser *p, struct jinja_expr *callee);
struct jinja_expr *mote_jinja_parse_filters(struct jinja_parser *p, struct jinja_expr *node, bool inline_first);
struct jinja_expr *mote_jinja_parse_test(struct jinja_parser *p, struct jinja_expr *node);

/* analyse_scopes.c: fills in the "missing" of every statement with a scope, and the template's own. */
void mote_jinja_analyse(struct jinja *j, struct jinja_stmt *body, uint32_t n_names, struct jinja_missing *root);

#endif
