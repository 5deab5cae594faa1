# SPDX-License-Identifier: MIT
# The lwIP port, in one process with lwIP: built with each kind of lwIP that
# lwipopts.h knows, and with each version of it that is there.

LAN_FILES := $(addprefix core/,init def inet_chksum ip mem memp netif pbuf \
               raw stats tcp tcp_in tcp_out timeouts udp) \
             $(addprefix core/ipv4/,acd dhcp etharp icmp igmp ip4 ip4_addr \
               ip4_frag) \
             $(addprefix core/ipv6/,ethip6 icmp6 inet6 ip6 ip6_addr \
               ip6_frag mld6 nd6) \
             netif/ethernet
LAN_SRC   := $(wildcard tests/lwip/*.c) $(wildcard ports/lwip/*.c) \
             tests/fake/crypto.c tests/fake/fixture.c tests/fake/needs.c \
             tests/fake/packet.c
LAN_TREES := $(LWIP_DIR:/=) $(foreach t,$(wildcard $(DEPS)/lwip-*[0-9]),\
               $(if $(filter $(notdir $t),$(notdir $(LWIP_DIR:/=))),,$t))

LAN_COMPILE = @mkdir -p $(@D); echo '  CC      $@'; \
              $(CC) $(CFLAGS) $(SAN) -MD -MP -c -o $@ $<

# How a version of lwIP is told where its memory comes from.
lan_flags = $(if $(shell grep -s mem_clib_malloc $1/src/core/mem.c),-DLAN_LIBC)

# $1: kind, $2: lwIP's tree, $3: name of the program, $4: flags, $5: sources,
# $6: where headers are
define LAN_RULES
LAN_OBJ_$3 := $$(patsubst $2/src/%.c,$(BUILD)/san/$3/lwip/%.o,\
                $$(wildcard $$(LAN_FILES:%=$2/src/%.c))) \
              $$(patsubst %.c,$(BUILD)/san/$3/%.o,$$($5))

$(BUILD)/san/$3/lwip/%.o: $2/src/%.c $$(SETTINGS)
	$$(LAN_COMPILE) -std=gnu99 -w -DLAN_$1 $4 -Itests/lwip $6 \
	    -I$2/src/include

$(BUILD)/san/$3/%.o: %.c $$(SETTINGS) | $$(CMOCKA_DEP)
	$$(LAN_COMPILE) -std=c99 $$(WARN) -DLAN_$1 $4 -Iinclude -Itests \
	    -Itests/lwip $6 -isystem $2/src/include $$(CMOCKA_CFLAGS)

$(BUILD)/tests/$3: $$(LAN_OBJ_$3) $(LIB_SAN) $$(CMOCKA_DEP)
	@mkdir -p $$(@D); echo '  LD      $$@'; \
	$$(CC) $$(CFLAGS) $$(SAN) -o $$@ $$(LAN_OBJ_$3) $(LIB_SAN) \
	    $$(CMOCKA_LIBS)

TESTS += $(BUILD)/tests/$3
endef

LAN_KINDS := HOST GATEWAY IP4 IP6

lan_name = test_$(notdir $2)_$(shell echo $1 | tr A-Z a-z)
$(foreach tree,$(LAN_TREES),$(foreach kind,$(LAN_KINDS),\
    $(eval $(call LAN_RULES,$(kind),$(tree),$(call lan_name,$(kind),$(tree)),\
            $(call lan_flags,$(tree)),LAN_SRC,-Iports/lwip))))

# A bump below lwIP: nothing of the port, and of its tests those that don't
# care where the boundary is.
LAN_BUMP_SRC := $(wildcard tests/lwip/bump/*.c ports/lwip_bump/*.c) \
                $(patsubst %,tests/lwip/%.c,lan packet test_exchange \
                  test_leaks) $(filter tests/fake/%,$(LAN_SRC))
$(foreach tree,$(LAN_TREES),\
    $(eval $(call LAN_RULES,BUMP,$(tree),$(call lan_name,BUMP,$(tree)),\
            $(call lan_flags,$(tree)),LAN_BUMP_SRC,\
            -Itests/lwip/bump -Iports/lwip_bump)))

# Each version, 2.2.1 fetched if need be, with each kind: a line each.
LAN_TESTS := $(foreach tree,$(LAN_TREES),$(foreach kind,$(LAN_KINDS) BUMP,\
               $(BUILD)/tests/$(call lan_name,$(kind),$(tree))))

lwip-matrix:
	@sh scripts/deps.sh lwip-2.2.1
	@$(MAKE) -s lwip-matrix-run
lwip-matrix-run: $(LAN_TESTS)
	@sh tests/lwip/matrix.sh $(LAN_TESTS)
.PHONY: lwip-matrix lwip-matrix-run

export LWIP_DIR CMOCKA_CFLAGS CMOCKA_LIBS
TEST_SCRIPTS += tests/lwip/refuse.sh tests/lwip/senders.py \
                tests/lwip/threads/run.sh
