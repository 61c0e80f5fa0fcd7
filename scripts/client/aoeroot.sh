# shellcheck shell=sh
# shellcheck disable=SC3043 # "local": busybox, dash and bash have it
# shellcheck disable=SC2013,SC2034 # words on purpose; variables for those who read this
# SPDX-License-Identifier: GPL-2.0
#
# Find the root disk of a machine without disks: for initramfs-tools and dracut.
# See aoeroot(7). Read by busybox' shell, dash or bash; wants udevadm, modprobe,
# ip, dd, od, sed, cat.
#
# AOE_TARGETS is what to find ("e7.1 e7.2"), AOE_IFS by which interfaces (names,
# MAC addresses; empty: all), AOE_UP the interfaces that were brought up, AOE_LINK
# those of them that have had a carrier.

AOE_NET=${AOE_NET-/sys/class/net}
AOE_CMDLINE=${AOE_CMDLINE-/proc/cmdline}
AOE_ACPI=${AOE_ACPI-/sys/firmware/acpi/tables/aBFT}
AOE_EFI=${AOE_EFI-/sys/firmware/efi}
AOE_MEM=${AOE_MEM-/dev/mem}
AOE_SYS_MODULE=${AOE_SYS_MODULE-/sys/module/aoe}

# aoe_say TEXT - to the console, and to the kernel log, which keeps it.
aoe_say() {
	echo "aoe: $*"
	echo "<7>aoe: $*" 2>/dev/null >/dev/kmsg || true
}

# --- what to find ---------------------------------------------------------

# aoe_is_number TEXT LEAST MOST
aoe_is_number() {
	case $1 in
	"" | *[!0-9]* | ??????*) return 1 ;;
	esac
	[ "$1" -ge "$2" ] && [ "$1" -le "$3" ]
}

# aoe_is_target TEXT - e<shelf>.<slot>, as the driver names it? It ignores shelf 4095.
aoe_is_target() {
	local shelf="${1#e}"
	case $1 in
	e0[0-9]* | *.0?* | e4095.*) return 1 ;;
	*.*) ;;
	*) return 1 ;;
	esac
	[ "$shelf" != "$1" ] && aoe_is_number "${shelf%%.*}" 0 65534 &&
		aoe_is_number "${shelf#*.}" 0 254
}

# aoe_number WORD LEAST MOST OLD - the number after the "=" of WORD, or OLD.
aoe_number() {
	if aoe_is_number "${1#*=}" "$2" "$3"; then
		REPLY=${1#*=}
	else
		aoe_say "$1: not a number from $2 to $3; ignored"
		REPLY=$4
	fi
}

# aoe_targets LIST - separated by commas, into AOE_TARGETS.
aoe_targets() {
	local IFS=, word
	for word in $1; do
		if aoe_is_target "$word"; then
			AOE_TARGETS="$AOE_TARGETS${AOE_TARGETS:+ }$word"
		else
			aoe_say "$word: not a target, which is like e7.1; ignored"
		fi
	done
}

# aoe_root_target DEVICE - the e7.1 of root=/dev/etherd/e7.1p1.
aoe_root_target() {
	local name="${1#/dev/etherd/}"
	[ "$name" != "$1" ] || return 0
	name=${name%%p*}
	! aoe_is_target "$name" || AOE_ROOT=$name
}

# aoe_option WORD - one word of the kernel's command line.
aoe_option() {
	case $1 in
	aoe=*) aoe_targets "${1#aoe=}" ;;
	aoeif=*) AOE_IFS=$(echo "${1#aoeif=}" | tr , ' ') ;;
	aoevlan=*) aoe_number "$1" 1 4094 "$AOE_VLAN"; AOE_VLAN=$REPLY ;;
	aoemtu=*) aoe_number "$1" 576 65535 "$AOE_MTU"; AOE_MTU=$REPLY ;;
	aoetimeout=*) aoe_number "$1" 1 86400 "$AOE_LIMIT"; AOE_LIMIT=$REPLY ;;
	aoefail=shell | aoefail=retry | aoefail=reboot) AOE_FAIL=${1#aoefail=} ;;
	aoefail=*) aoe_say "$1: neither shell, retry nor reboot; ignored" ;;
	root=*) aoe_root_target "${1#root=}" ;;
	esac
}

# aoe_hex - standard input in hexadecimal, 16 bytes a line.
aoe_hex() {
	od -An -v -tx1 -w16 | tr -d ' '
}

