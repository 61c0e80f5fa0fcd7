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
#
# A turn takes from half a second to several, as fast as the machine starts
# processes in this kernel. So make check gives each race a time, in which the
# turns must be more than a few; AOETGT_RACE_TURNS=200 counts them instead.

# shellcheck source=tests/lib/target.sh
. "$(dirname "${BASH_SOURCE[0]}")/target.sh"

RACE_SECONDS=40
RACE_TURNS_LEAST=5

# The shell's own, where each would be a process.
for word in mkdir rmdir sleep; do
	enable -f "/usr/lib/bash/$word" "$word"
done

# race_export - e7.1 and the load on it.
race_export() {
	begin
	brd_disks 2 8
	link_add 0 9000
	target_export e7.1 /dev/ram0 tgt0
	race_load
}

# Reads, writes and a few of everything else; lost replies are forgotten soon.
# Nice, so that what takes things away is not the one that waits.
race_load() {
	background /tmp/load nice -n 15 "$TOOLS/aoe-load" -i ini0 -t e7.1 -n 32 -s 4 -w 50 -x 10 -o 20
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
	ip link add ini0 up mtu 9000 type veth peer name tgt0 mtu 9000 netns "$NS" &&
		ip -n "$NS" link set tgt0 up
}

# more_turns DONE END - is there another one to do?
more_turns() {
	if [ -n "${AOETGT_RACE_TURNS-}" ]; then
		[ "$1" -lt "$AOETGT_RACE_TURNS" ]
	else
		[ "$1" -lt "$RACE_TURNS_LEAST" ] || [ "$SECONDS" -lt "$2" ]
	fi
}

# race_turns - their number is left in /tmp/turns.
race_turns() {
	local turn=0 end=$((SECONDS + RACE_SECONDS))
	while more_turns "$turn" "$end"; do
		turn=$((turn + 1))
		echo "$turn" >/tmp/turns
		once || { echo "turn $turn"; return 1; }
	done
}

race() {
	local start
	start=$(milliseconds)
	check "$1, over and over" race_turns
	check "the load is still served" progress 50
	stop_job "$RACE_LOAD"
	note "$(cat /tmp/turns) turns; $(cat /tmp/load); $(($(milliseconds) - start)) ms;" \
		"accepted $(stat_of e7.1 accepted), draining $(stat_of e7.1 drop_draining)"
	check "the counters balance" balanced e7.1
	finish_clean
}
