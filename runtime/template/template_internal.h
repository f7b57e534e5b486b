/* Inside of the template engine: what its rooms share. Not for users; they include template.h.
 *
 *   arena.c         bounds, arena, texts with provenance
 *   lexer.c         source to tokens
 *   parse_statement.c   tokens to statements
 *   parse_expression.c, parse_operator.c            tokens to expressions
 *   scope.c       which variables start out undefined
 *   value.c       truth, equality, order         container_value.c   lists, dicts, iteration
 *   number.c      arithmetic and floats as Python has them
 *   print_value.c       str(), repr(), tojson
 *   evaluate.c        expressions                    execute.c        statements, scopes, loops
 *   call.c        calls, macros, globals
 *   filters.c     filters on sequences           filters_text.c, _number.c  on those
 *   is_tests.c       tests
 *   str_methods.c     methods of str                 methods.c     methods of the others
 *   str_format.c      % formatting, str.format       field.c      numbers and texts in fields
 *   characters.c     what Python's str knows of characters
 *
 * Failure unwinds: parsing and rendering each have one setjmp, and mote_jinja_fail() jumps there. Everything
 * between owns no resource but arena memory, which the setjmp's owner frees.
 */
#ifndef MOTE_RUNTIME_TEMPLATE_INTERNAL_H
#define MOTE_RUNTIME_TEMPLATE_INTERNAL_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "format/utf8.h"
#include "runtime/template/template.h"

#define JINJA_MAX_SOURCE (4u << 20)   /* bytes of a template */
#define JINJA_MAX_NESTING 200u        /* of parentheses and blocks in a template, of lists when printed */
#define JINJA_MAX_HEIGHT 400u         /* of an expression, chains included */
#define JINJA_MAX_DEPTH 1500u         /* nodes under evaluation at once */
#define JINJA_MAX_RANGE 100000        /* Jinja2's sandbox */

struct jinja;
struct jinja_expr;
struct jinja_stmt;

/* ---- values ---- */

enum jinja_kind {
	JINJA_ABSENT, /* no value at all: an argument not given, a variable not set */
	JINJA_UNDEFINED,
	JINJA_NONE,
	JINJA_BOOL,
	JINJA_INT,
	JINJA_BIG, /* integer beyond 64 bits: text only, no arithmetic */
	JINJA_FLOAT,
	JINJA_STRING,
	JINJA_LIST,
	JINJA_TUPLE,
	JINJA_DICT,
	JINJA_VIEW, /* dict.keys(), .values(), .items() */
	JINJA_RANGE,
	JINJA_GENERATOR,
	JINJA_NAMESPACE,
	JINJA_MACRO,
	JINJA_FUNCTION, /* a global, or a method bound to its object */
	JINJA_LOOP,
	JINJA_CYCLER,
	JINJA_JOINER
};

/* Bytes of valid UTF-8, each of them either the template's own or plain, i.e. out of the context's data.
 * Immutable and shared: a slice points into what it was cut from. */
struct jinja_text {
	const char *at;
	size_t bytes;
	size_t chars;       /* code points; SIZE_MAX: not counted yet */
	const uint8_t *map; /* [bytes] 1 where plain; NULL: all as "plain" says */
	bool plain;
	bool markup;        /* Python's Markup, made by escape and safe */
};

struct jinja_value {
	uint8_t kind;
	bool plain; /* scalars and containers: out of the context's data */
	union {
		bool boolean;
		int64_t integer;
		double real;
		const struct jinja_text *text; /* string, big */
		const struct jinja_list *list; /* list, tuple */
		struct jinja_dict *dict;       /* dict, namespace */
		const struct jinja_undefined *undefined;
		const struct jinja_view *view;
		const struct jinja_range *range;
		struct jinja_generator *generator;
		const struct jinja_macro *macro;
		const struct jinja_function *function;
		struct jinja_loop *loop;
		struct jinja_cycle *cycle;     /* cycler, joiner */
	};
};

