# SPDX-License-Identifier: MIT
# The lwIP device against a real Linux kernel: see README.md. All of ours is
# built with sanitizers; only lwIP and mbedTLS are not.

INTEROP_SRC := $(filter-out %/agent.c,$(wildcard tests/interop/*.c)) \
               examples/host/host.c examples/host/pcap.c \
               $(wildcard ports/lwip/*.c)
INTEROP_OBJ := $(INTEROP_SRC:%.c=$(BUILD)/san/%.o)

$(INTEROP_OBJ): CPPFLAGS += $(HOST_CPPFLAGS) -Itests/interop -Iports/mbedtls
$(INTEROP_OBJ): DEPFLAGS = -MD -MP
$(INTEROP_OBJ): | $(LWIP_DEP)

$(BUILD)/interop/device: $(INTEROP_OBJ) $(PORT_OBJ_SAN) $(LIB_SAN) \
                         $(LWIP_OBJS) $(MBEDTLS_DEP)
	@mkdir -p $(@D); echo '  LD      $@'; \
	$(CC) $(CFLAGS) $(SAN) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB_SAN) \
	    $(MBEDTLS_LIBS)

# The device with a kernel, then the endpoint of tests/peers with all others.
# Ends with "N passed, N failed, N skipped". FILTER='gcm128-tunnel-6 late' runs
# those cases whose names have one of these in them.
interop: $(BUILD)/interop/device $(PEERS)
	@command -v $(PYTHON) > /dev/null || { \
	    echo 'interop: python3 not found. This installs it:' >&2; \
	    echo '    apt-get install -y --no-install-recommends python3' >&2; \
	    exit 1; }
	@$(PYTHON) tests/peers/total.py \
	    $(PYTHON) tests/interop/interop.py --build $(BUILD)/interop \
	        --interop $(BUILD)/interop --cache $(DEPS)/linux --device $< \
	        --filter='$(FILTER)' -- \
	    $(PYTHON) tests/peers/peers.py --build $(BUILD)/peers \
	        --interop $(BUILD)/interop --cache $(DEPS)/linux \
	        --endpoint $(PEERS) --filter='$(FILTER)' -- \
	    $(PYTHON) tests/peers/charons.py --build $(BUILD)/charons \
	        --endpoint $(PEERS) --filter='$(FILTER)' || [ $$? -eq 77 ]
