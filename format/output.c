/* Output files: see output.h. The order is the point: everything that can be wrong with the target is said before a
 * byte is computed, every write is checked, the data are on the disk before the name is,
 * and the name comes in one step. */
#include "format/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/portable.h"

enum {
	LETTERS = 8,    /* random ones at the end of a temporary name */
	MOST_NAME = 200 /* of the target's name in it: one of the greatest length must have a temporary one, too */
};

struct mote_output {
	char *target; /* symbolic links resolved when it exists */
	char *folder;
	char *temp;   /* the temporary name in folder; NULL until there is one and after it was renamed */
	char held[40]; /* a path of a file without a name, or empty */
	int fd;
	bool replace;
	FILE *stream; /* of fd, or NULL */
};

enum mote_status mote_output_fail(const struct mote_output *o, const char *what, struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_IO, "%s: %s: %s", o->target, what, strerror(errno));
}

static enum mote_status fail_memory(const char *path, struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", path);
}

static enum mote_status fail_exists(const char *path, struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: exists already", path);
}

static const char *target_name(const struct mote_output *o)
{
	const char *slash = strrchr(o->target, '/');

	return slash ? slash + 1 : o->target;
}

/* Who writes a file holds its lock, so that others see that it is no killed process's. Where there are no locks nobody
 * gets one, and nothing is taken for abandoned. */
static bool lock_at_once(int fd)
{
	int got;

	while ((got = flock(fd, LOCK_EX | LOCK_NB)) != 0 && errno == EINTR)
		;
	return got == 0;
}

/* Removes the file of that temporary name when nobody holds it: its process was killed. */
static void remove_if_abandoned(int folder, const char *name)
{
	int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && lock_at_once(fd))
		unlinkat(folder, name, 0);
	close(fd);
}

/* What runs that were killed have left of this target. Nothing that goes wrong here is a reason to fail. */
static void remove_abandoned(const struct mote_output *o)
{
	DIR *folder = opendir(o->folder);
	const char *name = target_name(o);
	size_t bytes = strlen(name) < MOST_NAME ? strlen(name) : MOST_NAME;
	size_t before = 1 + bytes + strlen(MOTE_OUTPUT_PART);

	for (struct dirent *entry; folder && (entry = readdir(folder));)
		if (entry->d_name[0] == '.' && strlen(entry->d_name) == before + LETTERS &&
		    !memcmp(entry->d_name + 1, name, bytes) &&
		    !memcmp(entry->d_name + 1 + bytes, MOTE_OUTPUT_PART, strlen(MOTE_OUTPUT_PART)))
			remove_if_abandoned(dirfd(folder), entry->d_name);
	if (folder)
		closedir(folder);
}

/* A name of its own that nobody guesses, in the target's folder; make() creates something there.
 * NULL: errno says why. */
static char *create_named(const struct mote_output *o,
			  bool (*make)(const struct mote_output *o, const char *path, int *fd), int *fd)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	const char *name = target_name(o);
	size_t room = strlen(o->folder) + strlen(name) + strlen(MOTE_OUTPUT_PART) + LETTERS + 4;
	char *path = malloc(room);

	for (int attempt = 0; path && attempt < 100; attempt++) {
		unsigned char random[LETTERS];

		if (!mote_portable_random(random, sizeof random))
			break;
		for (size_t i = 0; i < sizeof random; i++)
			random[i] = (unsigned char)letters[random[i] % (sizeof letters - 1)];
		snprintf(path, room, "%s/.%.*s" MOTE_OUTPUT_PART "%.*s", o->folder, MOST_NAME, name, LETTERS,
			 (const char *)random);
		if (make(o, path, fd))
			return path;
		if (errno != EEXIST)
			break;
	}
	free(path);
	return NULL;
}

static bool make_file(const struct mote_output *o, const char *path, int *fd)
{
	(void)o;
	struct stat st;

	*fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (*fd < 0)
		return false;
	/* Another run may find it before it is locked, and take it for abandoned: then it has no name any more. */
	while (flock(*fd, LOCK_EX) != 0 && errno == EINTR)
		;
	if (fstat(*fd, &st) != 0 || st.st_nlink > 0)
		return true;
	close(*fd);
	*fd = -1;
	errno = EEXIST; /* the next name */
	return false;
}