struct jinja_list {
	size_t count, capacity;
	struct jinja_value *items;
	bool group; /* a tuple of groupby, with .grouper and .list */
};

struct jinja_entry {
	uint64_t hash;
	struct jinja_value key, value;
};

/* In order of insertion; found through open addressing once there are more than a few. */
struct jinja_dict {
	struct jinja_entry *entries;
	uint32_t count, capacity;
	uint32_t *slots, n_slots; /* entry + 1, or 0 */
};

struct jinja_undefined {
	const char *hint;              /* the whole message, or NULL: made from the rest */
	const struct jinja_text *name; /* of the variable or attribute; NULL for an element */
	uint8_t owner;                 /* kind of the object asked, JINJA_ABSENT for a variable */
};

enum jinja_view_of { JINJA_KEYS, JINJA_VALUES, JINJA_ITEMS };
struct jinja_view {
	const struct jinja_dict *dict;
	enum jinja_view_of of;
	bool plain;
};

struct jinja_range {
	int64_t start, stop, step, count;
};

/* Arguments of a call. */
struct jinja_keyword {
	const struct jinja_text *name;
	struct jinja_value value;
};
struct jinja_args {
	struct jinja_value *values;
	size_t count;
	struct jinja_keyword *keywords;
	size_t n_keywords;
};

/* What Python's generator filters return: has no length, is consumed once, and whatever is wrong with its
 * arguments shows when it is first asked for an element. */
struct jinja_generator {
	const char *type; /* as it prints */
	void (*run)(struct jinja *j, struct jinja_generator *g); /* fills list; NULL once it did */
	struct jinja_list list;
	size_t next;
	struct jinja_args args; /* of the filter, value first */
	const struct jinja_builtin *builtin;
};

struct jinja_iter {
	struct jinja_value of;
	size_t at;
};

/* A filter, test, global function or method. Arguments are bound to names before the call: args[0] is the
 * filtered value or the object, then one for each parameter; JINJA_ABSENT where not given. */
struct jinja_builtin {
	const char *name;
	struct jinja_value (*call)(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args);
	const char *parameters; /* names after the first argument, separated by spaces; NULL: uses raw */
	uint8_t required;       /* of the parameters */
	bool positional;        /* takes no keywords, as C-implemented methods do */
	uint8_t detail;         /* for functions that serve several names */
	struct jinja_value (*raw)(struct jinja *j, const struct jinja_builtin *b, const struct jinja_args *args);
};
#define JINJA_MAX_PARAMETERS 8

struct jinja_function {
	const struct jinja_builtin *builtin;
	struct jinja_value self; /* JINJA_ABSENT for a global */
};

struct jinja_cycle {
	const struct jinja_list *items;
	size_t next;
};

/* ---- syntax tree ---- */

enum jinja_op {
	JINJA_CONST, JINJA_NAME, JINJA_MAKE_TUPLE, JINJA_MAKE_LIST, JINJA_MAKE_DICT,
	JINJA_NOT, JINJA_NEG, JINJA_POS,
	JINJA_ADD, JINJA_SUB, JINJA_MUL, JINJA_DIV, JINJA_FLOORDIV, JINJA_MOD, JINJA_POW,
	JINJA_AND, JINJA_OR, JINJA_CONCAT, JINJA_COMPARE, JINJA_COND,
	JINJA_ATTRIBUTE, JINJA_ITEM, JINJA_SLICE, JINJA_CALL, JINJA_FILTER, JINJA_TEST,
	JINJA_NAMESPACE_TARGET
};

enum jinja_compare { JINJA_EQ, JINJA_NE, JINJA_LT, JINJA_LE, JINJA_GT, JINJA_GE, JINJA_IN, JINJA_NOT_IN };

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

/* ---- scopes ---- */

