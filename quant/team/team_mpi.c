/* A team of MPI ranks: see team.h.
 *
 * All messages go to or from rank 0, where a thread of its own answers while the main thread computes as the others do.
 * MPI is called by one thread at a time there, so MPI_THREAD_SERIALIZED is enough. Nobody waits inside MPI, whose
 * waiting keeps a core busy: everybody looks for messages and sleeps in between.
 */
#include "quant/team/team.h"

#include <limits.h>
#include <mpi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	CLAIM = 1, /* to rank 0, empty: a piece, please */
	PIECE,     /* from rank 0, one int: it, or -1 */
	PART,      /* to rank 0: the piece's number, an int, and its text */
	LEAVE,     /* to rank 0, struct farewell: claims no more */
	BYE        /* from rank 0, empty: all have left */
};

enum { LOOK_NS = 500 * 1000, IDLE_NS = 10 * 1000 * 1000 };

struct farewell {
	int status;
	char message[sizeof ((struct mote_error *)0)->message];
};

struct mote_team {
	int rank, size;
	bool mpi, left;

	/* rank 0 */
	const struct mote_team_desk *desk;
	pthread_t thread;
	pthread_mutex_t lock;   /* of all below */
	bool serving, stopped;  /* stopped: no piece is given any more */
	int others_left;
	struct mote_error failure;
};

static void nap(long nanoseconds)
{
	nanosleep(&(struct timespec){.tv_nsec = nanoseconds}, NULL);
}

/* ---- opening ---- */

/* Whether a launcher started this process; without one MPI is not touched, and nothing waits for it. */
static bool launched(void)
{
	return getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMIX_RANK") || getenv("PMI_RANK") || getenv("PMI_SIZE");
}

enum mote_status mote_team_open(struct mote_team **out, struct mote_error *error)
{
	struct mote_team *t = calloc(1, sizeof *t);
	int level = 0;

	*out = t;
	if (!t)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	t->size = 1;
	if (!launched())
		return MOTE_OK;
	if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level) != MPI_SUCCESS)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "MPI does not start");
	t->mpi = true;
	MPI_Comm_rank(MPI_COMM_WORLD, &t->rank);
	MPI_Comm_size(MPI_COMM_WORLD, &t->size);
	pthread_mutex_init(&t->lock, NULL);
	if (level < MPI_THREAD_SERIALIZED)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "this MPI cannot be called by threads in turn");
	return MOTE_OK;
}

uint32_t mote_team_rank(const struct mote_team *t)
{
	return (uint32_t)t->rank;
}

uint32_t mote_team_size(const struct mote_team *t)
{
	return (uint32_t)t->size;
}

/* ---- rank 0: the desk ---- */

static bool next_piece(struct mote_team *t, uint32_t *piece)
{
	bool found;

	pthread_mutex_lock(&t->lock);
	found = !t->stopped && t->desk && t->desk->next(t->desk->user, piece);
	pthread_mutex_unlock(&t->lock);
	return found;
}

static void fail(struct mote_team *t, int rank, enum mote_status status, const char *message)
{
	pthread_mutex_lock(&t->lock);
	t->stopped = true;
	if (!t->failure.code && rank)
		(void)mote_error_set(&t->failure, status, "rank %d of %d: %s", rank, t->size, message);
	else if (!t->failure.code)
		(void)mote_error_set(&t->failure, status, "%s", message);
	pthread_mutex_unlock(&t->lock);
}

static enum mote_status take(struct mote_team *t, uint32_t piece, const char *text, size_t bytes,
			     struct mote_error *error)
{
	enum mote_status status;

	pthread_mutex_lock(&t->lock);
	status = t->desk ? t->desk->take(t->desk->user, piece, text, bytes, error) : MOTE_OK;
	pthread_mutex_unlock(&t->lock);
	return status;
}

