/* SPDX-License-Identifier: MIT */
/* What the parts of the torture test share: see torture.c. */
#ifndef TESTS_TORTURE_H
#define TESTS_TORTURE_H

#include <goheap.h>
#include <stdint.h>

#define HEAD_MAGIC	0x70117u

enum kind { LIST, TREE, GRAPH, TABLE, ARRAY, GUARDS, KINDS };

/* Each scannable object begins so. */
struct head {
	uint32_t magic;
	uint32_t kind;
	uint64_t key;
	uint64_t check;		/* mix(key, kind) */
};

/* A noscan object: words whose sum, with the length, is in the first. */
struct payload {
	uint64_t sum;
	uint64_t words;
	uint64_t word[];
};

/* What the owner knows, in integers only; @root is the sole way to the objects. */
struct structure {
	void *root;
	enum kind kind;
	uint64_t nodes;
	uint64_t keys;		/* their sum */
	uint64_t bytes;		/* of all its objects, usable size */
};

/* The test has failed: say how, and end the process. */
void lost(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

uint64_t mix(uint64_t key, uint64_t kind);
uint64_t pick(uint64_t n);	/* at random, below n */

/* @p, which is memory of @size bytes; a collection is run now and then. */
void *checked(void *p, size_t size);
void account(struct structure *s, int64_t bytes);
void *node(struct structure *s, const struct goheap_type *type, enum kind kind, uint64_t key);
void check_head(const void *p, enum kind kind, const char *where);
void drop_node(struct structure *s, void *p, uint64_t key);
struct payload *payload(struct structure *s);
void check_payload(const struct payload *p, const char *where);
void drop_payload(struct structure *s, struct payload *p);

/* torture-guards.c: finalizers and weak handles. */
void guards_init(void);
void guards_change(struct structure *s);
void guards_check(const struct structure *s, uint64_t *nodes, uint64_t *keys);
void guards_drop_all(struct structure *s);
void guards_in_child(void);
void guards_finish(void);
const char *guards_report(void);

#endif /* TESTS_TORTURE_H */
