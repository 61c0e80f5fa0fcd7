# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables of the other parts
# SPDX-License-Identifier: GPL-2.0
#
# Golden images, for aoetgt-netboot(8): device-mapper snapshots of one master, each
# with a sparse file for what was written. Loop devices carry files; each goes by
# itself when the last device-mapper disk on it goes, since it is "detached" at once.

# Sectors of a chunk; PO: when the file is full, writes fail, and reads go on.
CHUNK=8
STORE_TYPE=PO
# That a target lists: see aoetgt clients.
CLIENTS_MAX=64

# names_of TARGET ID - DM, the name of its disk, and COW, its file.
names_of() {
	REPLY=$2
	[ "$2" = - ] || [ "$2" = base ] || variable_of_mac "$2"
	COW=$1
	[ "$2" = - ] || COW=$1-$REPLY
	DM=aoetgt-$COW COW=$STORE/$COW.cow
}

# --- disks ----------------------------------------------------------------

# loop_of FILE OPTION... - a loop device, in LOOP; without a page cache of its own
# where the file system can.
loop_of() {
	file=$1
	shift
	LOOP=$(losetup "$@" --find --show --direct-io=on -- "$file" 2>/dev/null) ||
		LOOP=$(losetup "$@" --find --show -- "$file" 2>&1) || {
		WHY="$file: ${LOOP##*: }"
		return 1
	}
	# A warning may come before it.
	LOOP=/dev/${LOOP##*/dev/}
}

# read_only_disk MASTER - in DISK; LOOPS has what is to be detached.
read_only_disk() {
	DISK=$1
	[ ! -b "$1" ] || return 0
	[ -f "$1" ] || { WHY="$1: no such disk or file"; return 1; }
	for DISK in $(losetup -n -O NAME -j "$1" 2>/dev/null); do
		read -r word <"/sys/block/${DISK##*/}/ro"
		[ "$word" != 1 ] || return 0
		WHY="$1: in use by $DISK, which may write to it"
		return 1
	done
	loop_of "$1" --read-only || return 1
	DISK=$LOOP LOOPS="$LOOPS $LOOP"
}

# protect_master - a block device is read-only from its first overlay on, which has it
# open exclusively, to the end of the last one.
protect_master() {
	[ -b "$O_MASTER" ] && [ "$(blockdev --getro "$O_MASTER")" = 0 ] || return 0
	mkdir -p "$MY_RUN/masters"
	printf '%s\n' "$O_MASTER" >"$MY_RUN/masters/$(stat -L -c %Hr:%Lr -- "$O_MASTER")"
	message=$(blockdev --setro "$O_MASTER" 2>&1) && return 0
	WHY="$O_MASTER: ${message##*: }"
	return 1
}

# release_masters - those that have no overlays any more may be written again.
release_masters() {
	set +f
	set -- "$MY_RUN/masters"/*
	set -f
	for record; do
		[ -e "$record" ] || continue
		number=${record##*/}
		master=$(cat "$record")
		[ "$(stat -L -c %Hr:%Lr -- "$master" 2>/dev/null)" = "$number" ] || master=
		[ -z "$(ls "/sys/dev/block/$number/holders" 2>/dev/null)" ] || continue
		[ -z "$master" ] || blockdev --setrw "$master" || continue
		rm -f "$record"
	done
}

# stamp_of MASTER - what tells that somebody has changed it.
stamp_of() {
	REPLY=-
	[ -b "$1" ] || REPLY=$(stat -L -c %Y:%s -- "$1" 2>/dev/null) || REPLY=-
}

# start_overlay TARGET ID - as it is remembered; or WHY not.
start_overlay() {
	find_overlay "$1" "$2"
	names_of "$1" "$2"
	if disk_exists; then
		WHY="/dev/mapper/$DM is not that disk"
		is_node
		return
	fi
	stamp_of "$O_MASTER"
	[ ! -f "$O_MASTER" ] || [ "$REPLY" = "$O_STAMP" ] || {
		WHY="$O_MASTER was changed since $DM was made of it"
		return 1
	}
	LOOPS=
	make_disk "$2" && { protect_master || { remove_disk; false; }; }
	status=$?
	for LOOP in $LOOPS; do
		losetup -d "$LOOP" 2>/dev/null || :
	done
	return "$status"
}

disk_exists() {
	dmsetup info "$DM" >/dev/null 2>&1
}

# make_disk ID
make_disk() {
	read_only_disk "$O_MASTER" || return 1
	sectors=$(blockdev --getsz "$DISK")
	if [ "$1" = base ]; then
		dm_create "0 $sectors linear $DISK 0" --readonly
		return
	fi
	[ -f "$COW" ] || { WHY="$COW: no such file"; return 1; }
	loop_of "$COW" || return 1
	LOOPS="$LOOPS $LOOP"
	dm_create "0 $sectors snapshot $DISK $LOOP $STORE_TYPE $CHUNK"
}

