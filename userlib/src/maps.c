// SPDX-License-Identifier: MIT
/*
 * Reading /proc/self/maps, and the build IDs of what is mapped.  Without malloc(),
 * whose heap may be what the program wants to know about.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base.h"
#include "maps.h"

#define TEXT_BYTES	((size_t)16 << 20)	/* address space */

/* One line, ended by a zero byte; false if it is not of code. */
static bool parse_line(char *line, struct map *m)
{
	char *p;

	m->start = strtoull(line, &p, 16);
	if (*p != '-')
		return false;
	m->end = strtoull(p + 1, &p, 16);
	/* " r-xp 00001000 08:01 1234       /name" */
	if (p[0] != ' ' || p[3] != 'x')
		return false;
	m->offset = strtoull(p + 6, &p, 16);
	for (int blanks = 0; blanks < 2 && *p; p++)
		blanks += *p == ' ';
	strtoull(p, &p, 10);
	m->name = p + strspn(p, " ");
	m->build_id[0] = 0;
	return true;
}

static ssize_t read_text(char *text)
{
	size_t length = 0;
	ssize_t n = 0;
	int fd;

	fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	while (length < TEXT_BYTES - 1) {
		n = syscall(SYS_read, fd, text + length, TEXT_BYTES - 1 - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		length += (size_t)n;
	}
	syscall(SYS_close, fd);
	return n < 0 ? -1 : (ssize_t)length;
}

static void note_build_id(struct map *m, const unsigned char *id, size_t bytes)
{
	for (size_t i = 0; i < bytes && 2 * i < BUILD_ID_MOST; i++)
		snprintf(m->build_id + 2 * i, 3, "%02x", id[i]);
}

/* Look through the notes of a loaded object for the one that has the build ID. */
static void find_build_id(struct map *m, const char *p, const char *end)
{
	while (p + sizeof(ElfW(Nhdr)) < end) {
		const ElfW(Nhdr) *note = (const void *)p;
		const char *name = p + sizeof(*note);
		const char *desc = name + align_up(note->n_namesz, 4);

		if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
		    !memcmp(name, "GNU", 4) && desc + note->n_descsz <= end) {
			note_build_id(m, (const unsigned char *)desc, note->n_descsz);
			return;
		}
		p = desc + align_up(note->n_descsz, 4);
	}
}

static int each_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct maps *maps = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *code = &info->dlpi_phdr[i];
		size_t found;

		if (code->p_type != PT_LOAD || !(code->p_flags & PF_X))
			continue;
		found = maps_find(maps, info->dlpi_addr + code->p_vaddr);
		for (int k = 0; found && k < info->dlpi_phnum; k++) {
			const ElfW(Phdr) *note = &info->dlpi_phdr[k];
			const char *p = (const char *)(info->dlpi_addr + note->p_vaddr);

			if (note->p_type == PT_NOTE)
				find_build_id(&maps->map[found - 1], p, p + note->p_memsz);
		}
	}
	return 0;
}

/**
 * maps_read() - see what code is mapped where
 * @m: filled in; to be freed with maps_free()
 *
 * Where /proc cannot be read there are no mappings.
 *
 * Return: 0; -1 and ENOMEM.
 */
int maps_read(struct maps *m)
{
	size_t bytes = MAPS_MOST * sizeof(*m->map);
	char *line, *next;
	ssize_t length;

	m->n = 0;
	m->text_bytes = TEXT_BYTES + bytes;
	m->text = os_reserve(m->text_bytes, 4096, true);
	if (!m->text)
		return -1;
	m->map = (struct map *)(m->text + TEXT_BYTES);
	length = read_text(m->text);
	if (length < 0)
		return 0;
	for (line = m->text; line < m->text + length && m->n < MAPS_MOST; line = next) {
		next = strchrnul(line, '\n');
		*next++ = 0;
		m->n += parse_line(line, &m->map[m->n]);
	}
	dl_iterate_phdr(each_object, m);
	return 0;
}

void maps_free(struct maps *m)
{
	os_unreserve(m->text, m->text_bytes);
}

size_t maps_find(const struct maps *m, uintptr_t p)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (p >= m->map[middle].end)
			low = middle + 1;
		else if (p < m->map[middle].start)
			high = middle;
		else
			return middle + 1;
	}
	return 0;
}
