/*
 * crc32c.h: CRC-32C (Castagnoli, RFC 3720 B.4), by instruction where the machine has one.
 *
 * Purpose:    the checksum of every frame and header.
 * Owns:       nothing; the choice of implementation is made once, atomically.
 * Threads:    safe.
 */
#ifndef TL_BASE_CRC32C_H
#define TL_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Extends `crc` (0 to begin) over more bytes. tl_crc32c(0, "123456789", 9) == 0xE3069283. */
uint32_t tl_crc32c(uint32_t crc, const void *data, size_t len);
/* The table version alone, for tests. */
uint32_t tl_crc32c_portable(uint32_t crc, const void *data, size_t len);

#endif
