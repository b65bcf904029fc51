#include "hubd/fan_out.h"

#include <memory>
#include <utility>

#include "common/loop_timer.h"
#include "hubd/collecting_writer.h"

namespace mayfly::hubd {
namespace {

/// One question to many, while it runs; keeps itself alive until then.
class FanOut : public std::enable_shared_from_this<FanOut> {
 public:
  FanOut(uv_loop_t* loop, FanOutLimits limits, std::function<void(std::vector<HostAnswer>)> done)
      : limits_(limits),
        budget_(limits.max_total_bytes),
        done_(std::move(done)),
        timer_(loop, [this] { finish(); }) {}

  void start(HostLinks& links, std::vector<HostQuestion> questions, ResponseWriter& reader) {
    self_ = shared_from_this();
    reader.set_open_ended();  // who has gone need not be asked for
    reader.on_closed([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->give_up();
    });
    timer_.start(limits_.time);
    // All of them first: an answer may come from within forward().
    for (const HostQuestion& question : questions) {
      answers_.push_back({question.server, 0, {}, {}, false, "no_answer_in_time"});
      writers_.push_back(
          std::make_shared<CollectingWriter>(limits_.max_bytes, budget_, [this] { one_done(); }));
    }
    open_ = questions.size() + 1;
    for (std::size_t i = 0; i < questions.size(); ++i) ask(links, std::move(questions[i]), i);
    one_done();
  }

 private:
  void ask(HostLinks& links, HostQuestion question, std::size_t at) {
    const HostState state = links.state(question.server);
    HostAnswer& answer = answers_[at];
    const bool may_ask = question.scope.everything || (!question.scope.nothing() && state.takes_scopes);
    if (!state.connected || !may_ask) {
      answer.problem = state.connected ? "no_rights" : "not_connected";
      writers_[at].reset();
      return one_done();
    }
    HttpRequest request;
    request.method = "GET";
    request.path = std::move(question.path);
    request.query = std::move(question.query);
    request.headers = std::move(question.headers);
    request.headers.emplace_back("host", "hub.invalid");
    links.forward(question.server, question.scope, std::move(request), writers_[at],
                  {limits_.time + kMargin, {}});
  }

  void one_done() {
    // Not from within start(), nor from within whatever ended the last answer.
    if (--open_ == 0) timer_.start(std::chrono::milliseconds(0));
  }

  void finish() {
    const auto alive = std::exchange(self_, nullptr);
    if (!alive) return;
    timer_.stop();
    for (std::size_t i = 0; i < writers_.size(); ++i) {
      if (writers_[i]) collect(*writers_[i], answers_[i]);
    }
    done_(std::move(answers_));
  }

  static void collect(CollectingWriter& writer, HostAnswer& answer) {
    const bool late = !writer.closed();
    if (late) writer.cancel();
    CollectedAnswer& got = writer.answer();
    if (got.complete || got.cut) {
      answer.status = got.status;
      answer.headers = std::move(got.headers);
      answer.body = std::move(got.body);
      answer.cut = got.cut;
      answer.problem.clear();
    } else if (!late) {
      answer.problem = "broke_off";
    }
  }

  void give_up() {
    const auto alive = std::exchange(self_, nullptr);
    if (!alive) return;
    timer_.stop();
    for (const auto& writer : writers_) {
      if (writer && !writer->closed()) writer->cancel();
    }
  }

  // forward()'s own time is only there to end what this leaves behind.
  static constexpr std::chrono::milliseconds kMargin{1000};

  FanOutLimits limits_;
  std::size_t budget_;
  std::function<void(std::vector<HostAnswer>)> done_;
  std::vector<HostAnswer> answers_;
  std::vector<std::shared_ptr<CollectingWriter>> writers_;
  std::size_t open_ = 0;
  LoopTimer timer_;
  std::shared_ptr<FanOut> self_;
};

}  // namespace

void fan_out(uv_loop_t* loop, HostLinks& links, std::vector<HostQuestion> questions, FanOutLimits limits,
             const ResponseWriterPtr& reader, std::function<void(std::vector<HostAnswer>)> done) {
  const auto run = std::make_shared<FanOut>(loop, limits, std::move(done));
  run->start(links, std::move(questions), *reader);
}

}  // namespace mayfly::hubd
