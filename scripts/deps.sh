#!/bin/sh
# SPDX-License-Identifier: MIT
#
# deps.sh [build|test|lint|arch|check|programs|package|performance|rt]...: is everything there
# that this set of targets needs? What is missing is installed with apt-get when this is root on a
# Debian-like system, and is only named elsewhere. When nothing is missing it takes a moment and
# touches nothing. Called by the Makefile, test.sh and check.sh.
#
# Exit status: 0 everything is there, 2 something is missing and was not installed.
# RQPI_DEPS=check in the environment: never install, only say.
set -u
LC_ALL=C
export LC_ALL

cd "$(dirname "$0")/.." || exit 2

missing='' # Debian package names
lacking='' # what was looked for, for people on other systems

need() { # need PACKAGE WHAT: note that WHAT is not there, PACKAGE has it on Debian
	case " $missing " in
	*" $1 "*) ;;
	*) missing="$missing${missing:+ }$1" ;;
	esac
	lacking="$lacking${lacking:+, }$2"
}

need_command() { # need_command COMMAND PACKAGE
	command -v "$1" >/dev/null 2>&1 || need "$2" "command $1"
}

need_library() { # need_library PKG-CONFIG-NAME PACKAGE
	if ! command -v pkg-config >/dev/null 2>&1 || ! pkg-config --exists "$1"; then
		need "$2" "library $1 with its headers"
	fi
}

# What is no command; only Debian is asked, and elsewhere a test that wants it is skipped.
need_package() { # need_package PACKAGE
	command -v dpkg-query >/dev/null 2>&1 || return
	case $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) in
	installed) ;;
	*) need "$1" "package $1" ;;
	esac
}

# A gcc without recommended packages comes without libc's headers: look by compiling.
need_libc() {
	if command -v "${CC:-cc}" >/dev/null 2>&1; then
		printf '#include <stdio.h>\n#include <pthread.h>\n#include <linux/futex.h>\n' |
			"${CC:-cc}" -E -o /dev/null -x c - 2>/dev/null ||
			need libc6-dev "headers of libc and Linux"
	elif [ -n "${CC:-}" ]; then
		echo "deps: CC=$CC is not a command here" >&2
		exit 2
	else
		need gcc "command cc"
		need libc6-dev "headers of libc and Linux"
	fi
}

# Debian's cross compilers; without recommended packages they come without headers.
need_compiler() { # need_compiler MACHINE DEBIAN-ARCHITECTURE
	triplet=$1-linux-gnu
	if [ "$1" = arm ]; then
		triplet=arm-linux-gnueabihf
	fi
	need_command "$triplet-gcc" "gcc-$triplet"
	if [ ! -e "/usr/$triplet/include/stdio.h" ]; then
		need "libc6-dev-$2-cross" "headers of libc for $triplet"
	fi
}

