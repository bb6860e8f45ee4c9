/* Planted bugs: known-wrong variants of durability and concurrency code that the tests must catch.
 *
 * In an ordinary build YR_BUG(x) is the constant false and the wrong code is not even compiled in. The
 * test build defines YORE_PLANTED_BUGS; there `yr_planted_bug` picks one at run time. */
#ifndef YR_PLANTED_H
#define YR_PLANTED_H

enum yr_bug {
    YR_BUG_NONE = 0,
    YR_BUG_STOP_AT_FIRST_BAD,      /* recovery takes any bad record for the end of the log */
    YR_BUG_APPEND_AFTER_TORN_TAIL, /* reopening appends behind a torn tail without cutting it */
    YR_BUG_NO_DIR_SYNC,            /* new names are not synced */
    YR_BUG_ACK_BEFORE_SYNC,        /* a commit returns before its sync */
    YR_BUG_PUBLISH_BEFORE_SYNC,    /* readers see a commit before it is durable */
    YR_BUG_RETRY_SYNC,             /* a failed sync is tried again and believed */
    YR_BUG_NO_SALT,                /* checksums without the file's salt */
    YR_BUG_REUSE_WAL,              /* an old log file is written over with its old salt */
    YR_BUG_LOCK_BY_EXCL,           /* the lock is the existence of a file */
    YR_BUG_ONE_EPOCH,              /* blocks are released one epoch after retirement */
    YR_BUG_RELAXED_PUBLISH,        /* a commit is published with a relaxed store, before its writes */
    YR_BUG_LINEAGE_CAP,            /* a grandparent is read at its own cap, not the minimum of the path */
    YR_BUG_EXPIRY_WALL_CLOCK,      /* expiry is compared with the clock, not the snapshot's time */
    YR_BUG_FIRST_COMMITTER,        /* a conflict check that is off by one version */
    YR_BUG_HASH_BEFORE_ENTRY,      /* the hash slot is published before the entry is written */
    YR_BUG_UNSETTLED_SCAN,         /* a scan starts while new keys wait to be put in order */
    YR_BUG_SEARCH_HIDDEN_DF,       /* a document that a child replaced still counts in document frequencies */
    YR_BUG_SEARCH_EXPIRY,          /* the number of documents ignores expiry */
    YR_BUG_SEARCH_END_VERSION,     /* a posting is alive in the version that ended it */
    YR_BUG_SEARCH_HIDE_CAP,        /* a child's key hides the parent's before it was written */
    YR_BUG_COMPACT_UNASKED_DELETE, /* compaction drops a child's delete without asking the parent */
    YR_BUG_COMPACT_NO_PINS,        /* compaction keeps nothing for fork points and tags */
    YR_BUG_COMPACT_EXPIRY_NOW,     /* what has expired for the newest reader counts as expired for all */
    YR_BUG_SEGMENT_NO_SYNC,        /* a segment takes its name without a sync of its bytes */
    YR_BUG_SEGMENT_NO_DIR_SYNC,    /* MANIFEST names a segment whose name is not synced */
    YR_BUG_EARLY_UNLINK,           /* inputs of a merge go before the MANIFEST without them is durable */
    YR_BUG_FLUSHED_LSN,            /* one log record too many is taken for flushed */
    YR_BUG_FLUSHED_UNPROVEN,       /* MANIFEST says flushed of records that the log may lose */
    YR_BUG_MANIFEST_NO_SYNC,       /* MANIFEST and its copy take their names without a sync of their bytes */
    YR_BUG_MANIFEST_NO_DIR_SYNC,   /* MANIFEST's new name is relied on before it is synced */
    YR_BUG_LOG_DROP_EARLY,         /* log files go before the MANIFEST without them is durable */
    YR_BUG_LOG_CLOSE_UNPROVEN,     /* MANIFEST says where a log file ends before that end is durable */
    YR_BUG_BACKUP_NO_SYNC,         /* a backup takes its name without a sync of its bytes */
    YR_BUG_MERGE_FIRST_PARENT,     /* the base of a merge is looked for along first parents only */
    YR_BUG_MERGE_OLD_BASE,         /* a commit that both sides reach by a link is not seen to be common */
    YR_BUG_MERGE_UNWATCHED,        /* a merge does not see what was committed since its plan */
    YR_BUG_COUNT
};

#ifdef YORE_PLANTED_BUGS
extern enum yr_bug yr_planted_bug;
#define YR_BUG(name) (yr_planted_bug == YR_BUG_##name)
#else
#define YR_BUG(name) 0
#endif

#endif
