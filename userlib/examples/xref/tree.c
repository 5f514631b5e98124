// SPDX-License-Identifier: MIT
/*
 * Which files there are: every regular file below the paths that were named, as
 * `find PATH -type f` lists them.  A symbolic link is followed only if the user
 * named it.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "alloc.h"
#include "xref.h"

static void complain(struct tree *tree, const char *path)
{
	fprintf(stderr, "xref: %s: %s, skipped\n", path, strerror(errno));
	tree->errors++;
}

static char *join(const char *dir, const char *name)
{
	size_t dir_len = strlen(dir), name_len = strlen(name);
	char *path;

	while (dir_len > 1 && dir[dir_len - 1] == '/')
		dir_len--;
	path = new_data(dir_len + name_len + 2);
	memcpy(path, dir, dir_len);
	if (path[dir_len - 1] != '/')
		path[dir_len++] = '/';
	memcpy(path + dir_len, name, name_len + 1);
	return path;
}

static void add_file(struct tree *tree, char *path)
{
	if (tree->nr == NUMBER_MAX) {
		fprintf(stderr, "xref: more than %u files\n", NUMBER_MAX);
		exit(1);
	}
	if (tree->nr == tree->room) {
		uint32_t room = tree->room ? tree->room * 2 : 256;

		tree->paths = grow_object(tree->paths, tree->nr * sizeof(*tree->paths),
					  room * sizeof(*tree->paths));
		tree->room = room;
	}
	tree->paths[tree->nr++] = path;
}

/* Directories still to read: a list, not recursion, so that no depth is too deep. */
struct pending {
	struct pending *next;
	char *path;
};

static struct pending *push(struct pending *next, char *path)
{
	struct pending *p = new_object(sizeof(*p));

	p->next = next;
	p->path = path;
	return p;
}

static unsigned char type_of(const char *path, const struct dirent *d)
{
	struct stat st;

	if (d->d_type != DT_UNKNOWN)
		return d->d_type;
	if (lstat(path, &st))
		return DT_UNKNOWN;
	return IFTODT(st.st_mode);
}

static struct pending *read_directory(struct tree *tree, const char *dir, struct pending *todo)
{
	struct dirent *d;
	DIR *stream;

	stream = opendir(dir);
	if (!stream) {
		complain(tree, dir);
		return todo;
	}
	while (errno = 0, (d = readdir(stream))) {
		char *path;

		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		path = join(dir, d->d_name);
		switch (type_of(path, d)) {
		case DT_REG:
			add_file(tree, path);
			break;
		case DT_DIR:
			todo = push(todo, path);
			break;
		case DT_UNKNOWN:
			complain(tree, path);
			break;
		}
	}
	if (errno)
		complain(tree, dir);
	closedir(stream);
	return todo;
}

/**
 * tree_add() - add a file, or every file below a directory
 * @tree: the list, all zero at first
 * @path: name of the file or directory
 *
 * What cannot be read is reported on stderr and counted in @tree->errors.
 */
void tree_add(struct tree *tree, const char *path)
{
	struct pending *todo;
	struct stat st;
	char *copy;

	if (stat(path, &st)) {
		complain(tree, path);
		return;
	}
	copy = grow_data(path, strlen(path) + 1, strlen(path) + 1);
	if (!S_ISDIR(st.st_mode)) {
		add_file(tree, copy);
		return;
	}

	todo = push(NULL, copy);
	while (todo) {
		struct pending *dir = todo;

		todo = read_directory(tree, dir->path, dir->next);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/**
 * tree_sort() - put the files in order, so that their numbers are in order too
 * @tree: the list
 *
 * qsort() may keep part of an array in memory of malloc(), where the collector
 * does not look.  So a copy is sorted, while the original holds on to the names.
 */
void tree_sort(struct tree *tree)
{
	char **original = tree->paths;
	size_t size = tree->nr * sizeof(*original);
	char **sorted;

	if (!tree->nr)
		return;
	sorted = grow_object(original, size, size);
	qsort(sorted, tree->nr, sizeof(*sorted), by_name);
	tree->paths = sorted;
	tree->room = tree->nr;
}
