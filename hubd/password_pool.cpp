#include "hubd/password_pool.h"

#include <deque>
#include <utility>

#include "common/password_hash.h"

namespace mayfly::hubd {

struct PasswordPool::Queue : std::enable_shared_from_this<PasswordPool::Queue> {
  struct Job {
    uv_work_t work{};
    std::string password;
    std::string hash;
    Done done;
    bool matches = false;
    std::shared_ptr<Queue> queue;

    Job(std::string password_in, std::string hash_in, Done done_in)
        : password(std::move(password_in)), hash(std::move(hash_in)), done(std::move(done_in)) {}
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;
    ~Job() { wipe(password); }
  };

  explicit Queue(uv_loop_t* loop_in) : loop(loop_in) {}

  void start_waiting() {
    while (!closed && running < kMaxRunning && !waiting.empty()) {
      std::unique_ptr<Job> job = std::move(waiting.front());
      waiting.pop_front();
      job->queue = shared_from_this();
      job->work.data = job.get();
      const int queued = uv_queue_work(loop, &job->work, &Queue::work, &Queue::finished);
      if (queued != 0) continue;
      ++running;
      static_cast<void>(job.release());  // finished() has it then
    }
  }

  static void work(uv_work_t* work) {
    Job& job = *static_cast<Job*>(work->data);
    job.matches = password_matches(job.password, job.hash);
  }

  static void finished(uv_work_t* work, int status) {
    const std::unique_ptr<Job> job(static_cast<Job*>(work->data));
    const std::shared_ptr<Queue> queue = job->queue;
    --queue->running;
    if (!queue->closed) job->done(status == 0 && job->matches);
    queue->start_waiting();
  }

  uv_loop_t* loop;
  std::deque<std::unique_ptr<Job>> waiting;
  std::size_t running = 0;
  bool closed = false;
};

PasswordPool::PasswordPool(uv_loop_t* loop) : queue_(std::make_shared<Queue>(loop)) {}

PasswordPool::~PasswordPool() {
  queue_->closed = true;
  queue_->waiting.clear();
}

bool PasswordPool::check(std::string password, std::string hash, Done done) {
  auto job = std::make_unique<Queue::Job>(std::move(password), std::move(hash), std::move(done));
  if (queue_->waiting.size() >= kMaxWaiting) return false;
  queue_->waiting.push_back(std::move(job));
  queue_->start_waiting();
  return true;
}

}  // namespace mayfly::hubd
