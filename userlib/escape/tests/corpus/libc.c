/* SPDX-License-Identifier: MIT */
/* Catches: a function of libc of which the wrong thing is believed: that it keeps what it does
 * not, that it does not what it does, or that its result has nothing to do with its arguments. */
#include "corpus.h"

struct node *global;
char *global_text;
char *global_end;
char *global_rest;
static long compared;
static const void *last_compared;

FN long with_memset(void)
{
	unsigned char *bytes = goheap_alloc_noscan(64); /* stack */

	memset(bytes, 1, 64);
	return bytes[63];
}

FN long with_memcpy_from(void)
{
	char *text = goheap_alloc_noscan(16); /* stack */
	char copy[16];

	text[3] = 2;
	memcpy(copy, text, sizeof(copy));
	return copy[3];
}

FN long with_memmove(size_t size)
{
	char *text = goheap_alloc_noscan(16); /* stack */

	text[2] = 3;
	memmove(text + 1, text, size);
	return text[3];
}

FN long with_memcmp(void)
{
	char *a = goheap_alloc_noscan(16); /* stack */
	char *b = goheap_alloc_noscan(16); /* stack */

	a[15] = 1;
	return memcmp(a, b, 16) > 0 ? 4 : -1;
}

FN void *memset_returned(void)
{
	char *text = goheap_alloc_noscan(16); /* heap: returned (must) */

	return memset(text, 5, 16);
}

FN char *memcpy_returned(const char *from)
{
	char *text = goheap_alloc_noscan(16); /* heap: returned (must) */

	return memcpy(text, from, 16);
}

/* The bytes of the object are copied, and nothing points to it. */
FN void bytes_to_global(size_t size)
{
	static char kept[16];
	char *text = goheap_alloc_noscan(16); /* stack */

	text[7] = 7;
	memcpy(kept, text, size);
	global_text = kept;
}

FN long with_strlen(void)
{
	char *text = goheap_alloc_noscan(16); /* stack */

	memset(text, 'x', 8);
	return strlen(text);
}

FN long with_strcpy(const char *from)
{
	char *text = goheap_alloc_noscan(16); /* stack */

	strcpy(text, from);
	strcat(text, "!");
	return strlen(text);
}

FN char *strcpy_returned(const char *from)
{
	char *text = goheap_alloc_noscan(16); /* heap: returned (must) */

	return strcpy(text, from);
}

FN long with_strcmp(const char *other)
{
	char *text = goheap_alloc_noscan(16); /* stack */

	strncpy(text, other, 15);
	return strcmp(text, other) == 0 && strncmp(text, other, 3) == 0 ? 11 : -1;
}

FN long with_strchr(const char *from)
{
	char *text = goheap_alloc_noscan(16); /* stack */
	char *found;

	strcpy(text, from);
	found = strchr(text, 'l');
	*found = 12;
	return found ? text[2] : -1;
}

FN char *strchr_returned(const char *from)
{
	char *text = goheap_alloc_noscan(16); /* heap: returned (must) */

	strcpy(text, from);
	return strchr(text, 'l');
}

FN void strstr_in_global(const char *from)
{
	char *text = goheap_alloc_noscan(16); /* heap: global (must) */

	strcpy(text, from);
	global_text = strstr(text, "lo");
}

FN long with_snprintf(int value)
{
	char *text = goheap_alloc_noscan(32); /* stack */

	snprintf(text, 32, "%d%s", value, "5");
	return atoi(text);
}

FN long with_snprintf_of_string(void)
{
	char text[32];
	char *part = goheap_alloc_noscan(8); /* stack */

	part[0] = '6';
	snprintf(text, sizeof(text), "1%s", part);
	return atoi(text);
}

/* An address can be read from its text again. */
FN long with_pointer_printed(void)
{
	char text[32];
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: printed (could stay) */

	n->value = 17;
	snprintf(text, sizeof(text), "%p", (void *)n);
	return text[0] ? n->value : -1;
}

FN long with_sscanf(const char *from)
{
	long *a = goheap_alloc_noscan(2 * sizeof(*a)); /* stack */

	sscanf(from, "%ld %ld", &a[0], &a[1]);
	return a[0] + a[1];
}

CALLEE int ascending(const void *a, const void *b)
{
	compared++;
	return (*(const long *)a > *(const long *)b) - (*(const long *)a < *(const long *)b);
}

CALLEE int ascending_and_keeps(const void *a, const void *b)
{
	last_compared = a;
	return (*(const long *)a > *(const long *)b) - (*(const long *)a < *(const long *)b);
}

CALLEE int ascending_nodes(const void *a, const void *b)
{
	const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;

	return (x->value > y->value) - (x->value < y->value);
}

CALLEE int ascending_nodes_and_keeps(const void *a, const void *b)
{
	global = *(struct node *const *)a;
	return ascending_nodes(a, b);
}

FN long with_qsort(void)
{
	long *a = goheap_alloc_noscan(3 * sizeof(*a)); /* stack */

	a[0] = 3;
	a[1] = 1;
	a[2] = 2;
	qsort(a, 3, sizeof(*a), ascending);
	return a[0] * 100 + a[1] * 10 + a[2];
}

