# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables of the other parts
# SPDX-License-Identifier: GPL-2.0
#
# What DHCP and TFTP servers are told, for aoetgt-netboot(8).
#
# A client is told its target in option 224 inside option 175, which is iPXE's own
# and which every iPXE asks for: a server sends what was asked for, and nobody asks
# for an option 224 as such.

DNSMASQ_CONF=/etc/dnsmasq.d/aoetgt-netboot.conf
# Not a dhcp-hostsfile, which it would read again on SIGHUP: dnsmasq 2.90 dies of
# that once it has answered a client whose entry there has a tag.
DNSMASQ_CLIENTS=/etc/dnsmasq.d/aoetgt-netboot-clients.conf
# dhcpd's AppArmor profile lets it read /etc/dhcp, and not our directory.
ISC_MAIN=/etc/dhcp/dhcpd.conf
ISC_CONF=/etc/dhcp/aoetgt-netboot.conf
ISC_HOSTS=/etc/dhcp/aoetgt-netboot.hosts
ISC_DEFAULT=/etc/default/isc-dhcp-server
ISC_INCLUDE="include \"$ISC_CONF\";"

# --- init -----------------------------------------------------------------

cmd_init() {
	[ -n "${OPT_interface-}" ] || misuse "init: needs --interface IF"
	is_interface "$OPT_interface" || misuse "not the name of an interface: $OPT_interface"
	read_conf || :
	read_state
	old_interface=$N_interface old_server=$N_server
	N_interface=$OPT_interface
	choose_server
	choose_address
	subnet
	choose_range
	choose_others
	clients_fit
	case $N_server,$old_server,$FORCE in
	print,dnsmasq,0 | print,isc,0)
		note "$old_server is set up here, and stays so: nothing is written without --force"
		print_all
		return
		;;
	esac
	my_lock
	copy_firmware
	forget_server
	conf_text
	change_file "$ETC/conf" "$REPLY"
	case $N_server in
	isc) isc_main ;;
	print) print_all ;;
	esac
	server_files
	test_server
	hints
}

# choose_server - N_server, which must be installed.
choose_server() {
	N_server=${OPT_server-}
	if [ -z "$N_server" ]; then
		N_server=isc
		! command -v dnsmasq >/dev/null || N_server=dnsmasq
	fi
	case $N_server in
	dnsmasq) command -v dnsmasq >/dev/null || die "dnsmasq is not installed: apt install dnsmasq" ;;
	isc)
		command -v dhcpd >/dev/null ||
			die "no DHCP server is installed: apt install dnsmasq, or isc-dhcp-server atftpd"
		;;
	print) ;;
	*) misuse "--server: $N_server: expected dnsmasq, isc or print" ;;
	esac
	for name in undionly.kpxe snponly.efi; do
		[ -r "$IPXE/$name" ] || die "iPXE is not installed: apt install ipxe"
	done
}

# link_of IF - LINK_STATE and LINK_MAC; 1 if there is no such interface.
link_of() {
	line=$(ip -o link show dev "$1" 2>/dev/null) || return 1
	LINK_STATE=${line#* state } LINK_MAC=${line#* link/* }
	LINK_STATE=${LINK_STATE%% *} LINK_MAC=${LINK_MAC%% *}
}

# choose_address - N_address and N_prefix, as the interface has them.
choose_address() {
	link_of "$N_interface" || die "no such interface: $N_interface"
	# shellcheck disable=SC2046 # words
	set -- $(ip -4 -o address show dev "$N_interface" scope global)
	[ $# -ge 4 ] ||
		die "$N_interface has no IPv4 address: ip address add 192.0.2.1/24 dev $N_interface"
	N_address=${4%/*} N_prefix=${4#*/}
	if [ "$N_prefix" -gt 30 ] || [ "$N_prefix" -lt 8 ]; then
		die "$4 on $N_interface has no room for clients: a prefix from /8 to /30 has"
	fi
	N_ipv6=0
	[ -z "$(ip -6 -o address show dev "$N_interface" scope global 2>/dev/null)" ] || N_ipv6=1
}

# choose_range - N_first and N_last: what was asked for, or the upper half of the
# network, but no more than a thousand, or the lower one if we are in the upper.
choose_range() {
	if [ -n "${OPT_range-}" ]; then
		given_range
		return
	fi
	middle=$(((NET + BROADCAST + 1) / 2))
	first=$middle last=$((BROADCAST - 1))
	[ "$SELF" -lt "$middle" ] || first=$((NET + 1)) last=$((middle - 1))
	[ "$((last - first))" -lt 1000 ] || last=$((first + 999))
	to_address "$first"
	N_first=$REPLY
	to_address "$last"
	N_last=$REPLY
}

given_range() {
	rest=$OPT_range
	N_first=${rest%%,*}
	rest=${rest#*,}
	N_last=${rest%%,*}
	case $rest in
	*,*)
		[ "${rest#*,}" = "$NETMASK" ] ||
			die "--range: the netmask of $N_interface is $NETMASK, not ${rest#*,}"
		;;
	esac
	case $OPT_range in
	*,*) ;;
	*) misuse "--range: expected FIRST,LAST" ;;
	esac
	host_number "$N_first" || die "--range: $WHY"
	first=$REPLY
	host_number "$N_last" || die "--range: $WHY"
	last=$REPLY
	[ "$first" -le "$last" ] || die "--range: $N_first is after $N_last"
	[ "$SELF" -lt "$first" ] || [ "$SELF" -gt "$last" ] ||
		die "--range: this server's own address, $N_address, is in it"
}

