/* SPDX-License-Identifier: MIT */
/* GCC's headers, in an order in which they work.  Versions 12 and later. */
#ifndef GOHEAP_ESCAPE_GCC_H
#define GOHEAP_ESCAPE_GCC_H

#define INCLUDE_MAP
#define INCLUDE_SET
#define INCLUDE_STRING
#define INCLUDE_VECTOR

#include "gcc-plugin.h"
#include "tree.h"
#include "cpplib.h"
#include "c-family/c-common.h"
#include "diagnostic-core.h"
#include "gimple.h"
#include "tree-pass.h"
#include "context.h"
#include "ssa.h"
#include "cgraph.h"
#include "cfghooks.h"
#include "cfgloop.h"
#include "calls.h"
#include "stringpool.h"
#include "attribs.h"
#include "opts.h"
#include "fold-const.h"
#include "gimple-iterator.h"
#include "gimple-walk.h"
#include "gimplify.h"
#include "gimple-expr.h"
#include "internal-fn.h"
#include "tree-eh.h"
#include "except.h"
#include "tree-cfg.h"
#include "tree-dfa.h"
#include "tree-into-ssa.h"
#include "tree-nested.h"
#include "tree-ssa.h"
#include "alloc-pool.h"
#include "symbol-summary.h"
#include "ipa-utils.h"
#include "lto-streamer.h"

#endif
