# SPDX-License-Identifier: MIT
# A simulated week: see week.h. `make week` takes minutes; `make test` runs a
# shorter one with sanitizers.

WEEK_SRC := $(wildcard tests/week/*.c)
WEEK     := $(BUILD)/week/week
WEEK_SAN := $(BUILD)/san/week/week

$(WEEK_SRC:%.c=$(BUILD)/%.o) $(WEEK_SRC:%.c=$(BUILD)/san/%.o): \
    CPPFLAGS += -Iports/mbedtls

$(WEEK): $(WEEK_SRC:%.c=$(BUILD)/%.o) $(PORT_OBJ) $(LIB) $(MBEDTLS_DEP)
	@mkdir -p $(@D); echo '  LD      $@'; \
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) \
	    $(MBEDTLS_LIBS)

$(WEEK_SAN): $(WEEK_SRC:%.c=$(BUILD)/san/%.o) $(PORT_OBJ_SAN) $(LIB_SAN) \
             $(MBEDTLS_DEP)
	@mkdir -p $(@D); echo '  LD      $@'; \
	$(CC) $(CFLAGS) $(SAN) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB_SAN) \
	    $(MBEDTLS_LIBS)

# SEED=n: that one alone. SABOTAGE=replay, reservation, books or clear breaks
# something, and must fail.
WEEK_PACKETS ?= 1000000
week: $(WEEK)
	@for seed in $(or $(SEED),1 2 3); do \
	    $(WEEK) $(WEEK_PACKETS) 100 $$seed $(SABOTAGE) || exit 1; \
	done

test: $(WEEK_SAN)
TEST_SCRIPTS += tests/week/run.sh
