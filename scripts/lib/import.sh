# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables of the other parts
# SPDX-License-Identifier: GPL-2.0
#
# Configurations of other AoE targets, as ours on stdout: to be read, kept as a
# file, or piped to aoetgt restore -. What cannot be said here is left out and
# named, never guessed.

VBLADE_DIR=/etc/vblade.conf.d
UNIT_DIRS="/etc/systemd/system /run/systemd/system"
GGAOED_CONF=/etc/ggaoed.conf

# left_out WHERE WHY
left_out() {
	note "$1: left out: $2"
	IMPORT_FAILED=1
}

cmd_import() {
	IMPORT_FAILED=0
	[ $# -gt 0 ] || misuse "import: needs vblade or ggaoed"
	from=$1
	shift
	simple "$@"
	parse_begin
	case $from in
	vblade) import_vblade "$@" ;;
	ggaoed) import_ggaoed "$@" ;;
	*) misuse "import: $from: expected vblade or ggaoed" ;;
	esac
	module_version
	MODULE=$REPLY KEEP='' DEFAULTS=N
	printf '# Made by aoetgt import %s; see aoetgt.conf(5).\n' "$from"
	for target in $WANT; do
		id_of "$target"
		eval "TEXT=\$W_$ID"
		write_section "$target"
	done
	[ "$IMPORT_FAILED" = 0 ] || exit 1
}

# add_import TARGET WHERE - TEXT. Several servers of one disk under one address,
# each on another interface, are one export here.
add_import() {
	if ! in_range "$1"; then
		left_out "$2" "$1: expected $EXPECTED"
		return
	fi
	id_of "$1"
	if has_word "$1" "$WANT"; then
		field interfaces
		more=$REPLY
		replace interfaces ''
		new=$TEXT
		eval "TEXT=\$W_$ID"
		field interfaces
		# shellcheck disable=SC2086 # words
		sorted $REPLY $more
		more=$REPLY
		replace interfaces ''
		if [ "$TEXT" != "$new" ]; then
			eval "more=\$P_$ID"
			left_out "$2" "$1 is another disk, or has other options, in $more"
			return
		fi
		replace interfaces "$more"
	else
		WANT="$WANT $1"
		SEEN="$SEEN $1"
		eval "P_$ID=\$2"
	fi
	eval "W_$ID=\$TEXT"
}

# --- vblade's command line ------------------------------------------------

# vblade_words WORD... - options and arguments in any order, as getopt takes
# them: TEXT is changed, and SHELF, SLOT, NETIF, FILENAME are set; or WHY not.
vblade_words() {
	SHELF='' SLOT='' NETIF='' FILENAME='' given=0
	while [ $# -gt 0 ]; do
		OPTIND=1
		while getopts :b:dsrm:o:l: letter; do
			vblade_option "$letter" "${OPTARG-}" || return 1
		done
		shift $((OPTIND - 1))
		[ $# -gt 0 ] || break
		given=$((given + 1))
		case $given in
		1) SHELF=$1 ;;
		2) SLOT=$1 ;;
		3) NETIF=$1 ;;
		4) FILENAME=$1 ;;
		esac
		shift
	done
	WHY="expected shelf slot netif filename"
	[ "$given" = 4 ] || return 1
	number "$SHELF" 0 65534 || { WHY="shelf $SHELF: expected $EXPECTED"; return 1; }
	SHELF=$REPLY
	number "$SLOT" 0 254 || { WHY="slot $SLOT: expected $EXPECTED"; return 1; }
	SLOT=$REPLY
	is_interface "$NETIF" || { WHY="$NETIF: not the name of an interface"; return 1; }
}

