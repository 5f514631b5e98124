/* SPDX-License-Identifier: MIT */
/*
 * What the functions of libc, and of goheap.h, do with what is passed to them.
 *
 * A letter for each argument, the last one for all that follow:
 *
 *	-	nothing is kept; it may be written to, but with no pointer into another argument
 *	w	bytes are written to it that come from elsewhere, so they may be pointers (read)
 *	W	as w and r (fgets)
 *	r	as -, and the result may point into it (strchr)
 *	R	as r and s
 *	c	as -, and the result may be a pointer that is stored behind it (strsep)
 *	d	bytes are written to it that come from the arguments with s (memcpy)
 *	x	as w and d (sscanf)
 *	D	as d, and the result is this argument
 *	s	where these bytes come from
 *	t	the same, text: of pointers there may be pieces, but no pointers (sprintf)
 *	e	a pointer into the arguments with s is stored behind it (strtol)
 *	E	as c and e
 *	f	a function that is called with pointers into the arguments with s
 *	o	what is in the memory behind it goes out, and may come back (write)
 *	p	the same, text (puts)
 *	k	kept
 *
 * A number is let go, whatever the letter: it may be a piece of an address.  But r says that
 * it goes to the result alone.
 *
 * Only what the C standard, POSIX or the man pages of glibc promise is here.  A
 * function that is missing keeps everything.  Functions that keep a pointer for the
 * next call or for good (strtok, setvbuf, putenv), that
 * start threads, or that let another thread at the memory after they have returned
 * (aio_read) are not in it, nor are those that are called back later (atexit, signal).
 */
#include "gcc.h"
#include "library.h"

struct known_function {
	const char *name;
	const char *flows;
};

