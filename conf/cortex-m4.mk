# SPDX-License-Identifier: MIT
# Bare metal Cortex-M4: make CONF=cortex-m4
CC = arm-none-eabi-gcc
AR = arm-none-eabi-ar
CFLAGS = -Os -g -mcpu=cortex-m4 -mthumb -ffunction-sections -fdata-sections
BUILD = build/cortex-m4
