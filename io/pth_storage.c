/* pth_storage.c: finding storages and making tensors over them. */
#include "pth_storage.h"

#include <string.h>

#include "bytes.h"
#include "pth_calls.h"
#include "tern/memory.h"
#include "utf8.h"
#include "widen.h"

static tern_status bad(const tern_pth_storages *all, const char *what) {
    return tern_fail(all->ctx, TERN_ERR_FORMAT, "%s: %s", all->path, what);
}

/* ---- persistent ids -------------------------------------------------------------------------- */

typedef struct storage_id {
    tern_pth_type type; /* no name: untyped, counted in bytes */
    const tern_pnode *key;
    uint64_t bytes;
} storage_id;

/* ('storage', class, key, location, count) and, in old streams alone, a view of another storage, which
 * PyTorch has not written since 0.4. */
static bool read_id(const tern_pth_storages *all, const tern_pnode *stored, storage_id *out) {
    const tern_pnode *id = stored->as.items[0];
    bool shaped = id->kind == TERN_P_TUPLE && id->length == (all->zip ? 5u : 6u);
    for (size_t i = 0; shaped && i < 5; i++) {
        static const uint8_t kinds[] = {TERN_P_TEXT, TERN_P_GLOBAL, TERN_P_TEXT, TERN_P_TEXT,
                                        TERN_P_INT};
        shaped = id->as.items[i]->kind == kinds[i];
    }
    if (shaped && !all->zip) shaped = id->as.items[5]->kind == TERN_P_NONE;
    if (!shaped || id->as.items[0]->length != 7 ||
        memcmp(id->as.items[0]->as.bytes, "storage", 7) != 0) {
        bad(all, "it stores something other than tensors, perhaps a whole module; save "
                 "model.state_dict()");
        return false;
    }
    int class = id->as.items[1]->as.known;
    int64_t count = id->as.items[4]->as.i;
    out->type = (tern_pth_type){NULL, TERN_DTYPE_DEFAULT, 1};
    bool typed = class != TERN_G_UNTYPED && tern_pth_type_of(class, &out->type);
    if (!typed && class >= TERN_G_UNSUPPORTED) {
        tern_fail(all->ctx, TERN_ERR_UNSUPPORTED, "%s: a tensor is %s, which Tern does not support",
                  all->path, tern_pth_unsupported(class));
        return false;
    }
    out->key = id->as.items[2];
    if ((!typed && class != TERN_G_UNTYPED) ||
        (class >= TERN_G_DTYPE && class < TERN_G_UNSUPPORTED) || count < 0 ||
        !tern_size_mul((uint64_t)count, out->type.size, &out->bytes)) {
        bad(all, "a storage has no valid class or size");
        return false;
    }
    return true;
}

static tern_value key_value(const tern_pnode *key) {
    tern_value v = {TERN_VALUE_STRING, (uint32_t)key->length, {0}};
    v.as.s = key->as.bytes;
    return v;
}

static tern_pth_storage *add_storage(tern_pth_storages *all, const storage_id *id) {
    if (all->count == all->capacity) {
        size_t capacity = all->capacity ? all->capacity * 2 : 32;
        tern_pth_storage *grown =
            tern_realloc(all->items, all->count * sizeof *grown, capacity * sizeof *grown);
        if (!grown) {
            tern_fail(all->ctx, TERN_ERR_OUT_OF_MEMORY, "%s: no memory to read it", all->path);
            return NULL;
        }
        all->items = grown;
        all->capacity = capacity;
    }
    if (all->by_key.kind == TERN_VALUE_NONE) all->by_key = tern_dict_new(all->ctx, false);
    if (tern_dict_set_value(all->by_key, key_value(id->key), tern_int((int64_t)all->count)) !=
        TERN_OK)
        return NULL;
    tern_pth_storage *storage = &all->items[all->count++];
    *storage = (tern_pth_storage){.type = id->type, .bytes = id->bytes};
    return storage;
}

/* The storage of an id that was met before, or NULL; an id that contradicts it latches. */
static tern_pth_storage *known_storage(tern_pth_storages *all, const storage_id *id) {
    tern_value index = tern_dict_get_value(all->by_key, key_value(id->key));
    if (index.kind != TERN_VALUE_INT) return NULL;
    tern_pth_storage *storage = &all->items[index.as.i];
    if (storage->bytes == id->bytes && (!id->type.name || storage->type.name == id->type.name))
        return storage;
    bad(all, "a storage is named twice with different classes or sizes");
    return NULL;
}

