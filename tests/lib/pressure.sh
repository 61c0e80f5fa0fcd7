# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# For tests of a machine that is short of memory, with target e7.1 and client on
# it.

# shellcheck source=tests/lib/target.sh
. "$(dirname "${BASH_SOURCE[0]}")/target.sh"

vmstat_of() {
	awk -v name="$1" '$1 == name { print $2 }' /proc/vmstat
}

available_mib() {
	awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo
}

nothing_dropped() {
	local dropped
	dropped=$(stat_of e7.1 dropped)
	[ "$dropped" = 0 ] || { grep -H . "$TARGETS/e7.1/stats"/drop_* | grep -v ':0$'; return 1; }
}

quiet_kernel() {
	! dmesg | grep -E 'page allocation failure|blocked for more than|[Oo]ut of memory|oom-kill'
}

# under_pressure NAME COUNTER COMMAND... - it works, nothing is lost, and the
# counter of /proc/vmstat shows that the kernel had to reclaim memory for it.
under_pressure() {
	local name=$1 counter=$2 before start
	shift 2
	before=$(vmstat_of "$counter") start=$(milliseconds)
	check "$name" within 600 "$@"
	note "$name: $(($(milliseconds) - start)) ms," \
		"$counter $(($(vmstat_of "$counter") - before)), accepted $(stat_of e7.1 accepted)"
	check "$name: memory was short" test "$(($(vmstat_of "$counter") - before))" -gt 2000
	check "$name: nothing was dropped" nothing_dropped
	check "$name: the kernel has nothing to complain of" quiet_kernel
}