# vblade_option LETTER VALUE. Its -d and -s ask for what is always so here: no
# page cache, and no answer to a write before it is on stable media.
vblade_option() {
	case $1 in
	d | s) ;;
	r) replace read_only 1 ;;
	b)
		number "$2" 1 1000000 || { WHY="-b $2: expected $EXPECTED"; return 1; }
		[ "$REPLY" -ge 2 ] || REPLY=2
		[ "$REPLY" -le 4096 ] || REPLY=4096
		replace buffer_count "$REPLY"
		;;
	o)
		number "$2" 0 9007199254740991 || { WHY="-o $2: expected $EXPECTED"; return 1; }
		replace offset "$REPLY"
		;;
	l)
		number "$2" 0 9007199254740991 || { WHY="-l $2: expected $EXPECTED"; return 1; }
		replace length "$REPLY"
		;;
	m) vblade_macs "$2" ;;
	:)
		WHY="-$2: needs a value"
		return 1
		;;
	*)
		WHY="unknown option: -$2"
		return 1
		;;
	esac
}

# vblade_macs LIST - with commas; each with or without colons.
vblade_macs() {
	field mac_mask
	masked=$REPLY
	IFS=,
	# shellcheck disable=SC2086 # words
	set -- $1
	unset IFS
	for word; do
		with_colons "$word" || { WHY="-m $word: expected an address such as 020000000001"; return 1; }
		masked="$masked $REPLY"
	done
	macs 185 "$masked" || { WHY="-m: expected $EXPECTED"; return 1; }
	replace mac_mask "$REPLY"
}

with_colons() {
	digits='' rest=$1
	while :; do
		case $rest in
		*:*) digits=$digits${rest%%:*} rest=${rest#*:} ;;
		*) break ;;
		esac
	done
	rest=$digits$rest REPLY=
	[ "${#rest}" = 12 ] || return 1
	while [ -n "$rest" ]; do
		REPLY=$REPLY${REPLY:+:}${rest%"${rest#??}"}
		rest=${rest#??}
	done
	lower "$REPLY"
	is_mac "$REPLY"
}

# cmd_vblade - the export lives in the kernel, so this returns when it is up.
cmd_vblade() {
	blank_text
	vblade_words "$@" || misuse "vblade: $WHY"
	export_one "e$SHELF.$SLOT" "$FILENAME" "$NETIF"
	get "e$SHELF.$SLOT/size"
	printf 'e%s.%s, %s sectors\n' "$SHELF" "$SLOT" "$REPLY"
}

# --- vblade's fragments and units -----------------------------------------

# import_vblade [FILE|DIRECTORY...] - those of Debian's package by default.
import_vblade() {
	if [ $# -gt 0 ]; then
		for file; do
			import_vblade_one "$file"
		done
		return
	fi
	[ ! -d "$VBLADE_DIR" ] || import_vblade_one "$VBLADE_DIR"
	for where in $UNIT_DIRS; do
		set +f
		for file in "$where"/vblade*.service; do
			# A link to the template says nothing that the fragment does not.
			[ ! -f "$file" ] || [ -h "$file" ] || vblade_unit "$file"
		done
		set -f
	done
}

import_vblade_one() {
	if [ -d "$1" ]; then
		set +f
		for fragment in "$1"/*.conf; do
			set -f
			[ ! -f "$fragment" ] || vblade_fragment "$fragment"
			set +f
		done
		set -f
		return
	fi
	[ -r "$1" ] || { left_out "$1" "no such file"; return; }
	case $1 in
	*.service) vblade_unit "$1" ;;
	*) vblade_fragment "$1" ;;
	esac
}

forget_variables() {
	shelf='' slot='' netif='' filename='' options=''
}

# vblade_fragment FILE - and what drop-ins of its unit instance say.
vblade_fragment() {
	name=${1##*/}
	name=${name%.conf}
	forget_variables
	environment_file "$1" || return 0
	command=
	vblade_dropins "$name"
	if [ -n "$command" ]; then
		vblade_command "$1" "$command"
	else
		vblade_variables "$1"
	fi
}

# vblade_variables WHERE
vblade_variables() {
	# Debian's skeleton has comments only; vblade ignores what is incomplete.
	case "$shelf$slot$netif$filename" in
	'') return 0 ;;
	esac
	for name in shelf slot netif filename; do
		eval "[ -n \"\$$name\" ]" || { left_out "$1" "it has no $name"; return; }
	done
	blank_text
	# shellcheck disable=SC2086 # words
	if vblade_words $options "$shelf" "$slot" "$netif" "$filename"; then
		vblade_add "$1"
	else
		left_out "$1" "$WHY"
	fi
}