struct jinja_binding {
	uint32_t name;
	struct jinja_value value;
};
/* The root scope is jinja.root, indexed by name; inner ones are short lists. */
struct jinja_scope {
	struct jinja_scope *parent; /* NULL: the root follows */
	struct jinja_binding *bindings;
	uint32_t count, capacity;
};

struct jinja_macro {
	const struct jinja_stmt *stmt;
	const struct jinja_text *name; /* NULL: the body of a call block */
	struct jinja_scope *scope;
};

struct jinja_loop {
	const struct jinja_stmt *stmt;
	struct jinja_scope *outer;
	struct jinja_iter iter;
	struct jinja_value after, current, before, changed;
	int64_t index0, length, depth0; /* length -1: not known yet */
};

/* ---- a run: parsing or rendering ---- */

struct jinja_chunk;
struct jinja {
	jmp_buf unwind;
	struct mote_error *error;
	enum mote_status status;
	const char *source;       /* normalised, for positions */
	size_t source_bytes;
	uint32_t at;              /* offset of the node in work */
	uint32_t depth;
	uint64_t steps;           /* left */
	size_t memory;            /* left */
	struct jinja_chunk *chunks;
	char *free_at;
	size_t free_bytes;

	/* rendering */
	const struct jinja_text **names; /* of the template */
	uint32_t n_names;
	struct jinja_value *root;        /* [n_names] */
	struct jinja_builder *out;
	int64_t now;
};

/* arena.c */
_Noreturn void mote_jinja_fail(struct jinja *j, enum mote_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void mote_jinja_fail_bare(struct jinja *j, enum mote_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4))); /* without line and column */
void mote_jinja_charge(struct jinja *j, uint64_t steps);
void *mote_jinja_alloc(struct jinja *j, size_t bytes);             /* zeroed, aligned */
void *mote_jinja_alloc_array(struct jinja *j, size_t count, size_t bytes);
void mote_jinja_free_all(struct jinja *j);
void mote_jinja_enter(struct jinja *j, unsigned max);              /* depth + 1, checked; leave: j->depth-- */

struct jinja_builder {
	struct jinja *j;
	char *at;
	uint8_t *map;       /* NULL while all bytes are of one kind */
	size_t bytes, capacity, limit;
	bool plain;         /* that kind */
};
void mote_jinja_begin(struct jinja_builder *b, struct jinja *j);
void mote_jinja_put(struct jinja_builder *b, const char *at, size_t bytes, bool plain);
void mote_jinja_put_string(struct jinja_builder *b, const char *s, bool plain);
void mote_jinja_put_text(struct jinja_builder *b, const struct jinja_text *t);
void mote_jinja_put_slice(struct jinja_builder *b, const struct jinja_text *t, size_t from, size_t to);
void mote_jinja_put_fill(struct jinja_builder *b, const struct jinja_text *fill, size_t times);
void mote_jinja_put_code(struct jinja_builder *b, uint32_t code, bool plain);
const struct jinja_text *mote_jinja_end(struct jinja_builder *b);

const struct jinja_text *mote_jinja_text(struct jinja *j, const char *at, size_t bytes, bool plain); /* copies */
const struct jinja_text *mote_jinja_slice(struct jinja *j, const struct jinja_text *t, size_t from, size_t to);
const struct jinja_text *mote_jinja_as_markup(struct jinja *j, const struct jinja_text *t, bool markup);
static inline bool mote_jinja_plain_at(const struct jinja_text *t, size_t byte)
{
	return t->map ? t->map[byte] != 0 : t->plain;
}
size_t mote_jinja_chars(struct jinja *j, const struct jinja_text *t);
size_t mote_jinja_byte_of(struct jinja *j, const struct jinja_text *t, size_t chars); /* offset of a code point */
bool mote_jinja_text_is(const struct jinja_text *t, const char *s);
/* Offset of needle in t[from..to), or SIZE_MAX. Linear time. */
size_t mote_jinja_find(struct jinja *j, const struct jinja_text *t, size_t from, size_t to,
		       const struct jinja_text *needle);
