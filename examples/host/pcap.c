/*
 * Capture files as tcpdump and Wireshark read them.
 * SPDX-License-Identifier: MIT
 */
#define _POSIX_C_SOURCE 200809L

#include "pcap.h"

#include <time.h>

#define MAGIC             0xa1b2c3d4u /* host byte order, microseconds */
#define LINKTYPE_ETHERNET 1u
#define SNAPLEN           65535u

struct file_header {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy, snaplen, linktype;
};

struct frame_header {
    uint32_t seconds, micros, captured, len;
};

FILE *pcap_create(const char *path)
{
    const struct file_header header = { MAGIC, 2, 4, 0, 0, SNAPLEN,
                                        LINKTYPE_ETHERNET };
    FILE *file = fopen(path, "wb");

    if (file != NULL) {
        (void)fwrite(&header, sizeof header, 1, file);
        (void)fflush(file);
    }
    return file;
}

void pcap_write(FILE *file, const void *frame, size_t len)
{
    struct frame_header header;
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    header.seconds = (uint32_t)now.tv_sec;
    header.micros = (uint32_t)(now.tv_nsec / 1000);
    header.captured = header.len = (uint32_t)len;
    (void)fwrite(&header, sizeof header, 1, file);
    (void)fwrite(frame, len, 1, file);
    (void)fflush(file);
}

FILE *pcap_open(const char *path)
{
    struct file_header header;
    FILE *file = fopen(path, "rb");

    if (file != NULL && (fread(&header, sizeof header, 1, file) != 1 ||
                         header.magic != MAGIC ||
                         header.linktype != LINKTYPE_ETHERNET)) {
        (void)fclose(file);
        file = NULL;
    }
    return file;
}

size_t pcap_read(FILE *file, void *frame, size_t size)
{
    struct frame_header header;

    if (fread(&header, sizeof header, 1, file) != 1 ||
        header.captured > size ||
        fread(frame, 1, header.captured, file) != header.captured) {
        return 0;
    }
    return header.captured;
}
