# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables of the other parts
# SPDX-License-Identifier: GPL-2.0
#
# The commands that change exports, and those that know the configuration file.

# --- one export -----------------------------------------------------------

# option NAME VALUE - an option of export, as a setting.
option() {
	[ -n "$2" ] || misuse "$1: empty value"
	escape "$2"
	given=$REPLY
	case $1 in
	--mac) setting=mac_mask ;;
	--write-cache) setting=write_cache ;;
	--buffers) setting=buffer_count ;;
	--max-sectors) setting=max_sectors ;;
	--config-string) setting=config_string ;;
	*) setting=${1#--} ;;
	esac
	before=
	[ "$setting" != mac_mask ] || before=$MASK${MASK:+ }
	value "$setting" "$before$given" || misuse "$1: $given: expected $EXPECTED"
	[ "$setting" != mac_mask ] || MASK=$REPLY
	replace "$setting" "$REPLY"
}

cmd_export() {
	MASK=''
	blank_text

	# Words that are no options go back to the end of the list.
	left=$#
	while [ "$left" -gt 0 ]; do
		word=$1
		shift
		left=$((left - 1))
		case $word in
		--read-only) replace read_only 1 ;;
		--discard) replace discard 1 ;;
		--disabled) replace enable 0 ;;
		--mac | --write-cache | --offset | --length | --buffers | --max-sectors | \
			--config-string | --serial | --cgroup)
			[ "$left" -gt 0 ] || misuse "$word: needs a value"
			option "$word" "$1"
			shift
			left=$((left - 1))
			;;
		--mac=* | --write-cache=* | --offset=* | --length=* | --buffers=* | \
			--max-sectors=* | --config-string=* | --serial=* | --cgroup=*)
			option "${word%%=*}" "${word#*=}"
			;;
		-*) misuse "export: unknown option: $word" ;;
		*) set -- "$@" "$word" ;;
		esac
	done
	[ $# -ge 3 ] || misuse "export: needs a target, a device and an interface"
	need_address "$1"
	target=$1 device=$2
	shift 2
	export_one "$target" "$device" "$@"
}

