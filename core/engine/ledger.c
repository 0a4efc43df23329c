/*
 * Opening and closing ledgers; the process's one registry of open engines, the only global state.
 */
#include "engine/engine.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static struct {
    pthread_once_t once;
    tl_mutex lock;
    tl_engine *first;                  /* [lock] */
    _Atomic(uint32_t) fork_generation; /* counts forks that led to this process */
} registry = {.once = PTHREAD_ONCE_INIT};

/* A fork while another thread holds the registry would leave it locked for ever in the child. */
static void before_fork(void) {
    tl_mutex_lock(&registry.lock);
}

static void after_fork_parent(void) {
    tl_mutex_unlock(&registry.lock);
}

static void after_fork_child(void) {
    atomic_fetch_add(&registry.fork_generation, 1);
    tl_mutex_unlock(&registry.lock);
}

static void registry_start(void) {
    tl_mutex_init(&registry.lock);
    (void)pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

static bool is_inherited(const tl_engine *engine) {
    return engine->fork_generation !=
           atomic_load_explicit(&registry.fork_generation, memory_order_relaxed);
}

talea_code tl_engine_check(const tl_engine *engine, talea_error *err) {
    if (is_inherited(engine)) {
        return tl_error(err, TALEA_LOCKED,
                        "%s was opened before fork() and belongs to the parent process; the child "
                        "must not use it",
                        engine->path);
    }
    return TALEA_OK;
}

/* ---- Options ---- */

void talea_options_default(talea_options *out_options) {
    *out_options = (talea_options){.snapshot_every = -1};
}

static talea_code out_of_range(talea_error *err, const char *name, uint64_t min, uint64_t max) {
    return tl_error(err, TALEA_BAD_OPTION, "%s must lie in %llu .. %llu", name,
                    (unsigned long long)min, (unsigned long long)max);
}

static talea_code settle_options(const talea_options *given, talea_options *out, talea_error *err) {
    *out = *given;
    if (out->segment_bytes_max == 0) {
        out->segment_bytes_max = TL_SEGMENT_BYTES_DEFAULT;
    }
    if (out->snapshot_every == -1) {
        out->snapshot_every = 100000;
    }
    if (out->idem_hot_cap == 0) {
        out->idem_hot_cap = 1000000;
    }
    if (out->queue_depth == 0) {
        out->queue_depth = TL_QUEUE_DEPTH_DEFAULT;
    }
    if (out->group_max == 0) {
        out->group_max = TL_GROUP_MAX_DEFAULT;
    }
    if (out->segment_bytes_max < TL_SEGMENT_BYTES_MIN ||
        out->segment_bytes_max > TL_SEGMENT_BYTES_MAX) {
        return out_of_range(err, "segment_max", TL_SEGMENT_BYTES_MIN, TL_SEGMENT_BYTES_MAX);
    }
    if (out->snapshot_every < 0) {
        return out_of_range(err, "snapshot_every", 0, INT64_MAX);
    }
    if (out->queue_depth > TL_QUEUE_DEPTH_MAX) {
        return out_of_range(err, "queue_depth", 1, TL_QUEUE_DEPTH_MAX);
    }
    if (out->group_max > TL_QUEUE_DEPTH_MAX) {
        return out_of_range(err, "group_max", 1, TL_QUEUE_DEPTH_MAX);
    }
    return TALEA_OK;
}

/* ---- One engine ---- */

static char *join_path(const char *dir, const char *name) {
    size_t bytes = strlen(dir) + strlen(name) + 2;
    char *path = malloc(bytes);
    if (path) {
        (void)snprintf(path, bytes, "%s/%s", dir, name);
    }
    return path;
}

static talea_code make_dir(tl_engine *engine, const char *path, talea_error *err) {
    int rc = engine->io->ops->mkdir(engine->io, path);
    return rc == 0 || rc == EEXIST ? TALEA_OK : tl_error_os(err, rc, "creating %s", path);
}

static talea_code take_lock(tl_engine *engine, talea_error *err) {
    int64_t pid = 0;
    char *path = join_path(engine->path, "LOCK");
    if (!path) {
        return tl_error_nomem(err);
    }
    int rc = engine->io->ops->lock(engine->io, path, &engine->lock_file, &pid);
    free(path);
    if (rc == EWOULDBLOCK) {
        return tl_error(err, TALEA_LOCKED, "%s is being written by process %lld", engine->path,
                        (long long)pid);
    }
    return rc == 0 ? TALEA_OK : tl_error_os(err, rc, "locking %s", engine->path);
}

/* The directory is there; now what belongs in it: LOCK, books/. Names are made durable before
 * anything is in them. */
static talea_code furnish(tl_engine *engine, talea_error *err) {
    talea_code code = take_lock(engine, err);
    if (code == TALEA_OK) {
        code = make_dir(engine, engine->books_dir, err);
    }
    if (code == TALEA_OK) {
        int rc = engine->io->ops->sync_dir(engine->io, engine->path);
        code = rc == 0 ? TALEA_OK : tl_error_os(err, rc, "syncing %s", engine->path);
    }
    return code;
}

static void engine_free(tl_engine *engine) {
    for (uint32_t i = 0; i < engine->slot_count; i++) {
        tl_slot *slot = engine->slots[i];
        tl_mutex_destroy(&slot->load_lock);
        free((char *)slot->name.data);
        free(slot);
    }
    if (engine->lock_file) {
        engine->lock_file->ops->close(engine->lock_file);
    }
    if (engine->owns_io) {
        tl_io_memory_free(engine->io);
    }
    tl_cond_destroy(&engine->keeper_wake);
    tl_mutex_destroy(&engine->lock);
    free(engine->slots);
    free(engine->slot_map);
    free(engine->books_dir);
    free(engine->path);
    free(engine);
}

talea_code tl_engine_open(tl_io *io, const char *dir, const talea_options *options,
                          tl_engine **out_engine, talea_error *err) {
    (void)pthread_once(&registry.once, registry_start);
    talea_options settled;
    talea_code code = settle_options(options, &settled, err);
    if (code != TALEA_OK) {
        return code;
    }
    tl_engine *engine = calloc(1, sizeof *engine);
    if (!engine) {
        return tl_error_nomem(err);
    }
    tl_mutex_init(&engine->lock);
    tl_cond_init(&engine->keeper_wake);
    engine->fork_generation = atomic_load(&registry.fork_generation);
    engine->io = io;
    engine->options = settled;
    engine->read_only = settled.mode == TALEA_MODE_RO;
    engine->path = strdup(dir);
    engine->books_dir = join_path(dir, "books");
    code = engine->path && engine->books_dir ? TALEA_OK : tl_error_nomem(err);
    if (code == TALEA_OK) {
        int rc = io->ops->random(io, &engine->key_seed, sizeof engine->key_seed);
        code = rc == 0 ? TALEA_OK : tl_error_os(err, rc, "asking the system for random bytes");
    }
    if (code == TALEA_OK && !engine->read_only) {
        code = furnish(engine, err);
    }
    if (code == TALEA_OK) {
        code = tl_engine_scan(engine, err);
    }
    if (code != TALEA_OK) {
        engine_free(engine);
        return code;
    }
    *out_engine = engine;
    return TALEA_OK;
}

void tl_engine_close(tl_engine *engine) {
    tl_keeper_stop(engine);
    for (uint32_t i = 0; i < engine->slot_count; i++) {
        tl_book *book = engine->slots[i]->book;
        if (book) {
            tl_book_shut(book);
            assert(atomic_load(&book->refs) == 1); /* views and units are gone: the contract of
                                                      talea_ledger_close */
            tl_book_unref(book);
        }
    }
    engine_free(engine);
}

/* ---- Handles ---- */

static talea_code handle_new_locked(tl_engine *engine, bool read_only, talea_ledger **out_ledger,
                                    talea_error *err) {
    talea_ledger *ledger = malloc(sizeof *ledger);
    if (!ledger) {
        return tl_error_nomem(err);
    }
    engine->handles++;
    *ledger = (talea_ledger){.engine = engine, .read_only = read_only};
    *out_ledger = ledger;
    return TALEA_OK;
}

static void register_locked(tl_engine *engine) {
    engine->next = registry.first;
    registry.first = engine;
}

static void unregister_locked(tl_engine *engine) {
    tl_engine **link = &registry.first;
    while (*link != engine) {
        link = &(*link)->next;
    }
    *link = engine->next;
}

static tl_engine *find_memory_locked(const char *path) {
    tl_engine *engine = registry.first;
    while (engine &&
           (is_inherited(engine) || !engine->in_memory || strcmp(engine->path, path) != 0)) {
        engine = engine->next;
    }
    return engine;
}

/* A file system with every directory on the way to `path`, so that any name will do. */
static tl_io *new_memory(char *path) {
    tl_io *io = tl_io_memory_new();
    if (!io) {
        return NULL;
    }
    for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        (void)io->ops->mkdir(io, path);
        *p = '/';
    }
    (void)io->ops->mkdir(io, path);
    return io;
}

