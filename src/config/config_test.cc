#include "config/config.h"

#include <gtest/gtest.h>

namespace weir::config {
namespace {

TEST(Config, FillsTheOptionsOfTheModules) {
  Config config;
  const auto read = read_config(
      "server:\n  listen: '127.0.0.1:0'\n  max_body_bytes: 8MiB\n  idle_timeout: 5s\n"
      "ledger:\n  retention: 30d\n  metadata: [x-team]\n"
      "endpoints:\n  fraud:\n    model: fraud.onnx\n    routing_key: {header: x-user}\n"
      "    events: {sink: 'http://127.0.0.1:9000/e', mode: response, queue_records: 5}\n"
      "    durability: always\n    batching: {max_rows: 64, max_delay: 2ms}\n"
      "    limits: {concurrency: 9, running: 1, queue_requests: 8, queue_rows: 70, queue_wait: "
      "3ms, "
      "deadline: 50ms, memory_bytes: 1GiB}\n    rollout: {stages: [{canary: 5}, {bake: 10m}]}\n",
      "weir.yaml",
      config
  );
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(config.http.port, 0);
  EXPECT_EQ(config.http.max_body_bytes, 8U << 20);
  EXPECT_EQ(config.http.idle_timeout_us, 5 * us_per_second);
  EXPECT_EQ(config.ledger.retention_us, 30 * us_per_day);
  EXPECT_EQ(config.controller.metadata, std::vector<std::string>{"x-team"});
  const auto& fraud = config.controller.endpoints.at("fraud");
  EXPECT_EQ(fraud.routing_key.from, serve::RoutingKey::From::header);
  EXPECT_EQ(fraud.routing_key.name, "x-user");
  EXPECT_TRUE(fraud.durability_always);
  EXPECT_EQ(fraud.plan->stages.size(), 2U);
  EXPECT_EQ(fraud.limits->max_concurrency, 9U);
  EXPECT_EQ(fraud.limits->queue.max_running, 1);
  EXPECT_EQ(fraud.limits->queue.max_requests, 8U);
  EXPECT_EQ(fraud.limits->queue.max_rows, 70U);
  EXPECT_EQ(fraud.limits->queue.max_wait_us, 3000);
  EXPECT_EQ(fraud.limits->deadline_us, 50'000);
  EXPECT_EQ(fraud.limits->max_memory_bytes, 1U << 30);
  EXPECT_EQ(fraud.limits->batching.mode, serve::BatchingOptions::Mode::fixed);
  EXPECT_EQ(fraud.limits->batching.max_rows, 64U);
  EXPECT_EQ(fraud.limits->batching.max_delay_us, 2000);
  EXPECT_EQ(config.models.front().first, "fraud");
  const auto& events = config.events.at("fraud");
  EXPECT_EQ(events.url.port, 9000);
  EXPECT_EQ(events.url.path, "/e");
  EXPECT_EQ(events.mode, events::Options::Mode::response);
  EXPECT_EQ(events.queue_max_records, 5U);
}

TEST(Config, ReadsWhatIsAboutClients) {
  Config config;
  const auto read = read_config(
      "server:\n  cors_origins: ['https://a.example', 'https://b.example']\n"
      "  access_log: {path: /var/log/weir.json, sample: 0.25, queue_bytes: 1MiB}\n"
      "  rate_limit: {header: x-api-key, per_second: 2.5, burst: 10, max_clients: 50}\n"
      "  drain_delay: 5s\n  compress_min_bytes: 2KiB\n  grpc_connection_age: 90s\n",
      "weir.yaml",
      config
  );
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(config.http.cors.origins.size(), 2U);
  EXPECT_EQ(config.http.access_log.path, "/var/log/weir.json");
  EXPECT_EQ(config.http.access_log.sample, 0.25);
  EXPECT_EQ(config.http.access_log.queue_max_bytes, 1U << 20);
  EXPECT_EQ(config.rate_limit.by, serve::RateLimitOptions::By::header);
  EXPECT_EQ(config.rate_limit.header, "x-api-key");
  EXPECT_EQ(config.rate_limit.per_second, 2.5);
  EXPECT_EQ(config.rate_limit.burst, 10);
  EXPECT_EQ(config.rate_limit.max_clients, 50U);
  EXPECT_EQ(config.drain_delay_us, 5 * us_per_second);
  EXPECT_EQ(config.http.compress_min_bytes, 2048U);
  EXPECT_EQ(config.grpc.connection_age_us, 90 * us_per_second);
}

TEST(Config, ARateLimitIsByAddressAndOneSecondWideUnlessItSaysOtherwise) {
  Config config;
  ASSERT_TRUE(read_config("server:\n  rate_limit: {per_second: 50}\n", "weir.yaml", config));
  EXPECT_EQ(config.rate_limit.by, serve::RateLimitOptions::By::address);
  EXPECT_EQ(config.rate_limit.burst, 50);
}

TEST(Config, AnEmptyFileIsAllDefaults) {
  Config config;
  EXPECT_TRUE(read_config("", "weir.yaml", config).has_value());
  EXPECT_EQ(config.http.port, 8080);
}

struct Fault {
  const char* yaml;
  const char* message_part;
};

TEST(Config, FaultsGiveTheLineAndTheFix) {
  const Fault faults[] = {
      {"server:\n  lisen: 127.0.0.1:1\n", "line 2"},
      {"server:\n  lisen: 127.0.0.1:1\n", "lisen"},
      {"sever: {}\n", "sever"},
      {"server:\n  threads: 0\n", "from 1 to 1024"},
      {"server:\n  threads: many\n", "'many'"},
      {"server:\n  listen: nowhere\n", "HOST:PORT"},
      {"server:\n  idle_timeout: 5\n", "duration"},
      {"server:\n  rate_limit: {burst: 5}\n", "per_second"},
      {"server:\n  rate_limit: {per_second: 0}\n", "from 1e-06"},
      {"server:\n  rate_limit: {per_second: 1, by: moon}\n", "'moon'"},
      {"server:\n  rate_limit: {per_second: 1, by: key, header: x}\n", "one of"},
      {"server:\n  access_log: {sample: 2}\n", "from 0 to 1"},
      {"server:\n  access_log: {sampel: 1}\n", "sampel"},
      {"ledger:\n  enabled: perhaps\n", "true or false"},
      {"ledger:\n  queue_bytes: 5 elephants\n", "64MiB"},
      {"ledger: [1]\n", "map"},
      {"endpoints:\n  x:\n    routing_key: {header: a, cookie: b}\n", "one of"},
      {"endpoints:\n  x:\n    batching: on\n", "off, auto or"},
      {"endpoints:\n  x:\n    limits: {queue_requests: 0}\n", "queue_requests"},
      {"endpoints:\n  x:\n    durability: never\n", "interval or always"},
      {"endpoints:\n  x:\n    automation: assist\n", "review queue"},
      {"endpoints: [x]\n", "map from names"},
      {"endpoints:\n  x:\n    events: {mode: all}\n", "needs 'sink'"},
      {"endpoints:\n  x:\n    events: {sink: 'http://h/', mode: some}\n", "request or response"},
      {"endpoints:\n  x:\n    events: {sink: 'ftp://h/'}\n", "line 3"},
      {"a: b: c\n", "weir.yaml"},
  };
  for (const Fault& fault : faults) {
    Config config;
    const auto read = read_config(fault.yaml, "weir.yaml", config);
    ASSERT_FALSE(read.has_value()) << fault.yaml;
    EXPECT_NE(read.error().message.find(fault.message_part), std::string::npos)
        << read.error().message;
  }
}

}  // namespace
}  // namespace weir::config
