# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# One function for each way to connect an initiator with a target: make the
# network, export /dev/ram0 as e7.1, do a file system's round, take it down.
# For tests/function and tests/kernels. Drawings: target.sh, 25-topologies.

# shellcheck source=tests/lib/target.sh
. "$(dirname "${BASH_SOURCE[0]}")/target.sh"

ROUND_MIB=0

# scaled MIB - an eighth of it in the debug kernel; or what the caller of the
# test wants.
scaled() {
	case ${AOETGT_KIND-} in
	uml-debug) echo "${AOETGT_FIO_MIB:-$(($1 / 8))}" ;;
	*) echo "${AOETGT_FIO_MIB:-$1}" ;;
	esac
}

# round NAME INITIATOR_IF MIB - the target is enabled, the network stands.
round() {
	local name=$1 ifname=$2 mib=$3 before start
	start=$(milliseconds)
	initiator_up "$ifname"
	check "$name: the initiator finds the target" wait_aoe e7.1
	before=$(stat_of e7.1 write_sectors)
	check "$name: mkfs, $mib MiB of fio verify, fsck" fs_round e7.1 "$mib"
	check "$name: the data went through the target" \
		stat_at_least e7.1 write_sectors $((before + mib * 2048))
	check "$name: nothing was dropped for want of room" nothing_dropped
	note "$name: $mib MiB in $(($(milliseconds) - start)) ms," \
		"$(stat_of e7.1 accepted) requests, advertised" \
		"$("$TOOLS/aoe-raw" -i "$ifname" -t e7.1 query | sed 's/.* \(sectors=[0-9]*\) .*/\1/')"
	ROUND_MIB=$((ROUND_MIB + mib))
	round_down "$name"
}

round_down() {
	check "$1: the initiator lets go" initiator_down
	check "$1: the counters balance" balanced e7.1
	target_destroy e7.1
	links_down
}

# A frame lost to the initiator's own retransmission is none of ours; a frame
# that our buffers refused is.
nothing_dropped() {
	local reason count
	for reason in busy memory resource mtu xmit stale; do
		count=$(stat_of e7.1 "drop_$reason")
		[ "$count" -eq 0 ] || { echo "drop_$reason $count"; return 1; }
	done
}

# round_veth MTU MIB
round_veth() {
	link_add 0 "$1"
	target_export e7.1 /dev/ram0 tgt0
	round "MTU $1" ini0 "$2"
}

# The target lives in the initiator's namespace, frames are 65 KB.
round_lo() {
	netns_add
	target_create e7.1 /dev/ram0
	mkdir "$TARGETS/e7.1/interfaces/lo"
	target_enable e7.1
	round lo lo "$1"
}

round_bridge() {
	link_add 0 1500
	in_ns ip link add br0 type bridge forward_delay 0
	in_ns ip link set tgt0 master br0
	in_ns ip link set br0 up
	target_export e7.1 /dev/ram0 br0
	round bridge ini0 "$1"
}

round_vlan() {
	link_add 0 9000
	ip link add link ini0 name ini0.5 type vlan id 5
	in_ns ip link add link tgt0 name tgt0.5 type vlan id 5
	no_ipv6 ini0.5
	ip link set ini0.5 up
	in_ns ip link set tgt0.5 up
	target_export e7.1 /dev/ram0 tgt0.5
	round VLAN ini0.5 "$1"
}

# bond_make NAMESPACE-PREFIX NAME PORT PORT
bond_make() {
	local name=$1 port
	shift
	ip link add "$name" type bond mode active-backup miimon 50
	for port; do
		ip link set "$port" down
		ip link set "$port" master "$name"
	done
	# There is no switch between the ports: both bonds must use the same cable.
	ip link set "$name" type bond primary "$1"
	ip link set "$name" up
}

round_bond() {
	modprobe bonding max_bonds=0
	link_add 0 1500
	link_add 1 1500
	bond_make inib ini0 ini1
	no_ipv6 inib
	in_ns bash -c "$(declare -f bond_make); bond_make bond1 tgt0 tgt1"
	busywait 10 carrier inib
	target_export e7.1 /dev/ram0 bond1
	round bond inib "$1"
}

round_macvlan() {
	link_add 0 1500
	in_ns ip link add link tgt0 name mv0 type macvlan mode bridge
	in_ns ip link set mv0 up
	target_export e7.1 /dev/ram0 mv0
	round macvlan ini0 "$1"
}

# --- multipath ------------------------------------------------------------

pull_down() {
	in_ns ip link set tgt0 down
}

# Not the veth pair: the initiator holds on to its end for good, and the kernel
# waits for that.
pull_delete() {
	in_ns ip link del mv0
}

# tx_packets IF
tx_packets() {
	cat "/sys/class/net/$1/statistics/tx_packets"
}

written() {
	[ "$(stat_of e7.1 write_sectors)" -ge "$1" ]
}

# pull_in_flight COMMAND MIB - fio in the background; pull when a third of the
# data is written, so after the initiator has learned how quick replies are.
pull_in_flight() {
	local command=$1 mib=$2 status=0
	background /tmp/pull.log fs_round e7.1 "$mib"
	busywait 60 written $((mib * 2048 / 3)) || { echo "fio wrote nothing"; return 1; }
	PATH0=$(tx_packets ini0)
	"$command"
	! gone "$BG" || { echo "fio was done before the cable was pulled"; return 1; }
	PATH1=$(tx_packets ini1)
	wait "$BG" || status=$?
	cat /tmp/pull.log
	PATH1_END=$(tx_packets ini1)
	return "$status"
}

# A few packets are discovery; hundreds are data, also where the disk is small.
# round_pull DESCRIPTION COMMAND MIB
round_pull() {
	local name=$1 command=$2 mib=$3 start status=0
	start=$(milliseconds)
	link_add 0 4132
	link_add 1 4132
	in_ns ip link add link tgt0 name mv0 type macvlan mode bridge
	in_ns ip link set mv0 up
	target_create e7.1 /dev/ram0
	target_bind e7.1 mv0 tgt1
	target_enable e7.1
	initiator_up ini0,ini1
	check "$name: the initiator finds the target" wait_aoe e7.1
	check "$name: it knows two paths" busywait 15 two_paths
	pull_in_flight "$command" "$mib" >/tmp/pull.out 2>&1 || status=$?
	[ "$status" -eq 0 ] || sed 's/^/# /' /tmp/pull.out
	is "$name: $mib MiB verified, file system clean" "$status" 0
	note "$name: packets of path 0 $PATH0, of path 1 $PATH1, $PATH1_END at the end;" \
		"$(($(milliseconds) - start)) ms"
	check "$name: both paths carried data before" test "$PATH0" -gt 300 -a "$PATH1" -gt 300
	check "$name: the other path went on alone" test "$PATH1_END" -gt "$PATH1"
	round_down "$name"
}

two_paths() {
	aoe-discover
	aoe-stat | tee /dev/stderr | grep -Eq 'e7\.1 .*(ini0,ini1|ini1,ini0)'
}
