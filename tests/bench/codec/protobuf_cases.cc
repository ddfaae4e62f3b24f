#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "tests/bench/codec.pb.h"
#include "tests/bench/codec/subject.h"
#include "tests/bench/codec/values.h"

namespace kaido::bench {
namespace {

void fill(NumbersMessage& message, const Numbers& numbers) {
  message.set_a1(numbers.id);
  message.set_a2(numbers.text);
  message.mutable_a3()->Add(numbers.values.begin(), numbers.values.end());
}
void take(const NumbersMessage& message, Numbers& numbers) {
  numbers.id = message.a1();
  numbers.text = message.a2();
  numbers.values.assign(message.a3().begin(), message.a3().end());
}

void fill(OrderMessage& message, const Order& order) {
  OrderMessage::Order& out = *message.mutable_a1();
  out.set_a1(order.id);
  out.set_a2(order.customer);
  out.mutable_a3()->set_a1(order.address.street);
  out.mutable_a3()->set_a2(order.address.city);
  out.mutable_a3()->set_a3(order.address.number);
  for (const Line& line : order.lines) {
    OrderMessage::Line& added = *out.add_a4();
    added.set_a1(line.article);
    added.set_a2(line.count);
    added.set_a3(line.price);
  }
  if (order.note) out.set_a5(*order.note);
}
void take(const OrderMessage& message, Order& order) {
  const OrderMessage::Order& in = message.a1();
  order = Order{.id = in.a1(),
                .customer = in.a2(),
                .address = {in.a3().a1(), in.a3().a2(), in.a3().a3()},
                .lines = {},
                .note = {}};
  order.lines.reserve(static_cast<std::size_t>(in.a4_size()));
  for (const OrderMessage::Line& line : in.a4()) order.lines.push_back({line.a1(), line.a2(), line.a3()});
  if (in.has_a5()) order.note = in.a5();
}

void fill(TableMessage& message, const Table& table) {
  for (const auto& [key, value] : table) (*message.mutable_a1())[key] = value;
}
void take(const TableMessage& message, Table& table) {
  for (const auto& [key, value] : message.a1()) table.emplace(key, value);
}

template <class Message>
std::unique_ptr<std::uint8_t[]> serialize(const Message& message) {
  std::unique_ptr<std::uint8_t[]> out(new std::uint8_t[message.ByteSizeLong()]);
  message.SerializeWithCachedSizesToArray(out.get());
  return out;
}
template <class Message>
void parse(Message& message, const std::string& bytes) {
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    throw std::runtime_error("libprotobuf refused its bytes");
}

template <class Message, class T>
void add(std::vector<CodecCase>& cases, const std::string& name, const T& value) {
  auto filled = std::make_shared<Message>();
  fill(*filled, value);
  const std::string bytes = filled->SerializeAsString();
  cases.push_back(make_case(name + "_encode", "protobuf", [value] {
    Message message;
    fill(message, value);
    keep(serialize(message));
  }));
  cases.push_back(make_case(name + "_encode", "protobuf-wire", [filled] { keep(serialize(*filled)); }));
  cases.push_back(make_case(name + "_decode", "protobuf", [bytes] {
    Message message;
    parse(message, bytes);
    T out;
    take(message, out);
    keep(out);
  }));
  cases.push_back(make_case(name + "_decode", "protobuf-wire", [bytes] {
    Message message;
    parse(message, bytes);
    keep(message);
  }));
}

}  // namespace

std::vector<CodecCase> protobuf_cases() {
  std::vector<CodecCase> cases;
  add<NumbersMessage>(cases, "small", make_numbers(4));
  add<NumbersMessage>(cases, "doubles", make_numbers(1000));
  add<OrderMessage>(cases, "nested", make_order());
  add<TableMessage>(cases, "map", make_table());
  return cases;
}

}  // namespace kaido::bench
