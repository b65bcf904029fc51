// An HttpServer on a loop thread of its own, for tests.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "common/http_server.h"
#include "tests/common/http_test_client.h"
#include "tests/common/loop_thread.h"
#include "tests/common/signal.h"

namespace mayfly::test {

class HttpServerFixture : public ::testing::Test {
 protected:
  void serve(HttpHandler handler, HttpServerOptions options = {}) {
    thread_.call([&] {
      server_ = std::make_unique<HttpServer>(thread_.loop(), std::move(options), std::move(handler));
      port_ = server_->listen_tcp("127.0.0.1", 0).value();
    });
  }
  HttpServerCounts counts() {
    HttpServerCounts counts;
    thread_.call([&] { counts = server_->counts(); });
    return counts;
  }
  void TearDown() override {
    thread_.call([&] { server_.reset(); });
  }

  LoopThread thread_;
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
};

}  // namespace mayfly::test
