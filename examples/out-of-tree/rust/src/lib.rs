// SPDX-License-Identifier: Apache-2.0
//! A transport over unix packet sockets (SOCK_SEQPACKET), as a module of ipcmark in Rust.
#![allow(non_upper_case_globals)] // the name of the entry is given
mod abi;

use abi::*;
use libc::{c_int, c_void, size_t};
use std::cell::RefCell;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

/// What a packet may carry with the default socket buffers everywhere.
const LIMIT_BYTES: u64 = 64 * 1024;
const NONCE_BYTES: usize = 16;

// ------------------------------------------------------------------------------------------------------- errors

#[derive(Clone, Copy)]
struct Fault {
    status: Status,
    errno: i32,
    text: &'static str,
}
type Outcome<T> = Result<T, Fault>;

thread_local! {
    static LAST: RefCell<Fault> = const { RefCell::new(Fault { status: OK, errno: 0, text: "" }) };
}

fn fault<T>(status: Status, errno: i32, text: &'static str) -> Outcome<T> {
    Err(Fault { status, errno, text })
}

/// Notes a fault for last_error of this thread and returns its status.
fn finish(outcome: Outcome<()>) -> Status {
    match outcome {
        Ok(()) => OK,
        Err(fault) => {
            LAST.with(|last| *last.borrow_mut() = fault);
            fault.status
        }
    }
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

unsafe extern "C" fn last_error(_object: *const c_void, out: *mut Error) {
    let last = LAST.with(|last| *last.borrow());
    let mut error: Error = zeroed();
    error.status = last.status;
    error.system_errno = last.errno;
    error.text[..last.text.len()].copy_from_slice(last.text.as_bytes());
    fill_sized(out, &error);
}

// ------------------------------------------------------------------------------------------------------ objects

/// Sticky: the flag for calls that spin, the eventfd, which is never read, for those that sleep.
struct Interrupt {
    status: AtomicI32,
    wake: OwnedFd,
}

impl Interrupt {
    fn new() -> Outcome<Self> {
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return fault(SYSTEM, errno(), "no eventfd can be made");
        }
        Ok(Self { status: AtomicI32::new(OK), wake: unsafe { OwnedFd::from_raw_fd(fd) } })
    }
    fn raise(&self, status: Status) {
        let _ = self.status.compare_exchange(OK, status, Ordering::AcqRel, Ordering::Acquire);
        let one = 1u64;
        unsafe { libc::write(self.wake.as_raw_fd(), (&one as *const u64).cast(), size_of::<u64>()) };
    }
    fn check(&self) -> Outcome<()> {
        match self.status.load(Ordering::Acquire) {
            OK => Ok(()),
            status => fault(status, 0, "the call was interrupted"),
        }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Address {
    name: libc::sockaddr_un,
    name_length: libc::socklen_t,
    nonce: [u8; NONCE_BYTES],
}

struct PacketListener {
    socket: OwnedFd,
    interrupt: Interrupt,
    address: Address,
}

struct PacketEndpoint {
    socket: OwnedFd,
    interrupt: Interrupt,
    wait_policy: u32,
    spin: Duration,
    max_message_size: u64,
    tx_fixed_size: u64,
}

fn packet_socket() -> Outcome<OwnedFd> {
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let fd = unsafe { libc::socket(libc::AF_UNIX, kind, 0) };
    if fd < 0 {
        return fault(SYSTEM, errno(), "no unix socket can be made");
    }
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn deadline(timeout_ns: u64) -> Option<Instant> {
    (timeout_ns != 0).then(|| Instant::now().checked_add(Duration::from_nanos(timeout_ns))).flatten()
}

/// Waits for the socket or an interrupt; false when the time is over.
fn wait(socket: &OwnedFd, events: i16, interrupt: &Interrupt, until: Option<Instant>) -> bool {
    let mut both = [
        libc::pollfd { fd: socket.as_raw_fd(), events, revents: 0 },
        libc::pollfd { fd: interrupt.wake.as_raw_fd(), events: libc::POLLIN, revents: 0 },
    ];
    let timeout: c_int = match until {
        None => -1,
        Some(end) => {
            let left = end.saturating_duration_since(Instant::now());
            left.as_millis().saturating_add(1).min(c_int::MAX as u128) as c_int
        }
    };
    let ready = unsafe { libc::poll(both.as_mut_ptr(), 2, timeout) };
    ready != 0 || until.is_some_and(|end| Instant::now() < end)
}

// ------------------------------------------------------------------------------------------------------ control

unsafe extern "C" fn limits(_params: *const ListenParams, out: *mut Limits) -> Status {
    let mut found: Limits = zeroed();
    found.max_message_size = LIMIT_BYTES;
    found.reason = fixed("the module's own limit: what one packet carries with the default socket buffers");
    fill_sized(out, &found);
    OK
}

fn make_listener(params: &ListenParams) -> Outcome<PacketListener> {
    if params.max_message_size == 0 || params.max_message_size > LIMIT_BYTES {
        return fault(LIMIT, 0, "max_message_size must be 1 to 65536");
    }
    let socket = packet_socket()?;
    let mut address: Address = unsafe { zeroed() };
    address.name.sun_family = libc::AF_UNIX as libc::sa_family_t;
    address.name_length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    let name = (&mut address.name as *mut libc::sockaddr_un).cast::<libc::sockaddr>();
    let backlog = params.endpoint_count.min(1000) as c_int + 16;
    let made = unsafe {
        // The family alone: the kernel chooses a free name in the abstract namespace.
        libc::bind(socket.as_raw_fd(), name, size_of::<libc::sa_family_t>() as libc::socklen_t) == 0
            && libc::listen(socket.as_raw_fd(), backlog) == 0
            && libc::getsockname(socket.as_raw_fd(), name, &mut address.name_length) == 0
            && libc::getrandom(address.nonce.as_mut_ptr().cast(), NONCE_BYTES, 0) == NONCE_BYTES as isize
    };
    if !made {
        return fault(SYSTEM, errno(), "no unix socket can listen");
    }
    Ok(PacketListener { socket, interrupt: Interrupt::new()?, address })
}

unsafe extern "C" fn listen(params: *const ListenParams, out: *mut *mut Listener) -> Status {
    *out = std::ptr::null_mut();
    finish(make_listener(&*params).map(|listener| *out = Box::into_raw(Box::new(listener)).cast()))
}

unsafe extern "C" fn listener_address(
    listener: *mut Listener,
    buffer: *mut c_void,
    capacity: size_t,
    length: *mut size_t,
) -> Status {
    let listener = &*listener.cast::<PacketListener>();
    if capacity < size_of::<Address>() {
        return finish(fault(TRUNCATED, 0, "the address does not fit"));
    }
    std::ptr::copy_nonoverlapping((&listener.address as *const Address).cast::<u8>(), buffer.cast(), size_of::<Address>());
    *length = size_of::<Address>();
    OK
}

fn make_endpoint(socket: OwnedFd, params: &EndpointParams) -> Outcome<*mut Endpoint> {
    let endpoint = PacketEndpoint {
        socket,
        interrupt: Interrupt::new()?,
        wait_policy: params.wait_policy,
        spin: Duration::from_nanos(params.spin_ns),
        max_message_size: params.max_message_size,
        tx_fixed_size: params.tx_fixed_size,
    };
    Ok(Box::into_raw(Box::new(endpoint)).cast())
}

fn check_params(params: &EndpointParams) -> Outcome<()> {
    if params.wait_policy > WAIT_ADAPTIVE {
        return fault(UNSUPPORTED, 0, "this wait policy is not known");
    }
    if params.flags != 0 {
        return fault(UNSUPPORTED, 0, "this module has no extensions");
    }
    let most = params.max_message_size;
    if most == 0 || most > LIMIT_BYTES || params.tx_fixed_size > most || params.rx_fixed_size > most {
        return fault(BAD_ARGUMENT, 0, "a message size is 0 or above the limit");
    }
    Ok(())
}

/// Whether the first packet of a new connection is the nonce that only a peer of this run knows.
fn is_peer(listener: &PacketListener, socket: &OwnedFd) -> bool {
    let until = Some(Instant::now() + Duration::from_millis(500));
    let mut nonce = [0u8; NONCE_BYTES];
    loop {
        let got = unsafe { libc::recv(socket.as_raw_fd(), nonce.as_mut_ptr().cast(), NONCE_BYTES, libc::MSG_DONTWAIT) };
        if got >= 0 {
            return got == NONCE_BYTES as isize && nonce == listener.address.nonce;
        }
        if errno() != libc::EAGAIN || !wait(socket, libc::POLLIN, &listener.interrupt, until) {
            return false;
        }
    }
}

fn accept_peer(listener: &PacketListener, params: &EndpointParams) -> Outcome<*mut Endpoint> {
    check_params(params)?;
    let until = deadline(params.timeout_ns);
    loop {
        listener.interrupt.check()?;
        let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        let null = std::ptr::null_mut();
        let fd = unsafe { libc::accept4(listener.socket.as_raw_fd(), null, std::ptr::null_mut(), flags) };
        if fd >= 0 {
            let socket = unsafe { OwnedFd::from_raw_fd(fd) };
            if is_peer(listener, &socket) {
                return make_endpoint(socket, params);
            }
        } else if !matches!(errno(), libc::EAGAIN | libc::EINTR | libc::ECONNABORTED) {
            return fault(SYSTEM, errno(), "accept4 failed");
        } else if !wait(&listener.socket, libc::POLLIN, &listener.interrupt, until) {
            return fault(TIMED_OUT, 0, "nobody connected in the time given");
        }
    }
}

unsafe extern "C" fn accept(listener: *mut Listener, params: *const EndpointParams, out: *mut *mut Endpoint) -> Status {
    *out = std::ptr::null_mut();
    finish(accept_peer(&*listener.cast::<PacketListener>(), &*params).map(|endpoint| *out = endpoint))
}

fn connect_peer(address: &[u8], params: &EndpointParams) -> Outcome<*mut Endpoint> {
    check_params(params)?;
    if address.len() != size_of::<Address>() {
        return fault(BAD_ARGUMENT, 0, "this is no address of this module");
    }
    let mut known: Address = unsafe { std::ptr::read_unaligned(address.as_ptr().cast()) };
    if known.name.sun_family != libc::AF_UNIX as libc::sa_family_t
        || known.name_length as usize > size_of::<libc::sockaddr_un>()
    {
        return fault(BAD_ARGUMENT, 0, "this is no address of this module");
    }
    let socket = packet_socket()?;
    let until = deadline(params.timeout_ns);
    let name = (&mut known.name as *mut libc::sockaddr_un).cast::<libc::sockaddr>();
    while unsafe { libc::connect(socket.as_raw_fd(), name, known.name_length) } != 0 {
        let reason = errno();
        if reason != libc::EAGAIN && reason != libc::EINTR {
            return fault(NOT_CONNECTED, reason, "nobody listens at this address");
        }
        if until.is_some_and(|end| Instant::now() >= end) {
            return fault(TIMED_OUT, reason, "the listener took nobody in the time given");
        }
        std::thread::sleep(Duration::from_millis(1)); // the listener's queue is full
    }
    let nonce = known.nonce.as_ptr().cast();
    if unsafe { libc::send(socket.as_raw_fd(), nonce, NONCE_BYTES, libc::MSG_NOSIGNAL) } != NONCE_BYTES as isize {
        return fault(NOT_CONNECTED, errno(), "the listener hung up");
    }
    make_endpoint(socket, params)
}

unsafe extern "C" fn connect(
    address: *const c_void,
    length: size_t,
    params: *const EndpointParams,
    out: *mut *mut Endpoint,
) -> Status {
    *out = std::ptr::null_mut();
    // A slice of no bytes must not come from a null pointer.
    let address = if length == 0 { &[] } else { std::slice::from_raw_parts(address.cast::<u8>(), length) };
    finish(connect_peer(address, &*params).map(|endpoint| *out = endpoint))
}

unsafe extern "C" fn close_listener(listener: *mut Listener) {
    if !listener.is_null() {
        drop(Box::from_raw(listener.cast::<PacketListener>()));
    }
}

unsafe extern "C" fn close(endpoint: *mut Endpoint) {
    if !endpoint.is_null() {
        drop(Box::from_raw(endpoint.cast::<PacketEndpoint>()));
    }
}

// ----------------------------------------------------------------------------------------------------- transfer

impl PacketEndpoint {
    /// Waits by the policy until the socket may be ready.
    fn wait(&self, events: i16, begin: &mut Option<Instant>) {
        match self.wait_policy {
            WAIT_SPIN => std::hint::spin_loop(),
            WAIT_ADAPTIVE if begin.get_or_insert_with(Instant::now).elapsed() < self.spin => std::hint::spin_loop(),
            _ => {
                wait(&self.socket, events, &self.interrupt, None);
            }
        }
    }

    fn send(&self, data: *const c_void, size: usize) -> Outcome<()> {
        if size == 0 || (self.tx_fixed_size != 0 && size as u64 != self.tx_fixed_size) {
            return fault(BAD_ARGUMENT, 0, "the message is empty or has not the fixed size");
        }
        if size as u64 > self.max_message_size {
            return fault(TOO_BIG, 0, "the message is larger than max_message_size");
        }
        let mut begin = None;
        loop {
            self.interrupt.check()?;
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            if unsafe { libc::send(self.socket.as_raw_fd(), data, size, flags) } == size as isize {
                return Ok(());
            }
            match errno() {
                libc::EAGAIN => self.wait(libc::POLLOUT, &mut begin),
                libc::EINTR => {}
                reason @ (libc::EPIPE | libc::ECONNRESET) => return fault(PEER_GONE, reason, "the peer closed its end"),
                reason => return fault(SYSTEM, reason, "send failed"),
            }
        }
    }

    fn recv(&self, data: *mut c_void, capacity: usize) -> Outcome<usize> {
        let mut begin = None;
        loop {
            self.interrupt.check()?;
            let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC; // the packet's whole size is returned
            let got = unsafe { libc::recv(self.socket.as_raw_fd(), data, capacity, flags) };
            if got > capacity as isize {
                return fault(TRUNCATED, 0, "the message is larger than the buffer");
            }
            if got > 0 {
                return Ok(got as usize);
            }
            if got == 0 {
                return fault(PEER_GONE, 0, "the peer closed its end");
            }
            match errno() {
                libc::EAGAIN => self.wait(libc::POLLIN, &mut begin),
                libc::EINTR => {}
                libc::ECONNRESET => return fault(PEER_GONE, libc::ECONNRESET, "the peer closed its end"),
                reason => return fault(SYSTEM, reason, "recv failed"),
            }
        }
    }
}

unsafe extern "C" fn send(endpoint: *mut Endpoint, data: *const c_void, size: size_t) -> Status {
    finish((*endpoint.cast::<PacketEndpoint>()).send(data, size))
}

unsafe extern "C" fn recv(endpoint: *mut Endpoint, data: *mut c_void, capacity: size_t, size: *mut size_t) -> Status {
    finish((*endpoint.cast::<PacketEndpoint>()).recv(data, capacity).map(|got| *size = got))
}

unsafe extern "C" fn interrupt(endpoint: *mut Endpoint, status: Status) {
    (*endpoint.cast::<PacketEndpoint>()).interrupt.raise(status);
}

unsafe extern "C" fn interrupt_listener(listener: *mut Listener, status: Status) {
    (*listener.cast::<PacketListener>()).interrupt.raise(status);
}

// --------------------------------------------------------------------------------------------------- descriptor

static DESCRIPTOR: Descriptor = Descriptor {
    size: size_of::<Descriptor>() as u32,
    capabilities: CAP_BOUNDARIES | CAP_ORDERED | CAP_RELIABLE | CAP_PEER_DEATH | CAP_TX_RX_THREADS,
    display_name: c"Unix packet socket".as_ptr(),
    result_name: c"UnixPacketSocket".as_ptr(),
    description: c"A unix packet socket for each endpoint, from a module in Rust.".as_ptr(),
    licence: c"Apache-2.0".as_ptr(),
    options: std::ptr::null(),
    option_count: 0,
    option_size: size_of::<OptionEntry>() as u32,
    limits,
    listen,
    listener_address,
    accept,
    connect,
    close_listener,
    close,
    send,
    recv,
    interrupt,
    interrupt_listener,
    last_error,
    effective_option: None,
    get_extension: None,
};

#[no_mangle]
pub static ipcmark_module_entry: Entry = Entry {
    magic: MAGIC,
    abi_major: ABI_MAJOR,
    abi_minor: ABI_MINOR,
    struct_size: size_of::<Entry>() as u32,
    build_flags: 0,
    id: fixed("packet"),
    version: fixed(env!("CARGO_PKG_VERSION")),
    descriptor: &DESCRIPTOR,
};
