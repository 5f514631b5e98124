// SPDX-License-Identifier: GPL-2.0
/*
 * Calculator: reads formulas such as "3*(x+12)-y/4" and computes them, with a reader, a
 * token and a set of variables for each formula, and a tree of nodes.
 *
 * The nodes are what a recursive function returns: these stay on the heap.  The others
 * do not outlive the formula.
 */
#include "program.h"

#define FORMULAS	64
#define LENGTH		96

enum kind { END, NUMBER, NAME, SIGN };

struct token {
	enum kind kind;
	int sign;		/* or the name */
	long value;
};

struct reader {
	const char *at;
	struct token *token;	/* the one to be looked at */
};

struct node {
	enum kind kind;
	int sign;
	long value;
	struct node *left;
	struct node *right;
};

struct variables {
	long value[26];
};

static void next(struct reader *r)
{
	struct token *t = r->token;

	while (*r->at == ' ')
		r->at++;
	t->value = 0;
	t->sign = *r->at;
	if (*r->at >= '0' && *r->at <= '9') {
		t->kind = NUMBER;
		while (*r->at >= '0' && *r->at <= '9')
			t->value = 10 * t->value + *r->at++ - '0';
	} else if (*r->at >= 'a' && *r->at <= 'z') {
		t->kind = NAME;
		r->at++;
	} else {
		t->kind = *r->at ? SIGN : END;
		r->at += *r->at != '\0';
	}
}

static struct node *new_node(enum kind kind, int sign, long value)
{
	struct node *n = object(sizeof(*n));

	n->kind = kind;
	n->sign = sign;
	n->value = value;
	return n;
}

static struct node *sum(struct reader *r);

static struct node *factor(struct reader *r)
{
	struct node *n;

	if (r->token->kind == SIGN && r->token->sign == '(') {
		next(r);
		n = sum(r);
	} else {
		n = new_node(r->token->kind, r->token->sign, r->token->value);
	}
	next(r);
	return n;
}

static struct node *product(struct reader *r)
{
	struct node *n = factor(r);

	while (r->token->kind == SIGN && (r->token->sign == '*' || r->token->sign == '/')) {
		struct node *both = new_node(SIGN, r->token->sign, 0);

		next(r);
		both->left = n;
		both->right = factor(r);
		n = both;
	}
	return n;
}

static struct node *sum(struct reader *r)
{
	struct node *n = product(r);

	while (r->token->kind == SIGN && (r->token->sign == '+' || r->token->sign == '-')) {
		struct node *both = new_node(SIGN, r->token->sign, 0);

		next(r);
		both->left = n;
		both->right = product(r);
		n = both;
	}
	return n;
}

static long compute(const struct node *n, const struct variables *v)
{
	long a, b;

	if (n->kind == NUMBER)
		return n->value;
	if (n->kind == NAME)
		return v->value[n->sign - 'a'];
	a = compute(n->left, v);
	b = compute(n->right, v);
	switch (n->sign) {
	case '+':
		return (a + b) % 1000003;
	case '-':
		return (a - b) % 1000003;
	case '*':
		return (a * b) % 1000003;
	}
	return b ? a / b : a;
}

static struct reader *new_reader(const char *formula)
{
	struct reader *r = object(sizeof(*r));

	r->at = formula;
	r->token = object(sizeof(*r->token));
	next(r);
	return r;
}

static long evaluate(const char *formula, long x, long y)
{
	struct variables *v = object(sizeof(*v));
	struct reader *r = new_reader(formula);

	v->value['x' - 'a'] = x;
	v->value['y' - 'a'] = y;
	return compute(sum(r), v);
}

static char *invent(char *to, int depth, uint64_t *seed)
{
	uint32_t choice = random_next(seed) % 4;

	if (!depth) {
		if (choice < 2)
			*to++ = "xy"[choice];
		else
			to += sprintf(to, "%u", random_next(seed) % 1000);
		return to;
	}
	if (choice == 3)
		*to++ = '(';
	to = invent(to, depth - 1, seed);
	*to++ = "+-*/"[random_next(seed) % 4];
	to = invent(to, depth - 1, seed);
	if (choice == 3)
		*to++ = ')';
	*to = '\0';
	return to;
}

int main(int argc, char **argv)
{
	long n = times(argc, argv, "eval N"), result = 0;
	static char formulas[FORMULAS][LENGTH];
	uint64_t seed = 88172645463325252ull;

	for (int i = 0; i < FORMULAS; i++)
		invent(formulas[i], 1 + i % 3, &seed);
	for (long i = 0; i < n; i++)
		result = (result * 31 + evaluate(formulas[i % FORMULAS], i, result)) % 1000003;
	printf("%ld formulas, %ld\n", n, result);
	return 0;
}
