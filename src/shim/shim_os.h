/* SPDX-License-Identifier: MIT */
/*
 * shim_os.h - what --observe and --stats ask of the system: who a thread is, and files for the
 * report.
 *
 * Everything here is async-signal-safe, allocates nothing, is no cancellation point and leaves
 * errno as it was: a lock function and a signal handler call it.
 */
#ifndef RQU_SHIM_OS_H
#define RQU_SHIM_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHIM_NAME_SIZE 16 /* of a thread's name, as the kernel keeps it */

/*
 * May a system call that is not expected be the end of this process? Sandboxes handle SIGSYS. Such
 * a process is not asked about threads other than the caller.
 */
bool shim_os_sandboxed(void);

/* @tid's own policy and priority, not what it has inherited; 0: the caller. False: not known. */
bool shim_os_policy(uint32_t tid, int *policy, int *priority);

/* @tid's name; 0: the caller. False, and @name is "": there is no such thread, or not known. */
bool shim_os_name(uint32_t tid, char *name);

uint32_t shim_os_pid(void);

_Noreturn void shim_os_exit(int status);

/* Forget what is written in anonymous memory: it reads as zeros again. */
void shim_os_wipe(void *memory, size_t size);

/* The whole of a file, mapped for reading; NULL: cannot. */
const void *shim_os_map_file(const char *path, size_t *size);
void shim_os_unmap(const void *memory, size_t size);

/* The whole of a file that others write, too; NULL: cannot, and *@missing: it is not there. */
void *shim_os_map_shared(const char *path, size_t *size, bool *missing);

/* Memory that others can map as well: they find it by @name among this process's files. */
struct shim_os_shared {
	int fd; /* -1: none */
	uint64_t device;
	uint64_t inode;
};
void *shim_os_make_shared(const char *name, size_t size, struct shim_os_shared *file);
/* Others find it no more; unless the program has closed it, and that number is its own now. */
void shim_os_close_shared(struct shim_os_shared *file);

/* A file to write, emptied; negative: cannot. */
int shim_os_create(const char *path);
void shim_os_close(int fd);
/* All of it, or what can be written. */
void shim_os_write(int fd, const char *text, size_t size);

/* Call @handler at @sig. False: the system does not let us. */
bool shim_os_on_signal(int sig, void (*handler)(int sig));

#endif /* RQU_SHIM_OS_H */
