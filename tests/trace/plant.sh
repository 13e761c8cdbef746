# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# plant.sh, to be sourced: a program of the build with a mistake in one of its files. The file is
# compiled anew and linked with the objects of the build, by the build's own commands.
# The caller sets tree and build, and place: a folder of its own.

# shellcheck disable=SC2154 # tree, build and place are the caller's

# one_command TARGET PATTERN: the command in TARGET's making that matches
one_command()
{
	ninja -C "$build" -t commands "$1" 2>/dev/null | grep -e "$2" | tail -n 1
}

# plant TARGET FILE SED: the program TARGET of the build with this in FILE, as $place/it.
# 2: it does not build, 3: SED changes nothing.
plant()
{
	local target=${1#"$build"/} source=$tree/tools/rqpi/trace/$2 make object
	sed "$3" "$source" >"$place/$2"
	! cmp -s "$source" "$place/$2" || return 3
	make=$(one_command "$target" "/trace/$2\$")
	object=${make##* -o }
	object=${object%% *}
	[ -n "$object" ] || return 2
	make="${make%% -MD *} -I$tree/tools/rqpi/trace -w"
	(cd "$build" && sh -c "$make -o $place/new.o -c $place/$2") || return 2
	make=$(one_command "$target" " -o $target ")
	make=${make/ -o $target / -o $place/it }
	(cd "$build" && sh -c "${make/ $object / $place/new.o }")
}

# Without ninja nobody says how a program of the build is made.
need_ninja()
{
	command -v ninja >/dev/null && return
	echo "1..1"
	echo "ok 1 - # SKIP there is no ninja here to tell how rqpi is built"
	exit 0
}
