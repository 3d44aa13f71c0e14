#include "table.h"

#include <stdio.h>
#include <string.h>

static int column_width(const char *const *cells, size_t rows, size_t columns, size_t column) {
    size_t width = 0;
    for (size_t row = 0; row < rows; row++) {
        const char *cell = cells[row * columns + column];
        if (cell && strlen(cell) > width) width = strlen(cell);
    }
    return (int)width;
}

void table_print(const char *const *cells, size_t rows, size_t columns) {
    for (size_t row = 0; row < rows; row++) {
        for (size_t column = 0; column < columns; column++) {
            const char *cell = cells[row * columns + column];
            if (column + 1 == columns)
                printf("%s\n", cell ? cell : "");
            else
                printf("%-*s  ", column_width(cells, rows, columns, column), cell ? cell : "");
        }
    }
}