# dm_create TABLE OPTION...
dm_create() {
	table=$1
	shift
	message=$(dmsetup create "$DM" "$@" --table "$table" 2>&1) || {
		message=${message%%"$NL"*}
		WHY="$DM: ${message##*: }"
		return 1
	}
	# Without udev nobody else makes it, nor takes away that of an older disk, and
	# another client's disk is the last thing to serve.
	dmsetup mknodes "$DM" >/dev/null 2>&1 || :
	is_node && return 0
	dmsetup remove "$DM" 2>/dev/null || :
	WHY="/dev/mapper/$DM is not that disk"
	return 1
}

# is_node - is the name in /dev/mapper that of the disk?
is_node() {
	[ -b "/dev/mapper/$DM" ] || return 1
	node=$(stat -L -c %Hr:%Lr "/dev/mapper/$DM")
	[ "$node" = "$(dmsetup info -c --noheadings --separator : -o major,minor "$DM")" ]
}

# stop_overlay TARGET ID
stop_overlay() {
	names_of "$1" "$2"
	disk_exists || return 0
	if message=$(remove_disk 2>&1); then
		rm -f "/dev/mapper/$DM"
		release_masters
		return 0
	fi
	message=${message%%"$NL"*}
	WHY="$DM: ${message##*: }"
	return 1
}

remove_disk() {
	dmsetup remove --retry "$DM"
}

