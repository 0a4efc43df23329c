/*
 * The table of books: a slot for every name, made from the directory at opening and whenever a new name is written to.
 */
#include "engine/engine.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

const talea_text tl_system_book = {"_system", 7};

static uint32_t map_index(const tl_engine *engine, talea_text name) {
    return (uint32_t)tl_hash64(name.data, name.len, 0) & (engine->slot_map_cap - 1);
}

static tl_slot *find_slot_locked(const tl_engine *engine, talea_text name) {
    if (engine->slot_map_cap == 0) {
        return NULL;
    }
    for (uint32_t i = map_index(engine, name); engine->slot_map[i] != 0;
         i = (i + 1) & (engine->slot_map_cap - 1)) {
        tl_slot *slot = engine->slots[engine->slot_map[i] - 1];
        if (tl_text_equal(slot->name, name)) {
            return slot;
        }
    }
    return NULL;
}

static void map_slot(tl_engine *engine, const tl_slot *slot) {
    uint32_t i = map_index(engine, slot->name);
    while (engine->slot_map[i] != 0) {
        i = (i + 1) & (engine->slot_map_cap - 1);
    }
    engine->slot_map[i] = slot->ordinal + 1;
}

/* Room for one more slot: the array, and the map at most half full. */
static bool grow_locked(tl_engine *engine) {
    if (engine->slot_count == engine->slot_cap) {
        uint32_t cap = engine->slot_cap ? engine->slot_cap * 2 : 16;
        tl_slot **slots = realloc(engine->slots, cap * sizeof *slots);
        if (!slots) {
            return false;
        }
        engine->slots = slots;
        engine->slot_cap = cap;
    }
    if ((engine->slot_count + 1) * 2 > engine->slot_map_cap) {
        uint32_t cap = engine->slot_map_cap ? engine->slot_map_cap * 2 : 32;
        uint32_t *map = calloc(cap, sizeof *map);
        if (!map) {
            return false;
        }
        free(engine->slot_map);
        engine->slot_map = map;
        engine->slot_map_cap = cap;
        for (uint32_t i = 0; i < engine->slot_count; i++) {
            map_slot(engine, engine->slots[i]);
        }
    }
    return true;
}

static tl_slot *add_slot_locked(tl_engine *engine, talea_text name, bool on_disk) {
    tl_slot *slot = grow_locked(engine) ? calloc(1, sizeof *slot) : NULL;
    char *copy = slot ? malloc(name.len + 1) : NULL;
    if (!copy) {
        free(slot);
        return NULL;
    }
    memcpy(copy, name.data, name.len);
    copy[name.len] = '\0';
    slot->engine = engine;
    slot->name = (talea_text){copy, name.len};
    slot->ordinal = engine->slot_count;
    slot->on_disk = on_disk;
    tl_book_dir_name(slot->name, slot->dir_name);
    tl_mutex_init(&slot->load_lock);
    engine->slots[engine->slot_count++] = slot;
    map_slot(engine, slot);
    return slot;
}

tl_slot *tl_engine_find_slot(tl_engine *engine, talea_text name) {
    tl_mutex_lock(&engine->lock);
    tl_slot *slot = find_slot_locked(engine, name);
    tl_mutex_unlock(&engine->lock);
    return slot;
}

talea_code tl_engine_refresh(tl_engine *engine, talea_error *err) {
    return engine->read_only ? tl_engine_scan(engine, err) : TALEA_OK;
}

talea_code tl_engine_slot(tl_engine *engine, talea_text name, tl_slot **out_slot,
                          talea_error *err) {
    tl_mutex_lock(&engine->lock);
    tl_slot *slot = find_slot_locked(engine, name);
    if (!slot) {
        slot = add_slot_locked(engine, name, false);
    }
    tl_mutex_unlock(&engine->lock);
    if (!slot) {
        return tl_error_nomem(err);
    }
    *out_slot = slot;
    return TALEA_OK;
}

/* ---- The directory ---- */

