/* Sessions on disk: a conversation or a text, and what the model computed of it.
 *
 *   header        40 bytes, little-endian: "MOTECHAT", version 1, bytes of the conversation, its XXH3-64; XXH3-64 of
 *                 all that
 *   conversation  JSON: {"messages": [...]}, with "tools" where there are some, as --messages takes it; or {"text":
 *                 "..."}
 *   state         what mote_lm_session_save() writes, to the file's end
 *
 * The conversation is what counts: the state spares computing it again, and what follows is the same without it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "runtime/run.h"

#define MAX_CONVERSATION_BYTES ((size_t)64 << 20)

static const char magic[8] = "MOTECHAT";

enum { VERSION = 1 };

struct header {
	char magic[8];
	uint64_t version, bytes;
	uint64_t text_check, check;
};

/* ---- saving ---- */

struct sink {
	struct mote_output *out;
	uint64_t at;
	struct mote_error error;
};

static int put(void *user, const void *data, size_t bytes)
{
	struct sink *s = user;

	if (mote_output_write_at(s->out, data, bytes, s->at, &s->error))
		return 1;
	s->at += bytes;
	return 0;
}

/* The ids of what is saved; without a beginning of the next turn, of which nothing is computed. */
static enum mote_status encode(const struct run *r, const cJSON *conversation, int32_t **ids, size_t *count,
			       struct mote_error *error)
{
	const cJSON *messages = mote_json_get(conversation, "messages"), *text = mote_json_get(conversation, "text");
	struct mote_lm_error failed = {0};
	struct run_turn turn = {0};
	enum mote_status status = MOTE_OK;

	*ids = NULL;
	*count = 0;
	if (text) {
		if (mote_lm_encode(r->lm, text->valuestring, strlen(text->valuestring), MOTE_LM_ADD_BEFORE, ids, count,
				   &failed))
			status = run_fail(&failed, error);
	} else if (cJSON_GetArraySize(messages)) {
		status = run_encode(r, messages, mote_json_get(conversation, "tools"), false, &turn, error);
		*ids = turn.prompt;
		*count = turn.prompt_tokens;
	}
	return status;
}

static enum mote_status write_all(const struct run *r, const cJSON *conversation, const char *text, size_t bytes,
				  struct mote_output *out, struct mote_error *error)
{
	struct header h = {.version = VERSION, .bytes = bytes};
	struct sink sink = {.out = out};
	struct mote_lm_error failed = {0};
	enum mote_status status;
	int32_t *ids;
	size_t count;

	memcpy(h.magic, magic, sizeof magic);
	h.text_check = XXH3_64bits(text, bytes);
	h.check = XXH3_64bits(&h, offsetof(struct header, check));
	if ((status = encode(r, conversation, &ids, &count, error)))
		return status;
	if (put(&sink, &h, sizeof h) || put(&sink, text, bytes))
		status = mote_error_set(error, sink.error.code, "%s", sink.error.message);
	else if (mote_lm_session_save(r->session, ids, count, put, &sink, &failed))
		status = sink.error.code ? mote_error_set(error, sink.error.code, "%s", sink.error.message)
					 : run_fail(&failed, error);
	mote_lm_free(ids);
	return status;
}

/* Adds a piece of text, a NUL as U+FFFD, as it was shown. NULL: no memory. */
static char *add_piece(char *text, size_t *used, const char *piece, size_t bytes)
{
	char *grown = realloc(text, *used + 3 * bytes + 1);

	if (!grown)
		free(text);
	for (size_t i = 0; grown && i < bytes; i++) {
		size_t n = piece[i] ? 1 : 3;

		memcpy(grown + *used, piece[i] ? &piece[i] : "\xef\xbf\xbd", n);
		*used += n;
	}
	if (grown)
		grown[*used] = 0;
	return grown;
}

enum mote_status run_session_text(const struct run *r, const struct run_turn *turn, char **text,
				  struct mote_error *error)
{
	size_t n = turn->tokens, used = 0, last = 0, bytes;
	struct mote_lm_error failed = {0};
	struct mote_lm_text *stream;
	char *end;

	*text = NULL;
	if (n && turn->finish == MOTE_LM_FINISH_STOP && mote_lm_is_end(r->lm, turn->ids[n - 1]))
		n--;
	if (mote_lm_text_open(r->lm, MOTE_LM_TEXT_SPECIAL | MOTE_LM_TEXT_CONTINUES, &stream, &failed))
		return run_fail(&failed, error);
	for (size_t i = 0; i <= n && (i == 0 || *text); i++) {
		const char *piece = i < n ? mote_lm_text_next(stream, turn->ids[i], &bytes)
					  : mote_lm_text_flush(stream, &bytes);

		last = i < n ? used : last;
		*text = add_piece(*text, &used, piece, bytes);
	}
	mote_lm_text_close(stream);
	if (!*text)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the text");
	end = turn->stop ? strstr(*text, turn->stop) : NULL;
	while (end && end + strlen(turn->stop) <= *text + last && strstr(end + 1, turn->stop))
		end = strstr(end + 1, turn->stop); /* it came with the last token */
	if (end)
		*end = 0;
	return MOTE_OK;
}

