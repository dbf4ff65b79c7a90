//! Babel (RFC 8966) between agents: who can be reached over which link.
//!
//! Every agent announces its own overlay address and nothing else; a client's neighbours accept nothing else from it. Routes
//! are loop-free by the feasibility condition (section 3.5.1). Hellos are per link, because links are pairs.

mod engine;
mod requests;
mod tables;
mod weight;

pub use engine::{Babel, Route, HELLO_INTERVAL, UPDATE_INTERVAL};
pub use tables::{newer, Distance, History};
pub use weight::{usual_price, Preference, Weight, FAR, NEAR};
