//! Tests of the registry, one file per call.

use crate::mock::*;
#[test] fn smoke() { run(|| { register(1, 1).unwrap(); }); }
