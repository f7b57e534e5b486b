/* libmote: runs small language models from mote files on a CPU.
 *
 *   struct mote_lm *lm;            a model with its tokenizer and chat template
 *   struct mote_lm_session *s;     KV cache, workspace and threads for one or many sequences
 *   struct mote_lm_answer *a;      one answer under way, as a stream of events
 *
 * docs/ask.c is a whole program: open a model, encode a message, read the answer's events.
 * Build with `pkg-config --cflags --libs mote`. This header needs no other.
 *
 * Conventions. Functions that can fail return a status (0: done) and take a struct mote_lm_error last, which may be
 * NULL; on failure an output handle is NULL. Closing functions take NULL. Texts are UTF-8 with a length beside them;
 * ill-formed bytes in a prompt become U+FFFD. JSON goes in and out as text, the same whatever the program's locale.
 * Structs of options begin with their own size (MOTE_LM_ARGUMENT: without it) and, but for chats, grammars and answers,
 * may be left out (NULL); the MOTE_LM_..._INIT macros set the size, and a field that is zero means its default, unless
 * something else is said, so that a program built against an older header keeps its meaning.
 *
 * Threads. A struct mote_lm is read-only after open: any number of threads may use it and have sessions over it. A
 * session, its answers and its text streams are used by one thread at a time; the two exceptions are
 * mote_lm_answer_cancel() and mote_lm_session_interrupt(), which any thread may call, and of calls on the session the
 * only ones that its callbacks may make. The library has no globals. A template may nest so deeply that 512 KiB of the
 * calling thread's stack are used; nothing else uses as much.
 *
 * Bits. Logits, and so answers of one seed, are the same on every machine, with any number of threads, whether a
 * sequence is computed alone or beside others, in the rounding mode in which programs begin.
 */
#ifndef MOTE_H
#define MOTE_H

#include <stddef.h>
#include <stdint.h>

#define MOTE_VERSION "1.0.0"
#define MOTE_VERSION_MAJOR 1
#define MOTE_VERSION_MINOR 0
#define MOTE_VERSION_PATCH 0

#if defined(__GNUC__)
#define MOTE_API __attribute__((visibility("default")))
#else
#define MOTE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library that runs, "1.0.0"; MOTE_VERSION is that of this header. */
MOTE_API const char *mote_version(void);

/* ---- status ---- */

enum mote_lm_status {
	MOTE_LM_OK = 0,
	MOTE_LM_IO,           /* the operating system refused */
	MOTE_LM_MEMORY,       /* an allocation failed */
	MOTE_LM_ARGUMENT,     /* the call makes no sense */
	MOTE_LM_CORRUPT,      /* a file or text breaks its own format */
	MOTE_LM_UNSUPPORTED,  /* valid, but mote does not do this, by name */
	MOTE_LM_LIMIT,        /* a cap on size, steps or depth was reached: the context is full, say */
	MOTE_LM_QUALITY,      /* (of the tools) */
	MOTE_LM_INTERRUPTED   /* progress or proceed said no, or somebody interrupted */
};

struct mote_lm_error {
	int status;           /* enum mote_lm_status */
	char message[1000];   /* file, place, what was found, what was expected; no control characters */
};

/* The exit code that mote's tools use for a status: 0, 1, 2 (argument), 3 (refused input), 4, 130. */
MOTE_API int mote_lm_exit_code(int status);

/* Frees a text or an array that the library allocated; NULL is fine. */
MOTE_API void mote_lm_free(void *memory);

/* ---- model ---- */

struct mote_lm;

struct mote_lm_options {
	size_t struct_bytes;
	int mapped;           /* 1: use the file's pages where they lie instead of copying the weights into huge pages:
			       * starts sooner, decodes slower */
};
#define MOTE_LM_OPTIONS_INIT {sizeof(struct mote_lm_options), 0}

/* Opens a model. MOTE_LM_IO, _CORRUPT, _UNSUPPORTED (a file without weights or tokenizer), _MEMORY. */
MOTE_API int mote_lm_open(const char *path, const struct mote_lm_options *options, struct mote_lm **out,
			  struct mote_lm_error *error);
/* After all sessions and text streams over it. */
MOTE_API void mote_lm_close(struct mote_lm *lm);

