# SPDX-License-Identifier: GPL-2.0
# What people type.  What the kernel's build system reads is in Kbuild.

KERNELDIR ?= /lib/modules/$(shell uname -r)/build
NAME := aoetgt
VERSION := $(shell sed -n 's/^\#define AOETGT_VERSION[[:space:]]*"\(.*\)"/\1/p' aoetgt/aoetgt.h)
PREFIX ?= /usr/local
DKMS_SOURCE := $(DESTDIR)/usr/src/$(NAME)-$(VERSION)

all: modules

modules clean:
	$(MAKE) -C $(KERNELDIR) M=$(CURDIR) $@

# DKMS keeps the module in step with kernel upgrades.
install: dkms-source tools
	dkms add -m $(NAME) -v $(VERSION)
	dkms install -m $(NAME) -v $(VERSION)

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/aoetgt
	rm -f $(DESTDIR)$(PREFIX)/share/man/man4/aoetgt.4 $(DESTDIR)$(PREFIX)/share/man/man8/aoetgt.8
	dkms remove -m $(NAME) -v $(VERSION) --all
	rm -rf $(DKMS_SOURCE)

dkms-source:
	install -d $(DKMS_SOURCE)/aoetgt
	install -m 644 Kbuild $(DKMS_SOURCE)/
	install -m 644 aoetgt/*.[ch] $(DKMS_SOURCE)/aoetgt/
	sed 's/#MODULE_VERSION#/$(VERSION)/' dkms.conf > $(DKMS_SOURCE)/dkms.conf

tools:
	install -D -m 755 scripts/aoetgt $(DESTDIR)$(PREFIX)/sbin/aoetgt
	install -D -m 644 Documentation/man/aoetgt.4 $(DESTDIR)$(PREFIX)/share/man/man4/aoetgt.4
	install -D -m 644 Documentation/man/aoetgt.8 $(DESTDIR)$(PREFIX)/share/man/man8/aoetgt.8

-include tests/Makefile.inc

.PHONY: all modules clean install uninstall dkms-source tools
