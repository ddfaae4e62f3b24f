/// Memory for frames and task cells: free lists per thread and size class. A task that is spawned, run and joined takes
/// and returns its memory without a lock, mostly from the cache.
///
/// Memory freed on another thread than it came from stays with the thread that freed it. Each class keeps at most
/// kBytesPerClass; the rest goes back to the allocator. Sanitizer builds do without, so that they see every use.
#include <cstddef>
#include <new>

#include <kaido/detail/poll.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KAIDO_NO_FRAME_POOL 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define KAIDO_NO_FRAME_POOL 1
#endif
#endif

namespace kaido::inline abi0::detail {

#if defined(KAIDO_NO_FRAME_POOL)

void* allocate_frame(std::size_t size) { return ::operator new(size); }
void free_frame(void* frame, std::size_t) noexcept { ::operator delete(frame); }

#else

namespace {

constexpr std::size_t kClassBytes = 64;
constexpr std::size_t kClasses = 32;  // Up to 2 KiB.
constexpr std::size_t kBytesPerClass = 64 * 1024;

struct FreeFrame {
  FreeFrame* next;
};

struct FreeList {
  FreeFrame* first;
  std::size_t count;
};

// Trivial, so that reaching it costs no guard; the cleaner below empties it at the thread's end.
struct FreeLists {
  FreeList lists[kClasses];
  bool has_cleaner;
  bool is_closed;
};

constinit thread_local FreeLists free_lists{};

struct Cleaner {
  ~Cleaner() {
    free_lists.is_closed = true;
    for (std::size_t index = 0; index < kClasses; ++index) {
      FreeList& list = free_lists.lists[index];
      while (list.first != nullptr) {
        FreeFrame* frame = list.first;
        list.first = frame->next;
        ::operator delete(frame);
      }
      list.count = 0;
    }
  }
};

void register_cleaner() {
  static thread_local Cleaner cleaner;
  static_cast<void>(cleaner);
  free_lists.has_cleaner = true;
}

}  // namespace

void* allocate_frame(std::size_t size) {
  const std::size_t index = (size - 1) / kClassBytes;
  if (index >= kClasses) return ::operator new(size);
  FreeList& list = free_lists.lists[index];
  if (list.first == nullptr) return ::operator new((index + 1) * kClassBytes);
  FreeFrame* frame = list.first;
  list.first = frame->next;
  --list.count;
  return frame;
}

void free_frame(void* frame, std::size_t size) noexcept {
  const std::size_t index = (size - 1) / kClassBytes;
  if (index >= kClasses) {
    ::operator delete(frame);
    return;
  }
  FreeList& list = free_lists.lists[index];
  // Not divided by the size: that alone took as long as all the rest.
  if ((list.count + 1) * (index + 1) > kBytesPerClass / kClassBytes || free_lists.is_closed) {
    ::operator delete(frame);
    return;
  }
  if (!free_lists.has_cleaner) register_cleaner();
  list.first = new (frame) FreeFrame{list.first};
  ++list.count;
}

#endif

}  // namespace kaido::inline abi0::detail
