/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once
/* Only kprobes on kernels before 5.0 check it, and there are none here. */
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))
#define LINUX_VERSION_CODE KERNEL_VERSION(5, 10, 0)
