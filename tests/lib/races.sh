# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Something is taken away under full load, many times over, in the debug guest.
# Each tests/debug/2?-race-* defines once(), one such turn, and calls
#
#	race DESCRIPTION
#
# The kernel's log is judged by tests/run; the rest is judged here: the load
# goes on afterwards, each request had one end, nothing is left, rmmod works.

# shellcheck source=tests/lib/target.sh
. "$(dirname "${BASH_SOURCE[0]}")/target.sh"

RACE_TURNS=${AOETGT_RACE_TURNS:-200}

# race_export - e7.1 and the load on it.
race_export() {
	begin
	brd_disks 2 8
	link_add 0 9000
	target_export e7.1 /dev/ram0 tgt0
	race_load
}

# Reads, writes and a few of everything else; lost replies are forgotten soon.
race_load() {
	background /tmp/load "$TOOLS/aoe-load" -i ini0 -t e7.1 -n 32 -s 4 -w 50 -x 10 -o 20
	RACE_LOAD=$BG
	check "the load runs" progress 200
}

# progress REPLIES - so many more are sent, from now on.
progress() {
	local from
	from=$(stat_of e7.1 replied)
	busywait 15 stat_at_least e7.1 replied $((from + $1))
}

race_turns() {
	local turn
	for ((turn = 1; turn <= RACE_TURNS; turn++)); do
		once || { echo "turn $turn"; return 1; }
	done
}

race() {
	local start
	start=$(milliseconds)
	check "$1, $RACE_TURNS times" race_turns
	check "the load is still served" progress 50
	stop_job "$RACE_LOAD"
	note "$(cat /tmp/load); $(($(milliseconds) - start)) ms;" \
		"accepted $(stat_of e7.1 accepted), draining $(stat_of e7.1 drop_draining)"
	check "the counters balance" balanced e7.1
	finish_clean
}
