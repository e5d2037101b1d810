//! (module modelarts)
