#include "runtime/serve/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_PASSED = 3, BACKLOG = 128 };

/* Is somebody behind the socket at this address? */
static bool answers(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool does = fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
				errno != ECONNREFUSED);

	if (fd >= 0)
		close(fd);
	return does;
}

enum mote_status mote_listen_path(const char *path, int *fd, struct mote_error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;

	*fd = -1;
	if (!*path || strlen(path) >= sizeof address.sun_path)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "unix:%s: expected a path of 1 to %zu bytes", path,
				      sizeof address.sun_path - 1);
	strcpy(address.sun_path, path);
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: exists and is no socket", path);
		if (answers(&address))
			return mote_error_set(error, MOTE_ERROR_IO, "%s: somebody listens there already", path);
		unlink(path);
	}
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd >= 0 && bind(*fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(*fd, BACKLOG) == 0)
		return MOTE_OK;
	(void)mote_error_set(error, MOTE_ERROR_IO, "%s: cannot listen there: %s", path, strerror(errno));
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return MOTE_ERROR_IO;
}

enum mote_status mote_listen_passed(int *fd, struct mote_error *error)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	long sockets = count ? strtol(count, NULL, 10) : 0;
	bool ours = pid && sockets > 0 && strtol(pid, NULL, 10) == (long)getpid();
	int listens = 0;
	socklen_t bytes = sizeof listens;

	*fd = -1;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (!ours)
		return MOTE_OK;
	if (sockets > 1)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%ld sockets were passed (LISTEN_FDS); expected one",
				      sockets);
	if (getsockopt(FIRST_PASSED, SOL_SOCKET, SO_ACCEPTCONN, &listens, &bytes) || !listens)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "what was passed (LISTEN_FDS) is no socket that listens");
	(void)fcntl(FIRST_PASSED, F_SETFD, FD_CLOEXEC);
	*fd = FIRST_PASSED;
	return MOTE_OK;
}

void mote_listen_describe(int fd, char text[200])
{
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
		struct sockaddr_un local;
		struct sockaddr_storage room;
	} a = {.any = {.sa_family = AF_UNSPEC}};
	socklen_t bytes = sizeof a;
	char host[INET6_ADDRSTRLEN];

	if (getsockname(fd, &a.any, &bytes))
		a.any.sa_family = AF_UNSPEC;
	if (a.any.sa_family == AF_INET)
		snprintf(text, 200, "http://%s:%u", inet_ntop(AF_INET, &a.four.sin_addr, host, sizeof host),
			 (unsigned)ntohs(a.four.sin_port));
	else if (a.any.sa_family == AF_INET6)
		snprintf(text, 200, "http://[%s]:%u", inet_ntop(AF_INET6, &a.six.sin6_addr, host, sizeof host),
			 (unsigned)ntohs(a.six.sin6_port));
	else
		snprintf(text, 200, "unix:%.108s", a.any.sa_family == AF_UNIX ? a.local.sun_path : "");
}
