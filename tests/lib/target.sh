# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# A target, its wires, disks and initiator, for tests that run in a guest.
#
#      init_net (the initiator, raw clients)      netns "tgt" (the target)
#     +-------------------------------------+    +------------------------+
#     |  aoe.ko: /dev/etherd/e7.1           |    |   targets/e7.1         |
#     |                             ini0 ---+----+--- tgt0   interfaces/  |
#     |  aoe-raw, aoe-load, ...     ini1 ---+----+--- tgt1                |
#     +-------------------------------------+    +------------------------+
#
# Source it and call `begin`; end with `finish_clean`.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck source=tests/lib/ktap.sh
. "$TOP/tests/lib/ktap.sh"
# shellcheck source=tests/lib/leak.sh
. "$TOP/tests/lib/leak.sh"

TOOLS=$TOP/build/tools
AOETGT=/sys/kernel/config/aoetgt
TARGETS=$AOETGT/targets
NULLB=/sys/kernel/config/nullb
NS=tgt
MNT=/mnt/aoe
JOBS_STARTED=()

die() {
	note "$*"
	not_ok "the test can run: $*"
	exit 1
}

# begin - load the module, undo everything at the end whatever happens.
begin() {
	export LC_ALL=C
	[ -x "$TOOLS/aoe-raw" ] || die "build/tools is missing: run make -C tests/tools"
	mkdir -p /run/netns "$MNT"
	trap cleanup EXIT
	leak_mark
	modprobe aoetgt || die "modprobe aoetgt failed"
	[ -d "$TARGETS" ] || die "$TARGETS does not exist"
}

# finish_clean - take all down, with a verdict, and end the test.
finish_clean() {
	trap - EXIT
	check "everything can be taken down" teardown
	leak_check
	finish
}

cleanup() {
	local status=$?
	trap - EXIT
	# A child that is killed before it has forgotten its parent's traps comes here, too.
	[ "$BASHPID" = "$$" ] || exit "$status"
	if [ "$status" -ne 0 ]; then
		note "ended early with status $status; last words of the kernel:"
		dmesg | tail -n 15 | sed 's/^/# /'
	fi
	teardown >/dev/null 2>&1 || true
	exit "$status"
}

teardown() {
	local name status=0
	jobs_stop
	while grep -q " $MNT " /proc/mounts; do
		umount "$MNT" || { status=1; break; }
	done
	initiator_down || status=1
	for name in "$TARGETS"/*/; do
		[ ! -d "$name" ] || target_destroy "$(basename "$name")" || status=1
	done
	disks_down || status=1
	links_down
	return "$status"
}

# --- files as disks -------------------------------------------------------

# What the admin command tells of each file on a file system without direct I/O.
NO_DIRECT="its file system has no direct I/O: data pass through the page cache"

# direct_io - does /tmp have it? tmpfs has since Linux 6.6. DIRECT is 1 or 0.
direct_io() {
	if [ -z "${DIRECT-}" ]; then
		DIRECT=1
		dd if=/dev/zero of=/tmp/direct bs=4096 count=1 oflag=direct status=none 2>/dev/null ||
			DIRECT=0
	fi
	[ "$DIRECT" = 1 ]
}

# without_notes FILE - of files in /tmp nothing need be told where it has none.
without_notes() {
	direct_io || sed -i "\|$NO_DIRECT|d" "$1"
}

# --- processes ------------------------------------------------------------

# background OUTPUT COMMAND... - start it; its process is left in BG.
background() {
	local output=$1
	shift
	"$@" >"$output" 2>&1 &
	BG=$!
	JOBS_STARTED+=("$BG")
}

# stop_job PID - SIGTERM, and wait for its own end.
stop_job() {
	kill "$1" 2>/dev/null || true
	wait "$1" || true
}

jobs_stop() {
	local pid
	for pid in "${JOBS_STARTED[@]}"; do
		stop_job "$pid" 2>/dev/null
	done
	JOBS_STARTED=()
}

# within SECONDS COMMAND... - succeeds, and in time. A command stuck in the
# kernel cannot be killed: it is left behind, and that is a failure, not a hang,
# so it must not hold our caller's pipe open either.
within() {
	local limit=$1 output pid status=0
	shift
	output=$(mktemp /tmp/within.XXXXXX)
	"$@" >"$output" 2>&1 </dev/null &
	pid=$!
	if ! busywait "$limit" gone "$pid"; then
		cat "$output"
		echo "still running after $limit s: $*"
		return 1
	fi
	wait "$pid" || status=$?
	cat "$output"
	return "$status"
}

# gone PID - it has ended (a zombie of ours has).
gone() {
	local state
	state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) || true
	[ -z "$state" ] || [ "$state" = Z ]
}

# milliseconds - since boot, for durations.
milliseconds() {
	echo "$(($(uptime_cs) * 10))"
}

# --- network --------------------------------------------------------------

in_ns() {
	nsenter --net="/run/netns/$NS" "$@"
}

netns_add() {
	ip netns list | grep -qw "$NS" || ip netns add "$NS"
	in_ns ip link set lo up
}

# link_add [NUMBER [MTU]] - the cable iniN <-> tgtN, both ends up.
link_add() {
	local n=${1:-0} mtu=${2:-1500}
	netns_add
	ip link add "ini$n" mtu "$mtu" type veth peer name "tgt$n" mtu "$mtu" netns "$NS"
	no_ipv6 "ini$n"
	in_ns ip link set "tgt$n" up
	ip link set "ini$n" up
	busywait 5 carrier "ini$n"
}

# link_copies NUMBER - the initiator's end sends copies, as a wire would. Else the kernel's
# initiator lends its pages, and of a frame that netem doubles, the second one has what its
# owner has put there since the first was answered.
link_copies() {
	ethtool -K "ini$1" sg off >/dev/null
}

carrier() {
	[ "$(cat "/sys/class/net/$1/operstate")" = up ]
}

# Router solicitations are not our traffic.
no_ipv6() {
	local knob=/proc/sys/net/ipv6/conf/$1/disable_ipv6
	[ ! -e "$knob" ] || echo 1 >"$knob"
}

links_down() {
	local dev
	for dev in /sys/class/net/ini*; do
		[ ! -e "$dev" ] || ip link del "$(basename "$dev")" || true
	done
	ip netns del "$NS" 2>/dev/null || true
}

# ns_mac IF - the MAC of an interface of the target's namespace.
ns_mac() {
	in_ns ip -o link show "$1" | sed -n 's/.*link\/[a-z]* \([0-9a-f:]*\).*/\1/p'
}

