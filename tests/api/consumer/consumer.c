/* A stranger's program: what an installed yore must be enough for. */
#include <stdio.h>
#include <stdlib.h>

#include <yore.h>

static void must(yore_status status, const yore_error *err)
{
    if (status == YORE_OK) return;
    fprintf(stderr, "%s: %s\n", yore_status_name(status), err->message);
    exit(1);
}

static void print(const yore_pin *pin, const char *after)
{
    fwrite(pin->value.data, 1, pin->value.size, stdout);
    fputs(after, stdout);
}

int main(void)
{
    yore_error err = YORE_ERROR_INIT;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.create = true;
    yore_db *db = NULL;
    must(yore_open(":memory:", &options, &db, &err), &err);

    yore_where first = YORE_WHERE_INIT;
    must(yore_db_put(db, yore_str("default"), yore_str_key("k"), yore_str("old value"), &first, &err), &err);
    must(yore_db_put(db, yore_str("default"), yore_str_key("k"), yore_str("new value"), NULL, &err), &err);

    yore_at at = YORE_AT_INIT;
    at.kind = YORE_AT_VERSION;
    at.version = first.version;
    yore_snap *past = NULL;
    must(yore_snap_open(db, &at, &past, NULL, &err), &err);
    yore_pin pin = YORE_PIN_INIT;
    must(yore_get(past, yore_str_key("k"), &pin, &err), &err);
    print(&pin, ", ");
    yore_unpin(&pin);
    yore_snap_close(past);

    must(yore_db_get(db, yore_str("default"), yore_str_key("k"), &pin, &err), &err);
    print(&pin, "\n");
    yore_unpin(&pin);
    yore_close(db);
    return 0;
}
