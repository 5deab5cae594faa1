/* SPDX-License-Identifier: MIT */
#include "lan.h"

int
main(void)
{
    int failed = 0;

    failed += tests_bump();
    failed += tests_exchange();
    failed += tests_leaks();
    return failed != 0;
}
