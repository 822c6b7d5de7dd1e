# What the Makefile and vendor/build.mk share: compilers, flags, where things are.
#   ARCH      x86_64 or aarch64, cross-compiled when it is not this machine's
#   SANITIZE  empty: musl, static-PIE, hardened. asan: glibc with AddressSanitizer and UBSan. fuzz: the same for libFuzzer.
#   OUT       where this build goes
#   VENDOR    holds one tree for each set of sources and flags, so that work trees may share it
HOST_ARCH := $(shell uname -m)
HOST_CC ?= gcc
ARCH ?= $(HOST_ARCH)
OUT ?= build/$(or $(SANITIZE),$(ARCH))
VENDOR ?= build/vendor

CROSS ?= $(if $(filter-out $(HOST_ARCH),$(ARCH)),$(ARCH)-linux-gnu-)
ifeq ($(origin CC),default)
CC := $(if $(filter fuzz,$(SANITIZE)),clang,$(CROSS)gcc)
endif
ifeq ($(origin AR),default)
AR := $(CROSS)ar
endif
STRIP ?= $(CROSS)strip

# _FORTIFY_SOURCE does nothing with musl, so it is not here.
HARDEN_ := -O2 -fPIE -ffunction-sections -fdata-sections -fstack-protector-strong -fstack-clash-protection \
  -ftrivial-auto-var-init=zero
HARDEN_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
HARDEN_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
BASE_CFLAGS := -std=gnu11 $(HARDEN_$(SANITIZE))

# A tree is named after everything that its bytes depend on.
TREE := $(VENDOR)/$(or $(SANITIZE),$(ARCH))-$(shell { grep -E '^(name|sha256):' vendor/pins; cat vendor/build.mk; \
  find vendor/config -type f | sort | xargs cat; echo '$(BASE_CFLAGS)'; $(CC) --version 2>&1; } | sha256sum | cut -c1-12)
SRC := $(TREE)/src
MUSL := $(TREE)/musl
HOST_LUA := $(TREE)/host/lua
CFLAGS_ALL := $(BASE_CFLAGS) -ffile-prefix-map=$(TREE)=vendor -ffile-prefix-map=$(CURDIR)=.

# The start files of the static-PIE are named one by one: `musl-gcc -static-pie` gives a binary that asks for a loader.
ifeq ($(SANITIZE),)
compiler_file = $(shell $(CC) -print-file-name=$(1) 2>/dev/null)
LIBC := -nostdinc -isystem $(MUSL)/include -isystem $(call compiler_file,include)
LIBC_READY := $(MUSL)/lib/libc.a
LINK := $(CC) -static-pie -nostdlib -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,--gc-sections,--build-id=none \
  $(MUSL)/lib/rcrt1.o $(MUSL)/lib/crti.o $(call compiler_file,crtbeginS.o)
LINK_END := -Wl,--start-group $(MUSL)/lib/libc.a -lgcc -lgcc_eh -Wl,--end-group $(call compiler_file,crtendS.o) \
  $(MUSL)/lib/crtn.o
else
LINK := $(CC) $(BASE_CFLAGS)
LINK_END := -lm -lpthread
endif

# Of the libraries, for our own files.
INCLUDES := -isystem $(SRC)/lua/src -isystem $(SRC)/libyaml/include -isystem $(SRC)/mbedtls/include \
  -isystem $(SRC)/curl/include -isystem $(SRC)/libssh2/include -isystem $(SRC)/jansson/src
DEFINES := -D_GNU_SOURCE -DCURL_STATICLIB -DYAML_DECLARE_STATIC
