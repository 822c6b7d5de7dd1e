# What the Makefile and vendor/build.mk share: compilers, flags, where things are.
HOST_ARCH := $(shell uname -m)
ARCH ?= $(HOST_ARCH)
OUT ?= build/$(ARCH)
VENDOR ?= $(OUT)/vendor
SRC := $(VENDOR)/src
MUSL := $(VENDOR)/musl
HOST_CC ?= gcc
HOST_LUA := $(VENDOR)/host/lua

ifneq ($(ARCH),$(HOST_ARCH))
CROSS ?= $(ARCH)-linux-gnu-
endif
ifeq ($(origin CC),default)
CC := $(CROSS)gcc
endif
ifeq ($(origin AR),default)
AR := $(CROSS)ar
endif
STRIP ?= $(CROSS)strip

# SANITIZE=1 is the test build: dynamic glibc with AddressSanitizer and UndefinedBehaviorSanitizer.
# Otherwise musl, static-PIE. Its start files are named one by one at the link: `musl-gcc -static-pie` gives a binary that
# asks for a dynamic loader. _FORTIFY_SOURCE does nothing with musl.
REPRODUCIBLE := -ffile-prefix-map=$(VENDOR)=vendor -ffile-prefix-map=$(CURDIR)=.
ifdef SANITIZE
HARDEN := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
LIBC :=
LINK := $(CC) -fsanitize=address,undefined
LINK_END := -lm -lpthread
LIBC_READY :=
else
HARDEN := -O2 -fPIE -ffunction-sections -fdata-sections -fstack-protector-strong -fstack-clash-protection \
  -ftrivial-auto-var-init=zero
compiler_file = $(shell $(CC) -print-file-name=$(1))
LIBC := -nostdinc -isystem $(MUSL)/include -isystem $(call compiler_file,include)
LINK := $(CC) -static-pie -nostdlib -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,--gc-sections,--build-id=none \
  $(MUSL)/lib/rcrt1.o $(MUSL)/lib/crti.o $(call compiler_file,crtbeginS.o)
LINK_END := -Wl,--start-group $(MUSL)/lib/libc.a -lgcc -lgcc_eh -Wl,--end-group $(call compiler_file,crtendS.o) \
  $(MUSL)/lib/crtn.o
LIBC_READY := $(MUSL)/lib/libc.a
endif
CFLAGS_ALL := -std=gnu11 $(HARDEN) $(REPRODUCIBLE)

# Search path for the libraries' headers; system headers of the C library come after.
INCLUDES := -isystem $(SRC)/lua/src -isystem $(SRC)/libyaml/include -isystem $(SRC)/mbedtls/include \
  -isystem $(SRC)/curl/include -isystem $(SRC)/libssh2/include -isystem $(SRC)/jansson/src
DEFINES := -D_GNU_SOURCE -DCURL_STATICLIB -DYAML_DECLARE_STATIC

# The vendored tree is right when it was built from these bytes with these flags; worktrees may share one.
export ARCH OUT VENDOR CC AR HOST_CC CROSS SANITIZE
VENDOR_KEY := $(shell { cat vendor/pins vendor/*.mk vendor/fetch; find vendor/config -type f | sort | xargs cat; \
  echo '$(CFLAGS_ALL)' | sed 's|=$(CURDIR)=|=|;s|=$(VENDOR)=|=|'; $(CC) --version; } | sha256sum | cut -c1-16)
