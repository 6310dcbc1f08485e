//! A prototype, for measuring: what HTTP/1.1 and HTTP/2 would cost if the native engine forwarded them. Routes and policy are tables that
//! TypeScript writes. What it lacks is in docs/decisions/http-in-the-engine.md; no gateway runs it.

pub mod h1;
pub mod h2;
pub mod hop;
pub mod limits;
pub mod message;
pub mod random;
pub mod refused;
pub mod routes;
pub mod run;
pub mod syntax;
