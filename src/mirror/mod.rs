//! (module mirror)
