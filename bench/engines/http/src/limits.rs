//! What one connection or message may cost. Those that the TypeScript path has too have its numbers.

/// Bytes of a head, in either version; of HTTP/2 its compressed block too.
pub const HEAD: usize = 65_536;
pub const FIELDS: usize = 100;
/// What a thread reads at once, bytes, what was held back from before included.
pub const READ: usize = 262_144;
/// Bytes that wait for one socket before whoever feeds it is held back, and down to which it is let go on.
pub const QUEUED: usize = 262_144;
pub const QUEUED_LOW: usize = 65_536;
/// Bytes that wait because nobody but the peer itself asks for them (answers to PING and SETTINGS): then it is given up.
pub const UNASKED: usize = 1 << 20;
/// Idle HTTP/1.1 connections that are kept for an endpoint.
pub const IDLE_PER_ENDPOINT: usize = 256;
/// Streams that a caller may have open at once, and that we have on one upstream connection where its server allows so many.
pub const STREAMS: u32 = 256;
pub const UPSTREAM_STREAMS: u32 = 256;
/// Bytes that the other side may send ahead of what went on, on one stream.
pub const STREAM_WINDOW: u32 = 262_144;
/// And on the connection. It is given back at once: what waits is bounded by streams.
pub const CONNECTION_WINDOW: u32 = 1 << 20;
/// CONTINUATION frames of one head, and DATA frames in a row that bring nothing.
pub const CONTINUATIONS: u32 = 32;
pub const EMPTY_FRAMES: u32 = 100;
/// Streams that are taken back before they have lived so long are premature; where more than half of at least so many are, the
/// connection is given up: Envoy's numbers.
pub const PREMATURE_MS: u128 = 1_000;
pub const RESETS_JUDGED_FROM: u32 = 500;
