//! The door to Node: plain functions over numbers and JSON texts (gateway/engine/native/addon.ts has their types). A panic becomes an
//! exception of the call that caused it.

mod bell;
mod sys;
mod values;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::os::fd::IntoRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex};

use serde::Serialize;

use crate::engine::{Engine, Event};
use crate::memory;
use crate::net::parse_address;
use bell::Bell;
use sys::{CallbackInfo, Env, Value};
use values::{Answer, Call, export};

/// Of what TypeScript and this crate say to each other; both sides refuse another one.
const PROTOCOL: f64 = 4.0;

#[derive(Default)]
struct Engines {
    next: u32,
    by_handle: HashMap<u32, (Arc<Engine>, Arc<Bell>)>,
}

static ENGINES: LazyLock<Mutex<Engines>> = LazyLock::new(Mutex::default);

fn engine(call: &Call) -> Result<Arc<Engine>, String> {
    let handle = call.number(0)? as u32;
    let engines = ENGINES.lock().map_err(|_| "the table of engines was left in the middle of a change")?;
    engines.by_handle.get(&handle).map(|(engine, _)| engine.clone()).ok_or_else(|| format!("engine {handle} has been disposed"))
}

fn json<T: for<'a> serde::Deserialize<'a>>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn text(value: &impl Serialize) -> Result<Answer, String> {
    serde_json::to_string(value).map(Answer::Text).map_err(|error| error.to_string())
}

/// create(options: JSON, onEvents: () => void): handle
fn create(call: &Call) -> Result<Answer, String> {
    let options = json(&call.text(0)?)?;
    let bell = Arc::new(Bell::new(call.env(), call.value(1))?);
    let rung = bell.clone();
    let made = Engine::start(options, Box::new(move || rung.ring())).inspect_err(|_| bell.silence())?;
    let made = Arc::new(made);
    let mut engines = ENGINES.lock().map_err(|_| "the table of engines was left in the middle of a change")?;
    engines.next += 1;
    let handle = engines.next;
    engines.by_handle.insert(handle, (made, bell));
    Ok(Answer::Number(f64::from(handle)))
}

/// apply(handle, change: JSON)
fn apply(call: &Call) -> Result<Answer, String> {
    engine(call)?.apply(json(&call.text(1)?)?)?;
    Ok(Answer::Nothing)
}

/// listen(handle, spec: JSON): JSON of {number, address, port}
fn listen(call: &Call) -> Result<Answer, String> {
    text(&engine(call)?.listen(json(&call.text(1)?)?)?)
}

/// close(handle, listener); 0 for all of them
fn close(call: &Call) -> Result<Answer, String> {
    let (engine, number) = (engine(call)?, call.number(1)? as u64);
    if number == 0 {
        engine.close_all()
    } else {
        engine.close(number)
    }
    Ok(Answer::Nothing)
}

/// letGo(handle, listener): takes nobody from it any more, and leaves those who wait to whoever else holds its sockets
fn let_go(call: &Call) -> Result<Answer, String> {
    engine(call)?.let_go(call.number(1)? as u64);
    Ok(Answer::Nothing)
}

/// sockets(handle, listener): JSON of descriptors, duplicates that the caller closes
fn sockets(call: &Call) -> Result<Answer, String> {
    let duplicates = engine(call)?.sockets(call.number(1)? as u64)?;
    text(&duplicates.into_iter().map(IntoRawFd::into_raw_fd).collect::<Vec<_>>())
}

#[derive(Serialize)]
struct Batch {
    events: Vec<Event>,
    released: Vec<u32>,
}

/// events(handle): JSON of {events, released}
fn events(call: &Call) -> Result<Answer, String> {
    let (events, released) = engine(call)?.take_events();
    text(&Batch { events, released })
}

/// release(handle, number): a connection that was handed over has ended
fn release(call: &Call) -> Result<Answer, String> {
    engine(call)?.release(call.number(1)? as u64);
    Ok(Answer::Nothing)
}

/// dial(handle, JSON of DialMessage): JSON of {number, address}
fn dial(call: &Call) -> Result<Answer, String> {
    text(&engine(call)?.dial(json(&call.text(1)?)?)?)
}

/// cancelDial(handle, number)
fn cancel_dial(call: &Call) -> Result<Answer, String> {
    engine(call)?.cancel_dial(call.number(1)? as u64);
    Ok(Answer::Nothing)
}

/// cut(handle, number): before the side of a connection that TypeScript has is closed, where that is no end but a break
fn cut(call: &Call) -> Result<Answer, String> {
    engine(call)?.cut(call.number(1)? as u64);
    Ok(Answer::Nothing)
}

