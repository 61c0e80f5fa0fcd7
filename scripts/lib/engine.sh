# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables of the other parts
# SPDX-License-Identifier: GPL-2.0
#
# From what the kernel has to what is wanted: the plan, its steps, and the way
# back.
#
# Who changes exports holds the lock, writes what was before to the journal,
# works, and empties the journal: that is the moment when all is done. A failure
# or a signal goes back at once; if the process is killed outright, the next one
# that takes the lock does.

# May change only while the target is disabled.
COLD="device discard write_cache offset length model serial firmware cgroup"
VIEW_COLD="device offset length"
JOURNAL_OPEN=0
# Devices that may be loop devices of ours without a user now.
RELEASE=

# --- files as disks -------------------------------------------------------
#
# A regular file is served through a loop device. A record in $RUN/loops, named
# after the device, has the file's path, in its second line what the kernel calls
# it, and in its third the inode: a device that somebody else has set up since is
# none of ours, and a file may be renamed, replaced or removed while it is served.

# source_of DEVICE - the file behind a loop device of ours, else the device. It is
# the file also when somebody has detached it: see switch_on.
source_of() {
	REPLY=$1
	case $1 in
	/dev/loop*) ! loop_record "${1##*/}" || REPLY=$LOOP_FILE ;;
	esac
}

# loop_record NAME - LOOP_FILE is the path in its record.
loop_record() {
	[ -r "$RUN/loops/$1" ] || return 1
	{
		IFS= read -r LOOP_FILE || :
		IFS= read -r backing || :
		IFS= read -r inode || :
	} <"$RUN/loops/$1"
	[ -n "$LOOP_FILE" ]
}

# our_loop NAME - and does the record still hold?
our_loop() {
	loop_record "$1" || return 1
	now=
	{ IFS= read -r now || :; } 2>/dev/null <"/sys/block/$1/loop/backing_file" || return 1
	[ "$now" != "$backing" ] || return 0
	inode_of "$1"
	[ -n "$REPLY" ] && [ "$REPLY" = "$inode" ]
}

# inode_of NAME - of the file behind a loop device.
inode_of() {
	# shellcheck disable=SC2046 # words
	set -- $(losetup -n -O BACK-MAJ:MIN,BACK-INO "/dev/$1" 2>/dev/null)
	REPLY=$*
}

# attach FILE - a loop device for it, in LOOP; the one that there is, so that
# two exports of one file share a disk, as the kernel has to know.
attach() {
	for LOOP in $(losetup -n -O NAME -j "$1" 2>/dev/null); do
		if our_loop "${LOOP##*/}"; then
			return 0
		fi
		WHY="$1: in use by $LOOP"
		return 1
	done
	printf '%s\n' "$1" >"$RUN/loops/.pending"
	LOOP=$(losetup --find --show --direct-io=on -- "$1" 2>/dev/null) ||
		LOOP=$(losetup --find --show -- "$1" 2>&1) || {
		WHY="$1: ${LOOP##*: }"
		return 1
	}
	# A warning may come before it.
	LOOP=/dev/${LOOP##*/dev/}
	name=${LOOP##*/}
	IFS= read -r now <"/sys/block/$name/loop/backing_file"
	inode_of "$name"
	printf '%s\n%s\n%s\n' "$1" "$now" "$REPLY" >"$RUN/loops/$name"
	: >"$RUN/loops/.pending"
	IFS= read -r now <"/sys/block/$name/loop/dio"
	[ "$now" = 1 ] || note "$1: its file system has no direct I/O: data pass through the page cache"
}

# release_pending - a loop device that was set up and not recorded: its file had
# none when attach began.
release_pending() {
	pending=
	{ IFS= read -r pending || :; } 2>/dev/null <"$RUN/loops/.pending" || return 0
	[ -n "$pending" ] || return 0
	for LOOP in $(losetup -n -O NAME -j "$pending" 2>/dev/null); do
		[ -s "$RUN/loops/${LOOP##*/}" ] || losetup -d "$LOOP" || note "cannot detach $LOOP"
	done
	: >"$RUN/loops/.pending"
}

# release DEVICE - detach it if it is ours and nobody exports it.
release() {
	case $1 in
	/dev/loop*) ;;
	*) return 0 ;;
	esac
	[ -e "$RUN/loops/${1##*/}" ] || return 0
	set +f
	for file in "$TARGETS"/*/device "$TARGETS"/*/views/*/device; do
		now=
		{ IFS= read -r now || :; } 2>/dev/null <"$file" || continue
		if [ "$now" = "$1" ]; then
			set -f
			return 0
		fi
	done
	set -f
	! our_loop "${1##*/}" || losetup -d "$1" || return 1
	rm -f "$RUN/loops/${1##*/}"
}

