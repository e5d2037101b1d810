#[allow(unused_imports)]
use super::*;
#[test]
fn todo() {}
