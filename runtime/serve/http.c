/* See http.h. Every connection has a thread, so that a handler may wait for the model, and a stream for its next piece,
 * without holding up others. */
#include "runtime/serve/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { STACK_BYTES = 2 << 20, BLOCK_BYTES = 16 << 10 };

/* A connection. Who sends a header a byte at a time, or what frames a body's chunks, or what follows it, would hold
 * one, and its thread, for as long as he likes. */
struct guest {
	struct guest *next, **link; /* what points here */
	int fd;
	time_t until;               /* when the headers, or the next piece of a body, must be there; 0: whenever */
};

struct mote_http {
	struct MHD_Daemon *daemon;
	pthread_t warden;           /* shuts connections down whose requests do not come */
	pthread_mutex_t lock;       /* of the guests and of answering */
	uint32_t answering;         /* requests that were handed on and whose answers are not sent yet */
	pthread_cond_t end;
	bool watching, ending;
	struct guest *guest;
	struct mote_http_options options;
	int quiet; /* the listening socket after mote_http_quiet(), or -1 */
};

/* A request while its body comes. */
struct request {
	struct mote_bytes body;
	time_t began;
	bool answering;  /* counted */
	bool too_large;  /* then what comes is dropped, since an answer cannot be sent while a body comes */
};

static const char too_large[] = "the body is larger than 8 MiB";

struct stream {
	struct mote_bytes out;
	size_t sent;
	struct mote_exchange x; /* of which next(), end() and user are the stream's */
	bool done;
};

