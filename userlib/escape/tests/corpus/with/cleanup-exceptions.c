/* SPDX-License-Identifier: MIT */
/* What cleanup-exceptions.c calls and does not see. */
long might_throw(long value);

long might_throw(long value)
{
	return value;
}