typedef struct scan {
    tl_engine *engine;
    talea_error *err;
    talea_code code;
} scan;

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The name that a directory encodes; false: none (foreign, or hashed). */
static bool decode_dir_name(const char *dir, char name[TL_NAME_BYTES_MAX], size_t *out_len) {
    size_t len = 0;
    for (const char *p = dir; *p; p++) {
        int c = (unsigned char)*p;
        if (len == TL_NAME_BYTES_MAX) {
            return false;
        }
        if (c == '%') {
            int high = hex_digit(p[1]);
            int low = high < 0 ? -1 : hex_digit(p[2]);
            if (low < 0) {
                return false;
            }
            c = high * 16 + low;
            p += 2;
        }
        name[len++] = (char)c;
    }
    *out_len = len;
    char encoded[TL_DIR_NAME_BYTES];
    talea_text text = {name, len};
    if (!tl_name_valid(text, TL_NAME_BYTES_MAX)) {
        return false;
    }
    tl_book_dir_name(text, encoded);
    return strcmp(encoded, dir) == 0;
}

/* A hashed directory name does not tell the book's name; its first segment's header does. */
static bool read_book_name(const tl_engine *engine, const char *dir, char name[TL_NAME_BYTES_MAX],
                           size_t *out_len) {
    char path[TL_PATH_BYTES_MAX];
    uint8_t bytes[TL_SEGMENT_HEADER_BYTES];
    tl_segment_header header;
    tl_file *file = NULL;
    size_t got = 0;
    bool ok = false;
    int n = snprintf(path, sizeof path, "%s/%s/segment-00000001.log", engine->books_dir, dir);
    if (n < 0 || (size_t)n >= sizeof path ||
        engine->io->ops->open(engine->io, path, TL_OPEN_READ, &file) != 0) {
        return false;
    }
    if (file->ops->pread(file, bytes, sizeof bytes, 0, &got) == 0 && got == sizeof bytes &&
        tl_segment_header_decode(bytes, &header)) {
        char encoded[TL_DIR_NAME_BYTES];
        memcpy(name, header.name, header.name_len);
        *out_len = header.name_len;
        tl_book_dir_name((talea_text){name, *out_len}, encoded);
        ok = strcmp(encoded, dir) == 0;
    }
    file->ops->close(file);
    return ok;
}

static int ignore_name(void *context, const char *name) {
    (void)context;
    (void)name;
    return 0;
}

/* A plain file under books/ is not ours. Whatever else cannot be listed is a book that will say so
 * when it is opened. */
static bool is_plain_file(const tl_engine *engine, const char *path) {
    return engine->io->ops->list(engine->io, path, ignore_name, NULL) == ENOTDIR;
}