/// places(handle): JSON of PlaceNews[]
fn places(call: &Call) -> Result<Answer, String> {
    text(&engine(call)?.places())
}

#[derive(serde::Deserialize)]
struct GiveUp {
    address: String,
    port: u16,
    own: Option<HashSet<IpAddr>>,
}

/// giveUp(handle, JSON of {address, port, own})
fn give_up(call: &Call) -> Result<Answer, String> {
    let GiveUp { address, port, own } = json(&call.text(1)?)?;
    engine(call)?.give_up(parse_address(&address, port)?, own);
    Ok(Answer::Nothing)
}

/// counters(handle): JSON
fn counters(call: &Call) -> Result<Answer, String> {
    text(&engine(call)?.counters())
}

/// latencies(handle): JSON of {boundsMs, seen}
fn latencies(call: &Call) -> Result<Answer, String> {
    text(&engine(call)?.latencies())
}

/// overload(handle, detail): memory is short; empty: it is not any more
fn overload(call: &Call) -> Result<Answer, String> {
    engine(call)?.overload(&call.text(1)?);
    Ok(Answer::Nothing)
}

/// relieve(handle, bytes): breaks off those that the most is kept for
fn relieve(call: &Call) -> Result<Answer, String> {
    engine(call)?.relieve(call.number(1)? as usize);
    Ok(Answer::Nothing)
}

/// breakOff(handle): everything that runs
fn break_off(call: &Call) -> Result<Answer, String> {
    engine(call)?.break_off();
    Ok(Answer::Nothing)
}

/// stop(handle): ends its threads; events can still be taken
fn stop(call: &Call) -> Result<Answer, String> {
    engine(call)?.stop();
    Ok(Answer::Nothing)
}

/// dispose(handle): it is forgotten
fn dispose(call: &Call) -> Result<Answer, String> {
    let handle = call.number(0)? as u32;
    let mut engines = ENGINES.lock().map_err(|_| "the table of engines was left in the middle of a change")?;
    let gone = engines.by_handle.remove(&handle);
    drop(engines);
    if let Some((engine, bell)) = gone {
        engine.stop();
        engine.discard();
        bell.silence();
    }
    Ok(Answer::Nothing)
}

/// giveBack()
fn give_back(_: &Call) -> Result<Answer, String> {
    memory::give_back();
    Ok(Answer::Nothing)
}

/// heldFree(): bytes
fn held_free(_: &Call) -> Result<Answer, String> {
    Ok(Answer::Number(memory::held_free() as f64))
}

fn protocol(_: &Call) -> Result<Answer, String> {
    Ok(Answer::Number(PROTOCOL))
}

fn guarded(env: Env, info: CallbackInfo, work: fn(&Call) -> Result<Answer, String>) -> Value {
    // SAFETY: Node calls us with those of the call that is going on.
    let call = unsafe { Call::new(env, info) };
    let result = catch_unwind(AssertUnwindSafe(|| work(&call)));
    match result {
        Ok(Ok(answer)) => return call.answer(answer),
        Ok(Err(message)) => call.throw(&message),
        Err(_) => call.throw("the native engine has a defect: it panicked"),
    }
    call.answer(Answer::Nothing)
}

macro_rules! door {
    ($env:ident, $exports:ident, $($name:literal => $work:ident),* $(,)?) => {$({
        unsafe extern "C" fn called(env: Env, info: CallbackInfo) -> Value {
            guarded(env, info, $work)
        }
        // SAFETY: Node's own values, of the registration that is going on.
        unsafe { export($env, $exports, $name, called) };
    })*};
}

/// Node calls it once for each context that loads the module.
#[unsafe(no_mangle)]
extern "C" fn napi_register_module_v1(env: Env, exports: Value) -> Value {
    door!(env, exports,
        c"protocol" => protocol, c"heldFree" => held_free, c"giveBack" => give_back, c"create" => create, c"apply" => apply, c"listen" => listen, c"close" => close, c"letGo" => let_go, c"sockets" => sockets, c"events" => events,
        c"release" => release, c"counters" => counters, c"latencies" => latencies, c"places" => places, c"giveUp" => give_up, c"breakOff" => break_off, c"overload" => overload, c"relieve" => relieve,
        c"dial" => dial, c"cancelDial" => cancel_dial, c"cut" => cut, c"stop" => stop, c"dispose" => dispose,
    );
    exports
}

/// Node-API version 8: thread-safe functions, and Node 12 and later.
#[unsafe(no_mangle)]
extern "C" fn node_api_module_get_api_version_v1() -> i32 {
    8
}
