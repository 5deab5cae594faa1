/*
 * Capture files as tcpdump and Wireshark read them.
 * SPDX-License-Identifier: MIT
 */
#ifndef PCAP_H
#define PCAP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** Start a capture of Ethernet frames; NULL, with errno set, if it can't. */
FILE *pcap_create(const char *path);

/** Add a frame and flush, so that others may read along. */
void pcap_write(FILE *file, const void *frame, size_t len);

/** Open a capture for reading; NULL if it is not one of ours. */
FILE *pcap_open(const char *path);

/** Read the next frame into `frame`: its length, or 0 at the end. */
size_t pcap_read(FILE *file, void *frame, size_t size);

#endif