struct mote_lm_info {
	uint32_t vocab;             /* ids are 0 .. vocab - 1 */
	uint32_t hidden;            /* floats of an embedding */
	uint32_t layers;
	uint32_t max_tokens;        /* positions: the longest context */
	int32_t bos;                /* -1: none */
	uint64_t parameters;
	uint64_t file_bytes;
	double bits_per_weight;     /* of matrices, scales included */
	int chat;                   /* 1: it has a chat template */
	int reasons;                /* 1: it marks reasoning, with tags that answers are split by */
};
MOTE_API void mote_lm_describe(const struct mote_lm *lm, struct mote_lm_info *info);

/* Metadata, and the receipts of what quantization cost ("[]" when there are none), as JSON text; the caller frees. */
MOTE_API int mote_lm_metadata(const struct mote_lm *lm, char **json, struct mote_lm_error *error);
MOTE_API int mote_lm_receipts(const struct mote_lm *lm, char **json, struct mote_lm_error *error);

/* ---- text ---- */

enum mote_lm_encode_flags {
	MOTE_LM_ADD_SPECIAL = 1,   /* what the tokenizer puts around a text (a bos, say) */
	MOTE_LM_PLAIN = 2,         /* "<|im_end|>" in the text is text, not the token */
	MOTE_LM_ADD_BEFORE = 4     /* of ADD_SPECIAL only what goes before: of a text that is gone on with */
};

/* Text to ids; *ids is allocated. MOTE_LM_LIMIT (a word of the text takes too many steps), MOTE_LM_MEMORY. */
MOTE_API int mote_lm_encode(const struct mote_lm *lm, const char *text, size_t bytes, unsigned flags, int32_t **ids,
			    size_t *count, struct mote_lm_error *error);
/* Ids to text, with a NUL behind its bytes; special: show special tokens too. Ids without a token give nothing.
 * MOTE_LM_MEMORY. */
MOTE_API int mote_lm_decode(const struct mote_lm *lm, const int32_t *ids, size_t count, int special, char **text,
			    size_t *bytes, struct mote_lm_error *error);
/* The vocabulary's text of an id, borrowed, no NUL behind it; NULL for an id without one. */
MOTE_API const char *mote_lm_token(const struct mote_lm *lm, int32_t id, size_t *bytes);
/* The id of a token by exactly this text, or -1. */
MOTE_API int32_t mote_lm_token_id(const struct mote_lm *lm, const char *text, size_t bytes);
/* 1 when the model ends its turn with this id. */
MOTE_API int mote_lm_is_end(const struct mote_lm *lm, int32_t id);

/* Ids to text piece by piece, in whole characters. */
struct mote_lm_text;
enum mote_lm_text_flags {
	MOTE_LM_TEXT_SPECIAL = 1,    /* show special tokens, too */
	MOTE_LM_TEXT_CONTINUES = 2,  /* the text goes on with an earlier one: its first token keeps its leading space */
	MOTE_LM_TEXT_BYTES = 4       /* each id's bytes as they are, parts of characters too: nothing is held back */
};
MOTE_API int mote_lm_text_open(const struct mote_lm *lm, int flags, struct mote_lm_text **out,
			       struct mote_lm_error *error);
/* The text that this id completes, with a NUL behind it, valid until the next call; often empty. */
MOTE_API const char *mote_lm_text_next(struct mote_lm_text *t, int32_t id, size_t *bytes);
/* What is still held back at the end. */
MOTE_API const char *mote_lm_text_flush(struct mote_lm_text *t, size_t *bytes);
MOTE_API void mote_lm_text_close(struct mote_lm_text *t);

/* What the model's chat template is rendered with, as transformers' apply_chat_template() does. */
struct mote_lm_chat {
	size_t struct_bytes;
	const char *messages;           /* JSON: [{"role": "user", "content": "..."}, ...] */
	const char *tools;              /* JSON array, or NULL */
	const char *variables;          /* JSON object of further variables (enable_thinking ...), or NULL */
	const char *template_text;      /* instead of the model's own, or NULL */
	int no_generation_prompt;       /* 1: do not begin the assistant's turn */
	int64_t now;                    /* seconds since 1970 for templates that print the date; 0: the clock's */
	/* 1: the answer goes on with the last message, the assistant's, as if it were its own beginning: nothing is
	 * rendered behind that message's content. Set mote_lm_answer_options.continues_text, too. */
	int continues_last;
};
#define MOTE_LM_CHAT_INIT {sizeof(struct mote_lm_chat), NULL, NULL, NULL, NULL, 0, 0, 0}