static talea_code create_memory_locked(char *path, const talea_options *options,
                                       tl_engine **out_engine, talea_error *err) {
    tl_engine *engine = NULL;
    tl_io *io = new_memory(path);
    if (!io) {
        return tl_error_nomem(err);
    }
    talea_code code = tl_engine_open(io, path, options, &engine, err);
    if (code != TALEA_OK) {
        tl_io_memory_free(io);
        return code;
    }
    assert(engine);
    engine->owns_io = true;
    engine->in_memory = true;
    register_locked(engine);
    *out_engine = engine;
    return TALEA_OK;
}

static talea_code open_memory_locked(const char *name, const talea_options *options,
                                     tl_engine **out_engine, talea_error *err) {
    char *path = join_path("", name);
    if (!path) {
        return tl_error_nomem(err);
    }
    tl_engine *engine = find_memory_locked(path);
    talea_code code = TALEA_OK;
    if (engine) {
        *out_engine = engine;
    } else {
        code = create_memory_locked(path, options, out_engine, err);
    }
    free(path);
    return code;
}

/* The engine that already has this directory open and serves the mode asked for. */
static tl_engine *find_directory_locked(const tl_identity *identity, bool read_only) {
    for (tl_engine *engine = registry.first; engine; engine = engine->next) {
        if (!is_inherited(engine) && !engine->in_memory &&
            engine->identity.device == identity->device &&
            engine->identity.inode == identity->inode && (read_only || !engine->read_only)) {
            return engine;
        }
    }
    return NULL;
}