# aoe_table - the firmware's AoE boot table, 46 bytes as 92 digits. With UEFI it
# is among the ACPI tables; a BIOS has it in the memory that iPXE keeps for itself
# below 640 KiB, at a multiple of 16.
aoe_table() {
	if [ -r "$AOE_ACPI" ]; then
		aoe_hex <"$AOE_ACPI" | tr -d '\n'
	elif [ ! -d "$AOE_EFI" ] && [ -r "$AOE_MEM" ]; then
		dd if="$AOE_MEM" bs=4096 skip=128 count=32 2>/dev/null | aoe_hex |
			sed -n '/^61424654/{N;N;s/\n//g;p;}' | while read -r REPLY; do
				! aoe_table_valid "$REPLY" || { echo "$REPLY"; break; }
			done
	fi
}

# aoe_table_valid DIGITS - its length, and bytes that add up to 0.
aoe_table_valid() {
	local rest sum=0 count=0 byte
	rest=$1
	case $rest in
	614246542e000000*) ;;
	*) return 1 ;;
	esac
	while [ "$count" -lt 46 ] && [ -n "$rest" ]; do
		byte=${rest%"${rest#??}"}
		sum=$((sum + 0x$byte)) count=$((count + 1)) rest=${rest#??}
	done
	[ "$count $((sum % 256))" = "46 0" ]
}

# aoe_bytes DIGITS OFFSET COUNT - bytes of it, with blanks between.
aoe_bytes() {
	echo "$1" | sed "s/^.\{$(($2 * 2))\}//; s/^\(.\{$(($3 * 2))\}\).*/\1/; s/../& /g"
}

# aoe_from_table - target and interface that the firmware has booted from.
aoe_from_table() {
	local table
	table=$(aoe_table)
	aoe_table_valid "$table" || return 1
	# shellcheck disable=SC2046 # words
	set -- $(aoe_bytes "$table" 36 3) $(aoe_bytes "$table" 40 6)
	AOE_TARGETS=e$((0x$2$1)).$((0x$3))
	[ -n "$AOE_IFS" ] || AOE_IFS=$4:$5:$6:$7:$8:$9
	aoe_say "the firmware has booted from $AOE_TARGETS by $AOE_IFS"
}

# aoe_wanted - does this machine boot from AoE? What the command line says goes
# before root=, and that before what the firmware did.
aoe_wanted() {
	local word
	AOE_TARGETS='' AOE_ROOT='' AOE_IFS='' AOE_VLAN='' AOE_MTU='' AOE_LIMIT=120
	AOE_FAIL=shell AOE_UP='' AOE_LINK='' AOE_SAID='' AOE_SOURCE=line
	set -f
	for word in $(cat "$AOE_CMDLINE"); do
		aoe_option "$word"
	done
	set +f
	[ "$AOE_IFS" != all ] || AOE_IFS='*'
	[ -n "$AOE_TARGETS" ] || AOE_TARGETS=$AOE_ROOT
	if [ -z "$AOE_TARGETS" ]; then
		AOE_SOURCE=table
		aoe_from_table || return 1
	fi
	[ "$AOE_IFS" != '*' ] || AOE_IFS=
}

# --- by which interfaces --------------------------------------------------

# aoe_read FILE - its first line, or nothing.
aoe_read() {
	REPLY=
	{ read -r REPLY <"$1"; } 2>/dev/null || true
}

# aoe_is_ours INTERFACE - a real Ethernet interface that the administrator wants?
aoe_is_ours() {
	local word mac
	[ -e "$AOE_NET/$1/device" ] && [ ! -e "$AOE_NET/$1/phy80211" ] || return 1
	aoe_read "$AOE_NET/$1/type"
	[ "$REPLY" = 1 ] || return 1
	aoe_read "$AOE_NET/$1/address"
	mac=$REPLY
	for word in $AOE_IFS; do
		[ "$word" != "$1" ] || return 0
		[ "$(echo "$word" | tr A-F a-f)" != "$mac" ] || return 0
	done
	[ -z "$AOE_IFS" ]
}

# aoe_vlan INTERFACE NAME
aoe_vlan() {
	modprobe -q 8021q || true
	[ -e "$AOE_NET/$2" ] ||
		ip link add link "$1" name "$2" type vlan id "$AOE_VLAN" || return 1
	ip link set dev "$2" up
}

