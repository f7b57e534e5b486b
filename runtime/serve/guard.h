/* Who may ask: API keys, and protection from web pages that make a browser ask on their behalf. */
#ifndef MOTE_RUNTIME_SERVE_GUARD_H
#define MOTE_RUNTIME_SERVE_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "format/status.h"

enum { MOTE_GUARD_MAX_KEYS = 256, MOTE_GUARD_MAX_NAMES = 32 };

struct mote_guard {
	char *keys_text;                        /* owned */
	const char *key[MOTE_GUARD_MAX_KEYS];
	unsigned keys;                          /* 0: everyone may */
	const char *name[MOTE_GUARD_MAX_NAMES]; /* further hosts, borrowed */
	unsigned names;
};

/* A key a line, of 8 to 512 printable bytes; empty lines and those that begin with # are none. text [bytes] is owned
 * from now on and is cut up. MOTE_ERROR_CORRUPT names the line; a file without keys is refused. */
enum mote_status mote_guard_read_keys(struct mote_guard *g, char *text, size_t bytes, const char *name,
				      struct mote_error *error);
/* The value of a Host header: an address, localhost, or one of the names; a name of somebody else's would be a page
 * that had its own name point here (DNS rebinding). NULL: none, which HTTP/1.0 clients send. */
bool mote_guard_host(const struct mote_guard *g, const char *host);
/* The value of an Origin header, NULL without one: the page of this machine or of a given name that a script is on. */
bool mote_guard_origin(const struct mote_guard *g, const char *origin, const char *host);
/* The values of Authorization and X-Api-Key. Takes as long whichever key it is that does not fit. */
bool mote_guard_key(const struct mote_guard *g, const char *authorization, const char *key);
/* Headers of a body, or NULL: why it cannot be read, and the status that says so; NULL: it can. */
const char *mote_guard_body(const char *encoding, const char *transfer, const char *length, unsigned *code);
void mote_guard_free(struct mote_guard *g);

#endif
