//! The page for a person: every path, what is wrong there, and what can be asked for.

use std::fmt::Write as _;

use crate::faults::{COMMON_PARAMETERS, rooms};

/// The page.
pub(crate) fn page() -> String {
    let mut page = String::from(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>The unkind origin</title>\n\
         <h1>The unkind origin</h1>\n\
         <p>Every path serves the same kind of file, and breaks one rule. <code>/PATH/any-name?…</code> \
         is the same as <code>/PATH?…</code>. The authority of the TLS ports is at \
         <a href=\"/ca.pem\">/ca.pem</a>.</p>\n<h2>What every path takes</h2>\n<table>\n",
    );
    for (parameter, says) in COMMON_PARAMETERS {
        line(&mut page, format_args!("<tr><td><code>{parameter}</code><td>{}", in_code(says)));
    }
    page.push_str("</table>\n");
    for (name, faults) in rooms() {
        line(&mut page, format_args!("<h2>{name}</h2>\n<table>"));
        for fault in faults {
            let target = match fault.parameters {
                "" => format!("/{}", fault.path),
                parameters => format!("/{}?{}", fault.path, parameters.replace('&', "&amp;")),
            };
            line(
                &mut page,
                format_args!(
                    "<tr><td><a href=\"{target}\"><code>{target}</code></a><td>{}",
                    in_code(fault.says)
                ),
            );
        }
        page.push_str("</table>\n");
    }
    page
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(page, "{text}").expect("a string takes what is written to it");
}

/// With what stands between backticks in code font.
fn in_code(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(place, part)| if place % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() })
        .collect()
}
