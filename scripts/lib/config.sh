# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables of the other parts
# SPDX-License-Identifier: GPL-2.0
#
# The configuration file, aoetgt.conf(5): its values, the one parser, the one
# writer.
#
# A target's settings are one text of lines "key=value", each key once and in a
# fixed order, each value in one spelling only: two targets are alike if their
# texts are. The text of target e7.1 is in W_e7_1 if a file wants it so, in
# H_e7_1 if the kernel has it so.

# All settings, in the order of the text. "views" ends it, and the lines
# "view MAC key=value" of each view follow.
KEYS="device offset length read_only discard write_cache buffer_count max_sectors \
config_string mac_mask mac_mask_remote reserved_by model serial firmware cgroup \
interfaces enable"
VIEW_KEYS="device offset length read_only enable"
# What cannot hold for several exports is no default.
NO_DEFAULT="device offset length serial reserved_by"
# What clients may change over the wire.
WIRE_KEYS="config_string reserved_by mac_mask"
MAC='[0-9a-fA-F][0-9a-fA-F]:[0-9a-fA-F][0-9a-fA-F]:[0-9a-fA-F][0-9a-fA-F]'
MAC=$MAC:$MAC
HEX='[0-9a-fA-F]'
# The journal has what was made by hand and has no device yet, too.
IN_JOURNAL=0

# preset KEY - what the module has when nobody says otherwise. Empty for the
# strings of IDENTIFY, which the module makes up.
preset() {
	case $1 in
	write_cache) REPLY=through ;;
	buffer_count) REPLY=128 ;;
	enable) REPLY=1 ;;
	read_only | discard | offset | length | max_sectors | mac_mask_remote) REPLY=0 ;;
	*) REPLY= ;;
	esac
}

# blank_text - TEXT with the module's own settings.
blank_text() {
	TEXT=$NL
	for key in $KEYS; do
		preset "$key"
		TEXT=$TEXT$key=$REPLY$NL
	done
	TEXT=${TEXT}views=$NL
}

# --- strings --------------------------------------------------------------
#
# A config string is any bytes, so it is kept in escaped form: printable ASCII
# is itself, but for \\ and \", all else is \xHH.

# escape TEXT - of a string without NUL.
escape() {
	REPLY=$1
	case $1 in
	*[!\ -~]*)
		# shellcheck disable=SC2046 # words
		escape_bytes $(printf '%s' "$1" | od -An -v -tx1)
		;;
	*[\\\"]*) escape_quotes ;;
	esac
}

