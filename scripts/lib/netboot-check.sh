# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables of the other parts
# SPDX-License-Identifier: GPL-2.0
#
# aoetgt-netboot check: does DHCP, TFTP, the exports and the overlays fit together?
# Nothing is changed.

# fault SUBJECT PROBLEM MEND
fault() {
	FAULTS=$((FAULTS + 1))
	if [ "$JSON" = 1 ]; then
		json_finding "$@"
	else
		printf '%s: %s; mend: %s\n' "$1" "$2" "$3"
	fi
}

cmd_check() {
	need_conf
	INIT="$PROGRAM init --interface $N_interface"
	[ "$N_server" = dnsmasq ] || INIT="$INIT --server $N_server"
	[ "$N_style" = script ] || INIT="$INIT --root-path"
	[ -z "$N_router" ] || INIT="$INIT --router $N_router"
	[ -z "$N_dns" ] || INIT="$INIT --dns $N_dns"
	# Where the network is another one, its addresses are.
	INIT_HERE=$INIT
	INIT="$INIT --range $N_first,$N_last"
	FAULTS=0
	json_begin
	check_interface
	check_tftp
	if [ "$N_server" != print ]; then
		check_files
		check_process
	fi
	check_kept
	read_seen
	all_clients
	for client in $REPLY; do
		find_client "$client"
		check_client "$client"
	done
	check_units
	json_end
	[ "$FAULTS" = 0 ]
}

check_interface() {
	if ! link_of "$N_interface"; then
		fault "$N_interface" "there is no such interface" "$PROGRAM init --interface IF"
		return
	fi
	case " $(ip -4 -o address show dev "$N_interface") " in
	*" $N_address/$N_prefix "*) ;;
	*) fault "$N_interface" "has not the address $N_address/$N_prefix that clients are told of" \
		"ip address add $N_address/$N_prefix dev $N_interface, or $INIT_HERE" ;;
	esac
	case $LINK_STATE in
	UP | UNKNOWN) ;;
	*) fault "$N_interface" "is $LINK_STATE" "ip link set $N_interface up, and look at the cable" ;;
	esac
}

check_tftp() {
	for name in undionly.kpxe snponly.efi aoetgt.ipxe; do
		file=$N_tftp_root/$name
		if [ ! -f "$file" ]; then
			fault "$file" "is missing" "$INIT"
		elif ! readable_by_all "$file"; then
			fault "$file" "not everybody may read it, and so the TFTP server may not" "chmod 644 $file"
		elif ! current "$name"; then
			fault "$file" "is not what it should be" "$INIT"
		fi
	done
}

# readable_by_all FILE - and its directory can be entered.
readable_by_all() {
	case $(stat -L -c %A "$1") in
	???????r*) ;;
	*) return 1 ;;
	esac
	case $(stat -L -c %A "$N_tftp_root") in
	?????????[xt]) return 0 ;;
	esac
	return 1
}

current() {
	if [ "$1" != aoetgt.ipxe ]; then
		[ ! -f "$IPXE/$1" ] || cmp -s "$IPXE/$1" "$N_tftp_root/$1"
		return
	fi
	content "$N_tftp_root/$1"
	text=$REPLY
	ipxe_script
	[ "$text" = "$REPLY" ]
}

# same FILE TEXT MEND
same() {
	text=$2
	if ! content "$1"; then
		fault "$1" "is missing" "$3"
	elif [ "$REPLY" != "$text" ]; then
		fault "$1" "is not what it should be" "$3"
	fi
}

check_files() {
	subnet
	if [ "$N_server" = dnsmasq ]; then
		dnsmasq_text
		same "$DNSMASQ_CONF" "$REPLY" "$INIT"
		dnsmasq_hosts
		same "$DNSMASQ_CLIENTS" "$HOSTS" "$INIT"
	else
		isc_text
		same "$ISC_CONF" "$REPLY" "$INIT"
		isc_hosts
		same "$ISC_HOSTS" "$HOSTS" "$INIT"
		content "$ISC_MAIN" || :
		case $NL$REPLY in
		*"$NL$ISC_INCLUDE"*) ;;
		*) fault "$ISC_MAIN" "does not include $ISC_CONF" "add this line to it: $ISC_INCLUDE" ;;
		esac
	fi
	server_says || fault "$N_server" "${WHY#*: }" "$INIT"
}

check_process() {
	service=dnsmasq
	[ "$N_server" = dnsmasq ] || service=isc-dhcp-server
	if ! server_pid; then
		fault "$N_server" "does not run" "systemctl enable --now $service"
		return
	fi
	pid=$REPLY
	command_line=$(tr '\0' ' ' <"/proc/$pid/cmdline")
	if [ "$N_server" = dnsmasq ]; then
		case $command_line in
		*/etc/dnsmasq.d*) ;;
		*) includes_us || fault dnsmasq "runs without $DNSMASQ_CONF" \
			"CONFIG_DIR=/etc/dnsmasq.d in /etc/default/dnsmasq, and systemctl restart dnsmasq" ;;
		esac
		set -- "$DNSMASQ_CONF" "$DNSMASQ_CLIENTS"
	else
		set -- "$ISC_CONF" "$ISC_HOSTS"
	fi
	for file; do
		newer "$file" "$pid" || continue
		fault "$N_server" "has not read $file since it changed" "systemctl restart $service"
	done
	check_ports "$service"
}

