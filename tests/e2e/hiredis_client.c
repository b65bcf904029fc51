/* Writes with hiredis: one command after the other, then many appended ones.
 *
 *   hiredis_client PORT COUNT
 *
 * Prints how many records it has sent and how many of them were dropped. Exit code 1 when a reply is
 * not the one that is due. */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kLongValue = 2000 };

static unsigned long g_sent;
static unsigned long g_dropped;

static void fail(const char* what, const redisReply* reply) {
  fprintf(stderr, "%s: %s\n", what, reply != NULL && reply->str != NULL ? reply->str : "unexpected reply");
  exit(1);
}

static void expect_integer(redisReply* reply, long long value, const char* what) {
  if (reply == NULL || reply->type != REDIS_REPLY_INTEGER || reply->integer != value) fail(what, reply);
  freeReplyObject(reply);
}

static void expect_error(redisReply* reply, const char* beginning, const char* what) {
  if (reply == NULL || reply->type != REDIS_REPLY_ERROR || strncmp(reply->str, beginning, strlen(beginning)) != 0) {
    fail(what, reply);
  }
  freeReplyObject(reply);
}

static void write_one_by_one(redisContext* context) {
  redisReply* reply = redisCommand(context, "PING");
  if (reply == NULL || reply->type != REDIS_REPLY_STATUS || strcmp(reply->str, "PONG") != 0) fail("PING", reply);
  freeReplyObject(reply);

  expect_integer(redisCommand(context, "HSET web from %b", "hi\0redis", (size_t)8), 1, "HSET");
  g_sent += 1;

  reply = redisCommand(context, "XADD weblog * line %s", "a b");
  if (reply == NULL || reply->type != REDIS_REPLY_STRING) fail("XADD", reply);
  freeReplyObject(reply);
  g_sent += 1;

  char value[kLongValue];
  memset(value, 'v', sizeof value);
  expect_error(redisCommand(context, "HSET web long %b", value, sizeof value), "QUOTA value_too_long", "a long value");
  g_sent += 1;
  g_dropped += 1;

  expect_error(redisCommand(context, "SET a b"), "ERR use HSET dir key value", "SET");
  expect_error(redisCommand(context, "GET a"), "ERR write-only", "GET");
}

static void write_appended(redisContext* context, unsigned long count) {
  for (unsigned long i = 0; i < count; ++i) {
    if (redisAppendCommand(context, "HSET web k%lu %lu", i % 100, i) != REDIS_OK ||
        redisAppendCommand(context, "XADD weblog * line %lu", i) != REDIS_OK) {
      fail(context->errstr, NULL);
    }
  }
  for (unsigned long i = 0; i < 2 * count; ++i) {
    void* reply = NULL;
    if (redisGetReply(context, &reply) != REDIS_OK) fail(context->errstr, NULL);
    if (i % 2 == 0) {
      expect_integer(reply, 1, "appended HSET");
    } else {
      redisReply* id = reply;
      if (id->type != REDIS_REPLY_STRING || strchr(id->str, '-') == NULL) fail("appended XADD", id);
      freeReplyObject(id);
    }
  }
  g_sent += 2 * count;
}

static unsigned long number(const char* text, unsigned long max) {
  char* end = NULL;
  errno = 0;
  const unsigned long value = strtoul(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || value > max) {
    fprintf(stderr, "not a number that is possible here: %s\n", text);
    exit(2);
  }
  return value;
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: hiredis_client PORT COUNT\n");
    return 2;
  }
  redisContext* context = redisConnect("127.0.0.1", (int)number(argv[1], 65535));
  if (context == NULL || context->err != 0) fail(context != NULL ? context->errstr : "no memory", NULL);
  write_one_by_one(context);
  write_appended(context, number(argv[2], 1000000));
  redisFree(context);
  printf("%lu %lu\n", g_sent, g_dropped);
  return 0;
}
