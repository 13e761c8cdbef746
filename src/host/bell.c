/* SPDX-License-Identifier: MIT */
/*
 * bell.c - a sleep that ends for a wake-up or a signal, whichever comes, with all signals blocked.
 *
 * Called by park.c when signals are held back. The thread polls three descriptors of its own: a
 * bell, a signalfd, and, for deadlines on CLOCK_REALTIME, a timer that sees the clock being set.
 * With the signals blocked from before the word was compared until after the engine is left, there
 * is no moment at which a handler could run unnoticed.
 *
 * The bell is an eventfd. Where children of fork share the engine the ringer may be a process that
 * has no such descriptor: then it is a datagram socket with a name that anybody can send to.
 */
#define _GNU_SOURCE
#include "src/host/rqh.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>

#include "src/host/rawcall.h"

#define MASK_BYTES 8

enum { BELL, SIGNALS, TIMER, POLLED };

static struct rqh_fds *fds_of(struct rqh_host *h, const struct rqh_thread *t)
{
	return &rqh_fds[rqh_index(h, t)];
}

static void close_fd(uint32_t *fd)
{
	uint32_t old = *fd;

	/*
	 * Forgotten before it is closed: a child of a fork between the two must not close it again.
	 */
	rqb_store_sc(fd, 0);
	if (old)
		rqh_syscall3(SYS_close, (long)old - 1, 0, 0);
}

/* Abstract, so that no file system is touched: a 0, "rqpi-", the arena, the bell. */
static long bell_name(const struct rqh_host *h, uint64_t serial, struct sockaddr_un *name)
{
	static const char digits[] = "0123456789abcdef";
	char *at = name->sun_path;

	memset(name, 0, sizeof(*name));
	name->sun_family = AF_UNIX;
	at++;
	memcpy(at, "rqpi-", 5);
	at += 5;
	for (int i = 60; i >= 0; i -= 4)
		*at++ = digits[(h->name >> i) & 15];
	for (int i = 60; i >= 0; i -= 4)
		*at++ = digits[(serial >> i) & 15];
	return at - (char *)name;
}

