#include "library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include "driver.h"

static const char *look(const cuda_library *library) {
    int driver = 0;
    void *handle = NULL; /* stays open: what it has started on the GPU does not bear its end */
    cuda.driver_version(&driver);
    for (size_t i = 0; i < library->n_places && !handle; i++)
        if (driver >= library->places[i].driver)
            handle = dlopen(library->places[i].path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) return library->absent;
    for (size_t i = 0; i < library->n_functions; i++) {
        void *symbol = dlsym(handle, library->functions[i].symbol);
        if (!symbol) return library->too_old;
        memcpy((char *)library->table + library->functions[i].at, &symbol, sizeof symbol);
    }
    return NULL;
}

const char *cuda_library_open(cuda_library *library) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    if (!library->was_looked_for) library->missing = look(library);
    library->was_looked_for = true;
    pthread_mutex_unlock(&lock);
    return library->missing;
}
