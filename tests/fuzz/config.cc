// workers.yaml: any text is a configuration or an error of one line that says where.
#include <string>
#include <vector>

#include "core/config_builder.h"
#include "core/config_files.h"
#include "edge/yaml_parser.h"
#include "fakes/any_machine.h"
#include "fakes/whole_plain.h"
#include "fuzz.h"

namespace hostler {
namespace {

// Every file that is named is there.
class AnyFiles final : public ConfigFiles {
 public:
  Result<void> check_plugin(const std::string &, const std::string &) override { return {}; }
  Result<void> check_folder(const std::string &) override { return {}; }
  Result<void> check_room_for_folder(const std::string &) override { return {}; }
  Result<std::vector<std::string>> read_items(const std::string &) override { return std::vector<std::string>{"item"}; }
  std::string real_path(const std::string &path) override { return path; }
};

Result<Config> read(const std::string &text) {
  const auto plain = parse_plain_yaml(text);
  const auto document = plain ? Result<Node>(*plain) : parse_yaml("f.yaml", text);
  if (!document) return tl::unexpected<Error>(document.error());
  const Source source{"f.yaml", "/folder"};
  AnyFiles files;
  AnyMachine machine;
  ConfigBuilder builder("/folder/f.yaml", 2, files, machine);
  if (document->kind != Node::Kind::Map) return Config{};
  for (std::size_t i = 0; i + 1 < document->children.size(); i += 2)
    if (document->children[i].text == "host")
      if (auto host = builder.read_host(&document->children[i + 1], source); !host)
        return tl::unexpected<Error>(host.error());
  for (std::size_t i = 0; i + 1 < document->children.size(); i += 2)
    if (document->children[i].text == "workers")
      if (auto workers = builder.add_entries(document->children[i + 1], source); !workers)
        return tl::unexpected<Error>(workers.error());
  return builder.finish();
}

}  // namespace
}  // namespace hostler

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  using namespace hostler;
  const auto config = read(std::string(text_of(data, size)));
  if (!config) {
    const std::string words = config.error().text();
    require(words.starts_with("f.yaml"), "an error names its file");
    require(!config.error().what.empty(), "an error has words");
    require(words.find('\n') == std::string::npos, "an error is one line");
    require(words.size() < 4096, "an error is no book");
    return 0;
  }
  for (const EntryConfig &entry : config->entries) {
    require(!entry.name.empty() && entry.name.size() <= 64, "an entry has a name");
    require(entry.plugin.starts_with("/"), "a plugin's path is absolute");
    require(entry.count >= 1, "an entry has workers");
    require(entry.is_job() == !entry.output.empty(), "a job, and no service, has an output");
    require(entry.restart.delay >= Duration{} && entry.stop.grace >= Duration{}, "no time is negative");
  }
  return 0;
}
