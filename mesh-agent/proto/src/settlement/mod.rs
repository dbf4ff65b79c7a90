//! A router's side of the money: what it serves on credit, what it keeps on disk, and when it claims (R1 to R4).

mod account;
mod unsecured;
mod view;

pub use account::{Account, ClaimDue, Limits, ReceiptError, Serving};
pub use unsecured::beyond;
pub use view::{ChannelStatus, ChannelView, Head};
