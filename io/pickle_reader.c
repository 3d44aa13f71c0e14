/* pickle_reader.c: the stack machine of pickles, without its calls. */
#include "pickle_reader.h"

#include <string.h>

#include "bytes.h"
#include "pickle_text.h"
#include "tern/describe.h"
#include "tern/memory.h"
#include "utf8.h"

/* ---- memory -------------------------------------------------------------------------------------
 * Nodes and item arrays come from blocks that are freed together. */

#define BLOCK_SIZE ((size_t)8192)

struct tern_pblock {
    tern_pblock *next;
    size_t used, size;
};

typedef struct machine {
    tern_pickle_reader *reader;
    const unsigned char *bytes, *at, *end;
    tern_pnode **stack; /* NULL stands for a mark */
    size_t depth, capacity;
    tern_pnode **memo;
    size_t memo_size, memo_next;
} machine;

static bool fail(const machine *m, const char *what) {
    tern_fail(m->reader->ctx, TERN_ERR_FORMAT, "%s: damaged pickle at byte %zu: %s",
              m->reader->path, (size_t)(m->at - m->bytes), what);
    return false;
}

static bool fail_memory(const machine *m) {
    tern_fail(m->reader->ctx, TERN_ERR_OUT_OF_MEMORY, "%s: no memory to read it", m->reader->path);
    return false;
}

static void *take(const machine *m, size_t bytes) {
    tern_pblock *block = m->reader->blocks;
    bytes = (bytes + 15) & ~(size_t)15;
    if (!block || block->size - block->used < bytes) {
        size_t size = bytes > BLOCK_SIZE ? bytes : BLOCK_SIZE;
        block = tern_alloc(64 + size);
        if (!block) {
            fail_memory(m);
            return NULL;
        }
        *block = (tern_pblock){m->reader->blocks, 0, size};
        m->reader->blocks = block;
    }
    void *memory = (unsigned char *)block + 64 + block->used;
    block->used += bytes;
    return memory;
}

void tern_pickle_free(tern_pickle_reader *reader) {
    while (reader->blocks) {
        tern_pblock *block = reader->blocks;
        reader->blocks = block->next;
        tern_free(block);
    }
}

/* ---- the stack ------------------------------------------------------------------------------- */

static bool push(machine *m, tern_pnode *node) {
    if (m->depth == m->capacity) {
        size_t capacity = m->capacity ? m->capacity * 2 : 64;
        tern_pnode **grown =
            tern_realloc(m->stack, m->depth * sizeof *grown, capacity * sizeof *grown);
        if (!grown) return fail_memory(m);
        m->stack = grown;
        m->capacity = capacity;
    }
    m->stack[m->depth++] = node;
    return true;
}

/* A node on top of the stack; NULL when memory is out. */
static tern_pnode *push_new(machine *m, tern_pnode_kind kind) {
    tern_pnode *node = take(m, sizeof *node);
    if (!node) return NULL;
    memset(node, 0, sizeof *node);
    node->kind = (uint8_t)kind;
    return push(m, node) ? node : NULL;
}

/* The object on top, which must not be a mark. */
static tern_pnode *pop(machine *m) {
    if (m->depth == 0 || !m->stack[m->depth - 1]) {
        fail(m, "an operand is missing");
        return NULL;
    }
    return m->stack[--m->depth];
}

static tern_pnode *top(machine *m) {
    if (m->depth == 0 || !m->stack[m->depth - 1]) {
        fail(m, "an operand is missing");
        return NULL;
    }
    return m->stack[m->depth - 1];
}

/* Where the items above the last mark begin; false where there is no mark. */
static bool find_mark(machine *m, size_t *out_first) {
    for (size_t i = m->depth; i-- > 0;) {
        if (m->stack[i]) continue;
        *out_first = i + 1;
        return true;
    }
    return fail(m, "a mark is missing");
}

/* ---- items ----------------------------------------------------------------------------------- */

static bool append(machine *m, tern_pnode *node, tern_pnode *const *items, size_t count) {
    if (count > UINT32_MAX / 4 - node->length) return fail(m, "a container is too large");
    size_t needed = node->length + count;
    if (needed > node->capacity) {
        size_t capacity = node->capacity ? node->capacity : 2;
        while (capacity < needed) capacity *= 2;
        tern_pnode **grown = take(m, capacity * sizeof *grown);
        if (!grown) return false;
        if (node->length) memcpy(grown, node->as.items, node->length * sizeof *grown);
        node->as.items = grown;
        node->capacity = (uint32_t)capacity;
    }
    if (count) memcpy(node->as.items + node->length, items, count * sizeof *items);
    node->length = needed;
    return true;
}

