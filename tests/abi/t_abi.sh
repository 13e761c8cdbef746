#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Does scripts/abi.sh notice what it is there for? librqpi is built from a copy of the tree with one
# change of the ABI at a time, and compared with the record; the other libraries are those of the
# build. Arguments: the source tree, librqpi-engine and the two preloads.
set -u
tree=${1:?usage: t_abi.sh SOURCE-TREE LIBRARY...}
shift

# Meson names them from the build folder, if that lies in the tree: this goes elsewhere.
for library in "$@"; do
	shift
	set -- "$@" "$(realpath "$library")"
done
place=$(mktemp -d) || exit 2
trap 'rm -rf "$place"' EXIT
n=0

for need in abidw abidiff gcc meson ninja readelf; do
	if ! command -v $need >/dev/null; then
		echo "1..0 # SKIP $need is not here"
		exit 0
	fi
done
if [ "$(gcc -dumpmachine | cut -d- -f1)" != x86_64 ]; then
	echo "1..0 # SKIP the record is of x86-64"
	exit 0
fi

# The copy as the tree has it; what was built stays, for ninja to see what is to be done again.
fresh() {
	mkdir -p "$place/t/build/given" && cd "$place/t" || exit 2
	rm -rf scripts abi include debian src
	cp -r "$tree"/{scripts,abi,include,debian,src,meson.build,meson_options.txt} . || exit 2
}

report() { # report STATUS NAME: what was said, if it is bad
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$place/said"
	fi
}

build() {
	{
		[ -f build/build.ninja ] || CC=gcc meson setup build --optimization 0 -Ddebug=true \
			-Dtools=false -Dbench=false -Dtests=false
		ninja -C build "$(ninja -C build -t targets all |
			sed -n 's/^\(src\/librqpi\.so\.[0-9.]*\): c_LINKER.*/\1/p')"
	} >"$place/said" 2>&1
}

kept() {
	build && scripts/abi.sh build >"$place/said" 2>&1
}

# refused WORDS: found to be another ABI, in these words.
refused() {
	scripts/abi.sh build >"$place/said" 2>&1
	[ $? -eq 1 ] && grep -q '^not ok' "$place/said" && grep -q -- "$1" "$place/said"
}

edit() { # edit FILE SED-SCRIPT: it must change the file
	cp "$1" "$place/before" && sed -i "$2" "$1"
	! cmp -s "$1" "$place/before" || {
		echo "Bail out! nothing was planted in $1"
		exit 1
	}
}

fresh
for library; do
	# As a build folder has them: without a version in the name.
	ln -s "$library" "build/given/$(basename "${library%.so*}").so" || exit 2
done
would_break='programs that were built with it would break'

echo 1..12
kept
report $? "what has not changed is kept"
cp build/src/librqpi.so "$place/clean.so"

edit src/user/user.h 's/^struct rqu_wait {$/&\n\tint planted;/'
kept
report $? "a structure of the sources alone may change"

fresh
edit src/user/librqpi.map '/^\trqpi_mutex_owner;/d'
build && refused "$would_break"
report $? "a function is gone"

fresh
edit src/user/librqpi.map 's/^RQPI_0.1 {/RQPI_0.2 {/'
build && refused "$would_break"
report $? "functions have another version"

fresh
edit include/rqpi/mutex.h 's/^\tuint32_t u32_\[10\];/\tuint32_t u32_[12];/'
edit src/user/user.h '/^RQB_BUILD(sizeof(rqpi_mutex_t)/d'
build && refused "$would_break\|has changed"
report $? "a mutex has another size"

fresh
edit include/rqpi/base.h \
	'/^\tuint64_t forwarded;/d; s/^\tuint64_t rebinds;/&\n\tuint64_t forwarded;/'
build && refused "$would_break\|has changed"
report $? "two fields of a structure have changed places"

fresh
edit include/rqpi/base.h 's/rqpi_strerror(int code)/rqpi_strerror(long code)/'
edit src/user/info.c 's/rqpi_strerror(int code)/rqpi_strerror(long code)/'
build && refused "$would_break\|has changed"
report $? "an argument has another type"

fresh
edit include/rqpi/base.h 's/^RQPI_API unsigned int rqpi_caps.*/&\nRQPI_API int rqpi_planted(void);/'
echo 'int rqpi_planted(void) { return 0; }' >>src/user/info.c
edit src/user/librqpi.map 's/^\trqpi_caps;/&\n\trqpi_planted;/'
build && refused 'something was added: scripts/abi.sh --update'
report $? "a function more is to be recorded"
scripts/abi.sh --update build >"$place/said" 2>&1 && scripts/abi.sh build >>"$place/said" 2>&1 &&
	grep -q 'rqpi_planted@RQPI_0.1' debian/librqpi0.symbols
report $? "it is, with --update, and for Debian, too"

fresh
cp --remove-destination "$place/clean.so" build/src/librqpi.so
echo 'pthread_planted@@GLIBC_2.3.2' >>abi/librqpi-preload.symbols
refused 'removed: pthread_planted'
report $? "a preload has lost a function"

fresh
cp --remove-destination "$place/clean.so" build/src/librqpi.so
edit abi/librqpi-futex-preload.symbols '/^nice$/d'
refused 'added: nice'
report $? "a preload has got a function"

fresh
strip -g -o build/src/librqpi.so "$place/clean.so" && scripts/abi.sh build >"$place/said" 2>&1
[ $? -eq 2 ] && grep -q 'has no debugging information' "$place/said"
report $? "without debugging information nothing is compared"
