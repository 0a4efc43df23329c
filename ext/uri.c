/*
 * uri.c: parsing of PATH_OR_URI, and the default location.
 *
 * How: the URI is copied once, and decoded inside the copy, piece by piece: decoding never makes a
 * piece longer. SQLite keeps an ill-formed escape as it stands and ignores a parameter that it does
 * not know; here both are refused, because a mistyped tunable of a ledger should not go unnoticed.
 */
#include "uri.h"

#include "error.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- Pieces ---------------------------------------------------------------------------------- */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes in place; false for an escape that is none, or that stands for a NUL. */
static bool decode(char *text) {
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = hex_digit(from[1]);
        int low = high < 0 ? -1 : hex_digit(from[2]);
        if (low < 0 || high + low == 0) {
            return false;
        }
        *to++ = (char)(high << 4 | low);
        from += 2;
    }
    *to = '\0';
    return true;
}

/* Digits and nothing else; false outside 64 bits, too. */
static bool parse_number(const char *text, uint64_t *out_value) {
    uint64_t value = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(*text - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out_value = value;
    return true;
}

/* ---- Parameters ------------------------------------------------------------------------------ */

typedef enum parameter {
    MODE,
    SEGMENT_MAX,
    SNAPSHOT_EVERY,
    IDEM_HOT_CAP,
    QUEUE_DEPTH,
    GROUP_MAX,
    PARAMETER_COUNT
} parameter;

/* The core knows its own bounds; these keep a value inside the type that carries it. */
static const struct {
    const char *name;
    uint64_t min;
    uint64_t max;
} parameters[PARAMETER_COUNT] = {
    [MODE] = {"mode", 0, 0},
    [SEGMENT_MAX] = {"segment_max", 1 << 16, 1 << 30},
    [SNAPSHOT_EVERY] = {"snapshot_every", 0, INT64_MAX},
    [IDEM_HOT_CAP] = {"idem_hot_cap", 1, 1ULL << 40},
    [QUEUE_DEPTH] = {"queue_depth", 1, 1 << 20},
    [GROUP_MAX] = {"group_max", 1, 1 << 20},
};

static const char *const mode_names[] = {
    [TALEA_MODE_RWC] = "rwc",
    [TALEA_MODE_RW] = "rw",
    [TALEA_MODE_RO] = "ro",
    [TALEA_MODE_MEMORY] = "memory",
};

static bool set_mode(talea_options *options, const char *value) {
    for (unsigned mode = 0; mode < sizeof mode_names / sizeof mode_names[0]; mode++) {
        if (strcmp(value, mode_names[mode]) == 0) {
            options->mode = (talea_mode)mode;
            return true;
        }
    }
    return false;
}

static void set_number(talea_options *options, parameter which, uint64_t value) {
    switch (which) {
    case SEGMENT_MAX: options->segment_bytes_max = value; break;
    case SNAPSHOT_EVERY: options->snapshot_every = (int64_t)value; break;
    case IDEM_HOT_CAP: options->idem_hot_cap = value; break;
    case QUEUE_DEPTH: options->queue_depth = (uint32_t)value; break;
    case GROUP_MAX: options->group_max = (uint32_t)value; break;
    case MODE:
    case PARAMETER_COUNT: assert(!"a number"); break;
    }
}

/* `seen`: one bit a parameter. */
static talea_code set_parameter(talea_options *options, unsigned *seen, const char *name,
                                const char *value, talea_error *err) {
    unsigned which = 0;
    while (which < PARAMETER_COUNT && strcmp(parameters[which].name, name) != 0) {
        which++;
    }
    if (which == PARAMETER_COUNT) {
        return tlx_error_set(err, TALEA_BAD_OPTION, "unknown parameter '%s'", name);
    }
    if (*seen & 1U << which) {
        return tlx_error_set(err, TALEA_BAD_OPTION, "%s is given twice", name);
    }
    *seen |= 1U << which;
    if (which == MODE) {
        return set_mode(options, value)
                   ? TALEA_OK
                   : tlx_error_set(err, TALEA_BAD_OPTION, "mode=%s: must be rwc, rw, ro or memory",
                                   value);
    }
    uint64_t number = 0;
    if (!parse_number(value, &number) || number < parameters[which].min ||
        number > parameters[which].max) {
        return tlx_error_set(err, TALEA_BAD_OPTION, "%s=%s: must be an integer from %llu to %llu",
                             name, value, (unsigned long long)parameters[which].min,
                             (unsigned long long)parameters[which].max);
    }
    set_number(options, (parameter)which, number);
    return TALEA_OK;
}

/* "a=1&b=2", decoded piece by piece. */
static talea_code parse_query(char *query, talea_options *options, talea_error *err) {
    unsigned seen = 0;
    while (query) {
        char *piece = query;
        query = strchr(piece, '&');
        if (query) {
            *query++ = '\0';
        }
        char *value = strchr(piece, '=');
        if (!value) {
            return tlx_error_set(err, TALEA_BAD_OPTION, "parameter '%s' has no value", piece);
        }
        *value++ = '\0';
        if (!decode(piece) || !decode(value)) {
            return tlx_error_set(err, TALEA_BAD_OPTION, "parameter '%s' has an ill-formed escape",
                                 piece);
        }
        talea_code code = set_parameter(options, &seen, piece, value, err);
        if (code != TALEA_OK) {
            return code;
        }
    }
    return TALEA_OK;
}

/* ---- The whole ------------------------------------------------------------------------------- */

/* Reads "file:..." in place; *out_path points into it. */
static talea_code parse_uri(char *uri, const char **out_path, talea_options *options,
                            talea_error *err) {
    char *path = uri + strlen("file:");
    path[strcspn(path, "#")] = '\0'; /* a fragment says nothing, to SQLite as well */
    char *query = strchr(path, '?');
    if (query) {
        *query++ = '\0';
    }
    if (strncmp(path, "//", 2) == 0) {
        char *authority = path + 2;
        path = authority + strcspn(authority, "/");
        size_t len = (size_t)(path - authority);
        if (len != 0 && (len != strlen("localhost") || strncmp(authority, "localhost", len) != 0)) {
            return tlx_error_set(err, TALEA_BAD_OPTION, "a ledger is on this host, not on '%.*s'",
                                 (int)len, authority);
        }
    }
    if (!decode(path)) {
        return tlx_error_set(err, TALEA_BAD_OPTION, "the path '%s' has an ill-formed escape", path);
    }
    *out_path = path;
    return query && *query ? parse_query(query, options, err) : TALEA_OK;
}

static char *copy(const char *text, size_t len) {
    char *copied = sqlite3_malloc64(len + 1);
    if (copied) {
        memcpy(copied, text, len);
        copied[len] = '\0';
    }
    return copied;
}

/* What nobody else would name a ledger in memory. */
static char *private_name(void) {
    uint64_t random[2];
    sqlite3_randomness((int)sizeof random, random);
    return sqlite3_mprintf(":memory:%016llx%016llx", (unsigned long long)random[0],
                           (unsigned long long)random[1]);
}

talea_code tlx_location_parse(talea_text path_or_uri, tlx_location *out_location,
                              talea_error *err) {
    talea_options options;
    talea_options_default(&options);
    char *text = copy(path_or_uri.data, path_or_uri.len);
    char *owned = NULL;
    const char *path = text;
    talea_code code = TALEA_OK;
    if (!text) {
        return tlx_error_nomem(err);
    }
    if (strncmp(text, "file:", strlen("file:")) == 0) {
        code = parse_uri(text, &path, &options, err);
        if (code != TALEA_OK) {
            goto done;
        }
    }
    if (*path == '\0') {
        code = tlx_error_set(err, TALEA_BAD_OPTION, "the path of the ledger is empty");
        goto done;
    }
    if (strcmp(path, ":memory:") == 0) {
        options.mode = TALEA_MODE_MEMORY;
        owned = private_name();
    } else {
        owned = copy(path, strlen(path));
    }
    if (!owned) {
        code = tlx_error_nomem(err);
        goto done;
    }
    out_location->path = owned;
    out_location->options = options;
done:
    sqlite3_free(text);
    return code;
}

/* ---- The default ----------------------------------------------------------------------------- */

talea_code tlx_location_default(sqlite3 *db, char **out_path, talea_error *err) {
    const char *given = getenv("TALEA_DIR");
    if (given && *given) {
        char *path = copy(given, strlen(given));
        if (!path) {
            return tlx_error_nomem(err);
        }
        *out_path = path;
        return TALEA_OK;
    }
    const char *database = sqlite3_db_filename(db, "main");
    if (!database || !*database) {
        *out_path = NULL;
        return TALEA_OK;
    }
    /* Every name of the database must lead to the one ledger. A file that is not there yet has one
     * name only, which SQLite has made absolute. */
    char *real = realpath(database, NULL);
    char *path = sqlite3_mprintf("%s-talea", real ? real : database);
    free(real);
    if (!path) {
        return tlx_error_nomem(err);
    }
    *out_path = path;
    return TALEA_OK;
}
