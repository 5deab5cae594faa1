# SPDX-License-Identifier: MIT
# libipsec as an ESP-IDF component; from the CMakeLists.txt above. IDF reads
# it twice, the first time for its requirements alone and without CONFIG_*.

set(srcs ${IPSEC_SOURCES})
set(dirs "${IPSEC_ROOT}/include")
if(CONFIG_LIBIPSEC_PORT_MBEDTLS)
    list(APPEND srcs ${IPSEC_MBEDTLS_SOURCES})
    list(APPEND dirs "${IPSEC_ROOT}/ports/mbedtls")
endif()
if(CONFIG_LIBIPSEC_PORT_LWIP)
    list(APPEND srcs ${IPSEC_LWIP_SOURCES})
    list(APPEND dirs "${IPSEC_ROOT}/ports/lwip")
endif()

idf_component_register(SRCS ${srcs} INCLUDE_DIRS ${dirs}
                       REQUIRES mbedtls lwip)

ipsec_kconfig_definitions(left_out)
target_compile_definitions(${COMPONENT_LIB} PRIVATE ${left_out})

# lwIP's files have to see the input hooks, and find what they call.
if(CONFIG_LIBIPSEC_PORT_LWIP)
    idf_component_get_property(lwip lwip COMPONENT_LIB)
    target_include_directories(${lwip} PRIVATE "${IPSEC_ROOT}/ports/lwip")
    target_compile_definitions(${lwip} PRIVATE
        "ESP_IDF_LWIP_HOOK_FILENAME=\"ipsec_lwip_hooks.h\"")
    target_link_libraries(${lwip} PRIVATE ${COMPONENT_LIB})
endif()
