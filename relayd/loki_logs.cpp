#include "relayd/loki_logs.h"

#include <map>
#include <utility>

#include "relayd/loki_entries.h"
#include "relayd/loki_keys.h"
#include "relayd/loki_limits.h"

namespace mayfly::relayd {
namespace {

using TimedEntries = std::vector<std::pair<std::uint64_t, LokiEntry>>;

class LogQueryRun {
 public:
  LogQueryRun(LokiScan& scan, const logql::LogQuery& query, const LokiLogWish& wish)
      : scan_(scan),
        query_(query),
        wish_(wish),
        candidates_(wish.interval_ns > 0 ? kLokiIntervalEntries : wish.limit),
        entries_(candidates_, wish.forward, kLokiAnswerBytes) {}

  shm::Result<LokiLogAnswer> run(const std::vector<shm::DirectoryInfo>& directories) {
    LokiLogAnswer answer;
    for (std::uint32_t i = 0; i < directories.size(); ++i) {
      if (auto read = read_directory(directories[i], i); !read.ok()) return read.error();
    }
    if (entries_.is_cut()) {
      answer.warnings.push_back("the answer ends after " + std::to_string(entries_.count()) +
                                " entries: more than that is too large for one answer");
    }
    if (wish_.interval_ns > 0 && entries_.count() >= candidates_) {
      answer.warnings.push_back("the interval was applied to the first " + std::to_string(candidates_) +
                                " entries only");
    }
    TimedEntries list = entries_.take();
    if (wish_.interval_ns > 0) list = thin_out(std::move(list));
    answer.entries = list.size();
    answer.streams = make_streams(std::move(list), directories);
    return answer;
  }

 private:
  shm::Status read_directory(const shm::DirectoryInfo& directory, std::uint32_t index) {
    LokiKeys keys(query_, directory.kind, directory.name, true);
    const bool large = directory.bytes > kLokiWholeBytes;
    const auto sink = [&](const shm::RecordView& record) {
      if (!entries_.wants(record.time_ns)) return !large || !wish_.forward;
      if (keys.stream_of(record.key, record.value) == nullptr) return true;
      entries_.add(record.time_ns,
                   {index, keys.level_of(record.value), std::string(record.key), std::string(record.value)});
      return true;
    };
    if (!large || wish_.forward) return scan_.visit(directory, wish_.span, sink);
    return scan_.visit(directory, wish_.span, start_of_newest(directory, keys), sink);
  }

  /// The seq of the oldest entry that may be among the newest ones.
  std::uint64_t start_of_newest(const shm::DirectoryInfo& directory, LokiKeys& keys) {
    return scan_.reader().seek_last(directory, candidates_, [&](const shm::RecordView& record) {
      if (scan_.budget().is_over()) return true;  // whatever is found then, visit() fails
      if (record.time_ns >= wish_.span.end_ns) return false;
      if (record.time_ns < wish_.span.start_ns) return true;
      return keys.stream_of(record.key, record.value) != nullptr;
    });
  }

  /// Entries at least the interval apart, as many as are wanted.
  TimedEntries thin_out(TimedEntries list) const {
    TimedEntries kept;
    for (auto& entry : list) {
      if (kept.size() >= wish_.limit) break;
      if (!kept.empty()) {
        const std::uint64_t last = kept.back().first;
        const std::uint64_t apart = wish_.forward ? entry.first - last : last - entry.first;
        if (apart < wish_.interval_ns) continue;
      }
      kept.push_back(std::move(entry));
    }
    return kept;
  }

  std::vector<loki::Stream> make_streams(TimedEntries list,
                                         const std::vector<shm::DirectoryInfo>& directories) const {
    std::map<std::uint32_t, LokiKeys> keys;
    std::map<logql::Labels, std::vector<loki::Entry>> streams;
    for (auto& [time_ns, entry] : list) {
      const auto& directory = directories[entry.directory];
      auto& labels =
          keys.try_emplace(entry.directory, query_, directory.kind, directory.name, true).first->second;
      streams[labels.labels_of(entry.key, entry.level)].push_back({time_ns, std::move(entry.line)});
    }
    std::vector<loki::Stream> made;
    made.reserve(streams.size());
    for (auto& [labels, entries] : streams) made.push_back({labels, std::move(entries)});
    return made;
  }

  LokiScan& scan_;
  const logql::LogQuery& query_;
  const LokiLogWish& wish_;
  std::uint64_t candidates_;
  LokiEntries entries_;
};

}  // namespace

shm::Result<LokiLogAnswer> run_log_query(LokiScan& scan, const logql::LogQuery& query,
                                         const LokiLogWish& wish,
                                         const std::vector<shm::DirectoryInfo>& directories) {
  return LogQueryRun(scan, query, wish).run(directories);
}

}  // namespace mayfly::relayd
