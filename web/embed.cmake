# cmake -DOUT=DIR -DFILES="a;b;..." -DGZIP=gzip -P embed.cmake
#
# Writes OUT/web_table.cpp: the files and their compressed forms (by .incbin), with type and hash, as
# mayfly::web_assets(). The version is a hash over all of them. Pages are templates: a line of
# `variants` below makes one out of a file, with @assets@ and @place@ replaced.
cmake_minimum_required(VERSION 3.25)

# name of the page | its template | way to the folder of the assets | what it is for
set(variants
  "host.html|host.html|assets|host"
  "hub_host.html|host.html|../../../assets|hub"
  "servers.html|servers.html|../../assets|servers")

set(type_css "text/css; charset=utf-8")
set(type_html "text/html; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_svg "image/svg+xml")

set(hashes "")
set(assets "")
foreach(file IN LISTS FILES)
  file(SHA256 ${file} hash)
  list(APPEND hashes ${hash})
  cmake_path(GET file FILENAME name)
  if(file MATCHES "\\.html$")
    set(template_${name} ${file})
  else()
    list(APPEND assets "${name}|${file}")
  endif()
endforeach()
string(SHA256 version "${hashes}")
string(SUBSTRING ${version} 0 16 version)

file(MAKE_DIRECTORY ${OUT}/files)
foreach(variant IN LISTS variants)
  string(REPLACE "|" ";" variant "${variant}")
  list(GET variant 0 name)
  list(GET variant 1 template)
  list(GET variant 2 way)
  list(GET variant 3 place)
  set(assets_at "${way}/${version}")
  file(READ ${template_${template}} text)
  string(REPLACE "@assets@" "${assets_at}" text "${text}")
  string(REPLACE "@place@" "${place}" text "${text}")
  file(WRITE ${OUT}/files/${name} "${text}")
  list(APPEND assets "${name}|${OUT}/files/${name}")
endforeach()

set(sections "")
set(symbols "")
set(rows "")
set(number 0)
foreach(asset IN LISTS assets)
  string(REPLACE "|" ";" asset "${asset}")
  list(GET asset 0 name)
  list(GET asset 1 file)
  file(SHA256 ${file} hash)
  string(SUBSTRING ${hash} 0 32 hash)
  set(packed ${OUT}/files/${name}.gz)
  execute_process(COMMAND ${GZIP} -9nc ${file} OUTPUT_FILE ${packed} COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCH "[a-z]+$" ending ${name})
  set(symbol mayfly_web_${number})
  foreach(part IN ITEMS "plain|${file}" "packed|${packed}")
    string(REPLACE "|" ";" part "${part}")
    list(GET part 0 form)
    list(GET part 1 path)
    string(APPEND sections "${symbol}_${form}: .incbin \"${path}\"\n${symbol}_${form}_end:\n")
    string(APPEND symbols "extern const char ${symbol}_${form}[], ${symbol}_${form}_end[];\n")
  endforeach()
  string(APPEND rows "    {\"${name}\", \"${type_${ending}}\", \"${hash}\",\n"
    "     {${symbol}_plain, ${symbol}_plain_end}, {${symbol}_packed, ${symbol}_packed_end}},\n")
  math(EXPR number "${number} + 1")
endforeach()

# The symbols are local to this one object file.
file(WRITE ${OUT}/web_table.cpp "// Made by web/embed.cmake.
#include \"common/static_assets.h\"

__asm__(R\"(
.section .rodata
${sections}.previous
)\");

extern \"C\" {
${symbols}}

namespace mayfly {
namespace {
const StaticAsset kAssets[] = {
${rows}};
}  // namespace

const StaticAssets& web_assets() {
  static const StaticAssets assets{kAssets, \"${version}\"};
  return assets;
}

}  // namespace mayfly
")
