#include "edge/status_json.h"

#include <gtest/gtest.h>

#include <string>

namespace hostler {
namespace {

// Every member has a value that is not its default.
HostStatus full_status() {
  WorkerStatus worker;
  worker.instance = 1;
  worker.state = "running";
  worker.pid = 4711;
  worker.build = "0123456789ab";
  worker.up_seconds = 1.5;
  worker.restarts = 2;
  worker.last_exit = {"killed by SIGSEGV", "crash", -1, 11, true};
  worker.slice = "words.3-16777216";
  worker.progress = {12, 30};
  worker.beats = 1'000'000'000'000;
  worker.ready = true;
  worker.note = "again in \"400ms\"";
  EntryStatus job;
  job.name = "words";
  job.kind = "job";
  job.state = "running";
  job.reason = "because";
  job.plugin = "words.so";
  job.plugin_id = "words";
  job.version = "1.0.0";
  job.build = "abcdef012345";
  job.newer_build = true;
  job.held = "params.top 20 → 30";
  job.resumable = true;
  job.stopped = true;
  job.count = 4;
  job.workers = {worker, WorkerStatus{}};
  job.unit = "bytes";
  job.progress = {8, 1, 2, 3, 4, 5, 6, 7, {9, 10}, 11, 12};
  job.rate = 12.25;
  job.eta_seconds = 60;
  job.output = "/data/out";
  job.counters = {{"bytes", 5'000'000'000}, {"lines", -1}};
  HostStatus host;
  host.pid = 42;
  host.version = "0.1.0";
  host.config = "/etc/workers.yaml";
  host.state_dir = "/var/lib/hostler";
  host.up_seconds = 0.25;
  host.last_reload = "rejected: ümlaut";
  host.last_reload_ok = false;
  host.stopping = true;
  host.waits_for = "state/ledger.sqlite: the disk is full";
  host.jobs_ended = true;
  host.entries = {job};
  return host;
}

TEST(StatusJson, StatusMakesTheRoundTrip) {
  for (const auto layout : {Layout::Compact, Layout::Pretty}) {
    const std::string text = to_json(full_status(), layout);
    const auto back = status_from_json(text);
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(to_json(*back, layout), text);
  }
  const auto back = *status_from_json(to_json(full_status()));
  EXPECT_EQ(back.entries.at(0).workers.at(0).beats, 1'000'000'000'000);
  EXPECT_EQ(back.entries.at(0).workers.at(0).note, "again in \"400ms\"");
  EXPECT_EQ(back.entries.at(0).progress.retries, 7);
  EXPECT_EQ(back.entries.at(0).counters.at("bytes"), 5'000'000'000);
  EXPECT_FALSE(back.last_reload_ok);
}

// Scripts of users depend on these.
TEST(StatusJson, KeysAreStable) {
  const std::string text = to_json(full_status());
  EXPECT_EQ(
      text.find(
          R"({"pid":42,"version":"0.1.0","config":"/etc/workers.yaml","state_dir":"/var/lib/hostler",)"
          R"("up_seconds":0.25,"last_reload":"rejected: ümlaut","last_reload_ok":false,"stopping":true,)"
          R"("waits_for":"state/ledger.sqlite: the disk is full","jobs_ended":true,"entries":[{"name":"words","kind":"job","state":"running",)"),
      0U)
      << text;
  EXPECT_NE(
      text.find(
          R"("unit":"bytes","progress":{"slices":8,"done":1,"leased":2,"backoff":3,"quarantined":4,"isolated":11,"positions":5,)"
          R"("positions_done":6,"positions_isolated":12,"retries":7,"skipped":9,"positions_skipped":10},"rate":12.25,"eta_seconds":60.0,"output":"/data/out",)"
          R"("counters":{"bytes":5000000000,"lines":-1}})"),
      std::string::npos)
      << text;
}

TEST(StatusJson, ServiceHasNoProgress) {
  HostStatus host = full_status();
  host.entries[0].kind = "service";
  EXPECT_EQ(to_json(host).find("positions"), std::string::npos);
}

TEST(StatusJson, MissingKeysLeaveTheirDefaultsAndUnknownOnesAreIgnored) {
  const auto status = status_from_json(R"({"pid": 7, "news": [1, {}], "entries": [{"name": "a"}]})");
  ASSERT_TRUE(status) << status.error().text();
  EXPECT_EQ(status->pid, 7);
  EXPECT_TRUE(status->last_reload_ok);
  EXPECT_EQ(status->entries.at(0).name, "a");
  EXPECT_EQ(status->entries.at(0).eta_seconds, -1);
}

TEST(StatusJson, WhatIsNoStatusIsAnError) {
  for (const char *text :
       {"", "{", "[]", "null", R"({"pid": "seven"})", R"({"entries": {}})", R"({"entries": [1]})", R"({"pid": 1e99})",
        R"({"pid": 4294967296})", R"({"pid": 1.5})", R"({"pid": true})", R"({"entries": [{"counters": {"a": 1e30}}]})"})
    EXPECT_FALSE(status_from_json(text)) << text;
}

TEST(StatusJson, BytesThatAreNotUtf8AreReplaced) {
  HostStatus host;
  host.last_reload = "a\xff";
  const auto back = status_from_json(to_json(host));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->last_reload, "a\xef\xbf\xbd");
}

TEST(StatusJson, AResultThatIsNoTextGoesWhole) {
  EXPECT_EQ(to_json(ResultStatus{"0-5", 0, 5, 9, "grün"}),
            "{\"slice\":\"0-5\",\"input\":0,\"begin\":5,\"end\":9,\"result\":\"grün\"}\n");
  EXPECT_EQ(to_json(ResultStatus{"merge", 0, 0, 0, std::string("\0\xff\xfe", 3)}),
            "{\"slice\":\"merge\",\"input\":0,\"begin\":0,\"end\":0,\"result_base64\":\"AP/+\"}\n");
}

TEST(StatusJson, ErrorMakesTheRoundTripAndHasItsLine) {
  const Error error{"workers.yaml:3:7", "what", "do"};
  EXPECT_EQ(
      to_json(error),
      "{\"error\":\"workers.yaml:3:7: what (do)\",\"where\":\"workers.yaml:3:7\",\"what\":\"what\",\"hint\":\"do\"}\n");
  EXPECT_EQ(error_from_json(to_json(error))->text(), error.text());
}

TEST(StatusJson, ReloadMakesTheRoundTrip) {
  const ReloadOptions options{{"a", "b"}, {"c"}};
  const auto back = reload_request_from_json(to_json(options));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->fresh, options.fresh);
  EXPECT_EQ(back->resume, options.resume);
  EXPECT_TRUE(reload_request_from_json(""));
  EXPECT_FALSE(reload_request_from_json(R"({"fresh": "a"})"));
  EXPECT_FALSE(reload_request_from_json(R"({"fresh": [1]})"));
  const ReloadReply reply{false, {"keep a", "add b"}, "no"};
  EXPECT_EQ(*reload_reply_from_json(to_json(reply)), reply);
}

TEST(StatusJson, WhatARequestNamesTwiceIsNamedOnce) {
  const auto command = operator_command_from_json(R"({"names":["b","a","b"],"slices":["a.0","a.0"]})");
  ASSERT_TRUE(command);
  EXPECT_EQ(command->names, (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(command->slices, std::vector<std::string>{"a.0"});
  const auto options = reload_request_from_json(R"({"fresh":["j","j"],"resume":["k","k","l"]})");
  ASSERT_TRUE(options);
  EXPECT_EQ(options->fresh, std::vector<std::string>{"j"});
  EXPECT_EQ(options->resume, (std::vector<std::string>{"k", "l"}));
}

TEST(StatusJson, OperatorCommandMakesTheRoundTripWithoutItsVerb) {
  const OperatorCommand command{OperatorVerb::Start, {"a", "b"}, true, 4, {"c"}, {"d"}};
  const auto back = operator_command_from_json(to_json(command));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, command);
  EXPECT_EQ(*operator_command_from_json(R"({"names": ["a"]})"),
            (OperatorCommand{OperatorVerb::Start, {"a"}, false, 0, {}, {}}));
  for (const char *text : {"", "[]", R"({"names": "a"})", R"({"count": "four"})"})
    EXPECT_FALSE(operator_command_from_json(text)) << text;
}

TEST(StatusJson, RequestWithAKeyThatThereIsNotNamesTheNearest) {
  const auto command = operator_command_from_json(R"({"nmaes": ["a"]})");
  ASSERT_FALSE(command);
  EXPECT_EQ(command.error().text(), R"(unknown key "nmaes" (did you mean "names"?))");
  const auto reload = reload_request_from_json(R"({"fresh": [], "\n": 1})");
  ASSERT_FALSE(reload);
  EXPECT_EQ(reload.error().text(), R"(unknown key "\x0a" (known here: fresh, resume))");
}

TEST(StatusJson, ARequestThatIsNestedDeeplyIsRefusedBeforeItIsBuilt) {
  const auto command = operator_command_from_json(R"({"names": )" + std::string(900'000, '['));
  ASSERT_FALSE(command);
  EXPECT_EQ(command.error().text(), "not the JSON that is expected: it is nested too deeply");
}

TEST(StatusJson, TheLastExitHasItsNumbersBesideTheWords) {
  EXPECT_NE(
      to_json(full_status())
          .find(R"("last_exit":{"text":"killed by SIGSEGV","verdict":"crash","code":-1,"signal":11,"core":true})"),
      std::string::npos);
}

}  // namespace
}  // namespace hostler
