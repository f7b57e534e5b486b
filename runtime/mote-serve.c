/* mote-serve: a model for other programs and for browsers, over HTTP. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/tool/console.h"
#include "format/tool/options.h"
#include "format/tool/sandbox.h"
#include "runtime/api/mote.h"
#include "runtime/serve/listen.h"
#include "runtime/serve/serve.h"

#define MOTE_SERVE "mote-serve"
#define MAX_KEY_FILE_BYTES ((size_t)256 << 10)
#define STOP_SECONDS 10.0

static const char about[] =
"Usage: mote-serve [OPTION]... MODEL.mote...\n"
"       mote-serve [OPTION]... --models-dir DIR\n"
"\n"
"Serves models over HTTP to programs written for the OpenAI API (chat completions,\n"
"completions, responses, embeddings) or for Anthropic's messages, and a chat page to\n"
"browsers. Requests are answered side by side. When it answers, a line \"listening on\n"
"http://HOST:PORT\" goes to standard error; SIGTERM or Ctrl-C lets it finish what it is at\n"
"and end.\n";

struct serve_arguments {
	const char *model, *folder, *host, *key_file, *alias, *kv_keys, *kv_values, *names;
	struct mote_option_operands models;
	uint64_t memory;
	uint32_t port, threads, context, places, queue, seconds, header_seconds;
	bool mapped, sandbox, lookup;
};

/* llama.cpp's name for q8 is understood, as by mote-run. */
static enum mote_status take_kv_type(void *at, const char *text, struct mote_error *error)
{
	(void)error;
	*(const char **)at = text;
	return !strcmp(text, "f16") || !strcmp(text, "q8") || !strcmp(text, "q8_0") || !strcmp(text, "f32")
		? MOTE_OK : MOTE_ERROR_ARGUMENT;
}

#define AT(field) .at = offsetof(struct serve_arguments, field)

static const struct mote_option options[] = {
	{MOTE_OPTION_HEADING, .help = "Model"},
	{MOTE_OPTION_TEXT, "m", "model", "FILE", "the model (-m may be left out)", AT(model)},
	{MOTE_OPTION_OPERANDS, .argument = "MODEL.mote...", AT(models)},
	{MOTE_OPTION_TEXT, NULL, "models-dir", "DIR", "serve every file *.mote of a folder; a request names which",
	 AT(folder)},
	{MOTE_OPTION_SIZE, NULL, "models-memory", "SIZE", "of several models keep as many loaded as this holds, "
	 "with their sessions (k, M, G: thousands; Ki, Mi, Gi: 1024); those not used for longest leave (default: none "
	 "does)", AT(memory)},
	{MOTE_OPTION_TEXT, "a", "alias", "NAME", "the model's name for clients (default: the file's, without .mote)",
	 AT(alias)},
	{MOTE_OPTION_COUNT, "c", "ctx-size context", "N", "context in tokens of each answer, its prompt included "
	 "(default: the model's)", AT(context), 1, UINT32_MAX},
	{MOTE_OPTION_COUNT, "np", "parallel", "N", "answers side by side, 1 to 64 (default: 4); each has a context "
	 "of its own", AT(places), 1, 64},

	{MOTE_OPTION_HEADING, .help = "Network"},
	{MOTE_OPTION_TEXT, NULL, "host", "HOST", "the address to listen on (default: 127.0.0.1, this machine only), or "
	 "unix:PATH for a socket at a path", AT(host)},
	{MOTE_OPTION_COUNT, NULL, "port", "N", "the port (default: 8080; 0: a free one)", AT(port), 0, 65535},
	{MOTE_OPTION_TEXT, NULL, "allow-host", "NAMES", "further names of this server, with commas between: what a "
	 "Host header or a page's origin may be besides addresses and localhost", AT(names)},
	{MOTE_OPTION_TEXT, NULL, "api-key-file", "FILE", "a key a line; who asks must show one (Authorization: "
	 "Bearer KEY)", AT(key_file)},
	{MOTE_OPTION_COUNT, NULL, "queue", "N", "requests that may wait for their turn, 0 to 4096 (default: 64); "
	 "others are refused with code 429", AT(queue), 0, 4096},
	{MOTE_OPTION_COUNT, NULL, "timeout", "SECONDS", "most for one request, waiting included (default: 600; 0: "
	 "no limit)", AT(seconds), 0, 86400},

	{MOTE_OPTION_COUNT, NULL, "header-timeout", "SECONDS", "most until a request's headers are there, and "
	 "between pieces of its body, 1 to 3600 (default: 30); then the connection is closed", AT(header_seconds),
	 1, 3600},

	{MOTE_OPTION_HEADING, .help = "Machine"},
	{MOTE_OPTION_COUNT, "t", "threads", "N", "threads, 1 to 256 (default: the physical cores)", AT(threads), 1,
	 MOTE_OPTION_MAX_THREADS},
	{MOTE_OPTION_TAKE, "ctk", "cache-type-k", "TYPE", "type of the cached keys: f16 (default), q8 or f32",
	 AT(kv_keys), .choices = "f16 q8 f32", .take = take_kv_type},
	{MOTE_OPTION_TAKE, "ctv", "cache-type-v", "TYPE", "type of the cached values: f16 (default), q8 or f32",
	 AT(kv_values), .choices = "f16 q8 f32", .take = take_kv_type},
	{MOTE_OPTION_FLAG, NULL, "lookup", NULL, "guess tokens where an answer goes on as the text before it did, "
	 "and compute several at once: the same answer, sooner (default)", AT(lookup)},
	{MOTE_OPTION_CLEAR, NULL, "no-lookup", NULL, "a token of each answer at a time", AT(lookup)},
	{MOTE_OPTION_FLAG, NULL, "mmap", NULL, "use the file's pages where they lie instead of copying the weights "
	 "into huge pages: starts sooner, decodes slower", AT(mapped)},
	{MOTE_OPTION_CLEAR, NULL, "no-mmap", NULL, NULL, AT(mapped)},
	{MOTE_OPTION_FLAG, NULL, "sandbox", NULL, "once it listens, give up what only an intruder needs: files, "
	 "programs, connections to others", AT(sandbox)},
};

