# SPDX-License-Identifier: MIT
# The gateway program, plain and, for its tests, with sanitizers.

IPSECGW_SRC := $(wildcard examples/ipsecgw/*.c) $(wildcard ports/linux/*.c)
IPSECGW     := $(BUILD)/ipsecgw
IPSECGW_SAN := $(BUILD)/san/ipsecgw
IPSECGW_OBJ := $(IPSECGW_SRC:%.c=$(BUILD)/%.o)
IPSECGW_OBJ_SAN := $(IPSECGW_SRC:%.c=$(BUILD)/san/%.o)

$(IPSECGW_OBJ) $(IPSECGW_OBJ_SAN): CPPFLAGS += -Iports/linux -Iports/mbedtls

$(IPSECGW): $(IPSECGW_OBJ) $(PORT_OBJ) $(LIB) $(MBEDTLS_DEP)
	@mkdir -p $(@D); echo '  LD      $@'; \
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) \
	    $(MBEDTLS_LIBS)

$(IPSECGW_SAN): $(IPSECGW_OBJ_SAN) $(PORT_OBJ_SAN) $(LIB_SAN) $(MBEDTLS_DEP)
	@mkdir -p $(@D); echo '  LD      $@'; \
	$(CC) $(CFLAGS) $(SAN) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB_SAN) \
	    $(MBEDTLS_LIBS)

ipsecgw: $(IPSECGW)
