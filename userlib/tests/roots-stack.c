// SPDX-License-Identifier: MIT
/*
 * Catches: a pointer on a stack or in a register only, of this thread or of
 * another, wherever the other was interrupted, that does not keep its object.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gc.h"
#include "tap.h"

enum { N = 64 };

static uintptr_t hidden[N];

CASE(shallow, "this thread's stack")
{
	void *volatile place[N];

	canaries_make((void **)place, hidden, N);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), ==, N);
	for (int i = 0; i < N; i++)
		place[i] = NULL;
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), <, N / 10);
}

/* 2,000 frames, an object in each, verified on the way back. */
static __attribute__((noinline)) void deep(int depth)
{
	struct canary *volatile mine = canary_new(depth);
	volatile char room[512];

	room[0] = room[511] = depth;
	if (depth)
		deep(depth - 1);
	else
		collect_hard();
	CHECK(canary_ok(mine, depth));
	CHECK_CMP(room[511], ==, (char)depth);
}

CASE(frames, "2,000 frames, an object in each")
{
	deep(2000);
}

static void deep_thread(void *arg)
{
	(void)arg;
	deep(500);
}

CASE(frames_thread, "the same in another thread")
{
	in_thread(deep_thread, NULL);
}

CASE(alloca, "an array in the middle of a large frame")
{
	char *room = __builtin_alloca(512 * 1024);
	void **place = (void **)(room + 256 * 1024);

	memset(room, 0, 512 * 1024);
	canaries_make(place, hidden, N);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), ==, N);
	memset(room, 0, 512 * 1024);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), <, N / 10);
}

CASE(interior, "pointers into an object's inside")
{
	char *volatile place[N];

	canaries_make((void **)place, hidden, N);
	for (int i = 0; i < N; i++)
		place[i] += i % sizeof(struct canary);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), ==, N);
}

CASE(longjmp, "locals that setjmp() saved, after longjmp()")
{
	struct canary *volatile kept = canary_new(1);
	struct canary *maybe_register = canary_new(2);
	volatile int rounds = 0;
	jmp_buf env;

	setjmp(env);
	scrub_stack();
	collect_hard();
	CHECK(canary_ok(kept, 1));
	CHECK(canary_ok(maybe_register, 2));
	if (rounds++ < 5)
		longjmp(env, 1);
}

#ifdef __x86_64__
/*
 * Registers.  The functions below take an object's address inverted and turn it
 * back in the register named, so that no other place has it.
 */
atomic_int spin_ready, spin_stop;
uintptr_t spin_hidden;

#define SAVE "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n sub $8, %rsp\n"
#define RESTORE "add $8, %rsp\n pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
#define CLEAR "xor %ebx, %ebx\n xor %ebp, %ebp\n xor %r12d, %r12d\n xor %r13d, %r13d\n" \
	"xor %r14d, %r14d\n xor %r15d, %r15d\n"

