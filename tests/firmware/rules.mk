# SPDX-License-Identifier: MIT
# Images for bare metal, run by QEMU: see README.md. Three boards, two images
# each: the device, and the known answers of tests/vectors.

FW_CC    := arm-none-eabi-gcc
FW       := $(BUILD)/firmware
FW_DIR   := tests/firmware
# 3.6, whatever the rest is built with: 2.28 takes GCM's key from a heap.
FW_TLS   := $(DEPS)/mbedtls-3.6.6
FW_BOARDS := m3 m4 m7
FW_CPU_m3 := -mcpu=cortex-m3
FW_CPU_m4 := -mcpu=cortex-m4 -mfloat-abi=soft
FW_CPU_m7 := -mcpu=cortex-m7 -mfloat-abi=soft -DBOARD_AN500
# What a packet costs, as a product would build it: unaligned words where the
# core has them, newlib's memcpy(). Of the M0+ there is no such board: an M3
# runs its instructions.
FW_COST_BOARDS := c0 c0-O2 c3 c3-O2 l0 l0-O2 l3 l3-O2
FW_CPU_c0    := -mcpu=cortex-m0plus -DBOARD_UNALIGNED
FW_CPU_c3    := -mcpu=cortex-m3 -munaligned-access -DBOARD_UNALIGNED
FW_CPU_c0-O2 := $(FW_CPU_c0) -O2
FW_CPU_c3-O2 := $(FW_CPU_c3) -O2
# ... and with as much as a device with two SAs needs: esp-only-v4 of make size,
# but all transforms, which are no part of a packet's way.
FW_LEAN := $(filter-out -DIPSEC_NO_NATT,$(shell sed -n \
             '/(IPSEC_NO_ADDITIONS)/,/^.endif/s/^.define \(IPSEC_NO\)/-D\1/p' \
             include/ipsec/options.h)) -DIPSEC_NO_IPV6
FW_CPU_l0    := $(FW_CPU_c0) $(FW_LEAN)
FW_CPU_l3    := $(FW_CPU_c3) $(FW_LEAN)
FW_CPU_l0-O2 := $(FW_CPU_l0) -O2
FW_CPU_l3-O2 := $(FW_CPU_l3) -O2

# Without -mno-unaligned-access the compiler makes what UNALIGN_TRP traps.
FW_FLAGS := -mthumb -mno-unaligned-access -Os -g -fno-common \
            -ffunction-sections -fdata-sections -fno-strict-aliasing \
            -fno-tree-loop-distribute-patterns
FW_INC   := -I$(FW_DIR) -Iinclude -Iports/lwip -Iports/mbedtls \
            -Itests/interop -isystem $(LWIP_DIR)/src/include \
            -isystem $(FW_TLS)/include \
            -DMBEDTLS_CONFIG_FILE='"firmware_mbedtls.h"'

FW_BASE   := board startup console bytes
FW_DEVICE := $(FW_BASE) lan9118 host chance flash reserve services device
FW_SHARED := boundary commands place settings traffic
FW_TLS_SRC := aes gcm ccm chacha20 chachapoly poly1305 sha1 sha256 sha512 \
              platform_util constant_time block_cipher
FW_IPSEC  := $(CORE_SRC) $(PORT_SRC)

