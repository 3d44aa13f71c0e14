# cpu_simd: each of its variants on a CPU that has no more than it needs, and the machine's best one on
# several threads. AVX-512 is not emulated: it runs where the machine has it.
set(simd ${CMAKE_CURRENT_SOURCE_DIR}/simd)
set(simd_vectors ${CMAKE_CURRENT_SOURCE_DIR}/vectors)

function(tern_simd_test name)
    add_test(NAME ${name} COMMAND ${ARGN})
    set_tests_properties(${name} PROPERTIES LABELS simd TIMEOUT 300 ENVIRONMENT "${simd_environment}")
endfunction()

string(REPLACE "${PROJECT_BINARY_DIR}/lib/tern/plugins.d"
    "${PROJECT_BINARY_DIR}/lib/tern/plugins.d:${PROJECT_BINARY_DIR}/lib/tern/test-plugins.d"
    simd_environment "${test_environment}")
string(REPLACE "TERN_DEVICE=cpu_ref" "TERN_DEVICE=cpu_simd" simd_environment "${simd_environment}")

if(TARGET tern_unit)
    tern_simd_test(unit-simd tern_unit --short-filename)
endif()
tern_simd_test(simd-choice ${simd}/choice $<TARGET_FILE:tern_command>)
foreach(threads 1 2 3)
    tern_simd_test(conformance-simd-${threads} ${simd}/threads ${threads} $<TARGET_FILE:tern_command>
        ${simd_vectors})
endforeach()

tern_simd_test(simd-sse2 ${simd}/variant sse2 $<TARGET_FILE:tern_command> ${simd_vectors} 200
    qemu-x86_64-static -cpu core2duo)
tern_simd_test(simd-avx2 ${simd}/variant avx2 $<TARGET_FILE:tern_command> ${simd_vectors} 200
    qemu-x86_64-static -cpu Haswell-noTSX)
add_test(NAME simd-avx512 COMMAND ${simd}/avx512 $<TARGET_FILE:tern_command> ${simd_vectors})
set_tests_properties(simd-avx512 PROPERTIES LABELS simd TIMEOUT 300 SKIP_RETURN_CODE 77
    ENVIRONMENT "${simd_environment}")

tern_variant_test(simd-neon neon simd ${simd}/variant neon @V@/bin/tern ${simd_vectors} 200
    qemu-aarch64-static)
