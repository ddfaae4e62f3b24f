// TLS in tasks: a handshake and an echo, and aborts in the middle of a handshake, where a stream must not be destroyed.
#include <kaido/asio.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <kaido/select.h>
#include <kaido/time.h>

#include "sdk/asio/support.h"

namespace kaido {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;
using testing::connected_pair;
using testing::SocketPair;
using Stream = asio::ssl::stream<tcp::socket>;

/// A server's context with a key and a certificate that it signed itself, made now.
std::unique_ptr<asio::ssl::context> make_server_context() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_sign(certificate, key, EVP_sha256());
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  SSL_CTX_use_certificate(context->native_handle(), certificate);
  SSL_CTX_use_PrivateKey(context->native_handle(), key);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return context;
}

class TlsTest : public testing::AsioTest {
 protected:
  std::unique_ptr<asio::ssl::context> server_context_ = make_server_context();
  asio::ssl::context client_context_{asio::ssl::context::tls_client};
};
KAIDO_ASIO_FLAVOURS(TlsTest);

Task<std::size_t> serve_echo(Stream stream) {
  const auto greeted = co_await stream.async_handshake(Stream::server, use_task);
  if (!greeted) co_return 0;
  std::string data(1024, ' ');
  std::size_t total = 0;
  for (;;) {
    const auto read = co_await stream.async_read_some(asio::buffer(data), use_task);
    if (!read) co_return total;
    total += *read;
    const auto written = co_await asio::async_write(stream, asio::buffer(data.data(), *read), use_task);
    if (!written) co_return total;
  }
}

Task<void> expect_echo(Stream& stream) {
  const auto greeted = co_await stream.async_handshake(Stream::client, use_task);
  EXPECT_TRUE(greeted.has_value());
  const std::string sent(100'000, 'k');
  std::string received(sent.size(), ' ');
  for (std::size_t at = 0; at < sent.size(); at += 1000) {
    const auto written = co_await asio::async_write(stream, asio::buffer(sent.data() + at, 1000), use_task);
    EXPECT_TRUE(written.has_value());
    const auto read = co_await asio::async_read(stream, asio::buffer(received.data() + at, 1000), use_task);
    EXPECT_TRUE(read.has_value());
  }
  EXPECT_EQ(received, sent);
}

TEST_P(TlsTest, HandshakesAndEchoes) {
  runtime_.block_on([this]() -> Task<void> {
    SocketPair pair = co_await connected_pair();
    auto serving = spawn(serve_echo(Stream(std::move(pair.server), *server_context_)));
    {
      Stream stream(std::move(pair.client), client_context_);
      co_await expect_echo(stream);
    }
    const auto total = co_await serving;
    EXPECT_EQ(total.value(), 100'000u);
  });
}

// The peer, which is kept here, says nothing: the handshake waits for ever.
Task<void> greet_the_silent(SocketPair pair, asio::ssl::context& context, std::atomic<int>& started) {
  Stream stream(std::move(pair.client), context);
  started.fetch_add(1);
  static_cast<void>(co_await stream.async_handshake(Stream::client, use_task));
  ADD_FAILURE() << "nobody answered";
}

TEST_P(TlsTest, AnAbortedHandshakeIsEndedBeforeItsStreamGoes) {
  std::atomic<int> started = 0;
  JoinHandle<void> left_over;
  runtime_.block_on([&, this]() -> Task<void> {
    for (int round = 0; round < 20; ++round) {
      SocketPair pair = co_await connected_pair();
      auto handle = spawn(greet_the_silent(std::move(pair), client_context_, started));
      while (started.load() <= round) co_await yield_now();
      handle.abort();
      const auto result = co_await handle;
      EXPECT_TRUE(result.has_error() && result.error().is_cancelled());
    }
    SocketPair pair = co_await connected_pair();
    const auto late = co_await timeout(2ms, greet_the_silent(std::move(pair), client_context_, started));
    EXPECT_TRUE(late.has_error() && late.error().is_timed_out());

    SocketPair last = co_await connected_pair();
    left_over = spawn(greet_the_silent(std::move(last), client_context_, started));
    while (started.load() < 22) co_await yield_now();
  });
  {
    const Runtime ended = std::move(runtime_);
  }
  EXPECT_TRUE(left_over.is_finished());
}

// Reading and writing one stream at the same time, on its strand.
TEST_P(TlsTest, AStrandLetsOneTaskReadWhileAnotherWrites) {
  runtime_.block_on([this]() -> Task<void> {
    SocketPair pair = co_await connected_pair();
    auto serving = spawn(serve_echo(Stream(std::move(pair.server), *server_context_)));
    {
      const auto strand = asio::make_strand(io_executor());
      const auto token = use_task.on(strand);
      Stream stream(std::move(pair.client), client_context_);
      const auto greeted = co_await stream.async_handshake(Stream::client, token);
      EXPECT_TRUE(greeted.has_value());
      const std::string sent(50'000, 'k');
      std::string received(sent.size(), ' ');
      auto writing = spawn([&]() -> Task<bool> {
        const auto written = co_await asio::async_write(stream, asio::buffer(sent), token);
        co_return written.has_value();
      });
      auto reading = spawn([&]() -> Task<bool> {
        const auto read = co_await asio::async_read(stream, asio::buffer(received), token);
        co_return read.has_value();
      });
      auto [wrote, read] = co_await join(writing, reading);
      EXPECT_TRUE(wrote.value() && read.value());
      EXPECT_EQ(received, sent);
    }
    static_cast<void>(co_await serving);
  });
}

}  // namespace
}  // namespace kaido
