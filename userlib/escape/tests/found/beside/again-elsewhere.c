/* SPDX-License-Identifier: MIT */
extern int walk(int);
int visit(int depth)
{
	return walk(depth - 1) + 1;
}

int main(void)
{
	__builtin_printf("%s\n", walk(1000) ? "ok" : "WRONG");
}
