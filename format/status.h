/* Status and error: the one way in which mote's library reports failure.
 *
 * Every fallible function returns an enum mote_status and takes a struct
 * mote_error as its last parameter. The error may be NULL when the caller does
 * not want the message. The first error wins: a function that sets an error
 * which is already set leaves it alone, so cleaning up cannot hide the cause.
 */
#ifndef MOTE_FORMAT_STATUS_H
#define MOTE_FORMAT_STATUS_H

/* On a declaration: a caller that does not look at what the function returns is warned. */
#define MOTE_CHECKED __attribute__((warn_unused_result))

/* The same for every function that returns the type; where dropping it is meant, (void) says so. */
#if defined(__clang__)
#define MOTE_CHECKED_TYPE __attribute__((warn_unused_result))
#elif defined(__has_c_attribute)
#define MOTE_CHECKED_TYPE [[nodiscard]]
#else
#define MOTE_CHECKED_TYPE
#endif

enum MOTE_CHECKED_TYPE mote_status {
	MOTE_OK = 0,
	MOTE_ERROR_IO,          /* the operating system refused; message says what and why */
	MOTE_ERROR_MEMORY,      /* an allocation failed */
	MOTE_ERROR_ARGUMENT,    /* the caller asked for something that makes no sense */
	MOTE_ERROR_CORRUPT,     /* input breaks its own format */
	MOTE_ERROR_UNSUPPORTED, /* input is valid, but mote does not do this, by name */
	MOTE_ERROR_LIMIT,       /* a cap on steps, size, depth or time was reached */
	MOTE_ERROR_QUALITY,     /* a result is worse than a gate allows */
	MOTE_ERROR_INTERRUPTED  /* the user asked to stop */
};

struct mote_error {
	enum mote_status code;
	char message[1000]; /* UTF-8, no newline, always terminated */
};

/* Records code and a printf-formatted message in e, unless e is NULL or already
 * holds an error. Returns code, so that "return mote_error_set(e, ...)" works.
 * The message names the object (file, tensor, key), the place (byte offset, line),
 * what was found and what was expected. What is quoted in it may be any bytes: control characters become question
 * marks, a character that was cut (by a precision, or because the message is full) goes as a whole. */
enum mote_status mote_error_set(struct mote_error *e, enum mote_status code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the message that e already holds; for callers that know
 * the file's name where the callee did not. No effect on NULL or an empty error. */
void mote_error_prefix(struct mote_error *e, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The exit code that every tool uses for a status: 0 done, 1 failed, 2 usage (argument),
 * 3 corrupt or refused input, 4 quality gate failed, 130 interrupted. */
int mote_status_exit_code(enum mote_status status);

#endif
