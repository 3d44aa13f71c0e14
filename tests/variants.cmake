# Tern built once more with other options, and the tests that run there. Each build is a test of its
# own (it fails on a warning) and a fixture of those that need it.

# tern_variant(NAME TARGETS a,b OPTIONS ...): the test build-NAME; tests with FIXTURES_REQUIRED NAME
# run after it. Two builds at once would only slow each other down.
function(tern_variant name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "TARGETS" "OPTIONS")
    add_test(NAME build-${name} COMMAND
        ${CMAKE_CURRENT_SOURCE_DIR}/variants/build ${PROJECT_SOURCE_DIR}
        ${PROJECT_BINARY_DIR}/variants/${name} ${arg_TARGETS} ${arg_OPTIONS})
    set_tests_properties(build-${name} PROPERTIES
        FIXTURES_SETUP ${name} LABELS build PROCESSORS 2 TIMEOUT 1200)
endfunction()

# tern_variant_test(NAME VARIANT LABEL command...): a test in a variant; @V@ is its build folder.
function(tern_variant_test test variant label)
    string(REPLACE "@V@" "${PROJECT_BINARY_DIR}/variants/${variant}" command "${ARGN}")
    add_test(NAME ${test} COMMAND ${command})
    set(environment ${test_environment})
    string(REPLACE "${PROJECT_BINARY_DIR}/lib" "${PROJECT_BINARY_DIR}/variants/${variant}/lib"
           environment "${environment}")
    set_tests_properties(${test} PROPERTIES
        FIXTURES_REQUIRED ${variant} LABELS ${label} ENVIRONMENT "${environment}" TIMEOUT 900)
endfunction()

set(sanitized ${CMAKE_CURRENT_SOURCE_DIR}/runner/sanitized)
set(expect_red ${CMAKE_CURRENT_SOURCE_DIR}/planted/expect-red)

# ---- sanitizers ------------------------------------------------------------------------------
# One variant of cpu_simd, the widest that this machine runs: no emulator runs AVX-512.
set(sanitized_simd avx2)
if(EXISTS /proc/cpuinfo)
    file(READ /proc/cpuinfo cpuinfo)
    if(cpuinfo MATCHES "avx512dq" AND cpuinfo MATCHES "avx512bw" AND cpuinfo MATCHES "avx512vl")
        set(sanitized_simd avx512)
    endif()
endif()
tern_variant(asan TARGETS all OPTIONS
    -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG=-O1\ -g1 -DTERN_SANITIZE=address,undefined
    -DTERN_SIMD_VARIANTS=${sanitized_simd})
tern_variant_test(unit-asan asan sanitizer ${sanitized} @V@/logs/unit @V@/bin/tern_unit_plain)

# The count of allocations is printed; `tern_allocations FOLDER 100` by hand fails the whole tutorial's.
if(TARGET tern_allocations)
    tern_variant_test(allocations-asan asan sanitizer
        ${sanitized} @V@/logs/allocations @V@/bin/tern_allocations @V@/logs/allocations.files)
endif()

if(TARGET tern_arguments)
    tern_variant_test(arguments-asan asan sanitizer
        ${sanitized} @V@/logs/arguments @V@/bin/tern_arguments @V@/logs/arguments.files 8)
    tern_variant_test(arguments-asan-all asan long
        ${sanitized} @V@/logs/arguments-all @V@/bin/tern_arguments @V@/logs/arguments-all.files)
    string(REPLACE "${PROJECT_BINARY_DIR}/lib" "${PROJECT_BINARY_DIR}/variants/asan/lib"
           arguments_environment "${arguments_environment}")
    set_tests_properties(arguments-asan arguments-asan-all PROPERTIES ENVIRONMENT "${arguments_environment}")
endif()

# A sample of calls with hostile arguments, and ten million of them: repeated by the seed and the number that a
# failure names.
if(TARGET tern_hostile_calls)
    set(hostile @V@/bin/tern_hostile_calls)
    tern_variant_test(hostile-calls asan sanitizer
        ${sanitized} @V@/logs/hostile ${hostile} 1 0 60000 cpu_ref minimal)
    tern_variant_test(hostile-calls-all asan long
        ${sanitized} @V@/logs/hostile-all ${hostile} 2 0 7000000 cpu_ref minimal)
    tern_variant_test(hostile-calls-simd asan long
        ${sanitized} @V@/logs/hostile-simd ${hostile} 3 0 3000000 cpu_simd cpu_ref)
    set_tests_properties(hostile-calls hostile-calls-all PROPERTIES ENVIRONMENT
        "TERN_PLUGIN_PATH=${PROJECT_BINARY_DIR}/variants/asan/lib/tern/plugins.d:${PROJECT_BINARY_DIR}/variants/asan/lib/tern/test-plugins.d;TERN_PLUGIN_PATH_ADD=")
    set_tests_properties(hostile-calls-all hostile-calls-simd PROPERTIES TIMEOUT 10000)