static const struct mote_tool tool = {
	MOTE_SERVE, about, "Exit codes: 0 stopped by a signal, 1 failed, 2 wrong usage, 3 corrupt or refused input.\n",
	options, sizeof options / sizeof *options};

/* The models by name; a single one is loaded at once, so that what is wrong with it is said now. */
static enum mote_status open_models(const struct serve_arguments *a, struct mote_models **out, struct mote_error *error)
{
	struct mote_models_options o = {
		.engine = {.sequences = a->places, .context_tokens = a->context, .threads = a->threads,
			   .kv_keys = a->kv_keys, .kv_values = a->kv_values, .queue = a->queue,
			   .no_lookup = !a->lookup},
		.mapped = a->mapped, .most_bytes = a->memory};
	const struct mote_served *served;
	enum mote_status status = mote_models_open(&o, out, error);

	if (status == MOTE_OK && a->model)
		status = mote_models_add(*out, a->model, a->alias, error);
	for (uint32_t i = 0; i < a->models.count && status == MOTE_OK; i++)
		status = mote_models_add(*out, a->models.value[i], a->alias, error);
	if (status == MOTE_OK && a->folder)
		status = mote_models_add_folder(*out, a->folder, error);
	if (status || mote_models_count(*out) > 1)
		return status;
	served = mote_models_take(*out, NULL, error);
	if (!served) {
		if (!a->folder)
			mote_console_hint_model(a->model ? a->model : a->models.value[0], error);
		return error->code;
	}
	mote_models_give_back(*out, served);
	return MOTE_OK;
}

/* -1, or the exit code of a command line that makes no sense. */
static int check_arguments(const struct serve_arguments *a)
{
	uint32_t models = a->models.count + (a->model ? 1 : 0);

	if (!models && !a->folder)
		return mote_options_refuse(&tool, "a model is missing: MODEL.mote, or --models-dir");
	if (a->alias && !*a->alias)
		return mote_options_refuse(&tool, "--alias: the name is empty");
	if (a->alias && (models > 1 || a->folder))
		return mote_options_refuse(&tool, "--alias is for a single model");
	if (a->sandbox && (models > 1 || a->folder))
		return mote_options_refuse(&tool, "--sandbox is for a single model: others are loaded when they are "
					   "asked for");
	return -1;
}

/* Of --host unix:PATH, or NULL. */
static const char *socket_path(const struct serve_arguments *a)
{
	return strncmp(a->host, "unix:", 5) ? NULL : a->host + 5;
}