enum mote_status run_session_save(const struct run *r, const cJSON *messages, const cJSON *tools, const char *text,
				  struct mote_output *out, struct mote_error *error)
{
	struct mote_json_builder b = {0};
	cJSON *conversation = mote_json_new_object(&b);
	enum mote_status status;
	char *printed = NULL;
	size_t bytes = 0;

	if (text)
		mote_json_add_text(&b, conversation, "text", text);
	else
		mote_json_add_item(&b, conversation, "messages", cJSON_Duplicate(messages, true));
	if (tools)
		mote_json_add_item(&b, conversation, "tools", cJSON_Duplicate(tools, true));
	status = mote_json_finish(&b, &conversation, "the conversation", error);
	if (status == MOTE_OK && !(printed = mote_json_print(conversation, &bytes)))
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the conversation");
	if (status == MOTE_OK)
		status = write_all(r, conversation, printed, bytes, out, error);
	free(printed);
	cJSON_Delete(conversation);
	if (status == MOTE_OK)
		return mote_output_commit(out, error);
	mote_output_discard(out);
	return status;
}

/* ---- loading ---- */

struct source {
	FILE *file;
	bool failed;
};

static int get(void *user, void *data, size_t bytes)
{
	struct source *s = user;

	if (fread(data, 1, bytes, s->file) == bytes)
		return 0;
	s->failed = ferror(s->file) != 0;
	return s->failed ? -1 : MOTE_LM_READ_END;
}

/* A regular file, since others may keep whoever opens them waiting. */
static FILE *open_file(const char *path, struct mote_error *error)
{
	int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	FILE *file = NULL;
	struct stat st;

	if (descriptor < 0 || fstat(descriptor, &st)) {
		(void)mote_error_set(error, MOTE_ERROR_IO, "%s: %s", path, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		(void)mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: not a regular file", path);
	} else if (!(file = fdopen(descriptor, "rb"))) {
		(void)mote_error_set(error, MOTE_ERROR_MEMORY, "%s: no memory to read it", path);
	}
	if (descriptor >= 0 && !file)
		close(descriptor);
	return file;
}

static enum mote_status read_failed(const struct source *in, const char *path, struct mote_error *error)
{
	return in->failed ? mote_error_set(error, MOTE_ERROR_IO, "%s: cannot be read", path)
			  : mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: a session that ends too soon", path);
}

static enum mote_status check_conversation(const cJSON *json, const char *path, struct mote_error *error)
{
	const cJSON *messages = mote_json_get(json, "messages"), *tools = mote_json_get(json, "tools");
	const cJSON *text = mote_json_get(json, "text");

	if (cJSON_IsObject(json) && (text ? cJSON_IsString(text) && !messages : cJSON_IsArray(messages)) &&
	    (!tools || cJSON_IsArray(tools)))
		return MOTE_OK;
	return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: a session without messages or a text", path);
}

static enum mote_status read_conversation(struct source *in, const char *path, cJSON **json, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;
	struct header h;
	char *text;

	if (get(in, &h, sizeof h))
		return in->failed ? read_failed(in, path, error)
				  : mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: not a session of mote-run", path);
	if (memcmp(h.magic, magic, sizeof magic) != 0)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: not a session of mote-run", path);
	if (h.check != XXH3_64bits(&h, offsetof(struct header, check)))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: the checksum of its header is wrong", path);
	if (h.version != VERSION)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      "%s: a session of version %llu; this mote knows %d", path,
				      (unsigned long long)h.version, VERSION);
	if (h.bytes > MAX_CONVERSATION_BYTES)
		return mote_error_set(error, MOTE_ERROR_LIMIT, "%s: a conversation of %llu bytes; at most 64 MiB", path,
				      (unsigned long long)h.bytes);
	text = malloc(h.bytes + 1);
	if (!text)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: no memory for its conversation", path);
	if (h.bytes && get(in, text, h.bytes))
		status = read_failed(in, path, error);
	else if (h.text_check != XXH3_64bits(text, h.bytes))
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: the checksum of its conversation is wrong",
					path);
	else if ((status = mote_json_parse(text, h.bytes, path, json, error)) == MOTE_OK)
		status = check_conversation(*json, path, error);
	free(text);
	return status;
}

enum mote_status run_session_load(struct run *r, const char *path, cJSON **conversation, struct mote_error *error)
{
	struct source in = {.file = open_file(path, error)};
	struct mote_lm_error failed = {0};
	enum mote_status status;

	*conversation = NULL;
	if (!in.file)
		return error->code;
	status = read_conversation(&in, path, conversation, error);
	if (status == MOTE_OK && mote_lm_session_load(r->session, get, &in, &failed))
		status = mote_error_set(error, (enum mote_status)failed.status, "%s: %s", path, failed.message);
	if (status == MOTE_OK && fgetc(in.file) != EOF)
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: bytes behind the session's end", path);
	fclose(in.file);
	if (status) {
		cJSON_Delete(*conversation);
		*conversation = NULL;
	}
	return status;
}

bool run_session_is(const char *path)
{
	char begin[sizeof magic];
	FILE *file = open_file(path, &(struct mote_error){0});
	bool is = file && fread(begin, 1, sizeof begin, file) == sizeof begin && !memcmp(begin, magic, sizeof magic);

	if (file)
		fclose(file);
	return is;
}
