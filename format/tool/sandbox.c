/* See sandbox.h. Landlock's rules are those of one thread and of those that it begins, so they come first; a seccomp
 * filter can be laid over all threads, so it comes last. The filter is a list of what is needed, not of what is
 * dangerous: a kernel that learns another way to open files opens none here.
 */
#include "format/tool/sandbox.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "format/portable.h"

#if MOTE_LINUX && (defined(__x86_64__) || defined(__aarch64__))

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* ---- Landlock ---- */

/* Numbers and layout of the kernel's interface, which headers of a distribution may lag behind. */
enum { CREATE_RULESET = 444, RESTRICT_SELF = 446, ASK_VERSION = 1 };
enum {
	EXECUTE = 1, WRITE_FILE = 1 << 1, READ_FILE = 1 << 2, READ_DIR = 1 << 3, UP_TO_MAKE_SYM = (1 << 13) - 1,
	REFER = 1 << 13, TRUNCATE = 1 << 14, DEVICE_IOCTL = 1 << 15
};
enum { CONNECT_TCP = 2, SCOPE_ABSTRACT_UNIX = 1, SCOPE_SIGNAL = 2 };

struct ruleset {
	uint64_t files, net, scoped;
};

enum mote_status mote_sandbox_begin(struct mote_error *error)
{
	long version = syscall(CREATE_RULESET, NULL, 0, ASK_VERSION), fd;
	struct ruleset r = {.files = UP_TO_MAKE_SYM & ~(READ_FILE | READ_DIR)};
	size_t bytes = offsetof(struct ruleset, net);

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return mote_error_set(error, MOTE_ERROR_IO, "sandbox: no_new_privs: %s", strerror(errno));
	if (version < 1)
		return MOTE_OK;
	r.files |= (version >= 2 ? REFER : 0) | (version >= 3 ? TRUNCATE : 0) | (version >= 5 ? DEVICE_IOCTL : 0);
	if (version >= 4) {
		r.net = CONNECT_TCP;
		bytes = offsetof(struct ruleset, scoped);
	}
	if (version >= 6) {
		r.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
		bytes = sizeof r;
	}
	fd = syscall(CREATE_RULESET, &r, bytes, 0);
	if (fd < 0 || syscall(RESTRICT_SELF, fd, 0)) {
		(void)mote_error_set(error, MOTE_ERROR_IO, "sandbox: Landlock: %s", strerror(errno));
		if (fd >= 0)
			close((int)fd);
		return MOTE_ERROR_IO;
	}
	close((int)fd);
	return MOTE_OK;
}

/* ---- seccomp ---- */

/* What a program needs that computes, begins threads, and talks to descriptors that are open. Not every architecture
 * has all. */
static const uint32_t allowed[] = {
	/* descriptors */
	SYS_read, SYS_readv, SYS_pread64, SYS_write, SYS_writev, SYS_pwrite64, SYS_lseek, SYS_close, SYS_fstat,
	SYS_newfstatat, SYS_fcntl, SYS_dup, SYS_dup3, SYS_ppoll, SYS_pselect6, SYS_epoll_create1, SYS_epoll_ctl,
	SYS_epoll_pwait, SYS_eventfd2, SYS_pipe2, SYS_fsync, SYS_fdatasync, SYS_ftruncate, SYS_fallocate,
#ifdef SYS_poll
	SYS_poll, SYS_select, SYS_epoll_wait, SYS_dup2, SYS_pipe,
#endif
	/* connections that others make */
	SYS_accept, SYS_accept4, SYS_recvfrom, SYS_recvmsg, SYS_sendfile, SYS_shutdown, SYS_getsockname,
	SYS_getpeername, SYS_getsockopt, SYS_setsockopt,
	/* memory */
	SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_membarrier, SYS_mincore,
	/* threads, time, signals */
	SYS_futex, SYS_set_robust_list, SYS_get_robust_list, SYS_set_tid_address, SYS_sched_yield,
	SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_getcpu, SYS_gettid, SYS_getpid, SYS_exit, SYS_exit_group,
	SYS_nanosleep, SYS_clock_nanosleep, SYS_clock_gettime, SYS_clock_getres, SYS_gettimeofday, SYS_rt_sigaction,
	SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_restart_syscall, SYS_getrusage, SYS_sysinfo,
	SYS_uname, SYS_getrandom, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
#ifdef SYS_rseq
	SYS_rseq,
#endif
#ifdef SYS_time
	SYS_time,
#endif
};

