/* Source to tokens, as Jinja2's lexer does it: data between tags, white space control at their edges, and a
 * stack of open brackets, so that "}}" closes two dicts before it closes an expression.
 *
 * Tokens are offsets into the source, in its order, without gaps that matter: what lies between two is white space or
 * was stripped. "at" only moves forward. A comment or raw block leaves at most data behind.
 */
#include "format/utf8.h"
#include "runtime/template/parse/token.h"
#include "runtime/template/value/characters.h"

struct lexer {
	struct jinja *j;
	const char *s;
	size_t bytes, at;
	bool trim, lstrip;
	bool line_starting; /* what was matched last ended with a newline */
	struct jinja_tokens *out;
	char brackets[JINJA_MAX_NESTING];
	size_t n_brackets;
};

static void add(struct lexer *l, enum jinja_token_type type, size_t at, size_t end)
{
	struct jinja_tokens *o = l->out;
	struct jinja_token *grown;

	if (o->count == o->capacity) {
		grown = mote_jinja_alloc_array(l->j, o->capacity ? o->capacity * 2 : 256, sizeof *grown);
		if (o->count)
			memcpy(grown, o->tokens, o->count * sizeof *grown);
		o->capacity = o->capacity ? o->capacity * 2 : 256;
		o->tokens = grown;
	}
	o->tokens[o->count++] = (struct jinja_token){(uint8_t)type, (uint32_t)at, (uint32_t)end};
}

static bool at_string(const struct lexer *l, size_t at, const char *s)
{
	size_t n = strlen(s);

	return n <= l->bytes - at && !memcmp(l->s + at, s, n);
}

static size_t skip_space(const struct lexer *l, size_t at)
{
	size_t length;

	while (at < l->bytes && mote_jinja_is_space(mote_utf8_decode(l->s + at, &length)))
		at += length;
	return at;
}

/* The end of text [from, to) without the white space there. */
static size_t strip_end(const struct lexer *l, size_t from, size_t to)
{
	size_t at, length;

	while (to > from) {
		at = to - 1;
		while (((unsigned char)l->s[at] & 0xc0) == 0x80)
			at--;
		if (!mote_jinja_is_space(mote_utf8_decode(l->s + at, &length)))
			break;
		to = at;
	}
	return to;
}

/* Data before a tag: sign is the tag's '-', '+' or 0; blocks and comments may strip the line's indentation. */
static void add_data(struct lexer *l, size_t from, size_t to, char sign, bool may_strip)
{
	size_t line;

	if (sign == '-') {
		to = strip_end(l, from, to);
	} else if (sign != '+' && l->lstrip && may_strip) {
		for (line = to; line > from && l->s[line - 1] != '\n'; line--)
			;
		if ((line > from || l->line_starting) && line < to && strip_end(l, line, to) == line)
			to = line;
	}
	if (to > from)
		add(l, JINJA_T_DATA, from, to);
}

/* After "%}" or "#}" the first newline goes when trim_blocks is on. */
static size_t after_block(const struct lexer *l, size_t at)
{
	return l->trim && at < l->bytes && l->s[at] == '\n' ? at + 1 : at;
}

/* Matches [+-]?end at "at": returns what follows it, or 0. */
static size_t block_end(const struct lexer *l, size_t at, const char *end)
{
	if (at_string(l, at, end))
		return after_block(l, at + 2);
	if (l->bytes - at < 3 || !at_string(l, at + 1, end))
		return 0;
	if (l->s[at] == '+')
		return at + 3;
	return l->s[at] == '-' ? skip_space(l, at + 3) : 0;
}

static void comment(struct lexer *l, size_t begin)
{
	size_t at, end;

	for (at = l->at; at < l->bytes; at++) {
		end = block_end(l, at, "#}");
		if (end) {
			l->at = end;
			return;
		}
	}
	if (l->at == l->bytes) /* Jinja2 does not mind when nothing at all follows */
		return;
	l->j->at = (uint32_t)begin;
	mote_jinja_fail(l->j, MOTE_ERROR_CORRUPT, "missing end of comment tag");
}

/* "{%", sign, "raw", "%}" at "at": returns what follows, or 0. */
static size_t raw_begin(const struct lexer *l, size_t at)
{
	at += 2;
	if (at < l->bytes && (l->s[at] == '-' || l->s[at] == '+'))
		at++;
	at = skip_space(l, at);
	if (!at_string(l, at, "raw"))
		return 0;
	at = skip_space(l, at + 3);
	if (at_string(l, at, "%}"))
		return at + 2;
	return at_string(l, at, "-%}") ? skip_space(l, at + 3) : 0;
}

