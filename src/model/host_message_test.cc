#include "model/host_message.h"

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "model/model_fixture.h"
#include "model/model_host.h"

namespace weir::model {
namespace {

using ::testing::ElementsAre;

// Both ends of a socket.
class Ends {
 public:
  Ends() { CHECK(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data()) == 0, "there are sockets"); }
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;
  ~Ends() {
    close_left();
    ::close(ends_[1]);
  }
  int left() const { return ends_[0]; }
  int right() const { return ends_[1]; }
  void close_left() {
    if (ends_[0] >= 0) ::close(std::exchange(ends_[0], -1));
  }

 private:
  std::array<int, 2> ends_{};
};

constexpr MessageLimits limits{.max_bytes = 1000};

TEST(HostMessage, CarriesASignatureAsItIs) {
  auto session = load_session(model_path("electricity_v1.ubj"), {});
  ASSERT_TRUE(session);
  Signature signature = (*session)->signature();
  signature.classes = {"down", "up"};
  signature.features[3].unit = "EUR";
  signature.features[3].store = Keep::hash;
  Message message;
  message.put(signature);
  const std::string bytes = message.bytes();
  const auto taken = message.take_signature();
  ASSERT_TRUE(taken) << taken.error().message;
  Message again;
  again.put(*taken);
  EXPECT_EQ(again.bytes(), bytes);
  EXPECT_EQ(taken->features[3].unit, "EUR");
  EXPECT_EQ(taken->features[3].store, Keep::hash);
  EXPECT_EQ(taken->classes, signature.classes);
  EXPECT_EQ(taken->has_row_axis, signature.has_row_axis);
  ASSERT_TRUE(taken->score);
  EXPECT_EQ(taken->score->output, signature.score->output);
}

TEST(HostMessage, CarriesTensorsOfEveryKind) {
  TestInference call;
  call.add<float>({2, 2}, {1, 2, 3, 4}).add_texts({2}, {"", std::string("a\0b", 3)});
  call.add<std::int64_t>({0, 3}, {});
  Message message;
  message.put(call.inputs);
  std::vector<tensor::Tensor> taken(7);
  ASSERT_TRUE(message.take_tensors(taken));
  ASSERT_EQ(taken.size(), 3U);
  EXPECT_EQ(taken[0].shape(), tensor::Shape({2, 2}));
  EXPECT_THAT(values_of<float>(taken[0]), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(texts_of(taken[1]), ElementsAre("", std::string("a\0b", 3)));
  EXPECT_EQ(taken[2].shape(), tensor::Shape({0, 3}));
}

TEST(HostMessage, RefusesEveryMessageThatIsCutOff) {
  TestInference call;
  call.add<float>({1, 2}, {1, 2}).add_texts({1}, {"abc"});
  Message whole;
  whole.put(call.inputs);
  const std::string bytes = whole.bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    Message cut;
    cut.reset_bytes(size) = bytes.substr(0, size);
    std::vector<tensor::Tensor> tensors;
    const auto taken = cut.take_tensors(tensors);
    ASSERT_FALSE(taken) << size;
    EXPECT_EQ(taken.error().code, Code::corrupt);
  }
}

TEST(HostMessage, RefusesCountsThatCannotBeBeforeItTakesMemory) {
  Message message;
  message.put(std::uint64_t{1} << 60);
  std::vector<tensor::Tensor> tensors;
  EXPECT_FALSE(message.take_tensors(tensors));
  message.clear();
  message.put(std::uint64_t{1} << 60);
  EXPECT_FALSE(message.take_text());
  message.clear();
  message.put(std::uint64_t{99});
  message.put(std::string_view("an error of no known code"));
  EXPECT_FALSE(message.take_error());
}

TEST(HostSocket, GivesWhatWasSentAndADescriptorWithIt) {
  const Ends ends;
  const Ends passed;
  Message sent;
  sent.put(std::string_view("hello"));
  ASSERT_TRUE(send_message(ends.left(), MessageKind::lane, sent, limits, passed.left()));
  Message received;
  int descriptor = -1;
  const auto kind = receive_message(ends.right(), received, limits, &descriptor);
  ASSERT_TRUE(kind);
  EXPECT_EQ(*kind, MessageKind::lane);
  EXPECT_EQ(*received.take_text(), "hello");
  ASSERT_GE(descriptor, 0);
  ASSERT_EQ(::write(descriptor, "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(::read(passed.right(), &byte, 1), 1);
  ::close(descriptor);
}

TEST(HostSocket, SaysWhenTheOtherEndIsClosedLateOrNotOfOurKind) {
  Ends ends;
  Message message;
  MessageLimits soon = limits;
  soon.deadline_ns = monotonic_ns() + 1'000'000;
  EXPECT_EQ(receive_message(ends.right(), message, soon).error().code, Code::deadline);
  const Ends stop;
  ASSERT_EQ(::write(stop.left(), "x", 1), 1);
  MessageLimits stopped = limits;
  stopped.stop = stop.right();
  EXPECT_EQ(receive_message(ends.right(), message, stopped).error().code, Code::unavailable);
  ASSERT_EQ(::write(ends.left(), "not a message at all", 20), 20);
  EXPECT_EQ(receive_message(ends.right(), message, limits).error().code, Code::corrupt);
  ends.close_left();
  Ends closed;
  closed.close_left();
  EXPECT_EQ(receive_message(closed.right(), message, limits).error().code, Code::unavailable);
  EXPECT_EQ(
      send_message(closed.right(), MessageKind::infer, message, limits).error().code,
      Code::unavailable
  );
}

TEST(HostSocket, KeepsToItsLimitOfBytesAtBothEnds) {
  const Ends ends;
  Message message;
  message.put(std::string_view(std::string(100, 'x')));
  const std::uint64_t size = message.bytes().size();
  EXPECT_EQ(
      send_message(ends.left(), MessageKind::infer, message, {size - 1}).error().code,
      Code::exhausted
  );
  ASSERT_TRUE(send_message(ends.left(), MessageKind::infer, message, {size}));
  Message received;
  EXPECT_TRUE(receive_message(ends.right(), received, {size}));
  ASSERT_TRUE(send_message(ends.left(), MessageKind::infer, message, {size}));
  EXPECT_EQ(receive_message(ends.right(), received, {size - 1}).error().code, Code::corrupt);
}

TEST(ModelHost, ReadsTheOrderThatItWasGiven) {
  SessionOptions options;
  options.onnx_threads = 3;
  options.onnx_library = "/lib/x.so";
  options.max_artifact_bytes = 12;
  options.remote_queue = 34;
  options.isolated_message_bytes = 56;
  Message message;
  put_load("/a/model.onnx", options, message);
  const auto order = take_load(message);
  ASSERT_TRUE(order);
  EXPECT_EQ(order->path, "/a/model.onnx");
  EXPECT_EQ(order->options.onnx_threads, 3);
  EXPECT_EQ(order->options.onnx_library, "/lib/x.so");
  EXPECT_EQ(order->options.max_artifact_bytes, 12U);
  EXPECT_EQ(order->options.remote_queue, 34U);
  EXPECT_EQ(order->options.isolated_message_bytes, 56U);
}

}  // namespace
}  // namespace weir::model
