/// Messages that protoc generated for C++ are sent as they serialize themselves, and described by their own .proto
/// files.
///
/// Internal to kaido/codec.h. They are known by their members, so that Kaido's headers include nothing of libprotobuf;
/// all of this is instantiated only where the message's own header is included anyway.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <kaido/detail/codec_value.h>
#include <kaido/detail/type_name.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// Of the full runtime, which knows the message's descriptor; the lite runtime does not.
template <class T>
concept DescribedType = requires {
  T::descriptor()->file()->dependency_count();
  T::descriptor()->full_name();
};

template <class File, class Proto>
Proto* argument_of(void (File::*)(Proto*) const);

/// The serialized FileDescriptorProto of a FileDescriptor. Its class is declared in the message's header, but not
/// defined; so it is made by the factory, and given to CopyTo under its own address: generated messages have one base
/// class.
template <class File, class Message>
std::string file_bytes(const File& file, const Message& any) {
  using Proto = decltype(argument_of(&File::CopyTo));
  const auto* const type = file.pool()->FindMessageTypeByName("google.protobuf.FileDescriptorProto");
  if (type == nullptr) return {};
  auto* const message = any.GetReflection()->GetMessageFactory()->GetPrototype(type)->New();
  file.CopyTo(reinterpret_cast<Proto>(message));
  std::string bytes;
  message->SerializeToString(&bytes);
  delete message;
  return bytes;
}

template <class File, class Message>
void add_files(const File& file, const Message& any, std::vector<GeneratedFile>& files) {
  for (const GeneratedFile& known : files) {
    if (known.name == file.name()) return;
  }
  for (int i = 0; i < file.dependency_count(); ++i) add_files(*file.dependency(i), any, files);
  files.push_back({file.name(), file_bytes(file, any)});
}

template <DescribedType T>
GeneratedMessage describe_generated() {
  GeneratedMessage message{.name = T::descriptor()->full_name(), .files = {}};
  add_files(*T::descriptor()->file(), T::default_instance(), message.files);
  return message;
}

template <GeneratedType T>
struct Value<T> {
  static constexpr WireType kType = WireType::kLength;
  static constexpr TypeSchema schema() {
    TypeSchema schema{.type = ProtoType::kMessage, .is_generated = true, .name = DottedName<T>::view()};
    if constexpr (DescribedType<T>) schema.generated = &describe_generated<T>;
    return schema;
  }

  static bool is_default(const T&) { return false; }
  static std::size_t size(const T& value, NestedSizes*) {
    const std::size_t body = value.ByteSizeLong();
    return varint_size(body) + body;
  }
  static std::byte* write(std::byte* at, const T& value, NestedSizes*) {
    // ByteSizeLong() also sets the cached sizes that the next line writes by.
    at = write_varint(at, value.ByteSizeLong());
    return reinterpret_cast<std::byte*>(value.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(at)));
  }
  static bool read(Decoder& in, T& value) {
    std::span<const std::byte> block;
    if (!in.read_block(block)) return false;
    if (block.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
      return in.fail("a message of over 2 GiB");
    const int bytes = static_cast<int>(block.size());
    if (value.ByteSizeLong() == 0) return value.ParseFromArray(block.data(), bytes) || fail(in);
    T part;
    if (!part.ParseFromArray(block.data(), bytes)) return fail(in);
    value.MergeFrom(part);
    return true;
  }
  static void clear(T& value) { value.Clear(); }

 private:
  static bool fail(Decoder& in) { return in.fail("libprotobuf refused the message before this byte"); }
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
