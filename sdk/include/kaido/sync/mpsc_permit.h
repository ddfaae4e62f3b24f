/// Permits of an mpsc channel: the right to send one value without waiting.
#pragma once

#include <cstddef>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <utility>

#include <kaido/detail/mpsc_channel.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::mpsc {

/// One place in the channel. Dropping it unused gives the place to the next in the queue.
///
/// Threading: one thread at a time; may move between threads.
/// Lifetime: must not outlive the sender that reserved it.
template <typename T>
class [[nodiscard]] Permit {
 public:
  /// Internal.
  explicit Permit(detail::MpscChannel<T>& channel) noexcept : hold_(channel, 1) {}
  Permit(Permit&&) noexcept = default;
  Permit& operator=(Permit&&) noexcept = default;
  ~Permit() = default;

  /// Sends and uses up the permit; never waits. A value for a receiver that is gone is destroyed. Throws
  /// std::logic_error if it was used before.
  void send(T value) {
    if (hold_.count() == 0) throw std::logic_error("kaido: mpsc::Permit used twice");
    detail::Element<T> element(std::move(value));
    static_cast<detail::MpscChannel<T>*>(hold_.semaphore())->push(element);
    hold_.forget();
  }

 private:
  detail::PermitHold hold_;
};

/// Several permits: an input range, and next(). What is not taken out returns to the channel.
///
///     for (auto& permit : *permits) permit.send(next_value());
///
/// Threading, Lifetime: as Permit.
template <typename T>
class [[nodiscard]] PermitIterator {
 public:
  /// Internal.
  PermitIterator(detail::MpscChannel<T>& channel, std::size_t count) noexcept : hold_(channel, count) {}
  PermitIterator(PermitIterator&&) noexcept = default;
  PermitIterator& operator=(PermitIterator&&) noexcept = default;
  ~PermitIterator() = default;

  [[nodiscard]] std::size_t size() const noexcept { return hold_.count(); }
  /// The next permit; none when all were taken.
  [[nodiscard]] std::optional<Permit<T>> next() noexcept {
    if (hold_.count() == 0) return std::nullopt;
    hold_.subtract(1);
    return Permit<T>(*static_cast<detail::MpscChannel<T>*>(hold_.semaphore()));
  }

  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using difference_type = std::ptrdiff_t;
    using value_type = Permit<T>;

    Iterator() noexcept = default;
    explicit Iterator(PermitIterator& permits) noexcept : permits_(&permits), current_(permits.next()) {}
    Iterator(Iterator&&) noexcept = default;
    Iterator& operator=(Iterator&&) noexcept = default;
    [[nodiscard]] Permit<T>& operator*() const noexcept { return *current_; }
    Iterator& operator++() noexcept {
      current_ = permits_->next();
      return *this;
    }
    void operator++(int) noexcept { ++*this; }
    [[nodiscard]] bool operator==(std::default_sentinel_t) const noexcept { return !current_.has_value(); }

   private:
    PermitIterator* permits_ = nullptr;
    mutable std::optional<Permit<T>> current_;
  };
  [[nodiscard]] Iterator begin() noexcept { return Iterator(*this); }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

 private:
  detail::PermitHold hold_;
};

}  // namespace kaido::inline abi0::mpsc
#pragma GCC visibility pop
