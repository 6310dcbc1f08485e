//! Node-API as the process that loads us brings it (https://nodejs.org/api/n-api.html, version 8): symbols are found when the module is
//! loaded, so that no headers and no import library are needed.

use std::ffi::{c_char, c_void};

pub type Env = *mut c_void;
pub type Value = *mut c_void;
pub type CallbackInfo = *mut c_void;
pub type ThreadsafeFunction = *mut c_void;
pub type Callback = unsafe extern "C" fn(Env, CallbackInfo) -> Value;
pub type CallJs = unsafe extern "C" fn(Env, Value, *mut c_void, *mut c_void);

/// napi_status: 0 is napi_ok.
pub type Status = i32;
pub const OK: Status = 0;
/// napi_threadsafe_function_call_mode and _release_mode.
pub const NONBLOCKING: i32 = 0;
pub const RELEASE: i32 = 0;
/// NAPI_AUTO_LENGTH.
pub const AUTO_LENGTH: usize = usize::MAX;

unsafe extern "C" {
    pub fn napi_create_function(
        env: Env,
        name: *const c_char,
        length: usize,
        cb: Callback,
        data: *mut c_void,
        result: *mut Value,
    ) -> Status;
    pub fn napi_set_named_property(env: Env, object: Value, name: *const c_char, value: Value) -> Status;
    pub fn napi_get_cb_info(
        env: Env,
        info: CallbackInfo,
        argc: *mut usize,
        argv: *mut Value,
        this: *mut Value,
        data: *mut *mut c_void,
    ) -> Status;
    pub fn napi_get_value_string_utf8(env: Env, value: Value, buffer: *mut c_char, size: usize, length: *mut usize) -> Status;
    pub fn napi_create_string_utf8(env: Env, text: *const c_char, length: usize, result: *mut Value) -> Status;
    pub fn napi_get_value_double(env: Env, value: Value, result: *mut f64) -> Status;
    pub fn napi_create_double(env: Env, value: f64, result: *mut Value) -> Status;
    pub fn napi_get_undefined(env: Env, result: *mut Value) -> Status;
    pub fn napi_throw_error(env: Env, code: *const c_char, message: *const c_char) -> Status;
    pub fn napi_call_function(env: Env, this: Value, function: Value, argc: usize, argv: *const Value, result: *mut Value) -> Status;
    pub fn napi_get_and_clear_last_exception(env: Env, result: *mut Value) -> Status;
    pub fn napi_fatal_exception(env: Env, error: Value) -> Status;
    pub fn napi_create_threadsafe_function(
        env: Env,
        function: Value,
        resource: Value,
        resource_name: Value,
        max_queue_size: usize,
        initial_thread_count: usize,
        finalize_data: *mut c_void,
        finalize: Option<unsafe extern "C" fn(Env, *mut c_void, *mut c_void)>,
        context: *mut c_void,
        call_js: Option<CallJs>,
        result: *mut ThreadsafeFunction,
    ) -> Status;
    pub fn napi_call_threadsafe_function(function: ThreadsafeFunction, data: *mut c_void, mode: i32) -> Status;
    pub fn napi_release_threadsafe_function(function: ThreadsafeFunction, mode: i32) -> Status;
}
