/* HTTP, the one room that knows libmicrohttpd: connections, each with a thread of its own, bodies, answers, streams.
 *
 * Bounds: MOTE_HTTP_MAX_CONNECTIONS connections, each with a stack and 32 KiB for its headers; a body of
 * MOTE_HTTP_MAX_BODY bytes, which must come within MOTE_HTTP_BODY_SECONDS, some of it every header_seconds; a
 * connection on which nothing moves for MOTE_HTTP_IDLE_SECONDS is closed, unless it waits for its answer. A client that
 * reads slowly holds up its own thread only.
 */
#ifndef MOTE_RUNTIME_SERVE_HTTP_H
#define MOTE_RUNTIME_SERVE_HTTP_H

#include "format/status.h"
#include "runtime/serve/bytes.h"

enum { MOTE_HTTP_MAX_CONNECTIONS = 256, MOTE_HTTP_MAX_BODY = 8 << 20, MOTE_HTTP_BODY_SECONDS = 60,
       MOTE_HTTP_IDLE_SECONDS = 120 };

struct mote_http;

/* A request, and what is answered. The handler fills in what lies below the line. */
struct mote_exchange {
	const char *method, *path; /* without the query */
	const char *body;          /* [bytes], a NUL behind */
	size_t bytes;
	int fd;                    /* the client's socket, valid until a stream's end(), or the handler's return */
	void *connection;
	/* ---- */
	unsigned code;
	const char *type;          /* "application/json" */
	struct mote_bytes out;     /* the answer, freed by this room */
	const char *header[8][2];  /* further ones, up to the first NULL; borrowed until the handler returns */
	char policy[400];          /* room for a header's value */
	/* Instead of out: appends what comes next, waiting for it; false: that was all. end() frees user. */
	bool (*next)(void *user, struct mote_bytes *out);
	void (*end)(void *user);
	void *user;
};

/* A header of the request, or NULL. */
const char *mote_exchange_header(const struct mote_exchange *x, const char *name);

struct mote_http_options {
	const char *host;          /* an address or a name of this machine */
	uint16_t port;             /* 0: a free one */
	uint32_t header_seconds;   /* most until a request's headers are there, of a connection or since its last
				    * request; and between them and the pieces of its body, and its end */
	int socket;                /* a listening one that is there already, or -1 */
	void (*handle)(void *user, struct mote_exchange *x); /* called on many threads at once */
	/* Looks at a request before its body: sets x->code and x->out to refuse it. */
	void (*admit)(void *user, struct mote_exchange *x);
	/* What the room itself refuses: fills in x->out for x->code. */
	void (*refuse)(void *user, struct mote_exchange *x, const char *message);
	void *user;
};

/* MOTE_ERROR_IO: the address is in use, say; MOTE_ERROR_ARGUMENT: no such address. */
enum mote_status mote_http_open(const struct mote_http_options *options, struct mote_http **out,
				struct mote_error *error);
uint16_t mote_http_port(const struct mote_http *h);
/* Takes no new connections from now on. */
void mote_http_quiet(struct mote_http *h);
/* Waits until every answer that was asked for has been sent, so many seconds at most: closing cuts off what has not. */
void mote_http_finish(struct mote_http *h, double seconds);
/* Waits for all handlers and streams. NULL is fine. */
void mote_http_close(struct mote_http *h);

#endif