static bool make_link(const struct mote_output *o, const char *path, int *fd)
{
	(void)fd;
	return mote_portable_link(o->held, path);
}

/* A file without a name, if it can be given one later. */
static bool create_nameless(struct mote_output *o)
{
	o->fd = mote_portable_open_nameless(o->folder, o->held, sizeof o->held);
	if (o->fd >= 0)
		lock_at_once(o->fd);
	return o->fd >= 0;
}

/* "/dev/stdout" where that is a file: what is printed would go to the file that is replaced. */
static bool is_standard_stream(const struct stat *st)
{
	struct stat stream;

	for (int fd = 1; fd <= 2; fd++)
		if (fstat(fd, &stream) == 0 && stream.st_dev == st->st_dev && stream.st_ino == st->st_ino)
			return true;
	return false;
}

/* False with MOTE_OK: nothing is there. */
static enum mote_status look(const char *path, int (*get)(const char *, struct stat *), struct stat *st, bool *exists,
			     struct mote_error *error)
{
	*exists = get(path, st) == 0;
	if (*exists || errno == ENOENT || errno == ENOTDIR)
		return MOTE_OK;
	return mote_error_set(error, MOTE_ERROR_IO, "%s: cannot tell what is there: %s", path, strerror(errno));
}

enum mote_status mote_output_exists(const char *path, bool *exists, struct mote_error *error)
{
	struct stat st;

	return look(path, lstat, &st, exists, error);
}

/* What is at path decides whether there can be an output, and fills target, folder and *st when a file is replaced. */
static enum mote_status find_target(struct mote_output *o, const char *path, bool *exists, struct stat *st,
				    struct mote_error *error)
{
	enum mote_status status = look(path, lstat, st, exists, error);
	const char *slash;

	if (status)
		return status;
	if (strcmp(path, "-") == 0) /* elsewhere this is standard output; a file of that name is hard to get rid of */
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "-: a file is written, never standard output; name one (./- if need be)");
	if (*exists && !o->replace && (S_ISREG(st->st_mode) || S_ISLNK(st->st_mode)))
		return fail_exists(path, error);
	if (*exists && S_ISLNK(st->st_mode)) { /* the file it names is replaced, the link stays */
		char *real = realpath(path, NULL);

		if (!real || stat(real, st) != 0) {
			free(real);
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: is a link to what is no file", path);
		}
		free(o->target);
		o->target = real;
	}
	if (*exists && !S_ISREG(st->st_mode)) /* to replace is not meant for /dev/null */
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: exists and is not a regular file", path);
	if (*exists && is_standard_stream(st))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: is what this program prints to", path);
	slash = strrchr(o->target, '/');
	if (!*(slash ? slash + 1 : o->target))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "\"%s\" does not name a file", path);
	o->folder = !slash ? strdup(".") : slash == o->target ? strdup("/") :
		strndup(o->target, (size_t)(slash - o->target));
	return o->folder ? MOTE_OK : fail_memory(path, error);
}

enum mote_status mote_output_open(const char *path, bool replace, struct mote_output **out, struct mote_error *error)
{
	struct mote_output *o = calloc(1, sizeof *o);
	enum mote_status status = MOTE_OK;
	struct stat st;
	bool exists;

	*out = NULL;
	if (!o || !(o->target = strdup(path))) {
		free(o);
		return fail_memory(path, error);
	}
	o->fd = -1;
	o->replace = replace;
	status = find_target(o, path, &exists, &st, error);
	if (status == MOTE_OK)
		remove_abandoned(o);
	if (status == MOTE_OK && !create_nameless(o) && !(o->temp = create_named(o, make_file, &o->fd)))
		status = mote_output_fail(o, "cannot create a temporary file beside it", error);
	if (status == MOTE_OK && exists && fchmod(o->fd, st.st_mode & 0777) != 0)
		status = mote_output_fail(o, "cannot keep the mode of the file to replace", error);
	if (status == MOTE_OK)
		*out = o;
	else
		mote_output_discard(o);
	return status;
}

