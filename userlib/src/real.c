// SPDX-License-Identifier: MIT
/* Looking up what the wrappers hide: see real.h. */
#define _GNU_SOURCE
#include <dlfcn.h>

#include "base.h"
#include "real.h"
#include "signals.h"

/* The section's bounds, by the linker. */
extern struct real __start_goheap_real[] __attribute__((visibility("hidden")));
extern struct real __stop_goheap_real[] __attribute__((visibility("hidden")));

/*
 * Of a static library only what is referred to is linked.  The wrappers are, whoever calls
 * them: it may be a shared library that was linked without them.
 */
static const char *const linked[] __attribute__((used)) = {
	&restart_linked, &spawn_linked, &specific_linked,
};

static void *look_up(struct real *r)
{
	void *f = dlsym(RTLD_NEXT, r->name);

	__atomic_store_n(&r->function, f, __ATOMIC_RELAXED);
	return f;
}

/**
 * real_function() - libc's function behind a wrapper
 * @r: which
 *
 * Return: its address.
 */
void *real_function(struct real *r)
{
	void *f = __atomic_load_n(&r->function, __ATOMIC_RELAXED);

	if (unlikely(!f)) {
		f = look_up(r);
		if (!f) {
			os_message("goheap: no %s behind the wrapper (linked statically?)\n",
				   r->name);
			__builtin_trap();
		}
	}
	return f;
}

/* What an older libc does not have stays NULL, and is missed only when it is called. */
__attribute__((constructor(101))) static void look_up_all(void)
{
	for (struct real *r = __start_goheap_real; r < __stop_goheap_real; r++)
		look_up(r);
}
