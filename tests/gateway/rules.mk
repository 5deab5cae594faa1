# SPDX-License-Identifier: MIT
# ipsecgw: unit tests of its language, its databases and the store of numbers;
# and the program between network namespaces.

GATEWAY_TESTS := $(patsubst tests/gateway/%.c,$(TEST_EXE)/gateway/%,\
                   $(wildcard tests/gateway/*.c))
GATEWAY_OBJ   := $(patsubst %.c,$(TEST_OBJ:%/tests=%)/%.o,\
                   $(filter-out %/main.c,$(IPSECGW_SRC)))
GATEWAY_OWN   := $(patsubst tests/%.c,$(TEST_OBJ)/%.o,\
                   $(wildcard tests/gateway/*.c))

TESTS += $(GATEWAY_TESTS)

$(GATEWAY_OWN): CPPFLAGS += -Itests -Iexamples/ipsecgw -Iports/linux \
                            -Iports/mbedtls $(CMOCKA_CFLAGS)
$(GATEWAY_OWN): | $(CMOCKA_DEP)

$(GATEWAY_TESTS): $(TEST_EXE)/gateway/%: $(TEST_OBJ)/gateway/%.o \
                  $(GATEWAY_OBJ) $(FAKE_OBJ) $(TEST_PORT) $(TEST_LIB) \
                  | $(CMOCKA_DEP) $(MBEDTLS_DEP)
	$(TEST_LINK) $(CMOCKA_LIBS) $(MBEDTLS_LIBS)

# Ends with "N passed, N failed, N skipped". FILTER='bump natt' runs those whose
# names have one of these in them.
gateway-test: $(IPSECGW_SAN)
	@command -v $(PYTHON) > /dev/null || { \
	    echo 'needs Python 3: apt-get install python3'; exit 1; }
	@$(PYTHON) tests/gateway/gateway.py --program $(abspath $(IPSECGW_SAN)) \
	    --build $(BUILD)/interop --cache $(DEPS)/linux --filter='$(FILTER)' \
	    || [ $$? -eq 77 ]
