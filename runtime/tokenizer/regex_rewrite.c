/* Patterns as PCRE2 reads them.
 *
 * tokenizer.json's patterns are Oniguruma's with Ruby's syntax. Most of them mean the same in PCRE2; what does not
 * is rewritten here (\s \w \d \h \b \v, scripts, (?m), {,n}, and ^ $ which are line anchors in Ruby), and what cannot
 * be rewritten is refused by name.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/tokenizer/regex.h"

static const char space_set[] = "\\x{9}-\\x{d}\\x{20}\\x{85}\\p{Z}";
#define WORD_SET "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}" \
	"\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"
static const char word_set_in_class[] = WORD_SET;
static const char word_set[] = WORD_SET "\\xb2\\xb3\\xb9\\xbc-\\xbe"; /* Oniguruma's table for Latin-1 differs */

struct rewriter {
	const char *in;
	size_t bytes, at;
	char *out;
	size_t used, room;
	bool intersecting; /* in the second class of one: bounds the recursion */
	enum mote_status status;
	struct mote_error *error;
};

static void refuse(struct rewriter *w, enum mote_status status, const char *what)
{
	if (!w->status)
		w->status = mote_error_set(w->error, status, "pattern \"%.*s\": byte %zu: %s",
						(int)(w->bytes < 200 ? w->bytes : 200), w->in, w->at, what);
	w->at = w->bytes;
}

static void put(struct rewriter *w, const char *text, size_t bytes)
{
	if (w->room - w->used < bytes) {
		size_t room = w->room * 2 + bytes + 256;
		char *grown = realloc(w->out, room);

		if (!grown) {
			refuse(w, MOTE_ERROR_MEMORY, "out of memory");
			return;
		}
		w->out = grown;
		w->room = room;
	}
	memcpy(w->out + w->used, text, bytes);
	w->used += bytes;
}

static void puts_to(struct rewriter *w, const char *text)
{
	put(w, text, strlen(text));
}

/* A class in terms of a set: inside brackets the set itself. */
static void put_set(struct rewriter *w, const char *set, bool negated, bool in_class)
{
	if (in_class) {
		puts_to(w, set);
		return;
	}
	puts_to(w, negated ? "[^" : "[");
	puts_to(w, set);
	puts_to(w, "]");
}

static bool compiles(const char *pattern)
{
	int code;
	PCRE2_SIZE offset;
	pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP, &code,
					     &offset, NULL);

	pcre2_code_free(compiled);
	return compiled != NULL;
}

/* \p{Greek} is the script in Oniguruma, the script extensions in PCRE2. */
static void put_property(struct rewriter *w)
{
	const char *open = w->in + w->at, *close = memchr(open, '}', w->bytes - w->at);
	char name[64], probe[96];
	size_t bytes, skip;

	if (w->bytes - w->at < 4 || open[2] != '{' || !close || (size_t)(close - open) >= sizeof name) {
		refuse(w, MOTE_ERROR_UNSUPPORTED, "\\p without {name}");
		return;
	}
	bytes = (size_t)(close - open) - 3;
	skip = bytes && open[3] == '^';
	memcpy(name, open + 3 + skip, bytes - skip);
	name[bytes - skip] = 0;
	snprintf(probe, sizeof probe, "\\p{sc:%s}", name);
	put(w, open, 2);
	puts_to(w, skip ? "{^" : "{");
	puts_to(w, bytes - skip > 2 && compiles(probe) ? "sc:" : "");
	puts_to(w, name);
	puts_to(w, "}");
	w->at += (size_t)(close - open) + 1;
}

static void put_hex(struct rewriter *w, size_t digits)
{
	char code[16] = "\\x{";

	if (w->bytes - w->at < 2 + digits) {
		refuse(w, MOTE_ERROR_CORRUPT, "incomplete escape");
		return;
	}
	memcpy(code + 3, w->in + w->at + 2, digits);
	strcpy(code + 3 + digits, "}");
	puts_to(w, code);
	w->at += 2 + digits;
}