static void raw(struct lexer *l, size_t begin)
{
	size_t from = l->at, at, inner, end;
	char sign;

	l->line_starting = l->s[from - 1] == '\n';
	for (at = from; at + 2 <= l->bytes; at++) {
		if (!at_string(l, at, "{%"))
			continue;
		inner = at + 2;
		sign = inner < l->bytes && (l->s[inner] == '-' || l->s[inner] == '+') ? l->s[inner++] : 0;
		inner = skip_space(l, inner);
		if (!at_string(l, inner, "endraw"))
			continue;
		end = block_end(l, skip_space(l, inner + 6), "%}");
		if (!end)
			continue;
		add_data(l, from, at, sign, true);
		l->at = end;
		return;
	}
	if (from == l->bytes)
		return;
	l->j->at = (uint32_t)begin;
	mote_jinja_fail(l->j, MOTE_ERROR_CORRUPT, "missing end of raw directive");
}

/* ---- inside of tags ---- */

/* digits, each group of them possibly joined by one '_': returns the end */
static size_t digits(const struct lexer *l, size_t at, const char *allowed)
{
	size_t end = at;

	for (;;) {
		if (end < l->bytes && l->s[end] && strchr(allowed, l->s[end]))
			end++;
		else if (end > at && end + 1 < l->bytes && l->s[end] == '_' && l->s[end + 1] &&
			 strchr(allowed, l->s[end + 1]))
			end += 2;
		else
			return end;
	}
}

static bool number(struct lexer *l)
{
	static const char decimal[] = "0123456789";
	size_t at = l->at, whole, end, exponent;
	const char *s = l->s;
	bool is_float = false;

	if (s[at] < '0' || s[at] > '9')
		return false;
	whole = end = digits(l, at, decimal);
	if (end + 1 < l->bytes && s[end] == '.' && s[end + 1] >= '0' && s[end + 1] <= '9') {
		end = digits(l, end + 1, decimal);
		is_float = true;
	}
	if (end < l->bytes && (s[end] | 32) == 'e') {
		exponent = end + 1;
		if (exponent < l->bytes && (s[exponent] == '+' || s[exponent] == '-'))
			exponent++;
		if (digits(l, exponent, decimal) > exponent) {
			end = digits(l, exponent, decimal);
			is_float = true;
		}
	}
	if (is_float && (at == 0 || s[at - 1] != '.')) {
		add(l, JINJA_T_FLOAT, at, end);
		l->at = end;
		return true;
	}
	end = whole;
	if (s[at] == '0') {
		char base = at + 1 < l->bytes ? (char)(s[at + 1] | 32) : 0;
		const char *allowed = base == 'x'   ? "0123456789abcdefABCDEF"
				      : base == 'o' ? "01234567"
				      : base == 'b' ? "01"
						    : NULL;
		size_t from = at + 2;

		if (allowed && from < l->bytes && s[from] == '_')
			from++;
		if (allowed && digits(l, from, allowed) > from)
			end = digits(l, from, allowed);
		else
			end = digits(l, at, "0");
	}
	add(l, JINJA_T_INTEGER, at, end);
	l->at = end;
	return true;
}

static bool name(struct lexer *l)
{
	size_t at = l->at, length;
	uint32_t code;

	while (at < l->bytes) {
		code = mote_utf8_decode(l->s + at, &length);
		if (!mote_jinja_is_word(code))
			break;
		at += length;
	}
	if (at == l->at)
		return false;
	code = mote_utf8_decode(l->s + l->at, &length);
	if (!mote_jinja_is(code, JINJA_ALPHA) && code != '_') {
		l->j->at = (uint32_t)l->at;
		mote_jinja_fail(l->j, MOTE_ERROR_CORRUPT, "invalid character in identifier");
	}
	add(l, JINJA_T_NAME, l->at, at);
	l->at = at;
	return true;
}

static bool string(struct lexer *l)
{
	char quote = l->s[l->at];
	size_t at = l->at + 1;

	if (quote != '\'' && quote != '"')
		return false;
	for (; at < l->bytes && l->s[at] != quote; at++)
		if (l->s[at] == '\\')
			at++;
	if (at >= l->bytes)
		return false;
	add(l, JINJA_T_STRING, l->at, at + 1);
	l->at = at + 1;
	return true;
}

static void balance(struct lexer *l, char c)
{
	static const char open[] = "([{", close[] = ")]}";
	const char *found;
	char expected;

	if ((found = strchr(open, c))) {
		if (l->n_brackets == JINJA_MAX_NESTING)
			mote_jinja_fail(l->j, MOTE_ERROR_LIMIT, "brackets nested deeper than %u", JINJA_MAX_NESTING);
		l->brackets[l->n_brackets++] = close[found - open];
	} else if (strchr(close, c)) {
		if (!l->n_brackets)
			mote_jinja_fail(l->j, MOTE_ERROR_CORRUPT, "unexpected '%c'", c);
		expected = l->brackets[--l->n_brackets];
		if (expected != c)
			mote_jinja_fail(l->j, MOTE_ERROR_CORRUPT, "unexpected '%c', expected '%c'", c, expected);
	}
}

