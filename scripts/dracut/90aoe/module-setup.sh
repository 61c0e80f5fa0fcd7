#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# dracut: find a root on ATA over Ethernet, as aoeroot(7) tells. aoe_drivers in a file
# of /etc/dracut.conf.d names the only drivers of network interfaces to put in.
# shellcheck disable=SC2154 # variables of dracut's

# check - "only if asked for", unless the machine has an AoE disk now or the initramfs
# is for any machine.
check() {
	require_binaries dd dmesg ip od sed sort tail tr udevadm || return 1
	[[ ! $hostonly ]] || compgen -G '/sys/block/etherd!e*' >/dev/null || return 255
}

depends() {
	echo base
}

installkernel() {
	if [[ $aoe_drivers ]]; then
		# shellcheck disable=SC2086 # words
		hostonly='' instmods $aoe_drivers
	else
		hostonly='' instmods '=drivers/net/ethernet' virtio_net virtio_pci
	fi
	hostonly='' instmods aoe 8021q
}

install() {
	inst_multiple cat dd dmesg ip mkdir modprobe od sed sort tail tr udevadm
	inst_simple /usr/share/aoetgt-client/aoeroot.sh /lib/aoeroot.sh
	inst_rules 61-aoeroot.rules
	inst_script "$moddir/aoe-find.sh" /sbin/aoe-find
	inst_hook cmdline 91 "$moddir/aoe-cmdline.sh"
	inst_hook pre-pivot 91 "$moddir/aoe-keep.sh"
	inst_hook emergency 91 "$moddir/aoe-emergency.sh"
	dracut_need_initqueue
}
