/* Server: a model for other people's programs, over HTTP.
 *
 * mote_serve_open() starts threads of its own and returns; requests are answered until mote_serve_stop(). What it takes
 * at most is known when it opens: the session's memory, connections and bodies (http.h), waiting requests, and for each
 * of these one answer's text.
 */
#ifndef MOTE_RUNTIME_SERVE_H
#define MOTE_RUNTIME_SERVE_H

#include "runtime/serve/guard.h"
#include "runtime/serve/served.h"

struct mote_serve;

struct mote_serve_options {
	struct mote_models *models; /* borrowed, at least one; stopped by mote_serve_stop() */
	const char *host;
	uint16_t port;              /* 0: a free one */
	int socket;                 /* a listening one, or -1 */
	uint32_t header_seconds;    /* most until a request's headers are there */
	double seconds;             /* most for a request; 0: no limit */
	struct mote_guard *guard;   /* borrowed */
};

/* MOTE_ERROR_ARGUMENT, MOTE_ERROR_IO, MOTE_ERROR_MEMORY. */
enum mote_status mote_serve_open(const struct mote_serve_options *options, struct mote_serve **out,
				 struct mote_error *error);
uint16_t mote_serve_port(const struct mote_serve *s);
/* No new connection and no new request; those under way get so many seconds to end. */
void mote_serve_stop(struct mote_serve *s, double seconds);
void mote_serve_close(struct mote_serve *s); /* NULL is fine */

#endif