static enum mote_status read_guard(const struct serve_arguments *a, struct mote_guard *guard, char *names,
				   struct mote_error *error)
{
	enum mote_status status;
	char *text, *save = NULL;
	size_t bytes;

	for (char *name = names ? strtok_r(names, ",", &save) : NULL; name; name = strtok_r(NULL, ",", &save)) {
		if (guard->names == MOTE_GUARD_MAX_NAMES)
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "--allow-host: more than %d names",
					      MOTE_GUARD_MAX_NAMES);
		guard->name[guard->names++] = name;
	}
	if (guard->names < MOTE_GUARD_MAX_NAMES && !socket_path(a))
		guard->name[guard->names++] = a->host;
	if (!a->key_file)
		return MOTE_OK;
	status = mote_console_read_file(a->key_file, MAX_KEY_FILE_BYTES, &text, &bytes, error);
	return status ? status : mote_guard_read_keys(guard, text, bytes, a->key_file, error);
}

/* *fd: the socket that the service manager opened, or one at the path of --host unix:PATH; else -1. */
static enum mote_status open_socket(const struct serve_arguments *a, int *fd, struct mote_error *error)
{
	enum mote_status status = mote_listen_passed(fd, error);

	return status || *fd >= 0 || !socket_path(a) ? status : mote_listen_path(socket_path(a), fd, error);
}

/* listener: a socket, which is the server's now, or -1. */
static enum mote_status serve(const struct serve_arguments *a, struct mote_models *models, struct mote_guard *guard,
			      int listener, struct mote_error *error)
{
	struct mote_serve_options o = {.models = models, .host = a->host, .port = (uint16_t)a->port, .socket = listener,
				       .seconds = a->seconds, .header_seconds = a->header_seconds, .guard = guard};
	bool six = strchr(a->host, ':') != NULL;
	struct mote_serve *server;
	char address[200];
	enum mote_status status = mote_serve_open(&o, &server, error);

	if (status) {
		if (o.socket >= 0)
			close(o.socket);
		return status;
	}
	if (o.socket >= 0)
		mote_listen_describe(o.socket, address);
	else
		snprintf(address, sizeof address, "http://%s%.150s%s:%u", six ? "[" : "", a->host, six ? "]" : "",
			 mote_serve_port(server));

	if (a->sandbox && (status = mote_sandbox_seal(error)))
		mote_serve_close(server);
	if (status)
		return status;
	fprintf(stderr, "listening on %s\n", address);
	while (!mote_console_interrupted())
		poll(NULL, 0, 100); /* a signal ends it sooner where it comes to this thread */
	if (socket_path(a))
		unlink(socket_path(a)); /* which a sandbox refuses: the next start takes its place */
	mote_serve_stop(server, STOP_SECONDS);
	mote_serve_close(server);
	return MOTE_OK;
}

int main(int argc, char **argv)
{
	struct serve_arguments a = {.lookup = true, .host = "127.0.0.1", .port = 8080, .places = 4, .queue = 64,
				    .seconds = 600, .header_seconds = 30};
	int code = mote_options_parse(&tool, argc, argv, &a), listener = -1;
	struct mote_models *models = NULL;
	struct mote_guard guard = {0};
	struct mote_error error = {0};
	enum mote_status status;
	char *names;

	if (code >= 0 || (code = check_arguments(&a)) >= 0)
		return code;
	mote_console_catch_signals();
	status = open_socket(&a, &listener, &error); /* while one may be made */
	if (status == MOTE_OK && a.sandbox)
		status = mote_sandbox_begin(&error);
	names = a.names ? strdup(a.names) : NULL;
	if (status == MOTE_OK && a.names && !names)
		status = mote_error_set(&error, MOTE_ERROR_MEMORY, "no memory for names");
	if (status == MOTE_OK && (status = read_guard(&a, &guard, names, &error)) == MOTE_OK &&
	    (status = open_models(&a, &models, &error)) == MOTE_OK) {
		status = serve(&a, models, &guard, listener, &error);
	} else if (listener >= 0) {
		close(listener);
		if (socket_path(&a))
			unlink(socket_path(&a));
	}
	mote_models_close(models);
	mote_guard_free(&guard);
	free(names);
	return status ? mote_console_fail(MOTE_SERVE, &error) : 0;
}
