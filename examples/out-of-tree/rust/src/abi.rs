// SPDX-License-Identifier: Apache-2.0
//! The C ABI of ipcmark/module.h, version 1, as far as this module uses it. The comments are in the header.
#![allow(dead_code)]

use libc::{c_char, c_void, size_t};

pub const MAGIC: u64 = 0x314B_5241_4D43_5049;
pub const ABI_MAJOR: u32 = 1;
pub const ABI_MINOR: u32 = 0;

pub type Status = i32;
pub const OK: Status = 0;
pub const WOULD_BLOCK: Status = 1;
pub const TIMED_OUT: Status = 2;
pub const CANCELLED: Status = 3;
pub const PEER_GONE: Status = 4;
pub const NOT_CONNECTED: Status = 5;
pub const TOO_BIG: Status = 6;
pub const TRUNCATED: Status = 7;
pub const LIMIT: Status = 8;
pub const NO_MEMORY: Status = 9;
pub const BAD_ARGUMENT: Status = 10;
pub const UNSUPPORTED: Status = 11;
pub const SYSTEM: Status = 12;
pub const INTERNAL: Status = 13;

pub const WAIT_BLOCK: u32 = 0;
pub const WAIT_SPIN: u32 = 1;
pub const WAIT_ADAPTIVE: u32 = 2;

pub const CAP_BOUNDARIES: u32 = 1 << 0;
pub const CAP_ORDERED: u32 = 1 << 1;
pub const CAP_RELIABLE: u32 = 1 << 2;
pub const CAP_PEER_DEATH: u32 = 1 << 4;
pub const CAP_TX_RX_THREADS: u32 = 1 << 5;

#[repr(C)]
pub struct Error {
    pub size: u32,
    pub status: Status,
    pub system_errno: i32,
    pub reserved0: u32,
    pub text: [u8; 256],
}

#[repr(C)]
pub struct OptionEntry {
    pub name: *const c_char,
    pub option_type: u32,
    pub choice_count: u32,
    pub default_text: *const c_char,
    pub minimum: i64,
    pub maximum: i64,
    pub choices: *const c_void,
    pub unit: *const c_char,
    pub help: *const c_char,
}

#[repr(C)]
pub struct Value {
    pub value_type: u32,
    pub is_set: u32,
    pub bits: u64,
}

#[repr(C)]
pub struct ListenParams {
    pub size: u32,
    pub endpoint_count: u32,
    pub max_message_size: u64,
    pub host: *const c_void,
    pub values: *const Value,
    pub value_count: u32,
    pub reserved0: u32,
    pub scratch_dir: *const c_char,
}

#[repr(C)]
pub struct EndpointParams {
    pub size: u32,
    pub index: u32,
    pub max_message_size: u64,
    pub tx_fixed_size: u64,
    pub rx_fixed_size: u64,
    pub wait_policy: u32,
    pub flags: u32,
    pub spin_ns: u64,
    pub timeout_ns: u64,
    pub host: *const c_void,
    pub values: *const Value,
    pub value_count: u32,
    pub in_flight: u32,
}

#[repr(C)]
pub struct Limits {
    pub size: u32,
    pub max_endpoints: u32,
    pub max_message_size: u64,
    pub max_in_flight: u64,
    pub reason: [u8; 256],
}

pub enum Listener {}
pub enum Endpoint {}

#[repr(C)]
pub struct Descriptor {
    pub size: u32,
    pub capabilities: u32,
    pub display_name: *const c_char,
    pub result_name: *const c_char,
    pub description: *const c_char,
    pub licence: *const c_char,
    pub options: *const OptionEntry,
    pub option_count: u32,
    pub option_size: u32,
    pub limits: unsafe extern "C" fn(*const ListenParams, *mut Limits) -> Status,
    pub listen: unsafe extern "C" fn(*const ListenParams, *mut *mut Listener) -> Status,
    pub listener_address: unsafe extern "C" fn(*mut Listener, *mut c_void, size_t, *mut size_t) -> Status,
    pub accept: unsafe extern "C" fn(*mut Listener, *const EndpointParams, *mut *mut Endpoint) -> Status,
    pub connect: unsafe extern "C" fn(*const c_void, size_t, *const EndpointParams, *mut *mut Endpoint) -> Status,
    pub close_listener: unsafe extern "C" fn(*mut Listener),
    pub close: unsafe extern "C" fn(*mut Endpoint),
    pub send: unsafe extern "C" fn(*mut Endpoint, *const c_void, size_t) -> Status,
    pub recv: unsafe extern "C" fn(*mut Endpoint, *mut c_void, size_t, *mut size_t) -> Status,
    pub interrupt: unsafe extern "C" fn(*mut Endpoint, Status),
    pub interrupt_listener: unsafe extern "C" fn(*mut Listener, Status),
    pub last_error: unsafe extern "C" fn(*const c_void, *mut Error),
    pub effective_option: Option<unsafe extern "C" fn(*mut Endpoint, u32, *mut Value) -> Status>,
    pub get_extension: Option<unsafe extern "C" fn(*const c_char) -> *const c_void>,
}

#[repr(C)]
pub struct Entry {
    pub magic: u64,
    pub abi_major: u32,
    pub abi_minor: u32,
    pub struct_size: u32,
    pub build_flags: u32,
    pub id: [u8; 64],
    pub version: [u8; 32],
    pub descriptor: *const Descriptor,
}

// All pointers in them are to constants.
unsafe impl Sync for Descriptor {}
unsafe impl Sync for Entry {}

/// A text as a C array of bytes, filled up with NULs. Fails to compile if it does not fit.
pub const fn fixed<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let from = text.as_bytes();
    let mut i = 0;
    while i < from.len() {
        bytes[i] = from[i];
        i += 1;
    }
    assert!(i < N);
    bytes
}

/// Writes a struct that begins with its size into the caller's, no further than the caller knows it.
///
/// # Safety
/// `out` points to a struct whose first member is the number of its bytes.
pub unsafe fn fill_sized<T>(out: *mut T, filled: &T) {
    let size = *out.cast::<u32>();
    let length = (size as usize).min(std::mem::size_of::<T>());
    std::ptr::copy_nonoverlapping((filled as *const T).cast::<u8>(), out.cast::<u8>(), length);
    *out.cast::<u32>() = size;
}
