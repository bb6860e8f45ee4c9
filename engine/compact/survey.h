/* What the policy wants to know of a run. */
#ifndef YR_SURVEY_H
#define YR_SURVEY_H

#include "engine/compact/keep.h"
#include "engine/compact/policy.h"
#include "engine/segment/run.h"

/* Fill `files` (room for yr_run_file_count) and *out, which refers to them; is_busy and is_tried are false, for the
 * caller to set. Reads the groups of each file. YORE_ERR_CORRUPT, YORE_ERR_IO, YORE_ERR_NOMEM. */
yore_status yr_compact_survey(const yr_run *run, const yr_keep_set *keep, yr_compact_file *files,
                              yr_compact_run *out, yore_error *err);

#endif
