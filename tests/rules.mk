# SPDX-License-Identifier: MIT
# Unit tests, the vector walker and the fuzz targets.

TEST_SAN ?= $(SAN)## sanitizers of the unit tests; empty: none, for speed

ifneq ($(strip $(TEST_SAN)),)
TEST_EXE  := $(BUILD)/tests
TEST_OBJ  := $(BUILD)/san/tests
TEST_LIB  := $(LIB_SAN)
TEST_PORT := $(PORT_OBJ_SAN)
else
TEST_EXE  := $(BUILD)/quick
TEST_OBJ  := $(BUILD)/tests
TEST_LIB  := $(LIB)
TEST_PORT := $(PORT_OBJ)
endif

TEST_NAMES := $(patsubst tests/%.c,%,$(wildcard tests/test_*.c))
FAKE_NAMES := $(patsubst tests/%.c,%,$(wildcard tests/fake/*.c) \
                                  tests/vectors/record.c)
FAKE_OBJ   := $(FAKE_NAMES:%=$(TEST_OBJ)/%.o)
UNIT       := $(TEST_NAMES:%=$(TEST_EXE)/%)

TESTS += $(UNIT)

TEST_LINK = @mkdir -p $(@D); echo '  LD      $@'; \
            $(CC) $(CFLAGS) $(TEST_SAN) $(LDFLAGS) -o $@ $(filter %.o,$^) \
            $(filter %.a,$^)

$(TEST_NAMES:%=$(TEST_OBJ)/%.o) $(FAKE_OBJ): \
    CPPFLAGS += -Itests -Isrc -Iports/mbedtls $(CMOCKA_CFLAGS)
$(TEST_NAMES:%=$(TEST_OBJ)/%.o) $(FAKE_OBJ): | $(CMOCKA_DEP)

$(UNIT): $(TEST_EXE)/%: $(TEST_OBJ)/%.o $(FAKE_OBJ) $(TEST_PORT) \
                        $(TEST_LIB) | $(CMOCKA_DEP) $(MBEDTLS_DEP)
	$(TEST_LINK) $(CMOCKA_LIBS) $(MBEDTLS_LIBS)

# The template of a port, a port made by docs/PORTING.md, and an example.
TEMPLATE_OBJ    := $(patsubst %.c,$(TEST_OBJ:%/tests=%)/%.o,\
                     $(wildcard ports/template/*.c))
PORTING_OBJ     := $(patsubst tests/%.c,$(TEST_OBJ)/%.o,\
                     $(wildcard tests/porting/*.c))
ACCELERATOR_OBJ := $(TEST_OBJ:%/tests=%)/examples/accelerator/accelerator.o

$(TEST_EXE)/test_rfc3602: $(TEST_OBJ)/vectors/read.o $(TEST_OBJ)/vectors/bare.o
$(TEST_EXE)/test_template: $(TEMPLATE_OBJ)
$(TEST_EXE)/test_porting: $(PORTING_OBJ)
$(TEST_EXE)/test_accelerator: $(ACCELERATOR_OBJ)
$(PORTING_OBJ): CPPFLAGS += -Itests
$(TEST_OBJ)/test_template.o: CPPFLAGS += -Iports/template
$(TEST_EXE)/test_accelerator: LDFLAGS += -pthread
$(TEST_OBJ)/test_accelerator.o: CPPFLAGS += -Iexamples/accelerator

# The vector walker: see tests/vectors/README.md.
VECTORS     := $(TEST_EXE)/vectors
VECTORS_OBJ := $(patsubst %,$(TEST_OBJ)/vectors/%.o,vectors walker read bare)

TEST_SCRIPTS += tests/vectors/run.sh
test: $(VECTORS)

$(VECTORS_OBJ): CPPFLAGS += -Itests -Isrc -Iports/mbedtls $(MBEDTLS_CFLAGS)
$(VECTORS_OBJ): | $(MBEDTLS_DEP)

$(VECTORS): $(VECTORS_OBJ) $(TEST_OBJ)/vectors/record.o $(TEST_PORT) \
            $(TEST_LIB) | $(MBEDTLS_DEP)
	$(TEST_LINK) $(MBEDTLS_LIBS)

# Hostile input: is every row shown by a test that exists?
TEST_SCRIPTS += tests/attacks.py

# The tools behind make size and make firmware-cost.
TEST_SCRIPTS += tests/size.py tests/cost.sh

# Builds with something left out: see include/ipsec/options.h.
TEST_SCRIPTS += tests/options/run.sh tests/keymgmt.sh tests/counters.sh
export MBEDTLS_CFLAGS MBEDTLS_LIBS CMOCKA_CFLAGS CMOCKA_LIBS

# What looks at the code, does it see anything?
TEST_SCRIPTS += tests/misra.sh tests/analyse.sh

# The ways into a product.
TEST_SCRIPTS += tests/packages.sh

# Run the unit tests alone and stop at the first that fails. With TEST_SAN=
# this is quick enough to be done a hundred times, as tests/mutate.py does.
unit: $(UNIT)
	@for t in $(UNIT); do \
	    $$t > $(TEST_EXE)/output 2>&1 || { echo "$$t failed"; exit 1; }; \
	done

# The same and the vector walker, built only: for tests/foreign/run.sh, which
# runs them somewhere else.
units: $(UNIT) $(VECTORS)

.PHONY: unit units

# Fuzz targets as plain programs, which "make test" runs on the seeds; "make
# fuzz" builds the same with libFuzzer.
FUZZ_HELPERS  := tests/fuzz/shared/site.c tests/fake/crypto.c
FUZZ_MORE     := tests/vectors/record.c tests/vectors/read.c
FUZZ_CPPFLAGS := -Itests -Isrc -Iexamples/ipsecgw
FUZZ_PLAIN    := replay resume spd
FUZZ_LENS     := */replay) max=160 ;; */resume) max=70 ;; */spd) max=640 ;;
$(BUILD)/fuzz/setkey: $(wildcard examples/ipsecgw/setkey*.c)
FUZZ_NAMES    := $(FUZZ_SRC:tests/fuzz/%.c=%)
FUZZ_REPLAY   := $(FUZZ_NAMES:%=$(TEST_EXE)/fuzz_%)
FUZZ_SHARED   := $(patsubst tests/%.c,$(TEST_OBJ)/%.o,$(FUZZ_HELPERS) \
                 $(FUZZ_MORE) tests/fuzz/shared/replayer.c)
