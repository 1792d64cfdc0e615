#include "edge/control_server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "edge/control_socket.h"
#include "edge/unique_fd.h"
#include "temp_dir.h"

namespace hostler {
namespace {

using namespace std::chrono_literals;
using Reply = std::function<void(ControlReply)>;

// A blocking client.
class Client {
 public:
  explicit Client(const std::string &state_dir) {
    const auto dir = open_state_dir(state_dir);
    fd_ = std::move(connect_in(dir->get()).value());
    EXPECT_TRUE(fd_.valid());
  }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return;  // the server may close on us: that is what some tests are about
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  // Nothing: the server closed the connection.
  std::optional<HttpReply> receive() {
    HttpReplyReader reader;
    for (;;) {
      std::array<char, 4096> buffer;
      const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
      auto reply = reader.feed({buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0});
      if (!reply) return std::nullopt;
      if (*reply) return *reply;
    }
  }
  // All that comes until the server closes.
  std::string receive_all() {
    std::string all;
    std::array<char, 4096> buffer;
    for (ssize_t count = 0; (count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0)) > 0;)
      all.append(buffer.data(), static_cast<std::size_t>(count));
    return all;
  }
  std::string get(const std::string &target) {
    send(serialize_request("GET", target, ""));
    const auto reply = receive();
    return reply ? reply->body : "closed";
  }
  void half_close() { ::shutdown(fd_.get(), SHUT_WR); }
  bool ended() { return !receive(); }

 private:
  UniqueFd fd_;
};

// A server whose loop runs on a thread of its own. /echo answers with the body, /later when told, /forget never,
// /count with the number of connections, /handled with that of requests so far, /huge with 8 MiB.
class Server {
 public:
  explicit Server(std::string dir, ControlLimits limits = {}) : dir_(std::move(dir)) {
    server_ = std::move(
        ControlServer::open(
            loop_, dir_, [this](const ControlRequest &request, const Reply &reply) { handle(request, reply); }, limits)
            .value());
    thread_ = std::thread([this] { loop_.run(); });
  }
  Server(const Server &) = delete;
  Server &operator=(const Server &) = delete;
  ~Server() {
    loop_.post([this] { loop_.stop(); });
    thread_.join();
  }
  [[nodiscard]] Client connect() const { return Client(dir_); }
  // Waits until somebody asked for /later, then answers.
  void answer_later() {
    Reply reply = asked_.get_future().get();
    loop_.post([reply] { reply({200, "text/plain", "later"}); });
  }
  Reply asked() { return asked_.get_future().get(); }
  EventLoop &loop() { return loop_; }

 private:
  void handle(const ControlRequest &request, const Reply &reply) {
    ++handled_;
    if (request.path == "/later") return asked_.set_value(reply);
    if (request.path == "/forget") return;
    std::string body = request.method + " " + request.body;
    if (request.path == "/count") body = std::to_string(server_->connections());
    if (request.path == "/handled") body = std::to_string(handled_);
    if (request.path == "/huge") body = std::string(8 << 20, 'h');
    reply({200, "text/plain", body});
  }

