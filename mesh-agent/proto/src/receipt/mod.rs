//! A payer's side of the money: how much to grant ahead (M3, M4), and what to sign without ever owing more than there is,
//! or than is on disk (P1 to P3).

mod grant;
mod price;
mod purse;

pub use grant::{grant, loop_limit, rate_limit, share, RateMeter, FIRST_GRANT, LEAST_GRANT};
pub use price::path_price;
pub use purse::{Action, Demand, Purse, Spending};
