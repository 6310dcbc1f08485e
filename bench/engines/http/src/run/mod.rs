//! The loop: one thread, one epoll, every connection's state in one place.

mod base;
mod begin;
mod conn;
mod down1;
mod down2;
mod pool;
mod slab;
mod up1;
mod up2;
mod worker;

pub use worker::Worker;
