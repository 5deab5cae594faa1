/* SPDX-License-Identifier: MIT */
#include "lan.h"

int
main(void)
{
    int failed = 0;

    failed += tests_exchange();
    failed += tests_fragments();
    failed += tests_tcp();
    failed += tests_waiting();
    failed += tests_port();
    failed += tests_leaks();
    failed += tests_forward();
    failed += tests_around();
    failed += tests_tunnel();
    failed += tests_natt();
    failed += tests_offload();
    return failed != 0;
}
