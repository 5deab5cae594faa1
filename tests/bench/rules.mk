# SPDX-License-Identifier: MIT
# What IPsec costs ipsecgw, in memory and over interfaces: ratios of one run,
# against their limits.

FORWARD     := $(BUILD)/bench/forward
FORWARD_OBJ := $(BUILD)/tests/bench/forward.o \
    $(patsubst %,$(BUILD)/examples/ipsecgw/%.o,base base_find base_index \
      base_number base_policy setkey setkey_name setkey_policy setkey_sa \
      setkey_token load address mtu show text) \
    $(patsubst %,$(BUILD)/ports/linux/%.o,linux_port linux_store linux_hop \
      linux_nd linux_gso linux_mtu)

$(BUILD)/tests/bench/forward.o: CPPFLAGS += -Iexamples/ipsecgw -Iports/linux \
                                            -Iports/mbedtls

$(FORWARD): $(FORWARD_OBJ) $(PORT_OBJ) $(LIB) $(MBEDTLS_DEP)
	@mkdir -p $(@D); echo '  LD      $@'; \
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) \
	    $(MBEDTLS_LIBS)

# Fails over its limits; what can't be run here is told, and counted.
bench: bench-gateway
bench-gateway: $(FORWARD) $(IPSECGW)
	@PYTHON=$(PYTHON) sh tests/bench/run.sh $(FORWARD) $(abspath $(IPSECGW))
.PHONY: bench-gateway
