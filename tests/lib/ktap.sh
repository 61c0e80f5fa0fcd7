# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Results for tests, in the words that tests/run understands. Source it:
#
#	. "$(dirname "$0")/../lib/ktap.sh"
#	check "a target can be made" mkdir "$targets/e7.1"
#	finish

KTAP_FAILED=0

# ok DESC / not_ok DESC / skip DESC REASON - report one result.
ok() {
	printf 'ok - %s\n' "$1"
}

not_ok() {
	KTAP_FAILED=1
	printf 'not ok - %s\n' "$1"
}

skip() {
	printf 'ok - %s # SKIP %s\n' "$1" "$2"
}

# note TEXT... - diagnostics.
note() {
	printf '# %s\n' "$*"
}

# check DESC COMMAND... - ok if the command succeeds; else its output is shown.
# Use it for functions too; `!` is spelled `fails COMMAND...`.
check() {
	local desc=$1 output status
	shift
	# Not "|| status=$?": that would switch errexit off inside the function.
	set +e
	output=$(set -e; "$@" 2>&1)
	status=$?
	set -e
	if [ "$status" -eq 0 ]; then
		ok "$desc"
		return 0
	fi
	note "status $status: $*"
	[ -z "$output" ] || printf '%s\n' "$output" | sed 's/^/# /'
	not_ok "$desc"
	return 0
}

# is DESC GOT WANTED - ok if both are the same text.
is() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		note "got:    $2"
		note "wanted: $3"
		not_ok "$1"
	fi
}

# fails COMMAND... - succeeds if the command does not.
fails() {
	if "$@"; then
		return 1
	fi
	return 0
}

# busywait SECONDS COMMAND... - run it until it succeeds, every 50 ms; 1 when
# the time is over.
busywait() {
	local end
	# bash counts whole seconds; /proc/uptime has hundredths.
	end=$(($(uptime_cs) + $1 * 100))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(uptime_cs)" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# uptime_cs - hundredths of a second since boot.
uptime_cs() {
	local up _
	read -r up _ </proc/uptime
	up=${up/./}
	echo "$((10#$up))"
}

# finish - end the test: 1 if anything failed.
finish() {
	exit "$KTAP_FAILED"
}