static const struct known_function known[] = {
	{ "abort", "-" },
	{ "access", "-" },
	{ "atof", "-" },
	{ "atoi", "-" },
	{ "atol", "-" },
	{ "atoll", "-" },
	{ "bcmp", "-" },
	{ "bcopy", "sd-" },
	{ "bsearch", "sR--f" },
	{ "bzero", "-" },
	{ "calloc", "-" },
	{ "chdir", "-" },
	{ "chmod", "-" },
	{ "chown", "-" },
	{ "clock_getres", "-" },
	{ "clock_gettime", "-" },
	{ "clock_nanosleep", "-" },
	{ "close", "-" },
	{ "cos", "-" },
	{ "difftime", "-" },
	{ "exit", "-" },
	{ "exp", "-" },
	{ "explicit_bzero", "-" },
	{ "fclose", "-" },
	{ "feof", "-" },
	{ "ferror", "-" },
	{ "fflush", "-" },
	{ "fgetc", "-" },
	{ "fgets", "W-" },
	{ "fileno", "-" },
	{ "fopen", "-" },
	{ "fprintf", "-p" },
	{ "fprintf_chk", "p" },
	{ "fputc", "-" },
	{ "fputs", "p-" },
	{ "fread", "w-" },
	{ "frexp", "-" },
	{ "fscanf", "--w" },
	{ "fseek", "-" },
	{ "fstat", "-" },
	{ "ftell", "-" },
	{ "fwrite", "o-" },
	{ "getc", "-" },
	{ "getcwd", "W-" },
	{ "getenv", "-" },
	{ "getpid", "-" },
	{ "getrandom", "-" },
	{ "getrlimit", "-" },
	{ "getrusage", "-" },
	{ "gettimeofday", "-" },
	{ "gmtime_r", "-r" },
	{ "goheap_add_roots", "k" },
	{ "goheap_base", "k" },
	{ "goheap_collect", "-" },
	{ "goheap_free", "-" },
	{ "goheap_free_os_memory", "-" },
	{ "goheap_init", "-" },
	{ "goheap_read_histogram", "-" },
	{ "goheap_read_stats", "-" },
	{ "goheap_set_gc_percent", "-" },
	{ "goheap_set_memory_limit", "-" },
	{ "goheap_write_heap_profile", "-" },
	{ "isalnum", "-" },
	{ "isalpha", "-" },
	{ "isdigit", "-" },
	{ "isspace", "-" },
	{ "kill", "-" },
	{ "ldexp", "-" },
	{ "localtime_r", "-r" },
	{ "log", "-" },
	{ "lseek", "-" },
	{ "lstat", "-" },
	{ "malloc", "-" },
	{ "mbstowcs", "ds-" },
	{ "mbtowc", "-" },
	{ "memccpy", "Ds-" },
	{ "memchr", "r-" },
	{ "memcmp", "-" },
	{ "memcpy", "Ds-" },
	{ "memmem", "r--" },
	{ "memmove", "Ds-" },
	{ "mempcpy", "Ds-" },
	{ "memrchr", "r-" },
	{ "memset", "r-" },
	{ "mkdir", "-" },
	{ "mktime", "-" },
	{ "modf", "-" },
	{ "nanosleep", "-" },
	{ "open", "-" },
	{ "openat", "-" },
	{ "perror", "p" },
	{ "pipe", "-" },
	{ "poll", "-" },
	{ "pow", "-" },
	{ "pread", "-w-" },
	{ "printf", "p" },
	{ "printf_chk", "p" },
	{ "putc", "-" },
	{ "putchar", "-" },
	{ "puts", "p" },
	{ "pthread_mutex_destroy", "-" },
	{ "pthread_mutex_init", "-" },
	{ "pthread_mutex_lock", "-" },
	{ "pthread_mutex_trylock", "-" },
	{ "pthread_mutex_unlock", "-" },
	{ "pwrite", "-o-" },
	{ "qsort", "s--f" },
	{ "raise", "-" },
	{ "rand", "-" },
	{ "read", "-w-" },
	{ "readlink", "-w-" },
	{ "recv", "-w-" },
	{ "remove", "-" },
	{ "rename", "-" },
	{ "rewind", "-" },
	{ "rmdir", "-" },
	{ "sched_yield", "-" },
	{ "send", "-o-" },
	{ "sigaddset", "-" },
	{ "sigemptyset", "-" },
	{ "sigfillset", "-" },
	{ "sin", "-" },
	{ "sleep", "-" },
	{ "snprintf", "d-t" },
	{ "snprintf_chk", "d---t" },
	{ "sprintf", "dt" },
	{ "sprintf_chk", "d--t" },
	{ "sqrt", "-" },
	{ "srand", "-" },
	{ "sscanf", "ttx" },
	{ "stat", "-" },
	{ "stpcpy", "Ds" },
	{ "stpncpy", "Ds-" },
	{ "strcasecmp", "-" },
	{ "strcasestr", "r-" },
	{ "strcat", "Ds" },
	{ "strchr", "r-" },
	{ "strchrnul", "r-" },
	{ "strcmp", "-" },
	{ "strcoll", "-" },
	{ "strcpy", "Ds" },
	{ "strcspn", "-" },
	{ "strdup", "o" },
	{ "strftime", "d-t-" },
	{ "strlcat", "ds-" },
	{ "strlcpy", "ds-" },
	{ "strlen", "-" },
	{ "strncasecmp", "-" },
	{ "strncat", "Ds-" },
	{ "strncmp", "-" },
	{ "strncpy", "Ds-" },
	{ "strndup", "o-" },
	{ "strnlen", "-" },
	{ "strpbrk", "r-" },
	{ "strrchr", "r-" },
	{ "strsep", "c-" },
	{ "strspn", "-" },
	{ "strstr", "r-" },
	{ "strtod", "se" },
	{ "strtof", "se" },
	{ "strtok_r", "R-E" },
	{ "strtol", "se-" },
	{ "strtold", "se" },
	{ "strtoll", "se-" },
	{ "strtoul", "se-" },
	{ "strtoull", "se-" },
	{ "strxfrm", "ds-" },
	{ "time", "-" },
	{ "tolower", "r" },
	{ "toupper", "r" },
	{ "uname", "-" },
	{ "ungetc", "-" },
	{ "unlink", "-" },
	{ "usleep", "-" },
	{ "vfprintf", "-p-" },
	{ "vfprintf_chk", "--p-" },
	{ "vprintf", "p-" },
	{ "vprintf_chk", "-p-" },
	{ "vsnprintf", "w-p-" },
	{ "vsnprintf_chk", "w---p-" },
	{ "vsprintf", "wp-" },
	{ "vsprintf_chk", "w--p-" },
	{ "wait", "-" },
	{ "waitpid", "-" },
	{ "wcscmp", "-" },
	{ "wcslen", "-" },
	{ "write", "-o-" },
};

static bool cut_end(std::string *name, const char *end)
{
	size_t length = strlen(end);

	if (name->size() <= length || name->compare(name->size() - length, length, end))
		return false;
	name->erase(name->size() - length);
	while (!name->compare(0, 1, "_"))
		name->erase(0, 1);
	return true;
}

/*
 * The name of a function of libc under the names that headers and GCC give it:
 * __builtin_memcpy, __memcpy_chk (with a size among the arguments), __read_alias,
 * __read_chk_warn, __isoc99_sscanf.
 */