/* The conversation as text. MOTE_LM_ARGUMENT: the model has no template, the template refuses the messages, or messages
 * or tools are no array, variables no object. MOTE_LM_CORRUPT: JSON or a template that is wrong, or messages that it
 * cannot render. MOTE_LM_LIMIT: a template's steps or size. MOTE_LM_UNSUPPORTED: a construct of the template, or with
 * continues_last one that does not show where a content ends. MOTE_LM_MEMORY. */
MOTE_API int mote_lm_render(const struct mote_lm *lm, const struct mote_lm_chat *chat, char **text, size_t *bytes,
			    struct mote_lm_error *error);
/* The conversation as ids. Text of messages never becomes a control token, whatever it spells. *reasoning_open, unless
 * it is NULL, becomes 1 when the template's generation prompt opens the thought: hand it on to the answer. */
MOTE_API int mote_lm_encode_chat(const struct mote_lm *lm, const struct mote_lm_chat *chat, int32_t **ids,
				 size_t *count, int *reasoning_open, struct mote_lm_error *error);

/* 1 when a text ends inside a thought: its last tag is an opening one. For prompts that are no conversation. */
MOTE_API int mote_lm_opens_reasoning(const struct mote_lm *lm, const char *text, size_t bytes);

/* ---- session ---- */

struct mote_lm_session;

struct mote_lm_session_options {
	size_t struct_bytes;
	uint32_t context_tokens;        /* of a sequence, at most the model's max_tokens; 0: these */
	uint32_t sequences;             /* side by side, at most 4096; 0: 1 */
	uint32_t batch_tokens;          /* most tokens of one pass, up to 65536; 0: 512. Never less than `sequences` */
	uint32_t threads;               /* at most 256; 0: the physical cores */
	const char *kv_keys, *kv_values;/* "f16" (NULL), "q8" or "f32" */
	const char *isa;                /* "scalar", "avx2" ...; NULL: the best of this machine */
	uint32_t prompt_rows;           /* of watched prompts (prompt_logprobs) that a pass may take; 0: 1. As many rows
					 * of [vocab] floats are kept */
	/* Asked between layers of every pass and before every token; 0 stops with MOTE_LM_INTERRUPTED. May be NULL. */
	int (*proceed)(void *user);
	void *user;
	/* 1: a pass in which something becomes infinite or NaN ends with MOTE_LM_CORRUPT, and the message names layer,
	 * tensor and position. 0: only what a token would be chosen from is looked at, and no token is chosen then. */
	int check;
	/* 1: answers are computed a token a pass. Else, where an answer goes on as the text before it did (it quotes
	 * its prompt, or repeats itself), several tokens are guessed and computed in one pass, as far as that saves
	 * time; the answer is the same, bit for bit. */
	int no_lookup;
};
#define MOTE_LM_SESSION_OPTIONS_INIT \
	{sizeof(struct mote_lm_session_options), 0, 0, 0, 0, NULL, NULL, NULL, 0, NULL, NULL, 0, 0}

/* MOTE_LM_ARGUMENT: an option out of range; MOTE_LM_UNSUPPORTED: this machine lacks the isa; MOTE_LM_MEMORY. The model
 * must outlive the session. */
MOTE_API int mote_lm_session_open(const struct mote_lm *lm, const struct mote_lm_session_options *options,
				  struct mote_lm_session **out, struct mote_lm_error *error);
MOTE_API void mote_lm_session_close(struct mote_lm_session *s); /* after its answers */

struct mote_lm_session_info {
	uint32_t context_tokens, sequences, threads;
	uint64_t bytes;                 /* KV cache and workspace */
	const char *isa;
};
MOTE_API void mote_lm_session_describe(const struct mote_lm_session *s, struct mote_lm_session_info *info);

/* Stops the pass under way, and what runs it, with MOTE_LM_INTERRUPTED. From any thread; holds until the next call
 * that runs passes returns. */
