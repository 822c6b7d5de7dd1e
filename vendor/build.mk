# The vendored libraries: `make -f vendor/build.mk unpack`, then `make -f vendor/build.mk`. Called by the Makefile, which
# says where. No configure, no cmake: the settings are in vendor/config, laid over the unpacked sources.
include vendor/flags.mk

LIBRARIES := lua libyaml mbedtls curl libssh2 jansson
SOURCES := $(LIBRARIES) musl
all: $(TREE)/built
$(TREE)/built: $(TREE)/libvendor.a $(HOST_LUA)
	@touch $@

# -- sources -------------------------------------------------------------------------------------------------------------

unpack: $(SOURCES:%=$(SRC)/%/.unpacked)
$(SRC)/%/.unpacked:
	@rm -rf $(SRC)/$* && mkdir -p $(SRC)/$*
	@echo "  UNPACK  $*"
	@archive=$$(vendor/fetch $*) && tar -xf "$$archive" -C $(SRC)/$* --strip-components=1 --no-same-owner
	@test ! -d vendor/config/$* || cp -R vendor/config/$*/. $(SRC)/$*
	@if grep -q '^name: $*-patches$$' vendor/pins; then $(call apply_patches,$*); fi
	@touch $@

# The distribution's security patches, in the order of its series file.
apply_patches = patches=$$(vendor/fetch $(1)-patches) && tar -xf "$$patches" -C $(SRC)/$(1) --no-same-owner && cd $(SRC)/$(1) && \
  sed '/^\#/d;/^$$/d' debian/patches/series | while read -r name; do \
    patch -p1 -s --no-backup-if-mismatch <debian/patches/$$name || exit 1; done

# -- the C library: its own Makefile, our config.mak ------------------------------------------------------------------------

KERNEL_HEADER = $(shell echo '#include <$(1)>' | $(CC) -E -M -x c - | tr ' \\' '\n\n' | sed -n 's|/$(1)$$||p' | head -n 1)
define MUSL_CONFIG
ARCH = $(ARCH)
prefix = $(abspath $(MUSL))
CC = $(CC)
AR = $(AR)
RANLIB = $(AR) s
CFLAGS = -O2 -pipe -w -fomit-frame-pointer -fno-unwind-tables -fno-asynchronous-unwind-tables -ffunction-sections \
  -fdata-sections -fstack-protector-strong -ffile-prefix-map=$(TREE)=vendor
CFLAGS_AUTO =
CFLAGS_C99FSE = -std=c99 -nostdinc -ffreestanding -fexcess-precision=standard -frounding-math -fno-strict-aliasing \
  -Wa,--noexecstack
CFLAGS_MEMOPS = -fno-tree-loop-distribute-patterns
CFLAGS_NOSSP = -fno-stack-protector
OPTIMIZE_GLOBS = internal/*.c malloc/*.c string/*.c
SHARED_LIBS =
ALL_TOOLS =
TOOL_LIBS =
AOBJS = $$(LOBJS)
endef

$(MUSL)/lib/libc.a: $(SRC)/musl/.unpacked
	$(file >$(SRC)/musl/config.mak,$(MUSL_CONFIG))
	@rm -rf $(MUSL)
	@echo "  MAKE    musl"
	+@$(MAKE) -s -C $(SRC)/musl -f Makefile install
	@ln -s $(call KERNEL_HEADER,linux/version.h)/linux $(MUSL)/include/linux
	@ln -s $(call KERNEL_HEADER,asm/types.h)/asm $(MUSL)/include/asm
	@ln -s $(call KERNEL_HEADER,asm-generic/types.h)/asm-generic $(MUSL)/include/asm-generic

# -- the libraries -----------------------------------------------------------------------------------------------------------

c_files = $(sort $(wildcard $(foreach directory,$(2),$(SRC)/$(1)/$(directory)/*.c)))
lua_c := $(filter-out %/lua.c %/luac.c,$(call c_files,lua,src))
libyaml_c := $(call c_files,libyaml,src)
mbedtls_c := $(call c_files,mbedtls,library)
curl_c := $(call c_files,curl,lib lib/vtls lib/vauth lib/vdns lib/vquic lib/curlx)
# The key agent, sftp, scp and public key subsystem are not used; the other crypto backends are included by none.
libssh2_c := $(addprefix $(SRC)/libssh2/src/,$(addsuffix .c,bcrypt_pbkdf channel chacha cipher-chachapoly comp crypt crypto \
  global hostkey keepalive kex knownhost mac mbedtls misc packet pem poly1305 session transport userauth \
  userauth_kbd_packet version))
jansson_c := $(call c_files,jansson,src)
objects = $(patsubst $(SRC)/%.c,$(TREE)/obj/%.o,$($(1)_c))
OBJECTS := $(foreach library,$(LIBRARIES),$(call objects,$(library)))

$(call objects,lua): FLAGS = -DLUA_USE_POSIX
$(call objects,libyaml): FLAGS = -I$(SRC)/libyaml/include -DYAML_DECLARE_STATIC -DYAML_VERSION_MAJOR=0 \
  -DYAML_VERSION_MINOR=2 -DYAML_VERSION_PATCH=5 -DYAML_VERSION_STRING='"0.2.5"'
# Debian builds 3.6.7 with the macro too: the unaligned access it turns off is miscompiled by some compilers.
$(call objects,mbedtls): FLAGS = $(MBEDTLS) -I$(SRC)/mbedtls/library -DMBEDTLS_ALIGNMENT_DISABLE_EFFICENT_UNALIGNED_ACCESS
$(call objects,curl): FLAGS = $(MBEDTLS) -DHAVE_CONFIG_H -DBUILDING_LIBCURL -DCURL_STATICLIB -D_GNU_SOURCE \
  -I$(SRC)/curl/lib -I$(SRC)/curl/include
$(call objects,libssh2): FLAGS = $(MBEDTLS) -DHAVE_CONFIG_H -I$(SRC)/libssh2/src -I$(SRC)/libssh2/include
$(call objects,jansson): FLAGS = -DHAVE_CONFIG_H -D_GNU_SOURCE -I$(SRC)/jansson/src
MBEDTLS := -I$(SRC)/mbedtls/include

$(OBJECTS): $(TREE)/obj/%.o: $(SRC)/%.c $(foreach source,$(SOURCES),$(SRC)/$(source)/.unpacked) $(LIBC_READY)
	@mkdir -p $(@D)
	@echo "  CC      $(<:$(SRC)/%=%)"
	@$(CC) $(CFLAGS_ALL) $(LIBC) $(FLAGS) -w -c $< -o $@

$(TREE)/libvendor.a: $(OBJECTS)
	@rm -f $@
	@$(AR) rcsD $@ $^

# -- Lua for the machine that builds: compiles and embeds the scripts --------------------------------------------------------

$(HOST_LUA): $(SRC)/lua/.unpacked
	@mkdir -p $(@D)
	@echo "  CC      lua for this machine"
	@$(HOST_CC) -O1 -w -DLUA_USE_POSIX -o $@ $(lua_c) $(SRC)/lua/src/lua.c -lm

.PHONY: all unpack
.DELETE_ON_ERROR:
