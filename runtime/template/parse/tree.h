/* A template as a tree: what the parser makes and the run walks. Nothing changes it once it is parsed, so that any
 * number of renderings may share it.
 */
#ifndef MOTE_RUNTIME_TEMPLATE_PARSE_TREE_H
#define MOTE_RUNTIME_TEMPLATE_PARSE_TREE_H

#include "runtime/template/value/builtin.h"
#include "runtime/template/value/number.h"

struct jinja_expr;
struct jinja_stmt;

enum jinja_op { /* and those of enum jinja_calculation */
	JINJA_CONST = JINJA_CALCULATIONS, JINJA_NAME, JINJA_MAKE_TUPLE, JINJA_MAKE_LIST, JINJA_MAKE_DICT,
	JINJA_NOT, JINJA_NEG, JINJA_POS,
	JINJA_AND, JINJA_OR, JINJA_CONCAT, JINJA_COMPARE, JINJA_COND,
	JINJA_ATTRIBUTE, JINJA_ITEM, JINJA_SLICE, JINJA_CALL, JINJA_FILTER, JINJA_TEST,
	JINJA_NAMESPACE_TARGET
};

/* Names that mean something to the interpreter are interned first, in this order. */
enum { JINJA_NAME_LOOP, JINJA_NAME_CALLER, JINJA_NAME_VARARGS, JINJA_NAME_KWARGS };

struct jinja_call_args {
	struct jinja_expr **values;
	uint32_t count, n_keywords;
	struct jinja_expr **keywords;          /* values of keywords */
	const struct jinja_text **keyword_names;
	struct jinja_expr *star, *star_star;   /* *list, **dict, or NULL */
};

struct jinja_expr {
	uint8_t op;
	uint8_t compare;                 /* of an operand in a comparison: how it is compared with what precedes */
	uint16_t height;
	uint32_t at;                     /* offset in the source */
	uint32_t name;                   /* NAME, NAMESPACE_TARGET */
	uint32_t n_list;
	struct jinja_expr *a, *b, *c, *d;/* operands; SLICE: object, start, stop, step; COND: test, then, else */
	struct jinja_expr **list;        /* TUPLE, LIST, DICT (key, value, ...), CONCAT, COMPARE */
	struct jinja_value value;        /* CONST; the attribute or filter name as a string */
	const struct jinja_builtin *builtin; /* FILTER, TEST; NULL: unknown name, an error when it is reached */
	const struct jinja_call_args *args;  /* CALL, FILTER, TEST */
};

enum jinja_statement {
	JINJA_DATA, JINJA_OUTPUT, JINJA_FOR, JINJA_IF, JINJA_SET, JINJA_SET_BLOCK, JINJA_MACRO_DEF, JINJA_CALL_BLOCK,
	JINJA_FILTER_BLOCK, JINJA_WITH, JINJA_SCOPE, JINJA_GENERATION, JINJA_BREAK, JINJA_CONTINUE
};

/* Variables that a scope assigns to before it reads them: they are undefined until then, whatever the context
 * has under that name. */
struct jinja_missing {
	uint32_t *names;
	uint32_t count;
};

struct jinja_signature {
	uint32_t *names;
	struct jinja_expr **defaults; /* [count], NULL where there is none */
	uint32_t count;
	bool uses_caller, uses_varargs, uses_kwargs;
};

struct jinja_stmt {
	uint8_t op;
	bool captures;                /* FOR: its body defines macros, which keep the scope */
	bool recursive;               /* FOR */
	bool is_elif;                 /* IF: belongs to the one before */
	uint32_t at;
	uint32_t name;                /* MACRO_DEF */
	uint32_t n_list;
	struct jinja_stmt *next;
	struct jinja_stmt *body, *orelse;
	struct jinja_expr *target, *expr, *test; /* FILTER_BLOCK, SET_BLOCK: expr is the filter chain or NULL */
	struct jinja_expr **targets, **values;   /* WITH: [n_list] */
	struct jinja_signature signature;        /* MACRO_DEF, CALL_BLOCK */
	const struct jinja_text *data;           /* DATA */
	struct jinja_missing missing, else_missing; /* of the scope of body, and of a loop's "else" */
};

#endif