MOTE_API void mote_lm_session_interrupt(struct mote_lm_session *s);

/* One pass: every answer of the session advances by a token, or its prompt by a slice. For programs that serve many
 * answers at once and read their events with mote_lm_answer_poll(). Nothing happens when no answer runs.
 * MOTE_LM_INTERRUPTED, MOTE_LM_MEMORY, MOTE_LM_LIMIT, MOTE_LM_CORRUPT (options.check); it may be called again. */
MOTE_API int mote_lm_session_step(struct mote_lm_session *s, struct mote_lm_error *error);

/* The logits [vocab] behind the last of these ids, valid until the next call. What a free sequence holds already is
 * not computed again, so ids may grow one by one. Waits for a free sequence while answers hold all.
 * MOTE_LM_ARGUMENT: no ids, more than the context holds, or one beyond the vocabulary. Else as above. */
MOTE_API int mote_lm_logits(struct mote_lm_session *s, const int32_t *ids, size_t count, const float **logits,
			    struct mote_lm_error *error);

/* A text that was read once need not be read again, by another process neither: saving writes what a free sequence of
 * the session holds of the longest beginning of these ids, with checksums, and what it holds beyond is given up;
 * loading gives it to a free sequence, and a prompt that begins so goes on from there, with the same bits. A state
 * belongs to one model (its tensors) and to sessions of one kv_keys and kv_values, and of one context_tokens where
 * these are less than 256 or the model's RoPE (dynamic, longrope) follows them.
 *
 * write() gets the bytes in order and returns 0, anything else for a failure. read() fills all bytes and returns 0, or
 * MOTE_LM_READ_END when fewer are left, or else for a failure.
 *   MOTE_LM_IO           write() or read() failed
 *   MOTE_LM_ARGUMENT     answers hold all sequences; (loading) more tokens than the context
 *   MOTE_LM_CORRUPT      no state, or a damaged one
 *   MOTE_LM_UNSUPPORTED  of another model, of other KV types, of another context, of a later version
 *   MOTE_LM_MEMORY */
#define MOTE_LM_READ_END 1
MOTE_API int mote_lm_session_save(struct mote_lm_session *s, const int32_t *ids, size_t count,
				  int (*write)(void *user, const void *data, size_t bytes), void *user,
				  struct mote_lm_error *error);
MOTE_API int mote_lm_session_load(struct mote_lm_session *s, int (*read)(void *user, void *data, size_t bytes),
				  void *user, struct mote_lm_error *error);

/* ---- sampling ---- */

struct mote_lm_sampling {
	size_t struct_bytes;
	float temperature;              /* to 100; 0: always the most probable token */
	uint32_t top_k;                 /* 0: all */
	float top_p, min_p, typical_p;  /* 0 to 1; 1, 0, 1: no effect. top_p 0: the most probable token only */
	float repeat_penalty;           /* 0.01 to 100; 0 or 1: none */
	uint32_t repeat_last;           /* over so many tokens back; 0: all */
	float presence_penalty, frequency_penalty; /* on what was sampled, not on the prompt; -100 to 100 */
	float dry_multiplier;           /* to 100; 0: no penalty on repeated sequences */
	float dry_base;                 /* 1 to 100; 0: 1.75 */
	uint32_t dry_allowed;           /* repeated tokens without penalty; 0: 2 */
	const int32_t *bias_ids;        /* [biases] logits to which bias[i] is added; -INFINITY: never */
	const float *bias;
	uint32_t biases;
	uint64_t seed;
};
/* Fills in the model's own recommendation (its generation_config), else temperature 0.6, top-p 0.95; seed 0. */
MOTE_API void mote_lm_sampling_recommended(const struct mote_lm *lm, struct mote_lm_sampling *sampling);

/* ---- grammars ---- */

/* What an answer may say: docs/grammar.md. Read-only once open, for answers of all sessions over its model. */
struct mote_lm_grammar;

