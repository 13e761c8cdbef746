/* SPDX-License-Identifier: MIT */
/* shim_os.c - see shim_os.h. System calls by number: libc's wrappers are cancellation points. */
#define _GNU_SOURCE
#include "src/shim/shim_os.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

bool shim_os_sandboxed(void)
{
	struct sigaction action = {0};
	int saved = errno;
	bool handled = sigaction(SIGSYS, NULL, &action) == 0 && action.sa_handler != SIG_DFL &&
		       action.sa_handler != SIG_IGN;

	errno = saved;
	return handled;
}

/* Not sched_getattr(2), which says it all at once: sandboxes that allow these refuse that. */
bool shim_os_policy(uint32_t tid, int *policy, int *priority)
{
	struct sched_param param = {0};
	int saved = errno;
	long ret = -1;

	*policy = -1;
	*priority = 0;
	if (tid == 0 || !shim_os_sandboxed())
		ret = syscall(SYS_sched_getscheduler, tid);
	if (ret >= 0) {
		*policy = (int)ret & ~SCHED_RESET_ON_FORK;
		if ((*policy == SCHED_FIFO || *policy == SCHED_RR) &&
		    syscall(SYS_sched_getparam, tid, &param) == 0)
			*priority = param.sched_priority;
	}
	errno = saved;
	return ret >= 0;
}

/* "/proc/self/task/", @tid, "/comm" */
static void task_path(char *path, const char *before, uint32_t tid, const char *after)
{
	char digits[12];
	size_t n = sizeof(digits);

	digits[--n] = '\0';
	do {
		digits[--n] = (char)('0' + tid % 10);
		tid /= 10;
	} while (tid);
	strcpy(path, before);
	strcat(path, digits + n);
	strcat(path, after);
}

static bool read_name(const char *path, char *name)
{
	long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	long n;

	name[0] = '\0';
	if (fd < 0)
		return false;
	n = syscall(SYS_read, fd, name, SHIM_NAME_SIZE);
	syscall(SYS_close, fd);
	if (n <= 0) {
		name[0] = '\0';
		return false;
	}
	name[n - 1] = '\0'; /* the newline */
	return true;
}

/* A name is any bytes; a report has lines. */
static void make_printable(char *name)
{
	for (; *name; name++)
		if ((unsigned char)*name < ' ' || *name == 0x7f)
			*name = '?';
}

/* A thread of another process, of a process-shared mutex, is not among our own tasks. */
bool shim_os_name(uint32_t tid, char *name)
{
	char path[48];
	int saved = errno;
	bool ok = false;

	name[0] = '\0';
	if (tid == 0) {
		ok = prctl(PR_GET_NAME, name, 0, 0, 0) == 0;
	} else if (!shim_os_sandboxed()) {
		task_path(path, "/proc/self/task/", tid, "/comm");
		ok = read_name(path, name);
		if (!ok) {
			task_path(path, "/proc/", tid, "/comm");
			ok = read_name(path, name);
		}
	}
	make_printable(name);
	errno = saved;
	return ok;
}

uint32_t shim_os_pid(void)
{
	return (uint32_t)syscall(SYS_getpid);
}

_Noreturn void shim_os_exit(int status)
{
	for (;;)
		syscall(SYS_exit_group, status);
}

void shim_os_wipe(void *memory, size_t size)
{
	int saved = errno;

	if (madvise(memory, size, MADV_DONTNEED) != 0)
		memset(memory, 0, size);
	errno = saved;
}

const void *shim_os_map_file(const char *path, size_t *size)
{
	int saved = errno;
	long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	void *memory = MAP_FAILED;
	struct stat st;

	if (fd >= 0 && fstat((int)fd, &st) == 0 && st.st_size > 0) {
		*size = (size_t)st.st_size;
		memory = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, (int)fd, 0);
	}
	if (fd >= 0)
		syscall(SYS_close, fd);
	errno = saved;
	return memory == MAP_FAILED ? NULL : memory;
}

void *shim_os_map_shared(const char *path, size_t *size, bool *missing)
{
	int saved = errno;
	long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	void *memory = MAP_FAILED;
	struct stat st;

	*missing = fd < 0 && errno == ENOENT;
	if (fd >= 0 && fstat((int)fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
		*size = (size_t)st.st_size;
		memory = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
	}
	if (fd >= 0)
		syscall(SYS_close, fd);
	errno = saved;
	return memory == MAP_FAILED ? NULL : memory;
}

#define HIGH_FD	     512 /* where programs do not expect the next file of theirs */
#define NEVER_TO_RUN 8u	 /* MFD_NOEXEC_SEAL, from Linux 6.3 on */

static long make_file(const char *name, size_t size)
{
	long low = syscall(SYS_memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING | NEVER_TO_RUN);
	long high;

	if (low < 0)
		low = syscall(SYS_memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (low < 0)
		return -1;
	/* Who maps it need not fear that somebody else cuts it off, which would be a SIGBUS. */
	if (syscall(SYS_ftruncate, low, size) != 0 ||
	    syscall(SYS_fcntl, low, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
		syscall(SYS_close, low);
		return -1;
	}
	high = syscall(SYS_fcntl, low, F_DUPFD_CLOEXEC, HIGH_FD);
	if (high < 0)
		return low;
	syscall(SYS_close, low);
	return high;
}

void *shim_os_make_shared(const char *name, size_t size, struct shim_os_shared *file)
{
	int saved = errno;
	void *memory = MAP_FAILED;
	long fd = make_file(name, size);
	struct stat st;

	if (fd >= 0 && fstat((int)fd, &st) == 0) {
		file->device = st.st_dev;
		file->inode = st.st_ino;
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
	}
	if (fd >= 0 && memory == MAP_FAILED) {
		syscall(SYS_close, fd);
		fd = -1;
	}
	file->fd = (int)fd;
	errno = saved;
	return memory == MAP_FAILED ? NULL : memory;
}

void shim_os_close_shared(struct shim_os_shared *file)
{
	int saved = errno;
	struct stat st;

	if (file->fd >= 0 && fstat(file->fd, &st) == 0 && st.st_dev == file->device &&
	    st.st_ino == file->inode)
		syscall(SYS_close, file->fd);
	file->fd = -1;
	errno = saved;
}

void shim_os_unmap(const void *memory, size_t size)
{
	int saved = errno;

	munmap((void *)(uintptr_t)memory, size);
	errno = saved;
}

int shim_os_create(const char *path)
{
	int saved = errno;
	long fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			  0666);

	errno = saved;
	return (int)fd;
}

void shim_os_close(int fd)
{
	syscall(SYS_close, fd);
}

void shim_os_write(int fd, const char *text, size_t size)
{
	int saved = errno;

	while (size > 0) {
		long n = syscall(SYS_write, fd, text, size);

		if (n <= 0 && errno != EINTR)
			break;
		if (n > 0) {
			text += n;
			size -= (size_t)n;
		}
	}
	errno = saved;
}

bool shim_os_on_signal(int sig, void (*handler)(int sig))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART | SA_ONSTACK};
	int saved = errno;
	bool ok = sigfillset(&action.sa_mask) == 0 && sigaction(sig, &action, NULL) == 0;

	errno = saved;
	return ok;
}
