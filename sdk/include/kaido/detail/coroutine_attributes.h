/// What compilers can be told of coroutines, where they have words for it.
#pragma once

/// KAIDO_CHECK_LIFETIMES, defined by the user: clang 17 and later then warn (-Wdangling) of a Task, or a handle of one,
/// that outlives a temporary or a lambda which its coroutine refers to. The price is the compiler's: each function with
/// a body that returns a Task and is no coroutine is to be marked KAIDO_CORO_WRAPPER.
#if defined(KAIDO_CHECK_LIFETIMES) && defined(__has_cpp_attribute)
#if __has_cpp_attribute(clang::coro_lifetimebound) && __has_cpp_attribute(clang::coro_return_type)
#define KAIDO_CORO_TASK [[clang::coro_return_type, clang::coro_lifetimebound]]
#define KAIDO_CORO_WRAPPER [[clang::coro_wrapper]]
#define KAIDO_CORO_KEEPS [[clang::lifetimebound]]
#endif
#endif
#ifndef KAIDO_CORO_TASK
#define KAIDO_CORO_TASK
#define KAIDO_CORO_WRAPPER
#define KAIDO_CORO_KEEPS
#endif

/// `co_await f()` in a coroutine needs no allocation for f's frame: it lies in the awaiting one. A Task's frame ends no
/// later than the expression that awaits it, as this asks for.
#if defined(__has_cpp_attribute)
#if __has_cpp_attribute(clang::coro_await_elidable)
#define KAIDO_CORO_ELIDABLE [[clang::coro_await_elidable]]
#endif
#endif
#ifndef KAIDO_CORO_ELIDABLE
#define KAIDO_CORO_ELIDABLE
#endif