enum mote_lm_grammar_kind {
	MOTE_LM_GRAMMAR_GBNF,           /* llama.cpp's notation; it begins at the rule "root" */
	MOTE_LM_GRAMMAR_JSON_SCHEMA,    /* JSON that is valid for a schema */
	MOTE_LM_GRAMMAR_JSON_OBJECT,    /* any JSON object; no text */
	MOTE_LM_GRAMMAR_TOOL_CALLS      /* calls of tools, <tool_call>\n{"name": ..., "arguments": {...}}\n</tool_call>:
					 * the text is OpenAI's list of tools, JSON */
};
struct mote_lm_grammar_options {
	size_t struct_bytes;
	enum mote_lm_grammar_kind kind;
	const char *text;
	size_t bytes;
	const char *name;               /* of the text, for messages; NULL: its kind */
	const char *tool;               /* of TOOL_CALLS: the one to be called; NULL: any */
	int several;                    /* of TOOL_CALLS: 1: others may follow */
};
#define MOTE_LM_GRAMMAR_OPTIONS_INIT \
	{sizeof(struct mote_lm_grammar_options), MOTE_LM_GRAMMAR_GBNF, NULL, 0, NULL, NULL, 0}

/* MOTE_LM_CORRUPT: the text breaks its notation, at the place that the message names. MOTE_LM_UNSUPPORTED: a part of
 * it, by name, or the model's tokenizer. MOTE_LM_ARGUMENT: no such tool. MOTE_LM_LIMIT: too large. MOTE_LM_MEMORY. */
MOTE_API int mote_lm_grammar_open(const struct mote_lm *lm, const struct mote_lm_grammar_options *options,
				  struct mote_lm_grammar **out, struct mote_lm_error *error);
MOTE_API void mote_lm_grammar_close(struct mote_lm_grammar *g); /* after the answers that obey it; before its model */

/* ---- answers ---- */

struct mote_lm_answer;

struct mote_lm_answer_options {
	size_t struct_bytes;
	const int32_t *prompt;          /* [prompt_tokens]; all is copied, but for grammar and user */
	size_t prompt_tokens;
	const struct mote_lm_sampling *sampling; /* NULL: recommended */
	uint32_t max_tokens;            /* 0: until the model ends or the context is full */
	const char *const *stop;        /* [stops] texts that end the answer and are not shown; in a thought
					 * they end nothing, but where continues_text is 1 */
	uint32_t stops;
	const int32_t *stop_ids;        /* [n_stop_ids] besides the model's own */
	uint32_t n_stop_ids;
	int ignore_end;                 /* 1: the model's own ends do not end the answer */
	int continues_text;             /* 1: the prompt is text to go on with, not a turn to answer */
	int reasoning_open;             /* 1: the prompt ends inside the thought (mote_lm_encode_chat()) */
	uint32_t think_budget;          /* reasoning of so many tokens, all thoughts together, is closed by force;
					 * 0: no limit */
	/* Called with the logits [vocab] of each step before sampling, to lower what must not come (-INFINITY). */
	void (*mask)(void *user, float *logits, uint32_t vocab);
	void *user;
	int logprobs;                   /* 1: log-probabilities are kept: mote_lm_answer_logprobs() */
	uint32_t top_logprobs;          /* and so many of the most probable tokens beside, at most MOTE_LM_MAX_TOP */
	int prompt_logprobs;            /* 1: of the prompt's tokens too, which is then computed whole; where logits of
					 * it are not finite, the answer ends with MOTE_LM_CORRUPT */
	int prompt_only;                /* 1: it ends behind the prompt, without a token */
	/* Called with the states [hidden] behind the final norm of all ids of the prompt, in order: embeddings. */
	void (*state)(void *user, uint32_t position, const float *state);
	const struct mote_lm_grammar *grammar; /* what its text obeys, behind the thought; borrowed until closed */
	int one_text;                   /* 1: a thought is text as any other, tags and all: no event is REASONING, and
					 * no budget holds */
};
#define MOTE_LM_ANSWER_OPTIONS_INIT \
	{sizeof(struct mote_lm_answer_options), NULL, 0, NULL, 0, NULL, 0, NULL, 0, 0, 0, 0, 0, NULL, NULL, 0, 0, 0, \
	 0, NULL, NULL, 0}

/* Sets max_tokens and the stop texts, which are the model's own, to what its makers recommend. */
MOTE_API void mote_lm_answer_recommended(const struct mote_lm *lm, struct mote_lm_answer_options *options);