release_all() {
	for device in $RELEASE; do
		release "$device" || note "cannot detach $device"
	done
	RELEASE=
}

# release_unused - every one: after somebody was killed.
release_unused() {
	set +f
	for record in "$RUN/loops"/loop*; do
		set -f
		[ ! -e "$record" ] || release "/dev/${record##*/}" || :
		set +f
	done
	set -f
}

# --- what the kernel has --------------------------------------------------

# measure TARGET... - bytes of their config strings, newline included, in
# L_<id>: one process for all of them.
measure() {
	files=
	for target; do
		files="$files $target/config_string"
	done
	[ -n "$files" ] || return 0
	count=
	# shellcheck disable=SC2086 # words
	for word in $(cd "$TARGETS" && wc -c $files 2>/dev/null); do
		case $word in
		total) ;;
		*/*)
			id_of "${word%/*}"
			eval "L_$ID=\$count"
			;;
		*) count=$word ;;
		esac
	done
}

# read_string TARGET - its config string, escaped; it is measured.
read_string() {
	id_of "$1"
	eval "bytes=\${L_$ID-1}"
	get "$1/config_string"
	case $REPLY in
	*[!\ -~]*) bytes=odd ;;
	esac
	if [ "$bytes" = "$((${#REPLY} + 1))" ]; then
		escape "$REPLY"
	else
		# The newline at the end is not part of it.
		bytes=$(od -An -v -tx1 "$TARGETS/$1/config_string")
		# shellcheck disable=SC2086 # words
		escape_bytes ${bytes%0a}
	fi
}

# read_target TARGET - its settings in TEXT.
read_target() {
	settings=$NL
	for key in $KEYS; do
		case $key in
		config_string) read_string "$1" ;;
		mac_mask | reserved_by)
			get_words "$1/$key"
			# shellcheck disable=SC2086 # words
			sorted $REPLY
			;;
		interfaces) names_in "$1/interfaces" ;;
		device)
			get "$1/device"
			source_of "$REPLY"
			;;
		*) get "$1/$key" ;;
		esac
		settings=$settings$key=$REPLY$NL
	done
	names_in "$1/views"
	macs=$REPLY
	settings=${settings}views=$macs$NL
	for mac in $macs; do
		for key in $VIEW_KEYS; do
			get "$1/views/$mac/$key"
			[ "$key" != device ] || source_of "$REPLY"
			settings="${settings}view $mac $key=$REPLY$NL"
		done
	done
	TEXT=$settings
}

# look_at TARGET... - H_<id> for each; empty if there is none.
look_at() {
	there=
	for target; do
		[ ! -d "$TARGETS/$target" ] || there="$there $target"
		id_of "$target"
		eval "H_$ID="
	done
	# shellcheck disable=SC2086 # words
	measure $there
	for target in $there; do
		read_target "$target"
		id_of "$target"
		eval "H_$ID=\$TEXT"
	done
}

# want_nothing TARGET... / want_as_is TARGET...
want_nothing() {
	for target; do
		id_of "$target"
		eval "W_$ID="
	done
}

want_as_is() {
	for target; do
		id_of "$target"
		eval "W_$ID=\$H_$ID"
	done
}

# fill_in TARGET - what nobody asked for is what the module made up, and what
# belongs to the clients is as they left it.
fill_in() {
	id_of "$1"
	eval "OLD=\${H_$ID-} TEXT=\${W_$ID-} kept=\${K_$ID-}"
	[ -n "$OLD" ] && [ -n "$TEXT" ] || return 0
	new=$TEXT
	for key in model serial firmware; do
		TEXT=$new
		field "$key"
		[ -z "$REPLY" ] || continue
		TEXT=$OLD
		field "$key"
		made_up "$1" "$key" "$REPLY" || continue
		TEXT=$new
		replace "$key" "$REPLY"
		new=$TEXT
	done
	for key in $kept; do
		TEXT=$OLD
		field "$key"
		TEXT=$new
		replace "$key" "$REPLY"
		new=$TEXT
	done
	id_of "$1"
	eval "W_$ID=\$new"
}

# made_up TARGET KEY VALUE - is it the module's own?
made_up() {
	case $2 in
	model) [ "$3" = aoetgt ] ;;
	firmware) [ "$3" = "$MODULE" ] ;;
	serial)
		# shellcheck disable=SC2254 # a pattern on purpose
		case $3 in
		"$1"-$HEX$HEX$HEX$HEX$HEX$HEX$HEX$HEX) return 0 ;;
		esac
		return 1
		;;
	esac
}

# --- steps ----------------------------------------------------------------
#
# Each works on target T, from the text OLD to the text NEW.

load() {
	T=$1
	id_of "$1"
	eval "OLD=\${H_$ID-} NEW=\${W_$ID-}"
}

# old KEY / new KEY
old() {
	TEXT=$OLD
	field "$1"
}

new() {
	TEXT=$NEW
	field "$1"
}

# changes KEY - and then REPLY is the new value.
changes() {
	old "$1"
	was=$REPLY
	new "$1"
	[ "$was" != "$REPLY" ]
}

# needs_restart - does the target have to be disabled on the way?
needs_restart() {
	for key in $COLD; do
		! changes "$key" || return 0
	done
	return 1
}

# create - the directories; OLD is then what the module has put in them.
create() {
	new interfaces
	dirs=$T
	for name in $REPLY; do
		dirs="$dirs $T/interfaces/$name"
	done
	new views
	views=$REPLY
	for mac in $views; do
		dirs="$dirs $T/views/$mac"
	done
	# shellcheck disable=SC2086 # words
	make_dirs "$T" $dirs || return 1
	fresh=$NL
	for key in $KEYS; do
		preset "$key"
		[ "$key" != interfaces ] || new interfaces
		fresh=$fresh$key=$REPLY$NL
	done
	fresh=${fresh}views=$views$NL
	for mac in $views; do
		for key in $VIEW_KEYS; do
			preset "$key"
			fresh="${fresh}view $mac $key=$REPLY$NL"
		done
	done
	OLD=$fresh
}

# withdraw - stop serving what cannot be changed while it is served.
withdraw() {
	if [ -z "$NEW" ]; then
		# A disk that does not end its I/O is closed after the directory has gone.
		switch_off "$T" || :
	elif needs_restart; then
		switch_off "$T" || return 1
	else
		new enable
		[ "$REPLY" = 1 ] || switch_off "$T" || return 1
	fi
	old views
	for mac in $REPLY; do
		view_stays || switch_off "$T/views/$mac" || view_goes || return 1
	done
}

# switch_off PATH - a disk that did not end its I/O then is closed by a second write.
switch_off() {
	get "$1/enable"
	[ "$REPLY" = 1 ] || is_draining "$1" || return 0
	put "$1/enable" 0
}

is_draining() {
	get "$1/state"
	[ "$REPLY" = draining ]
}

# view_goes - the view of mac.
view_goes() {
	new views
	! has_word "$mac" "$REPLY"
}

# view_stays - can the view of mac be changed while it is enabled?
view_stays() {
	[ -n "$NEW" ] || return 1
	new views
	has_word "$mac" "$REPLY" || return 1
	for key in $VIEW_COLD; do
		! changes "view $mac $key" || return 1
	done
	new "view $mac enable"
	[ "$REPLY" = 1 ]
}

# set_up - every setting that differs. A view first, if only its directory: a client
# that is admitted together with it never sees the target's disk.
set_up() {
	add_views || return 1
	for key in $KEYS; do
		case $key in
		interfaces | enable) continue ;;
		esac
		! changes "$key" || set_key "$key" "$REPLY" || return 1
	done
	set_interfaces && set_views
}

# set_key KEY VALUE - of the target, or "view MAC KEY".
set_key() {
	case $1 in
	config_string)
		put_string "$T" "$2"
		return
		;;
	'view '*) path="$T/views/$mac/${1##* }" ;;
	*) path=$T/$1 ;;
	esac
	case $1 in
	*device)
		get "$path"
		RELEASE="$RELEASE $REPLY"
		# On the way back: it had none, and none cannot be written.
		[ -n "$2" ] || return 0
		;;
	esac
	put "$path" "$2"
}

# put_string TARGET ESCAPED
put_string() {
	case $2 in
	*[\\%]*)
		to_format "$2"
		# shellcheck disable=SC2059 # made for this
		{ printf -- "$REPLY\\n" >"$TARGETS/$1/config_string"; } 2>/dev/null && return 0
		WHO="target $1" WHAT=config_string
		kernel_says "$WHO" "$WHAT: *"
		WHY=${WHY:-$WHO: $WHAT: refused}
		return 1
		;;
	*) put "$1/config_string" "$2" ;;
	esac
}

set_interfaces() {
	changes interfaces || return 0
	wanted=$REPLY
	for name in $wanted; do
		has_word "$name" "$was" || make_dirs "$T" "$T/interfaces/$name" || return 1
	done
	for name in $was; do
		has_word "$name" "$wanted" || remove_dirs "$T/interfaces/$name" || return 1
	done
}

add_views() {
	old views
	had=$REPLY
	new views
	for mac in $REPLY; do
		! has_word "$mac" "$had" || continue
		make_dirs "$T" "$T/views/$mac" || return 1
		for key in $VIEW_KEYS; do
			preset "$key"
			OLD="${OLD}view $mac $key=$REPLY$NL"
		done
	done
}

set_views() {
	old views
	had=$REPLY
	new views
	wanted=$REPLY
	for mac in $wanted; do
		for key in $VIEW_KEYS; do
			[ "$key" != enable ] || continue
			! changes "view $mac $key" || set_key "view $mac $key" "$REPLY" || return 1
		done
	done
	for mac in $had; do
		has_word "$mac" "$wanted" || remove_view || return 1
	done
}

remove_view() {
	get "$T/views/$mac/device"
	RELEASE="$RELEASE $REPLY"
	remove_dirs "$T/views/$mac"
}

# serve - what is to be served. Views first: a client that has one never sees
# the others' disk.
serve() {
	new views
	for mac in $REPLY; do
		new "view $mac enable"
		[ "$REPLY" = 0 ] || switch_on "$T/views/$mac" || return 1
	done
	new enable
	[ "$REPLY" = 0 ] || switch_on "$T"
}

# switch_on PATH - of a target or view. A file needs its loop device first.
switch_on() {
	get "$1/enable"
	[ "$REPLY" != 1 ] || return 0
	! is_draining "$1" || put "$1/enable" 0 || return 1
	get "$1/device"
	device=$REPLY
	case $device in
	/dev/loop*)
		# Somebody has detached it: the record knows the file.
		if [ -r "$RUN/loops/${device##*/}" ] && ! our_loop "${device##*/}"; then
			device=$LOOP_FILE
		fi
		;;
	esac
	if [ -f "$device" ]; then
		attach "$device" || { who_what "$1/enable"; WHY="$WHO: $WHY"; return 1; }
		RELEASE="$RELEASE $LOOP"
		put "$1/device" "$LOOP" || return 1
	fi
	put "$1/enable" 1
}

