// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "address.hpp"
#include "bell.hpp"
#include "greeting.hpp"
#include "memory.hpp"
#include "options.hpp"
#include "ring.hpp"
#include "slots.hpp"

#include <ipcmark/module_kit.hpp>
#include <ipcmark/module_kit/local_rendezvous.hpp>
#include <ipcmark/module_kit/peer_watch.hpp>
#include <ipcmark/module_kit/stop_reasons.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <sched.h>

namespace ipcmark::shm {

class Endpoint final : kit::PeerWatch::Listener {
public:
    // The connecting side: makes the memory and greets the listener with it.
    Endpoint(const Address& address, const kit::EndpointRequest& request);
    // The accepting side.
    Endpoint(kit::Peer peer, const kit::EndpointRequest& request);
    ~Endpoint() = default;
    Endpoint(const Endpoint&) = delete;
    Endpoint& operator=(const Endpoint&) = delete;

    ipcmark_status send(const void* data, std::size_t size) noexcept;
    ipcmark_status recv(void* data, std::size_t capacity, std::size_t& size) noexcept;
    void interrupt(ipcmark_status status) noexcept;
    ipcmark_value effective_option(std::uint32_t index) const;

    static constexpr std::uint32_t max_batch = 256;
    ipcmark_status send_batch(const ipcmark_tx_message* messages, std::size_t count, std::size_t& sent) noexcept;
    ipcmark_status recv_batch(ipcmark_rx_message* messages, std::size_t count, std::size_t& received) noexcept;

    void poll_descriptor(std::uint32_t direction, int& fd, short& events) const;
    ipcmark_status try_send(const void* data, std::size_t size) noexcept;
    ipcmark_status try_recv(void* data, std::size_t capacity, std::size_t& size) noexcept;
    ipcmark_status arm(std::uint32_t directions, std::uint32_t& ready) noexcept;

    ipcmark_status loan(std::size_t size, ipcmark_loan& out) noexcept;
    ipcmark_status commit(std::uint64_t token, std::size_t size) noexcept;
    ipcmark_status discard(std::uint64_t token) noexcept;
    ipcmark_status take(ipcmark_taken& out) noexcept;
    ipcmark_status release(std::uint64_t token) noexcept;

private:
    enum class Wait { may, must_not };
    // As many bytes are copied in about the time of a turn of the polling loop; what else a record costs takes as long.
    static constexpr std::uint64_t work_a_turn = 256;

    // One direction as this side sees it: its own bell, which the peer rings, and the peer's, which it rings.
    struct Ends {
        Bell* own = nullptr;
        Bell* peers = nullptr;
        kit::Fd own_event; // both only with IPCMARK_ENDPOINT_POLLED
        kit::Fd peers_event;
        unsigned delay = 1;     // turns before the first poll of the next wait
        std::uint64_t work = 0; // bytes taken since the last wait, and work_a_turn for each record
        bool drain = false;     // own_event may have been written since it was last read
    };
    // What only the sending half touches.
    struct alignas(line) Tx {
        SlotWriter slots; // if slotted, else
        Writer records;
        Ends ends;
        std::uint64_t fixed_size = 0;
        std::uint64_t piece = 0;  // longest payload of a record
        std::uint64_t moved = 0;  // bytes of the present message that are in the ring
        std::uint64_t wanted = 1; // what the last try_send had no room for
        bool slotted = false;
        Slot lent; // while lent_token is not 0
        std::uint64_t lent_size = 0;
        std::uint64_t lent_token = 0;
        std::uint64_t last_token = 0;
    };
    struct alignas(line) Rx {
        SlotReader slots; // if slotted, else
        Reader records;
        Ends ends;
        std::uint64_t moved = 0; // bytes of the present message that were copied out or dropped
        bool cut = false;        // it is larger than the caller's capacity
        bool slotted = false;
        Record taken; // while taken_token is not 0
        std::uint64_t taken_token = 0;
        std::uint64_t last_token = 0;
    };

    Endpoint(const kit::EndpointRequest& request, unsigned side);
    void attach(const Greeting& greeting, std::vector<kit::Fd> events);
    void peer_left() noexcept override;
    void wake_self() noexcept;

