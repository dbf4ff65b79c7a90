//! The admin API: JSON-RPC 2.0 over HTTP and WebSocket, on a Unix socket in the agent's folder and, if that is configured, on
//! loopback for whoever has a token. `docs/agent.md` has the methods.
//!
//! ```text
//! connection ──> door (origin, host, token) ──> jsonrpsee ──Ask──> desk, beside the event loop ──> agent
//!                                                   <── events, from one bounded ring for all who listen
//! ```
//!
//! The library's side may move between threads; the agent may not. So a method is a message to a task that lives in the
//! agent's thread, and its answer.

pub mod client;
mod config;
mod desk;
mod door;
mod earnings;
pub mod events;
mod names;
mod patience;
mod reach;
mod server;
#[cfg(test)]
mod tests;
pub mod verbs;
mod views;
mod watch;
mod words;

pub use desk::Desk;
pub use server::{start, Api};
pub use verbs::Verb;

/// Rises when something that a client may rely on changes.
pub const API: u32 = 1;
/// The socket's name in the agent's folder.
pub const SOCKET: &str = "agent.sock";
/// The token's, for clients on loopback.
pub const TOKEN: &str = "api.token";

/// The caller's doing: what was asked for does not fit this agent. The message says what would.
pub const REFUSED: i32 = -32050;
/// Nobody may ask without the token.
pub const NO_TOKEN: i32 = -32051;
/// Asked through a web page, or under another name than this machine's.
pub const FOREIGN: i32 = -32052;
/// All connections are taken.
pub const FULL: i32 = -32053;

/// Most connections at a time on the socket, and most on loopback: neither takes the other's.
pub const MAX_CONNECTIONS: (usize, usize) = (32, 16);
/// Most bytes of a request, its head included separately.
pub const MAX_REQUEST: u32 = 64 * 1024;
/// Most bytes of an answer: all routes of a full table fit.
pub const MAX_RESPONSE: u32 = 4 * 1024 * 1024;
/// Most requests in one batch.
pub const MAX_BATCH: u32 = 16;
/// Most subscriptions of one connection.
pub const MAX_SUBSCRIPTIONS: u32 = 4;
/// Messages that wait for a connection that does not read.
const MAX_UNREAD: u32 = 16;
/// Requests of all connections that wait for the agent.
const MAX_WAITING: usize = 64;