# --- targets --------------------------------------------------------------

# attr NAME ATTRIBUTE [VALUE] - read or write one.
attr() {
	if [ $# -eq 2 ]; then
		cat "$TARGETS/$1/$2"
	else
		printf '%s\n' "$3" >"$TARGETS/$1/$2"
	fi
}

attr_is() {
	local value
	IFS= read -r -d '' value <"$TARGETS/$1/$2" || true
	[ "${value%$'\n'}" = "$3" ]
}

# target_create NAME DEVICE [ATTRIBUTE=VALUE...]
target_create() {
	local name=$1 device=$2 pair
	shift 2
	mkdir "$TARGETS/$name"
	attr "$name" device "$device"
	for pair in "$@"; do
		attr "$name" "${pair%%=*}" "${pair#*=}"
	done
}

# target_bind NAME IF... - as seen from the target's namespace.
target_bind() {
	local name=$1 ifname
	shift
	for ifname in "$@"; do
		in_ns mkdir "$TARGETS/$name/interfaces/$ifname"
	done
}

target_enable() {
	attr "$1" enable 1
}

target_disable() {
	attr "$1" enable 0
}

# target_export NAME DEVICE IF [ATTRIBUTE=VALUE...] - all of it.
target_export() {
	local name=$1 device=$2 ifname=$3
	shift 3
	target_create "$name" "$device" "$@"
	target_bind "$name" "$ifname"
	target_enable "$name"
}

target_destroy() {
	local dir
	if ! attr "$1" enable 0; then
		return 1
	fi
	for dir in "$TARGETS/$1/interfaces"/*/; do
		[ ! -d "$dir" ] || rmdir "$dir" || return 1
	done
	rmdir "$TARGETS/$1"
}

stat_of() {
	cat "$TARGETS/$1/stats/$2"
}

stat_at_least() {
	[ "$(stat_of "$1" "$2")" -ge "$3" ]
}

at_rest() {
	[ "$(stat_of "$1" in_flight)" = 0 ]
}

# balanced NAME - at rest every accepted request has had exactly one end.
balanced() {
	busywait 10 at_rest "$1" || { echo "in_flight $(stat_of "$1" in_flight)"; return 1; }
	# A query that comes between two of the looks is in one of them only.
	busywait 5 balances "$1" && return
	echo "accepted $(stat_of "$1" accepted) replied $(stat_of "$1" replied)" \
		"dropped $(stat_of "$1" dropped)"
	grep -H . "$TARGETS/$1/stats"/drop_* | sed 's|.*/||'
	return 1
}

balances() {
	local file sum=0 accepted replied dropped
	accepted=$(stat_of "$1" accepted)
	replied=$(stat_of "$1" replied)
	dropped=$(stat_of "$1" dropped)
	for file in "$TARGETS/$1/stats"/drop_*; do
		sum=$((sum + $(cat "$file")))
	done
	[ "$accepted" -eq $((replied + dropped)) ] && [ "$sum" -eq "$dropped" ]
}

# raw [-OPTIONS] VERB... - one command to e7.1 from ini0.
raw() {
	"$TOOLS/aoe-raw" -i ini0 -t e7.1 "$@"
}

# raw_sectors - what IDENTIFY says the size is.
raw_sectors() {
	raw identify | sed -n 's/^sectors=\([0-9]*\) .*/\1/p'
}

# --- the kernel's initiator -----------------------------------------------

# initiator_up IF[,IF...] - load aoe for these interfaces only.
initiator_up() {
	modprobe aoe aoe_iflist="$1" || die "modprobe aoe failed"
	busywait 5 test -c /dev/etherd/discover
}

# It holds its devices until a worker has let go of them.
initiator_down() {
	[ -d /sys/module/aoe ] || return 0
	busywait 10 modprobe -r aoe
}

aoe_present() {
	aoe-discover
	[ -b "/dev/etherd/$1" ] && [ "$(blockdev --getsize64 "/dev/etherd/$1")" -gt 0 ]
}

# sum_of NAME FILE - of all "name=number" in the summaries that a tool wrote.
sum_of() {
	awk -v name="$1" '{ for (i = 1; i <= NF; i++) { split($i, p, "=")
		if (p[1] == name) sum += p[2] } } END { print sum + 0 }' "$2"
}

