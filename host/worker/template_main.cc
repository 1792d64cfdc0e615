#include "worker/template_main.h"

#include <fcntl.h>
#include <link.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <csignal>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "core/build_id.h"
#include "core/template_messages.h"
#include "worker/crash_report.h"
#include "worker/own_memory.h"
#include "worker/process_title.h"
#include "worker/worker_main.h"

namespace hostler {
namespace {

// Raised, so that the kernel never picks the host first; workers inherit it.
constexpr std::string_view kOomScoreAdj = "500";

void block_all_signals() {
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
}

void reset_dispositions() {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
}

void raise_oom_score() {
  const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  // Best effort: under a sandbox that forbids it the kernel decides by size alone.
  if (::write(fd, kOomScoreAdj.data(), kOomScoreAdj.size()) < 0) errno = 0;
  ::close(fd);
}

// Loading is over.
void remove_bind_now() {
  const std::string_view name = kBindNow.substr(0, kBindNow.find('='));
  const char *value = ::getenv(std::string(name).c_str());
  if (value != nullptr && kBindNow.substr(name.size() + 1) == value) ::unsetenv(std::string(name).c_str());
}

// What a fork by the bare system call leaves stale in the child: glibc's idea of its thread id, and the list of robust
// mutexes.
struct ThreadSelf {
  int *tid = nullptr;
  void *robust_list = nullptr;
  std::size_t robust_size = 0;
  bool known = false;
};

ThreadSelf find_thread_self() {
  ThreadSelf self;
  self.known = ::prctl(PR_GET_TID_ADDRESS, &self.tid) == 0 && self.tid != nullptr &&
               ::syscall(SYS_get_robust_list, 0, &self.robust_list, &self.robust_size) == 0;
  return self;
}

// The legacy call: clone3 is refused under the seccomp profiles of containers. The child's parent is the host.
pid_t fork_for_the_host(const ThreadSelf &self) {
  constexpr unsigned long kFlags = CLONE_PARENT | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
#if defined(__x86_64__)
  const long pid = ::syscall(SYS_clone, kFlags, nullptr, nullptr, self.tid, 0UL);
#else
  const long pid = ::syscall(SYS_clone, kFlags, nullptr, nullptr, 0UL, self.tid);
#endif
  if (pid == 0) ::syscall(SYS_set_robust_list, self.robust_list, self.robust_size);
  return static_cast<pid_t>(pid);
}

// Of this program, which the loader names first.
std::string own_build_id() {
  std::string id;
  ::dl_iterate_phdr(
      [](dl_phdr_info *program, std::size_t, void *into) {
        for (int i = 0; i < program->dlpi_phnum; ++i) {
          const ElfW(Phdr) &segment = program->dlpi_phdr[i];
          if (segment.p_type != PT_NOTE) continue;
          // NOLINTNEXTLINE(performance-no-int-to-ptr): it is where the loader has put the segment
          const auto *notes = reinterpret_cast<const char *>(program->dlpi_addr + segment.p_vaddr);
          std::string found = build_id_in({notes, segment.p_filesz});
          if (!found.empty()) *static_cast<std::string *>(into) = std::move(found);
        }
        return 1;
      },
      &id);
  return id;
}

bool greet() {
  TemplateHello hello;
  const std::string id = own_build_id();
  id.copy(hello.build.data(), hello.build.size() - 1);
  return ::send(kTemplateControlFd, &hello, sizeof hello, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof hello);
}

struct Received {
  ForkRequest request;
  std::array<int, 2> fds{-1, -1};  // channel, log
  int count = 0;
};

enum class Reception { Request, Nothing, End };

Reception receive(Received &received, bool wait) {
  iovec text{&received.request, sizeof received.request};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(kTemplateControlFd, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return Reception::Nothing;
  if (size != static_cast<ssize_t>(sizeof received.request)) return Reception::End;
  received.count = 0;
  for (cmsghdr *part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    received.count = static_cast<int>((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(received.fds.data(), CMSG_DATA(part), static_cast<std::size_t>(received.count) * sizeof(int));
  }
  received.request.title.back() = '\0';
  return Reception::Request;
}

class Template {
 public:
  Template(int argc, char **argv) : title_(argc, argv), host_(::getppid()), self_(find_thread_self()) {
    title_.set(kTemplateTitle);
  }

  // Until the host is gone. Answers wait for more requests, as long as there are some at hand.
  void serve() {
    std::array<ForkAnswer, kMostForkAnswers> answers;
    std::size_t count = 0;
    Received received;
    while (true) {
      const Reception reception = receive(received, count == 0);
      if (reception == Reception::End) return;
      if (reception == Reception::Request) answers[count++] = fork_worker(received);
      if (count == answers.size() || (reception == Reception::Nothing && count > 0)) {
        if (::send(kTemplateControlFd, answers.data(), count * sizeof(ForkAnswer), MSG_NOSIGNAL) < 0) return;
        count = 0;
      }
    }
  }

 private:
  ForkAnswer fork_worker(const Received &received) {
    ForkAnswer answer;
    answer.worker = received.request.worker;
    if (received.count != 2) {
      answer.error = EMFILE;
    } else if (!self_.known) {
      answer.error = ENOSYS;
    } else if (const pid_t pid = fork_for_the_host(self_); pid == 0) {
      become_worker(received);
    } else if (pid < 0) {
      answer.error = errno;
    } else {
      answer.pid = pid;
    }
    for (int i = 0; i < received.count; ++i) ::close(received.fds[static_cast<std::size_t>(i)]);
    return answer;
  }

  [[noreturn]] void become_worker(const Received &received) {
    const std::string_view title(received.request.title.data());
    title_.set(title);
    WorkerSetUp set_up;
    set_up.worker = received.request.worker;
    set_up.page = received.request.page;
    set_up.title = title;
    set_up.host = host_;
    set_up.channel = received.fds[0];
    set_up.log = received.fds[1];
    set_up.page_file = kTemplatePagesFd;
    set_up.control = kTemplateControlFd;
    worker_main(set_up);
  }

  ProcessTitle title_;
  pid_t host_;
  ThreadSelf self_;
};

}  // namespace

int template_main(int argc, char **argv) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a host that died before this has closed the control socket
  block_all_signals();
  reset_dispositions();
  catch_crashes();  // for the workers
  ::close_range(kTemplatePagesFd + 1, ~0U, 0);
  ::prctl(PR_SET_NAME, kTemplateTitle.data());
  raise_oom_score();
  remove_bind_now();
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // here, once, and not in every worker
  (void)SharedPage::make_guard();                 // likewise; where it fails, each tries for itself
  Template serving(argc, argv);
  if (!greet()) return 0;
  give_back_memory();
  serving.serve();
  return 0;
}

}  // namespace hostler
