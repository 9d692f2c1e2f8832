//! The pages of the documentation that are made from tables in the code, for the command that
//! writes them and the test that they are current.

pub mod command_page;
pub mod http_page;
pub mod settings_page;

/// What can be typed. `bits` is a program, whose modules nobody can import, so the one with its words is
/// compiled here a second time. It needs nothing else of the program.
#[path = "../../crates/cli/src"]
mod typed {
    pub(crate) mod arguments;
}
