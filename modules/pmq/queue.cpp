// SPDX-License-Identifier: Apache-2.0
#include "queue.hpp"

#include "name_lock.hpp"

#include <ipcmark/module_kit/error.hpp>
#include <ipcmark/module_kit/system_value.hpp>

#include <cerrno>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <mqueue.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace pmq {

namespace kit = ipcmark::kit;

namespace {

std::string random_name() {
    unsigned char bytes[16];
    if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
        kit::throw_errno("get random bytes");
    }
    constexpr char digits[] = "0123456789abcdef";
    std::string name = "/ipcmark-";
    for (const auto byte : bytes) {
        name += digits[byte >> 4];
        name += digits[byte & 15];
    }
    return name;
}

std::string sysctl(const char* name, std::uint64_t value) {
    return std::string("raise it with: sysctl fs.mqueue.") + name + "=" + std::to_string(value);
}

// Short: an error of a module has no room for more.
std::string raise_bytes(const SystemLimits& limits, std::uint64_t needed) {
    const auto number = std::to_string(needed);
    return needed <= limits.most_bytes // a shell may raise it so far
               ? "raise it with: ulimit -q " + number
               : "raise it by CAP_SYS_RESOURCE, limits.conf or a container's --ulimit msgqueue=" + number;
}

[[noreturn]] void throw_open_failed(int error, const Shape& shape) {
    const auto limits = SystemLimits::read();
    switch (error) {
    case ENOSPC:
        throw kit::Error(IPCMARK_LIMIT,
                         "all " + std::to_string(limits.queues) +
                             " message queues of fs.mqueue.queues_max are in use; " +
                             sysctl("queues_max", 2 * limits.queues),
                         error);
    case EMFILE: {
        // Either the bytes of RLIMIT_MSGQUEUE or the descriptors ran out.
        const kit::Fd probe(::open("/", O_PATH | O_CLOEXEC));
        if (probe) {
            throw kit::Error(IPCMARK_LIMIT,
                             "the user's message queues have used up RLIMIT_MSGQUEUE (" + std::to_string(limits.bytes) +
                                 " bytes), this queue needs " + std::to_string(charged_bytes(shape)) + " more; " +
                                 raise_bytes(limits, limits.bytes + 8 * charged_bytes(shape)),
                             error);
        }
        kit::throw_errno("make a message queue", error);
    }
    case EINVAL: { // only where check_limits could not read them
        const auto text = [](std::uint64_t limit, const char* usual) {
            return limit == UINT64_MAX ? std::string("which cannot be read here and is usually ") + usual
                                       : "which is " + std::to_string(limit);
        };
        throw kit::Error(IPCMARK_LIMIT,
                         "cannot make a message queue of " + std::to_string(shape.depth) + " messages of " +
                             std::to_string(shape.message_size) + " bytes: " + kit::errno_text(error) +
                             "; that is above fs.mqueue.msgsize_max, " + text(limits.message_size, "8192") +
                             ", or fs.mqueue.msg_max, " + text(limits.depth, "10"),
                         error);
    }
    case ENOSYS:
        throw kit::Error(IPCMARK_UNSUPPORTED, "this kernel has no POSIX message queues", error);
    default:
        kit::throw_errno("make a message queue of " + std::to_string(shape.depth) + " messages of " +
                             std::to_string(shape.message_size) + " bytes",
                         error);
    }
}

// Unlinks the name when it goes out of scope.
class Name {
public:
    explicit Name(const std::string& text) : text_(text) {}
    Name(const Name&) = delete;
    Name& operator=(const Name&) = delete;
    ~Name() { ::mq_unlink(text_.c_str()); }

private:
    const std::string& text_;
};

