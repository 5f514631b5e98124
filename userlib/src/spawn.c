// SPDX-License-Identifier: MIT
/*
 * Programs that are executed get the signal mask that this one means to have.
 *
 * The stop signal is never blocked in truth (signals.c).  Where the program has set it so, it
 * is blocked for the moment of exec() or posix_spawn(), when the thread cannot be
 * stopped anyhow.  system() and popen() are libc's own affair: what they run gets the
 * signal unblocked.
 */
#define _GNU_SOURCE
#include <alloca.h>
#include <spawn.h>
#include <stdarg.h>
#include <unistd.h>

#include "real.h"
#include "signals.h"
#include "thread.h"

extern char **environ;

/* @call under the mask that is meant, whatever comes of it. */
#define AS_MEANT(call)								\
	({									\
		bool block_ = stop_meant_blocked();				\
		__typeof__(call) ret_;						\
										\
		if (unlikely(block_))						\
			stop_block_truly(true);					\
		ret_ = (call);							\
		if (unlikely(block_))						\
			stop_block_truly(false);				\
		ret_;								\
	})

PUBLIC int posix_spawn(pid_t *restrict pid, const char *restrict path,
		       const posix_spawn_file_actions_t *restrict actions,
		       const posix_spawnattr_t *restrict attr, char *const argv[restrict],
		       char *const envp[restrict])
{
	return AS_MEANT(REAL(posix_spawn)(pid, path, actions, attr, argv, envp));
}

PUBLIC int posix_spawnp(pid_t *restrict pid, const char *restrict file,
			const posix_spawn_file_actions_t *restrict actions,
			const posix_spawnattr_t *restrict attr, char *const argv[restrict],
			char *const envp[restrict])
{
	return AS_MEANT(REAL(posix_spawnp)(pid, file, actions, attr, argv, envp));
}

PUBLIC int execve(const char *path, char *const argv[], char *const envp[])
{
	return AS_MEANT(REAL(execve)(path, argv, envp));
}

PUBLIC int execv(const char *path, char *const argv[])
{
	return AS_MEANT(REAL(execv)(path, argv));
}

PUBLIC int execvp(const char *file, char *const argv[])
{
	return AS_MEANT(REAL(execvp)(file, argv));
}

PUBLIC int execvpe(const char *file, char *const argv[], char *const envp[])
{
	return AS_MEANT(REAL(execvpe)(file, argv, envp));
}

PUBLIC int fexecve(int fd, char *const argv[], char *const envp[])
{
	return AS_MEANT(REAL(fexecve)(fd, argv, envp));
}

PUBLIC int execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	return AS_MEANT(REAL(execveat)(fd, path, argv, envp, flags));
}

/*
 * Those that take their arguments one by one: as an array, on the stack.  @args is
 * behind the first argument; it is left behind the NULL.
 */
#define COLLECT(argv, first, args)						\
	do {									\
		va_list count_;							\
		size_t n_ = 1;							\
										\
		va_copy(count_, args);						\
		while (va_arg(count_, char *))					\
			n_++;							\
		va_end(count_);							\
		(argv) = alloca((n_ + 1) * sizeof(*(argv)));			\
		(argv)[0] = (char *)(first);					\
		for (size_t i_ = 1; i_ <= n_; i_++)				\
			(argv)[i_] = va_arg(args, char *);			\
	} while (0)

PUBLIC int execl(const char *path, const char *arg, ...)
{
	va_list args;
	char **argv;

	va_start(args, arg);
	COLLECT(argv, arg, args);
	va_end(args);
	return execve(path, argv, environ);
}

PUBLIC int execlp(const char *file, const char *arg, ...)
{
	va_list args;
	char **argv;

	va_start(args, arg);
	COLLECT(argv, arg, args);
	va_end(args);
	return execvp(file, argv);
}

PUBLIC int execle(const char *path, const char *arg, ...)
{
	va_list args;
	char **argv, **envp;

	va_start(args, arg);
	COLLECT(argv, arg, args);
	envp = va_arg(args, char **);
	va_end(args);
	return execve(path, argv, envp);
}

const char spawn_linked;
