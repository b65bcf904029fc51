// The read API as a tunnel sees it: requests that carry the hub's word of what their reader may see.
#pragma once

#include <memory>
#include <string>

#include "common/scope_header.h"
#include "relayd/read_api.h"
#include "tests/relayd/captured_response.h"
#include "tests/relayd/relay_fixture.h"

namespace mayfly::relayd {

class TunnelFixture : public RelayFixture {
 protected:
  using Answer = std::shared_ptr<test::CapturedResponse>;

  ~TunnelFixture() override { stop_api(); }

  void start_api() {
    thread_.call([this] { api_ = std::make_unique<Api>(thread_.loop(), paths_.data); });
  }
  void stop_api() {
    thread_.call([this] { api_.reset(); });
  }
  /// Hands a request over and does not wait for its answer.
  Answer begin(const std::string& target, HttpHeaders headers = {}, bool tunnelled = true) {
    HttpRequest request;
    request.method = "GET";
    const std::size_t mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != std::string::npos) request.query = target.substr(mark + 1);
    request.headers = std::move(headers);
    request.tunnelled = tunnelled;
    return hand_over(std::move(request));
  }
  Answer hand_over(HttpRequest request) {
    auto response = std::make_shared<test::CapturedResponse>();
    thread_.call([&] { api_->api.handle(request, response); });
    return response;
  }
  Answer ask(const std::string& target, HttpHeaders headers = {}, bool tunnelled = true) {
    auto response = begin(target, std::move(headers), tunnelled);
    EXPECT_TRUE(response->wait()) << target;
    return response;
  }
  /// As a reader of these prefixes.
  Answer ask_as(const std::string& scope, const std::string& target) {
    return ask(target, {{std::string(kReadScopeHeader), scope}});
  }

 private:
  struct Api {
    std::shared_ptr<ReadCounts> counts = std::make_shared<ReadCounts>();
    SegmentView segment;
    ReadPool pool;
    SliceRunner slices;
    FollowHub follow;
    ReadApi api;

    Api(uv_loop_t* loop, const std::string& path)
        : segment(path, shm::system_clocks(), counts.get()),
          pool(loop, path, shm::system_clocks(), counts),
          slices(loop),
          follow(loop, path, segment, slices, [](bool) {}),
          api({loop,
               SegmentAccess(segment, pool),
               slices,
               follow,
               [] { return nullptr; },
               {},
               {},
               [this] {
                 return ReadingCounts{counts->segment_bytes.load(), counts->key_scans.load(),
                                      follow.counts()};
               }}) {}
  };
  std::unique_ptr<Api> api_;
};

}  // namespace mayfly::relayd