static void rewrite_escape(struct rewriter *w, bool in_class)
{
	char c = w->at + 1 < w->bytes ? w->in[w->at + 1] : 0;

	switch (c) {
	case 's': put_set(w, space_set, false, in_class); break;
	case 'w': put_set(w, in_class ? word_set_in_class : word_set, false, in_class); break;
	case 'h': put_set(w, "0-9a-fA-F", false, in_class); break;
	case 'd': puts_to(w, "\\p{Nd}"); break;
	case 'D': puts_to(w, "\\P{Nd}"); break;
	case 'v': puts_to(w, "\\x{b}"); break;
	case 'p':
	case 'P':
		put_property(w);
		return;
	case 'u':
		put_hex(w, 4);
		return;
	case 'x':
		if (w->at + 2 < w->bytes && w->in[w->at + 2] == '{') {
			put(w, "\\x", 2);
			break;
		}
		if (w->at + 2 < w->bytes && w->in[w->at + 2] >= '8') {
			refuse(w, MOTE_ERROR_UNSUPPORTED, "\\x with a byte that is not ASCII");
			return;
		}
		put_hex(w, 2);
		return;
	case 'S':
		if (in_class) /* PCRE2 still takes U+180E for a space */
			puts_to(w, "\\S\\x{180e}");
		else
			put_set(w, space_set, true, false);
		break;
	case 'W':
	case 'H':
		if (in_class) {
			refuse(w, MOTE_ERROR_UNSUPPORTED, "\\W or \\H in a class");
			return;
		}
		put_set(w, c == 'W' ? word_set : "0-9a-fA-F", true, false);
		break;
	case 'b':
	case 'B':
		if (in_class) {
			puts_to(w, "\\x{8}");
			break;
		}
		/* After a word character and (not) before one, or the other way round. */
		puts_to(w, "(?:(?<=[");
		puts_to(w, word_set);
		puts_to(w, c == 'b' ? "])(?![" : "])(?=[");
		puts_to(w, word_set);
		puts_to(w, "])|(?<![");
		puts_to(w, word_set);
		puts_to(w, c == 'b' ? "])(?=[" : "])(?![");
		puts_to(w, word_set);
		puts_to(w, "]))");
		break;
	case 0: case 'K': case 'g': case 'c': case 'C': case 'M': case 'N': case 'O': case 'y': case 'Y':
		refuse(w, MOTE_ERROR_UNSUPPORTED, "this escape");
		return;
	default:
		put(w, w->in + w->at, 1 + mote_utf8_length(c));
		w->at += 1 + mote_utf8_length(c);
		return;
	}
	w->at += 2;
}

static void rewrite_class(struct rewriter *w);

/* At "&&[": what was written of the class from start on becomes a condition on the character that the second class
 * takes. (Kimi's pattern excludes Han from the letters that way.) */
static void rewrite_intersection(struct rewriter *w, size_t start)
{
	size_t bytes = w->used - start;
	char *first = malloc(bytes);

	if (!first) {
		refuse(w, MOTE_ERROR_MEMORY, "out of memory");
		return;
	}
	memcpy(first, w->out + start, bytes);
	w->used = start;
	puts_to(w, "(?:(?=");
	put(w, first, bytes);
	puts_to(w, "])");
	free(first);
	w->at += 2;
	w->intersecting = true;
	rewrite_class(w);
	w->intersecting = false;
	puts_to(w, ")");
	if (w->at < w->bytes && w->in[w->at] == ']')
		w->at++;
	else
		refuse(w, MOTE_ERROR_UNSUPPORTED, "more behind && in a class than one class");
}

