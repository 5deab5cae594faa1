/* SPDX-License-Identifier: MIT */
#include "fuzz/shared/site.h"
#include "vectors/walker.h"

/* The reader of the vector files: whatever is in them, what it makes of a
 * record lies within its arrays. */

static void
check_walk(const struct walk *w)
{
    CHECK(w->km.encr_key_len <= sizeof w->encr_key);
    CHECK(w->km.integ_key_len <= sizeof w->integ_key);
    CHECK(w->iv_len <= sizeof w->iv);
    CHECK(w->plain_len <= WALK_MAX && w->wire_len <= WALK_MAX);
    CHECK(w->esp_at >= 20 && w->esp_at + 8 <= w->wire_len);
    CHECK(w->seq != 0 && w->esn <= 1);
    CHECK(w->mode == IPSEC_MODE_TUNNEL || w->mode == IPSEC_MODE_TRANSPORT);
}

static void
check_record(const struct record *rec, size_t lines)
{
    static struct walk w;
    uint64_t number;
    uint8_t small[3];
    size_t i;

    CHECK(rec->fields <= RECORD_FIELDS && rec->line <= lines);
    CHECK(rec->fields > 0 || rec->broken);
    for (i = 0; i < rec->fields; i++) {
        CHECK(record_get(rec, rec->field[i].key) != NULL);
        CHECK(strchr(rec->field[i].value, '\n') == NULL);
        CHECK(record_hex(rec, rec->field[i].key, small, sizeof small) <= 3);
        (void)record_number(rec, rec->field[i].key, &number);
    }
    CHECK(record_get(rec, "no = key") == NULL);
    if (walk_read(&w, rec) == NULL) {
        check_walk(&w);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct reader reader;
    struct record rec;

    memset(&reader, 0, sizeof reader);
    reader.text = reader.at = malloc(len + 1);
    CHECK(reader.text != NULL);
    memcpy(reader.text, data, len);
    reader.text[len] = '\0';
    while (reader_next(&reader, &rec)) {
        CHECK(reader.at <= reader.text + len);
        check_record(&rec, reader.line);
    }
    CHECK(*reader.at == '\0');
    reader_close(&reader);
    return 0;
}