/* uintptr_t call_REG(uintptr_t hidden): collect with the address in a callee-saved register. */
#define CALL_WITH(reg)								\
	uintptr_t call_##reg(uintptr_t h);					\
	asm(".text\n.type call_" #reg ", @function\ncall_" #reg ":\n"		\
	    SAVE CLEAR								\
	    "mov %rdi, %" #reg "\n not %" #reg "\n xor %edi, %edi\n"		\
	    "call collect_hard\n"						\
	    "mov %" #reg ", %rax\n not %rax\n"					\
	    RESTORE "ret\n.size call_" #reg ", . - call_" #reg "\n")

/* uintptr_t spin_REG(void): spin, interruptible anywhere, with the address in any register. */
#define SPIN_WITH(reg)								\
	uintptr_t spin_##reg(void);						\
	asm(".text\n.type spin_" #reg ", @function\nspin_" #reg ":\n"		\
	    SAVE CLEAR								\
	    "mov spin_hidden(%rip), %" #reg "\n not %" #reg "\n"		\
	    "movl $1, spin_ready(%rip)\n"					\
	    "1: pause\n cmpl $0, spin_stop(%rip)\n je 1b\n"			\
	    "mov %" #reg ", %rax\n not %rax\n"					\
	    RESTORE "ret\n.size spin_" #reg ", . - spin_" #reg "\n")

CALL_WITH(rbx); CALL_WITH(rbp); CALL_WITH(r12); CALL_WITH(r13); CALL_WITH(r14); CALL_WITH(r15);

SPIN_WITH(rax); SPIN_WITH(rbx); SPIN_WITH(rcx); SPIN_WITH(rdx); SPIN_WITH(rsi); SPIN_WITH(rdi);
SPIN_WITH(rbp); SPIN_WITH(r8); SPIN_WITH(r9); SPIN_WITH(r10); SPIN_WITH(r11); SPIN_WITH(r12);
SPIN_WITH(r13); SPIN_WITH(r14); SPIN_WITH(r15);

/* A vector register: compilers copy pairs of pointers through them. */
uintptr_t spin_xmm15(void);
asm(".text\n.type spin_xmm15, @function\nspin_xmm15:\n"
    SAVE CLEAR
    "mov spin_hidden(%rip), %rax\n not %rax\n movq %rax, %xmm15\n xor %eax, %eax\n"
    "movl $1, spin_ready(%rip)\n"
    "1: pause\n cmpl $0, spin_stop(%rip)\n je 1b\n"
    "movq %xmm15, %rax\n not %rax\n"
    RESTORE "ret\n.size spin_xmm15, . - spin_xmm15\n");

CASE(callee_saved, "this thread's callee-saved registers, one by one")
{
	static uintptr_t (*const call[])(uintptr_t) = {
		call_rbx, call_rbp, call_r12, call_r13, call_r14, call_r15,
	};

	for (size_t i = 0; i < ARRAY_SIZE(call); i++) {
		canaries_make(NULL, hidden, 1);
		CHECK_CMP(call[i](hidden[0]), ==, hidden[0]);
		if (canaries_alive(hidden, 1) != 1)
			tap_fail(__FILE__, __LINE__, "lost in callee-saved register %zu", i);
	}
}

static void *spin(void *fn)
{
	CHECK_CMP(((uintptr_t (*)(void))fn)(), ==, spin_hidden);
	return NULL;
}

static void spin_in(uintptr_t (*fn)(void), const char *name)
{
	pthread_t thread;

	canaries_make(NULL, hidden, 1);
	spin_hidden = hidden[0];
	spin_ready = spin_stop = 0;
	CHECK(!pthread_create(&thread, NULL, spin, (void *)fn));
	while (!spin_ready)
		sleep_ms(1);
	collect_hard();
	if (canaries_alive(hidden, 1) != 1)
		tap_fail(__FILE__, __LINE__, "lost in %s of another thread", name);
	spin_stop = 1;
	CHECK(!pthread_join(thread, NULL));
}

CASE(any_register, "each general register of another thread that never makes a call")
{
	static const struct {
		uintptr_t (*fn)(void);
		const char *name;
	} t[] = {
		{ spin_rax, "rax" }, { spin_rbx, "rbx" }, { spin_rcx, "rcx" }, { spin_rdx, "rdx" },
		{ spin_rsi, "rsi" }, { spin_rdi, "rdi" }, { spin_rbp, "rbp" }, { spin_r8, "r8" },
		{ spin_r9, "r9" }, { spin_r10, "r10" }, { spin_r11, "r11" }, { spin_r12, "r12" },
		{ spin_r13, "r13" }, { spin_r14, "r14" }, { spin_r15, "r15" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		spin_in(t[i].fn, t[i].name);
}

CASE(vector_register, "a vector register of another thread")
{
	spin_in(spin_xmm15, "xmm15");
}
#endif /* __x86_64__ */

/*
 * A signal handler on a stack of its own: the stack pointer is elsewhere, what
 * the interrupted function held is not.
 */
static atomic_int handler_in, handler_go;

static void spin_in_handler(int sig)
{
	(void)sig;
	handler_in = 1;
	while (!handler_go)
		sleep_ms(1);
}

static void *hold_and_raise(void *arg)
{
	void *volatile place[N];
	stack_t ss = { .ss_sp = arg, .ss_size = 64 * KIB };

	canaries_make((void **)place, hidden, N);
	CHECK(!sigaltstack(&ss, NULL));
	raise(SIGUSR2);
	CHECK_CMP(canaries_alive(hidden, N), ==, N);
	for (int i = 0; i < N; i++)
		CHECK(canary_ok(place[i], i));
	ss.ss_flags = SS_DISABLE;
	CHECK(!sigaltstack(&ss, NULL));
	return NULL;
}

CASE(sigaltstack, "a stack that its thread has left for a signal handler's")
{
	struct sigaction sa = { .sa_handler = spin_in_handler, .sa_flags = SA_ONSTACK };
	pthread_t thread;

	if (TSAN)
		tap_skip("TSan puts the program's own signals off");
	CHECK(!sigaction(SIGUSR2, &sa, NULL));
	CHECK(!pthread_create(&thread, NULL, hold_and_raise, malloc(64 * KIB)));
	while (!handler_in)
		sleep_ms(1);
	collect_hard();
	handler_go = 1;
	CHECK(!pthread_join(thread, NULL));
}

static void *on_my_stack(void *arg)
{
	void *volatile place[N];

	canaries_make((void **)place, hidden, N);
	pthread_barrier_wait(arg);
	pthread_barrier_wait(arg);
	for (int i = 0; i < N; i++)
		CHECK(canary_ok(place[i], i));
	return NULL;
}

CASE(own_stack, "a stack that the program gave with pthread_attr_setstack()")
{
	size_t size = 512 * KIB;
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_barrier_t barrier;
	pthread_attr_t attr;
	pthread_t thread;

	if (TSAN)
		tap_skip("TSan needs a larger stack than this");
	CHECK(stack != MAP_FAILED);
	pthread_barrier_init(&barrier, NULL, 2);
	pthread_attr_init(&attr);
	CHECK(!pthread_attr_setstack(&attr, stack, size));
	CHECK(!pthread_create(&thread, &attr, on_my_stack, &barrier));
	pthread_barrier_wait(&barrier);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), ==, N);
	pthread_barrier_wait(&barrier);
	CHECK(!pthread_join(thread, NULL));
	/* Nothing may look at the stack once the thread is gone. */
	munmap(stack, size);
	collect_hard();
}
