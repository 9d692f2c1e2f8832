//! The pages of the documentation that are made from tables in the code, for the command that
//! writes them and the test that they are current.

pub mod settings_page;
