# libipsec - IPsec for systems of any size
# SPDX-License-Identifier: MIT
#
# `make help` lists targets and variables. Each folder with programs of its
# own has its rules there, in a rules.mk.

all:

# Variables, for the command line: make test CC=clang BUILD=build-clang

CONF        ?= default## settings to build with: conf/*.mk
ifeq ($(wildcard conf/$(CONF).mk),)
$(error CONF=$(CONF) is none of: $(basename $(notdir $(wildcard conf/*.mk))))
endif
include conf/$(CONF).mk
CC          ?= cc## compiler
CFLAGS      ?= -O2 -g## optimization, target and debug flags
BUILD       ?= build## where everything that is made goes
DEPS        ?= build/deps## where sources of others that we fetch go
LWIP_DIR    ?=## lwIP source tree to use; else fetched
MBEDTLS_DIR ?=## mbedTLS source tree to use; else a package, or fetched
CMOCKA_DIR  ?=## CMocka source tree to use; else a package, or fetched
SABOTAGE    ?=## make demo: break it by "key", "policy" or "replay"; make week
COVERAGE    ?=## make test: 1 prints what of src/ is reached
FILTER      ?=## interop, placements, (gateway|mtu|firmware)-test: cases with this
SPLIT       ?=## make firmware-cost: where those of c3-O2, ... go, by function
FOREIGN     ?=## make test-foreign: these of tests/foreign/targets.txt alone
OPTIONS     ?=## make test-options: one build alone, without these
FUZZ_SECONDS ?= 30## make fuzz: how long for each target
FUZZ_RUNS    ?= -1## make fuzz: or how many executions; -1 is no limit
FUZZ_ONLY   ?=## make fuzz: this target alone
RULES       ?=## make misra: say where findings of these rules are
MUTATE      ?=## make conformance: disable so many rows, see their tests fail
SEED        ?=## ... and repeat what this seed made; make week: this one alone
REV         ?= HEAD## make size-diff: the commit to compare the tree with
FUNCTIONS   ?=## make size: 1 prints each function too
UPDATE      ?=## make size: 1 writes the README's table and lowers ceilings
PREFIX      ?= /usr/local## make install: where to
DESTDIR     ?=## make install: root of a staging tree

# Shared with the rules.mk of each folder.

WARN := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wmissing-prototypes
SAN  := -fsanitize=address,undefined -fno-sanitize-recover=all \
        -fno-omit-frame-pointer -O1 -g
CPPFLAGS += -Iinclude
DEPFLAGS  = -MMD -MP

ifneq ($(COVERAGE),)
override BUILD := $(BUILD)/coverage
SAN := --coverage -O0 -g
endif

CORE_SRC := $(wildcard src/*.c)
CORE_HDR := $(wildcard src/*.h include/ipsec/*.h)
PORT_SRC := $(wildcard ports/mbedtls/*.c)
LIB      := $(BUILD)/libipsec.a
LIB_SAN  := $(BUILD)/san/libipsec.a
# The mbedTLS backend, plain and with sanitizers: link it before the library.
PORT_OBJ     := $(PORT_SRC:%.c=$(BUILD)/%.o)
PORT_OBJ_SAN := $(PORT_SRC:%.c=$(BUILD)/san/%.o)

# Debian's own python3 has scapy; another one earlier in PATH may not.
PYTHON := $(firstword $(wildcard /usr/bin/python3) python3)

NEEDS_PYTHON = command -v $(PYTHON) > /dev/null || \
    { echo 'needs Python 3: apt-get install python3'; exit 1; }

VERSION  := $(shell awk '/define IPSEC_VERSION_/ { v = v s $$3; s = "." } \
                         END { print v }' include/ipsec/ipsec.h)
BENCH    := $(BUILD)/bench/bench
FUZZ_SRC := $(wildcard tests/fuzz/*.c)
FUZZ     := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/fuzz/%)
ifneq ($(FUZZ_ONLY),)
ifeq ($(wildcard tests/fuzz/$(FUZZ_ONLY).c),)
$(error FUZZ_ONLY=$(FUZZ_ONLY) is none of: \
        $(basename $(notdir $(FUZZ_SRC))))
endif
FUZZ     := $(BUILD)/fuzz/$(FUZZ_ONLY)
endif
TEST_SCRIPTS := scripts/warnings.sh

# What was built with other settings is built again: see REMEMBER below.
SETTINGS   := $(BUILD)/settings
BUILT_WITH := $(CC) $(CFLAGS) $(CPPFLAGS) $(SAN)

export CC BUILD DEPS WARN SABOTAGE LWIP_DIR MBEDTLS_DIR CMOCKA_DIR PYTHON

# Targets that build from src/ alone; all others need lwIP, mbedTLS, CMocka.
ALONE := all size size-diff lint misra install clean help deps-new \
         test-foreign $(LIB)
ifneq ($(filter-out $(ALONE),$(MAKECMDGOALS)),)
include scripts/deps.mk
include $(wildcard tests/rules.mk tests/lwip/rules.mk examples/rules.mk \
                   examples/ipsecgw/rules.mk tests/gateway/rules.mk \
                   tests/mtu/rules.mk tests/noheap/rules.mk \
                   tests/week/rules.mk tests/bench/rules.mk \
                   tests/peers/rules.mk tests/interop/rules.mk \
                   tests/placements/rules.mk tests/placements/lwip.mk)
endif
ifneq ($(filter firmware%,$(MAKECMDGOALS)),)
include tests/firmware/rules.mk
endif

all: $(LIB) ## build the library, build/libipsec.a (the default)

ipsecgw: ## the gateway program for Linux: build/ipsecgw

demo: ## two lwIP hosts speak ESP to each other and show what happens

test: $(TESTS) ## build and run all tests; COVERAGE=1 shows what they reach
	@COVERAGE=$(COVERAGE) sh scripts/test.sh $(TESTS) -- $(TEST_SCRIPTS)

test-foreign: ## unit tests and vectors for other machines, under qemu-user
	@FOREIGN='$(FOREIGN)' sh scripts/deps.sh foreign mbedtls-2.28.3 \
	    cmocka-1.1.5
	+@sh tests/foreign/run.sh $(FOREIGN)

test-options: ## each build option left out: its tests, warnings, structures
	@sh tests/options/matrix.sh $(OPTIONS)

conformance: $(TESTS) ## each row of docs/RFC.md: its code, and its test
	@$(NEEDS_PYTHON)
	@$(PYTHON) tests/conformance/conformance.py --exe $(BUILD)/tests \
	    $(if $(MUTATE),--mutate $(MUTATE)) $(if $(SEED),--seed $(SEED))

interop: ## against a real Linux kernel in QEMU, strongSwan, scapy, tshark

gateway-test: ## ipsecgw between network namespaces, without root

lwip-matrix: ## the lwIP port with each release and kind of lwIP

placements: ## native, below a stack, in the wire: each against Linux, a table

mtu-test: ## a path that shrinks between two ipsecgw: nothing stalls

firmware: ## images for Cortex-M3, M4 and M7 boards

firmware-test: ## they run in QEMU against a real Linux kernel

firmware-cost: ## instructions that a packet takes, crypto and the rest

bench: $(BENCH) ## what ESP costs on top of the cipher, and IPsec a gateway
	@$(BENCH)

week: ## a simulated week of 10^6 packets; SEED=n, SABOTAGE=name

fuzz: $(FUZZ) ## feed the packet paths random input (needs clang)
	@for target in $(FUZZ); do \
	    echo "$$target, $(FUZZ_SECONDS) s"; mkdir -p $$target.corpus; \
	    case $$target in $(FUZZ_LENS) *) max=2048 ;; esac; \
	    $$target -max_total_time=$(FUZZ_SECONDS) -max_len=$$max \
	        -runs=$(FUZZ_RUNS) -verbosity=0 -print_final_stats=1 \
	        -artifact_prefix=$$target.crash- $$target.corpus || exit 1; \
	done

fuzz-coverage: ## lines that the packets of the fuzz targets reach
	@$(MAKE) --no-print-directory COVERAGE=1 fuzz-reach

size: ## code, data and stack of the core by machine, against budgets
	@$(NEEDS_PYTHON)
	@$(PYTHON) scripts/size/size.py $(if $(FUNCTIONS),--functions) \
	    $(if $(UPDATE),--update)

size-diff: ## what another commit takes, REV=..., by function
	@$(NEEDS_PYTHON)
	@$(PYTHON) scripts/size/size.py --diff '$(REV)'

lint: ## check the rules of the house that a machine can check
	@sh scripts/lint.sh

misra: ## findings by MISRA C:2012, and what docs/MISRA.md allows of them
	@sh scripts/deps.sh misra
	@command -v $(PYTHON) > /dev/null || \
	    { echo 'needs Python 3: apt-get install python3'; exit 1; }
	@$(PYTHON) scripts/misra.py --places $(RULES) || [ $$? -eq 77 ]

install: $(LIB) ## install headers, library, its .pc, and ipsecgw if built
	install -d $(DESTDIR)$(PREFIX)/include/ipsec
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 644 include/ipsec/*.h $(DESTDIR)$(PREFIX)/include/ipsec
	install -m 644 $(LIB) $(DESTDIR)$(PREFIX)/lib
	@if [ -x $(BUILD)/ipsecgw ]; then set -ex; \
	    install -d $(DESTDIR)$(PREFIX)/sbin \
	        $(DESTDIR)$(PREFIX)/share/man/man8; \
	    install -m 755 $(BUILD)/ipsecgw $(DESTDIR)$(PREFIX)/sbin; \
	    install -m 644 examples/ipsecgw/ipsecgw.8 \
	        $(DESTDIR)$(PREFIX)/share/man/man8; \
	else \
	    echo 'ipsecgw is not built (make ipsecgw): not installed'; fi
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|lib|' \
	    -e 's|@VERSION@|$(VERSION)|' \
	    scripts/libipsec-embedded.pc.in \
	    > $(DESTDIR)$(PREFIX)/lib/pkgconfig/libipsec-embedded.pc

deps-new: ## fetch newer lwIP, mbedTLS and CMocka, to test with
	@sh scripts/deps.sh lwip-2.2.1 mbedtls-3.6.6 cmocka-1.1.7

clean: ## remove what was built; fetched sources stay
	rm -rf $(filter-out $(DEPS),$(wildcard $(BUILD)/*))

help: ## show this
	@echo 'Targets:'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' \
	    Makefile
	@echo 'Variables:'
	@awk -F ' *[?]= *|## ' '/^[A-Z_]+ *[?]=/ \
	    { preset = $$2 == "" || $$2 ~ /[$$]/ ? "" : " [" $$2 "]"; \
	      printf "  %-13s %s%s\n", $$1, $$3, preset }' \
	    Makefile $(wildcard tests/rules.mk)

.PHONY: firmware firmware-test firmware-cost
.PHONY: ipsecgw gateway-test mtu-test lwip-matrix placements week
.PHONY: all demo test test-foreign test-options conformance interop bench
.PHONY: fuzz fuzz-coverage size size-diff lint misra install deps-new
.PHONY: clean help
.DELETE_ON_ERROR:

# One rule an object: build/src/esp.o, and build/san/src/esp.o with sanitizers.
# A folder adds flags with e.g. "$(BUILD)/tests/%.o: CPPFLAGS += -Itests".

COMPILE = @mkdir -p $(@D); echo '  CC      $@'; \
          $(CC) -std=c99 $(WARN) $(CPPFLAGS) $(CFLAGS) $(DEPFLAGS)

$(BUILD)/san/%.o: %.c $(SETTINGS)
	$(COMPILE) $(SAN) -c -o $@ $<

$(BUILD)/%.o: %.c $(SETTINGS)
	$(COMPILE) -c -o $@ $<

ARCHIVE = @mkdir -p $(@D); echo '  AR      $@'; rm -f $@; \
          $(AR) rcs $@ $(filter %.o,$^)

$(LIB): $(CORE_SRC:%.c=$(BUILD)/%.o)
	$(ARCHIVE)

$(LIB_SAN): $(CORE_SRC:%.c=$(BUILD)/san/%.o)
	$(ARCHIVE)

$(PORT_OBJ) $(PORT_OBJ_SAN): CPPFLAGS += $(MBEDTLS_CFLAGS)
$(PORT_OBJ) $(PORT_OBJ_SAN): | $(MBEDTLS_DEP)

$(BUILD)/tests/bench/bench.o: CPPFLAGS += -Iports/mbedtls $(MBEDTLS_CFLAGS)
$(BUILD)/tests/bench/bench.o: | $(MBEDTLS_DEP)

$(BENCH): $(BUILD)/tests/bench/bench.o $(PORT_OBJ) $(LIB)
	@mkdir -p $(@D); echo '  LD      $@'; \
	$(CC) $(CFLAGS) -o $@ $^ $(MBEDTLS_LIBS)

# tests/rules.mk may set FUZZ_HELPERS (what a target is not about: built
# without feedback to the fuzzer, for speed), FUZZ_MORE (what it is about) and
# FUZZ_CPPFLAGS; FUZZ_PLAIN, targets that don't tell it what is compared with
# what; FUZZ_LENS, how long their inputs may be, as cases of a shell.
FUZZ_FLAGS = -std=c99 -g -O2 -fno-sanitize-recover=all $(CPPFLAGS) \
             $(FUZZ_CPPFLAGS)
FUZZ_AIDS := $(FUZZ_HELPERS:%.c=$(BUILD)/fuzz/aids/%.o)

$(BUILD)/fuzz/aids/%.o: %.c $(CORE_HDR)
	@mkdir -p $(@D); \
	clang $(FUZZ_FLAGS) -fsanitize=address,undefined -MMD -MP -c -o $@ $<

$(BUILD)/fuzz/%: tests/fuzz/%.c $(FUZZ_AIDS) $(FUZZ_MORE) $(CORE_SRC) \
                 $(CORE_HDR)
	@mkdir -p $(@D); echo '  FUZZ    $@'; \
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer,address,undefined \
	    $(if $(filter $*,$(FUZZ_PLAIN)),-fno-sanitize-coverage=trace-cmp) \
	    -o $@ $(filter %.c %.o,$^)

# Rewritten when a setting has changed, so that all is built again. .ci/run
# has two makes at a time here.
REMEMBER = @mkdir -p $(@D); echo '$1' > $@.$$$$; \
           if cmp -s $@.$$$$ $@; then rm $@.$$$$; else mv $@.$$$$ $@; fi

$(BUILD)/settings: FORCE
	$(call REMEMBER,$(BUILT_WITH))

FORCE:

-include $(shell find $(BUILD) -name '*.d' -not -path '*/deps/*' 2>/dev/null)
