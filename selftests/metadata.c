// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: descriptors and tables that take more than 0.2 % of the memory that
 * they manage, as the module says and as the kernel's slabs say.
 */
#include "goheap_test.h"

#define BYTES	(128 * MIB)

/*
 * Bytes of whole slabs that @chunks descriptors take, with what is lost at the
 * slabs' ends; 0 if the kernel does not say.  Not by how much the slabs have grown:
 * there may be free descriptors in them already.
 */
static uint64_t slab_bytes(uint64_t chunks)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	unsigned long per_slab, pages;
	uint64_t bytes = 0;
	char line[512];

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "goheap_chunk %*u %*u %*u %lu %lu", &per_slab, &pages) == 2)
			bytes = (chunks + per_slab - 1) / per_slab * pages *
				sysconf(_SC_PAGESIZE);
	fclose(f);
	return bytes;
}

TEST(share)
{
	uint64_t most = BYTES / 500, slabs;
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

	slabs = slab_bytes(st.grown_bytes / (4 * MIB));
	munmap(base, 2 * BYTES);
	close(fd);
	if (!slabs)
		SKIP(return, "/proc/slabinfo does not say (it is root's)");
	TH_LOG("slabs of chunks: %.3f %%", 100.0 * slabs / BYTES);
	EXPECT_GE(most, slabs);
}

TEST_HARNESS_MAIN
