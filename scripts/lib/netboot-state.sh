# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables of the other parts
# SPDX-License-Identifier: GPL-2.0
#
# What aoetgt-netboot(8) remembers, how it changes files, and how it goes back.
#
# $ETC/conf has lines key=value, in N_key. $ETC/clients, in STATE_TEXT, has
#
#	client MAC TARGET OWN NAME ADDRESS
#	overlay TARGET ID SECTORS STAMP MASTER
#
# OWN is export if we made the target, mask if it was there before, view if the
# client has a view of it. ID is - for the target's disk, the MAC of a view, or
# base for the disk that the target of views has itself. "-" stands for nothing.

CONF_KEYS="interface server address prefix first last tftp_root router dns style ipv6"

# --- going back -----------------------------------------------------------

STEPS=0
FILES=0
TEMPORARY=

# later COMMAND - to be done, last one first, if we fail.
later() {
	STEPS=$((STEPS + 1))
	eval "STEP_$STEPS=\$1"
}

# undo - the trap at exit.
undo() {
	status=$?
	trap - EXIT
	trap '' HUP INT TERM
	[ -z "$TEMPORARY" ] || rm -f "$TEMPORARY"
	if [ "$status" -ne 0 ]; then
		while [ "$STEPS" -gt 0 ]; do
			eval "step=\$STEP_$STEPS"
			STEPS=$((STEPS - 1))
			eval "$step" || note "going back: \"$step\" failed"
		done
	fi
	exit "$status"
}

# --- files ----------------------------------------------------------------

# content FILE - all of it, in REPLY; 1 if there is none.
content() {
	REPLY=
	[ -e "$1" ] || return 1
	REPLY=$(cat "$1" 2>/dev/null && echo .) || die "$1: cannot be read"
	REPLY=${REPLY%.}
}

# install_text FILE TEXT
install_text() {
	[ -d "${1%/*}" ] || message=$(mkdir -p "${1%/*}" 2>&1) ||
		die "cannot make ${1%/*}: ${message##*: }"
	INSTALL=$2
	write_file "$1" print_install 0
}

print_install() {
	printf '%s' "$INSTALL"
}

# change_file FILE TEXT - if it is not so already.
change_file() {
	if content "$1"; then
		[ "$REPLY" != "$2" ] || return 0
		keep_old "$1" "$REPLY" 1
	else
		keep_old "$1" '' 0
	fi
	install_text "$1" "$2"
}

# drop_file FILE
drop_file() {
	content "$1" || return 0
	keep_old "$1" "$REPLY" 1
	rm -f "$1" || die "$1: cannot remove it"
}

# keep_old FILE TEXT THERE
keep_old() {
	FILES=$((FILES + 1))
	eval "FILE_$FILES=\$1 OLD_$FILES=\$2 THERE_$FILES=\$3"
	later "restore_file $FILES"
}

restore_file() {
	eval "file=\$FILE_$1 text=\$OLD_$1 there=\$THERE_$1"
	if [ "$there" = 1 ]; then
		(install_text "$file" "$text")
	else
		rm -f "$file"
	fi
}

# --- what is remembered ---------------------------------------------------

# my_lock - one at a time; daemons that we start must not inherit it.
my_lock() {
	mkdir -p "$MY_RUN" 2>/dev/null || die "cannot make $MY_RUN: it takes root"
	{ command exec 8>>"$MY_RUN/lock"; } 2>/dev/null || die "cannot lock: it takes root"
	flock -w 60 8 || die "another $PROGRAM has been at work for a minute"
}

read_conf() {
	for key in $CONF_KEYS; do
		eval "N_$key="
	done
	[ -e "$ETC/conf" ] || return 1
	while IFS= read -r line; do
		key=${line%%=*}
		case $line in
		'#'* | '') continue ;;
		esac
		has_word "$key" "$CONF_KEYS" || die "$ETC/conf: \"$line\": expected one of $CONF_KEYS"
		eval "N_$key=\${line#*=}"
	done <"$ETC/conf"
}

need_conf() {
	read_conf || die "not set up yet: $PROGRAM init --interface IF"
	read_state
}

conf_text() {
	REPLY="# Written by $PROGRAM init; see $PROGRAM(8).$NL"
	text=$REPLY
	for key in $CONF_KEYS; do
		eval "text=\$text\$key=\$N_$key\$NL"
	done
	REPLY=$text
}

read_state() {
	STATE_TEXT=$NL
	! content "$ETC/clients" || STATE_TEXT=$NL$REPLY
}

# write_state - what daemons are told is made of it, too: see hosts_files.
write_state() {
	change_file "$ETC/clients" "${STATE_TEXT#"$NL"}"
}