escape_quotes() {
	rest=$REPLY REPLY=
	while :; do
		part=${rest%%[\\\"]*}
		REPLY=$REPLY$part
		rest=${rest#"$part"}
		case $rest in
		'') break ;;
		\\*) REPLY="$REPLY\\\\" ;;
		*) REPLY="$REPLY\\\"" ;;
		esac
		rest=${rest#?}
	done
}

# escape_bytes HH...
escape_bytes() {
	[ -n "${CHAR_41-}" ] || learn_characters
	REPLY=
	for byte; do
		eval "REPLY=\$REPLY\${CHAR_$byte-\\\\x$byte}"
	done
}

# learn_characters - CHAR_HH is the escaped form of each printable byte.
learn_characters() {
	rest=' !"#$%&'\''()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`'
	rest=$rest'abcdefghijklmnopqrstuvwxyz{|}~'
	digits=0123456789abcdef
	code=32
	while [ -n "$rest" ]; do
		part=${rest%"${rest#?}"}
		rest=${rest#?}
		case $part in
		\\ | \") part=\\$part ;;
		esac
		nibble "$((code / 16))"
		byte=$REPLY
		nibble "$((code % 16))"
		eval "CHAR_$byte$REPLY=\$part"
		code=$((code + 1))
	done
}

# nibble NUMBER - its hexadecimal digit.
nibble() {
	case $1 in
	10) REPLY=a ;;
	11) REPLY=b ;;
	12) REPLY=c ;;
	13) REPLY=d ;;
	14) REPLY=e ;;
	15) REPLY=f ;;
	*) REPLY=$1 ;;
	esac
}

# to_format ESCAPED - what printf turns into the bytes.
to_format() {
	rest=$1 REPLY=
	while :; do
		part=${rest%%[\\%]*}
		REPLY=$REPLY$part
		rest=${rest#"$part"}
		case $rest in
		'') break ;;
		%*)
			REPLY="$REPLY%%"
			rest=${rest#?}
			;;
		\\x*)
			rest=${rest#??}
			code=$((0x${rest%"${rest#??}"}))
			rest=${rest#??}
			REPLY="$REPLY\\$((code / 64))$((code / 8 % 8))$((code % 8))"
			;;
		\\\"*)
			REPLY=$REPLY\"
			rest=${rest#??}
			;;
		*)
			REPLY="$REPLY\\\\"
			rest=${rest#??}
			;;
		esac
	done
}

# string_length ESCAPED - in bytes.
string_length() {
	rest=$1 escapes=0
	while :; do
		case $rest in
		*\\*) rest=${rest#*\\} ;;
		*) break ;;
		esac
		case $rest in
		x*) escapes=$((escapes + 3)) ;;
		*) escapes=$((escapes + 1)) rest=${rest#?} ;;
		esac
	done
	REPLY=$((${#1} - escapes))
}

# unquote VALUE - from the file's "..." to the escaped form.
unquote() {
	rest=${1#?} REPLY=
	while :; do
		part=${rest%%[\\\"]*}
		REPLY=$REPLY$part
		rest=${rest#"$part"}
		case $rest in
		\") break ;;
		\"* | '')
			EXPECTED='a closing " at the end of the line'
			return 1
			;;
		\\[\\\"]*) REPLY=$REPLY${rest%"${rest#??}"} ;;
		\\n*) REPLY="$REPLY\\x0a" ;;
		\\t*) REPLY="$REPLY\\x09" ;;
		\\x$HEX$HEX*)
			take_hex
			continue
			;;
		*)
			EXPECTED='one of \\ \" \n \t \xHH after a backslash'
			return 1
			;;
		esac
		rest=${rest#??}
	done
	# Bytes that are in the file as they are.
	case $REPLY in
	*[!\ -~]*) escape_foreign ;;
	esac
}

# take_hex - \xHH at the front of rest; a printable byte as itself.
take_hex() {
	[ -n "${CHAR_41-}" ] || { saved=$REPLY kept=$rest; learn_characters; REPLY=$saved rest=$kept; }
	rest=${rest#??}
	byte=${rest%"${rest#??}"}
	rest=${rest#??}
	# In lower case, without a process.
	saved=$REPLY
	nibble "$((0x$byte / 16))"
	part=$REPLY
	nibble "$((0x$byte % 16))"
	byte=$part$REPLY
	eval "REPLY=\$saved\${CHAR_$byte-\\\\x$byte}"
}

# escape_foreign - bytes of REPLY that are not ASCII; escapes stay.
escape_foreign() {
	# shellcheck disable=SC2046 # words
	set -- $(printf '%s' "$REPLY" | od -An -v -tx1)
	[ -n "${CHAR_41-}" ] || learn_characters
	REPLY=
	for byte; do
		case $byte in
		5c) REPLY="$REPLY\\" ;;
		22) REPLY="$REPLY\"" ;;
		*) eval "REPLY=\$REPLY\${CHAR_$byte-\\\\x$byte}" ;;
		esac
	done
}

# plain ESCAPED - as a shell's variable can have it: no NUL, no newline.
plain() {
	case $1 in
	*\\*) ;;
	*)
		REPLY=$1
		return 0
		;;
	esac
	string_length "$1"
	length=$REPLY
	to_format "$1"
	# shellcheck disable=SC2059 # made for this
	REPLY=$(printf -- "$REPLY.")
	REPLY=${REPLY%.}
	# A NUL has been dropped on the way.
	[ "${#REPLY}" = "$length" ] || return 1
	case $REPLY in
	*"$NL"*) return 1 ;;
	esac
}

# quoted VALUE - as it is written to the file: in quotes where it must be.
quoted() {
	case $1 in
	'' | [\ \"]* | *\  | *' #'* | *' ;'* | *[!\ -~]*)
		escape "$1"
		REPLY="\"$REPLY\""
		;;
	*) REPLY=$1 ;;
	esac
}

# --- values ---------------------------------------------------------------

# number VALUE LEAST MOST - in REPLY, without leading zeros; or EXPECTED.
number() {
	EXPECTED="a number from $2 to $3"
	case $1 in
	'' | *[!0-9]*) return 1 ;;
	esac
	REPLY=${1#"${1%%[!0]*}"}
	REPLY=${REPLY:-0}
	[ "${#REPLY}" -le 18 ] && [ "$REPLY" -ge "$2" ] && [ "$REPLY" -le "$3" ]
}

boolean() {
	EXPECTED="0 or 1"
	case $1 in
	0 | no | off | false) REPLY=0 ;;
	1 | yes | on | true) REPLY=1 ;;
	*) return 1 ;;
	esac
}

# is_mac WORD - the address of an interface, with colons.
is_mac() {
	# shellcheck disable=SC2254 # a pattern on purpose
	case $1 in
	?[13579bBdDfF]:*) return 1 ;;
	$MAC) return 0 ;;
	esac
	return 1
}

# lower WORD - in lower case, in REPLY; without a process where it is already.
lower() {
	REPLY=$1
	case $1 in
	*[A-F]*) REPLY=$(printf '%s' "$1" | tr A-F a-f) ;;
	esac
}

# macs MOST LIST
macs() {
	EXPECTED="addresses such as 02:00:00:00:00:01, with blanks between"
	most=$1
	lower "$2"
	# shellcheck disable=SC2086 # words
	set -- $REPLY
	for word; do
		is_mac "$word" || return 1
	done
	sorted "$@"
	# shellcheck disable=SC2086 # words
	set -- $REPLY
	EXPECTED="at most $most addresses"
	[ $# -le "$most" ]
}

# ident MOST VALUE - a string of IDENTIFY DEVICE.
ident() {
	EXPECTED="at most $1 printable characters"
	[ "${#2}" -le "$1" ] || return 1
	case $2 in
	*[!\ -~]*) return 1 ;;
	esac
	REPLY=$2
}

# is_interface WORD - can it be one's name?
is_interface() {
	case $1 in
	'' | . | .. | */* | *:* | *[[:space:]]* | ????????????????*) return 1 ;;
	esac
	return 0
}

interfaces() {
	EXPECTED="names of interfaces, with blanks between"
	# shellcheck disable=SC2086 # words
	set -- $1
	for word; do
		is_interface "$word" || return 1
	done
	sorted "$@"
}

# words_of LIST ALLOWED
words_of() {
	allowed=$2
	EXPECTED="any of: $2"
	# shellcheck disable=SC2086 # words
	set -- $1
	for word; do
		has_word "$word" "$allowed" || return 1
	done
	sorted "$@"
}

# value KEY ESCAPED - the one spelling of the value, in REPLY; or EXPECTED.
value() {
	if [ "$1" = config_string ]; then
		EXPECTED="at most 1024 bytes"
		string_length "$2"
		[ "$REPLY" -le 1024 ] || return 1
		REPLY=$2
		return 0
	fi
	plain "$2" || { EXPECTED="no newline and no NUL"; return 1; }
	case $1 in
	device)
		EXPECTED="an absolute path"
		case $REPLY in
		/*) return 0 ;;
		'') [ "$IN_JOURNAL" = 1 ] ;;
		*) return 1 ;;
		esac
		;;
	cgroup)
		EXPECTED="nothing, or a path from the root of cgroups"
		case $REPLY in
		'' | /*) return 0 ;;
		*) return 1 ;;
		esac
		;;
	offset | length) number "$REPLY" 0 9007199254740991 ;;
	buffer_count) number "$REPLY" 2 4096 ;;
	max_sectors) number "$REPLY" 0 127 ;;
	read_only | discard | mac_mask_remote | enable) boolean "$REPLY" ;;
	write_cache)
		EXPECTED="through or back"
		[ "$REPLY" = through ] || [ "$REPLY" = back ]
		;;
	mac_mask) macs 185 "$REPLY" ;;
	reserved_by) macs 224 "$REPLY" ;;
	model) ident 40 "$REPLY" ;;
	serial) ident 20 "$REPLY" ;;
	firmware) ident 8 "$REPLY" ;;
	interfaces) interfaces "$REPLY" ;;
	keep) words_of "$REPLY" "$WIRE_KEYS" ;;
	esac
}

# --- the parser -----------------------------------------------------------
#
# A mistake is told with file and line, and what was expected there; its section
# is left out, and parsing goes on, so that one bad export does not take others
# along. PARSE_ERRORS counts.

# Sections so far: WANT the addresses, in order.
parse_begin() {
	for target in ${SEEN-}; do
		id_of "$target"
		unset "P_$ID" "WV_$ID" "W_$ID"
	done
	WANT='' SEEN='' VIEWED='' PARSE_ERRORS=0 PARSE_MAIN=1 BAD_TARGETS='' DEFAULTS_BAD=0 G_BAD=0
	forget_keys D
	forget_keys S
}

# parse FILE... - all of them; "-" is standard input. Defaults of the first hold
# for the others, too.
parse() {
	parse_begin
	for file; do
		case $file in
		-) parse_lines "standard input" ;;
		*)
			if [ -d "$file" ] || [ ! -r "$file" ]; then
				missing_file "$file"
				continue
			fi
			# shellcheck disable=SC2094 # it is only named
			parse_lines "$file" <"$file"
			;;
		esac
		# What a fragment says on defaults ends with the fragment.
		if [ "$PARSE_MAIN" = 1 ]; then
			save_defaults
			PARSE_MAIN=0
		else
			recall_defaults
		fi
	done
	assemble
}

missing_file() {
	if [ -d "$1" ]; then
		note "$1: a directory, and no configuration file"
	elif [ -e "$1" ]; then
		note "$1: cannot be read"
	else
		note "$1: no such file"
	fi
	PARSE_ERRORS=$((PARSE_ERRORS + 1))
}

# config_files - those at their usual place, in REPLY, one a line: names may
# have blanks.
config_files() {
	REPLY=
	[ ! -e "$CONF" ] || REPLY=$CONF
	set +f
	for file in "$CONF_D"/*.conf; do
		[ ! -f "$file" ] || REPLY=$REPLY${REPLY:+$NL}$file
	done
	set -f
}

# parse_usual - these.
parse_usual() {
	config_files
	IFS=$NL
	# shellcheck disable=SC2086 # lines
	set -- $REPLY
	unset IFS
	# Without the main file there are no defaults for fragments.
	case ${1-} in
	"$CONF" | '') parse "$@" ;;
	*) parse /dev/null "$@" ;;
	esac
}

# forget_keys PREFIX - of the section, S, or of the defaults, D.
forget_keys() {
	for key in $KEYS keep; do
		unset "$1_$key"
	done
}

save_defaults() {
	for key in $KEYS keep; do
		eval "unset G_$key; [ -z \"\${D_$key+x}\" ] || G_$key=\$D_$key"
	done
	G_BAD=$DEFAULTS_BAD
}

recall_defaults() {
	for key in $KEYS keep; do
		eval "unset D_$key; [ -z \"\${G_$key+x}\" ] || D_$key=\$G_$key"
	done
	DEFAULTS_BAD=$G_BAD
}

# wrong WHAT EXPECTED - on this line.
wrong() {
	note "$FILE:${LINE##* }: $1: expected $2"
	PARSE_ERRORS=$((PARSE_ERRORS + 1))
	SECTION_BAD=1
}

parse_lines() {
	FILE=$1 SECTION='' SECTION_BAD=0
	# Not with read, which takes a system call for each byte. cat numbers the
	# lines, so that splitting keeps empty ones.
	IFS=$NL
	# shellcheck disable=SC2013 # lines it is
	for line in $(cat -n); do
		unset IFS
		LINE=${line%%	*}
		# Files from elsewhere end their lines with a carriage return.
		line=${line#*	}
		trim "${line%[[:cntrl:]]}"
		case $REPLY in
		'' | '#'* | ';'*) ;;
		'['*) parse_header "$REPLY" ;;
		*=*) parse_setting "$REPLY" ;;
		*) wrong "\"$REPLY\"" "[section] or setting = value" ;;
		esac
	done
	unset IFS
	section_end
}

# trim TEXT - without blanks at its ends.
trim() {
	REPLY=${1#"${1%%[! 	]*}"}
	REPLY=${REPLY%"${REPLY##*[! 	]}"}
}

# parse_header "[...]"
parse_header() {
	section_end
	header=${1#?}
	SECTION_BAD=0 SECTION=bad SECTION_LINE=${LINE##* }
	case $header in
	*']') header=${header%?} ;;
	*)
		wrong "[$header" "a closing ]"
		return
		;;
	esac
	# shellcheck disable=SC2086 # words
	trim "$header"
	header=$REPLY
	case $header in
	defaults)
		SECTION=defaults
		;;
	*' view '*) view_header "${header%% view *}" "${header#* view }" ;;
	*)
		if in_range "$header"; then
			target_header "$header"
		else
			wrong "[$header]" "$EXPECTED"
		fi
		;;
	esac
}

# in_range WORD - an address in its one spelling.
in_range() {
	EXPECTED="an address such as [e7.1], or [defaults]"
	is_target "$1" || return 1
	case $1 in
	e0[0-9]* | *.0[0-9]*) return 1 ;;
	esac
	EXPECTED="shelf 0 to 65534 but 4095, slot 0 to 254"
	shelf=${1%.*}
	shelf=${shelf#e}
	slot=${1#*.}
	[ "${#shelf}" -le 5 ] && [ "$shelf" -le 65534 ] && [ "$shelf" -ne 4095 ] &&
		[ "${#slot}" -le 3 ] && [ "$slot" -le 254 ]
}

target_header() {
	id_of "$1"
	eval "place=\${P_$ID-}"
	if has_word "$1" "$WANT $BAD_TARGETS"; then
		wrong "[$1]" "one section for an address, and $place has it already"
		# Which of two disks is meant? Neither, then.
		BAD_TARGETS="$BAD_TARGETS $1"
		return
	fi
	eval "P_$ID=\$FILE:\${LINE##* }"
	SEEN="$SEEN $1"
	SECTION=target SECTION_TARGET=$1
}

# view_header TARGET MAC
view_header() {
	if ! in_range "$1"; then
		wrong "[$1 view $2]" "$EXPECTED"
		return
	fi
	lower "$2"
	if ! is_mac "$REPLY"; then
		wrong "[$1 view $2]" "the client's address, such as [e7.1 view 02:00:00:00:00:01]"
		return
	fi
	SECTION=view SECTION_TARGET=$1 SECTION_MAC=$REPLY
	SEEN="$SEEN $1"
	id_of "$1"
	eval "views=\${WV_$ID-}"
	if has_word "$SECTION_MAC" "$views"; then
		wrong "[$1 view $SECTION_MAC]" "one section for a view"
		SECTION=bad
	fi
}

# parse_setting "KEY = VALUE"
parse_setting() {
	[ "$SECTION" != bad ] || return 0
	trim "${1%%=*}"
	key=$REPLY
	trim "${1#*=}"
	given=$REPLY
	case $SECTION in
	'')
		wrong "$key" "a [section] first"
		return
		;;
	view) known=$VIEW_KEYS ;;
	*) known="$KEYS keep" ;;
	esac
	known_key "$key" "$known" || return 0
	eval "[ -z \"\${S_$key+x}\" ]" || { wrong "$key" "each setting once in a section"; return; }
	parse_value "$key" "$given" || return 0
	eval "S_$key=\$REPLY"
}

known_key() {
	if ! has_word "$1" "$2"; then
		wrong "\"$1\"" "one of $2"
		return 1
	fi
	if [ "$SECTION" = defaults ] && has_word "$1" "$NO_DEFAULT"; then
		wrong "$1" "a setting that several exports can share"
		return 1
	fi
}

# parse_value KEY TEXT - in REPLY.
parse_value() {
	case $2 in
	\"*) unquote "$2" || { wrong "$1 = $2" "$EXPECTED"; return 1; } ;;
	*' #'* | *' ;'*)
		wrong "$1 = $2" "a comment on a line of its own, or the value in quotes"
		return 1
		;;
	*) escape "$2" ;;
	esac
	value "$1" "$REPLY" || { wrong "$1 = $2" "$EXPECTED"; return 1; }
}

# section_end - make a text of what was set.
section_end() {
	case $SECTION,$SECTION_BAD in
	defaults,0) defaults_end ;;
	# Exports without them could be open to everybody.
	defaults,1) DEFAULTS_BAD=1 ;;
	target,0) target_end ;;
	target,1) BAD_TARGETS="$BAD_TARGETS $SECTION_TARGET" ;;
	view,0) view_end ;;
	view,1) BAD_TARGETS="$BAD_TARGETS $SECTION_TARGET" ;;
	esac
	forget_keys S
	SECTION=
}

defaults_end() {
	for key in $KEYS keep; do
		eval "[ -z \"\${S_$key+x}\" ] || D_$key=\$S_$key"
	done
}

target_end() {
	if [ -z "${S_device+x}" ]; then
		LINE=$SECTION_LINE
		wrong "[$SECTION_TARGET]" "a setting device"
		BAD_TARGETS="$BAD_TARGETS $SECTION_TARGET"
		return
	fi
	if [ "$DEFAULTS_BAD" = 1 ]; then
		note "$FILE:$SECTION_LINE: [$SECTION_TARGET] left out, for the mistake in [defaults]"
		BAD_TARGETS="$BAD_TARGETS $SECTION_TARGET"
		return
	fi
	TEXT=$NL
	for key in $KEYS; do
		preset "$key"
		eval "TEXT=\$TEXT\$key=\${S_$key-\${D_$key-\$REPLY}}\$NL"
	done
	id_of "$SECTION_TARGET"
	eval "W_$ID=\$TEXT; K_$ID=\${S_keep-\${D_keep-}}; F_$ID=\$FILE"
	WANT="$WANT $SECTION_TARGET"
}

view_end() {
	if [ -z "${S_device+x}" ]; then
		LINE=$SECTION_LINE
		wrong "[$SECTION_TARGET view $SECTION_MAC]" "a setting device"
		BAD_TARGETS="$BAD_TARGETS $SECTION_TARGET"
		return
	fi
	TEXT=
	for key in $VIEW_KEYS; do
		preset "$key"
		eval "TEXT=\"\${TEXT}view \$SECTION_MAC \$key=\${S_$key-\$REPLY}\$NL\""
	done
	id_of "$SECTION_TARGET"
	variable_of_mac "$SECTION_MAC"
	eval "WVT_${ID}_$REPLY=\$TEXT; WV_$ID=\"\${WV_$ID-} \$SECTION_MAC\"; WVP_$ID=\$FILE:\$SECTION_LINE"
	VIEWED="$VIEWED $SECTION_TARGET"
}

variable_of_mac() {
	REPLY=${1%%:*}
	rest=$1
	while :; do
		case $rest in
		*:*) rest=${rest#*:} REPLY=$REPLY${rest%%:*} ;;
		*) break ;;
		esac
	done
}

# assemble - the views into their targets' texts; bad targets out.
assemble() {
	good=
	for target in $WANT; do
		! has_word "$target" "$BAD_TARGETS" || continue
		good="$good $target"
		id_of "$target"
		eval "views=\${WV_$ID-}"
		if [ -z "$views" ]; then
			eval "W_$ID=\${W_$ID}views=\$NL"
			continue
		fi
		# shellcheck disable=SC2086 # words
		sorted $views
		views=$REPLY
		eval "TEXT=\${W_$ID}views=\$views\$NL"
		for mac in $views; do
			variable_of_mac "$mac"
			eval "TEXT=\$TEXT\$WVT_${ID}_$REPLY"
		done
		eval "W_$ID=\$TEXT"
	done
	WANT=$good
	for target in $VIEWED; do
		has_word "$target" "$WANT $BAD_TARGETS" || lone_view "$target"
	done
}

lone_view() {
	id_of "$1"
	eval "place=\$WVP_$ID"
	note "$place: a view of $1: expected a section [$1], too"
	PARSE_ERRORS=$((PARSE_ERRORS + 1))
	BAD_TARGETS="$BAD_TARGETS $1"
}

# --- the writer -----------------------------------------------------------

# write_value KEY VALUE
write_value() {
	if [ "$1" = config_string ]; then
		printf '%s = "%s"\n' "$1" "$2"
		return
	fi
	quoted "$2"
	printf '%s = %s\n' "$1" "$REPLY"
}

# write_section TARGET - of TEXT, and KEEP: what is not as the defaults have it,
# which are in the variables that begin with DEFAULTS: D, or N for none.
# The serial is always written: the module's own is made of the machine's name,
# and clients know the disk by it.
write_section() {
	printf '\n[%s]\n' "$1"
	for key in $KEYS; do
		field "$key"
		now=$REPLY
		preset "$key"
		case $key in
		model) usual=aoetgt ;;
		firmware) usual=$MODULE ;;
		*) usual=$REPLY ;;
		esac
		eval "usual=\${${DEFAULTS}_$key-\$usual}"
		# An empty string of IDENTIFY is the module's own.
		case $key,$now in
		model, | serial, | firmware,) continue ;;
		esac
		if [ "$now" != "$usual" ] || [ "$key" = device ]; then
			write_value "$key" "$now"
		fi
	done
	eval "usual=\${${DEFAULTS}_keep-}"
	[ "$KEEP" = "$usual" ] || write_value keep "$KEEP"
	field views
	for mac in $REPLY; do
		printf '\n[%s view %s]\n' "$1" "$mac"
		for key in $VIEW_KEYS; do
			field "view $mac $key"
			now=$REPLY
			preset "$key"
			if [ "$now" != "$REPLY" ] || [ "$key" = device ]; then
				write_value "$key" "$now"
			fi
		done
	done
}

# write_defaults - those that the parser found.
write_defaults() {
	header=
	for key in $KEYS keep; do
		eval "[ -n \"\${D_$key+x}\" ]" || continue
		[ -n "$header" ] || printf '\n[defaults]\n'
		header=1
		eval "now=\$D_$key"
		write_value "$key" "$now"
	done
}
