/*
 * core/log and core/engine: the files of a book, as no crash and no honest disk would leave them,
 * opened.
 *
 * Oracle: an opening delivers a log or refuses it as TALEA_CORRUPT by book, segment and offset, and then it has
 * changed no byte. What it delivered is delivered again by every later opening, verifies clean, and
 * can be written to. The engine opens no book whose log is refused; its balances are those of the
 * log.
 *
 * Input: one byte for the book to begin with (one segment, two, with or without proof, seal and spare), one that
 * says what is put right afterwards, then edits: bytes of the files, fields of headers, files cut,
 * swapped and lost, groups and events put in that were never written. Without the putting right a
 * fuzzer would see nothing but checksums that do not fit.
 */
#include "engine/engine.h"
#include "fuzz.h"
#include "log/log.h"
#include "log/segment.h"
#include "mend.h"
#include "still_io.h"

enum { FILES = 3, FILE_BYTES_MAX = 12 << 10, SEGMENT_BYTES = 4096 };

/* Segments 1, 2, 3: as many as there are. */
typedef struct book_files {
    uint8_t data[FILES][FILE_BYTES_MAX];
    size_t len[FILES];
    bool there[FILES];
} book_files;

#define LEDGER "/ledger"
#define BOOKS LEDGER "/books"
#define BOOK BOOKS "/main"

static talea_error err;

/* ---- The files ------------------------------------------------------------------------------- */

static tl_io *make_io(void) {
    tl_io *io = still_new();
    must(io->ops->mkdir(io, LEDGER) == 0 && io->ops->mkdir(io, BOOKS) == 0);
    return io;
}

static void file_path(int number, char out[64]) {
    (void)snprintf(out, 64, BOOK "/segment-%08d.log", number + 1);
}

static tl_io *mount(const book_files *files) {
    tl_io *io = make_io();
    must(io->ops->mkdir(io, BOOK) == 0);
    for (int i = 0; i < FILES; i++) {
        char path[64];
        tl_file *file = NULL;
        file_path(i, path);
        if (files->there[i]) {
            must(io->ops->open(io, path, TL_OPEN_WRITE | TL_OPEN_CREATE, &file) == 0);
            must(file->ops->pwrite(file, files->data[i], files->len[i], 0) == 0);
            file->ops->close(file);
        }
    }
    return io;
}

static void take(tl_io *io, book_files *out) {
    memset(out, 0, sizeof *out);
    for (int i = 0; i < FILES; i++) {
        char path[64];
        tl_file *file = NULL;
        file_path(i, path);
        if (io->ops->open(io, path, TL_OPEN_READ, &file) == 0) {
            must(file->ops->pread(file, out->data[i], FILE_BYTES_MAX, 0, &out->len[i]) == 0);
            out->there[i] = true;
            file->ops->close(file);
        }
    }
}

