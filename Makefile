# SPDX-License-Identifier: GPL-2.0
# What people type.  What the kernel's build system reads is in Kbuild.

KERNELDIR ?= /lib/modules/$(shell uname -r)/build
NAME := aoetgt
VERSION := $(shell sed -n 's/^\#define AOETGT_VERSION[[:space:]]*"\(.*\)"/\1/p' aoetgt/aoetgt.h)
PREFIX ?= /usr/local
COMMANDS := aoetgt aoetgt-netboot
# The parts that they source.
LIBRARY = $(PREFIX)/share/aoetgt
# systemd and udev look below /usr and /usr/local alike.
UNITS = $(PREFIX)/lib/systemd/system
RULES = $(PREFIX)/lib/udev/rules.d
COMPLETION = $(PREFIX)/share/bash-completion/completions
PAGES := aoetgt.4 aoetgt.conf.5 aoetgt.8 aoetgt-netboot.8 aoetgt-mkimage.8
# What a machine that boots from AoE has installed.
INITRAMFS = $(DESTDIR)/usr/share/initramfs-tools
# Where a manual page goes: man8/aoetgt.8
man = man$(lastword $(subst ., ,$(1)))/$(1)
DKMS_SOURCE := $(DESTDIR)/usr/src/$(NAME)-$(VERSION)

all: modules

modules clean:
	$(MAKE) -C $(KERNELDIR) M=$(CURDIR) $@

# DKMS keeps the module in step with kernel upgrades. What this kernel has is built anew.
install: dkms-source tools
	dkms remove -m $(NAME) -v $(VERSION) -k $$(uname -r) 2>/dev/null || :
	dkms status -m $(NAME) -v $(VERSION) | grep -q . || dkms add -m $(NAME) -v $(VERSION)
	dkms install -m $(NAME) -v $(VERSION)

uninstall:
	rm -f $(foreach command,$(COMMANDS),$(DESTDIR)$(PREFIX)/sbin/$(command) \
		$(DESTDIR)$(COMPLETION)/$(command))
	rm -f $(DESTDIR)$(PREFIX)/sbin/aoetgt-mkimage
	rm -rf $(DESTDIR)$(LIBRARY)
	rm -f $(DESTDIR)$(UNITS)/aoetgt*.service $(DESTDIR)$(UNITS)/aoetgt*.timer
	rm -f $(DESTDIR)$(RULES)/60-aoetgt.rules
	rm -f $(DESTDIR)/var/lib/prometheus/node-exporter/aoetgt.prom
	rm -f $(foreach page,$(PAGES),$(DESTDIR)$(PREFIX)/share/man/$(call man,$(page)))
	dkms remove -m $(NAME) -v $(VERSION) --all
	rm -rf $(DKMS_SOURCE)

dkms-source:
	install -d $(DKMS_SOURCE)/aoetgt
	install -m 644 Kbuild $(DKMS_SOURCE)/
	install -m 644 aoetgt/*.[ch] $(DKMS_SOURCE)/aoetgt/
	sed 's/#MODULE_VERSION#/$(VERSION)/' dkms.conf > $(DKMS_SOURCE)/dkms.conf

tools:
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(LIBRARY)
	for command in $(COMMANDS); do \
		sed 's|^LIBRARY=$$|LIBRARY=$(LIBRARY)|' scripts/$$command \
			> $(DESTDIR)$(PREFIX)/sbin/$$command && \
		chmod 755 $(DESTDIR)$(PREFIX)/sbin/$$command && \
		install -D -m 644 scripts/$$command.bash-completion \
			$(DESTDIR)$(COMPLETION)/$$command || exit; \
	done
	install -m 755 scripts/mkimage $(DESTDIR)$(PREFIX)/sbin/aoetgt-mkimage
	install -m 644 scripts/lib/*.sh $(DESTDIR)$(LIBRARY)/
	install -d $(DESTDIR)$(UNITS)
	for unit in scripts/systemd/*; do \
		sed 's|/usr/sbin/aoetgt|$(PREFIX)/sbin/aoetgt|' $$unit \
			> $(DESTDIR)$(UNITS)/$${unit##*/} || exit; \
	done
	install -D -m 644 scripts/udev/60-aoetgt.rules $(DESTDIR)$(RULES)/60-aoetgt.rules
	$(foreach page,$(PAGES),install -D -m 644 Documentation/man/$(page) \
		$(DESTDIR)$(PREFIX)/share/man/$(call man,$(page));)

# initramfs-tools and dracut look in one place only.
client uninstall-client: RULES = /usr/lib/udev/rules.d

client:
	install -D -m 644 scripts/client/aoeroot.sh $(DESTDIR)/usr/share/aoetgt-client/aoeroot.sh
	install -D -m 644 scripts/client/61-aoeroot.rules $(DESTDIR)$(RULES)/61-aoeroot.rules
	install -d $(INITRAMFS)
	cp -r scripts/initramfs-tools/. $(INITRAMFS)/
	install -d $(DESTDIR)/usr/lib/dracut/modules.d/90aoe
	cp scripts/dracut/90aoe/* $(DESTDIR)/usr/lib/dracut/modules.d/90aoe/
	install -D -m 644 Documentation/man/aoeroot.7 \
		$(DESTDIR)$(PREFIX)/share/man/man7/aoeroot.7

uninstall-client:
	rm -rf $(DESTDIR)/usr/share/aoetgt-client $(DESTDIR)/usr/lib/dracut/modules.d/90aoe
	rm -f $(DESTDIR)$(RULES)/61-aoeroot.rules $(DESTDIR)$(PREFIX)/share/man/man7/aoeroot.7
	cd scripts/initramfs-tools && find . -type f | sed 's|^|$(INITRAMFS)/|' | xargs rm -f

-include tests/Makefile.inc

.PHONY: all modules clean install uninstall dkms-source tools client \
	uninstall-client