FUZZ_OBJ      := $(FUZZ_NAMES:%=$(TEST_OBJ)/fuzz/%.o) $(FUZZ_SHARED)

# What the corpora of the fuzz targets reach: "make fuzz-coverage".
fuzz-reach: $(FUZZ_REPLAY)
	@sh tests/fuzz/reach.sh $(FUZZ_REPLAY)
.PHONY: fuzz-reach

TEST_SCRIPTS += tests/fuzz/seeds.sh
test: $(FUZZ_REPLAY)

$(FUZZ_OBJ): CPPFLAGS += -Itests -Isrc -Iexamples/ipsecgw
$(TEST_EXE)/fuzz_setkey: $(patsubst %.c,$(TEST_OBJ:%/tests=%)/%.o,\
                           $(wildcard examples/ipsecgw/setkey*.c))

$(FUZZ_REPLAY): $(TEST_EXE)/fuzz_%: $(TEST_OBJ)/fuzz/%.o $(FUZZ_SHARED) \
                $(TEST_LIB)
	$(TEST_LINK)

# Seeds to begin with; what a run finds stays beside them.
$(FUZZ): | $(BUILD)/fuzz/seeds
$(BUILD)/fuzz/seeds: tests/fuzz/seeds.py $(wildcard tests/vectors/*.txt)
	@mkdir -p $(@D); $(PYTHON) $< $(@D) && touch $@

test-options: | $(CMOCKA_DEP) $(MBEDTLS_DEP)
