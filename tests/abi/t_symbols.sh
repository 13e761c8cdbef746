#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Does scripts/symbols.py notice what it is there for? In a copy of what it reads, faults of every
# kind are planted, and it must say so of each, in the words given. Arguments: the source tree.
set -u
tree=${1:?usage: t_symbols.sh SOURCE-TREE}
place=$(mktemp -d) || exit 2
trap 'rm -rf "$place"' EXIT
n=0

fresh() {
	rm -rf "$place/t" && mkdir "$place/t" && cd "$place/t" || exit 2
	(cd "$tree" && tar -c scripts/*.py src/*/*.map src/shim include man tests examples sim \
		debian meson.build src/meson.build) | tar -x -C "$place/t" || exit 2
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

# finds WORDS NAME: the words are among the findings.
finds() {
	grep -qF -- "$1" "$place/said"
	report $? "$2"
}

# edit FILE SED-SCRIPT: it must change the file, or the case shows nothing.
edit() {
	cp "$1" "$place/before" && sed -i "$2" "$1"
	! cmp -s "$1" "$place/before" || {
		echo "Bail out! nothing was planted in $1"
		exit 1
	}
}

echo 1..14
fresh
python3 scripts/symbols.py >"$place/said" 2>&1
report $? "without a fault there is no finding"

edit src/user/librqpi.map 's/^\trqpi_caps;/&\n\trqpi_planted;/'
edit src/host/librqpi-engine.map '/^\trqpi_task_get;/d'
edit src/shim/shim_c11.c 's/^SHIM_EXPORT_BOTH(mtx_lock);/&\nSHIM_EXPORT_BOTH(mtx_planted);/'
edit include/rqpi/base.h 's/^#define RQPI_VERSION_MAJOR.*/&\n#define RQPI_PLANTED(x) (x)/'
edit include/rqpi/compat/rtpi.h \
	's/^static inline int pi_cond_init/static inline int pi_planted(void)\n{\n}\n\n&/'
edit include/rqpi/mutex.hpp 's/^\tvoid unlock()/\tbool planted()\n\t{\n\t}\n\n&/'
edit man/rqpi_cond.3 '/^\.Fn rqpi_cond_wait /d'
edit man/meson.build "/'rqpi_cond_signal',/d; s/'rqpi_cxx.3', //"
edit tests/host/meson.build "s/'t_calls': /'t_other': /"
python3 scripts/symbols.py >"$place/said" 2>&1
[ $? -eq 1 ]
report $? "with some its status is 1"
finds 'no page has rqpi_planted in its NAME' "a function without a manual page"
finds 'src/user/librqpi.map: no test calls rqpi_planted' "a function without a test"
finds 'rqpi_planted@RQPI_0.1 is missing' "a function that Debian's symbols have not"
finds 'rqpi_task_get is in NAME, and there is no such function' "a page for no function"
finds 'rqpi_cond_wait is in NAME and not in SYNOPSIS' "a function without a synopsis"
finds 'rqpi_cond_signal is not installed by its own name' "a page that man does not find"
finds 'man/rqpi_cxx.3 is not installed' "a page that is not installed"
finds 'mtx_planted is in no manual page' "a function of a preload, untold"
finds 'RQPI_PLANTED is in no manual page' "a macro without a word"
finds 'no test calls pi_planted' "an inline function without a test"
finds 'no test calls planted()' "a member function without a test"
finds 'no test calls rqpi_futex_exec' "a test that no build runs is none"