/* A tuple of the items above `first` replaces them; with a mark, that too. */
static bool make_tuple(machine *m, tern_pnode_kind kind, size_t first, bool marked) {
    size_t count = m->depth - first;
    tern_pnode *node = push_new(m, kind);
    if (!node) return false;
    for (size_t i = first; i < first + count; i++)
        if (!m->stack[i]) return fail(m, "an operand is missing");
    if (!append(m, node, m->stack + first, count)) return false;
    m->depth = first - (marked ? 1 : 0);
    return push(m, node);
}

static bool make_marked(machine *m, tern_pnode_kind kind) {
    size_t first;
    if (!find_mark(m, &first)) return false;
    if (kind == TERN_P_DICT && (m->depth - first) % 2) return fail(m, "a key has no value");
    return make_tuple(m, kind, first, true);
}

static bool make_short_tuple(machine *m, size_t count) {
    if (m->depth < count) return fail(m, "an operand is missing");
    return make_tuple(m, TERN_P_TUPLE, m->depth - count, false);
}

/* Adds to the list, dict or set below; pairs may also be set in what a call makes, an OrderedDict. */
static bool extend(machine *m, size_t first, bool marked, tern_pnode_kind kind) {
    size_t count = m->depth - first, below = first - (marked ? 1 : 0);
    tern_pnode *target = below > 0 ? m->stack[below - 1] : NULL;
    if (!target) return fail(m, "an operand is missing");
    bool pairs = kind == TERN_P_DICT;
    if (pairs && count % 2) return fail(m, "a key has no value");
    if (target->kind != kind && !(pairs && target->kind == TERN_P_CALL))
        return fail(m, "items are added to something other than a list, dict or set");
    for (size_t i = first; i < m->depth; i++)
        if (!m->stack[i]) return fail(m, "an operand is missing");
    if (!append(m, target, m->stack + first, count)) return false;
    m->depth = below;
    return true;
}

static bool extend_marked(machine *m, tern_pnode_kind kind) {
    size_t first;
    return find_mark(m, &first) && extend(m, first, true, kind);
}

static bool extend_short(machine *m, size_t count, tern_pnode_kind kind) {
    if (m->depth < count + 1) return fail(m, "an operand is missing");
    return extend(m, m->depth - count, false, kind);
}

/* ---- operands -------------------------------------------------------------------------------- */

static bool operand(machine *m, size_t bytes, uint64_t *out) {
    if ((size_t)(m->end - m->at) < bytes) return fail(m, "it is truncated");
    *out = 0;
    for (size_t i = bytes; i-- > 0;) *out = *out << 8 | m->at[i];
    m->at += bytes;
    return true;
}

/* A count of `width` bytes and as many bytes; NULL where they are not there. */
static const char *counted(machine *m, size_t width, size_t *out_length) {
    uint64_t length;
    if (!operand(m, width, &length)) return NULL;
    if (length > (uint64_t)(m->end - m->at)) {
        fail(m, "it is truncated");
        return NULL;
    }
    const char *bytes = (const char *)m->at;
    m->at += length;
    *out_length = (size_t)length;
    return bytes;
}

static bool push_int(machine *m, int64_t number) {
    tern_pnode *node = push_new(m, TERN_P_INT);
    if (node) node->as.i = number;
    return node != NULL;
}

static bool push_unsigned(machine *m, size_t width) {
    uint64_t number;
    return operand(m, width, &number) && push_int(m, (int64_t)number);
}

static bool push_int32(machine *m) {
    uint64_t number;
    return operand(m, 4, &number) && push_int(m, (int32_t)(uint32_t)number);
}

static bool push_bool(machine *m, bool b) {
    tern_pnode *node = push_new(m, TERN_P_BOOL);
    if (node) node->as.b = b;
    return node != NULL;
}

static bool push_bytes(machine *m, tern_pnode_kind kind, size_t width) {
    size_t length = 0;
    const char *bytes = counted(m, width, &length);
    tern_pnode *node = bytes ? push_new(m, kind) : NULL;
    if (!node) return false;
    node->as.bytes = bytes;
    node->length = length;
    return true;
}

static bool push_float(machine *m) {
    uint64_t bits = 0;
    if (m->end - m->at < 8) return fail(m, "it is truncated");
    for (int i = 0; i < 8; i++) bits = bits << 8 | *m->at++;
    tern_pnode *node = push_new(m, TERN_P_FLOAT);
    if (node) memcpy(&node->as.f, &bits, 8);
    return node != NULL;
}

