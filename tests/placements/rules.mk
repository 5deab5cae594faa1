# SPDX-License-Identifier: MIT
# Each place that IPsec can have against a Linux kernel: table.py says what a
# runner is. That of lwIP builds what it needs by `make placements-lwip`, if
# there is such a rule.

PLACEMENTS_ARGS := --build $(BUILD)/interop --cache $(DEPS)/linux \
                   --filter='$(FILTER)'
PLACEMENTS_LWIP := $(wildcard tests/placements/lwip.py)

# Ends with "N passed, N failed, N skipped". FILTER='bitw tunnel-6' runs the
# cases that have one of these in PLACEMENT-ROLE-MODE-FAMILY-CASE.
placements: $(IPSECGW_SAN) $(if $(PLACEMENTS_LWIP),placements-lwip)
	@$(NEEDS_PYTHON)
	@$(PYTHON) tests/placements/table.py $(if $(PLACEMENTS_LWIP),\
	    $(PYTHON) $(PLACEMENTS_LWIP) $(PLACEMENTS_ARGS) --) \
	    $(PYTHON) tests/placements/linux.py $(PLACEMENTS_ARGS) \
	    --program $(abspath $(IPSECGW_SAN)) || [ $$? -eq 77 ]
