//! The library of `larderctl`.