static bool find_bytes(tern_pth_storages *all, const storage_id *id, tern_pth_storage *storage) {
    char name[4200], shown[TERN_SHOWN];
    const size_t folder = all->root_length + 5;
    if (folder + id->key->length > sizeof name)
        return bad(all, "a storage's key is too long"), false;
    memcpy(name, all->root, all->root_length);
    memcpy(name + all->root_length, "data/", 5);
    memcpy(name + folder, id->key->as.bytes, id->key->length);
    tern_zip_member *member = tern_zip_find(all->zip, name, folder + id->key->length);
    if (!member || member->size != id->bytes) {
        tern_fail(all->ctx, TERN_ERR_FORMAT, "%s: storage '%s' %s", all->path,
                  tern_shown(id->key->as.bytes, id->key->length, shown),
                  member ? "has another size than its tensors need" : "is missing");
        return false;
    }
    tern_status status = all->mapping ? tern_zip_place(all->zip, member, &storage->data)
                                      : tern_zip_read(all->zip, member, &storage->data);
    storage->mapped = all->mapping && !member->unpacked;
    return status == TERN_OK;
}

tern_pth_storage *tern_pth_find_storage(tern_pth_storages *all, const tern_pnode *stored) {
    storage_id id;
    if (stored->kind != TERN_P_STORED) return bad(all, "a tensor has no storage"), NULL;
    if (!read_id(all, stored, &id)) return NULL;
    tern_pth_storage *storage = known_storage(all, &id);
    if (storage && storage->data) return storage;
    if (!all->zip) return bad(all, "a tensor refers to a storage that is missing"), NULL;
    if (!storage && tern_dict_get_value(all->by_key, key_value(id.key)).kind == TERN_VALUE_INT)
        return NULL; /* contradicted, and latched */
    storage = add_storage(all, &id);
    return storage && find_bytes(all, &id, storage) ? storage : NULL;
}

/* ---- old streams ----------------------------------------------------------------------------- */

tern_status tern_pth_place_storages(tern_pth_storages *all, const tern_pickle_reader *reader,
                                    const tern_pnode *keys, const unsigned char *bytes,
                                    size_t size) {
    storage_id id;
    for (const tern_pnode *s = reader->stored; s; s = s->result) {
        if (!read_id(all, s, &id)) return TERN_ERR_FORMAT;
        bool known = tern_dict_get_value(all->by_key, key_value(id.key)).kind == TERN_VALUE_INT;
        if (known ? !known_storage(all, &id) : !add_storage(all, &id)) return TERN_ERR_FORMAT;
    }
    if (keys->kind != TERN_P_LIST) return bad(all, "its list of storages is missing");
    for (size_t i = 0; i < keys->length; i++) {
        const tern_pnode *key = keys->as.items[i];
        tern_value index = key->kind == TERN_P_TEXT
                               ? tern_dict_get_value(all->by_key, key_value(key))
                               : tern_none();
        if (index.kind != TERN_VALUE_INT) return bad(all, "it lists a storage that no tensor uses");
        tern_pth_storage *storage = &all->items[index.as.i];
        if (size < 8) return bad(all, "it is truncated");
        if (tern_read_u64(bytes) != storage->bytes / storage->type.size || storage->data)
            return bad(all, "a storage has another size than its tensors need");
        bytes += 8;
        size -= 8;
        if (size < storage->bytes) return bad(all, "it is truncated");
        storage->data = bytes;
        storage->mapped = all->mapping != NULL;
        bytes += storage->bytes;
        size -= (size_t)storage->bytes;
    }
    return size == 0 ? TERN_OK : bad(all, "there are bytes after its last storage");
}

/* ---- tensors --------------------------------------------------------------------------------- */

/* A tuple, list or Size of numbers from 0. */
static bool read_ints(const tern_pnode *node, tern_shape *out) {
    if (node->kind == TERN_P_CALL && node->as.items[0]->as.known == TERN_G_SIZE &&
        !tern_pth_call_fault(node))
        node = node->as.items[1]->as.items[0];
    if ((node->kind != TERN_P_TUPLE && node->kind != TERN_P_LIST) || node->length > TERN_MAX_RANK)
        return false;
    out->rank = (int32_t)node->length;
    for (size_t i = 0; i < node->length; i++) {
        const tern_pnode *item = node->as.items[i];
        if (item->kind != TERN_P_INT || item->as.i < 0) return false;
        out->dim[i] = item->as.i;
    }
    return true;
}

