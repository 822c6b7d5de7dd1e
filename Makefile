# holos. `make` gives ./holos. Targets: all check check-all demo bench fuzz lint asan install dist clean.
# Variables: DEPS=install installs the Debian packages a target needs; HOLOS_SOURCES=DIR holds source archives (else they are
# fetched and cached); ARCH=aarch64 cross-compiles; V=1 shows commands; IMAGE=PATH is the demo's image; see vendor/flags.mk.
VERSION := 0.1.0
PREFIX ?= /usr/local
PARALLEL := $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
MAKEFLAGS += --no-print-directory $(PARALLEL)
Q := $(if $(V),,@)
all:
include vendor/flags.mk

C_FILES := holos.c $(sort $(wildcard modules/*.c)) $(if $(filter asan,$(SANITIZE)),tests/support/asan.c)
EMBEDDED := $(sort $(shell find lua -name '*.lua') $(shell find recipes -type f ! -name '.*'))
OBJECTS := $(C_FILES:%.c=$(OUT)/obj/%.o)
BINARY := $(OUT)/holos
WARNINGS ?= -Wall -Wextra -Werror
# How gcc writes a header's path into debug data would depend on where the tree is.
DEBUG := -g $(if $(filter fuzz,$(SANITIZE)),,-fno-canonical-system-headers)
C_COMMAND = $(CC) $(CFLAGS_ALL) $(DEBUG) $(LIBC) $(DEFINES) -Imodules $(INCLUDES) $(WARNINGS) $(CFLAGS)

# -- the binary ----------------------------------------------------------------------------------------------------------

# remember NAME,TEXT: rewrites $(OUT)/NAME when TEXT is not what it holds, so that a removed file or a changed flag rebuilds.
remember = $(if $(filter x$(2)x,x$(file <$(OUT)/$(1))x),,$(shell mkdir -p $(OUT))$(file >$(OUT)/$(1),$(2)))
digest = $(firstword $(shell echo '$(1)' | sha256sum))
$(call remember,flags,$(call digest,$(C_COMMAND) $(VERSION)))
$(call remember,inputs,$(call digest,$(EMBEDDED) $(OBJECTS)))

all: $(if $(SANITIZE)$(CROSS),$(BINARY),holos)
holos: $(BINARY)
	@install -m 755 $< $@

# Only this make inherits what was decided here; one for another ARCH or SANITIZE decides for itself.
$(TREE)/built: export ARCH := $(ARCH)
$(TREE)/built: export SANITIZE := $(SANITIZE)
$(TREE)/built: export VENDOR := $(VENDOR)
$(TREE)/built: export CC := $(CC)
$(TREE)/built: export AR := $(AR)
$(TREE)/built: export HOST_CC := $(HOST_CC)
$(TREE)/built:
	@tests/need build $(DEPS)
	+@mkdir -p $(TREE) && flock $(TREE) sh -c '$(MAKE) -f vendor/build.mk unpack && $(MAKE) -f vendor/build.mk'

$(OBJECTS): $(OUT)/obj/%.o: %.c $(OUT)/flags $(TREE)/built
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(C_COMMAND) -DHOLOS_VERSION='"$(VERSION)"' -MMD -MP -c $< -o $@

# Scripts, recipes and licence texts as one object, then one that names the bytes of all the others.
$(OUT)/embedded.o: $(EMBEDDED) vendor/embed.lua vendor/pins LICENSE $(OUT)/inputs $(TREE)/built
	@echo "  EMBED   $(words $(EMBEDDED)) files"
	$(Q)$(HOST_LUA) vendor/embed.lua $(OUT)/embedded $(SRC) $(VERSION) $(EMBEDDED)
	$(Q)$(CC) -c $(OUT)/embedded.S -o $@
$(OUT)/build_id.o: $(OBJECTS) $(OUT)/embedded.o
	$(Q)cat $^ $(TREE)/libvendor.a $(LIBC_READY) | sha256sum | sed 's/\(.\{16\}\).*/const char holos_build_id[] = "\1";/' | \
	  $(CC) -x c -c - -o $@

$(BINARY): $(OBJECTS) $(OUT)/embedded.o $(OUT)/build_id.o
	@echo "  LINK    $@"
	$(Q)$(LINK) -o $@.debug $^ $(TREE)/libvendor.a $(LINK_END)
	$(Q)$(if $(SANITIZE),cp $@.debug $@,$(STRIP) -o $@ $@.debug)

install: all
	install -D -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/holos

clean:
	rm -rf build holos

# -- tests and the like: first the packages, then the work in a make that knows them -----------------------------------------

check check-all demo bench fuzz lint asan dist:
	@tests/need $@ $(DEPS)
	+@$(MAKE) run-$@
include tests/targets.mk

-include $(OBJECTS:.o=.d)
.PHONY: all install clean check check-all demo bench fuzz lint asan dist
.DELETE_ON_ERROR:
