//! Who may do what: address ranges, and the mesh's authorisation of connections. Pure: no clock, no I/O, no unsafe.

pub mod authz;
pub mod cidr;
mod compile;
mod pattern;
pub mod rules;
mod truth;
