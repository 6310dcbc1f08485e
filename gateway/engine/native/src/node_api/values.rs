use std::ffi::{CString, c_void};
use std::ptr::null_mut;

use super::sys::{self, AUTO_LENGTH, CallbackInfo, Env, OK, Value};

/// Most that any function here takes.
const MOST_ARGUMENTS: usize = 3;

/// One call from JavaScript: its arguments, and what makes its answer. Lives as long as the call.
pub struct Call {
    env: Env,
    arguments: [Value; MOST_ARGUMENTS],
}

/// What a call answers.
pub enum Answer {
    Nothing,
    Number(f64),
    Text(String),
}

impl Call {
    /// SAFETY: `env` and `info` are those of a call that is going on, on its thread.
    pub unsafe fn new(env: Env, info: CallbackInfo) -> Self {
        let mut arguments = [null_mut(); MOST_ARGUMENTS];
        let mut count = MOST_ARGUMENTS;
        // SAFETY: by the caller; room for as many arguments as is said. Those that are missing become undefined.
        unsafe { sys::napi_get_cb_info(env, info, &mut count, arguments.as_mut_ptr(), null_mut(), null_mut()) };
        Self { env, arguments }
    }

    pub fn env(&self) -> Env {
        self.env
    }

    pub fn value(&self, at: usize) -> Value {
        self.arguments[at]
    }

    pub fn number(&self, at: usize) -> Result<f64, String> {
        let mut number = 0.0;
        // SAFETY: a value of this call.
        let status = unsafe { sys::napi_get_value_double(self.env, self.arguments[at], &mut number) };
        if status == OK { Ok(number) } else { Err(format!("argument {at} is to be a number")) }
    }

    pub fn text(&self, at: usize) -> Result<String, String> {
        let wrong = || format!("argument {at} is to be a string");
        let mut length = 0;
        // SAFETY: a value of this call; without a buffer only the length is given.
        if unsafe { sys::napi_get_value_string_utf8(self.env, self.arguments[at], null_mut(), 0, &mut length) } != OK {
            return Err(wrong());
        }
        let mut bytes = vec![0u8; length + 1];
        // SAFETY: room for the text and the zero that ends it.
        let status =
            unsafe { sys::napi_get_value_string_utf8(self.env, self.arguments[at], bytes.as_mut_ptr().cast(), bytes.len(), &mut length) };
        bytes.truncate(length);
        if status == OK { String::from_utf8(bytes).map_err(|_| wrong()) } else { Err(wrong()) }
    }

    pub fn answer(&self, answer: Answer) -> Value {
        let mut value = null_mut();
        // SAFETY: texts live through the calls.
        unsafe {
            match answer {
                Answer::Nothing => sys::napi_get_undefined(self.env, &mut value),
                Answer::Number(number) => sys::napi_create_double(self.env, number, &mut value),
                Answer::Text(text) => sys::napi_create_string_utf8(self.env, text.as_ptr().cast(), text.len(), &mut value),
            };
        }
        value
    }

    pub fn throw(&self, message: &str) {
        let message = CString::new(message.replace('\0', " ")).unwrap_or_default();
        // SAFETY: a text that ends with a zero and lives through the call.
        unsafe { sys::napi_throw_error(self.env, c"NATIVE_ENGINE".as_ptr(), message.as_ptr()) };
    }
}

/// SAFETY: `env` is that of a call that is going on; `exports` is an object of it.
pub unsafe fn export(env: Env, exports: Value, name: &'static std::ffi::CStr, callback: sys::Callback) {
    let mut function = null_mut();
    // SAFETY: by the caller; the name is static.
    unsafe {
        if sys::napi_create_function(env, name.as_ptr(), AUTO_LENGTH, callback, null_mut::<c_void>(), &mut function) == OK {
            sys::napi_set_named_property(env, exports, name.as_ptr(), function);
        }
    }
}