FN void with_qsort_that_keeps(void)
{
	long *a = goheap_alloc_noscan(3 * sizeof(*a)); /* heap: ascending_and_keeps|qsort|global|static|last_compared (must) */

	a[0] = 3;
	a[1] = 1;
	a[2] = 2;
	qsort(a, 3, sizeof(*a), ascending_and_keeps);
}

FN long with_qsort_unknown(int (*compare)(const void *, const void *))
{
	long *a = goheap_alloc_noscan(3 * sizeof(*a)); /* heap: qsort|indirect|pointer|unknown (must) */

	a[0] = 3;
	a[1] = 1;
	a[2] = 2;
	qsort(a, 3, sizeof(*a), compare);
	return a[0] * 100 + a[1] * 10 + a[2];
}

FN long with_qsort_of_pointers(void)
{
	struct node **all = goheap_alloc(2 * sizeof(*all)); /* stack */
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	all[0] = a;
	all[1] = b;
	a->value = 2;
	b->value = 1;
	qsort(all, 2, sizeof(*all), ascending_nodes);
	return all[0]->value * 10 + all[1]->value;
}

/* The comparator is passed addresses in the array, and keeps what it finds there. */
FN void with_qsort_of_pointers_that_keeps(void)
{
	struct node **all = goheap_alloc(2 * sizeof(*all)); /* stack */
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: ascending_nodes_and_keeps|qsort|global|reach|stored (must) */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: ascending_nodes_and_keeps|qsort|global|reach|stored (must) */

	all[0] = a;
	all[1] = b;
	a->value = 20;
	b->value = 20;
	qsort(all, 2, sizeof(*all), ascending_nodes_and_keeps);
}

FN long with_bsearch(long wanted)
{
	long *a = goheap_alloc_noscan(4 * sizeof(*a)); /* stack */
	long *key = goheap_alloc_noscan(sizeof(*key)); /* stack */
	long *found;

	for (int i = 0; i < 4; i++)
		a[i] = 10 * i;
	*key = wanted;
	found = bsearch(key, a, 4, sizeof(*a), ascending);
	return found ? *found : -1;
}

FN long *bsearch_returned(long wanted)
{
	long *a = goheap_alloc_noscan(4 * sizeof(*a)); /* heap: returned (must) */
	long *key = goheap_alloc_noscan(sizeof(*key)); /* stack */

	for (int i = 0; i < 4; i++)
		a[i] = 10 * i;
	*key = wanted;
	return bsearch(key, a, 4, sizeof(*a), ascending);
}

FN long with_fwrite_and_fread(FILE *file)
{
	long *out = goheap_alloc_noscan(2 * sizeof(*out)); /* stack */
	long *in = goheap_alloc_noscan(2 * sizeof(*in)); /* stack */

	out[1] = 23;
	rewind(file);
	if (fwrite(out, sizeof(*out), 2, file) != 2)
		return -1;
	rewind(file);
	return fread(in, sizeof(*in), 2, file) == 2 ? in[1] : -1;
}

FN long with_fgets(FILE *file)
{
	char *line = goheap_alloc_noscan(16); /* stack */

	rewind(file);
	fputs("24\n", file);
	rewind(file);
	return fgets(line, 16, file) ? atoi(line) : -1;
}

FN char *fgets_returned(FILE *file)
{
	char *line = goheap_alloc_noscan(16); /* heap: returned (must) */

	rewind(file);
	fputs("25\n", file);
	rewind(file);
	return fgets(line, 16, file);
}

FN long with_puts_and_printf(void)
{
	char *text = goheap_alloc_noscan(8); /* stack */

	strcpy(text, "# text");
	puts(text);
	printf("%s and on\n", text);
	fprintf(stdout, "%.2s\n", text);
	return text[2];
}

FN long with_strtol(const char *from)
{
	char *text = goheap_alloc_noscan(16); /* stack */
	char *end;

	strcpy(text, from);
	return strtol(text, &end, 10) + *end;
}

FN char *strtol_end_returned(const char *from)
{
	char *text = goheap_alloc_noscan(16); /* heap: returned (must) */
	char *end;

	strcpy(text, from);
	return strtol(text, &end, 10) == 27 ? end : NULL;
}

FN long strtol_end_in_global(const char *from)
{
	char *text = goheap_alloc_noscan(16); /* heap: global|strtol (must) */

	strcpy(text, from);
	return strtol(text, &global_end, 10);
}