/* What is allowed as long as an argument is harmless: of its low 32 bits, those of mask are value or (not) others. */
static const struct condition {
	uint32_t call, argument, mask, value;
	bool equal; /* allowed when equal; else when not */
} conditions[] = {
	{SYS_mmap, 2, PROT_EXEC, 0, true},
	{SYS_mprotect, 2, PROT_EXEC, 0, true},
	{SYS_clone, 0, CLONE_THREAD, CLONE_THREAD, true},
	/* a first packet with data makes a connection without connect() */
	{SYS_sendto, 3, MSG_FASTOPEN, 0, true},
	{SYS_sendmsg, 2, MSG_FASTOPEN, 0, true},
	/* typing for the terminal's user */
	{SYS_ioctl, 1, UINT32_MAX, TIOCSTI, false},
	{SYS_prlimit64, 2, UINT32_MAX, 0, true},
};

enum {
	N_ALLOWED = sizeof allowed / sizeof *allowed,
	N_CONDITIONS = sizeof conditions / sizeof *conditions,
	MOST = 16 + 2 * N_ALLOWED + 6 * N_CONDITIONS
};

struct program {
	struct sock_filter line[MOST];
	unsigned short lines;
};

static void put(struct program *p, uint16_t code, uint32_t k, uint8_t jump_true, uint8_t jump_false)
{
	p->line[p->lines++] = (struct sock_filter){code, jump_true, jump_false, k};
}

/* The next line is passed over unless the value is k. */
static void unless_equal_skip(struct program *p, uint32_t k, uint8_t lines)
{
	put(p, BPF_JMP | BPF_JEQ | BPF_K, k, 0, lines);
}

static void load(struct program *p, size_t offset)
{
	put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void answer(struct program *p, uint32_t what)
{
	put(p, BPF_RET | BPF_K, what, 0, 0);
}

/* Little-endian: an argument's low half comes first. */
static void make_program(struct program *p)
{
	const uint32_t refuse = SECCOMP_RET_ERRNO | EPERM, absent = SECCOMP_RET_ERRNO | ENOSYS;

	p->lines = 0;
	load(p, offsetof(struct seccomp_data, arch));
	put(p, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
	answer(p, SECCOMP_RET_KILL_PROCESS);
	load(p, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < N_ALLOWED; i++) {
		unless_equal_skip(p, allowed[i], 1);
		answer(p, SECCOMP_RET_ALLOW);
	}
	/* clone3's flags lie in memory, where no filter looks: without it the C library takes clone. */
	unless_equal_skip(p, SYS_clone3, 1);
	answer(p, absent);
	unless_equal_skip(p, SYS_tgkill, 4);
	load(p, offsetof(struct seccomp_data, args[0]));
	unless_equal_skip(p, (uint32_t)getpid(), 1);
	answer(p, SECCOMP_RET_ALLOW);
	answer(p, refuse);
	for (size_t i = 0; i < N_CONDITIONS; i++) {
		const struct condition *c = &conditions[i];

		unless_equal_skip(p, c->call, 5);
		load(p, offsetof(struct seccomp_data, args) + 8 * c->argument);
		put(p, BPF_ALU | BPF_AND | BPF_K, c->mask, 0, 0);
		put(p, BPF_JMP | BPF_JEQ | BPF_K, c->value, c->equal ? 0 : 1, c->equal ? 1 : 0);
		answer(p, SECCOMP_RET_ALLOW);
		answer(p, refuse);
	}
	answer(p, refuse);
}

enum mote_status mote_sandbox_seal(struct mote_error *error)
{
	struct program p;
	struct sock_fprog filter;
	long failed;

	make_program(&p);
	filter = (struct sock_fprog){p.lines, p.line};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return mote_error_set(error, MOTE_ERROR_IO, "sandbox: no_new_privs: %s", strerror(errno));
	failed = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
	if (failed > 0)
		return mote_error_set(error, MOTE_ERROR_IO, "sandbox: thread %ld has a filter of its own", failed);
	if (failed < 0)
		return mote_error_set(error, MOTE_ERROR_IO, "sandbox: this kernel has no seccomp filters: %s",
				      strerror(errno));
	return MOTE_OK;
}

#else

enum mote_status mote_sandbox_begin(struct mote_error *error)
{
	(void)error;
	return MOTE_OK;
}

enum mote_status mote_sandbox_seal(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_IO, "sandbox: only for Linux on x86-64 and AArch64");
}

#endif
