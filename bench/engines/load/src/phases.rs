//! How the one that measures and this process keep in step: lines of JSON out, any line in.

use std::io::{BufRead, Write, stdin, stdout};

/// Fields of one JSON object, in order.
pub struct Line {
    text: String,
}

impl Line {
    pub fn new(phase: &str) -> Self {
        Self { text: format!("{{\"phase\":\"{phase}\"") }
    }

    pub fn number(mut self, name: &str, value: u64) -> Self {
        self.text.push_str(&format!(",\"{name}\":{value}"));
        self
    }

    /// Microseconds, of nanoseconds.
    pub fn micros(mut self, name: &str, nanoseconds: u64) -> Self {
        self.text.push_str(&format!(",\"{name}\":{:.3}", nanoseconds as f64 / 1e3));
        self
    }

    /// Texts of ours: they hold nothing that JSON would want escaped.
    pub fn texts(mut self, name: &str, values: &[String]) -> Self {
        let quoted: Vec<String> = values.iter().map(|each| format!("\"{}\"", each.replace(['"', '\\'], "'"))).collect();
        self.text.push_str(&format!(",\"{name}\":[{}]", quoted.join(",")));
        self
    }

    pub fn say(self) -> Result<(), String> {
        let mut out = stdout().lock();
        writeln!(out, "{}}}", self.text).and_then(|()| out.flush()).map_err(|error| format!("standard output: {error}"))
    }
}

/// Waits until it is told to go on. False: nobody is there any more.
pub fn told_to_go() -> bool {
    let mut line = String::new();
    matches!(stdin().lock().read_line(&mut line), Ok(read) if read > 0)
}
