#!/bin/sh
# SPDX-License-Identifier: MIT
#
# build.sh DIR [MESON-SETUP-OPTION]...: configure DIR if that has not been done, and build it with
# ninja. Configures afresh when the options, the compiler, its flags or the place of the source tree
# differ from what DIR was configured with. A DIR that somebody configured by hand is only built.
# Called by the Makefile and test.sh. Exit status: that of meson or ninja.
set -u
cd "$(dirname "$0")/.." || exit 2

dir=${1:?usage: build.sh DIR [MESON-SETUP-OPTION]...}
shift
want="$PWD CC=${CC:-} CFLAGS=${CFLAGS:-} LDFLAGS=${LDFLAGS:-} $*"
mark=$dir/.rqpi-setup

if [ -f "$mark" ] && [ "$(cat "$mark")" != "$want" ]; then
	echo "build: $dir was configured otherwise, starting afresh"
	rm -rf "$dir" || exit 2
fi
if [ ! -f "$dir/build.ninja" ]; then
	echo "+ meson setup $dir $*"
	meson setup "$dir" "$@" </dev/null || exit
	printf '%s\n' "$want" >"$mark"
fi
echo "+ ninja -C $dir"
exec ninja -C "$dir" </dev/null
