/* A stored value as the JSON record of CLI.md, section 4. */
#include "cli/locate.h"

yore_slice cli_note_of(cli *c, uint64_t version)
{
    static yore_commit_info info; /* large, and the note's owner until the next call */

    yore_commit_release(&info);
    info.struct_size = sizeof info;
    if (version == 0 || yore_commit_get(c->db, version, &info, NULL) != YORE_OK) return yore_str("");
    return info.note;
}

yore_slice cli_note_cell(const cli *c, yore_slice note)
{
    const char *end = note.size > 0 && c->tty_out ? memchr(note.data, '\n', note.size) : NULL;
    return end == NULL ? note : yore_bytes(note.data, (size_t)(end - (const char *)note.data));
}

static void put_address(cli_bytes *address, const char *branch, const yore_row *row)
{
    const char *primitive = cli_primitive_name(row->primitive);

    cli_bytes_append(address, branch, strlen(branch));
    cli_bytes_append(address, ":", 1);
    cli_bytes_append(address, primitive, strlen(primitive));
    cli_bytes_append(address, ":", 1);
    cli_bytes_append(address, row->key.data, row->key.size);
}

yore_slice cli_key_cell(const cli *c, const char *branch, const yore_row *row)
{
    static cli_bytes address;

    if (!c->address) return row->key;
    cli_bytes_clear(&address);
    put_address(&address, branch, row);
    return cli_bytes_slice(&address);
}

void cli_record_members(cli_json *j, const cli_record *record)
{
    const yore_row *row = record->row;
    cli_bytes address = {0};
    const char *primitive = cli_primitive_name(row->primitive);

    put_address(&address, record->branch, row);
    cli_json_u64(j, "schema", 1);
    cli_json_bytes(j, "address", cli_bytes_slice(&address));
    cli_json_text(j, "branch", record->branch);
    cli_json_text(j, "primitive", primitive);
    cli_json_bytes(j, "key", row->key);
    if (record->has_value && row->op == YORE_OP_PUT) cli_json_bytes(j, "value", row->value);
    cli_json_u64(j, "bytes", row->op == YORE_OP_PUT ? row->value.size : 0);
    cli_json_u64(j, "version", row->version);
    cli_json_time(j, "time", row->time_ns);
    cli_json_text(j, "op", row->op == YORE_OP_DEL ? "del" : "put");
    cli_json_bytes(j, "note", record->note);
    if (row->type != YORE_TYPE_BYTES) cli_json_text(j, "type", row->type == YORE_TYPE_JSON ? "json" : "text");
    if (row->expiry_ns != 0) cli_json_time(j, "expires", row->expiry_ns);
    if (row->meta.size > 0) cli_json_bytes(j, "meta", row->meta);
    cli_bytes_deinit(&address);
}

void cli_record_write(FILE *to, const cli_record *record)
{
    cli_json j = {.to = to};

    cli_json_begin(&j);
    cli_record_members(&j, record);
    cli_json_line(&j);
}
