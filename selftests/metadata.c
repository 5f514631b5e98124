// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: descriptors and tables that take more than 0.2 % of the memory that
 * they manage, as the module says and as the kernel's slabs say.
 */
#include "goheap_test.h"

#define BYTES	(128 * MIB)

/*
 * Bytes in the slabs of the chunks' descriptors; 0 if the kernel does not say.
 * Only slabs in use count: whole ones, with what is lost at their ends.
 */
static uint64_t slab_bytes(void)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	unsigned long objects, size, per_slab, pages;
	uint64_t bytes = 0;
	char line[512];

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "goheap_chunk %*u %lu %lu %lu %lu", &objects, &size, &per_slab,
			   &pages) != 4)
			continue;
		bytes = objects / per_slab * pages * sysconf(_SC_PAGESIZE);
	}
	fclose(f);
	return bytes;
}

TEST(share)
{
	uint64_t most = BYTES / 500, before = slab_bytes(), slabs;
	struct goheap_arena_stats st;
	struct goheap_span span[8];
	int i, fd = gh_open();
	char *base;

	ASSERT_LE(0, fd);
	base = gh_map(fd, 2 * BYTES);
	ASSERT_NE(NULL, base);
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, gh_alloc(fd, BYTES / 8 / GH_PAGE, &span[i]));
	st = gh_stats(fd);
	ASSERT_LE((uint64_t)BYTES, st.grown_bytes);
	TH_LOG("%llu bytes of descriptors and tables for %llu MiB: %.3f %%",
	       (unsigned long long)st.metadata_bytes,
	       (unsigned long long)(st.grown_bytes / MIB),
	       100.0 * st.metadata_bytes / st.grown_bytes);
	EXPECT_LT(st.grown_bytes / 1000, st.metadata_bytes);
	EXPECT_GE(most, st.metadata_bytes);

	slabs = slab_bytes();
	munmap(base, 2 * BYTES);
	close(fd);
	if (!slabs)
		SKIP(return, "/proc/slabinfo does not say (it is root's)");
	TH_LOG("slabs of chunks: %.3f %%", 100.0 * (slabs - before) / BYTES);
	EXPECT_LT(before, slabs);
	EXPECT_GE(most, slabs - before);
}

TEST_HARNESS_MAIN