# includes_us - is it in dnsmasq.conf itself?
includes_us() {
	grep -qs '^conf-\(dir\|file\)=/etc/dnsmasq.d' /etc/dnsmasq.conf
}

# newer FILE PID - than the process is old.
newer() {
	[ -e "$1" ] || return 1
	# All in hundredths of seconds.
	changed=$(stat -c %.2Y "$1" | tr -d .)
	# Field 22 is when it began, in ticks since boot; a name may have blanks.
	line=$(cat "/proc/$2/stat" 2>/dev/null) || return 1
	# shellcheck disable=SC2086 # words
	set -- ${line##*) }
	shift 19
	ticks=$(getconf CLK_TCK)
	read -r up _ </proc/uptime
	up=${up%.*}${up#*.}
	began=$(($(date +%s%2N) - up + $1 * 100 / ticks))
	[ "$changed" -gt "$((began + 10))" ]
}

# check_ports SERVICE - who listens for DHCP, and for TFTP?
check_ports() {
	[ -n "$(ss -H -l -u -n 'sport = :67' 2>/dev/null)" ] ||
		fault "$N_server" "nobody listens on UDP port 67" "systemctl restart $1"
	[ -z "$(ss -H -l -u -n 'sport = :69' 2>/dev/null)" ] || return 0
	mend="systemctl restart dnsmasq"
	[ "$1" = dnsmasq ] || mend="systemctl enable --now atftpd"
	fault TFTP "nobody listens on UDP port 69" "$mend"
}

# check_kept - what runs is what the next boot brings.
check_kept() {
	[ -d "$TARGETS" ] || return 0
	differs=$("$AOETGT" diff 2>/dev/null) || :
	all_clients
	for client in $REPLY; do
		find_client "$client"
		case " $differs$NL" in
		*[+~-]" $C_TARGET"[\ :]*)
			fault "$C_TARGET" "runs otherwise than /etc/aoetgt.conf has it" "aoetgt save, or aoetgt apply"
			return
			;;
		esac
	done
}

# check_client MAC - that was found.
check_client() {
	if client_overlay "$1"; then
		check_overlay "$1"
	fi
	again="$PROGRAM remove-client $1; $PROGRAM add-client $1 $C_TARGET DEVICE"
	if [ ! -d "$TARGETS/$C_TARGET" ]; then
		fault "$1" "$C_TARGET is not exported" "aoetgt restore, or $again"
		return
	fi
	check_state "$1"
	mask_of "$C_TARGET"
	if [ -z "$REPLY" ]; then
		fault "$1" "$C_TARGET admits everybody" "echo $1 > $TARGETS/$C_TARGET/mac_mask; aoetgt save"
	elif ! has_word "$1" "$REPLY"; then
		fault "$1" "the mask of $C_TARGET does not admit it" \
			"echo +$1 > $TARGETS/$C_TARGET/mac_mask; aoetgt save"
	fi
	if [ ! -d "$TARGETS/$C_TARGET/interfaces/$N_interface" ]; then
		fault "$1" "$C_TARGET is not exported on $N_interface, where it boots" \
			"mkdir $TARGETS/$C_TARGET/interfaces/$N_interface; aoetgt save"
	fi
}

# check_state MAC
check_state() {
	get "$C_TARGET/state"
	[ "$REPLY" = online ] ||
		fault "$1" "$C_TARGET is $REPLY" "aoetgt enable $C_TARGET, and dmesg tells why not"
	[ "$C_OWN" = view ] || return 0
	serving "$1"
	case $STATE in
	online) ;;
	missing) fault "$1" "its view of $C_TARGET is missing" "aoetgt restore" ;;
	*) fault "$1" "its view of $C_TARGET is $STATE" \
		"echo 1 > $TARGETS/$C_TARGET/views/$1/enable, and dmesg tells why not" ;;
	esac
}

check_overlay() {
	overlay_use "$C_TARGET" "$O_ID"
	case $REPLY in
	missing) fault "$1" "its overlay is not set up" "$PROGRAM activate" ;;
	full) fault "$1" "its overlay is full, and its writes fail" \
		"$PROGRAM grow $1 --size N, or reset $1" ;;
	broken) fault "$1" "its overlay is broken" "$PROGRAM reset $1" ;;
	9[0-9]%) fault "$1" "its overlay is full to $REPLY" "$PROGRAM grow $1 --size N" ;;
	esac
	stamp_of "$O_MASTER"
	[ "$REPLY" = "$O_STAMP" ] ||
		fault "$1" "$O_MASTER was changed since it was cloned" "$PROGRAM reset $1"
}

# check_units - will it be so after the next boot?
check_units() {
	command -v systemctl >/dev/null || return 0
	for unit in aoetgt.service aoetgt-netboot.service; do
		[ "$(systemctl is-enabled "$unit" 2>/dev/null)" != disabled ] ||
			fault "$unit" "is not started at boot" "systemctl enable $unit"
	done
}
