/* SPDX-License-Identifier: MIT */
/*
 * start.c - how the host begins, and begins anew in a child of fork.
 *
 * Owns the process's own state: rqh_local, rqh_host, rqh_tls. Called by rqh_enter() and rqh_me()
 * when they find that this process or this thread is new. See rqh.h for what is where.
 */
#define _GNU_SOURCE
#include "src/host/rqh.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "src/host/rawcall.h"

#define MAX_THREADS_DEFAULT 32768u
#define MAX_THREADS	    (1u << 22) /* as many as Linux has TIDs */
#define BUCKETS_PER_CPU	    256u
#define BUCKETS_MAX	    (1u << 24)
#define KNOWN_FLAGS \
	(RQPI_HOST_DEFER_SIGNALS | RQPI_HOST_CATCH_FAULTS | RQPI_HOST_ACROSS_FORK | RQPI_HOST_TRACE)

__thread struct rqh_tls rqh_tls;
struct rqh_local *rqh_local;
struct rqh_host *rqh_host;
struct rqh_fds *rqh_fds;

/* Grows in every process; a child goes on from its parent's, so its numbers are others. */
static uint32_t generations;

static void *map(size_t bytes, int sharing)
{
	long ret = rqh_syscall(RQH_SYS_MMAP, 0, (long)bytes, PROT_READ | PROT_WRITE,
			       sharing | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return ret < 0 && ret > -4096 ? NULL : (void *)(uintptr_t)ret;
}

/* ---------------------------------------------------------------- who am I */

/* For kernels that cannot wipe a page on fork. */
static void forget_parent(void)
{
	struct rqh_local *local = rqh_local;

	if (local)
		*local = (struct rqh_local){.gen = 0};
}

static void make_local(void)
{
	struct rqh_local *page = map(sizeof(*page), MAP_PRIVATE);

	if (!page) {
		/* One page: without it there is no lock, and nothing that could be done. */
		static struct rqh_local instead;

		page = &instead;
	}
	rqh_syscall3(SYS_madvise, RQH_ARG(page), sizeof(*page), MADV_WIPEONFORK);
	if (!rqb_cas_ptr((void **)&rqh_local, NULL, page))
		rqh_syscall3(SYS_munmap, RQH_ARG(page), sizeof(*page), 0);
}

void rqh_know_myself(void)
{
	struct rqh_local *local;
	uint32_t gen;

	if (!rqb_load_ptr_acq((void *const *)&rqh_local))
		make_local();
	local = rqh_local;
	if (!rqb_load(&local->gen)) {
		local->pid = (uint32_t)rqh_syscall3(SYS_getpid, 0, 0, 0);
		gen = rqb_add(&generations, 1) + 1;
		rqb_cas(&local->gen, 0, gen);
	}
	rqh_tls = (struct rqh_tls){
	    .gen = rqb_load_acq(&local->gen),
	    .tid = (uint32_t)rqh_syscall3(SYS_gettid, 0, 0, 0),
	};
}

/* ---------------------------------------------------------------- the arena */

static uint32_t power_of_two(uint32_t at_least)
{
	uint32_t n = 1;

	while (n < at_least)
		n *= 2;
	return n;
}

static uint32_t default_buckets(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	uint32_t n = cpus < 1 ? 1 : cpus > 4096 ? 4096 : (uint32_t)cpus;

	return power_of_two(n * BUCKETS_PER_CPU);
}

/* Lays @bytes out at *at, aligned, and steps it. */
static size_t place(size_t *at, size_t bytes)
{
	size_t here = (*at + 63) & ~(size_t)63;

	*at = here + bytes;
	return here;
}

/* Everything but the size and the choices is 0 in @base, whose memory is new. */
static void lay_out(char *base, struct rqh_host *h)
{
	size_t at = 0;
	size_t threads;
	size_t states;
	size_t table;
	size_t engine;
	size_t ring;

	h->slots = power_of_two(h->max_threads / 4 + 1);
	place(&at, sizeof(*h));
	engine = place(&at, rqpi_engine_size(h->buckets));
	table = place(&at, h->slots * sizeof(*h->table));
	states = place(&at, (size_t)h->max_threads * RQPI_PI_STATE_BYTES);
	threads = place(&at, h->max_threads * sizeof(*h->threads));
	ring = place(&at, rqh_has(h, RQPI_HOST_TRACE) ? RQH_TRACE_EVENTS * sizeof(*h->ring) : 0);
	h->bytes = at;
	if (!base)
		return;
	h->engine = (struct rqpi_engine *)(base + engine);
	h->table = (uint32_t *)(base + table);
	h->states = (unsigned char *)base + states;
	h->threads = (struct rqh_thread *)(base + threads);
	h->ring = (struct rqh_trace_entry *)(base + ring);
}

static bool fill_arena(struct rqh_host *h)
{
	struct rqpi_engine *engine = h->engine;

	if (rqh_syscall3(SYS_getrandom, RQH_ARG(&h->name), sizeof(h->name), GRND_NONBLOCK) !=
	    sizeof(h->name))
		h->name = rqh_now(NULL, RQPI_CLOCK_REALTIME);
	h->engine = rqpi_engine_init(
	    engine, h->buckets, rqh_has(h, RQPI_HOST_TRACE) ? &rqh_port_tracing : &rqh_port, h);
	return h->engine != NULL;
}

static struct rqh_host *make_arena(const struct rqpi_host_options *options)
{
	struct rqh_host plan = {
	    .flags = options ? options->flags : 0,
	    .buckets = options && options->buckets ? options->buckets : default_buckets(),
	    .max_threads = options && options->max_threads ? options->max_threads
							   : MAX_THREADS_DEFAULT,
	};
	struct rqh_host *h;

	lay_out(NULL, &plan);
	h = map((size_t)plan.bytes,
		rqh_has(&plan, RQPI_HOST_ACROSS_FORK) ? MAP_SHARED : MAP_PRIVATE);
	if (!h)
		return NULL;
	lay_out((char *)h, &plan);
	*h = plan;
	rqh_fds = map(h->max_threads * sizeof(*rqh_fds), MAP_PRIVATE);
	if (!rqh_fds || !fill_arena(h)) {
		rqh_syscall3(SYS_munmap, RQH_ARG(h), (long)plan.bytes, 0);
		return NULL;
	}
	return h;
}

/*
 * The parent's private copy becomes the child's own engine: all its memory is given back and is 0.
 */
static bool renew_arena(struct rqh_host *h)
{
	struct rqh_host plan = {
	    .flags = h->flags,
	    .buckets = h->buckets,
	    .max_threads = h->max_threads,
	    .said = h->said & RQH_TELL_REFUSED,
	};

	lay_out((char *)h, &plan);
	if (rqh_syscall3(SYS_madvise, RQH_ARG(h), (long)plan.bytes, MADV_DONTNEED) != 0)
		return false;
	*h = plan;
	return fill_arena(h);
}

/* ---------------------------------------------------------------- entering */

static void register_fork_handler(void)
{
	static uint32_t done;

	if (rqb_cas(&done, 0, 1))
		pthread_atfork(NULL, NULL, forget_parent);
}

/* With the start lock. */
static bool become_mine(struct rqh_local *local, const struct rqpi_host_options *options)
{
	struct rqh_host *h = rqh_host;

	if (!h) {
		rqh_probe_user_range();
		h = make_arena(options);
		if (!h)
			return false;
		rqh_host = h;
		register_fork_handler();
	} else {
		rqh_bell_forget_parents(h);
		if (!rqh_has(h, RQPI_HOST_ACROSS_FORK) && !renew_arena(h))
			return false;
	}
	local->space = rqb_add64(&h->last_space, 1) + 1;
	if (rqh_has(h, RQPI_HOST_CATCH_FAULTS))
		rqh_catch_faults();
	rqb_store_rel(&local->ready, 1);
	return true;
}

struct rqh_host *rqh_enter_slow(const struct rqpi_host_options *options)
{
	static uint32_t probed;
	struct rqh_local *local;
	bool ok;

	rqh_me();
	/* Threads that probe at once find the same. */
	if (!rqb_load_acq(&probed)) {
		rqh_lock_probe();
		rqb_store_rel(&probed, 1);
	}
	local = rqh_local;
	rqh_lock(NULL, &local->start_lock);
	ok = rqb_load(&local->ready) || become_mine(local, options);
	rqh_unlock(NULL, &local->start_lock);
	return ok ? rqh_host : NULL;
}

static bool options_are_valid(const struct rqpi_host_options *options)
{
	if (options->size < sizeof(*options) || (options->flags & ~KNOWN_FLAGS))
		return false;
	if (options->buckets > BUCKETS_MAX || (options->buckets & (options->buckets - 1)))
		return false;
	return options->max_threads <= MAX_THREADS;
}

int rqpi_host_start(const struct rqpi_host_options *options)
{
	if (!options || !options_are_valid(options))
		return EINVAL;
	if (rqh_local && rqb_load_acq(&rqh_local->ready))
		return EBUSY;
	if (rqh_host)
		return EBUSY; /* of the parent; a child goes on with it */
	return rqh_enter_slow(options) ? 0 : ENOMEM;
}

struct rqpi_engine *rqpi_host_engine(void)
{
	struct rqh_host *h = rqh_enter();

	return h ? h->engine : NULL;
}

/*
 * The thread that ends the process by exit() has no other end, and others go on with a shared
 * engine.
 */
__attribute__((destructor)) static void process_ends(void)
{
	if (rqh_host && rqh_has(rqh_host, RQPI_HOST_ACROSS_FORK))
		rqh_leave_if_known();
}
