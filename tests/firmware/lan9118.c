/*
 * SMSC's LAN9118 Ethernet controller, polled: by its data sheet, as far as
 * QEMU's model has it. Frames pass through its FIFOs as words, by the CPU.
 * SPDX-License-Identifier: MIT
 */
#include "lan9118.h"

#include "board.h"

#define AT(offset)     REG(BOARD_ETHERNET + (offset))
#define RX_DATA        AT(0x00)
#define TX_DATA        AT(0x20)
#define RX_STATUS      AT(0x40)
#define TX_STATUS      AT(0x48)
#define IRQ_CFG        AT(0x54)
#define INT_STS        AT(0x58)
#define INT_EN         AT(0x5c)
#define BYTE_TEST      AT(0x64)
#define FIFO_INT       AT(0x68)
#define RX_CFG         AT(0x6c)
#define TX_CFG         AT(0x70)
#define HW_CFG         AT(0x74)
#define RX_FIFO_INF    AT(0x7c)
#define TX_FIFO_INF    AT(0x80)
#define MAC_CSR_CMD    AT(0xa4)
#define MAC_CSR_DATA   AT(0xa8)

#define ALIVE          0x87654321u
#define RSFL           (1u << 3)  /* RX status FIFO has something */
#define BUSY           (1u << 31)
#define MAC_CR         1
#define MAC_ADDRH      2
#define MAC_ADDRL      3
#define MAC_ON         (1u << 2 | 1u << 3)
#define MAC_MULTICAST  (1u << 19)
#define MAC_FULL       (1u << 20)
#define FIRST_AND_LAST (1u << 13 | 1u << 12)
#define RX_ERROR       (1u << 15)
#define FCS            4

/* The frame in hand: pad, frame, FCS, and the rest of a word. */
static uint32_t frame[(LAN9118_PAD + LAN9118_FRAME_MAX + FCS + 3) / 4 + 1];

static void mac_write(uint32_t reg, uint32_t value)
{
    MAC_CSR_DATA = value;
    MAC_CSR_CMD = BUSY | reg;
    while (MAC_CSR_CMD & BUSY) {
    }
}

int lan9118_open(const uint8_t mac[6])
{
    HW_CFG = 1; /* soft reset */
    while (HW_CFG & 1) {
    }
    if (BYTE_TEST != ALIVE) {
        return -1;
    }
    HW_CFG = 5u << 16 | 1u << 20; /* 5 KiB for sending; must be one */
    TX_CFG = 2;                   /* send */
    RX_CFG = LAN9118_PAD << 8;
    FIFO_INT = 0;
    INT_STS = 0xffffffffu;
    IRQ_CFG = 1u << 8 | 1u << 4 | 1u; /* on, active high, push-pull */
    INT_EN = RSFL;
    mac_write(MAC_ADDRL, (uint32_t)mac[3] << 24 | (uint32_t)mac[2] << 16 |
                         (uint32_t)mac[1] << 8 | mac[0]);
    mac_write(MAC_ADDRH, (uint32_t)mac[5] << 8 | mac[4]);
    mac_write(MAC_CR, MAC_ON | MAC_MULTICAST | MAC_FULL);
    return 0;
}

static void skip(size_t words)
{
    while (words-- > 0) {
        (void)RX_DATA;
    }
}

const uint8_t *lan9118_receive(size_t *len)
{
    while ((RX_FIFO_INF >> 16 & 0xff) != 0) {
        uint32_t status = RX_STATUS;
        size_t bytes = status >> 16 & 0x3fff, i;
        size_t words = (LAN9118_PAD + bytes + 3) / 4;

        INT_STS = RSFL;
        if ((status & RX_ERROR) || bytes < FCS ||
            bytes > LAN9118_FRAME_MAX + FCS) {
            skip(words);
            continue;
        }
        for (i = 0; i < words; i++) {
            frame[i] = RX_DATA;
        }
        *len = bytes - FCS;
        return (const uint8_t *)frame;
    }
    return NULL;
}

int lan9118_send(const void *buf, size_t len)
{
    const uint32_t *word = buf;
    size_t words = (LAN9118_PAD + len + 3) / 4;

    while (TX_FIFO_INF >> 16 & 0xff) {
        (void)TX_STATUS;
    }
    if ((TX_FIFO_INF & 0xffff) < 4 * words + 8) {
        return -1;
    }
    TX_DATA = (uint32_t)LAN9118_PAD << 16 | FIRST_AND_LAST | (uint32_t)len;
    TX_DATA = (uint32_t)len;
    while (words-- > 0) {
        TX_DATA = *word++;
    }
    return 0;
}
