# SPDX-License-Identifier: MIT
# Path MTUs: ipsecgw at both ends of a path that shrinks. The lwIP port's cases
# are tests/interop/narrow.py: make interop FILTER=mtu-

# Ends with "N passed, N failed, N skipped". FILTER='wire nat-tunnel' runs those
# whose names have one of these in them; JOBS, how many at a time.
mtu-test: $(IPSECGW_SAN)
	@$(NEEDS_PYTHON)
	@$(PYTHON) tests/mtu/mtu.py --program $(abspath $(IPSECGW_SAN)) \
	    --filter='$(FILTER)' --jobs=$(or $(JOBS),2) || [ $$? -eq 77 ]
