/* The start of a process: the tool starts itself again, and the child says when its first token is there. */
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "format/clock.h"
#include "format/portable.h"
#include "format/tool/console.h"
#include "runtime/bench.h"
#include "runtime/tokenizer/tokenizer.h"

extern char **environ;

/* The child: opens all that mote-run opens, reads a short prompt, reports, then fills memory as a longer one does. */
enum mote_status bench_run_child(struct bench_arguments *a, struct mote_error *error)
{
	double started = mote_clock_seconds(), loaded;
	struct mote_tokenizer *tokenizer = NULL;
	struct mote_model *m = NULL;
	struct mote_session_options options = a->session;
	struct texts s = {0};
	enum mote_status status;
	const void *section;
	size_t bytes;

	if ((status = mote_model_open(a->model, bench_weights(a), &m, error)))
		goto end;
	section = mote_container_section(m->container, MOTE_SECTION_TOKENIZER, &bytes);
	if (section && (status = mote_tokenizer_open(section, bytes, &tokenizer, error)))
		goto end;
	options.threads = a->threads.value[0];
	options.sequences = 1;
	if ((status = bench_open_texts(&s, m, &options, m->config.max_positions, error)))
		goto end;
	loaded = mote_clock_seconds();
	if ((status = bench_advance(&s, 0, 0, FIRST_TOKEN_PROMPT < s.room ? FIRST_TOKEN_PROMPT : s.room, error)))
		goto end;
	printf("%.6f\n", loaded - started);
	fflush(stdout);
	status = bench_advance(&s, 0, 0, BATCH_ROWS < s.room ? BATCH_ROWS : s.room, error);
end:
	bench_close_texts(&s);
	mote_tokenizer_close(tokenizer);
	mote_model_close(m);
	return status;
}

/* Starts one child and reads when its first token came, how long it loaded, and its peak memory. */
static bool time_child(char **argv, struct start *start)
{
	posix_spawn_file_actions_t actions;
	double started, load = 0;
	struct rusage usage;
	int fd[2], status = -1;
	pid_t pid = -1;
	FILE *from;
	bool ok;

	if (pipe(fd))
		return false;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, fd[0]);
	posix_spawn_file_actions_addclose(&actions, fd[1]);
	started = mote_clock_seconds();
	ok = posix_spawnp(&pid, mote_portable_program(argv[0]), &actions, NULL, argv, environ) == 0;
	posix_spawn_file_actions_destroy(&actions);
	close(fd[1]);
	from = fdopen(fd[0], "r");
	ok = from && fscanf(from, "%lf", &load) == 1 && ok;
	*start = (struct start){.first_token_ms = (mote_clock_seconds() - started) * 1e3, .load_ms = load * 1e3};
	if (from)
		fclose(from);
	else
		close(fd[0]);
	if (pid <= 0 || wait4(pid, &status, 0, &usage) != pid)
		return false;
	start->peak_rss_bytes = mote_portable_peak_bytes(usage.ru_maxrss);
	return ok && status == 0;
}

enum mote_status bench_measure_start(struct bench *b, int argc, char **argv, struct mote_error *error)
{
	static char flag[] = "--first-token-of-this-process";
	double first[MAX_REPEATS], load[MAX_REPEATS];
	char **child = calloc((size_t)argc + 2, sizeof *child);
	uint32_t n = b->arguments->repeats;

	if (!child)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for arguments");
	child[0] = argv[0];
	child[1] = flag; /* before a "--", behind which it would be an operand */
	memcpy(child + 2, argv + 1, ((size_t)argc - 1) * sizeof *child);
	for (uint32_t i = 0; i <= n; i++) { /* the first only brings the file into the page cache */
		if (!time_child(child, &b->start)) {
			free(child);
			if (mote_console_interrupted())
				return mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
			return mote_error_set(error, MOTE_ERROR_IO, "the process that times the first token failed");
		}
		if (i > 0) {
			first[i - 1] = b->start.first_token_ms;
			load[i - 1] = b->start.load_ms;
		}
	}
	free(child);
	b->start.first_token_ms = bench_median(first, n);
	b->start.load_ms = bench_median(load, n);
	b->start.first_token_worst_ms = first[n - 1];
	b->start.load_worst_ms = load[n - 1];
	return MOTE_OK;
}
