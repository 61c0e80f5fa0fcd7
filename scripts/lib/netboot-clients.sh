# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables of the other parts
# SPDX-License-Identifier: GPL-2.0
#
# The clients of aoetgt-netboot(8), and their exports.

# --- exports --------------------------------------------------------------

# ours COMMAND... - aoetgt, which tells itself what is wrong.
ours() {
	"$AOETGT" "$@" 8>&- || exit 1
}

# locked FUNCTION ARGUMENT... - while no aoetgt changes anything; WHY is told.
locked() {
	(
		exec 8>&-
		lock
		"$@" || die "$WHY"
	) || return 1
}

# mask_of TARGET - in REPLY, on one line.
mask_of() {
	get_words "$1/mac_mask"
}

# mask_without TARGET MAC - the others, in REPLY.
mask_without() {
	mask_of "$1"
	others=
	for word in $REPLY; do
		[ "$word" = "$2" ] || others="$others${others:+ }$word"
	done
	REPLY=$others
}

# admit TARGET MAC - besides those that are there.
admit() {
	mask_of "$1"
	! has_word "$2" "$REPLY" || return 0
	[ -n "$REPLY" ] || note "target $1 has admitted everybody; from now on only $2"
	later "locked put '$1/mac_mask' '$REPLY'"
	locked put "$1/mac_mask" "+$2" || exit 1
}

# turn_out TARGET MAC - a mask that becomes empty would admit everybody.
turn_out() {
	[ -d "$TARGETS/$1" ] || return 0
	mask_without "$1" "$2"
	if [ -n "$REPLY" ]; then
		locked put "$1/mac_mask" "-$2" || exit 1
	elif [ "$C_OWN" = export ]; then
		ours unexport "$1"
	else
		ours disable "$1"
		locked put "$1/mac_mask" "-$2" || exit 1
		note "target $1 is disabled: its mask has nobody left, and would admit everybody"
	fi
}

# --- add ------------------------------------------------------------------

# take_mac WORD - MAC, in lower case.
take_mac() {
	lower "$1"
	is_mac "$REPLY" || misuse "$1: not a MAC address, such as 02:00:00:00:00:01"
	MAC_GIVEN=$REPLY
}

# new_client MAC TARGET - can there be one, with that name and address?
new_client() {
	take_mac "$1"
	in_range "$2" || misuse "$2: not the address of a target, such as e7.1"
	name=${OPT_name-} address=${OPT_address-}
	case $name in
	*[!A-Za-z0-9-]* | -* | *-) misuse "--name: $name: only letters, digits, and - inside" ;;
	esac
	[ "${#name}" -le 63 ] || misuse "--name: more than 63 letters"
	need_conf
	subnet
	my_lock
	read_state
	! find_client "$MAC_GIVEN" ||
		die "$MAC_GIVEN is a client already, of $C_TARGET: $PROGRAM remove-client $MAC_GIVEN"
	[ -z "$address" ] || free_address
	[ -z "$name" ] || nobodys --name "$name"
}

free_address() {
	host_number "$address" || die "--address: $WHY"
	number=$REPLY
	to_number "$N_first"
	first=$REPLY
	to_number "$N_last"
	# dhcpd would give it to others, too.
	[ "$N_server" != isc ] || [ "$number" -lt "$first" ] || [ "$number" -gt "$REPLY" ] ||
		die "--address: $address is in the range $N_first to $N_last, which is for others"
	nobodys --address "$address"
}

# nobodys OPTION VALUE - no client has that name or address.
nobodys() {
	all_clients
	for mac in $REPLY; do
		find_client "$mac"
		case "$1 $2" in
		"--name $C_NAME" | "--address $C_ADDRESS") die "$1: $2 is that of $mac" ;;
		esac
	done
}

cmd_add() {
	new_client "$WORD_1" "$WORD_2"
	target=$WORD_2
	need_module
	if [ -d "$TARGETS/$target" ]; then
		[ "$WORDS" -eq 2 ] ||
			die "target $target exists already: leave out the device, and it admits $MAC_GIVEN, too"
		[ $# -eq 0 ] || die "target $target exists already: $1 is for a new one"
		no_overlay "$target"
		own_of "$target"
		own=$REPLY
		admit "$target" "$MAC_GIVEN"
	else
		[ "$WORDS" -eq 3 ] || die "no such target: $target: add the device to export"
		own="export"
		export_target "$target" "$WORD_3" "$@"
	fi
	register "client $MAC_GIVEN $target $own ${name:--} ${address:--}"
}

# no_overlay TARGET - an overlay is one client's.
no_overlay() {
	case $STATE_TEXT in
	*"${NL}overlay $1 "*) die "target $1 is a clone: $PROGRAM clone makes another one" ;;
	esac
}

# own_of TARGET - who made it, in REPLY.
own_of() {
	REPLY=mask
	case $STATE_TEXT in
	*"$NL"client\ ??:??:??:??:??:??" $1 export "*) REPLY="export" ;;
	esac
}

# export_target TARGET DEVICE OPTION... - to this client only.
export_target() {
	exported=$1 device=$2
	shift 2
	ours export "$exported" "$device" "$N_interface" "$@" --mac "$MAC_GIVEN"
	later "'$AOETGT' unexport $exported 8>&-"
}

# register LINE - the client's, in our files and the server's, and keep its export: that
# only, since others may be down for a while, or run otherwise than they are to.
register() {
	remember "$1"
	tell_server
	find_client "$MAC_GIVEN"
	ours save --only "$C_TARGET"
	[ "$N_server" != print ] || print_client "$MAC_GIVEN"
}