    [[nodiscard]] bool size_allowed(std::size_t size) const noexcept {
        return size - 1 < max_size_ && (tx_.fixed_size == 0 || size == tx_.fixed_size);
    }
    [[nodiscard]] ipcmark_status refuse_size(std::size_t size) const noexcept;

    ipcmark_status reason_to_stop_sending() noexcept;
    ipcmark_status may_send(std::size_t size) noexcept;
    // Calls `use` with the ring of the half, whichever it is.
    template <class Half, class Use> static auto with_ring(Half& half, Use use) noexcept {
        return half.slotted ? use(half.slots) : use(half.records);
    }
    template <Wait W, class Ring> ipcmark_status send_through(Ring& ring, const void* data, std::size_t size) noexcept;
    template <Wait W> ipcmark_status send_pieces(const std::byte* data, std::size_t size) noexcept;
    template <Wait W, class Ring>
    ipcmark_status recv_through(Ring& ring, void* data, std::size_t capacity, std::size_t& size) noexcept;
    template <Wait W, class Ring>
    ipcmark_status recv_pieces(Ring& ring, Record record, std::byte* data, std::size_t capacity,
                               std::size_t& size) noexcept;
    template <class Ring>
    ipcmark_status send_several(Ring& ring, const ipcmark_tx_message* messages, std::size_t count,
                                std::size_t& sent) noexcept;
    template <class Ring>
    ipcmark_status recv_several(Ring& ring, ipcmark_rx_message* messages, std::size_t count,
                                std::size_t& received) noexcept;
    // Room for a record, or the next record: waits for it if W allows.
    template <Wait W, class Ring> ipcmark_status reserve(Ring& ring, std::uint64_t payload, Slot& slot) noexcept;
    template <Wait W, class Ring> ipcmark_status next_record(Ring& ring, Record& record) noexcept;
    void announce() noexcept;
    template <class Ring> void done_with(Ring& ring, const Record& record) noexcept;
    template <class Ring> void give_back(Ring& ring) noexcept;

    // Calls `probe` by the wait policy until it returns something else than IPCMARK_WOULD_BLOCK, or there is a reason
    // to stop.
    template <class Ring, class Probe> ipcmark_status wait(Ends& ends, Probe probe) noexcept;
    template <class Ring, class Probe> ipcmark_status spin(Ends& ends, Probe probe) noexcept;
    void keep_distance(Ends& ends) noexcept;
    static void choose_distance(Ends& ends, unsigned turns) noexcept;
    template <class Probe> ipcmark_status stop_or(Probe probe) noexcept;
    bool sleeps_with_membarrier(Bell& bell) noexcept;
    void barrier_before_sleep(Bell& bell) noexcept;
    [[nodiscard]] bool must_look() const noexcept { return stop_.any(); }
    [[nodiscard]] ipcmark_status corrupt() const noexcept;
    [[nodiscard]] ipcmark_status unknown_token() const noexcept;
    // The memory of the next message is lent already.
    [[nodiscard]] ipcmark_status loan_is_out() const noexcept;

    // Read by both halves, seldom written.
    std::uint64_t max_size_;
    std::uint32_t wait_policy_;
    std::uint64_t spin_ns_;
    bool polled_;
    bool loaned_;
    unsigned side_;
    bool expedited_ = false; // this process takes part in membarriers
    Control* control_ = nullptr;
    kit::StopReasons stop_;

    Tx tx_;
    Rx rx_;
    // What the halves tell each other.
    alignas(line) std::atomic<bool> answered_{false}; // something was sent since the receiving half last waited
    std::atomic<std::uint64_t> told_{0};              // what the peer's last slot said that it had taken of ours

    Layout layout_{};
    Memory memory_;
    kit::Fd socket_;
    kit::PeerWatch::Registration watch_; // last: nobody calls peer_left when the rest is destroyed
};

} // namespace ipcmark::shm

#include "loan.hpp"
#include "transfer.hpp"
#include "waiting.hpp"
