# shellcheck shell=sh
# shellcheck disable=SC2034,SC2153,SC2154 # variables of the other parts
# SPDX-License-Identifier: GPL-2.0
#
# What is wrong with this machine as an AoE target, and the command that mends
# it. Nothing is changed, and nothing is loaded or mounted to find out.

# finding SUBJECT PROBLEM MEND
finding() {
	FINDINGS=$((FINDINGS + 1))
	if [ "$JSON" = 1 ]; then
		json_finding "$@"
	else
		printf '%s: %s\n  mend: %s\n' "$1" "$2" "$3"
	fi
}

cmd_doctor() {
	FINDINGS=0
	RELEASE_NAME=$(uname -r)
	module_version
	MODULE=$REPLY
	json_begin
	check_module
	check_configfs
	if [ -d "$TARGETS" ]; then
		check_journal
		all_targets
		running=$REPLY
		# shellcheck disable=SC2086 # words
		look_at $running
		for target in $running; do
			check_target
		done
		check_interfaces
		check_loops
	else
		running=
	fi
	check_config
	check_others
	check_service
	json_end
	if [ "$FINDINGS" = 0 ]; then
		[ "$JSON" = 1 ] || printf 'nothing is wrong\n'
		return 0
	fi
	return 1
}

# --- the module -----------------------------------------------------------

check_module() {
	if [ -d /sys/module/aoetgt ]; then
		[ "$MODULE" = "$VERSION" ] || finding module \
			"version $MODULE is loaded, and this command is $VERSION" \
			"aoetgt save && aoetgt clear && modprobe -r aoetgt && aoetgt restore"
		check_debugfs
		return
	fi
	module_file
	if [ -z "$REPLY" ]; then
		check_headers
		finding module "not built for the kernel $RELEASE_NAME" \
			"dkms autoinstall -k $RELEASE_NAME"
		return
	fi
	if blacklisted; then
		finding module "blacklisted in $REPLY" "remove that line, then modprobe aoetgt"
	else
		finding module "not loaded" "modprobe aoetgt"
	fi
	check_secure_boot
}

# module_file - of this kernel, in REPLY; empty if there is none.
module_file() {
	REPLY=
	set +f
	for file in "/lib/modules/$RELEASE_NAME"/updates/dkms/aoetgt.ko* \
		"/lib/modules/$RELEASE_NAME"/updates/aoetgt.ko* \
		"/lib/modules/$RELEASE_NAME"/extra/aoetgt.ko*; do
		[ ! -f "$file" ] || REPLY=$file
	done
	set -f
}

check_headers() {
	[ -e "/lib/modules/$RELEASE_NAME/build/Makefile" ] || finding headers \
		"those of the kernel $RELEASE_NAME are not installed, so the module cannot be built" \
		"apt install linux-headers-$RELEASE_NAME"
}

