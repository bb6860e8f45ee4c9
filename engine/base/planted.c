/* The switch that picks a planted bug, in the test build only. */
#include "engine/base/planted.h"

#ifdef YORE_PLANTED_BUGS
enum yr_bug yr_planted_bug = YR_BUG_NONE;
#endif
