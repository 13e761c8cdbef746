/* SPDX-License-Identifier: MIT */
/*
 * shim_version.h - under which versions glibc exports what, on the machines we have a preload for.
 *
 * Each machine has a base version, of the glibc that was first there, and x86-64 has pthread_cond_*
 * twice: those of 2.2.5 take another pthread_cond_t (shim_cond_old.c). The version scripts are made
 * from the same values (src/meson.build). So far that is x86-64.
 */
#ifndef RQU_SHIM_VERSION_H
#define RQU_SHIM_VERSION_H

#if defined(__x86_64__) && defined(__LP64__)
#define SHIM_BASE     "GLIBC_2.2.5"
#define SHIM_COND     "GLIBC_2.3.2"
#define SHIM_COND_OLD "GLIBC_2.2.5"
#else
#error "no preload for this machine: its versions of pthread_* are to be put here"
#endif

/* clang-format off */
/* Export @function as libc's @name of @version: the one that programs are linked with today. */
#define SHIM_EXPORT_DEFAULT(function, name, version) \
	__asm__(".symver " #function ", " #name "@@" version)

/*
 * And the same @function under another version, or another name: each needs a symbol of its own.
 */
#define SHIM_EXPORT_ALSO(function, alias_name, name, version) \
	extern __typeof__(function) alias_name \
	    __attribute__((alias(#function), visibility("default"))); \
	__asm__(".symver " #alias_name ", " #name "@" version)

/*
 * A struct shim_binding: of a function whose original we need; of one that programs are linked
 * with today; of an older version, or an older name.
 */
#define SHIM_BIND(field, function, name, version, needed, is_default) \
	{#name, version, field, (void (*)(void))(function), needed, is_default}
#define SHIM_BIND_REAL(field, function, name, version) \
	SHIM_BIND(&shim_real.field, function, name, version, true, true)
#define SHIM_BIND_NOW(function, name, version) \
	SHIM_BIND(NULL, function, name, version, false, true)
#define SHIM_BIND_OLD(function, name, version) \
	SHIM_BIND(NULL, function, name, version, false, false)
/* clang-format on */

#define SHIM_API __attribute__((visibility("default")))

#endif /* RQU_SHIM_VERSION_H */
