/* What every tool's main() shares: see console.h. Linked into the tools, never into the library. */
#include "format/tool/console.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/clock.h"
#include "format/utf8.h"

/* Before main(): where a caller closed a standard stream, the next file that is opened would take its number, and what
 * is printed would go into a model. A file that fails both ways stands in for it. */
__attribute__((constructor)) static void hold_standard_streams(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
			_exit(1);
}

/* Characters that steer a terminal or let text look like another. */
static bool is_unsafe(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
	       (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

void mote_console_put(FILE *to, const char *text, size_t bytes, bool lines)
{
	size_t step, bad;

	for (size_t at = 0; at < bytes; at += step) {
		uint32_t c = (unsigned char)text[at];

		step = mote_utf8_step(text + at, bytes - at, &bad);
		if (!step) {
			fprintf(to, "\\x%02x", c);
			step = 1;
			continue;
		}
		c = mote_utf8_decode(text + at, &step);
		if (is_unsafe(c) && !(lines && (c == '\n' || c == '\t')))
			fprintf(to, "\\u%04x", c);
		else
			fwrite(text + at, 1, step, to);
	}
}

void mote_console_put_data(const char *text, size_t bytes)
{
	if (isatty(STDOUT_FILENO))
		mote_console_put(stdout, text, bytes, true);
	else
		fwrite(text, 1, bytes, stdout);
}

static void put_message(const char *tool, const char *kind, const char *message)
{
	fprintf(stderr, "%s: %s", tool, kind);
	mote_console_put(stderr, message, strlen(message), false);
	fputc('\n', stderr);
}

void mote_console_warn(const char *tool, const char *format, ...)
{
	char message[1200];
	va_list list;

	va_start(list, format);
	vsnprintf(message, sizeof message, format, list);
	va_end(list);
	put_message(tool, "warning: ", message);
}

int mote_console_fail(const char *tool, const struct mote_error *error)
{
	put_message(tool, "", error->message);
	return mote_status_exit_code(error->code);
}

/* A safetensors file: the length of its header, eight bytes of which the last are zero, and the header's brace. */
static bool is_safetensors(const char *first)
{
	return !memcmp(first + 5, "\0\0\0{", 4);
}

void mote_console_hint_model(const char *path, struct mote_error *error)
{
	const char *slash = strrchr(path, '/');
	char first[9] = "";
	size_t used = strlen(error->message), room = sizeof error->message - used;
	struct stat st;
	FILE *file;

	if (error->code == MOTE_OK || stat(path, &st) != 0)
		return;
	if (S_ISDIR(st.st_mode)) {
		snprintf(error->message + used, room, " (a folder, and no mote file: 'mote-convert %s -o FILE.mote' "
			 "makes one of a checkpoint)", path);
		return;
	}
	file = S_ISREG(st.st_mode) ? fopen(path, "rb") : NULL;
	if (file && fread(first, 1, sizeof first, file) >= 4) {
		if (!memcmp(first, "GGUF", 4))
			snprintf(error->message + used, room, " (a GGUF file, and no mote file: 'mote-convert %s "
				 "-o FILE.mote' makes one of it)", path);
		else if (is_safetensors(first))
			snprintf(error->message + used, room, " (a safetensors file, and no mote file: 'mote-convert "
				 "%.*s -o FILE.mote' makes one of the checkpoint that it is of)",
				 slash ? (int)(slash - path) + (slash == path) : 1, slash ? path : ".");
	}
	if (file)
		fclose(file);
}

void mote_console_hint_force(bool force, struct mote_error *error)
{
	static const char exists[] = ": exists already";
	size_t used = strlen(error->message), tail = sizeof exists - 1;

	if (!force && error->code == MOTE_ERROR_ARGUMENT && used > tail &&
	    !strcmp(error->message + used - tail, exists))
		snprintf(error->message + used, sizeof error->message - used, " (--force replaces it)");
}

static bool is_dumb(void)
{
	const char *kind = getenv("TERM");

	return kind && strcmp(kind, "dumb") == 0;
}

bool mote_console_styles(void)
{
	const char *plain = getenv("NO_COLOR");

	return !(plain && *plain) && !is_dumb();
}

/* Signals reach a process, not a caller: this flag cannot be anything but global. */
static volatile sig_atomic_t interrupted;

/* The first asks to clean up and end; a second, from an impatient user, must not spoil that; the third kills. */
static void on_signal(int number)
{
	if (interrupted)
		signal(number, SIG_DFL);
	interrupted = number;
}

void mote_console_catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal}, before;

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* nohup ignores hang-ups on purpose */
	if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &action, NULL);
}

bool mote_console_interrupted(void)
{
	return interrupted != 0;
}

bool mote_console_resume(void)
{
	if (interrupted == SIGINT) {
		interrupted = 0;
		mote_console_catch_signals();
	}
	return interrupted == 0;
}

double mote_console_time_left(const struct mote_console_bar *bar, double now, uint64_t done, uint64_t total)
{
	const double enough = 0.5; /* seconds of counting */
	double elapsed = now - bar->started, left;

	if (!bar->counting || done <= bar->first || elapsed < enough)
		return -1;
	left = elapsed * (double)(total - done) / (double)(done - bar->first);
	if (bar->share > 0) {
		/* By the time this bar ends, before + share of the whole will have taken so long;
		 * the rest goes on like that. */
		double by_then = now - bar->whole_started + left;
		double rest = 1 - bar->before - bar->share;

		left += rest > 0 ? by_then * rest / (bar->before + bar->share) : 0;
	}
	return left;
}

