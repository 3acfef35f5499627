//! What calls a function, as it is asked for, and what its role needs for it.

mod statements;
