#include "shm/bus_guard.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <mutex>
#include <utility>

namespace mayfly::shm {
namespace {

constexpr std::size_t kMaxGuarded = 256;

/// Written by the guards, read by the handler. `end` is 0 where the place is free.
struct Guarded {
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};
  std::atomic<bool> torn{false};
};

std::array<Guarded, kMaxGuarded> g_guarded;
std::mutex g_guarded_mutex;  // for those who take and leave places; the handler takes no lock
struct sigaction g_previous_action = {};
std::uintptr_t g_page_bytes = 4096;

void hand_on(int number, siginfo_t* info, void* context) {
  if ((g_previous_action.sa_flags & SA_SIGINFO) != 0) {
    g_previous_action.sa_sigaction(number, info, context);
  } else if (g_previous_action.sa_handler != SIG_DFL && g_previous_action.sa_handler != SIG_IGN) {
    g_previous_action.sa_handler(number);
  } else {
    ::signal(number, SIG_DFL);  // the faulting instruction runs again, and ends the process
  }
}

void on_bus_error(int number, siginfo_t* info, void* context) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (Guarded& guarded : g_guarded) {
    const std::uintptr_t end = guarded.end.load(std::memory_order_acquire);
    if (end == 0 || address >= end || address < guarded.begin.load(std::memory_order_relaxed)) continue;
    char* const page = static_cast<char*>(info->si_addr) - (address & (g_page_bytes - 1));
    void* zeros =
        ::mmap(page, g_page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (zeros == MAP_FAILED) break;
    guarded.torn.store(true, std::memory_order_release);
    return;
  }
  hand_on(number, info, context);
}

/// With the mutex held.
void install_handler() {
  static bool installed = false;
  if (installed) return;
  installed = true;
  g_page_bytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  struct sigaction action = {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, &action, &g_previous_action);
}

}  // namespace

BusGuard::BusGuard(const void* begin, std::size_t bytes) {
  const std::scoped_lock lock(g_guarded_mutex);
  install_handler();
  for (std::size_t i = 0; i < kMaxGuarded; ++i) {
    if (g_guarded[i].end.load(std::memory_order_relaxed) != 0) continue;
    const auto address = reinterpret_cast<std::uintptr_t>(begin);
    g_guarded[i].torn.store(false, std::memory_order_relaxed);
    g_guarded[i].begin.store(address, std::memory_order_relaxed);
    g_guarded[i].end.store(address + bytes, std::memory_order_release);
    place_ = static_cast<int>(i);
    return;
  }
}

BusGuard::BusGuard(BusGuard&& other) noexcept : place_(std::exchange(other.place_, -1)) {}

BusGuard& BusGuard::operator=(BusGuard&& other) noexcept {
  std::swap(place_, other.place_);
  return *this;
}

BusGuard::~BusGuard() {
  if (place_ < 0) return;
  g_guarded[static_cast<std::size_t>(place_)].end.store(0, std::memory_order_release);
}

bool BusGuard::torn() const {
  return place_ >= 0 && g_guarded[static_cast<std::size_t>(place_)].torn.load(std::memory_order_acquire);
}

}  // namespace mayfly::shm
