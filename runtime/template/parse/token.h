/* Tokens of a template. */
#ifndef MOTE_RUNTIME_TEMPLATE_PARSE_TOKEN_H
#define MOTE_RUNTIME_TEMPLATE_PARSE_TOKEN_H

#include "runtime/template/value/text_value.h"

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
void mote_jinja_lex(struct jinja *j, bool trim_blocks, bool lstrip_blocks, struct jinja_tokens *out);
/* string_literal.c: what a literal between its quotes says. */
const struct jinja_text *mote_jinja_unescape(struct jinja *j, uint32_t at, uint32_t end);

#endif
