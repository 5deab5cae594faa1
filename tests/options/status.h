/* SPDX-License-Identifier: MIT */
#ifndef TESTS_OPTIONS_STATUS_H
#define TESTS_OPTIONS_STATUS_H

#include "ipsec/types.h"

/* Names of the statuses that these programs meet: the library may have been
 * built without. */
static inline const char *
status_name(int status)
{
    switch (status) {
    case IPSEC_OK:
        return "OK";
    case IPSEC_BYPASS:
        return "BYPASS";
    case IPSEC_CONSUMED:
        return "CONSUMED";
    case IPSEC_ERR_NO_POLICY:
        return "NO_POLICY";
    case IPSEC_ERR_UNSUPPORTED:
        return "UNSUPPORTED";
    case IPSEC_ERR_ARG:
        return "ARG";
    case IPSEC_ERR_PORTS:
        return "PORTS";
    default:
        return "?";
    }
}

#endif
