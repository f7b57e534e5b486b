/* Grammars: which texts an answer may be.
 *
 * A grammar comes from GBNF (llama.cpp's notation) or from a JSON schema; docs/grammar.md says what of both is
 * understood. Either becomes one network of states over bytes (network.h), which mote_matcher (matcher.h) follows.
 * Characters are compiled to the bytes of their UTF-8, so whatever a grammar accepts is valid UTF-8, and a token may
 * end inside of a character. Read-only once made: any number of matchers in any threads may follow it.
 */
#ifndef MOTE_RUNTIME_GRAMMAR_H
#define MOTE_RUNTIME_GRAMMAR_H

#include <stddef.h>

#include "format/json.h"
#include "format/status.h"

struct mote_grammar;

/* From GBNF; it begins at the rule "root".
 *   name  what the text is, for messages ("--grammar x.gbnf"); line and column are added
 * MOTE_ERROR_CORRUPT: not GBNF, or not UTF-8. MOTE_ERROR_UNSUPPORTED: a part of it that is not done, by name; a rule
 * that is left recursive or never comes to an end. MOTE_ERROR_LIMIT: more than MOTE_GRAMMAR_MAX_EDGES.
 * MOTE_ERROR_MEMORY. */
enum mote_status mote_grammar_read_gbnf(const char *text, size_t bytes, const char *name, struct mote_grammar **out,
					struct mote_error *error);

/* From a JSON schema. Messages begin with name and the JSON pointer of what is at fault. Statuses as above. */
enum mote_status mote_grammar_read_schema(const cJSON *schema, const char *name, struct mote_grammar **out,
					  struct mote_error *error);

/* Any JSON object. */
enum mote_status mote_grammar_any_object(struct mote_grammar **out, struct mote_error *error);

/* One or several calls of tools, as models with tags of their own write them:
 *   <tool_call>\n{"name": NAME, "arguments": ARGUMENTS}\n</tool_call>
 * tools is OpenAI's list, [{"type": "function", "function": {"name", "parameters"}}]; only: the name of the one that
 * must be called, or NULL; several: whether another may follow. MOTE_ERROR_ARGUMENT: the list is not one, or nothing
 * in it is called so; other statuses as of schemas. */
enum mote_status mote_grammar_tool_calls(const cJSON *tools, const char *only, bool several, struct mote_grammar **out,
					 struct mote_error *error);

void mote_grammar_close(struct mote_grammar *g); /* NULL is fine */

#endif
