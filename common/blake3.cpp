#include "common/blake3.h"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

namespace mayfly {
namespace {

using Words8 = std::array<std::uint32_t, 8>;
using Words16 = std::array<std::uint32_t, 16>;

constexpr std::size_t kBlockBytes = 64;
constexpr std::size_t kChunkBytes = 1024;
constexpr std::uint32_t kChunkStart = 1, kChunkEnd = 2, kParent = 4, kRoot = 8;

constexpr Words8 kInitial = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                             0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};
constexpr std::array<std::size_t, 16> kPermutation = {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8};

void mix(Words16& state, std::array<std::size_t, 4> at, std::uint32_t x, std::uint32_t y) {
  auto& [a, b, c, d] = at;
  state[a] = state[a] + state[b] + x;
  state[d] = std::rotr(state[d] ^ state[a], 16);
  state[c] = state[c] + state[d];
  state[b] = std::rotr(state[b] ^ state[c], 12);
  state[a] = state[a] + state[b] + y;
  state[d] = std::rotr(state[d] ^ state[a], 8);
  state[c] = state[c] + state[d];
  state[b] = std::rotr(state[b] ^ state[c], 7);
}

void mix_columns_and_diagonals(Words16& state, const Words16& message) {
  mix(state, {0, 4, 8, 12}, message[0], message[1]);
  mix(state, {1, 5, 9, 13}, message[2], message[3]);
  mix(state, {2, 6, 10, 14}, message[4], message[5]);
  mix(state, {3, 7, 11, 15}, message[6], message[7]);
  mix(state, {0, 5, 10, 15}, message[8], message[9]);
  mix(state, {1, 6, 11, 12}, message[10], message[11]);
  mix(state, {2, 7, 8, 13}, message[12], message[13]);
  mix(state, {3, 4, 9, 14}, message[14], message[15]);
}

/// What is left to compress of a node: kept open, since only the last one of all gets kRoot.
struct Node {
  Words8 chaining;
  Words16 message;
  std::uint64_t counter;
  std::uint32_t length;
  std::uint32_t flags;

  Words8 compress(std::uint32_t more_flags = 0) const {
    Words16 state;
    std::copy(chaining.begin(), chaining.end(), state.begin());
    std::copy(kInitial.begin(), kInitial.begin() + 4, state.begin() + 8);
    state[12] = static_cast<std::uint32_t>(counter);
    state[13] = static_cast<std::uint32_t>(counter >> 32);
    state[14] = length;
    state[15] = flags | more_flags;
    Words16 words = message;
    for (int round = 0; round < 7; ++round) {
      mix_columns_and_diagonals(state, words);
      Words16 permuted;
      for (std::size_t i = 0; i < 16; ++i) permuted[i] = words[kPermutation[i]];
      words = permuted;
    }
    Words8 out;
    for (std::size_t i = 0; i < 8; ++i) out[i] = state[i] ^ state[i + 8];
    return out;
  }
};

Words16 load_block(std::string_view block) {
  Words16 words{};
  for (std::size_t i = 0; i < block.size(); ++i) {
    words[i / 4] |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(block[i])) << (8 * (i % 4));
  }
  return words;
}

/// The last node of one chunk of up to 1,024 bytes; those before it are compressed on the way.
Node chunk_node(std::string_view chunk, std::uint64_t index) {
  Node node{kInitial, {}, index, 0, kChunkStart};
  while (chunk.size() > kBlockBytes) {
    node.message = load_block(chunk.substr(0, kBlockBytes));
    node.length = kBlockBytes;
    node.chaining = node.compress();
    node.flags = 0;
    chunk.remove_prefix(kBlockBytes);
  }
  node.message = load_block(chunk);
  node.length = static_cast<std::uint32_t>(chunk.size());
  node.flags |= kChunkEnd;
  return node;
}

Node parent_node(const Words8& left, const Words8& right) {
  Node node{kInitial, {}, 0, kBlockBytes, kParent};
  std::copy(left.begin(), left.end(), node.message.begin());
  std::copy(right.begin(), right.end(), node.message.begin() + 8);
  return node;
}

}  // namespace

Blake3Hash blake3(std::string_view bytes) {
  // Finished left subtrees, largest first; one more whole chunk closes as many as the count of
  // chunks has trailing zero bits.
  std::vector<Words8> subtrees;
  std::uint64_t chunks = 0;
  while (bytes.size() > kChunkBytes) {
    Words8 value = chunk_node(bytes.substr(0, kChunkBytes), chunks).compress();
    ++chunks;
    for (std::uint64_t rest = chunks; (rest & 1) == 0; rest >>= 1) {
      value = parent_node(subtrees.back(), value).compress();
      subtrees.pop_back();
    }
    subtrees.push_back(value);
    bytes.remove_prefix(kChunkBytes);
  }
  Node node = chunk_node(bytes, chunks);
  for (; !subtrees.empty(); subtrees.pop_back()) node = parent_node(subtrees.back(), node.compress());
  const Words8 words = node.compress(kRoot);
  Blake3Hash hash;
  for (std::size_t i = 0; i < hash.size(); ++i) {
    hash[i] = static_cast<std::uint8_t>(words[i / 4] >> (8 * (i % 4)));
  }
  return hash;
}

}  // namespace mayfly
