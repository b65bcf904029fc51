// The RESP parser: the same commands come out however the stream is cut.
#include "common/resp_parser.h"

#include <gtest/gtest.h>

#include <random>

namespace mayfly {
namespace {

using Strings = std::vector<std::string>;

RespLimits small_limits() {
  RespLimits limits;
  limits.max_arguments = 8;
  limits.max_bulk_bytes = 1000;
  limits.max_line_bytes = 20;
  limits.max_line_scan_bytes = 60;
  limits.big_argument_bytes = 100;
  return limits;
}

// What a stream means, as text: one entry per event.
class Feeder {
 public:
  explicit Feeder(bool skip_big) : parser_(small_limits()), skip_big_(skip_big) {}

  void feed(std::string_view piece) {
    kept_.append(piece);
    while (true) {
      const RespEvent event = parser_.next(kept_);
      if (event == RespEvent::need_more) break;
      note(event);
      if (event == RespEvent::protocol_error) return;
    }
    // A fresh buffer each time, so that stale views show up under the sanitizers.
    std::string next = kept_;
    next.resize(parser_.compact(next.data(), next.size()));
    most_kept_ = std::max(most_kept_, next.size());
    kept_ = std::string(next);
  }

  const Strings& events() const { return events_; }
  std::size_t most_kept() const { return most_kept_; }

 private:
  void note(RespEvent event) {
    switch (event) {
      case RespEvent::array: {
        const RespArguments arguments = parser_.arguments(kept_);
        std::string text = "array";
        for (std::size_t i = 0; i < arguments.size(); ++i) {
          text += arguments.skipped(i) ? " skipped:" + std::to_string(arguments.bytes(i))
                                       : " [" + std::string(arguments[i]) + "]";
        }
        events_.push_back(text);
        return;
      }
      case RespEvent::line:
        events_.push_back("line [" + std::string(parser_.line(kept_)) + "]");
        return;
      case RespEvent::long_line:
        events_.emplace_back("long line");
        return;
      case RespEvent::big_argument:
        events_.push_back("big " + std::to_string(parser_.big_bytes()));
        if (skip_big_) parser_.skip_argument();
        return;
      default:
        events_.push_back("error " + parser_.error());
        return;
    }
  }