static void receive_part(struct mote_team *t, const MPI_Status *from)
{
	struct mote_error error = {0};
	int bytes = 0, piece = 0;
	char *text;

	MPI_Get_count(from, MPI_BYTE, &bytes);
	text = malloc((size_t)bytes + 1);
	if (!text) { /* the message stays where it is: nothing more can be done in this run */
		fprintf(stderr, "out of memory for a part of %d bytes\n", bytes);
		MPI_Abort(MPI_COMM_WORLD, 1);
		return;
	}
	MPI_Recv(text, bytes, MPI_BYTE, from->MPI_SOURCE, PART, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	memcpy(&piece, text, sizeof piece);
	if (take(t, (uint32_t)piece, text + sizeof piece, (size_t)bytes - sizeof piece, &error))
		fail(t, 0, error.code, error.message);
	free(text);
}

/* One message, if there is one. */
static bool serve_one(struct mote_team *t)
{
	struct farewell farewell;
	uint32_t piece = 0;
	int flag = 0, answer;
	MPI_Status from;

	MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &flag, &from);
	if (!flag)
		return false;
	switch (from.MPI_TAG) {
	case CLAIM:
		MPI_Recv(NULL, 0, MPI_BYTE, from.MPI_SOURCE, CLAIM, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		answer = next_piece(t, &piece) ? (int)piece : -1;
		MPI_Send(&answer, 1, MPI_INT, from.MPI_SOURCE, PIECE, MPI_COMM_WORLD);
		break;
	case PART:
		receive_part(t, &from);
		break;
	default:
		MPI_Recv(&farewell, sizeof farewell, MPI_BYTE, from.MPI_SOURCE, LEAVE, MPI_COMM_WORLD,
			 MPI_STATUS_IGNORE);
		if (farewell.status)
			fail(t, from.MPI_SOURCE, (enum mote_status)farewell.status, farewell.message);
		t->others_left++;
	}
	return true;
}

/* Until all others have left. */
static void *serve(void *user)
{
	struct mote_team *t = user;

	while (t->others_left < t->size - 1)
		if (!serve_one(t))
			nap(LOOK_NS);
	return NULL;
}

/* ---- all ranks ---- */

enum mote_status mote_team_begin(struct mote_team *t, const struct mote_team_desk *desk, struct mote_error *error)
{
	if (t->rank)
		return MOTE_OK;
	t->desk = desk;
	if (t->size > 1 && pthread_create(&t->thread, NULL, serve, t) != 0)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no thread for the ranks of MPI");
	t->serving = t->size > 1;
	return MOTE_OK;
}

/* The message of this tag from rank 0, of one int or none. */
static int await(int tag, long nanoseconds)
{
	int value = -1, flag = 0, count = 0;
	MPI_Status from;

	for (;;) {
		MPI_Iprobe(0, tag, MPI_COMM_WORLD, &flag, &from);
		if (flag)
			break;
		nap(nanoseconds);
	}
	MPI_Get_count(&from, MPI_INT, &count);
	MPI_Recv(&value, count, MPI_INT, 0, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	return value;
}

bool mote_team_claim(struct mote_team *t, uint32_t *piece)
{
	int answer;

	if (!t->rank)
		return next_piece(t, piece);
	MPI_Send(NULL, 0, MPI_BYTE, 0, CLAIM, MPI_COMM_WORLD);
	answer = await(PIECE, LOOK_NS);
	*piece = (uint32_t)answer;
	return answer >= 0;
}

enum mote_status mote_team_deliver(struct mote_team *t, uint32_t piece, const char *text, size_t bytes,
				   struct mote_error *error)
{
	int number = (int)piece;
	char *message;

	if (!t->rank)
		return take(t, piece, text, bytes, error);
	if (bytes > INT_MAX - sizeof number)
		return mote_error_set(error, MOTE_ERROR_LIMIT, "a part of %zu bytes is more than an MPI message holds",
				      bytes);
	message = malloc(sizeof number + bytes);
	if (!message)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for a part of %zu bytes", bytes);
	memcpy(message, &number, sizeof number);
	memcpy(message + sizeof number, text, bytes);
	MPI_Send(message, (int)(sizeof number + bytes), MPI_BYTE, 0, PART, MPI_COMM_WORLD);
	free(message);
	return MOTE_OK;
}

static void leave(struct mote_team *t, enum mote_status status, const struct mote_error *error)
{
	struct farewell farewell = {.status = (int)status};

	snprintf(farewell.message, sizeof farewell.message, "%s", error->message);
	MPI_Send(&farewell, sizeof farewell, MPI_BYTE, 0, LEAVE, MPI_COMM_WORLD);
	t->left = true;
}

enum mote_status mote_team_end(struct mote_team *t, enum mote_status status, struct mote_error *error)
{
	if (t->rank) {
		leave(t, status, error);
		return status;
	}
	if (status)
		fail(t, 0, status, error->message);
	if (t->serving)
		pthread_join(t->thread, NULL);
	t->serving = false;
	t->desk = NULL;
	return status || !t->failure.code ? status : mote_error_set(error, t->failure.code, "%s", t->failure.message);
}

enum mote_status mote_team_close(struct mote_team *t, enum mote_status status, struct mote_error *error)
{
	if (t && t->mpi && t->rank) {
		if (!t->left)
			leave(t, status, error);
		(void)await(BYE, IDLE_NS);
		status = MOTE_OK;
	} else if (t && t->mpi) {
		t->stopped = true; /* nobody else looks: end has been, or begin has not */
		(void)serve(t);
		for (int rank = 1; rank < t->size; rank++)
			MPI_Send(NULL, 0, MPI_BYTE, rank, BYE, MPI_COMM_WORLD);
		if (!status && t->failure.code)
			status = mote_error_set(error, t->failure.code, "%s", t->failure.message);
	}
	if (t && t->mpi) {
		MPI_Finalize();
		pthread_mutex_destroy(&t->lock);
	}
	free(t);
	return status;
}