static talea_code sync_parent(tl_io *io, const char *path, talea_error *err) {
    char *parent = strdup(path);
    if (!parent) {
        return tl_error_nomem(err);
    }
    char *slash = strrchr(parent, '/');
    if (slash) {
        slash[slash == parent ? 1 : 0] = '\0';
    }
    int rc = io->ops->sync_dir(io, slash ? parent : ".");
    free(parent);
    return rc == 0 ? TALEA_OK : tl_error_os(err, rc, "syncing the directory that holds %s", path);
}

/* Finds, or makes, the directory. */
static talea_code identify(tl_io *io, const char *dir, talea_mode mode, tl_identity *out_identity,
                           talea_error *err) {
    int rc = io->ops->identity(io, dir, out_identity);
    if (rc == ENOENT && mode == TALEA_MODE_RWC) {
        rc = io->ops->mkdir(io, dir);
        if (rc == ENOENT || rc == ENOTDIR || rc == EACCES || rc == EPERM || rc == EROFS) {
            return tl_error(err, TALEA_NO_LEDGER, "%s cannot be created: %s", dir, strerror(rc));
        }
        if (rc != 0 && rc != EEXIST) {
            return tl_error_os(err, rc, "creating %s", dir);
        }
        rc = io->ops->identity(io, dir, out_identity);
    }
    if (rc == ENOENT || rc == ENOTDIR) {
        return tl_error(err, TALEA_NO_LEDGER, "%s %s", dir,
                        rc == ENOENT ? "does not exist" : "is not a directory");
    }
    return rc == 0 ? TALEA_OK : tl_error_os(err, rc, "opening %s", dir);
}

static talea_code open_directory_locked(const char *dir, const talea_options *options,
                                        tl_engine **out_engine, talea_error *err) {
    tl_io *io = tl_io_posix();
    tl_identity identity;
    talea_code code = identify(io, dir, options->mode, &identity, err);
    if (code != TALEA_OK) {
        return code;
    }
    *out_engine = find_directory_locked(&identity, options->mode == TALEA_MODE_RO);
    if (*out_engine) {
        return TALEA_OK;
    }
    char *path = realpath(dir, NULL);
    if (!path) {
        return tl_error_os(err, errno, "opening %s", dir);
    }
    tl_engine *engine = NULL;
    code = tl_engine_open(io, path, options, &engine, err);
    if (code == TALEA_OK && options->mode != TALEA_MODE_RO) {
        code = sync_parent(io, path, err);
        if (code != TALEA_OK) {
            tl_engine_close(engine);
        }
    }
    free(path);
    if (code != TALEA_OK) {
        return code;
    }
    assert(engine);
    engine->identity = identity;
    register_locked(engine);
    *out_engine = engine;
    return TALEA_OK;
}

talea_code talea_ledger_open(const char *dir, const talea_options *options,
                             talea_ledger **out_ledger, talea_error *err) {
    (void)pthread_once(&registry.once, registry_start);
    tl_engine *engine = NULL;
    tl_mutex_lock(&registry.lock);
    talea_code code = options->mode == TALEA_MODE_MEMORY
                          ? open_memory_locked(dir, options, &engine, err)
                          : open_directory_locked(dir, options, &engine, err);
    if (code == TALEA_OK) {
        assert(engine);
        code = handle_new_locked(engine, options->mode == TALEA_MODE_RO, out_ledger, err);
        if (engine->handles == 0) {
            unregister_locked(engine);
            tl_engine_close(engine);
        }
    }
    tl_mutex_unlock(&registry.lock);
    if (code == TALEA_OK) {
        tl_engine_revive(engine);
    }
    return code;
}

void talea_ledger_close(talea_ledger *ledger) {
    if (!ledger) {
        return;
    }
    tl_engine *engine = ledger->engine;
    free(ledger);
    if (is_inherited(engine)) {
        return; /* the parent's threads and locks do not exist here: its memory is left alone */
    }
    tl_mutex_lock(&registry.lock);
    bool last = --engine->handles == 0;
    if (last) {
        unregister_locked(engine);
        tl_engine_close(engine); /* under the registry's lock: whoever opens the directory next
                                    finds it free */
    }
    tl_mutex_unlock(&registry.lock);
}

const char *talea_ledger_path(const talea_ledger *ledger) {
    return ledger->engine->path;
}

bool talea_ledger_read_only(const talea_ledger *ledger) {
    return ledger->read_only;
}
