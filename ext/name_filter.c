/*
 * name_filter.c: comparing names as SQLite would, or more widely.
 */
#include "name_filter.h"

#include <stdlib.h>
#include <string.h>

void tlx_name_filter_init(tlx_name_filter *filter) {
    filter->match = TLX_MATCH_ANY;
    filter->list = NULL;
    filter->count = 0;
}

void tlx_name_filter_clear(tlx_name_filter *filter) {
    free(filter->list);
    tlx_name_filter_init(filter);
}

int tlx_text_compare(talea_text a, talea_text b) {
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_texts(const void *a, const void *b) {
    return tlx_text_compare(*(const talea_text *)a, *(const talea_text *)b);
}

talea_text tlx_text_of(sqlite3_value *value) {
    const char *data = (const char *)sqlite3_value_text(value);
    return (talea_text){.data = data, .len = (size_t)sqlite3_value_bytes(value)};
}

/* ---- One value ------------------------------------------------------------------------------- */

/* What a number may be equal to: its own spelling, or any name that may read as the same number.
 * Names with a point or an exponent pass unread: strtod would read them by the host's locale. */
static bool number_may_equal(const tlx_name_filter *filter, talea_text name) {
    if (tlx_text_compare(name, filter->text) == 0) {
        return true;
    }
    char digits[20];
    size_t len = 0;
    bool any = false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (c == '.' || ((c == 'e' || c == 'E') && any)) {
            return true;
        }
        if (c == ' ' || (c == '0' && len == 0)) {
            any = any || c == '0';
            continue;
        }
        if ((c < '0' || c > '9') && c != '+' && c != '-') {
            return false;
        }
        if (len == sizeof digits - 1) {
            return true;
        }
        any = true;
        digits[len++] = c;
    }
    digits[len] = '\0';
    long long number = strtoll(digits, NULL, 10);
    return any && (filter->is_integer ? number == filter->integer : (double)number == filter->real);
}

bool tlx_name_matches(const tlx_name_filter *filter, talea_text name) {
    switch (filter->match) {
    case TLX_MATCH_ONE: return tlx_text_compare(name, filter->text) == 0;
    case TLX_MATCH_NUMBER: return number_may_equal(filter, name);
    case TLX_MATCH_LIST:
        return filter->count > 0 && bsearch(&name, filter->list, filter->count,
                                            sizeof *filter->list, compare_texts) != NULL;
    default: return true;
    }
}

bool tlx_name_filter_value(tlx_name_filter *filter, sqlite3_value *value, bool *out_none) {
    int type = sqlite3_value_type(value);
    *out_none = type == SQLITE_NULL || type == SQLITE_BLOB;
    if (*out_none) {
        return true;
    }
    if (type != SQLITE_TEXT) {
        filter->is_integer = type == SQLITE_INTEGER;
        filter->integer = sqlite3_value_int64(value);
        filter->real = sqlite3_value_double(value);
    }
    talea_text text = tlx_text_of(value);
    if (text.data == NULL) {
        return false;
    }
    if (text.len > sizeof filter->bytes) {
        *out_none = true;
        return true;
    }
    memcpy(filter->bytes, text.data, text.len);
    filter->text = (talea_text){.data = filter->bytes, .len = text.len};
    filter->match = type == SQLITE_TEXT ? TLX_MATCH_ONE : TLX_MATCH_NUMBER;
    return true;
}

/* ---- Lists ----------------------------------------------------------------------------------- */

bool tlx_in_each(sqlite3_value *list, tlx_in_value_fn *each, void *context) {
    sqlite3_value *value = NULL;
    int rc = sqlite3_vtab_in_first(list, &value);
    while (rc == SQLITE_OK && value != NULL) {
        if (!each(context, value)) {
            return false;
        }
        rc = sqlite3_vtab_in_next(list, &value);
    }
    return rc == SQLITE_OK || rc == SQLITE_DONE;
}

/* A list while it grows: the texts end to end, and their lengths. */
typedef struct name_list {
    char *bytes;
    size_t byte_count;
    size_t byte_capacity;
    size_t *lengths;
    size_t count;
    size_t capacity;
    bool has_number;
} name_list;

static bool add_text(name_list *list, talea_text text) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity * 2 + 16;
        size_t *lengths = realloc(list->lengths, capacity * sizeof *lengths);
        if (lengths == NULL) {
            return false;
        }
        list->lengths = lengths;
        list->capacity = capacity;
    }
    if (list->byte_capacity - list->byte_count < text.len || list->bytes == NULL) {
        size_t capacity = (list->byte_count + text.len) * 2 + 256;
        char *bytes = realloc(list->bytes, capacity);
        if (bytes == NULL) {
            return false;
        }
        list->bytes = bytes;
        list->byte_capacity = capacity;
    }
    memcpy(list->bytes + list->byte_count, text.data, text.len);
    list->byte_count += text.len;
    list->lengths[list->count++] = text.len;
    return true;
}

static bool add_name(void *context, sqlite3_value *value) {
    name_list *list = context;
    int type = sqlite3_value_type(value);
    list->has_number = list->has_number || type == SQLITE_INTEGER || type == SQLITE_FLOAT;
    if (type != SQLITE_TEXT) {
        return true; /* equal to no name */
    }
    talea_text text = tlx_text_of(value);
    return text.data != NULL && (text.len > TLX_FILTER_TEXT_BYTES_MAX || add_text(list, text));
}

/* One block: the array of texts, then their bytes. */
static bool finish(const name_list *list, tlx_name_filter *filter) {
    talea_text *texts = malloc(list->count * sizeof *texts + list->byte_count + 1);
    if (texts == NULL) {
        return false;
    }
    char *at = (char *)(texts + list->count);
    if (list->byte_count > 0) {
        memcpy(at, list->bytes, list->byte_count);
    }
    for (size_t i = 0; i < list->count; i++) {
        texts[i] = (talea_text){.data = at, .len = list->lengths[i]};
        at += texts[i].len;
    }
    qsort(texts, list->count, sizeof *texts, compare_texts);
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (kept == 0 || tlx_text_compare(texts[kept - 1], texts[i]) != 0) {
            texts[kept++] = texts[i];
        }
    }
    filter->list = texts;
    filter->count = kept;
    filter->match = TLX_MATCH_LIST;
    return true;
}

bool tlx_name_filter_list(tlx_name_filter *filter, sqlite3_value *list) {
    name_list names = {.bytes = NULL};
    bool ok = tlx_in_each(list, add_name, &names);
    if (ok && !names.has_number) {
        ok = finish(&names, filter);
    }
    free(names.bytes);
    free(names.lengths);
    return ok;
}
