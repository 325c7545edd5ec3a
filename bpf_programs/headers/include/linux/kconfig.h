/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Stand-ins for the few kernel headers that BCC's own prelude includes. The
 * programs here use none of what the real ones define, so they need no kernel
 * headers on the host. BCC looks for this file to recognise a kernel tree.
 */
#pragma once
#define CONFIG_BPF_SYSCALL 1