# wait_aoe NAME - until the initiator has the device, with its size.
wait_aoe() {
	busywait 15 aoe_present "$1" && initiator_bound "$1"
}

# initiator_bound NAME - keep the initiator clear of a bug of its own (seen in
# 6.12 and 7.3; 61-aoeroot.rules does it for clients): it has 512 frames, and a
# thread that frees them after their replies. If that thread does not get to run
# for 512 replies, which a quick target on the same machine brings about within
# one tick of the scheduler, newframe() finds no frame, and none under way whose
# reply would start the next; it sets DEVFL_KICKME, which restarts nothing, and
# the request waits for good. So allow no more than 12 x 32 KiB, which is 384 of
# the smallest frames.
initiator_bound() {
	local queue=/sys/block/etherd!$1/queue
	echo 32 >"$queue/max_sectors_kb"
	echo 12 >"$queue/nr_requests"
}

# initiator_watch - bound every device that comes, in the background: for tests
# that run somebody else's commands.
initiator_watch() {
	local queue
	while sleep 0.05; do
		for queue in '/sys/block/etherd!e'*/queue; do
			if [ -e "$queue" ] && [ "$(cat "$queue/nr_requests")" != 12 ]; then
				queue=${queue%/queue}
				initiator_bound "${queue##*!}" 2>/dev/null || true
			fi
		done
	done
}

# fio_verify WHERE MIB [OPTION...] - write and read back, mixed sizes, 4 jobs.
fio_verify() {
	local where=$1 mib=$2
	shift 2
	fio --name=v "$where" --size="$((mib / 4))M" --numjobs=4 --thread \
		--rw=randwrite --bssplit=512/5:1k/5:4k/40:16k/25:64k/25 --direct=1 \
		--ioengine=libaio --iodepth=8 --verify=crc32c --verify_fatal=1 \
		--do_verify=1 --verify_state_save=0 --group_reporting --output="${FIO_LOG:-/tmp/fio.log}" "$@" || {
		tail -n 30 "${FIO_LOG:-/tmp/fio.log}"
		return 1
	}
}

# fs_round NAME MIB [FIO OPTION...] - a file system's life on the device.
fs_round() {
	local dev=/dev/etherd/$1 mib=$2
	shift 2
	mkfs.ext4 -q -F "$dev" || return 1
	mount "$dev" "$MNT" || return 1
	if ! fio_verify --directory="$MNT" "$mib" "$@"; then
		umount "$MNT"
		return 1
	fi
	umount "$MNT" && e2fsck -f -n "$dev"
}

# --- disks ----------------------------------------------------------------

