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

# A process takes its time to start in this kernel, so a turn starts few.
exec {RACE_PAUSE}<> <(:)

pause() {
	read -rt 0.01 -u "$RACE_PAUSE" || true
}

# progress REPLIES - so many more are sent, from now on, within 15 s.
progress() {
	local file=$TARGETS/e7.1/stats/replied from now end=$((SECONDS + 15))
	read -r from <"$file"
	while read -r now <"$file"; do
		[ "$now" -lt $((from + $1)) ] || return 0
		[ "$SECONDS" -lt "$end" ] || break
		pause
	done
	echo "no progress: replied $from, then $now"
	return 1
}

# wire_again - what link_add 0 9000 does, when there is a namespace.
wire_again() {
	ip link add ini0 mtu 9000 type veth peer name tgt0 mtu 9000 netns "$NS" &&
		ip -n "$NS" link set tgt0 up && ip link set ini0 up
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
