/* The sandbox, tried from inside: a child shuts itself in, a thread that began before it too, and does what a stranger
 * would do there. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "format/tool/sandbox.h"

static char folder[] = "/tmp/test_sandbox.XXXXXX", file[64];
static struct sockaddr_in listening;
static int listener, spare, ends[2];

/* Each: 0, or -1 with errno. What succeeds leaves no trace that matters. */
static int open_file(void) { return open(file, O_RDONLY) < 0 ? -1 : 0; }
static int open_null(void) { return open("/dev/null", O_WRONLY) < 0 ? -1 : 0; }
static int write_file(void) { return open(file, O_WRONLY | O_APPEND) < 0 ? -1 : 0; }
static int create_file(void) { return creat("/tmp/test_sandbox.new", 0600) < 0 ? -1 : 0; }
static int open_folder(void) { return open(folder, O_RDONLY | O_DIRECTORY) < 0 ? -1 : 0; }
static int open_2(void) { return syscall(437, AT_FDCWD, file, (uint64_t[3]){O_RDONLY}, 24) < 0 ? -1 : 0; }
static int remove_file(void) { return unlink(file); }
static int rename_file(void) { return rename(file, file); }
static int link_file(void) { return symlink(file, "/tmp/test_sandbox.link"); }
static int make_folder(void) { return mkdir("/tmp/test_sandbox.folder", 0700); }
static int truncate_file(void) { return truncate(file, 4); }
static int change_mode(void) { return chmod(file, 0600); }
static int change_root(void) { return chroot("/"); }
static int execute(void) { return execl("/bin/true", "true", (char *)NULL); }
static int execute_at(void) { return syscall(SYS_execveat, spare, "", (char *[]){NULL}, (char *[]){NULL},
					     AT_EMPTY_PATH) < 0 ? -1 : 0; }
static int memory_file(void) { return memfd_create("x", 0) < 0 ? -1 : 0; }
static int make_socket(void) { return socket(AF_INET, SOCK_STREAM, 0) < 0 ? -1 : 0; }
static int make_datagrams(void) { return socket(AF_INET, SOCK_DGRAM, 0) < 0 ? -1 : 0; }
static int make_unix(void) { return socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? -1 : 0; }
static int connect_to(void) { return connect(spare, (struct sockaddr *)&listening, sizeof listening); }
static int send_first(void)
{
	return sendto(spare, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&listening, sizeof listening) < 0 ? -1 : 0;
}
static int ring(void) { return syscall(425, 1, (char[120]){0}) < 0 ? -1 : 0; }
static int trace(void) { return syscall(SYS_ptrace, 0, 0, 0, 0) < 0 ? -1 : 0; }
static int read_parent(void)
{
	char byte;
	struct iovec here = {&byte, 1}, there = {folder, 1};

	return process_vm_readv(getppid(), &here, 1, &there, 1, 0) < 0 ? -1 : 0;
}
static int signal_parent(void) { return kill(getppid(), 0); }
static int make_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : 0;
}
static int make_code(void) { return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
					 -1, 0) == MAP_FAILED ? -1 : 0; }
static int turn_to_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? 0 : mprotect(p, 4096, PROT_READ | PROT_EXEC);
}
static int type_in(void) { return ioctl(ends[0], TIOCSTI, "x"); }
static int unshare_users(void) { return unshare(CLONE_NEWUSER); }

static const struct attempt {
	const char *what;
	int (*call)(void);
	bool by_path; /* refused by mote_sandbox_begin() already, where there is Landlock */
} attempts[] = {
	{"open", open_file, false}, {"open /dev/null", open_null, true}, {"open for writing", write_file, true},
	{"creat", create_file, true}, {"open a folder", open_folder, false}, {"openat2", open_2, false},
	{"unlink", remove_file, true}, {"rename", rename_file, false}, {"symlink", link_file, true},
	{"mkdir", make_folder, true}, {"truncate", truncate_file, false}, {"chmod", change_mode, false},
	{"chroot", change_root, false}, {"execve", execute, true}, {"execveat", execute_at, false},
	{"memfd_create", memory_file, false}, {"socket", make_socket, false},
	{"socket of datagrams", make_datagrams, false}, {"socket of the machine", make_unix, false},
	{"connect", connect_to, false}, {"sendto that connects", send_first, false}, {"io_uring_setup", ring, false},
	{"ptrace", trace, false}, {"process_vm_readv", read_parent, false}, {"kill", signal_parent, false},
	{"fork", make_process, false}, {"mmap of code", make_code, false}, {"mprotect to code", turn_to_code, false},
	{"TIOCSTI", type_in, false}, {"unshare", unshare_users, false},
};

enum { ATTEMPTS = sizeof attempts / sizeof *attempts };

/* How many attempts were not refused; says which. */
static int try_all(const char *who)
{
	int wrong = 0;

	for (int i = 0; i < ATTEMPTS; i++) {
		errno = 0;
		if (attempts[i].call() == 0 || errno != EPERM) {
			fprintf(stderr, "%s: %s is not refused (%s)\n", who, attempts[i].what, strerror(errno));
			wrong++;
		}
	}
	return wrong;
}