# export_one TARGET DEVICE INTERFACE... - with the settings in TEXT.
export_one() {
	target=$1 device=$2
	shift 2
	begin_change_keeping
	[ ! -d "$TARGETS/$target" ] || die "target $target exists already"
	given=
	for name; do
		escape "$name"
		is_interface "$name" || die "target $target: not the name of an interface: $REPLY"
		! has_word "$name" "$given" || die "target $target: interface $name is named twice"
		given="$given${given:+ }$name"
	done
	# The kernel wants it absolute; symbolic links such as by-id stay.
	case $device in
	/*) ;;
	*) device=$PWD/$device ;;
	esac
	escape "$device"
	value device "$REPLY" || die "target $target: device: expected $EXPECTED"
	replace device "$device"
	replace interfaces "$given"
	id_of "$target"
	eval "W_$ID=\$TEXT H_$ID="
	carry_out "$target" || die "$WHY"
	tell_bindings "$target"
}

# begin_change_keeping - TEXT, target and device: going back uses them, too.
begin_change_keeping() {
	saved_text=$TEXT saved_target=$target saved_device=$device
	begin_change
	TEXT=$saved_text target=$saved_target device=$saved_device
}

# tell_bindings TARGET - an export that nobody can reach yet deserves a word.
tell_bindings() {
	names_in "$1/interfaces"
	for name in $REPLY; do
		get "$1/interfaces/$name/state"
		case $REPLY in
		missing) note "target $1: interface $name does not exist yet" ;;
		down) note "target $1: interface $name is down" ;;
		esac
	done
}

cmd_unexport() {
	need_target "$1"
	begin_change
	look_at "$1"
	want_nothing "$1"
	id_of "$1"
	eval "TEXT=\$H_$ID"
	field views
	[ -z "$REPLY" ] || [ "$FORCE" = 1 ] ||
		die "target $1 has views: remove ${REPLY%% *} first, or use --force"
	read -r before _ <"/proc/uptime"
	carry_out "$1" || die "$WHY"
	tell_background "$before" "$1"
}

# tell_background SINCE TARGET... - of those whose disk is still busy. The
# kernel waits a second for it, so a quick removal needs no look at its log.
tell_background() {
	read -r after _ <"/proc/uptime"
	[ "$((${after%.*} - ${1%.*}))" -gt 0 ] || return 0
	shift
	closing=$(in_background)
	IFS=$NL
	for line in $closing; do
		unset IFS
		name=${line#target }
		name=${name%%[: ]*}
		! has_word "$name" "$*" || note "$line"
	done
	unset IFS
}

cmd_enable() {
	switch_one "$1" 1
}

cmd_disable() {
	switch_one "$1" 0
}

# switch_one TARGET 0|1
switch_one() {
	need_target "$1"
	begin_change
	look_at "$1"
	id_of "$1"
	eval "TEXT=\$H_$ID"
	replace enable "$2"
	eval "W_$ID=\$TEXT"
	carry_out "$1" || die "$WHY"
}

# --- drain ----------------------------------------------------------------

# activity TARGET - a number that moves when a client uses the disk, in REPLY.
activity() {
	sum=0
	for name in reads writes verifies flushes trims; do
		get "$1/stats/$name"
		sum=$((sum + ${REPLY:-0}))
	done
	REPLY=$sum
}

# idle TARGET - nothing has moved since the last time, and nothing is under way.
idle() {
	id_of "$1"
	activity "$1"
	now=$REPLY
	eval "then=\${A_$ID-}; A_$ID=\$now"
	get "$1/stats/in_flight"
	[ "$now" = "$then" ] && [ "$REPLY" = 0 ]
}

cmd_drain() {
	idle_for=5 limit='' wanted=''
	while [ $# -gt 0 ]; do
		case $1 in
		--idle | --timeout)
			[ $# -gt 1 ] || misuse "$1: needs a value"
			number "$2" 0 86400 || misuse "$1: $2: expected $EXPECTED"
			case $1 in
			--idle) idle_for=$REPLY ;;
			*) limit=$REPLY ;;
			esac
			shift
			;;
		-*) misuse "drain: unknown option: $1" ;;
		*)
			need_target "$1"
			wanted="$wanted $1"
			;;
		esac
		shift
	done
	if [ -z "$wanted" ]; then
		all_targets
		wanted=$REPLY
	fi
	drain_all "$idle_for" "$limit"
}

# drain_all IDLE LIMIT - tenths of seconds are counted by the clock, since
# a busy machine sleeps longer than it is told.
drain_all() {
	uptime_tenths
	began=$REPLY quiet_since=
	while :; do
		busy=
		for target in $wanted; do
			[ ! -d "$TARGETS/$target" ] || idle "$target" || busy="$busy $target"
		done
		uptime_tenths
		if [ -n "$busy" ]; then
			quiet_since=
		else
			quiet_since=${quiet_since:-$REPLY}
			[ "$((REPLY - quiet_since))" -lt "$(($1 * 10))" ] || return 0
		fi
		if [ -n "$2" ] && [ "$((REPLY - began))" -ge "$(($2 * 10))" ]; then
			die "still in use after $2 s:${busy:- none for long enough}"
		fi
		sleep 0.1
	done
}

uptime_tenths() {
	read -r REPLY _ </proc/uptime
	# 12.34 is 123 tenths; no leading zero may make it octal.
	REPLY=${REPLY%?}
	REPLY=$((${REPLY%.*} * 10 + ${REPLY#*.}))
}

# --- files ----------------------------------------------------------------

# read_config [FILE...] - parse these, or those at their usual place.
read_config() {
	if [ $# -eq 0 ]; then
		parse_usual
	else
		parse "$@"
	fi
}

cmd_check() {
	read_config "$@"
	[ "$PARSE_ERRORS" = 0 ] || exit 1
}

# plan [FILE...] - PLAN is what differs between what runs and the files.
plan() {
	read_config "$@"
	[ "$PARSE_ERRORS" = 0 ] || exit 1
	all_targets
	running=$REPLY
	# shellcheck disable=SC2086 # words
	look_at $running
	PLAN='' AWAITED=''
	for target in $running; do
		has_word "$target" "$WANT" || want_nothing "$target"
		needs_change "$target"
	done
	for target in $WANT; do
		[ -d "$TARGETS/$target" ] || PLAN="$PLAN $target"
	done
}

# needs_change TARGET - one that waits for its disk goes on waiting.
needs_change() {
	fill_in "$1"
	put_off "$1"
	[ -z "$WAITS" ] || AWAITED="$AWAITED $1"
	load "$1"
	[ "$OLD" = "$NEW" ] || PLAN="$PLAN $1"
}

cmd_apply() {
	[ $# -eq 0 ] || first_readable "$1"
	# To remove all there is clear.
	config_files
	[ $# -gt 0 ] || [ -n "$REPLY" ] || die "there is no configuration: neither $CONF nor $CONF_D/*.conf"
	begin_change
	plan "$@"
	[ -n "$PLAN" ] || { await_all; return; }
	read -r before _ <"/proc/uptime"
	# shellcheck disable=SC2086 # words
	carry_out $PLAN || die "$WHY; nothing was changed"
	await_all
	# shellcheck disable=SC2086 # words
	tell_background "$before" $PLAN
	for target in $PLAN; do
		[ ! -d "$TARGETS/$target" ] || tell_bindings "$target"
	done
}

# await_all - those of the plan that wait for their disks.
await_all() {
	for target in $AWAITED; do
		await "$target"
	done
}

# first_readable FILE - before the module is loaded for nothing.
first_readable() {
	[ "$1" = - ] || [ -e "$1" ] || die "$1: no such file"
}

# differences TARGET - what apply would do to it, a line each.
differences() {
	load "$1"
	if [ -z "$OLD" ]; then
		new device
		difference "$1" add device '' "$REPLY"
		return
	fi
	if [ -z "$NEW" ]; then
		old device
		difference "$1" remove device "$REPLY" ''
		return
	fi
	for key in $KEYS views; do
		! changes "$key" || difference "$1" change "$key" "$was" "$REPLY"
	done
	new views
	both=$REPLY
	old views
	for mac in $REPLY; do
		has_word "$mac" "$both" || continue
		for key in $VIEW_KEYS; do
			! changes "view $mac $key" ||
				difference "$1" change "view $mac $key" "$was" "$REPLY"
		done
	done
}

# difference TARGET ACTION KEY FROM TO
difference() {
	restart=false
	if [ "$2" = change ] && has_word "${3##* }" "$COLD enable"; then
		restart=true
	fi
	if [ "$JSON" = 1 ]; then
		json_item
		json_texts target "$1" action "$2" setting "$3" from "$4" to "$5"
		json_raw interrupts "$restart"
		printf '}'
		return
	fi
	case $2 in
	add) printf '+ %s %s\n' "$1" "$5" ;;
	remove) printf -- '- %s %s\n' "$1" "$4" ;;
	change)
		[ "$restart" = false ] || restart=' (interrupts clients)'
		printf '~ %s %s: "%s" -> "%s"%s\n' "$1" "$3" "$4" "$5" "${restart#false}"
		;;
	esac
}

cmd_diff() {
	[ $# -eq 0 ] || first_readable "$1"
	module_version
	MODULE=$REPLY
	plan "$@"
	json_begin
	for target in $PLAN; do
		differences "$target"
	done
	json_end
	[ -z "$PLAN" ]
}

# --- restore --------------------------------------------------------------

# overlay - what clients had set when it was last saved, for those exports that
# keep it and still have the same disk.
overlay() {
	[ -s "$STATE/wire.conf" ] || return 0
	parse "$STATE/wire.conf"
	wire=$WANT
	for target in $wire; do
		id_of "$target"
		eval "X_$ID=\$W_$ID"
	done
}

# take_overlay TARGET - into its W.
take_overlay() {
	id_of "$1"
	eval "kept=\${K_$ID-} from=\${X_$ID-} TEXT=\$W_$ID"
	[ -n "$kept" ] && [ -n "$from" ] || return 0
	field device
	device=$REPLY
	into=$TEXT
	TEXT=$from
	field device
	[ "$REPLY" = "$device" ] || return 0
	for key in $kept; do
		TEXT=$from
		field "$key"
		TEXT=$into
		replace "$key" "$REPLY"
		into=$TEXT
	done
	eval "W_$ID=\$into"
}

# put_off TARGET - a disk that is not there yet is no failure: its export is
# made, and enabled when the disk comes.
put_off() {
	load "$1"
	WAITS=
	new views
	for mac in $REPLY; do
		put_off_one "view $mac " "$1 view $mac"
	done
	put_off_one '' "$1"
	id_of "$1"
	eval "W_$ID=\$NEW"
	[ -z "$WAITS" ] || note "$WAITS"
}

# put_off_one PREFIX NAME
put_off_one() {
	new "${1}enable"
	[ "$REPLY" = 1 ] || return 0
	new "${1}device"
	device=$REPLY
	[ ! -e "$device" ] || return 0
	if [ -n "$OLD" ]; then
		# It may well serve, without its name.
		TEXT=$OLD
		case $NL$TEXT in
		*"$NL${1}enable=1$NL"*) return 0 ;;
		esac
	fi
	TEXT=$NEW
	replace "${1}enable" 0
	NEW=$TEXT
	WAITS="${WAITS:+$WAITS; }$2 waits for $device"
}

# still_wanted TARGET - an export that waits for its disk (put_off) is disabled, but
# to save it so would be to give it up: into its H what the file says.
still_wanted() {
	load "$1"
	[ -n "$OLD" ] && [ -n "$NEW" ] || return 0
	new views
	for mac in $REPLY; do
		still_wanted_one "view $mac "
	done
	still_wanted_one ''
	id_of "$1"
	eval "H_$ID=\$OLD"
}

# still_wanted_one PREFIX
still_wanted_one() {
	changes "${1}enable" && [ "$REPLY" = 1 ] || return 0
	! changes "${1}device" && [ ! -e "$REPLY" ] || return 0
	TEXT=$OLD
	replace "${1}enable" 1
	OLD=$TEXT
}

cmd_restore() {
	for_device=
	while [ $# -gt 0 ]; do
		case $1 in
		--device)
			[ $# -gt 1 ] || misuse "--device: needs a value"
			for_device=$2
			[ -e "$for_device" ] || die "$for_device: no such device"
			shift
			;;
		--device=*)
			for_device=${1#*=}
			[ -e "$for_device" ] || die "$for_device: no such device"
			;;
		-?*) misuse "restore: unknown option: $1" ;;
		*) break ;;
		esac
		shift
	done
	wire=
	if [ $# -eq 0 ]; then
		config_files
		# Nothing to bring back needs no module either.
		[ -n "$REPLY" ] || return 0
	fi
	begin_change
	[ $# -gt 0 ] || overlay
	read_config "$@"
	failed=$PARSE_ERRORS
	restore_all
	[ "$failed" = 0 ] || exit 1
}

# restore_all - each export for itself.
restore_all() {
	# shellcheck disable=SC2086 # words
	look_at $WANT
	for export in $WANT; do
		if [ -n "$for_device" ]; then
			uses_device "$export" || continue
			is_awaited "$export" || continue
			reopen "$export"
		fi
		restore_one "$export" || failed=1
	done
	for export in $BAD_TARGETS; do
		note "$export: left out"
	done
}

# restore_one TARGET - the next time its disk comes is another chance.
restore_one() {
	! has_word "$1" "$wire" || take_overlay "$1"
	fill_in "$1"
	put_off "$1"
	awaited=$WAITS status=0
	load "$1"
	if [ "$OLD" = "$NEW" ]; then
		:
	elif carry_out "$1"; then
		tell_bindings "$1"
	else
		note "$WHY"
		awaited=1 status=1
	fi
	if [ -n "$awaited" ]; then
		await "$1"
	else
		no_longer_awaited "$1"
	fi
	return "$status"
}

# is_awaited TARGET - a disk that comes, or that somebody has written to, is no
# reason to touch an export that was left as it is now.
is_awaited() {
	[ ! -e "$RUN/waiting/$1" ] || return 0
	[ -d "$TARGETS/$1" ] || return 1
	! is_offline "$1" || return 0
	names_in "$1/views"
	for mac in $REPLY; do
		! is_offline "$1/views/$mac" || return 0
	done
	return 1
}

is_offline() {
	get "$1/state"
	[ "$REPLY" = offline ]
}

# uses_device TARGET - is for_device its disk, or that of a view?
uses_device() {
	load "$1"
	new views
	views=$REPLY
	new device
	# shellcheck disable=SC3013 # dash has it, and POSIX since 2024
	[ ! "$REPLY" -ef "$for_device" ] || return 0
	for mac in $views; do
		new "view $mac device"
		# shellcheck disable=SC3013
		[ ! "$REPLY" -ef "$for_device" ] || return 0
	done
	return 1
}

# reopen TARGET - a disk that had gone is a new one to the kernel when it is
# back: let go of the old one.
reopen() {
	[ -d "$TARGETS/$1" ] || return 0
	reopen_one "$1" || note "$WHY"
	names_in "$1/views"
	for mac in $REPLY; do
		reopen_one "$1/views/$mac" || note "$WHY"
	done
	look_at "$1"
}

reopen_one() {
	! is_offline "$1" || put "$1/enable" 0
}

# --- save -----------------------------------------------------------------

# write_config - all targets in SAVE, with the defaults that the file has.
write_config() {
	printf '# Written by aoetgt save; see aoetgt.conf(5).\n'
	DEFAULTS=D
	write_defaults
	for target in $SAVE; do
		id_of "$target"
		eval "TEXT=\$H_$ID KEEP=\${K_$ID-}"
		write_section "$target"
	done
}

cmd_save() {
	empty=0 wire_only=0 only=
	while [ $# -gt 0 ]; do
		case $1 in
		--empty) empty=1 ;;
		--wire) wire_only=1 ;;
		--only)
			[ $# -gt 1 ] || misuse "--only: needs a value"
			need_address "$2"
			only=$2
			shift
			;;
		--only=*)
			need_address "${1#*=}"
			only=${1#*=}
			;;
		-?*) misuse "save: unknown option: $1" ;;
		*) break ;;
		esac
		shift
	done
	[ $# -le 1 ] || misuse "save: too many arguments"
	[ -z "$only" ] || [ "$#$wire_only" = 00 ] || misuse "save --only: too many arguments"
	lock
	module_version
	MODULE=$REPLY
	# What is half done is no configuration.
	[ ! -d "$TARGETS" ] || [ ! -s "$RUN/journal" ] || recover
	if [ "$wire_only" = 1 ]; then
		[ $# -eq 0 ] || misuse "save --wire: too many arguments"
		save_wire
		return
	fi
	REPLY=
	if [ -z "$only" ]; then
		all_targets
	elif [ -d "$TARGETS/$only" ]; then
		REPLY=$only
	fi
	SAVE=$REPLY
	# shellcheck disable=SC2086 # words
	look_at $SAVE
	each_has_device
	case ${1-} in
	-)
		parse_begin
		write_config
		;;
	'') save_usual ;;
	*)
		if [ -s "$1" ]; then
			parse "$1"
			for target in $WANT; do
				still_wanted "$target"
			done
			not_for_nothing "$1"
		else
			parse_begin
		fi
		write_file "$1" write_config 5
		;;
	esac
}

# each_has_device - the file cannot have an export without; and without its view
# a client would see the target's disk.
each_has_device() {
	for target in $SAVE; do
		id_of "$target"
		eval "TEXT=\$H_$ID"
		field device
		[ -n "$REPLY" ] || die "target $target has no device: give it one, or unexport it"
		field views
		for mac in $REPLY; do
			field "view $mac device"
			[ -n "$REPLY" ] || die "target $target view $mac has no device: give it one, or remove it"
		done
	done
}

# not_for_nothing FILE - nothing replaces something only when told to.
not_for_nothing() {
	[ "$PARSE_ERRORS" = 0 ] || exit 1
	[ "$empty" = 0 ] || return 0
	if [ -n "$only" ] && has_word "$only" "$WANT" && ! has_word "$only" "$SAVE"; then
		die "$only is not exported: $1, which has it, is not changed; see save --empty"
	elif [ -z "$SAVE" ] && [ -n "$WANT" ]; then
		# shellcheck disable=SC2086 # words
		set -- "$1" $WANT
		die "nothing is exported: $1, which has $(($# - 1)) exports, is not replaced; see save --empty"
	fi
}

# save_usual - to the main file what no fragment has, in the order that it has already.
# A fragment is the administrator's: what it says has to be true, or nothing is written.
save_usual() {
	parse_usual
	[ "$PARSE_ERRORS" = 0 ] || exit 1
	# Defaults of the main file, not of the last fragment.
	recall_defaults
	main='' in_fragments='' to_main=''
	for target in $WANT; do
		id_of "$target"
		eval "place=\$F_$ID"
		if [ "$place" = "$CONF" ]; then
			main="$main $target"
		else
			in_fragments="$in_fragments $target"
		fi
		if [ -n "$only" ] && [ "$target" != "$only" ]; then
			# As the file has it.
			eval "H_$ID=\$W_$ID"
			[ "$place" != "$CONF" ] || to_main="$to_main $target"
		elif [ "$place" = "$CONF" ]; then
			still_wanted "$target"
			! has_word "$target" "$SAVE" || to_main="$to_main $target"
		else
			true_fragment "$target"
		fi
	done
	for target in $SAVE; do
		has_word "$target" "$in_fragments$to_main" || to_main="$to_main $target"
	done
	SAVE=$to_main WANT=$main
	not_for_nothing "$CONF"
	write_file "$CONF" write_config 5
}

# true_fragment TARGET - does it run as its fragment has it?
true_fragment() {
	fill_in "$1"
	still_wanted "$1"
	load "$1"
	[ -n "$OLD" ] || die "$1 is not exported, and in $place: take it out there first"
	[ "$OLD" = "$NEW" ] || die "$1 differs from what $place says: change it there first"
}

# save_wire - what clients have set, of those exports that keep it.
save_wire() {
	wire='' kept_targets=''
	overlay
	parse_usual
	for target in $WANT $BAD_TARGETS; do
		id_of "$target"
		eval "kept=\${K_$ID-}"
		if [ ! -d "$TARGETS/$target" ] || has_word "$target" "$BAD_TARGETS"; then
			# For when it can be exported again, as it was last time.
			has_word "$target" "$wire" || continue
		elif [ -z "$kept" ]; then
			continue
		fi
		has_word "$target" "$kept_targets" || kept_targets="$kept_targets $target"
	done
	[ -n "$kept_targets" ] || return 0
	# shellcheck disable=SC2086 # words
	look_at $kept_targets
	mkdir -p "$STATE" || die "cannot make $STATE"
	write_file "$STATE/wire.conf" write_wire 0
}

write_wire() {
	printf '# What clients have set; written by aoetgt save --wire.\n'
	DEFAULTS=N
	for target in $kept_targets; do
		id_of "$target"
		eval "kept=\${K_$ID-} from=\$H_$ID TEXT=\${X_$ID-} KEEP="
		if [ -z "$from" ] || has_word "$target" "$BAD_TARGETS"; then
			write_section "$target"
			continue
		fi
		blank_text
		into=$TEXT
		for key in device $kept; do
			TEXT=$from
			field "$key"
			TEXT=$into
			replace "$key" "$REPLY"
			into=$TEXT
		done
		TEXT=$into KEEP=
		write_section "$target"
	done
}

# --- clear ----------------------------------------------------------------

# cmd_clear - many directories a process; what runs is not written down, since
# whoever clears does not want it back.
cmd_clear() {
	if [ ! -d "$TARGETS" ]; then
		return 0
	fi
	begin_change
	rm -rf "$RUN/waiting"
	all_targets
	going=$REPLY status=0 batch='' count=0
	read -r before _ </proc/uptime
	for target in $going; do
		collect_dirs "$target"
		batch="$batch $REPLY"
		count=$((count + 1))
		[ "$((count % 64))" -ne 0 ] || clear_batch
	done
	clear_batch
	# shellcheck disable=SC2086 # words
	tell_background "$before" $going
	release_all
	return "$status"
}

clear_batch() {
	# shellcheck disable=SC2086 # words
	if [ -n "$batch" ] && ! remove_dirs $batch; then
		note "$WHY"
		status=1
	fi
	batch=
}
