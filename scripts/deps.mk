# SPDX-License-Identifier: MIT
# lwIP, mbedTLS and CMocka: where they are, and how to build them from source.
# Included by the Makefile for the targets that need them.

# A variable given by the caller must name a source tree; $2 is a file of it.
tree_of = $(if $(filter command environment,$(firstword $(origin $1))),\
          $(if $(strip $($1)),$(if $(wildcard $($1)/$2),,\
          $(error $1=$($1) is no such source tree: it has no $2))))
$(call tree_of,LWIP_DIR,src/include/lwip/init.h)
$(call tree_of,MBEDTLS_DIR,include/mbedtls/gcm.h)
$(call tree_of,MBEDTLS_DIR,library/gcm.c)
$(call tree_of,CMOCKA_DIR,src/cmocka.c)

# deps.sh finds or fetches what no variable names; make then starts again.
NEED := cc $(if $(LWIP_DIR),,lwip) $(if $(MBEDTLS_DIR),,mbedtls) \
        $(if $(CMOCKA_DIR),,$(if $(filter-out demo bench interop firmware \
        firmware-test firmware-cost ipsecgw gateway-test gateway-cost,\
        $(MAKECMDGOALS)),cmocka)) \
        $(if $(filter test,$(MAKECMDGOALS)),decoder) \
        $(filter fuzz,$(MAKECMDGOALS)) \
        $(if $(filter firmware%,$(MAKECMDGOALS)),firmware)
NEED_MK := $(patsubst %,$(DEPS)/%.mk,$(NEED))

$(NEED_MK) &: scripts/deps.sh
	@sh scripts/deps.sh $(NEED)
include $(NEED_MK)

LWIP_CFLAGS := -isystem $(LWIP_DIR)/src/include
LWIP_DEP    := $(LWIP_DIR)/src/include/lwip/init.h

SETTINGS += $(BUILD)/settings.deps
$(BUILD)/settings.deps: FORCE
	$(call REMEMBER,$(LWIP_DIR) $(MBEDTLS_DIR) $(CMOCKA_DIR))

ifeq ($(MBEDTLS_DIR),)
MBEDTLS_LIBS := -lmbedcrypto
else
MBEDTLS_CFLAGS := -isystem $(MBEDTLS_DIR)/include
MBEDTLS_LIBS   := $(BUILD)/mbedtls/libmbedcrypto.a
MBEDTLS_DEP    := $(MBEDTLS_LIBS)
# The least that links in mbedTLS's default configuration, 2.28 and 3.6.
MBEDTLS_SRC    := aes aesni aesce padlock arc4 aria blowfish camellia des \
                  bignum bignum_core nist_kw gcm ccm chacha20 chachapoly \
                  poly1305 sha1 sha256 sha512 md md5 ripemd160 cipher \
                  cipher_wrap cmac platform_util platform constant_time \
                  error block_cipher
MBEDTLS_OBJ    := $(patsubst $(MBEDTLS_DIR)/library/%.c,$(BUILD)/mbedtls/%.o,\
                  $(wildcard $(MBEDTLS_SRC:%=$(MBEDTLS_DIR)/library/%.c)))

$(BUILD)/mbedtls/%.o: $(MBEDTLS_DIR)/library/%.c $(SETTINGS)
	@mkdir -p $(@D); echo '  CC      $@'; \
	$(CC) -w $(CFLAGS) -I$(MBEDTLS_DIR)/include -I$(<D) -c -o $@ $<

$(MBEDTLS_LIBS): $(MBEDTLS_OBJ)
	$(ARCHIVE)
endif

ifeq ($(CMOCKA_DIR),)
CMOCKA_LIBS := -lcmocka
else
CMOCKA_CFLAGS := -isystem $(CMOCKA_DIR)/include
CMOCKA_LIBS   := $(BUILD)/cmocka/cmocka.o
CMOCKA_DEP    := $(CMOCKA_LIBS)
# What its own build would find out about a Unix with a C99 compiler.
CMOCKA_HAVE := -DHAVE_SIGNAL_H -DHAVE_MALLOC_H -DHAVE_STRINGS_H \
               -DHAVE_SETJMP_H -DHAVE_STRUCT_TIMESPEC -DHAVE_CLOCK_GETTIME \
               -DHAVE_CLOCK_REALTIME -DHAVE_STRSIGNAL -DHAVE_GCC_THREAD_LOCAL_STORAGE

$(CMOCKA_LIBS): $(CMOCKA_DIR)/src/cmocka.c $(SETTINGS)
	@mkdir -p $(@D); echo '  CC      $@'; \
	$(CC) -w $(CFLAGS) -D_GNU_SOURCE $(CMOCKA_HAVE) -I$(CMOCKA_DIR)/include -c -o $@ $<
endif