static long open_named_bell(struct rqh_host *h, struct rqh_thread *t)
{
	struct sockaddr_un name;
	uint64_t serial = rqb_add64(&h->last_bell, 1) + 1;
	long length = bell_name(h, serial, &name);
	long fd = rqh_syscall3(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	if (rqh_syscall3(SYS_bind, fd, RQH_ARG(&name), length) != 0) {
		rqh_syscall3(SYS_close, fd, 0, 0);
		return -ENOSYS;
	}
	rqb_store_bits(&t->bell_serial, (uintptr_t)serial);
	return fd;
}

int rqh_bell_prepare(struct rqh_host *h, struct rqh_thread *t)
{
	struct rqh_fds *fds = fds_of(h, t);
	uint64_t wanted = ~t->mask;
	long fd;

	if (!fds->bell) {
		if (rqh_has(h, RQPI_HOST_ACROSS_FORK))
			fd = open_named_bell(h, t);
		else
			fd = rqh_syscall3(SYS_eventfd2, 0, EFD_NONBLOCK | EFD_CLOEXEC, 0);
		if (fd < 0)
			return (int)fd;
		fds->bell = (uint32_t)fd + 1;
	}
	if (fds->signals && fds->signal_mask == wanted)
		return 0;
	fd = rqh_syscall4(SYS_signalfd4, (long)fds->signals - 1, RQH_ARG(&wanted), MASK_BYTES,
			  SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return (int)fd;
	fds->signals = (uint32_t)fd + 1;
	fds->signal_mask = wanted;
	return 0;
}

/* ---------------------------------------------------------------- ringing */

/* The socket that this process sends from. */
static long sender(void)
{
	struct rqh_local *local = rqh_local;
	uint32_t seen = rqb_load(&local->bell_fd);
	long fd;

	if (seen)
		return (long)seen - 1;
	fd = rqh_syscall3(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !rqb_cas(&local->bell_fd, 0, (uint32_t)fd + 1)) {
		rqh_syscall3(SYS_close, fd, 0, 0);
		fd = (long)rqb_load(&local->bell_fd) - 1;
	}
	return fd;
}

static void ring_named_bell(struct rqh_host *h, const struct rqh_thread *t)
{
	struct sockaddr_un name;
	long length = bell_name(h, rqb_load_bits(&t->bell_serial), &name);
	char byte = 1;
	long ret;

	/* A full queue rings as well. */
	ret = rqh_syscall(SYS_sendto, sender(), RQH_ARG(&byte), 1, MSG_NOSIGNAL, RQH_ARG(&name),
			  length);
	if (ret == -EBADF || ret == -ENOTSOCK) {
		/* The program has closed our descriptor. */
		rqb_store_sc(&rqh_local->bell_fd, 0);
		rqh_syscall(SYS_sendto, sender(), RQH_ARG(&byte), 1, MSG_NOSIGNAL, RQH_ARG(&name),
			    length);
	}
}

void rqh_bell_ring(struct rqh_host *h, struct rqh_thread *t)
{
	uint64_t one = 1;
	uint32_t fd;

	if (rqh_has(h, RQPI_HOST_ACROSS_FORK)) {
		ring_named_bell(h, t);
		return;
	}
	fd = rqb_load_sc(&fds_of(h, t)->bell);
	if (fd)
		rqh_syscall3(SYS_write, (long)fd - 1, RQH_ARG(&one), sizeof(one));
}

/* ---------------------------------------------------------------- sleeping */

static void drain(uint32_t fd)
{
	uint64_t rings;

	while (rqh_syscall3(SYS_read, (long)fd - 1, RQH_ARG(&rings), sizeof(rings)) > 0)
		;
}

static int set_timer(struct rqh_fds *fds, uint64_t ns)
{
	struct itimerspec at = {
	    .it_value = {.tv_sec = (time_t)(ns / RQH_NSEC_PER_SEC),
			 .tv_nsec = (long)(ns % RQH_NSEC_PER_SEC)},
	};
	long fd;

	if (!fds->timer) {
		fd = rqh_syscall3(SYS_timerfd_create, CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC,
				  0);
		if (fd < 0)
			return (int)fd;
		fds->timer = (uint32_t)fd + 1;
	}
	/* 0 would switch it off. */
	if (ns == 0)
		at.it_value.tv_nsec = 1;
	return (int)rqh_syscall4(RQH_SYS_TIMERFD_SETTIME, (long)fds->timer - 1, TFD_TIMER_ABSTIME,
				 RQH_ARG(&at), 0);
}

static struct timespec time_left(const struct rqpi_deadline *deadline)
{
	uint64_t now = rqh_now(NULL, deadline->clock);
	uint64_t left = deadline->ns > now ? deadline->ns - now : 0;

	return (struct timespec){(time_t)(left / RQH_NSEC_PER_SEC),
				 (long)(left % RQH_NSEC_PER_SEC)};
}

static int poll_all(struct pollfd *polled, const struct rqpi_deadline *deadline)
{
	struct timespec left = time_left(deadline);
	bool timed = polled[TIMER].fd < 0 && deadline->ns != RQPI_FOREVER;

	return (int)rqh_syscall(RQH_SYS_PPOLL, RQH_ARG(polled), POLLED, timed ? RQH_ARG(&left) : 0,
				0, 0, 0);
}

/* The program closed descriptors that are not its own: forget them, they are opened again. */
static int closed_under_us(struct rqh_fds *fds, const struct pollfd *polled)
{
	if (polled[BELL].revents & POLLNVAL)
		fds->bell = 0;
	if (polled[SIGNALS].revents & POLLNVAL)
		fds->signals = 0;
	if (polled[TIMER].revents & POLLNVAL)
		fds->timer = 0;
	return 0;
}

int rqh_bell_sleep(struct rqh_host *h, struct rqh_thread *t, const struct rqpi_deadline *deadline,
		   bool interruptible)
{
	struct rqh_fds *fds = fds_of(h, t);
	struct pollfd polled[POLLED] = {
	    [BELL] = {.fd = (int)fds->bell - 1, .events = POLLIN},
	    [SIGNALS] = {.fd = interruptible ? (int)fds->signals - 1 : -1, .events = POLLIN},
	    [TIMER] = {.fd = -1, .events = POLLIN},
	};
	int ret;

	if (deadline->clock == RQPI_CLOCK_REALTIME && deadline->ns != RQPI_FOREVER &&
	    set_timer(fds, deadline->ns) == 0)
		polled[TIMER].fd = (int)fds->timer - 1;
	ret = poll_all(polled, deadline);
	if (ret > 0 &&
	    ((polled[BELL].revents | polled[SIGNALS].revents | polled[TIMER].revents) & POLLNVAL))
		return closed_under_us(fds, polled);
	if (ret > 0 && (polled[BELL].revents & POLLIN))
		drain(fds->bell);
	if (ret > 0 && (polled[SIGNALS].revents & POLLIN) && rqh_signals_settle(t))
		return -EINTR;
	if (deadline->ns != RQPI_FOREVER && rqh_now(h, deadline->clock) >= deadline->ns)
		return -ETIMEDOUT;
	return 0;
}

/* ---------------------------------------------------------------- the end */

void rqh_bell_close(struct rqh_host *h, struct rqh_thread *t)
{
	struct rqh_fds *fds = fds_of(h, t);

	close_fd(&fds->bell);
	close_fd(&fds->signals);
	close_fd(&fds->timer);
	fds->signal_mask = 0;
	rqb_store_bits(&t->bell_serial, 0);
}

void rqh_bell_forget_parents(struct rqh_host *h)
{
	uint32_t used = rqb_load(&h->threads_used);

	for (uint32_t i = 0; i < used; i++) {
		close_fd(&rqh_fds[i].bell);
		close_fd(&rqh_fds[i].signals);
		close_fd(&rqh_fds[i].timer);
	}
}
