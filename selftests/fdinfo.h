/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading lines "KEY: VALUE" of files in /proc and debugfs.
 */
#ifndef FDINFO_H
#define FDINFO_H

#include "goheap_test.h"

/*
 * The line "KEY: NUMBER[ kB]" of a file, in bytes where it is in kB; ~0 if there is
 * none or if it says none.
 */
static inline uint64_t line_of(const char *path, const char *key)
{
	unsigned long long v, found = ~0ULL;
	size_t len = strlen(key);
	char line[256];
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, len) || line[len] != ':')
			continue;
		if (sscanf(line + len + 1, "%llu", &v) == 1)
			found = strstr(line, " kB\n") ? v * 1024 : v;
	}
	if (f)
		fclose(f);
	return found;
}

/* The same for the fdinfo of a descriptor of this process. */
static inline uint64_t fdinfo_of(int fd, const char *key)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	return line_of(path, key);
}

#endif /* FDINFO_H */