# drop - the target, which is disabled.
drop() {
	collect_dirs "$T"
	# shellcheck disable=SC2086 # words
	remove_dirs $REPLY
}

# collect_dirs TARGET - its directories, in the order of their removal; its
# devices go to RELEASE.
collect_dirs() {
	get "$1/device"
	RELEASE="$RELEASE $REPLY"
	names_in "$1/interfaces"
	dirs=
	for name in $REPLY; do
		dirs="$dirs $1/interfaces/$name"
	done
	names_in "$1/views"
	for mac in $REPLY; do
		dirs="$dirs $1/views/$mac"
		get "$1/views/$mac/device"
		RELEASE="$RELEASE $REPLY"
	done
	REPLY="$dirs $1"
}

# --- all of them or none --------------------------------------------------

# step_failed TARGET - on the way back the others still get their turn.
step_failed() {
	[ "$GOING_BACK" = 1 ] || return 1
	note "$1 is not what it was: $WHY"
	BACK_FAILED=1
}

# go TARGET... - from H to W. New ones are made first, disabled: so most
# mistakes show before anybody's disk is gone for a moment.
go() {
	for target; do
		load "$target"
		if [ -z "$OLD" ] && [ -n "$NEW" ]; then
			{ create && set_up; } || step_failed "$target" || return 1
		fi
	done
	for target; do
		load "$target"
		[ -z "$OLD" ] || withdraw || step_failed "$target" || return 1
	done
	for target; do
		load "$target"
		[ -z "$OLD" ] || [ -z "$NEW" ] || set_up || step_failed "$target" || return 1
	done
	for target; do
		load "$target"
		[ -z "$NEW" ] || serve || step_failed "$target" || return 1
	done
	for target; do
		load "$target"
		[ -z "$OLD" ] || [ -n "$NEW" ] || drop || step_failed "$target" || return 1
	done
}