  RespParser parser_;
  const bool skip_big_;
  std::string kept_;
  std::size_t most_kept_ = 0;
  Strings events_;
};

Strings parse(const std::string& stream, bool skip_big = false) {
  Feeder feeder(skip_big);
  feeder.feed(stream);
  return feeder.events();
}

const Strings kCorpus = {
    "*1\r\n$4\r\nPING\r\n",
    "*4\r\n$3\r\nLOG\r\n$4\r\ndemo\r\n$0\r\n\r\n$6\r\na\r\nb\r\n\r\n",
    "*2\r\n$4\r\nPING\r\n$100\r\n" + std::string(100, 'x') + "\r\nPING\r\n",
    "*3\r\n$1\r\na\r\n$150\r\n" + std::string(150, '*') + "\r\n$1\r\nb\r\n*1\r\n$1\r\nc\r\n",
    "\r\n\nLOG demo k v\nLOG demo k v\r\n*0\r\n*-1\r\nx\n",
    std::string(20, 'l') + "\r\n" + std::string(21, 'm') + "\n" + std::string(20, 'n') + "\n" +
        std::string(59, 'o') + "\r\nx\n",
    "a\rb\r\n\r\r\n",
    std::string(61, 'x') + "\n",
    std::string(61, 'x') + "\r\nPING\n",
    std::string(62, 'x') + "\nPING\n",
    std::string(60, 'x') + "\r\nPING\n",
    "*1\r\n$4\r\nPINGx\r\n",
    "*9\r\n",
    "*1\r\n$1001\r\n",
    "*1\r\n$-5\r\n",
    "*1\r\n:5\r\n",
    "*12\n",
    "*\r\n",
    "*1\r\n$99999999999999999999\r\n",
    "*00000000000000000000001\r\n",
    std::string("*2\r\n$3\r\n\0\1\2\r\n$2\r\n\xff\xfe\r\n", 21),
};

TEST(RespParser, Arrays) {
  EXPECT_EQ(parse(kCorpus[0]), Strings{"array [PING]"});
  EXPECT_EQ(parse(kCorpus[1]), Strings{"array [LOG] [demo] [] [a\r\nb\r\n]"});
  EXPECT_EQ(parse("*0\r\n*-1\r\n"), Strings{});
}

TEST(RespParser, Lines) {
  EXPECT_EQ(parse(kCorpus[4]), (Strings{"line [LOG demo k v]", "line [LOG demo k v]", "line [x]"}));
  EXPECT_EQ(parse("a\rb\r\n\r\r\n"), (Strings{"line [a\rb]", "line [\r]"}));
}

TEST(RespParser, LongLines) {
  EXPECT_EQ(parse(kCorpus[5]), (Strings{"line [" + std::string(20, 'l') + "]", "long line",
                                        "line [" + std::string(20, 'n') + "]", "long line", "line [x]"}));
  EXPECT_EQ(parse(std::string(100, 'x')), Strings{"error Protocol error: too big inline request"});
}

TEST(RespParser, BigArguments_KeptOrSkipped) {
  const std::string text(150, '*');
  EXPECT_EQ(parse(kCorpus[3]), (Strings{"big 150", "array [a] [" + text + "] [b]", "array [c]"}));
  EXPECT_EQ(parse(kCorpus[3], true), (Strings{"big 150", "array [a] skipped:150 [b]", "array [c]"}));
}

TEST(RespParser, Errors) {
  EXPECT_EQ(parse("*9\r\n"), Strings{"error Protocol error: invalid multibulk length"});
  EXPECT_EQ(parse("*1\r\n$1001\r\n"), Strings{"error Protocol error: invalid bulk length"});
  EXPECT_EQ(parse("*1\r\n:5\r\n"), Strings{"error Protocol error: expected '$', got ':'"});
  EXPECT_EQ(parse("*1\r\n$4\r\nPINGx\r\n"),
            Strings{"error Protocol error: expected CRLF after a bulk string"});
}

TEST(RespParser, EverySplitPosition_MeansTheSame) {
  for (const std::string& stream : kCorpus) {
    for (const bool skip : {false, true}) {
      const Strings whole = parse(stream, skip);
      for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
        Feeder feeder(skip);
        feeder.feed(std::string_view(stream).substr(0, cut));
        if (feeder.events().empty() || feeder.events().back().substr(0, 5) != "error") {
          feeder.feed(std::string_view(stream).substr(cut));
        }
        EXPECT_EQ(feeder.events(), whole) << stream << " cut at " << cut;
      }
    }
  }
}

TEST(RespParser, RandomPieces_MeanTheSame) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string stream;
    for (int i = 0; i < 5; ++i) stream += kCorpus[random() % 7];  // those without errors
    const bool skip = random() % 2 == 0;
    Feeder feeder(skip);
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t piece = 1 + random() % 40;
      feeder.feed(std::string_view(stream).substr(at, piece));
      at += piece;
    }
    EXPECT_EQ(feeder.events(), parse(stream, skip));
  }
}

TEST(RespParser, SkippedBytes_AreNotKept) {
  Feeder feeder(true);
  feeder.feed("*2\r\n$4\r\nPING\r\n$1000\r\n");
  for (int i = 0; i < 100; ++i) feeder.feed(std::string(10, 'x'));
  feeder.feed("\r\n");
  EXPECT_EQ(feeder.events(), (Strings{"big 1000", "array [PING] skipped:1000"}));
  EXPECT_LE(feeder.most_kept(), 16u);
}

TEST(RespParser, MissingBytes_SaysWhatABulkLacks) {
  RespParser parser;
  const std::string data = "*1\r\n$10\r\nabc";
  EXPECT_EQ(parser.next(data), RespEvent::need_more);
  EXPECT_EQ(parser.missing_bytes(data.size()), 9u);
  EXPECT_TRUE(parser.inside_argument());
  EXPECT_TRUE(parser.inside_command());
}

// What compact() has moved once stays where it is, however many bytes come one by one behind it.
TEST(RespParser, AnArrayInSmallPiecesKeepsItsArguments) {
  RespParser parser(small_limits());
  const std::string bytes =
      "*8\r\n$1\r\na\r\n$0\r\n\r\n$3\r\nbcd\r\n$0\r\n\r\n$2\r\nef\r\n$1\r\ng\r\n$1\r\nh\r\n$1\r\ni\r\n";
  std::string kept;
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
    kept += bytes[i];
    ASSERT_EQ(parser.next(kept), RespEvent::need_more) << i;
    kept.resize(parser.compact(kept.data(), kept.size()));
  }
  kept += bytes.back();
  ASSERT_EQ(parser.next(kept), RespEvent::array);
  std::string joined;
  for (std::size_t i = 0; i < 8; ++i) joined += std::string(parser.arguments(kept)[i]) + "|";
  EXPECT_EQ(joined, "a||bcd||ef|g|h|i|");
  EXPECT_EQ(parser.compact(kept.data(), kept.size()), 0u);
  EXPECT_EQ(parser.next("PING\n"), RespEvent::line);
}

}  // namespace
}  // namespace mayfly
