/*
 * What the device serves: UDP echo (port 7) and a page (HTTP).
 * SPDX-License-Identifier: MIT
 */
#ifndef SERVICES_H
#define SERVICES_H

/** 0, or -1: no memory. */
int services_open(void);

#endif