look() { # look SET: collect what SET lacks
	case $1 in
	build)
		need_libc
		need_command meson meson
		need_command ninja ninja-build
		need_command pkg-config pkg-config
		need_library popt libpopt-dev
		need_library json-c libjson-c-dev
		need_library libelf libelf-dev
		need_library zlib zlib1g-dev
		need_library libtracefs libtracefs-dev
		need_library libtraceevent libtraceevent-dev
		need_package systemtap-sdt-dev # sys/sdt.h, for the probes
		;;
	test)
		look build
		look lint
		need_command gcc gcc
		need_command g++ g++
		need_library cmocka libcmocka-dev
		need_library libseccomp libseccomp-dev
		need_command patch patch
		need_command gnuplot gnuplot-nox
		;;
	lint)
		look build
		need_command python3 python3
		need_command clang clang
		need_command clang-format clang-format
		need_command nm binutils
		need_command shellcheck shellcheck
		need_command codespell codespell
		need_command mandoc mandoc
		# Not every distribution has it: without it the ABI is not compared, which is told.
		! command -v dpkg >/dev/null 2>&1 || need_command abidiff abigail-tools
		;;
	package) # to build Debian's package, and to try it on a fresh Debian 12
		look build
		need_command g++ g++
		need_library cmocka libcmocka-dev
		need_library libseccomp libseccomp-dev
		need_command dpkg-buildpackage dpkg-dev
		need_command dh debhelper
		need_command lintian lintian
		need_command debootstrap debootstrap
		need_command autopkgtest autopkgtest
		;;
	arch) # cross compilers, emulators, and what builds the tests' libraries for them
		look test
		need_command musl-gcc musl-tools
		for machine in aarch64:arm64 arm:armhf riscv64:riscv64 i686:i386; do
			need_compiler "${machine%:*}" "${machine#*:}"
		done
		need_command qemu-aarch64-static qemu-user-static
		need_command cmake cmake
		need_command make make
		need_command dpkg-source dpkg-dev
		;;
	performance) # pictures in docs/performance.md and docs/trace.md, and musl beside the others
		look build
		need_command python3 python3
		need_command chromium chromium
		need_command pngquant pngquant
		need_command gnuplot gnuplot-nox
		need_command musl-gcc musl-tools
		;;
	rt) # an emulator, and what makes a small system for it
		look test
		need_command qemu-system-x86_64 qemu-system-x86
		need_command busybox busybox-static
		need_command cpio cpio
		;;
	check) # programs that nobody here wrote, to run on the engine; a browser
		look rt
		! command -v dpkg >/dev/null 2>&1 || look package
		need_command perf linux-perf
		need_command stress-ng stress-ng
		need_command chromium chromium
		need_command gcov gcc
		need_command bpftrace bpftrace
		;;
	programs) # to run with the preload under them (scripts/programs.py)
		look build
		need_command python3 python3
		need_command nm binutils
		need_command setpriv util-linux
		need_command pi_stress rt-tests
		need_command stress-ng stress-ng
		need_command pulseaudio pulseaudio
		need_command paplay pulseaudio-utils
		need_command sox sox
		need_package libsox-fmt-pulse
		need_package openjdk-17-jdk-headless
		need_package libpython3.11-testsuite
		need_package postgresql-15
		need_command chromium chromium
		;;
	*)
		echo "deps: unknown set '$1' (build, test, lint, arch, check, programs, package," \
			"performance or rt)" >&2
		exit 2
		;;
	esac
}

look_all() {
	missing=''
	lacking=''
	for set_name in $sets; do
		look "$set_name"
	done
}

say_elsewhere() {
	cat >&2 <<-END
	deps: missing: $lacking.
	deps: this system is not one that I know how to install on. The packages are called
	  Debian, Ubuntu:  $missing
	  Fedora:          meson ninja-build pkgconf gcc glibc-devel popt-devel json-c-devel
	                   elfutils-libelf-devel zlib-devel libtracefs-devel
	                   systemtap-sdt-devel
	                   libcmocka-devel libseccomp-devel gcc-c++ libasan libubsan libtsan patch
	                   python3 clang clang-tools-extra binutils ShellCheck codespell mandoc
	                   libabigail perf stress-ng chromium qemu-system-x86 busybox cpio
	  Arch:            meson ninja pkgconf gcc popt json-c libelf zlib libtracefs cmocka
	                   libseccomp patch
	                   python clang
	                   binutils shellcheck codespell mandoc perf stress-ng chromium
	                   qemu-system-x86 busybox cpio
	END
}

# Two programs may want apt's lists at once, and update waits for nobody: ask again for two minutes.
apt_update() {
	tries=0
	while ! apt-get -q update </dev/null >"$log" 2>&1; do
		if ! grep -q 'Could not get lock' "$log" || [ "$tries" -ge 24 ]; then
			# Not the end: another source may be out of reach while ours is fine.
			echo "deps: apt-get update complained:" >&2
			grep '^[EW]:' "$log" >&2
			return
		fi
		tries=$((tries + 1))
		sleep 5
	done
}

install() {
	echo "deps: missing: $lacking."
	echo "deps: installing with apt-get: $missing"
	log=$(mktemp) || exit 2
	trap 'rm -f "$log"' EXIT
	DEBIAN_FRONTEND=noninteractive
	export DEBIAN_FRONTEND
	apt_update
	# shellcheck disable=SC2086 # a list of package names
	if ! apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=120 \
		-o Acquire::Retries=3 install $missing </dev/null >"$log" 2>&1; then
		cat "$log" >&2
		echo "deps: apt-get could not install: $missing" >&2
		exit 2
	fi
	hash -r
	wanted=$missing
	look_all
	if [ -n "$missing" ]; then
		echo "deps: installed $wanted, and still missing: $lacking" >&2
		exit 2
	fi
	echo "deps: done"
}

sets=${*:-build}
look_all
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1 || [ ! -f /etc/debian_version ]; then
	say_elsewhere
	exit 2
fi
if [ "$(id -u)" -ne 0 ] || [ "${RQPI_DEPS:-}" = check ]; then
	echo "deps: missing: $lacking. To install:" >&2
	echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends $missing" >&2
	exit 2
fi
install
