#!/bin/bash
# SPDX-License-Identifier: MIT
#
# arch.sh [musl|i386|aarch64|armhf|riscv64]...: builds the library, the engine and their tests for
# another C library or another machine (all five, or those named) and runs them: musl and i386 on
# this kernel, the others under qemu-user. Build trees are build-ci/arch/ARCH. Called by
# `make check-arch` and check.sh. What runs where, and what not: docs/portability.md.
#
# The last line is `N passed, N failed`, with `, N skipped` if there are any; skips are named
# before.
# Exit status: 0 all passed, 1 something failed or nothing ran, 2 cannot test here.
set -u
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/.." || exit 2

ALL='musl i386 aarch64 armhf riscv64'
ARCH_SECONDS=${RQPI_ARCH_SECONDS:-2400} # for the tests of one of them, before they are ended

if [ "$(uname -m)" != x86_64 ]; then
	echo "arch: cross compilers and emulator are set up for x86-64, here is $(uname -m)" >&2
	exit 2
fi
results=$(mktemp) || exit 2
trap 'rm -f "$results"' EXIT

host_of() { # host_of ARCH: as the configure scripts call it
	case $1 in
	musl) echo x86_64-linux-musl ;;
	i386) echo i686-linux-gnu ;;
	aarch64) echo aarch64-linux-gnu ;;
	armhf) echo arm-linux-gnueabihf ;;
	riscv64) echo riscv64-linux-gnu ;;
	*) return 1 ;;
	esac
}

compiler_of() { # compiler_of ARCH
	case $1 in
	musl) echo musl-gcc ;;
	*) echo "$(host_of "$1")-gcc" ;;
	esac
}

# What a cross file in the repository cannot say: where the libraries of arch_libs.sh are.
write_places() { # write_places ARCH FILE
	local libs=$PWD/build-ci/arch/libs/$1
	printf '[properties]\npkg_config_libdir = %s\n' "'$libs/lib/pkgconfig'" >"$2"
	if [ "$1" = musl ]; then
		printf "[built-in options]\nc_args = ['-idirafter', '%s']\n" "$libs/kernel" >>"$2"
	fi
}

build() { # build ARCH
	scripts/arch_libs.sh "$1" "$(host_of "$1")" "$(compiler_of "$1")" || return
	write_places "$1" "build-ci/arch/$1.ini"
	scripts/build.sh "build-ci/arch/$1" --werror -Dbench=false \
		--cross-file "scripts/cross/$1.ini" --cross-file "build-ci/arch/$1.ini"
}

# A test program may have to change a thread's priority: not from under a nice value.
run() { # run ARCH [MESON-TEST-OPTION]...
	local arch=$1
	shift
	rm -f "build-ci/arch/$arch/meson-logs/testlog.json"
	timeout -k 30 "$ARCH_SECONDS" meson test -C "build-ci/arch/$arch" --no-rebuild \
		--print-errorlogs --num-processes 2 --no-suite deep --no-suite wrong "$@" </dev/null
	if [ $? -eq 124 ]; then
		printf 'fail\t%s: the tests took more than %s s\n' "$arch" "$ARCH_SECONDS" \
			>>"$results"
	fi
	scripts/testlog.py "build-ci/arch/$arch/meson-logs/testlog.json" "$arch" >>"$results"
}

sums() { # sums PATTERN: of the lines of results with it
	awk -F '\t' -v want="$1" '$2 ~ want { n[$1]++ }
		END { printf "%d passed, %d failed", n["pass"], n["fail"]
			if (n["skip"]) printf ", %d skipped", n["skip"]
			print "" }' "$results"
}

main() {
	local arch began archs=${*:-$ALL}
	for arch in $archs; do
		if ! host_of "$arch" >/dev/null; then
			echo "arch: unknown machine '$arch'; there are: $ALL" >&2
			exit 2
		fi
	done
	# shellcheck disable=SC2086 # a list
	scripts/deps.sh arch || exit 2
	for arch in $archs; do
		echo "== $arch"
		began=$SECONDS
		if build "$arch"; then
			printf 'pass\t%s: build without a warning\n' "$arch" >>"$results"
			case $arch in
			musl | i386) run "$arch" ;;
			*) run "$arch" --timeout-multiplier 10 ;; # emulated
			esac
		else
			printf 'fail\t%s: build without a warning\n' "$arch" >>"$results"
		fi
		echo "== $arch: $(sums "^${arch}:"), $((SECONDS - began)) s"
	done
	echo
	awk -F '\t' '$1 == "skip" { print "  skipped: " $2 ": " $3 }
		$1 == "fail" { print "  failed: " $2 }' "$results"
	sums .
	! grep -q '^fail' "$results" && grep -q '^pass' "$results"
}

main "$@"
