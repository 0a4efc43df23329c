/*
 * schema_image.h: a database that holds our tables and nothing else, as bytes.
 *
 * Purpose:    gives a schema its tables where CREATE VIRTUAL TABLE would not do (schema.c says where).
 * Owns:       nothing; the image belongs to the caller.
 * Threads:    pure.
 */
#ifndef TLX_SCHEMA_IMAGE_H
#define TLX_SCHEMA_IMAGE_H

#include "sqlite_api.h"

enum { TLX_IMAGE_BYTES = 4096 };

/* The numbers of the file format. */
typedef enum tlx_encoding { TLX_UTF8 = 1, TLX_UTF16LE = 2, TLX_UTF16BE = 3 } tlx_encoding;

/* From sqlite3_malloc; NULL: out of memory. */
unsigned char *tlx_schema_image(tlx_encoding encoding);

#endif