static void draw_bar(struct mote_console_bar *bar, double now, uint64_t done, uint64_t total)
{
	enum { WIDTH = 30 };
	char filled[WIDTH + 1];
	double elapsed = now - bar->started, share = total ? (double)done / (double)total : 1;
	double rate = elapsed > 0 ? (double)(done - bar->first) / elapsed : 0;
	double left = mote_console_time_left(bar, now, done, total);
	char unit[2] = "";

	for (int i = 0; i < WIDTH; i++)
		filled[i] = i < (int)(share * WIDTH) ? '#' : '.';
	filled[WIDTH] = 0;
	for (const char *next = "kMG"; rate >= 10000 && *next; next++) {
		rate /= 1000;
		unit[0] = *next;
	}
	fputs("\r\x1b[K", stderr);
	if (bar->stages)
		fprintf(stderr, "stage %u of %u: ", bar->stage, bar->stages);
	fprintf(stderr, "%s [%s] %3d %%", bar->label, filled, (int)(share * 100));
	if (bar->unit)
		fprintf(stderr, "  %.*f %s%s/s", rate < 10 ? 1 : 0, rate, unit, bar->unit);
	/* What comes first is often slower than the rest: no guess from the first seconds. */
	if (left >= 0 && elapsed > 2 && share > 0.03)
		fprintf(stderr, "  %.0f s left%s", left, bar->share > 0 ? " in all" : bar->stages > 1
			? " of this stage" : "");
	fflush(stderr);
}

static bool update_bar(void *user, uint64_t done, uint64_t total)
{
	struct mote_console_bar *bar = user;
	double now;

	if (bar->terminal && !bar->counting) {
		bar->counting = true;
		bar->started = mote_clock_seconds();
		bar->first = done;
	}
	if (bar->terminal && (now = mote_clock_seconds()) - bar->shown >= 0.1) {
		bar->shown = now;
		bar->drawn = true;
		draw_bar(bar, now, done, total);
	}
	return !mote_console_interrupted();
}

struct mote_progress mote_console_progress(struct mote_console_bar *bar, const char *label, const char *unit)
{
	double now = mote_clock_seconds();

	*bar = (struct mote_console_bar){ .label = label, .unit = unit, .started = now, .shown = now,
					  .terminal = isatty(STDERR_FILENO) && !is_dumb() };
	return (struct mote_progress){.update = update_bar, .user = bar};
}

void mote_console_progress_end(struct mote_console_bar *bar)
{
	if (bar->drawn)
		fputs("\r\x1b[K", stderr);
	bar->drawn = false;
}

enum mote_status mote_console_read_file(const char *path, size_t max_bytes, char **data, size_t *bytes,
					struct mote_error *error)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *file = standard ? stdin : fopen(path, "rb");
	char *buffer = NULL;
	size_t used = 0, room = 0, got;
	enum mote_status status = MOTE_OK;

	*data = NULL;
	*bytes = 0;
	if (standard)
		path = "standard input";
	if (!file)
		return mote_error_set(error, MOTE_ERROR_IO, "%s: %s", path, strerror(errno));
	do {
		if (room - used < 65536) {
			size_t more = room ? room * 2 : 131072;
			char *grown = realloc(buffer, more);

			if (!grown) {
				status = mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", path);
				goto end;
			}
			buffer = grown;
			room = more;
		}
		got = fread(buffer + used, 1, room - used, file);
		used += got;
		if (used > max_bytes) {
			status = mote_error_set(error, MOTE_ERROR_LIMIT, "%s: larger than %zu bytes", path, max_bytes);
			goto end;
		}
	} while (got > 0);
	if (ferror(file)) {
		status = mote_error_set(error, MOTE_ERROR_IO, "%s: %s", path, strerror(errno));
		goto end;
	}
	buffer[used] = 0; /* the last round made room and read nothing */
	*data = buffer;
	*bytes = used;
	buffer = NULL;
end:
	free(buffer);
	if (!standard)
		fclose(file);
	return status;
}

enum mote_status mote_console_flush(struct mote_error *error)
{
	errno = 0; /* a write that failed earlier has lost its reason */
	if (fflush(stdout) == EOF || ferror(stdout))
		return mote_error_set(error, MOTE_ERROR_IO, "standard output: %s",
				      errno ? strerror(errno) : "cannot be written");
	return MOTE_OK;
}

int mote_console_print(const char *tool, const char *text)
{
	struct mote_error error = {0};

	fputs(text, stdout);
	return mote_console_flush(&error) ? mote_console_fail(tool, &error) : 0;
}

enum mote_status mote_console_print_json(const cJSON *json, struct mote_error *error)
{
	size_t bytes;
	char *text = mote_json_print(json, &bytes);

	if (!text)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory while printing JSON");
	if (isatty(STDOUT_FILENO)) /* where a character is escaped, JSON means the same */
		mote_console_put(stdout, text, bytes, false);
	else
		fwrite(text, 1, bytes, stdout);
	putchar('\n');
	free(text);
	return mote_console_flush(error);
}
