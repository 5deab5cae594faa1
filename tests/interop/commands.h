/*
 * What a device may be told while it runs.
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "host.h"

/** Obey a line, and print the answer to it. 0: there is no such command.
 *
 *     ping COUNT SIZE WAIT_MS     echo requests         see traffic.h
 *     udp COUNT SIZE WAIT_MS      to the echo port
 *     tcp BYTES WAIT_MS           to the echo port
 *     ike COUNT SIZE WAIT_MS      to port 4500 of the outer address
 *     dummy COUNT SIZE            see boundary.h
 *     stats                       lines "NAME VALUE", then "end"
 */
int command_run(struct host *host, const char *line);

/** Does the line begin with this word? What is behind it; or NULL. */
const char *command_is(const char *line, const char *word);

#endif
