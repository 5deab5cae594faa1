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

# The demo: one program that becomes three processes.
DEMO      := $(BUILD)/examples/demo/demo
DEMO_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard examples/demo/*.c))
HTTP_OBJS := $(addprefix $(BUILD)/lwip/apps/http/,fs.o httpd.o http_client.o)
$(DEMO_OBJS): CPPFLAGS += -Iports/mbedtls

# With -MMD, what a system header includes counts as one: also lwipopts.h.
HOSTED := $(HOST_OBJS) $(LWIP_PORT_OBJS) $(DEMO_OBJS)
$(HOSTED): CPPFLAGS += $(HOST_CPPFLAGS)
$(HOSTED): DEPFLAGS = $(HOST_DEPFLAGS)

EXAMPLE_LINK = @mkdir -p $(@D); echo '  LD      $@'; \
               $(CC) $(CFLAGS) -o $@ $(filter %.o,$^) $(filter %libipsec.a,$^)

$(DEMO): $(DEMO_OBJS) $(HOST_OBJS) $(LWIP_PORT_OBJS) $(LWIP_OBJS) \
         $(HTTP_OBJS) $(PORT_OBJ) $(LIB) $(MBEDTLS_DEP)
	$(EXAMPLE_LINK) $(MBEDTLS_LIBS)

demo: $(DEMO)
	@$(DEMO) $(BUILD) $(SABOTAGE)

# The README's example.
README_OBJ := $(BUILD)/san/examples/readme.o
$(README_OBJ): CPPFLAGS += -Iports/mbedtls
$(BUILD)/examples/readme: $(README_OBJ) $(PORT_OBJ_SAN) $(LIB_SAN) \
                          $(MBEDTLS_DEP)
	$(EXAMPLE_LINK) $(SAN) $(MBEDTLS_LIBS)

test: $(DEMO) $(BUILD)/examples/readme
TEST_SCRIPTS += tests/readme.sh