/* Two's complement, as few bytes as it takes; none is 0. */
static bool push_long(machine *m, size_t width) {
    size_t length = 0;
    const unsigned char *bytes = (const unsigned char *)counted(m, width, &length);
    if (!bytes) return false;
    uint64_t number = length && bytes[length - 1] & 0x80 ? UINT64_MAX : 0;
    if (length <= 8) {
        for (size_t i = length; i-- > 0;) number = number << 8 | bytes[i];
        return push_int(m, (int64_t)number);
    }
    tern_pnode *node = push_new(m, TERN_P_BIG_INT);
    if (!node) return false;
    node->as.bytes = (const char *)bytes;
    node->length = length;
    return true;
}

/* A line, without its end; NULL where the end is missing. */
static const char *line(machine *m, size_t *out_length) {
    const unsigned char *start = m->at;
    const unsigned char *feed = memchr(start, '\n', (size_t)(m->end - start));
    if (!feed) {
        fail(m, "it is truncated");
        return NULL;
    }
    *out_length = (size_t)(feed - start);
    m->at = feed + 1;
    return (const char *)start;
}

/* The numbers of protocols 0 and 1 are written out: "12", "01" for True, "12L", "0.5". */
static bool push_number(machine *m, unsigned char opcode) {
    size_t length = 0;
    tern_value number;
    const char *text = line(m, &length);
    if (!text) return false;
    if (opcode == 'I' && length == 2 && text[0] == '0' && (text[1] == '0' || text[1] == '1'))
        return push_bool(m, text[1] == '1');
    if (opcode == 'L' && length > 1 && text[length - 1] == 'L') length--;
    if (tern_number_parse(text, length, &number)) {
        tern_pnode *node = push_new(m, opcode == 'F' ? TERN_P_FLOAT : TERN_P_INT);
        if (!node) return false;
        if (opcode == 'F') return node->as.f = tern_value_as_double(number), true;
        node->as.i = number.as.i;
        if (number.kind == TERN_VALUE_INT) return true;
        m->depth--;
    }
    if (opcode == 'F' || !tern_pickle_is_digits(text, length))
        return fail(m, "a number is not written as one");
    tern_pnode *node = push_new(m, TERN_P_TEXT); /* beyond 64 bits */
    if (node) node->as.bytes = text, node->length = length;
    return node != NULL;
}

/* A text in quotes and with escapes, or one whose characters may be \\uXXXX. */
static bool push_line(machine *m, unsigned char opcode) {
    size_t length = 0;
    const char *text = line(m, &length);
    char *out = text ? take(m, 2 * length) : NULL; /* an escape is longer than what it stands for */
    if (!out) return false;
    bool ok = opcode == 'S' ? tern_pickle_unquote(text, length, out, &length)
                            : tern_pickle_unescape(text, length, out, &length);
    if (!ok) return fail(m, "a text is not written as one");
    tern_pnode *node = push_new(m, TERN_P_TEXT);
    if (node) node->as.bytes = out, node->length = length;
    return node != NULL;
}

/* ---- the memo -------------------------------------------------------------------------------- */

/* A pickle cannot number more objects than it has bytes. */
static bool memo_put(machine *m, uint64_t number) {
    tern_pnode *node = top(m);
    if (!node) return false;
    if (number > (uint64_t)(m->end - m->bytes)) return fail(m, "a memo number is out of range");
    if (number >= m->memo_size) {
        size_t size = m->memo_size ? m->memo_size : 64;
        while (size <= number) size *= 2;
        tern_pnode **grown =
            tern_realloc(m->memo, m->memo_size * sizeof *grown, size * sizeof *grown);
        if (!grown) return fail_memory(m);
        memset(grown + m->memo_size, 0, (size - m->memo_size) * sizeof *grown);
        m->memo = grown;
        m->memo_size = size;
    }
    if (!m->memo[number]) m->memo_next++;
    m->memo[number] = node;
    return true;
}

static bool memo_put_numbered(machine *m, size_t width) {
    uint64_t number;
    return operand(m, width, &number) && memo_put(m, number);
}

static bool memo_get(machine *m, uint64_t number) {
    if (number >= m->memo_size || !m->memo[number]) return fail(m, "a memo number is unknown");
    return push(m, m->memo[number]);
}

static bool memo_get_numbered(machine *m, size_t width) {
    uint64_t number;
    return operand(m, width, &number) && memo_get(m, number);
}