const char *mote_exchange_header(const struct mote_exchange *x, const char *name)
{
	return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

/* ---- answers ---- */

static ssize_t read_stream(void *user, uint64_t position, char *buffer, size_t room)
{
	struct stream *s = user;
	size_t n;
	(void)position;

	if (s->sent == s->out.count) {
		s->sent = s->out.count = 0;
		/* What the client waits for is no idleness of his; setting the limit again counts from then on. */
		MHD_set_connection_option(s->x.connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
		while (!s->done && !s->out.count && !s->out.failed)
			s->done = !s->x.next(s->x.user, &s->out);
		MHD_set_connection_option(s->x.connection, MHD_CONNECTION_OPTION_TIMEOUT, MOTE_HTTP_IDLE_SECONDS + 0u);
	}
	if (s->out.failed)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	n = s->out.count - s->sent;
	if (n == 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	n = n < room ? n : room;
	memcpy(buffer, s->out.text + s->sent, n);
	s->sent += n;
	return (ssize_t)n;
}

static void free_stream(void *user)
{
	struct stream *s = user;

	s->x.end(s->x.user);
	mote_bytes_free(&s->out);
	free(s);
}

static struct MHD_Response *make_response(struct mote_exchange *x)
{
	struct MHD_Response *response;
	struct stream *s;

	if (!x->next)
		return x->out.failed ? NULL : MHD_create_response_from_buffer(x->out.count, x->out.text,
									      MHD_RESPMEM_MUST_COPY);
	s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	*s = (struct stream){.x = *x};
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream, s, free_stream);
	if (!response)
		free(s);
	else
		x->user = NULL; /* the stream's now */
	return response;
}

/* An answer without one of them would say something else. */
static bool add_headers(struct MHD_Response *response, const struct mote_exchange *x)
{
	bool all = MHD_add_response_header(response, "Content-Type", x->type ? x->type : "application/json") &&
		   MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");

	for (size_t i = 0; i < 8 && x->header[i][0]; i++)
		all = all && MHD_add_response_header(response, x->header[i][0], x->header[i][1]);
	return all;
}

static enum MHD_Result send_answer(struct mote_exchange *x)
{
	struct MHD_Response *response = make_response(x);
	enum MHD_Result result;

	mote_bytes_free(&x->out);
	if (x->next && x->user)
		x->end(x->user);
	if (!response)
		return MHD_NO;
	result = add_headers(response, x) ? MHD_queue_response(x->connection, x->code, response) : MHD_NO;
	MHD_destroy_response(response);
	return result;
}

/* ---- requests ---- */

static int socket_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

static enum MHD_Result refuse(struct mote_http *h, struct mote_exchange *x, unsigned code, const char *message)
{
	x->code = code;
	h->options.refuse(h->options.user, x, message);
	return send_answer(x);
}

/* ---- guests ---- */

static void on_connection(void *user, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct mote_http *h = user;
	struct guest *g = *context;

	pthread_mutex_lock(&h->lock);
	if (what == MHD_CONNECTION_NOTIFY_STARTED && (g = calloc(1, sizeof *g))) {
		*g = (struct guest){.next = h->guest, .link = &h->guest, .fd = socket_of(connection),
				    .until = time(NULL) + (time_t)h->options.header_seconds};
		if (g->next)
			g->next->link = &g->next;
		h->guest = g;
		*context = g;
	} else if (what == MHD_CONNECTION_NOTIFY_CLOSED && g) {
		*g->link = g->next;
		if (g->next)
			g->next->link = g->link;
		free(g);
		*context = NULL;
	}
	pthread_mutex_unlock(&h->lock);
}

/* Whether something must come now. */
static void set_waiting(struct mote_http *h, struct MHD_Connection *connection, bool waiting)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct guest *g = info ? info->socket_context : NULL;

	if (!g)
		return;
	pthread_mutex_lock(&h->lock);
	g->until = waiting ? time(NULL) + (time_t)h->options.header_seconds : 0;
	pthread_mutex_unlock(&h->lock);
}

static void *watch(void *user)
{
	struct mote_http *h = user;
	struct timespec until;

	pthread_mutex_lock(&h->lock);
	while (!h->ending) {
		time_t now = time(NULL);

		for (struct guest *g = h->guest; g; g = g->next)
			if (g->until && now > g->until)
				shutdown(g->fd, SHUT_RDWR);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		pthread_cond_timedwait(&h->end, &h->lock, &until);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

/* The headers are there: may it go on? */
static enum MHD_Result begin(struct mote_http *h, struct mote_exchange *x, void **state)
{
	const char *length = mote_exchange_header(x, "Content-Length");
	struct request *r = calloc(1, sizeof *r);

	if (!r)
		return MHD_NO;
	r->began = time(NULL);
	set_waiting(h, x->connection, true);
	*state = r;
	h->options.admit(h->options.user, x);
	if (x->code)
		return send_answer(x);
	if (length && strtoull(length, NULL, 10) > MOTE_HTTP_MAX_BODY)
		return refuse(h, x, 413, too_large);
	return MHD_YES;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url, const char *method,
				  const char *version, const char *data, size_t *bytes, void **state)
{
	struct mote_exchange x = {.method = method, .path = url, .connection = connection, .fd = socket_of(connection)};
	struct mote_http *h = user;
	struct request *r = *state;
	(void)version;

	if (!r)
		return begin(h, &x, state);
	if (*bytes) {
		if (time(NULL) - r->began > MOTE_HTTP_BODY_SECONDS)
			return MHD_NO;
		set_waiting(h, connection, true);
		r->too_large |= r->body.count + *bytes > MOTE_HTTP_MAX_BODY;
		if (!r->too_large)
			mote_bytes_add(&r->body, data, *bytes);
		*bytes = 0;
		return r->body.failed ? MHD_NO : MHD_YES;
	}
	set_waiting(h, connection, false);
	if (r->too_large)
		return refuse(h, &x, 413, too_large);
	pthread_mutex_lock(&h->lock);
	r->answering = true;
	h->answering++;
	pthread_mutex_unlock(&h->lock);
	x.body = r->body.text ? r->body.text : "";
	x.bytes = r->body.count;
	h->options.handle(h->options.user, &x);
	return send_answer(&x);
}

static void on_end(void *user, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
	struct request *r = *state;
	struct mote_http *h = user;
	(void)code;

	set_waiting(h, connection, true);
	if (r && r->answering) {
		pthread_mutex_lock(&h->lock);
		h->answering--;
		pthread_mutex_unlock(&h->lock);
	}
	if (r)
		mote_bytes_free(&r->body);
	free(r);
	*state = NULL;
}

/* libmicrohttpd's own words go nowhere: this room does not print. */
static void say_nothing(void *user, const char *format, va_list list)
{
	(void)user, (void)format, (void)list;
}

/* ---- opening ---- */

static enum mote_status start(struct mote_http *h, const struct sockaddr *address, struct mote_error *error)
{
	const struct mote_http_options *o = &h->options;
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ITC |
			 MHD_USE_ERROR_LOG;
	struct MHD_OptionItem where[] = {
		{o->socket >= 0 ? MHD_OPTION_LISTEN_SOCKET : MHD_OPTION_SOCK_ADDR, o->socket >= 0 ? o->socket : 0,
		 o->socket >= 0 ? NULL : (void *)(uintptr_t)address},
		{MHD_OPTION_END, 0, NULL}};

	if (address && address->sa_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	h->daemon = MHD_start_daemon(flags, o->port, NULL, NULL, on_request, h,
				     MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
				     MHD_OPTION_ARRAY, where, MHD_OPTION_NOTIFY_COMPLETED, on_end, h,
				     MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
				     MHD_OPTION_CONNECTION_LIMIT, (unsigned)MOTE_HTTP_MAX_CONNECTIONS,
				     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)MOTE_HTTP_IDLE_SECONDS,
				     MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES,
				     MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
	return h->daemon ? MOTE_OK
			 : mote_error_set(error, MOTE_ERROR_IO, "%s:%u: cannot listen there: %s", o->host, o->port,
					  strerror(errno));
}

enum mote_status mote_http_open(const struct mote_http_options *options, struct mote_http **out,
				struct mote_error *error)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found = NULL;
	struct mote_http *h = calloc(1, sizeof *h);
	enum mote_status status = MOTE_OK;
	char port[8];
	int code;

	*out = NULL;
	if (!h)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a server");
	h->options = *options;
	h->quiet = -1;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->end, NULL);
	snprintf(port, sizeof port, "%u", options->port);
	if (options->socket < 0 && (code = getaddrinfo(options->host, port, &hints, &found)))
		status = mote_error_set(error, code == EAI_MEMORY ? MOTE_ERROR_MEMORY :
					code == EAI_SYSTEM || code == EAI_AGAIN || code == EAI_FAIL ? MOTE_ERROR_IO :
					MOTE_ERROR_ARGUMENT, "%s: %s", options->host,
					code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
	if (status == MOTE_OK)
		status = start(h, found ? found->ai_addr : NULL, error);
	if (found)
		freeaddrinfo(found);
	if (status == MOTE_OK && !(h->watching = pthread_create(&h->warden, NULL, watch, h) == 0))
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "no thread for a server");
	if (status) {
		mote_http_close(h);
		return status;
	}
	*out = h;
	return MOTE_OK;
}

uint16_t mote_http_port(const struct mote_http *h)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT);

	return info ? info->port : 0;
}

void mote_http_quiet(struct mote_http *h)
{
	h->quiet = MHD_quiesce_daemon(h->daemon);
}

void mote_http_finish(struct mote_http *h, double seconds)
{
	bool busy = true;

	for (double waited = 0; busy && waited < seconds; waited += 0.02) {
		pthread_mutex_lock(&h->lock);
		busy = h->answering > 0;
		pthread_mutex_unlock(&h->lock);
		if (busy)
			usleep(20000);
	}
}

void mote_http_close(struct mote_http *h)
{
	if (!h)
		return;
	if (h->watching) {
		pthread_mutex_lock(&h->lock);
		h->ending = true;
		pthread_cond_signal(&h->end);
		pthread_mutex_unlock(&h->lock);
		pthread_join(h->warden, NULL);
	}
	if (h->daemon)
		MHD_stop_daemon(h->daemon);
	pthread_mutex_destroy(&h->lock);
	pthread_cond_destroy(&h->end);
	if (h->quiet >= 0)
		close(h->quiet);
	free(h);
}
