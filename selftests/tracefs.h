/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tracepoints of goheap, seen through an instance of tracefs of the test's
 * own, so that it disturbs no one else who traces, nor is disturbed.
 */
#ifndef TRACEFS_H
#define TRACEFS_H

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "goheap_test.h"

#define TRACEFS	"/sys/kernel/tracing"

static char tracefs_instance[64];

/* Can this process trace, and has the module events? */
static inline bool tracefs_there(void)
{
	struct statfs fs;

	return !geteuid() && !statfs(TRACEFS, &fs) && fs.f_type == TRACEFS_MAGIC;
}

static inline bool tracefs_write(const char *file, const char *value)
{
	char path[200];
	bool ok;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", tracefs_instance, file);
	fd = open(path, O_WRONLY | O_TRUNC);
	ok = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	if (fd >= 0)
		close(fd);
	return ok;
}

static inline bool tracefs_open(void)
{
	snprintf(tracefs_instance, sizeof(tracefs_instance), TRACEFS "/instances/goheap-%d",
		 getpid());
	rmdir(tracefs_instance);
	return !mkdir(tracefs_instance, 0700);
}

static inline void tracefs_close(void)
{
	tracefs_write("events/goheap/enable", "0");
	rmdir(tracefs_instance);
}

/* Record this event, "goheap_NAME", and no other from now on; "" for none. */
static inline bool tracefs_only(const char *name)
{
	char file[100];

	if (!tracefs_write("events/goheap/enable", "0") || !tracefs_write("trace", "\n"))
		return false;
	if (!*name)
		return true;
	snprintf(file, sizeof(file), "events/goheap/goheap_%s/enable", name);
	return tracefs_write(file, "1");
}

enum { TRACE_EVENTS_MAX = 600 };

/**
 * struct trace - what was recorded
 * @n: number of events
 * @event: each from its name on: "goheap_grow: arena=1 pid=90 ..."
 * @text: they lie here
 */
struct trace {
	size_t n;
	char *event[TRACE_EVENTS_MAX];
	char text[256 * TRACE_EVENTS_MAX];
};

/* Everything recorded since tracefs_only(). */
static inline bool tracefs_read(struct trace *t)
{
	char path[100], *line, *save;
	size_t n = 0;
	ssize_t got;
	int fd;

	t->n = 0;
	snprintf(path, sizeof(path), "%s/trace", tracefs_instance);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	while (n < sizeof(t->text) - 1 &&
	       (got = read(fd, t->text + n, sizeof(t->text) - 1 - n)) > 0)
		n += got;
	close(fd);
	t->text[n] = 0;
	for (line = strtok_r(t->text, "\n", &save); line && t->n < TRACE_EVENTS_MAX;
	     line = strtok_r(NULL, "\n", &save)) {
		char *event = *line == '#' ? NULL : strstr(line, ": goheap_");

		if (event)
			t->event[t->n++] = event + 2;
	}
	return n < sizeof(t->text) - 1;
}

/* The value of a field, as text, up to the next blank; "?" if it is not there. */
static inline const char *trace_word(const char *event, const char *field)
{
	static char word[8][100];
	static unsigned int turn;
	char *w = word[turn++ % 8];
	size_t len = strlen(field);

	for (; (event = strchr(event, ' ')); event++) {
		if (strncmp(event + 1, field, len) || event[1 + len] != '=')
			continue;
		event += len + 2;
		snprintf(w, sizeof(word[0]), "%.*s", (int)strcspn(event, " "), event);
		return w;
	}
	return "?";
}

/* As a number; ~0 if there is none. */
static inline uint64_t trace_number(const char *event, const char *field)
{
	const char *word = trace_word(event, field);
	char *end;
	uint64_t v = strtoull(word, &end, 0);

	return *word && !*end ? v : GH_ALL;
}

/* The sum of a field over all events in which @key is @value; "" for all. */
static inline uint64_t trace_sum(const struct trace *t, const char *field, const char *key,
				 const char *value)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < t->n; i++)
		if (!*key || !strcmp(trace_word(t->event[i], key), value))
			sum += trace_number(t->event[i], field);
	return sum;
}

#endif /* TRACEFS_H */