# aoe_once INTERFACE WORDS - say it once: what fails is tried again and again.
aoe_once() {
	case $AOE_SAID in
	*"<$*>"*) return 0 ;;
	esac
	AOE_SAID="$AOE_SAID<$*>"
	aoe_say "$1: $2"
}

# aoe_bring_up INTERFACE - with the MTU asked for, and its VLAN's. The driver makes
# frames as large as the MTU is when it sees a target.
aoe_bring_up() {
	local name="$1"
	if [ -n "$AOE_MTU" ] && ! ip link set dev "$1" mtu "$AOE_MTU" 2>/dev/null; then
		aoe_once "$1" "does not take aoemtu=$AOE_MTU"
	fi
	if ! ip link set dev "$1" up 2>/dev/null; then
		aoe_once "$1" "cannot be brought up"
		return 0
	fi
	AOE_UP="$AOE_UP $1"
	if [ -n "$AOE_VLAN" ]; then
		name=$1.$AOE_VLAN
		aoe_vlan "$1" "$name" || aoe_say "$name: cannot be made"
	fi
}

# aoe_driver - the driver talks by the VLANs, or by the interfaces that are wanted,
# or by all.
aoe_driver() {
	local list='' name
	if [ -n "$AOE_IFS$AOE_VLAN" ]; then
		for name in $AOE_UP; do
			list="$list$name${AOE_VLAN:+.$AOE_VLAN} "
		done
	fi
	[ -d "$AOE_SYS_MODULE" ] || modprobe aoe ||
		aoe_say "the driver aoe cannot be loaded: is it in the initramfs?"
	# An empty line would be a list that nothing is in.
	[ -z "$list" ] ||
		{ echo "$list" >"$AOE_SYS_MODULE/parameters/aoe_iflist"; } 2>/dev/null || true
}

# aoe_discover - ask, if the driver is there.
aoe_discover() {
	[ ! -c /dev/etherd/discover ] || echo >/dev/etherd/discover
}

# aoe_has LIST WORD
aoe_has() {
	case " $1 " in
	*" $2 "*) return 0 ;;
	esac
	return 1
}

# aoe_interfaces - bring up what has appeared, ask where there is a new carrier.
aoe_interfaces() {
	local path name new=''
	for path in "$AOE_NET"/*; do
		name=${path##*/}
		aoe_is_ours "$name" || continue
		aoe_has "$AOE_UP" "$name" || aoe_bring_up "$name"
		aoe_read "$path/carrier"
		if [ "$REPLY" = 1 ] && ! aoe_has "$AOE_LINK" "$name"; then
			AOE_LINK="$AOE_LINK $name" new=1
			[ -n "$AOE_LINK_TIME" ] || AOE_LINK_TIME=$(aoe_clock)
		fi
	done
	if [ -n "$new" ]; then
		aoe_driver
		aoe_discover
	fi
}

# --- wait -----------------------------------------------------------------