# brd_disks COUNT MIB - /dev/ram0 ... as empty as new.
brd_disks() {
	! [ -d /sys/module/brd ] || modprobe -r brd
	modprobe brd rd_nr="$1" rd_size="$(($2 * 1024))" || die "modprobe brd failed"
	busywait 5 test -b /dev/ram0
}

# null_disk NAME MIB [ATTRIBUTE=VALUE...] - /dev/NAME, in memory.
null_disk() {
	local name=$1 mib=$2 pair
	shift 2
	[ -d "$NULLB" ] || modprobe null_blk nr_devices=0 || die "modprobe null_blk failed"
	mkdir "$NULLB/$name"
	for pair in memory_backed=1 size="$mib" "$@"; do
		printf '%s\n' "${pair#*=}" >"$NULLB/$name/${pair%%=*}"
	done
	null_power "$name" 1
}

null_power() {
	echo "$2" >"$NULLB/$1/power"
	if [ "$2" = 1 ]; then
		busywait 5 test -b "/dev/$1"
	fi
}

# nbd_disk MIB SLOW_PERCENT SLOW_MS [MEDIUM] - /dev/nbd0, served by jitter-disk
# (see there); its process is left in NBD_SERVER.
nbd_disk() {
	[ -d /sys/module/nbd ] || modprobe nbd nbds_max=1 || die "modprobe nbd failed"
	background /tmp/jitter-disk "$TOOLS/jitter-disk" /dev/nbd0 "$@"
	# shellcheck disable=SC2034 # for the caller
	NBD_SERVER=$BG
	busywait 5 nbd_size_is $(($1 << 20)) || die "jitter-disk: $(cat /tmp/jitter-disk)"
}

nbd_size_is() {
	[ "$(blockdev --getsize64 /dev/nbd0)" -eq "$1" ]
}

# nbd_cut - the power goes.
nbd_cut() {
	kill -9 "$NBD_SERVER" 2>/dev/null || true
	wait "$NBD_SERVER" 2>/dev/null || true
	busywait 10 nbd_size_is 0
}

# loop_disk MIB [OPTION...] - a loop device on a file in memory; in LOOP, LOOP_FILE.
loop_disk() {
	LOOP_FILE=$(mktemp /tmp/loop.XXXXXX)
	truncate -s "$1M" "$LOOP_FILE"
	shift
	# shellcheck disable=SC2034 # for the caller
	LOOP=$(losetup --find --show "$@" "$LOOP_FILE")
}

# dm_disk NAME TABLE... - without udev; the device is left in DM.
dm_disk() {
	local name=$1
	shift
	dmsetup --noudevsync create "$name" --table "$*"
	DM=/dev/dm-$(dmsetup info -c --noheadings -o minor "$name")
	busywait 5 test -b "$DM"
}

# dm_reload NAME TABLE... - another table, live.
dm_reload() {
	local name=$1
	shift
	dmsetup suspend --nolockfs "$name"
	dmsetup reload "$name" --table "$*"
	dmsetup --noudevsync resume "$name"
}

dm_names() {
	dmsetup ls 2>/dev/null | sed -n 's/^\([^[:space:]]*\)[[:space:]]*(.*/\1/p'
}

# dm devices may sit on each other: as long as one goes, there is hope.
dm_down() {
	local name left
	while :; do
		left=$(dm_names)
		[ -n "$left" ] || return 0
		for name in $left; do
			dmsetup --noudevsync resume "$name" 2>/dev/null || true
			dmsetup --noudevsync remove "$name" 2>/dev/null || true
		done
		[ "$(dm_names)" != "$left" ] || return 1
	done
}

disks_down() {
	local dir dev status=0
	[ ! -e /dev/mapper/control ] || dm_down || status=1
	for dev in $(losetup -n -O NAME 2>/dev/null || true); do
		losetup -d "$dev" || status=1
	done
	for dir in "$NULLB"/*/; do
		[ ! -d "$dir" ] || rmdir "$dir" || status=1
	done
	! [ -d /sys/module/brd ] || busywait 5 modprobe -r brd || status=1
	return "$status"
}

# --- the kernel's log -----------------------------------------------------

# log_mark - remember this place in the log.
log_mark() {
	LOG_MARK=mark-$RANDOM-$(uptime_cs)
	echo "$LOG_MARK" >/dev/kmsg
}

# log_since - what aoetgt has said since then.
log_since() {
	dmesg | sed "1,/$LOG_MARK/d" | sed -n 's/^\[[^]]*\] \(aoetgt: .*\)/\1/p'
}
