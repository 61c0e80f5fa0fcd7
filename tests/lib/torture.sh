# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Faults that tests/torture/soak switches on and off. Each kind has two functions,
# on_KIND and off_KIND; which export or wire it hits, on_KIND draws from RANDOM,
# which the soak seeds, and leaves in HIT for off_KIND.
#
# What no AoE target can make good must not happen on the wires of those who verify
# (0 to 2): the protocol has neither checksums nor sequence numbers, so a flipped bit
# may be data, and a write that was overtaken by the next one to its sector undoes
# it. Requests there keep their order and their bits; replies may come in any order.
# On wire 3 all of it happens, which is why its exports are on no other wire.

# shellcheck source=tests/lib/target.sh
. "$(dirname "${BASH_SOURCE[0]}")/target.sh"

DEBUGFS=/sys/kernel/debug
WIRES=4
EXPORTS=8
DISK_MIB=8
SECTORS=$((DISK_MIB * 2048))
# Two exports on each wire; their disks are ram0 ... under the mapper's t1 ...
VERIFIED_WIRES=3
# The kernel's initiator hands I/O errors on, so the disks of its exports have none.
FIRST_WITH_ERRORS=3
HIT=
LAST_CPU=/sys/devices/system/cpu/cpu$(($(nproc --all) - 1))

# draw N - one of 0 ... N-1, into DRAWN. Not in a subshell: RANDOM would forget.
draw() {
	DRAWN=$((RANDOM % $1))
}

wire_of() {
	echo $((($1 - 1) / 2))
}

# --- wires ----------------------------------------------------------------

# netem_on WIRE WORDS... - towards the target; netem_on_replies: from it.
netem_on() {
	local wire=$1
	shift
	tc qdisc replace dev "ini$wire" root netem "$@"
}

netem_on_replies() {
	local wire=$1
	shift
	# It may be in another namespace.
	in_ns ip link show "tgt$wire" >/dev/null 2>&1 || return 0
	in_ns tc qdisc replace dev "tgt$wire" root netem "$@"
}

netem_off() {
	tc qdisc del dev "ini$1" root 2>/dev/null || true
	in_ns tc qdisc del dev "tgt$1" root 2>/dev/null || true
}

# a_wire COUNT - one of the first, into HIT.
a_wire() {
	draw "$1"
	HIT=$DRAWN
}

on_loss() {
	a_wire "$WIRES"
	draw 20
	netem_on "$HIT" loss "$((DRAWN + 1))%"
	netem_on_replies "$HIT" loss "$((DRAWN + 1))%"
}
off_loss() { netem_off "$HIT"; }

on_duplication() {
	a_wire "$WIRES"
	netem_on "$HIT" duplicate 20%
	netem_on_replies "$HIT" duplicate 20%
}
off_duplication() { netem_off "$HIT"; }

on_delay() {
	a_wire "$WIRES"
	draw 40
	netem_on "$HIT" delay "$((DRAWN + 1))ms" limit 10000
	netem_on_replies "$HIT" delay "$((DRAWN + 1))ms" limit 10000
}
off_delay() { netem_off "$HIT"; }

on_reordering() {
	a_wire "$WIRES"
	[ "$HIT" -lt "$VERIFIED_WIRES" ] || netem_on "$HIT" delay 5ms 4ms reorder 30% limit 10000
	netem_on_replies "$HIT" delay 5ms 4ms reorder 30% limit 10000
}
off_reordering() { netem_off "$HIT"; }

on_bitflips() {
	HIT=3
	netem_on 3 corrupt 10%
	netem_on_replies 3 corrupt 10%
}
off_bitflips() { netem_off 3; }

on_interface() {
	a_wire "$WIRES"
	in_ns ip link set "tgt$HIT" down
}
off_interface() { in_ns ip link set "tgt$HIT" up; }

on_carrier() {
	a_wire "$WIRES"
	ip link set "ini$HIT" down
}
off_carrier() { ip link set "ini$HIT" up; }

on_mtu() {
	a_wire "$WIRES"
	in_ns ip link set "tgt$HIT" mtu 1500
}
off_mtu() { in_ns ip link set "tgt$HIT" mtu 9000; }

# Always the same second address: Linux forgets none that it has heard of, and tries
# them all, each for some twenty seconds, when an answer is late. With a dozen that
# are no more it gives a disk up (180 s) that is there.
on_address() {
	a_wire "$WIRES"
	OLD_MAC=$(ns_mac "tgt$HIT")
	in_ns ip link set "tgt$HIT" address "02:00:00:00:$HIT:99"
}
off_address() { in_ns ip link set "tgt$HIT" address "$OLD_MAC"; }

# Into this namespace, and back.
on_namespace() {
	a_wire "$WIRES"
	in_ns ip link set "tgt$HIT" netns 1
}
off_namespace() {
	ip link set "tgt$HIT" netns "$NS"
	in_ns ip link set "tgt$HIT" up
}

# A VLAN is made on a wire, exported to, and removed with and without a warning.
on_vlan() {
	a_wire "$WIRES"
	in_ns ip link add link "tgt$HIT" name "tgt$HIT.7" type vlan id 7
	target_bind "e7.$((2 * HIT + 1))" "tgt$HIT.7"
	in_ns ip link set "tgt$HIT.7" up
}
off_vlan() {
	local binding=$TARGETS/e7.$((2 * HIT + 1))/interfaces/tgt$HIT.7
	draw 2
	[ "$DRAWN" = 0 ] || in_ns ip link del "tgt$HIT.7"
	rmdir "$binding"
	[ "$DRAWN" = 1 ] || in_ns ip link del "tgt$HIT.7"
}

