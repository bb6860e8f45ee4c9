/* One line of a JSON change stream: an event as CLI.md 5 has it, or a row as `export` writes it. */
#ifndef YORE_CLI_IMPORT_EVENT_H
#define YORE_CLI_IMPORT_EVENT_H

#include "cli/import.h"
#include "cli/json_in.h"

typedef enum event_kind {
    EVENT_PUT,
    EVENT_DEL,
    EVENT_EMPTY,
    EVENT_FORK,
    EVENT_MERGE,
    EVENT_TAG,
    EVENT_CONFIG,
    EVENT_DROP
} event_kind;

/* Slices live until the next event_read with the same reader. */
typedef struct event {
    event_kind kind;
    yore_slice key;
    yore_slice value;
    yore_slice meta;
    uint32_t primitive;
    uint32_t type;
    int64_t expiry_ns; /* 0 = never */
    int64_t ttl_ns;    /* 0 = none */
    bool has_time;
    bool has_source_time;
    bool has_version; /* a row of an export: (branch, version) says which commit it belongs to */
    bool has_note;
    bool has_author;
    bool has_source;
    bool is_empty;  /* fork: without a parent */
    bool is_hidden; /* fork */
    int64_t time_ns;
    int64_t source_time_ns;
    uint64_t version;
    yore_slice branch; /* size 0 = none given; of a merge: the branch it goes into */
    yore_slice commit; /* source text, size 0 = none */
    yore_slice note;
    yore_slice author;
    yore_slice source;
    yore_slice parents; /* a JSON array, size 0 = none */
    yore_slice name;    /* of the fork, tag, setting or merged branch */
    yore_slice prefix;  /* of keys, which a setting is for; size 0 = the store */
    yore_slice from;    /* a SPEC, size 0 = none */
} event;

typedef struct event_reader {
    json_in json;
    cli_bytes decoded; /* base64 members */
} event_reader;

/* Read one line. False with *problem filled (line not set). */
bool event_read(event_reader *reader, yore_slice line, event *out, import_problem *problem);
void event_reader_deinit(event_reader *reader);

/* A time: RFC 3339 text, or a number of nanoseconds since 1970. */
bool event_time(const json_member *member, int64_t *out, yore_error *err);

#endif
