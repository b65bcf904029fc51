// Sizes and places of a segment's parts, from requests and from headers that may say anything.
#include "shm/geometry.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace mayfly::shm::test {
namespace {

Geometry plan(GeometryRequest request) {
  const Result<Geometry> geometry = plan_geometry(request);
  EXPECT_TRUE(geometry.ok()) << geometry.error().text;
  return geometry.value();
}

bool refused(const GeometryRequest& request) {
  const Result<Geometry> geometry = plan_geometry(request);
  return !geometry.ok() && geometry.error().code == Errc::invalid;
}

HeaderConstants header_of(const Geometry& g) {
  HeaderConstants constants{};
  constants.total_bytes = g.total_bytes;
  constants.page_bytes = g.page_bytes;
  constants.pages = g.pages;
  constants.slots = g.slots;
  constants.worker_areas = g.worker_areas;
  constants.undo_pairs = g.undo_pairs;
  return constants;
}

constexpr std::uint64_t kMiB = 1 << 20;

TEST(Geometry, WhatIsPlannedIsWhatTheHeaderGivesBack) {
  for (const std::uint64_t bytes : {std::uint64_t{2} * kMiB, 2 * kMiB + 4095, 64 * kMiB, 1024 * kMiB}) {
    for (const std::uint32_t page_bytes : {1024u, 4096u, 16384u}) {
      GeometryRequest request;
      request.bytes = bytes;
      request.page_bytes = page_bytes;
      const Geometry planned = plan(request);
      EXPECT_EQ(planned.total_bytes, bytes / 4096 * 4096);
      EXPECT_LE(planned.pages_at + std::uint64_t{planned.pages} * page_bytes, planned.total_bytes);
      const Geometry read = geometry_from(header_of(planned)).value();
      EXPECT_EQ(read.pages_at, planned.pages_at);
      EXPECT_EQ(read.lines_at, planned.lines_at);
      EXPECT_EQ(read.slots_at, planned.slots_at);
      EXPECT_EQ(read.max_depth(), planned.max_depth());
    }
  }
}

TEST(Geometry, SlotsFollowTheSizeUnlessAskedFor) {
  GeometryRequest request;
  request.bytes = 2 * kMiB;
  EXPECT_EQ(plan(request).slots, 64u);
  request.bytes = 256 * kMiB;
  EXPECT_EQ(plan(request).slots, 2048u);
  request.slots = 7;
  EXPECT_EQ(plan(request).slots, 7u);
}

TEST(Geometry, TheLargestRecordFitsTheUndoLogAndHalfOfThePages) {
  GeometryRequest request;
  request.bytes = 1024 * kMiB;
  EXPECT_EQ(plan(request).max_record_bytes(), kMaxRecordBytes);
  request.bytes = 2 * kMiB;
  const Geometry small = plan(request);
  EXPECT_LT(small.max_record_bytes(), kMiB);
  EXPECT_GT(small.max_record_bytes(), small.page_bytes);
  request.bytes = 1024 * kMiB;
  request.undo_pairs = 256;
  EXPECT_EQ(plan(request).max_record_bytes(), 64 * 16384 - kRecordHeaderBytes);
}

TEST(Geometry, ImpossibleRequestsAreRefused) {
  GeometryRequest good;
  good.bytes = 4 * kMiB;
  EXPECT_FALSE(refused(good));
  const auto with = [&](auto change) {
    GeometryRequest request = good;
    change(request);
    return request;
  };
  for (const std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{4096}, kMiB / 2}) {
    EXPECT_TRUE(refused(with([&](GeometryRequest& r) { r.bytes = bytes; }))) << bytes;
  }
  for (const std::uint32_t page_bytes : {0u, 512u, 1000u, 5000u, 32768u}) {
    EXPECT_TRUE(refused(with([&](GeometryRequest& r) { r.page_bytes = page_bytes; }))) << page_bytes;
  }
  for (const std::uint32_t areas : {0u, 65u}) {
    EXPECT_TRUE(refused(with([&](GeometryRequest& r) { r.worker_areas = areas; }))) << areas;
  }
  for (const std::uint32_t pairs : {0u, 255u, (1u << 20) + 1}) {
    EXPECT_TRUE(refused(with([&](GeometryRequest& r) {
      r.bytes = 4096 * kMiB;
      r.undo_pairs = pairs;
    }))) << pairs;
  }
  EXPECT_TRUE(refused(with([](GeometryRequest& r) {
    r.bytes = 64ull << 30;
    r.slots = kMaxSlots + 1;
  })));
}

TEST(Geometry, HeadersThatContradictThemselvesAreCorrupt) {
  GeometryRequest request;
  request.bytes = 4 * kMiB;
  const HeaderConstants good = header_of(plan(request));
  ASSERT_TRUE(geometry_from(good).ok());
  const auto corrupt = [&](auto change) {
    HeaderConstants constants = good;
    change(constants);
    const Result<Geometry> geometry = geometry_from(constants);
    return !geometry.ok() && geometry.error().code == Errc::corrupt;
  };
  for (const Word value : {Word{0}, Word{512}, Word{3000}, Word{32768}, ~Word{0}}) {
    EXPECT_TRUE(corrupt([&](HeaderConstants& c) { c.page_bytes = value; })) << value;
  }
  for (const Word value : {Word{0}, Word{15}, good.pages + 1, Word{kMaxPages} + 1, ~Word{0}}) {
    EXPECT_TRUE(corrupt([&](HeaderConstants& c) { c.pages = value; })) << value;
  }
  for (const Word value : {Word{0}, good.slots * 10, Word{kMaxSlots} + 1, ~Word{0}}) {
    EXPECT_TRUE(corrupt([&](HeaderConstants& c) { c.slots = value; })) << value;
  }
  for (const Word value : {Word{0}, Word{65}, ~Word{0}}) {
    EXPECT_TRUE(corrupt([&](HeaderConstants& c) { c.worker_areas = value; })) << value;
  }
  for (const Word value : {Word{0}, Word{255}, (Word{1} << 20) + 1, (Word{1} << 32) + 4096}) {
    EXPECT_TRUE(corrupt([&](HeaderConstants& c) { c.undo_pairs = value; })) << value;
  }
  EXPECT_TRUE(corrupt([](HeaderConstants& c) { c.total_bytes -= 4096 * 10; }));
}

}  // namespace
}  // namespace mayfly::shm::test
