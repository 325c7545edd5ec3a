/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* BCC's BPF_RINGBUF_OUTPUT counts in pages. */
#define PAGE_SIZE 4096
