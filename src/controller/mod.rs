//! (module controller)