FW_DEVICE_SRC := $(FW_DEVICE:%=$(FW_DIR)/%.c) \
                 $(FW_SHARED:%=tests/interop/%.c) $(FW_IPSEC) $(wildcard ports/lwip/*.c)
FW_SELF_SRC   := $(FW_BASE:%=$(FW_DIR)/%.c) $(FW_DIR)/selftest.c $(FW_IPSEC) \
                 tests/vectors/record.c tests/vectors/read.c \
                 tests/vectors/walker.c
FW_COST_SRC   := $(patsubst %,$(FW_DIR)/%.c,$(filter-out bytes,$(FW_BASE)) \
                   cost) $(FW_IPSEC)
FW_LWIP := $(addprefix core/,init def inet_chksum ip mem memp netif pbuf raw \
             stats tcp tcp_in tcp_out timeouts udp) \
           $(addprefix core/ipv4/,etharp icmp igmp ip4 ip4_addr ip4_frag) \
           $(addprefix core/ipv6/,ethip6 icmp6 inet6 ip6 ip6_addr ip6_frag \
             mld6 nd6) netif/ethernet

# No start files, and of the C library what can't allocate: it has to stay so,
# see the check of the device's symbols.
FW_LINK = @mkdir -p $(@D); echo '  LD      $@'; \
          $(FW_CC) $(FW_FLAGS) $(FW_CPU_$*) -nostartfiles --specs=nano.specs \
              -Wl,--gc-sections,-Map=$@.map -T $(FW_DIR)/mps2.ld -o $@ \
              $(filter %.o,$^)
FW_HEAP := malloc|calloc|realloc|free|_sbrk|_malloc_r|_free_r

define FW_RULES
$(FW)/$1/lwip/%.o: $(LWIP_DIR)/src/%.c $(FW)/$1/flags
	@mkdir -p $$(@D); echo '  CC      $$@'; \
	$(FW_CC) $(FW_FLAGS) $(FW_CPU_$1) -std=gnu99 -w $(FW_INC) -MD -MP -c \
	    -o $$@ $$<

$(FW)/$1/mbedtls/%.o: $(FW_TLS)/library/%.c $(FW)/$1/flags
	@mkdir -p $$(@D); echo '  CC      $$@'; \
	$(FW_CC) $(FW_FLAGS) $(FW_CPU_$1) -std=gnu99 -w $(FW_INC) -MD -MP -c \
	    -o $$@ $$<

$(FW)/$1/%.o: %.c $(FW)/$1/flags | $(FW_TLS)/library/gcm.c
	@mkdir -p $$(@D); echo '  CC      $$@'; \
	$(FW_CC) $(FW_FLAGS) $(FW_CPU_$1) -std=c99 $(WARN) -fno-builtin-printf \
	    $(FW_INC) -Itests -MD -MP -c -o $$@ $$<

$(FW)/$1/flags: FORCE
	$$(call REMEMBER,$(subst ','\'',$(FW_FLAGS) $(FW_CPU_$1) $(FW_INC)))

$(FW)/device-$1.elf: $(FW_DEVICE_SRC:%.c=$(FW)/$1/%.o) \
    $(FW_LWIP:%=$(FW)/$1/lwip/%.o) $(FW_TLS_SRC:%=$(FW)/$1/mbedtls/%.o)
$(FW)/selftest-$1.elf: $(FW_SELF_SRC:%.c=$(FW)/$1/%.o) \
    $(FW_TLS_SRC:%=$(FW)/$1/mbedtls/%.o)
# l0 has the mbedTLS of c0
$(FW)/cost-$1.elf: $(FW_COST_SRC:%.c=$(FW)/$1/%.o) \
    $(FW_TLS_SRC:%=$(FW)/$(1:l%=c%)/mbedtls/%.o)
$(FW)/$1/$(FW_DIR)/selftest.o: $(wildcard tests/vectors/*.txt)
endef
$(foreach b,$(FW_BOARDS) $(FW_COST_BOARDS),$(eval $(call FW_RULES,$b)))

FW_DEVICES := $(FW_BOARDS:%=$(FW)/device-%.elf)
FW_SELVES  := $(FW_BOARDS:%=$(FW)/selftest-%.elf)
FW_COSTS   := $(FW_COST_BOARDS:%=$(FW)/cost-%.elf)

$(FW_DEVICES): $(FW)/device-%.elf: $(FW_DIR)/mps2.ld
	$(FW_LINK)
	@! arm-none-eabi-nm $@ | grep -wE '$(FW_HEAP)' || \
	    { echo '$@ has a heap'; rm $@; exit 1; }

$(FW_SELVES): $(FW)/selftest-%.elf: $(FW_DIR)/mps2.ld
	$(FW_LINK)

$(FW_COSTS): $(FW)/cost-%.elf: $(FW_DIR)/mps2.ld
	$(FW_LINK)

$(FW_TLS_SRC:%=$(FW_TLS)/library/%.c):
	@sh scripts/deps.sh mbedtls-3.6.6

firmware: $(FW_DEVICES) $(FW_SELVES)
	@arm-none-eabi-size $(FW_DEVICES)

# Ends with "N passed, N failed". FILTER='m3 reset': cases with one of these
# in their names.
firmware-test: $(FW_DEVICES) $(FW_SELVES)
	@$(PYTHON) $(FW_DIR)/firmware.py --build $(FW) \
	    --interop $(BUILD)/interop --cache $(DEPS)/linux --filter='$(FILTER)'

firmware-cost: $(FW_COSTS)
	@SPLIT='$(SPLIT)' sh $(FW_DIR)/cost.sh $(FW)