// Makes the queue under a name that is free and takes the name away again; nothing where it is somebody's.
std::optional<Queue> make_queue_under(const std::string& text, const Shape& shape) {
    mq_attr attributes{};
    attributes.mq_maxmsg = static_cast<long>(shape.depth);
    attributes.mq_msgsize = static_cast<long>(shape.message_size);
    Queue queue;
    queue.sender.reset(::mq_open(text.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR, &attributes));
    if (!queue.sender) {
        if (errno == EEXIST) {
            return std::nullopt;
        }
        throw_open_failed(errno, shape);
    }
    const Name name(text);
    // The umask may have taken from the owner what it takes to open the queue once more.
    if (::fchmod(queue.sender.get(), S_IRUSR | S_IWUSR) != 0) {
        kit::throw_errno("set the mode of a message queue");
    }
    // Readable and writable: a receiver is woken by a message of no bytes into its own queue.
    queue.receiver.reset(::mq_open(text.c_str(), O_RDWR | O_CLOEXEC));
    if (!queue.receiver) {
        throw_open_failed(errno, shape);
    }
    return queue;
}

} // namespace

Queue make_queue(const Shape& shape) {
    if (const NameLock lock; lock.held()) {
        const auto name = users_name();
        ::mq_unlink(name.c_str()); // a killed run's; where it is another user's the kernel refuses that
        if (auto queue = make_queue_under(name, shape)) {
            return std::move(*queue);
        }
    }
    if (auto queue = make_queue_under(random_name(), shape)) {
        return std::move(*queue);
    }
    throw_open_failed(EEXIST, shape);
}

SystemLimits SystemLimits::read() {
    const auto number = [](const char* name) {
        return kit::read_system_number(std::string("/proc/sys/fs/mqueue/") + name).value_or(UINT64_MAX);
    };
    rlimit bytes{RLIM_INFINITY, RLIM_INFINITY};
    ::getrlimit(RLIMIT_MSGQUEUE, &bytes);
    return {number("msgsize_max"), number("msg_max"), number("queues_max"),
            bytes.rlim_cur == RLIM_INFINITY ? UINT64_MAX : bytes.rlim_cur,
            bytes.rlim_max == RLIM_INFINITY ? UINT64_MAX : bytes.rlim_max};
}

void check_limits(const Shape& shape, std::uint64_t pairs) {
    const auto limits = SystemLimits::read();
    if (shape.message_size > limits.message_size) {
        throw kit::Error(IPCMARK_LIMIT, "messages of " + std::to_string(shape.message_size) +
                                            " bytes are larger than fs.mqueue.msgsize_max (" +
                                            std::to_string(limits.message_size) + "); " +
                                            sysctl("msgsize_max", shape.message_size));
    }
    if (shape.depth > limits.depth) {
        throw kit::Error(IPCMARK_LIMIT, "a depth of " + std::to_string(shape.depth) +
                                            " messages is more than fs.mqueue.msg_max (" +
                                            std::to_string(limits.depth) + "); " + sysctl("msg_max", shape.depth));
    }
    const auto endpoints = std::to_string(pairs) + (pairs == 1 ? " endpoint has " : " endpoints have ") +
                           std::to_string(2 * pairs) + " message queues";
    const std::string fewer = pairs > 1 ? ", or ask for fewer endpoints" : "";
    if (2 * pairs > limits.queues) {
        throw kit::Error(IPCMARK_LIMIT, endpoints + ", more than fs.mqueue.queues_max (" +
                                            std::to_string(limits.queues) + "); " + sysctl("queues_max", 2 * pairs) +
                                            fewer);
    }
    if (const auto bytes = 2 * pairs * charged_bytes(shape); bytes > limits.bytes) {
        const std::string smaller = shape.depth == 1 ? ""
                                    : pairs > 1      ? " or a smaller depth"
                                                     : ", or give a smaller depth";
        throw kit::Error(IPCMARK_LIMIT, endpoints + " of " + std::to_string(shape.depth) + " messages of " +
                                            std::to_string(shape.message_size) + " bytes, " + std::to_string(bytes) +
                                            " bytes of RLIMIT_MSGQUEUE, which is " + std::to_string(limits.bytes) +
                                            "; " + raise_bytes(limits, bytes) + fewer + smaller);
    }
}

} // namespace pmq
