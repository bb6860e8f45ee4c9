/* Bytes as text: UTF-8 checks, escapes of piped lists, hex, base64. Pure, no locale. */
#include "cli/output.h"

#include <string.h>

/* Length of the well-formed UTF-8 sequence at `at`, 0 when there is none (Unicode 15, table 3-7). */
static size_t utf8_sequence(const unsigned char *at, size_t left)
{
    unsigned char first = at[0];
    size_t size;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;

    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) {
        size = 2;
    } else if (first >= 0xE0 && first <= 0xEF) {
        size = 3;
        if (first == 0xE0) low = 0xA0;
        if (first == 0xED) high = 0x9F;
    } else if (first >= 0xF0 && first <= 0xF4) {
        size = 4;
        if (first == 0xF0) low = 0x90;
        if (first == 0xF4) high = 0x8F;
    } else {
        return 0;
    }
    if (left < size || at[1] < low || at[1] > high) return 0;
    for (size_t i = 2; i < size; i++) {
        if (at[i] < 0x80 || at[i] > 0xBF) return 0;
    }
    return size;
}

bool cli_is_utf8(yore_slice text)
{
    const unsigned char *data = text.data;

    for (size_t i = 0; i < text.size;) {
        size_t size = utf8_sequence(data + i, text.size - i);
        if (size == 0) return false;
        i += size;
    }
    return true;
}

/* U+0080 to U+009F are control characters too: a terminal may act on them. */
static bool is_c1_control(const unsigned char *at, size_t size)
{
    return size == 2 && at[0] == 0xC2 && at[1] < 0xA0;
}

static const char hex_digits[] = "0123456789abcdef";

void cli_escape(cli_bytes *to, yore_slice bytes)
{
    const unsigned char *data = bytes.data;

    for (size_t i = 0; i < bytes.size;) {
        size_t size = utf8_sequence(data + i, bytes.size - i);
        unsigned char c = data[i];
        if (size == 1 && c >= 0x20 && c != 0x7F && c != '\\') {
            cli_bytes_append(to, data + i, 1);
        } else if (size > 1 && !is_c1_control(data + i, size)) {
            cli_bytes_append(to, data + i, size);
        } else if (c == '\t') {
            cli_bytes_append(to, "\\t", 2);
        } else if (c == '\n') {
            cli_bytes_append(to, "\\n", 2);
        } else if (c == '\r') {
            cli_bytes_append(to, "\\r", 2);
        } else if (c == '\\') {
            cli_bytes_append(to, "\\\\", 2);
        } else {
            char text[4] = {'\\', 'x', hex_digits[c >> 4], hex_digits[c & 15]};
            cli_bytes_append(to, text, sizeof text);
            size = 1;
        }
        i += size;
    }
}

char *cli_printable(const char *text)
{
    const unsigned char *data = (const unsigned char *)text;
    size_t size = strlen(text);
    bool clean = true;

    for (size_t i = 0; i < size && clean;) {
        size_t sequence = utf8_sequence(data + i, size - i);
        clean = sequence > 0 && data[i] >= 0x20 && data[i] != 0x7F && !is_c1_control(data + i, sequence);
        i += sequence;
    }
    if (clean) return cli_strdup(text);
    cli_bytes escaped = {0};
    cli_escape(&escaped, yore_bytes(text, size));
    return escaped.data;
}

void cli_shell_word(cli_bytes *to, const char *word)
{
    size_t plain = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:@%+=,-");

    if (word[0] != '\0' && word[plain] == '\0') {
        cli_bytes_append(to, word, plain);
        return;
    }
    cli_bytes_append(to, "'", 1);
    for (; *word != '\0'; word++) {
        cli_bytes_append(to, *word == '\'' ? "'\\''" : word, *word == '\'' ? 4 : 1);
    }
    cli_bytes_append(to, "'", 1);
}

void cli_put_escaped(FILE *to, yore_slice bytes)
{
    cli_bytes text = {0};

    cli_escape(&text, bytes);
    if (text.size > 0) (void)fwrite(text.data, 1, text.size, to);
    cli_bytes_deinit(&text);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool cli_unescape(cli_bytes *to, yore_slice text)
{
    const char *data = text.data;

    for (size_t i = 0; i < text.size; i++) {
        char c = data[i];
        if (c == '\\') {
            if (++i == text.size) return false;
            switch (data[i]) {
            case 't': c = '\t'; break;
            case 'n': c = '\n'; break;
            case 'r': c = '\r'; break;
            case '\\': c = '\\'; break;
            case 'x': {
                if (text.size - i < 3) return false;
                int high = hex_value(data[i + 1]);
                int low = hex_value(data[i + 2]);
                if (high < 0 || low < 0) return false;
                c = (char)(high * 16 + low);
                i += 2;
                break;
            }
            default: return false;
            }
        }
        cli_bytes_append(to, &c, 1);
    }
    return true;
}

void cli_put_hex(FILE *to, yore_slice bytes)
{
    const unsigned char *data = bytes.data;

    for (size_t i = 0; i < bytes.size; i++) {
        (void)putc(hex_digits[data[i] >> 4], to);
        (void)putc(hex_digits[data[i] & 15], to);
    }
}

bool cli_hex_decode(cli_bytes *to, yore_slice text)
{
    const char *data = text.data;

    if (text.size % 2 != 0) return false;
    for (size_t i = 0; i < text.size; i += 2) {
        int high = hex_value(data[i]);
        int low = hex_value(data[i + 1]);
        if (high < 0 || low < 0) return false;
        char c = (char)(high * 16 + low);
        cli_bytes_append(to, &c, 1);
    }
    return true;
}

static const char b64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void cli_put_b64(FILE *to, yore_slice bytes)
{
    const unsigned char *data = bytes.data;

    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t group = (uint32_t)data[i] << 16;
        if (left > 1) group |= (uint32_t)data[i + 1] << 8;
        if (left > 2) group |= data[i + 2];
        (void)putc(b64_digits[group >> 18], to);
        (void)putc(b64_digits[(group >> 12) & 63], to);
        (void)putc(left > 1 ? b64_digits[(group >> 6) & 63] : '=', to);
        (void)putc(left > 2 ? b64_digits[group & 63] : '=', to);
    }
}

static int b64_value(char c)
{
    const char *at = c == '\0' ? NULL : strchr(b64_digits, c);
    return at == NULL ? -1 : (int)(at - b64_digits);
}

bool cli_b64_decode(cli_bytes *to, yore_slice text)
{
    const char *data = text.data;

    if (text.size % 4 != 0) return false;
    for (size_t i = 0; i < text.size; i += 4) {
        bool last = i + 4 == text.size;
        size_t size = 3;
        if (last && data[i + 3] == '=') size = data[i + 2] == '=' ? 1 : 2;
        int digits[4] = {0};
        for (size_t k = 0; k <= size; k++) {
            digits[k] = b64_value(data[i + k]);
            if (digits[k] < 0) return false;
        }
        uint32_t group = (uint32_t)digits[0] << 18 | (uint32_t)digits[1] << 12 | (uint32_t)digits[2] << 6 |
                         (uint32_t)digits[3];
        /* Bits past the last byte must be zero: one text for one value. */
        if ((size == 1 && (group & 0xFFFF) != 0) || (size == 2 && (group & 0xFF) != 0)) return false;
        char out[3] = {(char)(group >> 16), (char)(group >> 8 & 0xFF), (char)(group & 0xFF)};
        cli_bytes_append(to, out, size);
    }
    return true;
}