# carry_out TARGET... - W of all of them, or WHY nothing has changed.
carry_out() {
	TOUCHED=$*
	journal_write "$@"
	JOURNAL_OPEN=1
	if go "$@"; then
		no_longer_awaited "$@"
		journal_close
		release_all
		return 0
	fi
	reason=$WHY
	go_back "$@"
	journal_close
	WHY=$reason
	return 1
}

# go_back TARGET... - to what B says that they were, from what there is now.
go_back() {
	release_pending
	look_at "$@"
	for target; do
		id_of "$target"
		eval "W_$ID=\$B_$ID"
		fill_in "$target"
	done
	GOING_BACK=1 BACK_FAILED=0
	go "$@"
	GOING_BACK=0
	release_all
	return "$BACK_FAILED"
}
GOING_BACK=0

# --- the journal ----------------------------------------------------------

# journal_write TARGET... - their H. Without the last line it does not count:
# then nothing had begun.
journal_write() {
	module_version
	MODULE=$REPLY KEEP='' DEFAULTS=N
	{
		printf '# touched %s\n' "$*"
		for target; do
			id_of "$target"
			eval "TEXT=\${H_$ID-}; B_$ID=\$TEXT"
			[ -z "$TEXT" ] || write_section "$target"
		done
		printf '# end\n'
	} >"$RUN/journal"
}

