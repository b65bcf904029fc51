#include "cli/source.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "cli/http_get.h"
#include "common/json_view.h"
#include "common/text.h"

namespace mayfly::cli {

using nlohmann::ordered_json;
using shm::Errc;
using shm::Error;
using shm::Result;

namespace {

// Closed to us: it may be open to a group that we are not in.
std::string who_may_read(const std::string& path) {
  struct stat directory {};
  if (::stat(std::filesystem::path(path).parent_path().c_str(), &directory) != 0) return "it is not ours";
  const struct group* group = ::getgrgid(directory.st_gid);  // NOLINT(concurrency-mt-unsafe): one thread
  const std::string name = group != nullptr ? group->gr_name : std::to_string(directory.st_gid);
  return "members of the group " + name + " may read it (`adduser YOU " + name + "`, then log in again)";
}

}  // namespace

Result<shm::Reader> open_segment(const Globals& globals) {
  const std::string path = globals.segment_path();
  auto reader = shm::Reader::open(path);
  if (!reader && reader.error().code == Errc::not_found) {
    return Error{Errc::not_found, "no segment at " + path + " (see `mayfly up`)"};
  }
  if (!reader && ::access(path.c_str(), R_OK) != 0 && errno == EACCES) {
    return Error{reader.error().code, reader.error().text + "; " + who_may_read(path)};
  }
  return reader;
}

Result<shm::DirectoryInfo> find_directory(const shm::Reader& reader, const std::string& name,
                                          shm::Kind kind) {
  auto found = reader.find(kind, name);
  if (!found) return Error{Errc::not_found, "no " + std::string(shm::kind_name(kind)) + " directory " + name};
  return std::move(*found);
}

Result<ordered_json> get_json(const std::string& url) {
  const auto body = http_get(url);
  if (!body) return body.error();
  auto json = ordered_json::parse(body.value(), nullptr, false);
  if (!json.is_object()) return Error{Errc::io, url + " is no Mayfly: its answer is no JSON object"};
  return json;
}

Result<ordered_json> read_directories(const Globals& globals) {
  if (!globals.url.empty()) return get_json(join_url(globals.url, "/api/v1/directories"));
  const auto reader = open_segment(globals);
  if (!reader) return reader.error();
  return directories_json(reader.value().info(), reader.value().directories());
}

std::string exact_bytes(const ordered_json& object, const std::string& field) {
  if (const auto twin = object.find(field + "_b64"); twin != object.end() && twin->is_string()) {
    if (auto bytes = base64_decode(twin->get_ref<const std::string&>())) return *bytes;
  }
  const auto text = object.find(field);
  return text != object.end() && text->is_string() ? text->get<std::string>() : "";
}

std::string key_path(const std::string& prefix, const std::string& key) {
  const bool fits = !key.empty() && key != "." && key != ".." && key.find('/') == std::string::npos;
  return fits ? prefix + "/" + percent_encode(key)
              : prefix + "?key_b64=" + percent_encode(base64_encode(key));
}

std::uint64_t sum_of_causes(const nlohmann::ordered_json& counts) {
  std::uint64_t total = 0;
  for (const auto& [cause, count] : counts.items()) total += count.get<std::uint64_t>();
  return total;
}

}  // namespace mayfly::cli
