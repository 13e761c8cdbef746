#!/bin/bash
# SPDX-License-Identifier: MIT
#
# arch_libs.sh ARCH HOST CC: what the tests and the command link with, for another C library or
# machine: cmocka, popt and json-c, from Debian's source packages, as static libraries below
# build-ci/arch/libs/ARCH. HOST is the machine as configure scripts call it, CC the compiler.
# Debian has no such packages for musl, and those of another machine would have to be installed
# beside this one's. The sources are fetched once, with apt-get and this system's own list of
# servers, but into build-ci/arch/sources. Called by arch.sh.
#
# Exit status: 0 all three are there, 2 they cannot be built here.
set -u
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/.." || exit 2

arch=${1:?usage: arch_libs.sh ARCH HOST CC}
host=${2:?usage: arch_libs.sh ARCH HOST CC}
cc=${3:?usage: arch_libs.sh ARCH HOST CC}

top=$PWD/build-ci/arch
sources=$top/sources
root=$top/libs/$arch
packages='cmocka json-c popt'

fail() {
	echo "arch: $*" >&2
	exit 2
}

# apt-get with lists and caches of its own, so that nothing of the machine's changes.
private_apt() {
	mkdir -p "$top/apt/lists/partial" "$top/apt/cache/archives/partial"
	apt-get -q -o Dir::Etc::sourcelist="$top/apt/sources.list" -o Dir::Etc::sourceparts=- \
		-o Dir::State::Lists="$top/apt/lists" -o Dir::Cache="$top/apt/cache" "$@"
}

# The source packages are on the servers that the binary ones come from.
write_source_list() {
	mkdir -p "$top/apt"
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets 'Created-By: Packages' 'Component: main' 'Origin: Debian' --format \
		'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' |
		sort -u >"$top/apt/sources.list"
	[ -s "$top/apt/sources.list" ] || fail "apt-get knows no server of Debian's"
}

fetch_sources() {
	local package log=$top/fetch.log
	if [ -f "$sources/.complete" ]; then
		return
	fi
	command -v apt-get >/dev/null || fail "no apt-get here to fetch the sources of $packages"
	rm -rf "$sources"
	mkdir -p "$sources"
	write_source_list
	private_apt update >"$log" 2>&1
	# shellcheck disable=SC2086 # a list
	(cd "$sources" && private_apt source --only-source $packages) >>"$log" 2>&1 ||
		fail "apt-get source $packages: $(tail -n 1 "$log")"
	for package in $packages; do
		compgen -G "$sources/$package-*/" >/dev/null || fail "no source of $package"
	done
	touch "$sources/.complete"
}

# with_cmake PACKAGE [OPTION]...
with_cmake() {
	local package=$1
	shift
	cmake -S "$(echo "$sources/$package"-*/)" -B "$work" -DCMAKE_SYSTEM_NAME=Linux \
		-DCMAKE_SYSTEM_PROCESSOR="${host%%-*}" -DCMAKE_C_COMPILER="$cc" \
		-DCMAKE_TRY_COMPILE_TARGET_TYPE=EXECUTABLE -DCMAKE_BUILD_TYPE=RelWithDebInfo \
		-DCMAKE_POSITION_INDEPENDENT_CODE=ON -DBUILD_SHARED_LIBS=OFF \
		-DCMAKE_INSTALL_PREFIX="$root" -DCMAKE_INSTALL_LIBDIR=lib "$@" &&
		cmake --build "$work" -j 2 && cmake --install "$work"
}

# "not ok N # SKIP", as cmocka 1.1.5 says it, is a failure to who reads TAP.
build_cmocka() {
	sed -i 's/"not ok %u # SKIP/"ok %u # SKIP/' "$sources"/cmocka-*/src/cmocka.c
	with_cmake cmocka -DWITH_EXAMPLES=OFF -DUNIT_TESTING=OFF -DWITH_STATIC_LIB=ON &&
		rm "$root"/lib/libcmocka.so* &&
		mv "$root/lib/libcmocka-static.a" "$root/lib/libcmocka.a"
}

build_json-c() {
	with_cmake json-c -DBUILD_TESTING=OFF -DBUILD_APPS=OFF -DDISABLE_WERROR=ON
}

build_popt() {
	mkdir -p "$work" && cd "$work" &&
		CC=$cc CFLAGS='-O2 -g -fPIC' "$(echo "$sources"/popt-*/configure)" --host="$host" \
			--prefix="$root" --libdir="$root/lib" --disable-shared --disable-nls &&
		make -C src -j 2 && make -C src install && make install-data
}

# musl-gcc looks in musl's own folder alone: lend it the headers of the kernel.
link_kernel_headers() {
	local folder triplet
	triplet=$(gcc -print-multiarch)
	mkdir -p "$root/kernel"
	for folder in linux asm asm-generic; do
		if [ -d "/usr/include/$triplet/$folder" ]; then
			ln -sfn "/usr/include/$triplet/$folder" "$root/kernel/$folder"
		else
			ln -sfn "/usr/include/$folder" "$root/kernel/$folder"
		fi
	done
}

if [ "$arch" = musl ]; then
	link_kernel_headers
fi
fetch_sources
for package in $packages; do
	if [ -f "$root/.$package" ]; then
		continue
	fi
	work=$top/work/$arch-$package
	rm -rf "$work"
	mkdir -p "$root" "$top/work"
	log=$top/$arch-$package.log
	echo "arch: $arch: building $package"
	("build_$package") </dev/null >"$log" 2>&1 ||
		fail "$package cannot be built for $arch: $(tail -n 2 "$log")"
	rm -rf "$work"
	touch "$root/.$package"
done