enum mote_status mote_output_refuse_input(const char *path, const char *input, struct mote_error *error)
{
	struct stat a, b;
	bool there = path && input;
	enum mote_status status = there ? look(path, stat, &a, &there, error) : MOTE_OK;

	if (!status && there)
		status = look(input, stat, &b, &there, error);
	if (status || !there || a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return status;
	return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: is an input, %s, and is not replaced", path, input);
}

enum mote_status mote_output_refuse_same(const char *a, const char *b, struct mote_error *error)
{
	if (!a || !b || strcmp(a, b))
		return MOTE_OK;
	return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: is to be two files at once", a);
}

enum mote_status mote_output_write_at(struct mote_output *o, const void *data, size_t bytes, uint64_t offset,
				      struct mote_error *error)
{
	const char *p = data;

	while (bytes > 0) {
		ssize_t n = pwrite(o->fd, p, bytes, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return mote_output_fail(o, "cannot write", error);
		p += n;
		offset += (size_t)n;
		bytes -= (size_t)n;
	}
	return MOTE_OK;
}

FILE *mote_output_stream(struct mote_output *o)
{
	if (!o->stream)
		o->stream = fdopen(o->fd, "w");
	return o->stream;
}

int mote_output_descriptor(const struct mote_output *o)
{
	return o->fd;
}

const char *mote_output_open_path(const struct mote_output *o)
{
	return o->temp ? o->temp : o->held;
}

const char *mote_output_target(const struct mote_output *o)
{
	return o->target;
}

/* A file without a name gets the target's at once where nothing is replaced. Else it needs one of its own first, for
 * nothing but rename() replaces in one step. */
static enum mote_status give_name(struct mote_output *o, struct mote_error *error)
{
	bool named;

	if (!o->temp && !o->replace) {
		named = mote_portable_link(o->held, o->target);
	} else if (!o->temp && !(o->temp = create_named(o, make_link, NULL))) {
		named = false;
	} else if (o->replace) {
		named = rename(o->temp, o->target) == 0;
	} else {
		named = mote_portable_rename_new(o->temp, o->target);
	}
	if (!named)
		return errno == EEXIST ? fail_exists(o->target, error)
				       : mote_output_fail(o, "cannot rename the finished file", error);
	free(o->temp);
	o->temp = NULL;
	return MOTE_OK;
}

enum mote_status mote_output_commit(struct mote_output *o, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;
	int folder;

	errno = 0; /* a write that failed earlier has lost its reason */
	if (o->stream && (fflush(o->stream) == EOF || ferror(o->stream))) {
		errno = errno ? errno : EIO;
		status = mote_output_fail(o, "cannot write", error);
	} else if (fsync(o->fd) != 0) {
		status = mote_output_fail(o, "cannot sync", error);
	}
	if (status == MOTE_OK)
		status = give_name(o, error);
	if (status == MOTE_OK) {
		/* The file is there and whole. That the name survives a power failure is all that is
		 * missing; some file systems cannot sync folders, which is no reason to fail. */
		folder = open(o->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (folder >= 0) {
			fsync(folder);
			close(folder);
		}
	}
	mote_output_discard(o);
	return status;
}

void mote_output_discard(struct mote_output *o)
{
	if (!o)
		return;
	if (o->temp)
		unlink(o->temp);
	if (o->stream)
		fclose(o->stream);
	else if (o->fd >= 0)
		close(o->fd);
	free(o->temp);
	free(o->folder);
	free(o->target);
	free(o);
}

enum mote_status mote_output_lock(const char *path, int *lock, struct mote_error *error)
{
	struct stat held, there;

	for (;;) {
		*lock = open(path, O_RDONLY | O_CLOEXEC);
		if (*lock < 0)
			return mote_error_set(error, MOTE_ERROR_IO, "%s: %s", path, strerror(errno));
		while (flock(*lock, LOCK_EX) != 0 && errno == EINTR)
			;
		/* Whoever held the lock before us has put another file there, which others lock. */
		if (fstat(*lock, &held) != 0 || stat(path, &there) != 0 ||
		    (held.st_dev == there.st_dev && held.st_ino == there.st_ino))
			return MOTE_OK;
		close(*lock);
	}
}