# remember LINE / forget "KIND KEY"
remember() {
	case $STATE_TEXT in
	"$NL") STATE_TEXT="$NL# Written by $PROGRAM; see $PROGRAM(8).$NL" ;;
	esac
	STATE_TEXT=$STATE_TEXT$1$NL
}

forget() {
	case $STATE_TEXT in
	*"$NL$1 "*) ;;
	*) return 0 ;;
	esac
	rest=${STATE_TEXT#*"$NL$1 "}
	STATE_TEXT=${STATE_TEXT%%"$NL$1 "*}$NL${rest#*"$NL"}
}

# recall "KIND KEY" - the rest of that line, in REPLY.
recall() {
	REPLY=
	case $STATE_TEXT in
	*"$NL$1 "*) ;;
	*) return 1 ;;
	esac
	REPLY=${STATE_TEXT#*"$NL$1 "}
	REPLY=${REPLY%%"$NL"*}
}

# find_client MAC - C_TARGET, C_OWN, C_NAME, C_ADDRESS.
find_client() {
	recall "client $1" || return 1
	# shellcheck disable=SC2086 # words
	set -- $REPLY
	[ $# -ge 4 ] || die "$ETC/clients: \"client ... $*\": expected four more words"
	C_TARGET=$1 C_OWN=$2 C_NAME=${3#-} C_ADDRESS=${4#-}
}

# find_overlay TARGET ID - O_SECTORS, O_STAMP, O_MASTER.
find_overlay() {
	recall "overlay $1 $2" || return 1
	O_SECTORS=${REPLY%% *}
	REPLY=${REPLY#* }
	O_STAMP=${REPLY%% *} O_MASTER=${REPLY#* }
}

# client_overlay - of the client that was found: O_ID, or 1 if it has none.
client_overlay() {
	O_ID=-
	[ "$C_OWN" != view ] || O_ID=$1
	find_overlay "$C_TARGET" "$O_ID"
}

# all_clients - their MACs; all_overlays - TARGET/ID; in REPLY.
all_clients() {
	keys client
}

all_overlays() {
	keys overlay
}

keys() {
	REPLY='' rest=$STATE_TEXT
	while :; do
		case $rest in
		*"$NL$1 "*) ;;
		*) break ;;
		esac
		rest=${rest#*"$NL$1 "}
		word=${rest%% *}
		if [ "$1" = overlay ]; then
			word=${rest#* }
			word=${rest%% *}/${word%% *}
		fi
		REPLY="$REPLY${REPLY:+ }$word"
	done
}

# clients_of TARGET - the MACs of ours that have it, in REPLY.
clients_of() {
	all_clients
	these='' known=$REPLY
	for mac in $known; do
		find_client "$mac"
		[ "$C_TARGET" != "$1" ] || these="$these${these:+ }$mac"
	done
	REPLY=$these
}

# --- IPv4 -----------------------------------------------------------------

# to_number ADDRESS - in REPLY; 1 if it is none.
to_number() {
	case $1 in
	*[!0-9.]* | *..* | .* | *. | '') return 1 ;;
	esac
	IFS=.
	# shellcheck disable=SC2086 # words
	set -- $1
	unset IFS
	[ $# -eq 4 ] || return 1
	REPLY=0
	for byte; do
		case $byte in
		0?* | ????*) return 1 ;;
		esac
		[ "$byte" -le 255 ] || return 1
		REPLY=$((REPLY * 256 + byte))
	done
}

to_address() {
	REPLY=$(($1 >> 24)).$(($1 >> 16 & 255)).$(($1 >> 8 & 255)).$(($1 & 255))
}

# subnet - NET, BROADCAST and SELF as numbers, of N_address and N_prefix.
subnet() {
	to_number "$N_address" || die "$ETC/conf: address: \"$N_address\": expected an address"
	SELF=$REPLY
	size=$((1 << (32 - N_prefix)))
	NET=$((SELF & ~(size - 1))) BROADCAST=$((SELF | (size - 1)))
	to_address "$((4294967295 & ~(size - 1)))"
	NETMASK=$REPLY
}

# host_number ADDRESS - of a machine in our network, which is not ours.
host_number() {
	to_number "$1" || { WHY="$1: not an IPv4 address"; return 1; }
	if [ "$REPLY" -le "$NET" ] || [ "$REPLY" -ge "$BROADCAST" ]; then
		number=$REPLY
		to_address "$NET"
		WHY="$1 is not an address of a machine in $REPLY/$N_prefix, the network of $N_interface"
		REPLY=$number
		return 1
	elif [ "$REPLY" = "$SELF" ]; then
		WHY="$1 is this server's own address"
		return 1
	fi
}