/* The same with the number written out. */
static bool memo_line(machine *m, bool puts) {
    size_t length = 0;
    tern_value number;
    const char *text = line(m, &length);
    if (!text) return false;
    if (!tern_number_parse(text, length, &number) || number.kind != TERN_VALUE_INT ||
        number.as.i < 0)
        return fail(m, "a memo number is not written as one");
    return puts ? memo_put(m, (uint64_t)number.as.i) : memo_get(m, (uint64_t)number.as.i);
}

/* ---- names and calls ------------------------------------------------------------------------- */

static bool names(const char *text, size_t length, const char *name) {
    return strlen(name) == length && memcmp(text, name, length) == 0;
}

static bool is_module(const char *text, size_t length, const char *known) {
    size_t prefix = strcspn(known, "*");
    if (!known[prefix]) return names(text, length, known);
    return length > prefix && memcmp(text, known, prefix) == 0 &&
           !memchr(text + prefix, '.', length - prefix);
}

static bool refuse_name(const machine *m, const char *module, size_t module_length,
                        const char *name, size_t name_length) {
    char shown_module[TERN_SHOWN], shown_name[TERN_SHOWN];
    bool is_model = (module_length >= 9 && memcmp(module, "torch.nn.", 9) == 0) ||
                    names(module, module_length, "__main__");
    tern_fail(m->reader->ctx, TERN_ERR_FORMAT,
              "%s: refused: the file wants to call '%s.%s', and a reader of data runs no code%s",
              m->reader->path, tern_shown(module, module_length, shown_module),
              tern_shown(name, name_length, shown_name),
              is_model ? "; save model.state_dict() instead of the model" : "");
    return false;
}

static bool push_global(machine *m, const char *module, size_t module_length, const char *name,
                        size_t name_length) {
    for (size_t i = 0; i < m->reader->n_globals; i++) {
        const tern_pglobal *known = &m->reader->globals[i];
        if (!names(name, name_length, known->name) ||
            !is_module(module, module_length, known->module))
            continue;
        tern_pnode *node = push_new(m, TERN_P_GLOBAL);
        if (node) node->as.known = known->number;
        return node != NULL;
    }
    if (m->reader->classes && tern_pickle_begins(module, module_length, m->reader->classes)) {
        tern_pnode *node = push_new(m, TERN_P_GLOBAL);
        if (node) node->as.known = m->reader->class_number;
        return node != NULL;
    }
    return refuse_name(m, module, module_length, name, name_length);
}

static bool global(machine *m) {
    size_t module_length = 0, name_length = 0;
    const char *module = line(m, &module_length);
    const char *name = module ? line(m, &name_length) : NULL;
    return name && push_global(m, module, module_length, name, name_length);
}

static bool stack_global(machine *m) {
    tern_pnode *name = pop(m), *module = name ? pop(m) : NULL;
    if (!module) return false;
    if (name->kind != TERN_P_TEXT || module->kind != TERN_P_TEXT)
        return fail(m, "a name is not a text");
    return push_global(m, module->as.bytes, module->length, name->as.bytes, name->length);
}

/* function, arguments -> a node that says that the one would be called with the others */
static bool call(machine *m) {
    if (m->depth < 2 || !m->stack[m->depth - 1] || !m->stack[m->depth - 2])
        return fail(m, "an operand is missing");
    if (m->stack[m->depth - 2]->kind != TERN_P_GLOBAL ||
        m->stack[m->depth - 1]->kind != TERN_P_TUPLE)
        return fail(
            m, "it calls something other than a function, or with arguments other than a tuple");
    return make_tuple(m, TERN_P_CALL, m->depth - 2, false);
}

static bool build(machine *m) {
    tern_pnode *state = pop(m), *target = state ? top(m) : NULL;
    if (!target) return false;
    if (target->kind != TERN_P_CALL) return fail(m, "a state is set on an object without one");
    target->built = state;
    return true;
}

static bool stored(machine *m) {
    if (!make_short_tuple(m, 1)) return false;
    tern_pnode *node = m->stack[m->depth - 1];
    node->kind = TERN_P_STORED;
    node->result = m->reader->stored;
    m->reader->stored = node;
    return true;
}

static bool pop_any(machine *m) {
    if (m->depth == 0) return fail(m, "an operand is missing");
    m->depth--;
    return true;
}

static bool pop_mark(machine *m) {
    size_t first;
    if (!find_mark(m, &first)) return false;
    m->depth = first - 1;
    return true;
}

static bool duplicate(machine *m) {
    tern_pnode *node = top(m);
    return node && push(m, node);
}

static bool protocol(machine *m) {
    uint64_t number;
    if (!operand(m, 1, &number)) return false;
    return number <= 5 || fail(m, "its protocol is not one of 0 to 5");
}

