// Which paths of a host a reader with a part of the rights may have: all tricks end in "no".
#include "hubd/host_path.h"

#include <gtest/gtest.h>

namespace mayfly::hubd {
namespace {

HostPath read(const std::string& path, const std::string& query = "") {
  HttpRequest request;
  request.path = path;
  request.query = query;
  return read_host_path(request);
}

std::string directory_of(const std::string& path) {
  const HostPath read_path = read(path);
  return read_path.shows == HostPath::Shows::directory ? read_path.directory : "(none)";
}

TEST(HostPath, NamesItsDirectory) {
  for (const std::string what : {"status", "logs", "tail", "watch", "keys"}) {
    EXPECT_EQ(directory_of("/api/v1/" + what + "/app-1"), "app-1");
    EXPECT_EQ(directory_of("/api/v1/" + what + "/app-1/"), "app-1");
    EXPECT_EQ(directory_of("/api/v1/" + what + "/app-1/key"), "app-1");
    EXPECT_EQ(directory_of("/api/v1/" + what + "/app-1;last=5;grep=x"), "app-1");
    EXPECT_EQ(directory_of("/api/v1/" + what + "/app-1/key;last=5"), "app-1");
  }
  EXPECT_EQ(directory_of("/api/v1/logs/app-1/a%2Fb%00%2e%2e"), "app-1");
}

TEST(HostPath, IsDecodedOnceAsTheHostDecodesIt) {
  EXPECT_EQ(directory_of("/api/v1/logs/%61pp-1"), "app-1");
  EXPECT_EQ(directory_of("/api/v1/logs/app%2D1"), "app-1");
  EXPECT_EQ(directory_of("/api/v1/logs/%73ecret"), "secret");
  EXPECT_EQ(directory_of("/api/v1/logs/app-1%2F..%2Fsecret"), "(none)");
  EXPECT_EQ(directory_of("/api/v1/logs/%2561pp-1"), "(none)");
  EXPECT_EQ(directory_of("/api/v1/logs/app-1%3Blast=1"), "(none)");
}

TEST(HostPath, TricksAreNoPaths) {
  for (const std::string path : {"/api/v1/logs/app-1/../secret",
                                 "/api/v1/logs/../logs/secret",
                                 "/api/v1/logs/%2e%2e/secret/x/y",
                                 "/api/v1/logs//secret",
                                 "//api/v1/logs/app-1",
                                 "/api//v1/logs/app-1",
                                 "/api/v1//logs/app-1",
                                 "/api/v1/logs/./app-1/k/x",
                                 "/api/v1/logs/app-1;x=/../secret",
                                 "/api/v1/logs;x=1/app-1",
                                 "/api/v1/logs/app-1;x/secret;y/z",
                                 "/%61pi/v1/logs/app-1",
                                 "/api/v1/%6cogs/app-1",
                                 "/API/v1/logs/app-1",
                                 "/api/v1/LOGS/app-1",
                                 "/api/v1/logs",
                                 "/api/v1/logs/",
                                 "/api/v1/logs/%",
                                 "/api/v1/logs/app-1/%zz",
                                 "/api/v1/logs/\\app-1",
                                 "/api/v1/logs/app 1",
                                 "/api/v1/logs/-x",
                                 "/api/v1/logs/.x",
                                 "/api/v1/unknown/app-1",
                                 "/api/v1/directories/",
                                 "/api/v1/directories/x",
                                 "/api/v1/%64irectories",
                                 "/metrics/",
                                 "/metrics/x",
                                 "//metrics",
                                 "/loki/api/v1/",
                                 "/loki/api/v1//query",
                                 "/loki/api/v1/../../x",
                                 "/loki/api/v1/%71uery",
                                 "/loki",
                                 "/",
                                 "",
                                 "/assets/x.js",
                                 "/files/",
                                 "/api/v1/logs/app-1/k/more"}) {
    EXPECT_EQ(read(path).shows, HostPath::Shows::nothing_known) << path;
  }
  EXPECT_EQ(read("/api/v1/logs/app-1", "last=1&last=2").shows, HostPath::Shows::nothing_known);
}

TEST(HostPath, Listings) {
  for (const std::string path : {"/api/v1/directories", "/metrics", "/readyz", "/healthz", "/metrics;x=1",
                                 "/loki/api/v1/query_range", "/loki/api/v1/label/directory/values"}) {
    EXPECT_EQ(read(path).shows, HostPath::Shows::listing) << path;
  }
}

TEST(HostPath, MayRead) {
  const Scope all{true, {}}, app{false, {"app-"}}, none;
  const HostPath unknown = read("/files/"), directory = read("/api/v1/logs/app-1"),
                 listing = read("/metrics");
  EXPECT_TRUE(may_read(all, unknown));
  EXPECT_FALSE(may_read(app, unknown));
  EXPECT_TRUE(may_read(app, directory));
  EXPECT_FALSE(may_read(app, read("/api/v1/logs/secret")));
  EXPECT_TRUE(may_read(app, listing));
  EXPECT_FALSE(may_read(none, listing));
  EXPECT_FALSE(may_read(none, directory));
}

TEST(ServerPath, IsSplitBehindTheName) {
  const auto split = [](const std::string& path) {
    const ServerPath parts = split_server_path(path, "/frontend/servers/");
    return parts.server + "|" + parts.rest;
  };
  EXPECT_EQ(split("/frontend/servers/web-1/api/v1"), "web-1|/api/v1");
  EXPECT_EQ(split("/frontend/servers/web-1"), "web-1|");
  EXPECT_EQ(split("/frontend/servers/web-1//x"), "web-1|//x");
  for (const std::string path :
       {"/frontend/servers//x", "/frontend/servers/../x", "/frontend/servers/web%2D1/x",
        "/frontend/servers/*/x", "/other/web-1/x", "/frontend/servers/"}) {
    EXPECT_EQ(split(path), "|") << path;
  }
}

}  // namespace
}  // namespace mayfly::hubd
