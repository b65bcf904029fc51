// One reader's request on its way: waiting for its server, asked, being answered.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/http_message.h"
#include "common/tunnel_wire.h"
#include "hubd/link_shared.h"

namespace mayfly::hubd {

/// An answer as it came in a POST.
struct TunnelledAnswer {
  WrappedHead head;
  std::shared_ptr<BodyReader> body;  // null: `small_body` is all
  std::string small_body;
  bool announces_body = false;  // whether or not it ever comes
  ResponseWriterPtr post;
};

/// Belongs to the loop's thread. LinkShared::by_id keeps it alive until it is done; whoever calls a
/// method holds a pointer of his own.
class RelayedRequest : public std::enable_shared_from_this<RelayedRequest> {
 public:
  enum class Stage { waiting, asked, answering, done };
  /// Of a body, waiting to leave for the reader: above the first the server is held back, until
  /// the second is reached.
  static constexpr std::size_t kHoldAbove = 64 << 10;
  static constexpr std::size_t kGoOnBelow = 16 << 10;

  struct Plan {
    std::chrono::milliseconds head_timeout;
    std::string prefix;        // see ForwardOptions
    bool stays_alive = false;  // its server keeps event streams alive with comments
  };

  RelayedRequest(LinkShared& shared, HostLink& link, std::uint64_t number, WrappedRequest wrapped,
                 ResponseWriterPtr reader, Plan plan);

  /// Begins to wait for the answer.
  void start();
  /// It has been handed out.
  void asked();
  /// It waits again: what it was handed out with is lost. Once only; false: it was before.
  bool take_back();
  /// Takes the answer: its head goes to the reader now, its body while it comes, and `post` is
  /// answered when there is no more use for it. Only while asked.
  void answer(TunnelledAnswer answer);
  /// Ends it: an answer with `text` for the reader, or, where one has begun, a visible cut.
  void dismiss(int status, std::string_view text);
  /// The answer is no message that could be passed on: 502 for the reader. Only while asked.
  void refuse_answer(TunnelledAnswer answer);

  Stage stage() const { return stage_; }
  const std::string& id() const { return id_; }
  /// Empty once it is being answered.
  const WrappedRequest& wrapped() const { return wrapped_; }
  std::uint64_t number() const { return number_; }  // in order of arrival at its link
  std::size_t size() const { return size_; }        // of the request, about
  HostLink& link() { return link_; }

 private:
  void take_post(TunnelledAnswer& answer);
  void give_up();
  /// False: it is no number.
  bool read_length(const WrappedHead& head);
  void answer_without_body(int status, HttpHeaders headers, bool announces_body);
  void answer_whole(int status, const HttpHeaders& headers, std::string_view body);
  void stream_answer(int status, HttpHeaders headers);
  void received(std::string_view data);
  void body_ended(bool complete);
  void hold_back();
  void reader_gone();
  void check_stream();
  void cut();
  void answer_post(std::string_view text);
  void tell_reader(int status, std::string_view text);
  void done();

  LinkShared& shared_;
  HostLink& link_;
  std::uint64_t number_;
  WrappedRequest wrapped_;
  std::string id_;
  std::string path_;
  bool is_head_;
  std::size_t size_;
  ResponseWriterPtr reader_;
  Plan plan_;
  Stage stage_ = Stage::waiting;
  bool taken_back_ = false;
  Deadlines::Key deadline_{};  // of the head; of the stream's next check
  ResponseWriterPtr post_;
  std::shared_ptr<BodyReader> body_;
  std::optional<std::uint64_t> declared_;  // bytes of body that the head announces
  std::uint64_t passed_on_ = 0;
  bool held_back_ = false;
  bool event_stream_ = false;
  std::uint64_t progress_ms_ = 0;  // when a byte last came, or left while held back
  std::size_t queued_at_check_ = 0;
};

using RelayedRequestPtr = std::shared_ptr<RelayedRequest>;

}  // namespace mayfly::hubd
