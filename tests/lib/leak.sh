# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Does a test leave anything behind in the kernel? Source it after ktap.sh:
#
#	leak_mark			before anything is set up
#	...				test, and tear all down
#	leak_check			reports: no network device, namespace, slab
#					object, buffer or page is left, rmmod works
#
# kmemleak is blind in User Mode Linux, so objects are counted: the module
# allocates from kmem_caches of its own, named aoetgt_*.

# leak_shrink PATTERN - make /proc/slabinfo exact: objects that a CPU keeps for
# the next allocation count as active until it gives them back.
leak_shrink() {
	local cache
	# shellcheck disable=SC2086 # a pattern
	for cache in /sys/kernel/slab/$1; do
		[ ! -e "$cache/shrink" ] || echo 1 >"$cache/shrink"
	done
}

# leak_slabs - lines "cache objects" of the module's caches that are in use. Of
# requests it keeps a reserve and, for each CPU, those that were freed last; one
# that leaked beside them shows when the cache is destroyed (leak_module_gone),
# in the log.
leak_slabs() {
	leak_shrink 'aoetgt_*'
	awk -v kept=$((256 + 128 * $(nproc))) '
		$1 == "aoetgt_request" && $2 <= kept { next }
		$1 ~ /^aoetgt_/ && $2 > 0 { print $1, $2 }' /proc/slabinfo
}

leak_netdevs() {
	ip -o link show | awk -F': ' '{ print $2 }' | sort
}

# leak_namespaces [ENOUGH] - how many live in the kernel, named or not. A kernel
# may keep those it cleaned up last until it cleans up another, so give it one,
# and see how far the number sinks within 0.3 s; ENOUGH ends that early.
leak_namespaces() {
	local now least=999999 tries=6
	unshare --net true
	while [ "$tries" -gt 0 ] && [ "$least" -gt "${1:--1}" ]; do
		sleep 0.05
		leak_shrink net_namespace
		now=$(awk '$1 == "net_namespace" { print $2 }' /proc/slabinfo)
		least=$((now < least ? now : least))
		tries=$((tries - 1))
	done
	echo "$least"
}

# leak_buffers - heads of network buffers in use. CPUs keep some for the next frame.
leak_buffers() {
	leak_shrink 'skbuff_head_cache'
	awk '$1 == "skbuff_head_cache" { print $2 }' /proc/slabinfo
}

# leak_pages - KiB that the kernel handed out and that no line of meminfo accounts
# for: pages of RAM disks, of network buffers, of our requests. What CPUs keep free
# for themselves, and the debug kernel's memory of stack traces, are none.
leak_pages() {
	local depot=/sys/kernel/debug/stackdepot/stats
	[ -e "$depot" ] || depot=/dev/null
	cat /proc/zoneinfo "$depot" /proc/meminfo | awk '
		/^ +count:/ { kib -= 4 * $2 }
		/^pools:/ { kib -= 16 * $2 }
		/^MemTotal:/ { kib += $2 }
		/^(MemFree|Buffers|Cached|SwapCached|AnonPages|Slab|KernelStack|PageTables|SecPageTables|VmallocUsed|Percpu):/ {
			kib -= $2 }
		END { print kib }'
}

# leak_no_huge_zeroes - whoever first reads 2 MiB that were never written makes the
# kernel keep a huge page of zeroes, in no line of meminfo, for good.
leak_no_huge_zeroes() {
	local knob=/sys/kernel/mm/transparent_hugepage/use_zero_page
	[ ! -e "$knob" ] || echo 0 >"$knob"
}

leak_mark() {
	leak_no_huge_zeroes
	LEAK_BUFFERS=$(leak_buffers)
	LEAK_PAGES=$(leak_pages)
	LEAK_NETDEVS=$(leak_netdevs)
	LEAK_NAMED=$(leak_named)
	LEAK_NAMESPACES=$(leak_namespaces)
}

leak_named() {
	find /run/netns -mindepth 1 2>/dev/null | sort
}

# The last reference to a namespace or an object may go through RCU or a
# work item, so leak_check gives them a while.
leak_settled() {
	[ "$(leak_namespaces "$LEAK_NAMESPACES")" -le "$LEAK_NAMESPACES" ] && [ -z "$(leak_slabs)" ]
}

leak_no_namespace() {
	local now
	now=$(leak_namespaces "$LEAK_NAMESPACES")
	[ "$now" -le "$LEAK_NAMESPACES" ] ||
		{ echo "network namespaces before: $LEAK_NAMESPACES, now: $now"; return 1; }
}

leak_no_slabs() {
	local slabs
	slabs=$(leak_slabs)
	[ -z "$slabs" ] || { echo "$slabs"; return 1; }
}

# How much more than before is not seen as left over: what 2 CPUs keep, and more.
LEAK_BUFFERS_KEPT=512
LEAK_KIB_KEPT=49152

leak_no_buffers() {
	local now
	now=$(leak_buffers)
	echo "network buffers before: $LEAK_BUFFERS, now: $now"
	[ "$now" -le $((LEAK_BUFFERS + LEAK_BUFFERS_KEPT)) ]
}

leak_no_pages() {
	local now
	now=$(leak_pages)
	echo "KiB of pages before: $LEAK_PAGES, now: $now"
	[ "$now" -le $((LEAK_PAGES + LEAK_KIB_KEPT)) ]
}

leak_same() {
	[ "$2" = "$3" ] || { printf '%s before: %s\n%s after: %s\n' "$1" "$2" "$1" "$3"; return 1; }
}

leak_module_gone() {
	[ ! -e /sys/module/aoetgt ] || rmmod aoetgt
}

leak_check() {
	busywait 10 leak_settled || true
	check "no slab objects left" leak_no_slabs
	check "same network devices as before" \
		leak_same devices "$LEAK_NETDEVS" "$(leak_netdevs)"
	check "same named namespaces as before" \
		leak_same namespaces "$LEAK_NAMED" "$(leak_named)"
	check "no network namespace is left" leak_no_namespace
	# A cache that is destroyed with objects in it complains in the log.
	check "the module can be unloaded" leak_module_gone
	check "no network buffers are left" busywait 10 leak_no_buffers
	check "no pages are left" busywait 10 leak_no_pages
	note "$(leak_no_buffers || true); $(leak_no_pages || true)"
}
