# SPDX-License-Identifier: MIT
# bash completion for rqpi(1): what there is to complete, the program itself is asked.
# shellcheck shell=bash

# The options of a command, those with a value ending in "=".
_rqpi_options() {
	command rqpi "$@" --help 2>/dev/null |
		sed -n 's/^ *\(-[a-zA-Z?], *\)\{0,1\}\(--[a-z][a-z-]*=\{0,1\}\).*/\2/p'
}

_rqpi_commands() {
	command rqpi --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

# The values of OPTION, and the other arguments that a command takes.
_rqpi_words() { # _rqpi_words COMMAND OPTION
	case $1$2 in
	check--suite=) echo ci full lot ;;
	check--mode=) echo dfs rdfs bfs up random pct ;;
	conform--on=) echo linux engine both ;;
	demo--only=) echo order herd inversion ;;
	demo--scenario=) echo group order ;;
	run--stats=) echo text json ;;
	trace--output= | trace--html=) compgen -f -- "$word" ;;
	trace--pid=) ps -u "$(id -u)" -o pid= ;;
	run--stats-signal=) compgen -A signal SIG | sed 's/^SIG//' ;;
	bench) echo uncontended wake herd inversion queue contended pool engine chain checker all ;;
	check) command rqpi check --list 2>/dev/null | sed 's/ .*//' ;;
	doctor--root=) compgen -d -- "$word" ;;
	doctor) compgen -c -f -- "$word" ;;
	conform--vector=) command rqpi conform --list 2>/dev/null | sed 's/ .*//' ;;
	esac
}

_rqpi() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]} option='' list

	# "=" is a word of its own here.
	if [ "$word" = '=' ]; then
		option=$before= word=''
	elif [ "$before" = '=' ] && [ "$COMP_CWORD" -gt 2 ]; then
		option=${COMP_WORDS[COMP_CWORD - 2]}=
	fi
	if [ "$COMP_CWORD" -eq 1 ]; then
		list="$(_rqpi_commands) --help --version"
	elif [ -n "$option" ]; then
		list=$(_rqpi_words "$command" "$option")
	elif [[ $word == -* ]]; then
		list=$(_rqpi_options "$command")
	elif [ "$command" = run ] || [ "$command" = trace ]; then
		# A command line like any other begins here.
		if declare -F _command_offset >/dev/null; then
			local at=2
			[ "${COMP_WORDS[2]}" = -- ] && at=3
			_command_offset "$at"
		else
			mapfile -t COMPREPLY < <(compgen -c -f -- "$word")
		fi
		return
	else
		list=$(_rqpi_words "$command" '')
	fi
	mapfile -t COMPREPLY < <(compgen -W "$list" -- "$word")
	[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
	return 0
}

complete -F _rqpi rqpi
