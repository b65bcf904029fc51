#include "relayd/loki_budget.h"

namespace mayfly::relayd {

shm::Status LokiBudget::spend(std::uint64_t bytes, std::uint64_t lines) {
  bytes_ += bytes;
  lines_ += lines;
  if (bytes > bytes_left_) {
    return shm::Error{
        shm::Errc::no_space,
        "the query would read too many bytes. Consider adding more specific stream selectors or "
        "reduce the time range of the query"};
  }
  bytes_left_ -= bytes;
  if (is_over()) {
    return shm::Error{shm::Errc::busy,
                      "the query took too long. Consider adding more specific stream selectors or reduce the "
                      "time range of the query"};
  }
  return {};
}

bool LokiBudget::is_over() const {
  return cancelled_->load(std::memory_order_relaxed) || std::chrono::steady_clock::now() >= deadline_;
}

double LokiBudget::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

}  // namespace mayfly::relayd