# --- disks ----------------------------------------------------------------

# table_of NUMBER [KIND] - of the mapper, for the disk of e7.NUMBER.
table_of() {
	local ram=/dev/ram$(($1 - 1))
	case ${2-} in
	error) echo "0 $SECTORS error" ;;
	flakey) echo "0 $SECTORS flakey $ram 0 1 1 1 error_writes" ;;
	slow) echo "0 $SECTORS delay $ram 0 5 $ram 0 50" ;;
	*) echo "0 $SECTORS linear $ram 0" ;;
	esac
}

# a_disk FIRST - one of the disks from that one on, into HIT.
a_disk() {
	draw $((EXPORTS - $1 + 1))
	HIT=$(($1 + DRAWN))
}

on_disk_error() {
	a_disk "$FIRST_WITH_ERRORS"
	dm_reload "t$HIT" "$(table_of "$HIT" error)"
}
off_disk_error() { dm_reload "t$HIT" "$(table_of "$HIT")"; }

on_disk_flakey() {
	a_disk "$FIRST_WITH_ERRORS"
	dm_reload "t$HIT" "$(table_of "$HIT" flakey)"
}
off_disk_flakey() { dm_reload "t$HIT" "$(table_of "$HIT")"; }

on_disk_slow() {
	a_disk 1
	dm_reload "t$HIT" "$(table_of "$HIT" slow)"
}
off_disk_slow() { dm_reload "t$HIT" "$(table_of "$HIT")"; }

on_disk_hang() {
	a_disk 1
	dmsetup suspend --nolockfs "t$HIT"
}
off_disk_hang() { dmsetup --noudevsync resume "t$HIT"; }

# --- the target's settings ------------------------------------------------

on_export() {
	a_disk 1
	target_disable "e7.$HIT"
}
off_export() { target_enable "e7.$HIT"; }

on_mask() {
	a_disk 1
	attr "e7.$HIT" mac_mask 02:00:00:00:00:01
}
off_mask() { attr "e7.$HIT" mac_mask ""; }

on_reservation() {
	a_disk 1
	attr "e7.$HIT" reserved_by 02:00:00:00:00:02
}
off_reservation() { attr "e7.$HIT" reserved_by ""; }

# --- memory and I/O that fail, where the kernel can -----------------------

# faults KIND PERCENT - silent: the log is for complaints.
faults() {
	local dir=$DEBUGFS/$1
	echo 0 >"$dir/verbose"
	echo -1 >"$dir/times"
	[ ! -e "$dir/ignore-gfp-wait" ] || echo 0 >"$dir/ignore-gfp-wait"
	echo "$2" >"$dir/probability"
}

# Our caches only. Network buffers are left to debug/30-faults: the initiator needs
# them, too, and a request for which it had none waits for good (initiator_bound in
# tests/lib/target.sh tells why).
on_failslab() {
	local cache
	echo 1 >"$DEBUGFS/failslab/cache-filter"
	for cache in aoetgt_request aoetgt_target aoetgt_iface; do
		[ ! -e "/sys/kernel/slab/$cache/failslab" ] ||
			echo 1 >"/sys/kernel/slab/$cache/failslab"
	done
	faults failslab 20
}
off_failslab() { echo 0 >"$DEBUGFS/failslab/probability"; }

on_fail_page_alloc() {
	local pid
	for pid in $(pgrep '^aoetgt_'); do
		echo 1 >"/proc/$pid/make-it-fail"
	done
	echo 1 >"$DEBUGFS/fail_page_alloc/task-filter"
	echo 0 >"$DEBUGFS/fail_page_alloc/min-order"
	faults fail_page_alloc 10
}
off_fail_page_alloc() { echo 0 >"$DEBUGFS/fail_page_alloc/probability"; }

on_fail_make_request() {
	a_disk "$FIRST_WITH_ERRORS"
	echo 1 >"/sys/block/ram$((HIT - 1))/make-it-fail"
	faults fail_make_request 10
}
off_fail_make_request() {
	echo 0 >"$DEBUGFS/fail_make_request/probability"
	echo 0 >"/sys/block/ram$((HIT - 1))/make-it-fail"
}

# The last CPU goes, and what it had in hand must not.
on_cpu() { echo 0 >"$LAST_CPU/online"; }
off_cpu() { echo 1 >"$LAST_CPU/online"; }

# Much is read in a cgroup that may keep little of it.
on_pressure() {
	local group=/sys/fs/cgroup/torture
	mkdir -p "$group"
	echo 24M >"$group/memory.max"
	(
		echo "$BASHPID" >"$group/cgroup.procs"
		exec nice cat /usr/lib/x86_64-linux-gnu/*.so.* >/dev/null 2>&1
	) &
	HIT=$!
}
off_pressure() {
	kill "$HIT" 2>/dev/null || true
	wait "$HIT" 2>/dev/null || true
	rmdir /sys/fs/cgroup/torture 2>/dev/null || true
}

# fault_kinds - those that this kernel has.
fault_kinds() {
	local kind
	echo loss duplication delay reordering bitflips
	echo interface carrier mtu address namespace vlan
	echo disk_error disk_flakey disk_slow disk_hang export mask reservation
	for kind in failslab fail_page_alloc fail_make_request; do
		[ ! -e "$DEBUGFS/$kind" ] || echo "$kind"
	done
	[ ! -e "$LAST_CPU/online" ] || echo cpu
	! echo +memory 2>/dev/null >/sys/fs/cgroup/cgroup.subtree_control || echo pressure
}