# vblade_add WHERE
vblade_add() {
	case $FILENAME in
	/*) ;;
	*)
		left_out "$1" "$FILENAME: expected an absolute path"
		return
		;;
	esac
	replace device "$FILENAME"
	replace interfaces "$NETIF"
	add_import "e$SHELF.$SLOT" "$1"
}

# environment_file FILE - name=value, as systemd reads it: nothing is expanded,
# so a fragment that is a program cannot be taken over.
environment_file() {
	LINE=0
	while IFS= read -r line || [ -n "$line" ]; do
		LINE=$((LINE + 1))
		trim "$line"
		case $REPLY in
		'' | '#'* | ';'*) ;;
		*=*)
			assignment "${REPLY%%=*}" "${REPLY#*=}" ||
				{ left_out "$1:$LINE" "$WHY"; return 1; }
			;;
		*)
			left_out "$1:$LINE" "expected name=value"
			return 1
			;;
		esac
	done <"$1"
}

# assignment NAME TEXT - of one of vblade's variables; others mean nothing here.
assignment() {
	case $1 in
	shelf | slot | netif | filename | options) ;;
	*) return 0 ;;
	esac
	WHY="$1=$2: expected a plain value, since this is no shell"
	case $2 in
	*[\$\`\\]*) return 1 ;;
	\"*\" | \'*\')
		given=${2#?}
		given=${given%?}
		case $given in
		*[\"\']*) return 1 ;;
		esac
		;;
	*[\"\']*) return 1 ;;
	*)
		# The shell, and so vblade's init script, ends it at a comment.
		trim "${2%% #*}"
		given=$REPLY
		;;
	esac
	eval "$1=\$given"
}

# vblade_dropins INSTANCE - of vblade@INSTANCE.service.
vblade_dropins() {
	for where in $UNIT_DIRS; do
		set +f
		for dropin in "$where"/vblade@*.service.d/*.conf; do
			set -f
			instance=${dropin%.service.d/*}
			unescape_instance "${instance##*/vblade@}"
			if [ -f "$dropin" ] && [ "$REPLY" = "$1" ]; then
				unit_lines "$dropin"
			fi
			set +f
		done
		set -f
	done
}

# unescape_instance NAME - as systemd does it for %I.
unescape_instance() {
	rest=$1 REPLY=
	while :; do
		part=${rest%%[-\\]*}
		REPLY=$REPLY$part
		rest=${rest#"$part"}
		case $rest in
		'') return ;;
		-*)
			REPLY=$REPLY/
			rest=${rest#?}
			;;
		\\x*)
			rest=${rest#??}
			[ -n "${CHAR_41-}" ] || { part=$REPLY kept=$rest; learn_characters; REPLY=$part rest=$kept; }
			eval "REPLY=\$REPLY\${CHAR_${rest%"${rest#??}"}-}"
			rest=${rest#??}
			;;
		*)
			REPLY=$REPLY${rest%"${rest#?}"}
			rest=${rest#?}
			;;
		esac
	done
}

# unit_lines FILE - what is said there of variables and of the command.
unit_lines() {
	# shellcheck disable=SC2094 # it is only named
	while IFS= read -r unit_line || [ -n "$unit_line" ]; do
		case $unit_line in
		Environment=*)
			unit_line=${unit_line#*=}
			unit_line=${unit_line#[\"\']}
			unit_line=${unit_line%[\"\']}
			assignment "${unit_line%%=*}" "${unit_line#*=}" || left_out "$1" "$WHY"
			;;
		EnvironmentFile=/* | EnvironmentFile=-/*)
			unit_line=${unit_line#*=}
			unit_line=${unit_line#-}
			[ ! -r "$unit_line" ] || environment_file "$unit_line" || :
			;;
		ExecStart=*) command=${unit_line#*=} ;;
		esac
	done <"$1"
}

# vblade_unit FILE - a unit of the administrator's own that runs vblade.
vblade_unit() {
	forget_variables
	command=
	unit_lines "$1"
	case $command in
	*vblade*) vblade_command "$1" "$command" ;;
	esac
}

# vblade_command WHERE COMMAND - its words, variables filled in.
vblade_command() {
	where=$1
	# shellcheck disable=SC2086 # words
	set -- $2
	while [ $# -gt 0 ]; do
		word=$1
		shift
		case $word in
		vblade | */vblade) break ;;
		esac
	done
	left=$#
	while [ "$left" -gt 0 ]; do
		word=$1
		shift
		left=$((left - 1))
		case $word in
		\$shelf | \$\{shelf\}) set -- "$@" "$shelf" ;;
		\$slot | \$\{slot\}) set -- "$@" "$slot" ;;
		\$netif | \$\{netif\}) set -- "$@" "$netif" ;;
		\$filename | \$\{filename\}) set -- "$@" "$filename" ;;
		\$options | \$\{options\})
			# shellcheck disable=SC2086 # words
			set -- "$@" $options
			;;
		*\$* | *%*)
			left_out "$where" "$word: expected a plain value"
			return
			;;
		*) set -- "$@" "$word" ;;
		esac
	done
	blank_text
	if vblade_words "$@"; then
		vblade_add "$where"
	else
		left_out "$where" "$WHY"
	fi
}

