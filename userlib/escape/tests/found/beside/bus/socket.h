/* SPDX-License-Identifier: MIT */
struct node; void send(struct node *n, int channel); struct node *sent(void);
