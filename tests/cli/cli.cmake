# The command line's tests: shell scripts over the built `tern`; JSON is checked by a program of ours.
add_executable(tern_json_check cli/json_check.c)
target_link_libraries(tern_json_check PRIVATE tern_flags PkgConfig::JANSSON)
target_compile_definitions(tern_json_check PRIVATE _POSIX_C_SOURCE=200809L)

# The devices that must print the same numbers: the CPU's and the test backends.
set(cli_devices cpu_ref)
set(cli_manifests ${PROJECT_BINARY_DIR}/lib/tern/plugins.d)
if(TARGET tern_backend_cpu_simd_sse2 OR TARGET tern_backend_cpu_simd_neon)
    list(APPEND cli_devices cpu_simd)
endif()
foreach(name discrete delaying minimal)
    if(TARGET tern_backend_${name})
        list(APPEND cli_devices ${name})
    endif()
endforeach()
if(TARGET tern_backend_discrete)
    list(APPEND cli_devices discrete:1 delaying:1) # small tensors share buffers there
    string(APPEND cli_manifests ":${PROJECT_BINARY_DIR}/lib/tern/test-plugins.d")
endif()

file(GLOB cli_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cli/test_*.sh)
foreach(script IN LISTS cli_tests)
    cmake_path(GET script STEM name)
    string(REPLACE "test_" "cli_" name ${name})
    add_test(NAME ${name} COMMAND bash ${script} ${cli_devices})
    set_tests_properties(${name} PROPERTIES LABELS cli TIMEOUT 300 ENVIRONMENT
        "${test_environment};TERN_PLUGIN_PATH=${cli_manifests};tern=$<TARGET_FILE:tern_command>;json_check=$<TARGET_FILE:tern_json_check>;source=${PROJECT_SOURCE_DIR}")
endforeach()

# The command's whole way, from a recipe to predictions, under a sanitizer: what it finds changes an exit
# status, which is a check that fails.
tern_variant_test(cli_run-asan asan sanitizer ${CMAKE_COMMAND} -E env tern=@V@/bin/tern
    json_check=$<TARGET_FILE:tern_json_check> bash ${CMAKE_CURRENT_SOURCE_DIR}/cli/test_run.sh)
