#include "relayd/read_pool.h"

#include <memory>
#include <utility>

namespace mayfly::relayd {

struct ReadPool::Job {
  uv_work_t request;
  std::string path;
  const shm::Clocks& clocks;
  Work work;
  Done done;
  std::shared_ptr<ReadCounts> counts;
  std::shared_ptr<bool> pool_alive;

  static void run(uv_work_t* request) {
    auto* job = static_cast<Job*>(request->data);
    auto reader = shm::Reader::open(job->path, &job->clocks);
    job->work(reader.ok() ? &reader.value() : nullptr);
    if (!reader.ok()) return;
    job->counts->segment_bytes += reader.value().bytes_read();
    job->counts->key_scans += reader.value().key_scans();
  }
  static void finish(uv_work_t* request, int) {
    const std::unique_ptr<Job> job(static_cast<Job*>(request->data));
    if (*job->pool_alive) job->done();
  }
};

void ReadPool::run(Work work, Done done) {
  auto* job = new Job{{}, path_, clocks_, std::move(work), std::move(done), counts_, alive_};
  job->request.data = job;
  uv_queue_work(loop_, &job->request, Job::run, Job::finish);
}

}  // namespace mayfly::relayd
