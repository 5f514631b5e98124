/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#ifndef GOHEAP_SHIM_LINUX_MINMAX_H
#define GOHEAP_SHIM_LINUX_MINMAX_H

#define min_t(type, a, b) (__extension__ ({ \
	type min_a_ = (a), min_b_ = (b); \
	min_a_ < min_b_ ? min_a_ : min_b_; }))

#define max_t(type, a, b) (__extension__ ({ \
	type max_a_ = (a), max_b_ = (b); \
	max_a_ > max_b_ ? max_a_ : max_b_; }))

#endif
