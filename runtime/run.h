/* What the files of mote-run share: the command line, the opened model, and one turn of a conversation.
 *
 *   run_options.c  the command line        run_answer.c  a prompt answered, shown, told as JSON
 *   run_session.c  sessions on disk
 *   run_chat.c     the chat      run_commands.c  its commands      run_line.c  a line typed at a terminal
 *
 * Everything of the model goes through mote.h, as in any other program.
 */
#ifndef MOTE_RUNTIME_RUN_H
#define MOTE_RUNTIME_RUN_H

#include "format/json_build.h"
#include "format/output.h"
#include "format/tool/console.h"
#include "format/tool/options.h"
#include "runtime/api/mote.h"

#define MOTE_RUN "mote-run"

enum { RUN_MAX_STOPS = 16, RUN_MAX_BIASES = 256 };

/* Texts of an option that may be given several times, borrowed. */
struct run_texts {
	const char *text[RUN_MAX_STOPS];
	uint32_t count;
};

struct run_biases {
	const char *text[RUN_MAX_BIASES]; /* "TOKEN=X" or "ID+X", as given */
	uint32_t count;
};

enum run_think { RUN_THINK_SHOW, RUN_THINK_HIDE, RUN_THINK_ONLY, RUN_THINK_OFF };

struct run_arguments {
	const char *model, *prompt, *file, *operand, *system, *messages, *template_file, *variables, *save, *load;
	const char *schema, *grammar;
	bool lookup, raw, json, quiet, mapped, force, ignore_end, check, sandbox;
	enum run_think think;
	uint32_t predict;          /* UINT32_MAX: not given; 0: no limit */
	uint32_t logits, think_budget, top_k;
	struct run_texts stop, stop_token;
	struct run_biases bias;
	struct mote_option_seed seed;
	uint32_t context, threads;
	const char *kv_keys, *kv_values;
	struct mote_lm_sampling sampling; /* fields below zero: not given */
};

/* Negative: go on; else the exit code. */
int run_parse_arguments(int argc, char **argv, struct run_arguments *a);
/* For /set: one option of generation by its long name. False: no such one, or not this value; said. */
bool run_set_option(struct run_arguments *a, const char *name, const char *value);

struct run {
	struct run_arguments *arguments;
	struct mote_lm *lm;
	struct mote_lm_session *session;
	struct mote_lm_info info;
	struct mote_lm_sampling sampling;      /* the options, and the model's recommendation where there is none */
	struct mote_lm_answer_options answer;  /* what every answer has in common */
	const char *stop[2 * RUN_MAX_STOPS];
	int32_t stop_id[RUN_MAX_STOPS];
	int32_t bias_id[RUN_MAX_BIASES];
	float bias[RUN_MAX_BIASES];
	struct mote_lm_grammar *grammar;       /* of --json-schema or --grammar, or NULL */
	char *template_text;                   /* of --chat-template-file, or NULL */
	char *variables;                       /* JSON, or NULL */
	cJSON *loaded;                         /* of --load-session: {"messages"} or {"text"}, or NULL */
	struct mote_output *save;              /* of --save-session, until it is written; or NULL */
	double load_seconds;
	bool terminal;                         /* standard output is one */
	bool styled;                           /* ... and shows reasoning dim */
};

/* Settings from the options and the model; again after /set. MOTE_ERROR_ARGUMENT: a token that the model has not. */
enum mote_status run_resolve(struct run *r, struct mote_error *error);

/* The template's variables from the options; again after /think, since thinking is turned off by one that templates ask
 * for. MOTE_ERROR_CORRUPT, MOTE_ERROR_ARGUMENT: --chat-template-kwargs is no JSON, or no object. */
enum mote_status run_make_variables(struct run *r, struct mote_error *error);

/* With --sandbox, when all is loaded that files give. */
enum mote_status run_seal(const struct run *r, struct mote_error *error);

/* A prompt and what came of it. Zero-initialize; free with run_turn_free(). */
struct run_turn {
	int32_t *prompt, *ids;
	size_t prompt_tokens, prompt_computed, tokens;
	int reasoning_open;
	char *text, *reasoning;                /* NUL-terminated, or NULL when empty */
	size_t text_bytes, reasoning_bytes;
	enum mote_lm_finish finish;
	const char *stop;                      /* the text that ended it, or NULL */
	const char *said;                      /* why, when it was ended for a reason of ours; or NULL */
	struct run_top {
		int32_t id;
		float logit;
	} *top;                                /* [vocab] of the first step, the largest first, or NULL */
	double prompt_seconds, predict_seconds;
	uint64_t guessed, guessed_right;       /* tokens, by lookup */
};
void run_turn_free(struct run_turn *turn);

/* The conversation as ids, with the options' template and variables; to be answered: the answer's beginning, too. */
enum mote_status run_encode(const struct run *r, const cJSON *messages, const cJSON *tools, bool to_be_answered,
			    struct run_turn *turn, struct mote_error *error);
/* A prompt that is taken as it is. */
enum mote_status run_encode_raw(const struct run *r, const char *prompt, size_t bytes, struct run_turn *turn,
				struct mote_error *error);
/* Answers turn's prompt and shows it as it comes. An answer that was interrupted after it began is none of the errors:
 * finish tells. chat: a thought that goes round in circles is closed. */
enum mote_status run_answer(struct run *r, struct run_turn *turn, bool continues_text, bool chat,
			    struct mote_error *error);
void run_print_speed(const struct run *r, const struct run_turn *turn);
/* The same without --quiet; and why it was ended. */
void run_print_end(const struct run *r, const struct run_turn *turn);
enum mote_status run_print_json(const struct run *r, const struct run_turn *turn, struct mote_error *error);

/* Lines from the terminal until its end. */
enum mote_status run_chat(struct run *r, struct mote_error *error);

/* ---- sessions on disk ---- */

/* Writes messages with tools (or NULL), or a text, and what the session holds of it; out is used up in every case. */
enum mote_status run_session_save(const struct run *r, const cJSON *messages, const cJSON *tools, const char *text,
				  struct mote_output *out, struct mote_error *error);
/* All that an answer that goes on with a text has written, the tags of its reasoning too; without its end. The caller
 * frees. */
enum mote_status run_session_text(const struct run *r, const struct run_turn *turn, char **text,
				  struct mote_error *error);
/* *conversation, to be deleted: {"messages", "tools"} or {"text"}. The session holds what it held when it was saved.
 * MOTE_ERROR_CORRUPT, MOTE_ERROR_UNSUPPORTED (of another model, or of other KV types), MOTE_ERROR_IO ... */
enum mote_status run_session_load(struct run *r, const char *path, cJSON **conversation, struct mote_error *error);
/* Whether the file begins like one. */
bool run_session_is(const char *path);

/* Adds {"role", "content"} to messages. */
enum mote_status run_add_message(cJSON *messages, const char *role, const char *content, struct mote_error *error);

/* An error of mote.h as one of the tools'. */
enum mote_status run_fail(const struct mote_lm_error *from, struct mote_error *error);

#endif