static bool same_files(const book_files *a, const book_files *b) {
    for (int i = 0; i < FILES; i++) {
        if (a->there[i] != b->there[i] || a->len[i] != b->len[i] ||
            memcmp(a->data[i], b->data[i], a->len[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* ---- The books to begin with ------------------------------------------------------------------ */

static tl_log_config config_of(tl_io *io, bool read_only) {
    return (tl_log_config){.io = io,
                           .dir = BOOK,
                           .name = {"main", 4},
                           .segment_bytes_max = SEGMENT_BYTES,
                           .read_only = read_only};
}

static void put_account(tl_group_writer *writer, unsigned number, const int64_t *min) {
    char name[2] = {(char)('a' + number), '\0'};
    talea_account_def def = {.account = {name, 1},
                             .asset = {number % 2 ? "EUR" : "USD", 3},
                             .kind = (talea_kind)(1 + number % 6),
                             .side = (talea_side)(number % 3),
                             .precision = 2,
                             .has_min = min != NULL,
                             .min_balance = min ? *min : 0};
    uint8_t *body = tl_event_begin(writer, tl_account_bytes_max(&def));
    must(body != NULL);
    tl_event_end(writer, TL_FRAME_ACCOUNT, tl_account_encode(&def, body));
}

static void put_transaction(tl_group_writer *writer, uint64_t number, uint32_t debit,
                            uint32_t credit, talea_i128 amount) {
    char key[24];
    int key_len = snprintf(key, sizeof key, "key-%llu", (unsigned long long)number);
    talea_posting legs[2] = {{debit, TALEA_SIDE_DEBIT, amount},
                             {credit, TALEA_SIDE_CREDIT, amount}};
    tl_transaction tx = {.key = {key, (size_t)key_len},
                         .has_occurred_at = number % 3 == 0,
                         .occurred_at = (int64_t)number * 1000,
                         .legs = legs,
                         .leg_count = 2,
                         .metadata = {number % 4 == 0 ? "{}" : NULL, number % 4 == 0 ? 2 : 0}};
    uint8_t *body = tl_event_begin(writer, tl_transaction_bytes_max(&tx));
    must(body != NULL);
    tl_event_end(writer, TL_FRAME_TRANSACTION, tl_transaction_encode(&tx, body));
}

typedef struct tail {
    uint64_t seq;
    int64_t at;
    tl_group_writer writer;
} tail;

/* Group 1 opens four accounts; every other one posts `events` transactions in two units. */
static void append(tl_log *log, tail *t, unsigned events) {
    static const int64_t min = -1000000;
    tl_log_place place;
    must(tl_group_begin(&t->writer, tl_log_uid(log)));
    uint64_t first = t->seq;
    tl_unit_begin(&t->writer);
    for (unsigned i = 0; first == 1 && i < 4; i++, t->seq++) {
        put_account(&t->writer, i, i == 2 ? &min : NULL);
    }
    for (unsigned i = 0; first > 1 && i < events; i++, t->seq++) {
        if (i > 0 && i == events / 2) {
            must(tl_unit_end(&t->writer));
            tl_unit_begin(&t->writer);
        }
        put_transaction(&t->writer, t->seq, t->seq % 2, 2 + t->seq % 2, (talea_i128)t->seq * 100);
    }
    must(tl_unit_end(&t->writer));
    t->at += 1000;
    must(tl_log_append(log, &t->writer, first, t->seq - first, t->at, &place, &err) == TALEA_OK);
}

static void work_later(void *context) {
    (void)context;
}

typedef enum beginning {
    ONE_CLOSED,
    ONE_KILLED,
    TWO_CLOSED,
    TWO_KILLED,
    TWO_UNSEALED,
    BEGINNINGS
} beginning;

static void make_book(beginning which, book_files *out) {
    tl_io *io = make_io();
    tl_log_config config = config_of(io, false);
    tl_log *log = NULL;
    tail t = {.seq = 1, .at = 1000000};
    uint32_t segments = which >= TWO_CLOSED ? 2 : 1;
    if (which == TWO_UNSEALED) {
        config.on_work = work_later; /* and nobody does it */
    }
    must(tl_log_create(&config, BOOKS, &err) == TALEA_OK);
    must(tl_log_open(&config, NULL, NULL, &log, &err) == TALEA_OK);
    for (unsigned i = 0; i < 4 || tl_log_segments(log) < segments; i++) {
        append(log, &t, 2 + i % 3);
        if (i == 2) {
            must(tl_log_prove(log, &err) == TALEA_OK);
        }
    }
    if (which != TWO_UNSEALED) {
        append(log, &t, 7); /* reaches over a sector's border */
    }
    if (which != ONE_CLOSED && which != TWO_CLOSED) {
        tl_log_abandon(log);
    }
    must(tl_log_close(log, &err) == TALEA_OK || which == ONE_KILLED || which >= TWO_KILLED);
    take(io, out);
    still_free(io);
    tl_buf_free(&t.writer.buf);
}

static const book_files *beginning_of(unsigned which) {
    static book_files made[BEGINNINGS];
    if (!made[which].there[0]) {
        make_book((beginning)which, &made[which]);
        must(made[which].there[0] && made[which].there[1] >= (which >= TWO_CLOSED));
    }
    return &made[which];
}

/* ---- Putting right ---------------------------------------------------------------------------- */

static void mend(unsigned what, book_files *files) {
    mending m = {.what = what, .next_seq = 1};
    for (int i = 0; i < FILES && (what & MEND_CRCS); i++) {
        m.data = files->data[i];
        m.len = files->len[i];
        m.segment = (uint32_t)i + 1;
        mend_segment(&m);
    }
}

/* ---- Edits ------------------------------------------------------------------------------------ */

/* Where the groups of a file begin, as far as their lengths can be followed. */
static size_t find_groups(const uint8_t *data, size_t len, size_t *out, size_t out_max) {
    size_t count = 0;
    size_t p = TL_FIRST_GROUP;
    while (count < out_max && p + TL_GROUP_HEADER_BYTES <= len) {
        if (tl_get_u32(data + p) == tl_get_u32(data + p + 4)) { /* filler */
            p = (size_t)tl_proof_offset(p + 1);
            continue;
        }
        size_t body_bytes = tl_get_u32(data + p + 8);
        if (tl_get_u32(data + p) != tl_get_u32(data + 20) || body_bytes > len) {
            break;
        }
        out[count++] = p;
        p += TL_GROUP_HEADER_BYTES + (body_bytes + 7) / 8 * 8;
    }
    return count;
}

static size_t end_of_groups(const uint8_t *data, size_t len) {
    size_t groups[256];
    size_t count = find_groups(data, len, groups, 256);
    if (count == 0) {
        return TL_FIRST_GROUP;
    }
    size_t last = groups[count - 1];
    return last + TL_GROUP_HEADER_BYTES + tl_get_u32(data + last + 8);
}

/* A field of a group's header gets another value, often one near it. */
static void edit_field(fuzz_input *in, uint8_t *data, size_t len) {
    static const struct {
        uint8_t at;
        uint8_t bytes;
    } fields[] = {{0, 4}, {4, 4}, {8, 4}, {12, 4}, {16, 4}, {20, 4}, {24, 8}, {32, 8}};
    size_t groups[256];
    size_t count = find_groups(data, len, groups, 256);
    unsigned group = fuzz_u8(in);
    unsigned how = fuzz_u8(in);
    unsigned field = how % 8;
    if (count == 0) {
        return;
    }
    uint8_t *p = data + groups[group % count] + fields[field].at;
    uint64_t old = fields[field].bytes == 8 ? tl_get_u64(p) : tl_get_u32(p);
    uint64_t value = how & 0x80 ? old + (uint64_t)(int64_t)(int8_t)fuzz_u8(in)
                                : fuzz_uint(in, fields[field].bytes);
    if (fields[field].bytes == 8) {
        tl_put_u64(p, value);
    } else {
        tl_put_u32(p, (uint32_t)value);
    }
}

/* A group behind the last one, with events of the fuzzer's choice; the rest is for mend(). */
static void append_group(fuzz_input *in, uint8_t *data, size_t len) {
    static tl_group_writer writer; /* keeps its memory */
    size_t at = end_of_groups(data, len);
    if (at % TL_GROUP_ALIGN != 0 || !tl_group_begin(&writer, (tl_uid){0, 0})) {
        return;
    }
    tl_unit_begin(&writer);
    for (unsigned count = 1 + fuzz_below(in, 4); count > 0; count--) {
        uint8_t kind = fuzz_u8(in);
        if (kind % 4 == 0) {
            put_account(&writer, fuzz_below(in, 26), NULL);
        } else if (kind % 4 == 1) {
            talea_i128 amount = (talea_i128)fuzz_uint(in, 8) << fuzz_below(in, 64);
            uint32_t debit = fuzz_below(in, 8);
            uint32_t credit = fuzz_below(in, 8);
            put_transaction(&writer, fuzz_below(in, 64), debit, credit, amount > 0 ? amount : 1);
        } else {
            size_t body_bytes = 0;
            const uint8_t *raw = fuzz_bytes(in, 1 + fuzz_u8(in), &body_bytes);
            uint8_t *body = tl_event_begin(&writer, body_bytes + 1);
            must(body != NULL);
            memcpy(body, raw, body_bytes);
            body[body_bytes] = 0;
            tl_event_end(&writer,
                         kind % 4 == 2 ? TL_FRAME_TRANSACTION : (tl_frame_kind)(1 + kind / 4 % 3),
                         body_bytes > 0 ? body_bytes : 1);
        }
    }
    must(tl_unit_end(&writer));
    if (writer.buf.len > len || at > len - writer.buf.len) {
        return;
    }
    memcpy(data + at, writer.buf.data, writer.buf.len);
    tl_put_u32(data + at, tl_get_u32(data + 20));
    tl_put_u32(data + at + 8, (uint32_t)(writer.buf.len - TL_GROUP_HEADER_BYTES));
    tl_put_u32(data + at + 16, (uint32_t)len);
}

static void resize(book_files *files, int file, size_t len) {
    files->there[file] = true;
    if (len > files->len[file]) {
        memset(files->data[file] + files->len[file], 0, len - files->len[file]);
    }
    files->len[file] = len;
}

static void swap_files(book_files *files, int a, int b) {
    static book_files before;
    before = *files;
    memcpy(files->data[a], before.data[b], sizeof files->data[a]);
    memcpy(files->data[b], before.data[a], sizeof files->data[b]);
    files->len[a] = before.len[b];
    files->len[b] = before.len[a];
    files->there[a] = before.there[b];
    files->there[b] = before.there[a];
}

static void edit(fuzz_input *in, book_files *files) {
    uint8_t op = fuzz_u8(in);
    int file = (op >> 4) % FILES;
    size_t len = files->len[file];
    uint8_t *data = files->data[file];
    size_t at = 0;
    size_t n = 0;
    if (op % 16 < 8) {
        at = fuzz_uint(in, 2) % (len + 1);
        n = fuzz_u8(in);
        n = n < len - at ? n : len - at;
    }
    switch (op % 16) {
    case 0:
    case 1: {
        size_t got = 0;
        const uint8_t *bytes = fuzz_bytes(in, n % 16 + 1, &got);
        memcpy(data + at, bytes, got < len - at ? got : len - at);
        break;
    }
    case 2:
        if (at < len) {
            data[at] ^= (uint8_t)(1 << n % 8);
        }
        break;
    case 3: memset(data + at, 0, n); break;
    case 4: memset(data + at, 0, len - at); break;
    case 5: memmove(data + at, data + fuzz_uint(in, 2) % (len - n + 1), n); break;
    case 6: resize(files, file, at); break;
    case 7: /* a sector, or all up to the end of its sector */
        at = op & 0x80 ? at / TL_SECTOR_BYTES * TL_SECTOR_BYTES : at;
        n = TL_SECTOR_BYTES - at % TL_SECTOR_BYTES;
        memset(data + at, n % 2 ? 0xA5 : 0, n < len - at ? n : len - at);
        break;
    case 8:
    case 9: edit_field(in, data, len); break;
    case 10:
    case 11: append_group(in, data, len); break;
    case 12: resize(files, file, fuzz_uint(in, 2) % (FILE_BYTES_MAX + 1)); break;
    case 13: swap_files(files, file, (file + 1) % FILES); break;
    case 14:
        files->there[file] = false;
        files->len[file] = 0;
        break;
    case 15: /* the file is another one's copy */
        memcpy(data, files->data[(file + 1) % FILES], sizeof files->data[file]);
        files->len[file] = files->len[(file + 1) % FILES];
        files->there[file] = files->there[(file + 1) % FILES];
        break;
    default: break;
    }
}

/* ---- Judging: the log ------------------------------------------------------------------------- */

/* What an opening delivered. */
typedef struct delivery {
    uint64_t events;
    uint64_t digest;
    int64_t at;
} delivery;

static talea_code on_event(void *context, const tl_log_event *event, talea_error *error) {
    delivery *d = context;
    uint8_t head[24];
    (void)error;
    must(event->seq == d->events + 1);
    must(event->at >= d->at && event->at > 0);
    tl_put_u64(head, event->seq);
    tl_put_u64(head + 8, (uint64_t)event->at);
    tl_put_u32(head + 16, (uint32_t)event->frame.kind);
    tl_put_u32(head + 20, event->frame.body_bytes);
    d->digest = tl_hash64(head, sizeof head, d->digest);
    d->digest = tl_hash64(event->frame.body, event->frame.body_bytes, d->digest);
    d->events++;
    d->at = event->at;
    return TALEA_OK;
}

static void on_problem(void *context, uint32_t segment, uint64_t offset, const char *words) {
    (void)context;
    (void)fprintf(stderr, "verify: segment %u, offset %llu: %s\n", segment,
                  (unsigned long long)offset, words);
    must(!"a log that was opened does not verify");
}

static void must_name_place(const talea_error *error) {
    unsigned segment = 0;
    unsigned long long offset = 0;
    if (error->code != TALEA_CORRUPT ||
        sscanf(error->message, "book \"main\", segment %u, offset %llu: ", &segment, &offset) !=
            2 ||
        segment < 1 || segment > FILES + 1) {
        (void)fprintf(stderr, "%s: %s\n", talea_code_name(error->code), error->message);
        must(!"refused, but not as corrupt with its place named");
    }
}

/* Opens, verifies, closes; false: refused. A reader that comes before the writer has mended the log
 * may see more than it can vouch for (INV-D17): then there is nothing to verify. */
static bool open_log(tl_io *io, bool read_only, bool mended, delivery *out) {
    tl_log_config config = config_of(io, read_only);
    tl_log *log = NULL;
    delivery again = {0};
    *out = (delivery){0};
    if (tl_log_open(&config, on_event, out, &log, &err) != TALEA_OK) {
        must_name_place(&err);
        return false;
    }
    must(tl_log_next_seq(log) == out->events + 1);
    if (!read_only || mended) {
        must(tl_log_verify(log, out->events, on_event, on_problem, NULL, &again, &err) == TALEA_OK);
        must(again.events == out->events && again.digest == out->digest);
    }
    must(tl_log_close(log, &err) == TALEA_OK);
    return true;
}

static bool same_delivery(const delivery *a, const delivery *b) {
    return a->events == b->events && a->digest == b->digest && a->at == b->at;
}

/* The writer goes on where the opening left off. */
static void write_on(tl_io *io, const delivery *before) {
    static tail t; /* keeps its memory */
    tl_log_config config = config_of(io, false);
    tl_log *log = NULL;
    delivery after = {0};
    if (before->at > INT64_MAX - 1000) {
        return;
    }
    must(tl_log_open(&config, NULL, NULL, &log, &err) == TALEA_OK);
    t.seq = before->events + 1;
    t.at = before->at;
    append(log, &t, 2);
    must(tl_log_close(log, &err) == TALEA_OK);
    must(open_log(io, false, true, &after));
    must(after.events == t.seq - 1 && after.at == t.at);
}

static bool check_log(const book_files *files, delivery *out) {
    static book_files left;
    delivery reader;
    delivery again;
    tl_io *io = mount(files);
    bool read = open_log(io, true, false, &reader);
    take(io, &left);
    must(same_files(files, &left)); /* a reader writes nothing */
    bool opened = open_log(io, false, false, out);
    if (!opened) {
        take(io, &left);
        must(same_files(files, &left));
    } else {
        must(read && same_delivery(&reader, out));
        must(open_log(io, false, true, &again) && same_delivery(&again, out));
        must(open_log(io, true, true, &again) && same_delivery(&again, out));
        write_on(io, out);
    }
    still_free(io);
    return opened;
}

/* ---- Judging: the engine ---------------------------------------------------------------------- */

static bool on_finding(void *context, const talea_finding *finding) {
    (void)context;
    /* The book stands alone here: there is no _system that knows its assets. */
    if (finding->problem && !strstr(finding->detail, "is not registered")) {
        (void)fprintf(stderr, "verify: %s: %s\n", finding->problem, finding->detail);
        must(!"a book that was opened does not verify");
    }
    return true;
}

/* Events in both directions; every account's totals as the sum of its legs. */
static void check_events(talea_book_view *book, uint64_t last_seq) {
    enum { ACCOUNTS_MAX = 600 };
    static talea_i128 debits[ACCOUNTS_MAX];
    static talea_i128 credits[ACCOUNTS_MAX];
    talea_events *events = NULL;
    const talea_event *event = NULL;
    uint32_t accounts = talea_book_account_count(book);
    must(accounts <= ACCOUNTS_MAX);
    memset(debits, 0, sizeof debits);
    memset(credits, 0, sizeof credits);
    must(talea_events_open(book, &events, &err) == TALEA_OK);
    talea_events_seek(events, 1, false);
    for (uint64_t seq = 1; seq <= last_seq; seq++) {
        char text[TALEA_TIME_TEXT_BYTES];
        uint64_t found = 0;
        must(talea_events_next(events, &event, &err) == TALEA_OK && event && event->seq == seq);
        (void)talea_time_format(event->at, text);
        if (event->kind != TALEA_EVENT_TRANSACTION_POSTED) {
            continue;
        }
        /* No writer writes a key twice, and no replay looks: then it is one of the two. */
        must(talea_book_find_key(book, event->key, &found, &err) == TALEA_OK && found > 0);
        must(talea_book_find_txid(book, event->txid, &found, &err) == TALEA_OK && found == seq);
        for (size_t i = 0; i < event->posting_count; i++) {
            const talea_posting *leg = &event->postings[i];
            must(leg->account < accounts && leg->amount > 0);
            *(leg->side == TALEA_SIDE_DEBIT ? &debits[leg->account] : &credits[leg->account]) +=
                leg->amount;
        }
    }
    must(talea_events_next(events, &event, &err) == TALEA_OK && !event);
    talea_events_seek(events, last_seq, true);
    for (uint64_t seq = last_seq; seq > 0; seq--) {
        must(talea_events_next(events, &event, &err) == TALEA_OK && event && event->seq == seq);
    }
    talea_events_close(events);
    for (uint32_t i = 0; i < accounts; i++) {
        talea_account account;
        must(talea_book_account(book, i, last_seq, &account));
        must(account.debits == debits[i] && account.credits == credits[i]);
    }
}

static bool check_book(tl_io *io, bool read_only, uint64_t *out_last_seq) {
    talea_options options;
    tl_engine *engine = NULL;
    talea_view *view = NULL;
    talea_book_view *book = NULL;
    talea_options_default(&options);
    options.mode = read_only ? TALEA_MODE_RO : TALEA_MODE_RW;
    must(tl_engine_open(io, LEDGER, &options, &engine, &err) == TALEA_OK);
    talea_ledger ledger = {.engine = engine, .read_only = read_only};
    must(talea_view_open(&ledger, &view, &err) == TALEA_OK);
    bool opened = talea_view_book(view, (talea_text){"main", 4}, &book, &err) == TALEA_OK;
    if (!opened) {
        must(err.code == TALEA_CORRUPT && strstr(err.message, "\"main\", segment "));
    } else if (book) {
        *out_last_seq = talea_book_last_seq(book);
        check_events(book, *out_last_seq);
        must(talea_verify(&ledger, (talea_text){"main", 4}, on_finding, NULL, NULL, &err) ==
             TALEA_OK);
    }
    talea_view_close(view);
    tl_engine_close(engine);
    return opened;
}

static void check_engine(const book_files *files, bool log_opened, const delivery *log) {
    uint64_t last_seq = 0;
    uint64_t again = 0;
    tl_io *io = mount(files);
    bool opened = check_book(io, false, &last_seq);
    must(!opened || log_opened);
    if (opened) {
        must(last_seq == log->events);
        must(check_book(io, false, &again) && again == last_seq);
        must(check_book(io, true, &again) && again == last_seq);
    }
    still_free(io);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static book_files files;
    fuzz_input in = fuzz_begin(data, size);
    delivery log;
    files = *beginning_of(fuzz_below(&in, BEGINNINGS));
    unsigned what = fuzz_u8(&in);
    for (unsigned i = 0; i < 32 && fuzz_left(&in) > 0; i++) {
        edit(&in, &files);
    }
    mend(what, &files);
    bool opened = check_log(&files, &log);
    check_engine(&files, opened, &log);
    return 0;
}
