/* Chat templates: a bounded interpreter of the Jinja2 (3.1.6) that transformers' chat templates use, with transformers'
 * environment (immutable sandbox, trim_blocks, lstrip_blocks, loop controls, generation tag, raise_exception,
 * strftime_now, tojson). Steps, output, depth and memory are capped: a hostile template gets an error, not a machine.
 *
 * Left out, and refused by name: the tags block, extends, include, import, from and autoescape; the filters pprint,
 * random, urlize and wordwrap; most entities in striptags; complex numbers, surrogates, \N{name} in strings.
 * Integers have 64 bits: a longer one may be passed on and compared, but not calculated with. What Python prints with
 * an address prints with 0x0.
 */
#ifndef MOTE_RUNTIME_TEMPLATE_H
#define MOTE_RUNTIME_TEMPLATE_H

#include <stddef.h>
#include <stdint.h>

#include "format/json.h"
#include "format/status.h"
#include "runtime/tokenizer/tokenizer.h"

struct mote_template;

/* Environment switches; mote_template_options_default() is transformers' environment. */
struct mote_template_options {
	bool trim_blocks, lstrip_blocks, keep_trailing_newline;
};
struct mote_template_options mote_template_options_default(void);

/* Parses; text is copied. MOTE_ERROR_CORRUPT: syntax error with line and column;
 * MOTE_ERROR_UNSUPPORTED: a construct left out, by name; MOTE_ERROR_LIMIT: too large or too deep. */
enum mote_status mote_template_open(const char *text, size_t bytes, const struct mote_template_options *options,
				    struct mote_template **out, struct mote_error *error);
void mote_template_close(struct mote_template *t); /* NULL is fine */

struct mote_template_limits {
	uint64_t steps;        /* evaluated nodes, processed bytes in part; 0: 20 million, some 1-2 s */
	size_t output_bytes;   /* 0: 16 MiB */
	size_t memory_bytes;   /* values and strings; 0: 256 MiB */
	int64_t now;           /* seconds since 1970; strftime_now prints it in local time, which TZ sets */
};

struct mote_text_range {
	size_t begin, end; /* bytes, begin < end */
};

struct mote_rendered {
	char *text;            /* NUL-terminated, owned */
	size_t bytes;
	struct mote_text_span *spans; /* cover text exactly; plain where a byte came from the context's data */
	size_t n_spans;
	/* What {% generation %} blocks wrote, in order and apart: the assistant's answers, for a loss on these alone.
	 * NULL and 0 when the template has none. Text that passed through a filter afterwards is in it as far as the
	 * filter left it as it was. */
	struct mote_text_range *generated;
	size_t n_generated;
};
void mote_rendered_free(struct mote_rendered *r);

/* Renders with the members of the context object as variables (messages, tools, add_generation_prompt,
 * bos_token, ...). trusted: names of top-level variables whose text counts as the template's own (bos_token,
 * eos_token ...), NULL-terminated, or NULL. Ill-formed UTF-8 in the context becomes U+FFFD. Thread-safe on one
 * template.
 * MOTE_ERROR_ARGUMENT: the template itself refused, by raise_exception(), with its message. Other errors name line and
 * column: MOTE_ERROR_CORRUPT: the template does with this context what Jinja2 refuses (an undefined variable's
 * attribute, text plus number); MOTE_ERROR_UNSUPPORTED: something left out; MOTE_ERROR_LIMIT: a cap reached. */
enum mote_status mote_template_render(const struct mote_template *t, const cJSON *context,
				      const char *const *trusted, const struct mote_template_limits *limits,
				      struct mote_rendered *out, struct mote_error *error);

#endif