FN long with_strtok_r(const char *from)
{
	char *text = goheap_alloc_noscan(16); /* stack */
	char *rest, *word;
	long sum = 0;

	strcpy(text, from);
	for (word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
		sum = sum * 10 + atoi(word);
	return sum;
}

FN char *strtok_r_rest_in_global(const char *from)
{
	char *text = goheap_alloc_noscan(16); /* heap: global|returned|strtok_r (must) */

	strcpy(text, from);
	return strtok_r(text, ",", &global_rest);
}

FN void with_strtok(const char *from)
{
	char *text = goheap_alloc_noscan(16); /* heap: strtok (must) */

	strcpy(text, from);
	strtok(text, ",");
}

FN void with_setvbuf(FILE *file)
{
	char *buffer = goheap_alloc_noscan(256); /* heap: setvbuf (must) */

	setvbuf(file, buffer, _IOFBF, 256);
	fputs("31", file);
}

FN void with_putenv(void)
{
	char *text = goheap_alloc_noscan(32); /* heap: putenv (must) */

	strcpy(text, "CORPUS_VARIABLE=32");
	putenv(text);
}

FN long copied_by_strdup(void)
{
	char *text = goheap_alloc_noscan(8); /* stack */
	char *copy;
	long value;

	strcpy(text, "33");
	copy = strdup(text);
	value = atoi(copy);
	free(copy);
	return value;
}

CALLEE long value_behind(struct node **where)
{
	return (*where)->value;
}

/* Objects in memory of malloc() are found by nobody but the program. */
FN long in_malloced_memory(void)
{
	struct node **where = malloc(sizeof(*where));
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: memory|unknown|stored|malloc (could stay) */
	long value;

	n->value = 34;
	*where = n;
	value = value_behind(where);
	free(where);
	return value;
}

FN struct node **in_malloced_memory_returned(void)
{
	struct node **where = malloc(sizeof(*where));
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: memory|unknown|stored|malloc|returned (must) */

	n->value = 35;
	*where = n;
	return where;
}

FN long in_array_of_calloc(struct node ***kept)
{
	struct node **all = calloc(4, sizeof(*all));
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: memory|unknown|stored|calloc|parameter (must) */

	n->value = 36;
	all[2] = n;
	*kept = all;
	return all[2]->value;
}

int main(void)
{
	FILE *file = tmpfile(), *other = tmpfile();
	struct node **where;
	char *text;
	long *a;

	CHECK(with_memset(), 1);
	CHECK(with_memcpy_from(), 2);
	CHECK(with_memmove(8), 3);
	CHECK(with_memcmp(), 4);
	CHECK_AFTER(text = memset_returned(), text[15], 5);
	CHECK_AFTER(text = memcpy_returned("0123456789abcdef"), text[6], '6');
	CHECK_AFTER(bytes_to_global(16), global_text[7], 7);
	CHECK(with_strlen(), 8);
	CHECK(with_strcpy("12345678"), 9);
	CHECK_AFTER(text = strcpy_returned("hello"), text[4], 'o');
	CHECK(with_strcmp("hello"), 11);
	CHECK(with_strchr("hello"), 12);
	CHECK_AFTER(text = strchr_returned("hello"), text[2], 'o');
	CHECK_AFTER(strstr_in_global("hello"), global_text[1], 'o');
	CHECK(with_snprintf(1), 15);
	CHECK(with_snprintf_of_string(), 16);
	CHECK(with_pointer_printed(), 17);
	CHECK(with_sscanf("10 8"), 18);
	CHECK(with_qsort(), 123);
	CHECK_AFTER(with_qsort_that_keeps(), *(const long *)last_compared > 0, 1);
	CHECK(with_qsort_unknown(ascending), 123);
	CHECK_AFTER(with_qsort_unknown(ascending_and_keeps), *(const long *)last_compared > 0, 1);
	CHECK(with_qsort_of_pointers(), 12);
	CHECK_AFTER(with_qsort_of_pointers_that_keeps(), global->value, 20);
	CHECK(with_bsearch(20), 20);
	CHECK_AFTER(a = bsearch_returned(20), *a, 20);
	CHECK(with_fwrite_and_fread(file), 23);
	CHECK(with_fgets(file), 24);
	CHECK_AFTER(text = fgets_returned(file), atoi(text), 25);
	CHECK(with_puts_and_printf(), 't');
	CHECK(with_strtol("26 "), 26 + ' ');
	CHECK_AFTER(text = strtol_end_returned("27x"), *text, 'x');
	CHECK_AFTER(strtol_end_in_global("28x"), *global_end, 'x');
	CHECK(with_strtok_r("1,2,3"), 123);
	CHECK_AFTER(strtok_r_rest_in_global("1,2"), *global_rest, '2');
	CHECK_AFTER(with_strtok("1,2"), *strtok(NULL, ","), '2');
	goheap_add_roots(other, (char *)other + sizeof(*other));
	with_setvbuf(other);
	CHECK((rewind(other), getc(other)), '3');
	goheap_remove_roots(other, (char *)other + sizeof(*other));
	fclose(other);
	CHECK((with_putenv(), atoi(getenv("CORPUS_VARIABLE"))), 32);
	CHECK(copied_by_strdup(), 33);
	CHECK(in_malloced_memory(), 34);
	CHECK((where = in_malloced_memory_returned(), (*where)->value), 35);
	CHECK((in_array_of_calloc(&where), where[2]->value), 36);
	fclose(file);
	return corpus_failed;
}
