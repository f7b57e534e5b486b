/* A directory for one test of conversions: in/ is the checkpoint, out/ the output; and what is expected of both. */
#ifndef MOTE_TESTS_CHECKPOINT_PLACE_H
#define MOTE_TESTS_CHECKPOINT_PLACE_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "convert/checkpoint.h"
#include "tests/tiny_checkpoint.h"

/* A fresh directory for each test: in/ is the checkpoint, out/ the output. */
struct place {
	char root[64], in[160], out[80], file[96];
};

static void remove_all(const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	char inside[512];

	while (folder && (entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
		remove_all(inside);
	}
	if (folder)
		closedir(folder);
	remove(path);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	snprintf(p->root, sizeof p->root, "/tmp/mote-test-XXXXXX");
	if (!mkdtemp(p->root))
		return -1;
	snprintf(p->in, sizeof p->in, "%s/in", p->root);
	snprintf(p->out, sizeof p->out, "%s/out", p->root);
	snprintf(p->file, sizeof p->file, "%s/m.mote", p->out);
	*state = p;
	return mkdir(p->in, 0700) || mkdir(p->out, 0700) ? -1 : 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	remove_all(p->root);
	free(p);
	return 0;
}

static unsigned files_in(const char *path)
{
	DIR *folder = opendir(path);
	unsigned count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count - 2;
}

static const struct mote_checkpoint_options keep = {.tool = "test", .keep_types = true};

static enum mote_status convert(const struct place *p, const struct mote_checkpoint_options *options,
				struct mote_error *error)
{
	*error = (struct mote_error){0};
	return mote_checkpoint_convert(p->in, p->file, options, NULL, error);
}

static inline struct mote_container *convert_and_open(const struct place *p,
						      const struct mote_checkpoint_options *options)
{
	struct mote_container *c = NULL;
	struct mote_error error;

	if (convert(p, options, &error) || mote_container_open(p->file, &c, &error) ||
	    mote_container_verify(c, NULL, &error))
		fail_msg("%s", error.message);
	assert_int_equal(files_in(p->out), 1);
	return c;
}

static inline void refuse(const struct place *p, const struct mote_checkpoint_options *options, enum mote_status code,
		   const char *message_part)
{
	struct mote_error error;
	enum mote_status status = convert(p, options, &error);

	if (status != code || error.code != code || !strstr(error.message, message_part))
		fail_msg("status %d, message \"%s\"; expected status %d and \"%s\"", status, error.message, code,
			 message_part);
	assert_int_equal(files_in(p->out), 0);
}

#endif