  std::string dir_;
  EventLoop loop_;
  std::promise<Reply> asked_;
  int handled_ = 0;
  std::unique_ptr<ControlServer> server_;
  std::thread thread_;
};

TEST(ControlServer, OneConnectionAsksManyTimes) {
  const TempDir dir;
  const Server server(dir.path());
  auto client = server.connect();
  client.send(serialize_request("POST", "/echo", "body"));
  EXPECT_EQ(client.receive()->body, "POST body");
  EXPECT_EQ(client.get("/count"), "1");
}

TEST(ControlServer, RequestsSentAtOnceAreAnsweredInOrder) {
  const TempDir dir;
  Server server(dir.path());
  auto client = server.connect();
  client.send(serialize_request("GET", "/later", "") + serialize_request("POST", "/echo", "2") +
              serialize_request("POST", "/echo", "3"));
  client.half_close();
  server.answer_later();
  const auto answer = [](const std::string &body) { return serialize({200, "text/plain", body}, true); };
  EXPECT_EQ(client.receive_all(), answer("later") + answer("POST 2") + answer("POST 3"));
}

TEST(ControlServer, ClientThatSendsManyRequestsAtOnceLetsOthersHaveTheirTurn) {
  constexpr int kMany = 1000;
  const TempDir dir;
  Server server(dir.path());
  auto greedy = server.connect();
  auto other = server.connect();
  EXPECT_EQ(greedy.get("/echo") + other.get("/echo"), "GET GET ");  // both are known to the server
  std::promise<void> sent;
  server.loop().post([&] { sent.get_future().wait(); });
  std::string requests;
  for (int i = 0; i < kMany; ++i) requests += serialize_request("GET", "/echo", "");
  greedy.send(requests);
  other.send(serialize_request("GET", "/handled", ""));
  sent.set_value();
  EXPECT_LT(std::stoi(other.receive()->body), kMany / 2);
  greedy.half_close();
  EXPECT_EQ(greedy.receive_all().size(), kMany * serialize({200, "text/plain", "GET "}, true).size());
}

TEST(ControlServer, SocketIsForItsUserAloneAndGoesWithTheServer) {
  const TempDir dir;
  struct stat info {};
  {
    const Server server(dir.path());
    ASSERT_EQ(::lstat(dir.path(kSocketName).c_str(), &info), 0);
    EXPECT_TRUE(S_ISSOCK(info.st_mode));
    EXPECT_EQ(info.st_mode & 0777, 0600U);
  }
  EXPECT_NE(::lstat(dir.path(kSocketName).c_str(), &info), 0);
}

TEST(ControlServer, SocketLeftByAFormerHostIsReplaced) {
  const TempDir dir;
  {
    const auto state = open_state_dir(dir.path());
    ASSERT_TRUE(listen_in(state->get()));  // closed at once, but its file stays
    EXPECT_FALSE(connect_in(state->get())->valid());
  }
  const Server server(dir.path());
  EXPECT_EQ(server.connect().get("/count"), "1");
}

TEST(ControlServer, StateFolderMayBeDeeperThanASocketPath) {
  const TempDir dir;
  std::string deep = dir.path();
  while (deep.size() < 1000) deep += "/" + std::string(100, 'd');
  std::filesystem::create_directories(deep);
  const Server server(deep);
  EXPECT_EQ(server.connect().get("/count"), "1");
}

TEST(ControlServer, ReplyMayComeLaterWhileOthersAreAnswered) {
  const TempDir dir;
  Server server(dir.path());
  auto waiting = server.connect();
  waiting.send(serialize_request("GET", "/later", ""));
  EXPECT_EQ(server.connect().get("/echo"), "GET ");
  server.answer_later();
  EXPECT_EQ(waiting.receive()->body, "later");
}

TEST(ControlServer, ClientThatVanishesBeforeItsReplyIsForgotten) {
  const TempDir dir;
  Server server(dir.path());
  Reply reply;
  {
    auto vanishing = server.connect();
    vanishing.send(serialize_request("GET", "/later", ""));
    reply = server.asked();
  }
  auto other = server.connect();
  while (other.get("/count") != "1") continue;  // each turn is a round trip
  server.loop().post([reply] { reply({200, "text/plain", "too late"}); });
  EXPECT_EQ(other.get("/echo"), "GET ");
}

TEST(ControlServer, ClientThatClosedOnlyItsOwnSideStillGetsItsReply) {
  const TempDir dir;
  Server server(dir.path());
  auto client = server.connect();
  client.send(serialize_request("GET", "/later", ""));
  client.half_close();
  server.answer_later();
  EXPECT_EQ(client.receive()->body, "later");
  EXPECT_TRUE(client.ended());
}

TEST(ControlServer, ForgottenRequestIsAnswered500) {
  const TempDir dir;
  const Server server(dir.path());
  auto client = server.connect();
  client.send(serialize_request("GET", "/forget", ""));
  EXPECT_EQ(client.receive()->status, 500);
}

TEST(ControlServer, ReplyAfterTheServersEndHarmsNobody) {
  const TempDir dir;
  Reply reply;
  {
    Server server(dir.path());
    auto client = server.connect();
    client.send(serialize_request("GET", "/later", ""));
    reply = server.asked();
  }
  reply({200, "text/plain", "nobody is left"});
}

TEST(ControlServer, BrokenAndHugeRequestsAreRefusedAndOthersGoOn) {
  const TempDir dir;
  const Server server(dir.path());
  auto good = server.connect();
  auto broken = server.connect();
  broken.send("\x16\x03\x01 this is no HTTP\r\n\r\n");
  EXPECT_EQ(broken.receive()->status, 400);
  EXPECT_TRUE(broken.ended());
  auto huge = server.connect();
  huge.send("POST /echo HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n" + std::string(3 << 20, 'x'));
  EXPECT_EQ(huge.receive()->status, 413);
  EXPECT_EQ(good.get("/count"), "1");
}

TEST(ControlServer, HalfARequestIsClosedInTheEndAndIdleConnectionsAreNot) {
  const TempDir dir;
  const Server server(dir.path(), {1024, 10ms});
  auto idle = server.connect();
  EXPECT_EQ(idle.get("/echo"), "GET ");
  auto slow = server.connect();
  slow.send("GET /ec");
  EXPECT_TRUE(slow.ended());
  EXPECT_EQ(idle.get("/echo"), "GET ");
}

TEST(ControlServer, ClientThatDoesNotTakeItsReplyIsClosedInTheEnd) {
  const TempDir dir;
  const Server server(dir.path(), {1024, 10ms});
  auto stuck = server.connect();
  stuck.send(serialize_request("GET", "/huge", ""));
  auto other = server.connect();
  while (other.get("/count") != "1") continue;
  EXPECT_TRUE(stuck.ended());
}

TEST(ControlServer, HugeReplyToASlowReaderArrivesWhole) {
  const TempDir dir;
  const Server server(dir.path());
  auto slow = server.connect();
  slow.send(serialize_request("GET", "/huge", ""));
  EXPECT_EQ(server.connect().get("/echo"), "GET ");
  EXPECT_EQ(slow.receive()->body.size(), std::size_t{8} << 20);
}

TEST(ControlServer, ThousandIdleConnectionsAreKept) {
  const TempDir dir;
  const Server server(dir.path());
  std::vector<Client> clients;
  for (int i = 0; i < 1000; ++i) clients.push_back(server.connect());
  for (auto &client : clients) EXPECT_EQ(client.get("/echo"), "GET ");
  EXPECT_EQ(clients.front().get("/count"), "1000");
}

TEST(ControlServer, OverTheLimitTheConnectionIdleForLongestIsClosed) {
  const TempDir dir;
  const Server server(dir.path(), {3, 30s});
  auto a = server.connect();
  auto b = server.connect();
  auto c = server.connect();
  for (auto *client : {&a, &b, &c, &a}) EXPECT_EQ(client->get("/echo"), "GET ");
  auto d = server.connect();
  EXPECT_EQ(d.get("/count"), "3");
  EXPECT_TRUE(b.ended());
  for (auto *client : {&a, &c, &d}) EXPECT_EQ(client->get("/echo"), "GET ");
}

TEST(ControlServer, ClientsThatNeverFinishTheirRequestsGiveWayToNewOnes) {
  const TempDir dir;
  const Server server(dir.path(), {3, 30s});
  std::vector<Client> slow;
  for (int i = 0; i < 3; ++i) {
    slow.push_back(server.connect());
    slow.back().send("GET /echo HTTP/1.1\r\nX: ");
  }
  for (int i = 0; i < 10; ++i) EXPECT_EQ(server.connect().get("/echo"), "GET ");
}

TEST(ControlServer, RequestsThatAreNotWholeHoldBoundedMemory) {
  const TempDir dir;
  const Server server(dir.path(), {1024, 30s, 4 << 20});
  auto good = server.connect();
  EXPECT_EQ(good.get("/echo"), "GET ");
  std::vector<Client> huge;
  for (int i = 0; i < 20; ++i) {
    huge.push_back(server.connect());
    huge.back().send("POST /echo HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + std::string(999'999, 'x'));
  }
  for (int i = 0; i < 16; ++i) EXPECT_TRUE(huge[static_cast<std::size_t>(i)].ended()) << i;
  huge.back().send("x");
  EXPECT_EQ(huge.back().receive()->body.size(), 1'000'005U);
  EXPECT_EQ(good.get("/echo"), "GET ");
}

TEST(ControlServer, RepliesThatNobodyTakesHoldBoundedMemory) {
  const TempDir dir;
  const Server server(dir.path(), {1024, 30s, 20 << 20});
  std::vector<Client> stuck;
  for (int i = 0; i < 10; ++i) {
    stuck.push_back(server.connect());
    stuck.back().send(serialize_request("GET", "/huge", ""));
  }
  auto other = server.connect();
  while (other.get("/count") != "3") continue;  // two of 8 MiB, and this one
}

TEST(ControlServer, FolderThatIsNotThereIsAnErrorThatNamesIt) {
  EventLoop loop;
  const auto server = ControlServer::open(loop, "/nowhere", [](const ControlRequest &, const Reply &) {});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().where, "/nowhere");
}

}  // namespace
}  // namespace hostler
