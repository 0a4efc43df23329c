/*
 * create.c: a new book's log.
 *
 * How: the whole directory is made under a temporary name, ".new-" and the final one: segment 1 with header, link and the
 * first stretch of zeros, synced; then the directory is synced, renamed, and its parent synced
 * (INV-D8). So a book is there complete or not at all, and the link of segment 1 needs no proof.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "log/internal.h"

enum { FOUND_ONE = -1 }; /* no errno */

static int take_name(void *context, const char *name) {
    char *out = context;
    (void)snprintf(out, TL_PATH_BYTES_MAX, "%s", name);
    return FOUND_ONE;
}

/* It is listed anew for each name, so that nothing is removed under a listing. A symbolic link is
 * not followed, and nothing that we did not make is removed: the directory may come from anywhere.
 */
int tl_log_remove_unfinished(tl_io *io, const char *dir) {
    char name[TL_PATH_BYTES_MAX];
    char path[TL_PATH_BYTES_MAX];
    int rc = FOUND_ONE;
    while (rc == FOUND_ONE) {
        rc = io->ops->list(io, dir, take_name, name);
        if (rc == FOUND_ONE) {
            int removed = tl_segment_number(name) != 0 ? tl_path_join(dir, name, path) : ENOTEMPTY;
            removed = removed == 0 ? io->ops->unlink(io, path) : removed;
            rc = removed == 0 ? FOUND_ONE : removed;
        }
    }
    if (rc == 0) {
        rc = io->ops->rmdir(io, dir);
    }
    return rc == ENOENT ? 0 : rc;
}

static int temp_path(const char *books_dir, const char *final_dir, char out[TL_PATH_BYTES_MAX]) {
    const char *slash = strrchr(final_dir, '/');
    int n =
        snprintf(out, TL_PATH_BYTES_MAX, "%s/.new-%s", books_dir, slash ? slash + 1 : final_dir);
    return n >= 0 && n < TL_PATH_BYTES_MAX ? 0 : ENAMETOOLONG;
}

enum { HEAD_BYTES = TL_SEGMENT_HEADER_BYTES + TL_LINK_GROUP_BYTES };

/* Header and link of segment 1. */
static int encode_head(const tl_log_config *config, uint32_t space, uint8_t out[HEAD_BYTES]) {
    tl_segment_header header = {.segment = 1,
                                .created_at = config->io->ops->now_us(config->io),
                                .space = space,
                                .name_len = (uint8_t)config->name.len};
    uint8_t uid[16];
    int rc = tl_random_salt(config->io, &header.salt);
    if (rc == 0) {
        rc = config->io->ops->random(config->io, uid, sizeof uid);
    }
    if (rc != 0) {
        return rc;
    }
    header.uid = (tl_uid){tl_get_u64(uid), tl_get_u64(uid + 8)};
    memcpy(header.name, config->name.data, config->name.len);
    tl_segment_header_encode(&header, out);
    tl_group_header link = {.durable_upto = TL_FIRST_GROUP, .space_end = space, .first_seq = 1};
    tl_link_encode(&link, 1, header.salt, TL_FIRST_GROUP, header.uid, (tl_hash128){0, 0}, 0,
                   out + TL_FIRST_GROUP);
    return 0;
}

static int make_segment(const tl_log_config *config, const char *dir) {
    uint8_t head[HEAD_BYTES];
    char path[TL_PATH_BYTES_MAX];
    tl_file *file = NULL;
    uint32_t cap = tl_segment_cap(config->segment_bytes_max);
    uint32_t space = tl_stretch_bytes(0) < cap ? tl_stretch_bytes(0) : cap;
    int rc = encode_head(config, space, head);
    if (rc == 0) {
        rc = tl_segment_path(dir, 1, path);
    }
    if (rc == 0) {
        rc = tl_segment_make(config->io, path, head, sizeof head, space, &file);
    }
    if (rc == 0) {
        file->ops->close(file);
    }
    return rc;
}

talea_code tl_log_create(const tl_log_config *config, const char *books_dir, talea_error *err) {
    assert(config->name.len >= 1 && config->name.len <= TL_NAME_BYTES_MAX);
    assert(!config->read_only);
    tl_io *io = config->io;
    char temp[TL_PATH_BYTES_MAX];
    int rc = temp_path(books_dir, config->dir, temp);
    if (rc == 0) {
        rc = tl_log_remove_unfinished(io, temp);
    }
    if (rc == 0) {
        rc = io->ops->mkdir(io, temp);
    }
    if (rc == 0) {
        rc = make_segment(config, temp);
    }
    if (rc == 0) {
        rc = io->ops->sync_dir(io, temp);
    }
    if (rc == 0) {
        rc = io->ops->rename(io, temp, config->dir);
    }
    if (rc == 0) {
        rc = io->ops->sync_dir(io, books_dir);
        if (rc != 0) { /* the name may or may not be there after a crash: it must not stand for a
                          book now */
            (void)io->ops->rename(io, config->dir, temp);
        }
    }
    if (rc == 0) {
        return TALEA_OK;
    }
    (void)tl_log_remove_unfinished(io, temp); /* else the next attempt does */
    return tl_segment_error(err, rc, config->name, 1, "cannot create it");
}