# blacklisted - by a file, in REPLY.
blacklisted() {
	set +f
	for file in /etc/modprobe.d/*.conf /run/modprobe.d/*.conf; do
		set -f
		if [ -r "$file" ] && has_blacklist "$file"; then
			REPLY=$file
			return 0
		fi
		set +f
	done
	set -f
	return 1
}

has_blacklist() {
	while read -r first second _; do
		case "$first $second" in
		'blacklist aoetgt' | 'install aoetgt') return 0 ;;
		esac
	done <"$1"
	return 1
}

# check_secure_boot - then the kernel takes only modules signed with a key that
# the machine's owner has enrolled.
check_secure_boot() {
	secure_boot || return 0
	key=/var/lib/dkms/mok.pub
	if [ ! -e "$key" ]; then
		finding "Secure Boot" "on, and there is no key to sign the module with" \
			"dkms generate_mok && dkms install --force aoetgt/$VERSION && mokutil --import $key, then reboot"
	elif ! mokutil --test-key "$key" 2>/dev/null | {
		read -r answer || :
		case $answer in
		*'already enrolled'*) ;;
		*) exit 1 ;;
		esac
	}; then
		finding "Secure Boot" "on, and the key of the module is not enrolled" \
			"mokutil --import $key, then reboot"
	fi
}

# secure_boot - the last byte of the firmware's variable.
secure_boot() {
	set +f
	for file in /sys/firmware/efi/efivars/SecureBoot-*; do
		set -f
		[ -r "$file" ] || return 1
		# shellcheck disable=SC2046 # words
		set -- $(od -An -v -tu1 "$file")
		while [ $# -gt 1 ]; do
			shift
		done
		[ "${1-0}" = 1 ]
		return
	done
}

check_debugfs() {
	[ -d "$DEBUGFS/aoetgt" ] || finding debugfs \
		"not mounted, so there is no list of clients" \
		"mount -t debugfs debugfs $DEBUGFS"
}

check_configfs() {
	[ -d /sys/module/aoetgt ] || return 0
	[ -d "$TARGETS" ] || finding configfs "not mounted" \
		"mount -t configfs configfs $CONFIGFS"
}

check_journal() {
	[ ! -s "$RUN/journal" ] || finding journal \
		"an aoetgt was killed while it changed exports" \
		"aoetgt restore"
}

# --- targets --------------------------------------------------------------

check_target() {
	load "$target"
	get "$target/state"
	state=$REPLY
	old device
	disk=$REPLY
	case $state in
	offline)
		finding "$target" "its disk $disk has been removed" \
			"bring the disk back, then aoetgt disable $target && aoetgt enable $target"
		;;
	draining)
		finding "$target" "its disk $disk does not end its I/O" \
			"mend the disk, then aoetgt disable $target"
		;;
	disabled) check_disabled ;;
	esac
	check_views
	old interfaces
	[ -n "$REPLY" ] || finding "$target" "it is bound to no interface, so nobody can reach it" \
		"mkdir $TARGETS/$target/interfaces/NAME"
	check_paths
}

check_disabled() {
	if [ -z "$disk" ]; then
		finding "$target" "it has no disk" "aoetgt unexport $target"
	elif [ ! -e "$disk" ]; then
		finding "$target" "its disk $disk is not there" \
			"bring the disk back, then aoetgt enable $target"
	else
		finding "$target" "disabled" "aoetgt enable $target"
	fi
}

check_views() {
	old views
	for mac in $REPLY; do
		get "$target/views/$mac/state"
		case $REPLY in
		online) ;;
		*) finding "$target view $mac" "$REPLY, so that client has no disk" \
			"echo 1 > $TARGETS/$target/views/$mac/enable" ;;
		esac
	done
}

# check_paths - MTUs of a target's interfaces: a Linux client uses the smallest
# frame of all its paths, so one small MTU slows down all of them.
check_paths() {
	old interfaces
	names=$REPLY least='' most=
	for name in $names; do
		get "$target/interfaces/$name/netdev"
		device_mtu "${REPLY:-$name}" || continue
		if [ -z "$least" ] || [ "$REPLY" -lt "$least" ]; then
			least=$REPLY least_name=$name
		fi
		if [ -z "$most" ] || [ "$REPLY" -gt "$most" ]; then
			most=$REPLY most_name=$name
		fi
	done
	[ -n "$least" ] || return 0
	if [ "$least" != "$most" ]; then
		finding "$target" "the MTU of $least_name is $least, that of $most_name $most, and clients use the smaller" \
			"ip link set $least_name mtu $most"
	fi
	old max_sectors
	needed=$((REPLY * 512 + 36))
	[ "$needed" -le "$least" ] || finding "$target" \
		"max_sectors $REPLY needs an MTU of $needed, and that of $least_name is $least" \
		"ip link set $least_name mtu $needed"
	get "$target/stats/drop_mtu"
	[ "${REPLY:-0}" = 0 ] || finding "$target" \
		"clients asked for more than the MTU of $least_name, $least, lets through: $REPLY dropped" \
		"ip link set $least_name mtu as it was when they found the target"
}

device_mtu() {
	REPLY=
	{ IFS= read -r REPLY || :; } 2>/dev/null <"/sys/class/net/$1/mtu" || REPLY=
	[ -n "$REPLY" ]
}

# --- interfaces -----------------------------------------------------------

# check_interfaces - each once, with the targets that wait for it.
check_interfaces() {
	seen=
	for target in $running; do
		load "$target"
		old interfaces
		for name in $REPLY; do
			! has_word "$name" "$seen" || continue
			seen="$seen $name"
			check_interface "$target" "$name"
		done
	done
}

# check_interface TARGET NAME
check_interface() {
	get "$1/interfaces/$2/netdev"
	netdev=$REPLY
	get "$1/interfaces/$2/state"
	case $REPLY in
	missing) check_missing "$2" ;;
	down) check_down "$netdev" ;;
	esac
	[ -n "$netdev" ] || return 0
	# A port hands what comes in to its bridge or bond.
	if [ -d "/sys/class/net/$netdev/brport" ] || [ -d "/sys/class/net/$netdev/bonding_slave" ]; then
		master=$(readlink "/sys/class/net/$netdev/master") || master=NAME
		finding "interface $netdev" "a port of ${master##*/}, and frames go there" \
			"mkdir $TARGETS/$1/interfaces/${master##*/} && rmdir $TARGETS/$1/interfaces/$2"
	fi
}

