/* Reading a source's files at a place: all bytes, or an error that names the file and the place; never for ever. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "convert/source.h"

static int made_file(const char *text)
{
	char path[] = "/tmp/test_source.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

/* The reason of an earlier failure is none. */
static void test_read(void **state)
{
	static char name[] = "f";
	const struct mote_source_file file = {.name = name, .bytes = 10, .fd = made_file("0123456789")};
	char out[11] = "", one[] = "??";

	(void)state;
	errno = EINTR;
	assert_int_equal(mote_source_read_at(&file, 0, out, 10, NULL), MOTE_OK);
	assert_string_equal(out, "0123456789");
	errno = EINTR;
	assert_int_equal(mote_source_read_at(&file, 9, one, 1, NULL), MOTE_OK);
	assert_string_equal(one, "9?");
	assert_int_equal(mote_source_read_at(&file, 10, one, 0, NULL), MOTE_OK);
	close(file.fd);
}

static void test_end_of_file(void **state)
{
	static char name[] = "f";
	const struct mote_source_file file = {.name = name, .bytes = 10, .fd = made_file("01234567")};
	struct mote_error error = {0};
	char out[11];

	(void)state;
	assert_int_equal(mote_source_read_at(&file, 0, out, 10, &error), MOTE_ERROR_IO);
	assert_string_equal(error.message, "f: byte 8: the file became shorter while it was read");
	close(file.fd);
}

/* A read that fails and goes on failing: no such descriptor, and a folder. */
static void test_failing_read(void **state)
{
	static char name[] = "f";
	const int fds[] = {-1, open("/", O_RDONLY)};
	static const int reasons[] = {EBADF, EISDIR};
	char out[4], want[128];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct mote_source_file file = {.name = name, .bytes = 10, .fd = fds[i]};
		struct mote_error error = {0};

		assert_int_equal(mote_source_read_at(&file, 3, out, 4, &error), MOTE_ERROR_IO);
		snprintf(want, sizeof want, "f: byte 3: %s", strerror(reasons[i]));
		assert_string_equal(error.message, want);
	}
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_end_of_file),
		cmocka_unit_test(test_failing_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
