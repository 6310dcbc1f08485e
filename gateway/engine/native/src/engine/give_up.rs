//! When an endpoint, or all of them, are given up.

use super::connection::{Connection, Phase};
use super::reach::{SHORTAGE, broken_up, failed, try_next};
use super::serve::Next;
use super::thread::Thread;

/// Nobody else is left to be tried.
pub fn give_up(connection: &mut Connection) -> Next {
    let Some(led) = connection.led.as_ref() else { return Next::Reset };
    let count = led.attempts.count;
    let (reason, detail, flags): (_, _, &'static [&'static str]) = match &led.last {
        None => ("no-endpoint", format!("no endpoint of {} takes connections", led.cluster.name), &["UH"]),
        Some(last) => {
            let reason = match last.word {
                SHORTAGE => "upstream-shortage",
                "connect" => "upstream-connect",
                "tls" => "upstream-tls",
                _ => "upstream-early-close",
            };
            if count > 1 {
                (reason, format!("{count} attempts, the last: {}", last.detail), &["UF", "URX"])
            } else {
                (reason, last.detail.clone(), &["UF"])
            }
        }
    };
    connection.fail(reason, detail, flags);
    Next::Reset
}

/// The way to the endpoint has run out of time.
pub fn connect_expired(connection: &mut Connection, thread: &mut Thread) -> Next {
    match connection.phase {
        Phase::UpstreamHandshake => failed(connection, thread, "tls", "handshake timeout".into()),
        _ => failed(connection, thread, "connect", "connect timeout".into()),
    }
    try_next(connection, thread)
}

/// The machine that the connection leads to, or was to lead to, has vanished.
pub fn give_up_place(connection: &mut Connection, thread: &mut Thread) -> Next {
    match connection.phase {
        Phase::Connecting | Phase::UpstreamHandshake => {
            failed(connection, thread, "connect", GONE.into());
            try_next(connection, thread)
        }
        Phase::FirstByte => {
            failed(connection, thread, "early-close", GONE.into());
            try_next(connection, thread)
        }
        _ => broken_up(connection, GONE.into()),
    }
}

const GONE: &str = "its machine has gone silent";