size_t mote_jinja_find_last(struct jinja *j, const struct jinja_text *t, size_t from, size_t to,
			    const struct jinja_text *needle);

/* characters.c: code is a valid code point */
static inline uint32_t mote_jinja_decode(const char *s, size_t *length)
{
	return mote_utf8_decode(s, length);
}
static inline size_t mote_jinja_encode(uint32_t code, char out[4])
{
	return mote_utf8_encode(code, out);
}
bool mote_jinja_is_space(uint32_t code);
bool mote_jinja_is_line_break(uint32_t code);
bool mote_jinja_is_printable(uint32_t code);
const struct jinja_text *mote_jinja_ascii_digits(struct jinja *j, const struct jinja_text *t); /* every script's */
bool mote_jinja_is_word(uint32_t code);   /* \w */
/* May stand in a Python identifier, or begin one: Unicode's XID_Continue, XID_Start (UAX 31). */
bool mote_jinja_is_identifier(uint32_t code, bool first);
enum jinja_class {
	JINJA_ALPHA, JINJA_ALNUM, JINJA_DIGIT, JINJA_DECIMAL, JINJA_NUMERIC, JINJA_LOWER, JINJA_UPPER,
	JINJA_TITLE, JINJA_CASED
};
bool mote_jinja_is(uint32_t code, enum jinja_class what);
enum jinja_case { JINJA_TO_UPPER, JINJA_TO_LOWER, JINJA_CAPITALIZE, JINJA_TITLECASE, JINJA_SWAP, JINJA_FOLD };
const struct jinja_text *mote_jinja_recase(struct jinja *j, const struct jinja_text *t, enum jinja_case how);
/* Offsets of t without the white space (chars NULL) or the characters at its ends. */
void mote_jinja_strip(struct jinja *j, const struct jinja_text *t, const struct jinja_text *chars, bool left,
		      bool right, size_t *from, size_t *to);

/* lexer.c */
enum jinja_token_type {
	JINJA_T_EOF, JINJA_T_DATA, JINJA_T_VARIABLE_BEGIN, JINJA_T_VARIABLE_END, JINJA_T_BLOCK_BEGIN,
	JINJA_T_BLOCK_END, JINJA_T_NAME, JINJA_T_STRING, JINJA_T_INTEGER, JINJA_T_FLOAT, JINJA_T_ADD,
	JINJA_T_SUB, JINJA_T_DIV, JINJA_T_FLOORDIV, JINJA_T_MUL, JINJA_T_MOD, JINJA_T_POW, JINJA_T_TILDE,
	JINJA_T_LBRACKET, JINJA_T_RBRACKET, JINJA_T_LPAREN, JINJA_T_RPAREN, JINJA_T_LBRACE, JINJA_T_RBRACE,
	JINJA_T_EQ, JINJA_T_NE, JINJA_T_GT, JINJA_T_GE, JINJA_T_LT, JINJA_T_LE, JINJA_T_ASSIGN, JINJA_T_DOT,
	JINJA_T_COLON, JINJA_T_PIPE, JINJA_T_COMMA, JINJA_T_SEMICOLON
};
struct jinja_token {
	uint8_t type;
	uint32_t at, end; /* of the source */
};
struct jinja_tokens {
	struct jinja_token *tokens; /* ends with JINJA_T_EOF */
	size_t count, capacity;
};
void mote_jinja_lex(struct jinja *j, const struct mote_template_options *options, struct jinja_tokens *out);
const struct jinja_text *mote_jinja_unescape(struct jinja *j, uint32_t at, uint32_t end); /* without the quotes */

/* parse_statement.c, parse_expression.c */
struct jinja_enclosing; /* a macro or loop around what is parsed */
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
struct jinja_stmt *mote_jinja_parse(struct jinja_parser *p);
struct jinja_expr *mote_jinja_parse_expression(struct jinja_parser *p, bool with_condition);
struct jinja_expr *mote_jinja_parse_tuple(struct jinja_parser *p, bool simplified, bool with_condition,
					  const char *end_name, bool parenthesised);