static bool frame(machine *m) {
    uint64_t bytes;
    if (!operand(m, 8, &bytes)) return false;
    return bytes <= (uint64_t)(m->end - m->at) || fail(m, "it is truncated");
}

static bool unknown(machine *m, unsigned char opcode) {
    m->at--;
    if (opcode && strchr("Pio", opcode))
        return fail(m, "it makes objects as protocol 0 did, which no file of torch.save does");
    return fail(m, "there is no such opcode");
}

static bool step(machine *m, unsigned char opcode) {
    switch (opcode) {
    case 0x80: return protocol(m);
    case 0x95: return frame(m);
    case '(': return push(m, NULL);
    case '0': return pop_any(m);
    case '1': return pop_mark(m);
    case '2': return duplicate(m);
    case 'N': return push_new(m, TERN_P_NONE) != NULL;
    case 0x88: return push_bool(m, true);
    case 0x89: return push_bool(m, false);
    case 'K': return push_unsigned(m, 1);
    case 'M': return push_unsigned(m, 2);
    case 'J': return push_int32(m);
    case 0x8a: return push_long(m, 1);
    case 0x8b: return push_long(m, 4);
    case 'G': return push_float(m);
    case 'X': return push_bytes(m, TERN_P_TEXT, 4);
    case 0x8c: return push_bytes(m, TERN_P_TEXT, 1);
    case 0x8d: return push_bytes(m, TERN_P_TEXT, 8);
    case 'T': return push_bytes(m, TERN_P_TEXT, 4);
    case 'U': return push_bytes(m, TERN_P_TEXT, 1);
    case 'B': return push_bytes(m, TERN_P_BYTES, 4);
    case 'C': return push_bytes(m, TERN_P_BYTES, 1);
    case 0x8e: return push_bytes(m, TERN_P_BYTES, 8);
    case 0x96: return push_bytes(m, TERN_P_BYTES, 8);
    case ']': return push_new(m, TERN_P_LIST) != NULL;
    case 'a': return extend_short(m, 1, TERN_P_LIST);
    case 'e': return extend_marked(m, TERN_P_LIST);
    case 'l': return make_marked(m, TERN_P_LIST);
    case ')': return push_new(m, TERN_P_TUPLE) != NULL;
    case 't': return make_marked(m, TERN_P_TUPLE);
    case 0x85: return make_short_tuple(m, 1);
    case 0x86: return make_short_tuple(m, 2);
    case 0x87: return make_short_tuple(m, 3);
    case '}': return push_new(m, TERN_P_DICT) != NULL;
    case 'd': return make_marked(m, TERN_P_DICT);
    case 's': return extend_short(m, 2, TERN_P_DICT);
    case 'u': return extend_marked(m, TERN_P_DICT);
    case 0x8f: return push_new(m, TERN_P_SET) != NULL;
    case 0x90: return extend_marked(m, TERN_P_SET);
    case 0x91: return make_marked(m, TERN_P_SET);
    case 'c': return global(m);
    case 0x93: return stack_global(m);
    case 'R': return call(m);
    case 0x81: return call(m);
    case 'b': return build(m);
    case 'Q': return stored(m);
    case 'q': return memo_put_numbered(m, 1);
    case 'r': return memo_put_numbered(m, 4);
    case 0x94: return memo_put(m, m->memo_next);
    case 'h': return memo_get_numbered(m, 1);
    case 'j': return memo_get_numbered(m, 4);
    case 'p': return memo_line(m, true);
    case 'g': return memo_line(m, false);
    case 'I':
    case 'L':
    case 'F': return push_number(m, opcode);
    case 'S':
    case 'V': return push_line(m, opcode);
    default: return unknown(m, opcode);
    }
}

tern_pnode *tern_pickle_read(tern_pickle_reader *reader, const unsigned char *bytes, size_t size,
                             size_t *out_length) {
    machine m = {.reader = reader, .bytes = bytes, .at = bytes, .end = bytes + size};
    tern_pnode *result = NULL;
    bool ok = true, stopped = false;
    while (ok && !stopped) {
        if (m.at == m.end) {
            ok = fail(&m, "it is truncated");
        } else if (*m.at == '.') {
            m.at++;
            stopped = true;
        } else {
            unsigned char opcode = *m.at++;
            ok = step(&m, opcode);
        }
    }
    if (stopped && (m.depth != 1 || !m.stack[0]))
        fail(&m, "it does not end in one object");
    else if (stopped)
        result = m.stack[0];
    if (out_length) *out_length = (size_t)(m.at - bytes);
    tern_free(m.stack);
    tern_free(m.memo);
    return result;
}
