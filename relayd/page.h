// The page of this host, for people: at /, with its files below /assets/.
#pragma once

#include "common/http_message.h"

namespace mayfly::relayd {

/// True for paths that answer_page() answers.
bool is_page_path(const HttpRequest& request);
/// Answers GET and HEAD. Holds nothing of the host: the page asks the read API for all it shows.
void answer_page(const HttpRequest& request, ResponseWriter& response);

}  // namespace mayfly::relayd
