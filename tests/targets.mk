# What the Makefile's targets of the same names do once their packages are there. Suites are whatever test files the tree has;
# HOLOS_TESTS=sample asks the long ones for a sample, HOLOS_TESTS=all for everything.
SUITES := pure golden sys life
tests_in = $(sort $(shell find $(addprefix tests/,$(1)) -name '*_test.lua' 2>/dev/null))
MAKE_HERE = +@$(MAKE)
FUZZ_SECONDS ?= 60
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

.PHONY: fake-qemu run-check run-check-all run-guests run-beside run-demo run-bench run-fuzz run-lint run-asan run-asan-tests run-dist fuzz-binaries
run-check: all fake-qemu
	HOLOS_TESTS=sample ./holos lua tests/run.lua $(call tests_in,$(SUITES) vm)

# Real guests keep one core busy for most of an hour; all else runs beside them.
TOTALS := build/totals
run-check-all: all fake-qemu
	@rm -rf $(TOTALS) && mkdir -p $(TOTALS)
	$(MAKE_HERE) -j2 run-guests run-beside
	@grep . $(TOTALS)/*
run-guests:
	HOLOS_TESTS=all ./holos lua tests/run.lua --totals $(TOTALS)/guests $(call tests_in,vm)
run-beside:
	$(MAKE_HERE) run-lint
	HOLOS_TESTS=all ./holos lua tests/run.lua --totals $(TOTALS)/without-guests $(call tests_in,$(SUITES) build)
	$(MAKE_HERE) run-asan-tests
	$(MAKE_HERE) run-fuzz

run-demo: all
	./holos lua tests/demo.lua $(IMAGE)

run-bench: all fake-qemu
	./holos lua tests/run.lua tests/bench/*_test.lua

# -- the stand-in for QEMU in tests/life: a program of its own, whatever holos is built with ------------------------------------

fake-qemu: build/fake-qemu
build/fake-qemu: $(wildcard tests/life/*.c tests/life/*.h)
	@mkdir -p $(@D)
	@echo "  CC      $@"
	$(Q)$(HOST_CC) -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -static -o $@ $(filter %.c,$^)

# -- reading the sources ---------------------------------------------------------------------------------------------------

# One file at a time: clang-tidy 14 reports va_list wrongly from the second on.
run-lint: $(TREE)/built
	luacheck -q lua tests vendor $(wildcard recipes)
	printf '%s\n' $(C_FILES) | xargs -P $(shell nproc) -I '{}' clang-tidy --quiet '{}' -- -std=gnu11 $(DEFINES) \
	  -DHOLOS_VERSION='"$(VERSION)"' -Imodules $(INCLUDES)

# -- sanitizers: all suites but those with real guests -----------------------------------------------------------------------

run-asan:
	$(MAKE_HERE) SANITIZE=asan OUT=build/asan all
run-asan-tests: run-asan fake-qemu
	@mkdir -p $(TOTALS)
	HOLOS_TESTS=sample build/asan/holos lua tests/run.lua --totals $(TOTALS)/sanitizers $(call tests_in,$(SUITES))

# -- fuzz targets: tests/fuzz/fuzz_x.c may use every primitive; tests/fuzz/corpus/x holds what to begin with ------------------

run-fuzz:
	$(MAKE_HERE) SANITIZE=fuzz OUT=build/fuzz fuzz-binaries
	$(foreach target,$(FUZZ_TARGETS),mkdir -p build/fuzz/corpus/$(target:fuzz_%=%) && build/fuzz/$(target) \
	  -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_funcs=0 -print_final_stats=1 \
	  -artifact_prefix=build/fuzz/$(target). build/fuzz/corpus/$(target:fuzz_%=%) \
	  $(wildcard tests/fuzz/corpus/$(target:fuzz_%=%)) &&) true

fuzz-binaries: $(FUZZ_TARGETS:%=$(OUT)/%)
$(OUT)/fuzz_%: tests/fuzz/fuzz_%.c $(filter-out %/holos.o,$(OBJECTS)) $(OUT)/embedded.o $(OUT)/build_id.o
	@echo "  LINK    $@"
	$(Q)$(C_COMMAND) -fsanitize=fuzzer -o $@ $^ $(TREE)/libvendor.a $(LINK_END)

# -- release: the sources and the binaries of both architectures -------------------------------------------------------------

DIST := build/dist
run-dist:
	@rm -rf $(DIST) && mkdir -p $(DIST)
	git archive --format=tar --prefix=holos-$(VERSION)/ HEAD | gzip -9n >$(DIST)/holos-$(VERSION).tar.gz
	$(MAKE_HERE) ARCH=x86_64 OUT=build/x86_64 build/x86_64/holos
	$(MAKE_HERE) ARCH=aarch64 OUT=build/aarch64 build/aarch64/holos
	for arch in x86_64 aarch64; do install -m 755 build/$$arch/holos $(DIST)/holos-$(VERSION)-$$arch; done
	cd $(DIST) && sha256sum holos-* >SHA256SUMS
