//! System calls: sockets, epoll and pipes, as the loop needs them. All of them are non-blocking; errors are errno values.

mod address;
mod epoll;
mod pipe;
mod socket;

pub use address::{SocketAddress, parse_address};
pub use epoll::{Epoll, Event, Events, Wake};
pub use pipe::{Pipe, PipePool};
pub use socket::{
    Errno, KeepAlive, Listening, accept, connect, listen, local_address, pending_error, read, reset, set_keep_alive, shutdown_write,
    stop_listening, write,
};