# tell_server - of clients as they are now.
tell_server() {
	later back_to_server
	write_state
	hosts_files
	reload_server
}

# --- remove ---------------------------------------------------------------

# known_client WORD - find it, with its overlay, if any.
known_client() {
	take_mac "$1"
	need_conf
	subnet
	my_lock
	read_state
	find_client "$MAC_GIVEN" || die "no such client: $MAC_GIVEN"
}

# known_overlay WORD - find the client's.
known_overlay() {
	known_client "$1"
	client_overlay "$MAC_GIVEN" || die "$MAC_GIVEN has no overlay: it is no clone"
}

cmd_remove() {
	known_client "$WORD_1"
	has_overlay=0
	if client_overlay "$MAC_GIVEN"; then
		[ "${OPT_discard-0}" = 1 ] ||
			die "$MAC_GIVEN has an overlay, whose data would be lost: --discard-overlay"
		has_overlay=1
	fi
	was_target=$C_TARGET was_own=$C_OWN
	forget "client $MAC_GIVEN"
	tell_server
	# That looked at others.
	C_TARGET=$was_target C_OWN=$was_own
	if [ "$C_OWN" = view ]; then
		remove_view_of "$MAC_GIVEN"
	else
		turn_out "$C_TARGET" "$MAC_GIVEN"
	fi
	# There is no way back from here.
	STEPS=0 DISK_LEFT=0
	[ "$has_overlay" = 0 ] || delete_overlay "$C_TARGET" "$O_ID"
	save_without
	return "$DISK_LEFT"
}

# save_without - the client that was found, in was_target. What has gone with its last
# client goes from the file, too; what is not exported otherwise stays there.
save_without() {
	set -- --only "$was_target"
	if [ ! -d "$TARGETS/$was_target" ] && [ "$was_own" != mask ]; then
		clients_of "$was_target"
		[ -n "$REPLY" ] || set -- "$@" --empty
	fi
	"$AOETGT" save "$@" 8>&- ||
		die "$MAC_GIVEN is removed, but not from /etc/aoetgt.conf: take it out of mac_mask in [$was_target] there"
}

# --- list -----------------------------------------------------------------

# SEEN has lines "TARGET MAC MILLISECONDS", or nothing without debugfs.
read_seen() {
	SEEN=$NL
	[ -d "$TARGETS" ] || return 0
	SEEN=$NL$("$AOETGT" clients 2>/dev/null | while read -r target mac _ seen _; do
		printf '%s %s %s\n' "$target" "$mac" "$seen"
	done)$NL || :
}

# seen_of TARGET MAC - milliseconds since then, on whatever interface, in REPLY;
# empty for never.
seen_of() {
	REPLY='' rest=$SEEN
	while :; do
		case $rest in
		*"$NL$1 $2 "*) ;;
		*) break ;;
		esac
		rest=${rest#*"$NL$1 $2 "}
		word=${rest%%"$NL"*}
		rest=$NL${rest#*"$NL"}
		case $word in
		*[!0-9]* | '') continue ;;
		esac
		[ -n "$REPLY" ] && [ "$REPLY" -le "$word" ] || REPLY=$word
	done
}

# serving MAC - of the client that was found: STATE and DEVICE.
serving() {
	path=$C_TARGET STATE=missing DEVICE=
	[ "$C_OWN" != view ] || path=$C_TARGET/views/$1
	[ -d "$TARGETS/$path" ] || return 0
	get "$path/state"
	STATE=$REPLY
	get "$path/device"
	DEVICE=$REPLY
}

age_text() {
	if [ -z "$1" ]; then
		REPLY=never
	elif [ "$1" -lt 60000 ]; then
		REPLY="$(($1 / 1000))s ago"
	elif [ "$1" -lt 7200000 ]; then
		REPLY="$(($1 / 60000))m ago"
	else
		REPLY="$(($1 / 3600000))h ago"
	fi
}

cmd_list() {
	need_conf
	read_seen
	format='%-18s %-12s %-15s %-12s %-9s %-9s %-9s %s\n'
	json_begin
	# shellcheck disable=SC2059 # one format for head and rows
	[ "$JSON" = 1 ] ||
		printf "$format" MAC NAME ADDRESS TARGET STATE SEEN OVERLAY DEVICE
	all_clients
	for client in $REPLY; do
		list_one "$client"
	done
	json_end
}

list_one() {
	find_client "$1"
	serving "$1"
	use='' master=
	if client_overlay "$1"; then
		overlay_use "$C_TARGET" "$O_ID"
		use=$REPLY master=$O_MASTER
	fi
	seen_of "$C_TARGET" "$1"
	if [ "$JSON" = 1 ]; then
		list_client_json "$1" "${REPLY:-null}"
		return
	fi
	age_text "$REPLY"
	# shellcheck disable=SC2059
	printf "$format" "$1" "${C_NAME:--}" "${C_ADDRESS:--}" "$C_TARGET" "$STATE" "$REPLY" \
		"${use:--}" "${DEVICE:--}"
}

list_client_json() {
	json_item
	json_texts mac "$1" name "$C_NAME" address "$C_ADDRESS" target "$C_TARGET" \
		state "$STATE" device "$DEVICE"
	json_raw last_seen_ms "$2"
	json_texts overlay "$use" master "$master"
	printf '}'
}
