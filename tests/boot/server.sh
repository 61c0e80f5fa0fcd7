#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The server of the boot tests: runs in a guest of Debian's kernel, with the image of
# the clients' disk as /dev/vda. Each interface of its own is a wire to one client; a
# bridge joins them. Then it does what the host orders.
set -eu -o pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd -P)
# shellcheck source=tests/boot/orders.sh
. "$TOP/tests/boot/orders.sh"

export LC_ALL=C
# For the orders.
# shellcheck disable=SC2034
AOETGT=$TOP/scripts/aoetgt
NETBOOT=$TOP/scripts/aoetgt-netboot
ADDRESS=10.7.0.1

# /etc is the host's, read-only: what is written goes into memory.
writable() {
	local dir
	modprobe -q overlay
	for dir in /etc /var/lib /srv; do
		mkdir -p "/run/over$dir/upper" "/run/over$dir/work"
		mount -t overlay overlay "$dir" \
			-o "lowerdir=$dir,upperdir=/run/over$dir/upper,workdir=/run/over$dir/work"
	done
	rm -rf /etc/dnsmasq.d /etc/aoetgt.conf /etc/aoetgt.conf.d
	mkdir -p /etc/dnsmasq.d
}

wires() {
	# Without udev nobody loads what a device node stands for.
	modprobe -a virtio_blk loop dm_mod
	bridge_all "$ADDRESS" "${AOETGT_BOOT_MTU:-1500}"
	ip address add fd07::1/64 dev br0 nodad
}
# A guest has no systemd: what aoetgt-netboot asks of it. "systemctl restart dnsmasq", as
# Debian's units would start it.
make_systemctl() {
	mkdir -p /run/sbin /run/dnsmasq
	cat >/run/sbin/systemctl <<-END
		#!/bin/bash
		ended() { pkill -x "\$1"; while pgrep -x "\$1"; do sleep 0.05; done >/dev/null; }
		case \$* in
		"restart dnsmasq")
			ended dnsmasq
			exec dnsmasq --conf-dir=/etc/dnsmasq.d --log-dhcp --user=root \\
				--log-facility=$AOETGT_OUT/dhcp.log --pid-file=/run/dnsmasq/dnsmasq.pid ;;
		"restart isc-dhcp-server")
			ended dhcpd
			exec dhcpd -q -cf /etc/dhcp/dhcpd.conf -pf /run/dhcpd.pid br0 2>$AOETGT_OUT/dhcp.log ;;
		"restart atftpd")
			ended atftpd
			exec atftpd --daemon --user root --group root --bind-address $ADDRESS /srv/tftp ;;
		is-enabled*) echo enabled ;;
		*) exit 1 ;;
		esac
	END
	chmod 755 /run/sbin/systemctl
	PATH=/run/sbin:$PATH
}

# start_dhcp SERVER [COMMAND...] - dnsmasq, or ISC dhcpd and atftpd, with what
# aoetgt-netboot configures and, after that, the command.
start_dhcp() {
	local server=$1
	shift
	"$NETBOOT" init --interface br0 --server "$server"
	"$@"
	case $server in
	dnsmasq) systemctl restart dnsmasq ;;
	isc)
		mkdir -p /var/lib/dhcp
		: >/var/lib/dhcp/dhcpd.leases
		systemctl restart isc-dhcp-server
		systemctl restart atftpd
		;;
	esac
}

stop_dhcp() {
	pkill -x dnsmasq || true
	pkill -x dhcpd || true
	pkill -x atftpd || true
}

# add_clients COUNT - with addresses of their own, all for one export of the disk.
add_clients() {
	local n
	"$NETBOOT" add-client 52:54:00:07:00:01 e7.1 /dev/vda
	for n in $(seq 2 "$1"); do
		"$NETBOOT" add-client "52:54:00:07:00:0$n" e7.1
	done
}

stop_dhcp() {
	pkill -x dnsmasq || true
	pkill -x dhcpd || true
	pkill -x atftpd || true
}

writable
wires
make_systemctl
modprobe aoetgt
mkdir -p /run/aoetgt
answer_orders