check_missing() {
	if [ -d "/sys/class/net/$1" ]; then
		finding "interface $1" "it is there, and not fit: see dmesg | grep aoetgt" \
			"ip link set $1 mtu 1500"
	else
		finding "interface $1" "there is none of that name" \
			"ip link, to see what there is; an interface can be renamed with ip link set OLD name $1"
	fi
}

# check_down NETDEV - switched off, or without a cable?
check_down() {
	if [ ! -d "/sys/class/net/$1" ]; then
		finding "interface $1" "down, in another network namespace" "ip -n NAMESPACE link set $1 up"
		return
	fi
	REPLY=
	{ read -r REPLY || :; } 2>/dev/null <"/sys/class/net/$1/flags" || REPLY=
	if [ "$((${REPLY:-0} & 1))" = 0 ]; then
		finding "interface $1" "down" "ip link set $1 up"
	else
		finding "interface $1" "up, and without a carrier" "check cable and switch; ethtool $1"
	fi
}

# --- the rest -------------------------------------------------------------

# check_loops - a loop device that serves nobody any more.
check_loops() {
	set +f
	for record in "$RUN/loops"/loop*; do
		set -f
		[ ! -e "$record" ] || check_loop "${record##*/}"
		set +f
	done
	set -f
}

check_loop() {
	used=0
	for target in $running; do
		get "$target/device"
		[ "$REPLY" != "/dev/$1" ] || used=1
	done
	set +f
	for file in "$TARGETS"/*/views/*/device; do
		REPLY=
		{ IFS= read -r REPLY || :; } 2>/dev/null <"$file" || REPLY=
		[ "$REPLY" != "/dev/$1" ] || used=1
	done
	set -f
	if our_loop "$1"; then
		[ "$used" = 1 ] || finding "/dev/$1" "left behind by an export of $LOOP_FILE" \
			"losetup -d /dev/$1 && rm $RUN/loops/$1"
	elif [ "$used" = 1 ]; then
		finding "/dev/$1" "exported, and not attached to $LOOP_FILE any more" \
			"aoetgt disable TARGET && aoetgt enable TARGET"
	fi
}

# check_config - mistakes, and what of it does not run.
check_config() {
	config_files
	if [ -z "$REPLY" ]; then
		[ -z "$running" ] || finding configuration \
			"none, so nothing of this is there after a reboot" "aoetgt save"
		return
	fi
	parse_usual 2>/dev/null
	[ "$PARSE_ERRORS" = 0 ] || finding configuration "it has mistakes: $PARSE_ERRORS" "aoetgt check"
	for target in $WANT; do
		[ -d "$TARGETS/$target" ] || finding "$target" \
			"in the configuration, and not exported" "aoetgt restore"
	done
	for target in $running; do
		if ! has_word "$target" "$WANT"; then
			finding "$target" "exported, and not in the configuration" "aoetgt save"
			continue
		fi
		fill_in "$target"
		load "$target"
		[ "$OLD" = "$NEW" ] || finding "$target" \
			"what runs differs from the configuration, see aoetgt diff" \
			"aoetgt apply, or aoetgt save"
	done
}

# check_others - two servers of one address destroy data: Linux clients take
# them for two paths to one disk.
check_others() {
	set +f
	for file in /proc/[0-9]*/comm; do
		REPLY=
		{ IFS= read -r REPLY || :; } 2>/dev/null <"$file" || REPLY=
		case $REPLY in
		vblade | ggaoed | qaoed)
			process=${file#/proc/}
			finding "$REPLY" "it runs, too; no two servers may have one address" \
				"kill ${process%/comm}, once its exports are here: aoetgt import"
			;;
		esac
	done
	set -f
	[ ! -d /sys/module/kvblade ] || finding kvblade "it is loaded, too" "modprobe -r kvblade"
}

# check_service - where systemd runs, it brings exports back at boot.
check_service() {
	[ -d /run/systemd/system ] && [ -n "$running" ] || return 0
	systemctl --quiet is-enabled aoetgt.service 2>/dev/null || finding service \
		"aoetgt.service is not enabled, so exports do not come back at boot" \
		"systemctl enable aoetgt.service"
}
