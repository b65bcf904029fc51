#include "common/form_fields.h"

#include <algorithm>

#include "common/text.h"

namespace mayfly {
namespace {

std::string_view take_field(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  const std::string_view head = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return head;
}

bool is_form(const HttpRequest& request) {
  const std::string* type = request.header("content-type");
  return type != nullptr && type->substr(0, type->find(';')) == "application/x-www-form-urlencoded";
}

}  // namespace

shm::Result<FormFields> FormFields::of(const HttpRequest& request) {
  FormFields fields;
  if (auto read = fields.read(request.query, '&', true); !read.ok()) return read.error();
  if (request.method == "POST" && is_form(request)) {
    if (auto read = fields.read(request.body, '&', true); !read.ok()) return read.error();
  }
  const std::size_t slash = request.path.rfind('/');
  const std::size_t mark = request.path.find(';', slash == std::string::npos ? 0 : slash);
  if (mark != std::string::npos) {
    if (auto read = fields.read(std::string_view(request.path).substr(mark + 1), ';', false); !read.ok()) {
      return read.error();
    }
  }
  return fields;
}

shm::Status FormFields::read(std::string_view text, char separator, bool plus_is_blank) {
  while (!text.empty()) {
    const std::string_view field = take_field(text, separator);
    if (field.empty()) continue;
    const std::size_t equals = field.find('=');
    std::string name(field.substr(0, equals));
    std::string value(equals == std::string_view::npos ? std::string_view() : field.substr(equals + 1));
    if (plus_is_blank) {
      std::replace(name.begin(), name.end(), '+', ' ');
      std::replace(value.begin(), value.end(), '+', ' ');
    }
    auto plain_name = percent_decode(name);
    auto plain_value = percent_decode(value);
    if (!plain_name || !plain_value) {
      return shm::Error{shm::Errc::invalid, "a % without two hexadecimal digits in the parameters"};
    }
    add(std::move(*plain_name), std::move(*plain_value));
  }
  return {};
}

void FormFields::remove(std::string_view name) {
  std::erase_if(fields_, [&](const auto& field) { return field.first == name; });
}

const std::string* FormFields::get(std::string_view name) const {
  for (const auto& [key, value] : fields_) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::vector<std::string> FormFields::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : fields_) {
    if (key == name) values.push_back(value);
  }
  return values;
}

std::string FormFields::to_query() const {
  std::string out;
  for (const auto& [name, value] : fields_) {
    if (!out.empty()) out += '&';
    out += percent_encode(name) + "=" + percent_encode(value);
  }
  return out;
}

}  // namespace mayfly
