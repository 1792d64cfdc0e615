// A plugin from the build tree, loaded as a worker loads it. Stays loaded, as in a worker.
#pragma once

#include <dlfcn.h>

#include <stdexcept>
#include <string>

#include "fake_host.h"

namespace abi_test {

class Plugin {
 public:
  explicit Plugin(const std::string &name)
      : handle_(::dlopen((HOSTLER_PLUGINS "/" + name + ".so").c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) throw std::runtime_error(::dlerror());
  }

  int run(FakeHost &host) const { return reinterpret_cast<decltype(&::run)>(::dlsym(handle_, "run"))(host.slice()); }
  int merge(FakeHost &host, hostler_results_t *results) const {
    return reinterpret_cast<decltype(&::merge)>(::dlsym(handle_, "merge"))(host.slice(), results);
  }
  const hostler_plugin_t &about() const {
    return *static_cast<const hostler_plugin_t *>(::dlsym(handle_, "hostler_plugin"));
  }

 private:
  void *handle_;
};

}  // namespace abi_test