# --- ggaoed ---------------------------------------------------------------

# import_ggaoed [FILE]
import_ggaoed() {
	[ $# -le 1 ] || misuse "import ggaoed: too many arguments"
	FILE=${1-$GGAOED_CONF}
	[ -r "$FILE" ] || die "$FILE: no such file"
	DEVICES=0 LINE=0 group='' ACLS=$NL
	DEFAULTS_GGAOED=$NL
	while IFS= read -r line || [ -n "$line" ]; do
		LINE=$((LINE + 1))
		trim "$line"
		case $REPLY in
		'' | '#'*) ;;
		'['*']') ggaoed_group "$REPLY" ;;
		*=*) ggaoed_setting "$REPLY" ;;
		*) left_out "$FILE:$LINE" "expected [group] or key = value" ;;
		esac
	done <"$FILE"
	device=0
	while [ "$device" -lt "$DEVICES" ]; do
		device=$((device + 1))
		eval "ggaoed_device \"\$GN_$device\" \"\$GT_$device\""
	done
}

ggaoed_group() {
	group=${1#?}
	group=${group%?}
	case $group in
	defaults | acls) ;;
	*)
		DEVICES=$((DEVICES + 1))
		eval "GN_$DEVICES=\$group GT_$DEVICES=\$NL"
		;;
	esac
}

# ggaoed_setting "KEY = VALUE" - to the text of its group.
ggaoed_setting() {
	trim "${1%%=*}"
	key=$REPLY
	trim "${1#*=}"
	line=$key=$REPLY$NL
	case $group in
	'') left_out "$FILE:$LINE" "expected a [group] first" ;;
	defaults) DEFAULTS_GGAOED=$DEFAULTS_GGAOED$line ;;
	acls) ACLS=$ACLS$line ;;
	*) eval "GT_$DEVICES=\$GT_$DEVICES\$line" ;;
	esac
}

# ggaoed_get KEY - of the device, else of the defaults, in REPLY.
ggaoed_get() {
	for TEXT in "$GGAOED" "$DEFAULTS_GGAOED"; do
		case $TEXT in
		*"$NL$1="*)
			field "$1"
			return
			;;
		esac
	done
	REPLY=
}