endif()

foreach(source IN LISTS fuzz_sources)
    get_filename_component(name ${source} NAME_WE)
    tern_variant_test(${name} asan sanitizer
        ${sanitized} @V@/logs/${name} @V@/bin/tern_${name} 20000)
    tern_variant_test(${name}-minute asan long
        ${sanitized} @V@/logs/${name}-minute @V@/bin/tern_${name} 60s 7)
endforeach()

# What runs on several threads; all else under ThreadSanitizer takes ten minutes and more.
set(tsan_options -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG=-O1\ -g1 -DTERN_SANITIZE=thread
    -DTERN_EXAMPLES=OFF -DTERN_SIMD_VARIANTS=${sanitized_simd})
tern_variant(tsan TARGETS tern_unit_threads,tern_planted,plugins OPTIONS ${tsan_options})
tern_variant_test(unit-tsan tsan sanitizer ${sanitized} @V@/logs/unit @V@/bin/tern_unit_threads
    cpu_simd/two_* cpu_simd_[adirw]*/* cpu_simd_matmul/*threads pool/* kit_scratch/* nn_weights/* registry/*
    stale/handles* upload/* copy_between/* delaying*/* test_backends/* backend_plans/* skips/*)
set_tests_properties(unit-tsan PROPERTIES PROCESSORS 2)
tern_variant(tsan-all TARGETS tern_unit_plain,plugins OPTIONS ${tsan_options})
tern_variant_test(unit-tsan-all tsan-all long ${sanitized} @V@/logs/unit @V@/bin/tern_unit_plain)
set_tests_properties(build-tsan-all PROPERTIES LABELS long)

# Each planted fault turns its run red, and without a sanitizer nobody would notice.
foreach(fault "leak|asan|detected memory leaks" "overflow|asan|heap-buffer-overflow"
              "undefined|asan|shift exponent 32" "race|tsan|data race")
    string(REPLACE "|" ";" fault "${fault}")
    list(GET fault 0 name)
    list(GET fault 1 variant)
    list(GET fault 2 report)
    tern_variant_test(planted-${name} ${variant} sanitizer
        ${expect_red} ${sanitized} @V@/logs/${name} ${report} @V@/bin/tern_planted planted/${name})
endforeach()

# ---- aarch64 ------------------------------------------------------------------------------------
# As it is shipped, and emulated here.
tern_variant(neon TARGETS tern_command,plugins,tern_hash,tern_mlp OPTIONS
    -DCMAKE_TOOLCHAIN_FILE=${PROJECT_SOURCE_DIR}/cmake/aarch64-linux-gnu.cmake
    -DTERN_EXAMPLES=OFF -DCMAKE_BUILD_TYPE=Release)

# ---- the compiler and architecture matrix ------------------------------------------------------
# The same hashes from gcc and clang, -O0 and -O3, x86-64 and aarch64: this build, aarch64's and one more by
# clang, in which each of them occurs, and six others with the label `long`.
if(NOT EXISTS ${PROJECT_SOURCE_DIR}/backends/cpu_ref)
    return()
endif()
set(record ${CMAKE_CURRENT_SOURCE_DIR}/matrix/record)

# tern_hashes(BUILD LABEL HASH TRAINED): tests that write what BUILD computes with the commands HASH and
# TRAINED (lists), in the fixture hashes-BUILD. sample_... or all_... get its files.
function(tern_hashes build label folder)
    cmake_parse_arguments(PARSE_ARGV 3 arg "" "" "HASH;TRAINED;FIXTURES")
    foreach(run hash training)
        set(command ${arg_HASH})
        if(run STREQUAL "training")
            set(command ${arg_TRAINED})
        endif()
        add_test(NAME ${run}-run-${build} COMMAND ${record} ${folder}/${run}.txt ${command})
        string(REPLACE "${PROJECT_BINARY_DIR}/lib" "${folder}/lib" environment "${test_environment}")
        set_tests_properties(${run}-run-${build} PROPERTIES LABELS ${label} TIMEOUT 900
            FIXTURES_SETUP hashes-${build} ENVIRONMENT "${environment}" FIXTURES_REQUIRED "${arg_FIXTURES}")
        set(all_${run} ${all_${run}} ${folder}/${run}.txt PARENT_SCOPE)
        if(NOT label STREQUAL "long")
            set(sample_${run} ${sample_${run}} ${folder}/${run}.txt PARENT_SCOPE)
        endif()
    endforeach()
    set(all_fixtures ${all_fixtures} hashes-${build} PARENT_SCOPE)
    if(NOT label STREQUAL "long")
        set(sample_fixtures ${sample_fixtures} hashes-${build} PARENT_SCOPE)
    endif()
endfunction()

set(variants ${PROJECT_BINARY_DIR}/variants)
set(plugin lib/tern/plugins/libtern_cpu_ref.so)
tern_hashes(release matrix ${PROJECT_BINARY_DIR}
    HASH $<TARGET_FILE:tern_hash> ${PROJECT_BINARY_DIR}/${plugin} TRAINED $<TARGET_FILE:tern_mlp>)
tern_hashes(neon matrix ${variants}/neon FIXTURES neon
    HASH qemu-aarch64-static ${variants}/neon/bin/tern_hash ${variants}/neon/${plugin}
    TRAINED qemu-aarch64-static ${variants}/neon/bin/tern_mlp)
foreach(build clang-O0 clang-O3 gcc-O0 gcc-O3 aarch64-O0 aarch64-O3)
    string(REGEX MATCH "^[a-z0-9]+" compiler ${build})
    string(REGEX MATCH "-O[03]$" level ${build})
    set(options -DCMAKE_C_COMPILER=${compiler})
    set(emulator)
    if(compiler STREQUAL aarch64)
        set(options -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc -DCMAKE_SYSTEM_NAME=Linux
            -DCMAKE_SYSTEM_PROCESSOR=aarch64)
        set(emulator qemu-aarch64-static)
    endif()
    set(variant hash-${build})
    tern_variant(${variant} TARGETS tern_hash,tern_mlp,tern_device_list,tern_probe OPTIONS ${options} -DTERN_STATIC=ON
        -DTERN_IO=OFF -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE=${level}
        -DTERN_CORE_FLAGS=)
    set(label long)
    if(build STREQUAL "clang-O0")
        set(label matrix)
    else()
        set_tests_properties(build-${variant} PROPERTIES LABELS long)
    endif()
    tern_hashes(${build} ${label} ${variants}/${variant} FIXTURES ${variant}
        HASH ${emulator} ${variants}/${variant}/bin/tern_hash
        TRAINED ${emulator} ${variants}/${variant}/bin/tern_mlp)
endforeach()
set(compare ${CMAKE_CURRENT_SOURCE_DIR}/matrix/compare)
# tern_same_files(NAME LINES RUN FIXTURES FILES...): a test of the sample, and NAME-all of everything.
function(tern_same_files name lines files fixtures)
    add_test(NAME ${name} COMMAND ${compare} ${lines} ${ARGN} ${sample_${files}})
    add_test(NAME ${name}-all COMMAND ${compare} ${lines} ${ARGN} ${all_${files}})
    set_tests_properties(${name} PROPERTIES
        FIXTURES_REQUIRED "${fixtures};${sample_fixtures}" LABELS matrix)
    set_tests_properties(${name}-all PROPERTIES
        FIXTURES_REQUIRED "${fixtures};${all_fixtures}" LABELS long)
endfunction()
tern_same_files(matrix-kernels 1000 hash "")

# The shared and the static build list the same devices.
tern_variant_test(same-devices hash-clang-O0 unit ${CMAKE_CURRENT_SOURCE_DIR}/loader/same-devices
    ${PROJECT_BINARY_DIR}/bin/tern_device_list @V@/bin/tern_device_list ${PROJECT_BINARY_DIR}/lib/tern)
set_tests_properties(same-devices PROPERTIES ENVIRONMENT "TERN_DEVICE=")

# ---- the small static build --------------------------------------------------------------------
# One trained network on musl, within its size, and with the same losses as everywhere.
if(TARGET tern_nn_objects AND TARGET tern_optim_objects)
    tern_variant(musl TARGETS tern_mlp OPTIONS
        -DCMAKE_C_COMPILER=musl-gcc -DTERN_STATIC=ON -DTERN_IO=OFF -DTERN_THREADS=OFF -DTERN_FUSED=OFF
        -DTERN_COMPLEX=OFF
        -DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON -DCMAKE_C_COMPILER_AR=/usr/bin/gcc-ar
        -DCMAKE_C_COMPILER_RANLIB=/usr/bin/gcc-ranlib "-DCMAKE_EXE_LINKER_FLAGS=-Wl,-z,noseparate-code -flto-partition=one"
        -DCMAKE_BUILD_TYPE=Release "-DCMAKE_C_FLAGS_RELEASE=-Os -DNDEBUG -fno-asynchronous-unwind-tables")
    tern_variant_test(size-musl musl size
        ${CMAKE_CURRENT_SOURCE_DIR}/size/check 400 @V@/bin/tern_mlp
        ${record} @V@/training.txt @V@/bin/tern_mlp)
    set_tests_properties(size-musl PROPERTIES FIXTURES_SETUP hashes-musl)
    tern_same_files(matrix-training 11 training hashes-musl
        ${PROJECT_BINARY_DIR}/variants/musl/training.txt)
endif()
