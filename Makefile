# holos. `make` gives ./holos; DESIGN.md §2 names the targets. Sources: HOLOS_SOURCES=DIR, else fetched and cached.
VERSION := 0.1.0
Q := $(if $(V),,@)
all:
include vendor/flags.mk

C_FILES := holos.c $(sort $(wildcard modules/*.c))
SCRIPTS := $(sort $(shell find lua recipes -name '*.lua' 2>/dev/null))
OBJECTS := $(C_FILES:%.c=$(OUT)/obj/%.o)
BINARY := $(OUT)/holos
BUILT := $(VENDOR)/built-$(VENDOR_KEY)
WARNINGS ?= -Wall -Wextra -Werror
C_COMMAND = $(CC) $(CFLAGS_ALL) -g $(LIBC) $(DEFINES) -Imodules $(INCLUDES) $(WARNINGS) $(CFLAGS)

# remember NAME,TEXT: rewrites $(OUT)/NAME when TEXT is not what it holds, so that a removed file or changed flag rebuilds.
remember = $(if $(filter x$(shell echo '$(2)' | cksum | tr ' ' -)x,x$(file <$(OUT)/$(1))x),,$(shell mkdir -p $(OUT)) \
  $(file >$(OUT)/$(1),$(shell echo '$(2)' | cksum | tr ' ' -)))
$(call remember,flags,$(C_COMMAND) $(VERSION))
$(call remember,inputs,$(SCRIPTS) $(OBJECTS))

all: $(if $(SANITIZE)$(CROSS),$(BINARY),holos)
holos: $(BINARY)
	@install -m 755 $< $@

$(BUILT):
	@mkdir -p $(VENDOR)
	+@flock $(VENDOR) sh -c 'test -e $@ || { $(MAKE) -f vendor/build.mk unpack && $(MAKE) -f vendor/build.mk && touch $@; }'

$(OBJECTS): $(OUT)/obj/%.o: %.c $(OUT)/flags $(BUILT)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(C_COMMAND) -DHOLOS_VERSION='"$(VERSION)"' -MMD -MP -c $< -o $@

# Scripts and licence texts as one object; then an object that names what all the others are made of.
$(OUT)/embedded.o: $(SCRIPTS) vendor/embed.lua vendor/pins LICENSE $(OUT)/inputs $(BUILT)
	@echo "  EMBED   $(words $(SCRIPTS)) scripts"
	$(Q)$(HOST_LUA) vendor/embed.lua $(OUT)/embedded $(SRC) $(VERSION) $(SCRIPTS)
	$(Q)$(CC) -c $(OUT)/embedded.S -o $@
$(OUT)/build_id.o: $(OBJECTS) $(OUT)/embedded.o $(VENDOR)/libvendor.a
	$(Q)cat $^ $(LIBC_READY) | sha256sum | sed 's/\(.\{16\}\).*/const char holos_build_id[] = "\1";/' | $(CC) -x c -c - -o $@

$(VENDOR)/libvendor.a: $(BUILT) ;

$(BINARY): $(OBJECTS) $(OUT)/embedded.o $(OUT)/build_id.o $(VENDOR)/libvendor.a
	@echo "  LINK    $@"
	$(Q)$(LINK) -o $@.debug $^ $(LINK_END)
	$(Q)$(STRIP) -o $@ $@.debug

-include $(OBJECTS:.o=.d)
.PHONY: all
.DELETE_ON_ERROR:
