use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::{Mutex, PoisonError};

use super::sys::{self, AUTO_LENGTH, Env, OK, ThreadsafeFunction, Value};

/// A function of JavaScript that any thread may have called, soon, on JavaScript's own.
pub struct Bell {
    /// None once it is silent.
    function: Mutex<Option<Handle>>,
}

struct Handle(ThreadsafeFunction);

// SAFETY: a thread-safe function is made to be called from any thread.
unsafe impl Send for Handle {}

impl Bell {
    /// Err: `function` is none. Called on JavaScript's thread. It keeps the process running until it is silenced.
    pub fn new(env: Env, function: Value) -> Result<Self, String> {
        let mut name = null_mut();
        let mut made = null_mut();
        let text = c"isthmus-engine";
        // SAFETY: values of a call that is going on; the name lives through the calls.
        let status = unsafe {
            sys::napi_create_string_utf8(env, text.as_ptr(), AUTO_LENGTH, &mut name);
            let none = null_mut();
            sys::napi_create_threadsafe_function(env, function, none, name, 0, 1, none, None, none, Some(call_js), &mut made)
        };
        if status == OK { Ok(Self { function: Mutex::new(Some(Handle(made))) }) } else { Err("argument 1 is to be a function".into()) }
    }

    pub fn ring(&self) {
        let function = self.function.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Handle(function)) = *function {
            // SAFETY: not released while the lock is held.
            unsafe { sys::napi_call_threadsafe_function(function, null_mut(), sys::NONBLOCKING) };
        }
    }

    /// Idempotent.
    pub fn silence(&self) {
        let function = self.function.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Handle(function)) = function {
            // SAFETY: the one thread that it was made for gives it up, and nobody can find it any more.
            unsafe { sys::napi_release_threadsafe_function(function, sys::RELEASE) };
        }
    }
}

/// On JavaScript's thread; `env` is null while that goes down.
unsafe extern "C" fn call_js(env: Env, function: Value, _context: *mut c_void, _data: *mut c_void) {
    if env.is_null() || function.is_null() {
        return;
    }
    let mut this = null_mut();
    let mut result = null_mut();
    // SAFETY: values that Node just gave. What the function throws is an uncaught exception like any other.
    unsafe {
        sys::napi_get_undefined(env, &mut this);
        if sys::napi_call_function(env, this, function, 0, null_mut(), &mut result) != OK {
            let mut error = null_mut();
            sys::napi_get_and_clear_last_exception(env, &mut error);
            sys::napi_fatal_exception(env, error);
        }
    }
}
