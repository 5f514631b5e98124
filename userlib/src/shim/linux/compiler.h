/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#ifndef GOHEAP_SHIM_LINUX_COMPILER_H
#define GOHEAP_SHIM_LINUX_COMPILER_H

#ifndef noinline
#define noinline __attribute__((__noinline__))
#endif

#endif
