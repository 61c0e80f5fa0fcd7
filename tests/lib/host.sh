# shellcheck shell=bash
# shellcheck disable=SC2034 # variables for those who source it
# SPDX-License-Identifier: GPL-2.0
#
# What every script on the host side shares: names of places, messages, locks.
# Sourced, never run; the caller has set -eu -o pipefail.

# The project's top, whatever the current directory; symbolic links resolved,
# since guests see the path as the kernel does.
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# Kernel trees, chroots and modules: costly to make, never part of the tree.
CACHE=${AOETGT_CACHE:-${HOME:-/root}/.cache/aoetgt}
JOBS=$(nproc)

export LC_ALL=C
# Debian's own tools, not whatever a version manager put in front of them.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# say TEXT... - progress, on stderr: stdout belongs to results.
say() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# die TEXT... - tell why and give up; DIE_STATUS lets a script choose its code.
die() {
	say "$*"
	exit "${DIE_STATUS:-1}"
}

# lock NAME - hold the named lock until this (sub)shell ends.
lock() {
	local fd
	mkdir -p "$CACHE/lock"
	exec {fd}>"$CACHE/lock/$1"
	if ! flock -n "$fd"; then
		say "waiting for another process that makes $1"
		flock "$fd"
	fi
}

# logged FILE COMMAND... - run quietly; on failure show the end of the log.
# A line every two minutes tells a watcher that it is still alive.
logged() {
	local log=$1 start=$SECONDS pid status=0 told=0
	shift
	mkdir -p "$(dirname "$log")"
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		if [ $(((SECONDS - start) / 120)) -gt "$told" ]; then
			told=$(((SECONDS - start) / 120))
			say "still at it after $((SECONDS - start)) s: $(tail -n 1 "$log" | cut -c 1-100)"
		fi
	done
	wait "$pid" || status=$?
	if [ "$status" -ne 0 ]; then
		say "failed with status $status: $*; the log $log ends with:"
		tail -n 40 "$log" >&2
	fi
	return "$status"
}
