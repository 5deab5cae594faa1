/* SPDX-License-Identifier: MIT */
#include "lan.h"

int
main(void)
{
    int failed = 0;

#ifdef IPSEC_NO_FRAGMENTS
    puts("no bump without fragments");
    return 77;
#endif
    failed += tests_bump();
    failed += tests_exchange();
    failed += tests_leaks();
    return failed != 0;
}
