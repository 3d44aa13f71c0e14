# The table through which a static build finds its backends: every manifest of plugins.d, and the
# entry point of those that are linked in (TERN_STATIC_BACKENDS; tern_backend_query_NAME, where NAME
# is the manifest's file name without .tern).
set(declarations)
set(entries)
file(GLOB static_manifests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/plugins.d/*.tern)
foreach(manifest IN LISTS static_manifests)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${manifest})
    cmake_path(GET manifest STEM stem)
    set(query 0)
    if(stem MATCHES "^cpu_simd_" AND NOT stem IN_LIST TERN_STATIC_BACKENDS)
        continue() # variants that are not linked in need no mention
    endif()
    if(stem MATCHES "^(opencl|lapack)$")
        continue() # its driver's loader, or the library itself, is a shared library
    endif()
    if(stem IN_LIST TERN_STATIC_BACKENDS)
        set(query tern_backend_query_${stem})
        string(APPEND declarations
            "int32_t ${query}(uint32_t host_abi, const tern_host *host, tern_backend_desc *out_desc,\n"
            "                 tern_backend_error *err);\n")
    endif()
    file(READ ${manifest} text)
    string(REPLACE "\\" "\\\\" text "${text}")
    string(REPLACE "\"" "\\\"" text "${text}")
    string(REPLACE "\n" "\\n\"\n     \"" text "${text}")
    string(APPEND entries "    {\"${stem}.tern\",\n     \"${text}\",\n     ${query}},\n")
endforeach()
configure_file(${CMAKE_CURRENT_LIST_DIR}/static_backends.c.in
               ${PROJECT_BINARY_DIR}/static_backends.c @ONLY)
target_sources(tern_core PRIVATE ${PROJECT_BINARY_DIR}/static_backends.c)
set_source_files_properties(${PROJECT_BINARY_DIR}/static_backends.c PROPERTIES
    INCLUDE_DIRECTORIES "${PROJECT_SOURCE_DIR};${PROJECT_SOURCE_DIR}/include")