# is_pristine - has nothing been written to the overlay of the client that was found?
is_pristine() {
	names_of "$C_TARGET" "$O_ID"
	# shellcheck disable=SC2046 # words
	set -- $(dmsetup status "$DM" 2>/dev/null)
	[ $# -ge 5 ] && [ "${4%/*}" = "$5" ]
}

# overlay_use TARGET ID - such as 12%, or full, broken or missing, in REPLY.
overlay_use() {
	names_of "$1" "$2"
	# shellcheck disable=SC2046 # words
	set -- $(dmsetup status "$DM" 2>/dev/null)
	case ${4-} in
	'') REPLY=missing ;;
	Overflow) REPLY=full ;;
	*/*)
		all=${4#*/}
		REPLY=$((${4%/*} * 100 / all))%
		;;
	*) REPLY=broken ;;
	esac
}

# --- sizes ----------------------------------------------------------------

# size_of TEXT - in sectors, in REPLY.
size_of() {
	case $1 in
	*K) factor=2 ;;
	*M) factor=2048 ;;
	*G) factor=2097152 ;;
	*T) factor=2147483648 ;;
	*) factor=0 ;;
	esac
	number "${1%[KMGT]}" 1 9007199254740991 ||
		misuse "--size: $1: expected a number of bytes, with K, M, G or T"
	if [ "$factor" = 0 ]; then
		REPLY=$((REPLY / 512))
	else
		[ "$REPLY" -le 9999999 ] || misuse "--size: $1: too large"
		REPLY=$((REPLY * factor))
	fi
	[ "$REPLY" -ge 128 ] || misuse "--size: $1: expected at least 64K"
}

# whole_of MASTER - sectors of an overlay that can never be full, in REPLY.
whole_of() {
	if [ -b "$1" ]; then
		sectors=$(blockdev --getsz "$1")
	else
		sectors=$(($(stat -L -c %s -- "$1") / 512))
	fi
	chunks=$(((sectors + CHUNK - 1) / CHUNK))
	# 256 chunks of data have one of description, and there is a header.
	REPLY=$(((chunks + chunks / 256 + 16) * CHUNK))
}

# --- clone ----------------------------------------------------------------

cmd_clone() {
	[ -n "${OPT_mac-}" ] || misuse "clone: needs --mac MAC"
	new_client "$OPT_mac" "$WORD_2"
	target=$WORD_2
	command -v dmsetup >/dev/null || die "dmsetup is not installed: apt install dmsetup"
	take_master "$WORD_1"
	if [ -n "${OPT_size-}" ]; then
		size_of "$OPT_size"
	else
		whole_of "$MASTER"
	fi
	need_module
	if [ "${OPT_same-0}" = 1 ]; then
		[ $# -eq 0 ] || die "$1 is not for a view: it is the target's"
		clone_view "$REPLY"
	else
		[ ! -d "$TARGETS/$target" ] ||
			die "target $target exists already: another one, or --same-address for a view of it"
		new_overlay "$target" - "$REPLY"
		export_target "$target" "/dev/mapper/$DM" "$@"
		register "client $MAC_GIVEN $target export ${name:--} ${address:--}"
	fi
}

# take_master WORD - MASTER, an absolute path.
take_master() {
	MASTER=$(readlink -f -- "$1") || MASTER=
	[ -e "$MASTER" ] || die "$1: no such disk or file"
	[ -b "$MASTER" ] || [ -f "$MASTER" ] || die "$1: neither a block device nor a file"
	# A disk's short name may be another's after the next boot.
	[ ! -b "$MASTER" ] || case $1 in
	/dev/*) MASTER=$1 ;;
	esac
	case $MASTER in
	*"$NL"*) die "the master's name has a newline" ;;
	esac
}

# new_overlay TARGET ID SECTORS - make and remember it; DM is its disk.
new_overlay() {
	names_of "$1" "$2"
	stamp_of "$MASTER"
	remember "overlay $1 $2 $3 $REPLY $MASTER"
	! disk_exists || die "/dev/mapper/$DM is there already, and no client's: dmsetup remove $DM"
	if [ "$2" != base ]; then
		[ ! -e "$COW" ] || die "$COW is there already, and no client's: remove it"
		later "rm -f '$COW'"
		empty_file "$COW" "$3"
	fi
	later "stop_overlay $1 $2"
	start_overlay "$1" "$2" || die "$WHY"
}

# empty_file FILE SECTORS
empty_file() {
	[ -d "$STORE" ] || message=$(mkdir -p "$STORE" 2>&1) ||
		die "cannot make $STORE: ${message##*: }"
	chmod 700 "$STORE"
	message=$({ umask 077 && truncate -s "$(($2 * 512))" "$1"; } 2>&1) ||
		die "$1: cannot make it: ${message##*: }"
	umask 022
}

# clone_view SECTORS - the target itself is for nobody: it admits those that have
# a view, and these see their view.
clone_view() {
	if [ -d "$TARGETS/$target" ]; then
		recall "overlay $target base" ||
			die "target $target is not for views: it has a disk of its own, which others would see"
		mask_of "$target"
		[ -n "$REPLY" ] || die "target $target admits everybody: give it a mask first"
		new_overlay "$target" "$MAC_GIVEN" "$1"
		add_view
		admit "$target" "$MAC_GIVEN"
	else
		recall "overlay $target base" || new_overlay "$target" base 0
		names_of "$target" base
		export_target "$target" "/dev/mapper/$DM" --read-only --disabled
		new_overlay "$target" "$MAC_GIVEN" "$1"
		add_view
		ours enable "$target"
	fi
	register "client $MAC_GIVEN $target view ${name:--} ${address:--}"
}

# add_view - of target, for the client, with the overlay DM.
add_view() {
	view=$target/views/$MAC_GIVEN
	later "locked undo_view $view"
	locked make_view "$view" "/dev/mapper/$DM" || exit 1
}

make_view() {
	make_dirs "$target" "$1" && put "$1/device" "$2" && put "$1/enable" 1
}

undo_view() {
	[ ! -d "$TARGETS/$1" ] || { put "$1/enable" 0 && remove_dirs "$1"; }
}

# remove_view_of MAC - of the client that was found. First nobody may see more than
# before: a client without a view would see the target's disk.
remove_view_of() {
	[ -d "$TARGETS/$C_TARGET" ] || return 0
	mask_without "$C_TARGET" "$1"
	if [ -z "$REPLY" ]; then
		ours unexport "$C_TARGET" --force
		base_is_going=1
		return 0
	fi
	locked put "$C_TARGET/mac_mask" "-$1" || exit 1
	locked undo_view "$C_TARGET/views/$1" || exit 1
}

# delete_overlay TARGET ID - and the base, after the last view. The client is gone
# already: a disk that somebody else has open is left, and DISK_LEFT is 1.
delete_overlay() {
	discard_disk "$1" "$2"
	[ "${base_is_going-0}" = 0 ] || discard_disk "$1" base
	write_state
	# Not to be undone at an exit with status 1.
	STEPS=0
}

# discard_disk TARGET ID - and its file; what still uses that has it to the end.
discard_disk() {
	stop_overlay "$1" "$2" || {
		note "$WHY: once nobody uses it: dmsetup remove $DM"
		DISK_LEFT=1
	}
	[ "$2" = base ] || rm -f "$COW"
	forget "overlay $1 $2"
}

# --- reset, grow ----------------------------------------------------------

# serve 0|1 - the export of the client's overlay.
serve() {
	[ -d "$TARGETS/$C_TARGET" ] || return 0
	if [ "$O_ID" != - ]; then
		[ ! -d "$TARGETS/$C_TARGET/views/$O_ID" ] ||
			locked put "$C_TARGET/views/$O_ID/enable" "$1" || exit 1
	elif [ "$1" = 1 ]; then
		ours enable "$C_TARGET"
	else
		ours disable "$C_TARGET"
	fi
}

# unused - has the client been quiet for long enough?
unused() {
	idle_for=120
	if [ -n "${OPT_idle-}" ]; then
		number "$OPT_idle" 0 86400 || misuse "--idle: $OPT_idle: expected $EXPECTED"
		idle_for=$REPLY
	fi
	[ "$FORCE" = 0 ] || return 0
	read_seen
	seen_of "$C_TARGET" "$MAC_GIVEN"
	if [ -z "$REPLY" ]; then
		unheard
	elif [ "$REPLY" -lt "$((idle_for * 1000))" ]; then
		die "$MAC_GIVEN was seen $((REPLY / 1000)) s ago: stop it, or --force"
	fi
}

# unheard - the client is not in the list of its target: was there time, and room, for
# it to be?
unheard() {
	[ -d "$TARGETS/$C_TARGET" ] && ! is_pristine || return 0
	"$AOETGT" clients >/dev/null 2>&1 ||
		die "without debugfs nobody knows whether $MAC_GIVEN runs: stop it, and --force"
	age=$(($(date +%s) - $(stat -c %Y "$TARGETS/$C_TARGET")))
	[ "$age" -ge "$idle_for" ] ||
		die "$C_TARGET has been exported for $age s only, and $MAC_GIVEN may run: wait, or --force"
	# The one that gives way was silent for longer than all others.
	set -- 0 0
	IFS=$NL
	for line in $SEEN; do
		case $line in
		"$C_TARGET "*)
			line=${line##* }
			set -- "$(($1 + 1))" "$((line > $2 ? line : $2))"
			;;
		esac
	done
	unset IFS
	[ "$1" -lt "$CLIENTS_MAX" ] || [ "$2" -ge "$((idle_for * 1000))" ] ||
		die "$C_TARGET has too many clients to know whether $MAC_GIVEN runs: stop it, and --force"
}

# cmd_reset - the old file is there until the new one works.
cmd_reset() {
	known_overlay "$WORD_1"
	unused
	later "serve 1"
	serve 0
	names_of "$C_TARGET" "$O_ID"
	later "start_overlay $C_TARGET $O_ID"
	stop_overlay "$C_TARGET" "$O_ID" || die "$WHY"
	later "[ ! -e '$COW.old' ] || mv -T '$COW.old' '$COW'"
	[ ! -e "$COW" ] || mv -T "$COW" "$COW.old" || die "$COW: cannot rename it"
	empty_file "$COW" "$O_SECTORS"
	renew_stamp
	later "stop_overlay $C_TARGET $O_ID"
	start_overlay "$C_TARGET" "$O_ID" || die "$WHY"
	serve 1
	rm -f "$COW.old"
}

# renew_stamp - an empty overlay may have the master as it is now.
renew_stamp() {
	stamp_of "$O_MASTER"
	forget "overlay $C_TARGET $O_ID"
	remember "overlay $C_TARGET $O_ID $O_SECTORS $REPLY $O_MASTER"
	write_state
}

# cmd_grow - a larger file is enough; but what was full has to be set up again.
cmd_grow() {
	[ -n "${OPT_size-}" ] || misuse "grow: needs --size N"
	size_of "$OPT_size"
	sectors=$REPLY
	known_overlay "$WORD_1"
	[ "$sectors" -gt "$O_SECTORS" ] ||
		die "the overlay of $MAC_GIVEN has $((O_SECTORS / 2))K already: --size must be more"
	overlay_use "$C_TARGET" "$O_ID"
	use=$REPLY
	message=$(truncate -s "$((sectors * 512))" "$COW" 2>&1) || die "$COW: ${message##*: }"
	forget "overlay $C_TARGET $O_ID"
	remember "overlay $C_TARGET $O_ID $sectors $O_STAMP $O_MASTER"
	write_state
	if [ "$use" = full ]; then
		later "serve 1"
		serve 0
		stop_overlay "$C_TARGET" "$O_ID" || die "$WHY"
		start_overlay "$C_TARGET" "$O_ID" || die "$WHY"
		serve 1
	else
		for LOOP in $(losetup -n -O NAME -j "$COW"); do
			losetup -c "$LOOP" || die "$LOOP: cannot tell it its size"
		done
	fi
}

# --- at boot --------------------------------------------------------------

cmd_activate() {
	read_state
	my_lock
	failed=0
	all_overlays
	for overlay in $REPLY; do
		start_overlay "${overlay%/*}" "${overlay#*/}" || { note "$WHY"; failed=1; }
	done
	return "$failed"
}

cmd_deactivate() {
	read_state
	my_lock
	failed=0
	all_overlays
	for overlay in $REPLY; do
		stop_overlay "${overlay%/*}" "${overlay#*/}" || { note "$WHY"; failed=1; }
	done
	return "$failed"
}
