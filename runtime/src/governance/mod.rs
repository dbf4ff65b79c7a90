//! How the network decides: who may propose what, how a vote passes, and what stays possible when everything else is paused.
//!
//! Anyone proposes a call on the track whose origin the call needs. [`tracks`] says how such a referendum passes, [`origins`]
//! what each origin may do, and [`bounds`] within what a parameter may be changed, and [`filters`] which calls no pause and no safe mode takes away.

pub mod bounds;
pub mod filters;
pub mod origins;
pub mod tracks;
