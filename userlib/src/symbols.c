// SPDX-License-Identifier: MIT
/*
 * Reading symbol tables: .symtab, which has the program's own functions, or .dynsym
 * where that has been stripped.  The file is not trusted: it may have been replaced
 * by another, or be half written.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base.h"
#include "symbols.h"

/* A file in memory. */
struct file {
	const char *bytes;
	size_t size;
};

/* @n items of @size at @offset; NULL if they are not all in the file, or not aligned. */
static const void *part(const struct file *f, uint64_t offset, uint64_t n, size_t size)
{
	if (offset > f->size || n > (f->size - offset) / size || offset % sizeof(uint32_t))
		return NULL;
	return f->bytes + offset;
}

static const ElfW(Ehdr) *header(const struct file *f)
{
	const ElfW(Ehdr) *e = part(f, 0, 1, sizeof(*e));

	if (!e || memcmp(e->e_ident, ELFMAG, SELFMAG) ||
	    e->e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
	    e->e_shentsize != sizeof(ElfW(Shdr)) || e->e_phentsize != sizeof(ElfW(Phdr)))
		return NULL;
	return e;
}

/* Where in the file is what will be at an address?  false: nowhere. */
static bool offset_of(const ElfW(Phdr) *segments, size_t n, uint64_t address, uint64_t *offset)
{
	for (size_t i = 0; i < n; i++) {
		const ElfW(Phdr) *s = &segments[i];

		if (s->p_type == PT_LOAD && address >= s->p_vaddr &&
		    address - s->p_vaddr < s->p_filesz) {
			*offset = address - s->p_vaddr + s->p_offset;
			return true;
		}
	}
	return false;
}

static const ElfW(Shdr) *find_table(const ElfW(Shdr) *sections, size_t n, uint32_t type)
{
	for (size_t i = 0; i < n; i++)
		if (sections[i].sh_type == type && sections[i].sh_link < n)
			return &sections[i];
	return NULL;
}

static void each_symbol(const struct file *f, symbol_fn fn, void *arg)
{
	const ElfW(Ehdr) *e = header(f);
	const ElfW(Phdr) *segments = e ? part(f, e->e_phoff, e->e_phnum, sizeof(*segments)) : NULL;
	const ElfW(Shdr) *sections = e ? part(f, e->e_shoff, e->e_shnum, sizeof(*sections)) : NULL;
	const ElfW(Shdr) *table, *names;
	const ElfW(Sym) *symbol;
	size_t n;

	if (!segments || !sections)
		return;
	table = find_table(sections, e->e_shnum, SHT_SYMTAB);
	if (!table)
		table = find_table(sections, e->e_shnum, SHT_DYNSYM);
	if (!table)
		return;
	n = table->sh_size / sizeof(*symbol);
	symbol = part(f, table->sh_offset, n, sizeof(*symbol));
	names = &sections[table->sh_link];
	if (!symbol || names->sh_offset > f->size || names->sh_size > f->size - names->sh_offset)
		return;
	for (; n--; symbol++) {
		const char *name = f->bytes + names->sh_offset + symbol->st_name;
		uint64_t start;
		size_t most;

		if ((symbol->st_info & 15) != STT_FUNC || symbol->st_shndx == SHN_UNDEF ||
		    !symbol->st_size || symbol->st_name >= names->sh_size ||
		    !offset_of(segments, e->e_phnum, symbol->st_value, &start))
			continue;
		most = names->sh_size - symbol->st_name;
		if (most > SYMBOL_NAME_MOST)
			most = SYMBOL_NAME_MOST;
		if (memchr(name, 0, most))
			fn(arg, start, start + symbol->st_size, name);
	}
}

/**
 * symbols_each() - go through the functions in a file
 * @file: its name
 * @fn: called for each, with where it is in the file
 * @arg: passed on
 *
 * A file that cannot be read, or is none, has no functions.
 */
void symbols_each(const char *file, symbol_fn fn, void *arg)
{
	struct file f = { 0 };
	struct stat st;
	void *p;
	int fd;

	/* Not of devices, and not waiting for who writes into a pipe. */
	fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0) {
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p != MAP_FAILED) {
			f.bytes = p;
			f.size = (size_t)st.st_size;
			each_symbol(&f, fn, arg);
			munmap(p, f.size);
		}
	}
	syscall(SYS_close, fd);
}