# ggaoed_device NAME TEXT
ggaoed_device() {
	where="$FILE [$1]" GGAOED=$2
	ggaoed_get path
	path=$REPLY
	ggaoed_get uuid
	[ -n "$path" ] || [ -z "$REPLY" ] || path=/dev/disk/by-uuid/$REPLY
	ggaoed_get shelf
	shelf=$REPLY
	ggaoed_get slot
	slot=$REPLY
	case $path,$shelf,$slot in
	/*,?*,?*) ;;
	*)
		left_out "$where" "expected path, shelf and slot"
		return
		;;
	esac
	ggaoed_interfaces || { left_out "$where" "$WHY"; return; }
	bound=$REPLY
	ggaoed_mask || { left_out "$where" "$WHY"; return; }
	mask=$REPLY
	ggaoed_get queue-length
	queue=$REPLY
	ggaoed_get read-only
	read_only=$REPLY
	blank_text
	replace device "$path"
	replace interfaces "$bound"
	replace mac_mask "$mask"
	if [ -n "$queue" ]; then
		number "$queue" 2 4096 || { left_out "$where" "queue-length $queue: expected $EXPECTED"; return; }
		replace buffer_count "$REPLY"
	fi
	if [ -n "$read_only" ]; then
		boolean "$read_only" || { left_out "$where" "read-only $read_only: expected $EXPECTED"; return; }
		replace read_only "$REPLY"
	fi
	add_import "e$shelf.$slot" "$where"
}

# commas LIST - as words, in REPLY.
commas() {
	IFS=,
	# shellcheck disable=SC2086 # words
	set -- $1
	unset IFS
	REPLY=$*
	# shellcheck disable=SC2086 # without the blanks around them
	set -- $REPLY
	REPLY=$*
}

# ggaoed_interfaces - its patterns, as the interfaces that there are now.
ggaoed_interfaces() {
	ggaoed_get interfaces
	commas "$REPLY"
	WHY="expected interfaces"
	[ -n "$REPLY" ] || return 1
	found=
	for pattern in $REPLY; do
		case $pattern in
		*[*?[]*)
			set +f
			for dir in /sys/class/net/*; do
				# shellcheck disable=SC2254 # a pattern on purpose
				case ${dir##*/} in
				$pattern) found="$found ${dir##*/}" ;;
				esac
			done
			set -f
			;;
		*) found="$found $pattern" ;;
		esac
	done
	WHY="no interface is like: $REPLY"
	[ -n "$found" ] || return 1
	# shellcheck disable=SC2086 # words
	sorted $found
}

# ggaoed_mask - who is accepted and not denied. "All but these" has no mask.
ggaoed_mask() {
	ggaoed_get deny
	ggaoed_macs "$REPLY" || return 1
	denied=$REPLY
	ggaoed_get accept
	accept=$REPLY
	ggaoed_macs "$accept" || return 1
	if [ -z "$REPLY" ]; then
		WHY="deny: expected accept, since there is no list of those who are not admitted"
		[ -z "$denied" ] || return 1
		return 0
	fi
	admitted=
	for word in $REPLY; do
		has_word "$word" "$denied" || admitted="$admitted $word"
	done
	WHY="accept: nobody is left"
	[ -n "$admitted" ] || return 1
	macs 185 "$admitted" || { WHY="accept: expected $EXPECTED"; return 1; }
}

# ggaoed_macs LIST - names of lists, of machines in /etc/ethers, addresses.
ggaoed_macs() {
	commas "$1"
	todo=$REPLY known='' rounds=0
	while [ -n "$todo" ]; do
		rounds=$((rounds + 1))
		WHY="$1: lists that name each other"
		[ "$rounds" -lt 64 ] || return 1
		word=${todo%% *}
		case $todo in
		*' '*) todo=${todo#* } ;;
		*) todo= ;;
		esac
		if is_mac "$word"; then
			lower "$word"
			known="$known${known:+ }$REPLY"
			continue
		fi
		case $ACLS in
		*"$NL$word="*)
			TEXT=$ACLS
			field "$word"
			commas "$REPLY"
			todo="$REPLY${todo:+ }$todo"
			continue
			;;
		esac
		in_ethers "$word" || { WHY="$word: neither an address nor a list nor in /etc/ethers"; return 1; }
		known="$known${known:+ }$REPLY"
	done
	REPLY=$known
}

in_ethers() {
	[ -r /etc/ethers ] || return 1
	while read -r mac host _; do
		if [ "$host" = "$1" ] && is_mac "$mac"; then
			lower "$mac"
			return 0
		fi
	done </etc/ethers
	return 1
}
