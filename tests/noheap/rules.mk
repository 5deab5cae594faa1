# SPDX-License-Identifier: MIT
# The demo, with lwIP's own pools, and a heap that is gone after set-up. And
# the same with lwIP on malloc(), which must not get far.

NOHEAP_COMPILE = @mkdir -p $(@D); echo '  CC      $@'; \
                 $(CC) $(CPPFLAGS) $(HOST_CPPFLAGS) -Iports/mbedtls \
                     $(CFLAGS) -DHOST_POOLS $(HOST_DEPFLAGS) -c -o $@ $<

NOHEAP      := $(BUILD)/noheap/demo
NOHEAP_LWIP := $(patsubst $(BUILD)/%,$(BUILD)/noheap/%,$(LWIP_OBJS) \
                 $(HTTP_OBJS))
NOHEAP_OURS := $(patsubst $(BUILD)/%,$(BUILD)/noheap/%,$(DEMO_OBJS))
NOHEAP_HEAP := $(BUILD)/noheap/tests/noheap/heap.o
NOHEAP_WRAP := -Wl,--wrap=host_up,--wrap=host_close \
               -Wl,--wrap=ipsec_sad_add,--wrap=ipsec_sad_remove

$(BUILD)/noheap/lwip/port/%.o: ports/lwip/%.c $(BUILD)/settings
	$(NOHEAP_COMPILE) -std=c99 $(WARN)

$(BUILD)/noheap/lwip/%.o: $(LWIP_DIR)/src/%.c $(BUILD)/settings
	$(NOHEAP_COMPILE) -std=gnu99 -w

$(BUILD)/noheap/%.o: %.c $(BUILD)/settings
	$(NOHEAP_COMPILE) -std=c99 $(WARN) -fno-builtin

$(NOHEAP): $(NOHEAP_OURS) $(NOHEAP_LWIP) $(NOHEAP_HEAP) $(PORT_OBJ) $(LIB) \
           $(MBEDTLS_DEP)
	$(EXAMPLE_LINK) $(NOHEAP_WRAP) $(MBEDTLS_LIBS)

$(NOHEAP)-malloc: $(DEMO_OBJS) $(LWIP_OBJS) $(HTTP_OBJS) $(NOHEAP_HEAP) \
                  $(PORT_OBJ) $(LIB) $(MBEDTLS_DEP)
	$(EXAMPLE_LINK) $(NOHEAP_WRAP) $(MBEDTLS_LIBS)

test: $(NOHEAP) $(NOHEAP)-malloc
TEST_SCRIPTS += tests/noheap/run.sh