# aoe_clock - 1/100 s since the kernel started.
aoe_clock() {
	local up rest
	read -r up rest </proc/uptime
	echo $((${up%.*} * 100 + 1${up#*.} - 100))
}

# aoe_missing - the first target that is not there.
aoe_missing() {
	local target
	for target in $AOE_TARGETS; do
		if [ ! -b "/dev/etherd/$target" ]; then
			echo "$target"
			return
		fi
	done
}

# aoe_tenths HUNDREDTHS - seconds.
aoe_tenths() {
	echo "$(($1 / 100)).$(($1 % 100 / 10))"
}

# aoe_state - each interface in a word or two.
aoe_state() {
	local name text=''
	for name in $AOE_UP; do
		if aoe_has "$AOE_LINK" "$name"; then
			text="$text, $name has a carrier"
		else
			text="$text, $name has no carrier"
		fi
	done
	text=${text#, }
	echo "${text:-there is no ${AOE_IFS:+such }interface${AOE_IFS:+ ($AOE_IFS)}}"
}

# aoe_find - wait for the targets. By event for the disk; interfaces have to be
# looked at. A switch port may forward only half a minute after there is a carrier,
# so the question is asked once a second.
aoe_find() {
	local begin now second=0 missing
	begin=$(aoe_clock)
	AOE_LINK_TIME=
	while :; do
		aoe_interfaces
		missing=$(aoe_missing)
		[ -n "$missing" ] || break
		now=$(aoe_clock)
		[ "$((now - begin))" -lt "$((AOE_LIMIT * 100))" ] || return 1
		if [ "$(((now - begin) / 100))" -gt "$second" ]; then
			second=$(((now - begin) / 100))
			aoe_say "$missing is not there yet, $second s of $AOE_LIMIT: $(aoe_state)"
			aoe_discover
		fi
		udevadm wait --timeout=0.2 "/dev/etherd/$missing" 2>/dev/null || true
	done
	now=$(aoe_clock)
	# The disk may have been there before.
	aoe_say "$AOE_TARGETS found $(aoe_tenths $((now - ${AOE_LINK_TIME:-$now}))) s after the carrier"
}

# --- when it fails --------------------------------------------------------

# aoe_reason - one line.
aoe_reason() {
	local missing
	missing=$(aoe_missing)
	if [ -z "$missing" ]; then
		aoe_say "$AOE_TARGETS is there, but is no root file system"
	elif [ -z "$AOE_UP" ]; then
		aoe_say "$missing not found: $(aoe_state); is the driver in the initramfs?"
	elif [ -z "$AOE_LINK" ]; then
		aoe_say "$missing not found: no interface has a carrier"
	else
		aoe_say "$missing does not answer"
	fi
}

# aoe_report - what the interfaces and targets look like, and what to try.
aoe_report() {
	local name path carrier targets=''
	aoe_reason
	for name in $AOE_UP; do
		aoe_read "$AOE_NET/$name/carrier"
		carrier=${REPLY:-0}
		aoe_read "$AOE_NET/$name/address"
		echo "  $name $REPLY: carrier $carrier, $(cat "$AOE_NET/$name/statistics/rx_packets") frames received, MTU $(cat "$AOE_NET/$name/mtu")"
	done
	for path in /sys/block/etherd*; do
		[ ! -e "$path" ] || targets="$targets ${path##*!}"
	done
	echo "  targets seen:${targets:- none}"
	# What the kernel says of a disk that is too small, or of no file system.
	dmesg 2>/dev/null | sed -n '/etherd.*\(truncated\|block count\|extends beyond\)/p; /EXT4-fs.*\(error\|bad geometry\|VFS\)/p' | tail -n 3
	aoe_advice
}

aoe_advice() {
	cat <<-'END'
	  Try: cat /proc/cmdline             are aoe=, aoeif= and root= right?
	       echo >/dev/etherd/discover    ask once more; then: ls /dev/etherd
	       on the server: aoetgt list; aoetgt show TARGET
	                                     online? is this MAC address admitted?
	END
}

# --- the running system ---------------------------------------------------

# aoe_write FILE - standard input, in a directory that may have to be made.
aoe_write() {
	mkdir -p "${1%/*}" && cat >"$1"
}

# aoe_keep_up INTERFACE - nothing takes down or renames what root hangs on: neither
# ifupdown at shutdown, nor NetworkManager, nor udev. systemd-networkd leaves links
# up. All this is in /run, and thus gone with this boot.
aoe_keep_up() {
	local units=/run/systemd/system
	aoe_write "$units/ifup@$1.service.d/aoeroot.conf" <<-'END'
	[Service]
	ExecStop=
	END
	aoe_write "/run/NetworkManager/conf.d/aoeroot-$1.conf" <<-END
	[device-aoeroot-$1]
	match-device=interface-name:$1
	managed=0
	END
	aoe_read "$AOE_NET/$1/address"
	[ ! -e "$AOE_NET/$1/device" ] || aoe_write "/run/systemd/network/00-aoeroot-$1.link" <<-END
	[Match]
	MACAddress=$REPLY
	Type=ether
	[Link]
	Name=$1
	END
}

# aoe_root_interfaces - those that the driver reaches the targets by, and what
# VLANs are made of.
aoe_root_interfaces() {
	local target names
	for target in $AOE_TARGETS; do
		aoe_read "/sys/block/etherd!$target/netif"
		names="$names $(echo "$REPLY" | tr , ' ')"
	done
	for target in $names; do
		[ -e "$AOE_NET/$target/device" ] || echo "${target%.*}"
		echo "$target"
	done | sort -u
}

aoe_keep_all_up() {
	local name exclude=''
	for name in $(aoe_root_interfaces); do
		aoe_keep_up "$name"
		exclude="$exclude --exclude=$name"
	done
	aoe_write /run/systemd/system/networking.service.d/aoeroot.conf <<-END
	[Service]
	ExecStop=
	ExecStop=/sbin/ifdown -a --read-environment --exclude=lo$exclude
	END
	printf '%s\n' "$AOE_TARGETS" | aoe_write /run/aoeroot/targets
}