choose_others() {
	N_tftp_root=${OPT_tftp_root-${N_tftp_root:-/srv/tftp}}
	case $N_tftp_root in
	*[!A-Za-z0-9/._-]*) misuse "--tftp-root: only letters, digits and ._-/" ;;
	/*) ;;
	*) misuse "--tftp-root: expected an absolute path" ;;
	esac
	N_style=${OPT_style-script}
	N_router=${OPT_router-}
	if [ -z "$N_router" ]; then
		# shellcheck disable=SC2046 # words
		set -- $(ip -4 route show default dev "$N_interface")
		[ "${2-}" != via ] || N_router=$3
	fi
	N_dns=${OPT_dns-}
	for word in $N_router $(printf '%s' "$N_dns" | tr , ' '); do
		to_number "$word" || misuse "not an IPv4 address: $word"
	done
}

# clients_fit - those that there are, in the network as it is now.
clients_fit() {
	all_clients
	for mac in $REPLY; do
		find_client "$mac"
		[ -z "$C_ADDRESS" ] || host_number "$C_ADDRESS" || die "client $mac: $WHY"
	done
}

# copy_firmware - copies, since a TFTP server may be shut in its directory.
copy_firmware() {
	[ -d "$N_tftp_root" ] || message=$(mkdir -p "$N_tftp_root" 2>&1) ||
		die "cannot make $N_tftp_root: ${message##*: }"
	for name in undionly.kpxe snponly.efi; do
		file=$N_tftp_root/$name
		[ ! -f "$file" ] || ! cmp -s "$IPXE/$name" "$file" || continue
		if [ -e "$file" ]; then
			message=$(cp -p "$file" "$file.old" 2>&1) || die "$file.old: cannot write it: ${message##*: }"
			note "$file is Debian's iPXE now; what was there is $file.old"
			later "mv -T '$file.old' '$file'"
		else
			later "rm -f '$file'"
		fi
		message=$(cp "$IPXE/$name" "$file.new" 2>&1 && chmod 644 "$file.new" 2>&1 &&
			mv -T "$file.new" "$file" 2>&1) || {
			rm -f "$file.new"
			die "$file: cannot write it: ${message##*: }"
		}
	done
	ipxe_script
	change_file "$N_tftp_root/aoetgt.ipxe" "$REPLY"
}

# ipxe_script - with a script, a client waits for its target for ever. With
# root-path alone iPXE gives up after 16 seconds, and the machine stands still.
ipxe_script() {
	# shellcheck disable=SC2016 # iPXE expands it
	REPLY='#!ipxe
# Written by aoetgt-netboot init; see aoetgt-netboot(8).
:start
isset ${175.224:string} || goto unknown
echo Booting from ${175.224:string} as ${netX/mac}
sanboot ${175.224:string} ||
echo No answer from ${175.224:string}: is it exported, and may ${netX/mac} use it?
prompt --timeout 1000 A key asks again at once. ||
ifconf --configurator dhcp netX ||
goto start
:unknown
echo This client is unknown to the server. There: aoetgt-netboot add-client ${netX/mac} TARGET
prompt --timeout 5000 A key asks again at once. ||
ifconf --configurator dhcp netX ||
goto start
'
}

# forget_server - the one that init was told of before.
forget_server() {
	[ -n "$old_server" ] && [ "$old_server" != "$N_server" ] || return 0
	case $old_server in
	dnsmasq)
		drop_file "$DNSMASQ_CONF"
		drop_file "$DNSMASQ_CLIENTS"
		;;
	isc)
		if content "$ISC_MAIN" && [ "$REPLY" = "$ISC_INCLUDE$NL" ]; then
			drop_file "$ISC_MAIN"
		fi
		# An include of the administrator's needs a file.
		[ ! -e "$ISC_CONF" ] || change_file "$ISC_CONF" "# Not used: see $PROGRAM(8).$NL"
		drop_file "$ISC_HOSTS"
		;;
	esac
}

# server_files - all that the server reads, as it should be now.
server_files() {
	case $N_server in
	dnsmasq)
		dnsmasq_text
		change_file "$DNSMASQ_CONF" "$REPLY"
		;;
	isc)
		isc_text
		change_file "$ISC_CONF" "$REPLY"
		;;
	esac
	hosts_files
}

hosts_files() {
	case $N_server in
	dnsmasq)
		dnsmasq_hosts
		change_file "$DNSMASQ_CLIENTS" "$HOSTS"
		;;
	isc)
		isc_hosts
		change_file "$ISC_HOSTS" "$HOSTS"
		;;
	esac
}

# others_listen PORT OURS - is it somebody else's?
others_listen() {
	line=$(ss -H -l -u -n -p "sport = :$1" 2>/dev/null) || return 1
	case $line in
	'' | *"\"$2\""*) return 1 ;;
	esac
}

hints() {
	case $N_server in
	dnsmasq)
		! others_listen 69 dnsmasq ||
			printf 'Hint: another TFTP server listens: systemctl disable --now atftpd.socket atftpd\n'
		! others_listen 67 dnsmasq ||
			printf 'Hint: another DHCP server listens: systemctl disable --now isc-dhcp-server\n'
		;;
	esac
	case $N_server in
	dnsmasq) printf 'Next: systemctl enable dnsmasq; systemctl restart dnsmasq\n' ;;
	isc)
		printf 'Next: systemctl enable isc-dhcp-server atftpd; '
		printf 'systemctl restart isc-dhcp-server atftpd\n'
		;;
	esac
	hint_router
}

hint_router() {
	[ "$N_ipv6" = 1 ] && [ "$N_server" = dnsmasq ] && return 0
	[ "$N_server" = dnsmasq ] || {
		printf 'Hint: where no IPv6 router answers, iPXE waits 15 s more at every start\n'
		return 0
	}
	unique_local
	printf 'Hint: iPXE waits 15 s at every start for an IPv6 router; dnsmasq is one after: '
	printf 'ip address add %s dev %s; %s init --interface %s\n' "$REPLY" "$N_interface" \
		"$PROGRAM" "$N_interface"
}

# unique_local - an address of a prefix that is made of the interface's MAC.
unique_local() {
	IFS=:
	# shellcheck disable=SC2086 # words
	set -- $LINK_MAC
	unset IFS
	REPLY=fd${2-00}:${3-00}${4-00}:${5-00}${6-00}::1/64
}

# --- dnsmasq --------------------------------------------------------------

# dnsmasq_others - lines of configuration that are not ours, in REPLY.
dnsmasq_others() {
	REPLY=
	set +f
	for file in /etc/dnsmasq.conf /etc/dnsmasq.d/*; do
		case $file in
		"$DNSMASQ_CONF" | "$DNSMASQ_CLIENTS" | *~ | *.dpkg-*) continue ;;
		esac
		[ -f "$file" ] || continue
		REPLY=$REPLY$(grep -v '^[[:space:]]*\(#\|$\)' "$file")$NL || :
	done
	set -f
	case $REPLY in
	*[!"$NL"]*) return 0 ;;
	esac
	return 1
}

# dnsmasq_text - where dnsmasq does other work, nothing that is about all of it.
dnsmasq_text() {
	text="# Written by $PROGRAM init; see $PROGRAM(8).$NL"
	i=$N_interface
	if [ "$N_server" = print ]; then
		:
	elif ! dnsmasq_others; then
		text="$text# There is no other configuration: no DNS, no other interface.
port=0
interface=$i
bind-dynamic
no-ping
dhcp-authoritative$NL"
	else
		case $NL$REPLY in
		*"${NL}interface="*) text="$text# As others are listed.${NL}interface=$i$NL" ;;
		esac
	fi
	text="${text}dhcp-range=$N_first,$N_last,$NETMASK,12h
enable-tftp=$i
tftp-root=$N_tftp_root,$i$NL"
	dnsmasq_boot
	if [ "$N_ipv6" = 1 ]; then
		# A router for nothing, which keeps iPXE from waiting for one.
		text="${text}dhcp-range=::,constructor:$i,ra-only
ra-param=$i,60,0$NL"
	fi
	REPLY=$text
}

dnsmasq_boot() {
	text="${text}dhcp-userclass=set:aoe-ipxe,iPXE
dhcp-match=set:aoe-efi,option:client-arch,7
dhcp-match=set:aoe-efi,option:client-arch,9
dhcp-boot=tag:$i,tag:!aoe-ipxe,tag:!aoe-efi,undionly.kpxe,,$N_address
dhcp-boot=tag:$i,tag:!aoe-ipxe,tag:aoe-efi,snponly.efi,,$N_address$NL"
	[ "$N_style" = root-path ] ||
		text="${text}dhcp-boot=tag:$i,tag:aoe-ipxe,aoetgt.ipxe,,$N_address$NL"
	text="${text}dhcp-option=tag:$i,tag:aoe-ipxe,encap:175,176,1b
dhcp-option=tag:$i,option:router${N_router:+,$N_router}$NL"
	[ -z "$N_dns" ] || text="${text}dhcp-option=tag:$i,option:dns-server,$N_dns$NL"
}

# dnsmasq_hosts - HOSTS.
dnsmasq_hosts() {
	HOSTS="# Written by $PROGRAM; see $PROGRAM(8).$NL"
	all_clients
	for mac in $REPLY; do
		find_client "$mac"
		variable_of_mac "$mac"
		tag=aoe-$REPLY
		HOSTS="${HOSTS}dhcp-host=$mac,set:$tag${C_ADDRESS:+,$C_ADDRESS}${C_NAME:+,$C_NAME}$NL"
		case $N_style in
		root-path) how=option:root-path ;;
		*) how=encap:175,224 ;;
		esac
		HOSTS="${HOSTS}dhcp-option=tag:$tag,tag:aoe-ipxe,$how,\"aoe:$C_TARGET\"$NL"
	done
}

# --- ISC dhcpd ------------------------------------------------------------

# isc_main - dhcpd.conf and the interfaces, where they are nobody's work.
isc_main() {
	if content "$ISC_MAIN"; then
		case $NL$REPLY in
		*"$NL$ISC_INCLUDE"*) ;;
		*[![:space:]]*) unchanged "$ISC_MAIN" ||
			die "$ISC_MAIN was changed, and is left alone: add this line to it: $ISC_INCLUDE" ;;
		esac
	fi
	case $NL$REPLY in
	*"$NL$ISC_INCLUDE"*) ;;
	*) change_file "$ISC_MAIN" "$ISC_INCLUDE$NL" ;;
	esac
	isc_interfaces
}

# unchanged FILE - is it still as the package has it?
unchanged() {
	wanted=$(dpkg-query -W -f '${Conffiles}\n' isc-dhcp-server 2>/dev/null |
		awk -v file="$1" '$1 == file { print $2 }') || return 1
	now=$(md5sum <"$1")
	[ -n "$wanted" ] && [ "${now%% *}" = "$wanted" ]
}

isc_interfaces() {
	content "$ISC_DEFAULT" || REPLY=
	case $NL$REPLY in
	*"${NL}INTERFACESv4="*) ;;
	*)
		change_file "$ISC_DEFAULT" "${REPLY}INTERFACESv4=\"$N_interface\"$NL"
		return
		;;
	esac
	text=$REPLY
	before=${NL}$text
	before=${before%%"${NL}INTERFACESv4="*}
	rest=${text#*INTERFACESv4=}
	[ -z "$before" ] || { rest=$NL$text; rest=${rest#*"${NL}INTERFACESv4="}; }
	value=${rest%%"$NL"*}
	list=$(printf '%s' "$value" | tr -d "\"'")
	has_word "$N_interface" "$list" && return 0
	[ -z "$list" ] || [ "$list" = "$old_interface" ] ||
		die "$ISC_DEFAULT was changed, and is left alone: change this line in it: INTERFACESv4=\"$list $N_interface\""
	before=${before#"$NL"}
	change_file "$ISC_DEFAULT" \
		"$before${before:+$NL}INTERFACESv4=\"$N_interface\"$NL${rest#*"$NL"}"
}

isc_text() {
	to_address "$NET"
	text="# Written by $PROGRAM init; see $PROGRAM(8).
option space aoetgt;
option aoetgt-encap code 175 = encapsulate aoetgt;
option aoetgt.no-pxedhcp code 176 = unsigned integer 8;
option aoetgt.target code 224 = text;
subnet $REPLY netmask $NETMASK {
	authoritative;
	ping-check false;
	range $N_first $N_last;
	next-server $N_address;$NL"
	[ -z "$N_router" ] || text="$text	option routers $N_router;$NL"
	[ -z "$N_dns" ] || text="$text	option domain-name-servers $N_dns;$NL"
	text="$text	if option user-class = \"iPXE\" {
		option aoetgt.no-pxedhcp 1;$NL"
	[ "$N_style" = root-path ] || text="$text		filename \"aoetgt.ipxe\";$NL"
	REPLY="$text	} elsif option pxe-system-type = 00:07 or option pxe-system-type = 00:09 {
		filename \"snponly.efi\";
	} else {
		filename \"undionly.kpxe\";
	}
}
include \"$ISC_HOSTS\";$NL"
}

# isc_hosts - HOSTS.
isc_hosts() {
	HOSTS="# Written by $PROGRAM; see $PROGRAM(8).$NL"
	all_clients
	for mac in $REPLY; do
		find_client "$mac"
		variable_of_mac "$mac"
		HOSTS="${HOSTS}host aoetgt-$REPLY {
	hardware ethernet $mac;$NL"
		[ -z "$C_ADDRESS" ] || HOSTS="$HOSTS	fixed-address $C_ADDRESS;$NL"
		[ -z "$C_NAME" ] || HOSTS="$HOSTS	option host-name \"$C_NAME\";$NL"
		case $N_style in
		root-path) how=root-path ;;
		*) how=aoetgt.target ;;
		esac
		HOSTS="$HOSTS	if option user-class = \"iPXE\" { option $how \"aoe:$C_TARGET\"; }
}$NL"
	done
}

# --- somebody else's ------------------------------------------------------

# print_all - what to add to a server of either kind.
print_all() {
	printf '# --- for dnsmasq:\n'
	dnsmasq_text
	printf '%s' "$REPLY"
	dnsmasq_hosts
	printf '%s' "${HOSTS#*"$NL"}"
	printf '\n# --- or for ISC dhcpd:\n'
	isc_text
	printf '%s' "$REPLY"
	isc_hosts
	printf '# --- %s:\n%s' "$ISC_HOSTS" "$HOSTS"
	printf '# --- and let TFTP look in %s\n' "$N_tftp_root"
}

print_client() {
	all=$STATE_TEXT
	recall "client $1" || return 0
	STATE_TEXT="${NL}client $1 $REPLY$NL"
	dnsmasq_hosts
	printf '# dnsmasq:\n%s' "${HOSTS#*"$NL"}"
	isc_hosts
	printf '# ISC dhcpd:\n%s' "${HOSTS#*"$NL"}"
	STATE_TEXT=$all
}

# --- the server's process -------------------------------------------------

# test_server - does it take its configuration? It tells on several lines.
test_server() {
	server_says && return 0
	die "$WHY"
}

server_says() {
	case $N_server in
	dnsmasq)
		set -- --test "--conf-dir=/etc/dnsmasq.d,.dpkg-dist,.dpkg-old,.dpkg-new"
		[ ! -e /etc/dnsmasq.conf ] || set -- "$@" --conf-file=/etc/dnsmasq.conf
		message=$(dnsmasq "$@" 2>&1) && return 0
		;;
	isc) message=$(dhcpd -t -4 -cf "$ISC_MAIN" 2>&1) && return 0 ;;
	*) return 0 ;;
	esac
	# dhcpd says much else.
	message=$(printf '%s\n' "$message" | grep ' line [0-9]' || printf '%s\n' "$message" | tail -n 1)
	WHY="$N_server does not take its configuration: ${message%%"$NL"*}"
	return 1
}

# server_pid - of the server in REPLY; 1 if it does not run.
server_pid() {
	case $N_server in
	dnsmasq) set -- dnsmasq /run/dnsmasq/dnsmasq.pid ;;
	isc) set -- dhcpd /run/dhcpd.pid /run/dhcp-server/dhcpd.pid ;;
	*) return 1 ;;
	esac
	name=$1
	shift
	for file; do
		REPLY=
		{ read -r REPLY || :; } 2>/dev/null <"$file" || continue
		{ read -r word <"/proc/$REPLY/comm"; } 2>/dev/null || continue
		[ "$word" != "$name" ] || return 0
	done
	return 1
}

# reload_server - if it runs: clients were added or removed. Neither can read them
# again. Addresses that were given out are kept in a file.
reload_server() {
	test_server
	server_pid || return 0
	service=dnsmasq
	[ "$N_server" = dnsmasq ] || service=isc-dhcp-server
	message=$(systemctl restart "$service" 2>&1 8>&-) ||
		die "cannot restart $service: ${message##*"$NL"}"
}

# back_to_server - the files are as they were. If it did not take these either, it
# was not touched.
back_to_server() {
	server_says || return 0
	(reload_server)
}