struct jinja_expr *mote_jinja_parse_filters(struct jinja_parser *p, struct jinja_expr *node, bool inline_first);
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
struct jinja_expr *mote_jinja_unary(struct jinja_parser *p, enum jinja_op op, uint32_t at, struct jinja_expr *a);
struct jinja_expr *mote_jinja_binary(struct jinja_parser *p, enum jinja_op op, uint32_t at, struct jinja_expr *a,
				     struct jinja_expr *b);
struct jinja_expr *mote_jinja_parse_unary(struct jinja_parser *p, bool with_filter);
struct jinja_expr *mote_jinja_new_expr(struct jinja_parser *p, enum jinja_op op, uint32_t at);
uint32_t mote_jinja_intern(struct jinja_parser *p, const char *at, size_t bytes);
void mote_jinja_note_name(struct jinja_parser *p, uint32_t name, bool load);
void mote_jinja_expect(struct jinja_parser *p, enum jinja_token_type type);
bool mote_jinja_skip(struct jinja_parser *p, enum jinja_token_type type);
bool mote_jinja_at_name(const struct jinja_parser *p, const struct jinja_token *t, const char *name);
_Noreturn void mote_jinja_syntax(struct jinja_parser *p, const struct jinja_token *t, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void mote_jinja_describe(const struct jinja_parser *p, const struct jinja_token *t, char out[64]);

/* scope.c */
void mote_jinja_analyse(struct jinja *j, struct jinja_stmt *body, uint32_t n_names, struct jinja_missing *root);

/* value.c */
struct jinja_value mote_jinja_none(void);
struct jinja_value mote_jinja_bool(bool b);
struct jinja_value mote_jinja_int(int64_t i);
struct jinja_value mote_jinja_float(double f);
struct jinja_value mote_jinja_string(const struct jinja_text *t);
struct jinja_value mote_jinja_literal(struct jinja *j, const char *s);
struct jinja_value mote_jinja_undefined(struct jinja *j, const char *hint, const struct jinja_text *name,
					enum jinja_kind owner);
_Noreturn void mote_jinja_fail_undefined(struct jinja *j, struct jinja_value v);
_Noreturn void mote_jinja_fail_type(struct jinja *j, const char *what, struct jinja_value v); /* "what, not TYPE" */
const char *mote_jinja_type(struct jinja_value v);            /* as Python calls it */
bool mote_jinja_truth(struct jinja *j, struct jinja_value v);
bool mote_jinja_same(struct jinja_value a, struct jinja_value b); /* Python's "is" */
bool mote_jinja_equal(struct jinja *j, struct jinja_value a, struct jinja_value b);
/* a < b, a > b, ...; unlike types fail. how: JINJA_LT, _LE, _GT, _GE */
bool mote_jinja_order(struct jinja *j, struct jinja_value a, struct jinja_value b, enum jinja_compare how);
bool mote_jinja_contains(struct jinja *j, struct jinja_value container, struct jinja_value v);
bool mote_jinja_is_number(struct jinja_value v);              /* int, float, bool, big */
bool mote_jinja_integral(struct jinja_value v, int64_t *i);   /* int or bool */
int64_t mote_jinja_need_int(struct jinja *j, struct jinja_value v, const char *what);
const struct jinja_text *mote_jinja_need_text(struct jinja *j, struct jinja_value v, const char *what);
/* len(), or -1 when v has none */
int64_t mote_jinja_length(struct jinja *j, struct jinja_value v);

/* container_value.c */
struct jinja_list *mote_jinja_new_list(struct jinja *j, size_t capacity);
void mote_jinja_append(struct jinja *j, struct jinja_list *l, struct jinja_value v);
struct jinja_value mote_jinja_list(const struct jinja_list *l);
struct jinja_value mote_jinja_tuple(const struct jinja_list *l);
struct jinja_value mote_jinja_pair(struct jinja *j, struct jinja_value a, struct jinja_value b);
struct jinja_dict *mote_jinja_new_dict(struct jinja *j);
struct jinja_value mote_jinja_dict(struct jinja_dict *d);
bool mote_jinja_hash(struct jinja *j, struct jinja_value v, uint64_t *hash); /* false: unhashable */
const struct jinja_value *mote_jinja_get(struct jinja *j, const struct jinja_dict *d,
					 struct jinja_value key); /* or NULL */
void mote_jinja_set(struct jinja *j, struct jinja_dict *d, struct jinja_value key, struct jinja_value value);
struct jinja_value mote_jinja_copy_dict(struct jinja *j, const struct jinja_dict *d, bool plain);

bool mote_jinja_iterable(struct jinja_value v);
struct jinja_iter mote_jinja_iterate(struct jinja *j, struct jinja_value v); /* fails when it is not */
bool mote_jinja_next(struct jinja *j, struct jinja_iter *it, struct jinja_value *out);
struct jinja_list *mote_jinja_collect(struct jinja *j, struct jinja_value v);  /* list(v) */
struct jinja_value mote_jinja_generator(struct jinja *j, const char *type,
					void (*run)(struct jinja *, struct jinja_generator *),
					const struct jinja_builtin *b, const struct jinja_args *args);
struct jinja_value mote_jinja_list_generator(struct jinja *j, const char *type, const struct jinja_list *l);
/* Stable; less(user, a, b) says whether a goes before b. */
void mote_jinja_sort(struct jinja *j, size_t *order, size_t count,
		     bool (*less)(struct jinja *j, void *user, size_t a, size_t b), void *user);

/* number.c */
struct jinja_value mote_jinja_arithmetic(struct jinja *j, enum jinja_op op, struct jinja_value a,
					 struct jinja_value b);
struct jinja_value mote_jinja_negate(struct jinja *j, struct jinja_value v, bool negative);
int mote_jinja_compare_numbers(struct jinja_value a, struct jinja_value b); /* -1 0 1; 2: not ordered */
double mote_jinja_real(struct jinja *j, struct jinja_value v);              /* of a number */
size_t mote_jinja_float_repr(double x, char out[40]);
/* As Python's int(str, base); base 0: as a literal. */
bool mote_jinja_parse_int(struct jinja *j, const char *s, size_t bytes, int base, struct jinja_value *out);
bool mote_jinja_parse_float(struct jinja *j, const char *s, size_t bytes, double *out); /* as Python's float(str) */
struct jinja_value mote_jinja_to_int(struct jinja *j, double x);             /* truncated; fails for inf and nan */
struct jinja_value mote_jinja_round(struct jinja *j, struct jinja_value v, int64_t digits);
struct jinja_value mote_jinja_number(struct jinja *j, const char *json, bool plain); /* of a JSON number's text */

/* print_value.c */
void mote_jinja_print(struct jinja_builder *b, struct jinja_value v); /* str(v) */
void mote_jinja_repr(struct jinja_builder *b, struct jinja_value v);
const struct jinja_text *mote_jinja_str(struct jinja *j, struct jinja_value v);
const struct jinja_text *mote_jinja_soft_str(struct jinja *j, struct jinja_value v); /* keeps Markup */
const struct jinja_text *mote_jinja_escape(struct jinja *j, struct jinja_value v);   /* Markup */
extern const struct jinja_builtin mote_jinja_tojson;

/* evaluate.c */
struct jinja_value mote_jinja_eval(struct jinja *j, const struct jinja_expr *e, struct jinja_scope *scope);
struct jinja_value mote_jinja_getattr(struct jinja *j, struct jinja_value v, struct jinja_value name);
struct jinja_value mote_jinja_getitem(struct jinja *j, struct jinja_value v, struct jinja_value key);
void mote_jinja_bind(struct jinja *j, struct jinja_scope *scope, uint32_t name, struct jinja_value v);
void mote_jinja_assign(struct jinja *j, const struct jinja_expr *target, struct jinja_value v,
		       struct jinja_scope *scope);
struct jinja_value mote_jinja_apply_filter(struct jinja *j, const struct jinja_expr *e, struct jinja_value v,
					   struct jinja_scope *scope);

/* execute.c */
void mote_jinja_run(struct jinja *j, const struct jinja_stmt *s);
struct jinja_value mote_jinja_call_macro(struct jinja *j, const struct jinja_macro *m, const struct jinja_args *args);
struct jinja_value mote_jinja_loop_attribute(struct jinja *j, struct jinja_loop *l,
					     const struct jinja_text *name); /* ABSENT: none */
const struct jinja_text *mote_jinja_recurse(struct jinja *j, struct jinja_loop *l, struct jinja_value of);

/* call.c */
struct jinja_value mote_jinja_call(struct jinja *j, struct jinja_value callee, const struct jinja_args *args);
struct jinja_value mote_jinja_invoke(struct jinja *j, const struct jinja_builtin *b, const char *kind,
				     const struct jinja_args *args);
void mote_jinja_eval_args(struct jinja *j, const struct jinja_call_args *from, struct jinja_scope *scope,
			  struct jinja_value first, struct jinja_args *out);
struct jinja_value mote_jinja_bound(struct jinja *j, const struct jinja_builtin *b, struct jinja_value self);
struct jinja_value mote_jinja_global(struct jinja *j, const struct jinja_text *name); /* ABSENT: none */

/* Tables; find by name or NULL. */
const struct jinja_builtin *mote_jinja_find_filter(const char *name, size_t bytes);
const struct jinja_builtin *mote_jinja_find_text_filter(const char *name, size_t bytes);
const struct jinja_builtin *mote_jinja_find_number_filter(const char *name, size_t bytes);
const struct jinja_builtin *mote_jinja_find_test(const char *name, size_t bytes);
const struct jinja_builtin *mote_jinja_find_method(struct jinja_value v, const struct jinja_text *name);
const struct jinja_builtin *mote_jinja_lookup(const struct jinja_builtin *table, size_t count, const char *name,
					      size_t bytes);
bool mote_jinja_mutates(struct jinja_value v, const struct jinja_text *name); /* a method the sandbox forbids */

#define MOTE_JINJA_STR_METHODS 44
extern const struct jinja_builtin mote_jinja_str_methods[MOTE_JINJA_STR_METHODS];

/* field.c */
/* A field's layout, in Python's format mini-language; % formatting is mapped to it. */
struct jinja_layout {
	const struct jinja_text *fill;
	char align;      /* < > = ^, or 0: as the type has it */
	char sign;       /* + or space, or 0 */
	bool alternate;
	bool zero;       /* %: the flag; format: zeros fill up to the width, and are grouped */
	char grouping;   /* , or _, or 0 */
	int64_t width, precision; /* precision -1: none */
	char type;       /* 0: none */
};
void mote_jinja_put_text_field(struct jinja_builder *b, const struct jinja_layout *l, const struct jinja_text *t);
/* digits: what stands behind sign and prefix */
void mote_jinja_put_number_field(struct jinja_builder *b, const struct jinja_layout *l, bool negative,
				 const char *prefix, const char *digits, size_t bytes, bool plain);
void mote_jinja_put_int(struct jinja_builder *b, const struct jinja_layout *l, struct jinja_value v);
void mote_jinja_put_float(struct jinja_builder *b, const struct jinja_layout *l, double x, bool plain);

/* str_format.c */
const struct jinja_text *mote_jinja_percent(struct jinja *j, const struct jinja_text *format,
					    struct jinja_value args);
struct jinja_value mote_jinja_format(struct jinja *j, const struct jinja_builtin *b, const struct jinja_args *args);

#endif
