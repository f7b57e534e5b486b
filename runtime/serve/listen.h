/* Sockets to listen on that are there before HTTP is: one at a path, or one that a service manager opened. */
#ifndef MOTE_RUNTIME_SERVE_LISTEN_H
#define MOTE_RUNTIME_SERVE_LISTEN_H

#include <stdbool.h>

#include "format/status.h"

/* A socket at a path, *fd. One that nobody listens on any more is replaced; its rights follow the umask.
 * MOTE_ERROR_ARGUMENT: something else is at path, or it is too long; MOTE_ERROR_IO: somebody listens there. */
enum mote_status mote_listen_path(const char *path, int *fd, struct mote_error *error);

/* The socket of systemd's activation (sd_listen_fds(3)): *fd, or -1 when there is none. The variables that tell of it
 * are taken out of the environment. MOTE_ERROR_ARGUMENT: several, or one that does not listen. */
enum mote_status mote_listen_passed(int *fd, struct mote_error *error);

/* What a client is told to go to: "http://127.0.0.1:8080", "unix:/run/mote". */
void mote_listen_describe(int fd, char text[200]);

#endif
