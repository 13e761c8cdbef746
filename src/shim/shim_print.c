/* SPDX-License-Identifier: MIT */
/* shim_print.c - see shim_print.h. */
#include "src/shim/shim_print.h"

#include <stdarg.h>

#include "src/shim/shim_os.h"

void shim_print_flush(struct shim_print *p)
{
	shim_os_write(p->fd, p->text, p->used);
	p->used = 0;
}

static void put(struct shim_print *p, char c)
{
	if (p->used == sizeof(p->text))
		shim_print_flush(p);
	p->text[p->used++] = c;
}

static void put_all(struct shim_print *p, const char *text)
{
	while (*text)
		put(p, *text++);
}

void shim_print(struct shim_print *p, const char *part, ...)
{
	va_list more;

	va_start(more, part);
	for (; part; part = va_arg(more, const char *))
		put_all(p, part);
	va_end(more);
}

static void put_digits(struct shim_print *p, uint64_t n, unsigned int base)
{
	char digits[24];
	size_t i = sizeof(digits);

	digits[--i] = '\0';
	do {
		digits[--i] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n);
	put_all(p, digits + i);
}

void shim_print_number(struct shim_print *p, uint64_t n)
{
	put_digits(p, n, 10);
}

void shim_print_hex(struct shim_print *p, uint64_t n)
{
	put_all(p, "0x");
	put_digits(p, n, 16);
}

void shim_print_time(struct shim_print *p, uint64_t ns)
{
	static const char *const units[] = {" ns", " us", " ms", " s"};
	uint64_t whole = ns;
	uint64_t unit = 1;
	int i = 0;

	while (whole >= 1000 && i < 3) {
		whole /= 1000;
		unit *= 1000;
		i++;
	}
	put_digits(p, whole, 10);
	if (i > 0 && whole < 100) {
		uint64_t tenths = ns % unit * 10 / unit;

		put(p, '.');
		put_digits(p, tenths, 10);
	}
	put_all(p, units[i]);
}

/* A thread's name is any bytes; what is not ASCII is told as the code point of that number. */
void shim_print_quoted(struct shim_print *p, const char *text)
{
	put(p, '"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			put(p, '\\');
		if (c >= ' ' && c < 0x7f) {
			put(p, (char)c);
			continue;
		}
		put_all(p, "\\u00");
		put(p, "0123456789abcdef"[c >> 4]);
		put(p, "0123456789abcdef"[c & 0xf]);
	}
	put(p, '"');
}

void shim_print_key(struct shim_print *p, int *first, const char *key)
{
	put_all(p, *first ? "" : ", ");
	*first = 0;
	shim_print_quoted(p, key);
	put_all(p, ": ");
}

void shim_print_count(struct shim_print *p, int *first, const char *key, uint64_t n)
{
	shim_print_key(p, first, key);
	shim_print_number(p, n);
}
