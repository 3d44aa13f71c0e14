# Compiler flags of every target: language, warnings, reproducible arithmetic, sanitizers.
#
# -ffp-contract=off is part of the contract, not a taste: results are equal bit for bit on every
# compiler and CPU only where no multiply-add is fused behind the program's back.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

# All of the project's own sources are compiled with these.
add_library(tern_flags INTERFACE)
target_compile_options(tern_flags INTERFACE
    -ffp-contract=off -fno-strict-aliasing -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion
    -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
    $<$<BOOL:${TERN_WERROR}>:-Werror>
    $<$<CONFIG:Release>:-ffunction-sections -fdata-sections>)
target_link_options(tern_flags INTERFACE $<$<CONFIG:Release>:-Wl,--gc-sections>)

# A library names all that it needs. A sanitizer's runtime comes with the program, so not there.
set(tern_closed -Wl,--no-undefined)
if(TERN_SANITIZE)
    set(tern_closed)
    target_compile_options(tern_flags INTERFACE
        -fsanitize=${TERN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
    target_link_options(tern_flags INTERFACE -fsanitize=${TERN_SANITIZE})
    # The checks that a sanitizer adds make gcc warn where there is nothing (its manual says so).
    target_compile_options(tern_flags INTERFACE $<$<C_COMPILER_ID:GNU>:-Wno-maybe-uninitialized
        -Wno-format-truncation -Wno-stringop-overflow>)
endif()
if(TERN_COVERAGE)
    target_compile_options(tern_flags INTERFACE --coverage -O0 -g)
    target_link_options(tern_flags INTERFACE --coverage)
endif()
