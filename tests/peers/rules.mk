# SPDX-License-Identifier: MIT
# libipsec against other peers than tests/interop's: see the README there. All
# of ours is built with sanitizers.

PEERS     := $(BUILD)/peers/endpoint
PEERS_OBJ := $(BUILD)/san/tests/peers/endpoint.o

$(PEERS_OBJ): CPPFLAGS += -Iports/mbedtls

$(PEERS): $(PEERS_OBJ) $(PORT_OBJ_SAN) $(LIB_SAN) | $(MBEDTLS_DEP)
	@mkdir -p $(@D); echo '  LD      $@'; \
	$(CC) $(CFLAGS) $(SAN) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB_SAN) \
	    $(MBEDTLS_LIBS)
