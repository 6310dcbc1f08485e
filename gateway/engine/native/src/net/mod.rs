//! System calls: sockets, epoll and pipes, as the loop needs them. All of them are non-blocking; errors are errno values.

mod address;
mod cpu_time;
mod epoll;
mod listening;
mod options;
mod original_destination;
mod pipe;
mod socket;

pub use address::{SocketAddress, parse_address};
pub use cpu_time::thread_cpu_ns;
pub use epoll::{Epoll, Event, Events, Wake};
pub use listening::{Listening, adopt, duplicate, listen, stop_listening};
pub use options::{KeepAlive, set_keep_alive, set_no_delay};
pub use original_destination::original_destination;
pub use pipe::{Pipe, PipePool};
pub use socket::{Errno, accept, connect, local_address, pair, pending_error, read, reset, shutdown_write, write};