journal_close() {
	JOURNAL_OPEN=0
	: >"$RUN/journal"
}

# begin_change - nobody else changes anything, and nothing is half done.
begin_change() {
	need_module
	lock
	module_version
	MODULE=$REPLY
	[ ! -s "$RUN/journal" ] || recover
}

# recover - finish what somebody who was killed could not.
recover() {
	text=$(cat "$RUN/journal")
	case $text in
	'# touched '*"$NL# end") ;;
	*)
		: >"$RUN/journal"
		return
		;;
	esac
	text=${text%%"$NL"*}
	text=${text#'# touched '}
	note "another aoetgt was killed while it changed $text: going back to what was before"
	IN_JOURNAL=1
	parse "$RUN/journal"
	IN_JOURNAL=0 known=
	for target in $text; do
		if has_word "$target" "$BAD_TARGETS"; then
			note "$target: it is not known what it was: left as it is"
			continue
		fi
		known="$known $target"
		id_of "$target"
		eval "B_$ID=\${W_$ID-}"
	done
	# shellcheck disable=SC2086 # words
	go_back $known || :
	release_unused
	: >"$RUN/journal"
}

# undo - the trap at exit.
undo() {
	status=$?
	trap - EXIT
	trap '' HUP INT TERM
	if [ "$JOURNAL_OPEN" = 1 ]; then
		# shellcheck disable=SC2086 # words
		go_back $TOUCHED || status=1
		journal_close
	fi
	# What is removed already does not come back, nor do its files need a loop device.
	release_all
	[ -z "${TEMPORARY-}" ] || rm -f "$TEMPORARY"
	exit "$status"
}