/* Elements of the tensor, and the storage elements up to behind its last one; false on overflow. */
static bool extent(const tern_shape *sizes, const tern_shape *strides, int64_t offset,
                   uint64_t *out_numel, uint64_t *out_end) {
    uint64_t numel = 1, last = (uint64_t)offset, step;
    for (int i = 0; i < sizes->rank; i++)
        if (!tern_size_mul(numel, (uint64_t)sizes->dim[i], &numel)) return false;
    *out_numel = numel;
    *out_end = (uint64_t)offset;
    if (numel == 0) return true;
    for (int i = 0; i < sizes->rank; i++)
        if (!tern_size_mul((uint64_t)sizes->dim[i] - 1, (uint64_t)strides->dim[i], &step) ||
            !tern_size_add(last, step, &last))
            return false;
    *out_end = last + 1;
    return numel <= INT64_MAX;
}

/* Row-major without gaps, as a new tensor would have it. */
static bool is_plain(const tern_shape *sizes, const tern_shape *strides) {
    uint64_t expected = 1;
    for (int i = sizes->rank; i-- > 0;) {
        if ((uint64_t)strides->dim[i] != expected) return false;
        if (sizes->dim[i] > 1) expected *= (uint64_t)sizes->dim[i];
    }
    return true;
}

/* The dtype that _v3 names behind the hooks. */
static bool read_dtype(tern_pth_storages *all, const tern_pnode *node, tern_pth_type *out) {
    int known = node->kind == TERN_P_GLOBAL ? node->as.known : 0;
    if (known >= TERN_G_DTYPE && tern_pth_type_of(known, out)) return true;
    bad(all, "a tensor has no valid dtype");
    return false;
}

bool tern_pth_array_of(tern_pth_storages *all, const tern_pnode *arguments, int version,
                       tern_pth_array *out_array) {
    tern_pnode *const *items = arguments->as.items;
    tern_pth_array a = {.type = {NULL, TERN_DTYPE_DEFAULT, 1}};
    uint64_t end;
    if (version == 3 && !read_dtype(all, items[6], &a.type)) return false;
    a.storage = tern_pth_find_storage(all, items[0]);
    if (!a.storage) return false;
    if (!a.type.name) a.type = a.storage->type;
    if (!a.type.name || (a.storage->type.name && a.storage->type.name != a.type.name))
        return bad(all, "two tensors of different dtypes share one storage"), false;
    a.storage->type = a.type;
    a.offset = items[1]->as.i;
    a.requires_grad = version > 1 && items[4]->as.b;
    if (!read_ints(items[2], &a.sizes) || !read_ints(items[3], &a.strides) ||
        a.sizes.rank != a.strides.rank || a.offset < 0 ||
        !extent(&a.sizes, &a.strides, a.offset, &a.numel, &end) ||
        end > a.storage->bytes / a.type.size)
        return bad(all, "a tensor's shape, strides or offset reach beyond its storage"), false;
    *out_array = a;
    return true;
}

/* All of a storage: over the mapped file, or a copy, of wider numbers where Tern lacks the dtype. */
static tern_tensor *make_base(const tern_pth_storages *all, const tern_pth_storage *storage,
                              tern_pth_type type, tern_shape shape, uint64_t numel) {
    if (type.dtype == TERN_DTYPE_DEFAULT)
        return tern_widened(all->ctx, all->path, tern_wide_of(type.name), storage->data, false,
                            shape);
    if (storage->mapped && numel)
        return tern_mapping_tensor(all->ctx, all->mapping, storage->data, shape, type.dtype);
    return tern_from_data(all->ctx, storage->data, shape, type.dtype);
}

tern_tensor *tern_pth_tensor(tern_pth_storages *all, const tern_pth_array *a) {
    tern_pth_storage *storage = a->storage;
    if (!storage->base) {
        uint64_t available = storage->bytes / a->type.size;
        bool whole = a->offset == 0 && a->numel == available && is_plain(&a->sizes, &a->strides);
        tern_shape shape = a->sizes;
        if (!whole) shape = (tern_shape){1, {(int64_t)available}};
        storage->base = make_base(all, storage, a->type, shape, available);
        if (whole || tern_is_nil(storage->base)) return storage->base;
    }
    return tern_view_of_storage(storage->base, a->sizes, a->strides, a->offset);
}

void tern_pth_storages_free(tern_pth_storages *all) {
    tern_free(all->items);
}