/* A class. One inside it only adds its members (BLOOM's pattern does that), unless it is negated. */
static void rewrite_class(struct rewriter *w)
{
	size_t depth = 0, start = w->used, first; /* where a ']' would be a member */
	bool negated = false;

	put(w, "[", 1);
	w->at++;
	if (w->at < w->bytes && w->in[w->at] == '^') {
		negated = true;
		put(w, "^", 1);
		w->at++;
	}
	first = w->at;
	while (w->at < w->bytes) {
		char c = w->in[w->at], next = w->at + 1 < w->bytes ? w->in[w->at + 1] : 0;

		if (c == '\\') {
			rewrite_escape(w, true);
		} else if (c == '[' && (next == ':' || next == '^' || next == ']')) {
			refuse(w, MOTE_ERROR_UNSUPPORTED, "a POSIX class, or a negated or empty class in a class");
		} else if (c == '&' && next == '&') {
			if (!negated && !depth && !w->intersecting && w->at > first && w->at + 2 < w->bytes &&
			    w->in[w->at + 2] == '[')
				rewrite_intersection(w, start);
			else
				refuse(w, MOTE_ERROR_UNSUPPORTED, "&& in a class other than [..&&[..]]");
			return;
		} else if (c == '[') {
			depth++;
			w->at++;
		} else if (c == ']' && w->at > first && depth) {
			depth--;
			w->at++;
		} else {
			put(w, &c, 1);
			w->at++;
			if (c == ']' && w->at - 1 > first)
				return;
		}
	}
}

/* (? and what follows it: m is Ruby's name for what others call s. */
static void rewrite_group(struct rewriter *w)
{
	size_t at = w->at + 2;

	put(w, "(?", 2);
	while (at < w->bytes && (w->in[at] == 'i' || w->in[at] == 'm' || w->in[at] == 'x' || w->in[at] == '-')) {
		puts_to(w, w->in[at] == 'm' ? "s" : (char[]){w->in[at], 0});
		at++;
	}
	if (at < w->bytes && !strchr(":)=!><#|'", w->in[at]))
		refuse(w, MOTE_ERROR_UNSUPPORTED, "this kind of group");
	else
		w->at = at;
}

/* At '{': an interval, or an ordinary brace. */
static void rewrite_interval(struct rewriter *w)
{
	size_t at = w->at + 1, low = at, comma;

	while (at < w->bytes && w->in[at] >= '0' && w->in[at] <= '9')
		at++;
	comma = at;
	if (at < w->bytes && w->in[at] == ',')
		for (at++; at < w->bytes && w->in[at] >= '0' && w->in[at] <= '9';)
			at++;
	if (at >= w->bytes || w->in[at] != '}' || (comma == low && at - comma < 2)) {
		puts_to(w, "\\{");
		w->at++;
		return;
	}
	puts_to(w, comma == low ? "{0" : "{");
	put(w, w->in + low, at + 1 - low);
	w->at = at + 1;
	if (w->at < w->bytes && (w->in[w->at] == '+' || (w->in[w->at] == '?' && comma == at)))
		refuse(w, MOTE_ERROR_UNSUPPORTED, "an interval followed by a quantifier");
}

static void rewrite(struct rewriter *w)
{
	while (w->at < w->bytes) {
		char c = w->in[w->at], next = w->at + 1 < w->bytes ? w->in[w->at + 1] : 0;

		if (c == '\\') {
			rewrite_escape(w, false);
		} else if (c == '[') {
			rewrite_class(w);
		} else if (c == '(' && next == '?') {
			rewrite_group(w);
		} else if (c == '(' && next == '*') {
			refuse(w, MOTE_ERROR_UNSUPPORTED, "(*");
		} else if (c == '{') {
			rewrite_interval(w);
		} else {
			put(w, &c, 1);
			w->at++;
		}
	}
}

enum mote_status mote_tokenizer_regex_rewrite(const char *pattern, size_t bytes, char **out, size_t *out_bytes,
					      struct mote_error *error)
{
	struct rewriter w = {.in = pattern, .bytes = bytes, .error = error};

	rewrite(&w);
	*out = w.out;
	*out_bytes = w.used;
	return w.status;
}
