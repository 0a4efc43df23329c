/*
 * schema_image.c: writes the one page of a database whose sqlite_schema names the ten tables.
 *
 * How: as https://sqlite.org/fileformat2.html says. A database of one page: the header, then a leaf
 * of the table b-tree whose cells grow from the page's end towards the array of their offsets.
 *
 *     0    100     108          128                  content            4096
 *     +-----+-------+------------+--------------------+------------------+
 *     | hdr | leaf  | offsets    | free               | cell 9 .. cell 0 |
 *     +-----+-------+------------+--------------------+------------------+
 *
 *     cell     payload length, rowid, record
 *     record   header length, four text types and an integer 0, then the texts
 *     row      'table', name, name, 0 (a virtual table has no root page), its CREATE statement
 */
#include "schema_image.h"

#include "tables.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { HEADER_BYTES = 100, LEAF_BYTES = 8, LEAF_OF_TABLE = 13, INTEGER_0 = 8 };
enum { CELL_BYTES_MAX = 512, SQL_BYTES_MAX = 128, TEXT_COUNT = 4 };

static void put16(unsigned char *to, unsigned value) {
    to[0] = (unsigned char)(value >> 8);
    to[1] = (unsigned char)value;
}

static void put32(unsigned char *to, unsigned value) {
    put16(to, value >> 16);
    put16(to + 2, value & 0xFFFF);
}

typedef struct cell {
    unsigned char bytes[CELL_BYTES_MAX];
    size_t len;
} cell;

/* A varint of up to 14 bits. */
static void add_varint(cell *c, size_t value) {
    assert(value < 1 << 14);
    assert(c->len + 2 <= CELL_BYTES_MAX);
    if (value >= 128) {
        c->bytes[c->len++] = (unsigned char)(value >> 7 | 128);
    }
    c->bytes[c->len++] = (unsigned char)(value & 127);
}

static size_t varint_len(size_t value) {
    return value >= 128 ? 2 : 1;
}

static size_t text_len(const char *text, tlx_encoding encoding) {
    return strlen(text) * (encoding == TLX_UTF8 ? 1 : 2);
}

/* ASCII, which is widened easily. */
static void add_text(cell *c, const char *text, tlx_encoding encoding) {
    assert(c->len + text_len(text, encoding) <= CELL_BYTES_MAX);
    for (; *text; text++) {
        if (encoding == TLX_UTF16BE) {
            c->bytes[c->len++] = 0;
        }
        c->bytes[c->len++] = (unsigned char)*text;
        if (encoding == TLX_UTF16LE) {
            c->bytes[c->len++] = 0;
        }
    }
}

/* The row of sqlite_schema that a CREATE VIRTUAL TABLE would have left. */
static void make_cell(cell *c, int id, tlx_encoding encoding) {
    char sql[SQL_BYTES_MAX];
    const char *name = tlx_table_names[id];
    sqlite3_snprintf(sizeof sql, sql, "CREATE VIRTUAL TABLE %s USING talea_%s", name, name);
    const char *texts[TEXT_COUNT] = {"table", name, name, sql};
    size_t header = 1 + 1; /* its own length, and the type of the root page */
    size_t body = 0;
    for (int i = 0; i < TEXT_COUNT; i++) {
        size_t len = text_len(texts[i], encoding);
        header += varint_len(13 + 2 * len);
        body += len;
    }
    c->len = 0;
    add_varint(c, header + body);
    add_varint(c, (size_t)id + 1);
    add_varint(c, header);
    for (int i = 0; i < TEXT_COUNT; i++) {
        if (i == TEXT_COUNT - 1) {
            add_varint(c, INTEGER_0);
        }
        add_varint(c, 13 + 2 * text_len(texts[i], encoding));
    }
    for (int i = 0; i < TEXT_COUNT; i++) {
        add_text(c, texts[i], encoding);
    }
}

static void put_header(unsigned char *page, tlx_encoding encoding) {
    memcpy(page, "SQLite format 3", 16);
    put16(page + 16, TLX_IMAGE_BYTES); /* page size */
    page[18] = 1;                      /* written and */
    page[19] = 1;                      /* read without WAL */
    page[21] = 64;                     /* fixed fractions of a page */
    page[22] = 32;
    page[23] = 32;
    put32(page + 24, 1); /* change counter */
    put32(page + 28, 1); /* pages */
    put32(page + 40, 1); /* schema cookie */
    put32(page + 44, 4); /* schema format */
    put32(page + 56, encoding);
    put32(page + 92, 1); /* the change counter that the next is valid for */
    put32(page + 96, SQLITE_VERSION_NUMBER);
}

unsigned char *tlx_schema_image(tlx_encoding encoding) {
    unsigned char *page = sqlite3_malloc(TLX_IMAGE_BYTES);
    if (!page) {
        return NULL;
    }
    memset(page, 0, TLX_IMAGE_BYTES);
    put_header(page, encoding);
    unsigned char *leaf = page + HEADER_BYTES;
    size_t content = TLX_IMAGE_BYTES;
    for (int id = 0; id < TLX_TABLE_COUNT; id++) {
        cell c;
        make_cell(&c, id, encoding);
        content -= c.len;
        assert(content >= HEADER_BYTES + LEAF_BYTES + 2 * TLX_TABLE_COUNT);
        memcpy(page + content, c.bytes, c.len);
        put16(leaf + LEAF_BYTES + 2 * (size_t)id, (unsigned)content);
    }
    leaf[0] = LEAF_OF_TABLE;
    put16(leaf + 3, TLX_TABLE_COUNT);
    put16(leaf + 5, (unsigned)content);
    return page;
}