static void *wait_and_try(void *user)
{
	char byte;

	(void)user;
	return (void *)(intptr_t)(read(ends[0], &byte, 1) == 1 ? try_all("a thread from before") : 100);
}

static void *add_one(void *user)
{
	++*(int *)user;
	return NULL;
}

/* What goes on working: memory, threads, what is open, who connects. */
static int go_on(void)
{
	char *memory = malloc(8 << 20), byte = 0;
	int wrong = 0, counted = 0, connection;
	pthread_t thread;
	struct stat st;

	wrong += !memory || !memset(memory, 1, 8 << 20);
	wrong += pthread_create(&thread, NULL, add_one, &counted) || pthread_join(thread, NULL) || counted != 1;
	wrong += (connection = accept(listener, NULL, NULL)) < 0;
	wrong += recv(connection, &byte, 1, 0) != 1 || byte != '?' || send(connection, "!", 1, 0) != 1;
	wrong += fstat(listener, &st) != 0;
	wrong += raise(0) != 0;
	free(memory);
	close(connection);
	return wrong;
}

/* The child: exit code 0 when all is as it should be, 77 when this kernel cannot. */
static int inside(void)
{
	struct mote_error error = {0};
	pthread_t before;
	void *wrong;

	if (pipe(ends) || pthread_create(&before, NULL, wait_and_try, NULL))
		return 1;
	if (mote_sandbox_seal(&error)) {
		fprintf(stderr, "%s\n", error.message);
		return error.code == MOTE_ERROR_IO && error.message[0] ? 77 : 1;
	}
	if (try_all("the first thread") || go_on())
		return 2;
	if (write(ends[1], "x", 1) != 1 || pthread_join(before, &wrong) || wrong)
		return 3;
	return 0;
}

static int in_child(int (*run)(void), bool connects)
{
	const struct timeval patience = {.tv_sec = 20};
	int status, peer = -1;
	char byte = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run());
	if (connects) {
		peer = socket(AF_INET, SOCK_STREAM, 0);
		setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
		if (connect(peer, (struct sockaddr *)&listening, sizeof listening) == 0 &&
		    send(peer, "?", 1, MSG_NOSIGNAL) == 1)
			(void)!recv(peer, &byte, 1, 0);
		close(peer);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_seal(void **state)
{
	int code;

	(void)state;
	shutdown(spare, SHUT_RDWR);
	code = in_child(inside, true);
	if (code == 77)
		skip();
	assert_int_equal(code, 0);
}

/* What mote_sandbox_begin() alone refuses where there is Landlock; reading goes on. */
static int begin_inside(void)
{
	struct mote_error error = {0};
	int wrong = 0;

	if (mote_sandbox_begin(&error))
		return 1;
	if (syscall(444, NULL, 0, 1) < 1)
		return 77;
	for (int i = 0; i < ATTEMPTS; i++)
		if (attempts[i].by_path && (attempts[i].call() == 0 || errno != EACCES)) {
			fprintf(stderr, "%s is not refused (%s)\n", attempts[i].what, strerror(errno));
			wrong++;
		}
	wrong += open_file() || open_folder();
	wrong += syscall(444, NULL, 0, 1) >= 4 && (connect_to() == 0 || errno != EACCES);
	return wrong;
}

static void test_begin(void **state)
{
	int code = in_child(begin_inside, false);

	(void)state;
	if (code == 77)
		skip();
	assert_int_equal(code, 0);
}

/* The attempts are real ones: outside they succeed, but for those that nobody may. */
static void test_outside(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(open_file() | open_null() | write_file() | open_folder() | rename_file() | change_mode() |
			 truncate_file(), 0);
	assert_int_equal(make_socket() | make_datagrams() | make_unix() | make_process() | memory_file(), 0);
	fd = spare;
	spare = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect_to(), 0);
	close(spare);
	spare = fd;
	assert_int_equal(close(accept(listener, NULL, NULL)), 0);
}

static int setup(void **state)
{
	socklen_t bytes = sizeof listening;
	FILE *f;

	(void)state;
	listening = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	listener = socket(AF_INET, SOCK_STREAM, 0);
	spare = socket(AF_INET, SOCK_STREAM, 0);
	if (!mkdtemp(folder) || bind(listener, (struct sockaddr *)&listening, bytes) || listen(listener, 8) ||
	    getsockname(listener, (struct sockaddr *)&listening, &bytes))
		return 1;
	snprintf(file, sizeof file, "%s/file", folder);
	f = fopen(file, "w");
	return !f || fputs("text", f) < 0 || fclose(f);
}

static int teardown(void **state)
{
	(void)state;
	close(listener);
	close(spare);
	return unlink(file) || rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_outside), cmocka_unit_test(test_begin),
					   cmocka_unit_test(test_seal)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