enum mote_lm_event_kind {
	MOTE_LM_EVENT_TEXT,             /* of the answer; white space right behind a thought's tag is left out */
	MOTE_LM_EVENT_REASONING,        /* of the thought before it */
	MOTE_LM_EVENT_END,              /* finish says why; every later call gives it again */
	MOTE_LM_EVENT_NONE              /* of mote_lm_answer_poll(): nothing yet */
};
enum mote_lm_finish {
	MOTE_LM_FINISH_STOP,            /* the model ended its turn, or its grammar, or a stop text or id came */
	MOTE_LM_FINISH_LENGTH,          /* max_tokens, or the context is full */
	MOTE_LM_FINISH_CANCELLED
};
struct mote_lm_event {
	enum mote_lm_event_kind kind;
	const char *text;               /* whole characters, a NUL behind them (one among them is U+FFFD);
					 * valid until the next call on the session */
	size_t bytes;
	enum mote_lm_finish finish;     /* of END */
	size_t tokens;                  /* sampled when its last text came: those before it are spoken for */
};

/* Begins an answer: it takes a free sequence of the session (or waits for one, while others run). Runs nothing yet.
 * Several answers of one session advance together, whichever's events are read. MOTE_LM_ARGUMENT: a prompt as in
 * mote_lm_logits(), sampling out of range, a stop text that is empty or no UTF-8. MOTE_LM_MEMORY. */
MOTE_API int mote_lm_answer_open(struct mote_lm_session *s, const struct mote_lm_answer_options *options,
				 struct mote_lm_answer **out, struct mote_lm_error *error);
/* The next event, running the session as far as it takes. Fails as mote_lm_session_step() does, and for good with
 * MOTE_LM_ARGUMENT (bias and mask leave no token) and MOTE_LM_CORRUPT (logits that are not finite). */
MOTE_API int mote_lm_answer_next(struct mote_lm_answer *a, struct mote_lm_event *event, struct mote_lm_error *error);
/* The same without running anything: MOTE_LM_EVENT_NONE until mote_lm_session_step() has brought something. */
MOTE_API int mote_lm_answer_poll(struct mote_lm_answer *a, struct mote_lm_event *event, struct mote_lm_error *error);
/* From any thread: the answer ends before its next token. */
MOTE_API void mote_lm_answer_cancel(struct mote_lm_answer *a);

/* Closes the thought before the next token, as a budget would; nothing when there is none. */
MOTE_API void mote_lm_answer_close_reasoning(struct mote_lm_answer *a);

struct mote_lm_answer_info {
	size_t prompt_tokens;
	size_t prompt_computed;         /* of which the cache did not hold */
	size_t tokens;                  /* sampled so far, markers and the end token included */
	const int32_t *ids;             /* [tokens], borrowed until the next call */
	double prompt_seconds, predict_seconds;
};
MOTE_API void mote_lm_answer_describe(const struct mote_lm_answer *a, struct mote_lm_answer_info *info);
/* The index of the stop text that ended it, among those of its options; -1: none did. */
MOTE_API int mote_lm_answer_stop_text(const struct mote_lm_answer *a);
/* How many tokens were guessed and computed ahead (see no_lookup), and how many of these came. */
MOTE_API void mote_lm_answer_guesses(const struct mote_lm_answer *a, uint64_t *made, uint64_t *right);

/* Log-probabilities (natural) are those of the model, before bias, penalties, mask and temperature. */
#define MOTE_LM_MAX_TOP 20
struct mote_lm_logprob {
	int32_t id;
	float logprob;
};
struct mote_lm_logprobs {
	struct mote_lm_logprob token;      /* what came; NaN for the first of a prompt, which nothing predicts */
	const struct mote_lm_logprob *top; /* [tops], falling; borrowed until the next call on the session */
	uint32_t tops;
};
/* Of token `index` of the answer, or of its prompt. 0: not asked for, or it has not come. */
MOTE_API int mote_lm_answer_logprobs(const struct mote_lm_answer *a, int of_prompt, size_t index,
				     struct mote_lm_logprobs *out);
/* Ends it, wherever it is, and frees its sequence, whose content is kept for prompts that begin alike. */
MOTE_API void mote_lm_answer_close(struct mote_lm_answer *a);

#ifdef __cplusplus
}
#endif

#endif