static std::string plain_name(tree fndecl, bool *checked)
{
	std::string name = IDENTIFIER_POINTER(DECL_NAME(fndecl));
	static const char *const prefixes[] = { "__builtin_", "__isoc99_", "__isoc23_" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!name.compare(0, strlen(prefixes[i]), prefixes[i]))
			name.erase(0, strlen(prefixes[i]));
	cut_end(&name, "_alias");
	cut_end(&name, "_warn");
	*checked = cut_end(&name, "_chk");
	return name;
}

static bool is_outside(tree fndecl)
{
	return fndecl && DECL_NAME(fndecl) && TREE_PUBLIC(fndecl) && DECL_EXTERNAL(fndecl) &&
	       !gimple_has_body_p(fndecl);
}

/*
 * The headers of libc that declare what is in the table: in a directory that is called so, or in
 * sys/; what they include is in bits/.
 */
static bool is_header_of_libc(const char *path)
{
	static const char *const names[] = {
		"include/ctype.h", "include/fcntl.h", "include/math.h", "include/poll.h",
		"include/pthread.h", "include/sched.h", "include/signal.h", "include/stdio.h",
		"include/stdlib.h", "include/string.h", "include/strings.h", "include/time.h",
		"include/unistd.h", "include/wchar.h", "sys/poll.h", "sys/random.h", "sys/resource.h",
		"sys/socket.h", "sys/stat.h", "sys/time.h", "sys/utsname.h", "sys/wait.h",
	};
	std::string name = path;
	size_t slash = name.rfind('/', name.rfind('/') - 1);

	if (slash != std::string::npos)
		name.erase(0, slash + 1);
	if (startswith(name.c_str(), "bits/"))
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (name == names[i])
			return true;
	return false;
}

/*
 * A program, or another library whose headers count as the system's (-isystem), may have a
 * function of its own that is called send() or remove(); of libc are those that libc's headers
 * declare, and those that GCC knows by name and type.
 */
static bool is_of_libc(tree fndecl)
{
	return fndecl_built_in_p(fndecl) ||
	       (DECL_IN_SYSTEM_HEADER(fndecl) && is_header_of_libc(DECL_SOURCE_FILE(fndecl))) ||
	       startswith(IDENTIFIER_POINTER(DECL_NAME(fndecl)), "goheap_");
}

/**
 * library_flows() - what a function of libc does with its arguments
 * @fndecl: the function that is called
 *
 * Return: letters, see above, or NULL if it is not known.
 */
const char *library_flows(tree fndecl)
{
	bool checked;
	static std::map<std::string, const char *> by_name;

	if (!is_outside(fndecl) || !is_of_libc(fndecl))
		return NULL;

	std::string name = plain_name(fndecl, &checked);

	if (by_name.empty())
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			by_name[known[i].name] = known[i].flows;

	std::map<std::string, const char *>::const_iterator found = by_name.end();

	/* Checked ones of printf's kind have flags and sizes between the arguments; others after them. */
	if (checked)
		found = by_name.find(name + "_chk");
	if (found == by_name.end())
		found = by_name.find(name);
	return found == by_name.end() ? NULL : found->second;
}

/**
 * library_allocator() - is it a function whose result may be put on the stack?
 * @fndecl: the function that is called, or NULL
 */
enum goheap_function library_allocator(tree fndecl)
{
	const char *name;

	if (!is_outside(fndecl))
		return GOHEAP_NONE;
	name = IDENTIFIER_POINTER(DECL_NAME(fndecl));
	if (!strcmp(name, "goheap_alloc"))
		return GOHEAP_ALLOC;
	if (!strcmp(name, "goheap_alloc_noscan"))
		return GOHEAP_ALLOC_NOSCAN;
	if (!strcmp(name, "goheap_alloc_typed"))
		return GOHEAP_ALLOC_TYPED;
	return GOHEAP_NONE;
}

/**
 * library_name() - what a function is called, for a report
 * @fndecl: the function, or NULL for one that is called through a pointer
 */
const char *library_name(tree fndecl)
{
	if (!fndecl || !DECL_NAME(fndecl))
		return "a function pointer";
	return IDENTIFIER_POINTER(DECL_NAME(fndecl));
}

/**
 * library_format() - which argument of one of printf() and its like is the format
 * @fndecl: the function that is called
 *
 * Return: its number, from 0 on; -1 if it is none of them, or takes a va_list: what is in
 * that has been let go when it was made.
 */
int library_format(tree fndecl)
{
	bool checked;
	std::string name = plain_name(fndecl, &checked);

	/* Checked ones have a flag before it, and the size of what is written to. */
	if (name == "printf")
		return checked ? 1 : 0;
	if (name == "fprintf" || name == "dprintf")
		return checked ? 2 : 1;
	if (name == "sprintf")
		return checked ? 3 : 1;
	if (name == "snprintf")
		return checked ? 4 : 2;
	return -1;
}
