# SPDX-License-Identifier: MIT
# The example programs. What tests/interop shares with them: HOST_CPPFLAGS,
# HOST_OBJS (the chassis), LWIP_OBJS (lwIP in that configuration).

HOST_CPPFLAGS := -Iexamples/host -Iports/lwip $(LWIP_CFLAGS)
HOST_OBJS     := $(BUILD)/examples/host/host.o $(BUILD)/examples/host/pcap.o

LWIP_FILES := $(addprefix core/,init def inet_chksum ip mem memp netif pbuf \
                raw stats tcp tcp_in tcp_out timeouts udp \
                altcp altcp_alloc altcp_tcp) \
              $(addprefix core/ipv4/,etharp icmp igmp ip4 ip4_addr ip4_frag) \
              $(addprefix core/ipv6/,ethip6 icmp6 inet6 ip6 ip6_addr \
                ip6_frag mld6 nd6) \
              netif/ethernet
LWIP_OBJS  := $(LWIP_FILES:%=$(BUILD)/lwip/%.o)

# Somebody else's code: what it warns of is not ours to mend.
$(BUILD)/lwip/%.o: $(LWIP_DIR)/src/%.c $(BUILD)/settings
	@mkdir -p $(@D); echo '  CC      $@'; \
	$(CC) -std=gnu99 -w -Iinclude $(HOST_CPPFLAGS) $(CFLAGS) $(DEPFLAGS) \
	    -c -o $@ $<

$(HOST_OBJS): CPPFLAGS += $(HOST_CPPFLAGS)

# With -MMD, what a system header includes counts as one: also lwipopts.h.
$(HOST_OBJS) $(LWIP_OBJS): DEPFLAGS = -MD -MP
