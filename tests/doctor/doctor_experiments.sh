#!/bin/sh
# SPDX-License-Identifier: MIT
# What docs/doctor.md shows of a real run of `rqpi doctor`: the experiments, whose words are the
# same wherever they can be made. $RQPI_TOOL is the command. Exit status 77: they cannot be made
# here.
report=$(timeout 60 "$RQPI_TOOL" doctor </dev/null)
if echo "$report" | grep -q '^  unknown  inherit-'; then
	echo "no right to SCHED_FIFO here"
	exit 77
fi
echo "$report" | sed -n '/^Experiments$/,/^$/p'
