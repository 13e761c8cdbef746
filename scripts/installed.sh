#!/bin/sh
# SPDX-License-Identifier: MIT
#
# installed.sh BUILD-DIR: install into an empty folder, use what is there as a stranger would, with
# pkg-config and nothing of the source tree, and remove it again. Called by test.sh.
# Exit status: 0 all as it should be, 1 not, 2 cannot try.
set -u
cd "$(dirname "$0")/.." || exit 2

build=${1:?usage: installed.sh BUILD-DIR}
place=$(mktemp -d) || exit 2
trap 'rm -rf "$place"' EXIT

fail() {
	echo "installed: $*" >&2
	exit 1
}

files() { # what is in $place, on one line
	find "$place" ! -type d -printf '%P '
}

echo "+ meson install -C $build"
DESTDIR=$place meson install -C "$build" --no-rebuild --quiet </dev/null ||
	fail "meson install failed"

find_one() { # find_one NAME: the one file of that name
	found=$(find "$place" -name "$1")
	[ -n "$found" ] || fail "$1 is not there; there are: $(files)"
	printf '%s\n' "$found"
}

pc=$(find_one rqpi.pc) || exit 1
library=$(find_one librqpi.so.0) || exit 1
header=$(find_one rqpi.h) || exit 1
find_one librqpi-preload.so >/dev/null || exit 1
if grep -qF "$PWD" "$pc"; then
	fail "rqpi.pc names the source tree"
fi

cat >"$place/use.c" <<'END'
#include <rqpi/rqpi.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	rqpi_mutex_t mutex = RQPI_MUTEX_INITIALIZER;
	rqpi_cond_t cond = RQPI_COND_INITIALIZER;

	if (rqpi_mutex_lock(&mutex) || rqpi_cond_broadcast(&cond) || rqpi_mutex_unlock(&mutex))
		return 1;
	if (strcmp(rqpi_version(), RQPI_VERSION) != 0)
		return 2;
	puts(rqpi_version());
	return 0;
}
END

PKG_CONFIG_PATH=$(dirname "$pc")
PKG_CONFIG_SYSROOT_DIR=$place
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
flags=$(pkg-config --cflags --libs rqpi) || fail "pkg-config does not know rqpi"
echo "+ ${CC:-cc} use.c $flags"
# shellcheck disable=SC2086 # a list of options
"${CC:-cc}" -Wall -Wextra -Werror -o "$place/use" "$place/use.c" $flags ||
	fail "a program does not build against $header"
LD_LIBRARY_PATH=$(dirname "$library") "$place/use" ||
	fail "a program built against it ended with $?"

# The same in C++, where there is a compiler for it, and librtpi's names.
if command -v "${CXX:-c++}" >/dev/null; then
	cat >"$place/use.cc" <<-'END'
	#include <rqpi/condition_variable.hpp>
	#include <rtpi.h>

	int main()
	{
		rqpi::mutex m;
		rqpi::condition_variable c;
		std::unique_lock lock(m);
		pi_mutex_t old = PI_MUTEX_INIT(0);

		c.notify_all();
		return c.wait_for(lock, std::chrono::milliseconds(1), [] { return true; }) &&
				       pi_mutex_lock(&old) == 0 ? 0 : 1;
	}
	END
	flags=$(pkg-config --cflags --libs rqpi-rtpi) || fail "pkg-config does not know rqpi-rtpi"
	echo "+ ${CXX:-c++} use.cc $flags"
	# shellcheck disable=SC2086 # a list of options
	"${CXX:-c++}" -std=c++17 -Wall -Wextra -Werror -o "$place/use" "$place/use.cc" $flags ||
		fail "a program in C++ does not build against it"
	LD_LIBRARY_PATH=$(dirname "$library") "$place/use" ||
		fail "a program in C++ built against it ended with $?"
	rm -f "$place/use.cc"
fi

# And with CMake.
config=$(find_one rqpiConfig.cmake) || exit 1
if command -v cmake >/dev/null; then
	mkdir "$place/cm" || exit 2
	cat >"$place/cm/CMakeLists.txt" <<-'END'
	cmake_minimum_required(VERSION 3.13)
	project(use C)
	find_package(rqpi 0.1 REQUIRED)
	find_package(rqpi 99 QUIET)
	if(rqpi_FOUND)
	  message(FATAL_ERROR "version 99 was found")
	endif()
	find_package(rqpi REQUIRED)
	add_executable(use ../use.c)
	target_link_libraries(use rqpi::rqpi)
	END
	echo "+ cmake, with $config"
	{
		cmake -S "$place/cm" -B "$place/cm/b" \
			-DCMAKE_PREFIX_PATH="${header%/include/rqpi/rqpi.h}" &&
			cmake --build "$place/cm/b" && "$place/cm/b/use"
	} >"$place/cm/log" 2>&1 || {
		cat "$place/cm/log"
		fail "a program with CMake does not build against it"
	}
	rm -rf "$place/cm"
else
	echo "no cmake here: its configuration was not tried"
fi

echo "+ ninja -C $build uninstall"
DESTDIR=$place ninja -C "$build" uninstall >/dev/null </dev/null || fail "uninstall failed"
rm -f "$place/use" "$place/use.c"
left=$(files)
[ -z "$left" ] || fail "uninstall left behind: $left"
