# SPDX-License-Identifier: MIT
# The lwIP half of "make placements": two devices, which are tests/interop's
# with lwIP built twice. The one has the native port in it; the other has none
# of that, not even its headers, and a bump below.

PLACE_DEVICE := $(filter-out %/agent.c %/place.c,\
                  $(wildcard tests/interop/*.c)) \
                examples/host/host.c examples/host/pcap.c \
                tests/placements/lwip_router.c
PLACE_native := tests/interop/place.c $(wildcard ports/lwip/*.c)
PLACE_bump   := tests/placements/place_bump.c $(wildcard ports/lwip_bump/*.c)
PLACE_FLAGS_native := -Iports/lwip
PLACE_FLAGS_bump   := -Iports/lwip_bump -DPLACE_BUMP

# $1: native or bump
define PLACE_RULES
$(BUILD)/placements/$1/lwip/%.o: $(LWIP_DIR)/src/%.c $(BUILD)/settings
	@mkdir -p $$(@D); echo '  CC      $$@'; \
	$$(CC) -std=gnu99 -w -Iinclude -Itests/placements $(PLACE_FLAGS_$1) \
	    -Iexamples/host $$(LWIP_CFLAGS) $$(CFLAGS) -MD -MP -c -o $$@ $$<

$(BUILD)/placements/$1/%.o: %.c $(BUILD)/settings | $(LWIP_DEP)
	$$(COMPILE) $$(SAN) -c -o $$@ $$<

PLACE_OBJ_$1 := $$(patsubst %.c,$(BUILD)/placements/$1/%.o,\
                  $(PLACE_DEVICE) $(PLACE_$1))
$$(PLACE_OBJ_$1): CPPFLAGS += -Itests/placements $(PLACE_FLAGS_$1) \
    -Iexamples/host -Itests/interop -Iports/mbedtls $$(LWIP_CFLAGS)
$$(PLACE_OBJ_$1): DEPFLAGS = -MD -MP

$(BUILD)/placements/$1/device: $$(PLACE_OBJ_$1) $(PORT_OBJ_SAN) $(LIB_SAN) \
        $(LWIP_FILES:%=$(BUILD)/placements/$1/lwip/%.o) $(MBEDTLS_DEP)
	@mkdir -p $$(@D); echo '  LD      $$@'; \
	$$(CC) $$(CFLAGS) $$(SAN) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) \
	    $(LIB_SAN) $$(MBEDTLS_LIBS)
endef

$(eval $(call PLACE_RULES,native))
$(eval $(call PLACE_RULES,bump))

# For tests/placements/lwip.py.
placements-lwip: $(BUILD)/placements/native/device \
                 $(BUILD)/placements/bump/device
.PHONY: placements-lwip
