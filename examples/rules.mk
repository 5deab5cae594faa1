# SPDX-License-Identifier: MIT
# The example programs. What tests/interop shares with them: HOST_CPPFLAGS,
# HOST_OBJS (the chassis), LWIP_OBJS (lwIP in that configuration) and
# LWIP_PORT_OBJS (ports/lwip likewise).

HOST_CPPFLAGS := -Iexamples/host -Iports/lwip $(LWIP_CFLAGS)
HOST_OBJS     := $(BUILD)/examples/host/host.o $(BUILD)/examples/host/pcap.o
HOST_DEPFLAGS := -MD -MP

LWIP_FILES := $(addprefix core/,init def inet_chksum ip mem memp netif pbuf \
                raw stats tcp tcp_in tcp_out timeouts udp \
                altcp altcp_alloc altcp_tcp) \
              $(addprefix core/ipv4/,etharp icmp igmp ip4 ip4_addr ip4_frag) \
              $(addprefix core/ipv6/,ethip6 icmp6 inet6 ip6 ip6_addr \
                ip6_frag mld6 nd6) \
              netif/ethernet
LWIP_OBJS  := $(LWIP_FILES:%=$(BUILD)/lwip/%.o)

LWIP_PORT_OBJS := $(patsubst ports/lwip/%.c,$(BUILD)/lwip/port/%.o,\
                    $(wildcard ports/lwip/*.c))

# Somebody else's code: what it warns of is not ours to mend.
$(BUILD)/lwip/%.o: $(LWIP_DIR)/src/%.c $(BUILD)/settings
	@mkdir -p $(@D); echo '  CC      $@'; \
	$(CC) -std=gnu99 -w -Iinclude $(HOST_CPPFLAGS) $(CFLAGS) \
	    $(HOST_DEPFLAGS) -c -o $@ $<

$(BUILD)/lwip/port/%.o: ports/lwip/%.c $(BUILD)/settings
	$(COMPILE) -c -o $@ $<

$(BUILD)/san/lwip/port/%.o: ports/lwip/%.c $(BUILD)/settings
	$(COMPILE) $(SAN) -c -o $@ $<

# The demo: one program that becomes three processes. And the same with
# sanitizers in all that is ours, for its tests.
DEMO      := $(BUILD)/examples/demo/demo
DEMO_SAN  := $(BUILD)/san/examples/demo/demo
DEMO_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard examples/demo/*.c)) \
             $(HOST_OBJS) $(LWIP_PORT_OBJS)
HTTP_OBJS := $(addprefix $(BUILD)/lwip/apps/http/,fs.o httpd.o http_client.o)
sanitized  = $(1:$(BUILD)/%=$(BUILD)/san/%)

# With -MMD, what a system header includes counts as one: also lwipopts.h.
HOSTED := $(DEMO_OBJS) $(call sanitized,$(DEMO_OBJS))
$(HOSTED): CPPFLAGS += $(HOST_CPPFLAGS) -Iports/mbedtls
$(HOSTED): DEPFLAGS = $(HOST_DEPFLAGS)

EXAMPLE_LINK = @mkdir -p $(@D); echo '  LD      $@'; \
               $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) \
               $(filter %libipsec.a,$^)

$(DEMO): $(DEMO_OBJS) $(LWIP_OBJS) $(HTTP_OBJS) $(PORT_OBJ) $(LIB) \
         $(MBEDTLS_DEP)
	$(EXAMPLE_LINK) $(MBEDTLS_LIBS)

$(DEMO_SAN): $(call sanitized,$(DEMO_OBJS)) $(LWIP_OBJS) $(HTTP_OBJS) \
             $(PORT_OBJ_SAN) $(LIB_SAN) $(MBEDTLS_DEP)
	$(EXAMPLE_LINK) $(SAN) $(MBEDTLS_LIBS)

demo: $(DEMO)
	@$(DEMO) $(BUILD) $(if $(SABOTAGE),'$(SABOTAGE)')

# The README's example.
README_OBJ := $(BUILD)/san/examples/readme.o
$(README_OBJ): CPPFLAGS += -Iports/mbedtls
$(BUILD)/examples/readme: $(README_OBJ) $(PORT_OBJ_SAN) $(LIB_SAN) \
                          $(MBEDTLS_DEP)
	$(EXAMPLE_LINK) $(SAN) $(MBEDTLS_LIBS)

# An engine that answers later.
ACCELERATOR := $(patsubst %,$(BUILD)/san/examples/accelerator/%.o,\
                 main accelerator)
$(ACCELERATOR): CPPFLAGS += -Iports/mbedtls
$(BUILD)/examples/accelerator/accelerator: $(ACCELERATOR) $(PORT_OBJ_SAN) \
                                           $(LIB_SAN) $(MBEDTLS_DEP)
	$(EXAMPLE_LINK) $(SAN) $(MBEDTLS_LIBS) -pthread

test: $(DEMO_SAN) $(BUILD)/examples/readme \
      $(BUILD)/examples/accelerator/accelerator
TEST_SCRIPTS += $(BUILD)/examples/accelerator/accelerator
TEST_SCRIPTS += tests/readme.sh tests/demo_sabotage.sh tests/demo_decode.py