static int scan_entry(void *context, const char *dir) {
    scan *s = context;
    char name[TL_NAME_BYTES_MAX];
    size_t len = 0;
    char path[TL_PATH_BYTES_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", s->engine->books_dir, dir);
    if (n < 0 || (size_t)n >= sizeof path) {
        return 0;
    }
    if (strncmp(dir, ".new-", 5) == 0) {
        if (!s->engine->read_only) { /* being created when the process died: never part of the
                                        ledger */
            (void)tl_log_remove_unfinished(s->engine->io, path);
        }
        return 0;
    }
    bool hashed = strchr(dir, '~') != NULL;
    if (!(hashed ? read_book_name(s->engine, dir, name, &len) : decode_dir_name(dir, name, &len)) ||
        is_plain_file(s->engine, path)) {
        return 0; /* not ours */
    }
    tl_slot *known = find_slot_locked(s->engine, (talea_text){name, len});
    if (known) {
        known->on_disk = true; /* made by another process since a reader asked for it */
    } else if (!add_slot_locked(s->engine, (talea_text){name, len}, true)) {
        s->code = tl_error_nomem(s->err);
        return 1;
    }
    return 0;
}

talea_code tl_engine_scan(tl_engine *engine, talea_error *err) {
    scan s = {engine, err, TALEA_OK};
    tl_mutex_lock(&engine->lock);
    int rc = engine->io->ops->list(engine->io, engine->books_dir, scan_entry, &s);
    tl_mutex_unlock(&engine->lock);
    if (s.code != TALEA_OK) {
        return s.code;
    }
    return rc == 0 || rc == ENOENT ? TALEA_OK
                                   : tl_error_os(err, rc, "listing %s", engine->books_dir);
}

/* ---- Opening a slot's book ---- */

static void set_book(tl_slot *slot, tl_book *book) {
    tl_mutex_lock(&slot->engine->lock);
    slot->book = book;
    slot->on_disk = true;
    tl_mutex_unlock(&slot->engine->lock);
}

static talea_code create_on_disk(tl_slot *slot, const char *dir, talea_error *err) {
    tl_log_config config = {
        .io = slot->engine->io,
        .dir = dir,
        .name = slot->name,
        .segment_bytes_max = (uint32_t)slot->engine->options.segment_bytes_max,
    };
    return tl_log_create(&config, slot->engine->books_dir, err);
}

static bool book_dir(const tl_slot *slot, char out[TL_PATH_BYTES_MAX]) {
    int n = snprintf(out, TL_PATH_BYTES_MAX, "%s/%s", slot->engine->books_dir, slot->dir_name);
    return n > 0 && n < TL_PATH_BYTES_MAX;
}

static talea_code load_locked(tl_slot *slot, bool create, talea_error *err) {
    assert(tl_mutex_held(&slot->load_lock));
    char dir[TL_PATH_BYTES_MAX];
    if (!book_dir(slot, dir)) {
        return tl_error(err, TALEA_IO, "the path of book \"%s\" is too long", slot->name.data);
    }
    if (slot->refused.code != TALEA_OK) {
        *err = slot->refused;
        return err->code;
    }
    if (!slot->on_disk) {
        if (!create) {
            return TALEA_OK;
        }
        talea_code code = create_on_disk(slot, dir, err);
        if (code != TALEA_OK) {
            return code;
        }
        tl_mutex_lock(&slot->engine->lock);
        slot->on_disk = true;
        tl_mutex_unlock(&slot->engine->lock);
    }
    tl_book *book = NULL;
    talea_code code = tl_book_open(slot, dir, &book, err);
    if (code == TALEA_OK) {
        set_book(slot, book);
    } else if (code == TALEA_CORRUPT && !slot->engine->read_only) {
        slot->refused = *err; /* a reader tries again: the writer may mend it */
    }
    return code;
}

static tl_book *opened_book(tl_slot *slot) {
    tl_mutex_lock(&slot->engine->lock);
    tl_book *book = slot->book;
    if (book) {
        tl_book_ref(book);
    }
    tl_mutex_unlock(&slot->engine->lock);
    return book;
}

talea_code tl_slot_book(tl_slot *slot, bool create, tl_book **out_book, talea_error *err) {
    tl_book *book = opened_book(slot);
    talea_code code = TALEA_OK;
    if (!book) {
        tl_mutex_lock(&slot->load_lock);
        code = slot->book ? TALEA_OK : load_locked(slot, create, err);
        book = code == TALEA_OK ? opened_book(slot) : NULL;
        tl_mutex_unlock(&slot->load_lock);
    }
    if (code == TALEA_OK) {
        *out_book = book;
    }
    return code;
}

bool tl_slot_is_open(tl_slot *slot) {
    tl_mutex_lock(&slot->engine->lock);
    bool open = slot->book != NULL;
    tl_mutex_unlock(&slot->engine->lock);
    return open;
}

void tl_slot_drop_locked(tl_slot *slot, tl_book *book) {
    assert(tl_mutex_held(&slot->load_lock));
    if (slot->book == book) {
        set_book(slot, NULL);
        tl_book_unref(book);
    }
}

/* [load_lock] The dead incarnation serves its readers until a new one is open: when recovery fails,
 * for good. */
static void revive_slot(tl_slot *slot) {
    talea_error ignored; /* `books` goes on showing why the book failed */
    char dir[TL_PATH_BYTES_MAX];
    tl_book *dead = slot->book;
    tl_book *book = NULL;
    slot->refused.code = TALEA_OK;
    if (!dead || !tl_book_is_failed(dead, &ignored) || !book_dir(slot, dir)) {
        return;
    }
    tl_book_shut(dead);
    tl_log_quiesce(dead->log); /* nothing of it may reach the files any more */
    if (tl_book_open(slot, dir, &book, &ignored) == TALEA_OK) {
        set_book(slot, book);
        tl_book_unref(dead);
    }
}

void tl_engine_revive(tl_engine *engine) {
    tl_mutex_lock(&engine->lock);
    uint32_t count = engine->slot_count;
    tl_mutex_unlock(&engine->lock);
    for (uint32_t i = 0; i < count; i++) {
        tl_mutex_lock(&engine->lock);
        tl_slot *slot = engine->slots[i];
        tl_mutex_unlock(&engine->lock);
        if (tl_mutex_try(&slot->load_lock)) { /* else it is being opened right now */
            revive_slot(slot);
            tl_mutex_unlock(&slot->load_lock);
        }
    }
}
