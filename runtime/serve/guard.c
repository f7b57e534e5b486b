#include "runtime/serve/guard.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum mote_status mote_guard_read_keys(struct mote_guard *g, char *text, size_t bytes, const char *name,
				      struct mote_error *error)
{
	unsigned line = 0;

	g->keys_text = text;
	if (memchr(text, 0, bytes))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: a NUL byte; expected a key a line", name);
	for (char *at = text, *next; at; at = next) {
		size_t n = strcspn(at, "\r\n");

		line++;
		next = strchr(at, '\n');
		next = next ? next + 1 : NULL;
		at[n] = 0;
		if (n == 0 || *at == '#')
			continue;
		for (size_t i = 0; i < n; i++)
			if (at[i] <= ' ' || at[i] > '~' || n < 8 || n > 512)
				return mote_error_set(error, MOTE_ERROR_CORRUPT,
						      "%s: line %u: expected a key of 8 to 512 printable characters",
						      name, line);
		if (g->keys == MOTE_GUARD_MAX_KEYS)
			return mote_error_set(error, MOTE_ERROR_LIMIT, "%s: more than %d keys", name,
					      MOTE_GUARD_MAX_KEYS);
		g->key[g->keys++] = at;
	}
	return g->keys ? MOTE_OK : mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: no key in it", name);
}

/* "name:port", "1.2.3.4", "[::1]:80" without the port and the brackets; false when it is too long. */
static bool host_of(const char *value, char host[256])
{
	const char *end = *value == '[' ? strchr(value, ']') : value + strcspn(value, ":/");
	size_t n;

	value += *value == '[';
	if (!end || end < value || (n = (size_t)(end - value)) >= 256)
		return false;
	memcpy(host, value, n);
	host[n] = 0;
	return n > 0;
}

static bool is_local(const char *host)
{
	struct in_addr four;
	size_t n = strlen(host);

	return !strcasecmp(host, "localhost") || (n > 10 && !strcasecmp(host + n - 10, ".localhost")) ||
	       !strcmp(host, "::1") ||
	       (inet_pton(AF_INET, host, &four) == 1 && ntohl(four.s_addr) >> 24 == 127);
}

static bool is_named(const struct mote_guard *g, const char *host)
{
	for (unsigned i = 0; i < g->names; i++)
		if (!strcasecmp(g->name[i], host))
			return true;
	return false;
}

static bool is_address(const char *host)
{
	unsigned char address[16];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

bool mote_guard_host(const struct mote_guard *g, const char *value)
{
	char host[256];

	return !value || (host_of(value, host) && (is_local(host) || is_address(host) || is_named(g, host)));
}

bool mote_guard_origin(const struct mote_guard *g, const char *origin, const char *own)
{
	const char *at = origin ? strstr(origin, "://") : NULL;
	char host[256];

	if (!origin)
		return true;
	if (!at || !host_of(at + 3, host))
		return false;
	return is_local(host) || is_named(g, host) || (own && !strcasecmp(own, at + 3));
}

/* All bytes are looked at. */
static bool same(const char *key, const char *given, size_t bytes)
{
	size_t n = strlen(key);
	unsigned char difference = n != bytes;

	for (size_t i = 0; i < n; i++)
		difference |= (unsigned char)(key[i] ^ (bytes ? given[i % bytes] : 1));
	return !difference;
}

bool mote_guard_key(const struct mote_guard *g, const char *authorization, const char *key)
{
	bool known = g->keys == 0;

	if (!key && authorization && !strncasecmp(authorization, "Bearer ", 7))
		key = authorization + 7;
	for (unsigned i = 0; key && i < g->keys; i++)
		known |= same(g->key[i], key, strlen(key));
	return known;
}

const char *mote_guard_body(const char *encoding, const char *transfer, const char *length, unsigned *code)
{
	*code = 415;
	if (encoding && strcasecmp(encoding, "identity"))
		return "Content-Encoding: expected a body that is not compressed";
	*code = 501;
	if (transfer && strcasecmp(transfer, "chunked"))
		return "Transfer-Encoding: expected chunked";
	*code = 400;
	return transfer && length ? "Content-Length beside Transfer-Encoding" : NULL;
}

void mote_guard_free(struct mote_guard *g)
{
	free(g->keys_text);
	*g = (struct mote_guard){0};
}
