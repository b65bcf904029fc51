#include "tests/crash/continuation.h"

#include "tests/crash/examiner.h"
#include "tests/shm/rig.h"

namespace mayfly::shm::test {
namespace {

constexpr int kRecords = 10;

ModelDirectory model_of(const Engine& engine, const Reader::Snapshot& snapshot) {
  const DirectoryInfo& info = snapshot.directory;
  ModelDirectory model(info.kind, info.quotas);
  for (const RecordView& r : snapshot.records) {
    model.live.push_back({r.seq, r.boot_ns, std::string(r.key), std::string(r.value)});
  }
  model.next_seq = info.next_seq;
  model.stored = info.stored;
  model.replaced = info.replaced;
  model.dropped = info.dropped;
  model.evicted = info.evicted;
  model.last_boot = engine.directories[info.id]->now.last_boot_ns;
  return model;
}

void go_on_in(Engine& engine, Reader& reader, const DirectoryInfo& info, const Continuation& how) {
  ModelDirectory model = model_of(engine, reader.snapshot(info));
  Worker w(*engine.workers[0]);
  const int n = info.quotas.max_age_seconds == 0 ? 1 : kRecords;
  const Now now{how.clocks.wall_ns(), how.clocks.boot_ns()};
  if (!w.begin(info.id, now)) throw Finding("not open after recovery");
  for (int i = 0; i < n; ++i) {
    const std::string k = how.key();
    const std::string v = how.value();
    w.append(k, v);
    model.append(k, v, now.boot_ns, engine.segment.geometry().max_record_bytes());
  }
  w.commit();
  if (!how.compared) return;
  const std::string is = describe(reader, info.name);
  const std::string should_be = describe(model);
  if (is != should_be) throw Finding("after going on:\n" + is + "but\n" + should_be);
}

}  // namespace

void go_on(Engine& engine, Reader& reader, const Continuation& how) {
  for (const DirectoryInfo& info : reader.directories()) go_on_in(engine, reader, info, how);
}

}  // namespace mayfly::shm::test
