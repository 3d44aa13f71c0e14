#include "defined.h"

#include <string.h>

const tern_defined tern_defined_rows[TERN_POINTWISE_COUNT] = {
#define POINTWISE(id, names, formula, derivative)         {#id, names, formula, derivative},
#define POINTWISE_CHECKED(id, names, formula, derivative) {#id, names, formula, derivative},
#define POINTWISE_FORM(id, names, formula, derivative)    {#id, names, formula, derivative},
#include "functional/pointwise.def"
#undef POINTWISE
#undef POINTWISE_CHECKED
#undef POINTWISE_FORM
};

const tern_defined *tern_defined_find(const char *name, size_t length) {
    for (int i = 0; i < TERN_POINTWISE_COUNT; i++) {
        const tern_defined *row = &tern_defined_rows[i];
        if (strlen(row->id) == length && memcmp(row->id, name, length) == 0)
            return row->derivative ? NULL : row;
    }
    return NULL;
}

void tern_defined_read(const tern_defined *row, tern_defined_arguments *out) {
    out->count = 0;
    for (const char *text = row->names; *text;) {
        size_t length = strcspn(text, " "), name = strcspn(text, " =");
        int k = out->count++;
        out->names[k] = (tern_program_name){text, name, (int16_t)k, false};
        out->values[k] = tern_none();
        if (name < length) tern_number_parse(text + name + 1, length - name - 1, &out->values[k]);
        text += length + strspn(text + length, " ");
    }
    out->names[out->count] = (tern_program_name){"g", 1, (int16_t)out->count, false};
}