static bool operator(struct lexer *l)
{
	static const struct {
		char s[3];
		uint8_t type;
	} operators[] = { /* the longer ones first */
		{"//", JINJA_T_FLOORDIV}, {"**", JINJA_T_POW}, {"==", JINJA_T_EQ}, {"!=", JINJA_T_NE},
		{">=", JINJA_T_GE}, {"<=", JINJA_T_LE}, {"+", JINJA_T_ADD}, {"-", JINJA_T_SUB},
		{"/", JINJA_T_DIV}, {"*", JINJA_T_MUL}, {"%", JINJA_T_MOD}, {"~", JINJA_T_TILDE},
		{"[", JINJA_T_LBRACKET}, {"]", JINJA_T_RBRACKET}, {"(", JINJA_T_LPAREN},
		{")", JINJA_T_RPAREN}, {"{", JINJA_T_LBRACE}, {"}", JINJA_T_RBRACE}, {">", JINJA_T_GT},
		{"<", JINJA_T_LT}, {"=", JINJA_T_ASSIGN}, {".", JINJA_T_DOT}, {":", JINJA_T_COLON},
		{"|", JINJA_T_PIPE}, {",", JINJA_T_COMMA}, {";", JINJA_T_SEMICOLON},
	};

	for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
		if (!at_string(l, l->at, operators[i].s))
			continue;
		l->j->at = (uint32_t)l->at;
		if (!operators[i].s[1])
			balance(l, operators[i].s[0]);
		add(l, operators[i].type, l->at, l->at + strlen(operators[i].s));
		l->at += strlen(operators[i].s);
		return true;
	}
	return false;
}

/* The inside of {{ }} or {% %}, up to its end. */
static void tag(struct lexer *l, bool block)
{
	size_t end;

	l->n_brackets = 0;
	while (l->at < l->bytes) {
		end = 0;
		if (!l->n_brackets && block)
			end = block_end(l, l->at, "%}");
		else if (!l->n_brackets && at_string(l, l->at, "-}}"))
			end = skip_space(l, l->at + 3);
		else if (!l->n_brackets && at_string(l, l->at, "}}"))
			end = l->at + 2;
		if (end) {
			add(l, block ? JINJA_T_BLOCK_END : JINJA_T_VARIABLE_END, l->at, end);
			l->at = end;
			return;
		}
		end = skip_space(l, l->at);
		if (end > l->at) {
			l->at = end;
			continue;
		}
		if (!number(l) && !name(l) && !string(l) && !operator(l)) {
			l->j->at = (uint32_t)l->at;
			mote_jinja_fail(l->j, MOTE_ERROR_CORRUPT, "unexpected character in a tag");
		}
	}
}

void mote_jinja_lex(struct jinja *j, bool trim_blocks, bool lstrip_blocks, struct jinja_tokens *out)
{
	struct lexer *l = mote_jinja_alloc(j, sizeof *l);
	size_t from, at, after;
	char sign, kind;

	*l = (struct lexer){ .j = j, .s = j->source, .bytes = j->source_bytes, .trim = trim_blocks,
			     .lstrip = lstrip_blocks, .line_starting = true, .out = out };
	while (l->at < l->bytes) {
		from = l->at;
		for (at = from; at + 1 < l->bytes; at++)
			if (l->s[at] == '{' && (l->s[at + 1] == '{' || l->s[at + 1] == '%' || l->s[at + 1] == '#'))
				break;
		if (at + 1 >= l->bytes) {
			add(l, JINJA_T_DATA, from, l->bytes);
			break;
		}
		kind = l->s[at + 1];
		sign = at + 2 < l->bytes && (l->s[at + 2] == '-' || l->s[at + 2] == '+') ? l->s[at + 2] : 0;
		add_data(l, from, at, sign, kind != '{');
		l->at = at + 2 + (sign != 0);
		after = kind == '%' ? raw_begin(l, at) : 0;
		if (after) {
			l->at = after;
			raw(l, at);
		} else if (kind == '#') {
			comment(l, at);
		} else {
			add(l, kind == '%' ? JINJA_T_BLOCK_BEGIN : JINJA_T_VARIABLE_BEGIN, at, l->at);
			tag(l, kind == '%');
		}
		l->line_starting = l->s[l->at - 1] == '\n';
	}
	add(l, JINJA_T_EOF, l->bytes, l->bytes);
}
